//! A stream compiled once: the bytes that stay, the bits that change, and what each of them adds to which checksum.
//!
//! A checksum is the complement of a sum of 16-bit words modulo 65535 (RFC 1071). What a field adds to it is its value
//! times a weight, which is found by setting its bits one by one in a draft. So a packet costs its varying bits alone,
//! however long it is: the incremental update of RFC 1624 (equation 3, `~(~HC + ~m + m')`) with `~HC + ~m` taken once,
//! for all packets. What is not of that kind is built whole: fields that move others, CRCs, a sum that could be zero.

use super::generator::{Dice, Generator};
use super::{Made, Place, Stream, bits_of};
use crate::craft::draft::{Draft, Override};
use crate::wire::bits::{self, BitRange};
use crate::wire::checksum;
use crate::wire::table::{Coverage, Field, Header, ItemList, Length, When};

/// Where the packet begins that a raw IP socket sends, and where its destination stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first byte of the first network header.
    pub start: usize,
    /// The first byte of the destination address.
    pub destination: usize,
    /// The address has 16 bytes, not 4.
    pub v6: bool,
}

impl Cut {
    /// Of a draft; `None` without a network header.
    #[must_use]
    pub fn of(draft: &Draft) -> Option<Self> {
        let layer = &draft.layers()[draft.network_layer()?];
        let (_, to) = layer.header.ends?;
        Some(Self {
            start: layer.start,
            destination: layer.start + to.bits.start / 8,
            v6: to.bits.width == 128,
        })
    }
}

/// Makes the packets of a stream.
#[derive(Clone, Debug)]
pub struct Maker {
    stream: Stream,
    /// How they are patched; `None`: each is built from nothing.
    template: Option<Template>,
    cut: Option<Cut>,
}

#[derive(Clone, Debug)]
struct Template {
    bytes: Vec<u8>,
    patches: Vec<Patch>,
    sums: Vec<Sum>,
}

/// Bits that change.
#[derive(Clone, Debug)]
struct Patch {
    bits: BitRange,
    /// Their table entry; none for payload.
    field: Option<&'static Field>,
    generator: Generator,
    stride: u64,
    dice: Dice,
    /// The checksums that it is in, and what its lowest bit adds to their sums; for bytes, a word of them.
    weights: Vec<(usize, u32)>,
}

/// A checksum that follows what changes.
#[derive(Clone, Debug)]
struct Sum {
    /// Its first byte.
    at: usize,
    /// What does not change adds up to this.
    base: u64,
    /// Zero goes out as all ones (RFC 768).
    zero_is_none: bool,
    /// It is made wrong.
    wrong: bool,
}

impl Maker {
    /// Compiles a stream.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let template = Template::compile(&stream);
        let cut = Cut::of(stream.draft());
        Self { stream, template, cut }
    }

    /// The stream that it makes.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether packets are patched, and not built one by one.
    #[must_use]
    pub fn patches(&self) -> bool {
        self.template.is_some()
    }

    /// Makes the packet of this number, from 0 on. `primed`: `out` holds an earlier packet of this very maker, so that only
    /// what changes is written. Gives where a raw IP socket begins with it.
    pub fn make(&self, number: u64, out: &mut Vec<u8>, primed: bool) -> Option<Cut> {
        match &self.template {
            Some(template) => {
                if !primed || out.len() != template.bytes.len() {
                    out.clear();
                    out.extend_from_slice(&template.bytes);
                }
                template.patch(number, out);
                self.cut
            }
            None => {
                let draft = self.stream.packet(number);
                out.clear();
                out.extend_from_slice(draft.bytes());
                Cut::of(&draft)
            }
        }
    }
}

/// Sums and weights are residues of this: 2^16 counts as 1.
const MODULUS: u32 = 0xffff;

impl Template {
    /// `None`: something in the stream is not of the simple kind.
    fn compile(stream: &Stream) -> Option<Self> {
        if stream.varying.is_empty() {
            let bytes = stream.draft.bytes().to_vec();
            return Some(Self { bytes, patches: Vec::new(), sums: Vec::new() });
        }
        if stream.varying.iter().any(|v| decides(&stream.draft, v.place)) || too_much(stream) {
            return None;
        }
        let zero = probe(stream, usize::MAX, 0);
        let sums = sums_of(&zero)?;
        let mut patches = Vec::new();
        for (nth, varying) in stream.varying.iter().enumerate() {
            let bits = bits_of(&stream.draft, varying.place)?;
            let is_bytes = matches!(varying.generator, Generator::Fill);
            if !is_bytes && bits.width > 128 || bits.width == 0 {
                return None;
            }
            let mut weights = Vec::new();
            for place in 0..if is_bytes { 1 } else { bits.width } {
                let found = differences(&zero, &probe(stream, nth, place), bits, &sums)?;
                if place == 0 {
                    weights = found;
                } else if weights.iter().zip(found).any(|(w, found)| times_power(*w, place) != found) {
                    return None;
                }
            }
            if is_bytes && bits.width == 8 {
                // A single byte is the high one of its word.
                weights.iter_mut().for_each(|w| *w = times_power(*w, 8));
            }
            let field = match varying.place {
                Place::Field(_, field) => Some(field),
                Place::Payload(..) => None,
            };
            let weights = weights.into_iter().enumerate().filter(|(_, w)| *w != 0).collect();
            let dice = Dice::new(stream.seed, nth);
            let generator = varying.generator.clone();
            patches.push(Patch { bits, field, generator, stride: varying.stride, dice, weights });
        }
        let overlap = |a: &Patch, b: &Patch| a.bits.start < b.bits.end() && b.bits.start < a.bits.end();
        let twice = patches.iter().enumerate().any(|(i, a)| patches[..i].iter().any(|b| overlap(a, b)));
        (!twice).then(|| Self { bytes: zero.bytes().to_vec(), patches, sums })
    }

    /// Writes what the packet of this number has of its own.
    fn patch(&self, number: u64, out: &mut [u8]) {
        let mut totals = [0u64; MOST_SUMS];
        for patch in &self.patches {
            let word = match patch.generator {
                Generator::Fill => {
                    let Some(bytes) = out.get_mut(patch.bits.bytes()) else { continue };
                    patch.dice.fill(number, bytes);
                    checksum::fold(checksum::sum(bytes))
                }
                _ => {
                    let value = patch.generator.value(patch.dice, number, patch.stride);
                    let stored = patch.field.map_or(value, |field| field.ordered(value));
                    write(out, patch.bits, stored);
                    residue(stored)
                }
            };
            for (sum, weight) in &patch.weights {
                totals[*sum] += u64::from(*weight) * u64::from(word);
            }
        }
        for (sum, total) in self.sums.iter().zip(totals) {
            let mut value = !checksum::fold(sum.base + total);
            if sum.zero_is_none && value == 0 {
                value = 0xffff;
            }
            if sum.wrong {
                value = value.checked_add(1).unwrap_or(1);
            }
            if let Some(place) = out.get_mut(sum.at..sum.at + 2) {
                place.copy_from_slice(&value.to_be_bytes());
            }
        }
    }
}

/// Whether the packets built to find all weights would cost more than a moment.
fn too_much(stream: &Stream) -> bool {
    /// Bytes to be summed, about a second of them.
    const MOST: usize = 1 << 30;
    let bits = |v: &super::Varying| match v.generator {
        Generator::Fill => 1,
        _ => bits_of(&stream.draft, v.place).map_or(0, |b| b.width),
    };
    let probes: usize = stream.varying.iter().map(bits).sum();
    // Each field that varies is set in each of them, and each time all is summed.
    let once = stream.varying.len() * stream.draft.layers().len().max(1) * stream.draft.bytes().len();
    probes.saturating_mul(once) > MOST
}

/// Checksums of one packet that are followed; of more, each packet is built whole.
const MOST_SUMS: usize = 16;

/// A number folded to 16 bits: the same modulo 65535.
#[inline]
fn residue(value: u128) -> u16 {
    match u64::try_from(value) {
        Ok(small) => {
            checksum::fold((small & 0xffff) + (small >> 16 & 0xffff) + (small >> 32 & 0xffff) + (small >> 48))
        }
        Err(_) => checksum::fold((0..8).map(|i| (value >> (16 * i)) as u64 & 0xffff).sum()),
    }
}

/// Writes a value into bits; whole bytes the fast way.
#[inline]
fn write(out: &mut [u8], at: BitRange, value: u128) {
    if at.start.is_multiple_of(8) && at.width.is_multiple_of(8) {
        let bytes = value.to_be_bytes();
        let len = at.width / 8;
        if let (Some(to), Some(from)) = (out.get_mut(at.bytes()), bytes.get(16 - len..)) {
            to.copy_from_slice(from);
        }
    } else {
        // It fits: it was tried with each of its bits.
        let _ = bits::set(out, at, value);
    }
}

/// `weight` times two to the power of `place`, as a residue.
fn times_power(weight: u32, place: usize) -> u32 {
    ((u64::from(weight) << (place % 16)) % u64::from(MODULUS)) as u32
}

/// The packet in which all that varies is zero, but of one of them this bit (counted from the lowest) is set; of bytes the
/// first word is one, or where there is but one byte, that.
fn probe(stream: &Stream, set: usize, place: usize) -> Draft {
    stream.built(|nth, _, bytes| match bytes {
        Some(bytes) => {
            bytes.fill(0);
            if nth == set {
                let at = bytes.len().min(2) - 1;
                bytes[at] = 1;
            }
            Made::Bytes
        }
        None => Made::Stored(if nth == set { 1 << place } else { 0 }),
    })
}

/// The checksums that are computed; `None`: there are some that cannot be followed.
fn sums_of(zero: &Draft) -> Option<Vec<Sum>> {
    let mut sums = Vec::new();
    for index in 0..zero.layers().len() {
        let view = zero.view(index);
        let Some((field_index, field, coverage, zero_is_none)) = checksum::field_of(&view) else { continue };
        let kind = zero.override_of(crate::wire::view::Path::header(index, field_index));
        if kind == Some(Override::Pinned) {
            continue;
        }
        let computed = checksum::compute(zero.bytes(), zero.layers(), index)?;
        let bit = zero.layers()[index].start * 8 + field.bits.start;
        let base = match computed as u16 {
            0xffff if zero_is_none => 0xffff,
            computed => u64::from(!computed),
        };
        // All words are zero: no other sum of the same residue goes out as this one does.
        if coverage == Coverage::Crc32c || field.bits.width != 16 || !bit.is_multiple_of(8) || base == 0 {
            return None;
        }
        let wrong = kind == Some(Override::Wrong);
        sums.push(Sum { at: bit / 8, base, zero_is_none, wrong });
    }
    (sums.len() <= MOST_SUMS).then_some(sums)
}

/// What a probe adds to each sum; `None`: it changes something else than its own bits and checksums.
fn differences(zero: &Draft, probed: &Draft, own: BitRange, sums: &[Sum]) -> Option<Vec<u32>> {
    if zero.bytes().len() != probed.bytes().len() {
        return None;
    }
    let mut rest = probed.bytes().to_vec();
    if own.width <= 128 {
        let value = bits::get(zero.bytes(), own)?;
        let _ = bits::set(&mut rest, own, value);
    } else {
        rest.get_mut(own.bytes())?.copy_from_slice(zero.bytes().get(own.bytes())?);
    }
    for sum in sums {
        rest.get_mut(sum.at..sum.at + 2)?.copy_from_slice(zero.bytes().get(sum.at..sum.at + 2)?);
    }
    if rest != zero.bytes() {
        return None;
    }
    let after = sums_of(probed)?;
    if after.len() != sums.len() {
        return None;
    }
    let modulus = u64::from(MODULUS);
    let change =
        |(before, after): (&Sum, &Sum)| ((after.base + modulus - before.base % modulus) % modulus) as u32;
    Some(sums.iter().zip(&after).map(change).collect())
}

/// Whether a field decides where others stand, or what a checksum covers.
fn decides(draft: &Draft, place: Place) -> bool {
    let covers = draft.layers().iter().any(|l| l.header.covers.is_some());
    let Place::Field(path, _) = place else { return covers };
    let (Some(found), Some(layer)) = (draft.locate(path), draft.layers().get(path.layer)) else {
        return true;
    };
    let header = layer.header;
    let view = draft.view(path.layer);
    let items = view.items();
    // Options that send the packet elsewhere stand in the pseudo header of what it carries.
    let says_ends = |list: &ItemList| list.route.is_some() || list.origin.is_some();
    if covers || !items.is_empty() && header.lists().any(says_ends) {
        return true;
    }
    let start = layer.start * 8;
    let touches = |field: &Field, origin: usize| {
        let (first, end) = (origin + field.bits.start, origin + field.bits.end());
        first < found.bits.end() && found.bits.start < end
    };
    let Some(item) = path.item else { return deciders(header).any(|when| touches(when.field, start)) };
    let Some(span) = items.get(item) else { return true };
    let origin = span.range.start * 8;
    let head = span.list.head;
    let in_head =
        |bits: BitRange| origin + bits.start < found.bits.end() && found.bits.start < origin + bits.end();
    span.depth > 0
        || span.item.inner.is_some()
        || !span.item.when.is_empty()
        || !span.item.bare && (in_head(head.kind) || in_head(head.len))
}

/// The predicates that give a header its form.
fn deciders(header: &'static Header) -> impl Iterator<Item = When> {
    let cases = match header.length {
        Length::Cases { cases, .. } | Length::CountedIn { cases, .. } => cases,
        _ => &[],
    };
    let fields = header.fields.iter().filter_map(|f| f.when);
    fields.chain(header.lists().filter_map(|l| l.when)).chain(cases.iter().map(|(when, _)| *when))
}
