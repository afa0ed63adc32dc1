//! The ladder: two ends, and an arrow for each packet between them.

use eframe::egui::{
    Align, Align2, CentralPanel, Color32, CornerRadius, Frame, Layout, Margin, Panel, Pos2, Rect, RichText,
    Role, ScrollArea, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use super::State;
use super::bars::grouped;
use super::builder::bar_frame;
use super::detail::forms_ui;
use super::row_menu::{packet_buttons, row_menu};
use super::theme::{self, GAP, Look, look};
use crate::app::{Command, Workbench};
use crate::engine::{Step, Way};
use crate::filter::values::seconds_between;

/// Height of an arrow's row.
const ROW: f32 = 27.0;
/// From the edges to the lines of both ends.
const LEFT: f32 = 120.0;
const RIGHT: f32 = 96.0;
/// More rows than that are not drawn: a scroll area cannot tell them apart.
const MOST: usize = 500_000;

/// Draws the conversation of the selected packet.
pub fn ladder_ui(ui: &mut Ui, bench: &mut Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    Panel::top("ladder-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bar_ui(ui, bench, state, commands);
    });
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 2));
    CentralPanel::default().frame(frame).show(ui, |ui| {
        let said = match bench.ladder() {
            Some(Ok(ladder)) if ladder.is_empty() => match ladder.sieve().problem() {
                Some(problem) => problem,
                None => "No packet of this conversation yet.".into(),
            },
            Some(Ok(_)) => return rungs_ui(ui, bench, state, commands),
            Some(Err(why)) => why.to_owned(),
            None => "Send the packet, or select one, to see its conversation.".into(),
        };
        ui.add_space(GAP);
        ui.vertical_centered(|ui| ui.label(RichText::new(said).color(look.dim)));
    });
}

fn bar_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let title = match bench.capture().selected() {
            Some(packet) => format!("Packet {}", packet.index + 1),
            None => "Conversation".into(),
        };
        ui.label(RichText::new(title).strong());
        forms_ui(ui, bench, state, commands);
        if let Some(Ok(ladder)) = bench.ladder() {
            let noun = if ladder.len() == 1 { "packet" } else { "packets" };
            let mut text = format!("{} {noun}", grouped(ladder.len() as u64));
            if ladder.len() > MOST {
                text += &format!(", the first {} are drawn", grouped(MOST as u64));
            }
            ui.label(RichText::new(text).size(12.0).color(look(ui).dim));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| packet_buttons(ui, bench, commands));
    });
}

/// Where the lines of both ends stand.
#[derive(Clone, Copy)]
struct Rails {
    left: f32,
    right: f32,
}

fn rungs_ui(ui: &mut Ui, bench: &mut Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let Some(Ok(ladder)) = bench.ladder() else { return };
    let count = ladder.len().min(MOST);
    let names = [ladder.ends().source.text(), ladder.ends().destination.text()];
    let selected = bench.capture().selected().map(|s| s.index);
    let chosen = selected.and_then(|position| ladder.sieve().nth(position).ok());
    let (top, _) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
    // The bar of the scroll area keeps its place when rows come.
    let bar = ui.spacing().scroll.allocated_width();
    let rails = Rails { left: top.left() + LEFT, right: top.right() - bar - RIGHT };
    let room = (rails.right - rails.left) / 2.0 + RIGHT - 8.0;
    for (x, name) in [(rails.left, &names[0]), (rails.right, &names[1])] {
        line_of_text(ui, pos2(x, top.center().y), name, room, 12.0, look.text);
    }
    let mut area = ScrollArea::vertical().id_salt("ladder").auto_shrink(false).stick_to_bottom(true);
    // What is selected elsewhere comes into sight here.
    if state.ladder_at != selected {
        state.ladder_at = selected;
        if let Some(nth) = chosen {
            let middle = nth as f32 * ROW - (ui.available_height() - ROW) / 2.0;
            area = area.vertical_scroll_offset(middle.max(0.0));
        }
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    area.scroll_bar_visibility(eframe::egui::scroll_area::ScrollBarVisibility::AlwaysVisible).show_rows(
        ui,
        ROW,
        count,
        |ui, rows| {
            for nth in rows {
                match bench.ladder_step(nth) {
                    Some(step) => rung_ui(ui, &step, rails, &names, chosen == Some(nth), commands),
                    None => drop(ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover())),
                }
            }
        },
    );
}

fn rung_ui(
    ui: &mut Ui,
    step: &Step,
    rails: Rails,
    names: &[String; 2],
    chosen: bool,
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let spoken = match step.way {
        Way::Right => format!("Arrow {}: {} to {} {}", step.position + 1, names[0], names[1], step.text),
        Way::Left => format!("Arrow {}: {} to {} {}", step.position + 1, names[1], names[0], step.text),
        Way::Aside => format!("Arrow {}: aside {} {}", step.position + 1, step.protocol, step.text),
    };
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, chosen, &spoken));
    super::show_focused(&response);
    let hue = look.protocol_hue(step.protocol);
    if chosen || response.hovered() {
        let ground = if chosen { look.selection } else { theme::mix(look.panel, hue, 40) };
        ui.painter().rect_filled(rect, CornerRadius::same(3), ground);
    }
    if response.has_focus() {
        let stroke = Stroke::new(1.0, look.accent);
        ui.painter().rect_stroke(rect.shrink(1.0), CornerRadius::same(3), stroke, StrokeKind::Inside);
    }
    let painter = ui.painter();
    for x in [rails.left, rails.right] {
        painter.vline(x, rect.y_range(), Stroke::new(1.0, look.line));
    }
    let y = rect.center().y;
    let since = step.since_ns.unsigned_abs();
    let time = if step.since_ns < 0 { seconds_between(since, 0, 6) } else { seconds_between(0, since, 6) };
    painter.text(pos2(rect.left() + 4.0, y), Align2::LEFT_CENTER, time, theme::mono(11.5), look.dim);
    let number = (step.position + 1).to_string();
    painter.text(pos2(rect.right() - 6.0, y), Align2::RIGHT_CENTER, number, theme::mono(11.5), look.dim);
    arrow(ui, step, rails, rect, hue, look);
    row_menu(&response, step.position, commands, |_, _| ());
    if response.clicked() {
        // A click leaves the arrow keys to the list, the keyboard keeps its place here.
        if ui.input(|i| i.pointer.any_released()) {
            response.surrender_focus();
        }
        commands.push(Command::Select(Some(step.position)));
        commands.push(Command::Follow(false));
    }
    response.on_hover_text(format!("packet {}, {} {}", step.position + 1, step.protocol, step.text));
}

fn arrow(ui: &Ui, step: &Step, rails: Rails, rect: Rect, hue: Color32, look: &Look) {
    const HEAD: f32 = 7.0;
    let y = rect.bottom() - 7.0;
    let color = if step.turning { look.warn } else { hue };
    let stroke = Stroke::new(if step.turning { 2.0 } else { 1.5 }, color);
    let (from, to, back) = match step.way {
        Way::Right => (rails.left, rails.right, -1.0),
        Way::Left => (rails.right, rails.left, 1.0),
        Way::Aside => (rails.left, rails.right, 0.0),
    };
    if step.way == Way::Aside {
        let line = [pos2(from + 4.0, y), pos2(to - 4.0, y)];
        ui.painter().extend(Shape::dashed_line(&line, Stroke::new(1.0, color), 4.0, 4.0));
    } else {
        let tip = pos2(to + back * 1.5, y);
        ui.painter().line_segment([pos2(from, y), tip], stroke);
        let head: Vec<Pos2> =
            vec![tip, tip + vec2(back * HEAD, -HEAD / 2.0), tip + vec2(back * HEAD, HEAD / 2.0)];
        ui.painter().add(Shape::convex_polygon(head, color, Stroke::NONE));
    }
    let middle = pos2((from + to) / 2.0, rect.top() + 9.5);
    line_of_text(ui, middle, &step.text, rails.right - rails.left - 16.0, 11.5, look.text);
}

/// One line of text around a point, cut where there is no room for it.
fn line_of_text(ui: &Ui, middle: Pos2, text: &str, width: f32, size: f32, color: Color32) {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), theme::mono(size), color);
    job.wrap = TextWrapping::truncate_at_width(width.max(20.0));
    let galley = ui.fonts_mut(|f| f.layout_job(job));
    let rect = Align2::CENTER_CENTER.anchor_size(middle, galley.size());
    ui.painter().galley(rect.min, galley, color);
}
