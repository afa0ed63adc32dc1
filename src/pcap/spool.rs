//! The spool: the file that a recorder writes to while the window already reads it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::capture::CaptureFile;
use super::encode::PACKET_BLOCK_HEADER;
use super::error::Error;
use super::index::{EntryFlags, IndexEntry};
use super::left::is_free;
use super::scan::SharedInterfaces;
use super::space::{KEEP_FREE, check_room};
use super::stream::create_new;
use super::types::{Format, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord};
use super::writer::Writer;
use crate::wire::digest::Digest;

/// A pcapng file that packets are appended to, and the index that shows them to readers.
///
/// A packet shows in the index once its bytes stand in the file: at the next [`Spool::flush`], or earlier when much
/// is gathered. Call it at least each 100 ms. When a write fails, what was written before stays a valid file and
/// stays readable, and [`Spool::unwritten`] counts the packets that are lost.
///
/// The file is locked as long as the spool or a clone of its [`Spool::capture_file`] is there, so that
/// [`left_spools`](super::left_spools) tells it from one whose program was killed.
#[derive(Debug)]
pub struct Spool {
    writer: Writer<Arc<File>>,
    capture: CaptureFile,
    /// What is gathered: where each block ends, and its entry if it is a packet.
    pending: Vec<(u64, Option<IndexEntry>)>,
    ready: Vec<IndexEntry>,
    /// Where the last whole block in the file ends.
    whole: u64,
    keep_free: u64,
    /// Of each interface.
    link_types: Vec<LinkType>,
}

impl Spool {
    /// Makes `spool-DATE-PID-N.pcapng` (UTC, mode 0600, never an existing file) in a directory, which is made with
    /// mode 0700 where it is missing, and writes the section header.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory or the file cannot be made or written, [`Error::NoFreeName`].
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let (file, path) = create_file(directory.as_ref())?;
        let file = Arc::new(file);
        let mut spool = Self {
            writer: Writer::new(Arc::clone(&file), Format::PcapNg, &path),
            capture: CaptureFile::new(file, path, Format::PcapNg, SharedInterfaces::default()),
            pending: Vec::new(),
            ready: Vec::new(),
            whole: 0,
            keep_free: KEEP_FREE,
            link_types: Vec::new(),
        };
        spool.pending.push((spool.writer.bytes(), None));
        if let Err(error) = spool.flush() {
            // There is nothing in it, and the failure is reported.
            let _ = std::fs::remove_file(spool.path());
            return Err(error);
        }
        Ok(spool)
    }

    /// Where the spool is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.capture.path()
    }

    /// The capture as its readers see it; it fills while packets are appended, and outlives the spool.
    #[must_use]
    pub fn capture_file(&self) -> CaptureFile {
        self.capture.clone()
    }

    /// Bytes of whole blocks that stand in the file.
    #[must_use]
    pub const fn bytes_written(&self) -> u64 {
        self.whole
    }

    /// Bytes of the file once all that is gathered is written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Packets that [`Spool::append`] took and that do not stand in the file: those that are gathered, or, after a
    /// failed write, those that are lost. A packet for which it gave an error is none of them.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.pending.iter().filter(|(_, entry)| entry.is_some()).count() as u64
    }

    /// The captured bytes of the packets that [`Spool::unwritten`] counts.
    #[must_use]
    pub fn unwritten_bytes(&self) -> u64 {
        self.pending.iter().filter_map(|(_, entry)| entry.as_ref()).map(|e| u64::from(e.captured)).sum()
    }

    /// Describes an interface and returns its number.
    ///
    /// # Errors
    /// Those of [`Writer::add_interface`].
    pub fn add_interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Error> {
        let number = self.writer.add_interface(interface);
        if number.is_ok() {
            self.capture.shared_interfaces().push(interface.clone());
            self.link_types.push(interface.link_type);
            self.pending.push((self.writer.bytes(), None));
        }
        self.publish(number)
    }

    /// Appends a packet.
    ///
    /// # Errors
    /// Those of [`Writer::write_packet`]. After [`Error::Io`] the spool takes nothing more.
    pub fn append(&mut self, record: &PacketRecord<'_>) -> Result<(), Error> {
        let start = self.writer.bytes();
        let offset = self.writer.write_packet(record);
        if offset.is_ok() {
            // The writer took its length, which so fits.
            let captured = u32::try_from(record.data.len()).unwrap_or(u32::MAX);
            let link_type = self.link_types.get(record.interface as usize).map_or(u32::MAX, |link| link.0);
            let entry = IndexEntry {
                offset: start + PACKET_BLOCK_HEADER,
                timestamp_ns: record.timestamp_ns,
                captured,
                original: record.original_length,
                interface: u16::try_from(record.interface).unwrap_or(u16::MAX),
                flags: EntryFlags::new(record.direction, record.checksum)
                    .with(EntryFlags::OPTIONS, record.has_options())
                    .with(EntryFlags::COMMENT, record.comment.is_some()),
                digest: Digest::of(link_type, record.data, record.data.len()),
            };
            self.pending.push((self.writer.bytes(), Some(entry)));
        }
        self.publish(offset.map(|_| ()))
    }

    /// Writes what is gathered and shows it to the readers.
    ///
    /// # Errors
    /// [`Error::Io`] naming file and reason; what was written before stays valid and readable.
    pub fn flush(&mut self) -> Result<(), Error> {
        let result = self.writer.flush();
        self.publish(result)
    }

    /// How many bytes are to stay free on the disk; [`KEEP_FREE`] if nothing is said.
    #[must_use]
    pub fn keeping_free(mut self, bytes: u64) -> Self {
        self.keep_free = bytes;
        self
    }

    /// Checks that the disk has as much left as is to stay free.
    ///
    /// # Errors
    /// [`Error::DiskLow`].
    pub fn check_room(&self) -> Result<(), Error> {
        check_room(self.capture.file(), self.path(), self.keep_free)
    }

    /// What brings the spool to the disk, from another thread: it may take long.
    #[must_use]
    pub fn syncer(&self) -> Syncer {
        Syncer(self.capture.clone())
    }

    /// Ends the file with the interfaces' counters and returns its length in bytes.
    ///
    /// # Errors
    /// Those of [`Writer::finish`]; what was written before stays valid and readable.
    pub fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<u64, Error> {
        let result = self.writer.end(statistics);
        for one in statistics {
            self.capture.shared_interfaces().set_statistics(*one);
        }
        self.pending.push((self.writer.bytes(), None));
        self.publish(result)?;
        Ok(self.whole)
    }

    /// Shows what stands in the file. After a failed write, cuts off the part of a block that was written.
    fn publish<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        let written = self.writer.bytes_written();
        if written == self.whole && result.is_ok() {
            return result;
        }
        let count = self.pending.partition_point(|(end, _)| *end <= written);
        for (end, entry) in self.pending.drain(..count) {
            self.whole = end;
            self.ready.extend(entry);
        }
        self.capture.index().extend(&self.ready);
        self.ready.clear();
        if matches!(result, Err(Error::Io { .. })) && written > self.whole {
            // Should this fail too, the file has a torn end, which a reader says and copes with.
            let _ = self.capture.file().set_len(self.whole);
        }
        result
    }
}

/// Makes the empty file of a spool, locked, as [`Spool::create`] says.
pub(super) fn create_file(directory: &Path) -> Result<(File, PathBuf), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| Error::io("make the directory", directory, source))?;
    let date = utc_date(SystemTime::now());
    loop {
        let made = create_new(directory, 0o600, |n| format!("spool-{date}-{n}.pcapng"))?;
        // Another program that just starts may have taken the empty file for one that was left behind.
        if is_free(&made.0) && made.1.exists() {
            return Ok(made);
        }
    }
}

/// Brings the file of a spool to the disk.
#[derive(Debug)]
pub struct Syncer(CaptureFile);

impl Syncer {
    /// Brings what is written by now to the disk (fdatasync), against a crash of the machine.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<(), Error> {
        self.0.file().sync_data().map_err(|source| Error::io("bring to the disk", self.0.path(), source))
    }
}

/// `YYYYMMDDTHHMMSSZ`.
fn utc_date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days from civil, backwards: years begin in March, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_right() {
        for (seconds, date) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_704_067_199, "20231231T235959Z"),
            (1_709_251_200, "20240301T000000Z"),
            (4_102_444_800, "21000101T000000Z"),
        ] {
            assert_eq!(utc_date(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }
}
