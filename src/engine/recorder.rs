//! The recorder: from sockets to a sink. It never waits for a viewer, and every packet that is lost is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::{Counters, Incident};
use super::sink::Sink;
use super::sources::{Access, Failure, Source};
use super::tap::{Settings, Tap};
use super::work::Work;
use crate::net::{InterfaceDrops, Stopper};
use crate::pcap::LinkType;

/// Longest wait for a packet before the counters are brought up to date.
const PATIENCE: Duration = Duration::from_millis(200);
/// A viewer is not woken more often than this.
const WAKE_EVERY: Duration = Duration::from_millis(16);
/// What came stands in the file after this time at the latest, also while so much comes that there is always more.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// How often the kernel is asked what it dropped, and the sink looks after what goes by time.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// How often a socket is looked at in the end, for what is still on its way through the kernel.
const GLANCE: Duration = Duration::from_millis(2);
/// Interface type of sockets at the IP layer, and of tunnels: ARPHRD_NONE.
const ARPHRD_NONE: u16 = 0xfffe;

/// Why a capture ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// The number of packets or the time that was asked for is reached.
    Reached,
    /// It could not go on.
    Failed(Failure),
}

/// A capture that is set up and does not run yet.
pub struct Recorder {
    taps: Vec<Tap>,
    names: HashMap<u32, String>,
    /// What the interfaces themselves drop.
    drops: Option<InterfaceDrops>,
    notes: Vec<String>,
    snap: usize,
    filter_text: Option<String>,
    packets: Option<u64>,
    duration: Option<Duration>,
    patience: Duration,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
}

/// Ends a recorder from another thread.
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    stoppers: Arc<Vec<Stopper>>,
}

impl Stop {
    /// Ends it.
    pub fn stop(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.stoppers.iter().for_each(Stopper::stop);
    }
}

impl Recorder {
    /// Opens the sockets of a source.
    ///
    /// # Errors
    /// As [`Tap::open`].
    pub fn open(access: &Access, source: &Source, settings: &Settings) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let taps = Tap::open(access, source, settings, &mut notes)?;
        let names = access.interfaces(&source.place)?.into_iter().map(|i| (i.index, i.name)).collect();
        Ok(Self {
            taps,
            names,
            drops: access.interface_drops(&source.place),
            notes,
            snap: settings.snap,
            filter_text: settings.filter_text.clone(),
            packets: None,
            duration: None,
            patience: PATIENCE,
            counters: Arc::default(),
            stop: Arc::default(),
        })
    }

    /// Has something told to whoever looks at the capture.
    #[must_use]
    pub fn noted(mut self, note: Option<String>) -> Self {
        self.notes.extend(note);
        self
    }

    /// Ends by itself after so many packets, or so much time.
    #[must_use]
    pub fn limited(mut self, packets: Option<u64>, duration: Option<Duration>) -> Self {
        self.packets = packets;
        self.duration = duration;
        self
    }

    /// Says at least so often how far it is, while no packet comes ([`Sink::caught_up`]).
    #[must_use]
    pub(super) fn attentive(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// What ends it.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        let stoppers = self.taps.iter().map(Tap::stopper).collect();
        Stop { flag: Arc::clone(&self.stop), stoppers: Arc::new(stoppers) }
    }

    /// Records until it is stopped, a limit is reached, or it cannot go on. `wake` is called after packets came or something
    /// was marked.
    pub fn run(mut self, sink: &mut dyn Sink, wake: &dyn Fn()) -> End {
        let names = std::mem::take(&mut self.names);
        let mut work = Work::new(names, self.counters(), self.packets, self.snap);
        work.filter_text = self.filter_text.take();
        for note in std::mem::take(&mut self.notes) {
            work.mark(now_ns(), Incident::Note(note));
        }
        wake();
        let mut end = self.record(&mut work, sink, wake);
        if work.has_failed() {
            self.lose_rest(&work);
        }
        self.count_drops(&mut work);
        let (now, dropped) = (now_ns(), self.counters.now().lost_kernel);
        work.mark_rest(dropped, now);
        let drops = self.drops.as_mut().and_then(|drops| drops.now().ok());
        let statistics = work.statistics(dropped, drops.as_ref(), now);
        if let (Err(failure), false) = (sink.finish(&statistics), matches!(end, End::Failed(_))) {
            end = End::Failed(failure);
        }
        work.settle(sink.lost(), now);
        wake();
        end
    }

    fn record(&mut self, work: &mut Work, sink: &mut dyn Sink, wake: &dyn Fn()) -> End {
        let mut pace = Pace::new(wake, self.duration);
        let patience = if self.taps.len() > 1 { WAKE_EVERY } else { self.patience };
        loop {
            for place in 0..self.taps.len() {
                if self.stop.load(Ordering::Relaxed) {
                    return self.drain(work, sink, End::Stopped);
                }
                let Some(timeout) = pace.timeout(patience) else {
                    return self.drain(work, sink, End::Reached);
                };
                let begun_ns = now_ns();
                match self.receive(place, timeout, work, sink) {
                    Ok(Came::Nothing) => self.say_how_far(begun_ns, sink),
                    Ok(Came::Packets) => pace.packets_came(),
                    Ok(Came::Incident) => wake(),
                    Ok(Came::Enough) => return finished(work.flush(sink), End::Reached),
                    Err(failure) => return End::Failed(failure),
                }
            }
            if pace.is_time_to_flush(self.taps.iter().any(Tap::has_more))
                && let Err(failure) = work.flush(sink)
            {
                return End::Failed(failure);
            }
            if pace.is_time_to_tick() {
                self.count_drops(work);
                if let Err(failure) = sink.tick() {
                    return self.drain(work, sink, End::Failed(failure));
                }
                if sink.is_complete() {
                    return finished(work.flush(sink), End::Reached);
                }
            }
            pace.wake_sometimes();
        }
    }

    /// One receive of one tap, and what it brought handed to the sink.
    fn receive(
        &mut self,
        place: usize,
        timeout: Duration,
        work: &mut Work,
        sink: &mut dyn Sink,
    ) -> Result<Came, Failure> {
        let Some(tap) = self.taps.get_mut(place) else { return Ok(Came::Nothing) };
        let mut timeout = timeout;
        if tap.is_away() {
            if let Some(said) = tap.find_interface()? {
                work.mark(now_ns(), Incident::Back(said));
                return Ok(Came::Incident);
            }
            timeout = timeout.min(PATIENCE);
        }
        match tap.receive(timeout) {
            Ok(0) => Ok(Came::Nothing),
            Ok(_) => {
                let look_up = |interface| tap.name_of(interface);
                match work.take(tap.packets(), &look_up, sink)? {
                    true => Ok(Came::Enough),
                    false => Ok(Came::Packets),
                }
            }
            Err(error) if tap.is_away() && error.is_interface_away() => Ok(Came::Nothing),
            Err(error) => {
                let said = tap.lose_interface(error)?;
                work.mark(now_ns(), Incident::Away(said));
                Ok(Came::Incident)
            }
        }
    }

    /// Takes what the sockets held when the recorder was stopped, and nothing that came later.
    fn drain(&mut self, work: &mut Work, sink: &mut dyn Sink, end: End) -> End {
        let stopped_ns = now_ns();
        let begun = Instant::now();
        for place in 0..self.taps.len() {
            loop {
                match self.receive(place, Duration::ZERO, work, sink) {
                    Ok(Came::Packets) => {}
                    Ok(Came::Incident) => break,
                    Ok(Came::Enough) => return finished(work.flush(sink), end),
                    Err(failure) => return finished(Err(failure), end),
                    Ok(Came::Nothing) => {
                        let Some(tap) = self.taps.get(place) else { break };
                        if begun.elapsed() >= tap.delay() || tap.is_away() {
                            break;
                        }
                        std::thread::sleep(GLANCE);
                        continue;
                    }
                }
                let last = self.taps.get(place).and_then(|tap| tap.packets().last());
                if last.is_none_or(|packet| packet.time_ns > stopped_ns) {
                    break;
                }
            }
        }
        finished(work.flush(sink), end)
    }

    /// The sink has failed: what the sockets held by now cannot be kept any more, and is counted.
    fn lose_rest(&mut self, work: &Work) {
        let (failed_ns, begun) = (now_ns(), Instant::now());
        for tap in &mut self.taps {
            loop {
                match tap.receive(Duration::ZERO) {
                    Ok(0) if begun.elapsed() < tap.delay() && !tap.is_away() => std::thread::sleep(GLANCE),
                    Ok(0) | Err(_) => break,
                    Ok(_) => {
                        let packets = tap.packets();
                        work.lose(packets.len() as u64);
                        if packets.last().is_none_or(|packet| packet.time_ns > failed_ns) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// No packet came since a receive began: what the kernel saw until then was handed over.
    fn say_how_far(&self, begun_ns: u64, sink: &mut dyn Sink) {
        if let [tap] = self.taps.as_slice() {
            let delay = u64::try_from(tap.delay().as_nanos()).unwrap_or(u64::MAX);
            sink.caught_up(begun_ns.saturating_sub(delay));
        }
    }

    fn count_drops(&self, work: &mut Work) {
        self.counters.drop_in_kernel(self.taps.iter().map(Tap::dropped).sum());
        let unreadable = self.counters.refuse_until(self.taps.iter().map(Tap::unreadable).sum());
        work.mark_unreadable(unreadable, now_ns());
    }
}

/// How a capture ends whose last work had this result: a first failure is the one that is told.
fn finished(last: Result<(), Failure>, end: End) -> End {
    match (last, end) {
        (Err(failure), End::Stopped | End::Reached) => End::Failed(failure),
        (_, end) => end,
    }
}

/// What one receive brought.
enum Came {
    Nothing,
    Packets,
    /// Something that is marked.
    Incident,
    /// Packets, and no more are wanted.
    Enough,
}

/// When what is due.
struct Pace<'a> {
    wake: &'a dyn Fn(),
    deadline: Option<Instant>,
    /// Since when something waits to be flushed.
    unflushed: Option<Instant>,
    /// Packets came that the viewer does not know of.
    dirty: bool,
    last_wake: Instant,
    last_tick: Instant,
}

impl<'a> Pace<'a> {
    fn new(wake: &'a dyn Fn(), duration: Option<Duration>) -> Self {
        let now = Instant::now();
        let deadline = duration.map(|d| now + d);
        Self { wake, deadline, unflushed: None, dirty: false, last_wake: now, last_tick: now }
    }

    /// How long to wait for packets; `None`: the time is over.
    fn timeout(&self, patience: Duration) -> Option<Duration> {
        let mut timeout = if self.dirty { WAKE_EVERY } else { patience };
        if self.unflushed.is_some() {
            timeout = Duration::ZERO;
        }
        let Some(deadline) = self.deadline else { return Some(timeout) };
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| timeout.min(left))
    }

    fn packets_came(&mut self) {
        self.dirty = true;
        self.unflushed.get_or_insert_with(Instant::now);
    }

    /// Whether to flush: there is no more to come at once, or the first packet waits for long.
    fn is_time_to_flush(&mut self, more: bool) -> bool {
        let due = self.unflushed.is_some_and(|since| !more || since.elapsed() >= FLUSH_EVERY);
        if due {
            self.unflushed = None;
        }
        due
    }

    fn is_time_to_tick(&mut self) -> bool {
        let due = self.last_tick.elapsed() >= TICK_EVERY;
        if due {
            self.last_tick = Instant::now();
        }
        due
    }

    fn wake_sometimes(&mut self) {
        if self.dirty && self.unflushed.is_none() && self.last_wake.elapsed() >= WAKE_EVERY {
            (self.wake)();
            self.last_wake = Instant::now();
            self.dirty = false;
        }
    }
}

/// The link type of an interface's packets (tcpdump.org/linktypes) by its ARPHRD number (linux/if_arp.h).
pub(super) fn link_type(hatype: u16) -> LinkType {
    match hatype {
        1 | 772 => LinkType::ETHERNET,
        // PPP without its header, tunnels, raw IP.
        ARPHRD_NONE | 512 | 519 | 768 | 769 | 776 | 778 | 823 => LinkType::RAW,
        801 => LinkType(105),
        803 => LinkType(127),
        // LINKTYPE_USER0: nothing is known of it, and it says so.
        _ => LinkType(147),
    }
}

pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
