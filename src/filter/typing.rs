//! Types of what stands in a comparison: a value takes the type of what it is compared with.

use std::ops::Range;

use super::FilterError;
use super::lex::{Kind, Token};
use super::literal::{self, Names};
use super::parse::Parsed;
use super::source::{self, Type};
use super::tree::{Arithmetic, Compare, Operand, Relation, Test};

/// An operand, or a value whose type the other side decides.
pub(super) enum Side {
    Typed(Typed),
    Open { minus: bool, token: Token },
}

pub(super) struct Typed {
    pub operand: Operand,
    pub is: Type,
    pub names: Names,
    pub at: Range<usize>,
    /// Arithmetic: alone it asks for a value that is not zero.
    pub computed: bool,
    pub function: bool,
}

/// What stands between quotes, without the backslashes before quotes and backslashes.
pub(super) fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text[1..text.len() - 1].chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next @ ('"' | '\\')) if c == '\\' => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// The comparison that a word or sign stands for, and whether it is about all pairs.
pub(super) fn relation(text: &str) -> Option<(Relation, bool)> {
    Some(match text {
        "==" | "eq" | "any_eq" => (Relation::Equal, false),
        "!=" | "ne" | "all_ne" => (Relation::Unequal, true),
        "===" | "all_eq" => (Relation::Equal, true),
        "!==" | "any_ne" => (Relation::Unequal, false),
        ">" | "gt" => (Relation::Above, false),
        ">=" | "ge" => (Relation::AtLeast, false),
        "<" | "lt" => (Relation::Below, false),
        "<=" | "le" => (Relation::AtMost, false),
        _ => return None,
    })
}

/// The type of what is computed: it may be larger than what it is computed from.
pub(super) fn widened(is: Type) -> Type {
    if matches!(is, Type::Number(_)) { Type::Number(64) } else { is }
}

/// An operand whose type is known by itself.
pub(super) fn typed(side: Side) -> Parsed<Typed> {
    match side {
        Side::Typed(typed) => Ok(typed),
        Side::Open { token, .. } => {
            let value = || format!("{} is a value: compare it with a key", token.text);
            let error = match token.kind {
                Kind::Word => source::find(&token.text).err().unwrap_or_else(value),
                _ => value(),
            };
            Err(FilterError::new(token.at, error))
        }
    }
}

/// An operand, as one of the type of the other side where it is a value.
pub(super) fn filled(side: Side, is: Type, names: Names) -> Parsed<Typed> {
    match side {
        Side::Typed(typed) => Ok(typed),
        Side::Open { minus, token, .. } => {
            let operand = Operand::Literal(literal::read(&token, minus, is, names)?);
            Ok(Typed { operand, is, names, at: token.at, computed: false, function: false })
        }
    }
}

/// Both sides, with one type.
pub(super) fn paired(left: Side, right: Side) -> Parsed<(Typed, Typed)> {
    let (left, right) = match (left, right) {
        (Side::Typed(left), right) => {
            let right = as_name(right, &left);
            let right = filled(right, left.is, left.names)?;
            (left, right)
        }
        (left, Side::Typed(right)) => (filled(left, right.is, right.names)?, right),
        (left @ Side::Open { .. }, _) => {
            return Err(typed(left).err().unwrap_or_else(|| FilterError::new(0..0, "")));
        }
    };
    if !left.is.fits(right.is) {
        let why = format!("{} cannot be compared with {}", left.is.name(), right.is.name());
        return Err(FilterError::new(left.at.start..right.at.end, why));
    }
    Ok((left, right))
}

/// A protocol's name where a number is meant that has this name: `ip.proto == tcp`.
pub(super) fn as_name(side: Side, other: &Typed) -> Side {
    match side {
        Side::Typed(Typed { operand: Operand::Key(key), is: Type::Protocol, at, .. })
            if matches!(other.is, Type::Number(_)) && key.layers.is_empty() =>
        {
            let text = key.source.key;
            Side::Open { minus: false, token: Token { kind: Kind::Word, text, at } }
        }
        side => side,
    }
}

pub(super) fn compared(left: Side, (relation, every): (Relation, bool), right: Side) -> Parsed<Test> {
    let (left, right) = paired(left, right)?;
    Ok(Test::Compare(Box::new(Compare { left: left.operand, relation, every, right: right.operand })))
}

pub(super) fn binary(operator: Arithmetic, left: Side, right: Side) -> Parsed<Side> {
    let (left, right) = paired(left, right)?;
    let at = left.at.start..right.at.end;
    let fits = match left.is {
        Type::Number(_) => true,
        Type::Time => operator != Arithmetic::And,
        Type::Bytes | Type::Ipv4 | Type::Ipv6 => operator == Arithmetic::And,
        _ => false,
    };
    if !fits {
        return Err(FilterError::new(at, format!("this operator cannot take {}", left.is.name())));
    }
    let operand = Operand::Binary(operator, Box::new(left.operand), Box::new(right.operand));
    Ok(Side::Typed(Typed { operand, is: widened(left.is), names: &[], at, computed: true, function: false }))
}

pub(super) fn contains(left: Side, right: Side, every: bool) -> Parsed<Test> {
    let left = typed(left)?;
    if !left.is.is_bytes() {
        let why = format!("this is {}: only bytes and text contain something", left.is.name());
        return Err(FilterError::new(left.at, why));
    }
    let is = if left.is == Type::Mac { Type::Bytes } else { left.is };
    let right = filled(right, is, &[])?;
    if !right.is.is_bytes() {
        return Err(FilterError::new(
            right.at,
            format!("here must stand bytes or text, not {}", right.is.name()),
        ));
    }
    Ok(Test::Contains { of: wholly(left.operand), what: right.operand, every })
}

/// All bytes of a layer, not those of its header alone.
pub(super) fn wholly(mut operand: Operand) -> Operand {
    if let Operand::Key(key) = &mut operand {
        key.whole = true;
    }
    operand
}
