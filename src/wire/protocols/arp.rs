//! ARP for Ethernet and IPv4, RFC 826.

use crate::wire::table::{Answer, Family, Field, Header, Length, Space, When};
use crate::wire::view::LayerView;

/// Hardware type, protocol type and both sizes: Ethernet or IEEE 802, IPv4. Addresses of other kinds and sizes are shown as
/// bytes.
const KINDS: Field = Field::hex("hw.type", "Kinds of Addresses", 0, 48);
const ETHERNET_AND_IPV4: When = When::is(&KINDS, &[0x0001_0800_0604, 0x0006_0800_0604]);

const OPCODE: Field =
    Field::number("opcode", "Operation", 48, 16).names(&[(1, "request"), (2, "reply")]).default(1);
const SENDER_MAC: Field = Field::mac("src.hw_mac", "Sender Hardware Address", 64);
const TARGET_MAC: Field = Field::mac("dst.hw_mac", "Target Hardware Address", 144);
const SENDER: Field = Field::ipv4("src.proto_ipv4", "Sender Protocol Address", 112);
const TARGET: Field = Field::ipv4("dst.proto_ipv4", "Target Protocol Address", 192);

/// ARP.
pub static HEADER: Header = Header {
    key: "arp",
    name: "Address Resolution Protocol",
    short: "ARP",
    reference: "RFC 826",
    fields: &[
        Field::number("hw.type", "Hardware Type", 0, 16).names(&[(1, "Ethernet")]).default(1),
        Field::hex("proto.type", "Protocol Type", 16, 16).names(&[(0x0800, "IPv4")]).default(0x0800),
        Field::number("hw.size", "Hardware Address Length", 32, 8).short("HLen").default(6),
        Field::number("proto.size", "Protocol Address Length", 40, 8).short("PLen").default(4),
        OPCODE,
        SENDER_MAC.when(ETHERNET_AND_IPV4),
        SENDER.when(ETHERNET_AND_IPV4),
        TARGET_MAC.when(ETHERNET_AND_IPV4),
        TARGET.when(ETHERNET_AND_IPV4),
    ],
    length: Length::Cases { cases: &[(ETHERNET_AND_IPV4, 28)], otherwise: 8 },
    extent: None,
    found_by: &[(Space::EtherType, 0x0806)],
    next: &[],
    items: None,
    ends: None,
    network: false,
    answer: Some(Answer {
        swaps: &[(&SENDER_MAC, &TARGET_MAC), (&SENDER, &TARGET)],
        kind: Some(&OPCODE),
        kinds: &[(1, 2)],
        own: Some(&SENDER_MAC),
        ..Answer::PLAIN
    }),
    family: Family::Control,
    row_bits: 32,
    info,
    warnings: &[],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let (sender, target) = (view.text(SENDER.key), view.text(TARGET.key));
    match view.number("opcode") {
        Some(1) if sender == target => format!("announcement of {sender}"),
        Some(1) => format!("who has {target}? tell {sender}"),
        Some(2) => format!("{sender} is at {}", view.text("src.hw_mac")),
        Some(other) => format!("operation {other}"),
        None => "cut short".into(),
    }
}
