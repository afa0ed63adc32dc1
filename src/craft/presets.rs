//! Packets to begin with.

/// A packet with a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What it is called in menus.
    pub name: &'static str,
    /// What it is good for.
    pub hint: &'static str,
    /// The packet; `{dst}` stands for the destination in use.
    pub notation: &'static str,
}

/// The presets, in menu order.
pub static ALL: &[Preset] = &[
    Preset {
        name: "SYN",
        hint: "opens a connection, no options",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=S)",
    },
    Preset {
        name: "SYN with options",
        hint: "as a current Linux sends it",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=S, \
                   options=[mss(1460), sackOK, ts(1, 0), nop, wscale(7)])",
    },
    Preset {
        name: "ACK",
        hint: "probes a firewall: an open and a closed port both answer RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, ack=1, flags=.)",
    },
    Preset {
        name: "FIN-ACK",
        hint: "closes a connection",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, ack=1, flags=F.)",
    },
    Preset {
        name: "RST",
        hint: "resets a connection",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=R, window=0)",
    },
    Preset {
        name: "Xmas",
        hint: "FIN, PSH and URG: a closed port answers RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1, flags=FPU)",
    },
    Preset {
        name: "NULL",
        hint: "no flag at all: a closed port answers RST",
        notation: "ip(dst={dst})/tcp(srcport=40000, dstport=80, seq=1)",
    },
    Preset {
        name: "ICMP echo request",
        hint: "ping",
        notation: "ip(dst={dst})/icmp(type=8, id=1, seq=1)/\"rawbench\"",
    },
    Preset {
        name: "UDP",
        hint: "to the echo service",
        notation: "ip(dst={dst})/udp(srcport=40000, dstport=7)/\"hello\"",
    },
];

impl Preset {
    /// The notation with the destination in place.
    #[must_use]
    pub fn to(&self, destination: &str) -> String {
        self.notation.replace("{dst}", destination)
    }
}
