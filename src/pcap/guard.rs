//! Whether a file is still the one that was indexed: it may only grow at its end.
//!
//! Each look compares the file's length and the time of its last change (`st_ctime`, which no program can set). Where
//! these differ from what was approved, pieces of the file are compared with what stood there: its beginning, the last
//! packet, and packets in between. A change in place that spares all of them is not noticed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use super::index::Index;

/// Bytes of a piece that is compared.
const PIECE: usize = 96;
/// A piece begins so many bytes before a packet's own bytes: within the header of its record.
const BEFORE: u64 = 16;
/// Packets that are compared, besides the last one.
const PACKETS: usize = 16;

/// What is known of a file.
#[derive(Debug)]
pub(super) struct Guard {
    file: Arc<File>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    pieces: Vec<Piece>,
    /// The packets that were there when the pieces were taken.
    packets: usize,
    /// Once it is another file it stays so.
    changed: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

#[derive(Debug)]
struct Piece {
    at: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn read(file: &File, at: u64) -> io::Result<Self> {
        let mut bytes = vec![0; PIECE];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + length as u64)? {
                0 => break,
                n => length += n,
            }
        }
        bytes.truncate(length);
        Ok(Self { at, bytes })
    }

    /// The file may have grown behind it since.
    fn is_there(&self, file: &File) -> io::Result<bool> {
        Ok(Self::read(file, self.at)?.bytes.starts_with(&self.bytes))
    }
}

impl Guard {
    /// Of a file as it is now.
    pub(super) fn new(file: Arc<File>) -> io::Result<Self> {
        let stamp = Stamp::of(&file.metadata()?);
        let pieces = vec![Piece::read(&file, 0)?];
        Ok(Self { file, known: Mutex::new(Known { stamp, pieces, packets: 0, changed: None }) })
    }

    /// Looks at the file: the inner error says what gave it away that it is another one now. Call it behind a read, and it
    /// holds for what was read.
    pub(super) fn look(&self) -> io::Result<Result<(), &'static str>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = known.changed {
            return Ok(Err(reason));
        }
        let stamp = Stamp::of(&self.file.metadata()?);
        if stamp == known.stamp {
            return Ok(Ok(()));
        }
        let mut same = true;
        for piece in &known.pieces {
            same = same && piece.is_there(&self.file)?;
        }
        known.changed = match same {
            _ if stamp.length < known.stamp.length => Some("it is shorter than it was"),
            false => Some("there are other bytes in it than before"),
            true => None,
        };
        known.stamp = stamp;
        Ok(known.changed.map_or(Ok(()), Err))
    }

    /// Takes pieces of what is indexed by now, for later looks.
    pub(super) fn learn(&self, index: &Index) -> io::Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let count = index.len();
        if count <= known.packets || known.changed.is_some() {
            return Ok(());
        }
        let at = |position: usize| index.get(position).map(|e| e.offset.saturating_sub(BEFORE));
        if count >= 2 * known.packets {
            known.pieces.truncate(1);
            for n in 0..PACKETS.min(count) {
                let Some(at) = at(n * (count / PACKETS.min(count))) else { break };
                known.pieces.push(Piece::read(&self.file, at)?);
            }
            known.packets = count;
        } else {
            // The last piece is that of the packet that was the last one.
            known.pieces.truncate(1 + PACKETS);
        }
        if let Some(at) = at(count - 1) {
            known.pieces.push(Piece::read(&self.file, at)?);
        }
        Ok(())
    }
}
