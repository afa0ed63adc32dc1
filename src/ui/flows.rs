//! What is known of the selected packet only from those before it: no byte of it says so.

use eframe::egui::{CollapsingHeader, Label, RichText, Ui};

use super::State;
use super::theme::{look, mono};
use crate::app::{CaptureState, Command};
use crate::wire::flow::{FlowKey, FlowKind, KEYS, Told};

/// Draws a section for each segment and datagram of the selected packet. Its title says what is odd about it.
pub fn flows_ui(ui: &mut Ui, capture: &CaptureState, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let all = match capture.told() {
        Some(all) => all,
        None => {
            // Of other packets nobody asked.
            let text = match capture.flows().problem() {
                Some(problem) => RichText::new(format!("▲ {problem}")).color(look.warn),
                None if capture.is_following() => {
                    RichText::new("Looking at the packets before…").color(look.dim)
                }
                None => return,
            };
            ui.label(text.size(12.0));
            return;
        }
    };
    let forgotten = capture.flows().forgotten();
    if forgotten > 0 && !all.is_empty() {
        let text = format!(
            "▲ {forgotten} flows were forgotten, there were too many: what came of them later counts as new"
        );
        ui.label(RichText::new(text).size(12.0).color(look.warn));
    }
    for (nth, told) in all.iter().enumerate() {
        let color = if told.is_odd() { look.warn } else { look.dim };
        let title = RichText::new(told.title()).size(12.5).color(color);
        CollapsingHeader::new(title).id_salt(("flow", nth)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for key in KEYS.iter().filter(|k| !k.gathers()) {
                line_ui(ui, key, told, state, commands);
            }
        });
    }
}

/// The line of a key, in brackets as what is no field; the number of a packet leads to it.
fn line_ui(ui: &mut Ui, key: &FlowKey, told: &Told, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let Some(line) = key.line(told) else { return };
    let text = RichText::new(format!("[{line}]")).font(mono(12.0));
    if key.kind != FlowKind::Packet {
        ui.add(Label::new(text.color(look.text)).truncate()).on_hover_text(key.key);
        return;
    }
    let packet = (key.value)(told).and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_sub(1));
    let link = ui.link(text.color(look.accent)).on_hover_text(format!("{}: go to this packet", key.key));
    if let Some(position) = packet.filter(|_| link.clicked()) {
        commands.extend([Command::Select(Some(position)), Command::Follow(false)]);
        state.scroll_to = Some(position);
    }
}
