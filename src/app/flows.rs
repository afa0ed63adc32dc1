//! Asking for what is known of the selected packet from those before it.

use std::sync::Arc;

use super::workbench::Workbench;
use crate::engine::Order;
use crate::wire::dissect::dissect;
use crate::wire::flow::seen;

impl Workbench {
    /// Has the flows followed as far as the selected packet, where it belongs to some.
    pub(super) fn follow_selected(&mut self) {
        let capture = &self.capture;
        let (Some(file), Some(packet)) = (capture.file.clone(), &capture.selected) else { return };
        let mut segments = Vec::new();
        seen(&packet.bytes, &dissect(packet.link_type, &packet.bytes).layers, 0, &mut segments);
        if segments.is_empty() || !capture.flows.want(packet.index + 1) {
            return;
        }
        let flows = Arc::clone(&capture.flows);
        if !self.is_taken(Order::Follow { file, flows: Arc::clone(&flows) }) {
            flows.leave();
        }
    }
}
