//! How captures of the window end by themselves, and the files that they write: what is set in the capture options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::workbench::Workbench;
use crate::engine::{FilePlan, Limits};
use crate::pcap::KEEP_FREE;

/// The unit in which sizes are set: 1000 kB, as dumpcap counts them.
const MEGABYTE: u64 = 1_000_000;
/// What is to stay free of a disk if nothing else is set, in MiB.
pub const KEEP_FREE_MIB: u64 = KEEP_FREE >> 20;
/// The most that can be asked to stay free, in MiB: a PiB.
pub const MOST_FREE_MIB: u64 = 1 << 30;

/// A number that counts or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// It counts.
    pub on: bool,
    /// The number.
    pub value: u64,
}

impl Switch {
    /// A number that does not count yet.
    #[must_use]
    pub const fn off(value: u64) -> Self {
        Self { on: false, value }
    }

    fn get(self) -> Option<u64> {
        self.on.then_some(self.value.max(1))
    }
}

/// The capture options. All of them hold for the next capture; what is to stay free of the disk is kept from one start to
/// the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// A capture ends before the disk has less than so many MiB free; 0: when it is full.
    pub keep_free: u64,
    /// A capture ends after so many packets.
    pub packets: Switch,
    /// After so many seconds.
    pub seconds: Switch,
    /// With so many megabytes.
    pub megabytes: Switch,
    /// The file that is written beside, or what the names of files are made of; empty: none.
    pub path: String,
    /// The next file begins when one has so many packets.
    pub file_packets: Switch,
    /// After so many seconds.
    pub file_seconds: Switch,
    /// With so many megabytes.
    pub file_megabytes: Switch,
    /// So many files are kept, the newest ones.
    pub ring: Switch,
    /// A capture ends when so many files are full.
    pub files: Switch,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            keep_free: KEEP_FREE_MIB,
            packets: Switch::off(1000),
            seconds: Switch::off(60),
            megabytes: Switch::off(100),
            path: String::new(),
            file_packets: Switch::off(100_000),
            file_seconds: Switch::off(3600),
            file_megabytes: Switch::off(100),
            ring: Switch::off(10),
            files: Switch::off(10),
        }
    }
}

impl CaptureOptions {
    /// What the engine is told.
    ///
    /// # Errors
    /// What does not go together, for the person.
    pub fn limits(&self) -> Result<Limits, String> {
        let bytes = |megabytes: Switch| megabytes.get().map(|n| n.saturating_mul(MEGABYTE));
        let keep_free = self.keep_free.min(MOST_FREE_MIB) << 20;
        let mut limits = Limits {
            packets: self.packets.get(),
            duration: self.seconds.get().map(Duration::from_secs),
            bytes: bytes(self.megabytes),
            keep_free,
            files: None,
        };
        if self.path.trim().is_empty() {
            return Ok(limits);
        }
        let path = PathBuf::from(self.path.trim());
        FilePlan::check_name(&path)?;
        let mut plan = FilePlan { keep_free, ..FilePlan::new(&path) };
        plan.packets = self.file_packets.get();
        plan.duration = self.file_seconds.get().map(Duration::from_secs);
        plan.bytes = bytes(self.file_megabytes);
        plan.ring = self.ring.get().and_then(|n| usize::try_from(n).ok());
        plan.most_files = self.files.get();
        plan.several = plan.packets.is_some() || plan.duration.is_some() || plan.bytes.is_some();
        if !plan.several && (plan.ring.is_some() || plan.most_files.is_some()) {
            return Err(
                "nothing says when the next file begins: choose a size, a time or a number of packets".into(),
            );
        }
        check_place(&path, plan.several)?;
        limits.files = Some(plan);
        Ok(limits)
    }

    /// What of it ends a capture or writes files, in a few words; `None`: nothing does.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let mut said = Vec::new();
        let ends = [(self.packets, "packets"), (self.seconds, "s"), (self.megabytes, "MB")];
        let ends: Vec<String> =
            ends.iter().filter_map(|(n, unit)| Some(format!("{} {unit}", n.get()?))).collect();
        if !ends.is_empty() {
            said.push(format!("ends after {}", ends.join(" or ")));
        }
        if !self.path.trim().is_empty() {
            said.push(format!("writes {}", self.path.trim()));
        }
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// Whether a file can be written there without losing another one.
fn check_place(path: &Path, several: bool) -> Result<(), String> {
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.file_name().is_none() || path.is_dir() {
        return Err(format!("{} is a directory: add the name of a file", path.display()));
    }
    if !directory.is_dir() {
        return Err(format!("there is no directory {}", directory.display()));
    }
    if !several && path.exists() {
        return Err(format!(
            "there is a file {} already, and it would be lost: choose another name",
            path.display()
        ));
    }
    Ok(())
}

impl Workbench {
    /// The capture options.
    #[must_use]
    pub fn capture_options(&self) -> &CaptureOptions {
        &self.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_limits_or_say_why_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pcapng");
        let on = |value| Switch { on: true, value };
        let options = CaptureOptions { path: path.display().to_string(), ..CaptureOptions::default() };
        let limits = options.limits().unwrap();
        assert_eq!(limits.files, Some(FilePlan::new(&path)));
        assert_eq!(Limits { files: None, ..limits }, Limits::default());
        let ring = CaptureOptions { ring: on(3), ..options.clone() };
        assert!(ring.limits().unwrap_err().contains("when the next file begins"));
        let ring = CaptureOptions { file_megabytes: on(2), megabytes: on(7), keep_free: 5, ..ring };
        let limits = ring.limits().unwrap();
        let plan = limits.files.unwrap();
        assert_eq!(
            (plan.several, plan.bytes, plan.ring, plan.keep_free),
            (true, Some(2_000_000), Some(3), 5 << 20)
        );
        assert_eq!((limits.bytes, limits.keep_free), (Some(7_000_000), 5 << 20));
        std::fs::write(&path, b"precious").unwrap();
        assert!(options.limits().unwrap_err().contains("would be lost"));
        assert!(ring.limits().is_ok(), "a ring has names of its own");
        for (text, part) in
            [("/nothing/here/x", "no directory"), ("/tmp", "is a directory"), ("/tmp/x.pcap.gz", "gz")]
        {
            let options = CaptureOptions { path: text.into(), ..CaptureOptions::default() };
            let error = options.limits().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_set_is_said_in_a_few_words() {
        let mut options = CaptureOptions::default();
        assert_eq!(options.summary(), None);
        options.packets.on = true;
        options.seconds.on = true;
        options.path = "/tmp/x".into();
        assert_eq!(options.summary().unwrap(), "ends after 1000 packets or 60 s, writes /tmp/x");
    }
}
