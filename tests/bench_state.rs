//! The workbench without a window: no order of events loses packets, and nothing is sent that was not meant.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::path::Path;
use std::sync::Arc;

use rawbench::app::{Choice, Command, Origin, Question, Request, Workbench};
use rawbench::engine::{End, Event, Failure, HostWay, Listen, Place, Source};
use rawbench::pcap::{
    CaptureFile, InterfaceInfo, LeftSpool, LinkType, PacketRecord, Saved, Spool, left_spools,
};

const PACKET: [u8; 20] = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 255, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2];

struct Bench {
    bench: Workbench,
    directory: tempfile::TempDir,
}

fn source(name: &str) -> Source {
    Source {
        place: Place::Lab,
        listen: Listen::Interface(name.into()),
        label: name.into(),
        detail: String::new(),
    }
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Workbench::new(None, directory.path().into());
        bench.take_event(Event::Sources(Ok(vec![source("a"), source("b")]), HostWay::Open));
        Self { bench, directory }
    }

    /// Starts a capture that holds this many packets.
    fn capture(&mut self, packets: usize) -> (Spool, u64) {
        if self.bench.awaited().is_none() {
            self.bench.apply(Command::StartCapture);
        }
        let generation = self.bench.awaited().unwrap();
        let mut spool = self.spool();
        self.started(&spool, generation);
        add(&mut spool, packets);
        (spool, generation)
    }

    fn spool(&self) -> Spool {
        let mut spool = Spool::create(self.directory.path()).unwrap();
        spool.add_interface(&InterfaceInfo::new("a", LinkType::RAW)).unwrap();
        spool
    }

    fn started(&mut self, spool: &Spool, generation: u64) {
        let (file, counters) = (spool.capture_file(), Arc::default());
        self.bench.take_event(Event::Started { source: source("a"), file, counters, generation });
    }

    fn save(&mut self) -> u64 {
        self.bench.apply(Command::SavePath("/nowhere".into()));
        self.bench.saving().last().unwrap()
    }

    fn saved(&mut self, save: u64, packets: u64) {
        self.bench.take_event(Event::Saved { path: "/nowhere".into(), saved: saved(packets), save });
    }

    fn closes(&mut self) -> bool {
        self.bench.take_requests().contains(&Request::Close)
    }

    fn asks(&self) -> bool {
        matches!(self.bench.question(), Some(Question::Unsaved { .. }))
    }
}

fn add(spool: &mut Spool, packets: usize) {
    for number in 0..packets {
        spool.append(&PacketRecord::new(0, number as u64, &PACKET)).unwrap();
    }
    spool.flush().unwrap();
}

fn saved(packets: u64) -> Saved {
    Saved { packets, bytes: packets * 60 }
}

fn is_there(path: &Path) -> bool {
    path.exists()
}

#[test]
fn what_comes_while_a_save_runs_is_asked_for_again() {
    let mut b = Bench::new();
    let (mut spool, generation) = b.capture(3);
    b.bench.apply(Command::Quit);
    b.bench.apply(Command::Answer(Choice::Save));
    // First the capture ends, then the path is asked for.
    assert!(!b.bench.take_requests().iter().any(|r| matches!(r, Request::AskSave(_))));
    add(&mut spool, 2);
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    assert!(b.bench.take_requests().iter().any(|r| matches!(r, Request::AskSave(_))));
    let save = b.save();
    // Should the save have taken fewer than there are, it does not close.
    b.saved(save, 3);
    assert!(!b.closes() && b.asks());
    assert!(is_there(spool.path()));
    b.bench.apply(Command::Answer(Choice::Save));
    let save = b.save();
    b.saved(save, 5);
    assert!(b.closes());
}

#[test]
fn an_earlier_save_does_not_stand_for_a_later_one() {
    let mut b = Bench::new();
    let (mut spool, generation) = b.capture(3);
    let slow = b.save();
    add(&mut spool, 4);
    b.bench.apply(Command::Quit);
    b.bench.apply(Command::Answer(Choice::Save));
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    b.saved(slow, 3);
    assert!(!b.closes());
    assert_eq!(b.bench.capture().unsaved(), 4);
}

#[test]
fn a_save_counts_for_the_capture_that_it_saved() {
    let mut b = Bench::new();
    let (_first, generation) = b.capture(9);
    let save = b.save();
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    b.bench.apply(Command::StartCapture);
    b.bench.apply(Command::Answer(Choice::Discard));
    let (_second, _) = b.capture(5);
    b.saved(save, 9);
    assert_eq!(b.bench.capture().unsaved(), 5);
    b.bench.apply(Command::Quit);
    assert!(b.asks() && !b.closes());
}

#[test]
fn discard_holds_only_for_what_it_was_said_of() {
    let mut b = Bench::new();
    let (spool, generation) = b.capture(3);
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    b.bench.apply(Command::Open);
    b.bench.apply(Command::Answer(Choice::Discard));
    b.bench.path_cancelled();
    b.bench.apply(Command::Quit);
    assert!(b.asks() && !b.closes());
    b.bench.apply(Command::Answer(Choice::Cancel));
    // A capture that does not start takes nothing away either.
    b.bench.apply(Command::StartCapture);
    b.bench.apply(Command::Answer(Choice::Discard));
    let wanted = b.bench.awaited().unwrap();
    b.bench.take_event(Event::NotStarted(wanted, Failure::new("no")));
    b.bench.apply(Command::Quit);
    assert!(b.asks());
    assert!(is_there(spool.path()));
}

#[test]
fn a_late_file_does_not_replace_a_live_capture() {
    let mut b = Bench::new();
    let path = b.directory.path().join("file.pcapng");
    std::fs::copy(b.spool().path(), &path).unwrap();
    b.bench.apply(Command::OpenPath(path.clone()));
    let late = b.bench.awaited().unwrap();
    b.bench.apply(Command::StartCapture);
    let (_spool, _) = b.capture(2);
    let (file, _) = CaptureFile::open(&path).unwrap();
    b.bench.take_event(Event::Opened(late, file));
    b.bench.take_event(Event::Loaded(late, rawbench::pcap::Report::default()));
    assert!(matches!(b.bench.capture().origin(), Origin::Live(_)));
    assert!(b.bench.capture().is_running());
    assert_eq!(b.bench.capture().len(), 2);
}

#[test]
fn packets_that_come_before_a_file_opens_are_asked_for() {
    let mut b = Bench::new();
    let (mut spool, _) = b.capture(0);
    let path = b.directory.path().join("file.pcapng");
    std::fs::copy(b.spool().path(), &path).unwrap();
    b.bench.apply(Command::OpenPath(path.clone()));
    let wanted = b.bench.awaited().unwrap();
    add(&mut spool, 1);
    let (file, _) = CaptureFile::open(&path).unwrap();
    b.bench.take_event(Event::Opened(wanted, file));
    assert!(b.asks());
    assert_eq!(b.bench.capture().len(), 1);
    assert!(is_there(spool.path()));
}

#[test]
fn a_capture_that_nobody_waits_for_is_dropped() {
    let mut b = Bench::new();
    b.bench.apply(Command::Send);
    let first = b.bench.awaited().unwrap();
    b.bench.apply(Command::Source(1));
    assert_eq!(b.bench.awaited(), None);
    let spool = b.spool();
    b.started(&spool, first);
    assert!(!b.bench.capture().is_running() && !b.bench.capture().is_busy());
    assert!(!is_there(spool.path()));
}

#[test]
fn a_save_that_fails_ends_what_was_to_follow() {
    let mut b = Bench::new();
    let (_spool, generation) = b.capture(1);
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    b.bench.apply(Command::Send);
    assert!(b.asks());
    b.bench.apply(Command::Answer(Choice::Save));
    let save = b.save();
    b.bench.take_event(Event::NotSaved(save, Failure::new("the disk is full")));
    assert_eq!(b.bench.awaited(), None);
    // Send works as before: it asks again, and a cancel is a cancel.
    b.bench.apply(Command::Send);
    assert!(b.asks());
    b.bench.apply(Command::Answer(Choice::Cancel));
    assert_eq!(b.bench.awaited(), None);
}

#[test]
fn the_window_stays_until_a_save_is_done() {
    let mut b = Bench::new();
    let (_spool, generation) = b.capture(1);
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    let save = b.save();
    b.bench.apply(Command::Quit);
    b.bench.apply(Command::Answer(Choice::Discard));
    assert!(!b.closes());
    b.saved(save, 1);
    assert!(b.closes());
}

#[test]
fn an_ended_capture_is_known_by_its_generation() {
    let mut b = Bench::new();
    let (_first, old) = b.capture(0);
    b.bench.take_event(Event::Ended(old, End::Stopped));
    let (_second, _) = b.capture(0);
    b.bench.take_event(Event::Ended(old, End::Stopped));
    assert!(b.bench.capture().is_running());
}

#[test]
fn a_refused_text_goes_with_its_field() {
    let mut b = Bench::new();
    b.bench.apply(Command::LoadNotation("ip(dst=10.77.0.2)/icmp".into()));
    let draft = b.bench.builder().draft();
    let (ident, kind) = (draft.find("icmp", "ident").unwrap(), draft.find("icmp", "type").unwrap());
    b.bench.apply(Command::SetField { path: ident, scale: 1, text: "99999".into() });
    assert!(b.bench.builder().first_refused().is_some());
    b.bench.apply(Command::SetField { path: kind, scale: 1, text: "5".into() });
    assert!(b.bench.builder().first_refused().is_none());
}

#[test]
fn a_refused_text_stays_when_a_layer_comes_before_it() {
    let mut b = Bench::new();
    b.bench.apply(Command::LoadNotation("ip(dst=10.77.0.2)/tcp".into()));
    let port = b.bench.builder().draft().find("tcp", "dstport").unwrap();
    b.bench.apply(Command::SetField { path: port, scale: 1, text: "70000".into() });
    b.bench.apply(Command::SendVia(rawbench::app::Via::Link("a".into())));
    let port = b.bench.builder().draft().find("tcp", "dstport").unwrap();
    assert_eq!(port.layer, 2);
    assert_eq!(b.bench.builder().refusal(port).unwrap().text, "70000");
    b.bench.take_requests();
    b.bench.apply(Command::Send);
    assert_eq!(b.bench.take_requests(), [Request::Focus(port)]);
    b.bench.apply(Command::RemoveLayer(2));
    assert!(b.bench.builder().first_refused().is_none());
}

#[test]
fn an_agreed_discard_does_not_reach_a_later_quit() {
    // The dialog for the file is still open when the window is closed.
    let mut b = Bench::new();
    let (_spool, generation) = b.capture(3);
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    b.bench.apply(Command::Open);
    b.bench.apply(Command::Answer(Choice::Discard));
    b.bench.take_requests();
    b.bench.apply(Command::Quit);
    assert!(b.asks() && !b.closes());
    b.bench.apply(Command::Answer(Choice::Cancel));
    // A save fails after the person agreed to close without the rest.
    let save = b.save();
    b.bench.apply(Command::Quit);
    b.bench.apply(Command::Answer(Choice::Discard));
    b.bench.take_event(Event::NotSaved(save, Failure::new("the disk is full")));
    assert!(!b.closes());
    b.bench.apply(Command::Quit);
    assert!(b.asks() && !b.closes());
}

/// A spool with packets whose program is gone.
fn left_behind(b: &Bench, packets: usize) -> Vec<LeftSpool> {
    let mut spool = b.spool();
    add(&mut spool, packets);
    drop(spool);
    left_spools(b.directory.path())
}

#[test]
fn what_a_killed_program_left_is_asked_for_and_shown() {
    let mut b = Bench::new();
    let left = left_behind(&b, 3);
    assert_eq!(left.len(), 1);
    let path = left[0].capture.path().to_path_buf();
    b.bench.take_event(Event::Left(left));
    let Some(Question::Left { text, path: told, more }) = b.bench.question() else {
        panic!("{:?}", b.bench.question())
    };
    assert_eq!((told, *more), (&path, 0));
    assert!(text.starts_with("3 packets from ") && text.ends_with("were recovered (0 bytes torn)"), "{text}");
    b.bench.apply(Command::Answer(Choice::Show));
    assert_eq!((b.bench.capture().len(), b.bench.capture().unsaved()), (3, 3));
    assert_eq!(b.bench.capture().origin(), &Origin::Left(path.clone()));
    // It is as little lost without a question as a capture of this session.
    b.bench.apply(Command::Quit);
    assert!(!b.closes() && b.asks());
    b.bench.apply(Command::Answer(Choice::Cancel));
    assert!(is_there(&path));
    let save = b.save();
    b.saved(save, 3);
    b.bench.apply(Command::Quit);
    assert!(b.closes());
    assert!(!is_there(&path));
}

#[test]
fn what_was_left_is_given_up_or_kept_as_the_person_says() {
    let mut b = Bench::new();
    let left = left_behind(&b, 1);
    let path = left[0].capture.path().to_path_buf();
    b.bench.take_event(Event::Left(left));
    b.bench.apply(Command::Answer(Choice::Cancel));
    assert!(is_there(&path) && b.bench.question().is_none());
    let left = left_spools(b.directory.path());
    assert!(left[0].to_string().starts_with("1 packet from "));
    b.bench.take_event(Event::Left(left));
    b.bench.apply(Command::Answer(Choice::Discard));
    assert!(!is_there(&path) && b.bench.capture().is_empty());
}

#[test]
fn unsaved_packets_are_not_asked_away_for_what_was_left() {
    let mut b = Bench::new();
    let left = left_behind(&b, 2);
    let (_spool, generation) = b.capture(4);
    b.bench.take_event(Event::Left(left));
    assert!(b.bench.question().is_none());
    b.bench.take_event(Event::Ended(generation, End::Stopped));
    assert!(b.bench.question().is_none());
    let save = b.save();
    b.saved(save, 4);
    assert!(matches!(b.bench.question(), Some(Question::Left { .. })), "{:?}", b.bench.question());
}
