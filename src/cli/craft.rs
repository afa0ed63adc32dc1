//! `rawbench craft`: from notation to bytes.

use std::io::{BufRead, BufReader, Read, Write};

use super::args::CraftArgs;
use super::output::{self, Failure, Outcome, WRONG_CALL};
use super::{checksum_text, json};
use crate::craft::Draft;
use crate::craft::print::Detail;
use crate::craft::stream::Stream;
use crate::engine::System;
use crate::wire::notation::NotationError;
use crate::wire::{dump, value};

/// Longest line of standard input, in bytes: the largest packet in its longest form stays well below.
const MAX_LINE: usize = 16 << 20;

/// Runs it.
///
/// # Errors
/// The notation is wrong, or standard input or output fails.
pub fn run(args: &CraftArgs) -> Outcome {
    let mut sources = System::default();
    if args.notation == "-" {
        return from_lines(args, &mut sources);
    }
    let draft = match draft_of(&args.notation, &mut sources) {
        Ok(draft) => draft,
        Err(error) => {
            output::message(&error.render(&args.notation));
            return Ok(WRONG_CALL);
        }
    };
    let mut out = output::out();
    if let Some(form) = args.as_form {
        let text = form.write(&draft).map_err(Failure::failed)?;
        writeln!(out, "{text}")?;
    } else {
        print(args, &draft, &mut out)?;
    }
    out.flush()?;
    if !args.json {
        warn(&draft);
    }
    Ok(0)
}

/// The packet of a notation; where fields vary, one of those that `send` would send.
fn draft_of(text: &str, sources: &mut System) -> Result<Draft, NotationError> {
    let why = match Draft::from_notation(text, sources) {
        Ok(draft) => return Ok(draft),
        Err(why) => why,
    };
    let stream = Stream::from_notation(text, sources)?.seeded(fastrand::u64(..));
    if stream.varying().is_empty() {
        return Err(why);
    }
    output::message("note: fields of this packet vary; it is one of those that send makes");
    Ok(stream.packet(0))
}

/// One notation a line. Every line gives its output, a wrong one an empty line, so that lines stay aligned.
fn from_lines(args: &CraftArgs, sources: &mut System) -> Outcome {
    let mut input = BufReader::with_capacity(64 * 1024, std::io::stdin().lock());
    let mut out = output::out();
    let mut line = Vec::new();
    let mut status = 0;
    for number in 1u64.. {
        // Whoever writes line by line and waits for the answer gets it.
        if input.buffer().is_empty() {
            out.flush()?;
        }
        line.clear();
        let read = Read::by_ref(&mut input).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        let read = read.map_err(|e| Failure::failed(anyhow::anyhow!("cannot read standard input: {e}")))?;
        if read == 0 {
            break;
        }
        if let Err(why) = one_line(args, sources, &mut line, &mut input, &mut out)? {
            output::message(&format!("line {number}: {why}"));
            writeln!(out)?;
            status = WRONG_CALL;
        }
    }
    out.flush()?;
    Ok(status)
}

fn one_line(
    args: &CraftArgs,
    sources: &mut System,
    line: &mut Vec<u8>,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<Result<(), String>, Failure> {
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_LINE {
        skip_line(input).map_err(|e| Failure::failed(anyhow::anyhow!("cannot read standard input: {e}")))?;
        return Ok(Err(format!("it is longer than {MAX_LINE} bytes, more than any packet needs")));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Ok(Err("it is no UTF-8 text; write such bytes as \\xNN or hex(…)".into()));
    };
    match Draft::from_notation(text, sources) {
        Ok(draft) => match args.as_form.map(|form| form.write(&draft)) {
            Some(Ok(text)) => writeln!(out, "{text}").map(Ok).map_err(Failure::from),
            Some(Err(why)) => Ok(Err(why.to_string())),
            None => print(args, &draft, out).map(Ok).map_err(Failure::from),
        },
        Err(error) => Ok(Err(format!("the notation is wrong\n{}", error.render(text)))),
    }
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(());
        }
        let end = available.iter().position(|&b| b == b'\n');
        let used = end.map_or(available.len(), |i| i + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn print(args: &CraftArgs, draft: &Draft, out: &mut impl Write) -> std::io::Result<()> {
    if args.json {
        return json::draft(draft, out);
    }
    let text = if args.hex {
        value::hex_pairs(draft.bytes())
    } else if args.notation_out {
        draft.notation(Detail::Full)
    } else if args.checksum {
        checksum_text::of_packet(draft.bytes(), draft.layers())
    } else {
        dump::dump(draft.bytes())
    };
    writeln!(out, "{text}")
}

/// Warnings never forbid anything; they go where they do not mix with the data.
fn warn(draft: &Draft) {
    for warning in draft.warnings() {
        let layer = draft.layers().get(warning.layer).map_or("", |l| l.header.short);
        output::message(&format!("warning: {layer}: {}", warning.text));
    }
    if let Some(difference) = draft.reading_differs() {
        output::message(&format!("note: {difference}"));
    }
}
