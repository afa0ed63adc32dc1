//! A door: whatever hands out sockets for the place where one works.

use super::error::{Error, NoPrivilege};
use super::lab::{DelayError, LabError, Stage};
use super::packet::PacketSocket;
use super::raw::RawIpSocket;
use super::request::{Kind, REPLY, Reply, Request, Status};
use super::{broker, sys};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where one works.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Place {
    /// The machine's own network.
    #[default]
    Host,
    /// The private network that the program makes itself, without a privilege.
    Lab,
    /// A network namespace, by its name in /run/netns or by a process in it.
    Netns(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Host => f.write_str("this machine"),
            Self::Lab => f.write_str("the lab"),
            Self::Netns(name) => write!(f, "the network namespace {name}"),
        }
    }
}

/// Which way a door gets its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorKind {
    /// This process has CAP_NET_RAW itself.
    Direct,
    /// The companion has it: the program was started with sudo, by root, or with the capability.
    Companion,
    /// A `rawbench-broker` with a file capability, started for each socket.
    BrokerFileCap,
    /// A `rawbench-broker` that pkexec starts for each socket, after polkit has asked the user.
    Pkexec,
    /// The host of the lab.
    Lab,
    /// Nobody has it: interfaces, routes and neighbours can be read, raw sockets cannot be had.
    Unprivileged,
}

/// How long the other process has to answer; making a lab takes the longest.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a person has to answer polkit.
const PATIENCE_WITH_PEOPLE: Duration = Duration::from_secs(300);

/// How often somebody who waits for a person looks whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// Nobody waits for an answer of polkit any more.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Ends the waiting for a person's answer, now and from now on: the program is to end.
pub fn give_up_asking() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// A connection to a process that answers requests.
pub(crate) struct Channel {
    socket: OwnedFd,
    sequence: u16,
}

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0 }
    }

    /// For several doors: one asks at a time.
    pub(crate) fn shared(self) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(self))
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(
        &mut self,
        request: Request,
        namespace: Option<BorrowedFd>,
    ) -> io::Result<(Reply, Option<OwnedFd>)> {
        self.ask_within(request, namespace, PATIENCE)
    }

    fn ask_within(
        &mut self,
        request: Request,
        namespace: Option<BorrowedFd>,
        patience: Duration,
    ) -> io::Result<(Reply, Option<OwnedFd>)> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = Request { sequence: self.sequence, ..request };
        sys::send_message(self.socket.as_fd(), &request.encode(), namespace, 0)?;
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [sys::watch(self.socket.as_fd(), libc::POLLIN)];
            let asks_people = patience > PATIENCE;
            if asks_people && GIVEN_UP.load(Ordering::Relaxed) {
                return Err(io::Error::from_raw_os_error(libc::ECANCELED));
            }
            if sys::poll(&mut fds, Some(if asks_people { left.min(LOOK) } else { left }))? == 0 {
                if left.is_zero() {
                    return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
                }
                continue;
            }
            let mut buffer = [0; REPLY];
            let message = sys::receive_message(self.socket.as_fd(), &mut buffer, libc::MSG_DONTWAIT)?;
            if message.length == 0 {
                return Err(io::Error::from_raw_os_error(libc::EPIPE));
            }
            let reply = if message.truncated { None } else { Reply::decode(&buffer[..message.length]) };
            match reply {
                // The answer to an earlier request, which was given up.
                Some(reply) if reply.sequence != self.sequence => {}
                Some(reply) => return Ok((reply, message.descriptor)),
                None => return Err(io::Error::from_raw_os_error(libc::EPROTO)),
            }
        }
    }
}

/// Who opens the sockets of a door.
#[derive(Clone)]
pub(crate) enum Opens {
    /// This process.
    Here,
    /// A process that answers as long as it lives.
    Process(Arc<Mutex<Channel>>),
    /// A broker that the launcher starts for each socket, because it exits after its answer.
    Each {
        /// Answers requests to start one.
        launcher: Arc<Mutex<Channel>>,
        /// [`Kind::StartBroker`] or [`Kind::StartPkexec`].
        start: Kind,
    },
}

impl Opens {
    /// Asks whoever opens the sockets, and waits for the answer.
    pub(crate) fn ask(
        &self,
        request: Request,
        namespace: Option<BorrowedFd>,
    ) -> io::Result<(Reply, Option<OwnedFd>)> {
        let lock = |channel: &Mutex<Channel>, request, namespace| {
            channel.lock().unwrap_or_else(PoisonError::into_inner).ask(request, namespace)
        };
        match self {
            Self::Here => {
                let reply = Reply { status: Status::Done, stage: 0, errno: 0, sequence: 0 };
                broker::open(&request).map(|socket| (reply, Some(socket)))
            }
            Self::Process(channel) => lock(channel, request, namespace),
            Self::Each { launcher, start } => {
                let (reply, socket) = lock(launcher, Request::new(*start), None)?;
                let Some(socket) = socket else { return Ok((reply, None)) };
                let patience = if *start == Kind::StartPkexec { PATIENCE_WITH_PEOPLE } else { PATIENCE };
                Channel::new(socket).ask_within(request, namespace, patience)
            }
        }
    }
}

struct Inner {
    kind: DoorKind,
    place: Place,
    namespace: Option<OwnedFd>,
    opens: Opens,
}

/// Hands out sockets for a place. Cheap to clone; all clones are one door.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Door({:?}, {:?})", self.0.kind, self.0.place)
    }
}

impl Door {
    pub(crate) fn new(kind: DoorKind, place: Place, opens: Opens, namespace: Option<OwnedFd>) -> Self {
        Self(Arc::new(Inner { kind, place, namespace, opens }))
    }

    /// A door to this process's own namespace that opens sockets with this process's own rights.
    pub fn direct() -> Self {
        Self::new(DoorKind::Direct, Place::Host, Opens::Here, None)
    }

    /// A door to this machine for what needs no privilege: interfaces, routes, neighbours.
    pub fn unprivileged() -> Self {
        Self::new(DoorKind::Unprivileged, Place::Host, Opens::Here, None)
    }

    /// A door on a socket (`SOCK_SEQPACKET`) at whose other end a broker or the host of a lab answers.
    /// Waits until it does.
    ///
    /// # Errors
    /// What kept the lab from being made, or that nobody answers.
    pub fn on(socket: OwnedFd, kind: DoorKind, place: Place) -> Result<Self, Error> {
        let door = Self::new(kind, place, Opens::Process(Channel::new(socket).shared()), None);
        door.request(Request::new(Kind::Status), "reach the process that opens sockets")?;
        Ok(door)
    }

    /// Which way this door gets its sockets.
    pub fn kind(&self) -> DoorKind {
        self.0.kind
    }

    /// The place that this door leads to.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Whether the process behind the door still answers.
    pub fn is_alive(&self) -> bool {
        match self.0.opens {
            Opens::Process(_) => self.request(Request::new(Kind::Status), "ask").is_ok(),
            Opens::Here | Opens::Each { .. } => true,
        }
    }

    /// A packet socket, not bound yet, so that no packet comes in before it is set up: packet(7).
    ///
    /// # Errors
    /// Without the right to one, or when the system refuses it.
    pub fn packet(&self) -> Result<PacketSocket, Error> {
        PacketSocket::new(self.socket(Request::new(Kind::Packet), "open a packet socket")?)
    }

    /// A raw IPv4 socket that receives the packets of one IP protocol (1 ICMP, 6 TCP, 17 UDP): raw(7).
    ///
    /// # Errors
    /// Without the right to one, or when the system refuses it.
    pub fn raw_ip(&self, protocol: u8) -> Result<RawIpSocket, Error> {
        let request = Request { protocol, ..Request::new(Kind::RawV4) };
        let socket = self.socket(request, &format!("open a raw IP socket for protocol {protocol}"))?;
        RawIpSocket::new(socket, false, self.clone())
    }

    /// A raw IPv4 socket to send packets with a header of one's own (`IP_HDRINCL`): raw(7).
    ///
    /// # Errors
    /// Without the right to one, or when the system refuses it.
    pub fn raw_send_v4(&self) -> Result<RawIpSocket, Error> {
        let socket = self.socket(Request::new(Kind::RawSendV4), "open a raw IPv4 socket")?;
        RawIpSocket::new(socket, false, self.clone())
    }

    /// A raw IPv6 socket to send packets with a header of one's own (`IPV6_HDRINCL`): raw(7).
    ///
    /// # Errors
    /// Without the right to one, or when the system refuses it.
    pub fn raw_send_v6(&self) -> Result<RawIpSocket, Error> {
        let socket = self.socket(Request::new(Kind::RawSendV6), "open a raw IPv6 socket")?;
        RawIpSocket::new(socket, true, self.clone())
    }

    /// A route netlink socket of the place: netlink(7).
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn netlink(&self) -> Result<OwnedFd, Error> {
        self.socket(Request::new(Kind::Netlink), "open a netlink socket")
    }

    /// A UDP socket of the place, IPv4 or IPv6.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn udp(&self, v6: bool) -> Result<OwnedFd, Error> {
        self.socket(Request { v6, ..Request::new(Kind::Udp) }, "open a UDP socket")
    }

    /// A reset guard: a socket that listens on a TCP port of the place and drops all that comes in, so that the
    /// kernel does not answer for us. It works as long as it is held.
    ///
    /// # Errors
    /// `EADDRINUSE` when the port is taken, `EACCES` below 1024 without the right to it.
    pub fn tcp_guard(&self, port: u16) -> Result<OwnedFd, Error> {
        let request = Request { number: port, ..Request::new(Kind::Guard) };
        self.socket(request, &format!("hold TCP port {port} against resets"))
    }

    /// Has the lab's server answer later: each of its packets waits that long, up to 65 535 ms; 0 takes it back.
    ///
    /// # Errors
    /// [`Error::Delay`] where the kernel has no netem (tc-netem(8)).
    pub fn delay(&self, milliseconds: u16) -> Result<(), Error> {
        let request = Request { number: milliseconds, ..Request::new(Kind::Delay) };
        match self.request(request, "delay the answers") {
            Ok(_) => Ok(()),
            Err(Error::System { reason, .. }) => Err(DelayError::new(&reason).into()),
            Err(error) => Err(error),
        }
    }

    fn socket(&self, request: Request, what: &str) -> Result<OwnedFd, Error> {
        let socket = self.request(request, what)?;
        socket.ok_or_else(|| Error::system(what, io::Error::from_raw_os_error(libc::EPROTO)))
    }

    fn request(&self, request: Request, what: &str) -> Result<Option<OwnedFd>, Error> {
        let tried =
            || if self.0.place == Place::Host { what.into() } else { format!("{what} in {}", self.0.place) };
        let raw = matches!(request.kind, Kind::Packet | Kind::RawV4 | Kind::RawSendV4 | Kind::RawSendV6);
        // What anybody may open here is opened here. A guard is better off with the rights of the other process.
        let anybody = matches!(request.kind, Kind::Netlink | Kind::Udp);
        let ours = self.0.place == Place::Host && anybody;
        let opens = if ours { &Opens::Here } else { &self.0.opens };
        let asks_people = matches!(opens, Opens::Each { start: Kind::StartPkexec, .. });
        let namespace = self.0.namespace.as_ref().map(AsFd::as_fd);
        let opened = match opens.ask(request, namespace) {
            Ok((reply, socket)) => match reply.status {
                Status::Done => Ok(socket),
                Status::LabFailed => {
                    return Err(LabError::new(Stage::from_number(reply.stage), reply.errno).into());
                }
                Status::System => Err(io::Error::from_raw_os_error(reply.errno)),
                Status::Refused => Err(io::Error::from_raw_os_error(libc::EPERM)),
            },
            // pkexec ended, and with it the broker's end of the socket.
            Err(error) if asks_people && sys::is_hang_up(&error) => {
                return Err(NoPrivilege::declined(tried()).into());
            }
            Err(error) => Err(error),
        };
        opened.map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if raw && self.0.place == Place::Host => {
                NoPrivilege::new(tried()).into()
            }
            _ => Error::system(tried(), error),
        })
    }
}
