//! Route netlink, as much of it as is needed: rtnetlink(7). Messages are built and read as bytes.

use super::sys;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long the kernel has to answer. It answers at once; the limit is for a socket that is not what it should be.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message that is being built.
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of a type with its fixed part.
    pub fn new(kind: u16, flags: i32, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        let mut message = Self { bytes };
        message.pad();
        message
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Adds an attribute.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    /// Adds an attribute with a string and its zero.
    pub fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// Adds an attribute that holds a fixed part and further attributes.
    pub fn nest(mut self, kind: u16, fixed: &[u8], inner: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(fixed);
        self.pad();
        let mut message = inner(self);
        let length = (message.bytes.len() - start) as u16;
        message.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        message
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = (self.bytes.len() as u32).to_ne_bytes();
        self.bytes[0..4].copy_from_slice(&length);
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// The attributes in a stretch of bytes: type (without its flags) and value. A torn one ends the walk.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The number at a place, in the order of the machine.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The number at a place, in the order of the machine.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A conversation with the kernel.
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// On a route netlink socket, whose namespace is the one that is talked about.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0 }
    }

    /// A conversation about the namespace of the calling thread.
    pub fn here() -> io::Result<Self> {
        sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE).map(Self::new)
    }

    /// Orders something and waits until it is done.
    pub fn order(&mut self, message: Message) -> io::Result<()> {
        self.exchange(message, libc::NLM_F_ACK).map(|_| ())
    }

    /// Asks for something; the answers without their netlink headers, each with its type.
    pub fn ask(&mut self, message: Message) -> io::Result<Vec<(u16, Vec<u8>)>> {
        self.exchange(message, 0)
    }

    /// Asks for all of something, again if it changed while it was told.
    pub fn dump(&mut self, kind: u16, fixed: &[u8]) -> io::Result<Vec<(u16, Vec<u8>)>> {
        for _ in 0..8 {
            match self.exchange(Message::new(kind, libc::NLM_F_DUMP, fixed), 0) {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                done => return done,
            }
        }
        Err(io::Error::from_raw_os_error(libc::EINTR))
    }

    fn exchange(&mut self, message: Message, flags: i32) -> io::Result<Vec<(u16, Vec<u8>)>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = message.finish(self.sequence);
        let asked = i32::from(u16_at(&bytes, 6).unwrap_or(0)) | flags;
        bytes[6..8].copy_from_slice(&(asked as u16).to_ne_bytes());
        let dump = asked & libc::NLM_F_DUMP == libc::NLM_F_DUMP;
        let ack = asked & libc::NLM_F_ACK != 0;
        sys::send_message(self.socket.as_fd(), &bytes, None, 0)?;

        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0u8; 64 * 1024];
        let mut answers = Vec::new();
        let mut interrupted = false;
        loop {
            let mut fds = [sys::watch(self.socket.as_fd(), libc::POLLIN)];
            let left = deadline.saturating_duration_since(Instant::now());
            if sys::poll(&mut fds, Some(left))? == 0 && left.is_zero() {
                return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
            }
            let length = match receive(&self.socket, &mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let mut rest = buffer.get(..length).ok_or(io::Error::from_raw_os_error(libc::EMSGSIZE))?;
            while let (Some(size), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
                let Some(body) = rest.get(16..size as usize) else { break };
                let mine = u32_at(rest, 8) == Some(self.sequence);
                interrupted |= mine && u16_at(rest, 6).is_some_and(|f| i32::from(f) & NLM_F_DUMP_INTR != 0);
                rest = rest.get((size as usize).next_multiple_of(4)..).unwrap_or_default();
                match i32::from(kind) {
                    _ if !mine => {}
                    libc::NLMSG_NOOP => {}
                    libc::NLMSG_DONE if interrupted => return Err(io::Error::from_raw_os_error(libc::EINTR)),
                    libc::NLMSG_DONE => return Ok(answers),
                    libc::NLMSG_ERROR => match u32_at(body, 0).map_or(-libc::EPROTO, |e| e as i32) {
                        0 => return Ok(answers),
                        error => return Err(io::Error::from_raw_os_error(error.saturating_neg())),
                    },
                    _ => {
                        answers.push((kind, body.to_vec()));
                        if !dump && !ack {
                            return Ok(answers);
                        }
                    }
                }
            }
        }
    }
}

/// The kernel changed what it was telling: the dump is not whole.
const NLM_F_DUMP_INTR: i32 = 0x10;

/// One datagram; a length over that of the buffer says that it was cut.
#[expect(unsafe_code, reason = "recv(2) on a netlink socket")]
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length describe `buffer`.
    let length = unsafe {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags)
    };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}
