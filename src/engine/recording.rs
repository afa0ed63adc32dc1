//! A capture that runs on a thread of its own, into a spool.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use super::counters::Counters;
use super::limits::{LimitedSpool, Limits};
use super::post::Waker;
use super::recorder::{End, Recorder, Stop};
use super::sources::Failure;
use super::trigger::{Trigger, When};
use crate::pcap::{CaptureFile, Spool};

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
    /// The spool or a file beside it cannot be made, or the system has no thread left.
    pub fn spawn(
        self,
        directory: &Path,
        limits: Limits,
        wake: Waker,
        when: Option<When>,
        ended: impl FnOnce(End) + Send + 'static,
    ) -> Result<Recording, Failure> {
        let (spool, recorder) = (Spool::create(directory)?, self.limited(limits.packets, limits.duration));
        let (begin, gate) = bounded(1);
        let recording = Recording {
            file: spool.capture_file(),
            counters: recorder.counters(),
            begin,
            stop: recorder.stopper(),
            thread: None,
        };
        let mut sink = LimitedSpool::new(spool, limits).inspect_err(|_| {
            // There is nothing in it.
            let _ = std::fs::remove_file(recording.file.path());
        })?;
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // Comes when the viewer knows of it, or when nobody is left to tell.
                let _ = gate.recv();
                ended(match when {
                    Some(when) => recorder.run(&mut Trigger::new(sink, when), &|| wake()),
                    None => recorder.run(&mut sink, &|| wake()),
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
