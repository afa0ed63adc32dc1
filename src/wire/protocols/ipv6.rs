//! IPv6, RFC 8200; traffic class RFC 2474 and RFC 3168, flow label RFC 6437.
//!
//! Extension headers are layers of their own.

use crate::wire::table::{Compute, Extent, Family, Field, Header, Length, Next, OnTheWay, Space, To, When};
use crate::wire::view::LayerView;

const VERSION: Field = Field::number("version", "Version", 0, 4).short("Ver").default(6);
const TCLASS: Field = Field::group("tclass", "Traffic Class", 4, 8).digits(8);
const DSCP: Field = Field::number("tclass.dscp", "DSCP", 4, 6)
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
const ECN: Field = Field::number("tclass.ecn", "ECN", 10, 2)
    .names(&[(0, "Not-ECT"), (1, "ECT(1)"), (2, "ECT(0)"), (3, "CE")])
    .on_the_way(OnTheWay::Marked)
    .reference("RFC 3168");
const FLOW: Field = Field::hex("flow", "Flow Label", 12, 20).reference("RFC 6437");
const PLEN: Field = Field::number("plen", "Payload Length", 32, 16).computed(Compute::TotalLength);
const NXT: Field = Field::number("nxt", "Next Header", 48, 8)
    .names(&[
        (0, "Hop-by-Hop Options"),
        (4, "IPv4"),
        (6, "TCP"),
        (17, "UDP"),
        (41, "IPv6"),
        (43, "Routing"),
        (44, "Fragment"),
        (47, "GRE"),
        (50, "ESP"),
        (51, "AH"),
        (58, "ICMPv6"),
        (59, "No Next Header"),
        (60, "Destination Options"),
        (89, "OSPF"),
        (103, "PIM"),
        (132, "SCTP"),
        (135, "Mobility"),
        (139, "HIP"),
        (140, "Shim6"),
    ])
    .default(59)
    .computed(Compute::NextHeader(Space::IpProtocol));
const HLIM: Field = Field::number("hlim", "Hop Limit", 56, 8).default(64).on_the_way(OnTheWay::CountedDown);
const SRC: Field = Field::ipv6("src", "Source Address", 64).computed(Compute::RouteSource);
const DST: Field = Field::ipv6("dst", "Destination Address", 192);

/// Where something follows, a payload length of 0 says nothing (RFC 2675, and packets that the card is to cut up).
const SOMETHING_FOLLOWS: When = When { field: &NXT, is: &[59], not: true };

/// IPv6.
pub static HEADER: Header = Header {
    key: "ipv6",
    name: "Internet Protocol Version 6",
    short: "IPv6",
    reference: "RFC 8200",
    fields: &[VERSION, TCLASS, DSCP, ECN, FLOW, PLEN, NXT, HLIM, SRC, DST],
    length: Length::Fixed(40),
    extent: Some(Extent { by: &PLEN, beyond: 40, zero_is_open: Some(SOMETHING_FOLLOWS) }),
    found_by: &[
        (Space::EtherType, 0x86dd),
        (Space::IpProtocol, 41),
        (Space::LinkType, 229),
        (Space::AddressFamily, 24),
        (Space::AddressFamily, 28),
        (Space::AddressFamily, 30),
        (Space::Ppp, 0x0057),
        (Space::IpVersion, 6),
    ],
    next: &[Next { when: None, to: To::Selected { by: &NXT, space: Space::IpProtocol }, quoted: false }],
    items: None,
    ends: Some((&SRC, &DST)),
    network: true,
    family: Family::Network,
    row_bits: 32,
    info,
    warnings: &[version, hop_limit_zero, source_is_group, payload_length],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("next header {}, {} bytes", view.value_name(NXT.key), view.payload_len())
}

fn version(view: &LayerView<'_>) -> Option<String> {
    let version = view.number(VERSION.key)?;
    (version != 6).then(|| format!("version {version} in an IPv6 header: receivers drop it"))
}

fn hop_limit_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number(HLIM.key) == Some(0))
        .then(|| "hop limit 0: no router forwards it, many hosts drop it".into())
}

fn source_is_group(view: &LayerView<'_>) -> Option<String> {
    (view.number(SRC.key)? >> 120 == 0xff)
        .then(|| "the source is a multicast address: receivers drop it".into())
}

fn payload_length(view: &LayerView<'_>) -> Option<String> {
    let said = view.number(PLEN.key)? as usize;
    let real = view.payload().len();
    if said > real {
        Some(format!("payload length says {said} bytes, the packet has {real}: receivers drop it"))
    } else if said < real && said > 0 {
        Some(format!("payload length says {said} bytes, the packet has {real}: receivers ignore the rest"))
    } else {
        None
    }
}
