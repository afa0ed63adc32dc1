//! Tests of pcap-filter(7).

use super::Packet;

/// A test of pcap-filter(7).
#[derive(Clone, Debug)]
pub struct Words {}

impl Words {
    /// Whether the packet passes.
    pub(super) fn passes(&self, _packet: &Packet<'_>) -> bool {
        false
    }
}
