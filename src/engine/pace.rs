//! When packets are due: absolute deadlines from the start on, so that being late once makes no later one late. And the
//! orders to a stream that runs: pause, go on, stop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Packets of a stream that is behind are sent one behind the other, but for no longer than this: what is later was not
/// asked for any more (a machine that was asleep).
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the machine goes.
    Max,
    /// So many packets a second.
    Rate {
        /// Packets a second.
        pps: f64,
        /// So many of them at once.
        burst: u64,
    },
    /// Each at its own time since the first, this many times as fast.
    Recorded(f64),
}

/// Packets a second as a person writes them: `1001`, `0.5`, `250k`, `1.5M`, `2/min`, `max`; `None`: as fast as it goes.
///
/// # Errors
/// It is none: says what it must be.
pub fn rate(text: &str) -> Result<Option<f64>, String> {
    if text == "max" {
        return Ok(None);
    }
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let (number, times) = match number.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => number.strip_suffix('M').map_or((number, 1.0), |number| (number, 1e6)),
    };
    let seconds = match unit {
        "s" | "sec" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let pps = number.replace('_', "").parse::<f64>().map(|n| n * times / seconds);
    match pps {
        Ok(pps) if pps.is_finite() && pps >= 1e-6 => Ok(Some(pps)),
        _ => Err("must be packets a second, such as 1001, 0.5, 250k, 2/min, or max".into()),
    }
}

/// From this rate on frames go past the queue of the interface.
const FAST: f64 = 50_000.0;

impl Pace {
    /// So many packets a second, one by one.
    #[must_use]
    pub fn per_second(pps: f64) -> Self {
        Self::Rate { pps, burst: 1 }
    }

    /// Whether it pays to go past the queue of the interface, which hides the frames from captures on it.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        match self {
            Self::Max => true,
            Self::Rate { pps, .. } => *pps > FAST,
            Self::Recorded(_) => false,
        }
    }

    /// Packets a second that are asked for, where a number says it.
    #[must_use]
    pub fn pps(&self) -> Option<f64> {
        match self {
            Self::Rate { pps, .. } => Some(*pps),
            _ => None,
        }
    }

    /// How many packets a duration has room for: those that are due before its end.
    #[must_use]
    pub fn packets_in(&self, duration: Duration) -> Option<u64> {
        match self {
            Self::Rate { pps, burst } => {
                let bursts = duration.as_secs_f64() * pps / *burst as f64;
                // A float that is a hair above a whole number is that number.
                Some(((bursts - 1e-6).ceil().max(1.0) as u64).saturating_mul(*burst))
            }
            _ => None,
        }
    }
}

/// The deadlines of a stream.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    start: Instant,
    /// Time that a pause took, or that was given up.
    shift: Duration,
    given_up: Duration,
}

impl Schedule {
    /// One that begins now.
    #[must_use]
    pub fn new(pace: Pace, start: Instant) -> Self {
        Self { pace, start, shift: Duration::ZERO, given_up: Duration::ZERO }
    }

    /// When the packet of this number is due. `recorded`: its own time since the first.
    #[must_use]
    pub fn deadline(&self, number: u64, recorded: Option<Duration>) -> Instant {
        let after = match self.pace {
            Pace::Max => Duration::ZERO,
            Pace::Rate { pps, burst } => {
                let burst = burst.max(1);
                seconds((number / burst * burst) as f64 / pps)
            }
            Pace::Recorded(factor) => seconds(recorded.unwrap_or_default().as_secs_f64() / factor),
        };
        let from = self.start + self.shift;
        from.checked_add(after).unwrap_or_else(|| from + Duration::from_secs(u64::from(u32::MAX)))
    }

    /// How many packets from this number on are due, `most` at most.
    #[must_use]
    pub fn due(&self, number: u64, now: Instant, most: u64) -> u64 {
        match self.pace {
            Pace::Max => most,
            Pace::Rate { pps, burst } => {
                let burst = burst.max(1);
                let Some(since) = now.checked_duration_since(self.start + self.shift) else { return 0 };
                let bursts = (since.as_secs_f64() * pps / burst as f64).floor() as u64;
                bursts.saturating_add(1).saturating_mul(burst).saturating_sub(number).min(most)
            }
            // Their times are told one by one.
            Pace::Recorded(_) => most.min(1),
        }
    }

    /// Gives up time when the packet of this deadline is far behind.
    pub fn catch_up(&mut self, deadline: Instant, now: Instant) {
        let behind = now.saturating_duration_since(deadline);
        if behind > MOST_BEHIND && self.pace != Pace::Max {
            self.shift += behind;
            self.given_up += behind;
        }
    }

    /// A pause of this length is over.
    pub fn paused(&mut self, length: Duration) {
        self.shift += length;
    }

    /// Time by which the stream is behind what was asked, since the machine did not keep up.
    #[must_use]
    pub fn given_up(&self) -> Duration {
        self.given_up
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Orders {
    paused: bool,
    stopped: bool,
}

/// The orders to a stream that runs. Clones give orders to the same one; they are followed within a few milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<(Mutex<Orders>, Condvar)>);

impl Control {
    /// Holds it.
    pub fn pause(&self) {
        self.order(|orders| orders.paused = true);
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.order(|orders| orders.paused = false);
    }

    /// Ends it, for good.
    pub fn stop(&self) {
        self.order(|orders| orders.stopped = true);
    }

    /// Whether it is held.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.lock().paused
    }

    /// Whether it is ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until the deadline, or until there is an order.
    pub(super) fn sleep_until(&self, deadline: Instant) {
        let mut orders = self.lock();
        let before = *orders;
        while *orders == before {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            orders = self.0.1.wait_timeout(orders, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_do_not_drift() {
        let start = Instant::now();
        let schedule = Schedule::new(Pace::per_second(1001.0), start);
        let at = |number| schedule.deadline(number, None) - start;
        assert_eq!(at(0), Duration::ZERO);
        assert_eq!(at(1001), Duration::from_secs(1));
        assert_eq!(at(1001 * 86_400), Duration::from_secs(86_400));
        for number in [0, 1, 7, 1000, 123_456_789] {
            let deadline = schedule.deadline(number, None);
            let just_after = deadline + Duration::from_nanos(100);
            assert_eq!(schedule.due(number, just_after, 9), 1, "{number}");
            if number > 0 {
                assert_eq!(schedule.due(number, deadline - Duration::from_micros(1), 9), 0, "{number}");
            }
        }
        assert_eq!(Pace::per_second(250_000.0).packets_in(Duration::from_secs(2)), Some(500_000));
        assert_eq!(Pace::per_second(1.0 / 60.0).packets_in(Duration::from_secs(61)), Some(2));
        assert_eq!(Pace::Max.packets_in(Duration::from_secs(1)), None);
    }

    #[test]
    fn bursts_keep_the_rate() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Pace::Rate { pps: 100.0, burst: 10 }, start);
        assert_eq!(schedule.due(0, start, 64), 10);
        assert_eq!(schedule.deadline(10, None) - start, Duration::from_millis(100));
        assert_eq!(schedule.deadline(19, None) - start, Duration::from_millis(100));
        schedule.paused(Duration::from_secs(3));
        assert_eq!(schedule.deadline(10, None) - start, Duration::from_millis(3100));
        // What is hopelessly late is not made up for.
        let late = start + Duration::from_secs(60);
        schedule.catch_up(schedule.deadline(10, None), late);
        assert_eq!(schedule.deadline(10, None), late);
        assert_eq!(schedule.given_up(), late - start - Duration::from_millis(3100));
        let recorded = Schedule::new(Pace::Recorded(2.0), start);
        assert_eq!(recorded.deadline(5, Some(Duration::from_secs(4))) - start, Duration::from_secs(2));
    }

    #[test]
    fn an_order_ends_a_sleep() {
        let control = Control::default();
        let other = control.clone();
        let begun = Instant::now();
        let thread = std::thread::Builder::new().spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            other.stop();
        });
        control.sleep_until(begun + Duration::from_secs(60));
        assert!(control.is_stopped() && begun.elapsed() < Duration::from_secs(30));
        thread.unwrap().join().unwrap();
    }
}
