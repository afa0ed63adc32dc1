//! A scapy expression. Layers that this table does not know, and what follows them, are bytes.

use super::CannotSay;
use crate::craft::draft::Draft;
use crate::craft::edit::is_raw;
use crate::wire::bits;
use crate::wire::items::ItemSpan;
use crate::wire::notation;
use crate::wire::table::{Compute, Kind};
use crate::wire::value;

/// A field of scapy's for one of ours, with scapy's default; `None`: always written.
type Pair = (&'static str, &'static str, Option<u128>);

/// A class of scapy's for one of our headers.
struct Class {
    /// Our header.
    key: &'static str,
    /// scapy's class.
    name: &'static str,
    /// The fields; all that a header has must be named here, or the layer is written as bytes.
    fields: &'static [Pair],
    /// The layer has this class only when our fields have one of these values.
    only: &'static [(&'static str, &'static [u128])],
    /// Headers whose number scapy fills in by itself.
    next: &'static [&'static str],
    /// Options, and how scapy writes them.
    options: Options,
}

#[derive(PartialEq)]
enum Options {
    None,
    Raw,
    Tcp,
}

const PLAIN: Class = Class { key: "", name: "", fields: &[], only: &[], next: &[], options: Options::None };
const ECHO: &[Pair] = &[
    ("type", "type", None),
    ("code", "code", Some(0)),
    ("checksum", "chksum", None),
    ("ident", "id", Some(0)),
    ("seq", "seq", Some(0)),
];
const ECHO_V6: &[Pair] = &[
    ("type", "type", None),
    ("code", "code", Some(0)),
    ("checksum", "cksum", None),
    ("echo.identifier", "id", Some(0)),
    ("echo.sequence_number", "seq", Some(0)),
];
const TAG: &[Pair] =
    &[("priority", "prio", Some(0)), ("dei", "id", Some(0)), ("id", "vlan", None), ("etype", "type", None)];

/// The classes.
static CLASSES: &[Class] = &[
    Class {
        key: "eth",
        name: "Ether",
        fields: &[("dst", "dst", None), ("src", "src", None), ("type", "type", None)],
        next: &["ip", "ipv6", "arp", "vlan"],
        ..PLAIN
    },
    Class {
        key: "dot3",
        name: "Dot3",
        fields: &[("dst", "dst", None), ("src", "src", None), ("len", "len", None)],
        ..PLAIN
    },
    Class {
        key: "snap",
        name: "SNAP",
        fields: &[("oui", "OUI", Some(0)), ("type", "code", None)],
        only: &[("oui", &[0])],
        ..PLAIN
    },
    Class {
        key: "llc",
        name: "LLC",
        fields: &[("dsap", "dsap", None), ("ssap", "ssap", None), ("control", "ctrl", None)],
        // scapy knows no control field of two bytes: only unnumbered frames, the usual ones.
        only: &[(
            "control",
            &[0x03, 0x0f, 0x13, 0x1f, 0x43, 0x53, 0x63, 0x6f, 0x73, 0x7f, 0xaf, 0xbf, 0xe3, 0xf3],
        )],
        ..PLAIN
    },
    Class { key: "vlan", name: "Dot1Q", fields: TAG, next: &["ip", "ipv6", "arp"], ..PLAIN },
    Class {
        key: "arp",
        name: "ARP",
        fields: &[
            ("hw.type", "hwtype", Some(1)),
            ("proto.type", "ptype", Some(0x0800)),
            ("hw.size", "hwlen", Some(6)),
            ("proto.size", "plen", Some(4)),
            ("opcode", "op", None),
            ("src.hw_mac", "hwsrc", None),
            ("src.proto_ipv4", "psrc", None),
            ("dst.hw_mac", "hwdst", None),
            ("dst.proto_ipv4", "pdst", None),
        ],
        only: &[("hw.type", &[1]), ("proto.type", &[0x0800]), ("hw.size", &[6]), ("proto.size", &[4])],
        ..PLAIN
    },
    Class {
        key: "ip",
        name: "IP",
        fields: &[
            ("version", "version", Some(4)),
            ("hdr_len", "ihl", None),
            ("dsfield", "tos", Some(0)),
            ("len", "len", None),
            ("id", "id", Some(1)),
            ("flags", "flags", Some(0)),
            ("frag_offset", "frag", Some(0)),
            ("ttl", "ttl", Some(64)),
            ("proto", "proto", None),
            ("checksum", "chksum", None),
            ("src", "src", None),
            ("dst", "dst", None),
        ],
        next: &["tcp", "udp", "icmp"],
        options: Options::Raw,
        ..PLAIN
    },
    Class {
        key: "ipv6",
        name: "IPv6",
        fields: &[
            ("version", "version", Some(6)),
            ("tclass", "tc", Some(0)),
            ("flow", "fl", Some(0)),
            ("plen", "plen", None),
            ("nxt", "nh", None),
            ("hlim", "hlim", Some(64)),
            ("src", "src", None),
            ("dst", "dst", None),
        ],
        next: &["tcp", "udp", "icmpv6"],
        ..PLAIN
    },
    Class { key: "icmp", name: "ICMP", fields: ECHO, only: &[("type", &[0, 8])], ..PLAIN },
    Class { key: "icmpv6", name: "ICMPv6EchoRequest", fields: ECHO_V6, only: &[("type", &[128])], ..PLAIN },
    Class { key: "icmpv6", name: "ICMPv6EchoReply", fields: ECHO_V6, only: &[("type", &[129])], ..PLAIN },
    Class {
        key: "tcp",
        name: "TCP",
        fields: &[
            ("srcport", "sport", None),
            ("dstport", "dport", None),
            ("seq_raw", "seq", Some(0)),
            ("ack_raw", "ack", Some(0)),
            ("hdr_len", "dataofs", None),
            ("flags.res", "reserved", Some(0)),
            ("flags", "flags", None),
            ("window_size_value", "window", None),
            ("checksum", "chksum", None),
            ("urgent_pointer", "urgptr", Some(0)),
        ],
        options: Options::Tcp,
        ..PLAIN
    },
    Class {
        key: "udp",
        name: "UDP",
        fields: &[
            ("srcport", "sport", None),
            ("dstport", "dport", None),
            ("length", "len", None),
            ("checksum", "chksum", None),
        ],
        ..PLAIN
    },
];

/// The packet as an expression for `from scapy.all import *`.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn write(draft: &Draft) -> Result<String, CannotSay> {
    let mut parts = Vec::new();
    let mut at = 0;
    for index in 0..draft.layers().len() {
        let Some(part) = layer(draft, index) else { break };
        parts.push(part);
        at = draft.layers()[index].start + draft.layers()[index].len;
    }
    // What stands behind the outermost lengths is padding to scapy; trailers inside of layers have their lengths
    // written out.
    let end = draft.trailers().iter().find(|(layer, _)| *layer == 0).map_or(0, |(_, bytes)| bytes.len());
    let end = (draft.bytes().len() - end).max(at);
    if at < end || parts.is_empty() {
        parts.push(format!("Raw({})", literal(&draft.bytes()[at..end])));
    }
    if end < draft.bytes().len() {
        parts.push(format!("Padding({})", literal(&draft.bytes()[end..])));
    }
    Ok(parts.join("/"))
}

/// Bytes in Python.
fn literal(bytes: &[u8]) -> String {
    // The notation's escapes are Python's.
    let text = notation::payload_text(bytes);
    if text.starts_with('"') { format!("b{text}") } else { hex(bytes) }
}

fn hex(bytes: &[u8]) -> String {
    format!("bytes.fromhex('{}')", value::hex_plain(bytes))
}

/// One layer; `None` when scapy has no class for it as it is.
fn layer(draft: &Draft, index: usize) -> Option<String> {
    let view = draft.view(index);
    let header = view.layer().header;
    let is = |(key, values): &(&str, &[u128])| {
        view.field(key).and_then(|f| f.stored(draft.bytes())).is_some_and(|v| values.contains(&v))
    };
    let class = CLASSES.iter().find(|c| c.key == header.key && c.only.iter().all(is))?;
    let mut args = Vec::new();
    let mut done = 0;
    for found in view.header_fields() {
        let pair = class.fields.iter().find(|(ours, ..)| found.field.key == *ours);
        let Some((_, name, default)) = pair else {
            let is_covered = found.field.bits.end() <= done || found.field.group;
            if is_covered {
                continue;
            }
            return None;
        };
        done = done.max(found.field.bits.end());
        let mut stored = found.stored(draft.bytes())?;
        // scapy has the reserved bits of TCP apart from the flags.
        if header.key == "tcp" && found.field.key == "flags" {
            stored &= 0x1ff;
        }
        if *default != Some(stored) && !fills_in(draft, index, class, &found) {
            args.push(format!("{name}={}", argument(found.field.kind, stored)));
        }
    }
    let options = draft.options(index);
    if !options.is_empty() {
        args.push(format!("options=[{}]", option_list(draft, class, &options)?));
    }
    Some(format!("{}({})", class.name, args.join(", ")))
}

fn argument(kind: Kind, stored: u128) -> String {
    match kind {
        Kind::Ipv4 => format!("'{}'", std::net::Ipv4Addr::from(stored as u32)),
        Kind::Ipv6 => format!("'{}'", std::net::Ipv6Addr::from(stored)),
        Kind::Mac => format!("'{}'", value::mac(stored)),
        Kind::Hex => format!("{stored:#x}"),
        _ => stored.to_string(),
    }
}

/// Whether scapy computes the same value for a field by itself.
fn fills_in(draft: &Draft, index: usize, class: &Class, found: &crate::wire::view::Located) -> bool {
    let Some(compute) = found.field.compute else { return false };
    let inner_trailer = draft.trailers().iter().any(|(layer, _)| *layer != 0);
    if draft.override_of(found.path).is_some() || inner_trailer {
        return false;
    }
    let view = draft.view(index);
    let said_whole = found.stored(draft.bytes()) != Some(bits::max_value(found.field.bits.width));
    match compute {
        Compute::HeaderLength => true,
        Compute::TotalLength => class.name != "Dot3" && said_whole,
        Compute::NextHeader(_) => {
            let next = draft.layers().get(index + 1);
            next.is_some_and(|n| class.next.contains(&n.header.key) && layer(draft, index + 1).is_some())
        }
        Compute::Checksum { .. } if class.key == "ip" => true,
        // Over options that send the packet on, and over fragments, it may see other addresses.
        Compute::Checksum { .. } => {
            index > 0 && {
                let below = draft.view(index - 1);
                let network = below.layer().header.key;
                let known = network == "ipv6" || network == "ip" && class.key != "icmpv6";
                known && below.items().is_empty() && view.layer().end - view.layer().start < 0x1_0000
            }
        }
        _ => false,
    }
}

fn option_list(draft: &Draft, class: &Class, options: &[ItemSpan]) -> Option<String> {
    let bytes = |o: &ItemSpan| draft.bytes().get(o.range.clone()).unwrap_or_default().to_vec();
    match class.options {
        Options::None => None,
        Options::Raw => Some(format!("Raw({})", hex(&options.iter().flat_map(bytes).collect::<Vec<u8>>()))),
        Options::Tcp => {
            let parts: Option<Vec<String>> = options.iter().map(|o| tcp_option(o, &bytes(o))).collect();
            parts.map(|p| p.join(", "))
        }
    }
}

/// A TCP option as a tuple; `None` when it is none that has a kind and a right length.
fn tcp_option(span: &ItemSpan, bytes: &[u8]) -> Option<String> {
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    Some(match bytes {
        [0] => "('EOL', None)".into(),
        [1] => "('NOP', None)".into(),
        _ if is_raw(span) => return None,
        [2, 4, a, b] => format!("('MSS', {})", u16::from_be_bytes([*a, *b])),
        [3, 3, shift] => format!("('WScale', {shift})"),
        [4, 2] => "('SAckOK', b'')".into(),
        [8, 10, ..] => format!("('Timestamp', ({}, {}))", word(2)?, word(6)?),
        [kind, len, data @ ..] if usize::from(*len) == bytes.len() && *kind > 1 => {
            format!("({kind}, {})", hex(data))
        }
        _ => return None,
    })
}
