//! Tunnels, transports and link headers against tshark 4.0 and scapy: `read -e` prints what tshark prints, and what is
//! crafted equals scapy's bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::process::Command;

use cli::{has_tshark, python_with_scapy, rawbench_with, run, stderr, stdout};
use oracle::{Demand, V6_BUT, compare, craft, cut, whole};

const IP: &str = "ip(src=10.1.2.3, dst=10.77.0.2)";
const IP6: &str = "ipv6(src=fd77::1, dst=fd77::2)";

/// Whole packets print what tshark prints, packets that were cut at any byte at least that.
fn as_tshark(link_type: u32, samples: &[String], but: &[&str]) {
    if !has_tshark() {
        return;
    }
    let packets = craft(samples);
    let but = [V6_BUT, but].concat();
    let wrong = compare(link_type, &whole(packets.clone()), Demand::Equal, &but);
    assert!(wrong.is_empty(), "{wrong}");
    let wrong = compare(link_type, &cut(&packets), Demand::AtLeast, &but);
    assert!(wrong.is_empty(), "{wrong}");
}

/// Reads a scapy expression a line, writes its bytes.
const SCRIPT: &str = "
import sys
from scapy.all import *
for line in sys.stdin:
    print(bytes(eval(line)).hex(' ').upper())
";

/// Crafted packets equal scapy's.
fn as_scapy(twins: &[(String, String)]) {
    let Some(python) = python_with_scapy() else { return };
    let (ours, scapys): (Vec<String>, Vec<String>) = twins.iter().cloned().unzip();
    let ours = rawbench_with(&["craft", "-", "--hex"], (ours.join("\n") + "\n").as_bytes());
    assert!(ours.status.success(), "{}", stderr(&ours));
    let scapys = run(Command::new(python).args(["-c", SCRIPT]), (scapys.join("\n") + "\n").as_bytes());
    assert!(scapys.status.success(), "{}", stderr(&scapys));
    let (ours, scapys) = (stdout(&ours), stdout(&scapys));
    assert_eq!((ours.lines().count(), scapys.lines().count()), (twins.len(), twins.len()));
    for ((ours, scapys), (notation, expression)) in ours.lines().zip(scapys.lines()).zip(twins) {
        assert_eq!(ours, scapys, "\n{notation}\n{expression}");
    }
}

fn twin(ours: &str, scapys: &str) -> (String, String) {
    let scapy_ip = "IP(src='10.1.2.3', dst='10.77.0.2', id=0)";
    let scapy_ip6 = "IPv6(src='fd77::1', dst='fd77::2')";
    let scapys = scapys.replace("IP6/", &format!("{scapy_ip6}/")).replace("IP4/", &format!("{scapy_ip}/"));
    (ours.replace("IP6/", &format!("{IP6}/")).replace("IP4/", &format!("{IP}/")), scapys)
}

#[test]
fn sctp() {
    as_tshark(
        101,
        &[
            format!("{IP}/sctp(srcport=2905, dstport=2906, vtag=0xdeadbeef)"),
            format!("{IP6}/sctp(srcport=1, dstport=65535)"),
            format!("{IP6}/gre/{IP}/sctp(checksum=0x01020304)"),
        ],
        &[],
    );
    as_scapy(&[
        twin("IP4/sctp(srcport=1, dstport=2, vtag=5)", "IP4/SCTP(sport=1, dport=2, tag=5)"),
        twin("IP6/sctp(srcport=1, dstport=2, vtag=5)", "IP6/SCTP(sport=1, dport=2, tag=5)"),
        twin(
            "IP4/sctp(srcport=1, dstport=2)/\"odd bytes\"",
            "IP4/SCTP(sport=1, dport=2, tag=0)/Raw('odd bytes')",
        ),
        twin(
            "IP4/sctp(srcport=1, dstport=2)/hex(0e 00 00 04)",
            "IP4/SCTP(sport=1, dport=2, tag=0)/SCTPChunkShutdownComplete()",
        ),
    ]);
}
