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
        self.layers.iter().find(|l| l.header_range().contains(&offset))
    }

    /// The bits of the leaf that owns the byte; of the widest where several share it.
    #[must_use]
    pub fn field_at(&self, offset: usize) -> Option<BitRange> {
        let index = self.layers.iter().position(|l| l.header_range().contains(&offset))?;
        let owns = |f: &Located| !f.field.group && f.bits.touches(offset);
        self.view(index).fields().into_iter().filter(owns).map(|f| f.bits).max_by_key(|b| b.width)
    }
}
