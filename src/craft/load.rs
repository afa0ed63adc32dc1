//! Drafts from bytes: a captured packet becomes editable and keeps each byte.

use super::draft::{Draft, Override};
use crate::wire::checksum;
use crate::wire::dissect::dissect;
use crate::wire::table::{Compute, Coverage};
use crate::wire::view::Path;

impl Draft {
    /// Loads a packet of this link type.
    ///
    /// Computed fields whose stored value is the computed one stay computed, the others come in pinned. A transport
    /// checksum that was `left_to_card` comes in computed. Bytes past the length that a layer says are trailers,
    /// inside of the layers that count them.
    #[must_use]
    pub fn from_bytes(link_type: u32, bytes: &[u8], left_to_card: bool) -> Self {
        let found = dissect(link_type, bytes);
        let mut layers = Vec::new();
        for mut layer in found.layers {
            let header = bytes.get(layer.header_range()).unwrap_or_default();
            let fixed = layer.header.fixed_len(header);
            // A protocol without a fixed part and without a list has nothing to edit: its bytes are the payload.
            if layer.header.min_len() == 0 && layer.header.items.is_none() {
                break;
            }
            if layer.len < fixed {
                break;
            }
            // Options that do not end where an option list can end: the rest is payload.
            let odd =
                layer.header.list(header).map_or(0, |list| (layer.len - fixed + list.lead) % list.align);
            if layer.len < fixed + odd {
                break;
            }
            let whole = odd == 0;
            layer.len -= odd;
            layer.quoted = false;
            layers.push(layer);
            if !whole {
                break;
            }
        }
        let start = layers.last().map_or(0, |l| l.start + l.len);
        let end = layers.last().map_or(bytes.len(), |l| l.end).max(start);
        let ends: Vec<usize> = layers.iter().map(|l| l.end.max(end)).collect();
        let mut draft = Self { bytes: bytes.to_vec(), layers, payload: start..end, ..Self::default() };
        for (layer, pair) in ends.windows(2).enumerate() {
            let (outer, inner) = (pair[0], pair[1]);
            let behind = draft.tail_of(layer + 1);
            if behind > 0 && outer > inner {
                draft.tails.insert(behind, outer - inner);
            }
        }
        draft.set_ends();
        draft.pin_what_differs(left_to_card);
        draft.recompute();
        draft
    }

    fn pin_what_differs(&mut self, left_to_card: bool) {
        for index in (0..self.layers.len()).rev() {
            for (field_index, field) in self.layers[index].header.fields.iter().enumerate() {
                let path = Path::header(index, field_index);
                let Some(stored) = self.locate(path).and_then(|f| f.stored(&self.bytes)) else { continue };
                let same = match field.compute {
                    None => true,
                    Some(Compute::RouteSource | Compute::InterfaceAddress | Compute::NeighbourAddress) => {
                        false
                    }
                    Some(Compute::Checksum { coverage, .. }) => {
                        let left =
                            left_to_card && matches!(coverage, Coverage::PseudoHeader | Coverage::Crc32c);
                        left || checksum::compute(&self.bytes, &self.layers, index).map(u128::from)
                            == Some(stored)
                    }
                    Some(_) => self.computed(index, field) == Some(stored),
                };
                if !same {
                    self.overrides.insert(path, Override::Pinned);
                }
            }
        }
    }
}
