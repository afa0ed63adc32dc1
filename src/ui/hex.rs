//! The hex dump of a packet: bytes in the hues of their layers, lit with the fields that they belong to.

use eframe::egui::{Align2, Color32, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::lit::Lit;
use super::shown::Shown;
use super::theme::{self, HEX_ROW, look};
use crate::wire::bits::BitRange;
use crate::wire::dump;

const PER_LINE: usize = 16;
const SIZE: f32 = 12.5;

/// Draws the dump; the pointer lights the field that owns the byte.
pub fn hex_ui(ui: &mut Ui, shown: &Shown<'_>, lit: &mut Lit) {
    let lines = shown.bytes.len().div_ceil(PER_LINE).max(1);
    let char_width = ui.fonts_mut(|f| f.glyph_width(&theme::mono(SIZE), '0'));
    ScrollArea::vertical().id_salt((shown.id, "hex")).auto_shrink(false).show_rows(
        ui,
        HEX_ROW,
        lines,
        |ui, range| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for line in range {
                line_ui(ui, shown, line, char_width, lit);
            }
        },
    );
}

/// The place of a byte in its line, in characters: two digits and a space, a space more after the eighth.
fn column(i: usize) -> f32 {
    6.0 + i as f32 * 3.0 + if i >= 8 { 1.0 } else { 0.0 }
}

fn line_ui(ui: &mut Ui, shown: &Shown<'_>, line: usize, char_width: f32, lit: &mut Lit) {
    let look = look(ui);
    let first = line * PER_LINE;
    let bytes = shown.bytes.get(first..(first + PER_LINE).min(shown.bytes.len())).unwrap_or_default();
    let ascii = 6.0 + 16.0 * 3.0 + 3.0;
    let size = vec2((ascii + 17.0) * char_width, HEX_ROW - ui.spacing().item_spacing.y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, dump::line(first, bytes)));
    let at = |c: f32| rect.left() + c * char_width;
    if let Some(pointer) = response.hover_pos() {
        let c = (pointer.x - rect.left()) / char_width;
        let hit = (0..bytes.len()).find(|&i| {
            (c >= column(i) - 0.5 && c < column(i) + 2.5)
                || (c >= ascii + i as f32 && c < ascii + i as f32 + 1.0)
        });
        if let Some(i) = hit {
            let bits = shown.field_at(first + i).unwrap_or(BitRange { start: (first + i) * 8, width: 8 });
            lit.point_at(bits);
        }
    }
    let painter = ui.painter();
    let text = |x: f32, text: String, color: Color32| {
        painter.text(pos2(x, rect.center().y), Align2::LEFT_CENTER, text, theme::mono(SIZE), color);
    };
    text(at(0.0), format!("{first:04x}"), look.dim);
    for (i, byte) in bytes.iter().enumerate() {
        let hue = shown.layer_of(first + i).map(|l| look.hue(l.header));
        let lights = lit.lights_byte(first + i);
        if lights {
            let ground = look.ground(hue.unwrap_or(look.accent), true);
            let left = at(column(i)) - char_width * 0.4;
            let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(char_width * 2.8, HEX_ROW));
            painter.rect_filled(cell, 2.0, ground);
            let cell = Rect::from_min_size(pos2(at(ascii + i as f32), rect.top()), vec2(char_width, HEX_ROW));
            painter.rect_filled(cell, 0.0, ground);
        }
        let color = if lights { look.text } else { hue.map_or(look.text, |h| theme::mix(h, look.text, 90)) };
        text(at(column(i)), format!("{byte:02x}"), color);
        text(at(ascii + i as f32), dump::printable(*byte).to_string(), color);
    }
}
