//! The header of the packet list: its columns are sorted by, resized, moved, named and taken out there.

use eframe::egui::{
    Align2, Button, Color32, CornerRadius, CursorIcon, FontId, Id, Key, Rect, Response, RichText, Role,
    Sense, Ui, WidgetInfo, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use super::State;
use super::marks::marked_text;
use super::theme::{self, LIST_ROW, look};
use crate::app::{ColumnSetting, Command, ListCommand, ListRow, Sheet, What, Workbench, own_columns};
use crate::pcap::Direction;

/// Between two columns, in points.
const SPACE: f32 = 8.0;
/// Before the first one.
const LEFT: f32 = 6.0;
/// Width of a digit of the numbers.
const DIGIT: f32 = 7.2;
/// What a column that takes the rest has at the least, where the columns do not fit.
const LEAST_REST: f32 = 150.0;
/// How wide the place is at which a column is held to resize it.
const EDGE: f32 = 7.0;
/// The button at the right end.
const MENU: f32 = 20.0;
/// Widths that a fitted column may have.
const FITTED: std::ops::RangeInclusive<f32> = 16.0..=800.0;

/// Sizes of the header's and the cells' text.
const TITLE: f32 = 11.5;
pub const MONO: f32 = 11.5;
const PLAIN: f32 = 12.0;

/// What the header remembers between frames.
#[derive(Debug, Default)]
pub struct Columns {
    /// How far the columns are moved to the left, in points.
    pub shifted: f32,
    /// A column that is being resized: which, and its width until now.
    resized: Option<(usize, f32)>,
    /// The rows that were in sight in the last frame.
    pub in_sight: std::ops::Range<usize>,
    /// The order that was shown in the last frame: its column, its direction, whether it was done.
    pub order: Option<(String, bool, bool)>,
}

/// Where the columns stand in a frame.
pub struct Layout {
    /// Left edge and width of each.
    cells: Vec<(f32, f32)>,
    /// How far they can be moved to the left.
    pub room: f32,
}

impl Layout {
    /// The columns in this width; that of the numbers has room for `count`.
    #[must_use]
    pub fn new(bench: &Workbench, columns: &Columns, rect: Rect, count: usize) -> Self {
        let list = bench.list();
        let digits = (count.max(1).ilog10() as f32 + 1.0) * DIGIT;
        let width = |(index, setting): (usize, &ColumnSetting)| {
            let resized = columns.resized.filter(|(column, _)| *column == index).map(|(_, width)| width);
            let least = if matches!(list.columns().get(index), Some(What::Number)) { digits } else { 0.0 };
            resized.or(setting.width.map(f32::from)).map(|width| width.max(least))
        };
        let widths: Vec<Option<f32>> = list.settings().columns.iter().enumerate().map(width).collect();
        let given: f32 = widths.iter().flatten().sum::<f32>() + SPACE * widths.len() as f32 + LEFT;
        let open = widths.iter().filter(|w| w.is_none()).count();
        let rest = ((rect.width() - given) / open.max(1) as f32).max(LEAST_REST);
        let room = (given + rest * open as f32 - rect.width()).max(0.0);
        let mut left = rect.left() + LEFT - columns.shifted.min(room);
        let place = |width: Option<f32>| {
            let width = width.unwrap_or(rest);
            let cell = (left, width);
            left += width + SPACE;
            cell
        };
        Self { cells: widths.into_iter().map(place).collect(), room }
    }

    /// The cell of a column in a row.
    fn cell(&self, column: usize, row: Rect) -> Rect {
        let (left, width) = self.cells.get(column).copied().unwrap_or_default();
        Rect::from_min_size(pos2(left, row.top()), vec2(width, row.height()))
    }

    /// The column that stands at a place.
    #[must_use]
    pub fn at(&self, x: f32) -> usize {
        self.cells.iter().rposition(|(left, _)| *left <= x).unwrap_or(0)
    }

    /// The column whose middle is the nearest.
    fn nearest(&self, x: f32) -> usize {
        let far = |(left, width): &(f32, f32)| (left + width / 2.0 - x).abs();
        let all = self.cells.iter().enumerate();
        all.min_by(|a, b| far(a.1).total_cmp(&far(b.1))).map_or(0, |(column, _)| column)
    }
}

/// What a column is called where its title says nothing.
#[must_use]
pub fn spoken(column: &ColumnSetting) -> String {
    if !column.title.trim().is_empty() {
        return column.title.clone();
    }
    let own = own_columns().find(|(key, _)| *key == column.key);
    own.map_or_else(|| column.key.clone(), |(_, title)| title.to_owned())
}

/// Draws the header.
pub fn header_ui(
    ui: &mut Ui,
    bench: &mut Workbench,
    layout: &Layout,
    state: &mut State,
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), LIST_ROW), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::ZERO, look.bar);
    let menu = Rect::from_min_max(pos2(rect.right() - MENU, rect.top()), rect.max);
    let titles = rect.with_max_x(menu.left());
    for index in 0..bench.list().settings().columns.len() {
        title_ui(ui, bench, (layout, titles), index, state, commands);
    }
    for index in 0..bench.list().settings().columns.len() {
        edge_ui(ui, bench, (layout, titles), index, state, commands);
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, (1.0, look.line));
    let button = ui.interact(menu, Id::unique("columns"), Sense::click());
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Columns"));
    let color = if button.hovered() || button.has_focus() { look.accent } else { look.dim };
    ui.painter().text(menu.center(), Align2::CENTER_CENTER, "+", theme::plain(15.0), color);
    if button.on_hover_text("choose the columns (Ctrl+L)").clicked() {
        commands.push(Command::List(ListCommand::Sheet(Some(Sheet::Columns))));
    }
}

/// A title: a click sorts, a drag moves the column, the menu does the rest.
fn title_ui(
    ui: &mut Ui,
    bench: &mut Workbench,
    (layout, rect): (&Layout, Rect),
    index: usize,
    state: &mut State,
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let cell = layout.cell(index, rect);
    let Some(column) = bench.list().settings().columns.get(index).cloned() else { return };
    let seen = cell.expand2(vec2(SPACE / 2.0, 0.0)).intersect(rect);
    if seen.width() <= 0.0 {
        return;
    }
    let response = ui.interact(seen, title_id(index), Sense::click_and_drag());
    let sorted = bench.capture().sorted().filter(|sorted| sorted.key == column.key);
    let arrow = sorted.map(|sorted| if sorted.sorter.is_descending() { "▼" } else { "▲" });
    let name = spoken(&column);
    let order = match arrow {
        Some("▲") => ", the smallest first",
        Some(_) => ", the largest first",
        None => "",
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Column {name}{order}")));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(seen, CornerRadius::ZERO, theme::mix(look.bar, look.accent, 40));
    }
    let unknown = matches!(bench.list().columns().get(index), Some(What::Unknown(_)));
    let color = match (unknown, arrow) {
        (true, _) => look.bad,
        (false, Some(_)) => look.text,
        (false, None) => look.dim,
    };
    let right = bench.list().columns().get(index).is_some_and(What::is_number);
    let text = arrow.map_or_else(|| column.title.clone(), |arrow| format!("{arrow} {}", column.title));
    let painter_cell = if cell.width() < 14.0 { seen } else { cell };
    cell_text(ui, painter_cell.intersect(rect), right, &text, theme::plain(TITLE), color);
    if response.clicked() {
        if ui.input(|i| i.pointer.any_released()) {
            response.surrender_focus();
        }
        commands.push(Command::List(ListCommand::Sort(index)));
    }
    drag_ui(ui, layout, index, (&response, rect), commands);
    response.context_menu(|ui| menu_ui(ui, bench, index, state, commands));
    if ui.ctx().any_popup_open() {
        return;
    }
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(name).strong());
        match bench.list().columns().get(index) {
            Some(What::Unknown(why)) => drop(ui.label(RichText::new(why).color(look.bad))),
            Some(What::Field(_)) => drop(ui.label(RichText::new(&column.key).monospace().size(12.0))),
            _ => {}
        }
        ui.label(HELP);
    });
}

/// What the header can do, for its tooltip.
const HELP: &str = "Click: sort, the smallest first; again: the largest first; again: the order of the capture. All rows are \
                    sorted that the filter shows, equal ones in the order of the capture, those without a value last. Packets \
                    that come in are sorted in, at least every 5 seconds, and stand at the end until then. Gaps are shown in \
                    the order of the capture only.\nDrag: move the column; drag its right edge: its width, double click: \
                    as wide as what is in sight. Right click: more.";

fn title_id(index: usize) -> Id {
    Id::unique(("column", index))
}

/// Moves a column by its title.
fn drag_ui(
    ui: &Ui,
    layout: &Layout,
    index: usize,
    (response, rect): (&Response, Rect),
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let Some(pointer) = response.interact_pointer_pos() else { return };
    let to = layout.nearest(pointer.x);
    if response.dragged() && to != index {
        let cell = layout.cell(to, rect);
        let x = if to > index { cell.right() + SPACE / 2.0 } else { cell.left() - SPACE / 2.0 };
        ui.painter().vline(x, rect.y_range(), (2.0, look.accent));
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if response.drag_stopped() && to != index {
        commands.push(Command::List(ListCommand::MoveColumn { from: index, to }));
    }
}

/// The right edge of a column: a drag changes its width, a double click fits it.
fn edge_ui(
    ui: &mut Ui,
    bench: &mut Workbench,
    (layout, rect): (&Layout, Rect),
    index: usize,
    state: &mut State,
    commands: &mut Vec<Command>,
) {
    let cell = layout.cell(index, rect);
    let x = cell.right() + SPACE / 2.0;
    let edge = Rect::from_center_size(pos2(x, rect.center().y), vec2(EDGE, rect.height())).intersect(rect);
    if edge.width() < 2.0 {
        return;
    }
    let look = look(ui);
    let response = ui.interact(edge, Id::unique(("edge", index)), Sense::DRAG | Sense::CLICK);
    let active = response.hovered() || response.dragged();
    let color = if active { look.accent } else { theme::mix(look.bar, look.line, 160) };
    ui.painter().vline(x, rect.shrink2(vec2(0.0, 4.0)).y_range(), (1.0, color));
    if active {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeColumn);
    }
    let width = |width: f32| width.round().clamp(0.0, f32::from(u16::MAX)) as u16;
    if response.drag_started() {
        state.columns.resized = Some((index, cell.width()));
    }
    if let Some((column, wide)) = state.columns.resized.filter(|(column, _)| *column == index) {
        let wide = (wide + response.drag_delta().x).max(9.0);
        state.columns.resized = Some((column, wide));
        if !response.dragged() {
            state.columns.resized = None;
            commands.push(Command::List(ListCommand::Width(column, Some(width(wide)))));
        }
    }
    if response.double_clicked() {
        let fitted = fitted(ui, bench, index, state);
        commands.push(Command::List(ListCommand::Width(index, Some(width(fitted)))));
    }
}

/// How wide the texts of a column are that are in sight.
fn fitted(ui: &Ui, bench: &mut Workbench, index: usize, state: &State) -> f32 {
    let title = bench.list().settings().columns.get(index).map(|c| c.title.clone()).unwrap_or_default();
    let measure = |text: String, font: FontId| {
        ui.fonts_mut(|f| f.layout_no_wrap(text, font, Color32::WHITE).size().x).ceil()
    };
    // The arrow of a sorted column has its place too.
    let mut widest =
        if title.is_empty() { 0.0 } else { measure(format!("▲ {title}"), theme::plain(TITLE)) };
    for row in state.columns.in_sight.clone() {
        let Some(crate::app::Line::Packet(position)) = bench.capture().line(row) else { continue };
        let Some(found) = bench.capture_mut().row(position) else { continue };
        let Some(what) = bench.list().columns().get(index) else { continue };
        widest = widest.max(measure(text_of(what, index, &found), font_of(what)));
    }
    (widest + 1.0).clamp(*FITTED.start(), *FITTED.end())
}

/// The menu of a title.
fn menu_ui(ui: &mut Ui, bench: &mut Workbench, index: usize, state: &State, commands: &mut Vec<Command>) {
    let columns = bench.list().settings().columns.len();
    let mut chosen = None;
    let mut item = |ui: &mut Ui, text: &str, enabled: bool, command: ListCommand| {
        if ui.add_enabled(enabled, Button::new(text)).clicked() {
            chosen = Some(command);
        }
    };
    item(ui, "Sort, the smallest first", true, ListCommand::SortIn { column: index, descending: false });
    item(ui, "Sort, the largest first", true, ListCommand::SortIn { column: index, descending: true });
    item(ui, "Order of the capture", bench.capture().sorted().is_some(), ListCommand::Unsort);
    ui.separator();
    item(
        ui,
        "Move to the left",
        index > 0,
        ListCommand::MoveColumn { from: index, to: index.saturating_sub(1) },
    );
    item(
        ui,
        "Move to the right",
        index + 1 < columns,
        ListCommand::MoveColumn { from: index, to: index + 1 },
    );
    item(ui, "As wide as the rest", true, ListCommand::Width(index, None));
    let fit = ui.button("As wide as what is in sight").clicked();
    item(ui, "Remove the column", columns > 1, ListCommand::RemoveColumn(index));
    ui.separator();
    item(ui, "Choose the columns…", true, ListCommand::Sheet(Some(Sheet::Columns)));
    item(ui, "Colour rules…", true, ListCommand::Sheet(Some(Sheet::Colours)));
    item(ui, "Columns as they were at first", true, ListCommand::ResetColumns);
    if fit {
        let fitted = fitted(ui, bench, index, state);
        chosen = Some(ListCommand::Width(index, Some(fitted as u16)));
    }
    if let Some(command) = chosen {
        commands.push(Command::List(command));
        ui.close();
    }
}

/// The order of the list, where it is not that of the capture, how far it is, and the way back.
pub fn order_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let Some(sorted) = bench.capture().sorted() else { return };
    let column = bench.list().settings().columns.iter().find(|c| c.key == sorted.key);
    let name = column.map_or_else(|| sorted.key.clone(), spoken);
    let back = ui.add(Button::new(RichText::new("×").size(14.0)).frame(false));
    back.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Order of the capture"));
    if back.on_hover_text("back to the order of the capture").clicked() {
        commands.push(Command::List(ListCommand::Unsort));
    }
    let problem = sorted.sorter.problem();
    let text = match (&problem, sorted.sorter.progress()) {
        (Some(_), _) => format!("not sorted by {name}"),
        (None, Some((taken, wanted))) if taken < wanted => {
            format!("sorting by {name}: {} %", taken * 100 / wanted.max(1))
        }
        (None, Some(_)) => format!("sorting by {name}"),
        (None, None) => format!("sorted by {name}"),
    };
    let color = if problem.is_some() { look.bad } else { look.dim };
    let label = ui.label(RichText::new(text).size(12.0).color(color));
    if let Some(why) = problem {
        label.on_hover_text(why);
    }
    hidden_gaps_ui(ui, bench, commands);
}

/// Gaps have a place in the order of the capture only: in another one it is said that there are some.
fn hidden_gaps_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let gaps = bench.capture().gaps();
    let text = match gaps.len() {
        0 => return,
        1 => "1 gap not shown".to_owned(),
        n => format!("{} gaps not shown", super::bars::grouped(n as u64)),
    };
    let look = look(ui);
    let is_loss = gaps.iter().any(|gap| gap.kind == crate::app::GapKind::Lost);
    let color = if is_loss { look.bad } else { look.warn };
    let button = ui.add(Button::new(RichText::new(text).size(12.0).color(color)).frame(false).truncate());
    let first = gaps.first().map_or("", |gap| gap.text.as_str());
    if button
        .on_hover_text(format!("{first}.\nGaps have no place in a sorted list: a click goes back to the order of the capture, where they stand."))
        .clicked()
    {
        commands.push(Command::List(ListCommand::Unsort));
    }
}

/// Moves the columns sideways where they do not fit.
pub fn shift(ui: &Ui, layout: &Layout, state: &mut State, has_keyboard: bool) {
    let columns = &mut state.columns;
    if ui.ui_contains_pointer() && layout.room > 0.0 {
        columns.shifted -= ui.input_mut(|i| std::mem::take(&mut i.smooth_scroll_delta.x));
    }
    if has_keyboard && layout.room > 0.0 {
        let pressed = |key| ui.input_mut(|i| i.consume_key(eframe::egui::Modifiers::NONE, key));
        let (left, right) = (pressed(Key::ArrowLeft), pressed(Key::ArrowRight));
        columns.shifted += 60.0 * (f32::from(u8::from(right)) - f32::from(u8::from(left)));
    }
    columns.shifted = columns.shifted.clamp(0.0, layout.room);
}

/// The bar below the list that moves the columns sideways.
pub fn shift_ui(ui: &mut Ui, layout: &Layout, state: &mut State) {
    if layout.room <= 0.0 {
        return;
    }
    let look = look(ui);
    let (bar, response) = ui.allocate_exact_size(vec2(ui.available_width(), 9.0), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, "Column position"));
    let length = (bar.width() * bar.width() / (bar.width() + layout.room)).max(24.0);
    let track = (bar.width() - length).max(1.0);
    state.columns.shifted =
        (state.columns.shifted + response.drag_delta().x * layout.room / track).clamp(0.0, layout.room);
    let left = bar.left() + track * state.columns.shifted / layout.room;
    let handle = Rect::from_min_size(pos2(left, bar.top() + 2.0), vec2(length, 5.0));
    let strong = if response.hovered() || response.dragged() { 200 } else { 110 };
    ui.painter().rect_filled(handle, CornerRadius::same(2), theme::mix(look.panel, look.dim, strong));
}

fn font_of(what: &What) -> FontId {
    if matches!(what, What::Protocol) { theme::plain(PLAIN) } else { theme::mono(MONO) }
}

/// The text of a column in a row.
fn text_of(what: &What, index: usize, found: &ListRow) -> String {
    match what {
        What::Number => found.number.to_string(),
        What::Time => found.relative_ns.map(time_text).unwrap_or_default(),
        What::Direction => match found.entry.direction() {
            Direction::Outbound => "→".to_owned(),
            Direction::Inbound => "←".to_owned(),
            Direction::Unknown => String::new(),
        },
        What::Source => found.row.source.clone(),
        What::Destination => found.row.destination.clone(),
        What::Protocol => found.row.protocol.to_owned(),
        What::Length => found.entry.original.to_string(),
        What::Info => found.row.info.clone(),
        What::Field(_) => found.cells.get(index).cloned().unwrap_or_default(),
        What::Unknown(_) => "?".to_owned(),
    }
}

/// Draws the texts of a row: the main ones in `text`, the others in `dim`. What the packet is to others stands behind its info;
/// gives where.
pub fn cells_ui(
    ui: &Ui,
    bench: &Workbench,
    (layout, rect): (&Layout, Rect),
    found: &ListRow,
    mark: &str,
    (text, dim): (Color32, Color32),
) -> Option<Rect> {
    let mut marked = None;
    for (index, what) in bench.list().columns().iter().enumerate() {
        let cell = layout.cell(index, rect);
        if cell.right() < rect.left() || cell.left() > rect.right() {
            continue;
        }
        let color = match what {
            What::Number | What::Time | What::Direction => dim,
            _ => text,
        };
        if matches!(what, What::Info) && !mark.is_empty() && marked.is_none() {
            // The bar of the list takes its place from the last column.
            let cell = cell.with_max_x(cell.right().min(rect.right() - 4.0));
            marked = Some(marked_text(ui, cell, &found.row.info, mark, (text, dim)));
            continue;
        }
        cell_text(ui, cell, what.is_number(), &text_of(what, index, found), font_of(what), color);
    }
    marked
}

/// What a screen reader says of the columns that show keys.
pub fn spoken_cells(bench: &Workbench, found: &ListRow) -> String {
    let columns = bench.list().settings().columns.iter().zip(&found.cells);
    columns.filter(|(_, text)| !text.is_empty()).map(|(c, text)| format!(" {} {text}", spoken(c))).collect()
}

/// Draws a text in a cell, cut where it is too long.
pub fn cell_text(ui: &Ui, cell: Rect, right: bool, text: &str, font: FontId, color: Color32) {
    let (at, align) = if right {
        (cell.right_center(), Align2::RIGHT_CENTER)
    } else {
        (cell.left_center(), Align2::LEFT_CENTER)
    };
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(cell.width());
    let galley = ui.fonts_mut(|f| f.layout_job(job));
    let rect = align.anchor_size(at, galley.size());
    ui.painter().galley(rect.min, galley, color);
}

/// Seconds since the first packet, to the microsecond.
fn time_text(relative_ns: i64) -> String {
    let sign = if relative_ns < 0 { "-" } else { "" };
    let micros = relative_ns.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
