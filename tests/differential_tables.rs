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

#[test]
fn ppp() {
    let udp = format!("{IP}/udp(srcport=1, dstport=2)");
    let samples = [
        format!("ppp_hdlc/{udp}"),
        format!("ppp_hdlc/{IP6}/udp(srcport=1, dstport=2)"),
        format!("ppp/{udp}"),
        "ppp_hdlc/lcp(id=9, options=[mru(1500), accm(0), auth(0xc223, 05), magic(0xdeadbeef), pfc, acfc])".into(),
        "ppp_hdlc/lcp(code=4, options=[mrru(1500), ssnhf, quality(0xc025, 00 00 00 01)])".into(),
        "ppp/lcp(code=9, magic=7)/\"data\"".into(),
        "ppp/lcp(code=8, rejected=0x8021)/hex(01 02 03)".into(),
        "ppp/lcp(code=5)/\"why\"".into(),
        "ppp/ipcp(code=3, options=[addr(10.0.0.1), dns1(8.8.8.8), dns2(9.9.9.9), nbns1(1.2.3.4), nbns2(1.1.1.1)])"
            .into(),
        "ppp/ipcp(options=[compress(0x2d, 0f 01)])".into(),
        "ppp/ipv6cp(options=[id(72623859790382856)])".into(),
        "ppp/pap(id=5)/hex(03 61 62 63 01 64)".into(),
        "ppp/chap(code=2, id=5)/hex(01 02 61 62)".into(),
    ];
    for link_type in [9, 50] {
        as_tshark(link_type, &samples, &[]);
    }
    as_scapy(&[
        twin("ppp_hdlc/IP4/udp(srcport=1, dstport=2)", "HDLC()/Raw(b'\\x00\\x21')/IP4/UDP(sport=1, dport=2)"),
        twin(
            "lcp(id=7, options=[mru(1500), accm(0), magic(5)])",
            "PPP_LCP_Configure(id=7, options=[PPP_LCP_MRU_Option(max_recv_unit=1500), \
             PPP_LCP_ACCM_Option(accm=0), PPP_LCP_Magic_Number_Option(magic_number=5)])",
        ),
        twin("lcp(code=9, id=7, magic=5)/\"data\"", "PPP_LCP_Echo(id=7, magic_number=5, data=b'data')"),
        twin(
            "ipcp(id=7, options=[addr(10.0.0.1), dns1(8.8.8.8)])",
            "PPP_IPCP(id=7, options=[PPP_IPCP_Option_IPAddress(data='10.0.0.1'), \
             PPP_IPCP_Option_DNS1(data='8.8.8.8')])",
        ),
        twin("pap(id=5)/hex(03 61 62 63 01 64)", "PPP_PAP_Request(id=5, username='abc', password='d')"),
        twin(
            "chap(code=2, id=5)/hex(02 01 02 61 62)",
            "PPP_CHAP_ChallengeResponse(code=2, id=5, value=b'\\x01\\x02', optional_name='ab')",
        ),
    ]);
}

/// 802.11 frames: data in each direction, QoS, what stops the reading, management and control.
fn wireless() -> Vec<String> {
    let udp = format!("llc/snap/{IP}/udp(srcport=1, dstport=2)");
    let ends = "ra=02:00:00:00:00:01, ta=02:00:00:00:00:02";
    vec![
        format!("wlan({ends}, bssid=02:00:00:00:00:03, duration=314, seq_ctl=0x1230)/{udp}"),
        format!("wlan({ends}, tods=1, da=02:00:00:00:00:03, fc.retry=1)/{udp}"),
        format!("wlan({ends}, fromds=1, sa=02:00:00:00:00:03, fc.moredata=1)/{udp}"),
        format!("wlan({ends}, fromds=1, tods=1, da=02:00:00:00:00:03, sa=02:00:00:00:00:04)/{udp}"),
        format!("wlan({ends}, subtype=4, tods=1, fc.pwrmgt=1)"),
        format!("wlan_qos({ends}, tods=1, tid=5, qos.ack=1)/{udp}"),
        format!("wlan_qos({ends}, fromds=1, tid=6)/llc/snap/{IP6}/udp(srcport=1, dstport=2)"),
        format!("wlan_qos({ends}, fromds=1, tods=1, eosp=1, fc.protected=1)/zero(40)"),
        format!("wlan_qos({ends}, bssid=02:00:00:00:00:03, fc.protected=1)/zero(40)"),
        format!("wlan_ctl(ra=02:00:00:00:00:01)"),
        format!("wlan_ctl(subtype=12, ra=02:00:00:00:00:01, duration=50)"),
        format!("wlan_ctl(subtype=11, {ends}, duration=50)"),
    ]
}

#[test]
fn wlan() {
    as_tshark(105, &wireless(), &[]);
    // Without data tshark does not show whether they are aggregated.
    as_tshark(
        105,
        &["wlan_qos(subtype=12, tods=1, ra=02:00:00:00:00:01, ta=02:00:00:00:00:02)".into()],
        &["wlan.qos.amsdupresent"],
    );
    let ends = "ra=02:00:00:00:00:01, ta=02:00:00:00:00:02, bssid=02:00:00:00:00:03";
    as_tshark(105, &[8, 11, 12].map(|t| format!("wlan_mgmt(subtype={t}, {ends})/zero(12)")), &[]);
}

#[test]
fn radiotap() {
    let mut samples: Vec<String> = wireless().iter().map(|n| format!("radiotap/{n}")).collect();
    samples.push("radiotap(present.rate=1, fields=[data(0c)])/wlan_ctl(ra=02:00:00:00:00:01)".into());
    as_tshark(127, &samples, &[]);
    as_scapy(&[
        twin(
            "radiotap/wlan(ra=02:00:00:00:00:01, ta=02:00:00:00:00:02, tods=1, da=02:00:00:00:00:03)\
             /llc/snap/IP4/udp(srcport=1, dstport=2)",
            "RadioTap()/Dot11(type=2, FCfield=1, addr1='02:00:00:00:00:01', addr2='02:00:00:00:00:02', \
             addr3='02:00:00:00:00:03')/LLC()/SNAP()/IP4/UDP(sport=1, dport=2)",
        ),
        twin(
            "wlan_ctl(subtype=11, ra=02:00:00:00:00:01, ta=02:00:00:00:00:02, duration=50)",
            "Dot11(type=1, subtype=11, ID=0x3200, addr1='02:00:00:00:00:01', addr2='02:00:00:00:00:02')",
        ),
    ]);
}

#[test]
fn numbered_frames_of_llc() {
    let dot3 = "dot3(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)";
    as_tshark(
        1,
        &[
            format!("{dot3}/llc(dsap=0x04, ssap=0x04, control.first=1, control.n_r=1)/zero(40)"),
            format!(
                "{dot3}/llc(dsap=0x04, ssap=0x04, control.first=2, control.n_r=1, control.pf=1)/zero(40)"
            ),
            format!("{dot3}/llc(dsap=0x04, ssap=0x05, control.first=5)/zero(42)"),
            format!("{dot3}/llc(dsap=0x04, ssap=0x05, control=0x73)/zero(43)"),
        ],
        &[],
    );
}
