//! Running the real binary and the programs that it is compared with.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The environment variable that turns a missing oracle from a skipped test into a failed one.
pub const REQUIRE: &str = "RAWBENCH_REQUIRE_ORACLES";

/// Runs rawbench with these arguments.
pub fn rawbench(args: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_rawbench")).args(args), b"")
}

/// Runs rawbench with these arguments and this standard input.
pub fn rawbench_with(args: &[&str], input: &[u8]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_rawbench")).args(args), input)
}

/// Runs a command to its end, feeding it from another thread so that full pipes cannot lock up.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::Builder::new().name("feeder".into());
    let feeder = feeder.spawn(move || stdin.write_all(&input)).unwrap();
    let output = child.wait_with_output().unwrap();
    // A program that does not read its input closes the pipe.
    let _ = feeder.join().unwrap();
    output
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Says loudly that a test did not run; fails where oracles are required.
pub fn skipped(what: &str) {
    // Past the test harness, which keeps what is printed.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
    assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, but {what}");
}

/// A python that has scapy.
pub fn python_with_scapy() -> Option<&'static str> {
    let found = ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(|python| answers(Command::new(python).args(["-c", "import scapy.all"])));
    if found.is_none() {
        skipped("no python3 with scapy (python3-scapy) on this machine");
    }
    found
}

/// Whether a command runs and succeeds.
fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Whether tshark is there.
pub fn has_tshark() -> bool {
    let found = answers(Command::new("tshark").arg("--version"));
    if !found {
        skipped("no tshark on this machine");
    }
    found
}

/// Writes a pcap file with these packets, a second apart, each with its length on the wire.
pub fn write_pcap(path: &Path, link_type: u32, packets: &[(Vec<u8>, usize)]) {
    let mut file = Vec::new();
    file.extend(0xa1b2_3c4d_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(link_type.to_le_bytes());
    for (i, (bytes, original)) in packets.iter().enumerate() {
        file.extend((1_700_000_000 + i as u32).to_le_bytes());
        file.extend((i as u32 * 1_234_567 % 1_000_000_000).to_le_bytes());
        file.extend((bytes.len() as u32).to_le_bytes());
        file.extend((*original as u32).to_le_bytes());
        file.extend(bytes);
    }
    std::fs::write(path, file).unwrap();
}

/// Bytes from hex pairs.
pub fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Random numbers that are the same in every run.
pub struct Dice(fastrand::Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number up to `max`, with the ends often.
    pub fn number(&mut self, max: u64) -> u64 {
        match self.0.u8(0..8) {
            0 => 0,
            1 => max,
            _ => self.0.u64(0..=max),
        }
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(0..end)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
