//! Thin, safe coats over the system calls that neither `std` nor `socket2` offers.
//!
//! Each function does one call, turns its status into an [`io::Error`] and owns what it opens.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Turns a status of the C kind (-1 is a failure, errno says which) into a result.
pub fn check(status: libc::c_int) -> io::Result<libc::c_int> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}

/// The error number of an I/O error; `EIO` when it has none.
pub fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Whether an error says that the other end of a socket is gone.
pub fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET))
}

/// `socket(2)`, close-on-exec.
#[expect(unsafe_code, reason = "socket(2) for families that std does not know")]
pub fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain numbers; the returned descriptor is fresh and owned by nobody else.
    unsafe {
        let fd = check(libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// A connected pair of `SOCK_SEQPACKET` Unix sockets, close-on-exec.
#[expect(unsafe_code, reason = "socketpair(2) of type SOCK_SEQPACKET")]
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: the array has room for two descriptors; both are fresh and owned by nobody else.
    unsafe {
        check(libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        ))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// `setsockopt(2)` with a plain value.
#[expect(unsafe_code, reason = "setsockopt(2) for options that socket2 does not know")]
pub fn set_option<T: Copy>(fd: BorrowedFd, level: i32, name: i32, value: T) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which lives through the call.
    let status = unsafe {
        let length = size_of::<T>() as libc::socklen_t;
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    check(status).map(|_| ())
}

/// `getsockopt(2)` into an array of 32-bit words, which are zero where the kernel wrote nothing.
#[expect(unsafe_code, reason = "getsockopt(2) for options that socket2 does not know")]
pub fn get_option<const N: usize>(fd: BorrowedFd, level: i32, name: i32) -> io::Result<[u32; N]> {
    let mut words = [0u32; N];
    let mut length = (N * 4) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `words`, and any bytes are valid words.
    let status =
        unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, words.as_mut_ptr().cast(), &raw mut length) };
    check(status).map(|_| words)
}

/// The link-layer address of packet(7).
pub fn link_address(protocol: u16, interface: u32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: i32::try_from(interface).unwrap_or(-1),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

/// `bind(2)` of a packet socket.
#[expect(unsafe_code, reason = "bind(2) with a sockaddr_ll")]
pub fn bind_link(fd: BorrowedFd, address: &libc::sockaddr_ll) -> io::Result<()> {
    // SAFETY: pointer and length describe `address`.
    let status = unsafe {
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        libc::bind(fd.as_raw_fd(), (&raw const *address).cast(), length)
    };
    check(status).map(|_| ())
}

/// `sendto(2)` on a packet socket.
#[expect(unsafe_code, reason = "sendto(2) with a sockaddr_ll")]
pub fn send_link(fd: BorrowedFd, bytes: &[u8], address: &libc::sockaddr_ll) -> io::Result<usize> {
    // SAFETY: both pointers come with the lengths of what they point to.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL,
            (&raw const *address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// `poll(2)`: waits until one of the descriptors is ready; gives what came up at each.
/// A call that a signal interrupts counts as one in which nothing came up.
#[expect(unsafe_code, reason = "poll(2)")]
pub fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    // Rounded up, so that a wait of less than a millisecond does not become a busy loop.
    let milliseconds = timeout.map_or(-1, |t| t.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
    // SAFETY: pointer and count describe `fds`, which is borrowed for the time of the call.
    match check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, milliseconds) }) {
        Ok(ready) => Ok(usize::try_from(ready).unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

/// An entry for [`poll`].
pub fn watch(fd: BorrowedFd, events: i16) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

/// An event counter (`eventfd(2)`), not blocking.
#[expect(unsafe_code, reason = "eventfd(2)")]
pub fn event() -> io::Result<OwnedFd> {
    // SAFETY: takes plain numbers; the returned descriptor is fresh.
    unsafe { Ok(OwnedFd::from_raw_fd(check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?)) }
}

/// Adds one to an event counter, which makes it readable for good.
#[expect(unsafe_code, reason = "write(2) on an eventfd")]
pub fn signal_event(fd: BorrowedFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: pointer and length describe `one`. A full counter is readable as well, so the status is of no use.
    unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// `recvmmsg(2)` without waiting. The headers must point into memory that outlives the call.
///
/// # Safety
/// Every pointer in `headers` must be null with length 0, or be valid for writes of its length.
#[expect(unsafe_code, reason = "recvmmsg(2)")]
pub unsafe fn receive_many(fd: BorrowedFd, headers: &mut [libc::mmsghdr], flags: i32) -> io::Result<usize> {
    // SAFETY: the caller vouches for the pointers in the headers.
    let count = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            headers.len() as libc::c_uint,
            flags | libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    check(count).map(|n| usize::try_from(n).unwrap_or(0))
}

/// `sendmmsg(2)` without waiting; gives how many messages the kernel took. A call that a signal interrupts is made again.
///
/// # Safety
/// Every pointer in `headers` must be null with length 0, or be valid for reads of its length.
#[expect(unsafe_code, reason = "sendmmsg(2)")]
pub unsafe fn send_many(fd: BorrowedFd, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    loop {
        // SAFETY: the caller vouches for the pointers in the headers.
        let count = unsafe {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), headers.len() as libc::c_uint, flags)
        };
        match check(count) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|n| usize::try_from(n).unwrap_or(0)),
        }
    }
}

/// The size of a control message header.
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>();

/// The control messages in a buffer that the kernel filled: level, type and payload of each.
/// Reads the bytes itself, so that a torn message ends the walk and nothing else.
pub fn control_messages(mut bytes: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    std::iter::from_fn(move || {
        let word = size_of::<usize>();
        let length = usize::from_ne_bytes(bytes.get(..word)?.try_into().ok()?);
        let level = i32::from_ne_bytes(bytes.get(word..word + 4)?.try_into().ok()?);
        let kind = i32::from_ne_bytes(bytes.get(word + 4..word + 8)?.try_into().ok()?);
        let payload = bytes.get(CONTROL_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(word)..).unwrap_or_default();
        Some((level, kind, payload))
    })
}

/// One control message that carries a descriptor: exactly `CMSG_LEN(4)` bytes are used.
#[repr(C, align(8))]
struct OneDescriptor([u8; CONTROL_HEADER + 8]);

/// The bytes of [`OneDescriptor`] that are in use: room for one descriptor, not for two.
const ONE_DESCRIPTOR: usize = CONTROL_HEADER + 4;

/// Sends one message, with a descriptor if there is one (`SCM_RIGHTS`).
#[expect(unsafe_code, reason = "sendmsg(2) with a descriptor")]
pub fn send_message(
    socket: BorrowedFd,
    bytes: &[u8],
    descriptor: Option<BorrowedFd>,
    flags: i32,
) -> io::Result<()> {
    let mut control = OneDescriptor([0; CONTROL_HEADER + 8]);
    if let Some(fd) = descriptor {
        let word = size_of::<usize>();
        control.0[..word].copy_from_slice(&ONE_DESCRIPTOR.to_ne_bytes());
        control.0[word..word + 4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        control.0[word + 4..word + 8].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
        control.0[CONTROL_HEADER..ONE_DESCRIPTOR].copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
    }
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: a msghdr of zeros is a valid one; its pointers describe `part` and `control`, which outlive
    // the call, and sendmsg only reads through them.
    let sent = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        if descriptor.is_some() {
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = ONE_DESCRIPTOR;
        }
        libc::sendmsg(socket.as_raw_fd(), &raw const header, flags | libc::MSG_NOSIGNAL)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What [`receive_message`] got.
pub struct Message {
    /// Bytes of the message; more than the buffer holds if it was cut.
    pub length: usize,
    /// Whether data or control messages were cut.
    pub truncated: bool,
    /// The descriptor that came along, close-on-exec.
    pub descriptor: Option<OwnedFd>,
}

/// Receives one message with at most one descriptor. A second one makes the message a truncated one, and
/// the kernel closes it.
#[expect(unsafe_code, reason = "recvmsg(2) with a descriptor")]
pub fn receive_message(socket: BorrowedFd, buffer: &mut [u8], flags: i32) -> io::Result<Message> {
    let mut control = OneDescriptor([0; CONTROL_HEADER + 8]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr of zeros is a valid one; its pointers describe `part` and `control`, which outlive the call.
    let (got, flags, used) = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = ONE_DESCRIPTOR;
        let flags = flags | libc::MSG_CMSG_CLOEXEC | libc::MSG_TRUNC;
        let got = libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags);
        (got, header.msg_flags, header.msg_controllen)
    };
    let length = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    let used = control.0.get(..used.min(ONE_DESCRIPTOR)).unwrap_or_default();
    let descriptor = control_messages(used)
        .find(|(level, kind, _)| (*level, *kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS))
        .and_then(|(_, _, payload)| Some(RawFd::from_ne_bytes(payload.get(..4)?.try_into().ok()?)))
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(Message { length, truncated: flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0, descriptor })
}

/// Who made the other end of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its process, 0 when it is in another process namespace.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
}

/// `getsockopt(SO_PEERCRED)`: who made the other end of a Unix socket, as it was then.
pub fn peer(socket: BorrowedFd) -> io::Result<Peer> {
    get_option::<3>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED).map(|[pid, uid, _]| Peer { pid, uid })
}

/// The request of ioctl_ns(2) for the kind of a namespace.
pub const NS_GET_NSTYPE: u64 = 0xb703;

/// Whether a descriptor is a network namespace (`NS_GET_NSTYPE`), and not a process or anything else.
#[expect(unsafe_code, reason = "ioctl(NS_GET_NSTYPE)")]
pub fn is_network_namespace(descriptor: BorrowedFd) -> bool {
    // SAFETY: the call takes no argument; what is no namespace refuses it.
    unsafe { libc::ioctl(descriptor.as_raw_fd(), NS_GET_NSTYPE as _) == libc::CLONE_NEWNET }
}

/// The network namespace of the calling thread, by a socket in it and not by a path (`SIOCGSKNS`).
#[expect(unsafe_code, reason = "ioctl(SIOCGSKNS)")]
pub fn own_namespace() -> io::Result<OwnedFd> {
    const SIOCGSKNS: libc::c_ulong = 0x894c;
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: the call takes no argument; the descriptor that it gives is fresh and close-on-exec.
    unsafe {
        let fd = check(libc::ioctl(socket.as_raw_fd(), SIOCGSKNS as _))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The domain and type of a socket (`SO_DOMAIN`, `SO_TYPE`).
pub fn socket_kind(socket: BorrowedFd) -> io::Result<(i32, i32)> {
    let [domain] = get_option::<1>(socket, libc::SOL_SOCKET, libc::SO_DOMAIN)?;
    let [kind] = get_option::<1>(socket, libc::SOL_SOCKET, libc::SO_TYPE)?;
    Ok((domain as i32, kind as i32))
}

/// Sets or clears close-on-exec.
#[expect(unsafe_code, reason = "fcntl(2)")]
pub fn set_close_on_exec(fd: BorrowedFd, on: bool) -> io::Result<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: takes plain numbers.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, flags) }).map(|_| ())
}

/// An interface request of netdevice(7) with the interface's name in it.
#[expect(unsafe_code, reason = "an ifreq holds a union; all zeros is a valid one")]
fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: an ifreq of zeros is a valid one.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let name = CString::new(name)?;
    let bytes = name.as_bytes_with_nul();
    if bytes.len() > request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok(request)
}

/// The name of an interface, in the namespace of the socket.
#[expect(unsafe_code, reason = "ioctl(SIOCGIFNAME)")]
pub fn interface_name(socket: BorrowedFd, index: u32) -> io::Result<String> {
    let mut request = interface_request("")?;
    request.ifr_ifru.ifru_ifindex = index as i32;
    // SAFETY: the request is a valid ifreq, which the kernel fills.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFNAME, &raw mut request) })?;
    let bytes: Vec<u8> = request.ifr_name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The number of an interface, in the namespace of the socket.
#[expect(unsafe_code, reason = "ioctl(SIOCGIFINDEX)")]
pub fn interface_index(socket: BorrowedFd, name: &str) -> io::Result<u32> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is a valid ifreq; after success the kernel has filled its number.
    unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request))?;
        Ok(request.ifr_ifru.ifru_ifindex as u32)
    }
}

/// Whether an interface is up (`IFF_UP`), in the namespace of the socket.
#[expect(unsafe_code, reason = "ioctl(SIOCGIFFLAGS)")]
pub fn interface_is_up(socket: BorrowedFd, name: &str) -> io::Result<bool> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is a valid ifreq; after success the kernel has filled its flags.
    unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request))?;
        Ok(i32::from(request.ifr_ifru.ifru_flags) & libc::IFF_UP != 0)
    }
}

/// The hardware type (`ARPHRD_…`) of an interface, in the namespace of the socket.
#[expect(unsafe_code, reason = "ioctl(SIOCGIFHWADDR)")]
pub fn interface_type(socket: BorrowedFd, name: &str) -> io::Result<u16> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is a valid ifreq; after success the kernel has filled its hardware address.
    unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request))?;
        Ok(request.ifr_ifru.ifru_hwaddr.sa_family)
    }
}

/// The MTU of an interface in bytes, in the namespace of the socket.
#[expect(unsafe_code, reason = "ioctl(SIOCGIFMTU)")]
pub fn interface_mtu(socket: BorrowedFd, name: &str) -> io::Result<u32> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is a valid ifreq; after success the kernel has filled its MTU.
    unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request))?;
        Ok(request.ifr_ifru.ifru_mtu as u32)
    }
}

/// Sets one of ethtool's old switches (`ETHTOOL_STXCSUM`, …) of an interface.
#[expect(unsafe_code, reason = "ioctl(SIOCETHTOOL)")]
pub fn set_offload(socket: BorrowedFd, name: &str, command: u32, on: bool) -> io::Result<()> {
    let mut request = interface_request(name)?;
    let mut value = [command, u32::from(on)];
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    // SAFETY: the request points to an ethtool_value (two words), which outlives the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), 0x8946, &raw mut request) }).map(|_| ())
}

/// The control messages of the next entry of a socket's error queue, without waiting.
#[expect(unsafe_code, reason = "recvmsg(2) from the error queue")]
pub fn receive_error(socket: BorrowedFd) -> io::Result<Vec<u8>> {
    // Words, so that the messages are aligned as the kernel wants them.
    let mut control = [0u64; 32];
    // SAFETY: a msghdr of zeros is a valid one; its only pointer describes `control`, which outlives the call.
    let (got, used) = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = std::mem::size_of_val(&control);
        let got = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT);
        (got, header.msg_controllen)
    };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).collect();
    Ok(bytes.get(..used).unwrap_or_default().to_vec())
}
