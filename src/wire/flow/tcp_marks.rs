//! What is said of a segment: the rules of the Wireshark User's Guide, "TCP Analysis".

use super::outstanding::after;
use super::seen::{ACK, FIN, Header, RST, SYN};
use super::tcp::{Connection, Scale, Side};
use super::{Moment, Segment, mark};

/// A retransmission that comes so soon behind duplicate acknowledgments was asked for by them.
const FAST_NS: u64 = 20_000_000;
/// A segment that comes so soon behind a later one is out of order, where the round-trip time is not known.
const REORDERED_NS: u64 = 3_000_000;

/// Why a segment that does not go on comes.
enum Again {
    Spurious,
    Fast,
    OutOfOrder,
    Plain,
}

impl Connection {
    /// Finds what there is to say of a segment of `len` bytes. What is remembered of the connection is that of the segments
    /// before, but for the duplicate acknowledgments.
    pub(super) fn mark(&mut self, header: &Header, len: u32, at: Moment, told: &mut Segment) {
        let ack = header.ack.unwrap_or(0);
        let [own, other] = &mut self.sides;
        let is_next = header.seq == own.next;
        if len == 1 && is_next && other.window == Some(0) {
            told.marks |= mark::ZERO_WINDOW_PROBE;
        } else {
            told.marks |= gap(own, header) | window(own, other, header, len);
            let repeats = len == 0 && is_next && ack == own.acked && !header.is_loud();
            if repeats {
                let multipath = self.multipath != own.multipath;
                told.marks |= repeated(own, other, header.window, multipath);
            }
        }
        if told.marks & mark::DUPLICATE_ACK != 0 {
            own.duplicates = if own.duplicates == -1 { 1 } else { own.duplicates + 1 };
            told.duplicate = Some((own.duplicates.unsigned_abs(), own.acked_in));
        }
        if ack != own.acked {
            (own.acked_in, own.duplicates) = (at.number, 0);
        }
        let unseen = other.reachable != 0 && after(ack, other.reachable) && header.has(ACK);
        if unseen {
            told.analysed = true;
            told.marks |= ack_of_unseen(other);
        }
        if len == 0 && !header.has(SYN | FIN) || told.marks & mark::KEEP_ALIVE != 0 {
            return;
        }
        match self.repeats(header, len, at) {
            None => {}
            Some(Again::Spurious) => told.marks |= mark::SPURIOUS_RETRANSMISSION,
            Some(Again::Fast) => told.marks |= mark::FAST_RETRANSMISSION,
            Some(Again::OutOfOrder) => told.marks |= mark::OUT_OF_ORDER,
            Some(Again::Plain) => {
                told.marks |= mark::RETRANSMISSION;
                let own = &self.sides[0];
                // The oldest that is outstanding is likely what is repeated.
                let first = own.outstanding.oldest().map_or(own.next_at, |sent| sent.at);
                told.rto = Some((at.since(first.time_ns), first.number)).filter(|(ns, _)| *ns != 0);
            }
        }
    }

    /// Whether the segment brings again what was sent, and why.
    fn repeats(&self, header: &Header, len: u32, at: Moment) -> Option<Again> {
        let [own, other] = &self.sides;
        let end = header.seq.wrapping_add(len);
        if len > 0 && other.acked != 0 && !after(end, other.acked) {
            return Some(Again::Spurious);
        }
        // A byte that was sent as a probe and comes again with more behind it is none.
        let was_probe = len > 1 && header.seq == own.next.wrapping_sub(1);
        if own.next == 0 || !after(own.next, header.seq) || was_probe {
            return None;
        }
        // Times that go backwards are far apart.
        let since = |then_ns: u64| at.since(then_ns).cast_unsigned();
        // What acknowledges the unseen counts as many duplicates.
        let asked = other.duplicates.cast_unsigned() >= 2;
        if asked && other.acked == header.seq && since(other.acked_ns) < FAST_NS {
            return Some(Again::Fast);
        }
        let near = if self.handshake_ns == 0 { REORDERED_NS } else { self.handshake_ns.cast_unsigned() };
        let end = end.wrapping_add(u32::from(header.has(SYN | FIN)));
        if since(own.next_at.time_ns) < near && own.next != end {
            return Some(Again::OutOfOrder);
        }
        Some(Again::Plain)
    }
}

/// A segment that does not follow the one before it.
fn gap(own: &mut Side, header: &Header) -> u16 {
    if own.next == 0 || !after(header.seq, own.next) || header.has(RST) {
        return 0;
    }
    own.countable = false;
    mark::LOST_SEGMENT
}

/// What is said of windows and keep-alives.
fn window(own: &Side, other: &Side, header: &Header, len: u32) -> u16 {
    if header.is_loud() {
        return 0;
    }
    let mut marks = 0;
    if header.window == 0 {
        marks |= mark::ZERO_WINDOW;
    }
    if len <= 1 && header.seq == own.next.wrapping_sub(1) {
        marks |= mark::KEEP_ALIVE;
    }
    if len > 0 && other.scale != Scale::Unknown {
        let bits = if other.opening { 0 } else { other.scale.bits() };
        let window = other.window.map_or(u32::MAX, u32::from).wrapping_shl(bits);
        if header.seq.wrapping_add(len) == other.acked.wrapping_add(window) {
            marks |= mark::WINDOW_FULL;
        }
    }
    marks
}

/// What it means that an end sends nothing and acknowledges nothing new.
fn repeated(own: &Side, other: &Side, window: u16, multipath: bool) -> u16 {
    let same = own.window == Some(window);
    match (window, same) {
        (0, true) if other.marks & mark::ZERO_WINDOW_PROBE != 0 => mark::ZERO_WINDOW_PROBE_ACK,
        (0, _) => 0,
        (_, false) => mark::WINDOW_UPDATE,
        (_, true) if other.marks & mark::KEEP_ALIVE != 0 => mark::KEEP_ALIVE_ACK,
        // Signals of MPTCP may come in acknowledgments that repeat others (RFC 8684 section 4).
        (_, true) if multipath => 0,
        (_, true) => mark::DUPLICATE_ACK,
    }
}

/// An acknowledgment of what the other end was not seen to send; said once for each gap.
fn ack_of_unseen(other: &mut Side) -> u16 {
    if after(other.next, other.reachable) {
        other.reachable = other.next;
        return mark::ACK_LOST_SEGMENT;
    }
    let first = other.duplicates == 0;
    other.duplicates = -1;
    if first { mark::ACK_LOST_SEGMENT } else { 0 }
}
