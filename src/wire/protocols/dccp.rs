//! DCCP, RFC 4340: what stands behind the first words depends on the packet type and on whether sequence numbers are
//! extended (X).

use super::dccp_options::OPTIONS;
use crate::wire::table::{Compute, Coverage, Family, Field, Header, Length, Space, When};
use crate::wire::view::LayerView;

const OFFSET: Field = Field::number("data_offset", "Data Offset", 32, 8)
    .short("Off")
    .alias(&[("offset", 1)])
    .computed(Compute::HeaderLength);
const CSCOV: Field = Field::number("cscov", "Checksum Coverage", 44, 4).short("CsCov");
const TYPE: Field = Field::number("type", "Type", 67, 4).names(&[
    (0, "Request"),
    (1, "Response"),
    (2, "Data"),
    (3, "Ack"),
    (4, "DataAck"),
    (5, "CloseReq"),
    (6, "Close"),
    (7, "Reset"),
    (8, "Sync"),
    (9, "SyncAck"),
]);
const X: Field = Field::flag("x", "Extended Sequence Numbers", 71).short("X").default(1);
/// Type and X in one: twice the type, plus one when sequence numbers are extended.
const FORM: Field = Field::number("type", "Type", 67, 5);

const fn form(is: &'static [u64]) -> When {
    When::is(&FORM, is)
}
const LONG: When = When::is(&X, &[1]);
const SHORT: When = When::is(&X, &[0]);
/// All but Request and Data acknowledge; with short numbers only Ack and DataAck do (RFC 4340 section 5.1).
const LONG_ACK: When = form(&[3, 7, 9, 11, 13, 15, 17, 19]);
const SHORT_ACK: When = form(&[6, 8]);
const REQUEST: When = form(&[1]);
const RESPONSE: When = form(&[3]);
const RESET: When = form(&[15]);

const fn sequence(start: usize, width: usize) -> Field {
    Field::number("seq_raw", "Sequence Number", start, width).alias(&[("seq", 1)])
}
const fn acknowledged(start: usize, width: usize) -> Field {
    Field::number("ack_raw", "Acknowledgement Number", start, width).alias(&[("ack", 1)])
}
const fn service(start: usize) -> Field {
    Field::number("service_code", "Service Code", start, 32).alias(&[("service", 1)])
}

/// DCCP.
pub static HEADER: Header = Header {
    key: "dccp",
    name: "Datagram Congestion Control Protocol",
    short: "DCCP",
    reference: "RFC 4340",
    fields: &[
        Field::number("srcport", "Source Port", 0, 16).default(20000),
        Field::number("dstport", "Destination Port", 16, 16).default(80),
        OFFSET,
        Field::number("ccval", "CCVal", 40, 4),
        CSCOV,
        Field::hex("checksum", "Checksum", 48, 16)
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeader, zero_is_none: false }),
        Field::hex("res1", "Reserved", 64, 3).short("Res"),
        TYPE,
        X,
        Field::hex("res2", "Reserved", 72, 8).when(LONG),
        sequence(80, 48).when(LONG),
        sequence(72, 24).when(SHORT),
        Field::hex("ack_res", "Reserved", 128, 16).when(LONG_ACK),
        acknowledged(144, 48).when(LONG_ACK),
        Field::hex("ack_res", "Reserved", 96, 8).digits(4).when(SHORT_ACK),
        acknowledged(104, 24).when(SHORT_ACK),
        service(128).when(REQUEST),
        service(192).when(RESPONSE),
        Field::number("reset_code", "Reset Code", 192, 8).names(RESETS).when(RESET),
        Field::number("data1", "Data 1", 200, 8).when(RESET),
        Field::number("data2", "Data 2", 208, 8).when(RESET),
        Field::number("data3", "Data 3", 216, 8).when(RESET),
    ],
    length: Length::CountedIn {
        by: &OFFSET,
        unit: 4,
        cases: &[(REQUEST, 20), (form(&[3, 15]), 28), (LONG_ACK, 24), (SHORT_ACK, 16), (LONG, 16)],
        otherwise: 12,
    },
    covers: Some(covers),
    found_by: &[(Space::IpProtocol, 33)],
    items: Some(&OPTIONS),
    family: Family::Transport,
    info,
    warnings: &[short_numbers, coverage],
    ..Header::PLAIN
};

/// Section 5.6.
const RESETS: &[(u64, &str)] = &[
    (0, "Unspecified"),
    (1, "Closed"),
    (2, "Aborted"),
    (3, "No Connection"),
    (4, "Packet Error"),
    (5, "Option Error"),
    (6, "Mandatory Error"),
    (7, "Connection Refused"),
    (8, "Bad Service Code"),
    (9, "Too Busy"),
    (10, "Bad Init Cookie"),
    (11, "Aggression Penalty"),
];

/// 0 covers all, 1 the header with its options, from 2 on words of data too (section 9.2).
fn covers(view: &LayerView<'_>) -> Option<usize> {
    let all = view.layer().declared;
    let words = (view.number(CSCOV.key)? as usize).checked_sub(1);
    words.map_or(Some(all), |n| Some(view.layer().len + n * 4).filter(|len| *len <= all))
}

fn info(view: &LayerView<'_>) -> String {
    let mut text = format!(
        "{} → {} [{}] seq {}",
        view.text("srcport"),
        view.text("dstport"),
        view.value_name(TYPE.key),
        view.text("seq")
    );
    for (name, key) in [("ack", "ack"), ("service", "service"), ("code", "reset_code")] {
        if view.field(key).is_some() {
            text += &format!(" {name} {}", view.value_name(key));
        }
    }
    format!("{text} length {}{}", view.payload_len(), view.terse_items())
}

fn short_numbers(view: &LayerView<'_>) -> Option<String> {
    let short = view.number(X.key) == Some(0) && !matches!(view.number(TYPE.key), Some(2..=4));
    short.then(|| {
        format!("a {} needs extended sequence numbers (X): receivers drop it", view.value_name(TYPE.key))
    })
}

fn coverage(view: &LayerView<'_>) -> Option<String> {
    covers(view).is_none().then(|| {
        format!("checksum coverage {} is more data than there is: receivers drop it", view.text(CSCOV.key))
    })
}
