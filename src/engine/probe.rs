//! One packet that was sent, and the rules by which another packet is its answer. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::heads::{self, Body, Heads, Quote, Segment, network};

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// A SYN with ACK that acknowledges our SYN.
    SynAck,
    /// A RST that is meant for our segment.
    Reset,
    /// An ACK of all that our segment carried.
    Ack,
    /// An ICMP destination unreachable (type 3, ICMPv6 type 1) that quotes our packet.
    IcmpUnreachable,
    /// Another ICMP error (time exceeded, packet too big, parameter problem, redirect, source quench) that quotes our
    /// packet.
    IcmpOther,
    /// The reply to our ICMP echo request.
    EchoReply,
    /// A UDP datagram to the port that ours came from.
    Udp,
    /// The reply to another ICMP query (a neighbour advertisement for one), or a packet of the same IP protocol from the host that ours went to.
    Other,
}

impl AnswerKind {
    /// As `rawbench send --json` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynAck => "syn-ack",
            Self::Reset => "reset",
            Self::Ack => "ack",
            Self::IcmpUnreachable => "icmp-unreachable",
            Self::IcmpOther => "icmp-other",
            Self::EchoReply => "echo-reply",
            Self::Udp => "udp",
            Self::Other => "other",
        }
    }
}

/// What a probe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Tcp(Segment),
    Udp {
        source: u16,
        destination: u16,
    },
    Icmp {
        reply: u8,
        ident: u16,
        sequence: u16,
        target: Option<Ipv6Addr>,
    },
    /// Only an ICMP error can answer it.
    Silent,
    /// Anything of the same IP protocol answers it.
    Protocol,
}

/// A packet that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    link_type: u32,
    /// The whole frame.
    frame: Vec<u8>,
    ip: Option<Ip>,
}

/// What the IP header of a probe says, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip {
    source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// 0: not set, or set by the kernel and not known yet.
    id: u16,
    pub question: Question,
    /// What it carries begins so; an ICMP error quotes at least as much (RFC 792).
    start: Option<[u8; 8]>,
}

/// By what the packets of one exchange find each other: protocol, the remote end, and two numbers (ports; identifier
/// and sequence number of an ICMP query).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    protocol: u8,
    remote: Option<IpAddr>,
    local_port: u16,
    remote_port: u16,
}

impl Probe {
    /// The probe that a frame of this link type (as capture files number it) is.
    #[must_use]
    pub fn of(link_type: u32, frame: &[u8]) -> Self {
        let ip = network(link_type, frame).and_then(Heads::read).map(|heads| Ip::of(&heads));
        Self { link_type, frame: frame.to_vec(), ip }
    }

    /// Whether a packet that was received answers this one, and how. By the packets alone: that one answer was seen
    /// already, or that the packet is older than the probe, is for [`super::Exchange`] to know.
    #[must_use]
    pub fn judge(&self, link_type: u32, bytes: &[u8]) -> Option<AnswerKind> {
        self.judge_heads(&Heads::read(network(link_type, bytes)?)?)
    }

    pub(super) fn judge_heads(&self, reply: &Heads<'_>) -> Option<AnswerKind> {
        self.ip.as_ref()?.judge(reply)
    }

    /// Whether a packet is this one as it stands on the wire: the outgoing copy, or on loopback the only one. A raw
    /// socket (raw(7)) lets the kernel write the total length and the header checksum of IPv4, and the identification and
    /// the source address where they are zero; IPv6 it leaves as it is. A short frame may have been padded with zeros.
    #[must_use]
    pub fn is_sighting(&self, link_type: u32, bytes: &[u8]) -> bool {
        let (Some(ours), Some(seen)) = (network(self.link_type, &self.frame), network(link_type, bytes))
        else {
            return self.link_type == link_type && starts_with_padding(&self.frame, bytes, 60);
        };
        if !starts_with_padding_len(ours.len(), seen, 46) {
            return false;
        }
        if ours.first().is_some_and(|first| first >> 4 == 6) {
            return seen.starts_with(ours);
        }
        let zero = |range: std::ops::Range<usize>| {
            ours.get(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
        };
        let (no_id, no_source) = (zero(4..6), zero(12..16));
        ours.iter().zip(seen).enumerate().all(|(at, (a, b))| {
            a == b
                || matches!(at, 2 | 3 | 10 | 11)
                || no_id && matches!(at, 4 | 5)
                || no_source && matches!(at, 12..16)
        })
    }

    /// Whether the kernel asks the same by itself and gets the same answer, so that one that comes before this probe was
    /// seen to go out is not for it.
    pub(super) fn is_asked_by_kernels(&self) -> bool {
        matches!(self.ip, Some(Ip { question: Question::Icmp { target: Some(_), .. }, .. }))
    }

    /// The key under which its answers are looked for.
    pub(super) fn key(&self) -> Option<Key> {
        self.ip.as_ref().map(Ip::key)
    }
}

impl Ip {
    pub fn of(heads: &Heads<'_>) -> Self {
        Self {
            source: heads.source,
            destination: heads.destination,
            protocol: heads.protocol,
            id: heads.id,
            question: question(heads),
            start: heads.transport.first_chunk().copied(),
        }
    }

    /// As [`Probe::judge`].
    pub fn judge(&self, reply: &Heads<'_>) -> Option<AnswerKind> {
        let ip = self;
        if !may_reach(ip.source, reply.destination) {
            return None;
        }
        if let Body::IcmpError { unreachable, quoted } = reply.body {
            let quote = Heads::read_quote(quoted)?;
            let kind = if unreachable { AnswerKind::IcmpUnreachable } else { AnswerKind::IcmpOther };
            return self.is_quoted(&quote).then_some(kind);
        }
        if reply.source != ip.destination && !is_group(ip.destination) {
            return None;
        }
        match (ip.question, reply.body) {
            (Question::Tcp(probe), Body::Tcp(reply)) => tcp_answer(&probe, &reply),
            (Question::Udp { source, destination }, Body::Udp { source: from, destination: to }) => {
                (from == destination && to == source).then_some(AnswerKind::Udp)
            }
            (
                Question::Icmp { reply: wanted, ident, sequence, target },
                Body::IcmpMessage { kind, ident: i, sequence: s, target: t },
            ) => {
                let same = reply.protocol == ip.protocol && kind == wanted;
                let answers = same && i == ident && s == sequence && t == target;
                let echo = heads::is_echo_reply(ip.protocol, wanted);
                answers.then_some(if echo { AnswerKind::EchoReply } else { AnswerKind::Other })
            }
            (Question::Protocol, Body::Plain) => (reply.protocol == ip.protocol).then_some(AnswerKind::Other),
            _ => None,
        }
    }

    /// Whether an ICMP error quotes this packet: RFC 792 (the IP header and at least 64 bits behind it), RFC 4443 (as
    /// much as there is room for).
    ///
    /// Addresses and protocol, the IP identification where it is set, then ports and sequence number, ports, or
    /// identifier and sequence number.
    fn is_quoted(&self, quote: &Quote<'_>) -> bool {
        let source = is_filled_in(self.source) || quote.source == self.source;
        let id = self.id == 0 || quote.id == self.id;
        if !source || !id || quote.destination != self.destination || quote.protocol != self.protocol {
            return false;
        }
        if quote.later_fragment {
            // It has no transport header: only the identification can say that it is ours.
            return self.id != 0;
        }
        let Some(start) = quote.transport.get(..8) else { return false };
        let word = |at: usize| u16::from_be_bytes([start[at], start[at + 1]]);
        match self.question {
            Question::Tcp(probe) => {
                let sequence = u32::from(word(4)) << 16 | u32::from(word(6));
                (word(0), word(2), sequence) == (probe.source, probe.destination, probe.sequence)
            }
            Question::Udp { source, destination } => (word(0), word(2)) == (source, destination),
            Question::Icmp { ident, sequence, .. } => (word(4), word(6)) == (ident, sequence),
            Question::Silent | Question::Protocol => self.start.as_ref().is_some_and(|ours| ours == start),
        }
    }

    pub fn key(&self) -> Key {
        let remote = Some(self.destination).filter(|to| !is_group(*to));
        let (local_port, remote_port) = match self.question {
            Question::Tcp(segment) => (segment.source, segment.destination),
            Question::Udp { source, destination } => (source, destination),
            Question::Icmp { ident, sequence, .. } => (ident, sequence),
            Question::Silent | Question::Protocol => (0, 0),
        };
        Key { protocol: self.protocol, remote, local_port, remote_port }
    }
}

impl Key {
    /// The key of the probe that a packet is.
    pub(super) fn of(heads: &Heads<'_>) -> Self {
        Ip::of(heads).key()
    }

    /// Keys of the probes that a packet may answer.
    pub(super) fn answered_by(reply: &Heads<'_>) -> [Option<Self>; 2] {
        if let Body::IcmpError { quoted, .. } = reply.body {
            return Heads::read_quote(quoted).map(|quote| Self::quoted(&quote)).unwrap_or_default();
        }
        let (remote_port, local_port) = match reply.body {
            Body::Tcp(s) => (s.source, s.destination),
            Body::Udp { source, destination } => (source, destination),
            Body::IcmpMessage { ident, sequence, .. } => (sequence, ident),
            Body::IcmpError { .. } | Body::Plain => (0, 0),
        };
        let key = Self { protocol: reply.protocol, remote: Some(reply.source), local_port, remote_port };
        [Some(key), Some(Self { remote: None, ..key })]
    }

    fn quoted(quote: &Quote<'_>) -> [Option<Self>; 2] {
        let word =
            |at: usize| quote.transport.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        let (local_port, remote_port) = match quote.protocol {
            heads::TCP | heads::UDP => (word(0), word(2)),
            heads::ICMP | heads::ICMPV6 => (word(4), word(6)),
            _ => (0, 0),
        };
        let remote = Some(quote.destination).filter(|to| !is_group(*to));
        let key = Self { protocol: quote.protocol, remote, local_port, remote_port };
        [Some(key), Some(Self { local_port: 0, remote_port: 0, ..key }).filter(|other| *other != key)]
    }
}

/// What a packet asks for.
fn question(heads: &Heads<'_>) -> Question {
    match heads.body {
        Body::Tcp(segment) => Question::Tcp(segment),
        Body::Udp { source, destination } => Question::Udp { source, destination },
        Body::IcmpMessage { kind, ident, sequence, target } => match heads::reply_to(heads.protocol, kind) {
            Some(reply) => Question::Icmp { reply, ident, sequence, target },
            None => Question::Silent,
        },
        Body::IcmpError { .. } => Question::Silent,
        Body::Plain => {
            let cut = [heads::TCP, heads::UDP, heads::ICMP, heads::ICMPV6].contains(&heads.protocol);
            let none = heads.source.is_ipv6() && heads::NO_PROTOCOL.contains(&heads.protocol);
            if cut || none { Question::Silent } else { Question::Protocol }
        }
    }
}

/// Whether a TCP segment answers another: RFC 9293.
///
/// All arithmetic is modulo 2^32 (3.4). The acknowledgment field counts only where the ACK flag is set (3.1).
fn tcp_answer(probe: &Segment, reply: &Segment) -> Option<AnswerKind> {
    if (reply.source, reply.destination) != (probe.destination, probe.source) {
        return None;
    }
    // A segment with RST is never answered (3.10.7.1).
    if probe.has(Segment::RST) {
        return None;
    }
    let acknowledges_all = reply.has(Segment::ACK) && reply.acknowledgment == probe.end();
    if reply.has(Segment::RST) {
        // 3.5.2, 3.10.7.1: the reset takes its sequence number from an acknowledgment; without one it has to
        // acknowledge the whole segment. A reset that does both must do both right.
        let meant = match (probe.has(Segment::ACK), reply.has(Segment::ACK)) {
            (true, false) => reply.sequence == probe.acknowledgment,
            (true, true) => reply.sequence == probe.acknowledgment && acknowledges_all,
            (false, _) => acknowledges_all,
        };
        return meant.then_some(AnswerKind::Reset);
    }
    if reply.has(Segment::SYN) {
        // Data in a SYN is acknowledged as a whole or not at all (RFC 7413, 4.2.2; RFC 9293, 3.10.7.2).
        let syn_only = reply.has(Segment::ACK) && reply.acknowledgment == probe.sequence.wrapping_add(1);
        return (probe.has(Segment::SYN) && (acknowledges_all || syn_only)).then_some(AnswerKind::SynAck);
    }
    acknowledges_all.then_some(AnswerKind::Ack)
}

/// A source of 0.0.0.0 is filled in by the kernel: which one is only known once the sending was seen.
fn is_filled_in(source: IpAddr) -> bool {
    source == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

/// Whether a packet to `destination` may be for whoever sent from `source`. To a sender without an address one can only
/// answer by a group (RFC 4861, 7.2.4).
fn may_reach(source: IpAddr, destination: IpAddr) -> bool {
    let nobody = source.is_ipv6() && source.is_unspecified();
    is_filled_in(source) || destination == source || nobody && destination.is_multicast()
}

/// Whether others than the one that was asked may answer.
fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn starts_with_padding(ours: &[u8], seen: &[u8], shortest: usize) -> bool {
    seen.starts_with(ours) && starts_with_padding_len(ours.len(), seen, shortest)
}

/// Whether what was seen has the length of ours, or is padded with zeros up to the shortest that the link takes.
fn starts_with_padding_len(ours: usize, seen: &[u8], shortest: usize) -> bool {
    let Some(rest) = seen.get(ours..) else { return false };
    rest.is_empty() || seen.len() <= shortest && rest.iter().all(|byte| *byte == 0)
}
