//! What is known of the packets of a capture from those before them: made in one pass when it is first asked for, on all
//! cores but for what must be done in order, and extended as packets come.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::in_order::in_order;
use super::sources::Failure;
use crate::filter::Filter;
use crate::pcap::{CaptureFile, Index, PacketReader};
use crate::wire::dissect::Dissection;
use crate::wire::flow::{FlowStore, FlowTable, Moment, Seen, Told, seen};

/// Packets that one worker reads in one go.
const CHUNK: usize = 4096;

/// The flows of a capture that may grow. Any thread may have it extended and look.
#[derive(Debug)]
pub struct Flows {
    /// Held while it is extended.
    table: Mutex<FlowTable>,
    store: RwLock<FlowStore>,
    problem: Mutex<Option<String>>,
    /// How many packets somebody asked for.
    wanted: AtomicUsize,
    forgotten: AtomicU64,
    working: AtomicBool,
    /// Reads packets as far as they have transport headers.
    layers: Option<Filter>,
}

impl Default for Flows {
    fn default() -> Self {
        let layers = Filter::display("tcp || udp || udplite").ok();
        Self {
            table: Mutex::default(),
            store: RwLock::default(),
            problem: Mutex::default(),
            wanted: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
            working: AtomicBool::new(false),
            layers,
        }
    }
}

/// What a worker reads of a chunk of packets.
#[derive(Default)]
struct Chunk {
    seen: Vec<Seen>,
    /// Of each packet its time, and where its part of `seen` ends.
    packets: Vec<(Option<u64>, usize)>,
}

impl Flows {
    /// How many packets are known: the first ones of the capture.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known until now, to look at without keeping anybody from extending it.
    #[must_use]
    pub fn snapshot(&self) -> FlowStore {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of the packet at this position, from 0; `None`: nobody looked so far yet.
    #[must_use]
    pub fn of(&self, position: usize) -> Option<Vec<Told>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        (position < store.len()).then(|| store.of(position))
    }

    /// Why the packets behind the last known one cannot be known; in words for a person.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Flows that were forgotten because there were too many at once: what comes of them later counts as new.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// Asks for the first `until` packets. `true`: somebody has to [work](Self::work) for that, and nobody does yet.
    #[must_use]
    pub fn want(&self, until: usize) -> bool {
        self.wanted.fetch_max(until, Ordering::AcqRel);
        self.len() < until && self.problem().is_none() && !self.working.swap(true, Ordering::AcqRel)
    }

    /// Whether the packet at this position, from 0, was asked for and is not known yet.
    #[must_use]
    pub fn is_wanted(&self, position: usize) -> bool {
        (self.len()..self.wanted.load(Ordering::Acquire)).contains(&position)
    }

    /// Nobody works after all.
    pub fn leave(&self) {
        self.working.store(false, Ordering::Release);
    }

    /// Has known what was asked for, until there is nothing more to do or `wanted` gives `false`. Why it could not stands
    /// in [`Self::problem`].
    pub fn work(&self, file: &CaptureFile, wanted: &(dyn Fn() -> bool + Sync)) {
        loop {
            let until = self.wanted.load(Ordering::Acquire);
            let done = self.extend(file, until, wanted);
            self.leave();
            // Somebody may have asked for more while this one still worked.
            let more = self.wanted.load(Ordering::Acquire);
            if done.is_err() || !wanted() || more <= until || !self.want(more) {
                break;
            }
        }
    }

    /// Has the first `until` packets of the capture known. Ends early, with what there is, when `wanted` gives `false`.
    ///
    /// # Errors
    /// A packet cannot be read any more.
    pub fn extend(
        &self,
        file: &CaptureFile,
        until: usize,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Failure> {
        // Most ask for what is known already.
        if self.len() >= until {
            return Ok(());
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let index = file.index().snapshot();
        let range = self.len()..until.min(index.len());
        if range.is_empty() {
            return Ok(());
        }
        let links: Vec<u32> = file.interfaces().iter().map(|i| i.link_type.0).collect();
        let worker = || {
            let mut reader = file.reader();
            let mut found = Dissection::default();
            let (index, links, range) = (&index, &links, &range);
            move |chunk: usize| {
                let start = range.start + chunk * CHUNK;
                let part = start..(start + CHUNK).min(range.end);
                if wanted() {
                    self.read(part, index, links, &mut reader, &mut found).map(Some)
                } else {
                    Ok(None)
                }
            }
        };
        let mut told = Vec::new();
        let done: Result<(), Option<Failure>> =
            in_order(range.len().div_ceil(CHUNK), worker, |chunk: Result<Option<Chunk>, Failure>| {
                let Some(chunk) = chunk.map_err(Some)? else { return Err(None) };
                let mut from = 0;
                let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
                for (time_ns, end) in chunk.packets {
                    let number = u32::try_from(store.len() + 1).unwrap_or(u32::MAX);
                    let at = Moment { number, time_ns: time_ns.unwrap_or(0) };
                    told.clear();
                    told.extend(chunk.seen.get(from..end).unwrap_or_default().iter().map(|seen| {
                        let told = table.take(at, seen);
                        if time_ns.is_some() { told } else { told.untimed() }
                    }));
                    store.push(&told);
                    from = end;
                }
                self.forgotten.store(table.forgotten(), Ordering::Relaxed);
                Ok(())
            });
        match done {
            Err(Some(failure)) => {
                let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
                *problem = Some(failure.text.clone());
                Err(failure)
            }
            Ok(()) | Err(None) => Ok(()),
        }
    }

    fn read(
        &self,
        range: Range<usize>,
        index: &Index,
        links: &[u32],
        reader: &mut PacketReader,
        found: &mut Dissection,
    ) -> Result<Chunk, Failure> {
        let mut chunk = Chunk::default();
        chunk.packets.reserve(range.len());
        for entry in index.range(range) {
            let bytes = reader.bytes(entry).map_err(Failure::from)?;
            let link_type = links.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
            if let Some(layers) = &self.layers {
                layers.dissect(link_type, bytes, found);
            }
            let cut = (entry.original as usize).saturating_sub(bytes.len());
            seen(bytes, &found.layers, cut, &mut chunk.seen);
            chunk.packets.push((entry.has_time().then_some(entry.timestamp_ns), chunk.seen.len()));
        }
        Ok(chunk)
    }
}
