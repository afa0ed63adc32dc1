//! What is said of a script that runs, for a person. Pure.

use std::io::Write;

use super::{Outcome, Row, Table, Told, Unmet, What, Why};
use crate::wire::summary;
use crate::wire::value::duration;

/// Writes what happened.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, told: &Told) -> std::io::Result<()> {
    let rounds = told.rounds.iter().map(|r| format!("[{r}] ")).collect::<String>();
    let line = told.line;
    match &told.what {
        What::Test(name) => writeln!(out, "test {name}"),
        What::Sent { link_type, bytes } => {
            writeln!(out, "{line:>5} >      {rounds}{}", row_text(*link_type, bytes))
        }
        What::Came { packet, after_ns, taken } => {
            let taken: String =
                taken.iter().map(|(name, value)| format!(", ${name} = {}", value.text())).collect();
            let row = row_text(packet.link_type, &packet.bytes);
            writeln!(out, "{line:>5} < ok   {rounds}{row}, {}{taken}", after(*after_ns))
        }
        What::Silence(within) => writeln!(out, "{line:>5} ! ok   {rounds}nothing within {within:?}"),
        What::Swept(table) => {
            writeln!(out, "{line:>5} sweep {rounds}{} packets", table.rows.len())?;
            write_table(out, table)
        }
        What::Failed(why) => write_failure(out, told, &rounds, why),
        What::TestOver { name, failed } if !name.is_empty() => {
            writeln!(out, "{} {name}", if *failed == 0 { "pass" } else { "FAIL" })
        }
        What::TestOver { .. } => Ok(()),
    }
}

/// A packet in a row: its source, its protocol, what it says.
#[must_use]
pub fn row_text(link_type: u32, bytes: &[u8]) -> String {
    let row = summary::row(link_type, bytes);
    format!("{:<15} {:<5} {}", row.source, row.protocol, row.info).trim_end().to_owned()
}

fn after(ns: i64) -> String {
    let time = duration(ns.unsigned_abs());
    if ns < 0 { format!("{time} before what was last") } else { format!("after {time}") }
}

/// Why a line failed, in one line.
#[must_use]
pub fn why(why: &Why) -> String {
    match why {
        Why::Missing(unmet) => format!("no such packet came within {:?}", unmet.within),
        Why::Unwanted(came, ns) => {
            let row = row_text(came.link_type, &came.bytes);
            format!("a packet came that must not, {}: {row}", after(*ns))
        }
        Why::NotSent(text) => format!("it could not be sent: {text}"),
        Why::Wrong(text) => format!("it makes no sense with these values: {text}"),
        Why::Sweep(table) => {
            let missed = table.rows.iter().filter(|row| row.missed.is_some()).count();
            format!("{missed} of {} answers are not as they must be", table.rows.len())
        }
    }
}

fn write_failure(out: &mut impl Write, told: &Told, rounds: &str, reason: &Why) -> std::io::Result<()> {
    let mark = told.text.chars().next().filter(|c| "><!".contains(*c)).unwrap_or(' ');
    writeln!(out, "{:>5} {mark} FAIL {rounds}{}", told.line, why(reason))?;
    writeln!(out, "             {}", told.text)?;
    match reason {
        Why::Missing(unmet) => write_unmet(out, unmet),
        Why::Sweep(table) => write_table(out, table),
        Why::Unwanted(..) | Why::NotSent(_) | Why::Wrong(_) => Ok(()),
    }
}

fn write_unmet(out: &mut impl Write, unmet: &Unmet) -> std::io::Result<()> {
    if let Some(near) = &unmet.nearest {
        let row = row_text(near.packet.link_type, &near.packet.bytes);
        writeln!(out, "           nearest, {}: {row}", after(near.after_ns))?;
        let width = |text: fn(&super::Difference) -> &str| {
            near.differences.iter().map(|d| text(d).chars().count()).max().unwrap_or(0)
        };
        let (fields, expected) = (width(|d| &d.field), width(|d| &d.expected));
        for d in &near.differences {
            let came = if d.came.is_empty() { "nothing" } else { &d.came };
            writeln!(
                out,
                "             {:<fields$}  expected {:<expected$}  came {came}",
                d.field, d.expected
            )?;
        }
    }
    if !unmet.others.is_empty() {
        writeln!(out, "           came besides, and no line took it:")?;
        for (came, ns) in &unmet.others {
            writeln!(out, "             {}, {}", row_text(came.link_type, &came.bytes), after(*ns))?;
        }
    }
    if unmet.more > 0 {
        writeln!(out, "             and {} more", unmet.more)?;
    }
    if unmet.nearest.is_none() && unmet.others.is_empty() {
        writeln!(out, "           nothing came at all")?;
    }
    if unmet.kernel_reset {
        writeln!(
            out,
            "           the kernel of this machine has reset the connection, of which it knows nothing: the line guard at \
             the top (or --guard) keeps it from that"
        )?;
    }
    Ok(())
}

/// A table of answers: of one field the runs of equal answers, of two fields a square, of more a row for each packet.
fn write_table(out: &mut impl Write, table: &Table) -> std::io::Result<()> {
    match table.keys.as_slice() {
        [key] => write_runs(out, key, &table.rows),
        [down, across] => write_square(out, [down, across], &table.rows),
        keys => {
            writeln!(out, "          {}", keys.join("  "))?;
            table
                .rows
                .iter()
                .try_for_each(|row| writeln!(out, "          {}  {}", row.values.join("  "), row.kind()))
        }
    }
}

fn write_runs(out: &mut impl Write, key: &str, rows: &[Row]) -> std::io::Result<()> {
    let mut runs: Vec<&[Row]> = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let missed = |row: &Row| row.missed.as_ref().map(|(kind, _)| kind.clone());
        let same = |row: &&Row| row.kind() == first.kind() && missed(row) == missed(first);
        let (run, behind) = rest.split_at(rest.iter().take_while(same).count());
        runs.push(run);
        rest = behind;
    }
    let value = |row: Option<&Row>| row.and_then(|r| r.values.first()).cloned().unwrap_or_default();
    let label = |run: &[Row]| match run {
        [_, .., _] if is_consecutive(run) => format!("{}..{}", value(run.first()), value(run.last())),
        run => run.iter().map(|row| value(Some(row))).collect::<Vec<_>>().join(", "),
    };
    let labels: Vec<String> = runs.iter().map(|run| label(run)).collect();
    let width = labels.iter().map(|l| l.chars().count()).chain([key.len()]).max().unwrap_or(0).min(40);
    writeln!(out, "          {key:<width$}  answer")?;
    for (run, label) in runs.iter().zip(&labels) {
        let Some(first) = run.first() else { continue };
        let mut text = first.kind().to_owned();
        if let (Some(found), [_]) = (&first.found, run) {
            text += &found.rtt_ns.map(|ns| format!("  {}", duration(ns))).unwrap_or_default();
        }
        if let Some((kind, line)) = &first.missed {
            text += &format!("  expected {kind} (line {line})");
        }
        writeln!(out, "          {label:<width$}  {text}")?;
    }
    Ok(())
}

/// Whether the values are numbers that follow each other.
fn is_consecutive(run: &[Row]) -> bool {
    let numbers: Option<Vec<u64>> = run.iter().map(|row| row.values.first()?.parse().ok()).collect();
    numbers.is_some_and(|n| n.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1])))
}

fn write_square(out: &mut impl Write, [down, across]: [&String; 2], rows: &[Row]) -> std::io::Result<()> {
    let value = |row: &Row, at: usize| row.values.get(at).cloned().unwrap_or_default();
    let columns: Vec<String> = {
        let first = rows.first().map(|row| value(row, 0)).unwrap_or_default();
        rows.iter().take_while(|row| value(row, 0) == first).map(|row| value(row, 1)).collect()
    };
    let kinds = rows.iter().map(|row| row.kind().len()).chain(columns.iter().map(|c| c.chars().count()));
    let width = kinds.max().unwrap_or(0);
    let first = rows.iter().map(|row| value(row, 0).chars().count()).chain([down.len()]).max().unwrap_or(0);
    writeln!(out, "          {:<first$}  {across}", "")?;
    let cells =
        |cells: &mut dyn Iterator<Item = String>| cells.map(|c| format!("  {c:<width$}")).collect::<String>();
    writeln!(out, "          {down:<first$}{}", cells(&mut columns.iter().cloned()).trim_end())?;
    for line in rows.chunks(columns.len().max(1)) {
        let name = line.first().map(|row| value(row, 0)).unwrap_or_default();
        let text = cells(&mut line.iter().map(|row| row.kind().to_owned()));
        writeln!(out, "          {name:<first$}{}", text.trim_end())?;
    }
    Ok(())
}

/// How it went, in one line.
#[must_use]
pub fn summary(done: &Outcome, pass: bool, tests: u64, failed_tests: u64) -> String {
    let verdicts = done.verdicts;
    let counted = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut text = if pass { "pass: ".to_owned() } else { "FAIL: ".to_owned() };
    if tests > 0 {
        text += &format!("{}, {failed_tests} failed; ", counted(tests, "test"));
    }
    let failed = verdicts.failed + verdicts.wrong;
    let (sent, held) = (counted(verdicts.sent, "packet"), counted(verdicts.passed, "expectation"));
    text += &format!("{sent} sent, {held} held, {failed} failed, {:.3} s", done.seconds);
    if verdicts.stopped {
        text += " (stopped)";
    }
    text
}

/// What else a person should know.
#[must_use]
pub fn notes(done: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    let verdicts = done.verdicts;
    if verdicts.kernel_resets > 0 {
        notes.push(format!(
            "note: the kernel of this machine sent {} reset{} to the other end: it knows nothing of a connection that was \
             made by hand",
            verdicts.kernel_resets,
            if verdicts.kernel_resets == 1 { "" } else { "s" }
        ));
    }
    if verdicts.forgotten > 0 {
        notes.push(format!(
            "warning: {} packets were forgotten that no line had taken: more came than are kept",
            verdicts.forgotten
        ));
    }
    if done.lost > 0 {
        notes.push(format!(
            "warning: {} packets were lost on the way to the script, so what it says of packets that did not come may be \
             wrong",
            done.lost
        ));
    }
    notes.extend(done.recorded.clone());
    notes
}
