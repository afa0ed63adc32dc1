//! A job in the background, for a viewer: orders go in by its [`Control`], what happens comes out of a channel.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::control::Waker;
use super::job::{Happened, Job, Summary};
use super::pace::Control;
use super::sources::{Access, Failure};

/// What happens in a job that is not fetched yet; of more, progress is left out, the rest waits.
const PENDING: usize = 4096;

/// What comes out of a job.
#[derive(Clone, Debug)]
pub enum Told {
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

impl Sending {
    /// Starts a job. `waker` is called when there is something to fetch.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(access: Arc<Access>, mut job: Job, waker: Waker) -> Result<Self, Failure> {
        let (sender, told) = bounded(PENDING);
        let control = Control::default();
        let own = control.clone();
        let body = move || {
            let over = job.run(&access, &own, &mut |happened| post(&sender, happened, &waker));
            // Fails only when nobody wants to know any more.
            let _ = sender.send(Told::Over(over.map(Box::new)));
            waker();
        };
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

fn post(sender: &Sender<Told>, happened: Happened, waker: &Waker) -> Result<(), Failure> {
    let gone = || Failure::new("nobody listens to the stream any more");
    if matches!(happened, Happened::Progress(_)) {
        // A newer one follows soon.
        let _ = sender.try_send(Told::Happened(happened));
    } else {
        sender.send(Told::Happened(happened)).map_err(|_| gone())?;
    }
    waker();
    Ok(())
}
