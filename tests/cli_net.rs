//! `send` and `capture` through the real program, on real packets: in the lab, and on loopback in a network namespace
//! of its own. They run as root and as an ordinary user. Where the system forbids such namespaces they are skipped,
//! loudly; with `RAWBENCH_REQUIRE_NET` set that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const SYN: &str = "ip(dst=10.77.0.2)/tcp(srcport=40000, dstport=80, seq=4294967295, flags=S, \
                   options=[mss(1460), sackOK, nop, wscale(7)])";

/// The program; `RAWBENCH_BIN_DIR` says where it is when the tests were copied elsewhere.
fn program() -> PathBuf {
    match std::env::var_os("RAWBENCH_BIN_DIR") {
        Some(directory) => Path::new(&directory).join("rawbench"),
        None => env!("CARGO_BIN_EXE_rawbench").into(),
    }
}

fn rawbench(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    // Not through `eprintln!`, which the test harness swallows.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(std::env::var_os("RAWBENCH_REQUIRE_NET").is_none(), "{line}");
}

/// Whether there is a lab on this machine.
fn lab(test: &str) -> bool {
    let tried = rawbench(&["send", "--lab", "--wait", "0", "ip(dst=10.77.0.2)/icmp(type=8)"]);
    let there = tried.status.success();
    if !there {
        skip(test, &text(&tried.stderr));
    }
    there
}

fn has(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
    found.is_ok_and(|o| o.status.success())
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends in the lab and gives the JSON lines.
fn send(arguments: &[&str]) -> Vec<Value> {
    let out = rawbench(&[&["send", "--lab", "--json"], arguments].concat());
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    json_lines(&out.stdout)
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_zero_that_is_meant_is_said_to_be_filled_in() {
    if !lab("a_zero_that_is_meant_is_said_to_be_filled_in") {
        return;
    }
    let told = |fields: &str| {
        let notation = format!("ip(dst=10.77.0.2{fields})/tcp(srcport=40000, flags=S)");
        text(&rawbench(&["send", "--lab", "--wait", "0", &notation]).stderr)
    };
    assert!(
        told(", id=0")
            .contains("warning: ip.id: Identification is 0: the kernel fills it in; -i IFACE sends")
    );
    for plain in ["", ", id=1"] {
        assert!(!told(plain).contains("warning"), "{}", told(plain));
    }
    let source = told(", src=0.0.0.0");
    assert!(
        source
            .contains("ip.src: Source Address is pinned to 0.0.0.0, but the kernel fills it in, and the TCP")
    );
    let short = told(", ihl=4, len=7");
    assert!(!short.contains("ip.len") && short.contains("IHL under 5"), "{short}");
}

#[test]
fn the_namespace_of_a_foreign_process_has_a_way_out() {
    let send = |name: &str| rawbench(&["send", "--netns", name, "ip(dst=127.0.0.1)/icmp(type=8)"]);
    let told = |name: &str| {
        let out = send(name);
        assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
        text(&out.stderr)
    };
    if is_root() {
        // Root opens it before the program puts its rights down.
        let mut foreign = Command::new("setpriv");
        foreign.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "60"]);
        let mut foreign = foreign.spawn().unwrap();
        let out = send(&foreign.id().to_string());
        foreign.kill().unwrap();
        foreign.wait().unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        assert!(text(&out.stdout).contains("echo-reply"), "{}", text(&out.stdout));
    } else {
        let first = told("1");
        assert!(first.contains("open to root only") && first.contains("start with sudo"), "{first}");
    }
    assert!(told("no-such-namespace").contains("There is no such name in /run/netns"));
    assert!(told("4194305").contains("There is no process with this number"));
}

#[test]
fn each_kind_of_answer_is_told() {
    if !lab("each_kind_of_answer_is_told") {
        return;
    }
    for (notation, kind, flags) in [
        (SYN, "syn-ack", Some("S.")),
        ("ip(dst=10.77.0.2)/tcp(dstport=81, seq=7, flags=S)", "reset", Some("R.")),
        ("ip(dst=10.77.0.2)/tcp(dstport=80, seq=7, ack=99, flags=.)", "reset", Some("R")),
        ("ip(dst=10.77.0.2)/udp(srcport=5000, dstport=7)/\"hello\"", "udp", None),
        ("ip(dst=10.77.0.2)/icmp(type=8, ident=77, seq=3)/\"ping\"", "echo-reply", None),
        ("ip(dst=10.77.0.2)/udp(srcport=5000, dstport=5)", "icmp-unreachable", None),
        ("eth/ip(dst=10.77.0.2)/tcp(dstport=81, flags=S)", "reset", Some("R.")),
    ] {
        let lines = send(&[notation]);
        assert_eq!(lines.len(), 2, "{notation}: {lines:?}");
        let (answer, summary) = (&lines[0], &lines[1]);
        assert_eq!((answer["event"].as_str(), answer["kind"].as_str()), (Some("answer"), Some(kind)));
        assert_eq!(answer["flags"].as_str(), flags, "{notation}");
        assert_eq!((answer["index"].as_u64(), answer["from"].as_str()), (Some(1), Some("10.77.0.2")));
        let number = |key: &str| answer[key].as_u64().unwrap();
        assert_eq!(number("received_ns") - number("sent_ns"), number("rtt_ns"));
        assert!(number("rtt_ns") < 100_000_000);
        assert!(answer["frame"].as_str().unwrap().starts_with("45 "), "{answer}");
        let counts = ["sent", "answered", "errors"].map(|key| summary[key].as_u64().unwrap());
        assert_eq!((summary["event"].as_str(), counts), (Some("summary"), [1, 1, 0]));
    }
}

#[test]
fn silence_is_a_timeout_after_the_time_that_was_asked_for() {
    if !lab("silence_is_a_timeout_after_the_time_that_was_asked_for") {
        return;
    }
    let begun = Instant::now();
    let silent = "ip(dst=10.77.0.2)/tcp(srcport=40000, dstport=9999, flags=S)";
    let lines = send(&["--wait", "0.4", silent]);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    assert_eq!(lines[0].to_string(), r#"{"event":"timeout","index":1}"#);
    assert_eq!((lines[1]["sent"].as_u64(), lines[1]["answered"].as_u64()), (Some(1), Some(0)));
    // One second is the rule for a single packet; with several of them nothing is waited for.
    let begun = Instant::now();
    assert_eq!(send(&[silent]).len(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let lines = send(&["--count", "3", silent]);
    assert_eq!((lines.len(), lines[0]["sent"].as_u64()), (1, Some(3)));
}

#[test]
fn the_link_layer_gets_its_addresses_and_the_same_answers() {
    if !lab("the_link_layer_gets_its_addresses_and_the_same_answers") {
        return;
    }
    for notation in [SYN, &format!("eth/{SYN}")] {
        let lines = send(&["-i", "lab0", notation]);
        assert_eq!(lines[0]["kind"].as_str(), Some("syn-ack"), "{lines:?}");
    }
    // What the kernel overwrites in a raw IP socket goes out as it is: a wrong header checksum is never answered.
    let broken = "ip(dst=10.77.0.2, checksum=1)/icmp(type=8)";
    assert_eq!(send(&["-i", "lab0", "--wait", "0.3", broken])[0]["event"].as_str(), Some("timeout"));
    let out = rawbench(&["send", "--lab", "--json", broken]);
    assert!(text(&out.stderr).contains("ip.checksum"), "{}", text(&out.stderr));
    assert_eq!(json_lines(&out.stdout)[0]["kind"].as_str(), Some("echo-reply"));
    let out = rawbench(&["send", "--lab", "-i", "nowhere0", SYN]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(message.contains("nowhere0") && message.contains("lab0"), "{message}");
    let local = ["send", "--lab", "-i", "lo", "--wait", "0.1", "ip(dst=127.0.0.1)/icmp(type=8)"];
    assert!(text(&rawbench(&local).stderr).contains("does not deliver"));
    let tag = ["send", "--lab", "-i", "lab0", "--wait", "0.1", "vlan(id=5)/ip(dst=10.77.0.2)/udp"];
    assert!(text(&rawbench(&tag).stderr).contains("put eth(…) before it"));
}

#[test]
fn a_tunnel_goes_out_by_its_outer_header() {
    if !lab("a_tunnel_goes_out_by_its_outer_header") {
        return;
    }
    let inner = "ipv6(src=fd77::8, dst=fd77::9)/tcp(flags=S)";
    for tunnel in ["gre", "ip(src=10.1.0.1, dst=10.1.0.2)", "udp/vxlan/eth"] {
        let notation = format!("ip(dst=10.77.0.2)/{tunnel}/{inner}");
        for arguments in [&[notation.as_str()][..], &["-i", "lab0", notation.as_str()]] {
            let lines = send(arguments);
            assert_eq!(lines[0]["kind"].as_str(), Some("icmp-unreachable"), "{arguments:?}: {lines:?}");
        }
    }
}

#[test]
fn many_packets_keep_the_pace_and_each_has_its_answer() {
    if !lab("many_packets_keep_the_pace_and_each_has_its_answer") {
        return;
    }
    let begun = Instant::now();
    let lines = send(&["--count", "300", "--wait", "2", "ip(dst=10.77.0.2)/icmp(type=8, ident=1)"]);
    assert!(begun.elapsed() >= Duration::from_millis(299), "1000 a second at most");
    let (summary, answers) = lines.split_last().unwrap();
    let mut indices: Vec<u64> = answers.iter().map(|a| a["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (1..=300).collect::<Vec<_>>(), "one answer each");
    assert!(answers.iter().all(|a| a["kind"] == "echo-reply"));
    assert_eq!(summary["answered"].as_u64(), Some(300));
    let pps = summary["pps"].as_f64().unwrap();
    // How far below depends on what else the machine does.
    assert!(pps > 0.0 && pps <= 1000.1, "{pps}");
}

#[test]
fn times_are_those_of_the_recorded_file_and_the_file_is_whole() {
    if !lab("times_are_those_of_the_recorded_file_and_the_file_is_whole") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in ["exchange.pcapng", "exchange.pcap"] {
        let path = directory.path().join(name);
        let file = path.to_str().unwrap();
        let answer = send(&["-w", file, SYN]).remove(0);
        let packets = json_lines(&rawbench(&["read", file, "--json"]).stdout);
        let time = |bytes: &str| {
            let found = packets.iter().find(|p| p["bytes"].as_str().unwrap().ends_with(bytes));
            found.unwrap_or_else(|| panic!("{bytes} is not in {packets:?}"))["time_ns"].as_u64()
        };
        let syn = packets.iter().find(|p| p["info"].as_str().unwrap().contains(" S ")).unwrap();
        assert_eq!(answer["sent_ns"].as_u64(), syn["time_ns"].as_u64());
        assert_eq!(answer["received_ns"].as_u64(), time(answer["frame"].as_str().unwrap()));
        if !has("tshark") {
            skip("times_are_those_of_the_recorded_file", "there is no tshark");
            continue;
        }
        let fields = ["-e", "tcp.flags.reset", "-e", "tcp.checksum.status", "-e", "ip.checksum.status"];
        let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
        let seen = Command::new("tshark")
            .args(["-r", file, "-T", "fields", "-Y", "tcp"])
            .args([&fields[..], &checks[..]].concat())
            .output()
            .unwrap();
        let seen = text(&seen.stdout);
        assert_eq!(seen.lines().count(), 3, "{seen}");
        assert!(seen.lines().all(|l| l.ends_with("1\t1")), "every checksum is good: {seen}");
        let resets = seen.lines().filter(|l| l.starts_with('1') || l.starts_with("True")).count();
        assert_eq!(resets, 1, "the kernel's reset is in it: {seen}");
    }
}

#[test]
fn ctrl_c_ends_a_wait_with_its_summary_and_a_whole_file() {
    if !lab("ctrl_c_ends_a_wait_with_its_summary_and_a_whole_file") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.pcapng");
    let mut child = Command::new(program())
        .args(["send", "--lab", "--json", "--wait", "60", "-w"])
        .arg(&file)
        .arg("ip(dst=10.77.0.2)/tcp(dstport=9999, flags=S)")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(&file).map_or(0, |m| m.len()) < 150 {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "nothing was recorded");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let lines = json_lines(&out.stdout);
    assert_eq!(
        (lines.len(), lines[0]["sent"].as_u64()),
        (1, Some(1)),
        "what was not waited for is no timeout"
    );
    assert!(text(&out.stderr).contains("lost in the kernel 0, lost in the program 0"));
    let read = rawbench(&["read", file.to_str().unwrap()]);
    assert!(read.status.success() && read.stderr.is_empty(), "{}", text(&read.stderr));
    assert!(text(&read.stdout).contains("→ 9999 S"));
}

#[test]
fn a_wrong_call_says_so_and_leaves_nothing() {
    for (arguments, part) in [
        (vec!["send", "tcp(flags=S)"], "-i IFACE"),
        (vec!["send", "ip(dst=1.2.3.4)/tcp(dstport=65536)"], "^"),
        (vec!["send", "-w", "-", SYN], "-w takes the name of a file"),
        (vec!["send", "--wait=-1", SYN], "--wait"),
        (vec!["send", "--count", "0", SYN], "--count"),
        (vec!["capture", "-i", "lo", "--ip", "icmp"], "--ip"),
        (vec!["capture", "--ip", "sctp"], "sctp"),
        (vec!["capture", "--hex", "--json"], "--json"),
        (vec!["capture", "--duration", "x"], "number of seconds"),
    ] {
        let out = rawbench(&arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        assert!(text(&out.stderr).contains(part), "{arguments:?}: {}", text(&out.stderr));
        assert!(out.stdout.is_empty());
    }
}

/// A copy of the program that any user may run.
fn public_copy() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    open(directory.path());
    let copy = directory.path().join("rawbench");
    std::fs::copy(program(), &copy).unwrap();
    open(&copy);
    (directory, copy)
}

#[test]
fn without_the_privilege_the_ways_to_it_are_listed() {
    let (_directory, copy) = public_copy();
    let file = std::env::temp_dir().join(format!("rawbench-none-{}.pcapng", std::process::id()));
    for arguments in
        [vec!["capture", "-w", file.to_str().unwrap()], vec!["send", "ip(dst=127.0.0.1)/icmp(type=8)"]]
    {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
            command
        } else {
            Command::new(&copy)
        };
        let out = command.args(&arguments).stdin(Stdio::null()).output().unwrap();
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{arguments:?}: {message}");
        assert!(
            message.contains("--lab") && message.contains("sudo") && message.contains("setcap"),
            "{message}"
        );
        assert!(!file.exists(), "a capture that cannot begin leaves no file");
    }
}

#[test]
fn a_file_of_a_sudo_run_belongs_to_the_user() {
    if !is_root() {
        // Nothing to do here: there is no privilege to put down.
        return;
    }
    if !lab("a_file_of_a_sudo_run_belongs_to_the_user") {
        return;
    }
    let (directory, copy) = public_copy();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let file = directory.path().join("x.pcapng");
    let out = Command::new(copy)
        .env("SUDO_UID", "65534")
        .env("SUDO_GID", "65534")
        .args(["send", "--lab", "-w"])
        .arg(&file)
        .arg(SYN)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(std::fs::metadata(&file).unwrap().uid(), 65534);
}

#[test]
fn a_capture_goes_through_a_pipe_and_ends_by_itself() {
    if !lab("a_capture_goes_through_a_pipe_and_ends_by_itself") {
        return;
    }
    // A fresh lab is not silent: its interfaces report their IPv6 groups.
    let out = rawbench(&["capture", "--lab", "--duration", "0.5", "-w", "-"]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{message}");
    assert!(message.contains("received ") && message.contains("lost in the kernel 0"), "{message}");
    let mut read = Command::new(program())
        .args(["read", "-", "--count"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    read.stdin.take().unwrap().write_all(&out.stdout).unwrap();
    let counted = text(&read.wait_with_output().unwrap().stdout);
    assert!(message.contains(&format!("written {},", counted.trim())), "{message} against {counted}");
}

/// How a network namespace of one's own is made here; `None` where it is forbidden.
fn unshare(test: &str) -> Option<&'static str> {
    let how = if is_root() { "-n" } else { "-Urn" };
    let tried = Command::new("unshare").args([how, "ip", "link", "set", "lo", "up"]).output();
    match tried {
        Ok(out) if out.status.success() => Some(how),
        Ok(out) => {
            skip(test, &format!("unshare {how}: {}", text(&out.stderr)));
            None
        }
        Err(error) => {
            skip(test, &format!("unshare: {error}"));
            None
        }
    }
}

/// Captures on a loopback interface of its own while something goes on there; gives standard output and error.
fn on_loopback(test: &str, capture: &str, meanwhile: &str) -> Option<(String, String)> {
    let how = unshare(test)?;
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        r#"
        ip link set lo up || exit 70
        "$RAWBENCH" capture {capture} >"$DIR/out" 2>"$DIR/err" &
        capture=$!
        tries=0
        until grep -q capturing "$DIR/err"; do
            tries=$((tries + 1)); [ $tries -lt 500 ] || exit 71; sleep 0.02
        done
        {meanwhile} >"$DIR/meanwhile" 2>&1 || {{ cat "$DIR/meanwhile" >&2; exit 72; }}
        sleep 0.1
        kill -INT $capture
        wait $capture
        "#
    );
    let out = Command::new("unshare")
        .args([how, "sh", "-c", &script])
        .env("RAWBENCH", program())
        .env("TESTS", std::env::current_exe().unwrap())
        .env("DIR", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    let (stdout, stderr) = (read("out"), read("err"));
    assert_eq!(out.status.code(), Some(0), "{}{stdout}{stderr}", text(&out.stderr));
    Some((stdout, stderr))
}

/// Says to a test of this file that it runs in a network of its own already.
const INSIDE: &str = "RAWBENCH_TEST_INSIDE";
/// Runs `a_page_is_fetched` of this file inside the namespace.
const FETCH: &str = r#"env RAWBENCH_TEST_INSIDE=1 "$TESTS" --exact a_page_is_fetched"#;
const PING: &str = "ping -c1 127.0.0.1";

#[test]
fn a_page_is_fetched() {
    if std::env::var_os(INSIDE).is_none() {
        let Some(how) = unshare("a_page_is_fetched") else { return };
        let script = format!("ip link set lo up && exec {FETCH}");
        let tests = std::env::current_exe().unwrap();
        let out =
            Command::new("unshare").args([how, "sh", "-c", &script]).env("TESTS", tests).output().unwrap();
        assert!(out.status.success(), "{}{}", text(&out.stdout), text(&out.stderr));
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:80").unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    if has("wget") {
        let got = Command::new("wget").args(["-q", "-O", "-", "http://127.0.0.1/"]).output().unwrap();
        assert_eq!(got.stdout, b"hi");
    } else {
        let mut stream = TcpStream::connect("127.0.0.1:80").unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    server.join().unwrap();
}

fn hex_bytes(line: &str) -> Vec<u8> {
    line.split(' ').map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn a_ping_shows_at_the_ip_layer_as_its_bytes() {
    let test = "a_ping_shows_at_the_ip_layer_as_its_bytes";
    if !has("ping") {
        return skip(test, "there is no ping");
    }
    let Some((out, message)) = on_loopback(test, "--ip icmp --hex", PING) else { return };
    let packets: Vec<Vec<u8>> = out.lines().map(hex_bytes).collect();
    let types: Vec<u8> = packets.iter().map(|p| p[usize::from(p[0] & 15) * 4]).collect();
    assert_eq!(types, [8, 0], "the request, then the reply: {out}");
    assert!(packets.iter().all(|p| p[0] == 0x45 && p[9] == 1));
    assert!(out.lines().all(|l| l.chars().all(|c| c == ' ' || c.is_ascii_digit() || c.is_ascii_uppercase())));
    assert!(
        message.contains("received 2, written 2, lost in the kernel 0, lost in the program 0"),
        "{message}"
    );
}

#[test]
fn a_page_shows_at_the_ip_layer_beginning_with_its_syn() {
    let test = "a_page_shows_at_the_ip_layer_beginning_with_its_syn";
    let Some((out, _)) = on_loopback(test, "--ip tcp --hex", FETCH) else { return };
    let first = hex_bytes(out.lines().next().unwrap());
    let tcp = &first[20..];
    assert_eq!(tcp[2..4], [0x00, 0x50], "destination port 80: {out}");
    assert_eq!(tcp[13], 0x02, "byte 14 of the header is SYN: {out}");
    let second = hex_bytes(out.lines().nth(1).unwrap());
    assert_eq!((&second[20..22], second[33]), (&[0x00, 0x50][..], 0x12));
}

#[test]
fn two_protocols_at_once_come_from_two_sockets() {
    let test = "two_protocols_at_once_come_from_two_sockets";
    if !has("ping") {
        return skip(test, "there is no ping");
    }
    let both = format!("{PING} && {FETCH}");
    let Some((out, _)) = on_loopback(test, "--ip tcp --ip icmp", &both) else { return };
    assert!(out.contains("Echo request") && out.contains("→ 80 S "), "{out}");
}

#[test]
fn on_loopback_each_packet_is_listed_once() {
    let test = "on_loopback_each_packet_is_listed_once";
    if !has("ping") {
        return skip(test, "there is no ping");
    }
    for capture in ["-i lo", ""] {
        let Some((out, _)) = on_loopback(test, capture, PING) else { return };
        let rows: Vec<&str> = out.lines().filter(|l| l.contains("ICMP")).collect();
        assert_eq!(rows.len(), 2, "{out}");
        assert!(rows[0].contains("Echo request") && rows[1].contains("Echo reply"), "{out}");
        assert!(rows[0].trim_start().starts_with("1    0.000000 127.0.0.1       127.0.0.1"), "{out}");
    }
    let Some((out, _)) = on_loopback(test, "-i lo --json -s 30", PING) else { return };
    let lines = json_lines(out.as_bytes());
    assert_eq!((lines.len(), lines[0]["interface"].as_str()), (2, Some("lo")));
    assert_eq!((lines[0]["captured"].as_u64(), lines[0]["length"].as_u64()), (Some(30), Some(98)));
}

#[test]
fn on_loopback_a_packet_that_is_sent_is_no_answer_to_itself() {
    let test = "on_loopback_a_packet_that_is_sent_is_no_answer_to_itself";
    let own = r#""$RAWBENCH" send --json --wait 0.2 'ip(dst=127.0.0.1)/icmp(type=8, ident=3)' | tee "$DIR/sent" && grep -q '"kind":"echo-reply"' "$DIR/sent""#;
    let Some((out, _)) = on_loopback(test, "-i lo", own) else { return };
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn each_kind_of_answer_is_told_over_ipv6() {
    if !lab("each_kind_of_answer_is_told_over_ipv6") {
        return;
    }
    for (notation, kind, flags) in [
        ("ipv6(dst=fd77::2)/tcp(dstport=80, seq=4294967295, flags=S)", "syn-ack", Some("S.")),
        ("ipv6(dst=fd77::2)/tcp(dstport=81, flags=S)", "reset", Some("R.")),
        ("ipv6(dst=fd77::2)/tcp(dstport=80, seq=7, ack=99, flags=.)", "reset", Some("R")),
        ("ipv6(dst=fd77::2)/udp(srcport=5000, dstport=7)/\"hello\"", "udp", None),
        ("ipv6(dst=fd77::2)/udp(srcport=5000, dstport=5)", "icmp-unreachable", None),
        ("ipv6(dst=fd77::2)/icmpv6", "echo-reply", None),
        ("ipv6(dst=fd77::2, nxt=253)/\"whatever\"", "icmp-other", None),
        ("ipv6(dst=fd77::2, hlim=255)/icmpv6(type=135, target=fd77::2)", "other", None),
        ("ipv6(dst=ff02::1)/icmpv6", "echo-reply", None),
    ] {
        for way in [&[][..], &["-i", "lab0"]] {
            let lines = send(&[way, &[notation]].concat());
            let answer = &lines[0];
            assert_eq!(answer["kind"].as_str(), Some(kind), "{notation} {way:?}: {lines:?}");
            assert_eq!(answer["flags"].as_str(), flags, "{notation}");
            assert_eq!(answer["from"].as_str(), Some("fd77::2"));
            assert!(answer["frame"].as_str().unwrap().starts_with("6"), "{answer}");
            let number = |key: &str| answer[key].as_u64().unwrap();
            assert_eq!(number("received_ns") - number("sent_ns"), number("rtt_ns"), "{notation}");
        }
    }
    let silent = send(&["--wait", "0.3", "ipv6(dst=fd77::2)/tcp(dstport=9999, flags=S)"]);
    assert_eq!(silent[0]["event"].as_str(), Some("timeout"));
    // No checksum is a wrong one: the server drops it, over IPv4 it does not.
    let none = send(&["--wait", "0.3", "ipv6(dst=fd77::2)/udp(dstport=7, checksum=0)/\"x\""]);
    assert_eq!(none[0]["event"].as_str(), Some("timeout"));
    assert_eq!(
        send(&["ip(dst=10.77.0.2)/udp(dstport=7, checksum=0)/\"x\""])[0]["kind"].as_str(),
        Some("udp")
    );
}

#[test]
fn an_exchange_over_ipv6_is_recorded_as_it_was() {
    if !lab("an_exchange_over_ipv6_is_recorded_as_it_was") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("v6.pcapng");
    let file = path.to_str().unwrap();
    let syn = "ipv6(dst=fd77::2, flow=0xabcde, tclass=0x2c)/tcp(srcport=40000, dstport=80, seq=1, flags=S)";
    let out = rawbench(&["send", "--lab", "-w", file, syn]);
    assert!(text(&out.stderr).contains("the kernel of this machine sent 1 reset"), "{}", text(&out.stderr));
    let rows = text(&rawbench(&["read", file]).stdout);
    for part in [
        "Neighbor solicitation who has fd77::2? <slla ",
        " flags OS <tlla ",
        "40000 → 80 S 1:1(0)",
        "80 → 40000 S. ",
    ] {
        assert!(rows.contains(part), "{part} is not in\n{rows}");
    }
    let keys = ["-e", "ipv6.flow", "-e", "ipv6.tclass", "-e", "ipv6.dst", "-e", "tcp.flags"];
    let values = text(&rawbench(&[&["read", file], &keys[..]].concat()).stdout);
    assert!(values.contains("0x0abcde\t0x0000002c\tfd77::2\t0x0002"), "{values}");
    // Every checksum is good, the whole way back and forth.
    let tree = text(&rawbench(&["read", file, "-V"]).stdout);
    assert!(tree.matches("[good]").count() >= 5 && !tree.contains("[bad"), "{tree}");
}

#[test]
fn a_raw_socket_sends_an_ipv6_header_as_it_stands_and_says_what_it_cannot() {
    if !lab("a_raw_socket_sends_an_ipv6_header_as_it_stands_and_says_what_it_cannot") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("odd.pcapng");
    let file = path.to_str().unwrap();
    let odd = "ipv6(src=fd77::1, dst=fd77::2, plen=3, hlim=7)/udp(dstport=9, checksum=0x1234)/\"x\"";
    let out = rawbench(&["send", "--lab", "--wait", "0.1", "-w", file, odd]);
    let told = text(&out.stderr);
    assert!(!told.contains("the kernel writes") && told.contains("payload length says 3 bytes"), "{told}");
    let hex = text(&rawbench(&["craft", odd, "--hex"]).stdout);
    let seen = text(&rawbench(&["read", file, "--hex"]).stdout);
    assert!(seen.lines().any(|l| l.ends_with(hex.trim())), "{hex} is not in\n{seen}");
    for (notation, part) in [
        ("ipv6(dst=fd77::2)/icmpv6/zero(1500)", "larger than the MTU of lab0, 1500 bytes"),
        ("ipv6(dst=2001:db8::1)/icmpv6", "No route leads there"),
        ("ipv6(dst=fe80::1)/icmpv6", "fe80::1"),
    ] {
        let out = rawbench(&["send", "--lab", "--wait", "0.1", notation]);
        assert_eq!(out.status.code(), Some(1), "{notation}");
        assert!(text(&out.stderr).contains(part), "{notation}: {}", text(&out.stderr));
    }
    let out = rawbench(&["send", "--lab", "ipv6/icmpv6"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("ipv6 needs a destination"), "{}", text(&out.stderr));
}
