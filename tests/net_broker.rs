//! The broker and the companion: what they refuse, when they end, and what the program that started keeps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/net.rs"]
mod common;

use common::{broker, pair, program};
use rawbench::net::{self, Door, DoorKind, HIDDEN_BROKER, LAB_HOST, Place};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(unsafe_code)]
fn send(socket: &OwnedFd, bytes: &[u8]) -> isize {
    // SAFETY: pointer and length describe `bytes`.
    unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) }
}

/// The next reply; descriptors that come along are closed by the kernel, because there is no room for them.
#[allow(unsafe_code)]
fn receive(socket: &OwnedFd) -> Vec<u8> {
    let mut buffer = [0u8; 64];
    // SAFETY: pointer and length describe `buffer`.
    let length = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
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

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().any(|l| l.starts_with("Uid:\t0\t"))
}

const REFUSED: u8 = 2;

#[test]
fn nonsense_is_refused_and_the_broker_lives_on() {
    let (mut child, socket) = broker(&[]);
    let mut messages: Vec<Vec<u8>> =
        vec![vec![1], vec![1; 7], vec![0; 8], vec![255; 8], vec![1; 9], vec![7; 5000]];
    // Wrong version; protocol where none belongs; IPPROTO_RAW to receive; a guard without a port; unknown flags;
    // what only the companion does.
    messages.extend([
        vec![2, 1, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 6, 0, 0, 0, 0, 0],
        vec![1, 2, 255, 0, 0, 0, 0, 0],
        vec![1, 7, 0, 0, 0, 0, 0, 0],
        vec![1, 6, 0, 2, 0, 0, 0, 0],
        vec![1, 17, 0, 0, 0, 0, 0, 0],
        vec![1, 18, 0, 0, 0, 0, 0, 0],
    ]);
    for message in &messages {
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
fn random_requests_do_no_harm() {
    let (mut child, socket) = broker(&[]);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let mut message = [0u8; 8];
        random.fill(&mut message);
        if random.bool() {
            message[0] = 1;
            message[1] %= 20;
        }
        let length = if random.u8(..) < 200 { 8 } else { random.usize(1..=8) };
        assert_eq!(send(&socket, &message[..length]), length as isize);
        assert_eq!(receive(&socket).len(), 12);
    }
    drop(socket);
    assert!(has_ended(&mut child));
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
    let (mut child, socket) = broker(&[]);
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
    assert!(text.contains("lab Lab packet true") || text.contains("lab error"), "{text}");
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
        command.env("RAWBENCH_COMPANION_FD", number.to_string()).env_remove("SUDO_UID");
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
    assert_eq!(processes.len(), if answer == "true" { 2 } else { 1 }, "companion and host of the lab");
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
