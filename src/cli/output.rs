//! Standard output and what ends a run.

use std::io::{self, BufWriter, StdoutLock, Write};

use crate::engine;

/// It failed while running.
pub const FAILED: u8 = 1;
/// The call, the notation or the filter is wrong.
pub const WRONG_CALL: u8 = 2;

/// The privilege to open a raw socket is missing.
pub const NO_PRIVILEGE: u8 = 3;

/// A run's exit status, or why it ended early.
pub type Outcome = Result<u8, Failure>;

/// Why a run ended early.
#[derive(Debug)]
pub enum Failure {
    /// It ends with this status and this message.
    Message {
        /// The exit status.
        status: u8,
        /// What was tried, on what, why it failed, what to do.
        error: anyhow::Error,
    },
    /// Whoever read the output has gone: no failure of ours.
    ClosedPipe,
}

impl Failure {
    /// It failed while running.
    #[must_use]
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Message { status: FAILED, error: error.into() }
    }

    /// The call is wrong.
    #[must_use]
    pub fn wrong_call(message: String) -> Self {
        Self::Message { status: WRONG_CALL, error: anyhow::Error::msg(message) }
    }

    /// Says it on standard error and gives the exit status.
    #[must_use]
    pub fn report(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Message { status, error } => {
                message(&format!("rawbench: {}", chain(error)));
                *status
            }
        }
    }
}

/// An error with its causes, each said once: many a message names its cause itself.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
    }
    text
}

impl From<io::Error> for Failure {
    /// Only writes to standard output become failures this way; everything else names its object first.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::failed(anyhow::Error::new(error).context("cannot write to standard output"))
    }
}

impl From<engine::Failure> for Failure {
    fn from(failure: engine::Failure) -> Self {
        let mut text = failure.text.clone();
        for (number, (what, command)) in (1..).zip(&failure.ways) {
            // The text may name the ways already: then once is enough.
            if !failure.text.contains(command) {
                text += &format!("\n  {number}. {what}: {command}");
            }
        }
        let status = if failure.lists_ways() { NO_PRIVILEGE } else { FAILED };
        Self::Message { status, error: anyhow::Error::msg(text) }
    }
}

/// Standard output, locked and buffered. Flush it at the end: what is left else goes out unchecked.
pub type Out = BufWriter<StdoutLock<'static>>;

/// Standard output, locked and buffered.
#[must_use]
pub fn out() -> Out {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// A line for a person, on standard error.
pub fn message(text: &str) {
    // When standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let reason = || io::Error::from_raw_os_error(2);
        let context = anyhow::Error::new(reason()).context("cannot write to standard output");
        assert_eq!(chain(&context), format!("cannot write to standard output: {}", reason()));
        let path = std::path::Path::new("/nonexist/a.pcap");
        let named = crate::pcap::CaptureFile::open(path).unwrap_err();
        let text = chain(&named.into());
        assert_eq!(text.matches(&reason().to_string()).count(), 1, "{text}");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).report(), 0);
        assert!(matches!(
            Failure::from(io::Error::from(io::ErrorKind::StorageFull)),
            Failure::Message { status: FAILED, .. }
        ));
    }
}
