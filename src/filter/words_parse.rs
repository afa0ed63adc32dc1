//! The grammar of pcap-filter(7): `and` and `or` bind alike and from the left, and what is left out is as in the primitive
//! before. A comparison in Wireshark's syntax may stand wherever a primitive may.

use std::ops::Range;

use super::FilterError;
use super::index;
use super::literal;
use super::parse::parse_relation;
use super::primitives::{self, Direction, Protocol};
use super::source;
use super::tree::{Function, Test};
use super::words_id::{Kind, Qualifiers, looks_like_ether};
use super::words_lex::{self, Word};

/// Brackets and nots in each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Operators of a filter: its tree is as deep.
const MAX_PRIMITIVES: usize = 1024;

pub(super) type Parsed<T> = Result<T, FilterError>;

/// Words that only tcpdump has: beside one of these its reading holds.
pub(super) const ONLY_HERE: [&str; 20] = [
    "host",
    "net",
    "port",
    "portrange",
    "src",
    "dst",
    "ether",
    "less",
    "greater",
    "broadcast",
    "multicast",
    "gateway",
    "proto",
    "protochain",
    "ip6",
    "icmp6",
    "rarp",
    "len",
    "inbound",
    "outbound",
];

/// Operators that only tcpdump has.
const SIGNS_ONLY_HERE: [&str; 3] = ["<<", ">>", "|"];

/// Words of pcap-filter(7) that rawbench does not have.
const NOT_HERE: [&str; 15] = [
    "gateway",
    "protochain",
    "inbound",
    "outbound",
    "mpls",
    "pppoed",
    "pppoes",
    "geneve",
    "wlan",
    "type",
    "subtype",
    "ifname",
    "on",
    "action",
    "dir",
];

/// Whether a text has a word that only tcpdump has.
pub(super) fn is_meant(source: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    // What stands in quotes is text.
    let outside: String = source
        .chars()
        .map(|c| {
            quoted ^= c == '"' && !escaped;
            escaped = quoted && c == '\\' && !escaped;
            if quoted { '"' } else { c }
        })
        .collect();
    let mut at = 0;
    loop {
        let word = words_lex::word(&outside, at, false);
        if word.text.is_empty() {
            return false;
        }
        let next = words_lex::word(&outside, word.at.end, false);
        let called = is_call(word.text, next.text);
        let vlan = word.text == "vlan" && next.plain && next.text.starts_with(|c: char| c.is_ascii_digit());
        if word.plain && !called && (vlan || ONLY_HERE.contains(&word.text) || index::is_name(word.text))
            || SIGNS_ONLY_HERE.contains(&word.text)
        {
            return true;
        }
        at = word.at.end;
    }
}

/// Whether Wireshark's function of this name is called.
fn is_call(text: &str, next: &str) -> bool {
    next == "(" && Function::ALL.iter().any(|f| f.0 == text)
}

/// Reads a whole filter.
///
/// # Errors
/// The place and what is wrong there.
pub(super) fn parse(source: &str) -> Parsed<Test> {
    let mut parser = Parser { source, at: 0, depth: 0, primitives: 0, tags: 0, last: None };
    let test = parser.expression()?;
    let word = parser.peek();
    if word.text.is_empty() {
        return Ok(test);
    }
    let why = format!("'{}' cannot stand here: `and` or `or` is missing before it, or a bracket", word.text);
    Err(FilterError::new(word.at, why))
}

pub(super) struct Parser<'a> {
    pub source: &'a str,
    pub at: usize,
    pub depth: usize,
    primitives: usize,
    /// VLAN tags that `vlan` has passed.
    pub tags: usize,
    pub last: Option<Qualifiers>,
}

impl<'a> Parser<'a> {
    pub fn peek(&self) -> Word<'a> {
        words_lex::word(self.source, self.at, false)
    }

    pub fn take(&mut self) -> Word<'a> {
        let word = self.peek();
        self.at = word.at.end;
        word
    }

    pub fn accept(&mut self, text: &str) -> bool {
        let word = self.peek();
        let found = word.text == text;
        if found {
            self.at = word.at.end;
        }
        found
    }

    pub fn expected<T>(&self, what: &str) -> Parsed<T> {
        let word = self.peek();
        let why = if word.text.is_empty() {
            format!("the filter ends here, but {what} must follow")
        } else {
            format!("here must stand {what}, not '{}'", word.text)
        };
        Err(FilterError::new(word.at, why))
    }

    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FilterError::new(
                self.peek().at,
                format!("more than {MAX_DEPTH} brackets in each other"),
            ));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Parsed<Test> {
        let mut test = self.term()?;
        loop {
            let word = self.peek();
            let and = match word.text {
                "and" | "&&" => true,
                "or" | "||" => false,
                _ => return Ok(test),
            };
            self.at = word.at.end;
            let next = self.term()?;
            test = match (test, next) {
                (Test::Words(a), Test::Words(b)) => Test::Words(if and { a.and(b) } else { a.or(b) }),
                (a, b) if and => Test::And(Box::new(a), Box::new(b)),
                (a, b) => Test::Or(Box::new(a), Box::new(b)),
            };
        }
    }

    fn term(&mut self) -> Parsed<Test> {
        if self.accept("not") || self.accept("!") {
            return Ok(match self.deeper(Self::term)? {
                Test::Words(words) => Test::Words(words.negated()),
                test => Test::Not(Box::new(test)),
            });
        }
        if self.peek().text == "(" && !self.begins_arithmetic() {
            self.take();
            let test = self.deeper(Self::expression)?;
            return if self.accept(")") { Ok(test) } else { self.expected("')'") };
        }
        self.count_test()?;
        self.primitive()
    }

    /// One more test or sum: as many as there are, as deep may the tree be.
    pub fn count_test(&mut self) -> Parsed<()> {
        self.primitives += 1;
        if self.primitives > MAX_PRIMITIVES {
            return Err(FilterError::new(
                self.peek().at,
                format!("a filter has at most {MAX_PRIMITIVES} tests and sums"),
            ));
        }
        Ok(())
    }

    /// Whether behind the bracket that closes the one here an operator of arithmetic stands.
    fn begins_arithmetic(&self) -> bool {
        let mut depth = 0usize;
        let mut at = self.at;
        loop {
            let word = words_lex::word(self.source, at, false);
            at = word.at.end;
            match word.text {
                "" => return false,
                "(" => depth += 1,
                ")" if depth == 1 => break,
                ")" => depth -= 1,
                _ => {}
            }
        }
        index::is_operator(words_lex::word(self.source, at, false).text)
    }

    fn primitive(&mut self) -> Parsed<Test> {
        let word = self.peek();
        let call = is_call(word.text, words_lex::word(self.source, word.at.end, false).text);
        if !call && index::begins(self.source, &word) {
            return self.relation().map(Test::Words);
        }
        if word.text.is_empty() || !word.plain {
            return self.expected("a test such as `host 10.77.0.2`, `tcp`, `tcp.port == 80`");
        }
        let text = word.text;
        match text {
            "vlan" => return self.vlan(),
            "less" | "greater" => return self.length(text == "less"),
            "broadcast" | "multicast" => {
                self.take();
                return self.group_address(text == "broadcast", None, &word.at);
            }
            _ => {}
        }
        if self.is_of_wiresharks(&word) {
            let (test, len) = parse_relation(&self.source[word.at.start..]).map_err(|mut error| {
                error.at = error.at.start + word.at.start..error.at.end + word.at.start;
                error
            })?;
            self.at = word.at.start + len;
            return Ok(test);
        }
        if NOT_HERE.contains(&text) {
            return Err(FilterError::new(word.at, format!("rawbench does not have pcap-filter's '{text}'")));
        }
        self.qualified()
    }

    /// Whether a comparison in Wireshark's syntax begins here: by its keys, its functions, or what it asks of a protocol.
    fn is_of_wiresharks(&self, word: &Word<'_>) -> bool {
        let text = word.text;
        let keyed = text.contains('.') && text.starts_with(|c: char| c.is_ascii_alphabetic());
        let next = words_lex::word(self.source, word.at.end, false).text;
        let asked = matches!(next, "contains" | "matches") && !source::layers(text).is_empty();
        keyed && !looks_like_ether(text) || text == "frame" || asked || is_call(text, next)
    }

    fn vlan(&mut self) -> Parsed<Test> {
        self.take();
        let word = self.peek();
        let number = match literal::digits(word.text) {
            Some(number) if word.plain => {
                self.take();
                let number = u32::try_from(number).ok().filter(|n| *n <= 0xfff);
                Some(number.ok_or_else(|| FilterError::new(word.at, "a VLAN has a number from 0 to 4095"))?)
            }
            _ => None,
        };
        let test = primitives::vlan(number, self.tags);
        self.tags += 1;
        Ok(Test::Words(test))
    }

    fn length(&mut self, less: bool) -> Parsed<Test> {
        self.take();
        let word = self.take();
        let number = literal::digits(word.text).and_then(|n| u32::try_from(n).ok());
        let number = number.ok_or_else(|| FilterError::new(word.at, "here must stand a length in bytes"))?;
        Ok(Test::Words(index::length(less, number)))
    }

    fn group_address(&self, broadcast: bool, protocol: Option<Protocol>, at: &Range<usize>) -> Parsed<Test> {
        let test = primitives::to_many(broadcast, protocol, self.tags);
        test.map(Test::Words).ok_or_else(|| {
            let why = match (broadcast, protocol) {
                (true, Some(Protocol::Ip)) => {
                    "the network's mask is not known here: write `dst host` and the address"
                }
                _ => "this protocol has no such address",
            };
            FilterError::new(at.clone(), why)
        })
    }

    /// Qualifiers and an id, a protocol alone, or an id for which the qualifiers before hold.
    fn qualified(&mut self) -> Parsed<Test> {
        let first = self.peek();
        let protocol = Protocol::named(first.text);
        if protocol.is_some() {
            self.take();
        }
        let word = self.peek();
        if matches!(word.text, "broadcast" | "multicast") {
            self.take();
            return self.group_address(word.text == "broadcast", protocol, &(first.at.start..word.at.end));
        }
        let direction = self.direction();
        let kind = match self.peek().text {
            "host" => Some(Kind::Host),
            "net" => Some(Kind::Net),
            "port" => Some(Kind::Port),
            "portrange" => Some(Kind::PortRange),
            "proto" => Some(Kind::Proto),
            _ => None,
        };
        if kind.is_some() {
            self.take();
        }
        if let (Some(protocol), None, None) = (protocol, direction, kind) {
            // Alone, unless an address follows.
            let next = self.peek();
            let joins = matches!(next.text, "and" | "or" | "not" | "" | ")" | "&&" | "||" | "!");
            if joins || !next.plain {
                let present = protocol.present(self.tags).map(Test::Words);
                return present
                    .map_or_else(|| self.expected("host, src, dst, proto, broadcast or multicast"), Ok);
            }
        }
        let qualifiers = match (protocol, direction, kind, self.last) {
            (None, None, None, Some(last)) => last,
            _ => Qualifiers {
                protocol,
                direction: direction.unwrap_or(Direction::Either),
                kind: kind.unwrap_or(Kind::Host),
            },
        };
        let bare = protocol.is_none() && direction.is_none() && kind.is_none();
        self.id(qualifiers, bare, kind.is_none())
    }

    /// `src`, `dst`, `src or dst`, `src and dst`.
    fn direction(&mut self) -> Option<Direction> {
        let word = self.peek();
        let one = match word.text {
            "src" => Direction::Source,
            "dst" => Direction::Destination,
            _ => return None,
        };
        self.take();
        let joint = self.peek();
        let other = words_lex::word(self.source, joint.at.end, false);
        if matches!(other.text, "src" | "dst") && other.text != word.text {
            let both = match joint.text {
                "or" | "||" => Some(Direction::Either),
                "and" | "&&" => Some(Direction::Both),
                _ => None,
            };
            // `src host a and dst host b` has the type between: there the second begins a primitive of its own.
            if let Some(both) = both {
                self.at = other.at.end;
                return Some(both);
            }
        }
        Some(one)
    }
}
