//! Which packets of a capture pass a display filter: found out on all cores while others look, and stopped at once.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::flows::Flows;
use super::in_order::in_order;
use super::sources::Failure;
use crate::filter::{Facts, Filter, Packet};
use crate::pcap::{CaptureFile, ChecksumState, Index, PacketReader};
use crate::wire::dissect::Dissection;
use crate::wire::flow::FlowStore;

/// Packets that one worker tests in one go.
pub(super) const CHUNK: usize = 4096;
/// Packets whose flows are found out before they are tested.
const STRETCH: usize = 1 << 17;
/// Packets between two looks at whether the work is still wanted.
const ATTENTION: usize = 16;
/// A viewer is not woken more often than this.
const WAKE_EVERY: Duration = Duration::from_millis(16);

/// A filter over a capture that may grow. One thread works on it, any may look.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    passed: RwLock<Vec<usize>>,
    tested: AtomicUsize,
    working: AtomicBool,
    cancelled: AtomicBool,
    problem: Mutex<Option<String>>,
}

impl Sieve {
    /// Nothing is tested yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            passed: RwLock::default(),
            tested: AtomicUsize::new(0),
            working: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            problem: Mutex::default(),
        }
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How many packets pass, of those that were tested.
    #[must_use]
    pub fn len(&self) -> usize {
        self.passed.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many packets were tested: the first ones of the capture.
    #[must_use]
    pub fn tested(&self) -> usize {
        self.tested.load(Ordering::Acquire)
    }

    /// The position in the capture, from 0, of the packet that passed as number `nth`, from 0.
    #[must_use]
    pub fn position(&self, nth: usize) -> Option<usize> {
        self.passed.read().unwrap_or_else(PoisonError::into_inner).get(nth).copied()
    }

    /// The positions of those that passed as these numbers, as far as they are known.
    #[must_use]
    pub fn positions(&self, numbers: Range<usize>) -> Vec<usize> {
        let passed = self.passed.read().unwrap_or_else(PoisonError::into_inner);
        passed.get(numbers).unwrap_or_default().to_vec()
    }

    /// Which number, from 0, the packet at this position has among those that passed; where it did not pass, that of the
    /// first one behind it.
    ///
    /// # Errors
    /// It did not pass.
    pub fn nth(&self, position: usize) -> Result<usize, usize> {
        self.passed.read().unwrap_or_else(PoisonError::into_inner).binary_search(&position)
    }

    /// All positions that passed, in order.
    #[must_use]
    pub fn into_positions(self) -> Vec<usize> {
        self.passed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the work ended before the capture did; in words for a person.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that somebody is about to work on it. `false`: somebody does already, or it was given up.
    pub fn begin(&self) -> bool {
        !self.cancelled.load(Ordering::Relaxed)
            && self.problem().is_none()
            && !self.working.swap(true, Ordering::AcqRel)
    }

    /// Nobody works on it after all.
    pub fn leave(&self) {
        self.working.store(false, Ordering::Release);
    }

    /// Nobody wants to know any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Tests the packets that were not tested yet, until there are none or it is cancelled. `flows` are those of the capture,
    /// extended where the filter looks at them. `wake` is called when there is more to see, and at the end.
    pub fn work(&self, file: &CaptureFile, flows: &Flows, wake: &dyn Fn()) {
        loop {
            let index = file.index().snapshot();
            if index.len() <= self.tested() || self.cancelled.load(Ordering::Relaxed) {
                break;
            }
            if let Err(stopped) = self.test(file, index, flows, wake) {
                *self.problem.lock().unwrap_or_else(PoisonError::into_inner) =
                    stopped.map(|failure| failure.text);
                break;
            }
        }
        self.working.store(false, Ordering::Release);
        wake();
    }

    /// Tests what this index lists. An error of nothing: cancelled.
    fn test(
        &self,
        file: &CaptureFile,
        index: Index,
        flows: &Flows,
        wake: &dyn Fn(),
    ) -> Result<(), Option<Failure>> {
        let mut work = Work::of(file, &self.filter, &self.cancelled, index).map_err(Some)?;
        let from = self.tested();
        let end = work.follow(file, flows, from + STRETCH).map_err(Some)?;
        if end <= from {
            return Err(None);
        }
        let chunks = (end - from).div_ceil(CHUNK);
        let worker = || {
            let mut reader = file.reader();
            let mut found = Dissection::default();
            let work = &work;
            let mut before = work.beginning();
            move |chunk: usize| {
                let start = from + chunk * CHUNK;
                let end = (start + CHUNK).min(end);
                work.chunk(start..end, &mut before, &mut reader, &mut found).map(|passed| (end, passed))
            }
        };
        let mut woken = Instant::now();
        in_order(chunks, worker, |tested: Result<(usize, Vec<usize>), Option<Failure>>| {
            let (end, passed) = tested?;
            self.passed.write().unwrap_or_else(PoisonError::into_inner).extend(passed);
            self.tested.store(end, Ordering::Release);
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(None);
            }
            if woken.elapsed() >= WAKE_EVERY {
                woken = Instant::now();
                wake();
            }
            Ok(())
        })
    }
}

/// A filter over what an index lists.
pub(super) struct Work<'a> {
    filter: &'a Filter,
    pub cancelled: &'a AtomicBool,
    first_ns: u64,
    index: Index,
    link_types: Vec<u32>,
    /// What the filter may want to know of the packets from those before.
    told: FlowStore,
}

impl<'a> Work<'a> {
    /// Over all packets that there are now.
    pub fn new(file: &CaptureFile, filter: &'a Filter, cancelled: &'a AtomicBool) -> Result<Self, Failure> {
        Self::of(file, filter, cancelled, file.index().snapshot())
    }

    fn of(
        file: &CaptureFile,
        filter: &'a Filter,
        cancelled: &'a AtomicBool,
        index: Index,
    ) -> Result<Self, Failure> {
        let link_types: Vec<u32> = file.interfaces().iter().map(|i| i.link_type.0).collect();
        for link_type in &link_types {
            filter.suits(*link_type).map_err(Failure::new)?;
        }
        let first_ns = index.iter().find(|e| e.has_time()).map_or(0, |e| e.timestamp_ns);
        Ok(Self { filter, cancelled, first_ns, index, link_types, told: FlowStore::default() })
    }

    /// Has what the filter wants to know of the packets from those before found out, for the first `most`. Gives how many can
    /// be tested.
    pub fn follow(&mut self, file: &CaptureFile, flows: &Flows, most: usize) -> Result<usize, Failure> {
        let end = self.index.len();
        if !self.filter.needs().flows() {
            return Ok(end);
        }
        flows.extend(file, end.min(most), &|| !self.cancelled.load(Ordering::Relaxed))?;
        self.told = flows.snapshot();
        Ok(end.min(most).min(self.told.len()))
    }

    /// A position that comes before all, and the time that holds there.
    pub fn beginning(&self) -> (usize, u64) {
        (0, self.first_ns)
    }

    /// The positions of this range that pass. `before`: a position that comes earlier, and the time that holds there. An
    /// error of nothing: cancelled.
    pub fn chunk(
        &self,
        range: Range<usize>,
        before: &mut (usize, u64),
        reader: &mut PacketReader,
        found: &mut Dissection,
    ) -> Result<Vec<usize>, Option<Failure>> {
        let mut previous_ns = self.index.time_before(range.start, *before);
        let end = range.end;
        let mut told = self.told.walk(range.start);
        let mut passed = Vec::new();
        for (position, entry) in range.clone().zip(self.index.range(range)) {
            if position % ATTENTION == 0 && self.cancelled.load(Ordering::Relaxed) {
                return Err(None);
            }
            // A packet without a known interface has no link type: nothing of it can be read.
            let link_type = self.link_types.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
            let time_ns = entry.has_time().then_some(entry.timestamp_ns);
            let facts = Facts {
                number: position as u64 + 1,
                original: entry.original,
                time_ns,
                first_ns: self.first_ns,
                previous_ns,
                interface: Some(u32::from(entry.interface)),
                link_type,
                left_to_card: entry.checksum() == ChecksumState::NotComputed,
            };
            let passes = match self.filter.glance(entry.digest, &facts) {
                Some(passes) => passes,
                None => {
                    let bytes = match self.filter.needs().flows_alone() {
                        true => &[],
                        false => reader.bytes(entry).map_err(Failure::from)?,
                    };
                    self.filter.dissect(link_type, bytes, found);
                    let flows = told.next(position);
                    self.filter.matches(&Packet { bytes, found, facts, flows })
                }
            };
            if passes {
                passed.push(position);
            }
            previous_ns = time_ns.unwrap_or(previous_ns);
        }
        *before = (end, previous_ns);
        Ok(passed)
    }
}
