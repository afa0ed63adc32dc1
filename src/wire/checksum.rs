//! The Internet checksum, RFC 1071, with its work shown: pseudo header, covered words, sum, folds, complement.

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
    /// The sum of all words.
    pub sum: u64,
    /// The sum after each fold, the last one within 16 bits; empty when it needs none.
    pub folds: Vec<u64>,
    /// The complement of the folded sum.
    pub complement: u16,
    /// What belongs into the field: the complement, or all ones where zero means "none".
    pub computed: u16,
    /// What stands in the field.
    pub stored: u16,
    /// A stored zero means that there is none.
    pub zero_is_none: bool,
    /// A stored zero would mean that there is none, which the network layer does not allow.
    pub zero_is_forbidden: bool,
}

impl Work {
    /// Whether a receiver takes the stored value for right, as [`accepted`].
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        let missing = self.zero_is_forbidden && self.stored == 0;
        !missing && fold(self.sum + u64::from(self.stored)) == 0xffff
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
        computed: u16,
    },
    /// The sender computed none where there has to be one (UDP over IPv6, RFC 8200 section 8.1; RFC 6935 excepts
    /// tunnels): a receiver drops the packet.
    Missing {
        /// What it should be.
        computed: u16,
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
            Self::Bad { computed } => format!("bad, should be 0x{computed:04x}"),
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
    let none = field_of(view).is_some_and(|(.., zero_is_none)| zero_is_none);
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

/// The pseudo header of `layer`, whose message has `len` bytes: RFC 9293 section 3.1 over IPv4 (32-bit addresses),
/// RFC 8200 section 8.1 over IPv6.
fn pseudo_header(view: &LayerView<'_>, len: usize) -> Vec<PseudoWord> {
    let Some(network) = network_below(view) else { return Vec::new() };
    let Some((src, dst)) = network.layer().header.ends else { return Vec::new() };
    let header = network.header_bytes();
    let mut words = Vec::new();
    let mut push = |label, value: u128, width: usize| {
        words.extend((0..width / 16).rev().map(|i| PseudoWord { label, word: (value >> (16 * i)) as u16 }));
    };
    // What a list of options says instead of the header, the last one that does.
    let instead = |of: fn(&ItemList) -> Option<AddressOf>, width: usize| {
        let layers = (network.index..view.index).rev().map(|index| LayerView { index, ..*view });
        let mut said = layers.filter_map(|layer| {
            let list = layer.layer().header.list(layer.header_bytes())?;
            of(list)?(&layer).filter(|address| *address <= bits::max_value(width))
        });
        said.next()
    };
    match instead(|list| list.origin, src.bits.width) {
        Some(home) => push("home address", home, src.bits.width),
        None => push("source address", bits::get(header, src.bits).unwrap_or(0), src.bits.width),
    }
    match instead(|list| list.route, dst.bits.width) {
        Some(last) => push("final destination of the route", last, dst.bits.width),
        None => push("destination address", bits::get(header, dst.bits).unwrap_or(0), dst.bits.width),
    }
    let protocol = u128::from(view.layer().header.number_in(Space::IpProtocol).unwrap_or(0));
    if src.bits.width == 32 {
        push("zero, protocol", protocol, 16);
        push("length", len as u128, 16);
    } else {
        push("length", len as u128, 32);
        push("zero, next header", protocol, 32);
    }
    words
}

/// The work for the checksum of layer `index`; `None` when its table has no checksum or the field is cut off.
#[must_use]
pub fn work(bytes: &[u8], layers: &[Layer], index: usize) -> Option<Work> {
    let view = LayerView { bytes, layers, index };
    let layer = layers.get(index)?;
    let (field_index, field, coverage, zero_is_none) = field_of(&view)?;
    if field.bits.end() > layer.len * 8 {
        return None;
    }
    let bits = BitRange { start: layer.start * 8 + field.bits.start, width: field.bits.width };
    let stored = bits::get(bytes, bits)? as u16;
    let covered = match coverage {
        Coverage::Header => layer.header_range(),
        Coverage::Message | Coverage::PseudoHeader => layer.start..layer.end,
    };
    let pseudo = match coverage {
        Coverage::PseudoHeader => pseudo_header(&view, covered.len()),
        _ => Vec::new(),
    };
    let mut data = bytes.get(covered.clone())?.to_vec();
    let at = field.bits.start / 8;
    data[at..at + 2].fill(0);
    let words: Vec<u16> =
        data.chunks(2).map(|c| u16::from_be_bytes([c[0], c.get(1).copied().unwrap_or(0)])).collect();
    let total = pseudo.iter().map(|p| u64::from(p.word)).chain(words.iter().map(|w| u64::from(*w))).sum();
    let mut folds = Vec::new();
    let mut folded: u64 = total;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
        folds.push(folded);
    }
    let complement = !(folded as u16);
    let computed = if zero_is_none && complement == 0 { 0xffff } else { complement };
    let path = Path::header(index, field_index);
    Some(Work {
        path,
        bits,
        pseudo,
        covered,
        words,
        sum: total,
        folds,
        complement,
        computed,
        stored,
        zero_is_none: may_be_none(&view),
        zero_is_forbidden: zero_is_none && !may_be_none(&view),
    })
}

/// The sum over all that the checksum of a layer covers, with the stored word in it.
struct Covered {
    sum: u64,
    stored: u16,
    zero_is_none: bool,
}

impl Covered {
    /// `None` when the table has no checksum or the field is cut off.
    fn of(bytes: &[u8], layers: &[Layer], index: usize) -> Option<Self> {
        let layer = layers.get(index)?;
        let view = LayerView { bytes, layers, index };
        let (_, field, coverage, zero_is_none) = field_of(&view)?;
        let covered = match coverage {
            Coverage::Header => layer.header_range(),
            Coverage::Message | Coverage::PseudoHeader => layer.start..layer.end,
        };
        let data = bytes.get(covered.clone())?;
        let stored = bits::get(data, field.bits)? as u16;
        let mut total = sum(data);
        if coverage == Coverage::PseudoHeader {
            total += pseudo_header(&view, covered.len()).iter().map(|p| u64::from(p.word)).sum::<u64>();
        }
        Some(Self { sum: total, stored, zero_is_none })
    }

    /// What belongs into the field.
    fn computed(&self) -> u16 {
        // The field stands on a 16-bit boundary in every table (an invariant test): take its word out again.
        let complement = !fold(self.sum - u64::from(self.stored));
        if self.zero_is_none && complement == 0 { 0xffff } else { complement }
    }
}

/// What belongs into the checksum field of layer `index`, without the work shown.
#[must_use]
pub fn compute(bytes: &[u8], layers: &[Layer], index: usize) -> Option<u16> {
    Covered::of(bytes, layers, index).map(|c| c.computed())
}

/// Whether a receiver takes the stored checksum of layer `index` for right: all words with the stored one sum up to
/// all ones (RFC 1071 section 1). So 0xffff passes where 0x0000 is computed: in one's complement both are zero. That a
/// stored zero may mean "none" is not looked at, but where that is forbidden no zero is right.
#[must_use]
pub fn accepted(bytes: &[u8], layers: &[Layer], index: usize) -> Option<bool> {
    let found = Covered::of(bytes, layers, index)?;
    let forbidden = found.zero_is_none && !may_be_none(&LayerView { bytes, layers, index });
    Some(fold(found.sum) == 0xffff && !(forbidden && found.stored == 0))
}

/// The verdict on the checksum of layer `index`. `left_to_card`: the capture says that the kernel had not computed the
/// transport checksum yet.
#[must_use]
pub fn verdict(bytes: &[u8], layers: &[Layer], index: usize, left_to_card: bool) -> Option<Verdict> {
    let view = LayerView { bytes, layers, index };
    let layer = layers.get(index)?;
    let (_, field, coverage, zero_is_none) = field_of(&view)?;
    let stored = bits::get(view.header_bytes(), field.bits)? as u16;
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
        if layer.declared > layer.end - layer.start {
            return Some(Verdict::NotCovered("the lengths claim more bytes than are here"));
        }
        if coverage == Coverage::PseudoHeader && network.is_none() {
            return Some(Verdict::NotCovered("no network layer"));
        }
        if zero_is_none && stored == 0 {
            return Some(match (may_be_none(&view), left_to_card) {
                (true, _) => Verdict::Absent,
                (false, true) => Verdict::LeftToCard,
                (false, false) => Verdict::Missing { computed: compute(bytes, layers, index)? },
            });
        }
    }
    if accepted(bytes, layers, index)? {
        return Some(Verdict::Good);
    }
    if coverage != Coverage::Header && left_to_card {
        return Some(Verdict::LeftToCard);
    }
    Some(Verdict::Bad { computed: compute(bytes, layers, index)? })
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
        packet[4..6].copy_from_slice(&computed.to_be_bytes());
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
    fn odd_long_and_all_ones() {
        // RFC 1071 section 3's own example.
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), 0xddf2);
        assert_eq!(sum(&[0x12]), 0x1200);
        assert_eq!(fold(sum(&[0xff; 70_001])), 0xff00);
        assert_eq!(fold(0xffff), 0xffff);
        assert_eq!(fold(0x1_ffff), 1);
    }
}
