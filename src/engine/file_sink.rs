//! A sink that writes capture files, each of them whole by itself.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::file_plan::FilePlan;
use super::sink::{Lost, Sink, Unwritten};
use super::sources::Failure;
use crate::pcap::{self, Format, InterfaceInfo, InterfaceStatistics, PacketRecord, Writer, check_room};

/// What a writer writes to.
enum Target {
    File(File),
    Output(io::Stdout),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Output(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Output(output) => output.flush(),
        }
    }
}

/// The file that is written now.
struct Current {
    writer: Writer<Target>,
    path: PathBuf,
    begun: Instant,
    /// Seconds since 1970 when it is full.
    until: Option<u64>,
    packets: u64,
    /// What it has of each interface.
    statistics: Vec<InterfaceStatistics>,
}

/// Writes capture files by a plan.
pub struct FileSink {
    plan: FilePlan,
    /// `None` once all is finished, or after a failure.
    current: Option<Current>,
    interfaces: Vec<InterfaceInfo>,
    unwritten: Unwritten,
    /// Files that are there, the oldest first.
    there: VecDeque<PathBuf>,
    number: u32,
    full: u64,
    complete: bool,
    /// What came when it was.
    late: Lost,
    /// Drops that stand in files that are full.
    told_drops: u64,
    print_name: Option<Box<dyn Write + Send>>,
    gone: bool,
    /// Why the next file could not be begun; told with the next call.
    failure: Option<Failure>,
}

impl FileSink {
    /// Makes the first file. Its header is written at once: who reads along sees a capture, even while no packet comes.
    ///
    /// # Errors
    /// The name asks for a compressed file, the file cannot be made, or the disk is low from the beginning.
    pub fn new(plan: FilePlan) -> Result<Self, Failure> {
        FilePlan::check_name(&plan.path).map_err(Failure::new)?;
        let print_name = plan.print_name.as_deref().map(name_target).transpose()?;
        let mut sink = Self {
            plan,
            current: None,
            interfaces: Vec::new(),
            unwritten: Unwritten::default(),
            there: VecDeque::new(),
            number: 0,
            full: 0,
            complete: false,
            late: Lost::default(),
            told_drops: 0,
            print_name,
            gone: false,
            failure: None,
        };
        sink.begin_file()?;
        sink.tick()?;
        Ok(sink)
    }

    /// Whether it failed because nobody reads any more what it writes.
    #[must_use]
    pub fn reader_has_gone(&self) -> bool {
        self.gone
    }

    fn begin_file(&mut self) -> Result<(), Failure> {
        self.number += 1;
        let path = self.plan.name(self.number);
        if let Some(most) = self.plan.ring {
            while self.there.len() >= most.max(1) {
                let Some(oldest) = self.there.pop_front() else { break };
                // Two files within a second and a round of numbers would be one; it is begun anew below.
                match std::fs::remove_file(&oldest) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        return Err(Failure::new(format!("cannot remove {}: {e}", oldest.display())));
                    }
                    _ => {}
                }
            }
        }
        let (target, name) = if self.plan.path.as_os_str() == "-" {
            (Target::Output(io::stdout()), PathBuf::from("standard output"))
        } else {
            let file = File::create(&path)
                .map_err(|e| Failure::new(format!("cannot make {}: {e}", path.display())))?;
            self.there.push_back(path.clone());
            (Target::File(file), path)
        };
        let format = if self.plan.path.as_os_str() == "-" { Format::PcapNg } else { self.plan.format() };
        let mut writer = match (format, self.plan.cooked) {
            (Format::Pcap, true) => Writer::cooked(target, &name),
            _ => Writer::new(target, format, &name),
        };
        for interface in &self.interfaces {
            writer.add_interface(interface)?;
        }
        self.unwritten = Unwritten::default();
        self.current = Some(Current {
            writer,
            path: name,
            begun: Instant::now(),
            until: self.plan.next_interval(),
            packets: 0,
            statistics: (0..self.interfaces.len()).map(no_packets).collect(),
        });
        if format == Format::PcapNg {
            self.flush()?;
            let written = self.current.as_ref().map_or(0, |current| current.writer.bytes_written());
            self.unwritten = Unwritten::behind(written);
        }
        Ok(())
    }

    /// Does something with the writer. After a failed write the part of a packet that was written is cut off, so that the
    /// file stays whole.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<Target>) -> Result<T, pcap::Error>,
    ) -> Result<T, Failure> {
        let Some(current) = self.current.as_mut().filter(|_| self.failure.is_none()) else {
            let finished = || Failure::new("the file is finished already");
            return Err(self.failure.clone().unwrap_or_else(finished));
        };
        let done = work(&mut current.writer);
        let written = current.writer.bytes_written();
        if let Err(pcap::Error::Io { source, .. }) = &done {
            self.unwritten.settle(written);
            self.gone |= source.kind() == io::ErrorKind::BrokenPipe;
            let whole = self.unwritten.whole();
            if let (Target::File(file), true) = (current.writer.get_ref(), 0 < whole && whole < written) {
                // Should this fail too, the file has a torn end, which readers say and cope with.
                let _ = file.set_len(whole);
            }
        }
        Ok(done?)
    }

    /// Ends the file that is written and, where the plan says so, begins the next one.
    fn file_is_full(&mut self) -> Result<(), Failure> {
        self.end_file(None)?;
        self.full += 1;
        let enough = self.plan.most_files.is_some_and(|most| self.full >= most);
        if enough || !self.plan.several {
            self.complete = true;
            return Ok(());
        }
        self.begin_file()
    }

    /// Ends a file. `rest`: the counters of the whole capture, for the last one.
    fn end_file(&mut self, rest: Option<&[InterfaceStatistics]>) -> Result<(), Failure> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let end_ns = now_ns();
        for one in &mut current.statistics {
            one.end_ns = Some(end_ns);
        }
        if let Some(all) = rest {
            for whole in all {
                let place = usize::try_from(whole.interface).unwrap_or(usize::MAX);
                let Some(one) = current.statistics.get_mut(place) else { continue };
                let dropped = whole.system_dropped.map(|all| all.saturating_sub(self.told_drops));
                // What was dropped and has no packet behind it that says so stands here as well.
                one.received = one
                    .received
                    .map(|n| n + dropped.unwrap_or(0).saturating_sub(one.system_dropped.unwrap_or(0)));
                one.system_dropped = dropped.or(one.system_dropped);
                // Of a ring of files, the last one has what the interface dropped in all of them.
                one.interface_dropped = whole.interface_dropped;
            }
        }
        self.told_drops += current.statistics.iter().filter_map(|one| one.system_dropped).sum::<u64>();
        let statistics = current.statistics.clone();
        self.flush()?;
        let Some(current) = self.current.take() else { return Ok(()) };
        let (whole, file) = (
            current.writer.bytes_written(),
            match current.writer.get_ref() {
                Target::File(file) => file.try_clone().ok(),
                Target::Output(_) => None,
            },
        );
        current.writer.finish(&statistics).map_err(|error| {
            // The packets are all there; only what was written of the counters is cut off.
            if let Some(file) = &file {
                let _ = file.set_len(whole);
            }
            self.gone |= matches!(&error, pcap::Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe);
            Failure::from(error)
        })?;
        if let Some(out) = &mut self.print_name {
            let written = writeln!(out, "{}", current.path.display()).and_then(|()| out.flush());
            written.map_err(|e| Failure::new(format!("cannot print the name of a file: {e}")))?;
        }
        Ok(())
    }

    /// Whether the file is full by its size or the number of its packets.
    fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            self.plan.bytes.is_some_and(|most| current.writer.bytes() >= most)
                || self.plan.packets.is_some_and(|most| current.packets >= most)
        })
    }

    /// Whether the file is full by the time.
    fn is_over(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            self.plan.duration.is_some_and(|most| current.begun.elapsed() >= most)
                || current.until.is_some_and(|until| now_ns() / 1_000_000_000 >= until)
        })
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The counters of an interface that a new file has nothing of.
fn no_packets(number: usize) -> InterfaceStatistics {
    InterfaceStatistics {
        interface: u32::try_from(number).unwrap_or(u32::MAX),
        start_ns: Some(now_ns()),
        received: Some(0),
        system_dropped: Some(0),
        ..InterfaceStatistics::default()
    }
}

/// Where names of files are printed.
fn name_target(path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    Ok(match path.to_str() {
        Some("-" | "stdout") => Box::new(io::stdout()),
        Some("stderr") => Box::new(io::stderr()),
        _ => Box::new(
            File::create(path).map_err(|e| Failure::new(format!("cannot make {}: {e}", path.display())))?,
        ),
    })
}

impl Sink for FileSink {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        let number = self.with(|writer| writer.add_interface(interface))?;
        self.interfaces.push(interface.clone());
        if let Some(current) = &mut self.current {
            current.statistics.push(no_packets(current.statistics.len()));
        }
        Ok(number)
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        if (self.plan.duration.is_some() || self.plan.interval.is_some()) && self.is_over() {
            self.file_is_full()?;
        }
        if self.complete {
            // It came behind the last one that was wanted.
            self.late.packets += 1;
            self.late.bytes += record.data.len() as u64;
            return Ok(());
        }
        let end = self.with(|writer| writer.write_packet(record).map(|_| writer.bytes()))?;
        self.unwritten.took(end, record.data.len());
        let Some(current) = &mut self.current else { return Ok(()) };
        current.packets += 1;
        let place = usize::try_from(record.interface).unwrap_or(usize::MAX);
        if let Some(one) = current.statistics.get_mut(place) {
            one.received = one.received.map(|n| n + 1 + record.dropped);
            one.system_dropped = one.system_dropped.map(|n| n + record.dropped);
        }
        if self.is_full() {
            // This packet is taken, whatever becomes of the next file.
            self.failure = self.file_is_full().err();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.current.is_none() && self.complete {
            return Ok(());
        }
        let flushed = self.with(Writer::flush);
        if let Some(current) = &self.current {
            self.unwritten.settle(current.writer.bytes_written());
        }
        flushed
    }

    fn tick(&mut self) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.is_over() {
            self.file_is_full()?;
        }
        match &self.current {
            Some(Current { writer, path, .. }) => match writer.get_ref() {
                Target::File(file) => Ok(check_room(file, path, self.plan.keep_free)?),
                Target::Output(_) => Ok(()),
            },
            None => Ok(()),
        }
    }

    fn filtered(&self) -> Lost {
        self.late
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn lost(&self) -> Lost {
        self.unwritten.lost()
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.end_file(Some(statistics))
    }
}
