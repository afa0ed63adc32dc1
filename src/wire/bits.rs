//! Reading and writing of any run of up to 128 bits, most significant bit first as in the RFCs' diagrams.
//!
//! A bit range is counted from the first bit of the slice. Neither function panics on any input: a range
//! that is not wholly inside the slice, or is wider than 128 bits, reads as `None` and is not written.

/// A run of bits: `start` counts from the first bit of the slice, `width` is in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRange {
    /// Offset of the first bit.
    pub start: usize,
    /// Number of bits.
    pub width: usize,
}

impl BitRange {
    /// One past the last bit.
    #[must_use]
    pub fn end(self) -> usize {
        self.start + self.width
    }

    /// The bytes that the range touches.
    #[must_use]
    pub fn bytes(self) -> std::ops::Range<usize> {
        self.start / 8..self.end().div_ceil(8)
    }

    /// Whether any bit of byte `offset` belongs to the range.
    #[must_use]
    pub fn touches(self, offset: usize) -> bool {
        self.width > 0 && self.bytes().contains(&offset)
    }
}

/// The largest value that fits in `width` bits.
#[must_use]
pub fn max_value(width: usize) -> u128 {
    if width >= 128 { u128::MAX } else { (1u128 << width) - 1 }
}

/// The value of `range`, or `None` when the range is not wholly inside `bytes` or wider than 128 bits.
#[inline]
#[must_use]
pub fn get(bytes: &[u8], range: BitRange) -> Option<u128> {
    // Nearly every field is within eight bytes that are there.
    match in_word(bytes, range) {
        Some(value) => Some(u128::from(value)),
        None => get_any(bytes, range),
    }
}

/// The same for a value of up to 64 bits; a larger one reads as `None`. Dissection spends its time here.
#[inline]
#[must_use]
pub fn word(bytes: &[u8], range: BitRange) -> Option<u64> {
    match in_word(bytes, range) {
        Some(value) => Some(value),
        None => get_any(bytes, range).and_then(|value| u64::try_from(value).ok()),
    }
}

/// The same where it is within eight bytes of `bytes`.
#[inline]
fn in_word(bytes: &[u8], range: BitRange) -> Option<u64> {
    let first = (range.start / 8).min(bytes.len().checked_sub(8)?);
    let word = bytes.get(first..)?.first_chunk::<8>()?;
    let lead = range.start - first * 8;
    (lead < 64 && (1..=64 - lead).contains(&range.width))
        .then(|| u64::from_be_bytes(*word) << lead >> (64 - range.width))
}

/// The same for any width and any bytes.
#[cold]
fn get_any(bytes: &[u8], range: BitRange) -> Option<u128> {
    if range.width > 128 || range.end() > bytes.len() * 8 {
        return None;
    }
    let touched = &bytes[range.bytes()];
    let lead = range.start % 8;
    let Some((&first, rest)) = touched.split_first() else { return Some(0) };
    let mut value = u128::from(first & (0xff >> lead));
    // The last byte is added in part, so that 128 bits that begin inside a byte do not overflow.
    let tail = touched.len() * 8 - lead - range.width;
    let Some((last, middle)) = rest.split_last() else { return Some(value >> tail) };
    for &byte in middle {
        value = (value << 8) | u128::from(byte);
    }
    Some((value << (8 - tail)) | u128::from(last >> tail))
}

/// Writes `value` into `range` and leaves every other bit alone. Gives `false`, and writes nothing, when the
/// value does not fit the width or the range is not wholly inside `bytes`.
#[must_use]
pub fn set(bytes: &mut [u8], range: BitRange, value: u128) -> bool {
    if range.width > 128 || range.end() > bytes.len() * 8 || value > max_value(range.width) {
        return false;
    }
    let mut left = value;
    let mut bit = range.end();
    while bit > range.start {
        let byte = (bit - 1) / 8;
        let from = range.start.max(byte * 8);
        let count = bit - from;
        let shift = (byte + 1) * 8 - bit;
        let mask = ((1u16 << count) - 1) as u8;
        bytes[byte] = (bytes[byte] & !(mask << shift)) | (((left as u8) & mask) << shift);
        left = if count >= 128 { 0 } else { left >> count };
        bit = from;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nibbles_and_crossings() {
        let bytes = [0xab, 0xcd, 0xef];
        assert_eq!(get(&bytes, BitRange { start: 4, width: 8 }), Some(0xbc));
        assert_eq!(get(&bytes, BitRange { start: 0, width: 24 }), Some(0x00ab_cdef));
        assert_eq!(get(&bytes, BitRange { start: 23, width: 1 }), Some(1));
        assert_eq!(get(&bytes, BitRange { start: 23, width: 2 }), None);
        assert_eq!(get(&bytes, BitRange { start: 24, width: 0 }), Some(0));
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_and_nothing_else_changes(
            mut bytes in proptest::collection::vec(any::<u8>(), 1..40),
            start in 0usize..330, width in 0usize..=130, value: u128,
        ) {
            let before = bytes.clone();
            let range = BitRange { start, width };
            let fits = width <= 128 && range.end() <= bytes.len() * 8;
            let value = if width == 0 { 0 } else { value & max_value(width) };
            prop_assert_eq!(set(&mut bytes, range, value), fits);
            if fits {
                prop_assert_eq!(get(&bytes, range), Some(value));
            }
            for bit in 0..bytes.len() * 8 {
                if !fits || bit < start || bit >= range.end() {
                    let one = BitRange { start: bit, width: 1 };
                    prop_assert_eq!(get(&bytes, one), get(&before, one));
                }
            }
        }
    }
}
