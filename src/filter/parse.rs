//! Wireshark's syntax (wireshark-filter(4) of 4.0, with `xor` of 4.2), read to the tree. Types are settled here.

use super::FilterError;
use super::lex::{self, Kind, Token};
use super::literal;
use super::slice::{layer_numbers, parts};
use super::source::{self, Type};
use super::tree::{Arithmetic, Function, Key, Literal, Operand, Test};
use super::typing::{
    Side, Typed, binary, compared, contains, filled, relation, typed, unquoted, wholly, widened,
};
use crate::wire::notation::nearest;

/// Brackets, nots and signs in each other.
const MAX_DEPTH: usize = 64;
/// Operators in one filter: the tree is as deep.
const MAX_TOKENS: usize = 4096;
/// Most operators of arithmetic.
const MAX_SUMS: usize = 256;

pub(super) type Parsed<T> = Result<T, FilterError>;

/// Reads a whole filter.
///
/// # Errors
/// The place and what is wrong there.
pub(super) fn parse(source: &str) -> Parsed<Test> {
    let mut parser = Parser::new(lex::split(source)?, None, source.len())?;
    let test = parser.or()?;
    match parser.peek() {
        None => Ok(test),
        Some(token) => {
            let why = format!(
                "'{}' cannot stand here: an operator such as && is missing before it, or a bracket",
                token.text
            );
            Err(FilterError::new(token.at.clone(), why))
        }
    }
}

/// Reads one comparison, or a key that must be there, that begins a text; gives it with its length in bytes. What is behind
/// it is not looked at.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_relation(source: &str) -> Parsed<(Test, usize)> {
    let (tokens, broken) = lex::split_relation(source);
    let end = tokens.last().map_or(0, |t| t.at.end);
    let mut parser = Parser::new(tokens, broken, end)?;
    let test = parser.relation()?;
    Ok((test, parser.end_of_last()))
}

struct Parser {
    tokens: Vec<Token>,
    /// Why there are no more.
    broken: Option<FilterError>,
    next: usize,
    depth: usize,
    sums: usize,
    end: usize,
}

impl Parser {
    fn new(tokens: Vec<Token>, broken: Option<FilterError>, end: usize) -> Parsed<Self> {
        if let Some(beyond) = tokens.get(MAX_TOKENS) {
            return Err(FilterError::new(
                beyond.at.clone(),
                format!("a filter has at most {MAX_TOKENS} words"),
            ));
        }
        Ok(Self { tokens, broken, next: 0, depth: 0, sums: 0, end })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn end_of_last(&self) -> usize {
        self.next.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.at.end)
    }

    fn take(&mut self, what: &str) -> Parsed<Token> {
        let ends =
            || FilterError::new(self.end..self.end, format!("the filter ends here, but {what} must follow"));
        let token = self.peek().cloned().ok_or_else(|| self.broken.clone().unwrap_or_else(ends))?;
        self.next += 1;
        Ok(token)
    }

    fn accept(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|t| words.iter().any(|w| t.is(w)));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        let token = self.take(&format!("'{sign}'"))?;
        if token.is(sign) {
            return Ok(());
        }
        Err(FilterError::new(token.at, format!("here must stand '{sign}', not '{}'", token.text)))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let at = self.peek().map_or(self.end..self.end, |t| t.at.clone());
            return Err(FilterError::new(
                at,
                format!("more than {MAX_DEPTH} brackets or signs in each other"),
            ));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Parsed<Test> {
        let mut test = self.xor()?;
        while self.accept(&["or", "||"]) {
            test = Test::Or(Box::new(test), Box::new(self.xor()?));
        }
        Ok(test)
    }

    fn xor(&mut self) -> Parsed<Test> {
        let mut test = self.and()?;
        while self.accept(&["xor", "^^"]) {
            test = Test::Xor(Box::new(test), Box::new(self.and()?));
        }
        Ok(test)
    }

    fn and(&mut self) -> Parsed<Test> {
        let mut test = self.not()?;
        while self.accept(&["and", "&&"]) {
            test = Test::And(Box::new(test), Box::new(self.not()?));
        }
        Ok(test)
    }

    fn not(&mut self) -> Parsed<Test> {
        if self.accept(&["not", "!"]) {
            return Ok(Test::Not(Box::new(self.deeper(Self::not)?)));
        }
        if self.accept(&["("]) {
            let test = self.deeper(Self::or)?;
            self.expect(")")?;
            return Ok(test);
        }
        self.relation()
    }

    /// Comparisons may follow each other: `1 < a < 5` holds when both do.
    fn relation(&mut self) -> Parsed<Test> {
        let quantifier = match self.peek() {
            Some(t) if t.is("any") => Some(false),
            Some(t) if t.is("all") => Some(true),
            _ => None,
        };
        self.next += usize::from(quantifier.is_some());
        let left = self.sum()?;
        let Some(operator) = self.peek().cloned() else { return self.alone(left, quantifier) };
        if let Some((relation, every)) =
            relation(&operator.text).filter(|_| !matches!(operator.kind, Kind::Text(_)))
        {
            self.next += 1;
            let right = self.sum()?;
            return compared(left, (relation, quantifier.unwrap_or(every)), right);
        }
        match operator.text.as_str() {
            "=" | "~=" => {
                let instead = if operator.text == "=" { "==" } else { "!==" };
                Err(FilterError::new(
                    operator.at,
                    format!("there is no operator '{}': write {instead}", operator.text),
                ))
            }
            "contains" => {
                self.next += 1;
                let right = self.sum()?;
                contains(left, right, quantifier.unwrap_or(false))
            }
            "matches" | "~" => {
                self.next += 1;
                self.matches(left, quantifier.unwrap_or(false))
            }
            "in" => {
                self.next += 1;
                self.set(left, quantifier.unwrap_or(false))
            }
            "not" if self.tokens.get(self.next + 1).is_some_and(|t| t.is("in")) => {
                self.next += 2;
                Ok(Test::Not(Box::new(self.set(left, quantifier.unwrap_or(false))?)))
            }
            _ => self.alone(left, quantifier),
        }
    }

    /// Something that is not compared.
    fn alone(&self, side: Side, quantifier: Option<bool>) -> Parsed<Test> {
        if quantifier.is_some() {
            let at = self.peek().map_or(self.end..self.end, |t| t.at.clone());
            return Err(FilterError::new(at, "after any or all a comparison must follow"));
        }
        let typed = typed(side)?;
        if typed.function {
            return Err(FilterError::new(typed.at, "a function must be compared with something"));
        }
        Ok(if typed.computed { Test::Nonzero(typed.operand) } else { Test::Exists(typed.operand) })
    }

    /// `a & b`: the weakest of the arithmetic operators.
    /// One more operator: as many as there are, as deep may the tree be.
    fn count_sum(&mut self) -> Parsed<()> {
        self.sums += 1;
        if self.sums > MAX_SUMS {
            let at = self.tokens.get(self.next).map_or(self.end..self.end, |t| t.at.clone());
            return Err(FilterError::new(
                at,
                format!("a filter has at most {MAX_SUMS} operators of arithmetic"),
            ));
        }
        Ok(())
    }

    fn sum(&mut self) -> Parsed<Side> {
        let mut left = self.addition()?;
        while self.accept(&["&"]) {
            self.count_sum()?;
            left = binary(Arithmetic::And, left, self.addition()?)?;
        }
        Ok(left)
    }

    fn addition(&mut self) -> Parsed<Side> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Some(t) if t.is("+") => Arithmetic::Add,
                Some(t) if t.is("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.next += 1;
            self.count_sum()?;
            left = binary(operator, left, self.product()?)?;
        }
    }

    fn product(&mut self) -> Parsed<Side> {
        let mut left = self.sign()?;
        loop {
            let operator = match self.peek() {
                Some(t) if t.is("*") => Arithmetic::Multiply,
                Some(t) if t.is("/") => Arithmetic::Divide,
                Some(t) if t.is("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.next += 1;
            left = binary(operator, left, self.sign()?)?;
        }
    }

    fn sign(&mut self) -> Parsed<Side> {
        if self.accept(&["-"]) {
            return match self.deeper(Self::sign)? {
                Side::Open { minus, token } => Ok(Side::Open { minus: !minus, token }),
                Side::Typed(side) if matches!(side.is, Type::Number(_) | Type::Time) => {
                    let operand = Operand::Negative(Box::new(side.operand));
                    Ok(Side::Typed(Typed { operand, is: widened(side.is), computed: true, ..side }))
                }
                Side::Typed(side) => Err(FilterError::new(
                    side.at,
                    format!("this is {}: only numbers have a sign", side.is.name()),
                )),
            };
        }
        if self.accept(&["+"]) {
            return self.deeper(Self::sign);
        }
        if self.accept(&["{"]) {
            let side = self.deeper(Self::sum)?;
            self.expect("}")?;
            return Ok(side);
        }
        self.operand()
    }

    fn operand(&mut self) -> Parsed<Side> {
        let token = self.take("a key such as tcp.port, or a value")?;
        if let Kind::Word = token.kind {
            if self.peek().is_some_and(|t| t.is("("))
                && let Some((_, function)) = Function::ALL.iter().find(|f| f.0 == token.text)
            {
                return self.deeper(|parser| parser.call(*function, &token));
            }
            if self.peek().is_some_and(|t| t.is("(")) {
                let known = Function::ALL.iter().map(|f| f.0);
                let hint =
                    nearest(&token.text, known).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
                return Err(FilterError::new(
                    token.at,
                    format!("there is no function '{}'{hint}", token.text),
                ));
            }
            return match source::known(&token.text) {
                Some(source) => self.key(source, &token),
                None => Ok(Side::Open { minus: false, token }),
            };
        }
        match token.kind {
            Kind::Text(_) | Kind::Raw(_) | Kind::Char(_) => Ok(Side::Open { minus: false, token }),
            _ => {
                let why = format!("here must stand a key such as tcp.port, or a value, not '{}'", token.text);
                Err(FilterError::new(token.at, why))
            }
        }
    }

    /// A key with the numbers of its layers and its slice.
    fn key(&mut self, source: source::Source, token: &Token) -> Parsed<Side> {
        let (mut is, mut names) = (source.is, source.names);
        let mut at = token.at.clone();
        let mut layers = Vec::new();
        if self.accept(&["#"]) {
            let number = self.take("the number of a layer")?;
            at.end = number.at.end;
            layers = layer_numbers(&number)?;
            if token.text.starts_with("frame") {
                return Err(FilterError::new(at, "a frame has no layers of its own kind: leave out '#'"));
            }
        }
        let mut operand = Operand::Key(Box::new(Key { source, layers, whole: false }));
        while let Some(slice) = self.peek().filter(|t| t.kind == Kind::Brackets).cloned() {
            self.next += 1;
            if !is.is_bytes() {
                let why = format!("{} is {}: only bytes and text have slices", token.text, is.name());
                return Err(FilterError::new(at, why));
            }
            operand = Operand::Slice(Box::new(operand), parts(&slice)?);
            at.end = slice.at.end;
            is = if is == Type::Text { is } else { Type::Bytes };
            names = &[];
        }
        Ok(Side::Typed(Typed { operand, is, names, at, computed: false, function: false }))
    }

    fn call(&mut self, function: Function, name: &Token) -> Parsed<Side> {
        self.expect("(")?;
        let mut sides = vec![self.sum()?];
        while self.accept(&[","]) {
            sides.push(self.sum()?);
        }
        self.expect(")")?;
        let at = name.at.start..self.end_of_last();
        let several = matches!(function, Function::Max | Function::Min);
        if sides.len() > 1 && !several {
            return Err(FilterError::new(at, format!("{}() takes one argument", name.text)));
        }
        let lead =
            sides.iter().find_map(|s| if let Side::Typed(t) = s { Some((t.is, t.names)) } else { None });
        let Some((is, names)) = lead else {
            return Err(FilterError::new(at, format!("{}() needs a key", name.text)));
        };
        let (fits, result) = match function {
            Function::Upper | Function::Lower => (is == Type::Text, Type::Text),
            Function::Len | Function::Count => (true, Type::Number(64)),
            Function::String => (!matches!(is, Type::Bytes | Type::Protocol | Type::Text), Type::Text),
            Function::Max | Function::Min | Function::Abs => (matches!(is, Type::Number(_) | Type::Time), is),
        };
        if !fits {
            return Err(FilterError::new(at, format!("{}() cannot take {}", name.text, is.name())));
        }
        let mut arguments = Vec::new();
        for side in sides {
            arguments.push(filled(side, is, names)?.operand);
        }
        // Of a number the size is the type's, whatever the packet.
        if let (Function::Len, Type::Number(bits)) = (function, is) {
            let size = Literal::Number(bits.div_ceil(8) as i128);
            let zero = Operand::Binary(
                Arithmetic::Multiply,
                Box::new(arguments.remove(0)),
                Box::new(Operand::Literal(Literal::Number(0))),
            );
            let operand = Operand::Binary(Arithmetic::Add, Box::new(zero), Box::new(Operand::Literal(size)));
            return Ok(Side::Typed(Typed {
                operand,
                is: result,
                names: &[],
                at,
                computed: false,
                function: true,
            }));
        }
        let operand = Operand::Call(function, arguments);
        Ok(Side::Typed(Typed { operand, is: result, names: &[], at, computed: false, function: true }))
    }

    fn matches(&mut self, left: Side, every: bool) -> Parsed<Test> {
        let left = typed(left)?;
        if !left.is.is_bytes() || left.is == Type::Mac {
            let why = format!(
                "this is {}: `matches` is for text and bytes; string(…) makes text of it",
                left.is.name()
            );
            return Err(FilterError::new(left.at, why));
        }
        let token = self.take("an expression in double quotes")?;
        let expression = match &token.kind {
            // The expression reads its escapes itself, but for those of the quotes.
            Kind::Text(_) => unquoted(&token.text),
            Kind::Raw(text) => text.replace("\\\"", "\""),
            _ => {
                return Err(FilterError::new(
                    token.at,
                    "after `matches` stands an expression in double quotes",
                ));
            }
        };
        let by = regex::bytes::RegexBuilder::new(&expression)
            .case_insensitive(true)
            .unicode(false)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .build();
        let by = by.map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            FilterError::new(
                token.at.clone(),
                format!("this is no regular expression: {}", last.trim_start_matches("error: ")),
            )
        })?;
        Ok(Test::Matches { of: wholly(left.operand), by, every })
    }

    fn set(&mut self, left: Side, every: bool) -> Parsed<Test> {
        let left = typed(left)?;
        self.expect("{")?;
        let mut set = Vec::new();
        loop {
            let low = self.member(&left)?;
            let high = if self.accept(&[".."]) { self.member(&left)? } else { low.clone() };
            set.push((low, high));
            if self.accept(&["}"]) {
                return Ok(Test::In { of: left.operand, set, every });
            }
            let token = self.take("'}' at the end of the set")?;
            if !token.is(",") {
                let why = format!("here must stand ',' or '}}', not '{}'", token.text);
                return Err(FilterError::new(token.at, why));
            }
        }
    }

    fn member(&mut self, left: &Typed) -> Parsed<Literal> {
        let minus = self.accept(&["-"]);
        let token = self.take("a value of the set")?;
        if matches!(token.kind, Kind::Sign(_) | Kind::Brackets) {
            return Err(FilterError::new(token.at, format!("here must stand a value, not '{}'", token.text)));
        }
        literal::read(&token, minus, left.is, left.names)
    }
}
