//! Probes that go out for days: exchanges that follow each other, so that memory does not grow with time. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::exchange::{Exchange, Record, Seen};
use crate::pcap::LinkType;

/// Probes that one exchange holds: it is dropped whole.
const PAGE: usize = 512;
/// How far the order of packets may be from that of their times.
const SKEW_NS: u64 = 1_000_000;

/// The probes that are seen at one tap, in exchanges that are dropped some time after nothing in them waits for an answer.
pub(super) struct Book {
    loopback: bool,
    linger_ns: u64,
    /// All that the kernel saw before this was looked at.
    caught_up_ns: u64,
    pages: VecDeque<Page>,
}

struct Page {
    exchange: Exchange,
    /// The numbers of its probes, by their index.
    numbers: Vec<u64>,
    /// When its last probe was sent.
    last_ns: u64,
}

impl Book {
    /// A probe is remembered for `linger` at least, so that a second answer is known for what it is.
    pub fn new(loopback: bool, linger: Duration) -> Self {
        let linger_ns = u64::try_from(linger.as_nanos()).unwrap_or(u64::MAX);
        Self { loopback, linger_ns, caught_up_ns: 0, pages: VecDeque::new() }
    }

    /// Adds a probe, an IP packet, just before it is sent; numbers only grow.
    pub fn expect(&mut self, number: u64, packet: &[u8], now_ns: u64) {
        if self.pages.back().is_none_or(|page| page.numbers.len() >= PAGE) {
            let is_recent = |page: &Page| page.last_ns.saturating_add(self.linger_ns) >= now_ns;
            self.pages.retain(|page| page.exchange.open() > 0 || is_recent(page));
            let exchange = Exchange::new(self.loopback);
            self.pages.push_back(Page { exchange, numbers: Vec::new(), last_ns: now_ns });
        }
        if let Some(page) = self.pages.back_mut() {
            page.last_ns = now_ns;
            page.exchange.expect(LinkType::RAW.0, packet, now_ns);
            page.numbers.push(number);
        }
    }

    /// All that the kernel saw before this time was looked at.
    pub fn caught_up(&mut self, until_ns: u64) {
        self.caught_up_ns = self.caught_up_ns.max(until_ns);
    }

    /// Whether all that the kernel saw before this time was looked at.
    pub fn has_seen(&self, time_ns: u64) -> bool {
        self.caught_up_ns >= time_ns
    }

    /// Nothing is expected of a probe any more. Gives whether something was.
    pub fn withdraw(&mut self, number: u64) -> bool {
        let place = |page: &mut Page| {
            let index = page.numbers.binary_search(&number).ok()?;
            let before = page.exchange.open();
            page.exchange.withdraw(index);
            Some(page.exchange.open() < before)
        };
        self.pages.iter_mut().find_map(place).unwrap_or(false)
    }

    /// What a packet is to which probe.
    pub fn take(&mut self, record: &Record<'_>) -> Option<(u64, Seen)> {
        // Packets come in the order of their times but for what two processors do at once.
        self.caught_up(record.time_ns.saturating_sub(SKEW_NS));
        let heads = Exchange::heads(record);
        self.pages.iter_mut().rev().find_map(|page| {
            let seen = page.exchange.take_read(record, heads.as_ref());
            let index = match &seen {
                Seen::Sighting(index) | Seen::Duplicate(index, _) => *index,
                Seen::Answer(answer) => answer.index,
                Seen::Unrelated | Seen::Stray | Seen::KernelReset => return None,
            };
            Some((*page.numbers.get(index)?, seen))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: [u8; 4] = [10, 77, 0, 1];
    const THEM: [u8; 4] = [10, 77, 0, 2];

    /// A TCP segment over IPv4; checksums play no part in the matching.
    fn segment(ends: [[u8; 4]; 2], ports: [u16; 2], numbers: [u32; 2], flags: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
        packet.extend(ends.concat());
        packet.extend(ports.iter().flat_map(|p| p.to_be_bytes()));
        packet.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
        packet.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        packet
    }

    fn syn(number: u64) -> Vec<u8> {
        segment([US, THEM], [1024 + number as u16, 80], [number as u32 * 1000, 0], 2)
    }

    fn syn_ack(number: u64) -> Vec<u8> {
        segment([THEM, US], [80, 1024 + number as u16], [7, number as u32 * 1000 + 1], 0x12)
    }

    fn take(book: &mut Book, bytes: &[u8], outgoing: bool) -> Option<(u64, Seen)> {
        book.take(&Record { link_type: LinkType::RAW.0, time_ns: u64::MAX, outgoing, bytes })
    }

    #[test]
    fn a_probe_is_found_in_its_exchange_and_memory_stays_small() {
        let mut book = Book::new(false, Duration::ZERO);
        for number in 0..PAGE as u64 * 5 {
            book.expect(number, &syn(number), number);
            assert!(
                matches!(take(&mut book, &syn(number), true), Some((n, Seen::Sighting(_))) if n == number)
            );
            // Two of the first exchange stay open.
            if number > 1 {
                let found = take(&mut book, &syn_ack(number), false);
                assert!(matches!(found, Some((n, Seen::Answer(_))) if n == number), "{number}");
                assert!(!book.withdraw(number), "it is answered");
            }
        }
        assert_eq!(book.pages.len(), 2, "the first one and the last one");
        assert!(matches!(take(&mut book, &syn_ack(0), false), Some((0, Seen::Answer(_)))));
        assert!(matches!(take(&mut book, &syn_ack(0), false), Some((0, Seen::Duplicate(..)))));
        assert!(book.withdraw(1));
        assert!(take(&mut book, &syn_ack(1), false).is_none(), "too late");
        book.pages.retain(|page| page.exchange.open() > 0);
        assert!(book.pages.is_empty());
    }

    #[test]
    fn a_second_answer_is_known_for_a_while() {
        let mut book = Book::new(false, Duration::from_nanos(1000));
        let all = PAGE as u64 * 4;
        for number in 0..all {
            book.expect(number, &syn(number), number);
            take(&mut book, &syn(number), true);
            assert!(matches!(take(&mut book, &syn_ack(number), false), Some((_, Seen::Answer(_)))));
        }
        assert_eq!(book.pages.len(), 3, "those of the last 1000 ns, and the one that is filled");
        let doubled = all - 1000;
        assert!(
            matches!(take(&mut book, &syn_ack(doubled), false), Some((n, Seen::Duplicate(..))) if n == doubled)
        );
    }
}
