//! The start of the program: the companion is split off, then every privilege is put down.

use super::broker::{Kind, Request, Status};
use super::door::{Channel, Door, DoorKind, Place};
use super::error::{Error, NoPrivilege};
use super::process::{self, CAP_NET_RAW};
use super::{companion, sys};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// In this variable the second start of the program finds the number of the companion's socket.
const COMPANION: &str = "RAWBENCH_COMPANION_FD";

/// The companion, and the doors that it opens.
pub struct Startup {
    companion: Arc<Mutex<Channel>>,
    doors: Mutex<Vec<Door>>,
}

/// What [`startup`] does first in the life of a process. Call it before there is any thread.
///
/// Splits off the companion, becomes the user behind sudo or pkexec (and starts the program again as that user,
/// with the same arguments), puts down every capability and forbids to gain one. Takes about a millisecond.
///
/// # Errors
/// When there are threads already, no process can be made, or a privilege cannot be put down.
pub fn startup() -> Result<Startup, Error> {
    if let Some(socket) = inherited() {
        put_down()?;
        return Ok(Startup::new(socket));
    }
    let threads =
        process::threads().map_err(|error| Error::system("count the threads of this process", error))?;
    if threads != 1 {
        let reason = io::Error::other(format!("there are {threads} threads already"));
        return Err(Error::system("split off the companion", reason));
    }
    let socket = companion::start().map_err(|error| Error::system("split off the companion", error))?;
    let (_, uid, _, _) = process::ids();
    match if uid == 0 { user_behind() } else { None } {
        Some(user) => {
            let environment = user.environment();
            process::become_user(user.uid, user.gid, user.name.as_deref())
                .map_err(|error| Error::system(format!("become user {}", user.uid), error))?;
            put_down()?;
            start_again(&socket, &environment);
        }
        None => {
            put_down()?;
            if !process::dumpable() {
                // The program file has a capability, or may not be read by its user.
                start_again(&socket, &[]);
            }
        }
    }
    Ok(Startup::new(socket))
}

/// Empties all capability sets and forbids to gain a privilege by `exec`.
fn put_down() -> Result<(), Error> {
    process::set_capabilities(0, 0).map_err(|error| Error::system("put down the capabilities", error))?;
    process::forbid_new_privileges().map_err(|error| Error::system("forbid new privileges", error))
}

/// The companion's socket, if this is the second start. Believed only if it is a socket that this very process
/// made (before it started the program again).
#[expect(unsafe_code, reason = "a descriptor by its number, and the removal of a variable")]
fn inherited() -> Option<OwnedFd> {
    let number: i32 = std::env::var(COMPANION).ok()?.parse().ok()?;
    // SAFETY: there is a single thread: this is the first thing that the program does.
    unsafe { std::env::remove_var(COMPANION) };
    if number <= 2 || process::threads().ok()? != 1 {
        return None;
    }
    // SAFETY: the number is only used for calls that fail on a number that is no descriptor.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    if sys::socket_kind(socket).ok()? != (libc::AF_UNIX, libc::SOCK_SEQPACKET)
        || sys::peer_process(socket).ok()? != std::process::id()
    {
        return None;
    }
    sys::set_close_on_exec(socket, true).ok()?;
    if let Some(name) = std::env::args_os().next() {
        let name = Path::new(&name).file_name().unwrap_or(OsStr::new("rawbench")).as_encoded_bytes().to_vec();
        process::set_name(&std::ffi::CString::new(name).unwrap_or_default());
    }
    // SAFETY: it is the socket that this process left open for itself; nobody else here knows its number.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Starts the program again, so that it can be looked into by the user's own processes (which portals need).
/// Where that is not possible, it goes on as it is and opens itself instead.
fn start_again(socket: &OwnedFd, environment: &[(&'static str, OsString)]) {
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(arguments.next().unwrap_or_else(|| "rawbench".into())).args(arguments);
    command.envs(environment.iter().cloned()).env(COMPANION, socket.as_raw_fd().to_string());
    if sys::set_close_on_exec(socket.as_fd(), false).is_ok() {
        let _refused = command.exec();
        let _ = sys::set_close_on_exec(socket.as_fd(), true);
    }
    adopt(environment);
    process::set_dumpable();
}

/// Sets variables in this process.
#[expect(unsafe_code, reason = "setting variables")]
fn adopt(environment: &[(&'static str, OsString)]) {
    for (name, value) in environment {
        // SAFETY: there is a single thread: this is the first thing that the program does.
        unsafe { std::env::set_var(name, value) };
    }
}

/// The user behind sudo or pkexec.
struct Behind {
    uid: u32,
    gid: u32,
    name: Option<std::ffi::CString>,
    home: Option<PathBuf>,
}

/// Who called sudo or pkexec; none where that was root.
fn user_behind() -> Option<Behind> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let uid =
        number("SUDO_UID").or_else(|| number("PKEXEC_UID")).filter(|uid| *uid != 0 && *uid != u32::MAX)?;
    let Some(user) = process::user(uid) else {
        // A number that the user data base does not know is still less than root.
        let gid = number("SUDO_GID").filter(|gid| *gid != u32::MAX).unwrap_or(uid);
        return Some(Behind { uid, gid, name: None, home: None });
    };
    Some(Behind { uid, gid: user.gid, name: Some(user.name), home: Some(user.home) })
}

impl Behind {
    /// The variables by which programs find the user's home, session and display.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut set: Vec<(&'static str, OsString)> = Vec::new();
        if let Some(name) = self.name.as_ref().and_then(|name| name.to_str().ok()) {
            set.push(("USER", name.into()));
            set.push(("LOGNAME", name.into()));
        }
        let home = self.home.clone().unwrap_or_else(|| "/".into());
        set.push(("HOME", home.clone().into()));
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let runtime = PathBuf::from(format!("/run/user/{}", self.uid));
        if std::fs::metadata(&runtime).is_ok_and(|found| found.uid() == self.uid) {
            if !has("DBUS_SESSION_BUS_ADDRESS") && runtime.join("bus").exists() {
                set.push(("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", runtime.display()).into()));
            }
            // sudo keeps DISPLAY, but not WAYLAND_DISPLAY.
            if !has("WAYLAND_DISPLAY") && !has("DISPLAY") && runtime.join("wayland-0").exists() {
                set.push(("WAYLAND_DISPLAY", "wayland-0".into()));
            }
            set.push(("XDG_RUNTIME_DIR", runtime.into()));
        }
        let readable = std::env::var_os("XAUTHORITY")
            .and_then(|path| std::fs::metadata(path).ok())
            .is_some_and(|found| found.uid() == self.uid);
        let authority = home.join(".Xauthority");
        if !readable && authority.is_file() {
            set.push(("XAUTHORITY", authority.into()));
        }
        set
    }
}

/// Where a broker may be: beside this program, then where packages put it.
pub(crate) fn broker_paths() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name("rawbench-broker"));
    let installed = ["/usr/libexec/rawbench-broker", "/usr/lib/rawbench/rawbench-broker"];
    beside.into_iter().chain(installed.into_iter().map(PathBuf::from)).collect()
}

impl Startup {
    fn new(companion: OwnedFd) -> Self {
        Self { companion: Channel::new(companion).shared(), doors: Mutex::new(Vec::new()) }
    }

    /// The door to a place. The first call for the lab makes it; later calls give the same door, as long as the
    /// process behind it lives.
    ///
    /// # Errors
    /// [`Error::NoPrivilege`] with the ways to get a raw socket, [`Error::Lab`] where no lab can be made, and the
    /// system's reason where a namespace cannot be found or entered.
    pub fn door(&self, place: &Place) -> Result<Door, Error> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(Door::is_alive);
        if let Some(door) = doors.iter().find(|door| door.place() == place) {
            return Ok(door.clone());
        }
        let door = match place {
            Place::Lab => Door::on(self.connect(Kind::StartLab)?, DoorKind::Lab, Place::Lab)?,
            Place::Host => self.outside(Place::Host, None)?,
            Place::Netns(name) => {
                let namespace = open_namespace(name)?;
                self.outside(place.clone(), Some(namespace))?
            }
        };
        doors.push(door.clone());
        Ok(door)
    }

    /// A door to this machine, or to one of its namespaces.
    fn outside(&self, place: Place, namespace: Option<OwnedFd>) -> Result<Door, Error> {
        if self.ask(Kind::Status).is_ok() {
            let channel = Some(Arc::clone(&self.companion));
            return Ok(Door::new(DoorKind::Companion, place, channel, namespace));
        }
        match self.connect(Kind::StartBroker) {
            Ok(socket) => {
                let mut channel = Channel::new(socket);
                match channel.ask(Request::new(Kind::Status), None) {
                    Ok(_) => Ok(Door::new(DoorKind::BrokerFileCap, place, Some(channel.shared()), namespace)),
                    Err(_) => Err(NoPrivilege::new(format!("open raw sockets on {place}")).into()),
                }
            }
            Err(_) => Err(NoPrivilege::new(format!("open raw sockets on {place}")).into()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Channel> {
        self.companion.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the companion for something.
    fn ask(&self, kind: Kind) -> Result<Option<OwnedFd>, Error> {
        let failed = |error| Error::system("have the companion do its work", error);
        let (reply, socket) = self.lock().ask(Request::new(kind), None).map_err(failed)?;
        match reply.status {
            Status::Done => Ok(socket),
            Status::LabFailed => {
                let stage = super::lab::Stage::from_number(reply.stage);
                Err(super::lab::LabError::new(stage, reply.errno).into())
            }
            Status::System | Status::Refused => Err(failed(io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// Asks the companion for a connection to a process that it starts.
    fn connect(&self, kind: Kind) -> Result<OwnedFd, Error> {
        let failed =
            || Error::system("have the companion do its work", io::Error::from_raw_os_error(libc::EPROTO));
        self.ask(kind)?.ok_or_else(failed)
    }

    /// Which way raw sockets of this machine are to be had; `None` if there is no way but the lab.
    pub fn way(&self) -> Option<DoorKind> {
        self.door(&Place::Host).ok().map(|door| door.kind())
    }
}

/// Opens a network namespace: a name in /run/netns, or the number of a process.
///
/// The namespace of a process is for who may trace it (namespaces(7)). This process has put its capabilities down, and
/// the companion never had that one: so a number works for processes of the same user without capabilities only.
fn open_namespace(name: &str) -> Result<OwnedFd, Error> {
    let failed = |reason: io::Error, advice: &str| Error::System {
        tried: format!("open the network namespace {name}"),
        reason,
        advice: advice.into(),
    };
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        let advice = "Give its name in /run/netns, or the number of a process.";
        return Err(failed(io::Error::from_raw_os_error(libc::EINVAL), advice));
    }
    let named = Path::new("/run/netns").join(name);
    let number = name.bytes().all(|byte| byte.is_ascii_digit()) && !named.exists();
    let path = if number { format!("/proc/{name}/ns/net").into() } else { named };
    File::open(&path).map(OwnedFd::from).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied if number => {
                format!(
                    "The number of a process works only for your own processes without privileges, also as root, since \
                     rawbench puts its rights down at the start. A name in /run/netns works: \
                     `sudo ip netns attach NAME {name}`, then --netns NAME."
                )
            }
            io::ErrorKind::NotFound if number => "There is no process with this number.".into(),
            io::ErrorKind::NotFound => "There is no such name in /run/netns: `ip netns` lists them.".into(),
            _ => String::new(),
        };
        failed(error, &advice)
    })
}

/// Whether this process may open raw sockets itself.
pub(crate) fn capable() -> bool {
    process::capabilities().is_ok_and(|sets| sets.effective & CAP_NET_RAW != 0)
}
