//! TCP options: RFC 9293 section 3.2 (end, no-operation, maximum segment size), RFC 7323 (window scale, timestamps),
//! RFC 2018 (selective acknowledgment), RFC 2385 (MD5 signature), RFC 5925 (TCP-AO), RFC 5482 (user timeout), RFC 7413
//! (fast open), RFC 8684 (Multipath TCP, in a file of its own), RFC 9768 (Accurate ECN), RFC 6994 (experiments).

use super::tcp_mptcp as mptcp;
use crate::wire::table::{Field, Fills, Item, ItemList, When};

pub(super) const KIND: Field = Field::number("option_kind", "Kind", 0, 8).names(&[
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
    (172, "Accurate ECN Order 0"),
    (174, "Accurate ECN Order 1"),
    (253, "Experiment 1"),
    (254, "Experiment 2"),
]);
pub(super) const LEN: Field = Field::number("option_len", "Length", 8, 8);

const fn single(kind: u32, key: &'static str, name: &'static str, ends: bool) -> Item {
    Item {
        kind: Some(kind),
        key,
        name,
        terse: key,
        reference: "RFC 9293 section 3.2",
        single: true,
        bare: false,
        ends,
        length: 1,
        fields: &[KIND],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    }
}

/// Which experiment, in 16 bits. Some have 32: their other half stands first in the data.
const EXID: Field = Field::hex("options.experimental.exid", "Experiment Identifier", 16, 16)
    .short("ExID")
    .names(&[(0xf989, "Fast Open"), (0xe2d4, "SMC-R")]);

const fn experiment(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 6994 section 3", fields)
}

const EXPERIMENT: &[Field] =
    &[KIND, LEN, EXID, Field::bytes("options.experimental.data", "Experiment Data", 32, 0).short("Data")];
/// The cookie of fast open in its experimental form, RFC 7413 appendix A.
const EXPERIMENT_COOKIE: &[Field] = &[
    KIND,
    LEN,
    EXID.default(0xf989),
    Field::bytes("options.tfo.cookie", "Fast Open Cookie", 32, 0).short("Cookie"),
];
const IS_COOKIE: &[When] = &[When::is(&EXID, &[0xf989])];

const fn counter(key: &'static str, label: &'static str, short: &'static str, nth: usize) -> Field {
    Field::number(key, label, 16 + 24 * nth, 24).short(short)
}
const fn e0(nth: usize) -> Field {
    counter("options.acc_ecn.ee0b", "ECT(0) Bytes", "EE0B", nth)
}
const fn ce(nth: usize) -> Field {
    counter("options.acc_ecn.eceb", "CE Bytes", "ECEB", nth)
}
const fn e1(nth: usize) -> Field {
    counter("options.acc_ecn.ee1b", "ECT(1) Bytes", "EE1B", nth)
}
/// Accurate ECN: of three counters the last ones may be missing.
const fn accecn(kind: u32, key: &'static str, fields: &'static [Field], length: usize) -> Item {
    let name = if kind == 172 { "Accurate ECN Order 0" } else { "Accurate ECN Order 1" };
    Item::known(kind, key, name, "RFC 9768 section 3.2.3", fields).exactly(length)
}

const PLAIN: [Item; 23] = [
    single(0, "eol", "End of Option List", true),
    single(1, "nop", "No-Operation", false),
    Item {
        kind: Some(2),
        key: "mss",
        name: "Maximum Segment Size",
        terse: "mss",
        reference: "RFC 9293 section 3.7.1",
        single: false,
        bare: false,
        ends: false,
        length: 4,
        fields: &[KIND, LEN, Field::number("options.mss_val", "MSS Value", 16, 16).default(1460)],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    Item {
        kind: Some(3),
        key: "wscale",
        name: "Window Scale",
        terse: "wscale",
        reference: "RFC 7323 section 2",
        single: false,
        bare: false,
        ends: false,
        length: 3,
        fields: &[KIND, LEN, Field::number("options.wscale.shift", "Shift Count", 16, 8).default(7)],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    Item {
        kind: Some(4),
        key: "sackOK",
        name: "SACK Permitted",
        terse: "sackOK",
        reference: "RFC 2018 section 2",
        single: false,
        bare: false,
        ends: false,
        length: 2,
        fields: &[KIND, LEN],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    Item {
        kind: Some(5),
        key: "sack",
        name: "SACK",
        terse: "sack",
        reference: "RFC 2018 section 3",
        single: false,
        bare: false,
        ends: false,
        length: 0,
        fields: &[KIND, LEN],
        repeat: &[
            Field::number("options.sack_le", "Left Edge", 0, 32),
            Field::number("options.sack_re", "Right Edge", 32, 32),
        ],
        when: &[],
        ..Item::PLAIN
    },
    Item {
        kind: Some(8),
        key: "ts",
        name: "Timestamps",
        terse: "ts",
        reference: "RFC 7323 section 3",
        single: false,
        bare: false,
        ends: false,
        length: 10,
        fields: &[
            KIND,
            LEN,
            Field::number("options.timestamp.tsval", "Timestamp Value", 16, 32).default(1),
            Field::number("options.timestamp.tsecr", "Timestamp Echo Reply", 48, 32),
        ],
        repeat: &[],
        when: &[],
        ..Item::PLAIN
    },
    Item::known(
        19,
        "md5",
        "MD5 Signature",
        "RFC 2385 section 3.0",
        &[KIND, LEN, Field::bytes("options.md5.digest", "MD5 Digest", 16, 0).short("Digest")],
    )
    .exactly(18),
    Item::known(
        28,
        "uto",
        "User Timeout",
        "RFC 5482 section 3",
        &[
            KIND,
            LEN,
            Field::flag("options.user_to_granularity", "Granularity", 16),
            Field::number("options.user_to_val", "User Timeout", 17, 15).short("Timeout").default(30),
        ],
    )
    .exactly(4),
    Item::known(
        29,
        "ao",
        "TCP-AO",
        "RFC 5925 section 2.2",
        &[
            KIND,
            LEN,
            Field::number("options.ao.keyid", "KeyID", 16, 8),
            Field::number("options.ao.rnextkeyid", "RNextKeyID", 24, 8),
            Field::bytes("options.ao.mac", "MAC", 32, 0),
        ],
    ),
    Item::known(
        34,
        "tfo",
        "Fast Open Cookie",
        "RFC 7413 section 4.1.1",
        &[KIND, LEN, Field::bytes("options.tfo.cookie", "Fast Open Cookie", 16, 0).short("Cookie")],
    ),
    accecn(172, "accecn0", &[KIND, LEN, e0(0), ce(1), e1(2)], 11),
    accecn(172, "accecn0", &[KIND, LEN, e0(0), ce(1)], 8),
    accecn(172, "accecn0", &[KIND, LEN, e0(0)], 5),
    accecn(172, "accecn0", &[KIND, LEN], 2),
    accecn(174, "accecn1", &[KIND, LEN, e1(0), ce(1), e0(2)], 11),
    accecn(174, "accecn1", &[KIND, LEN, e1(0), ce(1)], 8),
    accecn(174, "accecn1", &[KIND, LEN, e1(0)], 5),
    accecn(174, "accecn1", &[KIND, LEN], 2),
    experiment(253, "exp253", "Experiment 1 (Fast Open)", EXPERIMENT_COOKIE).when(IS_COOKIE),
    experiment(253, "exp253", "Experiment 1", EXPERIMENT),
    experiment(254, "exp254", "Experiment 2 (Fast Open)", EXPERIMENT_COOKIE).when(IS_COOKIE),
    experiment(254, "exp254", "Experiment 2", EXPERIMENT),
];

/// All tables in one.
const fn all() -> [Item; PLAIN.len() + mptcp::COUNT] {
    let mut all = [PLAIN[0]; PLAIN.len() + mptcp::COUNT];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < PLAIN.len() { PLAIN[at] } else { mptcp::ITEMS[at - PLAIN.len()] };
        at += 1;
    }
    all
}
static ALL: [Item; PLAIN.len() + mptcp::COUNT] = all();

/// The option list of a TCP header.
pub static LIST: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &ALL,
    unknown: &Item {
        kind: None,
        key: "opt",
        name: "Unknown Option",
        terse: "opt",
        reference: "IANA TCP option kinds",
        single: false,
        bare: false,
        ends: false,
        length: 0,
        fields: &[KIND, LEN, Field::bytes("options.unknown.payload", "Option Data", 16, 0)],
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
    lead: 0,
    limit: Some(40),
    ..ItemList::PLAIN
};
