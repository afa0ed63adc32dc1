//! When a field is there. Part of the table language; see [`super::table`].

use super::bits;
use super::field::Field;

/// A field is there only when an earlier field of its header has one of these values.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The earlier field.
    pub field: &'static Field,
    /// The values.
    pub is: &'static [u64],
    /// Turns the predicate around: any value but these.
    pub not: bool,
}

impl When {
    /// The field has one of these values.
    #[must_use]
    pub const fn is(field: &'static Field, is: &'static [u64]) -> Self {
        Self { field, is, not: false }
    }

    /// The predicate turned around.
    #[must_use]
    pub const fn negated(mut self) -> Self {
        self.not = !self.not;
        self
    }

    /// Whether the predicate holds in `header` (the bytes from the header's first on). A header that is too
    /// short to say answers no.
    #[inline]
    #[must_use]
    pub fn holds(&self, header: &[u8]) -> bool {
        let value = bits::word(header, self.field.bits);
        value.is_some_and(|v| self.is.contains(&v) != self.not)
    }
}
