//! Runs a script without any system call: packets go in as they were captured, packets to send and verdicts come out.
//! Every time is the kernel's, in nanoseconds since 1970.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::events::{Came, Told, Verdicts, What, Why};
use super::names::Value;
use super::sweeping::Sweeping;
use super::{Act, Script, Source, WAIT};
use crate::engine::heads::{Body, Heads, Segment, network};
use crate::engine::{Exchange, Probe};

/// How long after a time is over packets are still taken that came before: on the way from the kernel to here.
pub(super) const GRACE_NS: u64 = 20_000_000;
/// Packets that no line took yet and that are kept for later lines; the oldest are forgotten.
const KEPT: usize = 65536;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this packet, which is notation: call [`Machine::going`] just before, and [`Machine::sent`] after.
    Send(String),
    /// Nothing, until a packet comes or this time.
    Wait(u64),
    /// The script is over.
    Over,
}

/// Rounds that are run.
struct Rounds {
    /// Index of the line that opens them.
    line: usize,
    /// From 0 on.
    round: usize,
    /// Names that there were before.
    names: usize,
}

/// What the machine is at.
pub(super) enum Phase {
    /// The next line.
    Next,
    /// A packet is being sent.
    Sending,
    /// A packet is waited for, or its absence, until this time.
    Waiting(u64),
    Sleeping(u64),
    Sweeping(Box<Sweeping>),
    Over,
}

/// Lines that are run in one step.
const AT_ONCE: usize = 4096;

/// A script that runs.
pub struct Machine {
    pub(super) script: Script,
    pub(super) wait: Duration,
    loopback: bool,
    random: fastrand::Rng,
    /// The line that is run, by its index.
    pub(super) at: usize,
    pub(super) phase: Phase,
    pub(super) names: Vec<(String, Value)>,
    rounds: Vec<Rounds>,
    /// Names before the first test; a test is open.
    base: Option<usize>,
    test: Option<(usize, String)>,
    /// Lines that failed in this test.
    failed: usize,
    /// Packets that no line took yet.
    pub(super) pool: VecDeque<Came>,
    /// So many of the pool the line has looked at.
    pub(super) looked: usize,
    /// Packets from before are forgotten.
    since_ns: u64,
    /// When the last packet was sent, or came that a line took.
    pub(super) mark_ns: u64,
    /// Packets that were sent and not seen yet to go out, each with its number.
    probes: VecDeque<(u64, Probe)>,
    /// How many packets were on their way, those of sweeps too.
    numbers: u64,
    /// Ends of the TCP packets that were sent: the kernel's resets go to the same.
    ends: HashSet<Ends>,
    pub(super) kernel_reset: bool,
    /// A line was decided since the last packet was sent.
    answered: bool,
    told: VecDeque<Told>,
    verdicts: Verdicts,
}

impl Machine {
    /// Makes a script ready at `now_ns`. `loopback`: packets that this machine sends are seen as packets that come.
    #[must_use]
    pub fn new(script: Script, wait: Option<Duration>, loopback: bool, seed: u64, now_ns: u64) -> Self {
        let wait = wait.or(script.options.wait).unwrap_or(WAIT);
        Self {
            script,
            wait,
            loopback,
            random: fastrand::Rng::with_seed(seed),
            at: 0,
            phase: Phase::Next,
            names: Vec::new(),
            rounds: Vec::new(),
            base: None,
            test: None,
            failed: 0,
            pool: VecDeque::new(),
            looked: 0,
            since_ns: now_ns,
            mark_ns: now_ns,
            probes: VecDeque::new(),
            numbers: 0,
            ends: HashSet::new(),
            kernel_reset: false,
            answered: false,
            told: VecDeque::new(),
            verdicts: Verdicts::default(),
        }
    }

    /// What happened since this was asked last.
    pub fn told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// How it went so far.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts
    }

    /// Ends it before its end.
    pub fn stop(&mut self) {
        if !matches!(self.phase, Phase::Over) {
            self.verdicts.stopped = true;
            self.phase = Phase::Over;
            self.end_test();
        }
    }

    /// Runs as far as it can at this time.
    pub fn step(&mut self, now_ns: u64) -> Step {
        // Rounds in which nothing is waited for give way now and then: they may be stopped.
        for _ in 0..AT_ONCE {
            match &mut self.phase {
                Phase::Over => return Step::Over,
                Phase::Sending => return Step::Wait(now_ns),
                Phase::Sleeping(until) if now_ns < *until => return Step::Wait(*until),
                Phase::Sleeping(until) => {
                    self.mark_ns = self.mark_ns.max(*until);
                    self.go_on();
                }
                Phase::Waiting(until) => {
                    let until = *until;
                    if let Some(step) = self.look(until, now_ns) {
                        return step;
                    }
                }
                Phase::Sweeping(_) => {
                    if let Some(step) = self.sweep_on(now_ns) {
                        return step;
                    }
                }
                Phase::Next => {
                    if let Some(step) = self.line(now_ns) {
                        return step;
                    }
                }
            }
        }
        Step::Wait(now_ns)
    }

    /// The line that is run, by its number from 1 on.
    #[must_use]
    pub fn line_number(&self) -> Option<usize> {
        self.script.lines.get(self.at).map(|line| line.number)
    }

    /// The packet of [`Step::Send`] is about to go out as these bytes. Gives its number.
    pub fn going(&mut self, link_type: u32, bytes: &[u8], now_ns: u64) -> u64 {
        self.numbers += 1;
        if let Some((_, ends)) = segment(link_type, bytes) {
            self.ends.insert(ends);
        }
        match &mut self.phase {
            Phase::Sweeping(sweeping) => {
                sweeping.exchange.expect(link_type, bytes, now_ns);
            }
            _ => {
                self.mark_ns = now_ns;
                self.answered = false;
                self.probes.push_back((self.numbers, Probe::of(link_type, bytes)));
                self.tell(What::Sent { link_type, bytes: bytes.to_vec() });
            }
        }
        self.numbers
    }

    /// What became of the packet of [`Step::Send`]: it went out, or why it did not.
    pub fn sent(&mut self, result: Result<(), Why>) {
        let sweeping = matches!(self.phase, Phase::Sweeping(_));
        match result {
            Ok(()) => {
                self.verdicts.sent += 1;
                if !sweeping {
                    self.go_on();
                }
            }
            Err(why) => {
                self.phase = Phase::Next;
                self.fail(why);
            }
        }
    }

    /// When the packet of this number went out, by the socket that sent it: for one that no capture shows.
    pub fn went_out(&mut self, number: u64, time_ns: u64) {
        let unseen = self.probes.back().is_some_and(|(last, _)| *last == number);
        if unseen && number == self.numbers {
            self.move_mark(time_ns);
        }
    }

    /// Takes a packet.
    pub fn came(&mut self, came: Came) {
        if came.time_ns < self.since_ns {
            return;
        }
        if let Phase::Sweeping(sweeping) = &mut self.phase
            && sweeping.take(&came)
        {
            return;
        }
        if came.outgoing || self.loopback {
            let own = self.probes.iter().position(|(_, p)| p.is_sighting(came.link_type, &came.bytes));
            if let Some((number, _)) = own.and_then(|at| self.probes.remove(at)) {
                if number == self.numbers {
                    self.move_mark(came.time_ns);
                }
                return;
            }
        }
        if came.outgoing {
            self.watch_kernel(&came);
            return;
        }
        if self.pool.len() == KEPT {
            self.pool.pop_front();
            self.looked = self.looked.saturating_sub(1);
            self.verdicts.forgotten += 1;
        }
        self.pool.push_back(came);
    }

    /// The last packet went out at this time, and what is waited for counts from there.
    fn move_mark(&mut self, time_ns: u64) {
        // A line behind it has moved the mark already.
        if !matches!(self.phase, Phase::Waiting(_) | Phase::Next | Phase::Sending) || self.answered {
            return;
        }
        if let Phase::Waiting(until) = &mut self.phase {
            *until = (*until).saturating_sub(self.mark_ns).saturating_add(time_ns);
            self.looked = 0;
        }
        self.mark_ns = time_ns;
    }

    /// A reset that this machine's kernel sent to an end that the script speaks with.
    fn watch_kernel(&mut self, came: &Came) {
        if is_reset(came).is_some_and(|ends| self.ends.contains(&ends)) {
            self.verdicts.kernel_resets += 1;
            self.kernel_reset = true;
        }
    }

    fn tell(&mut self, what: What) {
        let (line, text) = match self.script.lines.get(self.at) {
            Some(line) => (line.number, line.text.clone()),
            None => (self.script.lines.last().map_or(0, |l| l.number), String::new()),
        };
        let round = |r: &Rounds| match self.script.lines.get(r.line).map(|l| &l.what) {
            Some(Act::Rounds { name, values, .. }) => {
                let value = values.get(r.round).cloned().unwrap_or_default();
                format!("{}={value}", name.as_deref().unwrap_or("round"))
            }
            _ => String::new(),
        };
        let rounds = self.rounds.iter().map(round).collect();
        self.told.push_back(Told { line, text, rounds, what });
    }

    pub(super) fn pass(&mut self, what: What) {
        self.answered = true;
        self.verdicts.passed += 1;
        self.tell(what);
        self.go_on();
    }

    pub(super) fn go_on(&mut self) {
        self.at += 1;
        self.phase = Phase::Next;
    }

    /// A failure ends the round or the test that it is in; the next one is run.
    pub(super) fn fail(&mut self, why: Why) {
        if matches!(why, Why::Wrong(_)) {
            self.verdicts.wrong += 1;
        } else {
            self.verdicts.failed += 1;
        }
        self.failed += 1;
        self.tell(What::Failed(Box::new(why)));
        self.phase = Phase::Next;
        if let Some(rounds) = self.rounds.last() {
            let end = match self.script.lines.get(rounds.line).map(|l| &l.what) {
                Some(Act::Rounds { end, .. }) => *end,
                _ => self.script.lines.len(),
            };
            self.at = end;
            return;
        }
        let rest = self.script.lines.get(self.at..).unwrap_or_default();
        let next = rest.iter().position(|l| matches!(l.what, Act::Test(_)));
        // What stands before the first test is there for all of them.
        self.at = next.filter(|_| self.test.is_some()).map_or(self.script.lines.len(), |n| self.at + n);
    }

    fn end_test(&mut self) {
        let has_tests = self.script.lines.iter().any(|l| matches!(l.what, Act::Test(_)));
        let failed = std::mem::take(&mut self.failed);
        match self.test.take() {
            Some((at, name)) => {
                let here = std::mem::replace(&mut self.at, at);
                self.tell(What::TestOver { name, failed });
                self.at = here;
            }
            None if !has_tests => self.tell(What::TestOver { name: String::new(), failed }),
            None => {}
        }
    }

    /// Names and packets from before are forgotten.
    fn begin_anew(&mut self, names: usize, now_ns: u64) {
        self.names.truncate(names);
        self.pool.clear();
        self.looked = 0;
        self.since_ns = self.since_ns.max(now_ns);
        self.mark_ns = self.mark_ns.max(now_ns);
        self.kernel_reset = false;
    }

    fn line(&mut self, now_ns: u64) -> Option<Step> {
        let Some(line) = self.script.lines.get(self.at) else {
            self.end_test();
            self.phase = Phase::Over;
            return Some(Step::Over);
        };
        match &line.what {
            Act::Send(template) => {
                let names = &self.names;
                match template.fill(&|name| lookup(names, name)) {
                    Ok(text) => {
                        self.phase = Phase::Sending;
                        return Some(Step::Send(text));
                    }
                    Err(why) => self.fail(Why::Wrong(why)),
                }
            }
            Act::Expect { within, .. } | Act::Never { within, .. } => {
                let within = within.unwrap_or(self.wait);
                self.looked = 0;
                self.phase = Phase::Waiting(self.mark_ns.saturating_add(nanoseconds(within)));
            }
            Act::Sleep(time) => {
                let from = self.mark_ns.max(now_ns);
                self.phase = Phase::Sleeping(from.saturating_add(nanoseconds(*time)));
            }
            Act::Name { name, source } => {
                let value = match source {
                    Source::Value(text) => Value::written(text),
                    Source::Random(low, high) => Value::Number(u128::from(self.random.u64(*low..=*high))),
                };
                self.names.push((name.clone(), value));
                self.go_on();
            }
            Act::Test(name) => {
                let name = name.clone();
                self.end_test();
                let base = *self.base.get_or_insert(self.names.len());
                self.begin_anew(base, now_ns);
                self.test = Some((self.at, name.clone()));
                self.tell(What::Test(name));
                self.go_on();
            }
            Act::Rounds { .. } => {
                self.rounds.push(Rounds { line: self.at, round: 0, names: self.names.len() });
                self.begin_round(now_ns);
            }
            Act::End => {
                let more = self.rounds.last_mut().is_some_and(|rounds| {
                    rounds.round += 1;
                    let values = self.script.lines.get(rounds.line).map(|l| &l.what);
                    matches!(values, Some(Act::Rounds { values, .. }) if rounds.round < values.len())
                });
                if more {
                    self.begin_round(now_ns);
                } else {
                    if let Some(rounds) = self.rounds.pop() {
                        self.names.truncate(rounds.names);
                    }
                    self.go_on();
                }
            }
            Act::Sweep(sweep) => {
                let found = vec![None; sweep.count()];
                let exchange = Exchange::new(self.loopback);
                let sweeping = Sweeping { exchange, next: 0, begun_ns: now_ns, until_ns: None, found };
                self.phase = Phase::Sweeping(Box::new(sweeping));
            }
        }
        None
    }

    fn begin_round(&mut self, now_ns: u64) {
        let Some(rounds) = self.rounds.last() else { return };
        let (line, round, names) = (rounds.line, rounds.round, rounds.names);
        self.begin_anew(names, now_ns);
        if let Some(Act::Rounds { name: Some(name), values, .. }) =
            self.script.lines.get(line).map(|l| &l.what)
            && let Some(value) = values.get(round)
        {
            self.names.push((name.clone(), Value::written(value)));
        }
        self.at = line + 1;
        self.phase = Phase::Next;
    }
}

/// Where a TCP segment goes, and its ports.
type Ends = (IpAddr, u16, u16);

fn segment(link_type: u32, bytes: &[u8]) -> Option<(Segment, Ends)> {
    let heads = network(link_type, bytes).and_then(Heads::read)?;
    let Body::Tcp(segment) = heads.body else { return None };
    Some((segment, (heads.destination, segment.source, segment.destination)))
}

/// The ends of a reset; `None`: it is none.
pub(super) fn is_reset(came: &Came) -> Option<Ends> {
    let (segment, ends) = segment(came.link_type, &came.bytes)?;
    segment.has(Segment::RST).then_some(ends)
}

pub(super) fn lookup(names: &[(String, Value)], name: &str) -> Option<Value> {
    names.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
