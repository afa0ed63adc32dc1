//! Names of a script (`$port`), what they stand for, and texts in which they stand.

use std::ops::Range;

use crate::wire::bits;
use crate::wire::notation::{Arg, Item, NotationError, Part, Spanned, Value as Word};
use crate::wire::protocols;
use crate::wire::table::{Field, Header, Kind};
use crate::wire::value;
use crate::wire::view::Located;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, in the unit of the field that it was taken from.
    Number(u128),
    /// An address, bytes, the name of a value: text as notation has it.
    Text(String),
}

impl Value {
    /// What a person wrote.
    #[must_use]
    pub fn written(text: &str) -> Self {
        value::number(text).map_or_else(|| Self::Text(text.to_owned()), Self::Number)
    }

    /// What a field of a packet holds; `scale`: the unit of the name by which the field is asked for.
    #[must_use]
    pub fn taken(found: &Located, scale: u32, packet: &[u8]) -> Self {
        let field = found.field;
        match (field.kind, found.stored(packet)) {
            (Kind::Number | Kind::Hex | Kind::Flag, Some(stored)) => {
                Self::Number(field.ordered(stored).saturating_mul(u128::from(scale)))
            }
            (Kind::Text, _) => Self::Text(format!("\"{}\"", found.text(packet).replace('"', "\\\""))),
            (Kind::Bytes, _) => Self::Text(
                value::hex_pairs(packet.get(found.bits.bytes()).unwrap_or_default()).to_lowercase(),
            ),
            _ => Self::Text(found.text(packet)),
        }
    }

    /// As notation has it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// `$name`, `$name+1`, `$name-0x10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// The name, without `$`.
    pub name: String,
    /// What is added, or taken away.
    pub step: Option<(Sign, u128)>,
    /// Its place in the script.
    pub at: Range<usize>,
}

/// Plus or minus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Added.
    Plus,
    /// Taken away.
    Minus,
}

/// Length of the name that a text begins with.
pub(super) fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

impl Expr {
    /// Reads a word; `None`: it is no name.
    ///
    /// # Errors
    /// There is no name behind `$`, or something else than a step behind it.
    pub fn read(word: &Spanned) -> Result<Option<Self>, NotationError> {
        let Some(rest) = word.text.strip_prefix('$') else { return Ok(None) };
        let len = name_len(rest);
        let (name, behind) = rest.split_at(len);
        if name.is_empty() {
            return Err(NotationError::new(word.at.clone(), "behind $ stands a name, such as $port"));
        }
        let at = word.at.clone();
        let whole = |step| Ok(Some(Self { name: name.to_owned(), step, at }));
        let behind = behind.trim();
        let sign = match behind.chars().next() {
            None => return whole(None),
            Some('+') => Some(Sign::Plus),
            Some('-') => Some(Sign::Minus),
            Some(_) => None,
        };
        let amount =
            value::number(behind.get(1..).unwrap_or_default()).filter(|n| *n <= u128::from(u64::MAX));
        match sign.zip(amount) {
            Some(step) => whole(Some(step)),
            None => Err(NotationError::new(
                word.at.clone(),
                format!("behind ${name} can stand + or - and a number, such as ${name}+1"),
            )),
        }
    }

    /// What it stands for. Numbers are reckoned modulo `modulus`, where the value itself is below it: in the width of the
    /// field in which it stands.
    ///
    /// # Errors
    /// To an address or a text nothing can be added.
    pub fn value(&self, named: &Value, modulus: Option<u128>) -> Result<String, String> {
        let (Some((sign, amount)), number) = (self.step, named) else { return Ok(named.text()) };
        let Value::Number(number) = number else {
            return Err(format!(
                "${} is {}: only to a number something can be added",
                self.name,
                named.text()
            ));
        };
        let sum = match (sign, modulus.filter(|m| number < m)) {
            (Sign::Plus, Some(m)) => Some((number + amount % m) % m),
            (Sign::Minus, Some(m)) => Some((number + (m - amount % m)) % m),
            (Sign::Plus, None) => number.checked_add(amount),
            (Sign::Minus, None) => number.checked_sub(amount),
        };
        sum.map(|sum| sum.to_string())
            .ok_or_else(|| format!("${} is {number}: the sum is out of all ranges", self.name))
    }
}

/// Where a value stands: what its field holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    /// The field; `None`: it is not known.
    pub field: Option<&'static Field>,
    /// The unit of its name.
    pub scale: u32,
}

impl Slot {
    /// What numbers here are reckoned in: one more than the largest.
    #[must_use]
    pub fn modulus(&self) -> Option<u128> {
        let field = self.field.filter(|f| f.bits.width > 0 && f.bits.width <= 64 && !f.kind.is_bytes())?;
        Some((bits::max_value(field.bits.width) + 1) * u128::from(self.scale.max(1)))
    }

    /// Whether it may be the address of a network.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.field.is_none_or(|f| matches!(f.kind, Kind::Ipv4 | Kind::Ipv6))
    }

    /// A value that certainly fits, for a packet whose real value is not known yet.
    #[must_use]
    pub fn placeholder(&self) -> String {
        let Some(field) = self.field else { return "0".into() };
        match field.kind {
            Kind::Number | Kind::Hex | Kind::Flag => "0".into(),
            Kind::Ipv4 => "0.0.0.0".into(),
            Kind::Ipv6 => "::".into(),
            Kind::Mac => "00:00:00:00:00:00".into(),
            Kind::Bytes => "00".repeat((field.bits.width / 8).clamp(1, 64)),
            Kind::Text => "\"\"".into(),
        }
    }
}

/// Every value that stands in a packet, with its place and its field; those of options too.
pub fn words(parts: &[Part]) -> Vec<(Slot, &Spanned)> {
    let mut all = Vec::new();
    for part in parts {
        let Part::Layer { name, args } = part else { continue };
        let header = protocols::by_key(&name.text);
        for arg in args {
            words_of(header, arg, &mut all);
        }
    }
    all
}

fn words_of<'a>(header: Option<&'static Header>, arg: &'a Arg, all: &mut Vec<(Slot, &'a Spanned)>) {
    let found = header.and_then(|h| h.field(&arg.key.text));
    let slot = found.map_or_else(Slot::default, |(field, scale)| Slot { field: Some(field), scale });
    match &arg.value {
        Word::Word(word) => all.push((slot, word)),
        // Values to choose from, where a field has this name.
        Word::List(items, _) if found.is_some() => all.extend(items.iter().map(|i| (slot, &i.name))),
        Word::List(items, _) => items.iter().for_each(|item| item_words(header, item, all)),
    }
}

fn item_words<'a>(header: Option<&'static Header>, item: &'a Item, all: &mut Vec<(Slot, &'a Spanned)>) {
    for (nth, word) in item.args.iter().enumerate() {
        all.push((item_slot(header, &item.name.text, nth), word));
    }
    for (_, inner) in &item.lists {
        inner.iter().for_each(|item| item_words(header, item, all));
    }
}

/// The field that the value at this place in an option stands for.
pub(super) fn item_slot(header: Option<&'static Header>, name: &str, nth: usize) -> Slot {
    let table = header.into_iter().flat_map(Header::lists).flat_map(|list| list.items.iter().copied());
    let field = table.filter(|item| item.key.eq_ignore_ascii_case(name)).find_map(|item| {
        (0..item.fields.len()).filter(|i| item.is_told(*i)).nth(nth).map(|i| &item.fields[i])
    });
    Slot { field, scale: field.map_or(1, |f| f.scale) }
}

/// A text with some of its places replaced.
#[derive(Debug, Default)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Replaced places of the source, and where they stand in the text.
    places: Vec<(Range<usize>, Range<usize>)>,
}

impl Edited {
    /// Replaces places of `source`, which are in order and apart.
    #[must_use]
    pub fn new(source: &str, edits: Vec<(Range<usize>, String)>) -> Self {
        let mut edited = Self::default();
        let mut at = 0;
        for (range, text) in edits {
            if range.start < at || range.end > source.len() {
                continue;
            }
            edited.text += source.get(at..range.start).unwrap_or_default();
            let start = edited.text.len();
            edited.text += &text;
            at = range.end;
            edited.places.push((range, start..edited.text.len()));
        }
        edited.text += source.get(at..).unwrap_or_default();
        edited
    }

    /// A place of the text as a place of the source.
    #[must_use]
    pub fn back(&self, at: Range<usize>) -> Range<usize> {
        self.back_to(at.start, false)..self.back_to(at.end, true)
    }

    fn back_to(&self, at: usize, end: bool) -> usize {
        let mut behind = (0, 0);
        for (source, text) in &self.places {
            let before = if end { at <= text.start } else { at < text.start };
            if before {
                break;
            }
            if at < text.end || end && at == text.end {
                return if end { source.end } else { source.start };
            }
            behind = (source.end, text.end);
        }
        behind.0 + (at - behind.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expr(text: &str) -> Expr {
        Expr::read(&Spanned { text: text.into(), at: 0..text.len() }).unwrap().unwrap()
    }

    #[test]
    fn sums_are_those_of_the_field() {
        let modulus = Some(1 << 32);
        let last = Value::Number(0xffff_ffff);
        assert_eq!(expr("$a+1").value(&last, modulus), Ok("0".into()));
        assert_eq!(expr("$a + 0x10").value(&last, modulus), Ok("15".into()));
        assert_eq!(expr("$a-1").value(&Value::Number(0), modulus), Ok("4294967295".into()));
        assert_eq!(
            expr("$a+1").value(&last, Some(1 << 16)),
            Ok("4294967296".into()),
            "the builder refuses it"
        );
        assert!(expr("$a-1").value(&Value::Number(0), None).is_err());
        assert!(expr("$a+1").value(&Value::Text("10.0.0.1".into()), modulus).is_err());
        assert_eq!(expr("$a").value(&Value::Text("10.0.0.1".into()), modulus), Ok("10.0.0.1".into()));
    }

    #[test]
    fn what_is_no_name_is_refused_at_its_place() {
        for wrong in ["$", "$+1", "$a*2", "$a+b", "$a-$b", "$a+"] {
            assert!(
                Expr::read(&Spanned { text: wrong.into(), at: 3..5 }).unwrap_err().at == (3..5),
                "{wrong}"
            );
        }
        assert_eq!(Expr::read(&Spanned { text: "80".into(), at: 0..2 }), Ok(None));
    }

    #[test]
    fn places_go_back_to_the_source() {
        let source = "ab $port cd $x ef";
        let edited = Edited::new(source, vec![(3..8, "7".into()), (12..14, "12345".into())]);
        assert_eq!(edited.text, "ab 7 cd 12345 ef");
        assert_eq!(edited.back(3..4), 3..8);
        assert_eq!(edited.back(5..7), 9..11);
        assert_eq!(edited.back(9..11), 12..14);
        assert_eq!(edited.back(14..16), 15..17);
        assert_eq!(edited.back(16..16), 17..17);
        let inserted = Edited::new("ip()", vec![(3..3, "dst=1.2.3.4".into())]);
        assert_eq!(inserted.text, "ip(dst=1.2.3.4)");
        assert_eq!(inserted.back(14..15), 3..4);
    }
}
