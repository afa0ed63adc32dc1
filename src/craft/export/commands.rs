//! Forms that can say only a part of what a packet can be: packetdrill's script line and hping3's command. What they
//! cannot say is an error that names it, so that nobody takes one packet for another.

use std::fmt::Write as _;

use super::CannotSay;
use crate::craft::draft::Draft;
use crate::wire::checksum;
use crate::wire::table::{Compute, Space};
use crate::wire::value;

/// What is left to say of a packet.
struct Left<'a> {
    draft: &'a Draft,
    what: Vec<String>,
}

impl<'a> Left<'a> {
    /// With what neither tool can say.
    fn of(draft: &'a Draft) -> Self {
        let mut left = Self { draft, what: Vec::new() };
        for (index, layer) in draft.layers().iter().enumerate() {
            for found in draft.view(index).header_fields() {
                let Some(compute) = found.field.compute else { continue };
                // Those have words of their own, and a pinned value that is the computed one needs none.
                let is_said = match compute {
                    Compute::RouteSource | Compute::InterfaceAddress | Compute::NeighbourAddress => true,
                    Compute::NextHeader(Space::UdpPort) => true,
                    Compute::Checksum { .. } => {
                        let right = checksum::compute(draft.bytes(), draft.layers(), index);
                        right.map(u128::from) == found.stored(draft.bytes())
                    }
                    _ => draft.computed(index, found.field) == found.stored(draft.bytes()),
                };
                if !is_said && draft.override_of(found.path).is_some() {
                    let value = found.text(draft.bytes());
                    left.what.push(format!("{}.{} {value}", layer.header.prefix(), found.field.key));
                }
            }
        }
        if !draft.trailer().is_empty() {
            left.what.push("a trailer".into());
        }
        left
    }

    /// The value of a field of layer `index`; 0 when it has no such field.
    fn number(&self, index: usize, key: &str) -> u128 {
        self.draft.view(index).number(key).unwrap_or(0)
    }

    /// Notes a field that has another value than the one that the tool gives it.
    fn only(&mut self, index: usize, key: &str, value: u128) {
        if self.number(index, key) != value {
            let view = self.draft.view(index);
            self.what.push(format!("{}.{key} {}", view.layer().header.prefix(), view.text(key)));
        }
    }

    fn done(self, form: &'static str, text: String) -> Result<String, CannotSay> {
        if self.what.is_empty() { Ok(text) } else { Err(CannotSay::new(form, self.what)) }
    }
}

/// The layers behind an Ethernet header, when they are one network and one transport header.
fn plain(draft: &Draft) -> Option<(usize, &'static str, &'static str)> {
    let keys: Vec<&'static str> = draft.layers().iter().map(|l| l.header.key).collect();
    match keys.as_slice() {
        ["eth", network, transport] => Some((1, network, transport)),
        [network, transport] => Some((0, network, transport)),
        _ => None,
    }
}

fn stack(draft: &Draft) -> String {
    let names: Vec<&str> = draft.layers().iter().map(|l| l.header.short).collect();
    if names.is_empty() { "bytes without a header".into() } else { names.join(", ") }
}

/// A line of a packetdrill script that injects the packet, by the grammar of its `parser.y` and what `tcp_packet.c` asks.
pub(super) fn packetdrill(draft: &Draft) -> Result<String, CannotSay> {
    const FORM: &str = "packetdrill";
    let mut left = Left::of(draft);
    let Some((network, "ip" | "ipv6", transport @ ("tcp" | "udp"))) = plain(draft) else {
        let what = vec![format!("the layers {} (only TCP or UDP in IPv4 or IPv6)", stack(draft))];
        return Err(CannotSay::new(FORM, what));
    };
    let is_v4 = draft.layers()[network].header.key == "ip";
    let ecn = left.number(network, if is_v4 { "dsfield.ecn" } else { "tclass.ecn" });
    left.only(network, if is_v4 { "dsfield.dscp" } else { "tclass.dscp" }, 0);
    for key in ["flags.rb", "flags.mf", "frag_offset"].iter().filter(|_| is_v4) {
        left.only(network, key, 0);
    }
    if !draft.options(network).is_empty() {
        left.what.push("the options of IPv4".into());
    }
    let mark = match ecn {
        1 => "[ect1] ",
        2 => "[ect0] ",
        3 => "[ce] ",
        _ => "",
    };
    let mut notes = vec!["addresses, ports, time to live and the bytes of the payload are packetdrill's own"];
    let text = if transport == "udp" {
        if ecn != 0 {
            left.what.push(format!("ECN {ecn} of UDP"));
        }
        format!("+0 < {mark}udp ({})", draft.payload().len())
    } else {
        notes.push("sequence numbers are relative to the connection of the script");
        let tcp = network + 1;
        left.only(tcp, "flags.res", 0);
        left.only(tcp, "flags.ae", 0);
        left.only(tcp, "urgent_pointer", 0);
        let flags = draft.view(tcp).text_of_letters("flags").unwrap_or_default();
        let letters = if flags.is_empty() { "-".to_owned() } else { packetdrill_flags(&flags) };
        let seq = left.number(tcp, "seq");
        let len = draft.payload().len() as u128;
        if seq + len > 0xffff_ffff {
            left.what.push(format!("sequence numbers that pass 2^32, from {seq} on"));
        }
        let mut text = format!("+0 < {mark}{letters} {seq}:{}({len})", seq + len);
        if flags.contains('.') {
            let _ = write!(text, " ack {}", left.number(tcp, "ack"));
        } else {
            left.only(tcp, "ack_raw", 0);
        }
        let _ = write!(text, " win {}", left.number(tcp, "window"));
        text + &packetdrill_options(&mut left, tcp)
    };
    let notes: String = notes.iter().map(|n| format!("// {n}\n")).collect();
    left.done(FORM, notes + &text)
}

/// Its letters are tcpdump's, the dot the last.
fn packetdrill_flags(ours: &str) -> String {
    "SFRPUEW.".chars().filter(|c| ours.contains(*c)).collect()
}

fn packetdrill_options(left: &mut Left<'_>, tcp: usize) -> String {
    let options = left.draft.options(tcp);
    let mut texts = Vec::new();
    for span in &options {
        let bytes = &left.draft.bytes()[span.range.clone()];
        let words: Vec<u32> = bytes.get(2..).unwrap_or_default().chunks_exact(4).map(word).collect();
        texts.push(match (bytes, words.as_slice()) {
            ([1], _) => "nop".into(),
            ([0], _) => "eol".into(),
            ([2, 4, a, b], _) => format!("mss {}", u16::from_be_bytes([*a, *b])),
            ([3, 3, shift], _) => format!("wscale {shift}"),
            ([4, 2], _) => "sackOK".into(),
            ([8, 10, ..], [value, echo]) => format!("TS val {value} ecr {echo}"),
            ([5, len, ..], edges)
                if usize::from(*len) == bytes.len() && edges.len() % 2 == 0 && !edges.is_empty() =>
            {
                let blocks: Vec<String> = edges.chunks(2).map(|e| format!("{}:{}", e[0], e[1])).collect();
                format!("sack {}", blocks.join(" "))
            }
            _ => {
                left.what.push(format!("the TCP option {}", value::hex_pairs(bytes)));
                continue;
            }
        });
    }
    // It adds no padding, and refuses options that do not end on a word.
    let len: usize = options.iter().map(|span| span.range.len()).sum();
    texts.resize(texts.len() + len.next_multiple_of(4) - len, "eol".into());
    if texts.is_empty() { String::new() } else { format!(" <{}>", texts.join(",")) }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b))
}

/// The command of hping3 that sends the packet.
pub(super) fn hping3(draft: &Draft) -> Result<String, CannotSay> {
    const FORM: &str = "hping3";
    let mut left = Left::of(draft);
    let Some((network, "ip", transport @ ("tcp" | "udp" | "icmp"))) = plain(draft) else {
        let what = vec![format!("the layers {} (only TCP, UDP or ICMP in IPv4)", stack(draft))];
        return Err(CannotSay::new(FORM, what));
    };
    let upper = network + 1;
    let mut command = vec!["hping3 -c 1".to_owned()];
    if draft.view(network).text("src") != "0.0.0.0" {
        command.push(format!("-a {}", draft.view(network).text("src")));
    }
    command.push(format!("-t {}", left.number(network, "ttl")));
    command.push(format!("-N {}", left.number(network, "id")));
    if left.number(network, "tos") != 0 {
        command.push(format!("-o {:x}", left.number(network, "tos")));
    }
    left.only(network, "flags.rb", 0);
    for (key, switch) in [("flags.df", "-y"), ("flags.mf", "-x")] {
        if left.number(network, key) != 0 {
            command.push(switch.into());
        }
    }
    if left.number(network, "frag") != 0 {
        command.push(format!("-g {}", left.number(network, "frag")));
    }
    if !draft.options(network).is_empty() {
        left.what.push("the options of IPv4".into());
    }
    match transport {
        "tcp" => hping3_tcp(&mut left, upper, &mut command),
        "udp" => {
            command.push("-2".into());
            hping3_ports(&left, upper, &mut command);
        }
        _ => {
            let kind = left.number(upper, "type");
            left.only(upper, "type", if kind == 0 { 0 } else { 8 });
            left.only(upper, "code", 0);
            left.what.push("the identifier of ICMP, which is the number of its process".into());
            command.push("-1".into());
        }
    }
    let payload = draft.payload();
    let before = if payload.is_empty() {
        String::new()
    } else {
        // With the shell's own printf, whatever bytes these are.
        command.push(format!("-d {} -E /dev/stdin", payload.len()));
        let octal: String = payload.iter().map(|b| format!("\\{b:03o}")).collect();
        format!("printf '{octal}' | ")
    };
    command.push(draft.view(network).text("dst"));
    let mut link = if network == 1 { "# the kernel makes the Ethernet header\n" } else { "" }.to_owned();
    if left.number(network, "id") == 0 {
        link += "# the kernel writes an identification of its own over ip.id 0\n";
    }
    left.done(FORM, format!("{link}{before}{}", command.join(" ")))
}

fn hping3_ports(left: &Left<'_>, index: usize, command: &mut Vec<String>) {
    command.push(format!("-s {} -k -p {}", left.number(index, "srcport"), left.number(index, "dstport")));
}

fn hping3_tcp(left: &mut Left<'_>, tcp: usize, command: &mut Vec<String>) {
    hping3_ports(left, tcp, command);
    command.push(format!("-M {} -L {}", left.number(tcp, "seq"), left.number(tcp, "ack")));
    command.push(format!("-w {}", left.number(tcp, "window")));
    let switches = [
        ("flags.syn", "-S"),
        ("flags.ack", "-A"),
        ("flags.fin", "-F"),
        ("flags.push", "-P"),
        ("flags.reset", "-R"),
        ("flags.urg", "-U"),
        ("flags.ece", "-X"),
        ("flags.cwr", "-Y"),
    ];
    command.extend(switches.iter().filter(|(k, _)| left.number(tcp, k) != 0).map(|(_, s)| (*s).to_owned()));
    for key in ["flags.res", "flags.ae", "urgent_pointer"] {
        left.only(tcp, key, 0);
    }
    if !left.draft.options(tcp).is_empty() {
        left.what.push("the options of TCP as they stand".into());
    }
}
