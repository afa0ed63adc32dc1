//! Values that are typed into a filter, read as the type of what they are compared with.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::FilterError;
use super::lex::{Kind, Token};
use super::source::Type;
use super::tree::Literal;
use crate::wire::notation::nearest;

/// Names of values.
pub(super) type Names = &'static [(u64, &'static str)];

/// Reads a token as a value of a type. `minus`: a '-' stands before it.
///
/// # Errors
/// Says what such a value looks like.
pub(super) fn read(token: &Token, minus: bool, is: Type, names: Names) -> Result<Literal, FilterError> {
    let wrong = |message: String| FilterError::new(token.at.clone(), message);
    let text = token.text.as_str();
    if minus && !matches!(is, Type::Number(_) | Type::Time) {
        return Err(wrong(format!("there is no -{text}: here must stand {}", is.name())));
    }
    match is {
        Type::Number(bits) => {
            number(token, bits, names).map_err(wrong).map(|n| Literal::Number(if minus { -n } else { n }))
        }
        Type::Flag => flag(token).map_err(wrong),
        Type::Ipv4 => {
            let (address, len) = text.split_once('/').unwrap_or((text, "32"));
            let len = len.parse::<u32>().ok().filter(|len| *len <= 32);
            let (address, len) = address.parse::<Ipv4Addr>().ok().zip(len).ok_or_else(|| {
                wrong(format!(
                    "'{text}' is no IPv4 address, such as 10.77.0.2 or 10.77.0.0/16 (names are not looked up)"
                ))
            })?;
            Ok(Literal::Ipv4(address.into(), u32::MAX.checked_shl(32 - len).unwrap_or(0)))
        }
        Type::Ipv6 => {
            let (address, len) = text.split_once('/').unwrap_or((text, "128"));
            let len = len.parse::<u32>().ok().filter(|len| *len <= 128);
            let (address, len) = address.parse::<Ipv6Addr>().ok().zip(len).ok_or_else(|| {
                wrong(format!(
                    "'{text}' is no IPv6 address, such as fd77::2 or fd77::/64 (names are not looked up)"
                ))
            })?;
            Ok(Literal::Ipv6(address.into(), u128::MAX.checked_shl(128 - len).unwrap_or(0)))
        }
        Type::Mac => bytes(token)
            .filter(|b| b.len() == 6)
            .map(Literal::Bytes)
            .ok_or_else(|| wrong(format!("'{text}' is no MAC address, such as 02:00:00:00:00:01"))),
        Type::Bytes | Type::Protocol => bytes(token).map(Literal::Bytes).ok_or_else(|| {
            let hint = if text.starts_with("0x") {
                ": write hex pairs without 0x"
            } else {
                ", such as de:ad:be:ef, or \"text\""
            };
            wrong(format!("'{text}' are no bytes{hint}"))
        }),
        Type::Text => Ok(Literal::Text(match &token.kind {
            Kind::Text(bytes) => bytes.clone(),
            Kind::Raw(text) => text.clone().into_bytes(),
            Kind::Char(byte) => vec![*byte],
            _ => text.as_bytes().to_vec(),
        })),
        Type::Mark => Err(wrong(
            "this key is there or not and has no value to compare: write the key alone, or ! before it"
                .into(),
        )),
        Type::Time => seconds(text)
            .map(|n| Literal::Number(if minus { -n } else { n }))
            .ok_or_else(|| wrong(format!("'{text}' are no seconds, such as 1.5"))),
    }
}

/// The bits of the integer that holds so many: what Wireshark compares such a field with.
fn holder(bits: usize) -> usize {
    // Of a number that a text says nothing is known.
    if bits == 0 {
        return 64;
    }
    [8, 16, 24, 32, 64].into_iter().find(|n| *n >= bits).unwrap_or(128)
}

fn number(token: &Token, bits: usize, names: Names) -> Result<i128, String> {
    let text = token.text.as_str();
    let named = |name: &str| {
        let found = names.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(v, _)| i128::from(*v));
        found.ok_or_else(|| {
            let hint = nearest(name, names.iter().map(|n| n.1));
            let hint = hint.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            format!("'{name}' is no number and no name of a value{hint}")
        })
    };
    let value = match &token.kind {
        Kind::Char(byte) => i128::from(*byte),
        Kind::Text(bytes) => return named(&String::from_utf8_lossy(bytes)),
        Kind::Raw(text) => return named(text),
        _ => match digits(text) {
            Some(value) => value,
            None => return named(text),
        },
    };
    let most = 1i128.checked_shl(holder(bits) as u32).filter(|n| *n > 0).map_or(i128::MAX, |n| n - 1);
    if value > most {
        return Err(format!("{text} is too large: this is a number of up to {most}"));
    }
    Ok(value)
}

/// A number in C's syntax: decimal, `0x…`, `0b…`, octal with a 0 before it.
pub(super) fn digits(text: &str) -> Option<i128> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| i128::from_str_radix(digits, base).ok()).flatten()
}

fn flag(token: &Token) -> Result<Literal, String> {
    let text = match &token.kind {
        Kind::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => token.text.clone(),
    };
    let value = match text.to_ascii_lowercase().as_str() {
        "true" | "set" => true,
        "false" | "not set" => false,
        _ => digits(&text).ok_or_else(|| format!("'{text}' is no flag: write True or False, 1 or 0"))? != 0,
    };
    Ok(Literal::Number(i128::from(value)))
}

/// Bytes: hex pairs with a separator or without, one digit alone, text in quotes.
fn bytes(token: &Token) -> Option<Vec<u8>> {
    match &token.kind {
        Kind::Text(bytes) => return Some(bytes.clone()),
        Kind::Raw(text) => return Some(text.clone().into_bytes()),
        Kind::Char(byte) => return Some(vec![*byte]),
        _ => {}
    }
    let text = token.text.as_str();
    let hex = |part: &str| {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then_some(())?;
        match part.len() {
            1 => Some(vec![u8::from_str_radix(part, 16).ok()?]),
            n if n.is_multiple_of(2) => {
                (0..n).step_by(2).map(|i| u8::from_str_radix(&part[i..i + 2], 16).ok()).collect()
            }
            _ => None,
        }
    };
    // One byte written as a number.
    let single = text.strip_prefix("0x").filter(|t| t.len() <= 2).unwrap_or(text);
    let parts: Option<Vec<Vec<u8>>> = single.split([':', '-', '.']).map(hex).collect();
    parts.map(|parts| parts.concat())
}

/// Seconds as nanoseconds.
fn seconds(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && part.is_empty()
        || !plain(whole)
        || !plain(part)
        || part.len() > 9
        || whole.len() > 12
    {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: i128 = format!("{part:0<9}").parse().ok()?;
    Some(whole * 1_000_000_000 + part)
}
