//! Walking over the records of a capture file. Only headers and options are looked at, and every length is checked
//! against the length of the file before it is used.

use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::index::{EntryFlags, IndexEntry};
use super::sniff::PcapLayout;
use super::types::{
    ChecksumState, Direction, InterfaceInfo, InterfaceStatistics, LinkType, MAX_PACKET_LENGTH,
};
use super::window::Window;
use crate::wire::digest::Digest;

/// The interfaces of a capture, shared between who finds them and who shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedInterfaces(Arc<RwLock<Arc<Vec<InterfaceInfo>>>>);

impl SharedInterfaces {
    pub(super) fn get(&self) -> Arc<Vec<InterfaceInfo>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds one and returns its position, or `None` when there are as many as an index entry can name.
    pub(super) fn push(&self, interface: InterfaceInfo) -> Option<u16> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let number = u16::try_from(list.len()).ok().filter(|n| *n < u16::MAX)?;
        Arc::make_mut(&mut list).push(interface);
        Some(number)
    }

    /// Attaches counters to the interface that they name.
    pub(super) fn set_statistics(&self, statistics: InterfaceStatistics) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(interface) = Arc::make_mut(&mut list).get_mut(statistics.interface as usize) {
            interface.statistics = Some(statistics);
        }
    }
}

/// A file, the part of it that was read last, and how long it is.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: Arc<File>,
    pub(super) window: Window,
    pub(super) length: u64,
}

impl Source {
    /// The `want` bytes at `offset`, or where the file ends.
    pub(super) fn get(&mut self, what: What, offset: u64, want: usize) -> Result<&[u8], Fault> {
        let bytes = self.window.get(&self.file, offset, want).map_err(Fault::Io)?;
        if bytes.len() == want {
            Ok(bytes)
        } else {
            Err(Fault::Torn { what, needs: want as u64, left: bytes.len() as u64 })
        }
    }
}

impl Source {
    /// The digest of the packet at `offset`.
    pub(super) fn digest(&mut self, link: LinkType, offset: u64, captured: u32) -> Result<Digest, Fault> {
        let length = captured as usize;
        let bytes = self.get(What::Packet, offset, length.min(Digest::LOOKS_AT))?;
        Ok(Digest::of(link.0, bytes, length))
    }
}

/// What a piece of the file is, for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Packet,
    BlockHeader,
    Block(&'static str),
}

/// Why reading cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file ends within something.
    Torn { what: What, needs: u64, left: u64 },
    /// What stands here cannot be: where the next record begins is not known.
    Broken(String),
    /// The system did not read.
    Io(io::Error),
}

/// What was found at a place.
#[derive(Debug)]
pub(super) struct Found {
    /// A packet, unless it was something else.
    pub(super) entry: Option<IndexEntry>,
    /// Where the next record begins.
    pub(super) next: u64,
    /// Something that cannot be, with what came of it; the next record is known nevertheless.
    pub(super) oddity: Option<String>,
}

/// Reads the record of a pcap file at `at` (draft-ietf-opsawg-pcap section 5).
pub(super) fn pcap_record(layout: &PcapLayout, source: &mut Source, at: u64) -> Result<Found, Fault> {
    let header_length = if layout.modified { 24 } else { 16 };
    let header = source.get(What::Packet, at, header_length)?;
    let numbers = || {
        let field = |place| layout.order.u32(header, place);
        Some((field(0)?, field(4)?, field(8)?, field(12)?))
    };
    let Some((seconds, fraction, captured, original)) = numbers() else {
        return Err(Fault::Broken("its header cannot be read".to_owned()));
    };
    // Kuznetzov's header goes on with the interface (4 bytes), the protocol (2) and the kind of packet (1).
    let direction = match header.get(22) {
        Some(4) => Direction::Outbound,
        Some(0..=3) => Direction::Inbound,
        _ => Direction::Unknown,
    };
    if captured > MAX_PACKET_LENGTH {
        return Err(Fault::Broken(format!(
            "a packet of {captured} bytes is announced, and {MAX_PACKET_LENGTH} is the most that is possible"
        )));
    }
    let offset = at + header_length as u64;
    let next = offset + u64::from(captured);
    if next > source.length {
        return Err(Fault::Torn { what: What::Packet, needs: next - at, left: source.length - at });
    }
    let timestamp_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * u64::from(layout.unit);
    let flags = EntryFlags::new(direction, ChecksumState::Unknown);
    let digest = source.digest(layout.link_type, offset, captured)?;
    let entry = IndexEntry { offset, timestamp_ns, captured, original, interface: 0, flags, digest };
    Ok(Found { entry: Some(entry), next, oddity: None })
}
