//! The window. Imports all but `net` and `cli`.
//!
//! `logic` drains what the engine reports and runs shortcuts; `ui` draws the workbench and gathers commands, which are
//! applied when the frame is drawn. No view knows a protocol by name: all is read off the tables.

mod bars;
mod builder;
mod capture_options;
mod colours;
mod columns;
mod commands;
mod compare;
mod detail;
mod diagram;
mod dialogs;
mod editor;
mod exchanges;
mod filter;
mod filter_box;
mod filter_menu;
mod flows;
mod hex;
mod hold;
mod ladder;
mod list;
mod lit;
mod marks;
mod options;
mod overlays;
mod payload;
mod reading;
mod reassembly;
mod remote;
mod row_menu;
mod rows;
mod script;
mod sending;
mod sheets;
mod shown;
mod stats;
mod suggestions;
mod sums;
pub mod theme;
mod window;

use std::io::Write as _;
use std::time::{Duration, Instant};

use eframe::egui::{CentralPanel, Context, Frame, Panel, Response, Ui};

pub use stats::Stats;
pub use window::run;

use crate::app::{Below, Command, ExchangeCommand, Question, Request, ScriptCommand, Workbench};
use dialogs::{Dialog, Outcome, Purpose};
use lit::Lit;

/// Soonest next frame that anything here asks for: without a pause a bare X server gives no input events at all.
pub(crate) const REPAINT: Duration = Duration::from_millis(16);
/// Longest time that one frame spends on what the engine reports.
const DRAIN_BUDGET: Duration = Duration::from_millis(8);
/// Longest time that a window which closes waits for the end of what is being written.
const CLOSING: Duration = Duration::from_secs(5);

/// What the window itself remembers between frames.
#[derive(Default)]
pub struct State {
    typing: Option<editor::Typing>,
    payload: payload::PayloadEdit,
    lit_builder: Lit,
    lit_detail: Lit,
    wholes: reassembly::Wholes,
    tab: builder::Tab,
    sum_layer: Option<usize>,
    headers: detail::Headers,
    scroll_to: Option<usize>,
    /// A row of the list that is to come into sight.
    reveal: Option<usize>,
    /// The packet that the ladder has in sight.
    ladder_at: Option<usize>,
    place: rows::Place,
    columns: columns::Columns,
    sheets: sheets::Sheets,
    /// Packets in the list in this frame.
    rows: usize,
    palette: String,
    palette_choice: usize,
    /// Filters of the selected packet, for the palette: made when it opens.
    palette_filters: Option<Vec<(String, Command)>>,
    /// The column of the list in which a menu was opened.
    menu_column: usize,
    path: String,
    path_opened: bool,
    remote: remote::Form,
    display_box: filter_box::BoxState,
    capture_box: filter_box::BoxState,
    find_box: filter_box::BoxState,
    again: sending::AgainForm,
}

/// The workbench with its window.
pub struct App {
    /// What is shown.
    pub bench: Workbench,
    state: State,
    dialog: Option<Dialog>,
    commands: Vec<Command>,
    stats: Stats,
    /// Since when it is to close.
    ending: Option<Instant>,
    closing: bool,
}

impl App {
    /// A window on a workbench.
    #[must_use]
    pub fn new(bench: Workbench, context: &Context) -> Self {
        theme::install(context);
        Self {
            bench,
            state: State::default(),
            dialog: None,
            commands: Vec::new(),
            stats: Stats::default(),
            ending: None,
            closing: false,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Closes without a question, because nobody may be there to answer it. What is not saved is there at the next start.
    pub fn end(&mut self) {
        if self.ending.is_none() {
            self.bench.end();
        }
    }

    /// Closes once nothing is being written any more.
    fn close_when_written(&mut self, context: &Context) {
        let Some(since) = self.ending.filter(|_| !self.closing) else { return };
        if self.bench.is_writing() && since.elapsed() < CLOSING {
            context.request_repaint_after(REPAINT);
        } else {
            self.closing = true;
            context.send_viewport_cmd(eframe::egui::ViewportCommand::Close);
        }
    }

    /// Takes in what has happened and what the keyboard says.
    pub fn step(&mut self, context: &Context) {
        if self.bench.drain(DRAIN_BUDGET) {
            context.request_repaint_after(REPAINT);
        }
        if let Some(wait) = self.bench.seek_again() {
            context.request_repaint_after(wait.max(REPAINT));
        }
        self.bench.sift_on();
        self.bench.follow_on();
        if let Some(wait) = self.bench.exchanges_on() {
            context.request_repaint_after(wait.max(REPAINT));
        }
        if let Some(wait) = self.bench.sort_on() {
            context.request_repaint_after(wait.max(REPAINT));
        }
        self.poll_dialog();
        let text_owns_undo =
            self.state.typing.as_ref().is_some_and(|t| t.touched) || self.state.payload.owns_undo();
        let text_owns_undo = text_owns_undo || context.memory(|m| m.has_focus(script::editor_id()));
        overlays::shortcuts(context, &self.bench, text_owns_undo, &mut self.commands);
        if context.input(|i| i.viewport().close_requested()) && !self.closing {
            context.send_viewport_cmd(eframe::egui::ViewportCommand::CancelClose);
            self.commands.push(Command::Quit);
        }
        self.apply(context);
        self.close_when_written(context);
    }

    /// Draws the window and applies what was done in it.
    pub fn draw(&mut self, ui: &mut Ui) {
        let (bench, state, commands) = (&mut self.bench, &mut self.state, &mut self.commands);
        Panel::top("top")
            .frame(builder::bar_frame(ui))
            .show(ui, |ui| bars::top_ui(ui, bench, state, commands));
        Panel::bottom("status").frame(builder::bar_frame(ui)).show(ui, |ui| bars::status_ui(ui, bench));
        let half = ui.available_width() * 0.455;
        Panel::left("build")
            .resizable(true)
            .default_size(half)
            .size_range(430.0..=1000.0)
            .frame(Frame::NONE)
            .show(ui, |ui| match bench.scripts().is_shown() {
                true => script::script_ui(ui, bench, commands),
                false => builder::builder_ui(ui, bench, state, commands),
            });
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| capture_ui(ui, bench, state, commands));
        overlays::notices_ui(ui, bench, commands);
        overlays::question_ui(ui, bench, state, commands);
        overlays::palette_ui(ui, bench, state, commands);
        sheets::sheet_ui(ui, bench, state, commands);
        state.lit_builder.end_frame(ui.ctx());
        state.lit_detail.end_frame(ui.ctx());
        state.wholes.end_frame(ui.ctx());
        let context = ui.ctx().clone();
        let edited = !self.commands.is_empty();
        self.apply(&context);
        if edited {
            // A keystroke shows its checksum in its own frame, not in the next one.
            context.request_discard("what was done shows in the same frame");
        }
    }

    fn apply(&mut self, context: &Context) {
        if self.commands.is_empty() && !self.bench.has_requests() {
            return;
        }
        for command in std::mem::take(&mut self.commands) {
            let replaces = matches!(
                command,
                Command::Undo
                    | Command::Redo
                    | Command::Preset(_)
                    | Command::LoadNotation(_)
                    | Command::EditCopy(_)
                    | Command::Reply(_)
            );
            if matches!(command, Command::Send) && self.state.payload.refused().is_some() {
                // The payload is a field like any other: what is refused there is looked at before anything goes out.
                context.memory_mut(|m| m.request_focus(payload::payload_id()));
                continue;
            }
            self.bench.apply(command);
            if replaces {
                // The text box shows the draft's value again, not what was typed.
                self.state.typing = None;
            }
        }
        let theme = theme::of(self.bench.theme());
        if context.theme() != theme {
            context.set_theme(theme);
        }
        for request in self.bench.take_requests() {
            self.fulfil(request, context);
        }
        context.request_repaint_after(REPAINT);
    }

    fn fulfil(&mut self, request: Request, context: &Context) {
        match request {
            Request::Clipboard(text) => context.copy_text(text),
            Request::AskOpen if self.dialog.is_none() => {
                self.dialog = Some(Dialog::open(Purpose::Open, "", context))
            }
            Request::AskSave(name) if self.dialog.is_none() => {
                self.dialog = Some(Dialog::open(Purpose::Save, &name, context));
            }
            Request::AskExport(name) if self.dialog.is_none() => {
                self.dialog = Some(Dialog::open(Purpose::Export, &name, context));
            }
            Request::AskOpenScript if self.dialog.is_none() => {
                self.dialog = Some(Dialog::open(Purpose::OpenScript, "", context));
            }
            Request::AskSaveScript(name) if self.dialog.is_none() => {
                self.dialog = Some(Dialog::open(Purpose::SaveScript, &name, context));
            }
            Request::AskOpen
            | Request::AskSave(_)
            | Request::AskExport(_)
            | Request::AskOpenScript
            | Request::AskSaveScript(_) => {}
            Request::FocusFilter => context.memory_mut(|m| m.request_focus(filter::box_id())),
            Request::FocusFind => context.memory_mut(|m| m.request_focus(filter::find_id())),
            Request::Show(position) => self.state.scroll_to = Some(position),
            Request::Focus(path) => context.memory_mut(|m| m.request_focus(editor::field_id(path))),
            Request::Reveal(row) => self.state.reveal = Some(row),
            Request::FocusPayload => context.memory_mut(|m| m.request_focus(payload::payload_id())),
            // Nobody is left to tell when standard error is gone.
            Request::Report(line) => drop(writeln!(std::io::stderr(), "{line}")),
            Request::Close => {
                self.ending.get_or_insert_with(Instant::now);
                self.close_when_written(context);
            }
        }
    }

    fn poll_dialog(&mut self) {
        let Some(dialog) = &self.dialog else { return };
        let Some(outcome) = dialog.outcome() else { return };
        let purpose = dialog.purpose;
        self.dialog = None;
        match (outcome, purpose) {
            (Outcome::Chosen(path), Purpose::Open) => self.commands.push(Command::OpenPath(path)),
            (Outcome::Chosen(path), Purpose::Save) => self.commands.push(Command::SavePath(path)),
            (Outcome::Chosen(path), Purpose::Export) => {
                self.commands.push(Command::Exchanges(ExchangeCommand::Export(path)));
            }
            (Outcome::Chosen(path), Purpose::OpenScript) => {
                self.commands.push(Command::Script(ScriptCommand::OpenPath(path)));
            }
            (Outcome::Chosen(path), Purpose::SaveScript) => {
                self.commands.push(Command::Script(ScriptCommand::SavePath(path)));
            }
            (Outcome::Cancelled, _) => self.bench.path_cancelled(),
            (Outcome::Missing, purpose) => {
                self.state.path_opened = true;
                self.bench.ask_path(match purpose {
                    Purpose::Open => Question::OpenPath,
                    Purpose::Save => Question::SavePath,
                    Purpose::Export => Question::ExportPath,
                    Purpose::OpenScript => Question::OpenScriptPath,
                    Purpose::SaveScript => Question::SaveScriptPath,
                });
            }
        }
    }
}

/// Gives a text box its name also where a hint stands in it: egui takes the hint for a name.
pub(crate) fn named(response: &Response, name: &str) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// What gets the keyboard comes into sight.
pub(crate) fn show_focused(response: &Response) {
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
}

fn capture_ui(ui: &mut Ui, bench: &mut Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = theme::look(ui);
    Panel::top("capture-bar").frame(builder::bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bars::capture_bar_ui(ui, bench, commands);
        filter::filter_ui(ui, bench, state, commands);
    });
    let half = ui.available_height() * 0.55;
    Panel::bottom("detail")
        .resizable(true)
        .default_size(half)
        .size_range(120.0..=900.0)
        .frame(Frame::new().fill(look.panel))
        .show(ui, |ui| match bench.below() {
            Below::Exchanges => exchanges::exchanges_ui(ui, bench, state, commands),
            Below::Ladder => ladder::ladder_ui(ui, bench, state, commands),
            Below::Compare => compare::compare_ui(ui, bench, state, commands),
            Below::Packet => detail::detail_ui(ui, bench, state, commands),
        });
    CentralPanel::default().frame(Frame::new().fill(look.panel)).show(ui, |ui| {
        list::list_ui(ui, bench, state, commands);
    });
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        // A frame that is drawn twice is measured as one.
        match context.current_pass_index() {
            0 => self.stats.begin(),
            _ => self.stats.resume(),
        }
        self.step(context);
        self.stats.pause();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.stats.resume();
        self.draw(ui);
        if ui.ctx().will_discard() {
            self.stats.pause();
        } else {
            self.stats.end(&mut self.bench);
        }
    }
}
