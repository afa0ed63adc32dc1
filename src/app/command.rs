//! Everything that a person can do, as data: the window, the palette and the tests say it in these words.

use std::path::PathBuf;

use super::capture_options::CaptureOptions;
use super::compare::CompareCommand;
use super::exchanges::ExchangeCommand;
use super::find::Find;
use super::list::ListCommand;
use super::script::ScriptCommand;
use super::stream::StreamCommand;
use crate::craft::export::Form;
use crate::craft::print::Detail;
use crate::engine::{Frame, Held, Place, Remote, Via};
use crate::filter::complete::Words;
use crate::wire::table::Header;
use crate::wire::view::Path;

/// What is shown below the list of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Below {
    /// The selected packet.
    #[default]
    Packet,
    /// Its conversation, as a ladder.
    Ladder,
    /// The table of exchanges.
    Exchanges,
    /// The selected packet beside the one that was asked for.
    Compare,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Set a field of the draft to what was typed, in the unit `scale`.
    SetField {
        /// Which field.
        path: Path,
        /// The unit of the name under which it was shown.
        scale: u32,
        /// What was typed.
        text: String,
    },
    /// Turn a flag over.
    Toggle(Path),
    /// Keep a computed field at its value.
    Pin(Path),
    /// Compute a field again.
    Release(Path),
    /// Make a checksum wrong on purpose.
    MakeWrong(Path),
    /// Put a header before layer `at`.
    InsertLayer {
        /// Where.
        at: usize,
        /// Which.
        header: &'static Header,
    },
    /// Take a layer out.
    RemoveLayer(usize),
    /// Add an option to a layer's list.
    InsertOption {
        /// Whose list.
        layer: usize,
        /// Before which option.
        at: usize,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Add an option to the list in another one.
    InsertInner {
        /// Whose list.
        layer: usize,
        /// In which option.
        parent: usize,
        /// Which of the known ones of that list.
        which: usize,
    },
    /// Replace an option.
    SetOption {
        /// Whose list.
        layer: usize,
        /// Which option.
        at: usize,
        /// Its new bytes.
        bytes: Vec<u8>,
    },
    /// Take an option out.
    RemoveOption {
        /// Whose list.
        layer: usize,
        /// Which option.
        at: usize,
    },
    /// Move an option.
    MoveOption {
        /// Whose list.
        layer: usize,
        /// Which option.
        from: usize,
        /// To which place.
        to: usize,
    },
    /// Replace the payload.
    SetPayload(Vec<u8>),
    /// Replace the trailer.
    SetTrailer(Vec<u8>),
    /// The next edit is an undo step of its own.
    EndEdit,
    /// Take back the last edit.
    Undo,
    /// Do it again.
    Redo,
    /// Begin with a preset, by its index.
    Preset(usize),
    /// Begin with the packet that a notation describes.
    LoadNotation(String),
    /// Load a captured packet into the builder as it is.
    EditCopy(usize),
    /// Load the answer to a captured packet into the builder; `None`: to the newest that came back.
    Reply(Option<usize>),
    /// Hold the draft's TCP port against the kernel's resets, or let it go.
    HoldPort(bool),
    /// Show this below the list.
    Below(Below),
    /// Do something with the exchanges.
    Exchanges(ExchangeCommand),
    /// The selected packet beside the one that was asked for.
    Compare(CompareCommand),
    /// Scripts of expectations.
    Script(ScriptCommand),
    /// Send the draft.
    Send,
    /// Streams, and packets of the list that are sent again.
    Stream(StreamCommand),
    /// Choose how it is sent.
    SendVia(Via),
    /// Choose where to work and what to listen to, by its index in the source list.
    Source(usize),
    /// Ask for the source list again.
    RefreshSources,
    /// Start capturing.
    StartCapture,
    /// Stop capturing.
    StopCapture,
    /// Select a packet of the list.
    Select(Option<usize>),
    /// Keep the newest packet in sight.
    Follow(bool),
    /// Show only the packets that pass this display filter; an empty text shows all.
    Filter(String),
    /// The same, and remember it.
    FilterBy(String),
    /// Capture only what passes this filter, from the next start on; an empty text: everything.
    CaptureFilter(String),
    /// Set how captures end by themselves and which files they write, from the next start on.
    CaptureOptions(Box<CaptureOptions>),
    /// Remember what stands in the box as applied.
    Remember(Words),
    /// Find a packet.
    Find(Find),
    /// Type in the filter's box.
    FocusFilter,
    /// Do something with the packet list.
    List(ListCommand),
    /// Open a capture file: ask for its name.
    Open,
    /// Open this capture file.
    OpenPath(PathBuf),
    /// Read no further in the file that is being read.
    CancelReading,
    /// Take in packets that are appended to the open file, or let them be.
    FollowFile(bool),
    /// Ask what another machine is to capture.
    AskRemote,
    /// Capture on another machine.
    CaptureRemote(Remote),
    /// Save the capture: ask for its name.
    Save,
    /// Save the capture under this name.
    SavePath(PathBuf),
    /// Throw the capture away.
    Clear,
    /// Put the draft as notation on the clipboard.
    CopyNotation(Detail),
    /// Put the draft as hex pairs on the clipboard.
    CopyHex,
    /// Put this text on the clipboard.
    Copy(String),
    /// Put a packet on the clipboard in the language of another tool.
    CopyAs {
        /// Which.
        form: &'static Form,
        /// The selected packet of the list, not the draft.
        selected: bool,
    },
    /// Take a notice away.
    Dismiss(usize),
    /// Have the lab's server answer that many milliseconds later.
    DelayLab(u16),
    /// Light or dark.
    Theme(Theme),
    /// Open or close the command palette.
    Palette,
    /// Answer to the question that stands open.
    Answer(Choice),
    /// Close the window, unless something is unsaved.
    Quit,
}

/// Colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

/// A question that has to be answered before something is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Packets are unsaved and something would lose them.
    Unsaved {
        /// How many.
        packets: usize,
        /// What was asked for.
        then: Then,
    },
    /// A program that was killed left packets behind.
    Left {
        /// What was found, as a sentence.
        text: String,
        /// The file that they stand in.
        path: PathBuf,
        /// How many more are asked about after this one.
        more: usize,
    },
    /// No file dialog is to be had: type the path.
    SavePath,
    /// No file dialog is to be had: type the path.
    OpenPath,
    /// No file dialog is to be had: type the path.
    ExportPath,
    /// An edited script would be lost by this.
    LoseScript(ScriptCommand),
    /// No file dialog is to be had for a script: type the path.
    OpenScriptPath,
    /// No file dialog is to be had for a script: type the path.
    SaveScriptPath,
    /// What another machine is to capture.
    Remote,
    /// How the packets of the list are to be sent again.
    Again {
        /// How many rows it shows.
        rows: usize,
        /// What of them cannot be sent as it is.
        held: Option<Held>,
    },
}

/// What goes on after the unsaved packets are dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Close the window.
    Quit,
    /// Open a file: by this name, or ask for it.
    Open(Option<PathBuf>),
    /// Start a new capture, and then send this.
    Capture(Option<Outgoing>),
    /// An empty list.
    Clear,
}

/// A packet on its way out, as it was when Send was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where.
    pub place: Place,
    /// How.
    pub via: Via,
    /// What.
    pub frame: Frame,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Show what was found.
    Show,
    /// Save first.
    Save,
    /// Lose them.
    Discard,
    /// Do nothing.
    Cancel,
}
