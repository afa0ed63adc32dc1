//! What the fuzz targets of `fuzz/` assert, for every packet of the corpus and for what they once found, which stands in
//! tests/oracle/findings: a directory for each target, a file for each input.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/properties.rs"]
mod properties;

use std::path::{Path, PathBuf};

use rawbench::pcap::CaptureFile;

type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("capture_file", properties::capture_file),
    ("craft_from_dissect", properties::craft_from_dissect),
    ("dissect", properties::dissect_bytes),
    ("notation", properties::notation),
    ("options", properties::options),
    ("script", properties::script),
];

fn files(directory: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(directory);
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_found_once_is_right_now() {
    for (name, target) in TARGETS {
        for file in files(&format!("findings/{name}")) {
            eprintln!("{}", file.display());
            target(&std::fs::read(file).unwrap());
        }
    }
}

/// Link type and bytes, as the targets take them.
fn corpus() -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    for file in files("corpus") {
        let (capture, report) = CaptureFile::open(&file).unwrap();
        assert!(report.problem.is_none(), "{}", file.display());
        let link_type = capture.interfaces()[0].link_type.0 as u16;
        let mut reader = capture.reader();
        all.extend((0..capture.len()).map(|n| (link_type, reader.record(n).unwrap().data.to_vec())));
    }
    all
}

#[test]
fn the_corpus_cut_and_whole() {
    for (at, (link_type, packet)) in corpus().into_iter().enumerate() {
        let cut = if at % 3 == 0 { packet.len() * (at % 16) / 16 } else { packet.len() };
        properties::dissect_packet(u32::from(link_type), &packet[..cut]);
    }
}

#[test]
fn the_corpus_keeps_its_bytes_and_its_lists_through_edits() {
    for (at, (link_type, packet)) in corpus().into_iter().enumerate() {
        let head = [link_type.to_be_bytes().as_slice(), &[4]].concat();
        let edits: Vec<u8> = (0..16).map(|n| (at * 7 + n * 11) as u8).collect();
        properties::options(&[head.as_slice(), &edits, &packet].concat());
        properties::loads_unchanged(u32::from(link_type), &packet);
    }
}
