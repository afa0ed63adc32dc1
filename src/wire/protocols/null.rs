//! The header of BSD's loopback (tcpdump.org/linktypes: LINKTYPE_NULL and LINKTYPE_LOOP): an address family in 32 bits, in
//! the byte order of the machine that wrote it or in network order. Families are under 256, so that one byte tells which.

use crate::wire::table::{Compute, Family, Field, Header, Length, Next, Space, To, When};
use crate::wire::view::LayerView;

const fn family(start: usize) -> Field {
    Field::number("family", "Address Family", start, 8)
        .names(&[(2, "IPv4"), (7, "OSI"), (23, "IPX"), (24, "IPv6"), (28, "IPv6"), (30, "IPv6")])
        .default(2)
        .computed(Compute::NextHeader(Space::AddressFamily))
}

const LITTLE: Field = family(0);
const BIG: Field = family(24);

/// What both have in common.
const FAMILY: Header = Header {
    short: "Loopback",
    reference: "LINKTYPE_NULL",
    length: Length::Fixed(4),
    family: Family::Link,
    info,
    ..Header::PLAIN
};

/// As a little-endian machine writes it.
pub static HEADER: Header = Header {
    key: "null",
    name: "BSD loopback, little-endian",
    fields: &[LITTLE, Field::hex("upper", "Upper Bytes", 8, 24)],
    found_by: &[(Space::LinkType, 0)],
    only_when: Some(When { field: &LITTLE, is: &[0], not: true }),
    next: &[Next {
        when: None,
        to: To::Selected { by: &LITTLE, space: Space::AddressFamily },
        quoted: false,
    }],
    ..FAMILY
};

/// In network byte order.
pub static NETWORK_ORDER: Header = Header {
    key: "loop",
    prefix: "null",
    name: "BSD loopback, network byte order",
    reference: "LINKTYPE_LOOP",
    fields: &[Field::hex("upper", "Upper Bytes", 0, 24), BIG],
    found_by: &[(Space::LinkType, 108), (Space::LinkType, 0)],
    next: &[Next { when: None, to: To::Selected { by: &BIG, space: Space::AddressFamily }, quoted: false }],
    ..FAMILY
};

fn info(view: &LayerView<'_>) -> String {
    format!("family {}, {} bytes", view.value_name("family"), view.payload().len())
}
