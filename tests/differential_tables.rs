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
import socket, struct
from scapy.all import *
# scapy has no UDP-Lite: its own sums over what RFC 3828 section 3.1 says.
def udplite(ip, cover, data):
    v4 = isinstance(ip, IP)
    ends = [socket.inet_pton(socket.AF_INET if v4 else socket.AF_INET6, a) for a in (ip.src, ip.dst)]
    length = 8 + len(data)
    pseudo = b''.join(ends) + (struct.pack('!BBH', 0, 136, length) if v4 else struct.pack('!IxxxB', length, 136))
    head = struct.pack('!HHH', 1, 2, cover)
    message = head + bytes(2) + data
    value = checksum(pseudo + message[:cover or None])
    packet = ip / Raw(head + struct.pack('!H', value or 0xffff) + data)
    packet[IP if v4 else IPv6].setfieldval('proto' if v4 else 'nh', 136)
    return packet
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

#[test]
fn udp_lite() {
    as_tshark(
        101,
        &[
            format!("{IP}/udplite(srcport=1, dstport=2)/\"hello\""),
            format!("{IP}/udplite(srcport=1, dstport=2, cover=8)/\"hello\""),
            format!("{IP6}/udplite(srcport=1, dstport=2, cover=11)/\"hello\""),
            format!("{IP6}/udplite(srcport=1, dstport=2, cover=13)/\"hello\""),
        ],
        // The length of the datagram, which the header does not say.
        &["udp.length"],
    );
    let mut twins = Vec::new();
    for ip in ["IP4", "IP6"] {
        for (cover, data) in [(0, "odd"), (0, "even"), (8, "odd"), (9, "even"), (11, "odd")] {
            twins.push(twin(
                &format!("{ip}/udplite(srcport=1, dstport=2, cover={cover})/\"{data}\""),
                &format!("udplite({ip}/b'', {cover}, b'{data}')"),
            ));
        }
    }
    as_scapy(&twins);
}

#[test]
fn dccp() {
    let types = [
        "type=0, service=1145654344",
        "type=1, seq=281474976710655, ack=1, service=7, options=[mandatory, change_l(1, 02), slow]",
        "type=2, seq=5, options=[pad, ack0(01 02), ack1(03)]",
        "type=3, seq=5, ack=6, options=[ts(7), echo(8), echo(8, 9), echo(8, 70000), elapsed(3), elapsed(4)]",
        "type=4, seq=5, ack=6, options=[confirm_r(2, 01 02 03), cookie(01), dropped(01 02), sum(0xdeadbeef)]",
        "type=5",
        "type=6, ccval=3, cscov=1",
        "type=7, reset_code=2, data1=1, data2=2, data3=3",
        "type=8",
        "type=9, cscov=2",
        "type=2, x=0, seq=16777215",
        "type=3, x=0, seq=5, ack=16777215",
        "type=4, x=0, seq=5, ack=6",
    ];
    let samples = types.iter().zip(1..);
    let samples = samples.map(|(t, port)| format!("{IP}/dccp(srcport={port}, dstport=2, {t})/\"data\""));
    // Of the options as a whole tshark prints that they are there, of a short sequence number nothing.
    as_tshark(101, &samples.collect::<Vec<_>>(), &["dccp.options", "dccp.seq_raw"]);
    let long = (3..7).map(|t| format!("{IP}/dccp(srcport={t}, dstport=2, type={t}, seq=7)/\"data\""));
    as_tshark(101, &long.collect::<Vec<_>>(), &["dccp.options"]);
}

#[test]
fn esp() {
    as_tshark(
        101,
        &[
            format!("{IP}/esp(spi=0xdeadbeef, seq=4294967295)/zero(32)"),
            format!("{IP6}/esp/zero(32)"),
            format!("{IP}/udp(srcport=4500)/esp/zero(32)"),
            format!("{IP}/udp(srcport=4500, dstport=4500)/hex(00 00 00 00 01 02 03 04 05 06 07 08 00)"),
            format!("{IP}/udp(srcport=4500, dstport=4500)/hex(ff)"),
        ],
        &[],
    );
    as_scapy(&[
        twin("IP4/esp(spi=5, seq=6)/\"data\"", "IP4/ESP(spi=5, seq=6, data=b'data')"),
        twin(
            "IP4/udp(srcport=4500)/esp(spi=5, seq=6)/\"data\"",
            "IP4/UDP(sport=4500, dport=4500)/ESP(spi=5, seq=6, data=b'data')",
        ),
    ]);
}

#[test]
fn cisco_hdlc() {
    as_tshark(
        104,
        &[
            format!("chdlc/{IP}/udp(srcport=1, dstport=2)"),
            format!("chdlc(address=0x8f, control=1)/{IP6}/udp(srcport=1, dstport=2)"),
            format!("chdlc/mpls(label=5)/{IP}/udp(srcport=1, dstport=2)"),
            "chdlc(protocol=0x8035)/hex(00 00 00 02 00 00 00 00 00 00 00 00 ff ff)".into(),
        ],
        &[],
    );
}

#[test]
fn gre_of_version_1_and_with_routes() {
    let udp = "udp(srcport=1, dstport=2)";
    as_tshark(
        101,
        &[
            format!("{IP}/gre1(call_id=7)/ppp/{IP}/{udp}"),
            format!("{IP}/gre1(call_id=7, s=1, seq=5)/ppp/{IP}/{udp}"),
            format!("{IP}/gre1(call_id=7, a=1, ack=6)"),
            format!("{IP}/gre1(call_id=7, s=1, a=1, seq=5, ack=4294967295)/ppp/{IP6}/{udp}"),
        ],
        &[],
    );
}

/// tshark reads an IP packet in a type III header (frame type 2) as bytes.
#[test]
fn erspan() {
    let frame = format!("eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/{IP}/udp(srcport=1, dstport=2)");
    as_tshark(
        101,
        &[
            format!("{IP}/gre(proto=0x88be)/{frame}"),
            format!("{IP}/gre(s=1, seq=7)/erspan(vlan=4095, cos=5, encap=2, session=1023, index=99)/{frame}"),
            format!("{IP}/gre(s=1, seq=8)/erspan(truncated=1, vlan=7)/{frame}"),
            format!(
                "{IP6}/gre(s=1)/erspan3(vlan=7, bso=2, timestamp=5, sgt=6, hw=7, gra=2, direction=1)/{frame}"
            ),
            format!("{IP}/gre(s=1)/erspan3(o=1, platid=3, platform_info=5)/{frame}"),
        ],
        &[],
    );
}

#[test]
fn pim() {
    as_tshark(
        101,
        &[
            format!("{IP}/pim(type=0)/hex(00 01 00 02 00 69)"),
            format!("{IP}/pim(type=1, register_flag.border=1)/{IP}/udp(srcport=1, dstport=2)"),
            format!("{IP6}/pim(type=1, register_flag.null_register=1)/{IP6}"),
            format!("{IP6}/pim(type=0)/hex(00 01 00 02 00 69)"),
        ],
        &[],
    );
}
