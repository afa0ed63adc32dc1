//! IPv4, RFC 791; DS field RFC 2474, ECN RFC 3168.

use super::ipv4_options::OPTIONS;
use crate::wire::table::{
    Compute, Coverage, Extent, Family, Field, FragmentRule, Header, Length, Next, OnTheWay, RawSocket, Shown,
    Space, To, When,
};
use crate::wire::view::LayerView;

const VERSION: Field = Field::number("version", "Version", 0, 4).short("Ver").default(4);
const HDR_LEN: Field = Field::number("hdr_len", "Header Length", 4, 4)
    .short("IHL")
    .scale(4)
    .alias(&[("ihl", 1)])
    .default(5)
    .computed(Compute::HeaderLength);
const DSFIELD: Field = Field::group("dsfield", "Differentiated Services Field", 8, 8).alias(&[("tos", 1)]);
const DSCP: Field = Field::number("dsfield.dscp", "DSCP", 8, 6)
    .names(&[
        (0, "CS0"),
        (8, "CS1"),
        (10, "AF11"),
        (16, "CS2"),
        (24, "CS3"),
        (32, "CS4"),
        (34, "AF41"),
        (40, "CS5"),
        (46, "EF"),
        (48, "CS6"),
        (56, "CS7"),
    ])
    .on_the_way(OnTheWay::Marked)
    .reference("RFC 2474");
const ECN: Field = Field::number("dsfield.ecn", "ECN", 14, 2)
    .names(&[(0, "Not-ECT"), (1, "ECT(1)"), (2, "ECT(0)"), (3, "CE")])
    .on_the_way(OnTheWay::Marked)
    .reference("RFC 3168");
const LEN: Field = Field::number("len", "Total Length", 16, 16)
    .computed(Compute::TotalLength)
    .raw_socket(RawSocket::Overwritten);
const ID: Field = Field::hex("id", "Identification", 32, 16).raw_socket(RawSocket::FilledWhenZero);
const FLAGS: Field = Field::group("flags", "Flags", 48, 3);
const RB: Field = Field::flag("flags.rb", "Reserved Bit", 48).short("R").letter('r');
const DF: Field = Field::flag("flags.df", "Don't Fragment", 49).short("DF").letter('D');
const MF: Field = Field::flag("flags.mf", "More Fragments", 50).short("MF").letter('M');
const FRAG_OFFSET: Field = Field::number("frag_offset", "Fragment Offset", 51, 13).alias(&[("frag", 8)]);
const TTL: Field = Field::number("ttl", "Time to Live", 64, 8).default(64).on_the_way(OnTheWay::CountedDown);
const PROTO: Field = Field::number("proto", "Protocol", 72, 8)
    .names(&[
        (1, "ICMP"),
        (2, "IGMP"),
        (4, "IPv4"),
        (6, "TCP"),
        (17, "UDP"),
        (33, "DCCP"),
        (41, "IPv6"),
        (47, "GRE"),
        (50, "ESP"),
        (51, "AH"),
        (58, "ICMPv6"),
        (89, "OSPF"),
        (103, "PIM"),
        (132, "SCTP"),
        (136, "UDP-Lite"),
    ])
    .computed(Compute::NextHeader(Space::IpProtocol));
const CHECKSUM: Field = Field::hex("checksum", "Header Checksum", 80, 16)
    .computed(Compute::Checksum { coverage: Coverage::Header, zero_is_none: false })
    .raw_socket(RawSocket::Overwritten);
const SRC: Field = Field::ipv4("src", "Source Address", 96)
    .computed(Compute::RouteSource)
    .raw_socket(RawSocket::FilledWhenZero);
const DST: Field = Field::ipv4("dst", "Destination Address", 128);
/// While a source route goes on, the destination is the next stop of it.
const CURRENT: Field = {
    let mut field = Field::ipv4("cur_rt", "Current Route", 128).shown(Shown::WhileRouted);
    field.group = true;
    field
};

/// Only the first fragment begins with the next header.
const FIRST_FRAGMENT: When = When { field: &FRAG_OFFSET, is: &[0], not: false };

/// RFC 791 section 3.2: what identifies the fragments of one datagram.
const FRAGMENT: FragmentRule = FragmentRule {
    offset: &FRAG_OFFSET,
    unit: 8,
    more: &MF,
    id: &ID,
    also: Some(&PROTO),
    overlap_voids: false,
};

/// IPv4.
pub static HEADER: Header = Header {
    key: "ip",
    name: "Internet Protocol Version 4",
    short: "IPv4",
    reference: "RFC 791",
    fields: &[
        VERSION,
        HDR_LEN,
        DSFIELD,
        DSCP,
        ECN,
        LEN,
        ID,
        FLAGS,
        RB,
        DF,
        MF,
        FRAG_OFFSET,
        TTL,
        PROTO,
        CHECKSUM,
        SRC,
        DST,
        CURRENT,
    ],
    length: Length::Said { by: &HDR_LEN, min: 20 },
    extent: Some(Extent { by: &LEN, beyond: 0, zero_is_open: None }),
    found_by: &[
        (Space::EtherType, 0x0800),
        (Space::IpProtocol, 4),
        (Space::LinkType, 228),
        (Space::Sap, 0x06),
        (Space::AddressFamily, 2),
        (Space::Ppp, 0x0021),
        (Space::IpVersion, 4),
    ],
    next: &[Next {
        when: Some(FIRST_FRAGMENT),
        to: To::Selected { by: &PROTO, space: Space::IpProtocol },
        quoted: false,
    }],
    items: Some(&OPTIONS),
    ends: Some((&SRC, &DST)),
    network: true,
    fragment: Some(FRAGMENT),
    family: Family::Network,
    row_bits: 32,
    info,
    warnings: &[version, header_length, ttl_zero, reserved, source_is_group, options],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let offset = view.number("frag").unwrap_or(0);
    if offset > 0 || view.is_set("flags.mf") {
        let end = offset + view.payload_len() as u128;
        let last = if view.is_set("flags.mf") { "" } else { ", the last" };
        return format!(
            "fragment {offset} to {end} of {} id {}{last}",
            view.value_name("proto"),
            view.text("id")
        );
    }
    format!("protocol {}, {} bytes", view.value_name("proto"), view.payload_len())
}

fn version(view: &LayerView<'_>) -> Option<String> {
    let version = view.number("version")?;
    (version != 4).then(|| format!("version {version} in an IPv4 header: receivers drop it"))
}

fn header_length(view: &LayerView<'_>) -> Option<String> {
    let (words, bytes) = (view.number("ihl")?, view.number("hdr_len")? as usize);
    let len = view.layer().len;
    if words < 5 {
        Some(format!("IHL {words} is under 5, the length of the fixed header: receivers drop it"))
    } else if bytes != len {
        Some(format!(
            "IHL says {bytes} bytes of header, the form has {len}: a receiver reads the payload from byte {bytes} on"
        ))
    } else {
        None
    }
}

fn ttl_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number("ttl") == Some(0))
        .then(|| "time to live 0: no router forwards it, many hosts drop it".into())
}

fn reserved(view: &LayerView<'_>) -> Option<String> {
    view.is_set("flags.rb").then(|| "the reserved flag (the \"evil bit\" of RFC 3514) is set".into())
}

fn source_is_group(view: &LayerView<'_>) -> Option<String> {
    let first = view.number("src")? >> 24;
    (224..=239).contains(&first).then(|| "the source is a multicast address: receivers drop it".into())
}

fn options(view: &LayerView<'_>) -> Option<String> {
    let len = view.items_range().len();
    if let Some(limit) = OPTIONS.limit.filter(|limit| len > *limit) {
        return Some(format!("options take {len} bytes: the header length can only speak of {limit}"));
    }
    view.items().into_iter().find_map(|i| i.problem)
}
