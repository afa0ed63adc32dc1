//! Reassembly of fragments: IPv4, RFC 791 section 3.2 with the holes of RFC 815; IPv6, RFC 8200 section 4.5 and RFC 5722.
//!
//! What a fragment is stands in the tables ([`FragmentRule`](super::table::FragmentRule)). A whole datagram is a packet
//! that begins with its network header and dissects by itself; it may be a fragment itself, and is then taken as one.
//! What is held is bounded, and what is given up is counted.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::dissect::Dissection;
use super::reassembly_datagram::Work;
pub use super::reassembly_fragment::fragment_layer;
use super::reassembly_fragment::{Fragment, Key};
use super::table::Header;
use super::view::Layer;

/// A datagram that is not whole this long after its first fragment is given up, in nanoseconds (RFC 8200 section 4.5).
pub const PATIENCE_NS: u64 = 60_000_000_000;
/// So is one that is not whole that many packets after it.
pub const PATIENCE_PACKETS: usize = 100_000;
/// Datagrams in work at any time.
pub const MOST_DATAGRAMS: usize = 16_384;
/// Bytes that are held for all of them.
pub const MOST_HELD: usize = 64 * 1024 * 1024;
/// How deep fragments of fragments are followed.
pub const MOST_DEPTH: usize = 4;
/// Missing ranges that a text names.
const NAMED: usize = 8;

/// A packet, as the file has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// Its number, from 1 on.
    pub packet: usize,
    /// Nanoseconds since the Unix epoch, where they are known.
    pub time_ns: Option<u64>,
    /// The system had left its transport checksum to the card.
    pub left_to_card: bool,
}

/// What one fragment gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of its packet.
    pub packet: usize,
    /// The bytes of the whole, behind its headers, that the fragment has.
    pub range: Range<usize>,
    /// Those of them that stand in the whole.
    pub gave: Range<usize>,
    /// Some of them came from another fragment too.
    pub overlap: bool,
    /// And are not the same there.
    pub conflict: bool,
    /// Some lie past the end that the last fragment says.
    pub past_end: bool,
}

/// Bytes that no fragment gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first.
    pub start: usize,
    /// One past the last; `None`: the last fragment is not there, and nothing else says where the whole ends.
    pub end: Option<usize>,
}

/// A whole datagram.
#[derive(Clone, Debug)]
pub struct Whole {
    /// What it begins with.
    pub network: &'static Header,
    /// Its bytes, headers included, as if it had never been cut up.
    pub bytes: Vec<u8>,
    /// Bytes of its headers: what the parts' ranges are counted from.
    pub head: usize,
    /// The system had left the transport checksum to the card.
    pub left_to_card: bool,
    /// Its layers.
    pub found: Dissection,
}

/// How far a datagram is.
#[derive(Clone, Debug)]
pub enum State {
    /// It is whole.
    Whole(Box<Whole>),
    /// Bytes are missing.
    Waiting {
        /// Which: the first ranges of them.
        missing: Vec<Missing>,
        /// How many ranges there are.
        ranges: usize,
    },
    /// This fragment is of no use, or its datagram is not; why.
    Dropped(String),
}

/// A datagram that comes in fragments.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Tells it from all others of its [`Reassembler`].
    pub serial: u64,
    /// The table of its network header.
    pub network: &'static Header,
    /// Its identification, as `read -e` prints it.
    pub id: String,
    /// How many fragments of it came.
    pub fragments: usize,
    /// Its fragments by their places. Of a datagram that is waiting only [`Reassembler::look`] gives them.
    pub parts: Vec<Part>,
    /// How far it is.
    pub state: State,
}

/// What became of the datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// They are whole.
    pub whole: u64,
    /// They waited too long, or wait still.
    pub unfinished: u64,
    /// They were given up because too much was held.
    pub crowded_out: u64,
    /// They break the rules of their protocol.
    pub void: u64,
    /// Fragments that could not be used for themselves.
    pub unused: u64,
}

/// Takes fragments in any order and gives whole datagrams.
#[derive(Default)]
pub struct Reassembler {
    work: HashMap<Key, Work>,
    /// In the order of their first fragments; those that are done stand there until it is their turn.
    order: VecDeque<(u64, Key, Origin)>,
    serial: u64,
    held: usize,
    tally: Tally,
}

impl Reassembler {
    /// Takes a packet with its layers. Gives nothing when it is no fragment; else its datagram, and where that is whole
    /// and itself a fragment, the datagram of that one too, and so on.
    pub fn add(&mut self, from: &Origin, bytes: &[u8], layers: &[Layer]) -> Vec<Datagram> {
        let mut chain: Vec<Datagram> = Vec::new();
        let mut tags = 0;
        while chain.len() < MOST_DEPTH {
            let inner = match chain.last().map(|d| &d.state) {
                None => Fragment::find(bytes, layers, tags),
                Some(State::Whole(whole)) => Fragment::find(&whole.bytes, &whole.found.layers, tags),
                Some(_) => break,
            };
            let Some(fragment) = inner else { break };
            tags = fragment.tags();
            let datagram = self.take(&fragment, from);
            chain.push(datagram);
        }
        chain
    }

    /// A datagram in work as it is now, with its parts.
    #[must_use]
    pub fn look(&self, serial: u64) -> Option<Datagram> {
        let work = self.work.values().find(|work| work.serial == serial)?;
        let state = match &work.void {
            Some(why) => State::Dropped(why.clone()),
            None => work.missing(),
        };
        Some(datagram(work, work.join().0, state))
    }

    /// What became of the datagrams until now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let waiting = self.work.values().filter(|work| work.void.is_none()).count() as u64;
        Tally { unfinished: self.tally.unfinished + waiting, ..self.tally }
    }

    fn take(&mut self, fragment: &Fragment<'_>, from: &Origin) -> Datagram {
        self.give_up_old(from);
        if let Some(why) = useless(fragment) {
            self.tally.unused += 1;
            return unused(fragment, why);
        }
        if !self.work.contains_key(&fragment.key) {
            self.begin(fragment, from);
        }
        let Some(work) = self.work.get_mut(&fragment.key) else {
            return unused(fragment, "there is no room for it".into());
        };
        let (before, was_void) = (work.held, work.void.is_some());
        let taken = work.take(fragment, from);
        let (now, is_void) = (work.held, work.void.is_some());
        self.held = self.held + now - before;
        match taken {
            Err(why) => {
                let taken = datagram(work, Vec::new(), State::Dropped(why));
                let crowded = work.crowded;
                if work.len() == 0 && !is_void {
                    // Nothing has begun with it.
                    self.work.remove(&fragment.key);
                }
                self.tally.crowded_out += u64::from(is_void && !was_void && crowded);
                self.tally.void += u64::from(is_void && !was_void && !crowded);
                self.tally.unused += u64::from(!is_void);
                taken
            }
            Ok(()) if work.is_complete() => {
                let (parts, data) = work.join();
                let whole = work.whole(&data);
                let state = whole.map_or_else(State::Dropped, |whole| State::Whole(Box::new(whole)));
                let done = datagram(work, parts, state);
                self.held -= now;
                self.work.remove(&fragment.key);
                match &done.state {
                    State::Whole(_) => self.tally.whole += 1,
                    _ => self.tally.void += 1,
                }
                done
            }
            Ok(()) => {
                let waiting = datagram(work, Vec::new(), work.missing());
                self.make_room(waiting.serial);
                waiting
            }
        }
    }

    fn begin(&mut self, fragment: &Fragment<'_>, from: &Origin) {
        self.serial += 1;
        self.order.push_back((self.serial, fragment.key.clone(), *from));
        self.work.insert(fragment.key.clone(), Work::new(self.serial, fragment));
    }

    /// Gives up what has waited too long.
    fn give_up_old(&mut self, now: &Origin) {
        while let Some((serial, key, first)) = self.order.front() {
            let waited = now.time_ns.zip(first.time_ns).map_or(0, |(now, then)| now.saturating_sub(then));
            let is_there = self.work.get(key).is_some_and(|work| work.serial == *serial);
            if is_there
                && waited <= PATIENCE_NS
                && now.packet.saturating_sub(first.packet) <= PATIENCE_PACKETS
            {
                break;
            }
            if let Some(work) = self.drop_oldest() {
                self.tally.unfinished += u64::from(work.void.is_none());
            }
        }
    }

    /// Gives up the oldest until no more is held than may be; never the one that was just added to.
    fn make_room(&mut self, newest: u64) {
        while self.held > MOST_HELD || self.work.len() > MOST_DATAGRAMS {
            match self.order.front() {
                Some((serial, ..)) if *serial != newest => {}
                _ => break,
            }
            if let Some(work) = self.drop_oldest() {
                self.tally.crowded_out += u64::from(work.void.is_none());
            }
        }
    }

    /// Takes the first out of the order, and gives it where it was still in work.
    fn drop_oldest(&mut self) -> Option<Work> {
        let (serial, key, _) = self.order.pop_front()?;
        let work = self.work.get(&key).filter(|work| work.serial == serial)?;
        self.held -= work.held;
        self.work.remove(&key)
    }
}

/// Why a fragment is of no use for itself.
fn useless(fragment: &Fragment<'_>) -> Option<String> {
    if fragment.cut > 0 {
        return Some(format!("{} of its bytes are not in the capture", fragment.cut));
    }
    fragment.data.is_empty().then(|| "it carries no bytes".into())
}

fn unused(fragment: &Fragment<'_>, why: String) -> Datagram {
    let (network, id) = (fragment.network, fragment.id.clone());
    Datagram { serial: 0, network, id, fragments: 0, parts: Vec::new(), state: State::Dropped(why) }
}

fn datagram(work: &Work, parts: Vec<Part>, state: State) -> Datagram {
    let (serial, network, id, fragments) = (work.serial, work.network, work.id.clone(), work.len());
    Datagram { serial, network, id, fragments, parts, state }
}

impl Datagram {
    /// The whole, where it is one.
    #[must_use]
    pub fn whole(&self) -> Option<&Whole> {
        match &self.state {
            State::Whole(whole) => Some(whole),
            _ => None,
        }
    }

    /// One line: what it is, and how far.
    #[must_use]
    pub fn title(&self) -> String {
        let (name, id) = (self.network.short, &self.id);
        match &self.state {
            State::Whole(_) => format!("Reassembled {name} ({})", self.sizes()),
            State::Waiting { missing, ranges } => {
                let of = match self.fragments {
                    1 => "1 fragment is".to_owned(),
                    count => format!("{count} fragments are"),
                };
                format!("{name} datagram {id} is not whole: {of} here, {}", missing_text(missing, *ranges))
            }
            State::Dropped(why) => format!("{name} datagram {id} is not reassembled: {why}"),
        }
    }

    /// `1480+520 bytes in packets #3, #4`.
    fn sizes(&self) -> String {
        let given: usize = self.parts.iter().map(|part| part.gave.len()).sum();
        let list = |texts: Vec<String>, between: &str| texts.join(between);
        if self.parts.len() > NAMED {
            let packets = self.parts.iter().map(|part| part.packet);
            let (first, last) = (packets.clone().min().unwrap_or(0), packets.max().unwrap_or(0));
            return format!("{given} bytes in {} packets, #{first} to #{last}", self.parts.len());
        }
        let bytes = list(self.parts.iter().map(|part| part.gave.len().to_string()).collect(), "+");
        let packets = list(self.parts.iter().map(|part| format!("#{}", part.packet)).collect(), ", ");
        format!("{bytes} bytes in packets {packets}")
    }

    /// What a person should know of how the fragments fit.
    #[must_use]
    pub fn notes(&self) -> Vec<&'static str> {
        let conflict = self.parts.iter().any(|part| part.conflict);
        let overlap = self.parts.iter().any(|part| part.overlap);
        let note = match (overlap, conflict) {
            (_, true) => {
                Some("fragments overlap with different bytes: those of the fragment that begins first stand")
            }
            (true, _) => Some("fragments overlap with the same bytes"),
            _ => None,
        };
        let past = self.parts.iter().any(|part| part.past_end);
        let past = past.then_some("bytes past the end that the last fragment says are left out");
        note.into_iter().chain(past).collect()
    }
}

impl Part {
    /// `bytes 0 to 1479 (1480 bytes)`, and what of it was not taken.
    #[must_use]
    pub fn text(&self) -> String {
        let len = self.range.len();
        let bytes = span(self.range.start, self.range.end);
        let mut text = format!("bytes {bytes} ({len} bytes)");
        if self.conflict {
            text += ", overlaps with different bytes";
        } else if self.overlap {
            text += ", overlaps with the same bytes";
        }
        if self.past_end {
            text += ", goes past the end";
        }
        if self.gave != self.range {
            text += &match self.gave.is_empty() {
                true => ", nothing of it is used".to_owned(),
                false => format!(", used: {}", span(self.gave.start, self.gave.end)),
            };
        }
        text
    }
}

/// `0 to 1479`.
fn span(start: usize, end: usize) -> String {
    match end.saturating_sub(start) {
        0 | 1 => start.to_string(),
        _ => format!("{start} to {}", end - 1),
    }
}

fn missing_text(missing: &[Missing], ranges: usize) -> String {
    let texts = missing.iter().take(NAMED).map(|range| match range.end {
        Some(end) => format!("bytes {}", span(range.start, end)),
        None => format!("all from byte {} on", range.start),
    });
    let mut text = texts.collect::<Vec<_>>().join(", ");
    if ranges > NAMED {
        text += &format!(" and {} more ranges", ranges - NAMED);
    }
    text + " missing"
}

impl Tally {
    /// What a person should know at the end; `None` when every datagram is whole.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let lost = self.unfinished + self.crowded_out + self.void;
        if lost + self.unused == 0 {
            return None;
        }
        let mut reasons = Vec::new();
        let mut reason = |count: u64, text: &str| {
            if count > 0 {
                reasons.push(format!("{count} {text}"));
            }
        };
        reason(self.unfinished, "with fragments missing");
        reason(self.void, "void by the rules of their protocol");
        reason(self.crowded_out, "given up because too much was held");
        let mut text = format!("datagrams reassembled: {}; not: {lost}", self.whole);
        if !reasons.is_empty() {
            text += &format!(" ({})", reasons.join(", "));
        }
        if self.unused > 0 {
            text += &format!("; fragments of no use: {}", self.unused);
        }
        Some(text)
    }
}
