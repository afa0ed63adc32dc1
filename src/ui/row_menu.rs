//! What can be done with a captured packet, wherever it is shown as a row: the menu of its other mouse button.

use eframe::egui::{Response, Ui};

use crate::app::{Below, Beside, Command, CompareCommand, Workbench};
use crate::craft::reply;

/// Opens the menu of the packet at this position, from 0. `more` stands below what is common to all places.
pub fn row_menu(
    response: &Response,
    position: usize,
    commands: &mut Vec<Command>,
    more: impl FnOnce(&mut Ui, &mut Vec<Command>),
) {
    response.context_menu(|ui| {
        ui.set_min_width(170.0);
        reply_ui(ui, position, commands);
        if ui.button("Edit a copy").on_hover_text("Ctrl+E on the selected packet").clicked() {
            commands.push(Command::EditCopy(position));
            ui.close();
        }
        if ui.button("Compare with the draft").on_hover_text("field by field (Ctrl+D)").clicked() {
            commands.push(Command::Select(Some(position)));
            commands.push(Command::Below(Below::Compare));
            commands.push(Command::Compare(CompareCommand::With(Beside::Draft)));
            ui.close();
        }
        if ui.button("Show the conversation").on_hover_text("as a ladder (Ctrl+J)").clicked() {
            commands.push(Command::Select(Some(position)));
            commands.push(Command::Below(Below::Ladder));
            ui.close();
        }
        more(ui, commands);
    });
}

/// The buttons of the selected packet's bar, from the right.
pub fn packet_buttons(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let Some(packet) = bench.capture().selected() else { return };
    if ui.button("Edit a copy").on_hover_text("Ctrl+E").clicked() {
        commands.push(Command::EditCopy(packet.index));
    }
    reply_ui(ui, packet.index, commands);
}

fn reply_ui(ui: &mut Ui, position: usize, commands: &mut Vec<Command>) {
    let button = ui.button("Reply");
    let hint = format!("{}\n\nCtrl+Shift+R; Ctrl+Shift+Enter to the newest that came back", reply::HELP);
    if button.on_hover_text(hint).clicked() {
        commands.push(Command::Reply(Some(position)));
        ui.close();
    }
}
