//! The display filter: which packets of the capture are shown.

use std::path::PathBuf;
use std::sync::Arc;

use super::history::History;
use super::workbench::Workbench;
use crate::engine::{CaptureFilter, Failure, Order, Sieve};
use crate::filter::complete::Words;
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
    error: Option<FilterError>,
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

    /// What is wrong in it, and where.
    #[must_use]
    pub fn error(&self) -> Option<&FilterError> {
        self.error.as_ref()
    }

    /// What is wrong in it, with the place under the text.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.error.as_ref().map(|error| error.render(&self.text))
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
        let (filter, error) = match read {
            Ok(filter) => (filter, None),
            Err(error) => (None, Some(error)),
        };
        self.capture_filter = CaptureBox { text, filter, error };
    }

    /// Keeps the filters that are applied in this file, and takes those in that it has.
    pub fn keep_history(&mut self, path: PathBuf) {
        let (history, problem) = History::load(path);
        self.history = history;
        if let Some(text) = problem {
            self.notice(Failure::new(text));
        }
    }

    /// The filters that were applied in a box, the newest first.
    #[must_use]
    pub fn history(&self, words: Words) -> &[String] {
        self.history.of(words)
    }

    /// Remembers what stands in a box, where it can be read.
    pub(super) fn remember(&mut self, words: Words) {
        let (text, wrong) = match words {
            Words::Display => (&self.filter.text, self.filter.error.is_some()),
            Words::Capture => (&self.capture_filter.text, self.capture_filter.error.is_some()),
        };
        if wrong {
            return;
        }
        if let Err(text) = self.history.add(words, text) {
            self.notice(Failure::new(text));
        }
    }

    /// The filter's box.
    #[must_use]
    pub fn filter(&self) -> &FilterBox {
        &self.filter
    }

    /// Takes over what was typed. A filter that is wrong leaves the last right one as it is.
    pub(super) fn set_filter(&mut self, text: String) {
        // What is sought is sought among the packets shown.
        self.forget_sought();
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
