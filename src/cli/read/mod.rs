//! `rawbench read`: packets of a capture file as rows, values, trees, hex, notation or JSON.

mod live;
pub mod select;
pub mod tree;
pub mod values;

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::args::ReadArgs;
use super::keys::{self, Meaning};
use super::output::{self, FAILED, Failure, Outcome};
use super::packet::Packet;
use crate::craft::Draft;
use crate::craft::print::Detail;
use crate::engine::{Flows, in_order};
use crate::pcap::{
    self, CaptureFile, ChecksumState, Format, Index, IndexEntry, InterfaceInfo, PacketReader, Report,
    Selection,
};
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::flow::{FlowStore, MOST_FLOWS, MOST_OUTSTANDING};
use crate::wire::reassembly::{Datagram, Origin, Reassembler, fragment_layer};
use crate::wire::value;

/// Runs it.
///
/// # Errors
/// The file cannot be read, a field does not exist, or the output fails.
pub fn run(args: &ReadArgs) -> Outcome {
    let meanings: Vec<Meaning> =
        args.fields.iter().map(|k| keys::find(k)).collect::<Result<_, _>>().map_err(Failure::wrong_call)?;
    let filter = args.filter.as_deref().map(select::filter).transpose()?;
    let is_stream = args.file.as_os_str() == "-"
        || std::fs::metadata(&args.file).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if is_stream && args.write.is_none() && !args.count {
        return live::run(args, &meanings, filter);
    }
    let (capture, report) = open(&args.file)?;
    let flows = Flows::default();
    let passed = filter.map(|filter| select::positions(&capture, filter, &flows)).transpose()?;
    let printed = match &args.write {
        Some(target) => write(&capture, target, passed.as_deref()),
        None => print(args, &meanings, &capture, passed, &flows),
    };
    tell_forgotten(&flows);
    let status = tell_problem(&args.file, &report);
    printed.map(|()| status)
}

fn open(file: &Path) -> Result<(CaptureFile, Report), Failure> {
    let opened = if file.as_os_str() == "-" {
        pcap::open_stream(std::io::stdin().lock())
    } else {
        CaptureFile::open(file)
    };
    opened.map_err(Failure::failed)
}

/// Says what is wrong with the file; a file of which nothing could be read is a failure.
fn tell_problem(file: &Path, report: &Report) -> u8 {
    let Some(problem) = &report.problem else { return 0 };
    let name = if file.as_os_str() == "-" { "standard input".into() } else { file.display().to_string() };
    let mut text = format!("rawbench: {name}: ");
    // The problem may say itself where it is, and how many packets are readable: then once is enough.
    if !problem.text.contains(&format!("byte {}", problem.offset)) {
        text += &format!("at byte {}: ", problem.offset);
    }
    text += &problem.text;
    let mut more = Vec::new();
    if !problem.text.contains("readable") {
        more.push(format!("{} packets can be read", report.packets));
    }
    if report.skipped > 0 {
        more.push(format!("{} left out", report.skipped));
    }
    if report.torn_bytes > 0 {
        more.push(format!("{} bytes at the end belong to none", report.torn_bytes));
    }
    if !more.is_empty() {
        text += &format!(" ({})", more.join(", "));
    }
    output::message(&text);
    if report.packets == 0 { FAILED } else { 0 }
}

/// Says how many flows were too many.
fn tell_forgotten(flows: &Flows) {
    let forgotten = flows.forgotten();
    if forgotten > 0 {
        output::message(&format!(
            "rawbench: more than {MOST_FLOWS} flows or {MOST_OUTSTANDING} unacknowledged segments at once: {forgotten} flows \
             were forgotten, and what came of them later counts as new"
        ));
    }
}

fn write(capture: &CaptureFile, target: &Path, passed: Option<&[usize]>) -> Result<(), Failure> {
    if target.as_os_str() == "-" {
        return Err(Failure::wrong_call("-w takes the name of a file; to print packets use --hex".into()));
    }
    let format = Format::for_path(target);
    let saved =
        pcap::save_as(capture, passed.map_or(Selection::All, Selection::Packets), target, format, &[])
            .map_err(Failure::failed)?;
    output::message(&format!(
        "wrote {} packets, {} bytes to {}",
        saved.packets,
        saved.bytes,
        target.display()
    ));
    Ok(())
}

fn print(
    args: &ReadArgs,
    meanings: &[Meaning],
    capture: &CaptureFile,
    passed: Option<Vec<usize>>,
    flows: &Flows,
) -> Result<(), Failure> {
    let mut out = output::out();
    if args.count {
        writeln!(out, "{}", passed.map_or(capture.len(), |p| p.len()))?;
        out.flush()?;
        return Ok(());
    }
    let index = capture.index().snapshot();
    let flows = told(args, meanings, capture, index.len(), flows)?;
    let first_ns = first_time(&index);
    let interfaces = capture.interfaces();
    let printer =
        Printer { args, meanings, first_ns, passed, index, from: 0, before_ns: first_ns, interfaces, flows };
    let mut reassembler = Reassembler::default();
    printer.run(capture, &mut reassembler, &mut out)?;
    out.flush()?;
    tell_fragments(&reassembler);
    Ok(())
}

/// What is known of the first `count` packets from those before them, where it is asked for.
fn told(
    args: &ReadArgs,
    meanings: &[Meaning],
    capture: &CaptureFile,
    count: usize,
    flows: &Flows,
) -> Result<FlowStore, Failure> {
    if args.verbose || args.json || meanings.iter().any(|m| matches!(m, Meaning::Flow(_))) {
        let extended = flows.extend(capture, count, &|| true);
        extended.map_err(|f| Failure::failed(anyhow::Error::msg(f.text)))?;
    }
    Ok(flows.snapshot())
}

fn tell_fragments(reassembler: &Reassembler) {
    if let Some(text) = reassembler.tally().text() {
        output::message(&format!("rawbench: {text}"));
    }
}

/// Packets that are printed by one worker in one go.
const CHUNK: usize = 2048;

/// What printing packets needs.
struct Printer<'a> {
    args: &'a ReadArgs,
    meanings: &'a [Meaning],
    first_ns: u64,
    /// Positions of the packets that pass the filter, where there is one.
    passed: Option<Vec<usize>>,
    index: Index,
    /// The packets before this position are printed, and the time that holds there.
    from: usize,
    before_ns: u64,
    interfaces: Arc<Vec<InterfaceInfo>>,
    /// What is known of the packets from those before, where that is asked for.
    flows: FlowStore,
}

/// What a worker makes of a chunk of packets: their text, and the fragments among them, whose text has to wait for what
/// the packets before them say.
#[derive(Default)]
struct Pieces {
    text: Vec<u8>,
    fragments: Vec<Fragment>,
}

/// A packet that is a fragment.
struct Fragment {
    /// The text that comes before it and behind the fragment before it.
    behind: Range<usize>,
    position: usize,
    entry: IndexEntry,
    previous_ns: u64,
    bytes: Vec<u8>,
    found: Dissection,
}

impl Pieces {
    /// How much of the text stands before a fragment.
    fn printed(&self) -> usize {
        self.fragments.last().map_or(0, |f| f.behind.end)
    }
}

impl Printer<'_> {
    /// Prints the packets from the first one that is not printed.
    fn run(
        &self,
        capture: &CaptureFile,
        reassembler: &mut Reassembler,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let worker = || {
            let mut reader = capture.reader();
            let mut before = (self.from, self.before_ns);
            move |chunk: usize| self.chunk(chunk, &mut before, &mut reader)
        };
        let chunks = self.index.len().saturating_sub(self.from).div_ceil(CHUNK);
        in_order(chunks, worker, |(pieces, failed): (Pieces, Option<Failure>)| {
            for fragment in &pieces.fragments {
                out.write_all(pieces.text.get(fragment.behind.clone()).unwrap_or_default())?;
                self.fragment(fragment, reassembler, out)?;
            }
            out.write_all(pieces.text.get(pieces.printed()..).unwrap_or_default())?;
            match failed {
                Some(failure) => {
                    out.flush()?;
                    Err(failure)
                }
                None => Ok(()),
            }
        })
    }

    /// The text of a chunk of packets; where a packet cannot be read, the text of those before it, and why.
    /// `before`: a position that comes earlier, and the time that holds there.
    fn chunk(
        &self,
        chunk: usize,
        before: &mut (usize, u64),
        reader: &mut PacketReader,
    ) -> (Pieces, Option<Failure>) {
        let start = self.from + chunk * CHUNK;
        let range = start..(start + CHUNK).min(self.index.len());
        let mut pieces = Pieces { text: Vec::with_capacity(CHUNK * 128), fragments: Vec::new() };
        let end = range.end;
        let mut flows = self.flows.walk(range.start);
        let mut previous_ns = self.index.time_before(range.start, *before);
        for (position, entry) in range.clone().zip(self.index.range(range)) {
            if self.passed.as_ref().is_some_and(|p| p.binary_search(&position).is_err()) {
                previous_ns = if entry.has_time() { entry.timestamp_ns } else { previous_ns };
                continue;
            }
            let bytes = match reader.bytes(entry) {
                Ok(bytes) => bytes,
                Err(error) => return (pieces, Some(Failure::failed(error))),
            };
            let described = self.describe(position, entry, bytes, previous_ns);
            let packet = Packet { flows: flows.next(position), ..described };
            let time_ns = packet.time_ns;
            if let Err(error) = self.packet(&packet, entry, &mut pieces) {
                return (pieces, Some(Failure::from(error)));
            }
            previous_ns = time_ns.unwrap_or(previous_ns);
        }
        *before = (end, previous_ns);
        (pieces, None)
    }

    fn describe<'b>(
        &'b self,
        position: usize,
        entry: &IndexEntry,
        bytes: &'b [u8],
        previous_ns: u64,
    ) -> Packet<'b> {
        Packet {
            number: position + 1,
            time_ns: entry.has_time().then_some(entry.timestamp_ns),
            original: entry.original,
            bytes,
            left_to_card: entry.checksum() == ChecksumState::NotComputed,
            interface: self.interfaces.get(usize::from(entry.interface)),
            first_ns: self.first_ns,
            previous_ns,
            flows: &[],
        }
    }

    /// Prints a packet, or keeps it where it is a fragment and its form shows the whole.
    fn packet(&self, packet: &Packet<'_>, entry: &IndexEntry, pieces: &mut Pieces) -> std::io::Result<()> {
        if !self.args.verbose && !self.args.json {
            return self.plain(packet, &mut pieces.text);
        }
        let found = dissect(packet.link_type(), packet.bytes);
        if fragment_layer(packet.bytes, &found.layers).is_none() {
            return self.layered(packet, &found, &[], &mut pieces.text);
        }
        pieces.fragments.push(Fragment {
            behind: pieces.printed()..pieces.text.len(),
            position: packet.number - 1,
            entry: *entry,
            previous_ns: packet.previous_ns,
            bytes: packet.bytes.to_vec(),
            found,
        });
        Ok(())
    }

    /// Prints a fragment with what it and those before it make.
    fn fragment(
        &self,
        fragment: &Fragment,
        all: &mut Reassembler,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let Fragment { position, entry, previous_ns, bytes, .. } = fragment;
        let flows = self.flows.of(*position);
        let packet = Packet { flows: &flows, ..self.describe(*position, entry, bytes, *previous_ns) };
        let from =
            Origin { packet: packet.number, time_ns: packet.time_ns, left_to_card: packet.left_to_card };
        let datagrams = all.add(&from, packet.bytes, &fragment.found.layers);
        self.layered(&packet, &fragment.found, &datagrams, out)
    }

    /// Prints a packet in a form that shows its layers.
    fn layered(
        &self,
        packet: &Packet<'_>,
        found: &Dissection,
        datagrams: &[Datagram],
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        match self.args.json {
            true => packet.write_json(found, datagrams, out),
            false => tree::write(packet, found, datagrams, out),
        }
    }

    /// Prints a packet in any other form.
    fn plain(&self, packet: &Packet<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
        let args = self.args;
        if !self.meanings.is_empty() {
            values::write_line(self.meanings, packet, out)
        } else if args.hex {
            writeln!(out, "{}", value::hex_pairs(packet.bytes))
        } else if args.notation {
            // As it was captured: a checksum that was left to the card too.
            let draft = Draft::from_bytes(packet.link_type(), packet.bytes, false);
            writeln!(out, "{}", draft.notation(Detail::Full))
        } else {
            packet.write_row(out)
        }
    }
}

fn first_time(index: &Index) -> u64 {
    index.iter().find(|e| e.has_time()).map_or(0, |e| e.timestamp_ns)
}
