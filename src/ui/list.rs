//! The packet list: a row for each packet and for each gap between them, drawn only where it is in sight.

use eframe::egui::{
    Align2, CornerRadius, Key, Modifiers, Rect, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::State;
use super::colours::{Shade, shade};
use super::columns::{self, Layout};
use super::filter_menu;
use super::marks;
use super::row_menu::row_menu;
use super::rows::rows_ui;
use super::theme::{self, LIST_ROW, look};
use crate::app::{Command, Gap, GapKind, Line, ListRow, Workbench};
use crate::pcap::Direction;

/// Draws the list.
pub fn list_ui(ui: &mut Ui, bench: &mut Workbench, state: &mut State, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let count = bench.capture().rows();
    state.rows = bench.capture().len();
    let layout = Layout::new(bench, &state.columns, ui.available_rect_before_wrap(), state.rows);
    columns::header_ui(ui, bench, &layout, state, commands);
    if count == 0 {
        empty_ui(ui, bench);
        return;
    }
    let has_keyboard = ui.memory(|m| m.focused().is_none()) && bench.list().sheet().is_none();
    if has_keyboard {
        keys(ui, bench, state, commands);
    }
    columns::shift(ui, &layout, state, has_keyboard);
    // The newest packet is the last row in the order of the capture only.
    let follow = bench.capture().follows() && bench.capture().sorted().is_none();
    keep_selected_in_sight(bench, state);
    let area = ui.available_rect_before_wrap();
    let bar = if layout.room > 0.0 { 9.0 } else { 0.0 };
    let area = area.with_max_y(area.bottom() - bar);
    let row = state.scroll_to.take().map(|position| bench.capture().row_of(position));
    if let Some(row) = state.reveal.take().or(row) {
        state.place.center(row, area.height(), LIST_ROW);
    } else if follow {
        state.place.end();
    }
    let selected = bench.capture().selected().map(|s| s.index);
    let mut place = state.place;
    state.columns.in_sight = 0..0;
    let mut inner = ui.new_child(UiBuilder::new().max_rect(area).id_salt("list"));
    let moved = rows_ui(&mut inner, &mut place, (count, LIST_ROW), |ui, row| {
        let seen = &mut state.columns.in_sight;
        *seen = if seen.start == seen.end { row..row + 1 } else { seen.start..row + 1 };
        match bench.capture().line(row) {
            Some(Line::Packet(position)) => {
                if let Some(found) = bench.capture_mut().row(position) {
                    row_ui(ui, bench, (&layout, &found), selected == Some(position), commands, state);
                }
            }
            Some(Line::Gap(gap)) => gap_ui(ui, bench, gap),
            None => {}
        }
    });
    ui.advance_cursor_after_rect(area);
    columns::shift_ui(ui, &layout, state);
    state.place = place;
    // Scrolling up lets the list rest; going to its end follows the newest again.
    if follow && moved.up {
        commands.push(Command::Follow(false));
    } else if !bench.capture().follows() && moved.at_end && moved.down && bench.capture().sorted().is_none() {
        commands.push(Command::Follow(true));
    }
}

/// Once the list is in another order, the selected packet is shown at its new place.
fn keep_selected_in_sight(bench: &Workbench, state: &mut State) {
    let rows = bench.capture().shown();
    let order = bench.capture().sorted().map(|s| {
        let sorter = &s.sorter;
        (s.key.clone(), sorter.is_descending(), sorter.is_done(rows) || !sorter.arranged().is_empty())
    });
    if order == state.columns.order {
        return;
    }
    let is_settled = order.as_ref().is_none_or(|(.., done)| *done);
    state.columns.order = order;
    if let Some(selected) = bench.capture().selected().filter(|_| is_settled) {
        state.scroll_to = Some(selected.index);
    }
}

/// Moves the selection by the arrow and page keys, when no text box has the keyboard.
fn keys(ui: &Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let count = bench.capture().rows();
    let page = (ui.available_height() / LIST_ROW) as usize;
    let now = bench.capture().selected().map(|s| bench.capture().row_of(s.index));
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let at = now.unwrap_or(0);
    // Where to, and whether towards the end.
    let (next, down) = if pressed(Key::ArrowDown) {
        (now.map_or(0, |n| n + 1), true)
    } else if pressed(Key::ArrowUp) {
        (at.saturating_sub(1), false)
    } else if pressed(Key::PageDown) {
        (at + page, true)
    } else if pressed(Key::PageUp) {
        (at.saturating_sub(page), false)
    } else if pressed(Key::Home) {
        (0, true)
    } else if pressed(Key::End) {
        commands.push(Command::Follow(true));
        (count - 1, false)
    } else {
        return;
    };
    let next = next.min(count - 1);
    // A gap cannot be selected: on to the packet behind it.
    let packet = |row: &usize| match bench.capture().line(*row) {
        Some(Line::Packet(position)) => Some((*row, position)),
        _ => None,
    };
    let behind = || (next..count).find_map(|row| packet(&row));
    let before = || (0..=next).rev().find_map(|row| packet(&row));
    let found = if down { behind().or_else(before) } else { before().or_else(behind) };
    let Some((row, position)) = found else { return };
    commands.push(Command::Select(Some(position)));
    if row + 1 < count || bench.capture().sorted().is_some() {
        commands.push(Command::Follow(false));
    }
    state.scroll_to = Some(position);
}

fn row_ui(
    ui: &mut Ui,
    bench: &Workbench,
    (layout, found): (&Layout, &ListRow),
    selected: bool,
    commands: &mut Vec<Command>,
    state: &mut State,
) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LIST_ROW), Sense::click());
    let row = &found.row;
    let rule = found.rule.and_then(|rule| bench.list().settings().colour_rules.get(rule));
    let roles = bench.capture().roles(found.number - 1);
    let said = marks::text_of(&roles);
    let spoken = || {
        let cells = columns::spoken_cells(bench, found);
        let rule = rule.map(|rule| format!(", {}", rule.name)).unwrap_or_default();
        let main =
            format!("{} {} {} {} {}", found.number, row.source, row.destination, row.protocol, row.info);
        let said = if said.is_empty() { String::new() } else { format!(", {said}") };
        format!("{main}{cells}{said}{rule}")
    };
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, selected, spoken()));
    let hue = look.protocol_hue(row.protocol);
    let Shade { ground, text, dim } = shade(look, rule, hue, selected, response.hovered());
    ui.painter().rect_filled(rect, CornerRadius::ZERO, ground);
    let mark = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
    let outgoing = found.entry.direction() == Direction::Outbound;
    ui.painter().rect_filled(
        mark,
        CornerRadius::ZERO,
        if outgoing { hue } else { theme::mix(look.panel, hue, 70) },
    );
    let marked = columns::cells_ui(ui, bench, (layout, rect), found, &said, (text, dim));
    let place = marked.map(|place| place.intersect(rect)).filter(Rect::is_positive);
    let led =
        place.is_some_and(|place| marks::mark_ui(ui, place, (found.number, &roles), dim, commands, state));
    if response.clicked() && !led {
        response.surrender_focus();
        commands.push(Command::Select(Some(found.number - 1)));
        commands.push(Command::Follow(false));
        state.scroll_to = None;
    }
    if response.secondary_clicked() {
        commands.push(Command::Select(Some(found.number - 1)));
        commands.push(Command::Follow(false));
        state.menu_column = response.interact_pointer_pos().map_or(0, |pos| layout.at(pos.x));
    }
    if response.double_clicked() {
        commands.push(Command::EditCopy(found.number - 1));
    }
    row_menu(&response, found.number - 1, commands, |ui, commands| {
        ui.separator();
        filter_menu::cell_ui(ui, bench, state.menu_column, commands);
    });
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(row.info.as_str()).monospace().size(12.0));
        if let Some(rule) = rule {
            ui.label(RichText::new(format!("coloured by the rule {}", rule.name)).size(11.5).color(look.dim));
        }
    });
}

/// A row that is no packet: what happened between the packets above and below it.
fn gap_ui(ui: &mut Ui, bench: &Workbench, gap: usize) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LIST_ROW), Sense::hover());
    let Some(Gap { kind, text, time_ns, .. }) = bench.capture().gaps().get(gap) else { return };
    let color = match kind {
        GapKind::Lost | GapKind::Away => look.bad,
        GapKind::Back => look.good,
        GapKind::Note => look.warn,
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let ground = theme::mix(look.panel, color, 26);
    let color = look.legible(color, ground);
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::ZERO, ground);
    // Lines like a cut through the list, the words between them.
    let y = rect.center().y;
    let (left, right) = (rect.left() + 8.0, rect.right() - 8.0);
    let at = pos2(left + 22.0, y);
    let seen = painter.text(at, Align2::LEFT_CENTER, text, theme::plain(12.0), color);
    let stroke = (1.0, color);
    for (from, to) in [(left, at.x - 6.0), (seen.right() + 6.0, right)] {
        if to > from {
            painter.extend(eframe::egui::Shape::dashed_line(&[pos2(from, y), pos2(to, y)], stroke, 4.0, 3.0));
        }
    }
    let first = bench.capture().first_ns();
    response.on_hover_ui(|ui| {
        ui.label(text);
        if let (Some(time), Some(first)) = (time_ns, first) {
            let seconds = crate::filter::values::seconds_between(first, *time, 6);
            ui.label(RichText::new(format!("noticed at {seconds} s")).size(11.5).color(look.dim));
        }
    });
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
