//! The syntax tree that every way of writing a filter ends in. It is typed: what stands in it can be evaluated.

use regex::bytes::Regex;

use super::source::{Place, Source};
use super::words::Words;

/// Something that a packet passes or does not.
#[derive(Clone, Debug)]
pub enum Test {
    /// Both.
    And(Box<Test>, Box<Test>),
    /// One of them at least.
    Or(Box<Test>, Box<Test>),
    /// One of them and not the other.
    Xor(Box<Test>, Box<Test>),
    /// Not this.
    Not(Box<Test>),
    /// It has a value.
    Exists(Operand),
    /// It has a value that is not zero.
    Nonzero(Operand),
    /// A comparison of values.
    Compare(Box<Compare>),
    /// A value stands in a set.
    In {
        /// The value.
        of: Operand,
        /// The members: from the first to the second, both included.
        set: Vec<(Literal, Literal)>,
        /// `all`: every value must; else any.
        every: bool,
    },
    /// Bytes stand in a value.
    Contains {
        /// The value.
        of: Operand,
        /// What is looked for.
        what: Operand,
        /// `all`: in every value; else in any.
        every: bool,
    },
    /// An expression matches a value.
    Matches {
        /// The value.
        of: Operand,
        /// The expression, case-insensitive unless it says otherwise.
        by: Regex,
        /// `all`: every value; else any.
        every: bool,
    },
    /// A test of pcap-filter(7).
    Words(Words),
}

impl Test {
    /// Why packets of this link type cannot be asked; `None`: they can.
    pub(super) fn unsuited(&self, link_type: u32) -> Option<String> {
        match self {
            Self::And(a, b) | Self::Or(a, b) | Self::Xor(a, b) => {
                a.unsuited(link_type).or_else(|| b.unsuited(link_type))
            }
            Self::Not(test) => test.unsuited(link_type),
            Self::Words(words) => words.unsuited(link_type),
            _ => None,
        }
    }

    /// The test as one of the outermost headers' bytes alone.
    ///
    /// # Errors
    /// Names the part that is none.
    pub(super) fn words(&self) -> Result<Words, String> {
        match self {
            Self::Words(words) => Ok(words.clone()),
            Self::And(a, b) => Ok(a.words()?.and(b.words()?)),
            Self::Or(a, b) => Ok(a.words()?.or(b.words()?)),
            Self::Not(test) => Ok(test.words()?.negated()),
            Self::Xor(..) => Err("`xor` is no word of the kernel's filters".into()),
            Self::Matches { .. } => Err("`matches` would search the packet, which BPF cannot".into()),
            Self::Contains { .. } => Err("`contains` would search the packet, which BPF cannot".into()),
            Self::Exists(of) | Self::Nonzero(of) | Self::In { of, .. } => Err(of.anywhere()),
            Self::Compare(compare) => Err(compare.left.anywhere()),
        }
    }
}

impl Operand {
    /// Why BPF cannot look for it.
    fn anywhere(&self) -> String {
        match self {
            Self::Key(key) if matches!(key.source.place, Place::Flow(_)) => {
                format!("{} needs to know the packets before, and BPF remembers none", key.source.key)
            }
            Self::Key(key) => format!(
                "{} is meant in every header of its protocol, in tunnels and quotations too, and BPF looks at fixed places",
                key.source.key
            ),
            Self::Slice(of, _) | Self::Negative(of) => of.anywhere(),
            Self::Binary(_, a, b) => {
                if matches!(**a, Self::Literal(_)) {
                    b.anywhere()
                } else {
                    a.anywhere()
                }
            }
            Self::Call(_, arguments) => arguments.first().map(Self::anywhere).unwrap_or_default(),
            Self::Literal(_) => "a value alone is no test".into(),
        }
    }
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Compare {
    /// What stands before the operator.
    pub left: Operand,
    /// The operator.
    pub relation: Relation,
    /// All pairs of values must satisfy it; else any.
    pub every: bool,
    /// What stands behind it.
    pub right: Operand,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Equal.
    Equal,
    /// Not equal.
    Unequal,
    /// Above.
    Above,
    /// Above or equal.
    AtLeast,
    /// Below.
    Below,
    /// Below or equal.
    AtMost,
}

impl Relation {
    /// Whether it holds for values in this order.
    #[inline]
    #[must_use]
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Above => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
        }
    }
}

/// What has values in a packet: none, one or several.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A key.
    Key(Box<Key>),
    /// A value that was typed.
    Literal(Literal),
    /// Parts of bytes, one behind the other.
    Slice(Box<Operand>, Vec<Part>),
    /// Arithmetic, with each value of the one and each of the other.
    Binary(Arithmetic, Box<Operand>, Box<Operand>),
    /// The number with the other sign.
    Negative(Box<Operand>),
    /// A function.
    Call(Function, Vec<Operand>),
}

/// A key, and which of its layers are meant.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub source: Source,
    /// Numbers of the layers of its protocol, from 1 on, both ends included; empty: all.
    pub layers: Vec<(usize, usize)>,
    /// Of a layer all its bytes to its end: where something is looked for. Else Wireshark has of most only the header.
    pub whole: bool,
}

/// A value that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A number, a flag, nanoseconds.
    Number(i128),
    /// An IPv4 address and the mask of its network.
    Ipv4(u32, u32),
    /// An IPv6 address and the mask of its network.
    Ipv6(u128, u128),
    /// Bytes, a MAC address.
    Bytes(Vec<u8>),
    /// Text.
    Text(Vec<u8>),
}

/// A part of bytes; offsets below 0 count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From an offset on, so many bytes.
    Length(i64, usize),
    /// From an offset to another, which belongs to it.
    To(i64, i64),
    /// From an offset to the end.
    Rest(i64),
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Bits that both have, of numbers or bytes.
    And,
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient; there is none by 0.
    Divide,
    /// Remainder; there is none by 0.
    Remainder,
}

/// Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Text in capitals (ASCII).
    Upper,
    /// Text in small letters (ASCII).
    Lower,
    /// Bytes of each value.
    Len,
    /// How many values there are, when there is one.
    Count,
    /// Each value as text.
    String,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Each number without its sign.
    Abs,
}

impl Function {
    /// All of them by name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("upper", Self::Upper),
        ("lower", Self::Lower),
        ("len", Self::Len),
        ("count", Self::Count),
        ("string", Self::String),
        ("max", Self::Max),
        ("min", Self::Min),
        ("abs", Self::Abs),
    ];

    /// What it gives.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Upper => "text in capitals",
            Self::Lower => "text in small letters",
            Self::Len => "bytes of each value",
            Self::Count => "how many values there are",
            Self::String => "each value as text",
            Self::Max => "the largest value",
            Self::Min => "the smallest value",
            Self::Abs => "each number without its sign",
        }
    }
}
