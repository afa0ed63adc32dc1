//! Datagrams that come in fragments, as JSON.

use serde::Serialize;

use super::json::{self, LayerLine};
use super::packet::StopLine;
use crate::wire::reassembly::{Datagram, Missing, Part, State, Whole};
use crate::wire::value;

/// A datagram, as far as it is there with the packet in whose line it stands.
#[derive(Debug, Serialize)]
pub struct ReassembledLine {
    protocol: &'static str,
    id: String,
    complete: bool,
    /// How many fragments are there.
    fragments: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
    /// The first of the ranges that are missing, and how many there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<MissingLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_ranges: Option<usize>,
    /// Why nothing comes of it, or of this fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(flatten)]
    whole: Option<WholeLine>,
    /// The datagram that this one is a fragment of.
    #[serde(skip_serializing_if = "Option::is_none")]
    reassembled: Option<Box<ReassembledLine>>,
}

/// What a fragment has: bytes `start..end` of what stands behind the headers of the whole.
#[derive(Debug, Serialize)]
struct PartLine {
    packet: usize,
    start: usize,
    end: usize,
    /// How many of them stand in the whole.
    used: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    overlap: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    conflict: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    past_end: bool,
}

/// `end` is null where nothing says where the whole ends.
#[derive(Debug, Serialize)]
struct MissingLine {
    start: usize,
    end: Option<usize>,
}

#[derive(Debug, Serialize)]
struct WholeLine {
    /// Without its headers.
    length: usize,
    /// Bytes of its headers.
    header: usize,
    layers: Vec<LayerLine>,
    payload: String,
    trailer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<StopLine>,
    /// Headers included.
    bytes: String,
}

/// The object for these datagrams, each a fragment of the next; `None` where there is none.
#[must_use]
pub fn line(datagrams: &[Datagram]) -> Option<ReassembledLine> {
    let (first, rest) = datagrams.split_first()?;
    let (missing, ranges, problem) = match &first.state {
        State::Whole(_) => (&[][..], None, None),
        State::Waiting { missing, ranges } => (missing.as_slice(), Some(*ranges), None),
        State::Dropped(why) => (&[][..], None, Some(why.clone())),
    };
    Some(ReassembledLine {
        protocol: first.network.key,
        id: first.id.clone(),
        complete: first.whole().is_some(),
        fragments: first.fragments,
        parts: first.parts.iter().map(PartLine::from).collect(),
        notes: first.notes(),
        missing: missing.iter().map(MissingLine::from).collect(),
        missing_ranges: ranges,
        problem,
        whole: first.whole().map(WholeLine::from),
        reassembled: line(rest).map(Box::new),
    })
}

impl From<&Part> for PartLine {
    fn from(part: &Part) -> Self {
        Self {
            packet: part.packet,
            start: part.range.start,
            end: part.range.end,
            used: part.gave.len(),
            overlap: part.overlap,
            conflict: part.conflict,
            past_end: part.past_end,
        }
    }
}

impl From<&Missing> for MissingLine {
    fn from(missing: &Missing) -> Self {
        Self { start: missing.start, end: missing.end }
    }
}

impl From<&Whole> for WholeLine {
    fn from(whole: &Whole) -> Self {
        let hex = |range: &std::ops::Range<usize>| {
            value::hex_pairs(whole.bytes.get(range.clone()).unwrap_or_default())
        };
        Self {
            length: whole.bytes.len() - whole.head,
            header: whole.head,
            layers: json::captured_layers(&whole.bytes, &whole.found.layers, whole.left_to_card, &[]),
            payload: hex(&whole.found.payload),
            trailer: hex(&whole.found.trailer),
            stop: whole.found.stop.as_ref().map(StopLine::from),
            bytes: value::hex_pairs(&whole.bytes),
        }
    }
}
