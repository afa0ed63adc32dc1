//! Filters made from a packet's own fields: over the corpus, each one is read and lets its packet pass.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

use rawbench::filter::pick::{self, Join, Picked};
use rawbench::filter::{Facts, Filter, Packet};
use rawbench::pcap::CaptureFile;
use rawbench::wire::dissect::dissect;

/// Different values of a field that are tried.
const VALUES: usize = 4;

/// What is done with each packet of the corpus.
fn each_packet(mut take: impl FnMut(&Packet<'_>)) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/corpus");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for path in files {
        let (file, mut indexer) = CaptureFile::begin(&path).unwrap();
        indexer.run(&mut |_| ControlFlow::Continue(())).unwrap();
        for position in 0..file.len() {
            let mut bytes = Vec::new();
            let entry = file.read_packet(position, &mut bytes).unwrap();
            let link_type = file.interfaces()[usize::from(entry.interface)].link_type.0;
            let found = dissect(link_type, &bytes);
            let facts = Facts {
                number: position as u64 + 1,
                original: entry.original,
                time_ns: Some(entry.timestamp_ns),
                first_ns: 0,
                previous_ns: 0,
                interface: Some(0),
                link_type,
                left_to_card: false,
            };
            take(&Packet { bytes: &bytes, found: &found, facts, flows: &[] });
        }
    }
}

/// Whether the packet passes the one and not the other.
fn holds(picked: &Picked, packet: &Packet<'_>) {
    let filter = |text: &str| Filter::display(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
    assert!(filter(&picked.equal()).matches(packet), "{}", picked.equal());
    assert!(!filter(&picked.negated()).matches(packet), "{}", picked.negated());
    if let Some(unequal) = picked.unequal() {
        assert!(!filter(&unequal).matches(packet), "{unequal}");
    }
}

#[test]
fn every_field_makes_a_filter_that_its_packet_passes() {
    let (mut fields, mut made) = (0, 0);
    let mut layers = HashSet::new();
    let mut not_made: BTreeMap<String, usize> = BTreeMap::new();
    // The form of a filter follows from the field, not from the packet: some values of each are enough.
    let mut seen: HashMap<_, HashSet<String>> = HashMap::new();
    each_packet(|packet| {
        for index in 0..packet.found.layers.len() {
            let view = packet.found.view(packet.bytes, index);
            let header = view.layer().header;
            if layers.insert((header.key, view.layer().quoted)) {
                match pick::layer(packet, index) {
                    Some(picked) => holds(&picked, packet),
                    None => *not_made.entry(header.key.to_owned()).or_default() += 1,
                }
            }
            let mut check = |key: &'static str, text: String, make: &dyn Fn() -> Option<Picked>| {
                let values = seen.entry((header.key, key)).or_default();
                if values.len() >= VALUES || !values.insert(text) {
                    return;
                }
                fields += 1;
                match make() {
                    Some(picked) => {
                        holds(&picked, packet);
                        made += 1;
                    }
                    None => *not_made.entry(format!("{}.{key}", header.prefix())).or_default() += 1,
                }
            };
            for found in view.fields() {
                check(found.field.key, found.text(packet.bytes), &|| pick::field(packet, &found));
            }
            for found in view.readings().into_iter().flat_map(|r| r.list) {
                let text = found.value(packet.bytes);
                check(found.field.key, text, &|| pick::reading(packet, index, &found));
            }
        }
    });
    println!("{made} of {fields} values: {not_made:#?}");
    assert!(made * 100 > fields * 97, "{made} of {fields}: {not_made:#?}");
}

#[test]
fn a_conversation_is_both_directions() {
    let frame = |from: u8, to: u8, from_port: u16, to_port: u16| {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
        frame.extend([from_port.to_be_bytes(), to_port.to_be_bytes(), [0, 8], [0, 0]].concat());
        frame
    };
    let passes = |text: &str, bytes: &[u8]| {
        let found = dissect(1, bytes);
        Filter::display(text).unwrap().matches(&Packet {
            bytes,
            found: &found,
            facts: Facts::default(),
            flows: &[],
        })
    };
    let bytes = frame(1, 2, 4000, 53);
    let found = dissect(1, &bytes);
    let text =
        pick::conversation(&Packet { bytes: &bytes, found: &found, facts: Facts::default(), flows: &[] })
            .unwrap();
    assert!(text.starts_with("(ip.src == 10.0.0.1 && ip.dst == 10.0.0.2 && udp.srcport == 4000"), "{text}");
    for (ends, expected) in [
        ((1, 2, 4000, 53), true),
        ((2, 1, 53, 4000), true),
        ((2, 1, 4000, 53), false),
        ((1, 2, 53, 4000), false),
        ((1, 3, 4000, 53), false),
        ((1, 2, 4001, 53), false),
    ] {
        assert_eq!(passes(&text, &frame(ends.0, ends.1, ends.2, ends.3)), expected, "{ends:?}");
    }
    // Over the corpus: where there is one, it holds its packet.
    let mut made = 0;
    each_packet(|packet| {
        if packet.facts.number.is_multiple_of(40)
            && let Some(text) = pick::conversation(packet)
        {
            assert!(Filter::display(&text).unwrap().matches(packet), "{text}");
            made += 1;
        }
    });
    assert!(made > 30, "{made}");
}

#[test]
fn what_a_list_shows_can_be_picked_too() {
    let mut made = [0; 3];
    each_packet(|packet| {
        if packet.facts.number % 41 != 1 {
            return;
        }
        for (n, key) in ["frame.number", "frame.time_epoch", "ip.src"].iter().enumerate() {
            if let Some(picked) = pick::key(packet, key) {
                holds(&picked, packet);
                made[n] += 1;
            }
        }
    });
    assert!(made.iter().all(|n| *n > 5), "{made:?}");
}

#[test]
fn what_is_picked_joins_the_filter_that_holds() {
    for (before, join, picked, expected) in [
        ("", Join::And, "ip.ttl == 1", Some("ip.ttl == 1")),
        ("tcp", Join::Instead, "ip.ttl == 1", Some("ip.ttl == 1")),
        ("tcp", Join::And, "ip.ttl == 1", Some("tcp && ip.ttl == 1")),
        ("tcp || udp", Join::And, "ip.ttl == 1", Some("(tcp || udp) && ip.ttl == 1")),
        ("tcp and host 10.0.0.1", Join::Or, "ip.ttl == 1", Some("(tcp and host 10.0.0.1) || ip.ttl == 1")),
        ("!(tcp.port == 1)", Join::And, "ip.ttl == 1", Some("!(tcp.port == 1) && ip.ttl == 1")),
        ("tcp &&", Join::And, "ip.ttl == 1", None),
    ] {
        assert_eq!(pick::joined(before, join, picked).as_deref(), expected, "{before}");
    }
}
