//! Asking for the datagram that the selected packet is a fragment of.

use std::time::{Duration, Instant};

use super::capture::Sought;
use super::workbench::Workbench;
use crate::engine::{Failure, Order, Reassembly};
use crate::wire::dissect::dissect;
use crate::wire::reassembly::fragment_layer;

/// How often a datagram that is not whole is sought again while packets come in.
const AGAIN: Duration = Duration::from_millis(500);

impl Workbench {
    /// Asks for the datagram, where the selected packet is a fragment. `before`: what was sought for the packet that was
    /// selected before; where both are fragments of one datagram it is shown until the answer comes.
    pub(super) fn seek(&mut self, before: Option<Sought>) {
        let Some(packet) = &self.capture.selected else { return };
        let found = dissect(packet.link_type, &packet.bytes);
        if fragment_layer(&packet.bytes, &found.layers).is_none() {
            return;
        }
        let number = packet.index + 1;
        let same = |found: &Reassembly| {
            let outermost = found.datagrams.first().filter(|d| d.whole().is_some());
            outermost.is_some_and(|d| d.parts.iter().any(|part| part.packet == number))
        };
        self.capture.sought = before.filter(|b| matches!(&b.found, Some(Ok(found)) if same(found)));
        self.ask_for_datagram();
    }

    fn ask_for_datagram(&mut self) {
        let (Some(file), Some(packet)) = (self.capture.file.clone(), &self.capture.selected) else { return };
        let position = packet.index;
        self.asks += 1;
        let found = self.capture.sought.take().and_then(|s| s.found);
        let ask = self.asks;
        self.capture.sought = Some(Sought { ask, asked: Instant::now(), waiting: true, found });
        self.order(Order::Reassemble { file, position, ask });
    }

    /// The number of the order that no answer has come to yet.
    #[must_use]
    pub fn sought(&self) -> Option<u64> {
        self.capture.sought.as_ref().filter(|s| s.waiting).map(|s| s.ask)
    }

    /// Takes in what was found, where it is still wanted.
    pub(super) fn reassembled(&mut self, ask: u64, found: Result<Reassembly, Failure>) {
        let Some(sought) = self.capture.sought.as_mut().filter(|s| s.ask == ask) else { return };
        sought.waiting = false;
        sought.found = Some(found.map_err(|failure| failure.text));
    }

    /// Seeks a datagram again that was not whole, when packets have come since. Gives how long to wait with that.
    pub fn seek_again(&mut self) -> Option<Duration> {
        let sought = self.capture.sought.as_ref().filter(|s| !s.waiting)?;
        let open =
            matches!(&sought.found, Some(Ok(found)) if found.open && found.looked.end < self.capture.len());
        if !open {
            return None;
        }
        let wait = AGAIN.saturating_sub(sought.asked.elapsed());
        if wait.is_zero() {
            self.ask_for_datagram();
            return None;
        }
        Some(wait)
    }
}
