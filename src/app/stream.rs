//! Sending more than one packet: a stream of the draft, or the packets of the list once more.

use std::time::{Duration, Instant};

use super::command::{Question, Then};
use super::workbench::Workbench;
use crate::craft::stream::Stream;
use crate::engine::{
    self, Amount, Checksums, Failure, Happened, Pace, Packets, Plan, Progress, Sending, State, Summary, Told,
    Transmitted, Via,
};

/// Something to do with streams.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamCommand {
    /// Send makes a stream, or one packet.
    On(bool),
    /// What was typed into one of the boxes of a stream.
    Type(Entry, String),
    /// Hold the stream that runs.
    Pause,
    /// Go on with it.
    Continue,
    /// End it.
    Stop,
    /// Take away what is said of the last one.
    Forget,
    /// Ask how the packets of the list are to be sent again.
    AskAgain,
    /// Send them.
    Again(Again),
}

/// A box of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// How many packets, or for how long.
    Amount,
    /// How fast.
    Rate,
    /// How many at once.
    Burst,
    /// What decides over random values.
    Seed,
}

/// How packets of a capture are sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// How they go out.
    pub via: Via,
    /// How fast.
    pub pace: Pace,
    /// What happens to their checksums.
    pub checksums: Checksums,
    /// What cannot be sent as it is stays behind.
    pub leave_out: bool,
}

/// A stream that runs, or ran last.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How far it is.
    pub progress: Progress,
    /// How many packets it is to be, where that is known.
    pub total: Option<u64>,
    /// How fast it is to be.
    pub pace: Option<Pace>,
    /// Packets with an answer, where somebody looks.
    pub answered: u64,
    /// What the interface itself counted.
    pub counted: Option<(String, Transmitted)>,
    /// What to know of it.
    pub notes: Vec<String>,
    /// Stop was pressed.
    pub stopping: bool,
    /// How it went, once it is over.
    pub over: Option<Summary>,
}

impl Run {
    /// It is not over.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.over.is_none()
    }

    /// It is held.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_running() && self.progress.state == State::Paused
    }

    /// Packets a second until now.
    #[must_use]
    pub fn pps(&self) -> f64 {
        let elapsed = self.progress.elapsed.as_secs_f64();
        match &self.over {
            Some(over) => over.pps(),
            None if elapsed > 0.0 => self.progress.sent as f64 / elapsed,
            None => 0.0,
        }
    }
}

/// The boxes of a stream, and the one that runs.
pub struct Streams {
    on: bool,
    amount: String,
    rate: String,
    burst: String,
    seed: String,
    run: Option<Run>,
    sending: Option<Sending>,
    /// What goes out once the capture listens.
    waiting: Option<Plan>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            on: false,
            amount: "1000".into(),
            rate: "1000".into(),
            burst: "1".into(),
            seed: "1".into(),
            run: None,
            sending: None,
            waiting: None,
        }
    }
}

impl Streams {
    /// Send makes a stream.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// What stands in a box.
    #[must_use]
    pub fn text(&self, entry: Entry) -> &str {
        match entry {
            Entry::Amount => &self.amount,
            Entry::Rate => &self.rate,
            Entry::Burst => &self.burst,
            Entry::Seed => &self.seed,
        }
    }

    /// The stream that runs, or ran last.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// A stream runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_running)
    }

    /// What is wrong in a box.
    #[must_use]
    pub fn problem(&self, entry: Entry) -> Option<String> {
        match entry {
            Entry::Amount => amount(&self.amount).err(),
            Entry::Rate => pace(&self.rate, 1).err(),
            Entry::Burst => burst(&self.burst).err(),
            Entry::Seed => seed(&self.seed).err(),
        }
    }

    /// What is wrong in the first of them.
    #[must_use]
    pub fn first_problem(&self) -> Option<String> {
        let all = [Entry::Amount, Entry::Rate, Entry::Burst, Entry::Seed];
        all.into_iter().find_map(|entry| self.problem(entry))
    }

    fn settings(&self) -> Result<(Amount, Pace, u64), String> {
        Ok((amount(&self.amount)?, pace(&self.rate, burst(&self.burst)?)?, seed(&self.seed)?))
    }
}

/// A rate as it is typed: packets a second such as 1001, 250k, 2/min, or max.
///
/// # Errors
/// It is none.
pub fn pace(text: &str, burst: u64) -> Result<Pace, String> {
    Ok(match engine::rate(text.trim()).map_err(|why| format!("the rate {why}"))? {
        Some(pps) => Pace::Rate { pps, burst },
        None => Pace::Max,
    })
}

fn amount(text: &str) -> Result<Amount, String> {
    const WHY: &str = "how many must be a number of packets, such as 1000, or all, or a time, such as 10 s";
    let text = text.trim();
    if text == "all" {
        return Ok(Amount::Once);
    }
    let units = [("min", 60.0), ("ms", 0.001), ("s", 1.0), ("h", 3600.0)];
    if let Some((number, unit)) = units.iter().find_map(|(name, u)| Some((text.strip_suffix(name)?, u))) {
        let seconds = number.trim().parse::<f64>().ok().map(|n| n * unit);
        // A year is longer than anybody waits.
        let seconds = seconds.filter(|s| s.is_finite() && *s > 0.0 && *s < 3.2e7).ok_or(WHY)?;
        return Ok(Amount::For(Duration::from_secs_f64(seconds)));
    }
    let packets = text.replace(['_', ' '], "").parse().ok().filter(|n: &u64| *n > 0);
    packets.map(Amount::Packets).ok_or_else(|| WHY.into())
}

fn burst(text: &str) -> Result<u64, String> {
    let packets = text.trim().parse().ok().filter(|n| *n > 0);
    packets.ok_or_else(|| "a burst must be a number of packets from 1 on".into())
}

fn seed(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| "the seed must be a number from 0 on".into())
}

impl Workbench {
    /// The boxes of a stream, and the one that runs.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(super) fn stream(&mut self, command: StreamCommand) {
        match command {
            StreamCommand::On(on) => self.streams.on = on,
            StreamCommand::Type(entry, text) => {
                *match entry {
                    Entry::Amount => &mut self.streams.amount,
                    Entry::Rate => &mut self.streams.rate,
                    Entry::Burst => &mut self.streams.burst,
                    Entry::Seed => &mut self.streams.seed,
                } = text;
                if let (Entry::Seed, Ok(seed)) = (entry, seed(&self.streams.seed)) {
                    self.builder.seed(seed);
                }
            }
            StreamCommand::Pause | StreamCommand::Continue | StreamCommand::Stop => self.steer(&command),
            StreamCommand::Forget if self.streams.is_running() => {}
            StreamCommand::Forget => self.streams.run = None,
            StreamCommand::AskAgain => {
                let rows = self.capture.shown();
                if self.streams.is_running() {
                    self.notice(Failure::new("a stream runs: stop it first"));
                } else if rows == 0 {
                    self.notice(Failure::new("the list shows no packet that could be sent again"));
                } else {
                    self.question = Some(Question::Again { rows, held: None });
                }
            }
            StreamCommand::Again(again) => self.send_again(again),
        }
    }

    fn steer(&mut self, command: &StreamCommand) {
        let Some(run) = self.streams.run.as_mut().filter(|run| run.is_running()) else { return };
        let control = self.streams.sending.as_ref().map(Sending::control);
        match command {
            StreamCommand::Pause => {
                run.progress.state = State::Paused;
                control.into_iter().for_each(engine::Control::pause);
            }
            StreamCommand::Continue => {
                run.progress.state = State::Running;
                control.into_iter().for_each(engine::Control::go_on);
            }
            _ => {
                run.stopping = true;
                control.into_iter().for_each(engine::Control::stop);
            }
        }
    }

    /// Sends the draft as a stream. The capture listens first.
    pub(super) fn start_stream(&mut self) {
        if self.streams.is_running() || self.streams.waiting.is_some() {
            return;
        }
        let (amount, pace, seed) = match self.streams.settings() {
            Ok(settings) => settings,
            Err(why) => return self.notice(Failure::new(why)),
        };
        let Some(place) = self.source().map(|s| s.place.clone()) else { return };
        let stream = Stream::of(self.builder.draft().clone()).seeded(seed);
        let (via, packets) = (self.via.clone(), Packets::Made(Box::new(stream)));
        let plan = Plan { place, via, packets, amount, pace };
        if self.capture.running {
            return self.carry_out(plan);
        }
        self.streams.waiting = Some(plan);
        if !self.capture.starting && self.question.is_none() {
            self.unless_unsaved(Then::Capture(None));
        }
        if !self.capture.starting && self.question.is_none() {
            // It was said already why nothing listens.
            self.streams.waiting = None;
        }
    }

    /// The capture listens: what waited for it goes out.
    pub(super) fn start_waiting(&mut self) {
        if let Some(plan) = self.streams.waiting.take() {
            self.carry_out(plan);
        }
        self.start_waiting_script();
    }

    /// No capture will listen for it.
    pub(super) fn forget_waiting(&mut self) {
        self.streams.waiting = None;
        self.forget_waiting_script();
    }

    /// Nothing goes out any more where one worked until now.
    pub(super) fn leave_stream(&mut self) {
        self.forget_waiting();
        self.steer(&StreamCommand::Stop);
    }

    fn send_again(&mut self, again: Again) {
        let Some(Question::Again { rows, .. }) = self.question.take() else { return };
        let (Some(file), Some(place)) = (self.capture.file.clone(), self.source().map(|s| s.place.clone()))
        else {
            return self.notice(Failure::new("there is no source yet that packets could be sent from"));
        };
        let Again { via, pace, checksums, leave_out } = again;
        let packets = Packets::Rows { file, sieve: self.capture.sieve.clone(), rows, checksums, leave_out };
        self.carry_out(Plan { place, via, packets, amount: Amount::Once, pace });
    }

    fn carry_out(&mut self, plan: Plan) {
        self.streams.run = Some(Run { pace: Some(plan.pace), ..Run::default() });
        let Some(engine) = &self.engine else { return };
        match engine.send(plan) {
            Ok(sending) => self.streams.sending = Some(sending),
            Err(failure) => {
                self.streams.run = None;
                self.notice(failure);
            }
        }
    }

    /// Takes in what a stream says, for as long as there is time. `true`: there is more.
    pub(super) fn drain_stream(&mut self, start: Instant, budget: Duration) -> bool {
        while let Some(told) = self.streams.sending.as_ref().and_then(|s| s.told().try_recv().ok()) {
            self.take_told(told);
            if start.elapsed() > budget {
                return true;
            }
        }
        false
    }

    /// Takes in what a stream says.
    pub fn take_told(&mut self, told: Told) {
        let Some(run) = &mut self.streams.run else { return };
        match told {
            Told::Ready { total, notes } => (run.total, run.notes) = (total, notes),
            Told::Counted(name, counted) => run.counted = Some((name, counted)),
            Told::Happened(Happened::Progress(progress)) => run.progress = *progress,
            Told::Happened(Happened::Answer(_)) => run.answered += 1,
            Told::Happened(Happened::NotSent(_, failure)) => {
                // Those that follow are counted by their kind.
                if !run.notes.contains(&failure.text) && run.notes.len() < MOST_NOTES {
                    run.notes.push(failure.text);
                }
            }
            Told::Happened(_) => {}
            Told::Held(held) => {
                // Those that were looked at: the list may have grown since.
                let rows = usize::try_from(held.of).unwrap_or(usize::MAX);
                (self.streams.run, self.streams.sending) = (None, None);
                self.question = Some(Question::Again { rows, held: Some(held) });
            }
            Told::Over(Ok(summary)) => {
                run.counted = summary.interface.clone().or(run.counted.take());
                let failure = summary.failure.clone();
                run.over = Some(*summary);
                self.streams.sending = None;
                if let Some(failure) = failure {
                    self.notice(failure);
                }
            }
            Told::Over(Err(failure)) => {
                (self.streams.run, self.streams.sending) = (None, None);
                self.notice(failure);
            }
        }
    }
}

/// Things to know of a stream that are kept.
const MOST_NOTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        assert_eq!(amount("1000"), Ok(Amount::Packets(1000)));
        assert_eq!(amount("10_000"), Ok(Amount::Packets(10_000)));
        assert_eq!(amount(" all "), Ok(Amount::Once));
        for (text, seconds) in
            [("10 s", 10.0), ("2min", 120.0), ("0.5s", 0.5), ("250 ms", 0.25), ("1 h", 3600.0)]
        {
            assert_eq!(amount(text), Ok(Amount::For(Duration::from_secs_f64(seconds))), "{text}");
        }
        for text in ["", "0", "-1", "s", "0 s", "inf s", "1e99 h", "ten"] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert!(burst("0").is_err() && seed("-1").is_err());
    }
}
