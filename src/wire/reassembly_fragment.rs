//! A fragment in a packet: which datagram it is of, where it belongs, and what the whole will begin with.

use super::bits::{self, BitRange};
use super::table::{Compute, Field, FragmentRule, Header, Space, To};
use super::value;
use super::view::Layer;

/// What the fragments of one datagram have in common: RFC 791 section 3.2 (addresses, identification, protocol), RFC 8200
/// section 4.5 (addresses, identification), and the tags of the virtual network that they came through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    table: &'static str,
    ends: (u128, u128),
    id: u128,
    also: Option<u128>,
    tags: u64,
}

/// A fragment.
pub(super) struct Fragment<'a> {
    pub key: Key,
    pub rule: FragmentRule,
    /// The table of the whole datagram's first header.
    pub network: &'static Header,
    /// As `read -e` prints it.
    pub id: String,
    /// Where the piece begins in the whole, in bytes.
    pub offset: usize,
    pub more: bool,
    pub data: &'a [u8],
    /// Bytes that the lengths claim and that are not here.
    pub cut: usize,
    /// Bytes of the whole before its data, as far as this fragment's own headers tell.
    pub head_len: usize,
    bytes: &'a [u8],
    layers: &'a [Layer],
    at: (usize, usize),
}

/// The outermost layer that says of itself that it carries a piece of a larger packet. What another packet quotes is
/// none that comes by.
#[must_use]
pub fn fragment_layer(bytes: &[u8], layers: &[Layer]) -> Option<usize> {
    layers.iter().position(|layer| {
        layer.header.fragment.is_some_and(|rule| {
            let header = bytes.get(layer.header_range()).unwrap_or_default();
            let is_set = |field: &Field| stored(header, layer, field).is_some_and(|v| v != 0);
            !layer.quoted && (is_set(rule.offset) || is_set(rule.more))
        })
    })
}

/// The value of a field that is wholly in the header.
fn stored(header: &[u8], layer: &Layer, field: &Field) -> Option<u128> {
    bits::get(header, field.bits).filter(|_| field.bits.end() <= layer.len * 8)
}

impl<'a> Fragment<'a> {
    /// The outermost fragment in a packet. `tags`: those of the packets that it came in.
    pub fn find(bytes: &'a [u8], layers: &'a [Layer], tags: u64) -> Option<Self> {
        let index = fragment_layer(bytes, layers)?;
        let layer = layers.get(index)?;
        let rule = layer.header.fragment?;
        let header = bytes.get(layer.header_range())?;
        let below = (0..=index).rev().find(|i| layers.get(*i).is_some_and(|l| l.header.network))?;
        let network = layers.get(below)?;
        let (src, dst) = network.header.ends?;
        let network_header = bytes.get(network.header_range())?;
        let id = stored(header, layer, rule.id)?;
        let data = bytes.get(layer.payload_range())?;
        let whole_head = layer.start + layer.len - network.start;
        Some(Self {
            key: Key {
                table: layer.header.key,
                ends: (stored(network_header, network, src)?, stored(network_header, network, dst)?),
                id,
                also: rule.also.and_then(|field| stored(header, layer, field)),
                tags: tags_of(bytes, layers.get(..index)?, tags),
            },
            rule,
            network: network.header,
            id: value::stored_text(rule.id, id),
            offset: usize::try_from(stored(header, layer, rule.offset)?).ok()?.checked_mul(rule.unit)?,
            more: stored(header, layer, rule.more)? != 0,
            data,
            cut: layer.declared.saturating_sub(layer.end.saturating_sub(layer.start)),
            head_len: if layer.header.network { whole_head } else { whole_head - layer.len },
            bytes,
            layers,
            at: (below, index),
        })
    }

    /// The headers of the whole, as RFC 791 section 3.2 and RFC 8200 section 4.5 make them of the first fragment's: a
    /// network header says no more that it is a fragment, a header that says nothing else is not there. The lengths
    /// and the checksum are not right yet.
    pub fn head(&self) -> Option<Vec<u8>> {
        let (below, index) = self.at;
        let (network, layer) = (self.layers.get(below)?, self.layers.get(index)?);
        let mut head = self.bytes.get(network.start..layer.start + layer.len)?.to_vec();
        let start = layer.start - network.start;
        if layer.header.network {
            for field in [self.rule.offset, self.rule.more] {
                bits::set(&mut head, within(field, start), 0).then_some(())?;
            }
            return Some(head);
        }
        let (by, space) = selector(layer.header)?;
        let next = bits::get(&head, within(by, start))?;
        let before = self.layers.get(index.checked_sub(1)?)?;
        let field = before.header.leaves().find(|f| f.compute == Some(Compute::NextHeader(space)))?;
        bits::set(&mut head, within(field, before.start - network.start), next).then_some(())?;
        head.truncate(start);
        Some(head)
    }

    /// The tags of what is in this fragment.
    pub fn tags(&self) -> u64 {
        self.key.tags
    }
}

/// A field's bits in a packet in which its header begins at byte `start`.
pub(super) fn within(field: &Field, start: usize) -> BitRange {
    BitRange { start: start * 8 + field.bits.start, width: field.bits.width }
}

/// The field that names the next header.
fn selector(header: &'static Header) -> Option<(&'static Field, Space)> {
    header.next.iter().find_map(|next| match next.to {
        To::Selected { by, space } => Some((by, space)),
        _ => None,
    })
}

/// The tags of these layers behind those that there are: the last five, of 12 bits each.
fn tags_of(bytes: &[u8], layers: &[Layer], tags: u64) -> u64 {
    let tag = |layer: &Layer| {
        let field = layer.header.separates?;
        stored(bytes.get(layer.header_range())?, layer, field)
    };
    layers.iter().filter_map(tag).fold(tags, |all, tag| all << 12 | (tag as u64 & 0xfff))
}
