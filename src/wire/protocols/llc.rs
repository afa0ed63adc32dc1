//! Logical link control, IEEE 802.2, and the SNAP header behind it, IEEE 802.

use super::ethernet::TYPE_NAMES;
use crate::wire::table::{Compute, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const SAPS: &[(u64, &str)] = &[
    (0x00, "null"),
    (0x06, "IPv4"),
    (0x42, "spanning tree"),
    (0xaa, "SNAP"),
    (0xe0, "NetWare"),
    (0xf0, "NetBIOS"),
    (0xfe, "OSI network layer"),
    (0xff, "global"),
];
const DSAP: Field = Field::hex("dsap", "Destination Service Access Point", 0, 8)
    .short("DSAP")
    .names(SAPS)
    .computed(Compute::NextHeader(Space::Sap));
const SSAP: Field = Field::hex("ssap", "Source Service Access Point", 8, 8)
    .short("SSAP")
    .names(SAPS)
    .computed(Compute::NextHeader(Space::Sap));
/// Of an unnumbered frame the control field has one byte.
const CONTROL: Field =
    Field::group("control", "Control", 16, 8).digits(4).names(&[(0x03, "UI"), (0xaf, "XID"), (0xe3, "TEST")]);
const FIRST: Field = Field::hex("control.first", "First Byte of Control", 16, 8).short("Control").default(3);

/// Both access points at once: SNAP is where both say so (IEEE 802).
const BOTH: Field = Field::hex("dsap", "Access Points", 0, 16);

/// Both lower bits set: an unnumbered frame, whose control field is one byte long.
const FORMAT: Field = Field::number("control", "Control", 22, 2);
const NUMBERED: When = When { field: &FORMAT, is: &[3], not: true };
const UNNUMBERED: When = When { field: &FORMAT, is: &[3], not: false };

/// Data follow in information frames, which are even, and in unnumbered information.
const INFORMATION: When = When::is(&FIRST, INFORMATION_FRAMES);
const INFORMATION_FRAMES: &[u64] = &{
    let mut all = [3; 129];
    let mut at = 0;
    while at < 128 {
        all[at] = 2 * at as u64;
        at += 1;
    }
    all
};

/// Of a numbered frame the control field has two bytes, the lower one first.
const NUMBERED_CONTROL: Field = Field::group("control", "Control", 16, 16).little();

/// Logical link control.
pub static HEADER: Header = Header {
    key: "llc",
    name: "Logical Link Control",
    short: "LLC",
    reference: "IEEE 802.2",
    fields: &[
        DSAP,
        SSAP,
        CONTROL.when(UNNUMBERED),
        NUMBERED_CONTROL.when(NUMBERED),
        FIRST,
        Field::number("control.n_r", "N(R)", 24, 7).when(NUMBERED),
        Field::flag("control.pf", "Poll or Final", 31).short("P/F").when(NUMBERED),
    ],
    length: Length::Cases { cases: &[(NUMBERED, 4)], otherwise: 3 },
    found_by: &[(Space::BehindLength, 0)],
    next: &[
        Next { when: Some(INFORMATION.negated()), to: To::Nothing, quoted: false },
        Next { when: Some(When::is(&BOTH, &[0xaaaa])), to: To::Always(Space::Sap, 0xaa), quoted: false },
        Next { when: Some(When::is(&DSAP, &[0xaa])), to: To::Nothing, quoted: false },
        Next { when: None, to: To::Selected { by: &DSAP, space: Space::Sap }, quoted: false },
    ],
    family: Family::Shim,
    info,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!(
        "{} → {} control {} length {}",
        view.value_name(SSAP.key),
        view.value_name(DSAP.key),
        view.value_name(CONTROL.key),
        view.payload_len()
    )
}

const OUI: Field = Field::number("oui", "Organizationally Unique Identifier", 0, 24).short("OUI").names(&[
    (0, "EtherType"),
    (0x00_000c, "Cisco"),
    (0x00_00f8, "EtherType, bridged"),
    (0x00_80c2, "802.1"),
]);
const TYPE: Field = Field::hex("type", "EtherType", 24, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));
/// Of these organizations the number is an EtherType (RFC 1042; IEEE 802.1H).
const HAS_TYPE: When = When { field: &OUI, is: &[0, 0x00_00f8], not: false };
const CISCO: When = When { field: &OUI, is: &[0x00_000c], not: false };

/// The SNAP header.
pub static SNAP: Header = Header {
    key: "snap",
    prefix: "llc",
    name: "Subnetwork Access Protocol",
    short: "SNAP",
    reference: "RFC 1042",
    fields: &[
        OUI,
        TYPE.when(HAS_TYPE),
        Field::hex("cisco_pid", "Protocol Identifier", 24, 16)
            .names(&[(0x010b, "PVST+"), (0x2000, "CDP"), (0x2003, "VTP"), (0x2004, "DTP")])
            .default(0x2000)
            .when(CISCO),
        Field::hex("pid", "Protocol Identifier", 24, 16).when(When {
            field: &OUI,
            is: &[0, 0x00_000c, 0x00_00f8],
            not: true,
        }),
    ],
    length: Length::Fixed(5),
    found_by: &[(Space::Sap, 0xaa)],
    next: &[Next {
        when: Some(HAS_TYPE),
        to: To::Selected { by: &TYPE, space: Space::EtherType },
        quoted: false,
    }],
    family: Family::Shim,
    info: snap_info,
    ..Header::PLAIN
};

fn snap_info(view: &LayerView<'_>) -> String {
    let length = view.payload_len();
    let Some(oui) = view.number(OUI.key) else { return "cut short".into() };
    for key in ["cisco_pid", "pid"] {
        if view.field(key).is_some() {
            return format!("OUI {oui:06x} protocol {}, {length} bytes", view.value_name(key));
        }
    }
    format!("EtherType {}, {length} bytes", view.value_name(TYPE.key))
}
