//! Reading the packets of a block of a ring (TPACKET_V3): struct tpacket_block_desc, struct tpacket3_hdr and struct
//! sockaddr_ll of linux/if_packet.h. Every place that a block names is checked against the bounds of the block.

use super::batch::{Direction, Raw, Slot};
use super::packet::{Auxiliary, direction, is_copy, is_ethernet, put_tag_back};
use super::ring_map::BODY;

/// Length of a packet's header: `tpacket3_hdr` (48 bytes) and `sockaddr_ll` (20).
const HEADER: usize = 68;
/// Length of the header of a block.
const BLOCK_HEADER: usize = 48;
/// Where `sockaddr_ll` stands in a packet's header.
const ADDRESS: usize = 48;

/// How far the walk over a block has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walk {
    /// Where the next packet's header begins, counted from [`BODY`].
    at: usize,
    /// Packets that are still to come, as the block says.
    left: u32,
}

/// What is found at a place of the walk.
#[derive(Debug)]
pub(super) enum Step {
    /// A packet, its place counted from [`BODY`].
    Packet(Slot),
    /// The outgoing copy of a packet on loopback.
    Copy,
    /// Nothing that can be read: so many packets are lost. The walk is over.
    Broken(u32),
    /// No more packets.
    End,
}

impl Walk {
    /// The walk over the block whose bytes from [`BODY`] on are given.
    pub fn over(body: &[u8]) -> Self {
        // num_pkts, offset_to_first_pkt.
        let (left, first) = (word(body, 0).unwrap_or(0), word(body, 4).unwrap_or(0));
        Self { at: (first as usize).saturating_sub(BODY), left }
    }

    /// The next packet, of which at most `snap` bytes are kept.
    pub fn next(&mut self, body: &mut [u8], snap: usize) -> Step {
        if self.left == 0 {
            return Step::End;
        }
        let Some((step, length)) = read(body, self.at, snap) else {
            return Step::Broken(std::mem::take(&mut self.left));
        };
        self.left -= 1;
        // The last packet names no next one, or the end of the block; the count ends the walk.
        self.at = self.at.saturating_add(length);
        step
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The packet whose header stands at a place, and how far it is to the next one.
fn read(body: &mut [u8], at: usize, snap: usize) -> Option<(Step, usize)> {
    if at < BLOCK_HEADER - BODY {
        return None;
    }
    let header: &[u8; HEADER] = body.get(at..at.checked_add(HEADER)?)?.try_into().ok()?;
    let word = |n: usize| u32::from_ne_bytes([header[n], header[n + 1], header[n + 2], header[n + 3]]);
    let half = |n: usize| u16::from_ne_bytes([header[n], header[n + 1]]);
    let next = word(0) as usize;
    let (seconds, nanoseconds) = (u64::from(word(4)), u64::from(word(8)));
    let (captured, length) = (word(12) as usize, word(16) as usize);
    let auxiliary = Auxiliary { status: word(20), length, tci: word(32) as u16, tpid: half(36) };
    let mac = usize::from(half(24));
    let protocol = u16::from_be(half(ADDRESS + 2));
    let (interface, hatype) = (word(ADDRESS + 4), half(ADDRESS + 8));
    let direction: Direction = direction(header[ADDRESS + 10]);
    // The bytes stand behind the header, and before the end of the block.
    let start = at.checked_add(mac).filter(|_| mac >= HEADER)?;
    body.get(start..start.checked_add(captured)?)?;
    if is_copy(hatype, direction) {
        return Some((Step::Copy, next));
    }
    let mut slot = Slot {
        start,
        length: captured.min(snap),
        original: length.max(captured),
        time_ns: seconds * 1_000_000_000 + nanoseconds,
        interface,
        hatype,
        protocol,
        direction,
        checksum: auxiliary.checksum(),
        bundle: auxiliary.is_bundle(),
        dropped_before: 0,
    };
    let tag = auxiliary.tag().filter(|_| is_ethernet(hatype) && mac >= HEADER + Raw::OFFSET);
    if let Some(tag) = tag {
        let room = start - Raw::OFFSET;
        slot.start = Raw::OFFSET;
        put_tag_back(&mut slot, body.get_mut(room..start + captured)?, tag, snap);
        slot.start += room;
    }
    Some((Step::Packet(slot), next))
}

#[cfg(test)]
mod tests {
    use super::super::batch::Checksum;
    use super::*;
    use proptest::prelude::*;

    /// A block as the kernel makes it, from [`BODY`] on, with room behind the last packet.
    fn block(packets: &[(&[u8], u32)]) -> Vec<u8> {
        let mut body = vec![0; BLOCK_HEADER - BODY];
        body[..4].copy_from_slice(&(packets.len() as u32).to_ne_bytes());
        body[4..8].copy_from_slice(&(BLOCK_HEADER as u32).to_ne_bytes());
        for (n, (bytes, status)) in packets.iter().enumerate() {
            let (start, mut header) = (body.len(), [0; HEADER + 18]);
            let next = (header.len() + bytes.len()).next_multiple_of(8);
            let last = n + 1 == packets.len();
            for (at, value) in [
                (0, if last { 0 } else { next as u32 }),
                (4, 1_700_000_000 + n as u32),
                (8, 7),
                (12, bytes.len() as u32),
                (16, bytes.len() as u32 + 100),
                (20, *status),
                (24, u32::from(header.len() as u16)),
                (32, 0x2007),
                (36, 0x88a8),
                (ADDRESS + 4, 3),
            ] {
                header[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
            header[ADDRESS + 2..ADDRESS + 4].copy_from_slice(&[0x86, 0xdd]);
            header[ADDRESS + 8..ADDRESS + 10].copy_from_slice(&1u16.to_ne_bytes());
            header[ADDRESS + 10] = libc::PACKET_OUTGOING;
            body.extend(header);
            body.extend(*bytes);
            body.resize(start + next, 0);
        }
        body.extend([0; 64]);
        body
    }

    fn all(body: &mut [u8], snap: usize) -> (Vec<Slot>, u32) {
        let (mut walk, mut found) = (Walk::over(body), Vec::new());
        loop {
            match walk.next(body, snap) {
                Step::Packet(slot) => found.push(slot),
                Step::Copy => {}
                Step::Broken(lost) => return (found, lost),
                Step::End => return (found, 0),
            }
        }
    }

    #[test]
    fn packets_come_with_all_that_the_kernel_says() {
        let frame: Vec<u8> = (1..=20).collect();
        let tagged = libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;
        let status = libc::TP_STATUS_CSUMNOTREADY;
        let mut body = block(&[(&frame, tagged), (&[9; 5], status), (&[], 0)]);
        let (slots, lost) = all(&mut body, 65_535);
        assert_eq!((slots.len(), lost), (3, 0));
        let bytes = |n: usize| &body[slots[n].start..slots[n].start + slots[n].length];
        assert_eq!(bytes(0)[..12], frame[..12]);
        assert_eq!(bytes(0)[12..16], [0x88, 0xa8, 0x20, 0x07]);
        assert_eq!(bytes(0)[16..], frame[12..]);
        assert_eq!((slots[0].original, slots[0].time_ns), (124, 1_700_000_000_000_000_007));
        assert_eq!(bytes(1), [9; 5]);
        let one = slots[1];
        assert_eq!((one.interface, one.hatype, one.protocol, one.original), (3, 1, 0x86dd, 105));
        assert_eq!((one.direction, one.checksum), (Direction::Outgoing, Checksum::NotComputed));
        assert_eq!(slots[2].length, 0);
    }

    #[test]
    fn a_snap_length_cuts_with_the_tag_put_back() {
        let frame: Vec<u8> = (1..=20).collect();
        let mut body = block(&[(&frame, libc::TP_STATUS_VLAN_VALID)]);
        let (slots, _) = all(&mut body, 18);
        assert_eq!((slots[0].length, slots[0].original), (18, 124));
        let bytes = &body[slots[0].start..slots[0].start + 18];
        assert_eq!(bytes[12..], [0x81, 0, 0x20, 0x07, 13, 14]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Whatever a block says: each packet lies inside of it, and those that cannot be read are counted.
        #[test]
        fn a_damaged_block_stays_within_its_bounds(
            damage in prop::collection::vec((0usize..500, any::<u8>()), 0..12),
            cut in 0usize..500,
        ) {
            let mut body = block(&[(&[1; 60], 0), (&[2; 90], libc::TP_STATUS_VLAN_VALID), (&[3; 7], 0)]);
            for (at, value) in damage {
                if let Some(byte) = body.get_mut(at) {
                    *byte = value;
                }
            }
            body.truncate(body.len().saturating_sub(cut));
            let said = word(&body, 0).unwrap_or(0);
            // A count from a damaged block may be large; the walk then ends at what cannot be read.
            let (mut walk, mut copies, mut packets) = (Walk::over(&body), 0u32, 0u32);
            let lost = loop {
                if packets + copies > 2000 {
                    break said - packets - copies;
                }
                match walk.next(&mut body, 100) {
                    Step::Packet(slot) => {
                        packets += 1;
                        prop_assert!(slot.length <= 100 && slot.start + slot.length <= body.len());
                    }
                    Step::Copy => copies += 1,
                    Step::Broken(lost) => break lost,
                    Step::End => break 0,
                }
            };
            prop_assert_eq!(said, packets + copies + lost);
        }
    }
}
