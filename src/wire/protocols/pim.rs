//! PIM, RFC 7761 section 4.9: the header, and what a register message carries. Other messages are shown as bytes.

use crate::wire::table::{Compute, Coverage, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const TYPE: Field = Field::number("type", "Type", 4, 4).names(&[
    (0, "Hello"),
    (1, "Register"),
    (2, "Register-Stop"),
    (3, "Join/Prune"),
    (4, "Bootstrap"),
    (5, "Assert"),
    (6, "Graft"),
    (7, "Graft-Ack"),
    (8, "Candidate-RP-Advertisement"),
    (9, "State Refresh"),
    (10, "DF Election"),
]);
const REGISTER: When = When::is(&TYPE, &[1]);

/// PIM.
pub static HEADER: Header = Header {
    key: "pim",
    name: "Protocol Independent Multicast",
    short: "PIM",
    reference: "RFC 7761",
    fields: &[
        Field::number("version", "PIM Ver", 0, 4).short("Ver").default(2),
        TYPE,
        Field::bytes("res_bytes", "Reserved", 8, 8),
        Field::hex("cksum", "Checksum", 16, 16)
            .alias(&[("checksum", 1)])
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeaderOverV6, zero_is_none: false }),
        Field::group("register_flag", "Flags", 32, 32).when(REGISTER),
        Field::flag("register_flag.border", "Border", 32).short("B").when(REGISTER),
        Field::flag("register_flag.null_register", "Null-Register", 33).short("N").when(REGISTER),
        Field::number("register_flag.reserved", "Reserved2", 34, 30).when(REGISTER),
    ],
    length: Length::Cases { cases: &[(REGISTER, 8)], otherwise: 4 },
    covers: Some(covers),
    found_by: &[(Space::IpProtocol, 103)],
    next: &[Next { when: Some(REGISTER), to: To::Version, quoted: false }],
    family: Family::Control,
    info,
    ..Header::PLAIN
};

/// The packet in a register message is not covered (section 4.9).
fn covers(view: &LayerView<'_>) -> Option<usize> {
    Some(if REGISTER.holds(view.header_bytes()) { 8 } else { view.layer().declared })
}

fn info(view: &LayerView<'_>) -> String {
    let null = if view.is_set("register_flag.null_register") { " null" } else { "" };
    format!("{}{null} length {}", view.value_name(TYPE.key), view.payload_len())
}
