//! The answer to a captured packet: for each kind of message, at the edges of the numbers, and for any bytes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/samples.rs"]
mod samples;

use proptest::prelude::*;
use rawbench::craft::print::Detail;
use rawbench::craft::reply::{Known, Reply, reply};
use rawbench::craft::{Draft, Surroundings};
use rawbench::wire::answer::Ends;
use rawbench::wire::dissect::dissect;
use samples::build;

const ETHERNET: u32 = 1;
const RAW: u32 = 101;

fn link_of(text: &str) -> u32 {
    if text.starts_with("eth") { ETHERNET } else { RAW }
}

fn known_reply(text: &str, known: Known) -> Result<Reply, String> {
    let packet = build(text);
    reply(link_of(text), packet.bytes(), known).map_err(|refused| refused.0)
}

fn answer(text: &str) -> Draft {
    known_reply(text, Known::default()).unwrap().draft
}

/// Both as bytes; what differs is told as notation.
#[track_caller]
fn is(draft: &Draft, right: &str) {
    let right = build(right);
    assert_eq!(draft.notation(Detail::Full), right.notation(Detail::Full));
    assert_eq!(draft.bytes(), right.bytes());
}

fn tcp(theirs: &str) -> String {
    format!("ip(src=10.77.0.2, dst=10.77.0.1, ttl=61, id=7)/tcp(srcport=80, dstport=40000, {theirs})")
}

fn ours(tcp: &str) -> String {
    format!("ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, {tcp})")
}

// ---- TCP

#[test]
fn a_syn_is_answered_by_a_syn_ack() {
    let syn = tcp("seq=1000, flags=S, window=29200");
    is(&answer(&syn), &ours("seq=0, ack=1001, flags=S., window=29200, options=[mss(1460)]"));
    // Fast open: its data is acknowledged too.
    let syn = tcp("seq=0xfffffffe, flags=S, window=1") + "/\"data\"";
    is(&answer(&syn), &ours("seq=0, ack=3, flags=S., window=1, options=[mss(1460)]"));
}

#[test]
fn a_syn_ack_is_answered_by_an_ack() {
    let syn_ack = tcp("seq=1000, ack=2, flags=S., window=65160, options=[mss(1460), sackOK]");
    let found = known_reply(&syn_ack, Known::default()).unwrap();
    is(&found.draft, &ours("seq=2, ack=1001, flags=., window=65160"));
    assert!(found.takes_data && found.text.contains("open"), "{}", found.text);
}

#[test]
fn data_and_fin_are_acknowledged_by_their_length() {
    let data = tcp("seq=1000, ack=2, flags=P.") + "/\"hello\"";
    is(&answer(&data), &ours("seq=2, ack=1005, flags=."));
    let fin = tcp("seq=1000, ack=2, flags=F.");
    is(&answer(&fin), &ours("seq=2, ack=1001, flags=F."));
    let both = tcp("seq=1000, ack=2, flags=FP.") + "/\"hello\"";
    is(&answer(&both), &ours("seq=2, ack=1006, flags=F."));
    let nothing = tcp("seq=1000, ack=2, flags=.");
    is(&answer(&nothing), &ours("seq=2, ack=1000, flags=."));
}

#[test]
fn a_fin_is_only_acknowledged_by_the_end_that_has_closed() {
    let known = Known { closed: true, ..Known::default() };
    let found = known_reply(&tcp("seq=1000, ack=2, flags=F."), known).unwrap();
    is(&found.draft, &ours("seq=2, ack=1001, flags=."));
    assert!(!found.takes_data && found.text.contains("both sides are closed"));
}

#[test]
fn a_reset_has_no_answer() {
    for flags in ["R", "R."] {
        let why = known_reply(&tcp(&format!("seq=1, flags={flags}")), Known::default()).unwrap_err();
        assert!(why.contains("reset ends the connection"), "{why}");
    }
}

#[test]
fn sequence_numbers_wrap_around() {
    for (seq, flags, payload, ack) in [
        (u32::MAX, "S.", "", 0),
        (u32::MAX, "F.", "", 0),
        (u32::MAX - 4, "P.", "/\"hello\"", 0),
        (u32::MAX - 4, "FP.", "/\"hello\"", 1),
        (u32::MAX, ".", "", u32::MAX),
    ] {
        let theirs = tcp(&format!("seq={seq}, ack=4294967295, flags={flags}")) + payload;
        let draft = answer(&theirs);
        let number = |key| {
            let path = draft.find("tcp", key).unwrap();
            draft.locate(path).unwrap().stored(draft.bytes())
        };
        assert_eq!(number("ack"), Some(u128::from(ack)), "{theirs}");
        assert_eq!(number("seq"), Some(u128::from(u32::MAX)), "{theirs}");
    }
}

#[test]
fn time_stamps_go_on_and_echo() {
    let theirs = tcp("seq=1, ack=2, flags=., options=[nop, nop, ts(900, 4294967295)]") + "/\"x\"";
    is(&answer(&theirs), &ours("seq=2, ack=2, flags=., options=[nop, nop, ts(0, 900)]"));
    let syn = tcp("seq=1, flags=S, options=[mss(1460), sackOK, ts(900, 0), nop, wscale(7)]");
    is(&answer(&syn), &ours("seq=0, ack=2, flags=S., options=[mss(1460), nop, nop, ts(1, 900)]"));
}

#[test]
fn a_closed_window_is_not_carried_on() {
    is(&answer(&tcp("seq=1, ack=2, flags=., window=0")), &ours("seq=2, ack=1, flags=., window=64240"));
}

#[test]
fn ipv6_answers_alike() {
    let syn = "ipv6(src=fd77::2, dst=fd77::1, hlim=3)/tcp(srcport=80, dstport=40000, seq=9, flags=S)";
    let right = "ipv6(src=fd77::1, dst=fd77::2)/tcp(srcport=40000, dstport=80, seq=0, ack=10, flags=S., \
                 options=[mss(1440)])";
    is(&answer(syn), right);
}

// ---- layers

#[test]
fn ends_change_places_on_every_layer_and_tags_stay() {
    let theirs = "eth(src=02:00:00:00:00:02, dst=02:00:00:00:00:01)/vlan(id=42, priority=5)/ip(src=10.77.0.2, \
                  dst=10.77.0.1)/udp(srcport=53, dstport=40000)/hex(00 01 81 80 00 00 00 00 00 00 00 00)";
    let right = "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/vlan(id=42, priority=5)/ip(src=10.77.0.1, \
                 dst=10.77.0.2)/udp(srcport=40000, dstport=53)";
    is(&answer(theirs), right);
}

#[test]
fn a_tunnel_is_answered_through_the_tunnel() {
    let theirs = "ip(src=192.0.2.2, dst=192.0.2.1)/udp(srcport=50000, dstport=4789)/vxlan(vni=7)/eth(src=02:00:00:00:00:02, \
                  dst=02:00:00:00:00:01)/ip(src=10.0.0.2, dst=10.0.0.1)/tcp(srcport=80, dstport=4000, seq=5, flags=S)";
    let right = "ip(src=192.0.2.1, dst=192.0.2.2)/udp(srcport=50000, dstport=4789)/vxlan(vni=7)/eth(src=02:00:00:00:00:01, \
                 dst=02:00:00:00:00:02)/ip(src=10.0.0.1, dst=10.0.0.2)/tcp(srcport=4000, dstport=80, seq=0, ack=6, \
                 flags=S., options=[mss(1460)])";
    is(&answer(theirs), right);
}

#[test]
fn nobody_answers_from_a_group() {
    let theirs = "eth(src=02:00:00:00:00:02, dst=ff:ff:ff:ff:ff:ff)/ip(src=10.77.0.2, dst=255.255.255.255)/udp(srcport=68, \
                  dstport=67)";
    let interface = Some([2, 0, 0, 0, 0, 1]);
    let route_source = Some("10.77.0.1".parse().unwrap());
    let surroundings = Surroundings { interface, route_source, neighbour: None };
    let found = known_reply(theirs, Known { surroundings, closed: false }).unwrap();
    let right = "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/ip(src=10.77.0.1, dst=10.77.0.2)/udp(srcport=67, \
                 dstport=68)";
    assert_eq!(found.draft.bytes(), build(right).bytes());
}

#[test]
fn a_source_that_the_route_has_anyway_stays_computed() {
    let route_source = Some("10.77.0.1".parse().unwrap());
    let surroundings = Surroundings { route_source, ..Surroundings::default() };
    let found = known_reply(&tcp("seq=1, flags=S"), Known { surroundings, closed: false }).unwrap();
    let path = |key| found.draft.find("ip", key).unwrap();
    assert_eq!(found.draft.override_of(path("src")), None);
    let other = answer(&tcp("seq=1, flags=S"));
    assert!(other.override_of(path("src")).is_some());
}

// ---- control messages

#[test]
fn an_echo_request_and_its_reply_answer_each_other() {
    let request = "ip(src=10.77.0.2, dst=10.77.0.1)/icmp(type=8, ident=3, seq=65535)/\"abc\"";
    let answered = "ip(src=10.77.0.1, dst=10.77.0.2)/icmp(type=0, ident=3, seq=65535)/\"abc\"";
    is(&answer(request), answered);
    let next = "ip(src=10.77.0.1, dst=10.77.0.2)/icmp(type=8, ident=3, seq=0)/\"abc\"";
    is(&answer("ip(src=10.77.0.2, dst=10.77.0.1)/icmp(type=0, ident=3, seq=65535)/\"abc\""), next);
    let request = "ipv6(src=fd77::2, dst=fd77::1)/icmpv6(type=128, id=3, seq=1)/\"abc\"";
    is(&answer(request), "ipv6(src=fd77::1, dst=fd77::2)/icmpv6(type=129, id=3, seq=1)/\"abc\"");
    let reply = "ipv6(src=fd77::2, dst=fd77::1)/icmpv6(type=129, id=3, seq=1)/\"abc\"";
    is(&answer(reply), "ipv6(src=fd77::1, dst=fd77::2)/icmpv6(type=128, id=3, seq=2)/\"abc\"");
}

#[test]
fn an_arp_request_is_answered_with_the_address_of_the_interface() {
    let theirs = "eth(src=02:00:00:00:00:02, dst=ff:ff:ff:ff:ff:ff)/arp(src.hw_mac=02:00:00:00:00:02, \
                  src.proto_ipv4=10.77.0.2, dst.proto_ipv4=10.77.0.1)";
    let surroundings = Surroundings { interface: Some([2, 0, 0, 0, 0, 1]), ..Surroundings::default() };
    let found = known_reply(theirs, Known { surroundings, closed: false }).unwrap();
    let right = "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/arp(opcode=2, src.hw_mac=02:00:00:00:00:01, \
                 src.proto_ipv4=10.77.0.1, dst.hw_mac=02:00:00:00:00:02, dst.proto_ipv4=10.77.0.2)";
    assert_eq!(found.draft.bytes(), build(right).bytes());
    assert_eq!(found.text, "ARP reply");
    let why = known_reply(right, Known::default()).unwrap_err();
    assert!(why.contains("ARP reply has no answer"), "{why}");
}

#[test]
fn errors_fragments_and_what_no_table_answers_are_refused_with_the_reason() {
    for (theirs, part) in [
        (
            "ip(src=10.77.0.2, dst=10.77.0.1)/icmp(type=3, code=3)/ip(src=10.77.0.1, dst=10.77.0.2)/udp(dstport=9)",
            "an error is never answered",
        ),
        ("ip(src=10.77.0.2, dst=10.77.0.1, frag_offset=8)/tcp(flags=S)", "a fragment"),
        ("ip(src=10.77.0.2, dst=10.77.0.1)/icmp(type=13)", "Timestamp request has no answer"),
        ("ip(src=10.77.0.2, dst=224.0.0.1)/igmp()", "is not known here"),
    ] {
        let why = known_reply(theirs, Known::default()).unwrap_err();
        assert!(why.to_lowercase().contains(&part.to_lowercase()), "{theirs}: {why}");
    }
    assert!(reply(RAW, &[], Known::default()).is_err());
    assert!(
        reply(RAW, &build(&tcp("flags=S")).bytes()[..30], Known::default())
            .unwrap_err()
            .0
            .contains("cut short")
    );
}

// ---- any packet

/// What a packet's answer must be, whatever the packet.
fn check(link_type: u32, bytes: &[u8]) -> bool {
    let Ok(found) = reply(link_type, bytes, Known::default()) else { return false };
    let draft = found.draft;
    let asked = dissect(link_type, bytes);
    let (theirs, ours) = (Ends::of(bytes, &asked.layers), Ends::of(draft.bytes(), draft.layers()));
    let group = |text: &str| text == "0.0.0.0" || text == "::";
    if let (Some(theirs), Some(ours)) = (&theirs, &ours) {
        assert_eq!(ours.destination.texts[0], theirs.source.texts[0]);
        let source = &ours.source.texts[0];
        assert!(*source == theirs.destination.texts[0] || group(source), "{source}");
    }
    // What it computes it computes again to the same bytes.
    let mut again = draft.clone();
    again.surround(draft.surroundings());
    assert_eq!(again.bytes(), draft.bytes());
    true
}

#[test]
fn every_packet_of_the_corpus_is_answered_or_refused() {
    let all = samples::samples_and_corpus();
    let answered = all.iter().filter(|(link_type, bytes)| check(*link_type, bytes)).count();
    assert!(answered * 3 > all.len(), "{answered} of {}", all.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_change_of_a_packet_is_answered_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        use std::sync::LazyLock;
        static ALL: LazyLock<Vec<(u32, Vec<u8>)>> = LazyLock::new(samples::samples_and_corpus);
        let (link_type, mut bytes) = ALL[which.index(ALL.len())].clone();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        check(link_type, &bytes);
    }
}
