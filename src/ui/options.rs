//! The option list of a header: add, remove, reorder, and a meter against what the header length can say.

use eframe::egui::containers::menu::MenuButton;
use eframe::egui::{Align, Button, Layout, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::diagram::{Pen, field_name};
use super::editor::{Editor, shown_text};
use super::theme::{self, TINY, look};
use crate::app::Command;
use crate::craft::options::{form_name, form_values, kind_name, new_option};
use crate::wire::bits;
use crate::wire::items::ItemSpan;
use crate::wire::table::{Item, ItemList, Kind};
use crate::wire::value;
use crate::wire::view::Located;

/// Room for the buttons of a row.
const BUTTONS: f32 = 70.0;
/// How far an option is set in for each one that it stands in.
const INDENT: f32 = 16.0;
/// Height of a row.
const ROW: f32 = 24.0;

/// Draws the options of a layer whose table has a list.
pub fn options_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, layer: usize) {
    let view = pen.shown.view(layer);
    let items = view.items();
    if items.is_empty() {
        return;
    }
    let shown = match &pen.editor {
        Some(editor) => editor.builder.draft().options(layer).len(),
        None => items.len(),
    };
    for (index, item) in items.iter().take(shown).enumerate() {
        let near = Siblings::of(&items[..shown.min(items.len())], index);
        row_ui(ui, pen, layer, index, item, near);
    }
    let filled: usize = items.iter().skip(shown).map(|i| i.range.len()).sum();
    if filled > 0 {
        let bytes = if filled == 1 { "byte" } else { "bytes" };
        let bits = view.layer().header.list(view.header_bytes()).map_or(8, |list| list.align * 8);
        ui.horizontal(|ui| {
            ui.add_space(10.0);
            ui.weak(RichText::new(format!("padded with {filled} zero {bytes} to {bits} bits")).size(11.0));
        });
    }
}

/// The options before and behind one in its list.
#[derive(Clone, Copy)]
struct Siblings {
    before: Option<usize>,
    behind: Option<usize>,
}

impl Siblings {
    fn of(items: &[ItemSpan], index: usize) -> Self {
        let depth = items.get(index).map_or(0, |i| i.depth);
        // An option of a level further out ends the list on either side.
        let at = |nth: &usize| items.get(*nth).is_some_and(|i| i.depth <= depth);
        let same = |nth: &usize| items.get(*nth).is_some_and(|i| i.depth == depth);
        Self {
            before: (0..index).rev().find(at).filter(same),
            behind: (index + 1..items.len()).find(at).filter(same),
        }
    }
}

/// How full the option list is, and the menu that adds to it; for the heading of the layer.
pub fn options_meter(ui: &mut Ui, pen: &mut Pen<'_, '_>, layer: usize) {
    let view = pen.shown.view(layer);
    let Some(list) = view.layer().header.list(view.header_bytes()) else { return };
    let used = view.items_range().len();
    let short = view.layer().header.short;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let look = look(ui);
        if let Some(editor) = pen.editor.as_mut() {
            let button = Button::new(RichText::new("+ option").size(11.5)).min_size(vec2(0.0, 18.0));
            let (response, _) =
                MenuButton::from_button(button).ui(ui, |ui| add_menu(ui, editor, layer, list));
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Add {short} option")));
            super::show_focused(&response);
        }
        if used == 0 {
            return;
        }
        let label = list.label.to_lowercase();
        let Some(limit) = list.limit else {
            ui.label(RichText::new(format!("{label} {used} bytes")).size(11.0).color(look.dim));
            return;
        };
        let over = used > limit;
        let color = if over { look.bad } else { look.dim };
        ui.label(RichText::new(format!("{label} {used}/{limit}")).size(11.0).color(color));
        let share = (used as f32 / limit as f32).min(1.0);
        let (rect, _) = ui.allocate_exact_size(vec2(44.0, 5.0), Sense::hover());
        ui.painter().rect_filled(rect, 2.0, look.line);
        let full = Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
        ui.painter().rect_filled(full, 2.0, if over { look.bad } else { look.accent });
    });
}

fn add_menu(ui: &mut Ui, editor: &mut Editor<'_>, layer: usize, list: &'static ItemList) {
    let at = editor.builder.draft().options(layer).len();
    let mut form_ui = |ui: &mut Ui, item: &'static Item, text: String| {
        let response = ui.button(text);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, form_name(list, item)));
        if response.clicked() {
            let bytes = new_option(list, item, item.kind.unwrap_or(0));
            editor.commands.push(Command::InsertOption { layer, at, bytes });
            ui.close();
        }
    };
    for (nth, item) in list.items.iter().enumerate() {
        let same = |i: &&'static Item| i.name == item.name;
        if list.items.iter().take(nth).any(|i| same(&i)) {
            continue;
        }
        let forms: Vec<&'static Item> = list.items.iter().filter(same).collect();
        if forms.len() == 1 {
            form_ui(ui, item, kind_name(item));
            continue;
        }
        ui.menu_button(kind_name(item), |ui| {
            for form in forms {
                form_ui(ui, form, form_values(list, form).unwrap_or_default());
            }
        });
    }
    if list.is_bare() {
        return;
    }
    ui.separator();
    if ui.button("Any kind, raw bytes").clicked() {
        let kind = 254.min(bits::max_value(list.head.kind.width));
        let mut bytes = vec![0; list.head.bytes];
        let fitted = bits::set(&mut bytes, list.head.kind, kind);
        debug_assert!(fitted);
        let bytes = list.sized(bytes).unwrap_or_default();
        editor.commands.push(Command::InsertOption { layer, at, bytes });
        ui.close();
    }
}

fn row_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, layer: usize, index: usize, item: &ItemSpan, near: Siblings) {
    let look = look(ui);
    let header = pen.shown.layers[layer].header;
    let hue = look.hue(header);
    let lines = value_lines(ui, pen, layer, index, item);
    let height = ROW * lines.len().max(1) as f32;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let bits = crate::wire::bits::BitRange { start: item.range.start * 8, width: item.range.len() * 8 };
    let lit = pen.lit.lights(bits);
    if response.contains_pointer() {
        pen.lit.point_at(bits);
    }
    let ground = rect.shrink2(vec2(0.0, 1.0));
    ui.painter().rect_filled(ground, 2.0, look.ground(hue, lit));
    let bar = Rect::from_min_size(ground.min, vec2(3.0, ground.height()));
    ui.painter().rect_filled(bar, 1.0, hue);
    let indent = INDENT * item.depth as f32;
    let line_ui = |ui: &mut Ui, nth: usize| {
        let top = ground.top() + nth as f32 * ROW;
        let line =
            Rect::from_min_max(pos2(ground.left() + indent, top), pos2(ground.right(), top + ROW - 2.0));
        ui.new_child(
            eframe::egui::UiBuilder::new()
                .id_salt((pen.shown.id, "option", layer, index, nth))
                .max_rect(line.shrink2(vec2(8.0, 0.0)))
                .layout(Layout::left_to_right(Align::Center)),
        )
    };
    let mut others: Vec<Ui> = (1..lines.len()).map(|nth| line_ui(ui, nth)).collect();
    let mut inner = line_ui(ui, 0);
    let ui = &mut inner;
    let name = ui.label(RichText::new(item.item.name).size(12.0));
    if let Some(problem) = &item.problem {
        name.on_hover_text(problem);
        ui.label(RichText::new("!").color(look.warn).strong()).on_hover_text(problem);
    }
    for (nth, line) in lines.iter().enumerate() {
        for found in line {
            match nth.checked_sub(1).and_then(|nth| others.get_mut(nth)) {
                Some(other) => value_ui(other, pen, found),
                None => value_ui(ui, pen, found),
            }
        }
    }
    if pen.editor.is_some() {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            row_buttons(ui, pen, layer, index, item, near);
        });
    }
}

/// The values of an option that can be shown, in lines that fit. Kind and length of a known option follow from what it
/// is, and so does what is reserved.
fn value_lines(ui: &Ui, pen: &Pen<'_, '_>, layer: usize, index: usize, item: &ItemSpan) -> Vec<Vec<Located>> {
    let view = pen.shown.view(layer);
    let told =
        |f: &Located| item.item.kind.is_none() || f.path.nth.is_some() || item.item.is_told(f.path.field);
    let name =
        ui.fonts_mut(|f| f.layout_no_wrap(item.item.name.into(), theme::plain(12.0), look(ui).dim).size().x);
    let indent = INDENT * item.depth as f32;
    let mut room = ui.available_width() - BUTTONS - indent;
    let mut lines = vec![Vec::new()];
    let mut used = name + 24.0;
    for found in view.item_fields(index, item).into_iter().filter(told) {
        let (label, width) = value_size(ui, &found);
        let width = label + width + 16.0;
        let full = used + width > room && lines.last().is_some_and(|line| !line.is_empty());
        if full {
            lines.push(Vec::new());
            (used, room) = (16.0, ui.available_width() - indent);
        }
        used += width;
        lines.last_mut().into_iter().for_each(|line| line.push(found));
    }
    lines
}

/// Widths of the label of a value and of its field.
fn value_size(ui: &Ui, found: &Located) -> (f32, f32) {
    let width = match found.field.kind {
        Kind::Bytes | Kind::Text => 150.0,
        Kind::Ipv6 => 316.0,
        Kind::Mac => 142.0,
        _ if found.field.bits.width > 16 => 92.0,
        _ => 52.0,
    };
    let label = ui.fonts_mut(|f| f.layout_no_wrap(label(found).into(), theme::plain(TINY), look(ui).dim));
    (label.size().x, width)
}

fn label(found: &Located) -> &'static str {
    found.field.short_label()
}

fn value_ui(ui: &mut Ui, pen: &mut Pen<'_, '_>, found: &Located) {
    let look = look(ui);
    let (_, width) = value_size(ui, found);
    let label = ui.fonts_mut(|f| f.layout_no_wrap(label(found).into(), theme::plain(TINY), look.dim));
    let size = vec2(label.size().x + width + 8.0, ROW - 4.0);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let at = pos2(rect.left(), rect.center().y - label.size().y / 2.0);
    let left = at.x + label.size().x + 4.0;
    ui.painter().galley(at, label, look.dim);
    let field = Rect::from_min_max(pos2(left, rect.top() + 1.0), pos2(left + width, rect.bottom() - 1.0));
    let lit = pen.lit.lights(found.bits);
    let refused = pen.editor.as_ref().is_some_and(|e| e.refusal(found.path).is_some());
    let line = if refused {
        look.bad
    } else if lit {
        look.accent
    } else {
        look.line
    };
    if ui.rect_contains_pointer(rect) {
        pen.lit.point_at(found.bits);
    }
    let name = field_name(&pen.shown, found);
    if let Some(editor) = pen.editor.as_mut() {
        ui.painter().rect(field, 2.0, look.field, (1.0, line), eframe::egui::StrokeKind::Inside);
        editor.field_ui(ui, found, field.shrink2(vec2(4.0, 0.0)), &name);
    } else {
        let text = shown_text(found, pen.shown.bytes);
        ui.painter().text(
            field.left_center(),
            eframe::egui::Align2::LEFT_CENTER,
            text,
            theme::mono(12.5),
            look.text,
        );
    }
}

fn row_buttons(
    ui: &mut Ui,
    pen: &mut Pen<'_, '_>,
    layer: usize,
    index: usize,
    item: &ItemSpan,
    near: Siblings,
) {
    let view = pen.shown.view(layer);
    let list = view.layer().header.list(view.header_bytes());
    let Some(editor) = pen.editor.as_mut() else { return };
    let name = format!("{} {}", item.item.name, index + 1);
    let button = |ui: &mut Ui, text: &str, name: String, enabled: bool| {
        let response = ui.add_enabled(enabled, Button::new(RichText::new(text).size(11.0)).frame(false));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &name));
        super::show_focused(&response);
        response.on_hover_text(name).clicked()
    };
    if button(ui, "×", format!("Remove {name}"), true) {
        editor.commands.push(Command::RemoveOption { layer, at: index });
    }
    let mut mover = |ui: &mut Ui, sign: &str, way: &str, to: Option<usize>| {
        if button(ui, sign, format!("Move {name} {way}"), to.is_some())
            && let Some(to) = to
        {
            editor.commands.push(Command::MoveOption { layer, from: index, to });
        }
    };
    mover(ui, "⬇", "down", near.behind);
    mover(ui, "⬆", "up", near.before);
    if let Some(inner) = item.item.inner {
        let button = Button::new(RichText::new("+").size(11.0)).frame(false);
        let (response, _) = MenuButton::from_button(button).ui(ui, |ui| {
            for (which, item) in inner.items.iter().enumerate() {
                if ui.button(form_name(inner, item)).clicked() {
                    editor.commands.push(Command::InsertInner { layer, parent: index, which });
                    ui.close();
                }
            }
        });
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Add to {name}")));
        super::show_focused(&response);
    }
    let step = item.item.repeat_bytes();
    if step > 0 && button(ui, "+", format!("Add a block to {name}"), true) {
        let mut bytes = pen.shown.bytes.get(item.range.clone()).unwrap_or_default().to_vec();
        bytes.resize(bytes.len() + step, 0);
        if let Some(bytes) = list.and_then(|list| list.sized(bytes)) {
            editor.commands.push(Command::SetOption { layer, at: index, bytes });
        }
    }
}

/// One option as a line of the tree.
#[must_use]
pub fn option_line(item: &ItemSpan, bytes: &[u8]) -> String {
    let raw = bytes.get(item.range.clone()).unwrap_or_default();
    format!("{}  {}", item.item.name, value::hex_pairs(raw).to_lowercase())
}
