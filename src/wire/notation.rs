//! The packet notation: its grammar, without any knowledge of protocols.
//!
//! ```text
//! packet  = part *( "/" part )
//! part    = layer | payload | "trailer(" payload [ "," "behind" "=" N ] ")"
//! layer   = NAME [ "(" [ KEY "=" value *( "," KEY "=" value ) ] ")" ]
//! value   = WORD | "[" [ item *( "," item ) ] "]"
//! item    = WORD [ "(" [ arg *( "," arg ) ] ")" ]
//! arg     = WORD | KEY "=" "[" [ item *( "," item ) ] "]"
//! payload = TEXT | "hex(" pairs ")" | "zero(" N ")" | "fill(" N "," bytes ")" | "random(" N ")" | "file(" PATH ")"
//! ```

pub use super::notation_parts::{Arg, Item, NotationError, Part, Payload, Spanned, Value, nearest};
use super::value;

/// Most bytes of one payload part: no packet can carry more.
pub const MAX_PAYLOAD: usize = 0xffff;

/// Lists in each other.
const MAX_NESTING: usize = 16;

/// Reads a notation.
///
/// # Errors
/// The place and what is wrong with the grammar; names and values are judged by whoever builds the packet.
pub fn parse(source: &str) -> Result<Vec<Part>, NotationError> {
    let mut reader = Reader { source, at: 0, made: 0, depth: 0 };
    let mut parts = Vec::new();
    loop {
        reader.space();
        parts.push(reader.part()?);
        reader.space();
        if reader.at == source.len() {
            return Ok(parts);
        }
        if let (Some(Part::Layer { name, args }), Some(c)) = (parts.last(), reader.peek())
            && args.is_empty()
            && (c == '=' || c.is_alphanumeric())
        {
            return reader.error(format!("the fields of a header stand in brackets: {}(…)", name.text));
        }
        reader.expect('/', "'/' between the parts of the packet")?;
    }
}

/// Reads one item of a list.
///
/// # Errors
/// As [`parse`].
pub fn parse_item(source: &str) -> Result<Item, NotationError> {
    let source = format!("[{source}]");
    let mut reader = Reader { source: &source, at: 0, made: 0, depth: 0 };
    let mut items = reader.items()?;
    match items.pop() {
        Some(item) if items.is_empty() && reader.at == source.len() => Ok(item),
        _ => reader.error("here must stand one option"),
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    /// Bytes that `zero(…)` and `random(…)` have made so far: a short text must not fill the memory.
    made: usize,
    /// Lists that are open.
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek_behind_space(&mut self) -> Option<char> {
        self.space();
        self.peek()
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, NotationError> {
        let width = self.peek().map_or(0, char::len_utf8);
        Err(NotationError::new(self.at..self.at + width, message))
    }

    fn expect(&mut self, wanted: char, words: &str) -> Result<(), NotationError> {
        self.space();
        match self.peek() {
            Some(c) if c == wanted => {
                self.at += c.len_utf8();
                Ok(())
            }
            Some(c) => self.error(format!("here must stand {words}, not '{c}'")),
            None => self.error(format!("the notation ends here, but {words} must follow")),
        }
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn name(&mut self, what: &str) -> Result<Spanned, NotationError> {
        self.space();
        let start = self.at;
        let len = self
            .rest()
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')))
            .unwrap_or(self.rest().len());
        if len == 0 {
            return match self.peek() {
                Some(c) => self.error(format!("here must stand {what}, not '{c}'")),
                None => self.error(format!("the notation ends here, but {what} must follow")),
            };
        }
        self.at += len;
        Ok(Spanned { text: self.source[start..self.at].to_owned(), at: start..self.at })
    }

    /// A value up to the next separator, parentheses inside it included.
    fn word(&mut self, what: &str) -> Result<Spanned, NotationError> {
        self.space();
        let start = self.at;
        let mut depth = 0usize;
        let mut end = self.source.len();
        let (mut quoted, mut escaped) = (false, false);
        // A text in quotes may hold separators.
        let may_quote = self.peek() == Some('"');
        for (i, c) in self.rest().char_indices() {
            if quoted || may_quote && c == '"' {
                quoted = escaped || c != '"' || !quoted;
                escaped = quoted && c == '\\' && !escaped;
                continue;
            }
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => depth -= 1,
                ')' | ',' | ']' if depth == 0 => {
                    end = start + i;
                    break;
                }
                _ => {}
            }
        }
        let text = self.source[start..end].trim_end();
        if text.is_empty() {
            return self.error(format!("here must stand {what}"));
        }
        self.at = start + text.len();
        Ok(Spanned { text: text.to_owned(), at: start..self.at })
    }

    fn part(&mut self) -> Result<Part, NotationError> {
        if self.peek() == Some('"') {
            let start = self.at;
            let source = Payload::Bytes(self.text()?);
            return Ok(Part::Payload { source, at: start..self.at });
        }
        let name = self.name("a protocol such as eth, ip, tcp, or a payload such as \"text\" or hex(…)")?;
        self.space();
        let open = self.peek() == Some('(');
        match name.text.as_str() {
            "hex" | "zero" | "fill" | "random" | "file" if open => {
                let source = self.payload(&name)?;
                Ok(Part::Payload { source, at: name.at.start..self.at })
            }
            "trailer" => {
                self.expect('(', "'(' and the bytes of the trailer")?;
                self.space();
                let source = self.trailer_bytes()?;
                let behind = if self.accept(',') { Some(self.behind()?) } else { None };
                self.expect(')', "')' after the trailer")?;
                Ok(Part::Trailer { source, behind })
            }
            _ => {
                let args = if open { self.args()? } else { Vec::new() };
                Ok(Part::Layer { name, args })
            }
        }
    }

    fn behind(&mut self) -> Result<Spanned, NotationError> {
        let key = self.name("behind=, the number of a layer")?;
        if key.text != "behind" {
            let why =
                format!("a trailer has no {}: only behind=, the number of a layer, can follow", key.text);
            return Err(NotationError::new(key.at, why));
        }
        self.expect('=', "'=' and the number of a layer")?;
        self.word("the number of a layer")
    }

    fn trailer_bytes(&mut self) -> Result<Payload, NotationError> {
        if self.peek() == Some('"') {
            return Ok(Payload::Bytes(self.text()?));
        }
        let before = self.at;
        let is_call = ["hex", "zero", "fill", "random", "file"]
            .iter()
            .any(|k| self.rest().strip_prefix(k).is_some_and(|r| r.trim_start().starts_with('(')));
        if is_call {
            let name = self.name("a payload")?;
            return self.payload(&name);
        }
        self.at = before;
        let word = self.word("hex pairs")?;
        Ok(Payload::Bytes(hex(&word)?))
    }

    fn payload(&mut self, name: &Spanned) -> Result<Payload, NotationError> {
        self.expect('(', "'('")?;
        if name.text == "hex" && self.accept(')') {
            return Ok(Payload::Bytes(Vec::new()));
        }
        let word = if name.text == "file" && {
            self.space();
            self.peek() == Some('"')
        } {
            let start = self.at;
            let text = String::from_utf8_lossy(&self.text()?).into_owned();
            Spanned { text, at: start..self.at }
        } else {
            self.word("the bytes of the payload")?
        };
        if name.text == "fill" {
            return self.fill(&word);
        }
        self.expect(')', &format!("')' to close {}(", name.text))?;
        match name.text.as_str() {
            "hex" => Ok(Payload::Bytes(hex(&word)?)),
            "zero" => Ok(Payload::Bytes(vec![0; self.count(&word)?])),
            "random" => Ok(Payload::Random(self.count(&word)?)),
            _ => Ok(Payload::File(word)),
        }
    }

    /// The rest of `fill(N, bytes)`: bytes that are repeated until there are so many.
    fn fill(&mut self, count: &Spanned) -> Result<Payload, NotationError> {
        let count = self.count(count)?;
        self.expect(',', "',' and the bytes that are repeated")?;
        self.space();
        let start = self.at;
        let pattern = match self.peek() {
            Some('"') => self.text()?,
            _ => hex(&self.word("hex pairs or a text in quotes")?)?,
        };
        if pattern.is_empty() {
            return Err(NotationError::new(start..self.at, "at least one byte is needed to fill with"));
        }
        self.expect(')', "')' to close fill(")?;
        Ok(Payload::Bytes(pattern.into_iter().cycle().take(count).collect()))
    }

    fn args(&mut self) -> Result<Vec<Arg>, NotationError> {
        self.expect('(', "'('")?;
        let open = self.at - 1;
        let mut args = Vec::new();
        if self.accept(')') {
            return Ok(args);
        }
        loop {
            let key = self.name("a field name")?;
            self.expect('=', "'=' and a value")?;
            self.space();
            let value = if self.peek() == Some('[') {
                let start = self.at;
                let items = self.items()?;
                Value::List(items, start..self.at)
            } else {
                Value::Word(self.word("a value")?)
            };
            args.push(Arg { key, value });
            if !self.goes_on(open, ')')? {
                return Ok(args);
            }
        }
    }

    /// Whether another entry follows in a bracket that was opened at `open`, or its end does.
    fn goes_on(&mut self, open: usize, close: char) -> Result<bool, NotationError> {
        if self.accept(',') {
            return Ok(true);
        }
        if self.accept(close) {
            return Ok(false);
        }
        match self.peek() {
            None => {
                let bracket = self.source.get(open..open + 1).unwrap_or_default();
                let why =
                    format!("this '{bracket}' is not closed: the notation ends here without its '{close}'");
                Err(NotationError::new(open..open + 1, why))
            }
            Some(c) => self.error(format!("here must stand ',' or '{close}', not '{c}'")),
        }
    }

    fn items(&mut self) -> Result<Vec<Item>, NotationError> {
        self.expect('[', "'['")?;
        let open = self.at - 1;
        let mut items = Vec::new();
        if self.accept(']') {
            return Ok(items);
        }
        loop {
            let name = self.item_name()?;
            let mut item = Item { name, args: Vec::new(), lists: Vec::new() };
            if self.accept('(') && !self.accept(')') {
                let open = self.at - 1;
                loop {
                    match self.list_key() {
                        Some(_) if self.depth == MAX_NESTING => return self.error("lists in too many lists"),
                        Some(key) => {
                            self.depth += 1;
                            item.lists.push((key, self.items()?));
                            self.depth -= 1;
                        }
                        None => item.args.push(self.word("a value")?),
                    }
                    if !self.goes_on(open, ')')? {
                        break;
                    }
                }
            }
            let name = item.name.text.clone();
            items.push(item);
            if matches!(self.peek_behind_space(), Some(c) if c == '=' || c.is_alphanumeric()) {
                return self.error(format!("the values of an option stand in brackets: {name}(…)"));
            }
            if !self.goes_on(open, ']')? {
                return Ok(items);
            }
        }
    }

    /// The name of an option; in a list of values, a value, of which an address has colons.
    fn item_name(&mut self) -> Result<Spanned, NotationError> {
        let mut name = self.name("an option such as mss(1460) or nop")?;
        let more = self.rest().find(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '.')));
        let more = more.unwrap_or(self.rest().len());
        if self.rest().starts_with(':') {
            self.at += more;
            name.at.end = self.at;
            name.text = self.source[name.at.clone()].to_owned();
        }
        Ok(name)
    }

    fn count(&mut self, word: &Spanned) -> Result<usize, NotationError> {
        let number = count(word)?;
        self.made += number;
        if self.made > 2 * MAX_PAYLOAD {
            let why =
                format!("zero(…) and random(…) make {} bytes here, more than any packet has", self.made);
            return Err(NotationError::new(word.at.clone(), why));
        }
        Ok(number)
    }

    /// The key of a list in an item, with the '=' behind it.
    fn list_key(&mut self) -> Option<Spanned> {
        self.space();
        let (start, rest) = (self.at, self.rest());
        // No further than the name: a list of many values must not be searched to its end for each.
        let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let key = rest.get(..len).unwrap_or_default();
        let is_name = !key.is_empty();
        let behind = self.rest().get(key.len()..).unwrap_or_default().trim_start();
        let opens = behind.strip_prefix('=').is_some_and(|b| b.trim_start().starts_with('['));
        if !is_name || !opens {
            return None;
        }
        let key = Spanned { text: key.to_owned(), at: start..start + key.len() };
        self.at = key.at.end;
        self.accept('=');
        self.space();
        Some(key)
    }

    fn text(&mut self) -> Result<Vec<u8>, NotationError> {
        let start = self.at;
        self.at += 1;
        let mut out = Vec::new();
        while let Some(c) = self.peek() {
            let at = self.at;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape(at)?),
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(NotationError::new(start..self.source.len(), "the text has no closing '\"'"))
    }

    fn escape(&mut self, at: usize) -> Result<u8, NotationError> {
        let c = self.peek();
        self.at += c.map_or(0, char::len_utf8);
        match c {
            Some('r') => Ok(b'\r'),
            Some('n') => Ok(b'\n'),
            Some('t') => Ok(b'\t'),
            Some('\\') => Ok(b'\\'),
            Some('"') => Ok(b'"'),
            Some('x') => {
                let digits = self.rest().get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
                let Some(byte) = byte else {
                    return Err(NotationError::new(at..self.at, "\\x needs two hex digits, such as \\x00"));
                };
                self.at += 2;
                Ok(byte)
            }
            _ => Err(NotationError::new(at..self.at, "the escapes are \\r \\n \\t \\\\ \\\" and \\xNN")),
        }
    }
}

fn hex(word: &Spanned) -> Result<Vec<u8>, NotationError> {
    value::parse_hex(&word.text).map_err(|e| NotationError::new(word.at.clone(), e.0))
}

fn count(word: &Spanned) -> Result<usize, NotationError> {
    let number =
        value::number(&word.text).and_then(|n| usize::try_from(n).ok()).filter(|&n| n <= MAX_PAYLOAD);
    number.ok_or_else(|| {
        NotationError::new(
            word.at.clone(),
            format!("'{}' must be a number of bytes, 0 to {MAX_PAYLOAD}", word.text),
        )
    })
}

/// Bytes as a payload part: text when they are mostly printable, else `hex(…)`.
#[must_use]
pub fn payload_text(bytes: &[u8]) -> String {
    let plain = |b: &u8| (0x20..0x7f).contains(b) || matches!(b, b'\r' | b'\n' | b'\t');
    if bytes.is_empty() || bytes.iter().filter(|b| plain(b)).count() * 10 < bytes.len() * 9 {
        if (9..=MAX_PAYLOAD).contains(&bytes.len()) && bytes.iter().all(|&b| b == 0) {
            return format!("zero({})", bytes.len());
        }
        return format!("hex({})", value::hex_pairs(bytes).to_lowercase());
    }
    format!("\"{}\"", escape(bytes).replace('"', "\\\""))
}

/// Bytes as text with the notation's escapes; quotes stand as they are.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text += "\\r",
            b'\n' => text += "\\n",
            b'\t' => text += "\\t",
            b'\\' => text += "\\\\",
            0x20..0x7f => text.push(byte as char),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text
}

/// The bytes of a text with the notation's escapes; quotes may stand as they are.
///
/// # Errors
/// The place of an escape that is none.
pub fn unescape(text: &str) -> Result<Vec<u8>, NotationError> {
    let mut reader = Reader { source: text, at: 0, made: 0, depth: 0 };
    let mut out = Vec::new();
    while let Some(c) = reader.peek() {
        let at = reader.at;
        reader.at += c.len_utf8();
        match c {
            '\\' => out.push(reader.escape(at)?),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(out)
}
