//! A packet as a row of a list.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::dissect::{Dissection, dissect};
use super::table::Kind;
use super::value;
use super::view::{Layer, LayerView};

/// The columns of a list row that come from the packet's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Source address.
    pub source: String,
    /// Destination address.
    pub destination: String,
    /// Short name of the innermost layer.
    pub protocol: &'static str,
    /// What it says.
    pub info: String,
}

/// The row of a packet of this link type.
#[must_use]
pub fn row(link_type: u32, bytes: &[u8]) -> Row {
    row_of(bytes, &dissect(link_type, bytes))
}

/// The row of a dissected packet. Quoted layers speak through the message that quotes them.
#[must_use]
pub fn row_of(bytes: &[u8], found: &Dissection) -> Row {
    let mut row = Row { protocol: protocol(found), info: info(bytes, found), ..Row::default() };
    if let Some((view, [src, dst])) = end_fields(bytes, found) {
        row.source = address(&view, src);
        row.destination = address(&view, dst);
    }
    row
}

/// The innermost layer that is not quoted.
fn innermost(found: &Dissection) -> Option<(usize, &Layer)> {
    found.layers.iter().enumerate().rev().find(|(_, layer)| !layer.quoted)
}

/// The short name of the innermost layer.
#[must_use]
pub fn protocol(found: &Dissection) -> &'static str {
    innermost(found).map_or("data", |(_, layer)| layer.header.short)
}

/// What the innermost layer says, and where and why the layers end early.
#[must_use]
pub fn info(bytes: &[u8], found: &Dissection) -> String {
    let Some((index, layer)) = innermost(found) else {
        return format!("{} bytes of a link type without a table", bytes.len());
    };
    let info = (layer.header.info)(&found.view(bytes, index));
    match &found.stop {
        Some(stop) => format!("{info} [{}]", stop.why),
        None => info,
    }
}

/// What a row names as source and destination, as numbers: their kind, and the value.
#[must_use]
pub fn ends(bytes: &[u8], found: &Dissection) -> [Option<(Kind, u128)>; 2] {
    let Some((view, keys)) = end_fields(bytes, found) else { return [None; 2] };
    keys.map(|key| {
        let field = view.field(key)?;
        Some((field.field.kind, field.stored(bytes)?))
    })
}

/// The layer whose ends a row names, and their keys: the innermost one that has ends.
fn end_fields<'a>(bytes: &'a [u8], found: &'a Dissection) -> Option<(LayerView<'a>, [&'static str; 2])> {
    let mut own = found.layers.iter().enumerate().rev().filter(|(_, l)| !l.quoted);
    let (index, (src, dst)) = own.find_map(|(index, l)| Some((index, l.header.ends?)))?;
    Some((found.view(bytes, index), [src.key, dst.key]))
}

fn address(view: &LayerView<'_>, key: &str) -> String {
    let Some(field) = view.field(key) else { return String::new() };
    let Some(stored) = field.stored(view.bytes) else { return String::new() };
    match field.field.kind {
        Kind::Ipv4 => Ipv4Addr::from(stored as u32).to_string(),
        Kind::Ipv6 => Ipv6Addr::from(stored).to_string(),
        _ => value::stored_text(field.field, stored),
    }
}
