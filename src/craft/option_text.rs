//! One option of a list to its notation, and back.

use std::ops::Range;

use super::build::{Built, parse_word};
use super::items::{Node, joined};
use super::options::is_raw;
use super::print::{bytes_word, field_text};
use crate::wire::bits;
use crate::wire::items::{self, ItemSpan};
use crate::wire::notation::{self, Item, NotationError, Spanned};
use crate::wire::table::{self, Field, ItemList, Kind};
use crate::wire::value;

/// Zero bytes from which on only their number is written.
const LONG: usize = 8;

/// One option from its notation: `mss(1460)`, `nop`, `opt(70, de ad)`, `hex(02)`, `init(…, params=[ipv4(10.0.0.1)])`.
pub(super) fn option_node(list: &'static ItemList, item: &Item) -> Built<Node> {
    let name = item.name.text.as_str();
    if name == "hex" || name == "zero" {
        let word = joined_words(item);
        return Ok(Node::new(list, &items::MALFORMED, raw_bytes(name, &word)?));
    }
    if name == list.unknown.key && !list.is_bare() {
        no_lists(item)?;
        return unknown_option(list, item).map(|own| Node::new(list, list.unknown, own));
    }
    let named = || list.items.iter().filter(|i| i.key.eq_ignore_ascii_case(name));
    let Some(first) = named().next() else { return Err(unknown_name(list, item)) };
    if first.single && item.args.is_empty() {
        no_lists(item)?;
        return Ok(Node::new(list, first, vec![first.kind.unwrap_or(0) as u8]));
    }
    let mut refused = None;
    for table in named().filter(|t| takes(t, item.args.len())) {
        match with_inner(list, table, item) {
            Ok(Some(node)) => return Ok(node),
            Ok(None) => {}
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

/// An option of a table, with those in it; `None` when the table does not describe it.
fn with_inner(list: &'static ItemList, table: &'static table::Item, item: &Item) -> Built<Option<Node>> {
    let own = option_values(list, table, item)?;
    let mut node = Node::new(list, table, own);
    match (table.inner, item.lists.as_slice()) {
        (Some(_), []) => {}
        (Some(inner), [(key, items)]) if key.text == inner.key => {
            node.children = items.iter().map(|i| option_node(inner, i)).collect::<Built<Vec<_>>>()?;
            node.touched = true;
        }
        _ => no_lists(item)?,
    }
    if !node.touched {
        node.own = finish_length(list, node.own, &item.name.at)?;
        return Ok(table.describes(&node.own).then_some(node));
    }
    let too_long = || {
        let why = format!("an option has at most {} bytes, kind and length included", list.longest());
        NotationError::new(item.name.at.clone(), why)
    };
    let whole = joined(std::slice::from_ref(&node), false).ok_or_else(too_long)?.concat();
    Ok(table.describes(&whole).then_some(node))
}

/// Refuses a list in an option that has none, or not under this key.
fn no_lists(item: &Item) -> Built<()> {
    match item.lists.first() {
        Some((key, _)) => {
            let why = format!("{} has no list '{}' here", item.name.text, key.text);
            Err(NotationError::new(key.at.clone(), why))
        }
        None => Ok(()),
    }
}

/// `hex(…)`, `zero(n)`.
fn raw_bytes(name: &str, word: &Spanned) -> Built<Vec<u8>> {
    if name == "hex" {
        return value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at.clone(), e.0));
    }
    let count = value::number(&word.text).and_then(|n| usize::try_from(n).ok());
    let count = count.filter(|n| *n <= notation::MAX_PAYLOAD);
    count.map(|n| vec![0; n]).ok_or_else(|| {
        let why = format!("'{}' is no number of bytes, 0 to {}", word.text, notation::MAX_PAYLOAD);
        NotationError::new(word.at.clone(), why)
    })
}

fn unknown_name(list: &ItemList, item: &Item) -> NotationError {
    let name = item.name.text.as_str();
    let mut known: Vec<&str> = list.items.iter().map(|i| i.key).chain([list.unknown.key, "hex"]).collect();
    known.dedup();
    let hint = notation::nearest(name, known.iter().copied())
        .map(|n| format!("; did you mean {n}?"))
        .unwrap_or_default();
    let why = format!("there is no option '{name}'{hint} (known: {})", known.join(", "));
    NotationError::new(item.name.at.clone(), why)
}

/// The fields that an option is given in notation, in order.
fn told(table: &table::Item) -> Vec<&Field> {
    table.fields.iter().enumerate().filter(|(i, _)| table.is_told(*i)).map(|(_, f)| f).collect()
}

/// The table that an option of this name with so many values is read by first, and the index of the field that its value
/// of this number is for; `None` where that is no field of a width of its own.
pub(super) fn told_field(
    list: &ItemList,
    name: &str,
    count: usize,
    nth: usize,
) -> Option<(&'static table::Item, usize)> {
    let table = list.items.iter().find(|t| t.key.eq_ignore_ascii_case(name) && takes(t, count))?;
    let mut fixed = (0..table.fields.len()).filter(|i| table.is_told(*i) && table.fields[*i].bits.width > 0);
    Some((table, fixed.nth(nth)?))
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
    if let Some(inner) = table.inner {
        labels.push(format!("{}=[…]", inner.key));
    }
    if labels.is_empty() { table.key.to_owned() } else { format!("{}({})", table.key, labels.join(", ")) }
}

/// The bytes of an option from the values of its fields. What is left over are repetitions, or belongs to a last field
/// that goes to the end of the option.
fn option_values(list: &ItemList, table: &table::Item, item: &Item) -> Built<Vec<u8>> {
    let fixed: Vec<&Field> = told(table).into_iter().filter(|f| f.bits.width > 0).collect();
    let mut bytes = vec![0; table.fixed_bytes().max(table.head_bits() / 8)];
    if let (false, Some(kind)) = (table.bare, table.kind) {
        let _ = bits::set(&mut bytes, list.head.kind, u128::from(kind));
    }
    for field in table.value_fields().filter(|f| f.reserved && !f.group) {
        let _ = bits::set(&mut bytes, field.bits, field.default);
    }
    for (field, word) in fixed.iter().zip(&item.args) {
        if field.kind.is_bytes() {
            put_bytes(&mut bytes, field, word)?;
            continue;
        }
        let stored = parse_word(table.fields, field, field.scale, word)?;
        let _ = bits::set(&mut bytes, field.bits, stored);
    }
    let rest = told(table).into_iter().find(|f| f.bits.width == 0);
    for word in item.args.iter().skip(fixed.len()) {
        if let (true, Some(field)) = (table.repeat.is_empty(), rest) {
            let data = value::parse_bytes(field, &word.text);
            bytes.extend(data.map_err(|e| NotationError::new(word.at.clone(), e.0))?);
        } else {
            bytes.extend(repetition(table, word)?);
        }
    }
    Ok(bytes)
}

/// Puts bytes into a field of a fixed width, filled up with zero bytes.
fn put_bytes(bytes: &mut [u8], field: &Field, word: &Spanned) -> Built<()> {
    let data = value::parse_bytes(field, &word.text).map_err(|e| NotationError::new(word.at.clone(), e.0))?;
    match bytes.get_mut(field.bits.bytes()).and_then(|place| place.get_mut(..data.len())) {
        Some(place) => {
            place.copy_from_slice(&data);
            Ok(())
        }
        None => {
            let why = format!("{} has at most {} bytes", field.label, field.bits.width / 8);
            Err(NotationError::new(word.at.clone(), why))
        }
    }
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
    let most = bits::max_value(list.head.kind.width);
    let number = value::number(&kind.text).filter(|n| *n <= most).ok_or_else(|| {
        NotationError::new(
            kind.at.clone(),
            format!("'{}' is no option kind: it must be 0 to {most}", kind.text),
        )
    })?;
    let mut bytes = vec![0; list.head.bytes];
    let _ = bits::set(&mut bytes, list.head.kind, number);
    for word in data {
        bytes.extend(value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at.clone(), e.0))?);
    }
    finish_length(list, bytes, &item.name.at)
}

fn joined_words(item: &Item) -> Spanned {
    let text = item.args.iter().map(|a| a.text.as_str()).collect::<Vec<_>>().join(" ");
    let end = item.args.last().map_or(item.name.at.end, |a| a.at.end);
    Spanned { text, at: item.args.first().map_or(item.name.at.start, |a| a.at.start)..end }
}

/// These options as notation, an option before those in it. `fill_last`: what fills up the last one belongs to it.
///
/// What is printed reads back to the same bytes: where an option's own form does not, its kind and its data are
/// written, and where these do not, plain bytes.
pub(super) fn option_notations(spans: &[ItemSpan], bytes: &[u8], fill_last: bool) -> Vec<String> {
    let mut texts = Vec::new();
    let mut at = 0;
    while let Some(span) = spans.get(at) {
        let inside = spans[at + 1..].iter().take_while(|s| s.depth > span.depth).count();
        let next = at + 1 + inside;
        let raw = bytes.get(span.range.clone()).unwrap_or_default();
        let fills = fill_last || next < spans.len();
        let reads_back = |text: &String| {
            let item = notation::parse_item(text).ok();
            let node = item.and_then(|item| option_node(span.list, &item).ok());
            let made = node.and_then(|node| joined(&[node], fills));
            made.is_some_and(|made| made.concat() == raw)
        };
        let forms = [own_form(span, &spans[at + 1..next], bytes), Some(by_kind(span, bytes))];
        let text = forms.into_iter().flatten().filter(|_| !is_raw(span)).find(reads_back);
        texts.push(text.unwrap_or_else(|| plain_form(raw)));
        at = next;
    }
    texts
}

/// Plain bytes, long runs of zeros by their number.
fn plain_form(raw: &[u8]) -> String {
    if raw.len() > LONG && raw.iter().all(|b| *b == 0) {
        return format!("zero({})", raw.len());
    }
    format!("hex({})", value::hex_pairs(raw).to_lowercase())
}

/// An option as its kind and its data.
fn by_kind(span: &ItemSpan, bytes: &[u8]) -> String {
    let raw = bytes.get(span.range.start..span.end).unwrap_or_default();
    let data = value::hex_pairs(raw.get(span.list.head.bytes..).unwrap_or_default()).to_lowercase();
    let separator = if data.is_empty() { "" } else { ", " };
    format!("{}({}{separator}{data})", span.list.unknown.key, span.list.kind_of(raw).unwrap_or(0))
}

/// An option by the names of its table, with those in it.
fn own_form(span: &ItemSpan, inside: &[ItemSpan], bytes: &[u8]) -> Option<String> {
    let item = span.item;
    if item.kind.is_none() && !item.bare {
        return None;
    }
    let mut args: Vec<String> = Vec::new();
    for (nth, index, field, at) in span.fields(bytes) {
        if nth.is_none() && !item.is_told(index) {
            continue;
        }
        let text = match (field.kind, bits::get(bytes, at)) {
            (Kind::Bytes | Kind::Text, _) => bytes_word(field, bytes.get(at.bytes()).unwrap_or_default()),
            (_, Some(stored)) if field.group => span.letters(field, stored),
            (_, Some(stored)) => field_text(field, stored),
            _ => continue,
        };
        match args.last_mut().filter(|_| nth.is_some() && index > 0) {
            Some(last) => *last += &format!("-{text}"),
            None => args.push(text),
        }
    }
    if let (Some(inner), false) = (item.inner, inside.is_empty()) {
        args.push(format!("{}=[{}]", inner.key, option_notations(inside, bytes, false).join(", ")));
    }
    Some(if args.is_empty() { item.key.to_owned() } else { format!("{}({})", item.key, args.join(", ")) })
}
