//! The table of exchanges, and the round-trip times over time and as a histogram.

use eframe::egui::{
    Align, Align2, CentralPanel, Color32, CornerRadius, Frame, Id, Layout, Margin, Panel, Rangef, Rect,
    RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2,
};
use egui_plot::{AxisHints, Bar, BarChart, GridInput, GridMark, HoverPosition, Plot, PlotPoint, Points};

use super::State;
use super::bars::grouped;
use super::builder::bar_frame;
use super::columns::cell_text;
use super::detail::forms_ui;
use super::marks::go_to;
use super::theme::{self, GAP, look};
use crate::app::{Command, ExchangeCommand, Workbench};
use crate::engine::{Line, Table};
use crate::filter::values::seconds_between;
use crate::wire::value::duration;

const ROW: f32 = 18.0;
/// Titles of the columns behind the first, their widths, what they mean.
const COLUMNS: [(&str, f32, &str); 8] = [
    (
        "Sent",
        46.0,
        "questions: packets that this bench sent, and where it sent none, those that begin an exchange",
    ),
    ("Answered", 60.0, "questions with an answer"),
    ("No answer", 64.0, "questions without an answer that is owed: yet, or for ever"),
    ("Again", 44.0, "answers beyond the first of a question: duplicates"),
    ("Min", 58.0, "shortest round-trip time, by the kernel's clock"),
    ("Median", 58.0, "half of the round-trip times are no longer"),
    ("p99", 58.0, "99 of 100 round-trip times are no longer"),
    ("Max", 58.0, "longest round-trip time"),
];
const SPACE: f32 = 6.0;
/// The table takes this part of the panel at the most.
const SHARE: f32 = 0.42;
/// A click this near to a point means it.
const NEAR: f32 = 14.0;

/// Draws the exchanges of the capture.
pub fn exchanges_ui(ui: &mut Ui, bench: &Workbench, state: &mut State, commands: &mut Vec<Command>) {
    let look = look(ui);
    let table = bench.exchange_table();
    Panel::top("exchanges-bar").frame(bar_frame(ui)).show_separator_line(false).show(ui, |ui| {
        bar_ui(ui, bench, &table, state, commands);
    });
    let frame = Frame::new().fill(look.panel).inner_margin(Margin::symmetric(8, 2));
    CentralPanel::default().frame(frame).show(ui, |ui| {
        if let Some(problem) = bench.capture().exchanges().problem() {
            ui.label(RichText::new(format!("▲ {problem}")).size(12.0).color(look.warn));
        }
        if table.lines.is_empty() {
            ui.add_space(GAP);
            let said = match bench.capture().exchanges().is_done(bench.capture().len()) {
                true => "No exchange yet: send a packet with Ctrl+Enter, and see here what comes back.",
                false => "Looking for what answers what…",
            };
            ui.vertical_centered(|ui| ui.label(RichText::new(said).color(look.dim)));
            return;
        }
        table_ui(ui, bench, &table, commands);
        odd_ui(ui, bench, &table);
        let whole = ui.available_size();
        if table.points.is_empty() {
            ui.add_space(GAP);
            let text = "Nothing was answered here yet: there is no round-trip time to draw.";
            ui.vertical_centered(|ui| ui.label(RichText::new(text).color(look.dim)));
            return;
        }
        ui.horizontal(|ui| {
            let left = (whole.x * 0.62).floor();
            let height = whole.y.max(60.0);
            times_ui(ui, bench, &table, vec2(left, height), state, commands);
            bars_ui(ui, &table, vec2(whole.x - left - GAP, height));
        });
    });
}

fn bar_ui(ui: &mut Ui, bench: &Workbench, table: &Table, state: &mut State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.label(RichText::new("Exchanges").strong());
        forms_ui(ui, bench, state, commands);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let hint = "each exchange as a line of CSV, or of JSON when the name ends in .json";
            if ui.button("Export…").on_hover_text(hint).clicked() {
                commands.push(Command::Exchanges(ExchangeCommand::AskExport));
            }
            if table.any_ours {
                let mut others = bench.capture().exchanges().look().others;
                let hint = "show what other programs asked, too";
                if ui.checkbox(&mut others, "Others' too").on_hover_text(hint).changed() {
                    commands.push(Command::Exchanges(ExchangeCommand::Others(others)));
                }
            }
        });
    });
}

/// The cells of a row of this width: the name's, then the others'.
fn cells(row: Rect) -> impl Iterator<Item = Rect> {
    let numbers: f32 = COLUMNS.iter().map(|c| c.1 + SPACE).sum();
    let mut left = row.left() + 6.0;
    let name = (row.width() - numbers - 12.0).max(90.0);
    std::iter::once(name).chain(COLUMNS.iter().map(|c| c.1)).map(move |width| {
        let cell = Rect::from_min_size(pos2(left, row.top()), vec2(width, row.height()));
        left += width + SPACE;
        cell
    })
}

fn table_ui(ui: &mut Ui, bench: &Workbench, table: &Table, commands: &mut Vec<Command>) {
    let look = look(ui);
    let height = (ui.available_height() * SHARE).max(3.0 * ROW);
    ui.spacing_mut().item_spacing.y = 0.0;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let titles = std::iter::once(("To", "destination, with the port or the identifier of an echo"));
    let titles = titles.chain(COLUMNS.iter().map(|(title, _, help)| (*title, *help)));
    for (nth, (cell, (title, help))) in cells(rect).zip(titles).enumerate() {
        cell_text(ui, cell, nth > 0, title, theme::plain(11.5), look.dim);
        let title = ui.interact(cell, Id::unique(("exchange title", nth)), Sense::hover());
        title.on_hover_text(help);
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, (1.0, look.line));
    let chosen = bench.capture().exchanges().look().group;
    let several = table.lines.len() > 1;
    let rows = table.lines.len() + usize::from(several);
    ScrollArea::vertical().id_salt("exchanges").max_height(height).auto_shrink([false, true]).show_rows(
        ui,
        ROW,
        rows,
        |ui, range| {
            for row in range {
                let line = if several { row.checked_sub(1) } else { Some(row) };
                let line = line.map_or(Some(&table.total), |at| table.lines.get(at));
                let Some(line) = line else { continue };
                let is_chosen = if several { line.group == chosen } else { chosen.is_some() };
                line_ui(ui, line, is_chosen, commands);
            }
        },
    );
}

fn line_ui(ui: &mut Ui, line: &Line, chosen: bool, commands: &mut Vec<Command>) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let name = match line.group {
        Some(_) => line.name.as_str(),
        None => "All destinations",
    };
    let mut texts = vec![name.to_owned()];
    texts.extend([line.sent, line.answered, line.unanswered, line.again].map(grouped));
    match line.rtt_ns {
        Some(times) => texts.extend(times.map(duration)),
        None => texts.extend(std::iter::repeat_n(String::new(), 4)),
    }
    let times = line.rtt_ns.map(|t| format!(", median {}", duration(t[1]))).unwrap_or_default();
    let spoken = format!("Exchanges to {name}: {} sent, {} answered{times}", line.sent, line.answered);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, chosen, &spoken));
    if chosen || response.hovered() {
        let ground = if chosen { look.selection } else { theme::mix(look.panel, look.accent, 40) };
        ui.painter().rect_filled(rect, CornerRadius::same(2), ground);
    }
    for (nth, (cell, text)) in cells(rect).zip(&texts).enumerate() {
        // A zero is no news.
        let quiet = matches!(nth, 3 | 4) && text == "0";
        let color = match nth {
            _ if quiet => look.dim,
            3 | 4 => look.warn,
            _ => look.text,
        };
        cell_text(ui, cell, nth > 0, text, theme::mono(11.5), color);
    }
    if response.clicked() {
        if ui.input(|i| i.pointer.any_released()) {
            response.surrender_focus();
        }
        let group = line.group.filter(|_| !chosen);
        commands.push(Command::Exchanges(ExchangeCommand::Group(group)));
    }
    response.on_hover_text("draw the times of this destination only; again: of all");
}

/// What is out of the ordinary, in a line.
fn odd_ui(ui: &mut Ui, bench: &Workbench, table: &Table) {
    let look = look(ui);
    let total = &table.total;
    let counts = [
        (total.late, "late (after more than 1 s)"),
        (total.strays, "stray: from the other end, and no answer to anything"),
        (
            total.resets,
            "sent by the kernel as a reset, since it knows nothing of the connection: hold the port",
        ),
        (table.beyond, "sent beyond what is kept"),
        (bench.capture().exchanges().missed(), "sent too fast to be known again"),
    ];
    let said: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))).collect();
    ui.add_space(3.0);
    if !said.is_empty() {
        let text = RichText::new(format!("▲ {}", said.join("; "))).size(11.5).color(look.warn);
        ui.add(eframe::egui::Label::new(text).wrap());
    }
    ui.add_space(3.0);
}

/// Times are drawn by their logarithm: microseconds and seconds stand in one picture.
fn log(ns: u64) -> f64 {
    (ns.max(1) as f64).log10()
}

/// A mark of an axis in words: 20 µs, not 20.0 µs.
fn unlog(value: f64) -> String {
    let text = duration(10f64.powf(value).round().clamp(0.0, 1e18) as u64);
    text.replace(".000 ", " ").replace(".0 ", " ")
}

/// Marks at round times: 1, 2 and 5 of each power of ten, or equal steps where there are few of these.
fn marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(low.is_finite() && high.is_finite() && low < high && (-1.0..=20.0).contains(&high)) {
        return Vec::new();
    }
    if high - low > 1.1 {
        let powers = low.floor().max(0.0) as i32..=high.ceil() as i32;
        let all = powers.flat_map(|power| [1.0f64, 2.0, 5.0].map(|n| f64::from(power) + n.log10()));
        let all = all.filter(|value| (low..=high).contains(value));
        return all.map(|value| GridMark { value, step_size: 0.3 }).collect();
    }
    let (from, to) = (10f64.powf(low), 10f64.powf(high));
    let wanted = (to - from) / 5.0;
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= wanted);
    let step = step.unwrap_or(wanted).max(1e-3);
    let first = (from / step).ceil() as u64;
    let values = (first..first.saturating_add(12)).map(|n| n as f64 * step).take_while(|value| *value <= to);
    values.map(|v| GridMark { value: v.log10(), step_size: ((v + step) / v).log10() }).collect()
}

/// Room above and below, in powers of ten.
const MARGIN: f64 = 0.08;

fn plot<'a>(ui: &Ui, id: &str, size: eframe::egui::Vec2) -> Plot<'a> {
    Plot::new(id.to_owned())
        .grid_color(look(ui).line)
        .grid_spacing(Rangef::new(24.0, 160.0))
        .width(size.x)
        .height(size.y)
        .show_background(false)
        .allow_scroll(false)
        .set_margin_fraction(vec2(0.02, 0.06))
}

fn times_ui(
    ui: &mut Ui,
    bench: &Workbench,
    table: &Table,
    size: eframe::egui::Vec2,
    state: &mut State,
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let first = bench.capture().first_ns().or(table.points.first().map(|p| p.sent_ns)).unwrap_or(0);
    let at = |sent: u64| sent.saturating_sub(first) as f64 / 1e9 - first.saturating_sub(sent) as f64 / 1e9;
    let places: Vec<[f64; 2]> = table.points.iter().map(|p| [at(p.sent_ns), log(p.rtt_ns)]).collect();
    let ends = |axis: usize| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        places.iter().for_each(|p| (low, high) = (low.min(p[axis]), high.max(p[axis])));
        (low, high)
    };
    let ((left, right), (low, high)) = (ends(0), ends(1));
    let answers: Vec<(u32, u64, u64)> =
        table.points.iter().map(|p| (p.answer + 1, p.rtt_ns, p.sent_ns)).collect();
    let hover = move |position: &HoverPosition<'_>| match position {
        HoverPosition::NearDataPoint { index, .. } => {
            let (answer, rtt, sent) = answers.get(*index)?;
            let since = seconds_between(first, *sent, 6);
            Some(format!("packet {answer}: {}\nsent at {since} s", duration(*rtt)))
        }
        HoverPosition::Elsewhere { .. } => None,
    };
    let plot = plot(ui, "round-trip times", size)
        .include_x(left - 0.001)
        .include_x(right + 0.001)
        .include_y(low - MARGIN)
        .include_y(high + MARGIN)
        .x_axis_formatter(|mark: GridMark, _| format!("{} s", short(mark.value)))
        .y_axis_formatter(|mark: GridMark, _| unlog(mark.value))
        .y_grid_spacer(marks)
        .y_axis_min_width(52.0)
        .label_formatter(hover);
    let selected = bench.capture().selected().map(|s| s.index);
    let lit = table.points.iter().position(|p| Some(p.answer as usize) == selected);
    let lit = lit.and_then(|at| places.get(at).copied());
    let drawn = places.clone();
    let shown = plot.show(ui, |plot| {
        plot.points(Points::new("round-trip time", drawn).radius(2.2).color(look.accent));
        if let Some(lit) = lit {
            let point = Points::new("selected", vec![lit]).radius(5.0).color(look.warn).filled(false);
            plot.points(point.allow_hover(false));
        }
    });
    let name = format!("Round-trip times of {} exchanges over time", table.measured);
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    if let Some(pointer) = shown.response.interact_pointer_pos().filter(|_| shown.response.clicked()) {
        let screen = |p: &[f64; 2]| shown.transform.position_from_point(&PlotPoint::new(p[0], p[1]));
        let far = |p: &[f64; 2]| screen(p).distance(pointer);
        let nearest = places.iter().enumerate().min_by(|a, b| far(a.1).total_cmp(&far(b.1)));
        if let Some((point, _)) = nearest.filter(|(_, place)| far(place) <= NEAR)
            && let Some(point) = table.points.get(point)
        {
            go_to(point.answer as usize, commands, state);
        }
    }
    title(ui, shown.response.rect, "round-trip time over time", look.dim);
}

/// A number of seconds without needless digits.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bars_ui(ui: &mut Ui, table: &Table, size: eframe::egui::Vec2) {
    let look = look(ui);
    let bars: Vec<Bar> = table
        .bars
        .iter()
        .filter(|bar| bar.count > 0)
        .map(|bar| {
            let (from, to) = (log(bar.from_ns), log(bar.to_ns.max(bar.from_ns + 1)));
            let text =
                format!("{} to {}: {}", duration(bar.from_ns), duration(bar.to_ns), grouped(bar.count));
            Bar::new((from + to) / 2.0, bar.count as f64).width((to - from) * 0.92).name(text)
        })
        .collect();
    let (low, high) = (table.bars.first().map_or(0, |b| b.from_ns), table.bars.last().map_or(0, |b| b.to_ns));
    let most = table.bars.iter().map(|b| b.count).max().unwrap_or(0);
    let shown = plot(ui, "histogram", size)
        .include_x(log(low) - MARGIN)
        .include_x(log(high) + MARGIN)
        .include_y(0.0)
        .include_y(most as f64 * 1.15)
        .custom_x_axes(vec![
            AxisHints::new_x()
                .label_spacing(Rangef::new(44.0, 60.0))
                .formatter(|mark: GridMark, _| unlog(mark.value)),
        ])
        .x_grid_spacer(marks)
        .y_axis_formatter(|mark: GridMark, _| {
            if mark.value.fract() == 0.0 && mark.value >= 0.0 {
                grouped(mark.value as u64)
            } else {
                String::new()
            }
        })
        .show(ui, |plot| {
            let chart = BarChart::new("exchanges", bars).color(look.accent);
            plot.bar_chart(chart.element_formatter(Box::new(|bar, _| bar.name.clone())));
        });
    let name = format!("Histogram of {} round-trip times", table.measured);
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    title(ui, shown.response.rect, "how many took how long", look.dim);
}

fn title(ui: &Ui, rect: Rect, text: &str, color: Color32) {
    let at = rect.right_top() + vec2(-4.0, 2.0);
    ui.painter().text(at, Align2::RIGHT_TOP, text, theme::plain(11.0), color);
}
