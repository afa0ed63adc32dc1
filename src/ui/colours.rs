//! The colours of rows, and the dialog of the rules that give them.

use eframe::egui::{
    Align, Align2, Button, Color32, ComboBox, CornerRadius, Frame, Layout, Margin, RichText, Role,
    ScrollArea, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2,
};

use super::theme::{self, Look, look, mix};
use crate::app::{ColourRule, Command, Hue, ListCommand, Workbench};

/// How strongly a protocol's hue shows behind a row, of 255, and where the pointer is.
const PROTOCOL: [u8; 2] = [18, 60];
/// The same of a rule's colour.
const LIGHT: [u8; 2] = [42, 72];
const STRONG: [u8; 2] = [84, 116];

/// Width of the choice of a colour, in points.
const HUE: f32 = 88.0;
/// Width of what stands between the two choices, and behind them.
const STRONG_BOX: f32 = 72.0;
const BUTTONS: f32 = 62.0;

/// The colours of a row.
#[derive(Clone, Copy, Debug)]
pub struct Shade {
    /// Behind it.
    pub ground: Color32,
    /// Its text.
    pub text: Color32,
    /// What is of less weight.
    pub dim: Color32,
}

/// The colours of a row under a rule; without one, those of its protocol.
#[must_use]
pub fn shade(
    look: &Look,
    rule: Option<&ColourRule>,
    protocol: Color32,
    selected: bool,
    hovered: bool,
) -> Shade {
    let chosen = rule.and_then(|rule| Some((look.chosen(rule.ground)?, rule.strong)));
    let (hue, amounts) = match chosen {
        Some((hue, true)) => (hue, STRONG),
        Some((hue, false)) => (hue, LIGHT),
        None => (protocol, PROTOCOL),
    };
    let ground = if selected { look.selection } else { mix(look.panel, hue, amounts[usize::from(hovered)]) };
    let text = rule.and_then(|rule| look.chosen(rule.text));
    Shade {
        ground,
        text: look.legible(text.unwrap_or(look.text), ground),
        dim: look.legible(text.unwrap_or(look.dim), ground),
    }
}

/// Something done to the list of rules.
enum Done {
    Move(usize, usize),
    Remove(usize),
    Add,
}

/// The dialog: what is typed holds at once.
pub fn rules_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let settings = bench.list().settings();
    ui.label(RichText::new("Colour rules").strong().size(15.0));
    ui.label(
        RichText::new("The first rule holds whose filter a packet passes. What you change holds at once.")
            .color(look.dim),
    );
    let mut on = settings.colours;
    if ui.checkbox(&mut on, "Colour the packet list by rules").changed() {
        commands.push(Command::List(ListCommand::Colours(on)));
    }
    ui.add_space(6.0);
    let before = &settings.colour_rules;
    let mut rules = before.clone();
    let mut done = None;
    let last = rules.len().saturating_sub(1);
    let height = (ui.ctx().content_rect().height() - 280.0).max(160.0);
    headings_ui(ui);
    ScrollArea::vertical().id_salt("rules").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule_ui(ui, (index, last), rule, bench.list().problem(index), &mut done);
        }
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if ui.button("Add a rule").clicked() {
            done = Some(Done::Add);
        }
        if ui.button("As they were at first").clicked() {
            commands.push(Command::List(ListCommand::ResetRules));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| super::sheets::close_ui(ui, commands));
    });
    match done {
        Some(Done::Move(from, to)) => rules.swap(from, to),
        Some(Done::Remove(index)) => drop(rules.remove(index)),
        // First, where it can be seen to hold.
        Some(Done::Add) => rules.insert(0, new_rule()),
        None => {}
    }
    if rules != *before {
        commands.push(Command::List(ListCommand::Rules(rules)));
    }
}

/// What stands in the columns of the dialog.
fn headings_ui(ui: &mut Ui) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
    // Each over what it names: the boxes and the choices of a rule have fixed widths at both ends.
    let right = rect.right() - BUTTONS;
    let places = [
        (rect.left() + 36.0, "Name"),
        (rect.left() + 198.0, "Filter"),
        (right - 2.0 * HUE - STRONG_BOX, "Ground"),
        (right - HUE, "Text"),
    ];
    for (x, text) in places {
        let at = pos2(x, rect.center().y);
        ui.painter().text(at, Align2::LEFT_CENTER, text, theme::plain(11.5), look.dim);
    }
}

fn new_rule() -> ColourRule {
    ColourRule {
        name: "New rule".into(),
        filter: String::new(),
        ground: Hue::Green,
        strong: false,
        text: Hue::Plain,
        on: true,
    }
}

/// A rule, drawn in its own colours.
fn rule_ui(
    ui: &mut Ui,
    (index, last): (usize, usize),
    rule: &mut ColourRule,
    problem: Option<&str>,
    done: &mut Option<Done>,
) {
    let look = look(ui);
    let shade = shade(look, Some(rule), look.panel, false, false);
    let number = index + 1;
    let frame = Frame::new()
        .fill(shade.ground)
        .corner_radius(CornerRadius::same(4))
        .inner_margin(Margin::symmetric(6, 3));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            let on = ui.checkbox(&mut rule.on, "");
            super::named(&on, &format!("Rule {number} counts"));
            let name = TextEdit::singleline(&mut rule.name).desired_width(150.0).text_color(shade.text);
            let name = ui.add(name.background_color(shade.ground));
            super::named(&name, &format!("Name of rule {number}"));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut button = |ui: &mut Ui, sign: &str, what: &str, enabled: bool, act: Done| {
                    let response = ui.add_enabled(enabled, Button::new(sign).small().frame(false));
                    let name = format!("{what} rule {number}");
                    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &name));
                    if response.on_hover_text(what).clicked() {
                        *done = Some(act);
                    }
                };
                button(ui, "×", "Remove", true, Done::Remove(index));
                button(ui, "▼", "Move down", index < last, Done::Move(index, index + 1));
                button(ui, "▲", "Move up", index > 0, Done::Move(index, index.saturating_sub(1)));
                hue_ui(ui, &format!("Text of rule {number}"), &mut rule.text);
                let strong = ui.checkbox(&mut rule.strong, "strong");
                super::named(&strong, &format!("Strong ground of rule {number}"));
                hue_ui(ui, &format!("Ground of rule {number}"), &mut rule.ground);
                let color = if problem.is_some() { look.bad } else { look.text };
                let filter = TextEdit::singleline(&mut rule.filter)
                    .desired_width(f32::INFINITY)
                    .font(theme::mono(12.0))
                    .text_color(color)
                    .hint_text("a display filter");
                let filter = ui.add(filter);
                super::named(&filter, &format!("Filter of rule {number}"));
            });
        });
        if let Some(problem) = problem {
            ui.label(
                RichText::new(problem).monospace().size(12.0).color(look.legible(look.bad, shade.ground)),
            );
        }
    });
}

fn hue_ui(ui: &mut Ui, name: &str, hue: &mut Hue) {
    let look = look(ui);
    let text = |of: Hue| {
        let ground = look.field;
        RichText::new(of.name()).color(look.legible(look.chosen(of).unwrap_or(look.text), ground))
    };
    ui.name_inputs(name, |ui| {
        ComboBox::from_id_salt(name).selected_text(text(*hue)).width(HUE).show_ui(ui, |ui| {
            for (of, _) in Hue::ALL {
                ui.selectable_value(hue, of, text(of));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::super::theme::{DARK, LEGIBLE, LIGHT as BRIGHT, contrast};
    use super::*;
    use crate::wire::protocols;

    #[test]
    fn text_can_be_read_on_every_ground() {
        for look in [&DARK, &BRIGHT] {
            for ((ground, name), (text, _)) in
                Hue::ALL.iter().flat_map(|g| Hue::ALL.iter().map(move |t| (g, t)))
            {
                for (strong, selected, hovered) in [
                    (false, false, false),
                    (true, false, false),
                    (false, false, true),
                    (true, false, true),
                    (true, true, false),
                ] {
                    let rule = ColourRule { ground: *ground, strong, text: *text, ..new_rule() };
                    for protocol in [look.dim, look.hue(protocols::ALL[0]), look.hue(protocols::ALL[7])] {
                        let shade = shade(look, Some(&rule), protocol, selected, hovered);
                        for text in [shade.text, shade.dim] {
                            let ratio = contrast(text, shade.ground);
                            assert!(ratio >= LEGIBLE, "{name} {rule:?}: {ratio}");
                        }
                    }
                }
            }
        }
    }
}
