//! Writing capture files: what is written is read back the same, a failure costs nothing that was there before.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rawbench::pcap::{
    CaptureFile, ChecksumState, Direction, Error, Format, InterfaceInfo, InterfaceStatistics, LinkType,
    PacketRecord, Saved, Selection, Spool, Writer, save_as,
};

/// A record that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
struct Packet {
    interface: u32,
    timestamp_ns: u64,
    original_length: u32,
    data: Vec<u8>,
    direction: Direction,
    checksum: ChecksumState,
    comment: Option<String>,
    dropped: u64,
}

impl Packet {
    fn record(&self) -> PacketRecord<'_> {
        PacketRecord {
            interface: self.interface,
            timestamp_ns: self.timestamp_ns,
            original_length: self.original_length,
            data: &self.data,
            direction: self.direction,
            checksum: self.checksum,
            comment: self.comment.as_deref(),
            dropped: self.dropped,
        }
    }

    fn of(record: PacketRecord<'_>) -> Self {
        Self {
            interface: record.interface,
            timestamp_ns: record.timestamp_ns,
            original_length: record.original_length,
            data: record.data.to_vec(),
            dropped: record.dropped,
            direction: record.direction,
            checksum: record.checksum,
            comment: record.comment.map(str::to_owned),
        }
    }

    /// What pcap keeps of it.
    fn as_in_pcap(&self) -> Self {
        let (direction, checksum) = (Direction::Unknown, ChecksumState::Unknown);
        Self { interface: 0, direction, checksum, comment: None, dropped: 0, ..self.clone() }
    }
}

fn packet() -> impl Strategy<Value = Packet> {
    let direction =
        prop_oneof![Just(Direction::Unknown), Just(Direction::Inbound), Just(Direction::Outbound)];
    let checksum = prop_oneof![
        Just(ChecksumState::Unknown),
        Just(ChecksumState::NotComputed),
        Just(ChecksumState::Valid)
    ];
    let time = prop_oneof![0..2_000_000_000_000_000_000_u64, Just(4_294_967_295_999_999_999)];
    let data = prop::collection::vec(any::<u8>(), 0..200);
    let dropped = prop_oneof![Just(0_u64), any::<u64>()];
    (0..3_u32, time, any::<u32>(), data, direction, checksum, prop::option::of(".{0,40}"), dropped).prop_map(
        |(interface, timestamp_ns, original_length, data, direction, checksum, comment, dropped)| Packet {
            interface,
            timestamp_ns,
            original_length,
            data,
            direction,
            checksum,
            comment,
            dropped,
        },
    )
}

fn interfaces() -> Vec<InterfaceInfo> {
    let mut second = InterfaceInfo::new("wlan0", LinkType::ETHERNET);
    second.description = Some("Funk".to_owned());
    second.filter = Some("tcp port 80".to_owned());
    second.snap_length = 96;
    vec![InterfaceInfo::new("eth0", LinkType::ETHERNET), second, InterfaceInfo::new("lo", LinkType::ETHERNET)]
}

fn counters() -> InterfaceStatistics {
    InterfaceStatistics {
        interface: 1,
        start_ns: Some(1_700_000_000_000_000_001),
        end_ns: Some(1_700_000_001_000_000_002),
        received: Some(5_000_000_000),
        interface_dropped: Some(3),
        system_dropped: Some(0),
    }
}

fn write(format: Format, path: &Path, packets: &[Packet]) -> u64 {
    let file = fs::File::create(path).unwrap();
    let mut writer = Writer::new(file, format, path);
    for interface in interfaces() {
        writer.add_interface(&interface).unwrap();
    }
    let bytes = fs::metadata(path).unwrap().len();
    assert_eq!(bytes, 0);
    for packet in packets {
        writer.write_packet(&packet.record()).unwrap();
    }
    writer.finish(&[counters()]).unwrap()
}

fn read(capture: &CaptureFile) -> Vec<Packet> {
    let mut reader = capture.reader();
    (0..capture.len()).map(|n| Packet::of(reader.record(n).unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(packets in prop::collection::vec(packet(), 0..20)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let bytes = write(Format::PcapNg, &path, &packets);
        prop_assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
        let (capture, report) = CaptureFile::open(&path).unwrap();
        prop_assert_eq!((report.packets, report.problem), (packets.len() as u64, None));
        prop_assert_eq!(read(&capture), packets.clone());
        let mut expected = interfaces();
        expected[1].statistics = Some(counters());
        prop_assert_eq!(&*capture.interfaces(), &expected);

        // Saved as pcapng, nothing is lost; as pcap, only what it has no place for.
        let copy = directory.path().join("copy.pcapng");
        let saved = save_as(&capture, Selection::All, &copy, Format::PcapNg, &[]).unwrap();
        prop_assert_eq!(saved, Saved { packets: packets.len() as u64, bytes: fs::metadata(&copy).unwrap().len() });
        let (copy, report) = CaptureFile::open(&copy).unwrap();
        prop_assert_eq!((read(&copy), &*copy.interfaces(), report.problem), (packets.clone(), &expected, None));
        let classic = directory.path().join("copy.pcap");
        save_as(&capture, Selection::All, &classic, Format::for_path(&classic), &[]).unwrap();
        let (classic, _) = CaptureFile::open(&classic).unwrap();
        prop_assert_eq!(classic.format(), Format::Pcap);
        prop_assert_eq!(read(&classic), packets.iter().map(Packet::as_in_pcap).collect::<Vec<_>>());
    }

    #[test]
    fn a_spool_shows_what_was_flushed(packets in prop::collection::vec((packet(), any::<bool>()), 0..30)) {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path()).unwrap();
        let capture = spool.capture_file();
        for interface in interfaces() {
            spool.add_interface(&interface).unwrap();
        }
        let mut expected = Vec::new();
        let mut waiting = Vec::new();
        for (packet, flush) in packets {
            spool.append(&packet.record()).unwrap();
            waiting.push(packet);
            prop_assert_eq!(spool.unwritten(), waiting.len() as u64);
            if flush {
                spool.flush().unwrap();
                expected.append(&mut waiting);
                // What a crash would leave now is a whole file with the same packets.
                let (crashed, report) = CaptureFile::open(spool.path()).unwrap();
                prop_assert_eq!((report.problem, read(&crashed)), (None, expected.clone()));
            }
            prop_assert_eq!(capture.len(), expected.len());
        }
        expected.append(&mut waiting);
        let bytes = spool.finish(&[counters()]).unwrap();
        prop_assert_eq!(fs::metadata(spool.path()).unwrap().len(), bytes);
        prop_assert_eq!(read(&capture), expected.clone());
        let (opened, report) = CaptureFile::open(spool.path()).unwrap();
        prop_assert_eq!((report.problem, read(&opened)), (None, expected));
        prop_assert_eq!(opened.interfaces(), capture.interfaces());
        let entries = |capture: &CaptureFile| capture.index().snapshot().iter().copied().collect::<Vec<_>>();
        prop_assert_eq!(entries(&opened), entries(&capture), "a capture and its opened file are the same thing");
    }
}

fn some_packets(count: usize) -> Vec<Packet> {
    let packet = |n: usize| Packet {
        interface: n as u32 % 3,
        timestamp_ns: 1_700_000_000_000_000_000 + n as u64,
        original_length: 1500,
        data: vec![n as u8; 50 + n % 1000],
        direction: Direction::Inbound,
        checksum: ChecksumState::Valid,
        comment: None,
        dropped: 0,
    };
    (0..count).map(packet).collect()
}

#[test]
fn pcap_refuses_what_it_cannot_hold() {
    let mut writer = Writer::new(Vec::new(), Format::Pcap, "x.pcap");
    assert!(matches!(
        writer.write_packet(&PacketRecord::new(0, 0, b"x")),
        Err(Error::UnknownInterface { interface: 0, known: 0, .. })
    ));
    writer.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
    let message = writer.add_interface(&InterfaceInfo::new("tun0", LinkType::RAW)).unwrap_err().to_string();
    assert!(message.contains("x.pcap") && message.contains("ETHERNET and RAW"), "{message}");
    let late = PacketRecord::new(0, 4_294_967_296_000_000_000, b"x");
    assert!(matches!(writer.write_packet(&late), Err(Error::TimeOutOfRange { .. })));
    assert!(writer.finish(&[counters()]).unwrap_err().to_string().contains("interface 1"));
    assert_eq!(Writer::new(Vec::new(), Format::Pcap, "empty.pcap").finish(&[]).unwrap(), 24);
}

#[test]
fn a_selection_of_one_link_type_can_be_saved_as_pcap() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(directory.path()).unwrap();
    spool.add_interface(&InterfaceInfo::new("tun0", LinkType::RAW)).unwrap();
    spool.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
    spool.add_interface(&InterfaceInfo::new("odd0", LinkType(147))).unwrap();
    for n in 0..10_u8 {
        spool.append(&PacketRecord::new(u32::from(n % 2), u64::from(n), &[n; 20])).unwrap();
    }
    spool.append(&PacketRecord::new(2, 10, &[10; 20])).unwrap();
    spool.flush().unwrap();
    let capture = spool.capture_file();
    let path = directory.path().join("some.pcap");
    fs::write(&path, "what was there").unwrap();
    let mixed = save_as(&capture, Selection::All, &path, Format::Pcap, &[]);
    assert!(matches!(mixed, Err(Error::MixedLinkTypes { .. })), "{mixed:?}");
    assert_eq!(fs::read(&path).unwrap(), b"what was there", "a failure costs nothing");
    let missing = save_as(&capture, Selection::Packets(&[1, 11]), &path, Format::Pcap, &[]);
    assert!(matches!(missing, Err(Error::NoSuchPacket { position: 11, .. })));
    assert_eq!(fs::read(&path).unwrap(), b"what was there");

    save_as(&capture, Selection::Packets(&[9, 1, 3]), &path, Format::Pcap, &[]).unwrap();
    let (saved, _) = CaptureFile::open(&path).unwrap();
    assert_eq!(saved.interfaces()[0].link_type, LinkType::ETHERNET);
    assert_eq!(read(&saved).iter().map(|packet| packet.data[0]).collect::<Vec<_>>(), [9, 1, 3]);
    assert_eq!(names(directory.path()).len(), 2, "no temporary file is left");

    // Bare IP and Ethernet have a common form, with headers of 20 bytes in the place of 0 and 14.
    save_as(&capture, Selection::Packets(&[0, 1]), &path, Format::Pcap, &[]).unwrap();
    let (saved, _) = CaptureFile::open(&path).unwrap();
    assert_eq!(saved.interfaces()[0].link_type, LinkType::LINUX_SLL2);
    let packets = read(&saved);
    assert_eq!(packets[0].data[20..], [0; 20]);
    assert_eq!((packets[1].data.len(), &packets[1].data[20..]), (26, &[1; 6][..]));
    assert_eq!((packets[0].original_length, packets[1].original_length), (40, 26));
    assert_eq!([packets[0].data[7], packets[1].data[7]], [1, 2], "which interface");
}

fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn saving_over_the_own_file_through_a_link_keeps_link_and_permissions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("real.pcapng");
    let packets = some_packets(300);
    write(Format::PcapNg, &path, &packets);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = directory.path().join("link.pcapng");
    std::os::unix::fs::symlink("real.pcapng", &link).unwrap();
    let (capture, _) = CaptureFile::open(&link).unwrap();
    let odd: Vec<usize> = (0..300).filter(|n| n % 2 == 1).collect();
    save_as(&capture, Selection::Packets(&odd), &link, Format::PcapNg, &[]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(CaptureFile::open(&path).unwrap().0.len(), 150);
    assert_eq!(read(&capture), packets, "what is open stays what it was");
    assert_eq!(names(directory.path()).len(), 2);

    let nowhere = save_as(&capture, Selection::All, "/nonexistent/a.pcap", Format::Pcap, &[]);
    assert!(nowhere.unwrap_err().to_string().contains("/nonexistent/"));
    save_as(&capture, Selection::All, "/dev/null", Format::PcapNg, &[]).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file(), "a device is written to, never replaced");
}

#[test]
fn a_file_that_shrinks_while_it_is_saved_leaves_no_half_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shrinking");
    write(Format::PcapNg, &path, &some_packets(300));
    let (capture, _) = CaptureFile::open(&path).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(9_000).unwrap();
    let target = directory.path().join("target.pcapng");
    let result = save_as(&capture, Selection::All, &target, Format::PcapNg, &[]);
    assert!(matches!(result, Err(Error::Changed { .. })), "{result:?}");
    assert_eq!(names(directory.path()), ["shrinking"]);
}

/// The options of a packet that this program has no name for are kept, and numbers turned into our byte order.
#[test]
fn options_are_kept_and_turned_around() {
    let option = |code: u16, value: &[u8]| {
        let mut bytes = [code.to_be_bytes(), (value.len() as u16).to_be_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let block = |kind: u32, body: &[&[u8]]| {
        let body = body.concat();
        let total = (body.len() as u32 + 12).to_be_bytes();
        [&kind.to_be_bytes()[..], &total, &body, &total].concat()
    };
    let section = [&[0x1A, 0x2B, 0x3C, 0x4D, 0, 1, 0, 0][..], &[0xFF; 8]].concat();
    let enhanced = block(
        6,
        &[
            &[0; 12],
            &[0, 0, 0, 4, 0, 0, 0, 4],
            b"data",
            &option(1, b"one"),
            &option(1, b"two"),
            &option(2, &[0x12, 0x34, 0, 0b1001]),
            &option(3, &[2, 0xDE, 0xAD, 0xBE, 0xEF]),
            &option(4, &77_u64.to_be_bytes()),
            &option(2989, &[0, 0, 0x80, 0x01, 9, 8, 7]),
            &option(0, &[]),
        ],
    );
    let obsolete = block(2, &[&[0, 0, 0, 5], &[0; 8], &[0, 0, 0, 4, 0, 0, 0, 4], b"old!"]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("big");
    let file = [block(0x0A0D_0D0A, &[&section]), block(1, &[&[0, 1, 0, 0, 0, 0, 0, 0]]), enhanced, obsolete];
    fs::write(&path, file.concat()).unwrap();
    let (capture, report) = CaptureFile::open(&path).unwrap();
    assert_eq!((report.packets, report.problem), (2, None));
    assert_eq!(capture.reader().record(0).unwrap().comment, Some("one"));
    let copy = directory.path().join("little");
    save_as(&capture, Selection::All, &copy, Format::PcapNg, &[]).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&path).unwrap(), "in their order they stay as they are");
    save_as(&capture, Selection::Packets(&[1, 0]), &copy, Format::PcapNg, &[]).unwrap();
    let bytes = fs::read(&copy).unwrap();
    let little = [
        &b"data\x01\0\x03\0one\0\x01\0\x03\0two\0"[..],
        &[2, 0, 4, 0, 0b1001, 0, 0x34, 0x12, 3, 0, 5, 0, 2, 0xDE, 0xAD, 0xBE, 0xEF, 0, 0, 0],
        &[4, 0, 8, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0xAD, 0x0B, 7, 0, 1, 0x80, 0, 0, 9, 8, 7, 0, 0, 0, 0, 0],
    ]
    .concat();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(&little), "{bytes:02x?}");
    assert!(
        holds(b"old!\x04\0\x08\0\x05\0\0\0\0\0\0\0\0\0\0\0"),
        "the drop count of an obsolete block: {bytes:02x?}"
    );
}

/// Takes a number of bytes, a few at once, then fails like a full disk.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = bytes.len().min(self.0).min(1000);
        self.0 -= n;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_failed_write_is_told_once_with_its_reason() {
    for room in [0, 10, 1_000, 5_000, 300_000] {
        let mut writer = Writer::new(Full(room), Format::PcapNg, "/mnt/full.pcapng");
        writer.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
        let error = (0..1_000).find_map(|_| writer.write_packet(&PacketRecord::new(0, 1, &[7; 999])).err());
        let message = error.unwrap().to_string();
        assert!(message.contains("cannot write to /mnt/full.pcapng"), "{message}");
        assert!(message.contains("free some space"), "{message}");
        assert_eq!(writer.bytes_written(), room as u64);
        assert!(matches!(writer.flush(), Err(Error::Stopped { .. })));
        assert!(matches!(writer.finish(&[]), Err(Error::Stopped { .. })));
    }
}

#[test]
fn a_spool_is_private_and_never_overwrites() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("state/rawbench");
    let mut spools: Vec<Spool> = (0..5).map(|_| Spool::create(&inner).unwrap()).collect();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for spool in &mut spools {
        assert_eq!(mode(spool.path()), 0o600);
        let name = spool.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("spool-2") && name.ends_with(".pcapng"), "{name}");
        spool.finish(&[]).unwrap();
        assert_eq!(CaptureFile::open(spool.path()).unwrap().0.len(), 0);
    }
    assert_eq!(names(&inner).len(), 5);
    let error = Spool::create("/proc/nothing/here").unwrap_err().to_string();
    assert!(error.contains("/proc/nothing/here"), "{error}");
}

/// Runs itself in a process that may make no file over 64 KiB: what a full disk does to a spool.
#[test]
fn a_spool_on_a_full_disk_keeps_all_that_was_written() {
    const PLACE: &str = "RAWBENCH_TEST_SPOOL";
    if let Some(directory) = std::env::var_os(PLACE) {
        return fill_a_spool(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        // dash counts blocks of 512 bytes, bash of 1024.
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact --nocapture \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("a_spool_on_a_full_disk_keeps_all_that_was_written")
        .env(PLACE, directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("filled the spool"), "the limited process did its work: {text}");
}

fn fill_a_spool(directory: &Path) {
    let mut spool = Spool::create(directory).unwrap();
    spool.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
    let capture = spool.capture_file();
    let mut appended = 0;
    let error = loop {
        let data = vec![appended as u8; 1000];
        spool.append(&PacketRecord::new(0, appended, &data)).unwrap();
        appended += 1;
        if appended % 10 == 0
            && let Err(error) = spool.flush()
        {
            break error;
        }
    };
    let message = error.to_string();
    assert!(message.contains("spool-2") && message.contains("allows no larger file"), "{message}");
    let readable = capture.len() as u64;
    assert!(readable > 55, "{readable} packets");
    assert_ne!(readable % 10, 0, "the part of the last write that succeeded is kept too");
    assert_eq!(readable + spool.unwritten(), appended, "each packet is accounted for");
    assert!(matches!(spool.append(&PacketRecord::new(0, 0, b"x")), Err(Error::Stopped { .. })));
    assert!(spool.finish(&[]).is_err());
    assert_eq!(readable + spool.unwritten(), appended);
    let (opened, report) = CaptureFile::open(spool.path()).unwrap();
    assert_eq!((opened.len() as u64, report.torn_bytes, report.problem), (readable, 0, None));
    for (n, packet) in read(&opened).iter().enumerate() {
        assert!(packet.data.iter().all(|byte| *byte == n as u8));
    }
    println!("filled the spool");
}

#[test]
fn a_viewer_reads_while_the_recorder_writes() {
    const COUNT: u64 = 30_000;
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(directory.path()).unwrap();
    let capture = spool.capture_file();
    let recorder = std::thread::spawn(move || {
        spool.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
        for n in 0..COUNT {
            spool.append(&PacketRecord::new(0, n, &n.to_be_bytes())).unwrap();
            if n % 100 == 99 {
                spool.flush().unwrap();
            }
        }
        spool.finish(&[]).unwrap();
    });
    let (mut reader, mut bytes) = (capture.reader(), Vec::new());
    loop {
        let snapshot = capture.index().snapshot();
        if let Some(last) = snapshot.len().checked_sub(1) {
            capture.read_packet(last, &mut bytes).unwrap();
            assert_eq!(bytes, (last as u64).to_be_bytes());
            let middle = last / 2;
            assert_eq!(reader.bytes(snapshot.get(middle).unwrap()).unwrap(), (middle as u64).to_be_bytes());
        }
        if snapshot.len() as u64 == COUNT {
            break;
        }
    }
    recorder.join().unwrap();
}

#[test]
fn names_choose_the_format() {
    for (name, format) in [
        ("a.pcap", Format::Pcap),
        ("a.PCAP", Format::Pcap),
        ("a.pcapng", Format::PcapNg),
        ("a", Format::PcapNg),
        ("pcap", Format::PcapNg),
        ("a.pcap.bak", Format::PcapNg),
    ] {
        assert_eq!(Format::for_path(Path::new(name)), format, "{name}");
    }
}

#[test]
fn a_writer_to_a_pipe_shows_each_flushed_packet_at_once() {
    let (mut reader, pipe) = io::pipe().unwrap();
    let mut writer = Writer::new(pipe, Format::Pcap, "-");
    writer.add_interface(&InterfaceInfo::new("eth0", LinkType::ETHERNET)).unwrap();
    writer.write_packet(&PacketRecord::new(0, 1, b"hello")).unwrap();
    writer.flush().unwrap();
    let mut bytes = [0; 24 + 16 + 5];
    reader.read_exact(&mut bytes).unwrap();
    assert!(bytes.ends_with(b"hello"));
}
