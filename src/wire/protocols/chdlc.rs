//! Cisco HDLC: four bytes before the packet on serial lines (RFC 1547 section 4.3.1 names it; the numbers are EtherTypes).

use super::ethernet::TYPE_NAMES;
use crate::wire::table::{Compute, Family, Field, Header, Length, Next, Space, To};
use crate::wire::view::LayerView;

const PROTOCOL: Field = Field::hex("protocol", "Protocol", 16, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));

/// Cisco HDLC.
pub static HEADER: Header = Header {
    key: "chdlc",
    name: "Cisco HDLC",
    short: "cHDLC",
    reference: "RFC 1547",
    fields: &[
        Field::hex("address", "Address", 0, 8).names(&[(0x0f, "unicast"), (0x8f, "multicast")]).default(0x0f),
        Field::hex("control", "Control", 8, 8),
        PROTOCOL,
    ],
    length: Length::Fixed(4),
    found_by: &[(Space::LinkType, 104)],
    next: &[Next { when: None, to: To::Selected { by: &PROTOCOL, space: Space::EtherType }, quoted: false }],
    family: Family::Link,
    info,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let (address, protocol) = (view.value_name("address"), view.value_name(PROTOCOL.key));
    format!("{address}, protocol {protocol}, {} bytes", view.payload_len())
}
