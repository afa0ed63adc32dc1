//! Keys: from the name to the place of its values in a packet, once, when the filter is read.

use crate::wire::flow::{FlowKey, FlowKind};
use crate::wire::keyed;
use crate::wire::keys::{self, FrameKey, Meaning};
use crate::wire::notation::nearest;
use crate::wire::protocols;
use crate::wire::table::{Compute, Field, Header, Kind};

/// The type of an operand: what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number of so many bits.
    Number(usize),
    /// A flag.
    Flag,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A MAC address.
    Mac,
    /// Bytes.
    Bytes,
    /// The bytes of a layer.
    Protocol,
    /// Text.
    Text,
    /// Seconds, held as nanoseconds.
    Time,
    /// It is there or not, and has no value.
    Mark,
}

impl Type {
    /// Its name in a message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Flag => "a flag",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Mac => "a MAC address",
            Self::Bytes => "bytes",
            Self::Protocol => "a protocol",
            Self::Text => "text",
            Self::Time => "a time in seconds",
            Self::Mark => "a mark without a value",
        }
    }

    /// Whether it is a run of bytes.
    #[must_use]
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Mac | Self::Bytes | Self::Protocol | Self::Text)
    }

    /// Whether values of both can be compared.
    #[must_use]
    pub fn fits(self, other: Self) -> bool {
        let numeric = |t| matches!(t, Self::Number(_) | Self::Flag);
        self == other && self != Self::Mark
            || numeric(self) && numeric(other)
            || self.is_bytes() && other.is_bytes()
    }

    fn of(field: &Field) -> Self {
        match field.kind {
            Kind::Number | Kind::Hex => Self::Number(if field.scale > 1 { 32 } else { field.bits.width }),
            Kind::Flag => Self::Flag,
            Kind::Ipv4 => Self::Ipv4,
            Kind::Ipv6 => Self::Ipv6,
            Kind::Mac => Self::Mac,
            Kind::Bytes => Self::Bytes,
            Kind::Text => Self::Text,
        }
    }
}

/// Where the values of a key stand.
#[derive(Clone, Debug)]
pub enum Place {
    /// A property of the packet as a whole.
    Frame(FrameKey),
    /// The number of its interface.
    Interface,
    /// The keys of its layers, with colons between.
    Protocols,
    /// All its bytes.
    Bytes,
    /// These layers.
    Layers(Vec<&'static Header>),
    /// Fields.
    Fields(Vec<FieldPlace>),
    /// What these layers carry.
    Payload(Vec<&'static Header>),
    /// How many bytes that is.
    PayloadLength(Vec<&'static Header>),
    /// The lists of options of these layers.
    Items(Vec<&'static Header>),
    /// What is known from the packets before.
    Flow(&'static FlowKey),
    /// What their checksums are worth.
    ChecksumStatus(Vec<&'static Header>),
}

/// Where values stand in the layers of one table.
#[derive(Clone, Debug)]
pub struct FieldPlace {
    /// The table.
    pub header: &'static Header,
    /// Fields of the header by their index, with the scale that the name stands for.
    pub fields: Vec<(usize, u32)>,
    /// All of these have the key; else the first that is there.
    pub all: bool,
    /// Options of the header have it too.
    pub items: bool,
    /// The reader of the header may find it.
    pub reader: bool,
    /// Wireshark leaves it out here and there.
    pub left_out: bool,
    /// Wireshark has its bits as one flag.
    pub one_flag: bool,
}

/// A key with its type and its places.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was typed.
    pub key: String,
    /// The part behind the protocol, as the tables have it.
    pub name: &'static str,
    /// Its type.
    pub is: Type,
    /// Names of values.
    pub names: &'static [(u64, &'static str)],
    /// Where its values stand.
    pub place: Place,
}

/// What a checksum is worth, as Wireshark numbers it (`proto_checksum_vals`).
const CHECKSUM_STATUS: &[(u64, &str)] = &[(0, "Bad"), (1, "Good"), (2, "Unverified"), (3, "Not present")];

/// Keys that are protocols of their own in Wireshark, though they have the form of another.
const APART: [&str; 3] = ["mdns", "ppp_hdlc", "udplite"];

/// The tables that Wireshark calls by this name.
#[must_use]
pub fn layers(name: &str) -> Vec<&'static Header> {
    let named = |h: &&Header| h.key == name || h.form() == name && !APART.contains(&h.key);
    protocols::ALL.iter().copied().filter(named).collect()
}

/// What a name means in a filter.
///
/// # Errors
/// Says that there is no such key, with the nearest.
pub fn find(name: &str) -> Result<Source, String> {
    if let Some(source) = known(name) {
        return Ok(source);
    }
    if !name.contains('.') {
        let known = protocols::ALL.iter().map(|h| h.form()).chain(["frame"]);
        let hint = nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("there is no protocol '{name}'{hint}"));
    }
    of_meaning(name, keys::find(name)?)
}

/// What a name means in a filter; none where it means nothing. Of a value this is soon known: no nearest key is sought.
#[must_use]
pub fn known(name: &str) -> Option<Source> {
    let plain = |is, place| Some(Source { key: name.to_owned(), name: "", is, names: &[], place });
    match name {
        "frame" => return plain(Type::Protocol, Place::Bytes),
        "frame.interface_id" => return plain(Type::Number(32), Place::Interface),
        "frame.protocols" => return plain(Type::Text, Place::Protocols),
        _ => {}
    }
    let layers = layers(name);
    if !layers.is_empty() {
        return plain(Type::Protocol, Place::Layers(layers));
    }
    if let Some(layers) = name.strip_suffix(".checksum.status").map(with_checksum).filter(|l| !l.is_empty()) {
        let source = plain(Type::Number(8), Place::ChecksumStatus(layers));
        return source.map(|source| Source { names: CHECKSUM_STATUS, ..source });
    }
    of_meaning(name, keys::known(name)?).ok()
}

fn of_meaning(name: &str, meaning: Meaning) -> Result<Source, String> {
    let plain = |is, place| Ok(Source { key: name.to_owned(), name: "", is, names: &[], place });
    match meaning {
        Meaning::Frame(key) => {
            let time = matches!(key, FrameKey::TimeEpoch | FrameKey::TimeRelative | FrameKey::TimeDelta);
            plain(if time { Type::Time } else { Type::Number(32) }, Place::Frame(key))
        }
        Meaning::Payload(header) => plain(Type::Bytes, Place::Payload(alike(header))),
        Meaning::PayloadLength(header) => plain(Type::Number(32), Place::PayloadLength(alike(header))),
        Meaning::Items(header) => plain(Type::Bytes, Place::Items(sharing_items(header))),
        Meaning::Flow(key) => plain(flow_type(key), Place::Flow(key)),
        meaning => fields(name, meaning),
    }
}

fn flow_type(key: &FlowKey) -> Type {
    match key.kind {
        FlowKind::Number(bits) => Type::Number(bits),
        FlowKind::Signed | FlowKind::Packet => Type::Number(32),
        FlowKind::Time => Type::Time,
        FlowKind::Mark => Type::Mark,
    }
}

/// The tables of this name that have a checksum.
fn with_checksum(name: &str) -> Vec<&'static Header> {
    let has = |f: &Field| matches!(f.compute, Some(Compute::Checksum { .. }));
    layers(name).into_iter().filter(|h| h.fields.iter().any(has)).collect()
}

/// The tables of the same form.
fn alike(header: &Header) -> Vec<&'static Header> {
    protocols::ALL.iter().copied().filter(|h| h.form() == header.form()).collect()
}

/// The tables that share the keys of their options.
fn sharing_items(header: &'static Header) -> Vec<&'static Header> {
    let prefixes = |h: &'static Header| h.lists().map(move |list| list.prefix_in(h));
    let same = |h: &&'static Header| {
        h.prefix() == header.prefix() && prefixes(h).any(|one| prefixes(header).any(|other| one == other))
    };
    protocols::ALL.iter().copied().filter(same).collect()
}

fn fields(typed: &str, meaning: Meaning) -> Result<Source, String> {
    let (header, keys, items, all) = match meaning {
        Meaning::ItemField { header, key } => (header, vec![key], true, false),
        Meaning::Ends { header, keys } => (header, keys.to_vec(), false, true),
        Meaning::Field { header, key, .. } => (header, vec![key], false, false),
        Meaning::Reading { header, key } => (header, vec![key], false, false),
        _ => return Err(format!("'{typed}' cannot stand in a filter")),
    };
    let name = keys[0];
    let mut headers = match meaning {
        Meaning::Reading { .. } => {
            let same = |h: &&Header| h.reading_prefix() == header.reading_prefix();
            protocols::ALL.iter().copied().filter(same).collect()
        }
        _ if items => sharing_items(header),
        _ => alike(header),
    };
    // Wireshark has the version of both under this key.
    if typed == "ip.version" {
        headers.extend(protocols::by_key("ipv6"));
    }
    let place = |header: &'static Header| {
        let of = |key: &str| -> Vec<(usize, u32)> {
            let fields = header.fields.iter().enumerate();
            fields.filter_map(|(i, f)| Some((i, f.scale_for(key)?))).collect()
        };
        let fields: Vec<(usize, u32)> =
            if items { Vec::new() } else { keys.iter().flat_map(|k| of(k)).collect() };
        FieldPlace {
            header,
            left_out: keyed::may_be_left_out(name),
            one_flag: keyed::is_one_flag(header, name),
            fields,
            all,
            items: items || !all && keyed::has_item_field(header, name),
            reader: !items && !all && header.reader.is_some_and(|r| r.fields.iter().any(|f| f.key == name)),
        }
    };
    let places: Vec<FieldPlace> = headers.into_iter().map(place).collect();
    let places: Vec<FieldPlace> =
        places.into_iter().filter(|p| !p.fields.is_empty() || p.items || p.reader).collect();
    let field = places.iter().find_map(|p| described(p, name));
    let field = field.ok_or_else(|| format!("'{typed}' has no type"))?;
    let scale = places.iter().flat_map(|p| p.fields.first()).map(|f| f.1).next().unwrap_or(1);
    let is = match Type::of(field) {
        _ if places.iter().any(|p| p.one_flag) => Type::Flag,
        Type::Number(_) if scale > 1 => Type::Number(32),
        is => is,
    };
    Ok(Source { key: typed.to_owned(), name, is, names: field.names, place: Place::Fields(places) })
}

/// A table entry of the key.
fn described(place: &FieldPlace, name: &str) -> Option<&'static Field> {
    let own = place.fields.first().map(|(index, _)| &place.header.fields[*index]);
    let read = || place.header.reader.and_then(|r| r.fields.iter().copied().find(|f| f.key == name));
    let lists = || place.header.lists().flat_map(|list| list.with_inner());
    let item = || {
        let mut items = lists().flat_map(|l| l.items.iter().chain([l.unknown]));
        items.find_map(|i| {
            let past = i.pointer.map_or(&[][..], |p| p.past);
            i.fields.iter().chain(i.repeat).chain(past).find(|f| f.key == name)
        })
    };
    own.or_else(read).or_else(item).or_else(|| lists().filter_map(|l| l.filler).find(|f| f.key == name))
}
