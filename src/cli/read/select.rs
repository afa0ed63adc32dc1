//! `-Y`: which packets of a file pass a filter.

use super::super::output::Failure;
use crate::engine::{Flows, Sieve};
use crate::filter::Filter;
use crate::pcap::CaptureFile;

/// Reads a display filter.
///
/// # Errors
/// It is wrong: the message shows the place.
pub fn filter(text: &str) -> Result<Filter, Failure> {
    Filter::display(text)
        .map_err(|error| Failure::wrong_call(format!("the filter is wrong\n{}", error.render(text))))
}

/// The positions of the packets that pass, counted from 0, in order; `flows` are those of the capture.
///
/// # Errors
/// A packet cannot be read, or its link type has no headers that the filter could look at.
pub fn positions(capture: &CaptureFile, filter: Filter, flows: &Flows) -> Result<Vec<usize>, Failure> {
    for interface in capture.interfaces().iter() {
        filter.suits(interface.link_type.0).map_err(Failure::wrong_call)?;
    }
    let sieve = Sieve::new(filter);
    sieve.work(capture, flows, &|| ());
    match sieve.problem() {
        Some(text) => Err(Failure::failed(anyhow::Error::msg(text))),
        None => Ok(sieve.into_positions()),
    }
}
