//! Spools whose program was killed: found, counted exactly, whole packets kept, and never one that is in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rawbench::pcap::{
    CaptureFile, ChecksumState, Direction, InterfaceInfo, LeftSpool, LinkType, PacketRecord, Spool,
    left_spools,
};

/// The environment variable that makes a test the program that is killed.
const PLACE: &str = "RAWBENCH_TEST_RECOVERY_PLACE";

/// Packet `n`: its length and its bytes follow from its number.
fn data(n: u32) -> Vec<u8> {
    let mut data = n.to_le_bytes().to_vec();
    data.resize(40 + (n as usize * 7919) % 1400, n as u8);
    data
}

fn append(spool: &mut Spool, n: u32) {
    let data = data(n);
    let record = PacketRecord::new(0, 1_700_000_000_000_000_000 + u64::from(n), &data);
    // Options as the recorder's packets have them.
    let record = PacketRecord {
        direction: Direction::Inbound,
        checksum: ChecksumState::Valid,
        dropped: u64::from(n % 5 == 4),
        ..record
    };
    spool.append(&record).unwrap();
}

fn begin(directory: &Path) -> Spool {
    let mut spool = Spool::create(directory).unwrap();
    spool.add_interface(&InterfaceInfo::new("a", LinkType::ETHERNET)).unwrap();
    spool
}

/// All packets are those that were appended, from the first one on.
fn check(capture: &CaptureFile) {
    let mut reader = capture.reader();
    for n in 0..capture.len() {
        let record = reader.record(n).unwrap();
        let n = n as u32;
        assert!(record.data == data(n) && record.dropped == u64::from(n % 5 == 4), "packet {n}");
    }
}

/// Appends without an end, and says after each flush how many packets are safe.
fn record_until_killed(directory: &Path) {
    let mut spool = begin(directory);
    let mut out = std::io::stdout();
    for n in 0.. {
        append(&mut spool, n);
        if n % 23 == 22 {
            spool.flush().unwrap();
            // Fails when nobody listens any more, and then it is killed soon.
            let _ = writeln!(out, "safe {}", n + 1);
        }
    }
}

#[test]
fn nothing_that_was_flushed_is_lost_by_a_kill_at_any_moment() {
    if let Some(place) = std::env::var_os(PLACE) {
        return record_until_killed(Path::new(&place));
    }
    let mut torn = 0;
    for round in 0..50_u64 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "nothing_that_was_flushed_is_lost_by_a_kill_at_any_moment"])
            .env(PLACE, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let safe = |line: &str| line.strip_prefix("safe ").map(|n| n.parse::<u64>().unwrap());
        let mut last = lines.by_ref().find_map(|line| safe(&line.unwrap())).unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(round * 397 % 9000));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in lines {
            last = safe(&line.unwrap()).unwrap_or(last);
        }
        killer.join().unwrap();
        let left = left_spools(directory.path());
        assert_eq!(left.len(), 1, "round {round}");
        assert!(left[0].packets >= last, "round {round}: {} of {last} packets", left[0].packets);
        assert_eq!(left[0].packets, left[0].capture.len() as u64);
        check(&left[0].capture);
        torn += u32::from(left[0].torn > 0);
    }
    // Not asserted: whether a kill hits a write is chance.
    println!("{torn} of 50 files had a torn end");
}

/// What is found in a directory with this content as its only spool.
fn found(content: &[u8]) -> (tempfile::TempDir, PathBuf, Vec<LeftSpool>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool-20261125T120000Z-1-0.pcapng");
    std::fs::write(&path, content).unwrap();
    let left = left_spools(directory.path());
    (directory, path, left)
}

#[test]
fn a_file_cut_at_any_byte_gives_its_whole_packets_and_the_bytes_that_are_torn() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = begin(directory.path());
    let mut ends = vec![spool.bytes_written()];
    for n in 0..4 {
        append(&mut spool, n);
        spool.flush().unwrap();
        ends.push(spool.bytes_written());
    }
    let path = spool.path().to_path_buf();
    let end = spool.finish(&[]).unwrap();
    assert_eq!(Some(&end), ends.last());
    let content = std::fs::read(&path).unwrap();
    // Within the first packet's block and the one before it there is nothing to save, and behind them all.
    for cut in 0..=content.len() {
        // All of the headers and of the last two packets, and some of the long run of bytes between.
        let near = |end: &u64| cut.abs_diff(*end as usize) < 40;
        if cut % 97 != 0 && cut < ends[2] as usize && !ends.iter().any(near) {
            continue;
        }
        let (_directory, path, left) = found(&content[..cut]);
        let whole = ends.iter().filter(|end| **end <= cut as u64).count();
        let packets = whole.saturating_sub(1);
        assert_eq!(left.len(), usize::from(packets > 0), "cut at {cut}");
        // What has nothing to save is not found again and again.
        assert_eq!(path.exists(), packets > 0, "cut at {cut}");
        let Some(left) = left.first() else { continue };
        assert_eq!((left.packets, left.torn), (packets as u64, cut as u64 - ends[whole - 1]), "cut at {cut}");
        check(&left.capture);
    }
}

#[test]
fn a_spool_in_use_is_not_offered() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = begin(directory.path());
    append(&mut spool, 0);
    spool.flush().unwrap();
    assert!(left_spools(directory.path()).is_empty());
    // Its viewer still has it.
    let viewed = spool.capture_file();
    drop(spool);
    assert!(left_spools(directory.path()).is_empty());
    drop(viewed);
    let left = left_spools(directory.path());
    assert_eq!((left.len(), left[0].packets, left[0].torn), (1, 1, 0));
    assert!(left_spools(directory.path()).is_empty(), "another window is asked already");
    left[0].discard().unwrap();
    drop(left);
    assert!(left_spools(directory.path()).is_empty());
}

#[test]
fn what_is_no_spool_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["mine.pcapng", "spool-notes.txt", "spool-foreign.pcapng"] {
        std::fs::write(directory.path().join(name), vec![b'x'; 3000]).unwrap();
    }
    assert!(left_spools(directory.path()).is_empty());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
    assert!(left_spools(&directory.path().join("missing")).is_empty());
}

#[test]
fn a_spool_that_cannot_be_read_is_left_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = begin(directory.path());
    let start = spool.bytes_written() as usize;
    append(&mut spool, 1);
    spool.flush().unwrap();
    let mut content = std::fs::read(spool.path()).unwrap();
    // As after a power failure: a page that was never written.
    content[start..].fill(0);
    content.resize(start + 4096, 0);
    let (_directory, path, left) = found(&content);
    assert!(left.is_empty() && path.exists());
}

/// Where there is no state directory the spools stand among the temporary files, in the same place at each start.
#[test]
fn a_spool_among_the_temporary_files_is_found_at_the_next_start() {
    const STAGE: &str = "RAWBENCH_TEST_RECOVERY_STAGE";
    let name = "a_spool_among_the_temporary_files_is_found_at_the_next_start";
    match std::env::var(STAGE).as_deref() {
        Ok("record") => {
            let mut spool = begin(&rawbench::app::spool_directory());
            append(&mut spool, 0);
            spool.flush().unwrap();
            // Nothing tidies up.
            std::process::exit(0);
        }
        Ok(_) => {
            let left = left_spools(&rawbench::app::spool_directory());
            assert_eq!((left.len(), left[0].packets), (1, 1));
            return check(&left[0].capture);
        }
        Err(_) => {}
    }
    let directory = tempfile::tempdir().unwrap();
    for stage in ["record", "find"] {
        let out = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", name])
            .envs([(STAGE, stage), ("HOME", "/proc/none"), ("XDG_STATE_HOME", "/proc/none")])
            .env("TMPDIR", directory.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{stage}: {}", String::from_utf8_lossy(&out.stdout));
    }
}
