//! Processes, users, capabilities and namespaces: what the start of the program and the companion need.

use super::sys::check;
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// `CAP_NET_BIND_SERVICE`: ports under 1024.
pub const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
/// `CAP_NET_ADMIN`: receive buffers over the limit; links and addresses of the lab.
pub const CAP_NET_ADMIN: u64 = 1 << 12;
/// `CAP_NET_RAW`: raw and packet sockets.
pub const CAP_NET_RAW: u64 = 1 << 13;
/// `CAP_SYS_ADMIN`: making and entering namespaces.
pub const CAP_SYS_ADMIN: u64 = 1 << 21;

/// The capability sets of a thread, one bit for each capability (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// What is in force.
    pub effective: u64,
    /// What may be put in force.
    pub permitted: u64,
    /// What an `exec` of a file with inheritable capabilities keeps.
    pub inheritable: u64,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// The capability sets of the calling thread.
#[expect(unsafe_code, reason = "capget(2) has no wrapper in libc")]
pub fn capabilities() -> io::Result<Capabilities> {
    let mut header = [CAPABILITY_VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: header and data have the layout of capability version 3 (two and two times three words).
    let status = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), data.as_mut_ptr()) };
    check(status as i32)?;
    let set = |low: usize| u64::from(data[low]) | u64::from(data[low + 3]) << 32;
    Ok(Capabilities { effective: set(0), permitted: set(1), inheritable: set(2) })
}

/// Whether a capability is among the permitted ones of the calling thread.
pub fn holds(capability: u64) -> bool {
    capabilities().is_ok_and(|sets| sets.permitted & capability != 0)
}

/// Sets effective and permitted capabilities of the calling thread; inheritable and ambient become empty.
#[expect(unsafe_code, reason = "prctl(PR_CAP_AMBIENT)")]
pub fn set_capabilities(effective: u64, permitted: u64) -> io::Result<()> {
    // SAFETY: plain numbers. A kernel without ambient capabilities has none to clear.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    change_capabilities(effective, permitted)
}

/// As [`set_capabilities`], for a process that has no ambient ones: by capset(2) alone.
#[expect(unsafe_code, reason = "capset(2) has no wrapper in libc")]
pub fn change_capabilities(effective: u64, permitted: u64) -> io::Result<()> {
    let mut header = [CAPABILITY_VERSION_3, 0];
    let data = [effective as u32, permitted as u32, 0, (effective >> 32) as u32, (permitted >> 32) as u32, 0];
    // SAFETY: header and data have the layout of capability version 3.
    let status = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), data.as_ptr()) };
    check(status as i32).map(|_| ())
}

/// Takes all capabilities but `keep` out of the bounding set. Needs `CAP_SETPCAP`; a refusal leaves it as it is.
#[expect(unsafe_code, reason = "prctl(PR_CAPBSET_DROP)")]
pub fn lower_bounding_set(keep: u64) {
    for capability in (0..64u64).filter(|c| keep >> c & 1 == 0) {
        // SAFETY: takes plain numbers. The first number that the kernel does not know ends the list.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } < 0 {
            return;
        }
    }
}

/// Forbids this process and all that it starts to gain a privilege by `exec` (`PR_SET_NO_NEW_PRIVS`).
#[expect(unsafe_code, reason = "prctl(PR_SET_NO_NEW_PRIVS)")]
pub fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: takes plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(|_| ())
}

/// Whether other processes of the user may look into this one (`PR_GET_DUMPABLE`), which portals need.
#[expect(unsafe_code, reason = "prctl(PR_GET_DUMPABLE)")]
pub fn dumpable() -> bool {
    // SAFETY: takes plain numbers.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 }
}

/// Makes the process open to its user's other processes again (`PR_SET_DUMPABLE`).
#[expect(unsafe_code, reason = "prctl(PR_SET_DUMPABLE)")]
pub fn set_dumpable() {
    // SAFETY: takes plain numbers; a refusal costs file dialogs, nothing else.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
}

/// Names the calling process, up to 15 bytes (`PR_SET_NAME`).
#[expect(unsafe_code, reason = "prctl(PR_SET_NAME)")]
pub fn set_name(name: &CStr) {
    // SAFETY: the pointer is a string with its zero; the kernel copies at most 16 bytes of it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// The processor time that the calling thread has used (`CLOCK_THREAD_CPUTIME_ID`, clock_gettime(2)); nothing where the
/// system does not say.
#[must_use]
#[expect(unsafe_code, reason = "clock_gettime(2)")]
pub fn thread_time() -> std::time::Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the whole call and to a struct of the kind that is written.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    match (status, seconds, nanoseconds) {
        (0, Ok(seconds), Ok(nanoseconds)) => std::time::Duration::new(seconds, nanoseconds),
        _ => std::time::Duration::ZERO,
    }
}

/// Has the kernel kill this process when its parent dies (`PR_SET_PDEATHSIG`).
#[expect(unsafe_code, reason = "prctl(PR_SET_PDEATHSIG)")]
pub fn die_with_parent() {
    // SAFETY: takes plain numbers; the end of the socket ends the process as well.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
}

/// The number of threads of this process.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// A descriptor that becomes readable when a child ends (`pidfd_open(2)`).
#[expect(unsafe_code, reason = "pidfd_open(2) has no wrapper in libc")]
pub fn end_of(child: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain numbers; the descriptor that it gives is fresh and close-on-exec.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_pidfd_open, child, 0) as i32)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Asks the process behind a descriptor of [`end_of`] to end (`pidfd_send_signal(2)`): that one, and no other that has
/// its number now.
#[expect(unsafe_code, reason = "pidfd_send_signal(2) has no wrapper in libc")]
pub fn end(process: BorrowedFd) {
    // SAFETY: plain numbers and no further information. What has ended already refuses it.
    unsafe {
        let none = std::ptr::null::<libc::siginfo_t>();
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGTERM, none, 0);
    }
}

/// Names the machine, in the UTS namespace of this process (`sethostname(2)`).
#[expect(unsafe_code, reason = "sethostname(2)")]
pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length describe `name`.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(|_| ())
}

/// Mounts a file system of the kernel (`proc`, `sysfs`) of the namespaces of this process (`mount(2)`).
#[expect(unsafe_code, reason = "mount(2)")]
pub fn mount(kind: &CStr, at: &CStr) -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: strings with their zero, plain numbers, no data.
    check(unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) })
        .map(|_| ())
}

/// Keeps the mounts of this process's namespace from reaching any other one.
#[expect(unsafe_code, reason = "mount(2)")]
pub fn keep_mounts_private() -> io::Result<()> {
    let (none, flags) = (std::ptr::null(), libc::MS_REC | libc::MS_SLAVE);
    // SAFETY: strings with their zero, plain numbers, no data.
    check(unsafe { libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, flags, none.cast()) }).map(|_| ())
}

/// Forks. In the child runs `child`, whose end is the child's end: it never returns into the caller.
#[expect(unsafe_code, reason = "fork(2)")]
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: the callers have a single thread, so the child has all that the parent had; the child leaves
    // by _exit on every path, a panic included, and never unwinds into the caller's frames.
    unsafe {
        match check(libc::fork())? {
            0 => {
                let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(70);
                libc::_exit(status)
            }
            pid => Ok(pid),
        }
    }
}

/// How many descriptors are closed one by one where the kernel cannot close a range.
const OLD_LIMIT: i32 = 4096;

/// Closes every descriptor but the standard streams and `keep`.
#[expect(unsafe_code, reason = "close_range(2)")]
pub fn close_all_but(keep: BorrowedFd) -> io::Result<()> {
    let keep = keep.as_raw_fd();
    let close = |from: i32, to: i32| {
        // SAFETY: plain numbers. Nothing in this process uses the descriptors that are closed here: it runs nothing
        // but its own loop, and ends without returning to those who opened them.
        unsafe {
            if from <= to && libc::syscall(libc::SYS_close_range, from, to, 0) != 0 {
                // A kernel before 5.9 does not know the call.
                (from..=to.min(from + OLD_LIMIT)).for_each(|fd| {
                    libc::close(fd);
                });
            }
        }
    };
    close(3, keep - 1);
    close((keep + 1).max(3), i32::MAX);
    Ok(())
}

/// Closes a descriptor that a child inherited and whose owner is in the parent.
#[expect(unsafe_code, reason = "close(2) of a descriptor that is owned elsewhere")]
pub fn close_in_child(descriptor: BorrowedFd) {
    // SAFETY: a plain number. The owner's copy in this child is never dropped: the child leaves by _exit.
    unsafe { libc::close(descriptor.as_raw_fd()) };
}

/// Cuts a child loose from its terminal and the files that it inherited: a session of its own (so that Ctrl-C
/// does not reach it), /dev/null as the standard streams, every other descriptor but `keep` closed, `/` as
/// its directory, children reaped by the kernel.
#[expect(unsafe_code, reason = "setsid, dup2, sigaction, chdir")]
pub fn detach(keep: BorrowedFd) -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: plain numbers, and a sigaction of zeros, which is a valid one (SIG_DFL) and gets its flag: unlike
    // SIG_IGN it does not reach the programs that this process starts.
    unsafe {
        libc::setsid();
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_flags = libc::SA_NOCLDWAIT;
        libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut());
        libc::chdir(c"/".as_ptr());
        for stream in 0..3 {
            if stream != keep.as_raw_fd() {
                check(libc::dup2(null.as_raw_fd(), stream))?;
            }
        }
    }
    std::mem::forget(null);
    close_all_but(keep)
}

/// `unshare(2)`.
#[expect(unsafe_code, reason = "unshare(2)")]
pub fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: takes plain numbers; for file descriptors nothing changes.
    check(unsafe { libc::unshare(flags) }).map(|_| ())
}

/// Enters the network namespace behind a descriptor (`setns(2)`).
#[expect(unsafe_code, reason = "setns(2)")]
pub fn enter_network(namespace: BorrowedFd) -> io::Result<()> {
    // SAFETY: takes plain numbers.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }).map(|_| ())
}

/// Real user, effective user, real group, effective group.
#[expect(unsafe_code, reason = "getuid(2) and its kin")]
pub fn ids() -> (u32, u32, u32, u32) {
    // SAFETY: these calls take nothing and cannot fail.
    unsafe { (libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()) }
}

/// The number of the process that started this one; 0 when it is in another process namespace.
#[expect(unsafe_code, reason = "getppid(2)")]
pub fn parent() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    u32::try_from(unsafe { libc::getppid() }).unwrap_or(0)
}

/// What the user data base says of a user.
#[derive(Debug, Clone)]
pub struct User {
    /// Login name.
    pub name: CString,
    /// Login group.
    pub gid: u32,
    /// Home directory, which need not exist.
    pub home: PathBuf,
}

/// Looks up a user by its number (`getpwuid_r(3)`).
#[expect(unsafe_code, reason = "getpwuid_r(3)")]
pub fn user(uid: u32) -> Option<User> {
    let mut buffer = vec![0u8; 16 * 1024];
    // SAFETY: the entry and the buffer outlive the call and the reading of the strings, which point into the
    // buffer and end with a zero.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        let status =
            libc::getpwuid_r(uid, &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found);
        if status != 0 || found.is_null() || entry.pw_name.is_null() || entry.pw_dir.is_null() {
            return None;
        }
        let home = OsString::from_vec(CStr::from_ptr(entry.pw_dir).to_bytes().to_vec());
        Some(User { name: CStr::from_ptr(entry.pw_name).to_owned(), gid: entry.pw_gid, home: home.into() })
    }
}

/// Becomes a user for good: supplementary groups, group and user, real, effective and saved.
/// Without a name (a number that the user data base does not know) there are no supplementary groups.
#[expect(unsafe_code, reason = "initgroups, setgroups, setresgid, setresuid")]
pub fn become_user(uid: u32, gid: u32, name: Option<&CStr>) -> io::Result<()> {
    // SAFETY: plain numbers and a string with its zero. The process has a single thread.
    unsafe {
        let groups = match name {
            Some(name) => check(libc::initgroups(name.as_ptr(), gid)),
            None => check(libc::setgroups(0, std::ptr::null())),
        };
        match groups {
            // In a user namespace that forbids it there are no groups but those of the caller.
            Err(_) if std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|s| s.trim() == "deny") => {}
            done => done.map(|_| ())?,
        }
        check(libc::setresgid(gid, gid, gid))?;
        check(libc::setresuid(uid, uid, uid))?;
    }
    Ok(())
}

/// Becomes a user and keeps the permitted capabilities; none are in force then (`PR_SET_KEEPCAPS`, capabilities(7)).
#[expect(unsafe_code, reason = "prctl(PR_SET_KEEPCAPS)")]
pub fn become_user_keeping_capabilities(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: takes plain numbers.
    unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) };
    become_user(uid, gid, None)
}
