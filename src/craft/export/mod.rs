//! A packet in the language of another tool, or as a program. Pure: text out of a draft.

mod bytes;
mod commands;
mod programs;
mod scapy;

use super::draft::Draft;

/// A form that a packet can be written in.
#[derive(Debug)]
pub struct Form {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in a menu.
    pub label: &'static str,
    /// What it is, for the help.
    pub help: &'static str,
    write: fn(&Draft) -> Result<String, CannotSay>,
}

/// What a form cannot say of a packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{form} cannot say {}: {rest}", self.what.join(", "))]
pub struct CannotSay {
    /// The tool.
    pub form: &'static str,
    /// What it has no words for, in ours.
    pub what: Vec<String>,
    /// What to do instead.
    pub rest: &'static str,
}

impl CannotSay {
    fn new(form: &'static str, what: Vec<String>) -> Self {
        Self { form, what, rest: "use a form that has every byte, such as c, python or trafgen" }
    }
}

/// Every form.
pub static ALL: &[Form] = &[
    Form { name: "scapy", label: "Scapy", help: "a Python expression for scapy", write: scapy::write },
    Form {
        name: "c",
        label: "C program",
        help: "a program that sends it, or prints it with --hex",
        write: programs::c,
    },
    Form { name: "rust", label: "Rust program", help: "the same without any crate", write: programs::rust },
    Form {
        name: "python",
        label: "Python program",
        help: "the same without any module to install",
        write: programs::python,
    },
    Form {
        name: "packetdrill",
        label: "packetdrill",
        help: "a line of a packetdrill script",
        write: commands::packetdrill,
    },
    Form { name: "hping3", label: "hping3", help: "the command that sends it", write: commands::hping3 },
    Form {
        name: "trafgen",
        label: "trafgen",
        help: "a configuration of netsniff-ng's trafgen",
        write: bytes::trafgen,
    },
    Form {
        name: "tshark-hex",
        label: "Hex dump for text2pcap",
        help: "what text2pcap reads",
        write: bytes::text2pcap,
    },
];

/// The form with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Form> {
    ALL.iter().find(|f| f.name == name)
}

impl Form {
    /// The packet in this form, without a line end after its last line.
    ///
    /// # Errors
    /// What the form cannot say of this packet.
    pub fn write(&self, draft: &Draft) -> Result<String, CannotSay> {
        (self.write)(draft)
    }
}
