//! A capture that comes as a stream: from a pipe, or unpacked from a compressed file. A thread writes it into a file as
//! it comes, and the index grows behind it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::error::Error;
use super::indexer::{Problem, Report};
use super::space::check_room;
use super::stream::Begun;
use super::unpack::Packing;

/// How much of a stream is taken at once, in bytes.
const PIECE: usize = 256 * 1024;

/// Why a stream ended before its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The source gives an error: it is damaged, or cannot be read.
    Source(io::Error),
    /// What it gives cannot be kept.
    Kept(Error),
    /// The file that keeps it cannot be written.
    Writing(io::Error),
}

impl Fault {
    /// For a person. `at`: bytes of the source that were taken.
    pub(super) fn problem(&self, name: &Path, packing: Option<Packing>, at: u64, report: &Report) -> Problem {
        let readable = match report.packets {
            0 => "no packet is readable".to_owned(),
            1 => "1 packet is readable".to_owned(),
            n => format!("{n} packets are readable"),
        };
        let name = name.display();
        let text = match (self, packing) {
            (Self::Source(error), Some(packing)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                format!(
                    "the {} file ends at byte {at} before its contents do: up to there {readable}",
                    packing.name()
                )
            }
            (Self::Source(error), Some(packing)) if error.raw_os_error().is_none() => {
                format!(
                    "the {} file is damaged before byte {at} ({error}): up to there {readable}",
                    packing.name()
                )
            }
            (Self::Source(error), _) => format!("{name} cannot be read past byte {at}: {error}; {readable}"),
            (Self::Kept(error), _) => format!("reading {name} stopped at byte {at}: {error}; {readable}"),
            (Self::Writing(error), _) => {
                format!(
                    "reading {name} stopped at byte {at}: its packets cannot be kept ({error}); {readable}"
                )
            }
        };
        Problem { offset: at, text }
    }
}

/// Moves a stream into a file, piece by piece.
#[derive(Debug)]
pub(super) struct Pump {
    file: Arc<File>,
    /// The file's name, or the one that it had.
    place: PathBuf,
    buffer: Vec<u8>,
    /// Bytes that stand in the file.
    written: u64,
    keep_free: u64,
}

impl Pump {
    pub(super) fn new(file: Arc<File>, place: PathBuf, written: u64, keep_free: u64) -> Self {
        Self { file, place, buffer: vec![0; PIECE], written, keep_free }
    }

    /// Moves a piece; `false`: the source has ended.
    pub(super) fn step(&mut self, source: &mut impl Read) -> Result<bool, Fault> {
        let n = loop {
            match source.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(Fault::Source)?,
            }
        };
        let piece = self.buffer.get(..n).unwrap_or_default();
        check_room(&self.file, &self.place, self.keep_free).map_err(Fault::Kept)?;
        self.file.write_all_at(piece, self.written).map_err(Fault::Writing)?;
        self.written += n as u64;
        Ok(n > 0)
    }
}

/// What the thread that moves a stream has done.
#[derive(Debug, Default)]
struct State {
    written: AtomicU64,
    stop: AtomicBool,
    ended: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

/// Ends a stream from another thread: what came until then is kept.
#[derive(Debug, Clone)]
pub struct FeedStop {
    state: Arc<State>,
    nudge: Sender<()>,
}

impl FeedStop {
    /// Ends it.
    pub fn stop(&self) {
        self.state.stop.store(true, Ordering::Relaxed);
        // Where a nudge is on its way already it is enough.
        let _ = self.nudge.try_send(());
    }
}

/// A stream that is being moved into a file.
#[derive(Debug)]
pub(super) struct Feed {
    state: Arc<State>,
    nudged: Receiver<()>,
    nudge: Sender<()>,
    name: PathBuf,
    packing: Option<Packing>,
    packed: Arc<AtomicU64>,
    /// Length of the source, where it is known.
    total: u64,
}

impl Feed {
    /// Begins to move what is behind the first bytes. `total`: the length of the source in bytes, 0 where it is not known.
    pub(super) fn start<R: Read + Send + 'static>(
        begun: Begun<R>,
        file: Arc<File>,
        name: &Path,
        total: u64,
        keep_free: u64,
    ) -> Result<Self, Error> {
        let (nudge, nudged) = bounded(1);
        // There may be packets in what came first.
        let _ = nudge.try_send(());
        let state = Arc::new(State { written: AtomicU64::new(begun.first.len() as u64), ..State::default() });
        let Begun { mut source, packing, packed, first, place, .. } = begun;
        let mut pump = Pump::new(file, place, first.len() as u64, keep_free);
        let (shared, tell) = (Arc::clone(&state), nudge.clone());
        let moving = move || {
            loop {
                let moved = pump.step(&mut source);
                shared.written.store(pump.written, Ordering::Relaxed);
                let over = match moved {
                    Ok(more) => !more || shared.stop.load(Ordering::Relaxed),
                    Err(fault) => {
                        *shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                        true
                    }
                };
                shared.ended.store(over, Ordering::Release);
                let _ = tell.try_send(());
                if over {
                    break;
                }
            }
        };
        std::thread::Builder::new()
            .name("feed".into())
            .spawn(moving)
            .map_err(|source| Error::io("start a thread that reads", name, source))?;
        Ok(Self { state, nudged, nudge, name: name.to_path_buf(), packing, packed, total })
    }

    pub(super) fn stopper(&self) -> FeedStop {
        FeedStop { state: Arc::clone(&self.state), nudge: self.nudge.clone() }
    }

    /// Waits until more came or nothing more will; `false`: nothing more.
    pub(super) fn wait(&self) -> bool {
        // The thread says so before it ends.
        if !self.is_over() {
            let _ = self.nudged.recv();
        }
        !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.state.ended.load(Ordering::Acquire) || self.state.stop.load(Ordering::Relaxed)
    }

    /// Whether somebody stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.state.stop.load(Ordering::Relaxed)
    }

    /// Bytes of the source that were taken, and how many there are, 0 where that is not known.
    pub(super) fn progress(&self) -> (u64, u64) {
        let taken = match self.packing {
            Some(_) => self.packed.load(Ordering::Relaxed),
            None => self.state.written.load(Ordering::Relaxed),
        };
        (taken, self.total)
    }

    /// What ended it before its end.
    pub(super) fn problem(&self, report: &Report) -> Option<Problem> {
        let fault = self.state.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problem = fault.as_ref()?.problem(&self.name, self.packing, self.progress().0, report);
        if matches!(&*fault, Some(Fault::Source(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
            && self.total > 0
        {
            problem.text += ". A compressed file is not followed: where it is still being written, open it again when it is whole";
        }
        Some(problem)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}
