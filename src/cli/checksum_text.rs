//! Checksums step by step, as text: pseudo header, covered words with the running sum, folds, complement.

use std::fmt::Write as _;

use crate::wire::checksum::{self, Work};
use crate::wire::table::Field;
use crate::wire::view::{Layer, LayerView};

/// Words on a line.
const WORDS: usize = 8;
/// Words of the pseudo header on a line.
const PSEUDO_WORDS: usize = 4;
/// Columns before the running sum.
const SUM_COLUMN: usize = 52;

/// The work of every checksum of a packet, outermost first.
#[must_use]
pub fn of_packet(bytes: &[u8], layers: &[Layer]) -> String {
    let texts: Vec<String> = (0..layers.len())
        .filter_map(|index| {
            let (_, field, ..) = checksum::field_of(&LayerView { bytes, layers, index })?;
            Some(one(&layers[index], field, &checksum::work(bytes, layers, index)?))
        })
        .collect();
    if texts.is_empty() { "this packet has no checksum".into() } else { texts.join("\n\n") }
}

fn one(layer: &Layer, field: &Field, work: &Work) -> String {
    let header = layer.header;
    let at = work.bits.bytes();
    let mut text = format!(
        "{} {} ({}.{}), bytes {} {} {} of the packet\n",
        header.short,
        field.label,
        header.prefix(),
        field.key,
        at.start,
        if work.is_crc { "to" } else { "and" },
        at.end - 1
    );
    if work.is_crc {
        let _ = writeln!(text, "{:<SUM_COLUMN$}register", "  CRC32c (RFC 9260 appendix A), from all ones on");
        word_lines(&mut text, work);
        crc_lines(&mut text, work);
    } else {
        pseudo_lines(&mut text, work);
        word_lines(&mut text, work);
        result_lines(&mut text, work);
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, left: &str, sum: u64) {
    let _ = writeln!(text, "{left:<SUM_COLUMN$}0x{sum:05x}");
}

fn pseudo_lines(text: &mut String, work: &Work) {
    let mut sum = 0;
    let _ = match work.pseudo.as_slice() {
        [] => writeln!(text, "{:<SUM_COLUMN$}running sum", "  no pseudo header"),
        words => writeln!(
            text,
            "  {:<w$}running sum",
            format!("pseudo header, {} words", words.len()),
            w = SUM_COLUMN - 2
        ),
    };
    for group in work.pseudo.chunk_by(|a, b| a.label == b.label) {
        for (row, part) in group.chunks(PSEUDO_WORDS).enumerate() {
            sum += part.iter().map(|w| u64::from(w.word)).sum::<u64>();
            let words: Vec<String> = part.iter().map(|w| format!("{:04x}", w.word)).collect();
            let label = part.first().filter(|_| row == 0).map_or("", |w| w.label);
            line(text, &format!("    {label:<21}{}", words.join(" ")), sum);
        }
    }
}

fn word_lines(text: &mut String, work: &Work) {
    let covered = &work.covered;
    let odd = match (covered.len() % 2, work.is_crc) {
        (0, _) => "",
        (_, false) => ", a zero byte added",
        (_, true) => ", of the last only the first byte",
    };
    let _ = writeln!(
        text,
        "  covered: {} bytes from {} on, {} words{odd}; [] the checksum, as 0",
        covered.len(),
        covered.start,
        work.words.len(),
    );
    let own = (work.bits.bytes().start - covered.start) / 2;
    let past = own + work.bits.width / 16;
    let mut running = work.start();
    for (row, words) in work.words.chunks(WORDS).enumerate() {
        let next = row * WORDS + words.len();
        running = work.with(running, row * WORDS..next);
        let mut left = format!("    {:04x} ", covered.start + row * WORDS * 2);
        for (i, word) in words.iter().enumerate() {
            let nth = row * WORDS + i;
            let before = match nth {
                n if n == own => '[',
                n if n == past && i > 0 => ']',
                _ => ' ',
            };
            let _ = write!(left, "{before}{word:04x}");
        }
        if past == next {
            left.push(']');
        }
        match work.is_crc {
            true => drop(writeln!(text, "{left:<SUM_COLUMN$}0x{running:08x}")),
            false => line(text, &left, running),
        }
    }
}

fn crc_lines(text: &mut String, work: &Work) {
    let _ = writeln!(text, "  {:<12}0x{:08x}", "complement", work.complement);
    let _ =
        writeln!(text, "  {:<12}0x{:08x}: the complement, its lowest byte first", "computed", work.computed);
    let verdict = if work.is_accepted() { "right" } else { "wrong" };
    let _ = writeln!(text, "  {:<12}0x{:08x}, {verdict}", "stored", work.stored);
}

fn result_lines(text: &mut String, work: &Work) {
    let _ = writeln!(text, "  {:<12}0x{:x}", "sum", work.sum);
    let mut before = work.sum;
    for fold in &work.folds {
        let (low, high) = (before & 0xffff, before >> 16);
        let _ = writeln!(text, "  {:<12}0x{low:04x} + 0x{high:x} = 0x{fold:04x}", "fold");
        before = *fold;
    }
    if work.folds.is_empty() {
        let _ = writeln!(text, "  {:<12}none needed: the sum has 16 bits", "fold");
    }
    let _ = writeln!(text, "  {:<12}0x{:04x}", "complement", work.complement);
    let why = if work.computed == work.complement { "" } else { ": zero would mean that there is none" };
    let _ = writeln!(text, "  {:<12}0x{:04x}{why}", "computed", work.computed);
    let verdict = match (work.stored == work.computed, work.zero_is_none && work.stored == 0) {
        (_, true) => "none is sent",
        _ if work.zero_is_forbidden && work.stored == 0 => match work.pseudo.len() {
            0..=8 => "wrong: there has to be one",
            _ => "wrong: over IPv6 there has to be one (RFC 8200)",
        },
        (true, _) => "right",
        (false, _) if work.is_accepted() => "right too: in one's complement it is the same number",
        (false, _) => "wrong",
    };
    let _ = writeln!(text, "  {:<12}0x{:04x}, {verdict}", "stored", work.stored);
}
