//! What `rawbench send --compare` says of a packet: what was asked for beside what was seen of it.

use std::io::Write;
use std::net::IpAddr;

use serde::Serialize;

use crate::engine::Compared;
use crate::wire::compare::{Change, Row, Section};

/// A line of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    event: &'static str,
    index: usize,
    /// `wire`: as it was seen to leave; `quote`: as an ICMP error quotes it.
    seen: &'static str,
    /// Who quotes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    /// What differs.
    fields: Vec<FieldLine<'a>>,
    /// Layers that only one of both has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerLine>,
    /// Values of the packet that stand past the end of what was seen.
    #[serde(skip_serializing_if = "is_zero")]
    not_seen: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
struct FieldLine<'a> {
    layer: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct LayerLine {
    layer: &'static str,
    /// `asked` or `seen`.
    only: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl<'a> Line<'a> {
    /// Of the packet of this number, from 1 on.
    pub(super) fn of(index: usize, compared: &'a Compared) -> Self {
        let found = &compared.comparison;
        let layer =
            |s: &Section| LayerLine { layer: s.header.map_or("", |h| h.key), only: only(s), why: s.why };
        Self {
            event: "changed",
            index,
            seen: if compared.quoted_by.is_some() { "quote" } else { "wire" },
            from: compared.quoted_by,
            fields: found.changed().map(|(section, row)| field(section, row)).collect(),
            layers: found.lone().map(layer).collect(),
            not_seen: found.not_there(),
        }
    }
}

fn field<'a>(section: &Section, row: &'a Row) -> FieldLine<'a> {
    FieldLine {
        layer: section.header.map_or("", |h| h.key),
        key: &row.key,
        label: &row.label,
        asked: row.asked.as_deref(),
        seen: row.seen.as_deref(),
        why: row.why.as_deref(),
    }
}

fn only(section: &Section) -> &'static str {
    if section.change == Change::Added { "seen" } else { "asked" }
}

/// Writes it for a person.
pub(super) fn write(index: usize, compared: &Compared, out: &mut impl Write) -> std::io::Result<()> {
    let found = &compared.comparison;
    let how = compared.quoted_by.map_or_else(|| "left".to_owned(), |from| format!("{from} quotes it"));
    writeln!(out, "{index:>6} {how} {}", found.summary())?;
    found.lines(true).iter().try_for_each(|line| writeln!(out, "         {line}"))
}
