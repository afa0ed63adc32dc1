//! A thousand probes against a peer that drops, doubles, reorders and lies. It keeps its own record of which probe it did what
//! to, and writes the number of that probe into whatever it answers; nothing in the matching looks there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/net.rs"]
mod net;

#[path = "common/namespace.rs"]
mod namespace;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use net::{ip, word};
use rawbench::craft::Draft;
use rawbench::engine::System;
use rawbench::engine::{Access, Answer, AnswerKind, News, Ping, Pinged, Pinger};
use rawbench::net::{Direction, Door, Place, Ring};

const SEED: u64 = 20_261_125;
const FIRST_PORT: u16 = 1000;
/// How long an answer may take: more than the longest that the peer holds one back.
const WAIT: Duration = Duration::from_millis(1000);
/// What it holds back for longer than the wait.
const LATE: u64 = 1400;
/// In whatever is no answer to anything.
const LIE: u16 = 0xffff;

/// What is asked, and what the peer is like.
#[derive(Clone, Copy)]
struct Setting {
    ports: u16,
    /// So many of them over IPv6.
    ports_v6: u16,
    rounds: u64,
    interval: Duration,
    /// Milliseconds that the peer holds back an answer that is to count: the least and the most, which is several rounds.
    held: (u64, u64),
    /// One of so many probes comes with lies.
    lies: u32,
}

impl Setting {
    /// The number of a probe: of its port, and how many went there before.
    fn nonce(&self, port: u16, before: u64) -> u16 {
        (port - FIRST_PORT) * self.rounds as u16 + before as u16
    }

    fn probes(&self) -> usize {
        usize::from(self.ports) * self.rounds as usize
    }

    fn drafts(&self) -> Vec<Draft> {
        let first_v6 = FIRST_PORT + self.ports - self.ports_v6;
        let draft = |port: u16| {
            let layer = if port < first_v6 { "ip(dst=10.99.0.2)" } else { "ipv6(dst=fd99::2)" };
            let notation = format!("{layer}/tcp(dstport={port}, flags=S)");
            Draft::from_notation(&notation, &mut System::default())
                .unwrap_or_else(|e| panic!("{}", e.render(&notation)))
        };
        (FIRST_PORT..FIRST_PORT + self.ports).map(draft).collect()
    }
}

/// What the peer does about a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    /// Nothing that is an answer.
    Drop,
    /// An answer after the time is over.
    Late,
    /// As many equal answers.
    Answer(AnswerKind, u64),
}

/// The plan for each probe, whatever order they come in: 20 of 100 are dropped (one of eight of them answered too late), 20
/// doubled or tripled.
fn plan(dice: &mut fastrand::Rng) -> Plan {
    let kind = match dice.u8(0..10) {
        0..6 => AnswerKind::SynAck,
        6 | 7 => AnswerKind::Reset,
        8 => AnswerKind::IcmpUnreachable,
        _ => AnswerKind::IcmpOther,
    };
    match dice.u8(0..100) {
        0..3 => Plan::Late,
        3..20 => Plan::Drop,
        20..40 => Plan::Answer(kind, dice.u64(2..4)),
        _ => Plan::Answer(kind, 1),
    }
}

fn dice_of(nonce: u16) -> fastrand::Rng {
    fastrand::Rng::with_seed(SEED.wrapping_add(u64::from(nonce).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// A probe as it came.
#[derive(Clone)]
struct Came {
    packet: Vec<u8>,
    us: IpAddr,
    them: IpAddr,
    ports: (u16, u16),
    sequence: u32,
    nonce: u16,
}

impl Came {
    fn header(&self) -> usize {
        if self.us.is_ipv4() { 20 } else { 40 }
    }

    /// A TCP segment back, from this host and port.
    fn segment(
        &self,
        from: IpAddr,
        ports: (u16, u16),
        numbers: (u32, u32),
        flags: u8,
        nonce: u16,
    ) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(ports.1.to_be_bytes());
        tcp.extend(ports.0.to_be_bytes());
        tcp.extend(numbers.0.to_be_bytes());
        tcp.extend(numbers.1.to_be_bytes());
        tcp.extend([0x50, flags]);
        tcp.extend(nonce.to_be_bytes());
        tcp.extend([0; 4]);
        ip(from, self.us, 6, tcp, Some(16))
    }

    /// An ICMP error from a router that quotes so many bytes of a packet.
    fn error(&self, unreachable: bool, packet: &[u8], bytes: usize, nonce: u16) -> Vec<u8> {
        let (router, protocol, kind) = match (self.us, unreachable) {
            (IpAddr::V4(_), true) => ("10.99.0.77", 1, 3),
            (IpAddr::V4(_), false) => ("10.99.0.77", 1, 11),
            (IpAddr::V6(_), true) => ("fd99::77", 58, 1),
            (IpAddr::V6(_), false) => ("fd99::77", 58, 3),
        };
        let [a, b] = nonce.to_be_bytes();
        let mut icmp = vec![kind, 0, 0, 0, 0, 0, a, b];
        icmp.extend(&packet[..bytes]);
        ip(router.parse().unwrap(), self.us, protocol, icmp, Some(2))
    }

    fn right(&self, kind: AnswerKind) -> Vec<u8> {
        let acknowledged = self.sequence.wrapping_add(1);
        let quoted = self.header() + 8;
        match kind {
            AnswerKind::SynAck => {
                self.segment(self.them, self.ports, (0x5eed_0000, acknowledged), 0x12, self.nonce)
            }
            AnswerKind::Reset => self.segment(self.them, self.ports, (0, acknowledged), 0x14, self.nonce),
            kind => self.error(kind == AnswerKind::IcmpUnreachable, &self.packet, quoted, self.nonce),
        }
    }

    /// Something that looks like an answer and is none to any probe; `other`: one that went to the same host before.
    fn wrong(&self, which: u8, other: &Came) -> Vec<u8> {
        let right = self.sequence.wrapping_add(1);
        let (from, ports) = (self.them, self.ports);
        let tcp = |seq: u32, ack: u32, flags: u8| self.segment(from, ports, (seq, ack), flags, LIE);
        let mut changed = self.packet.clone();
        let transport = self.header();
        let neighbour = match from {
            IpAddr::V4(_) => "10.99.0.3",
            IpAddr::V6(_) => "fd99::3",
        };
        match which {
            0 => tcp(7, self.sequence, 0x12),
            1 => tcp(7, right.wrapping_add(1), 0x12),
            2 => tcp(7, right ^ 1 << 31, 0x12),
            3 => tcp(right, right, 0x04),
            4 => tcp(0, self.sequence, 0x14),
            5 => tcp(7, right, 0x02),
            6 => self.segment(from, (ports.0, ports.1 + 1000), (7, right), 0x12, LIE),
            7 => self.segment(neighbour.parse().unwrap(), ports, (7, right), 0x12, LIE),
            8 => self.segment(from, other.ports, (7, right), 0x12, LIE),
            9 => tcp(7, other.sequence.wrapping_add(1), 0x12),
            10 => tcp(7, right.wrapping_sub(2), 0x10),
            11 => tcp(7, right, 0x08),
            12 => {
                changed[transport + 7] ^= 1;
                self.error(true, &changed, transport + 8, LIE)
            }
            13 => {
                changed[transport + 1] ^= 1;
                self.error(true, &changed, transport + 8, LIE)
            }
            14 => {
                changed[transport - 1] ^= 1;
                self.error(false, &changed, transport + 8, LIE)
            }
            _ => self.error(true, &changed, transport + 7, LIE),
        }
    }
}

/// Kinds of [`Came::wrong`].
const WRONGS: u8 = 16;

/// What the peer did about a probe.
#[derive(Debug)]
struct Done {
    plan: Plan,
    source_port: u16,
    sequence: u32,
    came: Instant,
    /// How long it was to hold the answer back.
    held: Duration,
    /// How long it did, on a machine that has much else to do.
    answered_after: Option<Duration>,
}

impl Done {
    /// The answer went out so late that it may have missed its time.
    fn is_behind(&self) -> bool {
        self.answered_after.is_some_and(|after| after > WAIT - Duration::from_millis(200))
    }
}

/// A frame that is to be sent: when, in which order, of which probe if it is an answer.
type Due = Reverse<(Instant, u64, Option<u16>, Vec<u8>)>;

struct Peer {
    setting: Setting,
    ring: Ring,
    interface: u32,
    /// The end of the cable that the probes come from.
    near: [u8; 6],
    /// Frames to send, and when.
    due: BinaryHeap<Due>,
    queued: u64,
    before: HashMap<u16, u64>,
    last: HashMap<IpAddr, Came>,
    record: HashMap<u16, Done>,
    lies: u64,
}

impl Peer {
    fn new(setting: Setting, access: &Access, door: &Door) -> Self {
        let interface = |name| access.interface(&Place::Host, name).unwrap();
        let (far, near) = (interface("far"), interface("near"));
        let ring = Ring::open(door.packet().unwrap(), 16 << 20, 2048).unwrap();
        ring.socket().bind(Some(far.index)).unwrap();
        Self {
            setting,
            ring,
            interface: far.index,
            near: near.mac.unwrap(),
            due: BinaryHeap::new(),
            queued: 0,
            before: HashMap::new(),
            last: HashMap::new(),
            record: HashMap::new(),
            lies: 0,
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Self {
        while !stop.load(Ordering::Relaxed) {
            let wake = self.due.peek().map_or(Duration::from_millis(5), |Reverse((at, ..))| {
                at.saturating_duration_since(Instant::now()).min(Duration::from_millis(5))
            });
            self.ring.receive(wake).unwrap();
            let came: Vec<Vec<u8>> = self
                .ring
                .packets()
                .filter(|p| p.direction == Direction::Incoming)
                .map(|p| p.bytes.to_vec())
                .collect();
            came.iter().for_each(|frame| self.take(frame));
            while self.due.peek().is_some_and(|Reverse((at, ..))| *at <= Instant::now()) {
                let Some(Reverse((_, _, answers, frame))) = self.due.pop() else { break };
                self.ring.socket().send(&frame, self.interface).unwrap();
                if let Some(done) = answers.and_then(|nonce| self.record.get_mut(&nonce)) {
                    let after = done.came.elapsed();
                    done.answered_after.get_or_insert(after);
                }
            }
        }
        self
    }

    fn take(&mut self, frame: &[u8]) {
        let packet = &frame[14..];
        let (header, us, them): (_, IpAddr, IpAddr) = match (packet[0] >> 4, packet[6], packet[9]) {
            (4, _, 6) => {
                let address = |at: usize| <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap().into();
                (20, address(12), address(16))
            }
            (6, 6, _) => {
                let address = |at: usize| <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap().into();
                (40, address(8), address(24))
            }
            _ => return,
        };
        let tcp = &packet[header..];
        // The kernel's resets are none of its business.
        if tcp[13] != 0x02 {
            return;
        }
        let ports = (word(tcp, 0), word(tcp, 2));
        let sequence = u32::from(word(tcp, 4)) << 16 | u32::from(word(tcp, 6));
        let before = self.before.entry(ports.1).or_default();
        let nonce = self.setting.nonce(ports.1, *before);
        *before += 1;
        self.respond(Came { packet: packet.to_vec(), us, them, ports, sequence, nonce });
    }

    fn respond(&mut self, came: Came) {
        let mut dice = dice_of(came.nonce);
        let plan = plan(&mut dice);
        let (least, most) = self.setting.held;
        let held = Duration::from_millis(if plan == Plan::Late { LATE } else { dice.u64(least..=most) });
        let now = Instant::now();
        match plan {
            Plan::Drop => {}
            Plan::Late => self.queue(now + held, &came, Some(came.nonce), came.right(AnswerKind::SynAck)),
            Plan::Answer(kind, copies) => {
                for copy in 0..copies {
                    let at = now + held + Duration::from_millis(copy * 3);
                    self.queue(at, &came, Some(came.nonce), came.right(kind));
                }
            }
        }
        // Lies come before, between and behind the answers.
        let other = self.last.entry(came.them).or_insert_with(|| came.clone()).clone();
        if other.nonce != came.nonce && dice.u32(0..self.setting.lies) == 0 {
            for _ in 0..dice.u8(1..4) {
                let lie = came.wrong(dice.u8(0..WRONGS), &other);
                self.queue(now + Duration::from_millis(dice.u64(0..most)), &came, None, lie);
                self.lies += 1;
            }
        }
        let (source_port, sequence) = (came.ports.0, came.sequence);
        let done = Done { plan, source_port, sequence, came: now, held, answered_after: None };
        assert!(self.record.insert(came.nonce, done).is_none());
        self.last.insert(came.them, came);
    }

    fn queue(&mut self, at: Instant, came: &Came, answers: Option<u16>, packet: Vec<u8>) {
        let kind: [u8; 2] = if came.us.is_ipv4() { [8, 0] } else { [0x86, 0xdd] };
        let frame = [&self.near[..], &[2, 0, 0, 0, 0, 0x99], &kind, &packet].concat();
        self.queued += 1;
        self.due.push(Reverse((at, self.queued, answers, frame)));
    }
}

/// The number of the probe that stands in an answer.
fn nonce_in(answer: &Answer) -> u16 {
    let header = if answer.packet[0] >> 4 == 4 { 20 } else { 40 };
    match answer.kind {
        AnswerKind::SynAck | AnswerKind::Reset => word(&answer.packet, header + 14),
        _ => word(&answer.packet, header + 6),
    }
}

/// A thousand probes to 50 ports, of both versions of IP.
#[test]
fn every_answer_goes_to_its_probe_and_nothing_else_does() {
    let setting = Setting {
        ports: 50,
        ports_v6: 15,
        rounds: 20,
        interval: Duration::from_millis(40),
        held: (0, 160),
        lies: 2,
    };
    try_it("every_answer_goes_to_its_probe_and_nothing_else_does", setting);
}

/// Ten thousand a second, of which some hundred are under way at any time, answered in any order.
#[test]
fn many_probes_under_way_are_not_taken_for_each_other() {
    let setting = Setting {
        ports: 1,
        ports_v6: 0,
        rounds: 10_000,
        interval: Duration::from_micros(100),
        held: (50, 100),
        lies: 10,
    };
    try_it("many_probes_under_way_are_not_taken_for_each_other", setting);
}

fn try_it(test: &str, setting: Setting) {
    if !namespace::inside(test) {
        return;
    }
    let door = Door::direct();
    let access = Access::through(door.clone()).unwrap();
    let peer = Peer::new(setting, &access, &door);
    let ended = Arc::new(AtomicBool::new(false));
    let its_end = Arc::clone(&ended);
    let thread = std::thread::Builder::new().name("peer".into()).spawn(move || peer.run(&its_end)).unwrap();
    let mut pinger = Pinger::prepare(&access, Place::Host, setting.drafts()).unwrap();
    pinger.rounds = Some(setting.rounds);
    pinger.interval = setting.interval;
    pinger.wait = WAIT;
    let mut told: Vec<Ping> = Vec::new();
    let done = pinger.run(&access, &AtomicBool::new(false), &mut |news| {
        if let News::Ping(ping) = news {
            told.push(ping.clone());
        }
        Ok(())
    });
    ended.store(true, Ordering::Relaxed);
    let peer = thread.join().unwrap();
    let done = done.unwrap();
    assert_eq!((&done.failure, done.lost), (&None, 0));
    assert!(done.hosts.iter().all(|course| (course.sent, course.errors) == (setting.rounds, 0)));
    println!("{:.0} a second to each port", done.hosts[0].per_second());
    check(&peer, &told);
}

/// Compares what was told with what the peer did.
fn check(peer: &Peer, told: &[Ping]) {
    let all = peer.setting.probes();
    assert_eq!(peer.record.len(), all, "it saw every probe");
    let behind = peer.record.values().filter(|done| done.is_behind() && done.plan != Plan::Late).count();
    assert!(behind < all / 100, "the machine is too busy: {behind} answers went out late");
    let (mut fates, mut doubles) = (HashMap::new(), HashMap::<u16, u64>::new());
    for ping in told {
        let number = peer.setting.nonce(FIRST_PORT + ping.target as u16, ping.number - 1);
        let done = &peer.record[&number];
        let said = match &ping.what {
            Pinged::Answer(answer) => {
                assert_eq!(nonce_in(answer), number, "the answer to another probe: {answer:?} {done:?}");
                let rtt = Duration::from_nanos(answer.rtt_ns().expect("both were seen"));
                assert!(rtt >= done.held && rtt < WAIT * 2, "{rtt:?}, held back {:?}", done.held);
                Some(answer.kind)
            }
            Pinged::Timeout => None,
            Pinged::Duplicate(kind) => {
                assert!(matches!(done.plan, Plan::Answer(k, 2..) if k == *kind), "{done:?}");
                *doubles.entry(number).or_default() += 1;
                continue;
            }
            Pinged::NotSent(failure) => panic!("{}", failure.text),
        };
        assert!(fates.insert(number, said).is_none(), "probe {number} has two fates: {ping:?}");
    }
    let mut counts = [0; 4];
    for (number, done) in &peer.record {
        let (wanted, copies) = match done.plan {
            Plan::Drop | Plan::Late => (None, 1),
            Plan::Answer(kind, copies) => (Some(kind), copies),
        };
        counts[0] += usize::from(wanted.is_some());
        counts[1] += usize::from(done.plan == Plan::Late);
        counts[2] += usize::from(copies > 1);
        counts[3] += usize::from(matches!(wanted, Some(AnswerKind::IcmpUnreachable | AnswerKind::IcmpOther)));
        if done.is_behind() && wanted.is_some() {
            continue;
        }
        assert_eq!(fates.get(number), Some(&wanted), "probe {number}: {done:?}");
        assert_eq!(doubles.get(number).copied().unwrap_or(0), copies - 1, "probe {number}: {done:?}");
    }
    println!("{all} probes, {counts:?} answered, too late, doubled, ICMP errors; {} lies", peer.lies);
    // It was what it set out to be.
    assert!(counts[0] > all * 7 / 10 && counts[1] > 10 && counts[2] > all / 7 && counts[3] > all / 10);
    assert!(peer.lies > all as u64 / 10, "{}", peer.lies);
    let mut pairs: Vec<_> = peer.record.values().map(|d| (d.source_port, d.sequence)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), all, "each probe has its own");
}
