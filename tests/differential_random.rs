//! Packets made at random from the tables, every header of the registry among them: `read -e` prints what tshark 4.0 prints
//! with `-T fields`, for every key that both have.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/random.rs"]
mod random;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use cli::has_tshark;
use oracle::{Demand, differs, made_agrees};
use random::{Made, Maker, is_sound};
use rawbench::pcap::{Format, InterfaceInfo, LinkType, PacketRecord, Writer};
use rawbench::wire::dissect::dissect;
use rawbench::wire::protocols;

/// Packets of each header of which golden values are stored.
const STORED: usize = 5;

/// Packets of each header where tshark is.
const MANY: usize = 20;

/// The packets: the same as long as the tables are; a new table changes none of those of the others' way.
fn packets(each: usize, salt: u64) -> Vec<Made> {
    let mut all = Vec::new();
    for header in protocols::ALL {
        let seed = header.key.bytes().fold(salt, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        let mut maker = Maker::new(seed);
        let made: Vec<Made> = (0..each).filter_map(|_| maker.packet(header)).collect();
        // What is known by its content alone is seldom made by chance.
        assert!(header.accepts.is_some() || made.len() == each, "{}: {} packets", header.key, made.len());
        all.extend(made);
    }
    all
}

/// Writes them as pcapng, an interface for each link type.
fn write(path: &Path, packets: &[Made]) {
    let mut writer = Writer::new(File::create(path).unwrap(), Format::PcapNg, path);
    let links: BTreeSet<u32> = packets.iter().map(|p| p.link_type).collect();
    for link in &links {
        writer.add_interface(&InterfaceInfo::new(format!("link{link}"), LinkType(*link))).unwrap();
    }
    for (packet, time) in packets.iter().zip(1_700_000_000_000_000_000..) {
        let interface = links.iter().position(|l| *l == packet.link_type).unwrap() as u32;
        writer.write_packet(&PacketRecord::new(interface, time, &packet.bytes)).unwrap();
    }
    writer.finish(&[]).unwrap();
}

/// What cannot be read as its tables say shows at least what tshark shows.
fn demands(packets: &[Made]) -> Vec<Demand> {
    let sound = |p: &Made| is_sound(&dissect(p.link_type, &p.bytes), &p.bytes);
    packets.iter().map(|p| if sound(p) { Demand::Equal } else { Demand::AtLeast }).collect()
}

/// Compares packets; `golden`: with what is stored where tshark is not there.
fn agree(place: &str, packets: &[Made], golden: Option<&Path>) {
    let tshark = has_tshark();
    if golden.is_none() && !tshark {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("random.pcapng");
    write(&file, packets);
    if let Some(kept) = std::env::var_os("RAWBENCH_KEEP_RANDOM") {
        std::fs::copy(&file, &kept).unwrap();
        let names: Vec<&str> = packets.iter().map(|p| p.name.as_str()).collect();
        std::fs::write(Path::new(&kept).with_extension("names"), names.join("\n")).unwrap();
    }
    made_agrees(place, &file, &demands(packets), golden, tshark);
}

#[test]
fn every_header_of_the_registry() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/golden/random.txt");
    agree("random", &packets(STORED, 0xcbf2_9ce4_8422_2325), Some(&golden));
}

#[test]
fn many_of_every_header() {
    agree("random", &packets(MANY, 0x9e37_79b9_7f4a_7c15), None);
}

#[test]
fn pairs_of_headers() {
    let (apart, read): (Vec<Made>, Vec<Made>) = Maker::new(0x7a1e).pairs().into_iter().partition(|p| p.apart);
    agree("pairs", &read, None);
    if !has_tshark() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("apart.pcapng");
    write(&file, &apart);
    let alike: Vec<&str> = apart
        .iter()
        .zip(differs(&file))
        .filter(|(_, differs)| !differs)
        .map(|(p, _)| p.name.as_str())
        .collect();
    assert!(alike.is_empty(), "tests/oracle/apart.txt: tshark reads these pairs as rawbench does: {alike:?}");
}
