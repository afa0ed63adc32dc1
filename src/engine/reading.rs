//! Reading a capture from a file, a pipe or another machine, on a thread of its own, while its packets are looked at
//! already; and reading on while the file grows.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::control::Event;
use super::post::Post;
use super::recorder::End;
use super::remote::{Remote, Running, Stopper};
use super::sources::{Failure, Source};
use crate::pcap::{CaptureFile, FeedStop, Keep, Loader, Name, Nudge, Progress, Report, Watch, Woken};

/// A file that grows is read at most this often.
const READ_EVERY: Duration = Duration::from_millis(40);
/// A record that is not whole is still being written if the file was changed in this time. After it, it is torn.
const FRESH: Duration = Duration::from_secs(5);

/// A reading: how far it is, and what ends it.
#[derive(Debug)]
pub struct Reading {
    generation: u64,
    begun: Instant,
    bytes: AtomicU64,
    total: AtomicU64,
    /// Somebody wants no more of it.
    over: AtomicBool,
    /// It comes from a pipe or from another machine.
    stream: AtomicBool,
    follow: AtomicBool,
    levers: Mutex<Levers>,
}

/// What reaches the thread that reads.
#[derive(Debug, Default)]
struct Levers {
    nudge: Option<Nudge>,
    /// Ends the watch over a file that is not followed.
    bell: Option<Nudge>,
    feed: Option<FeedStop>,
    remote: Option<Stopper>,
}

impl Reading {
    pub(super) fn new(generation: u64) -> Self {
        Self {
            generation,
            begun: Instant::now(),
            bytes: AtomicU64::new(0),
            total: AtomicU64::new(0),
            over: AtomicBool::new(false),
            stream: AtomicBool::new(false),
            follow: AtomicBool::new(true),
            levers: Mutex::default(),
        }
    }

    /// Which capture it is of.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How much of the file is read, from 0 to 1; `None`: nobody knows how long it is.
    #[must_use]
    pub fn share(&self) -> Option<f32> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.bytes.load(Ordering::Relaxed) as f64 / total as f64).min(1.0) as f32)
    }

    /// How long the rest will take if it goes on as until now; `None`: that cannot be told yet.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let share = f64::from(self.share()?);
        let spent = self.begun.elapsed();
        (share > 0.0 && spent > Duration::from_millis(200)).then(|| spent.mul_f64((1.0 - share) / share))
    }

    /// Reads no further; what was read is kept.
    pub fn cancel(&self) {
        self.over.store(true, Ordering::Relaxed);
        let levers = self.levers();
        [&levers.nudge, &levers.bell].into_iter().flatten().for_each(Nudge::nudge);
        match (&levers.remote, &levers.feed) {
            // What is still on its way comes, and then it has ended.
            (Some(remote), _) => remote.stop(),
            (None, Some(feed)) => feed.stop(),
            (None, None) => {}
        }
    }

    /// Whether packets are taken in that are appended to the file; `None`: it is none that could grow.
    #[must_use]
    pub fn follows(&self) -> Option<bool> {
        let may = self.levers().nudge.is_some() && !self.is_over();
        may.then(|| self.follow.load(Ordering::Relaxed))
    }

    /// Takes in packets that are appended to the file, or lets them be.
    pub fn follow(&self, on: bool) {
        self.follow.store(on, Ordering::Relaxed);
        if let Some(nudge) = &self.levers().nudge {
            nudge.nudge();
        }
    }

    fn levers(&self) -> MutexGuard<'_, Levers> {
        self.levers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn set(&self, progress: Progress) {
        self.bytes.store(progress.bytes, Ordering::Relaxed);
        self.total.store(progress.total, Ordering::Relaxed);
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Takes what reaches the thread; where it is over meanwhile it is reached at once.
    fn reach(&self, take: impl FnOnce(&mut Levers)) {
        take(&mut self.levers());
        if self.is_over() {
            self.cancel();
        }
    }
}

/// The readings that somebody may still look at.
#[derive(Debug, Default)]
pub(super) struct Desk(Mutex<Vec<Arc<Reading>>>);

impl Desk {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Reading>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, generation: u64) -> Option<Arc<Reading>> {
        self.list().iter().find(|r| r.generation == generation).cloned()
    }

    /// Ends those that nobody wants.
    pub(super) fn keep(&self, wanted: impl Fn(u64) -> bool) {
        let gone: Vec<_> = self.list().extract_if(.., |reading| !wanted(reading.generation)).collect();
        gone.iter().for_each(|reading| reading.cancel());
    }

    /// Ends the captures that come from elsewhere.
    pub(super) fn stop_streams(&self) {
        self.list().iter().filter(|r| r.stream.load(Ordering::Relaxed)).for_each(|r| r.cancel());
    }

    /// Begins a reading. `false`: the system has no thread left.
    pub(super) fn begin(&self, what: What, generation: u64, directory: PathBuf, post: Post) -> bool {
        let reading = Arc::new(Reading::new(generation));
        let stream = match &what {
            What::Path(path) => path.as_os_str() == "-",
            What::Remote(..) => true,
        };
        reading.stream.store(stream, Ordering::Relaxed);
        self.list().push(Arc::clone(&reading));
        let work = Work { reading, directory, post };
        std::thread::Builder::new().name("files".into()).spawn(move || work.run(what)).is_ok()
    }
}

/// What is read.
#[derive(Debug)]
pub(super) enum What {
    /// The file of this name; `-`: standard input.
    Path(PathBuf),
    /// What another machine captures.
    Remote(Remote, Source),
}

struct Work {
    reading: Arc<Reading>,
    /// Where the packets of a stream are kept.
    directory: PathBuf,
    post: Post,
}

impl Work {
    fn run(self, what: What) {
        match what {
            What::Remote(remote, source) => self.remote(&remote, source.label),
            What::Path(path) if path.as_os_str() == "-" => {
                self.stream(std::io::stdin(), "standard input".into(), None);
            }
            // What it is is asked before it is opened: a pipe waits for its other end.
            What::Path(path) if std::fs::metadata(&path).is_ok_and(|m| !m.is_file() && !m.is_dir()) => {
                match File::open(&path) {
                    Ok(pipe) => self.stream(pipe, path.display().to_string(), None),
                    Err(error) => {
                        self.failed(Failure::new(format!("cannot open {}: {error}", path.display())))
                    }
                }
            }
            What::Path(path) => self.file(&path),
        }
    }

    fn failed(&self, failure: Failure) {
        self.post.event(Event::NotOpened(self.reading.generation, failure));
    }

    fn remote(&self, remote: &Remote, label: String) {
        let (running, output) = match remote.start() {
            Ok(started) => started,
            Err(failure) => return self.failed(failure),
        };
        self.reading.reach(|levers| levers.remote = Some(running.stopper()));
        self.stream(output, label, Some(&running));
    }

    /// Reads a stream to its end. `remote`: what it comes from, and says how that ended.
    fn stream(&self, source: impl Read + Send + 'static, label: String, remote: Option<&Running>) {
        let (reading, generation) = (&self.reading, self.reading.generation);
        reading.stream.store(true, Ordering::Relaxed);
        let (file, mut loader) = match Loader::stream(source, &label, Keep::Spool(&self.directory)) {
            Ok(begun) => begun,
            Err(error) if reading.is_over() => {
                let text = format!("the capture of {label} was stopped before anything came ({error})");
                return self.failed(Failure::new(text));
            }
            Err(error) => {
                let told = remote.and_then(Running::failure);
                return self.failed(told.unwrap_or_else(|| error.into()));
            }
        };
        self.reading.reach(|levers| levers.feed = loader.stopper());
        self.post.event(Event::Streaming { source: label, file, generation });
        let done = loader.run(&mut |progress| {
            reading.set(progress);
            (self.post.wake)();
            // One that comes from elsewhere is stopped there, and then ends.
            if remote.is_some() { ControlFlow::Continue(()) } else { reading.go_on() }
        });
        let stopped = reading.is_over();
        let told = remote.filter(|_| !stopped).and_then(Running::failure);
        let end = match (told, done) {
            (Some(failure), _) => End::Failed(failure),
            (None, Err(error)) => End::Failed(error.into()),
            (None, Ok(Report { problem: Some(problem), .. })) if !stopped => {
                End::Failed(Failure::new(problem.text))
            }
            (None, Ok(_)) if stopped => End::Stopped,
            (None, Ok(_)) => End::Reached,
        };
        self.post.event(Event::Ended(generation, end));
    }

    fn file(&self, path: &Path) {
        let (reading, generation) = (&self.reading, self.reading.generation);
        let (file, mut loader) = match CaptureFile::begin(path) {
            Ok(opened) => opened,
            Err(error) => return self.failed(error.into()),
        };
        // Before the first look, so that nothing is written behind its back.
        let watch = match loader.watch() {
            Some(Ok((watch, nudge))) => {
                reading.reach(|levers| levers.nudge = Some(nudge));
                Some(watch)
            }
            // A file that cannot be watched is read all the same.
            Some(Err(_)) | None => None,
        };
        reading.reach(|levers| levers.feed = loader.stopper());
        self.post.event(Event::Opened(generation, file));
        let done = loader.run(&mut |progress| {
            reading.set(progress);
            (self.post.wake)();
            reading.go_on()
        });
        let mut report = match done {
            Ok(report) => report,
            Err(error) => return self.failed(error.into()),
        };
        let torn = match &watch {
            Some(watch) if report.torn && watch.is_fresh(FRESH) => report.problem.take().map(|p| p.text),
            _ => None,
        };
        let goes_on = !report.cancelled && report.problem.is_none();
        self.post.event(Event::Loaded(generation, report));
        match watch {
            Some(watch) if goes_on => self.follow(watch, &mut loader, torn),
            None if goes_on && loader.stopper().is_some() => self.watch_packed(path),
            _ => {}
        }
        // Nothing more comes of it.
        reading.levers().nudge = None;
        (self.post.wake)();
    }

    /// Says it when a compressed file grows, which is not followed: it would have to be unpacked from its beginning.
    fn watch_packed(&self, path: &Path) {
        let Ok((mut watch, bell)) = Watch::of(path) else { return };
        let length = watch.length();
        self.reading.reach(|levers| levers.bell = Some(bell));
        while let Ok(woken) = watch.wait(None) {
            if self.reading.is_over() || woken == Woken::Ended {
                return;
            }
            if watch.length() > length {
                let path = path.display();
                return self.tell(format!(
                    "{path} has grown since it was read: a compressed file is not followed; open it again to see the rest"
                ));
            }
        }
    }

    /// Reads what is appended to a file, until nobody wants to know any more or it is another file.
    fn follow(&self, mut watch: Watch, loader: &mut Loader, mut torn: Option<String>) {
        let reading = &self.reading;
        let mut name_is_told = false;
        loop {
            let woken = watch.wait(torn.is_some().then_some(FRESH));
            match woken {
                _ if reading.is_over() => return,
                Ok(Woken::Ended) => return,
                Err(error) => return self.give_up(format!("the file is not followed any further: {error}")),
                Ok(Woken::Late) => {
                    if let Some(text) = torn.take() {
                        self.tell(text);
                    }
                    continue;
                }
                Ok(Woken::Changed | Woken::Nudged) => {}
            }
            if let (Some(text), false) = (name_text(&watch.name()), name_is_told) {
                name_is_told = true;
                self.tell(text);
            }
            if !reading.follow.load(Ordering::Relaxed) {
                continue;
            }
            let read = loader.run(&mut |_| {
                (self.post.wake)();
                reading.go_on()
            });
            match read {
                Ok(Report { problem: Some(problem), torn: false, .. }) => return self.give_up(problem.text),
                Ok(report) => torn = report.problem.filter(|_| report.torn).map(|problem| problem.text),
                Err(error) => return self.give_up(error.to_string()),
            }
            (self.post.wake)();
            // What comes meanwhile is read in one go.
            std::thread::sleep(READ_EVERY);
        }
    }

    /// Says why a file is followed no further.
    fn give_up(&self, text: String) {
        self.reading.levers().nudge = None;
        self.tell(text);
    }

    fn tell(&self, text: String) {
        self.post.event(Event::FileNews(self.reading.generation, Failure::new(text)));
    }
}

/// What there is to say about the name of the file that is open.
fn name_text(name: &Name) -> Option<String> {
    Some(match name {
        Name::Same => return None,
        Name::Removed => "the file was removed or renamed: its packets stay readable as long as it is open here; save them \
                          to keep them"
            .to_owned(),
        Name::Replaced => "another file is in the place of the one that is open: the list shows the old one; open it again \
                           to see the new one"
            .to_owned(),
        Name::Unreachable(error) => {
            format!("the place of the file cannot be reached any more ({error}): packets that are not read yet may be lost")
        }
    })
}
