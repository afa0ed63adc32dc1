//! LLDP, IEEE 802.1AB: what a device says of itself to its neighbour; the TLVs of IEEE 802.1 and IEEE 802.3 in it.

use crate::wire::table::{Family, Field, Head, Header, Item, ItemList, Space, When};
use crate::wire::view::LayerView;

const REFERENCE: &str = "IEEE 802.1AB";

/// Seven bits of type, nine of length.
const HEAD: Head = Head::of(2, (0, 7), (7, 9));
const TYPE: Field = Field::number("tlv.type", "TLV Type", 0, 7).names(&[
    (0, "End of LLDPDU"),
    (1, "Chassis ID"),
    (2, "Port ID"),
    (3, "Time To Live"),
    (4, "Port Description"),
    (5, "System Name"),
    (6, "System Description"),
    (7, "System Capabilities"),
    (8, "Management Address"),
    (127, "Organizationally Specific"),
]);
const LEN: Field = Field::number("tlv.len", "TLV Length", 7, 9);

const fn tlv(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, REFERENCE, fields).head(HEAD)
}
const fn text(key: &'static str, label: &'static str) -> Field {
    Field::text(key, label, 16, 0)
}

const CHASSIS: Field = Field::number("chassis.subtype", "Chassis ID Subtype", 16, 8)
    .names(&[
        (1, "chassis component"),
        (2, "interface alias"),
        (3, "port component"),
        (4, "MAC address"),
        (5, "network address"),
        (6, "interface name"),
        (7, "locally assigned"),
    ])
    .default(4);
const PORT: Field = Field::number("port.subtype", "Port ID Subtype", 16, 8)
    .names(&[
        (1, "interface alias"),
        (2, "port component"),
        (3, "MAC address"),
        (4, "network address"),
        (5, "interface name"),
        (6, "agent circuit ID"),
        (7, "locally assigned"),
    ])
    .default(5);
/// IANA's address families.
const FAMILIES: &[(u64, &str)] = &[(1, "IPv4"), (2, "IPv6"), (6, "MAC")];
const NETWORK: Field =
    Field::number("network_address.subtype", "Network Address Family", 24, 8).names(FAMILIES).default(1);
const NETWORK_V6: Field = NETWORK.default(2);

/// Which address the management address is follows from its length and its family.
const MANAGEMENT: Field = Field::hex("mgn.address", "Length and Family", 16, 16);
/// A management address of so many bits; its length counts the family.
macro_rules! management {
    ($key:literal, $len:literal, $family:literal, $address:expr, $bits:literal) => {
        tlv(
            8,
            $key,
            "Management Address",
            &[
                TYPE,
                LEN,
                Field::number("mgn.address.len", "Address String Length", 16, 8).default($len).reserved(),
                Field::number("mgn.address.subtype", "Address Subtype", 24, 8)
                    .names(FAMILIES)
                    .default($family)
                    .reserved(),
                $address,
                Field::number("mgn.interface.subtype", "Interface Subtype", 32 + $bits, 8)
                    .names(&[(1, "unknown"), (2, "ifIndex"), (3, "system port number")])
                    .default(2),
                Field::number("mgn.interface.number", "Interface Number", 40 + $bits, 32),
                Field::number("mgn.obj.len", "OID String Length", 72 + $bits, 8),
                Field::bytes("mgn.obj", "Object Identifier", 80 + $bits, 0).short("OID"),
            ],
        )
        .when(&[When::is(&MANAGEMENT, &[$len << 8 | $family])])
    };
}

/// The first bit of a capability field and its keys.
macro_rules! capabilities {
    ($key:literal, $label:literal, $start:literal) => {
        [
            Field::group($key, $label, $start, 16),
            Field::number(concat!($key, ".reserved"), "Reserved", $start, 8).reserved(),
            Field::flag(concat!($key, ".station_only"), "Station Only", $start + 8).letter('S'),
            Field::flag(concat!($key, ".docsis_cable_device"), "DOCSIS Cable Device", $start + 9).letter('C'),
            Field::flag(concat!($key, ".telephone"), "Telephone", $start + 10).letter('T'),
            Field::flag(concat!($key, ".router"), "Router", $start + 11).letter('R'),
            Field::flag(concat!($key, ".wlan_access_pt"), "WLAN Access Point", $start + 12).letter('W'),
            Field::flag(concat!($key, ".bridge"), "Bridge", $start + 13).letter('B'),
            Field::flag(concat!($key, ".repeater"), "Repeater", $start + 14).letter('P'),
            Field::flag(concat!($key, ".other"), "Other", $start + 15).letter('O'),
        ]
    };
}
const SYSTEM: [Field; 10] = capabilities!("tlv.system_cap", "System Capabilities", 16);
const ENABLED: [Field; 10] = capabilities!("tlv.enable_system_cap", "Enabled Capabilities", 32);
const CAPABILITIES: [Field; 22] = {
    let mut all = [TYPE; 22];
    all[1] = LEN;
    let mut at = 0;
    while at < 10 {
        all[2 + at] = SYSTEM[at];
        all[12 + at] = ENABLED[at];
        at += 1;
    }
    all
};

/// Organization and subtype of a TLV.
const OUI: Field = Field::number("orgtlv.oui", "Organizationally Unique Identifier", 16, 24)
    .short("OUI")
    .names(&[(0x00_80c2, "IEEE 802.1"), (0x00_120f, "IEEE 802.3"), (0x00_12bb, "TIA")]);
const WHOSE: Field = Field::hex("orgtlv", "Organization and Subtype", 16, 32);
/// A TLV of an organization: number, key and label of its subtype, its values.
macro_rules! organization {
    ($oui:literal, $subtype:literal, $key:literal, $name:literal, $reference:literal, $sub:literal, [$($field:expr),* $(,)?]) => {
        Item::known(127, $key, $name, $reference, &[
            TYPE,
            LEN,
            OUI.default($oui).reserved(),
            Field::hex($sub, "Subtype", 40, 8).default($subtype).reserved(),
            $($field),*
        ])
        .head(HEAD)
        .when(&[When::is(&WHOSE, &[$oui << 8 | $subtype])])
    };
}

const ITEMS: &[Item] = &[
    tlv(
        1,
        "chassis",
        "Chassis ID",
        &[TYPE, LEN, CHASSIS.reserved(), Field::mac("chassis.id.mac", "MAC Address", 24)],
    )
    .exactly(9)
    .when(&[When::is(&CHASSIS, &[4])]),
    tlv(
        1,
        "chassis_ip4",
        "Chassis ID",
        &[
            TYPE,
            LEN,
            CHASSIS.default(5).reserved(),
            NETWORK.reserved(),
            Field::ipv4("chassis.id.ip4", "IPv4 Address", 32),
        ],
    )
    .exactly(8)
    .when(&[When::is(&CHASSIS, &[5]), When::is(&NETWORK, &[1])]),
    tlv(
        1,
        "chassis_ip6",
        "Chassis ID",
        &[
            TYPE,
            LEN,
            CHASSIS.default(5).reserved(),
            NETWORK_V6.reserved(),
            Field::ipv6("chassis.id.ip6", "IPv6 Address", 32),
        ],
    )
    .exactly(20)
    .when(&[When::is(&CHASSIS, &[5]), When::is(&NETWORK, &[2])]),
    tlv(
        1,
        "chassis_id",
        "Chassis ID",
        &[TYPE, LEN, CHASSIS.default(7), Field::bytes("chassis.id", "Chassis ID", 24, 0)],
    )
    .when(&[When::is(&CHASSIS, &[4, 5]).negated()]),
    tlv(2, "port", "Port ID", &[TYPE, LEN, PORT, Field::text("port.id", "Port ID", 24, 0)])
        .when(&[When::is(&PORT, &[3, 4]).negated()]),
    tlv(
        2,
        "port_mac",
        "Port ID",
        &[TYPE, LEN, PORT.default(3).reserved(), Field::mac("port.id.mac", "MAC Address", 24)],
    )
    .exactly(9)
    .when(&[When::is(&PORT, &[3])]),
    tlv(
        2,
        "port_ip4",
        "Port ID",
        &[
            TYPE,
            LEN,
            PORT.default(4).reserved(),
            NETWORK.reserved(),
            Field::ipv4("port.id.ip4", "IPv4 Address", 32),
        ],
    )
    .exactly(8)
    .when(&[When::is(&PORT, &[4]), When::is(&NETWORK, &[1])]),
    tlv(
        2,
        "port_ip6",
        "Port ID",
        &[
            TYPE,
            LEN,
            PORT.default(4).reserved(),
            NETWORK_V6.reserved(),
            Field::ipv6("port.id.ip6", "IPv6 Address", 32),
        ],
    )
    .exactly(20)
    .when(&[When::is(&PORT, &[4]), When::is(&NETWORK, &[2])]),
    tlv(
        3,
        "ttl",
        "Time To Live",
        &[TYPE, LEN, Field::number("time_to_live", "Seconds", 16, 16).default(120)],
    )
    .exactly(4),
    tlv(4, "description", "Port Description", &[TYPE, LEN, text("port.desc", "Port Description")]),
    tlv(5, "name", "System Name", &[TYPE, LEN, text("tlv.system.name", "System Name")]),
    tlv(6, "system", "System Description", &[TYPE, LEN, text("tlv.system.desc", "System Description")]),
    tlv(7, "capabilities", "System Capabilities", &CAPABILITIES).exactly(6),
    management!("address", 5, 1, Field::ipv4("mgn.addr.ip4", "Management Address", 32), 32),
    management!("address_ip6", 17, 2, Field::ipv6("mgn.addr.ip6", "Management Address", 32), 128),
    management!("address_mac", 7, 6, Field::bytes("mgn.addr.hex", "Management Address", 32, 48), 48),
    organization!(
        0x00_80c2,
        1,
        "pvid",
        "Port VLAN ID",
        "IEEE 802.1Q annex D",
        "ieee.802_1.subtype",
        [Field::number("ieee.802_1.port_vlan.id", "Port VLAN Identifier", 48, 16),]
    )
    .exactly(8),
    organization!(
        0x00_80c2,
        3,
        "vlan",
        "VLAN Name",
        "IEEE 802.1Q annex D",
        "ieee.802_1.subtype",
        [
            Field::number("ieee.802_1.vlan.id", "VLAN Identifier", 48, 16),
            Field::number("ieee.802_1.vlan.name_len", "VLAN Name Length", 64, 8),
            Field::text("ieee.802_1.vlan.name", "VLAN Name", 72, 0),
        ]
    ),
    organization!(
        0x00_120f,
        1,
        "phy",
        "MAC/PHY Configuration",
        "IEEE 802.3 clause 79",
        "ieee.802_3.subtype",
        [
            Field::hex("ieee.802_3.mac_phy_auto_neg_status", "Auto-Negotiation Status", 48, 8),
            Field::hex("ieee.802_3.pmd_auto_neg_advertised_caps", "Advertised Capabilities", 56, 16),
            Field::hex("ieee.802_3.pmd_mau_type", "Operational MAU Type", 72, 16),
        ]
    )
    .exactly(11),
    organization!(
        0x00_120f,
        4,
        "frame_size",
        "Maximum Frame Size",
        "IEEE 802.3 clause 79",
        "ieee.802_3.subtype",
        [Field::number("ieee.802_3.max_frame_size", "Maximum Frame Size", 48, 16).default(1522),]
    )
    .exactly(8),
    tlv(
        127,
        "org",
        "Organizationally Specific",
        &[
            TYPE,
            LEN,
            OUI,
            Field::number("unknown_subtype", "Subtype", 40, 8),
            Field::bytes("unknown_subtype.content", "Data", 48, 0),
        ],
    ),
    tlv(0, "end", "End of LLDPDU", &[TYPE, LEN]).exactly(2).last(),
];

/// LLDP.
pub static HEADER: Header = Header {
    key: "lldp",
    name: "Link Layer Discovery Protocol",
    short: "LLDP",
    reference: REFERENCE,
    found_by: &[(Space::EtherType, 0x88cc)],
    items: Some(&ItemList {
        key: "tlvs",
        label: "TLVs",
        items: ITEMS,
        unknown: &tlv(0, "tlv", "TLV", &[TYPE, LEN, Field::bytes("tlv.data", "Data", 16, 0)]).any_kind(),
        head: HEAD,
        beyond: 2,
        ..ItemList::PLAIN
    }),
    family: Family::Control,
    info,
    warnings: &[order],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("{} TLVs{}", view.items().len(), view.terse_items())
}

/// The first three have their places (IEEE 802.1AB clause 8.5).
fn order(view: &LayerView<'_>) -> Option<String> {
    let items = view.items();
    if let Some(problem) = items.iter().find_map(|i| i.problem.clone()) {
        return Some(problem);
    }
    let first: Vec<Option<u32>> = items.iter().take(3).map(|i| i.item.kind).collect();
    (first != [Some(1), Some(2), Some(3)])
        .then(|| "receivers take only what begins with a chassis ID, a port ID and a time to live".into())
}
