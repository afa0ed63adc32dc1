//! Scripts of expectations: the text, the run, and what it says of each line.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command::{Question, Then};
use super::workbench::{Request, Workbench};
use crate::engine::script::{self, EXAMPLES, Outcome, Runner, Told, What, text};
use crate::engine::{Failure, Listen, Place, ScriptTold, Scripting, System};

/// Most bytes of a script that is opened in the window.
const LONGEST: u64 = 1 << 20;
/// Events that are kept; of more the oldest go.
const MOST_EVENTS: usize = 1000;

/// Something to do with scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptCommand {
    /// Show the script in the place of the builder, or no more.
    Show(bool),
    /// Begin with an example, by its index.
    Example(usize),
    /// Ask for a file to open.
    AskOpen,
    /// Open this one.
    OpenPath(PathBuf),
    /// Ask for a name to save under.
    AskSave,
    /// Save under this one.
    SavePath(PathBuf),
    /// The text was edited.
    Text(String),
    /// Run it.
    Run,
    /// End the run.
    Stop,
    /// What was edited is given up; then this is done.
    Discard(Box<Self>),
    /// Close the window.
    Quit,
}

/// What is known of a line in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// Packets that it sent.
    pub sent: u64,
    /// How often it held.
    pub passed: u64,
    /// How often it did not.
    pub failed: u64,
}

/// Something that happened, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptEvent {
    /// The line, from 1 on; `None`: of the script as a whole.
    pub line: Option<usize>,
    /// What happened; may be several lines.
    pub text: String,
    /// It went well, it did not, or it is neither.
    pub good: Option<bool>,
}

/// A run of a script.
#[derive(Debug, Default)]
pub struct ScriptRun {
    /// What is known of the lines, by number from 1 on.
    pub lines: HashMap<usize, LineState>,
    /// The line at which it waits.
    pub at: Option<usize>,
    /// What happened, in order.
    pub events: VecDeque<ScriptEvent>,
    /// Events that are not kept any more.
    pub gone: u64,
    /// How it went, once it is over.
    pub over: Option<Outcome>,
    tests: u64,
    failed_tests: u64,
    stopping: bool,
}

/// What is wrong in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptProblem {
    /// The line, from 1 on.
    pub line: usize,
    /// The line with a caret, and the message.
    pub text: String,
}

/// The script and its run.
#[derive(Default)]
pub struct Scripts {
    shown: bool,
    text: String,
    /// As it stands in its file.
    saved: String,
    /// Its file, or the name of an example.
    path: Option<PathBuf>,
    problem: Option<ScriptProblem>,
    run: Option<ScriptRun>,
    running: Option<Scripting>,
    /// What runs once the capture listens.
    waiting: Option<Runner>,
}

impl ScriptRun {
    /// It is not over.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.over.is_none()
    }

    /// Stop was pressed.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether all of it was run, and all holds.
    #[must_use]
    pub fn pass(&self) -> Option<bool> {
        self.over.as_ref().map(|over| over.verdicts.pass() && over.failure.is_none())
    }

    /// How it went, in one line; `None` while it runs.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let over = self.over.as_ref()?;
        Some(text::summary(over, self.pass()?, self.tests, self.failed_tests))
    }

    /// All that happened, as text.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report: String = self.events.iter().map(|e| format!("{}\n", e.text)).collect();
        report += &self.summary().map(|s| s + "\n").unwrap_or_default();
        report
    }

    fn tell(&mut self, event: ScriptEvent) {
        if self.events.len() == MOST_EVENTS {
            self.events.pop_front();
            self.gone += 1;
        }
        self.events.push_back(event);
    }

    fn take(&mut self, told: &Told) {
        let state = self.lines.entry(told.line).or_default();
        let good = match &told.what {
            What::Sent { .. } => {
                state.sent += 1;
                None
            }
            What::Came { .. } | What::Silence(_) => {
                state.passed += 1;
                Some(true)
            }
            What::Swept(table) => {
                state.passed += 1;
                state.sent += table.rows.len() as u64;
                Some(true)
            }
            What::Failed(_) => {
                state.failed += 1;
                Some(false)
            }
            What::Test(_) => {
                self.tests += 1;
                None
            }
            What::TestOver { name, failed } => {
                self.failed_tests += u64::from(!name.is_empty() && *failed > 0);
                Some(*failed == 0)
            }
        };
        let mut bytes = Vec::new();
        // A vector takes everything.
        let _ = text::write(&mut bytes, told);
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if !text.is_empty() {
            self.tell(ScriptEvent { line: Some(told.line), text, good });
        }
    }
}

impl Scripts {
    /// The script is shown.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// The script.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned())
    }

    /// It was edited since it was opened or saved.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.text != self.saved
    }

    /// What is wrong in it.
    #[must_use]
    pub fn problem(&self) -> Option<&ScriptProblem> {
        self.problem.as_ref()
    }

    /// The run, or the last one.
    #[must_use]
    pub fn run(&self) -> Option<&ScriptRun> {
        self.run.as_ref()
    }

    /// It runs, or is about to.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.waiting.is_some() || self.run.as_ref().is_some_and(ScriptRun::is_running)
    }

    fn replace(&mut self, path: PathBuf, text: String) {
        self.shown = true;
        (self.path, self.saved) = (Some(path), text.clone());
        (self.text, self.problem) = (text, None);
        if !self.is_running() {
            self.run = None;
        }
    }
}

impl Workbench {
    /// The script and its run.
    #[must_use]
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub(super) fn script(&mut self, command: ScriptCommand) {
        let replaces =
            matches!(command, ScriptCommand::Example(_) | ScriptCommand::OpenPath(_) | ScriptCommand::Quit);
        if replaces && self.scripts.is_running() && command != ScriptCommand::Quit {
            return self.notice(Failure::new("a script runs: stop it first"));
        }
        if replaces && self.scripts.is_edited() {
            self.question = Some(Question::LoseScript(command));
            return;
        }
        match command {
            ScriptCommand::Show(on) => {
                self.scripts.shown = on;
                if on && self.scripts.text.is_empty() && self.scripts.path.is_none() {
                    self.script(ScriptCommand::Example(0));
                }
            }
            ScriptCommand::Example(index) => {
                let Some((name, text)) = EXAMPLES.get(index) else { return };
                self.scripts.replace(PathBuf::from(name), (*text).to_owned());
            }
            ScriptCommand::AskOpen => self.requests.push(Request::AskOpenScript),
            ScriptCommand::OpenPath(path) => self.open_script(path),
            ScriptCommand::AskSave => {
                let name = self.scripts.name().unwrap_or_else(|| "test.bench".into());
                self.requests.push(Request::AskSaveScript(name));
            }
            ScriptCommand::SavePath(path) => self.save_script(path),
            ScriptCommand::Text(text) => {
                self.scripts.text = text;
                self.scripts.problem = None;
            }
            ScriptCommand::Run => self.run_script(),
            ScriptCommand::Stop => self.stop_script(),
            ScriptCommand::Discard(then) if *then == ScriptCommand::Quit => {
                self.question = None;
                self.unless_unsaved(Then::Quit);
            }
            ScriptCommand::Discard(then) => {
                self.question = None;
                self.scripts.saved.clone_from(&self.scripts.text);
                self.script(*then);
            }
            ScriptCommand::Quit => self.unless_unsaved(Then::Quit),
        }
    }

    fn open_script(&mut self, path: PathBuf) {
        self.question = None;
        let refused = |why: String| Failure::new(format!("cannot open {}: {why}", path.display()));
        let size = std::fs::metadata(&path).map(|m| m.len());
        let read = match size {
            Ok(size) if size > LONGEST => {
                Err(format!("it has {size} bytes, more than a script that can be edited here ({LONGEST})"))
            }
            Ok(_) => std::fs::read(&path).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let text = read.and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|e| format!("it is no text: byte {} is no UTF-8", e.utf8_error().valid_up_to()))
        });
        match text {
            Ok(text) => self.scripts.replace(path, text),
            Err(why) => self.notice(refused(why)),
        }
    }

    fn save_script(&mut self, path: PathBuf) {
        self.question = None;
        match std::fs::write(&path, &self.scripts.text) {
            Ok(()) => {
                self.done(format!("saved the script to {}", path.display()));
                self.scripts.saved.clone_from(&self.scripts.text);
                self.scripts.path = Some(path);
            }
            Err(error) => {
                self.notice(Failure::new(format!("cannot save the script to {}: {error}", path.display())));
            }
        }
    }

    /// Reads the script and runs it. The capture listens first, so that its packets are seen.
    fn run_script(&mut self) {
        if self.scripts.is_running() {
            return;
        }
        self.scripts.shown = true;
        self.scripts.problem = None;
        let parsed = script::parse(&self.scripts.text, &[], &mut System::default());
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let before = self.scripts.text.get(..error.at.start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let text = format!("line {line}\n{}", error.render(&self.scripts.text));
                self.scripts.problem = Some(ScriptProblem { line, text });
                self.scripts.run = None;
                return;
            }
        };
        if parsed.is_empty() {
            let text = "line 1\nthe script does nothing: > sends a packet, < waits for one".to_owned();
            self.scripts.problem = Some(ScriptProblem { line: 1, text });
            return;
        }
        let Some(place) = self.place_of(&parsed.options) else { return };
        let options = parsed.options.clone();
        let mut runner = Runner::new(place, parsed, options);
        runner.seed = fastrand::u64(..);
        if self.capture.running {
            return self.start_script(runner);
        }
        self.scripts.waiting = Some(runner);
        if !self.capture.starting && self.question.is_none() {
            self.unless_unsaved(Then::Capture(None));
        }
        if !self.capture.starting && self.question.is_none() {
            // It was said already why nothing listens.
            self.scripts.waiting = None;
        }
    }

    /// Where the script runs: in the lab where it says so, else where one works. The source goes there with it.
    fn place_of(&mut self, options: &script::Options) -> Option<Place> {
        let here = self.source().map(|s| s.place.clone());
        if !options.lab || here == Some(Place::Lab) {
            if here.is_none() {
                self.notice(Failure::new("there is no source yet that a script could run at"));
            }
            return here;
        }
        let lab = |s: &&crate::engine::Source| s.place == Place::Lab;
        let link = self.sources.iter().position(|s| lab(&s) && matches!(s.listen, Listen::Interface(_)));
        match link.or_else(|| self.sources.iter().position(|s| s.place == Place::Lab)) {
            Some(index) => {
                self.choose_source(index);
                Some(Place::Lab)
            }
            None => {
                self.notice(Failure::new("the script wants the lab, and there is none among the sources"));
                None
            }
        }
    }

    fn start_script(&mut self, runner: Runner) {
        self.scripts.run = Some(ScriptRun::default());
        let Some(engine) = &self.engine else { return };
        match engine.run_script(runner, Box::<System>::default()) {
            Ok(running) => self.scripts.running = Some(running),
            Err(failure) => {
                self.scripts.run = None;
                self.notice(failure);
            }
        }
    }

    fn stop_script(&mut self) {
        self.scripts.waiting = None;
        if let Some(run) = self.scripts.run.as_mut().filter(|run| run.is_running()) {
            run.stopping = true;
            self.scripts.running.iter().for_each(Scripting::stop);
        }
    }

    /// The capture listens: what waited for it runs.
    pub(super) fn start_waiting_script(&mut self) {
        if let Some(runner) = self.scripts.waiting.take() {
            self.start_script(runner);
        }
    }

    /// No capture will listen for it.
    pub(super) fn forget_waiting_script(&mut self) {
        self.scripts.waiting = None;
    }

    /// Takes in what a script says, for as long as there is time. `true`: there is more.
    pub(super) fn drain_script(&mut self, start: Instant, budget: Duration) -> bool {
        while let Some(told) = self.scripts.running.as_ref().and_then(|s| s.told().try_recv().ok()) {
            self.take_script(told);
            if start.elapsed() > budget {
                return true;
            }
        }
        false
    }

    /// Takes in what a script says.
    pub fn take_script(&mut self, told: ScriptTold) {
        let Some(run) = &mut self.scripts.run else { return };
        let whole = |text: String, good| ScriptEvent { line: None, text, good };
        match told {
            ScriptTold::Told(told) => run.take(&told),
            ScriptTold::Note(note) => run.tell(whole(format!("note: {note}"), None)),
            ScriptTold::At(line) => run.at = Some(line),
            ScriptTold::Over(Ok(outcome)) => {
                text::notes(&outcome).into_iter().for_each(|note| run.tell(whole(note, None)));
                let failure = outcome.failure.clone();
                run.at = None;
                run.over = Some(*outcome);
                self.scripts.running = None;
                if let Some(failure) = failure {
                    self.notice(failure);
                }
            }
            ScriptTold::Over(Err(failure)) => {
                (self.scripts.run, self.scripts.running) = (None, None);
                self.notice(failure);
            }
        }
    }
}
