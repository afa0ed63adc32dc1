//! What the kernel and routers changed of packets that were really sent: in the lab, and through two routers, each in a
//! network namespace of its own. And scripts of the window that are run there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/capture.rs"]
mod capture;
#[path = "common/cli.rs"]
mod cli;
#[path = "common/net.rs"]
mod common;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{stderr, stdout};
use rawbench::app::{Command as AppCommand, Part, ScriptCommand, Workbench};
use rawbench::engine::{Access, Engine};
use serde_json::Value;

fn send(arguments: &[&str]) -> (Vec<Value>, String) {
    let program = common::program("rawbench");
    let out = Command::new(program).arg("send").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let lines = stdout(&out).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (lines, stdout(&out))
}

fn changed<'a>(lines: &'a [Value], seen: &str) -> &'a Value {
    let found = lines.iter().find(|l| l["event"] == "changed" && l["seen"] == seen);
    found.unwrap_or_else(|| panic!("nothing on {seen}: {lines:?}"))
}

fn field<'a>(line: &'a Value, key: &str) -> Option<&'a Value> {
    line["fields"].as_array().unwrap().iter().find(|f| f["key"] == key)
}

#[test]
fn the_kernel_fills_in_an_identification_of_zero() {
    let Some((mut host, door)) = common::lab("the_kernel_fills_in_an_identification_of_zero") else { return };
    drop(door);
    host.wait().unwrap();
    let packet = "ip(dst=10.77.0.2, id=0)/udp(srcport=40003, dstport=5)/\"hello\"";
    let (lines, _) = send(&["--lab", "--compare", "--json", packet]);
    let wire = changed(&lines, "wire");
    let id = field(wire, "ip.id").unwrap_or_else(|| panic!("{wire}"));
    assert_eq!(
        (&id["asked"], &id["why"]),
        (&"0x0000".into(), &"0 was asked for: the kernel fills it in".into())
    );
    assert_ne!(id["seen"], "0x0000");
    assert!(
        field(wire, "ip.checksum").unwrap()["why"].as_str().unwrap().ends_with("right for what was seen")
    );
    assert_eq!(wire["fields"].as_array().unwrap().len(), 2, "{wire}");
    assert_eq!((&wire["layers"][0]["layer"], &wire["layers"][0]["only"]), (&"eth".into(), &"seen".into()));
    // The server's kernel quotes what came, with the identification that stood on the wire.
    let quote = changed(&lines, "quote");
    assert_eq!(quote["from"], "10.77.0.2");
    assert_eq!(field(quote, "ip.id").unwrap()["seen"], id["seen"]);
    assert!(field(quote, "ip.ttl").is_none() && field(quote, "udp.srcport").is_none(), "{quote}");
    // On a link nothing is written over.
    let (lines, _) = send(&["--lab", "-i", "lab0", "--compare", "--json", packet]);
    assert!(changed(&lines, "wire")["fields"].as_array().unwrap().is_empty(), "{lines:?}");
    // And for a person; of several packets, each.
    let (_, text) = send(&["--lab", "--compare", "--count", "3", "ip(dst=10.77.0.2, id=1..3)/icmp(type=8)"]);
    assert_eq!(text.matches(" left as it was asked for\n").count(), 3, "{text}");
    let (_, text) = send(&["--lab", "--compare", packet]);
    assert!(text.contains("+ Ethernet II: put before the packet by the kernel"), "{text}");
    assert!(text.contains("ip.id        0x0000 → 0x"), "{text}");
}

/// A process that keeps a network namespace.
struct Namespace(Child);

impl Namespace {
    fn new() -> Self {
        let child = Command::new("unshare").args(["-n", "sleep", "60"]).spawn().unwrap();
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let of = format!("/proc/{}/ns/net", child.id());
        while std::fs::read_link(&of).is_ok_and(|ns| ns == own) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Self(child)
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two routers in a row behind this network: the first at 10.1.0.2, the second at 10.2.0.2.
const ROUTERS: &str = r"
set -e
ip link add a0 type veth peer name b0
ip link set b0 netns $1
ip addr add 10.1.0.1/24 dev a0
ip link set a0 up
nsenter -t $1 -n sh -ec '
  ip link add b1 type veth peer name c0
  ip link set c0 netns '$2'
  ip addr add 10.1.0.2/24 dev b0; ip link set b0 up
  ip addr add 10.2.0.1/24 dev b1; ip link set b1 up
  ip route add 10.3.0.0/24 via 10.2.0.2
  echo 1 > /proc/sys/net/ipv4/ip_forward'
nsenter -t $2 -n sh -ec '
  ip addr add 10.2.0.2/24 dev c0; ip link set c0 up
  ip route add 10.1.0.0/24 via 10.2.0.1
  ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 10.3.0.1/24 dev d0; ip link set d0 up
  echo 1 > /proc/sys/net/ipv4/ip_forward'
ip route add 10.2.0.0/24 via 10.1.0.2
ip route add 10.3.0.0/24 via 10.1.0.2
";

#[test]
fn a_router_quotes_what_came_to_it() {
    if capture::runs_in_own_network("a_router_quotes_what_came_to_it") {
        return;
    }
    let (first, second) = (Namespace::new(), Namespace::new());
    let out =
        Command::new("sh").args(["-c", ROUTERS, "routers", &first.id(), &second.id()]).output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    let probe = |ttl: u8| {
        let packet = format!(
            "ip(dst=10.3.0.9, id=77, ttl={ttl})/tcp(srcport=40000, dstport=80, seq=9, flags=S)/\"hello\""
        );
        send(&["--compare", "--json", &packet]).0
    };
    // The first router sees the packet as it left.
    let lines = probe(1);
    let wire = changed(&lines, "wire");
    assert_eq!(wire["fields"].as_array().unwrap().len(), 0, "{wire}");
    let quote = changed(&lines, "quote");
    assert_eq!(
        (&quote["from"], quote["fields"].as_array().unwrap().len()),
        (&"10.1.0.2".into(), 0),
        "{quote}"
    );
    // The second sees what the first has made of it.
    let lines = probe(2);
    let quote = changed(&lines, "quote");
    assert_eq!(quote["from"], "10.2.0.2");
    let ttl = field(quote, "ip.ttl").unwrap_or_else(|| panic!("{quote}"));
    assert_eq!((&ttl["asked"], &ttl["seen"]), (&"2".into(), &"1".into()));
    assert_eq!(ttl["why"], "routers count it down: 1 on the way");
    assert_eq!(field(quote, "ip.checksum").unwrap()["why"], "right for what was seen");
    assert_eq!(quote["fields"].as_array().unwrap().len(), 2, "{quote}");
}

/// A workbench in a lab of its own, and what it waits for.
struct Bench {
    bench: Workbench,
    lab: Child,
    _directory: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

impl Bench {
    fn new(test: &str) -> Option<Self> {
        let (lab, door) = common::lab(test)?;
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::start(Access::through(door).unwrap(), Arc::new(|| ())).unwrap();
        let bench = Workbench::new(Some(engine), directory.path().to_path_buf());
        let mut bench = Self { bench, lab, _directory: directory };
        bench.wait("the sources", |b| b.source().is_some());
        Some(bench)
    }

    fn wait(&mut self, what: &str, holds: impl Fn(&Workbench) -> bool) {
        let begun = Instant::now();
        while !holds(&self.bench) {
            self.bench.drain(Duration::from_millis(5));
            assert!(begun.elapsed() < Duration::from_secs(15), "{what}: {:?}", self.bench.notices());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn the_window_finds_the_packet_that_was_sent() {
    let Some(mut b) = Bench::new("the_window_finds_the_packet_that_was_sent") else { return };
    let packet = "ip(dst=10.77.0.2, id=0)/udp(srcport=40003, dstport=5)/\"hello\"";
    b.bench.apply(AppCommand::LoadNotation(packet.into()));
    b.bench.apply(AppCommand::Send);
    // Others come by as well: the neighbour is asked for.
    let (mut parts, mut position) = (Vec::new(), 0);
    while parts.last() != Some(&Part::Quote) {
        b.wait("the packet and its answer", |b| b.capture().len() > position);
        b.bench.apply(AppCommand::Select(Some(position)));
        position += 1;
        let Some((part, found)) = b.bench.witness() else { continue };
        let keys: Vec<String> = found.changed().map(|(_, row)| row.key.clone()).collect();
        assert_eq!(keys, ["ip.id", "ip.checksum"]);
        parts.push(part);
    }
    assert_eq!(parts, [Part::Packet, Part::Quote]);
}

#[test]
fn the_window_runs_a_script_and_its_capture_shows_the_packets() {
    let Some(mut b) = Bench::new("the_window_runs_a_script_and_its_capture_shows_the_packets") else {
        return;
    };
    b.bench.apply(AppCommand::Script(ScriptCommand::Example(0)));
    b.bench.apply(AppCommand::Script(ScriptCommand::Run));
    b.wait("the end of the script", |b| b.scripts().run().is_some_and(|run| !run.is_running()));
    let run = b.bench.scripts().run().unwrap();
    assert_eq!(run.pass(), Some(true), "{}", run.report());
    assert!(run.report().contains("9999         none"), "{}", run.report());
    assert!(run.summary().unwrap().starts_with("pass: 4 tests, 0 failed"), "{:?}", run.summary());
    let sent: u64 = run.lines.values().map(|line| line.sent).sum();
    assert_eq!(sent, 3 + 8);
    let least = usize::try_from(sent).unwrap() * 2 - 2;
    b.wait("the packets in the list", |b| b.capture().len() > least);
    // One that fails, and one that is stopped.
    let wrong = "lab\ntest \"a\"\n> ip(dst=10.77.0.2)/tcp(srcport=40009, dstport=81, seq=5, flags=S)\n\
                 < 0.3s tcp(srcport=81, dstport=40009, ack=7)\ntest \"b\"\n! 60s ip(src=10.9.9.9)\n";
    b.bench.apply(AppCommand::Script(ScriptCommand::Text(wrong.into())));
    b.bench.apply(AppCommand::Script(ScriptCommand::Run));
    b.wait("the last line", |b| b.scripts().run().is_some_and(|run| run.at == Some(6)));
    b.bench.apply(AppCommand::Script(ScriptCommand::Stop));
    b.wait("the end of the script", |b| b.scripts().run().is_some_and(|run| !run.is_running()));
    let run = b.bench.scripts().run().unwrap();
    assert_eq!((run.pass(), run.lines[&4].failed), (Some(false), 1));
    assert!(run.report().contains("tcp.ack_raw  expected 7  came 6"), "{}", run.report());
    assert!(run.summary().unwrap().ends_with("(stopped)"));
}
