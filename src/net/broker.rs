//! The broker: requests come in over a Unix socket, open sockets go out. All that ever holds a privilege for long is here.
//!
//! It is the program `rawbench-broker`, which answers one request and exits, and the part of the companion that keeps
//! the right to raw sockets where the program was started with it. Before the first request it puts down what it does
//! not need and seals itself (`seal.rs`). Nothing here reads a packet, opens a path, starts a thread or allocates by
//! what it was sent; whatever is not a request is refused.

use super::behind::harmless;
use super::process::{self, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_ADMIN};
use super::request::{Kind, REQUEST, Reply, Request, Status};
use super::{guard, seal, sys};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

/// In force all the time.
const ALWAYS: u64 = CAP_NET_RAW;
/// In force only while a request that needs it is answered: a foreign namespace; a receive buffer over the limit and
/// the filter of a guard; a guard's port below 1024.
const FOR_A_REQUEST: u64 = CAP_SYS_ADMIN | CAP_NET_ADMIN | CAP_NET_BIND_SERVICE;

/// Exit status of a broker that the system refused what it needs.
pub const NOT_READY: u8 = 71;
/// Exit status of a broker whose peer is not the one that it should be.
pub const WRONG_PEER: u8 = 77;

/// Runs `rawbench-broker` on its inherited socket: one request, one answer.
pub fn run_once(socket: BorrowedFd) -> ExitCode {
    if process::close_all_but(socket).is_err() {
        return ExitCode::from(NOT_READY);
    }
    match Opener::sealed(socket) {
        Ok(mut opener) => while serve_one(socket, &mut opener, 0) == Served::Nothing {},
        Err(_) => return ExitCode::from(NOT_READY),
    }
    ExitCode::SUCCESS
}

/// Whether the process that made the socket is the one that started this program, and of the user for whom this
/// program runs (`SO_PEERCRED`): a socket that somebody else slipped to a more privileged process is refused.
pub fn is_our_peer(socket: BorrowedFd) -> bool {
    let Ok(peer) = sys::peer(socket) else { return false };
    let asked = match process::ids().0 {
        0 => std::env::var("PKEXEC_UID").ok(),
        _ => None,
    };
    match asked {
        // Between the companion and this program stood pkexec, which need not be the parent any more.
        Some(uid) => uid.parse() == Ok(peer.uid),
        None => peer.uid == process::ids().0 && peer.pid == process::parent(),
    }
}

/// One who opens sockets, in its own namespace and, where it has the right, in others.
pub struct Opener {
    permitted: u64,
    /// Its own namespace, to come back to. Without it no other one is entered.
    home: Option<OwnedFd>,
}

impl Opener {
    /// Puts down every capability but those that a request may need, forbids to gain any, and leaves this process the
    /// few system calls that answers take.
    ///
    /// # Errors
    /// The system's reason. Then nothing may be served.
    pub fn sealed(peer: BorrowedFd) -> io::Result<Self> {
        let permitted = process::capabilities()?.permitted & (ALWAYS | FOR_A_REQUEST);
        process::lower_bounding_set(0);
        if permitted != 0 && process::ids().1 == 0 {
            // Root owns files, with or without a capability. In a container without the right to change it stays root.
            let (uid, gid) = harmless();
            let _ = process::become_user_keeping_capabilities(uid, gid);
        }
        process::set_capabilities(permitted, permitted)?;
        let home = if permitted & CAP_SYS_ADMIN != 0 { sys::own_namespace().ok() } else { None };
        process::set_capabilities(permitted & ALWAYS, permitted)?;
        process::forbid_new_privileges()?;
        seal::seal(peer)?;
        Ok(Self { permitted, home })
    }

    /// One inside the lab, which has its rights all the time: they are of no use outside.
    pub fn in_lab() -> Self {
        Self { permitted: 0, home: None }
    }

    /// Does something with capabilities that are in force for just that long.
    fn with<T>(&self, capabilities: u64, work: impl FnOnce() -> T) -> T {
        let more = self.permitted & capabilities;
        if more == 0 {
            return work();
        }
        let _ = process::change_capabilities(self.permitted & ALWAYS | more, self.permitted);
        let done = work();
        if process::change_capabilities(self.permitted & ALWAYS, self.permitted).is_err() {
            std::process::abort();
        }
        done
    }

    /// Opens a socket in another network namespace and comes back.
    fn open_in(&self, request: &Request, namespace: BorrowedFd) -> io::Result<OwnedFd> {
        let home = self.home.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EPERM))?;
        self.with(CAP_SYS_ADMIN | needs(request.kind), || {
            // setns(2) takes a process as well, and would look at the rights of this one, not at those of who asks.
            if !sys::is_network_namespace(namespace) {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            process::enter_network(namespace)?;
            let socket = open(request);
            if process::enter_network(home.as_fd()).is_err() {
                // Stuck in a foreign namespace it would hand out the wrong sockets: it has to end.
                std::process::abort();
            }
            socket
        })
    }
}

impl Answer for Opener {
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply> {
        let opened = match (request.kind, namespace) {
            (Kind::StartBroker | Kind::StartLab | Kind::StartPkexec | Kind::Delay, _) => {
                return Err(refusal());
            }
            (Kind::Status, None) if process::holds(CAP_NET_RAW) => return Ok(None),
            (Kind::Status, _) => return Err(refusal()),
            (_, None) => self.with(needs(request.kind), || open(request)),
            (_, Some(namespace)) => self.open_in(request, namespace.as_fd()),
        };
        opened.map(Some).map_err(|error| failure(&error))
    }
}

/// The capabilities, besides `CAP_NET_RAW`, that make an answer better.
fn needs(kind: Kind) -> u64 {
    match kind {
        Kind::Packet | Kind::RawV4 => CAP_NET_ADMIN,
        Kind::Guard => CAP_NET_ADMIN | CAP_NET_BIND_SERVICE,
        _ => 0,
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
        Kind::Guard => guard::open(request.number),
        Kind::Status | Kind::StartBroker | Kind::StartLab | Kind::StartPkexec | Kind::Delay => {
            Err(io::Error::from_raw_os_error(libc::EINVAL))
        }
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
    let request =
        if message.truncated { None } else { buffer.get(..message.length).and_then(Request::decode) };
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

/// Serves until the peer is gone.
pub fn serve(socket: BorrowedFd, answer: &mut impl Answer) {
    while serve_one(socket, answer, 0) != Served::Closed {}
}
