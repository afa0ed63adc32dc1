//! rawbench: build a TCP/IP packet bit by bit, send it, and watch what really happened.
//!
//! The library is a row of rooms; each may import only the rooms named in its own first lines
//! (`tests/rooms.rs` holds this):
//!
//! - [`wire`]: tables, bit access, checksums, dissection, notation. Pure.
//! - [`craft`]: the draft of a packet, computed fields, warnings, presets. Pure.
//! - [`filter`]: the filter language: parser, evaluation, classic BPF. Pure.
//! - [`pcap`]: capture files: reading with an index, writing, the spool.
//! - [`net`]: every system call: sockets, interfaces, routes, broker, lab.
//! - [`engine`]: the threads: recorder, transmitter, exchange.
//! - [`app`]: the state of the workbench and the commands that change it.
//! - `ui`: the window (feature `window`).
//! - [`cli`]: the same engine from a terminal.

pub mod app;
pub mod cli;
pub mod craft;
pub mod engine;
pub mod filter;
pub mod net;
pub mod pcap;
#[cfg(feature = "window")]
pub mod ui;
pub mod wire;

/// Runs the program: the command line, or the window in a build that has one.
pub fn main() -> std::process::ExitCode {
    #[cfg(feature = "window")]
    let window: Option<cli::OpenWindow> = Some(ui::run);
    #[cfg(not(feature = "window"))]
    let window: Option<cli::OpenWindow> = None;
    cli::main(window)
}
