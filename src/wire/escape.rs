//! Bytes as the notation writes them.

use super::notation::MAX_PAYLOAD;
use super::value;

/// Bytes as a payload part: text when they are mostly printable, else `hex(…)`.
#[must_use]
pub fn payload_text(bytes: &[u8]) -> String {
    let plain = |b: &u8| (0x20..0x7f).contains(b) || matches!(b, b'\r' | b'\n' | b'\t');
    if bytes.is_empty() || bytes.iter().filter(|b| plain(b)).count() * 10 < bytes.len() * 9 {
        if (9..=MAX_PAYLOAD).contains(&bytes.len()) && bytes.iter().all(|&b| b == 0) {
            return format!("zero({})", bytes.len());
        }
        return format!("hex({})", value::hex_pairs(bytes).to_lowercase());
    }
    format!("\"{}\"", escape(bytes).replace('"', "\\\""))
}

/// Bytes as text with the notation's escapes; quotes stand as they are.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text += "\\r",
            b'\n' => text += "\\n",
            b'\t' => text += "\\t",
            b'\\' => text += "\\\\",
            0x20..0x7f => text.push(byte as char),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text
}
