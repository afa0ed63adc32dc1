//! QUIC: what of a long header is not encrypted, RFC 9000 section 17.2.

use super::{Cursor, Reader};
use crate::wire::bits::{self, BitRange};
use crate::wire::table::Field;

/// Versions (IANA).
pub const VERSIONS: &[(u64, &str)] =
    &[(0, "Version negotiation"), (1, "Version 1"), (V2, "Version 2"), (0xff00_001d, "draft-29")];
const V2: u64 = 0x6b33_43cf;

static FORM: Field = Field::flag("header_form", "Header Form", 0);
static FIXED: Field = Field::flag("fixed_bit", "Fixed Bit", 1);
static TYPE: Field = Field::number("long.packet_type", "Packet Type", 0, 2);
static VERSION: Field = Field::hex("version", "Version", 0, 32).names(VERSIONS);
static DCIL: Field = Field::number("dcil", "Destination Connection ID Length", 0, 8);
static DCID: Field = Field::bytes("dcid", "Destination Connection ID", 0, 0);
static SCIL: Field = Field::number("scil", "Source Connection ID Length", 0, 8);
static SCID: Field = Field::bytes("scid", "Source Connection ID", 0, 0);
static TOKEN_LENGTH: Field = Field::number("token_length", "Token Length", 0, 0);
static TOKEN: Field = Field::bytes("token", "Token", 0, 0);
static LENGTH: Field = Field::number("length", "Length", 0, 0);
static PAYLOAD: Field = Field::bytes("remaining_payload", "Protected Payload", 0, 0);
static RETRY_TOKEN: Field = Field::bytes("retry_token", "Retry Token", 0, 0);
static RETRY_TAG: Field = Field::bytes("retry_integrity_tag", "Retry Integrity Tag", 0, 128);
static SUPPORTED: Field = Field::hex("supported_version", "Supported Version", 0, 32).names(VERSIONS);

/// QUIC's long headers.
pub static READER: Reader = Reader {
    fields: &[
        &FORM,
        &FIXED,
        &TYPE,
        &VERSION,
        &DCIL,
        &DCID,
        &SCIL,
        &SCID,
        &TOKEN_LENGTH,
        &TOKEN,
        &LENGTH,
        &PAYLOAD,
        &RETRY_TOKEN,
        &RETRY_TAG,
        &SUPPORTED,
    ],
    read,
    ..Reader::PLAIN
};

/// What a long header is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It begins a connection.
    Initial,
    /// Data before the handshake is done.
    ZeroRtt,
    /// The rest of the handshake.
    Handshake,
    /// The server wants to see a token.
    Retry,
    /// The server does not speak the version.
    Negotiation,
}

/// The kind that first byte and version say (RFC 9000 section 17.2, RFC 9369 section 3.2).
#[must_use]
pub fn kind(first: u8, version: u64) -> Kind {
    let code = first >> 4 & 3;
    let code = if version == V2 { code.wrapping_sub(1) & 3 } else { code };
    match (version, code) {
        (0, _) => Kind::Negotiation,
        (_, 0) => Kind::Initial,
        (_, 1) => Kind::ZeroRtt,
        (_, 2) => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// Bytes of first byte and version.
pub const FIXED_LEN: usize = 5;
/// The longest connection identifier of the versions that are known.
const LONGEST_ID: u8 = 20;

/// Whether a long header of a version that is known begins here.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    let Some([first, version @ ..]) = bytes.first_chunk::<FIXED_LEN>() else { return false };
    let version = u64::from(u32::from_be_bytes(*version));
    let known = VERSIONS.iter().any(|(n, _)| *n == version);
    let id = bytes.get(FIXED_LEN).is_none_or(|len| *len <= LONGEST_ID);
    first & 0x80 != 0 && (version == 0 || first & 0x40 != 0) && known && id
}

fn read(c: &mut Cursor<'_>) {
    let Some(head) = c.bytes.first_chunk::<FIXED_LEN>() else { return };
    let mut head = *head;
    loop {
        let version = u64::from(u32::from_be_bytes([head[1], head[2], head[3], head[4]]));
        if packet(c, kind(head[0], version)).is_none() {
            return;
        }
        // Another packet may stand in the same datagram (section 12.2); what is none is padding.
        let Some(next) = c.rest().first_chunk::<FIXED_LEN>().filter(|_| begins(c.rest())) else { return };
        head = *next;
        let first = [(&FORM, 0, 1), (&FIXED, 1, 1), (&TYPE, 2, 2)];
        if first.into_iter().any(|(field, start, width)| c.part(field, start, width).is_none()) {
            return;
        }
        c.at += 1;
        if c.number(&VERSION, 4).is_none() {
            return;
        }
    }
}

fn packet(c: &mut Cursor<'_>, kind: Kind) -> Option<()> {
    let len = c.number(&DCIL, 1)? as usize;
    c.plain(&DCID, len)?;
    let len = c.number(&SCIL, 1)? as usize;
    c.plain(&SCID, len)?;
    match kind {
        Kind::Negotiation => {
            while c.left() > 0 {
                c.number(&SUPPORTED, 4)?;
            }
            return None;
        }
        Kind::Retry => {
            let tag = RETRY_TAG.bits.width / 8;
            c.plain(&RETRY_TOKEN, c.left().saturating_sub(tag))?;
            c.plain(&RETRY_TAG, tag)?;
            return None;
        }
        Kind::Initial => {
            let len = variable(c, &TOKEN_LENGTH)?;
            c.plain(&TOKEN, len)?;
        }
        Kind::ZeroRtt | Kind::Handshake => {}
    }
    let len = variable(c, &LENGTH)?;
    if len > c.left() {
        let more = len - c.left();
        c.stop(c.at, format!("{} says {len} bytes, {more} more than are left", LENGTH.label));
    }
    c.plain(&PAYLOAD, len.min(c.left())).map(|_| ())
}

/// A number whose first two bits say how long it is (section 16).
fn variable(c: &mut Cursor<'_>, field: &'static Field) -> Option<usize> {
    let len = 1usize << (c.rest().first().copied().unwrap_or(0) >> 6);
    c.has(field, len)?;
    let bits = BitRange { start: c.at * 8 + 2, width: len * 8 - 2 };
    c.add(field, bits, None)?;
    c.at += len;
    usize::try_from(bits::get(c.bytes, bits)?).ok()
}

/// The connection identifiers of the packet that begins here, for a list row: destination, then source.
#[must_use]
pub fn ids(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.get(FIXED_LEN..)?;
    let (len, rest) = rest.split_first()?;
    let (destination, rest) = rest.split_at_checked(usize::from(*len))?;
    let (len, rest) = rest.split_first()?;
    Some((destination, rest.get(..usize::from(*len))?))
}
