//! The tags of PPPoE discovery, RFC 2516 appendix A; of the number of bytes that a session may carry, RFC 4638.

use crate::wire::table::{Field, Head, Item, ItemList};

const TYPE: Field = Field::hex("tag", "Tag Type", 0, 16).names(&[
    (0x0000, "End-Of-List"),
    (0x0101, "Service-Name"),
    (0x0102, "AC-Name"),
    (0x0103, "Host-Uniq"),
    (0x0104, "AC-Cookie"),
    (0x0105, "Vendor-Specific"),
    (0x0110, "Relay-Session-Id"),
    (0x0120, "PPP-Max-Payload"),
    (0x0201, "Service-Name-Error"),
    (0x0202, "AC-System-Error"),
    (0x0203, "Generic-Error"),
]);
const LEN: Field = Field::number("tag_length", "Tag Length", 16, 16);
const REFERENCE: &str = "RFC 2516 appendix A";

const fn tag(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, REFERENCE, fields).head(Head::WORDS)
}
const fn text(key: &'static str, label: &'static str) -> Field {
    Field::text(key, label, 32, 0)
}
const fn bytes(key: &'static str, label: &'static str) -> Field {
    Field::bytes(key, label, 32, 0)
}

/// The tags of a discovery packet.
pub static LIST: ItemList = ItemList {
    key: "tags",
    prefix: "pppoed",
    label: "Tags",
    heading: true,
    items: &[
        tag(0, "eol", "End-Of-List", &[TYPE, LEN]).last(),
        tag(0x0101, "service", "Service-Name", &[TYPE, LEN, text("tags.service_name", "Service-Name")]),
        tag(0x0102, "ac", "AC-Name", &[TYPE, LEN, text("tags.ac_name", "AC-Name")]),
        tag(0x0103, "host_uniq", "Host-Uniq", &[TYPE, LEN, bytes("tags.host_uniq", "Host-Uniq")]),
        tag(0x0104, "cookie", "AC-Cookie", &[TYPE, LEN, bytes("tags.ac_cookie", "AC-Cookie")]),
        tag(
            0x0105,
            "vendor",
            "Vendor-Specific",
            &[
                TYPE,
                LEN,
                Field::number("tags.vendor_id", "Vendor Id", 32, 32),
                Field::bytes("tags.vendor_unspecified", "Vendor Data", 64, 0).short("Data"),
            ],
        ),
        tag(
            0x0110,
            "relay",
            "Relay-Session-Id",
            &[TYPE, LEN, bytes("tags.relay_session_id", "Relay-Session-Id")],
        ),
        tag(
            0x0120,
            "max_payload",
            "PPP-Max-Payload",
            &[TYPE, LEN, bytes("tags.max_payload", "PPP-Max-Payload").reference("RFC 4638")],
        ),
        tag(
            0x0201,
            "service_error",
            "Service-Name-Error",
            &[TYPE, LEN, text("tags.service_name_error", "Service-Name-Error")],
        ),
        tag(
            0x0202,
            "ac_error",
            "AC-System-Error",
            &[TYPE, LEN, text("tags.ac_system_error", "AC-System-Error")],
        ),
        tag(0x0203, "error", "Generic-Error", &[TYPE, LEN, text("tags.generic_error", "Generic-Error")]),
    ],
    unknown: &tag(0, "tag", "Tag", &[TYPE, LEN, bytes("tag.unknown_data", "Tag Data")]).any_kind(),
    head: Head::WORDS,
    beyond: 4,
    ..ItemList::PLAIN
};
