//! `-e`: values of fields, tab-separated, as tshark 4.0 prints them with `-T fields`.

use std::io::Write;

use crate::cli::keys::Meaning;
use crate::cli::packet::Packet;
use crate::filter::values;
use crate::wire::dissect::dissect;

/// Writes the line of a packet.
///
/// # Errors
/// Those of `out`.
pub fn write_line(meanings: &[Meaning], packet: &Packet<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let found = dissect(packet.link_type(), packet.bytes);
    let packet = packet.keyed(&found);
    let read = values::read(meanings, &packet);
    for (i, meaning) in meanings.iter().enumerate() {
        if i > 0 {
            out.write_all(b"\t")?;
        }
        out.write_all(values::values(meaning, &packet, &read).join(",").as_bytes())?;
    }
    writeln!(out)
}
