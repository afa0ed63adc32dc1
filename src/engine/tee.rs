//! What a job does with the packets that come by: to the matcher of answers, and into a file.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

use super::exchange::{Exchange, Record, Seen};
use super::sink::{Lost, Sink, Unwritten};
use super::sources::Failure;
use super::witness::Sighted;
use crate::pcap::{
    ChecksumState, Direction, InterfaceInfo, InterfaceStatistics, LinkType, PacketRecord, Writer,
};

/// The matcher, whoever holds it.
pub(super) fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the tap sees: to the matcher, and into the file where there is one.
pub(super) struct Tee {
    pub writer: Option<Writer<File>>,
    pub exchange: Arc<Mutex<Exchange>>,
    /// Link types of the interfaces, by their number.
    pub links: Vec<LinkType>,
    pub sender: Sender<Seen>,
    /// Takes the packets that were seen to go out, each before its [`Seen::Sighting`], where somebody compares them.
    pub sighted: Option<Sender<Sighted>>,
    pub unwritten: Unwritten,
}

impl Sink for Tee {
    fn interface(&mut self, interface: &InterfaceInfo) -> Result<u32, Failure> {
        self.links.push(interface.link_type);
        match &mut self.writer {
            Some(writer) => Ok(writer.add_interface(interface)?),
            None => Ok(u32::try_from(self.links.len() - 1).unwrap_or(u32::MAX)),
        }
    }

    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), Failure> {
        if let Some(writer) = &mut self.writer {
            writer.write_packet(record)?;
            self.unwritten.took(writer.bytes(), record.data.len());
        }
        let link = usize::try_from(record.interface).ok().and_then(|i| self.links.get(i));
        let link_type = link.map_or(u32::MAX, |l| l.0);
        let mut exchange = lock(&self.exchange);
        let seen = exchange.take(&Record {
            link_type,
            time_ns: record.timestamp_ns,
            outgoing: record.direction == Direction::Outbound,
            bytes: record.data,
        });
        if let (Seen::Sighting(_), Some(sighted)) = (&seen, &self.sighted) {
            let _ = sighted.send(Sighted {
                link_type,
                bytes: record.data.to_vec(),
                original: usize::try_from(record.original_length).unwrap_or(usize::MAX),
                left_to_card: record.checksum == ChecksumState::NotComputed,
            });
        }
        if !matches!(seen, Seen::Unrelated | Seen::Stray) {
            // Fails only when nobody waits for it any more.
            let _ = self.sender.send(seen);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let flushed = writer.flush();
        self.unwritten.settle(writer.bytes_written());
        Ok(flushed?)
    }

    fn lost(&self) -> Lost {
        self.unwritten.lost()
    }

    fn finish(&mut self, statistics: &[InterfaceStatistics]) -> Result<(), Failure> {
        let flushed = self.flush();
        if let Some(writer) = self.writer.take() {
            flushed?;
            writer.finish(statistics)?;
        }
        Ok(())
    }
}
