//! `rawbench capture` through the real binary, on loopback where raw sockets can be had, and in the lab.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/capture.rs"]
mod capture;
#[path = "common/cli.rs"]
mod cli;

use std::process::Command;

use capture::{Capture, datagram, runs_in_own_network};
use cli::{bytes, rawbench, skipped, stderr, stdout};

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
