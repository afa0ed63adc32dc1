//! What the threads behind a window do, each with the orders that are its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::control::{Event, Order};
use super::exchange_export::{ExchangeFormat, export_exchanges};
use super::find::find;
use super::post::Post;
use super::reassembly::reassemble;
use super::sent::Sent;
use super::sources::{Access, Via};
use super::transmitter::Transmitter;
use crate::pcap::{Format, LinkType, Selection, left_spools, save_as};

/// Finds a datagram, as long as no other is asked for.
pub(super) fn seek(order: Order, sought: &AtomicU64, post: &Post) {
    let Order::Reassemble { file, position, ask } = order else { return };
    let found = reassemble(&file, position, &|| sought.load(Ordering::Relaxed) == ask);
    post.event(Event::Reassembled(ask, found));
}

/// Finds out flows; why it cannot stands with them.
pub(super) fn follow(order: Order, wake: &dyn Fn()) {
    let Order::Follow { file, flows } = order else { return };
    flows.work(&file, &|| Arc::strong_count(&flows) > 1);
    wake();
}

/// Finds out exchanges; why it cannot stands with them.
pub(super) fn trace(order: Order, wake: &dyn Fn()) {
    let Order::Trace { file, exchanges } = order else { return };
    exchanges.work(&file, &|| Arc::strong_count(&exchanges) > 1, wake);
}

/// Sends packets, each remembered before it leaves, so that whoever sees it knows it.
pub(super) fn transmit(orders: &Receiver<Order>, access: &Access, sent: &Sent, post: &Post) {
    let mut transmitter = Transmitter::default();
    for order in orders {
        let Order::Send { place, via, frame } = order else { continue };
        let start = frame.network.map_or(0, |(start, _)| start);
        // One that is not remembered is counted there.
        let _ = match via {
            Via::Ip => sent.note(LinkType::RAW.0, frame.bytes.get(start..).unwrap_or_default()),
            Via::Link(_) => sent.note(LinkType::ETHERNET.0, &frame.bytes),
        };
        post.event(match transmitter.send(access, &place, &via, &frame) {
            Ok(bytes) => Event::Sent(bytes),
            Err(failure) => Event::NotSent(failure),
        });
    }
}

/// Finds the next packet, as long as somebody wants to know.
pub(super) fn seek_next(order: Order, post: &Post) {
    let Order::Find { file, search, ask, cancelled } = order else { return };
    let found = find(&file, &search, &cancelled);
    if !cancelled.load(Ordering::Relaxed) {
        post.event(Event::Found(ask, found));
    }
}

/// Looks for spools that a killed program left behind, and again some seconds later: a program that was killed while the disk
/// was busy holds its spool until the system is done with it. What was told once is not told again.
fn find_left(directory: &std::path::Path, post: &Post) {
    let mut told = HashSet::new();
    for seconds in [0, 1, 3, 6] {
        std::thread::sleep(Duration::from_secs(seconds));
        let mut left = left_spools(directory);
        left.retain(|one| told.insert(one.capture.path().to_path_buf()));
        if !left.is_empty() {
            post.event(Event::Left(left));
        }
    }
}

/// Saves a capture or its exchanges, or looks for spools that were left behind.
pub(super) fn save(order: Order, post: &Post) {
    if let Order::FindLeft(directory) = order {
        let post = post.clone();
        // Without a thread nobody is told now; the spools stay for the next start.
        let _ =
            std::thread::Builder::new().name("leftovers".into()).spawn(move || find_left(&directory, &post));
        return;
    }
    if let Order::Export { file, exchanges, path } = order {
        let format = ExchangeFormat::for_path(&path);
        let done = export_exchanges(&file, &exchanges.snapshot(), &path, format);
        return post.event(Event::Exported(path, done));
    }
    let Order::Save { file, path, save } = order else { return };
    let format = Format::for_path(&path);
    post.event(match save_as(&file, Selection::All, &path, format, &[]) {
        Ok(saved) => Event::Saved { path, saved, save },
        Err(error) => Event::NotSaved(save, error.into()),
    });
}
