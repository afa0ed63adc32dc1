//! What the packets of a capture are to those that were sent: questions, answers, duplicates, strays, resets of the kernel.
//! Packets go in one after the other, in the order of the capture. Pure.
//!
//! The rules are those of [`super::Exchange`]; this one holds no bytes, knows nothing before it sees it, and forgets the
//! oldest question when too many wait, so that it runs over captures of any length.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::heads::{Body, Heads, Segment, TCP, UDP, network};
use super::probe::{AnswerKind, Ip, Key, Question};
use super::roles::{Group, Marks, Other, What};

/// Questions that are remembered for what comes back.
const MOST: usize = 1 << 16;
/// Questions of one conversation that are remembered.
const MOST_ALIKE: usize = 256;
/// An answer after this time is a late one: `rawbench send` would not have waited for it.
pub const LATE_NS: u64 = 1_000_000_000;

/// A packet of a capture.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    /// Its position, from 0.
    pub position: u32,
    /// The kernel's time, in nanoseconds since 1970, where it has one.
    pub time_ns: Option<u64>,
    /// It may be on its way out, it may be coming in: one of them, or both where nobody knows and on loopback, where each
    /// packet is seen once.
    pub ways: [bool; 2],
    /// As capture files number it.
    pub link_type: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// This bench sent it.
    pub ours: bool,
}

/// A question that something may answer.
struct Waiting {
    ip: Ip,
    /// Its exchange, from 0.
    number: u32,
    time_ns: Option<u64>,
    ours: bool,
    asks: bool,
    /// What the first answer was, so that a second one of the same is known.
    first: Option<Print>,
    /// It was acknowledged with a later one.
    settled: bool,
    kind: Option<AnswerKind>,
}

/// What two copies of an answer have in common.
type Print = (u32, u32);

/// Matches questions and answers.
#[derive(Default)]
pub struct Matcher {
    waiting: HashMap<Key, VecDeque<Waiting>>,
    /// The keys of those that wait, in their order.
    order: VecDeque<Key>,
}

impl Matcher {
    /// Takes the next packet, and enters what it is.
    pub fn take(&mut self, packet: &Passed<'_>, marks: &mut Marks) {
        let heads = network(packet.link_type, packet.bytes).and_then(Heads::read);
        let Some(heads) = heads else {
            if packet.ours && packet.ways[0] {
                marks.ask(packet.position, Group::NONE, true, false);
            }
            return;
        };
        let [out, back] = packet.ways;
        if back && self.answer(packet, &heads, marks) && !packet.ours {
            return;
        }
        if !out || !packet.ours && self.reset(packet, &heads, marks) {
            return;
        }
        if packet.ours || self.begins(&heads) {
            self.ask(packet, &heads, marks);
        }
    }

    /// Whether a packet of others begins an exchange: not each segment of each connection is a question.
    fn begins(&self, heads: &Heads<'_>) -> bool {
        let ip = Ip::of(heads);
        match ip.question {
            Question::Tcp(segment) => segment.has(Segment::SYN) && !segment.has(Segment::ACK),
            Question::Udp { .. } => !self.waiting.contains_key(&ip.key()),
            Question::Icmp { .. } => true,
            Question::Silent | Question::Protocol => false,
        }
    }

    fn ask(&mut self, packet: &Passed<'_>, heads: &Heads<'_>, marks: &mut Marks) {
        let ip = Ip::of(heads);
        let (asks, group) = (asks(&ip.question), group(&ip));
        let Some(number) = marks.ask(packet.position, group, packet.ours, asks) else { return };
        let key = ip.key();
        let alike = self.waiting.entry(key).or_default();
        if alike.len() == MOST_ALIKE {
            alike.pop_front();
        } else {
            self.order.push_back(key);
        }
        alike.push_back(Waiting {
            ip,
            number,
            time_ns: packet.time_ns,
            ours: packet.ours,
            asks,
            first: None,
            settled: false,
            kind: None,
        });
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
            && let Some(alike) = self.waiting.get_mut(&oldest)
        {
            alike.pop_front();
            if alike.is_empty() {
                self.waiting.remove(&oldest);
            }
        }
    }

    /// Whether a packet is an answer, or at least comes from the other end of what this bench sent.
    fn answer(&mut self, packet: &Passed<'_>, heads: &Heads<'_>, marks: &mut Marks) -> bool {
        let print = print(heads);
        let mut from = None;
        for key in Key::answered_by(heads).into_iter().flatten() {
            let Some(alike) = self.waiting.get_mut(&key) else { continue };
            let fits = |w: &Waiting| {
                let kind = w.ip.judge(heads)?;
                // What asks for nothing is answered by a refusal only.
                let told = matches!(kind, AnswerKind::SynAck | AnswerKind::Ack);
                (w.asks || !told).then_some(kind)
            };
            let open = alike.iter().position(|w| w.kind.is_none() && !w.settled && fits(w).is_some());
            if let Some((at, kind)) = open.and_then(|at| Some((at, fits(alike.get(at)?)?))) {
                let Some(found) = alike.get_mut(at) else { continue };
                (found.first, found.kind) = (Some(print), Some(kind));
                let rtt = packet.time_ns.zip(found.time_ns).and_then(|(now, then)| now.checked_sub(then));
                marks.answer(packet.position, found.number, kind, rtt);
                settle(alike, at, packet.position, marks);
                return true;
            }
            if let Some(again) = alike.iter().rev().find(|w| fits(w).is_some()) {
                // A connection goes on with segments that acknowledge no more than the one before.
                let same = again.first == Some(print);
                let datagram = again.ours && !matches!(heads.body, Body::Tcp(_));
                if same || datagram {
                    marks.other(Other { position: packet.position, number: again.number, what: What::Again });
                }
                return true;
            }
            from = from.or_else(|| alike.iter().rev().find(|w| w.ours).map(|w| w.number));
        }
        // A question of theirs is none of these.
        let asked = matches!(heads.body, Body::Tcp(s) if s.has(Segment::SYN) && !s.has(Segment::ACK));
        let Some(number) = from.filter(|_| !asked && !packet.ours && !goes_on(heads, self)) else {
            return false;
        };
        marks.other(Other { position: packet.position, number, what: What::Stray });
        true
    }

    /// Whether a packet is a reset that the kernel sends for its own part: nobody asked it to, and to its knowledge there is no
    /// connection.
    fn reset(&self, packet: &Passed<'_>, heads: &Heads<'_>, marks: &mut Marks) -> bool {
        let Body::Tcp(segment) = heads.body else { return false };
        if !segment.has(Segment::RST) {
            return false;
        }
        let Some(alike) = self.waiting.get(&Key::of(heads)) else { return false };
        // In a file nobody knows who sent the question. To a SYN-ACK that it did not ask for the kernel sends a bare RST with
        // the acknowledgment as its sequence number (RFC 9293, 3.10.7.1).
        let bare = |w: &Waiting| {
            let Question::Tcp(asked) = w.ip.question else { return false };
            let next = w.kind == Some(AnswerKind::SynAck) && !segment.has(Segment::ACK);
            next && segment.sequence == asked.end()
        };
        let found = alike.iter().rev().find(|w| w.ours).or_else(|| alike.iter().rev().find(|w| bare(w)));
        let Some(question) = found else { return false };
        marks.other(Other { position: packet.position, number: question.number, what: What::KernelReset });
        true
    }
}

/// Whether a segment of theirs belongs to a connection that goes well: it acknowledges what is in the middle of, or at the
/// begin of, something that was sent.
fn goes_on(heads: &Heads<'_>, matcher: &Matcher) -> bool {
    let Body::Tcp(reply) = heads.body else { return false };
    let mut keys = Key::answered_by(heads).into_iter().flatten();
    let inside = |w: &Waiting| {
        let Question::Tcp(asked) = w.ip.question else { return false };
        let length = asked.end().wrapping_sub(asked.sequence);
        asked.has(Segment::ACK) && reply.acknowledgment.wrapping_sub(asked.sequence) <= length
    };
    reply.has(Segment::ACK)
        && !reply.has(Segment::RST)
        && keys.any(|key| matcher.waiting.get(&key).is_some_and(|alike| alike.iter().any(inside)))
}

/// An acknowledgment holds for all before it (RFC 9293, 3.4): what leads up to the segment that was answered without a gap, and
/// its copies where they are not probes of their own.
fn settle(alike: &mut VecDeque<Waiting>, at: usize, position: u32, marks: &mut Marks) {
    let Some(Waiting { ip: Ip { question: Question::Tcp(answered), .. }, .. }) = alike.get(at) else {
        return;
    };
    let mut edge = *answered;
    loop {
        let before = |w: &&mut Waiting| {
            let Question::Tcp(asked) = w.ip.question else { return false };
            let copy = asked.sequence == edge.sequence && asked.end() == edge.end() && !w.ours;
            w.asks && w.kind.is_none() && !w.settled && (copy || asked.end() == edge.sequence)
        };
        let Some(found) = alike.iter_mut().find(before) else { return };
        found.settled = true;
        marks.settle(position, found.number);
        if let Question::Tcp(asked) = found.ip.question {
            edge = asked;
        }
    }
}

/// Whether an answer is owed: to a segment that takes room in the sequence space, a query, a datagram.
fn asks(question: &Question) -> bool {
    match question {
        Question::Tcp(segment) => !segment.has(Segment::RST) && segment.end() != segment.sequence,
        Question::Silent => false,
        Question::Udp { .. } | Question::Icmp { .. } | Question::Protocol => true,
    }
}

fn print(heads: &Heads<'_>) -> Print {
    match heads.body {
        Body::Tcp(segment) => (segment.sequence, u32::from(segment.flags) << 24 | segment.payload),
        // Length and checksum.
        _ => match heads.transport.get(2..8) {
            Some(&[a, b, c, d, e, f]) => (u32::from_be_bytes([a, b, c, d]), u32::from(e) << 8 | u32::from(f)),
            _ => (0, 0),
        },
    }
}

fn group(ip: &Ip) -> Group {
    let (protocol, to) = (ip.protocol, Some(ip.destination));
    let number = match ip.question {
        Question::Tcp(segment) => Some(segment.destination),
        Question::Udp { destination, .. } => Some(destination),
        Question::Icmp { ident, target: None, .. } => Some(ident),
        Question::Icmp { .. } | Question::Silent | Question::Protocol => None,
    };
    Group { protocol, to, number }
}

impl Group {
    /// What is no IP packet.
    pub const NONE: Self = Self { protocol: 0, to: None, number: None };

    /// Address, and port or identifier.
    #[must_use]
    pub fn name(&self) -> String {
        let Some(to) = self.to else { return "not IP".into() };
        match (self.protocol, self.number, to) {
            (TCP | UDP, Some(port), IpAddr::V6(to)) => format!("[{to}]:{port}"),
            (TCP | UDP, Some(port), _) => format!("{to}:{port}"),
            (_, Some(id), _) => format!("{to} id {id}"),
            (_, None, _) => to.to_string(),
        }
    }
}
