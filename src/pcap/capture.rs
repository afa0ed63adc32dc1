//! A capture that can be looked at: an opened file, or the spool of one that still goes on.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encode::{
    ENHANCED_PACKET, EPB_DROPCOUNT, OBSOLETE_PACKET, OPT_COMMENT, PACKET_BLOCK_HEADER, padded,
};
use super::error::Error;
use super::fields::{Order, options};
use super::guard::Guard;
use super::index::{EntryFlags, IndexEntry, SharedIndex};
use super::indexer::{Indexer, Progress, Report};
use super::loader::Loader;
use super::losses::SharedLosses;
use super::scan::SharedInterfaces;
use super::sections::MAX_OPTIONS;
use super::sniff::{Kind, PREFIX, identify};
use super::space::KEEP_FREE;
use super::stream::Keep;
use super::types::{Format, InterfaceInfo, PacketRecord};
use super::unpack::Packing;
use super::window::Window;

/// A capture file, its index and its interfaces. Cloning shares all of them; a clone is for another thread.
///
/// The packets' bytes stay in the file and are read when they are asked for. Should someone truncate or overwrite the
/// file meanwhile, reading gives [`Error::Changed`]; a file that is renamed or removed stays readable. A file may grow at
/// its end: [`Loader`] reads on.
#[derive(Debug, Clone)]
pub struct CaptureFile {
    file: Arc<File>,
    path: Arc<Path>,
    format: Format,
    index: SharedIndex,
    interfaces: SharedInterfaces,
    losses: SharedLosses,
    /// Where others can write to the file too.
    guard: Option<Arc<Guard>>,
}

impl CaptureFile {
    /// Opens a pcap or pcapng file and indexes it to its end. What is no regular file (a pipe), or is compressed with gzip or
    /// zstd, is copied to a temporary file meanwhile, see [`open_stream`](super::open_stream).
    ///
    /// A damaged or truncated file is no error: the report says what could be read and what is wrong.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be opened or read, [`Error::Foreign`] when it is no capture file,
    /// [`Error::Header`] when its header is torn or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Report), Error> {
        Self::open_with(path, &mut |_| ControlFlow::Continue(()))
    }

    /// Like [`CaptureFile::open`], with a callback about once for each MiB, which may stop the indexing.
    ///
    /// # Errors
    /// Those of [`CaptureFile::open`].
    pub fn open_with(
        path: impl AsRef<Path>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(Self, Report), Error> {
        let (capture, mut loader) = Self::begin(path)?;
        let report = loader.run(progress)?;
        Ok((capture, report))
    }

    /// Opens a file and indexes nothing yet: the capture can be shown at once and fills while another thread runs
    /// the [`Loader`].
    ///
    /// # Errors
    /// Those of [`CaptureFile::open`].
    pub fn begin(path: impl AsRef<Path>) -> Result<(Self, Loader), Error> {
        Self::begin_keeping(path, KEEP_FREE)
    }

    /// Like [`CaptureFile::begin`]; what is unpacked leaves `keep_free` bytes free on its disk.
    ///
    /// # Errors
    /// Those of [`CaptureFile::open`].
    pub fn begin_keeping(path: impl AsRef<Path>, keep_free: u64) -> Result<(Self, Loader), Error> {
        let path = path.as_ref();
        let fail = |source| Error::io("open", path, source);
        let kind = std::fs::metadata(path).map_err(fail)?.file_type();
        if kind.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let file = File::open(path).map_err(fail)?;
        if !kind.is_file() {
            return Loader::stream(file, path, Keep::Unnamed);
        }
        let fail = |source| Error::io("read", path, source);
        let mut first = [0; 4];
        let length = file.read_at(&mut first, 0).map_err(fail)?;
        if Packing::of(first.get(..length).unwrap_or_default()).is_some() {
            return Loader::packed(file, path, keep_free);
        }
        let file = Arc::new(file);
        let guard = Guard::new(Arc::clone(&file)).map_err(fail)?;
        let (capture, indexer) = Self::recognise(file, path, Some(Arc::new(guard)))?;
        Ok((capture.clone(), Loader::of_file(capture, indexer)))
    }

    /// A file that nobody else writes to.
    pub(super) fn from_file(file: File, path: &Path) -> Result<(Self, Indexer), Error> {
        Self::recognise(Arc::new(file), path, None)
    }

    /// Recognises what a regular file is.
    fn recognise(file: Arc<File>, path: &Path, guard: Option<Arc<Guard>>) -> Result<(Self, Indexer), Error> {
        let mut window = Window::default();
        let first = window.get(&file, 0, PREFIX).map_err(|source| Error::io("read", path, source))?;
        let kind = identify(path, first)?;
        let interfaces = SharedInterfaces::default();
        if let Kind::Pcap(layout) = kind {
            interfaces.push(InterfaceInfo::unnamed(layout.link_type, layout.snap_length));
        }
        let capture = Self { guard, ..Self::new(file, path.to_path_buf(), kind.format(), interfaces) };
        Ok((capture.clone(), Indexer::new(capture, kind)))
    }

    pub(super) fn new(file: Arc<File>, path: PathBuf, format: Format, interfaces: SharedInterfaces) -> Self {
        Self {
            file,
            path: path.into(),
            format,
            index: SharedIndex::default(),
            interfaces,
            losses: SharedLosses::default(),
            guard: None,
        }
    }

    pub(super) const fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) const fn shared_losses(&self) -> &SharedLosses {
        &self.losses
    }

    pub(super) const fn shared_interfaces(&self) -> &SharedInterfaces {
        &self.interfaces
    }

    /// The path that the file was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format of the file.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The index, which may still grow.
    #[must_use]
    pub const fn index(&self) -> &SharedIndex {
        &self.index
    }

    /// How many packets it has now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it has no packet yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The interfaces known so far, of all sections, in the order of the file.
    #[must_use]
    pub fn interfaces(&self) -> Arc<Vec<InterfaceInfo>> {
        self.interfaces.get()
    }

    /// Reads the captured bytes of the packet at this position, counted from 0, into `bytes`, in a single call to
    /// the system. For many packets in order a [`PacketReader`] is quicker.
    ///
    /// # Errors
    /// [`Error::NoSuchPacket`], [`Error::Changed`] when the file has become shorter, [`Error::Io`].
    pub fn read_packet(&self, position: usize, bytes: &mut Vec<u8>) -> Result<IndexEntry, Error> {
        let entry = self.entry(position)?;
        bytes.clear();
        bytes.resize(entry.captured as usize, 0);
        match self.file.read_exact_at(bytes, entry.offset) {
            Ok(()) => self.look().map(|()| entry),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.changed("it is shorter than it was"))
            }
            Err(error) => Err(Error::io("read", &self.path, error)),
        }
    }

    /// Checks that the file is still the one that was opened, and has at most grown.
    ///
    /// # Errors
    /// [`Error::Changed`], [`Error::Io`].
    pub fn look(&self) -> Result<(), Error> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let looked = guard.look().map_err(|source| Error::io("read", &self.path, source))?;
        looked.map_err(|reason| self.changed(reason))
    }

    /// Remembers what the packets that are indexed now look like, for later looks.
    pub(super) fn learn(&self) -> Result<(), Error> {
        let Some(guard) = &self.guard else { return Ok(()) };
        guard.learn(&self.index.snapshot()).map_err(|source| Error::io("read", &self.path, source))
    }

    /// A reader with a window of its own over the file: quick for packets in order, and gives whole records.
    #[must_use]
    pub fn reader(&self) -> PacketReader {
        PacketReader { capture: self.clone(), window: Window::default() }
    }

    pub(super) fn entry(&self, position: usize) -> Result<IndexEntry, Error> {
        self.index.get(position).ok_or_else(|| Error::NoSuchPacket {
            path: self.path.to_path_buf(),
            position,
            packets: self.len(),
        })
    }

    pub(super) fn changed(&self, reason: &'static str) -> Error {
        Error::Changed { path: self.path.to_path_buf(), reason }
    }
}

/// Reads packets through a window of about 1 MiB.
#[derive(Debug)]
pub struct PacketReader {
    capture: CaptureFile,
    window: Window,
}

/// A packet and the options of its block as they stand in the file.
pub(super) struct RawPacket<'a> {
    pub(super) data: &'a [u8],
    /// Empty where there are none.
    pub(super) options: &'a [u8],
    pub(super) order: Order,
    /// The drop count of an obsolete packet block, where it is known and not 0.
    pub(super) dropped: Option<u16>,
}

impl PacketReader {
    /// The captured bytes of a packet of this capture.
    ///
    /// # Errors
    /// [`Error::Changed`] when the file has become shorter, [`Error::Io`].
    pub fn bytes(&mut self, entry: &IndexEntry) -> Result<&[u8], Error> {
        exactly(&mut self.window, &self.capture, entry.offset, entry.captured as usize)
    }

    /// The whole record of the packet at this position, counted from 0, with its comment.
    ///
    /// # Errors
    /// [`Error::NoSuchPacket`], [`Error::Changed`] when the file is not any more what it was, [`Error::Io`].
    pub fn record(&mut self, position: usize) -> Result<PacketRecord<'_>, Error> {
        let entry = self.capture.entry(position)?;
        let raw = self.raw(&entry)?;
        Ok(raw.record(&entry))
    }

    pub(super) fn raw(&mut self, entry: &IndexEntry) -> Result<RawPacket<'_>, Error> {
        let order = if entry.flags.has(EntryFlags::BIG_ENDIAN) { Order::Big } else { Order::Little };
        if !entry.flags.has(EntryFlags::OPTIONS) {
            return Ok(RawPacket { data: self.bytes(entry)?, options: &[], order, dropped: None });
        }
        let capture = &self.capture;
        let start = entry.offset.saturating_sub(PACKET_BLOCK_HEADER);
        let data = PACKET_BLOCK_HEADER as usize..PACKET_BLOCK_HEADER as usize + entry.captured as usize;
        let header = exactly(&mut self.window, capture, start, data.start)?;
        let kind = order.u32(header, 0);
        let total = u64::from(order.u32(header, 4).unwrap_or(0));
        let least = PACKET_BLOCK_HEADER + padded(u64::from(entry.captured)) + 4;
        if !matches!(kind, Some(ENHANCED_PACKET | OBSOLETE_PACKET))
            || order.u32(header, 20) != Some(entry.captured)
            || total < least
        {
            return Err(capture.changed("the packet is not any more where it was"));
        }
        let dropped =
            order.u16(header, 10).filter(|n| kind == Some(OBSOLETE_PACKET) && !matches!(*n, 0 | u16::MAX));
        let options = (total - least).min(MAX_OPTIONS);
        let whole = usize::try_from(least - 4 + options).unwrap_or(0);
        let block = exactly(&mut self.window, capture, start, whole)?;
        let options = block.get((least - 4) as usize..).unwrap_or_default();
        Ok(RawPacket { data: block.get(data).unwrap_or_default(), options, order, dropped })
    }
}

/// The `want` bytes at a place, all of them.
pub(super) fn exactly<'a>(
    window: &'a mut Window,
    capture: &CaptureFile,
    at: u64,
    want: usize,
) -> Result<&'a [u8], Error> {
    let fail = |source| Error::io("read", &capture.path, source);
    if !window.holds(at, want) {
        window.get(&capture.file, at, want).map_err(fail)?;
        if let Err(error) = capture.look() {
            // Nobody gets what was read just now.
            *window = Window::default();
            return Err(error);
        }
    }
    match window.get(&capture.file, at, want) {
        Ok(bytes) if bytes.len() == want => Ok(bytes),
        Ok(_) => Err(capture.changed("it is shorter than it was")),
        Err(error) => Err(fail(error)),
    }
}

impl<'a> RawPacket<'a> {
    pub(super) fn record(&self, entry: &IndexEntry) -> PacketRecord<'a> {
        let comment = options(self.options, self.order).find(|(code, _)| *code == OPT_COMMENT);
        let dropped = options(self.options, self.order).find(|(code, _)| *code == EPB_DROPCOUNT);
        let dropped = dropped.and_then(|(_, bytes)| self.order.u64(bytes, 0));
        PacketRecord {
            interface: u32::from(entry.interface),
            timestamp_ns: entry.timestamp_ns,
            original_length: entry.original,
            data: self.data,
            direction: entry.direction(),
            checksum: entry.checksum(),
            comment: comment.map(|(_, bytes)| valid_text(bytes)),
            dropped: self.dropped.map(u64::from).or(dropped).unwrap_or(0),
        }
    }
}

/// The text as far as it is UTF-8.
fn valid_text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}
