//! Flows: what is known of a packet only from those before it. Streams and their numbers, relative sequence numbers,
//! retransmissions, round-trip times.
//!
//! The values are those that Wireshark 4.0 has under the same keys, with its default settings (Wireshark User's Guide, "TCP
//! Analysis"; each rule tried against tshark): tests/differential_flows.rs compares all of them, packet by packet.
//! [`seen()`] reads from a packet what a [`FlowTable`] has to know of it, which takes packets in their order and tells of
//! each what [`Told`] holds; [`store`] keeps that in few bytes.

pub mod keys;
mod outstanding;
pub mod seen;
pub mod store;
mod table;
mod tcp;
mod tcp_marks;

pub use keys::{FlowKey, FlowKind, KEYS};
pub use seen::{Seen, seen};
pub use store::FlowStore;
pub use table::{FlowTable, MOST_FLOWS, MOST_OUTSTANDING};

/// A packet among those of its capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Its number, from 1 on.
    pub number: u32,
    /// Nanoseconds since 1970; 0 where they are not known.
    pub time_ns: u64,
}

impl Moment {
    /// Nanoseconds from another time to this one; below 0 where this is earlier.
    fn since(self, other_ns: u64) -> i64 {
        self.time_ns.wrapping_sub(other_ns).cast_signed()
    }
}

/// What may be said of a segment, each a bit.
pub mod mark {
    /// Data that was seen before comes again.
    pub const RETRANSMISSION: u16 = 1;
    /// It leaves a gap behind what its sender had sent.
    pub const LOST_SEGMENT: u16 = 1 << 1;
    /// It acknowledges what was not seen.
    pub const ACK_LOST_SEGMENT: u16 = 1 << 2;
    /// It asks whether the other end is still there.
    pub const KEEP_ALIVE: u16 = 1 << 3;
    /// It acknowledges again what was acknowledged.
    pub const DUPLICATE_ACK: u16 = 1 << 4;
    /// Its sender takes no more data.
    pub const ZERO_WINDOW: u16 = 1 << 5;
    /// A byte that asks whether the window is still closed.
    pub const ZERO_WINDOW_PROBE: u16 = 1 << 6;
    /// The answer to it.
    pub const ZERO_WINDOW_PROBE_ACK: u16 = 1 << 7;
    /// The answer to a keep-alive.
    pub const KEEP_ALIVE_ACK: u16 = 1 << 8;
    /// It comes behind one that was sent later.
    pub const OUT_OF_ORDER: u16 = 1 << 9;
    /// Duplicate acknowledgments asked for it.
    pub const FAST_RETRANSMISSION: u16 = 1 << 10;
    /// It says nothing but a new window.
    pub const WINDOW_UPDATE: u16 = 1 << 11;
    /// It fills the window of the other end.
    pub const WINDOW_FULL: u16 = 1 << 12;
    /// Its ports are those of an earlier connection.
    pub const REUSED_PORTS: u16 = 1 << 13;
    /// Data that was acknowledged comes again.
    pub const SPURIOUS_RETRANSMISSION: u16 = 1 << 14;
}

/// What is known of a TCP segment or a UDP datagram from the packets before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The index of its layer in the packet.
    pub layer: u8,
    /// It is a TCP segment.
    pub tcp: bool,
    /// Number of the stream among those of its protocol, from 0 on; `None`: too little of the header is there.
    pub stream: Option<u32>,
    /// Nanoseconds since the first packet of the stream, and since the one before it; `None`: not known.
    pub times: Option<(i64, i64)>,
    /// Only of a TCP segment.
    pub segment: Segment,
}

/// What is known of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Relative to the first of its sender, where the segment is wholly known; else as it is stored.
    pub seq: u32,
    /// The same of the other end; where no acknowledgment is meant, as it is stored. `None`: it is not there.
    pub ack: Option<u32>,
    /// Relative sequence number of the byte behind the segment.
    pub next_seq: Option<u32>,
    /// Bytes that its sender takes, scaled.
    pub window: Option<u32>,
    /// What the stored window is multiplied with; -1: not known; -2: windows are not scaled.
    pub scale: Option<i32>,
    /// What was seen of the connection until before: SYN 1, SYN with ACK 2, ACK 4, data 8, FIN 16, RST 32.
    pub completeness: Option<u8>,
    /// It has an analysis.
    pub analysed: bool,
    /// What is said of it: bits of [`mark`].
    pub marks: u16,
    /// It is the first to end the connection (`true`), or the second.
    pub closes: Option<bool>,
    /// Of SYN (1), SYN with ACK (2), FIN (4) and RST (8), those that it is.
    pub opens: u8,
    /// Which duplicate it is, from 1 on, and of which packet.
    pub duplicate: Option<(u32, u32)>,
    /// The packet that it acknowledges.
    pub acks: Option<u32>,
    /// Nanoseconds since that.
    pub ack_rtt: Option<i64>,
    /// Nanoseconds that the handshake took.
    pub initial_rtt: Option<i64>,
    /// Nanoseconds since the packet that it repeats, and its number.
    pub rto: Option<(i64, u32)>,
    /// Bytes that its sender has sent and the other end not acknowledged.
    pub in_flight: Option<u32>,
    /// Bytes that its sender has sent since its last PSH.
    pub since_push: Option<u32>,
}

#[cfg(test)]
mod tests;
