//! Second opinion: Wireshark's tools read what is written here, and what they write is read here, with the same
//! packets, times and lengths.
//!
//! Without `tshark` and `editcap` these tests are skipped with a message; with `RAWBENCH_REQUIRE_ORACLES=1` they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::explicit_write)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rawbench::pcap::{
    CaptureFile, ChecksumState, Direction, Format, InterfaceInfo, InterfaceStatistics, LinkType,
    PacketRecord, Selection, Writer, save_as,
};

/// Whether Wireshark's tools are there.
fn tools(test: &str) -> bool {
    let there =
        |tool| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if ["tshark", "editcap", "capinfos"].into_iter().all(there) {
        return true;
    }
    let required = std::env::var_os("RAWBENCH_REQUIRE_ORACLES").is_some_and(|value| value == "1");
    assert!(
        !required,
        "{test}: tshark, editcap or capinfos is missing, and RAWBENCH_REQUIRE_ORACLES=1 is set"
    );
    // Past the capturing of the test harness, so that a skipped test is seen.
    writeln!(std::io::stderr(), "SKIPPED {test}: tshark, editcap or capinfos is not installed").unwrap();
    false
}

fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {message}");
    for complaint in ["cut short", "damaged", "corrupt", "Warn"] {
        assert!(!message.contains(complaint), "{tool} {arguments:?}: {message}");
    }
    String::from_utf8(output.stdout).unwrap()
}

/// A line for each packet as tshark sees it: time with nanoseconds, captured and true length, and more fields.
fn tshark(path: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["-n", "-r", path.to_str().unwrap(), "-T", "fields"];
    for field in ["frame.time_epoch", "frame.cap_len", "frame.len"].iter().chain(more) {
        arguments.extend(["-e", field]);
    }
    run("tshark", &arguments).lines().map(str::to_owned).collect()
}

/// The same line from our own reading.
fn ours(path: &Path) -> Vec<String> {
    let (capture, report) = CaptureFile::open(path).unwrap();
    assert_eq!(report.problem, None);
    let mut reader = capture.reader();
    let line = |n| {
        let record = reader.record(n).unwrap();
        let (seconds, ns) = (record.timestamp_ns / 1_000_000_000, record.timestamp_ns % 1_000_000_000);
        format!("{seconds}.{ns:09}\t{}\t{}", record.data.len(), record.original_length)
    };
    (0..capture.len()).map(line).collect()
}

const COUNT: usize = 200;

/// Packets of all lengths from 0 on, times down to the nanosecond, some cut.
fn write(path: &Path, format: Format) {
    let mut writer = Writer::new(fs::File::create(path).unwrap(), format, path);
    writer.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
    if format == Format::PcapNg {
        let mut second = InterfaceInfo::new("tun0", LinkType::RAW);
        second.description = Some("a tunnel".to_owned());
        second.filter = Some("tcp port 80".to_owned());
        second.snap_length = 0;
        writer.add_interface(&second).unwrap();
    }
    for n in 0..COUNT {
        let data: Vec<u8> = (0..n * 3 % 401).map(|byte| (byte * n) as u8).collect();
        let comment = format!("packet {n} – größer");
        let mut record = PacketRecord::new(0, 1_700_000_000_000_000_001 + n as u64 * 987_654_321, &data);
        record.original_length += n as u32 % 5 * 100;
        if format == Format::PcapNg {
            record.interface = n as u32 % 2;
            record.direction = [Direction::Unknown, Direction::Inbound, Direction::Outbound][n % 3];
            record.checksum =
                [ChecksumState::Unknown, ChecksumState::NotComputed, ChecksumState::Valid][n / 3 % 3];
            record.comment = (n % 4 == 0).then_some(comment.as_str());
        }
        writer.write_packet(&record).unwrap();
    }
    let counters = InterfaceStatistics {
        interface: 0,
        start_ns: Some(1_700_000_000_000_000_000),
        end_ns: Some(1_700_000_300_000_000_000),
        received: Some(123_456),
        interface_dropped: Some(7),
        system_dropped: Some(42),
    };
    writer.finish(&[counters]).unwrap();
}

fn files() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (next, classic) = (directory.path().join("a.pcapng"), directory.path().join("a.pcap"));
    write(&next, Format::PcapNg);
    write(&classic, Format::Pcap);
    (directory, next, classic)
}

#[test]
fn tshark_sees_the_same_packets_times_and_lengths() {
    if !tools("tshark_sees_the_same_packets_times_and_lengths") {
        return;
    }
    let (_directory, next, classic) = files();
    for path in [&next, &classic] {
        let lines = tshark(path, &[]);
        assert_eq!(lines.len(), COUNT);
        assert_eq!(lines, ours(path));
    }
    assert_eq!(tshark(&next, &[])[0], "1700000000.000000001\t0\t0");
}

#[test]
fn tshark_sees_interfaces_directions_and_comments() {
    if !tools("tshark_sees_interfaces_directions_and_comments") {
        return;
    }
    let (_directory, next, _) = files();
    let lines = tshark(&next, &["frame.interface_name", "frame.packet_flags", "frame.comment"]);
    for (n, line) in lines.iter().enumerate() {
        let fields: Vec<&str> = line.split('\t').skip(3).collect();
        let flags = [0, 1, 2][n % 3] | [0, 1 << 9, 1 << 10][n / 3 % 3];
        let flags = if flags == 0 { String::new() } else { format!("0x{flags:08x}") };
        let comment = if n % 4 == 0 { format!("packet {n} – größer") } else { String::new() };
        assert_eq!(fields, [["eth0", "tun0"][n % 2], flags.as_str(), comment.as_str()], "packet {n}");
    }
}

#[test]
fn capinfos_sees_program_interfaces_and_resolution() {
    if !tools("capinfos_sees_program_interfaces_and_resolution") {
        return;
    }
    let (_directory, next, classic) = files();
    let text = run("capinfos", &["-M", next.to_str().unwrap()]);
    for part in [
        "Number of packets:   200",
        concat!("Capture application: rawbench ", env!("CARGO_PKG_VERSION")),
        "Name = eth0",
        "Description = a tunnel",
        "Capture length = 262144",
        "Time precision = nanoseconds (9)",
        "Number of stat entries = 1",
        "Filter string = tcp port 80",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let text = run("capinfos", &["-M", classic.to_str().unwrap()]);
    assert!(text.contains("nanosecond") && text.contains("Number of packets:   200"), "{text}");
}

#[test]
fn what_wireshark_writes_is_read_the_same() {
    if !tools("what_wireshark_writes_is_read_the_same") {
        return;
    }
    let (directory, next, classic) = files();
    for (format, source) in
        [("pcap", &classic), ("nsecpcap", &classic), ("modpcap", &classic), ("pcapng", &next)]
    {
        let path = directory.path().join(format);
        run("editcap", &["-F", format, source.to_str().unwrap(), path.to_str().unwrap()]);
        assert_eq!(ours(&path), tshark(&path, &[]), "{format}");
        assert_eq!(ours(&path).len(), COUNT);
    }
    // What editcap passed on of our pcapng is what we wrote, comments included (it leaves out the counters).
    let (before, _) = CaptureFile::open(&next).unwrap();
    let (after, _) = CaptureFile::open(directory.path().join("pcapng")).unwrap();
    let (mut before_reader, mut after_reader) = (before.reader(), after.reader());
    for n in 0..COUNT {
        assert_eq!(before_reader.record(n).unwrap(), after_reader.record(n).unwrap());
    }
    assert_eq!(after.interfaces()[1].filter.as_deref(), Some("tcp port 80"));
}

#[test]
fn a_saved_selection_is_read_by_tshark() {
    if !tools("a_saved_selection_is_read_by_tshark") {
        return;
    }
    let (directory, next, _) = files();
    let (capture, _) = CaptureFile::open(&next).unwrap();
    let some: Vec<usize> = (0..COUNT).filter(|n| n % 2 == 0 && n % 7 != 0).collect();
    for name in ["some.pcapng", "some.pcap"] {
        let path = directory.path().join(name);
        let saved =
            save_as(&capture, Selection::Packets(&some), &path, Format::for_path(&path), &[]).unwrap();
        let lines = tshark(&path, &[]);
        assert_eq!((saved.packets, lines.len()), (some.len() as u64, some.len()));
        let all = ours(&next);
        assert!(lines.iter().eq(some.iter().map(|n| &all[*n])), "{name}");
    }
}
