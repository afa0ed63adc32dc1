//! How far the reading of a file is, and the switch that reads on while it grows.

use std::time::Duration;

use eframe::egui::{ProgressBar, RichText, Ui};

use super::theme::look;
use crate::app::{Command, Workbench};

/// Width of the progress bar, in points.
const BAR: f32 = 110.0;

/// Name, share, time left and Cancel, while a file is read.
pub fn progress_ui(ui: &mut Ui, name: &str, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let dim = |text: String| RichText::new(text).size(12.0).color(look.dim);
    ui.label(dim(format!("reading {name}")));
    let Some(reading) = bench.capture().reading() else { return };
    if let Some(share) = reading.share() {
        let text = RichText::new(format!("{:.0} %", (share * 100.0).floor())).size(11.0);
        let bar = ProgressBar::new(share).desired_width(BAR).desired_height(16.0).fill(look.selection);
        super::named(&ui.add(bar.text(text)), "Share that is read");
    }
    if let Some(left) = reading.left() {
        ui.label(dim(left_text(left)));
    }
    if ui.small_button("Cancel").on_hover_text("read no further, and keep what was read").clicked() {
        commands.push(Command::CancelReading);
    }
}

/// Reads on while the file grows.
pub fn follow_file_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    if bench.capture().is_loading() {
        return;
    }
    let Some(mut follows) = bench.capture().reading().and_then(crate::engine::Reading::follows) else {
        return;
    };
    let switch = ui.checkbox(&mut follows, "Follow file");
    if switch.on_hover_text("take in the packets that are appended to the file").changed() {
        commands.push(Command::FollowFile(follows));
    }
}

fn left_text(left: Duration) -> String {
    match left.as_secs() {
        0 => "under a second left".to_owned(),
        seconds @ 1..60 => format!("{} s left", seconds + 1),
        seconds @ 60..3600 => format!("{} min left", seconds / 60 + 1),
        seconds => format!("{} h left", seconds / 3600 + 1),
    }
}
