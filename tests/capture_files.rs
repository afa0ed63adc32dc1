//! Where a capture goes: rings of files beside dumpcap, full disks, interfaces that go away and come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/capture.rs"]
mod capture;
#[path = "common/cli.rs"]
mod cli;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use capture::{Capture, datagram, runs_in_own_network};
use cli::{rawbench, skipped, stderr, stdout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn ip(arguments: &str) {
    let out = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(out.status.success(), "ip {arguments}: {}", stderr(&out));
}

/// The files of a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// How many packets a file has; it must be whole.
fn packets(path: &Path) -> u64 {
    let read = rawbench(&["read", path.to_str().unwrap(), "--count"]);
    assert_eq!((read.status.code(), stderr(&read).as_str()), (Some(0), ""), "{}", path.display());
    stdout(&read).trim().parse().unwrap()
}

/// A number of the summary, by the words before it.
fn counted(messages: &str, what: &str) -> u64 {
    let rest = messages.split_once(&format!("{what} ")).unwrap_or_else(|| panic!("{what}: {messages}")).1;
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// The summary adds up.
fn adds_up(messages: &str) {
    let [received, written, kernel, program] =
        ["received", "written", "lost in the kernel", "lost in the program"].map(|w| counted(messages, w));
    assert_eq!(received, written + kernel + program, "{messages}");
}

/// The numbers in the names PREFIX_NUMBER_DATE.pcapng, whose dates are dates.
fn numbers(files: &[PathBuf]) -> Vec<u32> {
    let number = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let rest = name.strip_prefix("x_").unwrap_or_else(|| panic!("{name}"));
        let (number, date) = rest.strip_suffix(".pcapng").unwrap().split_once('_').unwrap();
        assert!(number.len() == 5 && date.len() == 14 && date.starts_with("20"), "{name}");
        number.parse().unwrap()
    };
    files.iter().map(number).collect()
}

#[test]
fn a_ring_of_files_is_that_of_dumpcap() {
    if runs_in_own_network("a_ring_of_files_is_that_of_dumpcap") {
        return;
    }
    let keys = ["-b", "packets:2", "-b", "files:2", "-a", "files:4", "-b", "printname:stdout"];
    let ours = tempfile::tempdir().unwrap();
    let path = ours.path().join("x.pcapng");
    let capture = Capture::start(&[&["-i", "lo", "-w", path.to_str().unwrap()], &keys[..]].concat());
    for n in 0..8 {
        datagram(&format!("number {n}"));
    }
    let (printed, messages, status) = capture.end();
    assert_eq!(status, Some(0), "{messages}");
    assert_eq!(counted(&messages, "written"), 8, "{messages}");
    adds_up(&messages);
    let left = files(ours.path());
    let shape = (numbers(&left), left.iter().map(|f| packets(f)).collect::<Vec<_>>());
    assert_eq!(shape, (vec![3, 4], vec![2, 2]));
    assert_eq!(printed.lines().count(), 4);
    assert_eq!(printed.lines().last(), left[1].to_str());

    let theirs = tempfile::tempdir().unwrap();
    let path = theirs.path().join("x.pcapng");
    let Ok(mut dumpcap) = Command::new("dumpcap")
        .args(["-q", "-i", "lo", "-w", path.to_str().unwrap()])
        .args(keys)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    else {
        return skipped("no dumpcap on this machine");
    };
    let begun = Instant::now();
    // It says nothing when it is ready: packets go out until it has enough.
    while dumpcap.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        datagram("for dumpcap");
        std::thread::sleep(Duration::from_millis(50));
    }
    let printed = stdout(&dumpcap.wait_with_output().unwrap());
    let left = files(theirs.path());
    assert_eq!((numbers(&left), left.iter().map(|f| packets(f)).collect::<Vec<_>>()), shape);
    assert_eq!(printed.lines().count(), 4);
}

#[test]
fn files_end_by_size_and_by_time() {
    if runs_in_own_network("files_end_by_size_and_by_time") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcapng");
    let path = path.to_str().unwrap();
    let capture = Capture::start(&["-i", "lo", "-w", path, "-b", "filesize:2", "-a", "packets:5"]);
    for _ in 0..5 {
        datagram(&"a".repeat(900));
    }
    let (_, messages, status) = capture.end();
    assert_eq!(status, Some(0), "{messages}");
    let all = files(directory.path());
    // A file is full with the packet that reaches 2000 bytes: two of 942 and their blocks.
    assert_eq!(all.iter().map(|f| packets(f)).collect::<Vec<_>>(), [2, 2, 1]);
    assert!(all.iter().take(2).all(|f| f.metadata().unwrap().len() >= 2000));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcap");
    let path = path.to_str().unwrap();
    let capture = Capture::start(&["-i", "lo", "-w", path, "-b", "duration:0.3", "-a", "files:2"]);
    datagram("in the first file");
    let (_, messages, status) = capture.end();
    assert_eq!(status, Some(0), "{messages}");
    let all = files(directory.path());
    assert_eq!(all.iter().map(|f| packets(f)).collect::<Vec<_>>(), [1, 0]);

    let path = directory.path().join("busy.pcapng");
    let path = path.to_str().unwrap();
    let capture = Capture::start(&["-i", "lo", "-w", path, "-b", "duration:0.2", "-a", "files:1"]);
    for _ in 0..40 {
        datagram("packets come when the last file is over");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (_, messages, status) = capture.end();
    assert_eq!(status, Some(0), "{messages}");
    assert!(messages.contains("lost in the program 0"), "{messages}");

    let path = directory.path().join("one.pcapng");
    let capture = Capture::start(&["-i", "lo", "-w", path.to_str().unwrap(), "-a", "filesize:1"]);
    for _ in 0..3 {
        datagram(&"a".repeat(900));
    }
    let (_, messages, status) = capture.end();
    assert_eq!((status, packets(&path)), (Some(0), 1), "{messages}");
}

#[test]
fn wrong_criteria_are_explained() {
    for (args, part) in [
        (&["-b", "packets:3"][..], "add -w FILE"),
        (&["-w", "x", "-b", "files:3"], "nothing says when a file is full"),
        (&["-w", "-", "-b", "packets:3"], "standard output"),
        (&["-w", "x", "-b", "bytes:3"], "no key 'bytes'"),
        (&["-w", "x", "-a", "interval:3"], "no key 'interval'"),
        (&["-B", "1"], "2 to 2047"),
        (&["-w", "x.pcap.gz"], "write x.pcap, and then gzip x.pcap"),
        (&["-w", "x.pcapng.zst"], "zstd x.pcapng"),
    ] {
        let failed = rawbench(&[&["capture", "-i", "lo"], args].concat());
        assert_eq!(failed.status.code(), Some(2), "{args:?}");
        assert!(stderr(&failed).contains(part), "{args:?}: {}", stderr(&failed));
    }
}

/// Captures onto a small disk while packets come, until the capture ends by itself.
fn onto_a_small_disk(size: &str, keep_free: &str, name: &str) -> (String, u64, u64) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "none", place]).output().unwrap();
    assert!(mounted.status.success(), "{}", stderr(&mounted));
    let path = directory.path().join(name);
    let mut capture = Capture::start(&["-i", "lo", "-w", path.to_str().unwrap(), "--keep-free", keep_free]);
    let (begun, receiver) = (Instant::now(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    while capture.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        for _ in 0..20 {
            sender.send_to(&[7; 1400], receiver.local_addr().unwrap()).unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (_, messages, status) = capture.end();
    assert_eq!(status, Some(1), "{messages}");
    adds_up(&messages);
    let written = counted(&messages, "written");
    // What was counted as written stands in the file, which is whole.
    assert_eq!(packets(&path), written, "{messages}");
    let free = Command::new("stat").args(["-f", "-c", "%a %S", place]).output().unwrap();
    let numbers: Vec<u64> = stdout(&free).split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert!(Command::new("umount").arg(place).status().unwrap().success());
    (messages, written, numbers[0] * numbers[1])
}

#[test]
fn a_full_disk_ends_a_capture_whose_file_is_whole() {
    if runs_in_own_network("a_full_disk_ends_a_capture_whose_file_is_whole") {
        return;
    }
    for name in ["x.pcapng", "x.pcap"] {
        let (messages, written, _) = onto_a_small_disk("size=300k", "0", name);
        assert!(messages.contains("free some space"), "{messages}");
        assert!((100..300).contains(&written), "{messages}");
    }
}

#[test]
fn a_disk_that_is_low_ends_a_capture_before_it_is_full() {
    if runs_in_own_network("a_disk_that_is_low_ends_a_capture_before_it_is_full") {
        return;
    }
    let (messages, written, free) = onto_a_small_disk("size=4m", "2", "x.pcapng");
    assert!(messages.contains("is low") && messages.contains("lost in the program 0"), "{messages}");
    assert!(written > 500 && free > 0 && free < 2 << 20, "{written} packets, {free} bytes free: {messages}");
}

/// Processor time of a process, in ticks of a hundredth of a second.
fn ticks(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_interface_goes_away_and_the_capture_goes_on_when_it_is_back() {
    if runs_in_own_network("an_interface_goes_away_and_the_capture_goes_on_when_it_is_back") {
        return;
    }
    let make = || {
        ip("link add va type veth peer name vb");
        ip("addr add 10.9.0.1/24 dev va");
        ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev va");
        ip("link set vb up");
        ip("link set va up");
    };
    let send = |text: &str| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        // A link that just came up may still be without carrier.
        let begun = Instant::now();
        while socket.send_to(text.as_bytes(), "10.9.0.2:9").is_err() {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    make();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcapng");
    let mut capture = Capture::start(&["-i", "va", "-w", path.to_str().unwrap()]);
    send("before");
    ip("link set va down");
    assert!(capture.message().starts_with("va is down"));
    let before = ticks(capture.child.id());
    std::thread::sleep(Duration::from_millis(400));
    assert!(ticks(capture.child.id()) - before < 20, "it spins while the interface is away");
    ip("link set va up");
    assert!(capture.message().starts_with("va is up again"));
    ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:09 dev va");
    send("up again");
    ip("link del va");
    assert!(capture.message().starts_with("va is "));
    std::thread::sleep(Duration::from_millis(250));
    make();
    let back = capture.message();
    assert!(back.starts_with("there is va again"), "{back}");
    send("made again");
    std::thread::sleep(Duration::from_millis(100));
    let (_, messages, status) = capture.interrupt();
    assert_eq!(status, Some(0), "{messages}");
    adds_up(&messages);
    let read = rawbench(&["read", path.to_str().unwrap(), "--hex"]);
    for text in ["before", "up again", "made again"] {
        let hex: Vec<String> = text.bytes().map(|b| format!("{b:02X}")).collect();
        assert_eq!(stdout(&read).matches(&hex.join(" ")).count(), 1, "{text}: {}", stdout(&read));
    }
}

#[test]
fn what_the_kernel_drops_stands_in_the_file_and_the_ledger_adds_up() {
    if runs_in_own_network("what_the_kernel_drops_stands_in_the_file_and_the_ledger_adds_up") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcapng");
    let capture = Capture::start(&["-i", "lo", "-B", "2", "-w", path.to_str().unwrap()]);
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &capture.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    let (receiver, sender) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let send = |count: usize| {
        for _ in 0..count {
            sender.send_to(&[7; 1400], receiver.local_addr().unwrap()).unwrap();
        }
    };
    send(10);
    std::thread::sleep(Duration::from_millis(100));
    // Who does not read loses what is more than the ring.
    signal("-STOP");
    send(6000);
    signal("-CONT");
    std::thread::sleep(Duration::from_millis(300));
    send(10);
    let (_, messages, status) = capture.interrupt();
    assert_eq!(status, Some(0), "{messages}");
    adds_up(&messages);
    let [received, written, kernel] =
        ["received", "written", "lost in the kernel"].map(|what| counted(&messages, what));
    // On loopback each packet is there twice, and is shown once.
    assert!(written >= 20 && kernel > 1000 && received == written + kernel, "{messages}");
    let (file, report) = rawbench::pcap::CaptureFile::open(&path).unwrap();
    assert_eq!((report.packets, report.problem), (written, None));
    let mut reader = file.reader();
    let gaps: Vec<u64> =
        (0..file.len()).map(|n| reader.record(n).unwrap().dropped).filter(|d| *d > 0).collect();
    assert_eq!((gaps.len(), gaps.iter().sum::<u64>()), (1, kernel), "{messages}");
    let statistics = file.interfaces()[0].statistics.unwrap();
    assert_eq!((statistics.received, statistics.system_dropped), (Some(received), Some(kernel)));
}

#[test]
fn all_interfaces_have_a_block_each_and_are_cooked_in_pcap() {
    if runs_in_own_network("all_interfaces_have_a_block_each_and_are_cooked_in_pcap") {
        return;
    }
    ip("link add va type veth peer name vb");
    ip("addr add 10.9.0.1/24 dev va");
    ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev va");
    ip("link set vb up");
    ip("link set va up");
    let directory = tempfile::tempdir().unwrap();
    for name in ["x.pcapng", "x.pcap"] {
        let path = directory.path().join(name);
        let capture = Capture::start(&["-i", "any", "-w", path.to_str().unwrap()]);
        datagram("on loopback");
        UdpSocket::bind("10.9.0.1:0").unwrap().send_to(b"on the veth", "10.9.0.2:9").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let (_, messages, status) = capture.interrupt();
        assert_eq!(status, Some(0), "{messages}");
        let bytes = std::fs::read(&path).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).filter(|window| *window == text).count();
        // Once where it goes out, and once where it comes in.
        assert_eq!((has(b"on loopback"), has(b"on the veth")), (1, 2));
        if name == "x.pcapng" {
            // if_name, length, text.
            assert_eq!(
                [b"lo", b"va", b"vb"].map(|name| has(&[b"\x02\0\x02\0", &name[..], b"\0\0"].concat())),
                [1; 3]
            );
        } else {
            assert_eq!(bytes[20..24], 276_u32.to_le_bytes());
        }
        let read = rawbench(&["read", path.to_str().unwrap(), "-e", "ip.dst", "-e", "udp.length"]);
        assert_eq!(stderr(&read), "");
        for (line, count) in [("127.0.0.1\t19", 1), ("10.9.0.2\t19", 2)] {
            assert_eq!(
                stdout(&read).lines().filter(|l| *l == line).count(),
                count,
                "{line}: {}",
                stdout(&read)
            );
        }
    }
}

#[test]
fn without_a_ring_a_capture_goes_on_and_says_so() {
    if runs_in_own_network("without_a_ring_a_capture_goes_on_and_says_so") {
        return;
    }
    // A ring of 512 MiB cannot be mapped where the address space is limited to less.
    let script = r#"ulimit -v 450000; exec "$0" capture -i lo -B 512 -c 1 --hex"#;
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_rawbench")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        datagram("without a ring");
        std::thread::sleep(Duration::from_millis(50));
    }
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert!(stderr(&out).contains("cannot have a ring of 512 MiB"), "{}", stderr(&out));
    assert!(stderr(&out).contains("written 1,"), "{}", stderr(&out));
    assert_eq!(stdout(&out).lines().count(), 1);
}
