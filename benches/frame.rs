//! How long our own work takes in a frame in which a keystroke comes, with 1 000 packets listed and one selected.
//!
//! `cargo bench --bench frame`. What is measured is what `--stats` measures: taking in events, drawing all views,
//! applying the edit and drawing again, so that the checksum of the keystroke stands in its own frame. Not in it: what
//! the graphics card does.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/common/window.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod common;

use std::time::{Duration, Instant};

use eframe::egui::{Context, Event, Id, Key, Modifiers, Pos2, RawInput, Rect, vec2};
use rawbench::app::{Command, Workbench};
use rawbench::engine;
use rawbench::pcap::CaptureFile;
use rawbench::ui::App;

const PACKETS: usize = 1000;
const WARM_UP: usize = 100;
const FRAMES: usize = 2000;
/// The most that the work in a frame may take.
const TARGET: Duration = Duration::from_millis(4);

/// A frame with these events in it: our own work, and all that egui does around it.
fn frame(context: &Context, app: &mut App, number: usize, events: Vec<Event>) -> (Duration, Duration) {
    let input = RawInput {
        screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(common::SIZE[0], common::SIZE[1]))),
        time: Some(number as f64 / 60.0),
        events,
        ..RawInput::default()
    };
    let mut own = Duration::ZERO;
    let begun = Instant::now();
    let output = context.run_ui(input, |ui| {
        let begun = Instant::now();
        app.step(ui.ctx());
        app.draw(ui);
        own += begun.elapsed();
    });
    let whole = begun.elapsed();
    output.drop_without_applying_deltas();
    (own, whole)
}

/// A digit, then the backspace that takes it away again.
fn keystroke(number: usize) -> Event {
    if number.is_multiple_of(2) {
        return Event::Text("8".into());
    }
    let (key, modifiers) = (Key::Backspace, Modifiers::NONE);
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listed.pcapng");
    common::write(&path, &common::syns(PACKETS));
    let context = Context::default();
    let mut app = App::new(Workbench::new(None, directory.path().to_path_buf()), &context);
    let (file, mut indexer) = CaptureFile::begin(&path).unwrap();
    app.bench.apply(Command::OpenPath(path));
    let generation = app.bench.awaited().unwrap();
    app.bench.take_event(engine::Event::Opened(generation, file));
    let report = indexer.run(&mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    app.bench.take_event(engine::Event::Loaded(generation, report));
    app.bench.apply(Command::Preset(1));
    app.bench.apply(Command::Select(Some(PACKETS / 2)));
    assert_eq!(app.bench.capture().len(), PACKETS);

    let field = app.bench.builder().draft().find("tcp", "dstport").unwrap();
    for number in 0..3 {
        frame(&context, &mut app, number, Vec::new());
    }
    context.memory_mut(|m| m.request_focus(Id::unique(("field", field))));
    // A field that gets the keyboard is selected whole: to its end first, so that digits are added.
    for (number, key) in [(3, None), (4, Some(Key::End))] {
        let press = |key| Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        frame(&context, &mut app, number, key.map(press).into_iter().collect());
    }

    let (mut own, mut whole) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + FRAMES {
        let before = app.bench.builder().draft().bytes().to_vec();
        let times = frame(&context, &mut app, number + 5, vec![keystroke(number)]);
        assert_ne!(before, app.bench.builder().draft().bytes(), "keystroke {number} changed nothing");
        if number >= WARM_UP {
            own.push(times.0);
            whole.push(times.1);
        }
    }
    let p50 = report_on("work of a frame with a keystroke", &mut own);
    report_on("the same with egui's own work", &mut whole);
    let verdict = if p50 < TARGET { "within" } else { "OVER" };
    println!("target: under {TARGET:?} with {PACKETS} packets listed: {verdict}");
    if cfg!(debug_assertions) {
        println!("(a debug build: the target is for release builds)");
    } else if p50 >= TARGET {
        std::process::exit(1);
    }
}

/// Prints the quantiles, and gives the middle one.
fn report_on(what: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let quantile = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize];
    println!(
        "{what}: p50 {:.3?}, p99 {:.3?}, max {:.3?} ({} frames)",
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        times.len()
    );
    quantile(0.5)
}
