//! The display filter's box, above the packet list, and the box in which is typed what is sought.

use eframe::egui::{Align, Button, Id, Key, Label, Layout, Modifiers, RichText, Role, Ui, WidgetInfo};

use super::filter_box::FilterBox;
use super::theme::look;
use super::{State, bars};
use crate::app::{Command, Find, Sought, StreamCommand, Workbench};
use crate::filter::complete::Words;
use crate::filter::{EXAMPLE, EXAMPLE_SOUGHT, Reading};

/// The box, for the keyboard.
#[must_use]
pub fn box_id() -> Id {
    Id::unique("display filter")
}

/// The box in which is typed what is sought, for the keyboard.
#[must_use]
pub fn find_id() -> Id {
    Id::unique("find packet")
}

/// Draws the box, and what is wrong in it.
pub fn filter_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let filter = bench.filter();
    let mut open = false;
    ui.horizontal(|ui| {
        ui.label(RichText::new("Filter").size(12.0).color(look.dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            again_ui(ui, bench, commands);
            let history = history_button(ui, "Filters applied before");
            beside_ui(ui, bench, commands);
            let filter_box = FilterBox {
                id: box_id(),
                name: "Display filter",
                text: filter.text(),
                error: filter.error(),
                words: Some(Words::Display),
                history: bench.history(Words::Display),
                hint: EXAMPLE,
                width: f32::INFINITY,
            };
            let outcome = filter_box.show(ui, &mut state.display_box);
            open = outcome.open;
            if let Some(text) = outcome.changed {
                commands.push(Command::Filter(text));
            }
            if outcome.applied {
                commands.push(Command::Remember(Words::Display));
            }
            // Behind the box, which gives the keyboard away at a click beside it.
            if history {
                state.display_box.show_history();
                outcome.response.request_focus();
            }
        });
    });
    let problem = bench.capture().sieve().and_then(crate::engine::Sieve::problem);
    // What hangs below the box says it while it is there.
    let wrong = filter.error().filter(|_| !open).map(|e| e.render(filter.text()));
    if let Some(text) = wrong.or(problem) {
        error_ui(ui, &text, commands);
    }
    if bench.find().is_open() {
        find_ui(ui, bench, state, commands);
    }
}

/// A small button that opens what was applied before.
pub fn history_button(ui: &mut Ui, name: &str) -> bool {
    let look = look(ui);
    let button = ui.add(Button::new(RichText::new("▾").size(13.0).color(look.dim)).frame(false));
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    button.on_hover_text("filters applied before (Up in the empty box)").clicked()
}

/// What is wrong, with its place; it can be selected, and copied as a whole.
fn error_ui(ui: &mut Ui, text: &str, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.horizontal_top(|ui| {
        let label = Label::new(RichText::new(text).monospace().size(12.0).color(look.bad));
        ui.add(label.selectable(true));
        if ui.small_button("Copy").on_hover_text("all of this, with the filter").clicked() {
            commands.push(Command::Copy(text.to_owned()));
        }
    });
}

/// Sends what the list shows once more.
fn again_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    const NAME: &str = "Send these packets again";
    let button = ui.add_enabled(bench.capture().shown() > 0, Button::new("Send again…"));
    let enabled = button.enabled();
    button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, NAME));
    if button.on_hover_text("send the packets that the list shows once more").clicked() {
        commands.push(Command::Stream(StreamCommand::AskAgain));
    }
}

/// Whose words hold, how far the work is, and the way out.
fn beside_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let filter = bench.filter();
    if filter.text().is_empty() {
        return;
    }
    let clear = ui.add(Button::new(RichText::new("×").size(14.0)).frame(false));
    clear.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Show all packets"));
    if clear.on_hover_text("show all packets (Ctrl+Shift+F)").clicked() {
        commands.push(Command::Filter(String::new()));
    }
    let (words, meaning) = match filter.reading() {
        Some(Reading::Display) => {
            ("Wireshark", "read as a display filter: a protocol is meant anywhere in a packet")
        }
        Some(Reading::Capture) => ("tcpdump", "read as pcap-filter(7): the outermost headers are meant"),
        None => return,
    };
    ui.label(RichText::new(words).size(11.0).color(look.dim)).on_hover_text(meaning);
    if let Some(sieve) = bench.capture().sieve().filter(|s| s.tested() < bench.capture().len()) {
        let tested = format!("{} tested", bars::grouped(sieve.tested() as u64));
        ui.label(RichText::new(tested).size(11.0).color(look.dim));
    }
}

/// The box in which is typed what is sought.
fn find_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let find = bench.find();
    let mut step = |step| commands.push(Command::Find(step));
    ui.horizontal(|ui| {
        ui.label(RichText::new("Find").size(12.0).color(look.dim));
        for (kind, name) in Sought::ALL {
            let label = ui.selectable_label(find.kind() == kind, RichText::new(name).size(12.0));
            let spoken = format!("Find by {}", name.to_lowercase());
            label.widget_info(|| WidgetInfo::selected(Role::Button, true, find.kind() == kind, &spoken));
            if label.clicked() {
                step(Find::Kind(kind));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let name = if find.seeks().is_some() { "Give up the search" } else { "Close the search" };
            let close = ui.add(Button::new(RichText::new("×").size(14.0)).frame(false));
            close.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
            if close.on_hover_text(name).clicked() {
                step(Find::Close);
            }
            if ui.small_button("Next").on_hover_text("the next packet that has it (F3)").clicked() {
                step(Find::Next);
            }
            if ui.small_button("Previous").on_hover_text("the one before (Shift+F3)").clicked() {
                step(Find::Previous);
            }
            let message = match find.seeks() {
                Some(_) => Some("seeking…"),
                None => find.message(),
            };
            if let Some(message) = message {
                ui.label(RichText::new(message).size(12.0).color(look.warn));
            }
            find_box_ui(ui, bench, state, &mut step);
        });
    });
    if let Some(text) = find.error() {
        error_ui(ui, text, commands);
    }
}

fn find_box_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, step: &mut dyn FnMut(Find)) {
    let find = bench.find();
    let focused = ui.memory(|m| m.has_focus(find_id()));
    let back = focused && ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, Key::Enter));
    let leave = focused && ui.input(|i| i.key_pressed(Key::Escape)) && !state.find_box.is_open();
    let filter_box = FilterBox {
        id: find_id(),
        name: "Find packet",
        text: find.text(),
        error: None,
        words: match find.kind() {
            Sought::Filter => Some(Words::Display),
            _ => None,
        },
        history: &[],
        hint: match find.kind() {
            Sought::Filter => EXAMPLE_SOUGHT,
            Sought::Text => "text in the packet, in capitals or not",
            Sought::Hex => "de ad be ef",
        },
        width: f32::INFINITY,
    };
    let outcome = filter_box.show(ui, &mut state.find_box);
    if let Some(text) = outcome.changed {
        step(Find::Text(text));
    }
    if back {
        step(Find::Previous);
    } else if outcome.entered {
        step(Find::Next);
        // It goes on from here with Enter alone.
        outcome.response.request_focus();
    } else if leave {
        step(Find::Close);
    }
}
