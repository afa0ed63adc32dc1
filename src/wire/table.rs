//! The table language: what a protocol can say about its header, once, for every view of it.
//!
//! A protocol is one `static` [`Header`]. Its leaves tile the header without a gap or an overlap; a group is a
//! union of leaves. Everything else (form, diagram, tree, notation, `read -e`, field reference) is read off it.

pub use super::answer::Answer;
use super::bits;
pub use super::field::{Compute, Coverage, Field, Kind, Shown, Space};
pub use super::handling::{OnTheWay, RawSocket};
pub use super::option::{Elsewhere, Fills, Head, Item, ItemList};
pub use super::part::{Part, Parts};
use super::readers::Reader;
use super::view::LayerView;
pub use super::when::When;

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
    /// A field says it in `unit` bytes, of which it does not count the first `beyond` bytes (IPv6 extension headers).
    Counted {
        /// The field.
        by: &'static Field,
        /// What it counts, in bytes.
        unit: usize,
        /// Bytes that it does not count.
        beyond: usize,
        /// The part before the list, in bytes; it is always there.
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
    /// Both: the first case that holds says how long the fixed part is, and a field the header with its list.
    CountedIn {
        /// The field.
        by: &'static Field,
        /// What it counts, in bytes.
        unit: usize,
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
    /// One of two fields holds its number in a registry; the lower number is asked first (ports).
    Either {
        /// The fields.
        by: [&'static Field; 2],
        /// The registry.
        space: Space,
    },
    /// None does, whatever the bytes are and whatever later rules say.
    Nothing,
    /// The packet itself says it in its first four bits.
    Version,
    /// Always the one with this number in that registry.
    Always(Space, u32),
}

/// What a protocol is for, roughly: protocols of one family have their hues in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A frame begins with it.
    Link,
    /// It stands between a link header and a network header: tags, labels, sessions.
    Shim,
    /// It has the addresses of a network.
    Network,
    /// It adds to the network header before it.
    Extension,
    /// Nothing but the network itself speaks it.
    Control,
    /// It carries the data of programs.
    Transport,
    /// It carries packets inside packets.
    Tunnel,
    /// Programs speak it. A draft need not have it as a layer: its bytes may as well be payload.
    Application,
}

impl Family {
    /// All of them, the outermost first.
    pub const ALL: [Self; 8] = [
        Self::Link,
        Self::Shim,
        Self::Network,
        Self::Extension,
        Self::Control,
        Self::Transport,
        Self::Tunnel,
        Self::Application,
    ];

    /// Its name in a menu.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Link => "Link",
            Self::Shim => "Tags, labels, sessions",
            Self::Network => "Network",
            Self::Extension => "Extension headers",
            Self::Control => "Control",
            Self::Transport => "Transport",
            Self::Tunnel => "Tunnels",
            Self::Application => "Applications",
        }
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

/// How a header says that what it carries is a piece of a packet that was cut up.
#[derive(Clone, Copy, Debug)]
pub struct FragmentRule {
    /// Where the piece belongs.
    pub offset: &'static Field,
    /// What the offset counts, in bytes.
    pub unit: usize,
    /// Set: it is not the last piece.
    pub more: &'static Field,
    /// With the addresses of the network layer, what the pieces of one packet have in common.
    pub id: &'static Field,
    /// So have they this.
    pub also: Option<&'static Field>,
    /// A piece that overlaps another makes all of them void.
    pub overlap_voids: bool,
}

/// An address that a layer says in another place than its header's ends, as stored.
pub type AddressOf = fn(&LayerView<'_>) -> Option<u128>;

/// How many bytes of a message its checksum covers; `None`: its header says what is not allowed.
pub type Covers = fn(&LayerView<'_>) -> Option<usize>;

/// A warning's test: text when it applies.
pub type Warning = fn(&LayerView<'_>) -> Option<String>;

/// A protocol header.
#[derive(Debug)]
pub struct Header {
    /// Wireshark's protocol name, also the name in notation.
    pub key: &'static str,
    /// What the keys of its fields begin with, where Wireshark has one protocol for several forms of a header; empty: the
    /// key.
    pub prefix: &'static str,
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
    /// Of several headers with one number it is the one that is meant when this holds; `None`: when it is no other.
    pub only_when: Option<When>,
    /// Whether these bytes really begin with it; for what a number only suggests.
    pub accepts: Option<fn(&[u8]) -> bool>,
    /// Reads what stands behind the fixed part and no table can say.
    pub reader: Option<&'static Reader>,
    /// What follows: the first rule that finds a header.
    pub next: &'static [Next],
    /// The options after the fixed part.
    pub items: Option<&'static ItemList>,
    /// Source and destination fields for the list and, for a network layer, for pseudo headers.
    pub ends: Option<(&'static Field, &'static Field)>,
    /// Its addresses go into the pseudo header of what it carries.
    pub network: bool,
    /// How it carries pieces of larger packets, if it can.
    pub fragment: Option<FragmentRule>,
    /// Packets with other values of this field are of another network, whatever their addresses.
    pub separates: Option<&'static Field>,
    /// How much of header and payload its checksum covers, where it is not all.
    pub covers: Option<Covers>,
    /// What answers it, where that is known.
    pub answer: Option<Answer>,
    /// Seconds within which whoever answers it is to have done so, besides the way.
    pub patience: u8,
    /// What it is for.
    pub family: Family,
    /// Bits in a row of its diagram.
    pub row_bits: usize,
    /// The text of a list row.
    pub info: fn(&LayerView<'_>) -> String,
    /// What may be a mistake; never forbids a send.
    pub warnings: &'static [Warning],
}

impl Header {
    /// What a table leaves out.
    pub const PLAIN: Self = Self {
        key: "",
        prefix: "",
        name: "",
        short: "",
        reference: "",
        fields: &[],
        length: Length::Fixed(0),
        extent: None,
        found_by: &[],
        only_when: None,
        accepts: None,
        reader: None,
        next: &[],
        items: None,
        ends: None,
        network: false,
        fragment: None,
        separates: None,
        covers: None,
        answer: None,
        patience: 1,
        family: Family::Shim,
        row_bits: 32,
        info: |_| String::new(),
        warnings: &[],
    };

    /// The name that all forms of one header have in common.
    #[must_use]
    pub fn form(&self) -> &'static str {
        if self.prefix.is_empty() { self.key } else { self.prefix }
    }

    /// What the keys of its fields begin with: the protocol. A key with a dot is a part of it (`ipv6.hopopts`).
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        self.form().split('.').next().unwrap_or(self.key)
    }

    /// What the keys of the values begin with that its reader finds.
    #[must_use]
    pub fn reading_prefix(&self) -> Option<&'static str> {
        self.reader.map(|r| if r.prefix.is_empty() { self.prefix() } else { r.prefix })
    }

    /// Bytes of the part that is always there.
    #[inline]
    #[must_use]
    pub fn min_len(&self) -> usize {
        match self.length {
            Length::Fixed(n) => n,
            Length::Said { min, .. } | Length::Counted { min, .. } => min,
            Length::Cases { otherwise, .. } | Length::CountedIn { otherwise, .. } => otherwise,
        }
    }

    /// Bytes before the list of items in this header (the bytes from its first on).
    #[inline]
    #[must_use]
    pub fn fixed_len(&self, header: &[u8]) -> usize {
        match self.length {
            Length::Cases { cases, otherwise } | Length::CountedIn { cases, otherwise, .. } => {
                cases.iter().find(|(when, _)| when.holds(header)).map_or(otherwise, |(_, len)| *len)
            }
            _ => self.min_len(),
        }
    }

    /// The list of items of this header, when it has one.
    #[inline]
    #[must_use]
    pub fn list(&self, header: &[u8]) -> Option<&'static ItemList> {
        let mut next = self.items;
        while let Some(list) = next {
            if list.when.is_none_or(|w| w.holds(header)) {
                return next;
            }
            next = list.otherwise;
        }
        None
    }

    /// Every list of items that it may have.
    pub fn lists(&self) -> impl Iterator<Item = &'static ItemList> + use<> {
        std::iter::successors(self.items, |list| list.otherwise)
    }

    /// The length of a header as its length field says it, in bytes; `None` when no field does.
    #[inline]
    #[must_use]
    pub fn said_len(&self, header: &[u8]) -> Option<(&'static Field, usize)> {
        let (by, unit, beyond) = match self.length {
            Length::Said { by, .. } => (by, by.scale as usize, 0),
            Length::Counted { by, unit, beyond, .. } => (by, unit, beyond),
            Length::CountedIn { by, unit, .. } => (by, unit, 0),
            _ => return None,
        };
        Some((by, by.word(header).unwrap_or(0) as usize * unit + beyond))
    }

    /// How long the header is that `bytes` begin with; `None` where it is not wholly there, or where the length that it says
    /// cannot be.
    #[inline]
    #[must_use]
    pub fn len_in(&self, bytes: &[u8]) -> Option<usize> {
        let (min, said) = match self.length {
            Length::Fixed(n) => return (n <= bytes.len()).then_some(n),
            Length::Said { by, min } => (min, by.word(bytes)? as usize * by.scale as usize),
            _ => {
                let min = self.min_len();
                let said = self.said_len(bytes).map_or(min, |(_, said)| said);
                (min, if said < min { said } else { said.max(self.fixed_len(bytes)) })
            }
        };
        (min <= said && said <= bytes.len()).then_some(said)
    }

    /// What its length field stores for a header of `len` bytes.
    #[must_use]
    pub fn length_of(&self, len: usize) -> usize {
        match self.length {
            Length::Said { by, .. } => len / by.scale as usize,
            Length::Counted { unit, beyond, .. } => len.saturating_sub(beyond).div_ceil(unit),
            Length::CountedIn { unit, .. } => len.div_ceil(unit),
            _ => len,
        }
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

    /// The bytes of a new header: every default, no options but their padding.
    #[must_use]
    pub fn blank(&self) -> Vec<u8> {
        let mut bytes = self.completed(Vec::new());
        let padding = self.list(&bytes).map_or(0, |list| list.padding(0));
        bytes.resize(bytes.len() + padding, 0);
        bytes
    }

    /// A beginning of a header, with the defaults of all fields behind it; cut where its fixed part ends.
    #[must_use]
    pub fn completed(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let given = bytes.len() * 8;
        for field in self.leaves().filter(|f| f.bits.start >= given) {
            // A field may decide with its own bits whether it is there: tried with its default.
            let mut with = bytes.clone();
            with.resize(bytes.len().max(field.bits.end().div_ceil(8)), 0);
            let fitted = bits::set(&mut with, field.bits, field.default);
            debug_assert!(
                fitted || field.kind.is_bytes(),
                "{}.{}: the default does not fit",
                self.key,
                field.key
            );
            if field.is_in(&with) {
                bytes = with;
            }
        }
        bytes.resize(self.fixed_len(&bytes), 0);
        bytes
    }
}
