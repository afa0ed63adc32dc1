//! The draft: bytes, layers, overrides. Its bytes are at all times the frame that would be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use super::options::is_raw;
use super::stream::{Generator, Place};
use crate::wire::bits::{self, BitRange};
use crate::wire::checksum;
use crate::wire::items;
use crate::wire::table::{Compute, Coverage, Family, Field, Header, Kind, Length, RawSocket};
use crate::wire::view::{Layer, LayerView, Located, Path};

/// How a computed field is kept from being computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// It keeps the value that stands in the bytes.
    Pinned,
    /// A checksum that is computed, then made wrong: it stays wrong whatever is edited.
    Wrong,
}

/// What only the system that sends can know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The source address that the kernel would choose for the destination.
    pub route_source: Option<IpAddr>,
    /// The address of the sending interface.
    pub interface: Option<[u8; 6]>,
    /// The link-layer address of the next hop.
    pub neighbour: Option<[u8; 6]>,
}

/// A packet in the making.
///
/// Every operation leaves the bytes whole: computed fields that nobody pinned hold their computed value.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(super) bytes: Vec<u8>,
    pub(super) layers: Vec<Layer>,
    pub(super) payload: Range<usize>,
    /// Bytes behind the payload that belong to no layer from this one on, but to the layer before it (padding inside a
    /// tunnel, say): each at least 1, from the highest layer on. What is left of the bytes belongs to no layer at all.
    pub(super) tails: BTreeMap<usize, usize>,
    pub(super) overrides: BTreeMap<Path, Override>,
    /// What varies from packet to packet: the bytes are those of the first one.
    pub(super) varying: Vec<(Place, Generator)>,
    /// Layers whose list of options the user ended: the first of the zero bytes behind it is an option, no padding.
    pub(super) ended: BTreeSet<usize>,
    /// What layers lost of their fixed part and of their options when a type was typed that has less of them: it comes
    /// back with the type. No part of the packet.
    pub(super) spare: BTreeMap<usize, Spare>,
    pub(super) surroundings: Surroundings,
}

/// The longest fixed part that a layer had, and its options.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare {
    pub fixed: Vec<u8>,
    pub options: Vec<u8>,
}

impl PartialEq for Draft {
    fn eq(&self, other: &Self) -> bool {
        let shape = |d: &Self| d.layers.iter().map(|l| (l.header.key, l.start, l.len)).collect::<Vec<_>>();
        self.bytes == other.bytes
            && self.payload == other.payload
            && self.tails == other.tails
            && self.overrides == other.overrides
            && self.ended == other.ended
            && self.varying == other.varying
            && shape(self) == shape(other)
    }
}

impl Draft {
    /// The frame, from the first header to the trailer.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The layers, outermost first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A look at layer `index`.
    #[must_use]
    pub fn view(&self, index: usize) -> LayerView<'_> {
        LayerView { bytes: &self.bytes, layers: &self.layers, index }
    }

    /// Where the payload stands.
    #[must_use]
    pub fn payload_range(&self) -> Range<usize> {
        self.payload.clone()
    }

    /// The bytes behind the headers.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }

    /// The bytes past the length that the layers say, of all layers: those of the innermost first.
    #[must_use]
    pub fn trailer(&self) -> &[u8] {
        &self.bytes[self.payload.end..]
    }

    /// What the system said of itself.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        self.surroundings
    }

    /// How a field is overridden, if it is.
    #[must_use]
    pub fn override_of(&self, path: Path) -> Option<Override> {
        self.overrides.get(&path).copied()
    }

    /// The table entry and the bits of a field; `None` when the packet has no such field.
    #[must_use]
    pub fn locate(&self, path: Path) -> Option<Located> {
        if path.layer >= self.layers.len() {
            return None;
        }
        let view = self.view(path.layer);
        match path.item {
            None => view.header_fields().find(|f| f.path == path),
            Some(item) => {
                view.item_fields(item, view.items().get(item)?).into_iter().find(|f| f.path == path)
            }
        }
    }

    /// The first field with this key (or alias) in a layer of this protocol.
    #[must_use]
    pub fn find(&self, protocol: &str, key: &str) -> Option<Path> {
        let layer = self.layers.iter().position(|l| l.header.key == protocol)?;
        self.view(layer).field(key).map(|f| f.path)
    }

    /// The first layer that a raw IP socket can send: everything before it stays behind.
    #[must_use]
    pub fn network_layer(&self) -> Option<usize> {
        self.layers.iter().position(|l| l.header.network)
    }

    /// The source address that stands in the first network layer, and the destination.
    #[must_use]
    pub fn network_ends(&self) -> Option<(IpAddr, IpAddr)> {
        let view = self.view(self.network_layer()?);
        let (src, dst) = view.layer().header.ends?;
        Some((address(&view, src)?, address(&view, dst)?))
    }

    /// What a raw IP socket does to the field: fields of layers below the first network layer count as kept, and so do
    /// all of a header that says that it is shorter than its fixed part (raw(7): the kernel leaves such a one alone).
    #[must_use]
    pub fn raw_socket(&self, path: Path) -> RawSocket {
        if self.network_layer() != Some(path.layer) || path.item.is_some() {
            return RawSocket::Kept;
        }
        let Some(found) = self.locate(path) else { return RawSocket::Kept };
        let header = self.layers[path.layer].header;
        if let Length::Said { by, min } = header.length {
            let said = bits::get(self.view(path.layer).header_bytes(), by.bits).unwrap_or(0);
            if said * u128::from(by.scale) < min as u128 {
                return RawSocket::Kept;
            }
        }
        match found.field.raw_socket {
            RawSocket::FilledWhenZero if found.stored(&self.bytes) != Some(0) => RawSocket::Kept,
            what => what,
        }
    }

    /// Takes in what the system knows; computed addresses follow.
    pub fn surround(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
        self.recompute();
    }

    /// Fills every computed field that is not overridden, lengths and numbers first, then checksums from the inside
    /// out.
    pub(super) fn recompute(&mut self) {
        self.set_ends();
        for index in 0..self.layers.len() {
            for (field_index, field) in self.layers[index].header.fields.iter().enumerate() {
                let path = Path::header(index, field_index);
                if self.overrides.contains_key(&path) || !field.is_in(self.view(index).header_bytes()) {
                    continue;
                }
                if let Some(value) = self.computed(index, field) {
                    self.put(index, field, value);
                }
            }
        }
        for index in (0..self.layers.len()).rev() {
            self.recompute_checksum(index);
        }
    }

    /// Has every layer end where the payload and what belongs to the layer behind it ends.
    pub(super) fn set_ends(&mut self) {
        let mut end = self.payload.end;
        for (index, layer) in self.layers.iter_mut().enumerate().rev() {
            layer.end = end;
            layer.declared = end - layer.start;
            end += self.tails.get(&index).copied().unwrap_or(0);
        }
    }

    /// The layer behind which bytes that do not belong to `layer` have to be kept apart: 0, outside of everything, when no
    /// layer before it says or sums what it carries.
    pub(super) fn tail_of(&self, layer: usize) -> usize {
        let says = |f: &Field| match f.compute {
            Some(Compute::TotalLength) => true,
            Some(Compute::Checksum { coverage, .. }) => coverage != Coverage::Header,
            _ => false,
        };
        let counts = |l: &Layer| l.header.extent.is_some() || l.header.fields.iter().any(says);
        if self.layers.iter().take(layer).any(counts) { layer } else { 0 }
    }

    /// The trailers with the layer behind which each stands, from the inside out; the last, of layer 0, stands outside of
    /// everything. None is empty.
    pub(super) fn trailers(&self) -> Vec<(usize, &[u8])> {
        let mut rest = self.trailer();
        let mut found = Vec::new();
        for (&layer, &len) in self.tails.iter().rev() {
            let (one, more) = rest.split_at(len.min(rest.len()));
            found.push((layer, one));
            rest = more;
        }
        if !rest.is_empty() {
            found.push((0, rest));
        }
        found
    }

    fn recompute_checksum(&mut self, index: usize) {
        let Some((field_index, field, ..)) = checksum::field_of(&self.view(index)) else { return };
        let path = Path::header(index, field_index);
        let kind = self.override_of(path);
        if kind == Some(Override::Pinned) {
            return;
        }
        let Some(right) = checksum::compute(&self.bytes, &self.layers, index) else { return };
        let value =
            if kind == Some(Override::Wrong) { wrong(right, field.bits.width) } else { u128::from(right) };
        self.put(index, field, value);
    }

    /// The computed value of a field that is no checksum, as stored. `None`: it keeps what it has.
    pub(super) fn computed(&self, index: usize, field: &Field) -> Option<u128> {
        let layer = &self.layers[index];
        // What the system knows is of the outermost network: a tunnel carries packets of another one.
        let before = &self.layers[..index];
        let networks = before.iter().filter(|l| l.header.network).count();
        let own = layer.header.family == Family::Control
            && !before.iter().any(|l| l.header.family == Family::Tunnel);
        let outer = networks == 0 || networks == 1 && own;
        let mac = |m: Option<[u8; 6]>| m.map_or(0, |m| m.iter().fold(0u128, |v, b| v << 8 | u128::from(*b)));
        let value = match field.compute? {
            Compute::HeaderLength => layer.header.length_of(layer.len) as u128,
            Compute::TotalLength => {
                let beyond = layer.header.extent.map_or(0, |e| e.beyond);
                (layer.end - layer.start).saturating_sub(beyond) as u128 / u128::from(field.scale)
            }
            Compute::PayloadLength => (layer.end - layer.start).saturating_sub(layer.len) as u128,
            Compute::NextHeader(space) => {
                let next = self.layers.get(index + 1).and_then(|l| l.header.number_in(space));
                next.map_or(field.default, u128::from)
            }
            Compute::ItemCount => {
                let list = layer.header.list(self.view(index).header_bytes())?;
                let range = self.view(index).items_range();
                let spans = items::walk(list, self.bytes.get(range).unwrap_or_default(), 0);
                // What is left behind the items that are counted is none of them.
                spans.iter().filter(|s| s.depth == 0 && !is_raw(s)).count() as u128
            }
            // The bytes alone do not say where those that it counts end: as many as were made, or as are there.
            Compute::LastItem => {
                let spans = self.view(index).items();
                let counted = spans.iter().filter(|s| s.item.count.is_some() && !is_raw(s)).count();
                counted.saturating_sub(1) as u128
            }
            Compute::RouteSource => match (self.surroundings.route_source.filter(|_| outer), field.kind) {
                (Some(IpAddr::V4(a)), Kind::Ipv4) => u128::from(u32::from(a)),
                (Some(IpAddr::V6(a)), Kind::Ipv6) => u128::from(a),
                _ => 0,
            },
            Compute::InterfaceAddress => mac(self.surroundings.interface.filter(|_| outer)),
            Compute::NeighbourAddress => mac(self.surroundings.neighbour.filter(|_| outer)),
            Compute::Checksum { .. } => return None,
        };
        Some(field.stored(value.min(bits::max_value(field.bits.width))))
    }

    pub(super) fn put(&mut self, index: usize, field: &Field, value: u128) {
        let layer = &self.layers[index];
        if field.bits.end() > layer.len * 8 {
            return;
        }
        let at = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
        let foreign = bits::get(&self.bytes, at).unwrap_or(0) & field.foreign();
        let fitted = bits::set(&mut self.bytes, at, value | foreign);
        debug_assert!(fitted, "{} {} = {value}", layer.header.key, field.key);
    }

    /// A new layer's bytes, with no options.
    pub(super) fn blank_layer(header: &'static Header, start: usize) -> (Layer, Vec<u8>) {
        let bytes = header.blank();
        let layer = Layer {
            header,
            start,
            len: bytes.len(),
            end: start + bytes.len(),
            declared: bytes.len(),
            quoted: false,
        };
        (layer, bytes)
    }
}

/// A checksum that no receiver takes for right, and that is not zero (which may mean "none").
fn wrong(right: u32, width: usize) -> u128 {
    let next = u128::from(right) + 1;
    if next > bits::max_value(width) { 1 } else { next }
}

fn address(view: &LayerView<'_>, field: &Field) -> Option<IpAddr> {
    let value = bits::get(view.header_bytes(), field.bits)?;
    match field.kind {
        Kind::Ipv4 => Some(IpAddr::V4((value as u32).into())),
        Kind::Ipv6 => Some(IpAddr::V6(value.into())),
        _ => None,
    }
}
