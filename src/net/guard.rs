//! The reset guard: a listening TCP socket that drops all it is sent.
//!
//! The kernel answers a SYN-ACK for which it has no socket with a RST, which ends the exchange that a raw
//! socket has just begun. With a listening socket on the source port, to which the classic BPF program
//! `ret 0` is attached, the kernel drops that answer in silence: no firewall rule, gone with the socket.
//!
//! Newer kernels (found on 6.18.44) want `CAP_NET_ADMIN` for a filter on a TCP socket. Without it the guard
//! asks for a time to live of 255 (`IP_MINTTL`, `IPV6_MINHOPCOUNT`), which drops in silence as well all that did not
//! come from a direct neighbour that sends with 255. That one needs no privilege.

use super::sys;
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

/// `ret 0`: accept no byte of any packet.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)];

/// Attaches `ret 0` for good: whoever gets the socket cannot take the filter off and listen with it.
pub fn drop_all(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&DROP_ALL)?;
    sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_LOCK_FILTER, 1i32)
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

/// The least hop count of IPv6 packets that a socket takes (linux/in6.h).
const IPV6_MINHOPCOUNT: i32 = 73;

/// Drops all that came over a router, or from a host that begins with less than 255.
fn drop_distant(socket: &Socket) -> io::Result<()> {
    sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MINTTL, 255i32)?;
    if socket.domain()? == Domain::IPV6 {
        sys::set_option(socket.as_fd(), libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255i32)?;
    }
    Ok(())
}

/// Opens a guard on a port. What drops is in place before the socket listens.
pub fn open(port: u16) -> io::Result<OwnedFd> {
    let socket = bound(Type::STREAM, Protocol::TCP, port)?;
    match drop_all(&socket) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => drop_distant(&socket)?,
        done => done?,
    }
    socket.listen(1)?;
    sys::set_close_on_exec(socket.as_fd(), true)?;
    Ok(socket.into())
}
