//! Packets as JSON, a line each.

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use crate::craft::{Draft, Override};
use crate::wire::bits;
use crate::wire::checksum;
use crate::wire::flow::{self, FlowKind, Told};
use crate::wire::items::ItemSpan;
use crate::wire::readers::Reading;
use crate::wire::table::{Compute, Field, Kind};
use crate::wire::value;
use crate::wire::view::{Layer, LayerView, Located, Path};

/// Where something stands, in bits from the first bit of the packet.
#[derive(Debug, Serialize)]
struct Bits {
    start: usize,
    width: usize,
}

#[derive(Debug, Serialize)]
struct FieldLine {
    key: String,
    label: &'static str,
    /// In the field's unit; text where it is an address, bytes, or more than 64 bits.
    value: Value,
    /// As `read -e` prints it.
    text: String,
    /// What the value means, where the table says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'static, str>>,
    bits: Bits,
    /// `computed`, `pinned`, `wrong` (on purpose), or `set`; absent for a captured packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Only for checksums: what the field is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
}

#[derive(Debug, Serialize)]
struct OptionLine {
    key: &'static str,
    name: &'static str,
    bytes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    fields: Vec<FieldLine>,
    /// Those that stand in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<OptionLine>,
}

/// A layer with its fields.
#[derive(Debug, Serialize)]
pub struct LayerLine {
    key: &'static str,
    name: &'static str,
    /// Offset of the header in the packet, in bytes.
    offset: usize,
    /// Length of the header, in bytes.
    length: usize,
    /// It is part of a packet that an ICMP error quotes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    quoted: bool,
    fields: Vec<FieldLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<OptionLine>,
    /// What is read behind the header: no fields that can be edited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<FieldLine>,
    /// What stands in no byte of it and is known from the packets before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    generated: Vec<GeneratedLine>,
    /// Where and why reading it stopped early.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemLine>,
}

#[derive(Debug, Serialize)]
struct GeneratedLine {
    key: &'static str,
    label: &'static str,
    value: Value,
    /// As `read -e` prints it.
    text: String,
}

#[derive(Debug, Serialize)]
struct ProblemLine {
    at: usize,
    why: String,
}

#[derive(Debug, Serialize)]
struct WarningLine {
    layer: usize,
    text: String,
}

#[derive(Debug, Serialize)]
struct DraftLine {
    layers: Vec<LayerLine>,
    payload: String,
    trailer: String,
    warnings: Vec<WarningLine>,
    /// What a receiver would read, where that differs from the layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<String>,
    length: usize,
    bytes: String,
}

/// Where the fields of a layer come from.
enum Origin<'a> {
    Draft(&'a Draft),
    Capture { left_to_card: bool },
}

/// Writes a draft as one line.
///
/// # Errors
/// Those of `out`.
pub fn draft(draft: &Draft, out: &mut impl Write) -> std::io::Result<()> {
    let layers = (0..draft.layers().len()).map(|i| layer(&draft.view(i), &Origin::Draft(draft))).collect();
    let warnings = draft.warnings().into_iter().map(|w| WarningLine { layer: w.layer, text: w.text });
    let line = DraftLine {
        layers,
        payload: value::hex_pairs(draft.payload()),
        trailer: value::hex_pairs(draft.trailer()),
        warnings: warnings.collect(),
        received: draft.reading_differs(),
        length: draft.bytes().len(),
        bytes: value::hex_pairs(draft.bytes()),
    };
    write_line(&line, out)
}

/// The layers of a captured packet.
#[must_use]
pub fn captured_layers(bytes: &[u8], layers: &[Layer], left_to_card: bool, flows: &[Told]) -> Vec<LayerLine> {
    let origin = Origin::Capture { left_to_card };
    let one = |index| {
        let told = flows.iter().filter(|told| usize::from(told.layer) == index);
        let generated = told.flat_map(generated).collect();
        LayerLine { generated, ..layer(&LayerView { bytes, layers, index }, &origin) }
    };
    (0..layers.len()).map(one).collect()
}

/// What is known of a layer from the packets before.
fn generated(told: &Told) -> impl Iterator<Item = GeneratedLine> + '_ {
    flow::KEYS.iter().filter_map(|key| {
        let text = key.text(told)?;
        let value = if key.kind == FlowKind::Time { None } else { (key.value)(told) };
        let value =
            value.and_then(|v| i64::try_from(v).ok()).map_or_else(|| Value::from(text.clone()), Value::from);
        Some(GeneratedLine { key: key.key, label: key.label, value, text })
    })
}

/// Writes anything as one line of JSON.
///
/// # Errors
/// Those of `out`.
pub fn write_line(line: &impl Serialize, out: &mut impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}

fn layer(view: &LayerView<'_>, origin: &Origin<'_>) -> LayerLine {
    let found = view.layer();
    let one = |located: Located| field_line(view, &located, origin);
    // In a draft an option is named by its place in the list.
    let items = if matches!(origin, Origin::Draft(_)) { view.items() } else { view.all_items() };
    let readings = view.readings().unwrap_or_default();
    LayerLine {
        key: found.header.key,
        name: found.header.name,
        offset: found.start,
        length: found.len,
        quoted: found.quoted,
        fields: view.header_fields().map(one).collect(),
        options: options(view, &items, 0, origin),
        values: readings.list.iter().map(|r| reading_line(view, r)).collect(),
        generated: Vec::new(),
        problem: readings.stop.map(|s| ProblemLine { at: s.at, why: s.why }),
    }
}

/// The options from `at` on that stand in one list, each with those in it.
fn options(view: &LayerView<'_>, items: &[ItemSpan], at: usize, origin: &Origin<'_>) -> Vec<OptionLine> {
    let mut lines = Vec::new();
    let mut at = at;
    while let Some(span) = items.get(at) {
        let inside = items[at + 1..].iter().take_while(|s| s.depth > span.depth).count();
        let fields = view.item_fields(at, span);
        lines.push(OptionLine {
            key: span.item.key,
            name: span.item.name,
            bytes: value::hex_pairs(view.bytes.get(span.range.clone()).unwrap_or_default()),
            problem: span.problem.clone(),
            fields: fields.iter().map(|f| field_line(view, f, origin)).collect(),
            options: options(view, &items[..=at + inside], at + 1, origin),
        });
        at += 1 + inside;
    }
    lines
}

fn field_line(view: &LayerView<'_>, located: &Located, origin: &Origin<'_>) -> FieldLine {
    let field = located.field;
    let stored = located.stored(view.bytes);
    let is_checksum = located.path.item.is_none() && matches!(field.compute, Some(Compute::Checksum { .. }));
    let left_to_card = matches!(origin, Origin::Capture { left_to_card: true });
    let verdict = is_checksum
        .then(|| checksum::verdict(view.bytes, view.layers, view.index, left_to_card).map(|v| v.text()))
        .flatten();
    FieldLine {
        key: format!("{}.{}", prefix(view, located.path), field.key),
        label: field.label,
        value: plain_value(field, stored, || located.text(view.bytes)),
        text: located.text(view.bytes),
        name: stored.and_then(|v| value::meaning_of(field, v)),
        bits: Bits { start: located.bits.start, width: located.bits.width },
        state: state(field, located.path, origin),
        verdict,
    }
}

/// What the key of a field begins with.
fn prefix(view: &LayerView<'_>, path: Path) -> &'static str {
    let header = view.layer().header;
    let list = path.item.and_then(|_| header.list(view.header_bytes()));
    list.map_or(header.prefix(), |list| list.prefix_in(header))
}

fn reading_line(view: &LayerView<'_>, reading: &Reading) -> FieldLine {
    let field = reading.field;
    let stored = bits::get(view.bytes, reading.bits).filter(|_| reading.text.is_none());
    FieldLine {
        key: format!("{}.{}", view.layer().header.reading_prefix().unwrap_or_default(), field.key),
        label: field.label,
        value: plain_value(field, stored, || reading.value(view.bytes)),
        text: reading.value(view.bytes),
        name: reading.meaning(view.bytes).map(Cow::Owned),
        bits: Bits { start: reading.bits.start, width: reading.bits.width },
        state: None,
        verdict: None,
    }
}

fn plain_value(field: &Field, stored: Option<u128>, text: impl Fn() -> String) -> Value {
    let number = matches!(field.kind, Kind::Number | Kind::Hex | Kind::Flag)
        .then_some(stored)
        .flatten()
        .and_then(|v| u64::try_from(field.ordered(v) * u128::from(field.scale)).ok());
    number.map_or_else(|| Value::from(text()), Value::from)
}

fn state(field: &Field, path: Path, origin: &Origin<'_>) -> Option<&'static str> {
    let Origin::Draft(draft) = origin else { return None };
    Some(match (draft.override_of(path), field.compute) {
        (Some(Override::Pinned), _) => "pinned",
        (Some(Override::Wrong), _) => "wrong",
        (None, Some(_)) if path.item.is_none() => "computed",
        _ => "set",
    })
}
