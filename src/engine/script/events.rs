//! What a script says while it runs: packets, verdicts, and why a line failed.

use std::time::Duration;

use super::names::Value;
use super::pattern::Difference;
use super::sweep::Table;

/// A packet that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// As capture files number it.
    pub link_type: u32,
    /// When the kernel saw it.
    pub time_ns: u64,
    /// This machine sent it.
    pub outgoing: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something that happened, and where.
#[derive(Clone, Debug)]
pub struct Told {
    /// The line of the script, from 1 on.
    pub line: usize,
    /// The line as it was written.
    pub text: String,
    /// The rounds that it is in, such as `port=80`, the outermost first.
    pub rounds: Vec<String>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A test of this name begins.
    Test(String),
    /// A packet is on its way; its bytes as they were handed to the kernel.
    Sent {
        /// As capture files number it.
        link_type: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// What was expected came.
    Came {
        /// The packet.
        packet: Came,
        /// Nanoseconds since what was before it: the last packet that was sent or came.
        after_ns: i64,
        /// Names and the values that they took.
        taken: Vec<(String, Value)>,
    },
    /// What must not come did not.
    Silence(Duration),
    /// The answers to a sweep, all as they must be.
    Swept(Table),
    /// It is not as it must be.
    Failed(Box<Why>),
    /// The test is over; `failed`: lines of it that failed.
    TestOver {
        /// Its name; empty: the script has no tests.
        name: String,
        /// Lines that failed.
        failed: usize,
    },
}

/// Why a line failed.
#[derive(Clone, Debug)]
pub enum Why {
    /// What was expected did not come.
    Missing(Unmet),
    /// What must not come came, so many nanoseconds after what was before it.
    Unwanted(Came, i64),
    /// The packet could not be sent.
    NotSent(String),
    /// The line makes no sense with the values that its names have now.
    Wrong(String),
    /// Answers to a sweep are not as they must be.
    Sweep(Table),
}

/// What came instead of a packet that was expected.
#[derive(Clone, Debug)]
pub struct Unmet {
    /// How long it was waited for.
    pub within: Duration,
    /// The packet that is most like it.
    pub nearest: Option<Nearest>,
    /// Others that no line took, each with nanoseconds since what was before.
    pub others: Vec<(Came, i64)>,
    /// How many more there are.
    pub more: u64,
    /// The kernel of this machine reset the other end.
    pub kernel_reset: bool,
}

/// A packet that is like the expected one.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The packet.
    pub packet: Came,
    /// Nanoseconds since what was before it.
    pub after_ns: i64,
    /// Where it is not.
    pub differences: Vec<Difference>,
}

/// How the script went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Lines that hold: expected packets, silences, sweeps.
    pub passed: u64,
    /// Lines that do not.
    pub failed: u64,
    /// Lines that were wrong with the values of their names.
    pub wrong: u64,
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that were forgotten because too many came that no line took.
    pub forgotten: u64,
    /// Resets that the kernel of this machine sent to the other end.
    pub kernel_resets: u64,
    /// It was stopped before its end.
    pub stopped: bool,
}

impl Verdicts {
    /// Whether all of it was run, and all holds.
    #[must_use]
    pub fn pass(&self) -> bool {
        self.failed == 0 && self.wrong == 0 && !self.stopped
    }
}
