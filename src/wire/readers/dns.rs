//! DNS: questions and records, RFC 1035; mDNS, RFC 6762.

use super::{Cursor, Reader, number};
use crate::wire::bits::BitRange;
use crate::wire::table::Field;

/// Types of records (IANA), those that are met.
pub const TYPES: &[(u64, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];
const CLASSES: &[(u64, &str)] = &[(1, "IN"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")];
const OPTIONS: &[(u64, &str)] = &[
    (3, "NSID"),
    (8, "Client Subnet"),
    (9, "Expire"),
    (10, "Cookie"),
    (11, "TCP Keepalive"),
    (12, "Padding"),
    (15, "Extended DNS Error"),
];
const SRV: u64 = 33;
const OPT: u64 = 41;

static QUERY_NAME: Field = Field::text("qry.name", "Question Name", 0, 0);
static QUERY_NAME_LENGTH: Field = Field::number("qry.name.len", "Name Length", 0, 0);
static LABELS: Field = Field::number("count.labels", "Label Count", 0, 0);
static QUERY_TYPE: Field = Field::number("qry.type", "Type", 0, 16).names(TYPES);
static QUERY_CLASS: Field = Field::hex("qry.class", "Class", 0, 16).names(CLASSES);
static UNICAST: Field = Field::flag("qry.qu", "Unicast Answer Wanted", 0).reference("RFC 6762 section 5.4");
static NAME: Field = Field::text("resp.name", "Record Name", 0, 0);
static TYPE: Field = Field::number("resp.type", "Type", 0, 16).names(TYPES);
static CLASS: Field = Field::hex("resp.class", "Class", 0, 16).names(CLASSES);
static FLUSH: Field = Field::flag("resp.cache_flush", "Cache Flush", 0).reference("RFC 6762 section 10.2");
static TTL: Field = Field::number("resp.ttl", "Time to Live", 0, 32);
static LENGTH: Field = Field::number("resp.len", "Data Length", 0, 16);
static A: Field = Field::ipv4("a", "Address", 0);
static AAAA: Field = Field::ipv6("aaaa", "Address", 0).reference("RFC 3596");
static CNAME: Field = Field::text("cname", "Canonical Name", 0, 0);
static NS: Field = Field::text("ns", "Name Server", 0, 0);
static PTR: Field = Field::text("ptr.domain_name", "Domain Name", 0, 0);
static MX_PREFERENCE: Field = Field::number("mx.preference", "Preference", 0, 16);
static MX: Field = Field::text("mx.mail_exchange", "Mail Exchange", 0, 0);
static TXT_LENGTH: Field = Field::number("txt.length", "Text Length", 0, 8);
static TXT: Field = Field::text("txt", "Text", 0, 0);
static SOA_MNAME: Field = Field::text("soa.mname", "Primary Name Server", 0, 0);
static SOA_RNAME: Field = Field::text("soa.rname", "Mailbox of Who Is Responsible", 0, 0);
static SOA_SERIAL: Field = Field::number("soa.serial_number", "Serial Number", 0, 32);
static SOA_REFRESH: Field = Field::number("soa.refresh_interval", "Refresh Interval", 0, 32);
static SOA_RETRY: Field = Field::number("soa.retry_interval", "Retry Interval", 0, 32);
static SOA_EXPIRE: Field = Field::number("soa.expire_limit", "Expire Limit", 0, 32);
static SOA_MINIMUM: Field = Field::number("soa.minimum_ttl", "Minimum TTL", 0, 32);
static SRV_SERVICE: Field = Field::text("srv.service", "Record Service", 0, 0).reference("RFC 2782");
static SRV_PROTO: Field = Field::text("srv.proto", "Protocol", 0, 0).reference("RFC 2782");
static SRV_NAME: Field = Field::text("srv.name", "Name", 0, 0).reference("RFC 2782");
static SRV_PRIORITY: Field = Field::number("srv.priority", "Priority", 0, 16).reference("RFC 2782");
static SRV_WEIGHT: Field = Field::number("srv.weight", "Weight", 0, 16).reference("RFC 2782");
static SRV_PORT: Field = Field::number("srv.port", "Port", 0, 16).reference("RFC 2782");
static SRV_TARGET: Field = Field::text("srv.target", "Target", 0, 0).reference("RFC 2782");
static SIZE: Field = Field::number("rr.udp_payload_size", "UDP Payload Size", 0, 16).reference("RFC 6891");
static EXT_RCODE: Field = Field::hex("resp.ext_rcode", "Extended RCODE", 0, 8).reference("RFC 6891");
static EDNS: Field = Field::number("resp.edns0_version", "EDNS Version", 0, 8).reference("RFC 6891");
static Z: Field = Field::hex("resp.z", "Z", 0, 16).reference("RFC 6891");
static DO: Field = Field::flag("resp.z.do", "DNSSEC OK", 0).reference("RFC 3225");
static Z_RESERVED: Field = Field::hex("resp.z.reserved", "Reserved", 0, 15).reference("RFC 6891");
static OPTION_CODE: Field =
    Field::number("opt.code", "Option Code", 0, 16).names(OPTIONS).reference("RFC 6891");
static OPTION_LENGTH: Field = Field::number("opt.len", "Option Length", 0, 16).reference("RFC 6891");
static OPTION_DATA: Field = Field::bytes("opt.data", "Option Data", 0, 0).reference("RFC 6891");
static DATA: Field = Field::bytes("data", "Data", 0, 0);

static FIELDS: &[&Field] = &[
    &QUERY_NAME,
    &QUERY_NAME_LENGTH,
    &LABELS,
    &QUERY_TYPE,
    &QUERY_CLASS,
    &UNICAST,
    &NAME,
    &TYPE,
    &CLASS,
    &FLUSH,
    &TTL,
    &LENGTH,
    &A,
    &AAAA,
    &CNAME,
    &NS,
    &PTR,
    &MX_PREFERENCE,
    &MX,
    &TXT_LENGTH,
    &TXT,
    &SOA_MNAME,
    &SOA_RNAME,
    &SOA_SERIAL,
    &SOA_REFRESH,
    &SOA_RETRY,
    &SOA_EXPIRE,
    &SOA_MINIMUM,
    &SRV_SERVICE,
    &SRV_PROTO,
    &SRV_NAME,
    &SRV_PRIORITY,
    &SRV_WEIGHT,
    &SRV_PORT,
    &SRV_TARGET,
    &SIZE,
    &EXT_RCODE,
    &EDNS,
    &Z,
    &DO,
    &Z_RESERVED,
    &OPTION_CODE,
    &OPTION_LENGTH,
    &OPTION_DATA,
    &DATA,
];

/// A part of a record's data.
enum Part {
    Name(&'static Field),
    Number(&'static Field, usize),
    /// Texts with a length byte each, to the end.
    Texts,
}

/// What the data of a record is, by type; others are plain bytes.
static PARTS: &[(u64, &[Part])] = &[
    (1, &[Part::Number(&A, 4)]),
    (2, &[Part::Name(&NS)]),
    (5, &[Part::Name(&CNAME)]),
    (
        6,
        &[
            Part::Name(&SOA_MNAME),
            Part::Name(&SOA_RNAME),
            Part::Number(&SOA_SERIAL, 4),
            Part::Number(&SOA_REFRESH, 4),
            Part::Number(&SOA_RETRY, 4),
            Part::Number(&SOA_EXPIRE, 4),
            Part::Number(&SOA_MINIMUM, 4),
        ],
    ),
    (12, &[Part::Name(&PTR)]),
    (15, &[Part::Number(&MX_PREFERENCE, 2), Part::Name(&MX)]),
    (16, &[Part::Texts]),
    (28, &[Part::Number(&AAAA, 16)]),
    (
        SRV,
        &[
            Part::Number(&SRV_PRIORITY, 2),
            Part::Number(&SRV_WEIGHT, 2),
            Part::Number(&SRV_PORT, 2),
            Part::Name(&SRV_TARGET),
        ],
    ),
];

/// DNS in a datagram.
pub static DATAGRAM: Reader = Reader { fields: FIELDS, read: |c| message(c, 0, false), ..Reader::PLAIN };
/// DNS in a stream, behind its length.
pub static STREAM: Reader = Reader { fields: FIELDS, read: |c| message(c, 2, false), ..Reader::PLAIN };
/// Multicast DNS: the first bit of a class is a flag.
pub static MULTICAST: Reader = Reader { fields: FIELDS, read: |c| message(c, 0, true), ..Reader::PLAIN };

/// The message begins `base` bytes behind the layer's first.
fn message(c: &mut Cursor<'_>, base: usize, flagged: bool) {
    let count = |nth: usize| number(c.bytes.get(base + 4 + nth * 2..base + 6 + nth * 2).unwrap_or_default());
    let (questions, records) = (count(0), count(1) + count(2) + count(3));
    for _ in 0..questions {
        if question(c, base, flagged).is_none() {
            return;
        }
    }
    for _ in 0..records {
        if record(c, base, flagged).is_none() {
            return;
        }
    }
}

fn question(c: &mut Cursor<'_>, base: usize, flagged: bool) -> Option<()> {
    let (bits, name) = take_name(c, &QUERY_NAME, base)?;
    c.add(&QUERY_NAME, bits, Some(name.text.clone()))?;
    c.depth = 1;
    c.add(&QUERY_NAME_LENGTH, bits, Some(name.text.len().to_string()))?;
    c.add(&LABELS, bits, Some(name.labels.len().max(1).to_string()))?;
    c.number(&QUERY_TYPE, 2)?;
    class(c, &QUERY_CLASS, &UNICAST, flagged)?;
    c.depth = 0;
    Some(())
}

fn class(c: &mut Cursor<'_>, class: &'static Field, flag: &'static Field, flagged: bool) -> Option<()> {
    if !flagged {
        return c.number(class, 2).map(|_| ());
    }
    c.part(class, 1, 15)?;
    c.part(flag, 0, 1)?;
    c.at += 2;
    Some(())
}

fn record(c: &mut Cursor<'_>, base: usize, flagged: bool) -> Option<()> {
    c.depth = 0;
    let (bits, name) = take_name(c, &NAME, base)?;
    let kind = number(c.rest().get(..2).unwrap_or_default()) as u64;
    match name.labels.as_slice() {
        [service, protocol, rest @ ..] if kind == SRV && !rest.is_empty() => {
            c.add(&SRV_SERVICE, bits, Some(service.clone()))?;
            c.depth = 1;
            c.add(&SRV_PROTO, bits, Some(protocol.clone()))?;
            c.add(&SRV_NAME, bits, Some(rest.join(".")))?;
        }
        _ => c.add(&NAME, bits, Some(name.text))?,
    }
    c.depth = 1;
    c.number(&TYPE, 2)?;
    if kind == OPT {
        c.number(&SIZE, 2)?;
        c.number(&EXT_RCODE, 1)?;
        c.number(&EDNS, 1)?;
        c.part(&Z, 0, 16)?;
        c.part(&DO, 0, 1)?;
        c.part(&Z_RESERVED, 1, 15)?;
        c.at += 2;
    } else {
        class(c, &CLASS, &FLUSH, flagged)?;
        c.number(&TTL, 4)?;
    }
    let len = c.number(&LENGTH, 2)? as usize;
    // The data stands beside its length, no deeper.
    c.depth = 0;
    c.inside(&LENGTH, len, |c| if kind == OPT { options(c) } else { data(c, kind, base) });
    Some(())
}

fn options(c: &mut Cursor<'_>) -> Option<()> {
    while c.left() > 0 {
        c.number(&OPTION_CODE, 2)?;
        let len = c.number(&OPTION_LENGTH, 2)? as usize;
        let depth = c.depth;
        c.inside(&OPTION_LENGTH, len, |c| c.plain(&OPTION_DATA, c.left()).map(|_| ()));
        c.depth = depth;
    }
    Some(())
}

fn data(c: &mut Cursor<'_>, kind: u64, base: usize) -> Option<()> {
    let parts = PARTS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, parts)| parts);
    for part in parts {
        match *part {
            Part::Name(field) => {
                let (bits, name) = take_name(c, field, base)?;
                c.add(field, bits, Some(name.text))?;
            }
            Part::Number(field, len) => c.plain(field, len).map(|_| ())?,
            Part::Texts => {
                while c.left() > 0 {
                    let len = c.number(&TXT_LENGTH, 1)? as usize;
                    c.text(&TXT, len)?;
                }
            }
        }
    }
    c.plain(&DATA, c.left()).map(|_| ())
}

/// A name that was put together.
#[derive(Debug, Default)]
pub struct Name {
    /// Its labels.
    pub labels: Vec<String>,
    /// With dots between; `<Root>` for the root, as Wireshark writes it.
    pub text: String,
}

/// Takes a name; what it points to lies elsewhere and is not taken.
fn take_name(c: &mut Cursor<'_>, field: &Field, base: usize) -> Option<(BitRange, Name)> {
    let start = c.at;
    let message = c.bytes.get(base..).unwrap_or_default();
    match name(message, start.checked_sub(base)?, c.end.checked_sub(base)?) {
        Ok((name, end)) => {
            c.at = base + end;
            Some((BitRange { start: start * 8, width: (c.at - start) * 8 }, name))
        }
        Err((at, why)) => {
            c.stop(base + at, format!("{}: {why}", field.label));
            None
        }
    }
}

/// The longest name, in bytes (RFC 1035 section 2.3.4).
const LONGEST: usize = 255;

/// The name at `start` of a message, and where it ends there; what stands in its own place ends at `limit` at the latest.
/// A pointer leads only backwards (RFC 1035 section 4.1.4), so this ends.
///
/// # Errors
/// Where and why it is none.
pub fn name(message: &[u8], start: usize, limit: usize) -> Result<(Name, usize), (usize, String)> {
    let mut name = Name::default();
    let (mut at, mut run, mut end, mut total) = (start, start, None, 0);
    loop {
        let limit = if end.is_none() { limit } else { message.len() };
        let bytes = message.get(at..limit.min(message.len())).unwrap_or_default();
        let Some(&len) = bytes.first() else { return Err((at, "it goes on past the end".into())) };
        match len {
            0 => {
                name.text = if name.labels.is_empty() { "<Root>".into() } else { name.labels.join(".") };
                return Ok((name, end.unwrap_or(at + 1)));
            }
            1..=63 => {
                let Some(label) = bytes.get(1..=usize::from(len)) else {
                    let left = bytes.len() - 1;
                    return Err((at, format!("a label of {len} bytes, {left} are left")));
                };
                total += label.len() + 1;
                if total > LONGEST {
                    return Err((at, format!("it is longer than {LONGEST} bytes")));
                }
                name.labels.push(super::printable(label));
                at += 1 + label.len();
            }
            0xc0.. => {
                let Some(low) = bytes.get(1) else {
                    return Err((at, "a pointer of two bytes, one is left".into()));
                };
                let to = usize::from(len & 0x3f) << 8 | usize::from(*low);
                if to >= run {
                    return Err((
                        at,
                        format!("it points to byte {to} of the message, which does not lie before it"),
                    ));
                }
                end = end.or(Some(at + 2));
                (at, run) = (to, to);
            }
            _ => return Err((at, format!("a label of the unknown kind 0x{:02x}", len & 0xc0))),
        }
    }
}

/// The first question of a message, for a list row: its name and its type.
#[must_use]
pub fn first_question(message: &[u8]) -> Option<(String, u64)> {
    let (name, end) = name(message, 12, message.len()).ok()?;
    Some((name.text, number(message.get(end..end + 2)?) as u64))
}
