//! Opening, saving, closing: nothing that was captured is lost without a question.

use std::path::PathBuf;

use super::capture::{CaptureState, Origin};
use super::command::{Choice, Question, Then};
use super::workbench::{Request, Workbench};
use crate::engine::{Failure, Order};

impl Workbench {
    /// Does what was asked for, unless packets would be lost by it: then it asks first.
    pub(super) fn unless_unsaved(&mut self, then: Then) {
        let packets = self.capture.unsaved();
        if packets > 0 {
            self.question = Some(Question::Unsaved { packets, then });
            return;
        }
        self.go_on(then);
    }

    pub(super) fn go_on(&mut self, then: Then) {
        match then {
            Then::Quit => {
                self.order(Order::Stop);
                self.remove_spool();
                self.requests.push(Request::Close);
            }
            Then::Open(None) => self.requests.push(Request::AskOpen),
            Then::Open(Some(path)) => {
                self.order(Order::Stop);
                self.remove_spool();
                self.capture = CaptureState::new(None, Origin::File(path.clone()));
                self.capture.loading = true;
                self.order(Order::Open(path));
            }
            Then::Capture => {
                let Some(source) = self.source().cloned() else {
                    self.pending_send = false;
                    return self.notice(Failure::new("there is no source to capture from yet"));
                };
                self.capture.starting = true;
                let directory = self.directory.clone();
                self.order(Order::Capture { source, directory });
            }
            Then::Clear => {
                self.order(Order::Stop);
                self.remove_spool();
                self.capture = CaptureState::new(None, Origin::Empty);
            }
        }
    }

    /// The spool of a capture that is saved or given up is of no use to anybody.
    pub(super) fn remove_spool(&mut self) {
        if let (Origin::Live(_), Some(file)) = (&self.capture.origin, &self.capture.file) {
            let _ = std::fs::remove_file(file.path());
        }
    }

    pub(super) fn answer(&mut self, choice: Choice) {
        let then = match self.question.take() {
            Some(Question::Unsaved { then, .. }) => then,
            // What was to happen after the save does not.
            Some(Question::SavePath | Question::OpenPath) => return self.path_cancelled(),
            None => return,
        };
        match choice {
            Choice::Save => {
                self.after_save = Some(then);
                self.ask_save();
            }
            Choice::Discard => {
                self.capture.saved = usize::MAX;
                self.go_on(then);
            }
            Choice::Cancel => self.pending_send = false,
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
            self.saving = true;
            self.order(Order::Save { file, path });
        }
    }

    /// No dialog is to be had: the window asks for the path itself.
    pub fn ask_path(&mut self, question: Question) {
        self.question = Some(question);
    }

    /// The dialog was closed without a name.
    pub fn path_cancelled(&mut self) {
        self.after_save = None;
        self.question = None;
        self.pending_send = false;
    }
}
