//! The capture files of tests/oracle/corpus: `read -e` prints what tshark 4.0 prints with `-T fields`, for every key
//! that both have. Without tshark it is compared with what tshark said once, which tests/oracle/golden holds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::path::{Path, PathBuf};

use cli::{has_tshark, rawbench, stdout};
use oracle::{Demand, file_agrees};
use rawbench::pcap::CaptureFile;
use rawbench::wire::protocols;
use rawbench::wire::table::Space;

/// The files, sorted.
fn corpus() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

/// Whether a table describes what the packets of this file begin with.
fn is_described(file: &Path) -> bool {
    const BY_VERSION: u32 = 101;
    let (capture, _) = CaptureFile::open(file).unwrap();
    let number = capture.interfaces()[0].link_type.0;
    number == BY_VERSION || protocols::ALL.iter().any(|h| h.found_by.contains(&(Space::LinkType, number)))
}

/// In these, headers are cut off or impossible.
fn demand(file: &Path) -> Demand {
    let name = file.file_name().unwrap();
    if name == "cut.pcap" || name == "damaged.pcap" { Demand::AtLeast } else { Demand::Equal }
}

#[test]
fn every_file_of_the_corpus() {
    let tshark = has_tshark();
    let mut failed = Vec::new();
    for file in corpus().into_iter().filter(|f| is_described(f)) {
        let name = file.file_name().unwrap().to_owned();
        if std::panic::catch_unwind(|| file_agrees(&file, demand(&file), tshark)).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "see above: {failed:?}");
}

#[test]
fn the_corpus_is_large() {
    let count = |file: &Path| stdout(&rawbench(&["read", "--count", file.to_str().unwrap()]));
    let total: usize =
        corpus().iter().filter(|f| is_described(f)).map(|f| count(f).trim().parse::<usize>().unwrap()).sum();
    assert!(total >= 2_000, "only {total} packets");
}
