//! The display filter in the window: its box, what it says of mistakes, and the list under it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use common::{Window, craft};
use eframe::egui::{Key, Modifiers};

/// Does what the engine's thread does, until all packets are tested.
fn sift(window: &mut Window) {
    let capture = window.bench().capture();
    let file = capture.file().unwrap().clone();
    capture.sieve().expect("there is no filter").work(&file, capture.flows(), &|| ());
    window.settle();
}

fn filter(window: &mut Window, text: &str) {
    window.fill("Display filter", text);
    if window.bench().capture().sieve().is_some() {
        sift(window);
    }
}

/// Twenty packets to port 80, an echo behind every fifth.
fn window() -> Window {
    let mut packets = Vec::new();
    for n in 0..20 {
        packets.push(
            craft(&format!("ip(src=10.0.0.1, dst=10.0.0.2)/tcp(srcport={}, dstport=80, flags=S)", 1000 + n))
                .bytes()
                .to_vec(),
        );
        if n % 5 == 4 {
            packets.push(craft("ip(src=10.0.0.3, dst=10.0.0.2)/icmp").bytes().to_vec());
        }
    }
    let mut window = Window::open();
    window.open_file(&packets);
    window
}

#[test]
fn the_list_shows_what_passes() {
    let mut window = window();
    window.must_say("24 packets");
    filter(&mut window, "icmp");
    window.must_say("4 of 24 packets");
    assert_eq!(window.rows(), [6, 12, 18, 24]);
    filter(&mut window, "tcp.srcport in {1003..1005}");
    assert_eq!(window.rows(), [4, 5, 7]);
    window.must_say("Wireshark");
    filter(&mut window, "host 10.0.0.3");
    assert_eq!(window.rows(), [6, 12, 18, 24]);
    window.must_say("tcpdump");
    filter(&mut window, "udp");
    window.must_say("No packet passes the filter.");
    window.click("Show all packets");
    window.must_say("24 packets");
    assert!(!window.says(" of 24 packets"));
    assert_eq!(window.value("Display filter"), "");
}

#[test]
fn a_mistake_is_shown_at_its_place_and_the_last_right_filter_holds() {
    let mut window = window();
    filter(&mut window, "icmp");
    window.fill("Display filter", "(icmp && tcp.srcprt == 1");
    window.must_say("^");
    window.must_say("tcp.srcport");
    sift(&mut window);
    assert_eq!(window.rows(), [6, 12, 18, 24]);
    filter(&mut window, "icmp && ip.src == 10.0.0.9");
    assert!(!window.says("^"));
    window.must_say("0 of 24 packets");
}

/// A segment that is acknowledged, comes again, and is acknowledged again.
fn repeated() -> Window {
    let ends = ["src=10.0.0.1, dst=10.0.0.2", "src=10.0.0.2, dst=10.0.0.1"];
    let data = format!("ip({})/tcp(srcport=4000, dstport=80, seq=7, ack=9, flags=PA)/\"data\"", ends[0]);
    let ack = format!("ip({})/tcp(srcport=80, dstport=4000, seq=9, ack=11, flags=A)", ends[1]);
    let mut window = Window::open();
    window.open_file(&[&data, &ack, &data, &ack].map(|text| craft(text).bytes().to_vec()));
    window
}

#[test]
fn a_filter_looks_at_the_packets_before() {
    let mut window = repeated();
    filter(&mut window, "tcp.analysis.retransmission");
    assert_eq!(window.rows(), [3]);
    filter(&mut window, "tcp.stream == 0 && tcp.ack == 5");
    assert_eq!(window.rows(), [2, 4]);
    window.fill("Display filter", "tcp.analysis.retransmission == 1");
    window.must_say("write the key alone");
}

#[test]
fn the_selected_packet_tells_what_those_before_it_say_of_it() {
    let mut window = repeated();
    let row = window.row(3);
    window.click(&row);
    window.must_say("Looking at the packets before…");
    let capture = window.bench().capture();
    // What the engine's thread does.
    capture.flows().work(&capture.file().unwrap().clone(), &|| true);
    window.settle();
    assert!(!window.says("Looking at the packets before…"));
    let title =
        "TCP stream 0 · This is a (suspected) retransmission · This is a (suspected) spurious retransmission";
    window.click(title);
    window.must_say("[Sequence Number, relative: 1]");
    window.must_say("[Bytes in flight: 4]");
    let row = window.row(4);
    window.click(&row);
    let capture = window.bench().capture();
    capture.flows().work(&capture.file().unwrap().clone(), &|| true);
    window.settle();
    window.must_say("[Duplicate ACK #: 1]");
    window.click("[Duplicate to the ACK in packet: 2]");
    assert_eq!(window.bench().capture().selected().map(|s| s.index), Some(1));
}

#[test]
fn the_keys_walk_over_the_packets_that_are_shown() {
    let mut window = window();
    filter(&mut window, "icmp");
    window.leave();
    let selected = |window: &Window| window.bench().capture().selected().map(|s| s.index + 1);
    for (key, number) in [
        (Key::ArrowDown, 6),
        (Key::ArrowDown, 12),
        (Key::End, 24),
        (Key::ArrowDown, 24),
        (Key::ArrowUp, 18),
        (Key::Home, 6),
    ] {
        window.key(Modifiers::NONE, key);
        assert_eq!(selected(&window), Some(number), "{key:?}");
    }
    let row = window.row(12);
    window.click(&row);
    assert_eq!(selected(&window), Some(12));
}

#[test]
fn packets_that_come_later_are_filtered_too() {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    window.fill("Display filter", "icmp");
    let echo = craft("ip(src=10.0.0.3, dst=10.0.0.2)/icmp").bytes().to_vec();
    let syn = craft("ip(src=10.0.0.3, dst=10.0.0.2)/tcp").bytes().to_vec();
    for (round, packets) in [[&echo, &syn], [&syn, &echo]].iter().enumerate() {
        for (n, packet) in packets.iter().enumerate() {
            spool.append(&common::record(round * 2 + n, packet)).unwrap();
        }
        spool.flush().unwrap();
        window.settle();
        sift(&mut window);
    }
    window.must_say("2 of 4 packets");
    assert_eq!(window.rows(), [1, 4]);
}

#[test]
fn a_shortcut_leads_to_the_box() {
    let mut window = window();
    window.key(Modifiers::COMMAND, Key::F);
    assert_eq!(window.focused().as_deref(), Some("Display filter"));
    window.type_text("icmp");
    sift(&mut window);
    assert_eq!(window.rows(), [6, 12, 18, 24]);
    window.key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::F);
    window.must_say("24 packets");
}

#[test]
fn a_capture_filter_that_is_wrong_starts_nothing() {
    let mut window = Window::open();
    window.give_sources();
    window.fill("Capture filter", "tcp prt 80");
    window.click("● Start");
    window.must_say("the capture filter is wrong");
    window.must_say("^^^");
    assert!(!window.bench().capture().is_busy());
    window.fill("Capture filter", "tcp port 80");
    window.click("● Start");
    assert!(window.bench().capture().is_busy());
}
