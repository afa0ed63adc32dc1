//! What can go wrong with a capture file: what was tried, on which file, why it failed, what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::types::{LinkType, MAX_PACKET_LENGTH};

/// A failure to read or write a capture file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation on the file.
    #[error("cannot {operation} {}: {source}{}", .path.display(), hint(.source))]
    Io {
        /// The verb of the sentence: "open", "write to" …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is no capture file.
    #[error("{} is not a capture file: it {seems}. Accepted are pcap and pcapng files, also compressed with gzip or zstd; {advice}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it seems to be, as the end of a sentence that begins with "it".
        seems: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// It is a capture file, but its very first header cannot be used.
    #[error("cannot read {}: {reason}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with the header.
        reason: String,
    },
    /// A pcap file has a single link type and was asked to hold two.
    #[error(
        "cannot write {}: a pcap file holds one link type, and these packets are of {first} and {other}; \
         save as pcapng (a name ending in .pcapng), or only the packets of one interface", .path.display()
    )]
    MixedLinkTypes {
        /// The file.
        path: PathBuf,
        /// The link type that the file already has.
        first: LinkType,
        /// The one that does not fit.
        other: LinkType,
    },
    /// A packet names an interface that was never described.
    #[error(
        "cannot write a packet to {}: it names interface {interface}, and {known} are described; \
         describe the interface first", .path.display()
    )]
    UnknownInterface {
        /// The file.
        path: PathBuf,
        /// The interface that the packet names, counted from 0.
        interface: u32,
        /// How many interfaces are described.
        known: usize,
    },
    /// More interfaces than a capture can hold here.
    #[error("cannot add an interface to {}: it has {} already, the most that is supported", .path.display(), u16::MAX)]
    TooManyInterfaces {
        /// The file.
        path: PathBuf,
    },
    /// A packet is longer than any reader accepts.
    #[error(
        "cannot write a packet of {length} bytes to {}: at most {MAX_PACKET_LENGTH} are supported; \
         capture with a smaller snap length", .path.display()
    )]
    PacketTooLong {
        /// The file.
        path: PathBuf,
        /// The captured length, in bytes.
        length: usize,
    },
    /// pcap counts seconds in 32 bits.
    #[error(
        "cannot write a packet to {}: its time ({timestamp_ns} ns since 1970) lies past the year 2106, \
         where pcap ends; save as pcapng", .path.display()
    )]
    TimeOutOfRange {
        /// The file.
        path: PathBuf,
        /// The time, in nanoseconds since the Unix epoch.
        timestamp_ns: u64,
    },
    /// A write failed before; the writer takes nothing more.
    #[error("nothing more is written to {}: an earlier write to it failed", .path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// There is no packet with this position.
    #[error("{} has no packet at position {position}: it has {packets} packets, counted from 0", .path.display())]
    NoSuchPacket {
        /// The file.
        path: PathBuf,
        /// The position asked for, counted from 0.
        position: usize,
        /// How many packets there are.
        packets: usize,
    },
    /// The file is not any more what it was when it was indexed.
    #[error("cannot read a packet of {}: {reason}, so the file was changed since it was opened; open it again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        reason: &'static str,
    },
    /// The disk is nearly full.
    #[error(
        "the disk of {} is low: {} MiB are free, and {} MiB are to stay free; free some space, choose a place on \
         another disk, or let less stay free", .path.display(), free >> 20, keep.div_ceil(1 << 20)
    )]
    DiskLow {
        /// The file.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free.
        keep: u64,
    },
    /// No free name was found for a new file.
    #[error("cannot make a new file in {}: {tried} names were tried and all exist; remove old files there", .directory.display())]
    NoFreeName {
        /// The directory.
        directory: PathBuf,
        /// How many names were tried.
        tried: u32,
    },
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_path_buf(), source }
    }
}

/// What to do about a system error, as the tail of its message.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free some space, or choose a place on another disk",
        io::ErrorKind::QuotaExceeded => {
            "; your disk quota is used up: free some space, or choose another place"
        }
        io::ErrorKind::FileTooLarge => "; the file system or a limit of this process allows no larger file",
        io::ErrorKind::PermissionDenied => "; choose a place that you may use, or change its permissions",
        io::ErrorKind::ReadOnlyFilesystem => "; the file system is read-only, choose another place",
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::IsADirectory => "; name a file in it",
        io::ErrorKind::StaleNetworkFileHandle | io::ErrorKind::NotConnected => GONE,
        // EIO, ENXIO, ENODEV (errno(3)): the device or the server behind a mount is away.
        _ if matches!(error.raw_os_error(), Some(5 | 6 | 19)) => GONE,
        _ => "",
    }
}

const GONE: &str =
    "; the disk or the network share that it is on seems to be gone: bring it back, and open the file again";
