//! The builder's state: a draft, its history, and texts that were refused.

use std::collections::BTreeMap;

use crate::craft::history::History;
use crate::craft::{Draft, Surroundings};
use crate::wire::value::Refused;
use crate::wire::view::Path;

/// A text that stands in a field and cannot be its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was typed.
    pub text: String,
    /// Why it is refused, with the range that it must have.
    pub why: String,
    /// The field's key: where another field stands now, the text belongs to nothing.
    key: &'static str,
}

/// The draft and what belongs to editing it.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    draft: Draft,
    history: History,
    refused: BTreeMap<Path, Refusal>,
    /// What decides over random values of fields that vary.
    seed: u64,
}

impl Builder {
    /// A builder that begins with a draft.
    #[must_use]
    pub fn new(draft: Draft) -> Self {
        // The seed that stands in its box at first.
        Self { draft, seed: 1, ..Self::default() }
    }

    /// The packet.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// What stands refused in a field.
    #[must_use]
    pub fn refusal(&self, path: Path) -> Option<&Refusal> {
        self.refused.get(&path)
    }

    /// The first refused field: while there is one, nothing is sent.
    #[must_use]
    pub fn first_refused(&self) -> Option<(Path, &Refusal)> {
        self.refused.iter().next().map(|(p, r)| (*p, r))
    }

    /// Whether there is something to undo, and to redo.
    #[must_use]
    pub fn can(&self) -> (bool, bool) {
        self.history.can()
    }

    /// Keeps a text that was refused, so that Send finds it.
    pub fn refuse(&mut self, path: Path, text: String, why: String) {
        if let Some(found) = self.draft.locate(path) {
            self.refused.insert(path, Refusal { text, why, key: found.field.key });
        }
    }

    /// Nothing refused stands in the field.
    pub fn unrefuse(&mut self, path: Path) {
        self.refused.remove(&path);
    }

    /// Edits the draft as one undo step; edits with the same `mark` in a row are one step. A refused edit changes
    /// nothing.
    ///
    /// # Errors
    /// Those of the edit.
    pub fn edit(
        &mut self,
        mark: Option<u64>,
        change: impl FnOnce(&mut Draft) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let before = self.draft.clone();
        if let Err(refused) = change(&mut self.draft) {
            self.draft = before;
            return Err(refused);
        }
        self.show_first();
        if self.draft != before {
            self.history.remember(&before, mark);
            // A refused text goes with its field.
            let draft = &self.draft;
            self.refused.retain(|path, r| draft.locate(*path).is_some_and(|f| f.field.key == r.key));
        }
        Ok(())
    }

    /// Edits the layers as one undo step: refused texts go with theirs. `to` gives the new index of a layer, or none
    /// when it is gone.
    ///
    /// # Errors
    /// Those of the edit.
    pub fn edit_layers(
        &mut self,
        change: impl FnOnce(&mut Draft) -> Result<(), Refused>,
        to: impl Fn(usize) -> Option<usize>,
    ) -> Result<(), Refused> {
        let refused = std::mem::take(&mut self.refused);
        if let Err(why) = self.edit(None, change) {
            self.refused = refused;
            return Err(why);
        }
        let moved = refused.into_iter().filter_map(|(p, r)| Some((Path { layer: to(p.layer)?, ..p }, r)));
        self.refused = moved.collect();
        Ok(())
    }

    /// The draft's fields are others now: refused texts belong to nothing any more.
    pub fn forget_refusals(&mut self) {
        self.refused.clear();
    }

    /// The next edit is a step of its own.
    pub fn end_edit(&mut self) {
        self.history.close_step();
    }

    /// Takes back the last edit.
    pub fn undo(&mut self) {
        self.refused.clear();
        self.history.undo(&mut self.draft);
        self.show_first();
    }

    /// Does it again.
    pub fn redo(&mut self) {
        self.refused.clear();
        self.history.redo(&mut self.draft);
        self.show_first();
    }

    /// Another seed: where fields vary, another first packet. No undo step.
    pub(super) fn seed(&mut self, seed: u64) {
        self.seed = seed;
        self.show_first();
    }

    /// Where fields vary, the draft is the first packet.
    fn show_first(&mut self) {
        if !self.draft.varying().is_empty() {
            self.draft = self.draft.first_of(self.seed);
        }
    }

    /// Takes in what the system knows; no undo step.
    pub fn surround(&mut self, surroundings: Surroundings) {
        if self.draft.surroundings() != surroundings {
            self.draft.surround(surroundings);
        }
    }
}
