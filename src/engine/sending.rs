//! A job in the background, for a viewer: orders go in by its [`Control`], what happens comes out of a channel.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::control::Engine;
use super::job::{Happened, Job, Summary};
use super::pace::Control;
use super::plan::{Held, Plan};
use super::post::Waker;
use super::sent::Sent;
use super::sources::{Access, Failure};
use crate::net::Transmitted;

/// What happens in a job that is not fetched yet; of more, progress is left out, the rest waits.
const PENDING: usize = 4096;

/// What comes out of a job.
#[derive(Clone, Debug)]
pub enum Told {
    /// Of a plan: this stands before the packets go out, and nothing is sent.
    Held(Held),
    /// Of a plan: it begins; how many packets it will be, as far as that is known, and what a person should know before.
    Ready {
        /// How many.
        total: Option<u64>,
        /// What to know.
        notes: Vec<String>,
    },
    /// What the interface of this name itself has counted since, whoever sent it.
    Counted(String, Transmitted),
    /// Something happened.
    Happened(Happened),
    /// It is over: its summary, or what kept it from beginning.
    Over(Result<Box<Summary>, Failure>),
}

/// A job that runs on a thread of its own. Dropped, it stops.
pub struct Sending {
    control: Control,
    told: Receiver<Told>,
}

impl Engine {
    /// Sends what a plan says, on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn send(&self, plan: Plan) -> Result<Sending, Failure> {
        Sending::carry_out(Arc::clone(&self.access), plan, self.sent(), Arc::clone(&self.post.wake))
    }
}

impl Sending {
    /// Starts a job. `waker` is called when there is something to fetch.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(access: Arc<Access>, mut job: Job, waker: Waker) -> Result<Self, Failure> {
        Self::spawn(waker, move |control, tell| {
            let over = job.run(&access, control, &mut |happened| {
                tell(Told::Happened(happened));
                Ok(())
            });
            tell(Told::Over(over.map(Box::new)));
        })
    }

    /// Makes a plan ready and carries it out.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn carry_out(
        access: Arc<Access>,
        plan: Plan,
        sent: Arc<Sent>,
        waker: Waker,
    ) -> Result<Self, Failure> {
        Self::spawn(waker, move |control, tell| plan.run(&access, &sent, control, tell))
    }

    fn spawn(
        waker: Waker,
        body: impl FnOnce(&Control, &mut dyn FnMut(Told)) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (sender, told) = bounded(PENDING);
        let control = Control::default();
        let own = control.clone();
        let body = move || body(&own, &mut |told| post(&sender, told, &waker, &own));
        std::thread::Builder::new()
            .name("stream".into())
            .spawn(body)
            .map_err(|e| Failure::new(format!("cannot start the thread of a stream: {e}")))?;
        Ok(Self { control, told })
    }

    /// Pause, go on, stop.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What was told and not fetched yet.
    #[must_use]
    pub fn told(&self) -> &Receiver<Told> {
        &self.told
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.control.stop();
    }
}

fn post(sender: &Sender<Told>, told: Told, waker: &Waker, control: &Control) {
    if matches!(told, Told::Happened(Happened::Progress(_)) | Told::Counted(..)) {
        // A newer one follows soon.
        let _ = sender.try_send(told);
    } else if sender.send(told).is_err() {
        // Nobody listens any more.
        control.stop();
    }
    waker();
}
