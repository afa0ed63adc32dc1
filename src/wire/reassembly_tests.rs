//! Whatever a datagram is cut into, it comes back; whatever comes, nothing panics and little is held.

use proptest::collection::vec;
use proptest::prelude::*;

use super::checksum::{self, Verdict};
use super::dissect::dissect;
use super::reassembly::{
    Datagram, MOST_DATAGRAMS, MOST_DEPTH, Missing, Origin, PATIENCE_NS, Reassembler, State, Tally,
};

/// LINKTYPE_RAW and LINKTYPE_ETHERNET.
const RAW: u32 = 101;
const ETHERNET: u32 = 1;
const UDP: u8 = 17;

/// An IPv4 packet of 10.0.0.1 to 10.0.0.2.
fn v4(id: u16, offset: usize, more: bool, protocol: u8, data: &[u8]) -> Vec<u8> {
    let len = (20 + data.len()) as u16;
    let word = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(word.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = !checksum::fold(checksum::sum(&packet));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(data);
    packet
}

/// An IPv6 packet of ::1 to ::2 with destination options and then a fragment header, or what follows it alone.
fn v6(fragment: Option<(u32, usize, bool)>, next: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![if fragment.is_some() { 44 } else { next }, 0, 1, 4, 0, 0, 0, 0];
    if let Some((id, offset, more)) = fragment {
        body.extend([next, 0]);
        body.extend((offset as u16 | u16::from(more)).to_be_bytes());
        body.extend(id.to_be_bytes());
    }
    body.extend(data);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([60, 64]);
    packet.extend(1_u128.to_be_bytes());
    packet.extend(2_u128.to_be_bytes());
    packet.extend(body);
    packet
}

/// A UDP datagram with its checksum, over the IPv4 addresses of `v4`.
fn udp(payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let mut datagram = [[0x4e, 0x20], [0, 80], len.to_be_bytes(), [0, 0]].concat();
    datagram.extend(payload);
    let pseudo = [&[10, 0, 0, 1, 10, 0, 0, 2, 0, UDP][..], &len.to_be_bytes(), &datagram].concat();
    let sum = !checksum::fold(checksum::sum(&pseudo));
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

/// Adds a packet; a tenth of a second after the one before.
fn add(all: &mut Reassembler, number: usize, link_type: u32, packet: &[u8]) -> Vec<Datagram> {
    let time_ns = Some(1_000_000_000_000 + number as u64 * 100_000_000);
    let from = Origin { packet: number, time_ns, left_to_card: false };
    all.add(&from, packet, &dissect(link_type, packet).layers)
}

/// The datagram that comes of the last of some raw packets.
fn last(packets: &[Vec<u8>]) -> Datagram {
    let mut all = Reassembler::default();
    let mut found = Vec::new();
    for (i, packet) in packets.iter().enumerate() {
        let from = Origin { packet: i + 1, ..Origin::default() };
        found = all.add(&from, packet, &dissect(RAW, packet).layers);
    }
    found.pop().unwrap()
}

fn waits_for(datagram: &Datagram) -> &[Missing] {
    match &datagram.state {
        State::Waiting { missing, .. } => missing,
        other => panic!("{other:?}"),
    }
}

fn dropped(datagram: &Datagram) -> &str {
    match &datagram.state {
        State::Dropped(why) => why,
        other => panic!("{other:?}"),
    }
}

/// The data that these pieces of it make, each cut at whole units: where each begins.
fn cuts(len: usize, at: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut starts: Vec<usize> = at.iter().map(|n| n % len.max(1) / 8 * 8).collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts[1..].iter().copied().chain([len]);
    starts.iter().copied().zip(ends).map(|(a, b)| a..b).filter(|r| !r.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_pieces_in_any_order_with_duplicates_come_back_as_one(
        payload in vec(any::<u8>(), 16..3000), at in vec(any::<usize>(), 1..12),
        order in any::<u64>(), twice in vec(any::<prop::sample::Index>(), 0..4), six: bool,
    ) {
        let data = udp(&payload);
        let pieces = cuts(data.len(), &at);
        prop_assume!(pieces.len() > 1);
        let make = |range: &std::ops::Range<usize>| {
            let (part, more) = (&data[range.clone()], range.end < data.len());
            if six { v6(Some((7, range.start, more)), UDP, part) } else { v4(7, range.start, more, UDP, part) }
        };
        let mut packets: Vec<Vec<u8>> = pieces.iter().map(make).collect();
        let mut dice = fastrand::Rng::with_seed(order);
        dice.shuffle(&mut packets);
        // The last one is what makes it whole: duplicates come before it.
        let end = packets.len() - 1;
        for which in twice {
            let again = packets[which.index(end)].clone();
            packets.insert(dice.usize(0..packets.len() - 1), again);
        }
        let mut all = Reassembler::default();
        for (i, packet) in packets.iter().enumerate() {
            let found = add(&mut all, i + 1, RAW, packet);
            prop_assert_eq!(found.len(), 1);
            let whole = found[0].whole();
            prop_assert_eq!(whole.is_some(), i + 1 == packets.len(), "{}", found[0].title());
            let Some(whole) = whole else { continue };
            let expected = if six { v6(None, UDP, &data) } else { v4(7, 0, false, UDP, &data) };
            prop_assert_eq!(&whole.bytes, &expected);
            prop_assert_eq!(&whole.bytes[whole.head..], &data[..]);
            prop_assert_eq!(found[0].parts.len(), packets.len());
            let mut covered = 0;
            for part in &found[0].parts {
                prop_assert!(!part.conflict && !part.past_end);
                prop_assert!(part.gave.is_empty() || part.gave.start == covered);
                covered = covered.max(part.gave.end);
            }
            prop_assert_eq!(covered, data.len());
            let transport = whole.found.layers.len() - 1;
            let verdict = checksum::verdict(&whole.bytes, &whole.found.layers, transport, false);
            if !six {
                prop_assert_eq!(verdict, Some(Verdict::Good));
            }
        }
        prop_assert_eq!(all.tally(), Tally { whole: 1, ..Tally::default() });
    }

    #[test]
    fn garbage_never_panics(
        packets in vec((0usize..40, any::<bool>(), 0usize..60, any::<u8>(), any::<bool>()), 1..40),
        noise in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..30),
    ) {
        let mut made: Vec<Vec<u8>> = packets
            .iter()
            .map(|(offset, more, len, protocol, six)| {
                let data = vec![*protocol; *len];
                if *six { v6(Some((1, offset * 8, *more)), *protocol, &data) } else { v4(1, offset * 8, *more, *protocol % 4, &data) }
            })
            .collect();
        for (packet, byte, value) in noise {
            let packet = packet.index(made.len());
            let at = byte.index(made[packet].len());
            made[packet][at] = value;
        }
        let mut all = Reassembler::default();
        for (i, packet) in made.iter().enumerate() {
            for found in add(&mut all, i + 1, RAW, packet) {
                prop_assert!(!found.title().is_empty());
                prop_assert!(found.parts.iter().all(|p| !p.text().is_empty()));
                if let Some(looked) = all.look(found.serial) {
                    prop_assert!(looked.parts.len() == looked.fragments);
                    prop_assert!(!looked.title().is_empty());
                }
            }
        }
    }
}

#[test]
fn what_is_missing_is_told() {
    let middle = last(&[v4(1, 16, true, UDP, &[1; 8])]);
    assert_eq!(waits_for(&middle), [Missing { start: 0, end: Some(16) }, Missing { start: 24, end: None }]);
    let title =
        "IPv4 datagram 0x0001 is not whole: 1 fragment is here, bytes 0 to 15, all from byte 24 on missing";
    assert_eq!(middle.title(), title);
    let end = last(&[v4(1, 16, true, UDP, &[1; 8]), v4(1, 32, false, UDP, &[1; 5])]);
    assert_eq!(waits_for(&end), [Missing { start: 0, end: Some(16) }, Missing { start: 24, end: Some(32) }]);
}

#[test]
fn overlapping_bytes_of_the_fragment_that_begins_first_stand() {
    let found =
        last(&[v4(1, 16, false, UDP, &[3; 4]), v4(1, 8, true, UDP, &[2; 8]), v4(1, 0, true, UDP, &[1; 16])]);
    assert_eq!(found.whole().unwrap().bytes[20..], [&[1; 16][..], &[3; 4]].concat());
    assert_eq!(found.title(), "Reassembled IPv4 (16+0+4 bytes in packets #3, #2, #1)");
    let second = &found.parts[1];
    assert!(second.overlap && second.conflict && second.gave.is_empty());
    assert_eq!(
        second.text(),
        "bytes 8 to 15 (8 bytes), overlaps with different bytes, nothing of it is used"
    );
    assert!(found.notes()[0].contains("different bytes"));
}

#[test]
fn an_overlap_voids_a_datagram_of_ipv6_and_a_duplicate_does_not() {
    let piece = |offset, more, data: &[u8]| v6(Some((9, offset, more)), UDP, data);
    let packets = [
        piece(0, true, &[1; 16]),
        piece(0, true, &[1; 16]),
        piece(8, true, &[1; 16]),
        piece(24, false, &[1; 8]),
    ];
    assert!(dropped(&last(&packets[..3])).contains("overlap (see packet #1)"));
    assert!(dropped(&last(&packets)).contains("RFC 5722"), "it stays void");
    assert!(dropped(&last(&[piece(0, true, &[1; 7])])).contains("no multiple of 8"));
    let ends = [piece(24, false, &[1; 8]), piece(32, true, &[1; 8])];
    assert!(dropped(&last(&ends)).contains("disagree about where it ends"));
}

#[test]
fn more_than_a_length_can_say_is_refused() {
    let ping = |len| last(&[v4(1, 65_528, false, 1, &vec![0; len])]);
    assert!(dropped(&ping(8)).contains("65535"), "{}", dropped(&ping(8)));
    assert!(dropped(&last(&[v4(1, 65_512, false, 1, &[0; 4])])).contains("65535"));
    assert_eq!(waits_for(&last(&[v4(1, 65_512, false, 1, &[0; 3])])).len(), 1);
    // A payload length does not count the header itself: 8 bytes of options and 65527 of data are 65535.
    let six = |len| last(&[v6(Some((1, 65_520, false)), UDP, &vec![0; len])]);
    assert_eq!(waits_for(&six(7)).len(), 1);
    assert!(dropped(&six(8)).contains("65535"));
}

#[test]
fn a_longest_datagram_comes_back() {
    let data: Vec<u8> = (0..65_515_u32).map(|n| (n % 251) as u8).collect();
    let packets: Vec<_> =
        data.chunks(8).enumerate().map(|(i, c)| v4(1, i * 8, c.len() == 8, 99, c)).collect();
    let found = last(&packets);
    let whole = found.whole().unwrap();
    assert_eq!((whole.bytes.len(), &whole.bytes[20..]), (65_535, &data[..]));
    assert!(found.title().ends_with("(65515 bytes in 8190 packets, #1 to #8190)"), "{}", found.title());
}

#[test]
fn tags_keep_datagrams_apart() {
    let framed = |vlan: &[u16], packet: Vec<u8>| {
        let mut frame = vec![0; 12];
        for id in vlan {
            frame.extend([0x81, 0]);
            frame.extend(id.to_be_bytes());
        }
        frame.extend([8, 0]);
        frame.extend(packet);
        frame
    };
    let first = v4(1, 0, true, UDP, &[1; 8]);
    let second = v4(1, 8, false, UDP, &[2; 8]);
    for (one, other, together) in
        [(&[5][..], &[5][..], true), (&[5], &[6], false), (&[], &[6], false), (&[1, 6], &[2, 6], false)]
    {
        let mut all = Reassembler::default();
        add(&mut all, 1, ETHERNET, &framed(one, first.clone()));
        let found = add(&mut all, 2, ETHERNET, &framed(other, second.clone()));
        assert_eq!(found[0].whole().is_some(), together, "{one:?} {other:?}");
    }
}

#[test]
fn a_fragment_in_a_reassembled_tunnel_is_reassembled_too() {
    let data = udp(&[7; 100]);
    let inner = [v4(2, 0, true, UDP, &data[..64]), v4(2, 64, false, UDP, &data[64..])];
    let cut = |id, inner: &[u8]| [v4(id, 0, true, 4, &inner[..40]), v4(id, 40, false, 4, &inner[40..])];
    let packets = [cut(10, &inner[0]), cut(11, &inner[1])].concat();
    let mut all = Reassembler::default();
    let chains: Vec<_> = packets.iter().enumerate().map(|(i, p)| add(&mut all, i + 1, RAW, p)).collect();
    assert_eq!(chains.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1, 2]);
    assert_eq!(waits_for(&chains[1][1]), [Missing { start: 64, end: None }]);
    assert_eq!(chains[3][1].whole().unwrap().bytes, v4(2, 0, false, UDP, &data));
    let packets: Vec<_> = chains[3][1].parts.iter().map(|p| p.packet).collect();
    assert_eq!(packets, [2, 4]);
}

#[test]
fn tunnels_in_tunnels_end_somewhere() {
    let mut all = Reassembler::default();
    let mut packet = v4(1, 0, true, UDP, &[0; 24]);
    for id in 2..4 + MOST_DEPTH as u16 {
        // Every level is a last fragment, and its first one is there.
        add(&mut all, 1, RAW, &v4(id, 0, true, 4, &packet[..8]));
        packet = v4(id, 8, false, 4, &packet[8..]);
    }
    assert_eq!(add(&mut all, 2, RAW, &packet).len(), MOST_DEPTH);
}

#[test]
fn what_waits_too_long_is_given_up_and_counted() {
    let mut all = Reassembler::default();
    let (first, second) = (v4(1, 0, true, UDP, &[1; 8]), v4(1, 8, false, UDP, &[2; 8]));
    let late = 1 + (PATIENCE_NS / 100_000_000) as usize;
    add(&mut all, 1, RAW, &first);
    assert!(add(&mut all, late, RAW, &second)[0].whole().is_some(), "just in time");
    add(&mut all, 1, RAW, &first);
    assert!(add(&mut all, late + 1, RAW, &second)[0].whole().is_none());
    assert_eq!(all.tally(), Tally { whole: 1, unfinished: 2, ..Tally::default() });
    assert_eq!(all.tally().text().unwrap(), "datagrams reassembled: 1; not: 2 (2 with fragments missing)");
}

#[test]
fn what_is_held_is_bounded() {
    let mut all = Reassembler::default();
    for n in 0..MOST_DATAGRAMS + 100 {
        let from = Origin { packet: 1 + n, ..Origin::default() };
        let mut packet = v4((n % 60_000) as u16, 0, true, UDP, &[1; 8]);
        packet[12] = (n / 60_000) as u8;
        all.add(&from, &packet, &dissect(RAW, &packet).layers);
    }
    assert_eq!(all.tally().crowded_out, 100);
    // One datagram that gets the same fragment again and again.
    let mut all = Reassembler::default();
    let packet = v4(1, 8, true, UDP, &[1; 60_000]);
    let states: Vec<_> = (1..40).map(|n| add(&mut all, n, RAW, &packet).remove(0)).collect();
    assert!(dropped(states.last().unwrap()).contains("no more are"));
    assert_eq!((all.tally().void, all.tally().crowded_out), (0, 1));
}

#[test]
fn a_fragment_that_was_cut_by_the_snap_length_is_not_used() {
    let packet = v4(1, 0, true, UDP, &[1; 64]);
    assert_eq!(dropped(&last(&[packet[..60].to_vec()])), "24 of its bytes are not in the capture");
}

#[test]
fn a_quoted_fragment_is_none() {
    let mut error = vec![3, 4, 0, 0, 0, 0, 0, 0];
    error.extend(v4(1, 0, true, UDP, &[1; 8]));
    let mut all = Reassembler::default();
    assert!(add(&mut all, 1, RAW, &v4(5, 0, false, 1, &error)).is_empty());
}
