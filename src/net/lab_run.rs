//! A command inside the lab: `rawbench lab -- COMMAND`.
//!
//! Four processes, each the parent of the next: the *caller* waits; the *host* makes the namespaces and serves the
//! server's ports; the *first process* of a process namespace reaps; the command runs. A signal to end is passed on down
//! to the command. When one of the first three ends all the same, however it ends, the kernel kills the next
//! (`PR_SET_PDEATHSIG`), and with the first process of a process namespace everything in it: nothing outlives the call.

use super::behind::{USERS, user_behind};
use super::error::Error;
use super::lab::{DelayError, LabError, Stage};
use super::lab_host::{self, Failed, Lab};
use super::request::{REPLY, Reply, Status};
use super::signals::{self, Change, Inherited};
use super::{process, sys};
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What is to run in the lab.
#[derive(Debug, Clone, Default)]
pub struct LabRun {
    /// The program and its arguments; empty: the user's shell, with a word about where it is.
    pub command: Vec<OsString>,
    /// How many milliseconds the server's packets are delayed.
    pub delay_ms: u16,
}

/// Runs a command inside a new lab and waits until every process of it is gone; a shell takes all with it when it ends.
/// Gives the exit status as a shell would (126: it cannot be run, 127: it is not there, 128 and more: a signal ended it).
///
/// The command is root of the lab and, outside, the user who called, or the user behind sudo. To be called before there
/// is any thread. Afterwards the calling process has no capability any more and is that user.
///
/// # Errors
/// [`Error::Lab`] with what forbids the lab, [`Error::Delay`] where the kernel has no netem.
pub fn run_in_lab(run: &LabRun) -> Result<u8, Error> {
    let failed = |error| Error::system("start the lab", error);
    let (ours, theirs) = sys::seqpacket_pair().map_err(failed)?;
    let caller = Caller::find();
    let inherited = signals::prepare();
    let host = process::fork(|| {
        process::close_in_child(ours.as_fd());
        i32::from(host(&theirs, &caller, &inherited, run))
    });
    let host = host.map_err(failed)?;
    signals::pass_on_to(host);
    drop(theirs);
    if caller.root {
        // Only root outside may say who is who inside.
        read_word(ours.as_fd())?;
        let errno = caller.write_maps(host).map_or_else(|error| sys::errno(&error), |()| 0);
        let _ = sys::send_message(ours.as_fd(), &Reply { errno, ..done() }.encode(), None, 0);
    }
    super::startup::put_down_all()?;
    read_word(ours.as_fd())?;
    let ended = signals::wait_for_end(host).map_err(failed);
    if run.command.is_empty() {
        signals::take_terminal(io::stdin().as_fd());
    }
    ended
}

fn done() -> Reply {
    Reply { status: Status::Done, stage: 0, errno: 0, sequence: 0 }
}

fn read_reply(socket: BorrowedFd) -> io::Result<Reply> {
    let mut buffer = [0; REPLY];
    let message = sys::receive_message(socket, &mut buffer, 0)?;
    let reply = buffer.get(..message.length).and_then(Reply::decode);
    reply.ok_or_else(|| io::Error::from_raw_os_error(libc::EPIPE))
}

/// Waits for the host's word that it goes on, or why it does not.
fn read_word(socket: BorrowedFd) -> Result<(), Error> {
    let reply = read_reply(socket).map_err(|error| Error::system("start the lab", error))?;
    match reply.status {
        Status::Done => Ok(()),
        Status::LabFailed => Err(LabError::new(Stage::from_number(reply.stage), reply.errno).into()),
        Status::System | Status::Refused => {
            Err(DelayError::new(&io::Error::from_raw_os_error(reply.errno)).into())
        }
    }
}

/// Who called, and who the command is outside the lab.
struct Caller {
    /// Called by root: the maps are written from outside.
    root: bool,
    uid: u32,
    gid: u32,
    environment: Vec<(&'static str, OsString)>,
}

impl Caller {
    fn find() -> Self {
        let (_, uid, _, gid) = process::ids();
        match if uid == 0 { user_behind() } else { None } {
            Some(user) => Self { root: true, uid: user.uid, gid: user.gid, environment: user.environment() },
            None => Self { root: uid == 0, uid, gid, environment: Vec::new() },
        }
    }

    fn write_maps(&self, host: i32) -> io::Result<()> {
        std::fs::write(format!("/proc/{host}/gid_map"), format!("0 {} 1", self.gid))?;
        std::fs::write(format!("/proc/{host}/uid_map"), format!("0 {} 1", self.uid))
    }

    /// Enters a user namespace and becomes its root.
    fn enter(&self, parent: &OwnedFd) -> Result<(), Failed> {
        if !self.root {
            return lab_host::enter_user_namespace(self.uid, self.gid);
        }
        process::unshare(libc::CLONE_NEWUSER).map_err(|error| (Stage::UserNamespace, error))?;
        let at_maps = |error| (Stage::Maps, error);
        sys::send_message(parent.as_fd(), &done().encode(), None, 0).map_err(at_maps)?;
        match read_reply(parent.as_fd()).map_err(at_maps)?.errno {
            0 => process::become_user(0, 0, None).map_err(at_maps)?,
            errno => return Err((Stage::Maps, io::Error::from_raw_os_error(errno))),
        }
        process::set_dumpable();
        Ok(())
    }
}

/// The host: makes the lab, starts the first process in it, serves the server's ports until that one ends. Gives its
/// exit status.
fn host(parent: &OwnedFd, caller: &Caller, inherited: &Inherited, run: &LabRun) -> u8 {
    const NO_LAB: u8 = 1;
    let say = |reply: Reply| sys::send_message(parent.as_fd(), &reply.encode(), None, 0);
    let mut lab = match make(parent, caller) {
        Ok(lab) => lab,
        Err(failed) => {
            let _ = say(lab_host::failure(&failed));
            return NO_LAB;
        }
    };
    if run.delay_ms > 0
        && let Err(error) = lab.delay(run.delay_ms)
    {
        let _ = say(super::broker::failure(&error));
        return NO_LAB;
    }
    let started = sys::seqpacket_pair().and_then(|(go, wait)| {
        let child = process::fork(|| {
            process::close_in_child(parent.as_fd());
            process::close_in_child(go.as_fd());
            i32::from(first_process(&wait, caller, inherited, run))
        })?;
        Ok((go, child, process::end_of(child)?))
    });
    match started {
        Ok((go, child, end)) => {
            signals::pass_on_to(child);
            // From its word on the first process dies with this one. Before it, it would not be told of this one's end.
            if read_reply(go.as_fd()).is_err() {
                return NO_LAB;
            }
            // The caller may be gone by now, without this process having been told: then the first one gets no word, and
            // ends when this one does.
            if say(done()).is_err() || sys::send_message(go.as_fd(), &done().encode(), None, 0).is_err() {
                return NO_LAB;
            }
            lab.serve(end.as_fd(), |_| false);
            signals::wait_for_end(child).unwrap_or(NO_LAB)
        }
        Err(error) => {
            let _ = say(lab_host::failure(&(Stage::Process, error)));
            NO_LAB
        }
    }
}

/// Makes the lab, and has this process die with the caller.
fn make(parent: &OwnedFd, caller: &Caller) -> Result<Lab, Failed> {
    caller.enter(parent)?;
    let lab = lab_host::build()?;
    // A change of user takes this back, so it comes after the last one.
    process::die_with_parent();
    process::unshare(libc::CLONE_NEWPID).map_err(|error| (Stage::ProcessNamespace, error))?;
    Ok(lab)
}

/// The first process of the process namespace: starts the command and reaps until nobody is left, or until a shell or a
/// command that was asked to end has ended. Gives the exit status of the command.
fn first_process(go: &OwnedFd, caller: &Caller, inherited: &Inherited, run: &LabRun) -> u8 {
    process::die_with_parent();
    // Without a word the host is gone already, or goes now.
    let said = sys::send_message(go.as_fd(), &done().encode(), None, 0);
    if said.is_err() || read_reply(go.as_fd()).is_err() {
        return 1;
    }
    if process::unshare(libc::CLONE_NEWUTS).is_ok() {
        // The prompt of most shells says it: this is the lab.
        let _ = process::set_host_name("lab");
    }
    if process::unshare(libc::CLONE_NEWNS).is_ok() && process::keep_mounts_private().is_ok() {
        // What these show is then that of the lab: processes, interfaces. In a container they may not be mounted.
        let _ = process::mount(c"proc", c"/proc");
        let _ = process::mount(c"sysfs", c"/sys");
    }
    let Ok(command) = process::fork(|| i32::from(execute(caller, inherited, run))) else { return 1 };
    signals::pass_on_to(command);
    let mut status = 1;
    while let Ok((child, change)) = signals::wait(None) {
        match change {
            Change::Stopped if child == command => signals::continue_alone(child),
            Change::Ended(ended) if child == command => {
                status = ended;
                signals::pass_on_to(0);
                if run.command.is_empty() || signals::end_was_asked_for() {
                    break;
                }
            }
            _ => {}
        }
    }
    status
}

/// Becomes the command. Comes back only when it cannot.
fn execute(caller: &Caller, inherited: &Inherited, run: &LabRun) -> u8 {
    const CANNOT_RUN: u8 = 126;
    const NOT_THERE: u8 = 127;
    signals::give_back(inherited);
    let shell = || std::env::var_os("SHELL").filter(|s| !s.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    let (program, arguments) = match run.command.split_first() {
        Some((program, arguments)) => (program.clone(), arguments),
        None => (shell(), &[] as &[OsString]),
    };
    let mut command = Command::new(&program);
    command.args(arguments).envs(caller.environment.iter().cloned());
    for variable in USERS {
        // There is nobody behind the root of the lab: the numbers of outside mean nothing there.
        command.env_remove(variable);
    }
    let error = command.exec();
    let text = format!("rawbench: cannot run {} in the lab: {error}\n", program.display());
    let _ = io::stderr().write_all(text.as_bytes());
    if error.kind() == io::ErrorKind::NotFound { NOT_THERE } else { CANNOT_RUN }
}
