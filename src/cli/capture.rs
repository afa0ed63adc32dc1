//! `rawbench capture`: packets as they come, printed or written.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::args::CaptureArgs;
use super::capture_files;
use super::live;
use super::output::{self, Failure, Out, Outcome};
use super::packet::Packet;
use crate::engine::{
    self, Access, End, FilePlan, FileSink, Incident, Listen, Lost, Recorder, Settings, Sink, Source, Trigger,
    When, screen,
};
use crate::filter::{Filter, FilterError, bpf};
use crate::net::SNAP_LENGTH;
use crate::pcap::{ChecksumState, InterfaceInfo, InterfaceStatistics, PacketRecord};
use crate::wire::dissect::dissect;
use crate::wire::value;

/// Runs it.
///
/// # Errors
/// The privilege is missing, there is no such interface, the capture cannot go on, or the output fails.
pub fn run(args: &CaptureArgs, access: &Access) -> Outcome {
    if args.write.as_deref() == Some(Path::new("-")) && io::stdout().is_terminal() {
        return Err(Failure::wrong_call(
            "-w - would write a capture file to the terminal: send it through a pipe or into a file".into(),
        ));
    }
    let source = source(args);
    // One link type is all that pcap holds, and the interfaces of a machine have several.
    let plan = capture_files::plan(args)?;
    let plan = plan.map(|plan| FilePlan { cooked: source.listen == Listen::Any, ..plan });
    let snap = if args.snap == 0 { SNAP_LENGTH } else { args.snap };
    let (screened, when) = screen(args, access, &source, snap)?;
    if args.show_bpf {
        return show_program(screened);
    }
    let (filter, note) = match screened {
        Some(Ok(program)) => (program, None),
        Some(Err(why)) => (Vec::new(), Some(screen::runs_here(&why))),
        None => (Vec::new(), None),
    };
    let settings = Settings {
        promiscuous: !args.not_promiscuous,
        // What is decided on here is decided on by whole packets.
        snap: if when.is_some() { SNAP_LENGTH } else { snap },
        ring: Some(args.buffer.saturating_mul(1 << 20)),
        filter: screen::instructions(&filter),
        filter_text: args.filter.clone(),
    };
    let recorder = Recorder::open(access, &source, &settings)?;
    let (packets, duration) = capture_files::limits(args);
    let recorder = recorder.limited(packets, duration);
    let stop = recorder.stopper();
    live::on_interrupt(move || stop.stop())?;
    match (plan, when) {
        (Some(plan), None) => record(recorder, &source, note, &mut FileSink::new(plan)?),
        (Some(plan), Some(when)) => {
            record(recorder, &source, note, &mut Trigger::new(FileSink::new(plan)?, when))
        }
        (None, None) => record(recorder, &source, note, &mut PrintSink::new(args)),
        (None, Some(when)) => record(recorder, &source, note, &mut Trigger::new(PrintSink::new(args), when)),
    }
}

/// The program that the kernel runs for a filter, or why there is none.
type Screened = Result<Vec<bpf::Instruction>, String>;

/// Reads the filters of the call: what the kernel is told, and what is asked here.
fn screen(
    args: &CaptureArgs,
    access: &Access,
    source: &Source,
    snap: usize,
) -> Result<(Option<Screened>, Option<When>), Failure> {
    let read = |option: &str,
                text: &Option<String>,
                read: fn(&str) -> Result<Filter, FilterError>|
     -> Result<Option<Filter>, Failure> {
        let Some(text) = text else { return Ok(None) };
        let filter = read(text).map_err(|error| {
            Failure::wrong_call(format!("the filter of {option} is wrong\n{}", error.render(text)))
        })?;
        let unsuited = |why: String| Failure::wrong_call(format!("the filter of {option}: {why}"));
        screen::suits(access, source, &filter)?.map_err(unsuited)?;
        Ok(Some(filter))
    };
    let (start, stop) = (
        read("--start-on", &args.start_on, Filter::display)?,
        read("--stop-on", &args.stop_on, Filter::display)?,
    );
    let mut when = When {
        start: start.map(screen::predicate),
        stop: stop.map(screen::predicate),
        before: args.keep_before.unwrap_or_default(),
        snap: Some(snap),
        ..When::default()
    };
    let screened = match read("-f", &args.filter, Filter::capture)? {
        Some(filter) => {
            // Who asks about packets here is given them whole.
            let keep = if when.start.is_some() || when.stop.is_some() { SNAP_LENGTH } else { snap };
            let program = screen::program(access, source, &filter, keep)?;
            if program.is_err() {
                when.keep = Some(screen::predicate(filter));
            }
            Some(program)
        }
        None => None,
    };
    let asks = when.keep.is_some() || when.start.is_some() || when.stop.is_some();
    Ok((screened, asks.then_some(when)))
}

/// `--show-bpf`.
fn show_program(screened: Option<Screened>) -> Outcome {
    let Some(screened) = screened else {
        return Err(Failure::wrong_call("--show-bpf shows the program of a filter: give one with -f".into()));
    };
    let program =
        screened.map_err(|why| Failure::wrong_call(format!("the kernel cannot run this filter: {why}")))?;
    let mut out = output::out();
    write!(out, "{}", bpf::text(&program))?;
    out.flush()?;
    Ok(0)
}

fn source(args: &CaptureArgs) -> Source {
    let listen = if !args.ip.is_empty() {
        let mut protocols: Vec<u8> = args.ip.iter().map(|p| p.number()).collect();
        protocols.sort_unstable();
        protocols.dedup();
        Listen::Ip(protocols)
    } else if args.interface == "any" {
        Listen::Any
    } else {
        Listen::Interface(args.interface.clone())
    };
    let label = match &listen {
        Listen::Ip(_) => "the IP layer".into(),
        Listen::Any => "all interfaces".into(),
        Listen::Interface(name) => name.clone(),
        Listen::Remote(remote) => remote.host.clone(),
    };
    Source { place: args.place.place(), listen, label, detail: String::new() }
}

/// A sink whose reader may go away, which ends a capture without being a failure.
trait CaptureSink: Sink {
    fn reader_has_gone(&self) -> bool;
}

fn record(recorder: Recorder, source: &Source, note: Option<String>, sink: &mut dyn CaptureSink) -> Outcome {
    let counters = recorder.counters();
    // Scripts wait for this line: from here on no packet is missed.
    output::message(&format!("capturing on {}", source.label));
    if let Some(note) = note {
        output::message(&note);
    }
    let told = Cell::new(0);
    // What happens meanwhile is told as it happens; gaps stand in the summary.
    let tell = || {
        for mark in counters.marks(told.get()) {
            told.set(told.get() + 1);
            if !matches!(mark.what, Incident::Lost(_) | Incident::LostHere(_)) {
                output::message(&mark.what.to_string());
            }
        }
    };
    let end = recorder.run(sink, &tell);
    output::message(&counters.summary());
    match end {
        _ if sink.reader_has_gone() => Err(Failure::ClosedPipe),
        End::Stopped | End::Reached => Ok(0),
        End::Failed(failure) => Err(failure.into()),
    }
}

#[derive(Clone, Copy)]
enum Form {
    Row,
    Hex,
    Json,
}

/// Prints each packet.
struct PrintSink {
    out: Out,
    form: Form,
    interfaces: Vec<InterfaceInfo>,
    number: usize,
    first_ns: Option<u64>,
    previous_ns: u64,
    gone: bool,
    /// What was printed since the last flush.
    unwritten: Lost,
}

impl PrintSink {
    fn new(args: &CaptureArgs) -> Self {
        let form = match (args.hex, args.json) {
            (true, _) => Form::Hex,
            (_, true) => Form::Json,
            _ => Form::Row,
        };
        let (out, interfaces) = (output::out(), Vec::new());
        let unwritten = Lost::default();
        Self { out, form, interfaces, number: 0, first_ns: None, previous_ns: 0, gone: false, unwritten }
    }

    fn checked(&mut self, written: io::Result<()>) -> Result<(), engine::Failure> {
        written.map_err(|error| {
            self.gone |= error.kind() == io::ErrorKind::BrokenPipe;
            engine::Failure::new(format!("cannot write to standard output: {error}"))
        })
    }
}

impl Sink for PrintSink {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, engine::Failure> {
        self.interfaces.push(interface.clone());
        u32::try_from(self.interfaces.len() - 1)
            .map_err(|_| engine::Failure::new("there are more interfaces than can be counted"))
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), engine::Failure> {
        self.number += 1;
        let first_ns = *self.first_ns.get_or_insert(record.timestamp_ns);
        let packet = Packet {
            flows: &[],
            number: self.number,
            time_ns: Some(record.timestamp_ns),
            original: record.original_length,
            bytes: record.data,
            left_to_card: record.checksum == ChecksumState::NotComputed,
            interface: usize::try_from(record.interface).ok().and_then(|i| self.interfaces.get(i)),
            first_ns,
            previous_ns: self.previous_ns,
        };
        let written = match self.form {
            Form::Row => packet.write_row(&mut self.out),
            Form::Hex => writeln!(self.out, "{}", value::hex_pairs(packet.bytes)),
            Form::Json => packet.write_json(&dissect(packet.link_type(), packet.bytes), &[], &mut self.out),
        };
        self.previous_ns = record.timestamp_ns;
        self.checked(written)?;
        self.unwritten.packets += 1;
        self.unwritten.bytes += record.data.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), engine::Failure> {
        let flushed = self.out.flush();
        self.checked(flushed)?;
        self.unwritten = Lost::default();
        Ok(())
    }

    fn lost(&self) -> Lost {
        self.unwritten
    }

    fn finish(&mut self, _statistics: &[InterfaceStatistics]) -> Result<(), engine::Failure> {
        self.flush()
    }
}

impl CaptureSink for PrintSink {
    fn reader_has_gone(&self) -> bool {
        self.gone
    }
}

impl CaptureSink for FileSink {
    fn reader_has_gone(&self) -> bool {
        FileSink::reader_has_gone(self)
    }
}

impl<S: CaptureSink> CaptureSink for Trigger<S> {
    fn reader_has_gone(&self) -> bool {
        self.sink().reader_has_gone()
    }
}
