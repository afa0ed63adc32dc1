//! Scripts of expectations: a text with the state of each line beside it, and what the run says.

use std::sync::Arc;

use eframe::egui::{
    Align, Align2, Button, CentralPanel, Color32, FontSelection, Frame, Galley, Id, Label, Layout, Margin,
    Panel, Pos2, Rect, RichText, Role, ScrollArea, TextBuffer, TextEdit, TextFormat, Ui, WidgetInfo, pos2,
    text::LayoutJob, vec2,
};

use super::builder::bar_frame;
use super::theme::{self, Look, look};
use crate::app::{Command, LineState, ScriptCommand, ScriptEvent, ScriptProblem, ScriptRun, Workbench};
use crate::engine::script::EXAMPLES;

/// Room for the state and the number of a line.
const GUTTER: f32 = 58.0;
/// Events that are shown.
const SHOWN: usize = 400;

/// The identity of the text box.
#[must_use]
pub fn editor_id() -> Id {
    Id::unique("script-text")
}

/// Draws the script in the place of the builder.
pub fn script_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    Panel::top("script-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bar_ui(ui, bench, commands);
    });
    Panel::bottom("script-run").frame(bar_frame(ui)).show_separator_line(true).show(ui, |ui| {
        run_ui(ui, bench, commands);
    });
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 4));
    if bench.scripts().problem().is_some() || bench.scripts().run().is_some() {
        Panel::bottom("script-said").resizable(true).default_size(270.0).min_size(80.0).frame(frame).show(
            ui,
            |ui| match (bench.scripts().problem(), bench.scripts().run()) {
                (Some(problem), _) => problem_ui(ui, problem, commands),
                (None, Some(run)) => said_ui(ui, run, commands),
                (None, None) => {}
            },
        );
    }
    CentralPanel::default().frame(frame).show(ui, |ui| editor_ui(ui, bench, commands));
}

fn bar_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let scripts = bench.scripts();
    let mut push = |command| commands.push(Command::Script(command));
    ui.horizontal(|ui| {
        ui.label(RichText::new("Script").strong().size(14.0));
        let name = scripts.name().unwrap_or_else(|| "not saved".into());
        let text = if scripts.is_edited() { format!("{name}, edited") } else { name };
        ui.add(Label::new(RichText::new(text).size(12.0).color(look.dim)).truncate());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Back to the builder").clicked() {
                push(ScriptCommand::Show(false));
            }
            if ui.button("Save as…").clicked() {
                push(ScriptCommand::AskSave);
            }
            ui.menu_button("Run a script… ▾", |ui| {
                if ui.button("From a file…").clicked() {
                    push(ScriptCommand::AskOpen);
                    ui.close();
                }
                ui.label(RichText::new("Examples, for the lab").size(11.0).color(look.dim));
                for (index, (name, _)) in EXAMPLES.iter().enumerate() {
                    if ui.button(*name).clicked() {
                        push(ScriptCommand::Example(index));
                        ui.close();
                    }
                }
            });
        });
    });
}

/// Run, Stop, and how it goes.
fn run_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let scripts = bench.scripts();
    let running = scripts.is_running();
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        let (text, color) = state_text(bench, look);
        let room = ui.available_width() - 100.0;
        ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
            ui.add(Label::new(RichText::new(&text).size(12.5).color(color)).truncate()).on_hover_text(&text);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if running {
                let stop = Button::new(RichText::new("Stop").color(look.bad)).min_size(vec2(95.0, 25.0));
                if ui.add(stop).clicked() {
                    commands.push(Command::Script(ScriptCommand::Stop));
                }
            } else {
                let run = Button::new(RichText::new("Run").color(look.on_accent)).fill(look.accent);
                if ui.add(run.min_size(vec2(95.0, 25.0))).on_hover_text("F5").clicked() {
                    commands.push(Command::Script(ScriptCommand::Run));
                }
            }
        });
    });
}

fn state_text(bench: &Workbench, look: &Look) -> (String, Color32) {
    let scripts = bench.scripts();
    if let Some(problem) = scripts.problem() {
        return (format!("Line {} is wrong: nothing was sent.", problem.line), look.bad);
    }
    match scripts.run() {
        _ if scripts.is_running() && scripts.run().is_none_or(|r| !r.is_running()) => {
            ("It runs as soon as the capture listens.".into(), look.dim)
        }
        None => ("F5 runs it; its packets show in the capture.".into(), look.dim),
        Some(run) if run.is_running() && run.is_stopping() => ("It stops.".into(), look.dim),
        Some(run) if run.is_running() => match run.at {
            Some(line) => (format!("Line {line} waits."), look.text),
            None => ("It runs.".into(), look.text),
        },
        Some(run) => {
            let color = if run.pass() == Some(true) { look.good } else { look.bad };
            (run.summary().unwrap_or_default(), color)
        }
    }
}

fn problem_ui(ui: &mut Ui, problem: &ScriptProblem, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("The script is wrong").strong().color(look.bad));
        copy_ui(ui, &problem.text, "Copy the text", commands);
    });
    ScrollArea::both().id_salt("script-problem").auto_shrink(false).show(ui, |ui| {
        let text = RichText::new(&problem.text).monospace().size(12.0);
        ui.add(Label::new(text).selectable(true).extend());
    });
}

/// What the run has said.
fn said_ui(ui: &mut Ui, run: &ScriptRun, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("What happened").strong());
        let gone = run.gone + run.events.len().saturating_sub(SHOWN) as u64;
        if gone > 0 {
            let text = format!("{gone} lines before are not shown");
            ui.label(RichText::new(text).size(11.5).color(look.dim));
        }
        copy_ui(ui, &run.report(), "Copy what happened", commands);
    });
    let area = ScrollArea::both().id_salt("script-said").auto_shrink(false).stick_to_bottom(true);
    area.show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for event in run.events.iter().skip(run.events.len().saturating_sub(SHOWN)) {
            let text = RichText::new(&event.text).monospace().size(11.5).color(color_of(event, look));
            ui.add(Label::new(text).selectable(true).extend());
        }
    });
}

fn color_of(event: &ScriptEvent, look: &Look) -> Color32 {
    match (event.good, event.line) {
        (Some(false), _) => look.bad,
        (Some(true), _) => look.good,
        (None, Some(_)) => look.text,
        (None, None) => look.warn,
    }
}

fn copy_ui(ui: &mut Ui, text: &str, name: &str, commands: &mut Vec<Command>) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let button = ui.small_button("Copy");
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
        if button.clicked() {
            commands.push(Command::Copy(text.to_owned()));
        }
    });
}

fn editor_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let scripts = bench.scripts();
    let look = look(ui);
    let mut text = scripts.text().to_owned();
    let area = ScrollArea::both().id_salt("script-scroll").auto_shrink(false);
    area.show(ui, |ui| {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            let (gutter, _) = ui.allocate_exact_size(vec2(GUTTER, 1.0), eframe::egui::Sense::hover());
            let mut layouter = |ui: &Ui, text: &dyn TextBuffer, _: f32| galley_of(ui, text.as_str(), look);
            let shown = TextEdit::multiline(&mut text)
                .id(editor_id())
                .font(FontSelection::FontId(theme::mono(12.5)))
                .frame(Frame::NONE)
                .desired_width(f32::INFINITY)
                .desired_rows(12)
                .layouter(&mut layouter)
                .show(ui);
            super::named(&shown.response.response, "Script text");
            lines_ui(ui, bench, gutter.left(), &shown.galley, shown.galley_pos);
            if shown.response.response.changed() {
                commands.push(Command::Script(ScriptCommand::Text(std::mem::take(&mut text))));
            }
        });
    });
}

/// The script with each line in the colour of what it does; never wrapped, so that a line is a row.
fn galley_of(ui: &Ui, text: &str, look: &Look) -> Arc<Galley> {
    let mut job = LayoutJob::default();
    job.wrap.max_width = f32::INFINITY;
    for line in text.split_inclusive('\n') {
        let color = match line.trim_start().chars().next() {
            Some('#') => look.dim,
            Some('>') => look.accent,
            Some('<') => look.good,
            Some('!') => look.warn,
            _ => look.text,
        };
        let (code, comment) = line.split_at(comment_of(line).unwrap_or(line.len()));
        job.append(code, 0.0, TextFormat::simple(theme::mono(12.5), color));
        job.append(comment, 0.0, TextFormat::simple(theme::mono(12.5), look.dim));
    }
    ui.fonts_mut(|f| f.layout_job(job))
}

/// Where the comment of a line begins: a # that stands in no text.
fn comment_of(line: &str) -> Option<usize> {
    let (mut inside, mut escaped) = (false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '\\' if inside => {
                escaped = !escaped;
                continue;
            }
            '"' if !escaped => inside = !inside,
            '#' if !inside => return Some(at),
            _ => {}
        }
        escaped = false;
    }
    None
}

/// The state and the number of each line, left of it.
fn lines_ui(ui: &mut Ui, bench: &Workbench, left: f32, galley: &Galley, at: Pos2) {
    let (look, scripts) = (look(ui), bench.scripts());
    let run = scripts.run();
    let wrong = scripts.problem().map(|p| p.line);
    let current = run.filter(|r| r.is_running()).and_then(|r| r.at);
    for (row, number) in galley.rows.iter().zip(1..) {
        let rect = row.rect().translate(at.to_vec2());
        let state = run.and_then(|r| r.lines.get(&number)).copied().unwrap_or_default();
        let (sign, color, said) = if wrong == Some(number) {
            ("×", look.bad, "wrong".to_owned())
        } else {
            sign_of(state, current == Some(number), look)
        };
        let strip = Rect::from_min_max(pos2(left, rect.top()), pos2(left + GUTTER - 8.0, rect.bottom()));
        if !said.is_empty() {
            let mark = ui.interact(strip, editor_id().with(number), eframe::egui::Sense::hover());
            let spoken = format!("Line {number}: {said}");
            mark.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
            mark.on_hover_text(spoken);
        }
        if !ui.is_rect_visible(strip) {
            continue;
        }
        let (y, painter) = (rect.center().y, ui.painter());
        painter.text(pos2(left + 4.0, y), Align2::LEFT_CENTER, sign, theme::mono(12.5), color);
        let mono = theme::mono(11.0);
        painter.text(pos2(strip.right(), y), Align2::RIGHT_CENTER, number.to_string(), mono, look.dim);
    }
}

/// A sign for the state of a line, and the words.
fn sign_of(state: LineState, waits: bool, look: &Look) -> (&'static str, Color32, String) {
    let times = |count: u64| if count == 1 { String::new() } else { format!(" {count} times") };
    match state {
        LineState { failed: failed @ 1.., .. } => ("×", look.bad, format!("failed{}", times(failed))),
        _ if waits => ("…", look.accent, "waits".into()),
        LineState { passed: passed @ 1.., .. } => ("ok", look.good, format!("passed{}", times(passed))),
        LineState { sent: sent @ 1.., .. } => ("→", look.accent, format!("sent{}", times(sent))),
        _ => ("", look.dim, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::comment_of;

    #[test]
    fn a_comment_begins_outside_of_texts() {
        assert_eq!(comment_of("> x # why"), Some(4));
        assert_eq!(comment_of("> \"a # b\" # why"), Some(10));
        assert_eq!(comment_of("> \"a \\\" # b\""), None);
    }
}
