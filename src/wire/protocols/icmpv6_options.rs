//! The options of neighbour discovery, RFC 4861 section 4.6; their lengths count in units of 8 bytes.

use super::icmpv6::HAS_OPTIONS;
use crate::wire::table::{Field, Fills, Item, ItemList};

const TYPE: Field = Field::number("opt.type", "Type", 0, 8).names(&[
    (1, "Source Link-layer Address"),
    (2, "Target Link-layer Address"),
    (3, "Prefix Information"),
    (4, "Redirected Header"),
    (5, "MTU"),
    (14, "Nonce"),
    (24, "Route Information"),
    (25, "Recursive DNS Server"),
    (31, "DNS Search List"),
]);
const LEN: Field = Field::number("opt.length", "Length", 8, 8);

/// An option of a length that never varies.
const fn fixed(
    kind: u32,
    key: &'static str,
    name: &'static str,
    length: usize,
    fields: &'static [Field],
) -> Item {
    Item {
        kind: Some(kind),
        key,
        name,
        terse: key,
        reference: "RFC 4861 section 4.6",
        single: false,
        bare: false,
        ends: false,
        length,
        fields,
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    }
}

/// A route of RFC 4191, section 2.3: its prefix is cut to what its length needs.
const fn route(length: usize, fields: &'static [Field]) -> Item {
    Item { reference: "RFC 4191 section 2.3", ..fixed(24, "route", "Route Information", length, fields) }
}
const ROUTE: [Field; 6] = [
    Field::number("opt.prefix.length", "Prefix Length", 16, 8).short("Length").default(64),
    Field::group("opt.route_info.flag", "Flags", 24, 8),
    Field::number("opt.route_info.flag.reserved1", "Reserved", 24, 3).reserved(),
    Field::number("opt.route_info.flag.route_preference", "Route Preference", 27, 2)
        .short("Preference")
        .names(&[(0, "Medium"), (1, "High"), (2, "Reserved"), (3, "Low")]),
    Field::number("opt.route_info.flag.reserved2", "Reserved", 29, 3).reserved(),
    Field::number("opt.route_lifetime", "Route Lifetime", 32, 32).short("Lifetime").default(1800),
];
const ROUTE_PREFIX: Field = Field::ipv6("opt.prefix", "Prefix", 64);
/// The first half of an address.
const ROUTE_HALF: Field = Field::bytes("opt.route_prefix", "Prefix", 64, 64);

/// The option list of a message of neighbour discovery.
pub static LIST: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &[
        fixed(
            1,
            "slla",
            "Source Link-layer Address",
            8,
            &[TYPE, LEN, Field::mac("opt.src_linkaddr", "Link-layer Address", 16)],
        ),
        fixed(
            2,
            "tlla",
            "Target Link-layer Address",
            8,
            &[TYPE, LEN, Field::mac("opt.target_linkaddr", "Link-layer Address", 16)],
        ),
        fixed(
            3,
            "prefix",
            "Prefix Information",
            32,
            &[
                TYPE,
                LEN,
                Field::number("opt.prefix.length", "Prefix Length", 16, 8).short("Length").default(64),
                Field::group("opt.prefix.flag", "Flags", 24, 8),
                Field::flag("opt.prefix.flag.l", "On-Link", 24).letter('L').default(1),
                Field::flag("opt.prefix.flag.a", "Autonomous", 25).letter('A').default(1),
                Field::flag("opt.prefix.flag.r", "Router Address", 26).letter('R').reference("RFC 6275"),
                Field::number("opt.prefix.flag.reserved", "Reserved", 27, 5),
                Field::number("opt.prefix.valid_lifetime", "Valid Lifetime", 32, 32)
                    .short("Valid")
                    .default(2_592_000),
                Field::number("opt.prefix.preferred_lifetime", "Preferred Lifetime", 64, 32)
                    .short("Preferred")
                    .default(604_800),
                Field::hex("opt.prefix.reserved2", "Reserved", 96, 32).reserved(),
                Field::ipv6("opt.prefix", "Prefix", 128),
            ],
        ),
        fixed(
            4,
            "redirected",
            "Redirected Header",
            0,
            &[
                TYPE,
                LEN,
                Field::hex("opt.redirected_reserved", "Reserved", 16, 48).reserved(),
                Field::bytes("opt.redirected_data", "IP Header and Data", 64, 0),
            ],
        ),
        fixed(
            5,
            "mtu",
            "MTU",
            8,
            &[
                TYPE,
                LEN,
                Field::hex("opt.mtu_reserved", "Reserved", 16, 16).reserved(),
                Field::number("opt.mtu", "MTU", 32, 32).default(1500),
            ],
        ),
        route(24, &[TYPE, LEN, ROUTE[0], ROUTE[1], ROUTE[2], ROUTE[3], ROUTE[4], ROUTE[5], ROUTE_PREFIX]),
        route(16, &[TYPE, LEN, ROUTE[0], ROUTE[1], ROUTE[2], ROUTE[3], ROUTE[4], ROUTE[5], ROUTE_HALF]),
        route(8, &[TYPE, LEN, ROUTE[0], ROUTE[1], ROUTE[2], ROUTE[3], ROUTE[4], ROUTE[5]]),
    ],
    unknown: &Item {
        kind: None,
        key: "opt",
        name: "Option",
        terse: "opt",
        reference: "IANA IPv6 neighbor discovery option formats",
        single: false,
        bare: false,
        ends: false,
        length: 0,
        fields: &[TYPE, LEN, Field::bytes("opt.data", "Option Data", 16, 0)],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    when: Some(HAS_OPTIONS),
    otherwise: None,
    fills: Fills::Message,
    unit: 8,
    beyond: 0,
    align: 1,
    lead: 0,
    limit: None,
    ..ItemList::PLAIN
};
