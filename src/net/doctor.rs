//! What is permitted on this machine, what is not, and how to change that.

use super::error::quoted;
use super::lab::{LabError, Obstacle};
use super::startup::{broker_paths, capable};
use super::{Door, DoorKind, Error, Place, Startup, process};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One finding of [`privilege_report`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do; empty where nothing has to be done.
    pub remedy: String,
}

/// Looks at everything that raw sockets depend on. With a [`Startup`] it also asks the companion, and makes
/// a lab to see whether that works.
pub fn privilege_report(startup: Option<&Startup>) -> Vec<Finding> {
    let mut findings = vec![user(), own_capabilities()];
    if let Some(startup) = startup {
        findings.push(raw_sockets(startup));
    }
    findings.push(broker());
    findings.push(user_namespaces());
    if let Some(startup) = startup {
        findings.push(lab(startup));
    }
    findings
}

fn finding(what: &str, ok: bool, detail: String, remedy: String) -> Finding {
    Finding { what: what.into(), ok, detail, remedy }
}

fn user() -> Finding {
    let (uid, effective, gid, _) = process::ids();
    let name = process::user(uid).map_or("no name".into(), |user| user.name.to_string_lossy().into_owned());
    let detail = if uid == effective {
        format!("{uid} ({name}), group {gid}")
    } else {
        format!("{uid} ({name}), group {gid}, acting as {effective}")
    };
    finding("user", true, detail, String::new())
}

fn own_capabilities() -> Finding {
    match process::capabilities() {
        Ok(sets) if sets == process::Capabilities::default() => {
            finding("this process", true, "holds no capability, as it should".into(), String::new())
        }
        Ok(sets) => {
            let raw = if capable() { ", CAP_NET_RAW among them" } else { "" };
            let detail = format!("holds capabilities: effective {:#x}{raw}", sets.effective);
            finding(
                "this process",
                false,
                detail,
                "Only the companion should hold one: start with sudo.".into(),
            )
        }
        Err(error) => finding("this process", false, format!("capget: {error}"), String::new()),
    }
}

fn raw_sockets(startup: &Startup) -> Finding {
    match startup.door(&Place::Host) {
        Ok(door) => {
            let way = match door.kind() {
                DoorKind::Companion => "through the companion, which kept the right to them",
                DoorKind::BrokerFileCap => "through rawbench-broker, which has a file capability",
                DoorKind::Direct | DoorKind::Lab | DoorKind::Unprivileged => "directly",
            };
            match door.packet() {
                Ok(_) => finding("raw sockets on this machine", true, way.into(), String::new()),
                Err(error) => finding("raw sockets on this machine", false, error.to_string(), String::new()),
            }
        }
        Err(Error::NoPrivilege(missing)) => {
            let ways: Vec<String> =
                missing.ways.iter().map(|way| format!("{}: {}", way.what, way.command)).collect();
            finding("raw sockets on this machine", false, "not permitted".into(), ways.join("\n"))
        }
        Err(error) => finding("raw sockets on this machine", false, error.to_string(), String::new()),
    }
}

fn broker() -> Finding {
    let found: Vec<_> = broker_paths().into_iter().filter(|path| path.is_file()).collect();
    if let Some(path) = found.iter().find(|path| has_capability(path)) {
        return finding(
            "rawbench-broker",
            true,
            format!("{} has CAP_NET_RAW", path.display()),
            String::new(),
        );
    }
    match found.first() {
        Some(path) => {
            let remedy = format!("sudo setcap cap_net_raw+ep {}", quoted(path));
            finding("rawbench-broker", false, format!("{} has no file capability", path.display()), remedy)
        }
        None => {
            let remedy =
                "Build it (cargo build --bins) or install the package; it is only needed without sudo.";
            let searched: Vec<_> = broker_paths().iter().map(|path| path.display().to_string()).collect();
            finding("rawbench-broker", false, format!("not found as {}", searched.join(", ")), remedy.into())
        }
    }
}

fn user_namespaces() -> Finding {
    match Obstacle::find() {
        None => {
            finding("user namespaces", true, "no setting of the kernel forbids them".into(), String::new())
        }
        Some(obstacle) => finding("user namespaces", false, "forbidden".into(), obstacle.advice()),
    }
}

fn lab(startup: &Startup) -> Finding {
    match startup.door(&Place::Lab).and_then(|door: Door| door.packet()) {
        Ok(_) => finding("lab", true, "can be made".into(), String::new()),
        Err(Error::Lab(LabError { stage, reason, advice, .. })) => {
            finding("lab", false, format!("{stage} failed: {reason}"), advice)
        }
        Err(error) => finding("lab", false, error.to_string(), String::new()),
    }
}

/// Whether a program file has `cap_net_raw` among its permitted file capabilities (struct vfs_cap_data).
#[expect(unsafe_code, reason = "getxattr(2)")]
pub(crate) fn has_capability(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut data = [0u8; 24];
    // SAFETY: both names are strings with their zero; pointer and length describe `data`.
    let length = unsafe {
        let name = c"security.capability";
        libc::getxattr(path.as_ptr(), name.as_ptr(), data.as_mut_ptr().cast(), data.len())
    };
    let permitted = u32::from_le_bytes([data[4], data[5], data[6], data[7]]);
    length >= 12 && u64::from(permitted) & process::CAP_NET_RAW != 0
}
