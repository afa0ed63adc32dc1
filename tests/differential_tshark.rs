//! `read -e` prints what tshark 4.0 prints with `-T fields`, for every key that both have.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::collections::BTreeSet;
use std::process::Command;

use cli::{Dice, has_tshark, run, stderr, stdout, write_pcap};
use oracle::{Demand, agree, compare, craft, cut, own_keys, shared_keys, whole};

/// Notations with everything that the tables have.
fn samples() -> Vec<String> {
    let ip = "ip(src=10.1.2.3, dst=10.77.0.2";
    let quoted = format!("{ip}, ttl=1)/tcp(srcport=4711, dstport=443, seq=4026531841, flags=S)");
    [
        format!("{ip}, id=0xbeef, flags=D, dsfield=0xb9)/tcp(srcport=40000, dstport=81, seq=1, ack=2, flags=S.)"),
        format!("{ip})/tcp(flags=FPUEWe, urgent_pointer=9, options=[mss(1460), sackOK, ts(7, 8), nop, wscale(7)])/\"hello\""),
        format!("{ip})/tcp(flags=0xfff, options=[sack(1-2, 3-4), nop, nop])/zero(33)"),
        format!("{ip})/tcp(flags=0, options=[opt(66, de ad be ef), eol])"),
        format!("{ip})/tcp(flags=., options=[nop, eol])/\"x\""),
        format!("{ip})/tcp(options=[opt(66), opt(67, 01)])"),
        format!("{ip})/tcp(options=[mss(7), eol, nop, mss(9)])"),
        format!("{ip})/tcp(flags=R, seq=9)/\"why\""),
        format!("{ip})/udp(srcport=53001, dstport=9999)/\"hello\""),
        format!("{ip})/udp(srcport=1, dstport=2)"),
        format!("{ip})/udp(srcport=1, dstport=2, checksum=0)/\"odd\""),
        format!("{ip})/icmp(type=8, ident=513, seq=7)/\"abcdefgh\""),
        format!("{ip})/icmp(type=0, ident=1, seq=65535)"),
        format!("{ip})/icmp(type=3, code=3)/{quoted}"),
        format!("{ip})/icmp(type=3, code=4, mtu=1400)/{quoted}"),
        format!("{ip})/icmp(type=11, code=0)/{ip})/udp(srcport=33434, dstport=33435)/\"12345678\""),
        format!("{ip})/icmp(type=5, code=1, redir_gw=10.0.0.254)/{ip})/udp(srcport=9, dstport=10)"),
        format!("{ip})/icmp(type=12, code=0, pointer=20, length=10)/{quoted}"),
        format!("{ip})/icmp(type=11, code=1, length=8)/{quoted}"),
        format!("{ip})/icmp(type=17, ident=3, seq=4)/zero(4)"),
        format!("{ip})/icmp(type=4, code=0)/{quoted}"),
        format!("{ip})/icmp(type=13, ident=3, seq=4)/zero(12)"),
        format!("{ip})/icmp(type=40, code=2)/\"what\""),
        format!("{ip}, flags=M)/udp(srcport=1, dstport=2)/zero(24)"),
        format!("{ip}, frag_offset=1480)/zero(16)"),
        format!("{ip}, proto=6, frag_offset=8, flags=M)/zero(24)"),
        format!("{ip}, options=[nop, nop, eol])/tcp(flags=S)"),
        format!("{ip}, options=[opt(148, 00 00), nop])/udp/\"q\""),
        format!("{ip})/ip(src=192.0.2.1, dst=192.0.2.2)/tcp(flags=S)"),
        format!("{ip}, proto=253)/\"something\""),
        format!("{ip})"),
    ]
    .into()
}

/// TCP with each option in each of its forms.
fn tcp_options() -> Vec<String> {
    let hmac = "01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14";
    [
        "md5(00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff), nop, nop",
        "ao(1, 2, de ad be ef de ad be ef de ad be ef)",
        "ao(1, 2), tfo(01 02 03 04 05 06 07 08), nop, nop",
        "tfo, nop, nop",
        "accecn0(1, 2, 3), nop",
        "accecn1(4, 5, 6), nop, accecn0(7, 8), accecn1(9, 10)",
        "accecn0(16777215), nop, accecn1(1), nop, accecn0, accecn1",
        "exp254(0xf989, 01 02 03 04 05 06 07 08), exp253(0xf989)",
        "exp254(0xe2d4, c3 d9), exp253(0x1234, 56)",
        "mp_capable(1, AH)",
        "mp_capable(1, ABCH, 72623859790382856), nop",
        "mp_capable(1, H, 1, 18446744073709551615), mp_capable(1, 0x87)",
        "mp_capable(1, AH, 1, 2, 5), nop, nop",
        "mp_capable(1, AH, 1, 2, 5, 0xbeef)",
        "mp_capable(0, AH, 1), mp_capable(0, 0xbf, 3, 4)",
        "mp_join(1, 5, 16909060, 84281096)",
        "mp_join(0, 5, 72623859790382856, 287454020)",
        "dss(A, 1), dss(aA, 2), dss(F)",
        "dss(M, 1, 2, 5), nop, nop, dss(MmF, 1, 2, 5), nop, nop",
        "dss(MmaA, 1, 2, 3, 5)",
        "dss(MaA, 1, 2, 3, 5)",
        "dss(MA, 1, 2, 3, 5), nop, nop",
        "dss(FMmA, 1, 2, 3, 5), nop, nop",
        "add_addr(0, 2, 10.0.0.1, 72623859790382856), add_addr(1, 2, 10.0.0.1)",
        "add_addr(0, 2, 10.0.0.1, 8080, 72623859790382856), add_addr(1, 2, 10.0.0.1, 8080)",
        "add_addr(0, 2, fe80::1, 72623859790382856)",
        "add_addr(1, 2, fe80::1), mp_prio(1, 3), mp_prio(1), nop",
        "add_addr(0, 2, fe80::1, 8080, 72623859790382856), nop, nop",
        "add_addr(1, 2, fe80::1, 8080), nop, nop",
        "remove_addr(5), remove_addr(5, 6, 7), nop, nop",
        "mp_fail(72623859790382856), mp_fastclose(3)",
        "mp_tcprst(T, 0x06), mp_tcprst(UV, 0x01)",
    ]
    .iter()
    .map(|options| (*options).to_owned())
    .chain([format!("mp_join({hmac})")])
    // A connection each: tshark shows the flags of ECN otherwise once Accurate ECN was seen.
    .zip(1..)
    .map(|(options, port)| {
        format!("ip(src=10.1.2.3, dst=10.77.0.2)/tcp(srcport={port}, flags=., options=[{options}])/\"x\"")
    })
    .collect()
}

/// The same over IPv6.
fn samples_v6() -> Vec<String> {
    let ip = "ipv6(src=2001:db8::1:2, dst=fd77::2";
    let quoted = format!("{ip}, hlim=1)/tcp(srcport=4711, dstport=443, seq=4026531841, flags=S)");
    let nd = format!("{ip}, hlim=255)");
    [
        format!("{ip}, tclass=0xb9, flow=0xbeef5)/tcp(srcport=40000, dstport=81, seq=1, ack=2, flags=S.)"),
        format!("{ip})/tcp(flags=FPUEWe, urgent_pointer=9, options=[mss(1440), sackOK, ts(7, 8)])/\"hello\""),
        format!("{ip})/udp(srcport=53001, dstport=9999)/\"hello\""),
        format!("{ip})/icmpv6(type=128, id=513, seq=7)/\"abcdefgh\""),
        format!("{ip})/icmpv6(type=129, id=1, seq=65535)"),
        format!("{ip})/icmpv6(type=1, code=4, length=3)/{quoted}"),
        format!("{ip})/icmpv6(type=2, mtu=1280)/{quoted}"),
        format!("{ip})/icmpv6(type=3, code=1)/{ip})/udp(srcport=33434, dstport=33435)/\"12345678\""),
        format!("{ip})/icmpv6(type=4, code=2, pointer=40)/{quoted}"),
        format!("{nd}/icmpv6(type=133)"),
        format!("{nd}/icmpv6(type=133, options=[slla(02:00:00:00:00:01), mtu(1400)])"),
        format!(
            "{nd}/icmpv6(type=134, flags=MOHP, hlim=3, lifetime=4, reachable=5, retrans=6, \
             options=[prefix(64, LAR, 7, 8, fd77::), slla(02:00:00:00:00:01)])"
        ),
        format!("{nd}/icmpv6(type=134, nd.ra.flag.prf=3, nd.ra.flag.rsv=2)"),
        format!("{nd}/icmpv6(type=135, target=fd77::2, unused32=5, options=[slla(02:00:00:00:00:01)])"),
        format!("{nd}/icmpv6(type=136, target=fd77::2, flags=RSO, options=[tlla(02:00:00:00:00:02)])"),
        format!("{nd}/icmpv6(type=136, target=fd77::2, nd.na.flag.rsv=77)"),
        format!(
            "{nd}/icmpv6(type=137, target=fe80::1, destination=fd77::9, options=[tlla(02:00:00:00:00:02)])"
        ),
        format!("{ip}, nxt=253)/\"something\""),
        format!("{ip})"),
        format!("{ip})/ipv6(src=fd77::3, dst=fd77::4, flow=1)/udp"),
        format!("{ip})/ip(src=192.0.2.1, dst=192.0.2.2)/tcp(flags=S)"),
        format!("ip(src=192.0.2.1, dst=192.0.2.2)/{ip})/tcp(flags=S)"),
    ]
    .into()
}

/// What stands below IP, and tunnels, by link type.
fn samples_below() -> Vec<(u32, Vec<String>)> {
    let ip = "ip(src=10.1.2.3, dst=10.77.0.2";
    let syn = format!("{ip})/tcp(srcport=4711, dstport=443, flags=S)");
    let syn_v6 = "ipv6(src=fd77::3, dst=fd77::4)/tcp(flags=S)";
    let eth = "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)";
    let dot3 = "dot3(src=02:00:00:00:00:01, dst=01:80:c2:00:00:00)";
    let ethernet = vec![
        format!("{eth}/vlan(priority=5, dei=1, id=100)/{syn}"),
        format!("{eth}/vlan(id=4095)/vlan(id=0, priority=7)/{syn_v6}"),
        format!("{eth}(TYPE)/vlan(id=5)/vlan(id=6)/{syn}").replace(")(TYPE)", ", type=0x9100)"),
        format!("{eth}/vlan(id=5)/arp(src.proto_ipv4=10.0.0.1)"),
        format!("{eth}/vlan(id=7, etype=0x88b5)/\"what\""),
        format!("{eth}/svlan(priority=3, id=200)/vlan(id=7)/{syn}"),
        format!("{eth}/svlan(dei=1)/{syn}"),
        format!("{eth}/vlan_len(id=7)/llc/snap/{syn}"),
        format!("{dot3}/llc/snap/{syn}"),
        format!("{dot3}/llc/snap/{syn}/trailer(00 00 00 00 00 00)"),
        format!("{dot3}/llc/snap(oui=0xf8)/{syn}"),
        format!("{dot3}/llc/snap(oui=12, cisco_pid=0x2003)/\"vtp\""),
        format!("{dot3}/llc/snap(oui=0x123456, pid=7)/\"what\""),
        format!("{dot3}/llc(dsap=0x42, ssap=0x43)/zero(35)"),
        format!("{eth}/{ip})/mpls(label=5)/{syn}"),
        format!("{dot3}/llc(dsap=0x20, ssap=0x21, control=0xaf)/zero(35)"),
        format!("{dot3}/llc/{syn}"),
        format!("{dot3}/llc(dsap=0x42)"),
        format!("{eth}/mpls(label=1000, exp=5, ttl=9)/{syn}"),
        format!("{eth}/vlan/mpls(label=16)/mpls(label=17)/mpls(label=1048575)/{syn_v6}"),
        format!("{eth}/mpls(label=0)/ip(src=1.2.3.4, dst=5.6.7.8)/{syn_v6}"),
        format!("{eth}/pppoes(session_id=0x1234)/ppp/{syn}"),
        format!("{eth}/vlan(id=7)/pppoes(session_id=1)/ppp/{syn_v6}"),
        format!("{eth}/pppoes(session_id=1)/ppp(protocol=0x8021)/hex(01 01 00 04)"),
        format!("{eth}/pppoed"),
        format!("{eth}/pppoed(code=0x65, session_id=9)"),
        format!("{eth}/pppoed(code=0xa7)/trailer(00 00 00)"),
        format!("{eth}/{ip})/udp(srcport=50000)/vxlan(vni=0xabcdef, reserved8=7)/{eth}/{syn}"),
        format!("{eth}/{ip})/udp(srcport=50000)/vxlan(flags=0x8848, gbp=99)/{eth}/vlan(id=9)/{syn_v6}"),
        format!("{eth}/ipv6(src=::1, dst=::2)/udp(srcport=50000)/vxlan/{dot3}/llc/snap/{syn}"),
    ];
    let raw = vec![
        format!("{ip})/gre/{syn}"),
        format!("{ip})/gre(c=1)/{syn_v6}"),
        format!("{ip})/gre(k=1, key=0xdeadbeef)/{syn}"),
        format!("{ip})/gre(s=1, seq=7)/{syn}"),
        format!("{ip})/gre(c=1, k=1, key=5)/{syn}"),
        format!("{ip})/gre(c=1, s=1, seq=6)/{syn}"),
        format!("{ip})/gre(k=1, s=1, key=9, seq=6)/{syn}"),
        format!("{ip})/gre(c=1, k=1, s=1, key=4294967295, seq=4294967295, checksum=7)/{syn}"),
        format!("{ip})/gre/{eth}/vlan(id=5)/{syn}"),
        format!("{ip})/gre/mpls/{syn}"),
        format!("{ip})/gre(proto=0x88b5)/\"what\""),
        format!("ipv6(src=fd77::1, dst=fd77::2)/gre/{syn_v6}"),
        format!("{ip})/{ip})/{syn}"),
        format!("{ip})/{syn_v6}"),
    ];
    let cooked = vec![
        format!("sll(pkttype=4, src=02:00:00:00:00:01)/{syn}"),
        format!("sll(hatype=772)/{syn_v6}"),
        format!("sll(halen=0, hatype=65534)/{syn}"),
        format!("sll(halen=4, src=1.2.3.4, hatype=768)/{syn}"),
        format!("sll(halen=8, src=0x0102030405060708, hatype=32)/{syn}"),
        format!("sll/vlan(id=5)/{syn}"),
        format!("sll(unused=0x1234)/arp(src.proto_ipv4=10.0.0.1)"),
    ];
    let cooked_v2 =
        cooked.iter().map(|n| n.replacen("sll(", "sll2(ifindex=7, ", 1).replacen("sll/", "sll2/", 1));
    let cooked_v2 = cooked_v2.collect();
    vec![
        (1, ethernet),
        (101, raw),
        (113, cooked),
        (276, cooked_v2),
        (
            0,
            vec![
                format!("null/{syn}"),
                format!("null/{syn_v6}"),
                format!("loop/{syn}"),
                "null(family=7)/zero(9)".into(),
            ],
        ),
        (108, vec![format!("loop/{syn}"), format!("loop(family=30)/{syn_v6}"), format!("loop/{syn_v6}")]),
    ]
}

#[test]
fn what_stands_below_ip_and_tunnels() {
    if !has_tshark() {
        return;
    }
    let mut all = String::new();
    for (link_type, samples) in samples_below() {
        let packets = craft(&samples);
        all += &compare(link_type, &whole(packets.clone()), Demand::Equal, &[]);
        all += &compare(link_type, &cut(&packets), Demand::AtLeast, &[]);
        // Padding to the least length of an Ethernet frame.
        let padded = packets.iter().map(|p| [p.as_slice(), &[0; 13]].concat()).collect();
        all += &compare(link_type, &whole(padded), Demand::Equal, &[]);
    }
    assert!(all.is_empty(), "{all}");
}

fn in_ethernet(notations: &[String]) -> Vec<String> {
    let eth = "eth(src=02:00:00:00:00:01, dst=ff:ff:ff:ff:ff:ff)";
    notations.iter().map(|n| format!("{eth}/{n}")).collect()
}

#[test]
fn every_key_has_wiresharks_name() {
    if !has_tshark() {
        return;
    }
    let listed = stdout(&run(Command::new("tshark").args(["-G", "fields"]), b""));
    let known: BTreeSet<&str> =
        listed.lines().filter(|l| l.starts_with("F\t")).filter_map(|l| l.split('\t').nth(2)).collect();
    assert!(known.len() > 100_000, "tshark lists only {} fields", known.len());
    let unknown: Vec<String> = shared_keys().into_iter().filter(|k| !known.contains(k.as_str())).collect();
    assert!(unknown.is_empty(), "Wireshark has no {unknown:?}");
    let stale: Vec<_> = own_keys().into_iter().filter(|k| known.contains(k)).collect();
    assert!(stale.is_empty(), "Wireshark has {stale:?}: compare them too");
}

#[test]
fn whole_packets() {
    if !has_tshark() {
        return;
    }
    let packets = craft(&samples());
    let wrong = compare(101, &whole(packets), Demand::Equal, &[]);
    assert!(wrong.is_empty(), "{wrong}");
    let mut frames = craft(&in_ethernet(&samples()));
    // A length in the place of the type.
    frames.extend([craft(&["eth(type=46)/zero(46)".into()]).remove(0)]);
    // Padding to the least length of an Ethernet frame.
    frames.iter_mut().for_each(|f| f.resize(f.len().max(60), 0));
    let wrong = compare(1, &whole(frames), Demand::Equal, &[]);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_tcp_option() {
    if !has_tshark() {
        return;
    }
    agree("every_tcp_option", &[(101, whole(craft(&tcp_options())), Demand::Equal)]);
    let ip = "ip(src=10.1.2.3, dst=10.77.0.2)";
    let others = ["uto(1, 30)", "uto(0, 32767)", "dss(MmaA, 1, 2, 3, 5, 0xbeef)", "dss(M, 1, 2, 3, 0xbeef)"];
    let others = others.map(|o| format!("{ip}/tcp(flags=., options=[{o}])"));
    agree("tcp_options_shown_in_part", &[(101, whole(craft(&others)), Demand::Equal)]);
}

/// IPv4 with these options.
fn with_ip_options(options: &[&str]) -> Vec<String> {
    options
        .iter()
        .map(|o| format!("ip(src=10.1.2.3, dst=10.77.0.2, options=[{o}])/udp(srcport=1, dstport=2)/\"x\""))
        .collect()
}

#[test]
fn every_ip_option() {
    if !has_tshark() {
        return;
    }
    let options = [
        "rr(8, 10.0.0.9, 0.0.0.0), nop",
        "rr(4), nop, rr(4, 1.2.3.4)",
        "lsrr(8, 10.0.0.4), nop",
        "ssrr(12, 10.0.0.4, 10.0.0.5), nop",
        "ts(9, 0, 0, 1, 2)",
        "ts(13, 3, 1, 10.0.0.1-2)",
        "ts(13, 0, 3, 10.0.0.1-2, 10.0.0.2-0)",
        "ra(0), sid(4660)",
        "sec(0xf135, 1, 0x0002, 0x000003), nop",
        "sec(0xab, GN), sec(0x5a), nop, sec(0x3d, 0x07)",
        "mtup(1500), mtur(576)",
        "tr(1, 2, 65535, 10.0.0.9)",
        "qs(7, 63, 0x3fffffff), qsr(15, 9, 1)",
        "esec(1, 02 03), nop, nop, nop, sdb(10.0.0.1, 10.0.0.2)",
    ];
    // tshark shows nothing of an unknown option, and no address of a route whose pointer is far past it.
    agree("every_ip_option", &[(101, whole(craft(&with_ip_options(&options))), Demand::Equal)]);
    let options = ["lsrr(4, 10.0.0.3, 10.0.0.4), nop", "ssrr(8, 10.0.0.3, 10.0.0.4, 10.0.0.5), nop"];
    agree("source_routes", &[(101, whole(craft(&with_ip_options(&options))), Demand::Equal)]);
}

/// The protocol that tshark's dissector of type 3 belongs to has the name of another one, so that it is seen only where all
/// are switched on.
#[test]
fn compressed_source_routes() {
    if !has_tshark() {
        return;
    }
    let ip = "ipv6(src=2001:db8::1:2, dst=fd77::a)";
    let route = |cmpr_i: u8, cmpr_e: u8, pad: u8, left: u8, data: &str| {
        format!(
            "{ip}/ipv6.routing(type=3, segleft={left}, routing.rpl.cmprI={cmpr_i}, routing.rpl.cmprE={cmpr_e}, \
             routing.rpl.pad={pad}, addresses=[data({data})])/\"x\""
        )
    };
    let samples = [
        route(14, 14, 2, 3, "00 01 00 02 00 03 00 00"),
        route(8, 15, 7, 2, "01 02 03 04 05 06 07 08 22 00 00 00 00 00 00 00"),
        route(0, 0, 0, 1, "20 01 00 00 00 00 00 00 00 00 00 00 00 00 00 05"),
        route(15, 15, 0, 0, "01 02 03 04 05 06 07 08"),
        route(15, 3, 0, 1, "01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10"),
    ];
    let keys = ["addr_count", "address", "full_address", "cmprI", "cmprE", "pad", "reserved"];
    let keys: Vec<String> = keys.iter().map(|k| format!("ipv6.routing.rpl.{k}")).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("routes.pcap");
    write_pcap(&file, 101, &whole(craft(&samples)));
    let named = keys.iter().flat_map(|k| ["-e", k.as_str()]);
    let said = run(Command::new("tshark").arg("-r").arg(&file).args(["-n", "-T", "fields"]).args(named), b"");
    let theirs: Vec<Vec<String>> =
        stdout(&said).lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    assert_eq!(theirs.len(), samples.len(), "{}", stderr(&said));
    assert_eq!(oracle::ours(&file, &keys), theirs);
}

#[test]
fn extension_headers_of_ipv6() {
    if !has_tshark() {
        return;
    }
    let ip = "ipv6(src=2001:db8::1:2, dst=fd77::2)";
    let upper = "udp(srcport=1, dstport=2)/\"x\"";
    let hop = "ipv6.hopopts(options=[padn(00), ra(0), padn(00 00 00)])";
    let samples = [
        format!("{ip}/{hop}/icmpv6(type=128)"),
        format!("{ip}/{hop}/ipv6.dstopts(options=[padn(01 02 03 04)])/{upper}"),
        format!("{ip}/ipv6.dstopts(options=[padn(00 00), home(fd77::9), pad1, pad1])/{upper}"),
        format!("{ip}/ipv6.routing(type=3, segleft=0)/{upper}"),
        format!("{ip}/ipv6.fraghdr(offset=0, more=1, id=7)/{upper}"),
        format!("{ip}/ipv6.fraghdr(nxt=17, offset=185, id=0xffffffff)/zero(24)"),
        format!("{ip}/ipv6.fraghdr(id=7)/{upper}"),
        format!("{ip}/ah(spi=9, seq=8, icvs=[icv(01 02 03 04 05 06 07 08 09 0a 0b 0c)])/{upper}"),
        format!("ip(src=10.1.2.3, dst=10.77.0.2)/ah(icvs=[icv(01 02 03 04 05 06 07 08)])/{upper}"),
    ];
    agree("extension_headers_of_ipv6", &[(101, whole(craft(&samples)), Demand::Equal)]);
    let routed = [
        format!("{ip}/ipv6.routing(type=0, segleft=1, addresses=[addr(fd77::5), addr(fd77::6)])/{upper}"),
        format!("{ip}/ipv6.routing(type=2, segleft=1, addresses=[addr(fd77::6)])/{upper}"),
        format!(
            "{ip}/ipv6.routing(type=4, segleft=1, last_entry=1, addresses=[addr(fd77::5), addr(fd77::6)])/{upper}"
        ),
    ];
    agree("routes_of_ipv6", &[(101, whole(craft(&routed)), Demand::Equal)]);
}

#[test]
fn packets_cut_at_every_byte() {
    if !has_tshark() {
        return;
    }
    let packets = cut(&craft(&in_ethernet(&samples())));
    agree("packets_cut_at_every_byte", &[(1, packets, Demand::AtLeast)]);
}

#[test]
fn packets_over_ipv6_whole_and_cut_at_every_byte() {
    if !has_tshark() {
        return;
    }
    let samples = samples_v6();
    let mut packets = whole(craft(&samples));
    let wrong = compare(101, &packets, Demand::Equal, &[]);
    assert!(wrong.is_empty(), "{wrong}");
    packets = whole(craft(&in_ethernet(&samples)));
    packets.iter_mut().for_each(|(frame, len)| {
        frame.resize(frame.len().max(60), 0);
        *len = frame.len();
    });
    let wrong = compare(1, &packets, Demand::Equal, &[]);
    assert!(wrong.is_empty(), "{wrong}");
    let wrong = compare(1, &cut(&craft(&in_ethernet(&samples))), Demand::AtLeast, &[]);
    assert!(wrong.is_empty(), "{wrong}");
}

/// A notation with random values in every field that does not change what the packet is.
fn random_notation(dice: &mut Dice) -> String {
    let word = |dice: &mut Dice| dice.number(u64::from(u32::MAX));
    let short = |dice: &mut Dice| dice.number(0xffff);
    let address = |dice: &mut Dice| std::net::Ipv4Addr::from(dice.number(u64::from(u32::MAX)) as u32);
    let (src, dst) = (address(dice), address(dice));
    let v6 = dice.one_in(3);
    let upper = match dice.below(3) {
        // A reset carries no payload for Wireshark but a cause: the samples have one.
        0 => format!(
            "tcp(srcport={}, dstport={}, seq={}, ack={}, flags={}, window={}, checksum={}, urgent_pointer={}, \
             options=[{}])",
            short(dice),
            short(dice),
            word(dice),
            word(dice),
            dice.number(0xfff),
            short(dice),
            short(dice),
            short(dice),
            dice.pick(&[
                "",
                "mss(1), nop, wscale(9)",
                "ts(5, 6)",
                "sack(1-2, 3-4, 5-6)",
                "sackOK, eol",
                "opt(70, 01)"
            ])
        ),
        1 => format!("udp(srcport={}, dstport={}, checksum={})", short(dice), short(dice), short(dice)),
        _ if v6 => format!(
            "icmpv6(type={}, code={}, id={}, seq={})",
            dice.pick(&[128, 129]),
            dice.number(255),
            short(dice),
            short(dice)
        ),
        _ => format!(
            "icmp(type={}, code={}, ident={}, seq={})",
            dice.pick(&[0, 8]),
            dice.number(255),
            short(dice),
            short(dice)
        ),
    };
    let size = dice.below(40);
    if v6 {
        // No address that is written with an IPv4 address in it.
        let address =
            |dice: &mut Dice| std::net::Ipv6Addr::from(u128::from(dice.number(u64::MAX)) << 64 | 1 << 40);
        return format!(
            "ipv6(src={}, dst={}, tclass={}, flow={}, hlim={})/{upper}/random({size})",
            address(dice),
            address(dice),
            dice.number(255),
            dice.number(0xf_ffff),
            dice.number(255)
        );
    }
    format!(
        "ip(src={src}, dst={dst}, dsfield={}, id={}, ttl={}, checksum={}, flags={}, options=[{}])/{upper}/random({size})",
        dice.number(255),
        short(dice),
        dice.number(255),
        short(dice),
        dice.pick(&[0, 2, 4, 6]),
        dice.pick(&["", "nop, nop, nop, eol", "ra(0)", "rr(4, 0.0.0.0), nop"])
    )
}

#[test]
fn random_packets() {
    if !has_tshark() {
        return;
    }
    let mut dice = Dice::new(0x7a4c_0002);
    let notations: Vec<String> = (0..1_500).map(|_| random_notation(&mut dice)).collect();
    let (v6, v4): (Vec<String>, Vec<String>) = notations.into_iter().partition(|n| n.starts_with("ipv6"));
    for (notations, but) in [(v4, &[][..]), (v6, &[])] {
        let wrong = compare(101, &whole(craft(&notations)), Demand::Equal, but);
        assert!(wrong.is_empty(), "{wrong}");
    }
}

#[test]
fn packets_of_a_short_snap_length() {
    if !has_tshark() {
        return;
    }
    let long = [
        "tcp(flags=P., seq=5, options=[nop, nop, ts(1, 2)])",
        "udp",
        "icmp(type=8)",
        "icmp(type=3, code=3)/ip(dst=1.2.3.4)/udp",
    ];
    let cut = |ip: &str, upper: &[&str], but: &[&str]| {
        let long: Vec<String> = upper.iter().map(|l| format!("{ip}/{l}/zero(300)")).collect();
        let packets = craft(&in_ethernet(&long)).into_iter();
        let packets: Vec<_> = packets.map(|p| (p[..96].to_vec(), p.len())).collect();
        let wrong = compare(1, &packets, Demand::Equal, but);
        assert!(wrong.is_empty(), "{wrong}");
    };
    cut("ip(src=10.1.2.3, dst=10.77.0.2)", &long, &[]);
    let long = ["tcp(flags=P., seq=5)", "udp", "icmpv6", "icmpv6(type=1)/ipv6(dst=::5)/udp"];
    cut("ipv6(src=fd77::1, dst=fd77::2)", &long, &[]);
}

#[test]
fn damaged_packets() {
    if !has_tshark() {
        return;
    }
    let mut dice = Dice::new(0x7a4c_0001);
    let sound = craft(&samples());
    let damaged = (0..3_000).map(|i| {
        let mut packet = sound[i % sound.len()].clone();
        for _ in 0..=dice.below(3) {
            let at = 1 + dice.below(packet.len().min(60) - 1);
            packet[at] = dice.number(255) as u8;
        }
        packet
    });
    agree("damaged_packets", &[(228, whole(damaged.collect()), Demand::AtLeast)]);
}

#[test]
fn damaged_packets_over_ipv6() {
    if !has_tshark() {
        return;
    }
    let mut dice = Dice::new(0x7a4c_0006);
    let sound = craft(&samples_v6().into_iter().filter(|s| s.starts_with("ipv6")).collect::<Vec<_>>());
    let damaged = (0..3_000).map(|i| {
        let mut packet = sound[i % sound.len()].clone();
        for _ in 0..=dice.below(3) {
            // Neither the next header nor the type: what they lead to may have no table here.
            let at = 1 + dice.below(packet.len().min(90) - 1);
            if at != 6 && at != 40 {
                packet[at] = dice.number(255) as u8;
            }
        }
        packet
    });
    agree("damaged_packets_over_ipv6", &[(229, whole(damaged.collect()), Demand::AtLeast)]);
}
