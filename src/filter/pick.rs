//! Filters made from what a packet has: a key and a value that the parser reads back. What cannot be read back to this very
//! packet is not made.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::eval::{self, Value};
use super::lex::{self, Token};
use super::source::{self, Source, Type};
use super::tree::Key;
use super::{Filter, Packet};
use crate::wire::bits::BitRange;
use crate::wire::keys::{self, Meaning};
use crate::wire::readers::Reading;
use crate::wire::table::{Field, Header, Kind};
use crate::wire::value::parse_hex;
use crate::wire::view::Located;

/// Longer values make no filter that a person would read, in bytes.
const MOST_BYTES: usize = 64;

/// A key of a packet with one of its values, or a key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    key: String,
    value: Option<String>,
}

/// How what is picked joins the filter that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// In its place.
    Instead,
    /// Both must hold.
    And,
    /// One of them must hold.
    Or,
}

impl Picked {
    /// The filter that this packet passes: `tcp.dstport == 80`, or `tcp`.
    #[must_use]
    pub fn equal(&self) -> String {
        match &self.value {
            Some(value) => format!("{} == {value}", self.key),
            None => self.key.clone(),
        }
    }

    /// The filter that passes what has the key with another value; none where it is a key alone.
    #[must_use]
    pub fn unequal(&self) -> Option<String> {
        self.value.as_ref().map(|value| format!("{} != {value}", self.key))
    }

    /// The filter that passes everything else.
    #[must_use]
    pub fn negated(&self) -> String {
        match &self.value {
            Some(_) => format!("!({})", self.equal()),
            None => format!("!{}", self.key),
        }
    }

    /// This, where the packet passes it.
    fn proven(self, packet: &Packet<'_>) -> Option<Self> {
        let unequal = self.unequal();
        let holds = Filter::display(&self.equal()).is_ok_and(|filter| filter.matches(packet))
            && unequal.is_none_or(|text| Filter::display(&text).is_ok());
        holds.then_some(self)
    }
}

/// A field of a header or of an option, with its value here.
#[must_use]
pub fn field(packet: &Packet<'_>, found: &Located) -> Option<Picked> {
    let view = packet.found.view(packet.bytes, found.path.layer);
    let header = packet.found.layers.get(found.path.layer)?.header;
    let prefix = match found.path.item {
        Some(index) => view.items().get(index)?.list.prefix_in(header),
        None => header.prefix(),
    };
    at(packet, format!("{prefix}.{}", found.field.key), found.field, found.bits)
}

/// What a reader found in a layer.
#[must_use]
pub fn reading(packet: &Packet<'_>, layer: usize, found: &Reading) -> Option<Picked> {
    let key = format!("{}.{}", packet.found.layers.get(layer)?.header.reading_prefix()?, found.field.key);
    let Some(text) = &found.text else { return at(packet, key, found.field, found.bits) };
    let source = source::find(&key).ok()?;
    let value = match source.is {
        Type::Number(_) | Type::Flag => text.parse::<u64>().ok()?.to_string(),
        Type::Text => quoted(text.as_bytes())?,
        _ => return None,
    };
    Picked { key, value: Some(value) }.proven(packet)
}

/// A layer: that there is one.
#[must_use]
pub fn layer(packet: &Packet<'_>, index: usize) -> Option<Picked> {
    let header = packet.found.layers.get(index)?.header;
    let by = |name: &str| Picked { key: name.to_owned(), value: None }.proven(packet);
    by(header.key).or_else(|| by(header.form()))
}

/// A key with the first of its values in the packet.
#[must_use]
pub fn key(packet: &Packet<'_>, name: &str) -> Option<Picked> {
    let source = source::find(name).ok()?;
    let is = source.is;
    let mut first = None;
    Key { source, layers: Vec::new(), whole: false }.each(packet, &mut |value| {
        first = literal(value, is);
        true
    });
    Picked { key: name.to_owned(), value: Some(first?) }.proven(packet)
}

/// All packets between the two ends of this one, in both directions: addresses, and ports where it has some.
#[must_use]
pub fn conversation(packet: &Packet<'_>) -> Option<String> {
    let own = || packet.found.layers.iter().enumerate().rev().filter(|(_, l)| !l.quoted);
    let (network, ends) = own().find_map(|(index, l)| Some((index, l.header.ends?)))?;
    let mut pairs = vec![(network, (ends.0.key, ends.1.key))];
    // A pair of fields that has a key of its own for both is that of two ends.
    let ports = |header: &Header| match keys::find(&format!("{}.port", header.prefix())).ok()? {
        Meaning::Ends { keys, .. } => Some((keys[0], keys[1])),
        _ => None,
    };
    let behind = own().find_map(|(index, l)| Some((index, ports(l.header)?)));
    pairs.extend(behind.filter(|(index, _)| *index > network));
    let mut ways = [String::new(), String::new()];
    for (index, (first, second)) in pairs {
        let view = packet.found.view(packet.bytes, index);
        let one = field(packet, &view.field(first)?)?;
        let other = field(packet, &view.field(second)?)?;
        let swapped = [
            Picked { value: other.value.clone(), ..one.clone() },
            Picked { value: one.value.clone(), ..other.clone() },
        ];
        for (way, [a, b]) in ways.iter_mut().zip([[one, other], swapped]) {
            let and = if way.is_empty() { "" } else { " && " };
            let _ = write!(way, "{and}{} && {}", a.equal(), b.equal());
        }
    }
    let text = format!("({}) || ({})", ways[0], ways[1]);
    Filter::display(&text).is_ok_and(|filter| filter.matches(packet)).then_some(text)
}

/// What is picked, joined to the filter that holds; none where that cannot be read.
#[must_use]
pub fn joined(holds: &str, join: Join, picked: &str) -> Option<String> {
    let holds = holds.trim();
    if join == Join::Instead || holds.is_empty() {
        return Some(picked.to_owned());
    }
    let sign = if join == Join::And { "&&" } else { "||" };
    let bracketed = |text: &str| {
        // What has no operator needs no brackets.
        let joins = |token: &Token| ["&&", "||", "^^", "and", "or", "xor"].iter().any(|w| token.is(w));
        let plain = lex::split(text).is_ok_and(|tokens| !tokens.iter().any(joins));
        if plain { text.to_owned() } else { format!("({text})") }
    };
    let text = format!("{} {sign} {}", bracketed(holds), bracketed(picked));
    Filter::display(&text).is_ok().then_some(text)
}

/// The filter that passes what has this text in it, in capitals or not.
#[must_use]
pub fn of_text(text: &str) -> String {
    format!("frame matches r\"{}\"", regex::escape(text).replace('"', "\\\""))
}

/// The filter that passes what has these bytes in it, written as hex pairs.
///
/// # Errors
/// Says which character is no hex digit, or that a pair is incomplete.
pub fn of_hex(text: &str) -> Result<String, String> {
    let bytes = parse_hex(text).map_err(|refused| refused.0)?;
    if bytes.is_empty() {
        return Err("write bytes as pairs, such as de ad be ef".into());
    }
    let pairs: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let hex = if bytes.len() == 1 { "0x" } else { "" };
    Ok(format!("frame contains {hex}{}", pairs.join(":")))
}

/// A key with what stands at these bits.
#[must_use]
pub fn at(packet: &Packet<'_>, key: String, field: &Field, bits: BitRange) -> Option<Picked> {
    let Source { is, .. } = source::find(&key).ok()?;
    let value = eval::value(field, field.scale, packet.bytes, bits)?;
    // Some keys of several bits are a flag.
    let value = match (value, field.kind) {
        (value, Kind::Number | Kind::Hex) if is == Type::Flag => u8::from(value.is_nonzero()).to_string(),
        (Value::Number(number), Kind::Hex) => format!("{number:#x}"),
        (value, _) => literal(value, is)?,
    };
    Picked { key, value: Some(value) }.proven(packet)
}

/// A value as it is typed.
fn literal(value: Value<'_>, is: Type) -> Option<String> {
    match value {
        // To the nanosecond, as the parser reads it.
        Value::Number(number) if is == Type::Time => {
            let (sign, number) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            Some(format!("{sign}{}.{:09}", number / 1_000_000_000, number % 1_000_000_000))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Ipv4(address, _) => Some(Ipv4Addr::from(address).to_string()),
        Value::Ipv6(address, _) => Some(Ipv6Addr::from(address).to_string()),
        Value::Text(bytes) => quoted(bytes),
        Value::Bytes(bytes) => pairs(bytes),
    }
}

/// Bytes as text between quotes.
fn quoted(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").ok()?,
        }
    }
    text.push('"');
    Some(text)
}

/// Bytes as pairs of digits.
fn pairs(bytes: &[u8]) -> Option<String> {
    match bytes {
        [] => Some("\"\"".into()),
        [byte] => Some(format!("0x{byte:02x}")),
        _ if bytes.len() > MOST_BYTES => None,
        _ => Some(bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")),
    }
}
