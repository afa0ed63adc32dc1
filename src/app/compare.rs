//! The selected packet beside the one that was asked for: the packet sent last, or the one in the builder.

use super::command::Below;
use super::workbench::Workbench;
use crate::engine::{Asked, Failure, Part, Sighted};
use crate::wire::compare::{Comparison, Side};

/// Something to do with the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareCommand {
    /// Compare with this.
    With(Beside),
    /// Compare that packet, or what it quotes.
    Part(Part),
    /// Show only what differs.
    OnlyDifferences(bool),
}

/// What the selected packet stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The packet that was sent last.
    Sent,
    /// The packet in the builder.
    Draft,
}

/// The view that compares.
#[derive(Debug, Default)]
pub struct Comparing {
    only: bool,
    /// The packet that was sent last.
    asked: Option<Asked>,
    /// What was chosen for the packet at this position.
    chosen: Option<(usize, Option<Beside>, Option<Part>)>,
}

/// The selected packet and another one.
#[derive(Clone, Debug)]
pub struct Compared {
    /// With what it is compared.
    pub beside: Beside,
    /// Whether a packet was sent that it can be compared with.
    pub can_be_sent: bool,
    /// What of it is compared.
    pub part: Part,
    /// Whether it quotes a packet.
    pub quotes: bool,
    /// What was found.
    pub comparison: Comparison,
}

impl Comparing {
    /// Only differences are shown.
    #[must_use]
    pub fn only_differences(&self) -> bool {
        self.only
    }
}

impl Workbench {
    /// The view that compares.
    #[must_use]
    pub fn comparing(&self) -> &Comparing {
        &self.comparing
    }

    /// What is shown below the list.
    #[must_use]
    pub fn below(&self) -> Below {
        self.below
    }

    pub(super) fn show_below(&mut self, below: Below) {
        if below == Below::Compare && self.capture.selected.is_none() {
            self.notice(Failure::new("select a packet first: it is compared with what was asked for"));
        } else {
            self.below = below;
        }
    }

    pub(super) fn compare(&mut self, command: CompareCommand) {
        let Some(at) = self.capture.selected.as_ref().map(|s| s.index) else { return };
        let (beside, part) = self.comparing.chosen_for(at);
        match command {
            CompareCommand::With(beside) => self.comparing.chosen = Some((at, Some(beside), part)),
            CompareCommand::Part(part) => self.comparing.chosen = Some((at, beside, Some(part))),
            CompareCommand::OnlyDifferences(only) => self.comparing.only = only,
        }
    }

    /// A packet goes out: what comes by from now on may be it.
    pub(super) fn asked(&mut self, asked: Asked) {
        self.comparing.asked = Some(asked);
    }

    fn sighted(&self) -> Option<Sighted> {
        let packet = self.capture.selected.as_ref()?;
        Some(Sighted {
            link_type: packet.link_type,
            bytes: packet.bytes.clone(),
            original: usize::try_from(packet.entry.original).unwrap_or(usize::MAX),
            left_to_card: packet.left_to_card(),
        })
    }

    /// Where the packet that was sent last stands in the selected one, and the comparison of both.
    #[must_use]
    pub fn witness(&self) -> Option<(Part, Comparison)> {
        let (asked, seen) = (self.comparing.asked.as_ref()?, self.sighted()?);
        let part = asked.part_in(&seen)?;
        Some((part, asked.compare(part, &seen)?))
    }

    /// The selected packet beside what was asked for; `None`: none is selected.
    #[must_use]
    pub fn compared(&self) -> Option<Compared> {
        let seen = self.sighted()?;
        let (beside, part) = self.comparing.chosen_for(self.capture.selected.as_ref()?.index);
        let draft = Asked::of(self.builder.draft(), &self.via);
        let sent = self.comparing.asked.as_ref();
        let beside = beside.unwrap_or(match sent.and_then(|sent| sent.part_in(&seen)) {
            Some(_) => Beside::Sent,
            None => Beside::Draft,
        });
        let asked = match beside {
            Beside::Sent => sent.unwrap_or(&draft),
            Beside::Draft => &draft,
        };
        let quotes = Side::captured(seen.link_type, &seen.bytes, seen.original).quote().is_some();
        let part = part.or_else(|| asked.part_in(&seen)).filter(|part| quotes || *part == Part::Packet);
        let part = part.unwrap_or(Part::Packet);
        let comparison = asked.compare(part, &seen)?;
        Some(Compared { beside, can_be_sent: sent.is_some(), part, quotes, comparison })
    }
}

impl Comparing {
    /// What was chosen for the packet at a position.
    fn chosen_for(&self, position: usize) -> (Option<Beside>, Option<Part>) {
        let chosen = self.chosen.filter(|chosen| chosen.0 == position);
        chosen.map_or((None, None), |(_, beside, part)| (beside, part))
    }
}
