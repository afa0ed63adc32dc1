//! The reset guard of the window: one port at a time, held by a socket that nothing is left of when the process ends.

use std::os::fd::OwnedFd;

use super::sources::{Access, Failure};
use crate::net::Place;

/// A TCP port of a place.
pub type Port = (Place, u16);

/// Holds a port, or none.
#[derive(Default)]
pub(super) struct Guard {
    held: Option<(Port, OwnedFd)>,
}

impl Guard {
    /// Holds this port and no other from now on; `None`: none. One that is held already is held on without a gap.
    ///
    /// # Errors
    /// The system's reason; then no port is held.
    pub fn hold(&mut self, access: &Access, wanted: Option<&Port>) -> Result<(), Failure> {
        if self.held.as_ref().map(|(port, _)| port) == wanted {
            return Ok(());
        }
        self.held = None;
        if let Some(port) = wanted {
            self.held = Some((port.clone(), access.door(&port.0)?.tcp_guard(port.1)?));
        }
        Ok(())
    }
}
