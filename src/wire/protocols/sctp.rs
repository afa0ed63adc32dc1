//! SCTP's common header, RFC 9260.

use crate::wire::items::ItemSpan;
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
    items: Some(&super::sctp_chunks::CHUNKS),
    family: Family::Transport,
    info,
    warnings: &[port_zero, item_problem],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let chunk = |span: ItemSpan| match span.item.kind {
        Some(_) => span.item.name.to_owned(),
        None => span.terse_text(view.bytes),
    };
    let chunks: Vec<String> = view.items().into_iter().filter(|s| s.depth == 0).map(chunk).collect();
    let (src, dst) = (view.text("srcport"), view.text("dstport"));
    format!("{src} → {dst} tag {} {}", view.text("verification_tag"), chunks.join(", "))
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}

fn port_zero(view: &LayerView<'_>) -> Option<String> {
    let zero = view.number("srcport") == Some(0) || view.number("dstport") == Some(0);
    zero.then(|| "port 0 is not allowed (RFC 9260 section 3.1)".into())
}
