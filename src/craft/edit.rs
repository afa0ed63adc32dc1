//! Every edit of a draft.

use std::ops::Range;

use super::draft::{Draft, Override};
use crate::wire::bits;
use crate::wire::items::{self, ItemSpan};
use crate::wire::table::{Header, Item, ItemList, Kind};
use crate::wire::value::{self, Refused};
use crate::wire::view::Path;

/// Most bytes that a draft's frame may have: an IP packet of the largest size with its link header and a trailer.
pub const MAX_FRAME: usize = 0x2_0000;

impl Draft {
    /// An empty packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field to a stored value; a computed field is pinned by that.
    ///
    /// # Errors
    /// The packet has no such field, or the value does not fit its bits. Nothing is changed then.
    pub fn set(&mut self, path: Path, stored: u128) -> Result<(), Refused> {
        let found = self.locate(path).ok_or_else(|| Refused("the packet has no such field now".into()))?;
        let (fixed, had_list) = (self.fixed_len(path.layer), self.list(path.layer).is_some());
        let before = bits::get(&self.bytes, found.bits);
        let header_before = self.view(path.layer).header_bytes().to_vec();
        if !bits::set(&mut self.bytes, found.bits, stored) {
            let range = value::range_text(found.field, found.field.scale);
            return Err(Refused(format!("{stored} does not fit: {} must be {range}", found.field.label)));
        }
        if let Err(refused) = self.reshape(path.layer, fixed, had_list, &header_before) {
            // It was there before, so it fits.
            let _ = before.is_some_and(|value| bits::set(&mut self.bytes, found.bits, value));
            return Err(refused);
        }
        if found.field.compute.is_some() && path.item.is_none() {
            self.overrides.insert(path, Override::Pinned);
        }
        if let Some(item) = path.item {
            // A zero that was typed for a kind ends the list: it is no padding.
            let typed = self.options(path.layer).len() <= item;
            self.note_end(path.layer, typed || self.ended.contains(&path.layer));
        }
        self.recompute();
        Ok(())
    }

    /// Sets a field to what a person typed, in the unit `scale`.
    ///
    /// # Errors
    /// As [`value::parse`]: the message names the range. Nothing is changed then.
    pub fn set_text(&mut self, path: Path, scale: u32, text: &str) -> Result<(), Refused> {
        let found = self.locate(path).ok_or_else(|| Refused("the packet has no such field now".into()))?;
        if found.field.kind == Kind::Bytes {
            let data = value::parse_hex(text)?;
            return self.set_item_data(path, &data);
        }
        let stored = value::parse(found.field, scale, text)?;
        self.set(path, stored)
    }

    /// Replaces the data of an option of free length; its length byte follows. What has no structure (padding, what
    /// cannot be read as an option) becomes just these bytes.
    fn set_item_data(&mut self, path: Path, data: &[u8]) -> Result<(), Refused> {
        let gone = || Refused("there is no such option now".into());
        let item = path.item.ok_or_else(gone)?;
        let list = self.list(path.layer).ok_or_else(gone)?;
        let span = self.options(path.layer).into_iter().nth(item).ok_or_else(gone)?;
        let mut all = self.option_bytes(path.layer);
        let one = all.get_mut(item).ok_or_else(gone)?;
        if is_raw(&span) {
            *one = data.to_vec();
            return self.set_options(path.layer, &all);
        }
        let before = span.item.fields.get(path.field).map_or(2, |f| f.bits.start / 8);
        if one.len() < before.max(span.item.head_bits() / 8) {
            return Err(Refused("this option has no data".into()));
        }
        one.truncate(before);
        one.extend_from_slice(data);
        let most = list.longest() - before;
        *one = list
            .sized(std::mem::take(one))
            .ok_or_else(|| Refused(format!("an option has at most {most} bytes of data")))?;
        self.set_options(path.layer, &all)
    }

    /// The list of options of a layer, where it has one as it is now.
    pub(super) fn list(&self, layer: usize) -> Option<&'static ItemList> {
        self.layers.get(layer)?.header.list(self.view(layer).header_bytes())
    }

    /// Bytes of a layer before its options.
    fn fixed_len(&self, layer: usize) -> usize {
        self.layers.get(layer).map_or(0, |l| l.header.fixed_len(self.view(layer).header_bytes()).min(l.len))
    }

    /// Gives a layer the fixed part and the options that its fields now ask for. `fixed`: bytes of the fixed part that
    /// it has; `had_list`: options stand behind it; `before`: the header as it was. What it loses by that is kept for the next time.
    fn reshape(&mut self, layer: usize, fixed: usize, had_list: bool, before: &[u8]) -> Result<(), Refused> {
        let Some(found) = self.layers.get(layer) else { return Ok(()) };
        let (header, old) = (found.header, found.header_range());
        let bytes = self.bytes[old.clone()].to_vec();
        let (had, options) = bytes.split_at(fixed);
        let has_list = header.list(had).is_some();
        if header.fixed_len(had) == fixed && has_list == had_list {
            return Ok(());
        }
        let mut spare = self.spare.remove(&layer).unwrap_or_default();
        spare.fixed.splice(..fixed.min(spare.fixed.len()), had.iter().copied());
        if had_list {
            spare.options = options.to_vec();
        }
        let wanted = header.fixed_len(had);
        let known = spare.fixed.len().min(wanted);
        let mut new = header.completed(spare.fixed[..known].to_vec());
        carry_over(header, before, &mut new);
        if let Some(list) = header.list(had) {
            new.extend(&spare.options);
            new.resize(new.len() + list.padding(spare.options.len()), 0);
        }
        self.resize_header(layer, old, &new)?;
        self.spare.insert(layer, spare);
        Ok(())
    }

    /// Puts new bytes in the place of those of a header that are given by their range.
    fn resize_header(&mut self, layer: usize, old: Range<usize>, new: &[u8]) -> Result<(), Refused> {
        self.splice(old.clone(), new)?;
        let shift = |at: usize| at + new.len() - old.len();
        self.layers[layer].len = shift(self.layers[layer].len);
        for later in &mut self.layers[layer + 1..] {
            later.start = shift(later.start);
        }
        self.payload = shift(self.payload.start)..shift(self.payload.end);
        Ok(())
    }

    /// Keeps a computed field at the value that it has now.
    pub fn pin(&mut self, path: Path) {
        if self.locate(path).is_some_and(|f| f.field.compute.is_some()) {
            self.overrides.insert(path, Override::Pinned);
        }
    }

    /// Lets a field be computed again.
    pub fn release(&mut self, path: Path) {
        self.overrides.remove(&path);
        self.recompute();
    }

    /// Makes a checksum wrong, and keeps it wrong through later edits.
    pub fn make_wrong(&mut self, path: Path) {
        self.overrides.insert(path, Override::Wrong);
        self.recompute();
    }

    /// Puts a new header before layer `index` (at the end: `layers().len()`).
    ///
    /// # Errors
    /// The frame would become larger than any packet.
    pub fn insert_layer(&mut self, index: usize, header: &'static Header) -> Result<(), Refused> {
        let index = index.min(self.layers.len());
        let start = self.layers.get(index).map_or(self.payload.start, |l| l.start);
        let (layer, bytes) = Self::blank_layer(header, start);
        self.splice(start..start, &bytes)?;
        self.layers.insert(index, layer);
        for later in &mut self.layers[index + 1..] {
            later.start += bytes.len();
        }
        self.payload = self.payload.start + bytes.len()..self.payload.end + bytes.len();
        self.tails = std::mem::take(&mut self.tails)
            .into_iter()
            .map(|(layer, len)| (if layer >= index { layer + 1 } else { layer }, len))
            .collect();
        self.shift_overrides(|layer| Some(if layer >= index { layer + 1 } else { layer }));
        self.recompute();
        Ok(())
    }

    /// Takes layer `index` out.
    pub fn remove_layer(&mut self, index: usize) {
        if index >= self.layers.len() {
            return;
        }
        let gone = self.layers.remove(index);
        self.bytes.drain(gone.header_range());
        for later in &mut self.layers[index..] {
            later.start -= gone.len;
        }
        self.payload = self.payload.start - gone.len..self.payload.end - gone.len;
        self.take_tail_out(index);
        self.shift_overrides(|layer| match layer.cmp(&index) {
            std::cmp::Ordering::Less => Some(layer),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(layer - 1),
        });
        self.recompute();
    }

    /// Has the trailers follow the layers when `index` is taken out: what stood behind it stands behind the next layer,
    /// or belongs to the payload where there is none.
    fn take_tail_out(&mut self, index: usize) {
        let mut tails = std::collections::BTreeMap::new();
        for (layer, len) in std::mem::take(&mut self.tails) {
            let layer = if layer > index { layer - 1 } else { layer };
            if layer >= self.layers.len() {
                self.payload.end += len;
            } else if layer > 0 {
                *tails.entry(layer).or_insert(0) += len;
            }
        }
        self.tails = tails;
    }

    /// Has what is kept by the number of a layer follow the layers.
    fn shift_overrides(&mut self, to: impl Fn(usize) -> Option<usize>) {
        let moved = std::mem::take(&mut self.overrides);
        self.overrides = moved
            .into_iter()
            .filter_map(|(p, o)| to(p.layer).map(|layer| (Path { layer, ..p }, o)))
            .collect();
        self.ended = std::mem::take(&mut self.ended).into_iter().filter_map(&to).collect();
        let spare = std::mem::take(&mut self.spare).into_iter();
        self.spare = spare.filter_map(|(layer, s)| Some((to(layer)?, s))).collect();
    }

    /// Replaces the payload.
    ///
    /// # Errors
    /// The frame would become larger than any packet.
    pub fn set_payload(&mut self, data: &[u8]) -> Result<(), Refused> {
        let range = self.payload.clone();
        self.splice(range.clone(), data)?;
        self.payload = range.start..range.start + data.len();
        self.recompute();
        Ok(())
    }

    /// Replaces the bytes past the length that the layers say, by bytes outside of all layers.
    ///
    /// # Errors
    /// The frame would become larger than any packet.
    pub fn set_trailer(&mut self, data: &[u8]) -> Result<(), Refused> {
        let range = self.payload.end..self.bytes.len();
        self.splice(range, data)?;
        self.tails.clear();
        self.recompute();
        Ok(())
    }

    fn splice(&mut self, range: Range<usize>, data: &[u8]) -> Result<(), Refused> {
        let size = self.bytes.len() - range.len() + data.len();
        if size > MAX_FRAME {
            return Err(Refused(format!("the frame would have {size} bytes, more than {MAX_FRAME}")));
        }
        self.bytes.splice(range, data.iter().copied());
        Ok(())
    }

    /// The options of a layer, without the padding that the draft adds by itself.
    #[must_use]
    pub fn options(&self, layer: usize) -> Vec<ItemSpan> {
        let Some(found) = self.layers.get(layer) else { return Vec::new() };
        let mut spans = self.view(layer).items();
        let end = found.start + found.len;
        let zero = |s: &ItemSpan| self.bytes[s.range.clone()].iter().all(|b| *b == 0);
        let tail = spans.len() - spans.iter().rev().take_while(|s| zero(s)).count();
        let Some(list) = self.list(layer) else { return spans };
        let start = self.view(layer).items_range().start;
        let is_added = |spans: &[ItemSpan], from: usize| {
            spans.get(from).is_some_and(|s| end - s.range.start == list.padding(s.range.start - start))
        };
        if is_added(&spans, tail) && !self.ended.contains(&layer) {
            spans.truncate(tail);
        } else if is_added(&spans, tail + 1) {
            // The first zero ends the list, the others fill it up.
            spans.truncate(tail + 1);
        }
        spans
    }

    fn option_bytes(&self, layer: usize) -> Vec<Vec<u8>> {
        self.options(layer).iter().map(|s| self.bytes[s.range.clone()].to_vec()).collect()
    }

    /// Replaces the options of a layer by these, padded with zero bytes to what its list is aligned to (32 bits). A
    /// layer without a list keeps as it is.
    ///
    /// # Errors
    /// The frame would become larger than any packet.
    pub fn set_options(&mut self, layer: usize, options: &[Vec<u8>]) -> Result<(), Refused> {
        let Some(list) = self.list(layer) else { return Ok(()) };
        let mut data = options.concat();
        data.resize(data.len() + list.padding(data.len()), 0);
        self.resize_header(layer, self.view(layer).items_range(), &data)?;
        self.note_end(layer, is_ended(list, options));
        self.recompute();
        Ok(())
    }

    /// Remembers whether the user ended the list of options of a layer, where its bytes alone do not say it: where the
    /// end could as well be padding.
    pub(super) fn note_end(&mut self, layer: usize, ended: bool) {
        self.ended.remove(&layer);
        let shown = self.options(layer);
        let hidden = self.view(layer).items().len() > shown.len();
        if ended && hidden && !shown.iter().any(|s| s.item.ends) {
            self.ended.insert(layer);
        }
    }

    /// Adds an option before position `at`.
    ///
    /// # Errors
    /// The frame would become larger than any packet.
    pub fn insert_option(&mut self, layer: usize, at: usize, option: Vec<u8>) -> Result<(), Refused> {
        let mut all = self.option_bytes(layer);
        all.insert(at.min(all.len()), option);
        self.set_options(layer, &all)
    }

    /// Takes an option out.
    ///
    /// # Errors
    /// None that input can reach; as [`Draft::set_options`].
    pub fn remove_option(&mut self, layer: usize, at: usize) -> Result<(), Refused> {
        let mut all = self.option_bytes(layer);
        if at < all.len() {
            all.remove(at);
        }
        self.set_options(layer, &all)
    }

    /// Moves an option to another place in the list.
    ///
    /// # Errors
    /// None that input can reach; as [`Draft::set_options`].
    pub fn move_option(&mut self, layer: usize, from: usize, to: usize) -> Result<(), Refused> {
        let mut all = self.option_bytes(layer);
        if from < all.len() && to < all.len() {
            let one = all.remove(from);
            all.insert(to, one);
        }
        self.set_options(layer, &all)
    }
}

/// Has the fields that stand elsewhere in the new form of a header (a word before them came or went) take their values
/// along. What newly stands in the place that one of them left has its default.
fn carry_over(header: &Header, before: &[u8], new: &mut [u8]) {
    let stood = |key: &str| header.leaves().find(|f| f.key == key && f.is_in(before));
    let form = new.to_vec();
    let fields: Vec<_> = header.leaves().filter(|f| f.is_in(&form)).collect();
    let mut left = Vec::new();
    for field in &fields {
        let Some(old) = stood(field.key).filter(|old| old.bits != field.bits) else { continue };
        if let Some(value) = bits::get(before, old.bits) {
            let _ = bits::set(new, field.bits, value);
            left.push(old.bits);
        }
    }
    for field in fields.iter().filter(|f| stood(f.key).is_none()) {
        if left.iter().any(|l| l.start < field.bits.end() && field.bits.start < l.end()) {
            let _ = bits::set(new, field.bits, field.default);
        }
    }
}

/// Whether one of these options ends their list.
pub(super) fn is_ended(list: &ItemList, options: &[Vec<u8>]) -> bool {
    let ends = |kind: u8| list.items.iter().any(|i| i.ends && i.kind == Some(kind));
    options.iter().any(|o| matches!(o.as_slice(), [kind] if ends(*kind)))
}

/// The bytes of a new option with the defaults of its table; an option of free length gets no data, a list of
/// repetitions one.
#[must_use]
pub fn new_option(list: &ItemList, item: &Item, kind: u8) -> Vec<u8> {
    if item.single {
        return vec![kind];
    }
    let len = if item.length > 0 { item.length } else { item.fixed_bytes().max(2) + item.repeat_bytes() };
    let mut bytes = vec![0; len];
    if !item.bare {
        bytes[0] = kind;
    }
    for field in item.value_fields().filter(|f| f.bits.width > 0 && !f.group) {
        let fitted = bits::set(&mut bytes, field.bits, field.default);
        debug_assert!(fitted, "{}: the default does not fit", field.key);
    }
    list.sized(bytes).unwrap_or_default()
}

/// Whether a span is bytes that no option table describes.
#[must_use]
pub fn is_raw(span: &ItemSpan) -> bool {
    std::ptr::eq(span.item, &raw const items::PADDING) || std::ptr::eq(span.item, &raw const items::MALFORMED)
}
