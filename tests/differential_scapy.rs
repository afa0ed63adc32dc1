//! Crafted packets equal scapy's, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::fmt::Write as _;
use std::process::Command;

use cli::{Dice, python_with_scapy, rawbench_with, run, stderr, stdout};

/// Reads a scapy expression a line, writes its bytes.
const SCRIPT: &str = "
import sys
from scapy.all import *
from scapy.contrib.mpls import MPLS
# scapy compresses the protocol field of PPP (RFC 1661 section 6.5), which PPPoE forbids (RFC 2516 section 7).
class PPP(Packet):
    fields_desc = [XShortField('proto', 0)]
bind_layers(PPPoE, PPP)
bind_layers(PPP, IP, proto=0x21)
bind_layers(PPP, IPv6, proto=0x57)
# Numbers that it does not know.
for upper, number in [(Dot1AD, 0x88a8), (Dot1Q, 0x8100), (MPLS, 0x8847), (PPPoE, 0x8864), (Ether, 0x6558), (Dot3, 0x6558)]:
    bind_layers(SNAP, upper, code=number)
    bind_layers(GRE, upper, proto=number)
    bind_layers(Dot1AD, upper, type=number)
    bind_layers(Dot1Q, upper, type=number)
for line in sys.stdin:
    print(bytes(eval(line)).hex(' ').upper())
";

/// The same packet in both languages.
#[derive(Default)]
struct Twin {
    ours: Vec<String>,
    scapys: Vec<String>,
}

impl Twin {
    fn layer(&mut self, name: &str, scapy: &str, fields: &Fields) {
        self.ours.push(format!("{name}({})", fields.ours.join(", ")));
        self.scapys.push(format!("{scapy}({})", fields.scapys.join(", ")));
    }
}

#[derive(Default)]
struct Fields {
    ours: Vec<String>,
    scapys: Vec<String>,
}

impl Fields {
    fn both(&mut self, key: &str, scapy: &str, value: u64) {
        self.ours.push(format!("{key}={value}"));
        self.scapys.push(format!("{scapy}={value}"));
    }

    fn text(&mut self, key: &str, scapy: &str, value: &str) {
        self.ours.push(format!("{key}={value}"));
        self.scapys.push(format!("{scapy}='{value}'"));
    }

    /// Sometimes a value, sometimes what comes by itself.
    fn maybe(&mut self, dice: &mut Dice, key: &str, scapy: &str, max: u64) {
        if dice.one_in(3) {
            let value = dice.number(max);
            self.both(key, scapy, value);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn address(dice: &mut Dice) -> String {
    std::net::Ipv4Addr::from(dice.number(u64::from(u32::MAX)) as u32).to_string()
}

fn mac(dice: &mut Dice) -> String {
    dice.bytes(6).iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

fn ethernet(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let (src, dst) = (mac(dice), mac(dice));
    fields.text("src", "src", &src);
    fields.text("dst", "dst", &dst);
    fields.maybe(dice, "type", "type", 0xffff);
    twin.layer("eth", "Ether", &fields);
}

/// `pin_length`: scapy's pseudo header follows a pinned total length, ours the bytes that are there.
fn ip(dice: &mut Dice, twin: &mut Twin, pin_length: bool) {
    let mut fields = Fields::default();
    let (src, dst) = (address(dice), address(dice));
    fields.text("src", "src", &src);
    fields.text("dst", "dst", &dst);
    fields.maybe(dice, "version", "version", 15);
    fields.maybe(dice, "dsfield", "tos", 255);
    fields.both("id", "id", dice.number(0xffff));
    fields.maybe(dice, "flags", "flags", 7);
    fields.maybe(dice, "ttl", "ttl", 255);
    if dice.one_in(4) {
        let words = dice.number(0x1fff);
        let ours =
            if dice.one_in(2) { format!("frag={}", words * 8) } else { format!("frag_offset={words}") };
        fields.ours.push(ours);
        fields.scapys.push(format!("frag={words}"));
    }
    if dice.one_in(6) {
        fields.maybe(dice, "proto", "proto", 255);
        fields.maybe(dice, "checksum", "chksum", 0xffff);
    }
    if pin_length {
        fields.maybe(dice, "len", "len", 0xffff);
        fields.maybe(dice, "ihl", "ihl", 15);
    }
    if dice.one_in(3) {
        ip_options(dice, &mut fields);
    }
    twin.layer("ip", "IP", &fields);
}

fn option(kind: u8, data: &str) -> String {
    if data.is_empty() { format!("opt({kind})") } else { format!("opt({kind}, {data})") }
}

fn ip_options(dice: &mut Dice, fields: &mut Fields) {
    let (mut ours, mut scapys, mut used) = (Vec::new(), Vec::new(), 0);
    for _ in 0..dice.below(6) {
        let len = dice.below(9);
        if used + len + 2 > 40 {
            break;
        }
        if dice.one_in(3) {
            ours.push("nop".to_owned());
            scapys.push("IPOption_NOP()".to_owned());
            used += 1;
            continue;
        }
        let (kind, data) = (dice.pick(&[7u8, 30, 68, 130, 148, 255]), hex(&dice.bytes(len)));
        ours.push(option(kind, &data));
        scapys.push(format!("Raw(bytes([{kind}, {}]) + bytes.fromhex('{data}'))", len + 2));
        used += len + 2;
    }
    fields.ours.push(format!("options=[{}]", ours.join(", ")));
    fields.scapys.push(format!("options=[{}]", scapys.join(", ")));
}

fn tcp(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    fields.both("srcport", "sport", dice.number(0xffff));
    fields.both("dstport", "dport", dice.number(0xffff));
    fields.both("seq", "seq", dice.number(u64::from(u32::MAX)));
    fields.both("ack", "ack", dice.number(u64::from(u32::MAX)));
    fields.both("window", "window", dice.number(0xffff));
    let flags = dice.number(0xfff);
    fields.ours.push(format!("flags={flags}"));
    fields.scapys.push(format!("reserved={}, flags={}", flags >> 9, flags & 0x1ff));
    fields.maybe(dice, "urgent_pointer", "urgptr", 0xffff);
    if dice.one_in(6) {
        fields.maybe(dice, "data_offset", "dataofs", 15);
        fields.maybe(dice, "checksum", "chksum", 0xffff);
    }
    if !dice.one_in(3) {
        tcp_options(dice, &mut fields);
    }
    twin.layer("tcp", "TCP", &fields);
}

fn tcp_options(dice: &mut Dice, fields: &mut Fields) {
    let (mut ours, mut scapys, mut used) = (Vec::new(), Vec::new(), 0);
    for _ in 0..dice.below(7) {
        let word = |dice: &mut Dice| dice.number(u64::from(u32::MAX));
        let (a, b, len) = match dice.below(8) {
            0 => (format!("mss({0})", dice.number(0xffff)), "MSS", 4),
            1 => (format!("wscale({0})", dice.number(255)), "WScale", 3),
            2 => ("sackOK".to_owned(), "SAckOK", 2),
            3 => (format!("ts({}, {})", word(dice), word(dice)), "Timestamp", 10),
            4 => (format!("sack({}-{})", word(dice), word(dice)), "SAck", 10),
            5 => (format!("sack({}-{}, {}-{})", word(dice), word(dice), word(dice), word(dice)), "SAck", 18),
            6 => {
                let count = dice.below(6);
                let data = hex(&dice.bytes(count));
                (option(dice.pick(&[66u8, 67, 200, 255]), &data), "", count + 2)
            }
            _ => ("nop".to_owned(), "NOP", 1),
        };
        if used + len > 40 {
            continue;
        }
        used += len;
        scapys.push(scapy_option(&a, b));
        ours.push(a);
    }
    if dice.one_in(5) && used < 40 {
        ours.push("eol".into());
        scapys.push("('EOL', None)".into());
    }
    fields.ours.push(format!("options=[{}]", ours.join(", ")));
    fields.scapys.push(format!("options=[{}]", scapys.join(", ")));
}

/// scapy's tuple for one of our options.
fn scapy_option(ours: &str, name: &str) -> String {
    let inside = ours.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    match name {
        "NOP" => "('NOP', None)".into(),
        "SAckOK" => "('SAckOK', b'')".into(),
        "SAck" => format!("('SAck', ({}))", inside.replace('-', ", ")),
        "Timestamp" => format!("('Timestamp', ({inside}))"),
        "" => {
            let (kind, data) = inside.split_once(", ").unwrap_or((inside, ""));
            format!("({kind}, bytes.fromhex('{data}'))")
        }
        _ => format!("('{name}', {inside})"),
    }
}

fn udp(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    fields.both("srcport", "sport", dice.number(0xffff));
    fields.both("dstport", "dport", dice.number(0xffff));
    if dice.one_in(6) {
        fields.maybe(dice, "length", "len", 0xffff);
        fields.maybe(dice, "checksum", "chksum", 0xffff);
    }
    twin.layer("udp", "UDP", &fields);
}

fn icmp(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let kind = dice.pick(&[0u64, 3, 5, 8, 11, 12]);
    fields.both("type", "type", kind);
    let code = if kind == 3 && dice.one_in(2) { 4 } else { dice.number(255) };
    fields.both("code", "code", code);
    match kind {
        0 | 8 => {
            fields.both("ident", "id", dice.number(0xffff));
            fields.both("seq", "seq", dice.number(0xffff));
        }
        3 if code == 4 => fields.both("mtu", "nexthopmtu", dice.number(0xffff)),
        3 => fields.both("unused16", "nexthopmtu", dice.number(0xffff)),
        5 => {
            let gateway = address(dice);
            fields.text("redir_gw", "gw", &gateway);
        }
        12 => fields.both("pointer", "ptr", dice.number(255)),
        _ => {}
    }
    if matches!(kind, 3 | 11 | 12) {
        fields.both("length", "length", dice.number(255));
    }
    fields.maybe(dice, "checksum", "chksum", 0xffff);
    twin.layer("icmp", "ICMP", &fields);
    if kind != 0 && kind != 8 && dice.one_in(2) {
        ip(dice, twin, false);
        udp(dice, twin);
    }
}

fn address_v6(dice: &mut Dice) -> String {
    let (high, low) = (dice.number(u64::MAX), dice.number(u64::MAX));
    std::net::Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)).to_string()
}

fn ipv6(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let (src, dst) = (address_v6(dice), address_v6(dice));
    fields.text("src", "src", &src);
    fields.text("dst", "dst", &dst);
    fields.maybe(dice, "version", "version", 15);
    fields.maybe(dice, "tclass", "tc", 255);
    fields.maybe(dice, "flow", "fl", 0xf_ffff);
    // scapy chooses 255 for neighbour discovery by itself.
    fields.both("hlim", "hlim", dice.number(255));
    if dice.one_in(6) {
        fields.maybe(dice, "plen", "plen", 0xffff);
    }
    twin.layer("ipv6", "IPv6", &fields);
}

fn icmpv6(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let kind = dice.pick(&[1u64, 2, 3, 4, 128, 129]);
    fields.ours.push(format!("type={kind}"));
    fields.both("code", "code", dice.number(255));
    let scapy = match kind {
        1 | 3 => {
            fields.both("length", "length", dice.number(255));
            if kind == 1 { "ICMPv6DestUnreach" } else { "ICMPv6TimeExceeded" }
        }
        2 => {
            fields.both("mtu", "mtu", dice.number(u64::from(u32::MAX)));
            "ICMPv6PacketTooBig"
        }
        4 => {
            fields.both("pointer", "ptr", dice.number(u64::from(u32::MAX)));
            "ICMPv6ParamProblem"
        }
        _ => {
            fields.both("id", "id", dice.number(0xffff));
            fields.both("seq", "seq", dice.number(0xffff));
            if kind == 128 { "ICMPv6EchoRequest" } else { "ICMPv6EchoReply" }
        }
    };
    fields.maybe(dice, "checksum", "cksum", 0xffff);
    twin.layer("icmpv6", scapy, &fields);
    if kind < 128 && dice.one_in(2) {
        ipv6(dice, twin);
        udp(dice, twin);
    }
}

fn discovery(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let kind = dice.pick(&[133u64, 134, 135, 136, 137]);
    fields.ours.push(format!("type={kind}"));
    fields.both("code", "code", dice.number(255));
    let (target, other) = (address_v6(dice), address_v6(dice));
    if kind > 134 {
        fields.text("target", "tgt", &target);
    }
    let scapy = match kind {
        133 => "ICMPv6ND_RS",
        134 => {
            fields.both("hlim", "chlim", dice.number(255));
            fields.both("nd.ra.flag.m", "M", dice.number(1));
            fields.both("nd.ra.flag.h", "H", dice.number(1));
            fields.both("nd.ra.flag.prf", "prf", dice.number(3));
            fields.both("lifetime", "routerlifetime", dice.number(0xffff));
            fields.both("reachable", "reachabletime", dice.number(u64::from(u32::MAX)));
            fields.both("retrans", "retranstimer", dice.number(u64::from(u32::MAX)));
            "ICMPv6ND_RA"
        }
        135 => "ICMPv6ND_NS",
        136 => {
            fields.both("nd.na.flag.r", "R", dice.number(1));
            fields.both("nd.na.flag.s", "S", dice.number(1));
            fields.both("nd.na.flag.o", "O", dice.number(1));
            "ICMPv6ND_NA"
        }
        _ => {
            fields.text("destination", "dst", &other);
            "ICMPv6ND_Redirect"
        }
    };
    let mut options = Vec::new();
    let mut scapys = Vec::new();
    for _ in 0..dice.below(4) {
        let (ours, scapy) = discovery_option(dice);
        options.push(ours);
        scapys.push(format!("/{scapy}"));
    }
    fields.ours.push(format!("options=[{}]", options.join(", ")));
    twin.ours.push(format!("icmpv6({})", fields.ours.join(", ")));
    twin.scapys.push(format!("{scapy}({}){}", fields.scapys.join(", "), scapys.concat()));
}

fn discovery_option(dice: &mut Dice) -> (String, String) {
    let word = |dice: &mut Dice| dice.number(u64::from(u32::MAX));
    match dice.below(5) {
        0 => {
            let mac = mac(dice);
            (format!("slla({mac})"), format!("ICMPv6NDOptSrcLLAddr(lladdr='{mac}')"))
        }
        1 => {
            let mac = mac(dice);
            (format!("tlla({mac})"), format!("ICMPv6NDOptDstLLAddr(lladdr='{mac}')"))
        }
        2 => {
            let mtu = word(dice);
            (format!("mtu({mtu})"), format!("ICMPv6NDOptMTU(mtu={mtu})"))
        }
        3 => {
            let (len, a, b, prefix) = (dice.number(128), word(dice), word(dice), address_v6(dice));
            let (l, auto) = (dice.number(1), dice.number(1));
            let flags = match (l, auto) {
                (0, 0) => "none",
                (1, 0) => "L",
                (0, _) => "A",
                _ => "LA",
            };
            (
                format!("prefix({len}, {flags}, {a}, {b}, {prefix})"),
                format!(
                    "ICMPv6NDOptPrefixInfo(prefixlen={len}, L={l}, A={auto}, validlifetime={a}, \
                     preferredlifetime={b}, prefix='{prefix}')"
                ),
            )
        }
        _ => {
            let units = 1 + dice.below(3);
            let data = hex(&dice.bytes(units * 8 - 2));
            (
                format!("opt(200, {data})"),
                format!("ICMPv6NDOptUnknown(type=200, len={units}, data=bytes.fromhex('{data}'))"),
            )
        }
    }
}

fn packet_v6(dice: &mut Dice) -> Twin {
    let mut twin = Twin::default();
    if dice.one_in(3) {
        ethernet(dice, &mut twin);
    }
    ipv6(dice, &mut twin);
    match dice.below(8) {
        0 | 1 => udp(dice, &mut twin),
        2 => discovery(dice, &mut twin),
        3 | 4 => icmpv6(dice, &mut twin),
        5 => {
            ip(dice, &mut twin, false);
            tcp(dice, &mut twin);
        }
        _ => tcp(dice, &mut twin),
    }
    if !twin.scapys.iter().any(|s| s.contains("ICMPv6ND")) {
        payload(dice, &mut twin);
    }
    twin
}

fn payload(dice: &mut Dice, twin: &mut Twin) {
    // Odd lengths, and more than 255 bytes: where home-made checksums go wrong.
    let count = match dice.below(6) {
        0 => 0,
        1 => 255 + dice.below(1300),
        _ => 1 + dice.below(64),
    };
    if count > 0 {
        let data = if dice.one_in(8) { vec![0xff; count] } else { dice.bytes(count) };
        twin.ours.push(format!("hex({})", hex(&data)));
        twin.scapys.push(format!("Raw(bytes.fromhex('{}'))", hex(&data)));
    }
}

fn packet(dice: &mut Dice) -> Twin {
    let mut twin = Twin::default();
    if dice.one_in(3) {
        ethernet(dice, &mut twin);
    }
    let upper = dice.below(9);
    ip(dice, &mut twin, matches!(upper, 0 | 1));
    match upper {
        0 => {}
        1 => icmp(dice, &mut twin),
        2 | 3 => udp(dice, &mut twin),
        4 => {
            ip(dice, &mut twin, false);
            tcp(dice, &mut twin);
        }
        _ => tcp(dice, &mut twin),
    }
    payload(dice, &mut twin);
    twin
}

/// A link header and what stands between it and a network header.
fn below(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let (src, dst) = (mac(dice), mac(dice));
    fields.text("src", "src", &src);
    fields.text("dst", "dst", &dst);
    let with_length = dice.one_in(5);
    if with_length {
        twin.layer("dot3", "Dot3", &fields);
        twin.layer("llc", "LLC", &Fields::default());
        twin.layer("snap", "SNAP", &Fields::default());
    } else {
        twin.layer("eth", "Ether", &fields);
    }
    if dice.one_in(4) {
        tag(dice, twin, "svlan", "Dot1AD");
    }
    for _ in 0..dice.below(3) {
        tag(dice, twin, "vlan", "Dot1Q");
    }
    match dice.below(5) {
        0 => {
            let mut fields = Fields::default();
            fields.both("session_id", "sessionid", dice.number(0xffff));
            twin.layer("pppoes", "PPPoE", &fields);
            twin.layer("ppp", "PPP", &Fields::default());
        }
        1 => {
            let labels = 1 + dice.below(3);
            for left in (0..labels).rev() {
                let mut fields = Fields::default();
                fields.both("label", "label", dice.number(0xf_ffff));
                fields.both("exp", "cos", dice.number(7));
                fields.both("ttl", "ttl", dice.number(255));
                // Of these two ours computes the first.
                fields.scapys.push(format!("s={}", u8::from(left == 0)));
                twin.layer("mpls", "MPLS", &fields);
            }
        }
        _ => {}
    }
}

fn tag(dice: &mut Dice, twin: &mut Twin, ours: &str, scapy: &str) {
    let mut fields = Fields::default();
    fields.both("id", "vlan", dice.number(0xfff));
    fields.maybe(dice, "priority", "prio", 7);
    twin.layer(ours, scapy, &fields);
}

fn gre(dice: &mut Dice, twin: &mut Twin) {
    let mut fields = Fields::default();
    let (c, k, s) = (dice.one_in(2), dice.one_in(2), dice.one_in(2));
    fields.both("c", "chksum_present", u64::from(c));
    fields.both("k", "key_present", u64::from(k));
    fields.both("s", "seqnum_present", u64::from(s));
    if k {
        fields.both("key", "key", dice.number(u64::from(u32::MAX)));
    }
    if s {
        fields.both("seq", "seqence_number", dice.number(u64::from(u32::MAX)));
    }
    twin.layer("gre", "GRE", &fields);
}

fn any_ip(dice: &mut Dice, twin: &mut Twin) {
    if dice.one_in(2) {
        let mut fields = Fields::default();
        let (src, dst) = (address_v6(dice), address_v6(dice));
        fields.text("src", "src", &src);
        fields.text("dst", "dst", &dst);
        twin.layer("ipv6", "IPv6", &fields);
    } else {
        let mut fields = Fields::default();
        let (src, dst) = (address(dice), address(dice));
        fields.text("src", "src", &src);
        fields.text("dst", "dst", &dst);
        fields.both("id", "id", dice.number(0xffff));
        twin.layer("ip", "IP", &fields);
    }
}

/// TCP or UDP through up to three tunnels.
fn tunnelled(dice: &mut Dice) -> Twin {
    let mut twin = Twin::default();
    if !dice.one_in(4) {
        below(dice, &mut twin);
    }
    any_ip(dice, &mut twin);
    for _ in 0..dice.below(4) {
        match dice.below(4) {
            0 => any_ip(dice, &mut twin),
            1 => {
                let mut fields = Fields::default();
                fields.both("srcport", "sport", dice.number(0xffff));
                // Ours computes it.
                fields.scapys.push("dport=4789".into());
                twin.layer("udp", "UDP", &fields);
                let mut fields = Fields::default();
                fields.both("vni", "vni", dice.number(0xff_ffff));
                fields.scapys.push("flags=8".into());
                twin.layer("vxlan", "VXLAN", &fields);
                below(dice, &mut twin);
                any_ip(dice, &mut twin);
            }
            _ => {
                gre(dice, &mut twin);
                if dice.one_in(3) {
                    below(dice, &mut twin);
                }
                any_ip(dice, &mut twin);
            }
        }
    }
    if dice.one_in(2) {
        tcp(dice, &mut twin)
    } else {
        udp(dice, &mut twin)
    }
    payload(dice, &mut twin);
    twin
}

#[test]
fn a_thousand_random_tunnels_equal_scapys() {
    let Some(python) = python_with_scapy() else { return };
    let mut dice = Dice::new(0x5ca9_0008);
    let twins: Vec<Twin> = (0..1_000).map(|_| tunnelled(&mut dice)).collect();
    all_equal(python, &twins);
}

#[test]
fn a_thousand_random_headers_equal_scapys() {
    let Some(python) = python_with_scapy() else { return };
    let mut dice = Dice::new(0x5ca9_0001);
    let twins: Vec<Twin> = (0..1_000).map(|_| packet(&mut dice)).collect();
    all_equal(python, &twins);
}

#[test]
fn a_thousand_random_headers_over_ipv6_equal_scapys() {
    let Some(python) = python_with_scapy() else { return };
    let mut dice = Dice::new(0x5ca9_0006);
    let twins: Vec<Twin> = (0..1_000).map(|_| packet_v6(&mut dice)).collect();
    all_equal(python, &twins);
}

fn all_equal(python: &str, twins: &[Twin]) {
    let ours: String = twins.iter().map(|t| t.ours.join("/") + "\n").collect();
    let scapys: String = twins.iter().map(|t| t.scapys.join("/") + "\n").collect();
    let crafted = rawbench_with(&["craft", "-", "--hex"], ours.as_bytes());
    assert!(crafted.status.success(), "{}", stderr(&crafted));
    let built = run(Command::new(python).args(["-c", SCRIPT]), scapys.as_bytes());
    assert!(built.status.success(), "{}", stderr(&built));
    let (crafted, built) = (stdout(&crafted), stdout(&built));
    assert_eq!(crafted.lines().count(), twins.len());
    assert_eq!(built.lines().count(), twins.len());
    let mut wrong = String::new();
    for ((ours, scapys), twin) in crafted.lines().zip(built.lines()).zip(twins) {
        if ours != scapys {
            let _ = writeln!(wrong, "{}\n  ours   {ours}\n  scapy's {scapys}", twin.ours.join("/"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn source_routes_equal_scapys() {
    let Some(python) = python_with_scapy() else { return };
    let mut dice = Dice::new(0x5ca9_0015);
    let twins: Vec<Twin> = (0..200)
        .map(|nth| {
            let mut twin = Twin::default();
            let mut fields = Fields::default();
            let (src, dst) = (address(&mut dice), address(&mut dice));
            fields.text("src", "src", &src);
            fields.text("dst", "dst", &dst);
            fields.both("id", "id", dice.number(0xffff));
            let hops: Vec<String> = (0..=dice.below(8)).map(|_| address(&mut dice)).collect();
            let (ours, scapy) = dice.pick(&[("lsrr", "LSRR"), ("ssrr", "SSRR"), ("rr", "RR")]);
            let quoted: Vec<String> = hops.iter().map(|h| format!("'{h}'")).collect();
            let length = hops.len() * 4 + 3;
            fields.ours.push(format!("options=[{ours}(4, {})]", hops.join(", ")));
            fields.scapys.push(format!(
                "options=[IPOption_{scapy}(length={length}, pointer=4, routers=[{}])]",
                quoted.join(", ")
            ));
            twin.layer("ip", "IP", &fields);
            if nth % 2 == 0 {
                tcp(&mut dice, &mut twin)
            } else {
                udp(&mut dice, &mut twin)
            }
            payload(&mut dice, &mut twin);
            twin
        })
        .collect();
    all_equal(python, &twins);
}

#[test]
fn extension_headers_equal_scapys() {
    let Some(python) = python_with_scapy() else { return };
    let pairs = [
        ("ipv6.hopopts(options=[ra(0), padn])", "IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])"),
        ("ipv6.hopopts(options=[jumbo(70000)])", "IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70000)])"),
        (
            "ipv6.dstopts(options=[padn(00 00), home(fd77::9)])",
            "IPv6ExtHdrDestOpt(options=[HAO(hoa='fd77::9')])",
        ),
        (
            "ipv6.routing(type=0, segleft=2, addresses=[addr(fd77::5), addr(fd77::6)])",
            "IPv6ExtHdrRouting(segleft=2, addresses=['fd77::5', 'fd77::6'])",
        ),
        (
            "ipv6.routing(type=4, segleft=1, last_entry=1, addresses=[addr(fd77::5), addr(fd77::6)])",
            "IPv6ExtHdrSegmentRouting(segleft=1, lastentry=1, addresses=['fd77::5', 'fd77::6'])",
        ),
        (
            "ipv6.routing(type=0, segleft=0, addresses=[addr(fd77::5)])",
            "IPv6ExtHdrRouting(segleft=0, addresses=['fd77::5'])",
        ),
        ("ipv6.fraghdr(offset=3, more=1, id=99)", "IPv6ExtHdrFragment(offset=3, m=1, id=99)"),
    ];
    let twin = |(ours, scapy): &(&str, &str), upper: (&str, &str)| Twin {
        ours: vec!["ipv6(src=fd77::1, dst=fd77::2)".into(), (*ours).into(), upper.0.into()],
        scapys: vec!["IPv6(src='fd77::1', dst='fd77::2')".into(), (*scapy).into(), upper.1.into()],
    };
    let uppers = [
        ("tcp(srcport=1, dstport=2, flags=S)", "TCP(sport=1, dport=2, flags='S', window=64240)"),
        ("udp(srcport=1, dstport=2)", "UDP(sport=1, dport=2)"),
    ];
    let twins: Vec<Twin> = pairs.iter().flat_map(|p| uppers.map(|u| twin(p, u))).collect();
    all_equal(python, &twins);
}

#[test]
fn a_sum_of_zero_goes_out_as_scapy_sends_it() {
    let Some(python) = python_with_scapy() else { return };
    // The payload word makes the sum all ones: 0 for TCP, all ones for UDP, where 0 means "none".
    let mut ours = String::new();
    let mut scapys = String::new();
    for (name, scapy) in [("udp", "UDP"), ("tcp", "TCP")] {
        let probe = format!("ip(src=1.2.3.4, dst=5.6.7.8)/{name}(srcport=1, dstport=2)/hex(0000)");
        let crafted = stdout(&rawbench_with(&["craft", &probe, "--hex"], b""));
        let bytes = cli::bytes(&crafted);
        let at = if name == "udp" { 26 } else { 36 };
        let word = hex(&bytes[at..at + 2]);
        let _ = writeln!(ours, "ip(src=1.2.3.4, dst=5.6.7.8)/{name}(srcport=1, dstport=2)/hex({word})");
        let window = if name == "tcp" { ", flags=0, window=64240" } else { "" };
        let _ = writeln!(
            scapys,
            "IP(src='1.2.3.4', dst='5.6.7.8', id=0)/{scapy}(sport=1, dport=2{window})/Raw(bytes.fromhex('{word}'))"
        );
    }
    let crafted = stdout(&rawbench_with(&["craft", "-", "--hex"], ours.as_bytes()));
    let built = stdout(&run(Command::new(python).args(["-c", SCRIPT]), scapys.as_bytes()));
    assert_eq!(crafted, built);
    let sums: Vec<_> = crafted.lines().map(cli::bytes).collect();
    assert_eq!(sums[0][26..28], [0xff, 0xff]);
    assert_eq!(sums[1][36..38], [0, 0]);
}
