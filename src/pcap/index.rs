//! The index of a capture: one small entry for each packet, appended by one thread and read by others.
//!
//! An [`Index`] is a value: cloning it costs two reference counts, whatever its length, because its entries stand in
//! shared blocks. A [`SharedIndex`] is an `Index` behind a lock that is held only for such a clone or for appending
//! a batch, so the recorder never waits for the viewer.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use super::types::{ChecksumState, Direction};
use crate::wire::digest::Digest;

/// How many entries stand in one block.
const BLOCK: usize = 4096;

/// One packet of a capture: where its bytes are and what a list row needs without reading them. 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where the packet's bytes begin in the file.
    pub offset: u64,
    /// Nanoseconds since the Unix epoch; 0 where the file has no time for it ([`IndexEntry::has_time`]).
    pub timestamp_ns: u64,
    /// How many bytes were captured.
    pub captured: u32,
    /// How many bytes the packet had on the wire.
    pub original: u32,
    /// Position in [`CaptureFile::interfaces`](super::CaptureFile::interfaces).
    pub interface: u16,
    pub(super) flags: EntryFlags,
    /// What filters ask most often.
    pub digest: Digest,
}

/// Bits 0–1 direction, 2 checksum not computed, 3 checksum valid, and what the reader must know to read the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct EntryFlags(u16);

impl EntryFlags {
    /// Options follow the packet's bytes, in a block whose header begins 28 bytes before them.
    pub(super) const OPTIONS: Self = Self(1 << 4);
    /// One of them is a comment.
    pub(super) const COMMENT: Self = Self(1 << 5);
    /// The section is in big-endian order.
    pub(super) const BIG_ENDIAN: Self = Self(1 << 6);
    /// The file has no time for this packet.
    pub(super) const NO_TIME: Self = Self(1 << 7);

    pub(super) const fn new(direction: Direction, checksum: ChecksumState) -> Self {
        let direction = match direction {
            Direction::Unknown => 0,
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        let checksum = match checksum {
            ChecksumState::Unknown => 0,
            ChecksumState::NotComputed => 1 << 2,
            ChecksumState::Valid => 1 << 3,
        };
        Self(direction | checksum)
    }

    pub(super) const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl IndexEntry {
    /// Which way the packet went.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self.flags.0 & 0b11 {
            1 => Direction::Inbound,
            2 => Direction::Outbound,
            _ => Direction::Unknown,
        }
    }

    /// What the capturing system knew about its checksum.
    #[must_use]
    pub const fn checksum(&self) -> ChecksumState {
        match self.flags.0 & 0b1100 {
            0b0100 => ChecksumState::NotComputed,
            0b1000 => ChecksumState::Valid,
            _ => ChecksumState::Unknown,
        }
    }

    /// Whether the file has a time for it.
    #[must_use]
    pub const fn has_time(&self) -> bool {
        !self.flags.has(EntryFlags::NO_TIME)
    }

    /// Whether it carries a comment.
    #[must_use]
    pub const fn has_comment(&self) -> bool {
        self.flags.has(EntryFlags::COMMENT)
    }
}

/// A list of entries that grows only at its end. Cloning it is cheap and gives a fixed view (a snapshot).
#[derive(Debug, Clone, Default)]
pub struct Index {
    full: Arc<Vec<Arc<Vec<IndexEntry>>>>,
    tail: Arc<Vec<IndexEntry>>,
}

impl Index {
    /// How many packets it lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full.len() * BLOCK + self.tail.len()
    }

    /// Whether it lists none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at this position, counted from 0.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&IndexEntry> {
        match self.full.get(position / BLOCK) {
            Some(block) => block.get(position % BLOCK),
            None => self.tail.get(position.checked_sub(self.full.len() * BLOCK)?),
        }
    }

    /// The entries of a range of positions; what lies past the end is left out.
    pub fn range(&self, range: Range<usize>) -> impl Iterator<Item = &IndexEntry> {
        range.map_while(|position| self.get(position))
    }

    /// The time of the last packet before this position that has one. `known`: a position before it, and the time that
    /// holds there; it is looked no further back.
    #[must_use]
    pub fn time_before(&self, position: usize, known: (usize, u64)) -> u64 {
        let (since, time) = known;
        let mut before = (since..position).rev().filter_map(|n| self.get(n));
        before.find(|e| e.has_time()).map_or(time, |e| e.timestamp_ns)
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &IndexEntry> {
        self.slices().flatten()
    }

    /// All entries in order, in slices of up to 4096: for work that is shared among threads.
    pub fn slices(&self) -> impl Iterator<Item = &[IndexEntry]> {
        self.full.iter().map(|block| block.as_slice()).chain(std::iter::once(self.tail.as_slice()))
    }

    /// Appends entries. Costs a copy of at most one block where a clone still shares the last one.
    pub(super) fn extend(&mut self, mut entries: &[IndexEntry]) {
        while !entries.is_empty() {
            let tail = Arc::make_mut(&mut self.tail);
            if tail.capacity() < BLOCK {
                tail.reserve_exact(BLOCK - tail.len());
            }
            let (now, later) = entries.split_at(entries.len().min(BLOCK - tail.len()));
            tail.extend_from_slice(now);
            entries = later;
            if tail.len() == BLOCK {
                Arc::make_mut(&mut self.full).push(std::mem::take(&mut self.tail));
            }
        }
    }
}

/// An [`Index`] that one thread appends to while others look at snapshots of it. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct SharedIndex {
    index: Arc<RwLock<Index>>,
}

impl SharedIndex {
    /// The index as it is now; what is appended later does not show in it. Cheap at any length.
    #[must_use]
    pub fn snapshot(&self) -> Index {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many packets it lists now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it lists none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at this position as it is now. For many entries take a [`SharedIndex::snapshot`].
    #[must_use]
    pub fn get(&self, position: usize) -> Option<IndexEntry> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).get(position).copied()
    }

    pub(super) fn extend(&self, entries: &[IndexEntry]) {
        if !entries.is_empty() {
            self.index.write().unwrap_or_else(PoisonError::into_inner).extend(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: usize) -> IndexEntry {
        IndexEntry {
            offset: n as u64,
            timestamp_ns: 0,
            captured: 0,
            original: 0,
            interface: 0,
            flags: EntryFlags::default(),
            digest: Digest::default(),
        }
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<IndexEntry>() <= 40, "{}", size_of::<IndexEntry>());
    }

    #[test]
    fn entries_come_back_in_order_over_block_borders() {
        let mut index = Index::default();
        let all: Vec<_> = (0..3 * BLOCK + 7).map(entry).collect();
        for part in all.chunks(1000) {
            index.extend(part);
        }
        assert_eq!(index.len(), all.len());
        assert!(index.iter().eq(all.iter()));
        assert!(index.range(4090..4100).map(|e| e.offset).eq(4090..4100));
        assert_eq!(index.get(3 * BLOCK).map(|e| e.offset), Some(3 * BLOCK as u64));
        assert_eq!(index.get(all.len()), None);
        assert_eq!(index.range(all.len() - 2..all.len() + 9).count(), 2);
        let exact = {
            let mut index = Index::default();
            index.extend(&all[..BLOCK]);
            index
        };
        assert_eq!((exact.len(), exact.get(BLOCK)), (BLOCK, None));
    }

    #[test]
    fn a_snapshot_stays_as_it_was_while_a_thread_appends() {
        let shared = SharedIndex::default();
        let writer = shared.clone();
        let thread = std::thread::spawn(move || {
            for n in 0..20_000 {
                writer.extend(&[entry(n)]);
            }
        });
        loop {
            let snapshot = shared.snapshot();
            let length = snapshot.len();
            assert!(snapshot.iter().enumerate().all(|(n, e)| e.offset == n as u64));
            assert_eq!(snapshot.iter().count(), length);
            if length == 20_000 {
                break;
            }
        }
        thread.join().unwrap();
    }
}
