//! What can be typed behind `rawbench send`, and the job that it makes.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{PlaceArgs, seconds};
use super::output::{self, Failure, WRONG_CALL};
use super::read::select;
use crate::craft::fragment::Pieces;
use crate::craft::stream::{Place, Stream};
use crate::engine::System;
use crate::engine::{self, Access, Checksums, Flows, Job, MOST_PER_SECOND, Pace, Replay, Unsendable, Via};
use crate::pcap::{self, CaptureFile};

/// `rawbench send`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  rawbench send --lab 'ip(dst=10.77.0.2)/tcp(srcport=40000, dstport=80, flags=S)'\n  \
                  rawbench send --rate 250k --duration 10 -i eth0 'ip(dst=10.0.0.2, id=random)/udp(srcport=random(1024..65535))'\n  \
                  rawbench send --count all --wait 1 'ip(dst=192.0.2.1, ttl=1..30)/udp(dstport=33434)/zero(12)'\n  \
                  rawbench send -i eth0 --file web.pcapng -Y tcp --timing 2 --checksums recompute\n\n\
                  Fields may vary from packet to packet: random, random(1024..65535), fuzz, 1..254, 0..100 step 10, \
                  [80, 443, 8000..8010]; all=fuzz fuzzes what a header does not name; the payload random(n) is made anew \
                  each time.\n\n\
                  Times are the kernel's: when it saw the packet go out and the answer come in. In --json lines \
                  `frame` begins with the IP header, also with -i."
)]
pub struct SendArgs {
    /// The packet, such as 'ip(dst=10.77.0.2)/tcp(dstport=80, flags=S)'; of several, one after the other
    #[arg(value_name = "NOTATION", required_unless_present_any = ["lines", "file"])]
    pub notations: Vec<String>,
    /// The packets stand in this file, a notation a line (-: standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["notations", "file"])]
    pub lines: Option<PathBuf>,
    /// The packets of this capture file, with their times
    #[arg(long, value_name = "CAPTURE", conflicts_with = "notations")]
    pub file: Option<PathBuf>,
    /// Of a capture file, only what passes this display filter
    #[arg(short = 'Y', value_name = "FILTER", requires = "file")]
    pub filter: Option<String>,
    /// Of a capture file, this many times as fast as it was
    #[arg(long, value_name = "FACTOR", requires = "file", conflicts_with = "rate", value_parser = factor)]
    pub timing: Option<f64>,
    /// The checksums of a capture file's packets: as they were on the wire, made right, made wrong
    #[arg(long, value_name = "POLICY", requires = "file", default_value = "keep")]
    pub checksums: Policy,
    /// Leave out what cannot be sent as it is, such as what is larger than the MTU (default: nothing is sent then)
    #[arg(long)]
    pub skip_unsendable: bool,
    /// Cut each packet into fragments: the bytes of a piece, or pieces in the order in which they are sent, which may
    /// overlap: 24..48,0..24,40..
    #[arg(long, value_name = "PIECES", value_parser = Pieces::parse)]
    pub fragment: Option<Pieces>,
    /// Send at the link layer on this interface; an Ethernet header is added where there is none (default: a raw IP
    /// socket, which the kernel routes)
    #[arg(short, value_name = "IFACE")]
    pub interface: Option<String>,
    /// How many packets; all: each value of each range with each of the others (default: 1, each line or packet of a file)
    #[arg(long, value_name = "N|all", value_parser = count)]
    pub count: Option<Count>,
    /// For how long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "count")]
    pub duration: Option<Duration>,
    /// Packets a second, such as 1001, 250k, 2/min, or max (default: at most 1000). From 50000 on, where nobody waits for
    /// answers or records, frames go past the queue of the interface: no capture on this machine sees them
    #[arg(long, value_name = "PPS|max", value_parser = rate)]
    pub rate: Option<Rate>,
    /// So many packets at once, at the same rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub burst: u64,
    /// Make random fields repeatable (default: another seed each time, which is told)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long to wait for answers after the last packet; ends early when all have answered; 0: only the summary
    /// (default: 1 for a single packet and with --compare, 3 where it is DHCP, whose servers look first; else 0)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait: Option<Duration>,
    /// Record the exchange: pcap when the name ends in .pcap, else pcapng
    #[arg(short = 'w', value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Say what differs between each packet and how it was seen to leave, and how an ICMP error quotes it: what the kernel,
    /// a router, a NAT changed
    #[arg(long)]
    pub compare: bool,
    /// A line of JSON for each packet that was answered or timed out, then one for the summary
    #[arg(long)]
    pub json: bool,
    /// Where one works
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// How many packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Packets(u64),
    /// Once through all.
    All,
}

fn count(text: &str) -> Result<Count, String> {
    match text {
        "all" => Ok(Count::All),
        _ => match text.replace('_', "").parse() {
            Ok(packets) if packets > 0 => Ok(Count::Packets(packets)),
            _ => Err("must be a number of packets from 1 on, or all".into()),
        },
    }
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Packets a second.
    PerSecond(f64),
    /// As fast as the machine goes.
    Max,
}

fn rate(text: &str) -> Result<Rate, String> {
    Ok(engine::rate(text)?.map_or(Rate::Max, Rate::PerSecond))
}

fn factor(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    number.ok_or_else(|| "must be a number above 0: 1 is as it was, 2 twice as fast".into())
}

/// What happens to the checksums of packets of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// As they were on the wire: what was left to the card is filled in
    Keep,
    /// Made right
    Recompute,
    /// Made wrong
    Break,
}

/// A job that is ready, and the seed of what is random in it.
pub struct Planned {
    /// The job.
    pub job: Job,
    /// The seed, where something is random.
    pub seed: Option<u64>,
    /// The notations, in their order.
    pub notations: Vec<String>,
}

impl SendArgs {
    /// Makes the job. `Err(Ok(status))`: it was told already what is wrong.
    ///
    /// # Errors
    /// The call or a notation is wrong; the system has no way to the destination; a packet cannot be sent.
    pub fn plan(&self, access: &Access, via: &Via) -> Result<Result<Planned, u8>, Failure> {
        let mut planned = match &self.file {
            Some(file) => Planned { job: self.replay(access, via, file)?, seed: None, notations: Vec::new() },
            None => match self.streams(access, via)? {
                Ok(planned) => planned,
                Err(status) => return Ok(Err(status)),
            },
        };
        let job = &mut planned.job;
        if let Some(pieces) = &self.fragment {
            job.cut_up(pieces.clone());
        }
        self.refuse_unsendable(job)?;
        let entries = job.entries();
        let once = job.once();
        let packets = match (self.count, self.duration) {
            (Some(Count::Packets(packets)), _) => Some(packets),
            (Some(Count::All), _) => Some(once),
            (None, Some(_)) => None,
            (None, None) => Some(entries),
        };
        if self.count.is_none() && self.duration.is_none() && once > entries {
            job.notes.push(format!("the ranges make {once} packets: --count all sends each of them"));
        }
        job.count(packets);
        job.duration = self.duration;
        job.pace = match (self.rate, self.timing) {
            (Some(Rate::Max), _) => Pace::Max,
            (Some(Rate::PerSecond(pps)), _) => Pace::Rate { pps, burst: self.burst },
            (None, factor) if self.file.is_some() => Pace::Recorded(factor.unwrap_or(1.0)),
            (None, _) => Pace::Rate { pps: MOST_PER_SECOND, burst: self.burst },
        };
        let waits = packets == Some(1) || self.compare;
        job.wait = self.wait.unwrap_or(if waits { patience(job) } else { Duration::ZERO });
        job.compare = self.compare;
        job.write = self.write.clone();
        Ok(Ok(planned))
    }

    fn streams(&self, access: &Access, via: &Via) -> Result<Result<Planned, u8>, Failure> {
        let notations = self.texts()?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
        let mut streams = Vec::new();
        let mut random = false;
        for (line, notation) in notations.iter().enumerate() {
            let stream = match Stream::from_notation(notation, &mut System::seeded(seed)) {
                Ok(stream) => stream.seeded(seed.wrapping_add(line as u64)),
                Err(error) => {
                    let place =
                        if self.lines.is_some() { format!("line {}: ", line + 1) } else { String::new() };
                    output::message(&format!("{place}{}", error.render(notation)));
                    return Ok(Err(WRONG_CALL));
                }
            };
            random |= stream.varying().iter().any(|v| v.generator.period().is_none());
            if *via == Via::Ip && stream.draft().network_layer().is_none() {
                return Err(Failure::wrong_call(
                    "the packet has no IP header, so the kernel cannot route it: begin with ip(dst=…), or name an \
                     interface with -i IFACE to send it at the link layer"
                        .into(),
                ));
            }
            streams.push(stream);
        }
        let to_varies = streams.iter().any(varies_destination);
        let mut job = Job::prepare(access, self.place.place(), via.clone(), streams)?;
        if to_varies {
            job.notes.push(
                "the destination varies: source address and next hop are those towards the first one".into(),
            );
        }
        Ok(Ok(Planned { job, seed: random.then_some(seed), notations }))
    }

    /// The notations.
    fn texts(&self) -> Result<Vec<String>, Failure> {
        let Some(path) = &self.lines else { return Ok(self.notations.clone()) };
        let failed = |error: std::io::Error| {
            Failure::failed(anyhow::Error::new(error).context(format!("cannot read {}", path.display())))
        };
        let reader: Box<dyn BufRead> = match path.as_path() == Path::new("-") {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?)),
        };
        let mut texts = Vec::new();
        for line in reader.lines() {
            let line = line.map_err(failed)?;
            let is_comment = line.trim().is_empty() || line.trim_start().starts_with('#');
            if !is_comment {
                texts.push(line);
            }
        }
        match texts.is_empty() {
            true => Err(Failure::wrong_call(format!("there is no notation in {}", path.display()))),
            false => Ok(texts),
        }
    }

    fn replay(&self, access: &Access, via: &Via, file: &Path) -> Result<Job, Failure> {
        let opened = match file == Path::new("-") {
            true => pcap::open_stream(std::io::stdin().lock()),
            false => CaptureFile::open(file),
        };
        let (capture, report) = opened.map_err(Failure::failed)?;
        if let Some(problem) = &report.problem {
            output::message(&format!("note: {}: {}", file.display(), problem.text));
        }
        let rows = match &self.filter {
            Some(text) => select::positions(&capture, select::filter(text)?, &Flows::default())?,
            None => (0..capture.len()).collect(),
        };
        let checksums = match self.checksums {
            Policy::Keep => Checksums::Keep,
            Policy::Recompute => Checksums::Recompute,
            Policy::Break => Checksums::Break,
        };
        let replay = Replay::new(capture, rows, checksums)?;
        Ok(Job::replay(access, self.place.place(), via.clone(), replay)?)
    }

    /// Says before anything is sent what cannot be sent as it is.
    fn refuse_unsendable(&self, job: &mut Job) -> Result<(), Failure> {
        let unsendable = job.unsendable()?;
        let Some(first) = unsendable.first() else { return Ok(()) };
        let named = |u: &Unsendable| format!("\n  packet {}: {}", u.number, u.why);
        let mut text: String = unsendable.iter().take(5).map(named).collect();
        if unsendable.len() > 5 {
            text += &format!("\n  and {} more", unsendable.len() - 5);
        }
        if self.skip_unsendable && self.file.is_some() && (unsendable.len() as u64) < job.entries() {
            output::message(&format!("note: {} packets are left out:{text}", unsendable.len()));
            job.leave_out(&unsendable);
            return Ok(());
        }
        let way = match (self.file.is_some(), self.fragment.is_some()) {
            (true, _) => "--skip-unsendable leaves them out; --fragment 1480 cuts those that are too large",
            (false, false) => "Make it smaller, raise the MTU, or cut it: --fragment 1480",
            (false, true) => "Make the pieces smaller",
        };
        if job.entries() == 1 {
            return Err(Failure::failed(anyhow::anyhow!("cannot send the packet: {}. {way}", first.why)));
        }
        Err(Failure::failed(anyhow::anyhow!(
            "{} of {} packets cannot be sent as they are, so none was sent:{text}\n{way}",
            unsendable.len(),
            job.entries()
        )))
    }
}

/// How long the answer to the packets of a job is waited for: as long as the most patient of their headers says.
fn patience(job: &Job) -> Duration {
    let layers = job.streams().iter().flat_map(|stream| stream.draft().layers());
    Duration::from_secs(layers.map(|layer| u64::from(layer.header.patience)).max().unwrap_or(1))
}

fn varies_destination(stream: &Stream) -> bool {
    let Some(layer) = stream.draft().network_layer() else { return false };
    let Some((_, to)) = stream.draft().layers().get(layer).and_then(|l| l.header.ends) else { return false };
    stream.varying().iter().any(|v| {
        matches!(v.place, Place::Field(path, field) if path.layer == layer && path.item.is_none() && field.key == to.key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, pps) in
            [("1001", 1001.0), ("250k", 250e3), ("1.5M", 1.5e6), ("1/min", 1.0 / 60.0), ("2/h", 2.0 / 3600.0)]
        {
            assert_eq!(rate(text), Ok(Rate::PerSecond(pps)), "{text}");
        }
        assert_eq!(rate("max"), Ok(Rate::Max));
        for text in ["0", "-1", "x", "1/day", "", "inf", "nan"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!((count("all"), count("7")), (Ok(Count::All), Ok(Count::Packets(7))));
        assert!(count("0").is_err() && factor("0").is_err());
    }
}
