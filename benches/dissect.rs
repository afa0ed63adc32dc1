//! What dissection costs, per packet, beside etherparse's lax slicing of the same packets.
//!
//! `cargo bench --bench dissect`. The packets are a mix of flows as in an office: TCP with time stamps, UDP and ICMP over
//! IPv4 and IPv6, 0 to 1400 bytes of payload. They fill more memory than a processor's cache holds, since packets that
//! come from a file or from the wire are not in it. The ways are run in turn, several rounds, and compared by medians: only
//! ratios mean something. A part of a way's name as argument runs only the ways that have it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "mixed.rs"]
mod mixed;

use std::hint::black_box;
use std::time::Instant;

use mixed::Packets;
use rawbench::wire::dissect::{Dissection, dissect_into, dissect_while};
use rawbench::wire::table::Family;
use rawbench::wire::{bits, summary};

const ETHERNET: u32 = 1;
const PACKETS: usize = 300_000;
const ROUNDS: usize = 7;

/// Does the work on each packet.
fn each(packets: &Packets, work: Work) -> usize {
    let mut found = Dissection::default();
    packets.iter().map(|bytes| work(black_box(bytes), &mut found)).sum()
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
    let packets = Packets::mixed(PACKETS);
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
            assert!(black_box(each(&packets, *way)) > 0);
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
