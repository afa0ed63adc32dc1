//! ICMPv6, RFC 4443, with neighbour discovery, RFC 4861; flags of a router advertisement also RFC 4191, RFC 4389 and
//! RFC 6275, length of the quoted packet RFC 4884.

use super::icmp::EXTENDED;
use super::icmpv6_options as options;
use crate::wire::readers::icmp as reader;
use crate::wire::table::{
    Answer, Compute, Coverage, Family, Field, Header, Length, Next, Shown, Space, To, When,
};
use crate::wire::view::LayerView;

/// Types as IANA names them.
pub(super) const TYPE: Field = Field::number("type", "Type", 0, 8)
    .names(&[
        (1, "Destination unreachable"),
        (2, "Packet too big"),
        (3, "Time exceeded"),
        (4, "Parameter problem"),
        (128, "Echo request"),
        (129, "Echo reply"),
        (130, "Multicast listener query"),
        (131, "Multicast listener report"),
        (132, "Multicast listener done"),
        (133, "Router solicitation"),
        (134, "Router advertisement"),
        (135, "Neighbor solicitation"),
        (136, "Neighbor advertisement"),
        (137, "Redirect"),
        (138, "Router renumbering"),
        (139, "Node information query"),
        (140, "Node information response"),
        (141, "Inverse neighbor discovery solicitation"),
        (142, "Inverse neighbor discovery advertisement"),
        (143, "Version 2 multicast listener report"),
        (144, "Home agent address discovery request"),
        (145, "Home agent address discovery reply"),
        (146, "Mobile prefix solicitation"),
        (147, "Mobile prefix advertisement"),
        (148, "Certification path solicitation"),
        (149, "Certification path advertisement"),
        (151, "Multicast router advertisement"),
        (152, "Multicast router solicitation"),
        (153, "Multicast router termination"),
        (155, "RPL control"),
        (160, "Extended echo request"),
        (161, "Extended echo reply"),
    ])
    .default(128);

const fn of(is: &'static [u64]) -> When {
    When { field: &TYPE, is, not: false }
}

const ERROR: When = of(&[1, 2, 3, 4]);
const ECHO: When = of(&[128, 129]);
const EXTENDED_ECHO: When = of(&[160, 161]);
const EXTENDED_REQUEST: When = of(&[160]);
const EXTENDED_REPLY: When = of(&[161]);
const SAYS_LENGTH: When = of(&[1, 3]);
const SOLICITS_NEIGHBOR: When = of(&[135]);
const ADVERTISES_ROUTER: When = of(&[134]);
const ADVERTISES_NEIGHBOR: When = of(&[136]);
const REDIRECT: When = of(&[137]);
/// The messages of neighbour discovery end in options.
const DISCOVERY: When = of(&[133, 134, 135, 136, 137]);

/// Where neighbour discovery is defined.
const ND: &str = "RFC 4861";
const CODE: Field = Field::number("code", "Code", 8, 8);
const FLAGS: &[(&str, u32)] = &[("flags", 1)];
const TARGET: &[(&str, u32)] = &[("target", 1)];

const SEQUENCE: Field =
    Field::number("echo.sequence_number", "Sequence Number", 48, 16).alias(&[("seq", 1)]).default(1);

/// ICMPv6.
pub static HEADER: Header = Header {
    key: "icmpv6",
    name: "Internet Control Message Protocol v6",
    short: "ICMPv6",
    reference: "RFC 4443",
    fields: &[
        TYPE,
        CODE.when(of(&[1])).names(&[
            (0, "no route to destination"),
            (1, "communication with destination administratively prohibited"),
            (2, "beyond scope of source address"),
            (3, "address unreachable"),
            (4, "port unreachable"),
            (5, "source address failed ingress/egress policy"),
            (6, "reject route to destination"),
            (7, "error in source routing header"),
            (8, "headers too long"),
        ]),
        CODE.when(of(&[3]))
            .names(&[(0, "hop limit exceeded in transit"), (1, "fragment reassembly time exceeded")]),
        CODE.when(of(&[4])).names(&[
            (0, "erroneous header field encountered"),
            (1, "unrecognized next header type encountered"),
            (2, "unrecognized IPv6 option encountered"),
            (3, "first fragment has incomplete header chain"),
            (4, "SR upper-layer header error"),
            (5, "unrecognized next header type encountered by intermediate node"),
            (6, "extension header too big"),
            (7, "extension header chain too long"),
            (8, "too many extension headers"),
            (9, "too many options in extension header"),
            (10, "option too big"),
        ]),
        CODE.when(When { field: &TYPE, is: &[1, 3, 4], not: true }),
        Field::hex("checksum", "Checksum", 16, 16)
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeader, zero_is_none: false }),
        // Errors and echo.
        Field::number("length", "Length of Quoted Packet in 8 Bytes", 32, 8)
            .shown(Shown::UnlessZero)
            .short("Length")
            .when(SAYS_LENGTH)
            .reference("RFC 4884"),
        Field::hex("unused24", "Unused", 40, 24).reserved().when(SAYS_LENGTH),
        Field::number("mtu", "MTU", 32, 32).when(of(&[2])),
        Field::number("pointer", "Pointer", 32, 32).when(of(&[4])),
        Field::hex("echo.identifier", "Identifier", 32, 16)
            .alias(&[("id", 1), ("ident", 1)])
            .default(1)
            .when(ECHO),
        SEQUENCE.when(ECHO),
        Field::hex("echo.identifier", "Identifier", 32, 16)
            .alias(&[("id", 1), ("ident", 1)])
            .default(1)
            .when(EXTENDED_ECHO)
            .reference("RFC 8335"),
        EXTENDED[0].when(EXTENDED_ECHO),
        EXTENDED[1].when(EXTENDED_REQUEST),
        EXTENDED[2].when(EXTENDED_REQUEST),
        EXTENDED[3].when(EXTENDED_REPLY),
        EXTENDED[4].when(EXTENDED_REPLY),
        EXTENDED[5].when(EXTENDED_REPLY),
        EXTENDED[6].when(EXTENDED_REPLY),
        EXTENDED[7].when(EXTENDED_REPLY),
        // Neighbour discovery.
        Field::hex("unused32", "Reserved", 32, 32).reserved().when(of(&[133, 135, 137])).reference(ND),
        Field::number("nd.ra.cur_hop_limit", "Current Hop Limit", 32, 8)
            .short("Hop Limit")
            .alias(&[("hlim", 1)])
            .default(64)
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::group("nd.ra.flag", "Flags", 40, 8).alias(FLAGS).when(ADVERTISES_ROUTER).reference(ND),
        Field::flag("nd.ra.flag.m", "Managed Address Configuration", 40)
            .short("M")
            .letter('M')
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::flag("nd.ra.flag.o", "Other Configuration", 41)
            .short("O")
            .letter('O')
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::flag("nd.ra.flag.h", "Home Agent", 42)
            .short("H")
            .letter('H')
            .when(ADVERTISES_ROUTER)
            .reference("RFC 6275"),
        Field::number("nd.ra.flag.prf", "Default Router Preference", 43, 2)
            .short("Prf")
            .names(&[(0, "medium"), (1, "high"), (2, "reserved"), (3, "low")])
            .when(ADVERTISES_ROUTER)
            .reference("RFC 4191"),
        Field::flag("nd.ra.flag.p", "Proxy", 45)
            .short("P")
            .letter('P')
            .when(ADVERTISES_ROUTER)
            .reference("RFC 4389"),
        Field::number("nd.ra.flag.rsv", "Reserved", 46, 2).short("Rsv").when(ADVERTISES_ROUTER).reference(ND),
        Field::number("nd.ra.router_lifetime", "Router Lifetime", 48, 16)
            .alias(&[("lifetime", 1)])
            .default(1800)
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::number("nd.ra.reachable_time", "Reachable Time", 64, 32)
            .alias(&[("reachable", 1)])
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::number("nd.ra.retrans_timer", "Retrans Timer", 96, 32)
            .alias(&[("retrans", 1)])
            .when(ADVERTISES_ROUTER)
            .reference(ND),
        Field::group("nd.na.flag", "Flags", 32, 32).alias(FLAGS).when(ADVERTISES_NEIGHBOR).reference(ND),
        Field::flag("nd.na.flag.r", "Router", 32)
            .short("R")
            .letter('R')
            .when(ADVERTISES_NEIGHBOR)
            .reference(ND),
        Field::flag("nd.na.flag.s", "Solicited", 33)
            .short("S")
            .letter('S')
            .when(ADVERTISES_NEIGHBOR)
            .reference(ND),
        Field::flag("nd.na.flag.o", "Override", 34)
            .short("O")
            .letter('O')
            .when(ADVERTISES_NEIGHBOR)
            .reference(ND),
        Field::number("nd.na.flag.rsv", "Reserved", 35, 29).when(ADVERTISES_NEIGHBOR).reference(ND),
        Field::ipv6("nd.ns.target_address", "Target Address", 64)
            .alias(TARGET)
            .when(SOLICITS_NEIGHBOR)
            .reference(ND),
        Field::ipv6("nd.na.target_address", "Target Address", 64)
            .alias(TARGET)
            .when(ADVERTISES_NEIGHBOR)
            .reference(ND),
        Field::ipv6("nd.rd.target_address", "Target Address", 64).alias(TARGET).when(REDIRECT).reference(ND),
        Field::ipv6("rd.na.destination_address", "Destination Address", 192)
            .alias(&[("destination", 1)])
            .when(REDIRECT)
            .reference(ND),
    ],
    length: Length::Cases {
        cases: &[
            (of(&[1, 2, 3, 4, 128, 129, 133, 160, 161]), 8),
            (ADVERTISES_ROUTER, 16),
            (of(&[135, 136]), 24),
            (REDIRECT, 40),
        ],
        // RFC 4443 section 2.1: what follows is the body of the message, whatever the type.
        otherwise: 4,
    },
    extent: None,
    found_by: &[(Space::IpProtocol, 58)],
    next: &[Next { when: Some(ERROR), to: To::Version, quoted: true }],
    reader: Some(&reader::V6),
    items: Some(&options::LIST),
    ends: None,
    network: false,
    // The reply to a reply is the next request.
    answer: Some(Answer {
        kind: Some(&TYPE),
        kinds: &[(128, 129), (129, 128)],
        counts: Some((128, &SEQUENCE)),
        echoes: true,
        ..Answer::PLAIN
    }),
    family: Family::Control,
    row_bits: 32,
    info,
    warnings: &[hop_limit, option],
    ..Header::PLAIN
};

/// When the options of neighbour discovery are there.
pub(super) const HAS_OPTIONS: When = DISCOVERY;

fn info(view: &LayerView<'_>) -> String {
    let Some(kind) = view.number("type") else { return "cut short".into() };
    let name = match view.value_name("type") {
        name if name == kind.to_string() => format!("Type {name}"),
        name => name,
    };
    let target = view.text("target");
    let text = match kind {
        1 | 3 => format!("{name}: {}", view.value_name("code")),
        2 => format!("{name}: MTU {}", view.text("mtu")),
        4 => format!("{name}: {}, pointer {}", view.value_name("code"), view.text("pointer")),
        128 | 129 => {
            let (id, seq) = (view.number("id").unwrap_or(0), view.text("seq"));
            return format!("{name} id {id} seq {seq} length {}", view.payload_len());
        }
        160 | 161 => {
            format!(
                "{name} id {} seq {} code {}",
                view.number("id").unwrap_or(0),
                view.text("seq"),
                view.text("code")
            )
        }
        134 => format!(
            "{name} hop limit {} flags {} lifetime {}",
            view.text("hlim"),
            flags(view),
            view.text("lifetime")
        ),
        135 => format!("{name} who has {target}?"),
        136 => format!("{name} {target} flags {}", flags(view)),
        137 => format!("{name} {} via {target}", view.text("destination")),
        133 => name,
        _ => format!("{name} code {}", view.text("code")),
    };
    text + &view.terse_items() + &view.quoted_text()
}

/// The flags of an advertisement.
fn flags(view: &LayerView<'_>) -> String {
    match view.text_of_letters("flags") {
        Some(letters) if letters.is_empty() => "none".into(),
        Some(letters) => letters,
        None => view.text("flags"),
    }
}

fn hop_limit(view: &LayerView<'_>) -> Option<String> {
    let discovery = matches!(view.number("type")?, 133..=137);
    let below = LayerView { index: view.index.checked_sub(1)?, ..*view };
    let hlim = below.number("hlim")?;
    (discovery && hlim != 255)
        .then(|| format!("hop limit {hlim}: receivers take messages of neighbour discovery only with 255"))
}

fn option(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}
