//! The seal of the broker: a seccomp filter (seccomp(2)) that leaves a process the system calls of an answer and kills
//! it at any other. Whoever takes the broker over by a fault in it can open sockets of the families that it hands out,
//! set them up and pass them to the peer. It cannot send or receive through them itself, open a file, or start a program.

use super::sys;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Seals this process for good. Messages go to and come from `peer` only. Needs `no_new_privs`. On processors that the filter's compiler does not know, the
/// process stays as it is.
///
/// # Errors
/// The filter could not be made or was not taken by the kernel.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub fn seal(peer: BorrowedFd) -> io::Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let filter = SeccompFilter::new(
        rules(peer).map_err(io::Error::other)?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into().map_err(io::Error::other)?,
    );
    let program: BpfProgram = filter.map_err(io::Error::other)?.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// See above.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub fn seal(_peer: BorrowedFd) -> io::Result<()> {
    Ok(())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
type Rules = std::collections::BTreeMap<i64, Vec<seccompiler::SeccompRule>>;

/// The permitted calls; those with rules only with such arguments.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn rules(peer: BorrowedFd) -> Result<Rules, seccompiler::BackendError> {
    use seccompiler::SeccompCmpOp::{Eq, Ne};
    use seccompiler::{SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompRule};
    let plain = [
        // What sets a socket up: buffer, filter and port of a guard.
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
        libc::SYS_bind,
        libc::SYS_listen,
        // What one request needs, and only then.
        libc::SYS_capset,
        libc::SYS_capget,
        // The heap of the C library.
        libc::SYS_brk,
        libc::SYS_munmap,
        // The end.
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: Rules = plain.into_iter().map(|call| (call, Vec::new())).collect();
    let all = |conditions: &[(u8, SeccompCmpOp, u64)]| {
        let condition = |(argument, how, value): &(u8, SeccompCmpOp, u64)| {
            SeccompCondition::new(*argument, Dword, how.clone(), *value)
        };
        SeccompRule::new(conditions.iter().map(condition).collect::<Result<Vec<_>, _>>()?)
    };
    let number = |value: i32| u64::from(value as u32);
    let peer = number(peer.as_raw_fd());
    // The request and its answer.
    rules.insert(libc::SYS_recvmsg, vec![all(&[(0, Eq, peer)])?]);
    rules.insert(libc::SYS_sendmsg, vec![all(&[(0, Eq, peer)])?]);
    rules.insert(libc::SYS_close, vec![all(&[(0, Ne, peer)])?]);
    let family = |family: i32| all(&[(0, Eq, number(family))]);
    let route = all(&[(0, Eq, number(libc::AF_NETLINK)), (2, Eq, number(libc::NETLINK_ROUTE))])?;
    let families = vec![family(libc::AF_PACKET)?, family(libc::AF_INET)?, family(libc::AF_INET6)?, route];
    rules.insert(libc::SYS_socket, families);
    let command = |command: i32| all(&[(1, Eq, number(command))]);
    rules.insert(libc::SYS_fcntl, vec![command(libc::F_GETFD)?, command(libc::F_SETFD)?]);
    // The namespace of a request: what kind it is, and into it.
    rules.insert(libc::SYS_ioctl, vec![all(&[(1, Eq, sys::NS_GET_NSTYPE)])?]);
    rules.insert(libc::SYS_setns, vec![all(&[(1, Eq, number(libc::CLONE_NEWNET))])?]);
    Ok(rules)
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
#[cfg(test)]
mod tests {
    use super::super::{process, signals};
    use super::*;
    use std::os::fd::AsFd;

    /// How a sealed process ends that does this, as a shell would say it.
    fn sealed(then: impl FnOnce(BorrowedFd) -> i32) -> u8 {
        let (peer, _other) = sys::seqpacket_pair().unwrap();
        let child = process::fork(|| {
            if process::forbid_new_privileges().is_err() || seal(peer.as_fd()).is_err() {
                return 3;
            }
            then(peer.as_fd())
        });
        signals::wait_for_end(child.unwrap()).unwrap()
    }

    #[test]
    fn whoever_is_sealed_can_open_sockets_and_nothing_else() {
        const KILLED: u8 = 128 + libc::SIGSYS as u8;
        assert_eq!(sealed(|_| 0), 0);
        let kind = |family, protocol| {
            move |_: BorrowedFd| {
                i32::from(sys::socket(family, libc::SOCK_RAW, protocol).is_err_and(|e| !denied(&e)))
            }
        };
        assert_eq!(sealed(kind(libc::AF_INET, libc::IPPROTO_RAW)), 0);
        assert_eq!(sealed(kind(libc::AF_NETLINK, libc::NETLINK_ROUTE)), 0);
        assert_eq!(sealed(kind(libc::AF_NETLINK, libc::NETLINK_NETFILTER)), KILLED);
        assert_eq!(sealed(kind(libc::AF_UNIX, 0)), KILLED);
        assert_eq!(sealed(|_| i32::from(std::fs::File::open("/etc/passwd").is_err())), KILLED);
        assert_eq!(sealed(|_| process::fork(|| 0).map_or(1, |_| 0)), KILLED);
        assert_eq!(sealed(|_| i32::from(process::unshare(libc::CLONE_NEWUSER).is_err())), KILLED);
        // To its peer it may speak, through any other socket not.
        let speak = |to: BorrowedFd| i32::from(sys::send_message(to, b"word", None, 0).is_err());
        assert_eq!(sealed(speak), 0);
        let (_one, other) = sys::seqpacket_pair().unwrap();
        assert_eq!(sealed(|_| speak(other.as_fd())), KILLED);
    }

    /// Without the right to raw sockets the kernel, not the seal, says no.
    fn denied(error: &io::Error) -> bool {
        error.raw_os_error() == Some(libc::EPERM)
    }
}
