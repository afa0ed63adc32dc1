//! A script with sockets: what comes by goes into the machine, what it wants sent goes out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::events::{Came, Told, Verdicts, Why};
use super::machine::{Machine, Step};
use super::{Options, Script};
use crate::craft::Draft;
use crate::craft::build::Sources;
use crate::craft::stream::Stream;
use crate::engine::recorder::{End, Recorder, link_type, now_ns};
use crate::engine::sink::{Lost, Sink};
use crate::engine::sources::{Access, Failure, Listen, Source, Via};
use crate::engine::tap::Settings;
use crate::engine::transmitter::{Transmitter, frame_of};
use crate::engine::{Counters, FilePlan, FileSink, Job};
use crate::net::{Place, SNAP_LENGTH};
use crate::pcap::{Direction, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord};

/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// What a recording goes on for after the end, so that what the last packet set off is in it.
const AFTERMATH: Duration = Duration::from_millis(50);

/// A script that is ready to run.
#[derive(Debug)]
pub struct Runner {
    place: Place,
    script: Script,
    /// Instead of what the script says.
    pub options: Options,
    /// Where to record what comes by.
    pub write: Option<PathBuf>,
    /// For random values.
    pub seed: u64,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What holds and what does not.
    pub verdicts: Verdicts,
    /// How long it took.
    pub seconds: f64,
    /// Packets that were lost on the way to the script: what it says of what came may be wrong.
    pub lost: u64,
    /// What was recorded, where it was asked for.
    pub recorded: Option<String>,
    /// Why it could not go on.
    pub failure: Option<Failure>,
}

/// What a run says as it goes.
#[derive(Debug)]
pub enum Said<'a> {
    /// Something happened in the script.
    Told(&'a Told),
    /// What a person should know.
    Note(&'a str),
    /// It waits at this line, from 1 on.
    At(usize),
}

impl Runner {
    /// Where it runs.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Makes a script ready. `options` as they hold, whoever said them.
    #[must_use]
    pub fn new(place: Place, script: Script, options: Options) -> Self {
        Self { place, script, options, write: None, seed: 0 }
    }

    fn via(&self) -> Via {
        self.options.interface.clone().map_or(Via::Ip, Via::Link)
    }

    /// Where its packets are seen, and whether that shows what is sent as what comes. The interface of all its
    /// destinations where there is one, else all interfaces.
    fn tap(&self, access: &Access, sources: &mut dyn Sources) -> Result<(Listen, bool), Failure> {
        if let Some(name) = &self.options.interface {
            let interface = access.interface(&self.place, name)?;
            return Ok((Listen::Interface(name.clone()), interface.loopback));
        }
        let everywhere = (Listen::Any, true);
        let Some(packets) = self.script.packets() else { return Ok(everywhere) };
        let mut tap = None;
        let mut asked: Vec<IpAddr> = Vec::new();
        for text in packets {
            let ends = Draft::from_notation(&text, sources).ok().and_then(|draft| draft.network_ends());
            let Some((_, to)) = ends else { return Ok(everywhere) };
            if asked.contains(&to) {
                continue;
            }
            asked.push(to);
            let Some(interface) = access.neighbourhood(&self.place, to, true).interface else {
                return Ok(everywhere);
            };
            let one = (Listen::Interface(interface.name), interface.loopback);
            match &tap {
                Some(other) if *other != one => return Ok(everywhere),
                _ => tap = Some(one),
            }
        }
        Ok(tap.unwrap_or(everywhere))
    }

    /// Runs it and tells of what happens, until it is over or `stop` is set.
    ///
    /// # Errors
    /// What kept it from beginning: the missing privilege, an interface that is not there, a file that cannot be made.
    /// What went wrong later stands in what it gives.
    pub fn run(
        &self,
        access: &Access,
        sources: &mut dyn Sources,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Said<'_>) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let (listen, loopback) = self.tap(access, sources)?;
        let source =
            Source { place: self.place.clone(), listen, label: String::new(), detail: String::new() };
        let recorder = Recorder::open(access, &source, &Settings::plain(false, SNAP_LENGTH))?;
        let (sender, heard) = unbounded();
        let file = match &self.write {
            Some(path) => Some(FileSink::new(FilePlan::new(path))?),
            None => None,
        };
        let mut ear = Ear { file, links: Vec::new(), sender };
        let (counters, stopper) = (recorder.counters(), recorder.stopper());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("recorder".into());
            let thread = thread
                .spawn_scoped(scope, move || recorder.run(&mut ear, &|| {}))
                .map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))?;
            let mut run = Run {
                runner: self,
                access,
                machine: Machine::new(self.script.clone(), self.options.wait, loopback, self.seed, now_ns()),
                sources,
                heard,
                tell,
                transmitter: Transmitter::with_times(),
                guards: HashMap::new(),
                noted: Vec::new(),
                at: None,
                failure: None,
            };
            run.all(stop);
            let mut outcome = Outcome { seconds: begun.elapsed().as_secs_f64(), ..Outcome::default() };
            stopper.stop();
            let end = thread.join().unwrap_or_else(|_| End::Failed(Failure::new("the recorder panicked")));
            outcome.verdicts = run.machine.verdicts();
            outcome.failure = run.failure.take();
            if let (End::Failed(failure), None) = (end, &outcome.failure) {
                outcome.failure = Some(failure);
            }
            self.sum_up(&counters, &mut outcome);
            Ok(outcome)
        })
    }

    fn sum_up(&self, counters: &Counters, outcome: &mut Outcome) {
        let tally = counters.now();
        outcome.lost = tally.lost_kernel + tally.lost_here;
        outcome.recorded = self.write.as_ref().map(|_| counters.summary());
    }
}

/// Takes what the tap sees to the machine, and into the file where there is one.
struct Ear {
    file: Option<FileSink>,
    /// Link types of the interfaces, by their number.
    links: Vec<LinkType>,
    sender: Sender<Came>,
}

impl Sink for Ear {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        self.links.push(interface.link_type);
        match &mut self.file {
            Some(file) => file.interface(interface),
            None => Ok(u32::try_from(self.links.len() - 1).unwrap_or(u32::MAX)),
        }
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        let link = usize::try_from(record.interface).ok().and_then(|i| self.links.get(i));
        let came = Came {
            link_type: link.map_or(u32::MAX, |l| l.0),
            time_ns: record.timestamp_ns,
            outgoing: record.direction == Direction::Outbound,
            bytes: record.data.to_vec(),
        };
        // Fails only when nobody waits for it any more.
        let _ = self.sender.send(came);
        self.file.as_mut().map_or(Ok(()), |file| file.packet(record))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), Sink::flush)
    }

    fn tick(&mut self) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), Sink::tick)
    }

    fn lost(&self) -> Lost {
        self.file.as_ref().map_or_else(Lost::default, Sink::lost)
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), |file| file.finish(statistics))
    }
}

/// A script that runs.
struct Run<'a> {
    runner: &'a Runner,
    access: &'a Access,
    machine: Machine,
    sources: &'a mut dyn Sources,
    heard: Receiver<Came>,
    tell: &'a mut dyn FnMut(Said<'_>) -> Result<(), Failure>,
    transmitter: Transmitter,
    /// Source ports that are held.
    guards: HashMap<u16, OwnedFd>,
    /// Notes that were told.
    noted: Vec<String>,
    /// The line that was told last.
    at: Option<usize>,
    failure: Option<Failure>,
}

impl Run<'_> {
    fn all(&mut self, stop: &AtomicBool) {
        loop {
            // What came in time is not late because it was not looked at yet.
            let now = now_ns();
            while let Ok(came) = self.heard.try_recv() {
                self.machine.came(came);
            }
            for (number, time_ns) in self.transmitter.sent_times() {
                self.machine.went_out(number, time_ns);
            }
            if stop.load(Ordering::Relaxed) {
                self.machine.stop();
            }
            let step = self.machine.step(now);
            self.pass_on();
            if self.failure.is_some() {
                self.machine.stop();
                return;
            }
            match step {
                Step::Over => break,
                Step::Send(text) => self.send(&text),
                Step::Wait(until) => {
                    self.tell_line();
                    let left = Duration::from_nanos(until.saturating_sub(now)).min(ATTENTION);
                    if !self.listen(left) {
                        return;
                    }
                }
            }
        }
        if self.runner.write.is_some() {
            std::thread::sleep(AFTERMATH);
        }
    }

    /// Tells where it waits, where that is another line than before.
    fn tell_line(&mut self) {
        let line = self.machine.line_number().filter(|line| self.at != Some(*line));
        if let Some(line) = line {
            self.at = Some(line);
            self.failure = (self.tell)(Said::At(line)).err();
        }
    }

    /// `false`: the recorder ended; its thread says why.
    fn listen(&mut self, time: Duration) -> bool {
        match self.heard.recv_timeout(time) {
            Ok(came) => self.machine.came(came),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.machine.stop();
                return false;
            }
        }
        true
    }

    fn pass_on(&mut self) {
        while let Some(told) = self.machine.told() {
            if self.failure.is_none()
                && let Err(failure) = (self.tell)(Said::Told(&told))
            {
                self.failure = Some(failure);
            }
        }
    }

    fn send(&mut self, text: &str) {
        let draft = Draft::from_notation(text, self.sources);
        let result = match draft.map_err(|e| Why::Wrong(e.render(text))) {
            Ok(draft) => self.try_send(draft).map_err(|failure| {
                let text = failure.text.clone();
                // Without the right to send nothing can be said of the script.
                if failure.lists_ways() {
                    self.failure = Some(failure);
                }
                Why::NotSent(text)
            }),
            Err(why) => Err(why),
        };
        self.machine.sent(result);
    }

    fn try_send(&mut self, draft: Draft) -> Result<(), Failure> {
        let via = self.runner.via();
        let job =
            Job::prepare(self.access, self.runner.place.clone(), via.clone(), vec![Stream::plain(draft)])?;
        let Some(draft) = job.streams().first().map(Stream::draft) else { return Ok(()) };
        self.note(&job, draft, &via)?;
        if self.runner.options.guard {
            self.hold_port(draft)?;
        }
        let frame = frame_of(draft);
        let (link, start) = match &via {
            Via::Ip => (LinkType::RAW, frame.network.map_or(0, |(start, _)| start)),
            Via::Link(name) => (link_type(self.access.interface(&self.runner.place, name)?.arphrd), 0),
        };
        let mut bytes = frame.bytes.get(start..).unwrap_or_default().to_vec();
        // A raw IPv4 socket writes the length itself (raw(7)).
        if let (Via::Ip, Some((_, IpAddr::V4(_))), Ok(length)) =
            (&via, frame.network, u16::try_from(bytes.len()))
            && let Some(field) = bytes.get_mut(2..4)
        {
            field.copy_from_slice(&length.to_be_bytes());
        }
        let number = self.machine.going(link.0, &bytes, now_ns());
        self.transmitter.send(self.access, &self.runner.place, &via, &frame)?;
        self.transmitter.name_last(number);
        Ok(())
    }

    /// What a person should know of a packet, each thing once.
    fn note(&mut self, job: &Job, draft: &Draft, via: &Via) -> Result<(), Failure> {
        let mut notes = job.notes.clone();
        if *via == Via::Ip {
            let changed = draft.overwrites().into_iter().filter(|o| o.changes);
            notes.extend(changed.map(|o| format!("{}: {}; interface … sends it as it is", o.key, o.text)));
        }
        for note in notes {
            if !self.noted.contains(&note) {
                (self.tell)(Said::Note(&note))?;
                self.noted.push(note);
            }
        }
        Ok(())
    }

    /// Holds the source port of a TCP packet until the end of the run.
    fn hold_port(&mut self, draft: &Draft) -> Result<(), Failure> {
        let Some(path) = draft.find("tcp", "srcport") else { return Ok(()) };
        let port = draft.locate(path).and_then(|f| f.stored(draft.bytes()));
        let Some(port) = port.and_then(|p| u16::try_from(p).ok()) else { return Ok(()) };
        if !self.guards.contains_key(&port) {
            let guard = self.access.door(&self.runner.place)?.tcp_guard(port)?;
            self.guards.insert(port, guard);
        }
        Ok(())
    }
}
