//! The workbench reads files while they are looked at, follows them as they grow, takes captures through pipes, and captures
//! on another machine through a program that stands for ssh.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rawbench::app::{Command, Origin, Question, Severity, Workbench};
use rawbench::engine::{Access, Engine, Reading, Remote};
use rawbench::pcap::{Format, InterfaceInfo, LinkType, PacketRecord, Writer};

/// A pcap file of so many packets, each of 100 bytes.
fn capture(packets: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::Pcap, "test");
    writer.add_interface(&InterfaceInfo::new("lo", LinkType::ETHERNET)).unwrap();
    for n in 0..packets {
        writer.write_packet(&PacketRecord::new(0, n as u64, &[n as u8; 100])).unwrap();
    }
    writer.flush().unwrap();
    writer.get_ref().clone()
}

/// Bytes of a packet in the file.
const RECORD: usize = 116;

struct Bench {
    bench: Workbench,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::start(Access::closed().unwrap(), Arc::new(|| ())).unwrap();
        Self { bench: Workbench::new(Some(engine), directory.path().join("spools")), directory }
    }

    /// A file with this content, which is opened.
    fn open(bytes: &[u8]) -> (Self, PathBuf) {
        let mut bench = Self::new();
        let path = bench.directory.path().join("file");
        fs::write(&path, bytes).unwrap();
        bench.bench.apply(Command::OpenPath(path.clone()));
        bench.wait("the file is open", |b| matches!(b.capture().origin(), Origin::File(_)));
        (bench, path)
    }

    /// Takes in what happens until something holds, at most some seconds.
    fn wait(&mut self, what: &str, holds: impl Fn(&Workbench) -> bool) {
        let begun = Instant::now();
        loop {
            self.bench.drain(Duration::from_millis(5));
            if holds(&self.bench) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "{what}: {:?}", self.bench.notices());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_for(&mut self, packets: usize) {
        self.wait(&format!("{packets} packets"), |b| b.capture().len() == packets);
    }

    /// Waits for a message with this text in it.
    fn wait_for_notice(&mut self, text: &str) {
        self.wait(text, |b| b.notices().iter().any(|n| n.text.contains(text)));
    }

    /// What happens in a while that is long for a thread.
    fn pause(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(150) {
            self.bench.drain(Duration::from_millis(5));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn errors(&self) -> Vec<&str> {
        // There is no way to any source here, which is said as well.
        let notices = self.bench.notices().iter().filter(|n| n.severity == Severity::Error);
        notices.map(|n| n.text.as_str()).collect()
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_file_is_followed_as_long_as_it_is_wanted() {
    let bytes = capture(10);
    let whole = |packets: usize| bytes.len() - (10 - packets) * RECORD;
    // The third packet is not whole yet.
    let (mut b, path) = Bench::open(&bytes[..whole(2) + 50]);
    b.wait("it is read", |b| !b.capture().is_loading());
    assert_eq!(b.bench.capture().len(), 2);
    assert_eq!(b.bench.capture().reading().and_then(Reading::follows), Some(true));
    append(&path, &bytes[whole(2) + 50..whole(4) + 3]);
    b.wait_for(4);
    b.bench.apply(Command::FollowFile(false));
    append(&path, &bytes[whole(4) + 3..whole(6)]);
    b.pause();
    assert_eq!(b.bench.capture().len(), 4);
    b.bench.apply(Command::FollowFile(true));
    b.wait_for(6);
    assert!(b.errors().is_empty(), "{:?}", b.errors());
    // Its name goes, and the program that writes it goes on.
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    b.wait_for_notice("the file was removed or renamed");
    writer.write_all(&bytes[whole(6)..whole(7)]).unwrap();
    b.wait_for(7);
    // Nobody looks at it any more.
    let file = b.bench.capture().file().unwrap().clone();
    b.bench.apply(Command::Clear);
    b.pause();
    writer.write_all(&bytes[whole(7)..]).unwrap();
    b.pause();
    assert_eq!(file.len(), 7);
}

#[test]
fn what_becomes_of_an_open_file_is_said_and_no_wrong_packet_shown() {
    let (mut b, path) = Bench::open(&capture(10));
    b.wait("it is read", |b| !b.capture().is_loading());
    assert_eq!(b.bench.capture_mut().row(0).unwrap().number, 1);
    // Another capture is written into the file, as long.
    let mut other = capture(10);
    other[24..].fill(0x41);
    fs::write(&path, &other).unwrap();
    b.wait_for_notice("so the file was changed since it was opened; open it again");
    let row = b.bench.capture_mut().row(5).unwrap();
    assert!(row.row.info.contains("changed since it was opened") && row.number == 6, "{:?}", row.row);
    assert_eq!(b.bench.capture().reading().and_then(Reading::follows), None, "it is followed no more");

    let (mut b, path) = Bench::open(&capture(10));
    b.wait("it is read", |b| !b.capture().is_loading());
    OpenOptions::new().write(true).open(&path).unwrap().set_len(300).unwrap();
    b.wait_for_notice("it is shorter than it was");

    let (mut b, path) = Bench::open(&capture(10));
    b.wait("it is read", |b| !b.capture().is_loading());
    fs::write(path.with_extension("new"), capture(3)).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    b.wait_for_notice("another file is in the place of the one that is open");
    assert_eq!(b.bench.capture_mut().row(9).unwrap().row.info.find("changed"), None);
}

#[test]
fn a_file_that_ends_within_a_packet_and_is_old_is_torn() {
    let bytes = capture(3);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torn");
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut b = Bench::new();
    b.bench.apply(Command::OpenPath(path));
    b.wait_for_notice("the file ends in the middle of packet 3");
    assert_eq!(b.bench.capture().len(), 2);
}

#[test]
fn the_reading_of_a_file_can_be_cancelled_and_says_so() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&capture(300_000)).unwrap();
    let (mut b, _path) = Bench::open(&packed.finish().unwrap());
    b.wait("the first packets show", |b| !b.capture().is_empty());
    b.bench.apply(Command::CancelReading);
    b.wait("the reading ends", |b| !b.capture().is_loading());
    let packets = b.bench.capture().len();
    assert!(packets > 0 && packets < 300_000, "{packets}");
    assert!(b.bench.capture().partly().is_some_and(|text| text.starts_with("read to")));
    b.wait_for_notice(&format!("was cancelled: the list has the {packets} packets of its first"));
    assert!(b.bench.capture_mut().row(packets - 1).unwrap().row.info.find("cannot").is_none());
}

#[test]
fn packets_of_a_pipe_show_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Process::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut b = Bench::new();
    b.bench.apply(Command::OpenPath(pipe.clone()));
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    let bytes = capture(3);
    writer.write_all(&bytes[..24]).unwrap();
    b.wait("it is a live capture", |b| b.capture().is_running());
    for n in 0..3 {
        writer.write_all(&bytes[24 + n * RECORD..24 + (n + 1) * RECORD]).unwrap();
        b.wait_for(n + 1);
    }
    // They stand nowhere else: nothing takes them away without a question.
    b.bench.apply(Command::Clear);
    assert!(matches!(b.bench.question(), Some(Question::Unsaved { packets: 3, .. })));
    drop(writer);
    b.wait("it has ended", |b| !b.capture().is_running());
    assert!(b.errors().is_empty(), "{:?}", b.errors());
    // What is no capture is refused.
    let mut b = Bench::new();
    b.bench.apply(Command::OpenPath(pipe.clone()));
    fs::write(&pipe, "Subject: hello, this is a letter and no capture").unwrap();
    b.wait_for_notice("is text");
}

/// A program that stands for ssh: runs what it is told to run there, where a program stands for tcpdump.
const SSH: &str = r#"#!/bin/sh
for last; do :; done
printf '%s\n' "$@" > "$0.args"
case "$*" in
*nobody*) echo 'me@nobody: Permission denied (publickey,password).' >&2; exit 255;;
esac
exec sh -c "$last"
"#;

/// Plays the packets of a file with a pause after each, until it is killed.
const TCPDUMP: &str = r#"#!/bin/sh
for word; do printf '<%s>' "$word"; done > "$0.args"
echo $$ > "$0.pid"
echo 'tcpdump: listening on any' >&2
head -c 24 "$0.pcap"
skip=24
while [ $skip -lt 300 ]; do
  tail -c +$((skip + 1)) "$0.pcap" | head -c 116
  skip=$((skip + 116))
  sleep 0.05
done
exec sleep 1000
"#;

#[test]
fn another_machine_captures_over_ssh() {
    const INSIDE: &str = "RAWBENCH_TEST_READING_SSH";
    let Some(place) = std::env::var_os(INSIDE).map(PathBuf::from) else {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("ssh", SSH), ("tcpdump", TCPDUMP)] {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(directory.path().join("tcpdump.pcap"), capture(3)).unwrap();
        let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
        let out = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "another_machine_captures_over_ssh", "--nocapture"])
            .env(INSIDE, directory.path())
            .env("PATH", path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && text.contains("1 passed"), "{text}");
        return;
    };
    let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
    let mut b = Bench::new();
    let command = Remote::command("eth0", "host it's || port 80");
    b.bench.apply(Command::AskRemote);
    assert_eq!(b.bench.question(), Some(&Question::Remote));
    b.bench.apply(Command::CaptureRemote(Remote { host: "me@there".into(), command }));
    b.wait("it runs", |b| b.capture().is_running());
    assert!(matches!(b.bench.capture().origin(), Origin::Live(label) if label == "ssh me@there"));
    for packets in [1, 2, 3] {
        b.wait(&format!("packet {packets}"), |b| b.capture().len() >= packets);
    }
    assert_eq!(read("tcpdump.args"), "<-U><-w><-><-i><eth0><host it's || port 80>");
    assert!(read("ssh.args").contains("BatchMode=yes") && read("ssh.args").contains("\n--\nme@there\n"));
    b.bench.apply(Command::StopCapture);
    b.wait("it has ended", |b| !b.capture().is_running());
    assert!(b.errors().iter().all(|text| !text.contains("there")), "{:?}", b.errors());
    let there = PathBuf::from(format!("/proc/{}", read("tcpdump.pid").trim()));
    b.wait("nothing runs there any more", |_| !there.exists());
    // It stands in the list, also when that is asked for again.
    b.bench.apply(Command::RefreshSources);
    b.pause();
    assert!(b.bench.source().is_some_and(|source| source.label == "ssh me@there"));
    // What ssh says is shown.
    let mut b = Bench::new();
    b.bench.apply(Command::CaptureRemote(Remote { host: "me@nobody".into(), command: "tcpdump".into() }));
    b.wait_for_notice(
        "ssh me@nobody failed:\nme@nobody: Permission denied (publickey,password).\nrawbench asks for no",
    );
    assert!(!b.bench.capture().is_busy());
    b.bench
        .apply(Command::CaptureRemote(Remote { host: "-oProxyCommand=x".into(), command: "tcpdump".into() }));
    b.wait_for_notice("'-oProxyCommand=x' is no host");
    b.bench
        .apply(Command::CaptureRemote(Remote { host: "x".into(), command: "false; cat /etc/hosts".into() }));
    b.wait_for_notice("the capture on x ended with status 1");
}

#[test]
fn a_compressed_file_that_grows_is_not_followed_and_it_says_so() {
    let packed = |bytes: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let bytes = capture(4);
    let (mut b, path) = Bench::open(&packed(&bytes[..bytes.len() - RECORD]));
    b.wait("it is read", |b| !b.capture().is_loading());
    assert_eq!(b.bench.capture().len(), 3);
    b.pause();
    assert!(b.errors().is_empty(), "{:?}", b.errors());
    // Another member of the same file, as gzip says.
    append(&path, &packed(&bytes[bytes.len() - RECORD..]));
    b.wait_for_notice("has grown since it was read: a compressed file is not followed; open it again");
    b.bench.apply(Command::OpenPath(path.clone()));
    b.wait_for(4);
    // One that is cut says what to do.
    let whole = packed(&bytes);
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    b.bench.apply(Command::OpenPath(path));
    b.wait_for_notice("open it again when it is whole");
}
