//! `read --count` counts the packets that capinfos counts, for whole, cut and damaged files of both formats, and says
//! that something is wrong where capinfos does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use cli::{Dice, has_tshark, rawbench, run, stderr, stdout};

/// Packets, and whether there was a complaint; `None` for what is no capture file.
type Verdict = Option<(usize, bool)>;

fn number_after(text: &str, words: &str) -> Option<usize> {
    let rest = text.split_once(words)?.1.trim_start();
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn theirs(file: &Path) -> Verdict {
    let said = run(Command::new("capinfos").args(["-M", "-c", "-t"]).arg(file), b"");
    let complaint = stderr(&said);
    if let Some(count) = number_after(&complaint, "An error occurred after reading") {
        return Some((count, true));
    }
    // What is no capture any more it may take for something else: one packet of some medium.
    let of_a_capture = stdout(&said).lines().any(|l| l.starts_with("File type:") && l.contains("pcap"));
    number_after(&stdout(&said), "Number of packets:").filter(|_| of_a_capture).map(|count| (count, false))
}

/// The same count and complaint. Of pcapng rawbench passes over a block that is damaged and reads on where capinfos
/// stops, and reads nothing with a complaint where capinfos sees no capture.
fn agree(ours: Verdict, theirs: Verdict, next_generation: bool) -> bool {
    match (ours, theirs) {
        (Some((more, true)), Some((count, true))) if next_generation => more >= count,
        (Some((0, true)), None) => next_generation,
        _ => ours == theirs,
    }
}

fn ours(file: &Path) -> Verdict {
    let said = rawbench(&["read", "--count", file.to_str().unwrap()]);
    let count = stdout(&said).trim().parse().ok()?;
    Some((count, !said.stderr.is_empty()))
}

/// Small files of every kind that Wireshark writes.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/corpus");
    let mut all = Vec::new();
    for source in ["ethernet.pcap", "ipv6.pcap", "cooked.pcap"] {
        for format in ["pcap", "nsecpcap", "pcapng"] {
            let path = directory.join("short");
            let mut edit = Command::new("editcap");
            edit.args(["-r", "-F", format]).arg(corpus.join(source)).arg(&path).arg("1-25");
            assert!(run(&mut edit, b"").status.success());
            all.push(std::fs::read(path).unwrap());
        }
    }
    all
}

#[test]
fn whole_files_of_the_corpus() {
    if !has_tshark() {
        return;
    }
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/corpus")).unwrap()
    {
        let file = file.unwrap().path();
        let counted = ours(&file);
        assert_eq!(counted, theirs(&file), "{}", file.display());
        let rows = rawbench(&["read", file.to_str().unwrap()]);
        assert_eq!(stdout(&rows).lines().count(), counted.unwrap().0, "{}", file.display());
    }
}

#[test]
fn cut_and_damaged_files() {
    if !has_tshark() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    let mut dice = Dice::new(0x7a4c_0c0e);
    let mut wrong = String::new();
    for round in 0..360 {
        let mut content = files[round % files.len()].clone();
        let what = if dice.one_in(3) {
            let end = dice.below(content.len());
            content.truncate(end);
            format!("cut at {end}")
        } else {
            // Behind what says which kind of file it is.
            let changed = (0..=dice.below(2)).map(|_| {
                let at = 24 + dice.below(content.len() - 24);
                content[at] = dice.number(255) as u8;
                format!("{at}={:#04x}", content[at])
            });
            changed.collect::<Vec<_>>().join(" ")
        };
        let path = directory.path().join("damaged");
        std::fs::write(&path, &content).unwrap();
        let (ours, theirs) = (ours(&path), theirs(&path));
        let next_generation = content.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        if !agree(ours, theirs, next_generation) {
            let _ = writeln!(wrong, "file {} {what}: ours {ours:?}, theirs {theirs:?}", round % files.len());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
