//! Scripts of expectations: packets to send, packets that must come and packets that must not.
//!
//! A line begins with what it is; `#` begins a comment, and a line that ends in `\` goes on in the next one.
//!
//! ```text
//! lab | interface NAME | guard | wait TIME        options, before all else
//! > PACKET                                        send it
//! < [TIME] PATTERN [where FILTER]                 a packet like this must come
//! ! [TIME] PATTERN [where FILTER]                 none like this may come
//! $NAME = VALUE | random | random(LOW..HIGH)      a name for a value
//! sleep TIME
//! test "NAME"                                     begins a test of its own
//! for $NAME in VALUE, LOW..HIGH … {               rounds, up to the line }
//! repeat COUNT {
//! sweep [TIME] PACKET                             a packet for each of its values, and a table of the answers
//! = VALUE, LOW..HIGH … KIND                       what the sweep before must have found there (*: at all others)
//! ```
//!
//! PACKET is notation in which `$NAME`, `$NAME+1` and `$NAME-1` may stand for a value. In a PATTERN only what is named
//! counts; `*`, a range and a list of values may stand for a value, and a name that stands for nothing yet takes what
//! came. A packet that came is taken by one line only.
//!
//! [`parse`] reads a script, [`Machine`] runs it without any system call, [`Runner`] gives it sockets.

mod condition;
mod events;
mod machine;
mod names;
mod parse;
mod parse_packets;
mod pattern;
mod pattern_check;
mod read;
mod runner;
mod sweep;
mod sweeping;
pub mod text;
mod waiting;

use std::ops::Range;
use std::time::Duration;

pub use events::{Came, Nearest, Told, Unmet, Verdicts, What, Why};
pub use machine::{Machine, Step};
pub use names::{Expr, Sign, Value};
pub use parse::parse;
pub use pattern::{Difference, Pattern, Verdict};
pub use runner::{Outcome, Runner, Said};
pub use sweep::{Found, Row, SILENT, Table};

use names::Slot;
use sweep::Sweep;

/// Scripts to begin with: a name, and the script. They run in the lab.
pub const EXAMPLES: [(&str, &str); 2] = [
    ("firewall.bench", include_str!("../../../assets/scripts/firewall.bench")),
    ("http-get.bench", include_str!("../../../assets/scripts/http-get.bench")),
];

/// How long a packet is waited for where neither the line nor the script says it.
pub const WAIT: Duration = Duration::from_secs(1);

/// A script that was read.
#[derive(Clone, Debug)]
pub struct Script {
    /// What stands at its top.
    pub options: Options,
    lines: Vec<Line>,
}

/// What a script says of its run; the command line may say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// It runs in the lab.
    pub lab: bool,
    /// Packets go out at the link layer of this interface.
    pub interface: Option<String>,
    /// The source ports of TCP are held, so that the kernel does not reset what comes.
    pub guard: bool,
    /// How long a packet is waited for.
    pub wait: Option<Duration>,
}

/// A line that does something.
#[derive(Clone, Debug)]
struct Line {
    /// Its number in the file, from 1 on.
    number: usize,
    /// As it was written, without comment.
    text: String,
    what: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Send(Template),
    Expect {
        within: Option<Duration>,
        pattern: Pattern,
    },
    Never {
        within: Option<Duration>,
        pattern: Pattern,
    },
    Sleep(Duration),
    Name {
        name: String,
        source: Source,
    },
    Test(String),
    /// Rounds up to the line of this index, which is an [`Act::End`].
    Rounds {
        name: Option<String>,
        values: Vec<String>,
        end: usize,
    },
    End,
    Sweep(Box<Sweep>),
}

/// Where the value of a name comes from.
#[derive(Clone, Debug)]
enum Source {
    Value(String),
    /// Between these, both included.
    Random(u64, u64),
}

/// A packet in notation with names in it.
#[derive(Clone, Debug)]
struct Template {
    text: String,
    names: Vec<(Slot, Expr)>,
}

impl Template {
    /// The notation with what the names stand for.
    fn fill(&self, named: &dyn Fn(&str) -> Option<Value>) -> Result<String, String> {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (slot, expr) in &self.names {
            let value = named(&expr.name).ok_or_else(|| format!("${} has no value here", expr.name))?;
            edits.push((expr.at.clone(), expr.value(&value, slot.modulus())?));
        }
        Ok(names::Edited::new(&self.text, edits).text)
    }

    /// The notation with values that fit for names that are not known; `None`: one of these is an address.
    fn with_known(&self, known: &dyn Fn(&str) -> Option<Value>) -> Option<String> {
        let value = |(slot, expr): &(Slot, Expr)| match known(&expr.name) {
            Some(value) => expr.value(&value, slot.modulus()).ok().map(|text| (expr.at.clone(), text)),
            None if slot.is_address() => None,
            None => Some((expr.at.clone(), slot.placeholder())),
        };
        let edits = self.names.iter().map(value).collect::<Option<Vec<_>>>()?;
        Some(names::Edited::new(&self.text, edits).text)
    }
}

impl Script {
    /// The packets that it sends, with values that fit where they are known only in the run: for the way to their
    /// destinations. `None`: a destination itself is known only in the run.
    #[must_use]
    pub fn packets(&self) -> Option<Vec<String>> {
        let mut names: Vec<(&str, Value)> = Vec::new();
        let mut packets = Vec::new();
        for line in &self.lines {
            let known =
                |name: &str| names.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
            match &line.what {
                Act::Send(template) => packets.push(template.with_known(&known)?),
                Act::Sweep(sweep) => packets.extend(sweep.ends(&known)?),
                Act::Name { name, source: Source::Value(text) } => names.push((name, Value::written(text))),
                Act::Rounds { name: Some(name), values, .. } => {
                    // Other addresses may be elsewhere.
                    let first = values.first().map(|v| Value::written(v));
                    names.extend(first.filter(|v| matches!(v, Value::Number(_))).map(|v| (name.as_str(), v)));
                }
                _ => {}
            }
        }
        Some(packets)
    }

    /// How many lines it has that do something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
