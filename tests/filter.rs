//! The filter language: what it refuses, and where; which reading holds; that no text and no packet is too much for it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use cli::{rawbench, stderr, stdout};
use proptest::prelude::*;
use rawbench::filter::{Facts, Filter, Packet, Reading, Target, bpf};
use rawbench::wire::dissect::Dissection;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/corpus/ethernet.pcap");

/// What is marked in a wrong filter, and the message.
fn wrong(source: &str) -> (String, String) {
    let error = Filter::display(source).expect_err(source);
    (source.get(error.at.clone()).unwrap().to_owned(), error.message)
}

#[test]
fn a_wrong_filter_shows_its_place_and_what_would_be_right() {
    let cases = [
        ("tcp.prt == 80", "tcp.prt", "tcp.port"),
        ("tpc", "tpc", "did you mean tcp?"),
        ("tcp.port == http", "http", "no number"),
        ("tcp.port == 70000", "70000", "65535"),
        ("ip.src == 10.0.0", "10.0.0", "IPv4 address"),
        ("ip.src == 10.0.0.0/33", "10.0.0.0/33", "IPv4 address"),
        ("eth.src == 02:00", "02:00", "MAC address"),
        ("tcp.flags.syn == perhaps", "perhaps", "True or False"),
        ("ip.src == tcp.port", "ip.src == tcp.port", "cannot be compared"),
        ("ip.ttl contains 1", "ip.ttl", "only bytes and text"),
        ("ip.ttl matches \"1\"", "ip.ttl", "string(…)"),
        ("frame matches \"[a\"", "\"[a\"", "unclosed"),
        ("tcp.port = 80", "=", "=="),
        ("tcp.port == 80 udp", "udp", "operator"),
        ("(tcp", "", "')'"),
        ("tcp and", "", "must follow"),
        ("ip.ttl[0] == 1", "ip.ttl", "slices"),
        ("tcp[5-3]", "[5-3]", "behind"),
        ("tcp[x]", "[x]", "slice"),
        ("frame contains \"a", "\"", "not closed"),
        ("len(tcp)", "len(tcp)", "compared"),
        ("lenn(tcp) == 1", "lenn", "did you mean len?"),
        ("tcp.port in {80, http}", "http", "no number"),
        ("tcp.port in {80 443}", "443", "','"),
        ("tcp.analysis.flags == 1", "1", "write the key alone"),
        (
            "tcp.analysis.flags == tcp.analysis.flags",
            "tcp.analysis.flags == tcp.analysis.flags",
            "cannot be compared",
        ),
        (
            "tcp.analysis.retransmision",
            "tcp.analysis.retransmision",
            "did you mean tcp.analysis.retransmission",
        ),
        ("ip.proto == \"TPC\"", "\"TPC\"", "did you mean"),
        ("host 10.0.0.300", "10.0.0.300", "no address"),
        ("port htpp", "htpp", "no service"),
        ("tcp prt 80 and host 10.0.0.1", "prt", "did you mean port"),
        ("host prt", "prt", "no address"),
        ("net 10.0.0.1/8", "10.0.0.1", "must be zero"),
        ("host 1.2.3.4 and prot 80", "prot", "did you mean port"),
        ("tcp[tcpflag] & tcp-syn != 0", "tcpflag", "did you mean tcpflags"),
        ("host 10.0.0.1 or gateway x", "gateway", "does not have"),
        ("ip[0:3] = 1 and host 10.0.0.1", "3", "1, 2 or 4"),
        ("port 80 and ip[2:2] / 0 = 1", "/ 0", "zero"),
    ];
    for (source, place, hint) in cases {
        let (marked, message) = wrong(source);
        assert_eq!(marked, place, "{source}: {message}");
        assert!(message.contains(hint), "{source}: {message}");
    }
}

#[test]
fn a_word_of_tcpdumps_decides_for_its_reading() {
    for (source, reading) in [
        ("tcp", Reading::Display),
        ("tcp or udp and ip", Reading::Display),
        ("tcp[13] & 2 == 2", Reading::Display),
        ("vlan", Reading::Display),
        ("len(tcp) > 20", Reading::Display),
        ("frame contains \"host\"", Reading::Display),
        ("tcp and host 10.0.0.1", Reading::Capture),
        ("tcp[tcpflags] & tcp-syn != 0", Reading::Capture),
        ("ip6", Reading::Capture),
        ("vlan 100", Reading::Capture),
        ("ip[2:2] - ((ip[0]&0xf)<<2) > 20", Reading::Capture),
        ("tcp.port == 80 or port 53", Reading::Capture),
    ] {
        assert_eq!(Filter::display(source).unwrap().reading(), reading, "{source}");
    }
    assert_eq!(Filter::capture("tcp").unwrap().reading(), Reading::Capture);
}

/// Tests in Wireshark's words, next to which tcpdump's must be read. No name of a service is among them: behind `port 80 or`
/// it is a port, as pcap-filter(7) has it.
const WIRESHARKS: [&str; 10] = [
    "tcp.port == 80",
    "ip.ttl - 1 > 2",
    "tcp.flags.syn == 1",
    "dns",
    "icmpv6",
    "tcp.port in {1..1024, 8080}",
    "frame contains \"host ] \"",
    "tcp contains \"a\"",
    "len(udp) > 4",
    "not dns.qry.name matches \"^a\"",
];

/// The same in tcpdump's.
const TCPDUMPS: [&str; 10] = [
    "host 10.0.0.1",
    "ether proto \\ip",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
    "ip[2:2] - ((ip[0]&0xf)<<2) > 20",
    "(port 80 or port 53)",
    "ether host 02-00-00-00-00-01",
    "not src net 10.0.0.0/8",
    "less 128",
    "ip proto \\tcp",
    "vlan 100",
];

#[test]
fn words_of_both_may_stand_in_any_order() {
    let (file, mut indexer) = rawbench::pcap::CaptureFile::begin(std::path::Path::new(CORPUS)).unwrap();
    indexer.run(&mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let mut packets = Vec::new();
    for position in 0..file.len() {
        let mut bytes = Vec::new();
        file.read_packet(position, &mut bytes).unwrap();
        packets.push(bytes);
    }
    let mut passed = [0usize; 2];
    for (one, other) in WIRESHARKS.iter().flat_map(|w| TCPDUMPS.map(|t| (*w, t))) {
        for (n, join) in ["and", "||"].iter().enumerate() {
            let texts = [format!("{one} {join} {other}"), format!("{other} {join} {one}")];
            for read in [Filter::display, Filter::capture] {
                let filters = texts.each_ref().map(|text| {
                    let filter = read(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
                    assert_eq!(filter.reading(), Reading::Capture, "{text}");
                    filter
                });
                for bytes in packets.iter().step_by(29) {
                    let found = passes(&filters[0], bytes);
                    passed[n] += usize::from(found);
                    assert_eq!(found, passes(&filters[1], bytes), "{texts:?}");
                }
            }
        }
    }
    assert!(passed.iter().all(|n| *n > 10), "{passed:?}");
}

#[test]
fn what_is_wrong_is_wrong_in_any_order() {
    for (one, other) in
        [("tcp.port ==", "host 10.0.0.1"), ("tcp.prt == 1", "port 80"), ("tcp.port == \\a", "port 80")]
    {
        for text in [format!("{one} and {other}"), format!("{other} and {one}")] {
            let error = Filter::capture(&text).expect_err(&text);
            let at = text.find(one).unwrap();
            // The place is within the part that is wrong, or where it should have gone on.
            assert!(error.at.start >= at && error.at.start <= at + one.len() + 1, "{}", error.render(&text));
        }
    }
}

/// Whether an Ethernet frame passes.
fn passes(filter: &Filter, bytes: &[u8]) -> bool {
    let mut found = Dissection::default();
    filter.dissect(1, bytes, &mut found);
    let facts = Facts { number: 1, original: bytes.len() as u32, link_type: 1, ..Facts::default() };
    filter.matches(&Packet { bytes, found: &found, facts, flows: &[] })
}

#[test]
fn and_and_or_bind_alike_beside_tcpdumps_words_alone() {
    // ARP: neither TCP nor IP.
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    assert!(passes(&Filter::display("arp or tcp and ip").unwrap(), &arp));
    assert!(!passes(&Filter::capture("arp or tcp and ip").unwrap(), &arp));
}

#[test]
fn what_bpf_cannot_say_is_named() {
    for (source, part) in [
        ("tcp.port == 80", "tcp.port"),
        ("host 10.0.0.1 and dns.qry.name == \"a\"", "dns.qry.name"),
        ("host 10.0.0.1 and frame contains \"a\"", "contains"),
    ] {
        let refused = Filter::capture(source).unwrap().bpf(Target::Bytes(1), 64).unwrap_err();
        assert!(refused.contains(part), "{source}: {refused}");
    }
    let on_any = Filter::capture("ether host 02:00:00:00:00:01").unwrap().bpf(Target::Any, 64);
    assert!(on_any.unwrap_err().contains("choose an interface"));
}

#[test]
fn a_program_is_printed_as_tcpdump_prints_it() {
    let program =
        Filter::capture("udp port 53 or len > 100").unwrap().bpf(Target::Bytes(1), 262_144).unwrap();
    let text = bpf::text(&program);
    for line in [
        "(000) ldh      [12]",
        "ldxb     4*([14]&0xf)",
        "ldh      [x + 16]",
        "ld       #pktlen",
        "ret      #262144",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn long_programs_jump_as_far_as_they_must() {
    let many: Vec<String> = (1..200).map(|n| format!("port {n}")).collect();
    let filter = Filter::capture(&many.join(" or ")).unwrap();
    let refused = filter.bpf(Target::Bytes(1), 64);
    assert!(refused.unwrap_err().contains("4096"));
    let some = Filter::capture(&many[..100].join(" or ")).unwrap();
    let program = some.bpf(Target::Bytes(1), 64).unwrap();
    for (port, expected) in [(100u8, true), (101, false)] {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0xff, 0xff, 0, port, 0, 8, 0, 0]);
        let aside = bpf::Aside::default();
        assert_eq!(bpf::run(&program, &frame, frame.len() as u32, &aside), if expected { 64 } else { 0 });
        assert_eq!(passes(&some, &frame), expected);
    }
}

#[test]
fn the_command_line_filters_in_every_form() {
    let numbers = stdout(&rawbench(&["read", CORPUS, "-Y", "arp", "-e", "frame.number"]));
    let count = stdout(&rawbench(&["read", CORPUS, "-Y", "arp", "--count"]));
    let number: usize = count.trim().parse().unwrap();
    assert!(number > 2 && numbers.lines().count() == number, "{count}: {numbers}");
    for form in ["--hex", "--json", "--notation"] {
        let printed = stdout(&rawbench(&["read", CORPUS, "-Y", "arp", form]));
        assert_eq!(printed.lines().count(), number, "{form}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.pcapng");
    let file = file.to_str().unwrap();
    assert!(rawbench(&["read", CORPUS, "-Y", "arp", "-w", file]).status.success());
    assert_eq!(stdout(&rawbench(&["read", file, "--count"])), count);
    let wrong = rawbench(&["read", CORPUS, "-Y", "tcp.prt == 1"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("tcp.prt == 1\n^^^^^^^\n"), "{}", stderr(&wrong));
}

/// Pieces of filters, to put together at random.
const PIECES: [&str; 48] = [
    "tcp", "ip.addr", "==", "!=", "10.0.0.1", "/8", "and", "or", "not", "(", ")", "[", "]", "{", "}", "13",
    ":", "..", "-", "&", "0x", "\"", "'", "\\", "#", "len", "host", "net", "port", "vlan", "src", "dst",
    "proto", ",", "in", "matches", "contains", "frame", "~", "any", "all", "é", "tcpflags", "^", "<<", "r\"",
    "::", "%",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_too_much(pieces in prop::collection::vec((0..PIECES.len(), any::<bool>()), 0..24), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let text: String = pieces.iter().map(|(n, space)| PIECES[*n].to_owned() + if *space { " " } else { "" }).collect();
        for filter in [Filter::display(&text), Filter::capture(&text)] {
            match filter {
                Ok(filter) => {
                    passes(&filter, &bytes);
                    let _ = filter.bpf(Target::Interface(1), 64);
                }
                Err(error) => {
                    prop_assert!(text.get(error.at.clone()).is_some(), "{text}: {:?}", error.at);
                    prop_assert!(error.render(&text).contains(&error.message));
                }
            }
        }
    }

    #[test]
    fn no_characters_are_too_much(text in ".{0,40}") {
        let _ = Filter::display(&text);
        let _ = Filter::capture(&text);
    }
}

#[test]
fn depth_and_length_are_bounded() {
    for source in
        ["(".repeat(100_000), "not ".repeat(100_000), "-".repeat(100_000), "host 1.1.1.1 or ".repeat(50_000)]
    {
        assert!(Filter::display(&source).is_err());
        assert!(Filter::capture(&source).is_err());
    }
    // Sums make a tree as deep as there are of them.
    let sums = |first: &str, count: usize| format!("{first}{} > 0", " + 1".repeat(count));
    assert!(
        Filter::display(&sums("ip.len", 200)).is_ok() && Filter::display(&sums("ip.len", 2_000)).is_err()
    );
    assert!(Filter::capture(&sums("len", 1_000)).is_ok() && Filter::capture(&sums("len", 60_000)).is_err());
    assert!(Filter::display(&format!("frame matches \"{}\"", "(a{1000}){1000}")).is_err());
}

#[test]
fn numbers_that_do_not_fit_have_no_value() {
    let filter =
        Filter::display("abs(ip.version * -1 * 0x8000000000000000 * 0x4000000000000000) > 0").unwrap();
    assert!(!passes(&filter, &hex_literal::hex!("45000014 00000000 40000000 0a000001 0a000002")));
}

#[test]
fn escaped_quotes_do_not_end_a_text() {
    let filter = Filter::display(r#"frame contains "\"host\":" or udp and tcp"#).unwrap();
    assert_eq!(filter.reading(), rawbench::filter::Reading::Display);
}

#[test]
fn checksums_can_be_asked_for_what_they_are_worth() {
    // Ethernet, IPv4 without a right checksum, UDP without one.
    let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 19, 136, 0, 8, 0, 0]);
    let holds = |text: &str, bytes: &[u8]| passes(&Filter::display(text).unwrap(), bytes);
    assert!(holds("ip.checksum.status == 0", &packet));
    assert!(holds("ip.checksum.status == \"Bad\" && udp.checksum.status == \"Not present\"", &packet));
    packet[24..26].copy_from_slice(&[0x66, 0xd1 - 2]);
    assert!(holds("ip.checksum.status == Good", &packet));
    assert!(!holds("tcp.checksum.status", &packet));
    assert!(Filter::display("eth.checksum.status == 0").is_err());
}
