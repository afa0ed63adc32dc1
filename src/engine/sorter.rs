//! The rows of a list in the order of a column: sorted on all cores while others look.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::flows::Flows;
use super::in_order::in_order;
use super::sieve::Sieve;
use super::sources::Failure;
use crate::filter::column::{Wide, ordered, wide};
use crate::filter::{Column, Facts, Packet, SortBy};
use crate::pcap::{CaptureFile, ChecksumState, Direction, Index, IndexEntry, PacketReader};
use crate::wire::dissect::{Dissection, dissect_while};
use crate::wire::flow::FlowStore;
use crate::wire::summary;
use crate::wire::table::Kind;

/// Rows that one worker reads in one go.
const CHUNK: usize = 4096;
/// Rows between two looks at whether the work is still wanted.
const ATTENTION: usize = 16;
/// A viewer is not woken more often than this.
const WAKE_EVERY: Duration = Duration::from_millis(50);
/// Packets that come in are sorted in no sooner and no later than this after the last ones.
const PAUSE: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// What rows are sorted by.
#[derive(Clone, Debug)]
pub enum By {
    /// Their place in the capture.
    Number,
    /// Their time.
    Time,
    /// Their length on the wire.
    Length,
    /// Sent or received.
    Direction,
    /// The address that the row names as source.
    Source,
    /// The address that the row names as destination.
    Destination,
    /// The protocol that the row names.
    Protocol,
    /// The text of the row.
    Info,
    /// The first value of a key.
    Field(Box<Column>),
}

/// Rows in their order. A row is known by its number, from 0, among the rows in the order of the capture.
#[derive(Debug, Default)]
pub struct Arranged {
    rows: Vec<u32>,
    /// The place of each row.
    places: Vec<u32>,
}

impl Arranged {
    /// How many rows are sorted; those behind them stand as they came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at a place.
    #[must_use]
    pub fn row(&self, place: usize) -> usize {
        self.rows.get(place).map_or(place, |row| *row as usize)
    }

    /// The place of a row.
    #[must_use]
    pub fn place(&self, row: usize) -> usize {
        self.places.get(row).map_or(row, |place| *place as usize)
    }

    fn new(rows: Vec<u32>) -> Self {
        let mut places = vec![0; rows.len()];
        for (place, row) in (0..).zip(&rows) {
            if let Some(slot) = places.get_mut(*row as usize) {
                *slot = place;
            }
        }
        Self { rows, places }
    }
}

/// Rows with the keys that they are sorted by, in ascending order; equal ones as they came.
#[derive(Debug)]
struct Run<K> {
    keyed: Vec<(K, u32)>,
    /// Those without a key.
    missing: Vec<u32>,
}

impl<K> Default for Run<K> {
    fn default() -> Self {
        Self { keyed: Vec::new(), missing: Vec::new() }
    }
}

impl<K: Ord> Run<K> {
    fn len(&self) -> usize {
        self.keyed.len() + self.missing.len()
    }

    /// All rows in their order; those without a key last in either direction.
    fn rows(&self, descending: bool) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.len());
        if descending {
            let groups = self.keyed.chunk_by(|a, b| a.0 == b.0).rev();
            rows.extend(groups.flatten().map(|(_, row)| *row));
        } else {
            rows.extend(self.keyed.iter().map(|(_, row)| *row));
        }
        rows.extend(&self.missing);
        rows
    }
}

#[derive(Debug)]
enum Keys {
    Number(Run<u64>),
    Wide(Run<Wide>),
    Text(Run<Box<[u8]>>),
}

/// The rows of a list that may grow, on their way into an order. One thread works on it, any may look.
#[derive(Debug)]
pub struct Sorter {
    by: By,
    descending: AtomicBool,
    arranged: RwLock<Arc<Arranged>>,
    keys: Mutex<Keys>,
    /// Rows whose keys are known, of how many.
    taken: AtomicUsize,
    wanted: AtomicUsize,
    /// The direction of what is arranged, once something is.
    shown: Mutex<Option<bool>>,
    /// When the last work ended, and how long it took.
    worked: Mutex<Option<(Instant, Duration)>>,
    working: AtomicBool,
    cancelled: AtomicBool,
    problem: Mutex<Option<String>>,
}

impl Sorter {
    /// Nothing is sorted yet.
    #[must_use]
    pub fn new(by: By, descending: bool) -> Self {
        let keys = match by.sort_by() {
            SortBy::Number => Keys::Number(Run::default()),
            SortBy::Wide => Keys::Wide(Run::default()),
            SortBy::Text => Keys::Text(Run::default()),
        };
        Self {
            by,
            descending: AtomicBool::new(descending),
            arranged: RwLock::default(),
            keys: Mutex::new(keys),
            taken: AtomicUsize::new(0),
            wanted: AtomicUsize::new(0),
            shown: Mutex::default(),
            worked: Mutex::default(),
            working: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            problem: Mutex::default(),
        }
    }

    /// One that sorts other rows in the same way.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.by.clone(), self.is_descending())
    }

    /// The rows that are in order until now.
    #[must_use]
    pub fn arranged(&self) -> Arc<Arranged> {
        Arc::clone(&self.arranged.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the largest come first, once the work is done.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.descending.load(Ordering::Relaxed)
    }

    /// Turns the order round, which [`Self::work`] then does.
    pub fn turn(&self) {
        self.descending.fetch_xor(true, Ordering::Relaxed);
    }

    /// Rows that were looked at, of how many, while it is being worked on.
    #[must_use]
    pub fn progress(&self) -> Option<(usize, usize)> {
        let working = self.working.load(Ordering::Acquire);
        working.then(|| (self.taken.load(Ordering::Relaxed), self.wanted.load(Ordering::Relaxed)))
    }

    /// Whether a list of so many rows is in order.
    #[must_use]
    pub fn is_done(&self, rows: usize) -> bool {
        *lock(&self.shown) == Some(self.is_descending()) && self.arranged().len() == rows
    }

    /// How long rows that came in meanwhile wait until they are sorted in: longer where that takes longer.
    #[must_use]
    pub fn due_in(&self) -> Duration {
        let Some((ended, took)) = *lock(&self.worked) else { return Duration::ZERO };
        if *lock(&self.shown) != Some(self.is_descending()) {
            return Duration::ZERO;
        }
        (took * 10).clamp(PAUSE[0], PAUSE[1]).saturating_sub(ended.elapsed())
    }

    /// Why the rows are not sorted; in words for a person.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
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

    /// The same for the last who looks at it: to free the keys of ten million rows takes longer than a frame, so another
    /// thread does it.
    pub fn give_up(self: Arc<Self>) {
        self.cancel();
        // Without a thread it is freed here.
        let _ = std::thread::Builder::new().name("freer".into()).spawn(move || drop(self));
    }

    /// Sorts the rows that there are now. `wake` is called when it has come further, and at the end.
    pub fn work(&self, file: &CaptureFile, sieve: Option<&Sieve>, flows: &Flows, wake: &dyn Fn()) {
        let begun = Instant::now();
        let rows = sieve.map_or_else(|| file.len(), Sieve::len);
        let done = match &mut *lock(&self.keys) {
            Keys::Number(run) => {
                self.extend(run, (file, sieve, flows, rows), &|by, row| by.number(row), wake)
            }
            Keys::Wide(run) => self.extend(run, (file, sieve, flows, rows), &|by, row| by.wide(row), wake),
            Keys::Text(run) => self.extend(run, (file, sieve, flows, rows), &|by, row| by.text(row), wake),
        };
        if let Err(Some(failure)) = done {
            *lock(&self.problem) = Some(failure.text);
        }
        *lock(&self.worked) = Some((Instant::now(), begun.elapsed()));
        self.leave();
        wake();
    }

    /// Takes the rows in that are new, and shows all in their order. An error of nothing: cancelled.
    fn extend<K: Ord + Send>(
        &self,
        run: &mut Run<K>,
        (file, sieve, flows, rows): (&CaptureFile, Option<&Sieve>, &Flows, usize),
        key: &(dyn Fn(&By, &Row<'_>) -> Option<K> + Sync),
        wake: &dyn Fn(),
    ) -> Result<(), Option<Failure>> {
        if u32::try_from(rows).is_err() {
            return Err(Some(Failure::new(format!(
                "{rows} rows are more than can be sorted: filter them first"
            ))));
        }
        let descending = self.is_descending();
        let from = run.len();
        self.taken.store(from, Ordering::Relaxed);
        self.wanted.store(rows, Ordering::Relaxed);
        let mut work = Work::new(&self.by, &self.cancelled, file);
        if self.by.needs_flows() {
            let wanted = || !self.cancelled.load(Ordering::Relaxed);
            flows.extend(file, work.index.len(), &wanted).map_err(Some)?;
            work.told = Some(flows.snapshot());
        }
        let work = work;
        let worker = || {
            let (mut reader, mut found) = (file.reader(), Dissection::default());
            let mut before = (0, work.first_ns);
            let work = &work;
            move |chunk: usize| {
                let start = from + chunk * CHUNK;
                let range = start..(start + CHUNK).min(rows);
                let positions = sieve.map_or_else(|| range.clone().collect(), |s| s.positions(range.clone()));
                work.chunk(range, &positions, key, (&mut before, &mut reader, &mut found))
            }
        };
        let mut woken = Instant::now();
        in_order(
            (rows - from.min(rows)).div_ceil(CHUNK),
            worker,
            |made: Result<Run<K>, Option<Failure>>| {
                let made = made?;
                self.taken.fetch_add(made.len(), Ordering::Relaxed);
                run.keyed.extend(made.keyed);
                run.missing.extend(made.missing);
                if woken.elapsed() >= WAKE_EVERY {
                    woken = Instant::now();
                    wake();
                }
                Ok::<(), Option<Failure>>(())
            },
        )?;
        // Each chunk is sorted, and so is what was there: this merges them, equal keys by their rows.
        run.keyed.sort();
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(None);
        }
        let arranged = Arc::new(Arranged::new(run.rows(descending)));
        *self.arranged.write().unwrap_or_else(PoisonError::into_inner) = arranged;
        *lock(&self.shown) = Some(descending);
        Ok(())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of the packet of a row.
struct Row<'a> {
    position: usize,
    entry: &'a IndexEntry,
    packet: Packet<'a>,
}

impl By {
    fn sort_by(&self) -> SortBy {
        match self {
            Self::Number | Self::Time | Self::Length | Self::Direction => SortBy::Number,
            Self::Source | Self::Destination => SortBy::Wide,
            Self::Protocol | Self::Info => SortBy::Text,
            Self::Field(column) => column.sort_by(),
        }
    }

    /// Whether the index does not say it.
    fn needs_flows(&self) -> bool {
        matches!(self, Self::Field(column) if column.needs_flows())
    }

    fn is_in_bytes(&self) -> bool {
        !matches!(self, Self::Number | Self::Time | Self::Length | Self::Direction)
    }

    fn dissect(&self, link_type: u32, bytes: &[u8], found: &mut Dissection) {
        match self {
            Self::Field(column) => column.dissect(link_type, bytes, found),
            _ => dissect_while(link_type, bytes, &|_| true, found),
        }
    }

    fn number(&self, row: &Row<'_>) -> Option<u64> {
        let entry = row.entry;
        match self {
            Self::Number => Some(row.position as u64),
            Self::Time => entry.has_time().then_some(entry.timestamp_ns),
            Self::Length => Some(u64::from(entry.original)),
            Self::Direction => match entry.direction() {
                Direction::Unknown => None,
                Direction::Outbound => Some(ordered(0)),
                Direction::Inbound => Some(ordered(1)),
            },
            Self::Field(column) => column.number(&row.packet),
            _ => None,
        }
    }

    fn wide(&self, row: &Row<'_>) -> Option<Wide> {
        let ends = || summary::ends(row.packet.bytes, row.packet.found);
        let [source, destination] = match self {
            Self::Field(column) => return column.wide(&row.packet),
            _ => ends(),
        };
        let (kind, number) = if matches!(self, Self::Source) { source } else { destination }?;
        // The shorter addresses first, as Wireshark has it.
        let kind = match kind {
            Kind::Mac => 1,
            Kind::Ipv4 => 2,
            Kind::Ipv6 => 3,
            _ => 0,
        };
        Some(wide(kind, number))
    }

    fn text(&self, row: &Row<'_>) -> Option<Box<[u8]>> {
        let Packet { bytes, found, .. } = row.packet;
        let text = match self {
            Self::Field(column) => return column.bytes(&row.packet),
            Self::Protocol => summary::protocol(found).to_owned(),
            _ => summary::info(bytes, found),
        };
        (!text.is_empty()).then(|| text.into_bytes().into())
    }
}

/// What all workers of one go share.
struct Work<'a> {
    by: &'a By,
    cancelled: &'a AtomicBool,
    index: Index,
    link_types: Vec<u32>,
    first_ns: u64,
    /// What is known of the packets from those before, where it is asked for.
    told: Option<FlowStore>,
}

impl<'a> Work<'a> {
    fn new(by: &'a By, cancelled: &'a AtomicBool, file: &CaptureFile) -> Self {
        let index = file.index().snapshot();
        let link_types = file.interfaces().iter().map(|i| i.link_type.0).collect();
        let first_ns = index.iter().find(|e| e.has_time()).map_or(0, |e| e.timestamp_ns);
        Self { by, cancelled, index, link_types, first_ns, told: None }
    }

    /// These rows with their keys, in order. `before`: a position that comes earlier, and the time that holds there. An
    /// error of nothing: cancelled.
    fn chunk<K: Ord>(
        &self,
        rows: Range<usize>,
        positions: &[usize],
        key: &(dyn Fn(&By, &Row<'_>) -> Option<K> + Sync),
        (before, reader, found): (&mut (usize, u64), &mut PacketReader, &mut Dissection),
    ) -> Result<Run<K>, Option<Failure>> {
        let mut run = Run { keyed: Vec::with_capacity(rows.len()), missing: Vec::new() };
        for (row, position) in rows.zip(positions.iter().copied()) {
            if row % ATTENTION == 0 && self.cancelled.load(Ordering::Relaxed) {
                return Err(None);
            }
            let Some(entry) = self.index.get(position) else { break };
            let bytes = match self.by.is_in_bytes() {
                true => reader.bytes(entry).map_err(Failure::from)?,
                false => &[],
            };
            let link_type = self.link_types.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
            if self.by.is_in_bytes() {
                self.by.dissect(link_type, bytes, found);
                *before = (position, self.index.time_before(position, *before));
            }
            let facts = Facts {
                number: position as u64 + 1,
                original: entry.original,
                time_ns: entry.has_time().then_some(entry.timestamp_ns),
                first_ns: self.first_ns,
                previous_ns: before.1,
                interface: Some(u32::from(entry.interface)),
                link_type,
                left_to_card: entry.checksum() == ChecksumState::NotComputed,
            };
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            let told = self.told.as_ref().map(|told| told.of(position)).unwrap_or_default();
            let packet = Packet { bytes, found, facts, flows: &told };
            match key(self.by, &Row { position, entry, packet }) {
                Some(key) => run.keyed.push((key, row)),
                None => run.missing.push(row),
            }
        }
        run.keyed.sort_unstable();
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::pcap::{InterfaceInfo, LinkType, PacketRecord, Spool};

    /// IPv4 with UDP, or with a protocol that has no ports where there is none.
    fn packet(source: u8, port: Option<u16>) -> Vec<u8> {
        let kind = if port.is_some() { 17 } else { 253 };
        let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, kind, 0, 0, 10, 0, 0, source, 10, 0, 0, 200];
        bytes.extend(port.unwrap_or(0).to_be_bytes());
        bytes.extend([0, 53, 0, 8, 0, 0]);
        bytes
    }

    struct Capture {
        spool: Spool,
        file: CaptureFile,
        _directory: tempfile::TempDir,
    }

    fn capture() -> Capture {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path()).unwrap();
        spool.add_interface(&InterfaceInfo::new("rb0", LinkType::RAW)).unwrap();
        let file = spool.capture_file();
        Capture { spool, file, _directory: directory }
    }

    impl Capture {
        fn add(&mut self, packets: &[(u8, Option<u16>)]) {
            for (n, (source, port)) in packets.iter().enumerate() {
                let time = 1_000 + n as u64;
                self.spool.append(&PacketRecord::new(0, time, &packet(*source, *port))).unwrap();
            }
            self.spool.flush().unwrap();
        }

        fn work(&self, sorter: &Sorter, sieve: Option<&Sieve>) -> Vec<usize> {
            assert!(sorter.begin());
            sorter.work(&self.file, sieve, &Flows::default(), &|| ());
            assert_eq!(sorter.problem(), None);
            let arranged = sorter.arranged();
            let rows: Vec<usize> = (0..arranged.len()).map(|place| arranged.row(place)).collect();
            for (place, row) in rows.iter().enumerate() {
                assert_eq!(arranged.place(*row), place);
            }
            rows
        }
    }

    fn by(key: &str) -> By {
        By::Field(Box::new(Column::find(key).unwrap()))
    }

    #[test]
    fn equal_rows_stay_as_they_came_and_missing_ones_are_last() {
        let mut capture = capture();
        let ports = [Some(9), None, Some(300), Some(9), Some(80), None, Some(300)];
        capture.add(&ports.map(|port| (1, port)));
        let sorter = Sorter::new(by("udp.srcport"), false);
        assert!(!sorter.is_done(7));
        assert_eq!(capture.work(&sorter, None), [0, 3, 4, 2, 6, 1, 5]);
        assert!(sorter.is_done(7));
        sorter.turn();
        assert!(!sorter.is_done(7) && sorter.due_in() == Duration::ZERO);
        assert_eq!(capture.work(&sorter, None), [2, 6, 4, 0, 3, 1, 5]);
        // What comes later stands behind the others until it is sorted in.
        capture.add(&[(1, Some(81)), (1, Some(300))]);
        assert!(!sorter.is_done(9));
        assert_eq!((sorter.arranged().row(7), sorter.arranged().place(8)), (7, 8));
        assert!(sorter.due_in() > Duration::ZERO);
        assert_eq!(capture.work(&sorter, None), [2, 6, 8, 7, 4, 0, 3, 1, 5]);
    }

    #[test]
    fn addresses_sort_by_their_bytes_and_only_what_is_shown_is_sorted() {
        let mut capture = capture();
        capture.add(&[(100, None), (9, Some(1)), (20, Some(1)), (9, Some(2))]);
        assert_eq!(capture.work(&Sorter::new(By::Source, false), None), [1, 3, 2, 0]);
        assert_eq!(capture.work(&Sorter::new(by("ip.src"), true), None), [0, 2, 1, 3]);
        assert_eq!(capture.work(&Sorter::new(by("ip.addr"), false), None), [1, 3, 2, 0]);
        let sieve = Sieve::new(Filter::display("udp").unwrap());
        sieve.work(&capture.file, &Flows::default(), &|| ());
        assert_eq!(capture.work(&Sorter::new(By::Source, false), Some(&sieve)), [0, 2, 1]);
        assert_eq!(capture.work(&Sorter::new(By::Time, true), Some(&sieve)), [2, 1, 0]);
    }

    #[test]
    fn any_column_sorts_as_a_plain_sort_does() {
        let mut capture = capture();
        let mut random = fastrand::Rng::with_seed(7);
        let packets: Vec<(u8, Option<u16>)> =
            (0..3 * CHUNK + 5).map(|_| (random.u8(..), random.bool().then(|| random.u16(..500)))).collect();
        let (first, later) = packets.split_at(CHUNK + 77);
        let sorter = Sorter::new(by("udp.srcport"), false);
        capture.add(first);
        capture.work(&sorter, None);
        capture.add(later);
        let mut expected: Vec<usize> = (0..packets.len()).collect();
        expected.sort_by_key(|row| packets[*row].1.map_or(u32::MAX, u32::from));
        assert_eq!(capture.work(&sorter, None), expected);
        let info =
            |row: &usize| summary::row(LinkType::RAW.0, &packet(packets[*row].0, packets[*row].1)).info;
        expected.sort_unstable();
        expected.sort_by_cached_key(|row| (info(row).is_empty(), std::cmp::Reverse(info(row))));
        assert_eq!(capture.work(&Sorter::new(By::Info, true), None), expected);
        assert_eq!(capture.work(&Sorter::new(By::Number, true), None).first(), Some(&(packets.len() - 1)));
    }

    #[test]
    fn what_is_cancelled_shows_nothing() {
        let mut capture = capture();
        capture.add(&[(2, None), (1, None)]);
        let sorter = Sorter::new(By::Source, false);
        assert!(sorter.begin());
        assert!(!sorter.begin(), "somebody does already");
        sorter.cancel();
        sorter.work(&capture.file, None, &Flows::default(), &|| ());
        assert!(sorter.arranged().is_empty());
        assert!(!sorter.begin());
    }

    #[test]
    fn a_file_that_is_gone_bad_is_told() {
        let mut capture = capture();
        capture.add(&[(2, None), (1, None)]);
        std::fs::OpenOptions::new().write(true).open(capture.file.path()).unwrap().set_len(100).unwrap();
        let sorter = Sorter::new(By::Info, false);
        assert!(sorter.begin());
        sorter.work(&capture.file, None, &Flows::default(), &|| ());
        assert!(sorter.problem().unwrap().contains("shorter"));
        assert!(!sorter.begin());
    }
}
