//! Segments that were sent and not yet acknowledged, in the order in which they came.

use std::collections::VecDeque;

use super::Moment;

/// Segments of one direction that are remembered at most; Wireshark's number. Later ones are not counted as in flight.
const MOST: usize = 10_000;
/// Sequence numbers this near to each other have an order.
const NEAR: u32 = 1 << 30;

/// Whether a sequence number comes behind another, modulo 2^32 (RFC 9293 section 3.4).
#[inline]
pub(super) fn after(a: u32, b: u32) -> bool {
    b.wrapping_sub(a).cast_signed() < 0
}

/// A segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub at: Moment,
    pub seq: u32,
    /// The number behind it.
    pub next: u32,
}

/// The segments of one direction.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    list: VecDeque<Sent>,
    /// Some begin before the end of an earlier one, or together they go around all numbers.
    tangled: bool,
    /// The lowest number and the highest one relative to a base; `None`: to be found out.
    span: Option<(u32, u32, u32)>,
}

impl Outstanding {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether one more is remembered.
    pub fn has_room(&self) -> bool {
        self.list.len() < MOST
    }

    pub fn push(&mut self, sent: Sent) {
        if let Some((first, last)) = self.list.front().zip(self.list.back()) {
            // One that lies far ahead may, over 2^32, lie behind.
            let ahead = |number: u32| number.wrapping_sub(first.seq);
            self.tangled |= after(last.next, sent.seq) || ahead(sent.next) < ahead(last.next);
        }
        if let Some((base, low, high)) = &mut self.span {
            *low = (*low).min(sent.seq.wrapping_sub(*base));
            *high = (*high).max(sent.next.wrapping_sub(*base));
        }
        self.list.push_back(sent);
    }

    /// The one that came first.
    pub fn oldest(&self) -> Option<&Sent> {
        self.list.front()
    }

    /// How many bytes lie between the lowest number and the highest one, which are relative to `base`.
    pub fn span(&mut self, base: u32) -> Option<u32> {
        let relative = |s: &Sent| (s.seq.wrapping_sub(base), s.next.wrapping_sub(base));
        let known = self.span.filter(|(of, ..)| *of == base).map(|(_, low, high)| (low, high));
        let ends = self.list.front().zip(self.list.back()).filter(|_| !self.tangled);
        let plain = ends.map(|(first, last)| (relative(first).0, relative(last).1));
        let (low, high) = match known.or(plain.filter(|(low, high)| low <= high)) {
            Some(known) => known,
            None => {
                let both = |(low, high): (u32, u32), (seq, next)| (low.min(seq), high.max(next));
                self.list.iter().map(relative).reduce(both)?
            }
        };
        if self.tangled {
            self.span = Some((base, low, high));
        }
        Some(high.wrapping_sub(low))
    }

    /// Forgets what an acknowledgment covers. Gives the first segment that ends exactly there.
    pub fn acknowledge(&mut self, ack: u32) -> Option<Sent> {
        let (first, last) = self.list.front().zip(self.list.back())?;
        let is_near = last.next.wrapping_sub(first.seq) < NEAR
            && first.seq.wrapping_sub(ack).cast_signed().unsigned_abs() < NEAR;
        if self.tangled || !is_near {
            return self.sift(ack);
        }
        let mut matched = None;
        while let Some(first) = self.list.front_mut() {
            if after(first.next, ack) {
                if after(ack, first.seq) {
                    first.seq = ack;
                }
                break;
            }
            if first.next == ack {
                matched = matched.or(Some(*first));
            }
            self.list.pop_front();
        }
        self.rest();
        matched
    }

    /// The same for segments that lie anyhow.
    fn sift(&mut self, ack: u32) -> Option<Sent> {
        let mut matched = None;
        self.list.retain_mut(|sent| {
            if sent.next == ack {
                matched = matched.or(Some(*sent));
                return false;
            }
            if after(ack, sent.seq) && !after(ack, sent.next) {
                sent.seq = ack;
            }
            after(sent.next, ack)
        });
        self.span = None;
        self.rest();
        matched
    }

    /// Gives back memory when nothing is outstanding.
    fn rest(&mut self) {
        if self.list.is_empty() {
            *self = Self { list: std::mem::take(&mut self.list), ..Self::default() };
            if self.list.capacity() > 64 {
                self.list = VecDeque::new();
            }
        }
    }
}
