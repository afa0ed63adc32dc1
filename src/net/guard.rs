//! The reset guard: a listening TCP socket that drops all it is sent.
//!
//! The kernel answers a SYN-ACK for which it has no socket with a RST, which ends the exchange that a raw
//! socket has just begun. With a listening socket on the source port, to which the classic BPF program
//! `ret 0` is attached, the kernel drops that answer in silence: no firewall rule, gone with the socket.

use super::sys;
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

/// `ret 0`: accept no byte of any packet.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)];

/// Attaches `ret 0`.
pub fn drop_all(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&DROP_ALL)
}

/// A socket on a port of every address, IPv6 and IPv4 in one; IPv4 alone where there is no IPv6.
pub fn bound(kind: Type, protocol: Protocol, port: u16) -> io::Result<Socket> {
    match Socket::new(Domain::IPV6, kind, Some(protocol)) {
        Ok(socket) => {
            socket.set_only_v6(false)?;
            socket.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))))?;
            Ok(socket)
        }
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
            socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))?;
            Ok(socket)
        }
        Err(error) => Err(error),
    }
}

/// Opens a guard on a port. The filter is attached before the socket listens.
pub fn open(port: u16) -> io::Result<OwnedFd> {
    let socket = bound(Type::STREAM, Protocol::TCP, port)?;
    drop_all(&socket)?;
    socket.listen(1)?;
    sys::set_close_on_exec(socket.as_fd(), true)?;
    Ok(socket.into())
}
