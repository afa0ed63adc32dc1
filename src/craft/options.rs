//! The options of a draft: every edit of them.

use super::draft::Draft;
use super::items::{self, Node};
use crate::wire::bits;
use crate::wire::items::{self as wire_items, ItemSpan};
use crate::wire::table::{Field, Item, ItemList};
use crate::wire::value::Refused;
use crate::wire::view::Path;

impl Draft {
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

    /// Changes the items of a layer as a tree.
    fn change_items(
        &mut self,
        layer: usize,
        change: impl FnOnce(&[ItemSpan], &mut Vec<Node>) -> Option<()>,
    ) -> Result<(), Refused> {
        let spans = self.options(layer);
        let mut nodes = items::tree(&spans, &self.bytes);
        if change(&spans, &mut nodes).is_none() {
            return Err(Refused("there is no such option now".into()));
        }
        let longest = self.list(layer).map_or(0, ItemList::longest);
        self.count_items(layer, &nodes);
        let all = items::joined(&nodes, true);
        let all = all.ok_or_else(|| Refused(format!("an option has at most {longest} bytes")))?;
        self.hold_options(layer);
        self.set_options(layer, &all)
    }

    /// Notes how many items of each counted table there are to be, in the fields that say it and that nobody pinned: the
    /// bytes of items without kind and length do not tell which they are.
    pub(super) fn count_items(&mut self, layer: usize, nodes: &[Node]) {
        let Some(list) = self.list(layer).filter(|list| list.is_bare()) else { return };
        for table in list.items {
            let Some(by) = table.count else { continue };
            let count = nodes.iter().filter(|n| std::ptr::eq(n.item, table)).count();
            let fields = self.layers[layer].header.fields;
            let header = self.view(layer).header_bytes();
            let computed = |f: &Field| f.bits == by.bits && f.compute.is_some() && f.is_in(header);
            let Some(index) = fields.iter().position(computed) else { continue };
            if self.override_of(Path::header(layer, index)).is_none() {
                let stored = count.saturating_sub(table.uncounted) as u128;
                self.put(layer, &fields[index], stored.min(bits::max_value(by.bits.width)));
            }
        }
    }

    /// Adds an option before the one at `at`, in the list that that one stands in; past the last: at the end of the outer
    /// list.
    ///
    /// # Errors
    /// The frame would become larger than any packet, an option around it longer than its length can say.
    pub fn insert_option(&mut self, layer: usize, at: usize, option: Vec<u8>) -> Result<(), Refused> {
        let Some(list) = self.list(layer) else { return Ok(()) };
        self.change_items(layer, |spans, nodes| {
            match items::place(spans, at).and_then(|place| items::siblings(nodes, &place)) {
                Some((siblings, at)) => {
                    let list = siblings.get(at).map_or(list, |s| s.list);
                    siblings.splice(at..at, items::read(list, &option));
                }
                None => nodes.extend(items::read(list, &option)),
            }
            Some(())
        })
    }

    /// Adds a new option of the table `which` to the list in the option at `parent`.
    ///
    /// # Errors
    /// As [`Draft::insert_option`]; the option has no such list.
    pub fn insert_inner(&mut self, layer: usize, parent: usize, which: usize) -> Result<(), Refused> {
        self.change_items(layer, |spans, nodes| {
            let inner = spans.get(parent)?.item.inner?;
            let item = inner.items.get(which)?;
            let (siblings, at) = items::siblings(nodes, &items::place(spans, parent)?)?;
            let bytes = new_option(inner, item, item.kind.unwrap_or(0));
            let mut node = items::read(inner, &bytes).into_iter().next().filter(|_| !inner.is_bare());
            let node = node.take().unwrap_or_else(|| Node::new(inner, item, bytes));
            items::insert_inner(siblings.get_mut(at)?, node);
            Some(())
        })
    }

    /// Replaces an option by these bytes.
    ///
    /// # Errors
    /// As [`Draft::insert_option`].
    pub fn set_option(&mut self, layer: usize, at: usize, option: &[u8]) -> Result<(), Refused> {
        self.change_items(layer, |spans, nodes| {
            let (siblings, at) = items::siblings(nodes, &items::place(spans, at)?)?;
            let list = siblings.get(at)?.list;
            siblings.splice(at..=at, items::read(list, option));
            Some(())
        })
    }

    /// Takes an option out, with those in it.
    ///
    /// # Errors
    /// None that input can reach; as [`Draft::set_options`].
    pub fn remove_option(&mut self, layer: usize, at: usize) -> Result<(), Refused> {
        self.change_items(layer, |spans, nodes| {
            if let Some((siblings, at)) = items::siblings(nodes, &items::place(spans, at).unwrap_or_default())
            {
                siblings.remove(at);
            }
            Some(())
        })
    }

    /// Moves an option to the place of another one in the same list.
    ///
    /// # Errors
    /// None that input can reach; as [`Draft::set_options`].
    pub fn move_option(&mut self, layer: usize, from: usize, to: usize) -> Result<(), Refused> {
        self.change_items(layer, |spans, nodes| {
            let (Some(from), Some(to)) = (items::place(spans, from), items::place(spans, to)) else {
                return Some(());
            };
            let same_list = from.len() == to.len() && from[..from.len() - 1] == to[..to.len() - 1];
            let to = to.last().copied().filter(|_| same_list);
            if let (Some((siblings, from)), Some(to)) = (items::siblings(nodes, &from), to) {
                let one = siblings.remove(from);
                siblings.insert(to.min(siblings.len()), one);
            }
            Some(())
        })
    }

    /// Replaces the data of an option of free length; its length follows. What has no structure (padding, what
    /// cannot be read as an option) becomes just these bytes.
    pub(super) fn set_item_data(&mut self, path: Path, data: &[u8]) -> Result<(), Refused> {
        let gone = || Refused("there is no such option now".into());
        let item = path.item.ok_or_else(gone)?;
        let spans = self.options(path.layer);
        let span = spans.get(item).ok_or_else(gone)?;
        let mut own = self.bytes[span.own()].to_vec();
        if is_raw(span) {
            own = data.to_vec();
        } else {
            let before = span.item.fields.get(path.field).map_or(span.list.head.bytes, |f| f.bits.start / 8);
            if own.len() < before.max(span.item.head_bits() / 8) {
                return Err(Refused("this option has no data".into()));
            }
            own.truncate(before);
            own.extend_from_slice(data);
            let most = span.list.longest() - before;
            own = span
                .list
                .sized(own)
                .ok_or_else(|| Refused(format!("an option has at most {most} bytes of data")))?;
        }
        self.change_items(path.layer, |spans, nodes| {
            let (siblings, at) = items::siblings(nodes, &items::place(spans, item)?)?;
            siblings.get_mut(at)?.own = own;
            Some(())
        })
    }
}

/// Whether one of these options ends their list.
pub(super) fn is_ended(list: &ItemList, options: &[Vec<u8>]) -> bool {
    let ends = |kind: u8| list.items.iter().any(|i| i.ends && i.kind == Some(u32::from(kind)));
    options.iter().any(|o| matches!(o.as_slice(), [kind] if ends(*kind)))
}

/// What an option is called in a menu, in whichever form: its name and its number.
#[must_use]
pub fn kind_name(item: &Item) -> String {
    match item.kind.filter(|_| !item.bare) {
        Some(kind) => format!("{} ({kind})", item.name),
        None => item.name.to_owned(),
    }
}

/// What an option of a list is called in a menu, and where several forms of it have the same name, the values that this one
/// has.
#[must_use]
pub fn form_name(list: &'static ItemList, item: &'static Item) -> String {
    let name = kind_name(item);
    form_values(list, item).map_or_else(|| name.clone(), |values| format!("{name}: {values}"))
}

/// The values by which a form of an option differs from others of the same name; `None` where there is no other.
#[must_use]
pub fn form_values(list: &'static ItemList, item: &'static Item) -> Option<String> {
    let told = |item: &'static Item| {
        let told = item.fields.iter().enumerate().filter(|(index, _)| item.is_told(*index));
        told.map(|(_, field)| field).chain(item.repeat).collect::<Vec<_>>()
    };
    let labels = |fields: &[&Field]| fields.iter().map(|f| f.label).collect::<Vec<_>>();
    let forms: Vec<Vec<&Field>> =
        list.items.iter().filter(|i| i.name == item.name && !std::ptr::eq(*i, item)).map(told).collect();
    if forms.is_empty() {
        return None;
    }
    let own = told(item);
    let alike: Vec<_> = forms.into_iter().filter(|form| labels(form) == labels(&own)).collect();
    let values = own.iter().enumerate().map(|(nth, field)| {
        let differs = alike.iter().any(|form| form[nth].bits.width != field.bits.width);
        if differs {
            format!("{} of {} bytes", field.label, field.bits.width / 8)
        } else {
            field.label.to_owned()
        }
    });
    let values = values.collect::<Vec<_>>().join(", ");
    Some(if values.is_empty() { "no value".into() } else { values })
}

/// The bytes of a new option with the defaults of its table; an option of free length gets no data, a list of
/// repetitions one.
#[must_use]
pub fn new_option(list: &ItemList, item: &Item, kind: u32) -> Vec<u8> {
    let head = if item.bare { 1 } else { list.head.bytes };
    let free = item.fixed_bytes().max(head) + item.repeat_bytes();
    let mut bytes = vec![0; if item.length > 0 { item.length } else { free }];
    if !item.bare {
        let _ = bits::set(&mut bytes, list.head.kind, u128::from(kind));
    }
    if item.single {
        return bytes;
    }
    for field in item.value_fields().filter(|f| f.bits.width > 0 && !f.group && !f.kind.is_bytes()) {
        let fitted = bits::set(&mut bytes, field.bits, field.default);
        debug_assert!(fitted, "{}: the default does not fit", field.key);
    }
    list.sized(bytes).unwrap_or_default()
}

/// Whether a span is bytes that no option table describes.
#[must_use]
pub fn is_raw(span: &ItemSpan) -> bool {
    std::ptr::eq(span.item, &raw const wire_items::PADDING)
        || std::ptr::eq(span.item, &raw const wire_items::MALFORMED)
}
