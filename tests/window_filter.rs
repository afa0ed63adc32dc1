//! The display filter in the window: its box, what it says of mistakes, and the list under it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::sync::atomic::AtomicBool;

use common::{Window, craft};
use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, pos2, vec2};
use rawbench::engine::{Hit, Search, find};
use rawbench::filter::Filter;
use rawbench::filter::complete::Words;

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

/// The lines that hang below a box: those that speak of keys, not of packets.
fn offered(window: &Window) -> Vec<String> {
    let lines = window.widgets().into_iter().filter(|w| w.1 == Role::ListBoxOption);
    lines.map(|w| w.0).filter(|name| !name.starts_with(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn what_may_come_next_hangs_below_the_box() {
    let mut window = window();
    window.focus("Display filter");
    assert_eq!(offered(&window), Vec::<String>::new());
    window.type_text("tcp.sr");
    assert!(offered(&window)[0].starts_with("tcp.srcport"), "{:?}", offered(&window));
    // Tab takes the first, and the box keeps the keyboard.
    window.key(Modifiers::NONE, Key::Tab);
    assert_eq!(window.value("Display filter"), "tcp.srcport ");
    assert_eq!(window.focused().as_deref(), Some("Display filter"));
    assert!(offered(&window)[0].starts_with("=="), "{:?}", offered(&window));
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::ArrowUp);
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.value("Display filter"), "tcp.srcport == ");
    window.type_text("1003");
    assert!(offered(&window).is_empty());
    sift(&mut window);
    assert_eq!(window.rows(), [4]);
}

#[test]
fn enter_and_escape_are_not_stolen() {
    let mut window = window();
    window.focus("Display filter");
    window.type_text("tcp");
    assert!(!offered(&window).is_empty());
    // Nothing is chosen: Enter applies what was typed.
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.value("Display filter"), "tcp");
    assert_eq!(window.focused(), None);
    assert!(offered(&window).is_empty());
    window.focus("Display filter");
    window.type_text(".");
    assert!(!offered(&window).is_empty());
    window.key(Modifiers::NONE, Key::Escape);
    assert!(offered(&window).is_empty());
    assert_eq!(window.focused().as_deref(), Some("Display filter"));
    window.must_say("^");
    // Above the first line nothing is chosen again.
    window.type_text("d");
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::ArrowUp);
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.value("Display filter"), "tcp.d");
}

#[test]
fn a_line_is_taken_by_the_pointer_too() {
    let mut window = window();
    window.focus("Capture filter");
    window.type_text("tcp po");
    let line = offered(&window)[0].clone();
    assert!(line.starts_with("port,"), "{line}");
    let place = window.get(&line).rect().center();
    window.click_at(place);
    assert_eq!(window.value("Capture filter"), "tcp port ");
    assert_eq!(window.focused().as_deref(), Some("Capture filter"));
    window.type_text("https");
    assert!(window.bench().capture_filter().error().is_none());
}

#[test]
fn what_was_applied_comes_back() {
    let mut window = window();
    let path = window.directory.path().join("settings/history.json");
    window.harness.state_mut().bench.keep_history(path.clone());
    for text in ["icmp", "tcp.srcport == 1003", "tcp.srcport ==", "icmp"] {
        window.fill("Display filter", text);
        window.key(Modifiers::NONE, Key::Enter);
    }
    assert_eq!(window.bench().history(Words::Display), ["icmp", "tcp.srcport == 1003"]);
    // Up in the unchanged box shows them; the second is older.
    window.focus("Display filter");
    window.key(Modifiers::NONE, Key::ArrowUp);
    assert_eq!(offered(&window), ["icmp", "tcp.srcport == 1003"]);
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.value("Display filter"), "tcp.srcport == 1003");
    sift(&mut window);
    assert_eq!(window.rows(), [4]);
    // The button shows them too, in the next window as well.
    let mut next = self::window();
    next.harness.state_mut().bench.keep_history(path.clone());
    next.click("Filters applied before");
    assert_eq!(offered(&next), ["tcp.srcport == 1003", "icmp"]);
    next.click("icmp");
    sift(&mut next);
    assert_eq!(next.rows(), [6, 12, 18, 24]);
    // A broken file is said and left alone.
    std::fs::write(&path, "{").unwrap();
    next.harness.state_mut().bench.keep_history(path.clone());
    next.settle();
    next.must_say("cannot read the filter history");
    next.fill("Display filter", "udp");
    next.key(Modifiers::NONE, Key::Enter);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
}

/// Opens the menu of what stands at a place.
fn menu_at(window: &mut Window, pos: Pos2) {
    window.send(Event::PointerMoved(pos));
    for pressed in [true, false] {
        window.send(Event::PointerButton {
            pos,
            button: PointerButton::Secondary,
            pressed,
            modifiers: Modifiers::NONE,
        });
    }
    window.settle();
}

/// Clicks an entry of a menu, which is in sight: to scroll to it would move what is behind.
fn choose(window: &mut Window, name: &str) {
    let place = window.get(name).rect().center();
    window.click_at(place);
}

#[test]
fn a_value_becomes_a_filter_by_its_menu() {
    let mut window = window();
    let row = window.row(4);
    window.click(&row);
    let line = |window: &Window| window.get("Source Port: 1003").rect().left_center() + vec2(30.0, 0.0);
    let place = line(&window);
    menu_at(&mut window, place);
    window.must_say("tcp.srcport == 1003");
    choose(&mut window, "Copy as filter");
    assert_eq!(window.copied, ["tcp.srcport == 1003"]);
    let place = line(&window);
    menu_at(&mut window, place);
    choose(&mut window, "Hide these");
    assert_eq!(window.value("Display filter"), "!(tcp.srcport == 1003)");
    sift(&mut window);
    window.must_say("23 of 24 packets");
    // A cell of the list: the source address of the echo.
    let row = window.row(6);
    let rect = window.get(&row).rect();
    menu_at(&mut window, pos2(rect.left() + 160.0, rect.center().y));
    window.must_say("ip.src == 10.0.0.3");
    choose(&mut window, "And these");
    assert_eq!(window.value("Display filter"), "!(tcp.srcport == 1003) && ip.src == 10.0.0.3");
    sift(&mut window);
    assert_eq!(window.rows(), [6, 12, 18, 24]);
    assert_eq!(window.bench().history(Words::Display).len(), 2);
}

#[test]
fn the_palette_makes_filters_of_the_selected_packet() {
    let mut window = window();
    let row = window.row(4);
    window.click(&row);
    window.key(common::CTRL, Key::K);
    window.type_text("filter: tcp.srcport");
    assert!(window.has("Filter: !(tcp.srcport == 1003)"));
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.value("Display filter"), "tcp.srcport == 1003");
    sift(&mut window);
    assert_eq!(window.rows(), [4]);
}

/// Does what the engine's thread does for a search, and tells the window.
fn seek(window: &mut Window, filter: &str, backwards: bool) {
    let ask = window.bench().find().seeks().expect("nothing is sought");
    let capture = window.bench().capture();
    let file = capture.file().unwrap().clone();
    let from = capture.selected().map(|s| s.index);
    let search = Search {
        filter: Filter::display(filter).unwrap(),
        within: None,
        flows: Default::default(),
        from,
        backwards,
    };
    let hit = find(&file, &search, &AtomicBool::new(false));
    window.event(rawbench::engine::Event::Found(ask, hit));
}

#[test]
fn the_next_match_is_found_without_hiding_the_others() {
    let mut window = window();
    let selected = |window: &Window| window.bench().capture().selected().map(|s| s.index + 1);
    window.key(Modifiers { alt: true, ..common::CTRL }, Key::F);
    assert_eq!(window.focused().as_deref(), Some("Find packet"));
    window.type_text("icmp");
    for number in [6, 12] {
        window.key(Modifiers::NONE, Key::Enter);
        window.must_say("seeking");
        seek(&mut window, "icmp", false);
        assert_eq!(selected(&window), Some(number));
    }
    window.key(Modifiers::SHIFT, Key::F3);
    seek(&mut window, "icmp", true);
    assert_eq!(selected(&window), Some(6));
    window.key(Modifiers::SHIFT, Key::F3);
    seek(&mut window, "icmp", true);
    assert_eq!(selected(&window), Some(24));
    window.must_say("on from the last packet");
    window.must_say("24 packets");
    // Text and bytes.
    window.click("Find by hex");
    window.fill("Find packet", "0a 00 00 0");
    window.must_say("odd number");
    window.fill("Find packet", "0a 00 00 03");
    window.click("Next");
    seek(&mut window, &rawbench::filter::pick::of_hex("0a 00 00 03").unwrap(), false);
    assert_eq!(selected(&window), Some(6));
    // What is given up says nothing more.
    window.key(Modifiers::NONE, Key::F3);
    let ask = window.bench().find().seeks().unwrap();
    window.click("Give up the search");
    window.event(rawbench::engine::Event::Found(ask, Ok(Some(Hit { position: 0, wrapped: false }))));
    assert_eq!(selected(&window), Some(6));
    window.must_say("given up");
    window.click("Close the search");
    assert!(!window.has("Find packet"));
}

#[test]
fn text_is_found_in_capitals_or_not() {
    for (text, bytes, found) in [
        ("get /", &b"GET / HTTP"[..], true),
        ("a.b", b"axb", false),
        ("say \"hi\"", b"Say \"Hi\"", true),
        ("\\x", b"\\x", true),
        ("é", "é".as_bytes(), true),
    ] {
        let filter = rawbench::filter::pick::of_text(text);
        let filter = Filter::display(&filter).unwrap_or_else(|e| panic!("{}", e.render(&filter)));
        let layers = rawbench::wire::dissect::Dissection::default();
        let facts = rawbench::filter::Facts::default();
        assert_eq!(
            filter.matches(&rawbench::filter::Packet { bytes, found: &layers, facts, flows: &[] }),
            found,
            "{text}"
        );
    }
}
