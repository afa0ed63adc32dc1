//! What is known of each packet of a capture, in few bytes: about 30 for a TCP segment, 10 for a datagram, one for any other
//! packet.

use std::sync::Arc;

use super::{Segment, Told};

/// Packets whose values stand in one block. Reading one packet reads its block up to there.
const BLOCK: usize = 256;
/// Values of a segment or datagram.
const VALUES: usize = 20;

/// The values of the first packets of a capture. A clone shares the memory and knows no more packets than it did.
#[derive(Clone, Debug, Default)]
pub struct FlowStore {
    blocks: Vec<Arc<[u8]>>,
    /// The last block, which is not full.
    open: Vec<u8>,
    len: usize,
}

impl FlowStore {
    /// Packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the values take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(|b| b.len() + size_of::<Arc<[u8]>>()).sum::<usize>() + self.open.capacity()
    }

    /// Adds what is known of the next packet.
    pub fn push(&mut self, told: &[Told]) {
        let number = u32::try_from(self.len + 1).unwrap_or(u32::MAX);
        put(&mut self.open, told.len() as u64);
        for one in told {
            let values = values(one, number);
            let is_there =
                |bits: u64, (n, value): (usize, &Option<u64>)| bits | u64::from(value.is_some()) << n;
            put(&mut self.open, values.iter().enumerate().fold(0, is_there));
            values.into_iter().flatten().for_each(|value| put(&mut self.open, value));
        }
        self.len += 1;
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::from(self.open.as_slice()));
            self.open.clear();
        }
    }

    /// Looks at the packets from this position, from 0, on.
    #[must_use]
    pub fn walk(&self, from: usize) -> Walk<'_> {
        let start = from / BLOCK * BLOCK;
        Walk { store: self, at: start, rest: self.block(start), told: Vec::new() }
    }

    /// The block that begins at this position.
    fn block(&self, at: usize) -> &[u8] {
        self.blocks.get(at / BLOCK).map_or(self.open.as_slice(), |block| block)
    }

    /// What is known of the packet at this position, from 0; nothing where it is not there yet.
    #[must_use]
    pub fn of(&self, position: usize) -> Vec<Told> {
        self.walk(position).next(position).to_vec()
    }
}

/// A look at one packet after the other.
#[derive(Debug)]
pub struct Walk<'a> {
    store: &'a FlowStore,
    /// The packet that is read next.
    at: usize,
    rest: &'a [u8],
    told: Vec<Told>,
}

impl Walk<'_> {
    /// What is known of the packet at this position, which is not before one that was asked for; nothing where it is not
    /// there yet.
    pub fn next(&mut self, position: usize) -> &[Told] {
        self.told.clear();
        if position >= self.store.len {
            return &self.told;
        }
        if position / BLOCK != self.at / BLOCK {
            self.at = position / BLOCK * BLOCK;
            self.rest = self.store.block(self.at);
        }
        while self.at <= position {
            self.told.clear();
            let number = u32::try_from(self.at + 1).unwrap_or(u32::MAX);
            for _ in 0..get(&mut self.rest) {
                self.told.push(one(&mut self.rest, number));
            }
            self.at += 1;
            if self.at.is_multiple_of(BLOCK) {
                self.rest = self.store.block(self.at);
            }
        }
        &self.told
    }
}

/// Appends a number, seven bits to a byte, the lowest first.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front.
fn get(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((&first, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Numbers near 0 of either sign as small ones.
fn unsigned(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// The values as numbers that are small where that is likely; `number`: that of the packet.
fn values(told: &Told, number: u32) -> [Option<u64>; VALUES] {
    let s = &told.segment;
    let before = |packet: u32| u64::from(number.wrapping_sub(packet));
    [
        Some(u64::from(told.layer) << 2 | u64::from(told.tcp) << 1 | u64::from(s.analysed)),
        told.stream.map(u64::from),
        told.times.map(|(first, _)| unsigned(first)),
        told.times.map(|(_, previous)| unsigned(previous)),
        told.tcp.then_some(u64::from(s.seq)),
        s.ack.map(u64::from),
        s.next_seq.map(|next| u64::from(next.wrapping_sub(s.seq))),
        s.window.map(u64::from),
        s.scale.map(|scale| unsigned(i64::from(scale))),
        s.completeness.map(u64::from),
        (s.marks != 0).then_some(u64::from(s.marks)),
        (s.opens != 0 || s.closes.is_some())
            .then_some(u64::from(s.opens) << 2 | s.closes.map_or(0, |first| 1 + u64::from(first))),
        s.duplicate.map(|(nth, packet)| u64::from(nth) << 32 | before(packet)),
        s.acks.map(before),
        s.ack_rtt.map(unsigned),
        s.initial_rtt.map(unsigned),
        s.rto.map(|(ns, _)| unsigned(ns)),
        s.rto.map(|(_, packet)| before(packet)),
        s.in_flight.map(u64::from),
        s.since_push.map(u64::from),
    ]
}

/// Takes the values of a segment or datagram from the front.
fn one(bytes: &mut &[u8], number: u32) -> Told {
    let bits = get(bytes);
    let mut next = |n: usize| (bits >> n & 1 == 1).then(|| get(bytes));
    let v: [Option<u64>; VALUES] = std::array::from_fn(&mut next);
    let packet = |before: u64| number.wrapping_sub(before as u32);
    let head = v[0].unwrap_or(0);
    let seq = v[4].unwrap_or(0) as u32;
    let ends = v[11].unwrap_or(0);
    Told {
        layer: (head >> 2) as u8,
        tcp: head & 2 != 0,
        stream: v[1].map(|n| n as u32),
        times: v[2].map(signed).zip(v[3].map(signed)),
        segment: Segment {
            seq,
            ack: v[5].map(|n| n as u32),
            next_seq: v[6].map(|n| seq.wrapping_add(n as u32)),
            window: v[7].map(|n| n as u32),
            scale: v[8].map(|n| signed(n) as i32),
            completeness: v[9].map(|n| n as u8),
            analysed: head & 1 != 0,
            marks: v[10].unwrap_or(0) as u16,
            closes: (ends & 3 != 0).then_some(ends & 3 == 2),
            opens: (ends >> 2) as u8,
            duplicate: v[12].map(|n| ((n >> 32) as u32, packet(n))),
            acks: v[13].map(packet),
            ack_rtt: v[14].map(signed),
            initial_rtt: v[15].map(signed),
            rto: v[16].map(signed).zip(v[17].map(packet)),
            in_flight: v[18].map(|n| n as u32),
            since_push: v[19].map(|n| n as u32),
        },
    }
}
