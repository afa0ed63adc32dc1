//! The ledger of a capture: what came, what was kept, what was lost, and where.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sink::Lost;

/// What a capture has counted. What was received is the sum of the rest, always:
/// `received = written + filtered + lost_kernel + lost_here`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets that the kernel saw for this capture, those that it dropped included, and those left out by a filter in the
    /// kernel not.
    pub received: u64,
    /// Packets that stand in the sink.
    pub written: u64,
    /// Packets that the program left out, because a filter or a trigger says so.
    pub filtered: u64,
    /// Packets dropped by the kernel, because we were too slow.
    pub lost_kernel: u64,
    /// Packets that reached us and could not be kept.
    pub lost_here: u64,
    /// Bytes of packets that were kept.
    pub bytes: u64,
}

impl Tally {
    /// The line that is printed at the end of a capture.
    #[must_use]
    pub fn summary(&self) -> String {
        let filtered = match self.filtered {
            0 => String::new(),
            n => format!("filtered {n}, "),
        };
        format!(
            "received {}, written {}, {filtered}lost in the kernel {}, lost in the program {}, {} bytes",
            self.received, self.written, self.lost_kernel, self.lost_here, self.bytes
        )
    }
}

/// Something that a person should see at its place among the packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Packets that stand before it in the capture: it belongs before the row of this number, counted from 0.
    pub row: u64,
    /// When it was noticed, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// What it is.
    pub what: Incident,
}

/// What can happen between two packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// The kernel dropped so many packets here.
    Lost(u64),
    /// So many packets reached the program and could not be kept.
    LostHere(u64),
    /// The interface is down, or gone: a whole sentence.
    Away(String),
    /// It is back: a whole sentence.
    Back(String),
    /// Something else that should be known: a whole sentence.
    Note(String),
}

impl std::fmt::Display for Incident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(1) => f.write_str("1 packet was lost here: the kernel dropped it"),
            Self::Lost(n) => write!(f, "{n} packets were lost here: the kernel dropped them"),
            Self::LostHere(1) => f.write_str("1 packet was lost here: it came and could not be kept"),
            Self::LostHere(n) => write!(f, "{n} packets were lost here: they came and could not be kept"),
            Self::Away(text) | Self::Back(text) | Self::Note(text) => f.write_str(text),
        }
    }
}

/// Marks that are kept at most; a connection that flaps for days does not fill the memory.
const MOST_MARKS: usize = 10_000;

#[derive(Debug, Default)]
struct Ledger {
    tally: Tally,
    unreadable: u64,
    marks: Vec<Mark>,
}

/// The ledger of a recorder; read by viewers at any time, and brought up to date once for many packets.
#[derive(Debug, Default)]
pub struct Counters(Mutex<Ledger>);

impl Counters {
    /// What was counted until now.
    #[must_use]
    pub fn now(&self) -> Tally {
        self.lock().tally
    }

    /// The marks from this one on, counted from 0, in the order in which they came.
    #[must_use]
    pub fn marks(&self, from: usize) -> Vec<Mark> {
        self.lock().marks.get(from..).unwrap_or_default().to_vec()
    }

    /// The line that is printed at the end of a capture.
    #[must_use]
    pub fn summary(&self) -> String {
        self.now().summary()
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many packets came, of which the sink took some with so many bytes.
    pub(super) fn take(&self, came: u64, taken: Lost) {
        let tally = &mut self.lock().tally;
        tally.received += came;
        tally.written += taken.packets;
        tally.bytes += taken.bytes;
        tally.lost_here += came.saturating_sub(taken.packets);
    }

    /// What counts as kept never reached the file.
    pub(super) fn lose(&self, lost: Lost) {
        let tally = &mut self.lock().tally;
        tally.lost_here += lost.packets;
        tally.written = tally.written.saturating_sub(lost.packets);
        tally.bytes = tally.bytes.saturating_sub(lost.bytes);
    }

    /// Of what counts as kept, the sink has left so much out until now; the number may go down again.
    pub(super) fn leave_out(&self, filtered: Lost, before: Lost) {
        let tally = &mut self.lock().tally;
        tally.filtered = filtered.packets;
        tally.written = (tally.written + before.packets).saturating_sub(filtered.packets);
        tally.bytes = (tally.bytes + before.bytes).saturating_sub(filtered.bytes);
    }

    /// So many packets reached us until now that could not be read. Gives how many of them are new.
    pub(super) fn refuse_until(&self, unreadable: u64) -> u64 {
        let ledger = &mut *self.lock();
        let new = unreadable.saturating_sub(ledger.unreadable);
        ledger.unreadable += new;
        ledger.tally.received += new;
        ledger.tally.lost_here += new;
        new
    }

    /// The kernel dropped so many packets until now.
    pub(super) fn drop_in_kernel(&self, dropped: u64) {
        let tally = &mut self.lock().tally;
        tally.received += dropped.saturating_sub(tally.lost_kernel);
        tally.lost_kernel = tally.lost_kernel.max(dropped);
    }

    /// Something happened before the row of this number.
    pub(crate) fn mark(&self, row: u64, time_ns: u64, what: Incident) {
        let marks = &mut self.lock().marks;
        if marks.len() < MOST_MARKS {
            marks.push(Mark { row, time_ns, what });
        }
    }
}
