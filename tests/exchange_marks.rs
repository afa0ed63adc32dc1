//! What the packets of a capture are to those that were sent: marks, their reasons, the table, the export.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::path::Path;

use rawbench::craft::Draft;
use rawbench::engine::System;
use rawbench::engine::{
    AnswerKind, CaptureFile, ExchangeFormat, Exchanges, LATE_NS, Look, Marks, Matcher, Passed, Role, Table,
    What, export_exchanges,
};
use rawbench::pcap::{Direction, Format, InterfaceInfo, LinkType, PacketRecord, Writer};
use rawbench::wire::value::hex_pairs;

const RAW: u32 = 101;
const OUT: [bool; 2] = [true, false];
const BACK: [bool; 2] = [false, true];
/// On loopback, and where nobody knows.
const EITHER: [bool; 2] = [true, true];

fn packet(notation: &str) -> Vec<u8> {
    match Draft::from_notation(notation, &mut System::default()) {
        Ok(draft) => draft.bytes().to_vec(),
        Err(error) => panic!("{}", error.render(notation)),
    }
}

/// A capture that is taken packet by packet, one each 100 µs.
#[derive(Default)]
struct Taken {
    matcher: Matcher,
    marks: Marks,
    packets: Vec<Vec<u8>>,
    now_ns: u64,
}

impl Taken {
    /// Takes a packet; gives what it is.
    fn take(&mut self, notation: &str, ways: [bool; 2], ours: bool) -> String {
        self.take_bytes(packet(notation), ways, ours)
    }

    fn take_bytes(&mut self, bytes: Vec<u8>, ways: [bool; 2], ours: bool) -> String {
        self.now_ns += 100_000;
        let position = self.packets.len();
        let passed = Passed {
            position: position as u32,
            time_ns: Some(self.now_ns),
            ways,
            link_type: RAW,
            bytes: &bytes,
            ours,
        };
        self.matcher.take(&passed, &mut self.marks);
        self.packets.push(bytes);
        self.text(position + 1)
    }

    fn roles(&self, number: usize) -> Vec<Role> {
        self.marks.of(number - 1).into_iter().flatten().collect()
    }

    /// What the packet of this number is.
    fn text(&self, number: usize) -> String {
        let texts: Vec<String> = self.roles(number).iter().map(Role::text).collect();
        texts.join("; ")
    }

    /// Why.
    fn why(&self, number: usize) -> String {
        let role = self.roles(number)[0];
        let bytes = |position: usize| (RAW, &self.packets[position][..]);
        let (question, other) = match role.what {
            None => (number - 1, role.partner()),
            Some(_) => (role.partner().unwrap(), Some(number - 1)),
        };
        role.why(bytes(question), other.map(bytes)).unwrap()
    }

    fn table(&self, look: Look) -> Table {
        Table::of(&self.marks, look, |position| Some(u64::from(position + 1) * 100_000))
    }
}

fn ours(tcp: &str) -> String {
    format!("ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, {tcp})")
}

fn theirs(tcp: &str) -> String {
    format!("ip(src=10.77.0.2, dst=10.77.0.1)/tcp(srcport=80, dstport=40000, {tcp})")
}

#[test]
fn a_handshake_by_hand_is_told_packet_by_packet() {
    let mut all = Taken::default();
    assert_eq!(all.take(&ours("seq=1000, flags=S"), OUT, true), "sent by this bench");
    assert_eq!(all.take(&theirs("seq=7, ack=1001, flags=S."), BACK, false), "answer to 1 in 100.0 µs");
    assert_eq!(all.why(2), "acknowledges 1001 = sequence 1000 + SYN 1 (RFC 9293 3.10.7.3)");
    assert_eq!(all.roles(1)[0].partner(), Some(1));
    assert_eq!(all.why(1), all.why(2), "the question says why it is answered");
    assert_eq!(all.take(&theirs("seq=7, ack=1001, flags=S."), BACK, false), "again: answer to 1");
    assert_eq!(all.take(&ours("seq=1001, ack=8, flags=."), OUT, true), "sent by this bench");
    assert_eq!(all.take(&(ours("seq=1001, ack=8, flags=P.") + "/\"GET\""), OUT, true), "sent by this bench");
    assert_eq!(all.take(&theirs("seq=8, ack=1004, flags=."), BACK, false), "answer to 5 in 100.0 µs");
    assert_eq!(all.why(6), "acknowledges 1004 = sequence 1001 + 3 bytes (RFC 9293 3.10.7.4)");
    // What follows acknowledges no more: the connection goes on.
    assert_eq!(all.take(&(theirs("seq=8, ack=1004, flags=P.") + "/\"page\""), BACK, false), "");
    assert_eq!(all.take(&theirs("seq=8, ack=1001, flags=."), BACK, false), "", "an older acknowledgment");
    assert_eq!(all.take(&theirs("seq=12, ack=5555, flags=."), BACK, false), "stray: answers nothing");
    let why = "from the other end of packet 5, but acknowledges 5555: that packet ends at 1004 = sequence 1001 + 3 bytes";
    assert_eq!(all.why(9), why);
    assert_eq!(all.take(&ours("seq=1004, flags=R"), OUT, false), "reset sent by the kernel");
    assert!(all.why(10).contains("Hold port 40000"), "{}", all.why(10));
    let table = all.table(Look::default());
    let line = &table.lines[0];
    assert_eq!((line.name.as_str(), line.sent, line.answered), ("10.77.0.2:80", 3, 2));
    assert_eq!(
        (line.unanswered, line.again, line.strays, line.resets),
        (0, 1, 1, 1),
        "nobody owes an ACK one"
    );
    assert_eq!(table.total.rtt_ns, Some([100_000; 4]));
    assert_eq!(table.points.iter().map(|p| p.answer).collect::<Vec<_>>(), [1, 5]);
}

#[test]
fn the_kernels_reset_is_told_from_one_that_was_sent_here_and_in_files_by_its_number() {
    let mut all = Taken::default();
    all.take(&ours("seq=1000, flags=S"), OUT, true);
    all.take(&theirs("seq=7, ack=1001, flags=S."), BACK, false);
    assert_eq!(all.take(&ours("seq=1001, flags=R"), OUT, true), "sent by this bench");
    assert_eq!(all.take(&ours("seq=1001, flags=R"), OUT, false), "reset sent by the kernel");
    // Nobody knows who sent what is in a file, and which way it went.
    let mut file = Taken::default();
    assert_eq!(file.take(&ours("seq=1000, flags=S"), EITHER, false), "");
    assert_eq!(file.take(&theirs("seq=7, ack=1001, flags=S."), EITHER, false), "answer to 1 in 100.0 µs");
    assert_eq!(file.text(1), "answered by 2 in 100.0 µs");
    assert_eq!(file.take(&ours("seq=1009, flags=R"), EITHER, false), "", "another number");
    assert_eq!(
        file.take(&ours("seq=1001, ack=8, flags=R."), EITHER, false),
        "",
        "not bare: a socket knew it"
    );
    assert_eq!(file.take(&ours("seq=1001, flags=R"), EITHER, false), "reset by the kernel of the sender");
}

#[test]
fn on_loopback_each_packet_is_seen_once_and_both_ends_are_here() {
    let lo = |from: u16, to: u16, rest: &str| {
        format!("ip(src=127.0.0.1, dst=127.0.0.1)/tcp(srcport={from}, dstport={to}, {rest})")
    };
    let mut all = Taken::default();
    assert_eq!(all.take(&lo(40000, 80, "seq=4294967295, flags=S"), EITHER, true), "sent by this bench");
    assert_eq!(all.take(&lo(80, 40000, "seq=7, ack=0, flags=S."), EITHER, false), "answer to 1 in 100.0 µs");
    let why = "acknowledges 0 = sequence 4294967295 + SYN 1 modulo 2^32 (RFC 9293 3.10.7.3)";
    assert_eq!(all.why(2), why);
    assert_eq!(all.take(&lo(40000, 80, "seq=0, flags=R"), EITHER, false), "reset sent by the kernel");
    assert_eq!(all.take(&lo(40001, 81, "seq=5, flags=S"), EITHER, true), "sent by this bench");
    assert_eq!(all.take(&lo(81, 40001, "seq=0, ack=6, flags=R."), EITHER, false), "answer to 4 in 100.0 µs");
    assert_eq!(all.why(5), "acknowledges 6 = sequence 5 + SYN 1 (RFC 9293 3.10.7.1)");
    // Two ends that this bench plays both: an answer, and a question of its own.
    let both = all.take(&lo(80, 40000, "seq=7, ack=0, flags=S."), EITHER, true);
    assert_eq!(both, "again: answer to 1; sent by this bench");
}

#[test]
fn icmp_errors_echo_and_datagrams_find_their_questions() {
    let mut all = Taken::default();
    let to = "ip(src=10.77.0.1, dst=10.77.0.2, id=7)";
    let back = "ip(src=10.77.0.2, dst=10.77.0.1)";
    assert_eq!(
        all.take(&format!("{to}/udp(srcport=40000, dstport=53)/\"q\""), OUT, true),
        "sent by this bench"
    );
    let quote = hex_pairs(&all.packets[0][..28]);
    let error = format!("ip(src=10.9.9.9, dst=10.77.0.1)/icmp(type=3, code=3)/hex({quote})");
    assert_eq!(all.take(&error, BACK, false), "answer to 1 in 100.0 µs");
    assert_eq!(all.why(2), "quotes the packet: to 10.77.0.2, ports 40000 to 53 (RFC 792)");
    assert_eq!(all.marks.exchanges()[0].kind, Some(AnswerKind::IcmpUnreachable));
    let reply = format!("{back}/udp(srcport=53, dstport=40000)/\"a\"");
    assert_eq!(all.take(&reply, BACK, false), "again: answer to 1");
    all.take(&format!("{to}/icmp(type=8, id=9, seq=1)"), OUT, true);
    assert_eq!(all.take(&format!("{back}/icmp(type=0, id=9, seq=2)"), BACK, false), "");
    assert_eq!(
        all.take(&format!("{back}/icmp(type=0, id=9, seq=1)"), BACK, false),
        "answer to 4 in 200.0 µs"
    );
    assert_eq!(all.why(6), "its identifier 9 and sequence number 1 are those of the request (RFC 792)");
    let table = all.table(Look::default());
    let names: Vec<&str> = table.lines.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["10.77.0.2:53", "10.77.0.2 id 9"]);
    let only = all.table(Look { group: Some(1), others: false });
    assert_eq!(only.points.iter().map(|p| (p.answer, p.rtt_ns)).collect::<Vec<_>>(), [(5, 200_000)]);
    assert_eq!((only.measured, only.total.sent), (1, 2));
}

#[test]
fn an_answer_after_a_second_is_late_and_each_probe_has_its_own() {
    let mut all = Taken::default();
    for _ in 0..3 {
        all.take(&ours("seq=1000, flags=S"), OUT, true);
    }
    all.now_ns += LATE_NS;
    let answer = theirs("seq=7, ack=1001, flags=S.");
    assert_eq!(all.take(&answer, BACK, false), "late answer to 1, after 1.000 s");
    assert_eq!(all.take(&answer, BACK, false), "late answer to 2, after 1.000 s");
    let line = &all.table(Look::default()).total;
    assert_eq!((line.sent, line.answered, line.unanswered, line.late), (3, 2, 1, 2));
}

#[test]
fn an_acknowledgment_is_for_all_before_it() {
    let mut all = Taken::default();
    for (sequence, text) in [(1, "abc"), (4, "de"), (6, "f")] {
        all.take(&(ours(&format!("seq={sequence}, ack=9, flags=P.")) + &format!("/\"{text}\"")), OUT, true);
    }
    assert_eq!(all.take(&theirs("seq=9, ack=7, flags=."), BACK, false), "answer to 3 in 100.0 µs");
    assert_eq!((all.roles(1)[0].partner(), all.roles(2)[0].partner()), (Some(3), Some(3)));
    assert!(all.why(1).contains("all before 7 is, and this one ends at 4"), "{}", all.why(1));
    let total = all.table(Look::default()).total;
    assert_eq!((total.answered, total.unanswered), (3, 0));
    assert_eq!(total.rtt_ns, Some([100_000; 4]), "one time was measured, not three");
    // Probes of a sweep have nothing to do with each other.
    let mut sweep = Taken::default();
    sweep.take(&ours("seq=5, flags=S"), OUT, true);
    sweep.take(&ours("seq=900, flags=S"), OUT, true);
    assert_eq!(sweep.take(&theirs("seq=9, ack=901, flags=S."), BACK, false), "answer to 2 in 100.0 µs");
    assert_eq!(sweep.table(Look::default()).total.unanswered, 1);
}

#[test]
fn what_others_do_is_marked_where_it_begins_and_kept_out_of_the_table() {
    let mut all = Taken::default();
    let dns = |from: &str, to: &str, ports: [u16; 2], text: &str| {
        format!("ip(src={from}, dst={to})/udp(srcport={}, dstport={})/\"{text}\"", ports[0], ports[1])
    };
    all.take(&dns("10.0.0.1", "10.0.0.9", [5000, 53], "q"), EITHER, false);
    assert_eq!(
        all.take(&dns("10.0.0.9", "10.0.0.1", [53, 5000], "a"), EITHER, false),
        "answer to 1 in 100.0 µs"
    );
    assert_eq!(all.take(&dns("10.0.0.1", "10.0.0.9", [5000, 53], "q2"), EITHER, false), "", "it goes on");
    assert_eq!(all.take(&dns("10.0.0.9", "10.0.0.1", [53, 5000], "a2"), EITHER, false), "");
    assert_eq!(all.take(&dns("10.0.0.9", "10.0.0.1", [53, 5000], "a"), EITHER, false), "again: answer to 1");
    assert_eq!(all.take(&theirs("seq=12, ack=5555, flags=."), EITHER, false), "", "nobody was asked there");
    let table = all.table(Look::default());
    assert_eq!((table.total.sent, table.any_ours), (1, false), "where this bench sent nothing all are shown");
    all.take(&ours("seq=1, flags=S"), EITHER, true);
    assert_eq!(all.table(Look::default()).total.sent, 1);
    assert_eq!(all.table(Look { others: true, group: None }).total.sent, 2);
}

#[test]
fn no_bytes_panic_and_memory_is_bounded() {
    let mut all = Taken::default();
    let whole = packet(&(ours("seq=1, flags=S") + "/\"abcdefgh\""));
    for length in 0..whole.len() {
        all.take_bytes(whole[..length].to_vec(), EITHER, length % 2 == 0);
    }
    // A flood of questions with one key, and one with many.
    let mut matcher = Matcher::default();
    let mut marks = Marks::default();
    let mut bytes = packet(&ours("seq=1, flags=S"));
    for position in 0..200_000u32 {
        bytes[24..28].copy_from_slice(&position.to_be_bytes());
        if position >= 100_000 {
            bytes[20..22].copy_from_slice(&(position as u16).to_be_bytes());
        }
        let passed = Passed { position, time_ns: None, ways: OUT, link_type: RAW, bytes: &bytes, ours: true };
        matcher.take(&passed, &mut marks);
    }
    assert_eq!(marks.exchanges().len(), 200_000);
    assert_eq!(marks.groups().len(), 1);
}

/// A capture file of a handshake that the kernel resets.
fn file(directory: &Path) -> CaptureFile {
    let path = directory.join("capture.pcapng");
    let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), Format::PcapNg, &path);
    writer.add_interface(&InterfaceInfo::new("veth", LinkType::RAW)).unwrap();
    let packets = [
        (ours("seq=1000, flags=S"), Direction::Outbound),
        (theirs("seq=7, ack=1001, flags=S."), Direction::Inbound),
        (ours("seq=1001, flags=R"), Direction::Outbound),
        (ours("seq=2000, flags=S"), Direction::Outbound),
    ];
    for (n, (notation, direction)) in packets.iter().enumerate() {
        let bytes = packet(notation);
        let record = PacketRecord::new(0, 1_000_000 + n as u64 * 84_000, &bytes);
        writer.write_packet(&PacketRecord { direction: *direction, ..record }).unwrap();
    }
    writer.finish(&[]).unwrap();
    CaptureFile::open(&path).unwrap().0
}

#[test]
fn a_file_is_traced_in_the_background_and_exported() {
    let directory = tempfile::tempdir().unwrap();
    let file = file(directory.path());
    let exchanges = Exchanges::default();
    assert!(exchanges.begin() && !exchanges.begin(), "one works on it");
    exchanges.work(&file, &|| true, &|| {});
    assert!(exchanges.is_done(4));
    let text = |position| exchanges.of(position)[0].map(|role| role.text()).unwrap_or_default();
    assert_eq!(text(1), "answer to 1 in 84.0 µs");
    assert_eq!(exchanges.of(2)[0].unwrap().what, Some(What::KernelReset));
    let table = exchanges.table();
    assert_eq!((table.total.sent, table.total.answered, table.total.unanswered), (2, 1, 1));
    exchanges.look_at(Look { group: Some(0), others: true });
    assert!(!exchanges.is_done(4) && exchanges.due_in().is_zero(), "the table is made anew at once");

    let marks = exchanges.snapshot();
    let to = directory.path().join("exchanges.csv");
    assert_eq!(export_exchanges(&file, &marks, &to, ExchangeFormat::for_path(&to)).unwrap(), 2);
    assert_eq!(
        std::fs::read_to_string(&to).unwrap(),
        "number,question,answer,sent_ns,received_ns,rtt_ns,to,from,kind,flags,duplicates,ours\n\
         1,1,2,1000000,1084000,84000,10.77.0.2,10.77.0.2,syn-ack,S.,0,false\n\
         2,4,,1252000,,,10.77.0.2,,,,0,false\n"
    );
    let to = directory.path().join("exchanges.JSON");
    export_exchanges(&file, &marks, &to, ExchangeFormat::for_path(&to)).unwrap();
    let text = std::fs::read_to_string(&to).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines[0]["rtt_ns"].as_u64(), lines[0]["kind"].as_str()), (Some(84_000), Some("syn-ack")));
    assert!(lines[1]["answer"].is_null());
    let nowhere = directory.path().join("none").join("exchanges.csv");
    let error = export_exchanges(&file, &marks, &nowhere, ExchangeFormat::Csv).unwrap_err();
    assert!(error.text.contains("cannot write") && error.text.contains("exchanges.csv"), "{}", error.text);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3, "nothing is left behind");
}
