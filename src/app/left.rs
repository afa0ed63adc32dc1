//! What a killed program left behind: shown, saved or given up, one after the other, and never over unsaved packets.

use super::capture::{CaptureState, Origin};
use super::command::{Choice, Question};
use super::workbench::Workbench;
use crate::engine::Failure;
use crate::pcap::LeftSpool;

impl Workbench {
    /// Spools were found.
    pub(super) fn found_left(&mut self, left: Vec<LeftSpool>) {
        self.traffic.left.extend(left);
        self.ask_left();
    }

    /// Asks about the next spool, unless something else is asked or would be lost.
    pub(super) fn ask_left(&mut self) {
        if self.question.is_none()
            && self.may_show_left()
            && let Some(next) = self.traffic.left.front()
        {
            let (text, path) = (next.to_string(), next.capture.path().to_path_buf());
            self.question = Some(Question::Left { text, path, more: self.traffic.left.len() - 1 });
        }
    }

    /// Nothing that is shown or asked for would be lost.
    fn may_show_left(&self) -> bool {
        !self.capture.is_busy() && self.capture.unsaved() == 0 && self.traffic.wanted.is_none()
    }

    /// The person has answered about the first spool. One that was not dealt with is asked about at the next start.
    pub(super) fn answer_left(&mut self, choice: Choice) {
        let Some(left) = self.traffic.left.pop_front() else { return };
        match choice {
            Choice::Cancel => {}
            Choice::Discard => {
                if let Err(error) = left.discard() {
                    self.notice(Failure::new(error.to_string()));
                }
            }
            Choice::Show | Choice::Save if !self.may_show_left() => {
                self.traffic.left.push_front(left);
            }
            Choice::Show | Choice::Save => {
                let text = left.to_string();
                let path = left.capture.path().to_path_buf();
                self.show(CaptureState::new(Some(left.capture), Origin::Left(path)), None);
                self.capture.follow = false;
                self.done(text);
                if choice == Choice::Save {
                    self.ask_save();
                }
            }
        }
    }
}
