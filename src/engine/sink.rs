//! Where the packets of a capture go, and what of them was lost on the way.

use std::collections::VecDeque;

use super::sources::Failure;
use crate::pcap::{InterfaceInfo, InterfaceStatistics, PacketRecord, Spool};

/// Packets that were taken and are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where the packets of a capture go.
pub trait Sink {
    /// Describes an interface; its packets carry the number that is given.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure>;
    /// Takes a packet. One that is refused is counted as lost by the caller.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure>;
    /// Makes what was taken visible.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn flush(&mut self) -> Result<(), Failure>;
    /// The capture is over.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure>;
    /// Called about ten times a second, packets or not, for what goes by time.
    ///
    /// # Errors
    /// Why the capture cannot go on; what was taken until then is kept.
    fn tick(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    /// All that the kernel saw before this time, in nanoseconds since 1970, was handed over.
    fn caught_up(&mut self, _until_ns: u64) {}
    /// It wants nothing more: the capture ends as if a limit was reached.
    fn is_complete(&self) -> bool {
        false
    }
    /// Packets that were taken and left out on purpose, because they are not what is wanted.
    fn filtered(&self) -> Lost {
        Lost::default()
    }
    /// What was taken and then lost in a failed write; to be asked at the end. Packets that were refused do not count.
    fn lost(&self) -> Lost {
        Lost::default()
    }
}

impl Sink for Spool {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        Ok(self.add_interface(interface)?)
    }
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        Ok(self.append(record)?)
    }
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(Spool::flush(self)?)
    }
    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        Spool::finish(self, statistics)?;
        Ok(())
    }
    fn lost(&self) -> Lost {
        Lost { packets: self.unwritten(), bytes: self.unwritten_bytes() }
    }
    fn tick(&mut self) -> Result<(), Failure> {
        Ok(self.check_room()?)
    }
}

/// Packets that a writer took and that do not stand whole in its file yet: for the sinks that write one.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// Where each packet ends in the file, and how many bytes it has.
    ends: VecDeque<(u64, u64)>,
    /// Where the last packet ends that stands in the file.
    whole: u64,
}

impl Unwritten {
    /// For a file whose first so many bytes are whole and no packets.
    #[must_use]
    pub fn behind(whole: u64) -> Self {
        Self { ends: VecDeque::new(), whole }
    }

    /// A packet of so many bytes was taken; the file will have reached `end` once it is written.
    pub fn took(&mut self, end: u64, bytes: usize) {
        self.ends.push_back((end, bytes as u64));
    }

    /// So many bytes stand in the file now.
    pub fn settle(&mut self, written: u64) {
        let count = self.ends.partition_point(|(end, _)| *end <= written);
        if let Some((end, _)) = self.ends.drain(..count).next_back() {
            self.whole = end;
        }
    }

    /// Where the last packet ends that stands in the file; 0: there is none.
    #[must_use]
    pub const fn whole(&self) -> u64 {
        self.whole
    }

    /// What does not stand in the file.
    #[must_use]
    pub fn lost(&self) -> Lost {
        Lost { packets: self.ends.len() as u64, bytes: self.ends.iter().map(|(_, bytes)| bytes).sum() }
    }
}
