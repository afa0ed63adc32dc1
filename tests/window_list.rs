//! The packet list of the window: columns, order, colours, gaps, and the ways through it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::path::{Path, PathBuf};

use common::{CTRL, CTRL_SHIFT, Window, craft};
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, pos2};
use rawbench::app::{Command, Line, ListCommand, Workbench};
use rawbench::engine::{Flows, Sorter};
use rawbench::pcap::{Format, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord, Writer};

fn syn(port: u16, ttl: u8) -> Vec<u8> {
    craft(&format!("ip(src=10.0.0.{ttl}, dst=10.77.0.2, ttl={ttl})/tcp(srcport={port}, dstport=80, flags=S)"))
        .bytes()
        .to_vec()
}

/// Packets with these ports, an echo behind the third.
fn packets() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        [(900, 60), (80, 100), (8080, 9), (900, 61), (443, 200)].map(|(port, ttl)| syn(port, ttl)).to_vec();
    all.insert(3, craft("ip(src=10.0.0.3, dst=10.0.0.2)/icmp").bytes().to_vec());
    all
}

/// Does what the engine's thread does.
fn sort(window: &mut Window) {
    let capture = window.bench().capture();
    let file = capture.file().unwrap().clone();
    let sieve = capture.sieve();
    if let Some(sieve) = sieve {
        sieve.work(&file, &Flows::default(), &|| ());
    }
    let sorter: &Sorter = &capture.sorted().expect("nothing is sorted").sorter;
    sorter.work(&file, sieve, &Flows::default(), &|| ());
    window.settle();
}

/// The numbers of the packets in sight, from above.
fn rows(window: &Window) -> Vec<usize> {
    let mut rows: Vec<(usize, f32)> = window
        .widgets()
        .into_iter()
        .filter(|w| w.1 == eframe::egui::accesskit::Role::ListBoxOption)
        .filter_map(|w| Some((w.0.split(' ').next()?.parse().ok()?, w.2.top())))
        .collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    rows.into_iter().map(|row| row.0).collect()
}

fn list(window: &mut Window, command: ListCommand) {
    window.harness.state_mut().bench.apply(Command::List(command));
    window.settle();
}

fn titles(bench: &Workbench) -> Vec<&str> {
    bench.list().settings().columns.iter().map(|c| c.title.as_str()).collect()
}

fn column(title: &str) -> String {
    format!("Column {title}")
}

fn selected(window: &Window) -> Option<usize> {
    window.bench().capture().selected().map(|s| s.index + 1)
}

fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    for event in [
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(pos2((from.x + to.x) / 2.0, to.y)),
        Event::PointerMoved(to),
        button(to, false),
    ] {
        window.send(event);
    }
    window.settle();
}

#[test]
fn any_key_can_be_a_column_and_shows_what_read_prints() {
    let mut window = Window::open();
    let path = window.open_file(&packets());
    window.click("Columns");
    assert_eq!(window.focused().as_deref(), Some("New column"));
    window.type_text("tcp.srcport");
    window.key(Modifiers::NONE, Key::Enter);
    window.type_text("time to live");
    window.click("Add the column ip.ttl");
    window.fill("New column", "tcp.srcprt");
    window.must_say("did you mean tcp.srcport?");
    window.fill("Title of column 8", "From");
    window.click("Close");
    assert_eq!(titles(window.bench())[6..], ["Length", "From", "ip.ttl", "Info"]);
    window.click_at(Pos2::ZERO);
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_rawbench"))
        .args(["read", "-e", "tcp.srcport", "-e", "ip.ttl"])
        .arg(&path)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.lines().count(), 6);
    for (number, line) in (1..).zip(printed.lines()) {
        let (port, ttl) = line.split_once('\t').unwrap();
        let row = window.row(number);
        assert_eq!(row.contains(&format!(" From {port}")), !port.is_empty(), "{row}");
        assert!(row.contains(&format!(" ip.ttl {ttl}")), "{row}: {line}");
    }
    list(&mut window, ListCommand::RemoveColumn(7));
    assert!(!window.row(1).contains("From"));
    window.key(CTRL, Key::L);
    window.click("As they were at first");
    window.key(Modifiers::NONE, Key::Escape);
    assert!(!window.has("New column"));
    assert_eq!(titles(window.bench()).len(), 8);
}

#[test]
fn a_field_of_the_tree_becomes_a_column() {
    let mut window = Window::open();
    window.open_file(&packets());
    window.key(Modifiers::NONE, Key::ArrowDown);
    let line = window.harness.root();
    let line = egui_kittest::kittest::Queryable::get_by_label(&line, "Source Port: 900").rect().center();
    for pressed in [true, false] {
        window.send(Event::PointerMoved(line));
        window.send(Event::PointerButton {
            pos: line,
            button: PointerButton::Secondary,
            pressed,
            modifiers: Modifiers::NONE,
        });
    }
    window.settle();
    window.click("Apply as column: tcp.srcport");
    assert!(titles(window.bench()).contains(&"tcp.srcport"));
    assert!(window.row(2).contains("tcp.srcport 80"));
}

#[test]
fn a_title_sorts_up_and_down_and_not_at_all() {
    let mut window = Window::open();
    window.open_file(&packets());
    list(&mut window, ListCommand::AddColumn("tcp.srcport".into(), None));
    let title = column("tcp.srcport");
    window.click(&title);
    window.must_say("sorting by tcp.srcport");
    assert_eq!(rows(&window), [1, 2, 3, 4, 5, 6], "until it is done the order is as it was");
    sort(&mut window);
    window.must_say("sorted by tcp.srcport");
    // By number, equal ones as they came, the echo without a port last.
    assert_eq!(rows(&window), [2, 6, 1, 5, 3, 4]);
    window.key(Modifiers::NONE, Key::Home);
    assert_eq!(selected(&window), Some(2));
    window.key(Modifiers::NONE, Key::ArrowDown);
    assert_eq!(selected(&window), Some(6));
    window.click(&format!("{title}, the smallest first"));
    sort(&mut window);
    assert_eq!(rows(&window), [3, 1, 5, 6, 2, 4]);
    window.click(&format!("{title}, the largest first"));
    assert_eq!(rows(&window), [1, 2, 3, 4, 5, 6]);
    assert!(!window.says("sorted by"));
    // Addresses by their bytes, and only what passes the filter.
    window.click(&column("Source"));
    sort(&mut window);
    assert_eq!(rows(&window), [4, 3, 1, 5, 2, 6]);
    window.fill("Display filter", "tcp");
    sort(&mut window);
    assert_eq!(rows(&window), [3, 1, 5, 2, 6]);
    window.leave();
    window.click("Order of the capture");
    assert_eq!(rows(&window), [1, 2, 3, 5, 6]);
}

#[test]
fn packets_that_come_in_stand_behind_until_they_are_sorted_in() {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    for (number, packet) in packets().iter().enumerate() {
        spool.append(&common::record(number, packet)).unwrap();
    }
    spool.flush().unwrap();
    window.settle();
    window.click(&column("Source"));
    sort(&mut window);
    assert_eq!(rows(&window), [4, 3, 1, 5, 2, 6]);
    spool.append(&common::record(7, &syn(1, 50))).unwrap();
    spool.flush().unwrap();
    // It is not due yet, and then it is.
    window.frame();
    assert_eq!(rows(&window), [4, 3, 1, 5, 2, 6, 7]);
    let due = window.bench().capture().sorted().unwrap().sorter.due_in();
    std::thread::sleep(due);
    window.frame();
    sort(&mut window);
    assert_eq!(rows(&window), [4, 3, 7, 1, 5, 2, 6]);
}

#[test]
fn columns_are_resized_fitted_and_moved_by_the_pointer() {
    let mut window = Window::open();
    window.open_file(&packets());
    let width = |window: &Window, title: &str| {
        window.bench().list().settings().columns.iter().find(|c| c.title == title).unwrap().width
    };
    let cell = window.get(&column("Source")).rect();
    let edge = pos2(cell.right(), cell.center().y);
    drag(&mut window, edge, edge + eframe::egui::vec2(30.0, 0.0));
    assert_eq!(width(&window, "Source"), Some(134));
    let edge = edge + eframe::egui::vec2(30.0, 0.0);
    for _ in 0..2 {
        for pressed in [true, false] {
            window.send(Event::PointerMoved(edge));
            window.send(Event::PointerButton {
                pos: edge,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
    }
    window.settle();
    let fitted = width(&window, "Source").unwrap();
    assert!((50..110).contains(&fitted), "{fitted}: as wide as 10.0.0.100");
    assert!(window.bench().capture().sorted().is_none(), "an edge is not a title");
    let (from, to) = (window.get(&column("Protocol")).rect(), window.get(&column("Time")).rect());
    drag(&mut window, from.center(), to.center());
    assert_eq!(titles(window.bench())[..3], ["No.", "Protocol", "Time"]);
    assert!(window.bench().capture().sorted().is_none(), "a drag is not a click");
}

#[test]
fn the_first_rule_that_holds_colours_a_row() {
    let mut window = Window::open();
    let mut all = packets();
    let mut bad = syn(7, 64);
    bad[10] ^= 0xff;
    all.extend([bad, craft("ip(dst=10.0.0.2)/tcp(flags=R)").bytes().to_vec()]);
    window.open_file(&all);
    let rule = |window: &Window, number: usize| {
        window.row(number).rsplit_once(", ").map(|(_, rule)| rule.to_owned())
    };
    assert_eq!(rule(&window, 1).as_deref(), Some("TCP SYN, FIN".split_once(", ").unwrap().1));
    assert_eq!(rule(&window, 4).as_deref(), Some("ICMP"));
    assert_eq!(rule(&window, 7).as_deref(), Some("Bad checksum"));
    assert_eq!(rule(&window, 8).as_deref(), Some("TCP reset"));
    window.key(CTRL_SHIFT, Key::L);
    window.click("Add a rule");
    window.must_say("a rule needs a filter");
    window.fill("Filter of rule 1", "tcp.srcprt == 900");
    window.must_say("tcp.srcport");
    window.fill("Filter of rule 1", "tcp.srcport == 900");
    window.fill("Name of rule 1", "mine");
    window.click("Close");
    assert_eq!(rule(&window, 1).as_deref(), Some("mine"));
    assert_eq!(rule(&window, 2).as_deref(), Some("FIN"));
    window.key(CTRL_SHIFT, Key::L);
    window.click("Move down rule 1");
    window.click("Rule 2 counts");
    window.click("Close");
    assert_eq!(rule(&window, 1).as_deref(), Some("FIN"));
    list(&mut window, ListCommand::Colours(false));
    assert_eq!(rule(&window, 8), None);
}

#[test]
fn one_goes_to_a_packet_by_number_and_back() {
    let mut window = Window::open();
    window.open_file(&common::syns(3000));
    for (text, number) in [("2 500", 2500), ("last", 3000), ("first", 1), ("#77", 77)] {
        window.key(CTRL, Key::G);
        assert_eq!(window.focused().as_deref(), Some("Go to"));
        window.type_text(text);
        window.key(Modifiers::NONE, Key::Enter);
        assert_eq!(selected(&window), Some(number));
        assert!(rows(&window).contains(&number), "{text}: it is in sight");
        assert!(!window.has("Go to"));
    }
    window.key(CTRL, Key::G);
    window.type_text("3001");
    window.must_say("type a number from 1 to 3000");
    window.key(Modifiers::NONE, Key::Enter);
    assert!(window.has("Go to"), "it stays open");
    window.key(Modifiers::NONE, Key::Escape);
    for (key, number) in [
        (Key::ArrowLeft, 1),
        (Key::ArrowLeft, 3000),
        (Key::ArrowLeft, 2500),
        (Key::ArrowLeft, 2500),
        (Key::ArrowRight, 3000),
    ] {
        window.key(Modifiers::ALT, key);
        assert_eq!(selected(&window), Some(number));
        assert!(rows(&window).contains(&number));
    }
}

/// A file that lost packets before its second and its fifth packet, and more that it does not place.
fn with_gaps(directory: &Path) -> PathBuf {
    let path = directory.join("gaps.pcapng");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = Writer::new(file, Format::PcapNg, &path);
    writer.add_interface(&InterfaceInfo::new("rb0", LinkType::RAW)).unwrap();
    for (number, bytes) in packets().iter().enumerate() {
        let dropped = [0, 12, 0, 0, 1, 0][number];
        writer.write_packet(&PacketRecord { dropped, ..common::record(number, bytes) }).unwrap();
    }
    let counters = InterfaceStatistics { system_dropped: Some(15), ..Default::default() };
    writer.finish(&[counters]).unwrap();
    path
}

#[test]
fn gaps_stand_between_the_packets_and_cannot_be_selected() {
    let mut window = Window::open();
    let path = with_gaps(window.directory.path());
    window.load(&path);
    let lines = |window: &Window| {
        let capture = window.bench().capture();
        (0..capture.rows()).map(|row| capture.line(row).unwrap()).collect::<Vec<_>>()
    };
    let (p, g) = (Line::Packet, Line::Gap);
    assert_eq!(lines(&window), [p(0), g(0), p(1), p(2), p(3), g(1), p(4), p(5), g(2)]);
    for row in 0..9 {
        let capture = window.bench().capture();
        match capture.line(row).unwrap() {
            Line::Packet(position) => assert_eq!(capture.row_of(position), row),
            Line::Gap(gap) => assert_eq!(capture.row_of_gap(gap), Some(row)),
        }
    }
    window.must_say("12 packets were lost here");
    window.must_say("1 packet was lost here");
    window.must_say("2 packets were dropped on rb0 by the system");
    window.must_say("6 packets");
    for number in [1, 2, 3, 4, 5, 6, 6] {
        window.key(Modifiers::NONE, Key::ArrowDown);
        assert_eq!(selected(&window), Some(number));
    }
    window.key(Modifiers::NONE, Key::End);
    assert_eq!(selected(&window), Some(6));
    for number in [5, 4, 3, 2, 1, 1] {
        window.key(Modifiers::NONE, Key::ArrowUp);
        assert_eq!(selected(&window), Some(number));
    }
    // Under a filter they stay between the rows around them.
    window.fill("Display filter", "tcp.srcport in {80, 443}");
    let capture = window.bench().capture();
    capture.sieve().unwrap().work(&capture.file().unwrap().clone(), &Flows::default(), &|| ());
    window.settle();
    assert_eq!(lines(&window), [g(0), p(1), g(1), p(5), g(2)]);
    window.leave();
    window.key(CTRL, Key::G);
    window.must_say("Gaps in this capture");
    window.click("gap 2: 1 packet was lost here, says the file");
    assert!(!window.has("Go to"));
    // Sorted, they have no place, and one is told.
    window.click(&column("Source"));
    sort(&mut window);
    assert_eq!(lines(&window), [p(1), p(5)]);
    list(&mut window, ListCommand::GoTo("gap 1".into()));
    window.must_say("the list is sorted");
    window.click("3 gaps not shown");
    assert_eq!(lines(&window), [g(0), p(1), g(1), p(5), g(2)]);
    assert!(!window.has("3 gaps not shown"));
}

#[test]
fn what_happens_to_a_capture_stands_at_its_place() {
    use rawbench::engine::{Incident, Mark};
    let mark = Mark { row: 2, time_ns: 5, what: Incident::Lost(3) };
    let gap = rawbench::app::Gap::from(&mark);
    assert_eq!((gap.before, gap.time_ns), (2, Some(5)));
    assert!(gap.text.contains("3 packets were lost"));
}

#[test]
fn settings_come_back_at_the_next_start_and_broken_ones_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rawbench/settings.json");
    let mut window = Window::open();
    window.harness.state_mut().bench.keep_settings_in(path.clone());
    list(&mut window, ListCommand::AddColumn("ip.ttl".into(), Some(0)));
    list(&mut window, ListCommand::Width(0, Some(55)));
    let mut window = Window::open();
    window.harness.state_mut().bench.keep_settings_in(path.clone());
    window.settle();
    assert_eq!(titles(window.bench())[0], "ip.ttl");
    assert!(window.has(&column("ip.ttl")));
    // A key that this version does not know is kept, and says what is wrong.
    let text = std::fs::read_to_string(&path).unwrap().replace("\"ip.ttl\"", "\"sip.method\"");
    std::fs::write(&path, text).unwrap();
    let mut window = Window::open();
    window.harness.state_mut().bench.keep_settings_in(path.clone());
    window.settle();
    window.open_file(&packets());
    window.key(CTRL, Key::L);
    window.must_say("there is no field 'sip.method'");
    window.key(Modifiers::NONE, Key::Escape);
    std::fs::write(&path, "{ broken").unwrap();
    let mut window = Window::open();
    window.harness.state_mut().bench.keep_settings_in(path.clone());
    window.settle();
    window.must_say("cannot be read");
    assert_eq!(titles(window.bench()).len(), 8);
    list(&mut window, ListCommand::RemoveColumn(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{ broken");
}

#[test]
fn all_of_it_is_in_the_palette() {
    let mut window = Window::open();
    window.open_file(&packets());
    for (typed, name) in
        [("go to a packet", "Go to"), ("columns of", "New column"), ("colour rules", "Add a rule")]
    {
        window.key(CTRL, Key::K);
        window.type_text(typed);
        window.key(Modifiers::NONE, Key::Enter);
        assert!(window.has(name), "{typed}");
        window.key(Modifiers::NONE, Key::Escape);
        assert!(!window.has(name));
    }
    window.key(CTRL, Key::K);
    window.type_text("sort by destination");
    window.key(Modifiers::NONE, Key::Enter);
    sort(&mut window);
    window.must_say("sorted by Destination");
}

#[test]
fn capture_options_are_set_in_their_dialog_and_what_is_wrong_is_said() {
    let mut window = Window::open();
    window.key(CTRL_SHIFT, Key::O);
    window.must_say("No file is written while it captures");
    window.click("Stop after packets");
    window.fill("File to write", "/nothing/here/x.pcapng");
    window.must_say("there is no directory /nothing/here");
    window.fill("File to write", "/tmp/x.pcapng.gz");
    window.must_say("write /tmp/x.pcapng, and then gzip /tmp/x.pcapng");
    let path = window.directory.path().join("x.pcapng");
    window.fill("File to write", path.to_str().unwrap());
    window.click("Newest files that are kept");
    window.must_say("nothing says when the next file begins");
    window.click("Next file after seconds");
    window.must_say("beside the window's own copy");
    window.click("Close");
    assert!(!window.has("File to write"));
    let limits = window.bench().capture_options().limits().unwrap();
    let plan = limits.files.unwrap();
    assert_eq!((limits.packets, plan.ring, plan.several), (Some(1000), Some(10), true));
    window.click("Capture options");
    window.click("As they were at first");
    assert_eq!(window.bench().capture_options(), &rawbench::app::CaptureOptions::default());
}
