//! The conversation that is shown as a ladder: that of the selected packet, or else of the packet in the builder.

use std::sync::Arc;

use super::command::Below;
use super::workbench::Workbench;
use crate::engine::{Ladder, Order, Step};
use crate::wire::answer::Ends;
use crate::wire::dissect::dissect;

impl Workbench {
    /// The conversation, or why there is none to show.
    #[must_use]
    pub fn ladder(&self) -> Option<Result<&Ladder, &str>> {
        self.capture.ladder.as_ref().map(|ladder| ladder.as_ref().map_err(String::as_str))
    }

    /// An arrow of it, from 0.
    pub fn ladder_step(&mut self, nth: usize) -> Option<Arc<Step>> {
        let (file, ladder) = (self.capture.file.as_ref()?, self.capture.ladder.as_mut()?);
        ladder.as_mut().ok()?.step(file, nth)
    }

    /// Has the ladder follow the selection and what comes in. `true`: there is more to do at once.
    pub(super) fn ladder_on(&mut self) -> bool {
        if self.below != Below::Ladder {
            self.capture.ladder = None;
            return false;
        }
        let Some(file) = self.capture.file.clone() else { return false };
        let ends = match &self.capture.selected {
            Some(packet) => Ends::of(&packet.bytes, &dissect(packet.link_type, &packet.bytes).layers),
            None => Ends::of(self.builder.draft().bytes(), self.builder.draft().layers()),
        };
        let Some(ends) = ends else {
            self.capture.ladder = Some(Err("This packet has no two ends in a network.".into()));
            return false;
        };
        if !matches!(&self.capture.ladder, Some(Ok(ladder)) if ladder.is_between(&ends)) {
            self.capture.ladder = Some(Ladder::new(ends));
        }
        let Some(Ok(ladder)) = &mut self.capture.ladder else { return false };
        let more = ladder.walk(&file);
        let sieve = Arc::clone(ladder.sieve());
        if sieve.tested() < file.len() && sieve.begin() {
            let flows = Arc::clone(&self.capture.flows);
            let order = Order::Sift { file, flows, sieve: Arc::clone(&sieve) };
            if !self.is_taken(order) {
                sieve.leave();
            }
        }
        more
    }
}
