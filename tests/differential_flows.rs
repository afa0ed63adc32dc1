//! The keys that need the packets before: `read -e` prints what tshark 4.0 prints with its default settings, for every
//! packet of tests/oracle/corpus and of tests/oracle/flows. Without tshark it is compared with what tshark said once, which
//! tests/oracle/golden_flows holds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::path::{Path, PathBuf};

use cli::{has_tshark, rawbench, stderr, stdout};
use oracle::{Demand, flows_agree};

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(directory);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

fn agree(files: &[PathBuf]) {
    let tshark = has_tshark();
    let agrees = |file: &&PathBuf| std::panic::catch_unwind(|| flows_agree(file, Demand::Equal, tshark)).is_ok();
    let failed: Vec<_> = files.iter().filter(|file| !agrees(file)).collect();
    assert!(failed.is_empty(), "see above: {failed:?}");
}

#[test]
fn connections_in_which_everything_happens() {
    agree(&files("flows"));
}

#[test]
fn the_first_half_of_the_corpus() {
    let files = files("corpus");
    agree(&files[..files.len() / 2]);
}

#[test]
fn the_second_half_of_the_corpus() {
    let files = files("corpus");
    agree(&files[files.len() / 2..]);
}

/// `told.pcap` has each thing that is told at least once, so that no key agrees because it is never there.
#[test]
fn every_key_is_there() {
    let path = files("flows").pop().unwrap();
    let absent: Vec<_> = oracle::flow_keys()
        .into_iter()
        .filter(|key| {
            let said = rawbench(&["read", path.to_str().unwrap(), "-e", key]);
            assert!(said.status.success(), "{}", stderr(&said));
            stdout(&said).lines().all(str::is_empty)
        })
        .collect();
    assert!(absent.is_empty(), "{}: {absent:?}", path.display());
}
