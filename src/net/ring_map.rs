//! The memory that a packet socket and this program share: a ring of blocks (TPACKET_V3).
//!
//! Source: Documentation/networking/packet_mmap.rst, linux/if_packet.h. A block belongs to the kernel or to the
//! program, and a word at its beginning says to whom. All that must be trusted about the shared memory is in this
//! file; what a block says is read elsewhere, as bytes that may be anything.

use super::sys;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// `PACKET_VERSION`'s value for blocks of packets.
const VERSION_3: i32 = libc::tpacket_versions::TPACKET_V3 as i32;
/// Room before each packet, in which a VLAN tag can be put back (`PACKET_RESERVE`), in bytes.
pub(super) const RESERVED: u32 = 4;
/// Where the word stands that says whom a block belongs to (struct tpacket_block_desc).
const STATUS: usize = 8;
/// Where what the program reads begins: behind that word.
pub(super) const BODY: usize = 12;
/// The block belongs to the program (`TP_STATUS_USER`).
const OURS: u32 = libc::TP_STATUS_USER;
/// The block belongs to the kernel.
const KERNELS: u32 = libc::TP_STATUS_KERNEL;
/// Alignment of the frames that the kernel counts a ring in. Version 3 packs packets closer than that.
const FRAME: usize = 2048;

/// The ring of a socket, mapped. At most one block is held at a time.
#[derive(Debug)]
pub(super) struct Map {
    start: NonNull<u8>,
    block: usize,
    count: usize,
    held: Option<usize>,
}

// SAFETY: the mapping belongs to this value alone, and nothing about it is tied to the thread that made it.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for Map {}

impl Map {
    /// Gives a socket a ring and maps it. `block`: bytes of a block, a power of two from 4096 on; `retire_ms`: the kernel
    /// hands over a block that is not full when it is so old.
    ///
    /// # Errors
    /// The system's reason; the socket is then as it was and can be received from without a ring.
    pub fn new(socket: BorrowedFd, block: usize, count: usize, retire_ms: u32) -> io::Result<Self> {
        let too_large = || io::Error::from_raw_os_error(libc::EINVAL);
        let length = block.checked_mul(count).filter(|length| *length > 0).ok_or_else(too_large)?;
        let number = |n: usize| u32::try_from(n).map_err(|_| too_large());
        let request = libc::tpacket_req3 {
            tp_block_size: number(block)?,
            tp_block_nr: number(count)?,
            tp_frame_size: number(FRAME)?,
            tp_frame_nr: number(length / FRAME)?,
            tp_retire_blk_tov: retire_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        let set = |name, value: i32| sys::set_option(socket, libc::SOL_PACKET, name, value);
        set(libc::PACKET_VERSION, VERSION_3)?;
        set(libc::PACKET_RESERVE, RESERVED as i32)?;
        sys::set_option(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, request)?;
        match map(socket, length) {
            Ok(start) => Ok(Self { start, block, count, held: None }),
            Err(error) => {
                let none = libc::tpacket_req3 { tp_block_size: 0, tp_block_nr: 0, ..request };
                let none = libc::tpacket_req3 { tp_frame_size: 0, tp_frame_nr: 0, ..none };
                let none = libc::tpacket_req3 { tp_retire_blk_tov: 0, ..none };
                let _ = sys::set_option(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, none);
                Err(error)
            }
        }
    }

    /// How many blocks there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whom a block belongs to.
    #[expect(unsafe_code, reason = "the word is shared with the kernel")]
    fn status(&self, index: usize) -> &AtomicU32 {
        assert!(index < self.count, "a block of the ring");
        // SAFETY: the block is inside the mapping, which lives as long as `self`; blocks are page-aligned, so the word
        // is aligned; kernel and program both change it with atomic stores only.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(index * self.block + STATUS).cast()) }
    }

    /// Takes a block if the kernel has handed it over. The one that is held goes back first.
    pub fn hold(&mut self, index: usize) -> bool {
        self.give_back();
        // Acquire: what the kernel wrote before it handed the block over is seen.
        let ours = self.status(index).load(Ordering::Acquire) & OURS != 0;
        self.held = ours.then_some(index);
        ours
    }

    /// Whether the kernel has handed a block over that is not the held one.
    pub fn is_ready(&self, index: usize) -> bool {
        self.held != Some(index) && self.status(index).load(Ordering::Relaxed) & OURS != 0
    }

    /// Whether a block is held.
    pub fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Gives the held block back to the kernel, which fills it again.
    pub fn give_back(&mut self) {
        if let Some(index) = self.held.take() {
            // Release: nothing is read from the block any more after this.
            self.status(index).store(KERNELS, Ordering::Release);
        }
    }

    /// The held block from [`BODY`] on; empty if none is held.
    #[expect(unsafe_code, reason = "the memory is shared with the kernel")]
    pub fn body(&self) -> &[u8] {
        let Some(index) = self.held else { return &[] };
        // SAFETY: the range is inside the mapping. The kernel does not write to a block that belongs to the program, and
        // it stays the program's until `give_back`, which takes `&mut self` and so ends this borrow.
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr().add(index * self.block + BODY), self.block - BODY)
        }
    }

    /// As [`Self::body`], to put VLAN tags back.
    #[expect(unsafe_code, reason = "the memory is shared with the kernel")]
    pub fn body_mut(&mut self) -> &mut [u8] {
        let Some(index) = self.held else { return &mut [] };
        // SAFETY: as in `body`; `&mut self` makes it the only borrow. The kernel reads nothing of a block that belongs to
        // the program but the word before this range.
        unsafe {
            let start = self.start.as_ptr().add(index * self.block + BODY);
            std::slice::from_raw_parts_mut(start, self.block - BODY)
        }
    }
}

impl Drop for Map {
    #[expect(unsafe_code, reason = "munmap(2)")]
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and all borrows of it ended with `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.block * self.count) };
    }
}

/// Maps the ring of a socket.
#[expect(unsafe_code, reason = "mmap(2)")]
fn map(socket: BorrowedFd, length: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address that the kernel chooses touches no memory of this program.
    let start = unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, socket.as_raw_fd(), 0)
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
}
