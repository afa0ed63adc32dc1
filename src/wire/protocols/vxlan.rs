//! VXLAN, RFC 7348, with the group policy extension (draft-smith-vxlan-group-policy).

use crate::wire::table::{Family, Field, Header, Length, Next, Space, To};
use crate::wire::view::LayerView;

/// VXLAN.
pub static HEADER: Header = Header {
    key: "vxlan",
    name: "Virtual eXtensible Local Area Network",
    short: "VXLAN",
    reference: "RFC 7348",
    fields: &[
        Field::group("flags", "Flags", 0, 16),
        Field::flag("flag_g", "Group Policy Extension", 0).short("G"),
        Field::number("flags.r1", "Reserved", 1, 3).short("R"),
        Field::flag("flag_i", "VNI Present", 4).short("I").default(1),
        Field::number("flags.r2", "Reserved", 5, 4).short("R"),
        Field::flag("flag_d", "Don't Learn", 9).short("D"),
        Field::number("flags.r3", "Reserved", 10, 2).short("R"),
        Field::flag("flag_a", "Policy Applied", 12).short("A"),
        Field::number("flags.r4", "Reserved", 13, 3).short("R"),
        Field::number("gbp", "Group Policy ID", 16, 16),
        Field::number("vni", "VXLAN Network Identifier", 32, 24).short("VNI").default(1),
        Field::number("reserved8", "Reserved", 56, 8),
    ],
    length: Length::Fixed(8),
    found_by: &[(Space::UdpPort, 4789)],
    next: &[Next { when: None, to: To::Always(Space::LinkType, 1), quoted: false }],
    family: Family::Tunnel,
    info,
    warnings: &[no_vni],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("VNI {} length {}", view.text("vni"), view.payload_len())
}

fn no_vni(view: &LayerView<'_>) -> Option<String> {
    (!view.is_set("flag_i")).then(|| "the flag I is not set: receivers drop it".into())
}
