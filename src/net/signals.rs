//! Signals of the processes around a command in the lab: they pass on what is meant for it.

use super::sys::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Signals that ask a process to end and that are passed on to whom they are meant for.
const ENDING: [i32; 2] = [libc::SIGTERM, libc::SIGHUP];
/// The keys of the terminal: Ctrl-C and Ctrl-\.
const KEYS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];
/// How a shell names the end by one of [`ENDING`], or by a key.
const ENDED: i32 = 128 + libc::SIGTERM;

/// The child that gets the signals; 0: there is none (any more), and they end this process.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// The end was asked for.
static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn pass_on(signal: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
    let child = CHILD.load(Ordering::Relaxed);
    // SAFETY: both calls may be made in a signal handler (signal-safety(7)) and take plain numbers.
    #[expect(unsafe_code, reason = "kill(2) and _exit(2) in a signal handler")]
    unsafe {
        if child > 0 {
            libc::kill(child, signal);
        } else {
            libc::_exit(ENDED);
        }
    }
}

/// What the caller had set for the signals that a lab changes for itself: the command gets it back.
pub struct Inherited([libc::sighandler_t; 2]);

/// Prepares the caller: the keys are for the command, a child's end is to be waited for, and a signal to end is passed on
/// once there is somebody to get it.
#[expect(unsafe_code, reason = "signal(2)")]
pub fn prepare() -> Inherited {
    // SAFETY: plain numbers, and a handler that does what a handler may do.
    unsafe {
        let keys = KEYS.map(|key| libc::signal(key, libc::SIG_IGN));
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        // A process in the background may give the terminal back.
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        for signal in ENDING {
            libc::signal(signal, pass_on as *const () as libc::sighandler_t);
        }
        Inherited(keys)
    }
}

/// From now on signals to end go to this child; 0: they end this process, and so does Ctrl-C.
#[expect(unsafe_code, reason = "signal(2)")]
pub fn pass_on_to(child: i32) {
    CHILD.store(child, Ordering::Relaxed);
    if child == 0 {
        for key in KEYS {
            // SAFETY: as above.
            unsafe { libc::signal(key, pass_on as *const () as libc::sighandler_t) };
        }
    }
}

/// Whether the end was asked for.
pub fn end_was_asked_for() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Undoes all for the command; what is caught is undone by `exec` itself.
#[expect(unsafe_code, reason = "signal(2)")]
pub fn give_back(inherited: &Inherited) {
    CHILD.store(0, Ordering::Relaxed);
    // SAFETY: plain numbers, and what signal(2) itself gave.
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_DFL);
        for (key, action) in KEYS.into_iter().zip(inherited.0) {
            libc::signal(key, action);
        }
    }
}

/// Gives a terminal to the caller's process group again: a shell in a process namespace of its own cannot name it.
#[expect(unsafe_code, reason = "tcsetpgrp(3)")]
pub fn take_terminal(terminal: BorrowedFd) {
    // SAFETY: plain numbers; what is no terminal is refused.
    unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), libc::getpgrp()) };
}

/// Continues a child that stopped itself in a process group of its own: nobody outside could.
#[expect(unsafe_code, reason = "getpgid(2), kill(2)")]
pub fn continue_alone(child: i32) {
    // SAFETY: plain numbers of a child that was not waited for to its end.
    unsafe {
        if libc::getpgid(child) == child {
            libc::kill(child, libc::SIGCONT);
        }
    }
}

/// How a child changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stopped.
    Stopped,
    /// It ended, as a shell names it: its exit status, or 128 and the number of the signal.
    Ended(u8),
}

/// Waits until a child (`None`: any) stops or ends, and says which and how.
#[expect(unsafe_code, reason = "waitpid(2)")]
pub fn wait(child: Option<i32>) -> io::Result<(i32, Change)> {
    let mut status = 0;
    loop {
        // SAFETY: the pointer is to a number that the kernel fills.
        match check(unsafe { libc::waitpid(child.unwrap_or(-1), &raw mut status, libc::WUNTRACED) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(pid) if libc::WIFSTOPPED(status) => return Ok((pid, Change::Stopped)),
            Ok(pid) if libc::WIFEXITED(status) => {
                return Ok((pid, Change::Ended(libc::WEXITSTATUS(status) as u8)));
            }
            Ok(pid) => return Ok((pid, Change::Ended((128 + libc::WTERMSIG(status)) as u8))),
        }
    }
}

/// Waits for the end of a child.
pub fn wait_for_end(child: i32) -> io::Result<u8> {
    loop {
        if let (_, Change::Ended(status)) = wait(Some(child))? {
            return Ok(status);
        }
    }
}
