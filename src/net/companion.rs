//! The companion: what is split off before any thread or window exists, because the program itself then puts down every
//! privilege and may not gain one by `exec` (no_new_privs). It lives until its peer closes.
//!
//! It is one process or two. Where the program was started with the right to raw sockets, the *broker* keeps it, sealed
//! (`broker.rs`). The *launcher* starts what needs a process of its own: the host of the lab and, where there is no
//! broker yet, one with a file capability or by pkexec.

use super::behind::harmless;
use super::broker::{self, Answer, Opener};
use super::lab::Stage;
use super::process::{self, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_ADMIN};
use super::request::{Kind, Reply, Request, Status};
use super::{lab_host, sys, ways};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What making a lab takes; in force only meanwhile.
const FOR_A_LAB: u64 = CAP_SYS_ADMIN | CAP_NET_ADMIN | CAP_NET_RAW | CAP_NET_BIND_SERVICE;

/// The sockets on which the companion answers.
pub struct Companion {
    /// Starts labs and brokers.
    pub launcher: OwnedFd,
    /// Opens sockets; there only where this process had the right to raw ones.
    pub broker: Option<OwnedFd>,
}

/// Splits off the companion.
///
/// # Errors
/// When there is no socket or no process to be had.
pub fn start() -> io::Result<Companion> {
    let privileged = process::holds(CAP_NET_RAW);
    let broker = if privileged { Some(split_off(serve_sealed)?) } else { None };
    Ok(Companion { launcher: split_off(serve_launches)?, broker })
}

/// Starts a process that serves one end of a new pair of sockets; gives the other end.
fn split_off(serve: fn(BorrowedFd) -> u8) -> io::Result<OwnedFd> {
    let (ours, theirs) = sys::seqpacket_pair()?;
    // The end of the process closes it; before that the seal does not let it go.
    let theirs = std::mem::ManuallyDrop::new(theirs);
    // Our end is closed by `detach`.
    process::fork(|| i32::from(serve_detached(theirs.as_fd(), serve)))?;
    drop(std::mem::ManuallyDrop::into_inner(theirs));
    Ok(ours)
}

fn serve_detached(socket: BorrowedFd, serve: fn(BorrowedFd) -> u8) -> u8 {
    process::set_name(c"rawbench-broker");
    if process::detach(socket).is_err() { broker::NOT_READY } else { serve(socket) }
}

/// Serves as the companion's broker does, on a socket that was inherited.
pub fn broker_on(socket: BorrowedFd) -> ExitCode {
    ExitCode::from(serve_detached(socket, serve_sealed))
}

fn serve_sealed(socket: BorrowedFd) -> u8 {
    match Opener::sealed(socket) {
        Ok(mut opener) => {
            broker::serve(socket, &mut opener);
            0
        }
        Err(_) => broker::NOT_READY,
    }
}

fn serve_launches(socket: BorrowedFd) -> u8 {
    let had = process::capabilities().map(|c| c.permitted).unwrap_or(0);
    let permitted = had & FOR_A_LAB;
    process::lower_bounding_set(permitted);
    if permitted != 0 && process::ids().1 == 0 {
        // Root owns files, with or without a capability.
        let (uid, gid) = harmless();
        let _ = process::become_user_keeping_capabilities(uid, gid);
    }
    if process::set_capabilities(0, permitted).is_err() {
        return broker::NOT_READY;
    }
    let privileged = permitted & CAP_NET_RAW != 0;
    if privileged && process::forbid_new_privileges().is_err() {
        // With a broker at hand it starts no other program, so it need not gain anything.
        return broker::NOT_READY;
    }
    let mut launcher = Launcher { permitted, privileged, asking: None };
    broker::serve(socket, &mut launcher);
    if let Some(asking) = &launcher.asking {
        // A dialog for which nobody waits any more.
        process::end(asking.as_fd());
    }
    0
}

struct Launcher {
    permitted: u64,
    privileged: bool,
    /// The pkexec that was started last.
    asking: Option<OwnedFd>,
}

impl Launcher {
    /// Forks the host of a lab. Whether it could make one, it says itself on the socket.
    fn start_lab(&mut self) -> Result<OwnedFd, Reply> {
        let failed = |error: io::Error| Reply {
            status: Status::LabFailed,
            stage: Stage::Process.number(),
            ..broker::failure(&error)
        };
        let (ours, theirs) = sys::seqpacket_pair().map_err(failed)?;
        let permitted = self.permitted;
        process::fork(move || {
            // Our end is closed by `detach`.
            process::set_name(c"rawbench-lab");
            if process::set_capabilities(permitted, permitted).is_err()
                || process::detach(theirs.as_fd()).is_err()
            {
                return i32::from(broker::NOT_READY);
            }
            i32::from(lab_host::run(theirs.as_fd()))
        })
        .map_err(failed)?;
        Ok(ours)
    }
}

impl Answer for Launcher {
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply> {
        match (request.kind, namespace) {
            (Kind::StartLab, None) => self.start_lab().map(Some),
            (Kind::StartBroker, None) if !self.privileged => {
                let path = ways::capable_broker().ok_or_else(broker::refusal)?;
                start_program(Command::new(path).arg0("rawbench-broker")).map(|(socket, _)| Some(socket))
            }
            (Kind::StartPkexec, None) if !self.privileged => {
                let pkexec = ways::pkexec().ok_or_else(broker::refusal)?;
                // The agent of the desktop asks; without one it is refused at once, since nobody could answer.
                let broker = Path::new(ways::POLKIT_BROKER);
                let mut command = Command::new(pkexec);
                let (socket, child) = start_program(command.arg("--disable-internal-agent").arg(broker))?;
                self.asking = process::end_of(child).ok();
                Ok(Some(socket))
            }
            _ => Err(broker::refusal()),
        }
    }
}

/// Starts a broker with one end of a new pair of sockets as its standard input; gives the other end, and its number.
fn start_program(command: &mut Command) -> Result<(OwnedFd, i32), Reply> {
    let (ours, theirs) = sys::seqpacket_pair().map_err(|error| broker::failure(&error))?;
    let child = command
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| broker::failure(&error))?;
    Ok((ours, i32::try_from(child.id()).unwrap_or(0)))
}
