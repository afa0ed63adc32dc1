//! The options of DCCP, RFC 4340 section 5.8.

use crate::wire::table::{Field, Fills, Item, ItemList};

const KIND: Field = Field::number("option_type", "Option Type", 0, 8);
const LENGTH: Field = Field::number("option_length", "Option Length", 8, 8);

const fn single(kind: u32, key: &'static str, name: &'static str) -> Item {
    let mut item = Item::known(kind, key, name, "RFC 4340 section 5.8", &[KIND]);
    item.single = true;
    item.exactly(1)
}
const fn option(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 4340 section 5.8", fields)
}

const FEATURE: &[Field] = &[
    KIND,
    LENGTH,
    Field::number("feature_number", "Feature Number", 16, 8),
    Field::bytes("feature_value", "Value", 24, 0),
];

const fn elapsed(start: usize, width: usize) -> Field {
    Field::number("elapsed_time", "Elapsed Time", start, width)
}
const ECHO: Field = Field::number("timestamp_echo", "Timestamp Echo", 16, 32);
const fn bytes(key: &'static str, label: &'static str) -> Field {
    Field::bytes(key, label, 16, 0)
}

/// The options.
pub(super) static OPTIONS: ItemList = ItemList {
    key: "options",
    heading: true,
    label: "Options",
    items: &[
        single(0, "pad", "Padding"),
        single(1, "mandatory", "Mandatory"),
        single(2, "slow", "Slow Receiver"),
        option(32, "change_l", "Change L", FEATURE),
        option(33, "confirm_l", "Confirm L", FEATURE),
        option(34, "change_r", "Change R", FEATURE),
        option(35, "confirm_r", "Confirm R", FEATURE),
        option(36, "cookie", "Init Cookie", &[KIND, LENGTH, bytes("init_cookie", "Init Cookie")]),
        option(38, "ack0", "Ack Vector, Nonce 0", &[KIND, LENGTH, bytes("ack_vector.nonce_0", "Ack Vector")]),
        option(39, "ack1", "Ack Vector, Nonce 1", &[KIND, LENGTH, bytes("ack_vector.nonce_1", "Ack Vector")]),
        option(40, "dropped", "Data Dropped", &[KIND, LENGTH, bytes("data_dropped", "Data Dropped")]),
        option(41, "ts", "Timestamp", &[KIND, LENGTH, Field::number("timestamp", "Timestamp", 16, 32)])
            .exactly(6),
        option(42, "echo", "Timestamp Echo", &[KIND, LENGTH, ECHO]).exactly(6),
        option(42, "echo", "Timestamp Echo", &[KIND, LENGTH, ECHO, elapsed(48, 16)]).exactly(8),
        option(42, "echo", "Timestamp Echo", &[KIND, LENGTH, ECHO, elapsed(48, 32)]).exactly(10),
        option(43, "elapsed", "Elapsed Time", &[KIND, LENGTH, elapsed(16, 16)]).exactly(4),
        option(43, "elapsed", "Elapsed Time", &[KIND, LENGTH, elapsed(16, 32)]).exactly(6),
        option(
            44,
            "sum",
            "Data Checksum",
            &[KIND, LENGTH, Field::hex("checksum_data", "Data Checksum", 16, 32)],
        )
        .exactly(6),
    ],
    unknown: &UNKNOWN,
    fills: Fills::Header,
    align: 4,
    ..ItemList::PLAIN
};

static UNKNOWN: Item =
    Item { kind: None, ..option(0, "opt", "Unknown", &[KIND, LENGTH, bytes("option_unknown", "Unknown")]) };
