//! Hex dumps.

/// One line of a dump: offset, up to 16 bytes in hex in two halves, and the same as text.
#[must_use]
pub fn line(offset: usize, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{offset:04x}  ");
    for i in 0..16 {
        if i == 8 {
            text.push(' ');
        }
        match bytes.get(i) {
            Some(byte) => {
                let _ = write!(text, "{byte:02x} ");
            }
            None => text.push_str("   "),
        }
    }
    text.push(' ');
    text.extend(bytes.iter().map(|&b| printable(b)));
    text
}

/// The whole dump, a line for each 16 bytes.
#[must_use]
pub fn dump(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes.chunks(16).enumerate().map(|(i, c)| line(i * 16, c)).collect();
    lines.join("\n")
}

/// A byte as a dump shows it: itself when it is printable ASCII, else a dot.
#[must_use]
pub fn printable(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) { byte as char } else { '.' }
}
