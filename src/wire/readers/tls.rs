//! TLS: records and what of them is not encrypted, RFC 8446, RFC 5246.

use super::{Cursor, Reader, number, tls_hello};
use crate::wire::table::Field;

/// Versions, as records and hellos say them.
pub const VERSIONS: &[(u64, &str)] = &[
    (0x0300, "SSL 3.0"),
    (0x0301, "TLS 1.0"),
    (0x0302, "TLS 1.1"),
    (0x0303, "TLS 1.2"),
    (0x0304, "TLS 1.3"),
];
/// Types of records.
pub const CONTENTS: &[(u64, &str)] = &[
    (CHANGE_CIPHER_SPEC, "Change Cipher Spec"),
    (ALERT, "Alert"),
    (HANDSHAKE, "Handshake"),
    (APPLICATION_DATA, "Application Data"),
    (24, "Heartbeat"),
];
const CHANGE_CIPHER_SPEC: u64 = 20;
const ALERT: u64 = 21;
const HANDSHAKE: u64 = 22;
const APPLICATION_DATA: u64 = 23;

/// Types of messages of the handshake.
const MESSAGES: &[(u64, &str)] = &[
    (0, "Hello Request"),
    (CLIENT_HELLO, "Client Hello"),
    (SERVER_HELLO, "Server Hello"),
    (3, "Hello Verify Request"),
    (4, "New Session Ticket"),
    (5, "End of Early Data"),
    (8, "Encrypted Extensions"),
    (CERTIFICATE, "Certificate"),
    (12, "Server Key Exchange"),
    (13, "Certificate Request"),
    (14, "Server Hello Done"),
    (15, "Certificate Verify"),
    (16, "Client Key Exchange"),
    (20, "Finished"),
    (21, "Certificate URL"),
    (22, "Certificate Status"),
    (24, "Key Update"),
    (25, "Compressed Certificate"),
];
const CLIENT_HELLO: u64 = 1;
const SERVER_HELLO: u64 = 2;
const CERTIFICATE: u64 = 11;

const LEVELS: &[(u64, &str)] = &[(1, "Warning"), (2, "Fatal")];
const ALERTS: &[(u64, &str)] = &[
    (0, "Close Notify"),
    (10, "Unexpected Message"),
    (20, "Bad Record MAC"),
    (22, "Record Overflow"),
    (40, "Handshake Failure"),
    (42, "Bad Certificate"),
    (43, "Unsupported Certificate"),
    (44, "Certificate Revoked"),
    (45, "Certificate Expired"),
    (46, "Certificate Unknown"),
    (47, "Illegal Parameter"),
    (48, "Unknown CA"),
    (49, "Access Denied"),
    (50, "Decode Error"),
    (51, "Decrypt Error"),
    (70, "Protocol Version"),
    (71, "Insufficient Security"),
    (80, "Internal Error"),
    (86, "Inappropriate Fallback"),
    (90, "User Canceled"),
    (109, "Missing Extension"),
    (110, "Unsupported Extension"),
    (112, "Unrecognized Name"),
    (116, "Certificate Required"),
    (120, "No Application Protocol"),
];

static CONTENT_TYPE: Field = Field::number("record.content_type", "Content Type", 0, 8).names(CONTENTS);
static VERSION: Field = Field::hex("record.version", "Version", 0, 16).names(VERSIONS);
static LENGTH: Field = Field::number("record.length", "Length", 0, 16);
static ENCRYPTED: Field = Field::bytes("record.data", "Encrypted or Unknown Data", 0, 0);
static CHANGE: Field =
    Field::number("change_cipher_spec.type", "Change Cipher Spec", 0, 8).reference("RFC 5246");
static ALERT_LEVEL: Field = Field::number("alert_message.level", "Alert Level", 0, 8).names(LEVELS);
static ALERT_DESC: Field = Field::number("alert_message.desc", "Alert Description", 0, 8).names(ALERTS);
static APP_DATA: Field = Field::bytes("app_data", "Encrypted Application Data", 0, 0);
static MESSAGE: Field = Field::number("handshake.type", "Handshake Type", 0, 8).names(MESSAGES);
static MESSAGE_LENGTH: Field = Field::number("handshake.length", "Length", 0, 24);
static MESSAGE_DATA: Field = Field::bytes("handshake.data", "Handshake Data", 0, 0);
static CERTIFICATES: Field =
    Field::number("handshake.certificates_length", "Certificates Length", 0, 24).reference("RFC 5246");
static CERTIFICATE_LENGTH: Field =
    Field::number("handshake.certificate_length", "Certificate Length", 0, 24).reference("RFC 5246");
static CERTIFICATE_BYTES: Field =
    Field::bytes("handshake.certificate", "Certificate", 0, 0).reference("RFC 5246");

/// Those of the records, then those of the hellos.
static FIELDS: [&Field; 14 + tls_hello::FIELDS.len()] = {
    let own: [&Field; 14] = [
        &CONTENT_TYPE,
        &VERSION,
        &LENGTH,
        &ENCRYPTED,
        &CHANGE,
        &ALERT_LEVEL,
        &ALERT_DESC,
        &APP_DATA,
        &MESSAGE,
        &MESSAGE_LENGTH,
        &MESSAGE_DATA,
        &CERTIFICATES,
        &CERTIFICATE_LENGTH,
        &CERTIFICATE_BYTES,
    ];
    let mut all = [own[0]; 14 + tls_hello::FIELDS.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < 14 { own[i] } else { tls_hello::FIELDS[i - 14] };
        i += 1;
    }
    all
};

/// TLS in a stream.
pub static READER: Reader = Reader { fields: &FIELDS, read, ..Reader::PLAIN };

/// Bytes of type, version and length of a record.
pub const RECORD: usize = 5;
/// The longest record: 2^14 bytes and what encryption adds (RFC 5246 section 6.2.3).
const LONGEST: usize = (1 << 14) + 2048;
/// The longest handshake message that is taken for one; a larger length is taken for encrypted bytes.
const LONGEST_MESSAGE: usize = 1 << 18;

/// Whether a record begins here.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24, 3, 0..=4, high, low, ..] if (1..=LONGEST).contains(&number(&[*high, *low])))
}

fn read(c: &mut Cursor<'_>) {
    let Some(head) = c.bytes.first_chunk::<RECORD>() else { return };
    let mut head = *head;
    loop {
        let len = number(&head[3..]);
        c.inside(&LENGTH, len, |c| content(c, u64::from(head[0])));
        // Records follow each other in a segment; what is none belongs to one that began elsewhere.
        let Some(next) = c.rest().first_chunk::<RECORD>().filter(|_| begins(c.rest())) else { return };
        head = *next;
        let read =
            c.number(&CONTENT_TYPE, 1).and_then(|_| c.number(&VERSION, 2)).and_then(|_| c.number(&LENGTH, 2));
        if read.is_none() {
            return;
        }
    }
}

fn content(c: &mut Cursor<'_>, kind: u64) -> Option<()> {
    // A record's content stands beside its length.
    c.depth -= 1;
    let read = match kind {
        CHANGE_CIPHER_SPEC if c.left() == 1 => c.number(&CHANGE, 1).map(|_| ()),
        ALERT if c.left() == 2 => {
            c.number(&ALERT_LEVEL, 1).and_then(|_| c.number(&ALERT_DESC, 1)).map(|_| ())
        }
        HANDSHAKE => messages(c),
        APPLICATION_DATA => c.plain(&APP_DATA, c.left()).map(|_| ()),
        _ => c.plain(&ENCRYPTED, c.left()).map(|_| ()),
    };
    c.depth += 1;
    read
}

/// Whether a message that is not encrypted begins here.
fn is_message(bytes: &[u8]) -> bool {
    let known = |kind: u8| MESSAGES.iter().any(|(n, _)| *n == u64::from(kind));
    matches!(bytes, [kind, len @ ..] if known(*kind) && number(len.get(..3).unwrap_or_default()) <= LONGEST_MESSAGE)
}

fn messages(c: &mut Cursor<'_>) -> Option<()> {
    while c.left() > 0 {
        if !is_message(c.rest()) {
            return c.plain(&ENCRYPTED, c.left()).map(|_| ());
        }
        let kind = c.number(&MESSAGE, 1)?;
        let len = c.number(&MESSAGE_LENGTH, 3)? as usize;
        c.inside(&MESSAGE_LENGTH, len, |c| match kind {
            CLIENT_HELLO => tls_hello::hello(c, true),
            SERVER_HELLO => tls_hello::hello(c, false),
            CERTIFICATE => certificates(c),
            _ => c.plain(&MESSAGE_DATA, c.left()).map(|_| ()),
        });
    }
    Some(())
}

/// As up to TLS 1.2; later ones are encrypted.
fn certificates(c: &mut Cursor<'_>) -> Option<()> {
    c.number(&CERTIFICATES, 3)?;
    while c.left() > 0 {
        let len = c.number(&CERTIFICATE_LENGTH, 3)? as usize;
        c.plain(&CERTIFICATE_BYTES, len)?;
    }
    Some(())
}

/// What a record is, for a list row: `Client Hello (SNI=www.example.com)`. `bytes` begin with the record.
#[must_use]
pub fn told(bytes: &[u8]) -> String {
    let kind = bytes.first().map_or(0, |b| u64::from(*b));
    let rest = bytes.get(RECORD..).unwrap_or_default();
    let len = number(bytes.get(3..RECORD).unwrap_or_default());
    let rest = rest.get(..len).unwrap_or(rest);
    let name =
        |list: &[(u64, &'static str)], n: u8| list.iter().find(|(k, _)| *k == u64::from(n)).map(|(_, t)| *t);
    match (kind, rest) {
        (ALERT, [_, what]) => format!("Alert ({})", name(ALERTS, *what).unwrap_or("unknown")),
        (ALERT, _) => "Encrypted Alert".into(),
        (HANDSHAKE, [message, ..]) if is_message(rest) => {
            let text = name(MESSAGES, *message).unwrap_or_default().to_owned();
            match tls_hello::server_name(rest) {
                Some(server) => format!("{text} (SNI={server})"),
                None => text,
            }
        }
        (HANDSHAKE, _) => "Encrypted Handshake Message".into(),
        _ => CONTENTS.iter().find(|(n, _)| *n == kind).map(|(_, t)| (*t).to_owned()).unwrap_or_default(),
    }
}
