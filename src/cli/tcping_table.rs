//! The table that `rawbench tcping` shows on a terminal while it measures: a row for each host, refreshed in place.

use std::io::Write;
use std::time::{Duration, Instant};

use super::send::duration;
use super::tcping_tally::{Digest, Tally, percent};
use crate::engine::Course;

/// How often it is drawn at most.
const EVERY: Duration = Duration::from_millis(200);

/// A row: what a host is called, what became of its packets, how many were sent.
pub(super) type Row<'a> = (&'a str, &'a Tally, &'a Course);

/// A column: its title, its width, what stands in it.
type Column = (&'static str, usize, fn(&Tally, &Course, Option<&Digest>) -> String);

const SENT: Column = ("sent", 8, |_, course, _| course.sent.to_string());
const ANSWERED: Column = ("answered", 9, |tally, _, _| tally.answered.to_string());
const LOSS: Column =
    ("loss", 8, |tally, _, _| tally.loss().map_or_else(|| "-".into(), |l| percent(l) + " %"));
const LAST: Column = ("last", 11, |_, _, d| time(d.map(|d| d.last)));
const MIN: Column = ("min", 11, |_, _, d| time(d.map(|d| d.min)));
const MEDIAN: Column = ("median", 11, |_, _, d| time(d.map(|d| d.median)));
const AVG: Column = ("avg", 11, |_, _, d| time(d.map(|d| d.avg)));
const P99: Column = ("p99", 11, |_, _, d| time(d.map(|d| d.p99)));
const MAX: Column = ("max", 11, |_, _, d| time(d.map(|d| d.max)));
const JITTER: Column = ("jitter", 11, |_, _, d| time(d.map(|d| d.jitter)));

/// As many columns as fit: from the widest set to the narrowest.
const SETS: [&[Column]; 4] = [
    &[SENT, ANSWERED, LOSS, LAST, MIN, MEDIAN, AVG, P99, MAX, JITTER],
    &[SENT, ANSWERED, LOSS, LAST, MEDIAN, P99, MAX, JITTER],
    &[SENT, LOSS, LAST, MEDIAN, P99],
    &[LOSS, MEDIAN],
];

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".into(), duration)
}

/// The table on the terminal.
#[derive(Default)]
pub(super) struct Table {
    /// What stands there now.
    drawn: Vec<String>,
    last: Option<Instant>,
    /// What went wrong last; it stands below the table.
    pub problem: Option<String>,
}

impl Table {
    /// Draws it over what was drawn before, if that is some time ago.
    pub fn draw(&mut self, rows: &[Row<'_>], out: &mut impl Write) -> std::io::Result<()> {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        let (terminal_size::Width(width), terminal_size::Height(height)) =
            terminal_size::terminal_size().unwrap_or((terminal_size::Width(80), terminal_size::Height(24)));
        let lines = self.lines(rows, usize::from(width), usize::from(height));
        if lines == self.drawn {
            return Ok(());
        }
        self.last = Some(Instant::now());
        self.erase(out)?;
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        self.drawn = lines;
        out.flush()
    }

    /// Takes it away; the cursor stands where it began.
    pub fn erase(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        if !self.drawn.is_empty() {
            // ECMA-48: cursor up, to the first column, erase to the end of the screen.
            write!(out, "\x1b[{}A\r\x1b[J", self.drawn.len())?;
        }
        self.drawn.clear();
        Ok(())
    }

    /// The lines, none of them wider or more than the terminal has room for.
    fn lines(&self, rows: &[Row<'_>], width: usize, height: usize) -> Vec<String> {
        let name = rows.iter().map(|(label, ..)| label.chars().count()).max().unwrap_or(0).max(4);
        let fits = |set: &&&[Column]| name + set.iter().map(|(_, w, _)| w).sum::<usize>() < width;
        let columns = SETS.iter().find(fits).or(SETS.last()).copied().unwrap_or_default();
        let mut lines = vec![format!("{:<name$}", "host")];
        for (title, wide, _) in columns {
            lines[0] += &format!("{title:>wide$}");
        }
        // Room for the title, what went wrong, that there are more, and the cursor.
        let room = height.saturating_sub(4).max(1);
        for (label, tally, course) in rows.iter().take(room) {
            let digest = tally.times.digest();
            let mut line = format!("{label:<name$}");
            for (_, wide, value) in columns {
                line += &format!("{:>wide$}", value(tally, course, digest.as_ref()));
            }
            lines.push(line);
        }
        if rows.len() > room {
            lines.push(format!("… and {} more hosts", rows.len() - room));
        }
        lines.extend(self.problem.clone());
        // A line that wraps would take two of the screen.
        lines.into_iter().map(|line| line.chars().take(width.saturating_sub(1)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal() {
        let mut tally = Tally { answered: 3, timeouts: 1, ..Tally::default() };
        [20_000, 30_000, 1_500_000].iter().for_each(|ns| tally.times.add(*ns));
        let (silent, course) = (Tally::default(), Course { sent: 4, errors: 0, seconds: 4.0 });
        let rows: Vec<Row<'_>> = vec![("10.77.0.2:80", &tally, &course), ("[fd77::2]:443", &silent, &course)];
        let mut table = Table::default();
        let lines = table.lines(&rows, 130, 24);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        let shown: Vec<String> = lines.iter().map(|line| words(line)).collect();
        assert_eq!(
            shown,
            [
                "host sent answered loss last min median avg p99 max jitter",
                "10.77.0.2:80 4 3 25 % 1.500 ms 20.0 µs 30.0 µs 516.7 µs 1.500 ms 1.500 ms 92.5 µs",
                "[fd77::2]:443 4 0 - - - - - - - -",
            ]
        );
        let lengths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert_eq!(lengths, [lengths[0]; 3], "columns stand below each other");
        assert_eq!(words(&table.lines(&rows, 80, 24)[0]), "host sent loss last median p99");
        table.problem = Some("no way to 10.77.0.2".into());
        for width in [1, 20, 40, 80, 200] {
            for height in [0, 1, 4, 6] {
                let many = [rows.as_slice(), &rows, &rows].concat();
                let lines = table.lines(&many, width, height);
                assert!(lines.iter().all(|line| line.chars().count() < width.max(1) || line.is_empty()));
                assert!(lines.len() <= height.max(4), "{width} {height}: {lines:#?}");
            }
        }
        assert_eq!(table.lines(&[rows.as_slice(), &rows].concat(), 80, 6)[3], "… and 2 more hosts");
    }

    #[test]
    fn it_is_drawn_over_itself_and_not_too_often() {
        let tally = Tally::default();
        let sent = |sent| Course { sent, errors: 0, seconds: 1.0 };
        let (mut table, mut out) = (Table::default(), Vec::new());
        table.draw(&[("h:80", &tally, &sent(1))], &mut out).unwrap();
        let first = out.len();
        table.draw(&[("h:80", &tally, &sent(2))], &mut out).unwrap();
        assert_eq!(out.len(), first, "too soon");
        table.last = None;
        table.draw(&[("h:80", &tally, &sent(1))], &mut out).unwrap();
        assert_eq!(out.len(), first, "it stands there");
        table.draw(&[("h:80", &tally, &sent(2))], &mut out).unwrap();
        table.erase(&mut out).unwrap();
        table.erase(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("host"), "{text:?}");
        assert_eq!(text.matches("\x1b[2A\r\x1b[J").count(), 2, "{text:?}");
    }
}
