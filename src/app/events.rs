//! What the engine's threads report, taken into the state.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::builder::Builder;
use super::capture::{CaptureState, Origin};
use super::command::{Outgoing, Then};
use super::gaps::GapKind;
use super::workbench::{LOCALHOST, Request, Workbench};
use crate::craft::{Draft, Surroundings, presets};
use crate::engine::{
    Engine, Event, Exchanges, Failure, HostWay, Incident, Listen, Neighbourhood, Order, Place, Source,
    System, Via,
};

/// The last packet that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSend {
    /// Packets sent since the start.
    pub count: u64,
    /// Size of the last one in bytes, as handed to the kernel.
    pub bytes: usize,
}

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
        self.capture.gather_gaps();
        self.tell_incidents();
        let more = self.ladder_on();
        let scripts = self.drain_script(start, budget);
        self.drain_stream(start, budget) || scripts || more
    }

    /// Says what happened to the capture; lost packets stand in the status line.
    fn tell_incidents(&mut self) {
        for incident in self.capture.take_incidents() {
            match incident {
                Incident::Lost(_) | Incident::LostHere(_) => {}
                Incident::Back(text) => {
                    // What was waited for is there: the gaps in the list go on telling of it.
                    let gaps = self.capture.gaps();
                    let is_over = |text: &str| gaps.iter().any(|g| g.kind == GapKind::Away && g.text == text);
                    self.notices.retain(|notice| !is_over(&notice.text));
                    self.done(text);
                }
                Incident::Away(text) | Incident::Note(text) => self.notice(Failure::new(text)),
            }
        }
    }

    /// Takes in one report.
    pub fn take_event(&mut self, event: Event) {
        match event {
            Event::Sources(list, way) => self.take_sources(list, way),
            Event::Explored { place, destination, via, found } => {
                self.take_explored((place, destination, via), found);
            }
            Event::Started { source, file, counters, generation } => {
                if self.traffic.wanted != Some(generation) {
                    // Nobody waits for it any more, and it has been told to stop.
                    let _ = std::fs::remove_file(file.path());
                    return;
                }
                let (follow, pending) = (self.capture.follow, self.traffic.pending.take());
                self.show(CaptureState::new(Some(file), Origin::Live(source.label)), Some(generation));
                self.capture.follow = follow;
                self.capture.counters = Some(counters);
                let sent = self.engine.as_ref().map(Engine::sent);
                self.capture.exchanges = Arc::new(sent.map_or_else(Exchanges::default, Exchanges::live));
                self.capture.running = true;
                self.start_waiting();
                if let Some(Outgoing { place, via, frame }) = pending {
                    self.order(Order::Send { place, via, frame });
                }
            }
            Event::Streaming { source, file, generation } => self.streaming(source, file, generation),
            Event::NotStarted(generation, failure) => {
                if self.traffic.wanted == Some(generation) {
                    self.forget_wanted();
                    self.notice(failure);
                }
            }
            Event::Ended(generation, end) => {
                if generation == self.traffic.shown {
                    self.capture_ended();
                    self.requests.extend(self.capture.counters().map(|c| Request::Report(c.summary())));
                }
                if let crate::engine::End::Failed(failure) = end {
                    self.notice(Failure { text: format!("the capture ended: {}", failure.text), ..failure });
                }
            }
            Event::Left(left) => self.found_left(left),
            Event::Sent(bytes) => {
                let count = self.sent.as_ref().map_or(0, |s| s.count) + 1;
                self.sent = Some(LastSend { count, bytes });
            }
            Event::NotSent(failure) => self.notice(failure),
            Event::Delayed(Ok(0)) => self.done("the lab's server answers at once".into()),
            Event::Delayed(Ok(ms)) => self.done(format!("the lab's server answers {ms} ms later")),
            Event::Delayed(Err(failure)) => self.notice(failure),
            Event::Held(port, held) => self.held(port, held),
            Event::Reassembled(ask, found) => self.reassembled(ask, found),
            Event::Found(ask, found) => self.found(ask, found),
            file_event => self.take_file_event(file_event),
        }
    }

    fn take_sources(&mut self, list: Result<Vec<Source>, Failure>, way: HostWay) {
        let chosen = self.source().cloned();
        self.host = way;
        match list {
            Ok(mut list) => {
                list.extend(self.remotes.iter().cloned());
                let same = |c: &Source| list.iter().position(|s| s.place == c.place && s.listen == c.listen);
                let kept = chosen.as_ref().and_then(same);
                if let (Some(gone), None) = (&chosen, kept) {
                    self.notice(Failure::new(format!("{} is not there any more", gone.label)));
                    self.leave_source();
                }
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
            self.go_on(Then::Capture(None));
        }
    }

    /// The first packet of a bench on the machine's own network goes to the machine itself: nobody else is probed by
    /// a first press of Send.
    fn stay_at_home(&mut self) {
        let syn = presets::ALL[0].to(Some(LOCALHOST));
        let (can_undo, _) = self.builder.can();
        if let (false, Ok(draft)) = (can_undo, Draft::from_notation(&syn, &mut System::default())) {
            self.builder = Builder::new(draft);
        }
    }

    fn choose_preferred(&mut self) {
        let Some((name, place)) = self.preferred.take() else { return };
        let named = |s: &Source, n: &str| {
            s.label == n
                || matches!(&s.listen, Listen::Interface(i) if i == n)
                || (s.listen == Listen::Any && n == "any")
        };
        let found = match &name {
            Some(name) => self.sources.iter().position(|s| s.place == place && named(s, name)),
            None if place != Place::Host => self.sources.iter().position(|s| s.place == place),
            None => Some(self.source),
        };
        match (found, name) {
            (Some(found), _) => self.source = found,
            (None, Some(name)) => self.notice(Failure::new(format!("there is no source {name} on {place}"))),
            (None, None) => self.notice(Failure::new(format!("there is no source on {place}"))),
        }
    }

    fn take_file_event(&mut self, event: Event) {
        match event {
            Event::Opened(generation, file) => self.opened(generation, file),
            Event::Loaded(generation, report) if generation == self.traffic.shown => {
                self.capture.loading = false;
                if report.cancelled {
                    self.reading_cancelled(report.packets);
                }
                self.capture.gather_losses();
                if let Some(problem) = report.problem {
                    self.notice(Failure::new(problem.text));
                }
            }
            Event::FileNews(generation, failure) if generation == self.traffic.shown => self.notice(failure),
            Event::NotOpened(generation, failure) => {
                if generation == self.traffic.shown {
                    self.capture.loading = false;
                }
                if self.traffic.wanted == Some(generation) {
                    self.forget_wanted();
                } else if generation != self.traffic.shown {
                    // Another one was asked for meanwhile.
                    return;
                }
                self.notice(failure);
            }
            Event::Saved { path, saved, save } => {
                let (packets, bytes) = (saved.packets, saved.bytes);
                self.done(format!("saved {packets} packets ({bytes} bytes) to {}", path.display()));
                self.save_ended(save, Some(packets));
            }
            Event::Exported(path, Ok(count)) => {
                self.done(format!("wrote {count} exchanges to {}", path.display()));
            }
            Event::Exported(_, Err(failure)) => self.notice(failure),
            Event::NotSaved(save, failure) => {
                self.notice(failure);
                self.save_ended(save, None);
            }
            _ => {}
        }
    }

    /// The way to a destination is known: the draft takes it in, and what waits for it to be sent goes out.
    fn take_explored(&mut self, asked: (Place, IpAddr, Via), found: Neighbourhood) {
        let surroundings = Surroundings {
            route_source: found.source,
            interface: found.interface.as_ref().and_then(|i| i.mac),
            neighbour: found.neighbour,
        };
        let here = self.source().is_some_and(|s| s.place == asked.0);
        let leads = |draft: &Draft, via: &Via| {
            here && *via == asked.2 && draft.network_ends().is_some_and(|(_, to)| to == asked.1)
        };
        if leads(self.builder.draft(), &self.via) {
            self.builder.surround(surroundings);
        }
        if self.guard.is_awaited() {
            // The answer must not come before the port is held.
        } else if let Some((mut draft, via)) = self.sending.take_if(|(draft, via)| leads(draft, via)) {
            draft.surround(surroundings);
            self.send_out(&draft, via);
        }
        self.neighbourhood = Some((asked.0, asked.1, found));
    }
}
