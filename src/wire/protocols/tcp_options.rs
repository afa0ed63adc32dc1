//! TCP options: RFC 9293 section 3.2 (end, no-operation, maximum segment size), RFC 7323 (window scale, timestamps),
//! RFC 2018 (selective acknowledgment).

use crate::wire::table::{Field, Item, ItemList};

const KIND: Field = Field::number("option_kind", "Kind", 0, 8).names(&[
    (0, "End of Option List"),
    (1, "No-Operation"),
    (2, "Maximum Segment Size"),
    (3, "Window Scale"),
    (4, "SACK Permitted"),
    (5, "SACK"),
    (8, "Timestamps"),
    (19, "MD5 Signature"),
    (28, "User Timeout"),
    (29, "TCP-AO"),
    (30, "Multipath TCP"),
    (34, "Fast Open Cookie"),
]);
const LEN: Field = Field::number("option_len", "Length", 8, 8);

const fn single(kind: u8, key: &'static str, name: &'static str, ends: bool) -> Item {
    Item {
        kind: Some(kind),
        key,
        name,
        terse: key,
        reference: "RFC 9293 section 3.2",
        single: true,
        ends,
        length: 1,
        fields: &[KIND],
        repeat: &[],
    }
}

/// The option list of a TCP header.
pub static LIST: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &[
        single(0, "eol", "End of Option List", true),
        single(1, "nop", "No-Operation", false),
        Item {
            kind: Some(2),
            key: "mss",
            name: "Maximum Segment Size",
            terse: "mss",
            reference: "RFC 9293 section 3.7.1",
            single: false,
            ends: false,
            length: 4,
            fields: &[KIND, LEN, Field::number("options.mss_val", "MSS Value", 16, 16).default(1460)],
            repeat: &[],
        },
        Item {
            kind: Some(3),
            key: "wscale",
            name: "Window Scale",
            terse: "wscale",
            reference: "RFC 7323 section 2",
            single: false,
            ends: false,
            length: 3,
            fields: &[KIND, LEN, Field::number("options.wscale.shift", "Shift Count", 16, 8).default(7)],
            repeat: &[],
        },
        Item {
            kind: Some(4),
            key: "sackOK",
            name: "SACK Permitted",
            terse: "sackOK",
            reference: "RFC 2018 section 2",
            single: false,
            ends: false,
            length: 2,
            fields: &[KIND, LEN],
            repeat: &[],
        },
        Item {
            kind: Some(5),
            key: "sack",
            name: "SACK",
            terse: "sack",
            reference: "RFC 2018 section 3",
            single: false,
            ends: false,
            length: 0,
            fields: &[KIND, LEN],
            repeat: &[
                Field::number("options.sack_le", "Left Edge", 0, 32),
                Field::number("options.sack_re", "Right Edge", 32, 32),
            ],
        },
        Item {
            kind: Some(8),
            key: "ts",
            name: "Timestamps",
            terse: "ts",
            reference: "RFC 7323 section 3",
            single: false,
            ends: false,
            length: 10,
            fields: &[
                KIND,
                LEN,
                Field::number("options.timestamp.tsval", "Timestamp Value", 16, 32).default(1),
                Field::number("options.timestamp.tsecr", "Timestamp Echo Reply", 48, 32),
            ],
            repeat: &[],
        },
    ],
    unknown: &Item {
        kind: None,
        key: "opt",
        name: "Unknown Option",
        terse: "opt",
        reference: "IANA TCP option kinds",
        single: false,
        ends: false,
        length: 0,
        fields: &[KIND, LEN, Field::bytes("options.unknown.payload", "Option Data", 16, 0)],
        repeat: &[],
    },
    limit: 40,
};
