//! Waiting until a file changes: inotify(7), which costs nothing meanwhile. Where it cannot be had, or does not see what
//! other machines write, the file is looked at once a second.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// How often a file is looked at that does not tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// File systems that others write to as well (linux/magic.h): NFS, SMB, CIFS, SMB2, FUSE, 9p, Ceph, AFS.
const SHARED: [u32; 8] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997, 0x00C3_6400, 0x5346_414F];

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The file may have changed.
    Changed,
    /// Somebody wants attention.
    Nudged,
    /// The time is over.
    Late,
    /// Nobody can nudge any more.
    Ended,
}

/// What became of the name of a file.
#[derive(Debug)]
pub enum Name {
    /// It still names the file.
    Same,
    /// There is nothing under it.
    Removed,
    /// It names another file.
    Replaced,
    /// It cannot be asked.
    Unreachable(io::Error),
}

/// Waits for changes of a file.
#[derive(Debug)]
pub struct Watch {
    file: Arc<File>,
    path: PathBuf,
    inotify: Option<OwnedFd>,
    nudged: PipeReader,
}

/// Wakes a [`Watch`] from another thread; dropping it ends the watch.
#[derive(Debug)]
pub struct Nudge(PipeWriter);

impl Nudge {
    /// Wakes it.
    pub fn nudge(&self) {
        // Fails when nobody watches any more.
        let _ = (&self.0).write(&[1]);
    }
}

impl Watch {
    /// Of the file of this name.
    ///
    /// # Errors
    /// It cannot be opened, or the system's reason.
    pub fn of(path: &Path) -> io::Result<(Self, Nudge)> {
        Self::new(Arc::new(File::open(path)?), path)
    }

    /// The length of the file in bytes, as far as it can be asked for.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.file.metadata().ok().map(|m| m.len())
    }

    pub(super) fn new(file: Arc<File>, path: &Path) -> io::Result<(Self, Nudge)> {
        let (nudged, nudge) = io::pipe()?;
        let shared = rustix::fs::fstatfs(&*file).is_ok_and(|s| SHARED.contains(&(s.f_type as u32)));
        let inotify = if shared { None } else { listen(&file).ok() };
        Ok((Self { file, path: path.to_path_buf(), inotify, nudged }, Nudge(nudge)))
    }

    /// Waits for a change, a nudge, or until this much time is over.
    ///
    /// # Errors
    /// The system's reason.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken> {
        let slow = self.inotify.is_none();
        let before = if slow { self.file.metadata().ok().map(|m| (m.len(), m.ctime_nsec())) } else { None };
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let pause = match (left, slow) {
                (Some(left), true) => Some(left.min(LOOK_EVERY)),
                (None, true) => Some(LOOK_EVERY),
                (left, false) => left,
            };
            let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
            let mut fds = vec![PollFd::new(&self.nudged, PollFlags::IN)];
            fds.extend(self.inotify.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            match poll(&mut fds, pause.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready.first() == Some(&true) {
                return Ok(if self.nudged.read(&mut [0; 64])? == 0 { Woken::Ended } else { Woken::Nudged });
            }
            if ready.get(1) == Some(&true) {
                self.take_events();
                return Ok(Woken::Changed);
            }
            if slow && self.file.metadata().ok().map(|m| (m.len(), m.ctime_nsec())) != before {
                return Ok(Woken::Changed);
            }
            if slow && !matches!(self.name(), Name::Same) {
                return Ok(Woken::Changed);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Woken::Late);
            }
        }
    }

    /// What became of the file's name.
    #[must_use]
    pub fn name(&self) -> Name {
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Name::Removed;
            }
            Err(error) => return Name::Unreachable(error),
        };
        match self.file.metadata() {
            Ok(own) if (own.dev(), own.ino()) == (there.dev(), there.ino()) => Name::Same,
            Ok(_) => Name::Replaced,
            Err(error) => Name::Unreachable(error),
        }
    }

    /// Whether the file was changed less than this long ago: somebody may be writing it.
    #[must_use]
    pub fn is_fresh(&self, within: Duration) -> bool {
        let changed = self.file.metadata().and_then(|metadata| metadata.modified());
        // A time that lies ahead is that of another clock.
        changed.is_ok_and(|changed| changed.elapsed().map_or(true, |since| since < within))
    }

    /// What the events say is found out by looking.
    fn take_events(&self) {
        let Some(fd) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(fd, &mut buffer);
        while reader.next().is_ok() {}
    }
}

fn listen(file: &File) -> io::Result<OwnedFd> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let what = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
    // The file that is open, whatever its name is by now.
    inotify::add_watch(&fd, format!("/proc/self/fd/{}", file.as_raw_fd()), what)?;
    Ok(fd)
}
