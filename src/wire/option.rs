//! The part of the table language that speaks of lists of items: options, and what is like them.

use std::ops::Range;

use super::bits::{self, BitRange};
use super::field::Field;
use super::table::{AddressOf, Header};
use super::when::When;

/// How far a list of items goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fills {
    /// To the end of the header, which says its length.
    Header,
    /// To the end of the message: nothing follows it.
    Message,
}

/// What an item begins with: its kind and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of it.
    pub bytes: usize,
    /// Where the kind stands.
    pub kind: BitRange,
    /// Where the length stands.
    pub len: BitRange,
}

impl Head {
    /// A byte each.
    pub const BYTES: Self = Self::of(2, (0, 8), (8, 8));
    /// Two bytes each.
    pub const WORDS: Self = Self::of(4, (0, 16), (16, 16));

    /// A head of so many bytes; kind and length by their first bit and their width.
    #[must_use]
    pub const fn of(bytes: usize, kind: (usize, usize), len: (usize, usize)) -> Self {
        Self {
            bytes,
            kind: BitRange { start: kind.0, width: kind.1 },
            len: BitRange { start: len.0, width: len.1 },
        }
    }
}

/// Where more items of a list stand, by an item of it (its bytes): ranges of the header, from its first byte on.
pub type Elsewhere = fn(&[u8]) -> Vec<Range<usize>>;

/// A list of items (options) after the fixed part of a header, or of an item.
#[derive(Clone, Copy, Debug)]
pub struct ItemList {
    /// Key of the whole list, as Wireshark has it.
    pub key: &'static str,
    /// What the keys of the items begin with, where that is not the protocol of the header.
    pub prefix: &'static str,
    /// Label of the whole list.
    pub label: &'static str,
    /// The key says that there is a list (1), not its bytes.
    pub heading: bool,
    /// The known items.
    pub items: &'static [Item],
    /// The table of an item of an unknown kind.
    pub unknown: &'static Item,
    /// When there is a list at all; `None`: always.
    pub when: Option<When>,
    /// The list where this one is not there.
    pub otherwise: Option<&'static ItemList>,
    /// How far it goes.
    pub fills: Fills,
    /// What an item begins with.
    pub head: Head,
    /// What the length of an item counts, in bytes; an item is as long as a multiple of it.
    pub unit: usize,
    /// Bytes of an item that its length does not count.
    pub beyond: usize,
    /// An item is filled up to a multiple of this many bytes, which its length does not count.
    pub step: usize,
    /// What it is filled up with.
    pub filler: Option<&'static Field>,
    /// A list that is made here is filled up with zero bytes, so that the header is a multiple of this many.
    pub align: usize,
    /// Bytes of the header before the list, beyond a multiple of `align`.
    pub lead: usize,
    /// Most bytes that the header's length field can speak of, where one does.
    pub limit: Option<usize>,
    /// Where the packet goes in the end, when the list sends it there by another address than the header's destination:
    /// it stands in the pseudo header of what the packet carries.
    pub route: Option<AddressOf>,
    /// The source address that stands in the pseudo header in the place of the header's.
    pub origin: Option<AddressOf>,
    /// Where more items stand in the header, if an item says so.
    pub elsewhere: Option<Elsewhere>,
}

impl ItemList {
    /// What a list leaves out.
    pub const PLAIN: Self = Self {
        key: "options",
        prefix: "",
        label: "Options",
        heading: false,
        items: &[],
        unknown: &Item::PLAIN,
        when: None,
        otherwise: None,
        fills: Fills::Message,
        head: Head::BYTES,
        unit: 1,
        beyond: 0,
        step: 1,
        filler: None,
        align: 1,
        lead: 0,
        limit: None,
        route: None,
        origin: None,
        elsewhere: None,
    };

    /// The longest item that a length can speak of, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        let most = bits::max_value(self.head.len.width) as usize;
        if self.is_bare() { 0xffff } else { most * self.unit + self.beyond }
    }

    /// Bytes that fill up so many bytes of items to the alignment of the list.
    #[must_use]
    pub fn padding(&self, len: usize) -> usize {
        (self.lead + len).next_multiple_of(self.align) - len - self.lead
    }

    /// What the keys of its items begin with, in this header.
    #[must_use]
    pub fn prefix_in(&self, header: &Header) -> &'static str {
        if self.prefix.is_empty() { header.prefix() } else { self.prefix }
    }

    /// Whether its items have neither kind nor length: they follow each other in the order of their tables.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.items.first().is_some_and(|i| i.bare)
    }

    /// Whether fields of what the list stands in say where all of its items end.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|i| i.count.is_some())
    }

    /// Bytes that the counts in `owner` (what the list stands in, from its first byte on) say.
    #[must_use]
    pub fn counted_len(&self, owner: &[u8]) -> usize {
        let one = |i: &Item| if i.length == 0 { self.unit } else { i.length };
        self.items.iter().map(|i| i.count_in(owner).unwrap_or(0) * one(i)).sum()
    }

    /// The kind that an item begins with; `None` when it is cut off.
    #[must_use]
    pub fn kind_of(&self, item: &[u8]) -> Option<u32> {
        u32::try_from(bits::get(item, self.head.kind)?).ok()
    }

    /// The length of an item as its head says it, in bytes; `None` when it is cut off.
    #[must_use]
    pub fn said_len(&self, item: &[u8]) -> Option<usize> {
        Some(bits::get(item, self.head.len)? as usize * self.unit + self.beyond)
    }

    /// An item of kind, length and value with its length set, filled up with zero bytes to the unit; `None` when
    /// it is longer than the length can say.
    #[must_use]
    pub fn sized(&self, mut item: Vec<u8>) -> Option<Vec<u8>> {
        if self.is_bare() {
            return Some(item);
        }
        item.resize(item.len().max(self.head.bytes).next_multiple_of(self.unit), 0);
        let len = (item.len() - self.beyond) / self.unit;
        bits::set(&mut item, self.head.len, len as u128).then_some(item)
    }

    /// Every table of the list, of lists in its items too, each list once. A list may stand in itself.
    #[must_use]
    pub fn with_inner(&'static self) -> Vec<&'static ItemList> {
        let mut all: Vec<&'static Self> = vec![self];
        let mut at = 0;
        while let Some(list) = all.get(at).copied() {
            for inner in list.items.iter().filter_map(|i| i.inner) {
                if !all.iter().any(|l| std::ptr::eq(*l, inner)) {
                    all.push(inner);
                }
            }
            at += 1;
        }
        all
    }
}

/// One option: kind, length (both as the list says), value; or a kind alone; or fields alone.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The kind's number; `None` for the table of unknown kinds.
    pub kind: Option<u32>,
    /// Its name in notation.
    pub key: &'static str,
    /// The RFC's words.
    pub name: &'static str,
    /// The name that tcpdump prints in a list row; empty: `key`.
    pub terse: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// A kind alone, without a length byte.
    pub single: bool,
    /// No kind and no length byte: fields alone (addresses). Without a length it is all that is left.
    pub bare: bool,
    /// Nothing after it is an option.
    pub ends: bool,
    /// The length that it must have, or 0 when it varies.
    pub length: usize,
    /// All fields, kind and length included.
    pub fields: &'static [Field],
    /// Fields that repeat after `fields` until the item ends; their bits count from each repetition's start.
    pub repeat: &'static [Field],
    /// Only an item of this kind where all of these hold (of the bytes of the item): several tables may share a kind, and
    /// the first that describes the item is its table.
    pub when: &'static [When],
    /// A field that says how far the repetitions are filled in.
    pub pointer: Option<Pointer>,
    /// Where kind and length stand in it.
    pub head: Head,
    /// The list that follows the fields, to the end of the item.
    pub inner: Option<&'static ItemList>,
    /// Without kind and length: the field of what the list stands in that says how many of these there are; of an item
    /// without a length, how many units it has.
    pub count: Option<&'static Field>,
    /// What the field says less than there are (RFC 8754: the number of the last).
    pub uncounted: usize,
}

/// A pointer into the repetitions of an item (RFC 791: the route data, the time stamps).
#[derive(Clone, Copy, Debug)]
pub struct Pointer {
    /// The field: the first byte that is not filled in, counted from 1 at the kind.
    pub by: &'static Field,
    /// The names of the fields of a repetition from there on; the same bits as those that repeat.
    pub past: &'static [Field],
}

impl Item {
    /// What a table leaves out.
    pub const PLAIN: Self = Self {
        kind: None,
        key: "",
        name: "",
        terse: "",
        reference: "",
        single: false,
        bare: false,
        ends: false,
        length: 0,
        fields: &[],
        repeat: &[],
        when: &[],
        pointer: None,
        head: Head::BYTES,
        inner: None,
        count: None,
        uncounted: 0,
    };

    /// A known item of kind, length and these fields, of any length that they allow.
    pub const fn known(
        kind: u32,
        key: &'static str,
        name: &'static str,
        reference: &'static str,
        fields: &'static [Field],
    ) -> Self {
        Self { kind: Some(kind), key, name, terse: key, reference, fields, ..Self::PLAIN }
    }
    /// Sets the only length that it can have, in bytes.
    #[must_use]
    pub const fn exactly(mut self, length: usize) -> Self {
        self.length = length;
        self
    }
    /// Says which items of the kind these are.
    #[must_use]
    pub const fn when(mut self, when: &'static [When]) -> Self {
        self.when = when;
        self
    }
    /// Sets the fields that repeat.
    #[must_use]
    pub const fn repeating(mut self, repeat: &'static [Field]) -> Self {
        self.repeat = repeat;
        self
    }
    /// Sets the pointer into the repetitions.
    #[must_use]
    pub const fn pointer(mut self, by: &'static Field, past: &'static [Field]) -> Self {
        self.pointer = Some(Pointer { by, past });
        self
    }

    /// Sets where kind and length stand.
    #[must_use]
    pub const fn head(mut self, head: Head) -> Self {
        self.head = head;
        self
    }
    /// Sets the list that follows the fields.
    #[must_use]
    pub const fn inner(mut self, list: &'static ItemList) -> Self {
        self.inner = Some(list);
        self
    }
    /// Sets the field that says how many there are.
    #[must_use]
    pub const fn counted(mut self, by: &'static Field) -> Self {
        self.count = Some(by);
        self
    }
    /// Says how many there are beyond what the field says.
    #[must_use]
    pub const fn uncounted(mut self, uncounted: usize) -> Self {
        self.uncounted = uncounted;
        self
    }
    /// How many there are as a field of `owner` says it; `None` where none does.
    #[must_use]
    pub fn count_in(&self, owner: &[u8]) -> Option<usize> {
        let said = bits::get(owner, self.count?.bits)?;
        Some(said as usize + self.uncounted)
    }
    /// Makes it the table of unknown kinds.
    #[must_use]
    pub const fn any_kind(mut self) -> Self {
        self.kind = None;
        self
    }
    /// Makes it a kind alone.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.single = true;
        self.length = 1;
        self
    }
    /// Says that nothing after it is an option.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Whether an item of its kind that begins with these bytes is one of these.
    #[must_use]
    pub fn holds(&self, item: &[u8]) -> bool {
        self.when.iter().all(|w| w.holds(item))
    }

    /// Whether this table describes these bytes of an item of its kind to the last one.
    #[must_use]
    pub fn describes(&self, item: &[u8]) -> bool {
        let len = item.len();
        let step = self.repeat_bytes();
        let fits = match self.length {
            0 if step > 0 => len >= self.fixed_bytes() && (len - self.fixed_bytes()).is_multiple_of(step),
            0 => len >= self.fixed_bytes(),
            length => len == length,
        };
        fits && self.holds(item)
    }

    /// Width of one repetition in bytes.
    #[must_use]
    pub fn repeat_bytes(&self) -> usize {
        self.repeat.iter().map(|f| f.bits.end()).max().unwrap_or(0) / 8
    }

    /// Bytes of the part that does not repeat.
    #[must_use]
    pub fn fixed_bytes(&self) -> usize {
        self.fields.iter().map(|f| f.bits.end()).max().unwrap_or(0) / 8
    }

    /// An item that is nothing but these fields.
    pub const fn bare(
        key: &'static str,
        name: &'static str,
        reference: &'static str,
        fields: &'static [Field],
    ) -> Self {
        let mut item = Self::known(0, key, name, reference, fields);
        item.bare = true;
        item
    }

    /// Bits of kind and length.
    #[must_use]
    pub fn head_bits(&self) -> usize {
        if self.bare { 0 } else { self.head.bytes * 8 }
    }

    /// Whether the field is its kind or its length, or a part of these.
    #[must_use]
    pub fn is_head(&self, field: &Field) -> bool {
        let overlaps = |bits: BitRange| field.bits.start < bits.end() && bits.start < field.bits.end();
        let open = field.bits.width == 0;
        !self.bare && !open && (overlaps(self.head.kind) || overlaps(self.head.len))
    }

    /// The fields that carry a value: all but kind and length.
    pub fn value_fields(&self) -> impl Iterator<Item = &'static Field> + '_ {
        self.fields.iter().filter(|f| !self.is_head(f))
    }

    /// The values that are told one by one in short forms, by their place in `fields`: neither what is reserved or
    /// follows from the kind of item, nor the leaves of a group.
    #[must_use]
    pub fn is_told(&self, field: usize) -> bool {
        let Some(field) = self.fields.get(field) else { return false };
        let inside = |g: &Field| {
            g.group
                && !g.reserved
                && !field.group
                && g.bits.start <= field.bits.start
                && field.bits.end() <= g.bits.end()
        };
        let counts = |i: &Item| i.count.is_some_and(|by| by.bits == field.bits);
        !self.single
            && !self.inner.is_some_and(|list| list.items.iter().any(counts))
            && !self.is_head(field)
            && !field.reserved
            && !self.fields.iter().any(inside)
    }
}
