//! A conversation as a ladder: two ends, and between them an arrow for each packet, in its order.
//!
//! Which packets belong to it a [`Sieve`] finds out, on all cores and in the background; here are the arrows that somebody looks
//! at, and the numbers that a connection counts from.

use std::collections::HashMap;
use std::sync::Arc;

use super::sieve::Sieve;
use crate::filter::Filter;
use crate::pcap::{CaptureFile, IndexEntry, PacketReader};
use crate::wire::answer::Ends;
use crate::wire::bits::BitRange;
use crate::wire::digest::Chain;
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::view::LayerView;

/// Arrows that are kept.
const CACHE: usize = 2048;
/// Packets that one [`Ladder::walk`] passes, and those of them that it reads.
const WALK: usize = 8192;
const READ: usize = 256;
/// How far around a packet another one is sought, and how many packets are read for it.
const NEAR: usize = 4096;
const NEAR_READ: usize = 512;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the left end, which began.
    Right,
    /// From the right end.
    Left,
    /// Neither: a packet about the conversation, from somebody else.
    Aside,
}

/// An arrow of the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Position of the packet in the capture, from 0.
    pub position: usize,
    /// Nanoseconds since the first packet of the conversation.
    pub since_ns: i64,
    /// Which way it goes.
    pub way: Way,
    /// What stands on the arrow.
    pub text: String,
    /// Name of its innermost protocol.
    pub protocol: &'static str,
    /// It begins, ends or breaks the conversation.
    pub turning: bool,
}

/// The first sequence numbers of the left and of the right end.
type Zeros = [Option<u32>; 2];

/// A conversation.
#[derive(Debug)]
pub struct Ladder {
    ends: Ends,
    sieve: Arc<Sieve>,
    /// From which arrow on which numbers are counted from: a new connection between the same ends has its own.
    zeros: Vec<(usize, Zeros)>,
    walked: usize,
    first_ns: Option<u64>,
    steps: HashMap<usize, Arc<Step>>,
}

impl Ladder {
    /// The conversation between these ends. Nothing is known of it yet: the sieve has to be worked on.
    ///
    /// # Errors
    /// No filter says it; in words for a person.
    pub fn new(ends: Ends) -> Result<Self, String> {
        let text = ends.filter();
        let filter = Filter::display(&text).map_err(|error| error.render(&text))?;
        Ok(Self {
            ends,
            sieve: Arc::new(Sieve::new(filter)),
            zeros: vec![(0, [None; 2])],
            walked: 0,
            first_ns: None,
            steps: HashMap::new(),
        })
    }

    /// The left end, which sent the first packet, and the right one.
    #[must_use]
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Whether it is the conversation between these ends, whoever began.
    #[must_use]
    pub fn is_between(&self, ends: &Ends) -> bool {
        self.ends == *ends || self.ends == ends.clone().turned()
    }

    /// What finds its packets.
    #[must_use]
    pub fn sieve(&self) -> &Arc<Sieve> {
        &self.sieve
    }

    /// How many packets it has, as far as is known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sieve.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds out what the numbers are counted from, some packets further. `true`: there are more.
    pub fn walk(&mut self, file: &CaptureFile) -> bool {
        let (end, mut reads, last) = (self.len(), 0, self.walked.saturating_add(WALK));
        let index = file.index().snapshot();
        let mut reader = file.reader();
        while self.walked < end {
            if reads >= READ || self.walked >= last {
                return true;
            }
            let nth = self.walked;
            let Some(entry) = self.sieve.position(nth).and_then(|p| index.get(p)) else { break };
            self.walked += 1;
            let known = self.zeros.last().is_some_and(|(_, zeros)| zeros.iter().all(Option::is_some));
            if known && !may_begin(entry) {
                continue;
            }
            reads += 1;
            if let Some((found, bytes)) = read(file, &mut reader, entry) {
                self.count_from(nth, &found, bytes);
                self.first_ns.get_or_insert(entry.timestamp_ns);
            }
        }
        self.walked < end
    }

    /// Takes the numbers that a packet counts from.
    fn count_from(&mut self, nth: usize, found: &Dissection, bytes: &[u8]) {
        if nth == 0 && Ends::of(bytes, &found.layers).is_some_and(|e| e == self.ends.clone().turned()) {
            self.ends = self.ends.clone().turned();
        }
        let side = match self.way(found, bytes) {
            Way::Right => 0,
            Way::Left => 1,
            Way::Aside => return,
        };
        let Some(view) = segment(found, bytes) else { return };
        let Some(sequence) = view.number("seq_raw").map(|n| n as u32) else { return };
        let (syn, ack) = (view.is_set("flags.syn"), view.is_set("flags.ack"));
        let (_, mut zeros) = *self.zeros.last().unwrap_or(&(0, [None; 2]));
        if syn && zeros[side] != Some(sequence) {
            // A new connection: the other end counts anew as well, unless it has just begun it.
            zeros = if ack { zeros } else { [None; 2] };
            zeros[side] = Some(sequence);
        }
        zeros[side].get_or_insert(sequence.wrapping_sub(1));
        if let Some(acknowledged) = view.number("ack_raw").filter(|_| ack) {
            zeros[1 - side].get_or_insert((acknowledged as u32).wrapping_sub(1));
        }
        if self.zeros.last().is_none_or(|(_, last)| *last != zeros) {
            self.zeros.push((nth, zeros));
            self.steps.retain(|step, _| *step < nth);
        }
    }

    fn way(&self, found: &Dissection, bytes: &[u8]) -> Way {
        match Ends::of(bytes, &found.layers) {
            Some(ends) if ends == self.ends => Way::Right,
            Some(ends) if ends.clone().turned() == self.ends => Way::Left,
            _ => Way::Aside,
        }
    }

    /// The arrow of this number, from 0.
    pub fn step(&mut self, file: &CaptureFile, nth: usize) -> Option<Arc<Step>> {
        if let Some(step) = self.steps.get(&nth) {
            return Some(Arc::clone(step));
        }
        let position = self.sieve.position(nth)?;
        let entry = file.index().get(position)?;
        let mut reader = file.reader();
        let (found, bytes) = read(file, &mut reader, &entry)?;
        let at = self.zeros.partition_point(|(from, _)| *from <= nth);
        let zeros = self.zeros.get(at.saturating_sub(1)).map_or([None; 2], |(_, zeros)| *zeros);
        let way = self.way(&found, bytes);
        let (text, turning) = match segment(&found, bytes).filter(|_| way != Way::Aside) {
            Some(view) => segment_text(&view, if way == Way::Right { zeros } else { [zeros[1], zeros[0]] }),
            None => (info(&found, bytes), way == Way::Aside),
        };
        let first = self.first_ns.unwrap_or(entry.timestamp_ns);
        let since = i128::from(entry.timestamp_ns) - i128::from(first);
        let step = Arc::new(Step {
            position,
            since_ns: i64::try_from(since).unwrap_or(i64::MAX),
            way,
            text,
            protocol: found.layers.iter().rfind(|l| !l.quoted).map_or("?", |l| l.header.short),
            turning,
        });
        if self.steps.len() >= CACHE {
            self.steps.clear();
        }
        // What is not walked over yet may get other numbers.
        if nth < self.walked {
            self.steps.insert(nth, Arc::clone(&step));
        }
        Some(step)
    }
}

impl Drop for Ladder {
    fn drop(&mut self) {
        self.sieve.cancel();
    }
}

const FLAGS: BitRange = BitRange { start: 104, width: 8 };
const FIN: u64 = 0x01;
const SYN: u64 = 0x02;

/// The flags of a TCP packet of the plainest form; `None`: its bytes have to be asked.
fn flags(entry: &IndexEntry) -> Option<u64> {
    let tcp = matches!(entry.digest.chain(), Chain::TcpV4 | Chain::TcpV6);
    entry.digest.value(FLAGS).filter(|_| tcp)
}

/// Whether a packet may be the first of a connection.
fn may_begin(entry: &IndexEntry) -> bool {
    flags(entry).is_none_or(|flags| flags & SYN != 0)
}

fn read<'a>(
    file: &CaptureFile,
    reader: &'a mut PacketReader,
    entry: &IndexEntry,
) -> Option<(Dissection, &'a [u8])> {
    let link_type = file.interfaces().get(usize::from(entry.interface)).map_or(u32::MAX, |i| i.link_type.0);
    let bytes = reader.bytes(entry).ok()?;
    Some((dissect(link_type, bytes), bytes))
}

/// The TCP layer of a packet.
fn segment<'a>(found: &'a Dissection, bytes: &'a [u8]) -> Option<LayerView<'a>> {
    let own = found.layers.iter().take_while(|l| !l.quoted).count();
    let at = found.layers[..own].iter().rposition(|l| l.header.key == "tcp")?;
    Some(found.view(bytes, at))
}

/// Flags, relative numbers and length, and whether it begins or ends something.
fn segment_text(view: &LayerView<'_>, [ours, theirs]: Zeros) -> (String, bool) {
    const NAMES: [(&str, &str); 8] = [
        ("flags.syn", "SYN"),
        ("flags.fin", "FIN"),
        ("flags.reset", "RST"),
        ("flags.push", "PSH"),
        ("flags.ack", "ACK"),
        ("flags.urg", "URG"),
        ("flags.ece", "ECE"),
        ("flags.cwr", "CWR"),
    ];
    let set: Vec<&str> = NAMES.iter().filter(|(key, _)| view.is_set(key)).map(|(_, name)| *name).collect();
    let relative = |key: &str, zero: Option<u32>| {
        let number = view.number(key).unwrap_or_default() as u32;
        number.wrapping_sub(zero.unwrap_or(0)).to_string()
    };
    let mut text = if set.is_empty() { "no flag".to_owned() } else { set.join(" ") };
    text += &format!("  seq {}", relative("seq_raw", ours));
    if view.is_set("flags.ack") {
        text += &format!("  ack {}", relative("ack_raw", theirs));
    }
    let length = view.payload_len();
    if length > 0 {
        text += &format!("  len {length}");
    }
    let turning = ["flags.syn", "flags.fin", "flags.reset"].iter().any(|key| view.is_set(key));
    (text, turning)
}

fn info(found: &Dissection, bytes: &[u8]) -> String {
    let own = found.layers.iter().rposition(|l| !l.quoted);
    own.map_or_else(String::new, |index| (found.layers[index].header.info)(&found.view(bytes, index)))
}

/// Whether the sender of packets with these ends has closed its side: one with FIN is near this position. Near is bounded, and
/// so is what is read.
#[must_use]
pub fn has_closed(file: &CaptureFile, position: usize, ends: &Ends) -> bool {
    let fin = |found: &Dissection, bytes: &[u8]| {
        segment(found, bytes).is_some_and(|view| view.is_set("flags.fin"))
            && Ends::of(bytes, &found.layers).as_ref() == Some(ends)
    };
    let index = file.index().snapshot();
    let range = position.saturating_sub(NEAR)..index.len().min(position.saturating_add(NEAR));
    let ending = |entry: &IndexEntry| flags(entry).is_none_or(|flags| flags & FIN != 0);
    let mut reader = file.reader();
    let mut near = index.range(range).filter(|entry| ending(entry)).take(NEAR_READ);
    near.any(|entry| read(file, &mut reader, entry).is_some_and(|(f, bytes)| fin(&f, bytes)))
}

/// The position of the newest packet with these ends, of the last ones of a capture; what is read is bounded.
#[must_use]
pub fn newest(file: &CaptureFile, ends: &Ends) -> Option<usize> {
    let index = file.index().snapshot();
    let mut reader = file.reader();
    let mut positions = (0..index.len()).rev().take(NEAR_READ);
    positions.find(|position| {
        let Some(entry) = index.get(*position) else { return false };
        let found = read(file, &mut reader, entry);
        found.is_some_and(|(f, bytes)| Ends::of(bytes, &f.layers).as_ref() == Some(ends))
    })
}
