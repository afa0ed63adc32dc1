//! The companion: the process that is split off before any thread or window exists.
//!
//! Where the program was started with the right to raw sockets, the companion keeps that right, and nothing
//! else does. Otherwise it is a launcher without any privilege: since the window may not gain anything by
//! `exec` (no_new_privs), the companion starts for it the broker with a file capability and the host of the
//! lab. It lives until its peer closes.

use super::broker::{self, Answer, Kind, Opener, Reply, Request, Status};
use super::lab::Stage;
use super::lab_host;
use super::process::{self, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_ADMIN};
use super::startup::broker_paths;
use super::sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What the companion may do at any time, as far as it was given it.
const ALWAYS: u64 = CAP_NET_RAW | CAP_NET_ADMIN | CAP_NET_BIND_SERVICE;
/// What it may do besides while it makes a lab or enters a namespace.
const SOMETIMES: u64 = CAP_SYS_ADMIN;

/// Splits off the companion. Gives the socket on which it answers.
///
/// # Errors
/// When there is no socket or no process to be had.
pub fn start() -> io::Result<OwnedFd> {
    let (ours, theirs) = sys::seqpacket_pair()?;
    process::fork(move || {
        // Our end is closed by `detach`.
        process::set_name(c"rawbench-broker");
        if process::detach(theirs.as_fd()).is_err() {
            return 71;
        }
        let mut companion = Companion::new();
        broker::serve(theirs.as_fd(), &mut companion);
        0
    })?;
    Ok(ours)
}

struct Companion {
    /// Opens sockets, where this process has the right to raw ones.
    opener: Option<Opener>,
    permitted: u64,
}

impl Companion {
    /// Drops all capabilities that are not needed.
    fn new() -> Self {
        let had = process::capabilities().map(|c| c.permitted).unwrap_or(0);
        let permitted = had & (ALWAYS | SOMETIMES);
        process::lower_bounding_set(permitted);
        let kept = process::set_capabilities(permitted & ALWAYS, permitted).is_ok();
        let privileged = kept && permitted & CAP_NET_RAW != 0;
        if privileged {
            // It starts no other program, so it need not gain anything. A launcher must.
            let _ = process::forbid_new_privileges();
        }
        let opener = privileged.then(|| Opener::new(permitted & CAP_SYS_ADMIN != 0));
        Self { opener, permitted }
    }

    /// Does something with all that was kept, and puts the rest away again.
    fn with_all<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let _ = process::set_capabilities(self.permitted, self.permitted);
        let done = work(self);
        let _ = process::set_capabilities(self.permitted & ALWAYS, self.permitted);
        done
    }

    /// Forks the host of a lab. Whether it could make one, it says itself on the socket.
    fn start_lab(&mut self) -> Result<OwnedFd, Reply> {
        let failed = |error: io::Error| Reply {
            status: Status::LabFailed,
            stage: Stage::Process.number(),
            ..broker::failure(&error)
        };
        let (ours, theirs) = sys::seqpacket_pair().map_err(failed)?;
        process::fork(move || {
            // Our end is closed by `detach`.
            process::die_with_parent();
            process::set_name(c"rawbench-lab");
            if process::detach(theirs.as_fd()).is_err() {
                return 71;
            }
            lab_host::run(theirs.as_fd())
        })
        .map_err(failed)?;
        Ok(ours)
    }
}

impl Answer for Companion {
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply> {
        match (request.kind, namespace) {
            (Kind::StartLab, None) => self.with_all(Self::start_lab).map(Some),
            (Kind::StartBroker, None) if self.opener.is_none() => start_broker().map(Some),
            (Kind::StartLab | Kind::StartBroker, _) => Err(broker::refusal()),
            (_, Some(namespace)) => self.with_all(|this| match &mut this.opener {
                Some(opener) => opener.answer(request, Some(namespace)),
                None => Err(broker::refusal()),
            }),
            (_, None) => match &mut self.opener {
                Some(opener) => opener.answer(request, None),
                None => Err(broker::refusal()),
            },
        }
    }
}

/// Starts the first broker that has the file capability, with one end of a new socket as its standard input.
fn start_broker() -> Result<OwnedFd, Reply> {
    let path = broker_paths().into_iter().find(|path| super::doctor::has_capability(path));
    let path = path.ok_or_else(|| broker::failure(&io::Error::from_raw_os_error(libc::ENOENT)))?;
    let (ours, theirs) = sys::seqpacket_pair().map_err(|error| broker::failure(&error))?;
    Command::new(path)
        .arg0("rawbench-broker")
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| broker::failure(&error))?;
    Ok(ours)
}
