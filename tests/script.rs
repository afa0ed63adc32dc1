//! Scripts without a socket: what is wrong in them is shown at its place, and packets that are handed in are judged.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/properties.rs"]
mod properties;
#[path = "common/samples.rs"]
mod samples;

use proptest::prelude::*;
use rawbench::engine::script::{self, Came, Machine, Nearest, Step, Told, Unmet, What, Why};
use samples::{Nothing, build};

/// LINKTYPE_RAW: a packet begins with its IP header.
const RAW: u32 = 101;
const MS: u64 = 1_000_000;

/// The script, the text under which the carets stand, and the message.
const WRONG: &[(&str, &str, &str)] = &[
    ("> ip(dst=1.2.3.4)/tcp(dstprt=5)", "dstprt", "tcp has no field 'dstprt'; did you mean dstport?"),
    (
        "> ip(dst=1.2.3.4)/tcp(dstport=1..5)",
        "1..5",
        "'1..5' is no number: Destination Port must be 0 to 65535. For several values there are for and sweep",
    ),
    (
        "> ip(dst=1.2.3.4)/tcp(ack=$x)",
        "$x",
        "$x has no value here: set it ($x = 5), or take it from a packet that is expected",
    ),
    ("$port = 5\n> ip(dst=1.2.3.4)/tcp(dstport=$prt)", "$prt", "$prt has no value here; did you mean $port?"),
    (
        "$x = 70000\n> ip(dst=1.2.3.4)/tcp(dstport=$x)",
        "$x",
        "70000 does not fit 16 bits: Destination Port must be 0 to 65535",
    ),
    (
        "for $p in 65530..65536 {\n> ip(dst=1.2.3.4)/tcp(dstport=$p)\n}",
        "$p",
        "65536 does not fit 16 bits: Destination Port must be 0 to 65535",
    ),
    ("> ip(dst=1.2.3.4)/tcp(dstport=$)", "$", "behind $ stands a name, such as $port"),
    ("< tcp(seq=$a, ack=$b-$a)", "$b-$a", "behind $b can stand + or - and a number, such as $b+1"),
    ("< tcp(seq=$taken)", "$taken", "$taken takes a value here that no line uses (* stands for any value)"),
    (
        "$port = 5\n< tcp(srcport=$prt)",
        "$prt",
        "$prt takes a value here that no line uses (* stands for any value); did you mean $port?",
    ),
    (
        "! tcp(seq=$x)",
        "$x",
        "$x has no value here: set it ($x = 5), or take it from a packet that is expected (* stands for any value)",
    ),
    (
        "< tcp(flags=[S., Q])",
        "Q",
        "'Q' is no flag: Flags takes F FIN, S SYN, R RST, P PSH, . ACK, U URG, E ECE, W CWR, e AE",
    ),
    (
        "< tcp(dstport=80..70000)",
        "80..70000",
        "70000 does not fit 16 bits: Destination Port must be 0 to 65535",
    ),
    ("< tcp(options=[mss(x)])", "x", "'x' is no number: MSS Value must be 0 to 65535"),
    ("< 5x tcp", "5x", "'5x' is no time: write 0.3s or 300ms, at most 86400 s"),
    (
        "< tcp where tcp.prt == 5",
        "tcp.prt",
        "there is no field 'tcp.prt'; did you mean tcp.port? (`rawbench fields` lists them all)",
    ),
    ("< tcp where tcp.port == $p", "$p", "$p has no value here"),
    ("< tcp...", "...", "... stands behind a payload, which it lets go on"),
    ("< tcp/random(5)", "random(5)", "nobody knows random bytes before they come"),
    ("sleep soon", "soon", "'soon' is no time: write 0.3s or 300ms, at most 86400 s"),
    ("slep 5", "slep", "no line begins with 'slep'; did you mean sleep?"),
    (
        "> ip(dst=1.2.3.4)\nguard",
        "guard",
        "guard is an option of the run: it stands at the top, before all that is done",
    ),
    ("repeat 0 {", "0", "here must stand how often, 1 to 65536: repeat 3 {"),
    ("for port in 1..3 {", "port in 1..3", "write for $port in 80, 443, 8000..8100 {"),
    ("for $p in 1, {", "", "here must stand a value"),
    ("repeat 2 {\n> ip(dst=1.2.3.4)", "{", "this '{' is not closed: a line with '}' must follow"),
    ("}", "}", "there are no rounds to end: for or repeat begins them"),
    ("test", "", "here must stand the name of the test, such as test \"a closed port\""),
    (
        "sweep ip(dst=1.2.3.4)/tcp",
        "ip(dst=1.2.3.4)/tcp",
        "nothing varies in this packet: give a field several values, such as dstport=1..1024 or flags=[S, F, none]",
    ),
    (
        "sweep ip(dst=1.2.3.4)/tcp(dstport=[80, 70000])",
        "[80, 70000]",
        "70000 does not fit 16 bits: Destination Port must be 0 to 65535",
    ),
    ("sweep ip(dst=1.2.3.4)/tcp(dstport=1..5)\n= 9 reset", "9", "the sweep does not send 9"),
    (
        "sweep ip(dst=1.2.3.4)/tcp(dstport=1..5)\n= 3 rest",
        "rest",
        "'rest' is no kind of answer; did you mean reset? (syn-ack, reset, ack, icmp-unreachable, icmp-other, echo-reply, udp, other, none)",
    ),
    ("= 3 reset", "=", "a line that begins with = stands behind a sweep"),
    ("# nothing", "#", "the script has no line that does something, such as > ip(dst=…)/tcp"),
];

#[test]
fn what_is_wrong_is_shown_at_its_place() {
    for (source, at, message) in WRONG {
        // A comment and a good line before it move every place.
        for before in ["", "# päckchen\n"] {
            let source =
                if *source == "# nothing" { (*source).to_owned() } else { format!("{before}{source}") };
            let error = script::parse(&source, &[], &mut Nothing).expect_err(&source);
            let found = source.get(error.at.clone()).unwrap();
            let found = if source == "# nothing" { "#" } else { found };
            assert_eq!((found, error.message.as_str()), (*at, *message), "{source}");
        }
    }
}

#[test]
fn values_of_the_command_line_replace_those_of_the_script() {
    let source = "$port = 80\n> ip(dst=1.2.3.4)/tcp(dstport=$port)";
    let given = |name: &str, value: &str| script::parse(source, &[(name.into(), value.into())], &mut Nothing);
    assert_eq!(given("port", "99").unwrap().packets().unwrap(), ["ip(dst=1.2.3.4)/tcp(dstport=99)"]);
    assert_eq!(
        given("prt", "99").unwrap_err().message,
        "no line of the script sets $prt; did you mean port?"
    );
    assert!(given("port", "70000").is_err());
}

/// A script that runs on a clock of the test.
struct Bench {
    machine: Machine,
    now: u64,
}

impl Bench {
    fn new(source: &str) -> Self {
        let script =
            script::parse(source, &[], &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(source)));
        Self { machine: Machine::new(script, None, false, 5, 0), now: 0 }
    }

    /// Runs until it waits; gives the packets that it sent.
    fn run(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Step::Send(text) = self.machine.step(self.now) {
            self.machine.going(RAW, build(&text).bytes(), self.now);
            self.machine.sent(Ok(()));
            sent.push(text);
        }
        sent
    }

    fn at(&mut self, ms: u64) -> &mut Self {
        self.now = ms * MS;
        self
    }

    fn came(&mut self, text: &str) -> &mut Self {
        let bytes = build(text).bytes().to_vec();
        self.machine.came(Came { link_type: RAW, time_ns: self.now, outgoing: false, bytes });
        self
    }

    fn told(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.machine.told()).collect()
    }

    /// A letter for each line that was decided, with its number.
    fn verdicts(&mut self) -> String {
        let word = |told: &Told| match &told.what {
            What::Came { .. } | What::Silence(_) | What::Swept(_) => format!("+{} ", told.line),
            What::Failed(_) => format!("-{} ", told.line),
            _ => String::new(),
        };
        self.told().iter().map(word).collect()
    }
}

const SYN: &str =
    "> ip(src=10.0.0.1, dst=10.0.0.2)/tcp(srcport=40000, dstport=80, seq=4294967295, flags=S)\n";
const SYN_ACK: &str = "ip(src=10.0.0.2, dst=10.0.0.1)/tcp(srcport=80, dstport=40000, seq=4294967295, ack=0, flags=S., \
                       options=[mss(1460), sackOK, nop, wscale(7)])";

#[test]
fn a_value_is_taken_and_reckoned_with_in_the_width_of_its_field() {
    let source = format!(
        "{SYN}< tcp(flags=S., seq=$theirs, options=[mss($m), wscale(*)])\n\
         > ip(dst=10.0.0.2)/tcp(seq=$m, ack=$theirs+1, flags=.)"
    );
    let mut bench = Bench::new(&source);
    assert_eq!(bench.run().len(), 1);
    assert_eq!(bench.at(1).came(SYN_ACK).run(), ["ip(dst=10.0.0.2)/tcp(seq=1460, ack=0, flags=.)"]);
    assert_eq!(bench.verdicts(), "+2 ");
    assert!(bench.machine.verdicts().pass());
}

fn unmet(told: &[Told]) -> Unmet {
    let failed = told.iter().find_map(|t| match &t.what {
        What::Failed(why) => Some(why.clone()),
        _ => None,
    });
    match *failed.expect("a failure") {
        Why::Missing(unmet) => unmet,
        other => panic!("{other:?}"),
    }
}

fn differences(near: &Nearest) -> Vec<String> {
    near.differences.iter().map(|d| format!("{}: {} / {}", d.field, d.expected, d.came)).collect()
}

/// What a pattern says to the SYN-ACK; empty: it matches.
fn judge(pattern: &str) -> Vec<String> {
    let mut bench = Bench::new(&format!("{SYN}< {pattern}"));
    bench.run();
    bench.at(1).came(SYN_ACK).run();
    bench.at(1100).run();
    let told = bench.told();
    match bench.machine.verdicts().pass() {
        true => Vec::new(),
        false => {
            unmet(&told).nearest.as_ref().map(differences).unwrap_or_else(|| vec!["nothing like it".into()])
        }
    }
}

#[test]
fn only_what_is_named_counts() {
    for like in [
        "ip",
        "tcp",
        "ip(src=10.0.0.2)/tcp",
        "tcp(srcport=80, flags=S.)",
        "tcp(flags=18)",
        "tcp(flags.syn=1)",
        "tcp(srcport=[79, 80])",
        "tcp(srcport=1..1024)",
        "ip(src=10.0.0.1..10.0.0.9)",
        "tcp(srcport=*, options=[wscale(7)])",
        "tcp(options=[mss(0x5b4), nop])",
        "tcp(hdr_len=32)",
        "tcp(data_offset=8)",
        "tcp(ack=$a, checksum=*) where tcp.ack_raw == $a",
        "tcp where tcp.options.mss_val > 1000 && ip.ttl == 64",
        "tcp/\"\"",
    ] {
        assert_eq!(judge(like), Vec::<String>::new(), "{like}");
    }
    for (other, said) in [
        ("tcp(srcport=81, flags=R.)", "tcp.srcport: 81 / 80, tcp.flags: R. / S."),
        ("tcp(srcport=[81, 1..79])", "tcp.srcport: 81 or 1..79 / 80"),
        (
            "tcp(options=[sackOK, mss(1460)])",
            "tcp.options: [sackOK, mss(1460)] / [mss(1460), sackOK, nop, wscale(7)]",
        ),
        ("tcp(options=[mss(1400)])", "tcp.options: [mss(1400)] / [mss(1460), sackOK, nop, wscale(7)]"),
        ("ip(ttl=63)/udp", "ip.ttl: 63 / 64, udp: a udp header / a tcp header"),
        ("udp", "nothing like it"),
        ("tcp(flags=S.)/\"x\"", "payload: \"x\" / "),
        ("tcp where tcp.ack_raw == 5", "where: tcp.ack_raw == 5 / does not hold"),
        ("tcp(seq=$a, ack=$a)", "tcp.ack_raw: 4294967295 / 0"),
    ] {
        assert_eq!(judge(other).join(", "), said, "{other}");
    }
}

#[test]
fn a_quoted_packet_is_what_an_error_quotes_and_nothing_else() {
    let error = "ip(src=10.0.0.9, dst=10.0.0.1)/icmp(type=3, code=13)/ip(dst=10.0.0.2)/tcp(srcport=40000, dstport=80)";
    let mut bench = Bench::new(&format!(
        "{SYN}! 1ms tcp\n< icmp(type=3, code=[10, 13])/ip(dst=10.0.0.2)/tcp(srcport=40000)"
    ));
    bench.run();
    bench.came(error).run();
    bench.at(30).run();
    assert_eq!(bench.verdicts(), "+2 +3 ");
}

#[test]
fn time_counts_from_the_packet_as_the_kernel_saw_it_go_out() {
    let judged = |sighted: u64, came: u64| {
        let mut bench = Bench::new(&format!("{SYN}< 100ms tcp(flags=S.)"));
        let sent = bench.run();
        let bytes = build(&sent[0]).bytes().to_vec();
        bench.machine.came(Came { link_type: RAW, time_ns: sighted * MS, outgoing: true, bytes });
        // What came is heard of only later: its own time counts.
        bench.at(came).came(SYN_ACK);
        bench.at(came + 15).run();
        bench.at(1000).run();
        let told = bench.told();
        (bench.machine.verdicts().pass(), told)
    };
    assert!(judged(0, 100).0);
    assert!(judged(50, 150).0);
    let (pass, told) = judged(50, 151);
    assert!(!pass);
    assert_eq!(differences(&unmet(&told).nearest.unwrap()), ["time: within 100ms / 101ms"]);
}

#[test]
fn a_packet_is_taken_once_and_others_wait_for_their_line() {
    let data = "ip(src=10.0.0.2, dst=10.0.0.1)/tcp(srcport=80, dstport=40000, flags=P.)/\"data\"";
    let mut bench = Bench::new(&format!("{SYN}< tcp(flags=S.)\n< tcp(flags=P.)\n< 50ms tcp(flags=S.)"));
    bench.run();
    bench.at(1).came(data).came(SYN_ACK).run();
    bench.at(60).run();
    bench.at(80).run();
    assert_eq!(bench.verdicts(), "+2 +3 -4 ");
    let mut bench = Bench::new(&format!("{SYN}! 50ms tcp(flags=S.)"));
    bench.run();
    bench.at(40).came(SYN_ACK).run();
    assert!(matches!(&bench.told().last().unwrap().what, What::TestOver { failed: 1, .. }));
}

#[test]
fn a_failure_ends_its_round_or_its_test_and_nothing_else() {
    let answer = |port: u16| format!("ip(src=10.0.0.2, dst=10.0.0.1)/tcp(srcport={port}, flags=R.)");
    let source = "wait 10ms\n$host = 10.0.0.2\n\
        test \"one\"\nfor $p in [1, 2] {\n> ip(dst=$host)/tcp(dstport=$p)\n< tcp(srcport=$p)\n> ip(dst=$host)/udp\n}\n\
        test \"two\"\n> ip(dst=$host)/icmp\n< icmp\n> ip(dst=$host)/icmp\n\
        test \"three\"\nsleep 5ms\n> ip(dst=$host)/udp\n";
    let mut bench = Bench::new(source);
    assert_eq!(bench.run(), ["ip(dst=10.0.0.2)/tcp(dstport=1)"]);
    assert_eq!(bench.at(40).run(), ["ip(dst=10.0.0.2)/tcp(dstport=2)"], "the first round failed");
    bench.came(&answer(2));
    assert_eq!(bench.at(41).run(), ["ip(dst=10.0.0.2)/udp", "ip(dst=10.0.0.2)/icmp"]);
    assert!(bench.at(90).run().is_empty(), "the second test failed, the third sleeps");
    assert_eq!(bench.at(96).run(), ["ip(dst=10.0.0.2)/udp"]);
    let told = bench.told();
    let tests = told.iter().filter_map(|t| match &t.what {
        What::TestOver { name, failed } => Some((name.as_str(), *failed)),
        _ => None,
    });
    assert_eq!(tests.collect::<Vec<_>>(), [("one", 1), ("two", 1), ("three", 0)]);
    let failed = told.iter().find(|t| matches!(t.what, What::Failed(_))).unwrap();
    assert_eq!((failed.line, failed.rounds.as_slice()), (6, ["p=1".to_owned()].as_slice()));
}

#[test]
fn what_came_before_a_round_is_not_for_it() {
    let mut bench = Bench::new("wait 10ms\nrepeat 2 {\n> ip(dst=10.0.0.2)/icmp\n< icmp(type=0)\n}");
    bench.run();
    let reply = "ip(src=10.0.0.2, dst=10.0.0.1)/icmp(type=0)";
    // A duplicate of the first answer must not be the answer to the second.
    bench.at(1).came(reply).came(reply);
    assert_eq!(bench.at(2).run().len(), 1);
    bench.at(50).run();
    assert_eq!(bench.verdicts(), "+4 -4 ");
}

#[test]
fn a_sweep_says_what_answers_where() {
    let source = "sweep 50ms ip(src=10.0.0.1, dst=10.0.0.2)/tcp(dstport=[80..82, 99], flags=S)\n= 80 syn-ack\n= 99 none\n= * reset";
    let mut bench = Bench::new(source);
    let mut sent = Vec::new();
    for ms in 0..10 {
        sent.extend(bench.at(ms).run());
    }
    assert_eq!(sent.len(), 4);
    assert_eq!(sent[1], "ip(src=10.0.0.1, dst=10.0.0.2)/tcp(srcport=20001, dstport=81, flags=S)");
    for (port, flags) in [(80, "S."), (81, "R."), (82, "S.")] {
        let to = 20000 + port - 80;
        bench.came(&format!(
            "ip(src=10.0.0.2, dst=10.0.0.1)/tcp(srcport={port}, dstport={to}, ack=1, flags={flags})"
        ));
    }
    bench.at(100).run();
    let table = bench.told().into_iter().find_map(|t| match t.what {
        What::Failed(why) => match *why {
            Why::Sweep(table) => Some(table),
            _ => None,
        },
        _ => None,
    });
    let rows = table.unwrap().rows;
    let seen: Vec<_> = rows.iter().map(|r| (r.values[0].as_str(), r.kind(), r.missed.clone())).collect();
    let missed = Some(("reset".to_owned(), 4));
    assert_eq!(
        seen,
        [("80", "syn-ack", None), ("81", "reset", None), ("82", "syn-ack", missed), ("99", "none", None)]
    );
}

#[test]
fn a_stop_leaves_no_pass() {
    let mut bench = Bench::new(&format!("{SYN}< tcp"));
    bench.run();
    bench.machine.stop();
    assert_eq!(bench.machine.step(5), Step::Over);
    assert!(bench.machine.verdicts().stopped && !bench.machine.verdicts().pass());
}

#[test]
fn rounds_without_an_end_can_be_stopped_and_values_have_a_limit() {
    let nested = "repeat 65536 {\n".repeat(8) + "$a = 1\n" + &"}\n".repeat(8);
    let mut bench = Bench::new(&nested);
    assert_eq!(bench.machine.step(7), Step::Wait(7));
    bench.machine.stop();
    assert_eq!(bench.machine.step(8), Step::Over);
    let wrong = |source: &str| script::parse(source, &[], &mut Nothing).unwrap_err().message;
    let all = "all rounds and sweeps together have more than 1048576 values";
    assert_eq!(wrong(&"repeat 65536 {\n}\n".repeat(17)), all);
    let long = format!("< tcp(dstport=[{}])/zero(9)", vec!["1"; 20000].join(", "));
    assert_eq!(wrong(&long), "this packet is too long for 20000 values");
}

/// Pieces of scripts, put together at random.
fn piece() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just("> "),
        Just("< "),
        Just("! "),
        Just("\n"),
        Just("sweep "),
        Just("for $a in 1..3 {"),
        Just("repeat 2 {"),
        Just("}\n"),
        Just("= "),
        Just("= * none"),
        Just("$a = "),
        Just("$a"),
        Just("$a+1"),
        Just("random(1..9)"),
        Just("ip(dst=1.2.3.4)"),
        Just("/tcp(seq="),
        Just("/tcp(dstport=[1, 2])"),
        Just(")"),
        Just("/\"x\""),
        Just("..."),
        Just(" where tcp.port == $a"),
        Just("0.1s "),
        Just("test \"t\"\n"),
        Just("sleep 1ms\n"),
        Just("# c\n"),
        Just("\\\n"),
        Just("options=[mss($b)]"),
        Just("ü"),
        Just("tcp(srcport=$p, seq=*)"),
        Just("guard\n"),
    ];
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec(piece(), 0..24)) {
        properties::script(pieces.concat().as_bytes());
    }
}
