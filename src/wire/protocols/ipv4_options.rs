//! IPv4 options: RFC 791 section 3.1 (end, no-operation, security, source routes, record route, stream identifier, time
//! stamp), RFC 1108 (security as it was used), RFC 2113 (router alert).

use crate::wire::table::{Field, Fills, Item, ItemList, When};
use crate::wire::view::LayerView;

const TYPE: Field = Field::number("opt.type", "Option Type", 0, 8).names(&[
    (0, "End of Options List"),
    (1, "No-Operation"),
    (7, "Record Route"),
    (11, "MTU Probe"),
    (12, "MTU Reply"),
    (25, "Quick-Start"),
    (68, "Internet Timestamp"),
    (82, "Traceroute"),
    (130, "Security"),
    (131, "Loose Source Route"),
    (133, "Extended Security"),
    (136, "Stream Identifier"),
    (137, "Strict Source Route"),
    (148, "Router Alert"),
    (149, "Selective Directed Broadcast"),
]);
/// The parts of the type (RFC 791 section 3.1).
const COPY: Field = part(Field::flag("opt.type.copy", "Copied on Fragmentation", 0));
const CLASS: Field = part(Field::number("opt.type.class", "Option Class", 1, 2))
    .names(&[(0, "control"), (2, "debugging and measurement")]);
const NUMBER: Field = part(Field::number("opt.type.number", "Option Number", 3, 5));
const fn part(mut field: Field) -> Field {
    field.group = true;
    field
}
const LEN: Field = Field::number("opt.len", "Option Length", 8, 8);
/// Counted from 1 at the type.
const POINTER: Field = Field::number("opt.ptr", "Pointer", 16, 8).default(4);

const RECORDED: &[Field] = &[Field::ipv4("rec_rt", "Recorded Route", 0).short("Recorded")];
const EMPTY: &[Field] = &[Field::ipv4("empty_rt", "Empty Route", 0).short("Empty")];
const TO_GO: &[Field] = &[Field::ipv4("src_rt", "Source Route", 0).short("Route")];

const fn known(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 791 section 3.1", fields)
}
const fn single(kind: u32, key: &'static str, name: &'static str, ends: bool) -> Item {
    let mut item = known(kind, key, name, &[TYPE, COPY, CLASS, NUMBER]).exactly(1);
    item.single = true;
    item.ends = ends;
    item
}

const FLAG: Field = Field::hex("opt.flag", "Flag", 28, 4).names(&[
    (0, "time stamps only"),
    (1, "each time stamp with its address"),
    (3, "the addresses are given"),
]);
/// A time stamp option with this flag.
macro_rules! timestamp {
    ($flag:literal, $name:literal) => {
        known(
            68,
            "ts",
            $name,
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                POINTER.default(5),
                Field::number("opt.overflow", "Overflow", 24, 4),
                FLAG.default($flag),
            ],
        )
        .when(&[When::is(&FLAG, &[$flag])])
    };
}
const STAMP: &[Field] = &[Field::number("opt.time_stamp", "Timestamp", 0, 32)];
const ADDRESS_AND_STAMP: &[Field] =
    &[Field::ipv4("opt.time_stamp_addr", "Address", 0), Field::number("opt.time_stamp", "Timestamp", 32, 32)];

/// RFC 791 and RFC 1108 have the same number: of the older one are these 16 levels.
const SECURITY: Field = Field::hex("opt.sec_rfc791_sec", "Security", 16, 16);
const SECURITIES: &[u64] = &[
    0x0000, 0xf135, 0x789a, 0xbc4d, 0x5e26, 0xaf13, 0xd788, 0x6bc5, 0x35e2, 0x9af1, 0x4d78, 0x24bd, 0x135e,
    0x89af, 0xc4d6, 0xe26b,
];
const AUTHORITIES: &[Field] = &[
    TYPE,
    COPY,
    CLASS,
    NUMBER,
    LEN,
    LEVEL,
    Field::group("opt.sec_prot_auth_flags", "Protection Authority Flags", 24, 8).short("Authority"),
    Field::flag("opt.sec_prot_auth_genser", "GENSER", 24).letter('G'),
    Field::flag("opt.sec_prot_auth_siop_esi", "SIOP-ESI", 25).letter('E'),
    Field::flag("opt.sec_prot_auth_sci", "SCI", 26).letter('S'),
    Field::flag("opt.sec_prot_auth_nsa", "NSA", 27).letter('N'),
    Field::flag("opt.sec_prot_auth_doe", "DOE", 28).letter('D'),
    Field::hex("opt.sec_prot_auth_unassigned", "Unassigned", 29, 2),
    Field::flag("opt.sec_prot_auth_fti", "Field Termination Indicator", 31).letter('T'),
    Field::bytes("opt.data", "Further Authorities", 32, 0),
];
const LEVEL: Field = Field::hex("opt.sec_cl", "Classification Level", 16, 8)
    .short("Level")
    .names(&[(0x3d, "Top Secret"), (0x5a, "Secret"), (0x96, "Confidential"), (0xab, "Unclassified")])
    .default(0xab);

/// Path MTU discovery by routers.
const fn mtu(kind: u32, key: &'static str, name: &'static str) -> Item {
    const FIELDS: &[Field] =
        &[TYPE, COPY, CLASS, NUMBER, LEN, Field::number("opt.mtu", "MTU", 16, 16).default(1500)];
    Item::known(kind, key, name, "RFC 1063", FIELDS).exactly(4)
}

const FUNCTION: Field = Field::number("opt.qs_func", "Function", 16, 4);
/// A Quick-Start option with this function, and what its fourth byte is then.
macro_rules! quick_start {
    ($key:literal, $name:literal, $function:literal, $byte:literal, $label:literal) => {
        Item::known(
            25,
            $key,
            $name,
            "RFC 4782 section 3.1",
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                FUNCTION.default($function).reserved(),
                Field::number("opt.qs_rate", "Rate", 20, 4),
                Field::number($byte, $label, 24, 8),
                Field::hex("opt.qs_nonce", "QS Nonce", 32, 30).short("Nonce"),
                Field::hex("opt.qs_reserved", "Reserved", 62, 2).digits(8).reserved(),
            ],
        )
        .exactly(8)
        .when(&[When::is(&FUNCTION, &[$function])])
    };
}

/// The option list of an IPv4 header.
pub static OPTIONS: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &[
        single(0, "eol", "End of Options List", true),
        single(1, "nop", "No-Operation", false),
        known(7, "rr", "Record Route", &[TYPE, COPY, CLASS, NUMBER, LEN, POINTER])
            .repeating(RECORDED)
            .pointer(&POINTER, EMPTY),
        known(131, "lsrr", "Loose Source Route", &[TYPE, COPY, CLASS, NUMBER, LEN, POINTER])
            .repeating(RECORDED)
            .pointer(&POINTER, TO_GO),
        known(137, "ssrr", "Strict Source Route", &[TYPE, COPY, CLASS, NUMBER, LEN, POINTER])
            .repeating(RECORDED)
            .pointer(&POINTER, TO_GO),
        timestamp!(0, "Internet Timestamp").repeating(STAMP),
        timestamp!(1, "Internet Timestamp with Addresses").repeating(ADDRESS_AND_STAMP),
        timestamp!(3, "Internet Timestamp of Given Addresses").repeating(ADDRESS_AND_STAMP),
        Item::known(
            148,
            "ra",
            "Router Alert",
            "RFC 2113 section 2.1",
            &[TYPE, COPY, CLASS, NUMBER, LEN, Field::number("opt.ra", "Router Alert", 16, 16).short("Value")],
        )
        .exactly(4),
        known(
            136,
            "sid",
            "Stream Identifier",
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                Field::number("opt.sid", "Stream Identifier", 16, 16).short("ID"),
            ],
        )
        .exactly(4),
        known(
            130,
            "sec",
            "Security",
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                SECURITY,
                Field::number("opt.sec_rfc791_comp", "Compartments", 32, 16),
                Field::hex("opt.sec_handling", "Handling Restrictions", 48, 16).short("Handling"),
                Field::hex("opt.sec_control", "Transmission Control Code", 64, 24).short("TCC"),
            ],
        )
        .exactly(11)
        .when(&[When::is(&SECURITY, SECURITIES)]),
        Item::known(130, "sec", "Basic Security", "RFC 1108 section 2", AUTHORITIES),
        Item::known(
            130,
            "sec",
            "Basic Security",
            "RFC 1108 section 2",
            &[TYPE, COPY, CLASS, NUMBER, LEN, LEVEL],
        )
        .exactly(3),
        Item::known(
            133,
            "esec",
            "Extended Security",
            "RFC 1108 section 3",
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                Field::hex("opt.ext_sec_add_sec_info_format_code", "Format Code", 16, 8).short("Format"),
                Field::bytes("opt.ext_sec_add_sec_info", "Additional Security Info", 24, 0).short("Info"),
            ],
        ),
        mtu(11, "mtup", "MTU Probe"),
        mtu(12, "mtur", "MTU Reply"),
        Item::known(
            82,
            "tr",
            "Traceroute",
            "RFC 1393 section 2.2",
            &[
                TYPE,
                COPY,
                CLASS,
                NUMBER,
                LEN,
                Field::number("opt.id_number", "ID Number", 16, 16).short("ID"),
                Field::number("opt.ohc", "Outbound Hop Count", 32, 16).short("Out"),
                Field::number("opt.rhc", "Return Hop Count", 48, 16).short("Return"),
                Field::ipv4("opt.originator", "Originator IP Address", 64).short("Originator"),
            ],
        )
        .exactly(12),
        quick_start!("qs", "Quick-Start Request", 0, "opt.qs_ttl", "QS TTL"),
        quick_start!("qsr", "Quick-Start Report", 8, "opt.qs_unused", "Not Used"),
        Item::known(
            149,
            "sdb",
            "Selective Directed Broadcast",
            "RFC 1770",
            &[TYPE, COPY, CLASS, NUMBER, LEN],
        )
        .repeating(&[Field::ipv4("opt.addr", "IP Address", 0)]),
    ],
    unknown: &Item {
        kind: None,
        key: "opt",
        name: "Option",
        terse: "opt",
        reference: "RFC 791 section 3.1",
        single: false,
        bare: false,
        ends: false,
        length: 0,
        fields: &[TYPE, COPY, CLASS, NUMBER, LEN, Field::bytes("opt.data", "Option Data", 16, 0)],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    when: None,
    otherwise: None,
    fills: Fills::Header,
    unit: 1,
    beyond: 0,
    align: 4,
    limit: Some(40),
    route: Some(final_destination),
    ..ItemList::PLAIN
};

/// The last address of a source route that is not used up (RFC 1122 section 4.1.1 and RFC 9293 section 3.9.2.1: it
/// stands in the pseudo header). Once the pointer is past the list, the header's destination is the final one.
///
/// Linux sends the same: it puts the first hop into the header and computes over the final destination. As a receiver it
/// never looks into the option for a checksum: a packet whose route goes on is dropped or forwarded (`accept_source_route`),
/// and where the next hops are its own addresses it writes them into the header first (`ip_options_rcv_srr`).
fn final_destination(view: &LayerView<'_>) -> Option<u128> {
    let routes = view.items().into_iter().filter(|i| matches!(i.item.key, "lsrr" | "ssrr"));
    let hops = routes.flat_map(|span| view.item_fields(0, &span));
    hops.rev().find(|f| f.field.key == TO_GO[0].key)?.stored(view.bytes)
}
