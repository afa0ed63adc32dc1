//! The seal of the broker: a seccomp filter (seccomp(2)) that leaves a process the system calls of an answer and kills
//! it at any other. Whoever takes the broker over by a fault in it can open the sockets that it hands out anyway, and
//! nothing else: no file, no program, no memory that can be executed.

use std::io;

/// Seals this process for good. Needs `no_new_privs`. On processors that the filter's compiler does not know, the
/// process stays as it is.
///
/// # Errors
/// The filter could not be made or was not taken by the kernel.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub fn seal() -> io::Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let filter = SeccompFilter::new(
        rules().map_err(io::Error::other)?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into().map_err(io::Error::other)?,
    );
    let program: BpfProgram = filter.map_err(io::Error::other)?.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// See above.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub fn seal() -> io::Result<()> {
    Ok(())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
type Rules = std::collections::BTreeMap<i64, Vec<seccompiler::SeccompRule>>;

/// The permitted calls; those with rules only with such arguments.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn rules() -> Result<Rules, seccompiler::BackendError> {
    use seccompiler::{SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCondition, SeccompRule};
    let plain = [
        // The request and its answer.
        libc::SYS_recvmsg,
        libc::SYS_sendmsg,
        libc::SYS_close,
        // What sets a socket up: buffer, filter and port of a guard.
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_fcntl,
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
    let one_of = |argument: u8, values: &[i32]| {
        let rule =
            |value: &i32| SeccompRule::new(vec![SeccompCondition::new(argument, Dword, Eq, *value as u64)?]);
        values.iter().map(rule).collect::<Result<Vec<_>, _>>()
    };
    let families = [libc::AF_PACKET, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    rules.insert(libc::SYS_socket, one_of(0, &families)?);
    rules.insert(libc::SYS_setns, one_of(1, &[libc::CLONE_NEWNET])?);
    Ok(rules)
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
#[cfg(test)]
mod tests {
    use super::super::process;
    use super::*;

    /// How a sealed process ends that does this, as a shell would say it.
    fn sealed(then: impl FnOnce() -> i32) -> u8 {
        let child = process::fork(|| {
            if process::forbid_new_privileges().is_err() || seal().is_err() {
                return 3;
            }
            then()
        });
        process::wait(Some(child.unwrap())).unwrap().1
    }

    #[test]
    fn whoever_is_sealed_can_open_sockets_and_nothing_else() {
        const KILLED: u8 = 128 + libc::SIGSYS as u8;
        assert_eq!(sealed(|| 0), 0);
        let socket = |family| i32::from(super::super::sys::socket(family, libc::SOCK_DGRAM, 0).is_err());
        assert_eq!(sealed(|| socket(libc::AF_INET)), 0);
        assert_eq!(sealed(|| socket(libc::AF_UNIX)), KILLED);
        assert_eq!(sealed(|| i32::from(std::fs::File::open("/etc/passwd").is_err())), KILLED);
        assert_eq!(sealed(|| process::fork(|| 0).map_or(1, |_| 0)), KILLED);
        assert_eq!(sealed(|| i32::from(process::unshare(libc::CLONE_NEWUSER).is_err())), KILLED);
    }
}
