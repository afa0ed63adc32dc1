//! `--json`: a line of JSON for each packet.

use std::io::Write;

use serde::Serialize;

use super::Packet;
use crate::cli::json::{self, LayerLine};
use crate::wire::dissect::dissect;
use crate::wire::summary;
use crate::wire::value;

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
}

/// Where and why the layers end early.
#[derive(Serialize)]
struct StopLine {
    at: usize,
    why: String,
}

/// A packet and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// Position, from 1 on.
    pub number: usize,
    /// Nanoseconds since 1970, where there is a time.
    pub time_ns: Option<u64>,
    /// Name of the interface.
    pub interface: Option<&'a str>,
    /// As capture files number it.
    pub link_type: u32,
    /// Length on the wire.
    pub length: u32,
    /// The transport checksum was left to the card.
    pub left_to_card: bool,
    /// The bytes that were kept.
    pub bytes: &'a [u8],
}

/// Writes the line of a packet of a file.
///
/// # Errors
/// Those of `out`.
pub fn write(packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let captured = Captured {
        number: packet.number,
        time_ns: packet.entry.has_time().then_some(packet.entry.timestamp_ns),
        interface: packet.interface.and_then(|i| i.name.as_deref()),
        link_type: packet.link_type(),
        length: packet.entry.original,
        left_to_card: packet.left_to_card(),
        bytes: packet.bytes,
    };
    write_captured(&captured, out)
}

/// Writes the line of any packet.
///
/// # Errors
/// Those of `out`.
pub fn write_captured(packet: &Captured<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let bytes = packet.bytes;
    let found = dissect(packet.link_type, bytes);
    let row = summary::row_of(bytes, &found);
    let hex = |range: std::ops::Range<usize>| value::hex_pairs(bytes.get(range).unwrap_or_default());
    let line = Line {
        number: packet.number,
        time_ns: packet.time_ns,
        interface: packet.interface,
        link_type: packet.link_type,
        length: packet.length,
        captured: bytes.len(),
        source: row.source,
        destination: row.destination,
        protocol: row.protocol,
        info: row.info,
        layers: json::captured_layers(bytes, &found.layers, packet.left_to_card),
        payload: hex(found.payload.clone()),
        trailer: hex(found.trailer.clone()),
        stop: found.stop.map(|s| StopLine { at: s.at, why: s.why }),
        bytes: value::hex_pairs(bytes),
    };
    json::write_line(&line, out)
}
