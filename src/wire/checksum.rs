//! The Internet checksum, RFC 1071, with its work shown: pseudo header, covered words, sum, folds, complement. And the
//! CRC32c of SCTP, RFC 9260 appendix A, with the register after each line of words.

use std::ops::Range;

use super::bits::{self, BitRange};
use super::table::{AddressOf, Compute, Coverage, Family, Field, Header, ItemList, Space};
use super::view::{Layer, LayerView, Path};

/// The sum of the 16-bit words of `bytes`, an odd last byte padded with zero on the right; not folded.
#[must_use]
pub fn sum(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(2);
    let mut total: u64 = chunks.by_ref().map(|c| u64::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    if let [last] = chunks.remainder() {
        total += u64::from(*last) << 8;
    }
    total
}

/// Folds a sum to 16 bits with end-around carry.
#[must_use]
pub fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The remainders of each byte for the polynomial 0x1edc6f41, lowest bit first (Castagnoli; RFC 9260 appendix A).
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = (remainder >> 1) ^ (0x82f6_3b78 * (remainder & 1));
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};
/// The register of a CRC32c before the first byte.
const CRC_START: u32 = u32::MAX;

/// The register of a CRC32c after these bytes too.
fn crc_register(register: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(register, |r, b| (r >> 8) ^ CRC_TABLE[((r ^ u32::from(*b)) & 0xff) as usize])
}

/// One word of the pseudo header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PseudoWord {
    /// What it is part of.
    pub label: &'static str,
    /// Its value.
    pub word: u16,
}

/// How a checksum came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The checksum field.
    pub path: Path,
    /// Its bits in the packet.
    pub bits: BitRange,
    /// The words of the pseudo header, if it has one.
    pub pseudo: Vec<PseudoWord>,
    /// The covered bytes of the packet; the checksum field counts as zero.
    pub covered: Range<usize>,
    /// The covered words, the last padded with a zero byte when the length is odd.
    pub words: Vec<u16>,
    /// It is a CRC32c: `sum` is its register after the last byte, and what belongs into the field is its complement with
    /// the lowest byte first.
    pub is_crc: bool,
    /// The sum of all words.
    pub sum: u64,
    /// The sum after each fold, the last one within 16 bits; empty when it needs none.
    pub folds: Vec<u64>,
    /// The complement of the folded sum.
    pub complement: u32,
    /// What belongs into the field: the complement, or all ones where zero means "none".
    pub computed: u32,
    /// What stands in the field.
    pub stored: u32,
    /// A stored zero means that there is none.
    pub zero_is_none: bool,
    /// A stored zero would mean that there is none, which the network layer does not allow.
    pub zero_is_forbidden: bool,
}

impl Work {
    /// Whether a receiver takes the stored value for right, as [`accepted`].
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        if self.is_crc {
            return self.stored == self.computed;
        }
        let missing = self.zero_is_forbidden && self.stored == 0;
        !missing && fold(self.sum + u64::from(self.stored)) == 0xffff
    }

    /// What there is before the first covered word: the sum of the pseudo header, or the register of a CRC.
    #[must_use]
    pub fn start(&self) -> u64 {
        if self.is_crc {
            return u64::from(CRC_START);
        }
        self.pseudo.iter().map(|p| u64::from(p.word)).sum()
    }

    /// What it comes to with these of the covered words too.
    #[must_use]
    pub fn with(&self, before: u64, words: Range<usize>) -> u64 {
        let more = self.words.get(words.clone()).unwrap_or_default();
        if !self.is_crc {
            return before + more.iter().map(|w| u64::from(*w)).sum::<u64>();
        }
        // A padded last byte is no part of a CRC.
        let len = (words.end * 2).min(self.covered.len()).saturating_sub(words.start * 2);
        let bytes: Vec<u8> = more.iter().flat_map(|w| w.to_be_bytes()).take(len).collect();
        u64::from(crc_register(before as u32, &bytes))
    }

    /// Hexadecimal digits of the field.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.bits.width / 4
    }
}

/// What a checksum of a captured packet is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A receiver takes it for right.
    Good,
    /// A receiver drops the packet.
    Bad {
        /// What it should be.
        computed: u32,
        /// With so many hexadecimal digits.
        digits: usize,
    },
    /// The sender computed none where there has to be one (UDP over IPv6, RFC 8200 section 8.1; RFC 6935 excepts
    /// tunnels): a receiver drops the packet.
    Missing {
        /// What it should be.
        computed: u32,
    },
    /// The kernel had not computed it yet when the packet was captured: the network card does it.
    LeftToCard,
    /// The sender computed none (UDP over IPv4).
    Absent,
    /// It covers bytes that are not here.
    NotCovered(&'static str),
}

impl Verdict {
    /// A few words for a view.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Good => "good".into(),
            Self::Bad { computed, digits } => format!("bad, should be 0x{computed:0digits$x}"),
            Self::Missing { computed } => {
                format!("bad, 0 is not allowed over IPv6 (RFC 8200), should be 0x{computed:04x}")
            }
            Self::LeftToCard => "left to the card".into(),
            Self::Absent => "none (zero)".into(),
            Self::NotCovered(why) => format!("not covered: {why}"),
        }
    }

    /// Whether a receiver drops the packet for it.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Bad { .. } | Self::Missing { .. })
    }
}

/// The checksum field of a header (the bytes from its first on), where it has one.
#[must_use]
pub fn field(table: &'static Header, header: &[u8]) -> Option<(usize, &'static Field, Coverage, bool)> {
    table.fields.iter().enumerate().find_map(|(i, f)| match f.compute {
        Some(Compute::Checksum { coverage, zero_is_none }) if f.is_in(header) => {
            Some((i, f, coverage, zero_is_none))
        }
        _ => None,
    })
}

/// The checksum field of the layer that is looked at.
#[must_use]
pub fn field_of(view: &LayerView<'_>) -> Option<(usize, &'static Field, Coverage, bool)> {
    field(view.layer().header, view.header_bytes())
}

/// The nearest network layer below layer `index`.
fn network_below<'a>(view: &LayerView<'a>) -> Option<LayerView<'a>> {
    (0..view.index).rev().map(|index| LayerView { index, ..*view }).find(|v| v.layer().header.network)
}

/// Whether a stored zero may say that the sender computed none: not over 128-bit addresses, whose header has no checksum
/// of its own (RFC 8200 section 8.1), but under a tunnel. A computed zero goes out as all ones there too.
#[must_use]
pub fn may_be_none(view: &LayerView<'_>) -> bool {
    // Whoever can leave out the data has no need to leave out the checksum (RFC 3828 section 3.1).
    let none =
        view.layer().header.covers.is_none() && field_of(view).is_some_and(|(.., zero_is_none)| zero_is_none);
    none && (!is_over_v6(view) || carries_tunnel(view))
}

/// The layer carries a tunnel, whose datagrams may do without a checksum over IPv6 too (RFC 6935).
fn carries_tunnel(view: &LayerView<'_>) -> bool {
    view.layers.get(view.index + 1).is_some_and(|l| l.header.family == Family::Tunnel)
}

fn is_over_v6(view: &LayerView<'_>) -> bool {
    let ends = network_below(view).and_then(|n| n.layer().header.ends);
    ends.is_some_and(|(src, _)| src.bits.width == 128)
}

/// Addresses between which a message goes, each with the words for where it stands.
pub(super) struct Ends {
    /// Bits of an address.
    pub width: usize,
    pub source: (&'static str, u128),
    pub destination: (&'static str, u128),
}

/// Those of what `layer` carries: of the network layer below it, or what a list of options says instead.
pub(super) fn ends(view: &LayerView<'_>) -> Option<Ends> {
    let network = network_below(view)?;
    let (src, dst) = network.layer().header.ends?;
    let header = network.header_bytes();
    let width = src.bits.width;
    // The last one that says so.
    let instead = |of: fn(&ItemList) -> Option<AddressOf>, width: usize| {
        let layers = (network.index..view.index).rev().map(|index| LayerView { index, ..*view });
        let mut said = layers.filter_map(|layer| {
            let list = layer.layer().header.list(layer.header_bytes())?;
            of(list)?(&layer).filter(|address| *address <= bits::max_value(width))
        });
        said.next()
    };
    // Most headers have no options.
    let plain = network.index + 1 == view.index && header.len() == network.layer().header.min_len();
    let source = (!plain).then(|| instead(|list| list.origin, width)).flatten();
    let destination = (!plain).then(|| instead(|list| list.route, dst.bits.width)).flatten();
    Some(Ends {
        width,
        source: match source {
            Some(home) => ("home address", home),
            None => ("source address", bits::get(header, src.bits).unwrap_or(0)),
        },
        destination: match destination {
            Some(last) => ("final destination of the route", last),
            None => ("destination address", bits::get(header, dst.bits).unwrap_or(0)),
        },
    })
}

/// The pseudo header of `layer`, whose message has `len` bytes: RFC 9293 section 3.1 over IPv4 (32-bit addresses),
/// RFC 8200 section 8.1 over IPv6.
fn pseudo_header(view: &LayerView<'_>, len: usize) -> Vec<PseudoWord> {
    let Some(ends) = ends(view) else { return Vec::new() };
    let mut words = Vec::new();
    let mut push = |label, value: u128, width: usize| {
        words.extend((0..width / 16).rev().map(|i| PseudoWord { label, word: (value >> (16 * i)) as u16 }));
    };
    for (label, address) in [ends.source, ends.destination] {
        push(label, address, ends.width);
    }
    let protocol = u128::from(view.layer().header.number_in(Space::IpProtocol).unwrap_or(0));
    if ends.width == 32 {
        push("zero, protocol", protocol, 16);
        push("length", len as u128, 16);
    } else {
        push("length", len as u128, 32);
        push("zero, next header", protocol, 32);
    }
    words
}

/// The bytes of the packet that the checksum of this layer covers; `None`: the header says what is not allowed.
fn covered(view: &LayerView<'_>, coverage: Coverage) -> Option<Range<usize>> {
    let layer = view.layer();
    if coverage == Coverage::Header {
        return Some(layer.header_range());
    }
    let all = layer.start..layer.end;
    let Some(covers) = layer.header.covers else { return Some(all) };
    let len = covers(view)?;
    (len <= all.len()).then_some(all.start..all.start + len)
}

/// The pseudo header that belongs to this coverage.
fn pseudo_words(view: &LayerView<'_>, coverage: Coverage, covered: &Range<usize>) -> Vec<PseudoWord> {
    match coverage {
        // The bytes that it leaves out may have been cut off.
        Coverage::PseudoHeader if view.layer().header.covers.is_some() => {
            pseudo_header(view, view.layer().declared)
        }
        Coverage::PseudoHeader => pseudo_header(view, covered.len()),
        // Of what the checksum leaves out the length knows nothing (RFC 7761 section 4.9, register messages).
        Coverage::PseudoHeaderOverV6 if is_over_v6(view) => pseudo_header(view, covered.len()),
        _ => Vec::new(),
    }
}

/// The work for the checksum of layer `index`; `None` when its table has no checksum, the field is cut off, or the header
/// says a coverage that is not allowed.
#[must_use]
pub fn work(bytes: &[u8], layers: &[Layer], index: usize) -> Option<Work> {
    let view = LayerView { bytes, layers, index };
    let layer = layers.get(index)?;
    let (field_index, field, coverage, zero_is_none) = field_of(&view)?;
    if field.bits.end() > layer.len * 8 {
        return None;
    }
    let bits = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
    let covered = covered(&view, coverage)?;
    let mut data = bytes.get(covered.clone())?.to_vec();
    data.get_mut(field.bits.bytes())?.fill(0);
    let words = data.chunks(2).map(|c| u16::from_be_bytes([c[0], c.get(1).copied().unwrap_or(0)])).collect();
    let mut work = Work {
        path: Path::header(index, field_index),
        bits,
        pseudo: pseudo_words(&view, coverage, &covered),
        covered,
        words,
        is_crc: coverage == Coverage::Crc32c,
        sum: 0,
        folds: Vec::new(),
        complement: 0,
        computed: 0,
        stored: bits::get(bytes, bits)? as u32,
        zero_is_none: may_be_none(&view),
        zero_is_forbidden: zero_is_none && !may_be_none(&view),
    };
    work.sum = work.with(work.start(), 0..work.words.len());
    if work.is_crc {
        work.complement = !(work.sum as u32);
        work.computed = work.complement.swap_bytes();
        return Some(work);
    }
    let mut folded = work.sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
        work.folds.push(folded);
    }
    work.complement = u32::from(!(folded as u16));
    work.computed = if zero_is_none && work.complement == 0 { 0xffff } else { work.complement };
    Some(work)
}

/// What belongs into the checksum field of a layer, and whether what stands there will do.
struct Compared {
    computed: u32,
    accepted: bool,
}

/// As [`work`], without the work shown.
fn compare(bytes: &[u8], layers: &[Layer], index: usize) -> Option<Compared> {
    let layer = layers.get(index)?;
    let view = LayerView { bytes, layers, index };
    let (_, field, coverage, zero_is_none) = field_of(&view)?;
    let covered = covered(&view, coverage)?;
    let data = bytes.get(covered.clone())?;
    let stored = bits::get(data, field.bits).filter(|_| field.bits.end() <= layer.len * 8)? as u32;
    if coverage == Coverage::Crc32c {
        let at = field.bits.bytes();
        let before = crc_register(CRC_START, data.get(..at.start)?);
        let register = crc_register(crc_register(before, &[0; 4]), data.get(at.end..)?);
        let computed = (!register).swap_bytes();
        return Some(Compared { computed, accepted: stored == computed });
    }
    let pseudo = pseudo_words(&view, coverage, &covered);
    let total = sum(data) + pseudo.iter().map(|p| u64::from(p.word)).sum::<u64>();
    // The field stands on a 16-bit boundary in every table (an invariant test): take its word out again.
    let complement = !fold(total - u64::from(stored));
    let computed = u32::from(if zero_is_none && complement == 0 { 0xffff } else { complement });
    let missing = zero_is_none && stored == 0 && !may_be_none(&view);
    Some(Compared { computed, accepted: fold(total) == 0xffff && !missing })
}

/// What belongs into the checksum field of layer `index`, without the work shown.
#[must_use]
pub fn compute(bytes: &[u8], layers: &[Layer], index: usize) -> Option<u32> {
    compare(bytes, layers, index).map(|c| c.computed)
}

/// Whether a receiver takes the stored checksum of layer `index` for right: all words with the stored one sum up to
/// all ones (RFC 1071 section 1). So 0xffff passes where 0x0000 is computed: in one's complement both are zero. That a
/// stored zero may mean "none" is not looked at, but where that is forbidden no zero is right. A CRC has to be equal.
#[must_use]
pub fn accepted(bytes: &[u8], layers: &[Layer], index: usize) -> Option<bool> {
    compare(bytes, layers, index).map(|c| c.accepted)
}

/// Bytes that a checksum over the message covers, in a packet that may have been cut short.
fn covered_of_declared(view: &LayerView<'_>) -> Option<usize> {
    let layer = view.layer();
    match layer.header.covers {
        Some(covers) => covers(view).filter(|len| *len <= layer.declared),
        None => Some(layer.declared),
    }
}

/// The verdict on the checksum of layer `index`. `left_to_card`: the capture says that the kernel had not computed the
/// transport checksum yet.
#[must_use]
pub fn verdict(bytes: &[u8], layers: &[Layer], index: usize, left_to_card: bool) -> Option<Verdict> {
    let view = LayerView { bytes, layers, index };
    let layer = layers.get(index)?;
    let (_, field, coverage, zero_is_none) = field_of(&view)?;
    let stored = bits::get(view.header_bytes(), field.bits)?;
    if coverage != Coverage::Header {
        if layer.quoted {
            return Some(Verdict::NotCovered("quoted packet"));
        }
        let network = network_below(&view);
        let first = network.map_or(index, |n| n.index);
        let between = (first..index).map(|index| LayerView { index, ..view });
        if { between }.any(|n| n.is_set("frag_offset") || n.is_set("flags.mf")) {
            return Some(Verdict::NotCovered("fragment"));
        }
        let Some(covered) = covered_of_declared(&view) else {
            return Some(Verdict::NotCovered("the header says a coverage that is not allowed"));
        };
        if covered > layer.end - layer.start {
            return Some(Verdict::NotCovered("the lengths claim more bytes than are here"));
        }
        if network.is_none() && matches!(coverage, Coverage::PseudoHeader | Coverage::PseudoHeaderOverV6) {
            return Some(Verdict::NotCovered("no network layer"));
        }
        if zero_is_none && stored == 0 && layer.header.covers.is_none() {
            return Some(match (may_be_none(&view), left_to_card) {
                (true, _) => Verdict::Absent,
                (false, true) => Verdict::LeftToCard,
                (false, false) => Verdict::Missing { computed: compute(bytes, layers, index)? },
            });
        }
    }
    let found = compare(bytes, layers, index)?;
    if found.accepted {
        return Some(Verdict::Good);
    }
    if coverage != Coverage::Header && left_to_card {
        return Some(Verdict::LeftToCard);
    }
    Some(Verdict::Bad { computed: found.computed, digits: field.bits.width / 4 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dissect::dissect;

    /// LINKTYPE_RAW: the packet begins with its IP header.
    const RAW: u32 = 101;

    /// ICMP whose other words sum up to all ones, with this checksum.
    fn icmp(checksum: [u8; 2], rest: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0];
        packet.extend(checksum);
        packet.extend(rest);
        packet
    }

    fn of(bytes: &[u8], index: usize) -> Verdict {
        verdict(bytes, &dissect(RAW, bytes).layers, index, false).unwrap()
    }

    #[test]
    fn all_ones_stored_for_a_computed_zero_is_good() {
        let ones = [0xff, 0xff, 0, 0];
        for (stored, rest, good) in [
            ([0, 0], ones, true),
            ([0xff, 0xff], ones, true),
            ([0, 1], ones, false),
            // A packet of nothing but zeros has the checksum 0xffff, and no receiver takes its zero for right.
            ([0xff, 0xff], [0; 4], true),
            ([0, 0], [0; 4], false),
        ] {
            let packet = icmp(stored, rest);
            let layers = dissect(RAW, &packet).layers;
            assert_eq!(accepted(&packet, &layers, 1), Some(good), "{stored:x?} {rest:x?}");
            assert_eq!(work(&packet, &layers, 1).unwrap().is_accepted(), good, "{stored:x?} {rest:x?}");
            assert_eq!(of(&packet, 1) == Verdict::Good, good, "{stored:x?} {rest:x?}");
        }
    }

    #[test]
    fn all_ones_in_an_ip_header_are_good_too() {
        let mut packet = icmp([0, 0], [0xff, 0xff, 0, 0]);
        // The identification takes up what is left to all ones, so that a zero is computed.
        let computed = compute(&packet, &dissect(RAW, &packet).layers, 0).unwrap();
        packet[4..6].copy_from_slice(&(computed as u16).to_be_bytes());
        assert_eq!(compute(&packet, &dissect(RAW, &packet).layers, 0), Some(0));
        packet[10..12].fill(0xff);
        assert_eq!(of(&packet, 0), Verdict::Good);
    }

    #[test]
    fn a_length_past_the_datagram_is_no_cut() {
        let udp = |ip_len: u8, udp_len: u8| {
            let mut packet = vec![0x45, 0, 0, ip_len, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            packet.extend([0x4e, 0x20, 0, 80, 0, udp_len, 0x12, 0x34, 1, 2]);
            packet
        };
        let why = Verdict::NotCovered("the lengths claim more bytes than are here");
        assert_eq!(of(&udp(30, 50), 1), why);
        assert!(matches!(of(&udp(99, 10), 1), Verdict::Bad { .. }));
        assert_eq!(of(&udp(99, 79), 1), why);
    }

    #[test]
    fn crc32c_of_the_examples_of_rfc_3720() {
        let crc = |bytes: &[u8]| !crc_register(CRC_START, bytes);
        let rising: Vec<u8> = (0..32).collect();
        // Appendix B.4 gives the bytes as they are sent, the lowest first.
        assert_eq!(crc(&[0; 32]).to_le_bytes(), [0xaa, 0x36, 0x91, 0x8a]);
        assert_eq!(crc(&[0xff; 32]).to_le_bytes(), [0x43, 0xab, 0xa8, 0x62]);
        assert_eq!(crc(&rising).to_le_bytes(), [0x4e, 0x79, 0xdd, 0x46]);
        assert_eq!(crc(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn odd_long_and_all_ones() {
        // RFC 1071 section 3's own example.
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), 0xddf2);
        assert_eq!(sum(&[0x12]), 0x1200);
        assert_eq!(fold(sum(&[0xff; 70_001])), 0xff00);
        assert_eq!(fold(0xffff), 0xffff);
        assert_eq!(fold(0x1_ffff), 1);
    }
}
