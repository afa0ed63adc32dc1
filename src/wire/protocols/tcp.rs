//! TCP, RFC 9293; ECN RFC 3168, AE (once NS) RFC 9768.

use super::tcp_options;
use crate::wire::table::{Answer, Compute, Coverage, Family, Field, Header, Length, Next, Shown, Space, To};
use crate::wire::view::LayerView;

const HDR_LEN: Field = Field::number("hdr_len", "Data Offset", 96, 4)
    .short("Offset")
    .scale(4)
    .alias(&[("data_offset", 1)])
    .default(5)
    .computed(Compute::HeaderLength);

const SRCPORT: Field = Field::number("srcport", "Source Port", 0, 16).default(20000);
const DSTPORT: Field = Field::number("dstport", "Destination Port", 16, 16).default(80);

/// TCP.
pub static HEADER: Header = Header {
    key: "tcp",
    name: "Transmission Control Protocol",
    short: "TCP",
    reference: "RFC 9293",
    fields: &[
        SRCPORT,
        DSTPORT,
        Field::number("seq_raw", "Sequence Number", 32, 32).alias(&[("seq", 1)]),
        Field::number("ack_raw", "Acknowledgment Number", 64, 32).alias(&[("ack", 1)]),
        HDR_LEN,
        Field::group("flags", "Flags", 100, 12),
        Field::number("flags.res", "Reserved", 100, 3).shown(Shown::AnyBit).short("Rsvd"),
        Field::group("flags.ecn", "ECN", 103, 3).reference("RFC 3168, RFC 9768"),
        Field::flag("flags.ae", "Accurate ECN", 103)
            .short("AE")
            .letter('e')
            .alias(&[("flags.ns", 1)])
            .reference("RFC 9768"),
        Field::flag("flags.cwr", "Congestion Window Reduced", 104)
            .short("CWR")
            .letter('W')
            .reference("RFC 3168"),
        Field::flag("flags.ece", "ECN-Echo", 105).short("ECE").letter('E').reference("RFC 3168"),
        Field::group("flags.control", "Control Bits", 106, 6),
        Field::flag("flags.urg", "Urgent", 106).short("URG").letter('U'),
        Field::flag("flags.ack", "Acknowledgment", 107).short("ACK").letter('.'),
        Field::flag("flags.push", "Push", 108).short("PSH").letter('P').alias(&[("flags.psh", 1)]),
        Field::flag("flags.reset", "Reset", 109).short("RST").letter('R').alias(&[("flags.rst", 1)]),
        Field::flag("flags.syn", "Synchronize", 110).short("SYN").letter('S'),
        Field::flag("flags.fin", "Finish", 111).short("FIN").letter('F'),
        Field::number("window_size_value", "Window", 112, 16).alias(&[("window", 1)]).default(64240),
        Field::hex("checksum", "Checksum", 128, 16)
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeader, zero_is_none: false }),
        Field::number("urgent_pointer", "Urgent Pointer", 144, 16),
    ],
    length: Length::Said { by: &HDR_LEN, min: 20 },
    extent: None,
    found_by: &[(Space::IpProtocol, 6)],
    next: &[
        Next {
            when: None,
            to: To::Either { by: [&SRCPORT, &DSTPORT], space: Space::TcpPort },
            quoted: false,
        },
        Next { when: None, to: To::Always(Space::TcpContent, 0), quoted: false },
    ],
    items: Some(&tcp_options::LIST),
    ends: None,
    network: false,
    answer: Some(Answer::ports(&[(&SRCPORT, &DSTPORT)])),
    family: Family::Transport,
    row_bits: 32,
    info,
    warnings: &[
        data_offset,
        syn_with_fin,
        syn_with_reset,
        no_flags,
        fin_alone,
        reserved,
        ports,
        reset_with_payload,
        urgent,
        ack_without_flag,
        options,
    ],
    ..Header::PLAIN
};

/// The row in packetdrill's manner: `40000 → 80 S 1:1(0) win 64240 <mss 1460,sackOK,nop,wscale 7>`.
fn info(view: &LayerView<'_>) -> String {
    let flags = view.text_of_letters("flags");
    let seq = view.number("seq_raw");
    let mut text = format!("{} → {}", view.text("srcport"), view.text("dstport"));
    let (Some(seq), Some(flags)) = (seq, flags) else {
        return text + &seq.map(|s| format!(" seq {s}")).unwrap_or_default();
    };
    let len = view.payload_len() as u128;
    let end = (seq + len) & 0xffff_ffff;
    text += &format!(" {} {seq}:{end}({len})", if flags.is_empty() { "none" } else { &flags });
    if view.is_set("flags.ack") {
        text += &format!(" ack {}", view.text("ack_raw"));
    }
    text += &format!(" win {}", view.text("window_size_value"));
    if view.is_set("flags.urg") {
        text += &format!(" urg {}", view.text("urgent_pointer"));
    }
    text + &view.terse_items()
}

fn data_offset(view: &LayerView<'_>) -> Option<String> {
    let words = view.number("data_offset")?;
    let (bytes, len) = (words as usize * 4, view.layer().len);
    let segment = len + view.payload().len();
    if words < 5 {
        Some(format!("data offset {words} is under 5, the length of the fixed header: receivers drop it"))
    } else if bytes > segment {
        Some(format!("data offset {words} ({bytes} bytes) is past the end of the segment ({segment} bytes)"))
    } else if bytes != len {
        Some(format!(
            "data offset says {bytes} bytes of header, the form has {len}: a receiver reads it otherwise"
        ))
    } else {
        None
    }
}

fn syn_with_fin(view: &LayerView<'_>) -> Option<String> {
    (view.is_set("flags.syn") && view.is_set("flags.fin"))
        .then(|| "SYN with FIN: firewalls drop it, stacks differ".into())
}

fn syn_with_reset(view: &LayerView<'_>) -> Option<String> {
    (view.is_set("flags.syn") && view.is_set("flags.reset"))
        .then(|| "SYN with RST: receivers ignore the SYN".into())
}

fn no_flags(view: &LayerView<'_>) -> Option<String> {
    (view.number("flags.control") == Some(0)).then(|| "no control flag is set (a NULL scan)".into())
}

fn fin_alone(view: &LayerView<'_>) -> Option<String> {
    (view.is_set("flags.fin") && !view.is_set("flags.ack") && !view.is_set("flags.syn"))
        .then(|| "FIN without ACK: no connection sends this".into())
}

fn reserved(view: &LayerView<'_>) -> Option<String> {
    view.is_set("flags.res").then(|| "reserved bits are set: some firewalls drop it".into())
}

fn ports(view: &LayerView<'_>) -> Option<String> {
    match (view.number("srcport")?, view.number("dstport")?) {
        (0, 0) => Some("source and destination port are 0: reserved".into()),
        (0, _) => {
            Some("source port 0 is reserved: many firewalls drop it, nobody can answer it in order".into())
        }
        (_, 0) => Some("destination port 0 is reserved: no socket listens there".into()),
        _ => None,
    }
}

fn reset_with_payload(view: &LayerView<'_>) -> Option<String> {
    (view.is_set("flags.reset") && !view.payload().is_empty()).then(|| {
        "RST with payload: receivers may take it for a diagnostic text (RFC 9293 section 3.5.3)".into()
    })
}

fn urgent(view: &LayerView<'_>) -> Option<String> {
    let pointer = view.number("urgent_pointer")?;
    match (view.is_set("flags.urg"), pointer) {
        (false, 1..) => Some("an urgent pointer without URG means nothing".into()),
        (true, 0) => Some("URG with urgent pointer 0".into()),
        _ => None,
    }
}

fn ack_without_flag(view: &LayerView<'_>) -> Option<String> {
    (view.number("ack_raw")? != 0 && !view.is_set("flags.ack"))
        .then(|| "an acknowledgment number without ACK means nothing".into())
}

fn options(view: &LayerView<'_>) -> Option<String> {
    let len = view.items_range().len();
    if let Some(limit) = tcp_options::LIST.limit.filter(|limit| len > *limit) {
        return Some(format!("options take {len} bytes: the data offset can only speak of {limit}"));
    }
    view.items().into_iter().find_map(|i| i.problem)
}
