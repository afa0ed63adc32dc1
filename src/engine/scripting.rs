//! A script that runs in the background, for a viewer: it can be stopped, and what happens comes out of a channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, bounded};

use super::control::Engine;
use super::script::{Outcome, Runner, Said, Told};
use super::sources::Failure;
use crate::craft::build::Sources;

/// What happens in a script that is not fetched yet; the script waits with more.
const PENDING: usize = 4096;

/// What comes out of a script.
#[derive(Debug)]
pub enum ScriptTold {
    /// Something happened.
    Told(Told),
    /// What a person should know.
    Note(String),
    /// It waits at this line, from 1 on.
    At(usize),
    /// It is over: how it went, or what kept it from beginning.
    Over(Result<Box<Outcome>, Failure>),
}

/// A script that runs on a thread of its own. Dropped, it stops.
pub struct Scripting {
    stop: Arc<AtomicBool>,
    told: Receiver<ScriptTold>,
}

impl Engine {
    /// Runs a script on a thread of its own. `sources`: for payloads that its packets ask for.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn run_script(
        &self,
        runner: Runner,
        mut sources: Box<dyn Sources + Send>,
    ) -> Result<Scripting, Failure> {
        let (sender, told) = bounded(PENDING);
        let stop = Arc::new(AtomicBool::new(false));
        let (access, wake, own) = (Arc::clone(&self.access), Arc::clone(&self.post.wake), Arc::clone(&stop));
        let body = move || {
            let tell = |told| {
                if sender.send(told).is_err() {
                    // Nobody listens any more.
                    own.store(true, Ordering::Relaxed);
                }
                wake();
            };
            let over = runner.run(&access, &mut *sources, &own, &mut |said| {
                tell(match said {
                    Said::Told(told) => ScriptTold::Told(told.clone()),
                    Said::Note(note) => ScriptTold::Note(note.to_owned()),
                    Said::At(line) => ScriptTold::At(line),
                });
                Ok(())
            });
            tell(ScriptTold::Over(over.map(Box::new)));
        };
        std::thread::Builder::new()
            .name("script".into())
            .spawn(body)
            .map_err(|e| Failure::new(format!("cannot start the thread of a script: {e}")))?;
        Ok(Scripting { stop, told })
    }
}

impl Scripting {
    /// Ends it before its end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What was told and not fetched yet.
    #[must_use]
    pub fn told(&self) -> &Receiver<ScriptTold> {
        &self.told
    }
}

impl Drop for Scripting {
    fn drop(&mut self) {
        self.stop();
    }
}
