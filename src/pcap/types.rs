//! The plain data of a capture: packets, interfaces, counters, and the two file formats.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

/// The largest captured length, in bytes, that is read or written.
///
/// The format allows 4 GiB a packet; a bound keeps a damaged length from asking for that much memory.
/// 128 MiB is what Wireshark allows for its largest link type.
pub const MAX_PACKET_LENGTH: u32 = 128 * 1024 * 1024;

/// The snap length written where none was given: what tcpdump and Wireshark write for "whole packets", in bytes.
pub const DEFAULT_SNAP_LENGTH: u32 = 262_144;

/// A link-layer type as stored in capture files (`LINKTYPE_…` of pcap-linktype(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Bare IPv4 or IPv6; the first nibble says which.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Bare IPv4.
    pub const IPV4: Self = Self(228);
    /// Bare IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// The name in pcap-linktype(7) without its prefix, or `None` for a type that this program does not know.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "ETHERNET",
            Self::RAW => "RAW",
            Self::LOOP => "LOOP",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "link type {}", self.0),
        }
    }
}

/// Which way a packet went, as seen from the capturing machine (bits 0 and 1 of `epb_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Not recorded.
    #[default]
    Unknown,
    /// It came in.
    Inbound,
    /// It went out.
    Outbound,
}

/// What the capturing system knew about the transport checksum (bits 9 and 10 of `epb_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChecksumState {
    /// Not recorded: the bytes must speak for themselves.
    #[default]
    Unknown,
    /// Left to the card: the checksum in the bytes is not the one on the wire ("checksum not ready").
    NotComputed,
    /// Checked and found right by the system or the card.
    Valid,
}

const EPB_CHECKSUM_NOT_READY: u32 = 1 << 9;
const EPB_CHECKSUM_VALID: u32 = 1 << 10;

impl Direction {
    /// From the `epb_flags` word; the fourth, undefined value reads as unknown.
    pub(super) const fn from_epb_flags(flags: u32) -> Self {
        match flags & 0b11 {
            1 => Self::Inbound,
            2 => Self::Outbound,
            _ => Self::Unknown,
        }
    }
}

impl ChecksumState {
    /// From the `epb_flags` word; "not ready" wins where a file claims both.
    pub(super) const fn from_epb_flags(flags: u32) -> Self {
        if flags & EPB_CHECKSUM_NOT_READY != 0 {
            Self::NotComputed
        } else if flags & EPB_CHECKSUM_VALID != 0 {
            Self::Valid
        } else {
            Self::Unknown
        }
    }
}

/// The `epb_flags` word (draft-ietf-opsawg-pcapng, "Enhanced Packet Block Flags Word") of both.
pub(super) const fn epb_flags(direction: Direction, checksum: ChecksumState) -> u32 {
    let direction = match direction {
        Direction::Unknown => 0,
        Direction::Inbound => 1,
        Direction::Outbound => 2,
    };
    let checksum = match checksum {
        ChecksumState::Unknown => 0,
        ChecksumState::NotComputed => EPB_CHECKSUM_NOT_READY,
        ChecksumState::Valid => EPB_CHECKSUM_VALID,
    };
    direction | checksum
}

/// One packet on its way into or out of a capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketRecord<'a> {
    /// The interface: a number that [`Writer::add_interface`](super::Writer::add_interface) gave, or a position
    /// in [`CaptureFile::interfaces`](super::CaptureFile::interfaces).
    pub interface: u32,
    /// Nanoseconds since the Unix epoch, UTC; 0 where the file carries no time (simple packet blocks).
    pub timestamp_ns: u64,
    /// Length on the wire, in bytes.
    pub original_length: u32,
    /// The captured bytes.
    pub data: &'a [u8],
    /// Which way it went.
    pub direction: Direction,
    /// What the capturing system knew about its checksum.
    pub checksum: ChecksumState,
    /// The first comment (`opt_comment`); what is not UTF-8 is cut off where it stops being so.
    pub comment: Option<&'a str>,
    /// Packets lost between the one before it and this one (`epb_dropcount`); 0: none, or not known.
    pub dropped: u64,
}

impl<'a> PacketRecord<'a> {
    /// A packet captured whole, with nothing more known about it.
    ///
    /// A length past 4 GiB is held at the largest number; writing such a packet is refused anyway.
    #[must_use]
    pub fn new(interface: u32, timestamp_ns: u64, data: &'a [u8]) -> Self {
        let original_length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Self { interface, timestamp_ns, original_length, data, ..Self::default() }
    }
}

/// One capturing interface (pcapng: Interface Description Block).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// The system's name (`if_name`), such as `eth0`.
    pub name: Option<String>,
    /// A description for people (`if_description`).
    pub description: Option<String>,
    /// The capture filter in text form (`if_filter`).
    pub filter: Option<String>,
    /// The link-layer type of all its packets.
    pub link_type: LinkType,
    /// The longest captured length, in bytes; 0 means no limit.
    pub snap_length: u32,
    /// The counters found at the end of the file (pcapng: Interface Statistics Block), if any.
    pub statistics: Option<InterfaceStatistics>,
}

impl InterfaceInfo {
    /// An interface with a name and a link type that captures whole packets.
    #[must_use]
    pub fn new(name: impl Into<String>, link_type: LinkType) -> Self {
        Self { name: Some(name.into()), ..Self::unnamed(link_type, DEFAULT_SNAP_LENGTH) }
    }

    pub(super) const fn unnamed(link_type: LinkType, snap_length: u32) -> Self {
        Self { name: None, description: None, filter: None, link_type, snap_length, statistics: None }
    }
}

/// The counters of one interface (pcapng: Interface Statistics Block). `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InterfaceStatistics {
    /// The interface that they belong to.
    pub interface: u32,
    /// When the capture began, in nanoseconds since the Unix epoch (`isb_starttime`).
    pub start_ns: Option<u64>,
    /// When it ended, in nanoseconds since the Unix epoch (`isb_endtime`).
    pub end_ns: Option<u64>,
    /// Packets received (`isb_ifrecv`).
    pub received: Option<u64>,
    /// Packets dropped by the interface for lack of resources (`isb_ifdrop`).
    pub interface_dropped: Option<u64>,
    /// Packets dropped by the system between interface and program (`isb_osdrop`): the kernel's count.
    pub system_dropped: Option<u64>,
}

/// The two file formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The next generation format (draft-ietf-opsawg-pcapng): several interfaces, comments, counters.
    PcapNg,
    /// The classic format (draft-ietf-opsawg-pcap), written with nanoseconds; one link type.
    Pcap,
}

impl Format {
    /// The format that a file name asks for: `.pcap` (in any case) is pcap, all else pcapng; a `.gz` behind it does not count.
    #[must_use]
    pub fn for_path(path: &Path) -> Self {
        let shortened = path.with_extension("");
        let path = if is_gzip(path) { &shortened } else { path };
        let extension = path.extension().and_then(OsStr::to_str);
        if extension.is_some_and(|e| e.eq_ignore_ascii_case("pcap")) { Self::Pcap } else { Self::PcapNg }
    }

    /// The name of the format for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PcapNg => "pcapng",
            Self::Pcap => "pcap",
        }
    }
}

/// Whether a file of this name is to be compressed with gzip.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
