//! Reply, the switch of the reset guard and the ladder, in the window.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use common::{CTRL, CTRL_SHIFT, Window, craft};
use eframe::egui::{Event, Key, Modifiers, PointerButton};
use rawbench::app::{Command, Hold};
use rawbench::engine;

/// A handshake with a page, as the two ends send it.
fn handshake() -> Vec<Vec<u8>> {
    let ours = |tcp: &str| format!("ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, {tcp})");
    let theirs =
        |tcp: &str| format!("ip(src=10.77.0.2, dst=10.77.0.1)/tcp(srcport=80, dstport=40000, {tcp})");
    let all = [
        ours("seq=1, flags=S"),
        theirs("seq=4294967290, ack=2, flags=S."),
        ours("seq=2, ack=4294967291, flags=."),
        ours("seq=2, ack=4294967291, flags=P.") + "/\"GET\"",
        "ip(src=10.77.0.9, dst=10.77.0.1)/icmp(type=8)".into(),
        theirs("seq=4294967291, ack=5, flags=FP.") + "/\"the page\"",
        ours("seq=5, ack=4, flags=R."),
    ];
    all.iter().map(|text| craft(text).bytes().to_vec()).collect()
}

/// Has the work done that the sifter's thread does.
fn sift(window: &mut Window) {
    let bench = window.bench();
    let sieve = std::sync::Arc::clone(bench.ladder().unwrap().unwrap().sieve());
    let file = bench.capture().file().unwrap().clone();
    sieve.work(&file, bench.capture().flows(), &|| ());
    window.harness.ctx.request_repaint();
    window.settle();
}

fn select(window: &mut Window, number: usize) {
    let row = window.row(number);
    window.click(&row);
}

const REPLY: &str =
    "ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, seq=2, ack=4294967291, flags=.)";

#[test]
fn reply_fills_the_builder_and_the_payload_is_next() {
    let mut window = Window::open();
    window.open_file(&handshake());
    select(&mut window, 2);
    window.click("Reply");
    assert_eq!(window.draft().bytes(), craft(REPLY).bytes());
    window.must_say("reply to 2: ACK, the connection is open");
    assert_eq!(window.focused().as_deref(), Some("Payload"));
    window.type_text("GET");
    assert_eq!(
        window.draft().bytes(),
        craft(&format!("{REPLY}/\"GET\"")).bytes(),
        "no flag is changed by that"
    );
    window.leave();
    window.key(CTRL, Key::Z);
    window.key(CTRL, Key::Z);
    assert_eq!(window.value("TCP Sequence Number"), "1", "it is undone as a whole");
}

#[test]
fn reply_is_in_reach_of_the_keyboard_and_in_the_menu_of_a_row() {
    let mut window = Window::open();
    window.open_file(&handshake());
    window.key(CTRL_SHIFT, Key::Enter);
    window.must_say("nothing has come back");
    let sent = "ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport=80, flags=S)";
    window.harness.state_mut().bench.apply(Command::LoadNotation(sent.into()));
    window.key(CTRL_SHIFT, Key::Enter);
    window.must_say("reply to 6: ACK of 8 bytes and FIN");
    assert!(window.is_on("TCP Finish") && window.is_on("TCP Acknowledgment"));
    assert_eq!(window.value("TCP Acknowledgment Number"), "4");
    select(&mut window, 2);
    window.key(CTRL_SHIFT, Key::R);
    assert_eq!(window.draft().bytes(), craft(REPLY).bytes());
    let row = window.row(5);
    let pos = window.get(&row).rect().center();
    window.send(Event::PointerMoved(pos));
    for pressed in [true, false] {
        let button = PointerButton::Secondary;
        window.send(Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
    }
    window.settle();
    // One in the menu, one beside the packet.
    let menu = window.all("Reply").into_iter().map(|n| n.rect().center()).find(|c| c.distance(pos) < 200.0);
    let menu = menu.expect("no menu at the row");
    window.click_at(menu);
    window.must_say("reply to 5: ICMP echo reply");
}

#[test]
fn what_has_no_answer_says_so_and_the_builder_keeps_its_packet() {
    let mut window = Window::open();
    window.open_file(&handshake());
    let before = window.draft().clone();
    select(&mut window, 7);
    window.click("Reply");
    window.must_say("packet 7: a reset ends the connection");
    assert_eq!(*window.draft(), before);
}

#[test]
fn the_switch_holds_the_port_and_says_so() {
    let mut window = Window::open();
    window.give_sources();
    window.click("Hold this port");
    assert_eq!(window.bench().hold(), Hold::Asked(40000));
    let port = (engine::Place::Lab, 40000);
    window.event(engine::Event::Held(Some(port), Ok(())));
    assert!(window.is_on("Hold this port"));
    window.must_say("port 40000 held");
    window.fill("TCP Source Port", "41");
    assert_eq!(window.bench().hold(), Hold::Held(40000), "half a port is none");
    window.type_text("000");
    window.leave();
    assert_eq!(window.bench().hold(), Hold::Asked(41000));
    let refused = engine::Failure::new("cannot hold TCP port 41000: it is taken");
    window.event(engine::Event::Held(Some((engine::Place::Lab, 41000)), Err(refused)));
    window.must_say("it is taken");
    assert!(!window.is_on("Hold this port"));
    window.key(CTRL, Key::H);
    assert_eq!(window.bench().hold(), Hold::Asked(41000));
}

#[test]
fn the_ladder_shows_the_conversation_and_selects() {
    let mut window = Window::open();
    window.open_file(&handshake());
    select(&mut window, 6);
    window.click("Ladder");
    sift(&mut window);
    window.must_say("6 packets");
    let right = "10.77.0.1:40000 to 10.77.0.2:80";
    let left = "10.77.0.2:80 to 10.77.0.1:40000";
    for arrow in [
        format!("Arrow 1: {right} SYN  seq 0"),
        format!("Arrow 2: {left} SYN ACK  seq 0  ack 1"),
        format!("Arrow 4: {right} PSH ACK  seq 1  ack 1  len 3"),
        format!("Arrow 6: {left} FIN PSH ACK  seq 1  ack 4  len 8"),
        format!("Arrow 7: {right} RST ACK  seq 4  ack 10"),
    ] {
        assert_eq!(window.all(&arrow).len(), 1, "{arrow}");
    }
    window.click(&format!("Arrow 2: {left} SYN ACK  seq 0  ack 1"));
    assert_eq!(window.bench().capture().selected().unwrap().index, 1);
    // By the keyboard too: the next arrow.
    window.get(&format!("Arrow 4: {right} PSH ACK  seq 1  ack 1  len 3")).focus();
    window.settle();
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.bench().capture().selected().unwrap().index, 3);
    window.leave();
    // Another conversation, then none at all.
    select(&mut window, 5);
    sift(&mut window);
    window.must_say("1 packet");
    window.key(CTRL, Key::J);
    assert!(window.is_on("Tree"));
    assert!(window.bench().ladder().is_none());
}
