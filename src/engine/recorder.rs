//! The recorder: from sockets to a sink. It never waits for a viewer, and every packet that is lost is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender, bounded};

use super::control::Waker;
use super::sink::{Lost, Sink};
use super::sources::{Access, Failure, Listen, Source};
use crate::net::{self, Batch, Packet, PacketSocket, RawIpSocket, Stopper};
use crate::pcap::{
    CaptureFile, ChecksumState, Direction, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord, Spool,
};

/// Longest wait for a packet before the counters are brought up to date.
const PATIENCE: Duration = Duration::from_millis(200);
/// A viewer is not woken more often than this.
const WAKE_EVERY: Duration = Duration::from_millis(16);
/// Interface type of sockets at the IP layer, and of tunnels: ARPHRD_NONE.
const ARPHRD_NONE: u16 = 0xfffe;

/// What a recorder counts; read by viewers at any time. In the end what was received was written or lost, exactly.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets that the kernel saw for this capture, those that it dropped included.
    pub received: AtomicU64,
    /// Packets that stand in the sink.
    pub written: AtomicU64,
    /// Packets dropped by the kernel, because we were too slow.
    pub lost_kernel: AtomicU64,
    /// Packets that reached us and could not be kept.
    pub lost_here: AtomicU64,
    /// Bytes of packets that were kept.
    pub bytes: AtomicU64,
}

impl Counters {
    /// The line that is printed at the end of a capture.
    #[must_use]
    pub fn summary(&self) -> String {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        format!(
            "received {}, written {}, lost in the kernel {}, lost in the program {}, {} bytes",
            get(&self.received),
            get(&self.written),
            get(&self.lost_kernel),
            get(&self.lost_here),
            get(&self.bytes)
        )
    }
}

impl Counters {
    /// A packet came that the sink took.
    fn keep(&self, bytes: usize) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.written.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A packet came that the sink did not take.
    fn refuse(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.lost_here.fetch_add(1, Ordering::Relaxed);
    }

    /// What counts as kept never reached the file.
    fn lose(&self, lost: Lost) {
        self.lost_here.fetch_add(lost.packets, Ordering::Relaxed);
        self.written.fetch_sub(lost.packets, Ordering::Relaxed);
        self.bytes.fetch_sub(lost.bytes, Ordering::Relaxed);
    }

    /// The kernel dropped so many packets until now.
    fn drop_in_kernel(&self, dropped: u64) {
        let before = self.lost_kernel.fetch_max(dropped, Ordering::Relaxed);
        self.received.fetch_add(dropped.saturating_sub(before), Ordering::Relaxed);
    }
}

/// Why a capture ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// The number of packets or the time that was asked for is reached.
    Reached,
    /// It could not go on.
    Failed(Failure),
}

/// A socket that packets come from.
pub enum Tap {
    /// At the link layer.
    Packet(PacketSocket),
    /// At the IP layer.
    Ip(RawIpSocket),
}

impl Tap {
    /// Opens what a source says. Nothing comes in before the socket is set up.
    ///
    /// # Errors
    /// The missing privilege with the ways to it, an unknown interface, the system's reason.
    pub fn open(access: &Access, source: &Source, promiscuous: bool) -> Result<Vec<Self>, Failure> {
        let door = access.door(&source.place)?;
        match &source.listen {
            Listen::Interface(name) => {
                let interface = access.interface(&source.place, name)?;
                let socket = door.packet()?;
                if promiscuous && !interface.loopback {
                    socket.promiscuous(interface.index)?;
                }
                socket.bind(Some(interface.index))?;
                Ok(vec![Self::Packet(socket)])
            }
            Listen::Any => {
                let socket = door.packet()?;
                socket.bind(None)?;
                Ok(vec![Self::Packet(socket)])
            }
            Listen::Ip(protocols) => protocols.iter().map(|p| Ok(Self::Ip(door.raw_ip(*p)?))).collect(),
        }
    }

    fn stopper(&self) -> Stopper {
        match self {
            Self::Packet(s) => s.stopper(),
            Self::Ip(s) => s.stopper(),
        }
    }

    fn receive(&self, batch: &mut Batch, timeout: Duration) -> Result<usize, net::Error> {
        match self {
            Self::Packet(s) => s.receive(batch, timeout),
            Self::Ip(s) => s.receive(batch, timeout),
        }
    }

    fn dropped(&self) -> u64 {
        let statistics = match self {
            Self::Packet(s) => s.statistics(),
            Self::Ip(s) => s.statistics(),
        };
        statistics.map(|s| s.dropped).unwrap_or(0)
    }
}

/// A capture that is set up and does not run yet.
pub struct Recorder {
    taps: Vec<Tap>,
    names: HashMap<u32, String>,
    snap: usize,
    packets: Option<u64>,
    duration: Option<Duration>,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
}

/// Ends a recorder from another thread.
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    stoppers: Arc<Vec<Stopper>>,
}

impl Stop {
    /// Ends it.
    pub fn stop(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.stoppers.iter().for_each(Stopper::stop);
    }
}

impl Recorder {
    /// Opens the sockets of a source. `snap`: bytes kept of each packet.
    ///
    /// # Errors
    /// As [`Tap::open`].
    pub fn open(access: &Access, source: &Source, promiscuous: bool, snap: usize) -> Result<Self, Failure> {
        let taps = Tap::open(access, source, promiscuous)?;
        let names = access.interfaces(&source.place)?.into_iter().map(|i| (i.index, i.name)).collect();
        Ok(Self {
            taps,
            names,
            snap,
            packets: None,
            duration: None,
            counters: Arc::default(),
            stop: Arc::default(),
        })
    }

    /// Ends by itself after so many packets, or so much time.
    #[must_use]
    pub fn limited(mut self, packets: Option<u64>, duration: Option<Duration>) -> Self {
        self.packets = packets;
        self.duration = duration;
        self
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// What ends it.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        let stoppers = self.taps.iter().map(Tap::stopper).collect();
        Stop { flag: Arc::clone(&self.stop), stoppers: Arc::new(stoppers) }
    }

    /// Records until it is stopped, a limit is reached, or it cannot go on. `wake` is called after packets came.
    pub fn run(mut self, sink: &mut dyn Sink, wake: &dyn Fn()) -> End {
        let mut work = Work {
            names: std::mem::take(&mut self.names),
            numbers: HashMap::new(),
            statistics: Vec::new(),
            counters: self.counters(),
            left: self.packets,
            snap: self.snap,
        };
        let mut end = self.record(&mut work, sink, wake);
        self.count_drops();
        let total_lost = self.counters.lost_kernel.load(Ordering::Relaxed);
        if let Some(first) = work.statistics.first_mut() {
            first.system_dropped = Some(total_lost);
        }
        let now = now_ns();
        for one in &mut work.statistics {
            one.end_ns = Some(now);
        }
        if let (Err(failure), false) = (sink.finish(&work.statistics), matches!(end, End::Failed(_))) {
            end = End::Failed(failure);
        }
        self.counters.lose(sink.lost());
        wake();
        end
    }

    fn record(&self, work: &mut Work, sink: &mut dyn Sink, wake: &dyn Fn()) -> End {
        let mut batch = Batch::new(self.snap);
        let deadline = self.duration.map(|d| Instant::now() + d);
        let mut last_wake = Instant::now();
        let mut dirty = false;
        let patience = if self.taps.len() > 1 { WAKE_EVERY } else { PATIENCE };
        loop {
            for tap in &self.taps {
                if self.stop.load(Ordering::Relaxed) {
                    return self.drain(&mut batch, work, sink);
                }
                let mut timeout = if dirty { WAKE_EVERY } else { patience };
                if let Some(deadline) = deadline {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return End::Reached;
                    }
                    timeout = timeout.min(left);
                }
                match tap.receive(&mut batch, timeout) {
                    Ok(0) => {}
                    Ok(_) => {
                        dirty = true;
                        match work.take(batch.packets(), sink) {
                            Ok(true) => return End::Reached,
                            Ok(false) => {}
                            Err(failure) => return End::Failed(failure),
                        }
                    }
                    Err(error) => return End::Failed(error.into()),
                }
            }
            self.count_drops();
            if dirty && last_wake.elapsed() >= WAKE_EVERY {
                wake();
                last_wake = Instant::now();
                dirty = false;
            }
        }
    }

    /// Takes what the sockets held when the recorder was stopped, and nothing that came later.
    fn drain(&self, batch: &mut Batch, work: &mut Work, sink: &mut dyn Sink) -> End {
        let stopped_ns = now_ns();
        for tap in &self.taps {
            loop {
                match tap.receive(batch, Duration::ZERO) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => return End::Failed(error.into()),
                }
                match work.take(batch.packets(), sink) {
                    Ok(false) => {}
                    Ok(true) => return End::Reached,
                    Err(failure) => return End::Failed(failure),
                }
                if batch.packets().last().is_none_or(|packet| packet.time_ns > stopped_ns) {
                    break;
                }
            }
        }
        End::Stopped
    }

    fn count_drops(&self) {
        self.counters.drop_in_kernel(self.taps.iter().map(Tap::dropped).sum());
    }

    /// Records into a spool on a thread of its own, once [`Recording::begin`] is called; `ended` is called on that thread when it is over.
    ///
    /// # Errors
    /// The spool cannot be made, or the system has no thread left.
    pub fn spawn(
        self,
        directory: &std::path::Path,
        wake: Waker,
        ended: impl FnOnce(End) + Send + 'static,
    ) -> Result<Recording, Failure> {
        let mut spool = Spool::create(directory)?;
        let (begin, gate) = bounded(1);
        let recording = Recording {
            file: spool.capture_file(),
            counters: self.counters(),
            begin,
            stop: self.stopper(),
            thread: None,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // Comes when the viewer knows of it, or when nobody is left to tell.
                let _ = gate.recv();
                ended(self.run(&mut spool, &|| wake()));
            })
            .map_err(|e| Failure::new(format!("cannot start the recorder's thread: {e}")))?;
        Ok(Recording { thread: Some(thread), ..recording })
    }
}

/// A capture that runs.
pub struct Recording {
    /// Its packets, as they come.
    pub file: CaptureFile,
    /// What it counts.
    pub counters: Arc<Counters>,
    begin: Sender<()>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Recording {
    /// Lets it run: call it when its start is known to whoever will be told of its end. What comes before waits in
    /// the sockets.
    pub fn begin(&self) {
        let _ = self.begin.try_send(());
    }

    /// Ends it and waits until everything is written.
    pub fn stop(mut self) {
        self.begin();
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a run carries along.
struct Work {
    names: HashMap<u32, String>,
    /// Interface number in the sink, by kernel index and hardware type.
    numbers: HashMap<(u32, u16), u32>,
    statistics: Vec<InterfaceStatistics>,
    counters: Arc<Counters>,
    left: Option<u64>,
    snap: usize,
}

impl Work {
    /// Hands a batch to the sink; `true`: the number of packets that was asked for is reached. What comes behind a
    /// packet that the sink refuses is lost with it.
    fn take<'a>(
        &mut self,
        batch: impl IntoIterator<Item = Packet<'a>>,
        sink: &mut dyn Sink,
    ) -> Result<bool, Failure> {
        let mut batch = batch.into_iter();
        while let Some(packet) = batch.next() {
            if let Err(failure) = self.keep(&packet, sink) {
                self.counters.refuse();
                batch.for_each(|_| self.counters.refuse());
                return Err(failure);
            }
            self.counters.keep(packet.bytes.len());
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    sink.flush()?;
                    return Ok(true);
                }
            }
        }
        sink.flush()?;
        Ok(false)
    }

    fn keep(&mut self, packet: &Packet<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
        let key = (packet.interface, packet.hatype);
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let name = match self.names.get(&packet.interface) {
                    Some(name) => name.clone(),
                    None if packet.interface == 0 => "ip".into(),
                    None => format!("if{}", packet.interface),
                };
                let snap_length = u32::try_from(self.snap).unwrap_or(u32::MAX);
                let info = InterfaceInfo::new(name, link_type(packet.hatype));
                let number = sink.interface(&InterfaceInfo { snap_length, ..info })?;
                self.numbers.insert(key, number);
                self.statistics.push(InterfaceStatistics {
                    interface: number,
                    start_ns: Some(packet.time_ns),
                    received: Some(0),
                    ..InterfaceStatistics::default()
                });
                number
            }
        };
        if let Some(one) = self.statistics.iter_mut().find(|s| s.interface == number) {
            one.received = one.received.map(|r| r + 1);
        }
        sink.packet(&PacketRecord {
            interface: number,
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
        })
    }
}

/// The link type of an interface's packets (tcpdump.org/linktypes) by its ARPHRD number (linux/if_arp.h).
pub(super) fn link_type(hatype: u16) -> LinkType {
    match hatype {
        1 | 772 => LinkType::ETHERNET,
        // PPP without its header, tunnels, raw IP.
        ARPHRD_NONE | 512 | 519 | 768 | 769 | 776 | 778 | 823 => LinkType::RAW,
        801 => LinkType(105),
        803 => LinkType(127),
        // LINKTYPE_USER0: nothing is known of it, and it says so.
        _ => LinkType(147),
    }
}

pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

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
        Work {
            names: HashMap::new(),
            numbers: HashMap::new(),
            statistics: Vec::new(),
            counters: Arc::default(),
            left: None,
            snap: 65_535,
        }
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
        }
    }

    /// Received, written, lost here, bytes; they add up.
    fn settled(work: &Work, sink: &dyn Sink) -> [u64; 4] {
        let counters = &work.counters;
        counters.lose(sink.lost());
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let [received, written, here] = [&counters.received, &counters.written, &counters.lost_here].map(get);
        assert_eq!(received, written + here + get(&counters.lost_kernel));
        [received, written, here, get(&counters.bytes)]
    }

    #[test]
    fn a_refused_packet_takes_the_rest_of_its_batch_along() {
        let (mut work, mut sink) = (work(), Failing { refuse_at: Some(5), ..Failing::default() });
        let batch = |n: usize| (0..n).map(|_| packet(&[0; 10]));
        assert_eq!(work.take(batch(3), &mut sink), Ok(false));
        assert!(work.take(batch(4), &mut sink).is_err());
        // Nothing flushed the two of the second batch.
        assert_eq!(settled(&work, &sink), [7, 3, 4, 30]);
        let (mut work, mut sink) = (self::work(), Failing { refuse_at: Some(0), ..Failing::default() });
        assert!(work.take(batch(4), &mut sink).is_err());
        assert_eq!(settled(&work, &sink), [4, 0, 4, 0]);
    }

    #[test]
    fn a_failed_flush_loses_what_it_did_not_write() {
        let (mut work, mut sink) = (work(), Failing::default());
        let sizes = [[1; 7], [2; 7], [3; 7], [4; 7]];
        assert_eq!(work.take(sizes.iter().map(|b| packet(b)), &mut sink), Ok(false));
        sink.fail_flush = true;
        assert!(work.take(sizes.iter().map(|b| packet(&b[..usize::from(b[0])])), &mut sink).is_err());
        // The first two of 1, 2, 3, 4 bytes were written.
        assert_eq!(settled(&work, &sink), [8, 6, 2, 4 * 7 + 3]);
    }

    #[test]
    fn drops_in_the_kernel_are_received_once() {
        let work = work();
        // A socket that does not say how many it dropped does not take any back.
        for dropped in [2, 5, 0, 5, 6] {
            work.counters.drop_in_kernel(dropped);
        }
        assert_eq!(settled(&work, &Failing::default()), [6, 0, 0, 0]);
        assert_eq!(work.counters.lost_kernel.load(Ordering::Relaxed), 6);
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
            .arg("engine::recorder::tests::a_full_disk_is_counted_exactly")
            .env(PLACE, directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("filled the spool"), "the limited process did its work: {text}");
    }

    /// Records into a spool until its file may not grow: once where a flush fails, once in the midst of a batch.
    fn fill(directory: &Path) {
        for batch in [7, 1000] {
            let mut spool = Spool::create(directory).unwrap();
            let capture = spool.capture_file();
            let mut work = work();
            let mut handed = 0;
            let data = [0; 1001];
            loop {
                handed += batch;
                if work.take((0..batch).map(|_| packet(&data)), &mut spool).is_err() {
                    break;
                }
            }
            assert!(Sink::finish(&mut spool, &[]).is_err());
            let readable = capture.len() as u64;
            assert!(readable > 400, "{readable} packets");
            assert_eq!(settled(&work, &spool), [handed, readable, handed - readable, readable * 1001]);
        }
        println!("filled the spool");
    }
}
