//! The ways to a raw socket, as this machine stands: which broker there is and whether it may be run, whether polkit
//! can be asked, and what to tell a person who has none of them.

use super::process::{self, CAP_NET_RAW};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The broker that the polkit policy of the package speaks of (`org.freedesktop.policykit.exec.path`).
pub const POLKIT_BROKER: &str = "/usr/libexec/rawbench-broker";
/// The policy itself: without it pkexec would ask for root's password with a text that says nothing.
const POLKIT_POLICY: &str = "/usr/share/polkit-1/actions/org.rawbench.broker.policy";
/// The group whose members may run the broker of the package.
pub const GROUP: &str = "rawbench";

/// Where a broker may be: beside this program, then where packages put it.
pub fn broker_paths() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name("rawbench-broker"));
    let installed = [POLKIT_BROKER, "/usr/lib/rawbench/rawbench-broker"].map(PathBuf::from);
    let mut all: Vec<PathBuf> = beside.into_iter().collect();
    all.extend(installed.into_iter().filter(|path| !all.contains(path)).collect::<Vec<_>>());
    all
}

/// The first broker with the file capability that this user may run.
pub fn capable_broker() -> Option<PathBuf> {
    broker_paths().into_iter().find(|path| file_capabilities(path) & CAP_NET_RAW != 0 && may_run(path))
}

/// A broker with the file capability that this user may not run: it is for the members of a group.
pub fn closed_broker() -> Option<PathBuf> {
    broker_paths().into_iter().find(|path| file_capabilities(path) & CAP_NET_RAW != 0 && !may_run(path))
}

/// The program pkexec, where it is installed and the policy for our broker as well.
pub fn pkexec() -> Option<PathBuf> {
    let there = Path::new(POLKIT_BROKER).is_file() && Path::new(POLKIT_POLICY).is_file();
    let program = ["/usr/bin/pkexec", "/usr/local/bin/pkexec"].map(PathBuf::from);
    program.into_iter().find(|path| there && path.is_file())
}

/// The permitted file capabilities of a program (struct vfs_cap_data in capabilities(7)), one bit for each.
#[expect(unsafe_code, reason = "getxattr(2)")]
pub fn file_capabilities(path: &Path) -> u64 {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return 0 };
    let mut data = [0u8; 24];
    // SAFETY: both names are strings with their zero; pointer and length describe `data`.
    let length = unsafe {
        let name = c"security.capability";
        libc::getxattr(path.as_ptr(), name.as_ptr(), data.as_mut_ptr().cast(), data.len())
    };
    let word =
        |at: usize| u64::from(u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]));
    if length < 12 { 0 } else { word(4) | word(12) << 32 }
}

/// Whether this process may run a program file (`access(2)`).
#[expect(unsafe_code, reason = "access(2)")]
fn may_run(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the pointer is a string with its zero.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

/// One way to a raw socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What it is, in a sentence.
    pub what: String,
    /// The command to copy.
    pub command: String,
}

fn way(what: &str, command: String) -> Way {
    Way { what: what.into(), command }
}

/// The way that opens every place.
pub fn with_root() -> Vec<Way> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rawbench"));
    let what = "start with sudo: only the companion keeps a privilege, the rest runs as you";
    // The same call once more, with sudo.
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(Path::new(&argument)));
    let words: Vec<String> = std::iter::once(quoted(&program)).chain(arguments).collect();
    vec![way(what, format!("sudo {}", words.join(" ")))]
}

/// The ways for a person who has none open, easiest first.
pub fn to_be_opened() -> Vec<Way> {
    let broker = broker_paths().into_iter().find(|path| path.is_file());
    let broker = broker.unwrap_or_else(|| PathBuf::from("rawbench-broker"));
    let mut ways = vec![way(
        "work in the lab, a private network on this machine that needs no privilege",
        "rawbench send --lab 'ip(dst=10.77.0.2)/tcp(dstport=80, flags=S)'".into(),
    )];
    ways.extend(with_root());
    ways.push(if closed_broker().is_some() {
        let user = process::user(process::ids().0).map(|user| user.name.to_string_lossy().into_owned());
        way(
            "join the group whose members may run the broker, then log in again",
            format!("sudo adduser {} {GROUP}", user.as_deref().unwrap_or("YOU")),
        )
    } else if broker == Path::new(POLKIT_BROKER) {
        way("let a group run the broker without a password", "sudo dpkg-reconfigure rawbench".into())
    } else {
        way(
            "give the broker the one capability that it needs, once",
            format!("sudo setcap cap_net_raw+ep {}", quoted(&broker)),
        )
    });
    ways
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(quoted(Path::new("/usr/bin/rawbench")), "/usr/bin/rawbench");
        assert_eq!(quoted(Path::new("/home/a b/it's")), r"'/home/a b/it'\''s'");
    }

    #[test]
    fn an_ordinary_file_has_no_capability() {
        assert_eq!(file_capabilities(Path::new("/proc/self/exe")), 0);
        assert_eq!(file_capabilities(Path::new("/there/is/no/such/file")), 0);
    }
}
