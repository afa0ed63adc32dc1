//! Arithmetic of pcap-filter(7): `tcp[tcpflags] & tcp-syn != 0`, `len > 100`.

use super::FilterError;
use super::literal;
use super::primitives::Protocol;
use super::tree::Relation;
use super::words::{Number, Sum, Words};
use super::words_lex::{self, Word};
use super::words_parse::{Parsed, Parser};
use crate::wire::notation::nearest;

/// Offsets and values with names.
const NAMES: [(&str, u32); 57] = [
    ("icmptype", 0),
    ("icmpcode", 1),
    ("icmp6type", 0),
    ("icmp6code", 1),
    ("tcpflags", 13),
    ("tcp-fin", 1),
    ("tcp-syn", 2),
    ("tcp-rst", 4),
    ("tcp-push", 8),
    ("tcp-ack", 16),
    ("tcp-urg", 32),
    ("tcp-ece", 64),
    ("tcp-cwr", 128),
    ("icmp-echoreply", 0),
    ("icmp-unreach", 3),
    ("icmp-sourcequench", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("icmp-ireq", 15),
    ("icmp-ireqreply", 16),
    ("icmp-maskreq", 17),
    ("icmp-maskreply", 18),
    ("icmp6-destinationunreach", 1),
    ("icmp6-packettoobig", 2),
    ("icmp6-timeexceeded", 3),
    ("icmp6-parameterproblem", 4),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
    ("icmp6-multicastlistenerquery", 130),
    ("icmp6-multicastlistenerreportv1", 131),
    ("icmp6-multicastlistenerdone", 132),
    ("icmp6-routersolicit", 133),
    ("icmp6-routeradvert", 134),
    ("icmp6-neighborsolicit", 135),
    ("icmp6-neighboradvert", 136),
    ("icmp6-redirect", 137),
    ("icmp6-routerrenum", 138),
    ("icmp6-nodeinformationquery", 139),
    ("icmp6-nodeinformationresponse", 140),
    ("icmp6-ineighbordiscoverysolicit", 141),
    ("icmp6-ineighbordiscoveryadvert", 142),
    ("icmp6-multicastlistenerreportv2", 143),
    ("icmp6-homeagentdiscoveryrequest", 144),
    ("icmp6-homeagentdiscoveryreply", 145),
    ("icmp6-mobileprefixsolicit", 146),
    ("icmp6-mobileprefixadvert", 147),
    ("icmp6-certpathsolicit", 148),
    ("icmp6-certpathadvert", 149),
    ("icmp6-multicastrouteradvert", 151),
    ("icmp6-multicastroutersolicit", 152),
    ("icmp6-multicastrouterterm", 153),
];

fn named(name: &str) -> Option<u32> {
    NAMES.iter().find(|n| n.0 == name).map(|n| n.1)
}

/// The names of offsets and values.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|n| n.0)
}

/// Whether this is the name of an offset or value.
pub(super) fn is_name(text: &str) -> bool {
    named(text).is_some()
}

/// Whether this joins numbers or compares them.
pub(super) fn is_operator(text: &str) -> bool {
    relation(text).is_some() || LEVELS.iter().flat_map(|l| l.iter()).any(|(sign, _)| *sign == text)
}

fn relation(text: &str) -> Option<Relation> {
    Some(match text {
        "=" | "==" => Relation::Equal,
        "!=" => Relation::Unequal,
        ">" => Relation::Above,
        ">=" => Relation::AtLeast,
        "<" => Relation::Below,
        "<=" => Relation::AtMost,
        _ => return None,
    })
}

/// Operators, the weakest first.
const LEVELS: [&[(&str, Sum)]; 5] = [
    &[("|", Sum::Or), ("^", Sum::Xor)],
    &[("&", Sum::And)],
    &[("<<", Sum::Left), (">>", Sum::Right)],
    &[("+", Sum::Add), ("-", Sum::Subtract)],
    &[("*", Sum::Multiply), ("/", Sum::Divide), ("%", Sum::Remainder)],
];

/// Whether arithmetic begins with this word.
pub(super) fn begins(source: &str, word: &Word<'_>) -> bool {
    let next = words_lex::word(source, word.at.end, false).text;
    match word.text {
        "(" | "-" => true,
        "len" => true,
        text if named(text).is_some() => true,
        text if literal::digits(text).is_some() => is_operator(next) && next != "/" && next != "-",
        text => next == "[" && Protocol::named(text).is_some(),
    }
}

/// `less` and `greater`.
pub(super) fn length(less: bool, number: u32) -> Words {
    let relation = if less { Relation::AtMost } else { Relation::AtLeast };
    Words::Compare(Number::Length, relation, Number::Constant(number))
}

/// A number, and what must hold for it to be there.
type Guarded = (Option<Words>, Number);

fn both(a: Option<Words>, b: Option<Words>) -> Option<Words> {
    match (a, b) {
        // The same header, asked for twice.
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) => Some(a.and(b)),
        (a, b) => a.or(b),
    }
}

impl Parser<'_> {
    /// A comparison of two numbers.
    pub(super) fn relation(&mut self) -> Parsed<Words> {
        let (guard, left) = self.number(0, false)?;
        let sign = self.peek();
        let Some(relation) = relation(sign.text) else { return self.expected("a comparison such as != 0") };
        self.at = sign.at.end;
        let (other, right) = self.number(0, false)?;
        let test = Words::Compare(left, relation, right);
        Ok(match both(guard, other) {
            Some(guard) => guard.and(test),
            None => test,
        })
    }

    /// Arithmetic of this level and those that bind stronger. `inside`: of square brackets.
    fn number(&mut self, level: usize, inside: bool) -> Parsed<Guarded> {
        let Some(operators) = LEVELS.get(level) else { return self.deeper(|p| p.atom(inside)) };
        let (mut guard, mut left) = self.number(level + 1, inside)?;
        loop {
            let word = words_lex::word(self.source, self.at, inside);
            let Some((_, sum)) = operators.iter().find(|o| o.0 == word.text) else {
                return Ok((guard, left));
            };
            self.at = word.at.end;
            self.count_test()?;
            let (other, right) = self.number(level + 1, inside)?;
            let zero = matches!(right, Number::Constant(0)) && matches!(sum, Sum::Divide | Sum::Remainder);
            let far = matches!(right, Number::Constant(32..)) && matches!(sum, Sum::Left | Sum::Right);
            if zero || far {
                let why = if zero { "nothing is divided by zero" } else { "numbers have 32 bits" };
                return Err(FilterError::new(word.at.start..self.at, why));
            }
            guard = both(guard, other);
            left = Number::binary(*sum, left, right);
        }
    }

    fn atom(&mut self, inside: bool) -> Parsed<Guarded> {
        let word = words_lex::word(self.source, self.at, inside);
        self.at = word.at.end;
        match word.text {
            "-" => {
                let (guard, number) = self.deeper(|p| p.atom(inside))?;
                return Ok((guard, Number::binary(Sum::Subtract, Number::Constant(0), number)));
            }
            "(" => {
                let result = self.number(0, inside)?;
                return if self.accept(")") { Ok(result) } else { self.expected("')'") };
            }
            "len" => return Ok((None, Number::Length)),
            _ => {}
        }
        if let Some(number) = named(word.text) {
            return Ok((None, Number::Constant(number)));
        }
        if let Some(number) = literal::digits(word.text) {
            let number = u32::try_from(number);
            let number = number.map_err(|_| FilterError::new(word.at, "numbers have 32 bits"))?;
            return Ok((None, Number::Constant(number)));
        }
        if let Some(protocol) = Protocol::named(word.text)
            && self.accept("[")
        {
            return self.indexed(protocol);
        }
        let known = NAMES.iter().map(|n| n.0);
        let hint = nearest(word.text, known).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        self.at = word.at.start;
        self.expected(&format!("a number, `len`, or bytes such as tcp[13]{hint}"))
    }

    /// What stands behind `protocol[`.
    fn indexed(&mut self, protocol: Protocol) -> Parsed<Guarded> {
        let (guard, at) = self.number(0, true)?;
        let mut size = 1;
        if words_lex::word(self.source, self.at, true).text == ":" {
            self.at = words_lex::word(self.source, self.at, true).at.end;
            let word = words_lex::word(self.source, self.at, true);
            self.at = word.at.end;
            size = match word.text {
                "1" => 1,
                "2" => 2,
                "4" => 4,
                _ => return Err(FilterError::new(word.at, "1, 2 or 4 bytes can be taken")),
            };
        }
        if !self.accept("]") {
            return self.expected("']'");
        }
        let (own, base, beyond) = protocol.indexed(self.tags);
        let at = Number::binary(Sum::Add, at, Number::Constant(beyond));
        let at = if beyond == 0 { unsummed(at) } else { at };
        Ok((both(guard, own), Number::Load { base, at: Box::new(at), size }))
    }
}

/// The number without a zero that was added.
fn unsummed(number: Number) -> Number {
    match number {
        Number::Binary(Sum::Add, number, zero) if *zero == Number::Constant(0) => *number,
        number => number,
    }
}
