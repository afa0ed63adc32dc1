//! Undo and redo: a stack of drafts.

use super::draft::Draft;

/// Most steps that can be undone.
pub const MAX_STEPS: usize = 500;

/// The drafts before and after the present one.
#[derive(Clone, Debug, Default)]
pub struct History {
    past: Vec<Draft>,
    future: Vec<Draft>,
    /// What the last step edited, so that the keystrokes of one edit are one step.
    last: Option<u64>,
}

impl History {
    /// Remembers `before` as the state to go back to. Edits with the same `mark` in a row are one step.
    pub fn remember(&mut self, before: &Draft, mark: Option<u64>) {
        self.future.clear();
        if mark.is_some() && mark == self.last && !self.past.is_empty() {
            return;
        }
        self.last = mark;
        self.past.push(before.clone());
        if self.past.len() > MAX_STEPS {
            self.past.remove(0);
        }
    }

    /// The next edit is a step of its own, whatever its mark.
    pub fn close_step(&mut self) {
        self.last = None;
    }

    /// Goes back one step; `false` when there is none.
    pub fn undo(&mut self, present: &mut Draft) -> bool {
        let Some(mut before) = self.past.pop() else { return false };
        self.last = None;
        before.surround(present.surroundings());
        self.future.push(std::mem::replace(present, before));
        true
    }

    /// Goes forward one step; `false` when there is none.
    pub fn redo(&mut self, present: &mut Draft) -> bool {
        let Some(mut after) = self.future.pop() else { return false };
        self.last = None;
        after.surround(present.surroundings());
        self.past.push(std::mem::replace(present, after));
        true
    }

    /// Whether there is a step to undo, and one to redo.
    #[must_use]
    pub fn can(&self) -> (bool, bool) {
        (!self.past.is_empty(), !self.future.is_empty())
    }
}
