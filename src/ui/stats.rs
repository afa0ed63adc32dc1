//! `--stats`: how long our own work in a frame takes, and how far rows lag behind their packets.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::app::Workbench;
use crate::engine::thread_time;

/// What a frame took: by the clock, and of the processor, which counts no time in which others had it.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    clock: Duration,
    processor: Duration,
}

/// What is measured while the window runs.
#[derive(Debug)]
pub struct Stats {
    start: Instant,
    begun: Option<(Instant, Duration)>,
    spent: Spent,
    frames: Vec<Spent>,
    first_frame: Option<Duration>,
    first_row: Option<Duration>,
    rows: usize,
    longest_lag: Duration,
    /// Frames with packets that a capture brought since the frame before.
    live_frames: usize,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            begun: None,
            spent: Spent::default(),
            frames: Vec::new(),
            first_frame: None,
            first_row: None,
            rows: 0,
            longest_lag: Duration::ZERO,
            live_frames: 0,
        }
    }
}

/// Most frames that are remembered: half an hour at sixty a second.
const MAX_FRAMES: usize = 108_000;

impl Stats {
    /// Counts from this moment, the start of the program.
    pub fn since(&mut self, start: Instant) {
        self.start = start;
    }

    pub(super) fn begin(&mut self) {
        self.spent = Spent::default();
        self.resume();
    }

    pub(super) fn pause(&mut self) {
        if let Some((begun, processor)) = self.begun.take() {
            self.spent.clock += begun.elapsed();
            self.spent.processor += thread_time().saturating_sub(processor);
        }
    }

    pub(super) fn resume(&mut self) {
        self.begun = Some((Instant::now(), thread_time()));
    }

    pub(super) fn end(&mut self, bench: &mut Workbench) {
        self.pause();
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(self.spent);
        }
        self.first_frame.get_or_insert_with(|| self.start.elapsed());
        let rows = bench.capture().len();
        if rows == self.rows {
            return;
        }
        let live = bench.capture().is_running() && rows > self.rows;
        self.live_frames += usize::from(live);
        if rows > 0 {
            self.first_row.get_or_insert_with(|| self.start.elapsed());
        }
        // The oldest row that is new in this frame has waited longest.
        let oldest = if rows > self.rows { self.rows } else { 0 };
        self.rows = rows;
        if let (true, Some(row)) = (live, bench.capture_mut().row(oldest)) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let lag = now.saturating_sub(Duration::from_nanos(row.entry.timestamp_ns));
            self.longest_lag = self.longest_lag.max(lag);
        }
    }

    /// One line of JSON: times in milliseconds.
    #[must_use]
    pub fn json(&self) -> String {
        let ms = |d: Duration| (d.as_secs_f64() * 1e6).round() / 1e3;
        let sorted = |of: fn(&Spent) -> Duration| {
            let mut all: Vec<Duration> = self.frames.iter().map(of).collect();
            all.sort_unstable();
            move |q: f64| {
                let last = all.len().saturating_sub(1);
                all.get((last as f64 * q).round() as usize).copied().map_or(0.0, ms)
            }
        };
        let (clock, processor) = (sorted(|s| s.clock), sorted(|s| s.processor));
        serde_json::json!({
            "frames": self.frames.len(),
            "frame_p50_ms": clock(0.5),
            "frame_p99_ms": clock(0.99),
            "frame_max_ms": clock(1.0),
            "processor_p50_ms": processor(0.5),
            "processor_p99_ms": processor(0.99),
            "processor_max_ms": processor(1.0),
            "longest_lag_ms": ms(self.longest_lag),
            "live_frames": self.live_frames,
            "first_frame_ms": self.first_frame.map(ms),
            "first_row_ms": self.first_row.map(ms),
        })
        .to_string()
    }
}
