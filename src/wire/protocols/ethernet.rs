//! Ethernet II, IEEE 802.3 clause 3.

use crate::wire::table::{Compute, Field, Header, Length, Next, Space, To};
use crate::wire::view::LayerView;

const DST: Field = Field::mac("dst", "Destination", 0).computed(Compute::NeighbourAddress);
const SRC: Field = Field::mac("src", "Source", 48).computed(Compute::InterfaceAddress);
const TYPE: Field = Field::hex("type", "EtherType", 96, 16)
    .names(&[
        (0x0800, "IPv4"),
        (0x0806, "ARP"),
        (0x8100, "802.1Q"),
        (0x86dd, "IPv6"),
        (0x8847, "MPLS"),
        (0x88a8, "802.1ad"),
        (0x88cc, "LLDP"),
        (0x9000, "Loopback"),
    ])
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));

/// Ethernet II.
pub static HEADER: Header = Header {
    key: "eth",
    name: "Ethernet II",
    short: "Ethernet",
    reference: "IEEE 802.3",
    fields: &[DST, SRC, TYPE],
    length: Length::Fixed(14),
    extent: None,
    found_by: &[(Space::LinkType, 1)],
    next: &[Next { when: None, to: To::Selected { by: &TYPE, space: Space::EtherType }, quoted: false }],
    items: None,
    ends: Some((&SRC, &DST)),
    network: false,
    row_bits: 48,
    info,
    warnings: &[group_source],
};

fn info(view: &LayerView<'_>) -> String {
    format!("EtherType {}, {} bytes", view.value_name("type"), view.payload().len())
}

fn group_source(view: &LayerView<'_>) -> Option<String> {
    let group = view.number("src").is_some_and(|v| v >> 40 & 1 == 1);
    group.then(|| "the source address is a group address: bridges drop such frames".into())
}
