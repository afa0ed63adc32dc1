//! Reading ahead: a thread that reads a file in order while another one looks at what was read before.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::window::{Block, SEQUENTIAL, read_at};

/// Room before each block for what began in the one before, in bytes: packets are shorter, nearly all.
const LEAD: usize = 64 * 1024;
/// Blocks that may be ready.
const READY: usize = 2;

/// Who reads ahead. The thread ends when this is dropped, or with the file.
#[derive(Debug)]
pub(super) struct Ahead {
    blocks: Receiver<Block>,
    buffers: Sender<Vec<u8>>,
}

impl Ahead {
    /// Begins at `from`. `None`: there is no second core, or no thread to be had.
    pub(super) fn start(file: &Arc<File>, from: u64) -> Option<Self> {
        thread::available_parallelism().ok().filter(|cores| cores.get() > 1)?;
        let (ready, blocks) = bounded(READY);
        let (buffers, free) = bounded::<Vec<u8>>(READY + 1);
        let file = Arc::clone(file);
        let read = move || {
            let mut at = from;
            loop {
                let fits = |buffer: &Vec<u8>| buffer.len() == LEAD + SEQUENTIAL;
                let mut buffer =
                    free.try_recv().ok().filter(fits).unwrap_or_else(|| vec![0; LEAD + SEQUENTIAL]);
                // Where it cannot be read, who looks at it finds out.
                let Ok(filled @ 1..) = read_at(&file, &mut buffer[LEAD..], at) else { break };
                let inside: Range<usize> = LEAD..LEAD + filled;
                if ready.send(Block { buffer, inside, at }).is_err() {
                    break;
                }
                at += filled as u64;
            }
        };
        thread::Builder::new().name("read-ahead".into()).spawn(read).ok()?;
        Some(Self { blocks, buffers })
    }

    /// The next block; `None`: there is no more.
    pub(super) fn next(&mut self) -> Option<Block> {
        self.blocks.recv().ok()
    }

    /// A buffer that may be used again.
    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        // With none to spare it is freed.
        let _ = self.buffers.try_send(buffer);
    }
}
