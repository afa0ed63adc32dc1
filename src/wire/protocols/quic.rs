//! QUIC, RFC 9000: the beginning of a long header. What follows is read by [`crate::wire::readers::quic`].

use crate::wire::readers::quic as reader;
use crate::wire::table::{Family, Field, Header, Length, Space};
use crate::wire::value;
use crate::wire::view::LayerView;

/// Of version 1.
const TYPES: &[(u64, &str)] = &[(0, "Initial"), (1, "0-RTT"), (2, "Handshake"), (3, "Retry")];

/// QUIC, a packet with a long header.
pub static HEADER: Header = Header {
    key: "quic",
    name: "QUIC",
    short: "QUIC",
    reference: "RFC 9000",
    fields: &[
        Field::flag("header_form", "Header Form", 0).short("L").default(1),
        Field::flag("fixed_bit", "Fixed Bit", 1).short("F").default(1),
        Field::number("long.packet_type", "Packet Type", 2, 2).short("Type").names(TYPES),
        Field::hex("long.protected", "Type-Specific Bits (protected)", 4, 4).short("Bits"),
        Field::hex("version", "Version", 8, 32).names(reader::VERSIONS).default(1),
    ],
    length: Length::Fixed(reader::FIXED_LEN),
    found_by: &[(Space::UdpPort, 443)],
    accepts: Some(reader::begins),
    reader: Some(&reader::READER),
    family: Family::Application,
    info,
    ..Header::PLAIN
};

/// The row in Wireshark's manner: `Initial, DCID=8394c8f03e515708, SCID=00010203`.
fn info(view: &LayerView<'_>) -> String {
    let layer = view.layer();
    let bytes = view.bytes.get(layer.start..layer.payload_range().end).unwrap_or_default();
    let (Some(first), Some(version)) = (bytes.first(), view.number("version")) else { return String::new() };
    let kind = match reader::kind(*first, version as u64) {
        reader::Kind::Initial => "Initial",
        reader::Kind::ZeroRtt => "0-RTT",
        reader::Kind::Handshake => "Handshake",
        reader::Kind::Retry => "Retry",
        reader::Kind::Negotiation => "Version Negotiation",
    };
    let mut text = kind.to_owned();
    if let Some((destination, source)) = reader::ids(bytes) {
        for (name, id) in [("DCID", destination), ("SCID", source)] {
            if !id.is_empty() {
                text += &format!(", {name}={}", value::hex_plain(id));
            }
        }
    }
    text
}
