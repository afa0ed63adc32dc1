//! The window, driven by the names of its widgets, without a display.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{CTRL, CTRL_SHIFT, Window, craft, record, source, syns};
use eframe::egui::accesskit::Role;
use eframe::egui::{
    Event, FontFamily, FontId, Key, Modifiers, MouseWheelSource, MouseWheelUnit, RawInput, Rect, Theme,
    TouchPhase, vec2,
};
use rawbench::app::{Command, Question};
use rawbench::craft::options::{form_name, kind_name};
use rawbench::craft::presets;
use rawbench::engine;
use rawbench::wire::checksum;
use rawbench::wire::protocols;
use rawbench::wire::table::{Family, Item, ItemList};
use rawbench::wire::value;

/// The packet that the window opens with, changed as the text says.
fn syn(tcp: &str) -> Vec<u8> {
    craft(&format!("ip(dst=10.77.0.2)/tcp(srcport=40000, seq=1, {tcp})")).bytes().to_vec()
}

/// The TCP checksum of a raw IPv4 packet without IP options.
fn sum_of(packet: &[u8]) -> String {
    format!("0x{:02x}{:02x}", packet[36], packet[37])
}

// ---- fields and the checksum

#[test]
fn the_window_opens_with_a_syn_for_the_lab() {
    let window = Window::open();
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    assert_eq!(window.value("TCP Destination Port"), "80");
    assert_eq!(window.value("IPv4 Destination Address"), "10.77.0.2");
    assert!(window.is_on("TCP Synchronize") && !window.is_on("TCP Finish"));
    window.must_say("Press Ctrl+Enter");
}

#[test]
fn each_keystroke_shows_its_checksum_in_its_own_frame() {
    let mut window = Window::open();
    window.focus("TCP Destination Port");
    let mut port = String::new();
    for letter in "8080".chars() {
        port.push(letter);
        window.send(Event::Text(letter.into()));
        let right = syn(&format!("dstport={port}, flags=S"));
        assert_eq!(window.value("TCP Destination Port"), port);
        assert_eq!(window.draft().bytes(), right, "after {port}");
        let sum = sum_of(&right);
        assert_eq!(window.value("TCP Checksum"), sum, "the field, after {port}");
        window.must_say(&format!("Checksum {sum}, stored {sum}"));
    }
}

#[test]
fn the_checksum_of_the_other_layer_shows_its_work_too() {
    let mut window = Window::open();
    window.must_say("pseudo header");
    window.click("IPv4");
    assert!(!window.says("pseudo header"), "the IPv4 checksum has no pseudo header");
    let stored = window.value("IPv4 Header Checksum");
    window.must_say(&format!("Checksum {stored}, stored {stored}"));
    window.fill("IPv4 Time to Live", "1");
    let now = window.value("IPv4 Header Checksum");
    assert_ne!(now, stored);
    window.must_say(&format!("Checksum {now}, stored {now}"));
}

#[test]
fn what_does_not_fit_is_refused_where_it_stands_and_nothing_is_sent() {
    let mut window = Window::open();
    window.give_sources();
    window.fill("TCP Destination Port", "70000");
    assert_eq!(window.value("TCP Destination Port"), "70000", "the text stays as typed");
    assert_eq!(window.draft().bytes(), syn("dstport=7000, flags=S"), "the packet keeps its last value");
    window.must_say("0 to 65535");
    window.focus("TCP Window");
    assert_eq!(window.value("TCP Destination Port"), "70000", "also without the keyboard");
    window.must_say("0 to 65535");
    window.click("Send");
    assert!(!window.bench().capture().is_busy(), "it was sent");
    assert_eq!(window.focused().as_deref(), Some("TCP Destination Port"));
    window.focus("TCP Window");
    window.key(CTRL, Key::Enter);
    assert!(!window.bench().capture().is_busy(), "it was sent");
    assert_eq!(window.focused().as_deref(), Some("TCP Destination Port"));
    // The field is selected whole, so that typing replaces what was refused.
    window.type_text("443");
    assert_eq!(window.draft().bytes(), syn("dstport=443, flags=S"));
    assert!(!window.says("0 to 65535"));
    window.key(CTRL, Key::Enter);
    assert!(window.bench().capture().is_busy(), "Send listens first");
}

#[test]
fn words_and_empty_texts_are_refused_too() {
    let mut window = Window::open();
    let before = window.draft().clone();
    for (field, text) in [
        ("TCP Source Port", "http!"),
        ("TCP Checksum", "0x12345"),
        ("IPv4 Destination Address", "10.77.0"),
        ("IPv4 Source Address", "here"),
        ("TCP Sequence Number", "-1"),
    ] {
        window.fill(field, text);
        assert!(window.bench().builder().first_refused().is_some(), "{field} took {text}");
        window.leave();
        let why = window.bench().builder().first_refused().unwrap().1.why.clone();
        window.must_say(&why);
        window.harness.state_mut().bench.apply(Command::Preset(0));
        window.settle();
        assert!(window.bench().builder().first_refused().is_none(), "a new packet has no refused texts");
    }
    assert_eq!(window.draft().bytes(), before.bytes());
}

#[test]
fn a_click_and_the_space_bar_turn_a_bit_over() {
    let mut window = Window::open();
    assert!(!window.says("FIN"));
    window.click("TCP Finish");
    assert!(window.is_on("TCP Finish"));
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=SF"));
    window.must_say("FIN");
    assert_eq!(window.value("TCP Checksum"), sum_of(&syn("dstport=80, flags=SF")));
    window.get("TCP Finish").focus();
    window.settle();
    window.key(Modifiers::NONE, Key::Space);
    assert_eq!(
        window.draft().bytes(),
        syn("dstport=80, flags=S"),
        "the space bar on the bit with the keyboard"
    );
    assert!(!window.says("FIN"));
}

#[test]
fn a_checksum_is_pinned_and_released_with_one_click() {
    let mut window = Window::open();
    let first = window.value("TCP Checksum");
    window.click("Pin TCP Checksum");
    window.fill("TCP Destination Port", "81");
    assert_eq!(window.value("TCP Checksum"), first, "a pinned value stays");
    window.must_say(&format!("pinned to {first}"));
    window.must_say("1 pinned");
    window.click("Release TCP Checksum");
    assert_eq!(window.value("TCP Checksum"), sum_of(&syn("dstport=81, flags=S")));
    assert!(!window.says("pinned"));
    window.fill("TCP Checksum", "0xbeef");
    assert!(window.has("Release TCP Checksum"), "typing a computed field pins it");
    assert_eq!(window.draft().bytes()[36..38], [0xbe, 0xef]);
}

#[test]
fn a_wrong_checksum_stays_wrong_when_the_packet_changes() {
    let mut window = Window::open();
    window.click("Make TCP Checksum wrong");
    for port in ["81", "443", "65535"] {
        window.fill("TCP Destination Port", port);
        let right = sum_of(&syn(&format!("dstport={port}, flags=S")));
        assert_ne!(window.value("TCP Checksum"), right, "at port {port}");
        window.must_say(&format!("wrong on purpose: right would be {right}"));
    }
    window.click("Release TCP Checksum");
    assert_eq!(window.value("TCP Checksum"), sum_of(&syn("dstport=65535, flags=S")));
}

#[test]
fn the_data_offset_can_be_pinned_below_five_and_the_form_stays() {
    let mut window = Window::open();
    window.fill("TCP Data Offset", "4");
    window.must_say("a receiver reads");
    assert_eq!(window.draft().bytes()[32] >> 4, 4);
    assert!(window.has("TCP Urgent Pointer"), "the form keeps the layers that were made");
}

#[test]
fn the_form_does_not_move_when_values_change() {
    let mut window = Window::open();
    let fields = |w: &Window| -> BTreeMap<String, Rect> {
        let all = w.widgets().into_iter();
        let inputs = all.filter(|(_, role, _)| matches!(role, Role::TextInput | Role::CheckBox));
        // Where the form is scrolled to does not count.
        let origin = w.get("IPv4 Version").rect().top();
        let form = inputs.filter(|w| w.0.starts_with("IPv4 ") || w.0.starts_with("TCP "));
        form.map(|(n, _, r)| (n, r.translate(vec2(0.0, -origin)))).collect()
    };
    let before = fields(&window);
    window.fill("TCP Destination Port", "1");
    window.fill("TCP Sequence Number", "4294967295");
    window.click("TCP Finish");
    window.fill("TCP Source Port", "99999");
    assert_eq!(fields(&window), before);
}

#[test]
fn fields_stand_side_by_side_within_the_window() {
    for size in [common::SIZE, [960.0, 600.0], [1920.0, 1080.0]] {
        let window = Window::sized(size);
        let widgets = window.widgets();
        // The form is scrolled behind what stands below it.
        let inputs = widgets.iter().filter(|w| matches!(w.1, Role::TextInput | Role::CheckBox));
        let fields: Vec<_> = inputs.filter(|w| w.0 != "Hold this port").collect();
        for (i, (name, _, rect)) in fields.iter().enumerate() {
            assert!(rect.left() >= 0.0 && rect.right() <= size[0], "{name} leaves the window: {rect:?}");
            for (other, _, second) in &fields[i + 1..] {
                let shared = rect.intersect(*second);
                let apart = shared.width() <= 0.5 || shared.height() <= 0.5;
                assert!(apart, "{name} {rect:?} and {other} {second:?} overlap in a window of {size:?}");
            }
        }
    }
}

// ---- options, layers, payload, presets

#[test]
fn options_are_added_edited_moved_and_removed() {
    let mut window = Window::open();
    let add = |window: &mut Window, name: &str| {
        window.click("Add TCP option");
        window.click(name);
    };
    add(&mut window, "Maximum Segment Size (2)");
    add(&mut window, "SACK Permitted (4)");
    add(&mut window, "Window Scale (3)");
    let options = |list: &str| syn(&format!("dstport=80, flags=S, options=[{list}]"));
    assert_eq!(window.draft().bytes(), options("mss(1460), sackOK, wscale(7)"));
    window.must_say("padded with 3 zero bytes");
    window.must_say("options 12/40");
    window.fill("TCP MSS Value", "536");
    assert_eq!(window.draft().bytes(), options("mss(536), sackOK, wscale(7)"));
    window.click("Move Window Scale 3 up");
    assert_eq!(window.draft().bytes(), options("mss(536), wscale(7), sackOK"));
    window.click("Move Maximum Segment Size 1 down");
    assert_eq!(window.draft().bytes(), options("wscale(7), mss(536), sackOK"));
    window.click("Remove SACK Permitted 3");
    assert_eq!(window.draft().bytes(), options("wscale(7), mss(536)"));
    add(&mut window, "Any kind, raw bytes");
    assert_eq!(window.draft().options(1).len(), 3);
    add(&mut window, "SACK (5)");
    window.click("Add a block to SACK 4");
    assert_eq!(window.value("TCP Data Offset"), format!("{}", window.draft().bytes()[32] >> 4));
    window.key(CTRL, Key::Z);
    window.key(CTRL, Key::Z);
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), options("wscale(7), mss(536)"), "each of them is one step");
}

#[test]
fn every_option_of_every_table_can_be_added() {
    for header in protocols::ALL {
        let Some(list) = header.list(&header.blank()).or(header.items) else { continue };
        // One window for all options of a table: each is added to the packet as it was.
        let mut window = Window::sized([1280.0, 2400.0]);
        window.harness.state_mut().bench.apply(Command::LoadNotation("hex(00)".into()));
        window.harness.state_mut().bench.apply(Command::InsertLayer { at: 0, header });
        window.settle();
        let add = format!("Add {} option", header.short);
        if let Some(when) = list.when.filter(|_| !window.has(&add)) {
            window.fill(&format!("{} {}", header.short, when.field.label), &when.is[0].to_string());
        }
        // A padding byte is no row of its own: it is what fills the list up.
        for item in list.items.iter().filter(|i| !i.single || i.ends || i.kind != Some(0)) {
            // Behind items that a field counts stands what is none of them: one of those comes first.
            let before = list.items.iter().take_while(|other| !std::ptr::eq(*other, item));
            let counted = before.filter(|other| other.count.is_some()).last();
            if let Some(counted) = counted {
                window.click(&add);
                choose_option(&mut window, list, counted);
            }
            window.click(&add);
            choose_option(&mut window, list, item);
            let remove = format!("Remove {} {}", item.name, 1 + usize::from(counted.is_some()));
            assert!(window.has(&remove), "{} of {}", form_name(list, item), header.short);
            window.key(CTRL, Key::Z);
            if counted.is_some() {
                window.key(CTRL, Key::Z);
            }
        }
    }
}

/// Takes an option in the open menu; where it has several forms, out of those.
fn choose_option(window: &mut Window, list: &'static ItemList, item: &'static Item) {
    window.click(&kind_name(item));
    if list.items.iter().filter(|i| i.name == item.name).count() > 1 {
        window.click(&form_name(list, item));
    }
}

/// Puts a layer at the end.
fn add_layer(window: &mut Window, family: Family, short: &str) {
    window.click("Add layer");
    window.click(family.label());
    // The chips and the checksum tabs have the same names: the menu's entry is the lowest of those at its right.
    let beside = window.get(family.label()).rect().right();
    let entries: Vec<Rect> =
        window.all(short).iter().map(|n| n.rect()).filter(|r| r.left() >= beside).collect();
    let entry = entries.iter().min_by(|a, b| a.left().total_cmp(&b.left())).unwrap();
    window.click_at(entry.center());
    window.click("at the end");
}

#[test]
fn every_protocol_gets_its_form_from_its_table() {
    for header in protocols::ALL {
        let mut window = Window::sized([1280.0, 2400.0]);
        window.harness.state_mut().bench.apply(Command::LoadNotation("ip(dst=10.77.0.2)".into()));
        window.settle();
        let at = window.draft().layers().len();
        window.harness.state_mut().bench.apply(Command::InsertLayer { at, header });
        window.settle();
        let view = window.draft().view(at);
        let leaves: Vec<_> = view.header_fields().filter(|f| !f.field.group).map(|f| f.field.label).collect();
        assert_eq!(leaves.is_empty(), header.min_len() == 0, "{}", header.key);
        for label in leaves {
            assert!(!window.all(&format!("{} {label}", header.short)).is_empty(), "{} {label}", header.short);
        }
        let name = format!("Remove layer {}", header.short);
        let last = window.all(&name).last().unwrap().rect();
        window.click_at(last.center());
        assert_eq!(window.draft().layers().len(), at, "{name}");
    }
}

#[test]
fn a_layer_is_added_through_the_menu_and_removed_at_its_chip() {
    let mut window = Window::open();
    window.click("Remove layer TCP");
    add_layer(&mut window, Family::Transport, "UDP");
    let keys: Vec<_> = window.draft().layers().iter().map(|l| l.header.key).collect();
    assert_eq!(keys, ["ip", "udp"]);
    assert_eq!(window.value("IPv4 Protocol"), "17");
    window.key(CTRL, Key::Z);
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
}

#[test]
fn the_payload_is_typed_as_text_or_as_hex() {
    let mut window = Window::open();
    window.fill("Payload", r"GET /\r\n\x00");
    assert_eq!(window.draft().payload(), b"GET /\r\n\0");
    window.must_say("8 bytes");
    hex_button(&mut window);
    assert_eq!(window.value("Payload"), "47 45 54 20 2f 0d 0a 00");
    window.fill("Payload", "de ad be ef");
    assert_eq!(window.draft().payload(), [0xde, 0xad, 0xbe, 0xef]);
    let packet = window.draft().bytes().to_vec();
    assert_eq!(window.value("TCP Checksum"), sum_of(&packet));
    assert_eq!(
        checksum::fold(checksum::sum(&packet[..20])),
        0xffff,
        "the IP header's own checksum follows the length"
    );
}

/// The switch to hex at the payload; the tab below has the same name.
fn hex_button(window: &mut Window) {
    let place =
        window.all("Hex").iter().map(|n| n.rect()).min_by(|a, b| a.top().total_cmp(&b.top())).unwrap();
    window.click_at(place.center());
}

#[test]
fn a_refused_payload_keeps_the_packet_from_being_sent() {
    let mut window = Window::open();
    window.give_sources();
    hex_button(&mut window);
    window.fill("Payload", "de ad b");
    assert_eq!(window.draft().payload(), [0xde, 0xad], "the last whole value");
    window.must_say("odd number of hex digits");
    window.leave();
    window.click("Send");
    assert!(!window.bench().capture().is_busy(), "it was sent");
    assert_eq!(window.focused().as_deref(), Some("Payload"));
    window.key(CTRL, Key::A);
    window.type_text("00");
    window.key(CTRL, Key::Enter);
    assert!(window.bench().capture().is_busy());
}

#[test]
fn each_preset_makes_the_packet_that_its_notation_says() {
    let mut window = Window::open();
    window.fill("IPv4 Destination Address", "10.77.0.9");
    for preset in presets::ALL {
        window.click("Preset ▾");
        window.click(preset.name);
        let right = craft(&preset.to("10.77.0.9".parse().ok()));
        assert_eq!(window.draft().bytes(), right.bytes(), "{}", preset.name);
    }
}

#[test]
fn the_lower_part_shows_dump_pairs_and_notation_and_copies_them() {
    let mut window = Window::open();
    window.click("Hex pairs");
    let pairs = value::hex_pairs(&syn("dstport=80, flags=S"));
    window.must_say(&pairs);
    window.click("Copy");
    window.click("Notation");
    window.must_say("tcp(srcport=40000");
    window.click("Copy");
    let tab = window.all("Hex").iter().map(|n| n.rect()).max_by(|a, b| a.top().total_cmp(&b.top())).unwrap();
    window.click_at(tab.center());
    window.must_say("9c 40 00 50");
    assert_eq!(window.copied[0], pairs);
    assert_eq!(craft(&window.copied[1]).bytes(), window.draft().bytes(), "{}", window.copied[1]);
    window.key(CTRL_SHIFT, Key::H);
    assert_eq!(window.copied[2], pairs);
}

// ---- undo

#[test]
fn ctrl_z_is_the_text_s_inside_an_edited_field_and_else_the_draft_s() {
    let mut window = Window::open();
    window.click("TCP Finish");
    window.focus("TCP Destination Port");
    window.type_text("8443");
    assert_eq!(window.value("TCP Destination Port"), "8443");
    window.key(CTRL, Key::Z);
    assert_eq!(window.value("TCP Destination Port"), "80", "the text's undo");
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=SF"), "the packet follows the text");
    assert!(window.is_on("TCP Finish"), "the draft's history is left alone");
    window.key(CTRL_SHIFT, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=8443, flags=SF"), "the text's redo");
    window.leave();
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=SF"), "the draft's undo");
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    window.key(CTRL_SHIFT, Key::Z);
    window.key(CTRL_SHIFT, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=8443, flags=SF"));
    assert_eq!(window.value("TCP Destination Port"), "8443");
}

#[test]
fn in_a_field_that_is_not_edited_ctrl_z_is_the_draft_s() {
    let mut window = Window::open();
    window.fill("TCP Window", "1");
    window.focus("TCP Destination Port");
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    assert_eq!(window.value("TCP Window"), "64240");
}

#[test]
fn the_buttons_undo_and_redo() {
    let mut window = Window::open();
    assert!(!window.names().contains("Undo") && !window.names().contains("Redo"));
    window.click("TCP Push");
    window.click("Undo");
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    window.click("Redo");
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=SP"));
}

#[test]
fn the_payload_box_keeps_ctrl_z_too() {
    let mut window = Window::open();
    window.click("TCP Push");
    window.focus("Payload");
    window.type_text("hello");
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().payload(), b"");
    assert!(window.is_on("TCP Push"));
    window.leave();
    window.key(CTRL, Key::Z);
    window.key(CTRL, Key::Z);
    assert!(!window.is_on("TCP Push"));
}

// ---- palette, keyboard, theme

#[test]
fn the_palette_does_everything_by_name() {
    let mut window = Window::open();
    window.key(CTRL, Key::K);
    assert_eq!(window.focused().as_deref(), Some("Command"));
    window.type_text("xmas");
    window.key(Modifiers::NONE, Key::Enter);
    assert!(!window.has("Command"), "the palette closes");
    assert_eq!(window.draft().bytes(), craft(&presets::ALL[5].to(None)).bytes());
    window.key(CTRL, Key::K);
    window.type_text("preset");
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.draft().bytes(), craft(&presets::ALL[1].to(None)).bytes());
    window.key(CTRL, Key::K);
    window.type_text("no such thing");
    window.must_say("No command has that name.");
    window.key(Modifiers::NONE, Key::Escape);
    assert!(!window.has("Command"));
    window.key(CTRL, Key::K);
    assert_eq!(window.value("Command"), "", "it begins anew");
}

#[test]
fn every_widget_of_the_window_is_reached_by_tab() {
    let mut window = Window::open();
    window.open_file(&syns(3));
    window.harness.state_mut().bench.apply(Command::Preset(1));
    window.settle();
    let (mut reached, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..300 {
        window.key_down(Modifiers::NONE, Key::Tab);
        window.frame();
        reached.extend(window.focused());
        if let Some(id) = window.harness.ctx.memory(|m| m.focused())
            && !seen.insert(id.value())
        {
            break;
        }
    }
    let missing: Vec<_> = window.names().into_iter().filter(|n| !reached.contains(n)).collect();
    assert!(missing.is_empty(), "not reached: {missing:#?}, reached: {reached:#?}");
}

#[test]
fn what_has_the_keyboard_is_in_sight() {
    let mut window = Window::sized([960.0, 600.0]);
    window.harness.state_mut().bench.apply(Command::Preset(1));
    window.settle();
    for _ in 0..90 {
        window.key(Modifiers::NONE, Key::Tab);
        let focused = window.harness.ctx.memory(|m| m.focused());
        let Some(response) = focused.and_then(|id| window.harness.ctx.read_response(id)) else { continue };
        let shown = response.rect.intersect(response.interact_rect);
        assert!(
            shown.height() >= response.rect.height() * 0.6,
            "{:?} has the keyboard and is out of sight: {:?} of {:?}",
            window.focused(),
            response.interact_rect,
            response.rect
        );
    }
}

#[test]
fn both_themes_show_the_same_and_the_switch_changes_the_ground() {
    let mut window = Window::open();
    window.open_file(&syns(3));
    let (texts, names) = (window.texts(), window.names());
    assert_eq!(window.harness.ctx.theme(), Theme::Dark);
    let dark = window.harness.ctx.global_style().visuals.panel_fill;
    window.click("Switch theme");
    assert_eq!(window.harness.ctx.theme(), Theme::Light);
    let light = window.harness.ctx.global_style().visuals.panel_fill;
    assert!(u32::from(light.r()) > u32::from(dark.r()) + 100);
    window.send(Event::PointerGone);
    window.settle();
    assert_eq!((window.texts(), window.names()), (texts, names));
    window.key(CTRL, Key::T);
    assert_eq!(window.harness.ctx.theme(), Theme::Dark);
}

// ---- the list and the packet view

#[test]
fn an_opened_file_is_listed_and_a_packet_shows_its_tree() {
    let mut window = Window::open();
    window.open_file(&syns(3));
    assert_eq!(window.rows(), [1, 2, 3]);
    assert!(window.row(2).starts_with("2 10.77.0.1 10.77.0.2 TCP "), "{}", window.row(2));
    window.must_say("3 packets");
    let row = window.row(2);
    window.click(&row);
    window.must_say("Packet 2");
    window.must_say("Destination Port: 2");
    assert!(window.has("Transmission Control Protocol, 40000 → 2") || window.says("Destination Port: 2"));
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.must_say("Packet 3");
    window.must_say("Destination Port: 3");
    window.click("Diagram");
    window.must_say("TCP Destination Port: 3");
}

#[test]
fn edit_a_copy_loads_the_packet_as_it_is() {
    let mut window = Window::open();
    let mut packets = syns(2);
    packets[1][36] ^= 0xff;
    window.open_file(&packets);
    let row = window.row(2);
    window.click(&row);
    window.click("Edit a copy");
    assert_eq!(window.draft().bytes(), packets[1], "the broken checksum is kept");
    assert!(window.has("Release TCP Checksum"), "and says so");
    assert_eq!(window.value("TCP Destination Port"), "2");
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    let row = window.row(1);
    window.click(&row);
    window.key(CTRL, Key::E);
    assert_eq!(window.draft().bytes(), packets[0]);
    assert!(window.has("Pin TCP Checksum"), "a right checksum comes in computed");
}

#[test]
fn a_packet_that_is_cut_off_says_where_it_stops() {
    let mut window = Window::open();
    let whole = syns(1).remove(0);
    window.open_file(&[whole[..30].to_vec(), Vec::new(), vec![0x45]]);
    for number in 1..=3 {
        let row = window.row(number);
        window.click(&row);
        window.must_say(&format!("Packet {number}"));
    }
    let row = window.row(1);
    window.click(&row);
    window.must_say("at byte");
}

#[test]
fn a_torn_file_shows_what_is_readable_and_says_what_is_wrong() {
    let mut window = Window::open();
    let path = window.directory.path().join("torn.pcapng");
    common::write(&path, &syns(5));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 70]).unwrap();
    window.load(&path);
    assert!(!window.rows().is_empty());
    let notice = window.bench().notices().last().expect("a message").text.clone();
    window.must_say(notice.lines().next().unwrap());
    window.click("Dismiss");
    assert!(window.bench().notices().is_empty());
}

/// Turns the wheel over the list.
fn wheel(window: &mut Window, lines: f32) {
    let rows: Vec<_> = window.widgets().into_iter().filter(|w| w.1 == Role::ListBoxOption).collect();
    window.send(Event::PointerMoved(rows[rows.len() / 2].2.center()));
    window.send(Event::MouseWheel {
        unit: MouseWheelUnit::Line,
        delta: vec2(0.0, lines),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    window.settle();
}

#[test]
fn the_list_follows_until_one_scrolls_up_and_again_at_the_end() {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    let packets = syns(120);
    let feed = |window: &mut Window, spool: &mut rawbench::pcap::Spool, range: std::ops::Range<usize>| {
        for number in range {
            spool.append(&record(number, &packets[number])).unwrap();
        }
        spool.flush().unwrap();
        window.settle();
    };
    feed(&mut window, &mut spool, 0..60);
    assert!(window.is_on("Follow"));
    assert_eq!(window.rows().last(), Some(&60));
    feed(&mut window, &mut spool, 60..80);
    assert_eq!(window.rows().last(), Some(&80), "the newest row is kept in sight");
    wheel(&mut window, 3.0);
    assert!(!window.is_on("Follow"), "scrolling up lets the list rest");
    let resting = window.rows();
    feed(&mut window, &mut spool, 80..100);
    assert_eq!(window.rows(), resting, "and it rests");
    wheel(&mut window, -200.0);
    wheel(&mut window, -1.0);
    assert!(window.is_on("Follow"), "the end follows again");
    feed(&mut window, &mut spool, 100..110);
    assert_eq!(window.rows().last(), Some(&110));
    let row = window.row(105);
    window.click(&row);
    assert!(!window.is_on("Follow"), "a selected packet stays where it is");
    window.click("TCP Finish");
    assert!(!window.is_on("Follow"), "a click elsewhere is no word to the list");
    window.click("Follow");
    assert!(window.is_on("Follow"));
    feed(&mut window, &mut spool, 110..120);
    assert_eq!(window.rows().last(), Some(&120));
}

#[test]
fn only_rows_in_sight_are_made() {
    let mut window = Window::open();
    window.open_file(&syns(3000));
    assert!(window.rows().len() < 60, "{} rows", window.rows().len());
    assert_eq!(window.rows().first(), Some(&1));
    window.key(Modifiers::NONE, Key::End);
    assert_eq!(window.rows().last(), Some(&3000));
    window.must_say("Packet 3000");
    window.key(Modifiers::NONE, Key::Home);
    assert_eq!(window.rows().first(), Some(&1));
}

// ---- privilege, sending, saving, leaving

fn missing() -> engine::Failure {
    engine::Failure {
        text: "no privilege to open a raw socket\n1. as root\n2. with the lab".into(),
        ways: vec![
            ("start it as root".into(), "sudo rawbench".into()),
            ("work in the lab".into(), "rawbench --lab".into()),
        ],
    }
}

#[test]
fn a_missing_privilege_leads_to_numbered_ways_with_commands_to_copy() {
    let mut window = Window::open();
    window.give_sources();
    window.key(CTRL, Key::Enter);
    let generation = window.awaited();
    window.event(engine::Event::NotStarted(generation, missing()));
    assert!(!window.bench().capture().is_busy());
    for text in
        ["no privilege to open a raw socket", "1. start it as root", "2. work in the lab", "sudo rawbench"]
    {
        window.must_say(text);
    }
    let mut copies: Vec<Rect> = window.all("Copy").iter().map(|n| n.rect()).collect();
    assert_eq!(copies.len(), 2);
    copies.sort_by(|a, b| a.top().total_cmp(&b.top()));
    for place in copies {
        window.click_at(place.center());
    }
    window.click("Copy text");
    assert_eq!(window.copied, ["sudo rawbench", "rawbench --lab", &missing().text]);
    // The same thing said twice is said once, and what was typed is not lost.
    let generation = window.awaited();
    window.event(engine::Event::NotStarted(generation, missing()));
    assert_eq!(window.bench().notices().len(), 1);
    assert_eq!(window.draft().bytes(), syn("dstport=80, flags=S"));
    window.click("Dismiss");
    assert!(!window.says("sudo rawbench"));
}

#[test]
fn send_listens_first_then_says_what_was_sent_and_what_went_wrong() {
    let mut window = Window::open();
    window.give_sources();
    window.click("Send");
    assert!(window.bench().capture().is_busy());
    let _spool = window.start_capture();
    assert!(window.bench().capture().is_running());
    window.event(engine::Event::Sent(40));
    window.must_say("sent 1 · last 40 bytes");
    window
        .event(engine::Event::NotSent(engine::Failure::new("the packet is longer than the link can carry")));
    window.must_say("longer than the link can carry");
}

#[test]
fn the_source_is_chosen_from_the_list_and_survives_a_new_one() {
    let mut window = Window::open();
    window.give_sources();
    window.click("Source");
    window.click("lab: other");
    assert_eq!(window.bench().source().unwrap().label, "lab: other");
    assert_eq!(window.value("Source"), "lab: other");
    let list = vec![source("lab: new"), source("lab: rb0"), source("lab: other")];
    window.event(engine::Event::Sources(Ok(list), engine::HostWay::Open));
    assert_eq!(window.bench().source().unwrap().label, "lab: other");
}

#[test]
fn unsaved_packets_are_not_lost_without_a_question() {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    for (number, packet) in syns(2).iter().enumerate() {
        spool.append(&record(number, packet)).unwrap();
    }
    spool.flush().unwrap();
    window.settle();
    window.key(CTRL, Key::Q);
    window.must_say("2 captured packets are not saved");
    assert!(!window.closed);
    window.click("Cancel");
    assert!(!window.says("not saved") && !window.closed);
    assert_eq!(window.rows(), [1, 2]);
    window.key(CTRL_SHIFT, Key::Delete);
    window.must_say("not saved");
    window.key(Modifiers::NONE, Key::Escape);
    assert_eq!(window.rows(), [1, 2]);
    window.key(CTRL, Key::Q);
    window.click("Discard");
    assert!(window.closed);
}

#[test]
fn closing_the_window_asks_too_and_closes_at_once_when_nothing_is_unsaved() {
    let close = |window: &mut Window| {
        let root = window.harness.input_mut().viewports.get_mut(&eframe::egui::ViewportId::ROOT).unwrap();
        root.events.push(eframe::egui::ViewportEvent::Close);
        window.frame();
        let root = window.harness.input_mut().viewports.get_mut(&eframe::egui::ViewportId::ROOT).unwrap();
        root.events.clear();
        window.settle();
    };
    let mut window = Window::open();
    let mut spool = window.start_capture();
    spool.append(&record(0, &syns(1)[0])).unwrap();
    spool.flush().unwrap();
    window.settle();
    close(&mut window);
    window.must_say("1 captured packet is not saved");
    assert!(!window.closed);
    let mut window = Window::open();
    window.open_file(&syns(3));
    close(&mut window);
    assert!(window.closed, "an opened file is saved already");
}

#[test]
fn what_a_killed_window_left_is_offered() {
    for (button, shown, there) in [("Open them", 2, true), ("Later", 0, true), ("Discard them", 0, false)] {
        let mut window = Window::open();
        let directory = tempfile::tempdir().unwrap();
        let mut spool = rawbench::pcap::Spool::create(directory.path()).unwrap();
        spool.add_interface(&rawbench::pcap::InterfaceInfo::new("a", rawbench::pcap::LinkType::RAW)).unwrap();
        for (number, bytes) in syns(2).iter().enumerate() {
            spool.append(&record(number, bytes)).unwrap();
        }
        spool.flush().unwrap();
        let path = spool.path().to_path_buf();
        drop(spool);
        window.event(engine::Event::Left(rawbench::pcap::left_spools(directory.path())));
        window.must_say("were recovered (0 bytes torn)");
        window.click(button);
        assert!(window.bench().question().is_none());
        assert_eq!((window.bench().capture().len(), path.exists()), (shown, there), "{button}");
    }
}

#[test]
fn a_key_behind_an_answer_answers_no_other_question() {
    let mut window = Window::open();
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let mut spool = rawbench::pcap::Spool::create(directory.path()).unwrap();
        spool.add_interface(&rawbench::pcap::InterfaceInfo::new("a", rawbench::pcap::LinkType::RAW)).unwrap();
        spool.append(&record(0, &syns(1)[0])).unwrap();
        spool.flush().unwrap();
    }
    window.event(engine::Event::Left(rawbench::pcap::left_spools(directory.path())));
    window.must_say("One more capture was left behind");
    window.click("Discard them");
    let left = || std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left(), 1);
    for key in [Key::Space, Key::Enter] {
        window.key(Modifiers::NONE, key);
    }
    assert!(matches!(window.bench().question(), Some(Question::Left { more: 0, .. })));
    assert_eq!(left(), 1, "what was not asked about yet is still there");
}

#[test]
fn without_a_file_dialog_the_window_asks_for_the_path() {
    let mut window = Window::open();
    window.open_file(&syns(1));
    window.harness.state_mut().bench.ask_path(Question::SavePath);
    window.settle();
    window.fill("Path", "/nowhere/x.pcapng");
    window.key(Modifiers::NONE, Key::Enter);
    assert!(window.bench().question().is_none());
    window.harness.state_mut().bench.ask_path(Question::OpenPath);
    window.settle();
    window.fill("Path", "/nowhere/y.pcapng");
    window.click("Open this path");
    assert!(window.bench().question().is_none());
    let before = window.bench().capture().origin().clone();
    let generation = window.awaited();
    window.event(engine::Event::NotOpened(generation, engine::Failure::new("no such file")));
    // What was open stays open.
    assert_eq!(window.bench().capture().origin(), &before);
    assert_eq!(window.bench().capture().len(), 1);
    window.must_say("no such file");
    assert!(!window.bench().capture().is_loading());
}

#[test]
fn a_path_that_is_not_given_ends_what_was_to_follow_the_save() {
    let mut window = Window::open();
    let mut spool = window.start_capture();
    spool.append(&record(0, &syns(1)[0])).unwrap();
    spool.flush().unwrap();
    let bench = &mut window.harness.state_mut().bench;
    bench.apply(Command::Quit);
    bench.apply(Command::Answer(rawbench::app::Choice::Save));
    bench.take_requests();
    bench.ask_path(Question::SavePath);
    window.settle();
    window.click("Cancel");
    assert!(window.bench().question().is_none());
    let path = window.directory.path().join("later.pcapng");
    let saved = rawbench::pcap::Saved { packets: 1, ..saved() };
    window.event(engine::Event::Saved { path, saved, save: 0 });
    assert!(!window.closed, "the window closes long after it was told not to");
    window.must_say("saved 1 packets");
}

fn saved() -> rawbench::pcap::Saved {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.pcapng");
    common::write(&path, &syns(1));
    let (file, _) = rawbench::pcap::CaptureFile::open(&path).unwrap();
    let copy = directory.path().join("b.pcapng");
    let all = rawbench::pcap::Selection::All;
    rawbench::pcap::save_as(&file, all, &copy, rawbench::pcap::Format::PcapNg, &[]).unwrap()
}

// ---- at rest

#[test]
fn a_window_at_rest_asks_for_no_frame() {
    let mut window = Window::open();
    let rest = |window: &mut Window, what: &str| {
        window.frame();
        assert_eq!(window.next_frame_in(), std::time::Duration::MAX, "{what}");
    };
    rest(&mut window, "as it opens");
    window.focus("TCP Destination Port");
    rest(&mut window, "with the cursor in a field");
    window.send(Event::PointerGone);
    window.settle();
    let mut spool = window.start_capture();
    for (number, packet) in syns(100).iter().enumerate() {
        spool.append(&record(number, packet)).unwrap();
    }
    spool.flush().unwrap();
    window.settle();
    rest(&mut window, "while a capture runs and nothing comes");
    let row = window.row(100);
    window.click(&row);
    rest(&mut window, "with a packet selected");
    window.click("Diagram");
    rest(&mut window, "with its diagram");
    window.event(engine::Event::NotSaved(0, missing()));
    rest(&mut window, "with a notice");
    window.key(CTRL, Key::K);
    rest(&mut window, "with the palette open");
}

#[test]
fn every_sign_can_be_drawn_on_a_system_without_fonts() {
    let window = Window::open();
    let families = window.harness.ctx.fonts(|f| f.definitions().families.clone());
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        assert!(
            families[&family].contains(&"Hack".to_owned()),
            "{family:?} falls back to {:?}",
            families[&family]
        );
    }
    // What is built in, without the fonts of this machine.
    let plain = eframe::egui::Context::default();
    plain.run_ui(RawInput::default(), |_| {}).drop_without_applying_deltas();
    for (path, source) in views() {
        for sign in split(&source).0.concat().chars().filter(|c| !c.is_ascii()) {
            let drawn = plain.fonts_mut(|f| f.has_glyph(&FontId::monospace(12.0), sign));
            assert!(drawn, "{sign} (U+{:04X}) in {path}", u32::from(sign));
        }
    }
}

// ---- the views know no protocol

/// The sources of the views, with their names.
fn views() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    let files = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
    let all: Vec<_> =
        files.map(|p| (p.display().to_string(), std::fs::read_to_string(&p).unwrap())).collect();
    assert!(all.len() > 10, "only {} views found", all.len());
    all
}

/// The texts of a source, without its comments, and the rest of it.
fn split(source: &str) -> (Vec<String>, String) {
    let (mut texts, mut code, mut rest) = (Vec::new(), String::new(), source);
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| match (escaped, c) {
                (true, _) => {
                    escaped = false;
                    false
                }
                (false, '\\') => {
                    escaped = true;
                    false
                }
                (false, c) => c == '"',
            });
            let end = end.map_or(rest.len(), |e| e + 1);
            texts.push(rest[1..end].to_owned());
            rest = rest.get(end + 1..).unwrap_or_default();
        } else if rest.starts_with("'\"'") {
            rest = &rest[3..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    (texts, code)
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_lowercase)
}

/// What names a protocol in these sources of views. The registry says what the names are, so that a new protocol is
/// held to the same.
fn named_protocols(source: &str) -> Vec<String> {
    let (texts, code) = split(source);
    let mut names = BTreeSet::new();
    let mut phrases = BTreeSet::new();
    for header in protocols::ALL {
        names.extend([header.key.to_lowercase(), header.short.to_lowercase()]);
        phrases.insert(header.name.to_lowercase());
        for item in header.items.iter().flat_map(|l| l.items) {
            // Short keys of options are words of their own too; their names are phrases.
            phrases.insert(item.name.to_lowercase());
        }
        for field in header.fields {
            phrases.insert(format!("{}.{}", header.key, field.key).to_lowercase());
        }
    }
    // "IP layer" is a way of sending (a raw IP socket), not the name of a header.
    names.remove("ip");
    let mut found = Vec::new();
    for text in texts {
        let lower = text.to_lowercase();
        found.extend(words(&text).filter(|w| names.contains(w)).map(|w| format!("{w} in {text:?}")));
        found.extend(phrases.iter().filter(|p| lower.contains(*p)).map(|p| format!("{p} in {text:?}")));
    }
    // The registry is only walked: `protocols::tcp` or `by_key` would single one out.
    for (at, _) in code.match_indices("protocols::") {
        let rest = &code[at + "protocols::".len()..];
        if !rest.starts_with("ALL") {
            found.push(rest.chars().take(20).collect());
        }
    }
    for single in ["by_key(", "by_number("] {
        let called = code.match_indices(single).any(|(at, _)| !code[..at].ends_with(['_']));
        found.extend(called.then(|| single.to_owned()));
    }
    found
}

#[test]
fn no_view_knows_a_protocol_by_name() {
    let mut found = Vec::new();
    for (path, source) in views() {
        found.extend(named_protocols(&source).into_iter().map(|f| format!("{path}: {f}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_view_that_knows_a_protocol_is_found() {
    for bad in [
        r#"if layer.header.key == "tcp" {}"#,
        r#"ui.label("TCP flags");"#,
        r#"let port = field("tcp.dstport");"#,
        r#"ui.label("the maximum segment size");"#,
        r#"protocols::by_key(name)"#,
    ] {
        assert!(!named_protocols(bad).is_empty(), "{bad}");
    }
    for good in [
        r#"// the TCP form"#,
        r#"ui.label("the layers before IP are not sent");"#,
        "for header in protocols::ALL {}",
        r#"Kind::Ipv4 => "an address","#,
    ] {
        assert!(named_protocols(good).is_empty(), "{good}");
    }
}

// ---- IPv6

#[test]
fn a_syn_over_ipv6_is_built_and_an_address_typed() {
    let mut window = Window::open();
    window.click("Preset ▾");
    window.click("SYN over IPv6");
    assert_eq!(window.value("IPv6 Destination Address"), "fd77::2");
    assert_eq!(
        (window.value("IPv6 Next Header"), window.value("IPv6 Payload Length")),
        ("6".into(), "20".into())
    );
    window.fill("IPv6 Destination Address", "fd77:0:0:0:0:0:0:");
    window.must_say("an IPv6 address such as fd77::2");
    assert_eq!(window.draft().network_ends().unwrap().1.to_string(), "fd77::2", "it keeps its last value");
    let long = "2001:db8:1234:5678:9abc:def0:1234:5678";
    window.fill("IPv6 Destination Address", long);
    window.leave();
    assert_eq!(window.value("IPv6 Destination Address"), long);
    let right = craft(&format!("ipv6(dst={long})/tcp(srcport=40000, dstport=80, seq=1, flags=S)"));
    assert_eq!(window.draft().bytes(), right.bytes());
    // The whole address stands in its cell.
    let cell = window.get("IPv6 Destination Address").rect();
    assert!(cell.width() > 8.0 * long.len() as f32, "{cell:?}");
    window.must_say("as it stands");
}

#[test]
fn a_message_of_neighbour_discovery_takes_its_form_from_its_type() {
    let mut window = Window::open();
    window.click("Preset ▾");
    window.click("Neighbor solicitation");
    window.fill("ICMPv6 Target Address", "fd77::5");
    window.fill("ICMPv6 Type", "134");
    assert!(!window.has("ICMPv6 Target Address"));
    window.fill("ICMPv6 Router Lifetime", "9");
    window.fill("ICMPv6 Type", "136");
    assert_eq!(window.value("ICMPv6 Target Address"), "fd77::5", "it comes back with its field");
    window.click("ICMPv6 Solicited");
    window.click("Add ICMPv6 option");
    window.click("Target Link-layer Address (2)");
    window.fill("ICMPv6 Link-layer Address", "02:00:00:00:00:09");
    let bytes = window.draft().bytes();
    assert_eq!(bytes[bytes.len() - 8..], [2, 1, 2, 0, 0, 0, 0, 9]);
    assert_eq!(bytes[44], 0x40);
    window.click("Remove Target Link-layer Address 1");
    assert_eq!(window.draft().layers()[1].len, 24);
}
