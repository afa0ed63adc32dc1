//! What the commands that work on a network have in common.

use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::PlaceArgs;
use super::output::{self, FAILED, Failure};
use crate::engine::Place;
use crate::net;

impl PlaceArgs {
    /// Where one works.
    #[must_use]
    pub fn place(&self) -> Place {
        match &self.netns {
            Some(name) => Place::Netns(name.clone()),
            None if self.lab => Place::Lab,
            None => Place::Host,
        }
    }
}

/// Has Ctrl-C (or SIGTERM) call `stop`, so that the run ends with its summary and complete files. The second one ends
/// the program at once.
///
/// # Errors
/// The system's reason.
pub fn on_interrupt(stop: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(anyhow::Error::new(error).context("cannot take over Ctrl-C"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let stopped = AtomicBool::new(false);
    let watch = move || {
        for _ in signals.forever() {
            if stopped.swap(true, Ordering::Relaxed) {
                output::message("rawbench: ended at once; a file that was being written may miss its end");
                std::process::exit(i32::from(FAILED));
            }
            net::give_up_asking();
            stop();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(failed)?;
    Ok(())
}
