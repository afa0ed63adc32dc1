//! Whole programs: they send the packet, or print its bytes when their first argument is `--hex`.

use super::CannotSay;
use super::bytes::{destination, listed, title};
use crate::craft::draft::Draft;
use crate::wire::table::Kind;

/// The way a packet goes out.
enum Way {
    /// A raw IPv4 socket; the kernel routes.
    Ipv4(usize),
    /// A raw IPv6 socket.
    Ipv6(usize),
    /// A packet socket on an interface that the caller names.
    Link,
}

fn way(draft: &Draft) -> Way {
    match destination(draft) {
        Some((at, Kind::Ipv4)) => Way::Ipv4(at.start),
        Some((at, Kind::Ipv6)) => Way::Ipv6(at.start),
        _ => Way::Link,
    }
}

/// What the program is called with, for its first lines.
fn usage(draft: &Draft, program: &str) -> String {
    match way(draft) {
        Way::Link => format!("{program} INTERFACE sends it (as root), {program} --hex prints it."),
        Way::Ipv4(_) => format!(
            "{program} sends it (as root; the kernel writes total length and checksum), {program} --hex prints it."
        ),
        Way::Ipv6(_) => format!("{program} sends it (as root), {program} --hex prints it."),
    }
}

/// C for Linux.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn c(draft: &Draft) -> Result<String, CannotSay> {
    let (includes, send) = match way(draft) {
        Way::Ipv4(at) => (
            "#include <netinet/in.h>\n",
            format!(
                "    struct sockaddr_in to = {{.sin_family = AF_INET}};\n    \
                 memcpy(&to.sin_addr, packet + {at}, 4);\n    \
                 int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);\n"
            ),
        ),
        Way::Ipv6(at) => (
            "#include <netinet/in.h>\n",
            format!(
                "    struct sockaddr_in6 to = {{.sin6_family = AF_INET6}};\n    \
                 memcpy(&to.sin6_addr, packet + {at}, 16);\n    \
                 int s = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);\n"
            ),
        ),
        Way::Link => (
            "#include <linux/if_packet.h>\n#include <net/if.h>\n",
            "    if (argc != 2) {\n        fprintf(stderr, \"usage: %s INTERFACE | --hex\\n\", argv[0]);\n        \
             return 2;\n    }\n    \
             struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(argv[1])};\n    \
             int s = socket(AF_PACKET, SOCK_RAW, 0);\n"
                .to_owned(),
        ),
    };
    let (size, array) = (draft.bytes().len(), listed(draft, "//"));
    // C has no array without an element.
    let array = if size == 0 { "    0,\n".to_owned() } else { array };
    Ok(format!(
        "// {}\n// {}\n#include <stdio.h>\n#include <string.h>\n#include <sys/socket.h>\n{includes}\n\
         static const unsigned char packet[] = {{\n{array}}};\n\
         static const size_t size = {size};\n\n\
         int main(int argc, char **argv) {{\n    \
         if (argc > 1 && strcmp(argv[1], \"--hex\") == 0) {{\n        \
         for (size_t i = 0; i < size; i++)\n            \
         printf(\"%02X%c\", packet[i], i + 1 < size ? ' ' : '\\n');\n        \
         return 0;\n    }}\n{send}    \
         if (s < 0) {{\n        perror(\"cannot open a raw socket\");\n        return 1;\n    }}\n    \
         if (sendto(s, packet, size, 0, (struct sockaddr *)&to, sizeof to) < 0) {{\n        \
         perror(\"cannot send the packet\");\n        return 1;\n    }}\n    return 0;\n}}",
        title(draft),
        usage(draft, "packet"),
    ))
}

/// Rust for Linux, of any edition; `rustc` builds it.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn rust(draft: &Draft) -> Result<String, CannotSay> {
    // The addresses as the kernel has them: sockaddr_in, sockaddr_in6, sockaddr_ll.
    let (index, prelude, to, socket) = match way(draft) {
        Way::Ipv4(at) => (
            "",
            String::new(),
            format!(
                "    let mut to = [0u8; 16];\n    to[..2].copy_from_slice(&2u16.to_ne_bytes());\n    \
                 to[4..8].copy_from_slice(&PACKET[{at}..{}]);\n",
                at + 4
            ),
            "2, 3, 255",
        ),
        Way::Ipv6(at) => (
            "",
            String::new(),
            format!(
                "    let mut to = [0u8; 28];\n    to[..2].copy_from_slice(&10u16.to_ne_bytes());\n    \
                 to[8..24].copy_from_slice(&PACKET[{at}..{}]);\n",
                at + 16
            ),
            "10, 3, 255",
        ),
        Way::Link => (
            "    fn if_nametoindex(name: *const std::os::raw::c_char) -> u32;\n",
            "    let Some(name) = first.and_then(|n| std::ffi::CString::new(n).ok()) else {\n        \
             eprintln!(\"usage: packet INTERFACE | --hex\");\n        std::process::exit(2);\n    };\n    \
             let index = unsafe { if_nametoindex(name.as_ptr()) };\n"
                .to_owned(),
            "    let mut to = [0u8; 20];\n    to[..2].copy_from_slice(&17u16.to_ne_bytes());\n    \
             to[4..8].copy_from_slice(&index.to_ne_bytes());\n"
                .to_owned(),
            "17, 3, 0",
        ),
    };
    Ok(format!(
        "// {}\n// {}\nconst PACKET: [u8; {}] = [\n{}];\n\n\
         unsafe extern \"C\" {{\n    fn socket(domain: i32, kind: i32, protocol: i32) -> i32;\n    \
         fn sendto(socket: i32, bytes: *const u8, len: usize, flags: i32, to: *const u8, to_len: u32) -> isize;\n\
         {index}}}\n\nfn main() {{\n    let first = std::env::args().nth(1);\n    \
         if first.as_deref() == Some(\"--hex\") {{\n        \
         let pairs: Vec<String> = PACKET.iter().map(|b| format!(\"{{b:02X}}\")).collect();\n        \
         println!(\"{{}}\", pairs.join(\" \"));\n        return;\n    }}\n\
         {prelude}{to}    \
         let sent = unsafe {{\n        let s = socket({socket});\n        \
         sendto(s, PACKET.as_ptr(), PACKET.len(), 0, to.as_ptr(), to.len() as u32)\n    }};\n    \
         if sent < 0 {{\n        \
         eprintln!(\"cannot send the packet: {{}}\", std::io::Error::last_os_error());\n        \
         std::process::exit(1);\n    }}\n}}",
        title(draft),
        usage(draft, "packet"),
        draft.bytes().len(),
        listed(draft, "//"),
    ))
}

/// Python 3 for Linux, with nothing but its own modules.
#[allow(clippy::unnecessary_wraps, reason = "one of several forms")]
pub(super) fn python(draft: &Draft) -> Result<String, CannotSay> {
    let send = match way(draft) {
        Way::Ipv4(at) => format!(
            "    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)\n    \
             s.sendto(packet, (socket.inet_ntop(socket.AF_INET, packet[{at}:{}]), 0))",
            at + 4
        ),
        Way::Ipv6(at) => format!(
            "    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)\n    \
             s.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[{at}:{}]), 0))",
            at + 16
        ),
        Way::Link => "    if len(sys.argv) != 2:\n        sys.exit(\"usage: packet.py INTERFACE | --hex\")\n    \
                      s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)\n    s.bind((sys.argv[1], 0))\n    \
                      s.send(packet)"
            .to_owned(),
    };
    Ok(format!(
        "#!/usr/bin/env python3\n# {}\n# {}\nimport socket\nimport sys\n\npacket = bytes([\n{}])\n\n\
         if sys.argv[1:] == [\"--hex\"]:\n    print(packet.hex(\" \").upper())\nelse:\n{send}",
        title(draft),
        usage(draft, "packet.py"),
        listed(draft, "#"),
    ))
}
