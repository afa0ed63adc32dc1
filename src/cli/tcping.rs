//! `rawbench tcping`: round-trip times by a TCP SYN and its answer, to several hosts side by side.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::args::TcpingArgs;
use super::output::{self, FAILED, Failure, Out, Outcome, WRONG_CALL};
use super::send::{Line, More, duration};
use super::tcping_table::{Row, Table};
use super::tcping_tally::{Tally, summary};
use super::{json, live};
use crate::craft::Draft;
use crate::engine::System;
use crate::engine::{self, Access, Courses, News, Ping, Pinged, Pinger, Place};

/// Packets a second to all hosts together, at most.
pub const MOST_PROBES: f64 = 100_000.0;
/// The port of a host that is named without one.
const USUAL_PORT: u16 = 80;

/// A host as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address.
    pub name: Name,
    /// Its TCP port.
    pub port: u16,
    /// It may have been meant otherwise: how it was taken.
    pub note: Option<String>,
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
            let note = another_meaning(text, address);
            return Ok(Self { name: Name::Address(address.into()), port: USUAL_PORT, note });
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
                    return Err(match with_port(text) {
                        Some((address, port)) => {
                            format!("an IPv6 address with a port stands in brackets: [{address}]:{port}")
                        }
                        None => "an IPv6 address is needed, with a port in brackets: fd77::2 or [fd77::2]:80"
                            .into(),
                    });
                }
                (name.parse().map_or_else(|_| Name::Text(name.to_owned()), Name::Address), port)
            }
        };
        if name == Name::Text(String::new()) {
            return Err("a name or an address is needed".into());
        }
        let port = port.map_or(Ok(USUAL_PORT), str::parse);
        let port = port.map_err(|_| "a port is a number from 0 to 65535".to_owned())?;
        Ok(Self { name, port, note: None })
    }
}

/// An IPv6 address with a port behind it, if a text can be read so.
fn with_port(text: &str) -> Option<(Ipv6Addr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    Some((address.parse().ok()?, port.parse().ok().filter(|_| !port.starts_with('+'))?))
}

/// What to say of an IPv6 address that looks like a shorter one with a port.
fn another_meaning(text: &str, address: Ipv6Addr) -> Option<String> {
    let (shorter, port) = with_port(text)?;
    Some(format!("{text} is taken as the address {address}; write [{shorter}]:{port} for port {port}"))
}

impl Host {
    /// Its address; that of a name is asked of this machine's resolver, and said. Of several addresses the first that there is
    /// a way to.
    fn resolve(&self, access: &Access, place: &Place) -> Result<SocketAddr, Failure> {
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
        let found: Vec<SocketAddr> = (name.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| failed(error.to_string()))?
            .collect();
        let has_a_way = |to: &&SocketAddr| access.neighbourhood(place, to.ip(), true).source.is_some();
        let chosen = match found.as_slice() {
            [only] => Some(only),
            several => several.iter().find(has_a_way).or(several.first()),
        };
        let chosen = chosen.ok_or_else(|| failed("there is none".into()))?;
        output::message(&format!("note: {name} is {}.{elsewhere}", chosen.ip()));
        Ok(*chosen)
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
    let outcome = measure(args, access);
    if !args.need_answer {
        return outcome.map(|(status, _)| status);
    }
    match outcome {
        Ok((0, true)) => Ok(0),
        Ok((0, false)) => Ok(NO_ANSWER),
        Ok(_) => Ok(WRONG_CALL),
        Err(Failure::Message { error, .. }) => Err(Failure::Message { status: WRONG_CALL, error }),
        Err(closed) => Err(closed),
    }
}

/// With `--need-answer` no host answered: ping's exit status 1.
const NO_ANSWER: u8 = 1;

/// The exit status, and whether any host answered.
fn measure(args: &TcpingArgs, access: &Access) -> Result<(u8, bool), Failure> {
    let rate = args.hosts.len() as f64 / args.interval.as_secs_f64();
    if rate > MOST_PROBES + 0.5 {
        return Err(Failure::wrong_call(format!(
            "{} hosts every {} s are {rate:.0} packets a second, and {MOST_PROBES} are the most: make the --interval \
             longer",
            args.hosts.len(),
            args.interval.as_secs_f64()
        )));
    }
    let place = args.place.place();
    let (mut drafts, mut hosts) = (Vec::new(), Vec::new());
    for host in &args.hosts {
        host.note.iter().for_each(|note| output::message(&format!("note: {note}")));
        let address = host.resolve(access, &place)?;
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
    let table = (!args.json && std::io::stdout().is_terminal()).then(Table::default);
    let mut report = Report {
        out: output::out(),
        json: args.json,
        table,
        wait: args.wait,
        asked: 1.0 / args.interval.as_secs_f64(),
        hosts,
        closed: false,
        no_time: 0,
    };
    let done = pinger.run(access, &stop, &mut |news| report.tell(news))?;
    let answered = report.hosts.iter().any(|host| host.tally.answered > 0);
    report.end(&done).map(|status| (status, answered))
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

/// A line of `send --json`; with several hosts it says of which.
#[derive(Serialize)]
struct HostLine<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
}

/// Prints what happens: lines, or on a terminal a table.
struct Report {
    out: Out,
    json: bool,
    table: Option<Table>,
    wait: Duration,
    /// Packets a second to each host that were asked for.
    asked: f64,
    hosts: Vec<Asked>,
    /// Whoever read standard output has gone.
    closed: bool,
    /// Answers to packets whose sending the kernel did not show.
    no_time: u64,
}

impl Report {
    fn tell(&mut self, news: News<'_>) -> Result<(), engine::Failure> {
        let written = match news {
            News::Ping(ping) => self.take(ping),
            News::Rest(courses) => self.show(courses),
        };
        written.map_err(|error| {
            self.closed |= error.kind() == std::io::ErrorKind::BrokenPipe;
            engine::Failure::new(format!("cannot write to standard output: {error}"))
        })
    }

    fn take(&mut self, ping: &Ping) -> std::io::Result<()> {
        let several = self.hosts.len() > 1;
        let Some(host) = self.hosts.get_mut(ping.target) else { return Ok(()) };
        host.tally.take(&ping.what);
        match &ping.what {
            Pinged::NotSent(failure) => {
                let text = format!("{} seq {} was not sent: {}", host.label, ping.number, failure.text);
                match &mut self.table {
                    Some(table) => table.problem = text.lines().next().map(str::to_owned),
                    None => output::message(&format!("rawbench: {text}")),
                }
                return Ok(());
            }
            Pinged::Answer(answer) => self.no_time += u64::from(answer.sent_ns.is_none()),
            Pinged::Duplicate(_) | Pinged::Timeout => {}
        }
        if self.json {
            return json_line(ping, several.then_some(host.label.as_str()), &mut self.out);
        }
        if self.table.is_some() {
            return Ok(());
        }
        let width = self.hosts.iter().map(|host| host.label.len()).max().unwrap_or(0);
        self.text_line(ping, width)
    }

    /// Lets a person see what was told.
    fn show(&mut self, courses: &Courses) -> std::io::Result<()> {
        let Some(table) = &mut self.table else { return self.out.flush() };
        let rows = self.hosts.iter().zip(&courses.hosts);
        let rows: Vec<Row<'_>> =
            rows.map(|(host, course)| (host.label.as_str(), &host.tally, course)).collect();
        table.draw(&rows, &mut self.out)
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
        if let Some(table) = &mut self.table {
            table.erase(&mut self.out)?;
        }
        let several = self.hosts.len() > 1;
        for (host, course) in self.hosts.iter().zip(&done.hosts) {
            if self.json {
                let (answered, pps) = (host.tally.answered, course.per_second());
                let (sent, errors, seconds) = (course.sent, course.errors, course.seconds);
                let line = Line::Summary { sent, answered, seconds, pps, errors, more: More::default() };
                json::write_line(
                    &HostLine { line, host: several.then_some(host.label.as_str()) },
                    &mut self.out,
                )?;
            } else {
                writeln!(self.out, "{}", summary(&host.label, &host.tally, course, self.asked))?;
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
        if done.lost > 0 {
            output::message(&format!(
                "note: the kernel dropped {} packets before they could be looked at: answers among them count as losses",
                done.lost
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

    #[test]
    fn an_address_that_looks_like_one_with_a_port_is_noted() {
        let note = |text: &str| text.parse::<Host>().unwrap().note;
        assert_eq!(
            note("fd77::2:80").as_deref(),
            Some("fd77::2:80 is taken as the address fd77::2:80; write [fd77::2]:80 for port 80")
        );
        for text in [
            "fd77::2",
            "::1",
            "fd77::2:ab",
            "[fd77::2:80]",
            "[fd77::2]:80",
            "10.77.0.2:80",
            "1:2:3:4:5:6:7:8",
        ] {
            assert_eq!(note(text), None, "{text}");
        }
        let error = "fd77::2:65000".parse::<Host>().unwrap_err();
        assert!(error.ends_with("in brackets: [fd77::2]:65000"), "{error}");
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
