//! The payload as text or hex.

use eframe::egui::{FontSelection, Id, RichText, ScrollArea, TextEdit, Ui};

use super::theme::{self, look};
use crate::app::{Command, Workbench};
use crate::wire::{notation, value};

/// Most height of the box, in points.
const MAX_BOX: f32 = 150.0;

/// How the payload is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Text with escapes.
    #[default]
    Text,
    /// Hex pairs.
    Hex,
}

/// What is being typed.
#[derive(Clone, Debug, Default)]
pub struct PayloadEdit {
    mode: Mode,
    text: String,
    /// The bytes that `text` stands for.
    bytes: Vec<u8>,
    /// Why the text cannot be the payload.
    refused: Option<String>,
    /// Something was typed since the box got the keyboard.
    touched: bool,
    had_focus: bool,
}

impl PayloadEdit {
    /// Why the text cannot be the payload: nothing is sent then.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Ctrl+Z is the text's.
    #[must_use]
    pub fn owns_undo(&self) -> bool {
        self.had_focus && self.touched
    }

    fn show(&mut self, bytes: &[u8]) {
        self.bytes = bytes.to_vec();
        self.refused = None;
        self.text = match self.mode {
            Mode::Text => notation::escape(bytes),
            Mode::Hex => value::hex_pairs(bytes).to_lowercase(),
        };
    }

    fn parse(&self) -> Result<Vec<u8>, String> {
        match self.mode {
            Mode::Text => notation::unescape(&self.text).map_err(|e| e.message),
            Mode::Hex => value::parse_hex(&self.text).map_err(|e| e.0),
        }
    }
}

/// The identity of the payload's text box.
#[must_use]
pub fn payload_id() -> Id {
    Id::unique("payload-text")
}

/// Draws the payload's box.
pub fn payload_ui(ui: &mut Ui, bench: &Workbench, edit: &mut PayloadEdit, commands: &mut Vec<Command>) {
    let look = look(ui);
    let draft = bench.builder().draft();
    let focused = ui.memory(|m| m.has_focus(payload_id()));
    let stale = edit.bytes != draft.payload();
    if stale && (!focused || edit.refused.is_none()) {
        edit.show(draft.payload());
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new("Payload").strong().size(12.5));
        for (mode, name) in [(Mode::Text, "Text"), (Mode::Hex, "Hex")] {
            let switch = ui.selectable_label(edit.mode == mode, RichText::new(name).size(12.0));
            super::show_focused(&switch);
            if switch.clicked() {
                edit.mode = mode;
                edit.show(draft.payload());
            }
        }
        ui.label(RichText::new(format!("{} bytes", draft.payload().len())).size(11.0).color(look.dim));
        if !draft.trailer().is_empty() {
            let text = format!("trailer {} bytes", draft.trailer().len());
            ui.label(RichText::new(text).size(11.0).color(look.dim))
                .on_hover_text(value::hex_pairs(draft.trailer()));
            if ui.small_button("Remove trailer").clicked() {
                commands.push(Command::SetTrailer(Vec::new()));
            }
        }
        if let Some(why) = &edit.refused {
            ui.label(RichText::new(why).size(11.5).color(look.bad));
        }
    });
    let hint = match edit.mode {
        Mode::Text => "text; \\r \\n \\t \\xNN for other bytes",
        Mode::Hex => "de ad be ef",
    };
    let color = if edit.refused.is_some() { look.bad } else { look.text };
    let box_ = TextEdit::multiline(&mut edit.text)
        .id(payload_id())
        .font(FontSelection::FontId(theme::mono(12.5)))
        .text_color(color)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text(hint);
    // A long payload scrolls in its box.
    let area = ScrollArea::vertical().id_salt("payload").max_height(MAX_BOX).auto_shrink([false, true]);
    let shown = area.show(ui, |ui| ui.add(box_));
    let response = shown.inner;
    super::named(&response, "Payload");
    if response.gained_focus() {
        ui.scroll_to_rect(shown.inner_rect, None);
        edit.touched = false;
    }
    edit.had_focus = response.has_focus();
    if response.changed() {
        edit.touched = true;
        match edit.parse() {
            Ok(bytes) => {
                edit.refused = None;
                edit.bytes.clone_from(&bytes);
                commands.push(Command::SetPayload(bytes));
            }
            Err(why) => edit.refused = Some(why),
        }
    }
    if response.lost_focus() {
        commands.push(Command::EndEdit);
    }
}
