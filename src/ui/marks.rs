//! What a packet is to those that were sent: at the end of its row, and with the reason above its headers.

use eframe::egui::{
    Color32, CursorIcon, FontId, Id, Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, text,
};

use super::State;
use super::columns::cell_text;
use super::theme::{look, mono, plain};
use crate::app::{CaptureState, Command, Workbench};
use crate::engine::{Role as Mark, What};
use crate::wire::value::duration;

/// Size of a mark's text, and its distance from what stands before it.
const SIZE: f32 = 11.5;
const SPACE: f32 = 10.0;
/// The part of a cell that a mark may take from the text before it.
const MOST: f32 = 0.7;

/// What a row says of its packet: in the order of the marks.
#[must_use]
pub fn text_of(marks: &[Option<Mark>; 2]) -> String {
    let texts = marks.iter().flatten().map(Mark::text).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join(", ")
}

/// Draws a text with a mark at its end, which is cut last. Gives where the mark stands.
pub fn marked_text(ui: &Ui, cell: Rect, text: &str, mark: &str, (color, dim): (Color32, Color32)) -> Rect {
    let width = |text: &str, font: FontId| {
        let galley = ui.fonts_mut(|f| f.layout_no_wrap(text.to_owned(), font, Color32::WHITE));
        galley.size().x.ceil()
    };
    let (own, wanted) = (width(text, mono(super::columns::MONO)), width(mark, plain(SIZE)));
    let room = if own + SPACE + wanted <= cell.width() { wanted } else { wanted.min(cell.width() * MOST) };
    let left = (cell.left() + own + SPACE).min(cell.right() - room);
    let before = cell.with_max_x(left - SPACE);
    cell_text(ui, before, false, text, mono(super::columns::MONO), color);
    let place = Rect::from_min_max(pos2(left, cell.top()), pos2(left + room, cell.bottom()));
    cell_text(ui, place, false, mark, plain(SIZE), dim);
    place
}

/// Makes a mark lead to the packet that it names. `true`: it was clicked.
pub fn mark_ui(
    ui: &mut Ui,
    place: Rect,
    (number, marks): (usize, &[Option<Mark>; 2]),
    dim: Color32,
    commands: &mut Vec<Command>,
    state: &mut State,
) -> bool {
    let Some(partner) = marks.iter().flatten().find_map(Mark::partner) else { return false };
    let response = ui.interact(place, Id::unique(("mark", number)), Sense::CLICK);
    let spoken = format!("Packet {number}: {}, go to packet {}", text_of(marks), partner + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Link, true, &spoken));
    if response.hovered() {
        ui.painter().hline(place.x_range(), place.bottom() - 3.0, (1.0, dim));
        ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
    }
    let clicked = response.clicked();
    if clicked {
        response.surrender_focus();
        go_to(partner, commands, state);
    }
    response.on_hover_text(format!("{}\nclick: packet {} (Ctrl+P)", text_of(marks), partner + 1));
    clicked
}

/// Selects a packet and brings it into sight.
pub fn go_to(position: usize, commands: &mut Vec<Command>, state: &mut State) {
    commands.extend([Command::Select(Some(position)), Command::Follow(false)]);
    state.scroll_to = Some(position);
}

/// Draws what the selected packet is, and why.
pub fn reasons_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let capture: &CaptureState = bench.capture();
    let look = look(ui);
    if let Some(problem) = capture.exchanges().problem().filter(|_| capture.is_traced()) {
        ui.label(RichText::new(format!("▲ {problem}")).size(12.0).color(look.warn));
    }
    for reason in capture.reasons() {
        let role = &reason.role;
        let color = match role.what {
            Some(What::Stray | What::KernelReset) => look.warn,
            Some(What::Again) => look.text,
            _ if role.exchange.is_late() => look.warn,
            _ => look.good,
        };
        let mut text = role.text();
        if role.what.is_none() {
            // A row of a question says little; here there is room.
            text = match (role.exchange.ours, role.exchange.answer(), role.exchange.asks) {
                (true, Some(answer), _) => match role.exchange.rtt_ns {
                    Some(rtt) => format!("{text}, answered by {} in {}", answer + 1, duration(rtt)),
                    None => format!("{text}, answered by {}", answer + 1),
                },
                (true, None, true) => format!("{text}, no answer yet"),
                (false, None, _) => "asks, and has no answer in this capture".into(),
                _ => text,
            };
        }
        let text = RichText::new(text).size(12.5).color(color);
        match role.partner() {
            Some(partner) => {
                let link = ui.link(text).on_hover_text(format!("go to packet {} (Ctrl+P)", partner + 1));
                if link.clicked() {
                    go_to(partner, commands, state);
                }
            }
            None => drop(ui.label(text)),
        }
        if let Some(why) = &reason.why {
            let format = text::TextFormat::simple(mono(11.5), look.dim);
            let mut job = text::LayoutJob::default();
            job.append(why, 4.0, format);
            ui.add(Label::new(job).wrap().selectable(true));
        }
    }
    if !capture.reasons().is_empty() {
        ui.add_space(3.0);
    }
}
