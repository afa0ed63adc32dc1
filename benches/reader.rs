//! What opening and filtering a large capture costs in the window: its index, and a display filter over it.
//!
//! `cargo bench --bench reader [-- FILE [FILTER]]`. Without a file a million packets of the mix are written to a temporary
//! one first; `--write FILE` writes them there and ends. The file is read once before, so it comes from the page cache.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "mixed.rs"]
mod mixed;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mixed::Packets;
use rawbench::engine::{Flows, Sieve};
use rawbench::filter::Filter;
use rawbench::pcap::{CaptureFile, Format, InterfaceInfo, LinkType, PacketRecord, Writer};

const PACKETS: usize = 1_000_000;
const ROUNDS: usize = 7;
const FILTERS: [&str; 4] = [
    "tcp.flags.syn == 1 && tcp.dstport == 443",
    "ip.addr == 10.1.2.3",
    "frame contains \"GET\"",
    "tcp port 443",
];

fn write(path: &Path) {
    let file = std::fs::File::create(path).expect("a new file");
    let mut writer = Writer::new(file, Format::Pcap, path);
    let interface = writer.add_interface(&InterfaceInfo::new("mix", LinkType(1))).unwrap();
    let mut time = 1_700_000_000_000_000_000;
    for bytes in Packets::mixed(PACKETS).iter() {
        time += 20_100;
        writer.write_packet(&PacketRecord::new(interface, time, bytes)).unwrap();
    }
    writer.finish(&[]).unwrap();
}

/// Median of several rounds.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, path] = arguments.as_slice()
        && flag == "--write"
    {
        return write(Path::new(path));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = arguments.first().map_or_else(|| directory.path().join("mix.pcap"), PathBuf::from);
    if arguments.is_empty() {
        write(&path);
    }
    std::fs::read(&path).unwrap();
    let (capture, _) = CaptureFile::open(&path).unwrap();
    let packets = capture.len() as f64;
    let report = |what: &str, time: Duration, more: String| {
        println!(
            "{what:48} {:8.1} ms {:7.1} ns a packet {more}",
            time.as_secs_f64() * 1e3,
            time.as_nanos() as f64 / packets
        );
    };
    println!("{packets} packets, medians of {ROUNDS} rounds");
    report("index, digests included", median(|| drop(CaptureFile::open(&path).unwrap())), String::new());
    let filters: Vec<&str> = match arguments.get(1) {
        Some(filter) => vec![filter],
        None => FILTERS.to_vec(),
    };
    for text in filters {
        let filter = Filter::display(text).expect(text);
        let mut passed = 0;
        let time = median(|| {
            let sieve = Sieve::new(filter.clone());
            sieve.work(&capture, &Flows::default(), &|| ());
            passed = sieve.len();
        });
        report(text, time, format!("{passed} pass"));
    }
}
