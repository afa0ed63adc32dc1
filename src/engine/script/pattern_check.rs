//! Whether a pattern makes sense: found before the run, with the builder of packets.

use std::ops::Range;

use super::names::{Edited, Expr, Slot, words};
use super::pattern::{Choice, Known};
use super::read::{Placed, may_try};
use crate::craft::Draft;
use crate::craft::build::Sources;
use crate::wire::notation::{self, Item, NotationError, Part, Value as Word};
use crate::wire::protocols;
use crate::wire::table::{Field, Header};

/// Builds the packet that a pattern describes once for each value to choose from, so that what is wrong is found before
/// the run.
pub(super) fn check(
    text: &str,
    parts: &[Part],
    known: Known<'_>,
    sources: &mut dyn Sources,
) -> Result<(), NotationError> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    // Places with several values, and these, each with its own place: tried one by one.
    let mut others: Vec<(Range<usize>, Vec<Placed>)> = Vec::new();
    for part in parts {
        let Part::Layer { name, args } = part else { continue };
        let header = protocols::by_key(&name.text);
        if let Some(dst) = missing_destination(header, args) {
            let slot = Slot { field: Some(dst), scale: 1 };
            let open = text.get(name.at.end..).unwrap_or_default();
            let space = open.len() - open.trim_start().len();
            let (at, text) = match open.trim_start().starts_with('(') {
                true if args.is_empty() => (space + 1, format!("{}={}", dst.key, slot.placeholder())),
                true => (space + 1, format!("{}={}, ", dst.key, slot.placeholder())),
                false => (0, format!("({}={})", dst.key, slot.placeholder())),
            };
            edits.push((name.at.end + at..name.at.end + at, text));
        }
        for arg in args {
            let field = header.and_then(|h| h.field(&arg.key.text));
            if let (Word::List(items, at), Some(_)) = (&arg.value, field) {
                let values: Vec<Placed> = items.iter().flat_map(values_of).collect();
                let Some((first, _)) = values.first() else {
                    return Err(NotationError::new(at.clone(), "here must stand at least one value"));
                };
                edits.push((at.clone(), first.clone()));
                others.push((at.clone(), values));
            }
        }
    }
    for (slot, word) in words(parts) {
        if edits.iter().any(|(at, _)| at.start <= word.at.start && word.at.end <= at.end && !at.is_empty()) {
            continue;
        }
        let named = Expr::read(word)?;
        let text = match (&named, word.text.as_str()) {
            (_, "*") => slot.placeholder(),
            (Some(expr), _) => match known(&expr.name) {
                Some(value) => {
                    expr.value(&value, slot.modulus()).map_err(|e| NotationError::new(word.at.clone(), e))?
                }
                None => slot.placeholder(),
            },
            (None, text) => {
                let values = ends(text);
                let first = values.first().cloned().unwrap_or_default();
                if first == text {
                    continue;
                }
                let values = values.into_iter().map(|value| (value, word.at.clone())).collect();
                others.push((word.at.clone(), values));
                first
            }
        };
        edits.push((word.at.clone(), text));
    }
    edits.sort_by_key(|(at, _)| (at.start, at.end));
    may_try(others.iter().map(|(_, values)| values.len()).sum(), text)?;
    for (place, values) in &others {
        for (value, at) in values {
            let mut edits = edits.clone();
            edits.iter_mut().filter(|(at, _)| at == place).for_each(|(_, text)| text.clone_from(value));
            try_build(text, edits, sources).map_err(|e| {
                let own = place.start <= e.at.start && e.at.end <= place.end;
                NotationError::new(if own { at.clone() } else { e.at }, e.message)
            })?;
        }
    }
    if others.is_empty() { try_build(text, edits, sources) } else { Ok(()) }
}

/// The values that an entry of a list names, with its place.
fn values_of(item: &Item) -> Vec<Placed> {
    ends(&item.name.text).into_iter().map(|value| (value, item.name.at.clone())).collect()
}

fn try_build(
    text: &str,
    edits: Vec<(Range<usize>, String)>,
    sources: &mut dyn Sources,
) -> Result<(), NotationError> {
    let edited = Edited::new(text, edits);
    let built = Draft::from_notation(&edited.text, sources);
    built.map(|_| ()).map_err(|e| NotationError::new(edited.back(e.at), e.message))
}

/// The values that a choice names: one, or the ends of a range.
fn ends(text: &str) -> Vec<String> {
    match Choice::read(text) {
        Choice::One(text) => vec![text],
        Choice::Range(from, to) => vec![from, to],
    }
}

/// The destination that a packet to be sent would have to have here.
fn missing_destination(header: Option<&'static Header>, args: &[notation::Arg]) -> Option<&'static Field> {
    let header = header.filter(|h| h.network)?;
    let (_, dst) = header.ends?;
    let given = args.iter().any(|a| dst.scale_for(&a.key.text).is_some());
    if given { None } else { Some(dst) }
}
