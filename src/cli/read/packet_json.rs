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
    captured: u32,
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

/// Writes the line.
///
/// # Errors
/// Those of `out`.
pub fn write(packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let bytes = packet.bytes;
    let found = dissect(packet.link_type(), bytes);
    let row = summary::row_of(bytes, &found);
    let hex = |range: std::ops::Range<usize>| value::hex_pairs(bytes.get(range).unwrap_or_default());
    let line = Line {
        number: packet.number,
        time_ns: packet.entry.has_time().then_some(packet.entry.timestamp_ns),
        interface: packet.interface.and_then(|i| i.name.as_deref()),
        link_type: packet.link_type(),
        length: packet.entry.original,
        captured: packet.entry.captured,
        source: row.source,
        destination: row.destination,
        protocol: row.protocol,
        info: row.info,
        layers: json::captured_layers(bytes, &found.layers, packet.left_to_card()),
        payload: hex(found.payload.clone()),
        trailer: hex(found.trailer.clone()),
        stop: found.stop.map(|s| StopLine { at: s.at, why: s.why }),
        bytes: value::hex_pairs(bytes),
    };
    json::write_line(&line, out)
}
