//! The lines below a filter's box: what may be typed next, or what was applied before.

use eframe::egui::{
    Align2, CornerRadius, Id, Popup, PopupKind, RectAlign, Response, RichText, Role, ScrollArea, Sense, Ui,
    WidgetInfo, pos2, vec2,
};

use super::theme::{self, look};
use crate::filter::complete::Candidate;

/// Height of a line, in points.
const LINE: f32 = 20.0;
/// Lines in sight.
const IN_SIGHT: f32 = 11.0;
/// Narrower it is never, in points.
const NARROWEST: f32 = 480.0;

/// What is shown.
pub enum Shown<'a> {
    /// What may be typed next.
    Candidates(&'a [Candidate]),
    /// What was applied before.
    History(&'a [String]),
}

impl Shown<'_> {
    /// How many lines there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Candidates(all) => all.len(),
            Self::History(all) => all.len(),
        }
    }
}

/// The area below a box.
pub fn id_below(id: Id) -> Id {
    id.with("below")
}

/// Draws the lines; gives the one that was clicked. `moved`: the choice was moved by a key. `wrong`: what is wrong in the box.
pub fn below(
    response: &Response,
    open: bool,
    shown: &Shown<'_>,
    (choice, moved): (Option<usize>, bool),
    wrong: Option<&str>,
) -> Option<usize> {
    let width = response.rect.width().max(NARROWEST);
    let popup = Popup::from_response(response)
        .id(id_below(response.id))
        .kind(PopupKind::Popup)
        .open(open)
        .align(RectAlign::BOTTOM_START)
        .align_alternatives(&[RectAlign::TOP_START])
        .gap(2.0)
        .width(width);
    let drawn = popup.show(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        let mut clicked = None;
        let height = LINE * IN_SIGHT.min(shown.len() as f32);
        ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
            for line in 0..shown.len() {
                let response = line_ui(ui, shown, line, choice == Some(line));
                if choice == Some(line) && moved {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    clicked = Some(line);
                }
            }
        });
        foot_ui(ui, shown, wrong);
        clicked
    });
    drawn.and_then(|drawn| drawn.inner)
}

fn line_ui(ui: &mut Ui, shown: &Shown<'_>, line: usize, chosen: bool) -> Response {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::CLICK);
    let (text, label) = match shown {
        Shown::Candidates(all) => all.get(line).map(|c| (c.text.as_str(), c.label.as_str())),
        Shown::History(all) => all.get(line).map(|text| (text.as_str(), "")),
    }
    .unwrap_or_default();
    let spoken = || if label.is_empty() { text.to_owned() } else { format!("{text}, {label}") };
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, spoken()));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    if chosen {
        ui.painter().rect_filled(rect, CornerRadius::same(3), look.selection);
    } else if response.hovered() {
        let ground = theme::mix(look.bar, look.accent, 40);
        ui.painter().rect_filled(rect, CornerRadius::same(3), ground);
    }
    let center = rect.center().y;
    let (left, right) = (rect.left() + 6.0, rect.right() - 12.0);
    let Shown::Candidates(all) = shown else {
        super::columns::cell_text(
            ui,
            rect.shrink2(vec2(6.0, 0.0)),
            false,
            text,
            theme::mono(12.0),
            look.text,
        );
        return response;
    };
    let detail = all.get(line).map(Candidate::detail).unwrap_or_default();
    let detail =
        ui.painter().text(pos2(right, center), Align2::RIGHT_CENTER, detail, theme::plain(11.0), look.dim);
    // Key and meaning share what is left: the key has the first word.
    let split = left + (rect.width() * 0.42).max(170.0);
    let key = rect.with_min_x(left).with_max_x(split - 8.0);
    super::columns::cell_text(ui, key, false, text, theme::mono(12.0), look.text);
    let meaning = rect.with_min_x(split).with_max_x(detail.left() - 10.0);
    super::columns::cell_text(ui, meaning, false, label, theme::plain(12.0), look.dim);
    response
}

/// What is wrong in the box, and the keys.
fn foot_ui(ui: &mut Ui, shown: &Shown<'_>, wrong: Option<&str>) {
    let look = look(ui);
    ui.add_space(3.0);
    let keys = match shown {
        Shown::History([]) => "No filter was applied yet: Enter applies one, and it is kept here.",
        Shown::History(_) => "Applied before: ↑ ↓ choose, Enter takes, Esc closes",
        Shown::Candidates(_) => "Tab completes, ↑ ↓ choose, Enter applies, Esc closes",
    };
    let text = |text: &str, color| RichText::new(text).size(11.0).color(color);
    if let Some(wrong) = wrong {
        ui.label(text(wrong, look.bad));
    }
    ui.label(text(keys, look.dim));
}
