//! Linux cooked capture, version 2 (LINKTYPE_LINUX_SLL2, tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html): one link type for
//! packets of interfaces of different kinds, for formats that hold a single one.

use super::types::{Direction, LinkType, PacketRecord};

/// Length of the header.
pub(super) const HEADER: usize = 20;
/// ARPHRD of Ethernet, and of what has no link header (linux/if_arp.h).
const ARPHRD: [u16; 2] = [1, 0xfffe];

/// Whether packets of this link type can be cooked.
pub(super) fn can_cook(link_type: LinkType) -> bool {
    matches!(link_type, LinkType::ETHERNET | LinkType::RAW | LinkType::IPV4 | LinkType::IPV6)
}

/// The cooked header of a packet and how many of its bytes the header stands for; `None` for a link type that cannot
/// be cooked. `interface`: its number, as the header names it.
pub(super) fn header(
    link_type: LinkType,
    interface: u32,
    record: &PacketRecord<'_>,
) -> Option<([u8; HEADER], usize)> {
    if !can_cook(link_type) {
        return None;
    }
    let mut header = [0; HEADER];
    header[4..8].copy_from_slice(&interface.to_be_bytes());
    let ethernet = link_type == LinkType::ETHERNET;
    header[8..10].copy_from_slice(&ARPHRD[usize::from(!ethernet)].to_be_bytes());
    // PACKET_OUTGOING; else by the destination, where there is one: broadcast, multicast, this host.
    let to = record.data.first_chunk::<6>().filter(|_| ethernet);
    header[10] = match (record.direction, to) {
        (Direction::Outbound, _) => 4,
        (_, Some([255, 255, 255, 255, 255, 255])) => 1,
        (_, Some([first, ..])) if first & 1 == 1 => 2,
        _ => 0,
    };
    let (protocol, cut) = match record.data {
        [_, _, _, _, _, _, a, b, c, d, e, f, high, low, ..] if ethernet => {
            header[11] = 6;
            header[12..18].copy_from_slice(&[*a, *b, *c, *d, *e, *f]);
            let kind = u16::from_be_bytes([*high, *low]);
            // A length: an 802.3 frame, whose 802.2 header follows (LINUX_SLL_P_802_2).
            (if kind < 0x600 { 4 } else { kind }, 14)
        }
        // Too short for an Ethernet header: nothing is known of it.
        _ if ethernet => (0, 0),
        [first, ..] if first >> 4 == 6 => (0x86dd, 0),
        _ => (0x0800_u16, 0),
    };
    header[..2].copy_from_slice(&protocol.to_be_bytes());
    Some((header, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_description() {
        let mut frame = vec![255; 6];
        frame.extend([2, 0, 0, 0, 0, 7, 0x08, 0x06, 0, 1]);
        let record = PacketRecord::new(0, 0, &frame);
        let (bytes, cut) = header(LinkType::ETHERNET, 3, &record).unwrap();
        assert_eq!(bytes, [8, 6, 0, 0, 0, 0, 0, 3, 0, 1, 1, 6, 2, 0, 0, 0, 0, 7, 0, 0]);
        assert_eq!(cut, 14);
        let record = PacketRecord { direction: Direction::Outbound, ..PacketRecord::new(0, 0, &[0x60; 40]) };
        let (bytes, cut) = header(LinkType::RAW, 9, &record).unwrap();
        assert_eq!(bytes, [0x86, 0xdd, 0, 0, 0, 0, 0, 9, 0xff, 0xfe, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(cut, 0);
        assert!(header(LinkType(105), 0, &record).is_none());
        // A length in the place of the type, and a frame that is cut within its header.
        frame[12] = 0;
        assert_eq!(header(LinkType::ETHERNET, 3, &PacketRecord::new(0, 0, &frame)).unwrap().0[..2], [0, 4]);
        assert_eq!(header(LinkType::ETHERNET, 3, &PacketRecord::new(0, 0, &frame[..13])).unwrap().1, 0);
    }
}
