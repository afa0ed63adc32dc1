//! The Multipath TCP option, RFC 8684 (version 0: RFC 6824), a table for each form of each subtype.
//!
//! Version 0's ADD_ADDR, which has a number of the IP version where version 1 has flags, is kept raw.

use super::tcp_options::{KIND, LEN};
use crate::wire::table::{Field, Item, When};

const SUBTYPE: Field = Field::number("options.mptcp.subtype", "Subtype", 16, 4)
    .names(&[
        (0, "MP_CAPABLE"),
        (1, "MP_JOIN"),
        (2, "DSS"),
        (3, "ADD_ADDR"),
        (4, "REMOVE_ADDR"),
        (5, "MP_PRIO"),
        (6, "MP_FAIL"),
        (7, "MP_FASTCLOSE"),
        (8, "MP_TCPRST"),
    ])
    .reserved();
const VERSION: Field = Field::number("options.mptcp.version", "Version", 20, 4);

/// A form of subtype `of`: what stands for the subtype follows from the key.
const fn sub(of: u64) -> Field {
    SUBTYPE.default(of as u128)
}
const fn unused(start: usize, width: usize) -> Field {
    Field::hex("options.mptcp.unused", "Reserved", start, width).reserved()
}
const fn item(
    key: &'static str,
    name: &'static str,
    section: &'static str,
    fields: &'static [Field],
) -> Item {
    Item::known(30, key, name, section, fields)
}

const SENDER_KEY: Field = Field::number("options.mptcp.sendkey", "Sender's Key", 32, 64).default(1);
const RECEIVER_KEY: Field = Field::number("options.mptcp.recvkey", "Receiver's Key", 96, 64).default(1);
const CAPABLE_LENGTH: Field = Field::number("options.mptcp.datalvllen", "Data-Level Length", 160, 16);
const CAPABLE_SUM: Field = Field::hex("options.mptcp.checksum", "Checksum", 176, 16);
const CAPABLE_FLAGS: Field = Field::group("options.mptcp.flags", "Flags", 24, 8);
const A: Field = Field::flag("options.mptcp.checksumreq.flags", "Checksum Required", 24).letter('A');
const B: Field = Field::flag("options.mptcp.extensibility.flag", "Extensibility", 25).letter('B');
const C: Field = Field::flag("options.mptcp.nomoresubflows.flag", "No More Subflows", 26).letter('C');
const DG: Field = Field::hex("options.mptcp.reserved.flag", "Reserved", 27, 4);
const CG: Field = Field::hex("options.mptcp.reserved.flag", "Reserved", 26, 5);
const H: Field = Field::flag("options.mptcp.sha256.flag", "HMAC-SHA256", 31).letter('H').default(1);
const H0: Field = Field::flag("options.mptcp.sha1.flag", "HMAC-SHA1", 31).letter('H').default(1);

/// MP_CAPABLE of this length, with the fields behind its flags.
macro_rules! capable {
    (1, $len:literal $(, $field:expr)*) => {
        item("mp_capable", "Multipath Capable", "RFC 8684 section 3.1", &[
            KIND, LEN, sub(0), VERSION.default(1), CAPABLE_FLAGS, A, B, C, DG, H $(, $field)*
        ])
        .exactly($len)
        .when(&[When::is(&SUBTYPE, &[0]), When::is(&VERSION, &[1])])
    };
    (0, $len:literal $(, $field:expr)*) => {
        item("mp_capable", "Multipath Capable (version 0)", "RFC 6824 section 3.1", &[
            KIND, LEN, sub(0), VERSION, CAPABLE_FLAGS, A, B, CG, H0 $(, $field)*
        ])
        .exactly($len)
        .when(&[When::is(&SUBTYPE, &[0]), When::is(&VERSION, &[0])])
    };
}

const JOIN: &str = "RFC 8684 section 3.2";
const ADDRESS_ID: Field = Field::number("options.mptcp.addrid", "Address ID", 24, 8).default(1);
/// Subtype and flags in one byte, as Wireshark shows them; in notation they are told one by one.
const BYTE: Field = Field::group("options.mptcp.flags", "Subtype and Flags", 16, 8).reserved();
const BACKUP: Field = Field::flag("options.mptcp.backup.flag", "Backup", 23);
/// Twelve bits that Wireshark has a key for.
const RESERVED: Field = Field::hex("options.mptcp.reserved", "Reserved", 20, 12).reserved();

/// What stands in a DSS: data sequence number in 8 octets, present; data acknowledgment in 8 octets, present.
const PARTS: Field = Field::group("options.mptcp.parts", "Parts", 28, 4);

const fn ack(width: usize) -> Field {
    Field::number("options.mptcp.rawdataack", "Data ACK", 32, width)
}
const fn dsn(at: usize, width: usize) -> Field {
    Field::number("options.mptcp.rawdataseqno", "Data Sequence Number", at, width).short("Data Seq")
}
const fn ssn(at: usize) -> Field {
    Field::number("options.mptcp.subflowseqno", "Subflow Sequence Number", at, 32).short("Subflow Seq")
}
const fn dll(at: usize) -> Field {
    Field::number("options.mptcp.datalvllen", "Data-Level Length", at, 16).short("Length")
}
const fn sum(at: usize) -> Field {
    Field::hex("options.mptcp.checksum", "Checksum", at, 16)
}

/// A DSS of this length with these parts. The first value of the parts is the default of a new one.
macro_rules! dss {
    ($len:literal, [$bits:literal $(, $more:literal)*] $(, $field:expr)*) => {
        item("dss", "Data Sequence Signal", "RFC 8684 section 3.3", &[
            KIND,
            LEN,
            sub(2),
            unused(20, 4),
            Field::group("options.mptcp.flags", "Flags", 24, 8),
            Field::hex("options.mptcp.unused", "Reserved", 24, 3),
            Field::flag("options.mptcp.datafin.flag", "DATA_FIN", 27).letter('F'),
            Field::flag("options.mptcp.dseqn8.flag", "Data Sequence Number 8 Octets", 28).letter('m').default($bits >> 3 & 1),
            Field::flag("options.mptcp.dseqnpresent.flag", "Data Sequence Number Present", 29).letter('M').default($bits >> 2 & 1),
            Field::flag("options.mptcp.dataack8.flag", "Data ACK 8 Octets", 30).letter('a').default($bits >> 1 & 1),
            Field::flag("options.mptcp.dataackpresent.flag", "Data ACK Present", 31).letter('A').default($bits & 1)
            $(, $field)*
        ])
        .exactly($len)
        .when(&[When::is(&SUBTYPE, &[2]), When::is(&PARTS, &[$bits $(, $more)*])])
    };
}

const ECHO: Field = Field::flag("options.mptcp.echo", "Echo", 23);
const V4: Field = Field::ipv4("options.mptcp.ipv4", "Address", 32);
const V6: Field = Field::ipv6("options.mptcp.ipv6", "Address", 32);
const fn port(at: usize) -> Field {
    Field::number("options.mptcp.port", "Port", at, 16)
}
const fn hmac(at: usize) -> Field {
    Field::number("options.mptcp.addaddrtrunchmac", "Truncated HMAC", at, 64).short("HMAC")
}

/// ADD_ADDR of this length, an echo (1) or not (0).
macro_rules! add_addr {
    ($len:literal, $echo:literal $(, $field:expr)*) => {
        item("add_addr", "Add Address", "RFC 8684 section 3.4.1", &[
            KIND, LEN, sub(3), unused(20, 3), ECHO.default($echo), ADDRESS_ID $(, $field)*
        ])
        .exactly($len)
        .when(&[When::is(&SUBTYPE, &[3]), When::is(&ECHO, &[$echo])])
    };
}

/// How many tables there are.
pub const COUNT: usize = 39;

/// The forms of the Multipath TCP option.
pub const ITEMS: [Item; COUNT] = [
    capable!(1, 12, SENDER_KEY),
    capable!(1, 4),
    capable!(1, 20, SENDER_KEY, RECEIVER_KEY),
    capable!(1, 22, SENDER_KEY, RECEIVER_KEY, CAPABLE_LENGTH),
    capable!(1, 24, SENDER_KEY, RECEIVER_KEY, CAPABLE_LENGTH, CAPABLE_SUM),
    capable!(0, 12, SENDER_KEY),
    capable!(0, 20, SENDER_KEY, RECEIVER_KEY),
    item(
        "mp_join",
        "Join Connection (SYN)",
        JOIN,
        &[
            KIND,
            LEN,
            BYTE,
            sub(1),
            unused(20, 3),
            BACKUP,
            ADDRESS_ID,
            Field::number("options.mptcp.recvtok", "Receiver's Token", 32, 32).short("Token"),
            Field::number("options.mptcp.sendrand", "Sender's Random Number", 64, 32).short("Random"),
        ],
    )
    .exactly(12)
    .when(&[When::is(&SUBTYPE, &[1])]),
    item(
        "mp_join",
        "Join Connection (SYN/ACK)",
        JOIN,
        &[
            KIND,
            LEN,
            BYTE,
            sub(1),
            unused(20, 3),
            BACKUP,
            ADDRESS_ID,
            Field::number("options.mptcp.sendtrunchmac", "Sender's Truncated HMAC", 32, 64).short("HMAC"),
            Field::number("options.mptcp.sendrand", "Sender's Random Number", 96, 32).short("Random"),
        ],
    )
    .exactly(16)
    .when(&[When::is(&SUBTYPE, &[1])]),
    item(
        "mp_join",
        "Join Connection (ACK)",
        JOIN,
        &[KIND, LEN, sub(1), RESERVED, Field::bytes("options.mptcp.sendhmac", "Sender's HMAC", 32, 0)],
    )
    .exactly(24)
    .when(&[When::is(&SUBTYPE, &[1])]),
    dss!(26, [15], ack(64), dsn(96, 64), ssn(160), dll(192)),
    dss!(28, [15], ack(64), dsn(96, 64), ssn(160), dll(192), sum(208)),
    dss!(22, [7], ack(64), dsn(96, 32), ssn(128), dll(160)),
    dss!(24, [7], ack(64), dsn(96, 32), ssn(128), dll(160), sum(176)),
    dss!(12, [3, 11], ack(64)),
    dss!(22, [13], ack(32), dsn(64, 64), ssn(128), dll(160)),
    dss!(24, [13], ack(32), dsn(64, 64), ssn(128), dll(160), sum(176)),
    dss!(18, [5], ack(32), dsn(64, 32), ssn(96), dll(128)),
    dss!(20, [5], ack(32), dsn(64, 32), ssn(96), dll(128), sum(144)),
    dss!(8, [1, 9], ack(32)),
    dss!(18, [12, 14], dsn(32, 64), ssn(96), dll(128)),
    dss!(20, [12, 14], dsn(32, 64), ssn(96), dll(128), sum(144)),
    dss!(14, [4, 6], dsn(32, 32), ssn(64), dll(96)),
    dss!(16, [4, 6], dsn(32, 32), ssn(64), dll(96), sum(112)),
    dss!(4, [0, 8, 2, 10]),
    add_addr!(16, 0, V4, hmac(64)),
    add_addr!(8, 1, V4),
    add_addr!(18, 0, V4, port(64), hmac(80)),
    add_addr!(10, 1, V4, port(64)),
    add_addr!(28, 0, V6, hmac(160)),
    add_addr!(20, 1, V6),
    add_addr!(30, 0, V6, port(160), hmac(176)),
    add_addr!(22, 1, V6, port(160)),
    item("remove_addr", "Remove Address", "RFC 8684 section 3.4.2", &[KIND, LEN, sub(4), unused(20, 4)])
        .repeating(&[Field::number("options.mptcp.addrid", "Address ID", 0, 8).default(1)])
        .when(&[When::is(&SUBTYPE, &[4])]),
    item(
        "mp_prio",
        "Subflow Priority",
        "RFC 8684 section 3.3.8",
        &[KIND, LEN, BYTE, sub(5), unused(20, 3), BACKUP, ADDRESS_ID],
    )
    .exactly(4)
    .when(&[When::is(&SUBTYPE, &[5])]),
    item(
        "mp_prio",
        "Subflow Priority",
        "RFC 8684 section 3.3.8",
        &[KIND, LEN, BYTE, sub(5), unused(20, 3), BACKUP],
    )
    .exactly(3)
    .when(&[When::is(&SUBTYPE, &[5])]),
    item("mp_fail", "Fallback", "RFC 8684 section 3.7", &[KIND, LEN, sub(6), RESERVED, dsn(32, 64)])
        .exactly(12)
        .when(&[When::is(&SUBTYPE, &[6])]),
    item(
        "mp_fastclose",
        "Fast Close",
        "RFC 8684 section 3.5",
        &[KIND, LEN, sub(7), RESERVED, Field::number("options.mptcp.recvkey", "Receiver's Key", 32, 64)],
    )
    .exactly(12)
    .when(&[When::is(&SUBTYPE, &[7])]),
    item(
        "mp_tcprst",
        "Subflow Reset",
        "RFC 8684 section 3.6",
        &[
            KIND,
            LEN,
            BYTE,
            sub(8),
            Field::group("options.mptcp.rst_flags", "Flags", 20, 4),
            Field::flag("options.mptcp.flag_U.flag", "Flag U", 20).letter('U'),
            Field::flag("options.mptcp.flag_V.flag", "Flag V", 21).letter('V'),
            Field::flag("options.mptcp.flag_W.flag", "Flag W", 22).letter('W'),
            Field::flag("options.mptcp.flag_T.flag", "Transient", 23).letter('T'),
            Field::hex("options.mptcp.rst_reason", "Reason", 24, 8).names(&[
                (0, "unspecified error"),
                (1, "MPTCP-specific error"),
                (2, "lack of resources"),
                (3, "administratively prohibited"),
                (4, "too much outstanding data"),
                (5, "unacceptable performance"),
                (6, "middlebox interference"),
            ]),
        ],
    )
    .exactly(4)
    .when(&[When::is(&SUBTYPE, &[8])]),
];
