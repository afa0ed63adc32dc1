//! Every edit of a draft.

use std::ops::Range;

use super::draft::{Draft, Override};
pub(super) use super::options::is_ended;
pub use super::options::{is_raw, new_option};
use crate::wire::bits;
use crate::wire::table::{Field, Header, ItemList};
use crate::wire::value::{self, Refused};
use crate::wire::view::{Located, Path};

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
        let foreign = before.unwrap_or(0) & found.field.foreign();
        if !bits::set(&mut self.bytes, found.bits, stored | foreign) {
            let range = value::range_text(found.field, found.field.scale);
            return Err(Refused(format!("{stored} does not fit: {} must be {range}", found.field.label)));
        }
        if let Err(refused) = self.reshape(path.layer, fixed, had_list, &header_before) {
            // It was there before, so it fits.
            let _ = before.is_some_and(|value| bits::set(&mut self.bytes, found.bits, value));
            return Err(refused);
        }
        if path.item.is_none() {
            self.pin_computed(path.layer, found.field);
        }
        if let Some(item) = path.item {
            // A zero that was typed for a kind ends the list: it is no padding.
            let typed = self.options(path.layer).len() <= item;
            self.note_end(path.layer, typed || self.ended.contains(&path.layer));
        }
        self.recompute();
        Ok(())
    }

    /// Pins a computed field of a layer; a second name of one pins that.
    pub(super) fn pin_computed(&mut self, layer: usize, field: &Field) {
        let header = self.view(layer).header_bytes();
        let computed = |f: &Field| f.compute.is_some() && f.bits == field.bits && f.is_in(header);
        if let Some(index) = self.layers[layer].header.fields.iter().position(computed) {
            self.overrides.insert(Path::header(layer, index), Override::Pinned);
        }
    }

    /// Sets a field to what a person typed, in the unit `scale`.
    ///
    /// # Errors
    /// As [`value::parse`]: the message names the range. Nothing is changed then.
    pub fn set_text(&mut self, path: Path, scale: u32, text: &str) -> Result<(), Refused> {
        let found = self.locate(path).ok_or_else(|| Refused("the packet has no such field now".into()))?;
        self.hold(path);
        if found.field.kind.is_bytes() {
            let data = value::parse_bytes(found.field, text)?;
            return self.set_bytes(path, &data);
        }
        let stored = value::parse(found.field, scale, text)?;
        self.set(path, stored)
    }

    /// Sets a field that is bytes: one of a header, filled up with zero bytes, or the data of an option.
    pub(super) fn set_bytes(&mut self, path: Path, data: &[u8]) -> Result<(), Refused> {
        let found = self.locate(path).ok_or_else(|| Refused("the packet has no such field now".into()))?;
        let fills = |item: usize| {
            let spans = self.options(path.layer);
            spans.get(item).and_then(|s| s.list.filler).is_some_and(|f| std::ptr::eq(f, found.field))
        };
        if found.field.bits.width == 0 && path.item.is_some_and(|item| !fills(item)) {
            return self.set_item_data(path, data);
        }
        self.put_bytes(&found, data)?;
        self.recompute();
        Ok(())
    }

    /// Writes bytes into a field of a width of its own, filled up with zero bytes.
    pub(super) fn put_bytes(&mut self, found: &Located, data: &[u8]) -> Result<(), Refused> {
        let place = found.bits.bytes();
        if data.len() > place.len() {
            let (label, most) = (found.field.label, place.len());
            return Err(Refused(format!("{label} has at most {most} bytes, these are {}", data.len())));
        }
        let (data_part, zeros) = self.bytes[place].split_at_mut(data.len());
        data_part.copy_from_slice(data);
        zeros.fill(0);
        Ok(())
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
    pub(super) fn resize_header(
        &mut self,
        layer: usize,
        old: Range<usize>,
        new: &[u8],
    ) -> Result<(), Refused> {
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
        self.hold(path);
        self.recompute();
    }

    /// Makes a checksum wrong, and keeps it wrong through later edits.
    pub fn make_wrong(&mut self, path: Path) {
        self.overrides.insert(path, Override::Wrong);
        self.hold(path);
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
        self.shift_varying(&to);
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
        self.hold_payload();
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
