//! PPP, RFC 1661: its protocol field, the framing of HDLC before it (RFC 1662), and its own messages: LCP, IPCP (RFC 1332,
//! RFC 1877), IPv6CP (RFC 5072), PAP (RFC 1334), CHAP (RFC 1994).

use super::ppp_options::{IPCP_OPTIONS, IPV6CP_OPTIONS, LCP_OPTIONS};
use crate::wire::table::{Compute, Extent, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const fn protocol(start: usize) -> Field {
    Field::hex("protocol", "Protocol", start, 16)
        .names(&[
            (0x0021, "IPv4"),
            (0x0057, "IPv6"),
            (0x0281, "MPLS"),
            (0x8021, "IPCP"),
            (0x8057, "IPv6CP"),
            (0xc021, "LCP"),
            (0xc023, "PAP"),
            (0xc025, "LQR"),
            (0xc223, "CHAP"),
        ])
        .default(0xc021)
        .computed(Compute::NextHeader(Space::Ppp))
}
const PROTOCOL: Field = protocol(0);
const PROTOCOL_BEHIND: Field = protocol(16);

/// An address byte of HDLC stands where the protocol field would begin.
const FIRST: Field = Field::hex("protocol", "Protocol", 0, 8);

/// Where PPP is found, with and without the framing.
const FOUND_BY: &[(Space, u32)] = &[(Space::LinkType, 9), (Space::LinkType, 50), (Space::EtherType, 0x880b)];

/// The protocol field alone.
pub static HEADER: Header = Header {
    key: "ppp",
    name: "Point-to-Point Protocol",
    short: "PPP",
    reference: "RFC 1661",
    fields: &[PROTOCOL],
    length: Length::Fixed(2),
    found_by: FOUND_BY,
    only_when: Some(When { field: &FIRST, is: &[0xff], not: true }),
    next: &[Next { when: None, to: To::Selected { by: &PROTOCOL, space: Space::Ppp }, quoted: false }],
    info,
    ..Header::PLAIN
};

/// With the framing of HDLC.
pub static FRAMED: Header = Header {
    key: "ppp_hdlc",
    prefix: "ppp",
    name: "PPP in HDLC-like Framing",
    short: "PPP",
    reference: "RFC 1662",
    fields: &[
        Field::hex("address", "Address", 0, 8).default(0xff),
        Field::hex("control", "Control", 8, 8).default(3),
        PROTOCOL_BEHIND,
    ],
    length: Length::Fixed(4),
    found_by: FOUND_BY,
    only_when: Some(When::is(&FIRST, &[0xff])),
    next: &[Next { when: None, to: To::Selected { by: &PROTOCOL_BEHIND, space: Space::Ppp }, quoted: false }],
    family: Family::Link,
    info,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("protocol {}, {} bytes", view.value_name(PROTOCOL.key), view.payload_len())
}

const CODE: Field = Field::number("code", "Code", 0, 8).default(1).names(&[
    (1, "Configure-Request"),
    (2, "Configure-Ack"),
    (3, "Configure-Nak"),
    (4, "Configure-Reject"),
    (5, "Terminate-Request"),
    (6, "Terminate-Ack"),
    (7, "Code-Reject"),
    (8, "Protocol-Reject"),
    (9, "Echo-Request"),
    (10, "Echo-Reply"),
    (11, "Discard-Request"),
]);
const IDENTIFIER: Field = Field::number("identifier", "Identifier", 8, 8).alias(&[("id", 1)]).default(1);
const LENGTH: Field = Field::number("length", "Length", 16, 16).computed(Compute::TotalLength);

/// Messages with options.
pub(super) const CONFIGURE: When = When::is(&CODE, &[1, 2, 3, 4]);
const REJECT: When = When::is(&CODE, &[8]);
const ECHO: When = When::is(&CODE, &[9, 10, 11]);

/// What the messages have in common.
const MESSAGE: Header = Header {
    prefix: "ppp",
    fields: &[CODE, IDENTIFIER, LENGTH],
    length: Length::Fixed(4),
    extent: Some(Extent { by: &LENGTH, beyond: 0, zero_is_open: None }),
    family: Family::Control,
    info: message,
    ..Header::PLAIN
};

/// LCP.
pub static LCP: Header = Header {
    key: "lcp",
    name: "PPP Link Control Protocol",
    short: "LCP",
    reference: "RFC 1661",
    fields: &[
        CODE,
        IDENTIFIER,
        LENGTH,
        Field::hex("lcp.rej_proto", "Rejected-Protocol", 32, 16).alias(&[("rejected", 1)]).when(REJECT),
        Field::hex("lcp.magic_number", "Magic-Number", 32, 32).alias(&[("magic", 1)]).when(ECHO),
    ],
    length: Length::Cases { cases: &[(REJECT, 6), (ECHO, 8)], otherwise: 4 },
    found_by: &[(Space::Ppp, 0xc021)],
    items: Some(&LCP_OPTIONS),
    ..MESSAGE
};

/// IPCP.
pub static IPCP: Header = Header {
    key: "ipcp",
    name: "PPP IP Control Protocol",
    short: "IPCP",
    reference: "RFC 1332",
    found_by: &[(Space::Ppp, 0x8021)],
    items: Some(&IPCP_OPTIONS),
    ..MESSAGE
};

/// IPv6CP.
pub static IPV6CP: Header = Header {
    key: "ipv6cp",
    name: "PPP IPv6 Control Protocol",
    short: "IPv6CP",
    reference: "RFC 5072",
    found_by: &[(Space::Ppp, 0x8057)],
    items: Some(&IPV6CP_OPTIONS),
    ..MESSAGE
};

fn message(view: &LayerView<'_>) -> String {
    let (code, id) = (view.value_name(CODE.key), view.text(IDENTIFIER.key));
    format!("{code} id {id} length {}{}", view.text(LENGTH.key), view.terse_items())
}

/// PAP; names and passwords are its payload.
pub static PAP: Header = Header {
    key: "pap",
    prefix: "",
    name: "PPP Password Authentication Protocol",
    short: "PAP",
    reference: "RFC 1334",
    fields: &[
        CODE.names(&[(1, "Authenticate-Request"), (2, "Authenticate-Ack"), (3, "Authenticate-Nak")]),
        IDENTIFIER,
        LENGTH,
    ],
    found_by: &[(Space::Ppp, 0xc023)],
    ..MESSAGE
};

/// CHAP; values and names are its payload.
pub static CHAP: Header = Header {
    key: "chap",
    prefix: "",
    name: "PPP Challenge Handshake Authentication Protocol",
    short: "CHAP",
    reference: "RFC 1994",
    fields: &[
        CODE.names(&[(1, "Challenge"), (2, "Response"), (3, "Success"), (4, "Failure")]),
        IDENTIFIER,
        LENGTH,
    ],
    found_by: &[(Space::Ppp, 0xc223)],
    ..MESSAGE
};
