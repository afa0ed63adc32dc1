//! A sweep that is run: its packets go out at their pace, and answers find the packet that they answer. Pure.

use super::Act;
use super::events::{Came, What, Why};
use super::machine::{GRACE_NS, Machine, Phase, Step, lookup, nanoseconds};
use super::sweep::{Found, Row, Sweep, Table};
use crate::engine::{Exchange, Record, Seen};

/// From one packet of a sweep to the next: 1000 a second.
const PACE_NS: u64 = 1_000_000;

/// A sweep that is run.
pub(super) struct Sweeping {
    pub exchange: Exchange,
    /// The packet that is sent next.
    pub next: usize,
    pub begun_ns: u64,
    /// When it is over, once all are sent.
    pub until_ns: Option<u64>,
    pub found: Vec<Option<Found>>,
}

impl Sweeping {
    /// Whether a packet is one of the sweep, or an answer to one.
    pub fn take(&mut self, came: &Came) -> bool {
        let record = Record {
            link_type: came.link_type,
            time_ns: came.time_ns,
            outgoing: came.outgoing,
            bytes: &came.bytes,
        };
        match self.exchange.take(&record) {
            Seen::Answer(answer) => {
                let late = self.until_ns.is_some_and(|until| answer.received_ns > until);
                if let Some(found) = self.found.get_mut(answer.index).filter(|_| !late) {
                    *found = Some(Found::from(&*answer));
                }
                true
            }
            Seen::Sighting(_) | Seen::Duplicate(..) => true,
            Seen::Unrelated | Seen::Stray | Seen::KernelReset => false,
        }
    }
}

impl Machine {
    pub(super) fn sweep_on(&mut self, now_ns: u64) -> Option<Step> {
        let names = &self.names;
        let (Some(Act::Sweep(sweep)), Phase::Sweeping(sweeping)) =
            (self.script.lines.get(self.at).map(|l| &l.what), &mut self.phase)
        else {
            self.go_on();
            return None;
        };
        if sweeping.next < sweep.count() {
            let due = sweeping.begun_ns.saturating_add(sweeping.next as u64 * PACE_NS);
            if now_ns < due {
                return Some(Step::Wait(due));
            }
            let packet = sweep.packet(sweeping.next, &|name| lookup(names, name));
            sweeping.next += 1;
            match packet {
                Ok(text) => return Some(Step::Send(text)),
                Err(why) => self.fail(Why::Wrong(why)),
            }
            return None;
        }
        let wait = nanoseconds(sweep.within.unwrap_or(self.wait));
        let until = *sweeping.until_ns.get_or_insert(now_ns.saturating_add(wait));
        if now_ns < until.saturating_add(GRACE_NS) && sweeping.exchange.open() > 0 {
            return Some(Step::Wait(until.saturating_add(GRACE_NS)));
        }
        let table = table(sweep, &sweeping.found);
        self.mark_ns = self.mark_ns.max(now_ns);
        if table.rows.iter().any(|row| row.missed.is_some()) {
            self.fail(Why::Sweep(table));
        } else {
            self.pass(What::Swept(table));
        }
        None
    }
}

fn table(sweep: &Sweep, found: &[Option<Found>]) -> Table {
    let row = |(nth, found): (usize, &Option<Found>)| {
        let mut row = Row { values: sweep.values(nth), found: found.clone(), missed: None };
        let wanted = sweep.wanted_at(&row.values).filter(|wanted| wanted.kind != row.kind());
        row.missed = wanted.map(|wanted| (wanted.kind.clone(), wanted.line));
        row
    };
    Table { keys: sweep.keys(), rows: found.iter().enumerate().map(row).collect() }
}
