//! The hellos of TLS, RFC 8446 section 4.1, with their extensions.

use super::tls::VERSIONS;
use super::{Cursor, number, printable};
use crate::wire::table::Field;

const EXTENSIONS: &[(u64, &str)] = &[
    (SERVER_NAME, "server_name"),
    (1, "max_fragment_length"),
    (5, "status_request"),
    (GROUPS, "supported_groups"),
    (POINT_FORMATS, "ec_point_formats"),
    (SIGNATURES, "signature_algorithms"),
    (ALPN, "application_layer_protocol_negotiation"),
    (18, "signed_certificate_timestamp"),
    (21, "padding"),
    (22, "encrypt_then_mac"),
    (23, "extended_master_secret"),
    (27, "compress_certificate"),
    (28, "record_size_limit"),
    (35, "session_ticket"),
    (41, "pre_shared_key"),
    (42, "early_data"),
    (SUPPORTED_VERSIONS, "supported_versions"),
    (44, "cookie"),
    (45, "psk_key_exchange_modes"),
    (49, "post_handshake_auth"),
    (50, "signature_algorithms_cert"),
    (KEY_SHARE, "key_share"),
    (57, "quic_transport_parameters"),
    (0xfe0d, "encrypted_client_hello"),
    (0xff01, "renegotiation_info"),
];
const SERVER_NAME: u64 = 0;
const GROUPS: u64 = 10;
const POINT_FORMATS: u64 = 11;
const SIGNATURES: u64 = 13;
const ALPN: u64 = 16;
const SUPPORTED_VERSIONS: u64 = 43;
const KEY_SHARE: u64 = 51;

const SUITES: &[(u64, &str)] = &[
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0x1304, "TLS_AES_128_CCM_SHA256"),
    (0x5600, "TLS_FALLBACK_SCSV"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];
const NAMED_GROUPS: &[(u64, &str)] = &[
    (23, "secp256r1"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (29, "x25519"),
    (30, "x448"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (0x11eb, "SecP256r1MLKEM768"),
    (0x11ec, "X25519MLKEM768"),
];
const ALGORITHMS: &[(u64, &str)] = &[
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0203, "ecdsa_sha1"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080a, "rsa_pss_pss_sha384"),
    (0x080b, "rsa_pss_pss_sha512"),
];

static VERSION: Field = Field::hex("handshake.version", "Version", 0, 16).names(VERSIONS);
static RANDOM: Field = Field::bytes("handshake.random", "Random", 0, 256);
static SESSION_LENGTH: Field = Field::number("handshake.session_id_length", "Session ID Length", 0, 8);
static SESSION: Field = Field::bytes("handshake.session_id", "Session ID", 0, 0);
static SUITES_LENGTH: Field = Field::number("handshake.cipher_suites_length", "Cipher Suites Length", 0, 16);
static SUITE: Field = Field::hex("handshake.ciphersuite", "Cipher Suite", 0, 16).names(SUITES);
static METHODS_LENGTH: Field =
    Field::number("handshake.comp_methods_length", "Compression Methods Length", 0, 8);
static METHOD: Field =
    Field::number("handshake.comp_method", "Compression Method", 0, 8).names(&[(0, "null"), (1, "DEFLATE")]);
static EXTENSIONS_LENGTH: Field = Field::number("handshake.extensions_length", "Extensions Length", 0, 16);
static TYPE: Field = Field::number("handshake.extension.type", "Extension", 0, 16).names(EXTENSIONS);
static LENGTH: Field = Field::number("handshake.extension.len", "Length", 0, 16);
static DATA: Field = Field::bytes("handshake.extension.data", "Data", 0, 0);
static NAMES_LENGTH: Field =
    Field::number("handshake.extensions_server_name_list_len", "Server Name List Length", 0, 16)
        .reference("RFC 6066");
static NAME_TYPE: Field = Field::number("handshake.extensions_server_name_type", "Server Name Type", 0, 8)
    .names(&[(0, "host_name")])
    .reference("RFC 6066");
static NAME_LENGTH: Field =
    Field::number("handshake.extensions_server_name_len", "Server Name Length", 0, 16).reference("RFC 6066");
static NAME: Field =
    Field::text("handshake.extensions_server_name", "Server Name", 0, 0).reference("RFC 6066");
static GROUPS_LENGTH: Field =
    Field::number("handshake.extensions_supported_groups_length", "Supported Groups Length", 0, 16);
static GROUP: Field =
    Field::hex("handshake.extensions_supported_group", "Supported Group", 0, 16).names(NAMED_GROUPS);
static FORMATS_LENGTH: Field =
    Field::number("handshake.extensions_ec_point_formats_length", "Point Formats Length", 0, 8)
        .reference("RFC 8422");
static FORMAT: Field = Field::number("handshake.extensions_ec_point_format", "Point Format", 0, 8)
    .names(&[(0, "uncompressed")])
    .reference("RFC 8422");
static ALGORITHMS_LENGTH: Field =
    Field::number("handshake.sig_hash_alg_len", "Signature Algorithms Length", 0, 16);
static ALGORITHM: Field =
    Field::hex("handshake.sig_hash_alg", "Signature Algorithm", 0, 16).names(ALGORITHMS);
static ALPN_LENGTH: Field =
    Field::number("handshake.extensions_alpn_len", "ALPN Length", 0, 16).reference("RFC 7301");
static ALPN_NAME_LENGTH: Field =
    Field::number("handshake.extensions_alpn_str_len", "ALPN Protocol Length", 0, 8).reference("RFC 7301");
static ALPN_NAME: Field =
    Field::text("handshake.extensions_alpn_str", "ALPN Protocol", 0, 0).reference("RFC 7301");
static VERSIONS_LENGTH: Field =
    Field::number("handshake.extensions.supported_versions_len", "Supported Versions Length", 0, 8);
static SUPPORTED: Field =
    Field::hex("handshake.extensions.supported_version", "Supported Version", 0, 16).names(VERSIONS);
static SHARES_LENGTH: Field =
    Field::number("handshake.extensions_key_share_client_length", "Key Shares Length", 0, 16);
static SHARE_GROUP: Field =
    Field::number("handshake.extensions_key_share_group", "Key Share Group", 0, 16).names(NAMED_GROUPS);
static SHARE_SELECTED: Field =
    Field::number("handshake.extensions_key_share_selected_group", "Selected Group", 0, 16)
        .names(NAMED_GROUPS);
static SHARE_LENGTH: Field =
    Field::number("handshake.extensions_key_share_key_exchange_length", "Key Exchange Length", 0, 16);
static SHARE: Field = Field::bytes("handshake.extensions_key_share_key_exchange", "Key Exchange", 0, 0);

pub(super) static FIELDS: [&Field; 32] = [
    &VERSION,
    &RANDOM,
    &SESSION_LENGTH,
    &SESSION,
    &SUITES_LENGTH,
    &SUITE,
    &METHODS_LENGTH,
    &METHOD,
    &EXTENSIONS_LENGTH,
    &TYPE,
    &LENGTH,
    &DATA,
    &NAMES_LENGTH,
    &NAME_TYPE,
    &NAME_LENGTH,
    &NAME,
    &GROUPS_LENGTH,
    &GROUP,
    &FORMATS_LENGTH,
    &FORMAT,
    &ALGORITHMS_LENGTH,
    &ALGORITHM,
    &ALPN_LENGTH,
    &ALPN_NAME_LENGTH,
    &ALPN_NAME,
    &VERSIONS_LENGTH,
    &SUPPORTED,
    &SHARES_LENGTH,
    &SHARE_GROUP,
    &SHARE_SELECTED,
    &SHARE_LENGTH,
    &SHARE,
];

/// A hello of the client, or of the server.
pub(super) fn hello(c: &mut Cursor<'_>, client: bool) -> Option<()> {
    c.number(&VERSION, 2)?;
    c.plain(&RANDOM, 32)?;
    let len = c.number(&SESSION_LENGTH, 1)? as usize;
    c.plain(&SESSION, len)?;
    if client {
        list(c, &SUITES_LENGTH, 2, &SUITE, 2)?;
        list(c, &METHODS_LENGTH, 1, &METHOD, 1)?;
    } else {
        c.number(&SUITE, 2)?;
        c.number(&METHOD, 1)?;
    }
    if c.left() == 0 {
        return Some(());
    }
    let len = c.number(&EXTENSIONS_LENGTH, 2)? as usize;
    c.inside(&EXTENSIONS_LENGTH, len, |c| {
        while c.left() > 0 {
            let kind = c.number(&TYPE, 2)?;
            c.depth += 1;
            let len = c.number(&LENGTH, 2);
            c.depth -= 1;
            c.inside(&LENGTH, len? as usize, |c| extension(c, kind, client));
        }
        Some(())
    });
    Some(())
}

/// Numbers of `size` bytes behind their length of `prefix` bytes.
fn list(
    c: &mut Cursor<'_>,
    length: &'static Field,
    prefix: usize,
    field: &'static Field,
    size: usize,
) -> Option<()> {
    let len = c.number(length, prefix)? as usize;
    c.inside(length, len, |c| {
        while c.left() > 0 {
            c.number(field, size)?;
        }
        Some(())
    });
    Some(())
}

fn extension(c: &mut Cursor<'_>, kind: u64, client: bool) -> Option<()> {
    match kind {
        SERVER_NAME if c.left() > 0 => {
            c.number(&NAMES_LENGTH, 2)?;
            while c.left() > 0 {
                c.number(&NAME_TYPE, 1)?;
                let len = c.number(&NAME_LENGTH, 2)? as usize;
                c.text(&NAME, len)?;
            }
            Some(())
        }
        GROUPS => list(c, &GROUPS_LENGTH, 2, &GROUP, 2),
        POINT_FORMATS => list(c, &FORMATS_LENGTH, 1, &FORMAT, 1),
        SIGNATURES => list(c, &ALGORITHMS_LENGTH, 2, &ALGORITHM, 2),
        ALPN => {
            c.number(&ALPN_LENGTH, 2)?;
            while c.left() > 0 {
                let len = c.number(&ALPN_NAME_LENGTH, 1)? as usize;
                c.text(&ALPN_NAME, len)?;
            }
            Some(())
        }
        SUPPORTED_VERSIONS if client => list(c, &VERSIONS_LENGTH, 1, &SUPPORTED, 2),
        SUPPORTED_VERSIONS => c.number(&SUPPORTED, 2).map(|_| ()),
        KEY_SHARE if client => {
            c.number(&SHARES_LENGTH, 2)?;
            while c.left() > 0 {
                share(c)?;
            }
            Some(())
        }
        // A request to try again names the group only.
        KEY_SHARE if c.left() == 2 => c.number(&SHARE_SELECTED, 2).map(|_| ()),
        KEY_SHARE => share(c),
        _ => c.plain(&DATA, c.left()).map(|_| ()),
    }
}

fn share(c: &mut Cursor<'_>) -> Option<()> {
    c.number(&SHARE_GROUP, 2)?;
    let len = c.number(&SHARE_LENGTH, 2)? as usize;
    c.plain(&SHARE, len).map(|_| ())
}

/// The server that a client hello asks for; `message` begins with its type. For a list row: nothing is kept of the rest.
pub(super) fn server_name(message: &[u8]) -> Option<String> {
    const CLIENT: u8 = 1;
    let rest = message.strip_prefix(&[CLIENT])?.get(3 + 2 + 32..)?;
    let skip =
        |bytes: &'_ [u8], prefix: usize| -> Option<usize> { Some(prefix + number(bytes.get(..prefix)?)) };
    let rest = rest.get(skip(rest, 1)?..)?;
    let rest = rest.get(skip(rest, 2)?..)?;
    let rest = rest.get(skip(rest, 1)?..)?;
    let mut rest = rest.get(2..)?;
    loop {
        let (kind, len) = (number(rest.get(..2)?), number(rest.get(2..4)?));
        if kind as u64 == SERVER_NAME {
            // List length, type of name, length of name.
            let len = number(rest.get(7..9)?);
            return Some(printable(rest.get(9..9 + len)?));
        }
        rest = rest.get(4 + len..)?;
    }
}
