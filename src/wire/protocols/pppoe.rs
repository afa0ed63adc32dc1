//! PPP over Ethernet, RFC 2516.

use crate::wire::table::{Compute, Extent, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const VERSION: Field = Field::number("version", "Version", 0, 4).short("Ver").default(1);
const TYPE: Field = Field::number("type", "Type", 4, 4).default(1);
const CODE: Field = Field::hex("code", "Code", 8, 8).names(&[
    (0x00, "session data"),
    (0x07, "PADO"),
    (0x09, "PADI"),
    (0x19, "PADR"),
    (0x65, "PADS"),
    (0xa7, "PADT"),
]);
const SESSION: Field = Field::hex("session_id", "Session ID", 16, 16);
const LENGTH: Field =
    Field::number("payload_length", "Length", 32, 16).alias(&[("len", 1)]).computed(Compute::TotalLength);

/// A length of zero means what it says.
const NEVER: When = When::is(&LENGTH, &[]);

/// What both have in common.
const PPPOE: Header = Header {
    prefix: "pppoe",
    short: "PPPoE",
    reference: "RFC 2516",
    length: Length::Fixed(6),
    extent: Some(Extent { by: &LENGTH, beyond: 6, zero_is_open: Some(NEVER) }),
    info,
    warnings: &[length],
    ..Header::PLAIN
};

/// The session stage.
pub static SESSION_STAGE: Header = Header {
    key: "pppoes",
    name: "PPP over Ethernet, session",
    fields: &[VERSION, TYPE, CODE, SESSION, LENGTH],
    found_by: &[(Space::EtherType, 0x8864)],
    next: &[Next { when: None, to: To::Always(Space::LinkType, 9), quoted: false }],
    family: Family::Shim,
    ..PPPOE
};

/// The discovery stage.
pub static DISCOVERY: Header = Header {
    key: "pppoed",
    name: "PPP over Ethernet, discovery",
    fields: &[VERSION, TYPE, CODE.default(9), SESSION, LENGTH],
    found_by: &[(Space::EtherType, 0x8863)],
    // A length of zero: there are no tags, and what follows is padding.
    extent: Some(Extent { by: &LENGTH, beyond: 6, zero_is_open: Some(When::is(&LENGTH, &[])) }),
    items: Some(&super::pppoe_tags::LIST),
    family: Family::Control,
    ..PPPOE
};

fn info(view: &LayerView<'_>) -> String {
    format!("{} session {} length {}", view.value_name(CODE.key), view.text(SESSION.key), view.payload_len())
}

fn length(view: &LayerView<'_>) -> Option<String> {
    let said = view.number(LENGTH.key)? as usize;
    let real = view.items_range().len() + view.payload().len();
    (said != real).then(|| format!("length says {said} bytes, there are {real} behind the header"))
}
