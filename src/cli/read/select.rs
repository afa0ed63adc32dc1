//! `-Y`: which packets of a file pass a filter.

use super::super::output::Failure;
use crate::engine::in_order;
use crate::filter::{Facts, Filter, Packet};
use crate::pcap::{CaptureFile, Index, PacketReader};
use crate::wire::dissect::Dissection;

/// Packets that one worker tests in one go.
const CHUNK: usize = 8192;

/// Reads a display filter.
///
/// # Errors
/// It is wrong: the message shows the place.
pub fn filter(text: &str) -> Result<Filter, Failure> {
    Filter::display(text)
        .map_err(|error| Failure::wrong_call(format!("the filter is wrong\n{}", error.render(text))))
}

/// The positions of the packets that pass, counted from 0, in order.
///
/// # Errors
/// A packet cannot be read, or its link type has no headers that the filter could look at.
pub fn positions(capture: &CaptureFile, filter: &Filter) -> Result<Vec<usize>, Failure> {
    let index = capture.index().snapshot();
    let interfaces = capture.interfaces();
    let link_types: Vec<u32> = interfaces.iter().map(|i| i.link_type.0).collect();
    for link_type in &link_types {
        filter.suits(*link_type).map_err(Failure::wrong_call)?;
    }
    let work = Work { filter, first_ns: super::first_time(&index), index, link_types };
    let worker = || {
        let mut reader = capture.reader();
        let mut found = Dissection::default();
        let work = &work;
        move |chunk: usize| work.chunk(chunk, &mut reader, &mut found)
    };
    let mut passed = Vec::new();
    in_order(work.index.len().div_ceil(CHUNK), worker, |some: Result<Vec<usize>, Failure>| {
        passed.extend(some?);
        Ok::<(), Failure>(())
    })?;
    Ok(passed)
}

struct Work<'a> {
    filter: &'a Filter,
    first_ns: u64,
    index: Index,
    link_types: Vec<u32>,
}

impl Work<'_> {
    fn chunk(
        &self,
        chunk: usize,
        reader: &mut PacketReader,
        found: &mut Dissection,
    ) -> Result<Vec<usize>, Failure> {
        let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(self.index.len());
        let before = (0..range.start).rev().filter_map(|n| self.index.get(n));
        let mut previous_ns =
            before.into_iter().find(|e| e.has_time()).map_or(self.first_ns, |e| e.timestamp_ns);
        let mut passed = Vec::new();
        for (position, entry) in range.clone().zip(self.index.range(range)) {
            let bytes = reader.bytes(entry).map_err(Failure::failed)?;
            // A packet without a known interface has no link type: nothing of it can be read.
            let link_type = self.link_types.get(usize::from(entry.interface)).copied().unwrap_or(u32::MAX);
            self.filter.dissect(link_type, bytes, found);
            let time_ns = entry.has_time().then_some(entry.timestamp_ns);
            let facts = Facts {
                number: position as u64 + 1,
                original: entry.original,
                time_ns,
                first_ns: self.first_ns,
                previous_ns,
                interface: Some(u32::from(entry.interface)),
                link_type,
            };
            if self.filter.matches(&Packet { bytes, found, facts }) {
                passed.push(position);
            }
            previous_ns = time_ns.unwrap_or(previous_ns);
        }
        Ok(passed)
    }
}
