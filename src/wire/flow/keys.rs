//! The keys of what is known from the packets before, as Wireshark 4.0 names it.

use super::{Told, mark};

/// What kind of value a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// A number of so many bits.
    Number(usize),
    /// A number that may be below 0.
    Signed,
    /// A time in nanoseconds.
    Time,
    /// The number of a packet.
    Packet,
    /// It is there or not.
    Mark,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct FlowKey {
    /// Wireshark's filter name.
    pub key: &'static str,
    /// What it is, in Wireshark's words.
    pub label: &'static str,
    /// The kind of its values.
    pub kind: FlowKind,
    /// The value; a mark that is there: 1.
    pub value: fn(&Told) -> Option<i128>,
}

impl FlowKey {
    /// The key with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|k| k.key == name)
    }

    /// Whether it only says that there are others.
    #[must_use]
    pub fn gathers(&self) -> bool {
        matches!(self.key, "tcp.analysis" | "tcp.analysis.flags")
    }

    /// The protocol that it belongs to.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.key.split('.').next().unwrap_or(self.key)
    }

    /// How often Wireshark has the value: as a field, and as a note of the same name.
    #[must_use]
    pub fn times(&self) -> usize {
        if self.key == "tcp.analysis.duplicate_ack" { 2 } else { 1 }
    }

    /// The value as tshark prints it.
    #[must_use]
    pub fn text(&self, told: &Told) -> Option<String> {
        let value = (self.value)(told)?;
        Some(if self.kind == FlowKind::Time { seconds(value) } else { value.to_string() })
    }

    /// The line of a tree; a mark is there with its words alone.
    #[must_use]
    pub fn line(&self, told: &Told) -> Option<String> {
        let text = self.text(told)?;
        Some(match self.kind {
            FlowKind::Mark => self.label.to_owned(),
            FlowKind::Time => format!("{}: {text} seconds", self.label),
            _ => format!("{}: {text}{}", self.label, self.meaning(told)),
        })
    }

    /// What a number stands for.
    fn meaning(&self, told: &Told) -> &'static str {
        match (self.key, told.segment.scale) {
            ("tcp.window_size_scalefactor", Some(-1)) => " (unknown)",
            ("tcp.window_size_scalefactor", Some(-2)) => " (no window scaling used)",
            _ => "",
        }
    }
}

impl Told {
    /// Its stream, and what is odd about it.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = String::from(if self.tcp { "TCP" } else { "UDP" });
        if let Some(stream) = self.stream {
            title += &format!(" stream {stream}");
        }
        let marks = KEYS.iter().filter(|k| k.kind == FlowKind::Mark && !k.gathers());
        let odd = marks.filter(|k| k.key.starts_with("tcp.analysis.")).filter_map(|k| k.line(self));
        odd.for_each(|line| title += &format!(" · {line}"));
        title
    }

    /// Whether anything is odd about it.
    #[must_use]
    pub fn is_odd(&self) -> bool {
        self.segment.marks != 0
    }
}

/// Nanoseconds as seconds with nine digits.
fn seconds(ns: i128) -> String {
    let (sign, ns) = (if ns < 0 { "-" } else { "" }, ns.unsigned_abs());
    format!("{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

macro_rules! key {
    ($key:literal, $label:literal, $kind:expr, $value:expr) => {
        FlowKey { key: $key, label: $label, kind: $kind, value: $value }
    };
}

/// A key that is there where a segment has one of these marks.
macro_rules! marked {
    ($key:literal, $label:literal, $marks:expr) => {
        key!($key, $label, FlowKind::Mark, |t| (t.segment.marks & ($marks) != 0).then_some(1))
    };
}

/// A key that is there where a segment opens or ends a connection.
macro_rules! opens {
    ($key:literal, $label:literal, $bit:literal) => {
        key!($key, $label, FlowKind::Mark, |t| (t.segment.opens & $bit != 0).then_some(1))
    };
}

const NUMBER: FlowKind = FlowKind::Number(32);

fn stream(told: &Told, tcp: bool) -> Option<i128> {
    told.stream.filter(|_| told.tcp == tcp).map(i128::from)
}

fn times(told: &Told, tcp: bool) -> Option<(i64, i64)> {
    told.times.filter(|_| told.tcp == tcp)
}

/// All keys, in the order of Wireshark's tree.
pub static KEYS: &[FlowKey] = &[
    key!("tcp.stream", "Stream index", NUMBER, |t| stream(t, true)),
    key!("tcp.completeness", "Conversation completeness", FlowKind::Number(8), |t| {
        t.segment.completeness.map(i128::from)
    }),
    key!("tcp.seq", "Sequence Number, relative", NUMBER, |t| t.tcp.then_some(i128::from(t.segment.seq))),
    key!("tcp.nxtseq", "Next Sequence Number, relative", NUMBER, |t| t.segment.next_seq.map(i128::from)),
    key!("tcp.ack", "Acknowledgment Number, relative", NUMBER, |t| t.segment.ack.map(i128::from)),
    opens!("tcp.connection.syn", "Connection establish request (SYN)", 1),
    opens!("tcp.connection.synack", "Connection establish acknowledge (SYN+ACK)", 2),
    opens!("tcp.connection.fin", "Connection finish (FIN)", 4),
    opens!("tcp.connection.rst", "Connection reset (RST)", 8),
    key!("tcp.connection.fin_active", "It is the first to close the connection", FlowKind::Mark, |t| {
        (t.segment.closes == Some(true)).then_some(1)
    }),
    key!("tcp.connection.fin_passive", "It closes the connection after the other end", FlowKind::Mark, |t| {
        (t.segment.closes == Some(false)).then_some(1)
    }),
    key!("tcp.window_size", "Calculated window size", NUMBER, |t| t.segment.window.map(i128::from)),
    key!("tcp.window_size_scalefactor", "Window size scaling factor", FlowKind::Signed, |t| {
        t.segment.scale.map(i128::from)
    }),
    key!("tcp.time_relative", "Time since first packet in this stream", FlowKind::Time, |t| {
        times(t, true).map(|(first, _)| i128::from(first))
    }),
    key!("tcp.time_delta", "Time since previous packet in this stream", FlowKind::Time, |t| {
        times(t, true).map(|(_, previous)| i128::from(previous))
    }),
    key!("tcp.analysis", "SEQ/ACK analysis", FlowKind::Mark, |t| t.segment.analysed.then_some(1)),
    key!("tcp.analysis.acks_frame", "This is an ACK to the segment in packet", FlowKind::Packet, |t| {
        t.segment.acks.map(i128::from)
    }),
    key!("tcp.analysis.ack_rtt", "The RTT to ACK the segment was", FlowKind::Time, |t| {
        t.segment.ack_rtt.map(i128::from)
    }),
    key!("tcp.analysis.initial_rtt", "iRTT", FlowKind::Time, |t| t.segment.initial_rtt.map(i128::from)),
    key!("tcp.analysis.bytes_in_flight", "Bytes in flight", NUMBER, |t| t.segment.in_flight.map(i128::from)),
    key!("tcp.analysis.push_bytes_sent", "Bytes sent since last PSH flag", NUMBER, |t| {
        t.segment.since_push.map(i128::from)
    }),
    marked!("tcp.analysis.flags", "TCP Analysis Flags", u16::MAX),
    marked!(
        "tcp.analysis.reused_ports",
        "A new connection is started with the same ports as an earlier one",
        mark::REUSED_PORTS
    ),
    marked!(
        "tcp.analysis.retransmission",
        "This is a (suspected) retransmission",
        mark::RETRANSMISSION | mark::FAST_RETRANSMISSION | mark::SPURIOUS_RETRANSMISSION
    ),
    marked!(
        "tcp.analysis.fast_retransmission",
        "This is a (suspected) fast retransmission",
        mark::FAST_RETRANSMISSION
    ),
    marked!(
        "tcp.analysis.spurious_retransmission",
        "This is a (suspected) spurious retransmission",
        mark::SPURIOUS_RETRANSMISSION
    ),
    key!("tcp.analysis.rto", "The RTO for this segment was", FlowKind::Time, |t| {
        t.segment.rto.map(|(ns, _)| i128::from(ns))
    }),
    key!("tcp.analysis.rto_frame", "RTO based on delta from packet", FlowKind::Packet, |t| {
        t.segment.rto.map(|(_, packet)| i128::from(packet))
    }),
    marked!("tcp.analysis.out_of_order", "This is a (suspected) out-of-order segment", mark::OUT_OF_ORDER),
    marked!(
        "tcp.analysis.lost_segment",
        "Previous segments were not captured (common at capture start)",
        mark::LOST_SEGMENT
    ),
    marked!(
        "tcp.analysis.ack_lost_segment",
        "It acknowledges a segment that was not captured (common at capture start)",
        mark::ACK_LOST_SEGMENT
    ),
    marked!("tcp.analysis.window_update", "TCP window update", mark::WINDOW_UPDATE),
    marked!(
        "tcp.analysis.window_full",
        "TCP window specified by the receiver is now completely full",
        mark::WINDOW_FULL
    ),
    marked!("tcp.analysis.keep_alive", "TCP keep-alive segment", mark::KEEP_ALIVE),
    marked!("tcp.analysis.keep_alive_ack", "ACK to a TCP keep-alive segment", mark::KEEP_ALIVE_ACK),
    marked!("tcp.analysis.duplicate_ack", "Duplicate ACK", mark::DUPLICATE_ACK),
    key!("tcp.analysis.duplicate_ack_num", "Duplicate ACK #", NUMBER, |t| {
        t.segment.duplicate.map(|(nth, _)| i128::from(nth))
    }),
    key!("tcp.analysis.duplicate_ack_frame", "Duplicate to the ACK in packet", FlowKind::Packet, |t| {
        t.segment.duplicate.map(|(_, packet)| i128::from(packet))
    }),
    marked!("tcp.analysis.zero_window_probe", "TCP Zero Window Probe", mark::ZERO_WINDOW_PROBE),
    marked!("tcp.analysis.zero_window", "TCP Zero Window segment", mark::ZERO_WINDOW),
    marked!(
        "tcp.analysis.zero_window_probe_ack",
        "ACK to a TCP Zero Window Probe",
        mark::ZERO_WINDOW_PROBE_ACK
    ),
    key!("udp.stream", "Stream index", NUMBER, |t| stream(t, false)),
    key!("udp.time_relative", "Time since first packet", FlowKind::Time, |t| {
        times(t, false).map(|(first, _)| i128::from(first))
    }),
    key!("udp.time_delta", "Time since previous packet", FlowKind::Time, |t| {
        times(t, false).map(|(_, previous)| i128::from(previous))
    }),
];
