//! Asking for what is known of the selected packet from those before it.

use std::sync::Arc;

use super::workbench::Workbench;
use crate::engine::{CaptureFile, Order};
use crate::wire::dissect::dissect;
use crate::wire::flow::seen;

impl Workbench {
    /// Has the flows followed as far as the selected packet, where it belongs to some.
    pub(super) fn follow_selected(&mut self) {
        let capture = &self.capture;
        let (Some(file), Some(packet)) = (capture.file.clone(), &capture.selected) else { return };
        let mut segments = Vec::new();
        seen(&packet.bytes, &dissect(packet.link_type, &packet.bytes).layers, 0, &mut segments);
        if segments.is_empty() {
            return;
        }
        let until = packet.index + 1;
        self.follow(file, until);
    }

    /// Has the flows followed to the end, where rows need what is known from the packets before.
    pub fn follow_on(&mut self) {
        let Some(file) = self.capture.file.clone().filter(|_| self.capture.maker.needs_flows()) else {
            return;
        };
        let until = file.len();
        self.follow(file, until);
    }

    fn follow(&mut self, file: CaptureFile, until: usize) {
        let capture = &self.capture;
        if !capture.flows.want(until) {
            return;
        }
        let flows = Arc::clone(&capture.flows);
        if !self.is_taken(Order::Follow { file, flows: Arc::clone(&flows) }) {
            flows.leave();
        }
    }
}
