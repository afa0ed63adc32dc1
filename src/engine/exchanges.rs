//! The exchanges of a capture: found out when they are first asked for, in one pass in the background, and extended as packets
//! come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::exchange_table::{Look, Table};
use super::marks::{Matcher, Passed};
use super::roles::{Marks, Role};
use super::sent::Sent;
use crate::pcap::{CaptureFile, Direction};

/// Packets between two looks at whether the work is still wanted, and between two that others may take.
const STRETCH: usize = 4096;
/// The table is not made anew more often than this, nor so often that it takes more than a tenth of the time.
const PAUSE: Duration = Duration::from_millis(50);
const SHARE: u32 = 10;
/// The Linux loopback interface: each packet is seen once there, as it comes in.
const LOOPBACK: &str = "lo";

/// The exchanges of a capture that may grow. Any thread may have them extended and look.
#[derive(Default)]
pub struct Exchanges {
    /// Held while they are extended.
    matcher: Mutex<Matcher>,
    marks: RwLock<Marks>,
    table: RwLock<Arc<Table>>,
    look: Mutex<Look>,
    /// How many packets are known: the first ones of the capture.
    known: AtomicUsize,
    working: AtomicBool,
    /// What is looked at has changed since the table was made.
    stale: AtomicBool,
    /// When the work may go on.
    rest: Mutex<Option<Instant>>,
    problem: Mutex<Option<String>>,
    /// What this bench sent while it captured; none: the capture is not of this bench's making.
    sent: Option<Arc<Sent>>,
    /// How much it had sent before, and how much of that it will not know again.
    before: [u64; 2],
}

impl std::fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchanges").field("known", &self.len()).finish_non_exhaustive()
    }
}

impl Exchanges {
    /// Those of a capture during which this bench sends.
    #[must_use]
    pub fn live(sent: Arc<Sent>) -> Self {
        let before = [sent.noted(), sent.missed()];
        Self { sent: Some(sent), before, ..Self::default() }
    }

    /// This bench has sent something since the capture began.
    #[must_use]
    pub fn is_sent_to(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.noted() > self.before[0])
    }

    /// How many packets are known: the first ones of the capture.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.load(Ordering::Acquire)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the packet at this position, from 0, is, as far as is known: something to an earlier one, and a question.
    #[must_use]
    pub fn of(&self, position: usize) -> [Option<Role>; 2] {
        self.marks.read().unwrap_or_else(PoisonError::into_inner).of(position)
    }

    /// All that is known until now.
    #[must_use]
    pub fn snapshot(&self) -> Marks {
        self.marks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The table, as it was made last.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which exchanges are looked at.
    #[must_use]
    pub fn look(&self) -> Look {
        *lock(&self.look)
    }

    /// Looks at others.
    pub fn look_at(&self, look: Look) {
        *lock(&self.look) = look;
        self.stale.store(true, Ordering::Release);
        *lock(&self.rest) = None;
    }

    /// Packets of streams that went out too fast for this bench to know them again.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.sent.as_ref().map_or(0, |sent| sent.missed() - self.before[1])
    }

    /// Why the packets behind the last known one cannot be known; in words for a person.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Whether the first `until` packets are known, and the table is made of them.
    #[must_use]
    pub fn is_done(&self, until: usize) -> bool {
        (self.len() >= until || self.problem().is_some()) && !self.stale.load(Ordering::Acquire)
    }

    /// How long there is to wait before the work goes on.
    #[must_use]
    pub fn due_in(&self) -> Duration {
        let rest = *lock(&self.rest);
        rest.map_or(Duration::ZERO, |rest| rest.saturating_duration_since(Instant::now()))
    }

    /// Says that somebody is about to work. `false`: somebody does already.
    #[must_use]
    pub fn begin(&self) -> bool {
        !self.working.swap(true, Ordering::AcqRel)
    }

    /// Nobody works after all.
    pub fn leave(&self) {
        self.working.store(false, Ordering::Release);
    }

    /// Finds out what the packets are that have come, as long as `wanted` gives `true`, and makes the table anew. `wake` is
    /// called when there is something to see.
    pub fn work(&self, file: &CaptureFile, wanted: &dyn Fn() -> bool, wake: &dyn Fn()) {
        let done = self.extend(file, wanted, wake);
        if let Err(text) = done {
            *lock(&self.problem) = Some(text);
        }
        if wanted() {
            let begun = Instant::now();
            self.tabulate(file);
            *lock(&self.rest) = Some(Instant::now() + (begun.elapsed() * SHARE).max(PAUSE));
        }
        self.leave();
        wake();
    }

    fn extend(&self, file: &CaptureFile, wanted: &dyn Fn() -> bool, wake: &dyn Fn()) -> Result<(), String> {
        let mut matcher = lock(&self.matcher);
        let index = file.index().snapshot();
        let links: Vec<(u32, bool)> =
            file.interfaces().iter().map(|i| (i.link_type.0, i.name.as_deref() == Some(LOOPBACK))).collect();
        let mut reader = file.reader();
        let mut told = Instant::now();
        while self.len() < index.len() && wanted() {
            let start = self.len();
            let end = index.len().min(start.saturating_add(STRETCH));
            let mut found = Vec::with_capacity(end - start);
            let mut arena = Vec::new();
            for (position, entry) in (start..end).zip(index.range(start..end)) {
                let bytes = reader.bytes(entry).map_err(|e| e.to_string())?;
                let (link_type, loopback) =
                    links.get(usize::from(entry.interface)).copied().unwrap_or((u32::MAX, false));
                let time_ns = entry.has_time().then_some(entry.timestamp_ns);
                let ways = match entry.direction() {
                    _ if loopback => [true; 2],
                    Direction::Unknown => [true; 2],
                    Direction::Outbound => [true, false],
                    Direction::Inbound => [false, true],
                };
                let sent = self.sent.as_ref().filter(|_| ways[0]);
                let ours = sent.is_some_and(|s| s.is_sighting(link_type, bytes, entry.timestamp_ns));
                let Ok(position) = u32::try_from(position) else { continue };
                let from = arena.len();
                arena.extend_from_slice(bytes.get(..HEAD.min(bytes.len())).unwrap_or_default());
                found.push((position, time_ns, ways, link_type, ours, from..arena.len()));
            }
            // The lock is held for the matching alone, not while packets are read.
            let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
            for (position, time_ns, ways, link_type, ours, range) in found {
                let bytes = arena.get(range).unwrap_or_default();
                let packet = Passed { position, time_ns, ways, link_type, bytes, ours };
                matcher.take(&packet, &mut marks);
            }
            drop(marks);
            self.known.store(end, Ordering::Release);
            if told.elapsed() > PAUSE {
                told = Instant::now();
                wake();
            }
        }
        Ok(())
    }

    /// Makes the table anew.
    fn tabulate(&self, file: &CaptureFile) {
        self.stale.store(false, Ordering::Release);
        let index = file.index().snapshot();
        let time_of = |position: u32| {
            let entry = index.get(usize::try_from(position).ok()?)?;
            entry.has_time().then_some(entry.timestamp_ns)
        };
        // Who looks at a row reads too, and does not wait for it.
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        let table = Table::of(&marks, self.look(), time_of);
        drop(marks);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

/// What is looked at of a packet, in bytes: link, IP header with options, ICMP error with what it quotes. A super-packet whose
/// length stands nowhere in it (0 in its IP header) has to be larger than this to be taken for shorter.
const HEAD: usize = 2048;

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
