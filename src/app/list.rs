//! The packet list as it is shown: its columns, their order, the colours of its rows, and the ways through it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::capture::CaptureState;
use super::colours::{Painter, default_rules};
use super::columns::{self, What, default_columns};
use super::gaps::Line;
use super::settings::{ColourRule, Keeper, Settings};
use super::workbench::{Request, Workbench};
use crate::engine::{Failure, Order, Sorter};
use crate::filter::Packet;

/// Selected packets that one can go back to.
const MOST_VISITS: usize = 1000;

/// A dialog of the packet list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Where to go.
    GoTo,
    /// The columns.
    Columns,
    /// The colour rules.
    Colours,
    /// The capture options.
    Capture,
}

/// Which of several columns.
pub type ColumnAt = usize;

/// Something to do with the packet list.
#[derive(Clone, Debug)]
pub enum ListCommand {
    /// Open a dialog, or close the one that is open.
    Sheet(Option<Sheet>),
    /// Add a column of this key, at this place or where new ones go.
    AddColumn(String, Option<ColumnAt>),
    /// Take a column out.
    RemoveColumn(ColumnAt),
    /// Move a column to the place of another.
    MoveColumn {
        /// Which.
        from: ColumnAt,
        /// To which place.
        to: ColumnAt,
    },
    /// Name a column.
    Title(ColumnAt, String),
    /// Give a column a width in points; none: what the others leave.
    Width(ColumnAt, Option<u16>),
    /// The columns as they were at first.
    ResetColumns,
    /// Sort by a column: the smallest first, at the next call the largest, then no more.
    Sort(ColumnAt),
    /// Sort by a column in this direction.
    SortIn {
        /// Which.
        column: ColumnAt,
        /// The largest first.
        descending: bool,
    },
    /// Back to the order of the capture.
    Unsort,
    /// Colour rows by these rules.
    Rules(Vec<ColourRule>),
    /// The rules as they were at first.
    ResetRules,
    /// Whether the rules count.
    Colours(bool),
    /// Go where this text says: a packet's number, `first`, `last`, or `gap` with its number.
    GoTo(String),
    /// Go to the packet that was selected before.
    Back,
    /// Go to the one that was selected after it.
    Forward,
    /// Go to the next gap, or to the one before.
    Gap {
        /// Towards the end.
        next: bool,
    },
}

/// An order of the rows that is not that of the capture.
#[derive(Clone, Debug)]
pub struct Sorted {
    /// The key of the column.
    pub key: String,
    /// What sorts them.
    pub sorter: Arc<Sorter>,
}

/// What rows are made with.
#[derive(Debug, Default)]
pub(super) struct RowMaker {
    pub columns: Vec<What>,
    pub painter: Painter,
    keys: Vec<String>,
    /// The rules count.
    colours: bool,
}

impl RowMaker {
    /// What it looks up it takes from the one before where that has it.
    fn new(settings: &Settings, before: &Self) -> Self {
        let known =
            |key: &String| before.keys.iter().position(|k| k == key).and_then(|n| before.columns.get(n));
        let what = |key: &String| known(key).cloned().unwrap_or_else(|| What::of(key));
        let keys: Vec<String> = settings.columns.iter().map(|c| c.key.clone()).collect();
        Self {
            columns: keys.iter().map(what).collect(),
            painter: Painter::new(&settings.colour_rules, &before.painter),
            keys,
            colours: settings.colours,
        }
    }

    /// The colour rule that holds for a packet.
    pub fn rule(&self, packet: &Packet<'_>) -> Option<usize> {
        if self.colours { self.painter.rule_of(packet) } else { None }
    }

    /// Whether a row needs what is known from the packets before.
    pub fn needs_flows(&self) -> bool {
        let needs = |what: &What| matches!(what, What::Field(column) if column.needs_flows());
        self.columns.iter().any(needs) || self.colours && self.painter.needs_flows()
    }

    /// The texts of the columns that show keys; empty for the list's own.
    pub fn cells(&self, packet: &Packet<'_>) -> Vec<String> {
        let text = |what: &What| match what {
            What::Field(column) => column.text(packet),
            _ => String::new(),
        };
        self.columns.iter().map(text).collect()
    }
}

/// The packet list's own state.
#[derive(Debug)]
pub struct ListState {
    settings: Settings,
    keeper: Keeper,
    pub(super) maker: Arc<RowMaker>,
    sheet: Option<Sheet>,
    /// Packets that were selected, and which of them is.
    visits: Vec<usize>,
    visit: usize,
}

impl Default for ListState {
    fn default() -> Self {
        let settings = Settings::default();
        let maker = Arc::new(RowMaker::new(&settings, &RowMaker::default()));
        Self { settings, keeper: Keeper::default(), maker, sheet: None, visits: Vec::new(), visit: 0 }
    }
}

impl ListState {
    /// The columns and the colour rules.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What each column shows.
    #[must_use]
    pub fn columns(&self) -> &[What] {
        &self.maker.columns
    }

    /// What is wrong with a colour rule.
    #[must_use]
    pub fn problem(&self, rule: usize) -> Option<&str> {
        self.maker.painter.problem(rule)
    }

    /// The dialog that is open.
    #[must_use]
    pub fn sheet(&self) -> Option<Sheet> {
        self.sheet
    }

    /// Whether there is a packet to go back to, and one to go forward to.
    #[must_use]
    pub fn can_go(&self) -> (bool, bool) {
        (self.visit > 0, self.visit + 1 < self.visits.len())
    }

    /// A packet was selected by a person.
    pub(super) fn visited(&mut self, position: usize) {
        if self.visits.get(self.visit) == Some(&position) {
            return;
        }
        self.visits.truncate(self.visit + 1);
        if self.visits.len() == MOST_VISITS {
            self.visits.remove(0);
        }
        self.visits.push(position);
        self.visit = self.visits.len() - 1;
    }

    /// Another capture is shown.
    pub(super) fn forget_visits(&mut self) {
        self.visits.clear();
        self.visit = 0;
    }
}

impl Workbench {
    /// The packet list's own state.
    #[must_use]
    pub fn list(&self) -> &ListState {
        &self.list
    }

    /// Takes the settings from this file, and keeps them there.
    pub fn keep_settings_in(&mut self, path: PathBuf) {
        let (keeper, settings, problem) = Keeper::open(path);
        self.list.keeper = keeper;
        self.options.keep_free = settings.keep_free;
        self.list.settings = settings;
        self.remake();
        if let Some(text) = problem {
            self.notice(Failure::new(text));
        }
    }

    /// Does something with the packet list.
    pub(super) fn apply_list(&mut self, command: ListCommand) {
        match command {
            ListCommand::Sheet(sheet) => {
                self.list.sheet = sheet;
                self.keep_options();
            }
            ListCommand::Sort(column) => self.sort_next(column),
            ListCommand::SortIn { column, descending } => self.sort(column, descending),
            ListCommand::Unsort => self.capture.sort(None),
            ListCommand::GoTo(text) => match self.find_place(&text) {
                Ok(line) => {
                    self.list.sheet = None;
                    self.go_to(line);
                }
                Err(why) => self.notice(Failure::new(why)),
            },
            ListCommand::Back => self.revisit(self.list.visit.checked_sub(1)),
            ListCommand::Forward => self.revisit(self.list.visit.checked_add(1)),
            ListCommand::Gap { next } => self.go_to_gap(next),
            change => match self.change(change) {
                Ok(()) => self.settings_changed(),
                Err(why) => self.notice(Failure::new(why)),
            },
        }
    }

    /// Changes the settings.
    fn change(&mut self, command: ListCommand) -> Result<(), String> {
        let settings = &mut self.list.settings;
        let columns = &mut settings.columns;
        match command {
            ListCommand::AddColumn(key, place) => {
                let column = columns::setting(&key)?;
                let place = place.unwrap_or_else(|| columns::place_of_new(columns));
                columns.insert(place.min(columns.len()), column);
            }
            ListCommand::RemoveColumn(_) if columns.len() == 1 => {
                return Err("a list needs a column: add another one first".into());
            }
            ListCommand::RemoveColumn(column) if column < columns.len() => drop(columns.remove(column)),
            ListCommand::MoveColumn { from, to } if from < columns.len() => {
                let column = columns.remove(from);
                columns.insert(to.min(columns.len()), column);
            }
            ListCommand::Title(column, title) => {
                columns.get_mut(column).into_iter().for_each(|c| c.title.clone_from(&title));
            }
            ListCommand::Width(column, width) => {
                let width = width.map(|w| w.clamp(*columns::WIDTHS.start(), *columns::WIDTHS.end()));
                columns.get_mut(column).into_iter().for_each(|c| c.width = width);
            }
            ListCommand::ResetColumns => *columns = default_columns(),
            ListCommand::Rules(rules) => settings.colour_rules = rules,
            ListCommand::ResetRules => settings.colour_rules = default_rules(),
            ListCommand::Colours(on) => settings.colours = on,
            _ => {}
        }
        Ok(())
    }

    /// Keeps what of the capture options is kept.
    fn keep_options(&mut self) {
        let free = self.options.keep_free;
        if std::mem::replace(&mut self.list.settings.keep_free, free) != free {
            self.keep_settings();
        }
    }

    fn settings_changed(&mut self) {
        self.remake();
        self.keep_settings();
    }

    fn keep_settings(&mut self) {
        if let Err(why) = self.list.keeper.keep(&self.list.settings) {
            self.notice(Failure::new(why));
        }
    }

    /// Makes the rows anew.
    fn remake(&mut self) {
        self.list.maker = Arc::new(RowMaker::new(&self.list.settings, &self.list.maker));
        self.capture.make_rows_with(Arc::clone(&self.list.maker));
        let has = |key: &str| self.list.settings.columns.iter().any(|c| c.key == key);
        if self.capture.sorted.as_ref().is_some_and(|sorted| !has(&sorted.key)) {
            self.capture.sort(None);
        }
    }

    /// Ascending, descending, not at all.
    fn sort_next(&mut self, column: ColumnAt) {
        let Some(key) = self.list.settings.columns.get(column).map(|c| &c.key) else { return };
        match self.capture.sorted.as_ref().filter(|s| s.key == *key).map(|s| s.sorter.is_descending()) {
            None => self.sort(column, false),
            Some(false) => self.sort(column, true),
            Some(true) => self.capture.sort(None),
        }
    }

    fn sort(&mut self, column: ColumnAt, descending: bool) {
        let Some(key) = self.list.settings.columns.get(column).map(|c| c.key.clone()) else { return };
        let Some(by) = self.list.maker.columns.get(column).and_then(What::by) else {
            return self.notice(Failure::new(format!("there is no field {key} to sort by")));
        };
        match &self.capture.sorted {
            // What was read of the packets serves both directions.
            Some(sorted) if sorted.key == key && sorted.sorter.problem().is_none() => {
                if sorted.sorter.is_descending() != descending {
                    sorted.sorter.turn();
                }
            }
            _ => self.capture.sort(Some(Sorted { key, sorter: Arc::new(Sorter::new(by, descending)) })),
        }
        self.sort_on();
    }

    /// Has the rows sorted in that came since; gives how long they wait for it.
    pub fn sort_on(&mut self) -> Option<Duration> {
        let (Some(file), Some(Sorted { sorter, .. })) = (&self.capture.file, &self.capture.sorted) else {
            return None;
        };
        let rows = self.capture.shown();
        if rows == 0 || sorter.is_done(rows) {
            return None;
        }
        // The first rows that pass a filter wait for the others, unless more packets are on their way anyway.
        let sifted = self.capture.sieve.as_ref().is_none_or(|sieve| sieve.tested() >= file.len());
        if !sifted && sorter.arranged().is_empty() && !self.capture.running && !self.capture.loading {
            return None;
        }
        let wait = sorter.due_in();
        if !wait.is_zero() {
            return Some(wait);
        }
        if sorter.begin() {
            let (file, sieve, sorter) = (file.clone(), self.capture.sieve.clone(), Arc::clone(sorter));
            let flows = Arc::clone(&self.capture.flows);
            let order = Order::Sort { file, sieve, flows, sorter: Arc::clone(&sorter) };
            if !self.is_taken(order) {
                sorter.leave();
            }
        }
        None
    }

    /// Where a text leads: a packet's number, `first`, `last`, or `gap` with its number.
    ///
    /// # Errors
    /// Nowhere: what would be right.
    pub fn find_place(&self, text: &str) -> Result<Line, String> {
        let text = text.trim().to_lowercase();
        let (packets, gaps) = (self.capture.len(), self.capture.gaps().len());
        if packets == 0 {
            return Err("there is no packet yet".into());
        }
        let number = |text: &str| -> Option<usize> {
            let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '#').collect();
            digits.parse().ok()
        };
        match text.as_str() {
            "first" => return Ok(Line::Packet(0)),
            "last" => return Ok(Line::Packet(packets - 1)),
            _ => {}
        }
        if let Some(gap) = text.strip_prefix("gap") {
            let found = number(gap).and_then(|n| n.checked_sub(1)).filter(|n| *n < gaps);
            return found.map(Line::Gap).ok_or_else(|| match gaps {
                0 => "no packets were lost in this capture: there is no gap to go to".to_owned(),
                n => format!("type a gap from gap 1 to gap {n}"),
            });
        }
        let found = number(&text).and_then(|n| n.checked_sub(1)).filter(|n| *n < packets);
        found
            .map(Line::Packet)
            .ok_or_else(|| format!("type a number from 1 to {packets}, first, last, or gap 1"))
    }

    /// Selects a packet, or brings a gap into sight.
    pub(super) fn go_to(&mut self, line: Line) {
        self.capture.follow = false;
        match line {
            Line::Packet(position) => {
                if !self.capture.is_shown(position) {
                    self.done(format!(
                        "packet {} does not pass the filter: its place is shown",
                        position + 1
                    ));
                }
                self.apply(super::Command::Select(Some(position)));
                self.requests.push(Request::Reveal(self.capture.row_of(position)));
            }
            Line::Gap(gap) => match self.capture.row_of_gap(gap) {
                Some(row) => self.requests.push(Request::Reveal(row)),
                None => self.notice(Failure::new(
                    "gaps stand between the packets in the order of the capture: the list is sorted",
                )),
            },
        }
    }

    /// Goes to a packet that was selected before.
    fn revisit(&mut self, visit: Option<usize>) {
        let Some((visit, position)) = visit.and_then(|v| Some((v, *self.list.visits.get(v)?))) else {
            return;
        };
        self.list.visit = visit;
        self.go_to(Line::Packet(position));
    }

    fn go_to_gap(&mut self, next: bool) {
        let gaps = self.capture.gaps();
        if gaps.is_empty() {
            return self.done("no gap is known in this capture".into());
        }
        let here = self.capture.gap_at.or_else(|| {
            // The selected packet stands between two gaps.
            let selected = self.capture.selected.as_ref()?.index;
            let behind = gaps.partition_point(|g| g.before <= selected);
            if next { behind.checked_sub(1) } else { Some(behind) }
        });
        let last = gaps.len() - 1;
        let gap = match (here, next) {
            (None, true) => 0,
            (None, false) => last,
            (Some(here), true) => (here + 1).min(last),
            (Some(here), false) => here.saturating_sub(1).min(last),
        };
        self.capture.gap_at = Some(gap);
        self.go_to(Line::Gap(gap));
    }
}

impl CaptureState {
    /// Makes rows with these columns and colours from now on.
    pub(super) fn make_rows_with(&mut self, maker: Arc<RowMaker>) {
        self.maker = maker;
        self.forget_rows();
    }

    /// Shows the rows in another order, and gives up the one before.
    pub(super) fn sort(&mut self, sorted: Option<Sorted>) {
        if let Some(before) = std::mem::replace(&mut self.sorted, sorted) {
            before.sorter.give_up();
        }
    }

    /// Other rows are shown: they are sorted anew.
    pub(super) fn sort_again(&mut self) {
        if let Some(Sorted { key, sorter }) = self.sorted.clone() {
            self.sort(Some(Sorted { key, sorter: Arc::new(sorter.anew()) }));
        }
    }

    /// The order of the rows, where it is not that of the capture.
    #[must_use]
    pub fn sorted(&self) -> Option<&Sorted> {
        self.sorted.as_ref()
    }
}
