//! Values as text: what Wireshark prints for a field, and what a person may type into it.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::bits::{self, BitRange};
use super::table::{Field, Kind};

/// Upper-case hex pairs with a space between, as in the source post: `AA 47 00 50`.
#[must_use]
pub fn hex_pairs(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        push_hex(&mut text, b"0123456789ABCDEF", *byte);
    }
    text
}

/// Adds a byte's two digits, without the formatter: a file of packets has a thousand million of them.
fn push_hex(text: &mut String, digits: &[u8; 16], byte: u8) {
    text.push(char::from(digits[usize::from(byte >> 4)]));
    text.push(char::from(digits[usize::from(byte & 15)]));
}

/// Lower-case hex digits without a separator, as tshark prints bytes.
#[must_use]
pub fn hex_plain(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(&mut text, b"0123456789abcdef", *byte);
    }
    text
}

/// Six hex pairs with colons.
#[must_use]
pub fn mac(value: u128) -> String {
    let b = value.to_be_bytes();
    format!("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[10], b[11], b[12], b[13], b[14], b[15])
}

/// A stored value of `field` in the field's unit, as Wireshark prints it.
#[must_use]
pub fn stored_text(field: &Field, stored: u128) -> String {
    let stored = field.ordered(stored);
    match field.kind {
        // 64 bits are written several times as fast as 128.
        Kind::Number | Kind::Flag => match u64::try_from(stored) {
            Ok(stored) if field.scale == 1 => stored.to_string(),
            _ => (stored * u128::from(field.scale)).to_string(),
        },
        Kind::Hex => format!("0x{stored:0w$x}", w = hex_digits(field)),
        Kind::Ipv4 => Ipv4Addr::from(stored as u32).to_string(),
        Kind::Ipv6 => Ipv6Addr::from(stored).to_string(),
        Kind::Mac => mac(stored),
        Kind::Bytes | Kind::Text => format!("{stored:x}"),
    }
}

/// Digits of a hexadecimal field: Wireshark pads to the integer type that holds it.
fn hex_digits(field: &Field) -> usize {
    match field.bits.width {
        _ if field.digits > 0 => field.digits,
        0..=8 => 2,
        9..=16 => 4,
        17..=24 => 6,
        25..=32 => 8,
        w => w.div_ceil(4),
    }
}

/// The value of `field` at `bits` as Wireshark prints it for its key.
#[must_use]
pub fn text(field: &Field, bytes: &[u8], bits: BitRange) -> String {
    let plain = || bytes.get(bits.bytes()).unwrap_or_default();
    match field.kind {
        Kind::Bytes => return hex_plain(plain()),
        Kind::Text => {
            let end = plain().iter().position(|b| *b == 0).unwrap_or(plain().len());
            return super::notation::escape(&plain()[..end]);
        }
        _ => {}
    }
    bits::get(bytes, bits).map(|v| stored_text(field, v)).unwrap_or_default()
}

/// The name of the value where the table has one, else its text.
#[must_use]
pub fn named(field: &Field, bytes: &[u8], bits: BitRange) -> String {
    let name = bits::get(bytes, bits).and_then(|v| name_of(field, v));
    name.map_or_else(|| text(field, bytes, bits), str::to_owned)
}

/// What stands in a field of an option, for a person: the values in its bytes, or its name, or its text.
#[must_use]
pub fn told(field: &Field, bytes: &[u8], bits: BitRange) -> String {
    let Some(parts) = field.parts else { return named(field, bytes, bits) };
    let parts = parts(bytes.get(bits.bytes()).unwrap_or_default());
    if parts.is_empty() {
        return text(field, bytes, bits);
    }
    parts.into_iter().map(|p| p.told).collect::<Vec<_>>().join(", ")
}

/// The table's name for a stored value.
#[must_use]
pub fn name_of(field: &Field, stored: u128) -> Option<&'static str> {
    let value = field.ordered(stored);
    field.names.iter().find(|(n, _)| u128::from(*n) == value).map(|(_, name)| *name)
}

/// What a stored value means: the table's name for it, or its words.
#[must_use]
pub fn meaning_of(field: &Field, stored: u128) -> Option<Cow<'static, str>> {
    name_of(field, stored).map(Cow::Borrowed).or_else(|| field.words.map(|words| words(stored).into()))
}

/// The letters of the set flags of a group, the lowest bit first, in tcpdump's manner (`S.`). `None` when the group
/// has no letters or a bit without a letter is set.
#[must_use]
pub fn letters(fields: &[Field], group: &Field, stored: u128) -> Option<String> {
    let mut text = String::new();
    let mut covered = 0u128;
    for leaf in lettered(fields, group) {
        let mask = 1u128 << (group.bits.end() - leaf.bits.end());
        if stored & mask != 0 {
            text.push(leaf.letter);
        }
        covered |= mask;
    }
    (covered != 0 && stored & !covered == 0).then_some(text)
}

fn lettered<'a>(fields: &'a [Field], group: &'a Field) -> impl Iterator<Item = &'a Field> {
    let inside = move |f: &&Field| {
        f.letter != '\0' && f.bits.start >= group.bits.start && f.bits.end() <= group.bits.end()
    };
    fields.iter().rev().filter(inside)
}

/// A value that was refused, in words for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What a person may type into `field`, for messages: `0 to 65535`.
#[must_use]
pub fn range_text(field: &Field, scale: u32) -> String {
    match field.kind {
        Kind::Ipv4 => "an IPv4 address such as 10.77.0.2".into(),
        Kind::Ipv6 => "an IPv6 address such as fd77::2".into(),
        Kind::Mac => "a MAC address such as 02:00:00:00:00:01".into(),
        Kind::Bytes => "hex pairs such as de ad be ef".into(),
        Kind::Text => "text, with \\xNN for bytes that are none".into(),
        _ if scale > 1 => {
            let (least, most) = field.range();
            let unit = u128::from(scale);
            format!("{} to {} in steps of {scale}", least * unit, most * unit)
        }
        Kind::Hex => {
            let max = bits::max_value(field.bits.width);
            format!("0 to {max} (0x{max:x})")
        }
        _ => format!("{} to {}", field.range().0, field.range().1),
    }
}

/// A number as people write it: decimal, `0x…`, `0b…`, `_` allowed. `None` when it is none.
#[must_use]
pub fn number(text: &str) -> Option<u128> {
    let clean = text.trim().replace('_', "");
    let lower = clean.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        (!hex.starts_with('+')).then(|| u128::from_str_radix(hex, 16).ok())?
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (!binary.starts_with('+')).then(|| u128::from_str_radix(binary, 2).ok())?
    } else if lower.bytes().all(|b| b.is_ascii_digit()) {
        lower.parse().ok()
    } else {
        None
    }
}

/// Bytes written as hex digits; spaces, colons, dashes and dots between pairs are passed over.
///
/// # Errors
/// Says which character is no hex digit, or that a pair is incomplete.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::with_capacity(text.len() / 2);
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ':' | '-' | '.' | ',')) {
        let word = word.strip_prefix("0x").unwrap_or(word);
        if let Some(bad) = word.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(Refused(format!(
                "'{bad}' is no hex digit: write bytes as pairs, such as de ad be ef"
            )));
        }
        if !word.len().is_multiple_of(2) {
            return Err(Refused(format!("'{word}' has an odd number of hex digits: a byte is two of them")));
        }
        out.extend((0..word.len()).step_by(2).filter_map(|i| u8::from_str_radix(&word[i..i + 2], 16).ok()));
    }
    Ok(out)
}

/// The bytes of a field that is no number, from what a person typed: hex pairs, or text (with the escapes of notation,
/// in quotes or without).
///
/// # Errors
/// As [`parse_hex`]; an escape that is none.
pub fn parse_bytes(field: &Field, text: &str) -> Result<Vec<u8>, Refused> {
    if field.kind != Kind::Text {
        return parse_hex(text);
    }
    let inside = text.trim().strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    super::notation::unescape(inside).map_err(|e| Refused(e.message))
}

/// What [`parse_bytes`] reads back to these bytes. Zeros at the end of a text of a fixed width are not written.
#[must_use]
pub fn bytes_text(field: &Field, bytes: &[u8]) -> String {
    if field.kind != Kind::Text {
        return hex_pairs(bytes).to_lowercase();
    }
    let zeros = bytes.iter().rev().take_while(|b| **b == 0).count();
    let end = if field.bits.width == 0 { bytes.len() } else { bytes.len() - zeros };
    super::notation::escape(&bytes[..end])
}

fn parse_mac(text: &str) -> Option<u128> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    if parts.len() != 6 {
        return None;
    }
    parts.iter().try_fold(0u128, |sum, part| {
        let ok = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
        ok.then(|| u128::from_str_radix(part, 16).ok()).flatten().map(|b| (sum << 8) | b)
    })
}

/// Reads what a person typed into `field` in the unit `scale`; gives the value to store. Nothing is ever truncated.
///
/// # Errors
/// The text is no value of this kind, does not fit the field's bits, or is no multiple of its unit; the message names
/// the range that it must have.
pub fn parse(field: &Field, scale: u32, text: &str) -> Result<u128, Refused> {
    let text = text.trim();
    let range = || range_text(field, scale);
    let refuse = |why: &str| Refused(format!("{why}: {} must be {}", field.label, range()));
    let found = match field.kind {
        Kind::Ipv4 => text.parse::<Ipv4Addr>().ok().map(|a| u128::from(u32::from(a))),
        Kind::Ipv6 => text.parse::<Ipv6Addr>().ok().map(u128::from),
        Kind::Mac => parse_mac(text),
        _ => None,
    };
    if let Some(value) = found {
        return Ok(value);
    }
    if matches!(field.kind, Kind::Ipv4 | Kind::Ipv6 | Kind::Mac | Kind::Bytes | Kind::Text) {
        return Err(refuse(&format!("'{text}' is none")));
    }
    let by_name =
        || field.names.iter().find(|(_, n)| n.eq_ignore_ascii_case(text)).map(|(v, _)| u128::from(*v));
    let Some(value) = number(text) else {
        if let Some(value) = by_name() {
            return Ok(field.stored(value));
        }
        let shown =
            if text.is_empty() { "nothing is typed".into() } else { format!("'{text}' is no number") };
        return Err(refuse(&shown));
    };
    let scale = u128::from(scale);
    if value % scale != 0 {
        return Err(refuse(&format!("{text} is no multiple of {scale}")));
    }
    let (least, most) = field.range();
    if value / scale > most {
        return Err(refuse(&format!("{text} does not fit {} bits", field.bits.width - field.above as usize)));
    }
    if value / scale < least {
        return Err(refuse(&format!("{text} is too little")));
    }
    Ok(field.stored(value / scale))
}

/// Reads tcpdump's flag letters (`S.`, `FPU`; `none` or nothing for no flag) for a group.
///
/// # Errors
/// Names the letter that stands for no flag and lists those that do.
pub fn parse_letters(fields: &[Field], group: &Field, text: &str) -> Result<u128, Refused> {
    if text == "none" {
        return Ok(0);
    }
    let known: Vec<&Field> = lettered(fields, group).collect();
    // Many write A for what tcpdump calls '.'; where a flag has that letter, it is meant.
    let dot = !known.iter().any(|f| f.letter == 'A');
    text.chars().try_fold(0u128, |sum, letter| {
        let letter = if letter == 'A' && dot { '.' } else { letter };
        let leaf = known.iter().find(|f| f.letter == letter).ok_or_else(|| {
            let list: Vec<String> =
                known.iter().map(|f| format!("{} {}", f.letter, f.short_label())).collect();
            Refused(format!("'{letter}' is no flag: {} takes {}", group.label, list.join(", ")))
        })?;
        Ok(sum | 1u128 << (group.bits.end() - leaf.bits.end()))
    })
}

/// A time in nanoseconds as a person reads it.
#[must_use]
pub fn duration(ns: u64) -> String {
    let amount = ns as f64;
    match ns {
        0..1_000_000 => format!("{:.1} µs", amount / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3} ms", amount / 1e6),
        _ => format!("{:.3} s", amount / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_that_fits() {
        assert_eq!(duration(84_120), "84.1 µs");
        assert_eq!(duration(1_500_000), "1.500 ms");
        assert_eq!(duration(2_000_000_000), "2.000 s");
    }
}
