//! VLAN tags: IEEE 802.1Q with a type or, as within IEEE 802.3, a length behind it, and the service tag of IEEE 802.1ad
//! (QinQ).

use super::ethernet::{IS_LENGTH, TYPE_NAMES};
use crate::wire::table::{Compute, Extent, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const PRIORITY: Field = Field::number("priority", "Priority Code Point", 0, 3).short("PCP").names(&[
    (0, "best effort"),
    (1, "background"),
    (2, "excellent effort"),
    (3, "critical applications"),
    (4, "video"),
    (5, "voice"),
    (6, "internetwork control"),
    (7, "network control"),
]);
const DEI: Field = Field::flag("dei", "Drop Eligible Indicator", 3).short("DEI");
const ID: Field = Field::number("id", "VLAN Identifier", 4, 12).short("VID").default(1);
const ETYPE: Field = Field::hex("etype", "EtherType", 16, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));
const LEN: Field = Field::number("len", "Length", 16, 16).computed(Compute::TotalLength);

/// The upper bits of what stands behind the tag.
const UPPER: Field = Field::number("etype", "EtherType", 16, 7);

/// What the three have in common.
const TAG: Header = Header {
    short: "VLAN",
    reference: "IEEE 802.1Q",
    fields: &[PRIORITY, DEI, ID, ETYPE],
    length: Length::Fixed(4),
    // 0x9100 stood before two tags ere there was a number for that.
    found_by: &[(Space::EtherType, 0x8100), (Space::EtherType, 0x9100)],
    next: &[Next { when: None, to: To::Selected { by: &ETYPE, space: Space::EtherType }, quoted: false }],
    separates: Some(&ID),
    family: Family::Shim,
    info,
    warnings: &[reserved_id],
    ..Header::PLAIN
};

/// A tag of IEEE 802.1Q.
pub static HEADER: Header = Header { key: "vlan", name: "802.1Q Virtual LAN", ..TAG };

/// A tag before a length.
pub static WITH_LENGTH: Header = Header {
    key: "vlan_len",
    prefix: "vlan",
    name: "802.1Q Virtual LAN with length",
    fields: &[PRIORITY, DEI, ID, LEN],
    extent: Some(Extent { by: &LEN, beyond: 4, zero_is_open: None }),
    only_when: Some(When { field: &UPPER, is: IS_LENGTH, not: false }),
    next: super::ethernet::BEHIND_LENGTH,
    ..TAG
};

/// A tag of the provider.
pub static SERVICE: Header = Header {
    key: "svlan",
    prefix: "ieee8021ad",
    name: "802.1ad Service VLAN",
    short: "S-VLAN",
    reference: "IEEE 802.1ad",
    found_by: &[(Space::EtherType, 0x88a8)],
    ..TAG
};

fn info(view: &LayerView<'_>) -> String {
    let text = format!("VLAN {} priority {}", view.text("id"), view.text("priority"));
    match view.field(ETYPE.key) {
        Some(_) => format!("{text} EtherType {}", view.value_name(ETYPE.key)),
        None => format!("{text} length {}", view.payload_len()),
    }
}

fn reserved_id(view: &LayerView<'_>) -> Option<String> {
    match view.number("id")? {
        0xfff => Some("VLAN 4095 is reserved: bridges drop the frame".into()),
        _ => None,
    }
}
