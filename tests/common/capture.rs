//! Captures of the real binary in a network of their own.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::UdpSocket;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::cli::{stderr, stdout};

/// A capture that runs.
pub struct Capture {
    pub child: Child,
    pub messages: BufReader<ChildStderr>,
}

impl Capture {
    /// Starts a capture and waits until it misses nothing more.
    pub fn start(args: &[&str]) -> Self {
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

    /// The next message, without its line end.
    pub fn message(&mut self) -> String {
        let mut line = String::new();
        self.messages.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Interrupts it, as Ctrl-C does, and waits for its end.
    pub fn interrupt(self) -> (String, String, Option<i32>) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.end()
    }

    /// Waits for its end: standard output, messages, exit status.
    pub fn end(mut self) -> (String, String, Option<i32>) {
        let (mut out, mut messages) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.messages.read_to_string(&mut messages).unwrap();
        (out, messages, self.child.wait().unwrap().code())
    }
}

/// Runs a test of this file again in a network of its own, where it needs no privilege. `false`: this is there already.
pub fn runs_in_own_network(test: &str) -> bool {
    const INSIDE: &str = "RAWBENCH_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let how = if root { "-nm" } else { "-Urnm" };
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
pub fn datagram(text: &str) -> (u16, u16) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(text.as_bytes(), receiver.local_addr().unwrap()).unwrap();
    (sender.local_addr().unwrap().port(), receiver.local_addr().unwrap().port())
}
