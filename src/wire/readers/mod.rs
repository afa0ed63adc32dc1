//! Readers: what no table can say of a packet (names that point elsewhere, lists in lists, text).
//!
//! A reader only reads. It gives the values that it finds one after the other, each with its field and its bits, and says
//! where and why it stopped. It is total: any bytes of any length, at a cost that [`MAX_READINGS`] bounds.

pub mod dns;
pub mod http;
pub mod icmp;
#[cfg(test)]
mod proptests;
pub mod quic;
pub mod radiotap;
pub mod rpl;
pub mod tls;
mod tls_hello;

use super::bits::{self, BitRange};
use super::dissect::Stop;
use super::table::Field;
use super::value;

/// Values of one layer; what is beyond stays unread.
pub const MAX_READINGS: usize = 2048;

/// What a protocol says of the part that no table can say.
#[derive(Debug)]
pub struct Reader {
    /// The fields that it finds. Their width tells how a number is written; 0: it varies.
    pub fields: &'static [&'static Field],
    /// Reads a layer from behind its header on.
    pub read: fn(&mut Cursor<'_>),
    /// What the keys of its fields begin with, where that is not the protocol of the header.
    pub prefix: &'static str,
    /// It reads what stands in the header behind the fixed part, not what stands behind the header.
    pub within: bool,
}

impl Reader {
    /// What a reader leaves out.
    pub const PLAIN: Self = Self { fields: &[], read: |_| {}, prefix: "", within: false };

    /// Reads a layer: header and payload, where they begin in the packet, and how long the header and its fixed part are
    /// (all in bytes). The places of what it finds are those in the packet. `destination`: where the packet goes, by its network
    /// header.
    #[must_use]
    pub fn run(
        &self,
        layer: &[u8],
        start: usize,
        (header, fixed): (usize, usize),
        destination: Option<u128>,
    ) -> Readings {
        let (at, end) = if self.within { (fixed, header) } else { (header, layer.len()) };
        let end = end.min(layer.len());
        let mut cursor =
            Cursor { bytes: layer, at: at.min(end), end, depth: 0, destination, found: Readings::default() };
        (self.read)(&mut cursor);
        let mut found = cursor.found;
        found.end = start + cursor.at.max(header.min(layer.len()));
        for reading in &mut found.list {
            reading.bits.start += start * 8;
        }
        if let Some(stop) = &mut found.stop {
            stop.at += start;
        }
        found
    }
}

/// One value that a reader found.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it is.
    pub field: &'static Field,
    /// Where it stands in the packet.
    pub bits: BitRange,
    /// The value where it is not what the bits say (a name, a text).
    pub text: Option<String>,
    /// How deep it stands in the tree; 0: right below the layer.
    pub depth: usize,
}

impl Reading {
    /// The value as Wireshark prints it for its key; `packet` is the whole packet.
    #[must_use]
    pub fn value(&self, packet: &[u8]) -> String {
        self.text.clone().unwrap_or_else(|| value::text(self.field, packet, self.bits))
    }

    /// What the table says that the value means, if it does.
    #[must_use]
    pub fn meaning(&self, packet: &[u8]) -> Option<String> {
        let stored = bits::get(packet, self.bits).filter(|_| self.text.is_none())?;
        value::meaning_of(self.field, stored).map(Into::into)
    }
}

/// What a reader found in a layer.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// The values, in the order in which they were read.
    pub list: Vec<Reading>,
    /// Why it stopped before the bytes ended, if it did.
    pub stop: Option<Stop>,
    /// Where it ended: what follows is data.
    pub end: usize,
}

/// A reader's place in its layer. Everything that asks for more than there is notes where and why, and gives `None`.
#[derive(Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    depth: usize,
    destination: Option<u128>,
    found: Readings,
}

impl<'a> Cursor<'a> {
    /// Bytes that are left, of what encloses this place.
    fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// Those bytes.
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    /// Notes why it goes no further; the first reason stays.
    fn stop(&mut self, at: usize, why: String) {
        if self.found.stop.is_none() {
            self.found.stop = Some(Stop { at, why });
        }
    }

    /// Enters a value; `None` when there are too many.
    fn add(&mut self, field: &'static Field, bits: BitRange, text: Option<String>) -> Option<()> {
        if self.found.list.len() >= MAX_READINGS {
            self.stop(bits.start / 8, format!("more than {MAX_READINGS} values: the rest is not read"));
            return None;
        }
        self.found.list.push(Reading { field, bits, text, depth: self.depth });
        Some(())
    }

    /// Whether so many bytes are there for the field.
    fn has(&mut self, field: &Field, len: usize) -> Option<()> {
        let left = self.left();
        if len > left {
            self.stop(self.at, format!("{} needs {len} bytes, {left} are left", field.label));
            return None;
        }
        Some(())
    }

    /// Takes a number of so many bytes.
    fn number(&mut self, field: &'static Field, len: usize) -> Option<u64> {
        self.has(field, len)?;
        let bits = BitRange { start: self.at * 8, width: len * 8 };
        self.add(field, bits, None)?;
        self.at += len;
        u64::try_from(bits::get(self.bytes, bits)?).ok()
    }

    /// Takes the bits of the next bytes that a field has, without going on: for the parts of one number.
    fn part(&mut self, field: &'static Field, start: usize, width: usize) -> Option<u64> {
        let bits = BitRange { start: self.at * 8 + start, width };
        self.has(field, (start + width).div_ceil(8))?;
        self.add(field, bits, None)?;
        u64::try_from(bits::get(self.bytes, bits)?).ok()
    }

    /// Takes so many bytes; none at all are no value.
    fn plain(&mut self, field: &'static Field, len: usize) -> Option<&'a [u8]> {
        self.has(field, len)?;
        if len > 0 {
            self.add(field, BitRange { start: self.at * 8, width: len * 8 }, None)?;
        }
        let taken = self.bytes.get(self.at..self.at + len)?;
        self.at += len;
        Some(taken)
    }

    /// Takes so many bytes as text.
    fn text(&mut self, field: &'static Field, len: usize) -> Option<()> {
        self.has(field, len)?;
        let text = printable(self.bytes.get(self.at..self.at + len)?);
        self.add(field, BitRange { start: self.at * 8, width: len * 8 }, Some(text))?;
        self.at += len;
        Some(())
    }

    /// Reads `len` bytes with `read`, a level deeper, and goes on behind them however far that came.
    fn inside(&mut self, field: &Field, len: usize, read: impl FnOnce(&mut Self) -> Option<()>) {
        let (start, outer) = (self.at, self.end);
        if len > self.left() {
            let more = len - self.left();
            self.stop(start, format!("{} says {len} bytes, {more} more than are left", field.label));
        }
        self.end = outer.min(start.saturating_add(len));
        self.depth += 1;
        let _ = read(self);
        self.depth -= 1;
        self.at = self.end;
        self.end = outer;
    }
}

/// Text as Wireshark prints it: what has no glyph is escaped.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => text.push_str(&format!("\\x{:02x}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

/// The bytes as a number, most significant first.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().take(4).fold(0, |value, byte| value << 8 | usize::from(*byte))
}
