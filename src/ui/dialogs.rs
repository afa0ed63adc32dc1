//! Native file dialogs, on a thread of their own so that the window never waits.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use eframe::egui::Context;

use super::REPAINT;

/// A person needs longer than this to close a dialog; a missing portal answers faster.
const TOO_FAST: Duration = Duration::from_millis(400);

/// What a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A file to open.
    Open,
    /// A name to save under.
    Save,
    /// A name to write the exchanges under.
    Export,
    /// A script to open.
    OpenScript,
    /// A name to save a script under.
    SaveScript,
}

/// How a dialog ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A path was chosen.
    Chosen(PathBuf),
    /// It was closed.
    Cancelled,
    /// There is neither a portal nor zenity: nothing was shown.
    Missing,
}

/// A dialog that is open.
pub struct Dialog {
    /// What it is for.
    pub purpose: Purpose,
    answer: Receiver<Outcome>,
}

impl Dialog {
    /// Opens a dialog.
    #[must_use]
    pub fn open(purpose: Purpose, proposal: &str, context: &Context) -> Self {
        let (sender, answer) = bounded(1);
        let (context, proposal) = (context.clone(), proposal.to_owned());
        let started = std::thread::Builder::new().name("dialog".into()).spawn(move || {
            let outcome = ask(purpose, &proposal);
            let _ = sender.send(outcome);
            context.request_repaint_after(REPAINT);
        });
        if started.is_err() {
            // The sender is gone with the closure: the answer will be Missing.
            return Self { purpose, answer };
        }
        Self { purpose, answer }
    }

    /// Its end, once it has come.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.answer.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(crossbeam_channel::TryRecvError::Empty) => None,
            Err(crossbeam_channel::TryRecvError::Disconnected) => Some(Outcome::Missing),
        }
    }
}

fn ask(purpose: Purpose, proposal: &str) -> Outcome {
    if std::env::var_os("RAWBENCH_NO_DIALOGS").is_some() || !has_dialogs() {
        return Outcome::Missing;
    }
    let dialog = rfd::FileDialog::new();
    let dialog = match purpose {
        Purpose::Open | Purpose::Save => dialog.add_filter("Capture files", &["pcapng", "pcap", "cap"]),
        Purpose::Export => dialog.add_filter("CSV", &["csv"]).add_filter("JSON lines", &["json", "jsonl"]),
        Purpose::OpenScript | Purpose::SaveScript => dialog.add_filter("Scripts", &["bench"]),
    };
    let dialog = dialog.add_filter("All files", &["*"]);
    let begun = Instant::now();
    let path = match purpose {
        Purpose::Open => dialog.set_title("Open a capture").pick_file(),
        Purpose::Save => dialog.set_title("Save the capture").set_file_name(proposal).save_file(),
        Purpose::Export => dialog.set_title("Export the exchanges").set_file_name(proposal).save_file(),
        Purpose::OpenScript => dialog.set_title("Open a script").pick_file(),
        Purpose::SaveScript => dialog.set_title("Save the script").set_file_name(proposal).save_file(),
    };
    match path {
        Some(path) => Outcome::Chosen(path),
        // rfd answers the same when it could show nothing, but then at once.
        None if begun.elapsed() < TOO_FAST => Outcome::Missing,
        None => Outcome::Cancelled,
    }
}

/// Whether a session bus (for the portal) or zenity is there.
fn has_dialogs() -> bool {
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|d| PathBuf::from(d).join("bus").exists());
    let zenity = std::env::var_os("PATH")
        .is_some_and(|paths| std::env::split_paths(&paths).any(|p| p.join("zenity").is_file()));
    bus || zenity
}
