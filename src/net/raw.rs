//! Raw IP sockets: sending with a header of one's own, and receiving at the IP layer. raw(7).

use super::batch::{self, Batch, Checksum, Direction, Raw, Slot, Stopper};
use super::door::Door;
use super::error::{Error, SendError, Sending};
use super::interfaces::name_and_mtu;
use super::packet::Statistics;
use super::sys;
use socket2::{SockAddr, Socket};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// `ARPHRD_NONE`: the bytes begin with the IP header.
const NO_LINK_HEADER: u16 = 0xfffe;
/// `SO_MEMINFO` (linux/socket.h): what a socket holds, and what it dropped.
const SO_MEMINFO: i32 = 55;
/// Place of the number of drops in the answer to `SO_MEMINFO`.
const MEMINFO_DROPS: usize = 8;
/// Control message of a packet socket's error queue (linux/if_packet.h).
const PACKET_TX_TIMESTAMP: i32 = 16;
/// Receive buffer that a capture asks for, in bytes; the system's limit (net.core.rmem_max) cuts it.
const RECEIVE_BUFFER: i32 = 32 << 20;

/// Makes a receive buffer as large as allowed, and never smaller than it is.
pub(crate) fn widen_receive_buffer(socket: BorrowedFd) {
    let now = sys::get_option::<1>(socket, libc::SOL_SOCKET, libc::SO_RCVBUF);
    // The kernel tells twice of what was asked for. A broker may have made it larger than this process may.
    if now.is_ok_and(|[bytes]| bytes >= RECEIVE_BUFFER as u32) {
        return;
    }
    if sys::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER).is_err() {
        let _ = sys::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER);
    }
}

/// When the kernel handed a packet to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentAt {
    /// Which send of this socket, from 0, counted since [`RawIpSocket::keep_send_times`].
    pub number: u32,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
}

/// A raw IP socket. All of it may be used from several threads.
pub struct RawIpSocket {
    socket: Socket,
    v6: bool,
    /// Where it comes from: for the route, when a packet is too large.
    door: Door,
    stopper: Stopper,
    received: AtomicU64,
}

impl AsFd for RawIpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl RawIpSocket {
    /// Sets up a raw socket: time stamps, the interface of each packet, a large buffer.
    pub(crate) fn new(socket: OwnedFd, v6: bool, door: Door) -> Result<Self, Error> {
        let failed = |error| Error::system("set up a raw IP socket", error);
        let fd = socket.as_fd();
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1i32).map_err(failed)?;
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_BROADCAST, 1i32).map_err(failed)?;
        if !v6 {
            sys::set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1i32).map_err(failed)?;
        }
        widen_receive_buffer(fd);
        Ok(Self {
            socket: Socket::from(socket),
            v6,
            door,
            stopper: Stopper::new().map_err(failed)?,
            received: AtomicU64::new(0),
        })
    }

    /// Fixes the source address, so that the route is chosen for it.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when it is not an address of the place.
    pub fn bind(&self, source: IpAddr) -> Result<(), Error> {
        self.socket
            .bind(&SocketAddr::new(source, 0).into())
            .map_err(|error| Error::system(format!("send from {source}"), error))
    }

    /// Sends a packet that begins with its IP header. The kernel routes it by `destination`.
    /// `interface` is needed for a link-local IPv6 destination, else `None`.
    ///
    /// # Errors
    /// [`SendError`], which explains the system's reason.
    pub fn send(&self, packet: &[u8], destination: IpAddr, interface: Option<u32>) -> Result<(), SendError> {
        let address: SockAddr = match destination {
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, interface.unwrap_or(0)).into(),
            IpAddr::V4(_) => SocketAddr::new(destination, 0).into(),
        };
        if destination.is_ipv6() != self.v6 {
            return Err(self.explain(&io::Error::from_raw_os_error(libc::EAFNOSUPPORT), packet, destination));
        }
        match self.socket.send_to_with_flags(packet, &address, libc::MSG_NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain(&error, packet, destination)),
        }
    }

    pub(crate) fn explain(&self, error: &io::Error, packet: &[u8], destination: IpAddr) -> SendError {
        // The interface is only asked for where its MTU belongs to the message.
        let link =
            (error.raw_os_error() == Some(libc::EMSGSIZE)).then(|| self.link_to(destination)).flatten();
        let mtu = link.as_ref().map(|(name, mtu)| (name.as_str(), *mtu));
        SendError::new(
            error,
            &Sending { length: packet.len(), to: destination.to_string(), mtu, link: false },
        )
    }

    /// Name and MTU of the interface towards an address.
    fn link_to(&self, destination: IpAddr) -> Option<(String, u32)> {
        let route = super::interfaces::route(&self.door, destination).ok()?;
        name_and_mtu(&self.socket, route.interface)
    }

    /// Ends a receive that waits, from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Takes up to [`batch::BATCH`] packets, waiting up to `timeout` for the first one. Gives their number; 0 when
    /// none came in time or the stopper was used. The bytes begin with the IP header; the kernel has put
    /// fragments together.
    ///
    /// # Errors
    /// What the system says.
    pub fn receive(&self, batch: &mut Batch, timeout: Duration) -> Result<usize, Error> {
        let count = batch::receive(self.as_fd(), &self.stopper, batch, timeout, |raw, _| Some(read(raw)))
            .map_err(|error| Error::system("receive at the IP layer", error))?;
        self.received.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    /// What was received so far, and what the kernel dropped because the socket was full.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let words = sys::get_option::<9>(self.as_fd(), libc::SOL_SOCKET, SO_MEMINFO)
            .map_err(|error| Error::system("read how many packets the kernel dropped", error))?;
        let received = self.received.load(Ordering::Relaxed);
        Ok(Statistics { received, dropped: u64::from(words[MEMINFO_DROPS]), freezes: 0 })
    }

    /// From now on the kernel keeps the time at which it hands each packet of this socket to the driver
    /// (`SOF_TIMESTAMPING_TX_SOFTWARE`). They have to be fetched with [`Self::sent_at`].
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn keep_send_times(&self) -> Result<(), Error> {
        keep_send_times(self.as_fd())
    }

    /// The oldest time of sending that was not fetched yet, waiting up to `timeout` for it. Not every driver tells.
    ///
    /// # Errors
    /// What the system says.
    pub fn sent_at(&self, timeout: Duration) -> Result<Option<SentAt>, Error> {
        sent_at(self.as_fd(), timeout)
    }
}

/// Has the kernel keep the times of sending of a socket.
pub(crate) fn keep_send_times(socket: BorrowedFd) -> Result<(), Error> {
    let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    sys::set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags)
        .map_err(|error| Error::system("keep the times of sending", error))
}

/// The oldest time of sending of a socket that was not fetched yet.
pub(crate) fn sent_at(socket: BorrowedFd, timeout: Duration) -> Result<Option<SentAt>, Error> {
    let failed = |error| Error::system("read the time of sending", error);
    // The error queue shows as POLLERR, which poll reports without being asked.
    let mut fds = [sys::watch(socket, 0)];
    sys::poll(&mut fds, Some(timeout)).map_err(failed)?;
    match sys::receive_error(socket) {
        Ok(control) => Ok(read_sent(&control)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// The time and the number of a message from the error queue.
fn read_sent(control: &[u8]) -> Option<SentAt> {
    let mut sent = SentAt { number: 0, time_ns: 0 };
    for (level, kind, payload) in sys::control_messages(control) {
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => sent.time_ns = batch::read_time(payload)?,
            // struct sock_extended_err: errno, origin, type, code, pad, info, data.
            (libc::SOL_IP, libc::IP_RECVERR)
            | (libc::SOL_IPV6, libc::IPV6_RECVERR)
            | (libc::SOL_PACKET, PACKET_TX_TIMESTAMP) => {
                sent.number = u32::from_ne_bytes(payload.get(12..16)?.try_into().ok()?);
            }
            _ => {}
        }
    }
    (sent.time_ns != 0).then_some(sent)
}

/// Makes a slot of a message.
fn read(raw: &Raw) -> Slot {
    let interface = sys::control_messages(raw.control)
        .find(|(level, kind, _)| (*level, *kind) == (libc::IPPROTO_IP, libc::IP_PKTINFO))
        .and_then(|(_, _, payload)| Some(u32::from_ne_bytes(payload.get(..4)?.try_into().ok()?)));
    Slot {
        start: Raw::OFFSET,
        length: raw.kept(),
        original: raw.length,
        time_ns: raw.time_ns().unwrap_or_else(batch::now_ns),
        interface: interface.unwrap_or(0),
        hatype: NO_LINK_HEADER,
        protocol: libc::ETH_P_IP as u16,
        direction: Direction::Incoming,
        checksum: Checksum::Unknown,
        bundle: false,
        dropped_before: 0,
    }
}
