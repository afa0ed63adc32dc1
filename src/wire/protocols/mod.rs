//! The protocols, a file each. Adding one is adding its file and its line in [`ALL`].

mod arp;
mod dhcp;
mod dhcp_options;
mod ethernet;
mod geneve;
mod gre;
mod icmp;
mod icmpv6;
mod icmpv6_options;
mod ipv4;
mod ipv4_options;
mod ipv6;
mod ipv6_extensions;
mod ipv6_options;
mod llc;
mod mpls;
mod null;
mod pppoe;
mod pppoe_tags;
mod sll;
mod tcp;
mod tcp_mptcp;
mod tcp_options;
mod udp;
mod vlan;
mod vxlan;

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
    &arp::HEADER,
    &vlan::HEADER,
    &vlan::SERVICE,
    &mpls::HEADER,
    &vlan::WITH_LENGTH,
    &llc::HEADER,
    &llc::SNAP,
    &pppoe::PPP,
    &pppoe::SESSION_STAGE,
    &pppoe::DISCOVERY,
    &ethernet::WITH_LENGTH,
    &sll::HEADER,
    &sll::V2,
    &null::HEADER,
    &null::NETWORK_ORDER,
    &gre::HEADER,
    &vxlan::HEADER,
    &geneve::HEADER,
    &dhcp::HEADER,
];

/// The protocol with this key.
#[must_use]
pub fn by_key(key: &str) -> Option<&'static Header> {
    ALL.iter().copied().find(|h| h.key == key)
}

/// The protocol that has this number in `space`; where several have it, the one that `bytes`, which begin with its header,
/// decide for.
#[must_use]
pub fn by_number(space: Space, number: u128, bytes: &[u8]) -> Option<&'static Header> {
    let mut plain = None;
    let has_it = |h: &&Header| h.found_by.iter().any(|&(s, n)| s == space && u128::from(n) == number);
    for header in ALL.iter().copied().filter(has_it) {
        match header.only_when {
            Some(when) if when.holds(bytes) => return Some(header),
            Some(_) => {}
            None => plain = plain.or(Some(header)),
        }
    }
    plain
}
