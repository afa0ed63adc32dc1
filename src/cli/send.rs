//! `rawbench send`: a packet goes out, its answers are reported.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::output::{self, FAILED, Failure, Out, Outcome};
use super::send_args::{Planned, SendArgs};
use super::{changed, json, live};
use crate::craft::Draft;
use crate::engine::{self, Access, Answer, Control, Happened, Job, Progress, State, Summary, Via};
use crate::wire::notation::{self, Part};
pub(super) use crate::wire::value::duration;
use crate::wire::view::Path;
use crate::wire::{summary, value};

/// From then on progress is shown.
const SOON: Duration = Duration::from_secs(1);
/// LINKTYPE_RAW: an answer's bytes begin with its IP header.
const RAW: u32 = 101;

/// Runs it.
///
/// # Errors
/// The notation is wrong, the privilege is missing, the system has no way to the destination, a packet cannot be sent as
/// it is, a file or standard output fails.
pub fn run(args: &SendArgs, access: &Access) -> Outcome {
    let via = match &args.interface {
        Some(name) => Via::Link(name.clone()),
        None => Via::Ip,
    };
    if args.write.as_deref() == Some(std::path::Path::new("-")) {
        return Err(Failure::wrong_call("-w takes the name of a file: answers go to standard output".into()));
    }
    let Planned { mut job, seed, notations } = match args.plan(access, &via)? {
        Ok(planned) => planned,
        Err(status) => return Ok(status),
    };
    warn(args, &notations, &job, &via);
    let control = Control::default();
    let interrupted = control.clone();
    live::on_interrupt(move || interrupted.stop())?;
    let mut report = Report {
        out: output::out(),
        json: args.json,
        wait: job.wait,
        closed: false,
        no_time: 0,
        compared: args.compare.then_some(0),
        asked: args.rate.is_some(),
        seed: seed.filter(|_| args.seed.is_none()),
        line: !args.json && std::io::stderr().is_terminal(),
        lined: false,
    };
    let done = job.run(access, &control, &mut |happened| report.tell(&happened))?;
    report.end(&done)
}

/// What a person should know before the packet goes out, on standard error.
fn warn(args: &SendArgs, notations: &[String], job: &Job, via: &Via) {
    for note in &job.notes {
        output::message(&format!("note: {note}"));
    }
    let mut said = std::collections::HashSet::new();
    let mut say = |text: String| {
        if said.insert(text.clone()) {
            output::message(&text);
        }
    };
    for (stream, notation) in job.streams().iter().zip(notations) {
        let draft = stream.draft();
        if *via == Via::Ip {
            for overwrite in draft.overwrites() {
                // A zero that was typed is meant; one that is a default may well be filled in.
                let is_meant = overwrite.changes || is_meant(notation, draft, overwrite.path);
                if is_meant && !stream.varies(overwrite.path) {
                    let text = overwrite.text;
                    say(format!("warning: {}: {text}; -i IFACE sends it as it is", overwrite.key));
                }
            }
        }
        if !args.json {
            for warning in draft.warnings() {
                let layer = draft.layers().get(warning.layer).map_or("", |l| l.header.short);
                say(format!("warning: {layer}: {}", warning.text));
            }
        }
    }
}

/// Whether the notation names a field that is not computed, so that its value is meant and not a default.
fn is_meant(notation: &str, draft: &Draft, path: Path) -> bool {
    let Some(found) = draft.locate(path).filter(|f| f.field.compute.is_none()) else { return false };
    let parts = notation::parse(notation).unwrap_or_default();
    let mut layers = parts.iter().filter_map(|part| match part {
        Part::Layer { args, .. } => Some(args),
        _ => None,
    });
    layers
        .nth(path.layer)
        .is_some_and(|args| args.iter().any(|arg| found.field.scale_for(&arg.key.text).is_some()))
}

/// A line of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Answer {
        index: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        sent_ns: Option<u64>,
        received_ns: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_ns: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        flags: Option<&'a str>,
        kind: &'static str,
        from: IpAddr,
        frame: String,
    },
    Timeout {
        index: usize,
    },
    Summary {
        sent: u64,
        answered: u64,
        seconds: f64,
        pps: f64,
        errors: u64,
        #[serde(flatten)]
        more: More<'a>,
    },
}

/// What a summary says besides, where there is something to say.
#[derive(Serialize, Default)]
pub(super) struct More<'a> {
    /// Packets a second that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_pps: Option<f64>,
    /// What could not be sent, by the system's name of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_kinds: Option<&'a BTreeMap<String, u64>>,
    /// How often the sending had to wait since a queue was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<u64>,
    /// Seconds that were given up because the machine did not keep up.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up: Option<f64>,
    /// What the interface itself counted meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<Counted<'a>>,
    /// With it the same packets come again.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Serialize)]
struct Counted<'a> {
    name: &'a str,
    sent: u64,
    dropped: u64,
}

impl<'a> Line<'a> {
    /// The answer to the packet of this number, from 1 on.
    pub(super) fn answer(index: usize, answer: &'a Answer) -> Self {
        Self::Answer {
            index,
            sent_ns: answer.sent_ns,
            received_ns: answer.received_ns,
            rtt_ns: answer.rtt_ns(),
            flags: answer.flags.as_deref(),
            kind: answer.kind.name(),
            from: answer.from,
            frame: value::hex_pairs(&answer.packet),
        }
    }
}

/// Prints what happens.
struct Report {
    out: Out,
    json: bool,
    wait: Duration,
    /// Whoever read standard output has gone.
    closed: bool,
    /// Answers to packets whose sending the kernel did not show.
    no_time: u64,
    /// Packets that were compared with how they left, where that is wanted.
    compared: Option<u64>,
    /// A rate was asked for.
    asked: bool,
    /// The seed, where nobody chose it.
    seed: Option<u64>,
    /// Progress is shown, in one line that is written over.
    line: bool,
    /// It stands there.
    lined: bool,
}

impl Report {
    fn tell(&mut self, happened: &Happened) -> Result<(), engine::Failure> {
        if let Happened::Progress(progress) = happened {
            self.show(progress);
            return Ok(());
        }
        self.clear();
        if let Happened::NotSent(_, failure) = happened {
            // Without the privilege the way ends in the exit status; here a socket was there.
            output::message(&format!("rawbench: {}", failure.text));
            return Ok(());
        }
        if let Happened::Answer(answer) = happened {
            self.no_time += u64::from(answer.sent_ns.is_none());
        }
        if let (Happened::Compared(_, compared), Some(count)) = (happened, &mut self.compared) {
            *count += u64::from(compared.quoted_by.is_none());
        }
        let written = if self.json { self.json_line(happened) } else { self.text_line(happened) };
        written.and_then(|()| self.out.flush()).map_err(|error| {
            self.closed |= error.kind() == std::io::ErrorKind::BrokenPipe;
            engine::Failure::new(format!("cannot write to standard output: {error}"))
        })
    }

    /// Shows how far it is.
    fn show(&mut self, progress: &Progress) {
        if self.line && progress.state == State::Running && progress.elapsed >= SOON {
            let pps = progress.sent as f64 / progress.elapsed.as_secs_f64();
            let failed = progress.failed();
            let failed = if failed > 0 { format!(", {failed} not sent") } else { String::new() };
            // A terminal that takes nothing any more is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[K{} sent, {pps:.0} a second{failed}", progress.sent);
            self.lined = true;
        }
    }

    /// Makes room where progress stands.
    fn clear(&mut self) {
        if std::mem::take(&mut self.lined) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn json_line(&mut self, happened: &Happened) -> std::io::Result<()> {
        let line = match happened {
            Happened::Answer(answer) => Line::answer(answer.index + 1, answer),
            Happened::Timeout(index) => Line::Timeout { index: index + 1 },
            Happened::Compared(index, compared) => {
                return json::write_line(&changed::Line::of(index + 1, compared), &mut self.out);
            }
            Happened::Duplicate(..)
            | Happened::KernelReset
            | Happened::NotSent(..)
            | Happened::Progress(_) => return Ok(()),
        };
        json::write_line(&line, &mut self.out)
    }

    fn text_line(&mut self, happened: &Happened) -> std::io::Result<()> {
        match happened {
            Happened::Answer(answer) => self.answer_text(answer),
            Happened::Timeout(index) => {
                let wait = self.wait.as_secs_f64();
                writeln!(self.out, "{:>6} no answer within {wait} s of the last packet", index + 1)
            }
            Happened::Duplicate(index, kind) => {
                writeln!(self.out, "{:>6} {:<16} once more: a duplicate", index + 1, kind.name())
            }
            Happened::Compared(index, compared) => changed::write(index + 1, compared, &mut self.out),
            Happened::KernelReset | Happened::NotSent(..) | Happened::Progress(_) => Ok(()),
        }
    }

    fn answer_text(&mut self, answer: &Answer) -> std::io::Result<()> {
        let row = summary::row(RAW, &answer.packet);
        let rtt = answer.rtt_ns().map_or_else(|| "?".into(), duration);
        writeln!(
            self.out,
            "{:>6} {:<16} {rtt:>11}  {:<15} {:<5} {}",
            answer.index + 1,
            answer.kind.name(),
            answer.from,
            row.protocol,
            row.info
        )
    }

    fn more<'a>(&self, done: &'a Summary) -> More<'a> {
        More {
            asked_pps: done.asked.filter(|_| self.asked),
            error_kinds: Some(&done.error_kinds).filter(|kinds| !kinds.is_empty()),
            waits: Some(done.waits).filter(|n| *n > 0),
            given_up: Some(done.given_up).filter(|s| *s > 0.0),
            interface: done.interface.as_ref().filter(|_| self.asked).map(|(name, counted)| Counted {
                name,
                sent: counted.packets,
                dropped: counted.dropped,
            }),
            seed: self.seed,
        }
    }

    fn end(mut self, done: &Summary) -> Outcome {
        self.clear();
        if self.closed {
            return Err(Failure::ClosedPipe);
        }
        if self.json {
            let Summary { sent, answered, seconds, errors, .. } = *done;
            json::write_line(
                &Line::Summary { sent, answered, seconds, pps: done.pps(), errors, more: self.more(done) },
                &mut self.out,
            )?;
        } else {
            writeln!(self.out, "{}", summary_text(done, self.asked))?;
        }
        self.out.flush()?;
        if let (Some(seed), false) = (self.seed, self.json) {
            output::message(&format!("note: the same packets come with --seed {seed}"));
        }
        if let Some(unseen) = self.compared.and_then(|seen| done.sent.checked_sub(seen)).filter(|n| *n > 0) {
            output::message(&format!("note: of the packets that were sent, {unseen} were not seen to leave"));
        }
        if self.no_time > 0 {
            output::message(&format!(
                "note: the kernel did not show when {} of the answered packets went out, so their round-trip time is not \
                 known",
                self.no_time
            ));
        }
        if done.kernel_resets > 0 {
            output::message(&format!(
                "note: the kernel of this machine sent {} reset{} to the other end: it knows nothing of a connection that \
                 was made by hand",
                done.kernel_resets,
                if done.kernel_resets == 1 { "" } else { "s" }
            ));
        }
        if let Some(recorded) = &done.recorded {
            output::message(recorded);
        }
        match &done.failure {
            Some(failure) => Err(failure.clone().into()),
            None if done.errors > 0 => Ok(FAILED),
            None => Ok(0),
        }
    }
}

fn summary_text(done: &Summary, asked: bool) -> String {
    let mut text = format!("{} sent", done.sent);
    if done.watched {
        text += &format!(", {} answered", done.answered);
    }
    if done.duplicates > 0 {
        text += &format!(", {} duplicates", done.duplicates);
    }
    if done.errors > 0 {
        let kinds: Vec<String> =
            done.error_kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        text += &format!(", {} not sent ({})", done.errors, kinds.join(", "));
    }
    if done.sent > 1 {
        text += &format!(", {:.3} s, {:.1} packets a second", done.seconds, done.pps());
        if let Some(rate) = done.asked.filter(|_| asked) {
            text += &format!(" ({rate} asked)");
        }
    }
    if done.stopped {
        text += " (stopped)";
    }
    if let Some((name, counted)) = done.interface.as_ref().filter(|_| asked) {
        text += &format!("; {name} counted {}", counted.packets);
        if counted.dropped > 0 {
            text += &format!(" and dropped {}", counted.dropped);
        }
    }
    if done.waits > 0 {
        text += &format!("; waited {} times for room in its queue", done.waits);
    }
    if done.given_up > 0.0 {
        text += &format!("; the machine did not keep up and is {:.1} s behind", done.given_up);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_contract() {
        let text = |line: &Line<'_>| serde_json::to_string(line).unwrap();
        assert_eq!(text(&Line::Timeout { index: 2 }), r#"{"event":"timeout","index":2}"#);
        let summary =
            Line::Summary { sent: 2, answered: 1, seconds: 1.0, pps: 2.0, errors: 0, more: More::default() };
        assert_eq!(
            text(&summary),
            r#"{"event":"summary","sent":2,"answered":1,"seconds":1.0,"pps":2.0,"errors":0}"#
        );
        let answer = Line::Answer {
            index: 1,
            sent_ns: Some(5),
            received_ns: 7,
            rtt_ns: Some(2),
            flags: Some("S."),
            kind: "syn-ack",
            from: IpAddr::from([10, 77, 0, 2]),
            frame: "45 00".into(),
        };
        assert_eq!(
            text(&answer),
            r#"{"event":"answer","index":1,"sent_ns":5,"received_ns":7,"rtt_ns":2,"flags":"S.","kind":"syn-ack","from":"10.77.0.2","frame":"45 00"}"#
        );
    }
}
