//! The values of application protocols equal tshark's 4.0, and hold when packets are cut.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use cli::{bytes, has_tshark};
use oracle::{Demand, compare, cut, whole};

/// Frames of Ethernet.
fn samples() -> Vec<Vec<u8>> {
    let lines = include_str!("oracle/apps.hex").lines();
    lines.filter(|l| !l.starts_with('#')).map(bytes).collect()
}

/// Keys that differ, each with its reason behind it.
fn differing(list: &'static str) -> Vec<&'static str> {
    list.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_whitespace().next()).collect()
}

#[test]
fn values_equal_tshark_s() {
    if !has_tshark() {
        return;
    }
    let but = differing(include_str!("oracle/apps_but.txt"));
    let wrong = compare(1, &whole(samples()), Demand::Equal, &but);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn cut_packets_give_at_least_what_tshark_gives() {
    if !has_tshark() {
        return;
    }
    let mut but = differing(include_str!("oracle/apps_but.txt"));
    but.extend(differing(include_str!("oracle/apps_cut_but.txt")));
    let samples = samples();
    for some in samples.chunks(8) {
        let mut packets = cut(some);
        for (nth, (packet, _)) in packets.iter_mut().enumerate() {
            another_flow(packet, nth as u16);
        }
        let wrong = compare(1, &packets, Demand::AtLeast, &but);
        assert!(wrong.is_empty(), "{wrong}");
    }
}

/// Moves the port that is not the server's: what looks like a repeated segment tshark does not read again.
fn another_flow(packet: &mut [u8], by: u16) {
    for at in [34, 36] {
        let Some(port) = packet.get_mut(at..at + 2) else { continue };
        let number = u16::from_be_bytes([port[0], port[1]]);
        if number >= 40000 {
            port.copy_from_slice(&(number + 1000 + by).to_be_bytes());
        }
    }
}
