//! `rawbench tcping`: round-trip times by a TCP SYN and its answer, to several hosts side by side.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::args::TcpingArgs;
use super::output::{self, FAILED, Failure, Out, Outcome};
use super::send::{Line, More, duration};
use super::sources::System;
use super::{json, live};
use crate::craft::Draft;
use crate::engine::{
    self, Access, Answer, AnswerKind, Course, Courses, MOST_PER_SECOND, Ping, Pinged, Pinger, Place,
};

/// The port of a host that is named without one.
const USUAL_PORT: u16 = 80;

/// A host as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address.
    pub name: Name,
    /// Its TCP port.
    pub port: u16,
}

/// What a host is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By its address.
    Address(IpAddr),
    /// By a name for the system's resolver.
    Text(String),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { name: Name::Address(address.into()), port: USUAL_PORT });
        }
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
                let address: Ipv6Addr = address.parse().map_err(|_| {
                    format!("'{address}' is no IPv6 address: [fd77::2]:80 is how one with a port is written")
                })?;
                let port = match port {
                    "" => None,
                    _ => Some(port.strip_prefix(':').ok_or("behind the bracket stands :PORT or nothing")?),
                };
                (Name::Address(address.into()), port)
            }
            None => {
                let (name, port) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
                if port.is_some_and(|p| p.contains(':')) {
                    return Err(
                        "an IPv6 address is needed, with a port in brackets: fd77::2 or [fd77::2]:80".into(),
                    );
                }
                (name.parse().map_or_else(|_| Name::Text(name.to_owned()), Name::Address), port)
            }
        };
        if name == Name::Text(String::new()) {
            return Err("a name or an address is needed".into());
        }
        let port = port.map_or(Ok(USUAL_PORT), str::parse);
        let port = port.map_err(|_| "a port is a number from 0 to 65535".to_owned())?;
        Ok(Self { name, port })
    }
}

impl Host {
    /// Its address; that of a name is asked of this machine's resolver, and said.
    fn resolve(&self, place: &Place) -> Result<SocketAddr, Failure> {
        let name = match &self.name {
            Name::Address(address) => return Ok((*address, self.port).into()),
            Name::Text(name) => name,
        };
        let elsewhere = match place {
            Place::Host => String::new(),
            place => format!(" Names are those of this machine, not of {place}: an address is better there."),
        };
        let failed = |why: String| {
            Failure::failed(anyhow::anyhow!("cannot find the address of {name}: {why}.{elsewhere}"))
        };
        let mut found =
            (name.as_str(), self.port).to_socket_addrs().map_err(|error| failed(error.to_string()))?;
        let first = found.next().ok_or_else(|| failed("there is none".into()))?;
        output::message(&format!("note: {name} is {}.{elsewhere}", first.ip()));
        Ok(first)
    }

    fn label(&self) -> String {
        match &self.name {
            Name::Address(address) => SocketAddr::from((*address, self.port)).to_string(),
            Name::Text(name) => format!("{name}:{}", self.port),
        }
    }
}

/// Runs it.
///
/// # Errors
/// The call is wrong, a name has no address, the privilege is missing, the system has no way to a host, standard
/// output fails.
pub fn run(args: &TcpingArgs, access: &Access) -> Outcome {
    let rate = args.hosts.len() as f64 / args.interval.as_secs_f64();
    if rate > MOST_PER_SECOND + 0.5 {
        return Err(Failure::wrong_call(format!(
            "{} hosts every {} s are {rate:.0} packets a second, and {MOST_PER_SECOND} are the most: make the --interval \
             longer",
            args.hosts.len(),
            args.interval.as_secs_f64()
        )));
    }
    let place = args.place.place();
    let (mut drafts, mut hosts) = (Vec::new(), Vec::new());
    for host in &args.hosts {
        let address = host.resolve(&place)?;
        drafts.push(syn(address)?);
        hosts.push(Asked { label: host.label(), address: address.ip(), tally: Tally::default() });
    }
    let mut pinger = Pinger::prepare(access, place, drafts)?;
    pinger.rounds = args.count;
    pinger.interval = args.interval;
    pinger.wait = args.wait;
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::clone(&stop);
    live::on_interrupt(move || interrupted.store(true, Ordering::Relaxed))?;
    let mut report =
        Report { out: output::out(), json: args.json, wait: args.wait, hosts, closed: false, no_time: 0 };
    let done = pinger.run(access, &stop, &mut |ping| report.tell(ping))?;
    report.end(&done)
}

/// The SYN to a host.
fn syn(to: SocketAddr) -> Result<Draft, Failure> {
    let layer = if to.is_ipv4() { "ip" } else { "ipv6" };
    let notation = format!("{layer}(dst={})/tcp(dstport={}, flags=S)", to.ip(), to.port());
    Draft::from_notation(&notation, &mut System::default())
        .map_err(|error| Failure::failed(anyhow::Error::msg(error.render(&notation))))
}

/// A host and what came of it.
struct Asked {
    label: String,
    address: IpAddr,
    tally: Tally,
}

/// What became of the packets to a host.
#[derive(Default)]
struct Tally {
    /// Packets that the host itself answered.
    answered: u64,
    /// Packets that an ICMP error came for.
    icmp_errors: u64,
    timeouts: u64,
    duplicates: u64,
    /// Round-trip times of the host's answers in nanoseconds: all of them, which the median needs.
    times: Vec<u64>,
}

/// Round-trip times in nanoseconds.
#[derive(Debug, PartialEq)]
struct Times {
    min: u64,
    /// Of an even number of times the mean of the two in the middle.
    median: u64,
    avg: u64,
    max: u64,
    /// The standard deviation, as ping's mdev: the square root of the mean square of the distance from the mean.
    jitter: u64,
}

impl Tally {
    fn take(&mut self, what: &Pinged) {
        match what {
            Pinged::Answer(answer) if is_icmp_error(answer) => self.icmp_errors += 1,
            Pinged::Answer(answer) => {
                self.answered += 1;
                self.times.extend(answer.rtt_ns());
            }
            Pinged::Duplicate(_) => self.duplicates += 1,
            Pinged::Timeout => self.timeouts += 1,
            Pinged::NotSent(_) => {}
        }
    }

    /// Packets without an answer of the host.
    fn lost(&self) -> u64 {
        self.timeouts + self.icmp_errors
    }

    /// Packets whose fate is known.
    fn decided(&self) -> u64 {
        self.answered + self.lost()
    }

    /// In percent of the packets whose fate is known.
    fn loss(&self) -> Option<f64> {
        (self.decided() > 0).then(|| self.lost() as f64 * 100.0 / self.decided() as f64)
    }

    fn times(&self) -> Option<Times> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        let count = sorted.len() as f64;
        let mean = sorted.iter().map(|ns| *ns as f64).sum::<f64>() / count;
        let variance = sorted.iter().map(|ns| (*ns as f64 - mean).powi(2)).sum::<f64>() / count;
        Some(Times {
            min,
            median: low.midpoint(*high),
            avg: mean.round() as u64,
            max,
            jitter: variance.sqrt().round() as u64,
        })
    }
}

fn is_icmp_error(answer: &Answer) -> bool {
    matches!(answer.kind, AnswerKind::IcmpUnreachable | AnswerKind::IcmpOther)
}

/// A line of `send --json`; with several hosts it says of which.
#[derive(Serialize)]
struct HostLine<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
}

/// Prints what happens.
struct Report {
    out: Out,
    json: bool,
    wait: Duration,
    hosts: Vec<Asked>,
    /// Whoever read standard output has gone.
    closed: bool,
    /// Answers to packets whose sending the kernel did not show.
    no_time: u64,
}

impl Report {
    fn tell(&mut self, ping: &Ping) -> Result<(), engine::Failure> {
        let several = self.hosts.len() > 1;
        let Some(host) = self.hosts.get_mut(ping.target) else { return Ok(()) };
        host.tally.take(&ping.what);
        if let Pinged::NotSent(failure) = &ping.what {
            output::message(&format!(
                "rawbench: {} seq {} was not sent: {}",
                host.label, ping.number, failure.text
            ));
            return Ok(());
        }
        if let Pinged::Answer(answer) = &ping.what {
            self.no_time += u64::from(answer.sent_ns.is_none());
        }
        let written = if self.json {
            json_line(ping, several.then_some(host.label.as_str()), &mut self.out)
        } else {
            let width = self.hosts.iter().map(|host| host.label.len()).max().unwrap_or(0);
            self.text_line(ping, width)
        };
        written.and_then(|()| self.out.flush()).map_err(|error| {
            self.closed |= error.kind() == std::io::ErrorKind::BrokenPipe;
            engine::Failure::new(format!("cannot write to standard output: {error}"))
        })
    }

    fn text_line(&mut self, ping: &Ping, width: usize) -> std::io::Result<()> {
        let Some(host) = self.hosts.get(ping.target) else { return Ok(()) };
        write!(self.out, "{:<width$} seq {:<4} ", host.label, ping.number)?;
        match &ping.what {
            Pinged::Answer(answer) => {
                let rtt = answer.rtt_ns().map_or_else(|| "?".into(), duration);
                write!(self.out, "{:<16} {rtt:>11}", answer.kind.name())?;
                // An ICMP error comes from a router as a rule.
                if answer.from != host.address {
                    write!(self.out, "  from {}", answer.from)?;
                }
                writeln!(self.out)
            }
            Pinged::Duplicate(kind) => writeln!(self.out, "{:<16} once more: a duplicate", kind.name()),
            Pinged::Timeout => writeln!(self.out, "no answer within {} s", self.wait.as_secs_f64()),
            Pinged::NotSent(_) => Ok(()),
        }
    }

    fn end(mut self, done: &Courses) -> Outcome {
        if self.closed {
            return Err(Failure::ClosedPipe);
        }
        let several = self.hosts.len() > 1;
        for (host, course) in self.hosts.iter().zip(&done.hosts) {
            if self.json {
                let Course { sent, errors, seconds } = *course;
                let pps = if seconds > 0.0 { sent as f64 / seconds } else { 0.0 };
                let answered = host.tally.answered;
                let line = Line::Summary { sent, answered, seconds, pps, errors, more: More::default() };
                json::write_line(
                    &HostLine { line, host: several.then_some(host.label.as_str()) },
                    &mut self.out,
                )?;
            } else {
                writeln!(self.out, "{}", summary(&host.label, &host.tally, course))?;
            }
        }
        self.out.flush()?;
        if self.no_time > 0 {
            output::message(&format!(
                "note: the kernel did not show when {} of the answered packets went out, so their round-trip time is not \
                 known",
                self.no_time
            ));
        }
        match &done.failure {
            Some(failure) => Err(failure.clone().into()),
            None if done.hosts.iter().any(|course| course.errors > 0) => Ok(FAILED),
            None => Ok(0),
        }
    }
}

fn json_line(ping: &Ping, host: Option<&str>, out: &mut Out) -> std::io::Result<()> {
    let index = usize::try_from(ping.number).unwrap_or(usize::MAX);
    let line = match &ping.what {
        Pinged::Answer(answer) => Line::answer(index, answer),
        Pinged::Timeout => Line::Timeout { index },
        Pinged::Duplicate(_) | Pinged::NotSent(_) => return Ok(()),
    };
    json::write_line(&HostLine { line, host }, out)
}

/// The last lines about a host.
fn summary(label: &str, tally: &Tally, course: &Course) -> String {
    let mut text = format!("--- {label}\n{} sent, {} answered", course.sent, tally.answered);
    let open = course.sent.saturating_sub(tally.decided());
    for (count, what) in [
        (tally.icmp_errors, "with an ICMP error"),
        (tally.duplicates, "duplicates"),
        (course.errors, "not sent"),
        (open, "not waited for"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    if let Some(loss) = tally.loss() {
        text += &format!(", {} % loss", percent(loss));
    }
    if let Some(Times { min, median, avg, max, jitter }) = tally.times() {
        let [min, median, avg, max, jitter] = [min, median, avg, max, jitter].map(duration);
        text += &format!(
            "\nrtt min {min}, median {median}, avg {avg}, max {max}, jitter {jitter} (standard deviation, ping's mdev)"
        );
    }
    text
}

/// A number with two decimals at the most, and no more than it needs.
fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Result<(String, u16), String> {
        let host: Host = text.parse()?;
        let name = match host.name {
            Name::Address(address) => format!("<{address}>"),
            Name::Text(text) => text,
        };
        Ok((name, host.port))
    }

    #[test]
    fn a_host_has_a_port_or_the_usual_one() {
        for (text, name, port) in [
            ("10.77.0.2", "<10.77.0.2>", 80),
            ("10.77.0.2:443", "<10.77.0.2>", 443),
            ("fd77::2", "<fd77::2>", 80),
            ("[fd77::2]", "<fd77::2>", 80),
            ("[fd77::2]:443", "<fd77::2>", 443),
            ("::ffff:10.77.0.2", "<::ffff:10.77.0.2>", 80),
            ("server.example", "server.example", 80),
            ("server.example:0", "server.example", 0),
        ] {
            assert_eq!(host(text), Ok((name.to_owned(), port)), "{text}");
        }
        for (text, part) in [
            ("", "name or an address"),
            (":80", "name or an address"),
            ("10.77.0.2:", "0 to 65535"),
            ("10.77.0.2:65536", "0 to 65535"),
            ("10.77.0.2:http", "0 to 65535"),
            ("[fd77::2", "not closed"),
            ("[fd77::2]80", ":PORT or nothing"),
            ("[10.77.0.2]:80", "no IPv6 address"),
            ("fd77::2::80", "IPv6 address is needed"),
        ] {
            let error = host(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn labels_read_back() {
        for text in ["10.77.0.2:80", "[fd77::2]:81", "server.example:443"] {
            assert_eq!(text.parse::<Host>().unwrap().label(), text);
        }
    }

    fn tally(times: &[u64]) -> Tally {
        Tally { answered: times.len() as u64, times: times.to_vec(), ..Tally::default() }
    }

    #[test]
    fn times_are_those_of_ping() {
        assert_eq!(tally(&[]).times(), None);
        assert_eq!(tally(&[7]).times(), Some(Times { min: 7, median: 7, avg: 7, max: 7, jitter: 0 }));
        // Mean 5, squares of the distances 9 1 1 1 0 0 4 16, their mean 4.
        let eight = tally(&[9, 2, 5, 4, 4, 7, 5, 4]).times();
        assert_eq!(eight, Some(Times { min: 2, median: 4, avg: 5, max: 9, jitter: 2 }));
        let odd = tally(&[3000, 1000, 8000]).times().unwrap();
        assert_eq!((odd.median, odd.avg, odd.jitter), (3000, 4000, 2944));
        let large = tally(&[u64::MAX, u64::MAX]).times().unwrap();
        assert_eq!((large.median, large.jitter), (u64::MAX, 0));
    }

    #[test]
    fn loss_is_that_of_the_packets_whose_fate_is_known() {
        assert_eq!(tally(&[]).loss(), None);
        let some = Tally { timeouts: 1, icmp_errors: 1, ..tally(&[1, 2, 3, 4]) };
        assert_eq!(percent(some.loss().unwrap()), "33.33");
        let course = Course { sent: 7, errors: 1, seconds: 6.0 };
        assert_eq!(
            summary("h:80", &some, &course),
            "--- h:80\n7 sent, 4 answered, 1 with an ICMP error, 1 not sent, 1 not waited for, 33.33 % loss\n\
             rtt min 0.0 µs, median 0.0 µs, avg 0.0 µs, max 0.0 µs, jitter 0.0 µs (standard deviation, ping's mdev)"
        );
        let silent = Tally { timeouts: 3, ..Tally::default() };
        let course = Course { sent: 3, errors: 0, seconds: 3.0 };
        assert_eq!(summary("h:80", &silent, &course), "--- h:80\n3 sent, 0 answered, 100 % loss");
        assert_eq!(summary("h:80", &Tally::default(), &Course::default()), "--- h:80\n0 sent, 0 answered");
        assert_eq!([0.0, 12.5, 100.0, 0.01].map(percent), ["0", "12.5", "100", "0.01"]);
    }

    #[test]
    fn lines_are_those_of_send() {
        let text = |line: &HostLine<'_>| serde_json::to_string(line).unwrap();
        let one = HostLine { line: Line::Timeout { index: 2 }, host: None };
        assert_eq!(text(&one), r#"{"event":"timeout","index":2}"#);
        let one = HostLine { line: Line::Timeout { index: 2 }, host: Some("10.77.0.2:81") };
        assert_eq!(text(&one), r#"{"event":"timeout","index":2,"host":"10.77.0.2:81"}"#);
    }
}
