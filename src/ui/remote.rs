//! Asking for what another machine is to capture.

use eframe::egui::{Align, Button, Grid, Key, Layout, RichText, TextEdit, Ui};

use super::theme::{self, look};
use crate::app::{Choice, Command};
use crate::engine::Remote;

/// What was typed.
pub struct Form {
    host: String,
    interface: String,
    filter: String,
    /// The command where it was edited by hand; else it is made of the rest.
    command: Option<String>,
    /// It is there already; when it comes up the host is typed first.
    pub open: bool,
}

impl Default for Form {
    fn default() -> Self {
        let (host, command, open) = (String::new(), None, false);
        // Without it each packet that comes over makes the next one.
        Self { host, interface: "any".into(), filter: "not port 22".into(), command, open }
    }
}

impl Form {
    fn remote(&self) -> Remote {
        let made = || Remote::command(&self.interface, &self.filter);
        Remote { host: self.host.trim().to_owned(), command: self.command.clone().unwrap_or_else(made) }
    }
}

/// The form, and the command that comes of it.
pub fn remote_ui(ui: &mut Ui, form: &mut Form, commands: &mut Vec<Command>) {
    let look = look(ui);
    ui.label(RichText::new("Capture on another machine over ssh").strong().size(15.0));
    ui.add_space(6.0);
    Grid::new("remote").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
        let mut changed = false;
        let row = |ui: &mut Ui, name: &str, text: &mut String, hint: &str| {
            ui.label(RichText::new(name).color(look.dim));
            let edit =
                TextEdit::singleline(text).desired_width(370.0).hint_text(hint).font(theme::mono(12.0));
            let response = ui.add(edit);
            super::named(&response, name);
            ui.end_row();
            response
        };
        let host = row(ui, "Host", &mut form.host, "user@host, or a name from ~/.ssh/config");
        if !std::mem::replace(&mut form.open, true) {
            host.request_focus();
        }
        changed |= row(ui, "Remote interface", &mut form.interface, "tcpdump's choice").changed();
        changed |= row(ui, "Remote filter", &mut form.filter, "everything, in tcpdump's words").changed();
        if changed {
            form.command = None;
        }
        let mut command = form.remote().command;
        if row(ui, "Command there", &mut command, "a command that writes a capture").changed() {
            form.command = Some(command);
        }
    });
    ui.add_space(4.0);
    let remote = form.remote();
    let problem = remote.check().err().filter(|_| !remote.host.is_empty());
    match &problem {
        Some(problem) => drop(ui.label(RichText::new(problem).size(12.0).color(look.bad))),
        None => {
            let text = "It runs until Stop. ssh asks nothing here: let it log in with a key. Without “not port 22” the \
                        capture would see its own connection.";
            ui.label(RichText::new(text).size(12.0).color(look.dim)).on_hover_ui(|ui| {
                ui.label(
                    RichText::new(format!("ssh {}", remote.arguments().join(" "))).monospace().size(11.0),
                );
            });
        }
    }
    let entered = ui.input(|i| i.key_pressed(Key::Enter));
    ui.add_space(10.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let ready = remote.check().is_ok();
        let start = Button::new(RichText::new("Capture").color(look.on_accent)).fill(look.accent);
        if ui.add_enabled(ready, start).clicked() || ready && entered {
            commands.push(Command::CaptureRemote(remote));
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
    });
}
