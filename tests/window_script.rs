//! Scripts in the window: edited, run, and what they say of each line.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/window.rs"]
#[allow(dead_code, reason = "shared by several tests")]
mod common;

use std::time::Duration;

use common::{CTRL, Window, craft};
use eframe::egui::{Key, Modifiers};
use rawbench::app::{Command, Question, ScriptCommand};
use rawbench::engine::script::{Came, EXAMPLES, Outcome, Row, Table, Told, Unmet, Verdicts, What, Why};
use rawbench::engine::{Place, ScriptTold};

const SCRIPT: &str = "lab\n> ip(dst=10.77.0.2)/icmp(type=8)\n< ip(src=10.77.0.2)/icmp(type=0)\n";

fn command(window: &mut Window, command: ScriptCommand) {
    window.harness.state_mut().bench.apply(Command::Script(command));
    window.settle();
}

/// A window with a script and a capture that runs.
fn with_script(text: &str) -> Window {
    let mut window = Window::open();
    drop(window.start_capture());
    window.click("Script");
    command(&mut window, ScriptCommand::Text(text.into()));
    window
}

fn told(window: &mut Window, line: usize, what: What) {
    let text = window.bench().scripts().text().lines().nth(line - 1).unwrap().to_owned();
    let told = Told { line, text, rounds: Vec::new(), what };
    say(window, ScriptTold::Told(told));
}

fn say(window: &mut Window, told: ScriptTold) {
    window.harness.state_mut().bench.take_script(told);
    window.harness.ctx.request_repaint();
    window.settle();
}

fn over(window: &mut Window, verdicts: Verdicts) {
    let outcome = Outcome { verdicts, seconds: 0.25, ..Outcome::default() };
    say(window, ScriptTold::Over(Ok(Box::new(outcome))));
}

fn came(notation: &str) -> Came {
    Came { link_type: 101, time_ns: 1, outgoing: false, bytes: craft(notation).bytes().to_vec() }
}

#[test]
fn an_example_is_there_at_once_and_others_in_the_menu() {
    let mut window = Window::open();
    window.click("Script");
    assert_eq!(window.value("Script text"), EXAMPLES[0].1);
    assert_eq!(window.bench().scripts().text(), EXAMPLES[0].1);
    window.must_say("firewall.bench");
    window.click("Run a script… ▾");
    window.click("http-get.bench");
    assert_eq!(window.bench().scripts().text(), EXAMPLES[1].1);
    // The builder is where it was.
    window.click("Back to the builder");
    assert!(window.has("TCP Source Port"));
    window.key(CTRL, Key::K);
    window.type_text("example firewall");
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.bench().scripts().text(), EXAMPLES[0].1);
}

#[test]
fn what_happens_stands_beside_its_line() {
    let mut window = with_script(SCRIPT);
    window.key(Modifiers::NONE, Key::F5);
    assert!(window.bench().scripts().is_running());
    let request = craft("ip(src=10.77.0.1, dst=10.77.0.2)/icmp(type=8)").bytes().to_vec();
    told(&mut window, 2, What::Sent { link_type: 101, bytes: request });
    say(&mut window, ScriptTold::At(3));
    window.must_say("Line 3 waits.");
    assert!(window.has("Line 2: sent") && window.has("Line 3: waits"), "{:#?}", window.texts());
    let reply = came("ip(src=10.77.0.2, dst=10.77.0.1)/icmp(type=0)");
    told(&mut window, 3, What::Came { packet: reply, after_ns: 12_000, taken: Vec::new() });
    over(&mut window, Verdicts { passed: 1, sent: 1, ..Verdicts::default() });
    assert!(window.has("Line 3: passed"));
    window.must_say("pass: 1 packet sent, 1 expectation held, 0 failed, 0.250 s");
    window.must_say("< ok   10.77.0.2       ICMP  Echo reply");
    window.click("Copy what happened");
    let copied = window.copied.last().unwrap();
    assert!(copied.contains("3 < ok") && copied.ends_with("0.250 s\n"), "{copied}");
}

#[test]
fn a_line_that_fails_says_the_difference_and_stop_ends_the_run() {
    let mut window = with_script(SCRIPT);
    window.click("Run");
    let unmet = Unmet {
        within: Duration::from_secs(1),
        nearest: None,
        others: vec![(came("ip(src=10.77.0.9, dst=10.77.0.1)/icmp(type=8)"), 5)],
        more: 0,
        kernel_reset: false,
    };
    told(&mut window, 3, What::Failed(Box::new(Why::Missing(unmet))));
    assert!(window.has("Line 3: failed"));
    window.must_say("FAIL no such packet came within 1s");
    window.click("Stop");
    window.must_say("It stops.");
    over(&mut window, Verdicts { failed: 1, stopped: true, ..Verdicts::default() });
    window.must_say("FAIL: 0 packets sent, 0 expectations held, 1 failed, 0.250 s (stopped)");
    assert!(window.has("Run") && !window.has("Stop the script"));
}

#[test]
fn a_sweep_ends_in_a_table() {
    let mut window = with_script("sweep 0.1s ip(dst=10.77.0.2)/tcp(dstport=[80, 81], flags=S)\n");
    window.key(Modifiers::NONE, Key::F5);
    let row = |port: &str| Row { values: vec![port.into()], found: None, missed: None };
    let table = Table { keys: vec!["tcp.dstport".into()], rows: vec![row("80"), row("81")] };
    told(&mut window, 1, What::Swept(table));
    window.must_say("tcp.dstport  answer");
    window.must_say("80..81       none");
    assert!(window.has("Line 1: passed"));
}

#[test]
fn what_is_wrong_is_shown_with_a_caret_and_nothing_is_sent() {
    let mut window = with_script("lab\n> ip(dst=10.77.0.2)/tcp(dstprt=5)\n");
    window.key(Modifiers::NONE, Key::F5);
    assert!(!window.bench().scripts().is_running());
    window.must_say("Line 2 is wrong: nothing was sent.");
    window.must_say("^^^^^^");
    assert!(window.has("Line 2: wrong"));
    window.click("Copy the text");
    assert!(window.copied.last().unwrap().contains("did you mean dstport?"));
    // It is taken away with the next edit.
    window.click("Script text");
    window.key(CTRL, Key::End);
    window.type_text("#");
    assert!(window.bench().scripts().problem().is_none());
    assert!(window.bench().scripts().text().ends_with("dstprt=5)\n#"));
    // Ctrl+Z is the editor's as long as one types there.
    let draft = window.draft().bytes().to_vec();
    window.key(CTRL, Key::Z);
    assert_eq!(window.draft().bytes(), draft);
    assert!(!window.bench().scripts().text().ends_with('#'), "{}", window.bench().scripts().text());
}

#[test]
fn an_edited_script_is_not_lost() {
    let mut window = with_script(SCRIPT);
    let path = window.directory.path().join("own.bench");
    window.must_say("firewall.bench, edited");
    window.click("Run a script… ▾");
    window.click("http-get.bench");
    window.must_say("The script was edited and is not saved");
    window.click("Keep it");
    assert_eq!(window.bench().scripts().text(), SCRIPT);
    // Closing the window asks as well.
    window.leave();
    window.key(CTRL, Key::Q);
    assert!(matches!(window.bench().question(), Some(Question::LoseScript(ScriptCommand::Quit))));
    window.click("Keep it");
    assert!(!window.closed);
    command(&mut window, ScriptCommand::SavePath(path.clone()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), SCRIPT);
    window.must_say("own.bench");
    assert!(!window.bench().scripts().is_edited());
    // What cannot be a script says why.
    std::fs::write(&path, b"\xff\xfe").unwrap();
    command(&mut window, ScriptCommand::OpenPath(path));
    window.must_say("it is no text: byte 0 is no UTF-8");
    command(&mut window, ScriptCommand::OpenPath("/nonexist/a.bench".into()));
    window.must_say("cannot open /nonexist/a.bench");
    assert_eq!(window.bench().scripts().text(), SCRIPT);
}

#[test]
fn it_waits_for_the_capture() {
    let mut window = Window::open();
    window.give_sources();
    assert_eq!(window.bench().source().unwrap().place, Place::Lab);
    window.click("Script");
    command(&mut window, ScriptCommand::Text(SCRIPT.into()));
    window.key(Modifiers::NONE, Key::F5);
    window.must_say("It runs as soon as the capture listens.");
    assert!(window.bench().scripts().run().is_none());
    drop(window.start_capture());
    assert!(window.bench().scripts().run().is_some_and(|run| run.is_running()));
}
