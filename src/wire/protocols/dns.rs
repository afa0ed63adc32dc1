//! DNS, RFC 1035: the header. Questions and records are read by [`crate::wire::readers::dns`].

use crate::wire::readers::dns as reader;
use crate::wire::table::{Family, Field, Header, Length, Shown, Space, When};
use crate::wire::view::LayerView;

const OPCODES: &[(u64, &str)] = &[
    (0, "Query"),
    (1, "Inverse query"),
    (2, "Status"),
    (4, "Notify"),
    (5, "Update"),
    (6, "Stateful operations"),
];
const RCODES: &[(u64, &str)] = &[
    (0, "No error"),
    (1, "Format error"),
    (2, "Server failure"),
    (3, "No such name"),
    (4, "Not implemented"),
    (5, "Refused"),
    (6, "Name exists"),
    (7, "RRset exists"),
    (8, "RRset does not exist"),
    (9, "Not authoritative"),
    (10, "Name out of zone"),
];

/// Only an answer has it.
const fn response(at: usize) -> When {
    When::is(if at == 0 { &RESPONSE } else { &RESPONSE_BEHIND }, &[1])
}
const fn if_response(at: usize) -> Shown {
    Shown::If(response(at))
}
static RESPONSE: Field = Field::flag("flags.response", "Response", 16);
static RESPONSE_BEHIND: Field = Field::flag("flags.response", "Response", 32);

/// An update counts other things (RFC 2136 section 2.2).
const fn update(at: usize) -> When {
    When::is(if at == 0 { &OPCODE } else { &OPCODE_BEHIND }, &[5])
}
static OPCODE: Field = Field::number("flags.opcode", "Opcode", 17, 4);
static OPCODE_BEHIND: Field = Field::number("flags.opcode", "Opcode", 33, 4);
const fn count(
    key: &'static str,
    label: &'static str,
    start: usize,
    alias: &'static [(&'static str, u32)],
) -> Field {
    Field::number(key, label, start, 16).alias(alias)
}

/// The header, `at` bits behind the beginning of the layer.
const fn fields(at: usize) -> [Field; 19] {
    [
        Field::hex("id", "Transaction ID", at, 16),
        Field::group("flags", "Flags", at + 16, 16),
        Field::flag("flags.response", "Response", at + 16).short("QR").alias(&[("qr", 1)]),
        Field::number("flags.opcode", "Opcode", at + 17, 4).names(OPCODES).alias(&[("opcode", 1)]),
        Field::flag("flags.authoritative", "Authoritative Answer", at + 21)
            .shown(if_response(at))
            .short("AA")
            .alias(&[("aa", 1)]),
        Field::flag("flags.truncated", "Truncated", at + 22).short("TC").alias(&[("tc", 1)]),
        Field::flag("flags.recdesired", "Recursion Desired", at + 23).short("RD").alias(&[("rd", 1)]),
        Field::flag("flags.recavail", "Recursion Available", at + 24)
            .shown(if_response(at))
            .short("RA")
            .alias(&[("ra", 1)]),
        Field::flag("flags.z", "Reserved", at + 25).short("Z").alias(&[("z", 1)]),
        Field::flag("flags.authenticated", "Authentic Data", at + 26)
            .shown(Shown::IfOrSet(response(at)))
            .short("AD")
            .alias(&[("ad", 1)])
            .reference("RFC 4035"),
        Field::flag("flags.checkdisable", "Checking Disabled", at + 27)
            .short("CD")
            .alias(&[("cd", 1)])
            .reference("RFC 4035"),
        Field::number("flags.rcode", "Response Code", at + 28, 4)
            .shown(if_response(at))
            .names(RCODES)
            .alias(&[("rcode", 1)]),
        count("count.queries", "Questions", at + 32, &[("qdcount", 1)]).when(update(at).negated()),
        count("count.zones", "Zones", at + 32, &[("qdcount", 1)]).when(update(at)),
        count("count.answers", "Answer Records", at + 48, &[("ancount", 1)]).when(update(at).negated()),
        count("count.prerequisites", "Prerequisites", at + 48, &[("ancount", 1)]).when(update(at)),
        count("count.auth_rr", "Authority Records", at + 64, &[("nscount", 1)]).when(update(at).negated()),
        count("count.updates", "Updates", at + 64, &[("nscount", 1)]).when(update(at)),
        Field::number("count.add_rr", "Additional Records", at + 80, 16).alias(&[("arcount", 1)]),
    ]
}

static FIELDS: [Field; 19] = fields(0);

const DNS: Header = Header {
    key: "dns",
    name: "Domain Name System",
    short: "DNS",
    reference: "RFC 1035",
    fields: &FIELDS,
    length: Length::Fixed(12),
    found_by: &[(Space::UdpPort, 53)],
    reader: Some(&reader::DATAGRAM),
    family: Family::Application,
    info,
    ..Header::PLAIN
};

/// DNS in a datagram.
pub static HEADER: Header = DNS;

/// DNS of the link.
pub static MULTICAST: Header = Header {
    key: "mdns",
    prefix: "dns",
    name: "Multicast Domain Name System",
    short: "MDNS",
    reference: "RFC 6762",
    found_by: &[(Space::UdpPort, 5353)],
    reader: Some(&reader::MULTICAST),
    ..DNS
};

static STREAM_FIELDS: [Field; 20] = {
    let mut all = [Field::number("length", "Length", 0, 16).reference("RFC 7766 section 8"); 20];
    let rest = fields(16);
    let mut i = 0;
    while i < rest.len() {
        all[i + 1] = rest[i];
        i += 1;
    }
    all
};

/// DNS in a stream: its length first.
pub static STREAM: Header = Header {
    key: "dns.stream",
    prefix: "dns",
    name: "Domain Name System (stream)",
    fields: &STREAM_FIELDS,
    length: Length::Fixed(14),
    found_by: &[(Space::TcpPort, 53)],
    accepts: Some(whole_message),
    reader: Some(&reader::STREAM),
    ..DNS
};

/// A message that begins in this segment. Its length says at least its header.
fn whole_message(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_none_or(|len| u16::from_be_bytes(*len) >= 12)
}

/// The row in Wireshark's manner: `Standard query response 0x1234 A www.example.com, 3 answers`.
fn info(view: &LayerView<'_>) -> String {
    let opcode = match view.number("opcode") {
        Some(0) => "Standard query".into(),
        Some(_) => view.value_name("opcode"),
        None => return String::new(),
    };
    let response = view.is_set("qr");
    let mut text = format!("{opcode}{} {}", if response { " response" } else { "" }, view.text("id"));
    if response && view.is_set("rcode") {
        text += &format!(" {}", view.value_name("rcode"));
    }
    let start = view.layer().start + view.layer().header.min_len().saturating_sub(12);
    let message = view.bytes.get(start..view.layer().payload_range().end).unwrap_or_default();
    if view.is_set("qdcount")
        && let Some((name, kind)) = reader::first_question(message)
    {
        let known = reader::TYPES.iter().find(|(n, _)| *n == kind);
        text += &known.map_or_else(|| format!(" type {kind} {name}"), |(_, k)| format!(" {k} {name}"));
    }
    match view.number("ancount") {
        Some(1) => text + ", 1 answer",
        Some(n @ 2..) => text + &format!(", {n} answers"),
        _ => text,
    }
}
