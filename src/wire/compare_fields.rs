//! The values of two layers side by side, and why they may differ. Part of [`super::compare`].

use super::bits::{self, BitRange};
use super::checksum::{self, Verdict};
use super::compare::{Change, Cut, Row, Side, Way};
use super::items::ItemSpan;
use super::table::{Compute, Coverage, Family, Field, OnTheWay, RawSocket};
use super::value;
use super::view::LayerView;

/// Bytes of a value that are written out.
const SHOWN: usize = 16;

/// A layer of a packet: the packet and the index.
type At<'a> = (&'a Side<'a>, usize);

/// A field of one side: its bits there.
#[derive(Clone, Copy)]
struct Place<'a> {
    side: &'a Side<'a>,
    bits: BitRange,
}

impl Place<'_> {
    fn stored(&self) -> Option<u128> {
        bits::get(self.side.bytes, self.bits)
    }

    fn text(&self, field: &Field) -> String {
        let text = value::text(field, self.side.bytes, self.bits);
        let meaning = if field.kind.is_bytes() { None } else { self.stored() };
        match meaning.and_then(|stored| value::meaning_of(field, stored)) {
            Some(meaning) => format!("{text} ({meaning})"),
            None => text,
        }
    }

    /// Its bits as they stand there.
    fn raw(&self) -> String {
        match self.stored().filter(|_| !self.bits.start.is_multiple_of(8) || self.bits.width < 8) {
            Some(stored) => format!("0b{stored:0w$b}", w = self.bits.width),
            None => value::hex_pairs(self.side.bytes.get(self.bits.bytes()).unwrap_or_default()),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        if self.bits.width != other.bits.width {
            return false;
        }
        if self.bits.width <= 128 {
            return self.stored() == other.stored();
        }
        self.side.bytes.get(self.bits.bytes()) == other.side.bytes.get(other.bits.bytes())
    }
}

/// Where a leaf of a table stands in a layer, if it is wholly there.
fn place<'a>((side, index): At<'a>, field: &Field) -> Option<Place<'a>> {
    let view = side.view(index);
    let (layer, header) = (view.layer(), view.header_bytes());
    let there = field.bits.end() <= layer.len * 8 && field.when.is_none_or(|w| w.holds(header));
    let bits = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
    (there && bits.end() <= side.end * 8).then_some(Place { side, bits })
}

fn key(view: &LayerView<'_>, field: &Field) -> String {
    format!("{}.{}", view.layer().header.prefix(), field.key)
}

/// The values of a layer that both have.
pub(super) fn layer_rows(asked: At<'_>, seen: At<'_>, way: Way) -> Vec<Row> {
    let (view, other) = (asked.0.view(asked.1), seen.0.view(seen.1));
    let mut rows = Vec::new();
    for field in view.layer().header.leaves() {
        let places = (place(asked, field), place(seen, field));
        let (key, label) = (key(&view, field), field.label.to_owned());
        let mut row = Row { key, label, asked: None, seen: None, change: Change::Same, why: None };
        match places {
            (Some(a), Some(s)) => {
                let same = a.is_same(&s);
                let texts = match (a.text(field), s.text(field)) {
                    (one, another) if !same && one == another => (a.raw(), s.raw()),
                    texts => texts,
                };
                (row.asked, row.seen) = (Some(texts.0), Some(texts.1));
                if !same {
                    row.change = Change::Changed;
                    row.why = why(asked, seen, field, way);
                }
            }
            (Some(a), None) => {
                row.asked = Some(a.text(field));
                let past = (other.layer().start * 8 + field.bits.end()) > seen.0.end * 8;
                row.change = if past && seen.0.cut.is_some() { Change::Cut } else { Change::Missing };
            }
            (None, Some(s)) => (row.seen, row.change) = (Some(s.text(field)), Change::Added),
            (None, None) => continue,
        }
        rows.push(row);
    }
    option_rows(&view, &other, seen.0, &mut rows);
    let (one, another) = (view.header_bytes(), other.header_bytes());
    if one != another && rows.iter().all(|row| row.change == Change::Same) {
        // Bytes that no field and no option of the table speaks of.
        rows.push(bytes_row("Header bytes", one, another, seen.0.cut));
    }
    rows
}

/// The values of a layer that only one packet has.
pub(super) fn lone_rows(side: &Side<'_>, index: usize, change: Change) -> Vec<Row> {
    let view = side.view(index);
    let put = |text: String| match change {
        Change::Added => (None, Some(text)),
        _ => (Some(text), None),
    };
    let row = |key, label, text| {
        let (asked, seen) = put(text);
        Row { key, label, asked, seen, change, why: None }
    };
    let leaves = view.layer().header.leaves();
    let mut rows: Vec<Row> = leaves
        .filter_map(|f| Some(row(key(&view, f), f.label.to_owned(), place((side, index), f)?.text(f))))
        .collect();
    let items = view.items().into_iter().filter(|item| item.depth == 0);
    rows.extend(items.map(|item| row(String::new(), option_label(&item), option_text(&item, side.bytes))));
    rows
}

fn option_label(item: &ItemSpan) -> String {
    format!("Option: {}", item.item.name)
}

fn option_text(item: &ItemSpan, bytes: &[u8]) -> String {
    let terse = item.terse_text(bytes);
    let plain = || value::hex_pairs(bytes.get(item.range.clone()).unwrap_or_default());
    if terse.is_empty() { plain() } else { terse }
}

/// The options of both, those of one table side by side in their order.
fn option_rows(view: &LayerView<'_>, other: &LayerView<'_>, seen: &Side<'_>, rows: &mut Vec<Row>) {
    let of = |view: &LayerView<'_>| -> Vec<ItemSpan> {
        view.items().into_iter().filter(|item| item.depth == 0).collect()
    };
    let mut left = of(other);
    let cut = seen.cut.is_some() && other.layer().start + other.layer().len >= seen.end;
    for item in of(view) {
        let raw = view.bytes.get(item.range.clone()).unwrap_or_default();
        let same_kind = |s: &ItemSpan| {
            let kinds = (
                item.list.kind_of(raw),
                s.list.kind_of(other.bytes.get(s.range.clone()).unwrap_or_default()),
            );
            std::ptr::eq(item.item, s.item) && kinds.0 == kinds.1
        };
        let label = option_label(&item);
        let found = left.iter().position(same_kind).map(|at| (at, left.remove(at)));
        let mut text = option_text(&item, view.bytes);
        let (seen, change) = match &found {
            Some((at, s)) => {
                let bytes = other.bytes.get(s.range.clone()).unwrap_or_default();
                let mut seen = option_text(s, other.bytes);
                // One before it that stays was put there, or moved.
                let moved = *at > 0 && left.get(..*at).is_some_and(|before| !before.is_empty());
                if bytes != raw && seen == text {
                    (text, seen) = (value::hex_pairs(raw), value::hex_pairs(bytes));
                }
                let change = if bytes == raw && !moved { Change::Same } else { Change::Changed };
                (Some(seen), change)
            }
            None if cut => (None, Change::Cut),
            None => (None, Change::Missing),
        };
        let moved = found.is_some_and(|(at, _)| at > 0);
        let why = (moved && change == Change::Changed).then(|| "stands at another place".to_owned());
        rows.push(Row { key: String::new(), label, asked: Some(text), seen, change, why });
    }
    rows.extend(left.iter().map(|s| Row {
        key: String::new(),
        label: option_label(s),
        asked: None,
        seen: Some(option_text(s, other.bytes)),
        change: Change::Added,
        why: None,
    }));
}

/// What no layer describes: what the innermost carries, and what stands past the length that the packet says.
pub(super) fn rest_rows(asked: &Side<'_>, seen: &Side<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let (payload, trailer) = ((asked.payload(), seen.payload()), (asked.trailer(), seen.trailer()));
    if !payload.0.is_empty() || !payload.1.is_empty() {
        rows.push(bytes_row("Payload", payload.0, payload.1, seen.cut));
    }
    let quoted = seen.cut == Some(Cut::Quoted);
    if !quoted && (!trailer.0.is_empty() || !trailer.1.is_empty()) {
        let mut row = bytes_row("Trailer", trailer.0, trailer.1, seen.cut);
        let zeros = trailer.1.get(trailer.0.len()..).is_some_and(|rest| rest.iter().all(|b| *b == 0));
        if row.differs() && trailer.1.starts_with(trailer.0) && zeros {
            row.why = Some("zeros up to the shortest frame that the link takes".into());
        }
        rows.push(row);
    }
    rows
}

fn bytes_row(label: &str, asked: &[u8], seen: &[u8], cut: Option<Cut>) -> Row {
    let common = asked.iter().zip(seen).take_while(|(a, b)| a == b).count();
    let change = match () {
        () if asked == seen => Change::Same,
        () if cut.is_some() && common == seen.len() => Change::Cut,
        () if asked.is_empty() => Change::Added,
        () if seen.is_empty() => Change::Missing,
        () => Change::Changed,
    };
    // Of long ones the part that differs is worth showing.
    let from = if change == Change::Changed && common > 4 { common - 4 } else { 0 };
    let text = |bytes: &[u8]| {
        let (there, rest) = (bytes.get(from..).unwrap_or_default(), from > 0);
        let dots = |on: bool| if on { "… " } else { "" };
        let part = value::hex_pairs(&there[..there.len().min(SHOWN)]);
        let more = if there.len() > SHOWN { " …" } else { "" };
        let noun = if bytes.len() == 1 { "byte" } else { "bytes" };
        format!("{} {noun}: {}{part}{more}", bytes.len(), dots(rest))
    };
    let shown = |bytes: &[u8]| (!bytes.is_empty()).then(|| text(bytes));
    let why = match change {
        Change::Changed => Some(format!("from byte {common} on")),
        Change::Cut if !seen.is_empty() => {
            Some(format!("the first {} are as they were asked for", seen.len()))
        }
        _ => None,
    };
    Row { key: String::new(), label: label.into(), asked: shown(asked), seen: shown(seen), change, why }
}

/// Why a field may be another than it was asked for.
fn why(asked: At<'_>, seen: At<'_>, field: &'static Field, way: Way) -> Option<String> {
    let (a, s) = (place(asked, field)?.stored(), place(seen, field)?.stored());
    if let Some(Compute::Checksum { coverage, .. }) = field.compute {
        let quoted = seen.0.cut == Some(Cut::Quoted);
        let kernel = !quoted && way.raw_socket && field.raw_socket == RawSocket::Overwritten;
        let verdict = checksum_why(asked, seen, coverage)?;
        return Some(if kernel { format!("the kernel writes it; {verdict}") } else { verdict });
    }
    match field.raw_socket {
        RawSocket::Overwritten if way.raw_socket => return Some("the kernel writes it".into()),
        RawSocket::FilledWhenZero if way.raw_socket && a == Some(0) => {
            return Some("0 was asked for: the kernel fills it in".into());
        }
        _ => {}
    }
    match field.on_the_way {
        OnTheWay::CountedDown => {
            let by = a?.checked_sub(s?)?;
            return Some(format!("routers count it down: {by} on the way"));
        }
        OnTheWay::Marked => return Some("networks on the way may mark packets anew".into()),
        OnTheWay::Kept => {}
    }
    let header = asked.0.view(asked.1).layer().header;
    let ports = header.answer.filter(|_| header.family == Family::Transport).and_then(|a| a.swaps.first());
    let ends = header.ends.into_iter().chain(ports.copied());
    let is_end = { ends }.any(|(src, dst)| field.key == src.key || field.key == dst.key);
    let quoted = seen.0.cut == Some(Cut::Quoted);
    (quoted && is_end).then(|| "translated on the way (NAT)".into())
}

/// What a checksum is worth that is another than it was asked for.
fn checksum_why(asked: At<'_>, seen: At<'_>, coverage: Coverage) -> Option<String> {
    let (side, index) = seen;
    let text = |verdict: Verdict| match verdict {
        Verdict::Good => "right for what was seen".to_owned(),
        Verdict::Bad { .. } | Verdict::Missing { .. } => format!("{} for what was seen", verdict.text()),
        other => other.text(),
    };
    let quoted = side.view(index).layer().quoted;
    if !quoted || coverage == Coverage::Header {
        return checksum::verdict(side.bytes, &side.found.layers, index, side.left_to_card).map(text);
    }
    // Of a quoted packet the rest is what was asked for.
    let whole = with_quoted(asked.0, side)?;
    checksum::verdict(&whole, &asked.0.found.layers, asked.1, false).map(text)
}

/// The packet that was asked for with the bytes that are quoted of it in their place; `None`: its layers stand at other
/// places.
fn with_quoted(asked: &Side<'_>, seen: &Side<'_>) -> Option<Vec<u8>> {
    let (from, to) = (seen.start(), asked.start());
    let mut layers = asked.layers().iter().zip(seen.layers());
    if layers.any(|(a, s)| a.header.key != s.header.key || a.start - to != s.start - from) {
        return None;
    }
    let quoted = seen.bytes.get(from..seen.end)?;
    let mut whole = asked.bytes.to_vec();
    let room = whole.get_mut(to..)?;
    let len = room.len().min(quoted.len());
    room.get_mut(..len)?.copy_from_slice(quoted.get(..len)?);
    Some(whole)
}
