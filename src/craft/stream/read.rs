//! Streams from notation: the same notation as that of a draft, with generators in the place of values.

use super::generator::Generator;
use super::{Place, Stream};
use crate::craft::build::{Built, Sources};
use crate::craft::draft::Draft;
use crate::craft::option_text::told_field;
use crate::wire::bits;
use crate::wire::notation::{self, Arg, Item, NotationError, Part, Payload, Spanned, Value};
use crate::wire::protocols;
use crate::wire::table::{Field, Header, ItemList, Kind};
use crate::wire::value;

/// The key that stands for all fields of a header that are not named and not computed.
const ALL: &str = "all";

/// What varies, while it is only known by name.
struct Wanted {
    layer: usize,
    what: What,
    at: std::ops::Range<usize>,
    generator: Generator,
}

enum What {
    /// The field of this key.
    Field(String),
    /// A field of an option: its place among those that are in no other, its index in the table.
    Item(usize, usize),
    /// All that is not named: `fuzz`, else `random`.
    Rest(Vec<String>, bool),
}

impl Stream {
    /// Reads a notation in which fields may vary: `random`, `random(a..b)`, `fuzz`, `a..b`, `a..b step c`, `[a, b, c..d]`.
    /// `all=fuzz` and `all=random` are for each field of a header that is not named and not computed; `random(n)` as the
    /// payload is made anew for each packet.
    ///
    /// # Errors
    /// As [`Draft::from_notation`]; a range that is none, or does not fit the field.
    pub fn from_notation(text: &str, sources: &mut dyn Sources) -> Built<Self> {
        let mut parts = notation::parse(text)?;
        let mut wanted = Vec::new();
        let mut places = Vec::new();
        let (mut layer, mut payload) = (0, 0);
        for part in &mut parts {
            match part {
                Part::Layer { name, args } => {
                    if let Some(header) = protocols::by_key(&name.text) {
                        take_out(header, layer, args, &mut wanted)?;
                    }
                    layer += 1;
                }
                Part::Payload { source, .. } => {
                    if let Payload::File(path) = source {
                        let bytes = sources.file(&path.text);
                        let bytes = bytes.map_err(|why| NotationError::new(path.at.clone(), why))?;
                        *source = Payload::Bytes(bytes);
                    }
                    let len = match source {
                        Payload::Bytes(bytes) => bytes.len(),
                        Payload::Random(count) => *count,
                        Payload::File(_) => 0,
                    };
                    if matches!(source, Payload::Random(_)) && len > 0 {
                        places.push((Place::Payload(payload, len), Generator::Fill));
                    }
                    payload += len;
                }
                Part::Trailer { .. } => {}
            }
        }
        let draft = Draft::from_parts(parts, text.len(), sources)?;
        let mut found = Vec::new();
        for one in wanted {
            one.find(&draft, &mut found)?;
        }
        found.append(&mut places);
        Ok(Self::new(draft, found))
    }
}

/// Replaces the generators in the fields of a header by a value of their range.
fn take_out(
    header: &'static Header,
    layer: usize,
    args: &mut Vec<Arg>,
    wanted: &mut Vec<Wanted>,
) -> Built<()> {
    let named: Vec<String> = args.iter().map(|a| a.key.text.clone()).collect();
    for arg in args.iter_mut() {
        let list = header.lists().find(|l| l.key == arg.key.text);
        if let (Some(list), Value::List(items, _)) = (list, &mut arg.value) {
            for (among, item) in items.iter_mut().enumerate() {
                take_out_of_item(list, layer, among, item, wanted)?;
            }
            continue;
        }
        let Some((field, scale)) = header.field(&arg.key.text) else { continue };
        let (generator, at) = match &arg.value {
            Value::Word(word) => match Generator::read(header.fields, field, scale, word)? {
                Some(generator) => (generator, word.at.clone()),
                None => continue,
            },
            Value::List(items, at) => {
                (Generator::read_list(header.fields, field, scale, items, at)?, at.clone())
            }
        };
        let text = sample(field, scale, &generator);
        arg.value = Value::Word(Spanned { text, at: at.clone() });
        wanted.push(Wanted { layer, what: What::Field(arg.key.text.clone()), at, generator });
    }
    let Some(place) = args.iter().position(|a| a.key.text == ALL && header.field(ALL).is_none()) else {
        return Ok(());
    };
    let arg = args.remove(place);
    let word = match arg.value {
        Value::Word(word) => word,
        Value::List(_, at) => Spanned { text: String::new(), at },
    };
    let fuzz = word.text == "fuzz";
    if !fuzz && word.text != "random" {
        return Err(NotationError::new(word.at, "all fields of a header can be random or fuzz"));
    }
    wanted.push(Wanted { layer, what: What::Rest(named, fuzz), at: word.at, generator: Generator::Fill });
    Ok(())
}

fn take_out_of_item(
    list: &'static ItemList,
    layer: usize,
    among: usize,
    item: &mut Item,
    wanted: &mut Vec<Wanted>,
) -> Built<()> {
    let count = item.args.len();
    let name = item.name.text.clone();
    for (nth, word) in item.args.iter_mut().enumerate() {
        let Some((table, index)) = told_field(list, &name, count, nth) else { continue };
        let field = &table.fields[index];
        // Bytes and texts of options are what they look like.
        if field.kind.is_bytes() {
            continue;
        }
        if let Some(generator) = Generator::read(table.fields, field, field.scale, word)? {
            let at = word.at.clone();
            word.text = sample(field, field.scale, &generator);
            wanted.push(Wanted { layer, what: What::Item(among, index), at, generator });
        }
    }
    Ok(())
}

/// A value of a generator, in notation.
fn sample(field: &Field, scale: u32, generator: &Generator) -> String {
    let value = match generator {
        Generator::Random { low, .. } => *low,
        Generator::Fuzz { .. } => field.default.min(bits::max_value(field.bits.width)),
        Generator::Each(runs) => runs.first().map_or(0, |run| run.from),
        Generator::Fill if field.kind == Kind::Text => return "\"\"".into(),
        Generator::Fill => return "00".into(),
    };
    match field.kind {
        crate::wire::table::Kind::Number | crate::wire::table::Kind::Flag | crate::wire::table::Kind::Hex => {
            value.saturating_mul(u128::from(scale)).to_string()
        }
        _ => value::stored_text(field, field.ordered(value)),
    }
}

impl Wanted {
    /// Finds what is meant in the packet.
    fn find(self, draft: &Draft, found: &mut Vec<(Place, Generator)>) -> Built<()> {
        let view = draft.view(self.layer);
        let gone =
            || NotationError::new(self.at.clone(), "this field is not there with these values of others");
        match self.what {
            What::Field(key) => {
                let field = view.field(&key).ok_or_else(gone)?;
                let most = bits::max_value(field.bits.width);
                if !field.field.kind.is_bytes() && self.generator.most() > most {
                    let why = format!("{} goes up to {most} only", field.field.label);
                    return Err(NotationError::new(self.at, why));
                }
                found.push((Place::Field(field.path, field.field), self.generator));
            }
            What::Item(among, index) => {
                let items = view.items();
                let outer = items.iter().enumerate().filter(|(_, span)| span.depth == 0).nth(among);
                let (number, span) = outer.ok_or_else(gone)?;
                let fields = view.item_fields(number, span);
                let field = fields.iter().find(|f| f.path.field == index && f.path.nth.is_none());
                let field = field.ok_or_else(gone)?;
                found.push((Place::Field(field.path, field.field), self.generator));
            }
            What::Rest(named, fuzz) => {
                let overlaps = |field: &Field| {
                    let mut others = named.iter().filter_map(|key| view.field(key));
                    others.any(|f| {
                        let bits = f.field.bits;
                        bits.start < field.bits.end() && field.bits.start < bits.end()
                    })
                };
                for field in view.header_fields() {
                    let table = field.field;
                    if table.group || table.compute.is_some() || overlaps(table) {
                        continue;
                    }
                    let generator = match (table.kind.is_bytes(), fuzz) {
                        (true, _) => Generator::Fill,
                        (false, true) => Generator::Fuzz { width: field.bits.width },
                        (false, false) => {
                            Generator::Random { low: 0, high: bits::max_value(field.bits.width) }
                        }
                    };
                    found.push((Place::Field(field.path, table), generator));
                }
            }
        }
        Ok(())
    }
}
