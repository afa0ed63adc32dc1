//! Packet sockets: capture and sending at the link layer. packet(7).

use super::batch::{self, Batch, Checksum, Direction, Raw, Slot, Stopper};
use super::error::{Error, SendError, Sending};
use super::interfaces::name_and_mtu;
use super::sys;
use socket2::{SockFilter, SockRef};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// `ETH_P_ALL`: every protocol, and outgoing packets too.
const ALL_PROTOCOLS: u16 = libc::ETH_P_ALL as u16;
/// Hardware type of Ethernet.
const ETHERNET: u16 = libc::ARPHRD_ETHER;
/// Hardware type of loopback, whose frames have an Ethernet header.
const LOOPBACK: u16 = libc::ARPHRD_LOOPBACK;

/// `TP_STATUS_GSO_TCP` (linux/if_packet.h).
const STATUS_BUNDLE: u32 = 1 << 8;

/// Packets that the kernel counted for a socket since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Packets that the kernel put into the socket. On loopback each one counts once.
    pub received: u64,
    /// Packets that the kernel dropped because the socket was full.
    pub dropped: u64,
    /// How often a ring was full, so that the kernel had to stop filling it (`tp_freeze_q_cnt`).
    pub freezes: u64,
}

/// One instruction of classic BPF, as `struct sock_filter` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// Instructions to skip if true.
    pub jt: u8,
    /// Instructions to skip if false.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

impl Instruction {
    /// The program of one instruction that accepts each packet and keeps so many bytes of it: `ret #bytes`.
    pub fn keep(bytes: usize) -> Self {
        let k = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k }
    }
}

/// What the system says of a name of an interface now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Whether it is up (`IFF_UP`).
    pub up: bool,
}

/// A packet socket. All of it may be used from several threads.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
    stopper: Stopper,
    received: AtomicU64,
    dropped: AtomicU64,
    freezes: AtomicU64,
    /// Outgoing copies on loopback, which are not shown.
    copies: AtomicU64,
    /// What it captures on, in words.
    bound: Mutex<String>,
    /// Hardware type of the interface that was sent on last.
    sent_on: Mutex<Option<(u32, u16)>>,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl PacketSocket {
    /// Sets up a packet socket that is not bound yet: time stamps, auxiliary data, a large buffer.
    pub(crate) fn new(socket: OwnedFd) -> Result<Self, Error> {
        let fd = socket.as_fd();
        let failed = |error| Error::system("set up a packet socket", error);
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1i32).map_err(failed)?;
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1i32).map_err(failed)?;
        super::raw::widen_receive_buffer(fd);
        Ok(Self {
            stopper: Stopper::new().map_err(failed)?,
            socket,
            received: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            freezes: AtomicU64::new(0),
            copies: AtomicU64::new(0),
            bound: Mutex::new("a socket that is not bound".into()),
            sent_on: Mutex::new(None),
        })
    }

    /// Begins to receive every protocol on an interface, or on all of them.
    ///
    /// # Errors
    /// `ENODEV` without that interface. One that is down is no error here: the next receive says `ENETDOWN`.
    pub fn bind(&self, interface: Option<u32>) -> Result<(), Error> {
        let address = sys::link_address(ALL_PROTOCOLS, interface.unwrap_or(0));
        let name = self.named(interface);
        sys::bind_link(self.as_fd(), &address)
            .map_err(|error| Error::system(format!("capture on {name}"), error))?;
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = name;
        Ok(())
    }

    /// Sees what the interface hears for others too, as long as the socket is open (`PACKET_MR_PROMISC`).
    ///
    /// # Errors
    /// `ENODEV` without that interface.
    pub fn promiscuous(&self, interface: u32) -> Result<(), Error> {
        let request = libc::packet_mreq {
            mr_ifindex: i32::try_from(interface).unwrap_or(-1),
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        sys::set_option(self.as_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, request).map_err(
            |error| Error::system(format!("set promiscuous mode on {}", self.named(Some(interface))), error),
        )
    }

    /// Has the kernel run a program of classic BPF on each packet: it is dropped where the program gives 0, else cut to as
    /// many bytes as it gives. To be called before [`Self::bind`], so that no packet comes in before it.
    ///
    /// # Errors
    /// `EINVAL` for what the kernel does not take as a program.
    pub fn attach(&self, program: &[Instruction]) -> Result<(), Error> {
        let program: Vec<SockFilter> =
            program.iter().map(|i| SockFilter::new(i.code, i.jt, i.jf, i.k)).collect();
        SockRef::from(&self.socket)
            .attach_filter(&program)
            .map_err(|error| Error::system("have the kernel filter what is captured", error))
    }

    /// What the system says now of the interface of this name, in the namespace of the socket; `None` without one.
    pub fn link(&self, name: &str) -> Option<Link> {
        let index = sys::interface_index(self.as_fd(), name).ok()?;
        let up = sys::interface_is_up(self.as_fd(), name).ok()?;
        Some(Link { index, up })
    }

    /// The name of an interface, in the namespace of the socket.
    pub fn name_of(&self, interface: u32) -> Option<String> {
        sys::interface_name(self.as_fd(), interface).ok()
    }

    fn named(&self, interface: Option<u32>) -> String {
        match interface {
            None => "all interfaces".into(),
            Some(index) => sys::interface_name(self.as_fd(), index)
                .unwrap_or_else(|_| format!("interface number {index}")),
        }
    }

    /// Ends a receive that waits, from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Takes up to [`batch::BATCH`] packets, waiting up to `timeout` for the first one. Gives their number; 0 when
    /// none came in time or the stopper was used. VLAN tags are put back into Ethernet frames. On loopback each
    /// packet comes once.
    ///
    /// # Errors
    /// `ENETDOWN` when the interface went down (it may be tried again: packets come when it is up again) or was
    /// taken away; each such event is told once.
    pub fn receive(&self, batch: &mut Batch, timeout: Duration) -> Result<usize, Error> {
        batch::receive(self.as_fd(), &self.stopper, batch, timeout, |raw, room| self.read(raw, room))
            .map_err(|error| self.no_further(error))
    }

    /// The error of a capture that cannot go on.
    pub(super) fn no_further(&self, error: io::Error) -> Error {
        let name = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        Error::system(format!("capture any further on {name}"), error)
    }

    /// An outgoing copy on loopback was left out.
    pub(super) fn left_out(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes a slot of a message; none of the outgoing copy on loopback.
    fn read(&self, raw: &Raw, room: &mut [u8]) -> Option<Slot> {
        let hatype = raw.address.sll_hatype;
        let direction = direction(raw.address.sll_pkttype);
        if is_copy(hatype, direction) {
            self.left_out();
            return None;
        }
        let mut slot = Slot {
            start: Raw::OFFSET,
            length: raw.kept(),
            original: raw.length,
            time_ns: raw.time_ns().unwrap_or_else(batch::now_ns),
            interface: u32::try_from(raw.address.sll_ifindex).unwrap_or(0),
            hatype,
            protocol: u16::from_be(raw.address.sll_protocol),
            direction,
            checksum: Checksum::Unknown,
            bundle: false,
            dropped_before: 0,
        };
        if let Some(auxiliary) = Auxiliary::find(raw.control) {
            slot.original = auxiliary.length.max(raw.length);
            slot.checksum = auxiliary.checksum();
            slot.bundle = auxiliary.is_bundle();
            if let Some(tag) = auxiliary.tag().filter(|_| is_ethernet(hatype)) {
                put_tag_back(&mut slot, room, tag, raw.snap);
            }
        }
        Some(slot)
    }

    /// What the kernel counted since the socket was made.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        // Reading sets the kernel's counters to zero. `packets` includes those that were dropped.
        // Without a ring of the third version there are two words.
        let [packets, drops, freezes] =
            sys::get_option::<3>(self.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS)
                .map_err(|error| Error::system("read how many packets the kernel dropped", error))?;
        let kept = u64::from(packets.saturating_sub(drops));
        let received = self.received.fetch_add(kept, Ordering::Relaxed) + kept;
        let dropped = self.dropped.fetch_add(u64::from(drops), Ordering::Relaxed) + u64::from(drops);
        let freezes = self.freezes.fetch_add(u64::from(freezes), Ordering::Relaxed) + u64::from(freezes);
        let received = received.saturating_sub(self.copies.load(Ordering::Relaxed));
        Ok(Statistics { received, dropped, freezes })
    }

    /// Sends a frame, with its link header, on an interface. The socket need not be bound. The kernel does not show a
    /// frame to the socket that sent it: capture with another one.
    ///
    /// # Errors
    /// [`SendError`], which explains the system's reason.
    pub fn send(&self, frame: &[u8], interface: u32) -> Result<(), SendError> {
        let mut address = sys::link_address(self.protocol_of(frame, interface), interface);
        if let Some(destination) = frame.get(..6) {
            address.sll_halen = 6;
            address.sll_addr[..6].copy_from_slice(destination);
        }
        let explain = |error: io::Error| {
            let link = name_and_mtu(&self.socket, interface);
            let mtu = link.as_ref().map(|(name, mtu)| (name.as_str(), *mtu));
            let to = self.named(Some(interface));
            SendError::new(&error, &Sending { length: frame.len(), to, mtu, link: true })
        };
        match sys::send_link(self.as_fd(), frame, &address) {
            Ok(sent) if sent == frame.len() => Ok(()),
            Ok(_) => Err(explain(io::Error::from_raw_os_error(libc::EMSGSIZE))),
            Err(error) => Err(explain(error)),
        }
    }

    /// From now on the kernel keeps the time at which it hands each frame of this socket to the driver. They have to
    /// be fetched with [`Self::sent_at`]; do not capture with the same socket.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn keep_send_times(&self) -> Result<(), Error> {
        super::raw::keep_send_times(self.as_fd())
    }

    /// The oldest time of sending that was not fetched yet, waiting up to `timeout` for it. Not every driver tells.
    ///
    /// # Errors
    /// What the system says.
    pub fn sent_at(&self, timeout: Duration) -> Result<Option<super::raw::SentAt>, Error> {
        super::raw::sent_at(self.as_fd(), timeout)
    }

    /// The protocol that the kernel is told for a frame: its Ethernet type, or on an interface without a link
    /// header what the first four bits say.
    fn protocol_of(&self, frame: &[u8], interface: u32) -> u16 {
        let mut sent_on = self.sent_on.lock().unwrap_or_else(PoisonError::into_inner);
        let hatype = match *sent_on {
            Some((index, hatype)) if index == interface => hatype,
            _ => {
                let name = sys::interface_name(self.as_fd(), interface);
                let hatype =
                    name.and_then(|name| sys::interface_type(self.as_fd(), &name)).unwrap_or(ETHERNET);
                *sent_on = Some((interface, hatype));
                hatype
            }
        };
        if is_ethernet(hatype) {
            return match frame.get(12..14) {
                Some([high, low]) => match u16::from_be_bytes([*high, *low]) {
                    // A length: an 802.3 frame.
                    length if length < 0x600 => libc::ETH_P_802_2 as u16,
                    kind => kind,
                },
                _ => 0,
            };
        }
        match frame.first().map(|byte| byte >> 4) {
            Some(4) => libc::ETH_P_IP as u16,
            Some(6) => libc::ETH_P_IPV6 as u16,
            _ => 0,
        }
    }
}

/// Which way a packet went, from `sll_pkttype`.
pub(super) fn direction(kind: u8) -> Direction {
    match kind {
        libc::PACKET_BROADCAST => Direction::Broadcast,
        libc::PACKET_MULTICAST => Direction::Multicast,
        libc::PACKET_OTHERHOST => Direction::OtherHost,
        libc::PACKET_OUTGOING => Direction::Outgoing,
        _ => Direction::Incoming,
    }
}

/// Whether a packet is the outgoing copy of one on loopback, which comes in as well.
pub(super) fn is_copy(hatype: u16, direction: Direction) -> bool {
    hatype == LOOPBACK && direction == Direction::Outgoing
}

/// Whether the packets of a hardware type begin with an Ethernet header.
pub(super) fn is_ethernet(hatype: u16) -> bool {
    hatype == ETHERNET || hatype == LOOPBACK
}

/// Puts a VLAN tag back to where it was, behind the two addresses. The packet's room begins with four bytes for it.
pub(super) fn put_tag_back(slot: &mut Slot, room: &mut [u8], tag: [u8; 4], snap: usize) {
    slot.original += 4;
    if slot.length < 12 {
        return;
    }
    room.copy_within(Raw::OFFSET..Raw::OFFSET + 12, 0);
    room[12..16].copy_from_slice(&tag);
    slot.start = 0;
    slot.length = (slot.length + 4).min(snap);
}

/// What `PACKET_AUXDATA` says (struct tpacket_auxdata), and in a ring the packet's header.
pub(super) struct Auxiliary {
    pub status: u32,
    pub length: usize,
    pub tci: u16,
    pub tpid: u16,
}

impl Auxiliary {
    fn find(control: &[u8]) -> Option<Self> {
        let wanted = (libc::SOL_PACKET, libc::PACKET_AUXDATA);
        let (_, _, bytes) =
            sys::control_messages(control).find(|(level, kind, _)| (*level, *kind) == wanted)?;
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        Some(Self { status: word(0)?, length: word(4)? as usize, tci: half(16)?, tpid: half(18)? })
    }

    pub fn checksum(&self) -> Checksum {
        if self.status & libc::TP_STATUS_CSUMNOTREADY != 0 {
            Checksum::NotComputed
        } else if self.status & libc::TP_STATUS_CSUM_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::Unknown
        }
    }

    /// Whether it is a bundle of segments.
    pub fn is_bundle(&self) -> bool {
        self.status & STATUS_BUNDLE != 0
    }

    /// The VLAN tag that the kernel took out of the frame, as it was there.
    pub fn tag(&self) -> Option<[u8; 4]> {
        if self.status & libc::TP_STATUS_VLAN_VALID == 0 {
            return None;
        }
        let known = self.status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let [a, b] = if known { self.tpid } else { libc::ETH_P_8021Q as u16 }.to_be_bytes();
        let [c, d] = self.tci.to_be_bytes();
        Some([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(length: usize) -> Slot {
        Slot {
            start: Raw::OFFSET,
            length,
            original: length,
            time_ns: 0,
            interface: 0,
            hatype: ETHERNET,
            protocol: 0x800,
            direction: Direction::Incoming,
            checksum: Checksum::Unknown,
            bundle: false,
            dropped_before: 0,
        }
    }

    #[test]
    fn a_vlan_tag_goes_back_behind_the_addresses() {
        let mut room = vec![0; 4];
        room.extend(1..=20u8);
        let mut slot = slot(20);
        put_tag_back(&mut slot, &mut room, [0x81, 0, 0, 7], 64);
        let frame = &room[slot.start..slot.start + slot.length];
        assert_eq!(frame[..12], (1..=12).collect::<Vec<u8>>());
        assert_eq!(frame[12..16], [0x81, 0, 0, 7]);
        assert_eq!(frame[16..], (13..=20).collect::<Vec<u8>>());
        assert_eq!((slot.length, slot.original), (24, 24));
    }

    #[test]
    fn a_frame_that_was_cut_keeps_its_snap_length() {
        let mut room = vec![0; 24];
        let mut slot = slot(20);
        put_tag_back(&mut slot, &mut room, [0x81, 0, 0, 7], 20);
        assert_eq!((slot.start, slot.length, slot.original), (0, 20, 24));
        let mut slot = super::tests::slot(11);
        put_tag_back(&mut slot, &mut room, [0x81, 0, 0, 7], 11);
        assert_eq!((slot.start, slot.length, slot.original), (Raw::OFFSET, 11, 15));
    }
}
