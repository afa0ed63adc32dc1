//! A key as a column of a list: its text in a packet, and what packets are sorted by.

use super::eval::Value;
use super::needs::Needs;
use super::source::{self, Type};
use super::tree::{Key, Operand, Test};
use super::{Packet, values};
use crate::wire::dissect::{Dissection, dissect_while};
use crate::wire::keys::{self, Meaning};

/// What the values of a column are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Numbers, flags, times, IPv4 and MAC addresses: 64 bits.
    Number,
    /// IPv6 addresses and numbers of more bits.
    Wide,
    /// Bytes and text.
    Text,
}

/// A number or an address as bytes that sort as it does: what kind it is, then its value, big-endian.
pub type Wide = [u8; 17];

/// A key as a column.
#[derive(Clone, Debug)]
pub struct Column {
    meaning: Meaning,
    key: Key,
    needs: Needs,
}

impl Column {
    /// The column of a key that `read -e` knows.
    ///
    /// # Errors
    /// Says that there is no such key, with the nearest.
    pub fn find(key: &str) -> Result<Self, String> {
        let meaning = keys::find(key)?;
        let key = Key { source: source::find(key)?, layers: Vec::new(), whole: true };
        let needs = Needs::of(Some(&Test::Exists(Operand::Key(Box::new(key.clone())))));
        Ok(Self { meaning, key, needs })
    }

    /// Whether its texts are numbers, which stand to the right.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self.key.source.is, Type::Number(_) | Type::Time)
    }

    /// What it is sorted by.
    #[must_use]
    pub fn sort_by(&self) -> SortBy {
        match self.key.source.is {
            Type::Number(bits) if bits > 63 => SortBy::Wide,
            Type::Number(_) | Type::Flag | Type::Mark | Type::Time | Type::Ipv4 | Type::Mac => SortBy::Number,
            Type::Ipv6 => SortBy::Wide,
            Type::Bytes | Type::Protocol | Type::Text => SortBy::Text,
        }
    }

    /// Whether it needs what is known from the packets before.
    #[must_use]
    pub fn needs_flows(&self) -> bool {
        self.needs.flows()
    }

    /// Reads the layers of a packet as far as it looks at them.
    pub fn dissect(&self, link_type: u32, bytes: &[u8], found: &mut Dissection) {
        if self.needs.layers() {
            dissect_while(link_type, bytes, &|header| self.needs.goes_on_behind(header), found);
        } else {
            *found = Dissection::default();
        }
    }

    /// Its values in a packet, as `read -e` prints them: several with commas between.
    #[must_use]
    pub fn text(&self, packet: &Packet<'_>) -> String {
        let read = values::read(&[self.meaning], packet);
        values::values(&self.meaning, packet, &read).join(",")
    }

    /// The first value as a number, where the packet has one.
    #[must_use]
    pub fn number(&self, packet: &Packet<'_>) -> Option<u64> {
        self.first(packet, |value| match value {
            Value::Number(number) => Some(ordered(number)),
            Value::Ipv4(address, _) => Some(u64::from(address)),
            Value::Bytes(bytes) => Some(bytes.iter().take(8).fold(0, |sum, b| sum << 8 | u64::from(*b))),
            _ => None,
        })
    }

    /// The first value as a number of up to 128 bits, where the packet has one.
    #[must_use]
    pub fn wide(&self, packet: &Packet<'_>) -> Option<Wide> {
        self.first(packet, |value| match value {
            Value::Number(number) => Some(wide(0, number.cast_unsigned() ^ 1 << 127)),
            Value::Ipv6(address, _) => Some(wide(0, address)),
            _ => None,
        })
    }

    /// The bytes of the first value, where the packet has one.
    #[must_use]
    pub fn bytes(&self, packet: &Packet<'_>) -> Option<Box<[u8]>> {
        self.first(packet, |value| value.bytes().map(Into::into))
    }

    fn first<T>(&self, packet: &Packet<'_>, of: impl Fn(Value<'_>) -> Option<T>) -> Option<T> {
        let mut first = None;
        self.key.each(packet, &mut |value| {
            first = of(value);
            true
        });
        first
    }
}

/// 64 bits that sort as the number does; what does not fit sorts first or last.
#[must_use]
pub fn ordered(number: i128) -> u64 {
    let number = i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX });
    number.cast_unsigned() ^ 1 << 63
}

/// A number with its kind before it.
#[must_use]
pub fn wide(kind: u8, number: u128) -> Wide {
    let mut all = [kind; 17];
    all[1..].copy_from_slice(&number.to_be_bytes());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Facts;
    use crate::wire::dissect::dissect;

    /// Ethernet, IPv4 and UDP from port 53 to port 5000.
    const PACKET: &[u8] = &[
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10,
        0, 0, 2, 0, 53, 19, 136, 0, 8, 0, 0,
    ];

    fn with<T>(key: &str, of: impl Fn(&Column, &Packet<'_>) -> T) -> T {
        let column = Column::find(key).unwrap();
        let (full, mut near) = (dissect(1, PACKET), Dissection::default());
        column.dissect(1, PACKET, &mut near);
        let facts = Facts { number: 7, original: 60, time_ns: Some(1_500_000_000), ..Facts::default() };
        let text = column.text(&Packet { bytes: PACKET, found: &full, facts, flows: &[] });
        let packet = Packet { bytes: PACKET, found: &near, facts, flows: &[] };
        assert_eq!(column.text(&packet), text, "{key}: read as far as it looks");
        of(&column, &packet)
    }

    #[test]
    fn texts_are_those_of_read() {
        for (key, text) in [
            ("udp.port", "53,5000"),
            ("ip.src", "10.0.0.1"),
            ("eth.dst", "02:00:00:00:00:02"),
            ("frame.number", "7"),
            ("frame.time_relative", "1.500000000"),
            ("tcp.port", ""),
        ] {
            assert_eq!(with(key, Column::text), text, "{key}");
        }
        assert!(Column::find("udp.prt").unwrap_err().contains("udp.port"));
    }

    #[test]
    fn numbers_sort_as_they_are() {
        assert_eq!(with("ip.src", Column::number), Some(0x0a00_0001));
        assert_eq!(with("eth.src", Column::number), Some(0x0200_0000_0001));
        assert_eq!(with("udp.port", Column::number), Some(ordered(53)));
        assert_eq!(with("tcp.port", Column::number), None);
        assert_eq!(with("ipv6.src", Column::wide), None);
        let sorted = [i128::MIN, -5, -1, 0, 1, i128::from(i64::MAX)].map(ordered);
        assert!(sorted.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn keys_of_all_tables_can_be_columns() {
        // All of them would take seconds.
        for listed in keys::all().into_iter().step_by(41) {
            let column = Column::find(&listed.key);
            assert!(column.is_ok() || keys::find(&listed.key).is_err(), "{}: {column:?}", listed.key);
        }
    }
}
