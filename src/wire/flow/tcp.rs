//! A TCP connection as somebody sees it who stands between its ends.

use super::outstanding::{Outstanding, Sent, after};
use super::seen::{ACK, FIN, Header, PSH, RST, SYN};
use super::{Moment, Segment, mark};

/// How windows are scaled (RFC 7323 section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scale {
    /// The handshake was not seen.
    #[default]
    Unknown,
    /// The handshake said no.
    Unused,
    /// So many bits to the left.
    Shift(u8),
}

impl Scale {
    /// By how many bits; a shift of 32 is none, as a processor does it.
    pub fn bits(self) -> u32 {
        match self {
            Self::Shift(bits) => u32::from(bits),
            _ => 0,
        }
    }

    /// The factor as Wireshark shows it.
    fn factor(self) -> i32 {
        match self {
            Self::Unknown => -1,
            Self::Unused => -2,
            Self::Shift(bits) => 1_i32.wrapping_shl(u32::from(bits)),
        }
    }
}

/// What one end has sent. A number 0 stands for none, as in Wireshark.
#[derive(Debug)]
pub(super) struct Side {
    /// What its sequence numbers are relative to.
    pub base: Option<u32>,
    /// The number behind the highest that it has sent, and the packet that had it.
    pub next: u32,
    pub next_at: Moment,
    /// The number behind the highest without a gap before it: what the other end can have received.
    pub reachable: u32,
    /// What it acknowledged last, and when.
    pub acked: u32,
    pub acked_ns: u64,
    /// The packet with which it acknowledged that first.
    pub acked_in: u32,
    /// How often it did so again; -1: it was sent something that was not seen.
    pub duplicates: i32,
    /// As stored in its last packet; `None`: none was seen.
    pub window: Option<u16>,
    pub scale: Scale,
    /// Its handshake was not acknowledged yet: the window is not scaled.
    pub opening: bool,
    /// What was said of its last segment.
    pub marks: u16,
    /// What is in flight can be told.
    pub countable: bool,
    /// Bytes since the last PSH, and whether the segment before had one.
    pub pushed: u32,
    pub push_before: bool,
    /// What its last segment says has arrived beyond what it acknowledges.
    pub sacked: u32,
    /// It ended the connection first.
    pub closes_first: bool,
    /// Kinds of MPTCP options of the connection when it sent last.
    pub multipath: u16,
    pub outstanding: Outstanding,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            base: None,
            next: 0,
            next_at: Moment::default(),
            reachable: 0,
            acked: 0,
            acked_ns: 0,
            acked_in: 0,
            duplicates: 0,
            window: None,
            scale: Scale::Unknown,
            opening: false,
            marks: 0,
            countable: true,
            pushed: 0,
            push_before: false,
            sacked: 0,
            closes_first: false,
            multipath: 0,
            outstanding: Outstanding::default(),
        }
    }
}

impl Segment {
    /// The same of a segment whose header is cut off or not as long as it has to be: its analysis is not shown.
    fn without_analysis(self) -> Self {
        let Self { seq, ack, next_seq, window, scale, completeness, closes, opens, .. } = self;
        Self { seq, ack, next_seq, window, scale, completeness, closes, opens, ..Self::default() }
    }
}

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// The end that sends the segment that is looked at, and the other one, change places with the direction.
    pub sides: [Side; 2],
    /// When its last SYN was sent; 0: none was.
    syn_ns: u64,
    /// How long the handshake took; 0: not known.
    pub handshake_ns: i64,
    /// What was seen of it, as in [`Segment::completeness`].
    completeness: u8,
    /// Kinds of MPTCP options that were seen.
    pub multipath: u16,
}

impl Connection {
    /// Takes a segment, of a connection that is `fresh` or not. `down`: from the higher end to the lower. `reused`: its ports
    /// are those of an earlier connection.
    pub fn take(&mut self, header: &Header, at: Moment, down: bool, fresh: bool, reused: bool) -> Segment {
        let mut told = Segment {
            completeness: Some(self.completeness),
            marks: if reused { mark::REUSED_PORTS } else { 0 },
            ..Segment::default()
        };
        if down {
            self.sides.swap(0, 1);
        }
        self.sides[0].sacked = 0;
        match header.len {
            Some(len) => self.known(header, len, at, &mut told),
            None => (told.seq, told.ack) = (header.seq, header.ack),
        }
        self.shown(header, &mut told);
        if header.long_enough {
            self.behind(header, at, fresh, &mut told);
        }
        if !header.long_enough || !header.complete {
            told = told.without_analysis();
        }
        if down {
            self.sides.swap(0, 1);
        }
        told
    }

    /// A segment whose length is known.
    fn known(&mut self, header: &Header, len: u32, at: Moment, told: &mut Segment) {
        self.analyse(header, len, at, told);
        let [own, other] = &self.sides;
        told.seq = header.seq.wrapping_sub(own.base.unwrap_or(0));
        let base = if header.has(ACK) { other.base.unwrap_or(0) } else { 0 };
        told.ack = header.ack.map(|ack| ack.wrapping_sub(base));
        if header.long_enough {
            let last = u32::from(header.has(SYN | FIN));
            told.next_seq = Some(told.seq.wrapping_add(len).wrapping_add(last));
        }
    }

    /// Its window, scaled where it is.
    fn shown(&self, header: &Header, told: &mut Segment) {
        if !header.long_enough {
            told.ack = None;
            return;
        }
        let scale = self.sides[0].scale;
        let window = u32::from(header.window);
        let scaled = header.len.is_some() && !header.has(SYN);
        told.window = Some(if scaled { window.wrapping_shl(scale.bits()) } else { window });
        told.scale = (!header.has(SYN)).then(|| scale.factor());
    }

    /// What holds from this segment on.
    fn behind(&mut self, header: &Header, at: Moment, fresh: bool, told: &mut Segment) {
        self.complete(header, fresh);
        let [own, other] = &mut self.sides;
        if header.has(SYN) {
            told.opens |= if header.has(ACK) { 2 } else { 1 };
            if !header.has(ACK) {
                self.syn_ns = at.time_ns;
            }
            own.opening = true;
        }
        if header.has(FIN) {
            told.opens |= 4;
            own.closes_first |= !other.closes_first;
            told.closes = Some(!other.closes_first);
        }
        if header.has(RST) {
            told.opens |= 8;
        }
        if header.flags & (SYN | ACK) == ACK {
            if self.syn_ns != 0 && self.handshake_ns == 0 {
                self.handshake_ns = at.since(self.syn_ns);
            }
            own.opening = false;
        }
        own.sacked = header.sacked;
        if let Some(shift) = header.scale {
            own.scale = Scale::Shift(shift);
        }
        if told.analysed && self.handshake_ns != 0 {
            told.initial_rtt = Some(self.handshake_ns);
        }
        self.multipath |= header.multipath;
        if header.has(SYN) && header.complete {
            self.agree(header.has(ACK));
        }
    }

    /// Windows are scaled only where both ends said so.
    fn agree(&mut self, is_answer: bool) {
        let [own, other] = &mut self.sides;
        if own.scale == Scale::Unknown {
            (own.scale, other.scale) = (Scale::Unused, Scale::Unused);
        } else if is_answer && other.scale == Scale::Unused {
            own.scale = Scale::Unused;
        }
    }

    fn complete(&mut self, header: &Header, fresh: bool) {
        let has_data = header.len.is_some_and(|len| len > 0);
        let data = if has_data { 8 } else { 0 };
        let handshake = header.flags & (SYN | ACK);
        if fresh {
            if handshake == SYN {
                self.completeness |= 1 | data;
            }
            return;
        }
        self.completeness |= match handshake {
            0 | SYN => 0,
            ACK if has_data => data,
            ACK => 4,
            _ => 2,
        };
        if header.flags & (FIN | ACK) == FIN | ACK {
            self.completeness |= 16;
        }
        if header.has(RST) {
            self.completeness |= 32;
        }
    }

    /// A connection whose ports were used before.
    pub fn again() -> Self {
        Self { completeness: 1, ..Self::default() }
    }

    /// Compares a segment with what came before it, and remembers it.
    fn analyse(&mut self, header: &Header, len: u32, at: Moment, told: &mut Segment) {
        let ack = header.ack.unwrap_or(0);
        let [own, other] = &mut self.sides;
        // A SYN counts 0, so that data begins with 1, also where the SYN was not seen.
        own.base.get_or_insert(if header.has(SYN) { header.seq } else { header.seq.wrapping_sub(1) });
        if header.has(ACK) {
            other.base.get_or_insert(ack.wrapping_sub(1));
            other.countable = true;
        }
        self.mark(header, len, at, told);
        let is_probe = told.marks & mark::ZERO_WINDOW_PROBE != 0;
        told.analysed |= told.marks != 0;
        let next = self.remember(header, len, at);
        let [own, other] = &mut self.sides;
        if !is_probe {
            if own.next == 0 || after(next, own.next) {
                (own.next, own.next_at) = (next, at);
            }
            // What lies behind a gap may be acknowledged all the same, when the packets in it were not captured.
            if own.reachable == 0 || header.seq == own.reachable {
                own.reachable = own.next;
            }
        }
        own.window = Some(header.window);
        (own.acked, own.acked_ns) = (ack, at.time_ns);
        own.multipath = self.multipath;
        own.marks = told.marks;
        if let Some(sent) = other.outstanding.acknowledge(ack) {
            told.analysed = true;
            told.acks = Some(sent.at.number);
            told.ack_rtt = Some(at.since(sent.at.time_ns)).filter(|ns| *ns != 0);
        }
        self.count(header, len, told);
    }

    /// Keeps the segment among those that are outstanding. Gives the number behind it.
    fn remember(&mut self, header: &Header, len: u32, at: Moment) -> u32 {
        let own = &mut self.sides[0];
        let next = header.seq.wrapping_add(len);
        if len == 0 && !header.has(SYN | FIN) || !own.outstanding.has_room() {
            return next;
        }
        let next = next.wrapping_add(u32::from(header.has(SYN | FIN)));
        own.outstanding.push(Sent { at, seq: header.seq, next });
        next
    }

    /// Bytes in flight, and since the last PSH.
    fn count(&mut self, header: &Header, len: u32, told: &mut Segment) {
        const MOST: u32 = 2_000_000_000;
        let [own, other] = &mut self.sides;
        if len == 0 || !own.countable {
            return;
        }
        let Some(span) = own.outstanding.span(own.base.unwrap_or(0)) else { return };
        told.analysed = true;
        let in_flight = span.wrapping_sub(other.sacked);
        let in_flight =
            if in_flight > 0 && in_flight < MOST { in_flight - u32::from(header.has(SYN | FIN)) } else { 0 };
        let push = header.has(PSH);
        own.pushed = if own.push_before { len } else { own.pushed.wrapping_add(len) };
        own.push_before = push;
        if in_flight > 0 {
            told.in_flight = Some(in_flight);
            told.since_push = Some(own.pushed);
        }
    }
}
