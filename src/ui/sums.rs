//! The checksum with its work shown: pseudo header, covered words, running sum, folds, complement.

use eframe::egui::{
    Align2, Color32, FontId, Rect, RichText, Role, ScrollArea, Sense, TextFormat, Ui, WidgetInfo, pos2,
    text::LayoutJob, vec2,
};

use super::lit::Lit;
use super::shown::Shown;
use super::theme::{self, look};
use crate::wire::bits::BitRange;
use crate::wire::checksum::{self, Work};

const SIZE: f32 = 12.5;
const LINE: f32 = 16.0;

/// Draws the work of the checksum of layer `index`; nothing when it has none.
pub fn checksum_ui(ui: &mut Ui, shown: &Shown<'_>, index: usize, lit: &mut Lit) {
    let Some(work) = checksum::work(shown.bytes, shown.layers, index) else { return };
    let look = look(ui);
    result_ui(ui, &work);
    let heading = |text: String| RichText::new(text).size(11.0).color(look.dim);
    ScrollArea::vertical().id_salt((shown.id, "sums", index)).auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        if !work.pseudo.is_empty() {
            let sum: u64 = work.pseudo.iter().map(|p| u64::from(p.word)).sum();
            ui.label(heading(format!("pseudo header, sum 0x{sum:x}")));
            pseudo_ui(ui, &work);
        }
        let odd = match (work.covered.len() % 2, work.is_crc) {
            (0, _) => "",
            (_, false) => ", the last padded with a zero byte",
            (_, true) => ", of the last only the first byte",
        };
        let text = format!("{} covered words{odd}; the checksum itself counts as 0000", work.words.len());
        ui.label(heading(text));
        words_ui(ui, shown, &work, lit);
    });
}

/// Sum, folds, complement, and how the stored value compares.
fn result_ui(ui: &mut Ui, work: &Work) {
    let look = look(ui);
    let (good, says) = match (work.stored == work.computed, work.is_accepted()) {
        (true, _) => (true, " equal"),
        (false, true) => (true, " differs, but a receiver takes it"),
        (false, false) => (false, " differs"),
    };
    let mut job = LayoutJob::default();
    let font = theme::mono(SIZE);
    let mut add = |text: &str, color: Color32| {
        job.append(text, 0.0, TextFormat { font_id: font.clone(), color, ..TextFormat::default() });
    };
    let digits = work.digits();
    add(if work.is_crc { "CRC32c register " } else { "sum " }, look.dim);
    add(&format!("0x{:x}", work.sum), look.text);
    for fold in &work.folds {
        add(" fold ", look.dim);
        add(&format!("0x{fold:x}"), look.text);
    }
    add(" ~ ", look.dim);
    add(&format!("0x{:0digits$x}", work.complement), look.text);
    if work.computed != work.complement {
        add(if work.is_crc { " sent lowest byte first " } else { " sent as " }, look.dim);
        add(&format!("0x{:0digits$x}", work.computed), look.text);
    }
    add("   stored ", look.dim);
    let color = if good { look.good } else { look.bad };
    add(&format!("0x{:0digits$x}", work.stored), color);
    add(says, color);
    let spoken = format!("Checksum 0x{:0digits$x}, stored 0x{:0digits$x}", work.computed, work.stored);
    let response = ui.label(job);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
}

fn pseudo_ui(ui: &mut Ui, work: &Work) {
    let look = look(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 10.0;
        let mut at = 0;
        while let Some(first) = work.pseudo.get(at) {
            let group: Vec<String> = work.pseudo[at..]
                .iter()
                .take_while(|p| p.label == first.label)
                .map(|p| format!("{:04x}", p.word))
                .collect();
            at += group.len();
            let mut job = LayoutJob::default();
            let format =
                |font_id: FontId, color: Color32| TextFormat { font_id, color, ..TextFormat::default() };
            job.append(&group.join(" "), 0.0, format(theme::mono(SIZE), look.text));
            job.append(&format!(" {}", first.label), 0.0, format(theme::plain(10.5), look.dim));
            ui.label(job);
        }
    });
}

/// The covered words with the running sum at the end of each line; a word lights its bytes.
fn words_ui(ui: &mut Ui, shown: &Shown<'_>, work: &Work, lit: &mut Lit) {
    let char_width = ui.fonts_mut(|f| f.glyph_width(&theme::mono(SIZE), '0'));
    let columns = ((ui.available_width() / char_width - 12.0) / 5.0).floor().clamp(4.0, 20.0) as usize;
    let lines = work.words.len().div_ceil(columns);
    let mut running = work.start();
    let top = ui.cursor().top();
    let clip = ui.clip_rect();
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), lines as f32 * LINE), Sense::hover());
    for (line, words) in work.words.chunks(columns).enumerate() {
        running = work.with(running, line * columns..line * columns + words.len());
        let y = top + line as f32 * LINE;
        if y + LINE < clip.top() || y > clip.bottom() {
            continue;
        }
        let row = Rect::from_min_size(pos2(rect.left(), y), vec2(rect.width(), LINE));
        line_ui(ui, shown, work, line * columns, words, row, char_width, lit, response.hover_pos());
        let end = pos2(row.left() + (columns as f32 * 5.0 + 1.0) * char_width, row.center().y);
        let look = look(ui);
        ui.painter().text(end, Align2::LEFT_CENTER, format!("= {running:x}"), theme::mono(SIZE), look.dim);
    }
}

#[expect(clippy::too_many_arguments, reason = "one line of a table that is drawn by hand")]
fn line_ui(
    ui: &Ui,
    shown: &Shown<'_>,
    work: &Work,
    first: usize,
    words: &[u16],
    row: Rect,
    char_width: f32,
    lit: &mut Lit,
    pointer: Option<eframe::egui::Pos2>,
) {
    let look = look(ui);
    for (i, word) in words.iter().enumerate() {
        let offset = work.covered.start + (first + i) * 2;
        let bits = BitRange { start: offset * 8, width: 16 };
        let cell = Rect::from_min_size(
            pos2(row.left() + i as f32 * 5.0 * char_width, row.top()),
            vec2(4.6 * char_width, row.height()),
        );
        if pointer.is_some_and(|p| cell.contains(p)) {
            lit.point_at(bits);
        }
        let hue = shown.layer_of(offset).map_or(look.text, |l| look.hue(l.header));
        let lights = lit.lights(bits);
        if lights {
            ui.painter().rect_filled(cell, 2.0, look.ground(hue, true));
        }
        let own = work.bits.start <= bits.start && bits.start < work.bits.end();
        let color = if own {
            look.dim
        } else if lights {
            look.text
        } else {
            theme::mix(hue, look.text, 90)
        };
        let at = pos2(cell.left(), cell.center().y);
        ui.painter().text(at, Align2::LEFT_CENTER, format!("{word:04x}"), theme::mono(SIZE), color);
    }
}
