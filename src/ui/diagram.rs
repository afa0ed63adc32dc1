//! The RFC's header diagram: a row for each 32 bits, each cell the field itself.

use eframe::egui::{
    Align2, Color32, CornerRadius, Id, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use super::editor::Editor;
use super::lit::Lit;
use super::shown::Shown;
use super::theme::{self, BIT, DIAGRAM_ROW, Look, MONO, RULER, TINY, look};
use crate::craft::Override;
use crate::wire::bits::BitRange;
use crate::wire::checksum;
use crate::wire::table::{Compute, Coverage, Field, Kind};
use crate::wire::value;
use crate::wire::view::Located;

/// Height of a row that only goes on with a field of several rows.
const LOW_ROW: f32 = 9.0;
/// Rows of a field that are drawn.
const MOST_ROWS: usize = 4;
/// From this width on a cell has room for words beside its label.
const WIDE: f32 = 90.0;

/// What a diagram is drawn with.
pub struct Pen<'p, 'e> {
    /// The packet.
    pub shown: Shown<'p>,
    /// What is lit.
    pub lit: &'p mut Lit,
    /// Where fields can be edited: the builder.
    pub editor: Option<&'p mut Editor<'e>>,
}

/// Draws the header of one layer.
pub fn diagram_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, layer: usize) {
    let view = pen.shown.view(layer);
    let header = view.layer().header;
    let row_bits = header.row_bits;
    let bytes = view.header_bytes();
    let rows = (header.fixed_len(bytes).min(bytes.len()) * 8).div_ceil(row_bits);
    let fields: Vec<Located> = view.header_fields().filter(|f| !f.field.group).collect();
    let tops = row_tops(&fields, rows, row_bits);
    let width = ui.available_width();
    let size = vec2(width, RULER + tops.last().copied().unwrap_or(0.0));
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let unit = width / row_bits as f32;
    ruler(ui, rect, row_bits, unit);
    let top = |row: usize| rect.top() + RULER + tops.get(row).copied().unwrap_or(0.0);
    for found in &fields {
        let bits = found.field.bits;
        if let Some((first, last)) = whole_rows(found, row_bits) {
            let cell =
                Rect::from_min_max(pos2(rect.left(), top(first)), pos2(rect.left() + width, top(last + 1)));
            cell_ui(ui, pen, found, cell, None);
            row_ticks(ui, cell, (first + 1..=last).map(top));
            continue;
        }
        let mut at = bits.start;
        while at < bits.end() {
            let row = at / row_bits;
            let end = bits.end().min((row + 1) * row_bits);
            let left = rect.left() + (at % row_bits) as f32 * unit;
            let right = left + (end - at) as f32 * unit;
            let cell = Rect::from_min_max(pos2(left, top(row)), pos2(right, top(row + 1)));
            let whole = at == bits.start && end == bits.end();
            cell_ui(ui, pen, found, cell, if whole { None } else { Some(at == bits.start) });
            at = end;
        }
    }
}

/// First and last row of a field of several whole rows, such as an IPv6 address: it is one cell.
fn whole_rows(found: &Located, row_bits: usize) -> Option<(usize, usize)> {
    let bits = found.field.bits;
    let whole =
        bits.width > row_bits && bits.start.is_multiple_of(row_bits) && bits.width.is_multiple_of(row_bits);
    whole.then(|| (bits.start / row_bits, bits.end() / row_bits - 1))
}

/// Where each row begins, and where the last one ends. The rows behind the first of a field of whole rows say nothing of
/// their own: they are low, and of a field of more rows than an IPv6 address (DHCP's file name) the others are left out.
fn row_tops(fields: &[Located], rows: usize, row_bits: usize) -> Vec<f32> {
    let behind = |row: usize| {
        let whole = fields.iter().filter_map(|f| whole_rows(f, row_bits));
        { whole }.find(|(first, last)| *first < row && row <= *last).map(|(first, _)| row - first)
    };
    let heights = (0..rows).map(|row| match behind(row) {
        None => DIAGRAM_ROW,
        Some(nth) if nth < MOST_ROWS => LOW_ROW,
        Some(_) => 0.0,
    });
    let mut tops = vec![0.0];
    tops.extend(heights.scan(0.0, |top, height| {
        *top += height;
        Some(*top)
    }));
    tops
}

/// Marks at both edges of a cell where its rows meet.
fn row_ticks(ui: &Ui, cell: Rect, rows: impl Iterator<Item = f32>) {
    let stroke = Stroke::new(1.0, look(ui).dim);
    for y in rows {
        for (x, to) in [(cell.left(), 7.0), (cell.right(), -7.0)] {
            ui.painter().line_segment([pos2(x, y), pos2(x + to, y)], stroke);
        }
    }
}

fn ruler(ui: &Ui, rect: Rect, row_bits: usize, unit: f32) {
    let look = look(ui);
    for bit in (0..row_bits).step_by(8).chain([row_bits - 1]) {
        let x = rect.left() + (bit as f32 + 0.5) * unit;
        let at = pos2(x, rect.top() + RULER / 2.0);
        ui.painter().text(at, Align2::CENTER_CENTER, bit.to_string(), theme::mono(BIT), look.dim);
    }
}

/// The name by which tests, screen readers and messages call a field.
#[must_use]
pub fn field_name(pen: &Shown<'_>, found: &Located) -> String {
    let header = pen.layers[found.path.layer].header;
    format!("{} {}", header.short, found.field.label)
}

fn cell_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, found: &Located, cell: Rect, part: Option<bool>) {
    let look = look(ui);
    let hue = look.hue(pen.shown.layers[found.path.layer].header);
    let lit = pen.lit.lights(found.bits);
    let refused = pen.editor.as_ref().is_some_and(|e| e.refusal(found.path).is_some());
    let inner = cell.shrink(0.5);
    ui.painter().rect_filled(inner, CornerRadius::same(2), look.ground(hue, lit));
    let bad = pen.editor.is_none().then(|| bad_checksum(&pen.shown, found)).flatten();
    let line = if refused || bad.is_some() {
        look.bad
    } else {
        theme::mix(look.line, hue, if lit { 160 } else { 60 })
    };
    ui.painter().rect_stroke(inner, CornerRadius::same(2), Stroke::new(1.0, line), StrokeKind::Inside);
    let id = Id::unique((pen.shown.id, "cell", found.path, part));
    let hover = ui.interact(inner, id, Sense::hover());
    if hover.hovered() || hover.contains_pointer() {
        pen.lit.point_at(found.bits);
    }
    let narrow = found.field.bits.width == 1;
    if narrow {
        bit_ui(ui, pen, found, inner, look);
        return;
    }
    if part == Some(false) {
        // The rest of a field that goes over the end of its row.
        ui.painter().text(inner.center(), Align2::CENTER_CENTER, "…", theme::mono(MONO), look.dim);
        return;
    }
    // A computed field has its switch beside the label.
    let varies = pen.editor.as_ref().is_some_and(|e| e.varies(found).is_some());
    let has_switch = pen.editor.is_some() && (varies || found.field.compute.is_some());
    let switch = match (has_switch, inner.width() > WIDE) {
        (false, _) => 0.0,
        (true, false) => 8.0,
        (true, true) => 34.0,
    };
    let label = fitting(ui, found.field, inner.width() - 8.0 - switch);
    ui.painter().text(inner.min + vec2(5.0, 2.0), Align2::LEFT_TOP, label, theme::plain(TINY), look.dim);
    let bottom = (inner.top() + DIAGRAM_ROW - 1.0).min(inner.bottom());
    let value_rect = Rect::from_min_max(inner.min + vec2(4.0, 12.5), pos2(inner.right() - 3.0, bottom - 1.0));
    let varies = pen.editor.as_ref().and_then(|e| e.varies(found));
    let value = value_text(&pen.shown, found);
    // Of a field that varies the first packet's value stands beside how it does.
    let hint = match &varies {
        Some(_) => format!("first {value}"),
        None => bad.unwrap_or_else(|| hint(&pen.shown, found)),
    };
    let value = varies.unwrap_or(value);
    let name = field_name(&pen.shown, found);
    match pen.editor.as_mut() {
        Some(editor) => {
            editor.field_ui(ui, found, value_rect, &name);
            badges(ui, editor, found, inner, &name);
        }
        None => {
            let text = &value;
            let response = ui.interact(value_rect, id.with("value"), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {text}")));
            ui.painter().text(
                value_rect.left_center(),
                Align2::LEFT_CENTER,
                text,
                theme::mono(MONO),
                look.text,
            );
        }
    }
    hint_text(ui, value_rect, &value, &hint, look);
    hover.on_hover_ui_at_pointer(|ui| tooltip(ui, &pen.shown, found));
}

/// What a wrong checksum of a captured packet should be.
fn bad_checksum(shown: &Shown<'_>, found: &Located) -> Option<String> {
    let index = found.path.layer;
    checksum::field_of(&shown.view(index))
        .filter(|f| f.0 == found.path.field && found.path.item.is_none())?;
    match checksum::verdict(shown.bytes, shown.layers, index, shown.left_to_card)? {
        bad if bad.is_bad() => Some(bad.text()),
        _ => None,
    }
}

/// The name of a value, or the length in bytes, behind it where there is room.
fn hint_text(ui: &Ui, rect: Rect, value: &str, hint: &str, look: &Look) {
    if hint.is_empty() {
        return;
    }
    let galley = ui.fonts_mut(|f| f.layout_no_wrap(hint.into(), theme::plain(10.5), look.dim));
    let used = ui.fonts_mut(|f| f.glyph_width(&theme::mono(MONO), '0')) * value.len() as f32 + 8.0;
    if used + galley.size().x <= rect.width() {
        let at = pos2(rect.right() - galley.size().x - 2.0, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, look.dim);
    }
}

fn hint(shown: &Shown<'_>, found: &Located) -> String {
    let Some(stored) = found.stored(shown.bytes) else { return String::new() };
    if let Some(name) = value::name_of(found.field, stored) {
        return name.into();
    }
    let unit = found.field.aliases.first().map_or(found.field.scale, |a| a.1);
    if unit != found.field.scale {
        return format!("{} bytes", stored * u128::from(found.field.scale));
    }
    String::new()
}

fn value_text(shown: &Shown<'_>, found: &Located) -> String {
    super::editor::shown_text(found, shown.bytes)
}

fn fitting(ui: &Ui, field: &Field, room: f32) -> &'static str {
    let width =
        ui.fonts_mut(|f| f.layout_no_wrap(field.label.into(), theme::plain(TINY), Color32::WHITE).size().x);
    if width <= room { field.label } else { field.short_label() }
}

/// A cell of one bit: a click or the space bar turns it over.
fn bit_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, found: &Located, cell: Rect, look: &Look) {
    let on = found.stored(pen.shown.bytes) == Some(1);
    let name = field_name(&pen.shown, found);
    let editable = pen.editor.is_some();
    let id = Id::unique((pen.shown.id, "bit", found.path));
    let response = ui.interact(cell, id, if editable { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, editable, on, &name));
    super::show_focused(&response);
    let hue = look.hue(pen.shown.layers[found.path.layer].header);
    if on {
        ui.painter().rect_filled(cell.shrink(1.0), CornerRadius::same(2), theme::mix(look.field, hue, 150));
    }
    if response.has_focus() {
        ui.painter().rect_stroke(
            cell,
            CornerRadius::same(2),
            Stroke::new(1.5, look.accent),
            StrokeKind::Inside,
        );
    }
    let top = pos2(cell.center().x, cell.top() + 3.0);
    let color = if on { look.text } else { look.dim };
    let label = found.field.short_label();
    let width = ui.fonts_mut(|f| f.layout_no_wrap(label.into(), theme::plain(BIT), color).size().x);
    let size = BIT * ((cell.width() - 1.0) / width).min(1.0);
    ui.painter().text(top, Align2::CENTER_TOP, label, theme::plain(size), color);
    let middle = pos2(cell.center().x, cell.bottom() - 8.5);
    ui.painter().text(middle, Align2::CENTER_CENTER, if on { "1" } else { "0" }, theme::mono(MONO), color);
    if let Some(editor) = pen.editor.as_mut().filter(|_| response.clicked()) {
        editor.toggle(found.path);
    }
    response.on_hover_ui_at_pointer(|ui| tooltip(ui, &pen.shown, found));
}

/// The switches of a computed field: computed or pinned, and for a checksum wrong on purpose.
fn badges(ui: &mut Ui, editor: &mut Editor<'_>, found: &Located, cell: Rect, name: &str) {
    let look = look(ui);
    if editor.varies(found).is_some() {
        let right = pos2(cell.right() - 3.0, cell.top() + 2.0);
        let text = if cell.width() > WIDE { "varies" } else { "v" };
        let id = Id::unique(("badge", found.path, "varies"));
        if badge(ui, right, text, look.warn, &format!("Hold {name}"), id).1 {
            editor.release(found.path);
        }
        return;
    }
    let Some(compute) = found.field.compute else { return };
    let state = editor.override_of(found.path);
    let checksum = matches!(compute, Compute::Checksum { .. });
    let room = cell.width() > WIDE;
    // Two layers of a kind have fields of the same name.
    let id = Id::unique(("badge", found.path));
    let (text, color, action) = match state {
        None => (if room { "auto" } else { "a" }, look.accent, format!("Pin {name}")),
        Some(Override::Pinned) => (if room { "pinned" } else { "p" }, look.warn, format!("Release {name}")),
        Some(Override::Wrong) => (if room { "wrong" } else { "w" }, look.bad, format!("Release {name}")),
    };
    let right = pos2(cell.right() - 3.0, cell.top() + 2.0);
    let used = badge(ui, right, text, color, &action, id.with("pin"));
    if used.1 {
        match state {
            None => editor.pin(found.path),
            Some(_) => editor.release(found.path),
        }
    }
    if checksum && state != Some(Override::Wrong) {
        let right = pos2(used.0 - 6.0, cell.top() + 2.0);
        if badge(ui, right, "make wrong", look.dim, &format!("Make {name} wrong"), id.with("wrong")).1 {
            editor.make_wrong(found.path);
        }
    }
}

/// A small word that can be clicked; gives its left edge and whether it was clicked.
fn badge(ui: &mut Ui, right_top: Pos2, text: &str, color: Color32, name: &str, id: Id) -> (f32, bool) {
    let galley = ui.fonts_mut(|f| f.layout_no_wrap(text.into(), theme::plain(TINY), color));
    let rect =
        Rect::from_min_size(right_top - vec2(galley.size().x + 2.0, 0.0), galley.size() + vec2(2.0, 2.0));
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    super::show_focused(&response);
    if response.hovered() || response.has_focus() {
        ui.painter().line_segment([rect.left_bottom(), rect.right_bottom()], Stroke::new(1.0, color));
    }
    ui.painter().galley(rect.min + vec2(1.0, 1.0), galley, color);
    let clicked = response.clicked();
    response.on_hover_text(name);
    (rect.left(), clicked)
}

/// What is known of a field: key, width, reference, range.
fn tooltip(ui: &mut Ui, shown: &Shown<'_>, found: &Located) {
    let header = shown.layers[found.path.layer].header;
    let field = found.field;
    ui.strong(field.label);
    let BitRange { start, width } = field.bits;
    ui.monospace(format!(
        "{}.{}   {width} {}, from bit {start}",
        header.prefix(),
        field.key,
        if width == 1 { "bit" } else { "bits" }
    ));
    if !matches!(field.kind, Kind::Ipv4 | Kind::Ipv6 | Kind::Mac | Kind::Bytes | Kind::Text) {
        let unit = field.aliases.first().map_or(field.scale, |a| a.1);
        ui.label(format!("takes {}", value::range_text(field, unit)));
    }
    if let Some(compute) = field.compute {
        ui.label(computed_text(compute));
    }
    ui.weak(if field.reference.is_empty() { header.reference } else { field.reference });
}

fn computed_text(compute: Compute) -> &'static str {
    match compute {
        Compute::HeaderLength => "computed: the length of the header with its options",
        Compute::TotalLength => "computed: the length of header and payload",
        Compute::PayloadLength => "computed: the length of the payload",
        Compute::LastItem => "computed: the number of the last item",
        Compute::ItemCount => "computed: how many items follow",
        Compute::NextHeader(_) => "computed: the number of the next header",
        Compute::Checksum { coverage: Coverage::Crc32c, .. } => "computed: a CRC32c (RFC 9260)",
        Compute::Checksum { .. } => "computed: the Internet checksum (RFC 1071)",
        Compute::RouteSource => "computed: the address that the kernel would choose for the destination",
        Compute::InterfaceAddress => "computed: the address of the sending interface",
        Compute::NeighbourAddress => "computed: the address of the next hop",
    }
}
