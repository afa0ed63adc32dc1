//! Looking at one layer of a packet through its table.

use std::ops::Range;

use super::bits::{self, BitRange};
use super::items::{self, ItemSpan};
use super::readers::Readings;
use super::table::{Field, Header, Shown};
use super::value;

/// One layer of a packet: a table and the bytes that it speaks of.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The table.
    pub header: &'static Header,
    /// Offset of the header in the packet.
    pub start: usize,
    /// Bytes of the header that are there (options included).
    pub len: usize,
    /// End of header and payload in the bytes that are there.
    pub end: usize,
    /// Length of header and payload as the packet says it; more than `end - start` when the packet was cut.
    pub declared: usize,
    /// It stands in a copy that another packet quotes.
    pub quoted: bool,
}

impl Layer {
    /// The header's bytes in the packet.
    #[must_use]
    pub fn header_range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// The bytes behind the header that belong to this layer.
    #[must_use]
    pub fn payload_range(&self) -> Range<usize> {
        self.start + self.len..self.end.max(self.start + self.len)
    }
}

/// Names one field of a packet: of a header, of an option, or of a repetition in an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Index of the layer.
    pub layer: usize,
    /// Index of the option in its list, when the field belongs to one.
    pub item: Option<usize>,
    /// Which repetition in the option.
    pub nth: Option<usize>,
    /// Index in the table's fields.
    pub field: usize,
}

impl Path {
    /// A field of a header.
    #[must_use]
    pub fn header(layer: usize, field: usize) -> Self {
        Self { layer, item: None, nth: None, field }
    }
}

/// A field and where it stands in the packet.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    /// Its name within this packet.
    pub path: Path,
    /// Its table entry.
    pub field: &'static Field,
    /// Its bits, from the packet's first bit.
    pub bits: BitRange,
}

impl Located {
    /// The stored value; `None` for plain bytes.
    #[must_use]
    pub fn stored(&self, bytes: &[u8]) -> Option<u128> {
        if self.field.kind.is_bytes() { None } else { bits::get(bytes, self.bits) }
    }

    /// The value as Wireshark prints it for this key.
    #[must_use]
    pub fn text(&self, bytes: &[u8]) -> String {
        value::text(self.field, bytes, self.bits)
    }
}

/// A layer with the packet's bytes.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a> {
    /// The whole packet.
    pub bytes: &'a [u8],
    /// All its layers.
    pub layers: &'a [Layer],
    /// Which of them this is.
    pub index: usize,
}

impl<'a> LayerView<'a> {
    /// The layer itself.
    #[must_use]
    pub fn layer(&self) -> &'a Layer {
        &self.layers[self.index]
    }

    /// The header's bytes.
    #[must_use]
    pub fn header_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.layer().header_range()).unwrap_or_default()
    }

    /// What the layer carries.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.layer().payload_range()).unwrap_or_default()
    }

    /// Bytes of payload as the packet's lengths say it, also when the capture was cut short.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        let layer = self.layer();
        layer.declared.saturating_sub(layer.len).max(layer.payload_range().len())
    }

    /// The stored value of the header field with this key or alias, in the unit that the name stands for.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u128> {
        let found = self.field(name)?;
        let scale = found.field.scale_for(name)?;
        found.field.ordered(bits::get(self.bytes, found.bits)?).checked_mul(u128::from(scale))
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.number(name).is_some_and(|v| v != 0)
    }

    /// The header field with this key, when it is wholly there.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Located> {
        let header = self.layer().header;
        let index = header.fields.iter().position(|f| {
            f.scale_for(name).is_some() && f.when.is_none_or(|w| w.holds(self.header_bytes()))
        })?;
        self.located(index)
    }

    /// The text of the header field with this key; empty when it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.field(name).map(|f| f.text(self.bytes)).unwrap_or_default()
    }

    /// The set flags of a group in tcpdump's letters; `None` when a bit without a letter is set.
    #[must_use]
    pub fn text_of_letters(&self, name: &str) -> Option<String> {
        let found = self.field(name)?;
        value::letters(self.layer().header.fields, found.field, found.stored(self.bytes)?)
    }

    /// The name of the value of the header field with this key, or its number.
    #[must_use]
    pub fn value_name(&self, name: &str) -> String {
        self.field(name).map(|f| value::named(f.field, self.bytes, f.bits)).unwrap_or_default()
    }

    fn located(&self, index: usize) -> Option<Located> {
        let layer = self.layer();
        let field = &layer.header.fields[index];
        if field.bits.end() > layer.len * 8 || field.when.is_some_and(|w| !w.holds(self.header_bytes())) {
            return None;
        }
        if matches!(field.shown, Shown::WhileRouted) && !self.is_routed() {
            return None;
        }
        let bits = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
        Some(Located { path: Path::header(self.index, index), field, bits })
    }

    /// Whether the options send the packet to another address in the end than the header's destination.
    #[must_use]
    pub fn is_routed(&self) -> bool {
        let list = self.layer().header.list(self.header_bytes());
        list.and_then(|list| list.route).is_some_and(|route| route(self).is_some())
    }

    /// All fields of the header itself that are wholly there, groups included, in table order.
    pub fn header_fields(&self) -> impl Iterator<Item = Located> + use<'a> {
        let view = *self;
        (0..view.layer().header.fields.len()).filter_map(move |i| view.located(i))
    }

    /// Where the option list stands in the packet.
    #[must_use]
    pub fn items_range(&self) -> Range<usize> {
        let layer = self.layer();
        let end = layer.start + layer.len;
        let header = self.header_bytes();
        if layer.header.list(header).is_none() {
            return end..end;
        }
        (layer.start + layer.header.fixed_len(header)).min(end)..end
    }

    /// The options, in order, an item before those in it; empty where the header has no list.
    #[must_use]
    pub fn items(&self) -> Vec<ItemSpan> {
        let range = self.items_range();
        match self.layer().header.list(self.header_bytes()) {
            Some(list) => {
                let bytes = self.bytes.get(range.clone()).unwrap_or_default();
                items::walk_in(list, self.header_bytes(), bytes, range.start)
            }
            None => Vec::new(),
        }
    }

    /// The options, those among them that an option says stand elsewhere in the header; these follow it, a level deeper.
    #[must_use]
    pub fn all_items(&self) -> Vec<ItemSpan> {
        let items = self.items();
        let header = self.header_bytes();
        let Some(list) = self.layer().header.list(header) else { return items };
        let Some(elsewhere) = list.elsewhere else { return items };
        let mut all = Vec::with_capacity(items.len());
        for span in items {
            let places = elsewhere(self.bytes.get(span.range.clone()).unwrap_or_default());
            let depth = span.depth + 1;
            all.push(span);
            for place in places {
                let bytes = header.get(place.clone()).unwrap_or_default();
                let found = items::walk(list, bytes, self.layer().start + place.start);
                // What is left of the place is nothing that a sender meant.
                let told = found.into_iter().filter(|s| !std::ptr::eq(s.item, &raw const items::PADDING));
                all.extend(told.map(|s| ItemSpan { depth: s.depth + depth, ..s }));
            }
        }
        all
    }

    /// Whether options stand in the place of this header field.
    #[must_use]
    pub fn holds_items(&self, field: &Field) -> bool {
        let list = self.layer().header.list(self.header_bytes());
        let Some(elsewhere) = list.and_then(|list| list.elsewhere) else { return false };
        let places = self
            .items()
            .into_iter()
            .flat_map(|span| elsewhere(self.bytes.get(span.range).unwrap_or_default()));
        places.into_iter().any(|place| place == field.bits.bytes())
    }

    /// The options in a few letters each, for a list row: ` <mss 1460,sackOK>`; empty where there are none.
    #[must_use]
    pub fn terse_items(&self) -> String {
        let texts = self.items().into_iter().filter(|i| i.depth == 0).map(|i| i.terse_text(self.bytes));
        let texts: Vec<String> = texts.filter(|t| !t.is_empty()).collect();
        if texts.is_empty() { String::new() } else { format!(" <{}>", texts.join(",")) }
    }

    /// What the packet is that this layer quotes, for a list row; empty where it quotes none.
    #[must_use]
    pub fn quoted_text(&self) -> String {
        let mut text = String::new();
        for index in self.index + 1..self.layers.len() {
            let layer = LayerView { index, ..*self };
            let header = layer.layer().header;
            match header.ends {
                Some((src, dst)) => {
                    // A packet inside the quoted one stands behind it.
                    let before = if text.is_empty() { ", quotes" } else { "" };
                    text += &format!("{before} {} → {}", layer.text(src.key), layer.text(dst.key));
                }
                None => text += &format!(" {} {}", header.short, (header.info)(&layer)),
            }
        }
        text
    }

    /// The fields of one option.
    #[must_use]
    pub fn item_fields(&self, index: usize, item: &ItemSpan) -> Vec<Located> {
        item.fields(self.bytes)
            .into_iter()
            .map(|(nth, field_index, field, bits)| Located {
                path: Path { layer: self.index, item: Some(index), nth, field: field_index },
                field,
                bits,
            })
            .collect()
    }

    /// What the table's reader finds in header and payload, with places in the packet; `None` where no reader has to do.
    #[must_use]
    pub fn readings(&self) -> Option<Readings> {
        let layer = self.layer();
        let reader = layer.header.reader.filter(|_| layer.len >= layer.header.min_len())?;
        let fixed = layer.header.fixed_len(self.header_bytes());
        let bytes = self.bytes.get(layer.start..layer.payload_range().end)?;
        Some(reader.run(bytes, layer.start, (layer.len, fixed), self.destination()))
    }

    /// Where the network header below says that the packet goes.
    #[must_use]
    pub fn destination(&self) -> Option<u128> {
        let below = (0..self.index).rev().map(|index| LayerView { index, ..*self });
        let network = { below }.find(|view| view.layer().header.network)?;
        bits::get(network.header_bytes(), network.layer().header.ends?.1.bits)
    }

    /// Every field of the layer: of the header, then of each option.
    #[must_use]
    pub fn fields(&self) -> Vec<Located> {
        let mut all: Vec<Located> = self.header_fields().collect();
        for (index, item) in self.items().iter().enumerate() {
            all.extend(self.item_fields(index, item));
        }
        all
    }
}
