//! `rawbench interfaces`: what there is to send and capture on.

use std::io::Write;

use serde::Serialize;

use super::args::InterfacesArgs;
use super::json;
use super::output::{self, Failure, Outcome};
use crate::net::{self, Door, Interface};
use crate::wire::value;

#[derive(Serialize)]
struct Line {
    name: String,
    index: u32,
    mac: Option<String>,
    addresses: Vec<String>,
    mtu: u32,
    state: &'static str,
    loopback: bool,
}

impl Line {
    fn new(interface: &Interface) -> Self {
        let mac = interface.mac.map(|m| value::mac(m.iter().fold(0, |v, b| v << 8 | u128::from(*b))));
        Self {
            name: interface.name.clone(),
            index: interface.index,
            mac,
            addresses: interface.addresses.iter().map(|a| format!("{}/{}", a.ip, a.prefix)).collect(),
            mtu: interface.mtu,
            state: match (interface.up, interface.running) {
                (false, _) => "down",
                (true, false) => "no carrier",
                (true, true) => "up",
            },
            loopback: interface.loopback,
        }
    }
}

/// Runs it. It needs no privilege, and so no companion.
///
/// # Errors
/// The system's reason, or standard output fails.
pub fn run(args: &InterfacesArgs) -> Outcome {
    let found = net::interfaces(&Door::unprivileged()).map_err(Failure::failed)?;
    let lines: Vec<Line> = found.iter().map(Line::new).collect();
    let mut out = output::out();
    let widest = lines.iter().map(|l| l.name.chars().count()).max().unwrap_or(0);
    for line in &lines {
        if args.json {
            json::write_line(line, &mut out)?;
            continue;
        }
        let mac = line.mac.as_deref().unwrap_or("-");
        let addresses = if line.addresses.is_empty() { "-".into() } else { line.addresses.join(", ") };
        writeln!(
            out,
            "{:<widest$}  {:>3}  {mac:<17}  {:<10}  mtu {:<5}  {addresses}",
            line.name, line.index, line.state, line.mtu
        )?;
    }
    out.flush()?;
    Ok(0)
}
