//! The broker and the companion: what they refuse, when they end, and what the program that started keeps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/net.rs"]
mod common;

use common::{broker, is_root, lasting_broker, pair, program};
use rawbench::net::{self, Door, DoorKind, HIDDEN_BROKER, LAB_HOST, Place};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(unsafe_code)]
fn send(socket: &OwnedFd, bytes: &[u8]) -> isize {
    // SAFETY: pointer and length describe `bytes`.
    unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) }
}

#[allow(unsafe_code)]
fn receive_into(socket: &OwnedFd, buffer: &mut [u8]) -> isize {
    // SAFETY: pointer and length describe `buffer`.
    unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) }
}

/// The next reply; descriptors that come along are closed by the kernel, because there is no room for them.
fn receive(socket: &OwnedFd) -> Vec<u8> {
    let mut buffer = [0u8; 64];
    let length = receive_into(socket, &mut buffer);
    buffer[..usize::try_from(length).unwrap()].to_vec()
}

fn has_ended(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

const REFUSED: u8 = 2;

/// Messages that are no requests: too short, too long, wrong in one byte, or for somebody else.
fn nonsense() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> =
        vec![vec![1], vec![1; 7], vec![0; 8], vec![255; 8], vec![1; 9], vec![7; 5000]];
    // Wrong version; protocol where none belongs; IPPROTO_RAW to receive; a guard without a port; a port where none
    // belongs; unknown flags; what only the launcher and the lab do.
    messages.extend([
        vec![2, 1, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 6, 0, 0, 0, 0, 0],
        vec![1, 2, 255, 0, 0, 0, 0, 0],
        vec![1, 7, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 0, 0, 1, 0, 0, 0],
        vec![1, 6, 0, 2, 0, 0, 0, 0],
        vec![1, 17, 0, 0, 0, 0, 0, 0],
        vec![1, 18, 0, 0, 0, 0, 0, 0],
        vec![1, 19, 0, 0, 0, 0, 0, 0],
        vec![1, 20, 0, 0, 5, 0, 0, 0],
    ]);
    messages
}

#[test]
fn nonsense_is_refused_and_the_companion_lives_on() {
    let (mut child, socket) = lasting_broker();
    for message in &nonsense() {
        assert_eq!(send(&socket, message), message.len() as isize);
        let reply = receive(&socket);
        assert_eq!((reply.len(), reply[1]), (12, REFUSED), "{message:?}");
    }
    // A UDP socket may be had by anybody, so the broker still works.
    send(&socket, &[1, 6, 0, 0, 0, 0, 9, 9]);
    assert_eq!(receive(&socket), [1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0]);
    drop(socket);
    assert!(has_ended(&mut child), "it ends when its peer closes");
}

#[test]
fn the_broker_answers_once_whatever_it_is_asked() {
    for message in nonsense().into_iter().chain([vec![1, 6, 0, 0, 0, 0, 9, 9]]) {
        let (mut child, socket) = broker(&[]);
        assert_eq!(send(&socket, &message), message.len() as isize);
        assert_eq!(receive(&socket)[1], if message[1..] == [6, 0, 0, 0, 0, 9, 9] { 0 } else { REFUSED });
        assert!(has_ended(&mut child), "after {message:?}");
    }
}

#[test]
fn a_broker_whose_peer_closes_at_once_ends() {
    let (mut child, socket) = broker(&[]);
    drop(socket);
    assert!(has_ended(&mut child));
}

/// Exit status of a broker that takes its peer for a stranger.
const WRONG_PEER: i32 = 77;

/// The broker, started by a shell in between, so that its parent is not the process that made the socket.
fn slipped_to_a_broker(variable: Option<&str>) -> (Child, OwnedFd) {
    let (ours, theirs) = pair();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#""$0"; exit $?"#]).arg(program("rawbench-broker")).stdin(Stdio::from(theirs));
    match variable {
        Some(uid) => command.env("PKEXEC_UID", uid),
        None => command.env_remove("PKEXEC_UID"),
    };
    (command.spawn().unwrap(), ours)
}

#[test]
fn a_wrong_peer_gets_nothing() {
    let mut strangers = vec![None];
    if is_root() {
        // pkexec asked somebody else than the one whose socket this is.
        strangers.push(Some("65534"));
    }
    for variable in strangers {
        let (mut child, socket) = slipped_to_a_broker(variable);
        send(&socket, &[1, 6, 0, 0, 0, 0, 9, 9]);
        assert_eq!(child.wait().unwrap().code(), Some(WRONG_PEER), "{variable:?}");
        let mut random = [0; 1];
        assert!(receive_into(&socket, &mut random) <= 0, "no answer comes");
    }
    if is_root() {
        let (mut child, socket) = slipped_to_a_broker(Some("0"));
        send(&socket, &[1, 6, 0, 0, 0, 0, 9, 9]);
        assert_eq!(receive(&socket)[1], 0, "the user whom pkexec asked is served");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// Receives a reply and the socket that came with it.
#[allow(unsafe_code)]
fn receive_socket(socket: &OwnedFd) -> ([u8; 12], Option<OwnedFd>) {
    let (mut reply, mut control) = ([0u8; 12], [0u64; 8]);
    let mut part = libc::iovec { iov_base: reply.as_mut_ptr().cast(), iov_len: reply.len() };
    // SAFETY: the header points to `part` and `control`, which outlive the call; a descriptor that comes is ours.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = std::mem::size_of_val(&control);
        assert_eq!(libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC), 12);
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        if message.is_null() {
            return (reply, None);
        }
        assert_eq!((*message).cmsg_len, libc::CMSG_LEN(4) as usize, "one descriptor and no more");
        let descriptor = libc::CMSG_DATA(message).cast::<i32>().read_unaligned();
        (reply, Some(OwnedFd::from_raw_fd(descriptor)))
    }
}

#[allow(unsafe_code)]
fn option(socket: &OwnedFd, name: i32) -> i32 {
    let (mut value, mut length) = (0i32, 4);
    // SAFETY: pointer and length describe `value`.
    unsafe {
        let value = (&raw mut value).cast();
        assert_eq!(libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, value, &raw mut length), 0);
    }
    value
}

/// Domain, type and protocol of the socket that a request asks for.
fn asked_for(request: &[u8]) -> Option<(i32, i32, i32)> {
    let family = |v6: bool| if v6 { libc::AF_INET6 } else { libc::AF_INET };
    Some(match request[1] {
        1 => (libc::AF_PACKET, libc::SOCK_RAW, 0),
        2 => (libc::AF_INET, libc::SOCK_RAW, i32::from(request[2])),
        3 | 4 => (family(request[1] == 4), libc::SOCK_RAW, libc::IPPROTO_RAW),
        5 => (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        6 => (family(request[3] == 1), libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        7 => (libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP),
        _ => return None,
    })
}

/// Requests in a row before their answers are read; less than the socket holds.
const IN_A_ROW: usize = 8;

#[test]
fn a_million_random_requests_give_no_socket_that_was_not_asked_for() {
    let (mut child, socket) = lasting_broker();
    let mut random = fastrand::Rng::with_seed(7);
    let mut given = 0;
    for round in 0..1_000_000 / IN_A_ROW {
        let mut asked = Vec::new();
        for _ in 0..IN_A_ROW {
            let mut message = [0u8; 8];
            random.fill(&mut message);
            // Most are random through and through; some are almost requests, and some of those are requests.
            if round % 64 == 0 {
                message[0] = 1;
                message[1] %= 22;
                message[2..6].iter_mut().for_each(|byte| *byte *= u8::from(random.u8(..4) == 0));
                message[3] %= 2;
            }
            let length = if random.u8(..) < 200 { 8 } else { random.usize(1..=8) };
            assert_eq!(send(&socket, &message[..length]), length as isize);
            asked.push(message[..length].to_vec());
        }
        for request in asked {
            let (reply, socket) = receive_socket(&socket);
            if request.len() == 8 {
                assert!(reply[1] == REFUSED || reply[8..10] == request[6..8], "the reply of another request");
            } else {
                assert_eq!(reply[1], REFUSED, "{request:?}");
            }
            let Some(socket) = socket else { continue };
            given += 1;
            let found = (
                option(&socket, libc::SO_DOMAIN),
                option(&socket, libc::SO_TYPE),
                option(&socket, libc::SO_PROTOCOL),
            );
            assert_eq!(Some(found), asked_for(&request), "{request:?}");
        }
    }
    assert!(given > 100, "{given} sockets");
    drop(socket);
    assert!(has_ended(&mut child));
}

#[test]
fn the_broker_is_sealed_and_holds_no_more_than_it_needs() {
    let (child, socket) = lasting_broker();
    send(&socket, &[1, 6, 0, 0, 0, 0, 9, 9]);
    receive(&socket);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    for line in ["NoNewPrivs:\t1", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")) {
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
    // CAP_NET_RAW in force; CAP_NET_BIND_SERVICE, CAP_NET_ADMIN and CAP_SYS_ADMIN for the requests that need them.
    let (effective, permitted) = if is_root() { (0x2000, 0x20_3400) } else { (0, 0) };
    assert!(status.contains(&format!("CapEff:\t{effective:016x}")), "{status}");
    assert!(status.contains(&format!("CapPrm:\t{permitted:016x}")), "{status}");
    // The socket in the place of standard input, the other streams, its own namespace; what it gave away is closed.
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    let deadline = Instant::now() + Duration::from_secs(2);
    while descriptors() > 4 {
        assert!(Instant::now() < deadline, "{} descriptors", descriptors());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a request with descriptors.
#[allow(unsafe_code)]
fn send_with(socket: &OwnedFd, request: &[u8], descriptors: &[i32]) {
    let mut control = [0u64; 16];
    let mut part = libc::iovec { iov_base: request.as_ptr().cast_mut().cast(), iov_len: request.len() };
    // SAFETY: the header points to `part` and `control`, which outlive the call; the control message fits.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        let length = std::mem::size_of_val(descriptors) as u32;
        header.msg_controllen = libc::CMSG_SPACE(length) as usize;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(length) as usize;
        std::ptr::copy_nonoverlapping(
            descriptors.as_ptr(),
            libc::CMSG_DATA(message).cast(),
            descriptors.len(),
        );
        assert_eq!(libc::sendmsg(socket.as_raw_fd(), &raw const header, 0), request.len() as isize);
    }
}

#[test]
fn descriptors_that_do_not_belong_are_refused_and_closed() {
    let (mut child, socket) = lasting_broker();
    let namespace = std::fs::File::open("/proc/self/ns/net").unwrap();
    let count =
        |child: &Child| std::fs::read_dir(format!("/proc/{}/fd", child.id())).map(Iterator::count).ok();
    send(&socket, &[1, 16, 0, 0, 0, 0, 0, 0]);
    receive(&socket);
    let before = count(&child);
    for _ in 0..50 {
        // More than one; with a request that takes none; something that is no namespace.
        send_with(&socket, &[1, 6, 0, 0, 0, 0, 0, 0], &[namespace.as_raw_fd(); 3]);
        assert_eq!(receive(&socket)[1], REFUSED);
        send_with(&socket, &[1, 16, 0, 0, 0, 0, 0, 0], &[namespace.as_raw_fd()]);
        assert_eq!(receive(&socket)[1], REFUSED);
        send_with(&socket, &[1, 6, 0, 0, 0, 0, 0, 0], &[socket.as_raw_fd()]);
        assert_ne!(receive(&socket)[1], 0);
    }
    assert_eq!(count(&child), before, "nothing is left open");
    drop(socket);
    assert!(has_ended(&mut child));
}

#[test]
fn a_broker_without_a_socket_says_so() {
    let output = Command::new(program("rawbench-broker")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not for use by hand"));
}

#[test]
fn a_process_is_no_namespace() {
    if !is_root() {
        // Only root's broker enters namespaces at all.
        return;
    }
    let (mut child, socket) = lasting_broker();
    let mut victim = Command::new("unshare").args(["-n", "sleep", "60"]).spawn().unwrap();
    #[allow(unsafe_code)]
    // SAFETY: plain numbers; the descriptor is fresh.
    let process = unsafe { OwnedFd::from_raw_fd(libc::syscall(libc::SYS_pidfd_open, victim.id(), 0) as i32) };
    send_with(&socket, &[1, 1, 0, 0, 0, 0, 0, 0], &[process.as_raw_fd()]);
    let (reply, given) = receive_socket(&socket);
    assert!(reply[1] != 0 && given.is_none(), "{reply:?}");
    // The namespace itself, which root may open, is one.
    let namespace = std::fs::File::open(format!("/proc/{}/ns/net", victim.id())).unwrap();
    send_with(&socket, &[1, 1, 0, 0, 0, 0, 0, 0], &[namespace.as_raw_fd()]);
    assert!(receive_socket(&socket).1.is_some());
    victim.kill().unwrap();
    victim.wait().unwrap();
    drop(socket);
    assert!(has_ended(&mut child));
}

#[test]
#[allow(unsafe_code)]
fn a_guard_cannot_be_made_to_listen() {
    let Some((_child, door)) = common::lab("a_guard_cannot_be_made_to_listen") else { return };
    let guard = door.tcp_guard(443).unwrap();
    // SAFETY: pointer and length describe a number, which the kernel wants to see and does not use.
    let status = unsafe {
        let none = 0i32;
        let (fd, value) = (guard.as_raw_fd(), (&raw const none).cast());
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, value, 4)
    };
    assert_eq!((status, std::io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EPERM)));
}

#[test]
fn a_lab_refuses_nonsense_and_ends_with_its_peer() {
    let (mut child, socket) = broker(&[LAB_HOST]);
    send(&socket, &[1, 16, 0, 0, 0, 0, 1, 0]);
    let ready = receive(&socket);
    if ready[1] == 0 {
        send(&socket, &[9; 100]);
        assert_eq!(receive(&socket)[1], REFUSED);
        send(&socket, &[1, 18, 0, 0, 0, 0, 1, 0]);
        assert_eq!(receive(&socket)[1], REFUSED);
    }
    drop(socket);
    assert!(has_ended(&mut child));
}

/// In this variable a process of this file finds that it is to be a program that starts, and which one.
const CHILD: &str = "RAWBENCH_TEST_CHILD";

/// The test harness has threads before any test runs, so a program that starts has to come before the harness.
#[used]
#[allow(unsafe_code)]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let child: fn() = match std::env::var(CHILD).as_deref() {
        Ok("start") => child_start,
        Ok("wait") => child_wait,
        _ => return,
    };
    let done = std::panic::catch_unwind(child);
    std::process::exit(i32::from(done.is_err()));
}

/// Runs this file as a program that starts; gives what it said.
fn in_a_process(child: &str, prepare: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, child).arg("an argument that has to survive");
    prepare(&mut command);
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

fn say(text: &str) {
    std::io::stdout().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// What a program does that starts.
fn child_start() {
    let begun = Instant::now();
    let startup = net::startup(None).unwrap();
    say(&format!("startup {} us", begun.elapsed().as_micros()));
    for line in std::fs::read_to_string("/proc/self/status").unwrap().lines() {
        say(line);
    }
    assert_eq!(std::env::args().nth(1).as_deref(), Some("an argument that has to survive"));
    for name in ["HOME", "USER", "LOGNAME", "RAWBENCH_COMPANION_FD"] {
        say(&format!("{name}={}", std::env::var(name).unwrap_or("unset".into())));
    }
    match startup.door(&Place::Host) {
        Ok(door) => say(&format!("host {:?} packet {:?}", door.kind(), door.packet().is_ok())),
        Err(error) => say(&format!("host error {error}")),
    }
    let begun = Instant::now();
    match startup.door(&Place::Lab) {
        Ok(door) => {
            say(&format!("lab {:?} packet {} in {:?}", door.kind(), door.packet().is_ok(), begun.elapsed()));
            assert!(startup.door(&Place::Lab).unwrap().is_alive());
        }
        Err(error) => say(&format!("lab error {error}")),
    }
    for finding in net::privilege_report(Some(&startup)) {
        say(&format!("finding {} {} {} {}", finding.what, finding.ok, finding.detail, finding.remedy));
    }
}

fn assert_nothing_held(text: &str) {
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(text.contains(&format!("{set}:\t0000000000000000")), "{set} in {text}");
    }
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(text.contains("RAWBENCH_COMPANION_FD=unset"), "{text}");
}

#[test]
fn a_program_that_starts_puts_down_every_privilege() {
    let text = in_a_process("start", |command| {
        command.env_remove("SUDO_UID").env_remove("PKEXEC_UID");
    });
    assert_nothing_held(&text);
    if is_root() {
        assert!(text.contains("host Companion packet true"), "{text}");
        assert!(text.contains("Uid:\t0\t0\t0\t0"), "{text}");
    } else {
        assert!(text.contains("host error") || text.contains("host BrokerFileCap"), "{text}");
        assert!(text.contains("1. ") || text.contains("host BrokerFileCap"), "{text}");
    }
    if text.contains("lab error") {
        common::skip("a_program_that_starts_puts_down_every_privilege, its lab", &text);
    } else {
        assert!(text.contains("lab Lab packet true"), "{text}");
    }
}

#[test]
fn a_start_with_sudo_becomes_the_user_behind_it() {
    if !is_root() {
        return;
    }
    let text = in_a_process("start", |command| {
        command.env("SUDO_UID", "65534").env("SUDO_GID", "65534").env("HOME", "/root");
    });
    assert_nothing_held(&text);
    assert!(text.contains("Uid:\t65534\t65534\t65534\t65534"), "{text}");
    assert!(text.contains("Gid:\t65534\t65534\t65534\t65534"), "{text}");
    assert!(text.contains("Groups:\t65534"), "{text}");
    assert!(text.contains("HOME=/nonexistent") && text.contains("USER=nobody"), "{text}");
    assert!(text.contains("host Companion packet true"), "the companion kept the right: {text}");
    assert!(text.contains("lab Lab packet true"), "and makes the lab: {text}");
}

#[test]
fn a_variable_that_names_a_foreign_socket_is_not_believed() {
    let (_ours, theirs) = pair();
    let number = theirs.as_raw_fd();
    let text = in_a_process("start", |command| {
        command.env("RAWBENCH_COMPANION_FD", format!("{number},{number},-")).env_remove("SUDO_UID");
        #[allow(unsafe_code)]
        // SAFETY: fcntl may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::fcntl(number, libc::F_SETFD, 0);
                Ok(())
            });
        }
    });
    assert_nothing_held(&text);
}

/// A program that has a lab and then waits to be killed.
fn child_wait() {
    let startup = net::startup(None).unwrap();
    let lab = startup.door(&Place::Lab);
    say(&format!("\nlab {}", lab.is_ok()));
    std::thread::sleep(Duration::from_secs(30));
}

/// The processes below a process, and theirs.
fn below(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    children.iter().flat_map(|child| std::iter::once(*child).chain(below(*child))).collect()
}

#[test]
fn nothing_outlives_a_program_that_is_killed() {
    use std::io::{BufRead, BufReader};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, "wait")
        .env_remove("SUDO_UID")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer = lines.find_map(|line| line.unwrap().strip_prefix("lab ").map(str::to_owned)).unwrap();
    let processes = below(child.id());
    let companion = if is_root() { 2 } else { 1 };
    assert_eq!(
        processes.len(),
        companion + usize::from(answer == "true"),
        "companion (as root launcher and broker) and host of the lab"
    );
    let name = std::fs::read_to_string(format!("/proc/{}/comm", processes[0])).unwrap();
    assert_eq!(name, "rawbench-broker\n");
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    // A process that is gone, or that is only left for its parent to be counted.
    let gone = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    while !processes.iter().all(gone) {
        assert!(Instant::now() < deadline, "they outlive it");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_direct_door_and_an_unprivileged_one_know_this_machine() {
    let interfaces = net::interfaces(&Door::unprivileged()).unwrap();
    let lo = interfaces.iter().find(|i| i.loopback).unwrap();
    assert!(lo.addresses.iter().any(|a| a.ip == std::net::Ipv4Addr::LOCALHOST));
    let route = net::route(&Door::unprivileged(), "127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!((route.interface, route.local), (lo.index, true));
    let taken =
        std::net::TcpListener::bind("[::]:0").or_else(|_| std::net::TcpListener::bind("0.0.0.0:0")).unwrap();
    let error = Door::direct().tcp_guard(taken.local_addr().unwrap().port()).unwrap_err();
    assert!(error.to_string().contains("Another program has this port"), "{error}");
    match Door::direct().packet() {
        Ok(_) => assert!(is_root()),
        Err(error) => assert!(matches!(error, net::Error::NoPrivilege(_)), "{error}"),
    }
    assert_eq!(Door::direct().kind(), DoorKind::Direct);
    assert!(net::hidden_main(&["capture".into()]).is_none() && HIDDEN_BROKER.starts_with('@'));
}
