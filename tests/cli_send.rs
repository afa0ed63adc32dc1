//! Streams through the real program, from one end of a pair of interfaces to the other, in a network namespace of its own:
//! what arrives is what was asked. Where the system forbids such namespaces it is skipped, loudly; with
//! `RAWBENCH_REQUIRE_NET` set that is a failure. No speed is asserted, it is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/net.rs"]
mod net;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rawbench::pcap::CaptureFile;
use rawbench::wire::checksum::{self, Verdict};
use rawbench::wire::dissect::dissect;
use serde_json::Value;

/// Makes the pair; `arrive FILE N COMMAND…` runs a command and records the N packets of UDP that arrive, `say NAME COMMAND…`
/// keeps what a command says and how it ends.
const BEGIN: &str = r#"
set -u
cd "$DIR"
# So that the kernel says nothing by itself.
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add va type veth peer name vb
for end in va vb; do ip link set $end addrgenmode none; ip link set $end up; done
rx() { cat /proc/net/dev | awk '$1 == "vb:" {print $3}'; }
say() { name=$1; shift; before=$(rx); "$@" >$name.out 2>$name.err; echo $? >$name.status; echo $(($(rx) - before)) >$name.rx; }
arrive() {
  name=$1; count=$2; shift 2
  "$RAWBENCH" capture -i vb -f udp -c $count --duration 20 -w $name.pcapng 2>$name.cap & capture=$!
  for i in $(seq 200); do [ "$(awk 'NR > 1 && $5 > 0' /proc/net/packet | wc -l)" -ge 1 ] && break; sleep 0.02; done
  say $name "$@"
  wait $capture
}
P='eth(dst=02:00:00:00:00:02, src=02:00:00:00:00:01)/ip(src=10.9.0.1, dst=10.9.0.2, id=random)/udp(srcport=random(1024..65535), dstport=9)/random(20)'
S="$RAWBENCH send -i va"
"#;

struct Run(tempfile::TempDir);

impl Run {
    /// Runs a script; `None`: there are no namespaces here.
    fn new(test: &str, script: &str) -> Option<Self> {
        let how = if net::is_root() { "-n" } else { "-Urn" };
        let directory = tempfile::tempdir().unwrap();
        let probe = Command::new("unshare").args([how, "ip", "link", "add", "va", "type", "veth"]).output();
        if !probe.is_ok_and(|o| o.status.success()) {
            net::skip(test, "no network namespace with a pair of interfaces can be had");
            return None;
        }
        let out = Command::new("unshare")
            .args([how, "sh", "-c", &format!("{BEGIN}{script}")])
            .env("DIR", directory.path())
            .env("RAWBENCH", net::program("rawbench"))
            .output()
            .unwrap();
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(Self(directory))
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// The status of a command, and how many packets arrived while it ran, whoever sent them.
    fn ended(&self, name: &str) -> (i32, u64) {
        let number = |kind: &str| self.text(&format!("{name}.{kind}")).trim().parse::<i64>().unwrap();
        (number("status") as i32, number("rx") as u64)
    }

    fn summary(&self, name: &str) -> Value {
        let text = self.text(&format!("{name}.out"));
        let line = text.lines().last().unwrap_or_else(|| panic!("{}", self.text(&format!("{name}.err"))));
        serde_json::from_str(line).unwrap()
    }

    /// The packets that arrived, with their times.
    fn packets(&self, name: &str) -> Vec<(u64, Vec<u8>)> {
        read(&self.0.path().join(format!("{name}.pcapng")))
    }

    fn bytes(&self, name: &str) -> Vec<Vec<u8>> {
        self.packets(name).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

fn read(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let (capture, _) = CaptureFile::open(path).unwrap();
    let mut reader = capture.reader();
    (0..capture.len()).map(|i| reader.record(i).map(|r| (r.timestamp_ns, r.data.to_vec())).unwrap()).collect()
}

/// The verdicts on the checksums of a frame.
fn verdicts(frame: &[u8]) -> Vec<Verdict> {
    let found = dissect(1, frame);
    (0..found.layers.len()).filter_map(|i| checksum::verdict(frame, &found.layers, i, false)).collect()
}

#[test]
fn what_arrives_is_what_was_asked() {
    let script = r#"
arrive fast 3000 $S --rate max --count 3000 --seed 7 --json "$P"
arrive slow 3000 $S --rate 20k --burst 10 --count 3000 --seed 7 --json "$P"
arrive other 200 $S --rate 1001 --count 200 --seed 8 --json "$P"
arrive sweep 12 $S --count all --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2, ttl=1..3)/udp(dstport=[7, 9..11])"
printf 'eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2)/udp(dstport=%s)\n\n# a note\n' 5 6 7 >lines
arrive lines 6 $S --lines lines --count 6 --json
arrive again 3000 $S --file fast.pcapng --rate max --json
arrive wrong 50 $S --file other.pcapng --checksums break --count 50 --rate 1k --json
arrive right 50 $S --file wrong.pcapng --checksums recompute --rate 1k --json
arrive timed 200 $S --file other.pcapng --timing 2 --json
arrive some 40 $S --file sweep.pcapng -Y 'ip.ttl == 2' --count 40 --json
"#;
    let Some(run) = Run::new("what_arrives_is_what_was_asked", script) else { return };
    let fast = run.bytes("fast");
    assert_eq!(fast.len(), 3000, "{}", run.text("fast.err"));
    assert!(fast.iter().all(|p| verdicts(p) == [Verdict::Good, Verdict::Good]));
    assert!(fast.iter().collect::<BTreeSet<_>>().len() > 2990);
    assert_eq!(run.bytes("slow"), fast, "the seed makes it repeatable, at any rate");
    assert_ne!(run.bytes("other")[..], fast[..200]);
    for name in ["fast", "slow", "other", "sweep", "lines", "again", "timed"] {
        let summary = run.summary(name);
        let (status, arrived) = run.ended(name);
        assert_eq!((status, &summary["errors"]), (0, &0.into()), "{name}: {summary}");
        assert_eq!(summary["sent"], arrived, "{name}");
        let counted = &summary["interface"]["sent"];
        assert!(counted.is_null() || *counted == arrived, "{name}: the interface's own counter");
        println!("{name}: {} packets a second", summary["pps"]);
    }
    let of = |name: &str, at: usize| run.bytes(name).iter().map(|p| p[at]).collect::<Vec<_>>();
    assert_eq!(of("sweep", 22), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    assert_eq!(of("sweep", 37), [7, 9, 10, 11, 7, 9, 10, 11, 7, 9, 10, 11]);
    assert_eq!(of("lines", 37), [5, 6, 7, 5, 6, 7]);
    assert_eq!(run.bytes("again"), fast, "a replay is the same");
    assert!(run.bytes("wrong").iter().all(|p| verdicts(p).iter().all(|v| matches!(v, Verdict::Bad { .. }))));
    assert_eq!(run.bytes("right")[..], run.bytes("other")[..50]);
    assert_eq!(run.bytes("timed"), run.bytes("other"));
    assert!(run.bytes("some").iter().all(|p| p[22] == 2) && of("some", 37)[..5] == [7, 9, 10, 11, 7]);
}

#[test]
fn a_stop_is_clean_and_what_cannot_be_sent_is_said() {
    let script = r#"
say stopped timeout -s INT 1 $S --rate max --duration 60 --json "$P"
say stopped_slow timeout -s INT 1 $S --rate 1/min --duration 600 --json "$P"
arrive pieces 1 $S --fragment 16..,0..24,8..16 --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2, id=7)/udp(dstport=9)/fill(60, \"abcdefg\")" -w sent.pcapng
say large $S --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2)/udp/zero(1473)"
say largest $S --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2)/udp/zero(1472)"
ip link set va mtu 9000; ip link set vb mtu 9000
arrive jumbo 2 $S --count 2 --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2)/udp/zero(100)" "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2)/udp/zero(4000)"
ip link set va mtu 1500
say refused $S --json --file jumbo.pcapng
say skipped $S --json --file jumbo.pcapng --skip-unsendable
say range $S --json "eth(dst=02:00:00:00:00:02)/ip(src=10.9.0.1, dst=10.9.0.2, ttl=1..999)"
ip link set va down
say down $S --rate max --count 5 --json "$P"
"#;
    let Some(run) = Run::new("a_stop_is_clean_and_what_cannot_be_sent_is_said", script) else { return };
    let stopped = run.summary("stopped");
    let (_, arrived) = run.ended("stopped");
    assert_eq!(stopped["sent"], arrived, "{stopped}");
    assert!(
        stopped["sent"].as_u64().unwrap() > 100 && stopped["seconds"].as_f64().unwrap() < 30.0,
        "{stopped}"
    );
    let slow = run.summary("stopped_slow");
    assert_eq!(slow["sent"], 1, "{slow}");

    // The three pieces, in the order that was asked, on the wire; only with the middle one they are whole.
    let sent: Vec<Vec<u8>> = read(&run.0.path().join("sent.pcapng")).into_iter().map(|(_, p)| p).collect();
    let sent: Vec<&Vec<u8>> = sent.iter().filter(|p| p[12..14] == [8, 0]).collect();
    let place = |p: &Vec<u8>| u16::from_be_bytes([p[20], p[21]]);
    assert_eq!(sent.iter().map(|p| place(p)).collect::<Vec<_>>(), [2, 0x2000, 0x2001]);
    assert_eq!(sent.iter().map(|p| p.len() - 34).collect::<Vec<_>>(), [52, 24, 8]);
    assert!(sent.iter().all(|p| p[18..20] == [0, 7] && verdicts(p)[0] == Verdict::Good));

    assert_eq!(run.ended("large"), (1, 0), "{}", run.text("large.err"));
    assert!(
        run.text("large.err").contains("larger than the MTU of va, 1500 bytes"),
        "{}",
        run.text("large.err")
    );
    assert_eq!(run.ended("largest"), (0, 1));
    assert_eq!(run.ended("refused"), (1, 0));
    let why = run.text("refused.err");
    assert!(why.contains("1 of 2 packets cannot be sent as they are") && why.contains("packet 2: "), "{why}");
    assert_eq!(run.ended("skipped"), (0, 1), "{}", run.text("skipped.err"));
    assert_eq!(run.ended("range").0, 2);
    assert!(run.text("range.err").contains("does not fit 8 bits"), "{}", run.text("range.err"));
    let down = run.summary("down");
    assert_eq!(run.ended("down").0, 1);
    assert_eq!(down["error_kinds"]["ENETDOWN"], down["errors"], "{down}");
    assert!(run.text("down.err").contains("The interface is down"), "{}", run.text("down.err"));
}

#[test]
fn an_offer_that_takes_its_second_is_waited_for() {
    // A server of DHCP pings the address for a second before it offers it; whoever answers at once ends the waiting.
    let script = r#"
ETH='eth(dst=ff:ff:ff:ff:ff:ff)'
(sleep 1.3; "$RAWBENCH" send -i vb --wait 0 "$ETH/ip(src=10.9.0.2, dst=255.255.255.255)/udp(srcport=67, dstport=68)/dhcp(op=2, xid=7, yiaddr=10.9.0.9, options=[message(Offer), end])" >/dev/null) &
say discover $S --json "$ETH/ip(src=0.0.0.0, dst=255.255.255.255)/udp(srcport=68, dstport=67)/dhcp(xid=7, options=[message(Discover), end])"
wait $!
say silent $S --json "$ETH/ip(src=10.9.0.1, dst=255.255.255.255)/udp(dstport=9)"
"#;
    let Some(run) = Run::new("an_offer_that_takes_its_second_is_waited_for", script) else { return };
    let text = run.text("discover.out");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (lines.len(), &lines[0]["event"], &lines[0]["from"]),
        (2, &"answer".into(), &"10.9.0.2".into())
    );
    assert!(
        lines[0]["rtt_ns"].as_u64().unwrap() > 500_000_000,
        "after the usual wait of a second or near it: {text}"
    );
    assert_eq!(run.summary("silent")["answered"], 0);
}
