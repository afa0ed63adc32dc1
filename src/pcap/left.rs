//! Spools that a program left behind when it was killed: found at the next start, with what can be read of them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::Path;

use chrono::{DateTime, Local};

use super::capture::CaptureFile;
use super::error::Error;

/// A spool whose program is gone.
#[derive(Debug, Clone)]
pub struct LeftSpool {
    /// Its packets. As long as a clone of it is held, no other program is offered the spool.
    pub capture: CaptureFile,
    /// Packets that can be read, all of them whole.
    pub packets: u64,
    /// Bytes at the end of the file that are part of a block which was not written whole.
    pub torn: u64,
    /// When the first packet came, in nanoseconds since the Unix epoch.
    pub since_ns: u64,
}

impl fmt::Display for LeftSpool {
    /// "N packets from DATE were recovered (M bytes torn)", in local time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i64::try_from(self.since_ns).unwrap_or(i64::MAX);
        let date = DateTime::from_timestamp_nanos(nanoseconds).with_timezone(&Local);
        let were = if self.packets == 1 { "packet" } else { "packets" };
        let was = if self.packets == 1 { "was" } else { "were" };
        let date = date.format("%Y-%m-%d %H:%M:%S");
        write!(f, "{} {were} from {date} {was} recovered ({} bytes torn)", self.packets, self.torn)
    }
}

impl LeftSpool {
    /// Removes the spool.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn discard(&self) -> Result<(), Error> {
        let path = self.capture.path();
        std::fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
    }
}

/// The spools in a directory that no running program uses, the oldest first. One without a packet is of no use to anybody
/// and is removed. What cannot be read is left alone.
#[must_use]
pub fn left_spools(directory: &Path) -> Vec<LeftSpool> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let is_spool = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("spool-") && name.ends_with(".pcapng")
    };
    let mut paths: Vec<_> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| is_spool(p)).collect();
    // The names begin with the date.
    paths.sort();
    paths.iter().filter_map(|path| read_left(path)).collect()
}

fn read_left(path: &Path) -> Option<LeftSpool> {
    if !std::fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new().read(true).open(path).ok()?;
    if !is_free(&file) {
        return None;
    }
    let length = file.metadata().ok()?.len();
    let read = CaptureFile::from_file(file, path).and_then(|(capture, mut indexer)| {
        let report = indexer.run(&mut |_| std::ops::ControlFlow::Continue(()))?;
        Ok((capture, report))
    });
    let (capture, report) = match read {
        Ok(read) => read,
        // The program was killed before the first block was whole.
        Err(Error::Foreign { .. } | Error::Header { .. }) if length < FIRST_BLOCK => {
            let _ = std::fs::remove_file(path);
            return None;
        }
        Err(_) => return None,
    };
    let Some(first) = capture.index().get(0) else {
        // What cannot be read may still be worth something to somebody.
        let is_empty = report.problem.is_none() && report.skipped == 0 && report.torn_bytes == 0;
        if is_empty || length < FIRST_BLOCK {
            let _ = std::fs::remove_file(path);
        }
        return None;
    };
    let (packets, torn) = (report.packets, report.torn_bytes);
    Some(LeftSpool { capture, packets, torn, since_ns: first.timestamp_ns })
}

/// More than the section header of a spool has, in bytes.
const FIRST_BLOCK: u64 = 1024;

/// Locks a spool for this program (flock(2)). The lock goes with the file, also where the program is killed. `false`: a
/// running program has it.
pub(super) fn is_free(file: &File) -> bool {
    // A file system without locks does not tell, and says so with another error.
    !matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}
