//! The protocols, a file each. Adding one is adding its file and its line in the registry below.
//!
//! rustfmt does not look into the registry: `cargo fmt --all -- src/wire/protocols/*.rs` formats the files that it names too.

// What files of protocols share.
mod dccp_options;
mod dhcp_options;
mod icmpv6_options;
mod ipv4_options;
mod ipv6_options;
mod ppp_options;
mod pppoe_tags;
mod sctp_chunks;
mod tcp_mptcp;
mod tcp_options;

use std::sync::LazyLock;

use super::table::{Header, Space};

/// Declares the files and lists their headers, in this order. `mod FILE: HEADER, …;` names a file for the first time, `use` one
/// that is named above.
macro_rules! registry {
    (@ [$($all:expr,)*]) => {
        /// Every protocol.
        pub static ALL: &[&Header] = &[$($all,)*];
    };
    (@ [$($all:expr,)*] mod $file:ident: $($header:ident),+; $($rest:tt)*) => {
        pub mod $file;
        registry!(@ [$($all,)* $(&$file::$header,)+] $($rest)*);
    };
    (@ [$($all:expr,)*] use $file:ident: $($header:ident),+; $($rest:tt)*) => {
        registry!(@ [$($all,)* $(&$file::$header,)+] $($rest)*);
    };
    ($($line:tt)*) => { registry!(@ [] $($line)*); };
}

// A new protocol is a line at the end: where several have one number, those above are asked first.
registry! {
    mod ethernet: HEADER;
    mod ipv4: HEADER;
    mod icmp: HEADER;
    mod ipv6: HEADER;
    mod ipv6_extensions: HOP_BY_HOP, DESTINATION, ROUTE, FRAGMENT, AUTHENTICATION;
    mod icmpv6: HEADER;
    mod tcp: HEADER;
    mod udp: HEADER;
    mod sctp: HEADER;
    mod udplite: HEADER;
    mod dccp: HEADER;
    mod esp: HEADER;
    mod arp: HEADER;
    mod vlan: HEADER, SERVICE;
    mod mpls: HEADER;
    use vlan: WITH_LENGTH;
    mod llc: HEADER, SNAP;
    mod ppp: HEADER, FRAMED, LCP, IPCP, IPV6CP, PAP, CHAP;
    mod pppoe: SESSION_STAGE, DISCOVERY;
    use ethernet: WITH_LENGTH;
    mod sll: HEADER, V2;
    mod chdlc: HEADER;
    mod radiotap: HEADER;
    mod wlan: DATA, QOS_DATA, MANAGEMENT, CONTROL;
    mod null: HEADER, NETWORK_ORDER;
    mod gre: HEADER, POINT_TO_POINT;
    mod erspan: HEADER, TYPE_3;
    mod pim: HEADER;
    mod vxlan: HEADER;
    mod geneve: HEADER;
    mod dhcp: HEADER;
    mod dhcpv6: HEADER;
    mod igmp: HEADER;
    mod dns: HEADER, MULTICAST, STREAM;
    mod ntp: HEADER;
    mod quic: HEADER;
    mod http: HEADER;
    mod tls: HEADER;
    use esp: MARKER, KEEPALIVE;
    mod lldp: HEADER;
}

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
