//! Rows of one height in any number, drawn where they are in sight. egui counts the points of a scroll area in an `f32`, which
//! cannot tell rows apart past a million: here a place is a number of rows in an `f64`, exact for any capture.

use eframe::egui::{
    CornerRadius, CursorIcon, Id, Rect, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::theme::{self, look};

/// Width of the bar at the right, in points.
const BAR: f32 = 10.0;
/// The handle is no shorter, in points.
const HANDLE: f32 = 24.0;

/// Where a list stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Rows, and parts of one, that are above the upper edge.
    at: f64,
    /// How far below the handle's upper end it is held, in points, while it is dragged.
    held: Option<f32>,
}

/// What a person did in a frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// Towards the first row.
    pub up: bool,
    /// Towards the last row.
    pub down: bool,
    /// The last row is in sight.
    pub at_end: bool,
}

impl Place {
    /// Brings a row into the middle.
    pub fn center(&mut self, row: usize, height: f32, of: f32) {
        self.at = row as f64 + 0.5 - f64::from(height / of) / 2.0;
    }

    /// Brings the last row into sight.
    pub fn end(&mut self) {
        self.at = f64::INFINITY;
    }
}

/// Draws what is in sight of `count` rows, each `row` points high.
pub fn rows_ui(
    ui: &mut Ui,
    place: &mut Place,
    (count, row): (usize, f32),
    mut draw: impl FnMut(&mut Ui, usize),
) -> Moved {
    let whole = ui.available_rect_before_wrap();
    ui.allocate_rect(whole, Sense::hover());
    let visible = f64::from(whole.height() / row);
    let last = (count as f64 - visible).max(0.0);
    let before = place.at.clamp(0.0, last);
    place.at = before;
    if ui.rect_contains_pointer(whole) {
        place.at -= f64::from(ui.input(|i| i.smooth_scroll_delta().y) / row);
        ui.input_mut(|i| i.smooth_scroll_delta = Vec2::ZERO);
    }
    let content = if last > 0.0 { whole.with_max_x(whole.right() - BAR) } else { whole };
    if last > 0.0 {
        bar_ui(ui, place, whole.with_min_x(content.right()), visible, last);
    }
    place.at = place.at.clamp(0.0, last);
    let first = place.at.floor();
    let top = whole.top() - ((place.at - first) * f64::from(row)) as f32;
    let first = first as usize;
    let in_sight = (visible.ceil() as usize + 1).min(count - first.min(count));
    let area = Rect::from_min_size(pos2(content.left(), top), vec2(content.width(), in_sight as f32 * row));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(area).id_salt("rows"));
    inner.set_clip_rect(content.intersect(ui.clip_rect()));
    inner.spacing_mut().item_spacing.y = 0.0;
    inner.skip_ahead_auto_ids(first);
    for index in first..first + in_sight {
        draw(&mut inner, index);
    }
    Moved {
        up: place.at < before,
        down: place.at > before || place.held.is_some() && place.at >= last,
        at_end: place.at >= last - 0.5,
    }
}

/// The bar: its handle is dragged; a press beside it goes a page on.
fn bar_ui(ui: &mut Ui, place: &mut Place, bar: Rect, visible: f64, last: f64) {
    let look = look(ui);
    let response = ui.interact(bar, Id::unique("rows bar"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, "Packet list position"));
    let length = (f64::from(bar.height()) * visible / (visible + last)).max(f64::from(HANDLE)) as f32;
    let track = (bar.height() - length).max(1.0);
    let handle = |at: f64| bar.top() + track * ((at / last) as f32).clamp(0.0, 1.0);
    let top = handle(place.at);
    let pointer = response.interact_pointer_pos();
    if let Some(pointer) = pointer.filter(|_| response.is_pointer_button_down_on()) {
        let on_handle = (top..top + length).contains(&pointer.y);
        if place.held.is_none() && on_handle {
            place.held = Some(pointer.y - top);
        } else if place.held.is_none() && ui.input(|i| i.pointer.primary_pressed()) {
            place.at += if pointer.y < top { -visible } else { visible };
        } else if let Some(held) = place.held.filter(|_| response.dragged()) {
            // A move that the eye cannot see is none: a click on the handle leaves the list where it is.
            let delta = response.drag_delta().y;
            if delta != 0.0 {
                place.at = f64::from((pointer.y - held - bar.top()) / track) * last;
            }
        }
    } else {
        place.held = None;
    }
    let top = handle(place.at.clamp(0.0, last));
    let shape = Rect::from_min_size(pos2(bar.left() + 2.0, top), vec2(BAR - 4.0, length));
    let strong = response.hovered() || place.held.is_some();
    ui.painter().rect_filled(
        shape,
        CornerRadius::same(3),
        theme::mix(look.panel, look.dim, if strong { 200 } else { 110 }),
    );
    response.on_hover_cursor(CursorIcon::Default);
}
