//! A captured packet beside the one that was asked for, in the window.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use common::{CTRL, Window, craft, record};
use eframe::egui::Key;
use rawbench::app::{Below, Command, Part};
use rawbench::pcap::Spool;
use rawbench::wire::value::hex_pairs;

const PROBE: &str =
    "ip(src=10.77.0.1, dst=10.77.0.2, id=0, ttl=5)/udp(srcport=40000, dstport=33434)/\"hello\"";

/// A capture that runs, in which the packet was sent, and what came by: the packet with an identification that the
/// kernel filled in, another packet, an ICMP error from a router behind a NAT.
fn sent() -> (Window, Spool) {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    window.harness.state_mut().bench.apply(Command::LoadNotation(PROBE.into()));
    window.click("Send");
    let left = craft(&PROBE.replace("id=0", "id=0x1234"));
    let other = craft("ip(src=10.77.0.9, dst=10.77.0.1)/icmp(type=8)");
    let translated = craft(
        &PROBE.replace("id=0", "id=0x1234").replace("10.77.0.1", "192.0.2.7").replace("ttl=5", "ttl=1"),
    );
    let quote = hex_pairs(&translated.bytes()[..28]);
    let error = craft(&format!("ip(src=10.9.9.9, dst=10.77.0.1)/icmp(type=11)/hex({quote})"));
    for (number, packet) in [left, other, error].iter().enumerate() {
        spool.append(&record(number, packet.bytes())).unwrap();
    }
    spool.flush().unwrap();
    window.harness.ctx.request_repaint();
    window.settle();
    (window, spool)
}

fn select(window: &mut Window, number: usize) {
    let row = window.row(number);
    window.click(&row);
}

#[test]
fn the_packet_that_was_sent_is_offered_with_its_differences() {
    let (mut window, _spool) = sent();
    select(&mut window, 1);
    window.must_say("The packet that you sent, with 2 differences.");
    // The button of the offer, not the form of the same name.
    let offer =
        window.all("Compare").into_iter().map(|n| n.rect().center()).max_by(|a, b| a.y.total_cmp(&b.y));
    window.click_at(offer.unwrap());
    assert!(window.bench().below() == Below::Compare);
    assert_eq!(window.value("Compare with"), "the packet sent last");
    window.must_say("Seen with 2 differences");
    for line in [
        "Identification: asked 0x0000, seen 0x1234, differs 0 was asked for: the kernel fills it in",
        "Time to Live: asked 5, seen 5",
        "Source Port: asked 40000, seen 40000",
    ] {
        assert_eq!(window.all(line).len(), 1, "{line} {:#?}", window.texts());
    }
    window.click("Only differences");
    assert!(!window.has("Time to Live: asked 5, seen 5"));
    assert!(
        window.has(
            "Identification: asked 0x0000, seen 0x1234, differs 0 was asked for: the kernel fills it in"
        )
    );
    window.click("Copy the comparison");
    let copied = window.copied.last().unwrap();
    assert!(copied.starts_with("ip.id        0x0000 → 0x1234  0 was asked for"), "{copied}");
    // The draft is another by now.
    window.harness.state_mut().bench.apply(Command::LoadNotation(PROBE.replace("ttl=5", "ttl=9")));
    window.settle();
    window.must_say("Seen with 2 differences");
    window.click("Compare with");
    window.click("the packet in the builder");
    assert!(window.has("Time to Live: asked 9, seen 5, differs routers count it down: 4 on the way"));
    // The tree again.
    window.leave();
    window.click("Tree");
    assert!(window.bench().below() != Below::Compare && window.is_on("Tree"));
}

#[test]
fn what_an_error_quotes_is_compared() {
    let (mut window, _spool) = sent();
    select(&mut window, 3);
    window.must_say("It quotes the packet that you sent, with 5 differences (1 value not quoted).");
    window.leave();
    window.key(CTRL, Key::D);
    assert!(window.is_on("What it quotes"));
    assert!(
        window.has("Source Address: asked 10.77.0.1, seen 192.0.2.7, differs translated on the way (NAT)")
    );
    assert!(window.has("Time to Live: asked 5, seen 1, differs routers count it down: 4 on the way"));
    window.click("This packet");
    window.must_say("only in what was seen");
    window.click("What it quotes");
    window.leave();
    window.key(CTRL, Key::D);
    assert!(window.bench().below() != Below::Compare);
}

#[test]
fn any_packet_is_compared_with_the_draft() {
    let (mut window, _spool) = sent();
    select(&mut window, 2);
    assert!(window.bench().witness().is_none() && !window.says("The packet that you sent"));
    window.click("Compare");
    assert_eq!(window.value("Compare with"), "the packet in the builder");
    assert_eq!(window.bench().compared().unwrap().part, Part::Packet);
    assert!(window.has("Source Address: asked 10.77.0.1, seen 10.77.0.9, differs"));
    // The ladder takes its place, and gives it back.
    window.leave();
    window.key(CTRL, Key::J);
    assert!(window.bench().below() != Below::Compare && window.is_on("Ladder"));
    window.key(CTRL, Key::D);
    assert!(window.bench().below() != Below::Ladder && window.is_on("Compare"));
    // Nothing selected: it is said what to do.
    window.harness.state_mut().bench.apply(Command::Select(None));
    window.settle();
    window.must_say("Select a packet to see it beside");
}
