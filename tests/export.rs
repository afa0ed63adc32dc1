//! What `craft --as` writes, proven by running it: the bytes are ours.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/samples.rs"]
mod samples;

use std::path::Path;
use std::process::Command;

use cli::{python_with_scapy, rawbench, rawbench_with, run, skipped, stderr, stdout};
use rawbench::craft::Draft;
use rawbench::craft::export;
use rawbench::wire::value::hex_pairs;
use samples::{build, drafts};

/// Packets of an engineer's day, and some that are wrong on purpose.
const PACKETS: &[&str] = &[
    "eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/ip(src=10.77.0.1, dst=10.77.0.2, id=7, flags=D)/tcp(seq=1, flags=S, options=[mss(1460), sackOK, ts(1, 0), nop, wscale(7)])",
    "ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, flags=PA, seq=5, ack=6)/\"GET / HTTP/1.0\\r\\n\\r\\n \\\"quoted\\\" \\\\\"",
    "ip(src=10.77.0.1, dst=10.77.0.2, options=[rr(4, 0.0.0.0), nop])/udp/hex(00 ff 80)",
    "ip(src=10.77.0.1, dst=10.77.0.2, checksum=0xdead, len=9, ihl=6)/udp(length=3, checksum=0)/\"x\"",
    "eth/vlan(id=5, priority=3)/ip(src=1.1.1.1, dst=2.2.2.2)/icmp(id=9)/\"ping\"/trailer(00 00 00)",
    "eth/ipv6(src=fd77::1, dst=fd77::2, flow=0x12345, tclass=3)/tcp(flags=0xac2, options=[opt(99, aa), hex(02)])",
    "eth/ipv6(src=fd77::1, dst=fd77::2)/icmpv6/\"ping\"",
    "ip(src=1.1.1.1, dst=2.2.2.2)/gre(c=1)/ip(src=3.3.3.3, dst=4.4.4.4)/tcp(flags=S)/trailer(01 02, behind=3)/trailer(03)",
    "ip(src=1.1.1.1, dst=2.2.2.2, frag=8, flags=M)/udp/\"piece\"",
    "ip(src=1.1.1.1, dst=2.2.2.2, options=[lsrr(4, 9.9.9.9)])/tcp(flags=S)",
    "eth/arp(opcode=2)",
    "eth(type=0)/\"\"",
    "hex()",
    "zero(40)",
];

fn write(form: &str, draft: &Draft) -> String {
    export::by_name(form).unwrap().write(draft).unwrap_or_else(|e| panic!("{e}"))
}

fn all() -> Vec<Draft> {
    let fixed = PACKETS.iter().map(|t| build(t));
    let made = drafts().into_iter().map(|(link, d)| Draft::from_bytes(link, d.bytes(), false));
    fixed.chain(made).collect()
}

#[test]
fn scapy_makes_our_bytes() {
    const SCRIPT: &str = "
import sys
from scapy.all import *
for line in sys.stdin:
    try:
        print(bytes(eval(line)).hex(' ').upper())
    except Exception as error:
        sys.exit(f'{error}: {line}')
";
    let Some(python) = python_with_scapy() else { return };
    let drafts = all();
    let input: String = drafts.iter().map(|d| write("scapy", d) + "\n").collect();
    let output = run(Command::new(python).args(["-c", SCRIPT]), input.as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert_eq!(text.lines().count(), drafts.len());
    for ((draft, expression), scapys) in drafts.iter().zip(input.lines()).zip(text.lines()) {
        assert_eq!(scapys, hex_pairs(draft.bytes()), "{expression}");
    }
    let plain = write("scapy", &build(PACKETS[0]));
    assert_eq!(
        plain,
        "Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01')/IP(id=0x7, flags=0x2, src='10.77.0.1', \
         dst='10.77.0.2')/TCP(sport=20000, dport=80, seq=1, flags=0x2, window=64240, options=[('MSS', 1460), \
         ('SAckOK', b''), ('Timestamp', (1, 0)), ('NOP', None), ('WScale', 7)])"
    );
}

#[test]
fn python_prints_our_bytes() {
    let there = Command::new("python3").arg("--version").output().is_ok();
    if !there {
        return skipped("no python3 on this machine");
    }
    // One interpreter for all of them.
    const SCRIPT: &str = "
import sys
sys.argv = ['packet.py', '--hex']
for program in sys.stdin.read().split('\\0'):
    exec(program)
";
    let drafts = all();
    let programs: Vec<String> = drafts.iter().map(|d| write("python", d)).collect();
    let output = run(Command::new("python3").args(["-c", SCRIPT]), programs.join("\0").as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for (draft, line) in drafts.iter().zip(text.lines()) {
        assert_eq!(line, hex_pairs(draft.bytes()));
    }
    assert_eq!(text.lines().count(), drafts.len());
}

/// Builds a program without a warning and runs it with `--hex`.
fn compiles_to(compiler: &mut Command, source: &Path, text: &str, draft: &Draft) {
    std::fs::write(source, text).unwrap();
    let program = source.with_extension("out");
    let built = run(compiler.arg(source).arg("-o").arg(&program), b"");
    assert!(built.status.success(), "{}\n{text}", stderr(&built));
    let output = run(Command::new(&program).arg("--hex"), b"");
    assert_eq!(stdout(&output).trim_end(), hex_pairs(draft.bytes()), "{text}");
}

#[test]
fn c_and_rust_programs_print_our_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let has = |name: &str| Command::new(name).arg("--version").output().is_ok();
    for (compiler, form, flags) in
        [("gcc", "c", &["-Wall", "-Wextra", "-Werror"][..]), ("rustc", "rust", &["-Dwarnings"])]
    {
        if !has(compiler) {
            skipped(&format!("no {compiler} on this machine"));
            continue;
        }
        for text in
            [PACKETS[0], PACKETS[1], PACKETS[5], PACKETS[9], PACKETS[10], "ipv6(dst=::1)/udp", "hex()"]
        {
            let draft = build(text);
            let source = dir.path().join(format!("packet.{}", if form == "c" { "c" } else { "rs" }));
            let program = write(form, &draft);
            compiles_to(Command::new(compiler).args(flags), &source, &program, &draft);
        }
    }
}

#[test]
fn text2pcap_reads_our_bytes() {
    if Command::new("text2pcap").arg("--version").output().is_err() {
        return skipped("no text2pcap (wireshark-common) on this machine");
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("dump"), dir.path().join("packet.pcap"));
    for text in PACKETS.iter().filter(|t| **t != "hex()") {
        let draft = build(text);
        let dump = write("tshark-hex", &draft);
        std::fs::write(&source, &dump).unwrap();
        let link = dump.lines().nth(1).unwrap().split(' ').nth(3).unwrap().to_owned();
        let output = run(Command::new("text2pcap").args(["-l", &link]).arg(&source).arg(&target), b"");
        assert!(output.status.success(), "{}", stderr(&output));
        let read = rawbench(&["read", target.to_str().unwrap(), "--hex"]);
        assert_eq!(stdout(&read).trim_end(), hex_pairs(draft.bytes()), "{dump}");
    }
}

#[test]
fn what_a_tool_cannot_say_is_named() {
    for (form, text, message) in [
        (
            "hping3",
            "ipv6(dst=::1)/udp",
            "hping3 cannot say the layers IPv6, UDP (only TCP, UDP or ICMP in IPv4)",
        ),
        (
            "hping3",
            "ip(dst=1.2.3.4, ihl=6)/tcp(options=[nop])",
            "hping3 cannot say ip.hdr_len 24, the options of TCP",
        ),
        ("packetdrill", "eth/arp", "packetdrill cannot say the layers Ethernet, ARP"),
        (
            "packetdrill",
            "ip(dst=1.2.3.4)/tcp(urgent_pointer=5, checksum=1)",
            "tcp.checksum 0x0001, tcp.urgent_pointer 5",
        ),
        ("packetdrill", "ip(dst=1.2.3.4)/tcp(options=[opt(99, aa)])", "the TCP option 63 03 AA"),
        ("packetdrill", "ip(dst=1.2.3.4)/tcp(options=[sack])", "the TCP option 05 02"),
        ("packetdrill", "ip(dst=1.2.3.4)/tcp(seq=0xffffffff)/\"ab\"", "sequence numbers that pass 2^32"),
        ("packetdrill", "ip(dst=1.2.3.4, dsfield.ecn=1)/udp", "ECN 1 of UDP"),
    ] {
        let output = rawbench(&["craft", text, "--as", form]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        assert!(stderr(&output).contains("use a form that has every byte"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
    let output = rawbench(&["craft", "ip(dst=1.2.3.4)/tcp", "--as", "scappy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("scapy"), "{}", stderr(&output));
    let lines =
        rawbench_with(&["craft", "-", "--as", "scapy"], b"ip(dst=1.2.3.4)/tcp\nip(dst=1.2.3.4)/udp\n");
    assert_eq!(stdout(&lines).lines().count(), 2);
}

#[test]
fn packetdrill_is_given_its_own_words() {
    let text = "ip(dst=1.2.3.4, dsfield.ecn=2)/tcp(seq=1, ack=2, flags=PA, window=500, options=[mss(1460), sackOK, \
                nop, wscale(7), ts(1, 2), sack(3-4, 5-6)])/\"abc\"";
    let line = write("packetdrill", &build(text));
    assert_eq!(
        line.lines().last().unwrap(),
        "+0 < [ect0] P. 1:4(3) ack 2 win 500 <mss 1460,sackOK,nop,wscale 7,TS val 1 ecr 2,sack 3:4 5:6,eol,eol>"
    );
    // Its grammar takes the dot only behind all letters.
    let flags = write("packetdrill", &build("ip(dst=1.2.3.4)/tcp(flags=S.EW, ack=1)"));
    assert_eq!(flags.lines().last().unwrap(), "+0 < SEW. 0:0(0) ack 1 win 64240");
    assert!(write("packetdrill", &build("ip(dst=1.2.3.4)/udp/\"abc\"")).ends_with("\n+0 < udp (3)"));
}

/// What left the lab's interface while `commands` ran there, a packet a line; `None`: it cannot be tried here.
fn sent_in_the_lab(commands: &str) -> Option<Vec<String>> {
    if !rawbench(&["lab", "--", "true"]).status.success() {
        skipped("the lab cannot be made on this machine");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let script = format!(
        "'{}' capture -i lab0 --duration 3 --hex > '{}' & sleep 1\n{commands}\nwait",
        env!("CARGO_BIN_EXE_rawbench"),
        out.display()
    );
    let run = rawbench(&["lab", "--", "sh", "-c", &script]);
    assert!(run.status.success(), "{}", stderr(&run));
    Some(std::fs::read_to_string(out).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn trafgen_sends_our_frame() {
    if Command::new("trafgen").arg("--version").output().is_err() {
        return skipped("no trafgen (netsniff-ng) on this machine");
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut commands, mut wanted) = (String::new(), Vec::new());
    for (number, text) in PACKETS.iter().enumerate().filter(|(_, t)| t.starts_with("eth") && t.len() > 20) {
        let draft = build(text);
        let file = dir.path().join(format!("{number}.cfg"));
        std::fs::write(&file, write("trafgen", &draft)).unwrap();
        commands += &format!(
            "trafgen --dev lab0 --conf '{}' --num 1 --cpus 1 --qdisc-path > /dev/null 2>&1\n",
            file.display()
        );
        wanted.push(hex_pairs(draft.bytes()));
    }
    let Some(sent) = sent_in_the_lab(&commands) else { return };
    for frame in wanted {
        assert!(sent.contains(&frame), "{frame} is not in {sent:#?}");
    }
}

#[test]
fn hping3_sends_our_packet() {
    if Command::new("hping3").arg("--version").output().is_err() {
        return skipped("no hping3 on this machine");
    }
    let (mut commands, mut wanted) = (String::new(), Vec::new());
    for text in [
        "ip(src=10.77.0.1, dst=10.77.0.2, id=7, ttl=9, flags=D, tos=0x10)/tcp(srcport=40000, dstport=81, seq=5, ack=6, window=99, flags=SE)",
        "ip(src=10.77.0.1, dst=10.77.0.2, id=9)/udp(srcport=5, dstport=9)/\"hi\\x00\\n\\xff\"",
        "ip(src=10.77.0.1, dst=10.77.0.2, id=11)/tcp(flags=.PUFRW, dstport=81)/\"it's\"",
        "ip(src=10.77.0.1, dst=10.77.0.2, id=12)/tcp(flags=S, seq=0xffffffff, dstport=81)",
    ] {
        let draft = build(text);
        // Each waits a second for an answer.
        commands += &(write("hping3", &draft) + " > /dev/null 2>&1 &\n");
        wanted.push(hex_pairs(draft.bytes()));
    }
    let Some(sent) = sent_in_the_lab(&commands) else { return };
    for packet in wanted {
        assert!(sent.iter().any(|s| s.ends_with(&packet)), "{packet} is not in {sent:#?}\n{commands}");
    }
}
