//! A window over a file: plain positioned reads in large blocks, no memory map.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::ahead::Ahead;

/// How much is read at once where reading goes on from the last window, in bytes.
pub(super) const SEQUENTIAL: usize = 1024 * 1024;
/// How much is read at once at a place that is new, in bytes.
const RANDOM: usize = 16 * 1024;

/// A run of bytes of a file.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) buffer: Vec<u8>,
    /// Where it begins and ends in the buffer.
    pub(super) inside: Range<usize>,
    /// Where it begins in the file.
    pub(super) at: u64,
}

impl Block {
    fn end(&self) -> u64 {
        self.at + self.inside.len() as u64
    }

    /// Where the bytes from `offset` on stand in the buffer, if the block has so many.
    fn place(&self, offset: u64, want: usize) -> Option<usize> {
        let skip = usize::try_from(offset.checked_sub(self.at)?).ok()?;
        skip.checked_add(want).filter(|end| *end <= self.inside.len())?;
        Some(self.inside.start + skip)
    }
}

/// The part of a file that was read last.
#[derive(Debug, Default)]
pub(super) struct Window {
    block: Block,
    ahead: Option<Ahead>,
}

impl Window {
    /// Has another thread read the file from here on, for who goes through it in order. It reads a few blocks ahead, to the
    /// end of the file; whatever it does not give is read here.
    pub(super) fn read_ahead(&mut self, file: &Arc<File>, from: u64) {
        self.ahead = Ahead::start(file, from);
    }

    /// Somebody reads ahead, and what was given so far came from there.
    #[cfg(test)]
    fn reads_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Nobody reads ahead any more.
    pub(super) fn read_no_more_ahead(&mut self) {
        self.ahead = None;
    }

    /// The `want` bytes at `offset`; fewer only where the file ends. The caller bounds `want`.
    pub(super) fn get(&mut self, file: &File, offset: u64, want: usize) -> io::Result<&[u8]> {
        let place = match self.block.place(offset, want).or_else(|| self.take(offset, want)) {
            Some(place) => place,
            None => {
                self.fill(file, offset, want)?;
                0
            }
        };
        let end = self.block.inside.end.min(place + want);
        Ok(self.block.buffer.get(place..end).unwrap_or_default())
    }

    /// Goes on to the block that has these bytes, if somebody reads ahead.
    fn take(&mut self, offset: u64, want: usize) -> Option<usize> {
        while let Some(ahead) = &mut self.ahead {
            let Some(mut next) = ahead.next() else { break };
            // What begins in the block before is put before this one.
            let before = next.at.checked_sub(offset).filter(|rest| *rest > 0);
            if let Some(rest) = before.and_then(|rest| usize::try_from(rest).ok()) {
                let Some(start) = next.inside.start.checked_sub(rest) else { break };
                let Some(from) = self.block.place(offset, rest).filter(|_| self.block.end() == next.at)
                else {
                    break;
                };
                next.buffer[start..start + rest].copy_from_slice(&self.block.buffer[from..from + rest]);
                (next.inside.start, next.at) = (start, offset);
            }
            ahead.give_back(std::mem::replace(&mut self.block, next).buffer);
            if let Some(place) = self.block.place(offset, want) {
                return Some(place);
            }
        }
        self.ahead = None;
        None
    }

    /// Whether these bytes are given without a read.
    pub(super) fn holds(&self, offset: u64, want: usize) -> bool {
        self.block.place(offset, want).is_some()
    }

    fn fill(&mut self, file: &File, offset: u64, want: usize) -> io::Result<()> {
        let Block { buffer, inside, at } = &mut self.block;
        let last = *at..=*at + (inside.len() + SEQUENTIAL) as u64;
        let ahead = if inside.start < inside.end && last.contains(&offset) { SEQUENTIAL } else { RANDOM };
        let size = want.max(ahead);
        if buffer.len() < size || buffer.len() > size.max(SEQUENTIAL) {
            *buffer = vec![0; size];
        }
        (*at, *inside) = (offset, 0..0);
        inside.end = read_at(file, &mut buffer[..size], offset)?;
        Ok(())
    }
}

/// Fills the buffer as far as the file goes; how many bytes that are.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_another_thread_reads_ahead_is_the_same() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..9_000_000_u32).map(|n| (n / 7) as u8).collect();
        file.write_all(&bytes).unwrap();
        let file = Arc::new(file);
        let mut dice = fastrand::Rng::with_seed(3);
        // In order, as records are read; over blocks, back by a little, and away.
        for begin in [0, 24, 1_500_000] {
            let mut window = Window::default();
            window.read_ahead(&file, begin);
            let mut place = begin;
            while place < 9_000_100 {
                let most = if dice.u8(..) == 0 { 300_000 } else { 3_000 };
                let want = dice.usize(0..most);
                let from = (place as usize).min(bytes.len());
                let expected = &bytes[from..(from + want).min(bytes.len())];
                assert_eq!(window.get(&file, place, want).unwrap(), expected, "{want} at {place}");
                place += match dice.u8(..) {
                    0 => 2_500_000,
                    _ => want as u64 * 9 / 10 + 1,
                };
            }
            assert_eq!(window.get(&file, 5, 10).unwrap(), &bytes[5..15]);
        }
    }

    #[test]
    fn records_in_order_all_come_from_what_was_read_ahead() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 9_000_000]).unwrap();
        let file = Arc::new(file);
        if std::thread::available_parallelism().unwrap().get() < 2 {
            return;
        }
        let mut window = Window::default();
        window.read_ahead(&file, 24);
        let mut place = 24;
        while place < 8_990_000 {
            assert_eq!(window.get(&file, place, 16).unwrap().len(), 16);
            assert_eq!(window.get(&file, place + 16, 120).unwrap().len(), 120);
            assert!(window.reads_ahead(), "at {place}");
            place += 16 + 523;
        }
    }

    #[test]
    fn any_place_of_a_file_is_read_right() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
        file.write_all(&bytes).unwrap();
        let mut window = Window::default();
        let mut place = 1_u64;
        for round in 0..2_000_u64 {
            // Forwards by small steps, and every 50th time a jump anywhere.
            place = if round % 50 == 0 {
                place.wrapping_mul(6364136223846793005) % 3_000_100
            } else {
                place + 900
            };
            let want = (round * 37 % 2_000) as usize;
            let from = (place as usize).min(bytes.len());
            let expected = &bytes[from..(from + want).min(bytes.len())];
            assert_eq!(window.get(&file, place, want).unwrap(), expected, "{want} at {place}");
        }
        assert_eq!(window.get(&file, 10, 2_500_000).unwrap(), &bytes[10..2_500_010]);
        assert_eq!(window.get(&file, 1 << 40, 10).unwrap(), b"");
    }
}
