//! What the pointer points at: one run of bits of a packet, lit in every view of it.

use eframe::egui::Context;

use super::REPAINT;
use crate::wire::bits::BitRange;

/// The lit bits of one packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lit {
    shown: Option<BitRange>,
    next: Option<BitRange>,
}

impl Lit {
    /// Points at these bits in this frame. The narrowest range wins where views overlap.
    pub fn point_at(&mut self, bits: BitRange) {
        if self.next.is_none_or(|n| bits.width < n.width) {
            self.next = Some(bits);
        }
    }

    /// Whether a field is lit: it shares a bit with what is pointed at.
    #[must_use]
    pub fn lights(&self, bits: BitRange) -> bool {
        self.shown.is_some_and(|s| s.start < bits.end() && bits.start < s.end())
    }

    /// Whether a byte is lit.
    #[must_use]
    pub fn lights_byte(&self, offset: usize) -> bool {
        self.shown.is_some_and(|s| s.touches(offset))
    }

    /// Whether anything is lit.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown.is_some()
    }

    /// Ends a frame: what was pointed at is shown in the next one.
    pub fn end_frame(&mut self, context: &Context) {
        if self.shown != self.next {
            context.request_repaint_after(REPAINT);
        }
        self.shown = self.next.take();
    }
}
