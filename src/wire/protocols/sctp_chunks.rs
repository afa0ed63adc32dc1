//! The chunks of SCTP, RFC 9260 section 3.3; FORWARD TSN RFC 3758, ECN echo and CWR RFC 9260 appendix A, parameters also
//! RFC 4895 (authentication), RFC 5061 (address reconfiguration).

use crate::wire::table::{Field, Head, Item, ItemList};

pub(super) const NAMES: &[(u64, &str)] = &[
    (0, "DATA"),
    (1, "INIT"),
    (2, "INIT_ACK"),
    (3, "SACK"),
    (4, "HEARTBEAT"),
    (5, "HEARTBEAT_ACK"),
    (6, "ABORT"),
    (7, "SHUTDOWN"),
    (8, "SHUTDOWN_ACK"),
    (9, "ERROR"),
    (10, "COOKIE_ECHO"),
    (11, "COOKIE_ACK"),
    (12, "ECNE"),
    (13, "CWR"),
    (14, "SHUTDOWN_COMPLETE"),
    (15, "AUTH"),
    (64, "I_DATA"),
    (128, "ASCONF_ACK"),
    (130, "RE_CONFIG"),
    (132, "PAD"),
    (192, "FORWARD_TSN"),
    (193, "ASCONF"),
    (194, "I_FORWARD_TSN"),
];

/// Flags stand between type and length.
const HEAD: Head = Head::of(4, (0, 8), (16, 16));
const TYPE: Field = Field::number("chunk_type", "Chunk Type", 0, 8).names(NAMES);
/// Chunks whose flags mean nothing.
const FLAGS: Field = Field::hex("chunk_flags", "Chunk Flags", 8, 8).reserved();
const LEN: Field = Field::number("chunk_length", "Chunk Length", 16, 16);
/// Flags with leaves.
const GROUP: Field = Field::group("chunk_flags", "Chunk Flags", 8, 8).short("Flags");
const UNUSED4: Field = Field::hex("flags.unused4", "Reserved", 8, 4).reserved();
const UNUSED7: Field = Field::hex("flags.unused7", "Reserved", 8, 7).reserved();

const fn chunk(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 9260 section 3.3", fields).head(HEAD)
}
const NOTHING: &[Field] = &[TYPE, FLAGS, LEN];
const fn tsn(key: &'static str, label: &'static str) -> Field {
    Field::number(key, label, 32, 32).short("TSN")
}

const GAPS: Field =
    Field::number("sack_number_of_gap_blocks", "Number of Gap Ack Blocks", 96, 16).short("Gap Blocks");
const DUPS: Field =
    Field::number("sack_number_of_duplicated_tsns", "Number of Duplicate TSNs", 112, 16).short("Duplicates");

/// What a SACK lists.
static BLOCKS: ItemList = ItemList {
    key: "blocks",
    label: "Blocks",
    items: &[
        Item::bare(
            "gap",
            "Gap Ack Block",
            "RFC 9260 section 3.3.4",
            &[
                Field::number("sack_gap_block_start", "Start", 0, 16).default(2),
                Field::number("sack_gap_block_end", "End", 16, 16).default(2),
            ],
        )
        .exactly(4)
        .counted(&GAPS),
        Item::bare(
            "dup",
            "Duplicate TSN",
            "RFC 9260 section 3.3.4",
            &[Field::number("sack_duplicate_tsn", "Duplicate TSN", 0, 32).short("TSN")],
        )
        .exactly(4)
        .counted(&DUPS),
    ],
    ..ItemList::PLAIN
};

const PARAMETER: Field = Field::group("parameter_type", "Parameter Type", 0, 16).names(&[
    (1, "Heartbeat Info"),
    (5, "IPv4 Address"),
    (6, "IPv6 Address"),
    (7, "State Cookie"),
    (8, "Unrecognized Parameter"),
    (9, "Cookie Preservative"),
    (11, "Hostname Address"),
    (12, "Supported Address Types"),
    (0x8000, "ECN"),
    (0x8002, "Random"),
    (0x8003, "Authenticated Chunk List"),
    (0x8004, "Requested HMAC Algorithm"),
    (0x8008, "Supported Extensions"),
    (0xc000, "Forward TSN Supported"),
    (0xc006, "Adaptation Layer Indication"),
]);
/// What to do with a parameter that is not known: RFC 9260 section 3.2.1.
const STOP: Field = Field::flag("parameter_bit_1", "Skip It and Go on", 0);
const REPORT: Field = Field::flag("parameter_bit_2", "Report It", 1);
const NUMBER: Field = Field::hex("parameter_number", "Number", 2, 14);
const P_LEN: Field = Field::number("parameter_length", "Parameter Length", 16, 16);

const fn parameter(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 9260 section 3.3.2", fields).head(Head::WORDS)
}
const P_HEAD: &[Field] = &[PARAMETER, STOP, REPORT, NUMBER, P_LEN];

static PARAMETERS: ItemList = ItemList {
    key: "params",
    label: "Parameters",
    items: &[
        parameter(
            1,
            "info",
            "Heartbeat Info",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::bytes("parameter_heartbeat_information", "Heartbeat Information", 32, 0)
                    .short("Information"),
            ],
        ),
        parameter(
            5,
            "ipv4",
            "IPv4 Address",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::ipv4("parameter_ipv4_address", "IPv4 Address", 32),
            ],
        )
        .exactly(8),
        parameter(
            6,
            "ipv6",
            "IPv6 Address",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::ipv6("parameter_ipv6_address", "IPv6 Address", 32),
            ],
        )
        .exactly(20),
        parameter(
            7,
            "cookie",
            "State Cookie",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::bytes("parameter_state_cookie", "State Cookie", 32, 0).short("Cookie"),
            ],
        ),
        parameter(8, "unrecognized", "Unrecognized Parameter", P_HEAD).inner(&PARAMETERS),
        parameter(
            9,
            "preservative",
            "Cookie Preservative",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::number("parameter_cookie_preservative_incr", "Life-Span Increment in ms", 32, 32)
                    .short("Increment"),
            ],
        )
        .exactly(8),
        parameter(
            11,
            "hostname",
            "Hostname Address",
            &[PARAMETER, STOP, REPORT, NUMBER, P_LEN, Field::text("parameter_hostname", "Hostname", 32, 0)],
        ),
        parameter(12, "address_types", "Supported Address Types", P_HEAD).repeating(&[Field::number(
            "parameter_supported_address_type",
            "Supported Address Type",
            0,
            16,
        )
        .short("Type")
        .names(&[(5, "IPv4 address"), (6, "IPv6 address"), (11, "Hostname address")])
        .default(5)]),
        parameter(0x8000, "ecn", "ECN Capable", P_HEAD).exactly(4),
        parameter(
            0x8002,
            "random",
            "Random",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::bytes("random_number", "Random Number", 32, 0).short("Random").reference("RFC 4895"),
            ],
        ),
        parameter(0x8003, "chunks", "Authenticated Chunk List", P_HEAD).repeating(&[Field::number(
            "chunk_type_to_auth",
            "Chunk Type",
            0,
            8,
        )
        .names(NAMES)
        .reference("RFC 4895")]),
        parameter(0x8004, "hmacs", "Requested HMAC Algorithm", P_HEAD).repeating(&[Field::number(
            "hmac_id",
            "HMAC Identifier",
            0,
            16,
        )
        .short("HMAC")
        .names(&[(1, "SHA-1"), (3, "SHA-256")])
        .default(1)
        .reference("RFC 4895")]),
        parameter(0x8008, "extensions", "Supported Extensions", P_HEAD).repeating(&[Field::number(
            "supported_chunk_type",
            "Supported Chunk Type",
            0,
            8,
        )
        .short("Chunk Type")
        .names(NAMES)
        .default(192)
        .reference("RFC 5061")]),
        parameter(0xc000, "forward_tsn", "Forward TSN Supported", P_HEAD).exactly(4),
        parameter(
            0xc006,
            "adaptation",
            "Adaptation Layer Indication",
            &[
                PARAMETER,
                STOP,
                REPORT,
                NUMBER,
                P_LEN,
                Field::hex("adaptation_layer_indication", "Indication", 32, 32).reference("RFC 5061"),
            ],
        )
        .exactly(8),
    ],
    unknown: &parameter(
        0,
        "param",
        "Parameter",
        &[
            PARAMETER,
            STOP,
            REPORT,
            NUMBER,
            P_LEN,
            Field::bytes("parameter_value", "Parameter Value", 32, 0).short("Value"),
        ],
    )
    .any_kind(),
    head: Head::WORDS,
    step: 4,
    filler: Some(&Field::bytes("parameter_padding", "Parameter Padding", 0, 0)),
    ..ItemList::PLAIN
};

const CAUSE: Field = Field::hex("cause_code", "Cause Code", 0, 16).names(&[
    (1, "Invalid stream identifier"),
    (2, "Missing mandatory parameter"),
    (3, "Stale cookie error"),
    (4, "Out of resource"),
    (5, "Unresolvable address"),
    (6, "Unrecognized chunk type"),
    (7, "Invalid mandatory parameter"),
    (8, "Unrecognized parameters"),
    (9, "No user data"),
    (10, "Cookie received while shutting down"),
    (11, "Restart of an association with new addresses"),
    (12, "User initiated abort"),
    (13, "Protocol violation"),
]);
const C_LEN: Field = Field::number("cause_length", "Cause Length", 16, 16);
const INFORMATION: &[Field] =
    &[CAUSE, C_LEN, Field::bytes("cause_information", "Cause Information", 32, 0).short("Information")];
const C_HEAD: &[Field] = &[CAUSE, C_LEN];

const fn cause(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 9260 section 3.3.10", fields).head(Head::WORDS)
}

static CAUSES: ItemList = ItemList {
    key: "causes",
    label: "Error Causes",
    items: &[
        cause(
            1,
            "invalid_stream",
            "Invalid Stream Identifier",
            &[
                CAUSE,
                C_LEN,
                Field::number("cause_stream_identifier", "Stream Identifier", 32, 16).short("Stream"),
                Field::number("cause_reserved", "Reserved", 48, 16).reserved(),
            ],
        )
        .exactly(8),
        cause(
            3,
            "stale_cookie",
            "Stale Cookie Error",
            &[
                CAUSE,
                C_LEN,
                Field::number("cause_measure_of_staleness", "Measure of Staleness in µs", 32, 32)
                    .short("Staleness"),
            ],
        )
        .exactly(8),
        cause(4, "out_of_resource", "Out of Resource", C_HEAD).exactly(4),
        cause(7, "invalid_parameter", "Invalid Mandatory Parameter", C_HEAD).exactly(4),
        cause(9, "no_data", "No User Data", &[CAUSE, C_LEN, Field::number("cause_tsn", "TSN", 32, 32)])
            .exactly(8),
        cause(10, "cookie_in_shutdown", "Cookie Received while Shutting Down", C_HEAD).exactly(4),
        cause(12, "user_abort", "User-Initiated Abort", INFORMATION),
        cause(13, "violation", "Protocol Violation", INFORMATION),
    ],
    unknown: &cause(0, "cause", "Error Cause", INFORMATION).any_kind(),
    head: Head::WORDS,
    step: 4,
    filler: Some(&Field::bytes("cause_padding", "Cause Padding", 0, 0)),
    ..ItemList::PLAIN
};

/// The chunks of a packet.
pub static CHUNKS: ItemList = ItemList {
    key: "chunks",
    label: "Chunks",
    items: &[
        chunk(
            0,
            "data",
            "DATA",
            &[
                TYPE,
                GROUP,
                UNUSED4,
                Field::flag("data_i_bit", "SACK Immediately", 12).letter('I'),
                Field::flag("data_u_bit", "Unordered", 13).letter('U'),
                Field::flag("data_b_bit", "First Segment", 14).letter('B').default(1),
                Field::flag("data_e_bit", "Last Segment", 15).letter('E').default(1),
                LEN,
                tsn("data_tsn_raw", "TSN").default(1),
                Field::hex("data_sid", "Stream Identifier", 64, 16).short("Stream"),
                Field::number("data_ssn", "Stream Sequence Number", 80, 16).short("SSN"),
                Field::number("data_payload_proto_id", "Payload Protocol Identifier", 96, 32).short("PPID"),
                Field::bytes("data_payload", "User Data", 128, 0).short("Data"),
            ],
        ),
        chunk(
            1,
            "init",
            "INIT",
            &[
                TYPE,
                FLAGS,
                LEN,
                Field::hex("init_initiate_tag", "Initiate Tag", 32, 32).short("Tag").default(1),
                Field::number("init_credit", "Advertised Receiver Window Credit", 64, 32)
                    .short("Window")
                    .default(106_496),
                Field::number("init_nr_out_streams", "Number of Outbound Streams", 96, 16)
                    .short("Out")
                    .default(10),
                Field::number("init_nr_in_streams", "Number of Inbound Streams", 112, 16)
                    .short("In")
                    .default(65535),
                Field::number("init_initial_tsn", "Initial TSN", 128, 32).short("TSN").default(1),
            ],
        )
        .inner(&PARAMETERS),
        chunk(
            2,
            "init_ack",
            "INIT ACK",
            &[
                TYPE,
                FLAGS,
                LEN,
                Field::hex("initack_initiate_tag", "Initiate Tag", 32, 32).short("Tag").default(1),
                Field::number("initack_credit", "Advertised Receiver Window Credit", 64, 32)
                    .short("Window")
                    .default(106_496),
                Field::number("initack_nr_out_streams", "Number of Outbound Streams", 96, 16)
                    .short("Out")
                    .default(10),
                Field::number("initack_nr_in_streams", "Number of Inbound Streams", 112, 16)
                    .short("In")
                    .default(65535),
                Field::number("initack_initial_tsn", "Initial TSN", 128, 32).short("TSN").default(1),
            ],
        )
        .inner(&PARAMETERS),
        chunk(
            3,
            "sack",
            "SACK",
            &[
                TYPE,
                FLAGS,
                LEN,
                tsn("sack_cumulative_tsn_ack_raw", "Cumulative TSN Ack").default(1),
                Field::number("sack_a_rwnd", "Advertised Receiver Window Credit", 64, 32)
                    .short("Window")
                    .default(106_496),
                GAPS,
                DUPS,
            ],
        )
        .inner(&BLOCKS),
        chunk(4, "heartbeat", "HEARTBEAT", NOTHING).inner(&PARAMETERS),
        chunk(5, "heartbeat_ack", "HEARTBEAT ACK", NOTHING).inner(&PARAMETERS),
        chunk(
            6,
            "abort",
            "ABORT",
            &[TYPE, GROUP, UNUSED7, Field::flag("abort_t_bit", "Tag Reflected", 15).letter('T'), LEN],
        )
        .inner(&CAUSES),
        chunk(
            7,
            "shutdown",
            "SHUTDOWN",
            &[TYPE, FLAGS, LEN, tsn("shutdown_cumulative_tsn_ack", "Cumulative TSN Ack")],
        )
        .exactly(8),
        chunk(8, "shutdown_ack", "SHUTDOWN ACK", NOTHING).exactly(4),
        chunk(9, "error", "ERROR", NOTHING).inner(&CAUSES),
        chunk(10, "cookie_echo", "COOKIE ECHO", &[TYPE, FLAGS, LEN, Field::bytes("cookie", "Cookie", 32, 0)]),
        chunk(11, "cookie_ack", "COOKIE ACK", NOTHING).exactly(4),
        chunk(12, "ecne", "ECNE", &[TYPE, FLAGS, LEN, tsn("ecne_lowest_tsn", "Lowest TSN")]).exactly(8),
        chunk(13, "cwr", "CWR", &[TYPE, FLAGS, LEN, tsn("cwr_lowest_tsn", "Lowest TSN")]).exactly(8),
        chunk(
            14,
            "shutdown_complete",
            "SHUTDOWN COMPLETE",
            &[
                TYPE,
                GROUP,
                UNUSED7,
                Field::flag("shutdown_complete_t_bit", "Tag Reflected", 15).letter('T'),
                LEN,
            ],
        )
        .exactly(4),
        chunk(
            192,
            "forward_tsn",
            "FORWARD TSN",
            &[TYPE, FLAGS, LEN, tsn("forward_tsn_tsn", "New Cumulative TSN")],
        )
        .repeating(&[
            Field::number("forward_tsn_sid", "Stream Identifier", 0, 16),
            Field::number("forward_tsn_ssn", "Stream Sequence Number", 16, 16),
        ]),
    ],
    unknown: &chunk(
        0,
        "chunk",
        "Chunk",
        &[TYPE, FLAGS, LEN, Field::bytes("chunk_value", "Chunk Value", 32, 0).short("Value")],
    )
    .any_kind(),
    head: HEAD,
    step: 4,
    filler: Some(&Field::bytes("chunk_padding", "Chunk Padding", 0, 0)),
    ..ItemList::PLAIN
};
