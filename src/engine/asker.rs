//! Sends the probes of a pinger, each when it is due, in a thread of its own: nobody who prints holds them up.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::book::Book;
use super::exits::Exits;
use super::pinger::Heard;
use super::recorder::now_ns;
use super::sources::Failure;
use crate::craft::Draft;
use crate::net::{MOST_AT_ONCE, Parcel, Place, Refusal, wake_exactly};

/// How long a stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);
/// Probes that are late go out one behind the other, but for no longer than this: after a pause of the whole machine the rounds
/// go on at their pace.
const MOST_BEHIND: Duration = Duration::from_millis(100);
/// What a full queue is given to get emptier.
const FULL: Duration = Duration::from_micros(100);
/// Where a namespace says from which ports its own connections go out: the first and the last.
const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// What that is as long as nobody changes it.
const USUAL_PORTS: [u16; 2] = [32768, 60999];

/// The SYN to a host, but for its source port and its sequence number.
#[derive(Debug)]
pub(super) struct Template {
    /// From the IP header on.
    packet: Vec<u8>,
    pub to: IpAddr,
    /// Offsets of the fields.
    source_port: usize,
    sequence: usize,
    checksum: usize,
    /// The sum that the checksum is the complement of, while both are zero.
    sum: u16,
}

impl Template {
    /// `None`: the draft has no IP or no TCP header.
    pub fn of(mut draft: Draft) -> Option<Self> {
        let (_, to) = draft.network_ends()?;
        let start = draft.layers().get(draft.network_layer()?)?.start;
        let mut offsets = [0; 3];
        for (offset, key) in offsets.iter_mut().zip(["srcport", "seq_raw", "checksum"]) {
            let path = draft.find("tcp", key)?;
            if key != "checksum" {
                draft.set(path, 0).ok()?;
            }
            *offset = (draft.locate(path)?.bits.start / 8).checked_sub(start)?;
        }
        let [source_port, sequence, checksum] = offsets;
        let packet = draft.bytes().get(start..)?.to_vec();
        let stored = packet.get(checksum..checksum + 2)?;
        let sum = !u16::from_be_bytes([stored[0], stored[1]]);
        Some(Self { packet, to, source_port, sequence, checksum, sum })
    }

    /// The probe with these numbers. The checksum follows by RFC 1624: what was zero is added to its sum.
    fn fill(&self, port: u16, sequence: u32, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.packet);
        let mut sum = u32::from(self.sum) + u32::from(port) + (sequence >> 16) + (sequence & 0xffff);
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let checksum = !(sum as u16);
        out[self.source_port..][..2].copy_from_slice(&port.to_be_bytes());
        out[self.sequence..][..4].copy_from_slice(&sequence.to_be_bytes());
        out[self.checksum..][..2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// What makes each probe a packet of its own.
pub(super) struct Numbers {
    ports: Vec<u16>,
    first: u32,
    targets: usize,
}

impl Numbers {
    pub fn of(place: &Place, targets: usize) -> Self {
        Self { ports: source_ports(place), first: fastrand::u32(..), targets: targets.max(1) }
    }

    /// Source port and sequence number of a probe. To one host a port comes again when all were used; a sequence number comes
    /// again after 2^32 probes, since the step has no common divisor with that. The step is 2^32 over the golden ratio: what
    /// goes out together is far apart.
    fn of_probe(&self, number: u64) -> (u16, u32) {
        const STEP: u32 = 0x9e37_79b1;
        let (round, target) = (number / self.targets as u64, number % self.targets as u64);
        // Each host begins elsewhere in the list.
        let len = self.ports.len().max(1) as u64;
        let at = (round + target * len / self.targets as u64) % len;
        let port = usize::try_from(at).ok().and_then(|at| self.ports.get(at)).copied().unwrap_or(1024);
        (port, self.first.wrapping_add((number as u32).wrapping_mul(STEP)))
    }
}

/// The ports to send from, in random order: those above 1023 from which the place's own connections do not go out. Of
/// another namespace only the usual range is known.
fn source_ports(place: &Place) -> Vec<u16> {
    let said = if *place == Place::Host { std::fs::read_to_string(LOCAL_PORTS).ok() } else { None };
    let mut ports = ports_besides(said.as_deref().and_then(port_range).unwrap_or(USUAL_PORTS));
    fastrand::shuffle(&mut ports);
    ports
}

fn port_range(text: &str) -> Option<[u16; 2]> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Some([first, last]),
        _ => None,
    }
}

/// The ports above 1023 that are not in the range; all of them where next to none is left.
fn ports_besides([first, last]: [u16; 2]) -> Vec<u16> {
    const ENOUGH: usize = 256;
    let free: Vec<u16> = (1024..=u16::MAX).filter(|port| !(first..=last).contains(port)).collect();
    if free.len() < ENOUGH { (1024..=u16::MAX).collect() } else { free }
}

/// A host: its probe, and the number of the book that it is written into.
pub(super) struct Line<'a> {
    pub template: &'a Template,
    pub book: usize,
}

/// Sends the probes. They are numbered through all rounds; in a round every host is asked once.
pub(super) struct Asker<'a> {
    pub lines: Vec<Line<'a>>,
    pub books: Vec<Arc<Mutex<Book>>>,
    pub exits: &'a Exits,
    pub numbers: Numbers,
    pub rounds: Option<u64>,
    pub interval: Duration,
    /// Either of them ends it.
    pub stop: [&'a AtomicBool; 2],
    pub sender: Sender<Heard>,
}

impl Asker<'_> {
    /// Until all was asked, or it is stopped.
    pub fn run(&self) {
        wake_exactly();
        let targets = self.lines.len() as u64;
        let all = self.rounds.map_or(u64::MAX, |rounds| rounds.saturating_mul(targets));
        let mut slots: Vec<Vec<u8>> = vec![Vec::new(); MOST_AT_ONCE];
        let (mut start, mut next) = (Instant::now(), 0);
        while next < all && targets > 0 && !self.is_stopped() {
            let due_at = start + at_round(self.interval, next / targets);
            let now = Instant::now();
            if now < due_at {
                std::thread::sleep((due_at - now).min(ATTENTION));
                continue;
            }
            let behind = now - due_at;
            if behind > MOST_BEHIND {
                start += behind;
            }
            let rounds = 1 + (now - start).as_nanos() / self.interval.as_nanos().max(1);
            let due = u64::try_from(rounds).unwrap_or(u64::MAX).saturating_mul(targets).min(all);
            let count = due.saturating_sub(next).clamp(1, MOST_AT_ONCE as u64);
            self.ask(next, slots.get_mut(..count as usize).unwrap_or_default());
            next += count;
        }
        self.tell(Heard::AllAsked);
    }

    fn is_stopped(&self) -> bool {
        self.stop.iter().any(|stop| stop.load(Ordering::Relaxed))
    }

    fn tell(&self, heard: Heard) {
        // Fails only when nobody waits for it any more.
        let _ = self.sender.send(heard);
    }

    /// Sends the probes from this number on, one for each slot.
    fn ask(&self, first: u64, slots: &mut [Vec<u8>]) {
        let mut parcels = Vec::with_capacity(slots.len());
        for (number, slot) in (first..).zip(slots) {
            let Some(line) = self.line_of(number) else { continue };
            let (port, sequence) = self.numbers.of_probe(number);
            line.template.fill(port, sequence, slot);
            // Said before it goes out, so that nobody hears of its answer first.
            let now = now_ns();
            self.tell(Heard::Asked(number, Instant::now(), now));
            self.with_book(line, |book| book.expect(number, slot, now));
            parcels.push(Parcel { bytes: slot, to: Some(line.template.to) });
        }
        let mut sent = 0;
        while let Some(rest) = parcels.get(sent..).filter(|rest| !rest.is_empty()) {
            let number = first + sent as u64;
            match self.exits.send(rest, number) {
                Ok(took) => sent += took.max(1),
                Err(error) if self.passes(&error, rest[0]) => {}
                Err(error) => {
                    self.refused(number, self.exits.explain(&error, rest[0]));
                    sent += 1;
                }
            }
        }
    }

    /// Waits where a queue is full, which is over soon.
    fn passes(&self, error: &std::io::Error, parcel: Parcel<'_>) -> bool {
        match Refusal::of(error) {
            _ if self.is_stopped() => return false,
            Refusal::SocketFull => self.exits.wait(parcel, Duration::from_millis(1)),
            Refusal::QueueFull => std::thread::sleep(FULL),
            Refusal::Gone | Refusal::Packet => return false,
        }
        true
    }

    fn refused(&self, number: u64, failure: Failure) {
        if let Some(line) = self.line_of(number) {
            self.with_book(line, |book| {
                book.withdraw(number);
            });
        }
        self.tell(Heard::NotSent(number, failure));
    }

    fn line_of(&self, number: u64) -> Option<&Line<'_>> {
        self.lines.get(usize::try_from(number % self.lines.len().max(1) as u64).ok()?)
    }

    fn with_book(&self, line: &Line<'_>, work: impl FnOnce(&mut Book)) {
        if let Some(book) = self.books.get(line.book) {
            work(&mut book.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// How long after the first round the round of this number is due.
fn at_round(interval: Duration, round: u64) -> Duration {
    let nanoseconds = interval.as_nanos().saturating_mul(u128::from(round));
    u64::try_from(nanoseconds).map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::craft::build::Sources;
    use crate::wire::checksum::{self, Verdict};
    use crate::wire::dissect::dissect;

    struct Nothing;

    impl Sources for Nothing {
        fn random(&mut self, count: usize) -> Vec<u8> {
            vec![0; count]
        }
        fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
            Err(path.into())
        }
    }

    #[test]
    fn a_probe_has_its_numbers_and_a_right_checksum() {
        for ip in ["ip(src=10.77.0.1, dst=10.77.0.2)", "ipv6(src=fd77::1, dst=fd77::2)"] {
            let notation = format!("{ip}/tcp(srcport=7, seq=9, dstport=80, flags=S)");
            let template = Template::of(Draft::from_notation(&notation, &mut Nothing).unwrap()).unwrap();
            let mut out = Vec::new();
            for (port, sequence) in [(0, 0), (1024, 0xffff_ffff), (65535, 0x8000_0001), (40000, 0x1234_5678)]
            {
                template.fill(port, sequence, &mut out);
                let found = dissect(101, &out);
                let at = found.layers.iter().position(|layer| layer.header.key == "tcp").unwrap();
                let view = found.view(&out, at);
                let number = |key| view.number(key).unwrap();
                assert_eq!((number("srcport"), number("seq_raw")), (port.into(), sequence.into()));
                let verdict = checksum::verdict(&out, &found.layers, at, false);
                assert!(matches!(verdict, Some(Verdict::Good)), "{verdict:?}");
            }
        }
        let udp = Draft::from_notation("ip(dst=10.77.0.2)/udp()", &mut Nothing).unwrap();
        assert!(Template::of(udp).is_none());
    }

    #[test]
    fn no_two_probes_have_the_same_numbers() {
        for targets in [1, 2, 7, 50] {
            let numbers = Numbers::of(&Place::Lab, targets);
            let all: Vec<(u16, u32)> = (0..100_000).map(|number| numbers.of_probe(number)).collect();
            let sequences: HashSet<u32> = all.iter().map(|(_, sequence)| *sequence).collect();
            assert_eq!(sequences.len(), all.len());
            // Probes that are under way together: of one host, and of all hosts in one round.
            let window = numbers.ports.len();
            for target in 0..targets.min(3) {
                let own = all.iter().skip(target).step_by(targets).take(window);
                let ports: HashSet<u16> = own.clone().map(|(port, _)| *port).collect();
                assert_eq!(ports.len(), own.len());
            }
            let round: HashSet<u16> = all.iter().take(targets).map(|(port, _)| *port).collect();
            assert_eq!(round.len(), targets);
        }
    }

    #[test]
    fn ports_are_not_those_of_the_machine() {
        let ports = ports_besides([32768, 60999]);
        assert_eq!(ports.len(), 65536 - 1024 - (60999 - 32768 + 1));
        assert!(ports.iter().all(|p| *p >= 1024 && !(32768..=60999).contains(p)));
        assert_eq!(ports_besides([1024, 65535]).len(), 65536 - 1024, "where none is left, all of them");
        assert_eq!(port_range("32768\t60999\n"), Some([32768, 60999]));
        assert_eq!((port_range(""), port_range("1 x")), (None, None));
    }
}
