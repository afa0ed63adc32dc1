//! Fields: what a table says of a run of bits. Part of the table language; see [`super::table`].

use super::bits::{self, BitRange};
use super::handling::{OnTheWay, RawSocket};
use super::part::Parts;
use super::when::When;

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
    /// Text, of such a width; a zero byte ends it.
    Text,
}

impl Kind {
    /// Whether the field is bytes, no number.
    #[must_use]
    pub const fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::Text)
    }
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
    /// What follows a length in the place of an EtherType (IEEE 802.3).
    BehindLength,
    /// Service access points of LLC (IEEE 802.2).
    Sap,
    /// Address families of BSD (loopback).
    AddressFamily,
    /// PPP protocol numbers (IANA).
    Ppp,
    /// What follows a label of MPLS: 0 is another label.
    LabelStack,
    /// IANA port numbers of UDP.
    UdpPort,
    /// IANA port numbers of TCP.
    TcpPort,
    /// What is known by its first bytes, whatever the port; all have the number 0.
    TcpContent,
    /// What a number of GRE means when the header has no sequence number, in the place of the EtherType.
    GreUnsequenced,
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
    /// Header and payload, behind the pseudo header only where the network layer below has 128-bit addresses (PIM).
    PseudoHeaderOverV6,
    /// Header and payload, by a CRC32c in the place of a sum, its lowest byte first (SCTP, RFC 9260 appendix A).
    Crc32c,
}

/// How a field gets its value when nobody pins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// The length of the header with its options.
    HeaderLength,
    /// The length of header and payload.
    TotalLength,
    /// The length of what is behind the header.
    PayloadLength,
    /// The number of the next header in that registry.
    NextHeader(Space),
    /// How many items the list of the header has.
    ItemCount,
    /// The number of the last item of the list of the header, from 0 on.
    LastItem,
    /// The Internet checksum, RFC 1071, or a CRC where the coverage says so. `zero_is_none`: a sum of zero goes out as all
    /// ones (RFC 768).
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

/// What stands for a value where Wireshark prints something else than the kind says.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// The value, as its kind says.
    Plain,
    /// Its bytes.
    Bytes,
    /// 1, since it is there.
    Present,
    /// 1 where any of its bits is set.
    AnyBit,
    /// Only so many of its lower bits.
    Lower(u32),
    /// A signed number.
    Signed,
    /// Nothing for zero.
    UnlessZero,
    /// What it means in words.
    Words,
    /// The value, but nothing where this does not hold.
    If(When),
    /// The same, but a value that is not zero.
    IfOrSet(When),
    /// The value, but not while options stand in its place.
    UnlessItems,
    /// The value, but only while the options send the packet on by another address.
    WhileRouted,
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
    /// What the machines on the way do to it.
    pub on_the_way: OnTheWay,
    /// Its lowest byte stands first; it is of whole bytes. What is stored is the number as if its highest did.
    pub little: bool,
    /// Lower bits of the stored number that are none of the value (those of another field in the same bytes).
    pub above: u32,
    /// What the value counts beyond the stored number, in the same unit.
    pub beyond: u32,
    /// Hexadecimal digits that it is written with; 0: as many as its width has.
    pub digits: usize,
    /// Its default in every packet so far (RFC words: reserved, unused; or the subtype that makes an item what it is): an
    /// item's short forms pass it over.
    pub reserved: bool,
    /// What Wireshark prints for its key.
    pub shown: Shown,
    /// What a stored value means in words, where names cannot list it (a time).
    pub words: Option<fn(u128) -> String>,
    /// The values in its bytes, where these are several that no table can part.
    pub parts: Option<Parts>,
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
            on_the_way: OnTheWay::Kept,
            little: false,
            above: 0,
            beyond: 0,
            digits: 0,
            reserved: false,
            shown: Shown::Plain,
            words: None,
            parts: None,
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
    /// Text; width 0: all that is left.
    pub const fn text(key: &'static str, label: &'static str, start: usize, width: usize) -> Self {
        Self::new(key, label, start, width, Kind::Text)
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
    /// Says what the machines on the way do to it.
    #[must_use]
    pub const fn on_the_way(mut self, what: OnTheWay) -> Self {
        self.on_the_way = what;
        self
    }
    /// Says that its lowest byte stands first.
    #[must_use]
    pub const fn little(mut self) -> Self {
        self.little = true;
        self
    }
    /// Says how many lower bits of the stored number are another field's.
    #[must_use]
    pub const fn above(mut self, bits: u32) -> Self {
        self.above = bits;
        self
    }
    /// Says what the value counts beyond the stored number.
    #[must_use]
    pub const fn beyond(mut self, count: u32) -> Self {
        self.beyond = count;
        self
    }
    /// Sets the hexadecimal digits that it is written with.
    #[must_use]
    pub const fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }
    /// Says that the field is reserved.
    #[must_use]
    pub const fn reserved(mut self) -> Self {
        self.reserved = true;
        self
    }
    /// Says what Wireshark prints for its key.
    #[must_use]
    pub const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
    /// Says what a stored value means.
    #[must_use]
    pub const fn words(mut self, words: fn(u128) -> String) -> Self {
        self.words = Some(words);
        self
    }
    /// Says which values its bytes hold.
    #[must_use]
    pub const fn parts(mut self, parts: Parts) -> Self {
        self.parts = Some(parts);
        self
    }
    /// Says where the field is defined.
    #[must_use]
    pub const fn reference(mut self, reference: &'static str) -> Self {
        self.reference = reference;
        self
    }

    /// Whether it is there in `header` (the bytes from the header's first on).
    #[must_use]
    pub fn is_in(&self, header: &[u8]) -> bool {
        self.when.is_none_or(|w| w.holds(header))
    }

    /// The bytes in the other order where the lowest stands first, there and back.
    fn turned(&self, stored: u128) -> u128 {
        match self.bits.width {
            width @ 16..=128 if self.little => stored.swap_bytes() >> (128 - width),
            _ => stored,
        }
    }

    /// From what is stored to the value, in the field's unit.
    #[must_use]
    pub fn ordered(&self, stored: u128) -> u128 {
        (self.turned(stored) >> self.above) + u128::from(self.beyond)
    }

    /// From a value that is in range to what is stored; the lower bits of other fields are zero.
    #[must_use]
    pub fn stored(&self, value: u128) -> u128 {
        self.turned(value.saturating_sub(u128::from(self.beyond)) << self.above)
    }

    /// The bits of the stored number that belong to other fields.
    #[must_use]
    pub fn foreign(&self) -> u128 {
        self.turned(bits::max_value(self.above as usize))
    }

    /// Whether any bit of another field is one of its own.
    #[must_use]
    pub fn has(&self, other: &Self) -> bool {
        let (start, end) = (self.bits.start.max(other.bits.start), self.bits.end().min(other.bits.end()));
        let own = |bit| self.above == 0 || self.foreign() >> (self.bits.end() - 1 - bit) & 1 == 0;
        (start..end).any(own)
    }

    /// The least and the greatest value.
    #[must_use]
    pub fn range(&self) -> (u128, u128) {
        let least = u128::from(self.beyond);
        (least, bits::max_value(self.bits.width - self.above as usize).saturating_add(least))
    }

    /// What is stored in `header`, in order, when it is there and is no wider than 64 bits.
    #[inline]
    #[must_use]
    pub fn word(&self, header: &[u8]) -> Option<u64> {
        let stored = bits::word(header, self.bits)?;
        Some(if self.little { self.turned(u128::from(stored)) as u64 } else { stored })
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
