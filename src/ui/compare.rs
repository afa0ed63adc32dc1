//! The selected packet beside the one that was asked for: what the kernel and the path changed.

use eframe::egui::{
    Align, Align2, Button, CentralPanel, Color32, ComboBox, Frame, Layout, Margin, Panel, Pos2, Rect,
    RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use super::State;
use super::builder::bar_frame;
use super::detail::forms_ui;
use super::row_menu::packet_buttons;
use super::theme::{self, GAP, Look, look};
use crate::app::{Below, Beside, Command, CompareCommand, Compared, Part, Workbench};
use crate::wire::compare::{Change, Comparison, Row, Section};

/// Height of a line.
const LINE: f32 = 18.0;
/// Where the columns begin, as parts of the width: field, asked, on the wire, why.
const COLUMNS: [f32; 5] = [0.0, 0.25, 0.46, 0.67, 1.0];

/// Says of the selected packet that it is the one which was sent last, and what became of that.
pub fn offer_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let Some((part, found)) = bench.witness() else { return };
    let look = look(ui);
    let color = if found.differences() > 0 { look.warn } else { look.dim };
    let whose = match part {
        Part::Packet => "The packet that you sent, ",
        Part::Quote => "It quotes the packet that you sent, ",
    };
    Panel::top("compare-offer").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("{whose}{}.", found.summary())).size(12.5).color(color));
            let show =
                ui.small_button("Compare").on_hover_text("field by field, with what was asked for (Ctrl+D)");
            if show.clicked() {
                commands.push(Command::Below(Below::Compare));
            }
        });
    });
}

/// Draws the comparison.
pub fn compare_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let compared = bench.compared();
    Panel::top("compare-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            let title = bench.capture().selected().map(|p| format!("Packet {}", p.index + 1));
            ui.label(RichText::new(title.unwrap_or_else(|| "Comparison".into())).strong());
            forms_ui(ui, bench, state, commands);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| packet_buttons(ui, bench, commands));
        });
        if let Some(compared) = &compared {
            choices_ui(ui, bench, compared, commands);
        }
    });
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 2));
    CentralPanel::default().frame(frame).show(ui, |ui| {
        let Some(compared) = &compared else {
            ui.add_space(GAP);
            let text = "Select a packet to see it beside the packet that was asked for.";
            ui.vertical_centered(|ui| ui.label(RichText::new(text).color(look.dim)));
            return;
        };
        table_ui(ui, &compared.comparison, bench.comparing().only_differences());
    });
}

/// What is compared with what, and how it stands.
fn choices_ui(ui: &mut Ui, bench: &Workbench, compared: &Compared, commands: &mut Vec<Command>) {
    let look = look(ui);
    let name = |beside| match beside {
        Beside::Sent => "the packet sent last",
        Beside::Draft => "the packet in the builder",
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new("Asked:").size(12.5).color(look.dim));
        let combo = ComboBox::from_id_salt("compare-with").selected_text(name(compared.beside)).width(170.0);
        let shown = combo.show_ui(ui, |ui| {
            for beside in [Beside::Sent, Beside::Draft] {
                let there = beside == Beside::Draft || compared.can_be_sent;
                let button = Button::selectable(compared.beside == beside, name(beside));
                if ui.add_enabled(there, button).clicked() {
                    commands.push(Command::Compare(CompareCommand::With(beside)));
                }
            }
        });
        super::named(&shown.response, "Compare with");
        if compared.quotes {
            for (part, name) in [(Part::Packet, "This packet"), (Part::Quote, "What it quotes")] {
                if ui.selectable_label(compared.part == part, name).clicked() {
                    commands.push(Command::Compare(CompareCommand::Part(part)));
                }
            }
        }
        let mut only = bench.comparing().only_differences();
        if ui.checkbox(&mut only, "Only differences").changed() {
            commands.push(Command::Compare(CompareCommand::OnlyDifferences(only)));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let copy = ui.small_button("Copy").on_hover_text("the comparison as text");
            copy.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Copy the comparison"));
            if copy.clicked() {
                commands.push(Command::Copy(compared.comparison.lines(only).join("\n") + "\n"));
            }
        });
    });
    let found = &compared.comparison;
    let what = if compared.part == Part::Quote { "Quoted " } else { "Seen " };
    let color = if found.differences() > 0 { look.warn } else { look.good };
    let text = match found.sections.iter().any(|s| s.header.is_some() && !s.is_lone()) {
        true => format!("{what}{}", found.summary()),
        false => "These packets have no layer in common.".into(),
    };
    ui.label(RichText::new(text).size(12.5).color(color));
}

fn table_ui(ui: &mut Ui, found: &Comparison, only: bool) {
    let look = look(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let seen = match found.cut {
        Some(crate::wire::compare::Cut::Quoted) => "Quoted",
        _ => "On the wire",
    };
    // The bar of the scroll area keeps its place.
    let bar = ui.spacing().scroll.allocated_width();
    let (head, _) = ui.allocate_exact_size(vec2(ui.available_width() - bar, LINE + 2.0), Sense::hover());
    for (column, name) in ["Field", "Asked", seen, "Why"].into_iter().enumerate() {
        cell(ui, head, column, name, look.dim, false);
    }
    ui.painter().hline(head.x_range(), head.bottom(), (1.0, look.line));
    let area = ScrollArea::vertical().id_salt("compare").auto_shrink(false);
    let always = eframe::egui::scroll_area::ScrollBarVisibility::AlwaysVisible;
    area.scroll_bar_visibility(always).show(ui, |ui| {
        for section in &found.sections {
            let lone = section.is_lone();
            let told = section.differences() > 0 || lone && section.change != Change::Cut;
            if only && !told {
                continue;
            }
            section_ui(ui, section, look);
            if only && lone && section.expected {
                continue;
            }
            for row in section.rows.iter().filter(|row| !only || row.differs()) {
                row_ui(ui, found, section, row, look);
            }
        }
        if only && found.differences() == 0 && found.lone().next().is_none() {
            ui.add_space(GAP);
            ui.label(RichText::new("Nothing differs.").color(look.dim));
        }
    });
}

fn section_ui(ui: &mut Ui, section: &Section, look: &Look) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE + 3.0), Sense::hover());
    let why = section.why.map(|why| format!(": {why}")).unwrap_or_default();
    let spoken = format!("{}{why}", section.name());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    let hue = section.header.map_or(look.dim, |h| look.hue(h));
    let color = theme::mix(hue, look.text, 70);
    let at = pos2(rect.left(), rect.center().y + 1.0);
    let name = ui.painter().text(at, Align2::LEFT_CENTER, section.name(), theme::plain(12.5), color);
    if let Some(why) = section.why {
        let color = if section.expected { look.dim } else { look.warn };
        let at = pos2(name.right() + 8.0, at.y);
        ui.painter().text(at, Align2::LEFT_CENTER, why, theme::plain(11.5), color);
    }
}

fn row_ui(ui: &mut Ui, found: &Comparison, section: &Section, row: &Row, look: &Look) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::hover());
    let (asked, seen) = (row.asked_text(), row.seen_text(found));
    let differs = row.differs() && !section.expected;
    let why = row.why.as_deref().unwrap_or_default();
    let sign = if differs { ", differs" } else { "" };
    let spoken = format!("{}: asked {asked}, seen {seen}{sign} {why}", row.label);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken.trim_end()));
    if !ui.is_rect_visible(rect) {
        return;
    }
    let (value, name) = match (differs, row.change) {
        (true, _) => (look.warn, look.text),
        (false, Change::Same) => (look.text, look.text),
        _ => (look.dim, look.dim),
    };
    if differs {
        ui.painter().rect_filled(rect, 2.0, theme::mix(look.panel, look.warn, 30));
    }
    cell(ui, rect, 0, &format!("  {}", row.label), name, false);
    cell(ui, rect, 1, asked, if row.asked.is_some() { look.text } else { look.dim }, true);
    cell(ui, rect, 2, &seen, value, true);
    cell(ui, rect, 3, why, look.dim, false);
    let key = if row.key.is_empty() { &row.label } else { &row.key };
    response.on_hover_text(format!("{key}\nasked: {asked}\nseen: {seen}\n{why}").trim_end());
}

/// A text in its column, cut where there is no room for it.
fn cell(ui: &Ui, line: Rect, column: usize, text: &str, color: Color32, mono: bool) {
    let [from, to] = [COLUMNS[column], COLUMNS[column + 1]].map(|part| line.left() + part * line.width());
    let font = if mono { theme::mono(12.0) } else { theme::plain(12.0) };
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width((to - from - 10.0).max(20.0));
    let galley = ui.fonts_mut(|f| f.layout_job(job));
    let at: Pos2 = pos2(from, line.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, color);
}
