//! Dissection: from bytes to layers. It never fails: it gives the layers that it could read and where and why it
//! stopped. Depth and cost are bounded.

use std::ops::Range;

use super::bits;
use super::protocols;
use super::table::{Fills, Header, Next, Space, To};
use super::view::{Layer, LayerView};

/// Layers beyond this are shown as payload.
pub const MAX_LAYERS: usize = 32;

/// Where and why dissection stopped before the bytes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Offset in the packet.
    pub at: usize,
    /// Which length, said by which field, was wrong or short by how many bytes.
    pub why: String,
}

/// The layers of a packet.
#[derive(Clone, Debug, Default)]
pub struct Dissection {
    /// From the outermost on; headers follow each other without a gap.
    pub layers: Vec<Layer>,
    /// What the innermost layer carries and no table describes.
    pub payload: Range<usize>,
    /// Bytes past the length that the layers say (Ethernet padding, for one).
    pub trailer: Range<usize>,
    /// Why the layers end early, if they do.
    pub stop: Option<Stop>,
}

impl Dissection {
    /// A look at layer `index` of the packet that was dissected.
    #[must_use]
    pub fn view<'a>(&'a self, bytes: &'a [u8], index: usize) -> LayerView<'a> {
        LayerView { bytes, layers: &self.layers, index }
    }
}

/// The header that a packet of this link type begins with.
#[must_use]
pub fn first_header(link_type: u32, bytes: &[u8]) -> Option<&'static Header> {
    const RAW: [u32; 3] = [101, 12, 14];
    if RAW.contains(&link_type) {
        return by_version(bytes);
    }
    protocols::by_number(Space::LinkType, u64::from(link_type), bytes)
}

/// The link header of frames that go out on an interface.
#[must_use]
pub fn ethernet() -> &'static Header {
    const ETHERNET: u32 = 1;
    protocols::ALL
        .iter()
        .copied()
        .find(|h| h.only_when.is_none() && h.found_by.contains(&(Space::LinkType, ETHERNET)))
        .unwrap_or(protocols::ALL[0])
}

fn by_version(bytes: &[u8]) -> Option<&'static Header> {
    protocols::by_number(Space::IpVersion, u64::from(bytes.first()? >> 4), bytes)
}

fn follow(next: &[Next], header: &[u8], payload: &[u8]) -> Option<(&'static Header, bool)> {
    for rule in next {
        if rule.when.is_some_and(|w| !w.holds(header)) {
            continue;
        }
        if matches!(rule.to, To::Nothing) {
            return None;
        }
        if let Some(found) = target(rule.to, header, payload) {
            return Some((found, rule.quoted));
        }
    }
    None
}

/// The header that a rule finds.
#[inline]
fn target(to: To, header: &[u8], payload: &[u8]) -> Option<&'static Header> {
    match to {
        To::Selected { by, space } => protocols::by_number(space, bits::word(header, by.bits)?, payload),
        To::Either { by: [a, b], space } => {
            let (a, b) = (bits::word(header, a.bits)?, bits::word(header, b.bits)?);
            let found = protocols::by_number(space, a.min(b), payload);
            found.or_else(|| protocols::by_number(space, a.max(b), payload))
        }
        To::Always(space, number) => protocols::by_number(space, u64::from(number), payload),
        To::Version => by_version(payload),
        To::Nothing => None,
    }
}

/// Reads the layers of a packet of this link type (tcpdump.org/linktypes).
#[must_use]
pub fn dissect(link_type: u32, bytes: &[u8]) -> Dissection {
    dissect_from(first_header(link_type, bytes), bytes)
}

/// The same, into a dissection that is there already: for many packets one after the other, without an allocation for
/// each.
pub fn dissect_into(link_type: u32, bytes: &[u8], found: &mut Dissection) {
    walk(first_header(link_type, bytes), bytes, &|_| true, found);
}

/// The same, as far as somebody looks: after a header for which `goes_on` says no, nothing is read.
pub fn dissect_while(
    link_type: u32,
    bytes: &[u8],
    goes_on: &dyn Fn(&'static Header) -> bool,
    found: &mut Dissection,
) {
    walk(first_header(link_type, bytes), bytes, goes_on, found);
}

/// Reads the layers of a packet that begins with `first`.
#[must_use]
pub fn dissect_from(first: Option<&'static Header>, bytes: &[u8]) -> Dissection {
    let mut found = Dissection::default();
    walk(first, bytes, &|_| true, &mut found);
    found
}

fn walk(
    first: Option<&'static Header>,
    bytes: &[u8],
    goes_on: &dyn Fn(&'static Header) -> bool,
    found: &mut Dissection,
) {
    // Headers reach into the second line of the processor's cache: with packets that come from memory it is asked for
    // while the first is still on its way.
    std::hint::black_box(bytes.get(64).copied());
    found.layers.clear();
    found.stop = None;
    let mut walk =
        Walk { bytes, at: 0, end: bytes.len(), declared_end: bytes.len(), quoted: false, goes_on, found };
    let mut next = first;
    while let Some(header) = next {
        if walk.at == walk.end || walk.found.layers.len() == MAX_LAYERS {
            break;
        }
        next = walk.layer(header);
    }
    let (at, end) = (walk.at, walk.end);
    found.payload = at.min(end)..end;
    found.trailer = end..bytes.len();
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    declared_end: usize,
    quoted: bool,
    goes_on: &'a dyn Fn(&'static Header) -> bool,
    found: &'a mut Dissection,
}

impl Walk<'_> {
    /// Takes one layer and says which header follows.
    fn layer(&mut self, header: &'static Header) -> Option<&'static Header> {
        let bytes = &self.bytes[self.at..self.end];
        let Some(mut len) = header.len_in(bytes) else { return self.short(header, bytes) };
        self.extent(header, bytes, len);
        if header.items.is_some() && header.list(bytes).is_some_and(|list| list.fills == Fills::Message) {
            len = self.end.max(self.at + len) - self.at;
        }
        self.push(header, len);
        let header_bytes = &bytes[..len];
        self.at += len;
        // Nothing is behind it, or nobody looks: no need to ask what it would be.
        if self.at == self.end || !(self.goes_on)(header) {
            return None;
        }
        let (next, quoted) = follow(header.next, header_bytes, &self.bytes[self.at..self.end.max(self.at)])?;
        self.quoted |= quoted;
        Some(next)
    }

    /// A header that is not wholly there, or that says a length that cannot be.
    #[cold]
    fn short(&mut self, header: &'static Header, bytes: &[u8]) -> Option<&'static Header> {
        let (available, min) = (bytes.len(), header.min_len());
        let needs =
            |needed| format!("{}: the header needs {needed} bytes, {available} are left", header.name);
        if available < min {
            return self.stop(header, available, needs(min));
        }
        match header.said_len(bytes) {
            Some((by, said)) if said < min => {
                let by = by.label;
                let why = format!("{}: {by} says {said} bytes, the header needs {min}", header.name);
                self.stop(header, min, why)
            }
            Some((by, said)) if said > available => {
                let by = by.label;
                let short = said - available;
                let why = format!("{}: {by} says {said} bytes, {short} more than are left", header.name);
                self.stop(header, available, why)
            }
            _ => self.stop(header, available, needs(header.fixed_len(bytes))),
        }
    }

    /// Narrows the bytes to the length that the header says.
    fn extent(&mut self, header: &'static Header, bytes: &[u8], len: usize) {
        let Some(extent) = header.extent else { return };
        let stored = extent.by.word(bytes).unwrap_or(0) as usize;
        // Offload super-packets carry a length of 0: the rest belongs to them.
        if stored == 0 && extent.zero_is_open.is_none_or(|w| w.holds(bytes)) {
            return;
        }
        let said = stored * extent.by.scale as usize + extent.beyond;
        if said < len {
            let why =
                format!("{}: {} says {said} bytes, the header alone has {len}", header.name, extent.by.label);
            self.note(why);
            return;
        }
        let declared = self.at + said;
        if declared <= self.declared_end || self.quoted {
            self.declared_end = declared;
        } else {
            let short = declared - self.declared_end;
            let why = format!(
                "{}: {} says {said} bytes, {short} more than there are",
                header.name, extent.by.label
            );
            self.declared_end = declared;
            self.note(why);
        }
        self.end = self.end.min(declared);
    }

    #[cold]
    fn note(&mut self, why: String) {
        if self.found.stop.is_none() {
            self.found.stop = Some(Stop { at: self.at, why });
        }
    }

    fn push(&mut self, header: &'static Header, len: usize) {
        let declared = self.declared_end.max(self.end) - self.at;
        self.found.layers.push(Layer {
            header,
            start: self.at,
            len,
            end: self.end,
            declared,
            quoted: self.quoted,
        });
    }

    fn stop(&mut self, header: &'static Header, len: usize, why: String) -> Option<&'static Header> {
        // A quotation is cut short by design (RFC 792: the header and 8 bytes).
        if !self.quoted {
            self.note(why);
        }
        self.push(header, len);
        self.at += len;
        None
    }
}
