//! Probes that go out for days: exchanges that follow each other, so that memory does not grow with time. Pure.

use std::collections::VecDeque;

use super::exchange::{Exchange, Record, Seen};
use crate::pcap::LinkType;

/// Probes that one exchange holds: it is dropped whole.
const PAGE: usize = 512;

/// The probes that are seen at one tap, in exchanges that are dropped when nothing in them waits for an answer.
pub(super) struct Book {
    loopback: bool,
    pages: VecDeque<Page>,
}

struct Page {
    exchange: Exchange,
    /// The numbers of its probes, by their index.
    numbers: Vec<u64>,
}

impl Book {
    pub fn new(loopback: bool) -> Self {
        Self { loopback, pages: VecDeque::new() }
    }

    /// Adds a probe, an IP packet, just before it is sent; numbers only grow.
    pub fn expect(&mut self, number: u64, packet: &[u8], now_ns: u64) {
        if self.pages.back().is_none_or(|page| page.numbers.len() >= PAGE) {
            self.pages.retain(|page| page.exchange.open() > 0);
            let exchange = Exchange::new(self.loopback);
            self.pages.push_back(Page { exchange, numbers: Vec::new() });
        }
        if let Some(page) = self.pages.back_mut() {
            page.exchange.expect(LinkType::RAW.0, packet, now_ns);
            page.numbers.push(number);
        }
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
        self.pages.iter_mut().rev().find_map(|page| {
            let seen = page.exchange.take(record);
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
        let mut book = Book::new(false);
        for number in 0..PAGE as u64 * 5 {
            book.expect(number, &syn(number), 0);
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
}
