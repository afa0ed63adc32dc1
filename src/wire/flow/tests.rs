//! What must hold for any packets in any order.

use proptest::prelude::*;

use super::outstanding::{Outstanding, Sent, after};
use super::*;
use crate::wire::dissect::dissect;

/// A raw IPv4 packet with a TCP segment between two hosts that talk with `port`.
#[derive(Clone, Debug)]
struct Made {
    up: bool,
    port: u16,
    seq: u32,
    ack: u32,
    flags: u16,
    window: u16,
    len: usize,
    wait: u32,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let total = (40 + self.len) as u16;
        let [high, low] = total.to_be_bytes();
        let (src, dst) = if self.up { (1, 2) } else { (2, 1) };
        let mut bytes = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, src, 10, 0, 0, dst];
        let ports = if self.up { [self.port, 80] } else { [80, self.port] };
        ports.iter().for_each(|port| bytes.extend(port.to_be_bytes()));
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend((5 << 12 | self.flags).to_be_bytes());
        bytes.extend(self.window.to_be_bytes());
        bytes.resize(40 + self.len, 0);
        bytes
    }
}

fn made() -> impl Strategy<Value = Made> {
    let number = || prop_oneof![any::<u32>(), 0_u32..300, (u32::MAX - 300)..=u32::MAX];
    let flags = prop_oneof![Just(0x10), Just(0x18), Just(2), Just(0x12), Just(0x11), Just(4), 0_u16..0x1000];
    let window = prop_oneof![Just(0), Just(100), any::<u16>()];
    (any::<bool>(), 1_u16..4, number(), number(), flags, window, 0_usize..40, any::<u32>()).prop_map(
        |(up, port, seq, ack, flags, window, len, wait)| Made {
            up,
            port,
            seq,
            ack,
            flags,
            window,
            len,
            wait,
        },
    )
}

/// What the table tells of raw packets, a time apart.
fn told(table: &mut FlowTable, packets: &[(Vec<u8>, u32)]) -> Vec<Vec<Told>> {
    let mut time_ns = 1_u64 << 60;
    let one = |(n, (bytes, wait)): (usize, &(Vec<u8>, u32))| {
        // Some times go backwards.
        time_ns =
            time_ns.wrapping_add(u64::from(*wait)).wrapping_sub(if wait % 16 == 0 { 1 << 30 } else { 0 });
        let mut found = Vec::new();
        seen(bytes, &dissect(101, bytes).layers, 0, &mut found);
        let at = Moment { number: n as u32 + 1, time_ns };
        found.iter().map(|seen| table.take(at, seen)).collect()
    };
    packets.iter().enumerate().map(one).collect()
}

fn packets(list: &[Made]) -> Vec<(Vec<u8>, u32)> {
    list.iter().map(|made| (made.bytes(), made.wait)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_segments_in_any_order(list in proptest::collection::vec(made(), 1..120)) {
        let all = told(&mut FlowTable::default(), &packets(&list));
        // What is stored is what was told.
        let mut store = FlowStore::default();
        all.iter().for_each(|told| store.push(told));
        let mut walk = store.walk(0);
        for (n, told) in all.iter().enumerate() {
            prop_assert_eq!(walk.next(n), told.as_slice());
            prop_assert_eq!(&store.of(n), told);
            for key in KEYS {
                prop_assert!(told.iter().all(|t| key.line(t).is_some() == key.text(t).is_some()));
            }
        }
        // A table that forgets all the time still takes everything, and says so.
        let mut small = FlowTable::limited(1, 3);
        let again = told_len(&mut small, &list);
        prop_assert_eq!(again, list.len());
        let ports: std::collections::BTreeSet<u16> = list.iter().map(|m| m.port).collect();
        prop_assert!(small.forgotten() > 0 || ports.len() == 1);
        prop_assert!(small.len() <= 1);
    }

    #[test]
    fn any_bytes(list in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..90), any::<u32>()), 1..20)) {
        let list: Vec<_> = list.into_iter().map(|(mut bytes, wait)| {
            // Most of them get as far as TCP or UDP.
            if let Some(head) = bytes.get_mut(..10) {
                head[0] = 0x45;
                (head[2], head[6], head[7]) = (0, 0, 0);
                head[9] = if head[9] % 2 == 0 { 6 } else { 17 };
            }
            (bytes, wait)
        }).collect();
        told(&mut FlowTable::default(), &list);
    }

    /// Numbers begin again at 0 behind 2^32: only differences count.
    #[test]
    fn arithmetic_is_modulo_two_to_the_32(list in proptest::collection::vec(made(), 2..60), shift in any::<u32>()) {
        let near: Vec<Made> = list.iter().map(|made| Made {
            seq: 1000 + made.seq % 400, ack: 1000 + made.ack % 400, flags: made.flags | 0x10, ..made.clone()
        }).collect();
        let moved: Vec<Made> = near.iter().map(|made| Made {
            seq: made.seq.wrapping_add(shift), ack: made.ack.wrapping_add(shift), ..made.clone()
        }).collect();
        // 0 stands for no number, as in Wireshark.
        prop_assume!(!(u32::MAX - 2000..=u32::MAX).contains(&shift.wrapping_sub(1)));
        let (near, moved) = (packets(&near), packets(&moved));
        prop_assert_eq!(told(&mut FlowTable::default(), &near), told(&mut FlowTable::default(), &moved));
    }

    #[test]
    fn outstanding_segments_are_those_of_a_plain_list(
        base in any::<u32>(),
        steps in proptest::collection::vec((any::<bool>(), 0_u32..200, 1_u32..50, any::<u32>()), 1..80),
    ) {
        let (mut fast, mut plain, mut next) = (Outstanding::default(), Vec::<Sent>::new(), base);
        for (n, (sends, offset, len, far)) in steps.into_iter().enumerate() {
            if sends {
                // Every third one begins anywhere, the others behind the last.
                let seq = match offset % 24 {
                    7 => far,
                    o if o % 3 == 0 => base.wrapping_add(offset),
                    _ => next,
                };
                let sent = Sent { at: Moment { number: n as u32, time_ns: 0 }, seq, next: seq.wrapping_add(len) };
                next = sent.next;
                fast.push(sent);
                plain.push(sent);
            } else {
                let ack = if offset % 24 == 7 { far } else { base.wrapping_add(offset * 2) };
                let matched = plain.iter().find(|s| s.next == ack).map(|s| s.at.number);
                plain.retain_mut(|s| {
                    let keep = after(s.next, ack);
                    if after(ack, s.seq) && !after(ack, s.next) && s.next != ack { s.seq = ack; }
                    keep
                });
                prop_assert_eq!(fast.acknowledge(ack).map(|s| s.at.number), matched);
            }
            let low = plain.iter().map(|s| s.seq.wrapping_sub(base)).min();
            let high = plain.iter().map(|s| s.next.wrapping_sub(base)).max();
            prop_assert_eq!(fast.span(base), low.zip(high).map(|(low, high)| high.wrapping_sub(low)));
            prop_assert_eq!(fast.len(), plain.len());
            prop_assert_eq!(fast.oldest().map(|s| s.at.number), plain.first().map(|s| s.at.number));
        }
    }
}

fn told_len(table: &mut FlowTable, list: &[Made]) -> usize {
    told(table, &packets(list)).iter().filter(|told| told.len() == 1).count()
}

/// An end whose segments nobody acknowledges is remembered up to a limit, and costs no time beyond it.
#[test]
fn what_is_outstanding_is_bounded() {
    let mut table = FlowTable::default();
    for n in 0..12_000_u32 {
        // Every other one comes twice, so that they lie across each other.
        let seq = 1000 + n / 2 * 100;
        let made = Made { up: true, port: 9, seq, ack: 1, flags: 0x10, window: 100, len: 10, wait: 0 };
        let bytes = made.bytes();
        let mut found = Vec::new();
        seen(&bytes, &dissect(101, &bytes).layers, 0, &mut found);
        let told = table.take(Moment { number: n + 1, time_ns: u64::from(n) }, &found[0]);
        if n == 11_999 {
            assert_eq!(told.segment.marks & mark::RETRANSMISSION, mark::RETRANSMISSION);
        }
    }
    assert_eq!(table.outstanding(), 10_000);
}
