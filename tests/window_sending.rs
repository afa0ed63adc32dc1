//! Streams in the window: fields that vary, progress, and packets of the list that are sent again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::time::Duration;

use common::{CTRL, Window, syns};
use eframe::egui::Key;
use rawbench::app::{Again, Command, StreamCommand};
use rawbench::craft::print::Detail;
use rawbench::craft::stream::Stream;
use rawbench::engine::{
    Checksums, Happened, Held, Pace, Progress, State, Summary, Told, Transmitted, Unsendable, Via,
};

fn tell(window: &mut Window, told: Told) {
    window.harness.state_mut().bench.take_told(told);
    window.settle();
}

fn progress(window: &mut Window, sent: u64, errors: &[(&str, u64)]) {
    let progress = Progress {
        state: State::Running,
        sent,
        elapsed: Duration::from_secs(1),
        errors: errors.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
        ..Progress::default()
    };
    tell(window, Told::Happened(Happened::Progress(Box::new(progress))));
}

/// A window with a capture that runs and a stream that began.
fn streaming() -> Window {
    let mut window = Window::open();
    window.give_sources();
    let spool = window.start_capture();
    drop(spool);
    window.click("Stream");
    window.fill("Stream amount", "5000");
    window.click("Send");
    assert!(window.bench().streams().is_running());
    tell(&mut window, Told::Ready { total: Some(5000), notes: Vec::new() });
    window
}

#[test]
fn a_field_varies_where_a_generator_is_typed_and_shows_the_first_packet() {
    let mut window = Window::open();
    window.fill("TCP Source Port", "random(1024..65535)");
    window.leave();
    assert_eq!(window.value("TCP Source Port"), "random(1024..65535)");
    assert!(window.has("Hold TCP Source Port"), "nothing marks the field");
    window.must_say("a field varies: this sends the first packet");
    let first = |window: &Window, seed| Stream::of(window.draft().clone()).seeded(seed).packet(0);
    assert_eq!(window.draft().bytes(), first(&window, 1).bytes());
    assert!(window.draft().notation(Detail::Short).contains("srcport=random(1024..65535)"));

    window.fill("IPv4 Time to Live", "30..2 step 2");
    window.fill("TCP Destination Port", "[80, 443]");
    window.leave();
    let bytes = window.draft().bytes();
    assert_eq!((bytes[8], u16::from_be_bytes([bytes[22], bytes[23]])), (30, 80));
    window.click("Stream");
    window.must_say("3 vary");
    window.fill("Stream seed", "7");
    assert_eq!(window.draft().bytes(), first(&window, 7).bytes(), "another seed, another first packet");

    window.leave();
    window.click("Hold IPv4 Time to Live");
    assert_eq!(window.value("IPv4 Time to Live"), "30");
    window.key(CTRL, Key::Z);
    assert_eq!(window.value("IPv4 Time to Live"), "30..2 step 2", "undo brings it back");
}

#[test]
fn a_range_that_does_not_fit_is_refused_and_nothing_is_sent() {
    let mut window = Window::open();
    window.give_sources();
    window.fill("IPv4 Time to Live", "1..300");
    assert_eq!(window.value("IPv4 Time to Live"), "1..300");
    window.must_say("0 to 255");
    window.click("Send");
    assert!(!window.bench().capture().is_busy(), "it was sent");
    window.fill("IPv4 Time to Live", "64");
    assert!(!window.says("0 to 255"));
    window.click("Stream");
    for (field, text, why) in [
        ("Stream amount", "ten", "a number of packets"),
        ("Stream rate", "fast", "packets a second"),
        ("Stream seed", "x", "a number from 0 on"),
    ] {
        let before = window.value(field);
        window.fill(field, text);
        window.must_say(why);
        window.key(CTRL, Key::Enter);
        assert!(!window.bench().streams().is_running() && !window.bench().capture().is_busy());
        window.fill(field, &before);
    }
}

#[test]
fn a_stream_listens_first_and_tells_how_far_it_is() {
    let mut window = Window::open();
    window.give_sources();
    window.click("Stream");
    window.click("Send");
    assert!(window.bench().capture().is_busy() && !window.bench().streams().is_running());
    drop(window.start_capture());
    assert!(window.bench().streams().is_running(), "it goes out once the capture listens");

    tell(&mut window, Told::Ready { total: Some(1000), notes: Vec::new() });
    progress(&mut window, 500, &[("ENOBUFS", 3)]);
    window.must_say("500 of 1 000 sent · 500/s (1 000 asked) · 3 not sent: ENOBUFS 3");
    tell(&mut window, Told::Counted("rb0".into(), Transmitted { packets: 501, dropped: 2 }));
    window.must_say("rb0 counted 501, dropped 2");
    window.click("Pause the stream");
    window.must_say(", paused");
    window.click("Continue the stream");
    assert!(!window.says(", paused"));
    window.click("Stop the stream");
    window.must_say(", stopping");
    let summary = Summary { sent: 600, seconds: 1.2, stopped: true, ..Summary::default() };
    tell(&mut window, Told::Over(Ok(Box::new(summary))));
    window.must_say("600 sent, stopped · 500/s (1 000 asked)");
    assert!(window.next_frame_in() > Duration::from_secs(1), "it costs frames after its end");
    window.click("Forget the stream");
    assert!(!window.says("600 sent"));
}

#[test]
fn a_stream_that_runs_is_not_started_twice() {
    let mut window = streaming();
    progress(&mut window, 10, &[]);
    window.key(CTRL, Key::Enter);
    window.must_say("10 of 5 000 sent");
    window.click("Once");
    window.click("Stop the stream");
    window.must_say(", stopping");
}

#[test]
fn what_the_list_shows_is_sent_again() {
    let mut window = Window::open();
    window.give_sources();
    window.open_file(&syns(3));
    window.click("Send these packets again");
    window.must_say("Send 3 packets again");
    window.must_say("no capture runs");
    window.fill("Factor", "0");
    window.must_say("a number above 0");
    window.fill("Factor", "2.5");
    window.click("recompute");
    window.click("Send them");
    let run = window.bench().streams().run().unwrap();
    assert_eq!(run.pace, Some(Pace::Recorded(2.5)));

    let why = "it has 4000 bytes, larger than the MTU of rb0, 1500 bytes".to_owned();
    let packets = vec![Unsendable { number: 2, why }];
    tell(&mut window, Told::Held(Held { packets, of: 3 }));
    assert!(!window.bench().streams().is_running());
    window.must_say("1 of 3 cannot be sent as they are; nothing was sent");
    window.must_say("packet 2: it has 4000 bytes");
    window.click("Send the other 2");
    assert!(window.bench().streams().is_running());
    window.click("Stop the stream");
}

#[test]
fn packets_are_sent_again_only_when_the_person_says_so() {
    let mut window = Window::open();
    window.give_sources();
    window.open_file(&syns(3));
    window.click("Send these packets again");
    window.click("Cancel");
    assert!(window.bench().streams().run().is_none() && window.bench().question().is_none());
    let again = Again { via: Via::Ip, pace: Pace::Max, checksums: Checksums::Keep, leave_out: false };
    window.harness.state_mut().bench.apply(Command::Stream(StreamCommand::Again(again)));
    assert!(window.bench().streams().run().is_none(), "nobody was asked");
}
