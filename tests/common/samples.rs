//! A packet of every table, with every option, made from the registry.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use rawbench::craft::Draft;
use rawbench::craft::build::Sources;
use rawbench::craft::edit::new_option;
use rawbench::pcap::CaptureFile;
use rawbench::wire::protocols;
use rawbench::wire::table::{Header, Kind, Space, To};

/// No source of bytes but the notation itself.
pub struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0x5a; count]
    }
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file {path} in a test"))
    }
}

/// Builds a packet.
pub fn build(text: &str) -> Draft {
    Draft::from_notation(text, &mut Nothing).unwrap_or_else(|e| panic!("{}", e.render(text)))
}

/// A packet and how it begins.
pub struct Sample {
    pub link_type: u32,
    pub bytes: Vec<u8>,
}

/// The link type of a header that a capture can begin with.
fn link_type(header: &Header) -> Option<u32> {
    header.number_in(Space::LinkType).or_else(|| header.number_in(Space::IpVersion).map(|_| 101))
}

/// Headers that can stand right behind this one, by what the tables say.
fn followers(header: &Header) -> Vec<&'static Header> {
    let mut found = Vec::new();
    for next in header.next {
        let fits = |h: &&&Header| match next.to {
            To::Selected { space, .. } | To::Either { space, .. } => h.number_in(space).is_some(),
            To::Always(space, number) => h.found_by.contains(&(space, number)),
            To::Nothing => false,
            To::Version => h.number_in(Space::IpVersion).is_some(),
        };
        found.extend(protocols::ALL.iter().filter(fits).copied());
    }
    found
}

/// A header in notation, with what it cannot do without.
pub fn part(header: &Header) -> String {
    let Some((src, dst)) = header.ends.filter(|_| header.network) else { return header.key.into() };
    match dst.kind {
        Kind::Ipv4 => format!("{}({}=10.77.0.1, {}=10.77.0.2)", header.key, src.key, dst.key),
        _ => format!("{}({}=fd77::1, {}=fd77::2)", header.key, src.key, dst.key),
    }
}

/// For every table a shortest way to it from a link header, as drafts with their link type: without and with each of its
/// options. Of the other link headers what can follow them directly.
pub fn drafts() -> Vec<(u32, Draft)> {
    let mut drafts = Vec::new();
    let mut with_own = HashSet::new();
    for first in protocols::ALL.iter().copied() {
        let Some(link) = link_type(first) else { continue };
        let mut seen = HashSet::from([first.key]);
        let mut queue = VecDeque::from([vec![first]]);
        let is_main = with_own.is_empty();
        while let Some(chain) = queue.pop_front() {
            let last = chain[chain.len() - 1];
            let is_new = with_own.insert(last.key);
            if !is_new && chain.len() > 2 {
                continue;
            }
            let parts: Vec<String> = chain.iter().map(|h| part(h)).collect();
            let draft = build(&format!("{}/\"pay\\x00load\"", parts.join("/")));
            if is_new {
                drafts.extend(with_options(&draft).into_iter().map(|d| (link, d)));
            }
            drafts.push((link, draft));
            for next in followers(last).into_iter().filter(|_| is_main || is_new || chain.len() == 1) {
                if seen.insert(next.key) {
                    queue.push_back(chain.iter().copied().chain([next]).collect());
                }
            }
        }
    }
    drafts
}

/// The packet with each option of its last layer, and with all of those that it can have at once.
fn with_options(draft: &Draft) -> Vec<Draft> {
    let last = draft.layers().len() - 1;
    let view = draft.view(last);
    let Some(list) = view.layer().header.list(view.header_bytes()) else { return Vec::new() };
    let mut found = Vec::new();
    for item in list.items.iter().chain([list.unknown]) {
        let option = new_option(list, item, item.kind.unwrap_or(0xc8));
        let mut with = draft.clone();
        if with.set_options(last, &[option]).is_ok() {
            found.push(with);
        }
    }
    found
}

/// [`drafts`] as bytes.
pub fn samples() -> Vec<Sample> {
    drafts().into_iter().map(|(link_type, d)| Sample { link_type, bytes: d.bytes().to_vec() }).collect()
}

/// Link type and bytes of a packet of every table and of each packet of tests/oracle/corpus.
#[allow(clippy::unwrap_used, reason = "a test may fail this way")]
pub fn samples_and_corpus() -> Vec<(u32, Vec<u8>)> {
    let mut all: Vec<(u32, Vec<u8>)> =
        samples().into_iter().map(|sample| (sample.link_type, sample.bytes)).collect();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/corpus");
    for file in std::fs::read_dir(corpus).unwrap() {
        let (capture, _) = CaptureFile::open(file.unwrap().path()).unwrap();
        let mut reader = capture.reader();
        for position in 0..capture.len() {
            let record = reader.record(position).unwrap();
            let link = capture.interfaces()[record.interface as usize].link_type.0;
            all.push((link, record.data.to_vec()));
        }
    }
    all
}
