//! What the engine's threads report, taken into the state.

use std::time::{Duration, Instant};

use super::builder::Builder;
use super::capture::{CaptureState, Origin};
use super::command::Then;
use super::workbench::{LOCALHOST, LastSend, LocalSources, Workbench};
use crate::craft::{Draft, Surroundings, presets};
use crate::engine::{Engine, Event, Failure, Listen, Place, Source};

impl Workbench {
    /// Takes in what the engine's threads report, for at most `budget`. `true`: there is more.
    pub fn drain(&mut self, budget: Duration) -> bool {
        let start = Instant::now();
        while let Some(event) = self.engine.as_ref().and_then(Engine::next_event) {
            self.take_event(event);
            if start.elapsed() > budget {
                return true;
            }
        }
        false
    }

    /// Takes in one report.
    pub fn take_event(&mut self, event: Event) {
        match event {
            Event::Sources(list, open) => self.take_sources(list, open),
            Event::Explored { place, destination, found } => {
                let surroundings = Surroundings {
                    route_source: found.source,
                    interface: found.interface.as_ref().and_then(|i| i.mac),
                    neighbour: found.neighbour,
                };
                let to = self.builder.draft().network_ends().map(|e| e.1);
                if to == Some(destination) && self.source().is_some_and(|s| s.place == place) {
                    self.builder.surround(surroundings);
                }
                self.neighbourhood = Some((place, destination, found));
            }
            Event::Started { source, file, counters } => {
                self.remove_spool();
                let follow = self.capture.follow;
                self.capture = CaptureState::new(Some(file), Origin::Live(source.label));
                self.capture.follow = follow;
                self.capture.counters = Some(counters);
                self.capture.running = true;
                if self.pending_send {
                    self.send_now();
                }
            }
            Event::NotStarted(failure) => {
                self.capture.starting = false;
                self.pending_send = false;
                self.notice(failure);
            }
            Event::Ended(end) => {
                self.capture.running = false;
                if let crate::engine::End::Failed(failure) = end {
                    self.notice(Failure { text: format!("the capture ended: {}", failure.text), ..failure });
                }
            }
            Event::Sent(bytes) => {
                let count = self.sent.as_ref().map_or(0, |s| s.count) + 1;
                self.sent = Some(LastSend { count, bytes });
            }
            Event::NotSent(failure) => self.notice(failure),
            file_event => self.take_file_event(file_event),
        }
    }

    pub(super) fn take_sources(&mut self, list: Result<Vec<Source>, Failure>, open: bool) {
        let chosen = self.source().cloned();
        self.host_open = open;
        match list {
            Ok(list) => {
                let kept =
                    chosen.and_then(|c| list.iter().position(|s| s.place == c.place && s.listen == c.listen));
                self.source = kept.unwrap_or(0);
                let first = self.sources.is_empty();
                self.sources = list;
                self.choose_preferred();
                if first && self.source().is_some_and(|s| s.place == Place::Host) {
                    self.stay_at_home();
                }
            }
            Err(failure) => self.notice(failure),
        }
        self.explore();
        if std::mem::take(&mut self.start_capture) {
            self.go_on(Then::Capture);
        }
    }

    /// The first packet of a bench on the machine's own network goes to the machine itself: nobody else is probed by
    /// a first press of Send.
    pub(super) fn stay_at_home(&mut self) {
        let syn = presets::ALL[0].to(LOCALHOST);
        let (can_undo, _) = self.builder.can();
        if let (false, Ok(draft)) = (can_undo, Draft::from_notation(&syn, &mut LocalSources)) {
            self.builder = Builder::new(draft);
        }
    }

    pub(super) fn choose_preferred(&mut self) {
        let Some((name, lab)) = self.preferred.take() else { return };
        let place = if lab { Place::Lab } else { Place::Host };
        let named = |s: &Source, n: &str| {
            s.label == n
                || matches!(&s.listen, Listen::Interface(i) if i == n)
                || (s.listen == Listen::Any && n == "any")
        };
        let found = match &name {
            Some(name) => self.sources.iter().position(|s| s.place == place && named(s, name)),
            None if lab => self.sources.iter().position(|s| s.place == place),
            None => Some(self.source),
        };
        match (found, name) {
            (Some(found), _) => self.source = found,
            (None, Some(name)) => self.notice(Failure::new(format!("there is no source {name} here"))),
            (None, None) => {}
        }
    }

    pub(super) fn take_file_event(&mut self, event: Event) {
        match event {
            Event::Opened(file) => {
                let path = file.path().to_path_buf();
                self.capture = CaptureState::new(Some(file), Origin::File(path));
                self.capture.follow = false;
                self.capture.loading = true;
            }
            Event::Loaded(report) => {
                self.capture.loading = false;
                if let Some(problem) = report.problem {
                    self.notice(Failure::new(problem.text));
                }
            }
            Event::NotOpened(failure) => {
                self.capture.loading = false;
                self.notice(failure);
            }
            Event::Saved { path, saved } => {
                self.saving = false;
                self.capture.saved = usize::try_from(saved.packets).unwrap_or(usize::MAX);
                self.done(format!(
                    "saved {} packets ({} bytes) to {}",
                    saved.packets,
                    saved.bytes,
                    path.display()
                ));
                if let Some(then) = self.after_save.take() {
                    self.go_on(then);
                }
            }
            Event::NotSaved(failure) => {
                self.saving = false;
                self.after_save = None;
                self.notice(failure);
            }
            _ => {}
        }
    }
}
