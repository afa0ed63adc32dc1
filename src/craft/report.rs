//! What a draft has to say about itself: warnings, what the kernel will overwrite, what a receiver would read.

use super::draft::{Draft, Override};
use crate::wire::bits;
use crate::wire::checksum;
use crate::wire::dissect::{self, Dissection};
use crate::wire::table::{Coverage, Family, RawSocket};
use crate::wire::view::{Layer, Located, Path};

/// Something that may be a mistake; it never forbids a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The layer that it speaks of.
    pub layer: usize,
    /// What and why.
    pub text: String,
}

/// What the kernel does to a field of a packet that goes through a raw IP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overwrite {
    /// The field.
    pub path: Path,
    /// `ip.checksum`.
    pub key: String,
    /// In words.
    pub text: String,
    /// The field was pinned, and the kernel writes over it all the same. A zero that nobody pinned (an identification)
    /// does not count: who meant it knows best.
    pub changes: bool,
}

impl Draft {
    /// All warnings, outermost layer first.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut all = Vec::new();
        for (layer, found) in self.layers.iter().enumerate() {
            let view = self.view(layer);
            all.extend(
                found.header.warnings.iter().filter_map(|w| w(&view)).map(|text| Warning { layer, text }),
            );
            all.extend(self.checksum_warning(layer).map(|text| Warning { layer, text }));
        }
        all.extend(self.size_warning());
        all
    }

    /// The packet is larger than its network header can say.
    fn size_warning(&self) -> Option<Warning> {
        let layer = self.network_layer()?;
        let found = self.layers.get(layer)?;
        let extent = found.header.extent?;
        let most = bits::max_value(extent.by.bits.width) as usize * extent.by.scale as usize + extent.beyond;
        let size = self.payload.end - found.start;
        let text = format!("{size} bytes are more than an {} packet can have ({most})", found.header.short);
        (size > most).then_some(Warning { layer: 0, text })
    }

    fn checksum_warning(&self, layer: usize) -> Option<String> {
        let (field_index, field, _, zero_is_none) = checksum::field_of(&self.view(layer))?;
        let may_be_none = checksum::may_be_none(&self.view(layer));
        let path = Path::header(layer, field_index);
        let stored = self.locate(path)?.stored(&self.bytes)?;
        let computed = checksum::compute(&self.bytes, &self.layers, layer)?;
        let digits = field.bits.width / 4;
        let name = format!("{} {}", self.layers[layer].header.short, field.label.to_lowercase());
        match self.override_of(path)? {
            Override::Wrong => {
                Some(format!("{name} is wrong on purpose: right would be 0x{computed:0digits$x}"))
            }
            Override::Pinned if may_be_none && stored == 0 => Some(format!("{name} 0: none is sent")),
            Override::Pinned if zero_is_none && stored == 0 && self.layers[layer].header.covers.is_none() => {
                Some(format!(
                    "{name} 0 says that there is none, which IPv6 allows to tunnels alone (RFC 8200 section 8.1, RFC \
                 6935): receivers drop it; right would be 0x{computed:0digits$x}"
                ))
            }
            Override::Pinned if !checksum::accepted(&self.bytes, &self.layers, layer)? => Some(format!(
                "{name} is pinned to 0x{stored:0digits$x}, right would be 0x{computed:0digits$x}"
            )),
            Override::Pinned => None,
        }
    }

    /// What a raw IP socket will write over, field by field.
    #[must_use]
    pub fn overwrites(&self) -> Vec<Overwrite> {
        let Some(layer) = self.network_layer() else { return Vec::new() };
        let header = self.layers[layer].header;
        let view = self.view(layer);
        let found = view.header_fields().filter(|f| self.raw_socket(f.path) != RawSocket::Kept);
        found
            .map(|f| {
                let pinned = self.override_of(f.path).is_some();
                let (label, path) = (f.field.label, f.path);
                let text = match self.raw_socket(path) {
                    RawSocket::FilledWhenZero if pinned => {
                        let zero = f.text(&self.bytes);
                        let spoilt = self.spoilt_checksum(layer, &f).unwrap_or_default();
                        format!("{label} is pinned to {zero}, but the kernel fills it in{spoilt}")
                    }
                    RawSocket::FilledWhenZero => format!("{label} is 0: the kernel fills it in"),
                    _ if pinned => {
                        format!("{label} is pinned, but the kernel writes the right value over it")
                    }
                    _ => format!("{label} is written by the kernel"),
                };
                Overwrite { path, key: format!("{}.{}", header.prefix(), f.field.key), text, changes: pinned }
            })
            .collect()
    }

    /// What becomes of the checksum above an address of the network layer that the kernel fills in: it was right over
    /// the zero address.
    fn spoilt_checksum(&self, network: usize, address: &Located) -> Option<String> {
        let (source, _) = self.layers[network].header.ends?;
        if source.key != address.field.key {
            return None;
        }
        let above = self.layers.iter().enumerate().skip(network + 1).take_while(|(_, l)| !l.header.network);
        let (layer, field_index, zero_is_none) = above.into_iter().find_map(|(layer, _)| {
            let (field_index, _, coverage, zero_is_none) = checksum::field_of(&self.view(layer))?;
            (coverage == Coverage::PseudoHeader).then_some((layer, field_index, zero_is_none))
        })?;
        let stored = self.locate(Path::header(layer, field_index))?.stored(&self.bytes)?;
        let sent = !(zero_is_none && stored == 0);
        let right = sent && checksum::accepted(&self.bytes, &self.layers, layer)?;
        right.then(|| {
            format!(
                ", and the {} checksum, computed over {}, will then be wrong",
                self.layers[layer].header.short,
                address.text(&self.bytes)
            )
        })
    }

    /// What a receiver reads in these bytes. Differs from the draft's own layers when a pinned length or type says
    /// otherwise.
    #[must_use]
    pub fn as_received(&self) -> Dissection {
        dissect::dissect_from(self.layers.first().map(|l| l.header), &self.bytes)
    }

    /// How the receiver's reading differs from the form, in words; `None` when it does not.
    #[must_use]
    pub fn reading_differs(&self) -> Option<String> {
        let found = self.as_received();
        // What an application makes of its bytes does not count: a draft may have them as layer or as payload.
        let below = |layers: &[Layer]| -> Vec<_> {
            let below = layers.iter().take_while(|l| l.header.family != Family::Application);
            below.map(|l| (l.header.key, l.len)).collect()
        };
        let same = below(&found.layers) == below(&self.layers) && found.payload.end == self.payload.end;
        if same && found.stop.is_none() {
            return None;
        }
        let mut names: Vec<String> =
            found.layers.iter().map(|l| format!("{} {} bytes", l.header.short, l.len)).collect();
        if !found.payload.is_empty() {
            names.push(format!("payload {} bytes", found.payload.len()));
        }
        if !found.trailer.is_empty() {
            names.push(format!("{} bytes past the end", found.trailer.len()));
        }
        let stop = found.stop.map(|s| format!(" ({})", s.why)).unwrap_or_default();
        Some(format!("a receiver reads: {}{stop}", names.join(", ")))
    }
}
