//! Packets inside packets: what is computed through link headers and tunnels, and what comes back from bytes.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use proptest::prelude::*;
use rawbench::craft::Draft;
use rawbench::craft::build::Sources;
use rawbench::craft::draft::Surroundings;
use rawbench::craft::print::Detail;
use rawbench::wire::checksum;
use rawbench::wire::protocols;
use rawbench::wire::table::RawSocket;

struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0x5a; count]
    }
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file {path} in a test"))
    }
}

fn build(text: &str) -> Draft {
    Draft::from_notation(text, &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(text)))
}

#[test]
fn every_field_is_computed_through_any_stacking() {
    let text = "eth/vlan(id=5)/ip(src=10.0.0.1, dst=10.0.0.2)/gre(c=1, k=1, key=7)/ipv6(src=fd77::1, dst=fd77::2)\
                /tcp(flags=S)/\"odd\"";
    let draft = build(text);
    assert_eq!(draft.warnings(), vec![]);
    assert_eq!(draft.reading_differs(), None);
    for index in 0..draft.layers().len() {
        if let Some(verdict) = checksum::verdict(draft.bytes(), draft.layers(), index, false) {
            assert_eq!(verdict, checksum::Verdict::Good, "layer {index}");
        }
    }
    let number = |layer: usize, key: &str| draft.view(layer).number(key).unwrap();
    assert_eq!((number(0, "type"), number(1, "etype"), number(2, "proto")), (0x8100, 0x0800, 47));
    assert_eq!((number(3, "proto"), number(4, "nxt")), (0x86dd, 6));
    assert_eq!((number(2, "len"), number(4, "plen")), (20 + 12 + 40 + 20 + 3, 23));
}

/// Every checksum is right, and a receiver reads the layers as they were made.
fn is_whole(text: &str) -> Draft {
    let draft = build(text);
    assert_eq!(draft.reading_differs(), None, "{text}");
    for index in 0..draft.layers().len() {
        if let Some(verdict) = checksum::verdict(draft.bytes(), draft.layers(), index, false) {
            assert_eq!(verdict, checksum::Verdict::Good, "layer {index} of {text}");
        }
    }
    draft
}

#[test]
fn a_crc_is_computed_through_any_stacking() {
    let draft = is_whole(
        "eth/vlan(id=5)/ip(src=10.0.0.1, dst=10.0.0.2)/gre(c=1)/ipv6(src=fd77::1, dst=fd77::2)\
         /sctp(srcport=1, dstport=2, vtag=7, chunks=[cookie_echo(64)])",
    );
    assert_eq!(draft.view(4).number("nxt"), Some(132));
    // The same bytes behind another network header have the same CRC: it has no pseudo header.
    let other =
        is_whole("ip(src=1.2.3.4, dst=1.2.3.5)/sctp(srcport=1, dstport=2, vtag=7, chunks=[cookie_echo(64)])");
    assert_eq!(other.view(1).text("checksum"), draft.view(5).text("checksum"));
    let bad = build("ip(dst=10.0.0.2)/sctp(checksum=1)");
    let verdict = checksum::verdict(bad.bytes(), bad.layers(), 1, false).unwrap();
    assert!(verdict.text().starts_with("bad, should be 0x") && verdict.text().len() == 25, "{verdict:?}");
    let work = checksum::work(bad.bytes(), bad.layers(), 1).unwrap();
    assert!(!work.is_accepted() && work.is_crc);
    let by_lines = (0..work.words.len()).fold(work.start(), |r, i| work.with(r, i..i + 1));
    assert_eq!(by_lines, work.sum);
}

#[test]
fn what_is_mirrored_or_registered_or_partly_covered_is_whole() {
    let ip = "ip(src=10.0.0.1, dst=10.0.0.2)";
    let ip6 = "ipv6(src=fd77::1, dst=fd77::2)";
    let frame = format!("eth/{ip}/tcp(flags=S)/\"data\"");
    let mirrored = is_whole(&format!("{ip}/gre(s=1)/erspan/{frame}"));
    assert_eq!((mirrored.view(1).number("proto"), mirrored.layers().len()), (Some(0x88be), 6));
    is_whole(&format!("{ip}/gre(proto=0x88be)/{frame}"));
    is_whole(&format!("{ip6}/gre(s=1)/erspan3(o=1)/eth/vlan/{ip6}/udplite(cover=8)/\"data\""));
    is_whole(&format!("{ip}/udp/vxlan/{frame}"));
    is_whole(&format!("chdlc/mpls/{ip6}/gre(c=1)/{ip}/dccp(cscov=1)/\"data\""));
    is_whole(&format!("{ip}/gre1(s=1)/ppp/{ip6}/dccp(type=7, options=[ts(7), slow])/\"data\""));
    is_whole(&format!("{ip}/udp/esp/\"data\""));
    let call = is_whole(&format!("{ip}/gre1(s=1, a=1)/ppp/{ip}/udp/\"data\""));
    assert_eq!(call.view(1).number("length"), Some(2 + 20 + 8 + 4));
    // A register message covers its first 8 bytes: what it carries may change.
    for (outer, change) in [(ip, "data"), (ip6, "other data")] {
        let pim = is_whole(&format!("{outer}/pim(type=1)/{ip}/udp/\"{change}\""));
        let same = is_whole(&format!("{outer}/pim(type=1)/{ip}/udp(srcport=9)/\"what\""));
        assert_eq!(pim.view(1).number("checksum"), same.view(1).number("checksum"));
    }
    is_whole(&format!("{ip6}/pim/hex(00 01 00 02 00 69)"));
}

#[test]
fn a_partial_checksum_says_nothing_of_what_it_leaves_out() {
    let verdict = |text: &str, at: usize, cut: usize| {
        let draft = build(text);
        let mut bytes = draft.bytes().to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes.truncate(bytes.len() - cut);
        let layers = rawbench::wire::dissect::dissect(101, &bytes).layers;
        checksum::verdict(&bytes, &layers, 1, false).unwrap()
    };
    let lite = |cover: usize| format!("ip(dst=1.2.3.4)/udplite(cover={cover})/\"0123456789\"");
    assert_eq!(verdict(&lite(12), 35, 0), checksum::Verdict::Good);
    assert!(verdict(&lite(12), 30, 0).is_bad());
    assert!(verdict(&lite(0), 35, 0).is_bad());
    // Cut short behind what is covered, and within it.
    assert_eq!(verdict(&lite(12), 999, 6), checksum::Verdict::Good);
    assert!(matches!(verdict(&lite(12), 999, 7), checksum::Verdict::NotCovered(_)));
    for illegal in [1, 7, 19] {
        assert!(matches!(verdict(&lite(illegal), 999, 0), checksum::Verdict::NotCovered(_)), "{illegal}");
        assert!(!build(&lite(illegal)).warnings().is_empty());
    }
    // Unlike UDP it is never left out.
    assert!(verdict("ip(dst=1.2.3.4)/udplite(checksum=0)", 999, 0).is_bad());
    // No data, a part of it, all of it.
    let dccp = |cover: usize| format!("ip(dst=1.2.3.4)/dccp(cscov={cover})/\"0123456789\"");
    assert_eq!(verdict(&dccp(1), 40, 0), checksum::Verdict::Good);
    assert_eq!(verdict(&dccp(2), 44, 0), checksum::Verdict::Good);
    assert!(verdict(&dccp(2), 43, 0).is_bad());
    assert!(matches!(verdict(&dccp(4), 999, 0), checksum::Verdict::NotCovered(_)));
}

#[test]
fn the_kernel_is_handed_the_outer_network_header_and_knows_nothing_of_the_inner() {
    let mut draft = build("eth/ip(dst=10.0.0.2)/gre/ip(dst=10.0.0.3)/udp/vxlan/eth/ip(dst=10.0.0.4)");
    draft.surround(Surroundings {
        route_source: Some("10.0.0.1".parse().unwrap()),
        interface: Some([2, 0, 0, 0, 0, 1]),
        neighbour: Some([2, 0, 0, 0, 0, 2]),
    });
    assert_eq!(draft.network_layer(), Some(1));
    assert_eq!(draft.network_ends().unwrap().1.to_string(), "10.0.0.2");
    let texts =
        |key: &str| (0..8).map(|i| draft.view(i).text(key)).filter(|t| !t.is_empty()).collect::<Vec<_>>();
    let none = "00:00:00:00:00:00";
    assert_eq!(texts("src"), ["02:00:00:00:00:01", "10.0.0.1", "0.0.0.0", none, "0.0.0.0"]);
    let kept = (2..8).flat_map(|i| draft.view(i).header_fields().map(|f| f.path).collect::<Vec<_>>());
    for path in kept {
        assert_eq!(draft.raw_socket(path), RawSocket::Kept);
    }
}

#[test]
fn a_word_that_comes_or_goes_takes_no_value_with_it() {
    let mut draft = build("ip(dst=10.0.0.2)/gre(k=1, key=0xdeadbeef)/ip(dst=10.0.0.3)");
    let before = draft.clone();
    let flag = draft.find("gre", "c").unwrap();
    draft.set(flag, 1).unwrap();
    let view = draft.view(1);
    assert_eq!(
        (view.number("key"), view.number("offset"), view.layer().len),
        (Some(0xdead_beef), Some(0), 12)
    );
    assert_eq!(draft.reading_differs(), None);
    draft.set(flag, 0).unwrap();
    assert_eq!(draft.bytes(), before.bytes());
    draft.set(flag, 1).unwrap();
    assert_eq!((draft.view(1).number("key"), draft.view(1).number("offset")), (Some(0xdead_beef), Some(0)));
}

#[test]
fn what_the_next_header_computes_follows_it_and_can_be_pinned() {
    let mut draft = build("ip(dst=10.0.0.2)/udp");
    assert_eq!(draft.view(1).number("dstport"), Some(80));
    draft.insert_layer(2, protocols::by_key("vxlan").unwrap()).unwrap();
    assert_eq!(draft.view(1).number("dstport"), Some(4789));
    draft.remove_layer(2);
    draft.set(draft.find("udp", "dstport").unwrap(), 53).unwrap();
    draft.insert_layer(2, protocols::by_key("vxlan").unwrap()).unwrap();
    assert_eq!(draft.view(1).number("dstport"), Some(53));
}

#[test]
fn frames_below_ip_come_in_whole_and_read_back() {
    for (link, text) in [
        (1, "dot3(src=02:00:00:00:00:01)/llc/snap/ip(src=1.1.1.1, dst=1.2.3.4)/udp/\"hi\"/trailer(00 00 00)"),
        (1, "eth/svlan(id=7)/vlan_len(id=9)/llc(dsap=0x42, ssap=0x42)/zero(4)"),
        (1, "eth/mpls(label=5)/mpls(label=6)/ipv6(src=::1, dst=::2)/tcp"),
        (1, "eth/pppoes(session_id=5)/ppp/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
        (1, "eth/pppoed/hex(01 01 00 00)"),
        (113, "sll(halen=4, src=1.2.3.4)/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
        (276, "sll2(ifindex=3)/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
        (0, "null/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
        (0, "loop/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
        (
            101,
            "ip(src=1.1.1.1, dst=1.2.3.4)/gre(s=1, k=1, c=1, key=5, seq=6)/eth/ip(src=1.1.1.1, dst=1.2.3.4)/tcp",
        ),
        (104, "chdlc(address=0x8f)/ip(src=1.1.1.1, dst=1.2.3.4)/sctp/hex(01 02 03)"),
        (
            101,
            "ip(src=1.1.1.1, dst=1.2.3.4)/gre(s=1)/erspan3(o=1, platid=5)/eth/ip(src=1.1.1.1, dst=1.2.3.4)/esp",
        ),
        (
            101,
            "ip(src=1.1.1.1, dst=1.2.3.4)/gre1(a=1)/ppp/ip(src=1.1.1.1, dst=1.2.3.4)/udplite(cover=8)/\"hi\"",
        ),
        (101, "ip(src=1.1.1.1, dst=1.2.3.4)/dccp(type=1, options=[mandatory, change_l(1, 02)])/\"hi\""),
        (101, "ip(src=1.1.1.1, dst=1.2.3.4)/udp/vxlan(vni=5)/dot3/llc/snap/ip(src=1.1.1.1, dst=1.2.3.4)/tcp"),
    ] {
        let built = build(text);
        let keys = |d: &Draft| d.layers().iter().map(|l| l.header.key).collect::<Vec<_>>();
        let loaded = Draft::from_bytes(link, built.bytes(), false);
        assert_eq!(keys(&loaded), keys(&built), "{text}");
        assert_eq!(loaded.bytes(), built.bytes(), "{text}");
        for detail in [Detail::Short, Detail::Full] {
            assert_eq!(build(&loaded.notation(detail)).bytes(), built.bytes(), "{text}");
        }
    }
}

#[test]
fn a_tag_that_says_a_length_ends_where_it_says() {
    let draft = build("eth/vlan_len/llc(dsap=0x42, ssap=0x42)/zero(4)/trailer(01 02)");
    let found = rawbench::wire::dissect::dissect(1, draft.bytes());
    assert_eq!((found.payload.len(), found.trailer.len()), (4, 2));
}

#[test]
fn a_label_stack_without_an_end_is_read_to_a_bounded_depth() {
    let mut frame = vec![0; 12];
    frame.extend([0x88, 0x47]);
    frame.extend([0; 4000]);
    let found = rawbench::wire::dissect::dissect(1, &frame);
    assert_eq!(found.layers.len(), rawbench::wire::dissect::MAX_LAYERS);
}

#[test]
fn a_tunnel_over_ipv6_may_do_without_a_checksum() {
    let verdict = |text: &str| {
        let draft = build(text);
        checksum::verdict(draft.bytes(), draft.layers(), 1, false).unwrap()
    };
    let udp = "ipv6(src=::1, dst=::2)/udp(checksum=0)";
    assert!(matches!(verdict(udp), checksum::Verdict::Missing { .. }));
    assert_eq!(verdict(&format!("{udp}/vxlan/eth")), checksum::Verdict::Absent);
}

proptest! {
    #[test]
    fn damaged_frames_read_back_to_their_bytes(which: usize, hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4)) {
        let frames = [
            (1, "dot3/llc/snap/ip(dst=1.2.3.4)/udp/\"hi\"/trailer(00 00 00)"),
            (1, "eth/svlan/vlan/vlan_len/llc(dsap=0x42, ssap=0x42)/zero(9)"),
            (1, "eth/mpls/mpls/ipv6(dst=::2)/tcp"),
            (1, "eth/pppoes/ppp/ip(dst=1.2.3.4)/tcp"),
            (1, "eth/pppoed/hex(01 01 00 00)"),
            (113, "sll/ip(dst=1.2.3.4)/tcp"),
            (276, "sll2/ip(dst=1.2.3.4)/tcp"),
            (0, "null/ip(dst=1.2.3.4)/tcp"),
            (108, "loop/ip(dst=1.2.3.4)/tcp"),
            (101, "ip(dst=1.2.3.4)/gre(s=1, k=1, c=1)/eth/ip(dst=1.2.3.4)/tcp"),
            (101, "ip(dst=1.2.3.4)/udp/vxlan/dot3/llc/snap/ip(dst=1.2.3.4)/tcp"),
            (104, "chdlc/ip(dst=1.2.3.4)/sctp/zero(9)"),
            (101, "ip(dst=1.2.3.4)/gre(s=1)/erspan3(o=1)/eth/ip(dst=1.2.3.4)/esp/zero(9)"),
            (101, "ip(dst=1.2.3.4)/gre1(a=1, s=1)/ppp/ip(dst=1.2.3.4)/udplite(cover=8)/zero(9)"),
            (101, "ip(dst=1.2.3.4)/dccp(type=1, options=[mandatory, change_l(1, 02), ts(7)])/zero(9)"),
            (101, "ip(dst=1.2.3.4)/pim(type=1)/ip(dst=1.2.3.4)/udp"),
            (9, "ppp_hdlc/lcp(options=[mru(1500), magic(5), pfc])"),
            (50, "ppp/ipcp(code=3, options=[addr(10.0.0.1), dns1(8.8.8.8)])"),
            (127, "radiotap(present.rate=1, fields=[data(0c)])/wlan_qos(tods=1)/llc/snap/ip(dst=1.2.3.4)/udp"),
            (105, "wlan(fromds=1, tods=1)/llc/snap/ip(dst=1.2.3.4)/udp"),
            (105, "wlan_ctl(subtype=11)"),
            (1, "dot3/llc(dsap=4, ssap=4, control.first=1, control.n_r=3)/zero(9)"),
        ];
        let (link, text) = frames[which % frames.len()];
        let mut bytes = build(text).bytes().to_vec();
        for (at, value) in hits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let loaded = Draft::from_bytes(link, &bytes, false);
        prop_assert_eq!(loaded.bytes(), &bytes);
        for detail in [Detail::Short, Detail::Full] {
            let again = build(&loaded.notation(detail));
            prop_assert_eq!(again.bytes(), &bytes);
        }
    }
}

#[test]
fn a_row_tells_each_packet_that_is_quoted() {
    let draft = build(
        "ip(dst=10.0.0.1)/icmp(type=3, code=2)/ip(src=10.0.0.1, dst=10.0.0.2)/gre/ipv6(src=::1, dst=::2)/udp",
    );
    let row = rawbench::wire::summary::row(101, draft.bytes());
    assert!(row.info.contains("quotes 10.0.0.1 → 10.0.0.2 GRE protocol IPv6"), "{}", row.info);
    assert!(row.info.ends_with(" ::1 → ::2 UDP 20000 → 80 length 0"), "{}", row.info);
}

#[cfg(feature = "window")]
#[test]
fn layers_that_stand_beside_each_other_differ_in_hue() {
    use rawbench::ui::theme::{DARK, LIGHT};
    for stack in [
        "eth vlan ip tcp",
        "eth svlan vlan ipv6 udp",
        "eth vlan_len llc snap arp",
        "dot3 llc snap ip icmp ip udp vxlan eth arp",
        "eth vlan pppoes ppp ipv6 icmpv6 ipv6 tcp",
        "eth pppoed",
        "eth vlan mpls ip gre ipv6 ip tcp",
        "sll ip gre eth vlan ip gre mpls ip",
        "sll2 ipv6 udp vxlan eth ip",
        "null ip ipv6",
        "loop ipv6 gre ip",
        "eth arp",
        "pppoes ppp mpls ip",
        "chdlc ip sctp",
        "eth ip gre erspan eth ip udplite",
        "eth ipv6 gre erspan3 eth arp",
        "ip gre1 ppp ip dccp",
        "ip gre1 ppp_hdlc lcp",
        "pppoes ppp ipcp",
        "radiotap wlan_qos llc snap ip",
        "ipv6 pim ipv6 udp esp",
    ] {
        let headers: Vec<_> = stack.split(' ').map(|k| protocols::by_key(k).unwrap()).collect();
        for pair in headers.windows(2) {
            for look in [&DARK, &LIGHT] {
                assert_ne!(
                    look.hue(pair[0]),
                    look.hue(pair[1]),
                    "{} {} in {stack}",
                    pair[0].key,
                    pair[1].key
                );
            }
        }
    }
    // Orange, as ever.
    let tcp = protocols::by_key("tcp").unwrap();
    assert_eq!(DARK.hue(tcp).to_array()[..3], [0xf2, 0xa6, 0x5a]);
}
