//! Exchanges in the lab with real packets: what the bench sends is known on the wire, and so is what comes back.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "common/net.rs"]
mod common;

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rawbench::app::{Command, Entry, ExchangeCommand, StreamCommand, Workbench};
use rawbench::engine::{Access, AnswerKind, Engine, Role, What};

struct Lab(Child);

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(bench: &mut Workbench, what: &str, holds: impl Fn(&Workbench) -> bool) {
    let begun = Instant::now();
    loop {
        bench.drain(Duration::from_millis(5));
        bench.exchanges_on();
        if holds(bench) {
            return;
        }
        let roles = roles(bench);
        assert!(begun.elapsed() < Duration::from_secs(15), "{what}: {:?} {roles:#?}", bench.notices());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What the packets of the capture are, each with its position.
fn roles(bench: &Workbench) -> Vec<(usize, Role)> {
    let of = |position| bench.capture().roles(position).into_iter().flatten().map(move |r| (position, r));
    (0..bench.capture().len()).flat_map(of).collect()
}

fn has(bench: &Workbench, what: What) -> bool {
    roles(bench).iter().any(|(_, role)| role.what == Some(what))
}

#[test]
fn what_is_sent_in_the_lab_is_known_and_so_is_what_comes_back() {
    let Some((child, door)) = common::lab("what_is_sent_in_the_lab_is_known") else { return };
    let _lab = Lab(child);
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::start(Access::through(door).unwrap(), Arc::new(|| ())).unwrap();
    let mut bench = Workbench::new(Some(engine), directory.path().to_path_buf());
    wait(&mut bench, "the sources", |b| b.source().is_some());

    // A SYN past the kernel, which resets what comes back.
    bench.apply(Command::Send);
    wait(&mut bench, "the kernel's reset", |b| has(b, What::KernelReset));
    let all = roles(&bench);
    let [(asked, question), (answered, answer), (_, reset)] = all[..] else { panic!("{all:#?}") };
    assert!(question.what.is_none() && question.exchange.ours);
    assert_eq!((answer.what, answer.exchange.kind), (Some(What::Answer), Some(AnswerKind::SynAck)));
    assert_eq!((answer.partner(), question.partner()), (Some(asked), Some(answered)));
    assert_eq!((reset.what, reset.partner()), (Some(What::KernelReset), Some(asked)));
    let file = bench.capture().file().unwrap();
    let time = |position| file.index().get(position).unwrap().timestamp_ns;
    assert_eq!(answer.exchange.rtt_ns, Some(time(answered) - time(asked)), "both by the kernel's clock");

    // Its port is closed: an ICMP error that quotes it.
    bench.apply(Command::LoadNotation("ip(dst=10.77.0.2)/udp(srcport=40001, dstport=5)/\"x\"".into()));
    bench.apply(Command::Send);
    let refused =
        |b: &Workbench| roles(b).iter().any(|(_, r)| r.exchange.kind == Some(AnswerKind::IcmpUnreachable));
    wait(&mut bench, "port unreachable", refused);

    // A stream of what looks all the same: each has its own answer.
    bench.apply(Command::LoadNotation("ip(dst=10.77.0.2)/icmp(type=8, id=9, seq=1)".into()));
    bench.apply(Command::Stream(StreamCommand::On(true)));
    for (entry, text) in [(Entry::Amount, "40"), (Entry::Rate, "1000")] {
        bench.apply(Command::Stream(StreamCommand::Type(entry, text.into())));
    }
    bench.apply(Command::Send);
    wait(&mut bench, "all answers", |b| b.exchange_table().total.answered == 42);
    let table = bench.exchange_table();
    assert_eq!((table.total.sent, table.total.unanswered, table.total.again), (42, 0, 0));
    assert_eq!((table.total.resets, table.total.strays), (1, 0));
    let names: Vec<&str> = table.lines.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["10.77.0.2:80", "10.77.0.2:5", "10.77.0.2 id 9"]);

    let path = directory.path().join("exchanges.csv");
    bench.apply(Command::Exchanges(ExchangeCommand::Export(path.clone())));
    wait(&mut bench, "the export", |b| b.notices().iter().any(|n| n.text.starts_with("wrote 42 exchanges")));
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 43);
    let end = |kind: &str| format!("10.77.0.2,10.77.0.2,{kind},0,true");
    for kind in ["syn-ack,S.", "icmp-unreachable,", "echo-reply,"] {
        assert!(text.lines().any(|line| line.ends_with(&end(kind))), "{kind}: {text}");
    }
}
