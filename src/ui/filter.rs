//! The display filter's box, above the packet list.

use eframe::egui::{Align, Button, Id, Key, Label, Layout, RichText, Role, TextEdit, Ui, WidgetInfo};

use super::theme::look;
use super::{bars, named};
use crate::app::{Command, StreamCommand, Workbench};
use crate::filter::{EXAMPLE, Reading};

/// The box, for the keyboard.
#[must_use]
pub fn box_id() -> Id {
    Id::unique("display filter")
}

/// Draws the box, and what is wrong in it.
pub fn filter_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let filter = bench.filter();
    ui.horizontal(|ui| {
        ui.label(RichText::new("Filter").size(12.0).color(look.dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            again_ui(ui, bench, commands);
            beside_ui(ui, bench, commands);
            let mut text = filter.text().to_owned();
            let color = if filter.error().is_some() { look.bad } else { look.text };
            let edit = TextEdit::singleline(&mut text)
                .id(box_id())
                .desired_width(f32::INFINITY)
                .text_color(color)
                .font(super::theme::mono(12.0))
                .hint_text(EXAMPLE);
            let response = ui.add(edit);
            named(&response, "Display filter");
            if response.changed() {
                commands.push(Command::Filter(text));
            }
            if response.has_focus() && ui.input(|i| i.key_pressed(Key::Escape)) {
                response.surrender_focus();
            }
        });
    });
    let problem = bench.capture().sieve().and_then(crate::engine::Sieve::problem);
    if let Some(text) = filter.error().map(|e| e.render(filter.text())).or(problem) {
        ui.add(Label::new(RichText::new(text).monospace().size(12.0).color(look.bad)).selectable(true));
    }
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
