//! Finding a packet without hiding the others: the next or the previous one that passes a filter, or has a text or bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::workbench::{Request, Workbench};
use crate::engine::{Failure, Hit, Order, Search};
use crate::filter::{Filter, pick};

/// What is typed into the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sought {
    /// A display filter.
    #[default]
    Filter,
    /// Text that stands in the packet, in capitals or not.
    Text,
    /// Hex pairs of bytes that stand in the packet.
    Hex,
}

impl Sought {
    /// All of them, with what each is called.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Filter, "Filter"), (Self::Text, "Text"), (Self::Hex, "Hex")];
}

/// A step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Find {
    /// Show the box.
    Open,
    /// This is sought.
    Text(String),
    /// It is this.
    Kind(Sought),
    /// Go to the next packet that has it.
    Next,
    /// Go to the one before.
    Previous,
    /// Go to the next packet that passes this filter.
    NextWith(String),
    /// Give up what is being sought; where nothing is, take the box away.
    Close,
}

/// The box.
#[derive(Debug, Default)]
pub struct FindBox {
    open: bool,
    text: String,
    kind: Sought,
    error: Option<String>,
    message: Option<String>,
    seeking: Option<(u64, Arc<AtomicBool>)>,
    asks: u64,
}

impl FindBox {
    /// It is shown.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What is typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What that is.
    #[must_use]
    pub fn kind(&self) -> Sought {
        self.kind
    }

    /// What is wrong in it.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// What came of the last search.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The number of the order for which is being sought.
    #[must_use]
    pub fn seeks(&self) -> Option<u64> {
        self.seeking.as_ref().map(|s| s.0)
    }

    fn filter(&self) -> Result<Filter, String> {
        let text = match self.kind {
            Sought::Filter => self.text.clone(),
            Sought::Text => pick::of_text(&self.text),
            Sought::Hex => pick::of_hex(&self.text)?,
        };
        Filter::display(&text).map_err(|error| match self.kind {
            Sought::Filter => error.render(&text),
            _ => error.message,
        })
    }

    /// Nobody wants to know any more.
    fn cancel(&mut self) -> bool {
        let Some((_, cancelled)) = self.seeking.take() else { return false };
        cancelled.store(true, Ordering::Relaxed);
        true
    }
}

impl Workbench {
    /// The box in which is typed what is sought.
    #[must_use]
    pub fn find(&self) -> &FindBox {
        &self.find
    }

    pub(super) fn find_step(&mut self, step: Find) {
        match step {
            Find::Open => {
                self.find.open = true;
                self.requests.push(Request::FocusFind);
            }
            Find::Text(text) => {
                self.find.cancel();
                self.find.text = text;
                self.read_sought();
            }
            Find::Kind(kind) => {
                self.find.cancel();
                self.find.kind = kind;
                self.read_sought();
            }
            Find::Next => self.find_next(false),
            Find::Previous => self.find_next(true),
            Find::NextWith(text) => {
                self.find.open = true;
                self.find.kind = Sought::Filter;
                self.find.text = text;
                self.read_sought();
                self.find_next(false);
            }
            Find::Close => {
                if self.find.cancel() {
                    self.find.message = Some("given up".into());
                } else {
                    self.find.open = false;
                    self.find.message = None;
                }
            }
        }
    }

    fn read_sought(&mut self) {
        self.find.message = None;
        let empty = self.find.text.trim().is_empty();
        self.find.error = if empty { None } else { self.find.filter().err() };
    }

    fn find_next(&mut self, backwards: bool) {
        if self.find.text.trim().is_empty() {
            return self.find_step(Find::Open);
        }
        self.find.cancel();
        self.read_sought();
        let Ok(filter) = self.find.filter() else { return };
        let Some(file) = self.capture.file.clone() else {
            self.find.message = Some("there are no packets".into());
            return;
        };
        let from = self.capture.selected.as_ref().map(|s| s.index);
        let within = self.capture.sieve.clone();
        let flows = Arc::clone(&self.capture.flows);
        let search = Box::new(Search { filter, within, flows, from, backwards });
        self.find.asks += 1;
        let (ask, cancelled) = (self.find.asks, Arc::new(AtomicBool::new(false)));
        self.find.seeking = Some((ask, Arc::clone(&cancelled)));
        if !self.is_taken(Order::Find { file, search, ask, cancelled }) {
            self.find.seeking = None;
        }
    }

    /// A search is over.
    pub(super) fn found(&mut self, ask: u64, found: Result<Option<Hit>, Failure>) {
        if self.find.seeks() != Some(ask) {
            return;
        }
        self.find.seeking = None;
        let shown = if self.capture.sieve.is_some() { " among the packets shown" } else { "" };
        match found {
            Ok(Some(hit)) => {
                let before = self.capture.selected.as_ref().map(|s| s.index);
                self.find.message = match (before == Some(hit.position), hit.wrapped, before) {
                    (true, ..) => Some(format!("there is no other{shown}")),
                    (_, true, Some(before)) if hit.position < before => {
                        Some("on from the first packet".into())
                    }
                    (_, true, _) => Some("on from the last packet".into()),
                    _ => None,
                };
                self.capture.follow = false;
                self.select(Some(hit.position));
                self.requests.push(Request::Show(hit.position));
            }
            Ok(None) => self.find.message = Some(format!("nothing found{shown}")),
            Err(failure) => self.find.message = Some(failure.text),
        }
    }

    /// What is sought in a capture that is not shown any more is not sought any more.
    pub(super) fn forget_sought(&mut self) {
        self.find.cancel();
        self.find.message = None;
    }
}
