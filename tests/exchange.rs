//! The rules by which an answer is an answer, on golden packets and near the edge of the sequence space.

use proptest::prelude::*;
use rawbench::craft::Draft;
use rawbench::engine::System;
use rawbench::engine::{AnswerKind, Exchange, Probe, Record, Seen};
use rawbench::wire::value::hex_pairs;

const RAW: u32 = 101;
const ETHERNET: u32 = 1;

/// The bytes of a packet in notation.
fn packet(notation: &str) -> Vec<u8> {
    match Draft::from_notation(notation, &mut System::default()) {
        Ok(draft) => draft.bytes().to_vec(),
        Err(error) => panic!("{}", error.render(notation)),
    }
}

/// Bytes of an IP packet from us.
fn out(transport: &str) -> Vec<u8> {
    packet(&format!("ip(src=10.77.0.1, dst=10.77.0.2, id=7)/{transport}"))
}

/// Bytes of an IP packet to us.
fn back(transport: &str) -> Vec<u8> {
    packet(&format!("ip(src=10.77.0.2, dst=10.77.0.1)/{transport}"))
}

fn judge(probe: &[u8], reply: &[u8]) -> Option<AnswerKind> {
    Probe::of(RAW, probe).judge(RAW, reply)
}

/// A TCP segment from us to port 80.
fn ours(rest: &str) -> Vec<u8> {
    out(&format!("tcp(srcport=40000, dstport=80, {rest})"))
}

/// A TCP segment from port 80 to us.
fn theirs(rest: &str) -> Vec<u8> {
    back(&format!("tcp(srcport=80, dstport=40000, {rest})"))
}

/// An ICMP message of this type that quotes as much of a packet; from a router.
fn error(kind: u8, code: u8, quoted: &[u8], bytes: usize) -> Vec<u8> {
    let quote = hex_pairs(&quoted[..bytes.min(quoted.len())]);
    let head = format!("ip(src=10.9.9.9, dst=10.77.0.1)/icmp(type={kind}, code={code})");
    packet(&format!("{head}/hex({quote})"))
}

#[test]
fn a_syn_is_answered_by_the_syn_ack_that_acknowledges_it() {
    let syn = ours("seq=1000, flags=S");
    assert_eq!(judge(&syn, &theirs("seq=5, ack=1001, flags=S.")), Some(AnswerKind::SynAck));
    for wrong in [
        "seq=5, ack=1000, flags=S.",
        "seq=5, ack=1002, flags=S.",
        // The acknowledgment field means nothing without the flag.
        "seq=5, ack=1001, flags=S",
        "seq=5, ack=1001, flags=P",
        "seq=5, ack=7, flags=.",
    ] {
        assert_eq!(judge(&syn, &theirs(wrong)), None, "{wrong}");
    }
    let elsewhere = back("tcp(srcport=81, dstport=40000, seq=5, ack=1001, flags=S.)");
    assert_eq!(judge(&syn, &elsewhere), None);
    let other_host =
        packet("ip(src=10.77.0.3, dst=10.77.0.1)/tcp(srcport=80, dstport=40000, seq=5, ack=1001, flags=S.)");
    assert_eq!(judge(&syn, &other_host), None);
    assert_eq!(judge(&syn, &syn), None, "not swapped");
}

#[test]
fn data_in_a_syn_is_acknowledged_whole_or_not_at_all() {
    let syn = out("tcp(srcport=40000, dstport=80, seq=1000, flags=S)/\"hello\"");
    assert_eq!(judge(&syn, &theirs("ack=1001, flags=S.")), Some(AnswerKind::SynAck));
    assert_eq!(judge(&syn, &theirs("ack=1006, flags=S.")), Some(AnswerKind::SynAck));
    assert_eq!(judge(&syn, &theirs("ack=1003, flags=S.")), None);
    // A reset covers the whole segment.
    assert_eq!(judge(&syn, &theirs("ack=1006, flags=R.")), Some(AnswerKind::Reset));
    assert_eq!(judge(&syn, &theirs("ack=1001, flags=R.")), None);
}

#[test]
fn a_reset_follows_the_rules_for_probes_with_and_without_ack() {
    let syn = ours("seq=1000, flags=S");
    assert_eq!(judge(&syn, &theirs("seq=0, ack=1001, flags=R.")), Some(AnswerKind::Reset));
    assert_eq!(judge(&syn, &theirs("seq=0, ack=1000, flags=R.")), None);
    assert_eq!(judge(&syn, &theirs("seq=0, ack=1001, flags=R")), None, "a bare reset acknowledges nothing");
    let null = ours("seq=1000, flags=0");
    assert_eq!(judge(&null, &theirs("seq=0, ack=1000, flags=R.")), Some(AnswerKind::Reset));
    let xmas = ours("seq=1000, flags=FPU");
    assert_eq!(judge(&xmas, &theirs("seq=0, ack=1001, flags=R.")), Some(AnswerKind::Reset));
    let ack = ours("seq=1000, ack=77, flags=.");
    assert_eq!(judge(&ack, &theirs("seq=77, flags=R")), Some(AnswerKind::Reset));
    assert_eq!(judge(&ack, &theirs("seq=78, flags=R")), None);
    assert_eq!(judge(&ack, &theirs("seq=77, ack=1000, flags=R.")), Some(AnswerKind::Reset));
    assert_eq!(judge(&ack, &theirs("seq=77, ack=1, flags=R.")), None);
    let reset = ours("seq=1000, ack=77, flags=R.");
    assert_eq!(judge(&reset, &theirs("seq=77, flags=R")), None, "a reset is never answered");
    let syn_ack = ours("seq=1000, ack=77, flags=S.");
    assert_eq!(judge(&syn_ack, &theirs("seq=77, flags=R")), Some(AnswerKind::Reset));
}

#[test]
fn data_and_fin_count() {
    let data = out("tcp(srcport=40000, dstport=80, seq=1000, ack=5, flags=P.)/\"GET /\"");
    assert_eq!(judge(&data, &theirs("seq=5, ack=1005, flags=.")), Some(AnswerKind::Ack));
    assert_eq!(judge(&data, &theirs("seq=5, ack=1004, flags=.")), None);
    let fin = ours("seq=1000, ack=5, flags=F.");
    assert_eq!(judge(&fin, &theirs("seq=5, ack=1001, flags=F.")), Some(AnswerKind::Ack));
    assert_eq!(judge(&fin, &theirs("seq=5, ack=1000, flags=.")), None);
    let options = out("tcp(srcport=40000, dstport=80, seq=1000, flags=S, options=[mss(1460), sackOK])");
    assert_eq!(judge(&options, &theirs("ack=1001, flags=S.")), Some(AnswerKind::SynAck));
    // A SYN-ACK that comes again does not answer the ACK that completed the handshake.
    let ack = ours("seq=1001, ack=6, flags=.");
    assert_eq!(judge(&ack, &theirs("seq=5, ack=1001, flags=S.")), None);
}

#[test]
fn icmp_errors_are_known_by_the_packet_they_quote() {
    let syn = ours("seq=1000, flags=S");
    let udp = out("udp(srcport=5000, dstport=33434)/\"x\"");
    let echo = out("icmp(type=8, ident=9, seq=3)");
    for probe in [&syn, &udp, &echo] {
        assert_eq!(judge(probe, &error(3, 3, probe, 28)), Some(AnswerKind::IcmpUnreachable));
        assert_eq!(judge(probe, &error(3, 13, probe, 1000)), Some(AnswerKind::IcmpUnreachable));
        assert_eq!(judge(probe, &error(11, 0, probe, 28)), Some(AnswerKind::IcmpOther));
        assert_eq!(judge(probe, &error(11, 0, probe, 27)), None, "RFC 792: 64 bits at least");
        let mut other_id = probe.clone();
        other_id[5] ^= 1;
        assert_eq!(judge(probe, &error(3, 1, &other_id, 28)), None);
        for changed in [9, 15, 19, 26] {
            // Protocol, source, destination; sequence numbers of TCP and ICMP.
            let mut other = probe.clone();
            other[changed] ^= 4;
            if changed == 26 && probe == &udp {
                continue;
            }
            assert_eq!(judge(probe, &error(3, 1, &other, 28)), None, "byte {changed}");
        }
    }
    let mut other_port = udp.clone();
    other_port[23] ^= 1;
    assert_eq!(judge(&udp, &error(3, 3, &other_port, 28)), None);
    let elsewhere = packet(&format!(
        "ip(src=10.9.9.9, dst=10.77.0.9)/icmp(type=3, code=3)/hex({})",
        hex_pairs(&syn[..28])
    ));
    assert_eq!(judge(&syn, &elsewhere), None, "not to us");
}

#[test]
fn echo_and_udp_and_other_protocols() {
    let echo = out("icmp(type=8, ident=9, seq=3)/\"abc\"");
    assert_eq!(judge(&echo, &back("icmp(type=0, ident=9, seq=3)/\"abc\"")), Some(AnswerKind::EchoReply));
    assert_eq!(judge(&echo, &back("icmp(type=0, ident=9, seq=4)")), None);
    assert_eq!(judge(&echo, &back("icmp(type=0, ident=8, seq=3)")), None);
    assert_eq!(judge(&echo, &back("icmp(type=8, ident=9, seq=3)")), None);
    let udp = out("udp(srcport=5000, dstport=7)/\"x\"");
    assert_eq!(judge(&udp, &back("udp(srcport=7, dstport=5000)/\"x\"")), Some(AnswerKind::Udp));
    assert_eq!(judge(&udp, &back("udp(srcport=7, dstport=5001)")), None);
    assert_eq!(judge(&udp, &back("udp(srcport=8, dstport=5000)")), None);
    assert_eq!(judge(&udp, &back("tcp(srcport=7, dstport=5000, ack=1, flags=.)")), None);
    let group = packet("ip(src=10.77.0.1, dst=224.0.0.251)/udp(srcport=5353, dstport=5353)");
    assert_eq!(judge(&group, &back("udp(srcport=5353, dstport=5353)")), Some(AnswerKind::Udp));
    let gre = packet("ip(src=10.77.0.1, dst=10.77.0.2, proto=47)/hex(00 00 08 00)");
    let reply = packet("ip(src=10.77.0.2, dst=10.77.0.1, proto=47)/hex(00 00 08 00)");
    assert_eq!(judge(&gre, &reply), Some(AnswerKind::Other));
    assert_eq!(judge(&gre, &back("udp(srcport=1, dstport=2)")), None);
}

#[test]
fn the_link_header_does_not_matter_and_padding_is_no_payload() {
    let eth = |ip: &[u8]| [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], ip].concat();
    let tagged = |ip: &[u8]| [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0], ip].concat();
    let ack = ours("seq=1000, ack=5, flags=F.");
    let mut reply = eth(&theirs("seq=5, ack=1001, flags=."));
    reply.extend([0; 6]);
    for probe in [eth(&ack), tagged(&ack)] {
        assert_eq!(Probe::of(ETHERNET, &probe).judge(ETHERNET, &reply), Some(AnswerKind::Ack));
    }
    // Ethernet padding of the probe is no data either.
    let padded = [eth(&ack), vec![0; 6]].concat();
    assert_eq!(Probe::of(ETHERNET, &padded).judge(ETHERNET, &reply), Some(AnswerKind::Ack));
    assert_eq!(Probe::of(RAW, &ack).judge(ETHERNET, &reply), Some(AnswerKind::Ack));
}

#[test]
fn answers_are_found_behind_labels_and_sessions() {
    let ways = [
        "eth()/mpls(label=16)",
        "eth()/mpls(label=16)/mpls(label=17)/mpls(label=18)",
        "eth()/vlan(id=5)/mpls(label=16)",
        "eth()/pppoes(session_id=7)/ppp()",
        "eth()/vlan(id=5)/pppoes(session_id=7)/ppp()",
    ];
    let v4 = ["ip(src=10.77.0.1, dst=10.77.0.2)", "ip(src=10.77.0.2, dst=10.77.0.1)"];
    let v6 = ["ipv6(src=fd77::1, dst=fd77::2)", "ipv6(src=fd77::2, dst=fd77::1)"];
    for (out_way, back_way) in ways.iter().zip(ways.iter().cycle().skip(2)) {
        for [out, back] in [v4, v6] {
            let syn = packet(&format!("{out_way}/{out}/tcp(srcport=40000, dstport=80, seq=1000, flags=S)"));
            let reply = |ack: u32| {
                let answer = format!("{back}/tcp(srcport=80, dstport=40000, seq=5, ack={ack}, flags=S.)");
                // A way back need not be the way there.
                ["eth()", out_way, back_way].map(|way| packet(&format!("{way}/{answer}")))
            };
            let probe = Probe::of(ETHERNET, &syn);
            assert!(probe.is_sighting(ETHERNET, &syn));
            for answer in reply(1001) {
                assert_eq!(probe.judge(ETHERNET, &answer), Some(AnswerKind::SynAck), "{out_way} {back}");
            }
            for wrong in reply(1000) {
                assert_eq!(probe.judge(ETHERNET, &wrong), None, "{out_way} {back}");
            }
            for cut in 0..syn.len() {
                let answer = Probe::of(ETHERNET, &syn[..cut]).judge(ETHERNET, &syn[..cut]);
                assert_eq!(answer, None, "a piece of the probe itself, {cut} bytes");
            }
        }
    }
    // RFC 1661, 6.5: the protocol of PPP may be one byte. Labels that carry something else than IP carry no answer.
    let [whole, syn_ack] = [ours("seq=1000, flags=S"), theirs("seq=5, ack=1001, flags=S.")];
    let session = |protocol: &[u8], ip: &[u8]| {
        let length = ((protocol.len() + ip.len()) as u16).to_be_bytes();
        [&[0; 12][..], &[0x88, 0x64, 0x11, 0, 0, 7], &length, protocol, ip].concat()
    };
    let probe = Probe::of(ETHERNET, &session(&[0, 0x21], &whole));
    assert_eq!(probe.judge(ETHERNET, &session(&[0x21], &syn_ack)), Some(AnswerKind::SynAck));
    assert_eq!(probe.judge(ETHERNET, &session(&[0xc0, 0x21], &syn_ack)), None, "LCP");
    let label = [&[0; 12][..], &[0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0], &syn_ack].concat();
    assert_eq!(probe.judge(ETHERNET, &label), None, "a pseudowire's control word");
}

#[test]
fn a_sighting_allows_for_what_the_kernel_writes_and_no_more() {
    let asked = packet("ip(src=0.0.0.0, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, seq=9, flags=S)");
    let mut seen = asked.clone();
    seen[4..6].copy_from_slice(&[0xab, 0xcd]);
    seen[10..12].copy_from_slice(&[1, 2]);
    seen[12..16].copy_from_slice(&[10, 77, 0, 1]);
    let probe = Probe::of(RAW, &asked);
    assert!(probe.is_sighting(RAW, &seen));
    for at in (0..seen.len()).filter(|at| !matches!(at, 2..6 | 10..16)) {
        let mut other = seen.clone();
        other[at] ^= 1;
        assert!(!probe.is_sighting(RAW, &other), "byte {at}");
    }
    let fixed = ours("seq=9, flags=S");
    for at in [4, 5, 12, 15] {
        let mut other = fixed.clone();
        other[at] ^= 1;
        assert!(!Probe::of(RAW, &fixed).is_sighting(RAW, &other), "byte {at} was set");
    }
    let arp = [&[0xff; 12][..], &[8, 6, 1, 2, 3]].concat();
    assert!(Probe::of(ETHERNET, &arp).is_sighting(ETHERNET, &arp));
    assert!(!Probe::of(ETHERNET, &arp).is_sighting(ETHERNET, &arp[..16]));
}

// ---- IPv6

fn out_v6(transport: &str) -> Vec<u8> {
    packet(&format!("ipv6(src=fd77::1, dst=fd77::2)/{transport}"))
}

fn back_v6(transport: &str) -> Vec<u8> {
    packet(&format!("ipv6(src=fd77::2, dst=fd77::1)/{transport}"))
}

/// An ICMPv6 error that quotes as much of a packet; from a router.
fn error_v6(icmpv6: &str, quoted: &[u8], bytes: usize) -> Vec<u8> {
    let quote = hex_pairs(&quoted[..bytes.min(quoted.len())]);
    packet(&format!("ipv6(src=fd99::9, dst=fd77::1)/icmpv6({icmpv6})/hex({quote})"))
}

#[test]
fn answers_over_ipv6_follow_the_same_rules() {
    let ours = |rest: &str| out_v6(&format!("tcp(srcport=40000, dstport=80, {rest})"));
    let theirs = |rest: &str| back_v6(&format!("tcp(srcport=80, dstport=40000, {rest})"));
    let syn = ours("seq=4294967295, flags=S");
    for (reply, kind) in [
        ("seq=5, ack=0, flags=S.", Some(AnswerKind::SynAck)),
        ("seq=5, ack=1, flags=S.", None),
        ("seq=0, ack=0, flags=R.", Some(AnswerKind::Reset)),
        ("seq=0, ack=1, flags=R.", None),
        ("seq=0, ack=0, flags=R", None),
        ("seq=0, ack=0, flags=.", Some(AnswerKind::Ack)),
    ] {
        assert_eq!(judge(&syn, &theirs(reply)), kind, "{reply}");
    }
    let data = out_v6("tcp(srcport=40000, dstport=80, seq=10, ack=5, flags=P.)/\"hello\"");
    assert_eq!(judge(&data, &theirs("seq=5, ack=15, flags=.")), Some(AnswerKind::Ack));
    assert_eq!(judge(&data, &theirs("seq=5, flags=R")), Some(AnswerKind::Reset));
    let udp = out_v6("udp(srcport=5000, dstport=7)/\"x\"");
    assert_eq!(judge(&udp, &back_v6("udp(srcport=7, dstport=5000)")), Some(AnswerKind::Udp));
    assert_eq!(judge(&udp, &back_v6("udp(srcport=7, dstport=5001)")), None);
    let echo = out_v6("icmpv6(id=9, seq=3)");
    assert_eq!(judge(&echo, &back_v6("icmpv6(type=129, id=9, seq=3)")), Some(AnswerKind::EchoReply));
    for wrong in
        ["icmpv6(type=129, id=9, seq=4)", "icmpv6(type=128, id=9, seq=3)", "icmp(type=0, id=9, seq=3)"]
    {
        assert_eq!(judge(&echo, &back_v6(wrong)), None, "{wrong}");
    }
    assert_eq!(judge(&echo, &back("icmp(type=0, id=9, seq=3)")), None);
    let group = packet("ipv6(src=fd77::1, dst=ff02::1)/icmpv6(id=9, seq=3)");
    assert_eq!(judge(&group, &back_v6("icmpv6(type=129, id=9, seq=3)")), Some(AnswerKind::EchoReply));
    let elsewhere = packet("ipv6(src=fd77::3, dst=fd77::1)/icmpv6(type=129, id=9, seq=3)");
    assert_eq!(judge(&echo, &elsewhere), None);
}

#[test]
fn icmpv6_errors_are_known_by_the_packet_they_quote() {
    let syn = out_v6("tcp(srcport=40000, dstport=80, seq=1000, flags=S)");
    let udp = out_v6("udp(srcport=5000, dstport=33434)/\"x\"");
    let echo = out_v6("icmpv6(id=9, seq=3)");
    for probe in [&syn, &udp, &echo] {
        for (message, kind) in [
            ("type=1, code=4", AnswerKind::IcmpUnreachable),
            ("type=1, code=0", AnswerKind::IcmpUnreachable),
            ("type=2, mtu=1280", AnswerKind::IcmpOther),
            ("type=3", AnswerKind::IcmpOther),
            ("type=4, pointer=6", AnswerKind::IcmpOther),
        ] {
            assert_eq!(judge(probe, &error_v6(message, probe, 1000)), Some(kind), "{message}");
            assert_eq!(judge(probe, &error_v6(message, probe, 48)), Some(kind), "{message}");
            assert_eq!(judge(probe, &error_v6(message, probe, 47)), None, "{message}");
        }
        let redirect = format!(
            "ipv6(src=fe80::9, dst=fd77::1)/icmpv6(type=137, options=[tlla(02:00:00:00:00:02), redirected({})])",
            hex_pairs(probe)
        );
        assert_eq!(judge(probe, &packet(&redirect)), Some(AnswerKind::IcmpOther));
        for changed in [6, 23, 39, 46] {
            // Next header, source, destination; sequence numbers of TCP and ICMPv6.
            let mut other = probe.clone();
            other[changed] ^= 4;
            if changed == 46 && probe == &udp {
                continue;
            }
            assert_eq!(judge(probe, &error_v6("type=1", &other, 1000)), None, "byte {changed}");
        }
    }
}

#[test]
fn a_neighbour_solicitation_is_answered_by_the_advertisement_of_its_target() {
    let ask = |dst: &str| {
        packet(&format!("ipv6(src=fd77::1, dst={dst}, hlim=255)/icmpv6(type=135, target=fd77::2)"))
    };
    let tell = |dst: &str, target: &str| {
        packet(&format!("ipv6(src=fd77::2, dst={dst}, hlim=255)/icmpv6(type=136, target={target}, flags=S)"))
    };
    for dst in ["fd77::2", "ff02::1:ff00:2"] {
        assert_eq!(judge(&ask(dst), &tell("fd77::1", "fd77::2")), Some(AnswerKind::Other), "{dst}");
        assert_eq!(judge(&ask(dst), &tell("fd77::1", "fd77::3")), None);
        assert_eq!(judge(&ask(dst), &tell("ff02::1", "fd77::2")), None, "not to us");
    }
    // Who has no address yet is told by a group.
    let first = packet("ipv6(src=::, dst=ff02::1:ff00:2, hlim=255)/icmpv6(type=135, target=fd77::2)");
    assert_eq!(judge(&first, &tell("ff02::1", "fd77::2")), Some(AnswerKind::Other));
    assert_eq!(judge(&first, &tell("fd77::1", "fd77::2")), None);
    // The kernel asks the same before it sends: what comes before the probe went out is not for it.
    let (ask, tell) = (ask("fd77::2"), tell("fd77::1", "fd77::2"));
    let mut exchange = Exchange::new(false);
    exchange.expect(RAW, &ask, 5);
    assert_eq!(exchange.take(&record(&tell, 10, false)), Seen::Stray);
    assert_eq!(exchange.take(&record(&ask, 20, true)), Seen::Sighting(0));
    let Seen::Answer(found) = exchange.take(&record(&tell, 30, false)) else { panic!() };
    assert_eq!((found.kind, found.rtt_ns()), (AnswerKind::Other, Some(10)));
}

#[test]
fn what_no_protocol_names_is_answered_by_nothing() {
    // Hop-by-hop options before whatever follows.
    let hops = "hex(3a 00 05 02 00 00 01 00)";
    let probe = packet(&format!("ipv6(src=fd77::1, dst=fd77::2, nxt=0)/{hops}"));
    let other = packet(&format!("ipv6(src=fd77::2, dst=fd77::1, nxt=0)/{hops}"));
    assert_eq!(judge(&probe, &other), None);
    assert_eq!(
        judge(&probe, &error_v6("type=4, code=1, pointer=6", &probe, 1000)),
        Some(AnswerKind::IcmpOther)
    );
    let gre = packet("ipv6(src=fd77::1, dst=fd77::2, nxt=47)/hex(00 00 86 dd)");
    let reply = packet("ipv6(src=fd77::2, dst=fd77::1, nxt=47)/hex(00 00 86 dd)");
    assert_eq!(judge(&gre, &reply), Some(AnswerKind::Other));
}

#[test]
fn over_ipv6_the_kernel_writes_nothing_and_resets_what_it_does_not_know() {
    let syn = out_v6("tcp(srcport=40000, dstport=80, seq=1000, flags=S)");
    let probe = Probe::of(RAW, &syn);
    assert!(probe.is_sighting(RAW, &syn));
    for at in 0..syn.len() {
        let mut other = syn.clone();
        other[at] ^= 1;
        assert!(!probe.is_sighting(RAW, &other), "byte {at}");
    }
    let eth = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd], &syn[..]].concat();
    assert!(probe.is_sighting(ETHERNET, &eth));
    let mut exchange = Exchange::new(false);
    exchange.expect(RAW, &syn, 0);
    assert_eq!(exchange.take(&record(&syn, 1, true)), Seen::Sighting(0));
    let answer = back_v6("tcp(srcport=80, dstport=40000, seq=7, ack=1001, flags=S.)");
    let Seen::Answer(found) = exchange.take(&record(&answer, 3, false)) else { panic!() };
    assert_eq!((found.from.to_string().as_str(), found.flags.as_deref()), ("fd77::2", Some("S.")));
    let reset = out_v6("tcp(srcport=40000, dstport=80, seq=1001, flags=R)");
    assert_eq!(exchange.take(&record(&reset, 4, true)), Seen::KernelReset);
}

fn record(bytes: &[u8], time_ns: u64, outgoing: bool) -> Record<'_> {
    Record { link_type: RAW, time_ns, outgoing, bytes }
}

#[test]
fn each_probe_gets_one_answer_and_the_rest_are_duplicates() {
    let syn = ours("seq=1000, flags=S");
    let answer = theirs("seq=5, ack=1001, flags=S.");
    let mut exchange = Exchange::new(false);
    assert_eq!(exchange.expect(RAW, &syn, 50), 0);
    assert_eq!(exchange.take(&record(&syn, 100, true)), Seen::Sighting(0));
    let Seen::Answer(found) = exchange.take(&record(&answer, 184, false)) else { panic!() };
    assert_eq!((found.index, found.kind, found.rtt_ns()), (0, AnswerKind::SynAck, Some(84)));
    assert_eq!(found.flags.as_deref(), Some("S."));
    assert_eq!(found.from.to_string(), "10.77.0.2");
    assert_eq!(found.packet, answer);
    assert_eq!(exchange.open(), 0);
    assert_eq!(exchange.take(&record(&answer, 200, false)), Seen::Duplicate(0, AnswerKind::SynAck));
    let reset = ours("seq=1001, flags=R");
    assert_eq!(exchange.take(&record(&reset, 190, true)), Seen::KernelReset);
    assert_eq!(exchange.take(&record(&theirs("seq=5, ack=9, flags=."), 201, false)), Seen::Stray);
    let foreign = back("tcp(srcport=22, dstport=40000, ack=1001, flags=S.)");
    assert_eq!(exchange.take(&record(&foreign, 202, false)), Seen::Unrelated);
    assert_eq!(exchange.take(&record(&answer, 203, true)), Seen::Unrelated, "what goes out is no answer");
}

#[test]
fn identical_probes_are_answered_in_their_order() {
    let syn = ours("seq=1000, flags=S");
    let answer = theirs("seq=5, ack=1001, flags=S.");
    let mut exchange = Exchange::new(false);
    for n in 0..3 {
        assert_eq!(exchange.expect(RAW, &syn, n), n as usize);
    }
    assert_eq!(exchange.take(&record(&syn, 10, true)), Seen::Sighting(0));
    assert_eq!(exchange.take(&record(&syn, 20, true)), Seen::Sighting(1));
    for (at, (index, rtt)) in [(30, (0, 20)), (35, (1, 15))] {
        let Seen::Answer(found) = exchange.take(&record(&answer, at, false)) else { panic!() };
        assert_eq!((found.index, found.rtt_ns()), (index, Some(rtt)));
    }
    // The third was not seen to go out yet: this is not its answer.
    assert_eq!(exchange.take(&record(&answer, 36, false)), Seen::Duplicate(1, AnswerKind::SynAck));
    assert_eq!(exchange.unanswered(), [2]);
    exchange.withdraw(2);
    assert_eq!(exchange.open(), 0);
}

#[test]
fn identical_probes_are_told_apart_by_the_identification_that_the_kernel_gave() {
    let asked = packet("ip(src=10.77.0.1, dst=10.77.0.2)/udp(srcport=5000, dstport=9)");
    let sent = |id: u8| {
        let mut bytes = asked.clone();
        bytes[5] = id;
        bytes
    };
    let mut exchange = Exchange::new(false);
    for id in 1..4 {
        exchange.expect(RAW, &asked, 0);
        exchange.take(&record(&sent(id), u64::from(id), true));
    }
    let Seen::Answer(found) = exchange.take(&record(&error(3, 3, &sent(2), 28), 10, false)) else { panic!() };
    assert_eq!((found.index, found.kind), (1, AnswerKind::IcmpUnreachable));
    assert_eq!(found.from.to_string(), "10.9.9.9");
    assert_eq!(exchange.unanswered(), [0, 2]);
}

#[test]
fn where_sendings_cannot_be_seen_probes_still_get_their_answers() {
    let echo = out("icmp(type=8, ident=9, seq=3)");
    let reply = back("icmp(type=0, ident=9, seq=3)");
    let mut exchange = Exchange::new(false);
    exchange.expect(RAW, &echo, 10);
    exchange.expect(RAW, &echo, 20);
    assert_eq!(exchange.take(&record(&reply, 5, false)), Seen::Stray, "older than the probe");
    for index in 0..2 {
        let Seen::Answer(found) = exchange.take(&record(&reply, 30, false)) else { panic!() };
        assert_eq!((found.index, found.rtt_ns()), (index, None));
    }
}

#[test]
fn on_loopback_the_probe_itself_is_no_answer() {
    let own = packet("ip(src=127.0.0.1, dst=127.0.0.1, id=1)/udp(srcport=7, dstport=7)/\"x\"");
    let mut exchange = Exchange::new(true);
    exchange.expect(RAW, &own, 0);
    assert_eq!(exchange.take(&record(&own, 1, false)), Seen::Sighting(0));
    let Seen::Answer(found) = exchange.take(&record(&own, 3, false)) else { panic!() };
    assert_eq!((found.kind, found.rtt_ns()), (AnswerKind::Udp, Some(2)));
}

/// A number near the edge of 2^32, or anywhere.
fn edgy() -> impl Strategy<Value = u32> {
    prop_oneof![(0u32..8).prop_map(|n| n.wrapping_sub(4)), any::<u32>()]
}

/// What a segment says, in numbers that never wrap.
#[derive(Clone, Copy, Debug)]
struct Says {
    sequence: u64,
    acknowledgment: u64,
    flags: u8,
    payload: u64,
}

impl Says {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// Sequence numbers are counted modulo this (RFC 9293, 3.4).
const SPACE: u64 = 1 << 32;

/// The other way around: all that may answer a segment, as RFC 9293 has its receiver write it. Which of RST, SYN and ACK are
/// set, the sequence number and the acknowledgment where they are prescribed, and what it is.
fn answers_to(probe: &Says) -> Vec<(u8, Option<u64>, Option<u64>, AnswerKind)> {
    // 3.10.7.1: a segment with RST is discarded, whatever the state.
    if probe.has(RST) {
        return Vec::new();
    }
    let length = probe.payload + u64::from(probe.has(SYN)) + u64::from(probe.has(FIN));
    let all = Some((probe.sequence + length) % SPACE);
    // Data is acknowledged in any state that takes it (3.10.7.4).
    let mut answers = vec![(ACK, None, all, AnswerKind::Ack)];
    if probe.has(ACK) {
        // 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>; some set ACK besides.
        answers.push((RST, Some(probe.acknowledgment), None, AnswerKind::Reset));
        answers.push((RST | ACK, Some(probe.acknowledgment), all, AnswerKind::Reset));
    } else {
        // 3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; in SYN-RECEIVED its sequence number is another.
        answers.push((RST | ACK, None, all, AnswerKind::Reset));
    }
    if probe.has(SYN) {
        // 3.10.7.2: <ACK=RCV.NXT> is SEG.SEQ+1, or behind the data that came along (RFC 7413, 4.2.2).
        answers.push((SYN | ACK, None, Some((probe.sequence + 1) % SPACE), AnswerKind::SynAck));
        answers.push((SYN | ACK, None, all, AnswerKind::SynAck));
    }
    answers
}

fn expected(probe: &Says, reply: &Says) -> Option<AnswerKind> {
    let is = |said: u64, wanted: &Option<u64>| wanted.is_none_or(|wanted| said == wanted);
    let answers = answers_to(probe);
    let found = answers.iter().find(|(flags, sequence, acknowledgment, _)| {
        // A reset may have SYN set as well: RST is looked at first.
        let looked_at = if reply.has(RST) { RST | ACK } else { RST | SYN | ACK };
        reply.flags & looked_at == *flags
            && is(reply.sequence, sequence)
            && is(reply.acknowledgment, acknowledgment)
    });
    found.map(|(.., kind)| *kind)
}

/// Bytes of a segment over IPv4 or IPv6; checksums play no part in the matching.
fn bytes_of(says: &Says, v6: bool, to_us: bool) -> Vec<u8> {
    let ends: [u8; 2] = if to_us { [2, 1] } else { [1, 2] };
    let ports: [u16; 2] = if to_us { [80, 40000] } else { [40000, 80] };
    let length = 20 + says.payload as u16;
    let mut packet = Vec::with_capacity(60 + says.payload as usize);
    if v6 {
        packet.extend([0x60, 0, 0, 0, (length >> 8) as u8, length as u8, 6, 64]);
        ends.iter().for_each(|end| packet.extend([0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *end]));
    } else {
        let [high, low] = (20 + length).to_be_bytes();
        packet.extend([0x45, 0, high, low, 0, 7, 0, 0, 64, 6, 0, 0]);
        ends.iter().for_each(|end| packet.extend([10, 77, 0, *end]));
    }
    ports.iter().for_each(|port| packet.extend(port.to_be_bytes()));
    packet.extend((says.sequence as u32).to_be_bytes());
    packet.extend((says.acknowledgment as u32).to_be_bytes());
    packet.extend([0x50, says.flags, 0, 0, 0, 0, 0, 0]);
    packet.resize(packet.len() + says.payload as usize, b'x');
    packet
}

/// Sequence numbers around which something wraps, changes its sign, or is nothing special.
const EDGES: [u64; 8] = [0, 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, SPACE - 1460, SPACE - 2, SPACE - 1];
const PAYLOADS: [u64; 4] = [0, 1, 2, 1460];

/// The flags FIN, SYN, RST, ACK by four bits.
fn flags_of(bits: usize) -> u8 {
    [FIN, SYN, RST, ACK].iter().enumerate().map(|(at, flag)| (bits as u8 >> at & 1) * flag).sum()
}

/// All 65 536 combinations of 8 sequence numbers, 4 payloads, 16 sets of flags of the probe, 16 of the reply, and 8
/// acknowledgments near what is right; each over both versions of IP, and with several sequence numbers of the reply, which
/// are what counts in a reset.
#[test]
fn acknowledgments_are_right_in_all_combinations_at_the_edges() {
    let (mut combinations, mut answers) = (0_u32, [0_u32; 3]);
    for (at, sequence) in EDGES.into_iter().enumerate() {
        for (payload, probe_flags) in
            PAYLOADS.into_iter().flat_map(|p| (0..16).map(move |f| (p, flags_of(f))))
        {
            let acknowledgment = EDGES[(at + payload as usize) % 8];
            let probe = Says { sequence, acknowledgment, flags: probe_flags, payload };
            let probes = [false, true].map(|v6| Probe::of(RAW, &bytes_of(&probe, v6, false)));
            let end = sequence + payload + u64::from(probe.has(SYN)) + u64::from(probe.has(FIN));
            let near = [end, end + 1, end + SPACE - 1, end + (1 << 31), sequence, sequence + 1, 0, SPACE - 1];
            let sequences = [acknowledgment, acknowledgment + 1, acknowledgment + SPACE - 1];
            for reply_ack in near {
                for reply_flags in (0..16).map(flags_of) {
                    combinations += 1;
                    for reply_sequence in sequences {
                        let reply = Says {
                            sequence: reply_sequence % SPACE,
                            acknowledgment: reply_ack % SPACE,
                            flags: reply_flags,
                            payload: 0,
                        };
                        let wanted = expected(&probe, &reply);
                        for (probe_bytes, v6) in probes.iter().zip([false, true]) {
                            let found = probe_bytes.judge(RAW, &bytes_of(&reply, v6, true));
                            assert_eq!(found, wanted, "{probe:x?} {reply:x?}");
                        }
                        for (count, kind) in
                            answers.iter_mut().zip([AnswerKind::SynAck, AnswerKind::Reset, AnswerKind::Ack])
                        {
                            *count += u32::from(wanted == Some(kind));
                        }
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 65536);
    assert!(answers.iter().all(|count| *count > 1000), "each kind of answer is among them: {answers:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn acknowledgments_are_right_around_the_edge(
        sequence in edgy(), acknowledgment in edgy(), flags in 0u8..64, payload in 0usize..6,
        r_sequence in prop_oneof![Just(None), edgy().prop_map(Some)], near in -3i64..8, reply_flags in 0u8..64,
        v6: bool,
    ) {
        let reply_ack = (i64::from(sequence) + near).rem_euclid(1 << 32) as u32;
        let reply_seq = r_sequence.unwrap_or(acknowledgment);
        let says = |sequence: u32, acknowledgment: u32, flags: u8, payload: usize| Says {
            sequence: sequence.into(),
            acknowledgment: acknowledgment.into(),
            flags,
            payload: payload as u64,
        };
        let probe = says(sequence, acknowledgment, flags, payload);
        let reply = says(reply_seq, reply_ack, reply_flags, 0);
        let found = judge(&bytes_of(&probe, v6, false), &bytes_of(&reply, v6, true));
        prop_assert_eq!(found, expected(&probe, &reply));
    }

    #[test]
    fn no_bytes_panic(probe in prop::collection::vec(any::<u8>(), 0..80),
                      reply in prop::collection::vec(any::<u8>(), 0..120), link in 0u32..3, v6: bool, kind in 0u8..140) {
        let link = [RAW, ETHERNET, 147][link as usize];
        let mut reply = reply;
        if let (true, Some(head)) = (v6, reply.get_mut(..7)) {
            head[0] = 0x60;
            head[4..7].copy_from_slice(&[0, 70, 58]);
            if let Some(at) = reply.get_mut(40) {
                *at = kind;
            }
        }
        let mut exchange = Exchange::new(true);
        exchange.expect(link, &probe, 0);
        for bytes in [&probe, &reply] {
            exchange.take(&Record { link_type: link, time_ns: 1, outgoing: false, bytes });
        }
        prop_assert!(Probe::of(link, &probe).is_sighting(link, &probe));
    }
}
