//! Captures that are compressed, that come through a pipe, that grow, and that are changed while they are open.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rawbench::pcap::{
    CaptureFile, Error, Format, InterfaceInfo, Keep, LinkType, Loader, Name, PacketRecord, Progress, Report,
    Woken, Writer, left_spools, open_stream,
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Packet number `n`: no two begin alike.
fn packet(n: u64) -> Vec<u8> {
    (0..60 + n % 900).map(|i| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (i % 56)) as u8).collect()
}

/// A capture of so many packets.
fn capture(format: Format, packets: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), format, "test");
    writer.add_interface(&InterfaceInfo::new("lo", LinkType::ETHERNET)).unwrap();
    for n in 0..packets {
        writer.write_packet(&PacketRecord::new(0, 1_700_000_000_000_000_000 + n * 1000, &packet(n))).unwrap();
    }
    writer.flush().unwrap();
    writer.get_ref().clone()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, CompressionLevel::Fastest)
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Every packet is the right one.
fn check(capture: &CaptureFile) {
    let mut reader = capture.reader();
    for n in 0..capture.len() {
        assert_eq!(reader.record(n).unwrap().data, packet(n as u64), "packet {n}");
    }
}

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    /// A file whose name says nothing of what it is.
    fn with(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.txt");
        fs::write(&path, bytes).unwrap();
        Self { directory, path }
    }

    fn append(&self, bytes: &[u8]) {
        OpenOptions::new().append(true).open(&self.path).unwrap().write_all(bytes).unwrap();
    }
}

#[test]
fn compressed_captures_are_read_like_others() {
    for format in [Format::Pcap, Format::PcapNg] {
        let plain = capture(format, 3000);
        for packed in [gzip(&plain), zstd(&plain), [gzip(&plain[..900]), gzip(&plain[900..])].concat()] {
            let place = Place::with(&packed);
            let (capture, mut loader) = CaptureFile::begin(&place.path).unwrap();
            let mut last = Progress { bytes: 0, total: 0, packets: 0 };
            let report = loader
                .run(&mut |progress| {
                    assert!(progress.bytes >= last.bytes && progress.total == packed.len() as u64);
                    last = progress;
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(report, Report { packets: 3000, ..Report::default() });
            assert_eq!((last.bytes, last.packets), (packed.len() as u64, 3000));
            check(&capture);
            let (capture, report) = open_stream(packed.as_slice()).unwrap();
            assert_eq!((report.packets, report.problem), (3000, None));
            check(&capture);
        }
    }
}

#[test]
fn a_damaged_compressed_capture_gives_what_stands_before_the_damage() {
    let plain = capture(Format::PcapNg, 2000);
    for (packed, name) in [(gzip(&plain), "gzip"), (zstd(&plain), "zstd")] {
        for share in [2, 5, 8] {
            let cut = packed.len() * share / 10;
            let place = Place::with(&packed[..cut]);
            let (capture, report) = CaptureFile::open(&place.path).unwrap();
            // A block of zstd has up to 128 KiB.
            let least = (2000 * share as u64 / 10).saturating_sub(400);
            assert!((least..2000).contains(&report.packets), "{name} at {share}/10: {report:?}");
            check(&capture);
            let problem = report.problem.unwrap();
            assert_eq!(problem.offset, cut as u64);
            let text = format!("the {name} file ends at byte {cut} before its contents do");
            assert!(problem.text.starts_with(&text), "{}", problem.text);
            assert!(problem.text.contains(&format!("{} packets are readable", report.packets)));
        }
        let mut damaged = packed.clone();
        let middle = packed.len() / 2;
        damaged[middle..middle + 20].fill(0xFF);
        for (capture, report) in [
            CaptureFile::open(Place::with(&damaged).path.as_path()).unwrap(),
            open_stream(damaged.as_slice()).unwrap(),
        ] {
            assert!(report.packets >= 500 && report.packets <= 2000, "{report:?}");
            let mut reader = capture.reader();
            for n in 0..500 {
                assert_eq!(reader.record(n).unwrap().data, packet(n as u64));
            }
            let problem = report.problem.unwrap();
            assert!(
                problem.text.contains(&format!("the {name} file is damaged before byte")),
                "{}",
                problem.text
            );
        }
        // A header, and nothing behind it.
        let error = CaptureFile::open(Place::with(&packed[..12]).path.as_path()).unwrap_err().to_string();
        assert!(error.contains(&format!("compressed with {name}, and damaged at its beginning")), "{error}");
    }
    let error = open_stream(gzip(b"Subject: hello\n").as_slice()).unwrap_err().to_string();
    assert!(error.contains("is text"), "{error}");
}

#[test]
fn unpacking_is_bounded_by_the_disk_and_can_be_stopped() {
    // 20 MB that come from little.
    let header = capture(Format::PcapNg, 1);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&header).unwrap();
    let unknown = [&0x0BAD_u32.to_le_bytes()[..], &1_000_000_u32.to_le_bytes(), &[0; 999_988]].concat();
    for _ in 0..20 {
        bomb.write_all(&unknown).unwrap();
        bomb.write_all(&1_000_000_u32.to_le_bytes()).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let place = Place::with(&bomb);
    let (full, mut loader) = CaptureFile::begin_keeping(&place.path, u64::MAX).unwrap();
    let report = loader.run(&mut go_on).unwrap();
    let text = report.problem.unwrap().text;
    assert!(text.contains("is low") && text.contains("1 packet is readable"), "{text}");
    assert_eq!((report.packets, full.len()), (1, 1));
    check(&full);

    let (stopped, mut loader) = CaptureFile::begin(&place.path).unwrap();
    let report = loader.run(&mut |_| ControlFlow::Break(())).unwrap();
    assert!(report.cancelled && report.problem.is_none(), "{report:?}");
    assert_eq!(stopped.len(), 1);
    check(&stopped);
}

/// Waits until something holds, at most some seconds.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn packets_of_a_stream_show_as_they_come() {
    for format in [Format::Pcap, Format::PcapNg] {
        let directory = tempfile::tempdir().unwrap();
        let (source, mut pipe) = std::io::pipe().unwrap();
        let bytes = capture(format, 3);
        let length = |packets| capture(format, packets).len();
        // The header in two pieces, as a slow program writes it.
        pipe.write_all(&bytes[..10]).unwrap();
        let spools = directory.path().to_path_buf();
        let opening = std::thread::spawn(move || Loader::stream(source, "the test", Keep::Spool(&spools)));
        pipe.write_all(&bytes[10..length(0)]).unwrap();
        let (capture, mut loader) = opening.join().unwrap().unwrap();
        let running = std::thread::spawn(move || loader.run(&mut go_on).unwrap());
        for n in 0..3 {
            pipe.write_all(&bytes[length(n)..length(n + 1)]).unwrap();
            wait_for("the packet shows", || capture.len() as u64 == n + 1);
            check(&capture);
        }
        // Nobody else is offered what is in use.
        assert!(left_spools(directory.path()).is_empty());
        drop(pipe);
        let report = running.join().unwrap();
        assert_eq!(report, Report { packets: 3, ..Report::default() });
        drop(capture);
        let left = left_spools(directory.path());
        assert_eq!((left.len(), left[0].packets), (1, 3), "a killed program's stream is found again");
        check(&left[0].capture);
    }
}

#[test]
fn a_stream_is_stopped_while_nothing_comes() {
    let (source, mut pipe) = std::io::pipe().unwrap();
    let bytes = capture(Format::Pcap, 2);
    // The second packet is torn.
    pipe.write_all(&bytes[..bytes.len() - 3]).unwrap();
    let (capture, mut loader) = Loader::stream(source, "the test", Keep::Unnamed).unwrap();
    let stop = loader.stopper().unwrap();
    let running = std::thread::spawn(move || loader.run(&mut go_on).unwrap());
    wait_for("the packet shows", || capture.len() == 1);
    stop.stop();
    let report = running.join().unwrap();
    assert!(report.cancelled && report.packets == 1 && report.problem.is_none(), "{report:?}");
    check(&capture);
}

#[test]
fn a_file_that_grows_is_followed() {
    for format in [Format::Pcap, Format::PcapNg] {
        let bytes = capture(format, 60);
        let place = Place::with(&bytes[..capture(format, 1).len()]);
        let (capture, mut loader) = CaptureFile::begin(&place.path).unwrap();
        let (mut watch, nudge) = loader.watch().unwrap().unwrap();
        assert_eq!(loader.run(&mut go_on).unwrap().packets, 1);
        let (path, rest) = (place.path.clone(), bytes[self::capture(format, 1).len()..].to_vec());
        let writer = std::thread::spawn(move || {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            // No packet is written whole.
            for piece in rest.chunks(701) {
                file.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut torn = 0;
        while capture.len() < 60 {
            assert_eq!(watch.wait(Some(Duration::from_secs(10))).unwrap(), Woken::Changed);
            let report = loader.run(&mut go_on).unwrap();
            assert!(report.torn || report.problem.is_none(), "{report:?}");
            torn += u32::from(report.torn);
        }
        writer.join().unwrap();
        assert!(torn > 0, "a record was seen that was not whole yet");
        check(&capture);
        assert!(matches!(watch.name(), Name::Same));
        while watch.wait(Some(Duration::from_millis(20))).unwrap() == Woken::Changed {}
        assert_eq!(
            watch.wait(Some(Duration::from_millis(20))).unwrap(),
            Woken::Late,
            "nothing wakes it at rest"
        );
        nudge.nudge();
        assert_eq!(watch.wait(None).unwrap(), Woken::Nudged);
        drop(nudge);
        assert_eq!(watch.wait(None).unwrap(), Woken::Ended);
    }
}

/// An opened file of 50 packets, then something happens to it.
fn opened() -> (Place, CaptureFile, Loader) {
    let place = Place::with(&capture(Format::Pcap, 50));
    let (capture, mut loader) = CaptureFile::begin(&place.path).unwrap();
    assert_eq!(loader.run(&mut go_on).unwrap().packets, 50);
    (place, capture, loader)
}

/// No packet of these is given any more, by no way.
fn nothing_is_given(capture: &CaptureFile, positions: std::ops::Range<usize>, why: &str) {
    for n in positions {
        let error = capture.read_packet(n, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }) && error.to_string().contains(why), "{n}: {error}");
        assert!(capture.reader().record(n).is_err(), "{n}");
    }
}

#[test]
fn a_file_that_is_truncated_gives_no_packet() {
    let (place, capture, mut loader) = opened();
    let mut reader = capture.reader();
    assert_eq!(reader.record(3).unwrap().data, packet(3));
    let half = fs::metadata(&place.path).unwrap().len() / 2;
    OpenOptions::new().write(true).open(&place.path).unwrap().set_len(half).unwrap();
    nothing_is_given(&capture, 0..50, "shorter than it was");
    assert!(matches!(loader.run(&mut go_on), Err(Error::Changed { .. })));
    // Not even when it is as long as before again.
    place.append(&vec![0; 100_000]);
    nothing_is_given(&capture, 0..50, "shorter than it was");
}

#[test]
fn a_file_that_is_written_anew_gives_no_packet() {
    // As long, shorter and longer, with a header that is the same: another capture of the same interface.
    for packets in [50, 20, 90_u64] {
        let (place, capture, mut loader) = opened();
        let mut reader = capture.reader();
        assert_eq!(reader.record(3).unwrap().data, packet(3));
        let mut writer = Writer::new(File::create(&place.path).unwrap(), Format::Pcap, &place.path);
        writer.add_interface(&InterfaceInfo::new("lo", LinkType::ETHERNET)).unwrap();
        for n in 0..packets {
            writer.write_packet(&PacketRecord::new(0, n, &packet(n)[..60])).unwrap();
        }
        writer.finish(&[]).unwrap();
        nothing_is_given(&capture, 0..50, "the file was changed since it was opened; open it again");
        assert!(matches!(loader.run(&mut go_on), Err(Error::Changed { .. })), "{packets}");
        // What was read before it may be given still; it is right.
        assert!(reader.record(4).map_or(true, |r| r.data == packet(4)));
    }
}

#[test]
fn a_file_that_is_touched_or_appended_to_is_the_same() {
    let (place, capture, mut loader) = opened();
    let file = OpenOptions::new().append(true).open(&place.path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    check(&capture);
    let more = self::capture(Format::Pcap, 300);
    let old = fs::metadata(&place.path).unwrap().len();
    place.append(&more[usize::try_from(old).unwrap()..]);
    check(&capture);
    assert_eq!(loader.run(&mut go_on).unwrap().packets, 300);
    check(&capture);
}

#[test]
fn a_file_whose_name_goes_stays_readable() {
    let (place, capture, mut loader) = opened();
    let (mut watch, _nudge) = loader.watch().unwrap().unwrap();
    let other = place.directory.path().join("other");
    fs::write(&other, b"something else").unwrap();
    fs::rename(&other, &place.path).unwrap();
    assert_eq!(watch.wait(Some(Duration::from_secs(10))).unwrap(), Woken::Changed);
    assert!(matches!(watch.name(), Name::Replaced));
    fs::remove_file(&place.path).unwrap();
    assert!(matches!(watch.name(), Name::Removed));
    check(&capture);
    assert_eq!(loader.run(&mut go_on).unwrap().packets, 50);
    assert!(!Path::new(&place.path).exists());
}
