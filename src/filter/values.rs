//! The values of a key in a packet as text, as tshark 4.0 prints them with `-T fields`.

use super::Packet;
use crate::wire::keyed::{self, ItemValue};
use crate::wire::keys::{FrameKey, Meaning};
use crate::wire::readers::Readings;
use crate::wire::table::{Field, Header, Shown};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// What readers find, by layer; nothing where no key asks for it.
#[must_use]
pub fn read(meanings: &[Meaning], packet: &Packet<'_>) -> Vec<Readings> {
    let found = packet.found;
    let asked = |m: &Meaning| match m {
        Meaning::Field { header, key, .. } | Meaning::Reading { header, key } => {
            header.reader.is_some_and(|r| r.fields.iter().any(|f| f.key == *key))
        }
        _ => false,
    };
    if !meanings.iter().any(asked) {
        return Vec::new();
    }
    (0..found.layers.len()).map(|i| found.view(packet.bytes, i).readings().unwrap_or_default()).collect()
}

/// Every occurrence of a key in a packet, in the order of the bytes. `read`: what [`read`] gives for this key.
#[must_use]
pub fn values(meaning: &Meaning, packet: &Packet<'_>, read: &[Readings]) -> Vec<String> {
    let (bytes, found) = (packet.bytes, packet.found);
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
            let shared = keyed::has_item_field(header, key);
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
            let layers = found.layers.iter().enumerate();
            let same = layers.filter(|(_, l)| l.header.reading_prefix() == header.reading_prefix());
            same.flat_map(|(index, _)| readings(read, index, key, bytes)).collect()
        }
        Meaning::Ends { header, keys } => views(header)
            .flat_map(|v| keys.into_iter().filter_map(move |k| v.field(k)))
            .map(|f| f.text(bytes))
            .collect(),
        Meaning::ItemField { header, key } => alike(header).flat_map(|v| item_values(&v, key)).collect(),
        Meaning::Items(header) => alike(header)
            .map(|v| (v.layer().header.list(v.header_bytes()), v.items_range()))
            .filter(|(_, range)| !range.is_empty())
            .map(|(list, range)| match list {
                Some(list) if list.heading => "1".to_owned(),
                _ => value::hex_plain(bytes.get(range).unwrap_or_default()),
            })
            .collect(),
        Meaning::Payload(header) => {
            // Wireshark takes what a reset carries for a diagnostic text (RFC 9293 section 3.5.3).
            let payloads = views(header).filter(|v| !v.is_set("flags.reset")).map(|v| v.payload());
            payloads.filter(|p| !p.is_empty()).map(value::hex_plain).collect()
        }
        Meaning::Flow(key) => {
            let own = packet.flows.iter().filter(|told| told.tcp == (key.protocol() == "tcp"));
            own.filter_map(|told| key.text(told)).flat_map(|t| vec![t; key.times()]).collect()
        }
        Meaning::PayloadLength(header) => {
            let cut = (packet.facts.original as usize).saturating_sub(packet.bytes.len());
            let lengths =
                views(header).filter(|v| !v.layer().quoted).filter_map(|v| keyed::payload_len(&v, cut));
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

fn item_values(view: &LayerView<'_>, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    keyed::item_values(view, key, |found| {
        all.push(match found {
            ItemValue::Stored(field, bits) => value::text(field, view.bytes, bits),
            ItemValue::Number(number) => number.to_string(),
            ItemValue::Bytes(bytes) => value::hex_plain(bytes),
            ItemValue::Word(word) => word.to_owned(),
            ItemValue::Text(text) => text,
        });
    });
    all
}

/// The value as tshark prints it: in the unit that the name stands for (`tcp.hdr_len` in bytes, `tcp.data_offset` in
/// words), and left out where Wireshark leaves it out.
fn shown(view: &LayerView<'_>, located: &Located, scale: u32) -> Option<String> {
    let field: &Field = located.field;
    let stored = located.stored(view.bytes);
    if keyed::is_left_out(view, field, stored) {
        return None;
    }
    let is_set = stored.is_some_and(|v| v != 0);
    match field.shown {
        Shown::Bytes => {
            return Some(value::hex_plain(view.bytes.get(located.bits.bytes()).unwrap_or_default()));
        }
        Shown::Present => return Some("1".to_owned()),
        Shown::AnyBit => return Some(u8::from(is_set).to_string()),
        Shown::Words => return stored.zip(field.words).map(|(v, words)| words(v)),
        Shown::Lower(bits) => {
            return stored.map(|v| (field.ordered(v) & ((1 << bits) - 1)).to_string());
        }
        Shown::Signed => {
            let unused = 128_u32.saturating_sub(field.bits.width as u32);
            return stored.map(|v| ((v << unused) as i128 >> unused).to_string());
        }
        _ => {}
    }
    if scale == field.scale {
        return Some(located.text(view.bytes));
    }
    stored.map(|v| (v * u128::from(scale)).to_string())
}

fn frame(key: FrameKey, packet: &Packet<'_>) -> Option<String> {
    let facts = &packet.facts;
    let since = |before: u64| facts.time_ns.map(|time| seconds_between(before, time, 9));
    match key {
        FrameKey::Number => Some(facts.number.to_string()),
        FrameKey::Length => Some(facts.original.to_string()),
        FrameKey::Captured => Some(packet.bytes.len().to_string()),
        FrameKey::TimeEpoch => since(0),
        FrameKey::TimeRelative => since(facts.first_ns),
        FrameKey::TimeDelta => since(facts.previous_ns),
    }
}

/// Seconds between two times, with `digits` digits that cut and do not round: no packet comes before its time.
#[must_use]
pub fn seconds_between(from_ns: u64, to_ns: u64, digits: usize) -> String {
    let sign = if to_ns < from_ns { "-" } else { "" };
    let ns = to_ns.abs_diff(from_ns);
    let fraction = format!("{:09}", ns % 1_000_000_000);
    format!("{sign}{}.{}", ns / 1_000_000_000, fraction.get(..digits).unwrap_or(&fraction))
}
