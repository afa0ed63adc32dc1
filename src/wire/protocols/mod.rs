//! The protocols, a file each. Adding one is adding its file and its line in [`ALL`].

mod arp;
mod chdlc;
mod dccp;
mod dccp_options;
mod dhcp;
mod dhcp_options;
mod dhcpv6;
mod dns;
mod erspan;
mod esp;
mod ethernet;
mod geneve;
mod gre;
mod http;
mod icmp;
mod icmpv6;
mod icmpv6_options;
mod igmp;
mod ipv4;
mod ipv4_options;
mod ipv6;
mod ipv6_extensions;
mod ipv6_options;
mod llc;
mod mpls;
mod ntp;
mod null;
mod pim;
mod ppp;
mod ppp_options;
mod pppoe;
mod pppoe_tags;
mod quic;
mod radiotap;
mod sctp;
mod sctp_chunks;
mod sll;
mod tcp;
mod tcp_mptcp;
mod tcp_options;
mod tls;
mod udp;
mod udplite;
mod vlan;
mod vxlan;
mod wlan;

use std::sync::LazyLock;

use super::table::{Header, Space};

/// Every protocol.
pub static ALL: &[&Header] = &[
    &ethernet::HEADER,
    &ipv4::HEADER,
    &icmp::HEADER,
    &ipv6::HEADER,
    &ipv6_extensions::HOP_BY_HOP,
    &ipv6_extensions::DESTINATION,
    &ipv6_extensions::ROUTE,
    &ipv6_extensions::FRAGMENT,
    &ipv6_extensions::AUTHENTICATION,
    &icmpv6::HEADER,
    &tcp::HEADER,
    &udp::HEADER,
    &sctp::HEADER,
    &udplite::HEADER,
    &dccp::HEADER,
    &esp::HEADER,
    &arp::HEADER,
    &vlan::HEADER,
    &vlan::SERVICE,
    &mpls::HEADER,
    &vlan::WITH_LENGTH,
    &llc::HEADER,
    &llc::SNAP,
    &ppp::HEADER,
    &ppp::FRAMED,
    &ppp::LCP,
    &ppp::IPCP,
    &ppp::IPV6CP,
    &ppp::PAP,
    &ppp::CHAP,
    &pppoe::SESSION_STAGE,
    &pppoe::DISCOVERY,
    &ethernet::WITH_LENGTH,
    &sll::HEADER,
    &sll::V2,
    &chdlc::HEADER,
    &radiotap::HEADER,
    &wlan::DATA,
    &wlan::QOS_DATA,
    &wlan::MANAGEMENT,
    &wlan::CONTROL,
    &null::HEADER,
    &null::NETWORK_ORDER,
    &gre::HEADER,
    &gre::POINT_TO_POINT,
    &erspan::HEADER,
    &erspan::TYPE_3,
    &pim::HEADER,
    &vxlan::HEADER,
    &geneve::HEADER,
    &dhcp::HEADER,
    &dhcpv6::HEADER,
    &igmp::HEADER,
    &dns::HEADER,
    &dns::MULTICAST,
    &dns::STREAM,
    &ntp::HEADER,
    &quic::HEADER,
    &http::HEADER,
    &tls::HEADER,
    &esp::MARKER,
    &esp::KEEPALIVE,
];

/// The protocol with this key.
#[must_use]
pub fn by_key(key: &str) -> Option<&'static Header> {
    ALL.iter().copied().find(|h| h.key == key)
}

/// The protocols that have one number in one space.
#[derive(Default)]
struct Candidates {
    /// Those that are meant only when something holds or that look at the bytes, in the order of [`ALL`].
    conditional: Vec<&'static Header>,
    /// The one that is meant else.
    plain: Option<&'static Header>,
}

impl Candidates {
    /// The one that `bytes` decide for.
    fn meant(&self, bytes: &[u8]) -> Option<&'static Header> {
        for header in &self.conditional {
            if header.only_when.is_none_or(|w| w.holds(bytes))
                && header.accepts.is_none_or(|accepts| accepts(bytes))
            {
                return Some(header);
            }
        }
        self.plain
    }
}

/// The numbers of a space.
#[derive(Default)]
struct Numbers {
    /// For each number the place of its protocols, plus one; 0 where it has none.
    places: Vec<u16>,
    protocols: Vec<Candidates>,
}

/// How many registries of numbers there are.
const SPACES: usize = Space::GreUnsequenced as usize + 1;

/// What [`ALL`] says of numbers, by space: looked up for each layer of each packet.
static BY_NUMBER: LazyLock<[Numbers; SPACES]> = LazyLock::new(|| {
    let mut spaces: [Numbers; SPACES] = Default::default();
    for header in ALL.iter().copied() {
        for &(space, number) in header.found_by {
            let (space, number) = (space as usize, number as usize);
            let Numbers { places, protocols } = &mut spaces[space];
            places.resize(places.len().max(number + 1), 0);
            if places[number] == 0 {
                protocols.push(Candidates::default());
                places[number] = protocols.len() as u16;
            }
            let candidates = &mut protocols[usize::from(places[number]) - 1];
            if header.only_when.is_some() || header.accepts.is_some() {
                candidates.conditional.push(header);
            } else {
                candidates.plain = candidates.plain.or(Some(header));
            }
        }
    }
    spaces
});

/// The protocol that has this number in `space`; where several have it, the one that `bytes`, which begin with its header,
/// decide for.
#[inline]
#[must_use]
pub fn by_number(space: Space, number: u64, bytes: &[u8]) -> Option<&'static Header> {
    // Most ports have none, and this is asked twice for each packet.
    let space = &BY_NUMBER[space as usize];
    let place = *space.places.get(number as usize)?;
    if place == 0 {
        return None;
    }
    let candidates = &space.protocols[usize::from(place) - 1];
    if candidates.conditional.is_empty() { candidates.plain } else { candidates.meant(bytes) }
}
