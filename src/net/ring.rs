//! A packet socket with a ring: the kernel puts packets into memory that it shares with this program, many to a block.
//!
//! Documentation/networking/packet_mmap.rst, packet(7). The kernel hands a block over when it is full, or when it is
//! [`RETIRE`] old and not empty: at a high rate that is one call to the system for thousands of packets, and a single
//! packet still shows soon. A block that stays empty wakes nobody.

use super::batch::{Packets, Slot, Stopper};
use super::error::Error;
use super::packet::{PacketSocket, Statistics};
use super::ring_block::{Step, Walk};
use super::ring_map::Map;
use super::sys;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// After this time the kernel hands over a block that is not full.
pub const RETIRE: Duration = Duration::from_millis(10);
/// Bytes of a ring if nothing else is said.
pub const RING: usize = 64 << 20;
/// Bytes of a block: more than the longest packet that is kept. When few packets come a block has few in it, and the ring
/// holds [`RETIRE`] times its blocks: with 128 of them more than a second, for a disk that is slow to write.
const BLOCK: usize = 512 << 10;
/// Bytes of a block of a large ring.
const LARGE_BLOCK: usize = 4 << 20;
/// Packets that one receive gives at most.
const CHUNK: usize = 512;

/// There is no ring: the socket is as it was.
#[derive(Debug)]
pub struct NoRing {
    /// The socket, to receive without a ring.
    pub socket: PacketSocket,
    /// The system's reason.
    pub reason: Error,
}

/// A packet socket with a ring.
#[derive(Debug)]
pub struct Ring {
    socket: PacketSocket,
    map: Map,
    snap: usize,
    /// The walk over the block that is held.
    walk: Option<Walk>,
    /// Which block comes next.
    next: usize,
    /// Blocks that were opened so far.
    opened: u64,
    slots: Vec<Slot>,
    /// Packets dropped behind the block of this number.
    gaps: VecDeque<(u64, u64)>,
    /// Packets dropped before the next one.
    gap: u64,
    /// What the kernel had dropped when it was asked last.
    dropped: u64,
    unreadable: u64,
}

impl Ring {
    /// Gives a socket that is not bound yet a ring of about so many bytes. `snap`: bytes of a packet that are kept.
    ///
    /// # Errors
    /// [`NoRing`], with the socket.
    pub fn open(socket: PacketSocket, bytes: usize, snap: usize) -> Result<Self, Box<NoRing>> {
        let block = if bytes > 1 << 30 { LARGE_BLOCK } else { BLOCK };
        // With a single block the kernel would have nowhere to write while it is read.
        let count = (bytes / block).max(2);
        let retire = u32::try_from(RETIRE.as_millis()).unwrap_or(u32::MAX);
        match Map::new(socket.as_fd(), block, count, retire) {
            Ok(map) => Ok(Self {
                socket,
                map,
                snap: snap.max(1),
                walk: None,
                next: 0,
                opened: 0,
                slots: Vec::with_capacity(CHUNK),
                gaps: VecDeque::new(),
                gap: 0,
                dropped: 0,
                unreadable: 0,
            }),
            Err(error) => {
                let reason = Error::system(format!("have a ring of {} MiB", (block * count) >> 20), error);
                Err(Box::new(NoRing { socket, reason }))
            }
        }
    }

    /// The socket, to bind it and to ask about interfaces.
    pub fn socket(&self) -> &PacketSocket {
        &self.socket
    }

    /// Ends a receive that waits, from another thread.
    pub fn stopper(&self) -> Stopper {
        self.socket.stopper()
    }

    /// Takes up to some hundred packets, waiting up to `timeout` for the first one; [`Self::packets`] gives them. Gives their
    /// number; 0 when none came in time or the stopper was used. VLAN tags are put back into Ethernet frames. On
    /// loopback each packet comes once.
    ///
    /// # Errors
    /// As [`PacketSocket::receive`].
    pub fn receive(&mut self, timeout: Duration) -> Result<usize, Error> {
        self.slots.clear();
        let mut deadline = None;
        loop {
            self.read_held();
            if !self.slots.is_empty() {
                return Ok(self.slots.len());
            }
            if self.open_next() {
                continue;
            }
            let now = Instant::now();
            let left = deadline.get_or_insert(now + timeout).saturating_duration_since(now);
            if self.wait(left).map_err(|error| self.socket.no_further(error))? || left.is_zero() {
                return Ok(0);
            }
        }
    }

    /// The packets of the last receive, in the order in which they came.
    pub fn packets(&self) -> Packets<'_> {
        Packets { memory: self.map.body(), slots: self.slots.iter() }
    }

    /// Whether packets are there that can be received without waiting.
    pub fn has_more(&self) -> bool {
        self.walk.is_some() || self.map.is_ready(self.next)
    }

    /// What the kernel counted since the socket was made.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        self.socket.statistics()
    }

    /// Packets that were dropped and for which no later packet has come that could say so.
    pub fn dropped_at_end(&self) -> u64 {
        self.gap + self.gaps.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Packets in blocks that could not be read. The kernel makes none such.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Reads on in the block that is held; gives it back when there is nothing more in it.
    fn read_held(&mut self) {
        let Some(walk) = &mut self.walk else { return };
        while self.slots.len() < CHUNK {
            match walk.next(self.map.body_mut(), self.snap) {
                Step::Packet(slot) => {
                    let dropped_before = std::mem::take(&mut self.gap);
                    self.slots.push(Slot { dropped_before, ..slot });
                }
                Step::Copy => self.socket.left_out(),
                Step::Broken(lost) => self.unreadable += u64::from(lost),
                Step::End => {
                    self.walk = None;
                    break;
                }
            }
        }
    }

    /// Opens the next block, if the kernel has handed it over. The one before goes back, whose packets are used by now.
    fn open_next(&mut self) -> bool {
        if self.map.holds() {
            self.note_drops();
            self.map.give_back();
        }
        if !self.map.hold(self.next) {
            return false;
        }
        self.walk = Some(Walk::over(self.map.body()));
        self.next = (self.next + 1) % self.map.count();
        self.opened += 1;
        while let Some((_, count)) = self.gaps.pop_front_if(|(behind, _)| *behind < self.opened) {
            self.gap += count;
        }
        true
    }

    /// Asks what was dropped, before the held block goes back. The kernel drops only while all blocks are handed over. Since
    /// it was asked last, which was while the block before this one was held, that can have been only when it had filled
    /// all others again: the gap is behind the last of them.
    fn note_drops(&mut self) {
        let Ok(statistics) = self.socket.statistics() else { return };
        let new = statistics.dropped.saturating_sub(self.dropped);
        self.dropped = statistics.dropped;
        if new > 0 {
            self.gaps.push_back((self.opened + self.map.count() as u64 - 1, new));
        }
    }

    /// Waits for the kernel. `true`: the stopper was used.
    fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let (came, stopped) = self.socket.stopper().wait(self.socket.as_fd(), timeout)?;
        if came & libc::POLLERR != 0 {
            // Reading the error takes it away, so that the next wait does wait.
            let [error] = sys::get_option::<1>(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR)?;
            if error != 0 {
                return Err(io::Error::from_raw_os_error(error as i32));
            }
        }
        Ok(stopped)
    }
}
