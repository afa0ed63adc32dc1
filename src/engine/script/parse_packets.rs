//! The lines of a script that speak of packets.

use std::collections::HashSet;
use std::ops::Range;

use super::condition::Condition;
use super::names::{Edited, Expr, words};
use super::parse::{Name, Reader, moved, value_of};
use super::pattern::Pattern;
use super::read::{self, Raw};
use super::sweep::{Sweep, Wanted, kinds};
use super::{Act, Template};
use crate::craft::Draft;
use crate::wire::notation::{self, NotationError, nearest};

impl Reader<'_> {
    fn packet<'t>(&self, line: &'t Raw, start: usize, what: &str) -> Result<(usize, &'t str), NotationError> {
        let (start, text) = line.behind(start);
        if text.is_empty() {
            return line.error(
                start..start,
                format!("here must stand {what}, such as ip(dst=10.77.0.2)/tcp(dstport=80, flags=S)"),
            );
        }
        Ok((start, text))
    }

    pub(super) fn send(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let (start, text) = self.packet(line, start, "the packet that is sent")?;
        let error = moved(line, start);
        let parts = notation::parse(text).map_err(&error)?;
        let mut names = Vec::new();
        for (slot, word) in words(&parts) {
            names.extend(Expr::read(word).map_err(&error)?.map(|expr| (slot, expr)));
        }
        let exprs: Vec<Expr> = names.iter().map(|(_, expr)| expr.clone()).collect();
        self.used(&exprs, &error)?;
        for last in [false, true] {
            let mut edits = Vec::new();
            for (slot, expr) in &names {
                let value = value_of(&self.known, &expr.name, last);
                let text =
                    value.map_or_else(|| Ok(slot.placeholder()), |value| expr.value(&value, slot.modulus()));
                let text = text.map_err(|why| error(NotationError::new(expr.at.clone(), why)))?;
                edits.push((expr.at.clone(), text));
            }
            let edited = Edited::new(text, edits);
            Draft::from_notation(&edited.text, self.sources)
                .map_err(|e| error(NotationError::new(edited.back(e.at), several_values(e.message))))?;
        }
        self.push(line, Act::Send(Template { text: text.to_owned(), names }));
        Ok(())
    }

    pub(super) fn expect(&mut self, line: &Raw, start: usize, comes: bool) -> Result<(), NotationError> {
        let (within, start) = self.time_first(line, start)?;
        let (start, text) = self.packet(line, start, "what the packet must be like")?;
        let split = read::find_word(text, "where");
        let body = text.get(..split.unwrap_or(text.len())).unwrap_or_default();
        let error = moved(line, start);
        // A name without a value takes one here.
        let mut fresh: Vec<Expr> = Vec::new();
        let mut seen: Vec<Expr> = Vec::new();
        let parts = notation::parse(body.trim_end().trim_end_matches("...")).map_err(&error)?;
        for (_, word) in words(&parts) {
            let Some(expr) = Expr::read(word).map_err(&error)? else { continue };
            let known = self.is_known(&expr.name) || fresh.iter().any(|f| f.name == expr.name);
            match (known, comes, &expr.step) {
                (true, ..) => seen.push(expr),
                (false, true, None) => fresh.push(expr),
                (false, true, Some(_)) => return Err(error(self.unknown(&expr))),
                (false, false, _) => {
                    let why = format!("{} (* stands for any value)", self.unknown(&expr).message);
                    return Err(error(NotationError::new(expr.at, why)));
                }
            }
        }
        let condition = match split {
            Some(at) => {
                let from = at + "where".len();
                let behind = text.get(from..).unwrap_or_default();
                let from = from + behind.len() - behind.trim_start().len();
                let is_name = |name: &str| self.is_known(name) || fresh.iter().any(|f| f.name == name);
                let known = |name: &str| value_of(&self.known, name, false);
                let read = Condition::read(behind.trim(), &known, &is_name);
                let condition = read.map_err(moved(line, start + from))?;
                seen.extend(condition.names().cloned());
                Some(condition)
            }
            None => None,
        };
        // Borrowed apart from the sources.
        let known = &self.known;
        let last = |name: &str| value_of(known, name, true);
        Pattern::read(body, None, &last, self.sources).map_err(&error)?;
        let first = |name: &str| value_of(known, name, false);
        let pattern = Pattern::read(body, condition, &first, self.sources).map_err(&error)?;
        for expr in fresh {
            let used = seen.iter().any(|other| other.name == expr.name);
            let at = line.place(&(expr.at.start + start..expr.at.end + start));
            self.known.push(Name { name: expr.name, values: Vec::new(), used, taken: true, at });
        }
        self.used(&seen, &error)?;
        let what = if comes { Act::Expect { within, pattern } } else { Act::Never { within, pattern } };
        self.push(line, what);
        Ok(())
    }

    pub(super) fn sweep(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let (within, start) = self.time_first(line, start)?;
        let (start, text) = self.packet(line, start, "the packet with the values that it takes")?;
        let error = moved(line, start);
        let known = &self.known;
        let last = |name: &str| value_of(known, name, true);
        Sweep::read(text, &last, self.sources).map_err(&error)?;
        let first = |name: &str| value_of(known, name, false);
        let mut sweep = Sweep::read(text, &first, self.sources).map_err(&error)?;
        sweep.within = within;
        self.count(line, sweep.count())?;
        let names: Vec<Expr> = sweep.names().cloned().collect();
        self.used(&names, &error)?;
        self.push(line, Act::Sweep(Box::new(sweep)));
        Ok(())
    }

    /// `= VALUES KIND`.
    pub(super) fn want(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let mark = start - 1..start;
        let (start, text) = line.behind(start);
        let Some(Act::Sweep(sweep)) = self.script.lines.last_mut().map(|l| &mut l.what) else {
            return line.error(mark, "a line that begins with = stands behind a sweep");
        };
        if sweep.keys().len() > 1 {
            return line.error(
                start..start + text.len(),
                format!(
                    "only the answers of a sweep with one field can be said, this one has {}",
                    sweep.keys().join(", ")
                ),
            );
        }
        let Some((list, kind)) = text.rsplit_once(char::is_whitespace) else {
            return line.error(
                start..start + text.len(),
                "write the values and the kind of answer: = 80, 443 syn-ack",
            );
        };
        if !kinds().any(|known| known == kind) {
            let hint =
                nearest(kind, kinds()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let known: Vec<&str> = kinds().collect();
            let at = start + text.len() - kind.len()..start + text.len();
            return line.error(at, format!("'{kind}' is no kind of answer{hint} ({})", known.join(", ")));
        }
        let mut values = HashSet::new();
        let takes = sweep.first_values();
        if list.trim() != "*" {
            let refused = |(place, why): (Range<usize>, String)| {
                NotationError::new(line.place(&(place.start + start..place.end + start)), why)
            };
            for (value, place) in read::values(list).map_err(refused)? {
                if !takes.contains(value.as_str()) {
                    return Err(refused((place, format!("the sweep does not send {value}"))));
                }
                values.insert(value);
            }
        }
        sweep.wanted.push(Wanted { values, kind: kind.to_owned(), line: line.number });
        Ok(())
    }
}

/// A word on values to choose from, which a packet that is sent cannot have.
fn several_values(message: String) -> String {
    let several = message.contains("not a list") || message.contains("..");
    if several { format!("{message}. For several values there are for and sweep") } else { message }
}
