//! Reading capture files: every variant of the formats, torn and damaged files, foreign files, pipes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;

use proptest::prelude::*;
use rawbench::pcap::{
    CaptureFile, ChecksumState, Direction, Error, Format, LinkType, Loss, Report, Selection, open_stream,
    save_as,
};

/// Puts numbers into bytes in either order.
#[derive(Clone, Copy)]
struct Put {
    big: bool,
}

impl Put {
    fn u16(self, n: u16) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }
    fn u32(self, n: u32) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }
    fn u64(self, n: u64) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }
    fn time(self, n: u64) -> Vec<u8> {
        [self.u32((n >> 32) as u32), self.u32(n as u32)].concat()
    }
    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        [self.u16(code), self.u16(value.len() as u16), padded(value)].concat()
    }
    fn block(self, kind: u32, body: &[Vec<u8>]) -> Vec<u8> {
        let body = padded(&body.concat());
        let total = self.u32(body.len() as u32 + 12);
        [self.u32(kind), total.clone(), body, total].concat()
    }
    fn section(self) -> Vec<u8> {
        self.block(0x0A0D_0D0A, &[self.u32(0x1A2B_3C4D), self.u16(1), self.u16(0), self.u64(u64::MAX)])
    }
    fn interface(self, link: u16, snap: u32, options: &[Vec<u8>]) -> Vec<u8> {
        self.block(1, &[self.u16(link), self.u16(0), self.u32(snap), options.concat()])
    }
    fn enhanced(self, interface: u32, time: u64, original: u32, data: &[u8], options: &[Vec<u8>]) -> Vec<u8> {
        let lengths = [self.u32(data.len() as u32), self.u32(original)].concat();
        self.block(6, &[self.u32(interface), self.time(time), lengths, padded(data), options.concat()])
    }
    fn pcap(self, magic: u32, link: u32) -> Vec<u8> {
        let version = [self.u16(2), self.u16(4)].concat();
        [self.u32(magic), version, vec![0; 8], self.u32(65_535), self.u32(link)].concat()
    }
    fn record(self, seconds: u32, fraction: u32, original: u32, more: &[u8], data: &[u8]) -> Vec<u8> {
        let lengths = [self.u32(data.len() as u32), self.u32(original)].concat();
        [self.u32(seconds), self.u32(fraction), lengths, more.to_vec(), data.to_vec()].concat()
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn open(bytes: &[u8]) -> Result<(CaptureFile, Report), Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    // The file stays readable after its name is gone.
    CaptureFile::open(file.path())
}

const ORDERS: [Put; 2] = [Put { big: false }, Put { big: true }];

#[test]
fn pcap_in_both_orders_and_units() {
    for put in ORDERS {
        for (magic, ns) in [(0xA1B2_C3D4, 123_456_000), (0xA1B2_3C4D, 123_456), (0xA1B2_CD34, 123_456_000)] {
            let modified = magic == 0xA1B2_CD34;
            // Interface, protocol, kind (4: outgoing), padding.
            let more: &[u8] = if modified { &[0, 0, 0, 2, 8, 0, 4, 0] } else { &[] };
            let file = [
                put.pcap(magic, 0x1400_0000 | 101),
                put.record(1_700_000_000, 123_456, 60, more, b"abcd"),
                put.record(u32::MAX, 0, 3, more, b"xyz"),
            ];
            let (capture, report) = open(&file.concat()).unwrap();
            assert_eq!(report, Report { packets: 2, ..Report::default() });
            assert_eq!((capture.format(), capture.len()), (Format::Pcap, 2));
            assert_eq!(
                capture.interfaces()[0].link_type,
                LinkType::RAW,
                "without the bits of the check sequence"
            );
            assert_eq!(capture.interfaces()[0].snap_length, 65_535);
            let mut reader = capture.reader();
            let record = reader.record(0).unwrap();
            assert_eq!(record.timestamp_ns, 1_700_000_000_000_000_000 + ns);
            assert_eq!((record.original_length, record.data), (60, &b"abcd"[..]));
            let direction = if modified { Direction::Outbound } else { Direction::Unknown };
            assert_eq!(record.direction, direction);
            assert_eq!(reader.record(1).unwrap().timestamp_ns, u64::from(u32::MAX) * 1_000_000_000);
            assert!(matches!(reader.record(2), Err(Error::NoSuchPacket { packets: 2, .. })));
        }
    }
}

/// Two interfaces with clocks of their own, all kinds of packets, an unknown block, options.
fn pcapng(put: Put) -> Vec<u8> {
    let names = [put.option(2, b"eth7\0"), put.option(3, b"the seventh"), put.option(11, b"\0tcp port 80")];
    [
        put.section(),
        put.interface(1, 4, &[names.concat(), put.option(9, &[9]), put.option(0, &[])]),
        put.block(0x0000_0BAD, &[b"who knows what this is".to_vec()]),
        put.interface(
            101,
            0,
            &[put.option(9, &[0x80 | 10]), put.option(14, &put.u64(100)), put.option(0, &[])],
        ),
        put.enhanced(0, 1_700_000_000_123_456_789, 1500, b"first", &[]),
        put.enhanced(
            1,
            1024 + 512,
            3,
            b"two",
            &[
                put.option(1, "grüß".as_bytes()),
                put.option(1, b"again"),
                put.option(2, &put.u32(0b10 | 1 << 9)),
            ],
        ),
        // A simple packet is cut at the snap length of the first interface.
        put.block(3, &[put.u32(9), b"nine".to_vec()]),
        // An obsolete packet: 16 bits of interface, 16 of drop count.
        put.block(
            2,
            &[
                put.u16(0),
                put.u16(7),
                put.time(5),
                put.u32(3),
                put.u32(3),
                b"old\0".to_vec(),
                put.option(2, &put.u32(1 | 1 << 10)),
            ],
        ),
        put.block(
            5,
            &[
                put.u32(0),
                put.time(9),
                put.option(2, &put.time(1_000)),
                put.option(3, &put.time(2_000)),
                put.option(4, &put.u64(12)),
                put.option(5, &put.u64(1)),
                put.option(7, &put.u64(2)),
                put.option(0, &[]),
            ],
        ),
    ]
    .concat()
}

#[test]
fn pcapng_with_all_kinds_of_blocks_in_sections_of_both_orders() {
    let (capture, report) = open(&[pcapng(ORDERS[1]), pcapng(ORDERS[0])].concat()).unwrap();
    assert_eq!(report, Report { packets: 8, ..Report::default() });
    assert_eq!(capture.format(), Format::PcapNg);
    let interfaces = capture.interfaces();
    assert_eq!(interfaces.len(), 4);
    let mut reader = capture.reader();
    for section in 0..2 {
        let first = &interfaces[2 * section];
        assert_eq!(first.name.as_deref(), Some("eth7"), "without the zero byte");
        assert_eq!(first.description.as_deref(), Some("the seventh"));
        assert_eq!(first.filter.as_deref(), Some("tcp port 80"));
        let counters = first.statistics.unwrap();
        assert_eq!(counters.interface as usize, 2 * section);
        assert_eq!((counters.start_ns, counters.end_ns), (Some(1_000), Some(2_000)));
        assert_eq!((counters.received, counters.interface_dropped), (Some(12), Some(1)));
        assert_eq!(counters.system_dropped, Some(2));
        assert_eq!(interfaces[2 * section + 1].link_type, LinkType::RAW);

        let mut record = |n: usize| {
            let record = reader.record(4 * section + n).unwrap();
            assert_eq!(record.interface as usize / 2, section);
            let plain = (record.timestamp_ns, record.original_length, record.data.to_vec());
            (plain, record.direction, record.checksum, record.comment.map(str::to_owned))
        };
        let unknown = (Direction::Unknown, ChecksumState::Unknown);
        assert_eq!(
            record(0),
            ((1_700_000_000_123_456_789, 1500, b"first".to_vec()), unknown.0, unknown.1, None)
        );
        let comment = Some("grüß".to_owned());
        let flags = (Direction::Outbound, ChecksumState::NotComputed);
        assert_eq!(record(1), ((101_500_000_000, 3, b"two".to_vec()), flags.0, flags.1, comment));
        assert_eq!(record(2), ((0, 9, b"nine".to_vec()), unknown.0, unknown.1, None));
        let flags = (Direction::Inbound, ChecksumState::Valid);
        assert_eq!(record(3), ((5, 3, b"old".to_vec()), flags.0, flags.1, None));
        let entry = capture.index().get(4 * section + 2).unwrap();
        assert!(!entry.has_time() && !entry.has_comment());
        assert!(capture.index().get(4 * section + 1).unwrap().has_comment());
    }
}

#[test]
fn what_is_saved_as_pcapng_keeps_every_block() {
    let directory = tempfile::tempdir().unwrap();
    let unknown = |bytes: &[u8]| bytes.windows(22).filter(|w| w == b"who knows what this is").count();
    for (first, second) in [(0, 1), (1, 0)] {
        let whole = [pcapng(ORDERS[first]), pcapng(ORDERS[second])].concat();
        // Torn behind the last packet, as a capture that was killed.
        let (capture, report) = open(&[&whole[..], b"\x06\0\0\0\xff"].concat()).unwrap();
        assert_eq!((report.packets, report.torn_bytes, report.torn), (8, 5, true));
        let copy = directory.path().join("copy.pcapng");
        let saved = save_as(&capture, Selection::All, &copy, Format::PcapNg, &[]).unwrap();
        assert_eq!((saved.packets, saved.bytes), (8, whole.len() as u64));
        assert_eq!(fs::read(&copy).unwrap(), whole);
        // Some packets, and all that is no packet; compressed.
        let copy = directory.path().join("some.pcapng.gz");
        assert_eq!(Format::for_path(&copy), Format::PcapNg);
        let some = [0, 2, 5];
        let saved = save_as(&capture, Selection::Packets(&some), &copy, Format::PcapNg, &[]).unwrap();
        assert_eq!((saved.packets, saved.bytes), (3, fs::metadata(&copy).unwrap().len()));
        assert!(fs::read(&copy).unwrap().starts_with(&[0x1f, 0x8b]));
        let (read, report) = CaptureFile::open(&copy).unwrap();
        assert_eq!(report, Report { packets: 3, ..Report::default() });
        assert_eq!(read.interfaces(), capture.interfaces());
        let (mut one, mut other) = (read.reader(), capture.reader());
        for (n, was) in some.into_iter().enumerate() {
            assert_eq!(one.record(n).unwrap(), other.record(was).unwrap());
        }
        let plain = directory.path().join("plain.pcapng");
        save_as(&read, Selection::All, &plain, Format::PcapNg, &[]).unwrap();
        assert_eq!(unknown(&fs::read(&plain).unwrap()), 2);
        let missing = save_as(&capture, Selection::Packets(&[1, 8]), &copy, Format::PcapNg, &[]);
        assert!(matches!(missing, Err(Error::NoSuchPacket { position: 8, .. })));
    }
    assert_eq!(Format::for_path("x.PCAP.gz".as_ref()), Format::Pcap);
}

#[test]
fn what_a_file_says_of_lost_packets_stands_at_its_row() {
    for put in ORDERS {
        let lost = |n: u64| vec![put.option(4, &put.u64(n)), put.option(0, &[])];
        let counters = |interface: u32, dropped: u64, system: u64| {
            let options = [
                put.option(3, &put.time(70)),
                put.option(5, &put.u64(dropped)),
                put.option(7, &put.u64(system)),
            ];
            put.block(5, &[put.u32(interface), put.time(9), options.concat(), put.option(0, &[])])
        };
        let nanoseconds = |name: &[u8]| put.interface(1, 0, &[put.option(2, name), put.option(9, &[9])]);
        let file = [
            put.section(),
            nanoseconds(b"eth7"),
            nanoseconds(b"eth8"),
            put.enhanced(0, 5, 3, b"one", &[]),
            put.enhanced(1, 6, 3, b"two", &lost(4)),
            // Counters of a moment, before those that hold in the end.
            counters(0, 1, 2),
            put.block(2, &[put.u16(0), put.u16(1), put.time(8), put.u32(3), put.u32(3), b"old\0".to_vec()]),
            counters(0, 3, 9),
            counters(1, 0, 0),
        ];
        let (capture, report) = open(&file.concat()).unwrap();
        assert_eq!((report.packets, report.problem), (3, None));
        let loss = |row, time_ns, packets, text: &str| Loss { row, time_ns, packets, text: text.to_owned() };
        let expected = [
            loss(1, 6, 4, "4 packets were lost here"),
            loss(2, 8, 1, "1 packet was lost here"),
            loss(
                3,
                70,
                4,
                "4 packets were dropped on eth7 by the system, at places that the file does not name",
            ),
            loss(3, 70, 3, "3 packets were dropped on eth7 by the interface, for lack of room"),
        ];
        assert_eq!(capture.losses(), expected);
    }
}

/// Cuts a file at every byte: never a panic, and exactly the packets that are whole.
fn torn_at_every_byte(bytes: &[u8], header: usize, ends: &[usize]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torn");
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        match CaptureFile::open(&path) {
            Ok((capture, report)) => {
                assert_eq!((capture.len(), report.packets), (whole, whole as u64), "cut at {cut}");
                let mut bytes = Vec::new();
                for n in 0..whole {
                    capture.read_packet(n, &mut bytes).unwrap();
                    capture.reader().record(n).unwrap();
                }
                if let Some(problem) = &report.problem {
                    assert_eq!(report.torn_bytes, cut as u64 - problem.offset, "cut at {cut}");
                    assert!(problem.text.contains("ends in the middle of"), "{}", problem.text);
                } else {
                    assert_eq!(report.torn_bytes, 0);
                }
            }
            Err(Error::Header { .. } | Error::Foreign { .. }) => assert!(cut < header, "cut at {cut}"),
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
}

#[test]
fn torn_pcap_gives_the_whole_packets() {
    for put in ORDERS {
        let mut bytes = put.pcap(0xA1B2_3C4D, 1);
        let mut ends = Vec::new();
        for n in 0..5 {
            bytes.extend(put.record(n, n, 60, &[], &vec![n as u8; 7 * n as usize]));
            ends.push(bytes.len());
        }
        torn_at_every_byte(&bytes, 24, &ends);
    }
}

#[test]
fn torn_pcapng_gives_the_whole_packets() {
    for put in ORDERS {
        let bytes = [pcapng(put), pcapng(put)].concat();
        // Walk the blocks to find where the packets end.
        let (mut at, mut ends) = (0, Vec::new());
        while at < bytes.len() {
            let number = |at: usize| {
                let four = bytes[at..at + 4].try_into().unwrap();
                if put.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
            };
            let kind = number(at);
            at += number(at + 4) as usize;
            if matches!(kind, 2 | 3 | 6) {
                ends.push(at);
            }
        }
        assert_eq!(ends.len(), 8);
        torn_at_every_byte(&bytes, 12, &ends);
    }
}

#[test]
fn the_report_says_what_is_torn() {
    let put = ORDERS[0];
    let mut bytes = put.pcap(0xA1B2_3C4D, 1);
    for n in 0..12 {
        bytes.extend(put.record(n, n, 60, &[], &[0; 44]));
    }
    bytes.truncate(bytes.len() - 40);
    let (_, report) = open(&bytes).unwrap();
    assert_eq!(
        report.problem.unwrap().text,
        "the file ends in the middle of packet 12 (needs 60 bytes, 20 are left): 11 packets are readable"
    );
    assert_eq!((report.packets, report.torn_bytes), (11, 20));
}

#[test]
fn damage_within_a_block_costs_that_block_only() {
    let put = ORDERS[0];
    let good = put.enhanced(0, 1, 4, b"good", &[]);
    let mut too_long = good.clone();
    too_long[20..24].copy_from_slice(&put.u32(5_000_000));
    let bytes = [
        put.section(),
        put.interface(1, 0, &[]),
        good.clone(),
        put.enhanced(3, 1, 4, b"lost", &[]),
        too_long,
        put.block(6, &[put.u32(0)]),
        put.block(3, &[put.u32(100), b"few".to_vec()]),
        good.clone(),
    ];
    let (capture, report) = open(&bytes.concat()).unwrap();
    assert_eq!((capture.len(), report.packets, report.skipped, report.torn_bytes), (2, 2, 4, 0));
    let text = report.problem.unwrap().text;
    assert!(text.contains("names interface 3") && text.contains("1 are described"), "{text}");

    // Where the frame of a block is damaged, what follows cannot be found.
    let mut bytes = [put.section(), put.interface(1, 0, &[]), good.clone(), good.clone(), good].concat();
    let end = bytes.len();
    bytes[end - 37] ^= 1;
    let (_, report) = open(&bytes).unwrap();
    assert_eq!((report.packets, report.torn_bytes), (1, 72));
    assert!(report.problem.unwrap().text.contains("ends with"));
}

#[test]
fn absurd_lengths_take_no_memory() {
    let put = ORDERS[0];
    let mut bytes = put.pcap(0xA1B2_C3D4, 1);
    let record = put.record(1, 1, 4, &[], b"good");
    bytes.extend(&record);
    bytes.extend([put.u32(1), put.u32(1), put.u32(u32::MAX), put.u32(u32::MAX), vec![7; 99]].concat());
    let (_, report) = open(&bytes).unwrap();
    assert_eq!(report.packets, 1);
    assert!(report.problem.unwrap().text.contains("4294967295 bytes"));

    // A sparse file of 6 GiB whose packet claims 3 of them.
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut start = [put.section(), put.interface(1, 0, &[])].concat();
    start.extend([put.u32(6), put.u32(3 << 30), put.u32(0), put.time(0), put.u32(2 << 30)].concat());
    fs::write(file.path(), start).unwrap();
    file.as_file().set_len(6 << 30).unwrap();
    let (capture, report) = CaptureFile::open(file.path()).unwrap();
    assert_eq!(capture.len(), 0);
    assert!(report.problem.is_some());
}

#[test]
fn foreign_files_are_refused_with_their_kind() {
    for (bytes, part) in [
        (&b""[..], "is empty"),
        (&b"\x7fELF\x02\x01\x01\x00"[..], "ELF"),
        (&b"No.  Time  Source\n"[..], "text"),
        (&[0xEE; 100][..], "ee ee ee"),
    ] {
        let message = open(bytes).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
        assert!(message.contains("pcap and pcapng"), "{message}");
        assert!(open_stream(bytes).unwrap_err().to_string().contains(part));
    }
    let missing = CaptureFile::open("/nonexistent/x.pcap").unwrap_err().to_string();
    assert!(missing.contains("cannot open /nonexistent/x.pcap"), "{missing}");
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(CaptureFile::open(directory.path()), Err(Error::Io { operation: "open", .. })));
}

#[test]
fn a_file_truncated_or_overwritten_while_open_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bytes = pcapng(ORDERS[0]);
    fs::write(file.path(), &bytes).unwrap();
    let (capture, _) = CaptureFile::open(file.path()).unwrap();
    let mut buffer = Vec::new();
    capture.read_packet(1, &mut buffer).unwrap();
    fs::write(file.path(), vec![0x55; bytes.len()]).unwrap();
    assert!(matches!(capture.reader().record(1), Err(Error::Changed { .. })));
    file.as_file().set_len(100).unwrap();
    for n in 0..4 {
        assert!(matches!(capture.read_packet(n, &mut buffer), Err(Error::Changed { .. })));
        assert!(matches!(capture.reader().record(n), Err(Error::Changed { .. })));
    }
}

#[test]
fn a_stream_and_a_pipe_are_read_like_a_file() {
    let bytes = pcapng(ORDERS[1]);
    let (capture, report) = open_stream(bytes.as_slice()).unwrap();
    assert_eq!((report.packets, report.problem), (4, None));
    assert_eq!(capture.reader().record(1).unwrap().data, b"two");

    let (reader, mut writer) = std::io::pipe().unwrap();
    let thread = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let opened = std::thread::spawn(move || CaptureFile::open(path));
    thread.join().unwrap();
    assert_eq!(opened.join().unwrap().unwrap().0.len(), 4);
    drop(reader);
}

#[test]
fn indexing_tells_its_progress_can_be_stopped_and_goes_on() {
    let put = ORDERS[0];
    let mut bytes = put.pcap(0xA1B2_3C4D, 1);
    let count = 4_000;
    for n in 0..count {
        bytes.extend(put.record(n, 0, 1500, &[], &[n as u8; 1500]));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &bytes).unwrap();
    let (capture, mut indexer) = CaptureFile::begin(file.path()).unwrap();
    assert!(capture.is_empty());
    let viewer = capture.clone();
    let report = indexer
        .run(&mut |progress| {
            assert_eq!(viewer.len() as u64, progress.packets, "rows show while the walk goes on");
            assert_eq!(progress.total, bytes.len() as u64);
            if progress.bytes > 2 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert!(report.cancelled && report.packets > 1_000 && report.packets < 2_000, "{report:?}");
    let report = indexer.run(&mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.packets, report.cancelled, report.problem), (u64::from(count), false, None));

    // The file grows by half a packet, then by the rest of it.
    let more = put.record(count, 0, 1500, &[], &[9; 1500]);
    for (part, packets) in [(&more[..700], count), (&more[700..], count + 1)] {
        fs::OpenOptions::new().append(true).open(file.path()).unwrap().write_all(part).unwrap();
        let report = indexer.run(&mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.packets, report.problem.is_some()), (u64::from(packets), packets == count));
    }
    let mut reader = capture.reader();
    for (n, entry) in capture.index().snapshot().iter().enumerate().take(count as usize) {
        assert!(reader.bytes(entry).unwrap().iter().all(|byte| *byte == n as u8));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(start in 0..5_usize, rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let put = ORDERS[start % 2];
        let start = [vec![], put.pcap(0xA1B2_3C4D, 1), put.section(), pcapng(put), put.pcap(0xA1B2_CD34, 1)][start].clone();
        read_all(&[start, rest].concat());
    }

    #[test]
    fn damaged_files_never_panic(big in any::<bool>(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = pcapng(Put { big });
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        read_all(&bytes);
    }
}

fn read_all(bytes: &[u8]) {
    let Ok((capture, report)) = open(bytes) else { return };
    assert_eq!(capture.len() as u64, report.packets);
    let mut reader = capture.reader();
    for n in 0..capture.len() {
        reader.record(n).unwrap();
    }
}
