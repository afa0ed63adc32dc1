//! Sweeps: a packet for each value of its fields, and what answered to each. Pure.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::names::{Edited, Expr, Slot, Value, words};
use super::pattern::Known;
use super::read::{MOST_VALUES, Refused, expand, may_try};
use crate::craft::Draft;
use crate::craft::build::Sources;
use crate::engine::{Answer, AnswerKind};
use crate::wire::notation::{self, NotationError, Part, Value as Word};
use crate::wire::protocols;

/// The kind of no answer.
pub const SILENT: &str = "none";

/// Source ports of the packets where the sweep names none: the first, and how many there are.
const PORTS: (usize, usize) = (20000, 45536);

/// What a name stands for in its place, or what is wrong with it.
type ValueOf<'a> = &'a dyn Fn(&(Slot, Expr)) -> Result<String, String>;

/// A sweep as it was read.
#[derive(Clone, Debug)]
pub struct Sweep {
    text: String,
    names: Vec<(Slot, Expr)>,
    varying: Vec<Varying>,
    /// Where a source port of its own is put in, and what stands around it.
    port: Option<(usize, [&'static str; 2])>,
    /// How long answers are waited for after the last packet.
    pub within: Option<Duration>,
    /// What must be found.
    pub wanted: Vec<Wanted>,
}

#[derive(Clone, Debug)]
struct Varying {
    /// Wireshark's key.
    key: String,
    at: Range<usize>,
    values: Vec<String>,
    /// Places of the values that are tried before the run: each that is named, and both ends of a range.
    tried: Vec<usize>,
}

/// What must answer at some values.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// At these; none: at all that no other line speaks of.
    pub values: HashSet<String>,
    /// The kind of answer.
    pub kind: String,
    /// The line in the script.
    pub line: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Keys of the fields that vary.
    pub keys: Vec<String>,
    /// A row for each packet that was sent, in order.
    pub rows: Vec<Row>,
}

/// What answered to one packet.
#[derive(Clone, Debug)]
pub struct Row {
    /// The values, in the order of the keys.
    pub values: Vec<String>,
    /// The answer; `None`: there was none.
    pub found: Option<Found>,
    /// What it must have been, and is not, with the line that says so.
    pub missed: Option<(String, usize)>,
}

impl Row {
    /// The kind of answer, as `send --json` names it, or [`SILENT`].
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.found.as_ref().map_or(SILENT, |found| found.kind.name())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub kind: AnswerKind,
    /// Who sent it.
    pub from: IpAddr,
    /// From packet to answer, in nanoseconds, where the sending was seen.
    pub rtt_ns: Option<u64>,
    /// The answer from its IP header on.
    pub packet: Vec<u8>,
}

impl From<&Answer> for Found {
    fn from(answer: &Answer) -> Self {
        Self { kind: answer.kind, from: answer.from, rtt_ns: answer.rtt_ns(), packet: answer.packet.clone() }
    }
}

/// The kinds that a line may want.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    use AnswerKind::{Ack, EchoReply, IcmpOther, IcmpUnreachable, Other, Reset, SynAck, Udp};
    let kinds = [SynAck, Reset, Ack, IcmpUnreachable, IcmpOther, EchoReply, Udp, Other];
    kinds.into_iter().map(AnswerKind::name).chain([SILENT])
}

impl Sweep {
    /// Reads the packet of a sweep: its ranges and lists are the values that it takes.
    ///
    /// # Errors
    /// The place in `text` and what is wrong there; nothing varies.
    pub fn read(text: &str, known: Known<'_>, sources: &mut dyn Sources) -> Result<Self, NotationError> {
        let parts = notation::parse(text)?;
        let mut sweep = Self {
            text: text.to_owned(),
            names: Vec::new(),
            varying: varying(&parts)?,
            port: None,
            within: None,
            wanted: Vec::new(),
        };
        if sweep.varying.is_empty() {
            let why = "nothing varies in this packet: give a field several values, such as dstport=1..1024 or \
                       flags=[S, F, none]";
            return Err(NotationError::new(0..text.trim_end().len(), why));
        }
        let count = sweep.varying.iter().fold(1usize, |n, v| n.saturating_mul(v.values.len()));
        if count > MOST_VALUES {
            let why = format!("these are {count} packets, more than {MOST_VALUES}");
            return Err(NotationError::new(0..text.trim_end().len(), why));
        }
        for (slot, word) in words(&parts) {
            if let Some(expr) = Expr::read(word)? {
                sweep.names.push((slot, expr));
            }
        }
        sweep.port = source_port(text, &parts);
        sweep.check(known, sources)?;
        Ok(sweep)
    }

    /// Builds the packet with each value once.
    fn check(&self, known: Known<'_>, sources: &mut dyn Sources) -> Result<(), NotationError> {
        let most = self.varying.iter().map(|v| v.tried.len()).max().unwrap_or(0);
        may_try(most, &self.text)?;
        for nth in 0..most {
            let tried = |v: &Varying| v.tried.get(nth).or_else(|| v.tried.last()).copied().unwrap_or(0);
            let values: Vec<usize> = self.varying.iter().map(tried).collect();
            let named = |(slot, expr): &(Slot, Expr)| {
                let value = known(&expr.name).map(|value| expr.value(&value, slot.modulus()));
                value.unwrap_or_else(|| Ok(slot.placeholder()))
            };
            let edited =
                self.edited(&values, nth, &named).map_err(|(at, why)| NotationError::new(at, why))?;
            if let Err(e) = Draft::from_notation(&edited.text, sources) {
                return Err(NotationError::new(edited.back(e.at), e.message));
            }
        }
        Ok(())
    }

    fn edited(&self, values: &[usize], nth: usize, named: ValueOf<'_>) -> Result<Edited, Refused> {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (varying, value) in self.varying.iter().zip(values) {
            edits.push((varying.at.clone(), varying.values.get(*value).cloned().unwrap_or_default()));
        }
        for name in &self.names {
            edits.push((name.1.at.clone(), named(name).map_err(|why| (name.1.at.clone(), why))?));
        }
        if let Some((at, [before, behind])) = self.port {
            edits.push((at..at, format!("{before}{}{behind}", PORTS.0 + nth % PORTS.1)));
        }
        edits.sort_by_key(|(at, _)| at.start);
        Ok(Edited::new(&self.text, edits))
    }

    /// The keys of the fields that vary.
    pub fn keys(&self) -> Vec<String> {
        self.varying.iter().map(|v| v.key.clone()).collect()
    }

    /// How many packets it sends.
    pub fn count(&self) -> usize {
        self.varying.iter().map(|v| v.values.len()).product()
    }

    /// The values of packet `nth`; those of the last field change first.
    pub fn values(&self, nth: usize) -> Vec<String> {
        let text = |(v, at): (&Varying, usize)| v.values.get(at).cloned().unwrap_or_default();
        self.varying.iter().zip(self.places(nth)).map(text).collect()
    }

    fn places(&self, nth: usize) -> Vec<usize> {
        let mut rest = nth;
        let mut places = vec![0; self.varying.len()];
        for (place, varying) in places.iter_mut().zip(&self.varying).rev() {
            *place = rest % varying.values.len().max(1);
            rest /= varying.values.len().max(1);
        }
        places
    }

    /// Packet `nth` in notation.
    ///
    /// # Errors
    /// What is wrong with the value of a name.
    pub fn packet(&self, nth: usize, named: &dyn Fn(&str) -> Option<Value>) -> Result<String, String> {
        let value = |(slot, expr): &(Slot, Expr)| {
            let value = named(&expr.name).ok_or_else(|| format!("${} has no value here", expr.name))?;
            expr.value(&value, slot.modulus())
        };
        self.edited(&self.places(nth), nth, &value).map(|e| e.text).map_err(|(_, why)| why)
    }

    /// The first packet and the last; `None`: an address in them is known only in the run.
    pub fn ends(&self, known: &dyn Fn(&str) -> Option<Value>) -> Option<Vec<String>> {
        let value = |(slot, expr): &(Slot, Expr)| match known(&expr.name) {
            Some(value) => expr.value(&value, slot.modulus()),
            None if slot.is_address() => Err(String::new()),
            None => Ok(slot.placeholder()),
        };
        let packet = |nth| self.edited(&self.places(nth), nth, &value).ok().map(|edited| edited.text);
        Some(vec![packet(0)?, packet(self.count() - 1)?])
    }

    /// The names that it uses.
    pub fn names(&self) -> impl Iterator<Item = &Expr> {
        self.names.iter().map(|(_, expr)| expr)
    }

    /// The values of its first field.
    pub fn first_values(&self) -> HashSet<&str> {
        self.varying.first().into_iter().flat_map(|v| &v.values).map(String::as_str).collect()
    }

    /// What must answer at a value, and the line that says so.
    pub fn wanted_at(&self, values: &[String]) -> Option<&Wanted> {
        let value = values.first()?;
        let named = self.wanted.iter().find(|w| w.values.contains(value));
        named.or_else(|| self.wanted.iter().find(|w| w.values.is_empty()))
    }
}

fn varying(parts: &[Part]) -> Result<Vec<Varying>, NotationError> {
    let mut all = Vec::new();
    for part in parts {
        let Part::Layer { name, args } = part else { continue };
        let Some(header) = protocols::by_key(&name.text) else { continue };
        for arg in args {
            let Some((field, _)) = header.field(&arg.key.text) else { continue };
            let (mut values, mut tried) = (Vec::new(), Vec::new());
            let refused = |(at, why): (Range<usize>, String)| NotationError::new(at, why);
            let at = match &arg.value {
                Word::Word(word) if word.text.contains("..") && !word.text.starts_with(['"', '$']) => {
                    expand(&word.text, &word.at, &mut values).map_err(refused)?;
                    tried.extend([0, values.len() - 1]);
                    word.at.clone()
                }
                Word::List(items, at) => {
                    for item in items {
                        let first = values.len();
                        expand(&item.name.text, &item.name.at, &mut values).map_err(refused)?;
                        tried.push(first);
                        tried.extend(Some(values.len() - 1).filter(|last| *last > first));
                    }
                    at.clone()
                }
                Word::Word(_) => continue,
            };
            if values.is_empty() {
                return Err(NotationError::new(at, "here must stand at least one value"));
            }
            let values = values.into_iter().map(|(value, _)| value).collect();
            all.push(Varying { key: format!("{}.{}", header.prefix(), field.key), at, values, tried });
        }
    }
    Ok(all)
}

/// Where a source port can be put into the innermost layer that has one and does not name it.
fn source_port(text: &str, parts: &[Part]) -> Option<(usize, [&'static str; 2])> {
    const KEY: &str = "srcport";
    let layers = parts.iter().rev().filter_map(|part| match part {
        Part::Layer { name, args } => Some((protocols::by_key(&name.text)?, name, args)),
        _ => None,
    });
    let (_, name, args) = layers.into_iter().find(|(header, ..)| header.field(KEY).is_some())?;
    if args.iter().any(|arg| arg.key.text == KEY) {
        return None;
    }
    let behind = text.get(name.at.end..).unwrap_or_default();
    let space = behind.len() - behind.trim_start().len();
    Some(match behind.trim_start().starts_with('(') {
        true if args.is_empty() => (name.at.end + space + 1, ["srcport=", ""]),
        true => (name.at.end + space + 1, ["srcport=", ", "]),
        false => (name.at.end, ["(srcport=", ")"]),
    })
}
