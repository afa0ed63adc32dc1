//! Writing a capture file to anything that takes bytes.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::cooked::{self, can_cook};
use super::encode::{self, PacketOptions};
use super::error::Error;
use super::types::{Format, InterfaceInfo, InterfaceStatistics, LinkType, MAX_PACKET_LENGTH, PacketRecord};

/// How many bytes are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Writes packets as pcapng or as pcap with nanoseconds.
///
/// Bytes are gathered and written in large pieces; [`Writer::flush`] writes what is gathered. Each write is checked.
/// After one failed, every further call gives [`Error::Stopped`]. End with [`Writer::finish`]: what is still
/// gathered when a writer is dropped is lost.
#[derive(Debug)]
#[must_use = "a writer must be finished"]
pub struct Writer<W: Write> {
    out: W,
    path: PathBuf,
    format: Format,
    interfaces: usize,
    /// The one link type of a pcap file, once its header is made.
    link_type: Option<LinkType>,
    /// Where packets get a cooked header: the link types that they come with, by interface.
    cooked: Option<Vec<LinkType>>,
    buffer: Vec<u8>,
    /// The offset in the file at which the buffer belongs.
    buffer_start: u64,
    /// Bytes that `out` has taken, parts of a failed write included.
    taken: u64,
    failed: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a file in `out`. `path` only names it in messages. Nothing is written yet.
    pub fn new(out: W, format: Format, path: impl AsRef<Path>) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER + 4096);
        if format == Format::PcapNg {
            encode::section_header(&mut buffer);
        }
        let path = path.as_ref().to_path_buf();
        Self {
            out,
            path,
            format,
            interfaces: 0,
            link_type: None,
            cooked: None,
            buffer,
            buffer_start: 0,
            taken: 0,
            failed: false,
        }
    }

    /// As [`Writer::new`] for a pcap file that takes packets of several link types: each gets a header of Linux cooked
    /// capture, version 2, in the place of its own link header.
    pub fn cooked(out: W, path: impl AsRef<Path>) -> Self {
        Self { cooked: Some(Vec::new()), ..Self::new(out, Format::Pcap, path) }
    }

    /// Describes an interface and returns its number: 0, 1, 2 …
    ///
    /// # Errors
    /// [`Error::MixedLinkTypes`] when a pcap file would get a second link type, [`Error::TooManyInterfaces`],
    /// [`Error::Header`] for a link type over 16 bits, and failures to write.
    pub fn add_interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Error> {
        self.check()?;
        let mut link_type = interface.link_type;
        if let Some(links) = self.cooked.as_mut().filter(|_| can_cook(link_type)) {
            links.push(std::mem::replace(&mut link_type, LinkType::LINUX_SLL2));
        }
        if link_type.0 > u32::from(u16::MAX) {
            let reason = format!("{link_type} cannot be written: a link type has 16 bits");
            return Err(Error::Header { path: self.path.clone(), reason });
        }
        let number = u16::try_from(self.interfaces).ok().filter(|n| *n < u16::MAX);
        let number = number.ok_or_else(|| Error::TooManyInterfaces { path: self.path.clone() })?;
        match (self.format, self.link_type) {
            (Format::PcapNg, _) => encode::interface_description(&mut self.buffer, interface),
            (Format::Pcap, None) => encode::pcap_header(&mut self.buffer, link_type, interface.snap_length),
            (Format::Pcap, Some(first)) if first == link_type => {}
            (Format::Pcap, Some(first)) => {
                return Err(Error::MixedLinkTypes { path: self.path.clone(), first, other: link_type });
            }
        }
        self.link_type.get_or_insert(link_type);
        self.interfaces += 1;
        self.write_when_full()?;
        Ok(u32::from(number))
    }

    /// Writes a packet and returns the offset in the file at which its bytes begin.
    ///
    /// # Errors
    /// [`Error::UnknownInterface`], [`Error::PacketTooLong`], [`Error::TimeOutOfRange`] (pcap only): the packet is
    /// not written and the writer goes on. [`Error::Io`]: the writer stops.
    pub fn write_packet(&mut self, record: &PacketRecord<'_>) -> Result<u64, Error> {
        self.write_with_options(record, PacketOptions::OfRecord)
    }

    /// Writes a packet, in pcapng with these options.
    pub(super) fn write_with_options(
        &mut self,
        record: &PacketRecord<'_>,
        options: PacketOptions<'_>,
    ) -> Result<u64, Error> {
        self.check()?;
        let (interface, known) = (record.interface, self.interfaces);
        if usize::try_from(interface).map_or(true, |n| n >= known) {
            return Err(Error::UnknownInterface { path: self.path.clone(), interface, known });
        }
        let length = record.data.len();
        if length > MAX_PACKET_LENGTH as usize {
            return Err(Error::PacketTooLong { path: self.path.clone(), length });
        }
        let start = self.bytes();
        match self.format {
            Format::PcapNg => encode::enhanced_packet(&mut self.buffer, record, options),
            Format::Pcap => {
                let timestamp_ns = record.timestamp_ns;
                let path = &self.path;
                let links = self.cooked.as_deref().unwrap_or_default();
                let link_type = usize::try_from(interface).ok().and_then(|n| links.get(n));
                // Interfaces are numbered from 1 in a kernel: 0 would be none.
                let head = link_type.and_then(|link| cooked::header(*link, interface + 1, record));
                let (head, cut) = head.as_ref().map_or((&[][..], 0), |(head, cut)| (&head[..], *cut));
                encode::pcap_packet(&mut self.buffer, record, head, cut)
                    .ok_or_else(|| Error::TimeOutOfRange { path: path.clone(), timestamp_ns })?;
            }
        }
        self.write_when_full()?;
        Ok(start + if self.format == Format::PcapNg { encode::PACKET_BLOCK_HEADER } else { 16 })
    }

    /// Bytes written and gathered so far: the length of the file once all of it is written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.buffer_start + self.buffer.len() as u64
    }

    /// Bytes that stand in the file, parts of a failed write included.
    #[must_use]
    pub const fn bytes_written(&self) -> u64 {
        self.taken
    }

    /// What the bytes go to.
    pub const fn get_ref(&self) -> &W {
        &self.out
    }

    /// Writes what is gathered.
    ///
    /// # Errors
    /// [`Error::Io`] when a write fails; the writer then stops.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.check()?;
        self.write_buffer().and_then(|()| self.out.flush()).map_err(|source| {
            self.failed = true;
            Error::io("write to", &self.path, source)
        })
    }

    /// Ends the file: writes the counters (pcapng only, pcap has no place for them) and all that is gathered, and
    /// returns the length of the file in bytes.
    ///
    /// A pcap file without any interface gets the header of an empty Ethernet capture, to be a valid file.
    ///
    /// # Errors
    /// [`Error::UnknownInterface`] when counters name no described interface, [`Error::Io`] when a write fails.
    pub fn finish(mut self, statistics: &[InterfaceStatistics]) -> Result<u64, Error> {
        self.end(statistics)?;
        Ok(self.taken)
    }

    pub(super) fn end(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Error> {
        self.check()?;
        if self.format == Format::Pcap && self.link_type.is_none() {
            self.add_interface(&InterfaceInfo::unnamed(LinkType::ETHERNET, 0))?;
        }
        for one in statistics {
            if usize::try_from(one.interface).map_or(true, |n| n >= self.interfaces) {
                let (interface, known) = (one.interface, self.interfaces);
                return Err(Error::UnknownInterface { path: self.path.clone(), interface, known });
            }
            if self.format == Format::PcapNg {
                encode::interface_statistics(&mut self.buffer, one);
            }
        }
        self.flush()
    }

    fn check(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Stopped { path: self.path.clone() }) } else { Ok(()) }
    }

    fn write_when_full(&mut self) -> Result<(), Error> {
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Like `write_all`, but keeps count of what was taken before a failure.
    fn write_buffer(&mut self) -> std::io::Result<()> {
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    rest = rest.get(n..).unwrap_or_default();
                    self.taken += n as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer_start = self.taken;
        self.buffer.clear();
        Ok(())
    }
}
