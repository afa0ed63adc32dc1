//! What is wrong in a notation, and what was meant.

use std::ops::Range;

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
    let word = word.to_lowercase();
    // The distance takes the product of both lengths, and nothing is near a name that is twice as long.
    known
        .filter(|k| word.len() <= 2 * k.len() + 2)
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= 1 + word.len().min(k.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
