//! `rawbench read`: packets of a capture file as rows, values, trees, hex, notation or JSON.

pub mod tree;
pub mod values;

use std::io::Write;
use std::path::Path;

use super::args::ReadArgs;
use super::keys::{self, Meaning};
use super::output::{self, FAILED, Failure, Out, Outcome};
use super::packet::Packet;
use crate::craft::Draft;
use crate::craft::print::Detail;
use crate::pcap::{self, CaptureFile, ChecksumState, Format, Index, Report, Selection};
use crate::wire::value;

/// Runs it.
///
/// # Errors
/// The file cannot be read, a field does not exist, or the output fails.
pub fn run(args: &ReadArgs) -> Outcome {
    let meanings: Vec<Meaning> =
        args.fields.iter().map(|k| keys::find(k)).collect::<Result<_, _>>().map_err(Failure::wrong_call)?;
    let (capture, report) = open(&args.file)?;
    let printed = match &args.write {
        Some(target) => write(&capture, target),
        None => print(args, &meanings, &capture),
    };
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

fn write(capture: &CaptureFile, target: &Path) -> Result<(), Failure> {
    if target.as_os_str() == "-" {
        return Err(Failure::wrong_call("-w takes the name of a file; to print packets use --hex".into()));
    }
    let format = Format::for_path(target);
    let saved = pcap::save_as(capture, Selection::All, target, format, &[]).map_err(Failure::failed)?;
    output::message(&format!(
        "wrote {} packets, {} bytes to {}",
        saved.packets,
        saved.bytes,
        target.display()
    ));
    Ok(())
}

fn print(args: &ReadArgs, meanings: &[Meaning], capture: &CaptureFile) -> Result<(), Failure> {
    let mut out = output::out();
    if args.count {
        writeln!(out, "{}", capture.len())?;
        out.flush()?;
        return Ok(());
    }
    let index = capture.index().snapshot();
    let interfaces = capture.interfaces();
    let first_ns = first_time(&index);
    let mut previous_ns = first_ns;
    let mut reader = capture.reader();
    for (position, entry) in index.iter().enumerate() {
        let bytes = match reader.bytes(entry) {
            Ok(bytes) => bytes,
            Err(error) => {
                out.flush()?;
                return Err(Failure::failed(error));
            }
        };
        let interface = interfaces.get(usize::from(entry.interface));
        let packet = Packet {
            number: position + 1,
            time_ns: entry.has_time().then_some(entry.timestamp_ns),
            original: entry.original,
            bytes,
            left_to_card: entry.checksum() == ChecksumState::NotComputed,
            interface,
            first_ns,
            previous_ns,
        };
        print_packet(args, meanings, &packet, &mut out)?;
        previous_ns = packet.time_ns.unwrap_or(previous_ns);
    }
    out.flush()?;
    Ok(())
}

fn first_time(index: &Index) -> u64 {
    index.iter().find(|e| e.has_time()).map_or(0, |e| e.timestamp_ns)
}

fn print_packet(
    args: &ReadArgs,
    meanings: &[Meaning],
    packet: &Packet<'_>,
    out: &mut Out,
) -> std::io::Result<()> {
    if !meanings.is_empty() {
        values::write_line(meanings, packet, out)
    } else if args.verbose {
        tree::write(packet, out)
    } else if args.hex {
        writeln!(out, "{}", value::hex_pairs(packet.bytes))
    } else if args.notation {
        let draft = Draft::from_bytes(packet.link_type(), packet.bytes, packet.left_to_card);
        writeln!(out, "{}", draft.notation(Detail::Full))
    } else if args.json {
        packet.write_json(out)
    } else {
        packet.write_row(out)
    }
}
