//! What a flow table has to know of a packet: read from its bytes alone, by any thread and in any order.

use super::super::checksum;
use super::super::view::{Layer, LayerView};

/// FIN, SYN, RST, PSH, ACK in the control bits of TCP (RFC 9293 section 3.1).
pub(super) const FIN: u16 = 1;
pub(super) const SYN: u16 = 2;
pub(super) const RST: u16 = 4;
pub(super) const PSH: u16 = 8;
pub(super) const ACK: u16 = 16;

/// Bytes of a TCP header up to its window: without them it belongs to no connection.
const ENOUGH: usize = 16;
/// Bytes of a TCP header without options, and of a UDP header.
const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;
/// Bytes up to the end of the sequence number.
const SEQ_END: usize = 8;
/// More than this no window is shifted (RFC 7323 section 2.3).
const MOST_SHIFT: u8 = 14;
/// Blocks of a SACK option that count towards the bytes in flight.
const MOST_BLOCKS: usize = 3;

/// Both ends of a flow, without a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The higher address; its version stands with the ports.
    high: u128,
    low: u128,
    ports: (u16, u16),
    six: bool,
    tcp: bool,
}

impl Ends {
    /// Those of a message, and whether it goes from the higher end to the lower one.
    fn new((src, dst): (u128, u128), (from, to): (u16, u16), six: bool, tcp: bool) -> (Self, bool) {
        let down = src > dst || src == dst && from > to;
        let ends = if down {
            Self { high: src, low: dst, ports: (from, to), six, tcp }
        } else {
            Self { high: dst, low: src, ports: (to, from), six, tcp }
        };
        (ends, down)
    }

    /// They are those of a TCP connection.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.tcp
    }
}

/// A TCP segment or a UDP datagram of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The index of its layer.
    pub(super) layer: u8,
    /// `None`: too little is there to know them.
    pub(super) ends: Option<Ends>,
    /// It goes from the higher end to the lower one.
    pub(super) down: bool,
    pub(super) segment: Option<Header>,
    /// Wireshark does not count its time: an empty datagram, or a quoted one.
    pub(super) untimed: bool,
}

/// What a TCP header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub seq: u32,
    /// `None`: cut off.
    pub ack: Option<u32>,
    pub flags: u16,
    pub window: u16,
    /// Bytes that it carries; `None`: nobody knows, since it is a fragment, quoted, or shorter than its header.
    pub len: Option<u32>,
    /// The header is as long as it has to be.
    pub long_enough: bool,
    /// All of the header without its options is there.
    pub whole: bool,
    /// So are the options.
    pub complete: bool,
    /// The shift of a window scale option.
    pub scale: Option<u8>,
    /// Bytes that SACK blocks say have arrived.
    pub sacked: u32,
    /// Kinds of MPTCP options (RFC 8684), a bit each.
    pub multipath: u16,
}

impl Header {
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// It opens or ends a connection, or breaks it.
    pub fn is_loud(&self) -> bool {
        self.has(SYN | FIN | RST)
    }
}

/// Adds what a flow table has to know of a packet, its segments and datagrams from the outermost on. `cut`: bytes that were
/// on the wire and are not in the capture.
pub fn seen(bytes: &[u8], layers: &[Layer], cut: usize, all: &mut Vec<Seen>) {
    for (index, layer) in layers.iter().enumerate() {
        let view = LayerView { bytes, layers, index };
        let rest = bytes.get(layer.start..layer.end.max(layer.start + layer.len)).unwrap_or_default();
        let found = match layer.header.key {
            "tcp" => segment(&view, rest, cut),
            "udp" | "udplite" => datagram(&view, rest),
            _ => continue,
        };
        all.extend(found);
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) << 16 | u32::from(half(bytes, at + 2))
}

fn datagram(view: &LayerView<'_>, rest: &[u8]) -> Option<Seen> {
    let layer = view.layer();
    if rest.len() < UDP_LEN {
        return None;
    }
    let (ends, down) = ends(view, rest, false)?;
    // A length of 0 says nothing over IPv6 (RFC 2675 section 4); what UDP-Lite has there is none.
    let least = if ends.six { 1 } else { 0 };
    if layer.header.key == "udp" && (least..UDP_LEN).contains(&usize::from(half(rest, 4))) {
        return None;
    }
    let untimed = layer.quoted || layer.declared <= UDP_LEN;
    Some(Seen { layer: u8::try_from(view.index).ok()?, ends: Some(ends), down, segment: None, untimed })
}

fn ends(view: &LayerView<'_>, rest: &[u8], tcp: bool) -> Option<(Ends, bool)> {
    let between = checksum::ends(view)?;
    let addresses = (between.source.1, between.destination.1);
    Some(Ends::new(addresses, (half(rest, 0), half(rest, 2)), between.width == 128, tcp))
}

fn segment(view: &LayerView<'_>, rest: &[u8], cut: usize) -> Option<Seen> {
    if rest.len() < SEQ_END {
        return None;
    }
    let header_len = usize::from(rest.get(12).copied().unwrap_or(0) >> 4) * 4;
    let long_enough = header_len >= TCP_LEN;
    let mut header = Header {
        seq: word(rest, 4),
        ack: (rest.len() >= 12).then(|| word(rest, 8)),
        flags: half(rest, 12) & 0xfff,
        window: half(rest, 14),
        len: carried(view, header_len, cut),
        long_enough,
        whole: rest.len() >= TCP_LEN,
        complete: rest.len() >= header_len,
        ..Header::default()
    };
    if long_enough && rest.len() > TCP_LEN {
        options(&rest[TCP_LEN..header_len.min(rest.len())], &mut header);
    }
    let both = if rest.len() < ENOUGH { None } else { ends(view, rest, true) };
    let (ends, down) = both.map_or((None, false), |(ends, down)| (Some(ends), down));
    // A quotation of RFC 792 ends before the rest.
    if ends.is_none() && !is_quoted_by_icmp(view) {
        return None;
    }
    Some(Seen {
        layer: u8::try_from(view.index).ok()?,
        ends,
        down,
        segment: Some(header),
        untimed: !header.whole || !long_enough,
    })
}

fn is_quoted_by_icmp(view: &LayerView<'_>) -> bool {
    let key = |back: usize| view.index.checked_sub(back).map(|index| view.layers[index].header.key);
    key(1) == Some("ip") && key(2) == Some("icmp")
}

/// Bytes behind the header, as the packet had them on the wire.
fn carried(view: &LayerView<'_>, header_len: usize, cut: usize) -> Option<u32> {
    let layer = view.layer();
    let more = |l: &Layer| {
        let header = view.bytes.get(l.header_range()).unwrap_or_default();
        l.header.fragment.is_some_and(|rule| rule.more.word(header).is_some_and(|m| m != 0))
    };
    // How long the whole is stands in the last of several fragments.
    if layer.quoted || view.layers[..view.index].iter().any(more) {
        return None;
    }
    let here = layer.end - layer.start;
    let all = here + layer.declared.saturating_sub(here).min(cut);
    u32::try_from(all.checked_sub(header_len)?).ok()
}

/// What the options say of the flow (RFC 7323 section 2.2, RFC 2018 section 3, RFC 8684 section 3).
fn options(list: &[u8], header: &mut Header) {
    let mut at = 0;
    while let Some(&kind) = list.get(at) {
        if kind == 0 {
            return;
        }
        if kind == 1 {
            at += 1;
            continue;
        }
        let Some(len) = list.get(at + 1).map(|len| usize::from(*len)) else { return };
        if len < 2 {
            return;
        }
        // Of one that is cut off, what is there.
        let option = &list[at..(at + len).min(list.len())];
        match (kind, len) {
            (3, 3) if option.len() == 3 => header.scale = Some(option[2].min(MOST_SHIFT)),
            (5, 2..) => {
                let blocks = option.get(2..).unwrap_or_default().chunks_exact(8).take(MOST_BLOCKS);
                let bytes = blocks.map(|b| word(b, 4).wrapping_sub(word(b, 0)));
                header.sacked = bytes.fold(0, u32::wrapping_add);
            }
            (30, 3..) if option.len() > 2 => header.multipath |= 1 << (option[2] >> 4),
            _ => {}
        }
        at += len;
    }
}
