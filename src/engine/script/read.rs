//! A script as lines: comments, lines that go on, times, lists of values. No knowledge of packets.

use std::ops::Range;
use std::time::Duration;

use crate::wire::notation::NotationError;
use crate::wire::value;

/// Longest time of a line.
const LONGEST: f64 = 86400.0;

/// Most values that one list may name.
pub const MOST_VALUES: usize = 65536;

/// Values of all rounds and sweeps of a script together.
pub const MOST_IN_ALL: usize = 1 << 20;

/// Packets with several values are built once for each: so many bytes of notation for one line.
const MOST_TRIED: usize = 64 << 20;

/// Refuses a packet in which so many values are to be tried that it would take long.
pub fn may_try(values: usize, text: &str) -> Result<(), NotationError> {
    if values.saturating_mul(text.len()) <= MOST_TRIED {
        return Ok(());
    }
    let why = format!("this packet is too long for {values} values");
    Err(NotationError::new(0..text.trim_end().len(), why))
}

/// A value with its place.
pub type Placed = (String, Range<usize>);

/// A place and what is wrong there.
pub type Refused = (Range<usize>, String);

/// A line with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// From 1 on.
    pub number: usize,
    /// Where it begins in the script; every byte of the text stands that far behind.
    pub start: usize,
    /// Comments and the ends of lines that go on are spaces here, so that places stay.
    pub text: String,
}

impl Raw {
    /// A place of the text as a place of the script.
    pub fn place(&self, at: &Range<usize>) -> Range<usize> {
        self.start + at.start..self.start + at.end
    }

    /// An error at a place of the text.
    pub fn error<T>(&self, at: Range<usize>, why: impl Into<String>) -> Result<T, NotationError> {
        Err(NotationError::new(self.place(&at), why))
    }

    /// The text from a place on, without spaces before it, and where it begins.
    pub fn behind(&self, at: usize) -> (usize, &str) {
        let rest = self.text.get(at..).unwrap_or_default();
        let start = at + rest.len() - rest.trim_start().len();
        (start, rest.trim())
    }
}

/// Splits a script into its lines; those without anything are left out.
pub fn lines(source: &str) -> Vec<Raw> {
    let mut all: Vec<Raw> = Vec::new();
    let mut goes_on = false;
    let mut at = 0;
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        let mut text = blank_comment(line);
        let ends_in_more = text.trim_end().ends_with('\\');
        if ends_in_more {
            let backslash = text.trim_end().len() - 1;
            text.replace_range(backslash..=backslash, " ");
        }
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => last.text += &text,
            None => all.push(Raw { number, start: at, text }),
        }
        goes_on = ends_in_more;
        at += line.len();
    }
    all.retain(|line| !line.text.trim().is_empty());
    all
}

/// A line whose comment is spaces; so are the ends of the line.
fn blank_comment(line: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        match c {
            '#' if !quoted => {
                end = at;
                break;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    let kept = line.get(..end).unwrap_or_default();
    let mut text = kept.replace(['\r', '\n', '\t'], " ");
    // As many bytes as before.
    text.push_str(&" ".repeat(line.len() - end));
    text
}

/// Where a word stands for itself in a line: outside of quotes and brackets, between spaces.
pub fn find_word(text: &str, word: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ if !quoted && depth == 0 && text.get(at..).is_some_and(|rest| rest.starts_with(word)) => {
                let before = text.get(..at).is_none_or(|t| t.is_empty() || t.ends_with([' ', ')', '"', '.']));
                let behind = text.get(at + word.len()..).is_none_or(|t| t.is_empty() || t.starts_with(' '));
                if before && behind {
                    return Some(at);
                }
            }
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    None
}

/// Reads `0.3`, `0.3s`, `300ms`.
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = number.trim().parse::<f64>().ok().filter(|_| plain).map(|n| n * unit);
    match seconds.filter(|s| (0.0..=LONGEST).contains(s)) {
        Some(seconds) => Ok(Duration::from_secs_f64(seconds)),
        None => Err(format!("'{text}' is no time: write 0.3s or 300ms, at most {LONGEST} s")),
    }
}

/// The values of a list, `80, 443, 8000..8100`, in brackets or without, each with its place in the text.
pub fn values(text: &str) -> Result<Vec<Placed>, Refused> {
    let inside = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let mut all = Vec::new();
    let mut at = text.find(inside).unwrap_or(0);
    for part in inside.split(',') {
        let word = part.trim();
        let start = at + part.len() - part.trim_start().len();
        let place = start..start + word.len();
        at += part.len() + 1;
        if word.is_empty() {
            return Err((place, "here must stand a value".into()));
        }
        expand(word, &place, &mut all)?;
    }
    Ok(all)
}

/// Adds a value, or each number of a range.
pub fn expand(word: &str, place: &Range<usize>, all: &mut Vec<Placed>) -> Result<(), Refused> {
    let ends = word.split_once("..").map(|(from, to)| (value::number(from), value::number(to)));
    match ends {
        None => all.push((word.to_owned(), place.clone())),
        Some((Some(from), Some(to))) if from <= to && to - from < MOST_VALUES as u128 => {
            all.extend((from..=to).map(|n| (n.to_string(), place.clone())));
        }
        Some((Some(from), Some(to))) if from <= to => {
            return Err((place.clone(), format!("{} values are more than {MOST_VALUES}", to - from)));
        }
        Some(_) => return Err((place.clone(), format!("'{word}' is no range of numbers, such as 80..90"))),
    }
    if all.len() > MOST_VALUES {
        return Err((place.clone(), format!("these are more than {MOST_VALUES} values")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_lines_that_go_on_keep_places() {
        let source = "a # x\n\n  b \"#\" \\\n c # y\n# z\nd";
        let found = lines(source);
        let texts: Vec<&str> = found.iter().map(|l| l.text.trim()).collect();
        assert_eq!(texts, ["a", "b \"#\"    c", "d"]);
        assert_eq!(found.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 3, 6]);
        for line in &found {
            let end = line.start + line.text.len();
            assert!(end <= source.len() && source.is_char_boundary(end), "{line:?}");
            let at = line.text.find(|c| c != ' ').unwrap();
            assert_eq!(source.as_bytes()[line.start + at], line.text.as_bytes()[at]);
        }
    }

    #[test]
    fn times_and_values() {
        assert_eq!(time("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(time("0.3s"), time("0.3"));
        for wrong in ["", "s", "ms", "-1", "1e3", "inf", "100000", "3m"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        let texts = |text: &str| values(text).map(|v| v.into_iter().map(|(t, _)| t).collect::<Vec<_>>());
        assert_eq!(texts("[80, 443, 8000..8002]").unwrap(), ["80", "443", "8000", "8001", "8002"]);
        assert_eq!(texts("S, F").unwrap(), ["S", "F"]);
        assert_eq!(values("80, , 5").unwrap_err().0, 4..4);
        assert_eq!(values("80, 9..5").unwrap_err().0, 4..8);
        assert!(values("0..65536").is_err());
    }

    #[test]
    fn a_word_counts_outside_of_texts_and_brackets() {
        assert_eq!(find_word("tcp(a= where ) where x", "where"), Some(15));
        assert_eq!(find_word("\" where \" where x", "where"), Some(10));
        assert_eq!(find_word("tcp/nowhere", "where"), None);
    }
}
