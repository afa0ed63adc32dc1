//! What lies over the panels: notices, questions, the command palette.

use std::path::Path;

use eframe::egui::{
    Align, Align2, Area, Button, Context, Frame, Id, Key, Layout, Margin, Modal, Order, RichText, Role,
    ScrollArea, Stroke, TextEdit, Ui, WidgetInfo, vec2,
};

use super::State;
use super::commands::{Entry, entries};
use super::theme::look;
use crate::app::{Choice, Command, ExchangeCommand, Notice, Question, ScriptCommand, Severity, Workbench};
use crate::craft::presets;
use crate::engine::Place;

/// Notices stand at the lower right; their text can be selected and copied.
pub fn notices_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    if bench.notices().is_empty() {
        return;
    }
    let area = Area::new(Id::unique("notices"))
        .order(Order::Foreground)
        .anchor(Align2::RIGHT_BOTTOM, vec2(-14.0, -34.0));
    area.show(ui.ctx(), |ui| {
        ui.set_max_width(560.0);
        let first = bench.notices().len().saturating_sub(3);
        for (index, notice) in bench.notices().iter().enumerate().skip(first) {
            notice_ui(ui, bench, index, notice, commands);
        }
    });
}

fn notice_ui(ui: &mut Ui, bench: &Workbench, index: usize, notice: &Notice, commands: &mut Vec<Command>) {
    let look = look(ui);
    let color = if notice.severity == Severity::Done { look.good } else { look.bad };
    let frame = Frame::new()
        .fill(look.bar)
        .stroke(Stroke::new(1.0, color))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(12, 8))
        .shadow(ui.visuals().popup_shadow);
    frame.show(ui, |ui| {
        ui.vertical(|ui| {
            ui.set_max_width(540.0);
            // What lists its ways shows them below, each with its button; a caret needs fixed width.
            let lines = notice.text.lines().count();
            let text = match (lines > 1, notice.ways.is_empty()) {
                (true, false) => RichText::new(notice.text.lines().next().unwrap_or_default()).size(13.0),
                (true, true) => RichText::new(&notice.text).monospace().size(12.0),
                (false, _) => RichText::new(&notice.text).size(13.0),
            };
            ui.label(text);
            for (number, (what, command)) in notice.ways.iter().enumerate() {
                ui.add_space(3.0);
                ui.label(RichText::new(format!("{}. {what}", number + 1)).size(12.5));
                ui.horizontal(|ui| {
                    ui.add_space(14.0);
                    if ui.small_button("Copy").clicked() {
                        commands.push(Command::Copy(command.clone()));
                    }
                    ui.label(RichText::new(command).monospace().size(12.0).color(look.accent));
                });
            }
            ui.horizontal(|ui| {
                // To whom the lab itself is refused, it is no way out.
                let elsewhere = bench.source().is_some_and(|s| s.place != Place::Lab);
                let lab = bench.sources().0.iter().position(|s| elsewhere && s.place == Place::Lab);
                if let (false, Some(lab)) = (notice.ways.is_empty(), lab)
                    && ui.small_button("Work in the lab").clicked()
                {
                    commands.push(Command::Source(lab));
                    commands.push(Command::Dismiss(index));
                }
                if ui.small_button("Copy text").clicked() {
                    commands.push(Command::Copy(notice.text.clone()));
                }
                if ui.small_button("Dismiss").clicked() {
                    commands.push(Command::Dismiss(index));
                }
            });
        });
    });
}

/// A question that has to be answered first.
pub fn question_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    state.remote.open &= bench.question() == Some(&Question::Remote);
    let Some(question) = bench.question() else { return };
    let id = match question {
        // The button that was pressed for one capture has not the keyboard when the next one is asked about.
        Question::Left { path, .. } => Id::unique(("question", path)),
        _ => Id::unique("question"),
    };
    let modal = Modal::new(id).show(ui.ctx(), |ui| {
        let wide = matches!(question, Question::Remote | Question::Again { .. });
        ui.set_width(if wide { 500.0 } else { 440.0 });
        match question {
            Question::Unsaved { packets, .. } => unsaved_ui(ui, *packets, commands),
            Question::Left { text, path, more } => left_ui(ui, text, (path, *more), commands),
            Question::SavePath => {
                path_ui(ui, state, "Save the capture as", "Save", commands, Command::SavePath)
            }
            Question::ExportPath => {
                let export = |path| Command::Exchanges(ExchangeCommand::Export(path));
                path_ui(ui, state, "Export the exchanges as CSV or .json", "Export", commands, export)
            }
            Question::OpenPath => {
                path_ui(ui, state, "Open a capture file", "Open", commands, Command::OpenPath)
            }
            Question::OpenScriptPath => path_ui(ui, state, "Open a script", "Open", commands, |path| {
                Command::Script(ScriptCommand::OpenPath(path))
            }),
            Question::SaveScriptPath => path_ui(ui, state, "Save the script as", "Save", commands, |path| {
                Command::Script(ScriptCommand::SavePath(path))
            }),
            Question::LoseScript(then) => lose_script_ui(ui, then, commands),
            Question::Again { rows, held } => {
                super::sending::again_ui(ui, bench, &mut state.again, (*rows, held.as_ref()), commands);
            }
            Question::Remote => super::remote::remote_ui(ui, &mut state.remote, commands),
        }
    });
    if modal.should_close() {
        commands.push(Command::Answer(Choice::Cancel));
    }
}

fn unsaved_ui(ui: &mut Ui, packets: usize, commands: &mut Vec<Command>) {
    let noun = if packets == 1 { "packet is" } else { "packets are" };
    ui.label(RichText::new(format!("{packets} captured {noun} not saved")).strong().size(15.0));
    ui.add_space(4.0);
    ui.label("Save them first, or lose them?");
    ui.add_space(10.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let look = look(ui);
        let save = Button::new(RichText::new("Save…").color(look.on_accent)).fill(look.accent);
        if ui.add(save).clicked() {
            commands.push(Command::Answer(Choice::Save));
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
        if ui.button(RichText::new("Discard").color(look.bad)).clicked() {
            commands.push(Command::Answer(Choice::Discard));
        }
    });
}

fn lose_script_ui(ui: &mut Ui, then: &ScriptCommand, commands: &mut Vec<Command>) {
    ui.label(RichText::new("The script was edited and is not saved").strong().size(15.0));
    ui.add_space(4.0);
    ui.label("It would be lost.");
    ui.add_space(10.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let look = look(ui);
        if ui.button("Keep it").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
        if ui.button("Save it as…").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
            commands.push(Command::Script(ScriptCommand::AskSave));
        }
        if ui.button(RichText::new("Lose it").color(look.bad)).clicked() {
            commands.push(Command::Script(ScriptCommand::Discard(Box::new(then.clone()))));
        }
    });
}

/// What a killed program left behind.
fn left_ui(ui: &mut Ui, text: &str, (path, more): (&Path, usize), commands: &mut Vec<Command>) {
    ui.label(RichText::new(text).strong().size(15.0));
    ui.add_space(4.0);
    let more = match more {
        0 => String::new(),
        1 => " One more capture was left behind: it comes next.".to_owned(),
        n => format!(" {n} more captures were left behind: they come next."),
    };
    ui.label(format!("rawbench ended before they were saved.{more}"));
    ui.label(RichText::new(path.display().to_string()).monospace().size(11.0).color(look(ui).dim));
    ui.add_space(10.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let look = look(ui);
        let show = Button::new(RichText::new("Open them").color(look.on_accent)).fill(look.accent);
        if ui.add(show).clicked() {
            commands.push(Command::Answer(Choice::Show));
        }
        if ui.button("Save them…").clicked() {
            commands.push(Command::Answer(Choice::Save));
        }
        if ui.button("Later").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
        if ui.button(RichText::new("Discard them").color(look.bad)).clicked() {
            commands.push(Command::Answer(Choice::Discard));
        }
    });
}

fn path_ui(
    ui: &mut Ui,
    state: &mut State,
    title: &str,
    action: &str,
    commands: &mut Vec<Command>,
    command: fn(std::path::PathBuf) -> Command,
) {
    ui.label(RichText::new(title).strong().size(15.0));
    ui.label("This system offers no file dialog, so type the path:");
    let edit = TextEdit::singleline(&mut state.path)
        .desired_width(f32::INFINITY)
        .hint_text("/home/me/capture.pcapng");
    let response = ui.add(edit);
    super::named(&response, "Path");
    if state.path_opened {
        response.request_focus();
        state.path_opened = false;
    }
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    ui.add_space(8.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let look = look(ui);
        let button = Button::new(RichText::new(action).color(look.on_accent)).fill(look.accent);
        let button = ui.add(button);
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{action} this path")));
        let ready = !state.path.trim().is_empty();
        if ready && (button.clicked() || entered) {
            commands.push(command(state.path.trim().into()));
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
    });
}

/// The palette: everything by name.
pub fn palette_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    if !bench.palette_is_open() {
        state.palette.clear();
        state.palette_choice = 0;
        state.palette_filters = None;
        return;
    }
    let modal = Modal::new(Id::unique("palette")).show(ui.ctx(), |ui| {
        ui.set_width(480.0);
        palette_body(ui, bench, state, commands);
    });
    if modal.should_close() && !commands.iter().any(|c| matches!(c, Command::Palette)) {
        commands.push(Command::Palette);
    }
}

/// Filters of the selected packet that the palette shows at once.
const MOST_FILTERS: usize = 60;

/// What may be typed into the palette, with the shortest preset that has a payload as the example of a packet.
fn palette_hint() -> String {
    let texts = presets::ALL.iter().map(|p| p.to(None)).filter(|t| t.contains('"'));
    let example = texts.min_by_key(String::len).unwrap_or_default();
    format!("what to do, or a packet: {example}")
}

fn palette_body(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let down = ui.input_mut(|i| i.consume_key(eframe::egui::Modifiers::NONE, Key::ArrowDown));
    let up = ui.input_mut(|i| i.consume_key(eframe::egui::Modifiers::NONE, Key::ArrowUp));
    let edit =
        TextEdit::singleline(&mut state.palette).desired_width(f32::INFINITY).hint_text(palette_hint());
    let response = ui.add(edit);
    super::named(&response, "Command");
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    if !entered {
        response.request_focus();
    }
    if response.changed() {
        state.palette_choice = 0;
    }
    let words: Vec<String> = state.palette.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let matches = |name: &str| words.iter().all(|w| name.to_lowercase().contains(w));
    let mut found: Vec<_> = entries(bench).into_iter().filter(|e| matches(&e.name)).collect();
    if !words.is_empty() {
        let filters = state.palette_filters.get_or_insert_with(|| super::filter_menu::entries(bench));
        let fitting = filters.iter().filter(|(name, _)| matches(name)).take(MOST_FILTERS).cloned();
        found.extend(fitting.map(|(name, command)| Entry { name, shortcut: None, command }));
    }
    if state.palette.contains(['(', '/']) {
        // Whoever types a packet gets it, or is told where it is wrong.
        let (name, text) = ("Build the packet of this notation".into(), state.palette.trim().to_owned());
        found.push(Entry { name, shortcut: None, command: Command::LoadNotation(text) });
    }
    if found.is_empty() {
        ui.label(RichText::new("No command has that name.").color(look.dim));
        return;
    }
    let last = found.len() - 1;
    state.palette_choice = match (down, up) {
        (true, _) => (state.palette_choice + 1).min(last),
        (_, true) => state.palette_choice.saturating_sub(1),
        _ => state.palette_choice.min(last),
    };
    ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
        for (index, entry) in found.into_iter().enumerate() {
            let chosen = index == state.palette_choice;
            let shortcut = entry.shortcut.map(|s| ui.ctx().format_shortcut(&s)).unwrap_or_default();
            let mut button =
                Button::selectable(chosen, entry.name).min_size(vec2(ui.available_width(), 22.0));
            if !shortcut.is_empty() {
                button = button.right_text(RichText::new(shortcut).size(11.0).color(look.dim));
            }
            let response = ui.add(button);
            if chosen && (down || up) {
                response.scroll_to_me(None);
            }
            if response.clicked() || (chosen && entered) {
                if !matches!(entry.command, Command::Palette) {
                    commands.push(entry.command);
                }
                commands.push(Command::Palette);
            }
        }
    });
}

/// Runs the shortcuts. `text_owns_undo`: Ctrl+Z belongs to the text box that has the keyboard.
pub fn shortcuts(context: &Context, bench: &Workbench, text_owns_undo: bool, commands: &mut Vec<Command>) {
    if bench.question().is_some() || bench.list().sheet().is_some() {
        return;
    }
    let mut all = entries(bench);
    // The longer ones first: Ctrl+Shift+Z is not Ctrl+Z.
    all.sort_by_key(|e| e.shortcut.is_none_or(|s| !s.modifiers.shift && !s.modifiers.alt));
    for entry in all {
        // Under the palette nothing acts but the palette.
        if bench.palette_is_open() && !matches!(entry.command, Command::Palette) {
            continue;
        }
        let Some(shortcut) = entry.shortcut else { continue };
        if text_owns_undo && matches!(entry.command, Command::Undo | Command::Redo) {
            continue;
        }
        if context.input_mut(|i| i.consume_shortcut(&shortcut)) {
            commands.push(entry.command);
        }
    }
}
