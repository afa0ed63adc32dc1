//! HTTP/1, RFC 9112: text from the first byte on, so the table has no field and all is read by
//! [`crate::wire::readers::http`].

use crate::wire::readers::http as reader;
use crate::wire::table::{Family, Header, Space};
use crate::wire::view::LayerView;

/// HTTP/1.
pub static HEADER: Header = Header {
    key: "http",
    name: "Hypertext Transfer Protocol",
    short: "HTTP",
    reference: "RFC 9112",
    found_by: &[(Space::TcpContent, 0)],
    accepts: Some(reader::begins),
    reader: Some(&reader::READER),
    family: Family::Application,
    info,
    ..Header::PLAIN
};

/// Bytes of the first line that a row shows.
const SHOWN: usize = 200;

/// The first line.
fn info(view: &LayerView<'_>) -> String {
    let line = reader::first_line(view.payload());
    String::from_utf8_lossy(line.get(..SHOWN).unwrap_or(line)).replace(char::is_control, "·")
}
