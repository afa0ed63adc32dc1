//! Opening the window.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{Context, IconData, ViewportBuilder, vec2};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{App, REPAINT, theme};
use crate::app::{Command, HISTORY, Start, Workbench};
use crate::engine::Engine;

/// Shows the window until it is closed.
///
/// # Errors
/// There is no display, or it has no OpenGL: says what was tried and what to do.
pub fn run(start: Start) -> Result<(), String> {
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("rawbench")
            .with_app_id("rawbench")
            .with_icon(icon())
            .with_inner_size(vec2(1280.0, 800.0))
            .with_min_inner_size(theme::min_window()),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    let stats = start.stats;
    let report = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&report);
    let result = eframe::run_native(
        "rawbench",
        options,
        Box::new(move |creation| {
            let context = creation.egui_ctx.clone();
            let waker = Arc::new(move || context.request_repaint_after(REPAINT));
            let engine = Engine::start(start.access, waker).map_err(|f| f.text)?;
            let mut bench = Workbench::new(Some(engine), start.directory);
            if let Some(path) = start.settings {
                bench.keep_history(path.with_file_name(HISTORY));
                bench.keep_settings_in(path);
            }
            bench.prefer_source(start.interface, start.place);
            bench.apply(Command::CaptureFilter(start.capture_filter.unwrap_or_default()));
            bench.apply(Command::Filter(start.filter.unwrap_or_default()));
            if let Some(path) = start.file {
                bench.apply(Command::OpenPath(path));
            } else if start.capture {
                bench.capture_at_start();
            }
            let mut app = App::new(bench, &creation.egui_ctx);
            app.stats.since(start.begun);
            let asked = end_on_signals(&creation.egui_ctx);
            Ok(Box::new(Reporting { app, sink, asked }))
        }),
    );
    if stats {
        let line = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Nobody is left to tell when standard output is gone.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    result.map_err(|error| {
        let reason = without_place(&error.to_string());
        format!(
            "cannot open the window: {reason}. It needs a display (DISPLAY or WAYLAND_DISPLAY) and OpenGL 2 or later; \
             the command line works without: rawbench --help"
        )
    })
}

/// The text of an error without the place in a library's source where it came up (`… at PATH.rs:765: `), which says
/// nothing to a person.
fn without_place(text: &str) -> String {
    let place = text.find(" at ").zip(text.find(".rs:")).filter(|(at, end)| at < end);
    let reason =
        place.and_then(|(_, end)| text.get(end..)?.split_once(": ")).map_or(text, |(_, reason)| reason);
    reason.trim_end_matches('.').to_owned()
}

/// Hands the measurements out when the window closes.
struct Reporting {
    app: App,
    sink: Arc<Mutex<String>>,
    /// A signal asked for the end.
    asked: Arc<AtomicBool>,
}

/// Has Ctrl-C and SIGTERM close the window in order; a second one ends the program at once. Where the system does not let
/// signals be taken over they do what they always do.
fn end_on_signals(context: &Context) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let (told, context) = (Arc::clone(&asked), context.clone());
    let watch = move || {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        for signal in signals.forever() {
            if told.swap(true, Ordering::Relaxed) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            context.request_repaint_after(REPAINT);
        }
    };
    // Without a thread for them nothing is taken over.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(watch);
    asked
}

impl eframe::App for Reporting {
    fn logic(&mut self, context: &eframe::egui::Context, frame: &mut eframe::Frame) {
        if self.asked.load(Ordering::Relaxed) {
            self.app.end();
        }
        self.app.logic(context, frame);
    }

    fn ui(&mut self, ui: &mut eframe::egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = self.app.stats().json();
    }
}

/// The icon, drawn as the SVG in assets has it: bits in a row, one of them lit.
fn icon() -> IconData {
    const SIZE: usize = 64;
    let mut rgba = vec![0; SIZE * SIZE * 4];
    for (i, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        let (x, y) = (i % SIZE, i / SIZE);
        let inside = (4..60).contains(&x) && (4..60).contains(&y);
        let (column, row) = (x.saturating_sub(10) / 12, y.saturating_sub(10) / 12);
        let in_cell = x >= 10 && y >= 10 && column < 4 && row < 4 && (x - 10) % 12 < 9 && (y - 10) % 12 < 9;
        let lit = in_cell && (row == 1 && column == 2 || row == 3 && column < 2);
        let color: [u8; 4] = match (inside, in_cell, lit) {
            (_, _, true) => [0xf2, 0xa6, 0x5a, 255],
            (_, true, _) => [0x4f, 0xb6, 0xe8, 255],
            (true, ..) => [0x15, 0x1a, 0x21, 255],
            _ => [0; 4],
        };
        pixel.copy_from_slice(&color);
    }
    IconData { rgba, width: SIZE as u32, height: SIZE as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_why_and_not_where_in_a_library() {
        let text = "winit EventLoopError: os error at /home/a/winit/src/mod.rs:765: neither of both is set.";
        assert_eq!(without_place(text), "neither of both is set");
        assert_eq!(without_place("no display at all."), "no display at all");
    }
}
