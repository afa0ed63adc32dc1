//! DHCP, RFC 2131, and the BOOTP that it stands on, RFC 951 and RFC 1542.

use super::dhcp_options::{OPTIONS, message_name};
use crate::wire::table::{Compute, Family, Field, Header, Length, Shown, Space, When};
use crate::wire::view::LayerView;

/// What the options begin with (RFC 2131 section 3). Wireshark writes it as an address.
const COOKIE: Field = Field::ipv4("cookie", "Magic Cookie", 1888).default(0x6382_5363);
/// Without it there are no options.
pub(super) const HAS_OPTIONS: When = When::is(&COOKIE, &[0x6382_5363]);

/// Hardware type and length of Ethernet or IEEE 802: the address is a MAC address.
const KIND: Field = Field::hex("hw.type", "Kind of Address", 8, 16);
const HAS_MAC: When = When::is(&KIND, &[0x0106, 0x0606]);
const LEN: Field = Field::number("hw.len", "Hardware Address Length", 16, 8);
const SIX: When = When::is(&LEN, &[6]);
/// Six bytes that are no MAC address.
const OTHER_OF_SIX: When = When::is(&KIND, &OTHER_KINDS);
const OTHER_KINDS: [u64; 254] = {
    let mut all = [0; 254];
    let (mut kind, mut at) = (0, 0);
    while kind < 256 {
        if kind != 1 && kind != 6 {
            all[at] = kind << 8 | 6;
            at += 1;
        }
        kind += 1;
    }
    all
};

/// DHCP.
pub static HEADER: Header = Header {
    key: "dhcp",
    name: "Dynamic Host Configuration Protocol",
    short: "DHCP",
    reference: "RFC 2131",
    fields: &[
        Field::number("type", "Message Type", 0, 8)
            .short("Op")
            .alias(&[("op", 1)])
            .names(&[(1, "Boot Request"), (2, "Boot Reply")])
            .default(1),
        Field::hex("hw.type", "Hardware Type", 8, 8)
            .short("HType")
            .alias(&[("htype", 1)])
            .names(&[(1, "Ethernet"), (6, "IEEE 802")])
            .default(1),
        Field::number("hw.len", "Hardware Address Length", 16, 8)
            .short("HLen")
            .alias(&[("hlen", 1)])
            .default(6),
        Field::number("hops", "Hops", 24, 8),
        Field::hex("id", "Transaction ID", 32, 32).alias(&[("xid", 1)]).default(1),
        Field::number("secs", "Seconds Elapsed", 64, 16).short("Secs"),
        Field::group("flags", "Flags", 80, 16),
        Field::flag("flags.bc", "Broadcast", 80).short("B").letter('B'),
        Field::hex("flags.reserved", "Reserved", 81, 15).short("Must be zero"),
        Field::ipv4("ip.client", "Client IP Address", 96).alias(&[("ciaddr", 1)]),
        Field::ipv4("ip.your", "Your (Client) IP Address", 128)
            .short("Your IP Address")
            .alias(&[("yiaddr", 1)]),
        Field::ipv4("ip.server", "Next Server IP Address", 160).alias(&[("siaddr", 1)]),
        Field::ipv4("ip.relay", "Relay Agent IP Address", 192).alias(&[("giaddr", 1)]),
        Field::mac("hw.mac_addr", "Client MAC Address", 224)
            .alias(&[("chaddr", 1)])
            .computed(Compute::InterfaceAddress)
            .when(HAS_MAC),
        Field::bytes("hw.chaddr", "Client Hardware Address", 224, 48).when(OTHER_OF_SIX),
        Field::bytes("hw.addr_padding", "Client Hardware Address Padding", 272, 80).when(SIX),
        Field::bytes("hw.chaddr", "Client Hardware Address", 224, 128).when(SIX.negated()),
        Field::text("server", "Server Host Name", 352, 512).alias(&[("sname", 1)]).shown(Shown::UnlessItems),
        Field::text("file", "Boot File Name", 864, 1024).shown(Shown::UnlessItems),
        COOKIE,
    ],
    length: Length::Fixed(240),
    found_by: &[(Space::UdpPort, 67), (Space::UdpPort, 68)],
    items: Some(&OPTIONS),
    family: Family::Control,
    info,
    warnings: &[item_problem, no_end],
    // RFC 2131, 3.1: before a server offers an address it should look whether that is in use, as a rule for a second.
    patience: 3,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let name = message_name(view).map(|name| format!("DHCP {name}"));
    let name = name.unwrap_or_else(|| view.value_name("type"));
    format!("{name} - Transaction ID {}", view.text("id"))
}

fn item_problem(view: &LayerView<'_>) -> Option<String> {
    view.items().into_iter().find_map(|i| i.problem)
}

/// RFC 2131 section 4.1: the last option must be the end option.
fn no_end(view: &LayerView<'_>) -> Option<String> {
    let has_list = view.layer().header.list(view.header_bytes()).is_some();
    let ended = view.items().iter().any(|i| i.item.ends);
    (has_list && !ended).then(|| "the options have no end option: receivers may not read them".into())
}
