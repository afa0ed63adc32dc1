//! Copying the blocks of a pcapng file as they are: sections, interfaces, packets with their options, blocks that nobody
//! here knows, counters, in their own byte order and resolution. Only packets that are not wanted are left out.

use std::io::Write;
use std::path::Path;

use super::capture::{CaptureFile, exactly};
use super::encode::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, OBSOLETE_PACKET, PACKET_BLOCK_HEADER, SECTION_HEADER, SIMPLE_PACKET,
};
use super::error::Error;
use super::fields::Order;
use super::index::Index;
use super::save::{Saved, Selection};
use super::window::Window;

/// How much of a large block is held at once, in bytes.
const PIECE: u64 = 1024 * 1024;
/// Where the length of a section stands in its header, and what says that it is not known.
const SECTION_LENGTH: std::ops::Range<usize> = 16..24;
const UNKNOWN: [u8; 8] = [0xFF; 8];

/// Whether these packets can be copied so: they stay in their order.
pub(super) fn can_copy(selection: Selection<'_>) -> bool {
    match selection {
        Selection::All => true,
        Selection::Packets(positions) => positions.is_sorted_by(|a, b| a < b),
    }
}

/// Copies the packets of an index that are selected, and all blocks around them.
pub(super) fn copy(
    capture: &CaptureFile,
    index: &Index,
    selection: Selection<'_>,
    out: &mut impl Write,
    path: &Path,
) -> Result<Saved, Error> {
    if let Selection::Packets(positions) = selection
        && let Some(last) = positions.last()
    {
        capture.entry(*last)?;
    }
    let length = capture.file().metadata().map_err(|source| Error::io("read", capture.path(), source))?.len();
    let mut copier = Copier { capture, window: Window::default(), order: Order::Little, length, out, path };
    let (mut at, mut position) = (0, 0);
    let mut saved = Saved { packets: 0, bytes: 0 };
    // Up to a block that is not whole, or cannot be one: behind the last packet it is the torn end of a file.
    while let Some((kind, total)) = copier.frame(at)? {
        let header = match kind {
            ENHANCED_PACKET | OBSOLETE_PACKET => Some(PACKET_BLOCK_HEADER),
            SIMPLE_PACKET => Some(12),
            _ => None,
        };
        let is_wanted = match header.map(|header| (index.get(position), at + header)) {
            None => true,
            // It came behind the index.
            Some((None, _)) => break,
            Some((Some(entry), bytes)) if entry.offset == bytes => {
                position += 1;
                match selection {
                    Selection::All => true,
                    Selection::Packets(positions) => positions.binary_search(&(position - 1)).is_ok(),
                }
            }
            // It was left out of the index because it cannot be read.
            Some(_) => false,
        };
        if is_wanted {
            copier.block(kind, at, total)?;
            saved.packets += u64::from(header.is_some());
            saved.bytes += total;
        }
        at += total;
    }
    if position < index.len() {
        return Err(capture.changed("a packet is not any more where it was"));
    }
    Ok(saved)
}

struct Copier<'a, W> {
    capture: &'a CaptureFile,
    window: Window,
    order: Order,
    length: u64,
    out: &'a mut W,
    path: &'a Path,
}

impl<W: Write> Copier<'_, W> {
    /// The type and the length of the block at this place; `None`: there is no whole one.
    fn frame(&mut self, at: u64) -> Result<Option<(u32, u64)>, Error> {
        if at + 12 > self.length {
            return Ok(None);
        }
        let start = exactly(&mut self.window, self.capture, at, 12)?;
        if Order::Little.u32(start, 0) == Some(SECTION_HEADER) {
            self.order = match Order::Little.u32(start, 8) {
                Some(BYTE_ORDER_MAGIC) => Order::Little,
                Some(magic) if magic.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
                _ => return Ok(None),
            };
        }
        let (kind, total) = (self.order.u32(start, 0).unwrap_or(0), self.order.u32(start, 4).unwrap_or(0));
        let least = if kind == SECTION_HEADER { 28 } else { 12 };
        let is_whole = total >= least && total.is_multiple_of(4) && at + u64::from(total) <= self.length;
        Ok(is_whole.then_some((kind, u64::from(total))))
    }

    fn block(&mut self, kind: u32, at: u64, total: u64) -> Result<(), Error> {
        let mut done = 0;
        while done < total {
            let piece = (total - done).min(PIECE);
            let bytes =
                exactly(&mut self.window, self.capture, at + done, usize::try_from(piece).unwrap_or(0))?;
            let written = match bytes.get(SECTION_LENGTH) {
                // It may be another one now.
                Some(length) if done == 0 && kind == SECTION_HEADER && length != UNKNOWN => {
                    let mut bytes = bytes.to_vec();
                    if let Some(place) = bytes.get_mut(SECTION_LENGTH) {
                        place.copy_from_slice(&UNKNOWN);
                    }
                    self.out.write_all(&bytes)
                }
                _ => self.out.write_all(bytes),
            };
            written.map_err(|source| Error::io("write to", self.path, source))?;
            done += piece;
        }
        Ok(())
    }
}
