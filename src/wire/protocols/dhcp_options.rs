//! The options of DHCP: RFC 2132, and those of RFC 3046 (relay agent), RFC 3397 (domain search), RFC 3442 (classless
//! routes), RFC 4039 (rapid commit), RFC 4578 (system architecture), RFC 4702 (client name) and RFC 5859 (TFTP server).

use super::dhcp::HAS_OPTIONS;
use crate::wire::bits;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::wire::readers::dns;
use crate::wire::table::{Field, Item, ItemList, Part, Shown, When};
use crate::wire::value;
use crate::wire::view::LayerView;

const NAMES: &[(u64, &str)] = &[
    (0, "Padding"),
    (1, "Subnet Mask"),
    (2, "Time Offset"),
    (3, "Router"),
    (6, "Domain Name Server"),
    (12, "Host Name"),
    (15, "Domain Name"),
    (26, "Interface MTU"),
    (28, "Broadcast Address"),
    (33, "Static Route"),
    (42, "Network Time Protocol Servers"),
    (43, "Vendor-Specific Information"),
    (44, "NetBIOS over TCP/IP Name Server"),
    (50, "Requested IP Address"),
    (51, "IP Address Lease Time"),
    (52, "Option Overload"),
    (53, "DHCP Message Type"),
    (54, "DHCP Server Identifier"),
    (55, "Parameter Request List"),
    (56, "Message"),
    (57, "Maximum DHCP Message Size"),
    (58, "Renewal Time Value"),
    (59, "Rebinding Time Value"),
    (60, "Vendor Class Identifier"),
    (61, "Client Identifier"),
    (66, "TFTP Server Name"),
    (67, "Bootfile Name"),
    (80, "Rapid Commit"),
    (81, "Client Fully Qualified Domain Name"),
    (82, "Agent Information"),
    (93, "Client System Architecture"),
    (108, "IPv6-Only Preferred"),
    (114, "Captive Portal"),
    (119, "Domain Search"),
    (121, "Classless Static Route"),
    (150, "TFTP Server Address"),
    (252, "Private/Proxy Autodiscovery"),
    (255, "End"),
];

const TYPE: Field = Field::number("option.type", "Option", 0, 8).names(NAMES);
const LEN: Field = Field::number("option.length", "Length", 8, 8);
const VALUE: Field = Field::bytes("option.value", "Value", 16, 0);

const fn option(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 2132", fields)
}
/// One or more addresses.
const fn addresses(kind: u32, key: &'static str, name: &'static str, repeat: &'static [Field]) -> Item {
    option(kind, key, name, HEAD).repeating(repeat)
}
const HEAD: &[Field] = &[TYPE, LEN];
const fn seconds(key: &'static str, label: &'static str) -> Field {
    Field::number(key, label, 16, 32).short("Seconds").default(3600)
}

const MESSAGE: Field = Field::number("option.dhcp", "DHCP Message Type", 16, 8)
    .short("Message")
    .names(&[
        (1, "Discover"),
        (2, "Offer"),
        (3, "Request"),
        (4, "Decline"),
        (5, "ACK"),
        (6, "NAK"),
        (7, "Release"),
        (8, "Inform"),
        (9, "Force Renew"),
    ])
    .default(1);
const ID_TYPE: Field = Field::hex("hw.type", "Hardware Type", 16, 8).short("Type").default(1);
const IS_ETHERNET: &[When] = &[When::is(&ID_TYPE, &[1])];

const SUBOPTION: Field = Field::number("option.agent_information_option.suboption", "Suboption", 0, 8)
    .names(&[(1, "Agent Circuit ID"), (2, "Agent Remote ID"), (5, "Link Selection"), (6, "Subscriber ID")]);
const SUBOPTION_LEN: Field = Field::number("option.suboption_length", "Length", 8, 8);
const fn suboption(kind: u32, key: &'static str, name: &'static str, fields: &'static [Field]) -> Item {
    Item::known(kind, key, name, "RFC 3046", fields)
}

/// What a relay agent adds.
static AGENT: ItemList = ItemList {
    key: "suboptions",
    label: "Suboptions",
    items: &[
        suboption(
            1,
            "circuit",
            "Agent Circuit ID",
            &[
                SUBOPTION,
                SUBOPTION_LEN,
                Field::bytes("option.agent_information_option.agent_circuit_id", "Agent Circuit ID", 16, 0),
            ],
        ),
        suboption(
            2,
            "remote",
            "Agent Remote ID",
            &[
                SUBOPTION,
                SUBOPTION_LEN,
                Field::bytes("option.agent_information_option.agent_remote_id", "Agent Remote ID", 16, 0),
            ],
        ),
        suboption(
            5,
            "link",
            "Link Selection",
            &[
                SUBOPTION,
                SUBOPTION_LEN,
                Field::ipv4("option.agent_information_option.link_selection", "Link Selection", 16)
                    .reference("RFC 3527"),
            ],
        )
        .exactly(6),
    ],
    unknown: &suboption(
        0,
        "opt",
        "Suboption",
        &[SUBOPTION, SUBOPTION_LEN, Field::bytes("option.agent_information_option.value", "Value", 16, 0)],
    )
    .any_kind(),
    beyond: 2,
    ..ItemList::PLAIN
};

const fn text(key: &'static str, label: &'static str) -> Field {
    Field::text(key, label, 16, 0)
}

const END: Field = Field::number("option.end", "Option End", 0, 8);

/// The options; with the kinds alone first.
pub static OPTIONS: ItemList = ItemList {
    items: &[
        option(0, "pad", "Pad Option", &[TYPE]).alone(),
        option(255, "end", "End Option", &[END]).alone().last(),
        option(53, "message", "DHCP Message Type", &[TYPE, LEN, MESSAGE]).exactly(3),
        option(
            61,
            "client_id",
            "Client Identifier",
            &[TYPE, LEN, ID_TYPE, Field::mac("hw.mac_addr", "Client MAC Address", 24).short("MAC")],
        )
        .exactly(9)
        .when(IS_ETHERNET),
        option(
            61,
            "client_id",
            "Client Identifier",
            &[
                TYPE,
                LEN,
                Field::number("client_id.type", "Type", 16, 8),
                Field::bytes("client_id.undef", "Identifier", 24, 0),
            ],
        ),
        addresses(
            55,
            "parameters",
            "Parameter Request List",
            &[Field::number("option.request_list_item", "Parameter Request List Item", 0, 8)
                .short("Option")
                .names(NAMES)
                .default(1)],
        ),
        option(
            50,
            "requested_ip",
            "Requested IP Address",
            &[
                TYPE,
                LEN,
                Field::ipv4("option.requested_ip_address", "Requested IP Address", 16).short("Address"),
            ],
        )
        .exactly(6),
        option(
            54,
            "server_id",
            "DHCP Server Identifier",
            &[TYPE, LEN, Field::ipv4("option.dhcp_server_id", "DHCP Server Identifier", 16).short("Server")],
        )
        .exactly(6),
        option(
            51,
            "lease_time",
            "IP Address Lease Time",
            &[TYPE, LEN, seconds("option.ip_address_lease_time", "IP Address Lease Time")],
        )
        .exactly(6),
        option(12, "hostname", "Host Name", &[TYPE, LEN, text("option.hostname", "Host Name")]),
        option(
            60,
            "vendor_class",
            "Vendor Class Identifier",
            &[TYPE, LEN, text("option.vendor_class_id", "Vendor Class Identifier")],
        ),
        option(
            57,
            "max_size",
            "Maximum DHCP Message Size",
            &[
                TYPE,
                LEN,
                Field::number("option.dhcp_max_message_size", "Maximum DHCP Message Size", 16, 16)
                    .short("Bytes")
                    .default(1500),
            ],
        )
        .exactly(4),
        option(
            1,
            "mask",
            "Subnet Mask",
            &[TYPE, LEN, Field::ipv4("option.subnet_mask", "Subnet Mask", 16).default(0xffff_ff00)],
        )
        .exactly(6),
        addresses(3, "router", "Router", &[Field::ipv4("option.router", "Router", 0)]),
        addresses(
            6,
            "dns",
            "Domain Name Server",
            &[Field::ipv4("option.domain_name_server", "Domain Name Server", 0)],
        ),
        option(15, "domain", "Domain Name", &[TYPE, LEN, text("option.domain_name", "Domain Name")]),
        option(
            2,
            "time_offset",
            "Time Offset",
            &[
                TYPE,
                LEN,
                Field::number("option.time_offset", "Time Offset", 16, 32)
                    .shown(Shown::Signed)
                    .short("Seconds"),
            ],
        )
        .exactly(6),
        option(
            26,
            "mtu",
            "Interface MTU",
            &[
                TYPE,
                LEN,
                Field::number("option.interface_mtu", "Interface MTU", 16, 16).short("MTU").default(1500),
            ],
        )
        .exactly(4),
        option(
            28,
            "broadcast",
            "Broadcast Address",
            &[TYPE, LEN, Field::ipv4("option.broadcast_address", "Broadcast Address", 16).short("Address")],
        )
        .exactly(6),
        addresses(
            33,
            "static_route",
            "Static Route",
            &[
                Field::ipv4("option.static_route.ip", "Destination", 0),
                Field::ipv4("option.static_route.router", "Router", 32),
            ],
        ),
        addresses(
            42,
            "ntp",
            "Network Time Protocol Servers",
            &[Field::ipv4("option.ntp_server", "NTP Server", 0)],
        ),
        addresses(
            44,
            "netbios_ns",
            "NetBIOS over TCP/IP Name Server",
            &[Field::ipv4("option.netbios_over_tcpip_name_server", "NetBIOS Name Server", 0)],
        ),
        option(
            43,
            "vendor",
            "Vendor-Specific Information",
            &[TYPE, LEN, Field::bytes("option.vendor.value", "Vendor Data", 16, 0)],
        ),
        option(
            52,
            "overload",
            "Option Overload",
            &[
                TYPE,
                LEN,
                Field::number("option.option_overload", "Option Overload", 16, 8).default(1).names(&[
                    (1, "Boot file name holds options"),
                    (2, "Server host name holds options"),
                    (3, "Boot file and server host names hold options"),
                ]),
            ],
        )
        .exactly(3),
        option(56, "text", "Message", &[TYPE, LEN, text("option.message", "Message")]),
        option(
            58,
            "renewal",
            "Renewal Time Value",
            &[TYPE, LEN, seconds("option.renewal_time_value", "Renewal Time Value")],
        )
        .exactly(6),
        option(
            59,
            "rebinding",
            "Rebinding Time Value",
            &[TYPE, LEN, seconds("option.rebinding_time_value", "Rebinding Time Value")],
        )
        .exactly(6),
        option(
            66,
            "tftp_name",
            "TFTP Server Name",
            &[TYPE, LEN, text("option.tftp_server_name", "TFTP Server Name")],
        ),
        option(67, "bootfile", "Bootfile Name", &[TYPE, LEN, text("option.bootfile_name", "Bootfile Name")]),
        option(80, "rapid_commit", "Rapid Commit", HEAD).exactly(2),
        option(
            81,
            "fqdn",
            "Client Fully Qualified Domain Name",
            &[
                TYPE,
                LEN,
                Field::group("fqdn.flags", "Flags", 16, 8),
                Field::hex("fqdn.mbz", "Reserved", 16, 4),
                Field::flag("fqdn.n", "No Server Update", 20).letter('N'),
                Field::flag("fqdn.e", "Canonical Encoding", 21).letter('E'),
                Field::flag("fqdn.o", "Server Overrides", 22).letter('O'),
                Field::flag("fqdn.s", "Server Updates", 23).letter('S'),
                Field::number("fqdn.rcode1", "A-RR Result", 24, 8),
                Field::number("fqdn.rcode2", "PTR-RR Result", 32, 8),
                Field::text("fqdn.name", "Client Name", 40, 0),
            ],
        ),
        option(82, "agent", "Agent Information", HEAD).inner(&AGENT),
        addresses(
            93,
            "architecture",
            "Client System Architecture",
            &[Field::number("option.client_system_architecture", "Client System Architecture", 0, 16)
                .short("Type")
                .names(&[(0, "IA x86 PC"), (6, "EFI IA32"), (7, "EFI BC"), (9, "EFI x86-64")])],
        ),
        option(
            119,
            "domain_search",
            "Domain Search",
            &[
                TYPE,
                LEN,
                Field::text("option.dhcp_dns_domain_search_list_fqdn", "Domain Search", 16, 0)
                    .short("Domains")
                    .parts(names)
                    .reference("RFC 3397"),
            ],
        ),
        option(
            121,
            "routes",
            "Classless Static Route",
            &[
                TYPE,
                LEN,
                Field::bytes("option.classless_static_route", "Classless Static Route", 16, 0)
                    .short("Routes")
                    .parts(routes)
                    .reference("RFC 3442"),
            ],
        ),
        addresses(
            150,
            "tftp",
            "TFTP Server Address",
            &[Field::ipv4("option.tftp_server_address", "TFTP Server Address", 0)],
        ),
        option(
            252,
            "wpad",
            "Private/Proxy Autodiscovery",
            &[TYPE, LEN, text("option.private_proxy_autodiscovery", "Proxy Autodiscovery")],
        ),
    ],
    unknown: &option(0, "opt", "Option", &[TYPE, LEN, VALUE]).any_kind(),
    when: Some(HAS_OPTIONS),
    otherwise: Some(&VENDOR),
    beyond: 2,
    filler: Some(&Field::bytes("option.padding", "Padding", 0, 0)),
    elsewhere: Some(overloaded),
    ..ItemList::PLAIN
};

/// What stands behind the header of BOOTP alone.
static VENDOR: ItemList = ItemList {
    key: "vendor",
    label: "Vendor Data",
    items: &[Item::bare("data", "Vendor Data", "RFC 951", &[Field::bytes("vendor", "Vendor Data", 0, 0)])],
    ..ItemList::PLAIN
};

/// What the message is called, where an option says it.
pub(super) fn message_name(view: &LayerView<'_>) -> Option<&'static str> {
    let span = view.items().into_iter().find(|i| i.item.kind == Some(53))?;
    value::name_of(&MESSAGE, bits::get(view.bytes.get(span.range)?, MESSAGE.bits)?)
}

/// The names of a search list, compressed as in DNS within the option (RFC 3397 section 2). What one option has of a list
/// that was too long for it (RFC 3396) is read by itself.
fn names(data: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let Ok((name, end)) = dns::name(data, at, data.len()) else { break };
        found.push(Part { range: at..end, text: Some(name.text.clone()), told: name.text });
        at = end;
    }
    found
}

/// Routes: the width of the mask, as many bytes of the destination as that needs, the router (RFC 3442).
fn routes(data: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&width) = data.get(at).filter(|width| **width <= 32) {
        let significant = usize::from(width).div_ceil(8);
        let end = at + 5 + significant;
        let Some(bytes) = data.get(at + 1..end) else { break };
        let (destination, router) = bytes.split_at(significant);
        let address = |bytes: &[u8]| {
            let mut all = [0; 4];
            all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Ipv4Addr::from(all)
        };
        let told = format!("{}/{width} via {}", address(destination), address(router));
        found.push(Part { range: at..end, text: None, told });
        at = end;
    }
    found
}

/// RFC 2132 section 9.3: what the server host name and the boot file name hold instead.
fn overloaded(option: &[u8]) -> Vec<Range<usize>> {
    const SERVER: Range<usize> = 44..108;
    const FILE: Range<usize> = 108..236;
    let [52, 1, which] = option else { return Vec::new() };
    [(2, SERVER), (1, FILE)].into_iter().filter(|(bit, _)| which & bit != 0).map(|(_, place)| place).collect()
}
