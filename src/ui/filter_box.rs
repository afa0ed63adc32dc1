//! A box into which a filter is typed: what is wrong is underlined in it, what may come next hangs below it, and so do the
//! filters that were applied before.
//!
//! egui's own completion always has something chosen, so that Enter would never apply what was typed: here nothing is chosen
//! until an arrow key does.

use eframe::egui::text::{CCursor, CCursorRange, LayoutJob, TextFormat};
use eframe::egui::text_edit::TextEditState;
use eframe::egui::{
    EventFilter, Id, Key, LayerId, Modifiers, PopupKind, Response, Stroke, SurrenderFocusOn, TextEdit, Ui,
};

use super::suggestions::{self, Shown};
use super::theme::{self, look};
use crate::filter::FilterError;
use crate::filter::complete::{self, Completion, Words};

/// What a box remembers between frames.
#[derive(Default)]
pub struct BoxState {
    /// Which line below the box is chosen.
    choice: Option<usize>,
    /// Lines hung below the box in the last frame.
    open: bool,
    /// Something was typed since the box got the keyboard, or asked for by Ctrl+Space.
    typed: bool,
    asked: bool,
    /// Escape: nothing hangs below it until something is typed.
    hidden: bool,
    /// The filters that were applied before hang below it.
    history: bool,
    /// The place in the text, in bytes.
    at: usize,
}

impl BoxState {
    /// Something hangs below the box.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Shows the filters that were applied before.
    pub fn show_history(&mut self) {
        *self = Self { history: true, ..Self::default() };
    }
}

/// A box.
pub struct FilterBox<'a> {
    /// For the keyboard.
    pub id: Id,
    /// For a screen reader.
    pub name: &'a str,
    /// What stands in it.
    pub text: &'a str,
    /// What is wrong in it.
    pub error: Option<&'a FilterError>,
    /// Whose words come first; none: it takes other things than filters.
    pub words: Option<Words>,
    /// Filters that were applied before, the newest first.
    pub history: &'a [String],
    /// What stands in it while it is empty.
    pub hint: &'a str,
    /// Its width, in points.
    pub width: f32,
}

/// What came of a box in a frame.
pub struct Outcome {
    /// The text edit.
    pub response: Response,
    /// What stands in it now, where that changed.
    pub changed: Option<String>,
    /// The person is done with it: Enter, a filter of the list, or the keyboard is elsewhere.
    pub applied: bool,
    /// Enter was pressed in it.
    pub entered: bool,
    /// Something hangs below it.
    pub open: bool,
}

/// Keys that were pressed while lines hang below the box.
#[derive(Default)]
struct Keys {
    down: bool,
    up: bool,
    take: bool,
    hide: bool,
}

impl FilterBox<'_> {
    /// Draws the box and what hangs below it.
    pub fn show(self, ui: &mut Ui, state: &mut BoxState) -> Outcome {
        let keys = self.keys(ui, state);
        let mut text = self.text.to_owned();
        let (response, at) = self.edit(ui, state, &mut text);
        super::named(&response, self.name);
        let mut changed = response.changed().then(|| text.clone());
        if response.gained_focus() && !state.history {
            *state = BoxState::default();
        }
        if changed.is_some() {
            *state = BoxState { typed: true, at, ..BoxState::default() };
        }
        if at != state.at {
            state.choice = state.choice.filter(|_| state.history);
            state.at = at;
        }
        state.hidden |= keys.hide;
        state.history &= !keys.hide;
        let completion = self.completion(state, &text);
        let shown = match state.history {
            true => Shown::History(self.history),
            false => Shown::Candidates(&completion.candidates),
        };
        let count = shown.len();
        state.choice = match state.choice.filter(|c| *c < count) {
            _ if count == 0 => None,
            None if keys.down => Some(0),
            None if keys.up => Some(count - 1),
            Some(at) if keys.down => Some((at + 1) % count),
            // Above the first stands the box itself: nothing is chosen.
            Some(at) if keys.up => at.checked_sub(1),
            choice => choice,
        };
        let open = response.has_focus() && !state.hidden && (count > 0 || state.history);
        let wrong = self.error.filter(|_| changed.is_none()).map(|error| error.message.as_str());
        let moved = keys.up || keys.down;
        let clicked = suggestions::below(&response, open, &shown, (state.choice, moved), wrong);
        let mut applied = false;
        let taken = clicked.or_else(|| keys.take.then(|| state.choice.unwrap_or(0)));
        if let Some(taken) = taken.filter(|_| open) {
            let (new, place) = match shown {
                Shown::History(list) => list.get(taken).map(|text| (text.clone(), text.len())),
                Shown::Candidates(all) => all.get(taken).map(|c| completion.applied(&text, c)),
            }
            .unwrap_or_else(|| (text.clone(), at));
            applied = state.history;
            put_cursor(ui, self.id, &new, place);
            *state = BoxState { typed: !applied, at: place, ..BoxState::default() };
            changed = Some(new);
            ui.ctx().request_repaint();
        }
        state.open = open && taken.is_none();
        let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        applied |= response.lost_focus();
        Outcome { open: state.open, response, changed, applied, entered }
    }

    /// Takes the keys that belong to what hangs below the box, before the text edit sees them.
    fn keys(&self, ui: &Ui, state: &mut BoxState) -> Keys {
        let mut keys = Keys::default();
        if !ui.memory(|m| m.has_focus(self.id)) {
            return keys;
        }
        ui.input_mut(|i| {
            let mut pressed = |key| i.consume_key(Modifiers::NONE, key);
            if state.open {
                keys.down = pressed(Key::ArrowDown);
                keys.up = pressed(Key::ArrowUp);
                keys.hide = pressed(Key::Escape);
                // Enter applies what was typed, unless something was chosen.
                keys.take = pressed(Key::Tab) || state.choice.is_some() && pressed(Key::Enter);
                return;
            }
            let untouched = self.text.is_empty() || self.history.first().is_some_and(|h| h == self.text);
            if untouched && !self.history.is_empty() && pressed(Key::ArrowUp) {
                state.show_history();
                keys.down = true;
            }
            if i.consume_key(Modifiers::COMMAND, Key::Space) {
                (state.asked, state.hidden, state.history) = (true, false, false);
            }
        });
        keys
    }

    /// The text edit, and the place in it, in bytes.
    fn edit(&self, ui: &mut Ui, state: &BoxState, text: &mut String) -> (Response, usize) {
        let look = look(ui);
        let error = self.error.map(|error| error.at.clone());
        let plain = TextFormat::simple(theme::mono(12.0), look.text);
        let wrong = TextFormat { color: look.bad, underline: Stroke::new(1.5, look.bad), ..plain.clone() };
        let mut layouter = |ui: &Ui, text: &dyn eframe::egui::TextBuffer, _: f32| {
            let text = text.as_str();
            let mut job = LayoutJob::default();
            match error.clone().and_then(|at| parts(text, at)) {
                Some([before, marked, behind]) => {
                    job.append(before, 0.0, plain.clone());
                    job.append(marked, 0.0, wrong.clone());
                    job.append(behind, 0.0, plain.clone());
                }
                None => job.append(text, 0.0, plain.clone()),
            }
            ui.fonts_mut(|f| f.layout_job(job))
        };
        // A click on a line below leaves the keyboard here.
        let layer = LayerId::new(PopupKind::Popup.order(), suggestions::id_below(self.id));
        let on_line = state.open
            && ui.ctx().pointer_interact_pos().and_then(|pos| ui.ctx().layer_id_at(pos)) == Some(layer);
        let before = ui.ctx().options(|o| o.input_options.surrender_focus_on);
        if on_line {
            ui.ctx().options_mut(|o| o.input_options.surrender_focus_on = SurrenderFocusOn::Never);
        }
        let held = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            tab: state.open,
            escape: state.open,
        };
        let output = TextEdit::singleline(text)
            .id(self.id)
            .desired_width(self.width)
            .font(theme::mono(12.0))
            .layouter(&mut layouter)
            .event_filter(held)
            .hint_text(self.hint)
            .show(ui);
        ui.ctx().options_mut(|o| o.input_options.surrender_focus_on = before);
        let place = output.cursor_range.map(|range| range.primary.index.0);
        let at = place.map_or(text.len(), |place| text.chars().take(place).map(char::len_utf8).sum());
        (output.response.response, at)
    }

    /// What may come next, where it is worth showing.
    fn completion(&self, state: &BoxState, text: &str) -> Completion {
        let wanted = !state.history && !state.hidden && (state.typed || state.asked);
        let Some(words) = self.words.filter(|_| wanted) else { return Completion::default() };
        let found = complete::complete(text, state.at, words);
        let begun = found.replaces.start < state.at;
        if begun || found.awaited || state.asked { found } else { Completion::default() }
    }
}

/// The text before, in and behind a place; of an empty place the letter before it.
fn parts(text: &str, at: std::ops::Range<usize>) -> Option<[&str; 3]> {
    let start = if at.is_empty() {
        text.get(..at.start)?.char_indices().next_back().map_or(0, |(i, _)| i)
    } else {
        at.start
    };
    Some([text.get(..start)?, text.get(start..at.end)?, text.get(at.end..)?])
}

/// Puts the text cursor at a place, in bytes.
fn put_cursor(ui: &Ui, id: Id, text: &str, at: usize) {
    let place = text.get(..at).unwrap_or(text).chars().count();
    let mut state = TextEditState::load(ui.ctx(), id).unwrap_or_default();
    state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(place))));
    state.store(ui.ctx(), id);
}
