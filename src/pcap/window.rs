//! A window over a file: plain positioned reads in large blocks, no memory map.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much is read at once where reading goes on from the last window, in bytes.
const SEQUENTIAL: usize = 1024 * 1024;
/// How much is read at once at a place that is new, in bytes.
const RANDOM: usize = 16 * 1024;

/// The part of a file that was read last.
#[derive(Debug, Default)]
pub(super) struct Window {
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
}

impl Window {
    /// The `want` bytes at `offset`; fewer only where the file ends. The caller bounds `want`.
    pub(super) fn get(&mut self, file: &File, offset: u64, want: usize) -> io::Result<&[u8]> {
        let skip = match self.place(offset, want) {
            Some(skip) => skip,
            None => {
                self.fill(file, offset, want)?;
                0
            }
        };
        let end = self.filled.min(skip + want);
        Ok(self.buffer.get(skip..end).unwrap_or_default())
    }

    /// Whether these bytes are given without a read.
    pub(super) fn holds(&self, offset: u64, want: usize) -> bool {
        self.place(offset, want).is_some()
    }

    /// Where these bytes stand in the buffer, if all of them do.
    fn place(&self, offset: u64, want: usize) -> Option<usize> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        (skip.checked_add(want)? <= self.filled).then_some(skip)
    }

    fn fill(&mut self, file: &File, offset: u64, want: usize) -> io::Result<()> {
        let last = self.start..=self.start + (self.filled + SEQUENTIAL) as u64;
        let ahead = if self.filled > 0 && last.contains(&offset) { SEQUENTIAL } else { RANDOM };
        let size = want.max(ahead);
        if self.buffer.len() < size || self.buffer.len() > size.max(SEQUENTIAL) {
            self.buffer = vec![0; size];
        }
        (self.start, self.filled) = (offset, 0);
        while self.filled < size {
            let Some(rest) = self.buffer.get_mut(self.filled..size) else { break };
            match file.read_at(rest, offset + self.filled as u64) {
                Ok(0) => break,
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

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
