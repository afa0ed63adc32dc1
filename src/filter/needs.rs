//! What a filter looks at: how far a packet must be read for it.

use std::sync::LazyLock;

use super::source::Place;
use super::tree::{Compare, Operand, Test};
use crate::wire::protocols;
use crate::wire::table::{Header, Space, To};

/// What a filter looks at.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Behind these no header can stand that it looks at; by their addresses, sorted.
    ends: Vec<usize>,
    /// It looks at no header at all: what it asks is known without the packet's layers.
    none: bool,
    /// It looks at what is known from the packets before.
    flows: bool,
    /// It looks at nothing else, so that nobody has to read the packet.
    flows_alone: bool,
}

impl Needs {
    /// What this test looks at.
    pub(super) fn of(test: Option<&Test>) -> Self {
        let mut wanted = Wanted::default();
        if let Some(test) = test {
            wanted.test(test);
        }
        if wanted.all {
            return Self { flows: wanted.flows, ..Self::default() };
        }
        let wanted_behind = |reach: &[&'static Header]| {
            reach.iter().any(|r| wanted.headers.iter().any(|w| std::ptr::eq(*w, *r)))
        };
        let useless = REACHABLE.iter().filter(|(_, reach)| !wanted_behind(reach));
        let mut ends: Vec<usize> = useless.map(|(header, _)| address(header)).collect();
        ends.sort_unstable();
        let none = wanted.headers.is_empty();
        let flows_alone = none && wanted.flows && !wanted.bytes;
        Self { ends, none, flows: wanted.flows, flows_alone }
    }

    /// Whether a packet must be read further behind this header.
    #[inline]
    #[must_use]
    pub fn goes_on_behind(&self, header: &'static Header) -> bool {
        self.ends.binary_search(&address(header)).is_err()
    }

    /// Whether it looks at what is known only from the packets before.
    #[must_use]
    pub fn flows(&self) -> bool {
        self.flows
    }

    /// Whether it looks at that alone, and not at the packet.
    #[must_use]
    pub fn flows_alone(&self) -> bool {
        self.flows_alone
    }

    /// Whether it looks at headers at all.
    #[must_use]
    pub fn layers(&self) -> bool {
        !self.none
    }
}

/// What a table is known by.
fn address(header: &'static Header) -> usize {
    std::ptr::from_ref(header).addr()
}

/// For each table those that may stand somewhere behind it: found out once, since a filter is read with each letter.
static REACHABLE: LazyLock<Vec<(&'static Header, Vec<&'static Header>)>> =
    LazyLock::new(|| protocols::ALL.iter().map(|h| (*h, reachable(h))).collect());

/// The tables that may stand somewhere behind this one.
fn reachable(header: &'static Header) -> Vec<&'static Header> {
    let mut found: Vec<&'static Header> = Vec::new();
    let mut open = vec![header];
    while let Some(header) = open.pop() {
        for next in header.next {
            for to in protocols::ALL.iter().copied().filter(|h| may_follow(next.to, h)) {
                if !found.iter().any(|f| std::ptr::eq(*f, to)) {
                    found.push(to);
                    open.push(to);
                }
            }
        }
    }
    found
}

fn may_follow(rule: To, header: &Header) -> bool {
    let has = |space: Space| header.found_by.iter().any(|(s, _)| *s == space);
    match rule {
        To::Selected { space, .. } | To::Either { space, .. } => has(space),
        To::Always(space, number) => header.found_by.contains(&(space, number)),
        To::Version => has(Space::IpVersion),
        To::Nothing => false,
    }
}

/// The tables that a test looks at.
#[derive(Default)]
struct Wanted {
    headers: Vec<&'static Header>,
    all: bool,
    flows: bool,
    /// Bytes, whatever header they belong to.
    bytes: bool,
}

impl Wanted {
    fn test(&mut self, test: &Test) {
        match test {
            Test::And(a, b) | Test::Or(a, b) | Test::Xor(a, b) => {
                self.test(a);
                self.test(b);
            }
            Test::Not(test) => self.test(test),
            Test::Exists(of) | Test::Nonzero(of) | Test::In { of, .. } | Test::Matches { of, .. } => {
                self.operand(of);
            }
            Test::Compare(compare) => {
                let Compare { left, right, .. } = &**compare;
                self.operand(left);
                self.operand(right);
            }
            Test::Contains { of, what, .. } => {
                self.operand(of);
                self.operand(what);
            }
            // They read the bytes themselves.
            Test::Words(_) => self.bytes = true,
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Literal(_) => {}
            Operand::Slice(of, _) | Operand::Negative(of) => self.operand(of),
            Operand::Binary(_, a, b) => {
                self.operand(a);
                self.operand(b);
            }
            Operand::Call(_, arguments) => arguments.iter().for_each(|a| self.operand(a)),
            Operand::Key(key) => match &key.source.place {
                Place::Frame(_) | Place::Bytes => self.bytes = true,
                Place::Interface => {}
                Place::Protocols => self.all = true,
                Place::Flow(_) => self.flows = true,
                Place::Fields(places) => self.headers.extend(places.iter().map(|p| p.header)),
                Place::Layers(headers)
                | Place::Payload(headers)
                | Place::PayloadLength(headers)
                | Place::Items(headers)
                | Place::ChecksumStatus(headers) => self.headers.extend(headers),
            },
        }
    }
}
