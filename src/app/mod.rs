//! The state of the workbench and the commands that change it. Imports all but `net`, `ui`, `cli`. No egui, no threads.
//!
//! The window draws [`Workbench`] and hands back [`Command`]s; [`Workbench::apply`] is the only way to change it from
//! outside, and [`Workbench::drain`] takes in what the engine's threads report.

mod builder;
mod capture;
mod capture_options;
mod colours;
mod columns;
mod command;
mod compare;
mod edits;
mod events;
mod exchanges;
mod files;
mod filter;
mod find;
mod flows;
mod gaps;
mod guard;
mod history;
mod ladder;
mod left;
mod list;
mod reading;
mod reassembly;
mod reply;
mod script;
mod settings;
mod start;
mod stream;
mod workbench;

pub use builder::{Builder, Refusal};
pub use capture::{CaptureState, ListRow, Origin, Selected};
pub use capture_options::{CaptureOptions, MOST_FREE_MIB, Switch};
pub use columns::{WIDTHS, What, own_columns};
pub use command::{Below, Choice, Command, Outgoing, Question, Theme, Then};
pub use compare::{Beside, CompareCommand, Compared, Comparing};
pub use events::LastSend;
pub use exchanges::{ExchangeCommand, Reason};
pub use filter::{CaptureBox, FilterBox};
pub use find::{Find, FindBox, Sought};
pub use gaps::{Gap, GapKind, Line};
pub use guard::{GUARD_HELP, Hold};
pub use history::{FILE as HISTORY, History};
pub use list::{ListCommand, ListState, Sheet, Sorted};
pub use script::{LineState, ScriptCommand, ScriptEvent, ScriptProblem, ScriptRun, Scripts};
pub use settings::{ColourRule, ColumnSetting, Hue, Settings, settings_path};
pub use start::{Start, spool_directory};
pub use stream::{Again, Entry, Run, StreamCommand, Streams, pace};
pub use workbench::{Notice, Request, Severity, Workbench};

pub use crate::engine::{Part, Via};
