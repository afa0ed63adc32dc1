//! Values that vary from packet to packet: which value the n-th packet has. Pure, and repeatable: a value depends on the
//! seed and the number of the packet alone, so that any packet of a stream can be made again without those before it.

use crate::craft::build::{Built, parse_word};
use crate::wire::bits;
use crate::wire::notation::{self, Item, NotationError, Part, Spanned, Value};
use crate::wire::table::{Field, Kind};
use crate::wire::value::{self, Refused};

/// Most values of one range or list: a counter of 64 bits can go through all of them.
const MOST: u128 = u64::MAX as u128;

/// How the value of a field comes about. Numbers are values in the sense of [`Field::ordered`], as stored otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// Any from `low` to `high`, both included, each as likely as any other.
    Random {
        /// The least.
        low: u128,
        /// The greatest.
        high: u128,
    },
    /// Any of so many bits, with those often at which programs break: none, all, one bit, half, a few.
    Fuzz {
        /// How many bits.
        width: usize,
    },
    /// One after the other; with others, the one named last moves fastest.
    Each(Vec<Run>),
    /// Random bytes, for what is no number.
    Fill,
}

/// Values with the same step between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub from: u128,
    /// From one to the next.
    pub step: u128,
    /// The values get smaller.
    pub down: bool,
    /// How many.
    pub count: u64,
}

impl Run {
    fn at(&self, index: u64) -> u128 {
        let way = self.step.saturating_mul(u128::from(index));
        if self.down { self.from.saturating_sub(way) } else { self.from.saturating_add(way) }
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// SplitMix64's step.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The random numbers of one field of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Those of the field of this number in the stream.
    pub fn new(seed: u64, field: usize) -> Self {
        Self(mix(seed.wrapping_add(GOLDEN.wrapping_mul(field as u64 + 1))))
    }

    /// 64 random bits for the packet of this number.
    pub fn roll(self, number: u64) -> u64 {
        mix(self.0.wrapping_add(GOLDEN.wrapping_mul(number.wrapping_add(1))))
    }

    fn roll_wide(self, number: u64) -> u128 {
        let high = self.roll(number);
        u128::from(high) << 64 | u128::from(mix(high ^ GOLDEN))
    }

    /// Fills bytes for the packet of this number.
    pub fn fill(self, number: u64, bytes: &mut [u8]) {
        let own = self.roll(number);
        for (nth, chunk) in bytes.chunks_mut(8).enumerate() {
            let word = mix(own.wrapping_add(GOLDEN.wrapping_mul(nth as u64))).to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

impl Generator {
    /// The value of the packet of this number. `stride`: how many packets one value of [`Self::Each`] lasts.
    pub(super) fn value(&self, dice: Dice, number: u64, stride: u64) -> u128 {
        match self {
            Self::Random { low, high } => {
                let span = (high - low).wrapping_add(1);
                let offset = match u64::try_from(span) {
                    // The high half of a product, Lemire 2019: without a division, and even but for one part in 2^32
                    // of what a port or a sequence number has.
                    Ok(span) if span > 0 => (u128::from(dice.roll(number)) * u128::from(span)) >> 64,
                    _ if span == 0 => dice.roll_wide(number),
                    _ => dice.roll_wide(number) % span,
                };
                low + offset
            }
            Self::Fuzz { width } => fuzz(dice, number, *width),
            Self::Each(runs) => {
                let index = if stride == 1 { number } else { number / stride.max(1) };
                match runs.as_slice() {
                    [run] => run.at(index % run.count),
                    runs => among(runs, index),
                }
            }
            Self::Fill => 0,
        }
    }

    /// How many different values follow each other before they begin again; `None`: it is left to chance.
    #[must_use]
    pub fn period(&self) -> Option<u64> {
        match self {
            Self::Each(runs) => Some(runs.iter().fold(0u64, |sum, r| sum.saturating_add(r.count))),
            _ => None,
        }
    }

    /// The greatest value.
    pub(in crate::craft) fn most(&self) -> u128 {
        match self {
            Self::Random { high, .. } => *high,
            Self::Fuzz { width } => bits::max_value(*width),
            Self::Each(runs) => {
                runs.iter().map(|r| if r.down { r.from } else { r.at(r.count - 1) }).max().unwrap_or(0)
            }
            Self::Fill => 0,
        }
    }

    /// A generator from one word of notation: `random`, `random(a..b)`, `fuzz`, `a..b`, `a..b step c`; `None`: it is a value.
    pub(super) fn read(fields: &[Field], field: &Field, scale: u32, word: &Spanned) -> Built<Option<Self>> {
        let text = word.text.as_str();
        let whole = || match field.kind.is_bytes() {
            true => Self::Fill,
            false => Self::Random { low: 0, high: bits::max_value(field.bits.width) },
        };
        match text {
            "random" => return Ok(Some(whole())),
            "fuzz" if field.kind.is_bytes() => return Ok(Some(Self::Fill)),
            "fuzz" => return Ok(Some(Self::Fuzz { width: field.bits.width })),
            _ => {}
        }
        if field.kind.is_bytes() {
            return Ok(None);
        }
        if let Some(inner) = text.strip_prefix("random").map(str::trim_start).filter(|t| t.starts_with('(')) {
            let inside = inner.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
            let range = inside.and_then(|t| t.split_once(".."));
            let Some((low, high)) = range else {
                let why = "random takes the least and the greatest value: random(1024..65535)";
                return Err(NotationError::new(word.at.clone(), why));
            };
            let (low, high) = (end(fields, field, scale, word, low)?, end(fields, field, scale, word, high)?);
            if low > high {
                let why = "the least value stands first: random(1024..65535)";
                return Err(NotationError::new(word.at.clone(), why));
            }
            return Ok(Some(Self::Random { low, high }));
        }
        Ok(run(fields, field, scale, word)?.map(|run| Self::Each(vec![run])))
    }

    /// A generator from what was typed for a field; `None`: it is a value, or nothing of this kind.
    ///
    /// # Errors
    /// A range that is none.
    pub(in crate::craft) fn from_text(
        fields: &[Field],
        field: &Field,
        scale: u32,
        text: &str,
    ) -> Result<Option<Self>, Refused> {
        let text = text.trim();
        let refuse = |error: NotationError| Refused(error.message);
        if !text.starts_with('[') {
            let word = Spanned { text: text.to_owned(), at: 0..text.len() };
            return Self::read(fields, field, scale, &word).map_err(refuse);
        }
        // A list is read as it is in notation.
        let parts = notation::parse(&format!("{}({}={text})", field.key, field.key)).map_err(refuse)?;
        let Some(Part::Layer { args, .. }) = parts.into_iter().next() else { return Ok(None) };
        match args.into_iter().next().map(|a| a.value) {
            Some(Value::List(items, at)) => {
                Self::read_list(fields, field, scale, &items, &at).map(Some).map_err(refuse)
            }
            _ => Ok(None),
        }
    }

    /// As it is typed, in the unit `scale`.
    #[must_use]
    pub fn text(&self, field: &Field, scale: u32) -> String {
        let value = |v: u128| match field.kind {
            Kind::Number | Kind::Flag => v.saturating_mul(u128::from(scale)).to_string(),
            _ => value::stored_text(field, field.ordered(v)),
        };
        let run = |run: &Run| {
            let last = value(run.at(run.count.saturating_sub(1)));
            let step = run.step.saturating_mul(u128::from(scale));
            match (run.count, run.step) {
                (1, _) => value(run.from),
                (_, 1) => format!("{}..{last}", value(run.from)),
                _ => format!("{}..{last} step {step}", value(run.from)),
            }
        };
        match self {
            Self::Random { low: 0, high } if *high == bits::max_value(field.bits.width) => "random".into(),
            Self::Random { low, high } => format!("random({}..{})", value(*low), value(*high)),
            Self::Fuzz { .. } => "fuzz".into(),
            Self::Fill => "random".into(),
            Self::Each(runs) => match runs.as_slice() {
                [one] if one.count > 1 => run(one),
                runs => format!("[{}]", runs.iter().map(run).collect::<Vec<_>>().join(", ")),
            },
        }
    }

    /// A generator from a list of values and ranges in brackets.
    pub(super) fn read_list(
        fields: &[Field],
        field: &Field,
        scale: u32,
        items: &[Item],
        at: &std::ops::Range<usize>,
    ) -> Built<Self> {
        let mut runs = Vec::new();
        for item in items {
            let plain = item.args.is_empty() && item.lists.is_empty();
            if !plain || field.kind.is_bytes() {
                let why = format!("{} takes values such as [1, 2, 7..9] here", field.label);
                return Err(NotationError::new(item.name.at.clone(), why));
            }
            runs.push(match run(fields, field, scale, &item.name)? {
                Some(run) => run,
                None => {
                    let from = field.ordered(parse_word(fields, field, scale, &item.name)?);
                    Run { from, step: 1, down: false, count: 1 }
                }
            });
        }
        if runs.is_empty() {
            return Err(NotationError::new(at.clone(), format!("{} needs a value", field.label)));
        }
        Ok(Self::Each(runs))
    }
}

fn among(runs: &[Run], index: u64) -> u128 {
    let total = runs.iter().fold(0u64, |sum, r| sum.saturating_add(r.count)).max(1);
    let mut index = index % total;
    for run in runs {
        if index < run.count {
            return run.at(index);
        }
        index -= run.count;
    }
    0
}

fn fuzz(dice: Dice, number: u64, width: usize) -> u128 {
    let most = bits::max_value(width);
    let roll = dice.roll_wide(number);
    let choice = (roll >> 120) as u8;
    match choice % 8 {
        0 => 0,
        1 => most,
        2 => 1u128 << (roll as usize % width.max(1)) & most,
        3 => most >> 1,
        4 => roll & 7 & most,
        _ => roll & most,
    }
}

/// An end of a range.
fn end(fields: &[Field], field: &Field, scale: u32, word: &Spanned, text: &str) -> Built<u128> {
    let text = Spanned { text: text.trim().to_owned(), at: word.at.clone() };
    Ok(field.ordered(parse_word(fields, field, scale, &text)?))
}

/// `a..b` or `a..b step c`; `None`: it is no range.
fn run(fields: &[Field], field: &Field, scale: u32, word: &Spanned) -> Built<Option<Run>> {
    let Some((from, rest)) = word.text.split_once("..") else { return Ok(None) };
    let (to, step) = match rest.split_once(" step ") {
        Some((to, step)) => (to, Some(step.trim())),
        None => (rest, None),
    };
    let (from, to) = (end(fields, field, scale, word, from)?, end(fields, field, scale, word, to)?);
    let unit = u128::from(scale);
    let step = match step.map(value::number) {
        None => 1,
        Some(Some(step)) if step > 0 && step.is_multiple_of(unit) => step / unit,
        Some(_) => {
            let why = match scale {
                1 => "the step of a range is a number from 1 on: 0..100 step 10".to_owned(),
                _ => format!("the step of this range is a multiple of {scale}"),
            };
            return Err(NotationError::new(word.at.clone(), why));
        }
    };
    let count = from.abs_diff(to) / step;
    if count >= MOST {
        let why = "this range has more values than can ever be sent: random(a..b) takes some of them";
        return Err(NotationError::new(word.at.clone(), why));
    }
    Ok(Some(Run { from, step, down: to < from, count: count as u64 + 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_range_are_all_met_and_none_else() {
        let dice = Dice::new(7, 0);
        for (low, high) in [(0u128, 0), (1024, 1030), (u128::MAX - 3, u128::MAX), (5, 5 + (1 << 70))] {
            let random = Generator::Random { low, high };
            let values: Vec<u128> = (0..2000).map(|n| random.value(dice, n, 1)).collect();
            assert!(values.iter().all(|v| (low..=high).contains(v)), "{low}..{high}");
            if high - low < 10 {
                assert!((low..=high).all(|v| values.contains(&v)), "{low}..{high}");
            }
        }
        let whole = Generator::Random { low: 0, high: u128::MAX };
        assert_ne!(whole.value(dice, 0, 1) >> 64, whole.value(dice, 1, 1) >> 64);
    }

    #[test]
    fn runs_follow_each_other_and_begin_again() {
        let down = Run { from: 9, step: 4, down: true, count: 3 };
        let one = Run { from: 80, step: 1, down: false, count: 1 };
        let each = Generator::Each(vec![down, one]);
        let values: Vec<u128> = (0..6).map(|n| each.value(Dice::new(0, 0), n, 1)).collect();
        assert_eq!(values, [9, 5, 1, 80, 9, 5]);
        let slow: Vec<u128> = (0..4).map(|n| each.value(Dice::new(0, 0), n, 2)).collect();
        assert_eq!(slow, [9, 9, 5, 5]);
        assert_eq!((each.period(), each.most()), (Some(4), 80));
    }

    #[test]
    fn a_seed_decides_and_fields_differ() {
        let random = Generator::Random { low: 0, high: u128::from(u32::MAX) };
        let of = |seed, field| (0..8).map(|n| random.value(Dice::new(seed, field), n, 1)).collect::<Vec<_>>();
        assert_eq!(of(1, 0), of(1, 0));
        assert_ne!(of(1, 0), of(2, 0));
        assert_ne!(of(1, 0), of(1, 1));
        let all = Generator::Fuzz { width: 3 };
        let seen: std::collections::BTreeSet<u128> =
            (0..500).map(|n| all.value(Dice::new(3, 0), n, 1)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    }
}
