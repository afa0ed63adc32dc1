//! The comparison of `read -e` with tshark 4.0, key by key and packet by packet.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use super::cli::{bytes, rawbench, rawbench_with, run, stderr, stdout, write_pcap};

const PROTOCOLS: &str = include_str!("../oracle/protocols.txt");
const OWN: &str = include_str!("../oracle/own_keys.txt");

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
fn switches() -> Vec<&'static str> {
    let on = entries(PROTOCOLS).flat_map(|p| ["--enable-protocol", p]);
    let options = [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "ip.tso_support:FALSE",
        "tcp.desegment_tcp_streams:FALSE",
        "tcp.relative_sequence_numbers:FALSE",
    ];
    let options = options.into_iter().flat_map(|o| ["-o", o]);
    ["-n", "--disable-protocol", "ALL"].into_iter().chain(on).chain(options).chain(["-T", "fields"]).collect()
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
        // tshark's word for an option list that is wholly cut off.
        let theirs = if theirs == "<MISSING>" { "" } else { theirs };
        let mut all = ours.split(',');
        ours == theirs
            || self == Self::AtLeast && (theirs.is_empty() || theirs.split(',').all(|t| all.any(|o| o == t)))
    }
}

/// The lines of both programs for these packets and keys, packet by packet and key by key.
pub fn compare(link_type: u32, packets: &[(Vec<u8>, usize)], demand: Demand, but: &[&str]) -> String {
    let keys: Vec<String> = shared_keys().into_iter().filter(|k| !but.contains(&k.as_str())).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.pcap");
    write_pcap(&path, link_type, packets);
    let path = path.to_str().unwrap();
    let named: Vec<&str> = keys.iter().flat_map(|k| ["-e", k.as_str()]).collect();
    let ours = rawbench(&[&["read", path], named.as_slice()].concat());
    assert!(ours.status.success(), "{}", stderr(&ours));
    let theirs = run(Command::new("tshark").arg("-r").arg(path).args(switches()).args(&named), b"");
    assert!(theirs.status.success(), "{}", stderr(&theirs));
    let (ours, theirs) = (stdout(&ours), stdout(&theirs));
    assert_eq!(ours.lines().count(), packets.len());
    assert_eq!(theirs.lines().count(), packets.len());
    let mut wrong: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for ((a, b), (bytes, original)) in ours.lines().zip(theirs.lines()).zip(packets) {
        for ((key, a), b) in keys.iter().zip(a.split('\t')).zip(b.split('\t')) {
            if !demand.met(a, b) {
                let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                let text = format!("  ours   '{a}'\n  theirs '{b}'\n  of {original} bytes: {hex}\n");
                wrong.entry(key).or_insert((0, text)).0 += 1;
            }
        }
    }
    wrong.iter().fold(String::new(), |mut all, (key, (count, first))| {
        let _ = write!(all, "{key} differs {count} times, first:\n{first}");
        all
    })
}

/// Packets that were captured to the last byte.
pub fn whole(packets: Vec<Vec<u8>>) -> Vec<(Vec<u8>, usize)> {
    packets.into_iter().map(|p| (p.clone(), p.len())).collect()
}

/// Each packet cut at each byte, as a small snap length does.
pub fn cut(packets: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
    packets.iter().flat_map(|p| (1..=p.len()).map(|n| (p[..n].to_vec(), p.len()))).collect()
}
