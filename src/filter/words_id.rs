//! Addresses, networks, ports and protocols of pcap-filter(7), with the words before them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::FilterError;
use super::literal;
use super::primitives::{self, Direction, Protocol};
use super::services;
use super::source;
use super::tree::{Key, Operand, Test};
use super::words::Words;
use super::words_lex::Word;
use super::words_parse::{self, Parsed, Parser};
use crate::wire::notation::nearest;

/// What stands before an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Qualifiers {
    pub protocol: Option<Protocol>,
    pub direction: Direction,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

impl Parser<'_> {
    /// `bare`: nothing stands before it. `implied`: its kind is not said.
    pub(super) fn id(&mut self, qualifiers: Qualifiers, bare: bool, implied: bool) -> Parsed<Test> {
        let word = self.take();
        let text = word.text.strip_prefix('\\').unwrap_or(word.text);
        if !word.plain {
            self.at = word.at.start;
            return self.expected("an address, a port or a number");
        }
        let words = match self.qualified_id(qualifiers, &word, text) {
            // An unknown word alone may be a protocol of Wireshark's.
            Err(_) if bare && !source::layers(text).is_empty() => return layer(text, &word),
            Err(error) if implied && matches!(qualifiers.kind, Kind::Host | Kind::Net) => {
                return Err(unknown(text, &word).unwrap_or(error));
            }
            words => words?,
        };
        self.last = Some(qualifiers);
        Ok(Test::Words(words))
    }

    fn qualified_id(&mut self, qualifiers: Qualifiers, word: &Word<'_>, text: &str) -> Parsed<Words> {
        let Qualifiers { protocol, direction, kind } = qualifiers;
        match kind {
            Kind::Host | Kind::Net if protocol == Some(Protocol::Ether) => {
                let address = ether_address(text).filter(|_| kind == Kind::Host);
                let address = address.ok_or_else(|| {
                    FilterError::new(
                        word.at.clone(),
                        "here must stand a MAC address, such as 02:00:00:00:00:01",
                    )
                })?;
                Ok(primitives::ether(address, direction))
            }
            Kind::Host | Kind::Net => self.address(qualifiers, word, text),
            Kind::Port | Kind::PortRange => self.port(qualifiers, word, text),
            Kind::Proto => self.proto(protocol, word, text),
        }
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
pub(super) fn looks_like_ether(text: &str) -> bool {
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
    let known = ["tcp", "udp", "icmp", "ip", "arp", "sctp", "vlan"].into_iter().chain(words_parse::ONLY_HERE);
    let hint = nearest(text, known).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    let why = format!("'{text}' is no word of a filter{hint} (names of hosts are not looked up)");
    Some(FilterError::new(word.at.clone(), why))
}
