//! SCTP's common header, RFC 9260.

use crate::wire::table::{Compute, Coverage, Family, Field, Header, Length, Space};
use crate::wire::view::LayerView;

/// SCTP.
pub static HEADER: Header = Header {
    key: "sctp",
    name: "Stream Control Transmission Protocol",
    short: "SCTP",
    reference: "RFC 9260",
    fields: &[
        Field::number("srcport", "Source Port Number", 0, 16).default(20000),
        Field::number("dstport", "Destination Port Number", 16, 16).default(80),
        Field::hex("verification_tag", "Verification Tag", 32, 32).alias(&[("vtag", 1)]),
        Field::hex("checksum", "Checksum", 64, 32)
            .computed(Compute::Checksum { coverage: Coverage::Crc32c, zero_is_none: false }),
    ],
    length: Length::Fixed(12),
    found_by: &[(Space::IpProtocol, 132)],
    family: Family::Transport,
    info,
    warnings: &[port_zero],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!(
        "{} → {} tag {} length {}",
        view.text("srcport"),
        view.text("dstport"),
        view.text("verification_tag"),
        view.payload_len()
    )
}

fn port_zero(view: &LayerView<'_>) -> Option<String> {
    let zero = view.number("srcport") == Some(0) || view.number("dstport") == Some(0);
    zero.then(|| "port 0 is not allowed (RFC 9260 section 3.1)".into())
}
