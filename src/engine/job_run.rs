//! A job whose packets are watched: a recorder sees them and what comes back, and each answer is told.

use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select, unbounded};

use super::counters::Counters;
use super::exchange::{Exchange, Seen};
use super::exits::Exits;
use super::file_plan::FilePlan;
use super::job::{Happened, Job, Summary};
use super::pace::{Control, Pace};
use super::recorder::{End, Recorder, now_ns};
use super::sent::Sent;
use super::sink::Unwritten;
use super::sources::{Access, Failure, Source, Via};
use super::streaming::{Ledger, Progress, State, Streaming};
use super::tap::Settings;
use super::tee::{Tee, lock};
use super::witness::{Asked, Compared, Part, Sighted};
use crate::net::{Parcel, SNAP_LENGTH};
use crate::pcap::{Format, LinkType, Writer};

/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(10);
/// What a recording goes on for after the end, so that what the last answer set off is in it: the kernel's reset.
const AFTERMATH: Duration = Duration::from_millis(50);

/// The packets as they were handed to the kernel, by the index of their probe.
type Askings = Arc<Mutex<HashMap<usize, Vec<u8>>>>;

/// Enters each packet as a probe before it is sent.
struct Probes {
    exchange: Arc<Mutex<Exchange>>,
    /// Who remembers it for captures that run beside.
    noted: Option<Arc<Sent>>,
    link: LinkType,
    /// The packets as they were asked for, where they are compared.
    asked: Option<Askings>,
    /// The probe of the first packet; the exchange counts as the stream does.
    first: Option<(u64, usize)>,
}

impl Probes {
    fn index_of(&self, number: u64) -> Option<usize> {
        let (first, index) = self.first?;
        Some(index + usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

impl Ledger for Probes {
    fn expect(&mut self, number: u64, parcel: Parcel<'_>) {
        let mut bytes = parcel.bytes.to_vec();
        // A raw IP socket writes the length itself (raw(7)).
        if let (Some(IpAddr::V4(_)), Ok(length)) = (parcel.to, u16::try_from(bytes.len()))
            && let Some(field) = bytes.get_mut(2..4)
        {
            field.copy_from_slice(&length.to_be_bytes());
        }
        if let Some(sent) = &self.noted {
            sent.note(self.link.0, &bytes);
        }
        // Entered under the same lock: whoever sees the packet finds what was asked for.
        let mut exchange = lock(&self.exchange);
        let index = exchange.expect(self.link.0, &bytes, now_ns());
        if let Some(asked) = &self.asked {
            asked.lock().unwrap_or_else(PoisonError::into_inner).insert(index, parcel.bytes.to_vec());
        }
        drop(exchange);
        self.first.get_or_insert((number, index));
    }

    fn refused(&mut self, number: u64) {
        if let Some(index) = self.index_of(number) {
            lock(&self.exchange).withdraw(index);
        }
    }
}

/// Sends the packets of a job, and tells of what comes back until nobody waits any more.
///
/// # Errors
/// What kept it from beginning: the missing privilege, a file that cannot be made.
pub(super) fn watched(
    job: &mut Job,
    access: &Access,
    exits: &Exits,
    control: &Control,
    tell: &mut dyn FnMut(Happened) -> Result<(), Failure>,
) -> Result<Summary, Failure> {
    let listen = job.tap.clone();
    let source = Source { place: job.place.clone(), listen, label: String::new(), detail: String::new() };
    let recorder = Recorder::open(access, &source, &Settings::plain(false, SNAP_LENGTH))?;
    let exchange = Arc::new(Mutex::new(Exchange::new(job.loopback)));
    let (sender, seen) = unbounded();
    let (sight, sighted) = unbounded();
    let asked = job.compare.then(Askings::default);
    let mut sink = Tee {
        writer: writer(job)?,
        exchange: Arc::clone(&exchange),
        links: Vec::new(),
        sender,
        sighted: job.compare.then_some(sight),
        unwritten: Unwritten::default(),
    };
    let (counters, stopper) = (recorder.counters(), recorder.stopper());
    let (told, progress) = unbounded();
    let mut run = Run {
        wait: job.wait,
        records: job.write.is_some(),
        pace: job.pace,
        exchange: Arc::clone(&exchange),
        seen,
        sighted,
        asked: asked.clone(),
        way: (job.link, job.via.clone()),
        progress,
        control,
        tell,
        exits,
        times: Vec::new(),
        told: 0,
        sending: true,
        summary: Summary { watched: true, ..Summary::default() },
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("recorder".into());
        let thread = thread
            .spawn_scoped(scope, move || {
                let end = recorder.run(&mut sink, &|| {});
                drop(sink);
                end
            })
            .map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))?;
        let sending = std::thread::Builder::new().name("transmitter".into());
        let sending =
            sending.spawn_scoped(scope, move || send(job, exits, control, (exchange, asked), &told));
        match sending {
            Ok(_) => run.all(),
            Err(e) => {
                run.summary.failure =
                    Some(Failure::new(format!("cannot start the transmitter's thread: {e}")));
            }
        }
        stopper.stop();
        let end = thread.join().unwrap_or_else(|_| End::Failed(Failure::new("the recorder panicked")));
        run.finish(end, &counters);
        Ok(run.summary)
    })
}

fn send(
    job: &mut Job,
    exits: &Exits,
    control: &Control,
    (exchange, asked): (Arc<Mutex<Exchange>>, Option<Askings>),
    told: &Sender<Progress>,
) {
    let noted = job.noted.clone();
    let mut probes = Probes { exchange, noted, link: job.link, asked, first: None };
    let streaming = Streaming::new(&job.via, exits, control, job.pace, job.duration, &mut probes);
    // Fails only when nobody listens any more.
    streaming.run(&mut job.sequence, &mut |progress| drop(told.send(progress.clone())));
}

fn writer(job: &Job) -> Result<Option<Writer<File>>, Failure> {
    let Some(path) = &job.write else { return Ok(None) };
    FilePlan::check_name(path).map_err(Failure::new)?;
    let file = File::create(path)
        .map_err(|e| Failure::new(format!("cannot make the file {}: {e}", path.display())))?;
    Ok(Some(Writer::new(file, Format::for_path(path), path)))
}

/// A job that runs.
struct Run<'a> {
    wait: Duration,
    records: bool,
    pace: Pace,
    exchange: Arc<Mutex<Exchange>>,
    seen: Receiver<Seen>,
    /// The packets of sightings, where they are compared.
    sighted: Receiver<Sighted>,
    asked: Option<Askings>,
    /// Link type of what is handed to the kernel, and how.
    way: (LinkType, Via),
    progress: Receiver<Progress>,
    control: &'a Control,
    tell: &'a mut dyn FnMut(Happened) -> Result<(), Failure>,
    exits: &'a Exits,
    /// Times of sending by the socket, for sendings that the tap did not see: index and nanoseconds.
    times: Vec<(u64, u64)>,
    /// Failures to send that were told.
    told: usize,
    /// The transmitter has not told its end.
    sending: bool,
    summary: Summary,
}

impl Run<'_> {
    fn all(&mut self) {
        while self.sending && self.hear(ATTENTION) {}
        // It ends by itself: either all is sent, or it was stopped.
        while self.sending {
            self.control.stop();
            match self.progress.recv_timeout(ATTENTION) {
                Ok(progress) => self.note(&progress),
                Err(error) if error.is_disconnected() => self.sending = false,
                Err(_) => {}
            }
        }
        let waited = self.listen(self.wait);
        if waited && !self.wait.is_zero() {
            let unanswered = lock(&self.exchange).close();
            for index in unanswered {
                self.tell(Happened::Timeout(index));
            }
        }
        if self.records {
            let until = Instant::now() + AFTERMATH;
            while Instant::now() < until && self.hear(until.saturating_duration_since(Instant::now())) {}
        }
    }

    /// Handles what is seen until so much time is over or all is answered. `false`: stopped, or failed.
    fn listen(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now().checked_add(wait);
        loop {
            let left = deadline.map_or(ATTENTION, |d| d.saturating_duration_since(Instant::now()));
            if !self.hear(left.min(ATTENTION)) {
                return false;
            }
            if self.all_is_told() || left.is_zero() {
                return true;
            }
        }
    }

    /// Handles one thing that comes within this time. `false`: stopped, or failed.
    fn hear(&mut self, wait: Duration) -> bool {
        if self.control.is_stopped() {
            self.summary.stopped = true;
            return false;
        }
        if self.summary.failure.is_some() {
            return false;
        }
        let nothing = never();
        let progress = if self.sending { &self.progress } else { &nothing };
        select! {
            recv(self.seen) -> seen => match seen {
                Ok(seen) => self.handle(seen),
                // The recorder ended: its thread says why.
                Err(_) => return false,
            },
            recv(progress) -> progress => match progress {
                Ok(progress) => self.note(&progress),
                Err(_) => self.sending = false,
            },
            default(wait) => {}
        }
        true
    }

    /// What the transmitter says.
    fn note(&mut self, progress: &Progress) {
        for (number, failure) in progress.failures.iter().skip(self.told) {
            let index = usize::try_from(*number).unwrap_or(usize::MAX);
            self.tell(Happened::NotSent(index, failure.clone()));
        }
        self.told = progress.failures.len();
        self.times.extend(self.exits.sent_times());
        self.summary.take(progress, self.pace);
        if matches!(progress.state, State::Running | State::Paused) {
            self.tell(Happened::Progress(Box::new(progress.clone())));
        } else {
            self.sending = false;
        }
    }

    fn handle(&mut self, seen: Seen) {
        match seen {
            Seen::Answer(mut answer) => {
                self.summary.answered += 1;
                if answer.sent_ns.is_none() {
                    self.times.extend(self.exits.sent_times());
                    let own = self.times.iter().find(|(index, _)| *index == answer.index as u64);
                    answer.sent_ns = own.map(|(_, ns)| *ns);
                }
                let quoting = Sighted {
                    link_type: LinkType::RAW.0,
                    original: answer.packet.len(),
                    bytes: if self.asked.is_some() { answer.packet.clone() } else { Vec::new() },
                    left_to_card: false,
                };
                let (index, from) = (answer.index, answer.from);
                self.tell(Happened::Answer(answer));
                self.compare(index, Part::Quote, Some(from), &quoting);
            }
            Seen::Duplicate(index, kind) => {
                self.summary.duplicates += 1;
                self.tell(Happened::Duplicate(index, kind));
            }
            Seen::KernelReset => {
                self.summary.kernel_resets += 1;
                self.tell(Happened::KernelReset);
            }
            Seen::Sighting(index) => {
                self.times.retain(|(other, _)| *other != index as u64);
                if let Ok(sighted) = self.sighted.try_recv() {
                    self.compare(index, Part::Packet, None, &sighted);
                }
            }
            Seen::Unrelated | Seen::Stray => {}
        }
    }

    /// Tells what became of a packet, where that is wanted.
    fn compare(&mut self, index: usize, part: Part, quoted_by: Option<IpAddr>, seen: &Sighted) {
        let Some(asked) = &self.asked else { return };
        let bytes = asked.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned();
        let asked = bytes.map(|bytes| Asked::packet(self.way.0.0, bytes, &self.way.1));
        if let Some(comparison) = asked.and_then(|asked| asked.compare(part, seen)) {
            self.tell(Happened::Compared(index, Box::new(Compared { quoted_by, comparison })));
        }
    }

    fn tell(&mut self, happened: Happened) {
        let always =
            matches!(happened, Happened::NotSent(..) | Happened::Progress(_) | Happened::Compared(..));
        if self.wait.is_zero() && !always || self.summary.failure.is_some() {
            return;
        }
        if let Err(failure) = (self.tell)(happened) {
            self.summary.failure = Some(failure);
        }
    }

    fn finish(&mut self, end: End, counters: &Counters) {
        while let Ok(seen) = self.seen.try_recv() {
            self.handle(seen);
        }
        if self.records {
            self.summary.recorded = Some(counters.summary());
        }
        if let (End::Failed(failure), None) = (end, &self.summary.failure) {
            self.summary.failure = Some(failure);
        }
    }

    /// Whether every probe has its answer, and every answer was handled. The recorder hands answers over under the
    /// lock, so that there is no moment in which one is in neither place.
    fn all_is_told(&self) -> bool {
        let exchange = lock(&self.exchange);
        exchange.open() == 0 && self.seen.is_empty()
    }
}
