//! The datagram that a packet of a capture is a fragment of: its other fragments are sought among the packets around it.

use std::ops::Range;

use super::sources::Failure;
use crate::pcap::{CaptureFile, ChecksumState, Index, IndexEntry};
use crate::wire::dissect::{Dissection, dissect_into};
use crate::wire::reassembly::{
    Datagram, Origin, PATIENCE_NS, PATIENCE_PACKETS, Reassembler, State, fragment_layer,
};

/// Packets between two looks at whether the search is still wanted.
const ATTENTION: usize = 1024;

/// The datagrams that a packet is a fragment of.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    /// The outermost first; each of the others stood in fragments in the one before it. All but the last are whole.
    pub datagrams: Vec<Datagram>,
    /// The positions that were looked at, from 0.
    pub looked: Range<usize>,
    /// A packet that comes behind them may complete the last one.
    pub open: bool,
}

/// Seeks the datagrams that the packet at this position, from 0, is a fragment of: among the packets at most
/// [`PATIENCE_NS`] and [`PATIENCE_PACKETS`] away from it. Ends early, with what there is, when `wanted` gives `false`.
///
/// # Errors
/// A packet cannot be read any more.
pub fn reassemble(
    file: &CaptureFile,
    position: usize,
    wanted: &dyn Fn() -> bool,
) -> Result<Reassembly, Failure> {
    let index = file.index().snapshot();
    let interfaces = file.interfaces();
    let (near, bounded) = around(&index, position);
    let mut reader = file.reader();
    let mut layers = Dissection::default();
    let mut search = Search::default();
    let mut looked = near.start..near.start;
    for (at, entry) in near.clone().zip(index.range(near)) {
        if at % ATTENTION == 0 && !wanted() {
            break;
        }
        looked.end = at + 1;
        let link_type = interfaces.get(usize::from(entry.interface)).map_or(u32::MAX, |i| i.link_type.0);
        let bytes = reader.bytes(entry).map_err(Failure::from)?;
        dissect_into(link_type, bytes, &mut layers);
        if fragment_layer(bytes, &layers.layers).is_some() {
            let from = Origin {
                packet: at + 1,
                time_ns: time(entry),
                left_to_card: entry.checksum() == ChecksumState::NotComputed,
            };
            let chain = search.all.add(&from, bytes, &layers.layers);
            search.take(chain, at == position);
        }
        if at >= position && search.target.is_none() {
            break;
        }
    }
    let open = search.target.is_some() && !bounded;
    Ok(Reassembly { datagrams: search.found, looked, open })
}

fn time(entry: &IndexEntry) -> Option<u64> {
    entry.has_time().then_some(entry.timestamp_ns)
}

/// The positions of the packets near one, and whether some that come later are too far away.
fn around(index: &Index, position: usize) -> (Range<usize>, bool) {
    let then = index.get(position).and_then(time);
    let near = |at: &usize| {
        let other = index.get(*at).and_then(time);
        then.zip(other).is_none_or(|(then, other)| then.abs_diff(other) <= PATIENCE_NS)
    };
    let earliest = position.saturating_sub(PATIENCE_PACKETS);
    let latest = index.len().min(position.saturating_add(PATIENCE_PACKETS));
    let start = (earliest..position).rev().take_while(near).last().unwrap_or(position);
    let end = (position..latest).take_while(near).last().map_or(position, |at| at + 1);
    (start..end, end < index.len())
}

/// A search under way.
#[derive(Default)]
struct Search {
    all: Reassembler,
    found: Vec<Datagram>,
    /// The datagram that is not whole yet: the last one that was found.
    target: Option<u64>,
}

impl Search {
    /// Takes what a fragment makes.
    fn take(&mut self, chain: Vec<Datagram>, is_sought: bool) {
        let from = match self.target {
            _ if is_sought => 0,
            Some(target) => match chain.iter().position(|d| d.serial == target) {
                Some(at) => at,
                None => return,
            },
            None => return,
        };
        let told = chain.into_iter().skip(from);
        if self.target.is_some() {
            self.found.pop();
        }
        self.found.extend(told);
        let last = self.found.last_mut();
        self.target = last.and_then(|last| {
            if is_sought && matches!(last.state, State::Dropped(_)) {
                return None;
            }
            // With its fragments, and as it is without this one where that is of no use.
            if let Some(now) = self.all.look(last.serial).filter(|_| last.whole().is_none()) {
                *last = now;
            }
            matches!(last.state, State::Waiting { .. }).then_some(last.serial)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap::{Format, InterfaceInfo, LinkType, PacketRecord, Writer};

    /// A fragment of 8 bytes of an IPv4 datagram.
    fn fragment(id: u8, unit: u8, more: bool) -> Vec<u8> {
        let more = if more { 0x20 } else { 0 };
        let mut packet = vec![0x45, 0, 0, 28, 0, id, more, unit, 64, 99, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([id; 8]);
        packet
    }

    /// A capture of raw packets, each at its second.
    fn capture(packets: &[(u64, Vec<u8>)]) -> (tempfile::TempDir, CaptureFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.pcapng");
        let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), Format::PcapNg, &path);
        writer.add_interface(&InterfaceInfo::new("a", LinkType::RAW)).unwrap();
        for (second, bytes) in packets {
            writer.write_packet(&PacketRecord::new(0, (1000 + second) * 1_000_000_000, bytes)).unwrap();
        }
        writer.finish(&[]).unwrap();
        let (file, _) = CaptureFile::open(&path).unwrap();
        (directory, file)
    }

    fn find(file: &CaptureFile, position: usize) -> Reassembly {
        reassemble(file, position, &|| true).unwrap()
    }

    #[test]
    fn a_datagram_is_found_from_each_of_its_fragments() {
        let (_directory, file) = capture(&[
            (0, fragment(1, 1, false)),
            (0, fragment(2, 1, false)),
            (1, fragment(1, 0, true)),
            (1, fragment(2, 0, true)),
            (2, fragment(1, 1, false)),
            (2, fragment(1, 0, true)),
        ]);
        for (position, packets) in
            [(0, [3, 1]), (1, [4, 2]), (2, [3, 1]), (3, [4, 2]), (4, [6, 5]), (5, [6, 5])]
        {
            let found = find(&file, position);
            let [datagram] = found.datagrams.as_slice() else { panic!("{found:?}") };
            assert!(datagram.whole().is_some() && !found.open, "{position}");
            let parts: Vec<_> = datagram.parts.iter().map(|p| p.packet).collect();
            assert_eq!(parts, packets, "{position}");
        }
    }

    #[test]
    fn what_is_missing_is_sought_within_its_time_and_told() {
        let (_directory, file) = capture(&[
            (0, fragment(1, 0, true)),
            (30, fragment(1, 1, true)),
            (59, fragment(2, 0, true)),
            (61, fragment(1, 2, false)),
        ]);
        let found = find(&file, 0);
        assert!(!found.open, "the last packet is too late");
        assert_eq!((found.looked, found.datagrams[0].fragments), (0..3, 2));
        assert_eq!(found.datagrams[0].parts.len(), 2);
        let found = find(&file, 2);
        assert!(found.open && found.looked == (0..4), "{found:?}");
        assert!(matches!(found.datagrams[0].state, State::Waiting { .. }));
    }

    #[test]
    fn a_search_that_nobody_waits_for_ends() {
        let (_directory, file) = capture(&[(0, fragment(1, 0, true)), (0, fragment(1, 1, false))]);
        let found = reassemble(&file, 1, &|| false).unwrap();
        assert!(found.datagrams.is_empty() && found.looked.is_empty());
    }

    #[test]
    fn a_packet_that_is_no_fragment_has_no_datagram() {
        let mut whole = fragment(1, 0, false);
        whole[6] = 0x40;
        let (_directory, file) = capture(&[(0, whole)]);
        assert!(find(&file, 0).datagrams.is_empty());
        assert!(find(&file, 7).datagrams.is_empty());
    }
}
