//! A trigger: packets are kept from the moment on when one of them matches, with the last seconds before it, and until
//! another one matches.

use std::collections::VecDeque;
use std::time::Duration;

use super::sink::{Lost, Sink};
use super::sources::Failure;
use crate::pcap::{InterfaceInfo, InterfaceStatistics, PacketRecord};

/// Says of a packet whether it matches; with the link type of its interface.
pub type Predicate = Box<dyn FnMut(u32, &PacketRecord<'_>) -> bool + Send>;

/// Bytes of packets that are held back at most, so that a long history of a busy network does not fill the memory.
const MOST_BYTES: u64 = 256 << 20;

/// When to keep packets.
#[derive(Default)]
pub struct When {
    /// Take only packets that match: what the kernel could not filter.
    pub keep: Option<Predicate>,
    /// Keep from the packet on that matches; `None`: from the beginning.
    pub start: Option<Predicate>,
    /// End the capture with the packet that matches.
    pub stop: Option<Predicate>,
    /// Keep also what came so long before the packet that starts.
    pub before: Duration,
    /// Keep only so many bytes of a packet, once it is decided on; `None`: all.
    pub snap: Option<usize>,
}

/// A packet that is held back.
struct Held {
    interface: u32,
    timestamp_ns: u64,
    original_length: u32,
    data: Box<[u8]>,
    flags: (crate::pcap::Direction, crate::pcap::ChecksumState),
    dropped: u64,
}

/// What holding a packet back costs besides its bytes.
const HELD: u64 = size_of::<Held>() as u64 + 16;

/// A sink behind a trigger.
pub struct Trigger<S> {
    sink: S,
    when: When,
    /// Link types of the interfaces, by their number.
    links: Vec<u32>,
    started: bool,
    complete: bool,
    held: VecDeque<Held>,
    /// What is held back and what is left out.
    filtered: Lost,
    held_bytes: u64,
    /// What the kernel dropped before packets that are left out: it stands with the next one that is kept.
    dropped: u64,
}

impl<S: Sink> Trigger<S> {
    /// Puts a trigger before a sink.
    #[must_use]
    pub fn new(sink: S, when: When) -> Self {
        Self {
            sink,
            started: when.start.is_none(),
            when,
            links: Vec::new(),
            complete: false,
            held: VecDeque::new(),
            filtered: Lost::default(),
            held_bytes: 0,
            dropped: 0,
        }
    }

    /// The sink behind it.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// The sink.
    pub fn into_inner(self) -> S {
        self.sink
    }

    /// Holds a packet back, and lets go of those that are too old.
    fn hold(&mut self, record: &PacketRecord<'_>) {
        self.held.push_back(Held {
            interface: record.interface,
            timestamp_ns: record.timestamp_ns,
            original_length: record.original_length,
            data: record.data.into(),
            flags: (record.direction, record.checksum),
            dropped: record.dropped,
        });
        self.held_bytes += record.data.len() as u64 + HELD;
        self.filtered.packets += 1;
        self.filtered.bytes += record.data.len() as u64;
        self.let_go(record.timestamp_ns);
    }

    /// Lets go of what is too old beside a packet of this time.
    fn let_go(&mut self, now_ns: u64) {
        let before = u64::try_from(self.when.before.as_nanos()).unwrap_or(u64::MAX);
        let oldest = now_ns.saturating_sub(before);
        while self
            .held
            .front()
            .is_some_and(|held| before == 0 || held.timestamp_ns < oldest || self.held_bytes > MOST_BYTES)
        {
            if let Some(gone) = self.held.pop_front() {
                self.held_bytes -= gone.data.len() as u64 + HELD;
                match self.held.front_mut() {
                    Some(next) => next.dropped += gone.dropped,
                    None => self.dropped += gone.dropped,
                }
            }
        }
    }

    /// Hands on what was held back.
    fn let_through(&mut self) -> Result<(), Failure> {
        self.started = true;
        while let Some(held) = self.held.pop_front() {
            let (direction, checksum) = held.flags;
            let length = held.data.len() as u64;
            self.held_bytes -= length + HELD;
            self.sink.packet(&PacketRecord {
                interface: held.interface,
                timestamp_ns: held.timestamp_ns,
                original_length: held.original_length,
                data: &held.data,
                direction,
                checksum,
                comment: None,
                dropped: held.dropped,
            })?;
            self.filtered.packets -= 1;
            self.filtered.bytes -= length;
        }
        Ok(())
    }

    fn link_of(&self, record: &PacketRecord<'_>) -> u32 {
        let place = usize::try_from(record.interface).unwrap_or(usize::MAX);
        self.links.get(place).copied().unwrap_or(u32::MAX)
    }
}

impl<S: Sink> Sink for Trigger<S> {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        self.links.push(interface.link_type.0);
        let cut = self.when.snap.and_then(|snap| u32::try_from(snap).ok());
        self.sink.interface(&InterfaceInfo {
            snap_length: cut.unwrap_or(interface.snap_length),
            ..interface.clone()
        })
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        let link = self.link_of(record);
        let dropped = record.dropped + std::mem::take(&mut self.dropped);
        if self.when.keep.as_mut().is_some_and(|keep| !keep(link, record)) {
            self.filtered.packets += 1;
            self.filtered.bytes += record.data.len() as u64;
            self.dropped = dropped;
            return Ok(());
        }
        let stops = self.when.stop.as_mut().is_some_and(|stop| stop(link, record));
        let starts = !self.started && self.when.start.as_mut().is_some_and(|start| start(link, record));
        let snap = self.when.snap.unwrap_or(usize::MAX).min(record.data.len());
        let mut record = PacketRecord { data: &record.data[..snap], dropped, ..*record };
        if !self.started {
            if !starts {
                self.hold(&record);
                return Ok(());
            }
            self.let_go(record.timestamp_ns);
            self.let_through()?;
            record.dropped += std::mem::take(&mut self.dropped);
        }
        self.sink.packet(&record)?;
        self.complete |= stops;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.sink.flush()
    }

    fn tick(&mut self) -> Result<(), Failure> {
        self.sink.tick()
    }

    fn is_complete(&self) -> bool {
        self.complete || self.sink.is_complete()
    }

    fn filtered(&self) -> Lost {
        let below = self.sink.filtered();
        Lost { packets: self.filtered.packets + below.packets, bytes: self.filtered.bytes + below.bytes }
    }

    fn lost(&self) -> Lost {
        self.sink.lost()
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        self.sink.finish(statistics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap::LinkType;

    /// Keeps the first byte of each packet, and what was dropped before them.
    #[derive(Default)]
    struct Kept(Vec<u8>, Vec<u64>);

    impl Sink for Kept {
        fn interface(&mut self, _: &InterfaceInfo) -> Result<u32, Failure> {
            Ok(0)
        }
        fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
            self.0.push(record.data[0]);
            self.1.push(record.dropped);
            Ok(())
        }
        fn flush(&mut self) -> Result<(), Failure> {
            Ok(())
        }
        fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), Failure> {
            Ok(())
        }
    }

    /// Packets 0, 1, 2 … a second apart; which are kept, how many are filtered, whether it ended.
    fn run(when: When, count: u8) -> (Vec<u8>, u64, bool) {
        let mut trigger = Trigger::new(Kept::default(), when);
        trigger.interface(&InterfaceInfo::new("a", LinkType::RAW)).unwrap();
        for n in 0..count {
            let data = [n; 9];
            trigger.packet(&PacketRecord::new(0, u64::from(n) * 1_000_000_000, &data)).unwrap();
            let all = trigger.filtered().packets + trigger.sink.0.len() as u64;
            assert_eq!(all, u64::from(n) + 1, "each packet is kept or filtered");
            if trigger.is_complete() {
                break;
            }
        }
        let filtered = trigger.filtered();
        assert_eq!(filtered.bytes, filtered.packets * 9);
        let complete = trigger.is_complete();
        (trigger.into_inner().0, filtered.packets, complete)
    }

    #[test]
    fn what_was_dropped_before_a_packet_that_is_left_out_stands_with_the_next() {
        let second = Duration::from_secs(1);
        for (before, odd_only, kept, dropped) in [
            (0, false, vec![4, 5], vec![5, 1]),
            (2, false, vec![2, 3, 4, 5], vec![3, 1, 1, 1]),
            (2, true, vec![3, 5], vec![4, 2]),
            (0, true, vec![5], vec![6]),
        ] {
            let from = if odd_only { 5 } else { 4 };
            let keep: Predicate = Box::new(move |_, record| !odd_only || record.data[0] % 2 == 1);
            let when = When {
                keep: Some(keep),
                start: first_byte(from),
                before: second * before,
                ..When::default()
            };
            let mut trigger = Trigger::new(Kept::default(), when);
            trigger.interface(&InterfaceInfo::new("a", LinkType::RAW)).unwrap();
            for n in 0..6 {
                let data = [n; 9];
                let record = PacketRecord::new(0, u64::from(n) * 1_000_000_000, &data);
                trigger.packet(&PacketRecord { dropped: 1, ..record }).unwrap();
            }
            assert_eq!(
                (trigger.sink.0.clone(), trigger.sink.1.clone()),
                (kept, dropped),
                "{before} {odd_only}"
            );
        }
    }

    fn first_byte(wanted: u8) -> Option<Predicate> {
        Some(Box::new(move |link, record| link == LinkType::RAW.0 && record.data[0] == wanted))
    }

    #[test]
    fn what_is_kept_begins_before_the_match_and_ends_with_one() {
        let second = Duration::from_secs(1);
        let when = || When { start: first_byte(5), ..When::default() };
        assert_eq!(run(when(), 9), (vec![5, 6, 7, 8], 5, false));
        assert_eq!(run(When { before: second * 2, ..when() }, 8), (vec![3, 4, 5, 6, 7], 3, false));
        let both = When { stop: first_byte(7), before: second, ..when() };
        assert_eq!(run(both, 20), (vec![4, 5, 6, 7], 4, true));
        let odd: Option<Predicate> = Some(Box::new(|_, record| record.data[0] % 2 == 1));
        assert_eq!(run(When { keep: odd, before: second * 2, ..when() }, 8), (vec![3, 5, 7], 5, false));
        assert_eq!(run(When { stop: first_byte(1), ..When::default() }, 9), (vec![0, 1], 0, true));
        assert_eq!(
            run(When { start: first_byte(99), before: second * 3, ..When::default() }, 7),
            (vec![], 7, false)
        );
    }
}
