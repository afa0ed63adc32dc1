//! `rawbench capture` through the real binary, on loopback where raw sockets can be had, and in the lab.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::UdpSocket;
use std::process::{Child, ChildStderr, Command, Stdio};

use cli::{bytes, rawbench, skipped, stderr, stdout};

/// A capture that runs.
struct Capture {
    child: Child,
    messages: BufReader<ChildStderr>,
}

impl Capture {
    /// Starts a capture and waits until it misses nothing more.
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rawbench"))
            .arg("capture")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        messages.read_line(&mut first).unwrap();
        if !first.starts_with("capturing on ") {
            messages.read_to_string(&mut first).unwrap();
            panic!("{first}");
        }
        Self { child, messages }
    }

    /// Waits for its end: standard output, messages, exit status.
    fn end(mut self) -> (String, String, Option<i32>) {
        let (mut out, mut messages) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.messages.read_to_string(&mut messages).unwrap();
        (out, messages, self.child.wait().unwrap().code())
    }
}

/// Runs a test of this file again in a network of its own, where it needs no privilege. `false`: this is there already.
fn runs_in_own_network(test: &str) -> bool {
    const INSIDE: &str = "RAWBENCH_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let how = if root { "-n" } else { "-Urn" };
    let tried = Command::new("unshare").args([how, "ip", "link", "set", "lo", "up"]).output();
    if !tried.as_ref().is_ok_and(|out| out.status.success()) {
        // Past the test harness, which keeps what is printed.
        let text =
            format!("SKIPPED: {test}: no network namespace can be made here (unshare {how}): {tried:?}\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
        assert!(std::env::var_os("RAWBENCH_REQUIRE_NET").is_none(), "{text}");
        return true;
    }
    let script = r#"ip link set lo up && exec "$0" --exact "$1" --nocapture"#;
    let out = Command::new("unshare")
        .args([how, "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}{}", stdout(&out), stderr(&out));
    assert!(stdout(&out).contains("1 passed"), "{}", stdout(&out));
    true
}

/// Sends a datagram to a port of this machine on which somebody listens.
fn datagram(text: &str) -> (u16, u16) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(text.as_bytes(), receiver.local_addr().unwrap()).unwrap();
    (sender.local_addr().unwrap().port(), receiver.local_addr().unwrap().port())
}

#[test]
fn the_ip_layer_gives_bytes_from_the_ip_header_on() {
    if runs_in_own_network("the_ip_layer_gives_bytes_from_the_ip_header_on") {
        return;
    }
    let capture = Capture::start(&["--ip", "udp", "--hex", "--duration", "2"]);
    let (from, to) = datagram("rawbench at the IP layer");
    let (out, _, status) = capture.end();
    assert_eq!(status, Some(0));
    let packet = out.lines().map(bytes).find(|p| p.ends_with(b"rawbench at the IP layer")).unwrap();
    assert_eq!(packet[0], 0x45);
    assert_eq!(packet[20..24], [from.to_be_bytes(), to.to_be_bytes()].concat());
}

#[test]
fn loopback_shows_each_packet_once() {
    if runs_in_own_network("loopback_shows_each_packet_once") {
        return;
    }
    let capture = Capture::start(&["-i", "lo", "--json", "--duration", "2"]);
    let (from, to) = datagram("rawbench on loopback");
    let (out, messages, status) = capture.end();
    assert_eq!(status, Some(0));
    let lines: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ours: Vec<_> =
        lines.iter().filter(|l| l["info"] == format!("{from} → {to} length 20").as_str()).collect();
    assert_eq!(ours.len(), 1, "{out}");
    assert_eq!(ours[0]["interface"], "lo");
    assert!(messages.starts_with("received ") && messages.contains("lost in the kernel 0"), "{messages}");
}

#[test]
fn ctrl_c_leaves_a_whole_file() {
    if runs_in_own_network("ctrl_c_leaves_a_whole_file") {
        return;
    }
    for name in ["x.pcapng", "x.pcap"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let path = path.to_str().unwrap();
        let capture = Capture::start(&["-i", "lo", "-s", "40", "-w", path]);
        datagram("rawbench into a file, cut short");
        std::thread::sleep(std::time::Duration::from_millis(300));
        let status = Command::new("kill").args(["-INT", &capture.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let (out, messages, status) = capture.end();
        assert_eq!((out.as_str(), status), ("", Some(0)), "{messages}");
        let read = rawbench(&["read", path, "-e", "frame.len", "-e", "frame.cap_len", "-e", "ip.proto"]);
        assert_eq!((read.status.code(), stderr(&read).as_str()), (Some(0), ""));
        assert!(stdout(&read).lines().any(|l| l == "73\t40\t17"), "{}", stdout(&read));
    }
}

#[test]
fn a_wrong_interface_is_named_with_those_that_there_are() {
    let failed = rawbench(&["capture", "-i", "nosuch0", "-c", "1"]);
    assert!(matches!(failed.status.code(), Some(1 | 3)), "{}", stderr(&failed));
    if failed.status.code() == Some(1) {
        assert!(stderr(&failed).contains("no interface nosuch0") && stderr(&failed).contains("lo"));
    }
}

#[test]
fn wrong_calls_of_capture() {
    for args in
        [&["--ip", "sctp"][..], &["--duration", "-1"], &["-i", "lo", "--ip", "tcp"], &["--hex", "--json"]]
    {
        let failed = rawbench(&[&["capture"], args].concat());
        assert_eq!(failed.status.code(), Some(2), "{args:?}: {}", stderr(&failed));
    }
}

#[test]
fn the_lab_needs_no_privilege() {
    let ran = rawbench(&["capture", "--lab", "--duration", "0.3", "--hex"]);
    if ran.status.code() == Some(1) && stderr(&ran).contains("namespace") {
        return skipped(&format!("no lab can be made here: {}", stderr(&ran)));
    }
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    assert!(stderr(&ran).contains("lost in the program 0"), "{}", stderr(&ran));
}
