//! Work on many packets, on all cores, with results in the packets' order.

use std::collections::VecDeque;
use std::num::NonZero;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Chunks that may be ahead of the one that is taken, for each worker.
const AHEAD: usize = 2;

/// Does the chunks `0..chunks`, each by some worker, and hands what they made to `take` in the order of the chunks.
///
/// `worker` is called once on each thread and gives what does a chunk there, with what it needs for itself. Few results
/// are held at any time, however many chunks there are. Without a second core, or when no thread can be had, the caller
/// does the work.
///
/// # Errors
/// The first of `take`; nothing is begun after it.
pub fn in_order<T, W, E>(
    chunks: usize,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    W: FnMut(usize) -> T,
{
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(chunks);
    let (give, jobs) = bounded::<(usize, Sender<T>)>(cores * AHEAD);
    thread::scope(|scope| {
        let work = || {
            let jobs = jobs.clone();
            let worker = &worker;
            move || {
                let mut work = worker();
                for (chunk, made) in jobs {
                    // Nobody waits for it any more when an earlier one was refused.
                    let _ = made.send(work(chunk));
                }
            }
        };
        let start = |n: usize| thread::Builder::new().name(format!("worker-{n}")).spawn_scoped(scope, work());
        let started = if cores > 1 { (0..cores).filter(|&n| start(n).is_ok()).count() } else { 0 };
        if started == 0 {
            let mut work = worker();
            return (0..chunks).try_for_each(|chunk| take(work(chunk)));
        }
        let mut awaited: VecDeque<Receiver<T>> = VecDeque::new();
        let mut next = 0..chunks;
        loop {
            while awaited.len() < started * AHEAD {
                let Some(chunk) = next.next() else { break };
                let (made, result) = bounded(1);
                if give.send((chunk, made)).is_err() {
                    break;
                }
                awaited.push_back(result);
            }
            // A worker that ended without a result panicked, and the scope passes that on.
            let Some(result) = awaited.pop_front().and_then(|r| r.recv().ok()) else { break };
            take(result)?;
        }
        drop(give);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_once() {
        for chunks in [0, 1, 2, 3, 100] {
            let mut seen = Vec::new();
            let worker = || {
                |chunk: usize| {
                    thread::sleep(std::time::Duration::from_micros((chunk * 7919 % 13 * 100) as u64));
                    chunk
                }
            };
            let done: Result<(), ()> = in_order(chunks, worker, |n| {
                seen.push(n);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert_eq!(seen, (0..chunks).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let worker = || |chunk: usize| begun.fetch_add(1, Ordering::Relaxed).max(chunk);
        let mut taken = 0;
        let done = in_order(1_000_000, worker, |_| {
            taken += 1;
            if taken == 3 { Err("enough") } else { Ok(()) }
        });
        assert_eq!((done, taken), (Err("enough"), 3));
        assert!(begun.into_inner() < 1_000);
    }
}
