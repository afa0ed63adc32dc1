//! The menu of a value, in the packet's tree and in the list: filters made of it.

use eframe::egui::{RichText, Ui};

use super::theme::{self, look};
use crate::app::{Command, Find, ListCommand, What, Workbench};
use crate::filter::pick::{self, Join, Picked};
use crate::filter::{Column, Packet};
use crate::wire::dissect::{Dissection, dissect};

/// Width of a menu, in points.
const WIDTH: f32 = 260.0;
/// Longer texts are cut in a menu, in letters.
const MOST_LETTERS: usize = 34;

/// Where menus of a packet put what is chosen in them.
pub struct Menu<'a> {
    /// The packet.
    pub packet: Packet<'a>,
    /// The filter that holds.
    pub holds: &'a str,
    /// What is chosen.
    pub commands: &'a mut Vec<Command>,
}

impl Menu<'_> {
    /// Draws the menu of what was picked, of one value or of several, and of columns with these keys.
    pub fn show(&mut self, ui: &mut Ui, picked: &[Picked], mut keys: Vec<String>) {
        ui.set_max_width(WIDTH);
        match picked {
            [] => {
                ui.label(RichText::new("no filter can say this value").color(look(ui).dim));
            }
            [one] => self.one_ui(ui, one),
            several => {
                for one in several {
                    ui.menu_button(mono(ui, &one.equal()), |ui| self.one_ui(ui, one));
                }
            }
        }
        if let Some(text) = pick::conversation(&self.packet) {
            ui.separator();
            self.entry(ui, "Show only this conversation", Command::FilterBy(text.clone()));
            if let Some(both) = self.beside(Join::And, &text) {
                self.entry(ui, "And only this conversation", Command::FilterBy(both));
            }
        }
        keys.dedup();
        keys.retain(|key| Column::find(key).is_ok());
        if !keys.is_empty() {
            ui.separator();
        }
        for key in keys {
            let name = format!("Apply as column: {key}");
            self.entry(ui, &name, Command::List(ListCommand::AddColumn(key, None)));
        }
    }

    fn one_ui(&mut self, ui: &mut Ui, picked: &Picked) {
        let equal = picked.equal();
        ui.label(mono(ui, &equal).color(look(ui).accent));
        ui.separator();
        self.entry(ui, "Show only these", Command::FilterBy(equal.clone()));
        if let Some(unequal) = picked.unequal() {
            self.entry(ui, "Show other values (!=)", Command::FilterBy(unequal));
        }
        self.entry(ui, "Hide these", Command::FilterBy(picked.negated()));
        let joined = [
            ("And these", Join::And, equal.clone()),
            ("And not these", Join::And, picked.negated()),
            ("Or these", Join::Or, equal.clone()),
        ];
        let joined =
            joined.into_iter().filter_map(|(name, join, text)| Some((name, self.beside(join, &text)?)));
        let joined: Vec<_> = joined.collect();
        if !joined.is_empty() {
            ui.separator();
        }
        for (name, text) in joined {
            self.entry(ui, name, Command::FilterBy(text));
        }
        ui.separator();
        self.entry(ui, "Find the next of these", Command::Find(Find::NextWith(equal.clone())));
        self.entry(ui, "Copy as filter", Command::Copy(equal));
    }

    /// The filter that holds and this one; none where none holds.
    fn beside(&self, join: Join, text: &str) -> Option<String> {
        pick::joined(self.holds, join, text).filter(|_| !self.holds.trim().is_empty())
    }

    fn entry(&mut self, ui: &mut Ui, name: &str, command: Command) {
        if ui.button(name).clicked() {
            self.commands.push(command);
            ui.close();
        }
    }
}

fn mono(ui: &Ui, text: &str) -> RichText {
    let cut: String = text.chars().take(MOST_LETTERS).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    RichText::new(format!("{cut}{more}")).font(theme::mono(12.0)).color(look(ui).text)
}

/// Draws the menu of a cell of the selected packet's row.
pub fn cell_ui(ui: &mut Ui, bench: &Workbench, column: usize, commands: &mut Vec<Command>) {
    // The click that opens the menu selects the packet, which is there in the next frame.
    let Some((selected, facts)) = bench.capture().selected().zip(bench.capture().selected_facts()) else {
        return;
    };
    let found = dissect(selected.link_type, &selected.bytes);
    let told = bench.capture().told().unwrap_or_default();
    let packet = Packet { bytes: &selected.bytes, found: &found, facts, flows: &told };
    let key = bench.list().settings().columns.get(column).map_or("", |c| c.key.as_str());
    let what = bench.list().columns().get(column);
    let picked: Vec<Picked> = what.and_then(|what| of_column(&packet, what, key)).into_iter().collect();
    Menu { packet, holds: bench.filter().text(), commands }.show(ui, &picked, Vec::new());
}

/// What a column of the list shows of a packet.
fn of_column(packet: &Packet<'_>, what: &What, key: &str) -> Option<Picked> {
    let own = || packet.found.layers.iter().enumerate().rev().filter(|(_, l)| !l.quoted);
    let end = |second: bool| {
        let (index, ends) = own().find_map(|(index, l)| Some((index, l.header.ends?)))?;
        let field = if second { ends.1 } else { ends.0 };
        pick::field(packet, &packet.found.view(packet.bytes, index).field(field.key)?)
    };
    match what {
        What::Number => pick::key(packet, "frame.number"),
        What::Time => pick::key(packet, "frame.time_relative"),
        What::Source => end(false),
        What::Destination => end(true),
        What::Length => pick::key(packet, "frame.len"),
        What::Field(_) => pick::key(packet, key),
        What::Direction | What::Unknown(_) => None,
        What::Protocol | What::Info => own().next().and_then(|(index, _)| pick::layer(packet, index)),
    }
}

/// The filters that can be made of the selected packet's fields, for the palette: a name and what it does.
#[must_use]
pub fn entries(bench: &Workbench) -> Vec<(String, Command)> {
    let Some((selected, facts)) = bench.capture().selected().zip(bench.capture().selected_facts()) else {
        return Vec::new();
    };
    let found = dissect(selected.link_type, &selected.bytes);
    let told = bench.capture().told().unwrap_or_default();
    let packet = Packet { bytes: &selected.bytes, found: &found, facts, flows: &told };
    let mut all = Vec::new();
    if let Some(text) = pick::conversation(&packet) {
        all.push(("Show only this conversation".to_owned(), Command::FilterBy(text)));
    }
    let holds = bench.filter().text();
    for picked in every(&packet, &found) {
        let equal = picked.equal();
        all.push((format!("Filter: {equal}"), Command::FilterBy(equal.clone())));
        all.push((format!("Filter: {}", picked.negated()), Command::FilterBy(picked.negated())));
        if !holds.trim().is_empty() {
            for (name, join) in [("and", Join::And), ("or", Join::Or)] {
                let joined = pick::joined(holds, join, &equal);
                all.extend(joined.map(|text| (format!("Filter: {name} {equal}"), Command::FilterBy(text))));
            }
        }
    }
    all
}

/// Each value of a packet that a filter can say, once.
fn every(packet: &Packet<'_>, found: &Dissection) -> Vec<Picked> {
    let mut all: Vec<Picked> = Vec::new();
    for index in 0..found.layers.len() {
        let view = found.view(packet.bytes, index);
        let fields = view.fields().into_iter().filter_map(|f| pick::field(packet, &f));
        let readings = view.readings().into_iter().flat_map(|r| r.list);
        let read = readings.filter_map(|r| pick::reading(packet, index, &r));
        for picked in pick::layer(packet, index).into_iter().chain(fields).chain(read) {
            if !all.contains(&picked) {
                all.push(picked);
            }
        }
    }
    all
}
