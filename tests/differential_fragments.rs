//! What `read --json` and `read -V` make of fragments is what tshark 4.0 makes of them. Without tshark it is compared
//! with what tshark said once, which tests/oracle/fragments.txt holds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::path::{Path, PathBuf};
use std::process::Command;

use cli::{has_tshark, rawbench, run, stderr, stdout};
use oracle::{UPDATE, brief, is_golden_version};
use serde_json::Value;

/// What is compared of a packet, as tshark names it; of the datagrams of one protocol from the outermost on.
const OF_DATAGRAMS: [(&str, [&str; 8]); 2] = [
    (
        "ip",
        [
            "ip.fragment",
            "ip.fragment.error",
            "ip.fragment.count",
            "ip.reassembled.length",
            "ip.reassembled.data",
            "ip.fragment.overlap",
            "ip.fragment.overlap.conflict",
            "ip.fragment.toolongfragment",
        ],
    ),
    (
        "ipv6",
        [
            "ipv6.fragment",
            "ipv6.fragment.error",
            "ipv6.fragment.count",
            "ipv6.reassembled.length",
            "ipv6.reassembled.data",
            "ipv6.fragment.overlap",
            "ipv6.fragment.overlap.conflict",
            "ipv6.fragment.toolongfragment",
        ],
    ),
];
/// And of what the innermost datagram that is whole carries.
const OF_TRANSPORT: [(&str, &str); 4] = [
    ("udp", "udp.checksum.status"),
    ("tcp", "tcp.checksum.status"),
    ("icmp", "icmp.checksum.status"),
    ("icmpv6", "icmpv6.checksum.status"),
];

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn capture() -> PathBuf {
    oracle().join("corpus/fragments.pcap")
}

fn keys() -> Vec<&'static str> {
    let datagrams = OF_DATAGRAMS.iter().flat_map(|(_, keys)| keys.iter().copied());
    datagrams.chain(OF_TRANSPORT.iter().map(|(_, key)| *key)).collect()
}

/// A line of values for each packet in which a datagram is whole, an empty one for every other.
fn said_by_tshark() -> Vec<String> {
    const SWITCHES: [&str; 6] = [
        "ip.defragment:TRUE",
        "ipv6.defragment:TRUE",
        "udp.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "tcp.desegment_tcp_streams:FALSE",
        "ip.check_checksum:FALSE",
    ];
    let switches = SWITCHES.iter().flat_map(|s| ["-o", s]);
    let keys = keys();
    let named = keys.iter().flat_map(|k| ["-e", k]);
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture()).args(["-n", "-T", "fields"]).args(switches).args(named);
    let said = run(&mut command, b"");
    assert!(said.status.success(), "{}", stderr(&said));
    stdout(&said).lines().map(line_of_tshark).collect()
}

/// A line of values as ours are.
fn line_of_tshark(line: &str) -> String {
    let values: Vec<&str> = line.split('\t').collect();
    let (of_datagrams, of_transport) = values.split_at(16);
    let [four, six] = [0, 8].map(|at| &of_datagrams[at..at + 8]);
    if four[2].is_empty() && six[2].is_empty() {
        return String::new();
    }
    let mut all = Vec::new();
    for own in [four, six] {
        // It has the numbers of fragments that do not fit under another key.
        all.push(in_order(own[..2].iter().flat_map(|v| v.split(',')).map(str::to_owned)));
        all.extend(own[2..].iter().map(|v| brief(v)));
    }
    all.extend(of_transport.iter().map(|v| brief(v)));
    all.join("\t")
}

/// Numbers of packets, rising.
fn in_order(numbers: impl Iterator<Item = String>) -> String {
    let mut numbers: Vec<usize> = numbers.filter(|n| !n.is_empty()).map(|n| n.parse().unwrap()).collect();
    numbers.sort_unstable();
    joined(numbers.iter().map(usize::to_string))
}

/// The datagrams of a packet that are whole, the outermost first.
fn whole(packet: &Value) -> Vec<&Value> {
    let all = std::iter::successors(packet.get("reassembled"), |d| d.get("reassembled"));
    all.filter(|d| d["complete"] == true).collect()
}

fn joined(values: impl Iterator<Item = String>) -> String {
    brief(&values.collect::<Vec<_>>().join(","))
}

fn ours() -> Vec<String> {
    let said = rawbench(&["read", "--json", capture().to_str().unwrap()]);
    assert!(said.status.success(), "{}", stderr(&said));
    let text = stdout(&said);
    text.lines().map(|line| values(&serde_json::from_str(line).unwrap())).collect()
}

/// The same line of values, of ours.
fn values(packet: &Value) -> String {
    let datagrams = whole(packet);
    let Some(innermost) = datagrams.last() else { return String::new() };
    let mut values = Vec::new();
    for (protocol, _) in OF_DATAGRAMS {
        let own: Vec<&Value> = datagrams.iter().copied().filter(|d| d["protocol"] == protocol).collect();
        let parts = || own.iter().flat_map(|d| d["parts"].as_array().unwrap());
        let flagged = |flag: &'static str| {
            joined(parts().filter(|p| p.get(flag) == Some(&Value::Bool(true))).map(|_| "1".into()))
        };
        values.push(in_order(parts().map(|p| p["packet"].to_string())));
        values.push(joined(own.iter().map(|d| d["fragments"].to_string())));
        values.push(joined(own.iter().map(|d| d["length"].to_string())));
        values.push(joined(own.iter().map(|d| {
            let hex = d["bytes"].as_str().unwrap().replace(' ', "").to_lowercase();
            hex[d["header"].as_u64().unwrap() as usize * 2..].to_owned()
        })));
        values.extend(["overlap", "conflict", "past_end"].map(flagged));
    }
    for (protocol, _) in OF_TRANSPORT {
        // Of a datagram that is itself a fragment tshark reads nothing.
        let last = innermost.get("reassembled").is_none();
        let layers = innermost["layers"].as_array().unwrap().iter();
        let layers = layers.filter(|l| last && l["key"] == protocol);
        let fields =
            layers.filter(|l| l.get("quoted").is_none()).flat_map(|l| l["fields"].as_array().unwrap());
        values.push(joined(fields.filter_map(|f| f["verdict"].as_str()).map(|verdict| {
            let status = match verdict {
                "good" => "1",
                v if v.starts_with("bad") => "0",
                v if v.starts_with("not covered") => "2",
                v => panic!("{v}"),
            };
            status.into()
        })));
    }
    values.join("\t")
}

/// Packets in which the two differ, each for a reason.
const DIFFER: &[(usize, &str)] = &[
    (74, "tshark tells networks apart by the outer of two tags alone, and so mixes two datagrams"),
    (76, "the other one of them"),
    (285, "an overlap makes a datagram of IPv6 void (RFC 5722): tshark puts it together"),
];

#[test]
fn datagrams_are_whole_where_tshark_says_so_and_have_the_same_bytes() {
    let golden = oracle().join("fragments.txt");
    let theirs = if has_tshark() {
        let now = said_by_tshark();
        let text = now.join("\n") + "\n";
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&golden, &text).unwrap();
        } else if is_golden_version() {
            let then = std::fs::read_to_string(&golden).unwrap_or_default();
            assert!(text == then, "{} is not what tshark says now: set {UPDATE}=1 once", golden.display());
        }
        now
    } else {
        std::fs::read_to_string(&golden).unwrap().lines().map(str::to_owned).collect()
    };
    let ours = ours();
    assert_eq!(ours.len(), theirs.len());
    assert!(theirs.iter().filter(|line| !line.is_empty()).count() > 60, "too few are whole");
    let mut wrong = String::new();
    for (number, (ours, theirs)) in (1..).zip(ours.iter().zip(&theirs)) {
        let listed = DIFFER.iter().find(|(n, _)| *n == number);
        if (ours != theirs) != listed.is_some() {
            wrong += &format!("packet {number} ({listed:?}):\n  ours   {ours}\n  theirs {theirs}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_tree_has_the_whole_and_says_what_is_missing() {
    let said = rawbench(&["read", "-V", capture().to_str().unwrap()]);
    assert!(said.status.success(), "{}", stderr(&said));
    let text = stdout(&said);
    let frames: Vec<&str> = text.split("\n\nFrame ").collect();
    assert_eq!(frames.len(), 285);
    assert!(frames[2].contains("\n    Checksum: 0x3222 [not covered: fragment]\n"), "{}", frames[2]);
    let missing = "\n[IPv4 datagram 0x0101 is not whole: 1 fragment is here, all from byte 1480 on missing]";
    assert!(frames[2].ends_with(missing), "{}", frames[2]);
    let whole = "\nReassembled IPv4 (1480+1480+48 bytes in packets #3, #4, #5)\n    \
                 Packet #3: bytes 0 to 1479 (1480 bytes)\n    \
                 Packet #4: bytes 1480 to 2959 (1480 bytes)\n    \
                 Packet #5: bytes 2960 to 3007 (48 bytes)\n\
                 Internet Protocol Version 4, Src: 10.0.0.1, Dst: 10.0.0.2\n";
    let (_, whole) = frames[4].split_once(whole).expect(frames[4]);
    for line in
        ["Total Length: 3028\n", "Fragment Offset: 0\n", "Checksum: 0x3222 [good]\n", "Data (2988 bytes)\n"]
    {
        assert!(whole.contains(line), "{line} in {whole}");
    }
    assert!(!whole.contains("[bad"), "{whole}");
    assert!(
        frames[20].contains(" [bad, should be 0x"),
        "a checksum that is wrong over the whole: {}",
        frames[20]
    );
    let told = "rawbench: datagrams reassembled: 70; not: 6 (5 with fragments missing, 1 void by the rules of their \
                protocol)\n";
    assert_eq!(stderr(&said), told);
}

#[test]
fn fragments_far_apart_come_together_in_the_order_of_the_file() {
    // Workers take some thousand packets each.
    let one = |text: &str| oracle::craft(&[text.to_owned()]).remove(0);
    let (syn, first, last) = (
        one("ip(dst=10.0.0.2)/tcp(flags=S)"),
        one("ip(dst=10.0.0.2, id=5, proto=17, flags=M)/hex(00 01 00 02 00 10 00 00)"),
        one("ip(dst=10.0.0.2, id=5, proto=17, frag_offset=1)/\"12345678\""),
    );
    let mut packets = vec![syn; 3_400];
    // The middle pair stands in two chunks; packets are a second apart.
    for at in [100, 2041, 3_380] {
        (packets[at], packets[at + 9]) = (first.clone(), last.clone());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("far.pcap");
    cli::write_pcap(&path, 101, &oracle::whole(packets));
    let said = rawbench(&["read", "-V", path.to_str().unwrap()]);
    let text = stdout(&said);
    let numbers: Vec<usize> =
        text.lines().filter_map(|l| l.strip_prefix("Frame ")?.split(':').next()?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=3_400), "every packet once, in order");
    let wholes: Vec<&str> = text.lines().filter(|l| l.starts_with("Reassembled")).collect();
    let expected = [100, 2041, 3_380]
        .map(|at| format!("Reassembled IPv4 (8+8 bytes in packets #{}, #{})", at + 1, at + 10));
    assert_eq!(wholes, expected);
    assert_eq!(stderr(&said), "");
}
