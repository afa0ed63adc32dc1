//! `rawbench capture`: packets as they come, printed or written.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::args::CaptureArgs;
use super::live;
use super::output::{self, Failure, Out, Outcome};
use super::packet::Packet;
use crate::engine::{self, Access, End, Incident, Listen, Lost, Recorder, Settings, Sink, Source, Unwritten};
use crate::net::SNAP_LENGTH;
use crate::pcap::{self, ChecksumState, Format, InterfaceInfo, InterfaceStatistics, PacketRecord, Writer};
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
    let snap = if args.snap == 0 { SNAP_LENGTH } else { args.snap };
    let settings = Settings {
        promiscuous: !args.not_promiscuous,
        snap,
        ring: Some(args.buffer.saturating_mul(1 << 20)),
        filter: Vec::new(),
    };
    let recorder = Recorder::open(access, &source, &settings)?;
    let recorder = recorder.limited(args.count, args.duration);
    let stop = recorder.stopper();
    live::on_interrupt(move || stop.stop())?;
    match args.write.as_deref() {
        Some(path) => {
            let mut sink = FileSink::new(path)?;
            record(recorder, &source, &mut sink)
        }
        None => record(recorder, &source, &mut PrintSink::new(args)),
    }
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
    };
    Source { place: args.place.place(), listen, label, detail: String::new() }
}

/// A sink whose reader may go away, which ends a capture without being a failure.
trait CaptureSink: Sink {
    fn reader_has_gone(&self) -> bool;
}

fn record(recorder: Recorder, source: &Source, sink: &mut dyn CaptureSink) -> Outcome {
    let counters = recorder.counters();
    // Scripts wait for this line: from here on no packet is missed.
    output::message(&format!("capturing on {}", source.label));
    let told = Cell::new(0);
    // What happens meanwhile is told as it happens; gaps stand in the summary.
    let tell = || {
        for mark in counters.marks(told.get()) {
            told.set(told.get() + 1);
            if !matches!(mark.what, Incident::Lost(_)) {
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

/// Writes a capture file.
struct FileSink {
    /// `None` once it is finished.
    writer: Option<Writer<Box<dyn Write>>>,
    gone: bool,
    unwritten: Unwritten,
}

impl FileSink {
    fn new(path: &Path) -> Result<Self, Failure> {
        let (out, format, name): (Box<dyn Write>, _, _) = if path.as_os_str() == "-" {
            (Box::new(io::stdout().lock()), Format::PcapNg, Path::new("standard output"))
        } else {
            let file = File::create(path)
                .map_err(|e| Failure::failed(anyhow::anyhow!("cannot make {}: {e}", path.display())))?;
            (Box::new(file), Format::for_path(path), path)
        };
        let mut writer = Writer::new(out, format, name);
        // The header at once: who reads along sees a capture, even while no packet comes.
        if format == Format::PcapNg {
            writer.flush().map_err(Failure::failed)?;
        }
        Ok(Self { writer: Some(writer), gone: false, unwritten: Unwritten::default() })
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<Box<dyn Write>>) -> Result<T, pcap::Error>,
    ) -> Result<T, engine::Failure> {
        let writer =
            self.writer.as_mut().ok_or_else(|| engine::Failure::new("the file is finished already"))?;
        work(writer).map_err(|error| {
            self.gone |= is_closed_pipe(&error);
            error.into()
        })
    }
}

fn is_closed_pipe(error: &pcap::Error) -> bool {
    matches!(error, pcap::Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

impl Sink for FileSink {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, engine::Failure> {
        self.with(|w| w.add_interface(interface))
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), engine::Failure> {
        let end = self.with(|w| w.write_packet(record).map(|_| w.bytes()))?;
        self.unwritten.took(end, record.data.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), engine::Failure> {
        let flushed = self.with(Writer::flush);
        if let Some(writer) = &self.writer {
            self.unwritten.settle(writer.bytes_written());
        }
        flushed
    }

    fn lost(&self) -> Lost {
        self.unwritten.lost()
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), engine::Failure> {
        if self.writer.is_none() {
            return Ok(());
        }
        self.flush()?;
        let Some(writer) = self.writer.take() else { return Ok(()) };
        writer.finish(statistics).map(|_| ()).map_err(|error| {
            self.gone |= is_closed_pipe(&error);
            error.into()
        })
    }
}

impl CaptureSink for FileSink {
    fn reader_has_gone(&self) -> bool {
        self.gone
    }
}
