//! `rawbench fields`: the field reference, from the tables.

use std::io::{IsTerminal, Write};

use super::args::FieldsArgs;
use super::keys;
use super::output::{self, Failure, Outcome};
use crate::wire::notation;

/// Runs it.
///
/// # Errors
/// No key begins with the prefix, or standard output fails.
pub fn run(args: &FieldsArgs) -> Outcome {
    let prefix = args.prefix.as_deref().unwrap_or_default();
    let all = keys::all();
    let shown: Vec<_> = all.iter().filter(|l| l.key.starts_with(prefix)).collect();
    if shown.is_empty() {
        let hint = notation::nearest(prefix, all.iter().map(|l| l.key.as_str()))
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        return Err(Failure::wrong_call(format!("no field begins with '{prefix}'{hint}")));
    }
    let widest = |text: fn(&keys::Listed) -> &str| shown.iter().map(|l| text(l).chars().count()).max();
    let key = widest(|l| &l.key).unwrap_or(0).max(3);
    let label = widest(|l| &l.label).unwrap_or(0).max(5);
    let notation = widest(|l| l.notation).unwrap_or(0).max(8);
    let mut out = output::out();
    // A program that reads this wants no heading, a person does.
    if std::io::stdout().is_terminal() {
        let (k, n, l) = ("KEY", "NOTATION", "LABEL");
        writeln!(out, "{k:<key$}  {n:<notation$}  {l:<label$}  BITS  REFERENCE")?;
    }
    for l in shown {
        writeln!(
            out,
            "{:<key$}  {:<notation$}  {:<label$}  {:>4}  {}",
            l.key, l.notation, l.label, l.width, l.reference
        )?;
    }
    out.flush()?;
    Ok(0)
}
