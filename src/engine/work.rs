//! What a recorder does with each packet: name its interface, hand it to the sink, count.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::counters::{Counters, Incident};
use super::recorder::link_type;
use super::sink::{Lost, Sink};
use super::sources::Failure;
use crate::net::{self, Packet};
use crate::pcap::{ChecksumState, Direction, InterfaceInfo, InterfaceStatistics, PacketRecord};

/// An interface of a tap: its number in the kernel, and its hardware type.
type Key = (u32, u16);

/// What a run carries along.
pub(super) struct Work {
    /// Names of interfaces by their number in the kernel.
    pub names: HashMap<u32, String>,
    pub counters: Arc<Counters>,
    /// Packets that are still wanted.
    pub left: Option<u64>,
    pub snap: usize,
    /// The capture filter as it was typed.
    pub filter_text: Option<String>,
    /// Place in `known` by key.
    places: HashMap<Key, usize>,
    last: Option<(Key, usize)>,
    known: Vec<Known>,
    /// Rows of the sink that are taken.
    rows: u64,
    /// Packets whose loss is marked at its place.
    marked: u64,
    filtered: Lost,
    /// Packets that could not be kept and whose loss is marked at its place, and those that no packet tells of yet.
    marked_here: u64,
    untold: u64,
    /// The sink has failed: it takes nothing more.
    has_failed: bool,
}

/// An interface that packets came from.
struct Known {
    name: String,
    link: u32,
    number: u32,
    start_ns: u64,
    received: u64,
}

impl Work {
    pub fn new(names: HashMap<u32, String>, counters: Arc<Counters>, left: Option<u64>, snap: usize) -> Self {
        Self {
            names,
            counters,
            left,
            snap,
            filter_text: None,
            places: HashMap::new(),
            last: None,
            known: Vec::new(),
            rows: 0,
            marked: 0,
            filtered: Lost::default(),
            marked_here: 0,
            untold: 0,
            has_failed: false,
        }
    }

    /// Hands packets to the sink; `true`: no more are wanted. What comes behind a packet that the sink refuses is
    /// lost with it. `look_up` tells the name of an interface that is new.
    ///
    /// # Errors
    /// Why the sink refuses a packet.
    pub fn take<'a>(
        &mut self,
        packets: impl ExactSizeIterator<Item = Packet<'a>>,
        look_up: &dyn Fn(u32) -> Option<String>,
        sink: &mut dyn Sink,
    ) -> Result<bool, Failure> {
        let mut packets = packets;
        let (mut came, mut taken) = (0, Lost::default());
        let mut result = Ok(false);
        for packet in packets.by_ref() {
            came += 1;
            if packet.dropped_before > 0 {
                self.mark_drops(packet.dropped_before, packet.time_ns);
            }
            let before = self.left.map(|_| sink.filtered().packets);
            if let Err(failure) = self.keep(&packet, look_up, sink) {
                result = Err(failure);
                break;
            }
            self.rows += 1;
            taken.packets += 1;
            taken.bytes += packet.bytes.len() as u64;
            if let (Some(left), Some(before)) = (&mut self.left, before) {
                // What is left out is none of those that are wanted; what was held back may come now.
                let kept = (before + 1).saturating_sub(sink.filtered().packets);
                *left = left.saturating_sub(kept);
            }
            if self.left == Some(0) || sink.is_complete() {
                result = Ok(true);
                break;
            }
        }
        if result.is_err() {
            came += packets.len() as u64;
            self.has_failed = true;
        }
        self.counters.take(came, taken);
        self.note_filtered(sink);
        result
    }

    /// Has the sink show what it took.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        let flushed = sink.flush();
        self.has_failed |= flushed.is_err();
        self.note_filtered(sink);
        flushed
    }

    fn note_filtered(&mut self, sink: &dyn Sink) {
        let filtered = sink.filtered();
        if filtered != self.filtered {
            self.counters.leave_out(filtered, self.filtered);
            self.rows = (self.rows + self.filtered.packets).saturating_sub(filtered.packets);
            self.filtered = filtered;
        }
    }

    /// The kernel dropped so many packets before the next row.
    pub fn mark_drops(&mut self, count: u64, time_ns: u64) {
        self.marked += count;
        self.mark(time_ns, Incident::Lost(count));
    }

    /// What the kernel dropped until now and is not marked yet is marked here.
    pub fn mark_rest(&mut self, dropped: u64, time_ns: u64) {
        let rest = dropped.saturating_sub(self.marked);
        if rest > 0 {
            self.mark_drops(rest, time_ns);
        }
    }

    /// So many packets came before the next row that could not be read.
    pub fn mark_unreadable(&mut self, count: u64, time_ns: u64) {
        if count > 0 {
            self.marked_here += count;
            self.untold += count;
            self.mark(time_ns, Incident::LostHere(count));
        }
    }

    /// Whether the sink has failed, so that what still comes cannot be kept.
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// So many packets came behind a failure of the sink.
    pub fn lose(&self, came: u64) {
        self.counters.take(came, Lost::default());
    }

    /// The sink has lost so much of what it took, at its end: what could not be kept and is not marked yet is marked
    /// behind the last row that is there.
    pub fn settle(&mut self, lost: Lost, time_ns: u64) {
        self.counters.lose(lost);
        self.rows = self.rows.saturating_sub(lost.packets);
        let rest = self.counters.now().lost_here.saturating_sub(self.marked_here);
        if rest > 0 {
            self.marked_here += rest;
            self.mark(time_ns, Incident::LostHere(rest));
        }
    }

    /// Something happened before the next row.
    pub fn mark(&self, time_ns: u64, what: Incident) {
        self.counters.mark(self.rows, time_ns, what);
    }

    /// The counters of the interfaces, for the end of the file. What the kernel dropped is known for the whole socket:
    /// it stands with the first interface, and so does what could not be read (`isb_osdrop`). `drops`: what the interfaces themselves dropped, by their number in the kernel.
    pub fn statistics(
        &self,
        dropped: u64,
        drops: Option<&HashMap<u32, u64>>,
        end_ns: u64,
    ) -> Vec<InterfaceStatistics> {
        let dropped = dropped + self.marked_here;
        // An interface that was made again has several numbers.
        let of = |drops: &HashMap<u32, u64>, place: usize| {
            let keys = self.places.iter().filter(|(_, known)| **known == place);
            let indices: HashSet<u32> = keys.map(|(key, _)| key.0).collect();
            let counts: Vec<u64> = indices.iter().filter_map(|index| drops.get(index).copied()).collect();
            (!counts.is_empty()).then(|| counts.iter().sum())
        };
        let one = |(place, known): (usize, &Known)| InterfaceStatistics {
            interface: known.number,
            start_ns: Some(known.start_ns),
            end_ns: Some(end_ns),
            received: Some(known.received + if place == 0 { dropped } else { 0 }),
            interface_dropped: drops.and_then(|drops| of(drops, place)),
            system_dropped: (place == 0).then_some(dropped),
        };
        self.known.iter().enumerate().map(one).collect()
    }

    fn keep(
        &mut self,
        packet: &Packet<'_>,
        look_up: &dyn Fn(u32) -> Option<String>,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let key = (packet.interface, packet.hatype);
        let place = match self.last {
            Some((last, place)) if last == key => place,
            _ => self.place(key, packet.time_ns, look_up, sink)?,
        };
        self.last = Some((key, place));
        let Some(known) = self.known.get_mut(place) else {
            return Err(Failure::new("an interface of the capture is not known any more"));
        };
        known.received += 1;
        let dropped = packet.dropped_before + std::mem::take(&mut self.untold);
        sink.packet(&PacketRecord {
            interface: known.number,
            timestamp_ns: packet.time_ns,
            original_length: u32::try_from(packet.original).unwrap_or(u32::MAX),
            data: packet.bytes,
            direction: match packet.direction {
                net::Direction::Outgoing => Direction::Outbound,
                _ => Direction::Inbound,
            },
            checksum: match packet.checksum {
                net::Checksum::NotComputed => ChecksumState::NotComputed,
                net::Checksum::Valid => ChecksumState::Valid,
                net::Checksum::Unknown => ChecksumState::Unknown,
            },
            comment: None,
            dropped,
        })
    }

    /// Finds an interface, or describes it to the sink. One that was deleted and made again under its name is the same.
    fn place(
        &mut self,
        key: Key,
        time_ns: u64,
        look_up: &dyn Fn(u32) -> Option<String>,
        sink: &mut dyn Sink,
    ) -> Result<usize, Failure> {
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let name = match self.names.get(&key.0).cloned().or_else(|| look_up(key.0)) {
            Some(name) => name,
            None if key.0 == 0 => "ip".into(),
            None => format!("if{}", key.0),
        };
        let link = link_type(key.1);
        let same = self.known.iter().position(|known| known.name == name && known.link == link.0);
        let place = match same {
            Some(place) => place,
            None => {
                let snap_length = u32::try_from(self.snap).unwrap_or(u32::MAX);
                let info = InterfaceInfo::new(name.clone(), link);
                let number =
                    sink.interface(&InterfaceInfo { snap_length, filter: self.filter_text.clone(), ..info })?;
                self.known.push(Known { name, link: link.0, number, start_ns: time_ns, received: 0 });
                self.known.len() - 1
            }
        };
        self.places.insert(key, place);
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::pcap::Spool;

    /// Keeps packets until it fails; a failed flush keeps a part of what was taken since the last one.
    #[derive(Default)]
    struct Failing {
        packets: usize,
        refuse_at: Option<usize>,
        fail_flush: bool,
        pending: Vec<u64>,
    }

    impl Sink for Failing {
        fn interface(&mut self, _: &InterfaceInfo) -> Result<u32, Failure> {
            Ok(0)
        }
        fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
            if self.refuse_at == Some(self.packets) {
                return Err(Failure::new("refused"));
            }
            self.packets += 1;
            self.pending.push(record.data.len() as u64);
            Ok(())
        }
        fn flush(&mut self) -> Result<(), Failure> {
            if self.fail_flush {
                self.pending.drain(..self.pending.len() / 2);
                return Err(Failure::new("full"));
            }
            self.pending.clear();
            Ok(())
        }
        fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), Failure> {
            Ok(())
        }
        fn lost(&self) -> Lost {
            Lost { packets: self.pending.len() as u64, bytes: self.pending.iter().sum() }
        }
    }

    fn work() -> Work {
        Work::new(HashMap::new(), Arc::default(), None, 65_535)
    }

    /// Takes packets and flushes, as a recorder does when no more are to come at once.
    fn take<'a>(
        work: &mut Work,
        packets: impl ExactSizeIterator<Item = Packet<'a>>,
        sink: &mut dyn Sink,
    ) -> Result<bool, Failure> {
        let enough = work.take(packets, &|_| None, sink)?;
        work.flush(sink).map(|()| enough)
    }

    fn packet(bytes: &[u8]) -> Packet<'_> {
        Packet {
            bytes,
            original: bytes.len(),
            time_ns: 1,
            interface: 1,
            hatype: 1,
            protocol: 0,
            direction: net::Direction::Incoming,
            checksum: net::Checksum::Unknown,
            bundle: false,
            dropped_before: 0,
        }
    }

    /// Received, written, lost here, bytes; they add up, and what was lost is marked.
    fn settled(work: &mut Work, sink: &dyn Sink) -> [u64; 4] {
        work.settle(sink.lost(), 1);
        let marks = work.counters.marks(0);
        let marked = marks.iter().map(|mark| if let Incident::LostHere(n) = mark.what { n } else { 0 });
        assert_eq!(marked.sum::<u64>(), work.counters.now().lost_here);
        assert!(marks.iter().all(|mark| mark.row == work.counters.now().written), "{marks:?}");
        let tally = work.counters.now();
        assert_eq!(tally.received, tally.written + tally.filtered + tally.lost_here + tally.lost_kernel);
        [tally.received, tally.written, tally.lost_here, tally.bytes]
    }

    #[test]
    fn a_refused_packet_takes_the_rest_of_its_batch_along() {
        let (mut work, mut sink) = (work(), Failing { refuse_at: Some(5), ..Failing::default() });
        let batch = |n: usize| (0..n).map(|_| packet(&[0; 10]));
        assert_eq!(take(&mut work, batch(3), &mut sink), Ok(false));
        assert!(take(&mut work, batch(4), &mut sink).is_err());
        // Nothing flushed the two of the second batch.
        assert_eq!(settled(&mut work, &sink), [7, 3, 4, 30]);
        let (mut work, mut sink) = (self::work(), Failing { refuse_at: Some(0), ..Failing::default() });
        assert!(take(&mut work, batch(4), &mut sink).is_err());
        assert_eq!(settled(&mut work, &sink), [4, 0, 4, 0]);
    }

    #[test]
    fn a_failed_flush_loses_what_it_did_not_write() {
        let (mut work, mut sink) = (work(), Failing::default());
        let sizes = [[1; 7], [2; 7], [3; 7], [4; 7]];
        assert_eq!(take(&mut work, sizes.iter().map(|b| packet(b)), &mut sink), Ok(false));
        sink.fail_flush = true;
        assert!(take(&mut work, sizes.iter().map(|b| packet(&b[..usize::from(b[0])])), &mut sink).is_err());
        // The first two of 1, 2, 3, 4 bytes were written.
        assert_eq!(settled(&mut work, &sink), [8, 6, 2, 4 * 7 + 3]);
    }

    #[test]
    fn drops_in_the_kernel_are_received_once() {
        let mut work = work();
        // A socket that does not say how many it dropped does not take any back.
        for dropped in [2, 5, 0, 5, 6] {
            work.counters.drop_in_kernel(dropped);
        }
        assert_eq!(settled(&mut work, &Failing::default()), [6, 0, 0, 0]);
        assert_eq!(work.counters.now().lost_kernel, 6);
    }

    /// Remembers what packets say of losses before them.
    #[derive(Default)]
    struct Telling(Vec<u64>);

    impl Sink for Telling {
        fn interface(&mut self, _: &InterfaceInfo) -> Result<u32, Failure> {
            Ok(0)
        }
        fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
            self.0.push(record.dropped);
            Ok(())
        }
        fn flush(&mut self) -> Result<(), Failure> {
            Ok(())
        }
        fn finish(&mut self, _: &[InterfaceStatistics]) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_read_stands_at_its_place_and_in_the_file() {
        let (mut work, mut sink) = (work(), Telling::default());
        take(&mut work, [packet(&[1]), packet(&[2])].into_iter(), &mut sink).unwrap();
        let new = work.counters.refuse_until(3);
        work.mark_unreadable(new, 9);
        take(&mut work, [packet(&[3]), packet(&[4])].into_iter(), &mut sink).unwrap();
        assert_eq!(sink.0, [0, 0, 3, 0], "epb_dropcount");
        let statistics = work.statistics(2, None, 10);
        assert_eq!((statistics[0].received, statistics[0].system_dropped), (Some(9), Some(5)));
        work.settle(Lost::default(), 11);
        let mark = super::super::counters::Mark { row: 2, time_ns: 9, what: Incident::LostHere(3) };
        assert_eq!(work.counters.marks(0), [mark], "it is marked once");
    }

    #[test]
    fn a_full_disk_is_counted_exactly() {
        const PLACE: &str = "RAWBENCH_TEST_RECORDER_PLACE";
        if let Some(place) = std::env::var_os(PLACE) {
            return fill(Path::new(&place));
        }
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new("sh")
            // dash counts blocks of 512 bytes, bash of 1024.
            .args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" --exact --nocapture \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg("engine::work::tests::a_full_disk_is_counted_exactly")
            .env(PLACE, directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("filled the spool"), "the limited process did its work: {text}");
    }

    /// Records into a spool until its file may not grow: once where a flush fails, once in the midst of a batch.
    fn fill(directory: &Path) {
        for batch in [7_u32, 1000] {
            let mut spool = Spool::create(directory).unwrap();
            let capture = spool.capture_file();
            let mut work = work();
            let mut handed = 0_u64;
            let data = [0; 1001];
            loop {
                handed += u64::from(batch);
                if take(&mut work, (0..batch).map(|_| packet(&data)), &mut spool).is_err() {
                    break;
                }
            }
            assert!(Sink::finish(&mut spool, &[]).is_err());
            let readable = capture.len() as u64;
            assert!(readable > 400, "{readable} packets");
            assert_eq!(settled(&mut work, &spool), [handed, readable, handed - readable, readable * 1001]);
        }
        println!("filled the spool");
    }
}
