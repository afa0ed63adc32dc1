//! Option lists: walking them, whatever bytes they are.
//!
//! The walk is total: an option of an unknown kind is kept raw, a length that cannot be is a located problem, and
//! every byte of the list belongs to exactly one span.

use std::ops::Range;

use super::bits::BitRange;
use super::table::{Field, Item, ItemList, Kind};
use super::{bits, value};

/// What follows the end of the list.
pub static PADDING: Item = Item {
    kind: None,
    key: "padding",
    name: "Padding",
    terse: "",
    reference: "",
    single: true,
    bare: false,
    ends: false,
    length: 0,
    fields: &[Field::bytes("options.padding", "Padding", 0, 0)],
    repeat: &[],
    when: &[],
    pointer: None,
};

/// What cannot be read as an option.
pub static MALFORMED: Item = Item {
    kind: None,
    key: "hex",
    name: "Malformed option",
    terse: "malformed",
    reference: "",
    single: true,
    bare: false,
    ends: false,
    length: 0,
    fields: &[Field::bytes("options.malformed", "Malformed Option", 0, 0)],
    repeat: &[],
    when: &[],
    pointer: None,
};

/// Bytes from which on a list row tells only how many there are.
const LONG: usize = 16;

/// One option of a packet.
#[derive(Clone, Debug)]
pub struct ItemSpan {
    /// Its table.
    pub item: &'static Item,
    /// Its bytes in the packet.
    pub range: Range<usize>,
    /// Why it could not be read as its kind says.
    pub problem: Option<String>,
}

impl ItemSpan {
    /// The fields: repetition, index in the table, table entry, bits in the packet. Only those wholly inside.
    #[must_use]
    pub fn fields(&self, packet: &[u8]) -> Vec<(Option<usize>, usize, &'static Field, BitRange)> {
        let (start, end) = (self.range.start * 8, self.range.end * 8);
        let mut found = Vec::new();
        for (index, field) in self.item.fields.iter().enumerate() {
            let from = start + field.bits.start;
            let width = if field.bits.width == 0 { end.saturating_sub(from) } else { field.bits.width };
            if width > 0 && from + width <= end {
                found.push((None, index, field, BitRange { start: from, width }));
            }
        }
        let step = self.item.repeat_bytes();
        let past = |at: usize| {
            let pointer = self.item.pointer?;
            let said = bits::get(packet.get(self.range.clone())?, pointer.by.bits)?;
            (((at - self.range.start + 1) as u128) >= said).then_some(pointer)
        };
        if step > 0 {
            let mut at = self.range.start + self.item.fixed_bytes();
            let mut nth = 0;
            while at + step <= self.range.end {
                for (index, field) in self.item.repeat.iter().enumerate() {
                    let field = past(at).and_then(|p| p.past.get(index)).unwrap_or(field);
                    let bits = BitRange { start: at * 8 + field.bits.start, width: field.bits.width };
                    found.push((Some(nth), index, field, bits));
                }
                at += step;
                nth += 1;
            }
        }
        found
    }
}

impl ItemSpan {
    /// The option in a few letters for a list row, as tcpdump and packetdrill write it: `mss 1460`.
    #[must_use]
    pub fn terse_text(&self, packet: &[u8]) -> String {
        let mut text = self.item.terse.to_owned();
        if self.item.kind.is_none() && !self.item.single {
            text = format!("{text}-{}", packet.get(self.range.start).copied().unwrap_or(0));
        }
        for (nth, index, field, bits) in self.fields(packet) {
            if self.item.single || nth.is_none() && !self.item.is_told(index) {
                continue;
            }
            let separator = if nth.is_some() && index > 0 { ":" } else { " " };
            text += separator;
            text += &match (field.kind, bits::get(packet, bits)) {
                (Kind::Bytes, _) if bits.width > LONG * 8 => format!("{} bytes", bits.width / 8),
                (Kind::Bytes, _) => value::text(field, packet, bits),
                (_, Some(stored)) if field.group => self.letters(field, stored),
                (_, Some(stored)) => value::stored_text(field, stored),
                _ => String::new(),
            };
        }
        text
    }

    /// The set flags of a group in letters, or its number where a bit has none.
    #[must_use]
    pub fn letters(&self, group: &Field, stored: u128) -> String {
        match value::letters(self.item.fields, group, stored) {
            Some(letters) if letters.is_empty() => "none".into(),
            Some(letters) => letters,
            None => value::stored_text(group, stored),
        }
    }
}

/// What the length byte of an item of so many bytes says.
fn says(list: &ItemList, len: usize) -> String {
    if list.unit == 1 || len == 0 {
        len.saturating_sub(list.beyond).to_string()
    } else {
        format!("{} ({len} bytes)", (len - list.beyond) / list.unit)
    }
}

/// Splits the bytes of an option list; `offset` is where they stand in the packet.
#[must_use]
pub fn walk(list: &'static ItemList, bytes: &[u8], offset: usize) -> Vec<ItemSpan> {
    if let Some(item) = list.items.first().filter(|i| i.bare) {
        return walk_bare(item, bytes, offset);
    }
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = offset + at..offset + bytes.len();
        let kind = bytes[at];
        let known = || list.items.iter().filter(|i| i.kind == Some(kind));
        let item = known().next().unwrap_or(list.unknown);
        if item.single {
            spans.push(ItemSpan { item, range: rest.start..rest.start + 1, problem: None });
            at += 1;
            if item.ends && at < bytes.len() {
                spans.push(ItemSpan { item: &PADDING, range: offset + at..rest.end, problem: None });
                break;
            }
            continue;
        }
        let left = bytes.len() - at;
        let said = bytes.get(at + 1).copied();
        let len = said.map(|said| usize::from(said) * list.unit + list.beyond);
        match len {
            Some(len) if len >= 2 && len <= left => {
                let range = rest.start..rest.start + len;
                let described = known().find(|i| i.describes(&bytes[at..at + len]));
                if let Some(item) = described.or(known().next().is_none().then_some(list.unknown)) {
                    spans.push(ItemSpan { item, range, problem: None });
                } else {
                    let kinds = list.unknown.fields.first();
                    let name = kinds.and_then(|f| value::name_of(f, u128::from(kind))).unwrap_or(item.name);
                    let says = says(list, len);
                    let problem = if item.when.is_empty() {
                        format!("{name}: the length byte says {says}, which this option cannot have")
                    } else {
                        format!("{name}: no form of this option has this content and a length byte of {says}")
                    };
                    spans.push(ItemSpan { item: list.unknown, range, problem: Some(problem) });
                }
                at += len;
            }
            _ => {
                let says = says(list, len.unwrap_or(0));
                let problem = match len {
                    None => format!("option kind {kind} has no length byte: the options end after it"),
                    Some(len) if len < 2 => {
                        format!(
                            "option kind {kind}: the length byte says {says}, below the 2 bytes of kind and length"
                        )
                    }
                    Some(len) => format!(
                        "option kind {kind}: the length byte says {says}, {} bytes more than the options have left",
                        len - left
                    ),
                };
                spans.push(ItemSpan { item: &MALFORMED, range: rest, problem: Some(problem) });
                break;
            }
        }
    }
    spans
}

/// Items without kind and length, one after the other.
fn walk_bare(item: &'static Item, bytes: &[u8], offset: usize) -> Vec<ItemSpan> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let left = bytes.len() - at;
        let len = if item.length == 0 { left } else { item.length };
        if len > left {
            let problem = format!("{}: it has {len} bytes, {left} are left", item.name);
            let range = offset + at..offset + bytes.len();
            spans.push(ItemSpan { item: &MALFORMED, range, problem: Some(problem) });
            break;
        }
        spans.push(ItemSpan { item, range: offset + at..offset + at + len, problem: None });
        at += len;
    }
    spans
}
