//! HTTP/1: start line and headers, RFC 9112.
//!
//! Line by line, as a message may be cut or damaged anywhere and what stands before that place still counts.

use super::{Cursor, Reader};
use crate::wire::bits::BitRange;
use crate::wire::table::Field;

static METHOD: Field = Field::text("request.method", "Method", 0, 0);
static URI: Field = Field::text("request.uri", "Target", 0, 0);
static VERSION: Field = Field::text("request.version", "Version", 0, 0);
static RESPONSE_VERSION: Field = Field::text("response.version", "Version", 0, 0);
static CODE: Field = Field::number("response.code", "Status Code", 0, 0);
static PHRASE: Field = Field::text("response.phrase", "Reason Phrase", 0, 0);
static LENGTH: Field = Field::number("content_length", "Content Length", 0, 0).reference("RFC 9110");
static OTHER: Field = Field::text("header", "Header", 0, 0).reference("RFC 9110");

/// A header that has a key of its own.
macro_rules! headers {
    ($($static:ident $name:literal $key:literal),+ $(,)?) => {
        $(static $static: Field = Field::text($key, $name, 0, 0).reference("RFC 9110");)+
        static NAMED: &[&Field] = &[$(&$static),+];
        static READER_FIELDS: &[&Field] =
            &[&METHOD, &URI, &VERSION, &RESPONSE_VERSION, &CODE, &PHRASE, $(&$static),+, &LENGTH, &OTHER];
    };
}

headers! {
    ACCEPT "Accept" "accept",
    ACCEPT_ENCODING "Accept-Encoding" "accept_encoding",
    ACCEPT_LANGUAGE "Accept-Language" "accept_language",
    AUTHORIZATION "Authorization" "authorization",
    CACHE_CONTROL "Cache-Control" "cache_control",
    CONNECTION "Connection" "connection",
    CONTENT_ENCODING "Content-Encoding" "content_encoding",
    CONTENT_LENGTH "Content-Length" "content_length_header",
    CONTENT_TYPE "Content-Type" "content_type",
    COOKIE "Cookie" "cookie",
    DATE "Date" "date",
    HOST "Host" "host",
    LAST_MODIFIED "Last-Modified" "last_modified",
    LOCATION "Location" "location",
    PROXY_AUTHENTICATE "Proxy-Authenticate" "proxy_authenticate",
    PROXY_AUTHORIZATION "Proxy-Authorization" "proxy_authorization",
    REFERER "Referer" "referer",
    SERVER "Server" "server",
    SET_COOKIE "Set-Cookie" "set_cookie",
    TRANSFER_ENCODING "Transfer-Encoding" "transfer_encoding",
    UPGRADE "Upgrade" "upgrade",
    USER_AGENT "User-Agent" "user_agent",
    WWW_AUTHENTICATE "WWW-Authenticate" "www_authenticate",
    X_FORWARDED_FOR "X-Forwarded-For" "x_forwarded_for",
}

/// HTTP/1.
pub static READER: Reader = Reader { fields: READER_FIELDS, read, ..Reader::PLAIN };

/// Methods of the registry of IANA that are in use, SSDP's and WebDAV's included.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"NOTIFY",
    b"M-SEARCH",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
];

/// Bytes of the longest of them.
const LONGEST_METHOD: usize = 11;
/// What a status line begins with.
const STATUS: &[u8] = b"HTTP/1.";

/// Whether a message of HTTP/1 begins here: a status line, or a known method and, where the line is wholly there, a version
/// at its end.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    // Nearly everything that is not HTTP leaves here.
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    if bytes.starts_with(STATUS) || bytes.len() >= 5 && STATUS.starts_with(bytes) {
        return true;
    }
    let end = bytes.iter().take(LONGEST_METHOD + 1).position(|b| *b == b' ').unwrap_or(bytes.len());
    if !bytes.get(..end).is_some_and(|word| METHODS.contains(&word)) {
        return false;
    }
    let line = first_line(bytes);
    line.len() == bytes.len() || line.windows(8).any(|w| w == b" HTTP/1.")
}

/// The first line, without its end.
#[must_use]
pub fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn read(c: &mut Cursor<'_>) {
    if !begins(c.rest()) {
        return;
    }
    let _ = start_line(c);
    while c.left() > 0 {
        if !header(c) {
            return;
        }
    }
}

/// Goes past a line, its end included.
fn pass(c: &mut Cursor<'_>, line: &[u8]) {
    c.at += line.len();
    c.at += if c.rest().starts_with(b"\r\n") { 2 } else { c.left().min(1) };
}

/// Enters the part of a line that begins `from` bytes behind this place.
fn part(c: &mut Cursor<'_>, field: &'static Field, from: usize, bytes: &[u8]) -> Option<()> {
    let bits = BitRange { start: (c.at + from) * 8, width: bytes.len() * 8 };
    c.add(field, bits, Some(super::printable(bytes)))
}

/// The same, a level deeper.
fn inner(c: &mut Cursor<'_>, field: &'static Field, from: usize, bytes: &[u8]) -> Option<()> {
    c.depth += 1;
    let entered = part(c, field, from, bytes);
    c.depth -= 1;
    entered
}

fn start_line(c: &mut Cursor<'_>) -> Option<()> {
    let line = first_line(c.rest());
    let fields: [&'static Field; 3] = if line.starts_with(b"HTTP/") {
        [&RESPONSE_VERSION, &CODE, &PHRASE]
    } else {
        [&METHOD, &URI, &VERSION]
    };
    let mut from = 0;
    for (nth, word) in line.splitn(3, |b| *b == b' ').enumerate() {
        if !word.is_empty() {
            part(c, fields[nth], from, word)?;
        }
        from += word.len() + 1;
    }
    pass(c, line);
    Some(())
}

/// One header; `false` at the end of the headers.
fn header(c: &mut Cursor<'_>) -> bool {
    let line = first_line(c.rest());
    if line.is_empty() {
        pass(c, line);
        return false;
    }
    let Some(colon) = line.iter().position(|b| *b == b':') else {
        if c.left() > line.len() {
            c.stop(c.at, "a header without a colon: the headers end here".into());
        }
        return false;
    };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    let rest = line.get(colon + 1..).unwrap_or_default();
    let value = rest.trim_ascii_start();
    let known = NAMED.iter().copied().find(|f| f.label.as_bytes().eq_ignore_ascii_case(name));
    let entered = match known {
        Some(field) if value.is_empty() => {
            c.add(field, BitRange { start: c.at * 8, width: line.len() * 8 }, Some(String::new()))
        }
        Some(field) => part(c, field, line.len() - value.len(), value).and_then(|()| {
            let is_length = field.key == CONTENT_LENGTH.key && value.iter().all(u8::is_ascii_digit);
            if is_length { inner(c, &LENGTH, line.len() - value.len(), value) } else { Some(()) }
        }),
        None => part(c, &OTHER, 0, line),
    };
    pass(c, line);
    entered.is_some()
}
