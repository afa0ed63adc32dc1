//! `rawbench run`: a script of packets to send and packets that must come.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::args::{PlaceArgs, seconds};
use super::output::{self, FAILED, Failure, Out, Outcome, WRONG_CALL};
use super::{json, live};
use crate::engine::System;
use crate::engine::script::{self, Runner, Said, Script, Table, Told, What, Why, text as run_text};
use crate::engine::{self, Access, Place};
use crate::wire::value;

/// Most bytes of a script.
const LONGEST: u64 = 16 << 20;

/// `rawbench run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "A line of a script begins with what it is:\n  \
    > PACKET                             send it\n  \
    < [TIME] PATTERN [where FILTER]      a packet like this must come; what is not named is free\n  \
    ! [TIME] PATTERN [where FILTER]      none like this may come\n  \
    $NAME = VALUE|random|random(A..B)    a name; in < a new one takes what came: ack=$NAME+1\n  \
    sleep TIME; test \"NAME\"; for $NAME in A, B..C {; repeat N {; }\n  \
    sweep [TIME] PACKET                  a packet for each of its values, and a table of the answers\n  \
    = VALUES KIND                        what must answer there: syn-ack, reset, none …\n  \
    lab; interface NAME; guard; wait TIME   options, at the top\n\n\
    Example:\n  \
    rawbench run --lab - <<'END'\n  \
    > ip(dst=10.77.0.2)/tcp(srcport=40000, dstport=81, seq=5, flags=S)\n  \
    < 0.3s tcp(srcport=81, dstport=40000, flags=R., ack=6)\n  \
    END\n\n\
    Exit status: 0 all holds, 1 something does not or it was stopped, 2 the script is wrong, 3 the privilege to open a raw \
    socket is missing.")]
pub struct RunArgs {
    /// The script (-: standard input)
    pub file: PathBuf,
    /// Send at the link layer on this interface
    #[arg(short, value_name = "IFACE")]
    pub interface: Option<String>,
    /// Hold the source ports of TCP, so that the kernel does not reset what comes
    #[arg(long)]
    pub guard: bool,
    /// How long a packet is waited for where its line does not say it (default: as the script says, else 1)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait: Option<Duration>,
    /// A value for a name that the script sets (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// Make random values repeatable
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Record the exchange: pcap when the name ends in .pcap, else pcapng
    #[arg(short = 'w', value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// A line of JSON for each event, then one for the summary
    #[arg(long, group = "form")]
    pub json: bool,
    /// A line for each test, as the Test Anything Protocol has it
    #[arg(long, group = "form")]
    pub tap: bool,
    /// Where one works
    #[command(flatten)]
    pub place: PlaceArgs,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as port=8080")?;
    let name = name.trim().trim_start_matches('$');
    if name.is_empty() || value.trim().is_empty() {
        return Err("write NAME=VALUE, such as port=8080".into());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// Runs it.
///
/// # Errors
/// The script cannot be read, the privilege is missing, a file or standard output fails.
pub fn run(args: &RunArgs, access: &Access) -> Outcome {
    if args.write.as_deref() == Some(std::path::Path::new("-")) {
        return Err(Failure::wrong_call("-w takes the name of a file: results go to standard output".into()));
    }
    let source = read(args)?;
    let script = match script::parse(&source, &args.set, &mut System::default()) {
        Ok(script) => script,
        Err(error) => {
            let line = source.get(..error.at.start).map_or(1, |before| before.matches('\n').count() + 1);
            output::message(&format!("{}: line {line}\n{}", args.file.display(), error.render(&source)));
            return Ok(WRONG_CALL);
        }
    };
    let runner = runner(args, script);
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::clone(&stop);
    live::on_interrupt(move || interrupted.store(true, Ordering::Relaxed))?;
    let form = if args.json {
        Form::Json
    } else if args.tap {
        Form::Tap
    } else {
        Form::Text
    };
    let mut report = Report { out: output::out(), form, closed: false, tests: 0, failed_tests: 0 };
    let done = runner.run(access, &mut System::default(), &stop, &mut |said| report.hear(&said))?;
    report.end(&done)
}

fn runner(args: &RunArgs, script: Script) -> Runner {
    let mut options = script.options.clone();
    let place = match args.place.place() {
        Place::Host if options.lab => Place::Lab,
        place => place,
    };
    options.guard |= args.guard;
    options.wait = args.wait.or(options.wait);
    options.interface = args.interface.clone().or(options.interface);
    let mut runner = Runner::new(place, script, options);
    runner.write = args.write.clone();
    runner.seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    runner
}

fn read(args: &RunArgs) -> Result<String, Failure> {
    let path = &args.file;
    let failed = |e: std::io::Error| Failure::failed(anyhow::anyhow!("cannot read {}: {e}", path.display()));
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    input.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::wrong_call(format!(
            "{} is longer than {LONGEST} bytes: no script",
            path.display()
        )));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::wrong_call(format!("{} is no text: byte {at} is no UTF-8", path.display()))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Tap,
}

/// A line of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Test {
        line: usize,
        name: &'a str,
    },
    Sent {
        #[serde(flatten)]
        at: At<'a>,
        frame: String,
    },
    Pass {
        #[serde(flatten)]
        at: At<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        received_ns: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after_ns: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        frame: Option<String>,
    },
    Fail {
        #[serde(flatten)]
        at: At<'a>,
        why: String,
        differences: Vec<Differs<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
        others: Vec<String>,
    },
    Answer {
        #[serde(flatten)]
        at: At<'a>,
        values: std::collections::BTreeMap<&'a str, &'a str>,
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_ns: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        frame: Option<String>,
    },
    Result {
        line: usize,
        name: &'a str,
        passed: bool,
    },
    Summary {
        pass: bool,
        passed: u64,
        failed: u64,
        sent: u64,
        seconds: f64,
        stopped: bool,
    },
}

/// Where something happened.
#[derive(Serialize)]
struct At<'a> {
    line: usize,
    text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    rounds: &'a [String],
}

#[derive(Serialize)]
struct Differs<'a> {
    field: &'a str,
    expected: &'a str,
    came: &'a str,
}

/// Prints what happens.
struct Report {
    out: Out,
    form: Form,
    /// Whoever read standard output has gone.
    closed: bool,
    tests: u64,
    failed_tests: u64,
}

impl Report {
    fn hear(&mut self, said: &Said<'_>) -> Result<(), engine::Failure> {
        let told = match said {
            Said::Note(note) => {
                output::message(&format!("note: {note}"));
                return Ok(());
            }
            Said::At(_) => return Ok(()),
            Said::Told(told) => told,
        };
        if let What::TestOver { name, failed } = &told.what {
            self.tests += u64::from(!name.is_empty());
            self.failed_tests += u64::from(!name.is_empty() && *failed > 0);
        }
        let written = match self.form {
            Form::Text => run_text::write(&mut self.out, told),
            Form::Json => self.json(told),
            Form::Tap => self.tap(told),
        };
        written.and_then(|()| self.out.flush()).map_err(|error| {
            self.closed |= error.kind() == std::io::ErrorKind::BrokenPipe;
            engine::Failure::new(format!("cannot write to standard output: {error}"))
        })
    }

    fn json(&mut self, told: &Told) -> std::io::Result<()> {
        let at = At { line: told.line, text: &told.text, rounds: &told.rounds };
        let hex = |bytes: &[u8]| value::hex_pairs(bytes);
        let line = match &told.what {
            What::Test(name) => Line::Test { line: told.line, name },
            What::Sent { bytes, .. } => Line::Sent { at, frame: hex(bytes) },
            What::Came { packet, after_ns, .. } => Line::Pass {
                at,
                received_ns: Some(packet.time_ns),
                after_ns: Some(*after_ns),
                frame: Some(hex(&packet.bytes)),
            },
            What::Silence(_) => Line::Pass { at, received_ns: None, after_ns: None, frame: None },
            What::Swept(table) => {
                self.json_rows(told, table)?;
                Line::Pass { at, received_ns: None, after_ns: None, frame: None }
            }
            What::TestOver { name, failed } => Line::Result { line: told.line, name, passed: *failed == 0 },
            What::Failed(why) => {
                if let Why::Sweep(table) = &**why {
                    self.json_rows(told, table)?;
                }
                failed_line(at, why)
            }
        };
        json::write_line(&line, &mut self.out)
    }

    fn json_rows(&mut self, told: &Told, table: &Table) -> std::io::Result<()> {
        for row in &table.rows {
            let values =
                table.keys.iter().map(String::as_str).zip(row.values.iter().map(String::as_str)).collect();
            let line = Line::Answer {
                at: At { line: told.line, text: &told.text, rounds: &told.rounds },
                values,
                kind: row.kind(),
                expected: row.missed.as_ref().map(|(kind, _)| kind.as_str()),
                rtt_ns: row.found.as_ref().and_then(|found| found.rtt_ns),
                frame: row.found.as_ref().map(|found| value::hex_pairs(&found.packet)),
            };
            json::write_line(&line, &mut self.out)?;
        }
        Ok(())
    }

    fn tap(&mut self, told: &Told) -> std::io::Result<()> {
        match &told.what {
            What::TestOver { name, failed } => {
                let number = self.tests.max(1);
                let ok = if *failed == 0 { "ok" } else { "not ok" };
                let name = if name.is_empty() { "script" } else { name };
                writeln!(self.out, "{ok} {number} - {}", name.replace('#', "\\#"))
            }
            What::Failed(_) => {
                let mut text = Vec::new();
                run_text::write(&mut text, told)?;
                String::from_utf8_lossy(&text).lines().try_for_each(|line| writeln!(self.out, "# {line}"))
            }
            _ => Ok(()),
        }
    }

    fn end(mut self, done: &script::Outcome) -> Outcome {
        if self.closed {
            return Err(Failure::ClosedPipe);
        }
        let verdicts = done.verdicts;
        let pass = verdicts.pass() && done.failure.is_none();
        match self.form {
            Form::Json => {
                let line = Line::Summary {
                    pass,
                    passed: verdicts.passed,
                    failed: verdicts.failed + verdicts.wrong,
                    sent: verdicts.sent,
                    seconds: done.seconds,
                    stopped: verdicts.stopped,
                };
                json::write_line(&line, &mut self.out)?;
            }
            Form::Tap if !pass && self.failed_tests == 0 && self.tests > 0 => {
                writeln!(self.out, "Bail out!")?
            }
            Form::Tap => writeln!(self.out, "1..{}", self.tests.max(1))?,
            Form::Text => {
                writeln!(self.out, "{}", run_text::summary(done, pass, self.tests, self.failed_tests))?;
            }
        }
        self.out.flush()?;
        for note in run_text::notes(done) {
            output::message(&note);
        }
        match &done.failure {
            Some(failure) => Err(failure.clone().into()),
            None if pass => Ok(0),
            None if verdicts.wrong > 0 => Ok(WRONG_CALL),
            None => Ok(FAILED),
        }
    }
}

fn failed_line<'a>(at: At<'a>, why: &'a Why) -> Line<'a> {
    let (mut differences, mut nearest, mut others) = (Vec::new(), None, Vec::new());
    if let Why::Missing(unmet) = why {
        if let Some(near) = &unmet.nearest {
            nearest = Some(value::hex_pairs(&near.packet.bytes));
            differences = near
                .differences
                .iter()
                .map(|d| Differs { field: &d.field, expected: &d.expected, came: &d.came })
                .collect();
        }
        others = unmet.others.iter().map(|(came, _)| value::hex_pairs(&came.bytes)).collect();
    }
    if let Why::Unwanted(came, _) = why {
        nearest = Some(value::hex_pairs(&came.bytes));
    }
    Line::Fail { at, why: run_text::why(why), differences, nearest, others }
}
