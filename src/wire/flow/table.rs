//! The flows of a capture.

use std::collections::HashMap;

use super::seen::{ACK, Ends, Header, SYN, Seen};
use super::tcp::Connection;
use super::{Moment, Segment, Told};

/// Flows that are remembered at most, of about 400 bytes each. When one more comes, those are forgotten of which nothing
/// was heard for the longest, half of them; [`FlowTable::forgotten`] counts them. What comes of such a flow later is taken
/// for a new one, as if the capture began there.
pub const MOST_FLOWS: usize = 1 << 20;

/// Segments that are remembered at most until they are acknowledged, over all flows, of 24 bytes each (of one direction of
/// one flow 10 000, as in Wireshark). When there are more, flows are forgotten in the same way.
pub const MOST_OUTSTANDING: usize = 1 << 22;

/// A flow: packets between the same addresses and ports.
#[derive(Debug)]
struct Flow {
    stream: u32,
    first_ns: u64,
    previous_ns: u64,
    /// The number of its last packet.
    used: u32,
    connection: Option<Box<Connection>>,
}

/// All flows of a capture. It takes packets in their order.
#[derive(Debug, Default)]
pub struct FlowTable {
    flows: HashMap<Ends, Flow>,
    /// Streams of TCP and of UDP until now.
    streams: (u32, u32),
    outstanding: usize,
    forgotten: u64,
    /// Other limits than [`MOST_FLOWS`] and [`MOST_OUTSTANDING`].
    limits: Option<(usize, usize)>,
}

impl FlowTable {
    /// A table that remembers no more flows and outstanding segments than these.
    #[must_use]
    pub fn limited(flows: usize, outstanding: usize) -> Self {
        Self { limits: Some((flows.max(1), outstanding)), ..Self::default() }
    }

    /// Flows that were forgotten because there were too many.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Segments that are remembered until they are acknowledged.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Flows that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Takes the next segment or datagram, which a packet has that was captured then. Gives what is known of it.
    pub fn take(&mut self, at: Moment, seen: &Seen) -> Told {
        let Some(ends) = seen.ends else { return cut(seen) };
        self.make_room(&ends);
        let mut told = match &seen.segment {
            Some(header) => self.segment(at, ends, seen.down, header),
            None => {
                let streams = &mut self.streams.1;
                let flow = self.flows.entry(ends).or_insert_with(|| Flow::new(at, streams, None));
                flow.used = at.number;
                let times = (!seen.untimed).then(|| flow.times(at));
                Told { stream: Some(flow.stream), times, ..Told::default() }
            }
        };
        (told.layer, told.tcp) = (seen.layer, seen.segment.is_some());
        if seen.untimed {
            told.times = None;
        }
        told
    }

    fn segment(&mut self, at: Moment, ends: Ends, down: bool, header: &Header) -> Told {
        let mut fresh = false;
        let streams = &mut self.streams.0;
        let mut start = || Flow::new(at, streams, Some(Box::default()));
        let flow = self.flows.entry(ends).or_insert_with(|| {
            fresh = true;
            start()
        });
        let mut before = flow.outstanding();
        // What `take` has first.
        let own = usize::from(down);
        let base = flow.connection.as_ref().and_then(|c| c.sides[own].base);
        let handshake = header.flags & (SYN | ACK);
        let is_other = base.is_some_and(|base| base != header.seq);
        let mut reused = false;
        if handshake == SYN && is_other {
            // The old connection is over; of this one nothing is known.
            *flow = Flow::new(at, streams, Some(Box::new(Connection::again())));
            self.outstanding -= before;
            (before, reused) = (0, true);
        } else if let Some(connection) = &mut flow.connection {
            let side = &mut connection.sides[own];
            if handshake == SYN && base.is_some() {
                // A reset may have moved the numbers.
                side.next = side.reachable;
            } else if handshake == SYN | ACK && is_other {
                side.base = Some(header.seq);
                reused = true;
            }
        }
        let times = Some(flow.times(at));
        let stream = Some(flow.stream);
        let segment = match &mut flow.connection {
            Some(connection) => connection.take(header, at, down, fresh, reused),
            None => Segment::default(),
        };
        self.outstanding = (self.outstanding + flow.outstanding()).saturating_sub(before);
        Told { stream, times, segment, ..Told::default() }
    }

    /// Forgets flows where there are too many for one more with these ends.
    fn make_room(&mut self, ends: &Ends) {
        let (flows, outstanding) = self.limits.unwrap_or((MOST_FLOWS, MOST_OUTSTANDING));
        while self.outstanding > outstanding && !self.flows.is_empty()
            || self.flows.len() >= flows && !self.flows.contains_key(ends)
        {
            let mut used: Vec<u32> = self.flows.values().map(|f| f.used).collect();
            let middle = used.len() / 2;
            let (_, &mut middle, _) = used.select_nth_unstable(middle);
            let before = self.flows.len();
            self.flows.retain(|_, flow| flow.used > middle);
            self.forgotten += (before - self.flows.len()) as u64;
            self.outstanding = self.flows.values().map(Flow::outstanding).sum();
        }
    }
}

impl Flow {
    fn new(at: Moment, streams: &mut u32, connection: Option<Box<Connection>>) -> Self {
        let stream = *streams;
        *streams = streams.wrapping_add(1);
        Self { stream, first_ns: at.time_ns, previous_ns: at.time_ns, used: at.number, connection }
    }

    fn outstanding(&self) -> usize {
        self.connection.as_ref().map_or(0, |c| c.sides.iter().map(|s| s.outstanding.len()).sum())
    }

    /// Times since the first packet and the one before.
    fn times(&mut self, at: Moment) -> (i64, i64) {
        let times = (at.since(self.first_ns), at.since(self.previous_ns));
        (self.previous_ns, self.used) = (at.time_ns, at.number);
        times
    }
}

/// What is known of a header that is cut off before its window, as in quotations of RFC 792.
fn cut(seen: &Seen) -> Told {
    let segment =
        seen.segment.map_or_else(Segment::default, |h| Segment { seq: h.seq, ..Segment::default() });
    Told { layer: seen.layer, tcp: seen.segment.is_some(), segment, ..Told::default() }
}

impl Told {
    /// The same of a packet whose time is not known.
    #[must_use]
    pub fn untimed(mut self) -> Self {
        let segment = &mut self.segment;
        (self.times, segment.ack_rtt, segment.initial_rtt, segment.rto) = (None, None, None, None);
        self
    }
}
