//! Linux cooked captures (tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and LINKTYPE_LINUX_SLL2.html): what a packet socket
//! tells of a packet from any interface.

use super::ethernet::{IS_LENGTH, TYPE_NAMES};
use crate::wire::table::{Compute, Family, Field, Header, Length, Next, Shown, Space, To, When};
use crate::wire::view::LayerView;

const PKTTYPES: &[(u64, &str)] = &[
    (0, "to us"),
    (1, "broadcast"),
    (2, "multicast"),
    (3, "to another host"),
    (4, "from us"),
    (5, "looped back"),
    (6, "to user space"),
    (7, "to the kernel"),
];
const HATYPES: &[(u64, &str)] = &[
    (1, "Ethernet"),
    (512, "PPP"),
    (768, "IP in IP"),
    (772, "loopback"),
    (776, "6in4"),
    (778, "GRE over IP"),
];

const HALEN: Field = Field::number("halen", "Link-Layer Address Length", 32, 16).short("HLen").default(6);
const ETYPE: Field = Field::hex("etype", "Protocol Type", 112, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));
/// Below 1536 it is a number of Linux, no EtherType (linux/if_ether.h).
const LTYPE: Field = Field::group("ltype", "Protocol", 112, 16).names(LINUX_TYPES);
const UPPER: Field = Field::number("etype", "Protocol Type", 112, 7);
const IS_LINUX: When = When::is(&UPPER, IS_LENGTH);
const LINUX_TYPES: &[(u64, &str)] =
    &[(1, "802.3 without 802.2"), (3, "Ethernet frame"), (LLC, "802.2"), (0x0c, "CAN"), (0x0d, "CAN FD")];
const HAS_MAC: When = When { field: &HALEN, is: &[6], not: false };
const HAS_IPV4: When = When { field: &HALEN, is: &[4], not: false };
const HAS_NONE: When = When { field: &HALEN, is: &[0], not: false };
const HAS_OTHER: When = When { field: &HALEN, is: &[0, 4, 6], not: true };

/// The first version.
pub static HEADER: Header = Header {
    key: "sll",
    name: "Linux cooked capture v1",
    short: "Linux cooked",
    reference: "LINKTYPE_LINUX_SLL",
    fields: &[
        Field::number("pkttype", "Packet Type", 0, 16).names(PKTTYPES),
        Field::number("hatype", "ARPHRD Type", 16, 16).names(HATYPES).default(1),
        HALEN,
        Field::mac("src.eth", "Link-Layer Address", 48).alias(&[("src", 1)]).when(HAS_MAC),
        Field::hex("unused", "Unused", 96, 16).shown(Shown::Bytes).when(HAS_MAC),
        Field::ipv4("src.ipv4", "Link-Layer Address", 48).alias(&[("src", 1)]).when(HAS_IPV4),
        Field::hex("unused", "Unused", 80, 32).shown(Shown::Bytes).when(HAS_IPV4),
        Field::hex("unused", "Unused", 48, 64).shown(Shown::Bytes).when(HAS_NONE),
        Field::hex("src.other", "Link-Layer Address", 48, 64)
            .shown(Shown::Bytes)
            .alias(&[("src", 1)])
            .when(HAS_OTHER),
        ETYPE.shown(Shown::If(IS_LINUX.negated())),
        LTYPE.when(IS_LINUX),
    ],
    length: Length::Fixed(16),
    found_by: &[(Space::LinkType, 113)],
    next: &[
        Next {
            when: Some(When { field: &ETYPE, is: &[LLC], not: false }),
            to: To::Always(Space::BehindLength, 0),
            quoted: false,
        },
        Next {
            when: Some(When { field: &ETYPE, is: &[FRAME], not: false }),
            to: To::Always(Space::LinkType, 1),
            quoted: false,
        },
        Next { when: None, to: To::Selected { by: &ETYPE, space: Space::EtherType }, quoted: false },
    ],
    family: Family::Link,
    info,
    ..Header::PLAIN
};

/// What Linux calls a whole frame of Ethernet there (ETH_P_ALL).
const FRAME: u64 = 3;
/// What Linux calls IEEE 802.2 in the place of an EtherType (ETH_P_802_2).
const LLC: u64 = 4;

const ETYPE_V2: Field = Field::hex("etype", "Protocol Type", 0, 16)
    .names(TYPE_NAMES)
    .default(0x9000)
    .computed(Compute::NextHeader(Space::EtherType));
const LTYPE_V2: Field = Field::group("ltype", "Protocol", 0, 16).names(LINUX_TYPES);
const UPPER_V2: Field = Field::number("etype", "Protocol Type", 0, 7);
const IS_LINUX_V2: When = When::is(&UPPER_V2, IS_LENGTH);
const HALEN_V2: Field = Field::number("halen", "Link-Layer Address Length", 88, 8).short("HLen").default(6);
const HAS_MAC_V2: When = When { field: &HALEN_V2, is: &[6], not: false };
const HAS_IPV4_V2: When = When { field: &HALEN_V2, is: &[4], not: false };
const HAS_NONE_V2: When = When { field: &HALEN_V2, is: &[0], not: false };
const HAS_OTHER_V2: When = When { field: &HALEN_V2, is: &[0, 4, 6], not: true };

/// The second version, with the interface.
pub static V2: Header = Header {
    key: "sll2",
    prefix: "sll",
    name: "Linux cooked capture v2",
    short: "Linux cooked",
    reference: "LINKTYPE_LINUX_SLL2",
    fields: &[
        ETYPE_V2.shown(Shown::If(IS_LINUX_V2.negated())),
        LTYPE_V2.when(IS_LINUX_V2),
        Field::hex("reserved", "Reserved", 16, 16),
        Field::number("ifindex", "Interface Index", 32, 32).default(1),
        Field::number("hatype", "ARPHRD Type", 64, 16).names(HATYPES).default(1),
        Field::number("pkttype", "Packet Type", 80, 8).names(PKTTYPES),
        HALEN_V2,
        Field::mac("src.eth", "Link-Layer Address", 96).alias(&[("src", 1)]).when(HAS_MAC_V2),
        Field::hex("unused", "Unused", 144, 16).shown(Shown::Bytes).when(HAS_MAC_V2),
        Field::ipv4("src.ipv4", "Link-Layer Address", 96).alias(&[("src", 1)]).when(HAS_IPV4_V2),
        Field::hex("unused", "Unused", 128, 32).shown(Shown::Bytes).when(HAS_IPV4_V2),
        Field::hex("unused", "Unused", 96, 64).shown(Shown::Bytes).when(HAS_NONE_V2),
        Field::hex("src.other", "Link-Layer Address", 96, 64)
            .shown(Shown::Bytes)
            .alias(&[("src", 1)])
            .when(HAS_OTHER_V2),
    ],
    length: Length::Fixed(20),
    found_by: &[(Space::LinkType, 276)],
    next: &[
        Next {
            when: Some(When { field: &ETYPE_V2, is: &[LLC], not: false }),
            to: To::Always(Space::BehindLength, 0),
            quoted: false,
        },
        Next {
            when: Some(When { field: &ETYPE_V2, is: &[FRAME], not: false }),
            to: To::Always(Space::LinkType, 1),
            quoted: false,
        },
        Next { when: None, to: To::Selected { by: &ETYPE_V2, space: Space::EtherType }, quoted: false },
    ],
    family: Family::Link,
    info,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let (from, length) = (view.value_name("pkttype"), view.payload().len());
    match view.field("ltype") {
        Some(_) => format!("{from} protocol {}, {length} bytes", view.value_name("ltype")),
        None => format!("{from} EtherType {}, {length} bytes", view.value_name("etype")),
    }
}
