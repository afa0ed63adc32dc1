//! Extensions of ICMP messages: RFC 4884 (the structure), RFC 4950 (MPLS label stack), RFC 5837 (interface information),
//! RFC 8335 (interface identification). Both versions of ICMP have them, and Wireshark has one name for both.

use super::{Cursor, Reader};
use crate::wire::checksum;
use crate::wire::table::Field;

static VERSION: Field = Field::number("ext.version", "Extension Version", 0, 4);
static RESERVED: Field = Field::hex("ext.res", "Reserved", 0, 12);
static CHECKSUM: Field = Field::hex("ext.checksum", "Extension Checksum", 0, 16);
static LENGTH: Field = Field::number("ext.length", "Object Length", 0, 16);
static CLASS: Field = Field::number("ext.class", "Object Class", 0, 8).names(&[
    (1, "MPLS Label Stack"),
    (2, "Interface Information"),
    (3, "Interface Identification"),
]);
static C_TYPE: Field = Field::number("ext.ctype", "C-Type", 0, 8);
static DATA: Field = Field::bytes("ext.data", "Object Data", 0, 0);

static LABEL: Field = Field::number("mpls.label", "Label", 0, 20).reference("RFC 4950");
static EXP: Field = Field::number("mpls.exp", "Experimental", 0, 3).reference("RFC 4950");
static BOTTOM: Field = Field::flag("mpls.s", "Bottom of Stack", 0).reference("RFC 4950");
static TTL: Field = Field::number("mpls.ttl", "Time to Live", 0, 8).reference("RFC 4950");
static LEFT: Field = Field::bytes("mpls.data", "Rest of Label Stack", 0, 0).reference("RFC 4950");

static ROLE: Field = Field::number("int_info.role", "Interface Role", 0, 2)
    .names(&[(0, "incoming"), (1, "sub-IP part of incoming"), (2, "outgoing"), (3, "IP next hop")])
    .reference("RFC 5837");
static ROLE_RESERVED: Field = Field::number("int_info.reserved", "Reserved", 0, 2).reference("RFC 5837");
static HAS_INDEX: Field = Field::flag("int_info.ifindex", "Interface Index Present", 0).reference("RFC 5837");
static HAS_ADDRESS: Field = Field::flag("int_info.ipaddr", "IP Address Present", 0).reference("RFC 5837");
static HAS_NAME: Field =
    Field::flag("int_info.name_present", "Interface Name Present", 0).reference("RFC 5837");
static HAS_MTU: Field = Field::flag("int_info.mtu_present", "MTU Present", 0).reference("RFC 5837");
static INDEX: Field = Field::number("int_info.index", "Interface Index", 0, 32).reference("RFC 5837");
static FAMILY: Field =
    Field::number("int_info.afi", "Address Family", 0, 16).names(FAMILIES).reference("RFC 5837");
static FAMILY_RESERVED: Field = Field::bytes("reserved", "Reserved", 0, 16).reference("RFC 5837");
static INFO_V4: Field = Field::ipv4("int_info.ipv4", "Interface Address", 0).reference("RFC 5837");
static INFO_V6: Field = Field::ipv6("int_info.ipv6", "Interface Address", 0).reference("RFC 5837");
static NAME_LENGTH: Field = Field::number("int_info.name_length", "Name Length", 0, 8).reference("RFC 5837");
static NAME: Field = Field::text("int_info.name", "Interface Name", 0, 0).reference("RFC 5837");
static MTU: Field = Field::number("int_info.mtu", "Interface MTU", 0, 32).reference("RFC 5837");

static BY_NAME: Field = Field::text("int_ident.name", "Interface Name", 0, 0).reference("RFC 8335");
static BY_INDEX: Field = Field::number("int_ident.index", "Interface Index", 0, 32).reference("RFC 8335");
static BY_FAMILY: Field =
    Field::number("int_ident.afi", "Address Family", 0, 16).names(FAMILIES).reference("RFC 8335");
static BY_LENGTH: Field =
    Field::number("int_ident.addr_length", "Address Length", 0, 8).reference("RFC 8335");
static BY_RESERVED: Field = Field::bytes("int_ident.reserved", "Reserved", 0, 8).reference("RFC 8335");
static BY_V4: Field = Field::ipv4("int_ident.ipv4", "Interface Address", 0).reference("RFC 8335");
static BY_V6: Field = Field::ipv6("int_ident.ipv6", "Interface Address", 0).reference("RFC 8335");
static BY_ADDRESS: Field = Field::bytes("int_ident.address", "Interface Address", 0, 0).reference("RFC 8335");

/// IANA's address families.
const FAMILIES: &[(u64, &str)] = &[(1, "IPv4"), (2, "IPv6"), (6, "MAC")];

static FIELDS: &[&Field] = &[
    &VERSION,
    &RESERVED,
    &CHECKSUM,
    &LENGTH,
    &CLASS,
    &C_TYPE,
    &DATA,
    &LABEL,
    &EXP,
    &BOTTOM,
    &TTL,
    &LEFT,
    &ROLE,
    &ROLE_RESERVED,
    &HAS_INDEX,
    &HAS_ADDRESS,
    &HAS_NAME,
    &HAS_MTU,
    &INDEX,
    &FAMILY,
    &FAMILY_RESERVED,
    &INFO_V4,
    &INFO_V6,
    &NAME_LENGTH,
    &NAME,
    &MTU,
    &BY_NAME,
    &BY_INDEX,
    &BY_FAMILY,
    &BY_LENGTH,
    &BY_RESERVED,
    &BY_V4,
    &BY_V6,
    &BY_ADDRESS,
];

/// Extensions in ICMP.
pub static V4: Reader = Reader { fields: FIELDS, read: read_v4, prefix: "icmp", ..Reader::PLAIN };
/// Extensions in ICMPv6.
pub static V6: Reader = Reader { fields: FIELDS, read: read_v6, prefix: "icmp", ..Reader::PLAIN };

/// Bytes of type, code, checksum and the word behind them.
const HEADER: usize = 8;
/// Bytes to which what a message quotes is filled up before extensions.
const QUOTED: usize = 128;
/// The version of the structure.
const CURRENT: u8 = 2;

fn read_v4(c: &mut Cursor<'_>) {
    match c.bytes {
        // What it quotes is filled up to 128 bytes, whatever the length says (RFC 4884 section 5).
        [3 | 11 | 12, _, _, _, _, 0, ..] => behind_quoted(c, None),
        [3 | 11 | 12, _, _, _, _, words, ..] => behind_quoted(c, Some((usize::from(*words) * 4).max(QUOTED))),
        [42, ..] => extensions(c),
        _ => {}
    }
}

fn read_v6(c: &mut Cursor<'_>) {
    match c.bytes {
        [1 | 3, _, _, _, 0, ..] => behind_quoted(c, None),
        [1 | 3, _, _, _, eights, ..] => behind_quoted(c, Some(usize::from(*eights) * 8)),
        [160, ..] => extensions(c),
        _ => {}
    }
}

/// Extensions behind a quoted packet of so many bytes. Where its length is not said there may be some of a sender from
/// before RFC 4884, if they look like it (section 5.5).
fn behind_quoted(c: &mut Cursor<'_>, quoted: Option<usize>) {
    let at = HEADER + quoted.unwrap_or(QUOTED);
    let Some(behind) = c.bytes.get(at..) else { return };
    let looks_right = || {
        let version = behind.first().is_some_and(|b| b >> 4 == CURRENT);
        version && behind.len() > 4 && checksum::fold(checksum::sum(behind)) == 0xffff
    };
    if quoted.is_some() || looks_right() {
        c.at = at;
        extensions(c);
    }
}

/// The structure: a header, then objects.
fn extensions(c: &mut Cursor<'_>) {
    if c.left() == 0 {
        return;
    }
    let _ = structure(c);
}

fn structure(c: &mut Cursor<'_>) -> Option<()> {
    let version = c.part(&VERSION, 0, 4)?;
    c.part(&RESERVED, 4, 12)?;
    c.at += 2;
    c.number(&CHECKSUM, 2)?;
    // Version 1 is that of the drafts.
    if !matches!(version, 1 | 2) {
        c.stop(c.at - 4, format!("the form of extensions of version {version} is not known"));
        return None;
    }
    while c.left() > 0 {
        let start = c.at;
        let len = c.number(&LENGTH, 2)? as usize;
        let class = c.number(&CLASS, 1)?;
        if len < 4 {
            c.stop(start, format!("{} says {len} bytes, an object has at least 4", LENGTH.label));
            return None;
        }
        // Its bits are told before what it means.
        let c_type = c.number(&C_TYPE, 1)?;
        c.inside(&LENGTH, len - 4, |c| match (class, c_type) {
            (1, 1) => labels(c),
            (2, _) => information(c, c_type),
            (3, _) => identification(c, c_type),
            _ => c.plain(&DATA, c.left()).map(|_| ()),
        });
    }
    Some(())
}

fn labels(c: &mut Cursor<'_>) -> Option<()> {
    while c.left() >= 4 {
        c.part(&LABEL, 0, 20)?;
        c.part(&EXP, 20, 3)?;
        c.part(&BOTTOM, 23, 1)?;
        c.part(&TTL, 24, 8)?;
        c.at += 4;
    }
    c.plain(&LEFT, c.left())?;
    Some(())
}

/// The C-Type says what follows.
fn information(c: &mut Cursor<'_>, c_type: u64) -> Option<()> {
    c.at -= 1;
    for (field, start, width) in [
        (&ROLE, 0, 2),
        (&ROLE_RESERVED, 2, 2),
        (&HAS_INDEX, 4, 1),
        (&HAS_ADDRESS, 5, 1),
        (&HAS_NAME, 6, 1),
        (&HAS_MTU, 7, 1),
    ] {
        c.part(field, start, width)?;
    }
    c.at += 1;
    if c_type & 8 != 0 {
        c.number(&INDEX, 4)?;
    }
    if c_type & 4 != 0 {
        let family = c.number(&FAMILY, 2)?;
        c.plain(&FAMILY_RESERVED, 2)?;
        match family {
            1 => c.number(&INFO_V4, 4).map(|_| ())?,
            2 => c.plain(&INFO_V6, 16).map(|_| ())?,
            _ => {
                c.stop(c.at, format!("of address family {family} no length is known"));
                return None;
            }
        }
    }
    if c_type & 2 != 0 {
        let len = c.number(&NAME_LENGTH, 1)? as usize;
        name(c, &NAME, len.saturating_sub(1))?;
    }
    if c_type & 1 != 0 {
        c.number(&MTU, 4)?;
    }
    Some(())
}

fn identification(c: &mut Cursor<'_>, c_type: u64) -> Option<()> {
    match c_type {
        1 => name(c, &BY_NAME, c.left()),
        2 => c.number(&BY_INDEX, 4).map(|_| ()),
        3 => {
            let family = c.number(&BY_FAMILY, 2)?;
            let len = c.number(&BY_LENGTH, 1)? as usize;
            c.plain(&BY_RESERVED, 1)?;
            let field = match (family, len) {
                (1, 4) => &BY_V4,
                (2, 16) => &BY_V6,
                _ => &BY_ADDRESS,
            };
            c.plain(field, len).map(|_| ())
        }
        _ => Some(()),
    }
}

/// A name that is filled up with zero bytes.
fn name(c: &mut Cursor<'_>, field: &'static Field, len: usize) -> Option<()> {
    let zeros = c.rest().get(..len).map_or(0, |name| name.iter().rev().take_while(|b| **b == 0).count());
    c.text(field, len - zeros)?;
    c.at += zeros;
    Some(())
}
