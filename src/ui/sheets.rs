//! The dialogs of the packet list: where to go, and its columns.

use eframe::egui::{
    Align, Button, DragValue, Id, Key, Layout, Modal, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo,
    vec2,
};

use super::State;
use super::theme::look;
use super::{capture_options, colours};
use crate::app::{ColumnSetting, Command, ListCommand, Sheet, WIDTHS, What, Workbench, own_columns};
use crate::wire::keys;

/// Proposals that are shown at once.
const PROPOSALS: usize = 8;
/// Points that a column has which takes the rest no more.
const NEW_WIDTH: u16 = 150;
/// Gaps that are listed.
const GAPS: usize = 50;

/// What the dialogs remember between frames.
#[derive(Debug, Default)]
pub struct Sheets {
    /// The dialog of the last frame.
    open: Option<Sheet>,
    place: String,
    key: String,
    /// Keys and labels of all that can be a column, and the label in small letters.
    keys: Vec<(String, String, String)>,
    /// Which of them are proposed for what was typed, with so many columns.
    found: Vec<usize>,
    found_for: Option<(String, usize)>,
}

impl Sheets {
    /// Finds proposals for what was typed, where that has changed; for nothing, columns that there are not yet.
    fn find(&mut self, typed: &str, bench: &Workbench) {
        let columns = &bench.list().settings().columns;
        let asked = (typed.to_owned(), columns.len());
        if self.found_for.as_ref() == Some(&asked) {
            return;
        }
        let words: Vec<&str> = typed.split_whitespace().collect();
        let fits = |index: &usize| {
            let Some((key, _, label)) = self.keys.get(*index) else { return false };
            let open = !typed.is_empty() || !columns.iter().any(|c| c.key == *key);
            open && words.iter().all(|w| key.contains(w) || label.contains(w))
        };
        let mut found: Vec<usize> = (0..self.keys.len()).filter(fits).collect();
        // The key as it was typed, then what begins with it.
        found.sort_by_key(|index| {
            let key = self.keys.get(*index).map_or("", |k| k.0.as_str());
            (key != typed, !key.starts_with(typed))
        });
        found.truncate(PROPOSALS);
        self.found = found;
        self.found_for = Some(asked);
    }
}

/// Draws the dialog that is open.
pub fn sheet_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let sheet = bench.list().sheet();
    let opened = sheet != state.sheets.open;
    if opened {
        state.sheets = Sheets { open: sheet, ..Sheets::default() };
    }
    let Some(sheet) = sheet else { return };
    let modal = Modal::new(Id::unique(("sheet", sheet as u8))).show(ui.ctx(), |ui| match sheet {
        Sheet::GoTo => {
            ui.set_width(440.0);
            go_to_ui(ui, bench, &mut state.sheets, opened, commands);
        }
        Sheet::Columns => {
            ui.set_width(620.0);
            columns_ui(ui, bench, &mut state.sheets, opened, commands);
        }
        Sheet::Colours => {
            ui.set_width((ui.ctx().content_rect().width() - 120.0).clamp(760.0, 1000.0));
            colours::rules_ui(ui, bench, commands);
        }
        Sheet::Capture => {
            ui.set_width(560.0);
            capture_options::options_ui(ui, bench, commands);
        }
    });
    if modal.should_close() {
        commands.push(Command::List(ListCommand::Sheet(None)));
    }
}

/// The button that closes a dialog.
pub fn close_ui(ui: &mut Ui, commands: &mut Vec<Command>) {
    let look = look(ui);
    let close = Button::new(RichText::new("Close").color(look.on_accent)).fill(look.accent);
    if ui.add(close).clicked() {
        commands.push(Command::List(ListCommand::Sheet(None)));
    }
}

fn go_to_ui(ui: &mut Ui, bench: &Workbench, sheets: &mut Sheets, opened: bool, commands: &mut Vec<Command>) {
    let look = look(ui);
    let gaps = bench.capture().gaps();
    ui.label(RichText::new("Go to").strong().size(15.0));
    let edit = TextEdit::singleline(&mut sheets.place).desired_width(f32::INFINITY);
    let response = ui.add(edit.hint_text("a packet's number, first, last, or gap 1"));
    super::named(&response, "Go to");
    if opened {
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let found = bench.find_place(&sheets.place);
    match &found {
        Err(why) if !sheets.place.trim().is_empty() => drop(ui.label(RichText::new(why).color(look.bad))),
        Err(why) if bench.capture().is_empty() => drop(ui.label(RichText::new(why).color(look.dim))),
        _ => drop(ui.label(
            RichText::new(format!("There are packets 1 to {}.", bench.capture().len())).color(look.dim),
        )),
    }
    if entered && found.is_err() {
        response.request_focus();
    }
    let mut go = (entered && found.is_ok()).then(|| sheets.place.clone());
    if !gaps.is_empty() {
        ui.add_space(6.0);
        ui.label(RichText::new("Gaps in this capture").size(12.0).color(look.dim));
        ScrollArea::vertical().max_height(220.0).show(ui, |ui| {
            for (index, gap) in gaps.iter().enumerate().take(GAPS) {
                let text = format!("gap {}: {}", index + 1, gap.text);
                let button =
                    Button::selectable(false, text).truncate().min_size(vec2(ui.available_width(), 20.0));
                if ui.add(button).clicked() {
                    go = Some(format!("gap {}", index + 1));
                }
            }
            if gaps.len() > GAPS {
                ui.label(
                    RichText::new(format!("and {} more: type gap and a number", gaps.len() - GAPS))
                        .color(look.dim),
                );
            }
        });
    }
    ui.add_space(8.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let button = Button::new(RichText::new("Go").color(look.on_accent)).fill(look.accent);
        if ui.add_enabled(found.is_ok(), button).clicked() {
            go = Some(sheets.place.clone());
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::List(ListCommand::Sheet(None)));
        }
    });
    if let Some(place) = go {
        commands.push(Command::List(ListCommand::GoTo(place)));
    }
}

fn columns_ui(
    ui: &mut Ui,
    bench: &Workbench,
    sheets: &mut Sheets,
    opened: bool,
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    ui.label(RichText::new("Columns of the packet list").strong().size(15.0));
    ui.label(RichText::new("From left to right. What you change holds at once.").color(look.dim));
    ui.add_space(6.0);
    let height = (ui.ctx().content_rect().height() - 420.0).max(150.0);
    ScrollArea::vertical().id_salt("columns").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for index in 0..bench.list().settings().columns.len() {
            column_ui(ui, bench, index, commands);
        }
    });
    ui.add_space(6.0);
    ui.separator();
    add_ui(ui, bench, sheets, opened, commands);
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if ui.button("As they were at first").clicked() {
            commands.push(Command::List(ListCommand::ResetColumns));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| close_ui(ui, commands));
    });
}

/// A column: its title, what it shows, its place.
fn column_ui(ui: &mut Ui, bench: &Workbench, index: usize, commands: &mut Vec<Command>) {
    let look = look(ui);
    let columns = &bench.list().settings().columns;
    let Some(column) = columns.get(index) else { return };
    let number = index + 1;
    ui.horizontal(|ui| {
        let mut title = column.title.clone();
        let response = ui.add(TextEdit::singleline(&mut title).desired_width(170.0));
        super::named(&response, &format!("Title of column {number}"));
        if response.changed() {
            commands.push(Command::List(ListCommand::Title(index, title)));
        }
        let own = own_columns().any(|(key, _)| key == column.key);
        let (text, color) = match bench.list().columns().get(index) {
            Some(What::Unknown(why)) => (why.clone(), look.bad),
            _ if own => (format!("the list's own: {}", column.key), look.dim),
            _ => (column.key.clone(), look.text),
        };
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut button = |ui: &mut Ui, sign: &str, what: &str, enabled: bool, command: ListCommand| {
                let response = ui.add_enabled(enabled, Button::new(sign).small().frame(false));
                let name = format!("{what} column {number}");
                response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &name));
                if response.on_hover_text(what).clicked() {
                    commands.push(Command::List(command));
                }
            };
            let (up, down) = (index > 0, index + 1 < columns.len());
            button(ui, "×", "Remove", columns.len() > 1, ListCommand::RemoveColumn(index));
            let to = |to| ListCommand::MoveColumn { from: index, to };
            button(ui, "▼", "Move to the right", down, to(index + 1));
            button(ui, "▲", "Move to the left", up, to(index.saturating_sub(1)));
            width_ui(ui, column, index, commands);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(
                    eframe::egui::Label::new(RichText::new(text).monospace().size(12.0).color(color))
                        .truncate(),
                );
            });
        });
    });
}

/// The width of a column: so many points, or what the others leave. Drawn from right to left.
fn width_ui(ui: &mut Ui, column: &ColumnSetting, index: usize, commands: &mut Vec<Command>) {
    let number = index + 1;
    let mut rest = column.width.is_none();
    let response = ui.checkbox(&mut rest, "rest").on_hover_text("as wide as the other columns leave it");
    super::named(&response, &format!("Column {number} takes the rest"));
    let mut width = column.width.unwrap_or(NEW_WIDTH);
    let drag = DragValue::new(&mut width).range(WIDTHS).update_while_editing(false);
    let changed = ui.add_enabled(!rest, drag);
    super::named(&changed, &format!("Width of column {number}"));
    if response.changed() || changed.changed() {
        commands.push(Command::List(ListCommand::Width(index, (!rest).then_some(width))));
    }
}

/// The box for a new column, with proposals.
fn add_ui(ui: &mut Ui, bench: &Workbench, sheets: &mut Sheets, opened: bool, commands: &mut Vec<Command>) {
    let look = look(ui);
    if sheets.keys.is_empty() {
        let own = own_columns().map(|(key, title)| (key.to_owned(), format!("{title}, the list's own")));
        let all = own.chain(keys::all().into_iter().map(|l| (l.key, l.label)));
        sheets.keys = all.map(|(key, label)| (key, label.clone(), label.to_lowercase())).collect();
        sheets.keys.dedup_by(|a, b| a.0 == b.0);
    }
    let mut add = None;
    ui.label("Add a column:");
    let edit = TextEdit::singleline(&mut sheets.key)
        .desired_width(f32::INFINITY)
        .font(super::theme::mono(12.0))
        .hint_text("a field, or words of its name");
    let response = ui.add(edit);
    super::named(&response, "New column");
    if opened {
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let typed = sheets.key.trim().to_lowercase();
    sheets.find(&typed, bench);
    let found = || sheets.found.iter().filter_map(|index| sheets.keys.get(*index));
    if entered {
        add = found().next().filter(|_| !typed.is_empty()).map(|(key, ..)| key.clone());
        response.request_focus();
    }
    if sheets.found.is_empty() {
        let why = match What::of(&typed) {
            What::Unknown(why) => why,
            _ => String::new(),
        };
        ui.label(RichText::new(why).color(look.bad));
    }
    let room = 26.0 * PROPOSALS as f32;
    ScrollArea::vertical()
        .id_salt("proposals")
        .max_height(room)
        .min_scrolled_height(room)
        .auto_shrink([false, false])
        .show(ui, |ui| {
            for (key, label, _) in found() {
                let label = RichText::new(label).size(11.5).color(look.dim);
                let button = Button::selectable(false, RichText::new(key).monospace().size(12.0));
                let response = ui.add(button.right_text(label).min_size(vec2(ui.available_width(), 20.0)));
                response
                    .widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Add the column {key}")));
                if response.clicked() {
                    add = Some(key.clone());
                }
            }
        });
    if let Some(key) = add {
        sheets.key.clear();
        commands.push(Command::List(ListCommand::AddColumn(key, None)));
    }
}
