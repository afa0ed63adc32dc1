//! One datagram that comes in fragments: what is there, what is missing, and how the whole is put together.

use std::ops::Range;

use super::bits;
use super::checksum;
use super::dissect::dissect_from;
use super::reassembly::{Missing, Origin, Part, State, Whole};
use super::reassembly_fragment::{Fragment, within};
use super::table::{Compute, Coverage, Header};

/// Bytes of the longest datagram: what a length of 16 bits can say (RFC 791 section 3.1; RFC 8200 section 3).
pub(super) const MOST_BYTES: usize = 65_535;
/// Fragments of one datagram: of 8 bytes each they are enough for the longest.
const MOST_FRAGMENTS: usize = 8192;
/// Bytes that the fragments of one datagram may hold: duplicates and overlaps are held too.
const MOST_HELD: usize = 1024 * 1024;

/// Missing ranges that are told of.
const MOST_MISSING: usize = 32;

/// A fragment that was taken.
struct Piece {
    packet: usize,
    offset: usize,
    data: Vec<u8>,
}

impl Piece {
    fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.data.len()
    }
}

/// A datagram in work.
pub(super) struct Work {
    pub serial: u64,
    pub network: &'static Header,
    pub id: String,
    /// In the order in which they came.
    pieces: Vec<Piece>,
    /// What no piece covers, rising (RFC 815).
    holes: Vec<Range<usize>>,
    /// Where the first last piece that came ends.
    end: Option<usize>,
    /// The headers of the whole, and whether the transport checksum in the piece behind them was left to the card.
    head: Option<(Vec<u8>, bool)>,
    /// Why nothing can be made of it any more.
    pub void: Option<String>,
    /// That is because too much is held for it.
    pub crowded: bool,
    /// Bytes that it holds.
    pub held: usize,
}

impl Work {
    pub fn new(serial: u64, fragment: &Fragment<'_>) -> Self {
        Self {
            serial,
            network: fragment.network,
            id: fragment.id.clone(),
            pieces: Vec::new(),
            holes: std::iter::once(0..MOST_BYTES + 1).collect(),
            end: None,
            head: None,
            void: None,
            crowded: false,
            held: 0,
        }
    }

    /// How many fragments there are.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Takes a fragment.
    ///
    /// # Errors
    /// It is not taken, and why.
    pub fn take(&mut self, fragment: &Fragment<'_>, from: &Origin) -> Result<(), String> {
        if let Some(why) = &self.void {
            return Err(why.clone());
        }
        let end = fragment.offset + fragment.data.len();
        let range = fragment.offset..end;
        if fragment.head_len.saturating_add(end) > self.most(fragment) {
            return Err(format!(
                "it ends at byte {end}: with its headers the whole would have more than the {MOST_BYTES} bytes that its \
                 length can say"
            ));
        }
        if self.pieces.len() == MOST_FRAGMENTS || self.held + range.len() > MOST_HELD {
            let (count, held) = (self.pieces.len(), self.held);
            self.crowded = true;
            return self
                .give_up(format!("{count} fragments with {held} bytes are held for it, and no more are"));
        }
        if fragment.rule.overlap_voids {
            self.check(fragment, &range)?;
        }
        if !fragment.more && self.end.is_none() {
            self.end = Some(end);
        }
        if fragment.offset == 0 && self.head.is_none() {
            self.head = fragment.head().map(|head| (head, from.left_to_card));
        }
        self.cover(&range);
        self.held += range.len();
        let piece = Piece { packet: from.packet, offset: fragment.offset, data: fragment.data.to_vec() };
        self.pieces.push(piece);
        Ok(())
    }

    /// Bytes that the whole may have. A payload length does not count the header that it stands in.
    fn most(&self, fragment: &Fragment<'_>) -> usize {
        MOST_BYTES + fragment.network.extent.map_or(0, |e| e.beyond)
    }

    /// RFC 8200 section 4.5, RFC 5722: pieces but the last are of whole units, and what overlaps makes the whole void,
    /// but for a piece that came twice.
    fn check(&mut self, fragment: &Fragment<'_>, range: &Range<usize>) -> Result<(), String> {
        if fragment.more && !range.len().is_multiple_of(fragment.rule.unit) {
            let unit = fragment.rule.unit;
            return Err(format!(
                "it is not the last, and its {} bytes are no multiple of {unit}: receivers drop it",
                range.len()
            ));
        }
        let past_the_end =
            self.end.is_some_and(|end| range.end > end || (!fragment.more && range.end != end));
        let before_the_end = !fragment.more && self.pieces.iter().any(|p| p.range().end > range.end);
        if past_the_end || before_the_end {
            return self
                .give_up("its fragments disagree about where it ends: receivers drop all of them".into());
        }
        if self.holes.iter().any(|hole| hole.start <= range.start && range.end <= hole.end) {
            return Ok(());
        }
        if self.pieces.iter().any(|p| p.offset == range.start && p.data == fragment.data) {
            return Ok(());
        }
        let other = self.pieces.iter().find(|p| p.range().start < range.end && range.start < p.range().end);
        let other = other.map_or(0, |p| p.packet);
        self.give_up(format!(
            "its fragments overlap (see packet #{other}): receivers drop all of them (RFC 5722)"
        ))
    }

    /// Nothing can come of it any more: it holds nothing, and what still comes of it is told the same.
    fn give_up(&mut self, why: String) -> Result<(), String> {
        self.pieces = Vec::new();
        self.held = 0;
        self.void = Some(why.clone());
        Err(why)
    }

    /// Takes a range out of the holes.
    fn cover(&mut self, range: &Range<usize>) {
        let first = self.holes.partition_point(|hole| hole.end <= range.start);
        let past = self.holes.partition_point(|hole| hole.start < range.end);
        let Some(touched) = self.holes.get(first..past) else { return };
        let left = touched.first().map(|hole| hole.start..range.start);
        let right = touched.last().map(|hole| range.end..hole.end);
        let rest: Vec<_> = left.into_iter().chain(right).filter(|hole| !hole.is_empty()).collect();
        self.holes.splice(first..past, rest);
    }

    pub fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.holes.first().is_none_or(|hole| hole.start >= end))
    }

    /// What is not there, up to the end where that is known: the first ranges of it, and how many there are.
    pub fn missing(&self) -> State {
        let end = self.end.unwrap_or(MOST_BYTES + 1);
        let ranges = self.holes.partition_point(|hole| hole.start < end);
        let inside = self.holes.iter().take(ranges.min(MOST_MISSING));
        let until = |hole: &Range<usize>| Some(hole.end.min(end)).filter(|end| *end <= MOST_BYTES);
        let missing = inside.map(|hole| Missing { start: hole.start, end: until(hole) }).collect();
        State::Waiting { missing, ranges }
    }

    /// The fragments by their places, and the bytes that they come to from the first on without a gap. Where fragments
    /// overlap, the bytes of the one that begins first stand, of those that begin at one place the first that came:
    /// so does Wireshark.
    pub fn join(&self) -> (Vec<Part>, Vec<u8>) {
        let mut pieces: Vec<&Piece> = self.pieces.iter().collect();
        pieces.sort_by_key(|piece| piece.offset);
        let end = self.end.unwrap_or(MOST_BYTES);
        let mut data: Vec<u8> = Vec::new();
        let mut at = 0;
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let range = piece.range();
            let same = (range.start..range.end.min(at)).len();
            let conflict = data.get(range.start..range.start + same) != piece.data.get(..same);
            let gave = range.start.max(at).min(end)..range.end.max(at).min(end);
            if at < range.start {
                // Only where something is missing, and then nobody looks at the bytes.
                data.resize(range.start.min(end), 0);
            }
            if let Some(new) =
                piece.data.get(gave.start.saturating_sub(range.start)..gave.end.saturating_sub(range.start))
            {
                data.extend_from_slice(new);
            }
            at = at.max(gave.end);
            parts.push(Part {
                packet: piece.packet,
                overlap: same > 0,
                conflict: same > 0 && conflict,
                past_end: range.end > end,
                range,
                gave,
            });
        }
        (parts, data)
    }

    /// The whole, as a packet that dissects by itself.
    ///
    /// # Errors
    /// Why it can be none.
    pub fn whole(&self, data: &[u8]) -> Result<Whole, String> {
        let Some((head, left_to_card)) = &self.head else {
            return Err("the headers of its first fragment name nothing that could follow them".into());
        };
        let mut bytes = head.clone();
        bytes.extend_from_slice(data);
        let Some(extent) = self.network.extent else {
            return Err(format!("{} has no length to be set", self.network.name));
        };
        let said = bytes.len().saturating_sub(extent.beyond) / extent.by.scale as usize;
        if !bits::set(&mut bytes, within(extent.by, 0), said as u128) {
            return Err(format!(
                "with its headers it has {} bytes, more than its {} can say",
                bytes.len(),
                extent.by.label
            ));
        }
        let found = dissect_from(Some(self.network), &bytes);
        if let Some(field) = checksum_of_header(self.network)
            && let Some(sum) = checksum::compute(&bytes, &found.layers, 0)
        {
            bits::set(&mut bytes, field, u128::from(sum)).then_some(()).ok_or("its checksum does not fit")?;
        }
        Ok(Whole { network: self.network, bytes, head: head.len(), left_to_card: *left_to_card, found })
    }
}

/// The bits of the checksum that covers the first header alone.
fn checksum_of_header(network: &'static Header) -> Option<bits::BitRange> {
    let covers_header = |compute: Option<Compute>| {
        matches!(compute, Some(Compute::Checksum { coverage: Coverage::Header, .. }))
    };
    network.leaves().find(|f| covers_header(f.compute)).map(|f| within(f, 0))
}
