//! What the packets of the capture are to those that were sent: marks of the rows, the table, the way from one to the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::capture::{CaptureState, Selected};
use super::command::Below;
use super::gaps::Line;
use super::workbench::{Request, Workbench};
use crate::engine::{Exchanges, Failure, Look, Order, Role, Table};

/// Something to do with the exchanges.
#[derive(Clone, Debug)]
pub enum ExchangeCommand {
    /// Find them out, so that the rows are marked.
    Trace,
    /// Go to the packet that the selected one answers, or to its answer.
    Partner,
    /// Draw the times of this destination only, as the table counts; `None`: all.
    Group(Option<u16>),
    /// Show those too that this bench did not begin.
    Others(bool),
    /// Write them to a file: ask for its name.
    AskExport,
    /// Write them to this file.
    Export(PathBuf),
}

/// What the selected packet is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What it is.
    pub role: Role,
    /// The rule with the numbers.
    pub why: Option<String>,
}

impl CaptureState {
    /// The exchanges of the capture.
    #[must_use]
    pub fn exchanges(&self) -> &Exchanges {
        &self.exchanges
    }

    /// Somebody wants to know them.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.traced
    }

    /// What the packet at this position is: something to an earlier one, and a question.
    #[must_use]
    pub fn roles(&self, position: usize) -> [Option<Role>; 2] {
        if self.traced { self.exchanges.of(position) } else { [None; 2] }
    }

    /// What the selected packet is, and why, as far as it was found out.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        let selected = self.selected.as_ref().map(|s| s.index);
        self.reasons.as_ref().filter(|(index, _)| Some(*index) == selected).map_or(&[], |(_, all)| all)
    }

    /// Finds out why the selected packet is what it is; it is read once.
    fn explain(&mut self) {
        let Some(selected) = &self.selected else { return };
        let roles = self.roles(selected.index);
        let told = self.reasons().iter().map(|reason| reason.role);
        if roles.into_iter().flatten().eq(told) {
            return;
        }
        let reason = |role: Role| Reason { role, why: self.why(selected, &role) };
        let all = roles.into_iter().flatten().map(reason).collect();
        self.reasons = Some((selected.index, all));
    }

    fn why(&self, selected: &Selected, role: &Role) -> Option<String> {
        let own = (selected.link_type, &selected.bytes[..]);
        let mut bytes = Vec::new();
        let partner = match role.partner() {
            Some(position) => {
                let entry = self.file.as_ref()?.read_packet(position, &mut bytes).ok()?;
                Some((self.link_type(&entry), &bytes[..]))
            }
            None => None,
        };
        match role.what {
            None => role.why(own, Some(partner?)),
            Some(_) => role.why(partner?, Some(own)),
        }
    }
}

impl Workbench {
    /// The table.
    #[must_use]
    pub fn exchange_table(&self) -> Arc<Table> {
        self.capture.exchanges.table()
    }

    pub(super) fn apply_exchanges(&mut self, command: ExchangeCommand) {
        let look = self.capture.exchanges.look();
        match command {
            ExchangeCommand::Trace => self.capture.traced = true,
            ExchangeCommand::Partner => self.go_to_partner(),
            ExchangeCommand::Group(group) => self.capture.exchanges.look_at(Look { group, ..look }),
            ExchangeCommand::Others(others) => {
                self.capture.exchanges.look_at(Look { others, group: None });
            }
            ExchangeCommand::AskExport if self.exchange_table().total.sent == 0 => {
                self.notice(Failure::new("there are no exchanges to export yet: send a packet first"));
            }
            ExchangeCommand::AskExport => {
                self.requests.push(Request::AskExport("exchanges.csv".into()));
            }
            ExchangeCommand::Export(path) => {
                self.question = None;
                if let Some(file) = self.capture.file.clone() {
                    let exchanges = Arc::clone(&self.capture.exchanges);
                    self.order(Order::Export { file, exchanges, path });
                }
            }
        }
    }

    fn go_to_partner(&mut self) {
        let Some(selected) = self.capture.selected.as_ref().map(|s| s.index) else {
            return self.notice(Failure::new("select a packet first: then its answer can be gone to"));
        };
        // Where nobody asked until now, it is found out, and the next press goes there.
        let asked = std::mem::replace(&mut self.capture.traced, true);
        let partner = self.capture.roles(selected).into_iter().flatten().find_map(|role| role.partner());
        match partner {
            Some(position) => self.go_to(Line::Packet(position)),
            None if !asked || self.capture.exchanges.len() <= selected => {
                self.done("what answers what is being found out: once more in a moment".into());
            }
            None => self.done(format!("packet {} answers none, and has no answer here", selected + 1)),
        }
    }

    /// Has the exchanges found out as far as packets have come, where somebody wants to know them; gives how long that
    /// waits.
    pub fn exchanges_on(&mut self) -> Option<Duration> {
        let file = self.capture.file.clone()?;
        self.capture.traced |= self.below == Below::Exchanges || self.capture.exchanges.is_sent_to();
        if !self.capture.traced {
            return None;
        }
        self.capture.explain();
        let exchanges = &self.capture.exchanges;
        if exchanges.is_done(file.len()) {
            return None;
        }
        let wait = exchanges.due_in();
        if !wait.is_zero() {
            return Some(wait);
        }
        if exchanges.begin() {
            let exchanges = Arc::clone(exchanges);
            if !self.is_taken(Order::Trace { file, exchanges: Arc::clone(&exchanges) }) {
                exchanges.leave();
            }
        }
        None
    }
}
