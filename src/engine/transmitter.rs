//! Sending: sockets that are opened once for each way out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::craft::Draft;

use super::sources::{Access, Failure, Via};
use crate::net::{PacketSocket, Place, RawIpSocket};

/// A frame and where its IP header begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The whole frame, link header included where the draft has one.
    pub bytes: Vec<u8>,
    /// Offset of the first network header, and the destination that stands in it.
    pub network: Option<(usize, IpAddr)>,
}

/// The frame of a draft.
#[must_use]
pub fn frame_of(draft: &Draft) -> Frame {
    let start = draft.network_layer().map(|i| draft.layers()[i].start);
    let network = start.zip(draft.network_ends()).map(|(start, (_, to))| (start, to));
    Frame { bytes: draft.bytes().to_vec(), network }
}

enum Socket {
    Ip(RawIpSocket, bool),
    Link(PacketSocket, u32),
}

impl Socket {
    fn keep_send_times(&self) -> bool {
        let kept = match self {
            Self::Ip(socket, _) => socket.keep_send_times(),
            Self::Link(socket, _) => socket.keep_send_times(),
        };
        // Where the system refuses it, the times of a capture are all there is.
        kept.is_ok()
    }

    /// Number and time of a send that is known by now.
    fn sent_at(&self) -> Option<(u32, u64)> {
        let sent = match self {
            Self::Ip(socket, _) => socket.sent_at(Duration::ZERO),
            Self::Link(socket, _) => socket.sent_at(Duration::ZERO),
        };
        sent.ok().flatten().map(|s| (s.number, s.time_ns))
    }
}

/// Sends frames of one place; keeps the socket of the last way used.
#[derive(Default)]
pub struct Transmitter {
    open: Option<(Place, Via, Socket)>,
    keep_times: bool,
    /// What the sends of the open socket were called, in their order.
    names: VecDeque<u64>,
    /// The kernel's number of the first of them.
    first: u32,
}

impl Transmitter {
    /// One that keeps the kernel's times of sending, where the driver tells them. They have to be fetched with
    /// [`Transmitter::sent_times`].
    #[must_use]
    pub fn with_times() -> Self {
        Self { keep_times: true, ..Self::default() }
    }

    /// Calls the frame that was sent last by a name, for [`Transmitter::sent_times`].
    pub fn name_last(&mut self, name: u64) {
        if self.keep_times {
            self.names.push_back(name);
        }
    }

    /// Fetches the times of sending that are known by now: name and nanoseconds since 1970.
    pub fn sent_times(&mut self) -> Vec<(u64, u64)> {
        let mut times = Vec::new();
        let Some((.., socket)) = self.open.as_ref().filter(|_| self.keep_times) else { return times };
        while let Some((number, time_ns)) = socket.sent_at() {
            let at = usize::try_from(number.wrapping_sub(self.first)).unwrap_or(usize::MAX);
            let Some(name) = self.names.get(at) else { continue };
            times.push((*name, time_ns));
            // They come in the order of the sends: those before it were lost.
            self.names.drain(..=at);
            self.first = number.wrapping_add(1);
        }
        times
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The missing privilege with the ways to it; the kernel's refusal in plain words.
    pub fn send(
        &mut self,
        access: &Access,
        place: &Place,
        via: &Via,
        frame: &Frame,
    ) -> Result<usize, Failure> {
        let v6 = matches!(frame.network, Some((_, IpAddr::V6(_))));
        let link = match (via, frame.network) {
            (Via::Ip, Some((_, to))) => access.link_of(place, to)?.map(|interface| interface.index),
            _ => None,
        };
        let fits = |(p, v, s): &(Place, Via, Socket)| {
            p == place && v == via && !matches!(s, Socket::Ip(_, is_v6) if *is_v6 != v6)
        };
        let kept = self.open.take().filter(fits);
        let (_, _, socket) = match kept {
            Some(kept) => self.open.insert(kept),
            None => {
                let socket = open(access, place, via, v6)?;
                self.names.clear();
                self.first = 0;
                self.keep_times = self.keep_times && socket.keep_send_times();
                self.open.insert((place.clone(), via.clone(), socket))
            }
        };
        let sent = match (&socket, frame.network) {
            (Socket::Link(socket, index), _) => socket.send(&frame.bytes, *index).map(|()| frame.bytes.len()),
            (Socket::Ip(socket, _), Some((start, to))) => {
                let packet = frame.bytes.get(start..).unwrap_or_default();
                socket.send(packet, to, link).map(|()| packet.len())
            }
            (Socket::Ip(..), None) => {
                return Err(Failure::new(
                    "the packet has no IP header, so a raw IP socket cannot send it: choose an interface to send it \
                     at the link layer, or add an IP layer",
                ));
            }
        };
        // A socket that failed may be of an interface that is gone: the next send opens a new one.
        sent.map_err(|error| {
            self.open = None;
            error.into()
        })
    }
}

fn open(access: &Access, place: &Place, via: &Via, v6: bool) -> Result<Socket, Failure> {
    let door = access.door(place)?;
    match via {
        Via::Ip if v6 => Ok(Socket::Ip(door.raw_send_v6()?, true)),
        Via::Ip => Ok(Socket::Ip(door.raw_send_v4()?, false)),
        Via::Link(name) => {
            let interface = access.interface(place, name)?;
            Ok(Socket::Link(door.packet()?, interface.index))
        }
    }
}
