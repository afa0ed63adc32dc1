//! `rawbench read`, `interfaces` and `doctor` through the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;

use std::path::PathBuf;

use cli::{bytes, rawbench, rawbench_with, stderr, stdout, write_pcap};

const PACKETS: &[&str] = &[
    "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, \
     seq=1, flags=S, options=[mss(1460), sackOK])",
    "eth(src=02:00:00:00:00:02, dst=02:00:00:00:00:01)/ip(src=10.77.0.2, dst=10.77.0.1)/tcp(srcport=80, dstport=40000, \
     seq=9, ack=2, flags=S., checksum=0x0bad)",
    "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/ip(src=10.77.0.1, dst=10.77.0.2)/udp/\"hello\"/trailer(00 00)",
];

struct Capture {
    path: PathBuf,
    packets: Vec<Vec<u8>>,
    _directory: tempfile::TempDir,
}

impl Capture {
    fn new() -> Self {
        let crafted = rawbench_with(&["craft", "-", "--hex"], PACKETS.join("\n").as_bytes());
        let packets: Vec<_> = stdout(&crafted).lines().map(bytes).collect();
        assert_eq!(packets.len(), PACKETS.len());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("three.pcap");
        let whole: Vec<_> = packets.iter().map(|p| (p.clone(), p.len())).collect();
        write_pcap(&path, 1, &whole);
        Self { path, packets, _directory: directory }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

#[test]
fn rows() {
    let capture = Capture::new();
    let rows = stdout(&rawbench(&["read", capture.path()]));
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), 3);
    let words: Vec<&str> = rows[1].split_whitespace().take(6).collect();
    assert_eq!(words, ["2", "1.001234", "10.77.0.2", "10.77.0.1", "TCP", "54"]);
    assert!(rows[0].ends_with("40000 → 80 S 1:1(0) win 64240 <mss 1460,sackOK,eol>"), "{}", rows[0]);
    assert!(rows[0].trim_start().starts_with("1    0.000000 10.77.0.1 "), "{}", rows[0]);
}

#[test]
fn values() {
    let capture = Capture::new();
    let keys = [
        "frame.number",
        "ip.addr",
        "tcp.flags",
        "tcp.flags.syn",
        "tcp.port",
        "tcp.options.mss_val",
        "frame.time_epoch",
    ];
    let args: Vec<&str> = keys.iter().flat_map(|k| ["-e", k]).collect();
    let lines = stdout(&rawbench(&[&["read", capture.path()], args.as_slice()].concat()));
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "1\t10.77.0.1,10.77.0.2\t0x0002\t1\t40000,80\t1460\t1700000000.000000000");
    assert_eq!(lines[2], "3\t10.77.0.1,10.77.0.2\t\t\t\t\t1700000002.002469134");
    let wrong = rawbench(&["read", capture.path(), "-e", "tcp.dstprt"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("did you mean tcp.dstport?"));
    let flows = ["read", capture.path(), "-e", "tcp.seq", "-e", "tcp.stream", "-Y", "tcp.stream == 0"];
    assert_eq!(stdout(&rawbench(&flows)), "0\t0\n0\t0\n");
}

#[test]
fn a_tree_says_what_each_field_is() {
    let capture = Capture::new();
    let tree = stdout(&rawbench(&["read", capture.path(), "-V"]));
    for part in [
        "Frame 1: 62 bytes on wire (496 bits), 62 bytes captured (496 bits)",
        "Ethernet II, Src: 02:00:00:00:00:01, Dst: 02:00:00:00:00:02",
        "    0100 .... = Version: 4",
        "    .... 0101 = Header Length: 20 bytes (5)",
        "Transmission Control Protocol",
        "        .... .... ..1. = Synchronize: Set",
        "        Maximum Segment Size (mss 1460)",
        "            MSS Value: 1460",
        "[bad, should be 0x",
        "[good]",
        "Data (5 bytes)\n    68656c6c6f",
        "Trailer (2 bytes)",
    ] {
        assert!(tree.contains(part), "'{part}' is not in\n{tree}");
    }
    assert_eq!(tree.matches("\n\n").count(), 3, "an empty line after each packet");
}

#[test]
fn count_hex_notation_json() {
    let capture = Capture::new();
    assert_eq!(stdout(&rawbench(&["read", capture.path(), "--count"])), "3\n");
    let hex = stdout(&rawbench(&["read", capture.path(), "--hex"]));
    assert_eq!(hex.lines().map(bytes).collect::<Vec<_>>(), capture.packets);
    let notation = stdout(&rawbench(&["read", capture.path(), "--notation"]));
    let again = rawbench_with(&["craft", "-", "--hex"], notation.as_bytes());
    assert_eq!(stdout(&again), hex, "{notation}");
    let json = stdout(&rawbench(&["read", capture.path(), "--json"]));
    let lines: Vec<serde_json::Value> = json.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[1]["number"], 2);
    assert_eq!(lines[1]["time_ns"], 1_700_000_001_001_234_567_u64);
    assert_eq!(lines[1]["layers"][2]["key"], "tcp");
    let fields = lines[1]["layers"][2]["fields"].as_array().unwrap();
    let checksum = fields.iter().find(|f| f["key"] == "tcp.checksum").unwrap();
    assert!(checksum["verdict"].as_str().unwrap().starts_with("bad, should be 0x"));
}

#[test]
fn standard_input_is_read_too() {
    let capture = Capture::new();
    let file = std::fs::read(&capture.path).unwrap();
    let read = rawbench_with(&["read", "-", "--count"], &file);
    assert_eq!((read.status.code(), stdout(&read).as_str()), (Some(0), "3\n"));
}

#[test]
fn a_torn_file_gives_what_is_readable() {
    let capture = Capture::new();
    let file = std::fs::read(&capture.path).unwrap();
    let torn = rawbench_with(&["read", "-", "--count"], &file[..file.len() - 10]);
    assert_eq!((torn.status.code(), stdout(&torn).as_str()), (Some(0), "2\n"));
    let told = stderr(&torn);
    assert!(told.contains("at byte ") && told.contains("2 packets are readable"), "{told}");
    assert!(!told.contains("can be read"), "once is enough: {told}");
    let nothing = rawbench_with(&["read", "-"], &file[..30]);
    assert_eq!((nothing.status.code(), stdout(&nothing).as_str()), (Some(1), ""), "{}", stderr(&nothing));
    let empty = rawbench_with(&["read", "-", "--count"], &file[..24]);
    assert_eq!((empty.status.code(), stdout(&empty).as_str()), (Some(0), "0\n"));
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    for (input, why) in
        [(&b""[..], ""), (b"PK\x03\x04 not a capture, but long enough to look at", "not a capture file")]
    {
        let failed = rawbench_with(&["read", "-"], input);
        assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
        assert!(stderr(&failed).contains(why), "{}", stderr(&failed));
    }
    let missing = rawbench(&["read", "/no/such/file.pcap"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("cannot open /no/such/file.pcap"), "{}", stderr(&missing));
}

#[test]
fn each_reason_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let damaged = directory.path().join("t.pcapng");
    let mut file = bytes("0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffff ffffffff 1c000000 01000000 05000000");
    file.extend([0; 12]);
    std::fs::write(&damaged, file).unwrap();
    let capture = Capture::new();
    let place = directory.path().to_str().unwrap();
    for (arguments, reason) in [
        (&["read", "/no/such/file.pcap"][..], "No such file"),
        (&["read", place], "is a directory"),
        (&["read", damaged.to_str().unwrap()], "at byte 28"),
        (&["read", damaged.to_str().unwrap()], "read"),
        (&["read", capture.path(), "-w", "/dev/full"], "No space left"),
        (&["read", capture.path(), "-w", "/no/such/place/x.pcap"], "No such file"),
    ] {
        let failed = rawbench(arguments);
        assert_eq!(failed.status.code(), Some(1), "{arguments:?}");
        assert_eq!(stderr(&failed).matches(reason).count(), 1, "{arguments:?}: {}", stderr(&failed));
    }
}

#[test]
fn a_file_is_shown_and_not_captured_into() {
    let capture = Capture::new();
    for option in [&["-k"][..], &["-i", "lo"], &["-i", "lo", "-k"]] {
        let refused = rawbench(&[&[capture.path()], option].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("cannot be used with"), "{}", stderr(&refused));
    }
}

#[test]
fn lengths_past_a_whole_packet_are_no_cut() {
    let capture = Capture::new();
    let crafted = rawbench(&["craft", "--hex", "ip(src=10.0.0.1, dst=10.0.0.2)/udp(length=50)/\"hello\""]);
    let packet = bytes(&stdout(&crafted));
    write_pcap(&capture.path, 101, &[(packet.clone(), packet.len())]);
    let tree = stdout(&rawbench(&["read", "-V", capture.path()]));
    assert!(tree.contains("[not covered: the lengths claim more bytes than are here]"), "{tree}");
}

#[test]
fn writing_keeps_packets_and_times() {
    let capture = Capture::new();
    for name in ["out.pcapng", "out.pcap"] {
        let target = capture.path.with_file_name(name);
        let target = target.to_str().unwrap();
        let written = rawbench(&["read", capture.path(), "-w", target]);
        assert_eq!((written.status.code(), stdout(&written).as_str()), (Some(0), ""), "{}", stderr(&written));
        let all = ["-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len"];
        let of = |path: &str| stdout(&rawbench(&[&["read", path], &all[..]].concat()));
        assert_eq!(of(target), of(capture.path()));
    }
    let magic = std::fs::read(capture.path.with_file_name("out.pcapng")).unwrap();
    assert_eq!(magic[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    assert_eq!(rawbench(&["read", capture.path(), "-w", "/no/such/place/x.pcap"]).status.code(), Some(1));
    assert_eq!(rawbench(&["read", capture.path(), "-w", "x", "--hex"]).status.code(), Some(2));
}

#[test]
fn a_cut_packet_says_where_it_stops() {
    let capture = Capture::new();
    let path = capture.path.with_file_name("cut.pcap");
    write_pcap(&path, 1, &[(capture.packets[0][..40].to_vec(), capture.packets[0].len())]);
    let path = path.to_str().unwrap();
    assert!(stdout(&rawbench(&["read", path, "-V"])).contains("[Stopped at byte "));
    assert_eq!(stdout(&rawbench(&["read", path, "-e", "tcp.dstport", "-e", "tcp.checksum"])), "80\t\n");
}

#[test]
fn interfaces_and_doctor_need_no_privilege() {
    let list = rawbench(&["interfaces"]);
    assert_eq!(list.status.code(), Some(0), "{}", stderr(&list));
    assert!(
        stdout(&list).lines().any(|l| l.starts_with("lo ") && l.contains("127.0.0.1/8")),
        "{}",
        stdout(&list)
    );
    let json = stdout(&rawbench(&["interfaces", "--json"]));
    let lines: Vec<serde_json::Value> = json.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().any(|l| l["name"] == "lo" && l["index"] == 1 && l["loopback"] == true));
    let doctor = rawbench(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", stderr(&doctor));
    assert!(stdout(&doctor).contains("raw sockets on this machine"), "{}", stdout(&doctor));
}

#[test]
fn packets_over_ipv6() {
    let notations = [
        "ipv6(src=fe80::1, dst=ff02::1, hlim=255)/icmpv6(type=134, flags=M, options=[slla(02:00:00:00:00:01), mtu(1500)])",
        "ipv6(src=fe80::1, dst=fd77::2, hlim=255)/icmpv6(type=135, target=fd77::2, options=[hex(01 00)])",
        "ipv6(src=fd77::2, dst=fd77::1)/icmpv6(type=1, code=4)/ipv6(src=fd77::1, dst=fd77::2)/udp",
        "ipv6(src=fd77::2, dst=fd77::1)/udp(checksum=0)/\"x\"",
        "ipv6(src=fd77::2, dst=fd77::1, nxt=44)/hex(11 00 00 01 00 00 00 07)",
    ];
    let crafted = rawbench_with(&["craft", "-", "--hex"], notations.join("\n").as_bytes());
    let packets: Vec<_> = stdout(&crafted).lines().map(bytes).map(|p| (p.clone(), p.len())).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("v6.pcap");
    write_pcap(&path, 229, &packets);
    let path = path.to_str().unwrap();
    let rows = stdout(&rawbench(&["read", path]));
    for part in [
        "Router advertisement hop limit 64 flags M lifetime 1800 <slla 02:00:00:00:00:01,mtu 1500>",
        "Neighbor solicitation who has fd77::2? <malformed>",
        "Destination unreachable: port unreachable, quotes fd77::1 → fd77::2 UDP 20000 → 80 length 0",
        "fragment 0 to 0 of UDP id 0x00000007",
    ] {
        assert!(rows.contains(part), "{part}\n{rows}");
    }
    let tree = stdout(&rawbench(&["read", path, "-V"]));
    for part in [
        "Code: port unreachable (4)",
        "[option kind 1: the length byte says 0, below the 2 bytes of kind and length]",
        "Checksum: 0x0000 [bad, 0 is not allowed over IPv6 (RFC 8200), should be 0x",
        "Checksum: 0x",
    ] {
        assert!(tree.contains(part), "{part}\n{tree}");
    }
    let keys = ["-e", "icmpv6.type", "-e", "icmpv6.target", "-e", "icmpv6.opt.mtu", "-e", "ipv6.nxt"];
    let values = stdout(&rawbench(&[&["read", path], &keys[..]].concat()));
    assert_eq!(values, "134\t\t1500\t58\n135\tfd77::2\t\t58\n1\t\t\t58,17\n\t\t\t17\n\t\t\t44\n");
}

/// Rows of a stream are printed while it goes on.
#[test]
fn a_stream_is_printed_as_it_comes() {
    let capture = Capture::new();
    let bytes = std::fs::read(capture.path()).unwrap();
    let whole = |n: usize| 24 + capture.packets[..n].iter().map(|p| 16 + p.len()).sum::<usize>();
    for (args, rows) in
        [(&["read", "-"][..], [1, 2, 3]), (&["read", "-", "-Y", "tcp.flags.ack == 1 || udp"], [0, 1, 2])]
    {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rawbench"))
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
        let (mut sent, mut seen) = (0, Vec::new());
        for n in 1..=3 {
            std::io::Write::write_all(&mut input, &bytes[sent..whole(n)]).unwrap();
            sent = whole(n);
            // Waits for the row, while the stream is open.
            while seen.len() < rows[n - 1] {
                seen.push(lines.next().unwrap().unwrap());
            }
        }
        drop(input);
        assert!(lines.next().is_none());
        assert!(child.wait().unwrap().success());
        let whole = stdout(&rawbench(&[&["read", capture.path()][..], &args[2..]].concat()));
        assert_eq!(seen, whole.lines().collect::<Vec<_>>(), "{args:?}");
    }
}

#[test]
fn compressed_captures_are_read_from_files_and_streams() {
    let capture = Capture::new();
    let plain = std::fs::read(capture.path()).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &plain).unwrap();
    let gzip = packed.finish().unwrap();
    let zstd =
        ruzstd::encoding::compress_to_vec(plain.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let rows = stdout(&rawbench(&["read", capture.path()]));
    let path = capture.path.with_extension("dat");
    for packed in [&gzip, &zstd] {
        std::fs::write(&path, packed).unwrap();
        assert_eq!(stdout(&rawbench(&["read", path.to_str().unwrap()])), rows);
        assert_eq!(stdout(&rawbench_with(&["read", "-"], packed)), rows);
        assert_eq!(stdout(&rawbench_with(&["read", "-", "--count"], packed)), "3\n");
    }
    let torn = rawbench_with(&["read", "-"], &gzip[..gzip.len() - 9]);
    assert_eq!(stdout(&torn).lines().next(), rows.lines().next());
    assert!(stderr(&torn).contains("standard input: the gzip file ends at byte"), "{}", stderr(&torn));
}
