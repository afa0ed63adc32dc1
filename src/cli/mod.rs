//! The command line. Imports all but `ui`.
//!
//! Data goes to standard output, messages to standard error. Exit statuses: 0 done, 1 it failed while running, 2 the
//! call or the notation is wrong, 3 the privilege to open a raw socket is missing.

pub mod args;
pub mod capture;
mod capture_files;
mod changed;
pub mod checksum_text;
pub mod craft;
pub mod doctor;
pub mod fields;
pub mod interfaces;
pub mod json;
pub mod lab;
pub mod live;
pub mod output;
pub mod packet;
pub mod read;
pub mod reassembled;
pub mod run;
pub mod send;
pub mod send_args;
pub mod tcping;
mod tcping_table;
mod tcping_tally;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::app::{Start, settings_path, spool_directory};
use crate::engine::Access;
use crate::filter::{Filter, FilterError};
use crate::net::{self, Startup};
pub use crate::wire::keys;
use args::{Args, Command, PlaceArgs};
use output::{Failure, Outcome};

/// Shows the window until it is closed; the error is for the person.
pub type OpenWindow = fn(Start) -> Result<(), String>;

/// Runs the program and gives its exit status. `window`: what opens the window, in a build that has one.
pub fn main(window: Option<OpenWindow>) -> ExitCode {
    let begun = Instant::now();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = net::hidden_main(&arguments) {
        return code;
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // The terminal is gone when this fails: there is nobody left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { output::WRONG_CALL } else { 0 });
        }
    };
    match run(&args, window, begun) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => ExitCode::from(failure.report()),
    }
}

fn run(args: &Args, open: Option<OpenWindow>, begun: Instant) -> Outcome {
    match &args.command {
        Some(Command::Craft(craft)) => without_rights(|| craft::run(craft)),
        Some(Command::Read(read)) => without_rights(|| read::run(read)),
        Some(Command::Fields(fields)) => without_rights(|| fields::run(fields)),
        Some(Command::Interfaces(interfaces)) => without_rights(|| interfaces::run(interfaces)),
        Some(Command::Lab(lab)) => lab::run(lab),
        Some(Command::Doctor) => doctor::run(&start(None)?),
        Some(Command::Send(send)) => send::run(send, &access(&send.place)?),
        Some(Command::Capture(capture)) => capture::run(capture, &access(&capture.place)?),
        Some(Command::Run(script)) => run::run(script, &access(&script.place)?),
        Some(Command::Tcping(tcping)) => tcping::run(tcping, &access(&tcping.place)?),
        None => window(args, open, begun),
    }
}

/// Runs what needs no socket: nothing that reads a packet or a file has a privilege, whoever started it.
fn without_rights(run: impl FnOnce() -> Outcome) -> Outcome {
    net::put_down_all().map_err(Failure::failed)?;
    run()
}

/// Splits off the companion and puts down every privilege; before any thread. `netns`: the namespace that was named.
fn start(netns: Option<&str>) -> Result<Startup, Failure> {
    net::startup(netns).map_err(Failure::failed)
}

fn access(place: &PlaceArgs) -> Result<Access, Failure> {
    start(place.netns.as_deref()).map(Access::new)
}

/// A build without the feature `window` has the subcommands only.
fn window(args: &Args, open: Option<OpenWindow>, begun: Instant) -> Outcome {
    if let Some(near) = args.mistyped_command() {
        let file = args.file.iter().map(|f| f.display().to_string()).collect::<String>();
        return Err(Failure::wrong_call(format!(
            "there is no command and no file '{file}'; did you mean rawbench {near}?"
        )));
    }
    if let Some(open) = open {
        for (option, text, read) in [
            ("-f", &args.capture_filter, Filter::capture as fn(&str) -> Result<Filter, FilterError>),
            ("-Y", &args.filter, Filter::display),
        ] {
            if let Some((text, error)) = text.as_ref().and_then(|t| Some((t, read(t).err()?))) {
                let text = format!("the filter of {option} is wrong\n{}", error.render(text));
                return Err(Failure::wrong_call(text));
            }
        }
        let start = Start {
            capture_filter: args.capture_filter.clone(),
            filter: args.filter.clone(),
            access: access(&args.place)?,
            file: args.file.clone(),
            interface: args.interface.clone(),
            capture: args.start,
            place: args.place.place(),
            stats: args.stats,
            begun,
            directory: spool_directory(),
            settings: settings_path(),
        };
        return open(start).map(|()| 0).map_err(|text| Failure::failed(anyhow::Error::msg(text)));
    }
    Err(Failure::failed(anyhow::anyhow!(
        "cannot open the window: this build of rawbench has none (it was built without the feature `window`); \
         use the commands that `rawbench --help` lists, or build it with `cargo build --release`"
    )))
}
