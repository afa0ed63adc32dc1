//! ICMP, RFC 792; next-hop MTU RFC 1191, length of the quoted packet RFC 4884.

use crate::wire::readers::icmp as reader;
use crate::wire::table::{
    Answer, Compute, Coverage, Family, Field, Header, Length, Next, Shown, Space, To, When,
};
use crate::wire::view::LayerView;

const TYPE: Field = Field::number("type", "Type", 0, 8)
    .names(&[
        (0, "Echo reply"),
        (3, "Destination unreachable"),
        (4, "Source quench"),
        (5, "Redirect"),
        (8, "Echo request"),
        (9, "Router advertisement"),
        (10, "Router solicitation"),
        (11, "Time exceeded"),
        (12, "Parameter problem"),
        (13, "Timestamp request"),
        (14, "Timestamp reply"),
        (42, "Extended echo request"),
        (43, "Extended echo reply"),
    ])
    .default(8);

/// The codes of destination unreachable, RFC 792 and RFC 1812 section 5.2.7.1.
static UNREACHABLE: &[&str] = &[
    "network unreachable",
    "host unreachable",
    "protocol unreachable",
    "port unreachable",
    "fragmentation needed",
    "source route failed",
    "destination network unknown",
    "destination host unknown",
    "source host isolated",
    "network administratively prohibited",
    "host administratively prohibited",
    "network unreachable for this type of service",
    "host unreachable for this type of service",
    "communication administratively prohibited",
    "host precedence violation",
    "precedence cutoff in effect",
];

/// Type and code in one, for what only one code of a type has.
const TYPE_AND_CODE: Field = Field::group("type_and_code", "Type and Code", 0, 16);

const fn of(is: &'static [u64]) -> When {
    When { field: &TYPE, is, not: false }
}

/// Echo, timestamp, information and address mask (RFC 792, RFC 950) have an identifier and a sequence number.
const ECHO: When = of(&[0, 8, 13, 14, 15, 16, 17, 18]);
/// Destination unreachable, time exceeded and parameter problem say the length of what they quote (RFC 4884).
const SAYS_LENGTH: When = of(&[3, 11, 12]);
const UNUSED_FIRST: When = of(&[3, 11]);
const PARAMETER: When = of(&[12]);
const FRAGMENTATION_NEEDED: When = When { field: &TYPE_AND_CODE, is: &[0x0304], not: false };
const UNREACHABLE_OTHERWISE: When = When { field: &TYPE_AND_CODE, is: &UNREACHABLE_CODES, not: false };
const REDIRECT: When = of(&[5]);
const OTHER: When =
    When { field: &TYPE, is: &[0, 3, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18, 42, 43], not: true };
/// Destination unreachable with every code but "fragmentation needed".
static UNREACHABLE_CODES: [u64; 255] = {
    let mut codes = [0; 255];
    let mut i = 0;
    while i < 255 {
        codes[i] = 0x0300 + i as u64 + (i >= 4) as u64;
        i += 1;
    }
    codes
};
const EXTENDED_ECHO: When = of(&[42, 43]);
const EXTENDED_REQUEST: When = of(&[42]);
const EXTENDED_REPLY: When = of(&[43]);
/// The second half of the word behind the checksum in extended echo, behind an identifier: in both, in a request, in a
/// reply.
pub(super) const EXTENDED: [Field; 8] = [
    Field::number("ext.echo.seq", "Sequence Number", 48, 8)
        .alias(&[("seq", 1)])
        .default(1)
        .reference("RFC 8335"),
    Field::hex("ext.echo.req.res", "Reserved", 56, 7).reference("RFC 8335"),
    Field::flag("ext.echo.req.local", "Local", 63).short("L").default(1).reference("RFC 8335"),
    Field::number("ext.echo.rsp.state", "State", 56, 3)
        .names(&[
            (0, "reserved"),
            (1, "incomplete"),
            (2, "reachable"),
            (3, "stale"),
            (4, "delay"),
            (5, "probe"),
            (6, "failed"),
        ])
        .reference("RFC 8335"),
    Field::hex("ext.echo.rsp.res", "Reserved", 59, 2).reference("RFC 8335"),
    Field::flag("ext.echo.rsp.active", "Active", 61).short("A").reference("RFC 8335"),
    Field::flag("ext.echo.rsp.ipv4", "IPv4", 62).short("4").reference("RFC 8335"),
    Field::flag("ext.echo.rsp.ipv6", "IPv6", 63).short("6").reference("RFC 8335"),
];
/// The types whose payload is the beginning of the packet that caused them.
const QUOTES: When = of(&[3, 4, 5, 11, 12]);

const SEQUENCE: Field = Field::number("seq", "Sequence Number", 48, 16).default(1);

/// ICMP.
pub static HEADER: Header = Header {
    key: "icmp",
    name: "Internet Control Message Protocol",
    short: "ICMP",
    reference: "RFC 792",
    fields: &[
        TYPE,
        Field::number("code", "Code", 8, 8),
        Field::hex("checksum", "Checksum", 16, 16)
            .computed(Compute::Checksum { coverage: Coverage::Message, zero_is_none: false }),
        Field::number("ident", "Identifier", 32, 16).alias(&[("id", 1)]).default(1).when(ECHO),
        SEQUENCE.when(ECHO),
        Field::number("ident", "Identifier", 32, 16)
            .alias(&[("id", 1)])
            .default(1)
            .when(EXTENDED_ECHO)
            .reference("RFC 8335"),
        // "seq" is the key of echo's.
        EXTENDED[0].alias(&[("eseq", 1)]).when(EXTENDED_ECHO),
        EXTENDED[1].when(EXTENDED_REQUEST),
        EXTENDED[2].when(EXTENDED_REQUEST),
        EXTENDED[3].when(EXTENDED_REPLY),
        EXTENDED[4].when(EXTENDED_REPLY),
        EXTENDED[5].when(EXTENDED_REPLY),
        EXTENDED[6].when(EXTENDED_REPLY),
        EXTENDED[7].when(EXTENDED_REPLY),
        Field::hex("unused8", "Unused", 32, 8).when(UNUSED_FIRST),
        Field::number("pointer", "Pointer", 32, 8).when(PARAMETER),
        Field::number("length", "Length of Quoted Packet in Words", 40, 8)
            .short("Length")
            .shown(Shown::UnlessZero)
            .when(SAYS_LENGTH)
            .reference("RFC 4884"),
        Field::number("mtu", "Next-Hop MTU", 48, 16).when(FRAGMENTATION_NEEDED).reference("RFC 1191"),
        Field::hex("unused16", "Unused", 48, 16).when(UNREACHABLE_OTHERWISE),
        Field::hex("unused16", "Unused", 48, 16).when(of(&[11, 12])),
        Field::ipv4("redir_gw", "Gateway Address", 32).when(REDIRECT),
        Field::hex("rest", "Rest of Header", 32, 32).when(OTHER),
    ],
    length: Length::Fixed(8),
    extent: None,
    found_by: &[(Space::IpProtocol, 1)],
    next: &[Next { when: Some(QUOTES), to: To::Version, quoted: true }],
    reader: Some(&reader::V4),
    items: None,
    ends: None,
    network: false,
    // The reply to a reply is the next request.
    answer: Some(Answer {
        kind: Some(&TYPE),
        kinds: &[(8, 0), (0, 8)],
        counts: Some((8, &SEQUENCE)),
        echoes: true,
        ..Answer::PLAIN
    }),
    family: Family::Control,
    row_bits: 32,
    info,
    warnings: &[],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let kind = view.value_name("type");
    let code = view.number("code").unwrap_or(0);
    match view.number("type") {
        Some(42 | 43) => format!("{kind} id {} seq {} code {code}", view.text("id"), view.text("eseq")),
        Some(0 | 8) => {
            format!("{kind} id {} seq {} length {}", view.text("ident"), view.text("seq"), view.payload_len())
        }
        Some(3) => {
            let why = usize::try_from(code)
                .ok()
                .and_then(|c| UNREACHABLE.get(c))
                .copied()
                .unwrap_or("unknown code");
            let mtu = if code == 4 { format!(", MTU {}", view.text("mtu")) } else { String::new() };
            format!("{kind}: {why}{mtu}{}", view.quoted_text())
        }
        Some(11) => {
            let why = if code == 0 { "in transit" } else { "in reassembly" };
            format!("{kind} {why}{}", view.quoted_text())
        }
        Some(_) => format!("{kind} code {code}{}", view.quoted_text()),
        None => "cut short".into(),
    }
}
