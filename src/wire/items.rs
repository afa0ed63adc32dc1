//! Option lists: walking them, whatever bytes they are.
//!
//! The walk is total: an option of an unknown kind is kept raw, a length that cannot be is a located problem, and
//! every byte of the list belongs to exactly one span. A list in an item follows its item, one level deeper.

use std::ops::Range;

use super::bits::BitRange;
use super::table::{Field, Head, Item, ItemList, Kind};
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
    ..Item::PLAIN
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
    ..Item::PLAIN
};

/// Lists in items deeper than this are kept raw.
pub const MAX_DEPTH: usize = 6;

/// Bytes from which on a list row tells only how many there are.
const LONG: usize = 16;

/// One option of a packet.
#[derive(Clone, Debug)]
pub struct ItemSpan {
    /// Its table.
    pub item: &'static Item,
    /// The list that it stands in.
    pub list: &'static ItemList,
    /// Its bytes in the packet, with the items in it and what fills it up.
    pub range: Range<usize>,
    /// Where it ends as its length says it; what fills it up stands behind.
    pub end: usize,
    /// How many items it stands in.
    pub depth: usize,
    /// Why it could not be read as its kind says.
    pub problem: Option<String>,
}

/// A field of an item: repetition, index in the table, table entry, bits in the packet.
pub type ItemField = (Option<usize>, usize, &'static Field, BitRange);

impl ItemSpan {
    /// Its bytes before the items in it: all but what fills it up, where it has no list.
    #[must_use]
    pub fn own(&self) -> Range<usize> {
        let end = match self.item.inner {
            Some(_) => (self.range.start + self.item.fixed_bytes()).min(self.end),
            None => self.end,
        };
        self.range.start..end
    }

    /// The fields. Only those wholly inside. What fills the item up comes last, with an index past the table's.
    #[must_use]
    pub fn fields(&self, packet: &[u8]) -> Vec<ItemField> {
        let (start, end) = (self.range.start * 8, self.end * 8);
        let own = packet.get(self.range.clone()).unwrap_or_default();
        let mut found = Vec::new();
        for (index, field) in self.item.fields.iter().enumerate() {
            let from = start + field.bits.start;
            let width = if field.bits.width == 0 { end.saturating_sub(from) } else { field.bits.width };
            if width > 0 && from + width <= end && field.is_in(own) {
                found.push((None, index, field, BitRange { start: from, width }));
            }
        }
        let step = self.item.repeat_bytes();
        let past = |at: usize| {
            let pointer = self.item.pointer?;
            let said = bits::get(own, pointer.by.bits)?;
            (((at - self.range.start + 1) as u128) >= said).then_some(pointer)
        };
        if step > 0 {
            let mut at = self.range.start + self.item.fixed_bytes();
            let mut nth = 0;
            // Of one that is not whole, those that are.
            while at < self.end {
                for (index, field) in self.item.repeat.iter().enumerate() {
                    let field = past(at).and_then(|p| p.past.get(index)).unwrap_or(field);
                    let bits = BitRange { start: at * 8 + field.bits.start, width: field.bits.width };
                    if bits.end() <= self.end * 8 {
                        found.push((Some(nth), index, field, bits));
                    }
                }
                at += step;
                nth += 1;
            }
        }
        if let Some(filler) = self.list.filler.filter(|_| self.range.end > self.end) {
            let bits = BitRange { start: end, width: (self.range.end - self.end) * 8 };
            found.push((None, self.item.fields.len(), filler, bits));
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
            let kind = self.list.kind_of(packet.get(self.range.clone()).unwrap_or_default());
            text = format!("{text}-{}", kind.unwrap_or(0));
        }
        for (nth, index, field, bits) in self.fields(packet) {
            if self.item.single || nth.is_none() && !self.item.is_told(index) {
                continue;
            }
            let separator = if nth.is_some() && index > 0 { ":" } else { " " };
            text += separator;
            text += &match (field.kind, bits::get(packet, bits)) {
                _ if field.parts.is_some() => value::told(field, packet, bits),
                (Kind::Text, _) => format!("{:?}", value::text(field, packet, bits)),
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

/// What the length of an item of so many bytes says.
fn says(list: &ItemList, len: usize) -> String {
    if list.unit == 1 || len == 0 {
        len.saturating_sub(list.beyond).to_string()
    } else {
        format!("{} ({len} bytes)", len.saturating_sub(list.beyond) / list.unit)
    }
}

/// Splits the bytes of an option list; `offset` is where they stand in the packet.
#[must_use]
pub fn walk(list: &'static ItemList, bytes: &[u8], offset: usize) -> Vec<ItemSpan> {
    walk_in(list, &[], bytes, offset)
}

/// Splits the bytes of a list that stands in `owner` (a header, an item; from its first byte on), whose counts say how many
/// items there are of each table without a kind.
#[must_use]
pub fn walk_in(list: &'static ItemList, owner: &[u8], bytes: &[u8], offset: usize) -> Vec<ItemSpan> {
    let mut walk = Walk { bytes, offset, spans: Vec::new() };
    walk.list(list, owner, 0..bytes.len(), 0);
    walk.spans
}

/// A walk through the bytes of a list and of the lists in it.
struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
    spans: Vec<ItemSpan>,
}

impl Walk<'_> {
    fn list(&mut self, list: &'static ItemList, owner: &[u8], within: Range<usize>, depth: usize) {
        if depth > MAX_DEPTH {
            self.malformed(list, within, depth, format!("items in more than {MAX_DEPTH} items are not read"));
        } else if list.is_bare() {
            self.bare(list, owner, within, depth);
        } else {
            self.headed(list, within, depth);
        }
    }

    /// Takes an item with the list in it. `end`: where it ends; what is left of `range` fills it up.
    fn take(
        &mut self,
        (list, item): (&'static ItemList, &'static Item),
        range: Range<usize>,
        end: usize,
        depth: usize,
        problem: Option<String>,
    ) {
        let at = self.offset;
        let place = at + range.start..at + range.end;
        self.spans.push(ItemSpan { item, list, range: place, end: at + end, depth, problem });
        let Some(inner) = item.inner else { return };
        let from = (range.start + item.fixed_bytes()).min(end);
        if from < end {
            let bytes = self.bytes;
            self.list(inner, &bytes[range.start..from], from..end, depth + 1);
        }
    }

    fn malformed(&mut self, list: &'static ItemList, range: Range<usize>, depth: usize, problem: String) {
        let end = range.end;
        self.take((list, &MALFORMED), range, end, depth, Some(problem));
    }

    /// Items with a kind and a length.
    fn headed(&mut self, list: &'static ItemList, within: Range<usize>, depth: usize) {
        let mut at = within.start;
        while at < within.end {
            let rest = at..within.end;
            let bytes = &self.bytes[rest.clone()];
            let Some(kind) = list.kind_of(bytes) else {
                let (left, needed) = (bytes.len(), list.head.bytes);
                let why = format!("{left} bytes are left, an option begins with {needed} of kind and length");
                self.malformed(list, rest, depth, why);
                return;
            };
            let known = || list.items.iter().filter(|i| i.kind == Some(kind));
            let first = known().next().unwrap_or(list.unknown);
            if first.single {
                self.take((list, first), at..at + 1, at + 1, depth, None);
                at += 1;
                if first.ends && at < within.end {
                    // Where the list has a field for what fills it up, that is what the rest is.
                    let end = if list.filler.is_some() { at } else { within.end };
                    self.take((list, &PADDING), at..within.end, end, depth, None);
                    return;
                }
                continue;
            }
            let left = bytes.len();
            match list.said_len(bytes) {
                Some(len) if len >= list.head.bytes && len <= left => {
                    let value = &bytes[..len];
                    let end = (at + len.next_multiple_of(list.step)).min(within.end);
                    let described = known().find(|i| i.describes(value));
                    let (item, problem) = match described.or(known().next().is_none().then_some(list.unknown))
                    {
                        Some(item) => (item, None),
                        None => (list.unknown, Some(undescribed(list, first, kind, len))),
                    };
                    self.take((list, item), at..end, at + len, depth, problem);
                    at = end;
                    if item.ends && at < within.end {
                        self.take((list, &PADDING), at..within.end, within.end, depth, None);
                        return;
                    }
                }
                len => {
                    let problem = Some(impossible(list, kind, len, left));
                    // Where items stand in it, or in a long head, what is there is read.
                    let long = list.head != Head::BYTES;
                    let cut = known().find(|i| (long || i.inner.is_some()) && i.holds(bytes));
                    let cut = cut.filter(|i| long || left >= i.fixed_bytes());
                    let cut = cut.filter(|_| len.is_some_and(|len| len > left));
                    let cut = cut.or(long.then_some(list.unknown));
                    self.take((list, cut.unwrap_or(&MALFORMED)), rest, within.end, depth, problem);
                    return;
                }
            }
        }
    }

    /// Items without kind and length: of each table in turn as many as its count in `owner` says, of one without a count
    /// all that are left.
    fn bare(&mut self, list: &'static ItemList, owner: &[u8], within: Range<usize>, depth: usize) {
        let mut at = within.start;
        for item in list.items {
            let count = item.count_in(owner);
            let mut made = 0;
            let holds = |at: usize| item.holds(&self.bytes[at..within.end]);
            while at < within.end && count.is_none_or(|count| made < count) && holds(at) {
                let left = within.end - at;
                let bytes = &self.bytes[at..within.end];
                let counted = item.inner.filter(|inner| inner.is_counted() && item.length == 0);
                let len = match (item.length, counted, count) {
                    (0, Some(inner), _) => item.fixed_bytes() + inner.counted_len(bytes),
                    (0, None, Some(units)) => {
                        made = units;
                        units * list.unit
                    }
                    (0, None, None) => left,
                    (len, ..) => len,
                };
                let problem =
                    (len > left).then(|| format!("{}: it has {len} bytes, {left} are left", item.name));
                let cut = problem.is_some() && counted.is_none();
                let item = if cut { &MALFORMED } else { item };
                let end = at + len.min(left);
                self.take((list, item), at..end, end, depth, problem);
                at = end;
                made += 1;
            }
        }
        if at < within.end {
            let why = format!("{} bytes are left behind all that the counts say", within.end - at);
            self.malformed(list, at..within.end, depth, why);
        }
    }
}

/// Why no table of a kind describes an item.
fn undescribed(list: &ItemList, item: &Item, kind: u32, len: usize) -> String {
    let kinds = list.unknown.fields.first();
    let name = kinds.and_then(|f| value::name_of(f, u128::from(kind))).unwrap_or(item.name);
    let says = says(list, len);
    if item.when.is_empty() {
        format!("{name}: the length byte says {says}, which this option cannot have")
    } else {
        format!("{name}: no form of this option has this content and a length byte of {says}")
    }
}

/// Why an item cannot have the length that it says.
fn impossible(list: &ItemList, kind: u32, len: Option<usize>, left: usize) -> String {
    let says = says(list, len.unwrap_or(0));
    let head = list.head.bytes;
    match len {
        None => format!("option kind {kind} has no length byte: the options end after it"),
        Some(len) if len < head => {
            format!(
                "option kind {kind}: the length byte says {says}, below the {head} bytes of kind and length"
            )
        }
        Some(len) => format!(
            "option kind {kind}: the length byte says {says}, {} bytes more than the options have left",
            len - left
        ),
    }
}
