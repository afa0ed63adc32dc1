//! What stands in square brackets: parts of bytes, numbers of layers.

use super::FilterError;
use super::lex::{Kind, Token};
use super::parse::Parsed;
use super::tree::Part;

/// The numbers of layers behind `#`: `2`, `[1-2,4]`, `[:2]`, `[3:]`.
pub(super) fn layer_numbers(token: &Token) -> Parsed<Vec<(usize, usize)>> {
    let wrong = || {
        FilterError::new(
            token.at.clone(),
            "here must stand the number of a layer, from 1 on, such as 2 or [1-2]",
        )
    };
    if token.kind != Kind::Brackets {
        let number = token.text.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        return Ok(vec![(number, number)]);
    }
    let to_number = |n: i64| usize::try_from(n).ok().filter(|n| *n > 0).ok_or_else(wrong);
    let of = |part: Part| match part {
        Part::Length(0, to) => Ok((1, to)),
        Part::Length(from, length) => Ok((to_number(from)?, to_number(from)? + length.max(1) - 1)),
        Part::To(from, to) => Ok((to_number(from)?, to_number(to)?)),
        Part::Rest(from) => Ok((to_number(from)?, usize::MAX)),
    };
    parts(token)?.into_iter().map(of).collect()
}

/// The parts of a slice: `[i]`, `[i:length]`, `[i-j]`, `[:length]`, `[i:]`, and several with commas between.
pub(super) fn parts(token: &Token) -> Parsed<Vec<Part>> {
    let inside = token.text.trim_start_matches('[').trim_end_matches(']');
    let wrong = || {
        FilterError::new(
            token.at.clone(),
            "a slice is [offset], [offset:length], [from-to], [:length] or [offset:]",
        )
    };
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong());
    let one = |part: &str| {
        let part = part.trim();
        if let Some((from, length)) = part.split_once(':') {
            let from = if from.trim().is_empty() { 0 } else { number(from)? };
            if length.trim().is_empty() {
                return Ok(Part::Rest(from));
            }
            let length = usize::try_from(number(length)?).ok().filter(|n| *n > 0).ok_or_else(wrong)?;
            return Ok(Part::Length(from, length));
        }
        // A '-' behind a digit stands between two offsets.
        let between = part.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(i, _)| i);
        if let Some(at) = between {
            let (from, to) = (number(&part[..at])?, number(&part[at + 1..])?);
            if from >= 0 && to >= 0 && from > to {
                return Err(FilterError::new(token.at.clone(), format!("{from} stands behind {to}")));
            }
            return Ok(Part::To(from, to));
        }
        Ok(Part::Length(number(part)?, 1))
    };
    inside.split(',').map(one).collect()
}
