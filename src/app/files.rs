//! Starting, opening, saving, closing: nothing that was captured is lost without a question.
//!
//! Each capture has a generation. What the engine says of a generation that nobody waits for any more is dropped, so
//! that no late answer replaces what is shown now.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::capture::{CaptureState, Origin};
use super::command::{Choice, Outgoing, Question, Then};
use super::workbench::{Request, Workbench};
use crate::engine::{CaptureFile, Failure, Order, Terms};
use crate::filter::complete::Words;
use crate::pcap::LeftSpool;

/// What is under way between the workbench and its files.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// The last number that was given out, for captures and saves.
    last: u64,
    /// The generation of the capture that is shown.
    pub shown: u64,
    /// The generation that was asked for and has not come yet.
    pub wanted: Option<u64>,
    /// What is sent once the capture that is wanted listens.
    pub pending: Option<Outgoing>,
    /// Packets that are lost by what comes next may be lost: the person said so.
    agreed: bool,
    /// Spools that a killed program left behind, of which the person was not asked yet.
    pub left: VecDeque<LeftSpool>,
    /// Saves that are not done: number, generation.
    saves: Vec<(u64, u64)>,
    /// What goes on once this save is done.
    after_save: Option<(u64, Then)>,
    /// What goes on after the save whose path is being asked for.
    then: Option<Then>,
    /// Ask for the path once the capture has ended.
    save_when_ended: bool,
    /// Close once nothing is being saved.
    quit_when_saved: bool,
}

impl Traffic {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Workbench {
    /// Does what was asked for, unless packets would be lost by it: then it asks first.
    pub(super) fn unless_unsaved(&mut self, then: Then) {
        let packets = self.capture.unsaved();
        // A discard that was agreed on for a file holds for the file that is then named, and for nothing else.
        self.traffic.agreed &= matches!(then, Then::Open(Some(_)));
        if packets > 0 && !self.traffic.agreed {
            self.question = Some(Question::Unsaved { packets, then });
            return;
        }
        self.go_on(then);
    }

    pub(super) fn go_on(&mut self, then: Then) {
        match then {
            Then::Quit if !self.traffic.saves.is_empty() => {
                self.traffic.quit_when_saved = true;
                self.done("the window closes when the save is finished".into());
            }
            Then::Quit => {
                self.order(Order::Stop);
                self.remove_spool();
                self.requests.push(Request::Close);
            }
            Then::Open(None) => self.requests.push(Request::AskOpen),
            Then::Open(Some(path)) => {
                self.forget_waiting();
                self.order(Order::Stop);
                // Nobody knows when the first packet of a pipe comes.
                self.capture.starting = path.as_os_str() == "-";
                let generation = self.want(None);
                let directory = self.directory.clone();
                self.order(Order::Open { path, directory, generation });
            }
            Then::Capture(send) => {
                let Some(source) = self.source().cloned() else {
                    self.traffic.agreed = false;
                    return self.notice(Failure::new("there is no source to capture from yet"));
                };
                if let Some(text) = self.capture_filter.problem() {
                    let failure = Failure::new(format!("the capture filter is wrong\n{text}"));
                    self.traffic.agreed = false;
                    return self.notice(failure);
                }
                let limits = match self.options.limits() {
                    Ok(limits) => limits,
                    Err(text) => {
                        self.traffic.agreed = false;
                        return self.notice(Failure::new(format!("the capture options: {text}")));
                    }
                };
                self.capture.starting = true;
                self.tell_unused_filter(&source);
                self.remember(Words::Capture);
                let generation = self.want(send);
                let directory = self.directory.clone();
                let filter = self.capture_filter.filter();
                let terms = Box::new(Terms { directory, filter, limits });
                self.order(Order::Capture { source, terms, generation });
            }
            Then::Clear => {
                self.order(Order::Stop);
                self.show(CaptureState::new(None, Origin::Empty), None);
                self.ask_left();
            }
        }
    }

    /// Ends all without a question: what is not saved stays where the next start finds it.
    pub fn end(&mut self) {
        self.question = None;
        self.order(Order::Stop);
        self.remove_spool();
        self.requests.push(Request::Close);
    }

    /// A capture runs or a file is being saved, so that there is something to wait for before the end.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.engine.is_some() && (self.capture.running || !self.traffic.saves.is_empty())
    }

    /// The generation of the capture that was asked for and has not come yet.
    #[must_use]
    pub fn awaited(&self) -> Option<u64> {
        self.traffic.wanted
    }

    /// The saves that are not done, by number.
    pub fn saving(&self) -> impl Iterator<Item = u64> {
        self.traffic.saves.iter().map(|s| s.0)
    }

    /// Waits for a new generation, and for nothing else any more.
    fn want(&mut self, send: Option<Outgoing>) -> u64 {
        let generation = self.traffic.number();
        self.traffic.wanted = Some(generation);
        self.traffic.pending = send;
        self.tidy_readings();
        generation
    }

    /// Reads on only what is shown or waited for.
    fn tidy_readings(&self) {
        let (shown, wanted) = (self.traffic.shown, self.traffic.wanted);
        if let Some(engine) = &self.engine {
            engine.keep_readings(|generation| generation == shown || Some(generation) == wanted);
        }
    }

    /// The capture that was asked for and did not come is not waited for any more.
    pub(super) fn forget_wanted(&mut self) {
        self.capture.starting = false;
        self.traffic.wanted = None;
        self.traffic.pending = None;
        self.forget_waiting();
        self.traffic.agreed = false;
        self.tidy_readings();
    }

    /// Shows another capture in the place of the present one.
    pub(super) fn show(&mut self, mut capture: CaptureState, generation: Option<u64>) {
        self.remove_spool();
        capture.starting = false;
        self.forget_sought();
        self.capture.sift(None);
        capture.sieve = self.filter.sieve();
        self.capture.sort(None);
        capture.maker = Arc::clone(&self.list.maker);
        self.list.forget_visits();
        self.capture = capture;
        self.traffic.shown = generation.unwrap_or_else(|| self.traffic.number());
        self.traffic.wanted = None;
        self.traffic.agreed = false;
        self.capture.reading = self.engine.as_ref().and_then(|e| e.reading(self.traffic.shown));
        self.tidy_readings();
    }

    /// A file is open. Packets that came in meanwhile are not lost by it.
    pub(super) fn opened(&mut self, generation: u64, file: CaptureFile) {
        if self.traffic.wanted != Some(generation) {
            return;
        }
        let path = file.path().to_path_buf();
        let packets = self.capture.unsaved();
        if packets > 0 && !self.traffic.agreed {
            self.forget_wanted();
            self.question = Some(Question::Unsaved { packets, then: Then::Open(Some(path)) });
            return;
        }
        self.show(CaptureState::new(Some(file), Origin::File(path)), Some(generation));
        self.capture.follow = false;
        self.capture.loading = true;
    }

    /// The spool of a capture that is saved or given up is of no use to anybody. One with packets that nobody gave up
    /// stays where it is.
    fn remove_spool(&mut self) {
        if let (Origin::Live(_) | Origin::Left(_), Some(file)) = (&self.capture.origin, &self.capture.file)
            // While it runs there may be packets on their way into it that nobody has seen.
            && (self.capture.unsaved() == 0 && !self.capture.running || self.traffic.agreed)
        {
            let _ = std::fs::remove_file(file.path());
        }
    }

    pub(super) fn answer(&mut self, choice: Choice) {
        self.answer_one(choice);
        self.ask_left();
    }

    fn answer_one(&mut self, choice: Choice) {
        let then = match self.question.take() {
            Some(Question::Left { .. }) => return self.answer_left(choice),
            Some(Question::Unsaved { then, .. }) => then,
            Some(Question::Remote | Question::Again { .. } | Question::LoseScript(_)) => return,
            Some(Question::OpenScriptPath | Question::SaveScriptPath) => return,
            // What was to happen after the save does not.
            Some(Question::SavePath | Question::OpenPath | Question::ExportPath) => {
                return self.path_cancelled();
            }
            None => return,
        };
        match choice {
            Choice::Save => {
                self.traffic.then = Some(then);
                if self.capture.running {
                    // What still comes in belongs into the file.
                    self.traffic.save_when_ended = true;
                    self.order(Order::Stop);
                } else {
                    self.ask_save();
                }
            }
            Choice::Discard => {
                self.traffic.agreed = true;
                self.go_on(then);
            }
            Choice::Show | Choice::Cancel => self.forget_waiting(),
        }
    }

    /// The capture that is shown has ended.
    pub(super) fn capture_ended(&mut self) {
        self.capture.running = false;
        if std::mem::take(&mut self.traffic.save_when_ended) {
            self.ask_save();
        }
    }

    pub(super) fn ask_save(&mut self) {
        if self.capture.file.is_none() {
            return self
                .notice(Failure::new("there is nothing to save yet: start a capture or open a file first"));
        }
        self.requests.push(Request::AskSave("capture.pcapng".into()));
    }

    pub(super) fn save(&mut self, path: PathBuf) {
        self.question = None;
        if let Some(file) = self.capture.file.clone() {
            let save = self.traffic.number();
            self.traffic.saves.push((save, self.traffic.shown));
            self.traffic.after_save = self.traffic.then.take().map(|then| (save, then));
            self.order(Order::Save { file, path, save });
        }
    }

    /// A save is done, or failed (`packets` is none).
    pub(super) fn save_ended(&mut self, save: u64, packets: Option<u64>) {
        let place = self.traffic.saves.iter().position(|s| s.0 == save);
        let Some((_, generation)) = place.map(|p| self.traffic.saves.remove(p)) else { return };
        if let (Some(packets), true) = (packets, generation == self.traffic.shown) {
            let packets = usize::try_from(packets).unwrap_or(usize::MAX);
            self.capture.saved = self.capture.saved.max(packets);
        }
        let next = self.traffic.after_save.take_if(|(number, _)| *number == save).map(|(_, then)| then);
        if packets.is_none() {
            // Nothing goes on after a save that failed, and nothing is given up for it.
            self.traffic.quit_when_saved = false;
            self.traffic.agreed = false;
        } else if let Some(then) = next {
            self.unless_unsaved(then);
        } else if self.traffic.quit_when_saved && self.traffic.saves.is_empty() {
            self.traffic.quit_when_saved = false;
            self.unless_unsaved(Then::Quit);
        } else {
            self.ask_left();
        }
    }

    /// No dialog is to be had: the window asks for the path itself.
    pub fn ask_path(&mut self, question: Question) {
        self.question = Some(question);
    }

    /// The dialog was closed without a name: what was to follow does not.
    pub fn path_cancelled(&mut self) {
        self.question = None;
        self.traffic.then = None;
        self.traffic.save_when_ended = false;
        self.traffic.agreed = false;
    }
}
