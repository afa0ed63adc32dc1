//! `rawbench capture`: packets as they come, as rows, hex, JSON, or into a file.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

use super::args::CaptureArgs;
use super::live;
use super::output::{self, Failure, Out, Outcome};
use super::read::list;
use super::read::packet_json::{self, Captured};
use crate::engine::{self, Access, End, Listen, Recorder, Sink, Source};
use crate::net::SNAP_LENGTH;
use crate::pcap::{self, ChecksumState, Format, InterfaceInfo, InterfaceStatistics, PacketRecord, Writer};
use crate::wire::{summary, value};

/// Runs it.
///
/// # Errors
/// The missing privilege with the ways to it, no such interface, a file or standard output that fails.
pub fn run(args: &CaptureArgs, access: &Access) -> Outcome {
    let to_stdout = args.write.as_deref() == Some(Path::new("-"));
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Failure::wrong_call(
            "-w - would write a capture file to the terminal: send it through a pipe or to a file".into(),
        ));
    }
    let source = Source {
        place: args.place.place(),
        listen: listen(args),
        label: String::new(),
        detail: String::new(),
    };
    let snap = if args.snap == 0 { SNAP_LENGTH } else { args.snap };
    let recorder =
        Recorder::open(access, &source, !args.not_promiscuous, snap)?.limited(args.count, args.duration);
    let mut sink: Box<dyn ClosableSink> = match &args.write {
        Some(path) => Box::new(FileSink::new(path)?),
        None => Box::new(Printer::new(args)),
    };
    let (stop, counters) = (recorder.stopper(), recorder.counters());
    live::on_interrupt(move || stop.stop())?;
    output::message(&format!("capturing {}", describe(args)));
    let end = recorder.run(sink.as_sink(), &|| {});
    output::message(&counters.summary());
    match end {
        End::Stopped | End::Reached => Ok(0),
        End::Failed(_) if sink.is_closed() => Err(Failure::ClosedPipe),
        End::Failed(failure) => Err(failure.into()),
    }
}

fn listen(args: &CaptureArgs) -> Listen {
    if !args.ip.is_empty() {
        let mut numbers: Vec<u8> = args.ip.iter().map(|p| p.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        return Listen::Ip(numbers);
    }
    match args.interface.as_str() {
        "any" => Listen::Any,
        name => Listen::Interface(name.to_owned()),
    }
}

fn describe(args: &CaptureArgs) -> String {
    let place = match args.place.place() {
        engine::Place::Host => String::new(),
        place => format!(" in {place}"),
    };
    match listen(args) {
        Listen::Any => format!("on all interfaces{place}"),
        Listen::Interface(name) => format!("on {name}{place}"),
        Listen::Ip(_) => {
            let names: Vec<String> = args.ip.iter().map(|p| format!("{p:?}").to_uppercase()).collect();
            format!("{} at the IP layer{place}: what comes in", names.join(", "))
        }
    }
}

/// A sink that can tell that its reader has gone.
trait ClosableSink {
    fn is_closed(&self) -> bool;
    fn as_sink(&mut self) -> &mut dyn Sink;
}

/// A failed write to standard output; notes when the reader has gone.
fn out_failed(error: &std::io::Error, closed: &mut bool) -> engine::Failure {
    *closed |= error.kind() == std::io::ErrorKind::BrokenPipe;
    engine::Failure::new(format!("cannot write to standard output: {error}"))
}

enum Form {
    Rows,
    Hex,
    Json,
}

/// Prints packets as they come.
struct Printer {
    out: Out,
    form: Form,
    interfaces: Vec<InterfaceInfo>,
    number: usize,
    first_ns: u64,
    closed: bool,
}

impl Printer {
    fn new(args: &CaptureArgs) -> Self {
        let form = if args.hex {
            Form::Hex
        } else if args.json {
            Form::Json
        } else {
            Form::Rows
        };
        Self { out: output::out(), form, interfaces: Vec::new(), number: 0, first_ns: 0, closed: false }
    }

    fn print(&mut self, record: &PacketRecord<'_>) -> std::io::Result<()> {
        let interface = usize::try_from(record.interface).ok().and_then(|i| self.interfaces.get(i));
        let link_type = interface.map_or(u32::MAX, |i| i.link_type.0);
        match self.form {
            Form::Hex => writeln!(self.out, "{}", value::hex_pairs(record.data)),
            Form::Rows => {
                let row = summary::row(link_type, record.data);
                let time = list::relative(record.timestamp_ns, self.first_ns);
                list::write_row(self.number, &time, record.original_length, &row, &mut self.out)
            }
            Form::Json => {
                let packet = Captured {
                    number: self.number,
                    time_ns: Some(record.timestamp_ns),
                    interface: interface.and_then(|i| i.name.as_deref()),
                    link_type,
                    length: record.original_length,
                    left_to_card: record.checksum == ChecksumState::NotComputed,
                    bytes: record.data,
                };
                packet_json::write_captured(&packet, &mut self.out)
            }
        }
    }
}

impl ClosableSink for Printer {
    fn is_closed(&self) -> bool {
        self.closed
    }

    fn as_sink(&mut self) -> &mut dyn Sink {
        self
    }
}

impl Sink for Printer {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, engine::Failure> {
        self.interfaces.push(interface.clone());
        Ok(u32::try_from(self.interfaces.len() - 1).unwrap_or(u32::MAX))
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), engine::Failure> {
        self.number += 1;
        if self.number == 1 {
            self.first_ns = record.timestamp_ns;
        }
        self.print(record).map_err(|error| out_failed(&error, &mut self.closed))
    }

    fn flush(&mut self) -> Result<(), engine::Failure> {
        self.out.flush().map_err(|error| out_failed(&error, &mut self.closed))
    }

    fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), engine::Failure> {
        Sink::flush(self)
    }
}

/// Writes a capture file.
struct FileSink {
    writer: Option<Writer<Box<dyn Write>>>,
    /// Standard output, which is what may be closed.
    stdout: bool,
    closed: bool,
    /// Packets that were taken and are not known to be written.
    pending: u64,
}

impl FileSink {
    fn new(path: &Path) -> Result<Self, Failure> {
        let stdout = path == Path::new("-");
        let writer = if stdout {
            let out: Box<dyn Write> = Box::new(std::io::stdout().lock());
            Writer::new(out, Format::PcapNg, "standard output")
        } else {
            let made = File::create(path).map_err(|error| {
                Failure::failed(
                    anyhow::Error::new(error).context(format!("cannot make the file {}", path.display())),
                )
            })?;
            let file: Box<dyn Write> = Box::new(made);
            Writer::new(file, Format::for_path(path), path)
        };
        Ok(Self { writer: Some(writer), stdout, closed: false, pending: 0 })
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<Box<dyn Write>>) -> Result<T, pcap::Error>,
    ) -> Result<T, engine::Failure> {
        let Some(writer) = &mut self.writer else {
            return Err(engine::Failure::new("the capture file is finished already"));
        };
        work(writer).map_err(|error| failed(error, self.stdout, &mut self.closed))
    }
}

fn failed(error: pcap::Error, stdout: bool, closed: &mut bool) -> engine::Failure {
    if let pcap::Error::Io { source, .. } = &error {
        *closed |= stdout && source.kind() == std::io::ErrorKind::BrokenPipe;
    }
    error.into()
}

impl ClosableSink for FileSink {
    fn is_closed(&self) -> bool {
        self.closed
    }

    fn as_sink(&mut self) -> &mut dyn Sink {
        self
    }
}

impl Sink for FileSink {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, engine::Failure> {
        self.with(|writer| writer.add_interface(interface))
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), engine::Failure> {
        self.with(|writer| writer.write_packet(record).map(|_| ()))?;
        self.pending += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), engine::Failure> {
        self.with(Writer::flush)?;
        self.pending = 0;
        Ok(())
    }

    fn lost(&self) -> u64 {
        self.pending
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), engine::Failure> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        match writer.finish(statistics) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(error, self.stdout, &mut self.closed)),
        }
    }
}
