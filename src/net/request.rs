//! What goes over the socket between the window and whoever opens sockets: a request of 8 bytes, which may bring the
//! descriptor of a network namespace, and a reply of 12 bytes, which brings a socket when its status says so.

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
    /// A connection to a broker with a file capability, which answers once.
    StartBroker = 17,
    /// A connection to the host of a lab.
    StartLab = 18,
    /// A connection to a broker that polkit lets run as root, after asking the user; it answers once.
    StartPkexec = 19,
    /// The lab's answers come later; no socket comes back.
    Delay = 20,
}

impl Kind {
    const ALL: [Self; 12] = [
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
        Self::StartPkexec,
        Self::Delay,
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
    /// TCP port for [`Kind::Guard`], milliseconds for [`Kind::Delay`]; else 0.
    pub number: u16,
    /// Comes back in the reply.
    pub sequence: u16,
}

impl Request {
    /// A request for something that needs no more than its kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, protocol: 0, v6: false, number: 0, sequence: 0 }
    }

    /// The bytes that go over the socket.
    pub fn encode(self) -> [u8; REQUEST] {
        let [n0, n1] = self.number.to_le_bytes();
        let [s0, s1] = self.sequence.to_le_bytes();
        [VERSION, self.kind as u8, self.protocol, u8::from(self.v6), n0, n1, s0, s1]
    }

    /// Reads a request; every byte has to make sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [version, kind, protocol, flags, n0, n1, s0, s1]: [u8; REQUEST] = bytes.try_into().ok()?;
        let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind)?;
        let number = u16::from_le_bytes([n0, n1]);
        let fits = version == VERSION
            && (protocol != 0) == (kind == Kind::RawV4)
            && protocol != libc::IPPROTO_RAW as u8
            && (number != 0 || kind != Kind::Guard)
            && (number == 0 || matches!(kind, Kind::Guard | Kind::Delay))
            && (flags == 0 || flags == 1 && kind == Kind::Udp);
        fits.then(|| Self { kind, protocol, v6: flags == 1, number, sequence: u16::from_le_bytes([s0, s1]) })
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done; a descriptor comes along, except for [`Kind::Status`] and [`Kind::Delay`].
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
