//! Exchanges: many probes and what comes back. Packets go in as they are captured, in their order; what each of them
//! is to the probes comes out. Pure.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::heads::{Body, Heads, Segment, network};
use super::probe::{AnswerKind, Key, Probe};
use crate::wire::dissect::dissect;
use crate::wire::value;

/// A packet that was captured.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// As capture files number it.
    pub link_type: u32,
    /// The kernel's time in nanoseconds since 1970.
    pub time_ns: u64,
    /// This machine sent it. On loopback nothing is outgoing: each packet is seen once, as it comes in.
    pub outgoing: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// An answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// To which probe, counted from 0.
    pub index: usize,
    /// What it is.
    pub kind: AnswerKind,
    /// Who sent it: for an ICMP error that may be a router on the way.
    pub from: IpAddr,
    /// When the kernel saw the probe go out; `None` if that was not seen.
    pub sent_ns: Option<u64>,
    /// When the kernel saw the answer.
    pub received_ns: u64,
    /// TCP flags in tcpdump's letters.
    pub flags: Option<String>,
    /// Its bytes from the IP header on, without padding of the link.
    pub packet: Vec<u8>,
}

impl Answer {
    /// Nanoseconds from probe to answer, both by the kernel's clock.
    #[must_use]
    pub fn rtt_ns(&self) -> Option<u64> {
        self.received_ns.checked_sub(self.sent_ns?)
    }
}

/// What a packet is to the probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Unrelated,
    /// The probe itself, on its way out.
    Sighting(usize),
    /// The answer to a probe.
    Answer(Box<Answer>),
    /// Another answer to a probe that has one.
    Duplicate(usize, AnswerKind),
    /// From the other end of an exchange, and no answer to any of its probes.
    Stray,
    /// A reset that the kernel of this machine sent to the other end of an exchange, which it knows nothing of.
    KernelReset,
}

struct Sent {
    probe: Probe,
    /// The machine's clock just before the sending.
    queued_ns: u64,
    sent_ns: Option<u64>,
}

/// The probes of one conversation.
#[derive(Default)]
struct Bucket {
    /// Those whose sending was not seen yet.
    unseen: VecDeque<usize>,
    /// Those without an answer, in the order of their sending.
    open: VecDeque<usize>,
    answered: Vec<usize>,
}

/// Pairs probes with answers. Each probe has at most one answer, and an answer belongs to one probe: of probes that
/// it fits alike, to the first that has none.
#[derive(Default)]
pub struct Exchange {
    sent: Vec<Sent>,
    buckets: HashMap<Option<Key>, Bucket>,
    /// The sending may be seen as a packet that comes in.
    loopback: bool,
    open: usize,
    /// Sendings can be seen: at least one was.
    any_seen: bool,
}

/// The probe that a packet answers.
enum Found {
    /// Its place among the open ones, its index.
    Open(usize, usize, AnswerKind),
    Answered(usize, AnswerKind),
}

impl Bucket {
    /// Of the probes that a packet fits: the first that was seen to go out and has no answer. Then one that has an
    /// answer: a second answer is more likely than the first to a probe that was not seen to go out. That one comes
    /// last (the sight of it may have been lost), or before, where sendings cannot be seen at all.
    fn find(&self, sent: &[Sent], record: &Record<'_>, heads: &Heads<'_>, any_seen: bool) -> Option<Found> {
        let judge = |index: usize| sent.get(index)?.probe.judge_heads(heads);
        let open = |seen: bool| {
            let fits = |index: usize| match sent.get(index) {
                Some(sent) if seen => sent.sent_ns.is_some(),
                Some(sent) => {
                    let late = sent.queued_ns <= record.time_ns;
                    sent.sent_ns.is_none() && late && !sent.probe.is_asked_by_kernels()
                }
                None => false,
            };
            let mut wanted = self.open.iter().enumerate().filter(|(_, index)| fits(**index));
            wanted.find_map(|(at, index)| judge(*index).map(|kind| Found::Open(at, *index, kind)))
        };
        let answered = || {
            let mut latest_first = self.answered.iter().rev();
            latest_first.find_map(|index| judge(*index).map(|kind| Found::Answered(*index, kind)))
        };
        if any_seen {
            open(true).or_else(answered).or_else(|| open(false))
        } else {
            open(false).or_else(answered)
        }
    }
}

impl Exchange {
    /// With `loopback` the packets come (also) from a loopback interface, which shows a sending as a receipt.
    #[must_use]
    pub fn new(loopback: bool) -> Self {
        Self { loopback, ..Self::default() }
    }

    /// Adds a probe; call it before the frame is sent, at `now_ns` by the machine's clock. Gives its index.
    pub fn expect(&mut self, link_type: u32, frame: &[u8], now_ns: u64) -> usize {
        let probe = Probe::of(link_type, frame);
        let index = self.sent.len();
        let bucket = self.buckets.entry(probe.key()).or_default();
        bucket.unseen.push_back(index);
        bucket.open.push_back(index);
        self.sent.push(Sent { probe, queued_ns: now_ns, sent_ns: None });
        self.open += 1;
        index
    }

    /// A probe could not be sent: nothing is expected of it any more.
    pub fn withdraw(&mut self, index: usize) {
        let Some(sent) = self.sent.get(index) else { return };
        let Some(bucket) = self.buckets.get_mut(&sent.probe.key()) else { return };
        bucket.unseen.retain(|i| *i != index);
        let before = bucket.open.len();
        bucket.open.retain(|i| *i != index);
        self.open -= before - bucket.open.len();
    }

    /// Probes that have no answer yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// The probes that have no answer yet, in order.
    #[must_use]
    pub fn unanswered(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.buckets.values().flat_map(|b| b.open.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// Gives up on the probes that have no answer yet: what comes for them from now on is too late. Gives them in order.
    pub fn close(&mut self) -> Vec<usize> {
        let unanswered = self.unanswered();
        self.buckets.values_mut().for_each(|bucket| bucket.open.clear());
        self.open = 0;
        unanswered
    }

    /// Takes a packet.
    pub fn take(&mut self, record: &Record<'_>) -> Seen {
        self.take_read(record, Self::heads(record).as_ref())
    }

    /// What [`Self::take_read`] has to know of a packet: read once for many exchanges.
    pub(super) fn heads<'a>(record: &Record<'a>) -> Option<Heads<'a>> {
        network(record.link_type, record.bytes).and_then(Heads::read)
    }

    /// Takes a packet that was read.
    pub(super) fn take_read(&mut self, record: &Record<'_>, heads: Option<&Heads<'_>>) -> Seen {
        let may_be_probe = record.outgoing || self.loopback;
        if let Some(index) = may_be_probe.then(|| self.sighting(record, heads)).flatten() {
            return Seen::Sighting(index);
        }
        let Some(heads) = heads else { return Seen::Unrelated };
        if !record.outgoing {
            let seen = self.answer(record, heads);
            if seen != Seen::Unrelated {
                return seen;
            }
        }
        let reset = matches!(heads.body, Body::Tcp(segment) if segment.has(Segment::RST));
        if reset && self.buckets.contains_key(&Some(Key::of(heads))) {
            return Seen::KernelReset;
        }
        Seen::Unrelated
    }

    /// The first probe that this packet is. From then on the probe is what went out, not what was asked for.
    fn sighting(&mut self, record: &Record<'_>, heads: Option<&Heads<'_>>) -> Option<usize> {
        let bucket = self.buckets.get_mut(&heads.map(Key::of))?;
        let is_it = |i: &usize| {
            self.sent.get(*i).is_some_and(|s| s.probe.is_sighting(record.link_type, record.bytes))
        };
        let at = bucket.unseen.iter().position(is_it)?;
        let index = bucket.unseen.remove(at)?;
        let sent = self.sent.get_mut(index)?;
        sent.sent_ns = Some(record.time_ns);
        sent.probe = Probe::of(record.link_type, record.bytes);
        self.any_seen = true;
        Some(index)
    }

    fn answer(&mut self, record: &Record<'_>, heads: &Heads<'_>) -> Seen {
        let mut related = false;
        for key in Key::answered_by(heads) {
            let Some(bucket) = self.buckets.get_mut(&key).filter(|_| key.is_some()) else { continue };
            related = true;
            match bucket.find(&self.sent, record, heads, self.any_seen) {
                Some(Found::Open(at, index, kind)) => {
                    bucket.open.remove(at);
                    bucket.answered.push(index);
                    self.open -= 1;
                    return Seen::Answer(Box::new(self.describe(record, heads, index, kind)));
                }
                Some(Found::Answered(index, kind)) => return Seen::Duplicate(index, kind),
                None => {}
            }
        }
        if related { Seen::Stray } else { Seen::Unrelated }
    }

    fn describe(&self, record: &Record<'_>, heads: &Heads<'_>, index: usize, kind: AnswerKind) -> Answer {
        Answer {
            index,
            kind,
            from: heads.source,
            sent_ns: self.sent.get(index).and_then(|s| s.sent_ns),
            received_ns: record.time_ns,
            flags: matches!(heads.body, Body::Tcp(_)).then(|| flags(heads.packet)),
            packet: heads.packet.to_vec(),
        }
    }
}

/// The flags of a TCP packet that begins with its IP header: letters, or a number where a bit has none.
pub(super) fn flags(packet: &[u8]) -> String {
    const RAW: u32 = 101;
    let found = dissect(RAW, packet);
    let tcp = found.layers.iter().position(|l| l.header.key == "tcp");
    let view = tcp.map(|index| found.view(packet, index));
    view.and_then(|v| {
        v.text_of_letters("flags").or_else(|| v.field("flags").map(|f| value::text(f.field, packet, f.bits)))
    })
    .unwrap_or_default()
}
