//! A connection by hand, in the lab: packets from the builder alone open it, fetch a page and close it, while the reset guard
//! keeps the kernel out of it.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "common/net.rs"]
mod common;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rawbench::app::{Below, Command, Hold, Severity, Workbench};
use rawbench::engine::{Access, Engine, Way};
use rawbench::net::Door;
use rawbench::wire::dissect::dissect;

/// The port of the packet that the builder begins with.
const PORT: u16 = 40000;

struct Bench {
    bench: Workbench,
    door: Door,
    _lab: Lab,
    _directory: tempfile::TempDir,
}

/// The host of the lab, which ends with its door.
struct Lab(Child);

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bench {
    /// A workbench in a lab of its own.
    fn new(test: &str) -> Option<Self> {
        let (child, door) = common::lab(test)?;
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::start(Access::through(door.clone()).unwrap(), Arc::new(|| ())).unwrap();
        let bench = Workbench::new(Some(engine), directory.path().to_path_buf());
        let mut bench = Self { bench, door, _lab: Lab(child), _directory: directory };
        bench.wait("the sources", |b| b.source().is_some());
        Some(bench)
    }

    fn wait(&mut self, what: &str, holds: impl Fn(&Workbench) -> bool) {
        let begun = Instant::now();
        loop {
            self.bench.drain(Duration::from_millis(5));
            if holds(&self.bench) {
                return;
            }
            let seen = segments(&self.bench);
            assert!(begun.elapsed() < Duration::from_secs(15), "{what}: {:?} {seen:?}", self.bench.notices());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends the draft and waits until a packet like this has come.
    fn send(&mut self, what: &str, come: impl Fn(&Segment) -> bool) {
        self.bench.apply(Command::Send);
        self.wait(what, |b| segments(b).iter().any(&come));
    }

    fn errors(&self) -> Vec<&str> {
        let notices = self.bench.notices().iter().filter(|n| n.severity == Severity::Error);
        notices.map(|n| n.text.as_str()).collect()
    }
}

/// A TCP segment of the capture.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    from: u16,
    flags: String,
    seq: u32,
    ack: u32,
    payload: Vec<u8>,
}

fn segments(bench: &Workbench) -> Vec<Segment> {
    let Some(file) = bench.capture().file() else { return Vec::new() };
    let mut all = Vec::new();
    for position in 0..file.len() {
        let mut bytes = Vec::new();
        let Ok(entry) = file.read_packet(position, &mut bytes) else { continue };
        let found = dissect(bench.capture().link_type(&entry), &bytes);
        let Some(at) = found.layers.iter().position(|l| l.header.key == "tcp") else { continue };
        let view = found.view(&bytes, at);
        let number = |key| view.number(key).unwrap() as u32;
        all.push(Segment {
            from: number("srcport") as u16,
            flags: view.text_of_letters("flags").unwrap(),
            seq: number("seq"),
            ack: number("ack"),
            payload: view.payload().to_vec(),
        });
    }
    all
}

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

#[test]
fn a_page_is_fetched_by_packets_made_by_hand() {
    let Some(mut b) = Bench::new("a_page_is_fetched_by_packets_made_by_hand") else { return };
    b.bench.apply(Command::HoldPort(true));
    b.bench.apply(Command::Below(Below::Ladder));
    b.send("a SYN-ACK", |s| s.flags == "S.");
    assert_eq!(b.bench.hold(), Hold::Held(PORT));

    b.bench.apply(Command::Reply(None));
    assert!(b.bench.answering().unwrap().contains("the connection is open"), "{:?}", b.bench.answering());
    b.send("our ACK", |s| s.from == PORT && s.flags == ".");

    b.bench.apply(Command::SetPayload(REQUEST.to_vec()));
    b.send("the end of the page", |s| s.from == 80 && s.flags.contains('F'));

    b.bench.apply(Command::Reply(None));
    assert!(b.bench.answering().unwrap().contains("closes both sides"), "{:?}", b.bench.answering());
    let end = segments(&b.bench).into_iter().find(|s| s.from == PORT && !s.payload.is_empty()).unwrap();
    let ours = end.seq + REQUEST.len() as u32;
    b.send("the ACK of our FIN", |s| s.from == 80 && s.ack == ours.wrapping_add(1));

    let all = segments(&b.bench);
    assert!(all.iter().all(|s| !s.flags.contains('R')), "somebody reset: {all:?}");
    let page: Vec<u8> = all.iter().filter(|s| s.from == 80).flat_map(|s| s.payload.clone()).collect();
    let page = String::from_utf8(page).unwrap();
    assert!(page.starts_with("HTTP/1.0 200 OK") && page.ends_with("This is the server\n"), "{page}");
    let sent = all.iter().filter(|s| s.from == PORT).count();
    assert_eq!(sent, 4, "four packets by hand: {all:?}");

    // Both sides are closed: there is nothing but an acknowledgment left to say.
    b.bench.apply(Command::Reply(Some(b.bench.capture().len() - 1)));
    assert!(b.bench.answering().unwrap().contains("ACK of nothing new"), "{:?}", b.bench.answering());
    assert_eq!(b.errors(), [""; 0]);
    ladder(&mut b);
}

/// The ladder of what was done.
fn ladder(b: &mut Bench) {
    let count = segments(&b.bench).len();
    b.wait("the whole ladder", |b| b.ladder().is_some_and(|l| l.unwrap().len() == count));
    b.bench.drain(Duration::ZERO);
    let ends = b.bench.ladder().unwrap().unwrap().ends().clone();
    assert_eq!(
        (ends.source.text(), ends.destination.text()),
        ("10.77.0.1:40000".into(), "10.77.0.2:80".into())
    );
    let steps: Vec<_> = (0..count).map(|nth| b.bench.ladder_step(nth).unwrap()).collect();
    let texts: Vec<String> =
        steps.iter().map(|s| format!("{} {}", if s.way == Way::Right { '>' } else { '<' }, s.text)).collect();
    assert_eq!(
        texts[..4],
        ["> SYN  seq 0", "< SYN ACK  seq 0  ack 1", "> ACK  seq 1  ack 1", "> ACK  seq 1  ack 1  len 18"]
    );
    assert_eq!(texts[count - 2..], ["> FIN ACK  seq 19  ack 105", "< ACK  seq 105  ack 20"]);
    assert!(steps.windows(2).all(|w| w[0].position < w[1].position && w[0].since_ns <= w[1].since_ns));
}

#[test]
fn without_the_guard_the_kernel_resets() {
    let Some(mut b) = Bench::new("without_the_guard_the_kernel_resets") else { return };
    b.send("the kernel's reset", |s| s.from == PORT && s.flags == "R");
    assert_eq!(b.bench.hold(), Hold::Off);
}

#[test]
fn the_guard_follows_the_port_and_leaves_nothing() {
    let Some(mut b) = Bench::new("the_guard_follows_the_port_and_leaves_nothing") else { return };
    b.bench.apply(Command::HoldPort(true));
    b.wait("the port is held", |b| b.hold() == Hold::Held(PORT));
    assert!(b.door.tcp_guard(PORT).is_err(), "it is not held");
    let path = b.bench.builder().draft().find("tcp", "srcport").unwrap();
    for text in ["4", "41", "410", "4100", "41000"] {
        b.bench.apply(Command::SetField { path, scale: 1, text: text.into() });
        b.bench.drain(Duration::from_millis(5));
        assert_eq!(b.bench.hold(), Hold::Held(PORT), "half a port is none");
    }
    b.bench.apply(Command::EndEdit);
    b.wait("the new port is held", |b| b.hold() == Hold::Held(41000));
    drop(b.door.tcp_guard(PORT).unwrap());
    b.bench.apply(Command::HoldPort(false));
    b.wait("nothing is held", |b| b.hold() == Hold::Off);
    let begun = Instant::now();
    while let Err(error) = b.door.tcp_guard(41000) {
        assert!(begun.elapsed() < Duration::from_secs(15), "{error}");
    }
}

#[test]
fn where_the_port_is_taken_the_reason_is_said_and_nothing_is_sent() {
    let Some(mut b) = Bench::new("where_the_port_is_taken") else { return };
    let taken = b.door.tcp_guard(PORT).unwrap();
    b.bench.apply(Command::HoldPort(true));
    b.bench.apply(Command::Send);
    b.wait("the reason", |b| !b.notices().is_empty());
    assert_eq!(b.bench.hold(), Hold::Off);
    let text = b.errors()[0].to_owned();
    assert!(text.contains("hold TCP port 40000") && text.contains("was not sent"), "{text}");
    assert!(segments(&b.bench).is_empty());
    drop(taken);
}

/// In this variable a start of this test program finds the port that it holds until it is killed.
const HOLD: &str = "RAWBENCH_TEST_HOLD_PORT";

#[test]
fn nothing_is_left_of_a_guard_whose_process_is_killed() {
    if let Ok(port) = std::env::var(HOLD) {
        let _guard = Door::direct().tcp_guard(port.parse().unwrap()).unwrap();
        println!("held");
        loop {
            std::thread::park();
        }
    }
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_of_a_guard_whose_process_is_killed", "--nocapture"])
        .env(HOLD, port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("held")), "the port was not held");
    assert!(Door::direct().tcp_guard(port).is_err(), "it is not held");
    child.kill().unwrap();
    child.wait().unwrap();
    Door::direct().tcp_guard(port).unwrap();
}
