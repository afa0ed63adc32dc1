//! The protocols, a file each. Adding one is adding its file and its line in [`ALL`].

mod arp;
mod ethernet;
mod icmp;
mod icmpv6;
mod icmpv6_options;
mod ipv4;
mod ipv4_options;
mod ipv6;
mod ipv6_extensions;
mod ipv6_options;
mod tcp;
mod tcp_mptcp;
mod tcp_options;
mod udp;

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
];

/// The protocol with this key.
#[must_use]
pub fn by_key(key: &str) -> Option<&'static Header> {
    ALL.iter().copied().find(|h| h.key == key)
}

/// The protocol that has this number in `space`.
#[must_use]
pub fn by_number(space: Space, number: u128) -> Option<&'static Header> {
    ALL.iter().copied().find(|h| h.found_by.iter().any(|&(s, n)| s == space && u128::from(n) == number))
}
