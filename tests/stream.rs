//! Streams: a packet that is patched is the one that the draft builds from nothing with the same values, for packets of
//! every table; what varies is what the notation says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/samples.rs"]
mod samples;

use std::collections::{BTreeSet, HashSet};

use cli::Dice;
use rawbench::craft::stream::{Generator, Maker, Place, Run, Stream};
use rawbench::wire::bits;
use rawbench::wire::checksum::{self, Verdict};
use rawbench::wire::dissect::dissect;
use rawbench::wire::view::{Located, Path};
use samples::Nothing;

fn stream(text: &str) -> Stream {
    Stream::from_notation(text, &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(text)))
}

fn error(text: &str) -> String {
    Stream::from_notation(text, &mut Nothing).unwrap_err().render(text)
}

/// The first packets, each made into the place of the one before; each equal to the one that is built.
fn packets(stream: Stream, count: u64) -> Vec<Vec<u8>> {
    let maker = Maker::new(stream);
    let mut out = Vec::new();
    let mut all = Vec::new();
    for number in 0..count {
        maker.make(number, &mut out, number > 0);
        assert_eq!(out, maker.stream().packet(number).bytes(), "packet {number}");
        all.push(out.clone());
    }
    all
}

/// A generator for a field, any that fits.
fn generator(dice: &mut Dice, field: &Located) -> Generator {
    if field.field.kind.is_bytes() {
        return Generator::Fill;
    }
    let most = bits::max_value(field.bits.width);
    let any = |dice: &mut Dice| u128::from(dice.number(u64::MAX)) & most;
    match dice.below(4) {
        0 => Generator::Random { low: 0, high: most },
        1 => Generator::Fuzz { width: field.bits.width },
        2 => {
            let (a, b) = (any(dice), any(dice));
            Generator::Random { low: a.min(b), high: a.max(b) }
        }
        _ => {
            Generator::Each((0..3).map(|_| Run { from: any(dice), step: 1, down: true, count: 1 }).collect())
        }
    }
}

#[test]
fn a_patched_packet_is_the_one_that_is_built() {
    let mut dice = Dice::new(11);
    let mut patched = HashSet::new();
    let mut known = HashSet::new();
    let (mut streams, mut templates) = (0, 0);
    for (_, draft) in samples::drafts() {
        let fields: Vec<Located> = (0..draft.layers().len()).flat_map(|i| draft.view(i).fields()).collect();
        let fields: Vec<Located> = fields.into_iter().filter(|f| f.bits.width > 0).collect();
        known.extend(draft.layers().iter().map(|l| l.header.key));
        for _ in 0..3 {
            let mut varying = Vec::new();
            for _ in 0..=dice.below(3) {
                if fields.is_empty() || !draft.payload().is_empty() && dice.one_in(6) {
                    let start = dice.below(draft.payload().len().max(1));
                    let len = draft.payload().len() - start;
                    varying.push((Place::Payload(start, len), Generator::Fill));
                } else {
                    let field = fields[dice.below(fields.len())];
                    let taken = |(place, _): &(Place, Generator)| match place {
                        Place::Field(path, other) => {
                            path.layer == field.path.layer && other.bits == field.field.bits
                        }
                        Place::Payload(..) => false,
                    };
                    if varying.iter().any(taken) {
                        continue;
                    }
                    varying.push((Place::Field(field.path, field.field), generator(&mut dice, &field)));
                }
            }
            let mut draft = draft.clone();
            for index in 0..draft.layers().len() {
                let path =
                    checksum::field_of(&draft.view(index)).map(|(field, ..)| Path::header(index, field));
                match (path, dice.below(8)) {
                    (Some(path), 0) => draft.make_wrong(path),
                    (Some(path), 1) => draft.pin(path),
                    _ => {}
                }
            }
            let what = format!("{} {varying:?}", draft.notation(rawbench::craft::print::Detail::Short));
            let maker = Maker::new(Stream::new(draft.clone(), varying).seeded(dice.number(u64::MAX)));
            streams += 1;
            if maker.patches() {
                templates += 1;
                patched.extend(draft.layers().iter().map(|l| l.header.key));
            }
            let mut out = Vec::new();
            for number in 0..5 {
                maker.make(number, &mut out, number > 0);
                assert_eq!(out, maker.stream().packet(number).bytes(), "packet {number} of {what}");
            }
        }
    }
    assert!(templates * 2 > streams, "{templates} of {streams} were patched");
    let never: Vec<_> = known.difference(&patched).collect();
    println!("{templates} of {streams} patched; never: {never:?}");
}

/// The bytes of a packet from this place on, as a number.
fn number(packet: &[u8], at: usize, len: usize) -> u64 {
    packet[at..at + len].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[test]
fn ranges_lists_and_steps_follow_each_other_the_last_the_fastest() {
    let all = stream(
        "ip(src=10.0.0.1, dst=10.0.0.1..10.0.0.2, ttl=30..10 step 10)/udp(dstport=[80, 443, 8000..8001])",
    );
    assert_eq!(all.combinations(), 24);
    let seen: Vec<(u64, u64, u64)> =
        packets(all, 48).iter().map(|p| (number(p, 19, 1), number(p, 8, 1), number(p, 22, 2))).collect();
    let ports = [80, 443, 8000, 8001];
    let expected: Vec<_> = (0..48)
        .map(|n| (1 + (n / 12) % 2, 30 - (n as u64 / 4 % 3) * 10, ports[n as usize % 4]))
        .map(|(a, b, c)| (a as u64, b, c))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn random_fields_stay_in_their_range_and_every_checksum_is_right() {
    for text in [
        "eth/ip(src=10.0.0.1, dst=10.0.0.2, id=random)/tcp(srcport=random(1024..65535), seq=random, flags=[S, SA, .], \
         options=[mss(random(500..1460)), ts(random, 0)])",
        "eth/ip(src=random, dst=random)/udp(srcport=random)/random(33)",
        "eth/vlan(id=random)/ipv6(src=fd00::1..fd00::9, dst=random, hlim=1..9)/udp/random(1)",
        "ip(src=10.0.0.1, dst=10.0.0.2, flags=random)/icmp(type=8, ident=random, seq=0..65535)/\"abc\"/random(4)",
        "ip(src=10.0.0.1, dst=10.0.0.2)/gre/ip(src=1.1.1.1, dst=random)/tcp(seq=fuzz)",
        "ip(src=10.0.0.1, dst=10.0.0.2)/udp(dstport=4789)/vxlan(vni=random)/eth(src=random)/ip(src=1.1.1.1, \
         dst=random)/tcp(seq=fuzz)/random(77)",
        "ipv6(src=fd00::1, dst=fd00::2)/icmpv6(type=128, ident=random)",
    ] {
        let made = stream(text).seeded(5);
        assert!(Maker::new(made.clone()).patches(), "{text}");
        let raw = text.starts_with("ip");
        let all = packets(made, 300);
        for packet in &all {
            let found = dissect(if raw { 101 } else { 1 }, packet);
            for (index, layer) in found.layers.iter().enumerate() {
                let verdict = checksum::verdict(packet, &found.layers, index, false);
                let fragment = verdict == Some(Verdict::NotCovered("fragment"));
                assert!(
                    verdict.is_none_or(|v| v == Verdict::Good) || fragment,
                    "{text}: {}",
                    layer.header.key
                );
            }
        }
        let different: BTreeSet<_> = all.iter().collect();
        assert!(different.len() > 290, "{text}: {} different ones", different.len());
        assert_eq!(all, packets(stream(text).seeded(5), 300), "the same seed");
        assert_ne!(all, packets(stream(text).seeded(6), 300), "another seed");
    }
    let ports = packets(stream("ip(dst=10.0.0.2)/tcp(srcport=random(1024..1027))").seeded(1), 100);
    let ports: BTreeSet<u64> = ports.iter().map(|p| number(p, 20, 2)).collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), [1024, 1025, 1026, 1027]);
}

#[test]
fn what_moves_other_fields_is_built_whole() {
    for text in [
        "ip(dst=10.0.0.2)/icmp(type=[8, 3, 13])",
        "ip(dst=10.0.0.2)/gre(flags.checksum=0..1)",
        "ip(dst=10.0.0.2)/sctp(vtag=random)/\"data\"",
        "ip(dst=10.0.0.2)/udplite(checksum_coverage=random)/random(9)",
    ] {
        let made = stream(text);
        assert!(!Maker::new(made.clone()).patches(), "{text}");
        packets(made, 9);
    }
    let lengths: Vec<usize> =
        packets(stream("ip(dst=10.0.0.2)/gre(flags.checksum=0..1)"), 2).iter().map(Vec::len).collect();
    assert!(lengths[0] < lengths[1], "{lengths:?}");
}

#[test]
fn all_fields_of_a_header_are_fuzzed_but_those_that_are_named_or_computed() {
    let fuzzed = stream("ip(src=10.0.0.1, dst=10.0.0.2)/tcp(dstport=80, all=fuzz)").seeded(3);
    let all = packets(fuzzed, 200);
    let flags: BTreeSet<u64> = all.iter().map(|p| number(p, 33, 1)).collect();
    assert!(flags.len() > 50, "{flags:?}");
    assert!(all.iter().all(|p| number(p, 22, 2) == 80 && number(p, 32, 1) >> 4 == 5));
    for packet in &all {
        let layers = dissect(101, packet).layers;
        assert_eq!(checksum::accepted(packet, &layers, 1), Some(true));
    }
    let random =
        packets(stream("ip(dst=10.0.0.2, len=random, checksum=fuzz)/udp(length=fuzz)").seeded(3), 50);
    assert!(random.iter().map(|p| number(p, 2, 2)).collect::<BTreeSet<_>>().len() > 40);
}

#[test]
fn what_is_no_range_is_told_at_its_place() {
    for (text, why) in [
        ("ip(dst=10.0.0.2, ttl=random(9..2))", "the least value stands first"),
        ("ip(dst=10.0.0.2, ttl=random(9))", "random takes the least and the greatest"),
        ("ip(dst=10.0.0.2, ttl=1..300)", "does not fit 8 bits"),
        ("ip(dst=10.0.0.2, ttl=1..30 step 0)", "the step of a range"),
        ("ip(dst=10.0.0.2, ttl=1..x)", "is no number"),
        ("ip(dst=10.0.0.2, ttl=[])", "needs a value"),
        ("ip(dst=10.0.0.2, all=yes)", "can be random or fuzz"),
        ("ip(dst=10.0.0.2)/tcp(options=[mss(1..99999)])", "does not fit 16 bits"),
    ] {
        assert!(error(text).contains(why), "{}", error(text));
        assert!(error(text).contains('^'));
    }
    assert!(stream("ip(dst=10.0.0.2, ttl=9)/tcp").varying().is_empty());
    let addresses = stream("ipv6(dst=[fd00::1, fd00::7..fd00::9])/fill(5, \"ab\")/fill(3, 01 02)");
    assert_eq!(addresses.combinations(), 4);
    let last = packets(addresses, 4);
    assert_eq!(last.iter().map(|p| p[39]).collect::<Vec<_>>(), [1, 7, 8, 9]);
    assert_eq!(last[0][40..], *b"ababa\x01\x02\x01");
    assert!(error("ip(dst=10.0.0.2)/fill(5, \"\")").contains("at least one byte"));
}
