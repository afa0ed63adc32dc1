//! Evaluation over the index: what a filter says of a packet whose digest alone is known, where that is enough.

use super::source::{FieldPlace, Place};
use super::tree::{Key, Literal, Operand, Relation, Test};
use super::{Facts, eval};
use crate::wire::bits::BitRange;
use crate::wire::digest::{Chain, Digest, Presence};
use crate::wire::keys::FrameKey;
use crate::wire::table::{Field, Kind};

/// A filter prepared for digests.
#[derive(Clone, Debug)]
pub(super) enum Glance {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Xor(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// A property of the packet as a whole.
    Frame(FrameKey, Asked),
    /// A key of layers: what is known of it in each of [`Chain::KNOWN`].
    Layers([Known; Chain::KNOWN.len()], Asked),
    /// The bytes decide.
    Unknown,
}

/// What is known of a key in packets of one form.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// It has no value, so nothing holds of it.
    Absent,
    /// It is there.
    Present,
    /// Its values stand here.
    Values(Vec<Stored>),
}

/// Where a value stands in the innermost header, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    bits: BitRange,
    field: &'static Field,
    scale: u32,
    flag: bool,
}

/// What is asked of values.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Exists,
    Nonzero,
    Compare(Relation, i128, bool),
    In(Vec<(i128, i128)>, bool),
    /// Something that only the bytes can tell.
    More,
}

impl Asked {
    /// Whether this holds for a key with these values.
    fn holds(&self, mut values: impl Iterator<Item = i128>) -> Option<bool> {
        let by = |number: i128, relation: &Relation, other: &i128| relation.holds(number.cmp(other));
        let within =
            |n: i128, set: &[(i128, i128)]| set.iter().any(|(low, high)| (*low..=*high).contains(&n));
        Some(match self {
            Self::Exists => true,
            Self::Nonzero => values.any(|n| n != 0),
            Self::Compare(relation, other, false) => values.any(|n| by(n, relation, other)),
            Self::Compare(relation, other, true) => values.all(|n| by(n, relation, other)),
            Self::In(set, false) => values.any(|n| within(n, set)),
            Self::In(set, true) => values.all(|n| within(n, set)),
            Self::More => return None,
        })
    }
}

impl Glance {
    /// `None`: digests are not enough for any packet.
    pub(super) fn of(test: &Test) -> Option<Self> {
        let glance = Self::prepare(test);
        glance.knows().then_some(glance)
    }

    fn prepare(test: &Test) -> Self {
        let both = |a: &Test, b: &Test| (Box::new(Self::prepare(a)), Box::new(Self::prepare(b)));
        match test {
            Test::And(a, b) => {
                let (a, b) = both(a, b);
                Self::And(a, b)
            }
            Test::Or(a, b) => {
                let (a, b) = both(a, b);
                Self::Or(a, b)
            }
            Test::Xor(a, b) => {
                let (a, b) = both(a, b);
                Self::Xor(a, b)
            }
            Test::Not(test) => Self::Not(Box::new(Self::prepare(test))),
            Test::Exists(of) => Self::asked(of, Asked::Exists),
            Test::Nonzero(of) => Self::asked(of, Asked::Nonzero),
            Test::Compare(compare) => {
                let asked = match &compare.right {
                    Operand::Literal(Literal::Number(n)) => {
                        Asked::Compare(compare.relation, *n, compare.every)
                    }
                    _ => Asked::More,
                };
                Self::asked(&compare.left, asked)
            }
            Test::In { of, set, every } => {
                let number = |literal: &Literal| match literal {
                    Literal::Number(number) => Some(*number),
                    _ => None,
                };
                let set: Option<_> = set.iter().map(|(a, b)| Some((number(a)?, number(b)?))).collect();
                Self::asked(of, set.map_or(Asked::More, |set| Asked::In(set, *every)))
            }
            Test::Contains { of, .. } | Test::Matches { of, .. } => Self::asked(of, Asked::More),
            Test::Words(_) => Self::Unknown,
        }
    }

    fn asked(of: &Operand, asked: Asked) -> Self {
        if let Operand::Key(key) = of
            && let Place::Frame(frame) = &key.source.place
        {
            return Self::Frame(*frame, asked);
        }
        Self::Layers(Chain::KNOWN.map(|chain| known(of, chain)), asked)
    }

    /// Whether it can say anything of any packet.
    fn knows(&self) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.knows() || b.knows(),
            Self::Xor(a, b) => a.knows() && b.knows(),
            Self::Not(test) => test.knows(),
            Self::Frame(key, asked) => *key != FrameKey::Captured && !matches!(asked, Asked::More),
            Self::Layers(known, asked) => known.iter().any(|known| match known {
                Known::Nothing => false,
                Known::Absent => true,
                Known::Present => matches!(asked, Asked::Exists),
                Known::Values(_) => !matches!(asked, Asked::More),
            }),
            Self::Unknown => false,
        }
    }

    /// Whether a packet passes; `None`: its bytes have to be asked.
    pub(super) fn passes(&self, digest: Digest, facts: &Facts) -> Option<bool> {
        match self {
            Self::And(a, b) => match (a.passes(digest, facts), b) {
                (Some(false), _) => Some(false),
                (Some(true), b) => b.passes(digest, facts),
                (None, b) => b.passes(digest, facts).filter(|passes| !passes),
            },
            Self::Or(a, b) => match (a.passes(digest, facts), b) {
                (Some(true), _) => Some(true),
                (Some(false), b) => b.passes(digest, facts),
                (None, b) => b.passes(digest, facts).filter(|passes| *passes),
            },
            Self::Xor(a, b) => Some(a.passes(digest, facts)? != b.passes(digest, facts)?),
            Self::Not(test) => Some(!test.passes(digest, facts)?),
            Self::Frame(FrameKey::Captured, _) | Self::Unknown => None,
            Self::Frame(key, asked) => match eval::frame_of(*key, facts) {
                Some(value) => asked.holds(std::iter::once(value)),
                None => Some(false),
            },
            Self::Layers(known, asked) => {
                let chain = (digest.chain() as usize).checked_sub(1)?;
                match known.get(chain)? {
                    Known::Nothing => None,
                    Known::Absent => Some(false),
                    Known::Present => matches!(asked, Asked::Exists).then_some(true),
                    Known::Values(stored) => asked.holds(stored.iter().filter_map(|s| s.value(digest))),
                }
            }
        }
    }
}

impl Stored {
    #[inline]
    fn value(&self, digest: Digest) -> Option<i128> {
        let stored = digest.value(self.bits)?;
        if self.flag {
            return Some(i128::from(stored != 0));
        }
        let number = self.field.ordered(u128::from(stored));
        i128::try_from(number).ok()?.checked_mul(i128::from(self.scale))
    }
}

/// What is known of an operand in packets of this form.
fn known(of: &Operand, chain: Chain) -> Known {
    let absent = |of: &Operand| matches!(known(of, chain), Known::Absent);
    let absent_if = |is: bool| if is { Known::Absent } else { Known::Nothing };
    match of {
        Operand::Key(key) => key_in(key, chain),
        Operand::Slice(of, _) | Operand::Negative(of) => absent_if(absent(of)),
        Operand::Binary(_, a, b) => absent_if(absent(a) || absent(b)),
        Operand::Call(_, arguments) => absent_if(!arguments.is_empty() && arguments.iter().all(absent)),
        Operand::Literal(_) => Known::Nothing,
    }
}

fn key_in(key: &Key, chain: Chain) -> Known {
    let numbered = !key.layers.is_empty();
    match &key.source.place {
        Place::Fields(places) => {
            let places = places.iter().map(|place| (place, chain.has(place.header)));
            let there: Vec<_> = places.filter(|(_, there)| *there != Presence::Absent).collect();
            match there.as_slice() {
                [] => Known::Absent,
                [(place, Presence::Once)] if !numbered => values(place, chain),
                _ => Known::Nothing,
            }
        }
        Place::Layers(headers) => {
            let there: Vec<_> = headers.iter().map(|header| chain.has(header)).collect();
            if there.iter().all(|there| *there == Presence::Absent) {
                Known::Absent
            } else if !numbered && there.contains(&Presence::Once) {
                Known::Present
            } else {
                Known::Nothing
            }
        }
        Place::Payload(headers) | Place::PayloadLength(headers) | Place::Items(headers)
            if headers.iter().all(|header| chain.has(header) == Presence::Absent) =>
        {
            Known::Absent
        }
        _ => Known::Nothing,
    }
}

/// Values of a header that is there once.
fn values(place: &FieldPlace, chain: Chain) -> Known {
    if place.items || place.reader || place.left_out {
        return Known::Nothing;
    }
    let mut values = Vec::new();
    for (field, scale) in &place.fields {
        let field = &place.header.fields[*field];
        let flag = place.one_flag || matches!(field.kind, Kind::Flag);
        let number = flag || matches!(field.kind, Kind::Number | Kind::Hex);
        if field.when.is_some() || !number || !chain.covers(place.header, field.bits) {
            return Known::Nothing;
        }
        values.push(Stored { bits: field.bits, field, scale: *scale, flag });
        if !place.all {
            break;
        }
    }
    if values.is_empty() { Known::Nothing } else { Known::Values(values) }
}
