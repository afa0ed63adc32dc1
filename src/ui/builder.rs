//! The builder: layer stack, header diagrams, options, payload, checksum, bytes, warnings, Send.

use eframe::egui::{
    Align, Button, CentralPanel, Color32, ComboBox, CornerRadius, Frame, Label, Layout, Margin, Panel,
    RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, scroll_area::ScrollBarVisibility, vec2,
};

use super::State;
use super::diagram::{Pen, diagram_ui};
use super::editor::Editor;
use super::hex::hex_ui;
use super::hold::hold_ui;
use super::options::{options_meter, options_ui};
use super::payload::payload_ui;
use super::sending;
use super::shown::Shown;
use super::sums::checksum_ui;
use super::theme::{GAP, look};
use crate::app::{Command, Via, Workbench};
use crate::craft::export;
use crate::craft::print::Detail;
use crate::craft::{Draft, presets};
use crate::engine::Listen;
use crate::wire::checksum;
use crate::wire::protocols;
use crate::wire::table::{Family, Header};
use crate::wire::value;

/// What the lower part of the builder shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// A checksum with its work.
    #[default]
    Checksum,
    /// The dump.
    Hex,
    /// Hex pairs, as in the source post.
    Pairs,
    /// The notation.
    Notation,
}

/// Draws the builder.
pub fn builder_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    Panel::top("builder-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bar_ui(ui, bench, commands);
    });
    Panel::bottom("builder-send").frame(bar_frame(ui)).show_separator_line(true).show(ui, |ui| {
        send_ui(ui, bench, commands);
    });
    let look = look(ui);
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 4));
    Panel::bottom("builder-bytes").resizable(true).default_size(126.0).min_size(90.0).frame(frame).show(
        ui,
        |ui| {
            bytes_ui(ui, bench, state, commands);
        },
    );
    let frame = Frame::new().fill(look.panel).inner_margin(Margin { left: 8, right: 2, top: 4, bottom: 2 });
    CentralPanel::default().frame(frame).show(ui, |ui| {
        // The bar is always there: the diagram keeps its width when options come and go.
        let bar = ScrollBarVisibility::AlwaysVisible;
        let area =
            ScrollArea::vertical().id_salt("builder-scroll").auto_shrink(false).scroll_bar_visibility(bar);
        area.show(ui, |ui| {
            ui.set_width(ui.available_width() - 4.0);
            stack_ui(ui, bench, commands);
            layers_ui(ui, bench, state, commands);
            payload_ui(ui, bench, &mut state.payload, commands);
        });
    });
}

/// The frame of the bars of a panel.
pub fn bar_frame(ui: &Ui) -> Frame {
    Frame::new().fill(look(ui).bar).inner_margin(Margin::symmetric(8, 5))
}

fn bar_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.label(RichText::new("Build").strong().size(14.0));
        ui.menu_button("Preset ▾", |ui| {
            for (index, preset) in presets::ALL.iter().enumerate() {
                if ui.button(preset.name).on_hover_text(preset.hint).clicked() {
                    commands.push(Command::Preset(index));
                    ui.close();
                }
            }
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.menu_button("Copy as ▾", |ui| {
                let items = [
                    ("Hex pairs", Command::CopyHex),
                    ("Notation", Command::CopyNotation(Detail::Short)),
                    ("Notation, everything written out", Command::CopyNotation(Detail::Full)),
                ];
                for (name, command) in items {
                    if ui.button(name).clicked() {
                        commands.push(command);
                        ui.close();
                    }
                }
                for form in export::ALL {
                    if ui.button(form.label).on_hover_text(form.help).clicked() {
                        commands.push(Command::CopyAs { form, selected: false });
                        ui.close();
                    }
                }
            });
            let (undo, redo) = bench.builder().can();
            if ui.add_enabled(redo, Button::new("Redo")).on_hover_text("Ctrl+Shift+Z").clicked() {
                commands.push(Command::Redo);
            }
            if ui.add_enabled(undo, Button::new("Undo")).on_hover_text("Ctrl+Z").clicked() {
                commands.push(Command::Undo);
            }
            if let Some(text) = bench.answering() {
                let label = Label::new(RichText::new(text).size(12.0).color(look(ui).dim)).truncate();
                ui.add(label).on_hover_text(text);
            }
        });
    });
}

/// The layers as a row of chips, and the menu that adds one.
fn stack_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let draft = bench.builder().draft();
    let look = look(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (index, layer) in draft.layers().iter().enumerate() {
            let hue = look.hue(layer.header);
            let frame = Frame::new()
                .fill(look.ground(hue, false))
                .stroke(Stroke::new(1.0, hue))
                .corner_radius(CornerRadius::same(10))
                .inner_margin(Margin::symmetric(9, 2));
            frame.show(ui, |ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                ui.spacing_mut().interact_size.y = 16.0;
                ui.spacing_mut().button_padding.y = 0.0;
                ui.label(RichText::new(layer.header.short).size(12.0)).on_hover_text(layer.header.name);
                let remove = ui.add(Button::new(RichText::new("×").size(10.0).color(look.dim)).frame(false));
                let name = format!("Remove layer {}", layer.header.short);
                remove.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                super::show_focused(&remove);
                if remove.on_hover_text(name).clicked() {
                    commands.push(Command::RemoveLayer(index));
                }
            });
            ui.label(RichText::new("▸").color(look.dim));
        }
        let bytes = draft.payload().len();
        ui.label(RichText::new(format!("payload {bytes}")).size(12.0).color(look.dim));
        let menu = ui.menu_button("+ layer", |ui| add_layer_menu(ui, bench, commands));
        menu.response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Add layer"));
        ui.label(RichText::new(format!("{} bytes", draft.bytes().len())).size(12.0).color(look.dim));
    });
    ui.add_space(2.0);
}

/// Each protocol that has a header of its own, by families, so that the menu fits a small window.
fn add_layer_menu(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    for family in Family::ALL {
        ui.menu_button(family.label(), |ui| {
            let own = |h: &&&Header| h.family == family && h.min_len() > 0;
            for header in protocols::ALL.iter().filter(own).copied() {
                ui.menu_button(header.short, |ui| places_ui(ui, bench, header, commands))
                    .response
                    .on_hover_text(header.name);
            }
        });
    }
}

/// Where a new layer can stand: outside the others or inside.
fn places_ui(ui: &mut Ui, bench: &Workbench, header: &'static Header, commands: &mut Vec<Command>) {
    let draft = bench.builder().draft();
    for at in 0..=draft.layers().len() {
        let text = match draft.layers().get(at) {
            Some(layer) => format!("before {}", layer.header.short),
            None => "at the end".to_owned(),
        };
        if ui.button(text).clicked() {
            commands.push(Command::InsertLayer { at, header });
            ui.close();
        }
    }
}

fn layers_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let draft = bench.builder().draft();
    let shown = Shown::draft(draft);
    for index in 0..draft.layers().len() {
        let mut editor = Editor { builder: bench.builder(), commands, typing: &mut state.typing };
        let mut pen = Pen { shown, lit: &mut state.lit_builder, editor: Some(&mut editor) };
        layer_heading(ui, &mut pen, index, pinned_note(draft, index));
        diagram_ui(ui, &mut pen, index);
        options_ui(ui, &mut pen, index);
        ui.add_space(GAP / 2.0);
    }
}

/// How many computed fields of a layer are pinned or wrong.
fn pinned_note(draft: &Draft, layer: usize) -> Option<String> {
    let count = draft.view(layer).header_fields().filter(|f| draft.override_of(f.path).is_some()).count();
    (count > 0).then(|| format!("{count} pinned"))
}

/// The name of a layer, its reference, its length, and how full its option list is.
pub fn layer_heading(ui: &mut Ui, pen: &mut Pen<'_, '_>, index: usize, note: Option<String>) {
    let look = look(ui);
    let layer = &pen.shown.layers[index];
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(4.0, 14.0), Sense::hover());
        ui.painter().rect_filled(rect, 2.0, look.hue(layer.header));
        ui.label(RichText::new(layer.header.name).strong().size(12.5));
        // With a note beside it there is room for the length only.
        let reference =
            if note.is_some() { String::new() } else { format!("{} · ", layer.header.reference) };
        ui.label(RichText::new(format!("{reference}{} bytes", layer.len)).size(11.0).color(look.dim));
        if let Some(note) = note {
            ui.label(RichText::new(note).size(11.0).color(look.warn));
        }
        options_meter(ui, pen, index);
    });
}

/// The lower part: checksum, dump, pairs, notation.
fn bytes_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let draft = bench.builder().draft();
    let shown = Shown::draft(draft);
    let sums: Vec<usize> =
        (0..draft.layers().len()).filter(|i| checksum::field_of(&draft.view(*i)).is_some()).collect();
    ui.horizontal(|ui| {
        let tabs = [
            (Tab::Checksum, "Checksum"),
            (Tab::Hex, "Hex"),
            (Tab::Pairs, "Hex pairs"),
            (Tab::Notation, "Notation"),
        ];
        for (tab, name) in tabs {
            ui.selectable_value(&mut state.tab, tab, name);
        }
        if state.tab == Tab::Checksum && sums.len() > 1 {
            ui.separator();
            for index in &sums {
                let chosen = state.sum_layer.filter(|l| sums.contains(l)).or(sums.last().copied());
                let name = draft.layers()[*index].header.short;
                if ui.selectable_label(chosen == Some(*index), name).clicked() {
                    state.sum_layer = Some(*index);
                }
            }
        }
    });
    ui.add_space(2.0);
    match state.tab {
        Tab::Checksum => match state.sum_layer.filter(|l| sums.contains(l)).or(sums.last().copied()) {
            Some(index) => checksum_ui(ui, &shown, index, &mut state.lit_builder),
            None => {
                ui.weak("No layer of this packet has a checksum.");
            }
        },
        Tab::Hex => hex_ui(ui, &shown, &mut state.lit_builder),
        Tab::Pairs => text_ui(ui, "pairs", value::hex_pairs(shown.bytes), Command::CopyHex, commands),
        Tab::Notation => {
            let text = draft.notation(Detail::Short);
            text_ui(ui, "notation", text, Command::CopyNotation(Detail::Short), commands);
        }
    }
}

/// Text that can be selected, and copied with one click.
fn text_ui(ui: &mut Ui, id: &str, text: String, copy: Command, commands: &mut Vec<Command>) {
    if ui.small_button("Copy").clicked() {
        commands.push(copy);
    }
    ScrollArea::vertical().id_salt(id).auto_shrink(false).show(ui, |ui| {
        ui.label(RichText::new(text).monospace().size(12.5));
    });
}

/// Warnings, what the kernel does, how it is sent, Send.
fn send_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    messages_ui(ui, bench);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            hold_ui(ui, bench, commands);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| way_ui(ui, bench));
        });
    });
    sending::run_ui(ui, bench, commands);
    sending::stream_ui(ui, bench, commands);
    ui.horizontal(|ui| {
        via_ui(ui, bench, commands);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let look = look(ui);
            let text = RichText::new("Send").strong().color(look.on_accent);
            let button = Button::new(text).fill(look.accent).min_size(vec2(96.0, 26.0));
            let free = !(bench.streams().is_on() && bench.streams().is_running());
            let send = ui.add_enabled(free, button).on_hover_text("Ctrl+Enter");
            if send.clicked() {
                commands.push(Command::Send);
            }
            if let (Some(sent), false) = (bench.last_send(), bench.streams().is_on()) {
                let text = format!("sent {} · last {} bytes", sent.count, sent.bytes);
                ui.label(RichText::new(text).size(12.0).color(look.good));
            }
        });
    });
}

/// What may be wrong, in lines that are always there, so that nothing moves when one comes or goes.
fn messages_ui(ui: &mut Ui, bench: &Workbench) {
    const TALL: f32 = 900.0;
    let all = messages(ui, bench);
    let lines = if ui.ctx().content_rect().height() >= TALL { 3 } else { 1 };
    let hidden = all.len().saturating_sub(lines);
    let whole = all.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("\n");
    for line in 0..lines {
        let more =
            if hidden > 0 && line + 1 == lines { format!("   (+{hidden} more)") } else { String::new() };
        let text = match all.get(line) {
            Some((text, color)) => RichText::new(format!("▲ {text}{more}")).color(*color),
            None => RichText::new(" "),
        };
        let response = ui.add(Label::new(text.size(12.0)).truncate());
        if line < all.len() {
            // All of them, where only one has room.
            response.widget_info(|| {
                WidgetInfo::labeled(Role::Label, true, if hidden > 0 { &whole } else { &all[line].0 })
            });
            response.on_hover_text(&whole);
        }
    }
}

fn messages(ui: &Ui, bench: &Workbench) -> Vec<(String, Color32)> {
    let look = look(ui);
    let draft = bench.builder().draft();
    let mut all: Vec<(String, Color32)> = Vec::new();
    all.extend(bench.builder().first_refused().map(|(_, refusal)| (refusal.why.clone(), look.bad)));
    let streams = Some(bench.streams()).filter(|s| s.is_on());
    all.extend(streams.and_then(|s| s.first_problem()).map(|why| (why, look.bad)));
    all.extend(bench.neighbourhood().and_then(|f| f.problem.clone()).map(|problem| (problem, look.warn)));
    if *bench.via() == Via::Ip {
        all.extend(draft.overwrites().into_iter().filter(|o| o.changes).map(|o| (o.text, look.warn)));
    }
    all.extend(draft.warnings().into_iter().map(|w| (w.text, look.warn)));
    all.extend(draft.reading_differs().map(|text| (text, look.warn)));
    all.extend(listens_elsewhere(bench).map(|text| (text, look.warn)));
    all
}

/// One line: where it goes, from which address, and which fields the kernel writes.
fn way_ui(ui: &mut Ui, bench: &Workbench) {
    let draft = bench.builder().draft();
    let Some((source, destination)) = draft.network_ends() else {
        ui.weak(RichText::new("no IP layer: send it at the link layer").size(12.0));
        return;
    };
    let interface = bench.neighbourhood().and_then(|f| f.interface.as_ref());
    let interface = interface.map(|i| format!(" on {}", i.name)).unwrap_or_default();
    let (kernel, hint) = match bench.via() {
        Via::Ip => {
            let overwrites = draft.overwrites();
            let keys: Vec<&str> = overwrites.iter().map(|o| o.key.as_str()).collect();
            let all: Vec<&str> = overwrites.iter().map(|o| o.text.as_str()).collect();
            let link = if draft.network_layer() == Some(0) { "" } else { ", not the layers before IP" };
            let what = match keys.as_slice() {
                // Of an IPv6 header it writes nothing.
                [] => "as it stands".to_owned(),
                keys => format!("the kernel writes {}", keys.join(", ")),
            };
            (what + link, all.join("\n"))
        }
        Via::Link(_) => ("every byte goes out as it stands".to_owned(), String::new()),
    };
    let text = format!("{source} to {destination}{interface}; {kernel}");
    let label = Label::new(RichText::new(&text).size(12.0).color(look(ui).dim)).truncate();
    ui.add(label).on_hover_text(if hint.is_empty() { text } else { format!("{text}\n{hint}") });
}

/// The capture does not hear the interface on which the packet leaves.
fn listens_elsewhere(bench: &Workbench) -> Option<String> {
    let leaves = bench.neighbourhood()?.interface.as_ref()?;
    match &bench.source()?.listen {
        Listen::Interface(name) if *name != leaves.name => {
            Some(format!("the capture listens on {name}: you will not see it leave"))
        }
        _ => None,
    }
}

fn via_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let text = match bench.via() {
        Via::Ip => "IP layer, the kernel routes".to_owned(),
        Via::Link(name) => format!("link layer on {name}"),
    };
    ui.label("via");
    ui.name_inputs("Send via", |ui| {
        ComboBox::from_id_salt("via").selected_text(text).width(190.0).show_ui(ui, |ui| {
            if ui.selectable_label(*bench.via() == Via::Ip, "IP layer, the kernel routes").clicked() {
                commands.push(Command::SendVia(Via::Ip));
            }
            for name in bench.link_interfaces() {
                let via = Via::Link(name.clone());
                if ui.selectable_label(*bench.via() == via, format!("link layer on {name}")).clicked() {
                    commands.push(Command::SendVia(via));
                }
            }
        });
    });
}
