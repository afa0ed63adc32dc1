//! The reset guard: the TCP port that is held while packets are made by hand.

use super::workbench::Workbench;
use crate::engine::{Failure, Order, Port};

/// What the switch does and where its limits are, for a person.
pub const GUARD_HELP: &str = "The kernel knows nothing of a connection that is made by hand: it answers the other end's SYN-ACK \
    with a RST, which ends it. While this is on, a socket holds the packet's TCP source port and drops what comes for it, so the \
    kernel keeps quiet. It follows the port when that is changed. Nothing else is touched, no firewall rule is made, and nothing \
    is left of it when it is turned off or the program ends, however it ends.\n\n\
    Limits: no other program can have the port meanwhile, and one that has it keeps it. Ports below 1024 take a privilege, \
    except in the lab. Turned off too early, it lets the next packet of the other end be answered by a RST. Without any \
    privilege, on newer kernels, it cannot drop what a direct neighbour sends with a TTL of 255.";

/// What is wanted of the guard, and how it stands.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// The switch.
    pub on: bool,
    /// The port that was asked for last.
    asked: Option<Port>,
    /// The engine says that it is held.
    held: bool,
}

/// How the guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing is held.
    Off,
    /// The draft has no TCP port, and none is held.
    NoPort,
    /// This port is being asked for.
    Asked(u16),
    /// This port is held.
    Held(u16),
}

impl Guard {
    /// Whether a port is asked for and not held yet: nothing goes out from it meanwhile.
    pub fn is_awaited(&self) -> bool {
        self.asked.is_some() && !self.held
    }
}

impl Workbench {
    /// How the reset guard stands.
    #[must_use]
    pub fn hold(&self) -> Hold {
        match &self.guard.asked {
            _ if !self.guard.on => Hold::Off,
            Some((_, port)) if self.guard.held => Hold::Held(*port),
            Some((_, port)) => Hold::Asked(*port),
            None => Hold::NoPort,
        }
    }

    /// The TCP port that the draft leaves from; 0 is none.
    #[must_use]
    pub fn draft_port(&self) -> Option<u16> {
        let draft = self.builder.draft();
        let path = draft.find("tcp", "srcport")?;
        let port = draft.locate(path)?.stored(draft.bytes())?;
        u16::try_from(port).ok().filter(|port| *port != 0)
    }

    /// Has the engine hold what the switch and the draft say. Where the draft is no TCP, the last port is held on.
    pub(super) fn hold_on(&mut self) {
        let place = self.source().map(|s| s.place.clone());
        let wanted = match (self.guard.on, place) {
            (true, Some(place)) => {
                let kept = self.guard.asked.clone().filter(|(of, _)| *of == place);
                self.draft_port().map(|port| (place, port)).or(kept)
            }
            _ => None,
        };
        if self.guard.asked == wanted {
            return;
        }
        self.guard.held = false;
        if self.is_taken(Order::Hold(wanted.clone())) {
            self.guard.asked = wanted;
        } else {
            self.guard.on = self.guard.asked.is_some();
        }
    }

    /// Takes in how the engine fared.
    pub(super) fn held(&mut self, port: Option<Port>, held: Result<(), Failure>) {
        if self.guard.asked != port {
            return;
        }
        match held {
            Ok(()) => {
                self.guard.held = port.is_some();
                if self.sending.is_some() {
                    // What waited for it goes out now.
                    self.explored = None;
                    self.explore();
                }
            }
            Err(failure) => {
                self.guard = Guard::default();
                // Its answer would be reset, which is what the switch is there to prevent.
                let unsent = if self.sending.take().is_some() { " The packet was not sent." } else { "" };
                self.notice(Failure { text: format!("{}{unsent}", failure.text), ..failure });
            }
        }
    }
}
