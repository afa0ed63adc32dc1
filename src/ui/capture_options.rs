//! The dialog of the capture options: when a capture ends by itself, and which files it writes beside.

use eframe::egui::{Align, Button, DragValue, Layout, RichText, Role, TextEdit, Ui, WidgetInfo};

use super::sheets::close_ui;
use super::theme::look;
use crate::app::{CaptureOptions, Command, ListCommand, MOST_FREE_MIB, Sheet, Switch, Workbench};

/// Width of the words before a row of numbers.
const WORDS: f32 = 130.0;

/// Opens the dialog; says what is set.
pub fn options_button_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let options = bench.capture_options();
    let (set, wrong) = (options.summary(), options.limits().err());
    let color = match (&wrong, &set) {
        (Some(_), _) => look.bad,
        (None, Some(_)) => look.accent,
        (None, None) => look.dim,
    };
    let button = ui.add(Button::new(RichText::new("Options").color(color)));
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Capture options"));
    let said =
        wrong.or(set).unwrap_or_else(|| "when a capture ends by itself, and the files that it writes".into());
    if button.on_hover_text(format!("{said} (Ctrl+Shift+O)")).clicked() {
        commands.push(Command::List(ListCommand::Sheet(Some(Sheet::Capture))));
    }
}

/// The dialog.
pub fn options_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let mut options = bench.capture_options().clone();
    ui.label(RichText::new("Capture options").strong().size(15.0));
    ui.label(
        RichText::new("They hold from the next start on, for interfaces of this machine.").color(look.dim),
    );
    ui.add_space(8.0);
    row_ui(ui, "Stop after", |ui| {
        switch_ui(ui, &mut options.packets, "packets", "Stop after packets");
        switch_ui(ui, &mut options.seconds, "seconds", "Stop after seconds");
        switch_ui(ui, &mut options.megabytes, "MB", "Stop after megabytes");
    });
    row_ui(ui, "Stop when less than", |ui| {
        let free =
            DragValue::new(&mut options.keep_free).range(0..=MOST_FREE_MIB).update_while_editing(false);
        super::named(&ui.add(free), "MiB that stay free");
        let text = match options.keep_free {
            0 => "MiB of the disk are free: never before it is full",
            _ => "MiB of the disk are free (kept for later starts; 0: when it is full)",
        };
        ui.label(RichText::new(text).color(look.dim));
    });
    ui.add_space(4.0);
    ui.separator();
    ui.add_space(4.0);
    files_ui(ui, &mut options);
    ui.add_space(6.0);
    if let Err(why) = options.limits() {
        ui.label(RichText::new(why).color(look.bad));
    } else if options.path.trim().is_empty() {
        ui.label(RichText::new("No file is written while it captures: Save writes one.").color(look.dim));
    } else {
        let text = "The files are written beside the window's own copy, which keeps all packets until you save or discard them.";
        ui.label(RichText::new(text).color(look.dim));
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if ui.button("As they were at first").clicked() {
            options = CaptureOptions::default();
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| close_ui(ui, commands));
    });
    if options != *bench.capture_options() {
        commands.push(Command::CaptureOptions(Box::new(options)));
    }
}

/// The files that are written beside.
fn files_ui(ui: &mut Ui, options: &mut CaptureOptions) {
    row_ui(ui, "Write to files", |ui| {
        let edit = TextEdit::singleline(&mut options.path).desired_width(f32::INFINITY);
        let response = ui.add(edit.hint_text("/home/me/x.pcapng, or .pcap; with a ring x_00001_DATE.pcapng"));
        super::named(&response, "File to write");
    });
    let is_on = !options.path.trim().is_empty();
    ui.add_enabled_ui(is_on, |ui| {
        row_ui(ui, "Next file after", |ui| {
            switch_ui(ui, &mut options.file_packets, "packets", "Next file after packets");
            switch_ui(ui, &mut options.file_seconds, "seconds", "Next file after seconds");
            switch_ui(ui, &mut options.file_megabytes, "MB", "Next file after megabytes");
        });
        row_ui(ui, "Keep the newest", |ui| {
            switch_ui(ui, &mut options.ring, "files", "Newest files that are kept");
        });
        row_ui(ui, "Stop with", |ui| {
            switch_ui(ui, &mut options.files, "full files", "Stop with full files");
        });
    });
}

fn row_ui(ui: &mut Ui, words: &str, numbers: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        let at = ui.cursor().left();
        ui.label(words);
        ui.add_space((at + WORDS - ui.cursor().left()).max(0.0));
        numbers(ui);
    });
}

/// A number that counts or does not.
fn switch_ui(ui: &mut Ui, switch: &mut Switch, unit: &str, name: &str) {
    super::named(&ui.checkbox(&mut switch.on, ""), name);
    let number = DragValue::new(&mut switch.value).range(1..=u64::MAX).update_while_editing(false);
    let response = ui.add_enabled(switch.on, number);
    super::named(&response, &format!("{name}, number"));
    ui.label(unit);
    ui.add_space(8.0);
}
