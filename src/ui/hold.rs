//! The switch of the reset guard, and how it stands.

use eframe::egui::{RichText, Ui};

use super::theme::look;
use crate::app::{Command, GUARD_HELP, Hold, Workbench};

/// The switch; not there where the draft leaves from no port that can be held.
pub fn hold_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let hold = bench.hold();
    if bench.draft_port().is_none() && hold == Hold::Off {
        return;
    }
    let mut on = hold != Hold::Off;
    let switch = ui.checkbox(&mut on, "Hold this port");
    if switch.on_hover_text(GUARD_HELP).changed() {
        commands.push(Command::HoldPort(on));
    }
}

/// Its place in the status line.
pub fn hold_status_ui(ui: &mut Ui, bench: &Workbench) {
    let look = look(ui);
    let (text, color) = match bench.hold() {
        Hold::Off => return,
        Hold::NoPort => ("no port to hold".to_owned(), look.warn),
        Hold::Asked(port) => (format!("port {port} is being held …"), look.dim),
        Hold::Held(port) => (format!("● port {port} held against resets"), look.good),
    };
    ui.separator();
    ui.label(RichText::new(text).size(12.0).color(color)).on_hover_text(GUARD_HELP);
}
