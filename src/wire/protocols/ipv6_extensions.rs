//! IPv6 extension headers as layers, RFC 8200 section 4; options RFC 2675 (jumbo), RFC 2711 (router alert), RFC 6275 (home
//! address); routing types RFC 5095 (0, deprecated), RFC 6275 (2), RFC 6554 (3), RFC 8754 (4).

use super::ipv6_options::{ADDRESSES, OPTIONS, ROUTING};
use crate::wire::readers::rpl;
use crate::wire::table::{
    Compute, Family, Field, FragmentRule, Header, Length, Next, Shown, Space, To, When,
};
use crate::wire::view::LayerView;

/// Next headers by their short names.
const NAMES: &[(u64, &str)] = &[
    (0, "Hop-by-Hop Options"),
    (4, "IPv4"),
    (6, "TCP"),
    (17, "UDP"),
    (33, "DCCP"),
    (41, "IPv6"),
    (43, "Routing"),
    (44, "Fragment"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "ICMPv6"),
    (59, "No Next Header"),
    (60, "Destination Options"),
    (103, "PIM"),
    (132, "SCTP"),
    (136, "UDP-Lite"),
];

const fn next_header(key: &'static str) -> Field {
    Field::number(key, "Next Header", 0, 8)
        .alias(&[("nxt", 1)])
        .names(NAMES)
        .default(59)
        .computed(Compute::NextHeader(Space::IpProtocol))
}
const fn length(key: &'static str) -> Field {
    Field::number(key, "Hdr Ext Len", 8, 8).alias(&[("len", 1)]).computed(Compute::HeaderLength)
}
/// The same in bytes, of the whole header.
const fn in_bytes(key: &'static str) -> Field {
    let mut field = Field::number(key, "Length in Bytes", 8, 8).beyond(1).scale(8);
    field.group = true;
    field
}
const fn follows(by: &'static Field, when: Option<When>) -> Next {
    Next { when, to: To::Selected { by, space: Space::IpProtocol }, quoted: false }
}

const HOP_NXT: Field = next_header("hopopts.nxt");
const HOP_LEN: Field = length("hopopts.len");
const DST_NXT: Field = next_header("dstopts.nxt");
const DST_LEN: Field = length("dstopts.len");
const RT_NXT: Field = next_header("routing.nxt");
const RT_LEN: Field = length("routing.len");

/// A header of units of 8 bytes of which the first is not counted.
const fn in_eights(by: &'static Field, min: usize) -> Length {
    Length::Counted { by, unit: 8, beyond: 8, min }
}

/// What all of them have in common.
const BASE: Header = Header {
    reference: "RFC 8200 section 4",
    length: Length::Fixed(8),
    family: Family::Extension,
    info,
    warnings: &[item_problem],
    ..Header::PLAIN
};

/// Hop-by-hop options.
pub static HOP_BY_HOP: Header = Header {
    key: "ipv6.hopopts",
    name: "IPv6 Hop-by-Hop Options",
    short: "IPv6 hop",
    reference: "RFC 8200 section 4.3",
    fields: &[HOP_NXT, HOP_LEN, in_bytes("hopopts.len_oct")],
    length: in_eights(&HOP_LEN, 2),
    found_by: &[(Space::IpProtocol, 0)],
    next: &[follows(&HOP_NXT, None)],
    items: Some(&OPTIONS),
    ..BASE
};

/// Destination options.
pub static DESTINATION: Header = Header {
    key: "ipv6.dstopts",
    name: "IPv6 Destination Options",
    short: "IPv6 dest",
    reference: "RFC 8200 section 4.6",
    fields: &[DST_NXT, DST_LEN, in_bytes("dstopts.len_oct")],
    length: in_eights(&DST_LEN, 2),
    found_by: &[(Space::IpProtocol, 60)],
    next: &[follows(&DST_NXT, None)],
    items: Some(&OPTIONS),
    ..BASE
};

/// The routing type; the forms of the second word depend on it.
pub(super) const TYPE: Field = Field::number("routing.type", "Routing Type", 16, 8)
    .alias(&[("type", 1)])
    .names(&[(0, "Source Route"), (2, "Type 2"), (3, "RPL Source Route"), (4, "Segment Routing")])
    .default(4);
const fn of(is: &'static [u64]) -> When {
    When::is(&TYPE, is)
}
/// Segments that the packet has still to visit.
pub(super) const SEGMENTS_LEFT: Field =
    Field::number("routing.segleft", "Segments Left", 24, 8).alias(&[("segleft", 1)]);

/// The number of the last segment, from 0 on.
pub(super) const LAST_ENTRY: Field = Field::number("routing.srh.last_entry", "Last Entry", 32, 8)
    .alias(&[("last_entry", 1)])
    .computed(Compute::LastItem)
    .reference("RFC 8754");

/// Routing.
pub static ROUTE: Header = Header {
    key: "ipv6.routing",
    name: "IPv6 Routing",
    short: "IPv6 route",
    reference: "RFC 8200 section 4.4",
    fields: &[
        RT_NXT,
        RT_LEN,
        in_bytes("routing.len_oct"),
        TYPE,
        SEGMENTS_LEFT,
        Field::hex("routing.src.reserved", "Reserved", 32, 32)
            .shown(Shown::Bytes)
            .when(of(&[0]))
            .reference("RFC 5095"),
        Field::hex("routing.mipv6.reserved", "Reserved", 32, 32)
            .shown(Shown::Bytes)
            .when(of(&[2]))
            .reference("RFC 6275"),
        Field::number("routing.rpl.cmprI", "CmprI", 32, 4).when(of(&[3])).reference("RFC 6554"),
        Field::number("routing.rpl.cmprE", "CmprE", 36, 4).when(of(&[3])).reference("RFC 6554"),
        Field::number("routing.rpl.pad", "Pad", 40, 4).when(of(&[3])).reference("RFC 6554"),
        Field::number("routing.rpl.reserved", "Reserved", 44, 20).when(of(&[3])).reference("RFC 6554"),
        LAST_ENTRY.when(of(&[4])),
        Field::hex("routing.srh.flags", "Flags", 40, 8).when(of(&[4])).reference("RFC 8754"),
        Field::hex("routing.srh.tag", "Tag", 48, 16)
            .shown(Shown::Bytes)
            .alias(&[("tag", 1)])
            .when(of(&[4]))
            .reference("RFC 8754"),
        Field::hex("routing.word", "Type-Specific Word", 32, 32).when(When {
            field: &TYPE,
            is: &[0, 2, 3, 4],
            not: true,
        }),
    ],
    length: in_eights(&RT_LEN, 8),
    found_by: &[(Space::IpProtocol, 43)],
    next: &[follows(&RT_NXT, None)],
    reader: Some(&rpl::READER),
    items: Some(&ROUTING),
    info: |view| {
        let left = view.text(SEGMENTS_LEFT.key);
        format!("type {}, {left} segments left, {ADDRESSES}{}", view.text(TYPE.key), view.terse_items())
    },
    ..BASE
};

const FRAG_NXT: Field = next_header("fraghdr.nxt");
/// In units of 8 bytes. The second names are those that the other network layer has.
const OFFSET: Field = Field::number("fraghdr.offset", "Fragment Offset", 16, 13).alias(&[
    ("offset", 1),
    ("frag_offset", 1),
    ("frag", 8),
]);
const MORE: Field =
    Field::flag("fraghdr.more", "More Fragments", 31).short("M").alias(&[("more", 1), ("flags.mf", 1)]);

const IDENT: Field = Field::hex("fraghdr.ident", "Identification", 32, 32).alias(&[("id", 1)]);

/// Fragment.
pub static FRAGMENT: Header = Header {
    key: "ipv6.fraghdr",
    name: "IPv6 Fragment",
    short: "IPv6 frag",
    reference: "RFC 8200 section 4.5",
    fields: &[
        FRAG_NXT,
        Field::hex("fraghdr.reserved_octet", "Reserved", 8, 8),
        OFFSET,
        Field::number("fraghdr.reserved_bits", "Res", 29, 2),
        MORE,
        IDENT,
    ],
    found_by: &[(Space::IpProtocol, 44)],
    // Only the first fragment begins with the next header.
    next: &[follows(&FRAG_NXT, Some(When::is(&OFFSET, &[0])))],
    // The next header may differ from piece to piece (RFC 8200 section 4.5); overlaps: RFC 5722.
    fragment: Some(FragmentRule {
        offset: &OFFSET,
        unit: 8,
        more: &MORE,
        id: &IDENT,
        also: None,
        overlap_voids: true,
    }),
    info: |view| {
        let offset = view.number("frag").unwrap_or(0);
        let end = offset + view.payload_len() as u128;
        let last = if view.is_set("more") { "" } else { ", the last" };
        let (next, id) = (view.value_name(FRAG_NXT.key), view.text("id"));
        format!("fragment {offset} to {end} of {next} id {id}{last}")
    },
    ..BASE
};

const AH_NXT: Field = Field::number("next_header", "Next Header", 0, 8)
    .alias(&[("nxt", 1)])
    .names(NAMES)
    .default(59)
    .computed(Compute::NextHeader(Space::IpProtocol));
const AH_LEN: Field =
    Field::number("length", "Payload Len", 8, 8).alias(&[("len", 1)]).computed(Compute::HeaderLength);

/// Authentication header.
pub static AUTHENTICATION: Header = Header {
    key: "ah",
    name: "Authentication Header",
    short: "AH",
    reference: "RFC 4302",
    fields: &[
        AH_NXT,
        AH_LEN,
        Field::hex("reserved", "Reserved", 16, 16).shown(Shown::Bytes),
        Field::hex("spi", "Security Parameters Index", 32, 32).short("SPI").default(0x100),
        Field::number("sequence", "Sequence Number", 64, 32).alias(&[("seq", 1)]).default(1),
    ],
    length: Length::Counted { by: &AH_LEN, unit: 4, beyond: 8, min: 12 },
    found_by: &[(Space::IpProtocol, 51)],
    next: &[follows(&AH_NXT, None)],
    items: Some(&super::ipv6_options::ICV),
    info: |view| format!("SPI {} sequence {}", view.text("spi"), view.text("sequence")),
    ..BASE
};

fn info(view: &LayerView<'_>) -> String {
    let next = view.value_name("nxt");
    format!("next header {next}, {} bytes{}", view.payload_len(), view.terse_items())
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}
