//! What the matching of answers has to know of a packet, read in one pass over its first bytes. It runs for every
//! packet that is captured while probes are out, so it allocates nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers (IANA).
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
/// What can stand in the place of the next header and is no protocol that somebody speaks: extension headers of IPv6
/// (hop-by-hop, routing, fragment, destination, mobility, HIP, Shim6), and that nothing follows.
pub(super) const NO_PROTOCOL: [u8; 8] = [0, 43, 44, 59, 60, 135, 139, 140];

/// ICMPv6 types of RFC 4443 and RFC 4861.
const V6_UNREACHABLE: u8 = 1;
const V6_LAST_ERROR: u8 = 4;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const V6_REDIRECT: u8 = 137;
/// The option of neighbour discovery that quotes a packet.
const REDIRECTED_HEADER: u8 = 4;

/// Link types whose packets begin with the IP header: LINKTYPE_RAW and its historic numbers, LINKTYPE_IPV4,
/// LINKTYPE_IPV6.
const BARE: [u32; 5] = [101, 12, 14, 228, 229];
const ETHERNET: u32 = 1;
/// Ethernet types of what IP is found in (IEEE 802 numbers of IANA).
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const MPLS_UNICAST: [u8; 2] = [0x88, 0x47];
const MPLS_MULTICAST: [u8; 2] = [0x88, 0x48];
const PPPOE_SESSION: [u8; 2] = [0x88, 0x64];
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
        /// Whom neighbour discovery asks for, or tells of.
        target: Option<Ipv6Addr>,
    },
    IcmpError {
        /// Destination unreachable.
        unreachable: bool,
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

/// A packet of this link type from its IP header on: behind VLAN tags, MPLS labels (RFC 3032), a PPPoE session (RFC 2516).
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
    match *rest.first_chunk()? {
        IPV4 | IPV6 => rest.get(2..),
        MPLS_UNICAST | MPLS_MULTICAST => behind_labels(rest.get(2..)?),
        PPPOE_SESSION => behind_ppp(rest.get(2..)?),
        _ => None,
    }
}

/// What follows the label with the bottom-of-stack bit: IP, if its first four bits say so, which no table can tell.
fn behind_labels(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let label: &[u8; 4] = rest.first_chunk()?;
        rest = rest.get(4..)?;
        if label[2] & 1 != 0 {
            return Some(rest);
        }
    }
}

/// The IP packet of PPP: behind the six bytes of PPPoE, and the protocol (RFC 1661), which may be one byte.
fn behind_ppp(session: &[u8]) -> Option<&[u8]> {
    let length = usize::from(word(session, 4)?);
    let ppp = session.get(6..)?;
    let ppp = ppp.get(..length).unwrap_or(ppp);
    match ppp {
        [0x00, 0x21 | 0x57, rest @ ..] | [0x21 | 0x57, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// The ICMP type that replies to a query of this type: RFC 792, RFC 950, RFC 8335; RFC 4443, RFC 4861.
pub(super) fn reply_to(protocol: u8, kind: u8) -> Option<u8> {
    match (protocol, kind) {
        (ICMP, 8) => Some(0),
        (ICMP, 13) => Some(14),
        (ICMP, 15) => Some(16),
        (ICMP, 17) => Some(18),
        (ICMP, 42) => Some(43),
        (ICMPV6, 128) => Some(129),
        (ICMPV6, NEIGHBOR_SOLICITATION) => Some(NEIGHBOR_ADVERTISEMENT),
        (ICMPV6, 160) => Some(161),
        _ => None,
    }
}

/// Whether a message of this type is the reply to an echo request.
pub(super) fn is_echo_reply(protocol: u8, kind: u8) -> bool {
    matches!((protocol, kind), (ICMP, 0) | (ICMPV6, 129))
}

impl<'a> Heads<'a> {
    /// Reads an IPv4 packet (RFC 791) or an IPv6 packet (RFC 8200); `None` if it is none, or a fragment without a
    /// transport header that can neither be a probe nor an answer.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        let quote = Self::read_quote(packet)?;
        let (header, said) = match quote.source {
            IpAddr::V4(_) => (ihl(packet), usize::from(word(packet, 2)?)),
            IpAddr::V6(_) => match usize::from(word(packet, 4)?) {
                0 if quote.protocol != 59 => (V6_HEADER, 0),
                payload => (V6_HEADER, V6_HEADER + payload),
            },
        };
        // Length 0: left to the card, or to the kernel of a raw socket.
        let length = if said == 0 { packet.len() } else { said };
        let packet = &packet[..length.min(packet.len())];
        let transport = packet.get(header..).unwrap_or_default();
        let body = if quote.later_fragment {
            Body::Plain
        } else {
            read_body(quote.protocol, transport, length.saturating_sub(header))
        };
        if quote.later_fragment && matches!(quote.protocol, TCP | UDP | ICMP) {
            return None;
        }
        let Quote { source, destination, protocol, id, .. } = quote;
        Some(Self { source, destination, protocol, id, body, transport, packet })
    }

    /// Reads an IP header and what there is behind it.
    pub fn read_quote(packet: &'a [u8]) -> Option<Quote<'a>> {
        match *packet.first()? >> 4 {
            6 => return Self::read_quote_v6(packet),
            4 if packet.len() >= 20 => {}
            _ => return None,
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
            transport: packet.get(ihl(packet)..).unwrap_or_default(),
        })
    }

    fn read_quote_v6(packet: &'a [u8]) -> Option<Quote<'a>> {
        let address = |at: usize| v6_address(packet, at).map(IpAddr::V6);
        Some(Quote {
            source: address(8)?,
            destination: address(24)?,
            protocol: *packet.get(6)?,
            id: 0,
            later_fragment: false,
            transport: packet.get(V6_HEADER..).unwrap_or_default(),
        })
    }
}

/// Bytes of an IPv6 header.
const V6_HEADER: usize = 40;

/// Bytes of an IPv4 header: 20 at the least, whatever it says.
fn ihl(packet: &[u8]) -> usize {
    packet.first().map_or(20, |first| (usize::from(first & 15) * 4).max(20))
}

fn v6_address(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let bytes: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(bytes))
}

fn read_body(protocol: u8, bytes: &[u8], length: usize) -> Body<'_> {
    let found = match protocol {
        TCP => Segment::read(bytes, length).map(Body::Tcp),
        UDP => {
            word(bytes, 0).zip(word(bytes, 2)).map(|(source, destination)| Body::Udp { source, destination })
        }
        ICMP => read_icmp(bytes),
        ICMPV6 => read_icmpv6(bytes),
        _ => None,
    };
    found.unwrap_or(Body::Plain)
}

/// Errors are unreachable, source quench, redirect, time exceeded and parameter problem (RFC 1122, 3.2.2).
fn read_icmp(bytes: &[u8]) -> Option<Body<'_>> {
    let kind = *bytes.first()?;
    if matches!(kind, 3 | 4 | 5 | 11 | 12) {
        return Some(Body::IcmpError { unreachable: kind == 3, quoted: bytes.get(8..)? });
    }
    Some(Body::IcmpMessage { kind, ident: word(bytes, 4)?, sequence: word(bytes, 6)?, target: None })
}

/// Errors are types 1 to 4 (RFC 4443) and the redirect, which quotes in an option (RFC 4861, 4.5). Neighbour discovery
/// has flags where others have identifier and sequence number: its target says what belongs together.
fn read_icmpv6(bytes: &[u8]) -> Option<Body<'_>> {
    let kind = *bytes.first()?;
    Some(match kind {
        V6_UNREACHABLE..=V6_LAST_ERROR => {
            Body::IcmpError { unreachable: kind == V6_UNREACHABLE, quoted: bytes.get(8..)? }
        }
        V6_REDIRECT => Body::IcmpError { unreachable: false, quoted: redirected(bytes.get(40..)?)? },
        NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT => {
            Body::IcmpMessage { kind, ident: 0, sequence: 0, target: Some(v6_address(bytes, 8)?) }
        }
        _ => Body::IcmpMessage { kind, ident: word(bytes, 4)?, sequence: word(bytes, 6)?, target: None },
    })
}

/// The packet in the options of a redirect.
fn redirected(mut options: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(*options.get(1)?) * 8;
        if length == 0 {
            return None;
        }
        if options.first() == Some(&REDIRECTED_HEADER) {
            return options.get(8..length.min(options.len()));
        }
        options = options.get(length..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
