//! The broker: fixed-size requests come in over a Unix socket, sockets go out.
//!
//! A request is 8 bytes and may bring the descriptor of a network namespace; a reply is 12 bytes and brings a
//! socket when its status says so. Whatever else comes in is refused, and the loop goes on; it ends when the
//! peer closes. Nothing here reads a packet, opens a path, starts a thread or allocates by what it was sent.

use super::sys;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Version of the protocol; both sides are of one build, so another one is refused.
const VERSION: u8 = 1;

/// Length of a request in bytes.
pub const REQUEST: usize = 8;
/// Length of a reply in bytes.
pub const REPLY: usize = 12;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A packet socket with protocol 0, for capture and for sending frames.
    Packet = 1,
    /// A raw IPv4 socket that receives one protocol.
    RawV4 = 2,
    /// A raw IPv4 socket for sending with a header of one's own.
    RawSendV4 = 3,
    /// A raw IPv6 socket for sending with a header of one's own.
    RawSendV6 = 4,
    /// A route netlink socket.
    Netlink = 5,
    /// A UDP socket, IPv4 or IPv6.
    Udp = 6,
    /// A TCP socket that listens on a port and drops all that comes in.
    Guard = 7,
    /// What the answering process can do; no socket comes back.
    Status = 16,
    /// A connection to a broker with a file capability.
    StartBroker = 17,
    /// A connection to the host of a lab.
    StartLab = 18,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Packet,
        Self::RawV4,
        Self::RawSendV4,
        Self::RawSendV6,
        Self::Netlink,
        Self::Udp,
        Self::Guard,
        Self::Status,
        Self::StartBroker,
        Self::StartLab,
    ];
}

/// A request without its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub kind: Kind,
    /// IP protocol number, for [`Kind::RawV4`]; else 0.
    pub protocol: u8,
    /// IPv6 instead of IPv4, for [`Kind::Udp`].
    pub v6: bool,
    /// TCP port, for [`Kind::Guard`]; else 0.
    pub port: u16,
    /// Comes back in the reply.
    pub sequence: u16,
}

impl Request {
    /// A request for something that needs no more than its kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, protocol: 0, v6: false, port: 0, sequence: 0 }
    }

    /// The bytes that go over the socket.
    pub fn encode(self) -> [u8; REQUEST] {
        let [p0, p1] = self.port.to_le_bytes();
        let [s0, s1] = self.sequence.to_le_bytes();
        [VERSION, self.kind as u8, self.protocol, u8::from(self.v6), p0, p1, s0, s1]
    }

    /// Reads a request; every byte has to make sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [version, kind, protocol, flags, p0, p1, s0, s1]: [u8; REQUEST] = bytes.try_into().ok()?;
        let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind)?;
        let port = u16::from_le_bytes([p0, p1]);
        let fits = version == VERSION
            && (protocol != 0) == (kind == Kind::RawV4)
            && protocol != libc::IPPROTO_RAW as u8
            && (port != 0) == (kind == Kind::Guard)
            && (flags == 0 || flags == 1 && kind == Kind::Udp);
        fits.then(|| Self { kind, protocol, v6: flags == 1, port, sequence: u16::from_le_bytes([s0, s1]) })
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done; a descriptor comes along, except for [`Kind::Status`].
    Done,
    /// The system refused it with the error number in the reply.
    System,
    /// The request makes no sense or is not for this process.
    Refused,
    /// The lab could not be made; stage and error number are in the reply.
    LabFailed,
}

/// A reply without its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// How it ended.
    pub status: Status,
    /// At which stage the lab failed, else 0. For [`Kind::Status`] 1 if raw sockets are to be had here.
    pub stage: u8,
    /// The system's error number, else 0.
    pub errno: i32,
    /// That of the request.
    pub sequence: u16,
}

impl Reply {
    /// The bytes that go over the socket.
    pub fn encode(self) -> [u8; REPLY] {
        let status = match self.status {
            Status::Done => 0,
            Status::System => 1,
            Status::Refused => 2,
            Status::LabFailed => 3,
        };
        let [e0, e1, e2, e3] = self.errno.to_le_bytes();
        let [s0, s1] = self.sequence.to_le_bytes();
        [VERSION, status, self.stage, 0, e0, e1, e2, e3, s0, s1, 0, 0]
    }

    /// Reads a reply.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [version, status, stage, 0, e0, e1, e2, e3, s0, s1, 0, 0]: [u8; REPLY] = bytes.try_into().ok()?
        else {
            return None;
        };
        let status = match status {
            0 => Status::Done,
            1 => Status::System,
            2 => Status::Refused,
            3 => Status::LabFailed,
            _ => return None,
        };
        let errno = i32::from_le_bytes([e0, e1, e2, e3]);
        (version == VERSION).then(|| Self { status, stage, errno, sequence: u16::from_le_bytes([s0, s1]) })
    }
}

/// Opens the socket that a request asks for, in the namespace of the calling thread.
pub fn open(request: &Request) -> io::Result<OwnedFd> {
    match request.kind {
        Kind::Packet => {
            let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
            widen(socket.as_fd());
            Ok(socket)
        }
        Kind::RawV4 => {
            let socket = sys::socket(libc::AF_INET, libc::SOCK_RAW, i32::from(request.protocol))?;
            widen(socket.as_fd());
            Ok(socket)
        }
        Kind::RawSendV4 => sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
        Kind::RawSendV6 => sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_RAW),
        Kind::Netlink => sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        Kind::Udp => {
            sys::socket(if request.v6 { libc::AF_INET6 } else { libc::AF_INET }, libc::SOCK_DGRAM, 0)
        }
        Kind::Guard => super::guard::open(request.port),
        Kind::Status | Kind::StartBroker | Kind::StartLab => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

/// The receive buffer that a capture would like, in bytes.
const RECEIVE_BUFFER: i32 = 32 << 20;

/// Makes the receive buffer as large as this process may. A refusal leaves the smaller one.
fn widen(socket: BorrowedFd) {
    if sys::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER).is_err() {
        let _ = sys::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER);
    }
}

/// Opens a socket in another network namespace and comes back.
pub fn open_in(request: &Request, namespace: BorrowedFd, home: BorrowedFd) -> io::Result<OwnedFd> {
    super::process::enter_network(namespace)?;
    let socket = open(request);
    if super::process::enter_network(home).is_err() {
        // A broker that is stuck in a foreign namespace would hand out the wrong sockets: it has to end.
        std::process::abort();
    }
    socket
}

/// One who answers requests.
pub trait Answer {
    /// Answers a request with a descriptor, or with how it failed.
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply>;
}

/// What became of one message.
#[derive(Debug, PartialEq, Eq)]
pub enum Served {
    /// A request was answered.
    One,
    /// Nothing was there.
    Nothing,
    /// The peer is gone.
    Closed,
}

/// Takes one message from the socket and answers it. `flags`: `MSG_DONTWAIT` where the loop has other work.
pub fn serve_one(socket: BorrowedFd, answer: &mut impl Answer, flags: i32) -> Served {
    let mut buffer = [0; REQUEST];
    let message = match sys::receive_message(socket, &mut buffer, flags) {
        Ok(message) if message.length == 0 => return Served::Closed,
        Ok(message) => message,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Served::Nothing,
                // More descriptors than this process may hold: the message is gone, the peer is not.
                _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Served::Nothing,
                _ => Served::Closed,
            };
        }
    };
    let request = if message.truncated { None } else { Request::decode(&buffer[..message.length]) };
    let refused = Reply { status: Status::Refused, stage: 0, errno: libc::EINVAL, sequence: 0 };
    let (reply, descriptor) = match request {
        None => (refused, None),
        Some(request) => match answer.answer(&request, message.descriptor) {
            Ok(descriptor) => (
                Reply {
                    status: Status::Done,
                    stage: u8::from(request.kind == Kind::Status),
                    errno: 0,
                    sequence: request.sequence,
                },
                descriptor,
            ),
            Err(reply) => (Reply { sequence: request.sequence, ..reply }, None),
        },
    };
    match sys::send_message(socket, &reply.encode(), descriptor.as_ref().map(AsFd::as_fd), flags) {
        Ok(()) => Served::One,
        // A peer that does not read its replies loses them.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Served::One,
        Err(_) => Served::Closed,
    }
}

/// The reply to a system's refusal.
pub fn failure(error: &io::Error) -> Reply {
    Reply { status: Status::System, stage: 0, errno: sys::errno(error), sequence: 0 }
}

/// The reply to a request that is not for this process.
pub fn refusal() -> Reply {
    Reply { status: Status::Refused, stage: 0, errno: libc::EPERM, sequence: 0 }
}

/// One who opens sockets, in its own namespace and, where it has the right, in others.
pub struct Opener {
    home: Option<OwnedFd>,
}

impl Opener {
    /// An opener in the namespace of the calling thread. `foreign`: whether it takes namespaces of others.
    pub fn new(foreign: bool) -> Self {
        let home =
            foreign.then(|| std::fs::File::open("/proc/self/ns/net").ok().map(OwnedFd::from)).flatten();
        Self { home }
    }
}

impl Answer for Opener {
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply> {
        let opened = match (request.kind, namespace, &self.home) {
            (Kind::StartBroker | Kind::StartLab, _, _) => return Err(refusal()),
            (Kind::Status, None, _) if super::startup::capable() => return Ok(None),
            (Kind::Status, None, _) => return Err(refusal()),
            (Kind::Status, Some(_), _) | (_, Some(_), None) => return Err(refusal()),
            (_, None, _) => open(request),
            (_, Some(namespace), Some(home)) => open_in(request, namespace.as_fd(), home.as_fd()),
        };
        opened.map(Some).map_err(|error| failure(&error))
    }
}

/// Serves until the peer is gone.
pub fn serve(socket: BorrowedFd, answer: &mut impl Answer) {
    while serve_one(socket, answer, 0) != Served::Closed {}
}
