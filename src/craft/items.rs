//! The items of a list as a tree: what an edit of one of them does to those that it stands in.

use crate::wire::bits;
use crate::wire::items::{self, ItemSpan};
use crate::wire::table::{Item, ItemList};

/// An item and those in it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its table.
    pub item: &'static Item,
    /// The list that it stands in.
    pub list: &'static ItemList,
    /// Its bytes before those of the items in it.
    pub own: Vec<u8>,
    /// What fills it up.
    pub pad: Vec<u8>,
    /// The items in it.
    pub children: Vec<Node>,
    /// An item in it was changed: its length and its counts follow.
    pub touched: bool,
}

impl Node {
    /// An item of these bytes, without items in it.
    pub fn new(list: &'static ItemList, item: &'static Item, own: Vec<u8>) -> Self {
        Self { item, list, own, pad: Vec::new(), children: Vec::new(), touched: false }
    }

    /// Nothing fills it up: bytes that no table describes, or a kind alone.
    fn is_plain(&self) -> bool {
        self.item.single
    }

    /// Its bytes without what fills it up; `None` when they are more than its length can say.
    fn value(&self) -> Option<Vec<u8>> {
        let mut bytes = self.own.clone();
        if !self.touched {
            for child in &self.children {
                bytes.extend(child.value()?);
                bytes.extend(&child.pad);
            }
            return Some(bytes);
        }
        if let Some(inner) = self.item.inner {
            for table in inner.items {
                let Some(by) = table.count else { continue };
                let of = self.children.iter().filter(|c| std::ptr::eq(c.item, table));
                let count = if table.length == 0 {
                    of.map(|c| c.own.len().div_ceil(inner.unit)).sum()
                } else {
                    of.count()
                };
                if !bits::set(&mut bytes, by.bits, count as u128) {
                    return None;
                }
            }
        }
        let parts = joined(&self.children, false)?;
        bytes.extend(parts.concat());
        self.list.sized(bytes)
    }
}

/// The bytes of these items, each with what fills it up. In an item the last one goes without: it is the outer one
/// that is filled up. `None` when one is longer than its length can say.
pub(super) fn joined(nodes: &[Node], fill_last: bool) -> Option<Vec<Vec<u8>>> {
    let one = |(nth, node): (usize, &Node)| {
        let mut bytes = node.value()?;
        let wanted = bytes.len().next_multiple_of(node.list.step) - bytes.len();
        if node.is_plain() {
            bytes.extend(&node.pad);
            return Some(bytes);
        }
        if nth + 1 == nodes.len() && !fill_last {
            return Some(bytes);
        }
        if node.pad.len() == wanted {
            bytes.extend(&node.pad);
        } else {
            bytes.resize(bytes.len() + wanted, 0);
        }
        Some(bytes)
    };
    nodes.iter().enumerate().map(one).collect()
}

/// The tree of items that are given one after the other, an item before those in it.
pub(super) fn tree(spans: &[ItemSpan], bytes: &[u8]) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = 0;
    while let Some(span) = spans.get(at) {
        let inside = spans[at + 1..].iter().take_while(|s| s.depth > span.depth).count();
        let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default().to_vec();
        nodes.push(Node {
            item: span.item,
            list: span.list,
            own: part(span.own()),
            pad: part(span.end..span.range.end),
            children: tree(&spans[at + 1..=at + inside], bytes),
            touched: false,
        });
        at += 1 + inside;
    }
    nodes
}

/// The tree of the bytes of one or more items.
pub(super) fn read(list: &'static ItemList, bytes: &[u8]) -> Vec<Node> {
    tree(&items::walk(list, bytes, 0), bytes)
}

/// Where an item stands in the tree: its place among its siblings, from the outermost level on.
pub(super) fn place(spans: &[ItemSpan], index: usize) -> Option<Vec<usize>> {
    let mut place: Vec<usize> = Vec::new();
    for span in spans.get(..=index)? {
        let known = place.len() > span.depth;
        place.truncate(span.depth + 1);
        match place.last_mut().filter(|_| known) {
            Some(nth) => *nth += 1,
            None => place.push(0),
        }
    }
    Some(place)
}

/// The siblings of the item at `place`, it among them, and its place there. What it stands in counts as changed.
pub(super) fn siblings<'a>(nodes: &'a mut Vec<Node>, place: &[usize]) -> Option<(&'a mut Vec<Node>, usize)> {
    let (last, outer) = place.split_last()?;
    let mut level = nodes;
    for nth in outer {
        let node = level.get_mut(*nth)?;
        node.touched = true;
        level = &mut node.children;
    }
    (*last < level.len()).then_some((level, *last))
}

/// Puts an item among those in `parent`: behind the last one of its table or of a table before it.
pub(super) fn insert_inner(parent: &mut Node, node: Node) {
    parent.touched = true;
    let Some(inner) = parent.item.inner else { return };
    let order = |item: &Item| inner.items.iter().position(|i| std::ptr::eq(i, item));
    let at = match order(node.item).filter(|_| inner.is_bare()) {
        Some(own) => parent.children.iter().take_while(|c| order(c.item).is_some_and(|o| o <= own)).count(),
        None => parent.children.len(),
    };
    parent.children.insert(at, node);
}
