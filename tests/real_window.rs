//! The real window: the built program on an X server without a screen, driven by keys and clicks as a person would,
//! in the lab. Packets go nowhere else.
//!
//! Needs Xvfb, xdotool, tshark and user namespaces; without them the tests say SKIPPED, and with
//! `RAWBENCH_REQUIRE_WINDOW=1` they fail.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rawbench::pcap::CaptureFile;
use tempfile::TempDir;

/// How long a slow machine may take for one thing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);
/// Nobody.
const NOBODY: &str = "65534";

const BINARY: &str = env!("CARGO_BIN_EXE_rawbench");

const BROKER: &str = env!("CARGO_BIN_EXE_rawbench-broker");

/// Copies a program to where everybody may run it: the build may stand where nobody can look.
fn copied(program: &Path, to: &Path) -> PathBuf {
    let copy = to.join(program.file_name().unwrap());
    fs::copy(program, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// What `setcap cap_net_raw+ep` does (struct vfs_cap_data in capabilities(7)).
#[allow(unsafe_code)]
fn give_capability(program: &Path) {
    const REVISION_2_EFFECTIVE: u32 = 0x0200_0001;
    const NET_RAW: u32 = 1 << 13;
    let data: Vec<u8> =
        [REVISION_2_EFFECTIVE, NET_RAW, 0, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
    let path = std::ffi::CString::new(program.to_str().unwrap()).unwrap();
    // SAFETY: both names are strings with their zero; pointer and length describe `data`.
    let status = unsafe {
        let name = c"security.capability";
        libc::setxattr(path.as_ptr(), name.as_ptr(), data.as_ptr().cast(), data.len(), 0)
    };
    assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
}

/// Looks until there is something to see.
fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        std::thread::sleep(LOOK);
    }
}

/// Whether a program of this name is to be found.
fn there_is(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|p| p.join(program).is_file())
}

/// Says loudly that a test did not run, and why.
fn skipped(test: &str, why: &str) {
    let text = format!("SKIPPED {test}: {why}\n");
    // Not `eprintln`, which the test harness keeps to itself.
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(std::env::var_os("RAWBENCH_REQUIRE_WINDOW").is_none(), "{text}");
}

/// Whether all is there that the tests need. `user`: who has to be able to make a lab.
fn ready(test: &str, user: User) -> bool {
    for program in ["Xvfb", "xdotool", "tshark", "unshare"] {
        if !there_is(program) {
            skipped(test, &format!("there is no {program} on this machine"));
            return false;
        }
    }
    let mut probe = user.command(Path::new("unshare"));
    let made = probe.args(["-Urn", "true"]).output();
    if !made.is_ok_and(|o| o.status.success()) {
        skipped(test, "this system allows no user namespaces, so there is no lab");
        return false;
    }
    true
}

/// Who runs the window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum User {
    /// Whoever runs the tests.
    Own,
    /// Nobody; only root can become that.
    Nobody,
    /// Root with nobody behind it, as sudo says it.
    Sudo,
    /// Nobody, beside whose program stands a broker with a file capability; only root can give it that.
    WithBroker,
}

impl User {
    /// A command that this user runs.
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Sudo => {
                let mut command = Command::new(program);
                command.env("SUDO_UID", NOBODY).env("SUDO_GID", NOBODY);
                command
            }
            Self::Nobody | Self::WithBroker => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]).arg(program);
                command
            }
        }
    }
}

/// An X server without a screen.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-ac", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The server closes its end when it fails, and writes the number once it listens.
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        Self { server, name: format!(":{}", number.trim()) }
    }

    /// Runs xdotool.
    fn tool(&self, arguments: &[&str]) -> Output {
        Command::new("xdotool").args(arguments).env("DISPLAY", &self.name).output().unwrap()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The window on a display of its own.
struct Bench {
    display: Display,
    program: Child,
    window: String,
    directory: TempDir,
}

impl Bench {
    /// Starts the program in the lab and waits until its window is there and has the keyboard.
    fn open(user: User) -> Self {
        Self::open_with(user, &["--lab", "--stats"])
    }

    fn open_with(user: User, arguments: &[&str]) -> Self {
        let display = Display::open();
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        fs::set_permissions(home, fs::Permissions::from_mode(0o777)).unwrap();
        let binary = match user {
            User::Own => PathBuf::from(BINARY),
            User::Nobody | User::Sudo | User::WithBroker => {
                if user == User::WithBroker {
                    give_capability(&copied(Path::new(BROKER), home));
                }
                copied(Path::new(BINARY), home)
            }
        };
        let log = fs::File::create(home.join("stderr")).unwrap();
        let program = user
            .command(&binary)
            .args(arguments)
            .current_dir(home)
            .env("DISPLAY", &display.name)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("RAWBENCH_NO_DIALOGS", "1")
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_RUNTIME_DIR", home)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("WAYLAND_SOCKET")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("XDG_SESSION_TYPE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut bench = Self { display, program, window: String::new(), directory };
        bench.window = wait_for("a window titled rawbench", PATIENCE, || {
            bench.must_run();
            let found = bench.display.tool(&["search", "--onlyvisible", "--name", "^rawbench$"]);
            String::from_utf8(found.stdout).unwrap().lines().next().map(str::to_owned)
        });
        // There is no window manager, so nobody else gives it its place and the keyboard.
        let window = bench.window.clone();
        bench.tool(&["windowmove", &window, "0", "0", "windowsize", &window, "1280", "800"]);
        wait_for("the size 1280x800", PATIENCE, || {
            let answer = bench.display.tool(&["getwindowgeometry", "--shell", &window]);
            let text = String::from_utf8(answer.stdout).unwrap();
            (text.contains("WIDTH=1280") && text.contains("HEIGHT=800")).then_some(())
        });
        bench.tool(&["windowfocus", &window]);
        bench.settle();
        bench
    }

    fn pid(&self) -> u32 {
        self.program.id()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the program said to its user.
    fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    fn must_run(&mut self) {
        if let Some(status) = self.program.try_wait().unwrap() {
            panic!("the program ended with {status}: {}", self.said());
        }
    }

    fn tool(&self, arguments: &[&str]) {
        let output = self.display.tool(arguments);
        assert!(output.status.success(), "xdotool {arguments:?}: {output:?}");
    }

    fn key(&self, key: &str) {
        self.tool(&["key", "--clearmodifiers", key]);
        self.settle();
    }

    /// A key after which the program may be gone.
    fn key_unsettled(&self, key: &str) {
        self.tool(&["key", "--clearmodifiers", key]);
    }

    fn type_text(&self, text: &str) {
        self.tool(&["type", "--delay", "40", text]);
        self.settle();
    }

    /// Clicks into the field of this name. Where it stands, the same views say without a display.
    fn click(&self, field: &str) {
        let place = common::Window::open().get(field).rect().center();
        let (x, y) = (place.x.round().to_string(), place.y.round().to_string());
        self.tool(&["mousemove", &x, &y]);
        self.settle();
        self.tool(&["click", "1"]);
        self.settle();
    }

    /// Processor time of the window's process, in ticks, and whether its first thread sleeps.
    fn time_used(&self) -> (u64, bool) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap(), fields[0] == "S")
    }

    /// Waits until the program has dealt with what came: its processor time stands still for a while.
    fn settle(&self) {
        const STILL: u32 = 6;
        let (mut still, mut last) = (0, self.time_used().0);
        wait_for("a window at rest", PATIENCE, || {
            let (now, sleeps) = self.time_used();
            still = if now == last && sleeps { still + 1 } else { 0 };
            last = now;
            (still >= STILL).then_some(())
        });
    }

    /// The files of the capture that runs.
    fn spools(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("state/rawbench")) else { return Vec::new() };
        let files = entries.map(|e| e.unwrap().path());
        files.filter(|p| p.extension().is_some_and(|e| e == "pcapng")).collect()
    }

    /// The packets of the capture that runs, read from its spool: TCP ports and flags.
    fn captured(&self) -> Vec<Segment> {
        self.spools().iter().flat_map(|p| segments(p)).collect()
    }

    /// The number of packets of the capture that runs.
    fn spooled(&self) -> usize {
        self.spools().iter().filter_map(|p| CaptureFile::open(p).ok()).map(|(file, _)| file.len()).sum()
    }

    /// Waits for the end of the program, and gives its status and what it wrote to standard output.
    fn end(mut self) -> (ExitStatus, String) {
        let status = wait_for("the end of the program", PATIENCE, || self.program.try_wait().unwrap());
        let mut text = String::new();
        self.program.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let said = self.said();
        assert!(!said.contains("panicked"), "{said}");
        (status, text)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A TCP segment: ports and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    from: u16,
    to: u16,
    flags: u8,
}

/// The IPv4 TCP segments of a file that may still grow.
fn segments(path: &Path) -> Vec<Segment> {
    let Ok((file, _)) = CaptureFile::open(path) else { return Vec::new() };
    let mut found = Vec::new();
    let mut bytes = Vec::new();
    for index in 0..file.len() {
        if file.read_packet(index, &mut bytes).is_err() {
            continue;
        }
        let Some([8, 0]) = bytes.get(12..14) else { continue };
        if bytes.get(23) != Some(&6) {
            continue;
        }
        let start = 14 + usize::from(bytes[14] & 15) * 4;
        if let Some(tcp) = bytes.get(start..start + 20) {
            let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
            found.push(Segment { from: port(0), to: port(2), flags: tcp[13] & 0x3f });
        }
    }
    found
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const SYN_ACK: u8 = 0x12;

/// A SYN is typed, sent, answered, saved; the window closes and says how it went.
fn the_whole_loop(user: User) {
    const PORT: u16 = 45_321;
    let mut bench = Bench::open(user);

    let status = fs::read_to_string(format!("/proc/{}/status", bench.pid())).unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let line = status.lines().find(|l| l.starts_with(set)).unwrap();
        assert!(line.ends_with("0000000000000000"), "the window holds a capability: {line}");
    }
    assert!(status.lines().any(|l| l == "NoNewPrivs:\t1"), "{status}");
    if user == User::Nobody {
        assert!(status.lines().any(|l| l.starts_with(&format!("Uid:\t{NOBODY}\t{NOBODY}"))), "{status}");
    }

    bench.click("TCP Source Port");
    bench.key("ctrl+a");
    bench.type_text(&PORT.to_string());
    bench.key("ctrl+Return");
    let answered = |flags| move |s: &Segment| s.to == PORT && s.flags == flags;
    wait_for("SYN, SYN-ACK and RST in the capture", PATIENCE, || {
        bench.must_run();
        let seen = bench.captured();
        let sent = |flags| seen.iter().any(|s| s.from == PORT && s.to == 80 && s.flags == flags);
        let done = sent(SYN) && sent(RST) && seen.iter().any(answered(SYN_ACK));
        done.then_some(())
    });

    // A capture that has stopped gets no packets between the save and the end.
    bench.key("ctrl+r");
    bench.key("ctrl+s");
    let saved = bench.path("saved.pcapng");
    bench.type_text(saved.to_str().unwrap());
    bench.key("Return");
    wait_for("the saved file", PATIENCE, || {
        bench.must_run();
        segments(&saved).iter().any(|s| s.flags == RST).then_some(())
    });
    tshark_reads(&saved, PORT);

    bench.settle();
    bench.key_unsettled("ctrl+q");
    let (status, text) = bench.end();
    assert_eq!(status.code(), Some(0), "{text}");
    let stats: serde_json::Value =
        serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(stats["frames"].as_u64().unwrap() > 10, "{stats}");
    assert!(stats["first_frame_ms"].as_f64().unwrap() > 0.0, "{stats}");
    assert!(stats["first_row_ms"].as_f64().unwrap() > 0.0, "no row appeared: {stats}");
    assert!(stats["frame_p99_ms"].as_f64().unwrap() >= stats["frame_p50_ms"].as_f64().unwrap(), "{stats}");
    let _ = writeln!(std::io::stderr(), "the window's own numbers (this build, software rendering): {stats}");
}

/// Another program reads in the saved file what was sent and what came back.
fn tshark_reads(file: &Path, port: u16) {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["-Y", "tcp", "-T", "fields", "-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tcp.flags.str"])
        .args(["-e", "tcp.checksum.status", "-o", "tcp.check_checksum:TRUE"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split('\t').collect()).collect();
    let own = port.to_string();
    let place = |from: &str, to: &str, letters: &str| {
        let flags = |text: &str| text.chars().filter(char::is_ascii_uppercase).collect::<String>();
        let found = lines.iter().position(|l| l[0] == from && l[1] == to && flags(l[2]) == letters);
        let found = found.unwrap_or_else(|| panic!("no {letters} from {from} to {to} in\n{text}"));
        assert_eq!(lines[found][3], "1", "the checksum of the {letters} is not good:\n{text}");
        found
    };
    let (syn, answer, reset) = (place(&own, "80", "S"), place("80", &own, "AS"), place(&own, "80", "R"));
    assert!(syn < answer && answer < reset, "{text}");
}

#[test]
fn a_syn_is_typed_sent_answered_saved_and_read_back() {
    let test = "a_syn_is_typed_sent_answered_saved_and_read_back";
    if ready(test, User::Own) {
        the_whole_loop(User::Own);
    }
}

#[test]
fn nobody_can_do_it_too() {
    let test = "nobody_can_do_it_too";
    if !is_root() {
        // Not a lack of this machine: an ordinary user is who this test would become.
        let text = format!("SKIPPED {test}: only root can become nobody; the other tests run as you\n");
        return std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    if !there_is("setpriv") {
        return skipped(test, "there is no setpriv on this machine");
    }
    if ready(test, User::Nobody) {
        the_whole_loop(User::Nobody);
    }
}

fn is_root() -> bool {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    own.lines().any(|l| l.starts_with("Uid:\t0\t0\t"))
}

/// The window's process holds nothing and can gain nothing, and is the user's own.
fn assert_holds_nothing(bench: &Bench, user: User) {
    let status = fs::read_to_string(format!("/proc/{}/status", bench.pid())).unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{set} of {user:?}: {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1\n"), "{user:?}: {status}");
    let groups = if user == User::Sudo { NOBODY } else { "" };
    if user != User::Own {
        for (line, ids) in [("Uid", NOBODY), ("Gid", NOBODY)] {
            assert!(status.contains(&format!("{line}:\t{ids}\t{ids}\t{ids}\t{ids}\n")), "{user:?}: {status}");
        }
        let said = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().trim();
        assert_eq!(said, groups, "supplementary groups of {user:?}");
    }
    if user != User::Own {
        // A desktop portal, which runs as the same user, looks the process up before it shows a file dialog.
        let mut look = User::Nobody.command(Path::new("readlink"));
        let look = look.arg(format!("/proc/{}/root", bench.pid())).output().unwrap();
        assert!(look.status.success(), "the process of {user:?} is closed to others of its user: {look:?}");
    }
}

/// Copies the packet and reads the clipboard as another program.
fn assert_clipboard_works(bench: &Bench) {
    bench.key("ctrl+shift+n");
    let text = wait_for("the packet on the clipboard", PATIENCE, || {
        let mut xclip = Command::new("xclip");
        let output =
            xclip.args(["-o", "-selection", "clipboard"]).env("DISPLAY", &bench.display.name).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        (!text.is_empty()).then_some(text)
    });
    assert!(text.starts_with("ip(") && text.contains("/tcp("), "{text}");
}

#[test]
fn a_window_holds_nothing_whichever_way_it_gets_its_sockets() {
    let test = "a_window_holds_nothing_whichever_way_it_gets_its_sockets";
    if !ready(test, User::Own) {
        return;
    }
    if !there_is("xclip") || !there_is("setpriv") {
        return skipped(test, "there is no xclip or no setpriv on this machine");
    }
    let users: &[User] = if is_root() {
        &[User::Own, User::Nobody, User::Sudo, User::WithBroker]
    } else {
        // The other ways are root's to give; this one is everybody's.
        &[User::Own]
    };
    for &user in users {
        let can_listen = is_root() && user != User::Nobody;
        let arguments: &[&str] = if can_listen { &["-i", "lo", "-k"] } else { &["--lab", "-k"] };
        let bench = Bench::open_with(user, arguments);
        assert_holds_nothing(&bench, user);
        assert_clipboard_works(&bench);
        if can_listen {
            // The privilege works all the same: a datagram on loopback is captured.
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            wait_for("a packet in the spool", PATIENCE, || {
                socket.send_to(b"seen?", socket.local_addr().unwrap()).unwrap();
                (bench.spooled() > 0).then_some(())
            });
        }
        assert!(!bench.said().contains("panicked"), "{}", bench.said());
    }
}

#[test]
fn a_window_at_rest_uses_no_processor_time() {
    const WATCH: Duration = Duration::from_secs(3);
    const MOST: u64 = 2;
    if !ready("a_window_at_rest_uses_no_processor_time", User::Own) {
        return;
    }
    let bench = Bench::open(User::Own);
    // The cursor in a field must not cost anything either.
    bench.click("TCP Source Port");
    let mut used = Vec::new();
    // The measure is a time: three seconds of it. A busy machine gets a second and a third look.
    for _ in 0..3 {
        let before = bench.time_used().0;
        std::thread::sleep(WATCH);
        used.push(bench.time_used().0 - before);
        if used.last().is_some_and(|u| *u <= MOST) {
            return;
        }
    }
    panic!("a window at rest used {used:?} ticks in {WATCH:?} each");
}

#[test]
fn without_a_display_it_says_so() {
    for (display, what) in [(None, "none"), (Some(":0.nowhere"), "one that is not there")] {
        let mut command = Command::new(BINARY);
        command.arg("--lab").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let status = wait_for("its end", PATIENCE, || child.try_wait().unwrap());
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(status.code(), Some(1), "with the display {what}: {text}");
        assert!(!text.contains("panicked") && !text.contains("backtrace"), "with the display {what}: {text}");
        for part in ["cannot open the window", "DISPLAY", "rawbench --help"] {
            assert!(text.contains(part), "with the display {what} nothing says '{part}': {text}");
        }
    }
}

#[test]
fn a_window_that_is_told_to_end_says_what_it_measured_and_leaves_its_capture_whole() {
    if !ready("a_window_that_is_told_to_end_says_what_it_measured_and_leaves_its_capture_whole", User::Own) {
        return;
    }
    let mut bench = Bench::open(User::Own);
    bench.key("ctrl+Return");
    wait_for("packets of the capture", PATIENCE, || (bench.spooled() >= 2).then_some(()));
    bench.settle();
    let sent = Command::new("kill").args(["-TERM", &bench.pid().to_string()]).status().unwrap();
    assert!(sent.success());
    wait_for("the end of the program", PATIENCE, || bench.program.try_wait().unwrap());
    let spools = bench.spools();
    assert_eq!(spools.len(), 1, "what is not saved stays for the next start");
    let (file, report) = CaptureFile::open(&spools[0]).unwrap();
    assert_eq!((report.torn_bytes, report.problem), (0, None));
    let counted = file.interfaces()[0].statistics.and_then(|s| s.received);
    assert_eq!(counted, Some(file.len() as u64), "the capture was ended in order");
    let ledger = format!("received {0}, written {0}, lost in the kernel 0", file.len());
    assert!(bench.said().contains(&ledger), "{ledger}: {}", bench.said());
    let (status, text) = bench.end();
    assert_eq!(status.code(), Some(0), "{text}");
    let stats: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert!(stats["first_row_ms"].as_f64().unwrap() > 0.0, "{stats}");
    assert!(stats["live_frames"].as_u64().unwrap() > 0, "{stats}");
}
