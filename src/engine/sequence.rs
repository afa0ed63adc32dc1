//! What a stream sends, one packet after the other: made from notations, replayed from a capture, cut into fragments.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::sources::{Failure, Via};
use crate::craft::fragment::Pieces;
use crate::craft::stream::{Cut, Maker, Stream};
use crate::craft::{Draft, Override};
use crate::net::{Interface, Parcel};
use crate::pcap::{CaptureFile, ChecksumState, LinkType, PacketReader};
use crate::wire::checksum::{self, Verdict};
use crate::wire::view::Path;

/// Hardware types whose frames have an Ethernet header: Ethernet, loopback (linux/if_arp.h).
pub(super) const WITH_ETHERNET: [u16; 2] = [1, 772];

/// Room for a packet that is to be sent; used again for a later one.
#[derive(Debug, Default)]
pub struct Slot {
    /// The frame.
    pub bytes: Vec<u8>,
    /// Where a raw IP socket begins with it.
    pub cut: Option<Cut>,
    /// Its own time since the first one.
    pub at: Option<Duration>,
    /// Which maker made what stands here.
    made_by: Option<usize>,
}

impl Slot {
    /// What goes to the socket.
    #[must_use]
    pub fn parcel(&self, via: &Via) -> Parcel<'_> {
        let cut = self.cut.filter(|_| *via == Via::Ip);
        let Some(cut) = cut else { return Parcel { bytes: &self.bytes, to: None } };
        Parcel { bytes: self.bytes.get(cut.start..).unwrap_or_default(), to: destination(&self.bytes, cut) }
    }
}

/// The address that stands in a packet.
fn destination(bytes: &[u8], cut: Cut) -> Option<IpAddr> {
    let bytes = bytes.get(cut.destination..)?;
    if cut.v6 {
        return bytes.get(..16).and_then(|b| <[u8; 16]>::try_from(b).ok()).map(IpAddr::from);
    }
    bytes.get(..4).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(IpAddr::from)
}

/// What happens to the checksums of packets that are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// As they were on the wire: one that was left to the card is filled in, as the card did.
    #[default]
    Keep,
    /// Made right.
    Recompute,
    /// Made wrong.
    Break,
}

/// Packets of a capture that are sent again.
pub struct Replay {
    capture: CaptureFile,
    reader: PacketReader,
    /// Which, in which order.
    rows: Vec<usize>,
    checksums: Checksums,
    /// The time of the first one, and how long all of them take, up to where the first would come again.
    first_ns: u64,
    span: Duration,
}

impl Replay {
    /// These packets of a capture, counted from 0.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn new(capture: CaptureFile, rows: Vec<usize>, checksums: Checksums) -> Result<Self, Failure> {
        let mut reader = capture.reader();
        let mut time = |row: Option<&usize>| match row {
            Some(row) => reader.record(*row).map(|r| r.timestamp_ns).map_err(Failure::from),
            None => Err(Failure::new("there is no packet to be sent: none passes the filter")),
        };
        let (first_ns, last_ns) = (time(rows.first())?, time(rows.last())?);
        let span = Duration::from_nanos(last_ns.saturating_sub(first_ns));
        let gap = span / u32::try_from(rows.len().saturating_sub(1).max(1)).unwrap_or(u32::MAX);
        Ok(Self { reader, capture, rows, checksums, first_ns, span: span + gap })
    }

    /// The link types of its packets.
    #[must_use]
    pub fn link_types(&self) -> Vec<LinkType> {
        let mut found: Vec<LinkType> = self.capture.interfaces().iter().map(|i| i.link_type).collect();
        found.dedup();
        found
    }

    fn make(&mut self, number: u64, slot: &mut Slot, needs_cut: bool) -> Result<(), Failure> {
        let len = self.rows.len().max(1) as u64;
        let row = self.rows.get((number % len) as usize).copied().unwrap_or(0);
        let interfaces = self.capture.interfaces();
        let record = self.reader.record(row)?;
        let turns = u32::try_from(number / len).unwrap_or(u32::MAX);
        let own = Duration::from_nanos(record.timestamp_ns.saturating_sub(self.first_ns));
        slot.at = Some(self.span.saturating_mul(turns).saturating_add(own));
        let link = interfaces.get(record.interface as usize).map_or(u32::MAX, |i| i.link_type.0);
        let unfinished = record.checksum == ChecksumState::NotComputed;
        slot.bytes.clear();
        if self.checksums == Checksums::Keep && !unfinished && !needs_cut {
            slot.bytes.extend_from_slice(record.data);
            slot.cut = None;
            return Ok(());
        }
        let mut draft = Draft::from_bytes(link, record.data, unfinished);
        change_checksums(&mut draft, self.checksums);
        slot.bytes.extend_from_slice(draft.bytes());
        slot.cut = Cut::of(&draft);
        Ok(())
    }
}

/// Makes all checksums of a packet right, or wrong; not those of which only a part is here.
fn change_checksums(draft: &mut Draft, how: Checksums) {
    if how == Checksums::Keep {
        return;
    }
    for index in 0..draft.layers().len() {
        let Some((field, ..)) = checksum::field_of(&draft.view(index)) else { continue };
        let verdict = checksum::verdict(draft.bytes(), draft.layers(), index, false);
        if matches!(verdict, Some(Verdict::NotCovered(_) | Verdict::Absent)) {
            continue;
        }
        let path = Path::header(index, field);
        match how {
            Checksums::Break => draft.make_wrong(path),
            _ if draft.override_of(path) == Some(Override::Pinned) => draft.release(path),
            _ => {}
        }
    }
}

enum Source {
    Made(Vec<Maker>),
    Replay(Box<Replay>),
}

/// A packet that cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsendable {
    /// Its number, from 1 on: of the notation, or in the capture.
    pub number: u64,
    /// Why, in words.
    pub why: String,
}

/// Packets, one after the other.
pub struct Sequence {
    source: Source,
    pieces: Option<Pieces>,
    /// Pieces of the current packet that are not sent yet.
    waiting: VecDeque<(Vec<u8>, Option<Cut>)>,
    /// Packets that were made.
    made: u64,
    /// How many there are to be.
    limit: Option<u64>,
    needs_cut: bool,
}

impl Sequence {
    /// The packets of streams in turn.
    #[must_use]
    pub fn made(streams: Vec<Stream>) -> Self {
        Self::new(Source::Made(streams.into_iter().map(Maker::new).collect()))
    }

    /// Packets of a capture.
    #[must_use]
    pub fn replayed(replay: Replay) -> Self {
        Self::new(Source::Replay(Box::new(replay)))
    }

    fn new(source: Source) -> Self {
        Self { source, pieces: None, waiting: VecDeque::new(), made: 0, limit: None, needs_cut: false }
    }

    /// Cuts each packet into pieces.
    pub fn cut_up(&mut self, pieces: Pieces) {
        self.pieces = Some(pieces);
    }

    /// Sets how many packets there are to be; `None`: no end.
    pub fn limit(&mut self, packets: Option<u64>) {
        self.limit = packets;
    }

    /// How many packets there are to be, where that is known.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.limit
    }

    /// How many packets are once through.
    #[must_use]
    pub fn once(&self) -> u64 {
        match &self.source {
            Source::Made(makers) => {
                let most = makers.iter().map(|m| m.stream().combinations()).max().unwrap_or(1);
                most.saturating_mul(makers.len() as u64)
            }
            Source::Replay(replay) => replay.rows.len() as u64,
        }
    }

    /// How many different packets stand in it, whatever varies in them: notations, or packets of a capture.
    #[must_use]
    pub fn entries(&self) -> u64 {
        match &self.source {
            Source::Made(makers) => makers.len() as u64,
            Source::Replay(replay) => replay.rows.len() as u64,
        }
    }

    /// Which versions of IP there are, 4 and 6, as far as the first packets show; of a capture, both.
    #[must_use]
    pub fn versions(&self) -> [bool; 2] {
        match &self.source {
            Source::Made(makers) => {
                let cuts = || makers.iter().filter_map(|m| Cut::of(m.stream().draft()));
                [cuts().any(|c| !c.v6), cuts().any(|c| c.v6)]
            }
            Source::Replay(_) => [true, true],
        }
    }

    /// The destination of the first packet that has one: of a capture the first may well be ARP.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn first_destination(&mut self) -> Result<Option<IpAddr>, Failure> {
        let mut slot = Slot::default();
        let limit = self.limit.replace(self.entries());
        let found = loop {
            match self.next(&mut slot) {
                Ok(true) => {
                    if let Some(to) = slot.cut.and_then(|cut| destination(&slot.bytes, cut)) {
                        break Ok(Some(to));
                    }
                }
                Ok(false) => break Ok(None),
                Err(failure) => break Err(failure),
            }
        };
        self.limit = limit;
        self.restart();
        found
    }

    /// Has the destinations of packets be found, for a raw IP socket.
    pub fn find_destinations(&mut self) {
        self.needs_cut = true;
    }

    /// Makes the next packet. `false`: there is none any more.
    ///
    /// # Errors
    /// It cannot be read, or not be cut.
    pub fn next(&mut self, slot: &mut Slot) -> Result<bool, Failure> {
        if let Some(pieces) = self.pieces.clone() {
            while self.waiting.is_empty() {
                if self.limit.is_some_and(|limit| self.made >= limit) {
                    return Ok(false);
                }
                self.cut_next(slot, &pieces)?;
            }
            if let Some((bytes, cut)) = self.waiting.pop_front() {
                (slot.bytes, slot.cut, slot.made_by) = (bytes, cut, None);
            }
            return Ok(true);
        }
        if self.limit.is_some_and(|limit| self.made >= limit) {
            return Ok(false);
        }
        self.make(slot)?;
        self.made += 1;
        Ok(true)
    }

    fn make(&mut self, slot: &mut Slot) -> Result<(), Failure> {
        let number = self.made;
        match &mut self.source {
            Source::Made(makers) => {
                let count = makers.len().max(1) as u64;
                let (which, number) = match count {
                    1 => (0, number),
                    _ => ((number % count) as usize, number / count),
                };
                let Some(maker) = makers.get(which) else { return Err(Failure::new("there is no packet")) };
                slot.cut = maker.make(number, &mut slot.bytes, slot.made_by == Some(which));
                slot.made_by = Some(which);
                Ok(())
            }
            Source::Replay(replay) => replay.make(number, slot, self.needs_cut),
        }
    }

    fn cut_next(&mut self, slot: &mut Slot, pieces: &Pieces) -> Result<(), Failure> {
        let draft = match &mut self.source {
            Source::Made(makers) => {
                let count = makers.len().max(1) as u64;
                let maker = makers.get((self.made % count) as usize);
                let maker = maker.ok_or_else(|| Failure::new("there is no packet"))?;
                maker.stream().packet(self.made / count)
            }
            Source::Replay(replay) => {
                replay.make(self.made, slot, true)?;
                let link = replay.link_types().first().map_or(u32::MAX, |l| l.0);
                Draft::from_bytes(link, &slot.bytes, false)
            }
        };
        // What fragments have in common must differ from packet to packet.
        let id = (self.made as u32).wrapping_add(self.seed()).wrapping_mul(0x9e37_79b1) >> 16;
        let cut = draft.fragments(pieces, id);
        let cut = cut.map_err(|why| Failure::new(format!("cannot cut packet {}: {why}", self.made + 1)))?;
        self.waiting = cut.iter().map(|d| (d.bytes().to_vec(), Cut::of(d))).collect();
        self.made += 1;
        Ok(())
    }

    /// What is random is decided by it.
    fn seed(&self) -> u32 {
        match &self.source {
            Source::Made(makers) => makers.first().map_or(0, |m| m.stream().seed() as u32),
            Source::Replay(_) => 0,
        }
    }

    /// Goes back to the beginning.
    fn restart(&mut self) {
        (self.made, self.waiting) = (0, VecDeque::new());
    }

    /// Looks at each packet once, before any is sent: which cannot be sent over this interface? At most so many are named.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn check(
        &mut self,
        via: &Via,
        interface: &Interface,
        most: usize,
    ) -> Result<Vec<Unsendable>, Failure> {
        let mut found = Vec::new();
        let limit = self.limit.replace(self.entries());
        let mut slot = Slot::default();
        while found.len() < most {
            let number = self.number_of(self.made);
            let torn = self.torn(self.made);
            let is_there = self.next(&mut slot);
            if !matches!(is_there, Ok(true)) {
                self.limit = limit;
                self.restart();
                return is_there.map(|_| found);
            }
            let why = torn.or_else(|| too_large(&slot, via, interface));
            if let Some(why) = why {
                found.push(Unsendable { number, why });
            }
        }
        self.limit = limit;
        self.restart();
        Ok(found)
    }

    /// Leaves out the packets of a capture that these numbers name.
    pub fn leave_out(&mut self, unsendable: &[Unsendable]) {
        if let Source::Replay(replay) = &mut self.source {
            let out: std::collections::HashSet<u64> = unsendable.iter().map(|u| u.number).collect();
            replay.rows.retain(|row| !out.contains(&(*row as u64 + 1)));
        }
    }

    /// What a person calls the packet of this number.
    fn number_of(&self, number: u64) -> u64 {
        match &self.source {
            Source::Made(_) => number + 1,
            Source::Replay(replay) => replay.rows.get(number as usize).map_or(0, |row| *row as u64 + 1),
        }
    }

    /// Why not all of a packet is in the capture.
    fn torn(&mut self, number: u64) -> Option<String> {
        let Source::Replay(replay) = &mut self.source else { return None };
        let record = replay.reader.record(*replay.rows.get(number as usize)?).ok()?;
        let (here, all) = (record.data.len(), record.original_length as usize);
        (here < all).then(|| format!("only {here} of its {all} bytes were captured"))
    }
}

/// Why a packet is too large for an interface, or has no header to be sent by.
fn too_large(slot: &Slot, via: &Via, interface: &Interface) -> Option<String> {
    let bytes = slot.parcel(via).bytes;
    let mtu = interface.mtu as usize;
    let larger =
        |len: usize| format!("it has {len} bytes, larger than the MTU of {}, {mtu} bytes", interface.name);
    if *via == Via::Ip {
        if slot.cut.is_none() {
            return Some("it has no IP header, so the kernel cannot route it: -i IFACE sends it".into());
        }
        return (bytes.len() > mtu).then(|| larger(bytes.len()) + ": raw sockets never fragment");
    }
    let tagged = matches!(bytes.get(12..14), Some([0x81, 0x00] | [0x88, 0xa8]));
    let header = match WITH_ETHERNET.contains(&interface.arphrd) {
        true if tagged => 18,
        true => 14,
        false => 0,
    };
    // What a card joins or is to split has several packets' length.
    let bundle = if bytes.len() > 2 * mtu { " (offload makes such)" } else { "" };
    (bytes.len() > mtu + header)
        .then(|| larger(bytes.len() - header) + bundle + &format!(", behind {header} bytes of link header"))
}
