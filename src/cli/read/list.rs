//! A row for each packet: number, time, source, destination, protocol, length, info.

use std::io::Write;

use super::Packet;
use crate::wire::summary;

/// Writes the row.
///
/// # Errors
/// Those of `out`.
pub fn write(packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let row = summary::row(packet.link_type(), packet.bytes);
    let time = packet.entry.has_time().then(|| relative(packet.entry.timestamp_ns, packet.first_ns));
    write_row(packet.number, time.as_deref().unwrap_or("-"), packet.entry.original, &row, out)
}

/// Writes a row of a list.
///
/// # Errors
/// Those of `out`.
pub fn write_row(
    number: usize,
    time: &str,
    length: u32,
    row: &summary::Row,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let line = format!(
        "{number:>6} {time:>11} {:<15} {:<15} {:<8} {length:>5} {}",
        row.source, row.destination, row.protocol, row.info
    );
    writeln!(out, "{}", line.trim_end())
}

/// Seconds since the first packet with six digits, which cut and do not round: no packet comes before its time.
#[must_use]
pub fn relative(time_ns: u64, first_ns: u64) -> String {
    let (sign, ns) = difference(time_ns, first_ns);
    format!("{sign}{}.{:06}", ns / 1_000_000_000, ns % 1_000_000_000 / 1000)
}

/// `a - b` as a sign and an amount.
#[must_use]
pub fn difference(a: u64, b: u64) -> (&'static str, u64) {
    if a < b { ("-", b - a) } else { ("", a - b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_before_the_first_has_a_negative_time() {
        assert_eq!(difference(5, 7), ("-", 2));
        assert_eq!(difference(7, 5), ("", 2));
    }
}
