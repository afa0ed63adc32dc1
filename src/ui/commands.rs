//! What can be done from the keyboard and the palette: a name, a shortcut, a command.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use crate::app::{
    Below, Command, ExchangeCommand, Find, Hold, ListCommand, ScriptCommand, Sheet, StreamCommand, Theme,
    Workbench,
};
use crate::craft::export;
use crate::craft::presets;
use crate::craft::print::Detail;
use crate::engine::script::EXAMPLES;

/// An entry of the palette.
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its shortcut, where it has one.
    pub shortcut: Option<KeyboardShortcut>,
    /// What it does.
    pub command: Command,
}

const fn ctrl(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

const fn ctrl_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

const fn plain(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

const FIND: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::ALT), Key::F);
const FIND_BEFORE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::SHIFT, Key::F3);

/// Delays of the lab's server, in milliseconds: none, a city, a continent, a satellite.
const DELAYS: [u16; 4] = [0, 10, 100, 600];

/// All that can be done now.
#[must_use]
pub fn entries(bench: &Workbench) -> Vec<Entry> {
    let entry = |name: &str, shortcut, command| Entry { name: name.into(), shortcut, command };
    let theme = if bench.theme() == Theme::Dark { Theme::Light } else { Theme::Dark };
    let capture = if bench.capture().is_busy() {
        entry("Stop the capture", ctrl(Key::R), Command::StopCapture)
    } else {
        entry("Start a capture", ctrl(Key::R), Command::StartCapture)
    };
    let sheet = |sheet| Command::List(ListCommand::Sheet(Some(sheet)));
    let mut all = vec![
        entry("Send the packet", ctrl(Key::Enter), Command::Send),
        capture,
        entry("Capture options", ctrl_shift(Key::O), sheet(Sheet::Capture)),
        entry("Open a capture file", ctrl(Key::O), Command::Open),
        entry("Save the capture", ctrl(Key::S), Command::Save),
        entry("Undo", ctrl(Key::Z), Command::Undo),
        entry("Redo", ctrl_shift(Key::Z), Command::Redo),
        entry("Copy the packet as hex pairs", ctrl_shift(Key::H), Command::CopyHex),
        entry("Copy the packet as notation", ctrl_shift(Key::N), Command::CopyNotation(Detail::Short)),
        entry("Filter the packet list", ctrl(Key::F), Command::FocusFilter),
        entry("Show all packets", ctrl_shift(Key::F), Command::Filter(String::new())),
        entry("Find a packet", Some(FIND), Command::Find(Find::Open)),
        entry("Find the next packet", plain(Key::F3), Command::Find(Find::Next)),
        entry("Find the packet before", Some(FIND_BEFORE), Command::Find(Find::Previous)),
        entry("Follow the newest packet", ctrl(Key::End), Command::Follow(true)),
        entry("Empty the packet list", ctrl_shift(Key::Delete), Command::Clear),
        entry("Switch between dark and light", ctrl(Key::T), Command::Theme(theme)),
        entry("All commands", ctrl(Key::K), Command::Palette),
        entry("Close the window", ctrl(Key::Q), Command::Quit),
    ];
    all.extend(list_entries(bench));
    if let Some(selected) = bench.capture().selected() {
        all.push(entry(
            "Edit a copy of the selected packet",
            ctrl(Key::E),
            Command::EditCopy(selected.index),
        ));
        let reply = Command::Reply(Some(selected.index));
        all.push(entry("Reply to the selected packet", ctrl_shift(Key::R), reply));
    }
    all.push(entry(
        "Reply to the newest packet that came back",
        ctrl_shift(Key::Enter),
        Command::Reply(None),
    ));
    all.extend(below_entries(bench));
    let exchange = |command| Command::Exchanges(command);
    let partner = "Go to the packet that the selected one answers, or to its answer";
    all.push(entry(partner, ctrl(Key::P), exchange(ExchangeCommand::Partner)));
    all.push(entry("Export the exchanges as CSV or JSON", None, exchange(ExchangeCommand::AskExport)));
    if !bench.capture().is_traced() {
        all.push(entry("Mark what answers what", None, exchange(ExchangeCommand::Trace)));
    }
    all.extend(script_entries(bench));
    let (name, on) = match bench.hold() {
        Hold::Off => ("Hold this port against the kernel's resets", true),
        _ => ("Hold no port any more", false),
    };
    all.push(entry(name, ctrl(Key::H), Command::HoldPort(on)));
    let streams = bench.streams();
    let mode = if streams.is_on() { "Send one packet at a time" } else { "Send streams of packets" };
    all.push(entry(mode, None, Command::Stream(StreamCommand::On(!streams.is_on()))));
    all.push(entry("Send the shown packets again", None, Command::Stream(StreamCommand::AskAgain)));
    if let Some(run) = streams.run().filter(|run| run.is_running()) {
        all.push(entry("Stop the stream", None, Command::Stream(StreamCommand::Stop)));
        all.push(match run.is_paused() {
            true => entry("Continue the stream", None, Command::Stream(StreamCommand::Continue)),
            false => entry("Pause the stream", None, Command::Stream(StreamCommand::Pause)),
        });
    }
    for form in export::ALL {
        let name = format!("Copy the packet for another tool: {}", form.label);
        all.push(entry(&name, None, Command::CopyAs { form, selected: false }));
    }
    for (index, preset) in presets::ALL.iter().enumerate() {
        all.push(entry(&format!("Preset: {}", preset.name), digit(index), Command::Preset(index)));
    }
    for milliseconds in DELAYS {
        let name = match milliseconds {
            0 => "Lab: the server answers at once".to_owned(),
            _ => format!("Lab: the server answers {milliseconds} ms later"),
        };
        all.push(entry(&name, None, Command::DelayLab(milliseconds)));
    }
    all.push(entry("Capture on another machine over ssh", None, Command::AskRemote));
    if let Some(reading) = bench.capture().reading() {
        if bench.capture().is_loading() {
            all.push(entry("Cancel the reading of the file", None, Command::CancelReading));
        } else if let Some(follows) = reading.follows() {
            let name =
                if follows { "Let what is appended to the file be" } else { "Follow the file as it grows" };
            all.push(entry(name, None, Command::FollowFile(!follows)));
        }
    }
    for (index, source) in bench.sources().0.iter().enumerate() {
        all.push(entry(&format!("Source: {}", source.label), None, Command::Source(index)));
    }
    all
}

/// What can be done with scripts; where one is shown, F5 is its.
fn script_entries(bench: &Workbench) -> Vec<Entry> {
    let entry = |name: &str, shortcut, command| Entry { name: name.into(), shortcut, command };
    let script = |name: &str, shortcut, command| entry(name, shortcut, Command::Script(command));
    let shown = bench.scripts().is_shown();
    let refresh = if shown { None } else { plain(Key::F5) };
    let mut all = vec![entry("Look for interfaces again", refresh, Command::RefreshSources)];
    if bench.scripts().is_running() {
        all.push(script("Stop the script", None, ScriptCommand::Stop));
    } else if shown {
        all.push(script("Run the script", plain(Key::F5), ScriptCommand::Run));
    }
    all.push(match shown {
        true => script("Show the builder, not the script", None, ScriptCommand::Show(false)),
        false => script("Show the script", None, ScriptCommand::Show(true)),
    });
    all.push(script("Run a script…", None, ScriptCommand::AskOpen));
    for (index, (name, _)) in EXAMPLES.iter().enumerate() {
        all.push(script(&format!("Script: the example {name}"), None, ScriptCommand::Example(index)));
    }
    if shown {
        all.push(script("Save the script as…", None, ScriptCommand::AskSave));
    }
    all
}

const fn alt(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::ALT, key))
}

/// What can be done with the packet list.
fn list_entries(bench: &Workbench) -> Vec<Entry> {
    let entry = |name: &str, shortcut, command| Entry {
        name: name.into(),
        shortcut,
        command: Command::List(command),
    };
    let to = |text: &str| ListCommand::GoTo(text.into());
    let colours = bench.list().settings().colours;
    let mut all = vec![
        entry("Go to a packet", ctrl(Key::G), ListCommand::Sheet(Some(Sheet::GoTo))),
        entry("Go to the first packet", None, to("first")),
        entry("Go to the last packet", None, to("last")),
        entry("Go back to the packet selected before", alt(Key::ArrowLeft), ListCommand::Back),
        entry("Go forward to the packet selected after it", alt(Key::ArrowRight), ListCommand::Forward),
        entry("Go to the next gap", alt(Key::ArrowDown), ListCommand::Gap { next: true }),
        entry("Go to the gap before", alt(Key::ArrowUp), ListCommand::Gap { next: false }),
        entry("Columns of the packet list", ctrl(Key::L), ListCommand::Sheet(Some(Sheet::Columns))),
        entry(
            "Colour rules of the packet list",
            ctrl_shift(Key::L),
            ListCommand::Sheet(Some(Sheet::Colours)),
        ),
        entry(
            if colours {
                "Do not colour the packet list by rules"
            } else {
                "Colour the packet list by rules"
            },
            None,
            ListCommand::Colours(!colours),
        ),
        entry("Columns as they were at first", None, ListCommand::ResetColumns),
    ];
    if bench.capture().sorted().is_some() {
        all.push(entry("Back to the order of the capture", None, ListCommand::Unsort));
    }
    for (index, column) in bench.list().settings().columns.iter().enumerate() {
        let title = super::columns::spoken(column);
        all.push(entry(&format!("Sort by {title}"), None, ListCommand::Sort(index)));
    }
    all
}

/// What is shown below the list; the same again leads back to the packet.
fn below_entries(bench: &Workbench) -> [Entry; 3] {
    let ways = [
        (
            Below::Ladder,
            ctrl(Key::J),
            "Show the conversation as a ladder",
            "Show the packet, not its conversation",
        ),
        (
            Below::Exchanges,
            ctrl_shift(Key::J),
            "Show the exchanges: what answered, and how long it took",
            "Show the packet, not the exchanges",
        ),
        (
            Below::Compare,
            ctrl(Key::D),
            "Compare the packet with what was asked for",
            "Show the packet, not the comparison",
        ),
    ];
    ways.map(|(below, shortcut, there, back)| match bench.below() == below {
        true => Entry { name: back.into(), shortcut, command: Command::Below(Below::Packet) },
        false => Entry { name: there.into(), shortcut, command: Command::Below(below) },
    })
}

fn digit(index: usize) -> Option<KeyboardShortcut> {
    const KEYS: [Key; 9] =
        [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
    KEYS.get(index).map(|key| KeyboardShortcut::new(Modifiers::ALT, *key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_have_one_shortcut() {
        let bench = Workbench::new(None, std::env::temp_dir());
        let all = entries(&bench);
        for (index, one) in all.iter().enumerate().filter(|(_, one)| one.shortcut.is_some()) {
            let same = all[..index].iter().find(|other| other.shortcut == one.shortcut);
            assert!(same.is_none(), "{:?} and {:?}", one.name, same.map(|other| &other.name));
        }
    }
}
