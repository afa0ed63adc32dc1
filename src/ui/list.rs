//! The packet list: a row for each packet, drawn only where it is in sight.

use eframe::egui::{
    Align2, CornerRadius, Key, Modifiers, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use super::State;
use super::rows::rows_ui;
use super::theme::{self, LIST_ROW, look};
use crate::app::{Command, ListRow, Workbench};
use crate::pcap::Direction;

/// The columns: name, width in points, aligned to the right.
const COLUMNS: [(&str, f32, bool); 8] = [
    ("No.", 38.0, true),
    ("Time", 78.0, true),
    ("", 9.0, false),
    ("Source", 104.0, false),
    ("Destination", 104.0, false),
    ("Protocol", 54.0, false),
    ("Length", 42.0, true),
    ("Info", 0.0, false),
];
const SPACE: f32 = 8.0;
const SIZE: f32 = 12.0;

/// Draws the list.
pub fn list_ui(ui: &mut Ui, bench: &mut Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let count = bench.capture().shown();
    state.rows = bench.capture().len();
    header_ui(ui, state.rows);
    if count == 0 {
        empty_ui(ui, bench);
        return;
    }
    keys(ui, bench, state, commands);
    let follow = bench.capture().follows();
    if let Some(index) = state.scroll_to.take() {
        state.place.center(bench.capture().row_of(index), ui.available_height(), LIST_ROW);
    } else if follow {
        state.place.end();
    }
    let selected = bench.capture().selected().map(|s| s.index);
    let mut place = state.place;
    let moved = rows_ui(ui, &mut place, (count, LIST_ROW), |ui, row| {
        let position = bench.capture().position(row);
        if let Some(found) = position.and_then(|position| bench.capture_mut().row(position)) {
            row_ui(ui, &found, selected == position, commands, state);
        }
    });
    state.place = place;
    // Scrolling up lets the list rest; going to its end follows the newest again.
    if follow && moved.up {
        commands.push(Command::Follow(false));
    } else if !follow && moved.at_end && moved.down {
        commands.push(Command::Follow(true));
    }
}

/// Moves the selection by the arrow and page keys, when no text box has the keyboard.
fn keys(ui: &Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    if ui.memory(|m| m.focused().is_some()) {
        return;
    }
    let count = bench.capture().shown();
    let page = (ui.available_height() / LIST_ROW) as usize;
    let now = bench.capture().selected().map(|s| bench.capture().row_of(s.index));
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let at = now.unwrap_or(0);
    let next = if pressed(Key::ArrowDown) {
        Some(now.map_or(0, |n| n + 1))
    } else if pressed(Key::ArrowUp) {
        Some(at.saturating_sub(1))
    } else if pressed(Key::PageDown) {
        Some(at + page)
    } else if pressed(Key::PageUp) {
        Some(at.saturating_sub(page))
    } else if pressed(Key::Home) {
        Some(0)
    } else if pressed(Key::End) {
        commands.push(Command::Follow(true));
        Some(count - 1)
    } else {
        None
    };
    if let Some(next) = next {
        let next = next.min(count - 1);
        let position = bench.capture().position(next);
        commands.push(Command::Select(position));
        if next + 1 < count {
            commands.push(Command::Follow(false));
        }
        state.scroll_to = position;
    }
}

/// Width of a digit of the numbers, in points.
const DIGIT: f32 = 7.2;

/// The cells of a row; the first is as wide as the largest of `count` numbers.
fn columns(rect: Rect, count: usize) -> impl Iterator<Item = (usize, Rect, bool)> {
    let mut left = rect.left() + 6.0;
    let digits = count.max(1).ilog10() as f32 + 1.0;
    COLUMNS.iter().enumerate().map(move |(i, (_, width, right))| {
        let width = &if i == 0 { width.max(digits * DIGIT) } else { *width };
        let width = if *width == 0.0 { (rect.right() - left - 4.0).max(10.0) } else { *width };
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        left += width + SPACE;
        (i, cell, *right)
    })
}

fn header_ui(ui: &mut Ui, count: usize) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), LIST_ROW), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::ZERO, look.bar);
    for (i, cell, right) in columns(rect, count) {
        cell_text(ui, cell, right, COLUMNS[i].0, theme::plain(11.5), look.dim);
    }
}

fn cell_text(
    ui: &Ui,
    cell: Rect,
    right: bool,
    text: &str,
    font: eframe::egui::FontId,
    color: eframe::egui::Color32,
) {
    let (at, align) = if right {
        (cell.right_center(), Align2::RIGHT_CENTER)
    } else {
        (cell.left_center(), Align2::LEFT_CENTER)
    };
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(cell.width());
    let galley = ui.fonts_mut(|f| f.layout_job(job));
    let rect = align.anchor_size(at, galley.size());
    ui.painter().galley(rect.min, galley, color);
}

fn row_ui(ui: &mut Ui, found: &ListRow, selected: bool, commands: &mut Vec<Command>, state: &mut State) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LIST_ROW), Sense::click());
    let row = &found.row;
    let spoken =
        || format!("{} {} {} {} {}", found.number, row.source, row.destination, row.protocol, row.info);
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, selected, spoken()));
    let hue = look.protocol_hue(row.protocol);
    let ground = if selected {
        look.selection
    } else if response.hovered() {
        theme::mix(look.panel, hue, 60)
    } else {
        theme::mix(look.panel, hue, 18)
    };
    ui.painter().rect_filled(rect, CornerRadius::ZERO, ground);
    let mark = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
    let outgoing = found.entry.direction() == Direction::Outbound;
    ui.painter().rect_filled(
        mark,
        CornerRadius::ZERO,
        if outgoing { hue } else { theme::mix(look.panel, hue, 70) },
    );
    let time = time_text(found.relative_ns);
    let texts = [
        found.number.to_string(),
        time,
        // Sent by this host, or received.
        match found.entry.direction() {
            Direction::Outbound => "→".to_owned(),
            Direction::Inbound => "←".to_owned(),
            Direction::Unknown => String::new(),
        },
        row.source.clone(),
        row.destination.clone(),
        row.protocol.to_owned(),
        found.entry.original.to_string(),
        row.info.clone(),
    ];
    for (i, cell, right) in columns(rect, state.rows) {
        let color = if i < 3 { look.dim } else { look.text };
        let font = if i == 5 { theme::plain(SIZE) } else { theme::mono(11.5) };
        cell_text(ui, cell, right, &texts[i], font, color);
    }
    if response.clicked() {
        response.surrender_focus();
        commands.push(Command::Select(Some(found.number - 1)));
        commands.push(Command::Follow(false));
        state.scroll_to = None;
    }
    if response.double_clicked() {
        commands.push(Command::EditCopy(found.number - 1));
    }
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(row.info.as_str()).monospace().size(12.0));
    });
}

/// Seconds since the first packet, to the microsecond.
fn time_text(relative_ns: i64) -> String {
    let sign = if relative_ns < 0 { "-" } else { "" };
    let micros = relative_ns.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// What to do when there is nothing to see yet.
fn empty_ui(ui: &mut Ui, bench: &Workbench) {
    let look = look(ui);
    ui.add_space(ui.available_height() * 0.25);
    ui.vertical_centered(|ui| {
        if !bench.capture().is_empty() {
            ui.label(RichText::new("No packet passes the filter.").size(14.0));
            return;
        }
        if bench.capture().is_busy() {
            ui.label(RichText::new("Listening. Nothing has come yet.").color(look.dim));
            return;
        }
        if bench.capture().is_loading() {
            ui.label(RichText::new("Reading the file…").color(look.dim));
            return;
        }
        ui.label(RichText::new("Press Ctrl+Enter to send the packet and see what comes back.").size(14.0));
        ui.add_space(4.0);
        let text = match bench.source() {
            Some(source) => format!("It goes out on {} ({}).", source.label, source.detail),
            None => "The list of sources is on its way.".into(),
        };
        ui.label(RichText::new(text).color(look.dim));
        ui.label(RichText::new("Or start a capture, or open a file with Ctrl+O.").color(look.dim));
    });
}
