//! A blocking job for the command line: send a packet, wait for what comes back, tell of it.

use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::counters::Counters;
use super::exchange::{Answer, Exchange, Record, Seen};
use super::probe::AnswerKind;
use super::recorder::{End, Recorder, link_type, now_ns};
use super::sink::{Lost, Sink, Unwritten};
use super::sources::{Access, Failure, Listen, Source, Via};
use super::tap::Settings;
use super::transmitter::{Frame, Transmitter, frame_of};
use crate::craft::{Draft, Surroundings};
use crate::net::{Interface, Place, SNAP_LENGTH};
use crate::pcap::{Direction, Format, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord, Writer};
use crate::wire::protocols;
use crate::wire::table::{Header, Space};

/// Packets a second, at most.
pub const MOST_PER_SECOND: f64 = 1000.0;
/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// What a recording goes on for after the end, so that what the last answer set off is in it: the kernel's reset.
const AFTERMATH: Duration = Duration::from_millis(50);
/// Hardware types whose frames have an Ethernet header: Ethernet, loopback (linux/if_arp.h).
const WITH_ETHERNET: [u16; 2] = [1, 772];

/// Packets to send and answers to wait for.
#[derive(Debug)]
pub struct Job {
    place: Place,
    via: Via,
    draft: Draft,
    /// Which packets are recorded, and where sendings and answers are seen.
    tap: Listen,
    /// Link type of the probes.
    link: LinkType,
    loopback: bool,
    /// How many packets.
    pub count: u64,
    /// How long to wait for answers after the last packet. Zero: nothing but the summary is told.
    pub wait: Duration,
    /// Where to record what comes by.
    pub write: Option<PathBuf>,
    /// What a person should know before the packet goes out.
    pub notes: Vec<String>,
}

/// Something that happened in a job.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A packet was answered.
    Answer(Box<Answer>),
    /// A packet has one more answer.
    Duplicate(usize, AnswerKind),
    /// The kernel of this machine sent a reset to the other end.
    KernelReset,
    /// A packet could not be sent.
    NotSent(usize, Failure),
    /// A packet had no answer in time.
    Timeout(usize),
}

/// How a job went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Packets that the kernel took.
    pub sent: u64,
    /// Packets with an answer.
    pub answered: u64,
    /// Answers beyond the first of a packet.
    pub duplicates: u64,
    /// Resets that the kernel of this machine sent to the other end.
    pub kernel_resets: u64,
    /// Packets that could not be sent.
    pub errors: u64,
    /// The time that the packets took, from the first one on; each of them counts at least the time that it had.
    pub seconds: f64,
    /// What was recorded, where it was asked for.
    pub recorded: Option<String>,
    /// It was stopped before it was done.
    pub stopped: bool,
    /// Why it could not be done.
    pub failure: Option<Failure>,
}

impl Summary {
    /// Packets a second.
    #[must_use]
    pub fn pps(&self) -> f64 {
        if self.seconds > 0.0 { self.sent as f64 / self.seconds } else { 0.0 }
    }
}

impl Job {
    /// Makes a packet ready to go out: asks the system for what only it knows (addresses, next hop, interface).
    ///
    /// # Errors
    /// There is no such interface, no route, no IP header to route by.
    pub fn prepare(access: &Access, place: Place, via: Via, draft: Draft) -> Result<Self, Failure> {
        let mut job = Self {
            place,
            via,
            draft,
            tap: Listen::Any,
            link: LinkType::RAW,
            loopback: true,
            count: 1,
            wait: Duration::from_secs(1),
            write: None,
            notes: Vec::new(),
        };
        match job.via.clone() {
            Via::Ip => job.prepare_ip(access)?,
            Via::Link(name) => job.prepare_link(access, &name)?,
        }
        Ok(job)
    }

    /// The packet as it will go out.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    fn prepare_ip(&mut self, access: &Access) -> Result<(), Failure> {
        let Some((_, to)) = self.draft.network_ends() else {
            return Err(Failure::new(
                "cannot send the packet through a raw IP socket: it has no IP header. Add one with ip(dst=…), or send \
                 it at the link layer with -i IFACE",
            ));
        };
        let found = access.neighbourhood(&self.place, to, true);
        if let (None, Some(problem)) = (found.source, found.problem) {
            return Err(Failure::new(problem));
        }
        self.draft.surround(Surroundings { route_source: found.source, ..Surroundings::default() });
        if let Some(interface) = found.interface {
            self.loopback = interface.loopback;
            self.tap = Listen::Interface(interface.name);
        }
        let behind =
            self.draft.network_layer().and_then(|l| self.draft.layers().get(..l)).unwrap_or_default();
        if let Some(first) = behind.first() {
            self.notes.push(format!(
                "the {} header is not sent: a raw IP socket begins with the IP header. -i IFACE sends it",
                first.header.name
            ));
        }
        Ok(())
    }

    fn prepare_link(&mut self, access: &Access, name: &str) -> Result<(), Failure> {
        let interface = access.interface(&self.place, name)?;
        self.link = link_type(interface.arphrd);
        self.loopback = interface.loopback;
        self.tap = Listen::Interface(name.to_owned());
        let ethernet = WITH_ETHERNET.contains(&interface.arphrd);
        let first = self.draft.layers().first().map(|l| l.header);
        let begins_a_frame = |h: &Header| h.found_by.contains(&(Space::LinkType, 1));
        match (first, protocols::by_key("eth")) {
            (Some(first), Some(header)) if ethernet && first.network => self
                .draft
                .insert_layer(0, header)
                .map_err(|e| Failure::new(format!("cannot add an Ethernet header: {e}")))?,
            (Some(first), _) if !ethernet && begins_a_frame(first) => self.notes.push(format!(
                "packets on {name} have no Ethernet header (hardware type {}), this one has: leave {}(…) out",
                interface.arphrd, first.key
            )),
            (Some(first), _) if ethernet && !begins_a_frame(first) => self.notes.push(format!(
                "frames on {name} begin with an Ethernet header, this one with {}: put eth(…) before it",
                first.name
            )),
            _ => {}
        }
        self.surround_link(access, &interface);
        Ok(())
    }

    fn surround_link(&mut self, access: &Access, interface: &Interface) {
        let mut surroundings = Surroundings { interface: interface.mac, ..Surroundings::default() };
        if let Some((_, to)) = self.draft.network_ends() {
            let found = access.neighbourhood_on(&self.place, interface, to);
            surroundings.route_source = found.source;
            surroundings.neighbour = found.neighbour;
            let named = self.draft.find("eth", "dst").is_some_and(|p| self.draft.override_of(p).is_some());
            self.notes.extend(found.problem.filter(|_| !named));
            if interface.loopback && to.is_loopback() && to.is_ipv4() {
                self.notes.push(format!(
                    "the kernel does not deliver a frame that is sent at the link layer on {} to {to}: no answer will \
                     come. Without -i it is delivered",
                    interface.name
                ));
            }
        }
        self.draft.surround(surroundings);
    }

    /// Sends the packets and tells of what comes back. Ends early when `stop` is set.
    ///
    /// # Errors
    /// What kept it from beginning: the missing privilege, a file that cannot be made. What went wrong later stands in
    /// the summary.
    pub fn run(
        &self,
        access: &Access,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Happened) -> Result<(), Failure>,
    ) -> Result<Summary, Failure> {
        let listen = self.tap.clone();
        let source =
            Source { place: self.place.clone(), listen, label: String::new(), detail: String::new() };
        let recorder = Recorder::open(access, &source, &Settings::plain(false, SNAP_LENGTH))?;
        let exchange = Arc::new(Mutex::new(Exchange::new(self.loopback)));
        let (sender, seen) = unbounded();
        let mut sink = Tee {
            writer: self.writer()?,
            exchange: Arc::clone(&exchange),
            links: Vec::new(),
            sender,
            unwritten: Unwritten::default(),
        };
        let (counters, stopper) = (recorder.counters(), recorder.stopper());
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("recorder".into());
            let thread = thread
                .spawn_scoped(scope, move || {
                    let end = recorder.run(&mut sink, &|| {});
                    drop(sink);
                    end
                })
                .map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))?;
            let mut run = Run {
                job: self,
                exchange,
                seen,
                stop,
                tell,
                transmitter: Transmitter::with_times(),
                times: Vec::new(),
                told: Vec::new(),
                summary: Summary::default(),
            };
            run.all(access);
            stopper.stop();
            let end = thread.join().unwrap_or_else(|_| End::Failed(Failure::new("the recorder panicked")));
            run.finish(end, &counters);
            Ok(run.summary)
        })
    }

    fn writer(&self) -> Result<Option<Writer<File>>, Failure> {
        let Some(path) = &self.write else { return Ok(None) };
        let file = File::create(path)
            .map_err(|e| Failure::new(format!("cannot make the file {}: {e}", path.display())))?;
        Ok(Some(Writer::new(file, Format::for_path(path), path)))
    }

    /// What goes out, and the same as the probe of an exchange. A raw IP socket writes the length itself (raw(7)).
    fn frames(&self) -> (Frame, Vec<u8>) {
        let frame = frame_of(&self.draft);
        let start = if self.via == Via::Ip { frame.network.map_or(0, |(start, _)| start) } else { 0 };
        let mut probe = frame.bytes.get(start..).unwrap_or_default().to_vec();
        if let (Via::Ip, Some((_, IpAddr::V4(_))), Ok(length)) =
            (&self.via, frame.network, u16::try_from(probe.len()))
            && let Some(field) = probe.get_mut(2..4)
        {
            field.copy_from_slice(&length.to_be_bytes());
        }
        (frame, probe)
    }
}

/// A job that runs.
struct Run<'a> {
    job: &'a Job,
    exchange: Arc<Mutex<Exchange>>,
    seen: Receiver<Seen>,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(Happened) -> Result<(), Failure>,
    transmitter: Transmitter,
    /// Times of sending by the raw socket, for sendings that the tap did not see: index and nanoseconds.
    times: Vec<(u64, u64)>,
    /// Failures to send that were told, so that a thousand of them are one message.
    told: Vec<String>,
    summary: Summary,
}

impl Run<'_> {
    fn all(&mut self, access: &Access) {
        let start = Instant::now();
        let interval = Duration::from_secs_f64(1.0 / MOST_PER_SECOND);
        let (frame, probe) = self.job.frames();
        for number in 0..self.job.count {
            // Deadlines count from the start: being late once does not make all later ones late.
            let deadline = start + Duration::from_secs_f64(number as f64 / MOST_PER_SECOND);
            if !self.listen_until(deadline, false) || !self.send(access, &frame, &probe) {
                break;
            }
        }
        let slots = interval.as_secs_f64() * self.summary.sent as f64;
        self.summary.seconds =
            start.elapsed().as_secs_f64().max(if self.summary.sent > 1 { slots } else { 0.0 });
        let waited = self.listen_until(Instant::now() + self.job.wait, true);
        if waited && !self.job.wait.is_zero() {
            let unanswered = self.lock().close();
            for index in unanswered {
                self.tell(Happened::Timeout(index));
            }
        }
        if self.job.write.is_some() {
            self.listen_until(Instant::now() + AFTERMATH, false);
        }
    }

    /// `false`: it makes no sense to go on.
    fn send(&mut self, access: &Access, frame: &Frame, probe: &[u8]) -> bool {
        let index = self.lock().expect(self.job.link.0, probe, now_ns());
        match self.transmitter.send(access, &self.job.place, &self.job.via, frame) {
            Ok(_) => {
                self.summary.sent += 1;
                self.transmitter.name_last(index as u64);
                self.times.extend(self.transmitter.sent_times());
                true
            }
            Err(failure) => {
                self.lock().withdraw(index);
                self.summary.errors += 1;
                if !self.told.contains(&failure.text) {
                    self.told.push(failure.text.clone());
                    self.tell(Happened::NotSent(index, failure));
                }
                // What fails at once fails always; what failed later (a full queue) may pass.
                self.summary.sent > 0
            }
        }
    }

    /// Handles what is seen until the deadline, or until all is answered. `false`: stopped, or failed.
    fn listen_until(&mut self, deadline: Instant, until_answered: bool) -> bool {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                self.summary.stopped = true;
                return false;
            }
            if self.summary.failure.is_some() {
                return false;
            }
            let wake = deadline.min(Instant::now() + ATTENTION);
            match self.seen.recv_deadline(wake) {
                Ok(seen) => self.handle(seen),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => return true,
                Err(RecvTimeoutError::Timeout) => {}
                // The recorder ended: its thread says why.
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            if until_answered && self.all_is_told() {
                return true;
            }
        }
    }

    fn handle(&mut self, seen: Seen) {
        match seen {
            Seen::Answer(mut answer) => {
                self.summary.answered += 1;
                if answer.sent_ns.is_none() {
                    self.times.extend(self.transmitter.sent_times());
                    let own = self.times.iter().find(|(index, _)| *index == answer.index as u64);
                    answer.sent_ns = own.map(|(_, ns)| *ns);
                }
                self.tell(Happened::Answer(answer));
            }
            Seen::Duplicate(index, kind) => {
                self.summary.duplicates += 1;
                self.tell(Happened::Duplicate(index, kind));
            }
            Seen::KernelReset => {
                self.summary.kernel_resets += 1;
                self.tell(Happened::KernelReset);
            }
            Seen::Sighting(index) => self.times.retain(|(other, _)| *other != index as u64),
            Seen::Unrelated | Seen::Stray => {}
        }
    }

    fn tell(&mut self, happened: Happened) {
        let quiet = self.job.wait.is_zero() && !matches!(happened, Happened::NotSent(..));
        if quiet || self.summary.failure.is_some() {
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
        if self.job.write.is_some() {
            self.summary.recorded = Some(counters.summary());
        }
        if let (End::Failed(failure), None) = (end, &self.summary.failure) {
            self.summary.failure = Some(failure);
        }
    }

    /// Whether every probe has its answer, and every answer was handled. The recorder hands answers over under the
    /// lock, so that there is no moment in which one is in neither place.
    fn all_is_told(&self) -> bool {
        let exchange = self.lock();
        exchange.open() == 0 && self.seen.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.exchange)
    }
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the tap sees: to the matcher, and into the file where there is one.
struct Tee {
    writer: Option<Writer<File>>,
    exchange: Arc<Mutex<Exchange>>,
    /// Link types of the interfaces, by their number.
    links: Vec<LinkType>,
    sender: Sender<Seen>,
    unwritten: Unwritten,
}

impl Sink for Tee {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        self.links.push(interface.link_type);
        match &mut self.writer {
            Some(writer) => Ok(writer.add_interface(interface)?),
            None => Ok(u32::try_from(self.links.len() - 1).unwrap_or(u32::MAX)),
        }
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        if let Some(writer) = &mut self.writer {
            writer.write_packet(record)?;
            self.unwritten.took(writer.bytes(), record.data.len());
        }
        let link = usize::try_from(record.interface).ok().and_then(|i| self.links.get(i));
        let mut exchange = lock(&self.exchange);
        let seen = exchange.take(&Record {
            link_type: link.map_or(u32::MAX, |l| l.0),
            time_ns: record.timestamp_ns,
            outgoing: record.direction == Direction::Outbound,
            bytes: record.data,
        });
        if !matches!(seen, Seen::Unrelated | Seen::Stray) {
            // Fails only when nobody waits for it any more.
            let _ = self.sender.send(seen);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let flushed = writer.flush();
        self.unwritten.settle(writer.bytes_written());
        Ok(flushed?)
    }

    fn lost(&self) -> Lost {
        self.unwritten.lost()
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        let flushed = self.flush();
        if let Some(writer) = self.writer.take() {
            flushed?;
            writer.finish(statistics)?;
        }
        Ok(())
    }
}
