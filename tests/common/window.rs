//! Driving the window without a display: widgets are found by the names that a screen reader says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eframe::egui::accesskit::{Role, Toggled};
use eframe::egui::{Event, Key, Modifiers, OutputCommand, PointerButton, Pos2, Rect, ViewportCommand};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, Node};
use tempfile::TempDir;

use rawbench::app::{Command, Workbench};
use rawbench::craft::Draft;
use rawbench::craft::build::Sources;
use rawbench::engine::{self, Listen, Place, Source};
use rawbench::pcap::{
    CaptureFile, Direction, Format, InterfaceInfo, LinkType, PacketRecord, Report, Spool, Writer,
};
use rawbench::ui::App;

/// The size that the window opens with.
pub const SIZE: [f32; 2] = [1280.0, 800.0];
/// Frames after which a window that still asks for more is not at rest.
const MOST_FRAMES: usize = 120;
/// A repaint that is asked for this late is none that costs anything at rest.
const REST: Duration = Duration::from_secs(60);

/// Ctrl.
pub const CTRL: Modifiers = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };
/// Ctrl and Shift.
pub const CTRL_SHIFT: Modifiers = Modifiers { shift: true, ..CTRL };

/// The window on a workbench without threads behind it.
pub struct Window {
    pub harness: Harness<'static, App>,
    pub directory: TempDir,
    /// What was put on the clipboard.
    pub copied: Vec<String>,
    /// The window was told to close.
    pub closed: bool,
}

impl Window {
    /// A window of the size that it opens with.
    pub fn open() -> Self {
        Self::sized(SIZE)
    }

    /// A window of another size.
    pub fn sized(size: [f32; 2]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spools = directory.path().to_path_buf();
        let harness = Harness::builder()
            .with_size(size)
            .with_step_dt(1.0 / 60.0)
            .build_eframe(move |creation| App::new(Workbench::new(None, spools), &creation.egui_ctx));
        let mut window = Self { harness, directory, copied: Vec::new(), closed: false };
        window.settle();
        window
    }

    /// The state behind the window.
    pub fn bench(&self) -> &Workbench {
        &self.harness.state().bench
    }

    /// The packet in the builder.
    pub fn draft(&self) -> &Draft {
        self.bench().builder().draft()
    }

    /// Says something in the name of the engine, and shows it.
    pub fn event(&mut self, event: engine::Event) {
        self.harness.state_mut().bench.take_event(event);
        self.settle();
    }

    /// One frame, with at most one event in it.
    pub fn frame(&mut self) {
        self.harness.step();
        let output = self.harness.output();
        for command in &output.platform_output.commands {
            if let OutputCommand::CopyText(text) = command {
                self.copied.push(text.clone());
            }
        }
        for viewport in output.viewport_output.values() {
            self.closed |= viewport.commands.iter().any(|c| matches!(c, ViewportCommand::Close));
        }
    }

    /// When the window wants to be drawn again.
    pub fn next_frame_in(&self) -> Duration {
        self.harness.output().viewport_output.values().map(|v| v.repaint_delay).min().unwrap()
    }

    /// Draws until the window asks for no further frame; fails when it never does.
    pub fn settle(&mut self) {
        for _ in 0..MOST_FRAMES {
            self.frame();
            if self.next_frame_in() >= REST {
                self.harness.check_accessibility();
                return;
            }
        }
        panic!("the window never comes to rest: {:#?}", self.harness.ctx.repaint_causes());
    }

    /// One event, and the frame that shows it.
    pub fn send(&mut self, event: Event) {
        self.harness.event(event);
        self.frame();
    }

    /// Presses and releases a key.
    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.key_down(modifiers, key);
        self.send(Event::Key { key, pressed: false, modifiers, repeat: false, physical_key: None });
        self.settle();
    }

    /// Presses a key: a single frame.
    pub fn key_down(&mut self, modifiers: Modifiers, key: Key) {
        self.send(Event::Key { key, pressed: true, modifiers, repeat: false, physical_key: None });
    }

    /// Types a text, a frame for each letter.
    pub fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.send(Event::Text(letter.into()));
        }
        self.settle();
    }

    /// Clicks at a place.
    pub fn click_at(&mut self, pos: Pos2) {
        self.send(Event::PointerMoved(pos));
        for pressed in [true, false] {
            self.send(Event::PointerButton {
                pos,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        self.settle();
    }

    /// Clicks the button, switch or row of this name, after scrolling to it as a person would.
    pub fn click(&mut self, name: &str) {
        self.get(name).scroll_to_me();
        self.settle();
        let node = self.get(name);
        assert!(!node.accesskit_node().is_disabled(), "'{name}' is disabled");
        let place = node.rect();
        let screen = self.harness.ctx.content_rect();
        assert!(screen.contains(place.center()), "'{name}' is out of sight at {place:?}");
        self.click_at(place.center());
    }

    /// Puts the keyboard into the field of this name: by a click, or where its middle is cut off as Tab would.
    pub fn focus(&mut self, name: &str) {
        self.click(name);
        if !self.get(name).is_focused() {
            self.get(name).focus();
            self.settle();
        }
        assert!(self.get(name).is_focused(), "'{name}' did not take the keyboard");
    }

    /// Replaces the text of a field.
    pub fn fill(&mut self, name: &str, text: &str) {
        self.focus(name);
        self.key(CTRL, Key::A);
        self.type_text(text);
    }

    /// Takes the keyboard away from where it is.
    pub fn leave(&mut self) {
        if let Some(id) = self.harness.ctx.memory(|m| m.focused()) {
            self.harness.ctx.memory_mut(|m| m.surrender_focus(id));
            self.settle();
        }
    }

    /// All widgets of this name that can be used; labels too where there is nothing else.
    pub fn all<'a>(&'a self, name: &'a str) -> Vec<Node<'a>> {
        let all: Vec<_> = self.harness.query_all_by_label(name).collect();
        let (widgets, labels): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|n| n.accesskit_node().role() != Role::Label);
        if widgets.is_empty() { labels } else { widgets }
    }

    /// The only widget of this name.
    pub fn get<'a>(&'a self, name: &'a str) -> Node<'a> {
        let mut all = self.all(name);
        assert!(!all.is_empty(), "there is no '{name}' among {:#?}", self.names());
        assert_eq!(all.len(), 1, "'{name}' stands for several");
        all.remove(0)
    }

    /// Whether there is a widget of this name.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// The text in a field.
    pub fn value(&self, name: &str) -> String {
        self.get(name).value().unwrap_or_default()
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        let node = self.get(name).accesskit_node();
        node.toggled() == Some(Toggled::True) || node.is_selected() == Some(true)
    }

    /// The texts that stand in the window.
    pub fn texts(&self) -> Vec<String> {
        let nodes = self.harness.root().children_recursive();
        let labels = nodes.filter(|n| n.accesskit_node().role() == Role::Label);
        labels.filter_map(|n| n.value()).filter(|t| !t.is_empty()).collect()
    }

    /// Whether a text stands in the window that contains this one.
    pub fn says(&self, part: &str) -> bool {
        self.texts().iter().any(|t| t.contains(part))
    }

    /// Fails, with all that there is, when no text contains this one.
    #[track_caller]
    pub fn must_say(&self, part: &str) {
        assert!(self.says(part), "nothing says '{part}' in {:#?}", self.texts());
    }

    /// The names of all that can be used.
    pub fn names(&self) -> BTreeSet<String> {
        self.widgets().into_iter().map(|w| w.0).collect()
    }

    /// Name, role and place of all that can be used with keyboard or pointer.
    pub fn widgets(&self) -> Vec<(String, Role, Rect)> {
        const ROLES: [Role; 6] = [
            Role::Button,
            Role::CheckBox,
            Role::ComboBox,
            Role::TextInput,
            Role::MultilineTextInput,
            Role::ListBoxOption,
        ];
        let nodes = self.harness.root().children_recursive();
        nodes
            .filter(|n| {
                let node = n.accesskit_node();
                ROLES.contains(&node.role()) && !node.is_disabled()
            })
            .map(|n| (n.accesskit_node().label().unwrap_or_default(), n.accesskit_node().role(), n.rect()))
            .collect()
    }

    /// The name of what has the keyboard.
    pub fn focused(&self) -> Option<String> {
        self.harness
            .root()
            .children_recursive()
            .find(|n| n.is_focused())
            .and_then(|n| n.accesskit_node().label())
    }

    /// The numbers of the packets in sight.
    pub fn rows(&self) -> Vec<usize> {
        let rows = self.widgets().into_iter().filter(|w| w.1 == Role::ListBoxOption);
        rows.filter_map(|w| w.0.split(' ').next()?.parse().ok()).collect()
    }

    /// The whole spoken text of a row.
    pub fn row(&self, number: usize) -> String {
        let begin = format!("{number} ");
        let rows: Vec<String> = self.widgets().into_iter().map(|w| w.0).collect();
        let found = rows.iter().find(|name| name.starts_with(&begin) && name.split(' ').count() > 3);
        found.unwrap_or_else(|| panic!("no row {number} in sight: {rows:#?}")).clone()
    }

    /// Gives the workbench a capture file as the engine would when it opens one.
    pub fn open_file(&mut self, packets: &[Vec<u8>]) -> PathBuf {
        let path = self.directory.path().join("given.pcapng");
        write(&path, packets);
        self.load(&path);
        path
    }

    /// The same with a file that is there.
    pub fn load(&mut self, path: &std::path::Path) {
        let (file, mut indexer) = CaptureFile::begin(path).unwrap();
        let bench = &mut self.harness.state_mut().bench;
        bench.apply(Command::OpenPath(path.into()));
        let generation = bench.awaited().unwrap();
        bench.take_event(engine::Event::Opened(generation, file));
        let report: Report = indexer.run(&mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        bench.take_event(engine::Event::Loaded(generation, report));
        self.settle();
    }

    /// The generation of the capture that was asked for; asks for one if none was.
    pub fn awaited(&mut self) -> u64 {
        let bench = &mut self.harness.state_mut().bench;
        if bench.awaited().is_none() {
            bench.apply(Command::StartCapture);
        }
        bench.awaited().unwrap()
    }

    /// Puts sources into the list, the first chosen, and says that raw sockets are to be had.
    pub fn give_sources(&mut self) {
        let list = vec![source("lab: rb0"), source("lab: other")];
        self.event(engine::Event::Sources(Ok(list), engine::HostWay::Open));
    }

    /// A capture that runs, and the spool that feeds it.
    pub fn start_capture(&mut self) -> Spool {
        let mut spool = Spool::create(self.directory.path()).unwrap();
        spool.add_interface(&InterfaceInfo::new("rb0", LinkType::RAW)).unwrap();
        let (file, counters) = (spool.capture_file(), Arc::default());
        if self.bench().sources().0.is_empty() {
            self.give_sources();
        }
        let generation = self.awaited();
        self.event(engine::Event::Started { source: source("lab: rb0"), file, counters, generation });
        spool
    }
}

/// A source of the lab.
pub fn source(label: &str) -> Source {
    Source {
        place: Place::Lab,
        listen: Listen::Interface(label.trim_start_matches("lab: ").into()),
        label: label.into(),
        detail: "a private network".into(),
    }
}

/// A capture file of raw IP packets, a millisecond apart, each second one outgoing.
pub fn write(path: &std::path::Path, packets: &[Vec<u8>]) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = Writer::new(file, Format::PcapNg, path);
    writer.add_interface(&InterfaceInfo::new("rb0", LinkType::RAW)).unwrap();
    for (number, bytes) in packets.iter().enumerate() {
        writer.write_packet(&record(number, bytes)).unwrap();
    }
    writer.finish(&[]).unwrap();
}

/// A packet with its time.
pub fn record(number: usize, bytes: &[u8]) -> PacketRecord<'_> {
    let direction = if number.is_multiple_of(2) { Direction::Outbound } else { Direction::Inbound };
    let time = 1_700_000_000_000_000_000 + number as u64 * 1_000_000;
    PacketRecord { direction, ..PacketRecord::new(0, time, bytes) }
}

/// Payloads that a notation may ask for: none.
struct NoSources;

impl Sources for NoSources {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file {path} in a test"))
    }
}

/// The packet that a notation describes.
pub fn craft(notation: &str) -> Draft {
    Draft::from_notation(notation, &mut NoSources).unwrap()
}

/// SYNs to ports 1, 2, 3 …
pub fn syns(count: usize) -> Vec<Vec<u8>> {
    let packet = |port| {
        let text = format!("ip(src=10.77.0.1, dst=10.77.0.2)/tcp(srcport=40000, dstport={port}, flags=S)");
        craft(&text).bytes().to_vec()
    };
    (1..=count).map(packet).collect()
}
