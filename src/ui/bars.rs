//! The bars of the window: the top one, the status, and the capture panel's.

use eframe::egui::{Align, Button, ComboBox, Id, Label, Layout, RichText, Role, Ui, WidgetInfo};

use super::State;
use super::capture_options;
use super::filter_box::FilterBox;
use super::hold::hold_status_ui;
use super::reading;
use super::theme::look;
use crate::app::{Command, Origin, ScriptCommand, Theme, Workbench};
use crate::engine::{HostWay, Place};
use crate::filter::complete::Words;

/// Source, start and stop, open and save, commands.
pub fn top_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.horizontal(|ui| {
        source_ui(ui, bench, commands);
        capture_filter_ui(ui, bench, state, commands);
        let busy = bench.capture().is_busy();
        if busy {
            let text = RichText::new("■ Stop").color(look.bad);
            if ui.button(text).on_hover_text("Ctrl+R").clicked() {
                commands.push(Command::StopCapture);
            }
        } else {
            let text = RichText::new("● Start").color(look.good);
            if ui.button(text).on_hover_text("capture from this source (Ctrl+R)").clicked() {
                commands.push(Command::StartCapture);
            }
        }
        capture_options::options_button_ui(ui, bench, commands);
        ui.separator();
        if ui.button("Open").on_hover_text("a capture file (Ctrl+O)").clicked() {
            commands.push(Command::Open);
        }
        if ui.button("Save").on_hover_text("the captured packets (Ctrl+S)").clicked() {
            commands.push(Command::Save);
        }
        let shown = bench.scripts().is_shown();
        let hint = "packets and what must come back, run from top to bottom";
        if ui.selectable_label(shown, "Script").on_hover_text(hint).clicked() {
            commands.push(Command::Script(ScriptCommand::Show(!shown)));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (name, theme) = match bench.theme() {
                Theme::Dark => ("Light", Theme::Light),
                Theme::Light => ("Dark", Theme::Dark),
            };
            let button = ui.add(Button::new(RichText::new(name).color(look.dim)).frame(false));
            button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Switch theme"));
            if button.on_hover_text("dark or light (Ctrl+T)").clicked() {
                commands.push(Command::Theme(theme));
            }
            if ui.button("Commands…").on_hover_text("everything by name (Ctrl+K)").clicked() {
                commands.push(Command::Palette);
            }
        });
    });
}

/// What the next capture keeps.
fn capture_filter_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let filter = bench.capture_filter();
    let id = Id::unique("capture filter");
    let filter_box = FilterBox {
        id,
        name: "Capture filter",
        text: filter.text(),
        error: filter.error(),
        words: Some(Words::Capture),
        history: bench.history(Words::Capture),
        hint: "capture filter: everything",
        width: 220.0,
    };
    let outcome = filter_box.show(ui, &mut state.capture_box);
    if let Some(text) = outcome.changed {
        commands.push(Command::CaptureFilter(text));
    }
    if outcome.applied {
        commands.push(Command::Remember(Words::Capture));
    }
    if super::filter::history_button(ui, "Capture filters applied before") {
        state.capture_box.show_history();
        ui.memory_mut(|m| m.request_focus(id));
    }
    if outcome.open {
        return;
    }
    let problem = filter.problem();
    outcome.response.on_hover_ui(|ui| match &problem {
        Some(problem) => {
            ui.add(Label::new(RichText::new(problem).monospace().color(look.bad)).selectable(true));
            if ui.small_button("Copy").clicked() {
                commands.push(Command::Copy(problem.clone()));
            }
        }
        None => drop(ui.label(
            "what is captured, in tcpdump's words or Wireshark's; in the kernel where it can run there. It holds from the \
             next start on.",
        )),
    });
}

fn source_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let (sources, chosen) = bench.sources();
    let text = sources.get(chosen).map_or("no source yet".to_owned(), |s| s.label.clone());
    ui.label(RichText::new("Source").color(look.dim));
    ui.name_inputs("Source", |ui| {
        ComboBox::from_id_salt("source").selected_text(text).width(170.0).height(400.0).show_ui(ui, |ui| {
            ui.set_min_width(380.0);
            for (index, source) in sources.iter().enumerate() {
                let name = RichText::new(&source.label);
                ui.horizontal(|ui| {
                    if ui.selectable_label(index == chosen, name).clicked() {
                        commands.push(Command::Source(index));
                        ui.close();
                    }
                    ui.label(RichText::new(&source.detail).size(11.0).color(look.dim));
                });
            }
            ui.separator();
            ui.horizontal(|ui| {
                if ui.selectable_label(false, "remote over ssh…").clicked() {
                    commands.push(Command::AskRemote);
                    ui.close();
                }
                ui.label(RichText::new("tcpdump on another machine").size(11.0).color(look.dim));
            });
        });
    });
}

/// What was received, lost and written, and where one works.
pub fn status_ui(ui: &mut Ui, bench: &Workbench) {
    let look = look(ui);
    let dim = |text: String| RichText::new(text).size(12.0).color(look.dim);
    ui.horizontal(|ui| {
        match bench.capture().counters() {
            Some(counters) => {
                let tally = counters.now();
                let lost = tally.lost_kernel + tally.lost_here;
                ui.label(dim(format!("received {}", grouped(tally.received))));
                let text =
                    format!("lost {} (kernel) {} (us)", grouped(tally.lost_kernel), grouped(tally.lost_here));
                ui.label(RichText::new(text).size(12.0).color(if lost > 0 { look.bad } else { look.dim }));
                ui.label(dim(format!("written {}", size_text(tally.bytes))));
            }
            None => {
                let text = match bench.capture().origin() {
                    Origin::File(path) => {
                        format!("{} packets of {}", grouped(bench.capture().len() as u64), path.display())
                    }
                    Origin::Left(_) => {
                        format!("{} recovered packets", grouped(bench.capture().len() as u64))
                    }
                    Origin::Live(source) if !bench.capture().is_empty() => {
                        format!("{} packets from {source}", grouped(bench.capture().len() as u64))
                    }
                    _ => "no packets yet".into(),
                };
                ui.label(dim(text));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let place = match bench.source().map(|s| &s.place) {
                Some(Place::Lab) => "in the lab, no privilege used",
                Some(_) => match bench.host_way() {
                    HostWay::Open => "raw sockets through the broker",
                    HostWay::Asks => "raw sockets after a permission",
                    HostWay::Closed => "no privilege for raw sockets here",
                },
                None => "",
            };
            ui.label(dim(place.into()));
            hold_status_ui(ui, bench);
        });
    });
}

/// The capture panel's bar.
pub fn capture_bar_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Capture").strong().size(14.0));
        let (text, color) = match (bench.capture().is_running(), bench.capture().origin()) {
            (true, Origin::Live(source)) => (format!("● listening on {source}"), look.good),
            (false, Origin::Live(source)) => (format!("stopped, from {source}"), look.dim),
            (_, Origin::Left(_)) if bench.capture().unsaved() == 0 => ("recovered, saved".into(), look.dim),
            (_, Origin::Left(_)) => ("recovered, not saved".into(), look.warn),
            (_, Origin::File(path)) => {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                match bench.capture().partly() {
                    Some(partly) => (format!("{name}, {partly}"), look.bad),
                    None => (name, look.dim),
                }
            }
            _ => (String::new(), look.dim),
        };
        if bench.capture().is_loading() {
            reading::progress_ui(ui, &text, bench, commands);
        } else {
            ui.label(RichText::new(text).size(12.0).color(color));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut follow = bench.capture().follows();
            if ui.checkbox(&mut follow, "Follow").on_hover_text("keep the newest packet in sight").changed() {
                commands.push(Command::Follow(follow));
            }
            reading::follow_file_ui(ui, bench, commands);
            let count = grouped(bench.capture().len() as u64);
            let text = match bench.capture().sieve() {
                Some(sieve) => format!("{} of {count} packets", grouped(sieve.len() as u64)),
                None => format!("{count} packets"),
            };
            ui.label(RichText::new(text).size(12.0).color(look.dim));
            super::columns::order_ui(ui, bench, commands);
        });
    });
}

/// A number with a thin space between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that reads best.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
