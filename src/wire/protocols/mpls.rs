//! MPLS label stack entries, RFC 3032; traffic class RFC 5462. Each entry is a layer.

use crate::wire::table::{Compute, Family, Field, Header, Length, Next, OnTheWay, Space, To, When};
use crate::wire::view::LayerView;

const LABEL: Field = Field::number("label", "Label", 0, 20)
    .names(&[
        (0, "IPv4 explicit null"),
        (1, "router alert"),
        (2, "IPv6 explicit null"),
        (3, "implicit null"),
        (7, "entropy label indicator"),
        (13, "generic associated channel"),
        (14, "OAM alert"),
        (15, "extension"),
    ])
    .default(16);
const BOTTOM: Field = Field::number("bottom", "Bottom of Stack", 23, 1)
    .short("S")
    .default(1)
    .computed(Compute::NextHeader(Space::LabelStack));

/// MPLS.
pub static HEADER: Header = Header {
    key: "mpls",
    name: "MultiProtocol Label Switching",
    short: "MPLS",
    reference: "RFC 3032",
    fields: &[
        LABEL,
        Field::number("exp", "Traffic Class", 20, 3).short("TC").reference("RFC 5462"),
        BOTTOM,
        Field::number("ttl", "Time to Live", 24, 8)
            .short("TTL")
            .default(64)
            .on_the_way(OnTheWay::CountedDown),
    ],
    length: Length::Fixed(4),
    found_by: &[
        (Space::EtherType, 0x8847),
        (Space::EtherType, 0x8848),
        // RFC 4023.
        (Space::IpProtocol, 137),
        (Space::LabelStack, 0),
        (Space::Ppp, 0x0281),
    ],
    next: &[
        Next {
            when: Some(When { field: &BOTTOM, is: &[0], not: false }),
            to: To::Selected { by: &BOTTOM, space: Space::LabelStack },
            quoted: false,
        },
        // No field says what is behind the last label: its first bits do.
        Next { when: None, to: To::Version, quoted: false },
    ],
    family: Family::Shim,
    info,
    warnings: &[ttl_zero],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("label {} TTL {}", view.value_name("label"), view.text("ttl"))
}

fn ttl_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number("ttl") == Some(0)).then(|| "time to live 0: no router forwards it".into())
}
