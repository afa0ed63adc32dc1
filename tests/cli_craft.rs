//! `rawbench craft` and `rawbench fields` through the real binary: output, carets, exit statuses.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::process::{Command, Stdio};

use cli::{bytes, rawbench, rawbench_with, stderr, stdout};

/// The packet of the post that the project starts from.
const POST: &str =
    "ip(src=127.0.0.1, dst=127.0.0.1)/tcp(srcport=0xaa47, dstport=80, seq=1, flags=S, window=0xaaaa)";

fn status(args: &[&str]) -> i32 {
    rawbench(args).status.code().unwrap()
}

#[test]
fn the_posts_packet() {
    let crafted = rawbench(&["craft", POST, "--hex"]);
    assert_eq!(crafted.status.code(), Some(0));
    assert_eq!(
        stdout(&crafted),
        "45 00 00 28 00 00 00 00 40 06 7C CE 7F 00 00 01 7F 00 00 01 \
         AA 47 00 50 00 00 00 01 00 00 00 00 50 02 AA AA 5C 9D 00 00\n"
    );
    assert_eq!(stderr(&crafted), "");
    let dump = stdout(&rawbench(&["craft", POST]));
    assert_eq!(
        dump.lines().next(),
        Some("0000  45 00 00 28 00 00 00 00  40 06 7c ce 7f 00 00 01  E..(....@.|.....")
    );
}

#[test]
fn notation_is_read_back_to_the_same_bytes() {
    for notation in [
        POST,
        "ip(dst=1.2.3.4)/icmp(type=3, code=3)/ip(dst=4.5.6.7)/udp",
        "eth/ip(dst=1.1.1.1)/udp/\"x\\x00\"",
    ] {
        let full = stdout(&rawbench(&["craft", notation, "--notation"]));
        assert!(full.contains("checksum=0x"), "{full}");
        let again = rawbench_with(&["craft", "-", "--hex"], full.as_bytes());
        assert_eq!(stdout(&again), stdout(&rawbench(&["craft", notation, "--hex"])), "{full}");
    }
}

#[test]
fn a_wrong_notation_shows_its_place() {
    let cases = [
        (
            "ip(dst=1.2.3.4)/udp(dstport=70000)",
            "\n                            ^^^^^\n70000 does not fit 16 bits: Destination Port must be 0 to 65535",
        ),
        (
            "ip(dst=1.2.3.4)/tcp(dstprt=80)",
            "\n                    ^^^^^^\ntcp has no field 'dstprt'; did you mean dstport?",
        ),
        ("ipp(dst=1.2.3.4)", "\n^^^\nthere is no protocol 'ipp'; did you mean ip?"),
        ("ip(ttl=3)", "\n^^\nip needs a destination: ip(dst=…)"),
        ("ip(dst=1.2.3.4", "the notation ends here"),
    ];
    for (notation, message) in cases {
        let failed = rawbench(&["craft", notation]);
        assert_eq!(failed.status.code(), Some(2), "{notation}");
        assert_eq!(stdout(&failed), "", "{notation}");
        let shown = stderr(&failed);
        assert!(shown.starts_with(notation) && shown.contains(message), "{notation}:\n{shown}");
    }
}

#[test]
fn a_wrong_line_gives_an_empty_line() {
    let input = b"ip(dst=1.1.1.1)\r\nnonsense\nip(dst=2.2.2.2)\n\xff\nip(dst=3.3.3.3)";
    let crafted = rawbench_with(&["craft", "-", "--hex"], input);
    assert_eq!(crafted.status.code(), Some(2));
    let out = stdout(&crafted);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[1].is_empty() && lines[3].is_empty());
    assert!(
        lines[0].ends_with("01 01 01 01")
            && lines[2].ends_with("02 02 02 02")
            && lines[4].ends_with("03 03 03 03")
    );
    let messages = stderr(&crafted);
    assert!(messages.contains("line 2: ") && messages.contains("line 4: it is no UTF-8"), "{messages}");
}

#[test]
fn a_line_without_an_end_is_refused_and_passed_over() {
    let mut input = vec![b'x'; 17 << 20];
    input.extend(b"\nip(dst=1.1.1.1)\n");
    let crafted = rawbench_with(&["craft", "-", "--hex"], &input);
    assert_eq!(crafted.status.code(), Some(2));
    assert_eq!(stdout(&crafted).lines().count(), 2);
    assert!(stderr(&crafted).contains("line 1: it is longer than"));
}

#[test]
fn each_line_is_answered_before_the_next_is_written() {
    use std::io::{BufRead, BufReader, Write};
    let mut child = Command::new(env!("CARGO_BIN_EXE_rawbench"))
        .args(["craft", "-", "--hex"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for last in ["1", "2"] {
        writeln!(input, "ip(dst=1.1.1.{last})").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.ends_with(&format!("01 01 01 0{last}\n")), "{line}");
    }
    drop(input);
    child.wait().unwrap();
}

#[test]
fn checksums_show_their_work() {
    let text = stdout(&rawbench(&["craft", "ip(src=1.2.3.4, dst=5.6.7.8)/udp/\"abc\"", "--checksum"]));
    for part in [
        "IPv4 Header Checksum (ip.checksum), bytes 10 and 11",
        "no pseudo header",
        "UDP Checksum (udp.checksum), bytes 26 and 27",
        "source address       0102 0304",
        "zero, protocol       0011",
        "length               000b",
        "11 bytes from 20 on, 6 words, a zero byte added",
        "[0000]6162 6300",
        "fold ",
        "complement ",
        ", right",
    ] {
        assert!(text.contains(part), "'{part}' is not in\n{text}");
    }
    assert!(text.lines().all(|l| l.chars().count() <= 90), "{text}");
    let wrong = stdout(&rawbench(&["craft", "ip(dst=5.6.7.8, checksum=0x1234)", "--checksum"]));
    assert!(wrong.contains("stored      0x1234, wrong"), "{wrong}");
    let none = rawbench(&["craft", "\"only bytes\"", "--checksum"]);
    assert_eq!((none.status.code(), stdout(&none).as_str()), (Some(0), "this packet has no checksum\n"));
}

#[test]
fn json_says_what_is_computed_and_what_is_pinned() {
    let text =
        stdout(&rawbench(&["craft", "ip(dst=5.6.7.8, ttl=3)/tcp(flags=SF, data_offset=15)", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = |layer: usize, key: &str| {
        let fields = json["layers"][layer]["fields"].as_array().unwrap();
        fields.iter().find(|f| f["key"] == key).unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!(field(0, "ip.ttl")["value"], 3);
    assert_eq!(field(0, "ip.ttl")["bits"], serde_json::json!({"start": 64, "width": 8}));
    assert_eq!(field(0, "ip.len")["state"], "computed");
    assert_eq!(field(0, "ip.dst")["value"], "5.6.7.8");
    assert_eq!(field(1, "tcp.hdr_len")["state"], "pinned");
    assert_eq!(field(1, "tcp.hdr_len")["value"], 60);
    assert!(
        json["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|w| w["text"].as_str().unwrap().contains("SYN with FIN"))
    );
    assert_eq!(bytes(json["bytes"].as_str().unwrap()).len(), 40);
    assert!(json["received"].as_str().unwrap().contains("a receiver reads"));
}

#[test]
fn warnings_do_not_mix_with_data() {
    let crafted = rawbench(&["craft", "ip(dst=5.6.7.8)/tcp(flags=SF)", "--hex"]);
    assert_eq!(crafted.status.code(), Some(0));
    assert_eq!(stdout(&crafted).lines().count(), 1);
    assert!(stderr(&crafted).contains("warning: TCP: SYN with FIN"));
}

#[test]
fn payloads_from_files_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("payload");
    std::fs::write(&path, b"hi").unwrap();
    let notation = format!("ip(dst=1.2.3.4)/udp/file({})", path.display());
    assert!(stdout(&rawbench(&["craft", &notation, "--hex"])).ends_with("68 69\n"));
    for (path, why) in
        [("/dev/zero", "longer than 65535 bytes"), ("/no/such/file", "cannot read /no/such/file")]
    {
        let failed = rawbench(&["craft", &format!("ip(dst=1.2.3.4)/udp/file({path})")]);
        assert_eq!(failed.status.code(), Some(2));
        assert!(stderr(&failed).contains(why), "{}", stderr(&failed));
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rawbench"))
        .args(["craft", "-", "--hex"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    for _ in 0..10_000 {
        if std::io::Write::write_all(&mut input, b"ip(dst=1.2.3.4)/tcp\n").is_err() {
            break;
        }
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
}

#[test]
fn exit_statuses_of_calls() {
    assert_eq!(status(&["--help"]), 0);
    assert_eq!(status(&["--version"]), 0);
    assert_eq!(status(&["craft"]), 2);
    assert_eq!(status(&["craft", POST, "--hex", "--json"]), 2);
    assert_eq!(status(&["craft", POST, "--nonsense"]), 2);
    assert_eq!(status(&["fields", "tcp"]), 0);
    assert_eq!(status(&["fields", "nothing"]), 2);
    let mistyped = rawbench(&["crft"]);
    assert_eq!(mistyped.status.code(), Some(2));
    assert!(stderr(&mistyped).contains("did you mean rawbench craft?"));
}

#[cfg(not(feature = "window"))]
#[test]
fn a_build_without_window_says_so() {
    let failed = rawbench(&[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).contains("this build of rawbench has none"));
}

#[test]
fn the_field_reference_lists_every_field() {
    let list = stdout(&rawbench(&["fields"]));
    for key in
        ["eth.dst", "ip.flags.df", "tcp.options.mss_val", "icmp.mtu", "udp.length", "tcp.port", "frame.len"]
    {
        assert!(list.lines().any(|l| l.split_whitespace().next() == Some(key)), "{key}");
    }
    let line = list.lines().find(|l| l.starts_with("tcp.flags.ae ")).unwrap();
    assert!(
        line.contains("Accurate ECN")
            && line.contains("flags.ns")
            && line.trim_end().ends_with("1  RFC 9768"),
        "{line}"
    );
    let some = stdout(&rawbench(&["fields", "tcp.flags"]));
    assert!(some.lines().count() > 10 && some.lines().all(|l| l.starts_with("tcp.flags")));
}

#[test]
fn a_packet_over_ipv6_and_its_checksum() {
    let syn = "ipv6(src=fd77::1, dst=fd77::2)/tcp(srcport=40000, dstport=80, seq=1, flags=S)";
    assert_eq!(
        stdout(&rawbench(&["craft", syn, "--hex"])),
        "60 00 00 00 00 14 06 40 FD 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01 FD 77 00 00 00 00 00 00 00 00 00 00 00 \
         00 00 02 9C 40 00 50 00 00 00 01 00 00 00 00 50 02 FA F0 1D 6E 00 00\n"
    );
    let work = stdout(&rawbench(&["craft", syn, "--checksum"]));
    for line in [
        "TCP Checksum (tcp.checksum), bytes 56 and 57 of the packet",
        "  pseudo header, 20 words                           running sum",
        "    source address       fd77 0000 0000 0000        0x0fd77",
        "                         0000 0000 0000 0001        0x0fd78",
        "    destination address  fd77 0000 0000 0000        0x1faef",
        "    length               0000 0014                  0x1fb05",
        "    zero, next header    0000 0006                  0x1fb0b",
        "  stored      0x1d6e, right",
    ] {
        assert!(work.lines().any(|l| l == line), "{line}\n{work}");
    }
    let none = rawbench(&["craft", "ipv6(dst=::1)/udp(checksum=0)", "--checksum"]);
    assert!(
        stdout(&none).ends_with("0x0000, wrong: over IPv6 there has to be one (RFC 8200)\n"),
        "{}",
        stdout(&none)
    );
    assert!(stderr(&none).contains("RFC 6935"), "{}", stderr(&none));
    let missing = rawbench(&["craft", "ipv6/udp"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        stderr(&missing).contains("\n^^^^\nipv6 needs a destination: ipv6(dst=…)"),
        "{}",
        stderr(&missing)
    );
}
