//! What a viewer wants to have sent: a stream, or packets of a capture once more. It is made ready on the thread that sends it,
//! since asking the system for a way, and a person for a permission, takes its time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{Happened, Job};
use super::pace::{Control, Pace};
use super::sending::Told;
use super::sent::Sent;
use super::sequence::{Checksums, Replay, Unsendable};
use super::sieve::Sieve;
use super::sources::{Access, Failure, Via};
use crate::craft::stream::Stream;
use crate::net::{self, Door, Place, Transmitted};
use crate::pcap::CaptureFile;

/// How often the interface is asked what it counted.
const WITNESS: Duration = Duration::from_millis(500);

/// Where packets come from.
#[derive(Clone)]
pub enum Packets {
    /// A draft of which fields vary.
    Made(Box<Stream>),
    /// Rows of a list.
    Rows {
        /// Of which capture.
        file: CaptureFile,
        /// Which packets the list shows; `None`: all.
        sieve: Option<Arc<Sieve>>,
        /// How many of its rows, from the first on.
        rows: usize,
        /// What happens to checksums.
        checksums: Checksums,
        /// What cannot be sent as it is stays behind, and the others are sent.
        leave_out: bool,
    },
}

/// How many packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many.
    Packets(u64),
    /// Once through all.
    Once,
    /// As many as there is time for.
    For(Duration),
}

/// What is to be sent.
#[derive(Clone)]
pub struct Plan {
    /// Where.
    pub place: Place,
    /// How.
    pub via: Via,
    /// What.
    pub packets: Packets,
    /// How many.
    pub amount: Amount,
    /// How fast.
    pub pace: Pace,
}

/// What cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// These.
    pub packets: Vec<Unsendable>,
    /// Of so many.
    pub of: u64,
}

impl Plan {
    fn job(&self, access: &Access) -> Result<Job, Failure> {
        let (place, via) = (self.place.clone(), self.via.clone());
        let mut job = match &self.packets {
            Packets::Made(stream) => Job::prepare(access, place, via, vec![(**stream).clone()])?,
            Packets::Rows { file, sieve, rows, checksums, .. } => {
                let rows = match sieve {
                    Some(sieve) => (0..*rows).map_while(|row| sieve.position(row)).collect(),
                    None => (0..*rows).collect(),
                };
                Job::replay(access, place, via, Replay::new(file.clone(), rows, *checksums)?)?
            }
        };
        job.pace = self.pace;
        // The capture of the window shows what comes back.
        job.wait = Duration::ZERO;
        Ok(job)
    }

    /// Makes the packets ready and sends them. What cannot be sent as it is is told before anything is sent, and then
    /// nothing is.
    pub(super) fn run(
        &self,
        access: &Access,
        sent: &Arc<Sent>,
        control: &Control,
        tell: &mut dyn FnMut(Told),
    ) {
        if let Err(failure) = self.try_run(access, sent, control, tell) {
            tell(Told::Over(Err(failure)));
        }
    }

    fn try_run(
        &self,
        access: &Access,
        sent: &Arc<Sent>,
        control: &Control,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), Failure> {
        let mut job = self.job(access)?;
        job.noted = Some(Arc::clone(sent));
        let held = job.unsendable()?;
        if let Some(first) = held.first() {
            match &self.packets {
                Packets::Made(_) => {
                    return Err(Failure::new(format!("cannot send the packet: {}", first.why)));
                }
                Packets::Rows { leave_out: true, .. } if (held.len() as u64) < job.entries() => {
                    job.leave_out(&held);
                }
                Packets::Rows { .. } => {
                    tell(Told::Held(Held { of: job.entries(), packets: held }));
                    return Ok(());
                }
            }
        }
        let (count, duration) = match self.amount {
            Amount::Packets(packets) => (Some(packets), None),
            Amount::Once => (Some(job.once()), None),
            Amount::For(duration) => (None, Some(duration)),
        };
        job.count(count);
        job.duration = duration;
        let total = count.or_else(|| duration.and_then(|d| job.pace.packets_in(d)));
        tell(Told::Ready { total, notes: std::mem::take(&mut job.notes) });
        let mut witness = Witness::of(&job, access);
        let over = job.run(access, control, &mut |happened| {
            let news = matches!(happened, Happened::Progress(_)).then(|| witness.as_mut()?.look()).flatten();
            tell(Told::Happened(happened));
            if let Some((name, counted)) = news {
                tell(Told::Counted(name, counted));
            }
            Ok(())
        });
        tell(Told::Over(over.map(Box::new)));
        Ok(())
    }
}

/// The counter of the interface, asked now and then.
struct Witness {
    door: Door,
    index: u32,
    name: String,
    before: Transmitted,
    asked: Instant,
}

impl Witness {
    fn of(job: &Job, access: &Access) -> Option<Self> {
        let interface = job.interface()?;
        let door = access.door(&job.place).ok()?;
        let before = net::transmitted(&door, interface.index).ok()?;
        Some(Self {
            door,
            index: interface.index,
            name: interface.name.clone(),
            before,
            asked: Instant::now(),
        })
    }

    fn look(&mut self) -> Option<(String, Transmitted)> {
        if self.asked.elapsed() < WITNESS {
            return None;
        }
        self.asked = Instant::now();
        let now = net::transmitted(&self.door, self.index).ok()?;
        Some((self.name.clone(), now.since(self.before)))
    }
}
