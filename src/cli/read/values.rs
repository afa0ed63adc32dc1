//! `-e`: values of fields, tab-separated, as tshark 4.0 prints them with `-T fields`.

use std::io::Write;

use super::Packet;
use super::list::difference;
use crate::cli::keys::{FrameKey, Meaning};
use crate::wire::bits;
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::table::{Field, Header};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// Writes the line of a packet.
///
/// # Errors
/// Those of `out`.
pub fn write_line(meanings: &[Meaning], packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let found = dissect(packet.link_type(), packet.bytes);
    for (i, meaning) in meanings.iter().enumerate() {
        if i > 0 {
            out.write_all(b"\t")?;
        }
        out.write_all(values(meaning, packet, &found).join(",").as_bytes())?;
    }
    writeln!(out)
}

/// Every occurrence of a key in a packet, in the order of the bytes.
fn values(meaning: &Meaning, packet: &Packet<'_>, found: &Dissection) -> Vec<String> {
    let bytes = packet.bytes;
    let views = |header: &'static Header| {
        let layers = found.layers.iter().enumerate().filter(move |(_, l)| l.header.key == header.key);
        layers.map(|(index, _)| found.view(bytes, index))
    };
    match *meaning {
        Meaning::Frame(key) => frame(key, packet).into_iter().collect(),
        Meaning::Field { header, key, scale } => {
            views(header).filter_map(|v| v.field(key).map(|f| scaled(&f, scale, bytes))).collect()
        }
        Meaning::Ends { header, keys } => views(header)
            .flat_map(|v| keys.into_iter().filter_map(move |k| v.field(k)))
            .map(|f| f.text(bytes))
            .collect(),
        Meaning::ItemField { header, key } => views(header).flat_map(|v| item_values(&v, key)).collect(),
        Meaning::Items(header) => views(header)
            .map(|v| v.items_range())
            .filter(|range| !range.is_empty())
            .map(|range| value::hex_plain(bytes.get(range).unwrap_or_default()))
            .collect(),
        Meaning::Payload(header) => {
            views(header).map(|v| v.payload()).filter(|p| !p.is_empty()).map(value::hex_plain).collect()
        }
        Meaning::PayloadLength(header) => {
            views(header).filter(whole).map(|v| v.payload_len().to_string()).collect()
        }
    }
}

/// Whether the fixed part of the header is there.
fn whole(view: &LayerView<'_>) -> bool {
    view.layer().len >= view.layer().header.min_len()
}

fn item_values(view: &LayerView<'_>, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    for span in view.items() {
        let fields = span.fields().into_iter().filter(|(_, _, f, _)| f.key == key);
        all.extend(fields.map(|(_, _, field, bits)| value::text(field, view.bytes, bits)));
    }
    all
}

/// The value in the unit that the name stands for: `tcp.hdr_len` in bytes, `tcp.data_offset` in words.
fn scaled(located: &Located, scale: u32, bytes: &[u8]) -> String {
    let field: &Field = located.field;
    if scale == field.scale {
        return located.text(bytes);
    }
    bits::get(bytes, located.bits).map(|v| (v * u128::from(scale)).to_string()).unwrap_or_default()
}

fn frame(key: FrameKey, packet: &Packet<'_>) -> Option<String> {
    let entry = packet.entry;
    let since = |before: u64| {
        let (sign, ns) = difference(entry.timestamp_ns, before);
        format!("{sign}{}", seconds(ns))
    };
    match key {
        FrameKey::Number => Some(packet.number.to_string()),
        FrameKey::Length => Some(entry.original.to_string()),
        FrameKey::Captured => Some(entry.captured.to_string()),
        _ if !entry.has_time() => None,
        FrameKey::TimeEpoch => Some(seconds(entry.timestamp_ns)),
        FrameKey::TimeRelative => Some(since(packet.first_ns)),
        FrameKey::TimeDelta => Some(since(packet.previous_ns)),
    }
}

fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}
