//! What tcpdump's words let follow, for completion: the words of pcap-filter(7) with what they mean.

use super::complete::{Candidate, Kind, made};
use super::index;
use super::services;

/// Words that begin a test.
const BEGINNINGS: [(&str, &str); 27] = [
    ("host", "address of either end"),
    ("net", "network of either end, such as 10.0.0.0/8"),
    ("port", "port of either end"),
    ("portrange", "ports of either end, such as 6000-6008"),
    ("src", "of the source: src host, src port"),
    ("dst", "of the destination: dst host, dst port"),
    ("tcp", "TCP, or before port, src, dst"),
    ("udp", "UDP, or before port, src, dst"),
    ("icmp", "ICMP"),
    ("icmp6", "ICMPv6"),
    ("ip", "IPv4, or before host, net, proto"),
    ("ip6", "IPv6, or before host, net, proto"),
    ("arp", "ARP, or before host, net"),
    ("rarp", "RARP, or before host, net"),
    ("ether", "before host, src, dst, proto: the Ethernet header"),
    ("vlan", "a VLAN tag, of this number where one follows"),
    ("sctp", "SCTP, or before port, src, dst"),
    ("igmp", "IGMP"),
    ("ah", "IP authentication header"),
    ("esp", "IP encapsulating security payload"),
    ("pim", "PIM"),
    ("proto", "protocol of IPv4 or IPv6, such as \\tcp"),
    ("less", "at most so many bytes"),
    ("greater", "at least so many bytes"),
    ("broadcast", "to the broadcast address of Ethernet"),
    ("multicast", "to a group address of Ethernet"),
    ("len", "length in bytes, to compare: len > 100"),
];
const DIRECTED: [(&str, &str); 4] = [
    ("host", "address"),
    ("net", "network, such as 10.0.0.0/8"),
    ("port", "port"),
    ("portrange", "ports, such as 6000-6008"),
];
const BEHIND_ETHER: [(&str, &str); 6] = [
    ("host", "MAC address of either end"),
    ("src", "MAC address of the source"),
    ("dst", "MAC address of the destination"),
    ("proto", "EtherType, such as \\ip or 0x88cc"),
    ("broadcast", "to the broadcast address"),
    ("multicast", "to a group address"),
];
const BEHIND_NETWORK: [(&str, &str); 5] = [
    ("host", "address of either end"),
    ("net", "network of either end"),
    ("src", "of the source"),
    ("dst", "of the destination"),
    ("proto", "protocol, such as \\tcp"),
];
const BEHIND_TRANSPORT: [(&str, &str); 4] = [
    ("port", "port of either end"),
    ("portrange", "ports of either end, such as 6000-6008"),
    ("src", "of the source: src port"),
    ("dst", "of the destination: dst port"),
];
const PROTOCOLS: [(&str, &str); 11] = [
    ("\\tcp", "TCP"),
    ("\\udp", "UDP"),
    ("\\icmp", "ICMP"),
    ("ipv6-icmp", "ICMPv6"),
    ("\\sctp", "SCTP"),
    ("\\igmp", "IGMP"),
    ("\\ah", "IP authentication header"),
    ("\\esp", "IP encapsulating security payload"),
    ("\\pim", "PIM"),
    ("\\vrrp", "VRRP"),
    ("gre", "GRE"),
];
const ETHERTYPES: [(&str, &str); 4] =
    [("\\ip", "IPv4"), ("\\ip6", "IPv6"), ("\\arp", "ARP"), ("\\rarp", "RARP")];
const JOINS: [(&str, &str); 2] = [("and", "both hold"), ("or", "one holds")];

/// The words that begin a test.
pub(super) fn beginnings() -> Vec<Candidate> {
    made(Kind::Word, &BEGINNINGS)
}

/// What may stand behind these words; none where they are not tcpdump's.
pub(super) fn behind(tokens: &[String]) -> Option<Vec<Candidate>> {
    let words = |all: &[(&str, &str)]| Some(made(Kind::Word, all));
    let word = |from_end: usize| {
        tokens.len().checked_sub(from_end).and_then(|at| tokens.get(at)).map_or("", String::as_str)
    };
    let (last, before) = (word(1), word(2));
    match last {
        "port" | "portrange" => Some(services::all().map(service).collect()),
        "proto" if before == "ether" => words(&ETHERTYPES),
        "proto" => words(&PROTOCOLS),
        // An address or a length: nothing to choose from.
        "host" | "net" | "less" | "greater" | "mask" => Some(Vec::new()),
        "src" | "dst" if before == "ether" => words(&[("host", "MAC address")]),
        "src" | "dst" => words(&DIRECTED),
        "ether" => words(&BEHIND_ETHER),
        "ip" | "ip6" | "arp" | "rarp" => words(&[&BEHIND_NETWORK[..], &JOINS].concat()),
        "tcp" | "udp" | "sctp" => words(&[&BEHIND_TRANSPORT[..], &JOINS].concat()),
        "[" => Some(index::names().filter(|n| !n.contains('-')).map(offset).collect()),
        // Behind bytes stand bits or a value with a name.
        "&" | "|" | "(" | "=" | "==" | "!=" if tokens.iter().any(|t| t.starts_with('[')) => {
            Some(index::names().filter(|n| n.contains('-')).map(offset).collect())
        }
        _ => None,
    }
}

fn service((name, port): (&str, u16)) -> Candidate {
    Candidate::new(Kind::Value, name, &format!("port {port}"))
}

fn offset(name: &str) -> Candidate {
    let label = if name.contains('-') { "bits or a value, by name" } else { "an offset, by name" };
    Candidate::new(Kind::Word, name, label)
}
