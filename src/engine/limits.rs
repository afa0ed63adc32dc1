//! When a capture of the window ends by itself, and the files that it writes beside its spool: as dumpcap's -a and -b
//! (dumpcap(1)).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::file_plan::FilePlan;
use super::file_sink::FileSink;
use super::screen::CaptureFilter;
use super::sink::{Lost, Sink};
use super::sources::Failure;
use crate::pcap::{InterfaceInfo, InterfaceStatistics, KEEP_FREE, PacketRecord, Spool, Syncer};

/// How often what is written is brought to the disk, against a crash of the machine.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// When a capture ends by itself. The first limit that is reached ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// With so many packets.
    pub packets: Option<u64>,
    /// After this time.
    pub duration: Option<Duration>,
    /// When its spool has so many bytes or more.
    pub bytes: Option<u64>,
    /// Before the disk has less than so many bytes free; 0: when it is full.
    pub keep_free: u64,
    /// Files that are written beside the spool.
    pub files: Option<FilePlan>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packets: None, duration: None, bytes: None, keep_free: KEEP_FREE, files: None }
    }
}

/// What a capture is to be, besides where its packets come from.
#[derive(Debug)]
pub struct Terms {
    /// Where the spool stands.
    pub directory: PathBuf,
    /// Which packets; `None`: all.
    pub filter: Option<CaptureFilter>,
    /// When it ends by itself.
    pub limits: Limits,
}

/// A spool that another thread brings to the disk, because that may take long and the recorder does not wait; and the files
/// beside it.
pub(super) struct LimitedSpool {
    spool: Spool,
    files: Option<FileSink>,
    bytes: Option<u64>,
    /// Why it could not be brought to the disk.
    failed: Arc<Mutex<Option<Failure>>>,
    /// Ends the thread when it is dropped.
    _alive: Sender<()>,
}

impl LimitedSpool {
    /// Begins the files, and the thread that syncs.
    ///
    /// # Errors
    /// The first file cannot be made, its disk is low, or the system has no thread left.
    pub(super) fn new(spool: Spool, limits: Limits) -> Result<Self, Failure> {
        let files = limits.files.map(FileSink::new).transpose()?;
        let (alive, ended) = bounded::<()>(0);
        let failed = Arc::<Mutex<Option<Failure>>>::default();
        let (syncer, told): (Syncer, _) = (spool.syncer(), Arc::clone(&failed));
        std::thread::Builder::new()
            .name("syncer".into())
            .spawn(move || {
                while ended.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = syncer.sync() {
                        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.into());
                        return;
                    }
                }
            })
            .map_err(|e| Failure::new(format!("cannot start the thread that syncs: {e}")))?;
        let spool = spool.keeping_free(limits.keep_free);
        Ok(Self { spool, files, bytes: limits.bytes, failed, _alive: alive })
    }

    /// Does the same with the files and with the spool; a failure of the one does not keep the other from it.
    fn both(
        &mut self,
        files: impl FnOnce(&mut FileSink) -> Result<(), Failure>,
        spool: impl FnOnce(&mut Spool) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let beside = self.files.as_mut().map_or(Ok(()), files);
        spool(&mut self.spool).and(beside)
    }
}

impl Sink for LimitedSpool {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        if let Some(files) = &mut self.files {
            files.interface(interface)?;
        }
        Sink::interface(&mut self.spool, interface)
    }
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        // A packet that the files do not take is none of the spool either: the ledger counts what stands in both.
        if let Some(files) = &mut self.files {
            files.packet(record)?;
        }
        self.spool.packet(record)
    }
    fn flush(&mut self) -> Result<(), Failure> {
        self.both(Sink::flush, Sink::flush)
    }
    fn tick(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failure);
        }
        self.both(Sink::tick, Sink::tick)
    }
    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        self.both(|files| files.finish(statistics), |spool| Sink::finish(spool, statistics))
    }
    fn is_complete(&self) -> bool {
        self.bytes.is_some_and(|most| self.spool.bytes() >= most)
            || self.files.as_ref().is_some_and(Sink::is_complete)
    }
    fn lost(&self) -> Lost {
        Sink::lost(&self.spool)
    }
}
