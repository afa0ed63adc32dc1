//! The keys that need the packets before: `read -e` prints what tshark 4.0 prints with its default settings, for every
//! packet of tests/oracle/corpus and of tests/oracle/flows. Without tshark it is compared with what tshark said once, which
//! tests/oracle/golden_flows holds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::path::{Path, PathBuf};
use std::process::Command;

use cli::{has_tshark, run, stdout};
use oracle::{Demand, flows_agree};
use rawbench::cli::read::select;
use rawbench::engine::Flows;
use rawbench::filter::Filter;
use rawbench::pcap::CaptureFile;

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(directory);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

fn agree(files: &[PathBuf]) {
    let tshark = has_tshark();
    let agrees =
        |file: &&PathBuf| std::panic::catch_unwind(|| flows_agree(file, Demand::Equal, tshark)).is_ok();
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
    let keys = oracle::flow_keys();
    let table = oracle::ours(&path, &keys);
    let absent: Vec<_> = (0..keys.len()).filter(|n| table.iter().all(|line| line[*n].is_empty())).collect();
    assert!(
        absent.is_empty(),
        "{}: {:?}",
        path.display(),
        absent.iter().map(|n| &keys[*n]).collect::<Vec<_>>()
    );
}

/// `read -Y` keeps what `tshark -Y` keeps. What tshark keeps stands beside each filter, and is renewed with the golden
/// values.
#[test]
fn the_same_segments_pass_a_filter() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/flows_filters.txt");
    let file = &files("flows")[0];
    let text = std::fs::read_to_string(&list).unwrap();
    let filters: Vec<(&str, &str)> = text.lines().map(|l| l.split_once('\t').unwrap_or((l, ""))).collect();
    if std::env::var_os(oracle::UPDATE).is_some() && has_tshark() {
        let line = |(filter, _): &(&str, &str)| format!("{filter}\t{}\n", passed_in_tshark(file, filter));
        std::fs::write(&list, filters.iter().map(line).collect::<String>()).unwrap();
        return;
    }
    assert!(filters.len() > 20);
    let (capture, _) = CaptureFile::open(file).unwrap();
    let flows = Flows::default();
    for (text, theirs) in filters {
        let ours =
            Filter::display(text).map(|filter| select::positions(&capture, filter, &flows).ok().unwrap());
        let ours = ours.map_or("wrong".into(), |found| digest(found.iter().map(|n| *n as u64 + 1)));
        assert_eq!(ours, theirs, "{text}");
    }
}

fn passed_in_tshark(file: &Path, filter: &str) -> String {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(oracle::switches(true)).args([
        "-Y",
        filter,
        "-T",
        "fields",
        "-e",
        "frame.number",
    ]);
    let said = run(&mut tshark, b"");
    if said.status.success() {
        digest(stdout(&said).lines().map(|n| n.parse().unwrap()))
    } else {
        "wrong".into()
    }
}

/// How many packets, and the sum of their numbers, of their squares.
fn digest(numbers: impl Iterator<Item = u64>) -> String {
    let numbers: Vec<u64> = numbers.collect();
    format!(
        "{} {} {}",
        numbers.len(),
        numbers.iter().sum::<u64>(),
        numbers.iter().map(|n| n * n).sum::<u64>()
    )
}
