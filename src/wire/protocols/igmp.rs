//! IGMP: version 1, RFC 1112 appendix I; version 2, RFC 2236; version 3, RFC 3376.

use crate::wire::table::{Compute, Coverage, Family, Field, Header, Item, ItemList, Length, Space, When};
use crate::wire::value;
use crate::wire::view::LayerView;

const TYPE: Field = Field::hex("type", "Type", 0, 8)
    .names(&[
        (0x11, "Membership Query"),
        (0x12, "Membership Report (version 1)"),
        (0x16, "Membership Report"),
        (0x17, "Leave Group"),
        (0x22, "Membership Report (version 3)"),
    ])
    .default(0x16);
const fn of(is: &'static [u64]) -> When {
    When::is(&TYPE, is)
}
const QUERY: When = of(&[0x11]);
const REPORT: When = of(&[0x22]);
/// Nothing is answered within a time.
const UNTIMED: &[u64] = &[0x12, 0x22];

/// Sources in a record and in a query stand behind their number.
const fn number_of_sources(start: usize) -> Field {
    Field::number("num_src", "Number of Sources", start, 16).short("Sources")
}
const IN_QUERY: Field = number_of_sources(16);
const IN_RECORD: Field = number_of_sources(16);
const SOURCE: Item =
    Item::bare("addr", "Source Address", "RFC 3376", &[Field::ipv4("saddr", "Source Address", 0)]).exactly(4);

/// What a query of version 3 has behind the fields of version 2: RFC 3376 section 4.1.
static VERSION_3: ItemList = ItemList {
    key: "v3",
    label: "Version 3",
    items: &[Item::bare(
        "query",
        "Version 3 Query",
        "RFC 3376 section 4.1",
        &[
            Field::number("resv", "Reserved", 0, 4).reserved(),
            Field::flag("s", "Suppress Router-Side Processing", 4).short("S"),
            Field::number("qrv", "Querier's Robustness Variable", 5, 3).short("QRV").default(2),
            Field::number("qqic", "Querier's Query Interval Code", 8, 8).short("QQIC").default(125),
            IN_QUERY,
        ],
    )
    .inner(&SOURCES)],
    when: Some(QUERY),
    otherwise: Some(&RECORDS),
    ..ItemList::PLAIN
};
static SOURCES: ItemList = ItemList {
    key: "sources",
    label: "Sources",
    items: &[
        SOURCE.counted(&IN_QUERY),
        Item::bare(
            "data",
            "Additional Data",
            "RFC 3376 section 4.1.10",
            &[Field::bytes("data", "Additional Data", 0, 0)],
        ),
    ],
    ..ItemList::PLAIN
};

const AUX_LEN: Field = Field::number("aux_data_len", "Aux Data Len", 8, 8).short("Aux Len");
const GROUPS: Field = Field::number("num_grp_recs", "Number of Group Records", 48, 16)
    .short("Records")
    .computed(Compute::ItemCount);

/// Group records: RFC 3376 section 4.2.4.
static RECORDS: ItemList = ItemList {
    key: "records",
    label: "Group Records",
    items: &[Item::bare(
        "record",
        "Group Record",
        "RFC 3376 section 4.2.4",
        &[
            Field::number("record_type", "Record Type", 0, 8).short("Type").default(4).names(&[
                (1, "Mode Is Include"),
                (2, "Mode Is Exclude"),
                (3, "Change To Include Mode"),
                (4, "Change To Exclude Mode"),
                (5, "Allow New Sources"),
                (6, "Block Old Sources"),
            ]),
            AUX_LEN,
            IN_RECORD,
            Field::ipv4("maddr", "Multicast Address", 32).short("Group").default(0xe000_00fb),
        ],
    )
    .inner(&RECORD)
    .counted(&GROUPS)],
    when: Some(REPORT),
    ..ItemList::PLAIN
};
static RECORD: ItemList = ItemList {
    key: "sources",
    label: "Sources",
    items: &[
        SOURCE.counted(&IN_RECORD),
        Item::bare(
            "aux",
            "Auxiliary Data",
            "RFC 3376 section 4.2.11",
            &[Field::bytes("aux_data", "Auxiliary Data", 0, 0)],
        )
        .counted(&AUX_LEN),
    ],
    unit: 4,
    ..ItemList::PLAIN
};

/// IGMP.
pub static HEADER: Header = Header {
    key: "igmp",
    name: "Internet Group Management Protocol",
    short: "IGMP",
    reference: "RFC 3376",
    fields: &[
        TYPE,
        Field::number("max_resp", "Max Resp Code", 8, 8).short("Max Resp").when(When {
            field: &TYPE,
            is: UNTIMED,
            not: true,
        }),
        Field::bytes("reserved", "Reserved", 8, 8).when(of(UNTIMED)),
        Field::hex("checksum", "Checksum", 16, 16)
            .computed(Compute::Checksum { coverage: Coverage::Message, zero_is_none: false }),
        Field::ipv4("maddr", "Group Address", 32).alias(&[("group", 1)]).when(When {
            field: &TYPE,
            is: &[0x22],
            not: true,
        }),
        Field::hex("reserved16", "Reserved", 32, 16).when(REPORT),
        GROUPS.when(REPORT),
    ],
    length: Length::Fixed(8),
    found_by: &[(Space::IpProtocol, 2)],
    items: Some(&VERSION_3),
    family: Family::Control,
    info,
    warnings: &[ttl, item_problem, records],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let Some(kind) = view.number("type") else { return "cut short".into() };
    let group = view.text("maddr");
    match kind {
        0x11 => {
            let to =
                if group == "0.0.0.0" { "general".into() } else { format!("specific for group {group}") };
            format!("Membership Query, {to}{}", sources(view))
        }
        0x12 | 0x16 => format!("Membership Report group {group}"),
        0x17 => format!("Leave Group {group}"),
        0x22 => format!("Membership Report{}", sources(view)),
        _ => view.value_name("type"),
    }
}

/// Groups with the sources that stand under them.
fn sources(view: &LayerView<'_>) -> String {
    let mut text = String::new();
    for (index, span) in view.items().iter().enumerate() {
        let fields = view.item_fields(index, span);
        let of = |key: &str| fields.iter().find(|f| f.field.key == key);
        let name = of("record_type").map(|f| value::named(f.field, view.bytes, f.bits));
        let address = of("maddr").or(of("saddr")).map(|f| f.text(view.bytes));
        match (name, address) {
            (Some(name), Some(group)) => text += &format!(" / {name} {group}"),
            (None, Some(source)) => text += &format!(", source {source}"),
            _ => {}
        }
    }
    text
}

/// RFC 3376 section 4: every message is sent with a TTL of 1.
fn ttl(view: &LayerView<'_>) -> Option<String> {
    let below = LayerView { index: view.index.checked_sub(1)?, ..*view };
    let ttl = below.number("ttl")?;
    (ttl != 1).then(|| format!("TTL {ttl}: IGMP is sent with a TTL of 1"))
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}

fn records(view: &LayerView<'_>) -> Option<String> {
    let said = view.number(GROUPS.key)? as usize;
    let real = view.items().iter().filter(|i| i.depth == 0).count();
    (said > real).then(|| format!("{} says {said}, there are {real}", GROUPS.label))
}
