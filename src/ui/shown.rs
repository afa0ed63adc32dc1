//! A packet as the views see it: the same for the builder's draft and for a captured packet.

use crate::craft::Draft;
use crate::wire::bits::BitRange;
use crate::wire::view::{Layer, LayerView, Located};

/// A packet that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Tells the two packet views apart.
    pub id: &'static str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its layers.
    pub layers: &'a [Layer],
    /// The kernel had not computed its transport checksum.
    pub left_to_card: bool,
}

impl<'a> Shown<'a> {
    /// The builder's packet.
    #[must_use]
    pub fn draft(draft: &'a Draft) -> Self {
        Self { id: "builder", bytes: draft.bytes(), layers: draft.layers(), left_to_card: false }
    }

    /// A look at one layer.
    #[must_use]
    pub fn view(&self, index: usize) -> LayerView<'a> {
        LayerView { bytes: self.bytes, layers: self.layers, index }
    }

    /// The layer whose header holds the byte.
    #[must_use]
    pub fn layer_of(&self, offset: usize) -> Option<&'a Layer> {
        let header = self.layers.iter().find(|l| l.header_range().contains(&offset));
        // What a reader reads behind a header has the layer's hue too.
        let read = |l: &&Layer| l.header.reader.is_some() && l.payload_range().contains(&offset);
        header.or_else(|| self.layers.iter().rev().find(read))
    }

    /// The bits of the leaf that owns the byte; of the widest where several share it.
    #[must_use]
    pub fn field_at(&self, offset: usize) -> Option<BitRange> {
        let Some(index) = self.layers.iter().position(|l| l.header_range().contains(&offset)) else {
            return self.reading_at(offset);
        };
        let owns = |f: &Located| !f.field.group && f.bits.touches(offset);
        self.view(index).fields().into_iter().filter(owns).map(|f| f.bits).max_by_key(|b| b.width)
    }

    /// The bits of the narrowest value that holds the byte, of those that a reader finds.
    fn reading_at(&self, offset: usize) -> Option<BitRange> {
        let has = |l: &Layer| l.header.reader.is_some() && l.payload_range().contains(&offset);
        let index = self.layers.iter().rposition(has)?;
        let found = self.view(index).readings()?;
        found.list.iter().map(|r| r.bits).filter(|b| b.touches(offset)).min_by_key(|b| b.width)
    }
}
