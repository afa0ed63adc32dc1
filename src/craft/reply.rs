//! The answer to a captured packet, as its other end would send it: ready to be changed and sent.
//!
//! What changes places, and what kind of message answers what kind, stands in the tables; TCP's arithmetic stands here.

use super::draft::{Draft, Override, Surroundings};
use crate::wire::bits;
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::reassembly::fragment_layer;
use crate::wire::table::{Answer, Compute, Family, Field, Kind};
use crate::wire::value::{self, Refused};
use crate::wire::view::{Layer, LayerView, Path};

/// What a reply is, for a person.
pub const HELP: &str = "Puts the right answer to this packet into the builder: both ends in the place of each other and, for \
    TCP, the acknowledgment of all that it carries and the next sequence number. Type a payload to send data with it. No flag \
    is changed by that: set PSH as most programs do, or leave it; a receiver takes the data either way.";

/// An answer, not sent yet.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The packet.
    pub draft: Draft,
    /// What it says to the other end, for a person.
    pub text: String,
    /// Data may go with it: its payload is what a person types next.
    pub takes_data: bool,
}

/// What only the one who replies can know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Addresses of the system that sends: a source address that it would choose itself stays computed.
    pub surroundings: Surroundings,
    /// This end has sent its FIN.
    pub closed: bool,
}

/// The answer to a packet of this link type (tcpdump.org/linktypes).
///
/// Ends change places on every layer, tags and tunnels stay. A network header begins anew, without what it picked up on its
/// way (hops, identification, options, extension headers).
///
/// # Errors
/// Nothing answers such a packet, or no answer is known; the text says which.
pub fn reply(link_type: u32, bytes: &[u8], known: Known) -> Result<Reply, Refused> {
    let found = dissect(link_type, bytes);
    let kept = answered(&found, bytes)?;
    let last = found.view(bytes, kept[kept.len() - 1]);
    let turn = if last.layer().header.key == TCP {
        Turn::Segment(Segment::read(&last).answer(known.closed)?)
    } else {
        Turn::Message(message(&last)?)
    };
    let mut draft = Draft { surroundings: known.surroundings, ..Draft::default() };
    for index in &kept {
        let layer = &found.layers[*index];
        let own = &bytes[layer.header_range()];
        // Of these nothing but the ends and the number of what follows is the answer's too.
        let anew = layer.header.network || layer.header.key == TCP;
        draft.append(layer, if anew { layer.header.blank() } else { own.to_vec() });
    }
    if last.layer().header.answer.is_some_and(|a| a.echoes) {
        draft.bytes.extend_from_slice(last.payload());
    }
    draft.payload.end = draft.bytes.len();
    draft.set_ends();
    for (to, index) in kept.iter().enumerate() {
        draft.turn_layer(to, &found.view(bytes, *index), to + 1 == kept.len());
    }
    let inner = kept.len() - 1;
    let (text, takes_data) = match turn {
        Turn::Segment(segment) => {
            draft.write_segment(inner, &segment);
            if let Some(options) = segment.options(draft.room(inner)) {
                draft.set_options(inner, &options)?;
            }
            (segment.text, segment.takes_data)
        }
        Turn::Message((kind, text)) => {
            draft.write_kind(inner, kind);
            (text, last.layer().header.family == Family::Transport)
        }
    };
    draft.recompute();
    Ok(Reply { draft, text, takes_data })
}

const TCP: &str = "tcp";

enum Turn {
    Segment(Next),
    Message((Option<u128>, String)),
}

/// The layers that an answer has, by their places in the packet: at least one.
fn answered(found: &Dissection, bytes: &[u8]) -> Result<Vec<usize>, Refused> {
    let layers = &found.layers;
    if fragment_layer(bytes, layers).is_some() {
        return Err(Refused("this is a fragment: the whole packet is answered, not a piece of it".into()));
    }
    // What the packet quotes is another one, and what programs say is theirs to answer.
    let said = |l: &&Layer| !l.quoted && l.header.family != Family::Application;
    let own = layers.iter().take_while(said).count();
    if layers.get(own).is_some_and(|l| l.quoted) {
        let text = "an error is never answered, so that two hosts do not send each other errors for ever (RFC 1122 \
                    section 3.2.2, RFC 4443 section 2.4)";
        return Err(Refused(text.into()));
    }
    // A link header without two ends (a cooked capture's, loopback's) was never on a wire.
    let bare = layers.first().is_some_and(|l| l.header.family == Family::Link && l.header.ends.is_none());
    let network = layers[..own].iter().position(|l| l.header.network);
    let start = if bare { network.unwrap_or(own) } else { 0 };
    let kept: Vec<usize> = (start..own).filter(|i| layers[*i].header.family != Family::Extension).collect();
    let Some(last) = kept.last().map(|i| &layers[*i]) else {
        return Err(Refused("nothing in this packet says where an answer goes".into()));
    };
    for layer in kept.iter().map(|i| &layers[*i]) {
        let header = bytes.get(layer.header_range()).unwrap_or_default();
        if layer.len < layer.header.fixed_len(header) {
            return Err(Refused(format!("its {} header is cut short", layer.header.short)));
        }
    }
    let open = kept.last().is_some_and(|i| i + 1 < own);
    if open || last.header.answer.is_none() && last.header.ends.is_none() {
        let name = last.header.name;
        return Err(Refused(format!("what answers {name} is not known here: edit a copy of the packet")));
    }
    Ok(kept)
}

/// The kind of the answer to a message, where it has one, and what to say of it.
fn message(view: &LayerView<'_>) -> Result<(Option<u128>, String), Refused> {
    let header = view.layer().header;
    let Some(field) = header.answer.and_then(|a| a.kind) else {
        return Ok((None, format!("{}, its ends in the place of each other", header.short)));
    };
    let kinds = header.answer.map_or(&[][..], |a| a.kinds);
    let asked = bits::get(view.header_bytes(), field.bits).unwrap_or_default();
    let name = |stored: u128| match value::meaning_of(field, stored) {
        Some(name) => name.to_lowercase(),
        None => format!("{} {stored}", field.label.to_lowercase()),
    };
    match kinds.iter().find(|(from, _)| *from == asked) {
        Some((_, to)) => Ok((Some(*to), format!("{} {}", header.short, name(*to)))),
        None => Err(Refused(format!("{} {} has no answer", header.short, name(asked)))),
    }
}

impl Draft {
    /// Puts a layer behind the others. Nothing is computed yet.
    fn append(&mut self, layer: &Layer, header: Vec<u8>) {
        let (start, len) = (self.bytes.len(), header.len());
        self.bytes.extend(header);
        self.payload = self.bytes.len()..self.bytes.len();
        let new = Layer { start, len, end: start + len, declared: len, quoted: false, ..layer.clone() };
        self.layers.push(new);
    }

    /// Has what a layer says of both ends change places, and keeps what it says of what follows.
    fn turn_layer(&mut self, index: usize, asked: &LayerView<'_>, last: bool) {
        let header = asked.layer().header;
        let stored = |field: &Field| bits::get(asked.header_bytes(), field.bits).unwrap_or_default();
        let next = |f: &&Field| matches!(f.compute, Some(Compute::NextHeader(_)));
        // What is at the end of the stack has no next header to compute the number from.
        for field in header.fields.iter().filter(next).filter(|_| last || !header.network) {
            self.write(index, field.key, stored(field));
        }
        let tunnel = self.layers.get(index + 1).is_some_and(|l| l.header.family == Family::Tunnel);
        let answer = header.answer.unwrap_or(Answer::PLAIN);
        // A tunnel's port says that it is one, in both directions.
        let swaps = answer.swaps.iter().copied().filter(|_| !tunnel);
        for (from, to) in header.ends.into_iter().chain(swaps) {
            self.write(index, to.key, stored(from));
            if is_group(to, stored(to)) {
                // Nobody sends from a group: whoever sends says who it is.
                self.write_own(index, from);
            } else {
                self.write(index, from.key, stored(to));
            }
        }
        if let Some(own) = answer.own {
            self.write_own(index, own);
        }
    }

    /// Sets a field; one that is computed is pinned where the computed value is another one.
    fn write(&mut self, index: usize, key: &str, stored: u128) {
        let Some((path, field)) = self.place(index, key) else { return };
        self.put(index, field, stored);
        if field.compute.is_some() {
            match self.computed(index, field) {
                Some(computed) if computed == stored => self.overrides.remove(&path),
                _ => self.overrides.insert(path, Override::Pinned),
            };
        }
    }

    /// Sets an address to that of the sender.
    fn write_own(&mut self, index: usize, field: &Field) {
        let Some((path, field)) = self.place(index, field.key) else { return };
        let mac = self.surroundings.interface.filter(|_| field.kind == Kind::Mac).unwrap_or_default();
        self.put(index, field, mac.iter().fold(0, |v, b| v << 8 | u128::from(*b)));
        self.overrides.remove(&path);
    }

    fn place(&self, index: usize, key: &str) -> Option<(Path, &'static Field)> {
        let found = self.view(index).field(key)?;
        Some((found.path, found.field))
    }

    /// Sets what kind of message a layer is.
    fn write_kind(&mut self, index: usize, kind: Option<u128>) {
        let Some((answer, kind)) = self.layers[index].header.answer.zip(kind) else { return };
        if let Some(field) = answer.kind {
            self.write(index, field.key, kind);
        }
        if let Some((_, count)) = answer.counts.filter(|(again, _)| *again == kind) {
            let next = self.view(index).number(count.key).unwrap_or_default() + 1;
            self.write(index, count.key, next & bits::max_value(count.bits.width));
        }
    }

    /// Writes a segment into a TCP header.
    fn write_segment(&mut self, index: usize, next: &Next) {
        let flags = [("flags.syn", next.syn), ("flags.ack", true), ("flags.fin", next.fin)];
        for (key, set) in flags {
            self.write(index, key, u128::from(set));
        }
        self.write(index, "seq_raw", u128::from(next.sequence));
        self.write(index, "ack_raw", u128::from(next.acknowledgment));
        if next.window != 0 {
            self.write(index, "window_size_value", u128::from(next.window));
        }
    }

    /// What the largest segment carries behind this TCP header over Ethernet, without options (RFC 9293 section 3.7.1).
    fn room(&self, index: usize) -> u16 {
        const ETHERNET: usize = 1500;
        let network = self.layers[..index].iter().rfind(|l| l.header.network).map_or(20, |l| l.len);
        u16::try_from(ETHERNET.saturating_sub(network + 20)).unwrap_or(536)
    }
}

/// An address of many, which nobody sends from: RFC 1112, RFC 919, RFC 4291, IEEE 802.
fn is_group(field: &Field, stored: u128) -> bool {
    match field.kind {
        Kind::Mac => stored >> 40 & 1 == 1,
        Kind::Ipv4 => stored >> 28 == 0xe || stored == 0xffff_ffff,
        Kind::Ipv6 => stored >> 120 == 0xff,
        _ => false,
    }
}

/// A TCP segment that was received.
#[derive(Clone, Copy, Debug)]
struct Segment {
    sequence: u32,
    /// Where it has the flag.
    acknowledgment: Option<u32>,
    /// Bytes of payload, as the packet says it.
    length: usize,
    syn: bool,
    fin: bool,
    reset: bool,
    window: u16,
    /// TSval and TSecr, where it has time stamps.
    times: Option<(u32, u32)>,
}

/// The segment that answers it.
#[derive(Clone, Debug)]
struct Next {
    sequence: u32,
    acknowledgment: u32,
    syn: bool,
    fin: bool,
    window: u16,
    times: Option<(u32, u32)>,
    text: String,
    takes_data: bool,
}

impl Segment {
    fn read(view: &LayerView<'_>) -> Self {
        let number = |key| view.number(key).unwrap_or_default() as u32;
        Self {
            sequence: number("seq_raw"),
            acknowledgment: view.is_set("flags.ack").then(|| number("ack_raw")),
            length: view.payload_len(),
            syn: view.is_set("flags.syn"),
            fin: view.is_set("flags.fin"),
            reset: view.is_set("flags.reset"),
            window: number("window_size_value") as u16,
            times: times(view),
        }
    }

    /// What acknowledges it: SEG.SEQ + SEG.LEN, of which SYN and FIN count one each, modulo 2^32 (RFC 9293 section 3.4).
    /// `closed`: this end has sent its FIN.
    fn answer(&self, closed: bool) -> Result<Next, Refused> {
        if self.reset {
            let text =
                "a reset ends the connection: nothing answers it (RFC 9293 section 3.5.3). Send a new SYN";
            return Err(Refused(text.into()));
        }
        let taken = (self.length as u32).wrapping_add(u32::from(self.syn)).wrapping_add(u32::from(self.fin));
        let opens = self.syn && self.acknowledgment.is_none();
        let fin = self.fin && !opens && !closed;
        let text = match (self.length, self.fin) {
            _ if opens => "SYN-ACK: takes the connection".to_owned(),
            (0, false) if self.syn => "ACK, the connection is open".into(),
            (0, false) => "ACK of nothing new: add a payload or FIN".into(),
            (0, true) if fin => "ACK and FIN, closes both sides".into(),
            (0, true) => "ACK, both sides are closed".into(),
            (length, false) => format!("ACK of {length} bytes"),
            (length, true) if fin => format!("ACK of {length} bytes and FIN, closes both sides"),
            (length, true) => format!("ACK of {length} bytes, both sides are closed"),
        };
        Ok(Next {
            sequence: self.acknowledgment.unwrap_or(0),
            acknowledgment: self.sequence.wrapping_add(taken),
            syn: opens,
            fin,
            window: self.window,
            times: self.times.map(|(value, echo)| (echo.wrapping_add(1), value)),
            text,
            takes_data: !opens && !self.fin,
        })
    }
}

impl Next {
    /// Its options; `None`: it has none. Of what a SYN offers only what changes nothing in the arithmetic is taken: a largest
    /// segment of our own, time stamps.
    fn options(&self, room: u16) -> Option<Vec<Vec<u8>>> {
        const NOP: u8 = 1;
        let mut options = Vec::new();
        if self.syn {
            let [high, low] = room.to_be_bytes();
            options.push(vec![2, 4, high, low]);
        }
        if let Some((value, echo)) = self.times {
            // Aligned as RFC 7323 appendix A wants it.
            options.extend([vec![NOP], vec![NOP]]);
            options.push([&[8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes()].concat());
        }
        (!options.is_empty()).then_some(options)
    }
}

/// TSval and TSecr of the time stamps option, RFC 7323 section 3.2.
fn times(view: &LayerView<'_>) -> Option<(u32, u32)> {
    let items = view.items();
    let option = items.iter().find(|i| i.item.kind == Some(8) && i.range.len() == 10)?;
    let bytes = view.bytes.get(option.range.clone())?;
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some((word(2)?, word(6)?))
}
