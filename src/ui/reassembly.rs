//! The datagrams that the selected packet is a fragment of: their fragments, their layers, their bytes.

use eframe::egui::{CollapsingHeader, RichText, Ui};

use super::State;
use super::detail::{TreePen, headers_ui};
use super::hex::hex_ui;
use super::lit::Lit;
use super::shown::Shown;
use super::theme::{GAP, look};
use crate::app::{CaptureState, Command};
use crate::wire::bits::BitRange;
use crate::wire::reassembly::{Datagram, MOST_DEPTH, Part, Whole};

/// Tells the packet views of the wholes apart.
const IDS: [&str; MOST_DEPTH] = ["whole", "whole-2", "whole-3", "whole-4"];

/// Fragments beyond this are folded away.
const MANY: usize = 6;

/// Which bytes the hex view shows, and what is lit in the wholes.
#[derive(Debug, Default)]
pub struct Wholes {
    /// The packet for which the choice was made.
    of: Option<usize>,
    /// 0: the packet itself.
    chosen: usize,
    lit: [Lit; MOST_DEPTH],
}

impl Wholes {
    /// Ends a frame.
    pub fn end_frame(&mut self, context: &eframe::egui::Context) {
        self.lit.iter_mut().for_each(|lit| lit.end_frame(context));
    }
}

/// The datagrams of the selected packet, as far as they are known.
pub fn datagrams(capture: &CaptureState) -> &[Datagram] {
    match capture.reassembly() {
        Some(Ok(found)) => &found.datagrams,
        _ => &[],
    }
}

/// The selected packet is a fragment whose whole is shown below it, or is about to be: what it says is said there too.
pub fn is_of_whole(capture: &CaptureState) -> bool {
    capture.is_seeking() || wholes(datagrams(capture)).next().is_some()
}

/// A whole and how it is shown.
fn wholes(datagrams: &[Datagram]) -> impl Iterator<Item = (&Whole, Shown<'_>)> {
    datagrams.iter().filter_map(Datagram::whole).zip(IDS).map(|(whole, id)| {
        let (bytes, layers) = (whole.bytes.as_slice(), whole.found.layers.as_slice());
        (whole, Shown { id, bytes, layers, left_to_card: whole.left_to_card })
    })
}

/// Draws the bytes of the packet or of a whole, with a tab for each. They follow what is pointed at.
pub fn bytes_ui(ui: &mut Ui, shown: &Shown<'_>, capture: &CaptureState, state: &mut State) {
    let all: Vec<_> = wholes(datagrams(capture)).collect();
    let choice = &mut state.wholes;
    let selected = capture.selected().map(|s| s.index);
    if choice.of != selected {
        (choice.of, choice.chosen) = (selected, 0);
    }
    if let Some(pointed) = choice.lit.iter().take(all.len()).position(Lit::is_shown) {
        choice.chosen = pointed + 1;
    } else if state.lit_detail.is_shown() {
        choice.chosen = 0;
    }
    choice.chosen = choice.chosen.min(all.len());
    if !all.is_empty() {
        ui.horizontal(|ui| {
            let size = |text: String| RichText::new(text).size(12.0);
            let text = format!("Packet ({} bytes)", shown.bytes.len());
            ui.selectable_value(&mut choice.chosen, 0, size(text));
            for (index, (whole, _)) in (1..).zip(&all) {
                let text = format!("Reassembled {} ({} bytes)", whole.network.short, whole.bytes.len());
                let given = whole.bytes.len() - whole.head;
                let hint = format!("{} bytes of headers, {given} that the fragments gave", whole.head);
                ui.selectable_value(&mut choice.chosen, index, size(text)).on_hover_text(hint);
            }
        });
    }
    let chosen = choice.chosen.checked_sub(1);
    match chosen.and_then(|at| Some((&all.get(at)?.1, choice.lit.get_mut(at)?))) {
        Some((whole, lit)) => hex_ui(ui, whole, lit),
        None => hex_ui(ui, shown, &mut state.lit_detail),
    }
}

/// Draws the datagrams below the packet's own layers.
pub fn datagrams_ui(ui: &mut Ui, capture: &CaptureState, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    if capture.is_seeking() {
        ui.add_space(GAP);
        ui.label(RichText::new("Looking for the other fragments…").size(12.0).color(look.dim));
    }
    if let Some(Err(problem)) = capture.reassembly() {
        ui.add_space(GAP);
        ui.label(RichText::new(format!("▲ {problem}")).size(12.0).color(look.warn));
    }
    let headers = state.headers;
    let mut at = 0;
    for (depth, datagram) in datagrams(capture).iter().enumerate() {
        let Some(lit) = state.wholes.lit.get_mut(at) else { break };
        ui.add_space(GAP);
        let title = datagram.title();
        let title = match datagram.whole() {
            Some(_) => RichText::new(title).strong().size(12.5),
            None => RichText::new(format!("▲ {title}")).size(12.0).color(look.warn),
        };
        ui.label(title);
        let chosen = ui.push_id(("parts", depth), |ui| fragments_ui(ui, datagram, capture, lit)).inner;
        if let Some(position) = chosen {
            commands.extend([Command::Select(Some(position)), Command::Follow(false)]);
            state.scroll_to = Some(position);
        }
        for note in datagram.notes() {
            ui.label(RichText::new(format!("▲ {note}")).size(12.0).color(look.warn));
        }
        if let Some((whole, shown)) =
            wholes(datagrams(capture)).nth(at).filter(|_| datagram.whole().is_some())
        {
            // Filters and columns speak of the packets themselves.
            let mut pen = TreePen { lit, menu: None };
            ui.push_id(shown.id, |ui| headers_ui(ui, &shown, &whole.found, (headers, false), &mut pen));
            at += 1;
        }
    }
}

/// A line for each fragment, folded where there are many; gives the position of the packet that was clicked.
fn fragments_ui(ui: &mut Ui, datagram: &Datagram, capture: &CaptureState, lit: &mut Lit) -> Option<usize> {
    let many = datagram.parts.len() > MANY;
    if !many {
        return ui.indent("fragments", |ui| lines_ui(ui, datagram, capture, lit)).inner;
    }
    let title = RichText::new(format!("{} fragments", datagram.parts.len())).size(12.5);
    let open = CollapsingHeader::new(title).id_salt("fragments").default_open(false);
    open.show(ui, |ui| lines_ui(ui, datagram, capture, lit)).body_returned.flatten()
}

fn lines_ui(ui: &mut Ui, datagram: &Datagram, capture: &CaptureState, lit: &mut Lit) -> Option<usize> {
    let look = look(ui);
    let here = capture.selected().map(|s| s.index + 1);
    let head = datagram.whole().map(|whole| whole.head);
    let mut clicked = None;
    for (index, part) in datagram.parts.iter().enumerate() {
        let text = RichText::new(format!("Packet {}: {}", part.packet, part.text())).size(12.0);
        let response = ui.push_id((index, part.packet), |ui| match here == Some(part.packet) {
            true => ui.label(text),
            false => ui.link(text.color(look.accent)).on_hover_text("Go to this packet"),
        });
        let response = response.inner;
        if response.clicked() {
            clicked = Some(part.packet.saturating_sub(1));
        }
        if let (true, Some(head)) = (response.hovered(), head) {
            lit.point_at(bits_of(part, head));
        }
    }
    clicked
}

/// The bits of a whole that a fragment gave.
fn bits_of(part: &Part, head: usize) -> BitRange {
    BitRange { start: (head + part.gave.start) * 8, width: part.gave.len() * 8 }
}
