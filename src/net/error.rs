//! What can go wrong, in words: what was tried, on what, the system's reason, and what to do.

use super::lab::{DelayError, LabError};
use super::ways::{self, Way};
use std::fmt;
use std::io;

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to a raw socket here.
    #[error(transparent)]
    NoPrivilege(#[from] NoPrivilege),
    /// The lab could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The lab's answers could not be delayed.
    #[error(transparent)]
    Delay(#[from] DelayError),
    /// A packet could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The system refused something else.
    #[error("cannot {tried}: {reason}.{}{advice}", if advice.is_empty() { "" } else { " " })]
    System {
        /// What was tried, on what: follows "cannot".
        tried: String,
        /// The system's reason.
        reason: io::Error,
        /// What to do; may be empty.
        advice: String,
    },
}

impl Error {
    /// An error of the system, with the advice that fits its number.
    pub(crate) fn system(tried: impl Into<String>, reason: io::Error) -> Self {
        let advice = match reason.raw_os_error() {
            Some(libc::ENETDOWN) => "The interface is down: set it up with `ip link set dev NAME up`.",
            Some(libc::ENODEV | libc::ENXIO) => "There is no such interface (any more).",
            Some(libc::EPERM | libc::EACCES) => {
                "`rawbench doctor` says which rights are missing and how to get them."
            }
            Some(libc::ENETUNREACH) => "No route leads there: `ip route` and `ip -6 route` show the routes.",
            Some(libc::EHOSTUNREACH) => "The route says that this host is unreachable.",
            Some(libc::EADDRINUSE) => "Another program has this port: choose another source port.",
            Some(libc::EMFILE | libc::ENFILE) => {
                "Too many files are open: raise the limit (ulimit -n) or close some."
            }
            Some(libc::ENOBUFS | libc::ENOMEM) => "The kernel has no memory left for it.",
            Some(libc::EAFNOSUPPORT) => "This kernel or this namespace has no such protocol.",
            Some(libc::EPIPE | libc::ECONNRESET) => {
                "The process that opens sockets has ended: start rawbench again."
            }
            _ => "",
        };
        Self::System { tried: tried.into(), reason, advice: advice.into() }
    }

    /// Whether it says that an interface is down or gone.
    pub fn is_interface_away(&self) -> bool {
        matches!(self.errno(), Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO))
    }

    /// The system's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::NoPrivilege(_) => Some(libc::EPERM),
            Self::Lab(error) => Some(error.errno),
            Self::Delay(error) => Some(error.errno),
            Self::Send(error) => Some(error.errno),
            Self::System { reason, .. } => reason.raw_os_error(),
        }
    }
}

/// There is no way to a raw socket: the ways to get one, easiest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPrivilege {
    /// What was tried: follows "cannot".
    pub tried: String,
    /// Why it may not be.
    pub reason: &'static str,
    /// The ways to get a raw socket.
    pub ways: Vec<Way>,
}

impl NoPrivilege {
    /// The ways that make sense for this program as it stands on the disk.
    pub(crate) fn new(tried: impl Into<String>) -> Self {
        let reason = "this process may not open raw sockets (CAP_NET_RAW is missing)";
        Self { tried: tried.into(), reason, ways: ways::to_be_opened() }
    }

    /// For a foreign network namespace: a broker with CAP_NET_RAW alone is no help there, nor is the lab.
    pub(crate) fn elsewhere(tried: impl Into<String>) -> Self {
        let reason = "entering a foreign network namespace takes root's rights";
        Self { tried: tried.into(), reason, ways: ways::with_root() }
    }

    /// The user was asked by pkexec and did not agree, or could not be asked.
    pub(crate) fn declined(tried: impl Into<String>) -> Self {
        let reason = "permission was asked for (pkexec) and not given";
        Self { reason, ..Self::new(tried) }
    }
}

impl fmt::Display for NoPrivilege {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "cannot {}: {}. Ways to get a raw socket:", self.tried, self.reason)?;
        for (number, way) in self.ways.iter().enumerate() {
            write!(f, "\n  {}. {}:\n       {}", number + 1, way.what, way.command)?;
        }
        Ok(())
    }
}

impl std::error::Error for NoPrivilege {}

/// A packet could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {tried}: {reason}. {explanation}")]
pub struct SendError {
    /// The system's error number.
    pub errno: i32,
    /// What was tried, on what: follows "cannot".
    pub tried: String,
    /// The system's reason.
    pub reason: String,
    /// What it means here and what to do.
    pub explanation: String,
}

/// What a send was about, for its error.
pub(crate) struct Sending<'a> {
    /// Bytes that were to be sent.
    pub length: usize,
    /// Where to: an address or an interface.
    pub to: String,
    /// Interface and MTU, where they are known.
    pub mtu: Option<(&'a str, u32)>,
    /// Whether at the link layer.
    pub link: bool,
}

impl SendError {
    /// The name of a system error that a send can give, as errno(3) has it.
    #[must_use]
    pub fn name_of(errno: i32) -> Option<&'static str> {
        let names = [
            (libc::EPERM, "EPERM"),
            (libc::EACCES, "EACCES"),
            (libc::EMSGSIZE, "EMSGSIZE"),
            (libc::ENETUNREACH, "ENETUNREACH"),
            (libc::EHOSTUNREACH, "EHOSTUNREACH"),
            (libc::ENOBUFS, "ENOBUFS"),
            (libc::ENOMEM, "ENOMEM"),
            (libc::EINVAL, "EINVAL"),
            (libc::ENETDOWN, "ENETDOWN"),
            (libc::ENODEV, "ENODEV"),
            (libc::ENXIO, "ENXIO"),
            (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
            (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
            (libc::EAGAIN, "EAGAIN"),
        ];
        names.iter().find(|(number, _)| *number == errno).map(|(_, name)| *name)
    }

    /// Explains the error of a send.
    pub(crate) fn new(error: &io::Error, sending: &Sending) -> Self {
        let errno = super::sys::errno(error);
        let mtu = sending.mtu.map_or("the MTU of the interface".into(), |(name, mtu)| {
            format!("the MTU of {name}, {mtu} bytes")
        });
        let explanation = match errno {
            libc::EPERM | libc::EACCES => "Two things answer so. A firewall: an OUTPUT rule (iptables, nftables) or connection \
                tracking that drops packets which belong to no connection; see `nft list ruleset` or `iptables -S OUTPUT`, and \
                send at the link layer to go past them. Or missing rights: see `rawbench doctor`. For a broadcast or a \
                prohibited route it is EACCES."
                .into(),
            libc::EMSGSIZE if sending.link => {
                format!("The frame is larger than {mtu} (plus the link header) allows. Make it smaller or raise the MTU.")
            }
            libc::EMSGSIZE => {
                format!("The packet is larger than {mtu}. Raw sockets never fragment: make it smaller, or fragment it yourself.")
            }
            libc::ENETUNREACH => "No route leads to that address: `ip route` and `ip -6 route` show the routes.".into(),
            libc::EHOSTUNREACH => "The route to that address says unreachable, or its neighbour did not answer.".into(),
            libc::ENOBUFS => "The queue of the interface is full: the packet was dropped before it left. Send more slowly, or \
                lengthen the queue (`ip link set dev NAME txqueuelen 10000`)."
                .into(),
            libc::EINVAL if sending.link => {
                "The frame is shorter than the link header (14 bytes for Ethernet), or that interface takes no frames.".into()
            }
            libc::EINVAL => "The kernel reads this IP header before it sends: its header length says more bytes than the packet \
                has, or less than a header (IHL under 5), or the packet is shorter than a header. Send at the link layer \
                to send it as it is."
                .into(),
            libc::ENETDOWN => "The interface is down: `ip link set dev NAME up`.".into(),
            libc::ENODEV | libc::ENXIO => "There is no such interface (any more).".into(),
            libc::EADDRNOTAVAIL => "The source address is not one of this machine.".into(),
            libc::EAGAIN => "The send buffer of the socket is full: send more slowly.".into(),
            _ => "The kernel did not take the packet.".into(),
        };
        let layer = if sending.link { "at the link layer on" } else { "to" };
        let tried = format!("send {} bytes {layer} {}", sending.length, sending.to);
        Self { errno, tried, reason: error.to_string(), explanation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_ip_header_has_three_causes() {
        let error = io::Error::from_raw_os_error(libc::EINVAL);
        let sending = Sending { length: 20, to: "10.77.0.2".into(), mtu: None, link: false };
        let text = SendError::new(&error, &sending).to_string();
        for cause in ["more bytes than the packet has", "IHL under 5", "shorter than a header"] {
            assert!(text.contains(cause), "{cause}: {text}");
        }
    }
}
