//! The capture panel's state: a capture file that may still grow, and the rows of it that are in sight.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::exchanges::Reason;
use super::gaps::Gaps;
use super::list::{RowMaker, Sorted};
use crate::engine::{Counters, Exchanges, Flows, Incident, Ladder, Reading, Reassembly, Sieve};
use crate::filter::{Facts, Packet};
use crate::pcap::{self, CaptureFile, ChecksumState, IndexEntry};
use crate::wire::dissect::dissect;
use crate::wire::flow::Told;
use crate::wire::summary::{self, Row};

/// Rows that are kept dissected.
const CACHE: usize = 4096;

/// Where the packets come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing yet.
    #[default]
    Empty,
    /// A capture of this session: the source's label.
    Live(String),
    /// The spool that a killed program left behind.
    Left(PathBuf),
    /// A file.
    File(PathBuf),
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Position, from 1.
    pub number: usize,
    /// Time since the first packet, in nanoseconds, where it has a time.
    pub relative_ns: Option<i64>,
    /// What the file knows of the packet.
    pub entry: IndexEntry,
    /// What its bytes say.
    pub row: Row,
    /// The texts of the columns that show keys, by column; empty for the others.
    pub cells: Vec<String>,
    /// The colour rule that holds for it.
    pub rule: Option<usize>,
}

/// A packet of the capture with its bytes.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Position, from 0.
    pub index: usize,
    /// Its link type.
    pub link_type: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the file knows of it.
    pub entry: IndexEntry,
}

/// The datagram that the selected packet is a fragment of.
#[derive(Debug)]
pub(super) struct Sought {
    /// The number of the order that asks for it, and when it was given.
    pub ask: u64,
    pub asked: Instant,
    /// The answer has not come yet.
    pub waiting: bool,
    /// What was found until now, or why nothing can be.
    pub found: Option<Result<Reassembly, String>>,
}

/// The capture panel.
#[derive(Debug, Default)]
pub struct CaptureState {
    /// The packets.
    pub(super) file: Option<CaptureFile>,
    /// Where they come from.
    pub(super) origin: Origin,
    /// What the recorder counts, while and after it runs.
    pub(super) counters: Option<Arc<Counters>>,
    /// A capture is being started, or runs.
    pub(super) starting: bool,
    pub(super) running: bool,
    /// A file is being read.
    pub(super) loading: bool,
    /// How far that is, and what ends it; also of a file that is read on while it grows.
    pub(super) reading: Option<Arc<Reading>>,
    /// What is not there of the file, for a person.
    pub(super) partly: Option<String>,
    /// Packets that stand in a file of the user's.
    pub(super) saved: usize,
    /// The newest row is kept in sight.
    pub(super) follow: bool,
    pub(super) selected: Option<Selected>,
    pub(super) sought: Option<Sought>,
    /// Which packets the list shows; `None`: all.
    pub(super) sieve: Option<Arc<Sieve>>,
    /// What is known of its packets from those before, as far as anybody asked.
    pub(super) flows: Arc<Flows>,
    /// What its packets are to those that were sent, as far as anybody asked.
    pub(super) exchanges: Arc<Exchanges>,
    /// Somebody asks.
    pub(super) traced: bool,
    /// What the packet at a position is, and why.
    pub(super) reasons: Option<(usize, Vec<Reason>)>,
    /// The order of the rows; `None`: that of the capture.
    pub(super) sorted: Option<Sorted>,
    pub(super) gaps: Gaps,
    /// The gap that was gone to last.
    pub(super) gap_at: Option<usize>,
    pub(super) maker: Arc<RowMaker>,
    /// The conversation that is shown, or why none can be.
    pub(super) ladder: Option<Result<Ladder, String>>,
    /// Marks of the ledger that were looked at.
    marks_seen: usize,
    rows: HashMap<usize, Arc<ListRow>>,
    /// The time of the first packet that has one, and how many were looked at for it.
    first_ns: Option<u64>,
    looked_at: usize,
}

impl CaptureState {
    pub(super) fn new(file: Option<CaptureFile>, origin: Origin) -> Self {
        Self { file, origin, follow: true, ..Self::default() }
    }

    /// The capture itself, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&CaptureFile> {
        self.file.as_ref()
    }

    /// How many packets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.file.as_ref().map_or(0, CaptureFile::len)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many packets the list shows: those that pass the filter, as far as is known.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.sieve.as_ref().map_or(self.len(), |sieve| sieve.len())
    }

    /// The position, from 0, of the packet with this number, from 0, among those that are shown.
    #[must_use]
    pub fn position(&self, row: usize) -> Option<usize> {
        match &self.sieve {
            Some(sieve) => sieve.position(row),
            None => Some(row),
        }
    }

    /// The filter that the list is under.
    #[must_use]
    pub fn sieve(&self) -> Option<&Sieve> {
        self.sieve.as_deref()
    }

    /// Shows what passes this filter, and gives up the one before.
    pub(super) fn sift(&mut self, sieve: Option<Arc<Sieve>>) {
        if let Some(before) = std::mem::replace(&mut self.sieve, sieve) {
            before.cancel();
        }
        self.sort_again();
    }

    /// Where the packets come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A capture runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// A capture runs or is about to.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.running || self.starting
    }

    /// A file is being read.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// How far the reading of a file is, and what ends it; also of a file that is read on while it grows.
    #[must_use]
    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_deref()
    }

    /// What is not there of the file, for a person.
    #[must_use]
    pub fn partly(&self) -> Option<&str> {
        self.partly.as_deref()
    }

    /// What was received, written and lost.
    #[must_use]
    pub fn counters(&self) -> Option<&Counters> {
        self.counters.as_deref()
    }

    /// Packets that would be lost with the capture.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        match self.origin {
            Origin::Live(_) | Origin::Left(_) => self.len().saturating_sub(self.saved),
            _ => 0,
        }
    }

    /// What happened to the capture that the person was not told of yet; each is given once.
    pub(super) fn take_incidents(&mut self) -> Vec<Incident> {
        let Some(counters) = &self.counters else { return Vec::new() };
        let marks = counters.marks(self.marks_seen);
        self.marks_seen += marks.len();
        marks.into_iter().map(|mark| mark.what).collect()
    }

    /// The newest row is kept in sight.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.follow
    }

    /// The selected packet.
    #[must_use]
    pub fn selected(&self) -> Option<&Selected> {
        self.selected.as_ref()
    }

    /// The datagrams that the selected packet is a fragment of, or why they cannot be found; `None` where it is none, or
    /// they are still being sought.
    #[must_use]
    pub fn reassembly(&self) -> Option<&Result<Reassembly, String>> {
        self.sought.as_ref()?.found.as_ref()
    }

    /// What is known of the selected packet from those before it; `None`: it is still being found out, or cannot be.
    #[must_use]
    pub fn told(&self) -> Option<Vec<Told>> {
        self.flows.of(self.selected.as_ref()?.index)
    }

    /// What is known of the selected packet from those before it is being found out.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.selected.as_ref().is_some_and(|s| self.flows.is_wanted(s.index))
    }

    /// The flows of the capture.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// The selected packet is a fragment, and what it is of is still being sought.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        self.sought.as_ref().is_some_and(|s| s.found.is_none())
    }

    /// What is known of the selected packet beside its bytes.
    #[must_use]
    pub fn selected_facts(&self) -> Option<Facts> {
        let selected = self.selected.as_ref()?;
        let time_ns = selected.entry.has_time().then_some(selected.entry.timestamp_ns);
        Some(Facts {
            number: selected.index as u64 + 1,
            original: selected.entry.original,
            time_ns,
            first_ns: self.first_ns.unwrap_or(0),
            previous_ns: 0,
            interface: Some(u32::from(selected.entry.interface)),
            link_type: selected.link_type,
            left_to_card: selected.left_to_card(),
        })
    }

    /// The link type of a packet.
    #[must_use]
    pub fn link_type(&self, entry: &IndexEntry) -> u32 {
        let interfaces = self.file.as_ref().map(CaptureFile::interfaces);
        interfaces.and_then(|i| i.get(usize::from(entry.interface)).map(|i| i.link_type.0)).unwrap_or(1)
    }

    /// Rows are made anew when they are asked for.
    pub(super) fn forget_rows(&mut self) {
        self.rows.clear();
    }

    /// The time of the first packet that has one.
    fn first_time(&mut self) -> Option<u64> {
        if self.first_ns.is_none() {
            let index = self.file.as_ref()?.index().snapshot();
            self.first_ns =
                index.range(self.looked_at..index.len()).find(|e| e.has_time()).map(|e| e.timestamp_ns);
            self.looked_at = index.len();
        }
        self.first_ns
    }

    /// The time of the first packet that has one, as far as a row was made.
    #[must_use]
    pub fn first_ns(&self) -> Option<u64> {
        self.first_ns
    }

    /// The packet at `index` as a row, dissected when it first comes into sight.
    pub fn row(&mut self, index: usize) -> Option<Arc<ListRow>> {
        if let Some(row) = self.rows.get(&index) {
            return Some(Arc::clone(row));
        }
        let first_ns = self.first_time().unwrap_or(0);
        let file = self.file.as_ref()?;
        let mut bytes = Vec::new();
        let row = match file.read_packet(index, &mut bytes) {
            Ok(entry) => self.made_of(index, entry, &bytes, first_ns),
            Err(error) => {
                // The path stands in the notice; here the reason has to fit into a row.
                let info = match error {
                    pcap::Error::Changed { reason, .. } => {
                        format!("gone: the file was changed since it was opened ({reason})")
                    }
                    other => other.to_string(),
                };
                let row = Row { protocol: "?", info, ..Row::default() };
                let (entry, cells) =
                    (file.index().get(index)?, vec![String::new(); self.maker.columns.len()]);
                ListRow {
                    number: index + 1,
                    relative_ns: since(&entry, first_ns),
                    entry,
                    row,
                    cells,
                    rule: None,
                }
            }
        };
        let row = Arc::new(row);
        // Once the packets before it are known, it is made again.
        if self.maker.needs_flows() && self.flows.len() <= index && self.flows.problem().is_none() {
            return Some(row);
        }
        if self.rows.len() >= CACHE {
            self.rows.clear();
        }
        self.rows.insert(index, Arc::clone(&row));
        Some(row)
    }

    fn made_of(&self, index: usize, entry: IndexEntry, bytes: &[u8], first_ns: u64) -> ListRow {
        let link_type = self.link_type(&entry);
        let found = dissect(link_type, bytes);
        let before = |file: &CaptureFile| file.index().snapshot().time_before(index, (0, first_ns));
        let facts = Facts {
            number: index as u64 + 1,
            original: entry.original,
            time_ns: entry.has_time().then_some(entry.timestamp_ns),
            first_ns,
            previous_ns: self.file.as_ref().map_or(first_ns, before),
            interface: Some(u32::from(entry.interface)),
            link_type,
            left_to_card: entry.checksum() == ChecksumState::NotComputed,
        };
        let told = if self.maker.needs_flows() { self.flows.of(index) } else { None };
        let packet = Packet { bytes, found: &found, facts, flows: told.as_deref().unwrap_or_default() };
        ListRow {
            number: index + 1,
            relative_ns: since(&entry, first_ns),
            entry,
            row: summary::row_of(bytes, &found),
            cells: self.maker.cells(&packet),
            rule: self.maker.rule(&packet),
        }
    }

    /// Selects a packet and reads its bytes; the error is for the person.
    pub(super) fn select(&mut self, index: Option<usize>) -> Result<(), String> {
        self.selected = None;
        self.sought = None;
        let (Some(index), Some(file)) = (index, self.file.as_ref()) else { return Ok(()) };
        let mut bytes = Vec::new();
        let entry = file.read_packet(index, &mut bytes).map_err(|e| e.to_string())?;
        self.selected = Some(Selected { index, link_type: self.link_type(&entry), bytes, entry });
        Ok(())
    }
}

/// Time since the first packet, in nanoseconds.
fn since(entry: &IndexEntry, first_ns: u64) -> Option<i64> {
    let since = i128::from(entry.timestamp_ns) - i128::from(first_ns);
    entry.has_time().then(|| i64::try_from(since).unwrap_or(i64::MAX))
}

impl Selected {
    /// The kernel had not computed its transport checksum when it was captured.
    #[must_use]
    pub fn left_to_card(&self) -> bool {
        self.entry.checksum() == ChecksumState::NotComputed
    }
}
