//! What became of the packets to a host of `rawbench tcping`, and its round-trip times.

use super::send::duration;
use crate::engine::{Answer, AnswerKind, Course, Pinged};

/// Round-trip times of which median and 99th percentile are taken: the last ones of a measurement that goes on for days, so
/// that memory does not grow with time.
const RECENT: usize = 1 << 20;

/// What became of the packets to a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Packets that the host itself answered.
    pub answered: u64,
    /// Packets that an ICMP error came for.
    pub icmp_errors: u64,
    /// Packets without an answer in time.
    pub timeouts: u64,
    /// Answers to packets that had one already.
    pub duplicates: u64,
    /// Round-trip times of the host's answers.
    pub times: Times,
}

impl Tally {
    pub fn take(&mut self, what: &Pinged) {
        match what {
            Pinged::Answer(answer) if is_icmp_error(answer) => self.icmp_errors += 1,
            Pinged::Answer(answer) => {
                self.answered += 1;
                answer.rtt_ns().into_iter().for_each(|ns| self.times.add(ns));
            }
            Pinged::Duplicate(_) => self.duplicates += 1,
            Pinged::Timeout => self.timeouts += 1,
            Pinged::NotSent(_) => {}
        }
    }

    /// Packets without an answer of the host.
    fn lost(&self) -> u64 {
        self.timeouts + self.icmp_errors
    }

    /// Packets whose fate is known.
    fn decided(&self) -> u64 {
        self.answered + self.lost()
    }

    /// In percent of the packets whose fate is known.
    pub fn loss(&self) -> Option<f64> {
        (self.decided() > 0).then(|| self.lost() as f64 * 100.0 / self.decided() as f64)
    }
}

fn is_icmp_error(answer: &Answer) -> bool {
    matches!(answer.kind, AnswerKind::IcmpUnreachable | AnswerKind::IcmpOther)
}

/// Round-trip times in nanoseconds, as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    count: u64,
    min: u64,
    max: u64,
    last: u64,
    mean: f64,
    /// Sum of the squares of the distances from the mean (Welford 1962).
    squares: f64,
    jitter: f64,
    /// The last ones; the oldest is overwritten.
    recent: Vec<u64>,
}

/// Round-trip times in nanoseconds, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub last: u64,
    pub min: u64,
    /// Of an even number of times the mean of the two in the middle.
    pub median: u64,
    pub avg: u64,
    /// The least that 99 of 100 do not exceed.
    pub p99: u64,
    pub max: u64,
    /// RFC 3550, 6.4.1: how much one differs from the one before, smoothed by a sixteenth.
    pub jitter: u64,
    /// ping's mdev: the standard deviation.
    pub mdev: u64,
}

impl Times {
    pub fn add(&mut self, ns: u64) {
        let value = ns as f64;
        if self.count > 0 {
            self.jitter += (ns.abs_diff(self.last) as f64 - self.jitter) / 16.0;
        }
        self.min = if self.count == 0 { ns } else { self.min.min(ns) };
        self.max = self.max.max(ns);
        self.last = ns;
        let at = (self.count % RECENT as u64) as usize;
        match self.recent.get_mut(at) {
            Some(oldest) => *oldest = ns,
            None => self.recent.push(ns),
        }
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// `None`: there are none.
    pub fn digest(&self) -> Option<Digest> {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let at = |place: usize| sorted.get(place).copied();
        let low = at(sorted.len().checked_sub(1)? / 2)?;
        Some(Digest {
            last: self.last,
            min: self.min,
            median: low.midpoint(at(sorted.len() / 2)?),
            avg: self.mean.round() as u64,
            p99: at((sorted.len() * 99).div_ceil(100).saturating_sub(1))?,
            max: self.max,
            jitter: self.jitter.round() as u64,
            mdev: (self.squares / self.count as f64).sqrt().round() as u64,
        })
    }

    /// Whether median and percentile are of the last ones alone.
    fn is_of_the_last(&self) -> bool {
        self.count > RECENT as u64
    }
}

/// The last lines about a host. `asked`: packets a second that were asked for; they are compared with those that were sent
/// where there are many, or where there were fewer.
pub(super) fn summary(label: &str, tally: &Tally, course: &Course, asked: f64) -> String {
    let mut text = format!("--- {label}\n{} sent, {} answered", course.sent, tally.answered);
    let open = course.sent.saturating_sub(tally.decided());
    for (count, what) in [
        (tally.icmp_errors, "with an ICMP error"),
        (tally.duplicates, "duplicates"),
        (course.errors, "not sent"),
        (open, "not waited for"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    if let Some(loss) = tally.loss() {
        text += &format!(", {} % loss", percent(loss));
    }
    if let Some(d) = tally.times.digest() {
        let [min, median, avg, p99, max] = [d.min, d.median, d.avg, d.p99, d.max].map(duration);
        let [jitter, mdev] = [d.jitter, d.mdev].map(duration);
        text += &format!("\nrtt min {min}, median {median}, avg {avg}, p99 {p99}, max {max}");
        text += &format!(", jitter {jitter} (RFC 3550), mdev {mdev} (standard deviation)");
        if tally.times.is_of_the_last() {
            text += &format!("; median and p99 of the last {RECENT}");
        }
    }
    let rate = course.per_second();
    if course.sent > 10 && (asked >= 50.0 || rate < asked * 0.99) {
        text += &format!("\nrate {rate:.1} a second, {} asked", percent(asked));
    }
    text
}

/// A number with two decimals at the most, and no more than it needs.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(times: &[u64]) -> Tally {
        let mut tally = Tally { answered: times.len() as u64, ..Tally::default() };
        times.iter().for_each(|ns| tally.times.add(*ns));
        tally
    }

    #[test]
    fn times_are_those_of_ping() {
        assert_eq!(tally(&[]).times.digest(), None);
        let one = tally(&[7]).times.digest().unwrap();
        assert_eq!(
            (one.min, one.median, one.avg, one.p99, one.max, one.jitter, one.mdev),
            (7, 7, 7, 7, 7, 0, 0)
        );
        // Mean 5, squares of the distances 9 1 1 1 0 0 4 16, their mean 4.
        let eight = tally(&[9, 2, 5, 4, 4, 7, 5, 4]).times.digest().unwrap();
        assert_eq!(
            (eight.last, eight.min, eight.median, eight.avg, eight.max, eight.mdev),
            (4, 2, 4, 5, 9, 2)
        );
        let odd = tally(&[3000, 1000, 8000]).times.digest().unwrap();
        // RFC 3550: 2000/16 = 125, and 125 + (7000 - 125)/16 = 554.7.
        assert_eq!((odd.median, odd.avg, odd.mdev, odd.jitter), (3000, 4000, 2944, 555));
        let large = tally(&[u64::MAX, u64::MAX]).times.digest().unwrap();
        assert_eq!((large.median, large.mdev), (u64::MAX, 0));
        let hundred: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(tally(&hundred).times.digest().unwrap().p99, 198);
        assert_eq!(tally(&hundred[..199]).times.digest().unwrap().p99, 199, "of 2 to 200, the 198th");
    }

    #[test]
    fn memory_does_not_grow_for_ever() {
        let mut times = Times::default();
        (0..RECENT as u64 * 2 + 7).for_each(|ns| times.add(ns));
        assert_eq!(times.recent.len(), RECENT);
        let digest = times.digest().unwrap();
        let last = RECENT as u64 * 2 + 6;
        assert_eq!((digest.min, digest.max, digest.avg), (0, last, last / 2));
        assert_eq!(digest.median, last - RECENT as u64 / 2, "of the last ones");
        assert!(times.is_of_the_last());
    }

    #[test]
    fn loss_is_that_of_the_packets_whose_fate_is_known() {
        assert_eq!(tally(&[]).loss(), None);
        let some = Tally { timeouts: 1, icmp_errors: 1, ..tally(&[1, 2, 3, 4]) };
        assert_eq!(percent(some.loss().unwrap()), "33.33");
        let course = Course { sent: 7, errors: 1, seconds: 7.0 };
        assert_eq!(
            summary("h:80", &some, &course, 1.0),
            "--- h:80\n7 sent, 4 answered, 1 with an ICMP error, 1 not sent, 1 not waited for, 33.33 % loss\n\
             rtt min 0.0 µs, median 0.0 µs, avg 0.0 µs, p99 0.0 µs, max 0.0 µs, jitter 0.0 µs (RFC 3550), \
             mdev 0.0 µs (standard deviation)"
        );
        let silent = Tally { timeouts: 3, ..Tally::default() };
        let course = Course { sent: 3, errors: 0, seconds: 3.0 };
        assert_eq!(summary("h:80", &silent, &course, 1.0), "--- h:80\n3 sent, 0 answered, 100 % loss");
        let nothing = summary("h:80", &Tally::default(), &Course::default(), 1.0);
        assert_eq!(nothing, "--- h:80\n0 sent, 0 answered");
        assert_eq!([0.0, 12.5, 100.0, 0.01].map(percent), ["0", "12.5", "100", "0.01"]);
    }

    #[test]
    fn a_rate_that_was_not_reached_is_said() {
        let course = |seconds| Course { sent: 1000, errors: 0, seconds };
        let silent = Tally { timeouts: 1000, ..Tally::default() };
        let last = |seconds, asked| {
            summary("h:80", &silent, &course(seconds), asked).lines().last().unwrap().to_owned()
        };
        assert_eq!(last(0.1, 10_000.0), "rate 10000.0 a second, 10000 asked");
        assert_eq!(last(0.125, 10_000.0), "rate 8000.0 a second, 10000 asked");
        assert_eq!(last(1200.0, 1.0), "rate 0.8 a second, 1 asked");
        assert_eq!(last(1000.0, 1.0), "1000 sent, 0 answered, 100 % loss");
    }
}
