//! The marks of the rows, the reasons, and the table of exchanges in the window.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use common::{CTRL, CTRL_SHIFT, Window, craft};
use eframe::egui::Key;
use rawbench::app::{Command, ExchangeCommand, Question, Request};

/// Two exchanges with their answers, one that has none, and a reset of the kernel that asked. Each second packet comes in.
fn packets() -> Vec<Vec<u8>> {
    let to = |port: u16, tcp: &str| {
        format!("ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport={port}, {tcp})")
    };
    let from = |port: u16, tcp: &str| {
        format!("ip(src=10.77.0.2, dst=10.77.0.1)/tcp(srcport={port}, dstport=40000, {tcp})")
    };
    let all = [
        to(80, "seq=1000, flags=S"),
        from(80, "seq=7, ack=1001, flags=S."),
        to(80, "seq=1001, flags=R"),
        "ip(src=10.77.0.9, dst=10.77.0.1)/icmp(type=8)".into(),
        to(81, "seq=1, flags=S"),
        from(81, "seq=0, ack=2, flags=R."),
        to(82, "seq=1, flags=S"),
    ];
    all.iter().map(|text| craft(text).bytes().to_vec()).collect()
}

/// Has the work done that the matcher's thread does.
fn trace(window: &mut Window) {
    let capture = window.bench().capture();
    let file = capture.file().unwrap().clone();
    capture.exchanges().work(&file, &|| true, &|| ());
    window.harness.ctx.request_repaint();
    window.settle();
}

fn selected(window: &Window) -> usize {
    window.bench().capture().selected().unwrap().index + 1
}

#[test]
fn rows_say_what_answers_what_and_lead_there() {
    let mut window = Window::open();
    window.open_file(&packets());
    assert!(!window.row(2).contains("answer"), "nobody asked");
    window.harness.state_mut().bench.apply(Command::Exchanges(ExchangeCommand::Trace));
    window.settle();
    trace(&mut window);
    assert!(window.row(2).contains("answer to 1 in"), "{}", window.row(2));
    assert!(window.row(3).contains("reset by the kernel of the sender"), "{}", window.row(3));
    assert!(window.row(1).contains("answered by 2"), "{}", window.row(1));
    let row = window.row(7);
    window.click(&row);
    window.must_say("asks, and has no answer in this capture");
    window.click("Packet 6: answer to 5 in 1.000 ms, go to packet 5");
    assert_eq!(selected(&window), 5);
    window.must_say("acknowledges 2 = sequence 1 + SYN 1 (RFC 9293 3.10.7.1)");
    window.key(CTRL, Key::P);
    assert_eq!(selected(&window), 6);
    window.key(CTRL, Key::P);
    assert_eq!(selected(&window), 5);
    let row = window.row(3);
    window.click(&row);
    window.must_say("the kernel of its sender knows nothing of this connection");
}

#[test]
fn the_table_counts_filters_the_times_and_is_exported() {
    let mut window = Window::open();
    window.open_file(&packets());
    window.key(CTRL_SHIFT, Key::J);
    window.must_say("Looking for what answers what");
    trace(&mut window);
    let median = window.bench().exchange_table().total.rtt_ns.unwrap()[1];
    let median = rawbench::wire::value::duration(median);
    let all = format!("Exchanges to All destinations: 3 sent, 2 answered, median {median}");
    assert!(window.is_on(&all), "no destination is chosen: {:#?}", window.names());
    assert!(window.has("Round-trip times of 2 exchanges over time"));
    assert!(window.has("Histogram of 2 round-trip times"));
    window.click("Exchanges to 10.77.0.2:82: 1 sent, 0 answered");
    trace(&mut window);
    window.must_say("there is no round-trip time to draw");
    window.click(&all);
    trace(&mut window);
    // A click on a point leads to the answer: the points stand at the left and the right end of the picture.
    let place = window.get("Round-trip times of 2 exchanges over time").rect();
    let mut x = place.right() - 1.0;
    while window.bench().capture().selected().is_none() && x > place.left() {
        window.click_at(eframe::egui::pos2(x, place.center().y));
        x -= 8.0;
    }
    assert_eq!(selected(&window), 6);
    window.click("Export…");
    let asked = window.harness.state_mut().bench.take_requests();
    assert!(asked.is_empty() || matches!(asked[..], [Request::AskExport(_)]), "{asked:?}");
    window.harness.state_mut().bench.ask_path(Question::ExportPath);
    window.settle();
    window.must_say("Export the exchanges as CSV or .json");
    window.harness.state_mut().bench.path_cancelled();
    window.settle();
    window.click("Tree");
    window.must_say("acknowledges 2 = sequence 1 + SYN 1");
}
