//! Forms that hold every byte of any packet: a list of bytes with a comment for each field, and a hex dump.

use std::fmt::Write as _;
use std::ops::Range;

use super::CannotSay;
use crate::craft::draft::Draft;
use crate::wire::table::{Kind, Space};
use crate::wire::value;

/// Bytes in a row of plain data.
const ROW: usize = 16;

/// A run of bytes and what it is.
pub(super) struct Row {
    /// What begins with this row, when something does.
    pub heading: Option<String>,
    /// Its bytes in the packet.
    pub at: Range<usize>,
    /// The fields in it.
    pub text: String,
}

/// The packet in rows that tile it: the fields of each header (as many in a row as share bytes), its options, the
/// payload, what stands behind it.
pub(super) fn rows(draft: &Draft) -> Vec<Row> {
    let mut rows = Vec::new();
    for index in 0..draft.layers().len() {
        header_rows(draft, index, &mut rows);
    }
    data_rows("payload", draft.payload_range(), &mut rows);
    data_rows("trailer", draft.payload_range().end..draft.bytes().len(), &mut rows);
    rows
}

fn header_rows(draft: &Draft, index: usize, rows: &mut Vec<Row>) {
    let view = draft.view(index);
    let layer = view.layer();
    let mut heading = Some(layer.header.name.to_owned());
    let mut at = layer.start;
    let mut texts: Vec<String> = Vec::new();
    for found in view.header_fields().filter(|f| !f.field.group) {
        let shown = value::named(found.field, draft.bytes(), found.bits);
        texts.push(format!("{} {shown}", found.field.label));
        let end = found.bits.end();
        if end.is_multiple_of(8) && end / 8 > at {
            let text = std::mem::take(&mut texts).join(", ");
            rows.push(Row { heading: heading.take(), at: at..end / 8, text });
            at = end / 8;
        }
    }
    for item in view.items() {
        if item.range.start == at {
            at = item.range.end;
            rows.push(Row { heading: heading.take(), at: item.range, text: item.item.name.to_owned() });
        }
    }
    let end = layer.start + layer.len;
    if at < end {
        rows.push(Row { heading, at: at..end, text: String::new() });
    }
}

fn data_rows(name: &str, range: Range<usize>, rows: &mut Vec<Row>) {
    let mut heading = Some(name.to_owned());
    for start in range.clone().step_by(ROW) {
        let at = start..range.end.min(start + ROW);
        rows.push(Row { heading: heading.take(), at, text: String::new() });
    }
}

/// The rows as list entries, `0x45, // Version 4`, each row indented.
pub(super) fn listed(draft: &Draft, comment: &str) -> String {
    let mut text = String::new();
    for row in rows(draft) {
        if let Some(heading) = row.heading {
            let _ = writeln!(text, "    {comment} {heading}");
        }
        let bytes: Vec<String> = draft.bytes()[row.at].iter().map(|b| format!("0x{b:02x},")).collect();
        let line = format!("    {}", bytes.join(" "));
        let _ = match row.text.as_str() {
            "" => writeln!(text, "{line}"),
            fields => writeln!(text, "{line} {comment} {fields}"),
        };
    }
    text
}

/// The first line of a file: the packet as notation, where it is short enough for a line.
pub(super) fn title(draft: &Draft) -> String {
    let text = draft.notation(crate::craft::print::Detail::Short);
    if text.len() <= 400 && !text.contains('\\') {
        return text;
    }
    let names: Vec<&str> = draft.layers().iter().map(|l| l.header.short).collect();
    format!(
        "{}, {} bytes",
        if names.is_empty() { "bytes".into() } else { names.join(" / ") },
        draft.bytes().len()
    )
}

/// A configuration of trafgen.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn trafgen(draft: &Draft) -> Result<String, CannotSay> {
    let title = title(draft);
    Ok(format!(
        "# {title}\n# trafgen --dev INTERFACE --conf FILE --num 1 --qdisc-path: without the last, no capture on this machine sees it\n{{\n{}}}",
        listed(draft, "#")
    ))
}

/// The link type that the packet begins with: raw IP for a network header, and for what no capture can begin with the
/// first of those that anybody may use (tcpdump.org/linktypes, 147).
pub(super) fn link_type(draft: &Draft) -> u32 {
    const RAW: u32 = 101;
    const USER: u32 = 147;
    let Some(first) = draft.layers().first() else { return USER };
    let raw = || first.header.number_in(Space::IpVersion).map(|_| RAW);
    first.header.number_in(Space::LinkType).or_else(raw).unwrap_or(USER)
}

/// A dump that text2pcap reads.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn text2pcap(draft: &Draft) -> Result<String, CannotSay> {
    let mut text = format!("# {}\n# text2pcap -l {} FILE packet.pcapng", title(draft), link_type(draft));
    for (index, bytes) in draft.bytes().chunks(ROW).enumerate() {
        let _ = write!(text, "\n{:06x}  {}", index * ROW, value::hex_pairs(bytes).to_lowercase());
    }
    Ok(text)
}

/// Where the destination stands in a packet that begins with a network header, and its kind.
pub(super) fn destination(draft: &Draft) -> Option<(Range<usize>, Kind)> {
    let first = draft.layers().first().filter(|l| l.header.network)?;
    let (_, dst) = first.header.ends?;
    (dst.bits.end() <= first.len * 8).then(|| (dst.bits.bytes(), dst.kind))
}
