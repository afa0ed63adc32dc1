//! What tshark 4.0 prints for protocols that are lists of items.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use cli::has_tshark;
use oracle::{Demand, V6_BUT, compare, craft, cut, whole};

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// Whole packets equal, packets cut at each byte show at least what tshark shows.
fn agrees(samples: &[String], but: &[&str]) {
    if !has_tshark() {
        return;
    }
    let packets = craft(samples);
    let wrong = compare(ETHERNET, &whole(packets.clone()), Demand::Equal, but);
    assert!(wrong.is_empty(), "{wrong}");
    let wrong = compare(ETHERNET, &cut(&packets), Demand::AtLeast, but);
    assert!(wrong.is_empty(), "cut: {wrong}");
}

#[test]
fn geneve() {
    let under = "eth/ip(dst=10.0.0.2)/udp(srcport=40000)";
    agrees(
        &[
            format!("{under}/geneve(vni=0x123456)/eth/ip(dst=192.0.2.1)/udp(srcport=1, dstport=9)/\"x\""),
            format!("{under}/geneve(options=[opt(0x010101, de ad be ef)])/eth/ip(dst=192.0.2.1)"),
            format!(
                "{under}/geneve(flags=O, options=[opt(0x0102ff, 00 00 00 00), opt(0xffff80, 01 02 03 04 05 06 07 08)])/\
                 ip(dst=192.0.2.1)/icmp"
            ),
            "eth/ipv6(dst=fd77::2)/udp/geneve(options=[hex(01 02 03 e1 00 00 00 00)])/ipv6(dst=::1)".into(),
        ],
        // tshark counts the head of an option too.
        &["ip.version", "geneve.option.length"],
    );
}

#[test]
fn pppoe_tags() {
    agrees(
        &[
            "eth/pppoed(tags=[service(\"\"), host_uniq(01 02 03)])".into(),
            "eth/pppoed(code=7, tags=[service(\"isp\"), ac(\"bras, 1\"), cookie(de ad), relay(01), max_payload(05 dc)])"
                .into(),
            "eth/pppoed(code=0x65, session_id=7, tags=[vendor(9, 01 02), error(\"no\"), tag(0x777, 01)])".into(),
            "eth/pppoed(code=0x65, tags=[service_error(\"no\"), ac_error(\"busy\")])".into(),
            "eth/pppoed(code=0xa7, session_id=9, tags=[eol])".into(),
        ],
        // A heading without a value; keys that tshark 4.0 gives to no known tag, and data of which it shows one byte.
        &["pppoed.tags", "pppoed.tag", "pppoed.tag_length", "pppoed.tag.unknown_data"],
    );
}

#[test]
fn dhcp() {
    let client = "eth/ip(src=0.0.0.0, dst=255.255.255.255)/udp(srcport=68)";
    let server = "eth/ip(src=10.0.0.1, dst=10.0.0.9)/udp(srcport=67, dstport=68)";
    agrees(
        &[
            format!(
                "{client}/dhcp(xid=7, flags=B, chaddr=02:00:00:00:00:01, options=[message(Discover), \
                 client_id(1, 02:00:00:00:00:01), requested_ip(10.0.0.9), hostname(\"host\"), \
                 parameters(1, 3, 6, 15, 121), vendor_class(\"MSFT 5.0\"), max_size(1500), end, zero(20)])"
            ),
            format!(
                "{server}/dhcp(op=2, xid=7, secs=3, hops=1, ciaddr=10.0.0.3, yiaddr=10.0.0.9, siaddr=10.0.0.1, \
                 giaddr=10.0.0.254, sname=\"server\", file=\"boot.img\", options=[message(Offer), \
                 server_id(10.0.0.1), lease_time(3600), renewal(1800), rebinding(2700), mask(255.255.255.0), \
                 router(10.0.0.1, 10.0.0.2), dns(10.0.0.3, 10.0.0.4), domain(\"example.com\"), \
                 broadcast(10.0.0.255), mtu(1400), ntp(10.0.0.5), time_offset(3600), \
                 static_route(10.1.0.0-10.0.0.1), netbios_ns(10.0.0.6), end])"
            ),
            format!(
                "{client}/dhcp(options=[message(Request), agent(suboptions=[circuit(61 62), remote(63), \
                 link(10.0.0.0)]), fqdn(S, 0, 0, \"host.example\"), architecture(7, 9), vendor(01 02), \
                 tftp(10.0.0.7), tftp_name(\"t\"), bootfile(\"b\"), wpad(\"http://x\"), \
                 routes(18 0a 00 00 0a 00 00 01), end])"
            ),
            format!("{server}/dhcp(op=2, options=[message(NAK), text(\"no\"), end])"),
            format!("{client}/dhcp(options=[end])"),
            format!("{client}/dhcp(options=[message(ACK), opt(224, 01 02), rapid_commit, end])"),
        ],
        // For tshark it is the value of each option, beside the key of its own.
        &["dhcp.option.value", "dhcp.option.agent_information_option.value"],
    );
}

#[test]
fn igmp() {
    let ip = "eth/ip(src=10.0.0.1, dst=224.0.0.1, ttl=1, options=[ra(0)])";
    agrees(
        &[
            format!("{ip}/igmp(type=0x11, max_resp=100)"),
            format!("{ip}/igmp(type=0x12, group=224.1.1.1)"),
            format!("{ip}/igmp(type=0x16, group=224.1.1.1)"),
            format!("{ip}/igmp(type=0x17, group=224.1.1.1)"),
            format!("{ip}/igmp(type=0x11, max_resp=50, v3=[query(0, 2, 125)])"),
            format!(
                "{ip}/igmp(type=0x11, max_resp=50, group=224.1.1.1, \
                 v3=[query(1, 2, 125, sources=[addr(10.0.0.5), addr(10.0.0.6)])])"
            ),
            format!(
                "{ip}/igmp(type=0x22, records=[record(4, 224.1.1.1), record(1, 224.1.1.2, \
                 sources=[addr(10.0.0.5), addr(10.0.0.6)])])"
            ),
            format!(
                "{ip}/igmp(type=0x22, records=[record(6, 224.1.1.1, \
                 sources=[addr(10.0.0.5), aux(01 02 03 04 05 06 07 08)]), record(3, 224.1.1.3)])"
            ),
            format!("{ip}/igmp(type=0x22)"),
        ],
        // Two fields of a report have this key in Wireshark.
        &["igmp.reserved"],
    );
}

#[test]
fn dhcpv6() {
    let client = "eth/ipv6(src=fe80::1, dst=ff02::1:2)/udp(srcport=546)";
    agrees(
        &[
            format!(
                "{client}/dhcpv6(xid=5, options=[client_id(00 03 00 01 02 00 00 00 00 01), \
                 ia_na(00 00 00 07, 1, 2, options=[iaaddr(fd00::1, 3, 4, options=[status(2, \"no\")])]), \
                 oro(23, 24), elapsed(70), rapid_commit, preference(3), unicast(fd00::2)])"
            ),
            format!(
                "{client}/dhcpv6(type=3, options=[ia_pd(00 00 00 08, 0, 0, \
                 options=[iaprefix(1, 2, 56, 2001:db8::)]), dns(fd00::53, fd00::54), \
                 interface_id(65 74 68 30), ia_ta(00 00 00 09), reconfigure(11), reconfigure_accept])"
            ),
            format!(
                "{client}/dhcpv6(type=7, xid=0xabcdef, options=[server_id(00 02 00 00 00 09 01), \
                 status(0, \"all\"), ia_na(00 00 00 01, 0, 0)])"
            ),
            format!(
                "{client}/dhcpv6(type=12, hopcount=0, linkaddr=fd00::9, peeraddr=fe80::1, options=[\
                 relay(message=[message(1, 7, options=[elapsed(0)])]), interface_id(01)])"
            ),
            format!("{client}/dhcpv6(type=11)"),
        ],
        V6_BUT,
    );
}

#[test]
fn sctp() {
    let under = "eth/ip(src=10.0.0.1, dst=10.0.0.2)/sctp(srcport=5000, dstport=5001, vtag=7, chunks=[";
    let chunks = [
        "init(1, 1500, 3, 4, 9, params=[ipv4(127.0.0.1), ipv6(::1), preservative(5), address_types(5, 6, 11), \
         hostname(\"abc\"), ecn, forward_tsn, adaptation(7), random(01 02 03), chunks(0, 192), hmacs(1, 3), \
         extensions(15, 193, 128), param(0x8123, 01 02)])",
        "init_ack(1, 1500, 3, 4, 9, params=[ipv4(10.0.0.9), cookie(61 62 63 64 65)])",
        "init(1, 1500, 3, 4, 9, params=[unrecognized(params=[param(0x8123, 01 02 03 04)]), address_types(5)])",
        "data(BE, 1, 0x0002, 3, 0, 68 65 6c 6c 6f)",
        "data(IUBE, 1, 2, 3, 51, 01), data(B, 2, 2, 4, 0, 02 03 04 05)",
        "sack(1, 5, blocks=[gap(2, 3), gap(5, 7), dup(9), dup(10)])",
        "sack(1, 5)",
        "heartbeat(params=[info(61 62 63 64 65 66 67)]), heartbeat_ack(params=[info(61 62 63 64)])",
        "abort(T, causes=[user_abort(62 79 65)])",
        "abort(none)",
        "shutdown(5), shutdown_ack",
        "error(causes=[invalid_stream(5), stale_cookie(9), out_of_resource, no_data(1), violation(61), \
         cookie_in_shutdown])",
        "cookie_echo(61 62 63 64 65 66), cookie_ack",
        "forward_tsn(5, 1-2, 3-4)",
        "shutdown_complete(T)",
        "ecne(5), cwr(6), chunk(63, 61 62 63)",
    ];
    let samples: Vec<String> = chunks.iter().map(|c| format!("{under}{c}])")).collect();
    agrees(&samples, &[]);
}
