//! `tcping` through the real program, on real packets: in the lab, and on loopback in a network namespace of its own.
//! Where the system forbids such namespaces it is skipped, loudly; with `RAWBENCH_REQUIRE_NET` set that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program; `RAWBENCH_BIN_DIR` says where it is when the tests were copied elsewhere.
fn program() -> PathBuf {
    match std::env::var_os("RAWBENCH_BIN_DIR") {
        Some(directory) => Path::new(&directory).join("rawbench"),
        None => env!("CARGO_BIN_EXE_rawbench").into(),
    }
}

fn tcping(arguments: &[&str]) -> Output {
    Command::new(program()).arg("tcping").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    // Not through `eprintln!`, which the test harness swallows.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(std::env::var_os("RAWBENCH_REQUIRE_NET").is_none(), "{line}");
}

/// Whether there is a lab on this machine.
fn lab(test: &str) -> bool {
    let tried = tcping(&["--lab", "-c", "1", "10.77.0.2"]);
    let there = tried.status.success();
    if !there {
        skip(test, &text(&tried.stderr));
    }
    there
}

/// Measures in the lab; the lines of standard output.
fn lines(arguments: &[&str]) -> Vec<String> {
    let out = tcping(&[&["--lab"], arguments].concat());
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
    text(&out.stdout).lines().map(str::to_owned).collect()
}

fn json(arguments: &[&str]) -> Vec<Value> {
    let lines = lines(&[&["--json"], arguments].concat());
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn five_round_trips_and_their_summary() {
    if !lab("five_round_trips_and_their_summary") {
        return;
    }
    let begun = Instant::now();
    let lines = lines(&["-c", "5", "--interval", "0.1", "10.77.0.2"]);
    assert!(begun.elapsed() >= Duration::from_millis(400), "five rounds are four intervals");
    assert_eq!(lines.len(), 8, "{lines:#?}");
    for (number, line) in (1..).zip(&lines[..5]) {
        let words = words(line);
        assert_eq!(words[..4], ["10.77.0.2:80", "seq", &number.to_string(), "syn-ack"], "{line}");
        assert!(words[4].parse::<f64>().unwrap() > 0.0 && matches!(words[5], "µs" | "ms"), "{line}");
    }
    assert_eq!(lines[5..7], ["--- 10.77.0.2:80", "5 sent, 5 answered, 0 % loss"]);
    for part in ["rtt min ", ", median ", ", avg ", ", p99 ", ", max ", ", jitter ", " (RFC 3550), mdev "] {
        assert!(lines[7].contains(part), "{}", lines[7]);
    }
}

#[test]
fn a_closed_port_answers_with_a_reset() {
    if !lab("a_closed_port_answers_with_a_reset") {
        return;
    }
    let lines = lines(&["-c", "2", "--interval", "0.05", "10.77.0.2:81"]);
    assert!(lines[..2].iter().all(|line| line.contains(" reset ")), "{lines:#?}");
    assert_eq!(lines[3], "2 sent, 2 answered, 0 % loss");
}

#[test]
fn a_silent_port_is_a_loss_of_everything() {
    if !lab("a_silent_port_is_a_loss_of_everything") {
        return;
    }
    let begun = Instant::now();
    let lines = lines(&["-c", "3", "--interval", "0.1", "--wait", "0.3", "10.77.0.2:9999"]);
    assert!(begun.elapsed() >= Duration::from_millis(500), "the last one is waited for as well");
    for (number, line) in (1..).zip(&lines[..3]) {
        let silent = format!("10.77.0.2:9999 seq {number} no answer within 0.3 s");
        assert_eq!(words(line).join(" "), silent);
    }
    assert_eq!(lines[3..], ["--- 10.77.0.2:9999", "3 sent, 0 answered, 100 % loss"]);
}

#[test]
fn several_hosts_are_measured_side_by_side() {
    if !lab("several_hosts_are_measured_side_by_side") {
        return;
    }
    let begun = Instant::now();
    // One of the hosts is this side itself, behind another interface.
    let hosts = ["10.77.0.2", "10.77.0.1:7", "10.77.0.2:81", "10.77.0.2:9999"];
    let options = ["-c", "4", "--interval", "0.2"];
    let found = json(&[&options[..], &hosts].concat());
    assert!(begun.elapsed() < Duration::from_secs(5), "in the same interval, not one after the other");
    for (host, kind) in [
        ("10.77.0.2:80", "syn-ack"),
        ("10.77.0.1:7", "reset"),
        ("10.77.0.2:81", "reset"),
        ("10.77.0.2:9999", ""),
    ] {
        let own: Vec<&Value> = found.iter().filter(|line| line["host"] == host).collect();
        let (summary, packets) = own.split_last().unwrap();
        let event = if kind.is_empty() { "timeout" } else { "answer" };
        assert_eq!(packets.len(), 4, "{host}: {own:#?}");
        for (number, line) in (1..).zip(packets) {
            assert_eq!((line["event"].as_str(), line["index"].as_u64()), (Some(event), Some(number)));
            if event == "answer" {
                assert_eq!(line["kind"].as_str(), Some(kind));
                assert!(host.starts_with(line["from"].as_str().unwrap()));
            }
        }
        let counts = ["sent", "answered", "errors"].map(|key| summary[key].as_u64().unwrap());
        assert_eq!(counts, [4, if event == "answer" { 4 } else { 0 }, 0]);
    }
    let sent = |host: &str, index: u64| {
        let one = found.iter().find(|l| l["host"] == host && l["index"] == index);
        one.unwrap()["sent_ns"].as_u64().unwrap()
    };
    let apart = sent("10.77.0.2:81", 3).abs_diff(sent("10.77.0.2:80", 3));
    assert!(apart < 100_000_000, "of one round: {apart} ns");
    let round = sent("10.77.0.2:80", 4) - sent("10.77.0.2:80", 1);
    assert!(round > 590_000_000, "three intervals: {round} ns");
}

#[test]
fn json_lines_are_those_of_send() {
    if !lab("json_lines_are_those_of_send") {
        return;
    }
    let found = json(&["-c", "20", "--interval", "0.01", "10.77.0.2"]);
    let (summary, answers) = found.split_last().unwrap();
    let keys = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(summary), "answered errors event pps seconds sent");
    assert_eq!((summary["sent"].as_u64(), summary["answered"].as_u64()), (Some(20), Some(20)));
    assert!(summary["seconds"].as_f64().unwrap() >= 0.2 && summary["pps"].as_f64().unwrap() <= 100.01);
    let (mut ports, mut numbers) = (Vec::new(), Vec::new());
    for (index, answer) in (1..).zip(answers) {
        assert_eq!(keys(answer), "event flags frame from index kind received_ns rtt_ns sent_ns");
        let number = |key: &str| answer[key].as_u64().unwrap();
        assert_eq!((number("index"), answer["flags"].as_str()), (index, Some("S.")));
        assert_eq!(number("received_ns") - number("sent_ns"), number("rtt_ns"));
        let frame: Vec<u8> = answer["frame"]
            .as_str()
            .unwrap()
            .split(' ')
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        // The destination port of the answer is our source port, its acknowledgment our sequence number and one.
        ports.push(u16::from_be_bytes([frame[22], frame[23]]));
        numbers.push(u32::from_be_bytes([frame[28], frame[29], frame[30], frame[31]]));
    }
    assert!(ports.iter().all(|p| *p >= 1024 && !(32768..=60999).contains(p)), "{ports:?}");
    for list in [ports.iter().map(|p| u32::from(*p)).collect(), numbers] {
        let mut sorted: Vec<u32> = list;
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 20, "each probe has its own");
    }
    let silent = lines(&["--json", "-c", "1", "--wait", "0.1", "10.77.0.2:9999"]);
    assert_eq!(silent[0], r#"{"event":"timeout","index":1}"#);
}

#[test]
fn hosts_of_both_families_are_measured_side_by_side() {
    if !lab("hosts_of_both_families_are_measured_side_by_side") {
        return;
    }
    let options = ["-c", "3", "--interval", "0.1"];
    let hosts = ["fd77::2", "10.77.0.2", "[fd77::2]:81", "[fd77::2]:9999", "[fd77::1]:81"];
    let found = json(&[&options[..], &hosts].concat());
    for (host, kind, from) in [
        ("[fd77::2]:80", "syn-ack", "fd77::2"),
        ("10.77.0.2:80", "syn-ack", "10.77.0.2"),
        ("[fd77::2]:81", "reset", "fd77::2"),
        ("[fd77::2]:9999", "", ""),
        ("[fd77::1]:81", "reset", "fd77::1"),
    ] {
        let own: Vec<&Value> = found.iter().filter(|line| line["host"] == host).collect();
        let (summary, packets) = own.split_last().unwrap();
        assert_eq!((packets.len(), summary["sent"].as_u64()), (3, Some(3)), "{own:#?}");
        for line in packets {
            if kind.is_empty() {
                assert_eq!(line["event"], "timeout");
                continue;
            }
            assert_eq!((line["kind"].as_str(), line["from"].as_str()), (Some(kind), Some(from)));
            let number = |key: &str| line[key].as_u64().unwrap();
            assert_eq!(number("received_ns") - number("sent_ns"), number("rtt_ns"));
        }
    }
    let lines = lines(&["-c", "1", "[fd77::2]:80"]);
    assert!(lines[0].starts_with("[fd77::2]:80 seq 1 ") && lines[0].contains(" syn-ack "), "{lines:#?}");
}

#[test]
fn ctrl_c_prints_the_summary() {
    if !lab("ctrl_c_prints_the_summary") {
        return;
    }
    let mut child = Command::new(program())
        .args(["tcping", "--lab", "--interval", "0.1", "--wait", "60", "10.77.0.2", "10.77.0.2:9999"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // Each line goes out as it comes: nothing waits in a buffer.
    for number in 1..=3 {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(words(&line)[..3], ["10.77.0.2:80", "seq", &number.to_string()]);
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let begun = Instant::now();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "what is open is not waited for");
    let (_, first) = rest.split_once("--- 10.77.0.2:80\n").unwrap();
    let (first, second) = first.split_once("--- 10.77.0.2:9999\n").unwrap();
    assert!(first.contains(" answered, 0 % loss\nrtt min "), "{first}");
    assert!(second.contains(" sent, 0 answered, ") && second.contains(" not waited for"), "{second}");
    assert!(!second.contains("loss"), "nobody knows yet whether they are lost: {second}");
}

#[test]
fn ten_thousand_a_second_are_answered_and_counted() {
    if !lab("ten_thousand_a_second_are_answered_and_counted") {
        return;
    }
    // The kernel itself answers for a port that nobody listens at.
    let options = ["-c", "2000", "--interval", "0.0001", "--wait", "5"];
    let found = lines(&[&options[..], &["10.77.0.2:81"]].concat());
    let mut numbers: Vec<u32> = found[..2000].iter().map(|line| words(line)[2].parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=2000), "each has one line");
    assert_eq!(found[2000..2002], ["--- 10.77.0.2:81", "2000 sent, 2000 answered, 0 % loss"]);
    let rate = words(&found[2003]).join(" ");
    assert!(rate.starts_with("rate ") && rate.ends_with(" a second, 10000 asked"), "{rate}");
}

#[test]
fn a_terminal_shows_a_table_in_place() {
    if !lab("a_terminal_shows_a_table_in_place") {
        return;
    }
    let command = format!("{} tcping --lab -c 3 --interval 0.3 10.77.0.2 10.77.0.2:81", program().display());
    let out = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output();
    let Ok(out) = out else { return skip("a_terminal_shows_a_table_in_place", "there is no script") };
    assert_eq!(out.status.code(), Some(0));
    let shown = text(&out.stdout).replace('\r', "");
    let frames: Vec<&str> = shown.split("\u{1b}[3A\u{1b}[J").collect();
    assert!(frames.len() >= 3, "drawn again in place: {shown:?}");
    let (summary, tables) = frames.split_last().unwrap();
    for table in tables {
        let rows: Vec<Vec<&str>> = table.lines().map(words).collect();
        assert_eq!((rows.len(), rows[0][0]), (3, "host"), "{table:?}");
        assert_eq!((rows[1][0], rows[2][0]), ("10.77.0.2:80", "10.77.0.2:81"));
    }
    let sent: u64 = words(tables.last().unwrap().lines().nth(2).unwrap())[1].parse().unwrap();
    assert!((2..=3).contains(&sent), "{shown:?}");
    assert!(summary.starts_with("--- 10.77.0.2:80\n3 sent, 3 answered, 0 % loss\nrtt min "), "{summary:?}");
    assert!(!shown.contains(" seq "), "no lines besides");
}

#[test]
fn the_exit_status_can_say_whether_there_was_an_answer() {
    if !lab("the_exit_status_can_say_whether_there_was_an_answer") {
        return;
    }
    for (host, asked, usual) in
        [("10.77.0.2:81", 0, 0), ("10.77.0.2:9999", 1, 0), ("192.0.2.77", 2, 1), ("10.77.0.2:70000", 2, 2)]
    {
        let status = |more: &[&str]| {
            tcping(&[&["--lab", "-c", "1", "--wait", "0.1", host], more].concat()).status.code()
        };
        assert_eq!((status(&["--need-answer"]), status(&[])), (Some(asked), Some(usual)), "{host}");
    }
}

#[test]
fn an_address_that_could_be_one_with_a_port_is_said() {
    if !lab("an_address_that_could_be_one_with_a_port_is_said") {
        return;
    }
    let out = tcping(&["--lab", "-c", "1", "--wait", "0.1", "fd77::2:80"]);
    let note = "note: fd77::2:80 is taken as the address fd77::2:80; write [fd77::2]:80 for port 80\n";
    assert_eq!((text(&out.stderr).as_str(), out.status.code()), (note, Some(0)));
    assert!(text(&out.stdout).starts_with("[fd77::2:80]:80 seq 1 "), "{}", text(&out.stdout));
}

#[test]
fn a_wrong_call_says_so() {
    for (arguments, part) in [
        (vec![], "HOST"),
        (vec!["10.77.0.2:70000"], "0 to 65535"),
        (vec!["[fd77::2"], "bracket"),
        (vec!["-c", "0", "10.77.0.2"], "-c"),
        (vec!["--interval", "0", "10.77.0.2"], "0.00001 to 86400"),
        (vec!["--wait", "1e30", "10.77.0.2"], "0.001 to 86400"),
        (vec!["--interval", "0.00001", "10.77.0.2", "10.77.0.2:81"], "200000 packets a second"),
        (vec!["--lab", "--netns", "x", "10.77.0.2"], "--netns"),
    ] {
        let out = tcping(&arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {}", text(&out.stderr));
        assert!(text(&out.stderr).contains(part), "{arguments:?}: {}", text(&out.stderr));
        assert!(out.stdout.is_empty());
    }
}

#[test]
fn no_way_to_a_host_is_a_failure_that_names_it() {
    if !lab("no_way_to_a_host_is_a_failure_that_names_it") {
        return;
    }
    let out = tcping(&["--lab", "-c", "1", "192.0.2.77"]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert!(message.contains("192.0.2.77") && message.contains("route"), "{message}");
    // Names are looked up where the program runs, and it says so. This one is none, so nobody is asked.
    let out = tcping(&["--lab", "-c", "1", "a..b"]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert!(message.contains("a..b") && message.contains("not of the lab"), "{message}");
}

#[test]
fn round_trip_times_are_those_of_tcpdump() {
    let test = "round_trip_times_are_those_of_tcpdump";
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    // As root tcpdump becomes another user, which a namespace of one's own does not have.
    let how: &[&str] = if root { &["-n"] } else { &["-Un", "--map-current-user", "--keep-caps"] };
    // Both as the kernel stamps them; on loopback the port is closed, so a reset answers.
    let script = r#"
        ip link set lo up || exit 70
        command -v tcpdump >/dev/null || exit 71
        tcpdump -i lo -s 64 --immediate-mode --time-stamp-precision nano -w "$DIR/seen" tcp 2>"$DIR/err" &
        dump=$!
        tries=0
        until grep -q listening "$DIR/err"; do
            tries=$((tries + 1)); [ $tries -lt 500 ] || exit 72; sleep 0.02
        done
        "$RAWBENCH" tcping --json -c 50 --interval 0.01 127.0.0.1:81 || exit 73
        sleep 0.2
        kill -INT $dump
        wait $dump
    "#;
    let directory = tempfile::tempdir().unwrap();
    let out = Command::new("unshare")
        .args(how)
        .args(["sh", "-c", script])
        .env("RAWBENCH", program())
        .env("DIR", directory.path())
        .stdin(Stdio::null())
        .output();
    let Ok(out) = out else { return skip(test, "there is no unshare") };
    let err = text(&out.stderr);
    if matches!(out.status.code(), Some(1 | 70 | 71)) {
        return skip(test, &format!("there is no namespace of one's own, or no tcpdump: {err}"));
    }
    assert_eq!(out.status.code(), Some(0), "{err}");
    let seen = Command::new(program()).args(["read", "--json"]).arg(directory.path().join("seen")).output();
    let seen: Vec<Value> =
        text(&seen.unwrap().stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let time = |frame: &str| {
        let found = seen.iter().find(|packet| packet["bytes"].as_str().unwrap().ends_with(frame));
        found.unwrap_or_else(|| panic!("tcpdump saw no {frame}"))["time_ns"].as_u64().unwrap()
    };
    let mut answers = 0;
    for line in text(&out.stdout).lines().map(|l| serde_json::from_str::<Value>(l).unwrap()) {
        if line["event"] == "answer" {
            answers += 1;
            assert_eq!(line["kind"], "reset");
            assert_eq!(line["received_ns"].as_u64().unwrap(), time(line["frame"].as_str().unwrap()));
            let sent = line["sent_ns"].as_u64().unwrap();
            assert!(seen.iter().any(|packet| packet["time_ns"].as_u64() == Some(sent)), "{line}");
        }
    }
    assert_eq!(answers, 50);
}
