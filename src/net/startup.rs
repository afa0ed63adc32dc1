//! The start of the program: the companion is split off, then every privilege is put down.

use super::behind::user_behind;
use super::door::{Channel, Door, DoorKind, Opens, Place};
use super::error::{Error, NoPrivilege};
use super::process::{self, CAP_SYS_ADMIN};
use super::request::{Kind, Request, Status};
use super::{companion, sys, ways};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// In this variable the second start of the program finds the numbers of its descriptors: the launcher's socket, the
/// broker's, and the network namespace that was asked for; `-` for one that there is not.
const COMPANION: &str = "RAWBENCH_COMPANION_FD";

/// The companion, and the doors that it opens.
pub struct Startup {
    launcher: Arc<Mutex<Channel>>,
    broker: Option<Arc<Mutex<Channel>>>,
    /// The namespace that was named at the start, opened with the rights of then.
    named: Option<(String, OwnedFd)>,
    doors: Mutex<Vec<Door>>,
}

/// What a start keeps over the change of user: the companion's sockets and the named namespace.
struct Kept {
    launcher: OwnedFd,
    broker: Option<OwnedFd>,
    namespace: Option<OwnedFd>,
}

/// What [`startup`] does first in the life of a process. Call it before there is any thread.
///
/// Splits off the companion, becomes the user behind sudo or pkexec (and starts the program again as that user,
/// with the same arguments), puts down every capability and forbids to gain one. Takes about a millisecond.
///
/// `netns`: the network namespace that the call names, if it does. It is opened here, while the rights that the program
/// was started with are still there: that of somebody else's process is open to root only.
///
/// # Errors
/// When there are threads already, no process can be made, or a privilege cannot be put down.
pub fn startup(netns: Option<&str>) -> Result<Startup, Error> {
    if let Some(kept) = inherited() {
        put_down()?;
        return Ok(Startup::new(kept, netns));
    }
    let threads =
        process::threads().map_err(|error| Error::system("count the threads of this process", error))?;
    if threads != 1 {
        let reason = io::Error::other(format!("there are {threads} threads already"));
        return Err(Error::system("split off the companion", reason));
    }
    // Whatever keeps it from being opened is said when its door is asked for.
    let namespace = netns.and_then(|name| open_namespace(name).ok());
    let companion = companion::start().map_err(|error| Error::system("split off the companion", error))?;
    let kept = Kept { launcher: companion.launcher, broker: companion.broker, namespace };
    let (_, uid, _, _) = process::ids();
    match if uid == 0 { user_behind() } else { None } {
        Some(user) => {
            let environment = user.environment();
            process::become_user(user.uid, user.gid, user.name.as_deref())
                .map_err(|error| Error::system(format!("become user {}", user.uid), error))?;
            put_down()?;
            start_again(&kept, &environment);
        }
        None => {
            put_down()?;
            if !process::dumpable() {
                // The program file has a capability, or may not be read by its user.
                start_again(&kept, &[]);
            }
        }
    }
    Ok(Startup::new(kept, netns))
}

/// For a process that needs no socket: becomes the user behind sudo or pkexec, where there is one, puts down every
/// capability and forbids to gain one. Call it before there is any thread.
///
/// # Errors
/// When a privilege cannot be put down.
pub fn put_down_all() -> Result<(), Error> {
    if let Some(user) = if process::ids().1 == 0 { user_behind() } else { None } {
        process::become_user(user.uid, user.gid, user.name.as_deref())
            .map_err(|error| Error::system(format!("become user {}", user.uid), error))?;
        adopt(&user.environment());
    }
    put_down()
}

/// Empties all capability sets and forbids to gain a privilege by `exec`.
fn put_down() -> Result<(), Error> {
    process::set_capabilities(0, 0).map_err(|error| Error::system("put down the capabilities", error))?;
    process::forbid_new_privileges().map_err(|error| Error::system("forbid new privileges", error))
}

/// What the first start kept, if this is the second one. A socket is believed only if this very process made it
/// (before it started the program again).
#[expect(unsafe_code, reason = "the removal of a variable")]
fn inherited() -> Option<Kept> {
    let text = std::env::var(COMPANION).ok()?;
    // SAFETY: there is a single thread: this is the first thing that the program does.
    unsafe { std::env::remove_var(COMPANION) };
    if process::threads().ok()? != 1 {
        return None;
    }
    let mut numbers = text.split(',').map(|number| number.parse::<i32>().ok().filter(|number| *number > 2));
    let (launcher, broker, namespace) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let is_ours = |socket: BorrowedFd| {
        sys::socket_kind(socket).ok() == Some((libc::AF_UNIX, libc::SOCK_SEQPACKET))
            && sys::peer(socket).is_ok_and(|peer| peer.pid == std::process::id())
    };
    let launcher = take(launcher?, is_ours)?;
    let kept = Kept {
        launcher,
        broker: broker.and_then(|number| take(number, is_ours)),
        namespace: namespace.and_then(|number| take(number, |_| true)),
    };
    if let Some(name) = std::env::args_os().next() {
        let name = Path::new(&name).file_name().unwrap_or(OsStr::new("rawbench")).as_encoded_bytes().to_vec();
        process::set_name(&std::ffi::CString::new(name).unwrap_or_default());
    }
    Some(kept)
}

/// Takes over the descriptor of a number that this process left open for itself.
#[expect(unsafe_code, reason = "a descriptor by its number")]
fn take(number: i32, is_ours: impl Fn(BorrowedFd) -> bool) -> Option<OwnedFd> {
    // SAFETY: the number is only used for calls that fail on a number that is no descriptor.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    if !is_ours(descriptor) {
        return None;
    }
    sys::set_close_on_exec(descriptor, true).ok()?;
    // SAFETY: this process left it open for itself; nobody else here knows its number.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Starts the program again, so that it can be looked into by the user's own processes (which portals need).
/// Where that is not possible, it goes on as it is and opens itself instead.
fn start_again(kept: &Kept, environment: &[(&'static str, OsString)]) {
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(arguments.next().unwrap_or_else(|| "rawbench".into())).args(arguments);
    let all = [Some(&kept.launcher), kept.broker.as_ref(), kept.namespace.as_ref()];
    let numbers = all.map(|kept| kept.map_or("-".to_owned(), |fd| fd.as_raw_fd().to_string()));
    command.envs(environment.iter().cloned()).env(COMPANION, numbers.join(","));
    let close_on_exec = |on| all.iter().flatten().try_for_each(|fd| sys::set_close_on_exec(fd.as_fd(), on));
    if close_on_exec(false).is_ok() {
        let _refused = command.exec();
    }
    let _ = close_on_exec(true);
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

impl Startup {
    /// One whose doors are all closed: for what reads captures and needs no socket.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn closed() -> Result<Self, Error> {
        let nobody = std::os::unix::net::UnixDatagram::unbound();
        let launcher = nobody.map_err(|error| Error::system("make a socket", error))?.into();
        Ok(Self::new(Kept { launcher, broker: None, namespace: None }, None))
    }

    /// One that leads through this door, to its place alone.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn through(door: Door) -> Result<Self, Error> {
        let startup = Self::closed()?;
        startup.doors.lock().unwrap_or_else(PoisonError::into_inner).push(door);
        Ok(startup)
    }

    fn new(kept: Kept, netns: Option<&str>) -> Self {
        Self {
            launcher: Channel::new(kept.launcher).shared(),
            broker: kept.broker.map(|socket| Channel::new(socket).shared()),
            named: netns.map(str::to_owned).zip(kept.namespace),
            doors: Mutex::new(Vec::new()),
        }
    }

    /// The door to a place. The first call for the lab makes it; later calls give the same door, as long as the
    /// process behind it lives. Nobody is asked for a permission here: that comes with the first socket.
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
            Place::Lab => Door::on(self.start_lab()?, DoorKind::Lab, Place::Lab)?,
            Place::Host => self.outside(Place::Host, None)?,
            Place::Netns(name) => {
                let namespace = match &self.named {
                    Some((named, namespace)) if named == name => namespace.try_clone().map_err(|error| {
                        Error::system(format!("open the network namespace {name}"), error)
                    })?,
                    _ => open_namespace(name)?,
                };
                self.outside(place.clone(), Some(namespace))?
            }
        };
        doors.push(door.clone());
        Ok(door)
    }

    /// A door to this machine, or to one of its namespaces: by the first way that is open.
    fn outside(&self, place: Place, namespace: Option<OwnedFd>) -> Result<Door, Error> {
        let each = |start| Opens::Each { launcher: Arc::clone(&self.launcher), start };
        let (kind, opens) = match self.way_to(&place) {
            Some(DoorKind::Companion) => match &self.broker {
                Some(broker) => (DoorKind::Companion, Opens::Process(Arc::clone(broker))),
                None => return Err(NoPrivilege::new(format!("open raw sockets on {place}")).into()),
            },
            Some(DoorKind::BrokerFileCap) => (DoorKind::BrokerFileCap, each(Kind::StartBroker)),
            Some(DoorKind::Pkexec) => (DoorKind::Pkexec, each(Kind::StartPkexec)),
            _ if place != Place::Host => {
                return Err(NoPrivilege::elsewhere(format!("open raw sockets in {place}")).into());
            }
            _ => return Err(NoPrivilege::new(format!("open raw sockets on {place}")).into()),
        };
        Ok(Door::new(kind, place, opens, namespace))
    }

    /// Which way leads to a place outside the lab: the companion's broker, the one with a file capability (which has
    /// to have another one for a foreign namespace), pkexec.
    fn way_to(&self, place: &Place) -> Option<DoorKind> {
        if self.broker.is_some() {
            return Some(DoorKind::Companion);
        }
        let enters =
            |path: &Path| *place == Place::Host || ways::file_capabilities(path) & CAP_SYS_ADMIN != 0;
        if ways::capable_broker().is_some_and(|path| enters(&path)) && self.broker_works() {
            return Some(DoorKind::BrokerFileCap);
        }
        ways::pkexec().map(|_| DoorKind::Pkexec)
    }

    /// Whether the broker with the file capability has it when it runs: on a file system that is mounted nosuid, and where
    /// the bounding set lacks it, the capability of a file is worth nothing.
    pub(crate) fn broker_works(&self) -> bool {
        let broker = Opens::Each { launcher: Arc::clone(&self.launcher), start: Kind::StartBroker };
        broker.ask(Request::new(Kind::Status), None).is_ok_and(|(reply, _)| reply.status == Status::Done)
    }

    /// Asks the launcher for a connection to the host of a new lab.
    fn start_lab(&self) -> Result<OwnedFd, Error> {
        let failed = |error| Error::system("have the companion start the lab", error);
        let mut launcher = self.launcher.lock().unwrap_or_else(PoisonError::into_inner);
        let (reply, socket) = launcher.ask(Request::new(Kind::StartLab), None).map_err(failed)?;
        match reply.status {
            Status::Done => socket.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::EPROTO))),
            Status::LabFailed => {
                let stage = super::lab::Stage::from_number(reply.stage);
                Err(super::lab::LabError::new(stage, reply.errno).into())
            }
            Status::System | Status::Refused => Err(failed(io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// The network namespaces that have a name in /run/netns, and the one that was named at the start.
    pub fn namespaces(&self) -> Vec<String> {
        let listed = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let mut names: Vec<String> =
            listed.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        let named = self.named.iter().map(|(name, _)| name.clone());
        let named: Vec<String> = named.filter(|name| !names.contains(name)).collect();
        [named, names].concat()
    }

    /// Which way raw sockets of this machine are to be had; `None` if there is no way but the lab.
    pub fn way(&self) -> Option<DoorKind> {
        self.way_to(&Place::Host)
    }
}

/// Opens a network namespace: a name in /run/netns, or the number of a process.
///
/// The namespace of a process is for who may trace it (namespaces(7)): for root at the start of the program, afterwards
/// only for the user's own processes.
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
                    "The namespace of somebody else's process is open to root only: start with sudo and \
                     --netns {name}, or give it a name (`sudo ip netns attach NAME {name}`) and use --netns NAME."
                )
            }
            io::ErrorKind::NotFound if number => "There is no process with this number.".into(),
            io::ErrorKind::NotFound => "There is no such name in /run/netns: `ip netns` lists them.".into(),
            _ => String::new(),
        };
        failed(error, &advice)
    })
}
