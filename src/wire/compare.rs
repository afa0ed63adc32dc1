//! Two packets side by side, field by field: the one that was asked for, and what was seen of it. Pure.
//!
//! The layers of both are aligned; the leaves of a table tile its header, so that with the options, what is carried and
//! the trailer every byte is looked at: where no row differs, the bytes are the same. A packet that an ICMP error quotes
//! is cut (RFC 792: its header and 8 bytes; RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4: as much as there is room
//! for): what is past its end is not quoted, which is no difference.

use super::compare_fields::{layer_rows, lone_rows, rest_rows};
use super::dissect::{Dissection, dissect, dissect_from};
use super::table::{Family, Header};
use super::view::{Layer, LayerView};

/// A packet that is compared: its bytes, and where among them it begins.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// All bytes that there are.
    pub bytes: &'a [u8],
    /// What they are.
    pub found: Dissection,
    /// The first layer that is compared.
    pub first: usize,
    /// What is compared ends here, in bytes.
    pub end: usize,
    /// Why it may end before the packet does.
    pub cut: Option<Cut>,
    /// The capture says that the transport checksum was left to the network card.
    pub left_to_card: bool,
}

/// Why bytes of a packet are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Another packet quotes only its beginning.
    Quoted,
    /// The capture kept only its beginning.
    Captured,
}

impl Cut {
    /// What stands in the place of a value.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Quoted => "not quoted",
            Self::Captured => "not captured",
        }
    }
}

impl<'a> Side<'a> {
    /// A packet that begins with this header, as a receiver would read it.
    #[must_use]
    pub fn of(first: Option<&'static Header>, bytes: &'a [u8]) -> Self {
        let found = dissect_from(first, bytes);
        Self { bytes, found, first: 0, end: bytes.len(), cut: None, left_to_card: false }
    }

    /// A packet of a capture, of this link type; of `original` bytes on the wire.
    #[must_use]
    pub fn captured(link_type: u32, bytes: &'a [u8], original: usize) -> Self {
        let cut = (original > bytes.len()).then_some(Cut::Captured);
        let found = dissect(link_type, bytes);
        Self { bytes, found, first: 0, end: bytes.len(), cut, left_to_card: false }
    }

    /// The same from its network header on, where it has one.
    #[must_use]
    pub fn from_network(mut self) -> Self {
        self.first = self.found.layers.iter().position(|l| l.header.network).unwrap_or(0);
        self
    }

    /// The packet that this one quotes; `None`: it quotes none.
    #[must_use]
    pub fn quote(mut self) -> Option<Self> {
        let first = self.found.layers.iter().position(|l| l.quoted)?;
        let start = self.found.layers[first].start;
        self.end = self.end.min(self.found.payload.end.max(start));
        // What stands behind the quoted bytes and belongs to the message itself (RFC 4884) is none of them.
        if let Some(index) = first.checked_sub(1) {
            let own = self.found.view(self.bytes, index).readings().unwrap_or_default();
            let behind = own.list.iter().map(|r| r.bits.start / 8).filter(|at| *at > start).min();
            self.end = behind.map_or(self.end, |at| self.end.min(at));
        }
        (self.first, self.cut) = (first, Some(Cut::Quoted));
        Some(self)
    }

    /// Offset of its first byte.
    #[must_use]
    pub fn start(&self) -> usize {
        self.found.layers.get(self.first).map_or(0, |l| l.start)
    }

    pub(super) fn view(&self, index: usize) -> LayerView<'_> {
        self.found.view(self.bytes, index)
    }

    pub(super) fn layers(&self) -> &[Layer] {
        self.found.layers.get(self.first..).unwrap_or_default()
    }

    /// What it carries that no table describes.
    pub(super) fn payload(&self) -> &'a [u8] {
        let range = &self.found.payload;
        self.bytes.get(range.start.min(self.end)..range.end.min(self.end)).unwrap_or_default()
    }

    /// What stands past the length that it says. Of a quoted packet nothing: that belongs to the packet which quotes it.
    pub(super) fn trailer(&self) -> &'a [u8] {
        if self.cut == Some(Cut::Quoted) {
            return &[];
        }
        self.bytes.get(self.found.trailer.clone()).unwrap_or_default()
    }
}

/// How the packet came to where it was seen: what is to be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// It was handed to a raw IP socket: the kernel puts the link header before it, and writes into the IP header.
    pub raw_socket: bool,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as it was asked for.
    Same,
    /// It is another.
    Changed,
    /// Only what was seen has it.
    Added,
    /// Only what was asked for has it.
    Missing,
    /// It stands past the end of what is there.
    Cut,
}

/// One value of both packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key, such as `ip.ttl`; empty for plain bytes.
    pub key: String,
    /// What it is, in the words of the standard.
    pub label: String,
    /// What was asked for; `None`: there is none.
    pub asked: Option<String>,
    /// What was seen; `None`: there is none, or it is cut.
    pub seen: Option<String>,
    /// What became of it.
    pub change: Change,
    /// Why, where that is known.
    pub why: Option<String>,
}

impl Row {
    /// Whether it is not as it was asked for.
    #[must_use]
    pub fn differs(&self) -> bool {
        matches!(self.change, Change::Changed | Change::Added | Change::Missing)
    }
}

/// A layer of both packets, or of one.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its table; `None`: what stands behind all layers.
    pub header: Option<&'static Header>,
    /// Which of the packets have it.
    pub change: Change,
    /// Why only one of them has it.
    pub why: Option<&'static str>,
    /// That only one has it is what was asked for: no difference.
    pub expected: bool,
    /// Its values.
    pub rows: Vec<Row>,
}

impl Section {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.header.map_or("Data", |h| h.name)
    }

    /// In a few letters.
    #[must_use]
    pub fn short(&self) -> &'static str {
        self.header.map_or("Data", |h| h.short)
    }

    /// A layer that only one of the packets has.
    #[must_use]
    pub fn is_lone(&self) -> bool {
        self.header.is_some() && self.change != Change::Same
    }

    /// How many differences it has: one that only one packet has is one.
    #[must_use]
    pub fn differences(&self) -> usize {
        match (self.is_lone(), self.expected || self.change == Change::Cut) {
            (true, expected) => usize::from(!expected),
            (false, _) => self.rows.iter().filter(|row| row.differs()).count(),
        }
    }
}

/// Two packets side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Layer by layer, then what stands behind them.
    pub sections: Vec<Section>,
    /// Why what was seen may end early.
    pub cut: Option<Cut>,
}

impl Comparison {
    /// How many differences there are.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.sections.iter().map(Section::differences).sum()
    }

    /// How many values of what was asked for stand past the end of what was seen.
    #[must_use]
    pub fn not_there(&self) -> usize {
        let rows = self.sections.iter().flat_map(|s| &s.rows);
        rows.filter(|row| row.change == Change::Cut).count()
    }

    /// The values that differ, and layers that only one packet has.
    pub fn changed(&self) -> impl Iterator<Item = (&Section, &Row)> {
        let all = self.sections.iter().filter(|s| !s.is_lone());
        all.flat_map(|s| s.rows.iter().filter(|r| r.differs()).map(move |r| (s, r)))
    }

    /// The layers that only one packet has.
    pub fn lone(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|s| s.is_lone() && s.change != Change::Cut)
    }
}

/// Compares two packets.
#[must_use]
pub fn compare(asked: &Side<'_>, seen: &Side<'_>, way: Way) -> Comparison {
    let pairs = align(asked, seen);
    let mut sections = Vec::with_capacity(pairs.len() + 1);
    // Behind the last layer that both have, what was seen may just have ended.
    let last = pairs.iter().rposition(|pair| matches!(pair, (Some(_), Some(_))));
    let ends = seen.cut.is_some() && seen.payload().is_empty();
    for (at, pair) in pairs.iter().enumerate() {
        let ended = ends && last.is_none_or(|last| at > last);
        sections.push(match *pair {
            (Some(a), Some(s)) => Section {
                header: Some(asked.found.layers[a].header),
                change: Change::Same,
                why: None,
                expected: false,
                rows: layer_rows((asked, a), (seen, s), way),
            },
            (Some(a), None) => asked_only(asked, a, ended, way),
            (None, Some(s)) => seen_only(seen, s, way),
            (None, None) => continue,
        });
    }
    let rows = rest_rows(asked, seen);
    if !rows.is_empty() {
        sections.push(Section { header: None, change: Change::Same, why: None, expected: false, rows });
    }
    Comparison { sections, cut: seen.cut }
}

fn asked_only(asked: &Side<'_>, index: usize, ended: bool, way: Way) -> Section {
    let layer = &asked.found.layers[index];
    let before = asked.found.layers.iter().position(|l| l.header.network).is_some_and(|n| index < n);
    let (change, why, expected) = match () {
        () if ended => (Change::Cut, None, false),
        () if way.raw_socket && before => {
            (Change::Missing, Some("not sent: a raw IP socket begins with the IP header"), true)
        }
        () => (Change::Missing, Some("only in what was asked for"), false),
    };
    Section { header: Some(layer.header), change, why, expected, rows: lone_rows(asked, index, change) }
}

fn seen_only(seen: &Side<'_>, index: usize, way: Way) -> Section {
    let layer = &seen.found.layers[index];
    let link = layer.header.family == Family::Link;
    let (why, expected) = match link && way.raw_socket {
        true => ("put before the packet by the kernel, which routes it", true),
        false => ("only in what was seen", false),
    };
    let rows = lone_rows(seen, index, Change::Added);
    Section { header: Some(layer.header), change: Change::Added, why: Some(why), expected, rows }
}

/// Layers of both that belong together, by their place; of those that only one has, the other is none.
type Pair = (Option<usize>, Option<usize>);

/// Aligns the layers: as many pairs of one table as there can be, in their order, and of these ways the one in which the
/// most bytes agree (the inner of two IP headers is that of the packet which was put into a tunnel).
fn align(asked: &Side<'_>, seen: &Side<'_>) -> Vec<Pair> {
    const PAIR: usize = 1 << 20;
    let (a, s) = (asked.layers(), seen.layers());
    let worth = |i: usize, j: usize| -> usize {
        if a[i].header.key != s[j].header.key {
            return 0;
        }
        let bytes = |side: &Side<'_>, layer: &Layer| {
            side.bytes.get(layer.header_range()).unwrap_or_default().to_vec()
        };
        let (one, other) = (bytes(asked, &a[i]), bytes(seen, &s[j]));
        PAIR + one.iter().zip(&other).filter(|(x, y)| x == y).count()
    };
    // best[i][j]: what the layers from i and j on are worth.
    let mut best = vec![vec![0usize; s.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..s.len()).rev() {
            let worth = worth(i, j);
            let paired = if worth > 0 { worth + best[i + 1][j + 1] } else { 0 };
            best[i][j] = paired.max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() || j < s.len() {
        let both = i < a.len() && j < s.len();
        let here = if both { worth(i, j) } else { 0 };
        if here > 0 && best[i][j] == here + best[i + 1][j + 1] {
            pairs.push((Some(asked.first + i), Some(seen.first + j)));
            (i, j) = (i + 1, j + 1);
        } else if j == s.len() || both && best[i][j] == best[i + 1][j] {
            pairs.push((Some(asked.first + i), None));
            i += 1;
        } else {
            pairs.push((None, Some(seen.first + j)));
            j += 1;
        }
    }
    pairs
}
