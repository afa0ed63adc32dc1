//! The bytes of the blocks that are written: pcapng in little-endian order with nanoseconds, and classic pcap.
//!
//! Sources: draft-ietf-opsawg-pcapng sections 3.5 (options), 4.1 (section header), 4.2 (interface description),
//! 4.3 (enhanced packet), 4.6 (interface statistics); draft-ietf-opsawg-pcap section 4.

use super::types::{
    DEFAULT_SNAP_LENGTH, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord, epb_flags,
};

pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const OBSOLETE_PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(super) const INTERFACE_STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// The length of what comes before the packet's bytes in an enhanced (and in an obsolete) packet block.
pub(super) const PACKET_BLOCK_HEADER: u64 = 28;

pub(super) const OPT_END: u16 = 0;
pub(super) const OPT_COMMENT: u16 = 1;
pub(super) const EPB_FLAGS: u16 = 2;
pub(super) const EPB_DROPCOUNT: u16 = 4;
pub(super) const IF_NAME: u16 = 2;
pub(super) const IF_DESCRIPTION: u16 = 3;
pub(super) const IF_TSRESOL: u16 = 9;
pub(super) const IF_FILTER: u16 = 11;
pub(super) const IF_TSOFFSET: u16 = 14;
pub(super) const ISB_STARTTIME: u16 = 2;
pub(super) const ISB_ENDTIME: u16 = 3;
pub(super) const ISB_IFRECV: u16 = 4;
pub(super) const ISB_IFDROP: u16 = 5;
pub(super) const ISB_OSDROP: u16 = 7;
const SHB_HARDWARE: u16 = 2;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;

/// Rounds up to the 32-bit border to which pcapng pads everything.
pub(super) const fn padded(length: u64) -> u64 {
    length.next_multiple_of(4)
}

/// Appends a block of `kind` whose body `body` writes; both total lengths are filled in.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    end_block(out, start);
}

/// Ends the block that begins at `start`: both total lengths.
fn end_block(out: &mut Vec<u8>, start: usize) {
    // Every body is bounded far below 4 GiB by its caller.
    let total = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(total);
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&total);
    }
}

fn pad(out: &mut Vec<u8>, length: usize) {
    out.extend(std::iter::repeat_n(0, length.next_multiple_of(4) - length));
}

/// Appends one option. A value over the 65 535 bytes that an option can hold is cut there.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let value = value.get(..usize::from(length)).unwrap_or(value);
    out.extend(code.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(value);
    pad(out, value.len());
}

/// Appends a text option, cut between two characters where it is over the longest option.
fn text_option(out: &mut Vec<u8>, code: u16, text: &str) {
    let end = text.floor_char_boundary(usize::from(u16::MAX));
    option(out, code, text.get(..end).unwrap_or_default().as_bytes());
}

fn end_of_options(out: &mut Vec<u8>) {
    option(out, OPT_END, &[]);
}

/// The section header: length unknown, with the machine, the system and this program.
pub(super) fn section_header(out: &mut Vec<u8>) {
    block(out, SECTION_HEADER, |out| {
        out.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(u64::MAX.to_le_bytes());
        text_option(out, SHB_HARDWARE, std::env::consts::ARCH);
        text_option(out, SHB_OS, &operating_system());
        text_option(out, SHB_USERAPPL, concat!("rawbench ", env!("CARGO_PKG_VERSION")));
        end_of_options(out);
    });
}

fn operating_system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim()).trim_end().to_owned()
}

/// An interface description; its times are nanoseconds (`if_tsresol` 9).
pub(super) fn interface_description(out: &mut Vec<u8>, interface: &InterfaceInfo) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        // The link type has 16 bits in both formats; what does not fit is refused before.
        out.extend(low_16(interface.link_type.0).to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(interface.snap_length.to_le_bytes());
        if let Some(name) = &interface.name {
            text_option(out, IF_NAME, name);
        }
        if let Some(description) = &interface.description {
            text_option(out, IF_DESCRIPTION, description);
        }
        option(out, IF_TSRESOL, &[9]);
        if let Some(filter) = &interface.filter {
            // The first byte says that the filter is text.
            let mut value = vec![0];
            value.extend(filter.as_bytes());
            option(out, IF_FILTER, &value);
        }
        end_of_options(out);
    });
}

const fn low_16(value: u32) -> u16 {
    (value & 0xFFFF) as u16
}

/// What follows a packet's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum PacketOptions<'a> {
    /// The record's comment and its flags word, each only where there is something to say.
    OfRecord,
    /// These bytes: whole options in little-endian order with their end, or none.
    Ready(&'a [u8]),
}

impl PacketRecord<'_> {
    /// Whether its block has options.
    pub(super) fn has_options(&self) -> bool {
        self.comment.is_some() || self.dropped != 0 || epb_flags(self.direction, self.checksum) != 0
    }
}

fn packet_options(out: &mut Vec<u8>, record: &PacketRecord<'_>) {
    let flags = epb_flags(record.direction, record.checksum);
    if let (None, 0, 1..) = (record.comment, record.dropped, flags) {
        // What nearly every captured packet has, in one piece: the flags (code 2, length 4) and the end of options.
        let mut options = [2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        options[4..8].copy_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&options);
        return;
    }
    if let Some(comment) = record.comment {
        text_option(out, OPT_COMMENT, comment);
    }
    if flags != 0 {
        option(out, EPB_FLAGS, &flags.to_le_bytes());
    }
    if record.dropped != 0 {
        option(out, EPB_DROPCOUNT, &record.dropped.to_le_bytes());
    }
    if record.has_options() {
        end_of_options(out);
    }
}

/// Appends one option read elsewhere, as it is.
pub(super) fn copied_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    option(out, code, value);
}

/// An enhanced packet block.
pub(super) fn enhanced_packet(out: &mut Vec<u8>, record: &PacketRecord<'_>, options: PacketOptions<'_>) {
    let start = out.len();
    // The fixed part in one piece: this runs for each packet of a capture. The length of the block comes last.
    let mut head = [0; PACKET_BLOCK_HEADER as usize];
    head[..4].copy_from_slice(&ENHANCED_PACKET.to_le_bytes());
    head[8..12].copy_from_slice(&record.interface.to_le_bytes());
    head[12..20].copy_from_slice(&timestamp(record.timestamp_ns));
    let captured = u32::try_from(record.data.len()).unwrap_or(u32::MAX);
    head[20..24].copy_from_slice(&captured.to_le_bytes());
    head[24..28].copy_from_slice(&record.original_length.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(record.data);
    let padding = record.data.len().next_multiple_of(4) - record.data.len();
    out.extend_from_slice([0; 3].get(..padding).unwrap_or_default());
    match options {
        PacketOptions::OfRecord => packet_options(out, record),
        PacketOptions::Ready(bytes) => out.extend_from_slice(bytes),
    }
    end_block(out, start);
}

/// A pcapng time: the high 32 bits first, then the low ones.
fn timestamp(ns: u64) -> [u8; 8] {
    ns.rotate_left(32).to_le_bytes()
}

/// An interface statistics block. Its own time is the end of the capture, else 0.
pub(super) fn interface_statistics(out: &mut Vec<u8>, statistics: &InterfaceStatistics) {
    block(out, INTERFACE_STATISTICS, |out| {
        out.extend(statistics.interface.to_le_bytes());
        out.extend(timestamp(statistics.end_ns.or(statistics.start_ns).unwrap_or(0)));
        for (code, time) in [(ISB_STARTTIME, statistics.start_ns), (ISB_ENDTIME, statistics.end_ns)] {
            if let Some(ns) = time {
                option(out, code, &timestamp(ns));
            }
        }
        for (code, count) in [
            (ISB_IFRECV, statistics.received),
            (ISB_IFDROP, statistics.interface_dropped),
            (ISB_OSDROP, statistics.system_dropped),
        ] {
            if let Some(count) = count {
                option(out, code, &count.to_le_bytes());
            }
        }
        end_of_options(out);
    });
}

/// The header of a pcap file with nanoseconds.
pub(super) fn pcap_header(out: &mut Vec<u8>, link_type: LinkType, snap_length: u32) {
    out.extend(0xA1B2_3C4D_u32.to_le_bytes());
    out.extend(2_u16.to_le_bytes());
    out.extend(4_u16.to_le_bytes());
    out.extend([0; 8]);
    // Readers cut packets at this length, and 0 is no "unlimited" here.
    out.extend(snap_length.max(DEFAULT_SNAP_LENGTH).to_le_bytes());
    out.extend(link_type.0.to_le_bytes());
}

/// A pcap packet record, with `head` in the place of its first `cut` bytes; `None` where its seconds do not fit into 32
/// bits.
pub(super) fn pcap_packet(
    out: &mut Vec<u8>,
    record: &PacketRecord<'_>,
    head: &[u8],
    cut: usize,
) -> Option<()> {
    let seconds = u32::try_from(record.timestamp_ns / 1_000_000_000).ok()?;
    let nanoseconds = u32::try_from(record.timestamp_ns % 1_000_000_000).ok()?;
    let data = record.data.get(cut..).unwrap_or_default();
    let captured = u32::try_from(head.len() + data.len()).ok()?;
    // Both are bounded far below 4 GiB.
    let (more, less) = (head.len() as u32, cut as u32);
    let original = record.original_length.saturating_sub(less).saturating_add(more);
    let mut fixed = [0; 16];
    for (place, number) in fixed.chunks_exact_mut(4).zip([seconds, nanoseconds, captured, original]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&fixed);
    out.extend_from_slice(head);
    out.extend_from_slice(data);
    Some(())
}
