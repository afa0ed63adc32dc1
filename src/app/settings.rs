//! What is kept from one start to the next: the columns of the packet list, its colour rules, and what a capture leaves free
//! of the disk.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A settings file that is larger is none.
const MOST_BYTES: u64 = 1024 * 1024;

/// A column of the packet list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSetting {
    /// What it shows: the key of a field, or the name of one of the list's own columns.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Its width in points; none: what the others leave.
    #[serde(default)]
    pub width: Option<u16>,
}

/// A colour of the window's own, which suits the light and the dark theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hue {
    /// None: what is there without a rule.
    #[default]
    Plain,
    /// Grey.
    Grey,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Orange.
    Orange,
    /// Green.
    Green,
    /// Yellow.
    Yellow,
    /// Rose.
    Rose,
    /// Violet.
    Violet,
    /// Red: what did not go well.
    Red,
}

impl Hue {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Plain, "plain"),
        (Self::Grey, "grey"),
        (Self::Blue, "blue"),
        (Self::Purple, "purple"),
        (Self::Orange, "orange"),
        (Self::Green, "green"),
        (Self::Yellow, "yellow"),
        (Self::Rose, "rose"),
        (Self::Violet, "violet"),
        (Self::Red, "red"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(hue, _)| *hue == self).map_or("", |(_, name)| name)
    }
}

/// A rule for the colour of rows: that of the first rule holds whose filter a packet passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColourRule {
    /// Its name.
    pub name: String,
    /// A display filter.
    pub filter: String,
    /// The colour behind the row.
    #[serde(default)]
    pub ground: Hue,
    /// It is a strong one.
    #[serde(default)]
    pub strong: bool,
    /// The colour of its text.
    #[serde(default)]
    pub text: Hue,
    /// It counts.
    #[serde(default = "yes")]
    pub on: bool,
}

const fn yes() -> bool {
    true
}

/// All that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The columns from left to right.
    pub columns: Vec<ColumnSetting>,
    /// The rules, the first before all others.
    pub colour_rules: Vec<ColourRule>,
    /// The rules count.
    pub colours: bool,
    /// A capture ends before the disk has less than so many MiB free; 0: when it is full.
    pub keep_free: u64,
    /// What another version keeps here.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            columns: super::columns::default_columns(),
            colour_rules: super::colours::default_rules(),
            colours: true,
            keep_free: super::capture_options::KEEP_FREE_MIB,
            others: Map::new(),
        }
    }
}

/// The settings file.
#[derive(Debug, Default)]
pub struct Keeper {
    path: Option<PathBuf>,
    /// What stands in it could not be read, so it is left as it is.
    untouchable: bool,
}

impl Keeper {
    /// Reads the file at this path. Where there is none the defaults hold; where it cannot be read they do too, a message
    /// says why, and the file is never written.
    #[must_use]
    pub fn open(path: PathBuf) -> (Self, Settings, Option<String>) {
        match read(&path) {
            Ok(settings) => (Self { path: Some(path), untouchable: false }, settings, None),
            Err(why) => {
                let text = format!(
                    "the settings in {} cannot be read: {why}. The defaults hold, and what you change is not kept, until \
                     the file is repaired or removed",
                    path.display()
                );
                (Self { path: Some(path), untouchable: true }, Settings::default(), Some(text))
            }
        }
    }

    /// Writes the settings: as a whole or not at all.
    ///
    /// # Errors
    /// What was tried on which file, and why it failed.
    pub fn keep(&self, settings: &Settings) -> Result<(), String> {
        let Some(path) = self.path.as_ref().filter(|_| !self.untouchable) else { return Ok(()) };
        write(path, settings).map_err(|e| {
            format!(
                "cannot keep the settings in {}: {e}. They hold until the window is closed",
                path.display()
            )
        })
    }
}

fn read(path: &Path) -> Result<Settings, String> {
    let text = match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MOST_BYTES => return Err(format!("it has {} bytes", meta.len())),
        Ok(_) => std::fs::read_to_string(path).map_err(|e| e.to_string())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(error.to_string()),
    };
    let mut settings: Settings = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    if settings.columns.is_empty() {
        settings.columns = super::columns::default_columns();
    }
    Ok(settings)
}

fn write(path: &Path, settings: &Settings) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(settings)?;
    text.push('\n');
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    // Beside it first: whoever is killed meanwhile leaves the old one.
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let done = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}

/// Where the settings stand: the user's configuration directory; none where there is no home.
#[must_use]
pub fn settings_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "rawbench").map(|d| d.config_dir().join("settings.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rawbench/settings.json");
        (directory, path)
    }

    #[test]
    fn what_is_kept_comes_back() {
        let (_directory, path) = place();
        let (keeper, mut settings, problem) = Keeper::open(path.clone());
        assert_eq!((&settings, problem), (&Settings::default(), None));
        settings.columns.remove(1);
        settings.columns[0].width = Some(77);
        settings.colour_rules.truncate(2);
        settings.colours = false;
        settings.keep_free = 7;
        keeper.keep(&settings).unwrap();
        assert_eq!(Keeper::open(path.clone()).1, settings);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_another_version_keeps_stays() {
        let (_directory, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, r#"{"columns": [], "history": ["icmp"]}"#).unwrap();
        let (keeper, settings, problem) = Keeper::open(path.clone());
        assert_eq!(problem, None);
        assert_eq!(settings.columns, Settings::default().columns);
        keeper.keep(&settings).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains(r#""history""#));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_never_written() {
        for broken in [&b"{\"columns\": 7}"[..], b"{", b"", b"\xff\xfe", b"{\"colours\": true"] {
            let (_directory, path) = place();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, broken).unwrap();
            let (keeper, settings, problem) = Keeper::open(path.clone());
            assert_eq!(settings, Settings::default());
            assert!(problem.unwrap().contains("settings.json cannot be read"));
            keeper.keep(&settings).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), broken);
        }
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file/settings.json");
        let (keeper, settings, _) = Keeper::open(path);
        std::fs::write(directory.path().join("file"), b"").unwrap();
        assert!(keeper.keep(&settings).unwrap_err().contains("cannot keep the settings"));
    }
}
