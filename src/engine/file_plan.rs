//! Which files a capture is written to: one, or one after the other, as dumpcap's -b and -a say (dumpcap(1)).

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::pcap::{Format, KEEP_FREE};

/// Numbers of files begin again after so many.
const NUMBERS: u32 = 100_000;

/// When a file is full, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// The file, or what the names of files are made of. `-` is standard output.
    pub path: PathBuf,
    /// Several files, numbered and dated, in the place of one.
    pub several: bool,
    /// Packets get a cooked header where the format holds one link type only.
    pub cooked: bool,
    /// A file is full with so many bytes or more.
    pub bytes: Option<u64>,
    /// A file is full with so many packets.
    pub packets: Option<u64>,
    /// A file is full after this time.
    pub duration: Option<Duration>,
    /// A file is full when the time is a multiple of so many seconds since 1970.
    pub interval: Option<u64>,
    /// The oldest file is removed when there are more than so many.
    pub ring: Option<usize>,
    /// The capture ends when so many files are full.
    pub most_files: Option<u64>,
    /// The date comes before the number in a name.
    pub date_first: bool,
    /// Where the name of each file goes that is full.
    pub print_name: Option<PathBuf>,
    /// Bytes that are to stay free on the disk.
    pub keep_free: u64,
}

impl FilePlan {
    /// One file that is never full.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            several: false,
            cooked: false,
            bytes: None,
            packets: None,
            duration: None,
            interval: None,
            ring: None,
            most_files: None,
            date_first: false,
            print_name: None,
            keep_free: KEEP_FREE,
        }
    }

    /// Whether files of this name can be written while packets come: compressed ones cannot.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check_name(path: &Path) -> Result<(), String> {
        let suffix = path.extension().and_then(|s| s.to_str()).unwrap_or_default().to_ascii_lowercase();
        let program = match suffix.as_str() {
            "gz" => "gzip",
            "zst" => "zstd",
            _ => return Ok(()),
        };
        let plain = path.with_extension("");
        let plain = plain.display();
        Err(format!(
            "{} asks for a compressed file, and a capture is written as it comes, so that nothing is lost when it is \
             interrupted: write {plain}, and then {program} {plain}",
            path.display()
        ))
    }

    /// The format that the name asks for.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::for_path(&self.path)
    }

    /// Where file `number`, counted from 1, goes that is begun now: `PREFIX_00001_YYYYMMDDHHMMSS.SUFFIX`, local time.
    #[must_use]
    pub fn name(&self, number: u32) -> PathBuf {
        if !self.several {
            return self.path.clone();
        }
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let suffix = self.path.extension().map(|s| format!(".{}", s.to_string_lossy())).unwrap_or_default();
        let (number, date) = (number % NUMBERS, chrono::Local::now().format("%Y%m%d%H%M%S"));
        let name = match self.date_first {
            false => format!("{stem}_{number:05}_{date}{suffix}"),
            true => format!("{stem}_{date}_{number:05}{suffix}"),
        };
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// Seconds since 1970 when the file that is begun now is full by the clock.
    #[must_use]
    pub fn next_interval(&self) -> Option<u64> {
        let seconds = self.interval.filter(|seconds| *seconds > 0)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Some((now / seconds + 1) * seconds)
    }
}
