//! Filters let the same packets pass as `tshark -Y` 4.0: those of tests/oracle/filters.txt, and made ones over every key
//! that both programs have, with values that occur. They are compared with what tshark once said; RAWBENCH_UPDATE_GOLDEN=1 asks it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::{has_tshark, run, stderr, stdout};
use rawbench::filter::{Facts, Filter, Packet};
use rawbench::pcap::CaptureFile;
use rawbench::wire::dissect::{Dissection, dissect};

const FILTERS: &str = include_str!("oracle/filters.txt");
const DIFFERENCES: &str = include_str!("oracle/filter_differences.txt");

/// What two programs say of one filter: the numbers of the packets that pass; `None`: it is wrong.
type Passed = BTreeMap<String, Option<Vec<usize>>>;

fn oracle_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// Files of the corpus whose headers are whole: of a cut header tshark shows nothing, rawbench what is there.
fn corpus() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(oracle_directory().join("corpus")).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| !f.ends_with("cut.pcap") && !f.ends_with("damaged.pcap"));
    files.sort();
    files
}

fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// Keys whose values have another type in Wireshark than they print: bytes, hundredths, eight bits.
const OTHER_TYPES: [&str; 4] = ["ntp.refid", "sll.unused", "dhcpv6.elapsed_time", "vxlan.flags"];

/// Filters over every key that has a value in the file.
fn made(file: &Path, nth: usize) -> Vec<String> {
    // Keys that `read -e` prints otherwise than tshark in this file are known already.
    let known = oracle::listed(file.file_name().unwrap().to_str().unwrap());
    let mut keys = oracle::shared_keys();
    keys.retain(|k| !known.contains(k.as_str()) && !OTHER_TYPES.contains(&k.as_str()));
    let values = oracle::ours(file, &keys);
    let mut filters = Vec::new();
    for (column, key) in keys.iter().enumerate() {
        // By its letters: another key in the tables must not change what is asked of this one.
        let letters: usize = key.bytes().map(usize::from).sum();
        if !(letters + nth).is_multiple_of(3) {
            continue;
        }
        let mut seen: Vec<&str> =
            values.iter().flat_map(|v| v[column].split(',')).filter(|v| !v.is_empty()).collect();
        if seen.is_empty() {
            continue;
        }
        seen.sort_unstable();
        seen.dedup();
        // The middle one is neither zero nor the largest, most times.
        let value = seen[seen.len() / 2];
        let is_text =
            rawbench::filter::source::find(key).is_ok_and(|s| s.is == rawbench::filter::source::Type::Text);
        if value.len() > 60 || value.contains(['"', '\\', '\'']) {
            continue;
        }
        let value = if is_text { format!("\"{value}\"") } else { value.to_owned() };
        // One form for each key and file: together they are all.
        filters.push(match (letters / 3 + nth / 3) % 6 {
            0 => key.clone(),
            form => format!("{key} {} {value}", ["==", "!=", ">", "<=", "!=="][form - 1]),
        });
    }
    filters
}

fn ours(file: &Path, filters: &[String]) -> Passed {
    let (capture, _) = CaptureFile::open(file).unwrap();
    let link_types: Vec<u32> = capture.interfaces().iter().map(|i| i.link_type.0).collect();
    let index = capture.index().snapshot();
    let entries: Vec<_> = index.iter().collect();
    let mut reader = capture.reader();
    let packets: Vec<Vec<u8>> = entries.iter().map(|e| reader.bytes(e).unwrap().to_vec()).collect();
    let all: Vec<Dissection> = entries
        .iter()
        .zip(&packets)
        .map(|(e, bytes)| dissect(link_types[usize::from(e.interface)], bytes))
        .collect();
    let one = |text: &str, filter: &Filter| {
        let (mut near, mut passed) = (Dissection::default(), Vec::new());
        // For some it is read only as far as the filter looks.
        let alone = text.bytes().map(usize::from).sum::<usize>().is_multiple_of(8);
        let mut previous_ns = entries[0].timestamp_ns;
        for (position, (entry, bytes)) in entries.iter().zip(&packets).enumerate() {
            let link_type = link_types[usize::from(entry.interface)];
            if alone {
                filter.dissect(link_type, bytes, &mut near);
            }
            let found = if alone { &near } else { &all[position] };
            let facts = Facts {
                number: position as u64 + 1,
                original: entry.original,
                time_ns: Some(entry.timestamp_ns),
                first_ns: entries[0].timestamp_ns,
                previous_ns,
                interface: None,
                link_type,
                left_to_card: false,
            };
            previous_ns = entry.timestamp_ns;
            if filter.matches(&Packet { bytes, found, facts, flows: &[] }) {
                passed.push(position + 1);
            }
        }
        passed
    };
    filters.iter().map(|f| (f.clone(), Filter::display(f).ok().map(|filter| one(f, &filter)))).collect()
}

/// One run of tshark for all filters: each is the filter of a listener in Lua.
fn theirs(file: &Path, filters: &[String]) -> Passed {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("filters.lua");
    let mut text = String::from("local filters, hits = {}, {}\n");
    for filter in filters {
        let _ = writeln!(text, "filters[#filters+1] = [==[{filter}]==]");
    }
    text += r#"
for i, filter in ipairs(filters) do
  local numbers = {}
  local ok, listener = pcall(Listener.new, "frame", filter)
  if ok then
    function listener.packet(packet) numbers[#numbers+1] = packet.number end
    function listener.draw() end
    function listener.reset() end
    hits[i] = numbers
  end
end
local last = Listener.new("frame")
function last.draw()
  for i, filter in ipairs(filters) do
    print("passed\t" .. filter .. "\t" .. (hits[i] and table.concat(hits[i], ",") or "wrong"))
  end
end
function last.packet() end
"#;
    std::fs::write(&script, text).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-q").arg("-r").arg(file).args(oracle::switches(false)).arg("-X");
    let said = run(tshark.arg(format!("lua_script:{}", script.display())), b"");
    assert!(said.status.success(), "{}", stderr(&said));
    let text = stdout(&said);
    let passed: Passed = text.lines().filter_map(stored_line).collect();
    assert_eq!(passed.len(), filters.iter().collect::<std::collections::BTreeSet<_>>().len(), "{text}");
    passed
}

fn stored_line(line: &str) -> Option<(String, Option<Vec<usize>>)> {
    let (filter, numbers) = line.strip_prefix("passed\t")?.rsplit_once('\t')?;
    let list = |numbers: &str| numbers.split(',').filter_map(|n| n.parse().ok()).collect();
    Some((filter.to_owned(), (numbers != "wrong").then(|| list(numbers))))
}

/// What is stored: numbers as runs would be shorter, but a hash with the count is enough to tell a difference.
fn digest(numbers: Option<&Vec<usize>>) -> String {
    let Some(numbers) = numbers else { return "wrong".into() };
    let hash = numbers.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, n| {
        n.to_le_bytes().iter().fold(h, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
    });
    format!("{} {:08x}", numbers.len(), hash as u32)
}

#[test]
fn the_same_packets_pass_as_in_tshark() {
    // A run of tshark for all filters of a file takes ten seconds: what it said is stored.
    let tshark = std::env::var_os("RAWBENCH_UPDATE_GOLDEN").is_some() && has_tshark();
    let listed: Vec<(&str, &str)> = lines(DIFFERENCES)
        .map(|l| l.split_once('\t').expect("tests/oracle/filter_differences.txt: filter, tab, reason"))
        .collect();
    let mut differing: BTreeMap<String, String> = BTreeMap::new();
    let mut compared = 0;
    for (nth, file) in corpus().into_iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let mut filters: Vec<String> = lines(FILTERS).map(str::to_owned).collect();
        let golden = oracle_directory().join("golden_filters").join(format!("{name}.txt"));
        // The made ones are those that are stored: to make them takes longer than to try them.
        if tshark {
            filters.extend(made(&file, nth));
        } else {
            let text = std::fs::read_to_string(&golden).unwrap();
            filters.extend(text.lines().filter_map(|l| Some(l.rsplit_once('\t')?.0.to_owned())));
        }
        filters.sort();
        filters.dedup();
        // Packets whose layers the two programs see otherwise.
        let apart: Vec<usize> =
            listed.iter().filter_map(|(l, _)| l.strip_prefix(&format!("{name}:"))?.parse().ok()).collect();
        let without = |passed: Passed| -> Passed {
            let kept = |p: Vec<usize>| p.into_iter().filter(|n| !apart.contains(n)).collect();
            passed.into_iter().map(|(f, p)| (f, p.map(kept))).collect()
        };
        let ours = without(ours(&file, &filters));
        let said: BTreeMap<String, String> = if tshark {
            let theirs = without(theirs(&file, &filters));
            for (filter, theirs) in &theirs {
                let ours = &ours[filter];
                if ours != theirs {
                    let show = |p: &Option<Vec<usize>>| {
                        p.as_ref().map_or("wrong".into(), |p| {
                            format!("{} packets, {:?}", p.len(), &p[..p.len().min(8)])
                        })
                    };
                    differing.entry(filter.clone()).or_insert_with(|| {
                        format!("{name}: {filter}\n  ours   {}\n  theirs {}", show(ours), show(theirs))
                    });
                }
            }
            theirs.iter().map(|(f, p)| (f.clone(), digest(p.as_ref()))).collect()
        } else {
            let text = std::fs::read_to_string(&golden).unwrap();
            text.lines().filter_map(|l| l.rsplit_once('\t')).map(|(f, d)| (f.into(), d.into())).collect()
        };
        if tshark {
            let text: String = said.iter().fold(String::new(), |all, (f, d)| all + f + "\t" + d + "\n");
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, text).unwrap();
        }
        for (filter, ours) in &ours {
            let ours = digest(ours.as_ref());
            compared += 1;
            if said.get(filter) != Some(&ours) {
                differing.entry(filter.clone()).or_insert_with(|| {
                    format!("{name}: {filter}\n  ours   {ours}\n  theirs {:?}", said.get(filter))
                });
            }
        }
    }
    let unlisted: Vec<&String> =
        differing.iter().filter(|(f, _)| !listed.iter().any(|(l, _)| l == f)).map(|(_, t)| t).collect();
    let shown = unlisted.iter().take(200).fold(String::new(), |all, t| all + t + "\n");
    assert!(unlisted.is_empty(), "{} of {compared} filters differ:\n{shown}", unlisted.len());
    let stale: Vec<_> =
        listed.iter().filter(|(l, _)| !l.contains(".pcap:") && !differing.contains_key(*l)).collect();
    assert!(stale.is_empty(), "tests/oracle/filter_differences.txt: these no longer differ: {stale:?}");
    assert!(compared > 2_500, "only {compared} comparisons");
}
