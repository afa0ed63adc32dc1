//! What is permitted on this machine, what is not, and how to change that.

use super::lab::{LabError, Obstacle};
use super::process::CAP_NET_RAW;
use super::{Door, DoorKind, Error, Place, Startup, process, ways};
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

/// Looks at everything that raw sockets depend on; the ways to one in the order in which they are tried. With a
/// [`Startup`] it also asks the companion, and makes a lab to see whether that works. Nobody is asked for a password.
pub fn privilege_report(startup: Option<&Startup>) -> Vec<Finding> {
    let mut findings = vec![user(), own_capabilities()];
    if let Some(startup) = startup {
        findings.push(started_with_it(startup));
    }
    findings.push(broker(startup));
    findings.push(pkexec());
    if let Some(startup) = startup {
        findings.push(lab(startup));
    }
    findings.push(user_namespaces());
    if let Some(startup) = startup {
        findings.push(raw_sockets(startup));
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
    let inside = std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_whole(&map));
    let more =
        if inside { ", of a user namespace: what follows holds in there, as in `rawbench lab`" } else { "" };
    finding("user", true, detail + more, String::new())
}

/// Whether a map of users is that of the machine itself: every number means the same inside and outside.
fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn own_capabilities() -> Finding {
    match process::capabilities() {
        Ok(sets) if sets == process::Capabilities::default() => {
            finding("this process", true, "holds no capability, as it should".into(), String::new())
        }
        Ok(sets) => {
            let raw = if sets.effective & CAP_NET_RAW != 0 { ", CAP_NET_RAW among them" } else { "" };
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

/// The first way: the program was started with the right, and the companion kept it.
fn started_with_it(startup: &Startup) -> Finding {
    let what = "way 1, started by one who has the right";
    match startup.way() {
        Some(DoorKind::Companion) => {
            finding(what, true, "by root or sudo: the companion kept it".into(), String::new())
        }
        _ => {
            let program = std::env::current_exe().map_or("rawbench".into(), |path| ways::quoted(&path));
            finding(what, false, "by an ordinary user".into(), format!("sudo {program}"))
        }
    }
}

/// The second way.
fn broker(startup: Option<&Startup>) -> Finding {
    let what = "way 2, broker with a file capability";
    if let Some(path) = ways::capable_broker() {
        // Root asks no other broker: it has its own.
        let asked = startup.filter(|startup| startup.way() != Some(DoorKind::Companion));
        if asked.is_some_and(|startup| !startup.broker_works()) {
            let detail = format!("{} has CAP_NET_RAW, and gets nothing from it when it runs", path.display());
            let remedy = "Its file system is mounted nosuid, or the bounding set of your processes lacks CAP_NET_RAW (see \
                `capsh --print`): move it, or start with sudo.";
            return finding(what, false, detail, remedy.into());
        }
        let detail = format!("{} has CAP_NET_RAW, and you may run it", path.display());
        return finding(what, true, detail, String::new());
    }
    let open = |path: &Path| {
        ways::to_be_opened().pop().map_or_else(
            || format!("sudo setcap cap_net_raw+ep {}", ways::quoted(path)),
            |way| format!("{}: {}", way.what, way.command),
        )
    };
    if let Some(path) = ways::closed_broker() {
        let detail = format!("{} has CAP_NET_RAW, but you may not run it", path.display());
        return finding(what, false, detail, open(&path));
    }
    match ways::broker_paths().into_iter().find(|path| path.is_file()) {
        Some(path) => finding(what, false, format!("{} has no capability", path.display()), open(&path)),
        None => {
            let searched: Vec<_> =
                ways::broker_paths().iter().map(|path| path.display().to_string()).collect();
            let remedy = "Build it (cargo build --release --bins) or install the package.";
            finding(what, false, format!("not found as {}", searched.join(", ")), remedy.into())
        }
    }
}

/// The third way.
fn pkexec() -> Finding {
    let what = "way 3, pkexec and our polkit policy";
    match ways::pkexec() {
        Some(path) => {
            let detail = format!("{} asks you when the first socket is wanted", path.display());
            finding(what, true, detail, String::new())
        }
        None => {
            let remedy = "Install the package of rawbench, which brings the policy, and pkexec.";
            finding(what, false, "not installed".into(), remedy.into())
        }
    }
}

/// What comes of the ways, tried with a socket where nobody has to be asked for one.
fn raw_sockets(startup: &Startup) -> Finding {
    let what = "raw sockets on this machine";
    let way = |kind| match kind {
        DoorKind::Companion => "through the companion, which kept the right to them",
        DoorKind::BrokerFileCap => "through rawbench-broker, which has a file capability",
        DoorKind::Pkexec => "through pkexec, which asks you first",
        DoorKind::Direct | DoorKind::Lab | DoorKind::Unprivileged => "directly",
    };
    match startup.door(&Place::Host) {
        Ok(door) if door.kind() == DoorKind::Pkexec => {
            finding(what, true, way(door.kind()).into(), String::new())
        }
        Ok(door) => match door.packet() {
            Ok(_) => finding(what, true, way(door.kind()).into(), String::new()),
            Err(error) => finding(what, false, error.to_string(), String::new()),
        },
        Err(Error::NoPrivilege(missing)) => {
            let ways: Vec<String> =
                missing.ways.iter().map(|way| format!("{}: {}", way.what, way.command)).collect();
            finding(what, false, "not permitted".into(), ways.join("\n"))
        }
        Err(error) => finding(what, false, error.to_string(), String::new()),
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
        Ok(_) => finding("way 4, the lab", true, "can be made".into(), String::new()),
        Err(Error::Lab(LabError { stage, reason, advice, .. })) => {
            finding("way 4, the lab", false, format!("{stage} failed: {reason}"), advice)
        }
        Err(error) => finding("way 4, the lab", false, error.to_string(), String::new()),
    }
}
