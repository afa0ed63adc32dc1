//! `-e`: values of fields, tab-separated, as tshark 4.0 prints them with `-T fields`.

use std::io::Write;

use crate::cli::keys::{FrameKey, Meaning};
use crate::cli::packet::Packet;
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::items::{self, ItemSpan};
use crate::wire::readers::Readings;
use crate::wire::table::{Field, Header};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// Writes the line of a packet.
///
/// # Errors
/// Those of `out`.
pub fn write_line(meanings: &[Meaning], packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let found = dissect(packet.link_type(), packet.bytes);
    let read = read(meanings, packet, &found);
    for (i, meaning) in meanings.iter().enumerate() {
        if i > 0 {
            out.write_all(b"\t")?;
        }
        out.write_all(values(meaning, packet, &found, &read).join(",").as_bytes())?;
    }
    writeln!(out)
}

/// What readers find, by layer; nothing where no key asks for it.
fn read(meanings: &[Meaning], packet: &Packet<'_>, found: &Dissection) -> Vec<Readings> {
    let asked = |m: &Meaning| match m {
        Meaning::Field { header, .. } | Meaning::Reading { header, .. } => header.reader.is_some(),
        _ => false,
    };
    if !meanings.iter().any(asked) {
        return Vec::new();
    }
    (0..found.layers.len()).map(|i| found.view(packet.bytes, i).readings().unwrap_or_default()).collect()
}

/// Every occurrence of a key in a packet, in the order of the bytes.
fn values(meaning: &Meaning, packet: &Packet<'_>, found: &Dissection, read: &[Readings]) -> Vec<String> {
    let bytes = packet.bytes;
    let views = |header: &'static Header| {
        let layers = found.layers.iter().enumerate().filter(move |(_, l)| l.header.form() == header.form());
        layers.map(|(index, _)| found.view(bytes, index))
    };
    // Headers of one protocol share the keys of their options, unless the lists are named otherwise.
    let alike = |header: &'static Header| {
        let prefixes = |h: &'static Header| h.lists().map(move |list| list.prefix_in(h));
        let same =
            move |h: &'static Header| prefixes(h).any(|one| prefixes(header).any(|other| one == other));
        let layers = found.layers.iter().enumerate();
        let layers = layers.filter(move |(_, l)| l.header.prefix() == header.prefix() && same(l.header));
        layers.map(|(index, _)| found.view(bytes, index))
    };
    match *meaning {
        Meaning::Frame(key) => frame(key, packet).into_iter().collect(),
        // Wireshark has the version of both under this key.
        Meaning::Field { header: Header { key: "ip", .. }, key: "version", .. } => {
            let layers =
                found.layers.iter().enumerate().filter(|(_, l)| matches!(l.header.key, "ip" | "ipv6"));
            layers.filter_map(|(i, _)| found.view(bytes, i).field("version")).map(|f| f.text(bytes)).collect()
        }
        Meaning::Field { header, key, scale } => {
            // Fields of options may share the key.
            let shared = has_item_field(header, key);
            let items = |v: &LayerView<'_>| if shared { item_values(v, key) } else { Vec::new() };
            let value = |v: LayerView<'_>| {
                let own = v.field(key).and_then(|found| shown(&v, &found, scale));
                own.into_iter()
                    .chain(items(&v))
                    .chain(readings(read, v.index, key, bytes))
                    .collect::<Vec<_>>()
            };
            views(header).flat_map(value).collect()
        }
        Meaning::Reading { header, key } => {
            views(header).flat_map(|v| readings(read, v.index, key, bytes)).collect()
        }
        Meaning::Ends { header, keys } => views(header)
            .flat_map(|v| keys.into_iter().filter_map(move |k| v.field(k)))
            .map(|f| f.text(bytes))
            .collect(),
        Meaning::ItemField { header, key } => alike(header).flat_map(|v| item_values(&v, key)).collect(),
        Meaning::Items(header) => alike(header)
            .map(|v| v.items_range())
            .filter(|range| !range.is_empty())
            .map(|range| value::hex_plain(bytes.get(range).unwrap_or_default()))
            .collect(),
        Meaning::Payload(header) => {
            // Wireshark takes what a reset carries for a diagnostic text (RFC 9293 section 3.5.3).
            let payloads = views(header).filter(|v| !v.is_set("flags.reset")).map(|v| v.payload());
            payloads.filter(|p| !p.is_empty()).map(value::hex_plain).collect()
        }
        Meaning::PayloadLength(header) => {
            let lengths = views(header).filter(|v| !v.layer().quoted).filter_map(|v| payload_len(&v, packet));
            lengths.map(|length| length.to_string()).collect()
        }
    }
}

/// The values of a key that the reader of a layer found.
fn readings<'a>(
    read: &'a [Readings],
    layer: usize,
    key: &'a str,
    bytes: &'a [u8],
) -> impl Iterator<Item = String> + 'a {
    let list = read.get(layer).map_or(&[][..], |r| r.list.as_slice());
    list.iter().filter(move |r| r.field.key == key).map(move |r| r.value(bytes))
}

/// Bytes behind the header as the packet had them on the wire: what a short capture cut counts, what a length field only
/// claims does not.
fn payload_len(view: &LayerView<'_>, packet: &Packet<'_>) -> Option<usize> {
    let layer = view.layer();
    let header = usize::try_from(view.number("hdr_len")?).ok()?;
    let here = layer.end - layer.start;
    let cut = (packet.original as usize).saturating_sub(packet.bytes.len());
    (here + layer.declared.saturating_sub(here).min(cut)).checked_sub(header)
}

/// Whether options of the header have a field of this key too.
fn has_item_field(header: &'static Header, key: &str) -> bool {
    let lists = header.lists().flat_map(|list| list.with_inner());
    lists.flat_map(|l| l.items.iter().chain([l.unknown])).any(|i| i.fields.iter().any(|f| f.key == key))
}

fn item_values(view: &LayerView<'_>, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    for span in view.items() {
        // After the end of the list Wireshark goes on as long as zeros follow.
        let rest = view.bytes.get(span.range.clone()).unwrap_or_default();
        if span.item.ends && key == "option.type" {
            // Wireshark's number for the end option of DHCP.
            all.push("0".to_owned());
        }
        if std::ptr::eq(span.item, &items::PADDING) && span.list.filler.is_none() {
            if key == "option_kind" {
                all.extend(rest.iter().take_while(|&&b| b == 0).map(|_| "0".to_owned()));
            }
            continue;
        }
        let span = cut_option(view, &span).unwrap_or(span);
        if key == "option.value" && !span.item.single {
            // What an option of DHCP holds, once more as bytes.
            all.push(value::hex_plain(rest.get(2..).unwrap_or_default()));
            continue;
        }
        // Wireshark's word for bytes of which there are none, which it says only here.
        if key == "opt.padn" && span.range.len() == 2 && span.item.fields.iter().any(|f| f.key == key) {
            all.push("<none>".into());
        }
        let fields = span.fields(view.bytes).into_iter().filter(|(_, _, f, _)| f.key == key);
        all.extend(fields.map(|(_, _, field, bits)| value::text(field, view.bytes, bits)));
    }
    all
}

/// The option that is longer than its list, as its kind: the fields that are wholly there still speak.
fn cut_option(view: &LayerView<'_>, span: &ItemSpan) -> Option<ItemSpan> {
    if !std::ptr::eq(span.item, &items::MALFORMED) {
        return None;
    }
    let rest = view.bytes.get(span.range.clone()).unwrap_or_default();
    let kind = span.list.kind_of(rest);
    let known = || span.list.items.iter().filter(|i| i.kind == kind && i.holds(rest));
    // Of several tables the one whose length the option says.
    let said = span.list.said_len(rest);
    let item =
        known().find(|i| Some(i.length) == said).or(known().find(|i| i.length == 0)).or(known().next());
    let item = item.unwrap_or(span.list.unknown);
    Some(ItemSpan { item, problem: None, ..span.clone() })
}

/// The value as tshark prints it: in the unit that the name stands for (`tcp.hdr_len` in bytes, `tcp.data_offset` in
/// words), and left out where Wireshark leaves it out.
fn shown(view: &LayerView<'_>, located: &Located, scale: u32) -> Option<String> {
    let field: &Field = located.field;
    let layer = view.layer();
    let stored = located.stored(view.bytes);
    match (layer.header.key, field.key) {
        // Within a packet that ICMP quotes there is only the key without "raw"; not so with ICMPv6.
        ("tcp", "seq_raw") if layer.quoted && view.layers.iter().any(|l| l.header.key == "icmp") => None,
        ("icmp" | "icmpv6", "length") if stored == Some(0) => None,
        // Eight bits that Wireshark keeps in 32.
        ("ipv6", "tclass") => stored.map(|v| format!("0x{v:08x}")),
        // Bytes, for Wireshark.
        ("sll" | "sll2", "unused" | "src.other") => {
            Some(value::hex_plain(view.bytes.get(located.bits.bytes()).unwrap_or_default()))
        }
        // Numbers that Wireshark takes for bytes.
        ("ipv6.routing", "routing.src.reserved" | "routing.mipv6.reserved") => {
            stored.map(|v| format!("{v:08x}"))
        }
        ("ipv6.routing", "routing.srh.tag") | ("ah", "reserved") => stored.map(|v| format!("{v:04x}")),
        // Of a query Wireshark shows only the flags that a query can have.
        (
            "dns" | "mdns" | "dns.stream",
            "flags.authoritative" | "flags.recavail" | "flags.authenticated" | "flags.rcode",
        ) if !view.is_set("qr") => None,
        ("ntp", "refid") => stored.map(|v| format!("{v:08x}")),
        // Times in words.
        ("ntp", "reftime" | "org" | "rec" | "xmt") => stored.zip(field.words).map(|(v, words)| words(v)),
        // A boolean of three bits.
        ("tcp", "flags.res") => stored.map(|v| u8::from(v != 0).to_string()),
        _ if scale == field.scale => Some(located.text(view.bytes)),
        _ => stored.map(|v| (v * u128::from(scale)).to_string()),
    }
}

fn frame(key: FrameKey, packet: &Packet<'_>) -> Option<String> {
    let since = |before: u64| packet.time_ns.map(|time| Packet::seconds_between(before, time, 9));
    match key {
        FrameKey::Number => Some(packet.number.to_string()),
        FrameKey::Length => Some(packet.original.to_string()),
        FrameKey::Captured => Some(packet.bytes.len().to_string()),
        FrameKey::TimeEpoch => since(0),
        FrameKey::TimeRelative => since(packet.first_ns),
        FrameKey::TimeDelta => since(packet.previous_ns),
    }
}
