//! The workbench: all that the window shows, changed by commands and by what the engine reports.

use std::net::IpAddr;
use std::path::PathBuf;

use super::builder::Builder;
use super::capture::{CaptureState, Origin};
use super::capture_options::CaptureOptions;
use super::command::{Below, Command, Outgoing, Question, Theme, Then};
use super::compare::Comparing;
use super::events::LastSend;
use super::files::Traffic;
use super::filter::{CaptureBox, FilterBox};
use super::find::FindBox;
use super::guard::Guard;
use super::history::History;
use super::list::ListState;
use super::script::{ScriptCommand, Scripts};
use super::stream::Streams;
use crate::craft::{Draft, presets};
use crate::engine::{Engine, Failure, HostWay, Listen, Neighbourhood, Order, Place, Source, System, Via};
use crate::filter::complete::Words;
use crate::wire::value;
use crate::wire::view::Path;

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It went well.
    Done,
    /// It did not.
    Error,
}

/// A message that stays until it is taken away; its text can be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How grave it is.
    pub severity: Severity,
    /// The message.
    pub text: String,
    /// Ways out, each with the command to copy.
    pub ways: Vec<(String, String)>,
}

/// Something that only the window can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Put this on the clipboard.
    Clipboard(String),
    /// Ask for a file to open.
    AskOpen,
    /// Ask for a name to save under; a proposal.
    AskSave(String),
    /// Ask for a name to write the exchanges under; a proposal.
    AskExport(String),
    /// Ask for a script to open.
    AskOpenScript,
    /// Ask for a name to save a script under; a proposal.
    AskSaveScript(String),
    /// Set the keyboard focus to the filter's box.
    FocusFilter,
    /// Set the keyboard focus to the box in which is typed what is sought.
    FocusFind,
    /// Bring the packet at this position, from 0, into sight.
    Show(usize),
    /// Set the keyboard focus to this field of the builder.
    Focus(Path),
    /// Bring a row of the packet list into sight.
    Reveal(usize),
    /// Set the keyboard focus to the payload of the builder.
    FocusPayload,
    /// Say this to whoever started the program.
    Report(String),
    /// Close.
    Close,
}

/// All that the window shows.
pub struct Workbench {
    pub(super) builder: Builder,
    pub(super) capture: CaptureState,
    pub(super) list: ListState,
    pub(super) filter: FilterBox,
    pub(super) capture_filter: CaptureBox,
    pub(super) options: CaptureOptions,
    pub(super) find: FindBox,
    pub(super) history: History,
    pub(super) sources: Vec<Source>,
    pub(super) source: usize,
    /// Those of the sources that are on other machines.
    pub(super) remotes: Vec<Source>,
    pub(super) host: HostWay,
    pub(super) via: Via,
    pub(super) theme: Theme,
    pub(super) notices: Vec<Notice>,
    pub(super) question: Option<Question>,
    pub(super) requests: Vec<Request>,
    pub(super) palette: bool,
    pub(super) neighbourhood: Option<(Place, IpAddr, Neighbourhood)>,
    /// What was asked for last, so that each destination is asked for once.
    pub(super) explored: Option<(Place, IpAddr, Via)>,
    /// The packet and its way as they were when Send was pressed; it goes out when the way to its destination is known.
    pub(super) sending: Option<(Draft, Via)>,
    pub(super) start_capture: bool,
    pub(super) preferred: Option<(Option<String>, Place)>,
    pub(super) sent: Option<LastSend>,
    pub(super) streams: Streams,
    pub(super) scripts: Scripts,
    pub(super) directory: PathBuf,
    pub(super) traffic: Traffic,
    pub(super) engine: Option<Engine>,
    /// Datagrams that were asked for.
    pub(super) asks: u64,
    pub(super) guard: Guard,
    /// What the draft answers, as long as it is that answer, for a person.
    pub(super) answering: Option<String>,
    pub(super) below: Below,
    pub(super) comparing: Comparing,
}

impl Workbench {
    /// A workbench with the SYN preset in the builder. `directory`: where spools stand.
    #[must_use]
    pub fn new(engine: Option<Engine>, directory: PathBuf) -> Self {
        // The lab's server: where a first packet is safe to go.
        let syn = presets::ALL[0].to(None);
        let draft = Draft::from_notation(&syn, &mut System::default()).unwrap_or_default();
        let mut bench = Self {
            builder: Builder::new(draft),
            capture: CaptureState::new(None, Origin::Empty),
            list: ListState::default(),
            filter: FilterBox::default(),
            capture_filter: CaptureBox::default(),
            options: CaptureOptions::default(),
            find: FindBox::default(),
            history: History::default(),
            sources: Vec::new(),
            source: 0,
            remotes: Vec::new(),
            host: HostWay::Closed,
            via: Via::Ip,
            theme: Theme::default(),
            notices: Vec::new(),
            question: None,
            requests: Vec::new(),
            palette: false,
            neighbourhood: None,
            explored: None,
            sending: None,
            start_capture: false,
            preferred: None,
            sent: None,
            streams: Streams::default(),
            scripts: Scripts::default(),
            directory,
            traffic: Traffic::default(),
            engine,
            asks: 0,
            guard: Guard::default(),
            answering: None,
            below: Below::default(),
            comparing: Comparing::default(),
        };
        bench.order(Order::Sources);
        let directory = bench.directory.clone();
        bench.order(Order::FindLeft(directory));
        bench
    }

    /// The builder.
    #[must_use]
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// The capture panel.
    #[must_use]
    pub fn capture(&self) -> &CaptureState {
        &self.capture
    }

    /// The capture panel, to fetch rows.
    pub fn capture_mut(&mut self) -> &mut CaptureState {
        &mut self.capture
    }

    /// The sources, and which is chosen.
    #[must_use]
    pub fn sources(&self) -> (&[Source], usize) {
        (&self.sources, self.source)
    }

    /// The chosen source.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        self.sources.get(self.source)
    }

    /// Whether raw sockets can be had on this machine itself.
    #[must_use]
    pub fn host_way(&self) -> HostWay {
        self.host
    }

    /// The names of the interfaces of the chosen place: a frame can be sent on each.
    #[must_use]
    pub fn link_interfaces(&self) -> Vec<&String> {
        let place = self.source().map(|s| &s.place);
        let here = self.sources.iter().filter(|s| Some(&s.place) == place);
        here.filter_map(|s| match &s.listen {
            Listen::Interface(name) => Some(name),
            _ => None,
        })
        .collect()
    }

    /// How the draft is sent.
    #[must_use]
    pub fn via(&self) -> &Via {
        &self.via
    }

    /// Light or dark.
    #[must_use]
    pub fn theme(&self) -> Theme {
        self.theme
    }

    /// The messages that stand.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The question that stands open.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// The palette is open.
    #[must_use]
    pub fn palette_is_open(&self) -> bool {
        self.palette
    }

    /// The last packet that was sent.
    #[must_use]
    pub fn last_send(&self) -> Option<&LastSend> {
        self.sent.as_ref()
    }

    /// What the system said about the way to the draft's destination.
    #[must_use]
    pub fn neighbourhood(&self) -> Option<&Neighbourhood> {
        let to = self.builder.draft().network_ends()?.1;
        let place = &self.source()?.place;
        self.neighbourhood.as_ref().filter(|(p, t, _)| p == place && *t == to).map(|(_, _, n)| n)
    }

    /// Whether the window is asked to do something.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// What the window is asked to do; each is given once.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Chooses this source of a place once the list is known: an interface's name, `any`, or a label.
    pub fn prefer_source(&mut self, name: Option<String>, place: Place) {
        self.preferred = Some((name, place));
    }

    /// Starts to capture as soon as the sources are known.
    pub fn capture_at_start(&mut self) {
        self.start_capture = true;
    }

    pub(super) fn order(&mut self, order: Order) {
        self.is_taken(order);
    }

    /// Gives an order; `false`: it is not carried out, and a notice says so.
    pub(super) fn is_taken(&mut self, order: Order) -> bool {
        let Some(engine) = &self.engine else { return true };
        let taken = engine.order(order);
        if !taken {
            self.notice(Failure::new(
                "the workbench is still busy with earlier orders: try again in a moment",
            ));
        }
        taken
    }

    pub(super) fn notice(&mut self, failure: Failure) {
        let notice = Notice { severity: Severity::Error, text: failure.text, ways: failure.ways };
        // The same thing said twice is said once.
        self.notices.retain(|n| *n != notice);
        self.notices.push(notice);
    }

    pub(super) fn done(&mut self, text: String) {
        self.notices.retain(|n| n.severity != Severity::Done);
        self.notices.push(Notice { severity: Severity::Done, text, ways: Vec::new() });
    }

    /// Changes the state as a command says.
    pub fn apply(&mut self, command: Command) {
        // Half an address is typed on the way to a whole one: on a link, where asking sends packets, it is not asked.
        let edits = matches!(command, Command::SetField { .. });
        let typing = edits && self.via != Via::Ip;
        match command {
            Command::Send => {
                // The port is held before the packet leaves: both orders go one way.
                self.hold_on();
                self.send();
            }
            Command::Reply(index) => self.reply(index),
            Command::HoldPort(on) => self.guard.on = on,
            Command::Exchanges(command) => self.apply_exchanges(command),
            Command::Below(below) => self.show_below(below),
            Command::Compare(command) => self.compare(command),
            Command::Script(command) => self.script(command),
            Command::Stream(command) => self.stream(command),
            Command::SendVia(via) => self.send_via(via),
            Command::Source(index) => self.choose_source(index),
            Command::RefreshSources => {
                self.explored = None;
                self.order(Order::Sources);
            }
            Command::StartCapture if self.capture.is_busy() => {}
            Command::StartCapture => self.unless_unsaved(Then::Capture(None)),
            Command::StopCapture => self.order(Order::Stop),
            Command::Select(index) => self.select(index),
            Command::Follow(follow) => self.capture.follow = follow,
            Command::Filter(text) => self.set_filter(text),
            Command::FilterBy(text) => {
                self.set_filter(text);
                self.remember(Words::Display);
            }
            Command::CaptureFilter(text) => self.set_capture_filter(text),
            Command::CaptureOptions(options) => self.options = *options,
            Command::List(command) => self.apply_list(command),
            Command::Remember(words) => self.remember(words),
            Command::Find(step) => self.find_step(step),
            Command::FocusFilter => self.requests.push(Request::FocusFilter),
            Command::Open => self.unless_unsaved(Then::Open(None)),
            Command::OpenPath(path) => {
                self.question = None;
                self.unless_unsaved(Then::Open(Some(path)));
            }
            Command::CancelReading
            | Command::FollowFile(_)
            | Command::AskRemote
            | Command::CaptureRemote(_) => {
                self.read_elsewhere(command);
            }
            Command::Save => self.ask_save(),
            Command::SavePath(path) => self.save(path),
            Command::Clear => self.unless_unsaved(Then::Clear),
            Command::Copy(text) => self.requests.push(Request::Clipboard(text)),
            Command::CopyHex => {
                self.requests.push(Request::Clipboard(value::hex_pairs(self.builder.draft().bytes())));
            }
            Command::CopyNotation(detail) => {
                self.requests.push(Request::Clipboard(self.builder.draft().notation(detail)));
            }
            Command::Dismiss(index) => {
                if index < self.notices.len() {
                    self.notices.remove(index);
                }
            }
            Command::DelayLab(milliseconds) => self.order(Order::DelayLab(milliseconds)),
            Command::Theme(theme) => self.theme = theme,
            Command::Palette => self.palette = !self.palette,
            Command::Answer(choice) => self.answer(choice),
            Command::Quit => self.script(ScriptCommand::Quit),
            edit => self.apply_edit(edit),
        }
        // A port is held when it is typed to its end.
        if !edits {
            self.hold_on();
        }
        if !typing {
            self.explore();
        }
        self.ladder_on();
    }

    pub(super) fn select(&mut self, index: Option<usize>) {
        let before = self.capture.sought.take();
        index.into_iter().for_each(|position| self.list.visited(position));
        self.capture.gap_at = None;
        if let Err(text) = self.capture.select(index) {
            self.notice(Failure::new(text));
        }
        self.seek(before);
        self.follow_selected();
    }

    pub(super) fn choose_source(&mut self, index: usize) {
        if index >= self.sources.len() || index == self.source {
            return;
        }
        self.leave_source();
        self.source = index;
    }

    /// What is captured and where packets go are one place, always.
    pub(super) fn leave_source(&mut self) {
        if self.capture.is_busy() {
            self.order(Order::Stop);
        }
        if self.capture.starting {
            self.forget_wanted();
        }
        self.sending = None;
        self.leave_stream();
        self.via = Via::Ip;
        self.neighbourhood = None;
    }

    /// Chooses how the draft goes out. A frame needs a link header: where the draft has none it gets one.
    fn send_via(&mut self, via: Via) {
        let bare = self.builder.draft().network_layer() == Some(0);
        self.via = via;
        if let (Via::Link(_), true) = (&self.via, bare) {
            self.apply_edit(Command::InsertLayer { at: 0, header: crate::wire::dissect::ethernet() });
        }
    }

    /// Asks the system for the way to the draft's destination when that is another than before.
    pub(super) fn explore(&mut self) {
        let Some((_, destination)) = self.builder.draft().network_ends() else { return };
        let Some(place) = self.source().map(|s| s.place.clone()) else { return };
        let via = self.via.clone();
        let asked = (place.clone(), destination, via.clone());
        if self.explored.as_ref() == Some(&asked) {
            return;
        }
        self.explored = Some(asked);
        // A person may have to be asked for a permission: when a packet is to go out, not while it is typed.
        let asking = self.sending.is_some();
        self.order(Order::Explore { place, destination, via, asking });
    }

    /// Sends the draft, with the way to its destination as it is now: routes and neighbours change.
    fn send(&mut self) {
        if let Some((path, _)) = self.builder.first_refused() {
            self.requests.push(Request::Focus(path));
            return;
        }
        self.builder.end_edit();
        if self.streams.is_on() {
            return self.start_stream();
        }
        if self.engine.is_none() || self.builder.draft().network_ends().is_none() {
            return self.send_out(&self.builder.draft().clone(), self.via.clone());
        }
        self.explored = None;
        self.sending = Some((self.builder.draft().clone(), self.via.clone()));
    }

    /// Hands a packet out. The capture listens first, so that the packet and its answer are seen.
    pub(super) fn send_out(&mut self, draft: &Draft, via: Via) {
        let Some(place) = self.source().map(|s| s.place.clone()) else { return };
        let frame = crate::engine::frame_of(draft);
        self.asked(crate::engine::Asked::of(draft, &via));
        if self.capture.running {
            self.order(Order::Send { place, via, frame });
        } else if self.capture.starting {
            self.traffic.pending = Some(Outgoing { place, via, frame });
        } else if self.question.is_none() {
            self.unless_unsaved(Then::Capture(Some(Outgoing { place, via, frame })));
        }
    }
}

/// This machine.
pub(super) const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
