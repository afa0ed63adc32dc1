//! Packets made by hand, the lab behind a door, and what both kinds of tests share.

#![allow(dead_code, reason = "each test uses a part of it")]

use rawbench::net::{Batch, Door, DoorKind, LAB_HOST, Place};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The sum of RFC 1071 over a run of bytes, complemented.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 =
        bytes.chunks(2).map(|c| u64::from(c[0]) << 8 | u64::from(*c.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// An IP packet around a payload, with the checksum of the payload put in at `at` if there is one.
pub fn ip(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    mut payload: Vec<u8>,
    at: Option<usize>,
) -> Vec<u8> {
    if let Some(at) = at {
        let mut covered = Vec::new();
        if protocol != 1 {
            covered.extend(octets(source));
            covered.extend(octets(destination));
            covered.extend((payload.len() as u32).to_be_bytes());
            covered.extend([0, 0, 0, protocol]);
        }
        covered.extend(&payload);
        payload[at..at + 2].copy_from_slice(&checksum(&covered).to_be_bytes());
    }
    let mut packet = match source {
        IpAddr::V4(_) => {
            let length = (20 + payload.len() as u16).to_be_bytes();
            vec![0x45, 0, length[0], length[1], 0, 1, 0, 0, 64, protocol, 0, 0]
        }
        IpAddr::V6(_) => {
            let length = (payload.len() as u16).to_be_bytes();
            vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64]
        }
    };
    packet.extend(octets(source));
    packet.extend(octets(destination));
    if source.is_ipv4() {
        let sum = checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
    }
    packet.extend(payload);
    packet
}

/// A TCP SYN without options.
pub fn syn(source: IpAddr, destination: IpAddr, from: u16, to: u16, sequence: u32) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(from.to_be_bytes());
    tcp.extend(to.to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend([0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
    ip(source, destination, 6, tcp, Some(16))
}

/// A UDP datagram.
pub fn udp(source: IpAddr, destination: IpAddr, from: u16, to: u16, text: &[u8]) -> Vec<u8> {
    let mut udp = Vec::new();
    udp.extend(from.to_be_bytes());
    udp.extend(to.to_be_bytes());
    udp.extend((8 + text.len() as u16).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(text);
    ip(source, destination, 17, udp, Some(6))
}

/// An ICMP or ICMPv6 echo request.
pub fn ping(source: IpAddr, destination: IpAddr, number: u16) -> Vec<u8> {
    let (kind, protocol) = if source.is_ipv4() { (8, 1) } else { (128, 58) };
    let [a, b] = number.to_be_bytes();
    ip(source, destination, protocol, vec![kind, 0, 0, 0, a, b, 0, 1, b'r', b'a', b'w'], Some(2))
}

/// A packet that a socket gave.
#[derive(Debug, Clone)]
pub struct Seen {
    pub bytes: Vec<u8>,
    pub original: usize,
    pub time_ns: u64,
    pub interface: u32,
    pub hatype: u16,
    pub direction: rawbench::net::Direction,
    pub checksum: rawbench::net::Checksum,
}

impl Seen {
    /// The transport protocol and what follows the IP header, behind an Ethernet header or none.
    pub fn transport(&self) -> Option<(u8, &[u8])> {
        let packet = if self.hatype == 0xfffe { &self.bytes[..] } else { self.bytes.get(14..)? };
        match packet.first()? >> 4 {
            4 => Some((packet[9], packet.get(usize::from(packet[0] & 15) * 4..)?)),
            6 => Some((packet[6], packet.get(40..)?)),
            _ => None,
        }
    }

    /// Ports and flags, if it is TCP.
    pub fn tcp(&self) -> Option<(u16, u16, u8)> {
        match self.transport()? {
            (6, tcp) => Some((word(tcp, 0), word(tcp, 2), tcp[13])),
            _ => None,
        }
    }
}

/// A 16-bit number in network order.
pub fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Collects packets until `enough` says so or the time is over.
pub fn collect(
    mut receive: impl FnMut(&mut Batch, Duration) -> Result<usize, rawbench::net::Error>,
    patience: Duration,
    mut enough: impl FnMut(&[Seen]) -> bool,
) -> Vec<Seen> {
    let mut batch = Batch::new(65536);
    let mut seen = Vec::new();
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline && !enough(&seen) {
        receive(&mut batch, Duration::from_millis(20)).unwrap();
        seen.extend(batch.packets().map(|packet| Seen {
            bytes: packet.bytes.to_vec(),
            original: packet.original,
            time_ns: packet.time_ns,
            interface: packet.interface,
            hatype: packet.hatype,
            direction: packet.direction,
            checksum: packet.checksum,
        }));
    }
    seen
}

/// A connected pair of sockets of the broker's kind.
#[allow(unsafe_code)]
pub fn pair() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: the array has room for both descriptors, which are fresh.
    unsafe {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        assert_eq!(libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

/// The broker program with one end of a pair as its standard input.
pub fn broker(arguments: &[&str]) -> (Child, OwnedFd) {
    let (ours, theirs) = pair();
    let child = Command::new(program("rawbench-broker"))
        .args(arguments)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (child, ours)
}

/// What serves as the companion's broker does: until its peer closes.
pub fn lasting_broker() -> (Child, OwnedFd) {
    let (ours, theirs) = pair();
    let child = Command::new(program("rawbench"))
        .arg(rawbench::net::HIDDEN_BROKER)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (child, ours)
}

/// Says on standard error that a test is skipped, and fails where that is not permitted.
pub fn skip(test: &str, why: &str) {
    let text = format!("SKIPPED {test}: {why}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(std::env::var_os("RAWBENCH_REQUIRE_NET").is_none(), "{text}");
}

pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().any(|l| l.starts_with("Uid:\t0\t"))
}

/// A program of this build; `RAWBENCH_BIN_DIR` says where it is when the tests were copied elsewhere.
pub fn program(name: &str) -> std::path::PathBuf {
    match std::env::var_os("RAWBENCH_BIN_DIR") {
        Some(directory) => std::path::Path::new(&directory).join(name),
        None => std::path::Path::new(env!("CARGO_BIN_EXE_rawbench-broker")).with_file_name(name),
    }
}

/// A lab of one's own. Where the system forbids it, the test is skipped, loudly, unless `RAWBENCH_REQUIRE_NET` is set.
pub fn lab(test: &str) -> Option<(Child, Door)> {
    let (mut child, socket) = broker(&[LAB_HOST]);
    match Door::on(socket, DoorKind::Lab, Place::Lab) {
        Ok(door) => Some((child, door)),
        Err(error) => {
            child.wait().unwrap();
            skip(test, &format!("there is no lab on this machine: {error}"));
            None
        }
    }
}

pub const YOU: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
pub const YOU6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1));
pub const SERVER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2));
