//! A capture that runs on a thread of its own, into a spool.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::counters::Counters;
use super::post::Waker;
use super::recorder::{End, Recorder, Stop};
use super::sink::{Lost, Sink};
use super::sources::Failure;
use super::trigger::{Trigger, When};
use crate::pcap::{CaptureFile, InterfaceInfo, InterfaceStatistics, PacketRecord, Spool, Syncer};

/// How often what is written is brought to the disk, against a crash of the machine.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// A capture that runs.
pub struct Recording {
    /// Its packets, as they come.
    pub file: CaptureFile,
    /// What it counts.
    pub counters: Arc<Counters>,
    begin: Sender<()>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Records into a spool on a thread of its own, once [`Recording::begin`] is called; `ended` is called on that
    /// thread when it is over. `when`: which packets are kept, where not all are.
    ///
    /// # Errors
    /// The spool cannot be made, or the system has no thread left.
    pub fn spawn(
        self,
        directory: &Path,
        wake: Waker,
        when: Option<When>,
        ended: impl FnOnce(End) + Send + 'static,
    ) -> Result<Recording, Failure> {
        let spool = Spool::create(directory)?;
        let (begin, gate) = bounded(1);
        let recording = Recording {
            file: spool.capture_file(),
            counters: self.counters(),
            begin,
            stop: self.stopper(),
            thread: None,
        };
        let mut sink = SyncedSpool::new(spool)?;
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // Comes when the viewer knows of it, or when nobody is left to tell.
                let _ = gate.recv();
                ended(match when {
                    Some(when) => self.run(&mut Trigger::new(sink, when), &|| wake()),
                    None => self.run(&mut sink, &|| wake()),
                });
            })
            .map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))?;
        Ok(Recording { thread: Some(thread), ..recording })
    }
}

impl Recording {
    /// Lets it run: call it when its start is known to whoever will be told of its end. What comes before waits in
    /// the sockets.
    pub fn begin(&self) {
        let _ = self.begin.try_send(());
    }

    /// Ends it and waits until everything is written.
    pub fn stop(mut self) {
        self.begin();
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A spool that another thread brings to the disk, because that may take long and the recorder does not wait.
struct SyncedSpool {
    spool: Spool,
    /// Why it could not be brought to the disk.
    failed: Arc<Mutex<Option<Failure>>>,
    /// Ends the thread when it is dropped.
    _alive: Sender<()>,
}

impl SyncedSpool {
    fn new(spool: Spool) -> Result<Self, Failure> {
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
        Ok(Self { spool, failed, _alive: alive })
    }
}

impl Sink for SyncedSpool {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        Sink::interface(&mut self.spool, interface)
    }
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        self.spool.packet(record)
    }
    fn flush(&mut self) -> Result<(), Failure> {
        Sink::flush(&mut self.spool)
    }
    fn tick(&mut self) -> Result<(), Failure> {
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => self.spool.tick(),
        }
    }
    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        Sink::finish(&mut self.spool, statistics)
    }
    fn lost(&self) -> Lost {
        Sink::lost(&self.spool)
    }
}
