//! `run` through the real program, on real packets in the lab: the scripts that the README shows, and what is said where
//! something is not as it must be. Where the system forbids the lab they are skipped, loudly; with `RAWBENCH_REQUIRE_NET`
//! set that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/net.rs"]
mod net;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn run(arguments: &[&str], script: &str) -> Output {
    let mut command = Command::new(net::program("rawbench"));
    command.arg("run").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a run in the lab that ends with this status; `None`: there is no lab.
fn in_lab(test: &str, arguments: &[&str], script: &str, status: i32) -> Option<String> {
    let out = run(&[&["--lab", "-"], arguments].concat(), script);
    let (said, told) = (text(&out.stdout), text(&out.stderr));
    // The lab is made before the first packet, so nothing is said without it.
    if said.is_empty() && told.contains("lab") && told.contains("cannot") {
        net::skip(test, &told);
        return None;
    }
    assert_eq!(out.status.code(), Some(status), "{said}{told}");
    Some(said)
}

fn example(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scripts").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_page_is_fetched_by_hand() {
    const NAME: &str = "a_page_is_fetched_by_hand";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.pcapng");
    let write = ["-w", path.to_str().unwrap()];
    let Some(said) = in_lab(NAME, &write, &example("http-get.bench"), 0) else { return };
    assert!(said.contains("HTTP/1.0 200 OK") && said.contains("$theirs = "), "{said}");
    assert!(said.contains("pass: 4 packets sent, 4 expectations held, 0 failed"), "{said}");
    let mut read = Command::new(net::program("rawbench"));
    let read =
        read.arg("read").arg(&path).args(["-Y", "tcp.port == 80", "-e", "tcp.flags"]).output().unwrap();
    let flags = text(&read.stdout);
    // With the guard there is no reset in it.
    assert!(flags.lines().count() >= 8 && !flags.contains("0x0004"), "{flags}");
}

#[test]
fn a_firewall_is_tested() {
    let Some(said) = in_lab("a_firewall_is_tested", &[], &example("firewall.bench"), 0) else { return };
    assert!(said.contains("78..79       reset"), "{said}");
    assert!(said.contains("pass: 4 tests, 0 failed"), "{said}");
    let tap = in_lab("a_firewall_is_tested", &["--tap"], &example("firewall.bench"), 0).unwrap();
    assert_eq!(tap.lines().filter(|l| l.starts_with("ok ")).count(), 4, "{tap}");
    assert!(tap.ends_with("1..4\n"), "{tap}");
}

#[test]
fn a_failure_shows_the_difference() {
    let script = "guard\nwait 0.1s\n\
        test \"open\"\n> ip(dst=10.77.0.2)/tcp(srcport=40001, dstport=80, seq=5, flags=S)\n\
        < ip(src=10.77.0.2)/tcp(srcport=80, flags=R., ack=6, options=[sackOK])\n\
        test \"silent\"\n> ip(dst=10.77.0.2)/udp(srcport=40002, dstport=9999)\n< udp\n\
        test \"unwanted\"\n> ip(dst=10.77.0.2)/icmp(type=8, ident=9)\n! 0.1s icmp(type=0, ident=9)\n\
        test \"good\"\n> ip(dst=10.77.0.2)/icmp(type=8, ident=9)\n< icmp(type=0, ident=9)\n";
    let Some(said) = in_lab("a_failure_shows_the_difference", &[], script, 1) else { return };
    for line in [
        "    5 < FAIL no such packet came within 100ms",
        "             tcp.flags    expected R.        came S.",
        "             tcp.options  expected [sackOK]  came [mss(1460)]",
        "    8 < FAIL no such packet came within 100ms",
        "   11 ! FAIL a packet came that must not, after ",
        "   14 < ok   10.77.0.2       ICMP  Echo reply",
        "FAIL: 4 tests, 3 failed; 4 packets sent, 1 expectation held, 3 failed",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn lines_of_json_say_the_same() {
    let script = "> ip(dst=10.77.0.2)/tcp(srcport=40001, dstport=81, seq=5, flags=S)\n\
        < 0.1s tcp(flags=R., srcport=81)\n< 0.1s tcp(flags=S.)\n\
        sweep 0.1s ip(dst=10.77.0.2)/tcp(dstport=[7, 81], flags=S)\n";
    let Some(said) = in_lab("lines_of_json_say_the_same", &["--json"], script, 1) else { return };
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["sent", "pass", "fail", "result", "summary"], "{said}");
    assert!(lines[1]["after_ns"].as_i64().unwrap() > 0 && lines[1]["received_ns"].is_u64());
    assert!(lines[1]["frame"].as_str().unwrap().contains("45 00"));
    assert_eq!((lines[4]["pass"].as_bool(), lines[4]["failed"].as_u64()), (Some(false), Some(1)));
    let sweep = script.lines().last().unwrap();
    let said = in_lab("lines_of_json_say_the_same", &["--json"], sweep, 0).unwrap();
    let answers: Vec<Value> = said.lines().take(2).map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> =
        answers.iter().map(|a| (a["values"]["tcp.dstport"].as_str(), a["kind"].as_str())).collect();
    assert_eq!(kinds, [(Some("7"), Some("syn-ack")), (Some("81"), Some("reset"))], "{said}");
}

#[test]
fn the_reset_of_the_own_kernel_is_explained() {
    let script = "wait 0.1s\n> ip(dst=10.77.0.2)/tcp(srcport=40001, dstport=80, seq=5, flags=S)\n\
        < tcp(srcport=80, flags=S., seq=$theirs)\nsleep 10ms\n\
        > ip(dst=10.77.0.2)/tcp(srcport=40001, dstport=80, seq=6, ack=$theirs+1, flags=P.)/\"GET / HTTP/1.0\\r\\n\\r\\n\"\n\
        < tcp(srcport=80)/\"HTTP\"...\n";
    let Some(said) = in_lab("the_reset_of_the_own_kernel_is_explained", &[], script, 1) else { return };
    assert!(said.contains("the kernel of this machine has reset the connection"), "{said}");
    let said = in_lab("the_reset_of_the_own_kernel_is_explained", &["--guard"], script, 0).unwrap();
    assert!(said.contains("HTTP/1.0 200 OK"), "{said}");
}

#[test]
fn at_the_link_layer_and_over_ipv6() {
    let script = "interface lab0\nwait 0.3s\n> ipv6(dst=fd77::2)/icmpv6(type=128, id=7)/\"x\"\n\
        < ipv6(src=fd77::2, hlim=$h)/icmpv6(type=129, id=7)/\"x\"\n\
        > eth/ipv6(dst=fd77::2, hlim=$h)/udp(dstport=7)/\"hello\"\n< eth/ipv6/udp(srcport=7)/\"hello\"\n";
    let said = in_lab("at_the_link_layer_and_over_ipv6", &[], script, 0);
    assert!(said.is_none_or(|said| said.contains("$h = 64")));
}

#[test]
fn a_stop_ends_it_at_once_with_its_summary() {
    let mut command = Command::new(net::program("rawbench"));
    command.args(["run", "--lab", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"> ip(dst=10.77.0.2)/icmp\nsleep 60\n").unwrap();
    // Until the first line says that it runs.
    let mut first = [0];
    let running = std::io::Read::read(child.stdout.as_mut().unwrap(), &mut first).unwrap() == 1;
    let begun = Instant::now();
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let out = child.wait_with_output().unwrap();
    if !running {
        net::skip("a_stop_ends_it_at_once_with_its_summary", &text(&out.stderr));
        return;
    }
    assert!(sent.success() && begun.elapsed() < Duration::from_secs(20));
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("(stopped)"), "{}", text(&out.stdout));
}

#[test]
fn a_wrong_script_sends_nothing() {
    let out = run(&["--lab", "-"], "# one\n> ip(dst=10.77.0.2)/icmp\n< tcp(flgs=S)\n");
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(2), ""));
    assert_eq!(
        text(&out.stderr),
        "-: line 3\n< tcp(flgs=S)\n      ^^^^\ntcp has no field 'flgs'; did you mean flags?\n"
    );
    let out = run(&["/nonexistent.bench"], "");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("cannot read /nonexistent.bench"));
}
