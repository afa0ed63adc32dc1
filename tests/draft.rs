//! The draft: golden bytes, edits, and notation that reads back to the same bytes.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use hex_literal::hex;
use proptest::prelude::*;
use rawbench::craft::build::Sources;
use rawbench::craft::print::Detail;
use rawbench::craft::{Draft, Override, presets};
use rawbench::wire::checksum::{self, Verdict};
use rawbench::wire::value::hex_pairs;

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

fn error(text: &str) -> String {
    Draft::from_notation(text, &mut Nothing).map(|d| hex_pairs(d.bytes())).unwrap_err().render(text)
}

#[test]
fn the_header_of_the_source_post() {
    let draft = build(
        "ip(src=127.0.0.1, dst=127.0.0.1)/tcp(srcport=0xaa47, dstport=80, seq=1, flags=S, window=0xaaaa)",
    );
    let expected = hex!(
        "45 00 00 28 00 00 00 00 40 06 7c ce 7f 00 00 01 7f 00 00 01"
        "aa 47 00 50 00 00 00 01 00 00 00 00 50 02 aa aa 5c 9d 00 00"
    );
    assert_eq!(hex_pairs(draft.bytes()), hex_pairs(&expected));
}

#[test]
fn options_pad_to_words_and_move_the_offset() {
    let draft = build("ip(dst=10.77.0.2)/tcp(flags=S, options=[mss(1460), sackOK, nop, wscale(7)])");
    let tcp = &draft.bytes()[20..];
    assert_eq!(tcp[12] >> 4, 8);
    assert_eq!(tcp[20..], hex!("02 04 05 b4 04 02 01 03 03 07 00 00"));
    let sack = build("ip(dst=10.77.0.2)/tcp(options=[sack(1-2, 3-4), ts(5, 6), opt(254, de ad be)])");
    assert_eq!(
        sack.bytes()[40..],
        hex!("05 12 00000001 00000002 00000003 00000004 08 0a 00000005 00000006 fe 05 de ad be 00 00 00")
            [..36]
    );
}

#[test]
fn pinned_lengths_keep_the_form() {
    let draft = build("ip(dst=10.77.0.2)/tcp(data_offset=15, flags=S)/\"abc\"");
    assert_eq!(draft.layers()[1].len, 20);
    assert_eq!(draft.bytes()[32] >> 4, 15);
    assert!(draft.reading_differs().unwrap().contains("Data Offset"));
    assert!(draft.warnings().iter().any(|w| w.text.contains("past the end of the segment")));
}

#[test]
fn udp_zero_goes_out_as_ones() {
    // The payload is chosen so that the sum is all ones and the complement zero.
    let mut draft = build("ip(src=0.0.0.0, dst=0.0.0.0)/udp(srcport=0, dstport=0)/hex(00 00)");
    draft.set_payload(&hex!("ff da")).unwrap();
    assert_eq!(draft.bytes()[26..28], hex!("ff ff"), "{}", hex_pairs(draft.bytes()));
}

#[test]
fn wrong_on_purpose_stays_wrong() {
    let mut draft = build("ip(dst=10.77.0.2)/tcp(flags=S)");
    let sum = draft.find("tcp", "checksum").unwrap();
    draft.make_wrong(sum);
    for port in [1, 2, 0xffff] {
        draft.set(draft.find("tcp", "srcport").unwrap(), port).unwrap();
        let right = rawbench::wire::checksum::compute(draft.bytes(), draft.layers(), 1).unwrap();
        assert_ne!(draft.locate(sum).unwrap().stored(draft.bytes()), Some(u128::from(right)));
    }
    draft.release(sum);
    assert_eq!(draft.override_of(sum), None);
    assert!(draft.warnings().iter().all(|w| !w.text.contains("wrong")));
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_nothing_changes() {
    let mut draft = build("ip(dst=10.77.0.2)/tcp(flags=S)");
    let before = draft.clone();
    let port = draft.find("tcp", "dstport").unwrap();
    for text in ["65536", "-1", "", "http server", "0x10000", "1e3"] {
        let why = draft.set_text(port, 1, text).unwrap_err().0;
        assert!(why.contains("0 to 65535"), "{why}");
        assert!(draft == before);
    }
    let offset = draft.find("tcp", "hdr_len").unwrap();
    assert!(draft.set_text(offset, 4, "22").unwrap_err().0.contains("multiple of 4"));
    assert!(draft.set_text(offset, 1, "16").unwrap_err().0.contains("0 to 15"));
}

#[test]
fn layers_come_and_go() {
    let mut draft = build("ip(dst=10.77.0.2)/tcp(flags=S, checksum=0)/\"x\"");
    let before = draft.clone();
    let eth = rawbench::wire::protocols::by_key("eth").unwrap();
    draft.insert_layer(0, eth).unwrap();
    assert_eq!(draft.bytes()[12..14], hex!("08 00"));
    let sum = draft.find("tcp", "checksum").unwrap();
    assert_eq!(draft.override_of(sum), Some(Override::Pinned));
    draft.remove_layer(0);
    assert!(draft == before);
}

#[test]
fn option_edits() {
    let mut draft = build("ip(dst=10.77.0.2)/tcp(flags=S, options=[mss(1460)])");
    draft.insert_option(1, 0, vec![1]).unwrap();
    assert_eq!(draft.bytes()[40..], hex!("01 02 04 05 b4 00 00 00"));
    assert_eq!(draft.options(1).len(), 2);
    draft.move_option(1, 0, 1).unwrap();
    assert_eq!(draft.bytes()[40..], hex!("02 04 05 b4 01 00 00 00"));
    draft.remove_option(1, 0).unwrap();
    assert_eq!(draft.bytes()[40..], hex!("01 00 00 00"));
    draft.remove_option(1, 0).unwrap();
    assert_eq!(draft.bytes().len(), 40);
    for _ in 0..11 {
        draft.insert_option(1, 0, vec![2, 4, 5, 0xb4]).unwrap();
    }
    assert!(draft.warnings().iter().any(|w| w.text.contains("44 bytes")));
}

#[test]
fn bytes_without_a_structure_are_replaced_as_they_are() {
    let typed = |list: &str, item: usize, text: &str| {
        let mut draft = build(&format!("ip(dst=10.77.0.2)/tcp(options=[{list}])"));
        let found = draft.view(1).item_fields(item, &draft.options(1)[item]);
        draft.set_text(found[0].path, 1, text).unwrap();
        hex_pairs(&draft.bytes()[40..]).to_lowercase()
    };
    assert_eq!(typed("hex(fe 09 aa bb)", 0, "fe 09 aa bc"), "fe 09 aa bc");
    assert_eq!(typed("hex(fe 09 aa bb)", 0, "fe 09 aa bc dd"), "fe 09 aa bc dd 00 00 00");
    assert_eq!(typed("hex(fe 09 aa bb)", 0, "fe 09 aa"), "fe 09 aa 00");
    assert_eq!(typed("nop, eol, hex(de ad)", 2, "be ef"), "01 00 be ef");
    // One with a structure keeps it.
    let mut draft = build("ip(dst=10.77.0.2)/tcp(options=[opt(70, aa bb)])");
    let data = draft.view(1).item_fields(0, &draft.options(1)[0]).pop().unwrap();
    draft.set_text(data.path, 1, "cc dd ee").unwrap();
    assert_eq!(draft.bytes()[40..], hex!("46 05 cc dd ee 00 00 00"));
}

fn keys(draft: &Draft) -> Vec<&'static str> {
    draft.options(1).iter().map(|s| s.item.key).collect()
}

#[test]
fn an_end_of_the_options_is_kept() {
    for (list, bytes, rows) in [
        ("wscale(7), eol", &hex!("03 03 07 00")[..], &["wscale", "eol"][..]),
        ("wscale(7)", &hex!("03 03 07 00"), &["wscale"]),
        ("sackOK, eol", &hex!("04 02 00 00"), &["sackOK", "eol"]),
        ("mss(1460), eol", &hex!("02 04 05 b4 00 00 00 00"), &["mss", "eol"]),
        ("eol", &hex!("00 00 00 00"), &["eol"]),
        ("wscale(7), eol, nop", &hex!("03 03 07 00 01 00 00 00"), &["wscale", "eol", "padding"]),
    ] {
        let mut draft = build(&format!("ip(dst=10.77.0.2)/tcp(options=[{list}])"));
        assert_eq!((&draft.bytes()[40..], keys(&draft).as_slice()), (bytes, rows), "{list}");
        for detail in [Detail::Short, Detail::Full] {
            let text = draft.notation(detail);
            let again = build(&text);
            assert_eq!((again.bytes(), keys(&again)), (draft.bytes(), keys(&draft)), "{text}");
            assert_eq!(text.contains("eol"), list.contains("eol"), "{text}");
        }
        // It stays with its layer, and through edits of other fields.
        draft.insert_layer(0, rawbench::wire::protocols::by_key("eth").unwrap()).unwrap();
        draft.remove_layer(0);
        draft.set(draft.find("tcp", "srcport").unwrap(), 7).unwrap();
        assert_eq!(keys(&draft), rows, "{list}");
    }
}

#[test]
fn an_end_of_the_options_comes_and_goes() {
    let mut draft = build("ip(dst=10.77.0.2)/tcp(options=[wscale(7)])");
    let before = draft.clone();
    draft.insert_option(1, 1, vec![0]).unwrap();
    assert_eq!((&draft.bytes()[40..], keys(&draft)), (&hex!("03 03 07 00")[..], vec!["wscale", "eol"]));
    assert!(draft != before, "the same bytes, and yet another packet in the making");
    draft.insert_option(1, 2, vec![1]).unwrap();
    assert_eq!(draft.bytes()[40..], hex!("03 03 07 00 01 00 00 00"));
    draft.remove_option(1, 2).unwrap();
    assert_eq!((&draft.bytes()[40..], keys(&draft)), (&hex!("03 03 07 00")[..], vec!["wscale", "eol"]));
    draft.remove_option(1, 1).unwrap();
    assert!(draft == before);
    // A zero that is typed for a kind.
    let mut draft = build("ip(dst=10.77.0.2)/tcp(options=[nop, nop, nop, nop])");
    let kind = |d: &Draft| d.view(1).item_fields(3, &d.options(1)[3])[0].path;
    draft.set(kind(&draft), 0).unwrap();
    assert_eq!(keys(&draft), ["nop", "nop", "nop", "eol"]);
    draft.set(kind(&draft), 1).unwrap();
    assert!(draft == build("ip(dst=10.77.0.2)/tcp(options=[nop, nop, nop, nop])"));
    // Captured zeros are padding, or an end where they are more than that.
    let load = |hex: &[u8]| Draft::from_bytes(101, hex, false);
    assert_eq!(keys(&load(build("ip(dst=10.77.0.2)/tcp(options=[wscale(7), eol])").bytes())), ["wscale"]);
    let mut loaded = load(build("ip(dst=10.77.0.2)/tcp(options=[mss(1460), eol])").bytes());
    assert_eq!(keys(&loaded), ["mss", "eol"]);
    loaded.remove_option(1, 0).unwrap();
    assert_eq!(keys(&loaded), ["eol"]);
}

/// What a raw IP socket writes over against the user's will.
fn changes(text: &str) -> Vec<String> {
    build(text).overwrites().into_iter().filter(|o| o.changes).map(|o| o.text).collect()
}

#[test]
fn a_pinned_zero_that_the_kernel_fills_in_is_a_change() {
    let over = "Source Address is pinned to 0.0.0.0, but the kernel fills it in";
    let wrong =
        |name| vec![format!("{over}, and the {name} checksum, computed over 0.0.0.0, will then be wrong")];
    assert_eq!(changes("ip(src=0.0.0.0, dst=10.77.0.2)/tcp(flags=S)"), wrong("TCP"));
    assert_eq!(changes("ip(src=0.0.0.0, dst=10.77.0.2)/udp/\"x\""), wrong("UDP"));
    for no_sum_over_it in ["udp(checksum=0)", "tcp(checksum=0x1234)", "icmp(type=8)"] {
        assert_eq!(changes(&format!("ip(src=0.0.0.0, dst=10.77.0.2)/{no_sum_over_it}")), [over]);
    }
    for kept in
        ["ip(dst=10.77.0.2)/tcp", "ip(dst=10.77.0.2, id=0)/tcp", "ip(src=10.0.0.1, dst=10.77.0.2)/tcp"]
    {
        assert!(changes(kept).is_empty(), "{kept}: {:?}", changes(kept));
    }
    let keys = |text: &str| build(text).overwrites().into_iter().map(|o| o.key).collect::<Vec<_>>();
    assert_eq!(keys("ip(dst=10.77.0.2)/tcp"), ["ip.len", "ip.id", "ip.checksum", "ip.src"]);
    assert_eq!(keys("ip(dst=10.77.0.2, src=10.0.0.1, id=1)/tcp"), ["ip.len", "ip.checksum"]);
}

#[test]
fn a_header_length_under_the_least_is_left_alone() {
    for ihl in 0..16 {
        let draft = build(&format!("ip(dst=10.77.0.2, src=0.0.0.0, len=1, ihl={ihl})/tcp"));
        assert_eq!(draft.overwrites().is_empty(), ihl < 5, "IHL {ihl}");
    }
}

#[test]
fn a_checksum_that_receivers_accept_is_no_warning() {
    // The acknowledgment number makes up for all the rest, so that a zero is computed.
    let at = |ack: u16, sum: u16| {
        build(&format!("ip(src=10.0.0.1, dst=10.0.0.2)/tcp(flags=S, ack={ack}, checksum={sum})"))
    };
    let plain = at(0, 0);
    let ack = rawbench::wire::checksum::compute(plain.bytes(), plain.layers(), 1).unwrap() as u16;
    let right = |d: &Draft| d.warnings().iter().any(|w| w.text.contains("right would be"));
    assert_eq!([0, 0xffff, 1].map(|sum| right(&at(ack, sum))), [false, false, true]);
    // A loaded packet keeps the one of the two zeros that it has.
    let loaded = Draft::from_bytes(101, at(ack, 0xffff).bytes(), false);
    assert_eq!(loaded.bytes(), at(ack, 0xffff).bytes());
    assert_eq!(loaded.override_of(loaded.find("tcp", "checksum").unwrap()), Some(Override::Pinned));
}

#[test]
fn a_bit_is_given_once() {
    for (fields, first, second) in [
        ("tcp(window=1, window_size_value=2)", "window", "window_size_value"),
        ("tcp(flags=S, flags.syn=0)", "flags", "flags.syn"),
        ("tcp(flags.syn=0, flags=S)", "flags.syn", "flags"),
        ("tcp(seq=1, seq_raw=1)", "seq", "seq_raw"),
        ("tcp(data_offset=5, hdr_len=20)", "data_offset", "hdr_len"),
    ] {
        let text = error(&format!("ip(dst=1.2.3.4)/{fields}"));
        let told = format!("{second} and {first} are values for the same bits: give one of them");
        assert!(text.ends_with(&told), "{text}");
        let carets = text.lines().nth(1).unwrap();
        let place = carets.len() - second.len();
        assert_eq!((&text[place..carets.len()], carets.trim()), (second, "^".repeat(second.len()).as_str()));
    }
    assert!(error("ip(dst=1.2.3.4, ihl=5, hdr_len=20)").contains("hdr_len and ihl are values"));
    assert!(error("ip(dst=1.2.3.4, tos=1, dsfield.ecn=1)").contains("dsfield.ecn and tos are values"));
    build("ip(dst=1.2.3.4, flags.df=1, frag=8)/tcp(flags.syn=1, flags.ack=1, window=1)");
}

#[test]
fn errors_show_the_place_and_the_nearest_name() {
    let text = error("ip(dst=10.77.0.2)/tcp(dstprt=80)");
    assert!(
        text.contains("\n                      ^^^^^^\n") && text.contains("did you mean dstport?"),
        "{text}"
    );
    assert!(error("tpc").contains("did you mean tcp?"));
    assert!(error("ip(dst=10.77.0.2)/tcp(dstport=70000)").contains("0 to 65535"));
    assert!(error("ip/tcp").contains("needs a destination"));
    assert!(error("ip(dst=1.2.3)/tcp").contains("IPv4 address"));
    assert!(error("ip(dst=1.2.3.4)/tcp(flags=X)").contains("no flag"));
    assert!(error("ip(dst=1.2.3.4)/tcp(options=[ms(4)])").contains("did you mean mss?"));
    assert!(error("ip(dst=1.2.3.4)/tcp(seq=1, seq=2)").contains("given twice"));
    assert!(error("ip(dst=1.2.3.4)/\"abc").contains("closing"));
    assert!(error("ip(dst=1.2.3.4)/hex(abc)").contains("odd number"));
    assert!(error("").contains("must follow"));
    assert!(error("ip(dst=1.2.3.4)/icmp(type=3, id=1)").contains("not there"));
}

#[test]
fn every_preset_builds_and_reads_back() {
    for preset in presets::ALL {
        let draft = build(&preset.to(None));
        for detail in [Detail::Short, Detail::Full] {
            let text = draft.notation(detail);
            assert_eq!(build(&text).bytes(), draft.bytes(), "{text}");
        }
    }
}

// ---- IPv6

/// An IPv6 packet from fd77::1 to fd77::2 with these bytes behind its header.
fn v6(next: u8, hlim: u8, rest: &[u8]) -> String {
    let head = hex!("60000000 0000 00 00 fd770000000000000000000000000001 fd770000000000000000000000000002");
    let mut packet = [&head[..], rest].concat();
    packet[5] = rest.len() as u8;
    packet[6..8].copy_from_slice(&[next, hlim]);
    hex_pairs(&packet)
}

/// As scapy builds them.
#[test]
fn golden_packets_over_ipv6() {
    let ip = "ipv6(src=fd77::1, dst=fd77::2";
    for (rest, next, hlim, bytes) in [
        (
            ")/tcp(srcport=40000, dstport=80, seq=1, flags=S)",
            6,
            64,
            &hex!("9c40 0050 00000001 00000000 5002 faf0 1d6e 0000")[..],
        ),
        (")/udp(srcport=40000, dstport=7)/\"hello\"", 17, 64, &hex!("9c40 0007 000d 24c8 68656c6c6f")),
        (")/icmpv6(id=0x0102, seq=3)/\"abc\"", 58, 64, &hex!("80 00 bf5f 0102 0003 616263")),
        (")/icmpv6(type=2, mtu=1280)", 58, 64, &hex!("02 00 fdca 00000500")),
        (")/icmpv6(type=4, code=1, pointer=6)", 58, 64, &hex!("04 01 00c4 00000006")),
        (
            ", hlim=255)/icmpv6(type=135, target=fd77::2, options=[slla(02:00:00:00:00:01)])",
            58,
            255,
            &hex!("87 00 7d36 00000000 fd770000000000000000000000000002 01 01 020000000001"),
        ),
        (
            ", hlim=255)/icmpv6(type=136, flags=SO, target=fd77::2, options=[tlla(02:00:00:00:00:02)])",
            58,
            255,
            &hex!("88 00 1b35 60000000 fd770000000000000000000000000002 02 01 020000000002"),
        ),
        (
            ", hlim=255)/icmpv6(type=133, options=[slla(02:00:00:00:00:01)])",
            58,
            255,
            &hex!("85 00 7cc0 00000000 01 01 020000000001"),
        ),
    ] {
        let draft = build(&format!("{ip}{rest}"));
        let found = rawbench::wire::checksum::verdict(draft.bytes(), draft.layers(), 1, false);
        assert_eq!(found, Some(rawbench::wire::checksum::Verdict::Good), "{rest}");
        assert_eq!(hex_pairs(draft.bytes()), v6(next, hlim, bytes), "{rest}");
    }
}

#[test]
fn options_of_neighbour_discovery_count_in_units_of_8_bytes() {
    let draft = build(
        "ipv6(dst=ff02::1, hlim=255)/icmpv6(type=134, flags=MO, lifetime=9, options=[prefix(64, LA, 100, 50, fd77::), \
         mtu(1400), redirected(60 00 11), opt(14, aa bb), hex(ff)])",
    );
    assert_eq!(
        hex_pairs(&draft.bytes()[44..]),
        hex_pairs(&hex!(
            "40 c0 0009 00000000 00000000"
            "03 04 40 c0 00000064 00000032 00000000 fd770000000000000000000000000000"
            "05 01 0000 00000578"
            "04 02 0000 00000000 60 00 11 00 00000000"
            "0e 01 aa bb 00 00 00 00"
            "ff"
        ))
    );
    let list: Vec<&str> = draft.options(1).iter().map(|s| s.item.key).collect();
    assert_eq!(list, ["prefix", "mtu", "redirected", "opt", "hex"]);
    assert!(draft.warnings().iter().any(|w| w.text.contains("no length byte")));
    // A receiver reads the same: the options go to the end of the message.
    assert_eq!(draft.reading_differs(), None);
    let text = draft.notation(Detail::Short);
    assert!(text.contains("prefix(64, AL, 100, 50, fd77::)"), "{text}");
    assert_eq!(build(&text).bytes(), draft.bytes(), "{text}");
    // What the short form does not tell is written as bytes.
    let mut odd = draft.bytes().to_vec();
    odd[71] = 7;
    let loaded = Draft::from_bytes(101, &odd, false);
    assert!(loaded.notation(Detail::Short).contains("opt(3, 40 c0"), "{}", loaded.notation(Detail::Short));
    let most = format!("ipv6(dst=::1)/icmpv6(type=133, options=[opt(9, {})])", "00".repeat(2039));
    assert!(error(&most).contains("at most 2040 bytes"));
    assert!(error("ipv6(dst=::1)/icmpv6(type=133, options=[mtu])").contains("mtu(MTU)"));
}

#[test]
fn an_option_without_length_ends_the_list_and_is_named() {
    let packet = build(
        "ipv6(dst=fd77::2, hlim=255)/icmpv6(type=133, options=[mtu(1500), hex(01 00 00 00 00 00 00 00)])",
    );
    let items = packet.view(1).items();
    assert_eq!(items.len(), 2);
    assert!(items[1].problem.as_ref().unwrap().contains("the length byte says 0"), "{items:?}");
    let long = build("ipv6(dst=fd77::2, hlim=255)/icmpv6(type=133, options=[hex(01 03 00 00 00 00 00 00)])");
    let problem = long.view(1).items()[0].problem.clone().unwrap();
    assert!(problem.contains("says 3 (24 bytes), 16 bytes more"), "{problem}");
}

#[test]
fn a_typed_type_gives_the_message_its_form_and_takes_nothing_away() {
    let mut draft = build(
        "ipv6(dst=fd77::2, hlim=255)/icmpv6(type=135, target=fd77::2, options=[slla(02:00:00:00:00:01)])/\"x\"",
    );
    let before = draft.clone();
    let kind = draft.find("icmpv6", "type").unwrap();
    // As somebody types 136 over the 135, key by key.
    for (typed, len) in [("1", 8), ("13", 4), ("136", 32)] {
        draft.set_text(kind, 1, typed).unwrap();
        assert_eq!((draft.layers()[1].len, draft.payload()), (len, &b"x"[..]), "{typed}");
        assert_eq!(draft.view(0).number("plen"), Some(len as u128 + 1), "{typed}");
    }
    assert_eq!(draft.view(1).text("target"), "fd77::2");
    assert_eq!(draft.options(1)[0].item.key, "slla");
    draft.set_text(kind, 1, "Redirect").unwrap();
    assert_eq!(draft.view(1).text("destination"), "::");
    assert_eq!(draft.layers()[1].len, 48);
    draft.set_text(kind, 1, "135").unwrap();
    assert!(draft == before);
    // Options that were taken out stay out.
    draft.remove_option(1, 0).unwrap();
    for typed in ["128", "133"] {
        draft.set_text(kind, 1, typed).unwrap();
    }
    assert_eq!((draft.options(1).len(), draft.layers()[1].len), (0, 8));
    assert_eq!(draft.view(1).value_name("type"), "Router solicitation");
    // New fields come with their defaults.
    let mut echo = build("ipv6(dst=fd77::2)/icmpv6(type=200)");
    assert_eq!(echo.layers()[1].len, 4);
    echo.set(echo.find("icmpv6", "type").unwrap(), 128).unwrap();
    assert_eq!((echo.view(1).number("id"), echo.view(1).number("seq")), (Some(1), Some(1)));
}

#[test]
fn a_type_whose_message_has_no_room_is_refused_and_nothing_changes() {
    let mut draft = build("ipv6(dst=fd77::2)/icmpv6(type=200)/zero(65535)/trailer(00)");
    draft.set_trailer(&vec![0; 0x2_0000 - 65535 - 44]).unwrap();
    let before = draft.clone();
    let kind = draft.find("icmpv6", "type").unwrap();
    assert!(draft.set(kind, 135).unwrap_err().0.contains("more than 131072"));
    assert!(draft == before);
}

#[test]
fn ipv6_says_what_it_lacks() {
    assert!(error("ipv6/tcp").contains("ipv6 needs a destination: ipv6(dst=…)"));
    assert!(error("ipv6(dst=10.77.0.2)/tcp").contains("an IPv6 address such as fd77::2"));
    assert!(error("ipv6(dst=::1, flow=0x100000)").contains("does not fit 20 bits"));
    assert!(error("ipv6(dst=::1)/icmpv6(options=[])").contains("no options with this type"));
    assert!(error("ipv6(dst=::1)/icmpv6(type=136, flags=X)").contains("is no flag"));
    assert!(error("ipv6(dst=::1)/icmpv6(type=136, flags=S, nd.na.flag.s=0)").contains("the same bits"));
    let alone = build("eth/ipv6(dst=::1)");
    assert_eq!(alone.bytes()[12..14], hex!("86 dd"));
    assert_eq!((alone.view(1).number("nxt"), alone.view(1).number("plen")), (Some(59), Some(0)));
    assert_eq!(build("ip(dst=1.2.3.4)/ipv6(dst=::1)/udp").bytes()[9], 41);
}

#[test]
fn a_raw_socket_leaves_an_ipv6_header_as_it_is() {
    let draft = build("ipv6(dst=fd77::2, plen=7, src=::)/udp(checksum=0)/\"x\"");
    assert!(draft.overwrites().is_empty(), "{:?}", draft.overwrites());
    let texts: Vec<String> = draft.warnings().into_iter().map(|w| w.text).collect();
    assert!(texts.iter().any(|t| t.contains("payload length says 7 bytes, the packet has 9")), "{texts:?}");
    assert!(texts.iter().any(|t| t.contains("IPv6 allows to tunnels alone (RFC 8200")), "{texts:?}");
}

#[test]
fn no_checksum_is_a_wrong_one_over_ipv6() {
    let verdict = |text: &str, left| {
        let draft = build(text);
        checksum::verdict(draft.bytes(), draft.layers(), 1, left).unwrap()
    };
    assert_eq!(verdict("ip(dst=1.2.3.4)/udp(checksum=0)", false), Verdict::Absent);
    let missing = verdict("ipv6(dst=::2)/udp(checksum=0)", false);
    assert!(matches!(missing, Verdict::Missing { .. }) && missing.is_bad());
    assert!(missing.text().contains("0 is not allowed over IPv6"));
    assert_eq!(verdict("ipv6(dst=::2)/udp(checksum=0)", true), Verdict::LeftToCard);
    assert_eq!(verdict("ipv6(dst=::2)/udp", true), Verdict::Good);
    assert_eq!(verdict("ipv6(dst=::2)/udp(checksum=1)", true), Verdict::LeftToCard);
    assert!(matches!(verdict("ipv6(dst=::2)/icmpv6(checksum=1)", false), Verdict::Bad { .. }));
    // A sum of zero goes out as all ones there too (RFC 8200 section 8.1).
    let mut draft = build("ipv6(src=::, dst=::)/udp(srcport=0, dstport=0)/hex(00 00)");
    let sum = draft.bytes()[46..48].to_vec();
    draft.set_payload(&sum).unwrap();
    assert_eq!(draft.bytes()[46..48], hex!("ff ff"));
}

#[test]
fn extension_headers_are_layers_and_nothing_is_claimed_of_later_fragments() {
    let later = build("ipv6(src=fd77::1, dst=fd77::2)/ipv6.fraghdr(nxt=6, offset=9, id=5)/hex(06 00 01 04)");
    let row = rawbench::wire::summary::row(101, later.bytes());
    assert_eq!(
        (row.protocol, row.info.as_str()),
        ("IPv6 frag", "fragment 72 to 76 of TCP id 0x00000005, the last")
    );
    let first = build("ipv6(src=fd77::1, dst=fd77::2)/ipv6.fraghdr(more=1)/udp/hex(00 01 02 03 04 05 06 07)");
    let verdict = checksum::verdict(first.bytes(), first.layers(), 2, false);
    assert_eq!(verdict, Some(Verdict::NotCovered("fragment")));
    // A header of options that is filled up, lengths computed, and edited.
    let mut draft = build("ipv6(src=fd77::1, dst=fd77::2)/ipv6.hopopts/tcp");
    assert_eq!(draft.bytes()[40..48], hex!("06 00 00 00 00 00 00 00"));
    draft.set_options(1, &[hex!("05 02 00 00").to_vec(), hex!("c9 03 01 02 03").to_vec()]).unwrap();
    assert_eq!(draft.bytes()[40..56], hex!("06 01 05 02 00 00 c9 03 01 02 03 00 00 00 00 00"));
    assert!(draft.warnings().iter().any(|w| w.layer == 1 && w.text.contains("Home Address")));
    draft.set_options(1, &[]).unwrap();
    assert_eq!(draft.bytes()[40..48], hex!("06 00 00 00 00 00 00 00"));
}

#[test]
fn the_pseudo_header_takes_the_ends_that_the_options_say() {
    for (text, label) in [
        ("ip(src=1.2.3.4, dst=5.6.7.8, options=[lsrr(4, 9.9.9.9)])/udp", "final destination of the route"),
        (
            "ipv6(dst=::2)/ipv6.routing(type=0, segleft=1, addresses=[addr(::3)])/tcp",
            "final destination of the route",
        ),
        ("ipv6(dst=::2)/ipv6.dstopts(options=[home(::3)])/tcp", "home address"),
    ] {
        let draft = build(text);
        let last = draft.layers().len() - 1;
        let work = checksum::work(draft.bytes(), draft.layers(), last).unwrap();
        assert!(work.pseudo.iter().any(|w| w.label == label), "{text}");
        assert!(work.is_accepted(), "{text}");
    }
    let draft = build("ip(src=1.2.3.4, dst=5.6.7.8, options=[lsrr(8, 9.9.9.9)])/udp");
    let work = checksum::work(draft.bytes(), draft.layers(), 1).unwrap();
    assert!(work.pseudo.iter().all(|w| w.label != "final destination of the route"));
}

/// A packet with these extension headers.
fn extended(next: &str, headers: &str) -> Just<Vec<u8>> {
    let bytes = |text: &str| rawbench::wire::value::parse_hex(text).unwrap();
    let mut packet = hex!("02000000000102000000000286dd" "600000000050").to_vec();
    packet.extend(bytes(next));
    packet.extend(hex!("40" "fd770000000000000000000000000001" "fd770000000000000000000000000002"));
    // Digits without a space between are pairs too.
    packet.extend(bytes(headers));
    Just(packet)
}

fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just(hex!("02000000000102000000000208004500003c00004000400600000a4d00010a4d0002").to_vec()),
        Just(hex!("02000000000102000000000208004600002c00004000401100000a4d00010a4d000201010100").to_vec()),
        Just(hex!("02000000000102000000000208004500005400004000400100000a4d00010a4d0002").to_vec()),
        Just(hex!("0200000000010200000000020800450000540000400040010000" "0a4d00010a4d00020301000000000000" "4500003c0000400040060000" "0a4d00020a4d0001").to_vec()),
        Just(hex!("02000000000102000000000286dd" "600000000020063f" "fd770000000000000000000000000001" "fd770000000000000000000000000002").to_vec()),
        Just(hex!("02000000000102000000000286dd" "6000000000503aff" "fe800000000000000000000000000001" "ff020000000000000000000000000001" "86000000400807080000000000000000" "05010000000005dc").to_vec()),
        Just(hex!("02000000000102000000000286dd" "6000000000283aff" "fe800000000000000000000000000001" "ff020000000000000000000000000001" "87000000").to_vec()),
        Just(hex!("02000000000102000000000286dd" "6000000000403a40" "fd770000000000000000000000000002" "fd770000000000000000000000000001" "01040000" "00000000" "600000000009113f" "fd770000000000000000000000000001").to_vec()),
        extended("00", "06 00 05 02 00 00 01 00"),
        extended("3c", "2b 02 01 02 00 00 c9 10 fd770000000000000000000000000009 11 02 00 01"),
        extended("2b", "3c 02 04 01 00 00 00 07 fd770000000000000000000000000009 06 00 01 03 00 00 00 00"),
        extended("2b", "2c 02 00 01 00 00 00 00 fd770000000000000000000000000009 3a 00 00 01 00 00 00 00"),
        extended("2b", "33 02 03 01 00 00 00 00 fd770000000000000000000000000009 06 04 00 00"),
        extended("33", "11 04 00 00 00 00 00 01 00 00 00 02 01 02 03 04 05 06 07 08 09 0a 0b 0c"),
        extended("2c", "3b 01 00 08 00 00 00 02"),
        Just(Vec::new()),
    ];
    (head, proptest::collection::vec(any::<u8>(), 0..90)).prop_map(|(mut h, t)| {
        h.extend(t);
        h
    })
}

proptest! {
    #[test]
    fn loaded_bytes_are_kept(bytes in plausible()) {
        let draft = Draft::from_bytes(1, &bytes, false);
        prop_assert_eq!(draft.bytes(), &bytes[..]);
    }

    #[test]
    fn what_is_printed_reads_back(bytes in plausible()) {
        let draft = Draft::from_bytes(1, &bytes, false);
        for detail in [Detail::Short, Detail::Full] {
            let text = draft.notation(detail);
            let again = Draft::from_notation(&text, &mut Nothing);
            prop_assert!(again.is_ok(), "{}", again.unwrap_err().render(&text));
            let again = again.unwrap();
            prop_assert_eq!(again.bytes(), draft.bytes(), "{}", text);
        }
    }

    #[test]
    fn no_notation_panics(text in "[a-z(=,/)\"\\[\\]0-9. \\\\x]{0,40}") {
        let _ = Draft::from_notation(&text, &mut Nothing).map_err(|e| e.render(&text));
    }

    #[test]
    fn near_notation_never_panics(at in 0usize..120, with in "[\\PC]{0,3}") {
        let mut text = String::from("eth/ip(dst=10.77.0.2, ttl=64)/tcp(seq=1, flags=S, options=[mss(1460), sack(1-2), opt(9, aa)])/\"GET\\r\\n\"/trailer(00)");
        let at = at.min(text.len());
        text.replace_range(at..(at + 2).min(text.len()), &with);
        let _ = Draft::from_notation(&text, &mut Nothing).map_err(|e| e.render(&text));
    }

    #[test]
    fn an_edit_never_leaves_a_stale_checksum(payload in proptest::collection::vec(any::<u8>(), 0..600), port: u16, udp: bool) {
        let mut draft = build(if udp { "eth/ip(dst=10.77.0.2)/udp" } else { "eth/ip(dst=10.77.0.2)/tcp(flags=S)" });
        draft.set_payload(&payload).unwrap();
        draft.set(draft.find(if udp { "udp" } else { "tcp" }, "srcport").unwrap(), u128::from(port)).unwrap();
        let sliced = etherparse::SlicedPacket::from_ethernet(draft.bytes()).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no ip") };
        prop_assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
        match sliced.transport.as_ref().unwrap() {
            etherparse::TransportSlice::Tcp(t) => prop_assert_eq!(
                t.to_header().calc_checksum_ipv4(&ip.header().to_header(), t.payload()).unwrap(), t.checksum()),
            etherparse::TransportSlice::Udp(u) => prop_assert_eq!(
                u.to_header().calc_checksum_ipv4(&ip.header().to_header(), u.payload()).unwrap(), u.checksum()),
            _ => prop_assert!(false),
        }
    }
}

#[test]
fn a_value_of_some_bits_of_swapped_bytes_leaves_the_others() {
    let draft = build("wlan(frag=7, seq=0xabc)");
    assert_eq!(draft.bytes()[22..24], hex!("c7 ab"));
    assert!(error("wlan(seq_ctl=1, seq=1)").contains("values for the same bits"));
    assert!(error("wlan(seq=4096)").contains("4096 does not fit 12 bits"), "{}", error("wlan(seq=4096)"));
}

#[test]
fn a_second_name_of_a_computed_length_pins_it() {
    let draft = build("ipv6(dst=fd77::2)/ipv6.dstopts(dstopts.len_oct=32)");
    assert_eq!(draft.bytes()[40..42], hex!("3b 03"));
    for wrong in [
        "ipv6(dst=fd77::2)/ipv6.dstopts(dstopts.len_oct=0)",
        "ipv6(dst=fd77::2)/ipv6.dstopts(dstopts.len_oct=9)",
    ] {
        let said = error(wrong);
        assert!(said.contains("must be 8 to 2048 in steps of 8"), "{said}");
    }
}

#[test]
fn tlvs_of_segment_routing_are_none_of_the_segments() {
    let hmac =
        "01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f 20";
    let text = format!(
        "ipv6(src=fd77::1, dst=fd77::2)/ipv6.routing(segleft=1, addresses=[addr(fd77::5), addr(fd77::6), \
         tlvs(tlvs=[hmac(1, 7, {hmac})])])/udp"
    );
    let mut draft = build(&text);
    // Length, type, segments left, last entry; then a TLV of 40 bytes.
    assert_eq!(draft.bytes()[41..45], hex!("09 04 01 01"));
    assert_eq!(draft.bytes()[80..88], hex!("05 26 80 00 00 00 00 07"));
    let loaded = Draft::from_bytes(101, draft.bytes(), false);
    let short = loaded.notation(Detail::Short);
    assert!(!short.contains("last_entry"), "computed, so not pinned: {short}");
    assert_eq!(build(&short).bytes(), draft.bytes());
    // One segment fewer, one TLV more.
    draft.remove_option(1, 0).unwrap();
    assert_eq!(draft.bytes()[41..45], hex!("07 04 01 00"));
    let tlvs = draft.options(1).iter().position(|s| s.item.key == "tlvs").unwrap();
    draft.insert_inner(1, tlvs, 1).unwrap();
    assert_eq!(draft.bytes()[44], 0);
    let keys: Vec<&str> = draft.options(1).iter().map(|s| s.item.key).collect();
    assert_eq!(keys[..4], ["addr", "tlvs", "hmac", "padn"]);
}

#[test]
fn the_last_address_of_a_compressed_route_stands_in_the_pseudo_header() {
    let ip = "ipv6(src=fd77::1, dst=fd77::a)";
    let route = "ipv6.routing(type=3, segleft=2, routing.rpl.cmprI=14, routing.rpl.cmprE=14, routing.rpl.pad=4, \
                 addresses=[data(00 01 00 02 00 00 00 00)])";
    let sum = |text: &str| {
        let draft = build(text);
        let at = draft.layers().last().unwrap().start + 6;
        draft.bytes()[at..at + 2].to_vec()
    };
    let whole = "ipv6.routing(type=0, segleft=2, addresses=[addr(fd77::1), addr(fd77::2)])";
    assert_eq!(sum(&format!("{ip}/{route}/udp")), sum(&format!("{ip}/{whole}/udp")));
    assert_ne!(sum(&format!("{ip}/{route}/udp")), sum(&format!("{ip}/udp")));
}
