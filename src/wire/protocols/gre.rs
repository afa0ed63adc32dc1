//! Generic routing encapsulation, RFC 2784, with key and sequence number, RFC 2890; version 1, RFC 2637 (PPTP).

use super::ethernet::TYPE_NAMES;
use crate::wire::table::{Compute, Coverage, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

/// The four flags that decide which words follow: checksum, routing, key, sequence number.
const WORDS: Field = Field::group("flags_and_version", "Flags", 0, 4);
const VERSION: Field = Field::number("flags.version", "Version", 13, 3).short("Ver");
const PROTO: Field = Field::hex("proto", "Protocol Type", 16, 16)
    .names(TYPE_NAMES)
    .computed(Compute::NextHeader(Space::EtherType));

const fn with(is: &'static [u64]) -> When {
    When { field: &WORDS, is, not: false }
}

/// Checksum or routing: both share a word (RFC 1701).
const CHECKSUM: When = with(&[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const KEY_FIRST: When = with(&[2, 3]);
const KEY_SECOND: When = with(&[6, 7, 10, 11, 14, 15]);
const SEQUENCE_FIRST: When = with(&[1]);
const SEQUENCE_SECOND: When = with(&[3, 5, 9, 13]);
const SEQUENCE_THIRD: When = with(&[7, 11, 15]);

const fn key(start: usize) -> Field {
    Field::hex("key", "Key", start, 32).reference("RFC 2890")
}

const fn sequence(start: usize) -> Field {
    Field::number("sequence_number", "Sequence Number", start, 32).alias(&[("seq", 1)]).reference("RFC 2890")
}

/// GRE.
pub static HEADER: Header = Header {
    key: "gre",
    name: "Generic Routing Encapsulation",
    short: "GRE",
    reference: "RFC 2784",
    fields: &[
        Field::group("flags_and_version", "Flags and Version", 0, 16).alias(&[("flags", 1)]),
        Field::flag("flags.checksum", "Checksum Present", 0).short("C").alias(&[("c", 1)]),
        Field::flag("flags.routing", "Routing Present", 1).short("R").reference("RFC 1701"),
        Field::flag("flags.key", "Key Present", 2).short("K").alias(&[("k", 1)]).reference("RFC 2890"),
        Field::flag("flags.sequence_number", "Sequence Number Present", 3)
            .short("S")
            .alias(&[("s", 1)])
            .reference("RFC 2890"),
        Field::flag("flags.strict_source_route", "Strict Source Route", 4).short("s").reference("RFC 1701"),
        Field::number("flags.recursion_control", "Recursion Control", 5, 3)
            .short("Recur")
            .reference("RFC 1701"),
        Field::number("flags.reserved", "Reserved", 8, 5).short("Rsv"),
        VERSION,
        PROTO,
        Field::hex("checksum", "Checksum", 32, 16)
            .computed(Compute::Checksum { coverage: Coverage::Message, zero_is_none: false })
            .when(CHECKSUM),
        Field::number("offset", "Offset", 48, 16).when(CHECKSUM).reference("RFC 1701"),
        key(32).when(KEY_FIRST),
        key(64).when(KEY_SECOND),
        sequence(32).when(SEQUENCE_FIRST),
        sequence(64).when(SEQUENCE_SECOND),
        sequence(96).when(SEQUENCE_THIRD),
    ],
    length: Length::Cases {
        cases: &[
            (with(&[1, 2, 4, 8, 12]), 8),
            (with(&[3, 5, 6, 9, 10, 13, 14]), 12),
            (with(&[7, 11, 15]), 16),
        ],
        otherwise: 4,
    },
    found_by: &[(Space::IpProtocol, 47)],
    // Version 1 (RFC 2637) has other words behind the flags.
    only_when: Some(When { field: &VERSION, is: &[1], not: true }),
    next: &[
        Next {
            when: Some(with(&[0, 2, 8, 10])),
            to: To::Selected { by: &PROTO, space: Space::GreUnsequenced },
            quoted: false,
        },
        Next {
            when: Some(with(&[0, 2, 8, 10])),
            to: To::Selected { by: &PROTO, space: Space::EtherType },
            quoted: false,
        },
        // Source routes would stand before what is carried (RFC 1701).
        Next {
            when: Some(with(&[1, 3, 9, 11])),
            to: To::Selected { by: &PROTO, space: Space::EtherType },
            quoted: false,
        },
    ],
    family: Family::Tunnel,
    info,
    warnings: &[routes],
    ..Header::PLAIN
};

fn routes(view: &LayerView<'_>) -> Option<String> {
    view.is_set("flags.routing").then(|| {
        "with R, source routes stand between the header and what it carries (RFC 1701): they are not read"
            .into()
    })
}

/// The bits from the sequence flag to the acknowledgement flag, which decide which words follow in version 1.
const WORDS_1: Field = Field::number("flags_and_version", "Flags", 3, 6);

/// The values of these bits with S and A as said, whatever stands between.
const fn both(s: u64, a: u64) -> [u64; 16] {
    let mut all = [0; 16];
    let mut at = 0;
    while at < 16 {
        all[at] = s << 5 | (at as u64) << 1 | a;
        at += 1;
    }
    all
}
const SEQUENCE_ALONE: When = When::is(&WORDS_1, &both(1, 0));
const ACK_ALONE: When = When::is(&WORDS_1, &both(0, 1));
const BOTH: When = When::is(&WORDS_1, &both(1, 1));
const S: Field =
    Field::flag("flags.sequence_number", "Sequence Number Present", 3).short("S").alias(&[("s", 1)]);
const A: Field =
    Field::flag("flags.ack", "Acknowledgment Sequence Number Present", 8).short("A").alias(&[("a", 1)]);
const ACK: Field = Field::number("ack_number", "Acknowledgment Number", 64, 32).alias(&[("ack", 1)]);

/// GRE of PPTP.
pub static POINT_TO_POINT: Header = Header {
    key: "gre1",
    prefix: "gre",
    name: "Enhanced GRE",
    short: "GRE",
    reference: "RFC 2637",
    fields: &[
        Field::group("flags_and_version", "Flags and Version", 0, 16).alias(&[("flags", 1)]),
        Field::flag("flags.checksum", "Checksum Present", 0).short("C"),
        Field::flag("flags.routing", "Routing Present", 1).short("R"),
        Field::flag("flags.key", "Key Present", 2).short("K").alias(&[("k", 1)]).default(1),
        S,
        Field::flag("flags.strict_source_route", "Strict Source Route Present", 4).short("s"),
        Field::number("flags.recursion_control", "Recursion Control", 5, 3).short("Recur"),
        A,
        Field::number("flags.reserved", "Flags", 9, 4).short("Flags"),
        VERSION.default(1),
        PROTO.default(0x880b),
        Field::number("key.payload_length", "Payload Length", 32, 16)
            .alias(&[("length", 1)])
            .computed(Compute::PayloadLength),
        Field::number("key.call_id", "Call ID", 48, 16).alias(&[("call_id", 1)]),
        sequence(64).when(SEQUENCE_ALONE),
        ACK.when(ACK_ALONE),
        sequence(64).when(BOTH),
        Field { bits: crate::wire::bits::BitRange { start: 96, width: 32 }, ..ACK }.when(BOTH),
    ],
    length: Length::Cases { cases: &[(BOTH, 16), (SEQUENCE_ALONE, 12), (ACK_ALONE, 12)], otherwise: 8 },
    found_by: &[(Space::IpProtocol, 47)],
    only_when: Some(When::is(&VERSION, &[1])),
    next: &[Next { when: None, to: To::Selected { by: &PROTO, space: Space::EtherType }, quoted: false }],
    family: Family::Tunnel,
    info: info_1,
    warnings: &[has_words_of_version_0],
    ..Header::PLAIN
};

fn info_1(view: &LayerView<'_>) -> String {
    let mut text = format!("call {}", view.text("call_id"));
    for name in ["seq", "ack"] {
        if view.field(name).is_some() {
            text += &format!(" {name} {}", view.text(name));
        }
    }
    format!("{text} length {}", view.payload_len())
}

fn has_words_of_version_0(view: &LayerView<'_>) -> Option<String> {
    let odd = view.is_set("flags.checksum") || view.is_set("flags.routing") || !view.is_set("flags.key");
    odd.then(|| "in version 1 C and R are 0 and K is 1 (RFC 2637 section 4.1): receivers drop it".into())
}

fn info(view: &LayerView<'_>) -> String {
    let mut text = format!("protocol {}", view.value_name(PROTO.key));
    for name in ["key", "seq"] {
        if view.field(name).is_some() {
            text += &format!(" {name} {}", view.text(name));
        }
    }
    format!("{text} length {}", view.payload_len())
}
