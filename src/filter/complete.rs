//! What may be typed next at a place of a filter: keys, protocols, operators, names of values, tcpdump's words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use super::lex;
use super::source::{self, Type};
use super::tree::Function;
use super::typing;
use super::words_complete;
use super::words_parse;
use crate::wire::keys;
use crate::wire::protocols;

/// Candidates that are given at most: nobody reads more.
pub const MOST: usize = 100;
/// Letters that a key may differ in from what was typed and still be near.
const NEAR: usize = 2;
/// A longer word is none that could be completed, in bytes.
const MOST_TYPED: usize = 64;
/// What stands further before the place is not looked at, in bytes.
const MOST_BEFORE: usize = 4096;

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field's key.
    Key,
    /// A protocol.
    Protocol,
    /// An operator.
    Operator,
    /// A value of the key before.
    Value,
    /// A function of Wireshark's.
    Function,
    /// A word of tcpdump's.
    Word,
}

/// Something that may be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it is.
    pub kind: Kind,
    /// What is put into the filter.
    pub text: String,
    /// What it means, in the words of its RFC or manual page.
    pub label: String,
    /// Bits, where it is a field of so many.
    width: usize,
}

impl Candidate {
    pub(super) fn new(kind: Kind, text: &str, label: &str) -> Self {
        Self { kind, text: text.into(), label: label.into(), width: 0 }
    }

    /// Type or width, in a word or two.
    #[must_use]
    pub fn detail(&self) -> String {
        let kind = match self.kind {
            Kind::Key => match source::known(&self.text).map(|s| s.is) {
                Some(Type::Number(_)) if self.width > 0 => return format!("{} bits", self.width),
                Some(Type::Number(_)) => "number",
                Some(Type::Flag) => "flag",
                Some(Type::Ipv4) => "IPv4 address",
                Some(Type::Ipv6) => "IPv6 address",
                Some(Type::Mac) => "MAC address",
                Some(Type::Bytes | Type::Protocol) => "bytes",
                Some(Type::Text) => "text",
                Some(Type::Time) => "seconds",
                Some(Type::Mark) => "there or not",
                None => "",
            },
            Kind::Protocol => "protocol",
            Kind::Operator => "operator",
            Kind::Value => "value",
            Kind::Function => "function",
            Kind::Word => "tcpdump",
        };
        kind.into()
    }
}

/// What may stand at a place.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// The bytes of the text that a candidate replaces: the word at the place.
    pub replaces: Range<usize>,
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// It follows from the words before what may come: worth showing before a letter is typed.
    pub awaited: bool,
}

impl Completion {
    /// The text with a candidate in it, and the byte at which it goes on.
    #[must_use]
    pub fn applied(&self, text: &str, candidate: &Candidate) -> (String, usize) {
        let (before, behind) = (&text[..self.replaces.start], &text[self.replaces.end..]);
        // Behind a value nothing needs to come; behind the others something does, most times.
        let apart = !matches!(candidate.kind, Kind::Function | Kind::Value);
        let space = if apart && !behind.starts_with(' ') { " " } else { "" };
        let at = before.len() + candidate.text.len() + usize::from(apart);
        (format!("{before}{}{space}{behind}", candidate.text), at)
    }
}

/// Which words a box is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// A display filter: Wireshark's first.
    Display,
    /// A capture filter: tcpdump's first.
    Capture,
}

/// What may be typed at the byte `at` of a filter. The cost is bounded, whatever the text.
#[must_use]
pub fn complete(text: &str, at: usize, words: Words) -> Completion {
    let Some(replaces) = word_at(text, at) else { return Completion::default() };
    let (before, typed) = (&text[..replaces.start], &text[replaces.start..at]);
    let near = before.len() - before.len().min(MOST_BEFORE);
    let near = (near..=before.len()).find(|i| before.is_char_boundary(*i)).unwrap_or(before.len());
    let Some(tokens) = scan(&before[near..]) else { return Completion::default() };
    let tcpdump = words == Words::Capture || words_parse::is_meant(&before[near..]);
    let owned = |all: Vec<Candidate>| all.into_iter().map(Cow::Owned).collect();
    let behind = if tcpdump { words_complete::behind(&tokens) } else { None };
    let (all, awaited) = match behind {
        Some(all) => (owned(all), true),
        None => match Place::behind(&tokens) {
            Place::Nothing => return Completion::default(),
            // No key and no word begins so: a value is compared with what comes.
            Place::Operand if typed.starts_with(|c: char| c.is_ascii_digit()) => {
                return Completion::default();
            }
            Place::Operand => (operands(words), false),
            Place::Value(key) => (owned(values(&key)), true),
            Place::Key(key) => (owned(operators(Some(&key), tcpdump)), true),
            Place::Complete => (owned(operators(None, tcpdump)), false),
        },
    };
    let candidates = rank(all, typed);
    // What is wholly typed needs no completion.
    match candidates.as_slice() {
        [only] if only.text == text[replaces.clone()] => Completion::default(),
        _ => Completion { replaces, candidates, awaited },
    }
}

/// The bytes of the word at a place, which may be empty.
fn word_at(text: &str, at: usize) -> Option<Range<usize>> {
    let (before, behind) = text.split_at_checked(at)?;
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '\\');
    let start = at - before.chars().rev().take_while(|c| inside(*c)).count();
    // The second number of a range is a word of its own.
    let start = before[start..].rfind("..").map_or(start, |i| start + i + 2);
    let end = at + behind.chars().take_while(|c| inside(*c)).count();
    (at - start <= MOST_TYPED).then_some(start..end)
}

/// The words before a place; none where it is within a text in quotes.
fn scan(before: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < before.len() {
        match lex::next(before, at) {
            Ok(None) => break,
            Ok(Some(token)) => {
                at = token.at.end;
                tokens.push(token.text);
            }
            Err(error) => {
                let rest = &before[error.at.start..];
                let c = rest.chars().next()?;
                if matches!(c, '"' | '\'') {
                    return None;
                }
                tokens.push(c.into());
                at = error.at.start + c.len_utf8();
            }
        }
    }
    Some(tokens)
}

/// What a place is for.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A key, a protocol: a test begins here.
    Operand,
    /// An operator, behind this key.
    Key(String),
    /// A value of this key.
    Value(String),
    /// An operator that joins tests.
    Complete,
    /// Something that cannot be guessed.
    Nothing,
}

const JOINS: [&str; 12] = ["and", "or", "not", "xor", "&&", "||", "^^", "!", "(", "any", "all", ","];

impl Place {
    fn behind(tokens: &[String]) -> Self {
        let is_key = |text: &String| source::known(text).is_some();
        // A set that is open is about the key before it.
        let open = tokens.iter().rposition(|t| t == "{").filter(|at| !tokens[*at..].iter().any(|t| t == "}"));
        if let Some(open) = open {
            let key = open.checked_sub(2).filter(|at| tokens[at + 1] == "in").map(|at| &tokens[at]);
            return match (key, tokens.last().map(String::as_str)) {
                (Some(key), Some("{" | "," | "..")) => Self::Value(key.clone()),
                _ => Self::Nothing,
            };
        }
        let Some(last) = tokens.last() else { return Self::Operand };
        let before = tokens.len().checked_sub(2).map(|at| &tokens[at]);
        let related = |text: &String| typing::relation(text).is_some() || text == "=";
        match last.as_str() {
            text if JOINS.contains(&text) => Self::Operand,
            _ if related(last) => match before {
                Some(key) if is_key(key) => Self::Value(key.clone()),
                _ => Self::Nothing,
            },
            "&" | "+" | "-" | "*" | "/" | "%" => Self::Operand,
            "contains" | "matches" | "~" | "in" | "[" | "#" => Self::Nothing,
            _ if is_key(last) && !before.is_some_and(related) => Self::Key(last.clone()),
            _ => Self::Complete,
        }
    }
}

/// Keys, protocols and functions, with tcpdump's words before or behind them.
fn operands(words: Words) -> Vec<Cow<'static, Candidate>> {
    static ALL: OnceLock<(Vec<Candidate>, Vec<Candidate>)> = OnceLock::new();
    let (wiresharks, tcpdumps) = ALL.get_or_init(|| (keys_and_protocols(), words_complete::beginnings()));
    match words {
        Words::Display => wiresharks.iter().chain(tcpdumps).map(Cow::Borrowed).collect(),
        Words::Capture => tcpdumps.iter().chain(wiresharks).map(Cow::Borrowed).collect(),
    }
}

fn keys_and_protocols() -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut seen = HashSet::new();
    for header in protocols::ALL {
        for name in [header.form(), header.key] {
            if source::known(name).is_some() && seen.insert(name.to_owned()) {
                all.push(Candidate::new(Kind::Protocol, name, header.name));
            }
        }
    }
    all.push(Candidate::new(Kind::Protocol, "frame", "All bytes of the packet"));
    let own = [("frame.interface_id", "Number of the Interface"), ("frame.protocols", "Names of the Layers")];
    all.extend(own.map(|(key, label)| Candidate::new(Kind::Key, key, label)));
    for listed in keys::all() {
        if seen.insert(listed.key.clone()) {
            let width = listed.width.parse().unwrap_or(0);
            all.push(Candidate { width, ..Candidate::new(Kind::Key, &listed.key, &listed.label) });
        }
    }
    let functions = Function::ALL
        .iter()
        .map(|(name, function)| Candidate::new(Kind::Function, &format!("{name}("), function.label()));
    all.extend(functions);
    all
}

/// Operators behind a key, or those that join tests.
fn operators(key: Option<&str>, tcpdump: bool) -> Vec<Candidate> {
    const EQUAL: (&str, &str) = ("==", "equal");
    const UNEQUAL: (&str, &str) = ("!=", "no value is equal");
    const ORDER: [(&str, &str); 4] = [(">", "greater"), ("<", "less"), (">=", "at least"), ("<=", "at most")];
    const IN: (&str, &str) = ("in", "in a set: in {80, 443, 8000..8100}");
    const SEARCH: [(&str, &str); 2] =
        [("contains", "has these bytes or this text in it"), ("matches", "matches a regular expression")];
    let joins: [(&str, &str); 3] = if tcpdump {
        [("and", "both hold"), ("or", "one holds"), ("", "")]
    } else {
        [("&&", "both hold"), ("||", "one holds"), ("^^", "one holds and not the other")]
    };
    let mut all: Vec<(&str, &str)> = Vec::new();
    match key.and_then(source::known).map(|s| s.is) {
        None | Some(Type::Mark) => {}
        Some(Type::Number(_) | Type::Time) => {
            all.extend([EQUAL, UNEQUAL].into_iter().chain(ORDER).chain([IN]));
        }
        Some(Type::Flag) => all.extend([EQUAL, UNEQUAL]),
        Some(Type::Ipv4 | Type::Ipv6 | Type::Mac) => all.extend([EQUAL, UNEQUAL, IN]),
        Some(Type::Bytes | Type::Text) => all.extend([EQUAL, UNEQUAL].into_iter().chain(SEARCH)),
        Some(Type::Protocol) => {
            all.extend(joins.into_iter().chain(SEARCH));
            return made(Kind::Operator, &all);
        }
    }
    all.extend(joins);
    made(Kind::Operator, &all)
}

pub(super) fn made(kind: Kind, all: &[(&str, &str)]) -> Vec<Candidate> {
    let all = all.iter().filter(|(text, _)| !text.is_empty());
    all.map(|(text, label)| Candidate::new(kind, text, label)).collect()
}

/// The values that the table has names for.
fn values(key: &str) -> Vec<Candidate> {
    let Some(source) = source::known(key) else { return Vec::new() };
    if source.is == Type::Flag {
        return made(Kind::Value, &[("1", "set"), ("0", "not set")]);
    }
    source.names.iter().map(|(n, name)| Candidate::new(Kind::Value, &n.to_string(), name)).collect()
}

/// How well a candidate fits what was typed, the best first; none: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Whole,
    Prefix,
    PartPrefix,
    Part,
    LabelPrefix,
    Label,
    Near(usize),
}

fn fit(candidate: &Candidate, typed: &str) -> Option<Fit> {
    let begins = |text: &str| text.get(..typed.len()).is_some_and(|t| t.eq_ignore_ascii_case(typed));
    let place = |text: &str| {
        (1..text.len().saturating_sub(typed.len() - 1)).find(|at| text.get(*at..).is_some_and(begins))
    };
    let text = candidate.text.trim_start_matches('\\');
    if begins(text) {
        return Some(if text.len() == typed.len() { Fit::Whole } else { Fit::Prefix });
    }
    let at_word = |text: &str, at: usize| !text.as_bytes()[at - 1].is_ascii_alphanumeric();
    if let Some(at) = place(text) {
        return Some(if at_word(text, at) { Fit::PartPrefix } else { Fit::Part });
    }
    let label = candidate.label.as_str();
    // One or two letters stand in nearly every label.
    let long = typed.len() > 2;
    match place(label).filter(|_| long) {
        _ if begins(label) => Some(Fit::LabelPrefix),
        Some(at) if at_word(label, at) => Some(Fit::LabelPrefix),
        Some(_) => Some(Fit::Label),
        None => None,
    }
}

/// The candidates that fit, the best first; those that are near where none does.
fn rank(all: Vec<Cow<'static, Candidate>>, typed: &str) -> Vec<Candidate> {
    let typed = typed.trim_start_matches('\\');
    if typed.is_empty() {
        return all.into_iter().take(MOST).map(Cow::into_owned).collect();
    }
    let mut ranked: Vec<(Fit, usize)> =
        all.iter().enumerate().filter_map(|(n, candidate)| Some((fit(candidate, typed)?, n))).collect();
    if ranked.is_empty() && typed.len() > NEAR {
        let near = |text: &str| {
            let alike = text.len().abs_diff(typed.len()) <= NEAR;
            alike.then(|| strsim::osa_distance(text, typed)).filter(|distance| *distance <= NEAR)
        };
        let found = all.iter().enumerate();
        ranked = found.filter_map(|(n, candidate)| Some((Fit::Near(near(&candidate.text)?), n))).collect();
    }
    ranked.sort_unstable();
    let mut seen = HashSet::new();
    ranked.retain(|(_, n)| seen.insert(all[*n].text.as_str()));
    ranked.into_iter().take(MOST).map(|(_, n)| all[n].clone().into_owned()).collect()
}
