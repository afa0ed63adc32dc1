//! What this bench has sent and nobody has seen on the wire yet, so that a capture can say which packets are its own.
//!
//! A packet is known by a fingerprint of its bytes from the IP header on, without what the kernel writes over. That costs a
//! hash for each packet, whatever its size needs no memory, and how many are remembered is bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::heads::network;
use super::recorder::now_ns;
use super::streaming::Ledger;
use crate::net::Parcel;
use crate::pcap::LinkType;

/// Packets that are remembered until they are seen.
const MOST: usize = 1 << 16;
/// What was not seen after this time makes room for others: a filter or a full queue took it.
const FORGET_NS: u64 = 5_000_000_000;
/// The shortest IP packet that a link pads no further: 60 bytes of Ethernet without its header.
const SHORTEST: usize = 46;

/// Packets that were sent, until they are seen.
#[derive(Debug, Default)]
pub struct Sent {
    log: Mutex<Log>,
    /// How many were remembered; 0: nobody has to look.
    noted: AtomicU64,
    missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Log {
    /// Numbers and times of the sendings with a fingerprint, in their order.
    waiting: HashMap<u64, VecDeque<(u64, u64)>>,
    /// Number, fingerprint and time of each, in their order. Some were seen meanwhile.
    order: VecDeque<(u64, u64, u64)>,
    next: u64,
    unseen: usize,
}

impl Log {
    /// Makes room by forgetting what was seen, or was not for a long time. `false`: there is none.
    fn has_room(&mut self, now_ns: u64) -> bool {
        while let Some(&(number, print, time)) = self.order.front() {
            let waits = self.waiting.get(&print).and_then(VecDeque::front).is_some_and(|w| w.0 == number);
            let young = self.unseen < MOST || now_ns.saturating_sub(time) < FORGET_NS;
            if waits && young && self.order.len() < 2 * MOST {
                break;
            }
            if waits {
                self.take(print, u64::MAX);
            }
            self.order.pop_front();
        }
        self.unseen < MOST
    }

    /// The oldest sending with this fingerprint that was not later than the time.
    fn take(&mut self, print: u64, time_ns: u64) -> bool {
        let Some(waiting) = self.waiting.get_mut(&print) else { return false };
        if waiting.pop_front_if(|(_, sent)| *sent <= time_ns).is_none() {
            return false;
        }
        if waiting.is_empty() {
            self.waiting.remove(&print);
        }
        self.unseen -= 1;
        true
    }
}

impl Sent {
    /// Remembers a packet just before it is sent. `link_type` as capture files number it. `false`: there is no room, and it is
    /// counted as missed.
    pub fn note(&self, link_type: u32, frame: &[u8]) -> bool {
        self.note_at(link_type, frame, now_ns())
    }

    fn note_at(&self, link_type: u32, frame: &[u8], now_ns: u64) -> bool {
        let print = fingerprint(network(link_type, frame).unwrap_or(frame), [false; 2]);
        let mut log = self.log();
        self.noted.fetch_add(1, Ordering::Release);
        if !log.has_room(now_ns) {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let number = log.next;
        log.next += 1;
        log.unseen += 1;
        log.waiting.entry(print).or_default().push_back((number, now_ns));
        log.order.push_back((number, print, now_ns));
        true
    }

    /// Whether a packet that a capture saw at this time is one that was sent; each sending is seen once.
    pub fn is_sighting(&self, link_type: u32, frame: &[u8], time_ns: u64) -> bool {
        if self.noted() == 0 {
            return false;
        }
        let packet = network(link_type, frame).unwrap_or(frame);
        let mut log = self.log();
        // The kernel sets the identification and the source address where they are zero (raw(7)).
        let ways = if packet.first().is_some_and(|first| first >> 4 == 4) { 4 } else { 1 };
        log.unseen > 0
            && (0..ways).any(|way| log.take(fingerprint(packet, [way & 1 != 0, way & 2 != 0]), time_ns))
    }

    /// How many packets were offered to be remembered.
    #[must_use]
    pub fn noted(&self) -> u64 {
        self.noted.load(Ordering::Acquire)
    }

    /// Packets that were sent while so many others were still unseen that they were not remembered.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells a packet from others. `unset`: as if its identification, its source address were not set.
fn fingerprint(packet: &[u8], unset: [bool; 2]) -> u64 {
    let mut head = [0; SHORTEST];
    let length = packet.len().min(SHORTEST);
    head[..length].copy_from_slice(&packet[..length]);
    if head[0] >> 4 == 4 {
        // A raw socket writes the total length and the checksum of IPv4 (raw(7)).
        head[2..4].fill(0);
        head[10..12].fill(0);
        let [id, source] = unset;
        if id {
            head[4..6].fill(0);
        }
        if source {
            head[12..16].fill(0);
        }
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&head);
    hasher.write(packet.get(SHORTEST..).unwrap_or_default());
    hasher.finish()
}

/// Packets of a stream that are not offered after one that was refused: it is not slowed down by what has no room.
const PASSED_OVER: u32 = 256;

/// Remembers what a stream sends.
pub(super) struct Noting<'a> {
    sent: &'a Sent,
    link: LinkType,
    /// Packets that are not offered.
    skip: u32,
}

impl<'a> Noting<'a> {
    /// For packets of this link type.
    pub fn new(sent: &'a Sent, link: LinkType) -> Self {
        Self { sent, link, skip: 0 }
    }
}

impl Ledger for Noting<'_> {
    fn expect(&mut self, _: u64, parcel: Parcel<'_>) {
        if self.skip > 0 {
            self.skip -= 1;
            self.sent.missed.fetch_add(1, Ordering::Relaxed);
        } else if !self.sent.note(self.link.0, parcel.bytes) {
            self.skip = PASSED_OVER;
        }
    }

    fn refused(&mut self, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: u32 = 101;

    fn packet(id: u16, source: u8) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, source, 10, 0, 0, 2];
        bytes[4..6].copy_from_slice(&id.to_be_bytes());
        bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
        bytes
    }

    #[test]
    fn a_packet_is_known_by_what_the_kernel_leaves_and_seen_once() {
        let sent = Sent::default();
        assert!(!sent.is_sighting(RAW, &packet(7, 1), 100));
        sent.note_at(RAW, &packet(7, 1), 50);
        assert!(!sent.is_sighting(RAW, &packet(8, 1), 100), "another identification");
        assert!(!sent.is_sighting(RAW, &packet(7, 1), 49), "seen before it was sent");
        let mut seen = packet(7, 1);
        seen[10] = 0xab;
        assert!(sent.is_sighting(RAW, &seen, 100), "with the kernel's checksum");
        assert!(!sent.is_sighting(RAW, &seen, 100), "a second one was not sent");
        // Identification and source address filled in, and padded by the link.
        let mut asked = packet(0, 1);
        asked[12..16].fill(0);
        sent.note_at(RAW, &asked, 200);
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        frame.extend(packet(99, 1));
        frame.resize(60, 0);
        assert!(sent.is_sighting(1, &frame, 300));
    }

    #[test]
    fn what_nobody_sees_is_bounded_and_makes_room_after_a_while() {
        let sent = Sent::default();
        for n in 0..MOST + 10 {
            sent.note_at(RAW, &packet(n as u16 | 1, (n >> 15) as u8), 1000);
        }
        assert_eq!(sent.missed(), 10);
        sent.note_at(RAW, &packet(2, 200), 1000 + FORGET_NS);
        assert_eq!(sent.missed(), 10, "the oldest made room");
        assert!(sent.is_sighting(RAW, &packet(2, 200), u64::MAX));
        let log = sent.log();
        assert!(log.order.len() <= MOST + 1 && log.unseen < MOST);
    }

    #[test]
    fn what_was_seen_is_forgotten() {
        let sent = Sent::default();
        for n in 0..3 * MOST as u64 {
            sent.note_at(RAW, &packet(1, 1), n);
            assert!(sent.is_sighting(RAW, &packet(1, 1), n));
        }
        let log = sent.log();
        assert!(log.order.len() <= 2 && log.waiting.is_empty() && log.unseen == 0);
        drop(log);
        // Nor does one that is never seen keep the others.
        sent.note_at(RAW, &packet(2, 2), 0);
        for n in 0..3 * MOST as u64 {
            sent.note_at(RAW, &packet(1, 1), n);
            assert!(sent.is_sighting(RAW, &packet(1, 1), n));
        }
        assert!(sent.log().order.len() <= 2 * MOST);
    }
}
