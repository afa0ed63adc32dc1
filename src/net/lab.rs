//! The lab: a private network on this machine, made without root.
//!
//! One process, the host of the lab, makes a user namespace (root needs none) and in it two network
//! namespaces, "you" and "server", joined by a veth pair. It runs the server's services and hands out sockets
//! of "you". All of it is gone when its peer closes.

use super::process;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Your address in the lab.
pub const YOU_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The server's address in the lab.
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Your IPv6 address in the lab.
pub const YOU_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// The server's IPv6 address in the lab.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
/// The name of your interface in the lab.
pub const YOU_INTERFACE: &str = "lab0";
/// The name of the server's interface in the lab.
pub const SERVER_INTERFACE: &str = "srv0";
/// The port that never answers.
pub const SILENT_PORT: u16 = 9999;
/// The port with a receive window as small as the kernel makes one, which is read slowly.
pub const TINY_WINDOW_PORT: u16 = 8001;

/// A stage of making the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Starting the process.
    Process,
    /// `unshare(CLONE_NEWUSER)`.
    UserNamespace,
    /// Writing the maps of users and groups.
    Maps,
    /// `unshare(CLONE_NEWNET)`.
    NetworkNamespace,
    /// Making the veth pair.
    Link,
    /// Setting addresses, links and routes.
    Addresses,
    /// Opening the server's ports.
    Server,
    /// `unshare(CLONE_NEWPID)`, for a command in the lab.
    ProcessNamespace,
}

impl Stage {
    const ALL: [Self; 8] = [
        Self::Process,
        Self::UserNamespace,
        Self::Maps,
        Self::NetworkNamespace,
        Self::Link,
        Self::Addresses,
        Self::Server,
        Self::ProcessNamespace,
    ];

    /// The number that goes over the socket.
    pub(crate) fn number(self) -> u8 {
        Self::ALL.iter().position(|stage| *stage == self).map_or(0, |at| at as u8)
    }

    /// The stage of a number.
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Process)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "starting its process",
            Self::UserNamespace => "making a user namespace",
            Self::Maps => "mapping your user into the user namespace",
            Self::NetworkNamespace => "making a network namespace",
            Self::Link => "making a veth pair",
            Self::Addresses => "setting its addresses",
            Self::Server => "opening the server's ports",
            Self::ProcessNamespace => "making a process namespace",
        })
    }
}

/// The lab could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot make the lab: {stage} failed: {reason}. {advice}")]
pub struct LabError {
    /// Where it failed.
    pub stage: Stage,
    /// The system's error number.
    pub errno: i32,
    /// The system's reason.
    pub reason: String,
    /// What forbids it and what to do.
    pub advice: String,
}

impl LabError {
    /// Finds out what forbids the lab.
    pub(crate) fn new(stage: Stage, errno: i32) -> Self {
        let reason = io::Error::from_raw_os_error(errno).to_string();
        let advice = match stage {
            Stage::UserNamespace | Stage::Maps | Stage::NetworkNamespace => match Obstacle::find() {
                Some(obstacle) => obstacle.advice(),
                None if errno == libc::ENOSPC && stage == Stage::NetworkNamespace => {
                    "The limit of network namespaces (user.max_net_namespaces) is reached.".into()
                }
                None if matches!(errno, libc::ENOSPC | libc::EUSERS) => {
                    "The limit of user namespaces (user.max_user_namespaces, or 32 within each other) is reached.".into()
                }
                None if matches!(errno, libc::EROFS | libc::ENOENT) => {
                    "/proc is not mounted, or read-only: a user namespace is set up through it.".into()
                }
                None => "No setting of the kernel explains it: most likely a seccomp filter (of a container: \
                    Docker forbids unshare unless started with --security-opt seccomp=unconfined) or a security module. \
                    With sudo the lab needs no user namespace."
                    .into(),
            },
            Stage::Link if errno == libc::EOPNOTSUPP => {
                "The kernel has no veth: load it with `sudo modprobe veth`, or build it with CONFIG_VETH.".into()
            }
            Stage::Link | Stage::Addresses => {
                "The kernel refused a part of the network: please report it with the output of `rawbench doctor`.".into()
            }
            Stage::Server => "Its ports could not be opened: see `rawbench doctor`.".into(),
            Stage::ProcessNamespace => {
                "The limit of process namespaces (user.max_pid_namespaces) is reached, or a seccomp filter forbids them."
                    .into()
            }
            Stage::Process => "Too many processes, or too little memory.".into(),
        };
        Self { stage, errno, reason, advice }
    }
}

/// The lab's answers could not be delayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot delay the answers of the lab's server: {reason}. {advice}")]
pub struct DelayError {
    /// The system's error number.
    pub errno: i32,
    /// The system's reason.
    pub reason: String,
    /// What to do.
    pub advice: String,
}

impl DelayError {
    /// Explains the error of the queueing discipline netem.
    pub(crate) fn new(error: &io::Error) -> Self {
        let advice = match error.raw_os_error() {
            Some(libc::ENOENT | libc::EOPNOTSUPP) => {
                "This kernel has no netem: load it with `sudo modprobe sch_netem`, or build it with CONFIG_NET_SCH_NETEM."
            }
            _ => "The lab goes on without a delay.",
        };
        Self { errno: super::sys::errno(error), reason: error.to_string(), advice: advice.into() }
    }
}

/// A setting that forbids user namespaces to ordinary users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    AppArmor,
    Clone,
    Limit,
    NetworkLimit,
}

impl Obstacle {
    /// The first of them that is set on this system. Root is not held up by the first two.
    pub(crate) fn find() -> Option<Self> {
        Self::find_in(Path::new("/proc/sys"), process::ids().1 == 0)
    }

    /// As [`Obstacle::find`], with the directory of the kernel's settings and whether it is for root.
    fn find_in(settings: &Path, root: bool) -> Option<Self> {
        let is = |name: &str, wanted: &str| {
            std::fs::read_to_string(settings.join(name)).is_ok_and(|text| text.trim() == wanted)
        };
        if is("user/max_user_namespaces", "0") {
            return Some(Self::Limit);
        }
        if is("user/max_net_namespaces", "0") {
            return Some(Self::NetworkLimit);
        }
        if root {
            return None;
        }
        if is("kernel/unprivileged_userns_clone", "0") {
            return Some(Self::Clone);
        }
        // The profile of the package (a label `rawbench (unconfined)`) permits them to this program.
        let label = std::fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
        let restricted = is("kernel/apparmor_restrict_unprivileged_userns", "1");
        (restricted && !label.starts_with("rawbench")).then_some(Self::AppArmor)
    }

    /// What it is and what to do.
    pub(crate) fn advice(self) -> String {
        match self {
            Self::AppArmor => "AppArmor forbids user namespaces to programs without a profile \
                (kernel.apparmor_restrict_unprivileged_userns=1, as on Ubuntu since 24.04). Run \
                `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or start with sudo, or install the \
                package, which brings a profile."
                .into(),
            Self::Clone => "This system forbids user namespaces to ordinary users (kernel.unprivileged_userns_clone=0). Run \
                `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or start with sudo."
                .into(),
            Self::Limit => "This system permits no user namespaces (user.max_user_namespaces=0). Run \
                `sudo sysctl -w user.max_user_namespaces=15000`, or start with sudo."
                .into(),
            Self::NetworkLimit => "This system permits no network namespaces (user.max_net_namespaces=0). Run \
                `sudo sysctl -w user.max_net_namespaces=15000`."
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_forbids_the_lab_is_told_apart() {
        let settings = tempfile::tempdir().unwrap();
        let set = |name: &str, value: &str| {
            let file = settings.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, format!("{value}\n")).unwrap();
        };
        let find = |root| Obstacle::find_in(settings.path(), root);
        assert_eq!(find(false), None);
        for (name, forbidding, permitting, obstacle, also_root) in [
            ("kernel/apparmor_restrict_unprivileged_userns", "1", "0", Obstacle::AppArmor, false),
            ("kernel/unprivileged_userns_clone", "0", "1", Obstacle::Clone, false),
            ("user/max_net_namespaces", "0", "15000", Obstacle::NetworkLimit, true),
            ("user/max_user_namespaces", "0", "15000", Obstacle::Limit, true),
        ] {
            set(name, permitting);
            assert_eq!(find(false), None, "{name}");
            set(name, forbidding);
            assert_eq!(find(false), Some(obstacle), "{name}");
            assert_eq!(find(true), also_root.then_some(obstacle), "{name}");
            let setting = name.replace('/', ".");
            assert!(obstacle.advice().contains(&format!("sudo sysctl -w {setting}=")), "{name}");
            set(name, permitting);
        }
    }

    #[test]
    fn stages_survive_the_socket() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_number(stage.number()), stage);
        }
        assert_eq!(Stage::from_number(200), Stage::Process);
    }
}
