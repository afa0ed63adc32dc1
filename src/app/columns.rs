//! The columns of the packet list: its own, and any key.

use super::settings::ColumnSetting;
use crate::engine::By;
use crate::filter::Column;

/// What a column shows.
#[derive(Clone, Debug)]
pub enum What {
    /// The packet's number.
    Number,
    /// Seconds since the first packet.
    Time,
    /// Sent or received.
    Direction,
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The innermost protocol.
    Protocol,
    /// The length on the wire.
    Length,
    /// What the innermost protocol says.
    Info,
    /// The values of a key.
    Field(Box<Column>),
    /// A key that there is not: why.
    Unknown(String),
}

/// The columns that are the list's own: key, title, width, what.
static OWN: [(&str, &str, Option<u16>, What); 8] = [
    ("number", "No.", Some(38), What::Number),
    ("time", "Time", Some(78), What::Time),
    ("direction", "", Some(9), What::Direction),
    ("source", "Source", Some(104), What::Source),
    ("destination", "Destination", Some(104), What::Destination),
    ("protocol", "Protocol", Some(54), What::Protocol),
    ("length", "Length", Some(42), What::Length),
    ("info", "Info", None, What::Info),
];

/// Widths that a column may have, in points.
pub const WIDTHS: std::ops::RangeInclusive<u16> = 9..=2000;
/// Points that a new column has for each letter of its title, and for the arrow of a sorted one.
const LETTER: usize = 7;
const ARROW: usize = 16;

/// The columns of a list that nobody changed.
#[must_use]
pub fn default_columns() -> Vec<ColumnSetting> {
    OWN.iter().filter_map(|own| setting(own.0).ok()).collect()
}

/// The keys and the titles of the list's own columns.
pub fn own_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN.iter().map(|(key, title, ..)| (*key, if title.is_empty() { "Direction" } else { *title }))
}

/// A new column of this key.
///
/// # Errors
/// There is no such key, with the nearest.
pub fn setting(key: &str) -> Result<ColumnSetting, String> {
    let key = key.trim();
    let (title, width) = match OWN.iter().find(|own| own.0 == key) {
        Some((_, title, width, _)) => (*title, *width),
        None => {
            Column::find(key)?;
            (key, u16::try_from(key.len() * LETTER + ARROW).ok())
        }
    };
    Ok(ColumnSetting { key: key.to_owned(), title: title.to_owned(), width })
}

/// Where a new column goes: before the one at the end that takes what the others leave.
#[must_use]
pub fn place_of_new(columns: &[ColumnSetting]) -> usize {
    columns.len() - usize::from(columns.last().is_some_and(|c| c.width.is_none()))
}

impl What {
    /// What a column of this key shows.
    #[must_use]
    pub fn of(key: &str) -> Self {
        if let Some(own) = OWN.iter().find(|own| own.0 == key) {
            return own.3.clone();
        }
        match Column::find(key) {
            Ok(column) => Self::Field(Box::new(column)),
            Err(why) => Self::Unknown(why),
        }
    }

    /// What rows are sorted by in it.
    #[must_use]
    pub fn by(&self) -> Option<By> {
        Some(match self {
            Self::Number => By::Number,
            Self::Time => By::Time,
            Self::Direction => By::Direction,
            Self::Source => By::Source,
            Self::Destination => By::Destination,
            Self::Protocol => By::Protocol,
            Self::Length => By::Length,
            Self::Info => By::Info,
            Self::Field(column) => By::Field(column.clone()),
            Self::Unknown(_) => return None,
        })
    }

    /// Whether its texts are numbers, which stand to the right.
    #[must_use]
    pub fn is_number(&self) -> bool {
        match self {
            Self::Number | Self::Time | Self::Length => true,
            Self::Field(column) => column.is_number(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_column_stands_before_the_one_that_takes_the_rest() {
        let mut columns = default_columns();
        assert_eq!(place_of_new(&columns), 7);
        columns[7].width = Some(300);
        assert_eq!(place_of_new(&columns), 8);
        assert_eq!(place_of_new(&[]), 0);
        let added = setting(" tcp.srcport ").unwrap();
        assert_eq!((added.key.as_str(), added.title.as_str()), ("tcp.srcport", "tcp.srcport"));
        assert!(setting("tcp.srcprt").unwrap_err().contains("tcp.srcport"));
    }

    #[test]
    fn all_but_unknown_ones_can_be_sorted_by() {
        assert!(own_columns().all(|(key, _)| What::of(key).by().is_some()));
        assert!(What::of("ip.ttl").by().is_some() && What::of("ip.ttl").is_number());
        assert!(!What::of("ip.src").is_number());
        assert!(What::of("sip.method").by().is_none());
    }
}
