//! What became of a packet on its way: it is found again among what was seen, and compared. Pure.

use std::net::IpAddr;

use super::heads::{self, Body, Heads};
use super::probe::Probe;
use super::sources::Via;
use crate::craft::Draft;
use crate::wire::compare::{Comparison, Side, Way, compare};
use crate::wire::dissect::{dissect, dissect_from, first_header};
use crate::wire::table::Header;

/// LINKTYPE_RAW: the packet begins with its IP header.
const RAW: u32 = 101;

/// A packet as it was handed to the kernel.
#[derive(Clone, Debug)]
pub struct Asked {
    first: Option<&'static Header>,
    bytes: Vec<u8>,
    way: Way,
}

/// Where a packet stands in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is that packet.
    Packet,
    /// That packet, an ICMP error, quotes it.
    Quote,
}

/// A packet that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// As capture files number it.
    pub link_type: u32,
    /// What was kept of it.
    pub bytes: Vec<u8>,
    /// Bytes on the wire.
    pub original: usize,
    /// The transport checksum was left to the network card.
    pub left_to_card: bool,
}

/// What became of a packet of a job.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Who quotes it; `None`: it was seen itself.
    pub quoted_by: Option<IpAddr>,
    /// What was asked for beside what was seen.
    pub comparison: Comparison,
}

impl Asked {
    /// A draft that is sent in this way.
    #[must_use]
    pub fn of(draft: &Draft, via: &Via) -> Self {
        let first = draft.layers().first().map(|l| l.header);
        Self { first, bytes: draft.bytes().to_vec(), way: Way { raw_socket: *via == Via::Ip } }
    }

    /// A packet of this link type that is sent in this way.
    #[must_use]
    pub fn packet(link_type: u32, bytes: Vec<u8>, via: &Via) -> Self {
        let first = first_header(link_type, &bytes);
        Self { first, bytes, way: Way { raw_socket: *via == Via::Ip } }
    }

    /// Where it stands in a packet that was seen; `None`: that is another one.
    ///
    /// It is the packet itself where that is the same from the IP header on, but for what a raw socket writes (raw(7)).
    /// An ICMP error quotes it where protocol and destination agree, and either the identification or what stands
    /// behind the IP header and no address translation changes.
    #[must_use]
    pub fn part_in(&self, seen: &Sighted) -> Option<Part> {
        let own = dissect_from(self.first, &self.bytes);
        let found = dissect(seen.link_type, &seen.bytes);
        let network =
            |layers: &[crate::wire::view::Layer]| layers.iter().find(|l| l.header.network).map(|l| l.start);
        let (from, to) = match (network(&own.layers), network(&found.layers)) {
            (Some(from), Some(to)) => (self.bytes.get(from..)?, seen.bytes.get(to..)?),
            // Of a frame without an IP header nothing but itself is expected.
            (None, None) => {
                let probe = Probe::of(seen.link_type, &self.bytes);
                return probe.is_sighting(seen.link_type, &seen.bytes).then_some(Part::Packet);
            }
            _ => return None,
        };
        if Probe::of(RAW, from).is_sighting(RAW, to) {
            return Some(Part::Packet);
        }
        let ours = Heads::read(from)?;
        let Body::IcmpError { quoted, .. } = Heads::read(to)?.body else { return None };
        let quote = Heads::read_quote(quoted)?;
        if quote.protocol != ours.protocol || quote.destination != ours.destination {
            return None;
        }
        let untouched = match ours.protocol {
            // The other port and the sequence number; the other port and the length; identifier and number.
            heads::TCP => 2..8,
            heads::UDP => 2..6,
            heads::ICMP | heads::ICMPV6 => 4..8,
            _ => 0..8,
        };
        let same =
            ours.transport.get(untouched.clone()).is_some_and(|b| quote.transport.get(untouched) == Some(b));
        (same || ours.id != 0 && ours.id == quote.id).then_some(Part::Quote)
    }

    /// The packet beside what was seen of it; `None`: a quote is wanted, and there is none.
    #[must_use]
    pub fn compare(&self, part: Part, seen: &Sighted) -> Option<Comparison> {
        let mut side = Side::captured(seen.link_type, &seen.bytes, seen.original);
        side.left_to_card = seen.left_to_card;
        let asked = Side::of(self.first, &self.bytes);
        Some(match part {
            Part::Packet => compare(&asked, &side, self.way),
            Part::Quote => compare(&asked.from_network(), &side.quote()?, self.way),
        })
    }
}
