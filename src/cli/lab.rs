//! `rawbench lab`: a command, or a shell, inside the lab.

use super::args::LabArgs;
use super::output::{self, Failure, Outcome};
use crate::net::{self, LabRun};

/// Runs it; gives the exit status of the command.
///
/// # Errors
/// The lab cannot be made; the message says what forbids it and what to do.
pub fn run(args: &LabArgs) -> Outcome {
    if args.command.is_empty() {
        output::message(&welcome());
    }
    let run = LabRun { command: args.command.clone(), delay_ms: args.delay };
    net::run_in_lab(&run).map_err(Failure::failed)
}

/// What whoever sits at the shell should know.
fn welcome() -> String {
    let outside = match net::user_outside().as_str() {
        "root" => "root: files and settings of the kernel are yours".to_owned(),
        user => user.to_owned(),
    };
    format!(
        "In the lab you are {} and {} on {}. The server is {} and {}:\n\
         HTTP on port 80, echo on 7, discard on 9; {} has a tiny window, {} never answers.\n\
         You are root of this network; outside it you are still {outside}. curl, ping, nmap and nft work. What\n\
         changes its user or group does not (sudo, su, apt, tcpdump). `exit` ends the lab and all that runs in it.",
        net::YOU_V4,
        net::YOU_V6,
        net::YOU_INTERFACE,
        net::SERVER_V4,
        net::SERVER_V6,
        net::TINY_WINDOW_PORT,
        net::SILENT_PORT,
    )
}
