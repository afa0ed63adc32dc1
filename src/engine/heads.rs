//! What the matching of answers has to know of a packet, read in one pass over its first bytes. It runs for every
//! packet that is captured while probes are out, so it allocates nothing.

use std::net::{IpAddr, Ipv4Addr};

/// IP protocol numbers (IANA).
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// ICMP type of an echo reply (RFC 792).
pub(super) const ECHO_REPLY: u8 = 0;

/// Link types whose packets begin with the IP header: LINKTYPE_RAW and its historic numbers, LINKTYPE_IPV4.
const BARE: [u32; 4] = [101, 12, 14, 228];
const ETHERNET: u32 = 1;
/// Ethernet types of VLAN tags: 802.1Q, 802.1ad, and the old number of QinQ.
const TAGS: [[u8; 2]; 3] = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]];

/// A TCP header and the length of what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    /// Bytes of payload.
    pub payload: u32,
}

impl Segment {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The sequence number behind the segment: SEG.SEQ + SEG.LEN, where SYN and FIN count one each (RFC 9293, 3.4).
    pub fn end(&self) -> u32 {
        let controls = u32::from(self.has(Self::SYN)) + u32::from(self.has(Self::FIN));
        self.sequence.wrapping_add(self.payload).wrapping_add(controls)
    }

    fn read(bytes: &[u8], length: usize) -> Option<Self> {
        let offset = usize::from(bytes.get(12)? >> 4) * 4;
        Some(Self {
            source: word(bytes, 0)?,
            destination: word(bytes, 2)?,
            sequence: u32::from(word(bytes, 4)?) << 16 | u32::from(word(bytes, 6)?),
            acknowledgment: u32::from(word(bytes, 8)?) << 16 | u32::from(word(bytes, 10)?),
            flags: *bytes.get(13)?,
            payload: u32::try_from(length.saturating_sub(offset.max(20))).ok()?,
        })
    }
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Tcp(Segment),
    Udp {
        source: u16,
        destination: u16,
    },
    /// An ICMP message that is no error: a query or its reply.
    IcmpMessage {
        kind: u8,
        ident: u16,
        sequence: u16,
    },
    IcmpError {
        kind: u8,
        quoted: &'a [u8],
    },
    /// Something else, or a header that is not there.
    Plain,
}

/// An IP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub id: u16,
    pub body: Body<'a>,
    /// What follows the IP header, without what is past the IP length.
    pub transport: &'a [u8],
    /// From the IP header on, without what is past the IP length.
    pub packet: &'a [u8],
}

/// A packet that is quoted by an ICMP error, cut short as a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub id: u16,
    /// Not the first fragment: there is no transport header in it.
    pub later_fragment: bool,
    pub transport: &'a [u8],
}

/// A packet of this link type from its IP header on.
pub(super) fn network(link_type: u32, frame: &[u8]) -> Option<&[u8]> {
    if BARE.contains(&link_type) {
        return Some(frame);
    }
    if link_type != ETHERNET {
        return None;
    }
    let mut rest = frame.get(12..)?;
    while TAGS.iter().any(|tag| rest.starts_with(tag)) {
        rest = rest.get(4..)?;
    }
    rest.strip_prefix(&[0x08, 0x00])
}

/// The ICMP type that replies to a query of this type: RFC 792, RFC 950, RFC 8335.
pub(super) fn reply_to(kind: u8) -> Option<u8> {
    match kind {
        8 => Some(ECHO_REPLY),
        13 => Some(14),
        15 => Some(16),
        17 => Some(18),
        42 => Some(43),
        _ => None,
    }
}

impl<'a> Heads<'a> {
    /// Reads an IPv4 packet (RFC 791); `None` if it is none, or a fragment without a transport header that can
    /// neither be a probe nor an answer.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        let said = usize::from(word(packet, 2)?);
        let quote = Self::read_quote(packet)?;
        // Total length 0: left to the card, or to the kernel of a raw socket.
        let length = if said == 0 { packet.len() } else { said };
        let packet = &packet[..length.min(packet.len())];
        let header = usize::from(packet.first()? & 15) * 4;
        let transport = packet.get(header.max(20)..).unwrap_or_default();
        let body = if quote.later_fragment {
            Body::Plain
        } else {
            read_body(quote.protocol, transport, length.saturating_sub(header.max(20)))
        };
        if quote.later_fragment && matches!(quote.protocol, TCP | UDP | ICMP) {
            return None;
        }
        let Quote { source, destination, protocol, id, .. } = quote;
        Some(Self { source, destination, protocol, id, body, transport, packet })
    }

    /// Reads an IPv4 header and what there is behind it.
    pub fn read_quote(packet: &'a [u8]) -> Option<Quote<'a>> {
        let first = *packet.first()?;
        if first >> 4 != 4 || packet.len() < 20 {
            return None;
        }
        let address = |at: usize| {
            let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(bytes)))
        };
        Some(Quote {
            source: address(12)?,
            destination: address(16)?,
            protocol: packet[9],
            id: word(packet, 4)?,
            later_fragment: word(packet, 6)? & 0x1fff != 0,
            transport: packet.get((usize::from(first & 15) * 4).max(20)..).unwrap_or_default(),
        })
    }
}

fn read_body(protocol: u8, bytes: &[u8], length: usize) -> Body<'_> {
    let found = match protocol {
        TCP => Segment::read(bytes, length).map(Body::Tcp),
        UDP => {
            word(bytes, 0).zip(word(bytes, 2)).map(|(source, destination)| Body::Udp { source, destination })
        }
        ICMP => read_icmp(bytes),
        _ => None,
    };
    found.unwrap_or(Body::Plain)
}

/// Errors are unreachable, source quench, redirect, time exceeded and parameter problem (RFC 1122, 3.2.2).
fn read_icmp(bytes: &[u8]) -> Option<Body<'_>> {
    let kind = *bytes.first()?;
    if matches!(kind, 3 | 4 | 5 | 11 | 12) {
        return Some(Body::IcmpError { kind, quoted: bytes.get(8..)? });
    }
    Some(Body::IcmpMessage { kind, ident: word(bytes, 4)?, sequence: word(bytes, 6)? })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
