//! Opening a capture: its packets show as soon as they are found, whatever it comes from.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::capture::CaptureFile;
use super::error::Error;
use super::feed::{Feed, FeedStop};
use super::indexer::{Indexer, Progress, Report};
use super::space::KEEP_FREE;
use super::stream::{Begun, Keep};
use super::watch::{Nudge, Watch};

/// Fills the index of a [`CaptureFile`], in the thread that calls [`Loader::run`]; others may already read it.
#[derive(Debug)]
pub struct Loader {
    indexer: Indexer,
    capture: CaptureFile,
    feed: Option<Feed>,
}

impl Loader {
    pub(super) const fn of_file(capture: CaptureFile, indexer: Indexer) -> Self {
        Self { indexer, capture, feed: None }
    }

    /// Opens a capture that comes as a stream, compressed or not, once its first bytes are there. Its packets show as they
    /// come, while [`Loader::run`] is at work. `name` stands for it in messages.
    ///
    /// # Errors
    /// Those of [`open_stream`](super::open_stream).
    pub fn stream<R: Read + Send + 'static>(
        stream: R,
        name: impl AsRef<Path>,
        keep: Keep<'_>,
    ) -> Result<(CaptureFile, Self), Error> {
        Self::begin(stream, name.as_ref(), keep, 0, KEEP_FREE)
    }

    /// Opens a compressed file.
    pub(super) fn packed(file: File, path: &Path, keep_free: u64) -> Result<(CaptureFile, Self), Error> {
        let total = file.metadata().map_err(|source| Error::io("read", path, source))?.len();
        Self::begin(file, path, Keep::Unnamed, total, keep_free)
    }

    fn begin<R: Read + Send + 'static>(
        stream: R,
        name: &Path,
        keep: Keep<'_>,
        total: u64,
        keep_free: u64,
    ) -> Result<(CaptureFile, Self), Error> {
        let begun = Begun::new(stream, name, keep)?;
        let path = if begun.named { begun.place.clone() } else { name.to_path_buf() };
        let file = begun.file.try_clone().map_err(|source| Error::io("open", &path, source))?;
        let (capture, indexer) = CaptureFile::from_file(file, &path)?;
        let feed = Feed::start(begun, Arc::clone(capture.file()), name, total, keep_free)?;
        Ok((capture.clone(), Self { indexer, capture, feed: Some(feed) }))
    }

    /// What ends a stream, or the unpacking of a file, from another thread; `None`: it is a file as it is.
    #[must_use]
    pub fn stopper(&self) -> Option<FeedStop> {
        self.feed.as_ref().map(Feed::stopper)
    }

    /// What waits for changes of the file; `None` for one that was unpacked, and for a stream.
    ///
    /// # Errors
    /// The system's reason.
    pub fn watch(&self) -> Option<io::Result<(Watch, Nudge)>> {
        self.feed.is_none().then(|| Watch::new(Arc::clone(self.capture.file()), self.capture.path()))
    }

    /// Reads to the end of the file as it is now, or to that of the stream. Packets show about once for each MiB, those of a
    /// stream as they come; `progress` is called as often and may stop the reading. A stream that is stopped is not read any
    /// further; a file may be read on by another call, which goes on where it stopped.
    ///
    /// # Errors
    /// [`Error::Io`] when the length of the file cannot be asked for, [`Error::Changed`] when it is not any more the one that
    /// was opened. What is wrong with the content is no error but stands in the report, beside what could be read.
    pub fn run(&mut self, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Report, Error> {
        let Some(feed) = &self.feed else {
            let report = self.indexer.run(progress)?;
            self.capture.look()?;
            self.capture.learn()?;
            return Ok(report);
        };
        loop {
            let more = feed.wait();
            let (bytes, total) = feed.progress();
            let mut go_on = ControlFlow::Continue(());
            let mut tell = |packets| {
                go_on = progress(Progress { bytes, total, packets });
                go_on
            };
            let mut report = self.indexer.run(&mut |now| tell(now.packets))?;
            if report.cancelled || tell(report.packets).is_break() {
                feed.stopper().stop();
            }
            if !more || go_on.is_break() {
                report.cancelled = feed.is_stopped();
                report.problem = match (feed.problem(&report), report.cancelled && report.torn) {
                    (Some(problem), _) => Some(problem),
                    // Its rest was not waited for.
                    (None, true) => None,
                    (None, false) => report.problem.take(),
                };
                return Ok(report);
            }
        }
    }
}
