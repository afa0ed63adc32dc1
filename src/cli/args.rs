//! What can be typed behind `rawbench`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use super::capture_files::{Criterion, ring_criterion, stop_criterion};
use super::run::RunArgs;
use super::send_args::SendArgs;
use super::tcping::Host;
use crate::craft::export::{self, Form};
use crate::pcap::KEEP_FREE;
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
    #[arg(short, value_name = "IFACE", conflicts_with = "file")]
    pub interface: Option<String>,
    /// Start capturing at once
    #[arg(short = 'k', conflicts_with = "file")]
    pub start: bool,
    /// Capture only what passes this filter
    #[arg(short = 'f', value_name = "FILTER", conflicts_with = "file")]
    pub capture_filter: Option<String>,
    /// Show only what passes this display filter
    #[arg(short = 'Y', value_name = "FILTER")]
    pub filter: Option<String>,
    /// At exit, print one JSON line about the window's own speed
    #[arg(long)]
    pub stats: bool,
    /// Where the window works
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the interfaces: name, index, MAC, addresses, MTU, state
    Interfaces(InterfacesArgs),
    /// Build a packet from notation and print its bytes
    Craft(CraftArgs),
    /// Send a packet and report the answers
    Send(SendArgs),
    /// Print or record packets as they come
    Capture(CaptureArgs),
    /// Measure the round-trip time to TCP ports by SYN and its answer
    Tcping(TcpingArgs),
    /// Run a script of packets to send and packets that must come: pass or fail, with the difference
    Run(RunArgs),
    /// Read a pcap or pcapng file
    Read(ReadArgs),
    /// The field reference: each key with its label, width and the document that defines it
    Fields(FieldsArgs),
    /// Run a command, or a shell, inside the lab: two connected network namespaces, without any privilege
    Lab(LabArgs),
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
    /// The packet in the language of another tool, or as a program
    #[arg(long = "as", value_name = "FORM", group = "form", value_parser = Forms)]
    pub as_form: Option<&'static Form>,
}

/// The names of the forms, from their list.
#[derive(Clone)]
struct Forms;

impl TypedValueParser for Forms {
    type Value = &'static Form;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let names = PossibleValuesParser::new(export::ALL.iter().map(|f| f.name));
        let name = names.parse_ref(command, arg, value)?;
        export::by_name(&name).ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidValue))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(export::ALL.iter().map(|f| PossibleValue::new(f.name).help(f.help))))
    }
}

/// Where one works.
#[derive(Debug, Default, clap::Args)]
pub struct PlaceArgs {
    /// Work inside the lab: a private network on this machine, without any privilege
    #[arg(long, group = "place")]
    pub lab: bool,
    /// Work inside this network namespace, with sudo or pkexec: a name in /run/netns, or the number of a process in it
    #[arg(long, value_name = "NAME|PID", group = "place")]
    pub netns: Option<String>,
}

/// An IP protocol that a raw socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IpProtocol {
    /// 1
    Icmp,
    /// 6
    Tcp,
    /// 17
    Udp,
}

impl IpProtocol {
    /// Its number (IANA).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// `rawbench capture`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ctrl-C ends it, prints its summary and leaves every file complete.")]
pub struct CaptureArgs {
    /// The interface to capture on at the link layer, or any
    #[arg(short, value_name = "IFACE", default_value = "any")]
    pub interface: String,
    /// What comes in at the IP layer for this protocol, reassembled, from the IP header on (repeatable)
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "interface")]
    pub ip: Vec<IpProtocol>,
    /// Capture only what passes this filter, in tcpdump's words or Wireshark's; in the kernel where it can run there
    #[arg(short, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Print the program that the kernel would run for the filter, as `tcpdump -d`, and capture nothing
    #[arg(long)]
    pub show_bpf: bool,
    /// Begin to keep packets with the first one that passes this filter
    #[arg(long, value_name = "FILTER")]
    pub start_on: Option<String>,
    /// End with the first packet that passes this filter
    #[arg(long, value_name = "FILTER")]
    pub stop_on: Option<String>,
    /// Keep also what came in these seconds before the packet of --start-on
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "start_on")]
    pub keep_before: Option<Duration>,
    /// Keep this many bytes of a packet (0: all)
    #[arg(short, value_name = "BYTES", default_value_t = 0)]
    pub snap: usize,
    /// Not promiscuous: only what is for this machine
    #[arg(short = 'p')]
    pub not_promiscuous: bool,
    /// Size of the ring through which the kernel hands packets over, in MiB (2 to 2047)
    #[arg(short = 'B', value_name = "MIB", default_value_t = 64, value_parser = mebibytes)]
    pub buffer: usize,
    /// End after this many packets
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Write pcapng (FILE.pcap: pcap; -: to standard output) and print nothing
    #[arg(short = 'w', value_name = "FILE", group = "form")]
    pub write: Option<PathBuf>,
    /// Write several files, PREFIX_00001_YYYYMMDDHHMMSS.SUFFIX …: go to the next one after duration:SECONDS, filesize:KB,
    /// packets:N, or at each interval:SECONDS of the clock; keep the newest files:N; printname:FILE, nametimenum:2
    /// (repeatable)
    #[arg(short = 'b', value_name = "KEY:VALUE", value_parser = ring_criterion)]
    pub ring: Vec<Criterion>,
    /// End after duration:SECONDS, packets:N, filesize:KB or files:N (repeatable)
    #[arg(short = 'a', value_name = "KEY:VALUE", value_parser = stop_criterion)]
    pub stop: Vec<Criterion>,
    /// End the capture before the disk of FILE has less than this free, in MiB (0: when it is full)
    #[arg(long, value_name = "MIB", default_value_t = KEEP_FREE >> 20, value_parser = clap::value_parser!(u64).range(..1 << 40))]
    pub keep_free: u64,
    /// Print the bytes that the socket gave, one line of upper-case hex pairs for each packet
    #[arg(long, group = "form")]
    pub hex: bool,
    /// Print each packet as one line of JSON
    #[arg(long, group = "form")]
    pub json: bool,
    /// Where one works
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `rawbench tcping`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rawbench tcping --lab -c 5 10.77.0.2 10.77.0.2:81\n\n\
                  Each SYN has a source port and a sequence number of its own. A SYN-ACK and a reset are both an answer \
                  of the host. An ICMP error is printed and counts as a loss, as in ping. Times are the kernel's: when it \
                  saw the SYN go out and the answer come in. Ctrl-C ends it with its summary.\n\n\
                  On a terminal it shows a table that is refreshed in place, else a line for each packet.\n\n\
                  --json prints the lines of send; with several hosts each has `host` besides, and `index` counts the \
                  packets to that host.")]
pub struct TcpingArgs {
    /// A name or an address, with its port (default: 80); an IPv6 address with a port stands in brackets
    #[arg(required = true, value_name = "HOST[:PORT]")]
    pub hosts: Vec<Host>,
    /// End after so many packets to each host (default: go on until Ctrl-C)
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// From one packet to a host to the next; at most 100000 packets a second go to all hosts together
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,
    /// How long an answer may take
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = pause)]
    pub wait: Duration,
    /// Exit statuses as ping's: 0 where a host answered, 1 where none did, 2 for any failure (default: no answer is 0 too)
    #[arg(long)]
    pub need_answer: bool,
    /// A line of JSON for each packet that was answered or timed out, then one for the summary of each host
    #[arg(long)]
    pub json: bool,
    /// Where one works
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// A time that is neither nothing nor without an end.
fn pause(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_millis(1))
}

/// The time between packets.
fn interval(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_micros(10))
}

fn between(text: &str, short: Duration) -> Result<Duration, String> {
    let long = Duration::from_secs(86400);
    let time = seconds(text).ok().filter(|time| *time >= short && *time <= long);
    time.ok_or_else(|| format!("it must be {} to 86400 seconds", short.as_secs_f64()))
}

/// A time in seconds, with a fraction or without.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    // Some thirty years: added to any point in time it still is one.
    const MOST: f64 = 1e9;
    let number: f64 =
        text.parse().map_err(|_| "a number of seconds is needed, such as 1 or 0.5".to_owned())?;
    let fits = Some(number).filter(|number| (0.0..=MOST).contains(number));
    fits.map(Duration::from_secs_f64).ok_or_else(|| format!("it must be 0 to {MOST}"))
}

/// The size of a ring.
fn mebibytes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (2..=2047).contains(number));
    number.ok_or_else(|| "it must be 2 to 2047".to_owned())
}

/// `rawbench read`.
#[derive(Debug, clap::Args)]
pub struct ReadArgs {
    /// The capture file, pcap or pcapng (-: standard input)
    pub file: PathBuf,
    /// Only packets that pass this display filter, in Wireshark's syntax or tcpdump's words
    #[arg(short = 'Y', value_name = "FILTER")]
    pub filter: Option<String>,
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

/// `rawbench lab`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "You are root of the lab's network, and outside it still the user who called: curl, ping, nmap, nft and ports below 1024 work. What cannot \
                  work: programs that change to another user or group (sudo, su, apt, tcpdump: take rawbench capture), \
                  and the Internet. All that \
                  runs in the lab is gone when this command ends, however it ends.\n\n\
                  Example:\n  rawbench lab -- curl http://10.77.0.2/\n\n\
                  Exit status: that of COMMAND; 126 it cannot be run, 127 it is not there, 128 and more a signal ended it; \
                  1 the lab cannot be made."
)]
pub struct LabArgs {
    /// Delay what the server sends by this many milliseconds (the kernel needs netem for it)
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay: u16,
    /// What to run (default: a shell); ends when every process of it is gone
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl Args {
    /// The command that was probably meant when FILE is no file.
    #[must_use]
    pub fn mistyped_command(&self) -> Option<&'static str> {
        let file = self.file.as_deref()?;
        if file.as_os_str() == "-" || file.exists() {
            return None;
        }
        let known = [
            "interfaces",
            "craft",
            "send",
            "capture",
            "tcping",
            "run",
            "read",
            "fields",
            "lab",
            "doctor",
            "help",
        ];
        notation::nearest(file.to_str()?, known.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_time_without_end_is_refused() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "NaN", "inf", "1e18", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
