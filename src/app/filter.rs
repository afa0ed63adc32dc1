//! The display filter: which packets of the capture are shown.

use std::sync::Arc;

use super::workbench::Workbench;
use crate::engine::{CaptureFilter, Order, Sieve};
use crate::filter::{Filter, FilterError, Reading};

/// What stands in the filter's box.
#[derive(Debug, Default)]
pub struct FilterBox {
    text: String,
    /// What the box says, or the last right thing that it said; `None` lets every packet pass.
    filter: Option<Filter>,
    error: Option<FilterError>,
}

impl FilterBox {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong in it, and where: then the last right filter still holds.
    #[must_use]
    pub fn error(&self) -> Option<&FilterError> {
        self.error.as_ref()
    }

    /// Whose words it is read in, where there is a filter.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        self.filter.as_ref().filter(|_| self.error.is_none()).map(Filter::reading)
    }

    /// Nothing is known yet of the packets of a capture.
    pub(super) fn sieve(&self) -> Option<Arc<Sieve>> {
        self.filter.clone().map(|filter| Arc::new(Sieve::new(filter)))
    }
}

/// What stands in the capture filter's box; it holds from the next start of a capture on.
#[derive(Debug, Default)]
pub struct CaptureBox {
    text: String,
    /// What it says; none where nothing is typed.
    filter: Option<Filter>,
    /// What is wrong in it, with the place under the text.
    problem: Option<String>,
}

impl CaptureBox {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The filter; none where nothing is typed, or where it is wrong.
    #[must_use]
    pub fn filter(&self) -> Option<CaptureFilter> {
        let filter = self.filter.clone()?;
        Some(CaptureFilter { filter, text: self.text.clone() })
    }

    /// What is wrong in it, with the place under the text.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

impl Workbench {
    /// The capture filter's box.
    #[must_use]
    pub fn capture_filter(&self) -> &CaptureBox {
        &self.capture_filter
    }

    /// Takes over what was typed for the next capture.
    pub(super) fn set_capture_filter(&mut self, text: String) {
        let read = if text.trim().is_empty() { Ok(None) } else { Filter::capture(&text).map(Some) };
        let (filter, problem) = match read {
            Ok(filter) => (filter, None),
            Err(error) => (None, Some(error.render(&text))),
        };
        self.capture_filter = CaptureBox { text, filter, problem };
    }

    /// The filter's box.
    #[must_use]
    pub fn filter(&self) -> &FilterBox {
        &self.filter
    }

    /// Takes over what was typed. A filter that is wrong leaves the last right one as it is.
    pub(super) fn set_filter(&mut self, text: String) {
        let read = Filter::display(&text);
        let empty = text.trim().is_empty();
        self.filter.text = text;
        match read {
            Ok(filter) => {
                self.filter.error = None;
                self.filter.filter = (!empty).then_some(filter);
                self.capture.sift(self.filter.sieve());
                self.sift_on();
            }
            Err(error) => self.filter.error = Some(error),
        }
    }

    /// Has the packets tested that came in since.
    pub fn sift_on(&mut self) {
        let (Some(file), Some(sieve)) = (&self.capture.file, &self.capture.sieve) else { return };
        if sieve.tested() < file.len() && sieve.begin() {
            let order = Order::Sift {
                file: file.clone(),
                flows: Arc::clone(&self.capture.flows),
                sieve: Arc::clone(sieve),
            };
            let sieve = Arc::clone(sieve);
            if !self.is_taken(order) {
                sieve.leave();
            }
        }
    }
}
