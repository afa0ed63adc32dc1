//! A blocking job for the command line: packets are sent, what comes back is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::Answer;
use super::exits::{Exits, Wanted};
use super::job_run;
use super::pace::{Control, Pace};
use super::probe::AnswerKind;
use super::recorder::link_type;
use super::sent::{Noting, Sent};
use super::sequence::{Replay, Sequence, Unsendable, WITH_ETHERNET};
use super::sources::{Access, Failure, Listen, Via};
use super::streaming::{Ledger, Progress, State, Streaming};
use super::witness::Compared;
use crate::craft::Surroundings;
use crate::craft::fragment::Pieces;
use crate::craft::stream::Stream;
use crate::net::{self, Interface, Place, Transmitted};
use crate::pcap::LinkType;
use crate::wire::protocols;
use crate::wire::table::{Header, Space};

/// Packets a second, at most, where nobody asked for more.
pub const MOST_PER_SECOND: f64 = 1000.0;
/// Packets whose answers are counted though nobody waits for them.
const FEW: u64 = 10_000;
/// Packets that cannot be sent and are named; of more only their number is told.
const NAMED: usize = 100_000;

/// Packets to send and answers to wait for.
pub struct Job {
    pub(super) place: Place,
    pub(super) via: Via,
    /// The streams as they will go out, one of each notation.
    streams: Vec<Stream>,
    pub(super) sequence: Sequence,
    /// Which packets are recorded, and where sendings and answers are seen.
    pub(super) tap: Listen,
    /// Link type of the probes.
    pub(super) link: LinkType,
    pub(super) loopback: bool,
    /// Where the packets leave by, as far as it is known.
    interface: Option<Interface>,
    /// The interface of an IPv6 destination that every link has for itself.
    scope: Option<u32>,
    /// Who remembers what is sent, for captures that run beside.
    pub(super) noted: Option<Arc<Sent>>,
    /// How fast.
    pub pace: Pace,
    /// For how long.
    pub duration: Option<Duration>,
    /// How long to wait for answers after the last packet. Zero: nothing but the summary is told.
    pub wait: Duration,
    /// Where to record what comes by.
    pub write: Option<PathBuf>,
    /// What became of each packet on its way is told.
    pub compare: bool,
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
    /// What was asked for beside what was seen of it: how it left, or how it is quoted.
    Compared(usize, Box<Compared>),
    /// So far it is; some times a second.
    Progress(Box<Progress>),
}

/// How a job went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Packets that the kernel took.
    pub sent: u64,
    /// Packets with an answer.
    pub answered: u64,
    /// Whether anybody looked for answers.
    pub watched: bool,
    /// Answers beyond the first of a packet.
    pub duplicates: u64,
    /// Resets that the kernel of this machine sent to the other end.
    pub kernel_resets: u64,
    /// Packets that could not be sent.
    pub errors: u64,
    /// The same, by the system's name of the reason.
    pub error_kinds: BTreeMap<String, u64>,
    /// How often the sending had to wait since the interface did not take more.
    pub waits: u64,
    /// The time that the packets took, from the first one on; each of them counts at least the time that it had.
    pub seconds: f64,
    /// Packets a second that were asked for, where a number was.
    pub asked: Option<f64>,
    /// Time that was given up because the machine did not keep up, in seconds.
    pub given_up: f64,
    /// What the interface itself counted meanwhile, whoever sent it: its name, and its counters.
    pub interface: Option<(String, Transmitted)>,
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

    /// Takes over what a stream says of itself at its end.
    pub(super) fn take(&mut self, progress: &Progress, pace: Pace) {
        self.sent = progress.sent;
        self.errors = progress.failed();
        self.error_kinds.clone_from(&progress.errors);
        self.waits = progress.waits;
        self.asked = pace.pps();
        self.given_up = progress.given_up.as_secs_f64();
        let slots = match pace {
            Pace::Rate { pps, .. } if self.sent > 1 => self.sent as f64 / pps,
            // One packet has no rate: a thousandth of a second, so that none looks like a flood.
            _ if self.sent == 1 => 1.0 / MOST_PER_SECOND,
            _ => 0.0,
        };
        self.seconds = progress.elapsed.as_secs_f64().max(slots);
        self.stopped |= progress.state == State::Stopped;
        self.failure = self.failure.take().or_else(|| progress.failure.clone());
    }
}

impl Job {
    fn new(place: Place, via: Via, sequence: Sequence) -> Self {
        Self {
            place,
            via,
            streams: Vec::new(),
            sequence,
            tap: Listen::Any,
            link: LinkType::RAW,
            loopback: true,
            interface: None,
            scope: None,
            noted: None,
            pace: Pace::per_second(MOST_PER_SECOND),
            duration: None,
            wait: Duration::from_secs(1),
            write: None,
            compare: false,
            notes: Vec::new(),
        }
    }

    /// Makes packets ready to go out, in turn: asks the system for what only it knows (addresses, next hop, interface).
    ///
    /// # Errors
    /// There is no such interface, no route, no IP header to route by.
    pub fn prepare(
        access: &Access,
        place: Place,
        via: Via,
        mut streams: Vec<Stream>,
    ) -> Result<Self, Failure> {
        let mut job = Self::new(place, via.clone(), Sequence::made(Vec::new()));
        for stream in &mut streams {
            match &via {
                Via::Ip => job.prepare_ip(access, stream)?,
                Via::Link(name) => job.prepare_link(access, name, stream)?,
            }
        }
        job.notes.dedup();
        job.streams.clone_from(&streams);
        job.sequence = Sequence::made(streams);
        Ok(job)
    }

    /// Makes packets of a capture ready to be sent again.
    ///
    /// # Errors
    /// As [`Self::prepare`]; they are of another kind of link than the interface.
    pub fn replay(access: &Access, place: Place, via: Via, replay: Replay) -> Result<Self, Failure> {
        let links = replay.link_types();
        let mut job = Self::new(place, via.clone(), Sequence::replayed(replay));
        job.pace = Pace::Recorded(1.0);
        match &via {
            Via::Ip => {
                job.sequence.find_destinations();
                if let Some(to) = job.sequence.first_destination()? {
                    let found = access.neighbourhood(&job.place, to, true);
                    job.goes_by(found.interface);
                }
            }
            Via::Link(name) => {
                let interface = access.interface(&job.place, name)?;
                let link = link_type(interface.arphrd);
                if let Some(other) = links.iter().find(|l| **l != link) {
                    return Err(Failure::new(format!(
                        "packets of {} cannot be sent on {name}, whose frames are of {}: without -i, their IP packets are \
                         sent",
                        link_name(*other),
                        link_name(link)
                    )));
                }
                job.link = link;
                job.goes_by(Some(interface));
            }
        }
        Ok(job)
    }

    /// The streams as they will go out, one of each notation; none of a capture.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// How many packets are once through: all values that follow each other, all packets of a capture.
    #[must_use]
    pub fn once(&self) -> u64 {
        self.sequence.once()
    }

    /// How many different packets there are, whatever varies in them: notations, or packets of a capture.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.sequence.entries()
    }

    /// Sets how many packets are sent; `None`: as many as the duration has room for.
    pub fn count(&mut self, packets: Option<u64>) {
        self.sequence.limit(packets);
    }

    /// Has each packet be cut into pieces.
    pub fn cut_up(&mut self, pieces: Pieces) {
        self.sequence.cut_up(pieces);
    }

    /// Which packets cannot be sent as they are.
    ///
    /// # Errors
    /// One of them cannot be read or cut.
    pub fn unsendable(&mut self) -> Result<Vec<Unsendable>, Failure> {
        let Some(interface) = &self.interface else { return Ok(Vec::new()) };
        self.sequence.check(&self.via, interface, NAMED)
    }

    /// Leaves out these packets of a capture.
    pub fn leave_out(&mut self, unsendable: &[Unsendable]) {
        self.sequence.leave_out(unsendable);
    }

    /// Where the packets leave by, as far as it is known.
    pub(super) fn interface(&self) -> Option<&Interface> {
        self.interface.as_ref()
    }

    fn goes_by(&mut self, interface: Option<Interface>) {
        match (&self.interface, interface) {
            (_, None) => {}
            (None, Some(interface)) => {
                self.loopback = interface.loopback;
                self.tap = Listen::Interface(interface.name.clone());
                self.interface = Some(interface);
            }
            (Some(before), Some(interface)) if before.index != interface.index => self.tap = Listen::Any,
            _ => {}
        }
    }

    fn prepare_ip(&mut self, access: &Access, stream: &mut Stream) -> Result<(), Failure> {
        // Of a destination that varies, the first: the source address is that towards it.
        let Some((_, to)) = stream.packet(0).network_ends() else {
            return Err(Failure::new(
                "cannot send the packet through a raw IP socket: it has no IP header. Add one with ip(dst=…), or send \
                 it at the link layer with -i IFACE",
            ));
        };
        let found = access.neighbourhood(&self.place, to, true);
        if let (None, Some(problem)) = (found.source, found.problem) {
            return Err(Failure::new(problem));
        }
        self.scope = match to {
            IpAddr::V6(_) => access.link_of(&self.place, to)?.map(|i| i.index).or(self.scope),
            IpAddr::V4(_) => self.scope,
        };
        let draft = stream.draft_mut();
        draft.surround(Surroundings { route_source: found.source, ..Surroundings::default() });
        let behind = draft.network_layer().and_then(|l| draft.layers().get(..l)).unwrap_or_default();
        if let Some(first) = behind.first() {
            self.notes.push(format!(
                "the {} header is not sent: a raw IP socket begins with the IP header. -i IFACE sends it",
                first.header.name
            ));
        }
        self.goes_by(found.interface);
        Ok(())
    }

    fn prepare_link(&mut self, access: &Access, name: &str, stream: &mut Stream) -> Result<(), Failure> {
        let interface = access.interface(&self.place, name)?;
        self.link = link_type(interface.arphrd);
        let ethernet = WITH_ETHERNET.contains(&interface.arphrd);
        let first = stream.draft().layers().first().map(|l| l.header);
        let begins_a_frame = |h: &Header| h.found_by.contains(&(Space::LinkType, 1));
        match (first, protocols::by_key("eth")) {
            (Some(first), Some(header)) if ethernet && first.network => {
                stream
                    .draft_mut()
                    .insert_layer(0, header)
                    .map_err(|e| Failure::new(format!("cannot add an Ethernet header: {e}")))?;
                stream.moved(1);
            }
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
        self.surround_link(access, &interface, stream);
        self.goes_by(Some(interface));
        Ok(())
    }

    fn surround_link(&mut self, access: &Access, interface: &Interface, stream: &mut Stream) {
        let mut surroundings = Surroundings { interface: interface.mac, ..Surroundings::default() };
        let to = stream.packet(0).network_ends().map(|(_, to)| to);
        let draft = stream.draft_mut();
        let named = draft.find("eth", "dst").is_some_and(|p| draft.override_of(p).is_some());
        if let Some(to) = to {
            if named {
                // What the packet says itself is not asked of the neighbours.
                surroundings.route_source = access.source_over(&self.place, interface, to);
            } else {
                let found = access.neighbourhood_on(&self.place, interface, to);
                surroundings.route_source = found.source;
                surroundings.neighbour = found.neighbour;
                self.notes.extend(found.problem);
            }
            if interface.loopback && to.is_loopback() && to.is_ipv4() {
                self.notes.push(format!(
                    "the kernel does not deliver a frame that is sent at the link layer on {} to {to}: no answer will \
                     come. Without -i it is delivered",
                    interface.name
                ));
            }
        }
        draft.surround(surroundings);
    }

    /// Whether somebody looks for answers or records: the packets must be seen by a capture then.
    fn is_watched(&self) -> bool {
        let slow = matches!(self.pace, Pace::Rate { pps, .. } if pps <= MOST_PER_SECOND);
        let few = slow && self.sequence.most().is_some_and(|most| most <= FEW);
        !self.wait.is_zero() || self.write.is_some() || self.compare || few
    }

    /// Sends the packets and tells of what comes back. Ends early when `control` is stopped.
    ///
    /// # Errors
    /// What kept it from beginning: the missing privilege, a file that cannot be made. What went wrong later stands in
    /// the summary.
    pub fn run(
        &mut self,
        access: &Access,
        control: &Control,
        tell: &mut dyn FnMut(Happened) -> Result<(), Failure>,
    ) -> Result<Summary, Failure> {
        if self.sequence.most().is_none() {
            // As many as are due before the end; at once those that no rate counts.
            let packets = self.duration.and_then(|d| self.pace.packets_in(d));
            self.sequence.limit(packets);
        }
        let watched = self.is_watched();
        let exits = Exits::open(
            access,
            &self.place,
            &self.via,
            Wanted {
                versions: self.sequence.versions(),
                bypass: !watched && self.pace.is_fast(),
                scope: self.scope,
                times: watched && !self.pace.is_fast(),
            },
        )?;
        let counted = || {
            let interface = self.interface.as_ref()?;
            let door = access.door(&self.place).ok()?;
            net::transmitted(&door, interface.index).ok().map(|t| (interface.name.clone(), t))
        };
        let before = counted();
        let mut summary = match watched {
            true => job_run::watched(self, access, &exits, control, tell)?,
            false => self.unwatched(&exits, control, tell),
        };
        let after = self.interface.as_ref().and_then(|i| {
            let door = access.door(&self.place).ok()?;
            net::transmitted(&door, i.index).ok()
        });
        summary.interface = before.zip(after).map(|((name, before), after)| (name, after.since(before)));
        Ok(summary)
    }

    fn stream(
        &mut self,
        exits: &Exits,
        control: &Control,
        mut ledger: impl Ledger,
        tell: &mut dyn FnMut(&Progress),
    ) -> Progress {
        let streaming = Streaming::new(&self.via, exits, control, self.pace, self.duration, &mut ledger);
        streaming.run(&mut self.sequence, tell)
    }

    fn unwatched(
        &mut self,
        exits: &Exits,
        control: &Control,
        tell: &mut dyn FnMut(Happened) -> Result<(), Failure>,
    ) -> Summary {
        let mut summary = Summary::default();
        let mut told = 0;
        let mut refused = None;
        let mut tell_on = |progress: &Progress| {
            let new = progress.failures.iter().skip(told);
            let failures = new.map(|(n, f)| Happened::NotSent(usize::try_from(*n).unwrap_or(0), f.clone()));
            let all = failures.chain([Happened::Progress(Box::new(progress.clone()))]);
            for happened in all {
                if refused.is_none() {
                    refused = tell(happened).err();
                }
            }
            told = progress.failures.len();
            if refused.is_some() {
                control.stop();
            }
        };
        // Past the queue of the interface no capture sees what is sent.
        let hidden = self.via != Via::Ip && self.pace.is_fast();
        let progress = match self.noted.clone().filter(|_| !hidden) {
            Some(sent) => self.stream(exits, control, Noting::new(&sent, self.link), &mut tell_on),
            None => self.stream(exits, control, (), &mut tell_on),
        };
        summary.failure = refused;
        summary.take(&progress, self.pace);
        summary
    }
}

/// What frames of a link type begin with.
fn link_name(link: LinkType) -> String {
    let begins = |h: &&&Header| h.found_by.contains(&(Space::LinkType, link.0));
    let header = protocols::ALL.iter().find(begins);
    header.map_or_else(|| format!("link type {}", link.0), |h| format!("{} (link type {})", h.name, link.0))
}
