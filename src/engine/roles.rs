//! What is known of the exchanges of a capture, in few bytes for each: numbers of packets, times, kinds.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::marks::LATE_NS;
use super::probe::AnswerKind;
use crate::wire::value::duration;

/// Exchanges that are kept. Of more only their number is known.
const MOST: usize = 1 << 20;
/// Destinations that are told apart; those that come later count together.
const MOST_GROUPS: usize = 4096;
const NO_PACKET: u32 = u32::MAX;

/// A destination: what the lines of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// IP protocol number (IANA).
    pub protocol: u8,
    /// To whom; `None`: it is no IP packet.
    pub to: Option<IpAddr>,
    /// The port, or the identifier of an ICMP query.
    pub number: Option<u16>,
}

/// An exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One {
    /// Position of the question in the capture, from 0.
    pub position: u32,
    answer: u32,
    /// Nanoseconds from question to answer, both by the kernel's clock; none where there is no time, no answer, or only one
    /// that was for a later question too.
    pub rtt_ns: Option<u64>,
    /// Its destination, as [`Marks::groups`] counts.
    pub group: u16,
    /// Answers beyond the first.
    pub again: u16,
    /// What the answer is.
    pub kind: Option<AnswerKind>,
    /// This bench sent the question.
    pub ours: bool,
    /// An answer is owed.
    pub asks: bool,
}

impl One {
    /// Position of the answer, from 0.
    #[must_use]
    pub fn answer(&self) -> Option<u32> {
        Some(self.answer).filter(|answer| *answer != NO_PACKET)
    }

    /// The answer came after more than a second.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.rtt_ns.is_some_and(|rtt| rtt > LATE_NS)
    }
}

/// What a packet that is no question is to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The answer.
    Answer,
    /// One more answer.
    Again,
    /// From the other end, and no answer to anything.
    Stray,
    /// A reset of the kernel, which knows nothing of the connection.
    KernelReset,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Other {
    pub position: u32,
    pub number: u32,
    pub what: What,
}

/// The exchanges of a capture.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    exchanges: Vec<One>,
    others: Vec<Other>,
    groups: Vec<Group>,
    /// Strays, and resets of the kernel, by destination.
    odd: Vec<[u64; 2]>,
    places: HashMap<Group, u16>,
    beyond: u64,
}

/// What a packet is to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The number of the exchange, from 1.
    pub number: u32,
    /// What it is; `None`: the question.
    pub what: Option<What>,
    /// The exchange.
    pub exchange: One,
}

impl Role {
    /// Position of the packet that it belongs to, from 0: the answer of a question, else the question.
    #[must_use]
    pub fn partner(&self) -> Option<usize> {
        let partner = if self.what.is_none() { self.exchange.answer()? } else { self.exchange.position };
        usize::try_from(partner).ok()
    }

    /// What it is, for a row; empty: nothing worth to be said there.
    #[must_use]
    pub fn text(&self) -> String {
        let one = &self.exchange;
        let question = one.position + 1;
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = match (self.what, one.rtt_ns) {
            (Some(What::Answer), Some(rtt)) if one.is_late() => {
                write!(text, "late answer to {question}, after {}", duration(rtt))
            }
            (Some(What::Answer), Some(rtt)) => write!(text, "answer to {question} in {}", duration(rtt)),
            (Some(What::Answer), None) => write!(text, "answer to {question}"),
            (Some(What::Again), _) => write!(text, "again: answer to {question}"),
            (Some(What::Stray), _) => write!(text, "stray: answers nothing"),
            (Some(What::KernelReset), _) if one.ours => write!(text, "reset sent by the kernel"),
            (Some(What::KernelReset), _) => write!(text, "reset by the kernel of the sender"),
            (None, _) if one.ours => write!(text, "sent by this bench"),
            (None, _) => match (one.answer(), one.rtt_ns) {
                (Some(answer), Some(rtt)) => write!(text, "answered by {} in {}", answer + 1, duration(rtt)),
                (Some(answer), None) => write!(text, "answered by {}", answer + 1),
                (None, _) => Ok(()),
            },
        };
        text
    }
}

impl Marks {
    /// The exchanges, in the order of their questions.
    #[must_use]
    pub fn exchanges(&self) -> &[One] {
        &self.exchanges
    }

    /// The destinations, in the order of their first questions.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Strays, and resets of the kernel, by destination.
    #[must_use]
    pub fn odd(&self) -> &[[u64; 2]] {
        &self.odd
    }

    /// Questions beyond those that are kept.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// What the packet at this position is: a question, and something to an earlier one, or one of both, or nothing.
    #[must_use]
    pub fn of(&self, position: usize) -> [Option<Role>; 2] {
        let Ok(position) = u32::try_from(position) else { return [None; 2] };
        let other = self.others.binary_search_by_key(&position, |o| o.position).ok();
        let other = other.and_then(|at| self.others.get(at)).and_then(|o| self.role(o.number, Some(o.what)));
        let question = self.exchanges.binary_search_by_key(&position, |e| e.position).ok();
        [other, question.and_then(|at| self.role(u32::try_from(at).ok()?, None))]
    }

    fn role(&self, number: u32, what: Option<What>) -> Option<Role> {
        let exchange = *self.exchanges.get(usize::try_from(number).ok()?)?;
        Some(Role { number: number + 1, what, exchange })
    }

    /// Enters a question; gives the number of its exchange, from 0, unless there are too many.
    pub(super) fn ask(&mut self, position: u32, group: Group, ours: bool, asks: bool) -> Option<u32> {
        if self.exchanges.len() >= MOST {
            self.beyond += 1;
            return None;
        }
        let group = self.place(group);
        let number = u32::try_from(self.exchanges.len()).ok()?;
        self.exchanges.push(One {
            position,
            answer: NO_PACKET,
            rtt_ns: None,
            group,
            again: 0,
            kind: None,
            ours,
            asks,
        });
        Some(number)
    }

    fn place(&mut self, group: Group) -> u16 {
        if let Some(place) = self.places.get(&group) {
            return *place;
        }
        if self.groups.len() >= MOST_GROUPS {
            return MOST_GROUPS as u16 - 1;
        }
        let place = self.groups.len() as u16;
        self.groups.push(group);
        self.odd.push([0; 2]);
        self.places.insert(group, place);
        place
    }

    /// Whether the last destination stands for all that came later.
    #[must_use]
    pub fn gathers(&self) -> bool {
        self.groups.len() >= MOST_GROUPS
    }

    pub(super) fn answer(&mut self, position: u32, number: u32, kind: AnswerKind, rtt_ns: Option<u64>) {
        if let Some(one) = self.exchanges.get_mut(number as usize) {
            (one.answer, one.rtt_ns, one.kind) = (position, rtt_ns, Some(kind));
            self.other(Other { position, number, what: What::Answer });
        }
    }

    /// A question was acknowledged with a later one.
    pub(super) fn settle(&mut self, position: u32, number: u32) {
        if let Some(one) = self.exchanges.get_mut(number as usize) {
            (one.answer, one.kind) = (position, Some(AnswerKind::Ack));
        }
    }

    pub(super) fn other(&mut self, other: Other) {
        // A flood of strays is counted, and not remembered beyond the bound.
        let Some(one) = self.exchanges.get_mut(other.number as usize) else { return };
        let odd = self.odd.get_mut(usize::from(one.group));
        match other.what {
            What::Answer => {}
            What::Again => one.again = one.again.saturating_add(1),
            What::Stray => odd.into_iter().for_each(|o| o[0] += 1),
            What::KernelReset => odd.into_iter().for_each(|o| o[1] += 1),
        }
        if self.others.len() < 2 * MOST {
            self.others.push(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_small() {
        assert!(size_of::<One>() <= 40, "{}", size_of::<One>());
        assert!(size_of::<Other>() <= 12);
    }
}
