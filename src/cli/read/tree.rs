//! `-V`: every layer and field as a tree, in Wireshark's manner.

use std::io::Write;

use crate::cli::packet::Packet;
use crate::filter::values::seconds_between;
use crate::wire::bits::BitRange;
use crate::wire::checksum;
use crate::wire::dissect::Dissection;
use crate::wire::flow::{self, Told};
use crate::wire::items::ItemSpan;
use crate::wire::reassembly::Datagram;
use crate::wire::table::{Compute, Field, Kind};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// Bytes of payload on a line.
const BYTES: usize = 32;

/// Writes the tree of a packet, with the datagrams that it is a fragment of, and an empty line.
///
/// # Errors
/// Those of `out`.
pub fn write(
    packet: &Packet<'_>,
    found: &Dissection,
    datagrams: &[Datagram],
    out: &mut impl Write,
) -> std::io::Result<()> {
    frame(packet, out)?;
    layers(packet.bytes, found, packet.left_to_card, packet.flows, out)?;
    if found.layers.is_empty() {
        let name = packet.interface.map_or_else(|| "?".into(), |i| i.link_type.to_string());
        writeln!(out, "[No table describes {name}]")?;
    }
    for datagram in datagrams {
        reassembled(datagram, out)?;
    }
    writeln!(out)
}

fn layers(
    bytes: &[u8],
    found: &Dissection,
    left_to_card: bool,
    flows: &[Told],
    out: &mut impl Write,
) -> std::io::Result<()> {
    for index in 0..found.layers.len() {
        layer(&found.view(bytes, index), left_to_card, out)?;
        for told in flows.iter().filter(|told| usize::from(told.layer) == index) {
            generated(told, out)?;
        }
    }
    rest(bytes, found, out)?;
    match &found.stop {
        Some(stop) => writeln!(out, "[Stopped at byte {}: {}]", stop.at, stop.why),
        None => Ok(()),
    }
}

/// A datagram that this packet is a fragment of: its fragments and its layers, or what keeps it from being whole.
fn reassembled(datagram: &Datagram, out: &mut impl Write) -> std::io::Result<()> {
    let Some(whole) = datagram.whole() else { return writeln!(out, "[{}]", datagram.title()) };
    writeln!(out, "{}", datagram.title())?;
    for part in &datagram.parts {
        writeln!(out, "    Packet #{}: {}", part.packet, part.text())?;
    }
    for note in datagram.notes() {
        writeln!(out, "    [{note}]")?;
    }
    layers(&whole.bytes, &whole.found, whole.left_to_card, &[], out)
}

/// What stands in no byte of a layer and is known from the packets before.
fn generated(told: &Told, out: &mut impl Write) -> std::io::Result<()> {
    let mut lines = flow::KEYS.iter().filter_map(|key| key.line(told));
    lines.try_for_each(|line| writeln!(out, "    [{line}]"))
}

fn frame(packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let interface = packet.interface.and_then(|i| i.name.as_deref());
    let on = interface.map(|name| format!(" on {name}")).unwrap_or_default();
    writeln!(
        out,
        "Frame {}: {} bytes on wire ({} bits), {} bytes captured ({} bits){on}",
        packet.number,
        packet.original,
        u64::from(packet.original) * 8,
        packet.bytes.len(),
        packet.bytes.len() * 8
    )?;
    if let Some(time) = packet.time_ns {
        writeln!(out, "    Epoch Time: {} seconds", seconds_between(0, time, 9))?;
        let since = seconds_between(packet.first_ns, time, 9);
        writeln!(out, "    Time since first frame: {since} seconds")?;
    }
    Ok(())
}

fn layer(view: &LayerView<'_>, left_to_card: bool, out: &mut impl Write) -> std::io::Result<()> {
    let header = view.layer().header;
    let ends =
        header.ends.map(|(src, dst)| format!(", Src: {}, Dst: {}", view.text(src.key), view.text(dst.key)));
    let quoted = if view.layer().quoted { " [quoted]" } else { "" };
    writeln!(out, "{}{}{quoted}", header.name, ends.unwrap_or_default())?;
    let mut groups: Vec<Located> = Vec::new();
    for found in view.header_fields() {
        groups.retain(|g| g.bits.end() > found.bits.start);
        let indent = 4 * (groups.len() + 1);
        let unit = groups.first().map_or_else(|| whole_bytes(found.bits), |g| whole_nibbles(g.bits));
        let pattern = pattern(view.bytes, found.bits, unit, found.field.group);
        let verdict = verdict(view, &found, left_to_card);
        writeln!(out, "{:indent$}{pattern}{}: {}{verdict}", "", found.field.label, shown(view, &found))?;
        if found.field.group {
            groups.push(found);
        }
    }
    options(view, out)?;
    readings(view, out)
}

/// What the protocol's reader finds.
fn readings(view: &LayerView<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let Some(found) = view.readings() else { return Ok(()) };
    for reading in &found.list {
        let text = reading.value(view.bytes);
        let shown = match reading.meaning(view.bytes) {
            Some(meaning) => format!("{meaning} ({text})"),
            None => text,
        };
        let indent = 4 * (reading.depth + 1);
        writeln!(out, "{:indent$}{}: {shown}", "", reading.field.label)?;
    }
    match &found.stop {
        Some(stop) => writeln!(out, "    [Stopped at byte {}: {}]", stop.at, stop.why),
        None => Ok(()),
    }
}

/// The bytes that the range touches, as bits.
fn whole_bytes(bits: BitRange) -> BitRange {
    let bytes = bits.bytes();
    BitRange { start: bytes.start * 8, width: bytes.len() * 8 }
}

/// The group as it is written: to whole nibbles, as Wireshark does with the 12 bits of TCP's flags.
fn whole_nibbles(group: BitRange) -> BitRange {
    let start = group.start / 4 * 4;
    BitRange { start, width: group.end().next_multiple_of(4) - start }
}

/// `.... ..1. = `: which bits of its surroundings a field is. Empty for fields of whole bytes.
fn pattern(bytes: &[u8], bits: BitRange, unit: BitRange, group: bool) -> String {
    if group || bits.width > 16 || (bits.start.is_multiple_of(8) && bits.width.is_multiple_of(8)) {
        return String::new();
    }
    let mut text = String::new();
    for (i, bit) in (unit.start..unit.end()).enumerate() {
        if i > 0 && i % 4 == 0 {
            text.push(' ');
        }
        let set = bytes.get(bit / 8).is_some_and(|b| b >> (7 - bit % 8) & 1 == 1);
        let inside = (bits.start..bits.end()).contains(&bit);
        text.push(if !inside {
            '.'
        } else if set {
            '1'
        } else {
            '0'
        });
    }
    text + " = "
}

/// The value with its name, its unit, its letters.
fn shown(view: &LayerView<'_>, found: &Located) -> String {
    let field = found.field;
    let text = plain(field, view.bytes, found.bits);
    let Some(stored) = found.stored(view.bytes) else { return text };
    if field.kind == Kind::Flag {
        return if stored == 0 { "Not set".into() } else { "Set".into() };
    }
    if let Some(name) = value::meaning_of(field, stored) {
        return format!("{name} ({text})");
    }
    if field.group {
        let letters = value::letters(view.layer().header.fields, field, stored).filter(|l| !l.is_empty());
        return letters.map_or_else(|| text.clone(), |l| format!("{text} ({l})"));
    }
    if field.scale > 1 { format!("{text} bytes ({stored})") } else { text }
}

fn plain(field: &Field, bytes: &[u8], bits: BitRange) -> String {
    value::text(field, bytes, bits)
}

fn verdict(view: &LayerView<'_>, found: &Located, left_to_card: bool) -> String {
    if !matches!(found.field.compute, Some(Compute::Checksum { .. })) {
        return String::new();
    }
    let verdict = checksum::verdict(view.bytes, view.layers, view.index, left_to_card);
    verdict.map(|v| format!(" [{}]", v.text())).unwrap_or_default()
}

fn options(view: &LayerView<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let range = view.items_range();
    let list = view.layer().header.list(view.header_bytes());
    let Some(list) = list.filter(|_| !range.is_empty()) else { return Ok(()) };
    writeln!(out, "    {}: ({} bytes)", list.label, range.len())?;
    for (index, span) in view.all_items().iter().enumerate() {
        option(view, index, span, out)?;
    }
    Ok(())
}

fn option(view: &LayerView<'_>, index: usize, span: &ItemSpan, out: &mut impl Write) -> std::io::Result<()> {
    let terse = span.terse_text(view.bytes);
    let terse = if terse.is_empty() { String::new() } else { format!(" ({terse})") };
    let indent = 4 * (span.depth + 2);
    writeln!(out, "{:indent$}{}{terse}", "", span.item.name)?;
    let indent = indent + 4;
    for found in view.item_fields(index, span) {
        let named = value::told(found.field, view.bytes, found.bits);
        let text = plain(found.field, view.bytes, found.bits);
        let name = if named == text { text } else { format!("{named} ({text})") };
        writeln!(out, "{:indent$}{}: {name}", "", found.field.label)?;
    }
    if let Some(problem) = &span.problem {
        writeln!(out, "{:indent$}[{problem}]", "")?;
    }
    Ok(())
}

fn rest(bytes: &[u8], found: &Dissection, out: &mut impl Write) -> std::io::Result<()> {
    // What the innermost layer's reader took is no data.
    let read = found.layers.len().checked_sub(1).and_then(|last| found.view(bytes, last).readings());
    let start = read.map_or(found.payload.start, |r| r.end).min(found.payload.end);
    let data = start..found.payload.end;
    for (name, range) in [("Data", &data), ("Trailer", &found.trailer)] {
        let part = bytes.get(range.clone()).unwrap_or_default();
        if part.is_empty() {
            continue;
        }
        writeln!(out, "{name} ({} bytes)", part.len())?;
        for chunk in part.chunks(BYTES) {
            writeln!(out, "    {}", value::hex_plain(chunk))?;
        }
    }
    Ok(())
}
