//! What a file says about packets that were lost when it was captured: `epb_dropcount` at a packet, and the counters of the
//! interfaces (draft-ietf-opsawg-pcapng sections 4.3 and 4.6).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::capture::CaptureFile;
use super::types::InterfaceStatistics;

/// Packets that were lost, at their place among those that were not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Packets that stand before it: it belongs before the row of this number, counted from 0.
    pub row: u64,
    /// When it was noticed, in nanoseconds since the Unix epoch; 0 where the file does not say.
    pub time_ns: u64,
    /// How many packets were lost.
    pub packets: u64,
    /// What it is: a whole sentence.
    pub text: String,
}

/// A packet before which others were lost.
#[derive(Debug, Clone, Copy)]
struct Gap {
    /// Where the packet's bytes begin.
    offset: u64,
    packets: u64,
}

#[derive(Debug, Default)]
struct Known {
    gaps: Vec<Gap>,
    /// The last counters of each interface, and where they stand.
    counters: Vec<(u64, InterfaceStatistics)>,
}

/// What is known of losses, shared between who finds them and who shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedLosses(Arc<Mutex<Known>>);

impl SharedLosses {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many packets were lost before the packet whose bytes begin here.
    pub(super) fn gap(&self, offset: u64, packets: u64) {
        if packets > 0 {
            self.lock().gaps.push(Gap { offset, packets });
        }
    }

    /// The counters of an interface that stand here; they hold in the place of those before.
    pub(super) fn counters(&self, at: u64, statistics: InterfaceStatistics) {
        let known = &mut self.lock().counters;
        known.retain(|(_, one)| one.interface != statistics.interface);
        known.push((at, statistics));
    }
}

impl CaptureFile {
    /// What the file says about packets that were lost, in the order of the rows. Drops that stand at packets are not told again
    /// where the counters of the interfaces sum them up.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let index = self.index().snapshot();
        let interfaces = self.interfaces();
        let name = |number: u32| {
            let interface = usize::try_from(number).ok().and_then(|n| interfaces.get(n));
            interface.and_then(|i| i.name.clone()).unwrap_or_else(|| format!("interface {number}"))
        };
        let row_of = |offset: u64| {
            let (mut low, mut high) = (0, index.len());
            while low < high {
                let middle = low + (high - low) / 2;
                match index.get(middle).is_some_and(|entry| entry.offset < offset) {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }
            low
        };
        let known = self.shared_losses().lock();
        let mut losses = Vec::with_capacity(known.gaps.len());
        for gap in &known.gaps {
            let row = row_of(gap.offset);
            // What is not indexed yet has no row.
            let Some(entry) = index.get(row).filter(|entry| entry.offset == gap.offset) else { continue };
            let text = format!("{} lost here", were(gap.packets));
            losses.push(Loss { row: row as u64, time_ns: entry.timestamp_ns, packets: gap.packets, text });
        }
        let mut told: u64 = known.gaps.iter().fold(0, |sum, gap| sum.saturating_add(gap.packets));
        for (at, counters) in &known.counters {
            let row = row_of(*at) as u64;
            let time_ns = counters.end_ns.or(counters.start_ns).unwrap_or(0);
            let system = counters.system_dropped.unwrap_or(0);
            let untold = system.saturating_sub(told);
            told = told.saturating_sub(system);
            let interface = name(counters.interface);
            for (packets, by) in [
                (untold, "by the system, at places that the file does not name"),
                (counters.interface_dropped.unwrap_or(0), "by the interface, for lack of room"),
            ] {
                if packets > 0 {
                    let text = format!("{} dropped on {interface} {by}", were(packets));
                    losses.push(Loss { row, time_ns, packets, text });
                }
            }
        }
        losses.sort_by_key(|loss| loss.row);
        losses
    }
}

fn were(packets: u64) -> String {
    if packets == 1 { "1 packet was".to_owned() } else { format!("{packets} packets were") }
}
