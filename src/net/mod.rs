//! Every system call: packet sockets, raw IP sockets, interfaces, routes, broker and lab. Imports nothing of ours.
//!
//! A privilege here is a socket, not a process. [`startup`] splits off the companion and puts down everything
//! else; a [`Door`] then hands out sockets for a [`Place`]: this machine, the lab, or a network namespace.
//! A socket belongs for ever to the network namespace in which it was made, so the namespace is chosen by the
//! door, and whoever holds the socket need not enter it.
//!
//! Linux only for now.

mod batch;
mod behind;
mod broker;
mod companion;
mod doctor;
mod door;
mod error;
mod guard;
mod interfaces;
mod lab;
mod lab_host;
mod lab_run;
mod lab_server;
mod netlink;
mod outlet;
mod packet;
mod process;
mod raw;
mod request;
mod ring;
mod ring_block;
mod ring_map;
mod seal;
mod signals;
mod startup;
mod sys;
mod ways;

pub use batch::{BATCH, Batch, Checksum, Direction, Packet, Packets, SNAP_LENGTH, Stopper};
pub use behind::user_outside;
pub use doctor::{Finding, privilege_report};
pub use door::{Door, DoorKind, Place, give_up_asking};
pub use error::{Error, NoPrivilege, SendError};
pub use interfaces::{Address, Interface, InterfaceDrops, Route, interfaces, neighbour, route};
pub use lab::{
    DelayError, LabError, SERVER_INTERFACE, SERVER_V4, SERVER_V6, SILENT_PORT, Stage, TINY_WINDOW_PORT,
    YOU_INTERFACE, YOU_V4, YOU_V6,
};
pub use lab_run::{LabRun, run_in_lab};
pub use outlet::{MOST_AT_ONCE, Outlet, Parcel, Refusal, Transmitted, no_way, transmitted, wake_exactly};
pub use packet::{Instruction, Link, PacketSocket, Statistics};
pub use process::thread_time;
pub use raw::{RawIpSocket, SentAt};
pub use ring::{NoRing, RETIRE, RING, Ring};
pub use startup::{Startup, put_down_all, startup};
pub use ways::Way;

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

/// The only argument with which `rawbench-broker` becomes the host of a lab.
pub const LAB_HOST: &str = "--lab-host";
/// The hidden subcommand of `rawbench` that is the broker.
pub const HIDDEN_BROKER: &str = "@broker";
/// The hidden subcommand of `rawbench` that is the host of a lab.
pub const HIDDEN_LAB: &str = "@lab-host";

/// Runs `rawbench-broker`: the broker, which answers one request and exits, or with [`LAB_HOST`] the host of a lab.
///
/// Its standard input is a Unix socket of type `SOCK_SEQPACKET`, made by the process that starts it. Exit status 2:
/// called wrongly, for example from a shell; 71: the system refused what it needs; 77: the socket is of somebody else.
pub fn broker_main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => on_input(broker::run_once),
        [only] if only == LAB_HOST => on_input(host_lab),
        _ => called_wrongly(),
    }
}

/// Runs the hidden subcommands of `rawbench`, by which a build with one binary (`cargo run`) has the broker too: here
/// it answers until its peer closes. Takes the arguments without the program's name; gives `None` if they are no
/// hidden subcommand. To be called first in `main`.
pub fn hidden_main(arguments: &[OsString]) -> Option<ExitCode> {
    match arguments {
        [only] if only == HIDDEN_BROKER => Some(on_input(companion::broker_on)),
        [only] if only == HIDDEN_LAB => Some(on_input(host_lab)),
        _ => None,
    }
}

fn called_wrongly() -> ExitCode {
    let text =
        "rawbench-broker opens raw sockets for rawbench, which starts it: it is not for use by hand.\n";
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    ExitCode::from(2)
}

/// Runs something on the standard input, if that is a socket of the right kind and of the process that started this one.
fn on_input(run: fn(BorrowedFd) -> ExitCode) -> ExitCode {
    let input = std::io::stdin();
    let socket = input.as_fd();
    if !sys::socket_kind(socket).is_ok_and(|kind| kind == (libc::AF_UNIX, libc::SOCK_SEQPACKET)) {
        return called_wrongly();
    }
    if !broker::is_our_peer(socket) {
        return ExitCode::from(broker::WRONG_PEER);
    }
    run(socket)
}

fn host_lab(socket: BorrowedFd) -> ExitCode {
    if std::env::var_os("PKEXEC_UID").is_some() {
        // A password was given for a socket, not for a lab with root's rights.
        return called_wrongly();
    }
    if process::detach(socket).is_err() {
        return ExitCode::from(broker::NOT_READY);
    }
    process::set_name(c"rawbench-lab");
    if process::ids().1 != 0 {
        // Whatever a file capability gave is not for the lab, which has its own user namespace.
        let _ = process::set_capabilities(0, 0);
    }
    ExitCode::from(lab_host::run(socket))
}
