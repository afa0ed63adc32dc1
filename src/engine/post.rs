//! The ways between the viewer and the threads: orders go in by a queue of each thread, events come out by one for all.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::control::{Event, Order};
use super::sources::Failure;

/// Tells the viewer that something is there to fetch. May be called from any thread, and often.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Orders that may wait.
pub(super) const QUEUE: usize = 256;

/// Starts a thread that takes orders.
pub(super) fn thread(
    name: &str,
    body: impl FnOnce(Receiver<Order>) + Send + 'static,
) -> Result<Sender<Order>, Failure> {
    let (sender, receiver) = bounded(QUEUE);
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || body(receiver))
        .map_err(|e| Failure::new(format!("cannot start the thread '{name}': {e}")))?;
    Ok(sender)
}

/// The way of events to the viewer.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) event: Sender<Event>,
    pub(super) wake: Waker,
}

impl Post {
    pub(super) fn event(&self, event: Event) {
        // Fails only when the viewer is gone, and then nobody waits for it.
        let _ = self.event.send(event);
        (self.wake)();
    }
}
