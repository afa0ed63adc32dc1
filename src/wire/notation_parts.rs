//! What the grammar of the notation knows: parts of a packet, each with its place, and errors that show the place.

use std::ops::Range;

/// Text with the place where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned {
    /// The text.
    pub text: String,
    /// Its bytes in the source.
    pub at: Range<usize>,
}

/// A part of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A header with named fields.
    Layer {
        /// The protocol.
        name: Spanned,
        /// Its fields.
        args: Vec<Arg>,
    },
    /// Bytes behind the headers.
    Payload {
        /// Where they come from.
        source: Payload,
        /// Where it stands in the notation.
        at: Range<usize>,
    },
    /// Bytes past the length that the layers say.
    Trailer {
        /// Where they come from.
        source: Payload,
        /// The number of the layer behind which they stand, counted from 1: inside of the layer before that. Without it
        /// they stand outside of everything.
        behind: Option<Spanned>,
    },
}

/// `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The field.
    pub key: Spanned,
    /// Its value.
    pub value: Value,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, an address, flag letters.
    Word(Spanned),
    /// A list of options, in brackets; the span is that of the brackets.
    List(Vec<Item>, Range<usize>),
}

/// An option in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub name: Spanned,
    /// Its values.
    pub args: Vec<Spanned>,
    /// The lists in it, by their keys.
    pub lists: Vec<(Spanned, Vec<Item>)>,
}

/// Where payload bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Given bytes.
    Bytes(Vec<u8>),
    /// That many random bytes.
    Random(usize),
    /// The content of a file.
    File(Spanned),
}

/// What is wrong in a notation, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotationError {
    /// The bytes of the source that are meant.
    pub at: Range<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl NotationError {
    /// An error at a place.
    #[must_use]
    pub fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// The message under the source line, with a caret at the place.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        let start = self.at.start.min(source.len());
        let line_start = source.get(..start).and_then(|s| s.rfind('\n')).map_or(0, |i| i + 1);
        let line = source.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let before = source.get(line_start..start).map_or(0, |s| s.chars().count());
        let width = source.get(self.at.clone()).map_or(1, |s| s.chars().count()).max(1);
        let width = width.min(line.chars().count().saturating_sub(before).max(1));
        format!("{line}\n{}{}\n{}", " ".repeat(before), "^".repeat(width), self.message)
    }
}

/// The known name that looks most like `word`, when one is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // No name is that long; comparing costs the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= 1 + word.len().min(k.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
