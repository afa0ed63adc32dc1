//! The threads: control, recorder, transmitter, and the matching of answers. Speaks in orders and events; no egui.
//! Imports `net`, `pcap`, `craft`, `wire`.
//!
//! An [`Engine`] takes [`Order`]s and gives [`Event`]s through bounded channels; a waker tells the viewer that there is
//! something to fetch. Captured packets do not go through a channel: they stand in the spool, and its index is shared,
//! so that the recorder never waits for the viewer.

mod book;
mod control;
mod counters;
mod errands;
mod exchange;
mod exits;
mod file_plan;
mod file_sink;
mod find;
mod flows;
mod guard;
mod heads;
mod in_order;
mod job;
mod job_run;
mod ladder;
mod pace;
mod pinger;
mod plan;
mod probe;
mod reading;
mod reassembly;
mod recorder;
mod recording;
mod remote;
pub mod screen;
pub mod script;
mod scripting;
mod sending;
mod sequence;
mod sieve;
mod sink;
mod sorter;
mod sources;
mod streaming;
mod tap;
mod tee;
mod transmitter;
mod trigger;
mod witness;
mod work;

pub use control::{Engine, Event, Order, Waker};
pub use counters::{Counters, Incident, Mark, Tally};
pub use exchange::{Answer, Exchange, Record, Seen};
pub use exits::{Exits, Wanted};
pub use file_plan::FilePlan;
pub use file_sink::FileSink;
pub use find::{Hit, Search, find};
pub use flows::Flows;
pub use guard::Port;
pub use in_order::in_order;
pub use job::{Happened, Job, MOST_PER_SECOND, Summary};
pub use ladder::{Ladder, Step, Way, has_closed, newest};
pub use pace::{Control, Pace, Schedule, rate};
pub use pinger::{Course, Courses, Ping, Pinged, Pinger};
pub use plan::{Amount, Held, Packets, Plan};
pub use probe::{AnswerKind, Probe};
pub use reading::Reading;
pub use reassembly::{Reassembly, reassemble};
pub use recorder::{End, Recorder, Stop};
pub use recording::Recording;
pub use remote::Remote;
pub use screen::CaptureFilter;
pub use scripting::{ScriptTold, Scripting};
pub use sending::{Sending, Told};
pub use sequence::{Checksums, Replay, Sequence, Slot, Unsendable};
pub use sieve::Sieve;
pub use sink::{Lost, Sink, Unwritten};
pub use sorter::{Arranged, By, Sorter};
pub use sources::{Access, Failure, HostWay, Listen, Neighbourhood, Source, Via};
pub use streaming::{Ledger, Progress, State, Streaming};
pub use tap::{Settings, Tap};

pub use crate::net::{Interface, Parcel, Place, Transmitted};
pub use crate::pcap::CaptureFile;
pub use transmitter::{Frame, Transmitter, frame_of};
pub use trigger::{Predicate, Trigger, When};
pub use witness::{Asked, Compared, Part, Sighted};
