//! The sending of a stream: packets in batches, each when it is due, each failure counted by its kind.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::exits::{Exits, kind_of};
use super::pace::{Control, Pace, Schedule};
use super::sequence::{Sequence, Slot};
use super::sources::{Failure, Via};
use crate::net::{MOST_AT_ONCE, Parcel, Refusal, wake_exactly};

/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// A sleep may end so much too late: the rest is waited for awake.
const AWAKE: Duration = Duration::from_micros(60);
/// Packets nearer to each other than this go out in small groups, at the end of short sleeps.
const CLOSE: Duration = Duration::from_micros(200);
/// What a full queue is given to get emptier.
const FULL: Duration = Duration::from_micros(100);
/// Failures in a row, with no packet sent between them, that end a stream.
const HOPELESS: u64 = 1000;
/// Failures that are told in words.
const TOLD: usize = 8;

/// What a stream does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It sends.
    #[default]
    Running,
    /// It is held.
    Paused,
    /// All was sent.
    Done,
    /// It was stopped before its end.
    Stopped,
    /// It cannot go on.
    Failed,
}

/// How far a stream is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What it does.
    pub state: State,
    /// Packets that the kernel took.
    pub sent: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that it did not take, by the system's name of the reason.
    pub errors: BTreeMap<String, u64>,
    /// How often the queue or the socket was full, so that the sending had to wait. No packet is lost by that.
    pub waits: u64,
    /// Since the first packet, without pauses.
    pub elapsed: Duration,
    /// Time that was given up because the machine did not keep up.
    pub given_up: Duration,
    /// Failures in words, each once.
    pub failures: Vec<(u64, Failure)>,
    /// Why it cannot go on.
    pub failure: Option<Failure>,
}

impl Progress {
    /// Packets that the kernel did not take.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Who keeps account of single packets: they are numbered from 0 on, as they are sent.
pub trait Ledger {
    /// A packet is about to be sent: the bytes that go to the socket.
    fn expect(&mut self, number: u64, parcel: Parcel<'_>);
    /// It was not sent after all.
    fn refused(&mut self, number: u64);
}

/// Nobody does.
impl Ledger for () {
    fn expect(&mut self, _: u64, _: Parcel<'_>) {}
    fn refused(&mut self, _: u64) {}
}

/// What a stream may take longer than it was to, so that a machine that was busy just then sends what it owes.
fn grace(pace: Pace, duration: Duration) -> Duration {
    match pace {
        Pace::Rate { .. } => (duration / 20).min(Duration::from_millis(250)),
        Pace::Max | Pace::Recorded(_) => Duration::ZERO,
    }
}

/// A stream that is being sent.
pub struct Streaming<'a, L> {
    via: &'a Via,
    exits: &'a Exits,
    control: &'a Control,
    schedule: Schedule,
    pace: Pace,
    end: Option<Instant>,
    begun: Instant,
    paused: Duration,
    ledger: &'a mut L,
    slots: Vec<Slot>,
    /// Those that are made and not sent.
    ready: std::ops::Range<usize>,
    /// Packets that were made.
    made: u64,
    in_a_row: u64,
    told: Instant,
    progress: Progress,
}

impl<'a, L: Ledger> Streaming<'a, L> {
    /// Ready to begin; the first packet is due at once. `duration`: no packet is due after it.
    pub fn new(
        via: &'a Via,
        exits: &'a Exits,
        control: &'a Control,
        pace: Pace,
        duration: Option<Duration>,
        ledger: &'a mut L,
    ) -> Self {
        let begun = Instant::now();
        let mut slots = Vec::new();
        slots.resize_with(MOST_AT_ONCE, Slot::default);
        Self {
            via,
            exits,
            control,
            schedule: Schedule::new(pace, begun),
            pace,
            end: duration.and_then(|d| begun.checked_add(d + grace(pace, d))),
            begun,
            paused: Duration::ZERO,
            ledger,
            slots,
            ready: 0..0,
            made: 0,
            in_a_row: 0,
            told: begun,
            progress: Progress::default(),
        }
    }

    /// Sends all of it, or until it is stopped. `tell` is called some times a second; it should be quick.
    pub fn run(mut self, sequence: &mut Sequence, tell: &mut dyn FnMut(&Progress)) -> Progress {
        wake_exactly();
        while self.progress.state == State::Running {
            self.step(sequence, tell);
        }
        // What was made and not sent was promised to the ledger.
        for number in self.made - self.ready.len() as u64..self.made {
            self.ledger.refused(number);
        }
        tell(&self.progress);
        self.progress
    }

    fn step(&mut self, sequence: &mut Sequence, tell: &mut dyn FnMut(&Progress)) {
        if self.control.is_stopped() {
            self.progress.state = State::Stopped;
            return;
        }
        if self.control.is_paused() {
            self.pause(tell);
            return;
        }
        let now = Instant::now();
        if now.duration_since(self.told) >= TELL {
            self.told = now;
            tell(&self.progress);
        }
        if self.end.is_some_and(|end| now >= end) {
            self.progress.state = State::Done;
            return;
        }
        if self.ready.is_empty() && !self.make(sequence, now) {
            return;
        }
        let first = self.made - self.ready.len() as u64;
        let recorded = self.slots.get(self.ready.start).and_then(|s| s.at);
        let deadline = self.schedule.deadline(first, recorded);
        if now < deadline {
            self.wait_for(deadline);
            return;
        }
        self.schedule.catch_up(deadline, now);
        self.progress.given_up = self.schedule.given_up();
        self.send(first);
    }

    /// Makes the packets that are due, at least one. `false`: there is none any more.
    fn make(&mut self, sequence: &mut Sequence, now: Instant) -> bool {
        let due = self.schedule.due(self.made, now, MOST_AT_ONCE as u64).max(1) as usize;
        self.ready = 0..0;
        for slot in self.slots.iter_mut().take(due) {
            match sequence.next(slot) {
                Ok(true) => {
                    self.ledger.expect(self.made, slot.parcel(self.via));
                    self.made += 1;
                    self.ready.end += 1;
                }
                Ok(false) => break,
                Err(failure) => {
                    self.progress.state = State::Failed;
                    self.progress.failure = Some(failure);
                    return false;
                }
            }
        }
        if self.ready.is_empty() {
            self.progress.state = State::Done;
        }
        !self.ready.is_empty()
    }

    /// Hands over what is ready.
    fn send(&mut self, first: u64) {
        let empty = Parcel { bytes: &[], to: None };
        let mut parcels = [empty; MOST_AT_ONCE];
        let ready = self.slots.get(self.ready.clone()).unwrap_or_default();
        for (parcel, slot) in parcels.iter_mut().zip(ready) {
            *parcel = slot.parcel(self.via);
        }
        let parcels = &parcels[..ready.len()];
        match self.exits.send(parcels, first) {
            Ok(sent) => {
                let sent = sent.clamp(1, parcels.len());
                self.progress.bytes += parcels[..sent].iter().map(|p| p.bytes.len() as u64).sum::<u64>();
                self.progress.sent += sent as u64;
                self.ready.start += sent;
                self.in_a_row = 0;
                self.progress.elapsed = self.begun.elapsed().saturating_sub(self.paused);
            }
            // These pass: the packet is sent a moment later, and none is lost.
            Err(error) if Refusal::of(&error) == Refusal::SocketFull => {
                self.progress.waits += 1;
                self.exits.wait(parcels[0], Duration::from_millis(1));
            }
            Err(error) if Refusal::of(&error) == Refusal::QueueFull => {
                self.progress.waits += 1;
                self.control.sleep_until(Instant::now() + FULL);
            }
            Err(error) => {
                let failure = self.exits.explain(&error, parcels[0]);
                self.failed(&error, failure, first);
            }
        }
    }

    fn failed(&mut self, error: &io::Error, failure: Failure, number: u64) {
        *self.progress.errors.entry(kind_of(error)).or_insert(0) += 1;
        let known = self.progress.failures.iter().any(|(_, f)| f.text == failure.text);
        if !known && self.progress.failures.len() < TOLD {
            self.progress.failures.push((number, failure));
        }
        self.ledger.refused(number);
        self.ready.start += 1;
        self.in_a_row += 1;
        // What fails at once fails always; what failed later may pass, but not for ever.
        if self.progress.sent == 0 || Refusal::of(error) == Refusal::Gone || self.in_a_row >= HOPELESS {
            self.progress.state = State::Failed;
        }
    }

    /// Sleeps until shortly before the deadline, and is awake for the rest. Wakes for orders and for progress.
    fn wait_for(&self, deadline: Instant) {
        let end = self.end.map_or(deadline, |end| end.min(deadline));
        let now = Instant::now();
        let left = end.saturating_duration_since(now);
        let close = matches!(self.pace, Pace::Rate { pps, .. } if pps * CLOSE.as_secs_f64() > 1.0);
        if close {
            self.control.sleep_until(end);
        } else if left > AWAKE {
            self.control.sleep_until((end - AWAKE).min(now + TELL));
        } else {
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
    }

    fn pause(&mut self, tell: &mut dyn FnMut(&Progress)) {
        self.progress.state = State::Paused;
        tell(&self.progress);
        let begun = Instant::now();
        while self.control.is_paused() && !self.control.is_stopped() {
            self.control.sleep_until(Instant::now() + Duration::from_secs(1));
        }
        let length = begun.elapsed();
        self.schedule.paused(length);
        self.paused += length;
        self.end = self.end.and_then(|end| end.checked_add(length));
        self.progress.state = State::Running;
    }
}
