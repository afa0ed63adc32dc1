//! What is wrong in a notation is shown at its place, with what would be right.

#[path = "common/samples.rs"]
mod samples;

use rawbench::craft::Draft;
use samples::Nothing;

/// The notation, the text under which the carets stand (for a place at the end: empty), and the message.
const CASES: &[(&str, &str, &str)] = &[
    ("ip(dst=1.2.3.4)/tcp(dstprt=80)", "dstprt", "tcp has no field 'dstprt'; did you mean dstport?"),
    ("ip(dst=1.2.3.4)/tcp(DSTPORT=80)", "DSTPORT", "tcp has no field 'DSTPORT'; did you mean dstport?"),
    ("ip(dst=1.2.3.4)/tcp(srcpört=5)", "srcpört", "tcp has no field 'srcpört'; did you mean srcport?"),
    (
        "ip(dst=1.2.3.4)/tcp(tcp.srcport=80)",
        "tcp.srcport",
        "tcp has no field 'tcp.srcport'; here the protocol is left out: srcport",
    ),
    (
        "ip(dst=1.2.3.4)/tcp(proto.type=5)",
        "proto.type",
        "tcp has no field 'proto.type'; it is a field of arp",
    ),
    ("ip(dst=1.2.3.4)/TCP(dstport=80)", "TCP", "there is no protocol 'TCP'; did you mean tcp?"),
    ("ip(dst=1.2.3.4)/tpc", "tpc", "there is no protocol 'tpc'; did you mean tcp?"),
    ("ipv4(dst=1.2.3.4)", "ipv4", "there is no protocol 'ipv4'; did you mean ip?"),
    ("ethernet/ip(dst=1.2.3.4)", "ethernet", "there is no protocol 'ethernet'; did you mean eth?"),
    ("ïp(dst=1.2.3.4)", "ïp", "there is no protocol 'ïp'; did you mean ip?"),
    (
        "ip(dst=1.2.3.4)/tcp(dstport=80",
        "(dstport=80",
        "this '(' is not closed: the notation ends here without its ')'",
    ),
    (
        "ip(dst=1.2.3.4)/tcp(options=[mss(1460)",
        "[mss(1460)",
        "this '[' is not closed: the notation ends here without its ']'",
    ),
    ("ip(dst=1.2.3.4)/tcp(options=[mss(1460, sackOK]", "]", "here must stand ',' or ')', not ']'"),
    ("ip(dst=1.2.3.4)/tcp(dstport=80))", ")", "here must stand '/' between the parts of the packet, not ')'"),
    ("ip(dst=1.2.3.4)/tcp dstport=80", "dstport=80", "the fields of a header stand in brackets: tcp(…)"),
    (
        "ip(dst=1.2.3.4)/tcp(options=[mss 1460])",
        "1460])",
        "the values of an option stand in brackets: mss(…)",
    ),
    (
        "ip(dst=1.2.3.4)/tcp(options=[mss=1460])",
        "=1460])",
        "the values of an option stand in brackets: mss(…)",
    ),
    ("ip(dst=1.2.3.4)/tcp(dstport:80)", ":80)", "here must stand '=' and a value, not ':'"),
    ("ip(dst=1.2.3.4)/tcp(dstport=)", ")", "here must stand a value"),
    ("ip(dst=1.2.3.4)/tcp(seq=1,)", ")", "here must stand a field name, not ')'"),
    (
        "ip(dst=1.2.3.4)/tcp(dstport=70000)",
        "70000",
        "70000 does not fit 16 bits: Destination Port must be 0 to 65535",
    ),
    ("ip(dst=1.2.3.4)/tcp(seq=-1)", "-1", "'-1' is no number: Sequence Number must be 0 to 4294967295"),
    (
        "ip(dst=1.2.3.4)/tcp(hdr_len=21)",
        "21",
        "21 is no multiple of 4: Data Offset must be 0 to 60 in steps of 4",
    ),
    ("ip(dst=1.2.3.4, dst=1.2.3.5)", "dst=1.2.3.5", "dst is given twice"),
    (
        "ip(dst=fd77::1)",
        "fd77::1",
        "'fd77::1' is none: Destination Address must be an IPv4 address such as 10.77.0.2",
    ),
    (
        "ip(dst=1.2.3.4)/tcp(options=mss(1460))",
        "mss(1460)",
        "options takes a list in brackets, such as [eol]",
    ),
    (
        "ip(dst=1.2.3.4)/tcp(options=[mss(70000)])",
        "70000",
        "70000 does not fit 16 bits: MSS Value must be 0 to 65535",
    ),
    ("ip(dst=1.2.3.4)/tcp(options=[nop(1)])", "nop(1)", "nop takes no value"),
    ("ip(dst=1.2.3.4)/hex(zz)", "zz", "'z' is no hex digit: write bytes as pairs, such as de ad be ef"),
    ("ip(dst=1.2.3.4)/\"abc", "\"abc", "the text has no closing '\"'"),
    ("ip(dst=1.2.3.4)/\"\\q\"", "\\q", "the escapes are \\r \\n \\t \\\\ \\\" and \\xNN"),
    ("ip(dst=1.2.3.4)/zero(99999)", "99999", "'99999' must be a number of bytes, 0 to 65535"),
    (
        "zero(65535)/zero(65535)/zero(1)",
        "1)",
        "zero(…) and random(…) make 131071 bytes here, more than any packet has",
    ),
    ("ip(dst=1.2.3.4)/\"a\"/tcp", "tcp", "a header cannot follow a payload"),
    ("ip(dst=1.2.3.4)/trailer(00)/udp", "udp", "a header cannot follow a trailer"),
    ("ip(dst=1.2.3.4)/trailer(00)/\"a\"", "\"a\"", "a payload cannot follow a trailer"),
    ("ip(dst=1.2.3.4)/trailer(00, behind=2)", "2)", "'2' is no layer of this packet: behind takes 1 to 1"),
    (
        "ip(dst=1.2.3.4)/trailer(00, before=1)",
        "before",
        "a trailer has no before: only behind=, the number of a layer, can follow",
    ),
    (
        "ip(dst=1.2.3.4)/ip(dst=1.2.3.4)/trailer(00)/trailer(00, behind=2)",
        "2)",
        "trailers stand from the inside out: this one belongs before the one before it",
    ),
];

#[test]
fn each_error_shows_its_place_and_what_would_be_right() {
    for (text, place, message) in CASES {
        let Err(error) = Draft::from_notation(text, &mut Nothing) else { panic!("{text} was taken") };
        assert_eq!(error.message, *message, "{text}");
        let from = text.get(error.at.start..).unwrap_or_default();
        assert!(from.starts_with(place), "{}", error.render(text));
        let carets = error.render(text).lines().nth(1).unwrap_or_default().trim().len();
        assert!((1..=place.chars().count().max(1)).contains(&carets), "{}", error.render(text));
    }
}

#[test]
fn long_texts_are_judged_in_no_time() {
    let before = std::time::Instant::now();
    for text in [
        "x".repeat(1 << 20),
        format!("ip(dst=1.2.3.4)/tcp(options=[opt(1{})])", ", 1".repeat(1 << 18)),
        format!("ip(dst=1.2.3.4)/tcp(options=[nop{})", ", nop".repeat(1 << 16)),
        "eth/".repeat(1 << 18),
        "(".repeat(1 << 20),
        "a([".repeat(1 << 18),
        "a=".repeat(1 << 18),
        "zero(65535)/".repeat(1 << 16),
        "eth(dst=1,".repeat(1 << 16),
    ] {
        assert!(Draft::from_notation(&text, &mut Nothing).is_err());
    }
    let took = before.elapsed().as_secs();
    assert!(took < 30, "{took} s");
}
