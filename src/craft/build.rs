//! Drafts from notation.

use std::collections::HashSet;

use super::draft::Draft;
use super::edit::is_ended;
use super::items::joined;
use super::option_text::option_node;
use crate::wire::bits;
use crate::wire::notation::{self, Arg, Item, NotationError, Part, Payload, Spanned, Value};
use crate::wire::protocols;
use crate::wire::table::{Field, Header, ItemList};
use crate::wire::value::{self, Refused};
use crate::wire::view::{LayerView, Path};

/// Where payloads come from that the notation only names.
pub trait Sources {
    /// That many random bytes.
    fn random(&mut self, count: usize) -> Vec<u8>;
    /// The content of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String>;
}

/// Most headers of a packet: far more than are ever read, and few enough to be computed at once.
const MAX_HEADERS: usize = 256;

/// Most bytes that a packet may have: as many as a capture file holds of one.
const MAX_PACKET: usize = 128 << 20;

pub(super) type Built<T> = Result<T, NotationError>;

impl Draft {
    /// Builds the packet that a notation describes. Naming a computed field pins it.
    ///
    /// # Errors
    /// The place and what is wrong there: grammar, an unknown name (with the nearest known), a value that does not fit.
    pub fn from_notation(text: &str, sources: &mut dyn Sources) -> Built<Self> {
        Self::from_parts(notation::parse(text)?, text.len(), sources)
    }

    /// As [`Self::from_notation`], from what was read of a notation of `len` bytes.
    pub(super) fn from_parts(parts: Vec<Part>, len: usize, sources: &mut dyn Sources) -> Built<Self> {
        let mut draft = Self::default();
        let mut payload = Vec::new();
        let mut trailer = Vec::new();
        let (mut has_payload, mut has_trailer) = (false, false);
        for part in parts {
            match part {
                Part::Layer { name, .. } if has_trailer => {
                    return Err(NotationError::new(name.at, "a header cannot follow a trailer"));
                }
                Part::Layer { name, .. } if has_payload => {
                    return Err(NotationError::new(name.at, "a header cannot follow a payload"));
                }
                Part::Layer { name, .. } if draft.layers.len() == MAX_HEADERS => {
                    let why = format!("a packet has at most {MAX_HEADERS} headers here");
                    return Err(NotationError::new(name.at, why));
                }
                Part::Layer { name, args } => draft.build_layer(&name, &args)?,
                Part::Payload { at, .. } if has_trailer => {
                    return Err(NotationError::new(at, "a payload cannot follow a trailer"));
                }
                Part::Payload { source, .. } => {
                    payload.extend(fetch(source, sources)?);
                    has_payload = true;
                }
                Part::Trailer { source, behind } => {
                    let bytes = fetch(source, sources)?;
                    draft.note_tail(behind.as_ref(), bytes.len(), trailer.len())?;
                    trailer.extend(bytes);
                    has_trailer = true;
                }
            }
        }
        let start = draft.bytes.len();
        let size = start + payload.len() + trailer.len();
        if size > MAX_PACKET {
            let why = format!("the frame would have {size} bytes, more than {MAX_PACKET}");
            return Err(NotationError::new(0..len, why));
        }
        draft.payload = start..start + payload.len();
        draft.bytes.extend(payload);
        draft.bytes.extend(trailer);
        draft.recompute();
        Ok(draft)
    }

    /// Notes behind which layer a trailer of so many bytes stands; `before`: bytes of the trailers before it.
    fn note_tail(&mut self, behind: Option<&Spanned>, len: usize, before: usize) -> Built<()> {
        let known: usize = self.tails.values().sum();
        let Some(word) = behind else { return Ok(()) };
        let count = self.layers.len();
        let number = value::number(&word.text).and_then(|n| usize::try_from(n).ok());
        let Some(number) = number.filter(|n| (1..=count).contains(n)) else {
            let why = format!("'{}' is no layer of this packet: behind takes 1 to {count}", word.text);
            return Err(NotationError::new(word.at.clone(), why));
        };
        let layer = self.tail_of(number - 1);
        let inner = self.tails.first_key_value().map_or(usize::MAX, |(layer, _)| *layer);
        if layer > inner || layer > 0 && known < before {
            let why = "trailers stand from the inside out: this one belongs before the one before it";
            return Err(NotationError::new(word.at.clone(), why));
        }
        if layer > 0 && len > 0 {
            *self.tails.entry(layer).or_insert(0) += len;
        }
        Ok(())
    }

    fn build_layer(&mut self, name: &Spanned, args: &[Arg]) -> Built<()> {
        let header = protocols::by_key(&name.text).ok_or_else(|| unknown_protocol(name))?;
        let start = self.bytes.len();
        let (layer, mut bytes) = Self::blank_layer(header, start);
        for field in header.leaves().filter(|f| f.when.is_some()) {
            let _ = bits::set(&mut bytes, field.bits, 0);
        }
        self.bytes.extend(&bytes);
        self.layers.push(layer);
        let index = self.layers.len() - 1;
        let mut seen = HashSet::new();
        if let Some(twice) = args.iter().find(|a| !seen.insert(a.key.text.as_str())) {
            return Err(NotationError::new(
                twice.key.at.clone(),
                format!("{} is given twice", twice.key.text),
            ));
        }
        let field = |a: &Arg| header.field(&a.key.text).map(|(f, _)| f);
        let conditional = |a: &Arg| field(a).is_some_and(|f| f.when.is_some());
        for arg in args.iter().filter(|a| field(a).is_some() && !conditional(a)) {
            self.build_arg(index, arg)?;
        }
        self.default_conditional_fields(index);
        for arg in args.iter().filter(|a| conditional(a)) {
            self.build_arg(index, arg)?;
        }
        // What is no field is a list, behind the fields, or a mistake.
        for arg in args.iter().filter(|a| field(a).is_none()) {
            self.build_arg(index, arg)?;
        }
        no_bit_twice(&self.view(index), args)?;
        let needed = header.ends.filter(|_| header.network).map(|(_, dst)| dst);
        if let Some(dst) = needed.filter(|d| !args.iter().any(|a| d.scale_for(&a.key.text).is_some())) {
            let why = format!("{} needs a destination: {}({}=…)", header.key, header.key, dst.key);
            return Err(NotationError::new(name.at.clone(), why));
        }
        Ok(())
    }

    /// Defaults of the fields whose presence an earlier field decides, now that it is set, and the length that the header
    /// has by it. Nothing stands behind the header yet.
    fn default_conditional_fields(&mut self, index: usize) {
        let layer = &self.layers[index];
        let (header, start) = (layer.header, layer.start);
        let len = header.fixed_len(&self.bytes[start..]);
        let padding = header.list(&self.bytes[start..]).map_or(0, |list| list.padding(0));
        self.bytes.resize(start + len + padding, 0);
        self.layers[index].len = len + padding;
        let bytes = self.bytes[start..].to_vec();
        for field in header.leaves().filter(|f| f.when.is_some_and(|w| w.holds(&bytes))) {
            self.put(index, field, field.default);
        }
    }

    fn build_arg(&mut self, index: usize, arg: &Arg) -> Built<()> {
        let header = self.layers[index].header;
        if let (Some(list), None) = (header.items.filter(|l| l.key == arg.key.text), self.list(index)) {
            let by = list.when.map_or("kind", |w| w.field.label).to_lowercase();
            let why = format!("{} has no {} with this {by}", header.short, list.label.to_lowercase());
            return Err(NotationError::new(arg.key.at.clone(), why));
        }
        let word = match (&arg.value, self.list(index).or(header.items)) {
            (Value::List(items, _), Some(list)) if arg.key.text == list.key => {
                return self.build_options(index, list, items);
            }
            (Value::Word(word), Some(list)) if arg.key.text == list.key => {
                let why = format!(
                    "{} takes a list in brackets, such as [{}]",
                    list.key,
                    list.items.first().unwrap_or(list.unknown).key
                );
                return Err(NotationError::new(word.at.clone(), why));
            }
            (Value::List(_, at), _) => {
                return Err(match header.field(&arg.key.text) {
                    Some(_) => NotationError::new(
                        at.clone(),
                        format!("{} takes one value, not a list", arg.key.text),
                    ),
                    None => unknown_field(header, &arg.key),
                });
            }
            (Value::Word(word), _) => word,
        };
        let Some((field, scale)) = header.field(&arg.key.text) else {
            return Err(unknown_field(header, &arg.key));
        };
        let view = LayerView { bytes: &self.bytes, layers: &self.layers, index };
        let Some(found) = view.field(&arg.key.text) else {
            let why = match field.when {
                Some(when) => format!("{} is not there with this {}", field.label, when.field.label),
                None => format!("{} is not there", field.label),
            };
            return Err(NotationError::new(arg.key.at.clone(), why));
        };
        if found.field.kind.is_bytes() {
            let at = |e: Refused| NotationError::new(word.at.clone(), e.0);
            let data = value::parse_bytes(found.field, &word.text).map_err(at)?;
            return self.put_bytes(&found, &data).map_err(at);
        }
        let value = parse_word(header.fields, found.field, scale, word)?;
        self.put(index, found.field, value);
        // A group with a computed field that is only a part of it does not occur in any table (an invariant test).
        self.pin_computed(index, found.field);
        debug_assert!(!matches!(found.path, Path { item: Some(_), .. }));
        Ok(())
    }

    fn build_options(&mut self, index: usize, list: &'static ItemList, items: &[Item]) -> Built<()> {
        let nodes = items.iter().map(|item| option_node(list, item)).collect::<Built<Vec<_>>>()?;
        let longest = || {
            let at = items.first().map_or(0..0, |i| i.name.at.clone());
            NotationError::new(at, format!("an option has at most {} bytes", list.longest()))
        };
        self.count_items(index, &nodes);
        let options = joined(&nodes, true).ok_or_else(longest)?;
        let mut data = options.concat();
        data.resize(data.len() + list.padding(data.len()), 0);
        let start = self.view(index).items_range().start;
        self.bytes.truncate(start);
        self.bytes.extend(&data);
        self.layers[index].len = start - self.layers[index].start + data.len();
        self.note_end(index, is_ended(list, &options));
        Ok(())
    }
}

/// Refuses two values for the same bits: a field and its alias, a group and a leaf of it.
fn no_bit_twice(view: &LayerView<'_>, args: &[Arg]) -> Built<()> {
    let field = |arg: &Arg| view.field(&arg.key.text).map(|f| f.field);
    for (nth, second) in args.iter().enumerate() {
        let Some(found) = field(second) else { continue };
        let overlaps = |f: &Field| found.has(f) && f.has(found);
        if let Some(first) = args.iter().take(nth).find(|a| field(a).is_some_and(overlaps)) {
            let (first, second_key) = (&first.key.text, &second.key.text);
            let why = format!("{second_key} and {first} are values for the same bits: give one of them");
            return Err(NotationError::new(second.key.at.clone(), why));
        }
    }
    Ok(())
}

fn fetch(source: Payload, sources: &mut dyn Sources) -> Built<Vec<u8>> {
    match source {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::Random(count) => Ok(sources.random(count)),
        Payload::File(path) => sources.file(&path.text).map_err(|why| NotationError::new(path.at, why)),
    }
}

pub(super) fn parse_word(fields: &[Field], field: &Field, scale: u32, word: &Spanned) -> Built<u128> {
    let at = |e: Refused| NotationError::new(word.at.clone(), e.0);
    if field.kind.is_bytes() {
        return Err(at(Refused(format!("{} cannot be given here", field.label))));
    }
    let lettered = field.group && value::letters(fields, field, 0).is_some();
    if lettered && value::number(&word.text).is_none() {
        return value::parse_letters(fields, field, &word.text).map_err(at);
    }
    value::parse(field, scale, &word.text).map_err(at)
}

fn unknown_protocol(name: &Spanned) -> NotationError {
    let known =
        || protocols::ALL.iter().map(|h| h.key).chain(["hex", "zero", "fill", "random", "file", "trailer"]);
    // By what people call it, then by how it is written.
    let word = name.text.to_lowercase();
    let is_called = |full: &str| {
        let full = full.to_lowercase();
        full == word || word.len() > 2 && full.split(' ').next() == Some(word.as_str())
    };
    let called = protocols::ALL.iter().find(|h| is_called(h.short) || is_called(h.name)).map(|h| h.key);
    let hint = match called.or_else(|| notation::nearest(&name.text, known())) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!(" (known: {})", protocols::ALL.iter().map(|h| h.key).collect::<Vec<_>>().join(", ")),
    };
    NotationError::new(name.at.clone(), format!("there is no protocol '{}'{hint}", name.text))
}

fn unknown_field(header: &Header, key: &Spanned) -> NotationError {
    let keys = header.fields.iter().flat_map(|f| f.aliases.iter().map(|a| a.0).chain([f.key]));
    let keys: Vec<&str> = keys.chain(header.lists().map(|l| l.key)).collect();
    let bare = key.text.split_once('.').filter(|(p, _)| *p == header.key || *p == header.prefix());
    let own = bare.map(|(_, rest)| rest).filter(|rest| keys.contains(rest));
    let others = || protocols::ALL.iter().filter(|h| h.field(&key.text).is_some()).map(|h| h.key);
    let hint = match notation::nearest(&key.text, keys.iter().copied()) {
        _ if own.is_some() => format!("; here the protocol is left out: {}", own.unwrap_or_default()),
        Some(near) => format!("; did you mean {near}?"),
        None if others().next().is_some() => {
            format!("; it is a field of {}", others().take(4).collect::<Vec<_>>().join(", "))
        }
        None => format!(" (known: {})", keys.join(", ")),
    };
    NotationError::new(key.at.clone(), format!("{} has no field '{}'{hint}", header.key, key.text))
}
