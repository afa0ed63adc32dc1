//! Ethernet II and IEEE 802.3, clause 3: what stands behind the addresses is a type from 1536 on, else a length.

use crate::wire::table::{Compute, Extent, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const DST: Field = Field::mac("dst", "Destination", 0).computed(Compute::NeighbourAddress);
const SRC: Field = Field::mac("src", "Source", 48).computed(Compute::InterfaceAddress);
const TYPE: Field = Field::hex("type", "EtherType", 96, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));
const LEN: Field = Field::number("len", "Length", 96, 16).computed(Compute::TotalLength);

/// The upper bits of what is a type or a length.
const UPPER: Field = Field::number("type", "EtherType", 96, 7);

/// Names of EtherTypes.
pub(super) const TYPE_NAMES: &[(u64, &str)] = &[
    (0x0800, "IPv4"),
    (0x0806, "ARP"),
    (0x22eb, "ERSPAN III"),
    (0x6558, "Ethernet"),
    (0x8100, "802.1Q"),
    (0x86dd, "IPv6"),
    (0x880b, "PPP"),
    (0x8847, "MPLS"),
    (0x8848, "MPLS multicast"),
    (0x8863, "PPPoE discovery"),
    (0x8864, "PPPoE session"),
    (0x88a8, "802.1ad"),
    (0x88be, "ERSPAN"),
    (0x88cc, "LLDP"),
    (0x9000, "Loopback"),
    (0x9100, "802.1Q QinQ"),
];

/// The seven upper bits of a number below 1536.
pub(super) const IS_LENGTH: &[u64] = &[0, 1, 2];

/// A length says nothing of what follows: it is LLC.
pub(super) const BEHIND_LENGTH: &[Next] =
    &[Next { when: None, to: To::Always(Space::BehindLength, 0), quoted: false }];

/// An Ethernet frame in IP is 143 (RFC 8986 section 10.1), in GRE 0x6558 (RFC 1701), or ERSPAN type I, which has no header of its own.
const FOUND_BY: &[(Space, u32)] = &[
    (Space::LinkType, 1),
    (Space::IpProtocol, 143),
    (Space::EtherType, 0x6558),
    (Space::GreUnsequenced, 0x88be),
];

/// What both have in common.
const FRAME: Header = Header {
    short: "Ethernet",
    reference: "IEEE 802.3",
    length: Length::Fixed(14),
    ends: Some((&SRC, &DST)),
    family: Family::Link,
    row_bits: 48,
    info,
    warnings: &[group_source],
    ..Header::PLAIN
};

/// Ethernet II.
pub static HEADER: Header = Header {
    key: "eth",
    name: "Ethernet II",
    fields: &[DST, SRC, TYPE],
    found_by: FOUND_BY,
    next: &[Next { when: None, to: To::Selected { by: &TYPE, space: Space::EtherType }, quoted: false }],
    ..FRAME
};

/// A frame with a length in the place of the type.
pub static WITH_LENGTH: Header = Header {
    key: "dot3",
    prefix: "eth",
    name: "IEEE 802.3 Ethernet",
    short: "802.3",
    fields: &[DST, SRC, LEN],
    extent: Some(Extent { by: &LEN, beyond: 14, zero_is_open: None }),
    found_by: FOUND_BY,
    only_when: Some(When { field: &UPPER, is: IS_LENGTH, not: false }),
    next: BEHIND_LENGTH,
    warnings: &[group_source, length],
    ..FRAME
};

fn info(view: &LayerView<'_>) -> String {
    match view.field(TYPE.key) {
        Some(_) => format!("EtherType {}, {} bytes", view.value_name(TYPE.key), view.payload().len()),
        None => format!("length {}", view.text(LEN.key)),
    }
}

fn group_source(view: &LayerView<'_>) -> Option<String> {
    let group = view.number("src").is_some_and(|v| v >> 40 & 1 == 1);
    group.then(|| "the source address is a group address: bridges drop such frames".into())
}

fn length(view: &LayerView<'_>) -> Option<String> {
    let said = view.number(LEN.key)? as usize;
    let real = view.payload().len();
    if said > 1500 {
        Some(format!(
            "length {said} is over 1500, the most that IEEE 802.3 allows: from 1536 on it is a type"
        ))
    } else if said > real {
        Some(format!("length says {said} bytes, the frame has {real}: receivers drop it"))
    } else if said < real {
        Some(format!("length says {said} bytes, the frame has {real}: receivers take the rest for padding"))
    } else {
        None
    }
}
