//! The table of exchanges: what each destination did, and the round-trip times to draw. Pure.

use super::roles::{Group, Marks, One};

/// Points that are drawn at most, twice this number: of each stretch of time the shortest and the longest.
const STRETCHES: usize = 600;
/// Bars of the histogram.
const BARS: usize = 20;

/// Which exchanges are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Those that others than this bench began too.
    pub others: bool,
    /// Of the times only those of this destination, as [`Marks::groups`] counts.
    pub group: Option<u16>,
}

/// A line of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Which destination, as [`Marks::groups`] counts; `None`: all together.
    pub group: Option<u16>,
    /// Its name.
    pub name: String,
    /// IP protocol number.
    pub protocol: u8,
    /// Questions.
    pub sent: u64,
    /// Those with an answer.
    pub answered: u64,
    /// Those without one that is owed.
    pub unanswered: u64,
    /// Answers beyond the first.
    pub again: u64,
    /// Answers after more than a second; they count as answered too.
    pub late: u64,
    /// What answers nothing.
    pub strays: u64,
    /// Resets of this machine's kernel.
    pub resets: u64,
    /// Shortest, median, 99th percentile and longest round-trip time in nanoseconds.
    pub rtt_ns: Option<[u64; 4]>,
}

/// A round-trip time to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When the question was sent, in nanoseconds since 1970.
    pub sent_ns: u64,
    /// How long the answer took.
    pub rtt_ns: u64,
    /// Position of the answer, from 0.
    pub answer: u32,
}

/// Round-trip times that fall between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// From this time, in nanoseconds, on.
    pub from_ns: u64,
    /// Up to this one, which the next bar has.
    pub to_ns: u64,
    /// How many.
    pub count: u64,
}

/// The table and what is drawn below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The destinations, in the order of their first questions.
    pub lines: Vec<Line>,
    /// All together.
    pub total: Line,
    /// Round-trip times in the order of their sending. Of very many only the shortest and the longest of each stretch.
    pub points: Vec<Point>,
    /// How many there are.
    pub measured: usize,
    /// Their histogram; the bounds of the bars are a geometric series.
    pub bars: Vec<Bar>,
    /// Questions beyond those that are kept.
    pub beyond: u64,
    /// This bench sent some of the questions.
    pub any_ours: bool,
}

impl Table {
    /// The table of these exchanges. `time_of` gives the time of the packet at a position.
    #[must_use]
    pub fn of(marks: &Marks, look: Look, time_of: impl Fn(u32) -> Option<u64>) -> Self {
        let mut lines: Vec<Line> = vec![Line::default(); marks.groups().len()];
        let mut times: Vec<Vec<u64>> = vec![Vec::new(); lines.len()];
        let mut points = Vec::new();
        let any_ours = marks.exchanges().iter().any(|one| one.ours);
        let shown = |one: &&One| one.ours || look.others || !any_ours;
        for one in marks.exchanges().iter().filter(shown) {
            let group = usize::from(one.group);
            let (Some(line), Some(times)) = (lines.get_mut(group), times.get_mut(group)) else { continue };
            line.count(one);
            let Some(rtt_ns) = one.rtt_ns else { continue };
            times.push(rtt_ns);
            let wanted = look.group.is_none_or(|group| group == one.group);
            if let (true, Some(answer), Some(sent_ns)) = (wanted, one.answer(), time_of(one.position)) {
                points.push(Point { sent_ns, rtt_ns, answer });
            }
        }
        let all = std::iter::zip(&mut lines, times.iter_mut()).enumerate();
        for (place, (line, times)) in all {
            let Some(group) = marks.groups().get(place) else { continue };
            line.describe(place as u16, group);
            [line.strays, line.resets] = marks.odd().get(place).copied().unwrap_or_default();
            line.rtt_ns = quartet(times);
        }
        if let (true, Some(last)) = (marks.gathers(), lines.last_mut()) {
            last.name = "all others".into();
        }
        lines.retain(|line| line.sent > 0);
        let mut total = Line { name: "all".into(), ..Line::default() };
        lines.iter().for_each(|line| total.add(line));
        total.rtt_ns = quartet(&mut times.concat());
        let measured = points.len();
        let mut drawn: Vec<u64> = points.iter().map(|p| p.rtt_ns).collect();
        drawn.sort_unstable();
        let bars = bars(&drawn);
        Self { lines, total, points: thin(points), measured, bars, beyond: marks.beyond(), any_ours }
    }
}

impl Line {
    fn count(&mut self, one: &One) {
        self.sent += 1;
        self.again += u64::from(one.again);
        match one.answer() {
            Some(_) => self.answered += 1,
            None => self.unanswered += u64::from(one.asks),
        }
        self.late += u64::from(one.is_late());
    }

    fn describe(&mut self, place: u16, group: &Group) {
        self.group = Some(place);
        self.name = group.name();
        self.protocol = group.protocol;
    }

    fn add(&mut self, line: &Self) {
        self.sent += line.sent;
        self.answered += line.answered;
        self.unanswered += line.unanswered;
        self.again += line.again;
        self.late += line.late;
        self.strays += line.strays;
        self.resets += line.resets;
    }
}

/// Shortest, median, 99th percentile and longest: each a time that was measured (nearest rank).
fn quartet(times: &mut [u64]) -> Option<[u64; 4]> {
    times.sort_unstable();
    let rank = |share: f64| times.get(((times.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
    Some([rank(0.0)?, rank(0.5)?, rank(0.99)?, rank(1.0)?])
}

/// As many points as can be told apart; the outliers stay.
fn thin(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= 2 * STRETCHES {
        return points;
    }
    let mut kept = Vec::with_capacity(2 * STRETCHES);
    for part in points.chunks(points.len().div_ceil(STRETCHES)) {
        let (least, most) = (part.iter().min_by_key(|p| p.rtt_ns), part.iter().max_by_key(|p| p.rtt_ns));
        let mut both: Vec<Point> = least.into_iter().chain(most).copied().collect();
        both.sort_by_key(|p| p.sent_ns);
        both.dedup();
        kept.extend(both);
    }
    kept
}

/// The histogram of sorted times.
fn bars(times: &[u64]) -> Vec<Bar> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Vec::new() };
    let (low, high) = ((*first).max(1) as f64, (*last).max(1) as f64);
    // At least a factor of 1.2 from end to end: what differs by less is one heap, not noise drawn large.
    let step = (high / low * 1.000_001).max(1.2).powf(1.0 / BARS as f64);
    let bound = |n: usize| (low * step.powi(n as i32)).floor() as u64;
    let mut from = 0;
    let mut all = Vec::with_capacity(BARS);
    for n in 0..BARS {
        let to_ns = bound(n + 1);
        let to = if n + 1 == BARS { times.len() } else { times.partition_point(|t| *t < to_ns) };
        all.push(Bar { from_ns: bound(n), to_ns, count: (to - from) as u64 });
        from = to;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quartet_is_made_of_times_that_were_measured() {
        assert_eq!(quartet(&mut []), None);
        assert_eq!(quartet(&mut [7]), Some([7; 4]));
        let mut all: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(quartet(&mut all), Some([1, 100, 198, 200]));
    }

    #[test]
    fn each_time_stands_in_one_bar() {
        for times in [vec![5], vec![40, 41, 42], (1..5000).collect::<Vec<u64>>(), vec![0, 0, 1_000_000_000]] {
            let all = bars(&times);
            assert_eq!(all.iter().map(|b| b.count).sum::<u64>(), times.len() as u64, "{times:?}");
            assert!(all.windows(2).all(|w| w[0].to_ns == w[1].from_ns));
        }
        assert!(bars(&[]).is_empty());
    }

    #[test]
    fn thinning_keeps_the_outliers() {
        let point = |n: u64| Point { sent_ns: n, rtt_ns: 100 + n % 7, answer: n as u32 };
        let mut points: Vec<Point> = (0..100_000).map(point).collect();
        points[77_777].rtt_ns = 9_999;
        let thinned = thin(points);
        assert!(thinned.len() <= 2 * STRETCHES && thinned.iter().any(|p| p.rtt_ns == 9_999));
        assert!(thinned.windows(2).all(|w| w[0].sent_ns < w[1].sent_ns));
    }
}
