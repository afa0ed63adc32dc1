//! A blocking job for the command line: hosts are asked with a TCP SYN again and again, side by side.
//!
//! Every probe has a source port and a sequence number of its own, so that an answer belongs to one probe alone. What
//! is an answer is for [`super::Exchange`] to say, as in every other job. Both ends of a round-trip time are what a packet
//! socket on the interface stamps: the outgoing copy that the kernel makes just before it hands the SYN to the driver, and the
//! answer where the kernel takes it from the driver. That is what tcpdump on the same interface shows for the two packets.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::asker::{Asker, Line, Numbers, Template};
use super::book::Book;
use super::counters::Counters;
use super::exchange::{Answer, Record, Seen};
use super::exits::{Exits, Wanted};
use super::job::MOST_PER_SECOND;
use super::probe::AnswerKind;
use super::recorder::{End, Recorder, Stop};
use super::sink::Sink;
use super::sources::{Access, Failure, Listen, Source, Via};
use super::tap::Settings;
use crate::craft::{Draft, Surroundings};
use crate::net::{Place, RING};
use crate::pcap::{Direction, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord};

/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// How often it is looked whether a recorder has caught up.
const GLANCE: Duration = Duration::from_millis(2);
/// How often it is told how far it is, at least.
const TELL: Duration = Duration::from_millis(100);
/// Bytes kept of a packet: all that the longest answer has before its data, or an error of a router quotes.
const SNAP: usize = 2048;
/// How often a recorder says how far it is while no packet comes.
const LOOK: Duration = Duration::from_millis(20);
/// A recorder that does not say for so long whether an answer came in time is not waited for.
const MOST_BEHIND: Duration = Duration::from_secs(10);
/// How long a probe that is answered is remembered, for answers that come twice.
const LINGER: Duration = Duration::from_secs(1);

/// Hosts to ask.
#[derive(Debug)]
pub struct Pinger {
    place: Place,
    targets: Vec<Target>,
    /// Where sendings and answers are seen, each with whether it is a loopback interface.
    taps: Vec<(Listen, bool)>,
    /// The link of the destinations that every link has for itself.
    scope: Option<u32>,
    /// How often each host is asked; `None`: until it is stopped.
    pub rounds: Option<u64>,
    /// From one round to the next; in a round every host is asked once.
    pub interval: Duration,
    /// How long an answer may take.
    pub wait: Duration,
}

/// A host.
#[derive(Debug)]
struct Target {
    template: Template,
    tap: usize,
}

/// What is told while hosts are asked.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Something happened to a probe.
    Ping(&'a Ping),
    /// For the moment all is told: time to show it. Comes some times a second at least.
    Rest(&'a Courses),
}

/// Something that happened to a probe.
#[derive(Clone, Debug)]
pub struct Ping {
    /// The host that was asked, as it stands in the list, from 0 on.
    pub target: usize,
    /// How many times it had been asked by then, from 1 on.
    pub number: u64,
    /// What happened.
    pub what: Pinged,
}

/// What happened to a probe.
#[derive(Clone, Debug)]
pub enum Pinged {
    /// It was answered. The index of the answer is the number, from 0 on.
    Answer(Box<Answer>),
    /// It has one more answer.
    Duplicate(AnswerKind),
    /// It had no answer in time. What comes for it later is not told.
    Timeout,
    /// It could not be sent.
    NotSent(Failure),
}

/// How it went for one host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Course {
    /// Packets that the kernel took.
    pub sent: u64,
    /// Packets that could not be sent.
    pub errors: u64,
    /// The time that the packets took, from the start on; each of them counts at least the interval.
    pub seconds: f64,
}

impl Course {
    /// Packets a second that were sent; 0 as long as there is none.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.sent as f64 / self.seconds } else { 0.0 }
    }
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Courses {
    /// For each host, in the order of the list.
    pub hosts: Vec<Course>,
    /// Packets that the kernel dropped before they could be looked at: answers may be among them.
    pub lost: u64,
    /// Why it could not go on.
    pub failure: Option<Failure>,
}

impl Pinger {
    /// Makes ready to ask hosts, each by the SYN that a draft is.
    ///
    /// # Errors
    /// There is no route, or a draft is no TCP over IP.
    pub fn prepare(access: &Access, place: Place, drafts: Vec<Draft>) -> Result<Self, Failure> {
        let second = Duration::from_secs(1);
        let (targets, taps) = (Vec::new(), Vec::new());
        let mut pinger =
            Self { place, targets, taps, scope: None, rounds: None, interval: second, wait: second };
        for draft in drafts {
            pinger.add(access, draft)?;
        }
        Ok(pinger)
    }

    fn add(&mut self, access: &Access, mut draft: Draft) -> Result<(), Failure> {
        let unfit = || Failure::new("cannot measure with this packet: it has no IP or no TCP header");
        let (_, to) = draft.network_ends().ok_or_else(unfit)?;
        let found = access.neighbourhood(&self.place, to, true);
        if let (None, Some(problem)) = (found.source, found.problem) {
            return Err(Failure::new(problem));
        }
        if let Some(link) = access.link_of(&self.place, to)? {
            self.scope = Some(link.index);
        }
        draft.surround(Surroundings { route_source: found.source, ..Surroundings::default() });
        let tap = match found.interface {
            Some(interface) => (Listen::Interface(interface.name), interface.loopback),
            None => (Listen::Any, true),
        };
        let known = self.taps.iter().position(|other| *other == tap);
        let at = known.unwrap_or_else(|| {
            self.taps.push(tap);
            self.taps.len() - 1
        });
        let template = Template::of(draft).ok_or_else(unfit)?;
        self.targets.push(Target { template, tap: at });
        Ok(())
    }

    /// Whether so many packets are asked for that they come in blocks, which takes a moment, and not one by one.
    fn is_fast(&self) -> bool {
        self.targets.len() as f64 / self.interval.as_secs_f64() > MOST_PER_SECOND
    }

    fn settings(&self) -> Settings {
        Settings { ring: self.is_fast().then_some(RING), ..Settings::plain(false, SNAP) }
    }

    fn exits(&self, access: &Access) -> Result<Exits, Failure> {
        let any = |v6: bool| self.targets.iter().any(|t| t.template.to.is_ipv6() == v6);
        let wanted = Wanted {
            versions: [any(false), any(true)],
            bypass: false,
            scope: self.scope,
            times: !self.is_fast(),
        };
        Exits::open(access, &self.place, &Via::Ip, wanted)
    }

    /// Asks the hosts and tells of what comes back, until it is done or `stop` is set.
    ///
    /// # Errors
    /// What kept it from beginning: the missing privilege, an interface that is gone. What went wrong later stands in
    /// what it gives.
    pub fn run(
        &self,
        access: &Access,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(News<'_>) -> Result<(), Failure>,
    ) -> Result<Courses, Failure> {
        let exits = self.exits(access)?;
        let (mut recorders, mut books) = (Vec::new(), Vec::new());
        for (listen, loopback) in &self.taps {
            let (place, listen) = (self.place.clone(), listen.clone());
            let source = Source { place, listen, label: String::new(), detail: String::new() };
            recorders.push(Recorder::open(access, &source, &self.settings())?.attentive(LOOK));
            books.push(Arc::new(Mutex::new(Book::new(*loopback, LINGER))));
        }
        let counters: Vec<Arc<Counters>> = recorders.iter().map(Recorder::counters).collect();
        let (sender, heard) = unbounded();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let all = StopAll(recorders.iter().map(Recorder::stopper).collect(), &ended);
            for (recorder, book) in recorders.into_iter().zip(&books) {
                let ear = Ear { book: Arc::clone(book), links: Vec::new(), sender: sender.clone() };
                listen(scope, recorder, ear)?;
            }
            let asker = Asker {
                lines: self.targets.iter().map(|t| Line { template: &t.template, book: t.tap }).collect(),
                books: books.clone(),
                exits: &exits,
                numbers: Numbers::of(&self.place, self.targets.len()),
                rounds: self.rounds,
                interval: self.interval,
                stop: [stop, &ended],
                sender,
            };
            let mut run = Run {
                pinger: self,
                books,
                exits: &exits,
                heard,
                stop,
                tell,
                times: HashMap::new(),
                open: BTreeMap::new(),
                all_asked: false,
                start: Instant::now(),
                rested: Instant::now(),
                done: Courses { hosts: vec![Course::default(); self.targets.len()], ..Courses::default() },
            };
            let thread = Builder::new().name("transmitter".into());
            let thread = thread.spawn_scoped(scope, move || asker.run());
            thread.map_err(|e| Failure::new(format!("cannot start the transmitter's thread: {e}")))?;
            run.all();
            drop(all);
            // Until every thread has handed over what it held.
            while let Ok(heard) = run.heard.recv() {
                run.take(heard);
            }
            run.done.lost = counters.iter().map(|c| c.now().lost_kernel).sum();
            Ok(run.done)
        })
    }
}

/// Ends the recorders and the transmitter, whatever ends the run.
struct StopAll<'a>(Vec<Stop>, &'a AtomicBool);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        self.0.iter().for_each(Stop::stop);
    }
}

fn listen<'scope>(scope: &'scope Scope<'scope, '_>, recorder: Recorder, mut ear: Ear) -> Result<(), Failure> {
    let work = move || {
        let end = recorder.run(&mut ear, &|| {});
        // Fails only when nobody waits for it any more.
        let _ = ear.sender.send(Heard::Ended(end));
    };
    let thread = Builder::new().name("recorder".into()).spawn_scoped(scope, work);
    thread.map(drop).map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))
}

/// What the threads say. Probes are numbered through all rounds, so that the number of a probe says which host it went to
/// and in which round.
pub(super) enum Heard {
    /// The probe of this number is about to be sent: now, by both clocks.
    Asked(u64, Instant, u64),
    /// It was not sent after all.
    NotSent(u64, Failure),
    /// No further one is sent.
    AllAsked,
    /// What was seen of the probe of this number.
    Of(u64, Seen),
    /// A recorder has ended.
    Ended(End),
}

/// Takes what a tap sees to the matcher.
struct Ear {
    book: Arc<Mutex<Book>>,
    /// Link types of the interfaces, by their number.
    links: Vec<LinkType>,
    sender: Sender<Heard>,
}

impl Sink for Ear {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        self.links.push(interface.link_type);
        Ok(u32::try_from(self.links.len() - 1).unwrap_or(u32::MAX))
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        let link = usize::try_from(record.interface).ok().and_then(|i| self.links.get(i));
        let record = Record {
            link_type: link.map_or(u32::MAX, |l| l.0),
            time_ns: record.timestamp_ns,
            outgoing: record.direction == Direction::Outbound,
            bytes: record.data,
        };
        // Sent under the lock, so that there is no moment in which an answer is in neither place.
        let mut book = lock(&self.book);
        if let Some((number, seen)) = book.take(&record) {
            let _ = self.sender.send(Heard::Of(number, seen));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn caught_up(&mut self, until_ns: u64) {
        lock(&self.book).caught_up(until_ns);
    }

    fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), Failure> {
        Ok(())
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hosts that are being asked.
struct Run<'a> {
    pinger: &'a Pinger,
    books: Vec<Arc<Mutex<Book>>>,
    exits: &'a Exits,
    heard: Receiver<Heard>,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(News<'_>) -> Result<(), Failure>,
    /// Times of sending by the raw sockets, for sendings that no tap saw.
    times: HashMap<u64, u64>,
    /// The probes that wait for an answer, and until when: by both clocks.
    open: BTreeMap<u64, (Instant, u64)>,
    all_asked: bool,
    start: Instant,
    /// When it was told last that all is told.
    rested: Instant,
    done: Courses,
}

impl Run<'_> {
    fn all(&mut self) {
        while !self.stop.load(Ordering::Relaxed) && self.done.failure.is_none() {
            // What came in time is not late because it was not looked at yet.
            let mut news = false;
            while let Ok(heard) = self.heard.try_recv() {
                news = true;
                self.take(heard);
            }
            let now = Instant::now();
            news |= self.give_up(now);
            if news || now.duration_since(self.rested) >= TELL {
                self.rest(now);
            }
            if self.all_asked && self.open.is_empty() {
                return;
            }
            let mut wake = now + ATTENTION;
            if let Some((deadline, _)) = self.open.values().next() {
                // One that is over waits for a recorder.
                wake = wake.min((*deadline).max(now + GLANCE));
            }
            if let Ok(heard) = self.heard.recv_deadline(wake) {
                self.take(heard);
            }
        }
    }

    /// Tells of the probes whose time is over; gives whether there were any. What came in time counts, however long it takes
    /// until it is looked at.
    fn give_up(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some((number, (deadline, deadline_ns))) = self.open.first_key_value().map(|(n, d)| (*n, *d))
        {
            let host = self.pinger.targets.get(self.target_of(number));
            let book = host.and_then(|host| self.books.get(host.tap)).map(Arc::clone);
            let is_over = deadline <= now;
            if !is_over
                || book.as_ref().is_some_and(|b| !lock(b).has_seen(deadline_ns))
                    && now < deadline + MOST_BEHIND
            {
                break;
            }
            any = true;
            self.open.remove(&number);
            // If it is not open any more, its answer is on its way here.
            if book.is_some_and(|book| lock(&book).withdraw(number)) {
                self.tell(number, Pinged::Timeout);
            }
        }
        any
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Asked(number, at, at_ns) => self.asked(number, at, at_ns),
            Heard::NotSent(number, failure) => {
                self.open.remove(&number);
                let target = self.target_of(number);
                if let Some(course) = self.done.hosts.get_mut(target) {
                    course.sent = course.sent.saturating_sub(1);
                    course.errors += 1;
                }
                self.tell(number, Pinged::NotSent(failure));
            }
            Heard::AllAsked => self.all_asked = true,
            Heard::Of(number, Seen::Answer(answer)) => self.answered(number, answer),
            Heard::Of(number, Seen::Duplicate(_, kind)) => self.tell(number, Pinged::Duplicate(kind)),
            Heard::Of(..) | Heard::Ended(End::Stopped | End::Reached) => {}
            Heard::Ended(End::Failed(failure)) => self.fail(failure),
        }
    }

    fn asked(&mut self, number: u64, at: Instant, at_ns: u64) {
        let wait_ns = u64::try_from(self.pinger.wait.as_nanos()).unwrap_or(u64::MAX);
        self.open.insert(number, (at + self.pinger.wait, at_ns.saturating_add(wait_ns)));
        let target = self.target_of(number);
        if let Some(course) = self.done.hosts.get_mut(target) {
            course.sent += 1;
            let slots = if course.sent > 1 { course.sent as f64 } else { 0.0 };
            let seconds = self.pinger.interval.as_secs_f64() * slots;
            course.seconds = at.duration_since(self.start).as_secs_f64().max(seconds);
        }
        self.fetch_times();
    }

    fn answered(&mut self, number: u64, mut answer: Box<Answer>) {
        if answer.sent_ns.is_none() {
            self.fetch_times();
            answer.sent_ns = self.times.get(&number).copied();
        }
        answer.index = usize::try_from(self.round_of(number)).unwrap_or(usize::MAX);
        let asked = self.open.remove(&number);
        // It may be looked at long after it came, and before its time was given up: what is late is late all the same.
        let wait_ns = u64::try_from(self.pinger.wait.as_nanos()).unwrap_or(u64::MAX);
        let until = answer.sent_ns.map(|sent| sent.saturating_add(wait_ns)).or(asked.map(|(_, until)| until));
        let late = until.is_some_and(|until| answer.received_ns > until);
        self.tell(number, if late { Pinged::Timeout } else { Pinged::Answer(answer) });
    }

    fn fetch_times(&mut self) {
        if self.pinger.is_fast() {
            return;
        }
        self.times.extend(self.exits.sent_times());
        let open = &self.open;
        self.times.retain(|number, _| open.contains_key(number));
    }

    fn target_of(&self, number: u64) -> usize {
        usize::try_from(number % self.pinger.targets.len().max(1) as u64).unwrap_or(0)
    }

    /// From 0 on.
    fn round_of(&self, number: u64) -> u64 {
        number / self.pinger.targets.len().max(1) as u64
    }

    fn tell(&mut self, number: u64, what: Pinged) {
        if self.done.failure.is_some() {
            return;
        }
        let ping = Ping { target: self.target_of(number), number: self.round_of(number) + 1, what };
        if let Err(failure) = (self.tell)(News::Ping(&ping)) {
            self.fail(failure);
        }
    }

    fn rest(&mut self, now: Instant) {
        self.rested = now;
        if let Err(failure) = (self.tell)(News::Rest(&self.done)) {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.done.failure.get_or_insert(failure);
    }
}
