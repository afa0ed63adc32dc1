//! The grammar of pcap-filter(7): `and` and `or` bind alike and from the left, and what is left out is as in the primitive
//! before. A comparison in Wireshark's syntax may stand wherever a primitive may.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::FilterError;
use super::index;
use super::literal;
use super::parse::parse_relation;
use super::primitives::{self, Direction, Protocol};
use super::services;
use super::source;
use super::tree::{Key, Operand, Test};
use super::words::Words;
use super::words_lex::{self, Word};
use crate::wire::notation::nearest;

/// Brackets and nots in each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Operators of a filter: its tree is as deep.
const MAX_PRIMITIVES: usize = 1024;

pub(super) type Parsed<T> = Result<T, FilterError>;

/// Words that only tcpdump has: beside one of these its reading holds.
const ONLY_HERE: [&str; 20] = [
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
    let mut quoted = false;
    // What stands in quotes is text.
    let outside: String = source
        .chars()
        .map(|c| {
            quoted ^= c == '"';
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
        let called = next.text == "(" && word.text == "len";
        let vlan = word.text == "vlan" && next.plain && next.text.starts_with(|c: char| c.is_ascii_digit());
        if word.plain && !called && (vlan || ONLY_HERE.contains(&word.text) || index::is_name(word.text)) {
            return true;
        }
        at = word.at.end;
    }
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

/// What stands before an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Qualifiers {
    protocol: Option<Protocol>,
    direction: Direction,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

pub(super) struct Parser<'a> {
    pub source: &'a str,
    pub at: usize,
    pub depth: usize,
    primitives: usize,
    /// VLAN tags that `vlan` has passed.
    pub tags: usize,
    last: Option<Qualifiers>,
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
        self.primitives += 1;
        if self.primitives > MAX_PRIMITIVES {
            return Err(FilterError::new(
                self.peek().at,
                format!("a filter has at most {MAX_PRIMITIVES} tests"),
            ));
        }
        self.primitive()
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
        if index::begins(self.source, &word) {
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
                return self.to_many(text == "broadcast", None, &word.at);
            }
            _ => {}
        }
        // Wireshark's keys and the protocols that only it has.
        let keyed = text.contains('.') && text.starts_with(|c: char| c.is_ascii_alphabetic());
        if keyed && !looks_like_ether(text) || text == "frame" {
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

    fn to_many(&mut self, broadcast: bool, protocol: Option<Protocol>, at: &Range<usize>) -> Parsed<Test> {
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
            return self.to_many(word.text == "broadcast", protocol, &(first.at.start..word.at.end));
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
        self.id(qualifiers, bare)
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

    fn id(&mut self, qualifiers: Qualifiers, bare: bool) -> Parsed<Test> {
        let word = self.take();
        let text = word.text.strip_prefix('\\').unwrap_or(word.text);
        if !word.plain {
            self.at = word.at.start;
            return self.expected("an address, a port or a number");
        }
        let Qualifiers { protocol, direction, kind } = qualifiers;
        let words = match kind {
            Kind::Host | Kind::Net if protocol == Some(Protocol::Ether) => {
                let address = ether_address(text).filter(|_| kind == Kind::Host);
                let address = address.ok_or_else(|| {
                    FilterError::new(
                        word.at.clone(),
                        "here must stand a MAC address, such as 02:00:00:00:00:01",
                    )
                })?;
                primitives::ether(address, direction)
            }
            Kind::Host | Kind::Net => match self.address(qualifiers, &word, text) {
                // An unknown word alone may be a protocol of Wireshark's.
                Err(_) if bare && !source::layers(text).is_empty() => return layer(text, &word),
                Err(error) if bare => return Err(unknown(text, &word).unwrap_or(error)),
                words => words?,
            },
            Kind::Port | Kind::PortRange => self.port(qualifiers, &word, text)?,
            Kind::Proto => self.proto(protocol, &word, text)?,
        };
        self.last = Some(qualifiers);
        Ok(Test::Words(words))
    }

    fn address(&mut self, qualifiers: Qualifiers, word: &Word<'_>, text: &str) -> Parsed<Words> {
        let Qualifiers { protocol, direction, kind } = qualifiers;
        let wrong = |why: String| FilterError::new(word.at.clone(), why);
        let no_address = || {
            wrong(
                "this protocol has no addresses: write `host`, or ip, ip6, arp, rarp, ether before it".into(),
            )
        };
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            let len = self.network_len(128, kind)?;
            let inside = u128::from(address) & !u128::MAX.checked_shl(128 - len).unwrap_or(0);
            if inside != 0 {
                return Err(wrong(format!("{text}/{len}: bits behind the first {len} must be zero")));
            }
            if !matches!(protocol, None | Some(Protocol::Ip6)) {
                return Err(no_address());
            }
            return Ok(primitives::v6(address, len, direction, self.tags));
        }
        let Some((value, bits)) = v4_address(text) else {
            if ether_address(text).is_some() {
                return Err(wrong(
                    "a MAC address stands behind `ether host`, `ether src` or `ether dst`".into(),
                ));
            }
            return Err(wrong(format!("'{text}' is no address (names are not looked up)")));
        };
        let (mut value, mut bits) = (value, bits);
        if kind == Kind::Net && self.accept("mask") {
            let mask = self.take();
            let parsed: Option<Ipv4Addr> = mask.text.parse().ok();
            let parsed = parsed.ok_or_else(|| {
                FilterError::new(mask.at.clone(), "here must stand a mask, such as 255.255.0.0")
            })?;
            let mask = u32::from(parsed);
            let value = value.checked_shl(32 - bits).unwrap_or(0);
            if value & !mask != 0 {
                return Err(wrong("bits outside of the mask must be zero".into()));
            }
            return primitives::v4(protocol, (value, mask), direction, self.tags).ok_or_else(no_address);
        }
        let len = if kind == Kind::Net && self.peek().text == "/" {
            Some(self.network_len(32, kind)?)
        } else {
            None
        };
        let mut mask = u32::MAX;
        match len {
            Some(len) => {
                value = value.checked_shl(32 - if text.contains('.') { bits } else { 8 }).unwrap_or(0);
                mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
                if value & !mask != 0 {
                    return Err(wrong(format!("{text}/{len}: bits behind the first {len} must be zero")));
                }
            }
            // A number alone is a network of as many bytes as it has.
            None if !text.contains('.') && kind == Kind::Net => {
                while value != 0 && value & 0xff00_0000 == 0 {
                    value <<= 8;
                    mask <<= 8;
                }
            }
            None => {
                if !text.contains('.') {
                    bits = 32;
                }
                value = value.checked_shl(32 - bits).unwrap_or(0);
                mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            }
        }
        primitives::v4(protocol, (value, mask), direction, self.tags).ok_or_else(no_address)
    }

    /// The length behind `/`, in bits; all of them where there is none.
    fn network_len(&mut self, most: u32, kind: Kind) -> Parsed<u32> {
        if kind != Kind::Net || !self.accept("/") {
            return Ok(most);
        }
        let word = self.take();
        let len = word.text.parse().ok().filter(|len| *len <= most);
        len.ok_or_else(|| {
            FilterError::new(word.at, format!("here must stand the length of a network, 0 to {most}"))
        })
    }

    fn port(&mut self, qualifiers: Qualifiers, word: &Word<'_>, text: &str) -> Parsed<Words> {
        let Qualifiers { mut protocol, direction, kind } = qualifiers;
        let wrong = |why: String| FilterError::new(word.at.clone(), why);
        let mut one = |text: &str| -> Parsed<u32> {
            if let Some(number) = literal::digits(text) {
                let number = u32::try_from(number).ok().filter(|n| *n <= 0xffff);
                return number.ok_or_else(|| wrong(format!("{text} is no port: these go from 0 to 65535")));
            }
            let (port, tcp, udp) = services::find(text).ok_or_else(|| {
                let hint = nearest(text, services::names())
                    .map(|n| format!("; did you mean {n}?"))
                    .unwrap_or_default();
                wrong(format!("there is no service '{text}'{hint}"))
            })?;
            // A name of one protocol alone is a port of that protocol.
            let only = if tcp && udp { None } else { Some(if tcp { Protocol::Tcp } else { Protocol::Udp }) };
            if let Some(only) = only {
                if protocol.is_some_and(|p| p != only) {
                    return Err(wrong(format!("the service '{text}' is not one of this protocol")));
                }
                protocol = Some(only);
            }
            Ok(u32::from(port))
        };
        let range = match text.split_once('-').filter(|_| kind == Kind::PortRange) {
            Some((low, high)) => {
                let (low, high) = (one(low)?, one(high)?);
                (low.min(high), low.max(high))
            }
            None => {
                let port = one(text)?;
                (port, port)
            }
        };
        primitives::port(protocol, range, direction, self.tags)
            .ok_or_else(|| wrong("this protocol has no ports".into()))
    }

    fn proto(&self, protocol: Option<Protocol>, word: &Word<'_>, text: &str) -> Parsed<Words> {
        let wrong = |why: String| FilterError::new(word.at.clone(), why);
        let number = literal::digits(text);
        if protocol == Some(Protocol::Ether) {
            let named = primitives::ethertype_named(text).map(i128::from);
            let number = number.or(named).and_then(|n| u16::try_from(n).ok());
            let number = number.ok_or_else(|| wrong(format!("'{text}' is no EtherType")))?;
            if number <= 1500 {
                return Err(wrong(
                    "numbers up to 1500 are lengths: rawbench has no filter words for LLC".into(),
                ));
            }
            return Ok(primitives::ethertype(number, self.tags));
        }
        let named = primitives::ip_protocol_named(text).map(i128::from);
        let number = number.or(named).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= 255);
        let number = number.ok_or_else(|| wrong(format!("'{text}' is no IP protocol")))?;
        match protocol {
            None => Ok(primitives::either_ip(number, self.tags)),
            Some(Protocol::Ip) => Ok(primitives::in_ip(number, self.tags)),
            Some(Protocol::Ip6) => Ok(primitives::in_ip6(number, self.tags)),
            Some(_) => Err(wrong("`proto` stands alone or behind ether, ip or ip6".into())),
        }
    }
}

/// An IPv4 address of one to four parts, with the bits that it has.
fn v4_address(text: &str) -> Option<(u32, u32)> {
    if !text.contains('.') {
        return Some((literal::digits(text).and_then(|n| u32::try_from(n).ok())?, 32));
    }
    let parts: Option<Vec<u32>> = text.split('.').map(|p| p.parse::<u8>().ok().map(u32::from)).collect();
    let parts = parts.filter(|p| p.len() <= 4)?;
    Some((parts.iter().fold(0, |sum, p| sum << 8 | p), 8 * parts.len() as u32))
}

/// A MAC address in any of its spellings.
fn ether_address(text: &str) -> Option<[u8; 6]> {
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let hex = |p: &str| p.bytes().all(|b| b.is_ascii_hexdigit());
    let width = match parts.len() {
        6 => 1..=2,
        3 => 4..=4,
        1 => 12..=12,
        _ => return None,
    };
    if !parts.iter().all(|p| width.contains(&p.len()) && hex(p)) {
        return None;
    }
    let each = 12 / parts.len();
    let digits: String = parts.iter().map(|p| format!("{p:0>each$}")).collect();
    let value = u64::from_str_radix(&digits, 16).ok()?;
    value.to_be_bytes()[2..].try_into().ok()
}

/// Whether a word with dots is a MAC address rather than a key.
fn looks_like_ether(text: &str) -> bool {
    ether_address(text).is_some()
}

/// A protocol that only Wireshark has, anywhere in the packet.
fn layer(text: &str, word: &Word<'_>) -> Parsed<Test> {
    let source = source::find(text).map_err(|why| FilterError::new(word.at.clone(), why))?;
    Ok(Test::Exists(Operand::Key(Box::new(Key { source, layers: Vec::new(), whole: false }))))
}

/// A word that begins a primitive and is no address.
fn unknown(text: &str, word: &Word<'_>) -> Option<FilterError> {
    if v4_address(text).is_some() || text.contains([':', '.']) {
        return None;
    }
    let known = ["tcp", "udp", "icmp", "ip", "arp", "sctp", "vlan"].into_iter().chain(ONLY_HERE);
    let hint = nearest(text, known).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    let why = format!("'{text}' is no word of a filter{hint} (names of hosts are not looked up)");
    Some(FilterError::new(word.at.clone(), why))
}
