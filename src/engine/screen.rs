//! A filter before a capture: in the kernel where it can be said there, else in the recorder.

use super::recorder::link_type;
use super::sources::{Access, Failure, Listen, Source};
use super::tap::Settings;
use super::trigger::{Predicate, When};
use crate::filter::{Facts, Filter, Packet, Target, bpf};
use crate::net::Instruction;
use crate::pcap::{ChecksumState, LinkType, PacketRecord};
use crate::wire::dissect::{Dissection, dissect_into};
use crate::wire::flow::{FlowTable, Moment, Seen, Told, seen};

/// A capture filter as somebody typed it.
#[derive(Clone, Debug)]
pub struct CaptureFilter {
    /// What passes.
    pub filter: Filter,
    /// The words.
    pub text: String,
}

/// Puts a filter before a capture: into the settings where the kernel can run it. Gives what is asked of each packet in the
/// recorder where it cannot, and why.
///
/// # Errors
/// There is no such interface, or its packets do not have the headers that the filter asks for.
pub fn put_before(
    access: &Access,
    source: &Source,
    capture: CaptureFilter,
    settings: &mut Settings,
) -> Result<Option<(When, String)>, Failure> {
    let CaptureFilter { filter, text } = capture;
    suits(access, source, &filter)?.map_err(Failure::new)?;
    settings.filter_text = Some(text);
    match program(access, source, &filter, settings.snap)? {
        Ok(program) => {
            settings.filter = instructions(&program);
            Ok(None)
        }
        Err(why) => {
            let when = When { keep: Some(predicate(filter)), ..When::default() };
            Ok(Some((when, runs_here(&why))))
        }
    }
}

/// What a person is told of a filter that the kernel cannot run.
#[must_use]
pub fn runs_here(why: &str) -> String {
    format!("the filter runs here, not in the kernel: {why}")
}

/// The program of classic BPF that the kernel runs for this filter on the packets of a source, which keeps `snap` bytes of
/// each that passes. It asks the system for the kind of an interface; that needs no privilege.
///
/// # Errors
/// There is no such interface. The inner error names the part that the kernel cannot be told, and why.
pub fn program(
    access: &Access,
    source: &Source,
    filter: &Filter,
    snap: usize,
) -> Result<Result<Vec<bpf::Instruction>, String>, Failure> {
    let target = match &source.listen {
        Listen::Any => Target::Any,
        Listen::Interface(name) => {
            Target::Interface(link_type(access.interface(&source.place, name)?.arphrd).0)
        }
        Listen::Ip(_) => {
            return Ok(Err("sockets at the IP layer are filtered here".into()));
        }
        Listen::Remote(_) => return Ok(Err("another machine captures".into())),
    };
    Ok(filter.bpf(target, u32::try_from(snap).unwrap_or(u32::MAX)))
}

/// The program in the system's form.
#[must_use]
pub fn instructions(program: &[bpf::Instruction]) -> Vec<Instruction> {
    program.iter().map(|i| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect()
}

/// Asks a filter about each packet of a capture as it comes.
#[must_use]
pub fn predicate(filter: Filter) -> Predicate {
    let mut found = Dissection::default();
    let (mut number, mut first_ns, mut previous_ns) = (0, None, 0);
    let mut live = filter.needs().flows().then(Live::default);
    Box::new(move |link_type, record: &PacketRecord<'_>| {
        number += 1;
        let first_ns = *first_ns.get_or_insert(record.timestamp_ns);
        let facts = Facts {
            number,
            original: record.original_length,
            time_ns: Some(record.timestamp_ns),
            first_ns,
            previous_ns: if number == 1 { first_ns } else { previous_ns },
            interface: Some(record.interface),
            link_type,
            left_to_card: record.checksum == ChecksumState::NotComputed,
        };
        previous_ns = record.timestamp_ns;
        let flows = match &mut live {
            Some(live) => live.told(&facts, record.data, &mut found),
            None => {
                filter.dissect(link_type, record.data, &mut found);
                &[]
            }
        };
        filter.matches(&Packet { bytes: record.data, found: &found, facts, flows })
    })
}

/// The flows of a capture for a filter that looks at them: it sees them from the first packet that it is asked about.
#[derive(Default)]
struct Live {
    table: FlowTable,
    seen: Vec<Seen>,
    told: Vec<Told>,
}

impl Live {
    fn told(&mut self, facts: &Facts, bytes: &[u8], found: &mut Dissection) -> &[Told] {
        dissect_into(facts.link_type, bytes, found);
        self.seen.clear();
        seen(bytes, &found.layers, (facts.original as usize).saturating_sub(bytes.len()), &mut self.seen);
        let number = u32::try_from(facts.number).unwrap_or(u32::MAX);
        let at = Moment { number, time_ns: facts.time_ns.unwrap_or(0) };
        self.told.clear();
        self.told.extend(self.seen.iter().map(|seen| self.table.take(at, seen)));
        &self.told
    }
}

/// Whether a filter can be asked about the packets of this source, as far as their link is known before it listens.
///
/// # Errors
/// There is no such interface. The inner error: the filter asks for headers that its packets do not have.
pub fn suits(access: &Access, source: &Source, filter: &Filter) -> Result<Result<(), String>, Failure> {
    let kind = match &source.listen {
        Listen::Any | Listen::Remote(_) => return Ok(Ok(())),
        Listen::Interface(name) => link_type(access.interface(&source.place, name)?.arphrd),
        Listen::Ip(_) => LinkType::RAW,
    };
    Ok(filter.suits(kind.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_remembers_the_packets_before() {
        let filter = Filter::capture("tcp.analysis.retransmission").unwrap();
        let why = filter.bpf(Target::Interface(LinkType::RAW.0), 100).unwrap_err();
        assert!(why.contains("needs to know the packets before"), "{why}");
        let mut asked = predicate(filter);
        let segment = |seq: u8| {
            let mut bytes = vec![0x45, 0, 0, 41, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            bytes.extend([0, 9, 0, 80, 0, 0, 0, seq, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0, b'x']);
            bytes
        };
        let seconds = [(1, 7), (2, 8), (3, 7), (4, 9)];
        let passed = seconds.map(|(second, seq)| {
            asked(LinkType::RAW.0, &PacketRecord::new(0, second * 1_000_000_000, &segment(seq)))
        });
        assert_eq!(passed, [false, false, true, false]);
    }
}
