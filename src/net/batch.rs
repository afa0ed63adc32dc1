//! Packets as they come from a socket, many at a time, in memory that is used again.

use super::sys;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many packets one call takes.
pub const BATCH: usize = 64;
/// Bytes of a packet that are kept if nothing else is said: all of any packet that Linux can have today.
pub const SNAP_LENGTH: usize = 262_144;
/// Room before a packet for a VLAN tag that is put back.
const TAG: usize = 4;
/// Room for the control messages of a packet.
const CONTROL: usize = 256;

/// Which way a packet went, as packet(7) says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To this host (`PACKET_HOST`).
    Incoming,
    /// A broadcast (`PACKET_BROADCAST`).
    Broadcast,
    /// A multicast (`PACKET_MULTICAST`).
    Multicast,
    /// To another host, seen in promiscuous mode (`PACKET_OTHERHOST`).
    OtherHost,
    /// From this host (`PACKET_OUTGOING`).
    Outgoing,
}

/// What the kernel knows of the transport checksum of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Nothing: it has to be computed.
    Unknown,
    /// Nobody has computed it yet: it is left to the network card (`TP_STATUS_CSUMNOTREADY`).
    NotComputed,
    /// Card or kernel found it right (`TP_STATUS_CSUM_VALID`).
    Valid,
}

/// A packet that was received.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Its bytes, as many as were kept.
    pub bytes: &'a [u8],
    /// How long it was, in bytes.
    pub original: usize,
    /// When the kernel saw it: nanoseconds since 1970.
    pub time_ns: u64,
    /// The interface that it was seen on; 0 if not known.
    pub interface: u32,
    /// Hardware type of that interface (`ARPHRD_…`), which says how the bytes begin. A socket at the IP layer
    /// gives `ARPHRD_NONE` (0xfffe): they begin with the IP header.
    pub hatype: u16,
    /// Ethernet type as the kernel sees it.
    pub protocol: u16,
    /// Which way it went.
    pub direction: Direction,
    /// What the kernel knows of its checksum.
    pub checksum: Checksum,
    /// Whether it is a bundle of segments that the card is still to split (TSO) or has joined (GRO).
    pub bundle: bool,
    /// Packets that the kernel dropped just before this one, where the place is known.
    pub dropped_before: u64,
}

/// Where one packet lies in the memory of a [`Batch`] or of a ring, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub start: usize,
    pub length: usize,
    pub original: usize,
    pub time_ns: u64,
    pub interface: u32,
    pub hatype: u16,
    pub protocol: u16,
    pub direction: Direction,
    pub checksum: Checksum,
    pub bundle: bool,
    pub dropped_before: u64,
}

impl Slot {
    /// The packet in the memory that its place is counted in.
    pub fn packet<'a>(&self, memory: &'a [u8]) -> Packet<'a> {
        Packet {
            bytes: memory.get(self.start..self.start + self.length).unwrap_or_default(),
            original: self.original,
            time_ns: self.time_ns,
            interface: self.interface,
            hatype: self.hatype,
            protocol: self.protocol,
            direction: self.direction,
            checksum: self.checksum,
            bundle: self.bundle,
            dropped_before: self.dropped_before,
        }
    }
}

/// The packets of a receive, where they lie.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    pub(crate) memory: &'a [u8],
    pub(crate) slots: std::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        self.slots.next().map(|slot| slot.packet(self.memory))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl ExactSizeIterator for Packets<'_> {}

/// Control messages of a packet, aligned as the kernel wants them.
#[derive(Clone)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Memory for up to [`BATCH`] packets.
pub struct Batch {
    memory: Vec<u8>,
    control: Vec<Control>,
    snap: usize,
    slots: Vec<Slot>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new(SNAP_LENGTH)
    }
}

impl Batch {
    /// Memory for packets of which up to `snap` bytes are kept (at least 1). Pages are taken from the system
    /// only when a packet fills them.
    pub fn new(snap: usize) -> Self {
        let snap = snap.clamp(1, SNAP_LENGTH);
        Self {
            memory: vec![0; BATCH * (snap + TAG)],
            control: vec![Control([0; CONTROL]); BATCH],
            snap,
            slots: Vec::with_capacity(BATCH),
        }
    }

    /// Bytes of a packet that are kept.
    pub fn snap(&self) -> usize {
        self.snap
    }

    /// How many packets the last receive brought.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the last receive brought none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The packets of the last receive, in the order in which they came.
    pub fn packets(&self) -> Packets<'_> {
        Packets { memory: &self.memory, slots: self.slots.iter() }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// One call of recvmmsg. Each message goes to `read`, which makes a slot of it or drops it.
    /// Gives the number of messages that the kernel handed over.
    #[expect(unsafe_code, reason = "mmsghdr and sockaddr_ll are made of zeros")]
    pub(crate) fn fill(
        &mut self,
        socket: BorrowedFd,
        read: impl Fn(&Raw, &mut [u8]) -> Option<Slot>,
    ) -> io::Result<usize> {
        self.slots.clear();
        let stride = self.snap + TAG;
        // SAFETY: all of these are plain data of the C kind, for which zeros are valid.
        let (mut headers, mut parts, mut addresses): (
            [libc::mmsghdr; BATCH],
            [libc::iovec; BATCH],
            [libc::sockaddr_ll; BATCH],
        ) = unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
        let rooms = self.memory.chunks_exact_mut(stride).zip(&mut self.control);
        let places = headers.iter_mut().zip(&mut parts).zip(&mut addresses);
        for (((header, part), address), (room, control)) in places.zip(rooms) {
            part.iov_base = room[TAG..].as_mut_ptr().cast();
            part.iov_len = self.snap;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut *address).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL;
        }
        // SAFETY: the headers point into `parts`, `addresses`, `self.memory` and `self.control`, each to a place of
        // its own of the length that is given, and all of them outlive the call.
        let count = unsafe { sys::receive_many(socket, &mut headers, libc::MSG_TRUNC)? };
        for index in 0..count.min(BATCH) {
            let header = &headers[index];
            let used = header.msg_hdr.msg_controllen.min(CONTROL);
            let raw = Raw {
                length: header.msg_len as usize,
                snap: self.snap,
                address: addresses[index],
                control: &self.control[index].0[..used],
            };
            let start = index * stride;
            if let Some(slot) = read(&raw, &mut self.memory[start..start + stride]) {
                self.slots.push(Slot { start: start + slot.start, ..slot });
            }
        }
        Ok(count)
    }
}

/// A message as the kernel handed it over. Its bytes begin at [`Raw::OFFSET`] of its room.
pub(crate) struct Raw<'a> {
    /// Length of the packet, more than was kept if it was cut.
    pub length: usize,
    /// Bytes that are kept.
    pub snap: usize,
    /// Where it came from, for a packet socket.
    pub address: libc::sockaddr_ll,
    /// Its control messages.
    pub control: &'a [u8],
}

impl Raw<'_> {
    /// Where in its room a packet begins.
    pub const OFFSET: usize = TAG;

    /// Bytes of the packet that are there.
    pub fn kept(&self) -> usize {
        self.length.min(self.snap)
    }

    /// The kernel's time stamp in nanoseconds since 1970, if there is one.
    pub fn time_ns(&self) -> Option<u64> {
        sys::control_messages(self.control)
            .find(|(level, kind, _)| (*level, *kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS))
            .and_then(|(_, _, payload)| read_time(payload))
    }
}

/// A `timespec` as nanoseconds since 1970.
pub(crate) fn read_time(payload: &[u8]) -> Option<u64> {
    let number = |at: usize| Some(i64::from_ne_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    let (seconds, nanoseconds) = (u64::try_from(number(0)?).ok()?, u64::try_from(number(8)?).ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// The clock of the machine in nanoseconds since 1970, for a packet without a time stamp.
pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Ends a receive that waits, from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<OwnedFd>);

impl Stopper {
    pub(crate) fn new() -> io::Result<Self> {
        sys::event().map(|fd| Self(Arc::new(fd)))
    }

    /// Ends the receive that waits now, and each later one: for good.
    pub fn stop(&self) {
        sys::signal_event(self.0.as_fd());
    }

    /// Waits until a socket has something, the stopper is used, or the time is over. Gives what came up at the
    /// socket (`revents` of poll(2)), and whether the stopper was used.
    pub(crate) fn wait(&self, socket: BorrowedFd, timeout: Duration) -> io::Result<(i16, bool)> {
        let mut fds = [sys::watch(socket, libc::POLLIN), sys::watch(self.0.as_fd(), libc::POLLIN)];
        sys::poll(&mut fds, Some(timeout))?;
        Ok((fds[0].revents, fds[1].revents != 0))
    }
}

/// Receives into a batch, waiting up to `timeout` for the first packet that `read` keeps.
pub(crate) fn receive(
    socket: BorrowedFd,
    stopper: &Stopper,
    batch: &mut Batch,
    timeout: Duration,
    read: impl Fn(&Raw, &mut [u8]) -> Option<Slot>,
) -> io::Result<usize> {
    batch.clear();
    let deadline = Instant::now() + timeout;
    loop {
        match batch.fill(socket, &read) {
            Ok(_) if !batch.is_empty() => return Ok(batch.len()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let (came, stopped) = stopper.wait(socket, left)?;
        if stopped || left.is_zero() && came == 0 {
            return Ok(0);
        }
        if left.is_zero() {
            // What is there already is still taken, but not waited for a second time.
            return match batch.fill(socket, &read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                Err(error) => Err(error),
                Ok(_) => Ok(batch.len()),
            };
        }
    }
}
