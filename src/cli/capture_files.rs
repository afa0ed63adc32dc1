//! `-b KEY:VALUE` and `-a KEY:VALUE` of `rawbench capture`, with dumpcap's keys (dumpcap(1)).

use std::path::PathBuf;
use std::time::Duration;

use super::args::CaptureArgs;
use super::output::Failure;
use crate::engine::FilePlan;

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    /// So many seconds.
    Duration(Duration),
    /// So many kB of 1000 bytes.
    FileSize(u64),
    /// So many packets.
    Packets(u64),
    /// So many files.
    Files(u64),
    /// When the time is a multiple of so many seconds.
    Interval(u64),
    /// The name of each file that is full goes there.
    PrintName(PathBuf),
    /// 1: the number first in a name, then the date; 2: the other way round.
    NameTimeNum(u64),
}

/// Reads one criterion. `keys`: those that the option takes.
fn criterion(text: &str, keys: &[&str]) -> Result<Criterion, String> {
    let list = || keys.join(", ");
    let Some((key, value)) = text.split_once(':') else {
        return Err(format!("it must be KEY:VALUE, with a key of {}", list()));
    };
    if !keys.contains(&key) {
        return Err(format!("there is no key '{key}': it takes {}", list()));
    }
    let number = |most: u64| match value.parse::<u64>() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("the value of {key} must be a number from 1 to {most}")),
    };
    Ok(match key {
        "duration" => match value.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 && seconds <= 1e9 => {
                Criterion::Duration(Duration::from_secs_f64(seconds))
            }
            _ => return Err("the value of duration must be a number of seconds over 0".into()),
        },
        // dumpcap's limit: 2 GiB.
        "filesize" => Criterion::FileSize(number(2_147_483)?),
        "packets" => Criterion::Packets(number(u64::MAX)?),
        "files" => Criterion::Files(number(99_999)?),
        "interval" => Criterion::Interval(number(1_000_000_000)?),
        "nametimenum" => Criterion::NameTimeNum(number(2)?),
        _ if value.is_empty() => return Err("printname needs the name of a file, stdout or stderr".into()),
        _ => Criterion::PrintName(value.into()),
    })
}

/// A criterion of `-b`.
///
/// # Errors
/// What is wrong with it.
pub fn ring_criterion(text: &str) -> Result<Criterion, String> {
    let keys = ["duration", "filesize", "files", "packets", "interval", "printname", "nametimenum"];
    criterion(text, &keys)
}

/// A criterion of `-a`.
///
/// # Errors
/// What is wrong with it.
pub fn stop_criterion(text: &str) -> Result<Criterion, String> {
    criterion(text, &["duration", "filesize", "files", "packets"])
}

/// What `-a` says about the capture as a whole: packets and time.
#[must_use]
pub fn limits(args: &CaptureArgs) -> (Option<u64>, Option<Duration>) {
    let (mut packets, mut duration) = (args.count, args.duration);
    for criterion in &args.stop {
        match criterion {
            Criterion::Packets(n) => packets = Some(packets.map_or(*n, |p| p.min(*n))),
            Criterion::Duration(d) => duration = Some(duration.map_or(*d, |e| e.min(*d))),
            _ => {}
        }
    }
    (packets, duration)
}

/// The files that the call asks for; `None`: none.
///
/// # Errors
/// Criteria that make no sense together, or without a file.
pub fn plan(args: &CaptureArgs) -> Result<Option<FilePlan>, Failure> {
    let wrong = |text: &str| Err(Failure::wrong_call(text.into()));
    let files_alone = args.stop.iter().any(|c| matches!(c, Criterion::FileSize(_) | Criterion::Files(_)));
    let Some(path) = &args.write else {
        return match args.ring.is_empty() && !files_alone {
            true => Ok(None),
            false => wrong("-b, -a filesize and -a files need a file to write to: add -w FILE"),
        };
    };
    FilePlan::check_name(path).map_err(|why| Failure::wrong_call(format!("-w {why}")))?;
    let mut plan = FilePlan { keep_free: args.keep_free << 20, ..FilePlan::new(path) };
    plan.several = !args.ring.is_empty();
    if path.as_os_str() == "-" && (plan.several || files_alone) {
        return wrong("-b, -a filesize and -a files need files: -w - is standard output");
    }
    for criterion in &args.ring {
        match criterion {
            Criterion::Duration(time) => plan.duration = Some(*time),
            Criterion::FileSize(kb) => plan.bytes = Some(kb * 1000),
            Criterion::Packets(n) => plan.packets = Some(*n),
            Criterion::Files(n) => plan.ring = usize::try_from(*n).ok(),
            Criterion::Interval(seconds) => plan.interval = Some(*seconds),
            Criterion::PrintName(to) => plan.print_name = Some(to.clone()),
            Criterion::NameTimeNum(n) => plan.date_first = *n == 2,
        }
    }
    for criterion in &args.stop {
        match criterion {
            Criterion::FileSize(kb) => plan.bytes = Some(kb * 1000),
            Criterion::Files(n) => plan.most_files = Some(*n),
            _ => {}
        }
    }
    let switches =
        plan.bytes.is_some() || plan.packets.is_some() || plan.duration.is_some() || plan.interval.is_some();
    if (plan.several || plan.most_files.is_some()) && !switches {
        return wrong(
            "nothing says when a file is full: add -b filesize:KB, -b duration:SECONDS, -b interval:SECONDS or \
             -b packets:N",
        );
    }
    Ok(Some(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_read_or_explained() {
        let half = Duration::from_millis(500);
        assert_eq!(ring_criterion("duration:0.5"), Ok(Criterion::Duration(half)));
        assert_eq!(ring_criterion("printname:/tmp/a:b"), Ok(Criterion::PrintName("/tmp/a:b".into())));
        assert_eq!(stop_criterion("filesize:1000"), Ok(Criterion::FileSize(1000)));
        for (text, part) in [
            ("duration", "KEY:VALUE"),
            ("size:3", "no key 'size'"),
            ("files:0", "from 1 to 99999"),
            ("duration:nan", "seconds over 0"),
            ("printname:", "stdout or stderr"),
        ] {
            let error = ring_criterion(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(stop_criterion("interval:5").is_err());
    }
}
