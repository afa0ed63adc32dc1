//! Writing the exchanges of a capture to a file for other programs: a line for each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exchange::flags;
use super::heads::{Body, Heads, network};
use super::roles::{Marks, One};
use super::sources::Failure;
use crate::pcap::CaptureFile;

/// What the file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFormat {
    /// Comma-separated values with a line of names (RFC 4180).
    Csv,
    /// A JSON object on each line (JSON Lines).
    Json,
}

impl ExchangeFormat {
    /// The one that a file name asks for: `.json` and `.jsonl` in any case are JSON, all else CSV.
    #[must_use]
    pub fn for_path(path: &Path) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let json = ["json", "jsonl", "ndjson"].iter().any(|e| extension.eq_ignore_ascii_case(e));
        if json { Self::Json } else { Self::Csv }
    }
}

/// A line of the file. What is not known is empty in CSV and null in JSON.
#[derive(Debug, Default, Serialize)]
struct Row {
    /// From 1, in the order of the questions.
    number: usize,
    /// Number of the question's packet in the capture, and of the answer's.
    question: u32,
    answer: Option<u32>,
    /// By the kernel's clock, in nanoseconds since 1970.
    sent_ns: Option<u64>,
    received_ns: Option<u64>,
    rtt_ns: Option<u64>,
    /// Whom the question went to, and who answered.
    to: Option<IpAddr>,
    from: Option<IpAddr>,
    /// As `rawbench send --json` names it.
    kind: Option<&'static str>,
    /// TCP flags of the answer in tcpdump's letters.
    flags: Option<String>,
    /// Answers beyond the first.
    duplicates: u16,
    /// This bench sent the question.
    ours: bool,
}

/// Writes the exchanges of a capture; gives how many. The file is complete or not there: it is written under another name first.
/// What is no regular file (a pipe, a device) is written to directly.
///
/// # Errors
/// A packet cannot be read any more; the file cannot be written.
pub fn export_exchanges(
    file: &CaptureFile,
    marks: &Marks,
    path: &Path,
    format: ExchangeFormat,
) -> Result<usize, Failure> {
    let fail = |error: io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    if std::fs::metadata(path).is_ok_and(|existing| !existing.is_file()) {
        let out = File::options().write(true).open(path).map_err(fail)?;
        return write(file, marks, out, format, &fail);
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = Part(path.with_file_name(name));
    let out = File::create_new(&part.0).map_err(fail)?;
    let written = write(file, marks, out, format, &fail)?;
    std::fs::rename(&part.0, path).map_err(fail)?;
    Ok(written)
}

/// A file that is removed unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write(
    file: &CaptureFile,
    marks: &Marks,
    out: File,
    format: ExchangeFormat,
    fail: &dyn Fn(io::Error) -> Failure,
) -> Result<usize, Failure> {
    let links: Vec<u32> = file.interfaces().iter().map(|i| i.link_type.0).collect();
    let (index, mut reader) = (file.index().snapshot(), file.reader());
    let mut row_of = |number: usize, one: &One| -> Result<Row, Failure> {
        let place = |position: u32| usize::try_from(position).ok().and_then(|at| index.get(at));
        let time = |position| place(position).filter(|e| e.has_time()).map(|e| e.timestamp_ns);
        let mut row = Row {
            number: number + 1,
            question: one.position + 1,
            answer: one.answer().map(|answer| answer + 1),
            sent_ns: time(one.position),
            received_ns: one.answer().and_then(time),
            rtt_ns: one.rtt_ns,
            to: marks.groups().get(usize::from(one.group)).and_then(|group| group.to),
            kind: one.kind.map(super::AnswerKind::name),
            duplicates: one.again,
            ours: one.ours,
            ..Row::default()
        };
        if let Some(entry) = one.answer().and_then(place) {
            let bytes = reader.bytes(entry).map_err(Failure::from)?;
            let link = links.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
            if let Some(heads) = network(link, bytes).and_then(Heads::read) {
                row.from = Some(heads.source);
                row.flags = matches!(heads.body, Body::Tcp(_)).then(|| flags(heads.packet));
            }
        }
        Ok(row)
    };
    let mut out = BufWriter::new(out);
    match format {
        ExchangeFormat::Csv => {
            let mut lines = csv::WriterBuilder::new().has_headers(false).from_writer(&mut out);
            // The names stand there also where nothing follows them.
            lines.write_record(NAMES).map_err(|e| fail(e.into()))?;
            for (number, one) in marks.exchanges().iter().enumerate() {
                lines.serialize(row_of(number, one)?).map_err(|e| fail(e.into()))?;
            }
            lines.flush().map_err(fail)?;
        }
        ExchangeFormat::Json => {
            for (number, one) in marks.exchanges().iter().enumerate() {
                serde_json::to_writer(&mut out, &row_of(number, one)?).map_err(|e| fail(e.into()))?;
                out.write_all(b"\n").map_err(fail)?;
            }
        }
    }
    let out = out.into_inner().map_err(|e| fail(e.into_error()))?;
    // A pipe and a device have no disk to be brought to.
    if out.metadata().is_ok_and(|m| m.is_file()) {
        out.sync_all().map_err(fail)?;
    }
    Ok(marks.exchanges().len())
}

/// The names of a row's values, in their order.
const NAMES: [&str; 12] = [
    "number",
    "question",
    "answer",
    "sent_ns",
    "received_ns",
    "rtt_ns",
    "to",
    "from",
    "kind",
    "flags",
    "duplicates",
    "ours",
];
