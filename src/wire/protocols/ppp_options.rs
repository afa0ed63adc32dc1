//! The options of PPP's control protocols: LCP (RFC 1661, RFC 1990), IPCP (RFC 1332, RFC 1877), IPv6CP (RFC 5072).

use super::ppp::CONFIGURE;
use crate::wire::table::{Field, Item, ItemList};

const TYPE: Field = Field::number("opt.type", "Type", 0, 8);
const LENGTH: Field = Field::number("opt.length", "Length", 8, 8);
const UNKNOWN: &[Field] = &[TYPE, LENGTH, Field::bytes("opt.value", "Data", 16, 0)];

const fn lcp(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 1661", fields)
}
const fn lists(prefix: &'static str, items: &'static [Item]) -> ItemList {
    ItemList { prefix, items, unknown: &OTHER, when: Some(CONFIGURE), ..ItemList::PLAIN }
}
static OTHER: Item = Item { kind: None, ..Item::known(0, "opt", "Unknown", "", UNKNOWN) };

/// Of LCP.
pub(super) static LCP_OPTIONS: ItemList = lists(
    "lcp",
    &[
        lcp(
            1,
            "mru",
            "Maximum-Receive-Unit",
            &[TYPE, LENGTH, Field::number("opt.mru", "Maximum-Receive-Unit", 16, 16).default(1492)],
        )
        .exactly(4),
        lcp(
            2,
            "accm",
            "Async-Control-Character-Map",
            &[TYPE, LENGTH, Field::hex("opt.asyncmap", "Async-Control-Character-Map", 16, 32)],
        )
        .exactly(6),
        lcp(
            3,
            "auth",
            "Authentication-Protocol",
            &[
                TYPE,
                LENGTH,
                Field::hex("opt.auth_protocol", "Authentication-Protocol", 16, 16)
                    .names(&[(0xc023, "PAP"), (0xc223, "CHAP")])
                    .default(0xc023),
                Field::bytes("opt.auth_data", "Data", 32, 0),
            ],
        ),
        lcp(
            4,
            "quality",
            "Quality-Protocol",
            &[
                TYPE,
                LENGTH,
                Field::hex("opt.quality_protocol", "Quality-Protocol", 16, 16).default(0xc025),
                Field::bytes("opt.quality_data", "Data", 32, 0),
            ],
        ),
        lcp(
            5,
            "magic",
            "Magic-Number",
            &[TYPE, LENGTH, Field::hex("opt.magic_number", "Magic-Number", 16, 32)],
        )
        .exactly(6),
        lcp(7, "pfc", "Protocol-Field-Compression", &[TYPE, LENGTH]).exactly(2),
        lcp(8, "acfc", "Address-and-Control-Field-Compression", &[TYPE, LENGTH]).exactly(2),
        lcp(17, "mrru", "Multilink MRRU", &[TYPE, LENGTH, Field::number("opt.mrru", "MRRU", 16, 16)])
            .exactly(4),
        lcp(18, "ssnhf", "Short Sequence Number Header Format", &[TYPE, LENGTH]).exactly(2),
    ],
);

const fn address(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 1877", fields).exactly(6)
}

/// Of IPCP.
pub(super) static IPCP_OPTIONS: ItemList = lists(
    "ipcp",
    &[
        Item::known(
            2,
            "compress",
            "IP-Compression-Protocol",
            "RFC 1332",
            &[
                TYPE,
                LENGTH,
                Field::hex("opt.compress_proto", "IP-Compression-Protocol", 16, 16).default(0x2d),
                Field::bytes("opt.compress_data", "Data", 32, 0),
            ],
        ),
        address(3, "addr", "IP-Address", &[TYPE, LENGTH, Field::ipv4("opt.ip_address", "IP-Address", 16)]),
        address(
            129,
            "dns1",
            "Primary DNS Server Address",
            &[TYPE, LENGTH, Field::ipv4("opt.pri_dns_address", "Primary-DNS-Address", 16)],
        ),
        address(
            130,
            "nbns1",
            "Primary NBNS Server Address",
            &[TYPE, LENGTH, Field::ipv4("opt.pri_nbns_address", "Primary-NBNS-Address", 16)],
        ),
        address(
            131,
            "dns2",
            "Secondary DNS Server Address",
            &[TYPE, LENGTH, Field::ipv4("opt.sec_dns_address", "Secondary-DNS-Address", 16)],
        ),
        address(
            132,
            "nbns2",
            "Secondary NBNS Server Address",
            &[TYPE, LENGTH, Field::ipv4("opt.sec_nbns_address", "Secondary-NBNS-Address", 16)],
        ),
    ],
);

/// Of IPv6CP.
pub(super) static IPV6CP_OPTIONS: ItemList = lists(
    "ipv6cp",
    &[Item::known(
        1,
        "id",
        "Interface-Identifier",
        "RFC 5072",
        &[TYPE, LENGTH, Field::hex("opt.interface_identifier", "Interface-Identifier", 16, 64)],
    )
    .exactly(10)],
);
