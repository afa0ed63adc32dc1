//! The comparison of `read -e` with tshark 4.0, key by key and packet by packet.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use rawbench::wire::flow::{FlowKey, KEYS};

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

/// No other dissector, and of earlier packets no memory but that of the flows, where it is asked for.
pub fn switches(flows: bool) -> Vec<&'static str> {
    let on = entries(PROTOCOLS).flat_map(|p| ["--enable-protocol", p]);
    let options = [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "ip.tso_support:FALSE",
        "pppoed.show_tags_and_lengths:TRUE",
        "tcp.desegment_tcp_streams:FALSE",
        if flows { "tcp.relative_sequence_numbers:TRUE" } else { "tcp.relative_sequence_numbers:FALSE" },
    ];
    let options = options.into_iter().flat_map(|o| ["-o", o]);
    ["-n", "--disable-protocol", "ALL"].into_iter().chain(on).chain(options).collect()
}

/// The keys that need the packets before. tests/differential_flows.rs compares them.
pub fn flow_keys() -> Vec<String> {
    KEYS.iter().map(|k| k.key.to_owned()).collect()
}

/// Every other key that `rawbench fields` lists.
pub fn keys() -> Vec<String> {
    let listed = stdout(&rawbench(&["fields"]));
    let named = listed.lines().filter_map(|l| l.split_whitespace().next());
    let all: BTreeSet<_> = named.filter(|k| FlowKey::find(k).is_none()).map(str::to_owned).collect();
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
        let said =
            |t: &str| t.split(',').filter(|t| !matches!(*t, "" | "<MISSING>")).collect::<Vec<_>>().join(",");
        ours == theirs
            || (theirs.contains("<MISSING>") || theirs.split(',').any(str::is_empty) && !theirs.is_empty())
                && said(ours) == said(theirs)
            || self == Self::AtLeast && theirs_there.all(has)
    }
}

/// What both programs print for some packets, and where they differ.
#[derive(Default)]
struct Wrong<'a>(BTreeMap<&'a str, (usize, String)>, BTreeSet<&'a str>);

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
    let flows = keys.iter().any(|k| FlowKey::find(k).is_some());
    let said = run(
        Command::new("tshark").arg("-r").arg(file).args(switches(flows)).args(["-T", "fields"]).args(named),
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

/// Fails where a key differs that is not listed for this place, and, where its packets are `complete`, where a listed one
/// does not differ. In PLACE+ stand the keys of which more may be shown than tshark shows.
fn judge(place: &str, wrong: &Wrong<'_>, complete: bool) {
    let (listed, more) = (listed(place), listed(&format!("{place}+")));
    let differing = listed.iter().filter(|k| !wrong.0.contains_key(**k));
    let stale: Vec<_> = differing.chain(more.iter().filter(|k| !wrong.1.contains(**k))).collect();
    assert!(
        !complete || stale.is_empty(),
        "tests/oracle/differences.txt: {stale:?} no longer differ in {place}"
    );
    let others = wrong.0.iter().filter(|(k, _)| !listed.contains(*k));
    let wrong = Wrong(others.map(|(k, v)| (*k, v.clone())).collect(), BTreeSet::new());
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
    judge(place, &wrong, true);
}

/// A value as it is stored: long ones as a hash, part by part.
pub fn brief(value: &str) -> String {
    let part = |part: &str| {
        if part.len() <= 20 {
            return part.to_owned();
        }
        format!("#{:016x}", fnv(part.as_bytes()))
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
    keys_agree(&shared_keys(), (file, place), &golden, demand, tshark);
}

/// The same of the keys that need the packets before. In tests/oracle/differences.txt such a place begins with `flows:`.
pub fn flows_agree(file: &Path, demand: Demand, tshark: bool) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let golden = file.parent().unwrap().with_file_name("golden_flows").join(format!("{name}.txt"));
    keys_agree(&flow_keys(), (file, &format!("flows:{name}")), &golden, demand, tshark);
}

fn keys_agree(keys: &[String], (file, place): (&Path, &str), golden: &Path, demand: Demand, tshark: bool) {
    let theirs = golden_or_said(file, keys, golden, "", tshark);
    judge(place, &file_differs((place, place), file, keys, &theirs, &|_| demand), true);
}

/// The same of a file that the test made, whose packets the demands belong to. `golden`: where what tshark once said of the
/// same bytes is stored; `None`: nowhere, tshark has to be there.
pub fn made_agrees(place: &str, file: &Path, demands: &[Demand], golden: Option<&Path>, tshark: bool) {
    let keys = shared_keys();
    let with_verdict = [keys.as_slice(), &GIVEN_UP.map(str::to_owned)].concat();
    let theirs = match golden {
        Some(golden) => {
            let hash = format!("file\t{:016x}\n", fnv(&std::fs::read(file).unwrap()));
            golden_or_said(file, &with_verdict, golden, &hash, tshark)
        }
        None => brief_lines(theirs(file, &with_verdict)),
    };
    let demand = |packet: usize| {
        let given_up = theirs[packet][keys.len()..].iter().any(|v| !v.is_empty());
        if given_up { Demand::AtLeast } else { demands[packet] }
    };
    // Of the stored packets other ones are listed by their number than of the many.
    let packets = if golden.is_some() { format!("{place}_stored") } else { place.to_owned() };
    judge(place, &file_differs((place, &packets), file, &keys, &theirs, &demand), golden.is_none());
}

/// What tshark says where it stopped to read, because of what the packet says or because of its end.
const GIVEN_UP: [&str; 2] = ["_ws.malformed", "_ws.short"];

/// Of each packet of a file, whether a key reads otherwise than tshark's.
pub fn differs(file: &Path) -> Vec<bool> {
    let keys = shared_keys();
    let (ours, theirs) = (ours(file, &keys), theirs(file, &keys));
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(&theirs).map(|(a, b)| a.iter().zip(b).any(|(a, b)| !Demand::Equal.met(a, b))).collect()
}

/// What tshark says of a file, long values as hashes: now, or where it is not there what it once said. `head` stands before
/// it in the golden file.
fn golden_or_said(file: &Path, keys: &[String], golden: &Path, head: &str, tshark: bool) -> Vec<Vec<String>> {
    let then = std::fs::read_to_string(golden).unwrap_or_default();
    if !tshark {
        let body = then.strip_prefix(head);
        let body = body.unwrap_or_else(|| {
            panic!("{} is of other packets: set {UPDATE}=1 where tshark is", golden.display())
        });
        return unstored(keys, body);
    }
    let said = theirs(file, keys);
    let now = head.to_owned() + &stored(keys, &said);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(golden, &now).unwrap();
    } else if is_golden_version() {
        assert!(now == then, "{} is not what tshark says now: set {UPDATE}=1 once", golden.display());
    }
    brief_lines(said)
}

fn brief_lines(lines: Vec<Vec<String>>) -> Vec<Vec<String>> {
    lines.into_iter().map(|l| l.iter().map(|v| brief(v)).collect()).collect()
}

/// Where a file reads otherwise than tshark, but for packets that are listed as a whole.
fn file_differs<'a>(
    (place, packets): (&str, &str),
    file: &Path,
    keys: &'a [String],
    theirs: &[Vec<String>],
    demand: &dyn Fn(usize) -> Demand,
) -> Wrong<'a> {
    let ours = brief_lines(ours(file, keys));
    assert_eq!(ours.len(), theirs.len(), "{place}: other packets");
    let more = listed(&format!("{place}+"));
    let mut wrong = Wrong::default();
    for (number, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let (packet, demand) = (format!("{packets}:{}", number + 1), demand(number));
        if listed(&packet).contains("*") {
            let same = keys.iter().zip(a).zip(b).all(|((_, a), b)| demand.met(a, b));
            assert!(!same, "tests/oracle/differences.txt: {packet} no longer differs");
            continue;
        }
        for ((key, a), b) in keys.iter().zip(a).zip(b) {
            if demand.met(a, b) {
                continue;
            }
            // Of some keys more may be shown, never less.
            if more.contains(key.as_str()) && Demand::AtLeast.met(a, b) {
                wrong.1.insert(key);
            } else {
                wrong.add(key, a, b, || packet.clone());
            }
        }
    }
    wrong
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
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
