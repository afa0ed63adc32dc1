//! What dissection costs, per packet, beside etherparse's lax slicing of the same packets.
//!
//! `cargo bench --bench dissect`. The packets are a mix of flows as in an office: TCP with time stamps, UDP and ICMP over
//! IPv4 and IPv6, 0 to 1400 bytes of payload. They fill more memory than a processor's cache holds, since packets that
//! come from a file or from the wire are not in it. The ways are run in turn, several rounds, and compared by medians: only
//! ratios mean something. A part of a way's name as argument runs only the ways that have it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::time::Instant;

use rawbench::craft::Draft;
use rawbench::craft::build::Sources;
use rawbench::wire::dissect::{Dissection, dissect_into, dissect_while};
use rawbench::wire::table::Family;
use rawbench::wire::{bits, summary};

const ETHERNET: u32 = 1;
const PACKETS: usize = 300_000;
const ROUNDS: usize = 7;

/// Packets of the mix take nothing from elsewhere.
struct NoSources;

impl Sources for NoSources {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }

    fn file(&mut self, _path: &str) -> Result<Vec<u8>, String> {
        Err("there are no files here".into())
    }
}

/// Packets one after the other in one piece of memory.
struct Packets {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packets {
    fn mixed() -> Self {
        let mut dice = fastrand::Rng::with_seed(7);
        let kinds: Vec<Vec<u8>> = (0..2_000).map(|_| packet(&mut dice)).collect();
        let mut all = Self { bytes: Vec::new(), ends: Vec::new() };
        for _ in 0..PACKETS {
            all.bytes.extend(&kinds[dice.usize(0..kinds.len())]);
            all.ends.push(all.bytes.len());
        }
        all
    }

    fn each(&self, work: Work) -> usize {
        let mut start = 0;
        let mut sum = 0;
        let mut found = Dissection::default();
        for &end in &self.ends {
            sum += work(black_box(&self.bytes[start..end]), &mut found);
            start = end;
        }
        sum
    }
}

fn packet(dice: &mut fastrand::Rng) -> Vec<u8> {
    let size = [0, 0, 0, 40, 200, 512, 1400, 1400][dice.usize(0..8)];
    let (port, seq) = (dice.u16(1024..), dice.u32(..));
    let v6 = dice.f32() < 0.15;
    let upper = match dice.f32() {
        f if f < 0.7 => {
            let options = if dice.f32() < 0.3 { "" } else { "nop, nop, ts(5, 6)" };
            let flags = ["S", "S.", ".", "P.", "F.", "R"][dice.usize(0..6)];
            let to = [80, 443, 22, 8080][dice.usize(0..4)];
            format!("tcp(srcport={port}, dstport={to}, seq={seq}, flags={flags}, options=[{options}])")
        }
        f if f < 0.92 => format!("udp(srcport={port}, dstport=4000)"),
        _ if v6 => format!("icmpv6(type=128, seq={port})"),
        _ => format!("icmp(type=8, seq={port})"),
    };
    let host = dice.u8(1..255);
    let network = if v6 {
        format!("ipv6(src=fd00::{host}, dst=fd00::1:2)")
    } else {
        format!("ip(src=10.1.2.{host}, dst=192.168.1.2, id={port}, flags=D)")
    };
    let notation =
        format!("eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/{network}/{upper}/zero({size})");
    Draft::from_notation(&notation, &mut NoSources).unwrap().bytes().to_vec()
}

/// Layers as etherparse slices them.
fn etherparse(bytes: &[u8], _: &mut Dissection) -> usize {
    let sliced = etherparse::LaxSlicedPacket::from_ethernet(bytes).unwrap();
    usize::from(sliced.link.is_some())
        + usize::from(sliced.net.is_some())
        + usize::from(sliced.transport.is_some())
}

fn walk(bytes: &[u8], found: &mut Dissection) -> usize {
    dissect_into(ETHERNET, bytes, found);
    found.layers.len()
}

/// As far as etherparse goes: it does not look for applications.
fn to_transport(bytes: &[u8], found: &mut Dissection) -> usize {
    dissect_while(ETHERNET, bytes, &|header| header.family != Family::Transport, found);
    found.layers.len()
}

fn row(bytes: &[u8], found: &mut Dissection) -> usize {
    dissect_into(ETHERNET, bytes, found);
    summary::row_of(bytes, found).info.len()
}

/// Every field of every layer and option, with its value.
fn fields(bytes: &[u8], found: &mut Dissection) -> usize {
    dissect_into(ETHERNET, bytes, found);
    let mut sum = 0;
    for index in 0..found.layers.len() {
        for field in found.view(bytes, index).fields() {
            sum += bits::get(bytes, field.bits).unwrap_or(0) as usize & 1;
            sum += 1;
        }
    }
    sum
}

/// The same, each value as text.
fn texts(bytes: &[u8], found: &mut Dissection) -> usize {
    dissect_into(ETHERNET, bytes, found);
    (0..found.layers.len())
        .flat_map(|index| found.view(bytes, index).fields())
        .map(|field| field.text(bytes).len())
        .sum()
}

type Work = fn(&[u8], &mut Dissection) -> usize;
type Way = (&'static str, Work);

fn main() {
    let packets = Packets::mixed();
    let only: Option<String> = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let all: [Way; 6] = [
        ("etherparse, lax slicing", etherparse),
        ("layers up to transport", to_transport),
        ("layer walk", walk),
        ("list row", row),
        ("all fields, values", fields),
        ("all fields, texts", texts),
    ];
    let chosen = |name: &str| only.as_ref().is_none_or(|o| name.contains(o.as_str()));
    let ways: Vec<Way> = all.into_iter().filter(|(name, _)| chosen(name)).collect();
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, way), times) in ways.iter().zip(&mut times) {
            let begun = Instant::now();
            assert!(black_box(packets.each(*way)) > 0);
            times.push(begun.elapsed().as_nanos() as f64 / PACKETS as f64);
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        })
        .collect();
    println!("{PACKETS} packets, {} MiB, medians of {ROUNDS} rounds", packets.bytes.len() >> 20);
    for ((name, _), median) in ways.iter().zip(&medians) {
        println!("{name:32} {median:7.0} ns a packet, {:5.2} times etherparse", median / medians[0]);
    }
}
