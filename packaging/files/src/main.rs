//! Writes what the Debian package has besides the programs: the man pages and the shell completions, read off the
//! command line's own definition, and the licences of the crates that the programs are built from.
//!
//! `package-files DIRECTORY`; `packaging/build.sh` calls it.

mod licences;
mod man;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use clap_complete::Shell;
use rawbench::cli::args::Args;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        bail!("call it as: package-files DIRECTORY");
    };
    let make = |name: &str| {
        let path = directory.join(name);
        fs::create_dir_all(&path).with_context(|| format!("make the directory {}", path.display()))?;
        anyhow::Ok(path)
    };
    let pages = make("man")?;
    for (name, text) in man::pages(Args::command())? {
        let path = pages.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let completions = make("completions")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Args::command(), "rawbench", &completions)
            .with_context(|| format!("write the completion for {shell} to {}", completions.display()))?;
    }
    let path = directory.join("third-party");
    fs::write(&path, licences::collect()?).with_context(|| format!("write {}", path.display()))
}
