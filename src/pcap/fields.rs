//! Numbers in either byte order, pcapng options, and pcapng times.

use super::encode::OPT_END;

/// The byte order of a file or of a pcapng section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    /// A pcapng time in the interface's units: the high 32 bits come first in either order.
    pub(super) fn time(self, bytes: &[u8], at: usize) -> Option<u64> {
        Some(u64::from(self.u32(bytes, at)?) << 32 | u64::from(self.u32(bytes, at + 4)?))
    }
}

/// The options in `bytes`, up to their end, or up to the first that does not fit in.
pub(super) fn options(bytes: &[u8], order: Order) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let code = order.u16(rest, 0).filter(|code| *code != OPT_END)?;
        let length = usize::from(order.u16(rest, 2)?);
        let value = rest.get(4..4 + length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

/// How an interface counts time (`if_tsresol`, `if_tsoffset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// Units in a second; `None` where they are more than 128 bits can count.
    units: Option<u128>,
    /// Nanoseconds in a unit, where that is a whole number: the usual case, and the quick one.
    nanoseconds: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    /// Microseconds: what holds without an option.
    pub(super) const MICROSECONDS: Self =
        Self { units: Some(1_000_000), nanoseconds: Some(1_000), offset: 0 };

    /// From `if_tsresol`: the top bit chooses powers of 2 over powers of 10, the rest is the negative exponent.
    pub(super) fn set_resolution(&mut self, resolution: u8) {
        let exponent = u32::from(resolution & 0x7F);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        self.units = base.checked_pow(exponent);
        self.nanoseconds = self
            .units
            .filter(|units| 1_000_000_000 % units == 0)
            .and_then(|units| u64::try_from(1_000_000_000 / units).ok());
    }

    /// From `if_tsoffset`: seconds to add to each time.
    pub(super) const fn set_offset(&mut self, seconds: i64) {
        self.offset = seconds;
    }

    /// Nanoseconds since the Unix epoch. What lies before 1970 gives 0, what lies past 2554 the largest number.
    pub(super) fn nanoseconds(&self, time: u64) -> u64 {
        let ns = match (self.nanoseconds, self.units) {
            (Some(factor), _) => u128::from(time) * u128::from(factor),
            // 64 bits times 30 bits fit; units are never 0.
            (None, Some(units)) => u128::from(time) * 1_000_000_000 / units,
            (None, None) => 0,
        };
        if self.offset == 0 {
            return u64::try_from(ns).unwrap_or(u64::MAX);
        }
        let sum = i128::try_from(ns).unwrap_or(i128::MAX) + i128::from(self.offset) * 1_000_000_000;
        u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_resolution() {
        let mut clock = Clock::MICROSECONDS;
        assert_eq!(clock.nanoseconds(1_500_000), 1_500_000_000);
        for (resolution, time, ns) in [
            (9, 7, 7),
            (0, 3, 3_000_000_000),
            (3, 3, 3_000_000),
            (12, 1_999, 1),
            (38, u64::MAX, 0),
            (127, u64::MAX, 0),
            (0x80 | 10, 1024 + 512, 1_500_000_000),
            (0x80 | 32, 1 << 31, 500_000_000),
            (0x80 | 127, u64::MAX, 0),
            (0x80, 2, 2_000_000_000),
        ] {
            clock.set_resolution(resolution);
            assert_eq!(clock.nanoseconds(time), ns, "resolution {resolution}");
        }
        clock.set_resolution(9);
        clock.set_offset(-2);
        assert_eq!(clock.nanoseconds(3_000_000_001), 1_000_000_001);
        assert_eq!(clock.nanoseconds(1), 0);
        clock.set_offset(i64::MAX);
        assert_eq!(clock.nanoseconds(1), u64::MAX);
    }

    #[test]
    fn options_end_where_they_are_torn() {
        let bytes = [1, 0, 3, 0, b'a', b'b', b'c', 0, 2, 0, 4, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0];
        let read =
            |bytes| options(bytes, Order::Little).map(|(code, v)| (code, v.to_vec())).collect::<Vec<_>>();
        assert_eq!(read(&bytes), [(1, b"abc".to_vec()), (2, vec![9, 0, 0, 0])]);
        assert_eq!(read(&bytes[..15]), [(1, b"abc".to_vec())]);
        assert_eq!(read(&bytes[..7]), [(1, b"abc".to_vec())], "padding may be missing at the very end");
        assert_eq!(read(&bytes[..6]), []);
    }
}
