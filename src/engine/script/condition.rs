//! What must hold of a packet besides its pattern: a filter, in which names may stand.

use super::names::{Edited, Expr, Value, name_len};
use super::pattern::{Known, Verdict};
use crate::filter::{Facts, Filter, Packet};
use crate::wire::dissect::Dissection;
use crate::wire::notation::NotationError;

/// A filter with names in it.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    names: Vec<Expr>,
}

impl Condition {
    /// Reads what stands behind `where`. `names` are those that it may use.
    ///
    /// # Errors
    /// The place in `text` and what is wrong there.
    pub fn read(text: &str, known: Known<'_>, is_name: &dyn Fn(&str) -> bool) -> Result<Self, NotationError> {
        let mut names = Vec::new();
        let mut quoted = false;
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match c {
                '\\' if quoted => {
                    rest.next();
                }
                '"' => quoted = !quoted,
                '$' if !quoted => {
                    let len = name_len(text.get(at + 1..).unwrap_or_default());
                    let name = text.get(at + 1..at + 1 + len).unwrap_or_default();
                    if !is_name(name) {
                        let why = format!("${name} has no value here");
                        return Err(NotationError::new(at..at + 1 + len, why));
                    }
                    names.push(Expr { name: name.to_owned(), step: None, at: at..at + 1 + len });
                }
                _ => {}
            }
        }
        let condition = Self { text: text.to_owned(), names };
        let edited = condition.with(&|name| known(name));
        match Filter::display(&edited.text) {
            Ok(_) => Ok(condition),
            Err(e) => Err(NotationError::new(edited.back(e.at), e.message)),
        }
    }

    /// The names that it uses.
    pub fn names(&self) -> impl Iterator<Item = &Expr> {
        self.names.iter()
    }

    fn with(&self, named: &dyn Fn(&str) -> Option<Value>) -> Edited {
        let text = |e: &Expr| named(&e.name).map_or_else(|| "0".to_owned(), |value| value.text());
        Edited::new(&self.text, self.names.iter().map(|e| (e.at.clone(), text(e))).collect())
    }

    pub(super) fn judge(
        &self,
        link_type: u32,
        bytes: &[u8],
        found: &Dissection,
        named: &dyn Fn(&str) -> Option<Value>,
        verdict: &mut Verdict,
    ) {
        let of = |name: &str| {
            let own = verdict.taken.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
            own.or_else(|| named(name))
        };
        let text = self.with(&of).text;
        let facts =
            Facts { original: u32::try_from(bytes.len()).unwrap_or(u32::MAX), link_type, ..Facts::default() };
        match Filter::display(&text) {
            Ok(filter) if filter.needs().flows() => {
                let why = "needs the packets before, which an expectation does not look at";
                verdict.differ("where".into(), text, why);
            }
            Ok(filter) if filter.matches(&Packet { bytes, found, facts, flows: &[] }) => verdict.agreed += 1,
            Ok(_) => verdict.differ("where".into(), text, "does not hold"),
            Err(error) => verdict.differ("where".into(), text, error.message),
        }
    }
}
