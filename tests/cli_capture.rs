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
        let (file, _) = rawbench::pcap::CaptureFile::open(path).unwrap();
        let counters = file.interfaces()[0].statistics;
        let drops = counters.map(|c| (c.interface_dropped, c.system_dropped));
        assert_eq!(drops, (name == "x.pcapng").then_some((Some(0), Some(0))));
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

/// Sends texts, a moment apart, while a capture with these arguments prints what it keeps of them; with its messages.
fn kept(arguments: &[&str], texts: &[&str]) -> (Vec<String>, String) {
    let capture = Capture::start(&[&["-i", "lo", "--hex", "--duration", "2"], arguments].concat());
    for text in texts {
        datagram(text);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (out, messages, status) = capture.end();
    assert_eq!(status, Some(0), "{messages}");
    let text = |line: &str| String::from_utf8_lossy(&bytes(line)[42..]).into_owned();
    (out.lines().map(text).collect(), messages)
}

#[test]
fn a_capture_filter_runs_in_the_kernel_where_it_can() {
    if runs_in_own_network("a_capture_filter_runs_in_the_kernel_where_it_can") {
        return;
    }
    let texts = ["short", "this one is longer", "brief"];
    let (out, messages) = kept(&["-f", "udp and less 50"], &texts);
    assert_eq!(out, ["short", "brief"]);
    assert!(!messages.contains("not in the kernel") && !messages.contains("filtered"), "{messages}");
    let (out, messages) = kept(&["-f", "udp.length < 16 and udp"], &texts);
    assert_eq!(out, ["short", "brief"]);
    assert!(messages.contains("the filter runs here, not in the kernel: "), "{messages}");
    assert!(messages.contains("received 3, written 2, filtered 1,"), "{messages}");
    // What is left out does not count, and what is decided on is the whole packet.
    let texts = ["one", "two", "a third", "four", "a fifth", "a sixth"];
    let (out, messages) = kept(&["-f", "frame contains \"a \"", "-c", "2", "-s", "43"], &texts);
    assert_eq!(out, ["a", "a"], "{messages}");
    assert!(messages.contains("received 5, written 2, filtered 3,"), "{messages}");
}

#[test]
fn a_trigger_keeps_what_comes_before_it() {
    if runs_in_own_network("a_trigger_keeps_what_comes_before_it") {
        return;
    }
    let texts = ["one", "two", "go", "on", "halt", "late"];
    let on = ["--start-on", "frame contains \"go\"", "--stop-on", "frame contains \"halt\""];
    assert_eq!(kept(&on, &texts).0, ["go", "on", "halt"]);
    let before = [&on[..], &["--keep-before", "5"]].concat();
    let (out, messages) = kept(&before, &texts);
    assert_eq!(out, ["one", "two", "go", "on", "halt"]);
    assert!(messages.contains("received 5, written 5"), "{messages}");
    // Also behind a filter in the kernel and with a short snap length it is asked about whole packets.
    let cut = [&on[..], &["-f", "udp", "-s", "43"]].concat();
    assert_eq!(kept(&cut, &texts).0, ["g", "o", "h"]);
}

#[test]
fn the_program_of_a_filter_is_shown_and_a_wrong_filter_refused() {
    let shown = rawbench(&["capture", "-i", "lo", "-f", "ip and tcp port 80", "--show-bpf"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    let lines = stdout(&shown);
    let has = |part: &str| lines.lines().any(|line| line.contains(part));
    assert!(has("ldh      [12]") && has("jeq      #0x800 ") && has("jeq      #0x50 "), "{lines}");
    assert!(lines.trim_end().ends_with("ret      #0"), "{lines}");
    for (arguments, place) in [
        (["-f", "tcp port 80 and nonsense"], "                ^^^^^^^^"),
        (["--start-on", "tcp.prt == 80"], "^^^^^^^"),
    ] {
        let refused = rawbench(&[&["capture", "-i", "lo"][..], &arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(place), "{}", stderr(&refused));
    }
    let alone = rawbench(&["capture", "-i", "lo", "--show-bpf"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("give one with -f"), "{}", stderr(&alone));
    let without = rawbench(&["capture", "-i", "lo", "--show-bpf", "-f", "tcp.port == 80"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(stderr(&without).contains("the kernel cannot run this filter: "), "{}", stderr(&without));
}
