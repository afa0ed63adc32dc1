//! A line that waits for a packet, or for none: what came is compared, and where nothing fits, what came nearest. Pure.

use std::time::Duration;

use super::Act;
use super::events::{Came, Nearest, Unmet, What, Why};
use super::machine::{GRACE_NS, Machine, Step, is_reset, lookup};
use super::pattern::{Difference, Pattern};

/// Packets shown of those that came while another was waited for.
const SHOWN: usize = 8;
/// The newest packets, which are compared for the one that came nearest.
const COMPARED: usize = 1024;

impl Machine {
    /// Looks at what came for the line that waits.
    pub(super) fn look(&mut self, until: u64, now_ns: u64) -> Option<Step> {
        let (pattern, comes) = match self.script.lines.get(self.at).map(|l| &l.what) {
            Some(Act::Expect { pattern, .. }) => (pattern, true),
            Some(Act::Never { pattern, .. }) => (pattern, false),
            _ => {
                self.go_on();
                return None;
            }
        };
        let names = &self.names;
        let found = self.pool.iter().enumerate().skip(self.looked).find_map(|(at, came)| {
            if came.time_ns > until {
                return None;
            }
            let verdict = pattern.compare(came.link_type, &came.bytes, &|name| lookup(names, name));
            verdict.matches().then_some((at, verdict.taken))
        });
        let Some((at, taken)) = found else {
            self.looked = self.pool.len();
            if now_ns < until.saturating_add(GRACE_NS) {
                return Some(Step::Wait(until.saturating_add(GRACE_NS)));
            }
            self.time_is_over(until);
            return None;
        };
        let packet = self.pool.remove(at)?;
        let after_ns = since(self.mark_ns, packet.time_ns);
        if comes {
            self.mark_ns = self.mark_ns.max(packet.time_ns);
            self.names.extend(taken.iter().cloned());
            self.pass(What::Came { packet, after_ns, taken });
        } else {
            self.fail(Why::Unwanted(packet, after_ns));
        }
        None
    }

    fn time_is_over(&mut self, until: u64) {
        let within = Duration::from_nanos(until.saturating_sub(self.mark_ns));
        match self.script.lines.get(self.at).map(|l| &l.what) {
            Some(Act::Expect { pattern, .. }) => {
                let unmet = self.unmet(pattern, within, until);
                self.fail(Why::Missing(unmet));
            }
            _ => {
                self.mark_ns = self.mark_ns.max(until);
                self.pass(What::Silence(within));
            }
        }
    }

    /// What came instead of a packet.
    fn unmet(&self, pattern: &Pattern, within: Duration, until: u64) -> Unmet {
        let after = |came: &Came| since(self.mark_ns, came.time_ns);
        let judged = self.pool.iter().enumerate().rev().take(COMPARED).map(|(at, came)| {
            let mut verdict = pattern.compare(came.link_type, &came.bytes, &|name| lookup(&self.names, name));
            if came.time_ns > until {
                let time = Duration::from_nanos(came.time_ns.saturating_sub(self.mark_ns));
                verdict.differences.push(Difference {
                    field: "time".into(),
                    expected: format!("within {within:?}"),
                    came: format!("{time:?}"),
                });
            }
            (at, verdict)
        });
        let like = judged.filter(|(_, verdict)| verdict.agreed > 0);
        let best = like.min_by_key(|(at, v)| (v.differences.len(), usize::MAX - v.agreed, *at));
        let at = best.as_ref().map(|(at, _)| *at);
        let nearest = best.and_then(|(at, verdict)| {
            let packet = self.pool.get(at)?.clone();
            let after_ns = after(&packet);
            Some(Nearest { packet, after_ns, differences: verdict.differences })
        });
        let rest =
            || self.pool.iter().enumerate().filter(|(other, _)| Some(*other) != at).map(|(_, came)| came);
        let others: Vec<(Came, i64)> = rest().take(SHOWN).map(|came| (came.clone(), after(came))).collect();
        let more = (rest().count() - others.len()) as u64;
        // What follows from the reset is silence, or a reset of the other end.
        let reset = |near: &Nearest| is_reset(&near.packet).is_some();
        let kernel_reset = self.kernel_reset && pattern.has("tcp") && nearest.as_ref().is_none_or(reset);
        Unmet { within, nearest, others, more, kernel_reset }
    }
}

fn since(from_ns: u64, to_ns: u64) -> i64 {
    i64::try_from(i128::from(to_ns) - i128::from(from_ns)).unwrap_or(i64::MAX)
}
