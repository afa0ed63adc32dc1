//! A packet with what is known of it, as a list row and as a line of JSON.

use std::io::Write;

use serde::Serialize;

use super::json::{self, LayerLine};
use super::reassembled::{self, ReassembledLine};
use crate::filter::values::seconds_between;
use crate::filter::{self, Facts};
use crate::pcap::InterfaceInfo;
use crate::wire::dissect::{Dissection, Stop};
use crate::wire::flow::Told;
use crate::wire::reassembly::Datagram;
use crate::wire::summary;
use crate::wire::value;

/// A packet of a file or of a running capture.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its number, from 1 on.
    pub number: usize,
    /// Nanoseconds since the Unix epoch, where they are known.
    pub time_ns: Option<u64>,
    /// Length on the wire, in bytes.
    pub original: u32,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// The system had left the transport checksum to the card.
    pub left_to_card: bool,
    /// The interface that it was captured on.
    pub interface: Option<&'a InterfaceInfo>,
    /// Time of the first packet that has one, in nanoseconds.
    pub first_ns: u64,
    /// Time of the packet before, in nanoseconds.
    pub previous_ns: u64,
    /// What is known of it from the packets before, where that was asked for.
    pub flows: &'a [Told],
}

/// The line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    link_type: u32,
    /// On the wire.
    length: u32,
    captured: usize,
    source: String,
    destination: String,
    protocol: &'static str,
    info: String,
    layers: Vec<LayerLine>,
    payload: String,
    trailer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<StopLine>,
    bytes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reassembled: Option<ReassembledLine>,
}

/// Where and why the layers end early.
#[derive(Debug, Serialize)]
pub(super) struct StopLine {
    at: usize,
    why: String,
}

impl From<&Stop> for StopLine {
    fn from(stop: &Stop) -> Self {
        Self { at: stop.at, why: stop.why.clone() }
    }
}

impl Packet<'_> {
    /// The link type, as capture files number it.
    #[must_use]
    pub fn link_type(&self) -> u32 {
        self.interface.map_or(u32::MAX, |i| i.link_type.0)
    }

    /// The packet as keys are looked up in it.
    #[must_use]
    pub fn keyed<'b>(&'b self, found: &'b Dissection) -> filter::Packet<'b> {
        let facts = Facts {
            number: self.number as u64,
            original: self.original,
            time_ns: self.time_ns,
            first_ns: self.first_ns,
            previous_ns: self.previous_ns,
            interface: None,
            link_type: self.link_type(),
            left_to_card: self.left_to_card,
        };
        filter::Packet { bytes: self.bytes, found, facts, flows: self.flows }
    }

    /// Writes the row: number, time, source, destination, protocol, length, info.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_row(&self, out: &mut impl Write) -> std::io::Result<()> {
        let row = summary::row(self.link_type(), self.bytes);
        let time = self.time_ns.map_or_else(|| "-".into(), |t| seconds_between(self.first_ns, t, 6));
        let line = format!(
            "{:>6} {time:>11} {:<15} {:<15} {:<8} {:>5} {}",
            self.number, row.source, row.destination, row.protocol, self.original, row.info
        );
        writeln!(out, "{}", line.trim_end())
    }

    /// Writes the line of JSON, with the datagrams that the packet is a fragment of, the outermost first.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(
        &self,
        found: &Dissection,
        datagrams: &[Datagram],
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let row = summary::row_of(self.bytes, found);
        let hex = |range: std::ops::Range<usize>| value::hex_pairs(self.bytes.get(range).unwrap_or_default());
        let line = Line {
            number: self.number,
            time_ns: self.time_ns,
            interface: self.interface.and_then(|i| i.name.as_deref()),
            link_type: self.link_type(),
            length: self.original,
            captured: self.bytes.len(),
            source: row.source,
            destination: row.destination,
            protocol: row.protocol,
            info: row.info,
            layers: json::captured_layers(self.bytes, &found.layers, self.left_to_card, self.flows),
            payload: hex(found.payload.clone()),
            trailer: hex(found.trailer.clone()),
            stop: found.stop.as_ref().map(StopLine::from),
            bytes: value::hex_pairs(self.bytes),
            reassembled: reassembled::line(datagrams),
        };
        json::write_line(&line, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_before_the_first_has_a_negative_time() {
        assert_eq!(seconds_between(1_500_000_000, 0, 6), "-1.500000");
        assert_eq!(seconds_between(0, 1_999_999_999, 6), "1.999999");
        assert_eq!(seconds_between(0, 1_999_999_999, 9), "1.999999999");
    }
}
