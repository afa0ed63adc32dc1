//! The packet view of a captured packet: tree, diagram and hex of the same bytes, read-only.

use eframe::egui::{
    Align, CentralPanel, CollapsingHeader, Frame, Layout, Margin, Panel, Response, RichText, Role,
    ScrollArea, Sense, Ui, WidgetInfo, vec2,
};

use super::State;
use super::builder::{bar_frame, layer_heading};
use super::compare::offer_ui;
use super::diagram::{Pen, diagram_ui};
use super::filter_menu::Menu;
use super::flows::flows_ui;
use super::lit::Lit;
use super::marks::reasons_ui;
use super::options::{option_line, options_ui};
use super::reassembly;
use super::row_menu::packet_buttons;
use super::shown::Shown;
use super::theme::{GAP, look};
use crate::app::{Below, Command, Selected, Workbench};
use crate::craft::Draft;
use crate::craft::export;
use crate::craft::print::Detail;
use crate::filter::Packet;
use crate::filter::pick::{self, Picked};
use crate::wire::bits::BitRange;
use crate::wire::checksum::{self, Verdict};
use crate::wire::dissect::{Dissection, dissect};
use crate::wire::reassembly::Datagram;
use crate::wire::table::Field;
use crate::wire::value;
use crate::wire::view::LayerView;

/// How the headers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headers {
    /// A line for each field.
    #[default]
    Tree,
    /// The RFC's diagram.
    Diagram,
}

/// Draws the selected packet.
pub fn detail_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let Some(packet) = bench.capture().selected() else {
        ui.set_min_size(ui.available_size());
        ui.add_space(GAP);
        ui.vertical_centered(|ui| {
            ui.label(RichText::new("Select a packet to see its headers and bytes.").color(look.dim))
        });
        return;
    };
    let found = dissect(packet.link_type, &packet.bytes);
    Panel::top("detail-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bar_ui(ui, bench, (packet, reassembly::datagrams(bench.capture())), state, commands);
    });
    offer_ui(ui, bench, commands);
    let shown = Shown {
        id: "detail",
        bytes: &packet.bytes,
        layers: &found.layers,
        left_to_card: packet.left_to_card(),
    };
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 4));
    Panel::bottom("detail-hex").resizable(true).default_size(120.0).min_size(50.0).frame(frame).show(
        ui,
        |ui| {
            reassembly::bytes_ui(ui, &shown, bench.capture(), state);
        },
    );
    CentralPanel::default().frame(frame).show(ui, |ui| {
        ScrollArea::vertical().id_salt("detail-scroll").auto_shrink(false).show(ui, |ui| {
            reasons_ui(ui, bench, state, commands);
            flows_ui(ui, bench.capture(), state, commands);
            let folded = reassembly::is_of_whole(bench.capture());
            let told = bench.capture().told().unwrap_or_default();
            let facts = bench.capture().selected_facts().unwrap_or_default();
            let packet = Packet { bytes: &packet.bytes, found: &found, facts, flows: &told };
            let menu = Menu { packet, holds: bench.filter().text(), commands: &mut *commands };
            let mut pen = TreePen { lit: &mut state.lit_detail, menu: Some(menu) };
            headers_ui(ui, &shown, &found, (state.headers, folded), &mut pen);
            reassembly::datagrams_ui(ui, bench.capture(), state, commands);
        });
    });
}

/// What the lines of a tree are drawn with.
pub struct TreePen<'a> {
    /// What the pointer points at.
    pub lit: &'a mut Lit,
    /// The menu of a line, where there is one.
    pub menu: Option<Menu<'a>>,
}

impl TreePen<'_> {
    /// A menu on a line: filters of what `pick` finds there, and columns of its `keys`.
    fn menu(
        &mut self,
        line: &Response,
        keys: impl Fn() -> Vec<String>,
        pick: impl Fn(&Packet<'_>) -> Vec<Picked>,
    ) {
        if let Some(menu) = &mut self.menu {
            line.context_menu(|ui| {
                let picked = pick(&menu.packet);
                menu.show(ui, &picked, keys());
            });
        }
    }
}

/// Draws the headers of a packet in a form, in which the tree may be folded.
pub fn headers_ui(
    ui: &mut Ui,
    shown: &Shown<'_>,
    found: &Dissection,
    (headers, folded): (Headers, bool),
    tree: &mut TreePen<'_>,
) {
    if headers == Headers::Tree {
        return tree_ui(ui, shown, found, folded, tree);
    }
    for index in 0..found.layers.len() {
        let mut pen = Pen { shown: *shown, lit: &mut *tree.lit, editor: None };
        layer_heading(ui, &mut pen, index, None);
        diagram_ui(ui, &mut pen, index);
        options_ui(ui, &mut pen, index);
        readings_ui(ui, &shown.view(index), tree);
        ui.add_space(GAP / 2.0);
    }
}

/// The forms in which the packet can be shown, and its conversation.
pub fn forms_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let below = bench.below();
    for (form, name) in [(Headers::Tree, "Tree"), (Headers::Diagram, "Diagram")] {
        if ui.selectable_label(below == Below::Packet && state.headers == form, name).clicked() {
            state.headers = form;
            commands.push(Command::Below(Below::Packet));
        }
    }
    let others = [
        (Below::Ladder, "Ladder", "the whole conversation, an arrow for each packet (Ctrl+J)"),
        (
            Below::Exchanges,
            "Exchanges",
            "what was sent, what answered it, and how long that took (Ctrl+Shift+J)",
        ),
        (
            Below::Compare,
            "Compare",
            "beside the packet that was sent last, or the one in the builder: what the kernel and the path changed \
             (Ctrl+D)",
        ),
    ];
    for (other, name, hint) in others {
        if ui.selectable_label(below == other, name).on_hover_text(hint).clicked() {
            commands.push(Command::Below(other));
        }
    }
}

fn bar_ui(
    ui: &mut Ui,
    bench: &Workbench,
    (packet, wholes): (&Selected, &[Datagram]),
    state: &mut State,
    commands: &mut Vec<Command>,
) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("Packet {}", packet.index + 1)).strong());
        forms_ui(ui, bench, state, commands);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.menu_button("Copy ▾", |ui| {
                if ui.button("Hex pairs").clicked() {
                    commands.push(Command::Copy(value::hex_pairs(&packet.bytes)));
                    ui.close();
                }
                for whole in wholes.iter().filter_map(Datagram::whole) {
                    if ui.button(format!("Hex pairs, reassembled {}", whole.network.short)).clicked() {
                        commands.push(Command::Copy(value::hex_pairs(&whole.bytes)));
                        ui.close();
                    }
                }
                if ui.button("Notation").clicked() {
                    // As it was captured: a checksum that was left to the card too.
                    let draft = Draft::from_bytes(packet.link_type, &packet.bytes, false);
                    commands.push(Command::Copy(draft.notation(Detail::Short)));
                    ui.close();
                }
                for form in export::ALL {
                    if ui.button(form.label).on_hover_text(form.help).clicked() {
                        commands.push(Command::CopyAs { form, selected: true });
                        ui.close();
                    }
                }
            });
            packet_buttons(ui, bench, commands);
        });
    });
}

fn tree_ui(ui: &mut Ui, shown: &Shown<'_>, found: &Dissection, folded: bool, pen: &mut TreePen<'_>) {
    ui.spacing_mut().item_spacing.y = 1.0;
    for (index, layer) in found.layers.iter().enumerate() {
        let look = look(ui);
        let view = shown.view(index);
        let ends = match layer.header.ends {
            Some((src, dst)) => format!("{} → {}, ", view.text(src.key), view.text(dst.key)),
            None => String::new(),
        };
        let text = format!("{}, {ends}{}", layer.header.name, (layer.header.info)(&view));
        // The innermost layer is what one looks for; the others say the main thing in their line.
        let innermost = index + 1 == found.layers.len() && !folded;
        let hue = look.hue(layer.header);
        let title = RichText::new(text).size(12.5).color(super::theme::mix(hue, look.text, 70));
        let open = CollapsingHeader::new(title)
            .id_salt((index, layer.header.key, folded))
            .default_open(innermost)
            .show(ui, |ui| {
                layer_fields(ui, shown, index, pen);
            });
        pen.menu(&open.header_response, Vec::new, |packet| pick::layer(packet, index).into_iter().collect());
        if open.header_response.hovered() {
            let read = layer.header.reader.is_some();
            let end = if read { layer.payload_range().end } else { layer.start + layer.len };
            pen.lit.point_at(BitRange { start: layer.start * 8, width: (end - layer.start) * 8 });
        }
    }
    // What the innermost layer's reader took stands in its lines.
    let read = found.layers.len().checked_sub(1).and_then(|last| shown.view(last).readings());
    let start = read.map_or(found.payload.start, |r| r.end).min(found.payload.end);
    range_line(ui, pen.lit, "Payload", start..found.payload.end);
    range_line(ui, pen.lit, "Trailer", found.trailer.clone());
    if let Some(stop) = &found.stop {
        let look = look(ui);
        let text = format!("▲ at byte {}: {}", stop.at, stop.why);
        ui.label(RichText::new(text).size(12.0).color(look.warn));
    }
}

fn range_line(ui: &mut Ui, lit: &mut Lit, name: &str, range: std::ops::Range<usize>) {
    if range.is_empty() {
        return;
    }
    let bits = BitRange { start: range.start * 8, width: range.len() * 8 };
    line_ui(ui, lit, bits, 4.0, &format!("{name}: {} bytes", range.len()), None);
}

fn layer_fields(ui: &mut Ui, shown: &Shown<'_>, index: usize, pen: &mut TreePen<'_>) {
    let look = look(ui);
    let view = shown.view(index);
    let key_of = |field: &Field| format!("{}.{}", view.layer().header.prefix(), field.key);
    let verdict = checksum::verdict(shown.bytes, shown.layers, index, shown.left_to_card);
    let sum_field = checksum::field_of(&view).map(|f| f.0);
    for field in view.header_fields() {
        let mut note = None;
        if Some(field.path.field) == sum_field {
            note = verdict.as_ref().map(|v| {
                let color = match v {
                    Verdict::Good => look.good,
                    bad if bad.is_bad() => look.bad,
                    _ => look.dim,
                };
                (v.text(), color)
            });
        } else if let Some(name) = field.stored(shown.bytes).and_then(|s| value::meaning_of(field.field, s)) {
            note = Some((name.into_owned(), look.dim));
        }
        // Leaves of a group stand under it.
        let inside = view.header_fields().any(|g| {
            g.field.group
                && g.path != field.path
                && g.bits.start <= field.bits.start
                && field.bits.end() <= g.bits.end()
        });
        let text = format!("{}: {}", field.field.label, field.text(shown.bytes));
        let line = line_ui(ui, pen.lit, field.bits, if inside { 18.0 } else { 4.0 }, &text, note);
        pen.menu(
            &line,
            || vec![key_of(field.field)],
            |packet| pick::field(packet, &field).into_iter().collect(),
        );
    }
    for item in view.all_items() {
        let bits = BitRange { start: item.range.start * 8, width: item.range.len() * 8 };
        let note = item.problem.clone().map(|p| (p, look.warn));
        let terse = item.terse_text(shown.bytes);
        let text = if terse.is_empty() {
            option_line(&item, shown.bytes)
        } else {
            format!("Option: {} ({terse})", item.item.name)
        };
        let line = line_ui(ui, pen.lit, bits, 4.0 + 14.0 * item.depth as f32, &text, note);
        let prefix = item.list.prefix_in(view.layer().header);
        let keyed = || {
            let fields = item.fields(shown.bytes).into_iter();
            fields.map(|(.., field, bits)| (format!("{prefix}.{}", field.key), field, bits))
        };
        pen.menu(
            &line,
            || keyed().map(|k| k.0).collect(),
            |packet| keyed().filter_map(|(key, field, bits)| pick::at(packet, key, field, bits)).collect(),
        );
    }
    readings_ui(ui, &view, pen);
}

/// What the protocol's reader finds.
fn readings_ui(ui: &mut Ui, view: &LayerView<'_>, pen: &mut TreePen<'_>) {
    let look = look(ui);
    let Some(found) = view.readings() else { return };
    for reading in &found.list {
        let note = reading.meaning(view.bytes).map(|meaning| (meaning, look.dim));
        let text = format!("{}: {}", reading.field.label, reading.value(view.bytes));
        let indent = 4.0 + 14.0 * reading.depth as f32;
        let line = line_ui(ui, pen.lit, reading.bits, indent, &text, note);
        let prefix = view.layer().header.reading_prefix();
        let keys = || prefix.iter().map(|prefix| format!("{prefix}.{}", reading.field.key)).collect();
        pen.menu(&line, keys, |packet| pick::reading(packet, view.index, reading).into_iter().collect());
    }
    if let Some(stop) = &found.stop {
        let text = format!("▲ at byte {}: {}", stop.at, stop.why);
        ui.label(RichText::new(text).size(12.0).color(look.warn));
    }
}

/// A line of the tree; it lights its bits, and is lit with them.
fn line_ui(
    ui: &mut Ui,
    lit: &mut Lit,
    bits: BitRange,
    indent: f32,
    text: &str,
    note: Option<(String, eframe::egui::Color32)>,
) -> Response {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 17.0), Sense::CLICK);
    let spoken = note.as_ref().map_or_else(|| text.to_owned(), |(n, _)| format!("{text} {n}"));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    if response.hovered() {
        lit.point_at(bits);
    }
    if !ui.is_rect_visible(rect) {
        return response;
    }
    if lit.lights(bits) {
        ui.painter().rect_filled(rect, 2.0, super::theme::mix(look.panel, look.accent, 50));
    }
    let at = rect.left_center() + vec2(indent, 0.0);
    let mono = super::theme::mono(12.0);
    let painter = ui.painter();
    let end = painter.text(at, eframe::egui::Align2::LEFT_CENTER, text, mono, look.text).right();
    if let Some((note, color)) = note {
        let at = eframe::egui::pos2(end + 8.0, rect.center().y);
        painter.text(at, eframe::egui::Align2::LEFT_CENTER, note, super::theme::plain(11.5), color);
    }
    response
}
