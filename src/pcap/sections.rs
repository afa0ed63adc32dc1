//! Walking over the blocks of a pcapng file (draft-ietf-opsawg-pcapng section 4), in either byte order, with any
//! number of sections and interfaces.

use super::capture::CaptureFile;
use super::encode::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, EPB_DROPCOUNT, EPB_FLAGS, IF_DESCRIPTION, IF_FILTER, IF_NAME,
    IF_TSOFFSET, IF_TSRESOL, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, ISB_ENDTIME, ISB_IFDROP,
    ISB_IFRECV, ISB_OSDROP, ISB_STARTTIME, OBSOLETE_PACKET, OPT_COMMENT, PACKET_BLOCK_HEADER, SECTION_HEADER,
    SIMPLE_PACKET, padded,
};
use super::fields::{Clock, Order, options};
use super::index::{EntryFlags, IndexEntry};
use super::losses::SharedLosses;
use super::scan::{Fault, Found, SharedInterfaces, Source, What};
use super::types::{
    ChecksumState, Direction, InterfaceInfo, InterfaceStatistics, LinkType, MAX_PACKET_LENGTH,
};
use crate::wire::digest::Digest;

/// How many bytes of a packet's options are looked at for the index; the rest is read with the packet.
const INDEXED_OPTIONS: u64 = 64 * 1024;
/// How many bytes of options are read at all; a block may claim 4 GiB of them.
pub(super) const MAX_OPTIONS: u64 = 1024 * 1024;

/// An interface of the section that is being read.
#[derive(Debug, Clone, Copy)]
struct SectionInterface {
    /// Its position among the interfaces of the whole file.
    number: u16,
    snap_length: u32,
    link_type: LinkType,
    clock: Clock,
}

/// The state of reading: what the section so far has said.
#[derive(Debug)]
pub(super) struct Sections {
    order: Order,
    interfaces: Vec<SectionInterface>,
    all: SharedInterfaces,
    losses: SharedLosses,
}

/// The frame of a block: its type, where it begins, its total length.
#[derive(Debug, Clone, Copy)]
struct Block {
    kind: u32,
    at: u64,
    total: u64,
}

impl Block {
    /// The part of the block from `skip` bytes after its beginning to its closing length, at most `bound` bytes.
    fn rest(&self, skip: u64, bound: u64) -> (u64, usize) {
        let length = (self.total - 4).saturating_sub(skip).min(bound);
        (self.at + skip, usize::try_from(length).unwrap_or(0))
    }

    const fn name(kind: u32) -> What {
        match kind {
            ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET => What::Packet,
            SECTION_HEADER => What::Block("a section header"),
            INTERFACE_DESCRIPTION => What::Block("an interface description"),
            INTERFACE_STATISTICS => What::Block("interface counters"),
            _ => What::Block("a block"),
        }
    }
}

/// What cannot be within a block whose end is known.
type Odd = String;

impl Sections {
    pub(super) fn new(capture: &CaptureFile) -> Self {
        let (all, losses) = (capture.shared_interfaces().clone(), capture.shared_losses().clone());
        Self { order: Order::Little, interfaces: Vec::new(), all, losses }
    }

    /// Reads the block at `at`.
    pub(super) fn block(&mut self, source: &mut Source, at: u64) -> Result<Found, Fault> {
        let block = self.frame(source, at)?;
        let next = at + block.total;
        let result = match block.kind {
            SECTION_HEADER => self.section(source, block).map(|()| Ok(None))?,
            INTERFACE_DESCRIPTION => self.interface(source, block)?.map(|()| None),
            ENHANCED_PACKET | OBSOLETE_PACKET => self.packet(source, block)?.map(Some),
            SIMPLE_PACKET => self.simple_packet(source, block)?.map(Some),
            INTERFACE_STATISTICS => self.statistics(source, block)?.map(|()| None),
            _ => Ok(None),
        };
        Ok(match result {
            Ok(entry) => Found { entry, next, oddity: None },
            Err(oddity) => Found { entry: None, next, oddity: Some(oddity) },
        })
    }

    /// Reads both lengths of a block; a section header also sets the byte order.
    fn frame(&mut self, source: &mut Source, at: u64) -> Result<Block, Fault> {
        let start = source.get(What::BlockHeader, at, 8)?;
        let is_section = Order::Little.u32(start, 0) == Some(SECTION_HEADER);
        if is_section {
            let start = source.get(Block::name(SECTION_HEADER), at, 12)?;
            self.order = match Order::Little.u32(start, 8) {
                Some(BYTE_ORDER_MAGIC) => Order::Little,
                Some(magic) if magic.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
                _ => return Err(Fault::Broken("a section header has no byte-order magic".to_owned())),
            };
        }
        let order = self.order;
        let start = source.get(What::BlockHeader, at, 8)?;
        let kind = order.u32(start, 0).unwrap_or(0);
        let total = u64::from(order.u32(start, 4).unwrap_or(0));
        let least = if is_section { 28 } else { 12 };
        if total < least || !total.is_multiple_of(4) {
            return Err(Fault::Broken(format!(
                "a block says that it has {total} bytes: it must be a multiple of 4, and {least} at the least"
            )));
        }
        if at + total > source.length {
            return Err(Fault::Torn { what: Block::name(kind), needs: total, left: source.length - at });
        }
        Ok(Block { kind, at, total })
    }

    /// Checks that a block ends with its length, as it began. Called last, since reading goes forward.
    fn check_end(&self, source: &mut Source, block: Block) -> Result<(), Fault> {
        let end = source.get(Block::name(block.kind), block.at + block.total - 4, 4)?;
        let closing = self.order.u32(end, 0).unwrap_or(0);
        if u64::from(closing) == block.total {
            return Ok(());
        }
        Err(Fault::Broken(format!("a block begins with the length {} and ends with {closing}", block.total)))
    }

    fn section(&mut self, source: &mut Source, block: Block) -> Result<(), Fault> {
        let header = source.get(Block::name(block.kind), block.at, 28)?;
        let version = (self.order.u16(header, 12), self.order.u16(header, 14));
        // 1.2 was written by some programs and means 1.0, says the draft.
        if !matches!(version, (Some(1), Some(0 | 2))) {
            let (major, minor) = (version.0.unwrap_or(0), version.1.unwrap_or(0));
            return Err(Fault::Broken(format!(
                "a section is of version {major}.{minor}, only 1.0 can be read"
            )));
        }
        self.interfaces.clear();
        self.check_end(source, block)
    }

    fn interface(&mut self, source: &mut Source, block: Block) -> Result<Result<(), Odd>, Fault> {
        let order = self.order;
        let (at, length) = block.rest(8, MAX_OPTIONS);
        let body = source.get(Block::name(block.kind), at, length)?;
        let (Some(link_type), Some(snap_length)) = (order.u16(body, 0), order.u32(body, 4)) else {
            return Err(Fault::Broken("an interface description is too short".to_owned()));
        };
        let mut clock = Clock::MICROSECONDS;
        let link_type = LinkType(u32::from(link_type));
        let mut info = InterfaceInfo::unnamed(link_type, snap_length);
        for (code, value) in options(body.get(8..).unwrap_or_default(), order) {
            match code {
                IF_NAME => info.name = Some(text(value)),
                IF_DESCRIPTION => info.description = Some(text(value)),
                // The first byte of a filter says what it is; 0 is text.
                IF_FILTER => info.filter = value.strip_prefix(&[0]).map(text),
                IF_TSRESOL => clock.set_resolution(value.first().copied().unwrap_or(6)),
                IF_TSOFFSET => clock.set_offset(order.u64(value, 0).unwrap_or(0).cast_signed()),
                _ => {}
            }
        }
        let Some(number) = self.all.push(info) else {
            return Err(Fault::Broken(format!("it describes more than {} interfaces", u16::MAX)));
        };
        self.interfaces.push(SectionInterface { number, snap_length, link_type, clock });
        self.check_end(source, block).map(Ok)
    }

    /// An enhanced packet block, or an obsolete packet block: they differ in the interface's field.
    fn packet(&self, source: &mut Source, block: Block) -> Result<Result<IndexEntry, Odd>, Fault> {
        let order = self.order;
        if block.total < PACKET_BLOCK_HEADER + 4 {
            return self.check_end(source, block).map(|()| Err("a packet block is too short".to_owned()));
        }
        let header = source.get(What::Packet, block.at, PACKET_BLOCK_HEADER as usize)?;
        let interface = match block.kind {
            OBSOLETE_PACKET => order.u16(header, 8).map(u32::from),
            _ => order.u32(header, 8),
        };
        let interface = interface.unwrap_or(u32::MAX);
        let time = order.time(header, 12).unwrap_or(0);
        let captured = order.u32(header, 20).unwrap_or(0);
        let original = order.u32(header, 24).unwrap_or(0);
        let room = block.total - PACKET_BLOCK_HEADER - 4;
        if u64::from(captured) > room || captured > MAX_PACKET_LENGTH {
            let odd = format!("a packet of {captured} bytes stands in a block with room for {room}");
            return self.check_end(source, block).map(|()| Err(odd));
        }
        let (mut flags, mut comment) = (0, false);
        // An obsolete block has it in its header, where all ones say that it is not known.
        let mut dropped = match block.kind {
            OBSOLETE_PACKET => order.u16(header, 10).filter(|n| *n != u16::MAX).map_or(0, u64::from),
            _ => 0,
        };
        let known = self.interfaces.get(interface as usize);
        let digest = match known {
            Some(known) => source.digest(known.link_type, block.at + PACKET_BLOCK_HEADER, captured)?,
            None => Digest::default(),
        };
        let (at, length) = block.rest(PACKET_BLOCK_HEADER + padded(u64::from(captured)), INDEXED_OPTIONS);
        if length > 0 {
            for (code, value) in options(source.get(What::Packet, at, length)?, order) {
                match code {
                    EPB_FLAGS => flags = order.u32(value, 0).unwrap_or(0),
                    OPT_COMMENT => comment = true,
                    EPB_DROPCOUNT => dropped = order.u64(value, 0).unwrap_or(0),
                    _ => {}
                }
            }
        }
        self.check_end(source, block)?;
        let Some(known) = known else {
            return Ok(Err(self.no_interface(interface)));
        };
        let flags = EntryFlags::new(Direction::from_epb_flags(flags), ChecksumState::from_epb_flags(flags))
            // An obsolete block has a drop count in its header, to be read with the options.
            .with(EntryFlags::OPTIONS, length > 0 || block.kind == OBSOLETE_PACKET)
            .with(EntryFlags::COMMENT, comment)
            .with(EntryFlags::BIG_ENDIAN, order == Order::Big);
        self.losses.gap(block.at + PACKET_BLOCK_HEADER, dropped);
        Ok(Ok(IndexEntry {
            offset: block.at + PACKET_BLOCK_HEADER,
            timestamp_ns: known.clock.nanoseconds(time),
            captured,
            original,
            interface: known.number,
            flags,
            digest,
        }))
    }

    fn no_interface(&self, interface: u32) -> Odd {
        let known = self.interfaces.len();
        format!("a packet names interface {interface}, counted from 0, and {known} are described")
    }

    /// A simple packet block: of the first interface, without a time, captured up to the snap length.
    fn simple_packet(&self, source: &mut Source, block: Block) -> Result<Result<IndexEntry, Odd>, Fault> {
        if block.total < 16 {
            return self.check_end(source, block).map(|()| Err("a packet block is too short".to_owned()));
        }
        let header = source.get(What::Packet, block.at, 12)?;
        let original = self.order.u32(header, 8).unwrap_or(0);
        let Some(known) = self.interfaces.first() else {
            return self.check_end(source, block).map(|()| Err(self.no_interface(0)));
        };
        let limit = if known.snap_length == 0 { u32::MAX } else { known.snap_length };
        let captured = original.min(limit);
        if u64::from(captured) > block.total - 16 || captured > MAX_PACKET_LENGTH {
            let room = block.total - 16;
            let odd = format!("a packet of {captured} bytes stands in a block with room for {room}");
            return self.check_end(source, block).map(|()| Err(odd));
        }
        let flags = EntryFlags::default().with(EntryFlags::NO_TIME, true);
        let (offset, interface) = (block.at + 12, known.number);
        let digest = source.digest(known.link_type, offset, captured)?;
        self.check_end(source, block)?;
        Ok(Ok(IndexEntry { offset, timestamp_ns: 0, captured, original, interface, flags, digest }))
    }

    fn statistics(&self, source: &mut Source, block: Block) -> Result<Result<(), Odd>, Fault> {
        let order = self.order;
        let (at, length) = block.rest(8, MAX_OPTIONS);
        let body = source.get(Block::name(block.kind), at, length)?;
        let interface = order.u32(body, 0).unwrap_or(u32::MAX);
        if let Some(known) = self.interfaces.get(interface as usize) {
            let mut found = InterfaceStatistics { interface: u32::from(known.number), ..Default::default() };
            let time = |value| order.time(value, 0).map(|time| known.clock.nanoseconds(time));
            for (code, value) in options(body.get(12..).unwrap_or_default(), order) {
                match code {
                    ISB_STARTTIME => found.start_ns = time(value),
                    ISB_ENDTIME => found.end_ns = time(value),
                    ISB_IFRECV => found.received = order.u64(value, 0),
                    ISB_IFDROP => found.interface_dropped = order.u64(value, 0),
                    ISB_OSDROP => found.system_dropped = order.u64(value, 0),
                    _ => {}
                }
            }
            self.all.set_statistics(found);
            self.losses.counters(block.at, found);
        }
        self.check_end(source, block).map(Ok)
    }
}

/// A text option: up to a zero byte, which some programs write, and with a mark for what is not UTF-8.
fn text(value: &[u8]) -> String {
    let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}
