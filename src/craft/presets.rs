//! Packets to begin with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet with a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What it is called in menus.
    pub name: &'static str,
    /// What it is good for.
    pub hint: &'static str,
    /// The packet; `{dst}` stands for the destination.
    pub notation: &'static str,
    /// The destination where none of its kind is in use: the lab's server.
    pub default: IpAddr,
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2));

/// The presets, in menu order.
pub static ALL: &[Preset] = &[
    Preset {
        name: "SYN",
        hint: "opens a connection, no options",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=S)",
        default: V4,
    },
    Preset {
        name: "SYN with options",
        hint: "as a current Linux sends it",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=S, \
                   options=[mss(1460), sackOK, ts(1, 0), nop, wscale(7)])",
        default: V4,
    },
    Preset {
        name: "ACK",
        hint: "probes a firewall: an open and a closed port both answer RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, ack=1, flags=.)",
        default: V4,
    },
    Preset {
        name: "FIN-ACK",
        hint: "closes a connection",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, ack=1, flags=F.)",
        default: V4,
    },
    Preset {
        name: "RST",
        hint: "resets a connection",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=R, window=0)",
        default: V4,
    },
    Preset {
        name: "Xmas",
        hint: "FIN, PSH and URG: a closed port answers RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=FPU)",
        default: V4,
    },
    Preset {
        name: "NULL",
        hint: "no flag at all: a closed port answers RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1)",
        default: V4,
    },
    Preset {
        name: "ICMP echo request",
        hint: "ping",
        notation: "ip(dst={dst})/icmp(type=8, id=1, seq=1)/\"rawbench\"",
        default: V4,
    },
    Preset {
        name: "UDP",
        hint: "to the echo service",
        notation: "ip(dst={dst})/udp(srcport=40000, dstport=7)/\"hello\"",
        default: V4,
    },
    Preset {
        name: "DHCP Discover at the link layer",
        hint: "asks every DHCP server of the network for an address",
        // Padded to the 300 bytes that BOOTP relays and servers expect at the least.
        notation: "eth(dst=ff:ff:ff:ff:ff:ff)/ip(src=0.0.0.0, dst=255.255.255.255)/udp(srcport=68, dstport=67)/\
                   dhcp(xid=0x72617762, options=[message(Discover), client_id(0, 72 61 77 62 65 6e 63 68), \
                   parameters(1, 3, 6, 15, 28, 51, 54), end, zero(36)])",
        default: IpAddr::V4(Ipv4Addr::BROADCAST),
    },
    Preset {
        name: "SYN over IPv6",
        hint: "opens a connection, no options",
        notation: "ipv6(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=S)",
        default: V6,
    },
    Preset {
        name: "ICMPv6 echo request",
        hint: "ping over IPv6",
        notation: "ipv6(dst={dst})/icmpv6(type=128, id=1, seq=1)/\"rawbench\"",
        default: V6,
    },
    Preset {
        name: "Neighbor solicitation",
        hint: "asks a neighbour whether it is there, and for its hardware address",
        notation: "ipv6(dst={dst}, hlim=255)/icmpv6(type=135, target={dst})",
        default: V6,
    },
];

impl Preset {
    /// The notation for the destination in use: as it is, this machine where it is this machine by the other IP version,
    /// else the default.
    #[must_use]
    pub fn to(&self, destination: Option<IpAddr>) -> String {
        let to = match (destination, self.default) {
            (Some(ip), default) if ip.is_ipv4() == default.is_ipv4() => ip,
            (Some(ip), IpAddr::V4(_)) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            (Some(ip), IpAddr::V6(_)) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            (_, default) => default,
        };
        self.notation.replace("{dst}", &to.to_string())
    }
}
