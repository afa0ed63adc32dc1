//! What the words of pcap-filter(7) mean: tests of bytes at places that the outermost headers say, as libpcap has it.

use super::Packet;
use super::tree::Relation;

/// A test of pcap-filter(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// Both.
    And(Box<Words>, Box<Words>),
    /// One of them at least.
    Or(Box<Words>, Box<Words>),
    /// Not this.
    Not(Box<Words>),
    /// The link header, or the last of `tags` VLAN tags behind it, says that this EtherType follows.
    Type {
        /// The EtherType.
        number: u16,
        /// VLAN tags before it.
        tags: usize,
    },
    /// A comparison of 32-bit numbers without a sign.
    Compare(Number, Relation, Number),
}

/// A 32-bit number without a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// This number.
    Constant(u32),
    /// The length of the packet on the wire, in bytes.
    Length,
    /// Bytes of the packet.
    Load {
        /// From where the offset counts.
        base: Base,
        /// The offset, in bytes.
        at: Box<Number>,
        /// 1, 2 or 4 bytes.
        size: usize,
    },
    /// Arithmetic.
    Binary(Sum, Box<Number>, Box<Number>),
}

/// From where an offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The first byte of the frame.
    Link,
    /// The first byte behind the link header and so many VLAN tags.
    Network(usize),
    /// The first byte behind the IPv4 header that stands there.
    Transport(usize),
}

/// Arithmetic operators of pcap-filter(7); they wrap around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient.
    Divide,
    /// Remainder.
    Remainder,
    /// Bits that both have.
    And,
    /// Bits that one has.
    Or,
    /// Bits that one of them has alone.
    Xor,
    /// Shifted to the left.
    Left,
    /// Shifted to the right.
    Right,
}

impl Sum {
    /// The result; `None` for a division by zero, which ends a filter.
    #[must_use]
    pub fn of(self, a: u32, b: u32) -> Option<u32> {
        Some(match self {
            Self::Add => a.wrapping_add(b),
            Self::Subtract => a.wrapping_sub(b),
            Self::Multiply => a.wrapping_mul(b),
            Self::Divide => a.checked_div(b)?,
            Self::Remainder => a.checked_rem(b)?,
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Left => a.checked_shl(b).unwrap_or(0),
            Self::Right => a.checked_shr(b).unwrap_or(0),
        })
    }
}

/// Where a link header says what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Offset of the EtherType; `None`: the packet begins with its IP header.
    pub type_at: Option<usize>,
    /// Bytes of the link header.
    pub len: usize,
}

impl Link {
    /// Ethernet.
    pub const ETHERNET: Self = Self { type_at: Some(12), len: 14 };

    /// The link header of a link type (tcpdump.org/linktypes); `None`: the words of pcap-filter(7) are not known for it.
    #[must_use]
    pub fn of(link_type: u32) -> Option<Self> {
        match link_type {
            1 => Some(Self::ETHERNET),
            12 | 14 | 101 => Some(Self { type_at: None, len: 0 }),
            113 => Some(Self { type_at: Some(14), len: 16 }),
            276 => Some(Self { type_at: Some(0), len: 20 }),
            _ => None,
        }
    }
}

impl Words {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    /// One of them.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    /// The other way around.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether the packet passes. A load of bytes that are not there ends the whole test: the packet does not pass.
    #[must_use]
    pub fn passes(&self, packet: &Packet<'_>) -> bool {
        let Some(link) = Link::of(packet.facts.link_type) else { return false };
        let frame = Frame { bytes: packet.bytes, length: packet.facts.original, link };
        frame.test(self).unwrap_or(false)
    }

    /// Why packets of this link type cannot be asked; `None`: they can.
    #[must_use]
    pub fn unsuited(&self, link_type: u32) -> Option<String> {
        let Some(link) = Link::of(link_type) else {
            return Some(format!(
                "tcpdump's words are known for Ethernet, raw IP and cooked captures, not for link type {link_type}: use \
                 Wireshark's syntax"
            ));
        };
        (link != Link::ETHERNET && self.loads_link())
            .then(|| format!("the filter asks for Ethernet headers, link type {link_type} has none"))
    }

    /// Whether it looks at the link header itself.
    fn loads_link(&self) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.loads_link() || b.loads_link(),
            Self::Not(a) => a.loads_link(),
            Self::Type { .. } => false,
            Self::Compare(a, _, b) => a.loads_link() || b.loads_link(),
        }
    }
}

impl Number {
    /// Bytes at a fixed offset.
    #[must_use]
    pub fn load(base: Base, at: u32, size: usize) -> Self {
        Self::Load { base, at: Box::new(Self::Constant(at)), size }
    }

    /// Arithmetic, done at once where both are constants.
    #[must_use]
    pub fn binary(sum: Sum, a: Self, b: Self) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (&a, &b)
            && let Some(result) = sum.of(*a, *b)
        {
            return Self::Constant(result);
        }
        Self::Binary(sum, Box::new(a), Box::new(b))
    }

    fn loads_link(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Length => false,
            Self::Load { base, at, .. } => *base == Base::Link || at.loads_link(),
            Self::Binary(_, a, b) => a.loads_link() || b.loads_link(),
        }
    }
}

/// A packet with its link header.
struct Frame<'a> {
    bytes: &'a [u8],
    length: u32,
    link: Link,
}

/// Offsets from here on are outside of every packet: to the kernel they mean something else.
pub(super) const FAR: u32 = 0x10_0000;

/// Bytes of a VLAN tag.
pub(super) const TAG: usize = 4;

impl Frame<'_> {
    fn test(&self, words: &Words) -> Option<bool> {
        Some(match words {
            Words::And(a, b) => self.test(a)? && self.test(b)?,
            Words::Or(a, b) => self.test(a)? || self.test(b)?,
            Words::Not(a) => !self.test(a)?,
            Words::Type { number, tags } => match self.link.type_at {
                Some(at) => self.load(at + tags * TAG, 2)? == u32::from(*number),
                // Only the IP versions can be told apart.
                None => match (number, tags) {
                    (0x0800, 0) => self.load(0, 1)? >> 4 == 4,
                    (0x86dd, 0) => self.load(0, 1)? >> 4 == 6,
                    _ => false,
                },
            },
            Words::Compare(a, relation, b) => relation.holds(self.number(a)?.cmp(&self.number(b)?)),
        })
    }

    fn number(&self, number: &Number) -> Option<u32> {
        match number {
            Number::Constant(constant) => Some(*constant),
            Number::Length => Some(self.length),
            Number::Load { base, at, size } => {
                let at = self.number(at)?;
                let start = match base {
                    Base::Link => 0,
                    Base::Network(tags) => self.link.len + tags * TAG,
                    Base::Transport(tags) => {
                        let network = self.link.len + tags * TAG;
                        network + 4 * (self.load(network, 1)? as usize & 0xf)
                    }
                };
                if at >= FAR {
                    return None;
                }
                let at = start + at as usize;
                self.load(at, *size)
            }
            Number::Binary(sum, a, b) => sum.of(self.number(a)?, self.number(b)?),
        }
    }

    #[inline]
    fn load(&self, at: usize, size: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
    }
}
