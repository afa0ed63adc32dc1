//! What most filters ask about a packet, in eight bytes: which of the everyday stacks it is, its ports and flags.
//!
//! It is made while a capture is indexed, when the packet's bytes are at hand anyway, so a filter that asks no more need
//! not read the capture again. It says nothing about any packet that is not of the plainest form; what it says is what
//! [`dissect`](super::dissect::dissect) says (a test over all packets of the corpus and random ones holds that).

use std::sync::LazyLock;

use super::bits::{self, BitRange};
use super::protocols;
use super::table::{Header, Space};

const ETHERNET: u32 = 1;

/// The headers of a packet, as far as a digest knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Chain {
    /// Any others: its bytes have to be asked.
    #[default]
    Unknown,
    /// Ethernet, ARP.
    Arp,
    /// Ethernet, IPv4, ICMP without a quotation.
    Icmp,
    /// Ethernet, IPv6, ICMPv6 without a quotation.
    Icmpv6,
    /// Ethernet, IPv4, TCP, then at most one header that has nothing behind it.
    TcpV4,
    /// The same over IPv6.
    TcpV6,
    /// Ethernet, IPv4, UDP, then at most one header that has nothing behind it.
    UdpV4,
    /// The same over IPv6.
    UdpV6,
}

/// How often a header stands in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Not at all.
    Absent,
    /// Once.
    Once,
    /// The digest does not know.
    Unknown,
}

impl Chain {
    /// Those that say something, by their number.
    pub const KNOWN: [Self; 7] =
        [Self::Arp, Self::Icmp, Self::Icmpv6, Self::TcpV4, Self::TcpV6, Self::UdpV4, Self::UdpV6];

    /// Keys of its headers.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Unknown => &[],
            Self::Arp => &["eth", "arp"],
            Self::Icmp => &["eth", "ip", "icmp"],
            Self::Icmpv6 => &["eth", "ipv6", "icmpv6"],
            Self::TcpV4 => &["eth", "ip", "tcp"],
            Self::TcpV6 => &["eth", "ipv6", "tcp"],
            Self::UdpV4 => &["eth", "ip", "udp"],
            Self::UdpV6 => &["eth", "ipv6", "udp"],
        }
    }

    /// Whether packets of this form have the header.
    #[must_use]
    pub fn has(self, header: &'static Header) -> Presence {
        const APPLICATIONS: [Space; 3] = [Space::TcpPort, Space::TcpContent, Space::UdpPort];
        if self == Self::Unknown {
            return Presence::Unknown;
        }
        let is = |key: &&str| protocols::by_key(key).is_some_and(|own| std::ptr::eq(own, header));
        if self.keys().iter().any(is) {
            return Presence::Once;
        }
        // What may stand behind a transport header, nobody looked for.
        let transport = matches!(self, Self::TcpV4 | Self::TcpV6 | Self::UdpV4 | Self::UdpV6);
        if transport && header.found_by.iter().any(|(space, _)| APPLICATIONS.contains(space)) {
            return Presence::Unknown;
        }
        Presence::Absent
    }

    /// Whether [`Digest::value`] has these bits of this header.
    #[must_use]
    pub fn covers(self, header: &'static Header, bits: BitRange) -> bool {
        let innermost = self.keys().last().and_then(|key| protocols::by_key(key));
        let tcp = matches!(self, Self::TcpV4 | Self::TcpV6);
        innermost.is_some_and(|own| std::ptr::eq(own, header))
            && (bits.end() <= 32 || tcp && bits.start >= 96 && bits.end() <= 112)
    }
}

/// The digest of a packet. 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The first four bytes of the innermost header.
    first: [u8; 4],
    /// Bytes 12 and 13 of TCP's: data offset and flags.
    flags: [u8; 2],
    chain: Chain,
}

impl Digest {
    /// Of a packet of this link type (tcpdump.org/linktypes), from its captured bytes. Of these the first
    /// [`Digest::LOOKS_AT`] are enough when `length` says how many there are.
    #[inline]
    #[must_use]
    pub fn of(link_type: u32, bytes: &[u8], length: usize) -> Self {
        if link_type != ETHERNET {
            return Self::default();
        }
        read(bytes, length).unwrap_or_default()
    }

    /// How many bytes at the beginning of a packet it looks at: Ethernet, IPv4 with all its options, TCP.
    pub const LOOKS_AT: usize = 14 + 60 + 20;

    /// The form of the packet.
    #[inline]
    #[must_use]
    pub const fn chain(self) -> Chain {
        self.chain
    }

    /// Bits of the innermost header, where [`Chain::covers`] says that they are there.
    #[inline]
    #[must_use]
    pub fn value(self, at: BitRange) -> Option<u64> {
        if at.end() <= 32 {
            return bits::word(&self.first, at);
        }
        bits::word(&self.flags, BitRange { start: at.start.checked_sub(96)?, width: at.width })
    }
}

/// Ports behind which more headers can stand than one, a bit for each.
static LEADS_ON: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut ports = vec![0; 1024];
    for header in protocols::ALL.iter().filter(|h| !h.next.is_empty()) {
        for (space, port) in header.found_by {
            match space {
                Space::TcpPort | Space::UdpPort => ports[*port as usize / 64 % 1024] |= 1 << (port % 64),
                Space::TcpContent => return vec![u64::MAX; 1024],
                _ => {}
            }
        }
    }
    ports
});

static ICMP: LazyLock<Option<&Header>> = LazyLock::new(|| protocols::by_key("icmp"));
static ICMPV6: LazyLock<Option<&Header>> = LazyLock::new(|| protocols::by_key("icmpv6"));

fn leads_on(port: u16) -> bool {
    LEADS_ON[usize::from(port / 64)] & 1 << (port % 64) != 0
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `None` wherever anything is out of the ordinary.
#[inline]
fn read(bytes: &[u8], length: usize) -> Option<Digest> {
    let packet = bytes.get(14..)?;
    let available = length.checked_sub(14)?;
    match u16_at(bytes, 12)? {
        0x0800 => v4(packet, available),
        0x86dd => v6(packet, available),
        0x0806 if available >= 8 => digest(packet, Chain::Arp),
        _ => None,
    }
}

#[inline]
fn v4(packet: &[u8], available: usize) -> Option<Digest> {
    const FRAGMENT: u16 = 0x3fff;
    let first = *packet.first()?;
    let header = usize::from(first & 15) * 4;
    let said = usize::from(u16_at(packet, 2)?);
    if first >> 4 != 4 || header < 20 || u16_at(packet, 6)? & FRAGMENT != 0 {
        return None;
    }
    let (upper, room) = (packet.get(header..)?, said.min(available).checked_sub(header)?);
    match packet.get(9)? {
        1 => icmp(upper, room, &ICMP, Chain::Icmp),
        6 => tcp(upper, room, Chain::TcpV4),
        17 => udp(upper, room, Chain::UdpV4),
        _ => None,
    }
}

#[inline]
fn v6(packet: &[u8], available: usize) -> Option<Digest> {
    let said = usize::from(u16_at(packet, 4)?);
    // A length of 0 leaves it open.
    if packet.first()? >> 4 != 6 || said == 0 {
        return None;
    }
    let (upper, room) = (packet.get(40..)?, said.min(available.checked_sub(40)?));
    match packet.get(6)? {
        58 => icmp(upper, room, &ICMPV6, Chain::Icmpv6),
        6 => tcp(upper, room, Chain::TcpV6),
        17 => udp(upper, room, Chain::UdpV6),
        _ => None,
    }
}

/// ICMP that quotes nothing.
fn icmp(
    header: &[u8],
    room: usize,
    table: &LazyLock<Option<&'static Header>>,
    chain: Chain,
) -> Option<Digest> {
    let quotes = table.is_none_or(|h| h.next.iter().any(|rule| rule.when.is_none_or(|w| w.holds(header))));
    if room < 8 || quotes { None } else { digest(header, chain) }
}

#[inline]
fn tcp(header: &[u8], room: usize, chain: Chain) -> Option<Digest> {
    let [offset, flags] = *header.get(12..)?.first_chunk()?;
    let length = usize::from(offset >> 4) * 4;
    if room < length || length < 20 {
        return None;
    }
    Some(Digest { flags: [offset, flags], ..ports(header, chain)? })
}

#[inline]
fn udp(header: &[u8], room: usize, chain: Chain) -> Option<Digest> {
    if room < 8 { None } else { ports(header, chain) }
}

/// A header that begins with two ports.
#[inline]
fn ports(header: &[u8], chain: Chain) -> Option<Digest> {
    let leads_on = leads_on(u16_at(header, 0)?) || leads_on(u16_at(header, 2)?);
    if leads_on { None } else { digest(header, chain) }
}

#[inline]
fn digest(header: &[u8], chain: Chain) -> Option<Digest> {
    Some(Digest { first: *header.first_chunk()?, flags: [0; 2], chain })
}
