//! The next packet that passes a filter, from one on: sought on all cores, and given up at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::flows::Flows;
use super::in_order::in_order;
use super::sieve::{CHUNK, Sieve, Work};
use super::sources::Failure;
use crate::filter::Filter;
use crate::pcap::CaptureFile;
use crate::wire::dissect::Dissection;

/// What is sought.
#[derive(Clone, Debug)]
pub struct Search {
    /// It passes this.
    pub filter: Filter,
    /// Only among the packets that this let pass.
    pub within: Option<Arc<Sieve>>,
    /// What is known of the packets of the capture from those before, extended where the filter looks at it.
    pub flows: Arc<Flows>,
    /// The position, from 0, at which the search begins; this one comes last. `None`: before the first, or behind the last.
    pub from: Option<usize>,
    /// Towards the first packet.
    pub backwards: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its position, from 0.
    pub position: usize,
    /// The search went past the end and on from the other one.
    pub wrapped: bool,
}

/// Seeks a packet, as long as it is not `cancelled`. Nothing: there is none, or nobody wants to know any more.
///
/// # Errors
/// A packet cannot be read, or the filter asks what packets of this link type do not have.
pub fn find(file: &CaptureFile, search: &Search, cancelled: &AtomicBool) -> Result<Option<Hit>, Failure> {
    let mut work = Work::new(file, &search.filter, cancelled)?;
    let end = work.follow(file, &search.flows, usize::MAX)?;
    let from = search.from.map(|from| from.min(end));
    // In the order in which they are looked at: to the one end, then from the other to where it began.
    let (first, then) = match (search.backwards, from) {
        (false, from) => (from.map_or(0, |f| f + 1)..end, 0..from.map_or(0, |f| f + 1)),
        (true, from) => (0..from.unwrap_or(end), from.unwrap_or(end)..end),
    };
    for (wrapped, range) in [(false, first), (true, then)] {
        if let Some(position) = in_range(file, search, &work, range)? {
            return Ok(Some(Hit { position, wrapped }));
        }
    }
    Ok(None)
}

/// The first packet of a range that passes, in the direction of the search.
fn in_range(
    file: &CaptureFile,
    search: &Search,
    work: &Work<'_>,
    range: std::ops::Range<usize>,
) -> Result<Option<usize>, Failure> {
    let start = range.start.min(range.end);
    let chunks = (range.end - start).div_ceil(CHUNK);
    let worker = || {
        let mut reader = file.reader();
        let mut found = Dissection::default();
        move |chunk: usize| {
            let chunk = if search.backwards { chunks - 1 - chunk } else { chunk };
            let from = start + chunk * CHUNK;
            let part = from..(from + CHUNK).min(range.end);
            let mut before = work.beginning();
            work.chunk(part, &mut before, &mut reader, &mut found)
        }
    };
    let shown = |position: &usize| search.within.as_ref().is_none_or(|sieve| sieve.nth(*position).is_ok());
    let mut hit = None;
    let done = in_order(chunks, worker, |passed: Result<Vec<usize>, Option<Failure>>| {
        let mut passed = passed?.into_iter();
        hit = if search.backwards { passed.rfind(shown) } else { passed.find(shown) };
        // What is found ends the work, as a refusal does.
        if hit.is_some() { Err(None) } else { Ok(()) }
    });
    match done {
        Err(Some(failure)) => Err(failure),
        _ => Ok(hit.filter(|_| !work.cancelled.load(Ordering::Relaxed))),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    fn corpus() -> CaptureFile {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/corpus/ethernet.pcap");
        let (file, mut indexer) = CaptureFile::begin(std::path::Path::new(path)).unwrap();
        indexer.run(&mut |_| ControlFlow::Continue(())).unwrap();
        file
    }

    #[test]
    fn the_next_one_is_found_in_both_directions_and_past_the_ends() {
        let file = corpus();
        let filter = Filter::display("arp").unwrap();
        let sieve = Sieve::new(filter.clone());
        assert!(sieve.begin());
        sieve.work(&file, &Flows::default(), &|| ());
        let all = sieve.into_positions();
        assert!(all.len() > 3);
        for backwards in [false, true] {
            let mut order = all.clone();
            if backwards {
                order.reverse();
            }
            let search =
                Search { filter: filter.clone(), within: None, flows: Arc::default(), from: None, backwards };
            let mut from = None;
            for (n, position) in order.iter().chain([&order[0]]).enumerate() {
                let search = Search { from, ..search.clone() };
                let hit = find(&file, &search, &AtomicBool::new(false)).unwrap().unwrap();
                assert_eq!(hit, Hit { position: *position, wrapped: n == order.len() }, "{n} {backwards}");
                from = Some(hit.position);
            }
            // Itself is found last.
            let only = Filter::display(&format!("frame.number == {}", order[0] + 1)).unwrap();
            let search = Search { filter: only, from: Some(order[0]), ..search };
            let hit = find(&file, &search, &AtomicBool::new(false)).unwrap();
            assert_eq!(hit, Some(Hit { position: order[0], wrapped: true }));
            assert_eq!(find(&file, &search, &AtomicBool::new(true)).unwrap(), None);
        }
    }

    #[test]
    fn only_what_is_shown_is_found() {
        let file = corpus();
        let within = Sieve::new(Filter::display("arp").unwrap());
        assert!(within.begin());
        within.work(&file, &Flows::default(), &|| ());
        let second = within.position(1).unwrap();
        let filter = Filter::display("eth").unwrap();
        let from = within.position(0);
        let search =
            Search { filter, within: Some(within.into()), flows: Arc::default(), from, backwards: false };
        let hit = find(&file, &search, &AtomicBool::new(false)).unwrap().unwrap();
        assert_eq!(hit.position, second);
        let none = Search { filter: Filter::display("tcp").unwrap(), ..search };
        assert_eq!(find(&file, &none, &AtomicBool::new(false)).unwrap(), None);
    }
}
