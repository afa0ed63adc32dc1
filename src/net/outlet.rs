//! Many packets with one system call: sendmmsg(2), over a packet socket or a raw IP socket.

use super::door::Door;
use super::error::{Error, SendError, Sending};
use super::interfaces::name_and_mtu;
use super::netlink::{self, Netlink};
use super::packet::PacketSocket;
use super::raw::{self, RawIpSocket, SentAt};
use super::sys;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Packets that one call sends at most. More of them make none faster, and a stop later.
pub const MOST_AT_ONCE: usize = 64;

/// Has the kernel hand frames straight to the driver (linux/if_packet.h).
const PACKET_QDISC_BYPASS: i32 = 20;
/// Attribute of a link: struct `rtnl_link_stats64`.
const IFLA_STATS64: u16 = 23;

/// A socket that sends packets in batches. Nothing comes in through it.
pub struct Outlet(Way);

enum Way {
    Link {
        socket: PacketSocket,
        interface: u32,
    },
    /// `scope`: the interface of an IPv6 destination that every link has for itself, else 0.
    Ip {
        socket: RawIpSocket,
        v6: bool,
        scope: u32,
    },
}

/// A packet and, for a raw IP socket, where to.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// The frame; for a raw IP socket from the IP header on.
    pub bytes: &'a [u8],
    /// What the kernel routes it by.
    pub to: Option<IpAddr>,
}

impl Outlet {
    /// For whole frames on an interface. `bypass`: past the queue of the interface, which hides them from every packet
    /// socket on it (`PACKET_QDISC_BYPASS`).
    ///
    /// # Errors
    /// `ENODEV` without that interface.
    pub fn link(socket: PacketSocket, interface: u32, bypass: bool) -> Result<Self, Error> {
        let failed =
            |tried: &str, error| Error::system(format!("{tried} interface number {interface}"), error);
        // Of protocol 0: nothing is received. The kernel reads the protocol of a frame from the frame.
        let address = sys::link_address(0, interface);
        sys::bind_link(socket.as_fd(), &address).map_err(|error| failed("send on", error))?;
        if bypass {
            sys::set_option(socket.as_fd(), libc::SOL_PACKET, PACKET_QDISC_BYPASS, 1i32)
                .map_err(|error| failed("go past the queue of", error))?;
        }
        Ok(Self(Way::Link { socket, interface }))
    }

    /// For packets that begin with their IP header and that the kernel routes. `scope`: the interface of a destination
    /// that every link has for itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn ip(socket: RawIpSocket, v6: bool, scope: Option<u32>) -> Result<Self, Error> {
        // Without it a raw socket does not tell of a packet that a full queue dropped (ENOBUFS): ip(7).
        let (level, name) = match v6 {
            true => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
            false => (libc::IPPROTO_IP, libc::IP_RECVERR),
        };
        sys::set_option(socket.as_fd(), level, name, 1i32)
            .map_err(|error| Error::system("be told of packets that a full queue drops", error))?;
        Ok(Self(Way::Ip { socket, v6, scope: scope.unwrap_or(0) }))
    }

    /// Whether it takes packets of this version of IP; one for frames takes all.
    pub fn takes(&self, to: Option<IpAddr>) -> bool {
        match (&self.0, to) {
            (Way::Link { .. }, _) => true,
            (Way::Ip { v6, .. }, Some(to)) => to.is_ipv6() == *v6,
            (Way::Ip { .. }, None) => false,
        }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Way::Link { socket, .. } => socket.as_fd(),
            Way::Ip { socket, .. } => socket.as_fd(),
        }
    }

    /// Hands packets to the kernel, up to [`MOST_AT_ONCE`], without waiting. Gives how many it took, at least one.
    ///
    /// # Errors
    /// Why it did not take the first one: `EAGAIN` when the socket is full and `ENOBUFS` when the queue of the interface is,
    /// which both pass; else what [`Self::explain`] says.
    #[expect(unsafe_code, reason = "mmsghdr and addresses are made of zeros")]
    pub fn send(&self, parcels: &[Parcel<'_>]) -> io::Result<usize> {
        let parcels = &parcels[..parcels.len().min(MOST_AT_ONCE)];
        // SAFETY: all of these are plain data of the C kind, for which zeros are valid.
        let (mut headers, mut parts, mut v4, mut v6): (
            [libc::mmsghdr; MOST_AT_ONCE],
            [libc::iovec; MOST_AT_ONCE],
            [libc::sockaddr_in; MOST_AT_ONCE],
            [libc::sockaddr_in6; MOST_AT_ONCE],
        ) = unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
        for (nth, parcel) in parcels.iter().enumerate() {
            parts[nth].iov_base = parcel.bytes.as_ptr().cast_mut().cast();
            parts[nth].iov_len = parcel.bytes.len();
            let header = &mut headers[nth].msg_hdr;
            header.msg_iov = &raw mut parts[nth];
            header.msg_iovlen = 1;
            match (&self.0, parcel.to) {
                (Way::Ip { .. }, Some(IpAddr::V4(to))) => {
                    v4[nth].sin_family = libc::AF_INET as u16;
                    v4[nth].sin_addr.s_addr = u32::from(to).to_be();
                    header.msg_name = (&raw mut v4[nth]).cast();
                    header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
                }
                (Way::Ip { scope, .. }, Some(IpAddr::V6(to))) => {
                    v6[nth].sin6_family = libc::AF_INET6 as u16;
                    v6[nth].sin6_addr.s6_addr = to.octets();
                    v6[nth].sin6_scope_id = *scope;
                    header.msg_name = (&raw mut v6[nth]).cast();
                    header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
                }
                _ => {}
            }
        }
        // SAFETY: the headers point into `parts`, the addresses and the parcels, each with its length; all of them outlive
        // the call, and sendmmsg only reads through them.
        unsafe { sys::send_many(self.socket(), &mut headers[..parcels.len()]) }
    }

    /// From now on the kernel keeps the time at which it hands each packet to the driver.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn keep_send_times(&self) -> Result<(), Error> {
        raw::keep_send_times(self.socket())
    }

    /// The oldest time of sending that was not fetched yet, waiting up to `timeout` for it. Not every driver tells.
    ///
    /// # Errors
    /// What the system says.
    pub fn sent_at(&self, timeout: Duration) -> Result<Option<SentAt>, Error> {
        raw::sent_at(self.socket(), timeout)
    }

    /// Waits until the socket takes more, or the time is over.
    pub fn wait(&self, timeout: Duration) {
        let mut fds = [sys::watch(self.socket(), libc::POLLOUT)];
        // What is wrong with the socket is told by the next send.
        let _ = sys::poll(&mut fds, Some(timeout));
    }

    /// The error of [`Self::send`] for this packet, in words.
    pub fn explain(&self, error: &io::Error, parcel: Parcel<'_>) -> SendError {
        match (&self.0, parcel.to) {
            (Way::Ip { socket, .. }, Some(to)) => socket.explain(error, parcel.bytes, to),
            (Way::Ip { .. }, None) => {
                let to = "an address that is not there".into();
                SendError::new(error, &Sending { length: parcel.bytes.len(), to, mtu: None, link: false })
            }
            (Way::Link { socket, interface }, _) => {
                let link = name_and_mtu(&socket.as_fd(), *interface);
                let mtu = link.as_ref().map(|(name, mtu)| (name.as_str(), *mtu));
                let to =
                    link.as_ref().map_or_else(|| format!("interface number {interface}"), |l| l.0.clone());
                SendError::new(error, &Sending { length: parcel.bytes.len(), to, mtu, link: true })
            }
        }
    }
}

/// What a refusal means for the packets that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The buffer of the socket is full: it takes the packet when there is room ([`Outlet::wait`]).
    SocketFull,
    /// The queue of the interface is full: it takes the packet a moment later.
    QueueFull,
    /// The interface is gone: nothing will ever be sent here.
    Gone,
    /// This packet cannot be sent.
    Packet,
}

impl Refusal {
    /// Of an error of [`Outlet::send`].
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Self::SocketFull,
            Some(libc::ENOBUFS) => Self::QueueFull,
            Some(libc::ENODEV | libc::ENXIO) => Self::Gone,
            _ => Self::Packet,
        }
    }
}

/// Why no socket takes a packet that is for none of them.
#[must_use]
pub fn no_way() -> io::Error {
    io::Error::from_raw_os_error(libc::EAFNOSUPPORT)
}

/// Lets the sleeps of this thread end when they should, and not up to 50 µs later (`PR_SET_TIMERSLACK`, prctl(2)).
#[expect(unsafe_code, reason = "prctl(PR_SET_TIMERSLACK)")]
pub fn wake_exactly() {
    // SAFETY: takes plain numbers. Refused, the sleeps are as long as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}

/// What an interface itself has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transmitted {
    /// Packets that it sent.
    pub packets: u64,
    /// Packets that it was to send and dropped.
    pub dropped: u64,
}

impl Transmitted {
    /// What was added since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            dropped: self.dropped.saturating_sub(before.dropped),
        }
    }
}

/// What an interface has counted until now (`rtnl_link_stats64`), whoever sent it.
///
/// # Errors
/// When the netlink socket cannot be had, or there is no such interface.
pub fn transmitted(door: &Door, interface: u32) -> Result<Transmitted, Error> {
    let failed = |error| Error::system(format!("read the counters of interface number {interface}"), error);
    let mut fixed = [0u8; 16];
    fixed[4..8].copy_from_slice(&interface.to_ne_bytes());
    let answers = Netlink::new(door.netlink()?)
        .ask(netlink::Message::new(libc::RTM_GETLINK, 0, &fixed))
        .map_err(failed)?;
    let find = |body: &[u8]| {
        let mut attributes = netlink::attributes(body.get(16..)?);
        let (_, counters) = attributes.find(|(kind, _)| *kind == IFLA_STATS64)?;
        let at = |nth: usize| Some(u64::from_ne_bytes(counters.get(nth * 8..nth * 8 + 8)?.try_into().ok()?));
        Some(Transmitted { packets: at(1)?, dropped: at(7)? })
    };
    let found = answers.iter().find_map(|(_, body)| find(body));
    found.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::EPROTO)))
}
