//! One option of a list to its notation, and back.

use std::ops::Range;

use super::build::{Built, parse_word};
use super::edit::is_raw;
use super::print::field_text;
use crate::wire::bits::{self, BitRange};
use crate::wire::items::ItemSpan;
use crate::wire::notation::{self, Item, NotationError, Spanned};
use crate::wire::table::{self, Field, ItemList, Kind};
use crate::wire::value;

/// The bytes of one option from its notation: `mss(1460)`, `nop`, `opt(70, de ad)`, `hex(02)`.
pub(super) fn option_bytes(list: &'static ItemList, item: &Item) -> Built<Vec<u8>> {
    let name = item.name.text.as_str();
    if name == "hex" {
        let word = joined(item);
        return value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at, e.0));
    }
    if name == list.unknown.key && !list.is_bare() {
        return unknown_option(list, item);
    }
    let named = || list.items.iter().filter(|i| i.key.eq_ignore_ascii_case(name));
    let Some(first) = named().next() else {
        let mut known: Vec<&str> =
            list.items.iter().map(|i| i.key).chain([list.unknown.key, "hex"]).collect();
        known.dedup();
        let hint = notation::nearest(name, known.iter().copied())
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        let why = format!("there is no option '{name}'{hint} (known: {})", known.join(", "));
        return Err(NotationError::new(item.name.at.clone(), why));
    };
    if first.single && item.args.is_empty() {
        return Ok(vec![first.kind.unwrap_or(0)]);
    }
    let mut refused = None;
    for table in named().filter(|t| takes(t, item.args.len())) {
        match option_values(table, item).and_then(|b| finish_length(list, b, &item.name.at)) {
            Ok(bytes) if table.describes(&bytes) => return Ok(bytes),
            Ok(_) => {}
            Err(why) => refused = Some(why),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let mut forms: Vec<String> = named().map(signature).collect();
        forms.dedup();
        let why = match (forms.as_slice(), first.single) {
            ([form], false) => format!("{name} takes {} value(s): {form}", told(first).len()),
            (_, true) => format!("{name} takes no value"),
            _ => format!("{name} takes one of these forms: {}", forms.join(" or ")),
        };
        NotationError::new(item.name.at.clone(), why)
    }))
}

/// The fields that an option is given in notation, in order.
fn told(table: &table::Item) -> Vec<&Field> {
    table.fields.iter().enumerate().filter(|(i, _)| table.is_told(*i)).map(|(_, f)| f).collect()
}

/// Whether an option of this table can have so many values.
fn takes(table: &table::Item, count: usize) -> bool {
    let told = told(table);
    let fixed = told.iter().filter(|f| f.bits.width > 0).count();
    count == fixed || count > fixed && (fixed < told.len() || !table.repeat.is_empty())
}

fn signature(table: &table::Item) -> String {
    let mut labels: Vec<String> = told(table).iter().map(|f| f.label.to_owned()).collect();
    if !table.repeat.is_empty() {
        labels.push(table.repeat.iter().map(|f| f.label).collect::<Vec<_>>().join("-") + ", …");
    }
    if labels.is_empty() { table.key.to_owned() } else { format!("{}({})", table.key, labels.join(", ")) }
}

/// The bytes of an option from the values of its fields. What is left over are repetitions, or belongs to a last field
/// that goes to the end of the option.
fn option_values(table: &table::Item, item: &Item) -> Built<Vec<u8>> {
    let fixed: Vec<&Field> = told(table).into_iter().filter(|f| f.bits.width > 0).collect();
    let mut bytes = vec![0; table.fixed_bytes().max(table.head_bits() / 8)];
    if let (false, Some(kind), Some(first)) = (table.bare, table.kind, bytes.first_mut()) {
        *first = kind;
    }
    for field in table.value_fields().filter(|f| f.reserved && !f.group) {
        let _ = bits::set(&mut bytes, field.bits, field.default);
    }
    for (field, word) in fixed.iter().zip(&item.args) {
        let stored = parse_word(table.fields, field, field.scale, word)?;
        let _ = bits::set(&mut bytes, field.bits, stored);
    }
    for word in item.args.iter().skip(fixed.len()) {
        if table.repeat.is_empty() {
            bytes.extend(value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at.clone(), e.0))?);
        } else {
            bytes.extend(repetition(table, word)?);
        }
    }
    Ok(bytes)
}

fn finish_length(list: &ItemList, bytes: Vec<u8>, at: &Range<usize>) -> Built<Vec<u8>> {
    list.sized(bytes).ok_or_else(|| {
        let why = format!("an option has at most {} bytes, kind and length included", list.longest());
        NotationError::new(at.clone(), why)
    })
}

/// One repetition: its values joined with `-`, such as the edges of a SACK block.
fn repetition(table: &table::Item, word: &Spanned) -> Built<Vec<u8>> {
    let parts: Vec<&str> = word.text.split('-').collect();
    if parts.len() != table.repeat.len() {
        let labels: Vec<&str> = table.repeat.iter().map(|f| f.label).collect();
        let why =
            format!("'{}' must be {} values joined with '-': {}", word.text, labels.len(), labels.join("-"));
        return Err(NotationError::new(word.at.clone(), why));
    }
    let mut bytes = vec![0; table.repeat_bytes()];
    for (field, part) in table.repeat.iter().zip(parts) {
        let one = Spanned { text: part.trim().to_owned(), at: word.at.clone() };
        let stored = parse_word(table.repeat, field, field.scale, &one)?;
        let _ = bits::set(&mut bytes, field.bits, stored);
    }
    Ok(bytes)
}

fn unknown_option(list: &ItemList, item: &Item) -> Built<Vec<u8>> {
    let Some((kind, data)) = item.args.split_first() else {
        let why = "write the kind and its data: opt(70, de ad be ef)";
        return Err(NotationError::new(item.name.at.clone(), why));
    };
    let number = value::number(&kind.text).and_then(|n| u8::try_from(n).ok());
    let number = number.ok_or_else(|| {
        NotationError::new(kind.at.clone(), format!("'{}' is no option kind: it must be 0 to 255", kind.text))
    })?;
    let mut bytes = vec![number, 0];
    for word in data {
        bytes.extend(value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at.clone(), e.0))?);
    }
    finish_length(list, bytes, &item.name.at)
}

fn joined(item: &Item) -> Spanned {
    let text = item.args.iter().map(|a| a.text.as_str()).collect::<Vec<_>>().join(" ");
    let end = item.args.last().map_or(item.name.at.end, |a| a.at.end);
    Spanned { text, at: item.args.first().map_or(item.name.at.start, |a| a.at.start)..end }
}

/// One option as notation.
pub(super) fn option_notation(span: &ItemSpan, raw_key: &str, bytes: &[u8]) -> String {
    let raw = bytes.get(span.range.clone()).unwrap_or_default();
    if is_raw(span) {
        return format!("hex({})", value::hex_pairs(raw).to_lowercase());
    }
    let item = span.item;
    let base = span.range.start * 8;
    let fields = span.fields(bytes);
    // What the short form passes over has to be what it reads back to.
    let hidden = |(nth, index, field, at): &(Option<usize>, usize, &Field, BitRange)| {
        nth.is_none()
            && at.start >= base + item.head_bits()
            && field.reserved
            && !field.group
            && !item.is_told(*index)
            && bits::get(bytes, *at) != Some(field.default)
    };
    if item.kind.is_none() || fields.iter().any(hidden) {
        let data = value::hex_pairs(raw.get(2..).unwrap_or_default()).to_lowercase();
        let separator = if data.is_empty() { "" } else { ", " };
        return format!("{raw_key}({}{separator}{data})", raw.first().copied().unwrap_or(0));
    }
    let mut args: Vec<String> = Vec::new();
    for (nth, index, field, at) in fields {
        if nth.is_none() && !item.is_told(index) {
            continue;
        }
        let text = match (field.kind, bits::get(bytes, at)) {
            (Kind::Bytes, _) => value::hex_pairs(bytes.get(at.bytes()).unwrap_or_default()).to_lowercase(),
            (_, Some(stored)) if field.group => span.letters(field, stored),
            (_, Some(stored)) => field_text(field, stored),
            _ => continue,
        };
        match args.last_mut().filter(|_| nth.is_some() && index > 0) {
            Some(last) => *last += &format!("-{text}"),
            None => args.push(text),
        }
    }
    if args.is_empty() { item.key.to_owned() } else { format!("{}({})", item.key, args.join(", ")) }
}
