//! What a digest says of a packet is what dissection says, and what a filter says by it is what it says by the bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/samples.rs"]
mod samples;

use rawbench::filter::{Facts, Filter, Packet};
use rawbench::wire::bits;
use rawbench::wire::digest::{Chain, Digest, Presence};
use rawbench::wire::dissect::{Dissection, dissect};
use rawbench::wire::protocols;

/// Link type and bytes: the corpus, a packet of every table, and these with one to three bytes changed or cut.
fn packets() -> Vec<(u32, Vec<u8>)> {
    let mut all = samples::samples_and_corpus();
    let mut dice = fastrand::Rng::with_seed(5);
    for nth in 0..all.len() {
        let (link, mut bytes) = all[nth].clone();
        for _ in 0..dice.usize(1..4) {
            let reach = bytes.len().min(70);
            if reach > 12 {
                bytes[dice.usize(12..reach)] = dice.u8(..);
            }
        }
        if dice.bool() {
            bytes.truncate(dice.usize(..bytes.len().max(1)));
        }
        all.push((link, bytes));
    }
    all
}

#[test]
fn a_digest_says_what_dissection_says() {
    let mut seen = [0; 8];
    for (link, bytes) in packets() {
        let digest = Digest::of(link, &bytes[..bytes.len().min(Digest::LOOKS_AT)], bytes.len());
        let chain = digest.chain();
        seen[chain as usize] += 1;
        if chain == Chain::Unknown {
            continue;
        }
        let found = dissect(link, &bytes);
        for header in protocols::ALL.iter().copied() {
            let times = found.layers.iter().filter(|l| std::ptr::eq(l.header, header)).count();
            match chain.has(header) {
                Presence::Absent => assert_eq!(times, 0, "{chain:?} has {}: {bytes:02x?}", header.key),
                Presence::Once => assert_eq!(times, 1, "{chain:?} and {}: {bytes:02x?}", header.key),
                Presence::Unknown => {}
            }
            let layer = found.layers.iter().find(|l| std::ptr::eq(l.header, header));
            for field in header.fields.iter().filter(|f| chain.covers(header, f.bits)) {
                let stored = bits::word(&bytes[layer.unwrap().start..], field.bits);
                assert_eq!(digest.value(field.bits), stored, "{}.{}: {bytes:02x?}", header.key, field.key);
            }
        }
    }
    for chain in Chain::KNOWN {
        assert!(seen[chain as usize] > 20, "{chain:?} hardly occurs: {seen:?}");
    }
}

#[test]
fn a_glance_is_what_the_bytes_say() {
    const ASKED: &str = "tcp\nudp\narp\n!tcp\nip\nipv6\neth\nicmp\nhttp\ndns\nicmp.type == 8\nicmpv6.type in {128..136}
tcp.flags.syn == 1 && tcp.dstport == 443\ntcp.port == 80 || udp.port == 53\ntcp.port != 80\ntcp.port !== 80
all tcp.port > 1000\nany udp.port < 1000\ntcp.flags == 0x12\ntcp.flags & 2\ntcp.hdr_len > 20\ntcp.flags.syn
!(udp.srcport == 53)\ntcp.srcport in {80, 443}\ntcp#1\ntcp#2\ntcp.port xor udp.port\nframe.len > 100
ip.addr == 10.0.0.1 && tcp.dstport == 80\ntcp.flags.syn == 1 || frame contains \"x\"\ntcp.option_kind
tcp[13] == 2\ncount(tcp.port) == 2\ntcp.srcport == tcp.dstport\neth.src[0:3] == 02:00:00\narp.opcode == 1
frame.number > 20 && tcp\nudp.dstport + 1 == 54\ntcp.payload\nudp.length > 20\nicmp.code == 0\nvlan.id == 5 || tcp";
    let filters: Vec<Filter> = ASKED.lines().map(|text| Filter::display(text).expect(text)).collect();
    let (mut found, mut answered) = (Dissection::default(), vec![[0; 2]; filters.len()]);
    for (nth, (link_type, bytes)) in packets().iter().enumerate() {
        let digest = Digest::of(*link_type, bytes, bytes.len());
        let (number, original) = (nth as u64 + 1, bytes.len() as u32);
        let facts = Facts { number, original, link_type: *link_type, ..Facts::default() };
        for (filter, answered) in filters.iter().zip(&mut answered) {
            let Some(glance) = filter.glance(digest, &facts) else { continue };
            answered[usize::from(glance)] += 1;
            filter.dissect(*link_type, bytes, &mut found);
            let passes = filter.matches(&Packet { bytes, found: &found, facts, flows: &[] });
            assert_eq!(glance, passes, "{:?} of {filter:?}: {bytes:02x?}", digest.chain());
        }
    }
    // The common ones are really decided by it, both ways.
    for text in ["tcp", "tcp.flags.syn == 1 && tcp.dstport == 443", "tcp.port == 80 || udp.port == 53", "arp"]
    {
        let nth = ASKED.lines().position(|line| line == text).unwrap();
        assert!(answered[nth][0] > 20 && answered[nth][1] > 2, "{text}: {:?}", answered[nth]);
    }
}
