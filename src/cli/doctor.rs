//! `rawbench doctor`: what is permitted on this machine, what is not, and how to change that.

use std::io::Write;

use super::output::{self, Outcome};
use crate::net::{self, Startup};

/// Runs it. What it finds is data, not a failure.
///
/// # Errors
/// Standard output fails.
pub fn run(startup: &Startup) -> Outcome {
    let mut out = output::out();
    for finding in net::privilege_report(Some(startup)) {
        let mark = if finding.ok { "ok" } else { "no" };
        writeln!(out, "{mark}  {}: {}", finding.what, finding.detail)?;
        for line in finding.remedy.lines() {
            writeln!(out, "      {line}")?;
        }
    }
    out.flush()?;
    Ok(0)
}
