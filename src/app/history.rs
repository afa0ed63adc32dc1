//! The filters that were applied, kept across starts in a file of the user's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::filter::complete::Words;

/// The name of the file, which stands beside the settings.
pub const FILE: &str = "filter-history.json";
/// Filters that are kept for each box.
const MOST: usize = 50;
/// A longer file is none of ours, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What the file holds: the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Lists {
    display: Vec<String>,
    capture: Vec<String>,
}

impl Lists {
    fn of(&mut self, words: Words) -> &mut Vec<String> {
        match words {
            Words::Display => &mut self.display,
            Words::Capture => &mut self.capture,
        }
    }

    fn add(&mut self, words: Words, text: &str) {
        let list = self.of(words);
        list.retain(|t| t != text);
        list.insert(0, text.to_owned());
        list.truncate(MOST);
    }

    fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: String| {
            format!(
                "cannot read the filter history {}: {why}. It is left as it is, and new filters are remembered only until \
                 the window closes: repair the file or take it away",
                path.display()
            )
        };
        let text = match std::fs::metadata(path) {
            Ok(found) if found.len() > MOST_BYTES => return Err(wrong(format!("{} bytes", found.len()))),
            Ok(_) => std::fs::read_to_string(path),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Writes beside the file and then in its place, so that it is never half.
    fn write(&self, path: &Path) -> Result<(), String> {
        let wrong = |error: std::io::Error| {
            format!(
                "cannot write the filter history {}: {error}. Check its directory and the space",
                path.display()
            )
        };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(wrong)?;
        }
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let written = std::fs::write(&beside, text + "\n").and_then(|()| std::fs::rename(&beside, path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            wrong(error)
        })
    }
}

/// The filters that were applied in each box, the newest first, none twice.
#[derive(Debug, Default)]
pub struct History {
    /// None: nothing is kept.
    path: Option<PathBuf>,
    lists: Lists,
    /// What was said last of the file: nothing is said twice.
    told: Option<String>,
}

impl History {
    /// What the file holds. One that cannot be read is left alone; the text says so.
    #[must_use]
    pub fn load(path: PathBuf) -> (Self, Option<String>) {
        match Lists::read(&path) {
            Ok(lists) => (Self { path: Some(path), lists, told: None }, None),
            Err(text) => (Self { path: Some(path), told: Some(text.clone()), ..Self::default() }, Some(text)),
        }
    }

    /// The filters of a box.
    #[must_use]
    pub fn of(&self, words: Words) -> &[String] {
        match words {
            Words::Display => &self.lists.display,
            Words::Capture => &self.lists.capture,
        }
    }

    /// Puts a filter first.
    ///
    /// # Errors
    /// It cannot be kept: says why, once. It is remembered all the same.
    pub fn add(&mut self, words: Words, text: &str) -> Result<(), String> {
        let text = text.trim();
        if text.is_empty() || self.of(words).first().is_some_and(|t| t == text) {
            return Ok(());
        }
        self.lists.add(words, text);
        let Some(path) = &self.path else { return Ok(()) };
        // Another window may have written meanwhile.
        let kept = Lists::read(path).and_then(|mut lists| {
            lists.add(words, text);
            lists.write(path)
        });
        let problem = kept.err();
        let said = std::mem::replace(&mut self.told, problem.clone());
        problem.filter(|p| said.as_ref() != Some(p)).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_first_and_none_is_there_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/history.json");
        let (mut history, problem) = History::load(path.clone());
        assert_eq!(problem, None);
        for n in 0..60 {
            history.add(Words::Display, &format!("ip.ttl == {n}")).unwrap();
        }
        history.add(Words::Display, " ip.ttl == 30 ").unwrap();
        history.add(Words::Capture, "port 80").unwrap();
        history.add(Words::Capture, "  ").unwrap();
        let (again, problem) = History::load(path);
        assert_eq!(problem, None);
        for history in [&history, &again] {
            let list = history.of(Words::Display);
            assert_eq!(list.len(), MOST);
            assert_eq!(list[..2], ["ip.ttl == 30", "ip.ttl == 59"]);
            assert_eq!(list.iter().filter(|t| *t == "ip.ttl == 30").count(), 1);
            assert_eq!(history.of(Words::Capture), ["port 80"]);
        }
    }

    #[test]
    fn two_windows_keep_what_both_applied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.json");
        let (mut one, mut other) = (History::load(path.clone()).0, History::load(path.clone()).0);
        one.add(Words::Display, "tcp").unwrap();
        other.add(Words::Display, "udp").unwrap();
        assert_eq!(History::load(path).0.of(Words::Display), ["udp", "tcp"]);
    }

    #[test]
    fn a_broken_file_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.json");
        for broken in ["{\"display\": [1]}", "not json", "\u{0}\u{1}", ""] {
            std::fs::write(&path, broken).unwrap();
            let (mut history, problem) = History::load(path.clone());
            assert!(problem.unwrap().contains("history.json"), "{broken}");
            // It was said, and is not said again.
            history.add(Words::Display, "tcp").unwrap();
            assert_eq!(history.of(Words::Display), ["tcp"]);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
        }
        assert!(History::load(directory.path().into()).1.is_some());
        // Where the directory cannot be made it is said.
        std::fs::write(&path, "{}").unwrap();
        let mut history = History { path: Some(path.join("below")), ..History::default() };
        assert!(history.add(Words::Display, "tcp").unwrap_err().contains("below"));
        history.add(Words::Display, "udp").unwrap();
    }
}
