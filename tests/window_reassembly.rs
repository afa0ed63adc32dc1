//! Fragments in the window: the datagram that they make, its layers and bytes, and the way from one fragment to another.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use common::{Window, craft};
use eframe::egui::{Event, Rect};
use egui_kittest::kittest::NodeT;
use rawbench::app::Command;
use rawbench::engine;

/// A UDP datagram of 1208 bytes with a right checksum, in IPv4, and its fragments: two of 600 bytes, and the last 8.
fn pieces(id: u16) -> (Vec<u8>, Vec<Vec<u8>>) {
    let text = format!("ip(src=10.0.0.1, dst=10.0.0.2, id={id})/udp(srcport=9999, dstport=9998)/zero(1200)");
    let whole = craft(&text).bytes().to_vec();
    let data = &whole[20..];
    let cut = |start: usize, end: usize| {
        let more = if end < data.len() { "M" } else { "0" };
        let hex: String = data[start..end].iter().map(|b| format!("{b:02x} ")).collect();
        let offset = start / 8;
        let text = format!(
            "ip(src=10.0.0.1, dst=10.0.0.2, id={id}, proto=17, flags={more}, frag_offset={offset})/hex({})",
            hex.trim_end()
        );
        craft(&text).bytes().to_vec()
    };
    let pieces = vec![cut(0, 600), cut(600, 1200), cut(1200, 1208)];
    (whole, pieces)
}

/// Answers what the window asks the engine for, as the engine would.
fn answer(window: &mut Window) {
    let ask = window.bench().sought().expect("nothing is sought");
    let file = window.harness.state().bench.capture().file().unwrap().clone();
    let position = window.bench().capture().selected().unwrap().index;
    let found = engine::reassemble(&file, position, &|| true);
    window.event(engine::Event::Reassembled(ask, found));
}

fn select(window: &mut Window, number: usize) {
    let row = window.row(number);
    window.click(&row);
}

/// A window with three fragments, last one first, and a packet that is none.
fn with_fragments() -> Window {
    let (_, pieces) = pieces(7);
    let mut window = Window::open();
    let mut packets: Vec<_> = pieces.into_iter().rev().collect();
    packets.extend(common::syns(1));
    window.open_file(&packets);
    window
}

const LINKS: [&str; 3] = [
    "Packet 3: bytes 0 to 599 (600 bytes)",
    "Packet 2: bytes 600 to 1199 (600 bytes)",
    "Packet 1: bytes 1200 to 1207 (8 bytes)",
];

#[test]
fn a_fragment_shows_what_its_datagram_is() {
    let mut window = with_fragments();
    select(&mut window, 2);
    window.must_say("Looking for the other fragments");
    answer(&mut window);
    assert!(!window.says("Looking for"));
    window.must_say("Reassembled IPv4 (600+600+8 bytes in packets #3, #2, #1)");
    window.must_say("Source Port: 9999");
    assert!(
        window.texts().iter().any(|t| t.starts_with("Checksum: 0x") && t.ends_with(" good")),
        "{:?}",
        window.texts()
    );
    assert!(window.has(LINKS[0]) && window.has(LINKS[2]));
    // The one that is looked at is no way to anywhere.
    window.must_say(LINKS[1]);
    select(&mut window, 4);
    assert!(window.bench().sought().is_none() && !window.says("Reassembled"), "that one is no fragment");
}

#[test]
fn the_way_leads_from_fragment_to_fragment() {
    let mut window = with_fragments();
    select(&mut window, 2);
    answer(&mut window);
    window.click(LINKS[0]);
    assert_eq!(window.bench().capture().selected().unwrap().index, 2);
    window.must_say("Reassembled IPv4");
    answer(&mut window);
    window.click(LINKS[2]);
    assert_eq!(window.bench().capture().selected().unwrap().index, 0);
    answer(&mut window);
    assert!(window.has(LINKS[1]));
}

#[test]
fn the_bytes_have_a_tab_for_the_whole() {
    let (whole, _) = pieces(7);
    let mut window = with_fragments();
    select(&mut window, 1);
    assert!(!window.has("Packet (28 bytes)"), "no tabs where there is but one thing to show");
    answer(&mut window);
    assert!(window.is_on("Packet (28 bytes)"));
    let line = |bytes: &[u8], at: usize| rawbench::wire::dump::line(at, &bytes[at..at + 16]);
    assert!(!window.says(&line(&whole, 32)));
    window.click("Reassembled IPv4 (1228 bytes)");
    assert!(window.is_on("Reassembled IPv4 (1228 bytes)"));
    window.must_say(&line(&whole, 0));
    window.must_say(&line(&whole, 16));
    // Another packet begins with its own bytes.
    select(&mut window, 2);
    answer(&mut window);
    assert!(window.is_on("Packet (620 bytes)"));
}

#[test]
fn the_bytes_follow_what_is_pointed_at() {
    let mut window = with_fragments();
    select(&mut window, 1);
    answer(&mut window);
    let point = |window: &mut Window, text: &str| {
        let line = |window: &Window| -> Rect {
            let nodes = window.harness.root().children_recursive();
            let found: Vec<_> = nodes
                .filter(|n| {
                    let node = n.accesskit_node();
                    [node.value(), node.label()].iter().flatten().any(|t| t.starts_with(text))
                })
                .collect();
            assert_eq!(found.len(), 1, "{text}");
            found[0].scroll_to_me();
            found[0].rect()
        };
        line(window);
        window.settle();
        let place = line(window).center();
        window.send(Event::PointerMoved(place));
        window.settle();
    };
    point(&mut window, "Source Port: 9999");
    assert!(window.is_on("Reassembled IPv4 (1228 bytes)"));
    point(&mut window, "Internet Protocol Version 4, 10.0.0.1 → 10.0.0.2, fragment");
    assert!(window.is_on("Packet (28 bytes)"));
}

#[test]
fn what_is_missing_is_said_and_sought_again_when_packets_come() {
    let (_, pieces) = pieces(9);
    let mut window = Window::open();
    let mut spool = window.start_capture();
    let mut put = |number: usize, bytes: &[u8]| {
        spool.append(&common::record(number, bytes)).unwrap();
        spool.flush().unwrap();
    };
    put(0, &pieces[0]);
    put(1, &pieces[2]);
    window.settle();
    window.harness.state_mut().bench.apply(Command::Select(Some(0)));
    window.settle();
    answer(&mut window);
    window.must_say("IPv4 datagram 0x0009 is not whole: 2 fragments are here, bytes 600 to 1199 missing");
    assert!(window.has("Packet 2: bytes 1200 to 1207 (8 bytes)"));
    assert!(window.bench().sought().is_none(), "nothing has come since");
    put(2, &pieces[1]);
    std::thread::sleep(std::time::Duration::from_millis(520));
    window.frame();
    answer(&mut window);
    window.must_say("Reassembled IPv4 (600+600+8 bytes in packets #1, #3, #2)");
    assert!(window.bench().sought().is_none());
}

#[test]
fn an_answer_that_comes_too_late_is_dropped() {
    let mut window = with_fragments();
    select(&mut window, 1);
    let ask = window.bench().sought().unwrap();
    let file = window.bench().capture().file().unwrap().clone();
    let found = engine::reassemble(&file, 0, &|| true);
    select(&mut window, 4);
    window.event(engine::Event::Reassembled(ask, found));
    assert!(!window.says("Reassembled"));
}
