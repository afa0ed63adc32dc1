//! The keys that `read -e`, `fields` and filters know: those of the tables, and a few that Wireshark adds to them.

use super::flow::{FlowKey, FlowKind, KEYS};
use super::notation;
use super::protocols;
use super::table::{Field, Header, Item, ItemList};

/// What a key speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// A field of a header, in the unit that the name stands for.
    Field {
        /// The protocol.
        header: &'static Header,
        /// The field's key or second name: several fields may share it, each with its condition.
        key: &'static str,
        /// The shown value is the stored one times this.
        scale: u32,
    },
    /// A value that only the reader of a protocol finds.
    Reading {
        /// The protocol.
        header: &'static Header,
        /// The field's key.
        key: &'static str,
    },
    /// A field of an option.
    ItemField {
        /// The protocol.
        header: &'static Header,
        /// The field's key.
        key: &'static str,
    },
    /// The option list as bytes.
    Items(&'static Header),
    /// Both ends, under one key: the first, then the second.
    Ends {
        /// The protocol.
        header: &'static Header,
        /// Their keys, in Wireshark's order.
        keys: [&'static str; 2],
    },
    /// What the layer carries, as bytes.
    Payload(&'static Header),
    /// Bytes that the layer carries.
    PayloadLength(&'static Header),
    /// The packet as a whole.
    Frame(FrameKey),
    /// What is known from the packets before.
    Flow(&'static FlowKey),
}

/// Keys of the packet as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKey {
    /// Position in the file, from 1 on.
    Number,
    /// Length on the wire.
    Length,
    /// Length in the file.
    Captured,
    /// Seconds since 1970.
    TimeEpoch,
    /// Seconds since the first packet.
    TimeRelative,
    /// Seconds since the packet before.
    TimeDelta,
}

/// Keys of the packet as a whole, with labels.
pub static FRAME: &[(&str, &str, FrameKey)] = &[
    ("frame.number", "Frame Number", FrameKey::Number),
    ("frame.len", "Length on the Wire", FrameKey::Length),
    ("frame.cap_len", "Length in the File", FrameKey::Captured),
    ("frame.time_epoch", "Seconds since 1970", FrameKey::TimeEpoch),
    ("frame.time_relative", "Seconds since the First Packet", FrameKey::TimeRelative),
    ("frame.time_delta", "Seconds since the Packet before", FrameKey::TimeDelta),
];

/// Keys that Wireshark has beside those of the header: protocol, name, label, the two fields.
static ENDS: &[(&str, &str, &str, [&str; 2])] = &[
    ("eth", "addr", "Source or Destination Address", ["dst", "src"]),
    ("ip", "addr", "Source or Destination Address", ["src", "dst"]),
    ("ipv6", "addr", "Source or Destination Address", ["src", "dst"]),
    ("tcp", "port", "Source or Destination Port", ["srcport", "dstport"]),
    ("udp", "port", "Source or Destination Port", ["srcport", "dstport"]),
];

/// Where the keys are defined that need the packets before.
pub const OF_THE_FLOW: &str = "of the packets before (Wireshark User's Guide, TCP Analysis)";

/// A key as the field reference lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// The name in notation, where it is another.
    pub notation: &'static str,
    /// The RFC's words.
    pub label: String,
    /// Bits, or `*` where it varies.
    pub width: String,
    /// Where it is defined.
    pub reference: &'static str,
}

impl Listed {
    fn new(key: String, label: &str, width: String, reference: &'static str) -> Self {
        Self { key, notation: "", label: label.to_owned(), width, reference }
    }
}

/// Every key, protocol by protocol.
#[must_use]
pub fn all() -> Vec<Listed> {
    let mut list: Vec<Listed> = FRAME
        .iter()
        .map(|(key, label, _)| Listed::new((*key).to_owned(), label, "*".into(), "of the capture"))
        .collect();
    for header in protocols::ALL {
        list.extend(header.fields.iter().map(|f| header_field(header, f)));
        if let Some((_, name, label, keys)) = ENDS.iter().find(|e| e.0 == header.key) {
            let width = header.field(keys[0]).map_or(0, |(f, _)| f.bits.width);
            list.push(Listed::new(
                format!("{}.{name}", header.key),
                label,
                width.to_string(),
                header.reference,
            ));
        }
        for items in header.lists() {
            list.push(Listed::new(
                format!("{}.{}", items.prefix_in(header), items.key),
                items.label,
                "*".into(),
                header.reference,
            ));
            for inner in items.with_inner() {
                list.extend(item_fields(header, inner));
            }
        }
        if let (Some(reader), Some(prefix)) = (header.reader, header.reading_prefix()) {
            list.extend(
                reader
                    .fields
                    .iter()
                    .map(|f| Listed { key: format!("{prefix}.{}", f.key), ..header_field(header, f) }),
            );
        }
        if header.key == "tcp" || header.key == "udp" {
            list.push(Listed::new(
                format!("{}.payload", header.key),
                "Payload",
                "*".into(),
                header.reference,
            ));
        }
        if header.key == "tcp" {
            list.push(Listed::new("tcp.len".into(), "Segment Length", "*".into(), header.reference));
        }
        list.extend(KEYS.iter().filter(|k| k.protocol() == header.key).map(flow_key));
    }
    let mut seen = std::collections::HashSet::new();
    list.retain(|l| seen.insert((l.key.clone(), l.label.clone())));
    list
}

fn header_field(header: &'static Header, field: &'static Field) -> Listed {
    let reference = if field.reference.is_empty() { header.reference } else { field.reference };
    let mut listed =
        Listed::new(format!("{}.{}", header.prefix(), field.key), field.label, width(field), reference);
    if field.notation_key() != field.key {
        listed.notation = field.notation_key();
    }
    listed
}

fn flow_key(key: &FlowKey) -> Listed {
    let width = match key.kind {
        FlowKind::Number(bits) => bits.to_string(),
        FlowKind::Packet | FlowKind::Signed => "32".into(),
        FlowKind::Time | FlowKind::Mark => "*".into(),
    };
    Listed::new(key.key.to_owned(), key.label, width, OF_THE_FLOW)
}

fn item_fields(header: &'static Header, list: &'static ItemList) -> impl Iterator<Item = Listed> {
    let filler = list.filler.map(|field| {
        let key = format!("{}.{}", list.prefix_in(header), field.key);
        Listed::new(key, field.label, width(field), header.reference)
    });
    let fields = list.items.iter().chain([list.unknown]).flat_map(move |item| {
        item_keys(item).map(move |field| {
            // Kind and length are common to all options; the others belong to one.
            let own = item.bare
                || !item.is_head(field)
                || !item.repeat.is_empty() && !item.fields.iter().any(|f| f.key == field.key);
            let label = if own { format!("{}: {}", item.name, field.label) } else { field.label.to_owned() };
            let reference = if own { item.reference } else { header.reference };
            let key = format!("{}.{}", list.prefix_in(header), field.key);
            let mut listed = Listed::new(key, &label, width(field), reference);
            listed.notation = if own { item.key } else { "" };
            listed
        })
    });
    fields.chain(filler)
}

/// The fields of an item and of its repetitions.
fn item_keys(item: &'static Item) -> impl Iterator<Item = &'static Field> {
    item.fields.iter().chain(item.repeat).chain(item.pointer.map_or(&[][..], |p| p.past))
}

fn width(field: &Field) -> String {
    if field.bits.width == 0 { "*".into() } else { field.bits.width.to_string() }
}

/// What `key` means.
///
/// # Errors
/// Says that there is no such key, with the nearest.
pub fn find(key: &str) -> Result<Meaning, String> {
    known(key).ok_or_else(|| unknown(key))
}

/// What `key` means; none where there is no such key.
#[must_use]
pub fn known(key: &str) -> Option<Meaning> {
    if let Some((_, _, frame)) = FRAME.iter().find(|f| f.0 == key) {
        return Some(Meaning::Frame(*frame));
    }
    if let Some(flow) = FlowKey::find(key) {
        return Some(Meaning::Flow(flow));
    }
    let (protocol, name) = key.split_once('.')?;
    let has = |h: &&Header| h.prefix() == protocol || h.lists().any(|list| list.prefix_in(h) == protocol);
    let mut headers = protocols::ALL.iter().copied().filter(has);
    headers.find_map(|header| in_header(header, protocol, name))
}

fn in_header(header: &'static Header, protocol: &str, name: &str) -> Option<Meaning> {
    if let Some((field, scale)) = header.field(name) {
        // Fields of several kinds of message may share a second name.
        let key = field.aliases.iter().map(|a| a.0).find(|a| *a == name).unwrap_or(field.key);
        return Some(Meaning::Field { header, key, scale });
    }
    let reader = header.reader.filter(|_| header.reading_prefix() == Some(protocol));
    if let Some(field) = reader.and_then(|r| r.fields.iter().find(|f| f.key == name)) {
        return Some(Meaning::Reading { header, key: field.key });
    }
    if let Some((.., keys)) = ENDS.iter().find(|e| e.0 == header.key && e.1 == name) {
        return Some(Meaning::Ends { header, keys: *keys });
    }
    match (header.key, name) {
        ("tcp" | "udp", "payload") => return Some(Meaning::Payload(header)),
        ("tcp", "len") => return Some(Meaning::PayloadLength(header)),
        _ => {}
    }
    if header.lists().any(|list| name == list.key) {
        return Some(Meaning::Items(header));
    }
    let lists = header.lists().flat_map(|list| list.with_inner());
    let mut fields =
        lists.flat_map(|l| l.items.iter().chain([l.unknown]).flat_map(item_keys).chain(l.filler));
    fields.find(|f| f.key == name).map(|f| Meaning::ItemField { header, key: f.key })
}

fn unknown(key: &str) -> String {
    let known: Vec<String> = all().into_iter().map(|l| l.key).collect();
    let hint = notation::nearest(key, known.iter().map(String::as_str))
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    format!("there is no field '{key}'{hint} (`rawbench fields` lists them all)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_key_means_something() {
        for listed in all() {
            assert!(find(&listed.key).is_ok() || listed.key.starts_with("frame."), "{}", listed.key);
        }
    }

    #[test]
    fn a_wrong_key_names_the_nearest() {
        assert!(find("tcp.dstprt").unwrap_err().contains("did you mean tcp.dstport?"));
        assert!(find("tcp.analysis.flag").unwrap_err().contains("did you mean tcp.analysis.flags?"));
        assert!(find("sip.method").unwrap_err().contains("rawbench fields"));
    }
}
