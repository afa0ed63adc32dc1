//! Evaluation: whether a packet passes, straight from its bytes.

use std::cmp::Ordering;

use super::source::{FieldPlace, Place, Source};
use super::tree::{Arithmetic, Compare, Function, Key, Literal, Operand, Part, Test};
use super::{Facts, Packet};
use crate::wire::bits::{self, BitRange};
use crate::wire::checksum::{self, Verdict};
use crate::wire::flow::FlowKey;
use crate::wire::keyed::{self, ItemValue};
use crate::wire::keys::FrameKey;
use crate::wire::table::{Field, Header, Kind};
use crate::wire::view::{Layer, LayerView};

/// One value of an operand. Operands that are compared have values of the same kind: parsing saw to that.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// A number, a flag, nanoseconds.
    Number(i128),
    /// An IPv4 address and the mask of its network.
    Ipv4(u32, u32),
    /// An IPv6 address and the mask of its network.
    Ipv6(u128, u128),
    /// Bytes, a MAC address.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes of what has some.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The order of two values; addresses within the network that either names.
    #[inline]
    fn order(self, other: Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(&b),
            (Self::Ipv4(a, m), Self::Ipv4(b, n)) => (a & m & n).cmp(&(b & m & n)),
            (Self::Ipv6(a, m), Self::Ipv6(b, n)) => (a & m & n).cmp(&(b & m & n)),
            // A longer run of bytes is above a shorter one, as in Wireshark; text is as in a dictionary.
            (Self::Bytes(a), Self::Bytes(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Text(a) | Self::Bytes(a), Self::Text(b) | Self::Bytes(b)) => a.cmp(b),
            _ => return None,
        })
    }

    pub(super) fn is_nonzero(self) -> bool {
        match self {
            Self::Number(number) => number != 0,
            Self::Ipv4(address, _) => address != 0,
            Self::Ipv6(address, _) => address != 0,
            Self::Bytes(bytes) | Self::Text(bytes) => bytes.iter().any(|b| *b != 0),
        }
    }
}

impl Literal {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Ipv4(address, mask) => Value::Ipv4(*address, *mask),
            Self::Ipv6(address, mask) => Value::Ipv6(*address, *mask),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Text(bytes) => Value::Text(bytes),
        }
    }
}

/// Takes values until it has seen enough.
pub(super) type Taker<'t> = dyn FnMut(Value<'_>) -> bool + 't;

impl Test {
    /// Whether the packet passes.
    #[must_use]
    pub fn passes(&self, packet: &Packet<'_>) -> bool {
        match self {
            Self::And(a, b) => a.passes(packet) && b.passes(packet),
            Self::Or(a, b) => a.passes(packet) || b.passes(packet),
            Self::Xor(a, b) => a.passes(packet) != b.passes(packet),
            Self::Not(test) => !test.passes(packet),
            Self::Exists(of) => of.each(packet, &mut |_| true),
            Self::Nonzero(of) => of.each(packet, &mut |value| value.is_nonzero()),
            Self::Compare(compare) => compare.passes(packet),
            Self::In { of, set, every } => {
                let between = |value: Value<'_>, (low, high): &(Literal, Literal)| {
                    let above = value.order(low.value()).is_some_and(Ordering::is_ge);
                    above && value.order(high.value()).is_some_and(Ordering::is_le)
                };
                of.test(packet, *every, &mut |value| set.iter().any(|m| between(value, m)))
            }
            Self::Contains { of, what, every } => of.test(packet, *every, &mut |value| {
                what.each(packet, &mut |what| value.bytes().zip(what.bytes()).is_some_and(|(a, b)| has(a, b)))
            }),
            Self::Matches { of, by, every } => {
                of.test(packet, *every, &mut |value| value.bytes().is_some_and(|b| by.is_match(b)))
            }
            Self::Words(words) => words.passes(packet),
        }
    }
}

/// Whether the one stands in the other.
fn has(bytes: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(bytes, what).is_some()
}

impl Compare {
    fn passes(&self, packet: &Packet<'_>) -> bool {
        let holds = |a: Value<'_>, b: Value<'_>| a.order(b).is_some_and(|o| self.relation.holds(o));
        match (&self.right, self.every) {
            (Operand::Literal(literal), false) => {
                let right = literal.value();
                self.left.each(packet, &mut |left| holds(left, right))
            }
            (right, false) => {
                self.left.each(packet, &mut |left| right.each(packet, &mut |right| holds(left, right)))
            }
            (right, true) => {
                right.each(packet, &mut |_| true)
                    && self
                        .left
                        .test(packet, true, &mut |left| !right.each(packet, &mut |right| !holds(left, right)))
            }
        }
    }
}

impl Operand {
    /// Whether any value passes, or all do and there is one.
    fn test(&self, packet: &Packet<'_>, every: bool, passes: &mut Taker<'_>) -> bool {
        if !every {
            return self.each(packet, passes);
        }
        let mut some = false;
        let failed = self.each(packet, &mut |value| {
            some = true;
            !passes(value)
        });
        some && !failed
    }

    /// Hands on each value, until one is taken; whether one was.
    fn each(&self, packet: &Packet<'_>, take: &mut Taker<'_>) -> bool {
        match self {
            Self::Key(key) => key.each(packet, take),
            Self::Literal(literal) => take(literal.value()),
            Self::Slice(of, parts) => of.each(packet, &mut |value| {
                let Some(bytes) = value.bytes() else { return false };
                let is_text = matches!(value, Value::Text(_));
                let mut give =
                    |bytes: &[u8]| take(if is_text { Value::Text(bytes) } else { Value::Bytes(bytes) });
                if let [part] = parts.as_slice() {
                    return part.of(bytes).is_some_and(give);
                }
                let parts: Option<Vec<&[u8]>> = parts.iter().map(|p| p.of(bytes)).collect();
                parts.is_some_and(|parts| give(&parts.concat()))
            }),
            Self::Binary(operator, a, b) => {
                a.each(packet, &mut |a| b.each(packet, &mut |b| operator.apply(a, b, take)))
            }
            Self::Negative(of) => of.each(packet, &mut |value| match value {
                Value::Number(number) => number.checked_neg().is_some_and(|n| take(Value::Number(n))),
                _ => false,
            }),
            Self::Call(function, arguments) => function.apply(arguments, packet, take),
        }
    }
}

impl Part {
    /// The part of these bytes; `None` where they are too short.
    fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        let place = |offset: i64| {
            let from_end = offset < 0;
            let at = usize::try_from(offset.unsigned_abs()).ok()?;
            let at = if from_end { bytes.len().checked_sub(at)? } else { at };
            (at < bytes.len()).then_some(at)
        };
        match self {
            Self::Length(from, length) => {
                let from = place(from)?;
                bytes.get(from..from.checked_add(length)?)
            }
            Self::To(from, to) => bytes.get(place(from)?..place(to)? + 1),
            Self::Rest(from) => bytes.get(place(from)?..),
        }
    }
}

impl Arithmetic {
    fn apply(self, a: Value<'_>, b: Value<'_>, take: &mut Taker<'_>) -> bool {
        match (self, a, b) {
            (_, Value::Number(a), Value::Number(b)) => {
                let result = match self {
                    Self::And => Some(a & b),
                    Self::Add => a.checked_add(b),
                    Self::Subtract => a.checked_sub(b),
                    Self::Multiply => a.checked_mul(b),
                    Self::Divide => a.checked_div(b),
                    Self::Remainder => a.checked_rem(b),
                };
                result.is_some_and(|result| take(Value::Number(result)))
            }
            (Self::And, Value::Bytes([a]), Value::Bytes([b])) => take(Value::Bytes(&[a & b])),
            (Self::And, Value::Bytes(a), Value::Bytes(b)) => {
                let both: Vec<u8> = a.iter().zip(b).map(|(a, b)| a & b).collect();
                take(Value::Bytes(&both))
            }
            (Self::And, Value::Ipv4(a, _), Value::Ipv4(b, _)) => take(Value::Ipv4(a & b, u32::MAX)),
            (Self::And, Value::Ipv6(a, _), Value::Ipv6(b, _)) => take(Value::Ipv6(a & b, u128::MAX)),
            _ => false,
        }
    }
}

impl Function {
    fn apply(self, arguments: &[Operand], packet: &Packet<'_>, take: &mut Taker<'_>) -> bool {
        let each = |take: &mut Taker<'_>| arguments.iter().any(|a| a.each(packet, take));
        match self {
            Self::Upper | Self::Lower => each(&mut |value| {
                let Some(bytes) = value.bytes() else { return false };
                let changed =
                    if self == Self::Upper { bytes.to_ascii_uppercase() } else { bytes.to_ascii_lowercase() };
                take(Value::Text(&changed))
            }),
            Self::Len => each(&mut |value| match value {
                Value::Bytes(bytes) | Value::Text(bytes) => take(Value::Number(bytes.len() as i128)),
                Value::Ipv4(..) => take(Value::Number(4)),
                Value::Ipv6(..) => take(Value::Number(16)),
                Value::Number(_) => false,
            }),
            Self::Count => {
                let mut count = 0;
                each(&mut |_| {
                    count += 1;
                    false
                });
                count > 0 && take(Value::Number(count))
            }
            Self::String => each(&mut |value| {
                let text = match value {
                    Value::Number(number) => number.to_string(),
                    Value::Ipv4(address, _) => std::net::Ipv4Addr::from(address).to_string(),
                    Value::Ipv6(address, _) => std::net::Ipv6Addr::from(address).to_string(),
                    Value::Bytes(bytes) | Value::Text(bytes) => {
                        bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
                    }
                };
                take(Value::Text(text.as_bytes()))
            }),
            Self::Max | Self::Min => {
                let mut best: Option<i128> = None;
                each(&mut |value| {
                    if let Value::Number(number) = value {
                        best = Some(match best {
                            Some(best) if self == Self::Max => best.max(number),
                            Some(best) => best.min(number),
                            None => number,
                        });
                    }
                    false
                });
                best.is_some_and(|best| take(Value::Number(best)))
            }
            Self::Abs => each(&mut |value| match value {
                Value::Number(number) => number.checked_abs().is_some_and(|n| take(Value::Number(n))),
                _ => false,
            }),
        }
    }
}

impl Key {
    /// Whether the layers with this number in their protocol are meant.
    fn means(&self, nth: usize) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|(from, to)| (*from..=*to).contains(&nth))
    }

    /// The layers of these tables that are meant.
    fn layers<'a>(
        &'a self,
        headers: &'a [&'static Header],
        packet: &'a Packet<'_>,
    ) -> impl Iterator<Item = (usize, &'a Layer)> {
        let of = move |l: &&Layer| headers.iter().any(|h| std::ptr::eq(*h, l.header));
        let mut nth = 0;
        packet.found.layers.iter().enumerate().filter(move |(_, l)| of(l)).filter(move |_| {
            nth += 1;
            self.means(nth)
        })
    }

    /// Hands on each of its values, until one is taken; whether one was.
    pub(super) fn each(&self, packet: &Packet<'_>, take: &mut Taker<'_>) -> bool {
        let Source { place, name, .. } = &self.source;
        match place {
            Place::Fields(places) => self.each_field(places, name, packet, take),
            Place::Layers(headers) => self.layers(headers, packet).any(|(_, layer)| {
                let range = if self.whole || is_whole(layer.header) {
                    layer.start..layer.end
                } else {
                    layer.header_range()
                };
                take(Value::Bytes(packet.bytes.get(range).unwrap_or_default()))
            }),
            Place::Frame(key) => frame(*key, packet).is_some_and(|v| take(Value::Number(v))),
            Place::Interface => packet.facts.interface.is_some_and(|n| take(Value::Number(i128::from(n)))),
            Place::Protocols => take(Value::Text(protocols(packet).as_bytes())),
            Place::Bytes => take(Value::Bytes(packet.bytes)),
            Place::Payload(headers) => self.layers(headers, packet).any(|(index, _)| {
                let view = packet.found.view(packet.bytes, index);
                // Wireshark takes what a reset carries for a diagnostic text (RFC 9293 section 3.5.3).
                let bytes = view.payload();
                !bytes.is_empty() && !view.is_set("flags.reset") && take(Value::Bytes(bytes))
            }),
            Place::PayloadLength(headers) => self.layers(headers, packet).any(|(index, layer)| {
                let cut = (packet.facts.original as usize).saturating_sub(packet.bytes.len());
                let length = keyed::payload_len(&packet.found.view(packet.bytes, index), cut);
                !layer.quoted && length.is_some_and(|n| take(Value::Number(n as i128)))
            }),
            Place::Flow(key) => self.each_flow(key, packet, take),
            Place::ChecksumStatus(headers) => self.each_status(headers, packet, take),
            Place::Items(headers) => self.layers(headers, packet).any(|(index, _)| {
                let range = packet.found.view(packet.bytes, index).items_range();
                !range.is_empty() && take(Value::Bytes(packet.bytes.get(range).unwrap_or_default()))
            }),
        }
    }

    fn each_flow(&self, key: &FlowKey, packet: &Packet<'_>, take: &mut Taker<'_>) -> bool {
        let tcp = key.protocol() == "tcp";
        let all = packet.flows.iter().filter(|told| told.tcp == tcp).enumerate();
        let mut values = all.filter(|(n, _)| self.means(n + 1)).filter_map(|(_, told)| (key.value)(told));
        values.any(|value| (0..key.times()).any(|_| take(Value::Number(value))))
    }

    /// What the checksums are worth, as Wireshark numbers it.
    fn each_status(&self, headers: &[&'static Header], packet: &Packet<'_>, take: &mut Taker<'_>) -> bool {
        self.layers(headers, packet).any(|(index, _)| {
            let (bytes, layers) = (packet.bytes, &packet.found.layers);
            let verdict = checksum::verdict(bytes, layers, index, packet.facts.left_to_card);
            verdict.is_some_and(|verdict| {
                take(Value::Number(match verdict {
                    verdict if verdict.is_bad() => 0,
                    Verdict::Good => 1,
                    Verdict::Absent => 3,
                    _ => 2,
                }))
            })
        })
    }

    fn each_field(
        &self,
        places: &[FieldPlace],
        name: &str,
        packet: &Packet<'_>,
        take: &mut Taker<'_>,
    ) -> bool {
        let mut nth = 0;
        for (index, layer) in packet.found.layers.iter().enumerate() {
            let Some(place) = places.iter().find(|p| std::ptr::eq(p.header, layer.header)) else { continue };
            nth += 1;
            if self.means(nth) && each_in_layer(place, name, packet, (index, layer), take) {
                return true;
            }
        }
        false
    }
}

/// The values of a key in one layer.
fn each_in_layer(
    place: &FieldPlace,
    name: &str,
    packet: &Packet<'_>,
    (index, layer): (usize, &Layer),
    take: &mut Taker<'_>,
) -> bool {
    let bytes = packet.bytes;
    let header = bytes.get(layer.header_range()).unwrap_or_default();
    for (field, scale) in &place.fields {
        let field = &place.header.fields[*field];
        if field.when.is_some_and(|w| !w.holds(header)) {
            continue;
        }
        if field.bits.end() <= layer.len * 8 {
            let bits = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
            let out = place.left_out
                && keyed::is_left_out(&packet.found.view(bytes, index), field, bits::get(bytes, bits));
            let value = value(field, *scale, bytes, bits).map(|value| match value {
                Value::Number(number) if place.one_flag => Value::Number(i128::from(number != 0)),
                value => value,
            });
            if !out && value.is_some_and(&mut *take) {
                return true;
            }
        }
        if !place.all {
            break;
        }
    }
    let view = packet.found.view(bytes, index);
    place.items && each_item(&view, name, take) || place.reader && each_reading(&view, name, take)
}

fn each_item(view: &LayerView<'_>, name: &str, take: &mut Taker<'_>) -> bool {
    let mut taken = false;
    keyed::item_values(view, name, |found| {
        if taken {
            return;
        }
        taken = match found {
            ItemValue::Stored(field, bits) => {
                value(field, field.scale, view.bytes, bits).is_some_and(&mut *take)
            }
            ItemValue::Number(number) => take(Value::Number(i128::from(number))),
            ItemValue::Bytes(bytes) => take(Value::Bytes(bytes)),
            ItemValue::Word(_) => take(Value::Bytes(&[])),
            ItemValue::Text(text) => take(Value::Text(text.as_bytes())),
        };
    });
    taken
}

fn each_reading(view: &LayerView<'_>, name: &str, take: &mut Taker<'_>) -> bool {
    let Some(readings) = view.readings() else { return false };
    readings.list.iter().filter(|r| r.field.key == name).any(|reading| match &reading.text {
        Some(text) if reading.field.kind.is_bytes() => take(Value::Text(text.as_bytes())),
        Some(text) => text.parse().is_ok_and(|number| take(Value::Number(number))),
        None => value(reading.field, reading.field.scale, view.bytes, reading.bits).is_some_and(&mut *take),
    })
}

/// The value of a field at these bits.
#[inline]
pub(super) fn value<'a>(field: &Field, scale: u32, bytes: &'a [u8], at: BitRange) -> Option<Value<'a>> {
    match field.kind {
        Kind::Number | Kind::Hex => {
            let number = field.ordered(bits::get(bytes, at)?);
            Some(Value::Number(i128::try_from(number).ok()?.checked_mul(i128::from(scale))?))
        }
        Kind::Flag => Some(Value::Number(i128::from(bits::get(bytes, at)? != 0))),
        Kind::Ipv4 => Some(Value::Ipv4(u32::try_from(bits::get(bytes, at)?).ok()?, u32::MAX)),
        Kind::Ipv6 => Some(Value::Ipv6(bits::get(bytes, at)?, u128::MAX)),
        Kind::Mac | Kind::Bytes => Some(Value::Bytes(bytes.get(at.bytes())?)),
        Kind::Text => {
            let text = bytes.get(at.bytes())?;
            let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
            Some(Value::Text(&text[..end]))
        }
    }
}

fn frame(key: FrameKey, packet: &Packet<'_>) -> Option<i128> {
    match key {
        FrameKey::Captured => Some(packet.bytes.len() as i128),
        key => frame_of(key, &packet.facts),
    }
}

/// What can be said of a packet as a whole without its bytes.
pub(super) fn frame_of(key: FrameKey, facts: &Facts) -> Option<i128> {
    let since = |before: u64| facts.time_ns.map(|time| i128::from(time) - i128::from(before));
    match key {
        FrameKey::Number => Some(i128::from(facts.number)),
        FrameKey::Length => Some(i128::from(facts.original)),
        FrameKey::Captured => None,
        FrameKey::TimeEpoch => since(0),
        FrameKey::TimeRelative => since(facts.first_ns),
        FrameKey::TimeDelta => since(facts.previous_ns),
    }
}

/// The names of the layers, as `frame.protocols` has them.
fn protocols(packet: &Packet<'_>) -> String {
    let own = packet.found.layers.iter().filter(|l| !l.quoted);
    own.map(|l| l.header.key).collect::<Vec<_>>().join(":")
}

/// Whether the bytes of a layer go to its end, as Wireshark has it: of the others it has only the header.
fn is_whole(header: &Header) -> bool {
    use crate::wire::table::Family;
    matches!(header.family, Family::Application | Family::Control) || header.key == "tcp"
}
