//! Two packets side by side: every byte is looked at, what a NAT or a router did is told, and a cut is no difference.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/samples.rs"]
mod samples;

use rawbench::wire::compare::{Change, Comparison, Cut, Row, Side, Way, compare};
use rawbench::wire::value::hex_pairs;

const RAW: u32 = 101;
const ETHERNET: u32 = 1;
const KEPT: Way = Way { raw_socket: false };
const RAW_SOCKET: Way = Way { raw_socket: true };

fn packet(notation: &str) -> Vec<u8> {
    samples::build(notation).bytes().to_vec()
}

fn whole(link_type: u32, bytes: &[u8]) -> Side<'_> {
    Side::captured(link_type, bytes, bytes.len())
}

/// Keys (labels where there are none), both values and the reason of what differs.
fn told(found: &Comparison) -> Vec<(String, String, String, String)> {
    let name = |row: &Row| if row.key.is_empty() { row.label.clone() } else { row.key.clone() };
    let one = |row: &Row| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        (name(row), text(&row.asked), text(&row.seen), text(&row.why))
    };
    found.changed().map(|(_, row)| one(row)).collect()
}

fn row<'a>(found: &'a Comparison, key: &str) -> &'a Row {
    let rows = found.sections.iter().flat_map(|s| &s.rows);
    { rows }.find(|r| r.key == key || r.label == key).unwrap_or_else(|| panic!("no row {key}"))
}

#[test]
fn a_packet_is_itself_and_no_byte_changes_unseen() {
    let all = samples::samples_and_corpus();
    assert!(all.len() > 2000, "{}", all.len());
    let mut dice = fastrand::Rng::with_seed(7);
    let (mut changed, mut quotes) = (0, 0);
    for (link, bytes) in &all {
        let side = whole(*link, bytes);
        let found = compare(&side, &side, KEPT);
        assert_eq!(found.differences(), 0, "{}: {:?}", hex_pairs(bytes), told(&found));
        assert_eq!(found.not_there(), 0);
        assert!(found.sections.iter().all(|s| !s.is_lone()));
        if bytes.is_empty() {
            continue;
        }
        // Another byte is another packet, wherever it stands.
        let mut other = bytes.clone();
        other[dice.usize(..bytes.len())] ^= 1 << dice.u32(..8);
        let found = compare(&side, &whole(*link, &other), KEPT);
        assert!(found.differences() > 0, "{} and {}", hex_pairs(bytes), hex_pairs(&other));
        changed += 1;
        // Cut by the capture anywhere, nothing of it is another.
        let cut = &bytes[..dice.usize(..bytes.len())];
        let _ = compare(&side, &Side::captured(*link, cut, bytes.len()), RAW_SOCKET);
        if let Some(quote) = side.clone().quote() {
            let own = compare(&side, &quote, KEPT);
            assert_eq!(own.cut, Some(Cut::Quoted));
            assert_eq!(compare(&quote, &quote, KEPT).differences(), 0, "{}", hex_pairs(bytes));
            quotes += 1;
        }
    }
    assert!(changed > 2000 && quotes > 20, "{changed}, {quotes}");
}

#[test]
fn any_two_packets_can_be_compared() {
    let all = samples::samples_and_corpus();
    let mut dice = fastrand::Rng::with_seed(8);
    for _ in 0..3000 {
        let ((a, one), (b, other)) = (&all[dice.usize(..all.len())], &all[dice.usize(..all.len())]);
        let found = compare(&whole(*a, one), &whole(*b, other), RAW_SOCKET);
        assert!(one != other || a != b || found.differences() == 0);
        let _ = whole(*b, other).quote().map(|q| compare(&whole(*a, one).from_network(), &q, KEPT));
    }
}

#[test]
fn what_the_kernel_writes_is_told_with_its_reason() {
    let asked = packet("ip(src=10.77.0.1, dst=10.77.0.2, id=0)/tcp(flags=S, options=[mss(1460)])");
    let seen = packet(
        "eth(dst=02:00:00:00:00:02, src=02:00:00:00:00:01)/ip(src=10.77.0.1, dst=10.77.0.2, id=0x1234)/\
         tcp(flags=S, options=[mss(1460)])",
    );
    let found = compare(&whole(RAW, &asked), &whole(ETHERNET, &seen), RAW_SOCKET);
    let told = told(&found);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].0, "ip.id");
    assert_eq!((told[0].1.as_str(), told[0].2.as_str()), ("0x0000", "0x1234"));
    assert_eq!(told[0].3, "0 was asked for: the kernel fills it in");
    assert_eq!(told[1].0, "ip.checksum");
    assert_eq!(told[1].3, "the kernel writes it; right for what was seen");
    // The link header was asked of the kernel: it is shown, and no difference.
    let lone: Vec<_> = found.lone().map(|s| (s.short(), s.change, s.expected)).collect();
    assert_eq!(lone, [("Ethernet", Change::Added, true)]);
    assert_eq!(found.differences(), 2);
    // The same on a link: somebody put a header there.
    let found = compare(&whole(RAW, &asked), &whole(ETHERNET, &seen), KEPT);
    assert_eq!(found.differences(), 3);
    assert_eq!(told_why(&found, "ip.id"), None);
}

fn told_why(found: &Comparison, key: &str) -> Option<String> {
    row(found, key).why.clone()
}

#[test]
fn a_link_header_that_a_raw_socket_leaves_out_is_shown() {
    let asked = packet("eth()/ip(src=10.77.0.1, dst=10.77.0.2, id=1)/udp()/\"x\"");
    let found = compare(&whole(ETHERNET, &asked), &whole(RAW, &asked[14..]), RAW_SOCKET);
    let lone: Vec<_> = found.lone().map(|s| (s.change, s.expected, s.why.unwrap())).collect();
    assert_eq!(lone, [(Change::Missing, true, "not sent: a raw IP socket begins with the IP header")]);
    assert_eq!(found.differences(), 0);
}

#[test]
fn a_tag_that_was_put_in_stands_between_the_layers_of_both() {
    let rest = "ip(src=10.77.0.1, dst=10.77.0.2)/tcp(flags=S)";
    let (asked, seen) = (packet(&format!("eth()/{rest}")), packet(&format!("eth()/vlan(id=7)/{rest}")));
    let found = compare(&whole(ETHERNET, &asked), &whole(ETHERNET, &seen), KEPT);
    let order: Vec<_> = found.sections.iter().map(|s| (s.short(), s.change)).collect();
    assert_eq!(
        order,
        [("Ethernet", Change::Same), ("VLAN", Change::Added), ("IPv4", Change::Same), ("TCP", Change::Same)]
    );
    // The tag, and the number in front of it that says there is one.
    assert_eq!(told(&found).iter().map(|t| t.0.as_str()).collect::<Vec<_>>(), ["eth.type"]);
    assert_eq!(found.differences(), 2);
    assert_eq!(row(&found, "vlan.id").seen.as_deref(), Some("7"));
    assert_eq!(row(&found, "vlan.id").asked, None);
    // And the other way round.
    let back = compare(&whole(ETHERNET, &seen), &whole(ETHERNET, &asked), KEPT);
    assert_eq!(back.lone().map(|s| s.change).collect::<Vec<_>>(), [Change::Missing]);
}

#[test]
fn of_two_headers_of_one_kind_the_one_is_found_that_was_sent() {
    let inner = "ip(src=10.77.0.1, dst=10.77.0.2, id=9)/udp(srcport=5, dstport=6)/\"x\"";
    let asked = packet(inner);
    let seen = packet(&format!("ip(src=192.0.2.1, dst=192.0.2.2)/gre()/{inner}"));
    let found = compare(&whole(RAW, &asked), &whole(RAW, &seen), KEPT);
    let order: Vec<_> = found.sections.iter().map(|s| s.change).collect();
    assert_eq!(order, [Change::Added, Change::Added, Change::Same, Change::Same, Change::Same]);
    assert!(told(&found).is_empty());
}

#[test]
fn padding_of_the_link_says_what_it_is() {
    let asked = packet("eth()/ip(src=10.77.0.1, dst=10.77.0.2)/udp()/\"x\"");
    let mut seen = asked.clone();
    seen.resize(60, 0);
    let found = compare(&whole(ETHERNET, &asked), &whole(ETHERNET, &seen), KEPT);
    let told = told(&found);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].0.as_str(), told[0].3.as_str()),
        ("Trailer", "zeros up to the shortest frame that the link takes")
    );
}

#[test]
fn options_are_compared_one_by_one() {
    let with =
        |options: &str| packet(&format!("ip(src=10.0.0.1, dst=10.0.0.2)/tcp(flags=S, options=[{options}])"));
    let asked = with("mss(1460), sackOK, nop, wscale(7)");
    // A router clamps the MSS, a firewall takes an option out.
    let seen = with("mss(1400), nop, nop, nop, wscale(7)");
    let found = compare(&whole(RAW, &asked), &whole(RAW, &seen), KEPT);
    assert_eq!(row(&found, "Option: Maximum Segment Size").seen.as_deref(), Some("mss 1400"));
    assert_eq!(row(&found, "Option: Maximum Segment Size").change, Change::Changed);
    assert_eq!(row(&found, "Option: SACK Permitted").change, Change::Missing);
    assert_eq!(row(&found, "tcp.checksum").why.as_deref(), Some("right for what was seen"));
}

/// An ICMP error from a router that quotes so many bytes of a packet.
fn error(quoted: &[u8], bytes: usize) -> Vec<u8> {
    let quote = hex_pairs(&quoted[..bytes.min(quoted.len())]);
    packet(&format!("ip(src=10.9.9.9, dst=10.77.0.1)/icmp(type=11, code=0)/hex({quote})"))
}

fn quoted<'a>(asked: &'a [u8], seen: &'a [u8], way: Way) -> Comparison {
    compare(&whole(RAW, asked).from_network(), &whole(RAW, seen).quote().unwrap(), way)
}

#[test]
fn what_a_quote_leaves_out_is_no_difference() {
    let asked = packet(
        "ip(src=10.77.0.1, dst=10.77.0.2, id=7)/tcp(srcport=40000, dstport=80, seq=5, flags=S)/\"hello\"",
    );
    for (bytes, key, there) in
        [(28, "tcp.seq_raw", true), (28, "tcp.ack_raw", false), (45, "tcp.checksum", true)]
    {
        let found = quoted(&asked, &error(&asked, bytes), KEPT);
        assert_eq!(found.differences(), 0, "{:?}", told(&found));
        assert_eq!(row(&found, key).seen.is_some(), there, "{key}");
        let change = if there { Change::Same } else { Change::Cut };
        assert_eq!(row(&found, key).change, change, "{key}");
        assert_eq!(found.not_there() > 0, bytes < 45);
    }
    // The payload in part.
    let found = quoted(&asked, &error(&asked, 42), KEPT);
    let payload = row(&found, "Payload");
    assert_eq!((payload.change, payload.seen.as_deref()), (Change::Cut, Some("2 bytes: 68 65")));
    // Any cut at all.
    for bytes in 1..asked.len() {
        if let Some(quote) = whole(RAW, &error(&asked, bytes)).quote() {
            let found = compare(&whole(RAW, &asked).from_network(), &quote, KEPT);
            assert_eq!(found.differences(), 0, "{bytes}: {:?}", told(&found));
        }
    }
}

#[test]
fn what_a_nat_and_routers_did_is_told() {
    let asked = packet(
        "eth()/ip(src=10.77.0.1, dst=192.0.2.9, id=7, ttl=5)/udp(srcport=40000, dstport=33434)/\"hello\"",
    );
    // Behind the NAT: another source, another port, one router on.
    let seen =
        packet("ip(src=198.51.100.1, dst=192.0.2.9, id=7, ttl=1)/udp(srcport=1025, dstport=33434)/\"hello\"");
    let message = error(&seen, 28);
    let asked_side = whole(ETHERNET, &asked).from_network();
    let found = compare(&asked_side, &whole(RAW, &message).quote().unwrap(), KEPT);
    let told = told(&found);
    let keys: Vec<&str> = told.iter().map(|t| t.0.as_str()).collect();
    assert_eq!(keys, ["ip.ttl", "ip.checksum", "ip.src", "udp.srcport", "udp.checksum"]);
    let why: Vec<&str> = told.iter().map(|t| t.3.as_str()).collect();
    assert_eq!(why[0], "routers count it down: 4 on the way");
    assert_eq!(why[1], "right for what was seen");
    assert_eq!((why[2], why[3]), ("translated on the way (NAT)", "translated on the way (NAT)"));
    // The rest of the datagram is not quoted, but it is known: the checksum can be judged.
    assert_eq!(why[4], "right for what was seen");
    assert_eq!(row(&found, "Payload").change, Change::Cut);
    // A NAT that forgets the checksum is found out.
    let mut wrong = seen.clone();
    wrong[26] ^= 0xff;
    let message = error(&wrong, 28);
    let found = compare(&asked_side, &whole(RAW, &message).quote().unwrap(), KEPT);
    let why = told_why(&found, "udp.checksum").unwrap();
    assert!(why.starts_with("bad, should be 0x") && why.ends_with("for what was seen"), "{why}");
}

#[test]
fn a_quote_ends_where_extensions_begin() {
    // RFC 4884: 128 bytes of the packet, then a structure with an object (RFC 4950: a label).
    let asked = packet("ip(src=10.77.0.1, dst=10.77.0.2, id=7)/udp(srcport=5, dstport=33434)/zero(200)");
    let quote = hex_pairs(&asked[..128]);
    let text = format!(
        "ip(src=10.9.9.9, dst=10.77.0.1)/icmp(type=11, code=0, length=32)/hex({quote} 20 00 00 00 00 08 01 01 00 01 01 01)"
    );
    let message = packet(&text);
    let found = quoted(&asked, &message, KEPT);
    assert_eq!(found.differences(), 0, "{:?}", told(&found));
    let payload = row(&found, "Payload");
    assert_eq!(payload.why.as_deref(), Some("the first 100 are as they were asked for"));
}

#[test]
fn a_capture_that_kept_less_is_no_difference() {
    let asked =
        packet("ip(src=10.77.0.1, dst=10.77.0.2, id=7)/tcp(srcport=40000, dstport=80, flags=S)/\"hello\"");
    let found = compare(&whole(RAW, &asked), &Side::captured(RAW, &asked[..30], asked.len()), KEPT);
    assert_eq!((found.differences(), found.cut), (0, Some(Cut::Captured)), "{:?}", told(&found));
    assert!(found.not_there() > 3);
}
