//! What stands in IPv6 extension headers: the options of RFC 8200 section 4.2, the addresses of a routing header, the
//! integrity check value of an authentication header.

use super::ipv6_extensions::{LAST_ENTRY, SEGMENTS_LEFT, TYPE};
use crate::wire::bits;
use crate::wire::readers::rpl;
use crate::wire::table::{Field, Fills, Item, ItemList, When};
use crate::wire::view::LayerView;

const KIND: Field = Field::hex("opt.type", "Option Type", 0, 8).names(&[
    (0, "Pad1"),
    (1, "PadN"),
    (5, "Router Alert"),
    (0xc2, "Jumbo Payload"),
    (0xc9, "Home Address"),
]);
const LEN: Field = Field::number("opt.length", "Opt Data Len", 8, 8);

const PAD1: Item = {
    let mut item = Item::known(0, "pad1", "Pad1", "RFC 8200 section 4.2", &[KIND]).exactly(1);
    item.single = true;
    item
};

/// A list that fills up a header of 8-byte units.
const BASE: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &[],
    unknown: &UNKNOWN,
    when: None,
    otherwise: None,
    fills: Fills::Header,
    unit: 1,
    beyond: 2,
    align: 8,
    lead: 2,
    limit: None,
    ..ItemList::PLAIN
};
const UNKNOWN: Item = {
    let fields = &[KIND, LEN, Field::bytes("opt.unknown", "Option Data", 16, 0)];
    let mut item =
        Item::known(0, "opt", "Option", "IANA IPv6 destination options and hop-by-hop options", fields);
    item.kind = None;
    item
};

/// Options of a hop-by-hop or destination header. Zeros that fill them up are Pad1 options.
pub static OPTIONS: ItemList = ItemList {
    items: &[
        PAD1,
        Item::known(
            1,
            "padn",
            "PadN",
            "RFC 8200 section 4.2",
            &[KIND, LEN, Field::bytes("opt.padn", "PadN", 16, 0)],
        ),
        Item::known(
            5,
            "ra",
            "Router Alert",
            "RFC 2711 section 2.1",
            &[
                KIND,
                LEN,
                Field::number("opt.router_alert", "Router Alert", 16, 16).short("Value").names(&[
                    (0, "MLD"),
                    (1, "RSVP"),
                    (2, "Active Networks"),
                ]),
            ],
        )
        .exactly(4),
        Item::known(
            0xc2,
            "jumbo",
            "Jumbo Payload",
            "RFC 2675 section 2",
            &[KIND, LEN, Field::number("opt.jumbo", "Jumbo Payload Length", 16, 32).short("Length")],
        )
        .exactly(6),
        Item::known(
            0xc9,
            "home",
            "Home Address",
            "RFC 6275 section 6.3",
            &[KIND, LEN, Field::ipv6("opt.mipv6.home_address", "Home Address", 16)],
        )
        .exactly(18),
    ],
    origin: Some(home_address),
    ..BASE
};

/// The key of what a routing header lists.
pub const ADDRESSES: &str = "addresses";

const fn addresses(name: &'static str, reference: &'static str, fields: &'static [Field]) -> Item {
    Item::bare("addr", name, reference, fields).exactly(16)
}
const SOURCE: Item = addresses("Route Address", "RFC 5095", &[Field::ipv6("routing.src.addr", "Address", 0)]);
const HOME: Item =
    addresses("Home Address", "RFC 6275", &[Field::ipv6("routing.mipv6.home_address", "Home Address", 0)]);
const SEGMENT: Item = addresses("Segment", "RFC 8754", &[Field::ipv6("routing.srh.addr", "Segment", 0)]);
const SR_TYPE: Field =
    Field::number("routing.srh.tlv.type", "Type", 0, 8).names(&[(0, "Pad1"), (4, "PadN"), (5, "HMAC")]);
const SR_LEN: Field = Field::number("routing.srh.tlv.len", "Length", 8, 8);
const fn sr_tlv(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 8754 section 2.1", fields)
}
const UNKNOWN_SR_TLV: Item =
    sr_tlv(0, "tlv", "TLV", &[SR_TYPE, SR_LEN, Field::bytes("routing.srh.tlv.data", "Data", 16, 0)])
        .any_kind();
static SR_TLVS: ItemList = ItemList {
    key: "tlvs",
    prefix: "ipv6",
    label: "Segment Routing TLVs",
    items: &[
        sr_tlv(0, "pad1", "Pad1", &[SR_TYPE]).alone(),
        sr_tlv(
            4,
            "padn",
            "PadN",
            &[SR_TYPE, SR_LEN, Field::bytes("routing.srh.tlv.padding", "Padding", 16, 0)],
        ),
        sr_tlv(
            5,
            "hmac",
            "HMAC",
            &[
                SR_TYPE,
                SR_LEN,
                Field::flag("routing.srh.hmac.d", "Destination Address Not Verified", 16).short("D"),
                Field::hex("routing.srh.hmac.reserved", "Reserved", 17, 15).reserved(),
                Field::hex("routing.srh.hmac.key", "HMAC Key ID", 32, 32).short("Key ID"),
                Field::bytes("routing.srh.hmac", "HMAC", 64, 0),
            ],
        ),
    ],
    unknown: &UNKNOWN_SR_TLV,
    beyond: 2,
    ..ItemList::PLAIN
};
/// What follows the segments (RFC 8754 section 2.1).
const TLVS: Item = Item::bare("tlvs", "Segment Routing TLVs", "RFC 8754 section 2.1", &[]).inner(&SR_TLVS);
const RAW: Item = Item::bare(
    "data",
    "Type-Specific Data",
    "RFC 8200 section 4.4",
    &[Field::bytes("routing.data", "Type-Specific Data", 0, 0)],
);

const ROUTED: ItemList = ItemList {
    key: ADDRESSES,
    label: "Addresses",
    lead: 0,
    beyond: 0,
    route: Some(final_destination),
    ..BASE
};
static RAW_DATA: ItemList = ItemList {
    items: &[RAW],
    unknown: &RAW,
    when: Some(When::is(&TYPE, &[3]).negated()),
    otherwise: Some(&COMPRESSED),
    route: None,
    ..ROUTED
};
static COMPRESSED: ItemList = ItemList { items: &[RAW], unknown: &RAW, ..ROUTED };
static SEGMENTS: ItemList = ItemList {
    items: &[SEGMENT.counted(&LAST_ENTRY).uncounted(1), TLVS],
    unknown: &SEGMENT,
    when: Some(When::is(&TYPE, &[4])),
    otherwise: Some(&RAW_DATA),
    ..ROUTED
};
static HOMES: ItemList = ItemList {
    items: &[HOME],
    unknown: &HOME,
    when: Some(When::is(&TYPE, &[2])),
    otherwise: Some(&SEGMENTS),
    ..ROUTED
};
/// The addresses of a routing header, by its type. Those of type 3 are compressed: they are kept raw and read by
/// [`rpl`]; what an unknown type has is kept raw too.
pub static ROUTING: ItemList = ItemList {
    items: &[SOURCE],
    unknown: &SOURCE,
    when: Some(When::is(&TYPE, &[0])),
    otherwise: Some(&HOMES),
    ..ROUTED
};

const CHECK_VALUE: Item =
    Item::bare("icv", "Integrity Check Value", "RFC 4302 section 2.6", &[Field::bytes("icv", "ICV", 0, 0)]);
/// The integrity check value: all that is left of the header.
pub static ICV: ItemList = ItemList {
    key: "icvs",
    label: "Integrity Check Value",
    items: &[CHECK_VALUE],
    unknown: &CHECK_VALUE,
    beyond: 0,
    align: 4,
    lead: 0,
    ..BASE
};

/// The last address, or the first segment (RFC 8754 lists them backwards), while segments are left (RFC 8200 section
/// 8.1).
fn final_destination(view: &LayerView<'_>) -> Option<u128> {
    let header = view.header_bytes();
    if bits::get(header, SEGMENTS_LEFT.bits)? == 0 {
        return None;
    }
    if bits::get(header, TYPE.bits)? == 3 {
        return rpl::last(header, view.destination()?);
    }
    let addresses = view.items().into_iter().flat_map(|span| view.item_fields(0, &span));
    let mut addresses = addresses.filter(|f| f.field.bits.width == 128);
    let last = match bits::get(header, TYPE.bits)? {
        4 => addresses.next(),
        _ => addresses.next_back(),
    };
    last?.stored(view.bytes)
}

/// The home address of a mobile node (RFC 6275 section 11.3.1: the upper layers sum over it as the source).
fn home_address(view: &LayerView<'_>) -> Option<u128> {
    let home = view.items().into_iter().find(|i| i.item.key == "home")?;
    view.item_fields(0, &home).iter().find(|f| f.field.bits.width == 128)?.stored(view.bytes)
}
