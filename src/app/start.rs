//! How the window starts: what the command line says, as data.

use std::path::PathBuf;
use std::time::Instant;

use crate::engine::{Access, Place};
use crate::pcap::private_directory;

/// How the window starts.
pub struct Start {
    /// The way to the sockets.
    pub access: Access,
    /// A file to open.
    pub file: Option<PathBuf>,
    /// The source to choose: an interface's name, `any`, or a label of the list.
    pub interface: Option<String>,
    /// Start capturing at once.
    pub capture: bool,
    /// What to capture, as a filter.
    pub capture_filter: Option<String>,
    /// What to show, as a filter.
    pub filter: Option<String>,
    /// Where to work.
    pub place: Place,
    /// Print what was measured at the end.
    pub stats: bool,
    /// When the program was started.
    pub begun: Instant,
    /// Where spools stand.
    pub directory: PathBuf,
    /// Where the settings stand; none: they are not kept.
    pub settings: Option<PathBuf>,
}

/// Where spools stand: the state directory of the user. Where that cannot be, a private one among the temporary files, which is
/// the same at the next start, so that what a killed program left there is found.
#[must_use]
pub fn spool_directory() -> PathBuf {
    let own = directories::ProjectDirs::from("", "", "rawbench")
        .and_then(|d| d.state_dir().map(std::path::Path::to_path_buf))
        .filter(|d| std::fs::create_dir_all(d).is_ok() && !is_read_only(d));
    let temporary = || {
        // What stands in the second one is still there after the machine has started again.
        let given = std::env::var_os("TMPDIR").map(PathBuf::from);
        [given, Some("/var/tmp".into()), Some(std::env::temp_dir())].into_iter().flatten().find_map(|base| {
            let directory = private_directory(&base)?;
            (!is_read_only(&directory)).then_some(directory)
        })
    };
    own.or_else(temporary)
        .unwrap_or_else(|| std::env::temp_dir().join(format!("rawbench-{}", std::process::id())))
}

fn is_read_only(directory: &std::path::Path) -> bool {
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    let made = std::fs::write(&probe, b"").is_ok();
    let _ = std::fs::remove_file(&probe);
    !made
}
