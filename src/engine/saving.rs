//! Saving captures, and finding what a killed program left behind.

use std::collections::HashSet;
use std::time::Duration;

use super::control::{Event, Order, Post};
use crate::pcap::{Format, Selection, left_spools, save_as};

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

/// Does what an order to save, or to find what was left, says.
pub(super) fn save(order: Order, post: &Post) {
    if let Order::FindLeft(directory) = order {
        let post = post.clone();
        // Without a thread nobody is told now; the spools stay for the next start.
        let _ = std::thread::Builder::new().name("finder".into()).spawn(move || find_left(&directory, &post));
        return;
    }
    let Order::Save { file, path, save } = order else { return };
    let format = Format::for_path(&path);
    post.event(match save_as(&file, Selection::All, &path, format, &[]) {
        Ok(saved) => Event::Saved { path, saved, save },
        Err(error) => Event::NotSaved(save, error.into()),
    });
}
