//! Geneve, RFC 8926.

use super::ethernet::TYPE_NAMES;
use crate::wire::table::{
    Compute, Family, Field, Fills, Head, Header, Item, ItemList, Length, Next, Shown, Space, To,
};
use crate::wire::view::LayerView;

const OPT_LEN: Field = Field::number("option.length", "Opt Len", 2, 6)
    .alias(&[("opt_len", 1)])
    .scale(4)
    .computed(Compute::HeaderLength);
const PROTO: Field = Field::hex("proto_type", "Protocol Type", 16, 16)
    .alias(&[("proto", 1)])
    .names(TYPE_NAMES)
    .default(0x6558)
    .computed(Compute::NextHeader(Space::EtherType));

const HEAD: Head = Head::of(4, (0, 24), (27, 5));
/// An option's class and type are its kind.
const CLASS: Field = Field::hex("option.class", "Option Class", 0, 16).short("Class");
const TYPE: Field = Field::group("option.type", "Type", 16, 8);
const CRITICAL: Field = Field::flag("option.type.critical", "Critical Option", 16);
const NUMBER: Field = Field::hex("option.type.number", "Type without Critical", 17, 7);
const FLAGS: Field = Field::hex("option.flags", "Reserved", 24, 3).reserved();
const LEN: Field = Field::number("option.length", "Length", 27, 5).scale(4);

static LIST: ItemList = ItemList {
    key: "options",
    label: "Options",
    items: &[],
    unknown: &Item::known(
        0,
        "opt",
        "Option",
        "RFC 8926 section 3.5",
        &[
            CLASS,
            TYPE,
            CRITICAL,
            NUMBER,
            FLAGS,
            LEN,
            Field::bytes("option.unknown.data", "Option Data", 32, 0).short("Data"),
        ],
    )
    .head(HEAD)
    .any_kind(),
    fills: Fills::Header,
    head: HEAD,
    unit: 4,
    beyond: 4,
    align: 4,
    limit: Some(252),
    ..ItemList::PLAIN
};

/// Geneve.
pub static HEADER: Header = Header {
    key: "geneve",
    name: "Generic Network Virtualization Encapsulation",
    short: "Geneve",
    reference: "RFC 8926",
    fields: &[
        Field::number("version", "Version", 0, 2).short("Ver"),
        OPT_LEN,
        Field::group("flags", "Flags", 8, 8),
        Field::flag("flags.oam", "Control Packet", 8).short("O").letter('O'),
        Field::flag("flags.critical", "Critical Options Present", 9).short("C").letter('C'),
        Field::number("flags.reserved", "Reserved", 10, 6).shown(Shown::AnyBit).short("Rsvd"),
        PROTO,
        Field::hex("vni", "Virtual Network Identifier", 32, 24).short("VNI").default(1),
        Field::hex("reserved", "Reserved", 56, 8),
    ],
    length: Length::Counted { by: &OPT_LEN, unit: 4, beyond: 8, min: 8 },
    found_by: &[(Space::UdpPort, 6081)],
    next: &[Next { when: None, to: To::Selected { by: &PROTO, space: Space::EtherType }, quoted: false }],
    items: Some(&LIST),
    family: Family::Tunnel,
    info,
    warnings: &[item_problem, critical],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let vni = view.number("vni").unwrap_or(0);
    format!("VNI {vni} protocol {} length {}", view.value_name(PROTO.key), view.payload_len())
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}

/// RFC 8926 section 3.4: the flag says whether an option is critical.
fn critical(view: &LayerView<'_>) -> Option<String> {
    let first = |start: usize| view.bytes.get(start + 2).is_some_and(|kind| kind & 0x80 != 0);
    let any = view.items().iter().any(|i| first(i.range.start));
    (any != view.is_set("flags.critical")).then(|| {
        let what = if any {
            "an option is critical, the flag C is not set"
        } else {
            "the flag C is set, no option is critical"
        };
        what.to_owned()
    })
}
