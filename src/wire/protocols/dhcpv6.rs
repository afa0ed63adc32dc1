//! DHCPv6, RFC 8415; DNS servers and search list RFC 3646, prefix delegation RFC 8415 section 6.3.

use crate::wire::table::{Family, Field, Head, Header, Item, ItemList, Length, Space, When};
use crate::wire::view::LayerView;

const MESSAGES: &[(u64, &str)] = &[
    (1, "Solicit"),
    (2, "Advertise"),
    (3, "Request"),
    (4, "Confirm"),
    (5, "Renew"),
    (6, "Rebind"),
    (7, "Reply"),
    (8, "Release"),
    (9, "Decline"),
    (10, "Reconfigure"),
    (11, "Information-request"),
    (12, "Relay-forw"),
    (13, "Relay-reply"),
];
const TYPE: Field =
    Field::number("msgtype", "Message Type", 0, 8).alias(&[("type", 1)]).names(MESSAGES).default(1);
const RELAYED: When = When::is(&TYPE, &[12, 13]);
const DIRECT: When = When { not: true, ..RELAYED };
const XID: Field = Field::hex("xid", "Transaction ID", 8, 24).default(1);
const HOPS: Field = Field::number("hopcount", "Hop Count", 8, 8);
const LINK: Field = Field::ipv6("linkaddr", "Link Address", 16);
const PEER: Field = Field::ipv6("peeraddr", "Peer Address", 144);

const NAMES: &[(u64, &str)] = &[
    (1, "Client Identifier"),
    (2, "Server Identifier"),
    (3, "Identity Association for Non-temporary Address"),
    (4, "Identity Association for Temporary Address"),
    (5, "IA Address"),
    (6, "Option Request"),
    (7, "Preference"),
    (8, "Elapsed Time"),
    (9, "Relay Message"),
    (11, "Authentication"),
    (12, "Server Unicast"),
    (13, "Status Code"),
    (14, "Rapid Commit"),
    (15, "User Class"),
    (16, "Vendor Class"),
    (17, "Vendor-specific Information"),
    (18, "Interface-Id"),
    (19, "Reconfigure Message"),
    (20, "Reconfigure Accept"),
    (23, "DNS Recursive Name Server"),
    (24, "Domain Search List"),
    (25, "Identity Association for Prefix Delegation"),
    (26, "IA Prefix"),
];
const KIND: Field = Field::number("option.type", "Option", 0, 16).names(NAMES);
const LEN: Field = Field::number("option.length", "Length", 16, 16);
const HEAD: &[Field] = &[KIND, LEN];

const fn option(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 8415 section 21", fields).head(Head::WORDS)
}
const DUID: &[Field] = &[KIND, LEN, Field::bytes("duid.bytes", "DUID", 32, 0)];
const IAID: Field = Field::bytes("iaid", "IAID", 32, 32);
const T1: Field = Field::number("iaid.t1", "T1", 64, 32);
const T2: Field = Field::number("iaid.t2", "T2", 96, 32);
const IA: &[Field] = &[KIND, LEN, IAID, T1, T2];

/// The options of messages, and of options.
static OPTIONS: ItemList = ItemList {
    items: &[
        option(1, "client_id", "Client Identifier", DUID),
        option(2, "server_id", "Server Identifier", DUID),
        option(3, "ia_na", "Identity Association for Non-temporary Address", IA).inner(&OPTIONS),
        option(
            4,
            "ia_ta",
            "Identity Association for Temporary Address",
            &[KIND, LEN, Field::bytes("iata", "IAID", 32, 32)],
        )
        .inner(&OPTIONS),
        option(
            5,
            "iaaddr",
            "IA Address",
            &[
                KIND,
                LEN,
                Field::ipv6("iaaddr.ip", "IPv6 Address", 32),
                Field::number("iaaddr.pref_lifetime", "Preferred Lifetime", 160, 32)
                    .short("Preferred")
                    .default(3600),
                Field::number("iaaddr.valid_lifetime", "Valid Lifetime", 192, 32)
                    .short("Valid")
                    .default(7200),
            ],
        )
        .inner(&OPTIONS),
        option(6, "oro", "Option Request", HEAD).repeating(&[Field::number(
            "requested_option_code",
            "Requested Option Code",
            0,
            16,
        )
        .short("Option")
        .names(NAMES)
        .default(23)]),
        option(
            7,
            "preference",
            "Preference",
            &[KIND, LEN, Field::number("option_preference", "Preference", 32, 8).default(255)],
        )
        .exactly(5),
        option(
            8,
            "elapsed",
            "Elapsed Time",
            &[KIND, LEN, Field::number("elapsed_time", "Elapsed Time in ms", 32, 16).short("ms").scale(10)],
        )
        .exactly(6),
        option(9, "relay", "Relay Message", HEAD).inner(&RELAY),
        option(
            12,
            "unicast",
            "Server Unicast",
            &[KIND, LEN, Field::ipv6("unicast", "Server Address", 32).short("Server")],
        )
        .exactly(20),
        option(
            13,
            "status",
            "Status Code",
            &[
                KIND,
                LEN,
                Field::number("status_code", "Status Code", 32, 16).short("Code").names(&[
                    (0, "Success"),
                    (1, "UnspecFail"),
                    (2, "NoAddrAvail"),
                    (3, "NoBinding"),
                    (4, "NotOnLink"),
                    (5, "UseMulticast"),
                    (6, "NoPrefixAvail"),
                ]),
                Field::text("status_msg", "Status Message", 48, 0).short("Message"),
            ],
        ),
        option(14, "rapid_commit", "Rapid Commit", HEAD).exactly(4),
        option(
            18,
            "interface_id",
            "Interface-Id",
            &[KIND, LEN, Field::bytes("interface_id", "Interface-Id", 32, 0)],
        ),
        option(
            19,
            "reconfigure",
            "Reconfigure Message",
            &[
                KIND,
                LEN,
                Field::number("reconf_msg", "Reconfigure Message Type", 32, 8)
                    .short("Message")
                    .names(MESSAGES)
                    .default(5),
            ],
        )
        .exactly(5),
        option(20, "reconfigure_accept", "Reconfigure Accept", HEAD).exactly(4),
        option(23, "dns", "DNS Recursive Name Server", HEAD).repeating(&[Field::ipv6(
            "dns_server",
            "DNS Server",
            0,
        )]),
        option(
            24,
            "domains",
            "Domain Search List",
            &[KIND, LEN, Field::bytes("search_list", "Domain Search List", 32, 0).reference("RFC 3646")],
        ),
        option(25, "ia_pd", "Identity Association for Prefix Delegation", IA).inner(&OPTIONS),
        option(
            26,
            "iaprefix",
            "IA Prefix",
            &[
                KIND,
                LEN,
                Field::number("iaprefix.pref_lifetime", "Preferred Lifetime", 32, 32)
                    .short("Preferred")
                    .default(3600),
                Field::number("iaprefix.valid_lifetime", "Valid Lifetime", 64, 32)
                    .short("Valid")
                    .default(7200),
                Field::number("iaprefix.pref_len", "Prefix Length", 96, 8).short("Length").default(64),
                Field::ipv6("iaprefix.pref_addr", "Prefix", 104),
            ],
        )
        .inner(&OPTIONS),
    ],
    unknown: &option(0, "opt", "Option", &[KIND, LEN, Field::bytes("option.value", "Value", 32, 0)])
        .any_kind(),
    head: Head::WORDS,
    beyond: 4,
    ..ItemList::PLAIN
};

/// The message that a relay passes on; it may be a relay's, too.
static RELAY: ItemList = ItemList {
    key: "message",
    label: "Message",
    items: &[
        Item::bare("message", "Message", "RFC 8415 section 8", &[TYPE, XID]).when(&[DIRECT]).inner(&OPTIONS),
        Item::bare("relayed", "Relayed Message", "RFC 8415 section 9", &[TYPE.default(12), HOPS, LINK, PEER])
            .when(&[RELAYED])
            .inner(&OPTIONS),
    ],
    ..ItemList::PLAIN
};

/// DHCPv6.
pub static HEADER: Header = Header {
    key: "dhcpv6",
    name: "Dynamic Host Configuration Protocol for IPv6",
    short: "DHCPv6",
    reference: "RFC 8415",
    fields: &[TYPE, XID.when(DIRECT), HOPS.when(RELAYED), LINK.when(RELAYED), PEER.when(RELAYED)],
    length: Length::Cases { cases: &[(RELAYED, 34)], otherwise: 4 },
    found_by: &[(Space::UdpPort, 547), (Space::UdpPort, 546)],
    items: Some(&OPTIONS),
    family: Family::Control,
    info,
    warnings: &[item_problem],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let name = view.value_name("msgtype");
    if view.field("xid").is_some() {
        return format!("{name} XID: {}", view.text("xid"));
    }
    format!("{name} L: {} P: {}", view.text("linkaddr"), view.text("peeraddr"))
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}
