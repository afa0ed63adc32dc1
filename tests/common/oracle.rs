//! The comparison of `read -e` with tshark 4.0, key by key and packet by packet.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::cli::{bytes, rawbench, rawbench_with, run, stderr, stdout, write_pcap};

const PROTOCOLS: &str = include_str!("../oracle/protocols.txt");
const OWN: &str = include_str!("../oracle/own_keys.txt");
const DIFFERENCES: &str = include_str!("../oracle/differences.txt");

/// Wireshark shows the version of an IPv6 packet under the key of IPv4 too.
pub const V6_BUT: &[&str] = &["ip.version"];

/// The lines of a list that are no comments.
fn entries(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// Keys that Wireshark does not have.
pub fn own_keys() -> Vec<&'static str> {
    entries(OWN).collect()
}

/// No other dissector, and no memory of earlier packets: `read -e` speaks of a packet's own headers.
pub fn switches() -> Vec<&'static str> {
    let on = entries(PROTOCOLS).flat_map(|p| ["--enable-protocol", p]);
    let options = [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "ip.tso_support:FALSE",
        "tcp.desegment_tcp_streams:FALSE",
        "tcp.relative_sequence_numbers:FALSE",
    ];
    let options = options.into_iter().flat_map(|o| ["-o", o]);
    ["-n", "--disable-protocol", "ALL"].into_iter().chain(on).chain(options).collect()
}

/// Every key that `rawbench fields` lists.
pub fn keys() -> Vec<String> {
    let listed = stdout(&rawbench(&["fields"]));
    let all: BTreeSet<_> =
        listed.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect();
    all.into_iter().collect()
}

/// The keys that Wireshark has too.
pub fn shared_keys() -> Vec<String> {
    let own = own_keys();
    keys().into_iter().filter(|k| !own.contains(&k.as_str())).collect()
}

/// The bytes of these notations.
pub fn craft(notations: &[String]) -> Vec<Vec<u8>> {
    let crafted = rawbench_with(&["craft", "-", "--hex"], (notations.join("\n") + "\n").as_bytes());
    assert!(crafted.status.success(), "{}", stderr(&crafted));
    stdout(&crafted).lines().map(bytes).collect()
}

/// How near the two must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The same text.
    Equal,
    /// All that tshark prints, and perhaps more: tshark reads some headers as a whole and shows nothing of a cut or
    /// impossible one, where rawbench shows each field that is wholly there.
    AtLeast,
}

impl Demand {
    fn met(self, ours: &str, theirs: &str) -> bool {
        // tshark's word for what is wholly cut off.
        let mut theirs_there = theirs.split(',').filter(|t| !matches!(*t, "" | "<MISSING>"));
        let has = |part: &str| ours.split(',').any(|o| o == part);
        let missing = theirs == "<MISSING>" && ours.is_empty();
        ours == theirs || missing || self == Self::AtLeast && theirs_there.all(has)
    }
}

/// What both programs print for some packets, and where they differ.
#[derive(Default)]
struct Wrong<'a>(BTreeMap<&'a str, (usize, String)>);

impl<'a> Wrong<'a> {
    fn add(&mut self, key: &'a str, ours: &str, theirs: &str, of: impl FnOnce() -> String) {
        let first = || format!("  ours   '{ours}'\n  theirs '{theirs}'\n  of {}\n", of());
        self.0.entry(key).or_insert_with(|| (0, first())).0 += 1;
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut all, (key, (count, first))| {
            let _ = write!(all, "{key} differs {count} times, first:\n{first}");
            all
        })
    }
}

/// What `read -e` prints of a file for these keys: a line a packet, a value a key.
pub fn ours(file: &Path, keys: &[String]) -> Vec<Vec<String>> {
    let named: Vec<&str> = keys.iter().flat_map(|k| ["-e", k.as_str()]).collect();
    let said = rawbench(&[&["read", file.to_str().unwrap()], named.as_slice()].concat());
    assert!(said.status.success(), "{}", stderr(&said));
    table(&stdout(&said))
}

/// What tshark prints.
pub fn theirs(file: &Path, keys: &[String]) -> Vec<Vec<String>> {
    let named = keys.iter().flat_map(|k| ["-e", k.as_str()]);
    let said = run(
        Command::new("tshark").arg("-r").arg(file).args(switches()).args(["-T", "fields"]).args(named),
        b"",
    );
    assert!(said.status.success(), "{}", stderr(&said));
    table(&stdout(&said))
}

fn table(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn differing<'a>(
    link_type: u32,
    packets: &[(Vec<u8>, usize)],
    demand: Demand,
    keys: &'a [String],
    wrong: &mut Wrong<'a>,
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.pcap");
    write_pcap(&path, link_type, packets);
    let (ours, theirs) = (ours(&path, keys), theirs(&path, keys));
    assert_eq!((ours.len(), theirs.len()), (packets.len(), packets.len()));
    for ((a, b), (bytes, original)) in ours.iter().zip(&theirs).zip(packets) {
        for ((key, a), b) in keys.iter().zip(a).zip(b) {
            if !demand.met(a, b) {
                let hex = || bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
                wrong.add(key, a, b, || format!("{original} bytes: {}", hex()));
            }
        }
    }
}

/// Where both programs differ for these packets, in all keys but some.
pub fn compare(link_type: u32, packets: &[(Vec<u8>, usize)], demand: Demand, but: &[&str]) -> String {
    let keys: Vec<String> = shared_keys().into_iter().filter(|k| !but.contains(&k.as_str())).collect();
    let mut wrong = Wrong::default();
    differing(link_type, packets, demand, &keys, &mut wrong);
    wrong.text()
}

/// The keys that may differ in a place, which is a test or a file: tests/oracle/differences.txt has the reasons.
pub fn listed(place: &str) -> BTreeSet<&'static str> {
    let lines = entries(DIFFERENCES).map(|line| {
        let mut words = line.split_whitespace();
        let (key, at) = (words.next().unwrap(), words.next().unwrap_or_default());
        assert!(words.next().is_some(), "tests/oracle/differences.txt: no reason in '{line}'");
        (key, at)
    });
    lines.filter(|(_, at)| *at == place).map(|(key, _)| key).collect()
}

/// Fails where a key differs that is not listed for this place, and where a listed one does not differ.
fn judge(place: &str, wrong: &Wrong<'_>) {
    let listed = listed(place);
    let stale: Vec<_> = listed.iter().filter(|k| !wrong.0.contains_key(**k)).collect();
    assert!(stale.is_empty(), "tests/oracle/differences.txt: {stale:?} no longer differ in {place}");
    let wrong =
        Wrong(wrong.0.iter().filter(|(k, _)| !listed.contains(*k)).map(|(k, v)| (*k, v.clone())).collect());
    assert!(wrong.0.is_empty(), "in {place}, and not in tests/oracle/differences.txt:\n{}", wrong.text());
}

/// Packets of one link type, with how near the two must be for them.
pub type Batch = (u32, Vec<(Vec<u8>, usize)>, Demand);

/// Fails where the programs differ for these packets otherwise than tests/oracle/differences.txt says of `place`.
pub fn agree(place: &str, batches: &[Batch]) {
    let keys = shared_keys();
    let mut wrong = Wrong::default();
    for (link_type, packets, demand) in batches {
        differing(*link_type, packets, *demand, &keys, &mut wrong);
    }
    judge(place, &wrong);
}

/// A value as it is stored: long ones as a hash, part by part.
pub fn brief(value: &str) -> String {
    let part = |part: &str| {
        if part.len() <= 20 {
            return part.to_owned();
        }
        // FNV-1a.
        let hash = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        format!("#{hash:016x}")
    };
    value.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// Values as text: for each key a line of runs, `N*value` where a value comes N times in a row.
fn stored(keys: &[String], lines: &[Vec<String>]) -> String {
    let mut text = format!("packets\t{}\n", lines.len());
    for (column, key) in keys.iter().enumerate() {
        let values: Vec<String> = lines.iter().map(|l| brief(&l[column])).collect();
        if values.iter().all(String::is_empty) {
            continue;
        }
        let runs = values.chunk_by(|a, b| a == b).map(|run| match run.len() {
            // A value with a star of its own must not look like a run.
            1 if !run[0].contains('*') => run[0].clone(),
            count => format!("{count}*{}", run[0]),
        });
        let _ = writeln!(text, "{key}\t{}", runs.collect::<Vec<_>>().join("\t"));
    }
    text
}

/// The values that such a text holds.
fn unstored(keys: &[String], text: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines();
    let count = lines.next().and_then(|l| l.strip_prefix("packets\t")).unwrap().parse().unwrap();
    let mut values = vec![vec![String::new(); keys.len()]; count];
    for line in lines {
        let (key, runs) = line.split_once('\t').unwrap();
        // A key that tables no longer have is seen where the oracle is.
        let Some(column) = keys.iter().position(|k| k == key) else { continue };
        let mut at = 0;
        for run in runs.split('\t') {
            let (count, value) = match run.split_once('*') {
                Some((count, value)) => (count.parse().unwrap(), value),
                None => (1, run),
            };
            values[at..at + count].iter_mut().for_each(|line| value.clone_into(&mut line[column]));
            at += count;
        }
    }
    values
}

/// Compares what is read in a file with tshark, or where there is none with what it once said.
pub fn file_agrees(file: &Path, demand: Demand, tshark: bool) {
    let place = file.file_name().unwrap().to_str().unwrap();
    let golden = file.parent().unwrap().with_file_name("golden").join(format!("{place}.txt"));
    let keys = shared_keys();
    let brief_lines = |lines: Vec<Vec<String>>| -> Vec<Vec<String>> {
        lines.into_iter().map(|l| l.iter().map(|v| brief(v)).collect()).collect()
    };
    let theirs = if tshark {
        let said = theirs(file, &keys);
        let now = stored(&keys, &said);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&golden, &now).unwrap();
        } else if is_golden_version() {
            let then = std::fs::read_to_string(&golden).unwrap_or_default();
            assert!(now == then, "{} is not what tshark says now: set {UPDATE}=1 once", golden.display());
        }
        brief_lines(said)
    } else {
        unstored(&keys, &std::fs::read_to_string(&golden).unwrap())
    };
    let ours = brief_lines(ours(file, &keys));
    assert_eq!(ours.len(), theirs.len(), "{place}: other packets");
    let mut wrong = Wrong::default();
    for (number, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        let packet = format!("{place}:{}", number + 1);
        if listed(&packet).contains("*") {
            let same = keys.iter().zip(a).zip(b).all(|((_, a), b)| demand.met(a, b));
            assert!(!same, "tests/oracle/differences.txt: {packet} no longer differs");
            continue;
        }
        for ((key, a), b) in keys.iter().zip(a).zip(b) {
            if !demand.met(a, b) {
                wrong.add(key, a, b, || packet.clone());
            }
        }
    }
    judge(place, &wrong);
}

/// Stores what tshark says instead of comparing with what is stored.
pub const UPDATE: &str = "RAWBENCH_UPDATE_GOLDEN";

/// Whether this tshark is of the version whose values are stored.
pub fn is_golden_version() -> bool {
    stdout(&run(Command::new("tshark").arg("--version"), b"")).starts_with("TShark (Wireshark) 4.0.")
}

/// Packets that were captured to the last byte.
pub fn whole(packets: Vec<Vec<u8>>) -> Vec<(Vec<u8>, usize)> {
    packets.into_iter().map(|p| (p.clone(), p.len())).collect()
}

/// Each packet cut at each byte, as a small snap length does.
pub fn cut(packets: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
    packets.iter().flat_map(|p| (1..=p.len()).map(|n| (p[..n].to_vec(), p.len()))).collect()
}
