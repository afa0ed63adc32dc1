//! What is printed as notation reads back to the same bytes: for packets of every table, whole, cut, padded and damaged.
//! Walks the registry, so a new protocol is tested by being there.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/samples.rs"]
mod samples;

use cli::Dice;
use proptest::prelude::*;
use rawbench::craft::Draft;
use rawbench::craft::draft::Override;
use rawbench::craft::print::Detail;
use rawbench::wire::protocols;
use rawbench::wire::table::Compute;
use samples::{Nothing, Sample, build, samples};

/// Loads, prints and reads back, in both details.
fn reads_back(link_type: u32, bytes: &[u8]) {
    let draft = Draft::from_bytes(link_type, bytes, false);
    assert_eq!(draft.bytes(), bytes, "link type {link_type}: loading changed bytes");
    for detail in [Detail::Short, Detail::Full] {
        let text = draft.notation(detail);
        let again =
            Draft::from_notation(&text, &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(&text)));
        assert_eq!(again.bytes(), bytes, "link type {link_type}: {text}");
    }
}

fn damaged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.number(3) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.number(bytes.len() as u64 - 1) as usize;
        bytes[at] = match dice.number(3) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ 1 << dice.number(7),
            _ => dice.number(255) as u8,
        };
    }
    bytes
}

#[test]
fn every_table_has_a_sample() {
    let samples = samples();
    // What is known by its content has samples of its own, in the test of the applications.
    for header in protocols::ALL.iter().filter(|h| h.accepts.is_none()) {
        let found = samples.iter().any(|s| {
            let draft = Draft::from_bytes(s.link_type, &s.bytes, false);
            draft.layers().iter().any(|l| std::ptr::eq(l.header, *header))
        });
        assert!(found, "{}: no way leads to it from a link type", header.key);
    }
}

#[test]
fn every_sample_reads_back_cut_at_every_byte_and_with_bytes_behind_it() {
    for Sample { link_type, bytes } in samples() {
        for end in 0..bytes.len() {
            reads_back(link_type, &bytes[..end]);
        }
        let mut longer = bytes.clone();
        for more in [vec![], vec![0; 3], vec![0; 20], b"\"\\ not zero".to_vec()] {
            longer.truncate(bytes.len());
            longer.extend(more);
            reads_back(link_type, &longer);
        }
    }
}

#[test]
fn damaged_samples_read_back() {
    let mut dice = Dice::new(4);
    for Sample { link_type, bytes } in samples() {
        for _ in 0..12 {
            let bytes = damaged(&mut dice, &bytes);
            reads_back(link_type, &bytes);
            let cut = dice.number(bytes.len() as u64) as usize;
            reads_back(link_type, &bytes[..cut]);
        }
    }
}

#[test]
fn what_is_computed_right_stays_computed() {
    for text in [
        "eth/ip(src=1.1.1.1, dst=2.2.2.2)/udp/\"hi\"/trailer(00 00)",
        "eth/ip(src=1.1.1.1, dst=2.2.2.2)/gre(c=1)/eth/ip(src=3.3.3.3, dst=4.4.4.4)/tcp(flags=S)/trailer(00 00 00 00 00 00, behind=5)",
        "eth/ip(src=1.1.1.1, dst=2.2.2.2)/udp/vxlan/eth/ip(src=3.3.3.3, dst=4.4.4.4)/udp/\"x\"/trailer(01 02, behind=6)/trailer(00 00 00)",
        "ip(src=1.1.1.1, dst=2.2.2.2)/ipv6(src=::1, dst=::2)/ip(src=3.3.3.3, dst=4.4.4.4)/icmp/trailer(aa, behind=3)/trailer(bb, behind=2)/trailer(cc)",
        "dot3(src=02:00:00:00:00:01)/llc/snap/ip(src=1.1.1.1, dst=1.2.3.4)/udp/\"hi\"/trailer(00 00 00)",
    ] {
        let built = build(text);
        let link_type = if text.starts_with("ip") { 101 } else { 1 };
        let loaded = Draft::from_bytes(link_type, built.bytes(), false);
        assert_eq!(loaded.bytes(), built.bytes());
        let system =
            |c| matches!(c, Compute::RouteSource | Compute::InterfaceAddress | Compute::NeighbourAddress);
        for (index, layer) in loaded.layers().iter().enumerate() {
            for found in loaded.view(index).header_fields() {
                let pinned = loaded.override_of(found.path) == Some(Override::Pinned);
                let computed = found.field.compute.is_some_and(|c| !system(c));
                assert!(!(pinned && computed), "{text}: {}.{} is pinned", layer.header.key, found.field.key);
            }
        }
        let short = loaded.notation(Detail::Short);
        let trailer = |t: &str| t.find("/trailer").map(|at| t[at..].to_owned());
        assert_eq!(trailer(&short), trailer(text), "{short}");
        assert_eq!(build(&short), loaded, "{short}");
    }
}

#[test]
fn inner_trailers_follow_the_layers() {
    let text = "ip(src=1.1.1.1, dst=2.2.2.2)/gre/ip(src=3.3.3.3, dst=4.4.4.4)/udp/\"x\"/trailer(aa bb, behind=3)/trailer(cc)";
    let mut draft = build(text);
    let len = |d: &Draft, layer: usize| d.view(layer).number("len").unwrap();
    assert_eq!((len(&draft, 0), len(&draft, 2)), (20 + 4 + 29 + 2, 29));
    draft.insert_layer(1, protocols::by_key("ipv6").unwrap()).unwrap();
    assert_eq!((len(&draft, 0), draft.view(1).number("plen").unwrap(), len(&draft, 3)), (95, 35, 29));
    draft.set_payload(b"longer").unwrap();
    assert_eq!((len(&draft, 0), len(&draft, 3)), (100, 34));
    draft.remove_layer(1);
    draft.set_payload(b"x").unwrap();
    assert_eq!(draft, build(text));
    draft.remove_layer(3);
    draft.remove_layer(2);
    assert_eq!((draft.payload(), draft.trailer()), (&b"x\xaa\xbb"[..], &b"\xcc"[..]));
    draft.set_trailer(b"").unwrap();
    assert_eq!(len(&draft, 0), 27);
}

#[test]
fn more_layers_than_are_read_and_link_types_without_a_table_read_back() {
    let tags = "eth/".to_owned() + &"vlan/".repeat(40) + "ip(dst=1.2.3.4)/udp/\"x\"";
    reads_back(1, build(&tags).bytes());
    reads_back(147, b"\x00\x01 whatever \xff");
    for zeros in [8, 9, 65_535, 65_536, 300_000] {
        reads_back(147, &vec![0; zeros]);
    }
    reads_back(1, &vec![0x41; 400_000]);
}

proptest! {
    #[test]
    fn any_bytes_of_any_link_type_read_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..160),
        link in prop::sample::select(vec![0u32, 1, 12, 101, 108, 113, 228, 229, 276, 50, 51, 104, 105, 127, 9, 147]),
    ) {
        reads_back(link, &bytes);
    }
}
