//! Captures that are read from files that may be large or grow, from pipes, and from other machines.

use super::capture::{CaptureState, Origin};
use super::command::{Command, Outgoing, Question, Then};
use super::workbench::Workbench;
use crate::engine::{CaptureFile, Order, Reading, Remote, Source};

impl Workbench {
    /// Does what a command about such a capture says.
    pub(super) fn read_elsewhere(&mut self, command: Command) {
        match command {
            Command::CancelReading => self.with_reading(Reading::cancel),
            Command::FollowFile(on) => self.with_reading(|reading| reading.follow(on)),
            Command::AskRemote if self.question.is_none() => self.question = Some(Question::Remote),
            Command::CaptureRemote(remote) => self.capture_remote(remote),
            _ => {}
        }
    }

    fn with_reading(&self, change: impl FnOnce(&Reading)) {
        if let Some(reading) = self.capture.reading() {
            change(reading);
        }
    }

    /// Makes another machine a source, chooses it, and captures there.
    fn capture_remote(&mut self, remote: Remote) {
        self.question = None;
        let source = remote.source();
        // A host stands in the list once.
        self.remotes.retain(|one| one.label != source.label);
        self.remotes.push(source.clone());
        let index =
            match self.sources.iter().position(|one| one.label == source.label && one.remote().is_some()) {
                Some(index) => index,
                None => {
                    self.sources.push(source.clone());
                    self.sources.len() - 1
                }
            };
        self.choose_source(index);
        if let Some(place) = self.sources.get_mut(index) {
            *place = source;
        }
        self.unless_unsaved(Then::Capture(None));
    }

    /// Nothing that stands in the window is left out without a word.
    pub(super) fn tell_unused_filter(&mut self, source: &Source) {
        if let (Some(remote), Some(_)) = (source.remote(), self.capture_filter.filter()) {
            self.done(format!(
                "{} filters by its own command: the capture filter of this window is not used",
                remote.host
            ));
        }
    }

    /// Packets come from elsewhere.
    pub(super) fn streaming(&mut self, source: String, file: CaptureFile, generation: u64) {
        if self.traffic.wanted != Some(generation) {
            // Nobody waits for it any more, and it has been told to stop.
            let _ = std::fs::remove_file(file.path());
            return;
        }
        let pending = self.traffic.pending.take();
        self.show(CaptureState::new(Some(file), Origin::Live(source)), Some(generation));
        self.capture.running = true;
        if let Some(Outgoing { place, via, frame }) = pending {
            self.order(Order::Send { place, via, frame });
        }
    }

    /// The person wanted no more of a file.
    pub(super) fn reading_cancelled(&mut self, packets: u64) {
        let percent = self.capture.reading().and_then(Reading::share).map(|share| (share * 100.0).floor());
        let name = self.capture.file().map_or(String::new(), |file| file.path().display().to_string());
        let (partly, of) = match percent {
            Some(percent) => (format!("read to {percent} %"), format!(" of its first {percent} %")),
            None => ("not read to its end".to_owned(), String::new()),
        };
        self.capture.partly = Some(partly);
        self.done(format!("the reading of {name} was cancelled: the list has the {packets} packets{of}"));
    }
}
