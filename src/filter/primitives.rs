//! The primitives of pcap-filter(7) as tests of bytes: what libpcap makes of them.

use std::net::Ipv6Addr;

use super::tree::Relation;
use super::words::{Base, Number, Words};

const IP: u16 = 0x0800;
const IP6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
const TCP: u32 = 6;
const UDP: u32 = 17;
const SCTP: u32 = 132;
const FRAGMENT: u32 = 44;

/// Which ends of a packet are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Either,
    Source,
    Destination,
    Both,
}

/// Protocols that stand before other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Ether,
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    /// Known by its number alone: in IPv4 and, where true, in IPv6.
    Other(u32, bool),
}

impl Protocol {
    /// By name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ether" | "link" => Self::Ether,
            "ip" => Self::Ip,
            "ip6" => Self::Ip6,
            "arp" => Self::Arp,
            "rarp" => Self::Rarp,
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            "sctp" => Self::Sctp,
            "icmp" => Self::Icmp,
            "icmp6" => Self::Icmp6,
            "igmp" => Self::Other(2, false),
            "igrp" => Self::Other(9, false),
            "vrrp" | "carp" => Self::Other(112, false),
            "ah" => Self::Other(51, true),
            "esp" => Self::Other(50, true),
            "pim" => Self::Other(103, true),
            _ => return None,
        })
    }

    /// The protocol alone; `None` for the link itself.
    pub fn present(self, tags: usize) -> Option<Words> {
        Some(match self {
            Self::Ether => return None,
            Self::Ip => ethertype(IP, tags),
            Self::Ip6 => ethertype(IP6, tags),
            Self::Arp => ethertype(ARP, tags),
            Self::Rarp => ethertype(RARP, tags),
            Self::Tcp => either_ip(TCP, tags),
            Self::Udp => either_ip(UDP, tags),
            Self::Sctp => either_ip(SCTP, tags),
            Self::Icmp => in_ip(1, tags),
            Self::Icmp6 => in_ip6(58, tags),
            Self::Other(number, true) => either_ip(number, tags),
            Self::Other(number, false) => in_ip(number, tags),
        })
    }

    /// What `protocol[…]` looks at: what must hold before, and from where the offset counts, with what to add to it.
    pub fn indexed(self, tags: usize) -> (Option<Words>, Base, u32) {
        let transport = |number| {
            let guard = in_ip(number, tags).and(first_fragment(tags));
            (Some(guard), Base::Transport(tags), 0)
        };
        match self {
            Self::Ether => (None, Base::Link, 0),
            Self::Ip | Self::Ip6 | Self::Arp | Self::Rarp => (self.present(tags), Base::Network(tags), 0),
            // Only right behind the IPv6 header: no fragment, other than for the name alone.
            Self::Icmp6 => {
                let guard = ethertype(IP6, tags).and(equal(Base::Network(tags), 6, 1, 58));
                (Some(guard), Base::Network(tags), 40)
            }
            Self::Tcp => transport(TCP),
            Self::Udp => transport(UDP),
            Self::Sctp => transport(SCTP),
            Self::Icmp => transport(1),
            Self::Other(number, _) => transport(number),
        }
    }
}

/// The EtherType.
pub(super) fn ethertype(number: u16, tags: usize) -> Words {
    Words::Type { number, tags }
}

fn equal(base: Base, at: u32, size: usize, value: u32) -> Words {
    Words::Compare(Number::load(base, at, size), Relation::Equal, Number::Constant(value))
}

/// Bytes that equal others under a mask.
fn masked(base: Base, at: u32, value: u32, mask: u32) -> Words {
    let load = Number::load(base, at, 4);
    let load = if mask == u32::MAX {
        load
    } else {
        Number::binary(super::words::Sum::And, load, Number::Constant(mask))
    };
    Words::Compare(load, Relation::Equal, Number::Constant(value))
}

/// IPv4 with this protocol.
pub(super) fn in_ip(number: u32, tags: usize) -> Words {
    ethertype(IP, tags).and(equal(Base::Network(tags), 9, 1, number))
}

/// IPv6 with this next header, or that of a fragment right behind it.
pub(super) fn in_ip6(number: u32, tags: usize) -> Words {
    let base = Base::Network(tags);
    let behind = equal(base, 6, 1, FRAGMENT).and(equal(base, 40, 1, number));
    ethertype(IP6, tags).and(equal(base, 6, 1, number).or(behind))
}

/// In IPv4 or IPv6.
pub(super) fn either_ip(number: u32, tags: usize) -> Words {
    in_ip(number, tags).or(in_ip6(number, tags))
}

/// The first fragment of an IPv4 datagram, or all of it.
fn first_fragment(tags: usize) -> Words {
    let offset = Number::load(Base::Network(tags), 6, 2);
    let offset = Number::binary(super::words::Sum::And, offset, Number::Constant(0x1fff));
    Words::Compare(offset, Relation::Equal, Number::Constant(0))
}

/// The test of one end or of both.
fn ends(direction: Direction, source: Words, destination: Words) -> Words {
    match direction {
        Direction::Source => source,
        Direction::Destination => destination,
        Direction::Either => source.or(destination),
        Direction::Both => source.and(destination),
    }
}

/// An IPv4 address or network in the header of one protocol.
fn v4_in(
    number: u16,
    (source, destination): (u32, u32),
    (address, mask): (u32, u32),
    direction: Direction,
    tags: usize,
) -> Words {
    let base = Base::Network(tags);
    let test = ends(direction, masked(base, source, address, mask), masked(base, destination, address, mask));
    ethertype(number, tags).and(test)
}

/// `host` or `net` with an IPv4 address; `None`: the protocol has none.
pub(super) fn v4(
    protocol: Option<Protocol>,
    network: (u32, u32),
    direction: Direction,
    tags: usize,
) -> Option<Words> {
    let one = |number, places| v4_in(number, places, network, direction, tags);
    let (ip, arp) = ((12, 16), (14, 24));
    Some(match protocol {
        None => one(IP, ip).or(one(ARP, arp)).or(one(RARP, arp)),
        Some(Protocol::Ip) => one(IP, ip),
        Some(Protocol::Arp) => one(ARP, arp),
        Some(Protocol::Rarp) => one(RARP, arp),
        Some(_) => return None,
    })
}

/// `host` or `net` with an IPv6 address of so many bits.
pub(super) fn v6(address: Ipv6Addr, len: u32, direction: Direction, tags: usize) -> Words {
    let base = Base::Network(tags);
    let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
    let word = |value: u128, i: u32| (value >> (96 - 32 * i)) as u32;
    let end = |offset: u32| {
        let words = (0..4).map(|i| masked(base, offset + 4 * i, word(u128::from(address), i), word(mask, i)));
        words.reduce(Words::and).unwrap_or_else(always)
    };
    ethertype(IP6, tags).and(ends(direction, end(8), end(24)))
}

/// What always holds.
fn always() -> Words {
    Words::Compare(Number::Constant(0), Relation::Equal, Number::Constant(0))
}

/// An Ethernet address.
pub(super) fn ether(address: [u8; 6], direction: Direction) -> Words {
    let [a, b, c, d, e, f] = address;
    let end = |offset: u32| {
        let low = equal(Base::Link, offset + 2, 4, u32::from_be_bytes([c, d, e, f]));
        low.and(equal(Base::Link, offset, 2, u32::from(u16::from_be_bytes([a, b]))))
    };
    ends(direction, end(6), end(0))
}

/// `port` and `portrange`, in IPv4 and IPv6; `None`: the protocol has no ports.
pub(super) fn port(
    protocol: Option<Protocol>,
    (low, high): (u32, u32),
    direction: Direction,
    tags: usize,
) -> Option<Words> {
    let numbers: &[u32] = match protocol {
        None => &[SCTP, TCP, UDP],
        Some(Protocol::Tcp) => &[TCP],
        Some(Protocol::Udp) => &[UDP],
        Some(Protocol::Sctp) => &[SCTP],
        Some(_) => return None,
    };
    let at = |base: Base, offset: u32| {
        let load = || Number::load(base, offset, 2);
        if low == high {
            return Words::Compare(load(), Relation::Equal, Number::Constant(low));
        }
        let from = Words::Compare(load(), Relation::AtLeast, Number::Constant(low));
        from.and(Words::Compare(load(), Relation::AtMost, Number::Constant(high)))
    };
    let network = Base::Network(tags);
    let one_of = |offset: u32| {
        numbers.iter().map(|n| equal(network, offset, 1, *n)).reduce(Words::or).unwrap_or_else(always)
    };
    let v6 = ethertype(IP6, tags).and(one_of(6)).and(ends(direction, at(network, 40), at(network, 42)));
    let behind = Base::Transport(tags);
    let v4 = ethertype(IP, tags).and(one_of(9)).and(first_fragment(tags)).and(ends(
        direction,
        at(behind, 0),
        at(behind, 2),
    ));
    Some(v6.or(v4))
}

/// A VLAN tag behind so many others, with this number.
pub(super) fn vlan(number: Option<u32>, tags: usize) -> Words {
    let tagged = ethertype(0x8100, tags).or(ethertype(0x88a8, tags)).or(ethertype(0x9100, tags));
    let Some(number) = number else { return tagged };
    let tag = Number::load(Base::Network(tags), 0, 2);
    let tag = Number::binary(super::words::Sum::And, tag, Number::Constant(0xfff));
    tagged.and(Words::Compare(tag, Relation::Equal, Number::Constant(number)))
}

/// `broadcast` and `multicast`; `None`: the protocol has none that is known without the interface.
pub(super) fn to_many(broadcast: bool, protocol: Option<Protocol>, tags: usize) -> Option<Words> {
    let base = Base::Network(tags);
    match (broadcast, protocol) {
        (true, None | Some(Protocol::Ether)) => Some(ether([0xff; 6], Direction::Destination)),
        (false, None | Some(Protocol::Ether)) => {
            let first = Number::load(Base::Link, 0, 1);
            let bit = Number::binary(super::words::Sum::And, first, Number::Constant(1));
            Some(Words::Compare(bit, Relation::Unequal, Number::Constant(0)))
        }
        (false, Some(Protocol::Ip)) => {
            let first = Number::load(base, 16, 1);
            Some(ethertype(IP, tags).and(Words::Compare(first, Relation::AtLeast, Number::Constant(224))))
        }
        (false, Some(Protocol::Ip6)) => Some(ethertype(IP6, tags).and(equal(base, 24, 1, 255))),
        _ => None,
    }
}

/// Names of EtherTypes.
pub(super) fn ethertype_named(name: &str) -> Option<u16> {
    Some(match name {
        "ip" => IP,
        "ip6" => IP6,
        "arp" => ARP,
        "rarp" => RARP,
        "loopback" => 0x9000,
        "lat" => 0x6004,
        "mopdl" => 0x6001,
        "moprc" => 0x6002,
        "sca" => 0x6007,
        "decnet" => 0x6003,
        _ => return None,
    })
}

/// Names of IP protocols (those of /etc/protocols that pcap-filter(7) names, and a few).
pub(super) fn ip_protocol_named(name: &str) -> Option<u32> {
    Some(match name {
        "icmp" => 1,
        "igmp" => 2,
        "ipencap" => 4,
        "tcp" => TCP,
        "egp" => 8,
        "igp" => 9,
        "udp" => UDP,
        "ipv6" => 41,
        "ipv6-route" => 43,
        "ipv6-frag" => FRAGMENT,
        "rsvp" => 46,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "ipv6-icmp" => 58,
        "ipv6-nonxt" => 59,
        "ipv6-opts" => 60,
        "eigrp" => 88,
        "ospf" => 89,
        "pim" => 103,
        "vrrp" => 112,
        "sctp" => SCTP,
        "udplite" => 136,
        _ => return None,
    })
}
