//! Captures of the workbench with their options: a disk that gets low or full, automatic stop, files beside, and a ledger that
//! adds up at any moment.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/capture.rs"]
mod capture;
#[path = "common/cli.rs"]
mod cli;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capture::runs_in_own_network;
use rawbench::app::{CaptureOptions, Command, GapKind, Line, ListCommand, Severity, Switch, Workbench};
use rawbench::engine::{Access, Engine, Place, Tally};
use rawbench::net::Door;
use rawbench::pcap::CaptureFile;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const fn on(value: u64) -> Switch {
    Switch { on: true, value }
}

fn run(program: &str, arguments: &str) {
    let out = Process::new(program).args(arguments.split(' ')).output().unwrap();
    assert!(out.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A workbench in the network of the test, without a window.
struct Bench {
    bench: Workbench,
    directory: PathBuf,
    _kept: tempfile::TempDir,
}

impl Bench {
    /// `size`: of the disk on which its spools stand.
    fn new(interface: &str, size: Option<&str>) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let directory = kept.path().join("spools");
        std::fs::create_dir(&directory).unwrap();
        if let Some(size) = size {
            run("mount", &format!("-t tmpfs -o size={size} none {}", directory.display()));
        }
        let engine = Engine::start(Access::through(Door::direct()).unwrap(), Arc::new(|| ())).unwrap();
        let mut bench = Workbench::new(Some(engine), directory.clone());
        bench.prefer_source(Some(interface.into()), Place::Host);
        let mut bench = Self { bench, directory, _kept: kept };
        bench.wait("the sources", |b| b.source().is_some_and(|s| s.label == interface));
        bench
    }

    fn options(&mut self, change: impl FnOnce(&mut CaptureOptions)) {
        let mut options = self.bench.capture_options().clone();
        change(&mut options);
        self.bench.apply(Command::CaptureOptions(Box::new(options)));
    }

    fn start(&mut self) {
        self.bench.apply(Command::StartCapture);
        self.wait("the capture", |b| b.capture().is_running());
    }

    /// Looks until it holds; whenever it looks, the ledger adds up.
    fn wait(&mut self, what: &str, holds: impl Fn(&Workbench) -> bool) {
        let begun = Instant::now();
        while !holds(&self.bench) {
            self.bench.drain(Duration::from_millis(5));
            self.adds_up();
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.bench.notices());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn adds_up(&self) -> Tally {
        let tally = self.bench.capture().counters().map(|c| c.now()).unwrap_or_default();
        let parts = tally.written + tally.filtered + tally.lost_kernel + tally.lost_here;
        assert_eq!(tally.received, parts, "{tally:?}");
        tally
    }

    /// Sends to a port of this machine until the capture is over.
    fn flood(&mut self, pause: Duration) {
        let (receiver, sender) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let begun = Instant::now();
        while self.bench.capture().is_running() {
            assert!(begun.elapsed() < PATIENCE);
            for _ in 0..20 {
                sender.send_to(&[7; 1400], receiver.local_addr().unwrap()).unwrap();
            }
            self.bench.drain(Duration::from_millis(5));
            self.adds_up();
            std::thread::sleep(pause);
        }
        self.bench.drain(Duration::from_millis(5));
    }

    fn errors(&self) -> String {
        let errors = self.bench.notices().iter().filter(|n| n.severity == Severity::Error);
        errors.map(|n| n.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What stands in the list: `packets N`, or the text of a gap.
    fn rows(&self) -> Vec<String> {
        let capture = self.bench.capture();
        let mut rows: Vec<String> = Vec::new();
        let mut packets = 0;
        for row in 0..capture.rows() {
            match capture.line(row).unwrap() {
                Line::Packet(_) => packets += 1,
                Line::Gap(gap) => {
                    rows.push(format!("packets {}", std::mem::take(&mut packets)));
                    rows.push(capture.gaps()[gap].text.clone());
                }
            }
        }
        rows.push(format!("packets {packets}"));
        rows
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// How many packets a file has; it must be whole.
fn packets(path: &Path) -> u64 {
    let (_, report) = CaptureFile::open(path).unwrap();
    assert_eq!((report.torn_bytes, report.problem), (0, None), "{}", path.display());
    report.packets
}

#[test]
fn a_capture_ends_before_the_disk_is_as_low_as_the_settings_say() {
    if runs_in_own_network("a_capture_ends_before_the_disk_is_as_low_as_the_settings_say") {
        return;
    }
    let settings = tempfile::tempdir().unwrap();
    let settings = settings.path().join("settings.json");
    {
        let mut bench = Bench::new("lo", None);
        bench.bench.keep_settings_in(settings.clone());
        assert_eq!(bench.bench.capture_options().keep_free, 32, "MiB");
        bench.options(|options| options.keep_free = 2);
        bench.bench.apply(Command::List(ListCommand::Sheet(None)));
    }
    let mut bench = Bench::new("lo", Some("4m"));
    bench.bench.keep_settings_in(settings);
    bench.start();
    bench.flood(Duration::from_millis(5));
    assert!(bench.errors().contains("is low"), "{}", bench.errors());
    let out = Process::new("stat").args(["-f", "-c", "%a %S"]).arg(&bench.directory).output().unwrap();
    let free: u64 = cli::stdout(&out).split_whitespace().map(|n| n.parse::<u64>().unwrap()).product();
    assert!((1..2 << 20).contains(&free), "{free} bytes are free");
    let tally = bench.adds_up();
    assert_eq!((tally.lost_here, tally.written), (0, bench.bench.capture().len() as u64));
    assert!(tally.written > 500, "{tally:?}");
    assert_eq!(packets(&files(&bench.directory)[0]), tally.written);
}

#[test]
fn what_a_full_disk_takes_stands_in_the_list_and_the_ledger_adds_up() {
    if runs_in_own_network("what_a_full_disk_takes_stands_in_the_list_and_the_ledger_adds_up") {
        return;
    }
    let mut bench = Bench::new("lo", Some("300k"));
    bench.options(|options| options.keep_free = 0);
    bench.start();
    // Faster than it is looked at: some wait in the ring when the disk is full.
    bench.flood(Duration::ZERO);
    assert!(bench.errors().contains("free some space"), "{}", bench.errors());
    let tally = bench.adds_up();
    let shown = bench.bench.capture().len() as u64;
    assert!(shown > 100 && tally.lost_here > 0, "{tally:?}");
    // Received is what is shown and what was lost, and nothing else.
    assert_eq!((tally.written, tally.filtered, tally.lost_kernel), (shown, 0, 0));
    let gaps = bench.bench.capture().gaps();
    assert_eq!((gaps.len(), gaps[0].kind), (1, GapKind::Lost));
    let lost = match tally.lost_here {
        1 => "1 packet was lost here: it came and could not be kept".to_owned(),
        n => format!("{n} packets were lost here: they came and could not be kept"),
    };
    assert_eq!(bench.rows(), [format!("packets {shown}"), lost, "packets 0".into()]);
    assert_eq!(packets(&files(&bench.directory)[0]), shown, "the file is whole");
}

#[test]
fn a_capture_ends_by_itself_and_writes_a_ring_of_files_beside() {
    if runs_in_own_network("a_capture_ends_by_itself_and_writes_a_ring_of_files_beside") {
        return;
    }
    let mut bench = Bench::new("lo", None);
    bench.options(|options| options.packets = on(5));
    bench.start();
    bench.flood(Duration::from_millis(1));
    assert_eq!((bench.bench.capture().len(), bench.errors().as_str()), (5, ""));

    let ring = tempfile::tempdir().unwrap();
    let mut bench = Bench::new("lo", None);
    bench.options(|options| {
        options.path = ring.path().join("x.pcapng").display().to_string();
        (options.file_packets, options.ring, options.files) = (on(3), on(2), on(4));
    });
    bench.start();
    bench.flood(Duration::from_millis(1));
    let left = files(ring.path());
    assert_eq!(left.iter().map(|f| packets(f)).collect::<Vec<_>>(), [3, 3]);
    let name = left[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("x_00003_"), "{name}");
    // The list has them all, the files the newest.
    assert_eq!((bench.bench.capture().len(), bench.errors().as_str()), (12, ""));

    let mut bench = Bench::new("lo", None);
    bench.options(|options| options.megabytes = on(1));
    bench.start();
    bench.flood(Duration::from_millis(1));
    let size = files(&bench.directory)[0].metadata().unwrap().len();
    assert!((1_000_000..1_010_000).contains(&size), "{size} bytes");

    // What cannot be is said before anything is captured.
    let mut bench = Bench::new("lo", None);
    bench.options(|options| options.path = "/nothing/here/x.pcapng".into());
    bench.bench.apply(Command::StartCapture);
    assert!(bench.errors().contains("there is no directory /nothing/here"), "{}", bench.errors());
    assert!(!bench.bench.capture().is_busy());
}

/// Processor time of this process, in ticks of a hundredth of a second.
fn ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_interface_that_goes_away_stands_in_the_list_and_so_does_its_return() {
    if runs_in_own_network("an_interface_that_goes_away_stands_in_the_list_and_so_does_its_return") {
        return;
    }
    let make = || {
        run("ip", "link add va type veth peer name vb");
        run("ip", "addr add 10.9.0.1/24 dev va");
        run("ip", "neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev va");
        run("ip", "link set vb up");
        run("ip", "link set va up");
    };
    let send = |bench: &mut Bench| {
        let (socket, begun, before) =
            (UdpSocket::bind("0.0.0.0:0").unwrap(), Instant::now(), bench.bench.capture().len());
        // A link that just came up may still be without carrier.
        while socket.send_to(b"?", "10.9.0.2:9").is_err() {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(10));
        }
        bench.wait("a packet", |b| b.capture().len() > before);
    };
    // Nothing but the datagrams is to be seen.
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    make();
    let mut bench = Bench::new("va", None);
    bench.start();
    send(&mut bench);
    let gaps = |count: usize| move |b: &Workbench| b.capture().gaps().len() == count;
    run("ip", "link set va down");
    bench.wait("the gap", gaps(1));
    let before = ticks();
    std::thread::sleep(Duration::from_millis(400));
    assert!(ticks() - before < 20, "it spins while the interface is away");
    run("ip", "link set va up");
    run("ip", "neigh replace 10.9.0.2 lladdr 02:00:00:00:00:09 dev va");
    bench.wait("the return", gaps(2));
    assert_eq!(bench.errors(), "", "what is over is no error any more");
    send(&mut bench);
    run("ip", "link del va");
    bench.wait("the gap", gaps(3));
    make();
    bench.wait("the return", gaps(4));
    send(&mut bench);
    assert!(bench.bench.capture().is_running());
    let rows = bench.rows();
    let expected =
        ["packets 1", "va is down", "packets 0", "va is up again", "packets 1", "va is ", "packets 0"];
    assert_eq!(rows.len(), 9, "{rows:?}");
    for (row, part) in rows.iter().zip(expected.into_iter().chain(["there is va again", "packets 1"])) {
        assert!(row.starts_with(part), "{part}: {rows:?}");
    }
}
