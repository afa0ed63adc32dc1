//! Every reader on any bytes: it ends, within its bounds.

use proptest::prelude::*;

use super::{MAX_READINGS, Readings};
use crate::wire::protocols;
use crate::wire::table::Header;

/// What the reader of a header makes of bytes that begin with the header.
fn read(header: &Header, bytes: &[u8], start: usize) -> Option<Readings> {
    let reader = header.reader.filter(|_| bytes.len() >= header.min_len())?;
    let len = header.len_in(bytes)?;
    Some(reader.run(bytes, start, (len, header.fixed_len(bytes)), Some(1)))
}

/// Whole messages, to be damaged.
fn samples() -> Vec<(&'static Header, Vec<u8>)> {
    let frames = include_str!("../../../tests/oracle/apps.hex").lines().filter(|l| !l.starts_with('#'));
    let mut frames: Vec<(u32, Vec<u8>)> =
        frames.map(|line| (1, crate::wire::value::parse_hex(line).unwrap_or_default())).collect();
    frames.extend(captured(include_bytes!("../../../tests/oracle/corpus/extensions.pcap")));
    frames.extend(captured(include_bytes!("../../../tests/oracle/corpus/radiotap.pcap")));
    frames.push((101, rpl()));
    let samples = frames.into_iter().flat_map(|(link, frame)| {
        let found = crate::wire::dissect::dissect(link, &frame);
        let layers = found.layers.into_iter().filter(|l| l.header.reader.is_some());
        layers.map(|l| (l.header, frame[l.start..l.end].to_vec())).collect::<Vec<_>>()
    });
    samples.collect()
}

/// IPv6 with a routing header of type 3.
fn rpl() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, 43, 64];
    packet.extend([0xfd; 32]);
    packet.extend([59, 2, 3, 2, 0xee, 0xc0, 0, 0, 0, 1, 0, 2]);
    packet.extend([0; 12]);
    packet
}

/// The packets of a capture file of the corpus, with their link type.
fn captured(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let word = |at: usize| {
        let word = file.get(at..at + 4).and_then(|w| w.try_into().ok()).unwrap_or_default();
        u32::from_le_bytes(word)
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let len = word(at + 8) as usize;
        packets.push((word(20), file[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    packets
}

fn is_bounded(header: &Header, bytes: &[u8], start: usize) -> Result<(), TestCaseError> {
    let Some(found) = read(header, bytes, start) else { return Ok(()) };
    let end = start + bytes.len();
    prop_assert!(found.list.len() <= MAX_READINGS);
    prop_assert!((start..=end).contains(&found.end), "{}", header.key);
    prop_assert!(found.stop.is_none_or(|s| (start..=end).contains(&s.at) && !s.why.is_empty()));
    for reading in &found.list {
        let (bits, key) = (reading.bits, reading.field.key);
        prop_assert!(bits.start >= start * 8 && bits.end() <= end * 8, "{}.{key}", header.key);
        prop_assert!(reading.depth < 8, "{}.{key}", header.key);
        prop_assert!(header.reader.is_some_and(|r| r.fields.iter().any(|f| f.key == key)), "{key}");
    }
    Ok(())
}

fn headers() -> impl Iterator<Item = &'static Header> {
    protocols::ALL.iter().copied().filter(|h| h.reader.is_some())
}

#[test]
fn there_is_a_sample_for_each() {
    for header in headers() {
        assert!(samples().iter().any(|(h, _)| h.key == header.key), "{}", header.key);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        start in 0usize..100,
    ) {
        for header in headers() {
            is_bounded(header, &bytes, start)?;
            let _ = header.accepts.is_none_or(|accepts| accepts(&bytes));
        }
    }

    #[test]
    fn damaged_messages_are_read_within_bounds(
        nth in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let samples = samples();
        let (header, mut bytes) = samples[nth.index(samples.len())].clone();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        is_bounded(header, &bytes, 14)?;
    }
}

/// A message with the largest counts, whose names all lead through as many pointers as there can be.
#[test]
fn counts_and_pointers_cannot_make_it_slow() {
    let mut bytes = vec![0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
    // Each pointer leads to the one before it.
    for at in (13..16000).step_by(2) {
        let to = if at == 13 { 12 } else { at - 2 };
        bytes.extend([0xc0 | (to >> 8) as u8, to as u8]);
    }
    bytes.extend([0xff; 49000]);
    for header in headers() {
        let found = read(header, &bytes, 0);
        assert!(found.is_some_and(|f| f.list.len() <= MAX_READINGS));
    }
    let looped = [&bytes[..12], &[0xc0, 12, 0, 1, 0, 1]].concat();
    let header = headers().find(|h| h.key == "dns");
    let why = header.and_then(|h| read(h, &looped, 0)).and_then(|f| f.stop);
    assert!(why.is_some_and(|s| s.at == 12 && s.why.contains("byte 12")));
}

#[test]
fn a_version_negotiation_names_its_versions() {
    let bytes = b"\x80\0\0\0\0\x04\x01\x02\x03\x04\x01\x09\0\0\0\x01\x6b\x33\x43\xcf";
    let found = headers().find(|h| h.key == "quic").and_then(|h| read(h, bytes, 0));
    let list = found.map(|f| f.list).unwrap_or_default();
    let versions: Vec<String> =
        list.iter().filter(|r| r.field.key == "supported_version").map(|r| r.value(bytes)).collect();
    assert_eq!(versions, ["0x00000001", "0x6b3343cf"]);
}
