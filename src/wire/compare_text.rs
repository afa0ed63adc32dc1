//! A comparison as text. Part of [`super::compare`].

use super::compare::{Change, Comparison, Row, Section};

/// What stands for a value that one of the packets does not have.
const NONE: &str = "nothing";

impl Row {
    /// What was asked for, in a few letters.
    #[must_use]
    pub fn asked_text(&self) -> &str {
        self.asked.as_deref().unwrap_or(NONE)
    }

    /// What was seen, or that it is not there.
    #[must_use]
    pub fn seen_text(&self, found: &Comparison) -> String {
        match (&self.seen, self.change, found.cut) {
            (Some(seen), ..) => seen.clone(),
            (None, Change::Cut, Some(cut)) => cut.text().to_owned(),
            _ => NONE.to_owned(),
        }
    }
}

impl Comparison {
    /// How what was seen stands to what was asked for: `with 2 differences (12 values not quoted)`.
    #[must_use]
    pub fn summary(&self) -> String {
        let said = match self.differences() {
            0 => "as it was asked for".to_owned(),
            1 => "with 1 difference".to_owned(),
            count => format!("with {count} differences"),
        };
        match (self.cut, self.not_there()) {
            (Some(cut), 1) => format!("{said} (1 value {})", cut.text()),
            (Some(cut), values @ 2..) => format!("{said} ({values} values {})", cut.text()),
            _ => said,
        }
    }

    /// A line for each value in columns, under a line for each layer; `only`: for each difference, without those.
    #[must_use]
    pub fn lines(&self, only: bool) -> Vec<String> {
        let mut table: Vec<[String; 4]> = Vec::new();
        let mut titles = Vec::new();
        for section in &self.sections {
            let lone = section.is_lone();
            if (lone && section.change != Change::Cut) || !only {
                titles.push((table.len(), title(section)));
            }
            let shown = section.rows.iter().filter(|row| !only || !lone && row.differs());
            table.extend(shown.map(|row| self.cells(section, row, only)));
        }
        let width = |column: usize| table.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let (first, second, third) = (width(0), width(1), width(2));
        let mut lines = Vec::new();
        let mut titles = titles.into_iter().peekable();
        for (at, [name, asked, seen, why]) in table.iter().enumerate() {
            lines.extend(std::iter::from_fn(|| titles.next_if(|(before, _)| *before <= at)).map(|t| t.1));
            let indent = if only { "" } else { "  " };
            let line = format!("{indent}{name:<first$}  {asked:>second$} → {seen:<third$}  {why}");
            lines.push(line.trim_end().to_owned());
        }
        lines.extend(titles.map(|t| t.1));
        lines
    }

    fn cells(&self, section: &Section, row: &Row, only: bool) -> [String; 4] {
        let name = match (row.key.is_empty(), only) {
            (false, _) => row.key.clone(),
            (true, true) => format!("{} {}", section.short(), row.label),
            (true, false) => row.label.clone(),
        };
        let sign = if row.differs() && !only { "≠ " } else { "" };
        let why = format!("{sign}{}", row.why.as_deref().unwrap_or_default());
        [name, row.asked_text().to_owned(), row.seen_text(self), why]
    }
}

fn title(section: &Section) -> String {
    let sign = match section.change {
        _ if !section.is_lone() => "",
        Change::Added => "+ ",
        _ => "- ",
    };
    let why = section.why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("{sign}{}{why}", section.name())
}
