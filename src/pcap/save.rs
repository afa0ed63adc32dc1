//! Saving packets of a capture as a new file: all of it appears under its name, or nothing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::capture::{CaptureFile, RawPacket};
use super::cooked::can_cook;
use super::copy;
use super::encode::{self, PacketOptions};
use super::error::Error;
use super::fields::{Order, options};
use super::index::IndexEntry;
use super::stream::create_new;
use super::types::{Format, InterfaceInfo, InterfaceStatistics, is_gzip};
use super::writer::Writer;

/// Which packets are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All that are in the index when the work begins.
    All,
    /// Those at these positions, counted from 0, in this order.
    Packets(&'a [usize]),
}

impl Selection<'_> {
    fn positions(&self, length: usize) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::All => Box::new(0..length),
            Self::Packets(positions) => Box::new(positions.iter().copied()),
        }
    }
}

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Packets in the file.
    pub packets: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Saves packets as a new file, replacing what was at `path`.
///
/// From pcapng to pcapng every block is kept as it is, those that are not known here too, as long as the packets stay in their
/// order. Else interfaces, times, lengths on the wire, and the packets' options (comments, flags, drop counts …) are kept;
/// pcap has a place for times and lengths only. `statistics` are the interfaces' counters; where it is empty, those that
/// the capture has are written. A name that ends in `.gz` is compressed.
///
/// Packets of Ethernet and of bare IP together go into pcap as Linux cooked capture, version 2.
///
/// The file is written beside its place under another name, brought to the disk, and then renamed: on any failure
/// what was at `path` is untouched. What is at `path` and no regular file (a pipe, a device) is written to directly.
/// The file may be saved over the one that the capture is read from.
///
/// # Errors
/// [`Error::MixedLinkTypes`] and [`Error::TimeOutOfRange`] for what pcap cannot hold, [`Error::Changed`] when the
/// capture's file was changed, [`Error::NoSuchPacket`] for a wrong position, [`Error::Io`].
pub fn save_as(
    capture: &CaptureFile,
    selection: Selection<'_>,
    path: impl AsRef<Path>,
    format: Format,
    statistics: &[InterfaceStatistics],
) -> Result<Saved, Error> {
    let path = path.as_ref();
    if path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("zst")) {
        let why = "files are compressed with gzip only here: choose a name that ends in .gz, or a plain one";
        return Err(Error::io("write to", path, std::io::Error::new(std::io::ErrorKind::Unsupported, why)));
    }
    // A link is followed, so that it stays a link.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let existing = std::fs::metadata(&target).ok();
    if existing.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(Error::io("write to", path, std::io::ErrorKind::IsADirectory.into()));
    }
    if existing.as_ref().is_some_and(|old| !old.is_file()) {
        let file = File::options().write(true).open(&target);
        let file = file.map_err(|source| Error::io("open", path, source))?;
        return write(capture, selection, &file, path, format, statistics);
    }
    let directory = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let (file, temporary) = create_new(directory, 0o666, |n| format!(".rawbench-{n}.part"))?;
    let temporary = Temporary(temporary);
    let saved = write(capture, selection, &file, path, format, statistics)?;
    let fail = |operation| move |source| Error::io(operation, path, source);
    if let Some(old) = existing {
        file.set_permissions(old.permissions()).map_err(fail("set the permissions of"))?;
    }
    file.sync_all().map_err(fail("bring to the disk"))?;
    std::fs::rename(&temporary.0, &target).map_err(fail("put the finished file in the place of"))?;
    std::mem::forget(temporary);
    Ok(saved)
}

/// A file that is removed unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing better can be done with a failure here: the reason for being here is reported.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write(
    capture: &CaptureFile,
    selection: Selection<'_>,
    file: &File,
    path: &Path,
    format: Format,
    statistics: &[InterfaceStatistics],
) -> Result<Saved, Error> {
    if !is_gzip(path) {
        return write_to(capture, selection, &mut &*file, path, format, statistics);
    }
    let mut out = GzEncoder::new(file, Compression::default());
    let saved = write_to(capture, selection, &mut out, path, format, statistics)?;
    let fail = |source| Error::io("write to", path, source);
    out.finish().map_err(fail)?;
    Ok(Saved { bytes: file.metadata().map_err(fail)?.len(), ..saved })
}

fn write_to(
    capture: &CaptureFile,
    selection: Selection<'_>,
    mut out: &mut impl Write,
    path: &Path,
    format: Format,
    statistics: &[InterfaceStatistics],
) -> Result<Saved, Error> {
    let interfaces = capture.interfaces();
    let index = capture.index().snapshot();
    let kept = [format, capture.format()] == [Format::PcapNg; 2] && statistics.is_empty();
    if kept && copy::can_copy(selection) {
        let mut out = BufWriter::with_capacity(256 * 1024, out);
        let saved = copy::copy(capture, &index, selection, &mut out, path)?;
        out.flush().map_err(|source| Error::io("write to", path, source))?;
        return Ok(saved);
    }
    let (mut writer, numbers) = match format {
        Format::PcapNg => {
            let mut writer = Writer::new(&mut out, format, path);
            let numbers: Result<Vec<_>, _> = interfaces.iter().map(|i| writer.add_interface(i)).collect();
            (writer, numbers?)
        }
        Format::Pcap => {
            let used = used(&interfaces, selection.positions(index.len()).filter_map(|n| index.get(n)));
            let of_used =
                || interfaces.iter().zip(&used).filter(|(_, used)| **used).map(|(i, _)| i.link_type);
            let differ = of_used().any(|link| Some(link) != of_used().next());
            // Packets of several link types get a common one, where there is one for them.
            let mut writer = match differ && of_used().all(can_cook) {
                true => Writer::cooked(&mut out, path),
                false => Writer::new(&mut out, format, path),
            };
            let numbers = add_used(&mut writer, &interfaces, &used)?;
            (writer, numbers)
        }
    };
    let mut reader = capture.reader();
    let mut packets = 0;
    for position in selection.positions(index.len()) {
        let entry = capture.entry(position)?;
        let raw = reader.raw(&entry)?;
        let mut record = raw.record(&entry);
        record.interface = numbers.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
        if raw.options.is_empty() && raw.dropped.is_none() {
            writer.write_packet(&record)?;
        } else {
            writer.write_with_options(&record, PacketOptions::Ready(&little_endian_options(&raw)))?;
        }
        packets += 1;
    }
    let own: Vec<_> = interfaces.iter().filter_map(|interface| interface.statistics).collect();
    let statistics = if statistics.is_empty() { &own } else { statistics };
    let bytes = writer.finish(if format == Format::PcapNg { statistics } else { &[] })?;
    Ok(Saved { packets, bytes })
}

/// Which interfaces packets name; the first where none is named.
fn used<'a>(interfaces: &[InterfaceInfo], packets: impl Iterator<Item = &'a IndexEntry>) -> Vec<bool> {
    let mut used = vec![false; interfaces.len()];
    for entry in packets {
        if let Some(used) = used.get_mut(usize::from(entry.interface)) {
            *used = true;
        }
    }
    let none = !used.contains(&true);
    if let Some(first) = used.first_mut() {
        *first |= none;
    }
    used
}

/// Describes only the interfaces that are used, since pcap holds one link type.
fn add_used<W: Write>(
    writer: &mut Writer<W>,
    interfaces: &[InterfaceInfo],
    used: &[bool],
) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::with_capacity(used.len());
    for (interface, used) in interfaces.iter().zip(used) {
        numbers.push(if *used { writer.add_interface(interface)? } else { u32::MAX });
    }
    Ok(numbers)
}

/// The options of a packet as they are, in little-endian order. Numbers of known options are turned around where
/// they came in the other order.
fn little_endian_options(raw: &RawPacket<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.options.len() + 16);
    for (code, value) in options(raw.options, raw.order) {
        let mut value = value.to_vec();
        if raw.order == Order::Big {
            let number = match code {
                // Flags, drop count, packet identifier, queue; the enterprise number of custom options.
                encode::EPB_FLAGS | encode::EPB_DROPCOUNT | 5 | 6 => value.len(),
                2988 | 2989 | 19372 | 19373 => 4,
                _ => 0,
            };
            if let Some(number) = value.get_mut(..number) {
                number.reverse();
            }
        }
        encode::copied_option(&mut out, code, &value);
    }
    if let Some(dropped) = raw.dropped {
        encode::copied_option(&mut out, encode::EPB_DROPCOUNT, &u64::from(dropped).to_le_bytes());
    }
    if !out.is_empty() {
        encode::copied_option(&mut out, encode::OPT_END, &[]);
    }
    out
}
