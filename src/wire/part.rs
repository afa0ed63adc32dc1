//! Values within one field, where no table can part them. Part of the table language; see [`super::table`].

use std::ops::Range;

/// A value among several in the bytes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes, from the field's first on.
    pub range: Range<usize>,
    /// The value where it is not what the bytes say (a name).
    pub text: Option<String>,
    /// What it means, for a person.
    pub told: String,
}

/// Finds the values in the bytes of a field.
pub type Parts = fn(&[u8]) -> Vec<Part>;
