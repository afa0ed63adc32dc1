//! What can be typed behind `rawbench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::net::SNAP_LENGTH;
use crate::wire::notation;

/// Build a TCP/IP packet bit by bit, send it, and watch what really happened.
///
/// Without a command the window opens, with FILE in it when one is named.
#[derive(Debug, Parser)]
#[command(
    name = "rawbench",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 done, 1 it failed while running, 2 the call or the notation is wrong, \
                  3 the privilege to open a raw socket is missing."
)]
pub struct Args {
    /// What to do; without it the window opens.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The capture file to show in the window (-: standard input)
    pub file: Option<PathBuf>,
    /// Choose the interface to capture from
    #[arg(short, value_name = "IFACE")]
    pub interface: Option<String>,
    /// Start capturing at once
    #[arg(short = 'k')]
    pub start: bool,
    /// At exit, print one JSON line about the window's own speed
    #[arg(long)]
    pub stats: bool,
    /// Work inside the lab: two connected network namespaces, without any privilege
    #[arg(long)]
    pub lab: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the interfaces: name, index, MAC, addresses, MTU, state
    Interfaces(InterfacesArgs),
    /// Print packets as they come, a line each, or write them to a file
    Capture(CaptureArgs),
    /// Build a packet from notation and print its bytes
    Craft(CraftArgs),
    /// Read a pcap or pcapng file
    Read(ReadArgs),
    /// The field reference: each key with its label, width and the document that defines it
    Fields(FieldsArgs),
    /// What is permitted on this machine, what is not, and how to change that
    Doctor,
}

/// `rawbench interfaces`.
#[derive(Debug, clap::Args)]
pub struct InterfacesArgs {
    /// Print each interface as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// `rawbench capture`.
#[derive(Debug, clap::Args)]
pub struct CaptureArgs {
    /// The interface, or any
    #[arg(short, value_name = "IFACE", default_value = "any", conflicts_with = "ip")]
    pub interface: String,
    /// Listen at the IP layer instead, to what comes in for this protocol (repeatable)
    #[arg(long, value_name = "PROTOCOL")]
    pub ip: Vec<IpProtocol>,
    /// Keep at most this many bytes of each packet
    #[arg(short, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=SNAP_LENGTH as i64))]
    pub snap: Option<u32>,
    /// Leave the interface out of promiscuous mode
    #[arg(short = 'p')]
    pub not_promiscuous: bool,
    /// Stop after this many packets
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Write pcapng (FILE.pcap: pcap with nanoseconds; -: to standard output) and print nothing
    #[arg(short, value_name = "FILE", group = "form")]
    pub write: Option<PathBuf>,
    /// Print each packet as one line of upper-case hex pairs
    #[arg(long, group = "form")]
    pub hex: bool,
    /// Print each packet as one line of JSON
    #[arg(long, group = "form")]
    pub json: bool,
    /// Work inside the lab: two connected network namespaces, without any privilege
    #[arg(long)]
    pub lab: bool,
}

/// The protocols that a raw IP socket can listen to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IpProtocol {
    /// ICMP.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl IpProtocol {
    /// Its IANA number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// A time as people write it: `5`, `0.25`.
fn seconds(text: &str) -> Result<Duration, String> {
    let found = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    // An instant a thousand years away overflows on no system.
    let most = Duration::from_secs(1000 * 365 * 86400);
    found.filter(|d| *d <= most).ok_or_else(|| "write seconds, such as 5 or 0.25".into())
}

/// `rawbench craft`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rawbench craft 'ip(dst=10.77.0.2)/tcp(srcport=40000, dstport=80, seq=1, \
                        flags=S, options=[mss(1460), sackOK])' --hex"
)]
pub struct CraftArgs {
    /// The packet, such as 'ip(dst=10.77.0.2)/tcp(dstport=80, flags=S)'; -: one a line from standard input
    pub notation: String,
    /// One line of upper-case hex pairs (default: a dump with offsets and text)
    #[arg(long, group = "form")]
    pub hex: bool,
    /// The canonical notation, everything computed written out
    #[arg(long = "notation", group = "form")]
    pub notation_out: bool,
    /// Each checksum step by step
    #[arg(long, group = "form")]
    pub checksum: bool,
    /// Layers and fields, warnings, bytes
    #[arg(long, group = "form")]
    pub json: bool,
}

/// `rawbench read`.
#[derive(Debug, clap::Args)]
pub struct ReadArgs {
    /// The capture file, pcap or pcapng (-: standard input)
    pub file: PathBuf,
    /// Print only the number of packets
    #[arg(long, group = "form")]
    pub count: bool,
    /// Print this field, tab-separated, as tshark -T fields does (repeatable)
    #[arg(short = 'e', value_name = "FIELD", group = "form")]
    pub fields: Vec<String>,
    /// Print every layer and field as a tree
    #[arg(short = 'V', group = "form")]
    pub verbose: bool,
    /// Print each packet as one line of upper-case hex pairs
    #[arg(long, group = "form")]
    pub hex: bool,
    /// Print each packet as notation
    #[arg(long, group = "form")]
    pub notation: bool,
    /// Print each packet as one line of JSON
    #[arg(long, group = "form")]
    pub json: bool,
    /// Write the packets to a new file: pcap when its name ends in .pcap, else pcapng
    #[arg(short = 'w', value_name = "FILE", group = "form")]
    pub write: Option<PathBuf>,
}

/// `rawbench fields`.
#[derive(Debug, clap::Args)]
pub struct FieldsArgs {
    /// Only keys that begin so, such as tcp or tcp.flags
    pub prefix: Option<String>,
}

impl Args {
    /// The command that was probably meant when FILE is no file.
    #[must_use]
    pub fn mistyped_command(&self) -> Option<&'static str> {
        let file = self.file.as_deref()?;
        if file.as_os_str() == "-" || file.exists() {
            return None;
        }
        let known = ["interfaces", "capture", "craft", "read", "fields", "doctor", "help"];
        notation::nearest(file.to_str()?, known.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
