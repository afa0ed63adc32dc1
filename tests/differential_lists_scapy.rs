//! Crafted lists of items equal scapy's, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::process::Command;

use cli::{python_with_scapy, rawbench_with, run, stderr, stdout};

/// Reads a scapy expression a line, writes its bytes.
const SCRIPT: &str = "
import sys
from scapy.all import *
from scapy.layers.sctp import *
from scapy.layers.dhcp6 import *
from scapy.contrib.geneve import *
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import *
IP4 = IP(src='10.0.0.1', dst='10.0.0.2', id=0)
MC = IP(src='10.0.0.1', dst='224.0.0.1', id=0, ttl=1, tos=0xc0)
IP6 = IPv6(src='fe80::1', dst='ff02::1:2')
for line in sys.stdin:
    print(bytes(eval(line)).hex(' ').upper())
";

const IP4: &str = "ip(src=10.0.0.1, dst=10.0.0.2)";
const MULTICAST: &str = "ip(src=10.0.0.1, dst=224.0.0.1, ttl=1, dsfield=0xc0)";
const IP6: &str = "ipv6(src=fe80::1, dst=ff02::1:2)";

/// The same packets in both languages, each behind its network header.
fn agree(pairs: &[(&str, &str, String, String)]) {
    let Some(python) = python_with_scapy() else { return };
    let ours: Vec<String> = pairs.iter().map(|(ip, _, ours, _)| format!("{ip}/{ours}")).collect();
    let scapys: Vec<String> = pairs.iter().map(|(_, ip, _, scapys)| format!("{ip}/{scapys}")).collect();
    let crafted = rawbench_with(&["craft", "-", "--hex"], (ours.join("\n") + "\n").as_bytes());
    assert!(crafted.status.success(), "{}", stderr(&crafted));
    let built = run(Command::new(python).args(["-c", SCRIPT]), (scapys.join("\n") + "\n").as_bytes());
    assert!(built.status.success(), "{}", stderr(&built));
    let (crafted, built) = (stdout(&crafted), stdout(&built));
    assert_eq!((crafted.lines().count(), built.lines().count()), (pairs.len(), pairs.len()));
    for ((one, other), text) in crafted.lines().zip(built.lines()).zip(&ours) {
        assert_eq!(one, other, "{text}");
    }
}

#[test]
fn sctp() {
    let one = |ours: &str, scapys: &str| {
        let ours = format!("sctp(srcport=5000, dstport=5001, vtag=7, chunks=[{ours}])");
        (IP4, "IP4", ours, format!("SCTP(sport=5000, dport=5001, tag=7)/{scapys}"))
    };
    agree(&[
        one(
            "init(1, 1500, 3, 4, 9, params=[ipv4(127.0.0.1), ipv6(::1), hostname(\"abc\"), ecn, forward_tsn, \
             adaptation(7), hmacs(1), extensions(15, 193, 128), preservative(5)])",
            "SCTPChunkInit(init_tag=1, a_rwnd=1500, n_out_streams=3, n_in_streams=4, init_tsn=9, params=[\
             SCTPChunkParamIPv4Addr(addr='127.0.0.1'), SCTPChunkParamIPv6Addr(addr='::1'), \
             SCTPChunkParamHostname(hostname='abc'), SCTPChunkParamECNCapable(), SCTPChunkParamFwdTSN(), \
             SCTPChunkParamAdaptationLayer(indication=7), SCTPChunkParamRequestedHMACFunctions(), \
             SCTPChunkParamSupportedExtensions(), SCTPChunkParamCookiePreservative(sug_cookie_inc=5)])",
        ),
        one(
            "data(IUBE, 1, 2, 3, 51, 68 65 6c 6c 6f)",
            "SCTPChunkData(delay_sack=1, unordered=1, beginning=1, ending=1, tsn=1, stream_id=2, stream_seq=3, \
             proto_id=51, data='hello')",
        ),
        one(
            "sack(1, 5, blocks=[gap(2, 3), gap(5, 7), dup(9), dup(10)])",
            "SCTPChunkSACK(cumul_tsn_ack=1, a_rwnd=5, gap_ack_list=['2:3', '5:7'], dup_tsn_list=[9, 10])",
        ),
        one("shutdown(5), shutdown_ack", "SCTPChunkShutdown(cumul_tsn_ack=5)/SCTPChunkShutdownAck()"),
        one("cookie_echo(61 62 63), cookie_ack", "SCTPChunkCookieEcho(cookie='abc')/SCTPChunkCookieAck()"),
        one("abort(T)", "SCTPChunkAbort(TCB=1)"),
        one("shutdown_complete(T)", "SCTPChunkShutdownComplete(TCB=1)"),
    ]);
}

#[test]
fn dhcp() {
    agree(&[
        (
            IP4,
            "IP4",
            "udp(srcport=68, dstport=67)/dhcp(xid=7, flags=B, chaddr=02:00:00:00:00:01, options=[\
             message(Discover), requested_ip(10.0.0.9), hostname(\"host\"), parameters(1, 3, 6), end])"
                .into(),
            "UDP(sport=68, dport=67)/BOOTP(xid=7, flags=0x8000, chaddr=bytes.fromhex('020000000001'))/\
             DHCP(options=[('message-type', 'discover'), ('requested_addr', '10.0.0.9'), ('hostname', b'host'), \
             ('param_req_list', [1, 3, 6]), 'end'])"
                .into(),
        ),
        (
            IP4,
            "IP4",
            "udp(srcport=67, dstport=68)/dhcp(op=2, xid=7, yiaddr=10.0.0.9, sname=\"srv\", file=\"boot\", options=[\
             message(Offer), server_id(10.0.0.1), lease_time(3600), mask(255.255.255.0), \
             router(10.0.0.1, 10.0.0.2), domain(\"example.com\"), agent(suboptions=[circuit(61 62)]), end])"
                .into(),
            "UDP(sport=67, dport=68)/BOOTP(op=2, xid=7, yiaddr='10.0.0.9', sname=b'srv', file=b'boot')/\
             DHCP(options=[('message-type', 'offer'), ('server_id', '10.0.0.1'), ('lease_time', 3600), \
             ('subnet_mask', '255.255.255.0'), ('router', '10.0.0.1', '10.0.0.2'), ('domain', b'example.com'), \
             (82, b'\\x01\\x02ab'), 'end'])"
                .into(),
        ),
    ]);
}

#[test]
fn dhcpv6() {
    let udp = "UDP(sport=546, dport=547)";
    agree(&[
        (
            IP6,
            "IP6",
            "udp(srcport=546)/dhcpv6(xid=5, options=[client_id(00 03 00 01 02 00 00 00 00 01), \
             ia_na(00 00 00 07, 1, 2, options=[iaaddr(fd00::1, 3, 4, options=[status(2, \"no\")])]), oro(23, 24), \
             elapsed(70), rapid_commit, preference(3)])"
                .into(),
            format!(
                "{udp}/DHCP6_Solicit(trid=5)/DHCP6OptClientId(duid=DUID_LL(lladdr='02:00:00:00:00:01'))/\
                 DHCP6OptIA_NA(iaid=7, T1=1, T2=2, ianaopts=[DHCP6OptIAAddress(addr='fd00::1', preflft=3, \
                 validlft=4, iaaddropts=[DHCP6OptStatusCode(statuscode=2, statusmsg='no')])])/\
                 DHCP6OptOptReq(reqopts=[23, 24])/DHCP6OptElapsedTime(elapsedtime=7)/DHCP6OptRapidCommit()/\
                 DHCP6OptPref(prefval=3)"
            ),
        ),
        (
            IP6,
            "IP6",
            "udp(srcport=546)/dhcpv6(type=12, hopcount=2, linkaddr=fd00::9, peeraddr=fe80::1, options=[\
             relay(message=[message(1, 7, options=[elapsed(0)])])])"
                .into(),
            format!(
                "{udp}/DHCP6_RelayForward(linkaddr='fd00::9', peeraddr='fe80::1', hopcount=2)/\
                 DHCP6OptRelayMsg(message=DHCP6_Solicit(trid=7)/DHCP6OptElapsedTime())"
            ),
        ),
    ]);
}

#[test]
fn igmp() {
    let one = |ours: &str, scapys: &str| (MULTICAST, "MC", format!("igmp({ours})"), scapys.to_owned());
    agree(&[
        one("type=0x11, max_resp=100, group=0.0.0.0", "IGMP(type=0x11, mrcode=100, gaddr='0.0.0.0')"),
        one("type=0x16, max_resp=0, group=224.1.1.1", "IGMP(type=0x16, mrcode=0, gaddr='224.1.1.1')"),
        one("type=0x17, max_resp=0, group=224.1.1.1", "IGMP(type=0x17, mrcode=0, gaddr='224.1.1.1')"),
        one(
            "type=0x11, max_resp=50, group=224.1.1.1, \
             v3=[query(1, 2, 125, sources=[addr(10.0.0.5), addr(10.0.0.6)])]",
            "IGMPv3(type=0x11, mrcode=50)/IGMPv3mq(gaddr='224.1.1.1', s=1, qrv=2, qqic=125, \
             srcaddrs=['10.0.0.5', '10.0.0.6'])",
        ),
        one(
            "type=0x22, records=[record(1, 224.1.1.1, sources=[addr(10.0.0.5)]), record(4, 224.1.1.2)]",
            "IGMPv3(type=0x22, mrcode=0)/IGMPv3mr(records=[IGMPv3gr(rtype=1, maddr='224.1.1.1', \
             srcaddrs=['10.0.0.5']), IGMPv3gr(rtype=4, maddr='224.1.1.2', srcaddrs=[])])",
        ),
    ]);
}

#[test]
fn geneve() {
    agree(&[(
        IP4,
        "IP4",
        "udp(srcport=40000)/geneve(vni=0x123456, flags=C, options=[opt(0x010281, de ad be ef)])/\
         ip(src=10.0.0.1, dst=10.0.0.2)/udp(srcport=1, dstport=9)"
            .into(),
        "UDP(sport=40000, dport=6081)/GENEVE(vni=0x123456, critical=1, options=[GeneveOptions(classid=0x102, \
         type=0x81, data=b'\\xde\\xad\\xbe\\xef')])/IP4/UDP(sport=1, dport=9)"
            .into(),
    )]);
}
