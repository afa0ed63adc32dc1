//! Editing fields: what is being typed, and the commands that come of it.

use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::{Align2, Frame, Id, Margin, Rect, TextEdit, Ui};

use super::theme::{self, MONO, look};
use crate::app::{Builder, Command, Refusal};
use crate::craft::Override;
use crate::wire::table::{Field, Kind};
use crate::wire::value;
use crate::wire::view::{Located, Path};

/// The field that has the keyboard, and its text as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    /// Which field.
    pub path: Path,
    /// Its text.
    pub text: String,
    /// Something was typed since it got the keyboard: Ctrl+Z is the text's.
    pub touched: bool,
}

/// What the builder's views edit with.
pub struct Editor<'a> {
    /// The draft.
    pub builder: &'a Builder,
    /// What was done.
    pub commands: &'a mut Vec<Command>,
    /// The field with the keyboard.
    pub typing: &'a mut Option<Typing>,
}

/// The unit in which a field is shown and typed: that of its name in notation.
#[must_use]
pub fn unit(field: &Field) -> u32 {
    field.aliases.first().map_or(field.scale, |a| a.1)
}

/// A value as it is shown in its cell.
#[must_use]
pub fn shown_text(found: &Located, bytes: &[u8]) -> String {
    match (found.field.kind, found.stored(bytes)) {
        (Kind::Bytes | Kind::Text, _) => {
            value::bytes_text(found.field, bytes.get(found.bits.bytes()).unwrap_or_default())
        }
        (Kind::Number, Some(stored)) => (stored * u128::from(unit(found.field))).to_string(),
        (_, Some(stored)) => value::stored_text(found.field, stored),
        (_, None) => String::new(),
    }
}

/// The identity of a field's text box, so that Send can set the keyboard there.
#[must_use]
pub fn field_id(path: Path) -> Id {
    Id::unique(("field", path))
}

impl Editor<'_> {
    /// What stands refused in a field.
    #[must_use]
    pub fn refusal(&self, path: Path) -> Option<&Refusal> {
        self.builder.refusal(path)
    }

    /// The generator of a field that varies, as it is typed.
    #[must_use]
    pub fn varies(&self, found: &Located) -> Option<String> {
        let generator = self.builder.draft().generator_of(found.path)?;
        Some(generator.text(found.field, unit(found.field)))
    }

    /// What stands in a field: its value, or how it varies.
    #[must_use]
    pub fn text_of(&self, found: &Located) -> String {
        self.varies(found).unwrap_or_else(|| shown_text(found, self.builder.draft().bytes()))
    }

    /// How a computed field is kept from being computed.
    #[must_use]
    pub fn override_of(&self, path: Path) -> Option<Override> {
        self.builder.draft().override_of(path)
    }

    /// Turns a flag over.
    pub fn toggle(&mut self, path: Path) {
        self.commands.push(Command::Toggle(path));
    }

    /// Pins a computed field.
    pub fn pin(&mut self, path: Path) {
        self.commands.push(Command::Pin(path));
    }

    /// Lets a field be computed again.
    pub fn release(&mut self, path: Path) {
        self.commands.push(Command::Release(path));
    }

    /// Makes a checksum wrong.
    pub fn make_wrong(&mut self, path: Path) {
        self.commands.push(Command::MakeWrong(path));
    }

    /// The text box of a field, without a frame of its own.
    pub fn field_ui(&mut self, ui: &mut Ui, found: &Located, rect: Rect, name: &str) {
        let look = look(ui);
        let id = field_id(found.path);
        let refusal = self.refusal(found.path).cloned();
        let mine = self.typing.as_ref().filter(|t| t.path == found.path);
        let mut text = match (mine, &refusal) {
            (Some(typing), _) => typing.text.clone(),
            (None, Some(refusal)) => refusal.text.clone(),
            (None, None) => self.text_of(found),
        };
        let computed = found.field.compute.is_some() && self.override_of(found.path).is_none();
        let color = match (&refusal, computed) {
            (Some(_), _) => look.bad,
            (None, true) => theme::mix(look.text, look.accent, 110),
            (None, false) => look.text,
        };
        let edit = TextEdit::singleline(&mut text)
            .id(id)
            .frame(Frame::NONE)
            .margin(Margin::ZERO)
            .font(theme::mono(MONO))
            .text_color(color)
            .align(Align2::LEFT_CENTER)
            .desired_width(rect.width())
            .min_size(rect.size());
        let response = ui.name_inputs(name, |ui| {
            // A text box is at least as high as a button; a cell is lower.
            let height = std::mem::replace(&mut ui.spacing_mut().interact_size.y, rect.height());
            let response = ui.place(rect, edit);
            ui.spacing_mut().interact_size.y = height;
            response
        });
        if response.gained_focus() {
            select_all(ui, id, &text);
            response.scroll_to_me(None);
        }
        if response.changed() {
            *self.typing = Some(Typing { path: found.path, text: text.clone(), touched: true });
            self.commands.push(Command::SetField { path: found.path, scale: unit(found.field), text });
        } else if response.has_focus() && mine_is_not(self.typing.as_ref(), found.path) {
            *self.typing = Some(Typing { path: found.path, text, touched: false });
        }
        if response.lost_focus() && self.typing.as_ref().is_some_and(|t| t.path == found.path) {
            *self.typing = None;
            self.commands.push(Command::EndEdit);
        }
        if let Some(refusal) = refusal {
            response.on_hover_text(refusal.why);
        }
    }
}

fn mine_is_not(typing: Option<&Typing>, path: Path) -> bool {
    typing.is_none_or(|t| t.path != path)
}

/// A field that gets the keyboard is selected whole, so that typing replaces its value.
fn select_all(ui: &Ui, id: Id, text: &str) {
    let mut state = TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::two(CCursor::new(0), end)));
    TextEdit::store_state(ui.ctx(), id, state);
}
