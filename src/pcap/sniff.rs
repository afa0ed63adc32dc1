//! What a file is, from its first bytes.

use std::path::Path;

use super::encode::{BYTE_ORDER_MAGIC, SECTION_HEADER};
use super::error::Error;
use super::fields::Order;
use super::types::{Format, LinkType};

/// How many bytes at the beginning are looked at.
pub(super) const PREFIX: usize = 512;

/// The length of the header of a pcap file, in bytes.
pub(super) const PCAP_HEADER: usize = 24;

/// How a pcap file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PcapLayout {
    pub(super) order: Order,
    /// Nanoseconds in a unit of the fraction: 1, or 1000.
    pub(super) unit: u32,
    /// Kuznetzov's variant: 8 more bytes in each record header.
    pub(super) modified: bool,
    pub(super) link_type: LinkType,
    pub(super) snap_length: u32,
}

/// A capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PcapNg,
    Pcap(PcapLayout),
}

impl Kind {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::PcapNg => Format::PcapNg,
            Self::Pcap(_) => Format::Pcap,
        }
    }
}

/// Tells what the file is that begins with these bytes (up to [`PREFIX`] of them).
pub(super) fn identify(path: &Path, first: &[u8]) -> Result<Kind, Error> {
    let header = |reason: String| Error::Header { path: path.to_path_buf(), reason };
    let torn = |needs: usize| {
        let left = first.len();
        header(format!(
            "the file ends in the middle of its header (needs {needs} bytes, {left} are there): no packet is readable"
        ))
    };
    let magic = Order::Little.u32(first, 0);
    if magic == Some(SECTION_HEADER) {
        let bytes = Order::Little.u32(first, 8).ok_or_else(|| torn(12))?;
        if bytes != BYTE_ORDER_MAGIC && bytes.swap_bytes() != BYTE_ORDER_MAGIC {
            return Err(header(format!(
                "it begins as a pcapng file, but the byte-order magic is {bytes:#010x} instead of \
                 {BYTE_ORDER_MAGIC:#010x}: the file is damaged"
            )));
        }
        return Ok(Kind::PcapNg);
    }
    for order in [Order::Little, Order::Big] {
        let (unit, modified) = match order.u32(first, 0) {
            Some(0xA1B2_C3D4) => (1_000, false),
            Some(0xA1B2_3C4D) => (1, false),
            Some(0xA1B2_CD34) => (1_000, true),
            _ => continue,
        };
        let layout = || {
            Some(PcapLayout {
                order,
                unit,
                modified,
                snap_length: order.u32(first, 16)?,
                // The upper bits tell the length of a frame check sequence.
                link_type: LinkType(order.u32(first, 20)? & 0x03FF_FFFF),
            })
        };
        return layout().map(Kind::Pcap).ok_or_else(|| torn(PCAP_HEADER));
    }
    let (seems, advice) = foreign(first);
    Err(Error::Foreign { path: path.to_path_buf(), seems, advice })
}

/// Beginnings of other files: bytes, what such a file is, what to do with it.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip once more", "unpack it first: gunzip"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd once more", "unpack it first: unzstd"),
    (b"\xfd7zXZ\0", "is compressed with xz", "unpack it first: unxz"),
    (b"BZh", "is compressed with bzip2", "unpack it first: bunzip2"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4", "unpack it first: unlz4"),
    (b"PK\x03\x04", "is a zip archive", "unpack it first: unzip"),
    (b"\x7fELF", "is a program (ELF)", "check the path"),
    (b"snoop\0\0\0", "is a snoop file (RFC 1761)", "convert it first: editcap IN OUT.pcapng"),
    (b"GMBU", "is a Network Monitor file", "convert it first: editcap IN OUT.pcapng"),
    (b"RTSS", "is a Network Monitor 1 file", "convert it first: editcap IN OUT.pcapng"),
    (b"TRSNIFF data", "is a Sniffer file", "convert it first: editcap IN OUT.pcapng"),
    (b"\x89PNG", "is a picture (PNG)", "check the path"),
    (b"%PDF", "is a PDF document", "check the path"),
    (b"SQLite format 3\0", "is an SQLite data base", "check the path"),
];

fn foreign(first: &[u8]) -> (String, &'static str) {
    if first.is_empty() {
        return ("is empty".to_owned(), "was the capture stopped before anything was written?");
    }
    if let Some((_, seems, advice)) = KNOWN.iter().find(|(begin, ..)| first.starts_with(begin)) {
        return ((*seems).to_owned(), advice);
    }
    // A prefix may end within a character.
    let text = match std::str::from_utf8(first) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            first.get(..error.valid_up_to()).and_then(|bytes| std::str::from_utf8(bytes).ok())
        }
        Err(_) => None,
    };
    if text
        .is_some_and(|text| !text.is_empty() && text.chars().all(|c| !c.is_control() || "\t\r\n".contains(c)))
    {
        return ("is text".to_owned(), "a hex dump becomes a capture with text2pcap");
    }
    let hex: Vec<String> = first.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    (format!("begins with the bytes {}", hex.join(" ")), "check the path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: &[u8]) -> String {
        identify(Path::new("some.file"), first).unwrap_err().to_string()
    }

    #[test]
    fn foreign_files_are_named() {
        for (first, part) in [
            (&b""[..], "is empty"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"\x28\xb5\x2f\xfd\x24", "zstd"),
            (b"\x7fELF\x02\x01", "ELF"),
            ("Grüße, world\n".as_bytes(), "is text"),
            (&"Grüße".as_bytes()[..3], "is text"),
            (b"\0\x01\x02", "begins with the bytes 00 01 02"),
        ] {
            let message = message(first);
            assert!(message.contains(part) && message.contains("some.file"), "{message}");
            assert!(message.contains("pcap and pcapng"), "{message}");
        }
    }

    #[test]
    fn torn_and_damaged_headers_are_named() {
        assert!(message(b"\xd4\xc3\xb2\xa1\x02\0").contains("needs 24 bytes, 6 are there"));
        assert!(message(b"\n\r\r\n\x1c\0\0\0").contains("needs 12 bytes, 8 are there"));
        assert!(message(b"\n\r\r\n\x1c\0\0\0abcd").contains("byte-order magic"));
    }
}
