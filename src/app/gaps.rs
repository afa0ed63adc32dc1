//! Places in a capture at which packets were lost, and the rows of the list, in which they stand between the packets.

use std::time::{Duration, Instant};

use super::capture::CaptureState;
use crate::engine::{Incident, Mark};
use crate::pcap::Loss;

/// Between two looks at the losses of a file that grows, at the least.
const PAUSE: Duration = Duration::from_millis(500);

/// How a gap came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapKind {
    /// Packets were lost.
    Lost,
    /// The interface went away.
    Away,
    /// It came back.
    Back,
    /// Something else that should be known.
    Note,
}

/// Something that happened between two packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The position, from 0, of the packet behind it.
    pub before: usize,
    /// When it was noticed, in nanoseconds since 1970, where that is known.
    pub time_ns: Option<u64>,
    /// How it came about.
    pub kind: GapKind,
    /// What happened.
    pub text: String,
}

/// What stands in a row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The packet at this position, from 0.
    Packet(usize),
    /// This gap, from 0.
    Gap(usize),
}

/// The gaps of a capture, in its order.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    list: Vec<Gap>,
    /// Marks of the ledger that are in the list.
    marks: usize,
    /// Packets of the file when its losses were looked at.
    looked_at: usize,
    /// When that was, and how long it took.
    looked: Option<(Instant, Duration)>,
}

impl From<&Mark> for Gap {
    fn from(mark: &Mark) -> Self {
        let kind = match mark.what {
            Incident::Lost(_) | Incident::LostHere(_) => GapKind::Lost,
            Incident::Away(_) => GapKind::Away,
            Incident::Back(_) => GapKind::Back,
            Incident::Note(_) => GapKind::Note,
        };
        let before = usize::try_from(mark.row).unwrap_or(usize::MAX);
        Self { before, time_ns: Some(mark.time_ns), kind, text: mark.what.to_string() }
    }
}

impl Gaps {
    /// Whether a file that grows is looked at again: seldom, since all its losses are looked at.
    fn is_due(&self) -> bool {
        self.looked.is_none_or(|(when, took)| when.elapsed() > (took * 100).max(PAUSE))
    }

    fn add(&mut self, gap: Gap) {
        let place = self.list.partition_point(|g| g.before <= gap.before);
        self.list.insert(place, gap);
    }
}

impl From<Loss> for Gap {
    fn from(loss: Loss) -> Self {
        let before = usize::try_from(loss.row).unwrap_or(usize::MAX);
        let time_ns = (loss.time_ns != 0).then_some(loss.time_ns);
        Self { before, time_ns, kind: GapKind::Lost, text: format!("{}, says the file", loss.text) }
    }
}

impl CaptureState {
    /// Takes in the gaps that have come to light.
    pub(super) fn gather_gaps(&mut self) {
        if let Some(counters) = &self.counters {
            let marks = counters.marks(self.gaps.marks);
            self.gaps.marks += marks.len();
            marks.iter().for_each(|mark| self.gaps.add(mark.into()));
        } else if self.len() != self.gaps.looked_at && self.gaps.is_due() {
            self.gather_losses();
        }
    }

    /// Takes in what the file says now.
    pub(super) fn gather_losses(&mut self) {
        if let (Some(file), None) = (&self.file, &self.counters) {
            let begun = Instant::now();
            self.gaps.looked_at = file.len();
            self.gaps.list = file.losses().into_iter().map(Gap::from).collect();
            self.gaps.looked = Some((Instant::now(), begun.elapsed()));
        }
    }

    /// The gaps, in the order of the capture.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps.list
    }

    /// How many gaps the list shows: in the order of the capture alone have they a place.
    fn gaps_shown(&self) -> usize {
        if self.sorted.is_some() { 0 } else { self.gaps.list.len() }
    }

    /// How many rows the list has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shown() + self.gaps_shown()
    }

    /// The number, among the packets that are shown, of the one that a gap stands before.
    fn shown_behind(&self, gap: usize) -> usize {
        let before = self.gaps.list.get(gap).map_or(usize::MAX, |g| g.before);
        match &self.sieve {
            Some(sieve) => sieve.nth(before).unwrap_or_else(|next| next),
            None => before.min(self.len()),
        }
    }

    /// How many of the gaps come before the one for which `later` holds first.
    fn gaps_before(&self, later: impl Fn(usize) -> bool) -> usize {
        let (mut low, mut high) = (0, self.gaps_shown());
        while low < high {
            let middle = low + (high - low) / 2;
            if later(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// What stands in a row of the list.
    #[must_use]
    pub fn line(&self, row: usize) -> Option<Line> {
        let above = self.gaps_before(|gap| self.shown_behind(gap) + gap >= row);
        if above < self.gaps_shown() && self.shown_behind(above) + above == row {
            return Some(Line::Gap(above));
        }
        let number = row.checked_sub(above)?;
        let number = self.sorted.as_ref().map_or(number, |sorted| sorted.sorter.arranged().row(number));
        self.position(number).filter(|position| *position < self.len()).map(Line::Packet)
    }

    /// The row of the list that the packet at this position stands in; where it is not shown, that of the next one.
    #[must_use]
    pub fn row_of(&self, position: usize) -> usize {
        let number = match &self.sieve {
            Some(sieve) => sieve.nth(position).unwrap_or_else(|next| next),
            None => position,
        };
        match &self.sorted {
            Some(sorted) => sorted.sorter.arranged().place(number),
            None => number + self.gaps_before(|gap| self.shown_behind(gap) > number),
        }
    }

    /// The row of the list that a gap stands in; none where the list is sorted.
    #[must_use]
    pub fn row_of_gap(&self, gap: usize) -> Option<usize> {
        (gap < self.gaps_shown()).then(|| self.shown_behind(gap) + gap)
    }

    /// Whether the filter lets the packet at this position through.
    #[must_use]
    pub fn is_shown(&self, position: usize) -> bool {
        self.sieve.as_ref().is_none_or(|sieve| sieve.nth(position).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::Origin;
    use crate::engine::{Counters, Sieve};
    use crate::filter::Filter;
    use crate::pcap::{InterfaceInfo, LinkType, PacketRecord, Spool};

    #[test]
    fn marks_of_a_capture_stand_at_their_places() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path()).unwrap();
        spool.add_interface(&InterfaceInfo::new("rb0", LinkType::RAW)).unwrap();
        for number in 0..6 {
            spool.append(&PacketRecord::new(0, 1_000 + number, &[0x45; 20])).unwrap();
        }
        spool.flush().unwrap();
        let counters = Arc::new(Counters::default());
        let mut capture = CaptureState::new(Some(spool.capture_file()), Origin::Live("rb0".into()));
        capture.counters = Some(Arc::clone(&counters));
        counters.mark(4, 9, Incident::Lost(3));
        capture.gather_gaps();
        // A trigger that leaves packets out takes rows back, so a later mark may stand further up.
        counters.mark(2, 10, Incident::Away("rb0 is down".into()));
        counters.mark(2, 11, Incident::Back("rb0 is back".into()));
        counters.mark(6, 12, Incident::Note("the end".into()));
        capture.gather_gaps();
        capture.gather_gaps();
        let kinds: Vec<GapKind> = capture.gaps().iter().map(|g| g.kind).collect();
        assert_eq!(kinds, [GapKind::Away, GapKind::Back, GapKind::Lost, GapKind::Note]);
        let lines = |capture: &CaptureState| -> Vec<String> {
            (0..capture.rows() + 1)
                .map(|row| match capture.line(row) {
                    Some(Line::Packet(position)) => {
                        assert_eq!(capture.row_of(position), row);
                        format!("{position}")
                    }
                    Some(Line::Gap(gap)) => {
                        assert_eq!(capture.row_of_gap(gap), Some(row));
                        format!("gap {gap}")
                    }
                    None => "none".into(),
                })
                .collect()
        };
        assert_eq!(
            lines(&capture),
            ["0", "1", "gap 0", "gap 1", "2", "3", "gap 2", "4", "5", "gap 3", "none"]
        );
        let sieve = Sieve::new(Filter::display("frame.number in {3, 6}").unwrap());
        let file = spool.capture_file();
        sieve.work(&file, &crate::engine::Flows::default(), &|| ());
        capture.sift(Some(Arc::new(sieve)));
        assert_eq!(lines(&capture), ["gap 0", "gap 1", "2", "gap 2", "5", "gap 3", "none"]);
        assert!(capture.is_shown(5) && !capture.is_shown(4));
        // The place of a packet that is not shown is that of the next one.
        assert_eq!((capture.row_of(0), capture.row_of(4)), (2, 4));
    }
}
