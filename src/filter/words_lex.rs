//! The words of pcap-filter(7), read where the parser stands: what belongs to a word depends on the brackets around it.

use std::ops::Range;

/// Operators, the longest first.
const SIGNS: [&str; 25] = [
    "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "=", "<", ">", "!", "&", "|", "^", "+", "-", "*", "/",
    "%", "(", ")", "[", "]", ":",
];

/// A word and its place; an empty text is the end.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    pub at: Range<usize>,
    /// It is no operator.
    pub plain: bool,
}

/// The word at this place. `inside`: of square brackets, where ':' and '-' are operators.
pub(super) fn word(source: &str, at: usize, inside: bool) -> Word<'_> {
    let rest = source.get(at..).unwrap_or_default();
    let start = at + rest.len() - rest.trim_start().len();
    let rest = rest.trim_start();
    let len = plain_len(rest, inside);
    let make = |len: usize, plain| Word { text: &rest[..len], at: start..start + len, plain };
    if len > 0 {
        return make(len, true);
    }
    match SIGNS.iter().find(|s| rest.starts_with(**s)) {
        Some(sign) => make(sign.len(), false),
        None => make(rest.chars().next().map_or(0, char::len_utf8), false),
    }
}

fn plain_len(rest: &str, inside: bool) -> usize {
    let bytes = rest.as_bytes();
    let letter = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphabetic);
    let alnum = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphanumeric);
    let begins = match bytes.first() {
        Some(b'\\') => letter(1),
        Some(b':') => !inside && bytes.get(1) == Some(&b':'),
        _ => alnum(0) || bytes.first() == Some(&b'_'),
    };
    if !begins {
        return 0;
    }
    let mut len = 1;
    while let Some(byte) = bytes.get(len) {
        let belongs = match byte {
            b'-' if inside => letter(0) && letter(len + 1),
            b'-' => alnum(len + 1),
            b':' => !inside,
            b'_' | b'.' => true,
            byte => byte.is_ascii_alphanumeric(),
        };
        if !belongs {
            break;
        }
        len += 1;
    }
    len
}
