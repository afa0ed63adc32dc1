//! The table language: what a protocol can say about its header, once, for every view of it.
//!
//! A protocol is one `static` [`Header`]. Its leaves tile the header without a gap or an overlap; a group is a
//! union of leaves. Everything else (form, diagram, tree, notation, `read -e`, field reference) is read off it.

use super::bits::{self, BitRange};
use super::view::LayerView;

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decimal.
    Number,
    /// Hexadecimal with as many digits as the width has.
    Hex,
    /// One bit, or a few reserved bits.
    Flag,
    /// Dotted quad, RFC 791.
    Ipv4,
    /// RFC 5952 text.
    Ipv6,
    /// Six hex pairs with colons.
    Mac,
    /// Plain bytes: of the field's width, or to the end of its item when the width is 0.
    Bytes,
}

/// A registry of numbers that select the next header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Link types of capture files (tcpdump.org/linktypes).
    LinkType,
    /// IEEE 802 EtherTypes.
    EtherType,
    /// IANA protocol numbers.
    IpProtocol,
    /// The version nibble, where nothing else says what follows (raw IP).
    IpVersion,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The header alone (IPv4).
    Header,
    /// Header and payload (ICMP).
    Message,
    /// Header and payload behind the pseudo header of the network layer below (TCP, UDP).
    PseudoHeader,
}

/// How a field gets its value when nobody pins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// The length of the header with its options.
    HeaderLength,
    /// The length of header and payload.
    TotalLength,
    /// The number of the next header in that registry.
    NextHeader(Space),
    /// The Internet checksum, RFC 1071. `zero_is_none`: a sum of zero goes out as all ones (RFC 768).
    Checksum {
        /// What is summed.
        coverage: Coverage,
        /// A stored zero means that there is no checksum.
        zero_is_none: bool,
    },
    /// The source address that the kernel would choose for the destination.
    RouteSource,
    /// The address of the interface that sends.
    InterfaceAddress,
    /// The link-layer address of the next hop.
    NeighbourAddress,
}

/// What a raw IP socket does to a field of the header that we hand it (raw(7), IP_HDRINCL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawSocket {
    /// It goes out as it is.
    Kept,
    /// The kernel always writes it.
    Overwritten,
    /// The kernel writes it when it is zero.
    FilledWhenZero,
}

/// A field is there only when an earlier field of its header has one of these values.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The earlier field.
    pub field: &'static Field,
    /// The values.
    pub is: &'static [u64],
    /// Turns the predicate around: any value but these.
    pub not: bool,
}

impl When {
    /// Whether the predicate holds in `header` (the bytes from the header's first on). A header that is too
    /// short to say answers no.
    #[must_use]
    pub fn holds(&self, header: &[u8]) -> bool {
        bits::get(header, self.field.bits)
            .is_some_and(|v| self.is.iter().any(|&i| u128::from(i) == v) != self.not)
    }
}

/// One field of a header or of an option.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Wireshark's filter name without the protocol.
    pub key: &'static str,
    /// The RFC's words.
    pub label: &'static str,
    /// A few letters for a narrow cell of the diagram; empty: the label.
    pub short: &'static str,
    /// Where it stands, from the first bit of its header or item. Width 0: to the end of the item.
    pub bits: BitRange,
    /// How it is written.
    pub kind: Kind,
    /// A union of leaves, not a leaf.
    pub group: bool,
    /// The value shown is the stored one times this; a value that is no multiple is refused.
    pub scale: u32,
    /// Other names with their own scale.
    pub aliases: &'static [(&'static str, u32)],
    /// Names of values.
    pub names: &'static [(u64, &'static str)],
    /// The value of a new header, as stored.
    pub default: u128,
    /// How it is computed; `None`: it keeps what was typed.
    pub compute: Option<Compute>,
    /// When it is there at all.
    pub when: Option<When>,
    /// tcpdump's letter for a flag; `'\0'`: none.
    pub letter: char,
    /// What a raw IP socket does to it.
    pub raw_socket: RawSocket,
    /// Zero in every packet so far (RFC words: reserved, unused): an item's short forms pass it over.
    pub reserved: bool,
    /// Where it is defined, when not in the header's own reference.
    pub reference: &'static str,
}

impl Field {
    const fn new(key: &'static str, label: &'static str, start: usize, width: usize, kind: Kind) -> Self {
        Self {
            key,
            label,
            short: "",
            bits: BitRange { start, width },
            kind,
            group: false,
            scale: 1,
            aliases: &[],
            names: &[],
            default: 0,
            compute: None,
            when: None,
            letter: '\0',
            raw_socket: RawSocket::Kept,
            reserved: false,
            reference: "",
        }
    }
    /// A decimal number.
    pub const fn number(key: &'static str, label: &'static str, start: usize, width: usize) -> Self {
        Self::new(key, label, start, width, Kind::Number)
    }
    /// A hexadecimal number.
    pub const fn hex(key: &'static str, label: &'static str, start: usize, width: usize) -> Self {
        Self::new(key, label, start, width, Kind::Hex)
    }
    /// A flag of one bit.
    pub const fn flag(key: &'static str, label: &'static str, start: usize) -> Self {
        Self::new(key, label, start, 1, Kind::Flag)
    }
    /// An IPv4 address.
    pub const fn ipv4(key: &'static str, label: &'static str, start: usize) -> Self {
        Self::new(key, label, start, 32, Kind::Ipv4)
    }
    /// An IPv6 address.
    pub const fn ipv6(key: &'static str, label: &'static str, start: usize) -> Self {
        Self::new(key, label, start, 128, Kind::Ipv6)
    }
    /// A MAC address.
    pub const fn mac(key: &'static str, label: &'static str, start: usize) -> Self {
        Self::new(key, label, start, 48, Kind::Mac)
    }
    /// Plain bytes; width 0: all that is left.
    pub const fn bytes(key: &'static str, label: &'static str, start: usize, width: usize) -> Self {
        Self::new(key, label, start, width, Kind::Bytes)
    }
    /// A union of leaves, shown in hexadecimal.
    pub const fn group(key: &'static str, label: &'static str, start: usize, width: usize) -> Self {
        let mut field = Self::new(key, label, start, width, Kind::Hex);
        field.group = true;
        field
    }
    /// Sets the short label for narrow cells.
    #[must_use]
    pub const fn short(mut self, short: &'static str) -> Self {
        self.short = short;
        self
    }
    /// Sets the unit: the shown value is the stored one times `scale`.
    #[must_use]
    pub const fn scale(mut self, scale: u32) -> Self {
        self.scale = scale;
        self
    }
    /// Adds other names, each with its scale.
    #[must_use]
    pub const fn alias(mut self, aliases: &'static [(&'static str, u32)]) -> Self {
        self.aliases = aliases;
        self
    }
    /// Names values.
    #[must_use]
    pub const fn names(mut self, names: &'static [(u64, &'static str)]) -> Self {
        self.names = names;
        self
    }
    /// Sets the value of a new header, as stored.
    #[must_use]
    pub const fn default(mut self, value: u128) -> Self {
        self.default = value;
        self
    }
    /// Says how the field is computed.
    #[must_use]
    pub const fn computed(mut self, compute: Compute) -> Self {
        self.compute = Some(compute);
        self
    }
    /// Says when the field is there.
    #[must_use]
    pub const fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }
    /// Sets tcpdump's letter.
    #[must_use]
    pub const fn letter(mut self, letter: char) -> Self {
        self.letter = letter;
        self
    }
    /// Says what a raw IP socket does to it.
    #[must_use]
    pub const fn raw_socket(mut self, what: RawSocket) -> Self {
        self.raw_socket = what;
        self
    }
    /// Says that the field is reserved.
    #[must_use]
    pub const fn reserved(mut self) -> Self {
        self.reserved = true;
        self
    }
    /// Says where the field is defined.
    #[must_use]
    pub const fn reference(mut self, reference: &'static str) -> Self {
        self.reference = reference;
        self
    }

    /// The name in notation: the first alias where there is one, else the key.
    #[must_use]
    pub fn notation_key(&self) -> &'static str {
        self.aliases.first().map_or(self.key, |a| a.0)
    }

    /// The scale that `name` stands for, when `name` is this field's key or one of its aliases.
    #[must_use]
    pub fn scale_for(&self, name: &str) -> Option<u32> {
        if self.key == name {
            return Some(self.scale);
        }
        self.aliases.iter().find(|a| a.0 == name).map(|a| a.1)
    }

    /// The text for a narrow cell.
    #[must_use]
    pub fn short_label(&self) -> &'static str {
        if self.short.is_empty() { self.label } else { self.short }
    }
}

/// How long a header is.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// Always this many bytes.
    Fixed(usize),
    /// A field says it (times its scale); `min` bytes are always there.
    Said {
        /// The field.
        by: &'static Field,
        /// The fixed part, in bytes.
        min: usize,
    },
    /// An earlier field decides how long the fixed part is: the first case that holds, else `otherwise`, which no case
    /// is shorter than.
    Cases {
        /// The cases, in bytes.
        cases: &'static [(When, usize)],
        /// Bytes that are always there; the deciding fields stand in them.
        otherwise: usize,
    },
}

/// What follows a header.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Only when this holds.
    pub when: Option<When>,
    /// Which header.
    pub to: To,
    /// What follows is a copy of (the beginning of) some other packet, as in an ICMP error.
    pub quoted: bool,
}

/// How the next header is found.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// A field holds its number in a registry.
    Selected {
        /// The field.
        by: &'static Field,
        /// The registry.
        space: Space,
    },
    /// The packet itself says it in its first four bits.
    Version,
}

/// How far a list of items goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fills {
    /// To the end of the header, which says its length.
    Header,
    /// To the end of the message: nothing follows it.
    Message,
}

/// A list of items (options) after the fixed part of a header.
#[derive(Clone, Copy, Debug)]
pub struct ItemList {
    /// Key of the whole list, as Wireshark has it.
    pub key: &'static str,
    /// Label of the whole list.
    pub label: &'static str,
    /// The known items.
    pub items: &'static [Item],
    /// The table of an item of an unknown kind.
    pub unknown: &'static Item,
    /// When there is a list at all; `None`: always.
    pub when: Option<When>,
    /// How far it goes.
    pub fills: Fills,
    /// What the length byte of an item counts, in bytes; an item is as long as a multiple of it.
    pub unit: usize,
    /// A list that is made here is filled up with zero bytes to a multiple of this many.
    pub align: usize,
    /// Most bytes that the header's length field can speak of, where one does.
    pub limit: Option<usize>,
}

impl ItemList {
    /// The longest item that a length byte can speak of, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        0xff * self.unit
    }

    /// Bytes that fill up so many bytes of items to the alignment of the list.
    #[must_use]
    pub fn padding(&self, len: usize) -> usize {
        len.next_multiple_of(self.align) - len
    }

    /// An item of kind, length byte and value with its length set, filled up with zero bytes to the unit; `None` when
    /// it is longer than the length byte can say.
    #[must_use]
    pub fn sized(&self, mut item: Vec<u8>) -> Option<Vec<u8>> {
        item.resize(item.len().max(2).next_multiple_of(self.unit), 0);
        item[1] = u8::try_from(item.len() / self.unit).ok()?;
        Some(item)
    }
}

/// One option: kind (8 bits), length (8 bits, counting both, in the unit of the list), value; or a kind alone.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The kind's number; `None` for the table of unknown kinds.
    pub kind: Option<u8>,
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
    /// Nothing after it is an option.
    pub ends: bool,
    /// The length that it must have, or 0 when it varies.
    pub length: usize,
    /// All fields, kind and length included.
    pub fields: &'static [Field],
    /// Fields that repeat after `fields` until the item ends; their bits count from each repetition's start.
    pub repeat: &'static [Field],
}

impl Item {
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

    /// The fields that carry a value: all but kind and length.
    pub fn value_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|f| f.bits.start >= 16)
    }

    /// The values that are told one by one in short forms, by their place in `fields`: neither what is reserved nor the
    /// leaves of a group.
    #[must_use]
    pub fn is_told(&self, field: usize) -> bool {
        let Some(field) = self.fields.get(field) else { return false };
        let inside = |g: &Field| {
            g.group && !field.group && g.bits.start <= field.bits.start && field.bits.end() <= g.bits.end()
        };
        !self.single && field.bits.start >= 16 && !field.reserved && !self.fields.iter().any(inside)
    }
}

/// Where a layer's length of header and payload is said.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// The field, in bytes.
    pub by: &'static Field,
    /// Bytes of this layer that the field does not count (40 for IPv6).
    pub beyond: usize,
    /// A stored zero says nothing (a packet that was made larger than the field can say, to be cut up by the card), but
    /// only when this holds; `None`: always.
    pub zero_is_open: Option<When>,
}

/// A warning's test: text when it applies.
pub type Warning = fn(&LayerView<'_>) -> Option<String>;

/// A protocol header.
#[derive(Debug)]
pub struct Header {
    /// Wireshark's protocol name, also the name in notation.
    pub key: &'static str,
    /// Full name.
    pub name: &'static str,
    /// Short name for lists.
    pub short: &'static str,
    /// The RFC or standard.
    pub reference: &'static str,
    /// Leaves and groups, in the order of their bits, a group before its leaves.
    pub fields: &'static [Field],
    /// How long it is.
    pub length: Length,
    /// Where the length of header and payload is said, if anywhere.
    pub extent: Option<Extent>,
    /// The numbers under which other headers name it.
    pub found_by: &'static [(Space, u32)],
    /// What follows.
    pub next: &'static [Next],
    /// The options after the fixed part.
    pub items: Option<&'static ItemList>,
    /// Source and destination fields for the list and, for a network layer, for pseudo headers.
    pub ends: Option<(&'static Field, &'static Field)>,
    /// Its addresses go into the pseudo header of what it carries.
    pub network: bool,
    /// Bits in a row of its diagram.
    pub row_bits: usize,
    /// The text of a list row.
    pub info: fn(&LayerView<'_>) -> String,
    /// What may be a mistake; never forbids a send.
    pub warnings: &'static [Warning],
}

impl Header {
    /// Bytes of the part that is always there.
    #[must_use]
    pub fn min_len(&self) -> usize {
        match self.length {
            Length::Fixed(n) => n,
            Length::Said { min, .. } => min,
            Length::Cases { otherwise, .. } => otherwise,
        }
    }

    /// Bytes before the list of items in this header (the bytes from its first on).
    #[must_use]
    pub fn fixed_len(&self, header: &[u8]) -> usize {
        match self.length {
            Length::Cases { cases, otherwise } => {
                cases.iter().find(|(when, _)| when.holds(header)).map_or(otherwise, |(_, len)| *len)
            }
            _ => self.min_len(),
        }
    }

    /// The list of items of this header, when it has one.
    #[must_use]
    pub fn list(&self, header: &[u8]) -> Option<&'static ItemList> {
        self.items.filter(|list| list.when.is_none_or(|w| w.holds(header)))
    }

    /// The field called `name` (key or alias), with the scale that this name stands for.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(&'static Field, u32)> {
        self.fields.iter().find_map(|f| f.scale_for(name).map(|s| (f, s)))
    }

    /// Its number in `space`.
    #[must_use]
    pub fn number_in(&self, space: Space) -> Option<u32> {
        self.found_by.iter().find(|(s, _)| *s == space).map(|(_, n)| *n)
    }

    /// The leaves.
    pub fn leaves(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|f| !f.group)
    }

    /// The bytes of a new header: every default, no options.
    #[must_use]
    pub fn blank(&self) -> Vec<u8> {
        self.completed(Vec::new())
    }

    /// A beginning of a header, with the defaults of all fields behind it; cut where its fixed part ends.
    #[must_use]
    pub fn completed(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let given = bytes.len() * 8;
        for field in self.leaves().filter(|f| f.bits.start >= given) {
            if field.when.is_none_or(|w| w.holds(&bytes)) {
                bytes.resize(bytes.len().max(field.bits.end().div_ceil(8)), 0);
                let fitted = bits::set(&mut bytes, field.bits, field.default);
                debug_assert!(fitted, "{}.{}: the default does not fit", self.key, field.key);
            }
        }
        bytes.resize(self.fixed_len(&bytes), 0);
        bytes
    }
}
