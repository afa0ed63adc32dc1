//! What a packet must be like: a packet in notation of which only the fields count that are named. Pure.

use std::ops::Range;

use super::names::{Edited, Expr, Slot, Value, item_slot, words};
use crate::craft::Draft;
use crate::craft::build::Sources;
use crate::craft::print::Detail;
use crate::filter::{Facts, Filter, Packet};
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::notation::{self, Item, NotationError, Part, Payload, Spanned, Value as Word};
use crate::wire::protocols;
use crate::wire::table::{Field, Header};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// Behind a payload: more may follow.
const MORE: &str = "...";

/// A packet that is waited for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was written, without the filter.
    pub text: String,
    layers: Vec<LayerWant>,
    payload: Option<PayloadWant>,
    /// What must hold besides, in the filter language; `$name` not replaced yet.
    filter: Option<Condition>,
}

#[derive(Clone, Debug)]
struct LayerWant {
    header: &'static Header,
    fields: Vec<(String, Want)>,
    /// Lists by their keys: items that must be there, in this order.
    lists: Vec<(String, Vec<Item>)>,
}

#[derive(Clone, Debug)]
struct PayloadWant {
    bytes: Vec<u8>,
    /// It may go on.
    more: bool,
}

/// What a field must hold.
#[derive(Clone, Debug)]
enum Want {
    /// Anything, but it has to be there.
    Any,
    /// One of these.
    OneOf(Vec<Choice>),
    /// What a name stands for; the name takes what is there where it stands for nothing yet.
    Named(Expr),
}

#[derive(Clone, Debug)]
enum Choice {
    One(String),
    Range(String, String),
}

/// A filter with names in it.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    names: Vec<Expr>,
}

/// A field that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key, such as tcp.flags; `payload`, or the condition.
    pub field: String,
    /// What it must hold.
    pub expected: String,
    /// What it holds; empty: it is not there.
    pub came: String,
}

/// What a packet is to a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is not as it must be; none: it matches.
    pub differences: Vec<Difference>,
    /// Layers and fields that are as they must be.
    pub agreed: usize,
    /// Names and what they take from the packet.
    pub taken: Vec<(String, Value)>,
}

impl Verdict {
    /// Whether the packet is as it must be.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.differences.is_empty()
    }

    fn differ(&mut self, field: String, expected: impl Into<String>, came: impl Into<String>) {
        self.differences.push(Difference { field, expected: expected.into(), came: came.into() });
    }
}

/// A name and whether it stands for something, and for what where that is known before the run.
pub type Known<'a> = &'a dyn Fn(&str) -> Option<Value>;

impl Pattern {
    /// Reads a pattern. `known` gives what a name stands for as far as it is known before the run. All that can be wrong
    /// in it is found here: the packet that it describes is built once, with values that fit.
    ///
    /// # Errors
    /// The place in `text` and what is wrong there.
    pub fn read(
        text: &str,
        filter: Option<Condition>,
        known: Known<'_>,
        sources: &mut dyn Sources,
    ) -> Result<Self, NotationError> {
        let body = text.trim_end();
        let (body, more) = match body.strip_suffix(MORE) {
            Some(body) => (body.trim_end(), true),
            None => (body, false),
        };
        let parts = notation::parse(body)?;
        if more && !matches!(parts.last(), Some(Part::Payload { .. })) {
            let at = body.len()..text.trim_end().len();
            return Err(NotationError::new(at, "... stands behind a payload, which it lets go on"));
        }
        check(body, &parts, known, sources)?;
        let mut pattern = Self { text: text.trim().to_owned(), layers: Vec::new(), payload: None, filter };
        for part in parts {
            match part {
                Part::Layer { name, args } => {
                    let Some(header) = protocols::by_key(&name.text) else { continue };
                    let mut layer = LayerWant { header, fields: Vec::new(), lists: Vec::new() };
                    for arg in args {
                        match arg.value {
                            Word::List(items, _) if header.field(&arg.key.text).is_none() => {
                                layer.lists.push((arg.key.text, items));
                            }
                            value => layer.fields.push((arg.key.text, want(value)?)),
                        }
                    }
                    pattern.layers.push(layer);
                }
                Part::Payload { source: Payload::Bytes(bytes), .. } => {
                    let payload = pattern.payload.get_or_insert(PayloadWant { bytes: Vec::new(), more });
                    payload.bytes.extend(bytes);
                }
                Part::Payload { source: Payload::File(path), .. } => {
                    let bytes = sources.file(&path.text).map_err(|why| NotationError::new(path.at, why))?;
                    let payload = pattern.payload.get_or_insert(PayloadWant { bytes: Vec::new(), more });
                    payload.bytes.extend(bytes);
                }
                Part::Payload { source: Payload::Random(_), at } => {
                    return Err(NotationError::new(at, "nobody knows random bytes before they come"));
                }
                Part::Trailer { .. } => {
                    return Err(NotationError::new(0..body.len(), "a trailer cannot be expected"));
                }
            }
        }
        Ok(pattern)
    }

    /// Compares a packet. `named`: what the names stand for by now.
    #[must_use]
    pub fn compare(&self, link_type: u32, bytes: &[u8], named: &dyn Fn(&str) -> Option<Value>) -> Verdict {
        let found = dissect(link_type, bytes);
        let first = self.layers.first().map(|l| l.header);
        let begins = |index: &usize| match (first, found.layers.get(*index)) {
            (Some(header), Some(layer)) => !layer.quoted && std::ptr::eq(layer.header, header),
            (None, _) => true,
            _ => false,
        };
        let count = found.layers.len().max(usize::from(first.is_none()));
        let tried =
            (0..count).filter(begins).map(|start| self.compare_at(start, &found, (link_type, bytes), named));
        let best = tried.min_by_key(|v| (v.differences.len(), usize::MAX - v.agreed));
        let mut verdict = best.unwrap_or_else(|| {
            let mut none = Verdict::default();
            let key = first.map_or("packet", |h| h.key);
            none.differ(key.to_owned(), format!("a {key} header"), "");
            none
        });
        if let Some(condition) = &self.filter {
            condition.judge(link_type, bytes, &found, named, &mut verdict);
        }
        verdict
    }

    fn compare_at(
        &self,
        start: usize,
        found: &Dissection,
        (link_type, bytes): (u32, &[u8]),
        named: &dyn Fn(&str) -> Option<Value>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let mut last = None;
        for (nth, want) in self.layers.iter().enumerate() {
            let index = start + nth;
            match found.layers.get(index) {
                Some(layer) if std::ptr::eq(layer.header, want.header) => {
                    verdict.agreed += 1;
                    last = Some(index);
                    want.compare(&found.view(bytes, index), link_type, named, &mut verdict);
                }
                other => {
                    let came = other.map(|l| format!("a {} header", l.header.key)).unwrap_or_default();
                    let key = want.header.key;
                    verdict.differ(key.to_owned(), format!("a {key} header"), came);
                    return verdict;
                }
            }
        }
        if let Some(want) = &self.payload {
            let carried = match last {
                Some(index) => found.view(bytes, index).payload(),
                None => bytes,
            };
            want.compare(carried, &mut verdict);
        }
        verdict
    }
}

impl PayloadWant {
    fn compare(&self, carried: &[u8], verdict: &mut Verdict) {
        let same = if self.more { carried.starts_with(&self.bytes) } else { carried == self.bytes };
        if same {
            verdict.agreed += 1;
            return;
        }
        let text = |bytes: &[u8], more: bool| {
            const SHOWN: usize = 64;
            let cut = bytes.get(..SHOWN).filter(|_| bytes.len() > SHOWN);
            let end = if more || cut.is_some() { MORE } else { "" };
            if bytes.is_empty() { String::new() } else { notation::payload_text(cut.unwrap_or(bytes)) + end }
        };
        let expected = if self.bytes.is_empty() { "nothing".into() } else { text(&self.bytes, self.more) };
        verdict.differ("payload".into(), expected, text(carried, false));
    }
}

impl LayerWant {
    fn compare(
        &self,
        view: &LayerView<'_>,
        link_type: u32,
        named: &dyn Fn(&str) -> Option<Value>,
        verdict: &mut Verdict,
    ) {
        for (key, want) in &self.fields {
            let label = format!("{}.{}", self.header.prefix(), full_key(self.header, key));
            let Some(found) = view.field(key) else {
                verdict.differ(label, want.text(), "");
                continue;
            };
            let scale = found.field.scale_for(key).unwrap_or(1);
            match want.holds(view, &found, scale, named, &mut verdict.taken) {
                Ok(()) => verdict.agreed += 1,
                Err(expected) => verdict.differ(label, expected, came_text(view, &found, scale)),
            }
        }
        for (key, items) in &self.lists {
            let label = format!("{}.{key}", self.header.prefix());
            let came = items_of(view, link_type, key);
            let mut taken = verdict.taken.clone();
            let mut rest = came.iter();
            let header = self.header;
            // The first that is not there, behind those before it.
            let missing =
                items.iter().find(|want| !rest.any(|item| is_item(header, want, item, named, &mut taken)));
            if missing.is_none() {
                verdict.taken = taken;
                verdict.agreed += items.len();
                continue;
            }
            let text = |items: &[Item]| items.iter().map(item_text).collect::<Vec<_>>().join(", ");
            verdict.differ(label, format!("[{}]", text(items)), format!("[{}]", text(&came)));
        }
    }
}

impl Want {
    fn text(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Named(expr) => format!("${}", expr.name),
            Self::OneOf(choices) => choices.iter().map(Choice::text).collect::<Vec<_>>().join(" or "),
        }
    }

    /// `Err`: what it must hold.
    fn holds(
        &self,
        view: &LayerView<'_>,
        found: &Located,
        scale: u32,
        named: &dyn Fn(&str) -> Option<Value>,
        taken: &mut Vec<(String, Value)>,
    ) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::OneOf(choices) => match choices.iter().any(|c| c.is(view, found, scale)) {
                true => Ok(()),
                false => Err(self.text()),
            },
            Self::Named(expr) => {
                let own = taken.iter().find(|(name, _)| *name == expr.name).map(|(_, value)| value.clone());
                let Some(value) = own.or_else(|| named(&expr.name)) else {
                    taken.push((expr.name.clone(), Value::taken(found, scale, view.bytes)));
                    return Ok(());
                };
                let slot = Slot { field: Some(found.field), scale };
                let text = expr.value(&value, slot.modulus())?;
                if is_value(view, found, scale, &text) { Ok(()) } else { Err(text) }
            }
        }
    }
}

impl Choice {
    fn read(text: &str) -> Self {
        match text.split_once("..") {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Self::Range(from.trim().to_owned(), to.trim().to_owned())
            }
            _ => Self::One(text.to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Range(from, to) => format!("{from}..{to}"),
        }
    }

    fn is(&self, view: &LayerView<'_>, found: &Located, scale: u32) -> bool {
        match self {
            Self::One(text) => is_value(view, found, scale, text),
            Self::Range(from, to) => {
                let order = |text: &String| {
                    value::parse(found.field, scale, text).ok().map(|v| found.field.ordered(v))
                };
                let came = found.stored(view.bytes).map(|v| found.field.ordered(v));
                match (order(from), came, order(to)) {
                    (Some(from), Some(came), Some(to)) => (from..=to).contains(&came),
                    _ => false,
                }
            }
        }
    }
}

/// Whether a field holds the value that a text says.
fn is_value(view: &LayerView<'_>, found: &Located, scale: u32, text: &str) -> bool {
    let field = found.field;
    if field.kind.is_bytes() {
        let came = view.bytes.get(found.bits.bytes()).unwrap_or_default();
        let Ok(mut wanted) = value::parse_bytes(field, text) else { return false };
        if wanted.len() < came.len() && field.bits.width > 0 {
            wanted.resize(came.len(), 0);
        }
        return wanted == came;
    }
    let fields = view.layer().header.fields;
    let lettered = field.group && value::letters(fields, field, 0).is_some();
    let wanted = match lettered && value::number(text).is_none() {
        true => value::parse_letters(fields, field, text),
        false => value::parse(field, scale, text),
    };
    wanted.is_ok_and(|wanted| found.stored(view.bytes) == Some(wanted))
}

/// What a field holds, as one would write it.
fn came_text(view: &LayerView<'_>, found: &Located, scale: u32) -> String {
    let stored = found.stored(view.bytes);
    let letters = stored.and_then(|s| value::letters(view.layer().header.fields, found.field, s));
    if let Some(letters) = letters.filter(|_| found.field.group) {
        return if letters.is_empty() { "none".into() } else { letters };
    }
    let text = Value::taken(found, scale, view.bytes).text();
    match stored.and_then(|s| value::name_of(found.field, s)) {
        Some(name) => format!("{text} ({name})"),
        None => text,
    }
}

/// Wireshark's key of a field that was asked for by a second name.
fn full_key<'a>(header: &'static Header, key: &'a str) -> &'a str {
    header.field(key).map_or(key, |(field, _)| field.key)
}

/// The options of a layer as notation has them.
fn items_of(view: &LayerView<'_>, link_type: u32, key: &str) -> Vec<Item> {
    let text = Draft::from_bytes(link_type, view.bytes, false).notation(Detail::Short);
    let parts = notation::parse(&text).unwrap_or_default();
    let layers = parts.into_iter().filter_map(|part| match part {
        Part::Layer { args, .. } => Some(args),
        _ => None,
    });
    let args = layers.into_iter().nth(view.index).unwrap_or_default();
    let list = args.into_iter().find(|arg| arg.key.text == key);
    match list.map(|arg| arg.value) {
        Some(Word::List(items, _)) => items,
        _ => Vec::new(),
    }
}

/// Whether an option is the one that is wanted: of its name, and each value that is named.
fn is_item(
    header: &'static Header,
    want: &Item,
    came: &Item,
    named: &dyn Fn(&str) -> Option<Value>,
    taken: &mut Vec<(String, Value)>,
) -> bool {
    if !want.name.text.eq_ignore_ascii_case(&came.name.text) || want.args.len() > came.args.len() {
        return false;
    }
    let before = taken.len();
    let mut args = want.args.iter().zip(&came.args).enumerate();
    let same = args.all(|(nth, (want, came))| {
        is_argument(item_slot(Some(header), &came.text, nth), want, &came.text, named, taken)
    });
    let inner = want.lists.iter().all(|(key, items)| {
        let list = came.lists.iter().find(|(other, _)| other.text == key.text);
        let mut rest = list.map(|(_, items)| items.as_slice()).unwrap_or_default().iter();
        items.iter().all(|want| rest.any(|came| is_item(header, want, came, named, taken)))
    });
    if !(same && inner) {
        taken.truncate(before);
    }
    same && inner
}

fn is_argument(
    slot: Slot,
    want: &Spanned,
    came: &str,
    named: &dyn Fn(&str) -> Option<Value>,
    taken: &mut Vec<(String, Value)>,
) -> bool {
    if want.text == "*" {
        return true;
    }
    let text = match Expr::read(want) {
        Ok(Some(expr)) => {
            let own = taken.iter().find(|(name, _)| *name == expr.name).map(|(_, value)| value.clone());
            let Some(value) = own.or_else(|| named(&expr.name)) else {
                taken.push((expr.name, Value::written(came)));
                return true;
            };
            expr.value(&value, slot.modulus()).unwrap_or_default()
        }
        _ => want.text.clone(),
    };
    let bytes = |text: &str| value::parse_hex(text).ok().filter(|bytes| !bytes.is_empty());
    match (value::number(&text), value::number(came)) {
        (Some(a), Some(b)) => a == b,
        _ => text.eq_ignore_ascii_case(came) || bytes(&text).is_some_and(|a| Some(a) == bytes(came)),
    }
}

fn item_text(item: &Item) -> String {
    let mut args: Vec<String> = item.args.iter().map(|a| a.text.clone()).collect();
    for (key, items) in &item.lists {
        let inner: Vec<String> = items.iter().map(item_text).collect();
        args.push(format!("{}=[{}]", key.text, inner.join(", ")));
    }
    if args.is_empty() { item.name.text.clone() } else { format!("{}({})", item.name.text, args.join(", ")) }
}

fn want(value: Word) -> Result<Want, NotationError> {
    Ok(match value {
        Word::Word(word) if word.text == "*" => Want::Any,
        Word::Word(word) => match Expr::read(&word)? {
            Some(expr) => Want::Named(expr),
            None => Want::OneOf(vec![Choice::read(&word.text)]),
        },
        Word::List(items, _) => Want::OneOf(items.iter().map(|i| Choice::read(&i.name.text)).collect()),
    })
}

/// Builds the packet that a pattern describes once for each value to choose from, so that what is wrong is found before
/// the run.
fn check(
    text: &str,
    parts: &[Part],
    known: Known<'_>,
    sources: &mut dyn Sources,
) -> Result<(), NotationError> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    // Places with several values, and these: all but the first are tried one by one.
    let mut others: Vec<(Range<usize>, Vec<String>)> = Vec::new();
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
                let mut values = items.iter().flat_map(|i| ends(&i.name.text));
                let Some(first) = values.next() else {
                    return Err(NotationError::new(at.clone(), "here must stand at least one value"));
                };
                edits.push((at.clone(), first));
                others.push((at.clone(), values.collect()));
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
                let mut values = ends(text).into_iter();
                let first = values.next().unwrap_or_default();
                if first == text {
                    continue;
                }
                others.push((word.at.clone(), values.collect()));
                first
            }
        };
        edits.push((word.at.clone(), text));
    }
    edits.sort_by_key(|(at, _)| (at.start, at.end));
    try_build(text, edits.clone(), sources)?;
    for (place, values) in others {
        for value in values {
            let mut edits = edits.clone();
            edits.iter_mut().filter(|(at, _)| *at == place).for_each(|(_, text)| text.clone_from(&value));
            try_build(text, edits, sources)?;
        }
    }
    Ok(())
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

impl Condition {
    /// Reads what stands behind `where`. `names` are those that it may use.
    ///
    /// # Errors
    /// The place in `text` and what is wrong there.
    pub fn read(text: &str, known: Known<'_>, is_name: &dyn Fn(&str) -> bool) -> Result<Self, NotationError> {
        let mut names = Vec::new();
        let mut quoted = false;
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match c {
                '\\' if quoted => {
                    rest.next();
                }
                '"' => quoted = !quoted,
                '$' if !quoted => {
                    let len = super::names::name_len(text.get(at + 1..).unwrap_or_default());
                    let name = text.get(at + 1..at + 1 + len).unwrap_or_default();
                    if !is_name(name) {
                        let why = format!("${name} has no value here");
                        return Err(NotationError::new(at..at + 1 + len, why));
                    }
                    names.push(Expr { name: name.to_owned(), step: None, at: at..at + 1 + len });
                }
                _ => {}
            }
        }
        let condition = Self { text: text.to_owned(), names };
        let edited = condition.with(&|name| known(name));
        match Filter::display(&edited.text) {
            Ok(_) => Ok(condition),
            Err(e) => Err(NotationError::new(edited.back(e.at), e.message)),
        }
    }

    /// The names that it uses.
    pub fn names(&self) -> impl Iterator<Item = &Expr> {
        self.names.iter()
    }

    fn with(&self, named: &dyn Fn(&str) -> Option<Value>) -> Edited {
        let text = |e: &Expr| named(&e.name).map_or_else(|| "0".to_owned(), |value| value.text());
        Edited::new(&self.text, self.names.iter().map(|e| (e.at.clone(), text(e))).collect())
    }

    fn judge(
        &self,
        link_type: u32,
        bytes: &[u8],
        found: &Dissection,
        named: &dyn Fn(&str) -> Option<Value>,
        verdict: &mut Verdict,
    ) {
        let of = |name: &str| {
            let own = verdict.taken.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
            own.or_else(|| named(name))
        };
        let text = self.with(&of).text;
        let facts =
            Facts { original: u32::try_from(bytes.len()).unwrap_or(u32::MAX), link_type, ..Facts::default() };
        match Filter::display(&text) {
            Ok(filter) if filter.needs().flows() => {
                verdict.differ(
                    "where".into(),
                    text,
                    "needs the packets before, which an expectation does not look at",
                );
            }
            Ok(filter) if filter.matches(&Packet { bytes, found, facts, flows: &[] }) => verdict.agreed += 1,
            Ok(_) => verdict.differ("where".into(), text, "does not hold"),
            Err(error) => verdict.differ("where".into(), text, error.message),
        }
    }
}
