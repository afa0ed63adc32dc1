//! Notation from drafts. What is printed reads back to the same bytes.

use super::draft::Draft;
use super::option_text::option_notations;
use crate::wire::bits;
use crate::wire::table::{Field, Kind};
use crate::wire::value;
use crate::wire::view::{LayerView, Located};

/// How much is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only what is not computed and not a default.
    Short,
    /// Everything, computed fields too.
    Full,
}

impl Draft {
    /// The packet as notation.
    #[must_use]
    pub fn notation(&self, detail: Detail) -> String {
        let mut parts: Vec<String> = (0..self.layers.len()).map(|i| self.layer_notation(i, detail)).collect();
        if !self.payload().is_empty() || parts.is_empty() {
            parts.push(self.payload_notation());
        }
        for (layer, bytes) in self.trailers() {
            let behind = if layer == 0 { String::new() } else { format!(", behind={}", layer + 1) };
            parts.push(format!("trailer({}{behind})", value::hex_pairs(bytes).to_lowercase()));
        }
        parts.join("/")
    }

    fn layer_notation(&self, index: usize, detail: Detail) -> String {
        let view = self.view(index);
        let header = view.layer().header;
        let mut args = Vec::new();
        let mut done = 0;
        for found in view.header_fields() {
            let local = found.field.bits;
            if local.start < done {
                continue;
            }
            let stored = found.stored(&self.bytes).unwrap_or(0);
            let letters =
                if found.field.group { value::letters(header.fields, found.field, stored) } else { None };
            let varies = self.generator_of(found.path);
            let inside = |f: &Located| f.field.bits.start < local.end() && local.start < f.field.bits.end();
            let part_varies = || {
                let mut others = view.header_fields().filter(|f| f.path != found.path && inside(f));
                others.any(|f| self.generator_of(f.path).is_some())
            };
            if varies.is_none() && found.field.group && (letters.is_none() || part_varies()) {
                continue;
            }
            done = local.end();
            if let Some(generator) = varies {
                let unit = found.field.aliases.first().map_or(found.field.scale, |a| a.1);
                args.push(format!("{}={}", found.field.notation_key(), generator.text(found.field, unit)));
                continue;
            }
            if found.field.kind.is_bytes() {
                let data = self.bytes.get(found.bits.bytes()).unwrap_or_default();
                if detail == Detail::Full || header.blank().get(local.bytes()) != Some(data) {
                    args.push(format!("{}={}", found.field.notation_key(), bytes_word(found.field, data)));
                }
                continue;
            }
            if detail == Detail::Full || self.is_said(&view, &found, stored) {
                let text = letters.map(|l| if l.is_empty() { "none".into() } else { l });
                let text = text.unwrap_or_else(|| field_text(found.field, stored));
                args.push(format!("{}={text}", found.field.notation_key()));
            }
        }
        if let Some(list) = self.list(index) {
            let options = self.options(index);
            let options = option_notations(&options, &self.bytes, true);
            if !options.is_empty() {
                args.push(format!("{}=[{}]", list.key, options.join(", ")));
            }
        }
        if args.is_empty() { header.key.to_owned() } else { format!("{}({})", header.key, args.join(", ")) }
    }

    /// Whether the short form has to name the field.
    fn is_said(&self, view: &LayerView<'_>, found: &Located, stored: u128) -> bool {
        let header = view.layer().header;
        let destination = header.network && header.ends.is_some_and(|(_, dst)| dst.key == found.field.key);
        if found.field.compute.is_some() {
            return self.override_of(found.path).is_some();
        }
        let default = if found.field.group {
            bits::get(&header.blank(), found.field.bits).unwrap_or(0)
        } else {
            found.field.default
        };
        destination || stored != default
    }
}

/// Bytes as they are written in notation: text in quotes, or hex pairs.
pub(super) fn bytes_word(field: &Field, data: &[u8]) -> String {
    let text = value::bytes_text(field, data);
    if field.kind == Kind::Text { format!("\"{}\"", text.replace('"', "\\\"")) } else { text }
}

/// A value as it is written in notation: in the unit of the field's first alias.
pub(super) fn field_text(field: &Field, stored: u128) -> String {
    let scale = field.aliases.first().map_or(field.scale, |a| a.1);
    match field.kind {
        Kind::Number | Kind::Flag => (field.ordered(stored) * u128::from(scale)).to_string(),
        _ => value::stored_text(field, stored),
    }
}
