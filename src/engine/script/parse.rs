//! From the text of a script to its lines. All that can be wrong in it is found here, before anything is sent.

use std::ops::Range;
use std::time::Duration;

use super::names::{Expr, Value, name_len};
use super::read::{self, Raw};
use super::{Act, Line, Script, Source};
use crate::craft::build::Sources;
use crate::wire::notation::{NotationError, nearest};
use crate::wire::value;

/// Most lines of a script.
const MOST_LINES: usize = 100_000;
/// Rounds in rounds.
const MOST_NESTED: usize = 8;

const LINES: [&str; 10] =
    ["lab", "interface", "guard", "wait", "sleep", "test", "for", "repeat", "sweep", "where"];

/// Reads a script. `given`: values for its names, as the command line gives them.
///
/// # Errors
/// The place of the first thing that is wrong, and what would be right; [`NotationError::render`] shows it in its line.
pub fn parse(
    source: &str,
    given: &[(String, String)],
    sources: &mut dyn Sources,
) -> Result<Script, NotationError> {
    let script = Script { options: super::Options::default(), lines: Vec::new() };
    let mut reader = Reader {
        script,
        given,
        used: vec![false; given.len()],
        sources,
        known: Vec::new(),
        open: Vec::new(),
        values: 0,
        base: None,
    };
    let lines = read::lines(source);
    if let Some(line) = lines.get(MOST_LINES) {
        return line.error(0..line.text.trim_end().len(), format!("a script has at most {MOST_LINES} lines"));
    }
    for line in &lines {
        reader.line(line)?;
    }
    if let Some(open) = reader.open.last() {
        return Err(NotationError::new(
            open.at.clone(),
            "this '{' is not closed: a line with '}' must follow",
        ));
    }
    reader.forget(0)?;
    if let Some(at) = reader.used.iter().position(|used| !used) {
        let name = given.get(at).map_or("", |(name, _)| name.as_str());
        let sets = |line: &Line| match &line.what {
            Act::Name { name, .. } => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = reader.script.lines.iter().filter_map(sets).collect();
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean {near}?"),
            None if names.is_empty() => String::new(),
            None => format!(" (it sets: {})", names.join(", ")),
        };
        let why = format!("no line of the script sets ${name}{hint}");
        return Err(NotationError::new(source.len()..source.len(), why));
    }
    if reader.script.lines.is_empty() {
        return Err(NotationError::new(
            0..0,
            "the script has no line that does something, such as > ip(dst=…)/tcp",
        ));
    }
    Ok(reader.script)
}

/// A name that stands for something from here on.
pub(super) struct Name {
    pub name: String,
    /// Its values that are known before the run: none, one, or the first and the last of those that it takes in rounds.
    pub values: Vec<Value>,
    pub used: bool,
    /// It takes its value from a packet.
    pub taken: bool,
    pub at: Range<usize>,
}

/// Rounds that are open.
struct Open {
    /// Index of the line that opens them.
    line: usize,
    /// Names that there were before.
    names: usize,
    at: Range<usize>,
}

pub(super) struct Reader<'a> {
    pub(super) script: Script,
    given: &'a [(String, String)],
    used: Vec<bool>,
    pub(super) sources: &'a mut dyn Sources,
    pub(super) known: Vec<Name>,
    open: Vec<Open>,
    /// Values of rounds and sweeps so far.
    values: usize,
    /// How many names there were before the first test.
    base: Option<usize>,
}

/// What a name stands for before the run; with `last` the last of its values.
pub(super) fn value_of(known: &[Name], name: &str, last: bool) -> Option<Value> {
    let found = known.iter().rev().find(|n| n.name == name)?;
    if last { found.values.last().cloned() } else { found.values.first().cloned() }
}

/// Moves an error of a part of a line to its place in the script.
pub(super) fn moved(line: &Raw, start: usize) -> impl Fn(NotationError) -> NotationError + '_ {
    move |e| NotationError::new(line.place(&(e.at.start + start..e.at.end + start)), e.message)
}

impl Reader<'_> {
    fn line(&mut self, line: &Raw) -> Result<(), NotationError> {
        let (start, text) = line.behind(0);
        let Some(first) = text.chars().next() else { return Ok(()) };
        let behind = start + first.len_utf8();
        match first {
            '>' => self.send(line, behind),
            '<' | '!' => self.expect(line, behind, first == '<'),
            '$' => self.set(line, behind),
            '=' => self.want(line, behind),
            '}' => self.close(line, start, behind),
            _ => {
                let len = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
                self.word(line, start..start + len)
            }
        }
    }

    pub(super) fn push(&mut self, line: &Raw, what: Act) {
        let text = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.script.lines.push(Line { number: line.number, text, what });
    }

    fn word(&mut self, line: &Raw, at: Range<usize>) -> Result<(), NotationError> {
        let word = line.text.get(at.clone()).unwrap_or_default();
        let (start, rest) = line.behind(at.end);
        let place = start..start + rest.len();
        let is_option = matches!(word, "lab" | "interface" | "guard" | "wait");
        if is_option && !self.script.lines.is_empty() {
            return line.error(
                at,
                format!("{word} is an option of the run: it stands at the top, before all that is done"),
            );
        }
        match word {
            "lab" | "guard" if !rest.is_empty() => line.error(place, format!("behind {word} stands nothing")),
            "lab" => {
                self.script.options.lab = true;
                Ok(())
            }
            "guard" => {
                self.script.options.guard = true;
                Ok(())
            }
            "interface" => {
                if rest.is_empty() || rest.contains(char::is_whitespace) {
                    return line.error(place, "here must stand the name of one interface");
                }
                self.script.options.interface = Some(rest.to_owned());
                Ok(())
            }
            "wait" => {
                self.script.options.wait = Some(self.time(line, start)?);
                Ok(())
            }
            "sleep" => {
                let time = self.time(line, start)?;
                self.push(line, Act::Sleep(time));
                Ok(())
            }
            "test" => self.test(line, start),
            "for" => self.rounds_for(line, start),
            "repeat" => self.rounds_repeat(line, start),
            "sweep" => self.sweep(line, start),
            _ => {
                let hint = nearest(word, LINES.into_iter()).map(|near| format!("; did you mean {near}?"));
                let hint = hint.unwrap_or_else(|| {
                    " (a line begins with > < ! $ = } lab interface guard wait sleep test for repeat or sweep)".into()
                });
                let end = if word.is_empty() { at.start + 1 } else { at.end };
                let shown = line.text.get(at.start..end).unwrap_or(word);
                line.error(at.start..end, format!("no line begins with '{shown}'{hint}"))
            }
        }
    }

    /// A time, and nothing behind it.
    fn time(&self, line: &Raw, start: usize) -> Result<Duration, NotationError> {
        let (start, rest) = line.behind(start);
        read::time(rest).or_else(|why| line.error(start..start + rest.len(), why))
    }

    /// A time where one stands, and where what follows begins.
    pub(super) fn time_first(
        &self,
        line: &Raw,
        start: usize,
    ) -> Result<(Option<Duration>, usize), NotationError> {
        let (start, rest) = line.behind(start);
        if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Ok((None, start));
        }
        let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let time = read::time(rest.get(..len).unwrap_or_default());
        let time = time.or_else(|why| line.error(start..start + len, why))?;
        Ok((Some(time), line.behind(start + len).0))
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.iter().any(|n| n.name == name)
    }

    /// Notes that names are used; they have to stand for something.
    pub(super) fn used(
        &mut self,
        names: &[Expr],
        error: impl Fn(NotationError) -> NotationError,
    ) -> Result<(), NotationError> {
        for expr in names {
            match self.known.iter_mut().rev().find(|n| n.name == expr.name) {
                Some(name) => name.used = true,
                None => return Err(error(self.unknown(expr))),
            }
        }
        Ok(())
    }

    pub(super) fn unknown(&self, expr: &Expr) -> NotationError {
        let hint = nearest(&expr.name, self.known.iter().map(|n| n.name.as_str()));
        let hint = hint.map_or_else(
            || format!(": set it (${} = 5), or take it from a packet that is expected", expr.name),
            |near| format!("; did you mean ${near}?"),
        );
        NotationError::new(expr.at.clone(), format!("${} has no value here{hint}", expr.name))
    }

    /// `$name = VALUE`.
    fn set(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let rest = line.text.get(start..).unwrap_or_default();
        let len = name_len(rest);
        let name = rest.get(..len).unwrap_or_default().to_owned();
        let (equals, behind) = line.behind(start + len);
        if name.is_empty() || !behind.starts_with('=') {
            return line
                .error(start - 1..start + len, "a line that begins with $ gives a name a value: $port = 80");
        }
        let (at, text) = line.behind(equals + 1);
        let place = at..at + text.len();
        if text.is_empty() {
            return line.error(place, "here must stand a value, random, or random(1024..65535)");
        }
        let mut text = text.to_owned();
        if let Some(nth) = self.given.iter().position(|(given, _)| *given == name) {
            text.clone_from(&self.given[nth].1);
            self.used[nth] = true;
        }
        let source = match random(&text) {
            Some(Ok((low, high))) => Source::Random(low, high),
            Some(Err(why)) => return line.error(place, why),
            None => Source::Value(text),
        };
        let values = match &source {
            Source::Value(text) => vec![Value::written(text)],
            Source::Random(low, high) => [*low, *high].map(|n| Value::Number(u128::from(n))).to_vec(),
        };
        let at = line.place(&(start - 1..start + len));
        self.known.push(Name { name: name.clone(), values, used: true, taken: false, at });
        self.push(line, Act::Name { name, source });
        Ok(())
    }

    fn test(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let (start, rest) = line.behind(start);
        let place = start..start + rest.len();
        if !self.open.is_empty() {
            return line.error(place, "a test cannot begin within rounds");
        }
        let name = rest.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(rest).trim();
        if name.is_empty() {
            return line.error(place, "here must stand the name of the test, such as test \"a closed port\"");
        }
        // Names of the test before are its own; those that were there before the first test stay.
        match self.base {
            Some(base) => self.forget(base)?,
            None => self.base = Some(self.known.len()),
        }
        self.push(line, Act::Test(name.to_owned()));
        Ok(())
    }

    /// Names are forgotten down to so many; one that took a value which nobody asked for is a mistake: a name that was
    /// mistyped takes any value, and the line would hold whatever comes.
    fn forget(&mut self, count: usize) -> Result<(), NotationError> {
        let gone = self.known.get(count..).unwrap_or_default();
        if let Some(name) = gone.iter().find(|n| n.taken && !n.used) {
            let others = self.known.iter().map(|n| n.name.as_str()).filter(|other| *other != name.name);
            let hint = nearest(&name.name, others).map(|near| format!("; did you mean ${near}?"));
            let why = format!(
                "${} takes a value here that no line uses (* stands for any value){}",
                name.name,
                hint.unwrap_or_default()
            );
            return Err(NotationError::new(name.at.clone(), why));
        }
        self.known.truncate(count);
        Ok(())
    }

    /// The `{` at the end of a line, and what stands before it.
    fn opening<'t>(
        &self,
        line: &'t Raw,
        start: usize,
    ) -> Result<(usize, &'t str, Range<usize>), NotationError> {
        let (start, rest) = line.behind(start);
        match rest.strip_suffix('{') {
            Some(before) => Ok((start, before.trim_end(), start + before.len()..start + rest.len())),
            None => line.error(
                start + rest.len()..start + rest.len(),
                "this line ends in '{', and a line '}' ends the rounds",
            ),
        }
    }

    fn open(
        &mut self,
        line: &Raw,
        brace: Range<usize>,
        name: Option<String>,
        values: Vec<String>,
    ) -> Result<(), NotationError> {
        if self.open.len() == MOST_NESTED {
            return line.error(brace, format!("rounds in more than {MOST_NESTED} rounds"));
        }
        self.count(line, values.len())?;
        let at = line.place(&brace);
        self.open.push(Open { line: self.script.lines.len(), names: self.known.len(), at: at.clone() });
        if let Some(name) = &name {
            let values = values.first().into_iter().chain(values.last()).map(|v| Value::written(v)).collect();
            self.known.push(Name { name: name.clone(), values, used: true, taken: false, at });
        }
        self.push(line, Act::Rounds { name, values, end: 0 });
        Ok(())
    }

    /// Counts values, so that a short script does not fill the memory.
    pub(super) fn count(&mut self, line: &Raw, values: usize) -> Result<(), NotationError> {
        self.values += values;
        if self.values > read::MOST_IN_ALL {
            let why = format!("all rounds and sweeps together have more than {} values", read::MOST_IN_ALL);
            return line.error(0..line.text.trim_end().len(), why);
        }
        Ok(())
    }

    fn rounds_for(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        const FORM: &str = "write for $port in 80, 443, 8000..8100 {";
        let (start, text, brace) = self.opening(line, start)?;
        let len = text.strip_prefix('$').map_or(0, name_len);
        let name = text.get(1..1 + len).unwrap_or_default().to_owned();
        let (at, rest) = line.behind(start + 1 + len);
        let list = rest.strip_prefix("in").filter(|r| r.starts_with([' ', '[']));
        let (false, Some(list)) = (name.is_empty(), list) else {
            return line.error(start..start + text.len(), FORM);
        };
        let from = at + "in".len();
        let list = list.strip_suffix('{').unwrap_or(list);
        let refused = |(place, why): (Range<usize>, String)| {
            NotationError::new(line.place(&(place.start + from..place.end + from)), why)
        };
        let values = read::values(list).map_err(refused)?;
        self.open(line, brace, Some(name), values.into_iter().map(|(value, _)| value).collect())
    }

    fn rounds_repeat(&mut self, line: &Raw, start: usize) -> Result<(), NotationError> {
        let (start, text, brace) = self.opening(line, start)?;
        let count = value::number(text).and_then(|n| usize::try_from(n).ok());
        match count.filter(|n| (1..=read::MOST_VALUES).contains(n)) {
            Some(count) => self.open(line, brace, None, (1..=count).map(|n| n.to_string()).collect()),
            None => line.error(
                start..start + text.len(),
                format!("here must stand how often, 1 to {}: repeat 3 {{", read::MOST_VALUES),
            ),
        }
    }

    fn close(&mut self, line: &Raw, at: usize, behind: usize) -> Result<(), NotationError> {
        let (start, rest) = line.behind(behind);
        if !rest.is_empty() {
            return line.error(start..start + rest.len(), "behind } stands nothing");
        }
        let Some(open) = self.open.pop() else {
            return line.error(at..at + 1, "there are no rounds to end: for or repeat begins them");
        };
        self.forget(open.names)?;
        let here = self.script.lines.len();
        if let Some(Act::Rounds { end, .. }) = self.script.lines.get_mut(open.line).map(|l| &mut l.what) {
            *end = here;
        }
        self.push(line, Act::End);
        Ok(())
    }
}

/// `random`, `random(LOW..HIGH)`; `None`: it is none of these.
fn random(text: &str) -> Option<Result<(u64, u64), String>> {
    let rest = text.strip_prefix("random")?.trim();
    if rest.is_empty() {
        return Some(Ok((0, u64::from(u32::MAX))));
    }
    let inside = rest.strip_prefix('(')?.strip_suffix(')')?;
    let number = |text: &str| value::number(text).and_then(|n| u64::try_from(n).ok());
    let ends = inside.split_once("..").and_then(|(low, high)| number(low).zip(number(high)));
    Some(
        ends.filter(|(low, high)| low <= high)
            .ok_or_else(|| format!("'{inside}' is no range, such as 1024..65535")),
    )
}
