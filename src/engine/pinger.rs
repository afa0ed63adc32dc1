//! A blocking job for the command line: hosts are asked with a TCP SYN again and again, side by side.
//!
//! Every probe has a source port and a sequence number of its own, so that an answer belongs to one probe alone. What
//! is an answer is for [`super::Exchange`] to say, as in every other job; both ends of a round-trip time are the kernel's.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::book::Book;
use super::exchange::{Answer, Record, Seen};
use super::probe::AnswerKind;
use super::recorder::{End, Recorder, Stop, now_ns};
use super::sink::Sink;
use super::sources::{Access, Failure, Listen, Source, Via};
use super::tap::Settings;
use super::transmitter::{Transmitter, frame_of};
use crate::craft::{Draft, Surroundings};
use crate::net::{Place, SNAP_LENGTH};
use crate::pcap::{Direction, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord};
use crate::wire::view::Path;

/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// Where a namespace says from which ports its own connections go out: the first and the last.
const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// What that is as long as nobody changes it.
const USUAL_PORTS: [u16; 2] = [32768, 60999];

/// Hosts to ask.
#[derive(Debug)]
pub struct Pinger {
    place: Place,
    targets: Vec<Target>,
    /// Where sendings and answers are seen, each with whether it is a loopback interface.
    taps: Vec<(Listen, bool)>,
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
    /// The SYN, but for its source port and its sequence number.
    draft: Draft,
    source_port: Path,
    sequence: Path,
    v6: bool,
    tap: usize,
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

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Courses {
    /// For each host, in the order of the list.
    pub hosts: Vec<Course>,
    /// Why it could not go on.
    pub failure: Option<Failure>,
}

impl Pinger {
    /// Makes ready to ask hosts, each by the SYN that a draft is.
    ///
    /// # Errors
    /// There is no route, or a draft is no TCP over IP.
    pub fn prepare(access: &Access, place: Place, drafts: Vec<Draft>) -> Result<Self, Failure> {
        let (interval, wait) = (Duration::from_secs(1), Duration::from_secs(1));
        let mut pinger = Self { place, targets: Vec::new(), taps: Vec::new(), rounds: None, interval, wait };
        for draft in drafts {
            pinger.add(access, draft)?;
        }
        Ok(pinger)
    }

    fn add(&mut self, access: &Access, mut draft: Draft) -> Result<(), Failure> {
        let field = |key: &str| draft.find("tcp", key);
        let (Some((_, to)), Some(source_port), Some(sequence)) =
            (draft.network_ends(), field("srcport"), field("seq_raw"))
        else {
            return Err(Failure::new("cannot measure with this packet: it has no IP or no TCP header"));
        };
        let found = access.neighbourhood(&self.place, to, true);
        if let (None, Some(problem)) = (found.source, found.problem) {
            return Err(Failure::new(problem));
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
        let v6 = matches!(to, IpAddr::V6(_));
        self.targets.push(Target { draft, source_port, sequence, v6, tap: at });
        Ok(())
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
        tell: &mut dyn FnMut(&Ping) -> Result<(), Failure>,
    ) -> Result<Courses, Failure> {
        let mut recorders = Vec::new();
        for (listen, _) in &self.taps {
            let (place, listen) = (self.place.clone(), listen.clone());
            let source = Source { place, listen, label: String::new(), detail: String::new() };
            recorders.push(Recorder::open(access, &source, &Settings::plain(false, SNAP_LENGTH))?);
        }
        let books: Vec<_> =
            self.taps.iter().map(|(_, loopback)| Arc::new(Mutex::new(Book::new(*loopback)))).collect();
        let (sender, heard) = unbounded();
        std::thread::scope(|scope| {
            let all = StopAll(recorders.iter().map(Recorder::stopper).collect());
            for (recorder, book) in recorders.into_iter().zip(&books) {
                listen(scope, recorder, Ear::new(Arc::clone(book), sender.clone()))?;
            }
            drop(sender);
            let mut run = Run {
                pinger: self,
                books,
                heard,
                stop,
                tell,
                ports: source_ports(&self.place),
                transmitters: [Transmitter::with_times(), Transmitter::with_times()],
                times: HashMap::new(),
                open: BTreeMap::new(),
                asked: 0,
                start: Instant::now(),
                done: Courses { hosts: vec![Course::default(); self.targets.len()], failure: None },
            };
            run.all(access);
            drop(all);
            // Until every recorder has handed over what it held.
            while let Ok(heard) = run.heard.recv() {
                run.take(heard);
            }
            Ok(run.done)
        })
    }
}

/// The ports to send from, in random order: those above 1023 from which the place's own connections do not go out. Of
/// another namespace only the usual range is known.
fn source_ports(place: &Place) -> Vec<u16> {
    let said = if *place == Place::Host { std::fs::read_to_string(LOCAL_PORTS).ok() } else { None };
    let mut ports = ports_besides(said.as_deref().and_then(port_range).unwrap_or(USUAL_PORTS));
    fastrand::shuffle(&mut ports);
    ports
}

fn port_range(text: &str) -> Option<[u16; 2]> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Some([first, last]),
        _ => None,
    }
}

/// The ports above 1023 that are not in the range; all of them where next to none is left.
fn ports_besides([first, last]: [u16; 2]) -> Vec<u16> {
    const ENOUGH: usize = 256;
    let free: Vec<u16> = (1024..=u16::MAX).filter(|port| !(first..=last).contains(port)).collect();
    if free.len() < ENOUGH { (1024..=u16::MAX).collect() } else { free }
}

/// Ends the recorders, whatever ends the run.
struct StopAll(Vec<Stop>);

impl Drop for StopAll {
    fn drop(&mut self) {
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

/// What a recorder's thread says.
enum Heard {
    /// Of the probe of this number.
    Of(u64, Seen),
    Ended(End),
}

/// Takes what a tap sees to the matcher.
struct Ear {
    book: Arc<Mutex<Book>>,
    /// Link types of the interfaces, by their number.
    links: Vec<LinkType>,
    sender: Sender<Heard>,
}

impl Ear {
    fn new(book: Arc<Mutex<Book>>, sender: Sender<Heard>) -> Self {
        Self { book, links: Vec::new(), sender }
    }
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
            // Fails only when nobody waits for it any more.
            let _ = self.sender.send(Heard::Of(number, seen));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), Failure> {
        Ok(())
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hosts that are being asked. The probes are numbered through all rounds, so that the number of a probe says which
/// host it went to and in which round.
struct Run<'a> {
    pinger: &'a Pinger,
    books: Vec<Arc<Mutex<Book>>>,
    heard: Receiver<Heard>,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(&Ping) -> Result<(), Failure>,
    ports: Vec<u16>,
    /// For IPv4 and for IPv6: each keeps its socket.
    transmitters: [Transmitter; 2],
    /// Times of sending by the raw sockets, for sendings that no tap saw.
    times: HashMap<u64, u64>,
    /// The probes that wait for an answer, and until when.
    open: BTreeMap<u64, Instant>,
    /// How many probes there were.
    asked: u64,
    start: Instant,
    done: Courses,
}

impl Run<'_> {
    fn all(&mut self, access: &Access) {
        let mut next = self.start;
        let mut rounds = 0;
        while !self.stop.load(Ordering::Relaxed) && self.done.failure.is_none() {
            // What came in time is not late because it was not looked at yet.
            while let Ok(heard) = self.heard.try_recv() {
                self.take(heard);
            }
            let now = Instant::now();
            self.give_up(now);
            let more = self.pinger.rounds.is_none_or(|most| rounds < most);
            if !more && self.open.is_empty() {
                return;
            }
            if more && now >= next {
                (0..self.pinger.targets.len()).for_each(|target| self.ask(access, target));
                rounds += 1;
                // After a pause of the whole machine the rounds go on at their pace, and not all at once.
                next = (next + self.pinger.interval).max(now);
                continue;
            }
            let mut wake = now + ATTENTION;
            wake = if more { wake.min(next) } else { wake };
            wake = self.open.values().next().map_or(wake, |deadline| wake.min(*deadline));
            if let Ok(heard) = self.heard.recv_deadline(wake) {
                self.take(heard);
            }
        }
    }

    /// Sends a host its next probe.
    fn ask(&mut self, access: &Access, target: usize) {
        let number = self.asked;
        self.asked += 1;
        let Some(host) = self.pinger.targets.get(target) else { return };
        let sent = self.send(access, host, number);
        let Some(course) = self.done.hosts.get_mut(target) else { return };
        match sent {
            Ok(()) => {
                course.sent += 1;
                let slots = if course.sent > 1 { course.sent as f64 } else { 0.0 };
                let seconds = self.pinger.interval.as_secs_f64() * slots;
                course.seconds = self.start.elapsed().as_secs_f64().max(seconds);
                self.open.insert(number, Instant::now() + self.pinger.wait);
            }
            Err(failure) => {
                course.errors += 1;
                self.tell(number, Pinged::NotSent(failure));
            }
        }
    }

    fn send(&mut self, access: &Access, host: &Target, number: u64) -> Result<(), Failure> {
        let refused = |e: crate::wire::value::Refused| Failure::new(e.to_string());
        let mut draft = host.draft.clone();
        let at = usize::try_from(number % self.ports.len() as u64).unwrap_or(0);
        let port = self.ports.get(at).copied().unwrap_or(0);
        draft.set(host.source_port, u128::from(port)).map_err(refused)?;
        draft.set(host.sequence, u128::from(fastrand::u32(..))).map_err(refused)?;
        let frame = frame_of(&draft);
        let start = frame.network.map_or(0, |(start, _)| start);
        let book = self.books.get(host.tap).map(Arc::clone);
        if let Some(book) = &book {
            lock(book).expect(number, frame.bytes.get(start..).unwrap_or_default(), now_ns());
        }
        let transmitter = &mut self.transmitters[usize::from(host.v6)];
        if let Err(failure) = transmitter.send(access, &self.pinger.place, &Via::Ip, &frame) {
            if let Some(book) = book {
                lock(&book).withdraw(number);
            }
            return Err(failure);
        }
        transmitter.name_last(number);
        self.fetch_times();
        Ok(())
    }

    /// Tells of the probes whose time is over.
    fn give_up(&mut self, now: Instant) {
        while let Some(first) = self.open.first_entry().filter(|first| *first.get() <= now) {
            let number = *first.key();
            first.remove();
            let host = self.pinger.targets.get(self.target_of(number));
            let book = host.and_then(|host| self.books.get(host.tap));
            // If it is not open any more, its answer is on its way here.
            if book.is_some_and(|book| lock(book).withdraw(number)) {
                self.tell(number, Pinged::Timeout);
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Of(number, Seen::Answer(mut answer)) => {
                if answer.sent_ns.is_none() {
                    self.fetch_times();
                    answer.sent_ns = self.times.get(&number).copied();
                }
                answer.index = usize::try_from(self.round_of(number)).unwrap_or(usize::MAX);
                self.open.remove(&number);
                self.tell(number, Pinged::Answer(answer));
            }
            Heard::Of(number, Seen::Duplicate(_, kind)) => self.tell(number, Pinged::Duplicate(kind)),
            Heard::Of(..) | Heard::Ended(End::Stopped | End::Reached) => {}
            Heard::Ended(End::Failed(failure)) => self.fail(failure),
        }
    }

    fn fetch_times(&mut self) {
        for transmitter in &mut self.transmitters {
            self.times.extend(transmitter.sent_times());
        }
        let (open, newest) = (&self.open, self.asked.saturating_sub(1));
        self.times.retain(|number, _| open.contains_key(number) || *number == newest);
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
        if let Err(failure) = (self.tell)(&ping) {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.done.failure.get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_not_those_of_the_machine() {
        let ports = ports_besides([32768, 60999]);
        assert_eq!(ports.len(), 65536 - 1024 - (60999 - 32768 + 1));
        assert!(ports.iter().all(|p| *p >= 1024 && !(32768..=60999).contains(p)));
        assert_eq!(ports_besides([1024, 65535]).len(), 65536 - 1024, "where none is left, all of them");
        assert_eq!(port_range("32768\t60999\n"), Some([32768, 60999]));
        assert_eq!((port_range(""), port_range("1 x")), (None, None));
    }
}
