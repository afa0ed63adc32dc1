//! Making the index of a file, with progress, and the report of what could be read.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::capture::CaptureFile;
use super::error::Error;
use super::index::IndexEntry;
use super::scan::{Fault, Found, Source, What, pcap_record};
use super::sections::Sections;
use super::sniff::{Kind, PcapLayout};
use super::window::Window;

/// How far an indexing goes between two calls for progress, in bytes.
const STEP: u64 = 1024 * 1024;

/// With more bytes than this to go through, another thread reads them.
const READ_AHEAD: u64 = 8 * 1024 * 1024;

/// How far the indexing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes looked at.
    pub bytes: u64,
    /// Length of the file in bytes.
    pub total: u64,
    /// Packets found.
    pub packets: u64,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place in the file, in bytes from its beginning.
    pub offset: u64,
    /// A whole sentence for the user.
    pub text: String,
}

/// What could be read of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Packets that can be read.
    pub packets: u64,
    /// Packets that had to be left out, though what follows them can be read (damage within a block).
    pub skipped: u64,
    /// Bytes at the end that belong to nothing readable: the torn end after a crash.
    pub torn_bytes: u64,
    /// The file ends within a record, as one does that is still being written: what the problem says if nothing came before.
    pub torn: bool,
    /// The first thing that is wrong with the file, if any.
    pub problem: Option<Problem>,
    /// The indexing was stopped by its callback.
    pub cancelled: bool,
}

#[derive(Debug)]
enum Walker {
    Pcap(PcapLayout),
    PcapNg(Sections),
}

/// Fills the index of a [`CaptureFile`], in the thread that calls [`Indexer::run`]; others may already read it.
#[derive(Debug)]
pub struct Indexer {
    capture: CaptureFile,
    source: Source,
    walker: Walker,
    position: u64,
    pending: Vec<IndexEntry>,
    report: Report,
}

impl Indexer {
    pub(super) fn new(capture: CaptureFile, kind: Kind) -> Self {
        let (walker, position) = match kind {
            Kind::Pcap(layout) => (Walker::Pcap(layout), super::sniff::PCAP_HEADER as u64),
            Kind::PcapNg => (Walker::PcapNg(Sections::new(&capture)), 0),
        };
        let source = Source { file: Arc::clone(capture.file()), window: Window::default(), length: 0 };
        Self { capture, source, walker, position, pending: Vec::new(), report: Report::default() }
    }

    /// Walks to the end of the file as it is now. Entries become visible in the shared index about once for each
    /// MiB; `progress` is called as often and may stop the walk.
    ///
    /// May be called again: it goes on where it stopped, so a file that grew, or whose end was torn because someone
    /// is still writing it, is followed.
    ///
    /// # Errors
    /// [`Error::Io`] when the length of the file cannot be asked for. What is wrong with the content is no error
    /// but stands in the report, beside what could be read.
    pub fn run(&mut self, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Report, Error> {
        let metadata = self.source.file.metadata();
        self.source.length = metadata.map_err(|source| Error::io("read", self.capture.path(), source))?.len();
        self.report.cancelled = false;
        if self.source.length.saturating_sub(self.position) > READ_AHEAD {
            self.source.window.read_ahead(&self.source.file, self.position);
        }
        let mut fault = None;
        let mut pause = self.position + STEP;
        while self.position < self.source.length {
            match self.next() {
                Ok(found) => self.take(found),
                Err(what) => {
                    fault = Some(what);
                    break;
                }
            }
            if self.position >= pause {
                pause = self.position + STEP;
                self.publish();
                if progress(self.progress()).is_break() {
                    self.report.cancelled = true;
                    break;
                }
            }
        }
        self.publish();
        self.source.window.read_no_more_ahead();
        let mut report = self.report.clone();
        if !report.cancelled {
            report.torn_bytes = self.source.length.saturating_sub(self.position);
        }
        report.torn = matches!(fault, Some(Fault::Torn { .. }));
        if let (None, Some(fault)) = (&report.problem, fault) {
            report.problem = Some(self.describe(&fault));
        }
        Ok(report)
    }

    fn progress(&self) -> Progress {
        Progress { bytes: self.position, total: self.source.length, packets: self.report.packets }
    }

    fn next(&mut self) -> Result<Found, Fault> {
        match &mut self.walker {
            Walker::Pcap(layout) => pcap_record(layout, &mut self.source, self.position),
            Walker::PcapNg(sections) => sections.block(&mut self.source, self.position),
        }
    }

    fn take(&mut self, found: Found) {
        if let Some(entry) = found.entry {
            self.pending.push(entry);
            self.report.packets += 1;
        }
        if let Some(oddity) = found.oddity {
            self.report.skipped += 1;
            let text = format!("the file is damaged at byte {}: {oddity}; it was left out", self.position);
            self.report.problem.get_or_insert(Problem { offset: self.position, text });
        }
        self.position = found.next;
    }

    fn publish(&mut self) {
        self.capture.index().extend(&self.pending);
        self.pending.clear();
    }

    fn describe(&self, fault: &Fault) -> Problem {
        let (offset, packets) = (self.position, self.report.packets);
        let readable = match packets {
            0 => "no packet is readable".to_owned(),
            1 => "1 packet is readable".to_owned(),
            n => format!("{n} packets are readable"),
        };
        let text = match fault {
            Fault::Torn { what, needs, left } => {
                let what = match what {
                    What::Packet => format!("packet {}", packets + self.report.skipped + 1),
                    What::BlockHeader => "a block header".to_owned(),
                    What::Block(name) => (*name).to_owned(),
                };
                let are = if *left == 1 { "is" } else { "are" };
                format!(
                    "the file ends in the middle of {what} (needs {needs} bytes, {left} {are} left): {readable}"
                )
            }
            Fault::Broken(what) => {
                format!("the file is damaged at byte {offset}: {what}; up to there {readable}")
            }
            Fault::Io(error) => {
                format!("the file cannot be read past byte {offset}: {error}; up to there {readable}")
            }
        };
        Problem { offset, text }
    }
}
