//! Lists of items, and the lists in them: every byte has one place, what is printed reads back, and an edit of an inner item
//! reaches those around it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use proptest::prelude::*;
use rawbench::craft::build::Sources;
use rawbench::craft::draft::Draft;
use rawbench::craft::options::new_option;
use rawbench::craft::print::Detail;
use rawbench::wire::items::{self, ItemSpan};
use rawbench::wire::protocols;
use rawbench::wire::table::{Header, ItemList};

/// No payload has to be fetched.
struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

const SCTP: &str = "eth/ip(dst=10.0.0.2)/sctp(vtag=7, chunks=[";

fn draft(notation: &str) -> Draft {
    Draft::from_notation(notation, &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(notation)))
}

/// Packets of every protocol that ends in a list of items with lists in them, or with another head than a byte each.
fn samples() -> Vec<Vec<u8>> {
    [
        "eth/ip(dst=10.0.0.2)/udp/geneve(options=[opt(0x010101, de ad be ef), opt(0x010180)])/eth/ip(dst=1.2.3.4)".into(),
        "eth/pppoed(tags=[service(\"\"), host_uniq(01 02 03), vendor(9, 01), tag(0x777, 01)])".into(),
        "eth/ip(dst=255.255.255.255)/udp/dhcp(sname=\"a\", options=[message(Discover), hostname(\"a, \\\"b\\\"\"), \
         agent(suboptions=[circuit(61 62), link(10.0.0.0), opt(9, 01)]), parameters(1, 3), end, zero(9)])"
            .into(),
        "eth/ip(dst=224.0.0.22)/igmp(type=0x22, records=[record(4, 224.1.1.1, sources=[addr(10.0.0.1), \
         aux(01 02 03 04)]), record(1, 224.1.1.2)])"
            .into(),
        "eth/ip(dst=224.0.0.1)/igmp(type=0x11, v3=[query(1, 2, 125, sources=[addr(10.0.0.1), data(01 02)])])".into(),
        "eth/ipv6(dst=ff02::1:2)/udp/dhcpv6(options=[client_id(00 01), ia_na(00 00 00 07, 1, 2, options=[\
         iaaddr(fd00::1, 3, 4, options=[status(2, \"no\")])]), oro(23, 24)])"
            .into(),
        "eth/ipv6(dst=ff02::1:2)/udp/dhcpv6(type=12, options=[relay(message=[relayed(12, 1, fd00::1, fd00::2, \
         options=[relay(message=[message(1, 7, options=[elapsed(70)])])])])])"
            .into(),
        format!("{SCTP}init(1, 2, 3, 4, 5, params=[ipv4(10.0.0.1), hostname(\"abc\"), address_types(5)])])"),
        format!("{SCTP}sack(1, 5, blocks=[gap(2, 3), dup(9)]), data(BE, 1, 2, 3, 4, 01 02 03)])"),
        format!("{SCTP}error(causes=[cause(2, 01), no_data(1)]), abort(T), chunk(63, 01)])"),
    ]
    .iter()
    .map(|text: &String| draft(text).bytes().to_vec())
    .collect()
}

fn lists() -> Vec<(&'static Header, &'static ItemList)> {
    let all = protocols::ALL.iter().flat_map(|h| h.lists().map(move |l| (*h, l)));
    all.flat_map(|(h, list)| list.with_inner().into_iter().map(move |l| (h, l))).collect()
}

#[test]
fn items_begin_as_their_list_says() {
    for (header, list) in lists() {
        for item in list.items.iter().filter(|i| !i.bare) {
            assert_eq!(item.head, list.head, "{}.{}", header.key, item.key);
        }
        for item in list.items {
            let inner_is_counted = item.inner.is_some_and(ItemList::is_counted);
            assert!(!inner_is_counted || item.fixed_bytes() > 0, "{}: it may have no byte", item.key);
            assert!(item.inner.is_none() || item.fields.iter().all(|f| f.bits.width > 0), "{}", item.key);
        }
    }
}

#[test]
fn a_new_item_is_what_it_was_made_as() {
    for (header, list) in lists().into_iter().filter(|(_, list)| !list.is_bare()) {
        for item in list.items {
            let bytes = new_option(list, item, item.kind.unwrap_or(0));
            let found = items::walk(list, &bytes, 0);
            assert!(std::ptr::eq(found[0].item, item), "{}.{}: another form of it", header.key, item.key);
        }
    }
}

/// The spans of one level fill `from..end`, and those in each of them what it has behind its fields.
fn tile(spans: &[ItemSpan], depth: usize, from: usize, end: usize) {
    let mut at = from;
    let mut index = 0;
    while let Some(span) = spans.get(index) {
        assert_eq!(span.depth, depth);
        assert_eq!(span.range.start, at);
        assert!(span.range.start <= span.end && span.end <= span.range.end);
        let inside = spans[index + 1..].iter().take_while(|s| s.depth > depth).count();
        let inner = &spans[index + 1..=index + inside];
        if inside > 0 {
            tile(inner, depth + 1, span.own().end, span.end);
        } else {
            assert_eq!(span.own().end, span.end, "{}: bytes of no one", span.item.key);
        }
        at = span.range.end;
        index += 1 + inside;
    }
    assert_eq!(at, end);
}

fn every_byte_has_one_place(packet: &[u8]) {
    let found = rawbench::wire::dissect::dissect(ETHERNET, packet);
    for index in 0..found.layers.len() {
        let view = found.view(packet, index);
        let range = view.items_range();
        tile(&view.items(), 0, range.start, range.end);
        for field in view.fields() {
            assert!(field.bits.end() <= packet.len() * 8);
            let _ = field.text(packet);
        }
        let _ = (view.layer().header.info)(&view);
        for warning in view.layer().header.warnings {
            let _ = warning(&view);
        }
    }
}

fn reads_back(packet: &[u8]) {
    let loaded = Draft::from_bytes(ETHERNET, packet, false);
    assert_eq!(loaded.bytes(), packet);
    for detail in [Detail::Short, Detail::Full] {
        let text = loaded.notation(detail);
        let read = Draft::from_notation(&text, &mut Nothing);
        let read = read.unwrap_or_else(|e| panic!("{}", e.render(&text)));
        assert_eq!(read.bytes(), packet, "{text}");
    }
}

#[test]
fn every_list_is_whole_and_reads_back() {
    for packet in samples() {
        every_byte_has_one_place(&packet);
        reads_back(&packet);
        let found = rawbench::wire::dissect::dissect(ETHERNET, &packet);
        let view = found.view(&packet, found.layers.len() - 1);
        let problem = view.items().into_iter().find_map(|i| i.problem);
        assert!(found.stop.is_none() && problem.is_none(), "{:?} {problem:?}", found.stop);
    }
}

proptest! {
    #[test]
    fn damaged_lists_have_a_place_for_each_byte_and_read_back(
        which: usize, hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6), cut in 0usize..64,
    ) {
        let all = samples();
        let mut packet = all[which % all.len()].clone();
        // The headers before it stay as they are, so that the list is reached.
        let start = 42;
        let len = packet.len();
        for (at, value) in hits {
            if len > start {
                packet[start + at % (len - start)] = value;
            }
        }
        if cut < 48 && len > start + cut {
            packet.truncate(len - cut);
        }
        every_byte_has_one_place(&packet);
        reads_back(&packet);
    }

    #[test]
    fn any_bytes_in_any_list(which: usize, bytes in proptest::collection::vec(any::<u8>(), 0..120), small: bool) {
        let lists = lists();
        let (_, list) = lists[which % lists.len()];
        // Small numbers are lengths that fit more often.
        let bytes: Vec<u8> = bytes.into_iter().map(|b| if small { b % 12 } else { b }).collect();
        tile(&items::walk(list, &bytes, 7), 0, 7, 7 + bytes.len());
    }
}

#[test]
fn an_item_in_an_item_changes_the_lengths_around_it() {
    let mut init = draft(&format!("{SCTP}init(1, 2, 3, 4, 5, params=[hostname(\"abc\")]), cookie_ack])"));
    let chunk = |d: &Draft| {
        let spans = d.options(2);
        let text = spans.iter().map(|s| format!("{}:{}", s.item.key, s.end - s.range.start));
        text.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(chunk(&init), "init:27 hostname:7 cookie_ack:4");
    // What fills up the last parameter belongs to the chunk, and to the parameter once another one follows.
    let ipv4 = 1;
    init.insert_inner(2, 0, ipv4).unwrap();
    assert_eq!(chunk(&init), "init:36 hostname:7 ipv4:8 cookie_ack:4");
    init.move_option(2, 2, 1).unwrap();
    assert_eq!(chunk(&init), "init:35 ipv4:8 hostname:7 cookie_ack:4");
    init.remove_option(2, 2).unwrap();
    assert_eq!(chunk(&init), "init:28 ipv4:8 cookie_ack:4");
    init.insert_option(2, 1, vec![0, 7, 0, 6, 1, 2]).unwrap();
    assert_eq!(chunk(&init), "init:36 cookie:6 ipv4:8 cookie_ack:4");
    let path = init.view(2).item_fields(1, &init.options(2)[1]).last().unwrap().path;
    assert!(init.set_text(path, 1, "ff ff ff").is_err(), "the filler has a length of its own");
    let cookie = init.options(2)[1].item.fields.len() - 1;
    init.set_text(
        rawbench::wire::view::Path { layer: 2, item: Some(1), nth: None, field: cookie },
        1,
        "01 02 03 04 05",
    )
    .unwrap();
    assert_eq!(chunk(&init), "init:40 cookie:9 ipv4:8 cookie_ack:4");
    reads_back(init.bytes());
    init.remove_option(2, 0).unwrap();
    assert_eq!(chunk(&init), "cookie_ack:4");
}

#[test]
fn counts_follow_what_they_count() {
    let mut report = draft("eth/ip(dst=224.0.0.22)/igmp(type=0x22, records=[record(4, 224.1.1.1)])");
    let text = |d: &Draft| d.notation(Detail::Short);
    report.insert_inner(2, 0, 1).unwrap();
    report.insert_inner(2, 0, 0).unwrap();
    assert_eq!(report.view(2).header_bytes()[8..12], [4, 0, 0, 1], "{}", text(&report));
    report.insert_option(2, 99, vec![1, 0, 0, 0, 224, 0, 0, 9]).unwrap();
    assert_eq!(report.view(2).text("num_grp_recs"), "2");
    reads_back(report.bytes());
    report.remove_option(2, 0).unwrap();
    assert_eq!(report.view(2).text("num_grp_recs"), "1");
    let mut sack = draft(&format!("{SCTP}sack(1, 5, blocks=[dup(9)])])"));
    sack.insert_inner(2, 0, 0).unwrap();
    assert!(text(&sack).contains("blocks=[gap(2, 2), dup(9)]"), "{}", text(&sack));
    reads_back(sack.bytes());
}

#[test]
fn items_nest_to_a_bounded_depth() {
    // Parameters that are not recognized, in each other as deep as the packet is long.
    let mut inner = Vec::new();
    for _ in 0..300 {
        let len = (inner.len() + 4) as u16;
        inner = [&[0, 8], &len.to_be_bytes()[..], &inner].concat();
    }
    let chunk = [&[1, 0], &(inner.len() as u16 + 20).to_be_bytes()[..], &[0; 16], &inner].concat();
    let hex: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
    let packet = draft(&format!("eth/ip(dst=10.0.0.2)/sctp(chunks=[hex({})])", hex.join(" ")));
    every_byte_has_one_place(packet.bytes());
    reads_back(packet.bytes());
    assert!(packet.options(2).iter().all(|s| s.depth <= items::MAX_DEPTH + 1));
}
