//! The words of a filter in Wireshark's syntax, each with its place.

use std::ops::Range;

use super::FilterError;

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key, a number, an address, the name of a value, an operator in letters.
    Word,
    /// Text in quotes, its escapes read.
    Text(Vec<u8>),
    /// The same, as it stands between the quotes, for `matches`.
    Raw(String),
    /// A character in single quotes.
    Char(u8),
    /// What stands between square brackets.
    Brackets,
    /// An operator or a bracket.
    Sign(&'static str),
}

/// A word of a filter.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub text: String,
    pub at: Range<usize>,
}

impl Token {
    /// Whether it is this word or sign.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign(_)) && self.text == text
    }
}

/// The longest first.
const SIGNS: [&str; 29] = [
    "===", "!==", "==", "!=", ">=", "<=", "~=", "&&", "||", "^^", "..", "<<", ">>", "=", ">", "<", "~", "!",
    "&", "|", "+", "-", "*", "/", "%", "(", ")", "{", "}",
];

/// Splits a filter.
///
/// # Errors
/// The place of a character that no filter has, or of a quote or bracket that is not closed.
pub(super) fn split(source: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(token) = next(source, at)? {
        at = token.at.end;
        tokens.push(token);
    }
    Ok(tokens)
}

/// The words of the comparison that a text begins with: up to a word that joins tests, to a bracket that was opened before,
/// or to what is no word of Wireshark's. What is behind may be written in another syntax; why it cannot be read comes along.
pub(super) fn split_relation(source: &str) -> (Vec<Token>, Option<FilterError>) {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut at, mut depth) = (0, 0usize);
    loop {
        let token = match next(source, at) {
            Ok(Some(token)) => token,
            Ok(None) => return (tokens, None),
            Err(error) => return (tokens, Some(error)),
        };
        let closes = token.is(")");
        if closes && depth == 0 || ["and", "or", "&&", "||"].iter().any(|w| token.is(w)) {
            let why = format!("here must stand a key or a value, not '{}'", token.text);
            return (tokens, Some(FilterError::new(token.at, why)));
        }
        depth = (depth + usize::from(token.is("("))).saturating_sub(usize::from(closes));
        at = token.at.end;
        tokens.push(token);
    }
}

/// The word at a place or behind the space there; none at the end.
pub(super) fn next(source: &str, at: usize) -> Result<Option<Token>, FilterError> {
    let rest = source.get(at..).unwrap_or_default();
    let at = at + rest.len() - rest.trim_start().len();
    let rest = rest.trim_start();
    let Some(c) = rest.chars().next() else { return Ok(None) };
    let (kind, len) = match c {
        '"' => text(source, at, false)?,
        'r' | 'R' if rest[1..].starts_with('"') => {
            let (kind, len) = text(source, at + 1, true)?;
            (kind, len + 1)
        }
        '\'' => character(source, at)?,
        '[' => {
            let len = rest
                .find(']')
                .ok_or_else(|| FilterError::new(at..at + 1, "this bracket is not closed: ']' is missing"))?;
            (Kind::Brackets, len + 1)
        }
        c if is_word(c) && !rest.starts_with("..")
            || c == ':' && rest[1..].starts_with(|c: char| c == ':' || is_word(c)) =>
        {
            (Kind::Word, word_len(rest))
        }
        _ => {
            let sign = SIGNS.iter().chain(&[",", "#", "^"]).find(|s| rest.starts_with(**s));
            let sign = sign.ok_or_else(|| {
                FilterError::new(at..at + c.len_utf8(), format!("'{c}' has no meaning in a filter"))
            })?;
            (Kind::Sign(sign), sign.len())
        }
    };
    Ok(Some(Token { kind, text: source[at..at + len].to_owned(), at: at..at + len }))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Length of the word that begins here; `..` ends it, and the length of a network belongs to its address.
fn word_len(rest: &str) -> usize {
    let mut len = 0;
    for c in rest.chars() {
        let inside = is_word(c) || len > 0 && c == '-' || c == ':';
        if !inside || rest[len..].starts_with("..") {
            break;
        }
        len += c.len_utf8();
    }
    let word = &rest[..len];
    let address = word.parse::<std::net::IpAddr>().is_ok();
    let digits = rest[len..]
        .strip_prefix('/')
        .map_or(0, |d| d.len() - d.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    if address && digits > 0 { len + 1 + digits } else { len }
}

/// Text in quotes and its length with them.
fn text(source: &str, start: usize, raw: bool) -> Result<(Kind, usize), FilterError> {
    let inside = &source[start + 1..];
    let mut escaped = false;
    let end = inside.char_indices().find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    let Some((end, _)) = end else {
        return Err(FilterError::new(start..start + 1, "this text is not closed: '\"' is missing"));
    };
    let inside = &inside[..end];
    let kind = if raw { Kind::Raw(inside.to_owned()) } else { Kind::Text(unescape(inside, start + 1)?) };
    Ok((kind, end + 2))
}

/// A character in single quotes and its length with them.
fn character(source: &str, start: usize) -> Result<(Kind, usize), FilterError> {
    let wrong =
        || FilterError::new(start..start + 1, "here must stand one character, such as 'a' or '\\x0a'");
    let inside = &source[start + 1..];
    let skip = if inside.starts_with('\\') { 2 } else { 1 };
    let end = inside.get(skip..).and_then(|rest| rest.find('\'')).ok_or_else(wrong)? + skip;
    match unescape(&inside[..end], start + 1)?.as_slice() {
        [byte] => Ok((Kind::Char(*byte), end + 2)),
        _ => Err(wrong()),
    }
}

/// The bytes that a text with Wireshark's escapes stands for.
fn unescape(text: &str, offset: usize) -> Result<Vec<u8>, FilterError> {
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let wrong = |why: &str| FilterError::new(offset + at..offset + at + 1, why);
        let Some((_, letter)) = chars.next() else { return Err(wrong("a character must follow '\\'")) };
        let (base, most) = match letter {
            'x' => (16, 2),
            'u' => (16, 4),
            'U' => (16, 8),
            '0'..='7' => (8, 3),
            _ => {
                let known = ['\'', '"', '\\', 'a', 'b', 'f', 'n', 'r', 't', 'v'];
                let codes = [39, 34, 92, 7, 8, 12, 10, 13, 9, 11];
                // What is no escape stays as it is, the backslash too.
                match known.iter().position(|k| *k == letter) {
                    Some(place) => out.push(codes[place]),
                    None => out.extend(format!("\\{letter}").as_bytes()),
                }
                continue;
            }
        };
        let mut digits = String::new();
        if base == 8 {
            digits.push(letter);
        }
        while digits.len() < most && chars.peek().is_some_and(|(_, c)| c.is_digit(base)) {
            digits.extend(chars.next().map(|(_, c)| c));
        }
        let number = u32::from_str_radix(&digits, base).map_err(|_| wrong("hex digits must follow"))?;
        if matches!(letter, 'u' | 'U') {
            let c = char::from_u32(number).ok_or_else(|| wrong("there is no such character"))?;
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            out.push(u8::try_from(number).map_err(|_| wrong("a byte ends at \\377"))?);
        }
    }
    Ok(out)
}
