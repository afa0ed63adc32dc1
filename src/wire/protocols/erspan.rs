//! ERSPAN types II and III, draft-foschiano-erspan-03: a mirrored Ethernet frame in GRE. Type I has no header.

use crate::wire::table::{Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const VERSION: Field = Field::number("version", "Version", 0, 4).short("Ver");
const VLAN: Field = Field::number("vlan", "VLAN", 4, 12);
const COS: Field = Field::number("cos", "Class of Service", 16, 3).short("COS");
const TRUNCATED: Field = Field::number("truncated", "Truncated", 21, 1).short("T");
const SESSION: Field = Field::number("spanid", "Session ID", 22, 10).alias(&[("session", 1)]);

/// What both have in common.
const ERSPAN: Header = Header {
    prefix: "erspan",
    short: "ERSPAN",
    reference: "draft-foschiano-erspan-03",
    // Beside GRE, which is the tunnel.
    family: Family::Extension,
    info,
    warnings: &[needs_sequence],
    ..Header::PLAIN
};

/// Type II, whose version is 1.
pub static HEADER: Header = Header {
    key: "erspan",
    name: "ERSPAN Type II",
    fields: &[
        VERSION.default(1),
        VLAN,
        COS,
        Field::number("encap", "Encapsulation", 19, 2).short("En").names(&[
            (0, "without tag"),
            (1, "ISL"),
            (2, "802.1Q"),
            (3, "tag kept"),
        ]),
        TRUNCATED,
        SESSION,
        Field::number("reserved", "Reserved", 32, 12),
        Field::number("index", "Index", 44, 20),
    ],
    length: Length::Fixed(8),
    found_by: &[(Space::EtherType, 0x88be)],
    next: &[Next { when: None, to: To::Always(Space::LinkType, 1), quoted: false }],
    ..ERSPAN
};

const FRAME: Field =
    Field::number("ft", "Frame Type", 81, 5).short("FT").names(&[(0, "Ethernet"), (2, "IP")]);
const SUB: Field = Field::number("o", "Optional Sub-header", 95, 1).short("O");
const PLATFORM: Field = Field::number("platid", "Platform ID", 96, 6).short("Platf ID");

/// The optional words are there.
const WITH_SUB: When = When::is(&SUB, &[1]);

/// Type III, whose version is 2.
pub static TYPE_3: Header = Header {
    key: "erspan3",
    name: "ERSPAN Type III",
    fields: &[
        VERSION.default(2),
        VLAN,
        COS,
        Field::number("bso", "Bad/Short/Oversized", 19, 2).short("BSO").names(&[
            (0, "good"),
            (1, "short"),
            (2, "oversized"),
            (3, "bad"),
        ]),
        TRUNCATED,
        SESSION,
        Field::number("timestamp", "Timestamp", 32, 32),
        Field::number("sgt", "Security Group Tag", 64, 16),
        Field::number("p", "Has Ethernet PDU", 80, 1).short("P").default(1),
        FRAME,
        Field::number("hw", "Hardware ID", 86, 6),
        Field::flag("direction", "Direction", 92).short("D"),
        Field::number("gra", "Timestamp Granularity", 93, 2).short("Gra").names(&[
            (0, "100 µs"),
            (1, "100 ns"),
            (2, "IEEE 1588"),
            (3, "user"),
        ]),
        SUB,
        PLATFORM.when(WITH_SUB),
        Field::hex("platform_info", "Platform Specific Info", 102, 58).when(WITH_SUB),
    ],
    length: Length::Cases { cases: &[(WITH_SUB, 20)], otherwise: 12 },
    found_by: &[(Space::EtherType, 0x22eb)],
    next: &[
        Next { when: Some(When::is(&FRAME, &[0])), to: To::Always(Space::LinkType, 1), quoted: false },
        Next { when: Some(When::is(&FRAME, &[2])), to: To::Version, quoted: false },
    ],
    ..ERSPAN
};

fn info(view: &LayerView<'_>) -> String {
    let (session, vlan) = (view.text(SESSION.key), view.text(VLAN.key));
    let cut = if view.is_set(TRUNCATED.key) { " truncated" } else { "" };
    format!("session {session} VLAN {vlan}{cut} length {}", view.payload_len())
}

/// Behind a GRE header without a sequence number 0x88be is type I, and the header would be read as a frame.
fn needs_sequence(view: &LayerView<'_>) -> Option<String> {
    let below = LayerView { index: view.index.checked_sub(1)?, ..*view };
    let bare = below.field("flags.sequence_number").is_some() && !below.is_set("flags.sequence_number");
    let bare = bare && view.number(VERSION.key) == Some(1);
    bare.then(|| "GRE without a sequence number (S) carries ERSPAN type I, which has no header".into())
}
