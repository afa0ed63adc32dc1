//! The command line. Imports all but `ui`.
//!
//! Data goes to standard output, messages to standard error. Exit statuses: 0 done, 1 it failed while running, 2 the
//! call or the notation is wrong, 3 the privilege to open a raw socket is missing.

pub mod args;
pub mod checksum_text;
pub mod craft;
pub mod fields;
pub mod json;
pub mod keys;
pub mod output;
pub mod read;
pub mod sources;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use output::{Failure, Outcome};

/// Runs the program and gives its exit status.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // The terminal is gone when this fails: there is nobody left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { output::WRONG_CALL } else { 0 });
        }
    };
    match run(&args) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => ExitCode::from(failure.report()),
    }
}

fn run(args: &Args) -> Outcome {
    match &args.command {
        Some(Command::Craft(craft)) => craft::run(craft),
        Some(Command::Read(read)) => read::run(read),
        Some(Command::Fields(fields)) => fields::run(fields),
        None => window(args),
    }
}

/// A build without the feature `window` has the subcommands only.
fn window(args: &Args) -> Outcome {
    if let Some(near) = args.mistyped_command() {
        let file = args.file.iter().map(|f| f.display().to_string()).collect::<String>();
        return Err(Failure::wrong_call(format!(
            "there is no command and no file '{file}'; did you mean rawbench {near}?"
        )));
    }
    Err(Failure::failed(anyhow::anyhow!(
        "cannot open the window: this build of rawbench has none (it was built without the feature `window`); \
         use the commands that `rawbench --help` lists, or build it with `cargo build --release`"
    )))
}
