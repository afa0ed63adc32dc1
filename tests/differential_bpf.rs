//! tcpdump's words: libpcap's own program, the programs that rawbench makes, in its own interpreter and in the kernel's, and
//! the evaluation over bytes let the same packets pass. What libpcap makes of a filter is stored
//! (tests/oracle/programs.txt, without its optimizer, which leaves out loads that a cut packet would fail at);
//! RAWBENCH_UPDATE_GOLDEN=1 asks tcpdump anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use rawbench::filter::bpf::{self, Aside, Instruction};
use rawbench::filter::{Facts, Filter, Packet, Target};
use rawbench::pcap::CaptureFile;
use rawbench::wire::dissect::Dissection;
use socket2::{SockFilter, SockRef};

const WORDS: &str = include_str!("oracle/words.txt");
const ETHERNET: u32 = 1;

fn oracle_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// A generator of numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The filters of the list, and combinations of them.
fn filters() -> Vec<String> {
    let listed: Vec<&str> =
        WORDS.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let mut all: Vec<String> = listed.iter().map(|f| (*f).to_owned()).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // An id without its own words takes those before it: in a combination it would mean something else.
    let whole: Vec<&str> = listed.iter().copied().filter(|f| !f.starts_with("10.")).collect();
    for _ in 0..150 {
        let mut one = || {
            let filter = whole[random.below(whole.len())];
            if random.below(3) == 0 { format!("not ({filter})") } else { format!("({filter})") }
        };
        let (a, b, c) = (one(), one(), one());
        let word = |n: usize| if n == 0 { "and" } else { "or" };
        let (first, second) = (word(random.below(2)), word(random.below(2)));
        all.push(match random.below(3) {
            0 => format!("{a} {first} {b}"),
            1 => format!("{a} {first} {b} {second} {c}"),
            _ => format!("{a} {first} ({b} {second} {c})"),
        });
    }
    all
}

/// Frames: those of the corpus, with an Ethernet header where they have none, changed ones, cut ones, noise.
fn packets() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(oracle_directory().join("corpus")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files {
        let (capture, _) = CaptureFile::open(&file).unwrap();
        let link_type = capture.interfaces()[0].link_type.0;
        let mut reader = capture.reader();
        for entry in capture.index().snapshot().iter().step_by(7) {
            let bytes = reader.bytes(entry).unwrap().to_vec();
            match (link_type, bytes.first().map(|b| b >> 4)) {
                (ETHERNET, _) => all.push(bytes),
                (101, Some(version @ (4 | 6))) => {
                    let ethertype: [u8; 2] = if version == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
                    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
                    frame.extend(ethertype);
                    frame.extend(bytes);
                    all.push(frame);
                }
                _ => {}
            }
        }
    }
    let mut random = Random(0xdead_beef_cafe_f00d);
    let whole = all.clone();
    for frame in &whole {
        // Values that filters ask for, at random places; a tag; a cut.
        let mut changed = frame.clone();
        for _ in 0..3 {
            let at = random.below(changed.len().min(64));
            changed[at] = [0, 1, 2, 6, 10, 17, 53, 80, 0x45, 0xff][random.below(10)];
        }
        all.push(changed);
        let mut tagged = frame[..12.min(frame.len())].to_vec();
        tagged.extend(
            [[0x81, 0x00, 0x00, 100], [0x88, 0xa8, 0x00, 5], [0x91, 0x00, 0x20, 200]][random.below(3)],
        );
        tagged.extend(&frame[12.min(frame.len())..]);
        all.push(tagged);
        if random.below(3) == 0 {
            all.push(frame[..1 + random.below(frame.len())].to_vec());
        }
    }
    for len in 1..40 {
        all.push((0..len).map(|_| random.below(256) as u8).collect());
    }
    all
}

/// What `tcpdump -ddd` says of each filter.
fn libpcap_programs() -> BTreeMap<String, Option<Vec<Instruction>>> {
    let path = oracle_directory().join("programs.txt");
    if std::env::var_os("RAWBENCH_UPDATE_GOLDEN").is_some() {
        let mut text = String::new();
        for filter in filters() {
            let said =
                Command::new("tcpdump").args(["-O", "-ddd", "-y", "EN10MB", &filter]).output().unwrap();
            let lines = String::from_utf8(said.stdout).unwrap();
            let program: Vec<String> = lines.lines().skip(1).map(|l| l.replace(' ', ",")).collect();
            let program = if said.status.success() { program.join(" ") } else { "wrong".into() };
            let _ = writeln!(text, "{filter}\t{program}");
        }
        std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let instruction = |text: &str| {
        let n: Vec<u32> = text.split(',').map(|n| n.parse().unwrap()).collect();
        Instruction { code: n[0] as u16, jt: n[1] as u8, jf: n[2] as u8, k: n[3] }
    };
    let program = |text: &str| (text != "wrong").then(|| text.split(' ').map(instruction).collect());
    text.lines().map(|l| l.split_once('\t').unwrap()).map(|(f, p)| (f.to_owned(), program(p))).collect()
}

/// Which packets the kernel lets pass: the program stands on a socket of two that are joined.
fn kernel(program: &[Instruction], packets: &[Vec<u8>]) -> Vec<bool> {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    let filter: Vec<SockFilter> = program.iter().map(|i| SockFilter::new(i.code, i.jt, i.jf, i.k)).collect();
    SockRef::from(&receiver).attach_filter(&filter).expect("the kernel refuses the program");
    receiver.set_nonblocking(true).unwrap();
    let mut room = [0; 1];
    let one = |packet: &Vec<u8>| {
        sender.send(packet).unwrap();
        receiver.recv(&mut room).is_ok()
    };
    packets.iter().map(one).collect()
}

fn evaluated(filter: &Filter, packets: &[Vec<u8>]) -> Vec<bool> {
    let found = Dissection::default();
    let one = |bytes: &Vec<u8>| {
        let facts = Facts { original: bytes.len() as u32, link_type: ETHERNET, ..Facts::default() };
        filter.matches(&Packet { bytes, found: &found, facts, flows: &[] })
    };
    packets.iter().map(one).collect()
}

fn run(program: &[Instruction], packets: &[Vec<u8>]) -> Vec<bool> {
    packets.iter().map(|p| bpf::run(program, p, p.len() as u32, &Aside::default()) != 0).collect()
}

#[test]
fn all_agree() {
    let packets = packets();
    assert!(packets.len() > 500, "only {} packets", packets.len());
    let (mut wrong, mut compared, mut passed) = (Vec::new(), 0, 0);
    let programs = libpcap_programs();
    for filter in filters() {
        let theirs = programs.get(&filter).unwrap_or_else(|| panic!("{filter}: not in programs.txt"));
        let ours = Filter::capture(&filter);
        let (Some(theirs), Ok(ours)) = (theirs, &ours) else {
            if theirs.is_some() || ours.is_ok() {
                wrong.push(format!("{filter}: ours {:?}, theirs {}", ours.as_ref().err(), theirs.is_some()));
            }
            continue;
        };
        let expected = run(theirs, &packets);
        passed += expected.iter().filter(|p| **p).count();
        let mut judge = |who: &str, got: Vec<bool>| {
            compared += got.len();
            let differing: Vec<usize> = (0..got.len()).filter(|i| got[*i] != expected[*i]).collect();
            if let Some(first) = differing.first() {
                let hex: String = packets[*first].iter().map(|b| format!("{b:02x}")).collect();
                wrong.push(format!(
                    "{filter}: {who} differs {} times, first {} for {hex}",
                    differing.len(),
                    got[*first]
                ));
            }
        };
        judge("the evaluation", evaluated(ours, &packets));
        match ours.bpf(Target::Bytes(ETHERNET), bpf::ALL_BYTES) {
            Ok(program) => {
                judge("our program", run(&program, &packets));
                judge("our program in the kernel", kernel(&program, &packets));
            }
            Err(why) => wrong.push(format!("{filter}: no program: {why}")),
        }
    }
    let shown: String = wrong.iter().take(20).map(|w| w.clone() + "\n").collect();
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{shown}", wrong.len());
    assert!(passed > 10_000, "only {passed} packets pass: the filters say too little");
}

/// The same packets as the kernel hands them on: with the outer tag taken out.
#[test]
fn a_tag_that_was_taken_out_makes_no_difference() {
    let packets = packets();
    for filter in filters() {
        let Ok(filter) = Filter::capture(&filter) else { continue };
        let programs = [Target::Interface(ETHERNET), Target::Any].map(|t| (t, filter.bpf(t, bpf::ALL_BYTES)));
        let expected = evaluated(&filter, &packets);
        for (packet, expected) in packets.iter().zip(expected) {
            if packet.len() < 18 {
                continue;
            }
            let word = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            let tagged = [0x8100, 0x88a8].contains(&word(12));
            let bytes = if tagged { [&packet[..12], &packet[16..]].concat() } else { packet.clone() };
            let protocol = if tagged { word(16) } else { word(12) };
            let aside = Aside { vlan: tagged.then(|| (word(12), word(14))), protocol, network: 14 };
            for (target, program) in &programs {
                let Ok(program) = program else { continue };
                let got = bpf::run(program, &bytes, bytes.len() as u32, &aside) != 0;
                assert_eq!(got, expected, "{target:?}: {filter:?}\n{}\n{packet:02x?}", bpf::text(program));
            }
        }
    }
}
