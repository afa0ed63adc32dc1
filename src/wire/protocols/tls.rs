//! TLS, RFC 8446: the header of a record. What follows is read by [`crate::wire::readers::tls`].

use crate::wire::readers::tls as reader;
use crate::wire::table::{Family, Field, Header, Length, Space};
use crate::wire::view::LayerView;

/// TLS in a stream: the first record of a segment.
pub static HEADER: Header = Header {
    key: "tls",
    name: "Transport Layer Security",
    short: "TLS",
    reference: "RFC 8446",
    fields: &[
        Field::number("record.content_type", "Content Type", 0, 8)
            .short("Type")
            .names(reader::CONTENTS)
            .default(22)
            .alias(&[("type", 1)]),
        Field::hex("record.version", "Version", 8, 16)
            .names(reader::VERSIONS)
            .default(0x0301)
            .alias(&[("version", 1)]),
        Field::number("record.length", "Length", 24, 16).alias(&[("length", 1)]),
    ],
    length: Length::Fixed(reader::RECORD),
    found_by: &[(Space::TcpContent, 0)],
    accepts: Some(reader::begins),
    reader: Some(&reader::READER),
    family: Family::Application,
    info,
    warnings: &[length],
    ..Header::PLAIN
};

/// Records that a row tells; a segment may hold hundreds.
const TOLD: usize = 4;

fn info(view: &LayerView<'_>) -> String {
    let layer = view.layer();
    let mut rest = view.bytes.get(layer.start..layer.payload_range().end).unwrap_or_default();
    let mut texts = Vec::new();
    while reader::begins(rest) && texts.len() < TOLD {
        texts.push(reader::told(rest));
        let len = usize::from(rest[3]) << 8 | usize::from(rest[4]);
        rest = rest.get(reader::RECORD + len..).unwrap_or_default();
    }
    if reader::begins(rest) {
        texts.push("…".into());
    }
    texts.join(", ")
}

fn length(view: &LayerView<'_>) -> Option<String> {
    let (said, left) = (view.number("length")? as usize, view.payload().len());
    (said > left)
        .then(|| format!("length says {said} bytes, {left} follow: the record goes on in another segment"))
}
