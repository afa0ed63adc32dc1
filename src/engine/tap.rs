//! Where a recorder's packets come from: sockets, with a ring where one can be had.

use std::time::{Duration, Instant};

use super::sources::{Access, Failure, Listen, Source};
use crate::net::{self, Batch, Instruction, PacketSocket, Packets, RETIRE, RawIpSocket, Ring, Stopper};

/// How often an interface that is away is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a capture listens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What an interface hears for others too. Not on loopback, and not on all interfaces at once.
    pub promiscuous: bool,
    /// Bytes kept of each packet.
    pub snap: usize,
    /// Bytes of the ring that packets come through; `None`: a call to the system for each few packets.
    pub ring: Option<usize>,
    /// A program of classic BPF that the kernel runs on each packet at the link layer; empty: none. What it gives for a
    /// packet that is wanted must be at least `snap`.
    pub filter: Vec<Instruction>,
    /// The filter as it was typed, for the file (`if_filter`).
    pub filter_text: Option<String>,
}

impl Settings {
    /// Whole packets, without a ring: for a few packets that are waited for.
    #[must_use]
    pub fn plain(promiscuous: bool, snap: usize) -> Self {
        Self { promiscuous, snap, ring: None, filter: Vec::new(), filter_text: None }
    }

    /// For a capture that must not lose anything: with a ring.
    #[must_use]
    pub fn capture() -> Self {
        Self { ring: Some(net::RING), ..Self::plain(true, net::SNAP_LENGTH) }
    }
}

enum Way {
    Ring(Ring),
    Packet(PacketSocket, Batch),
    Ip(RawIpSocket, Batch),
}

/// The interface that a socket is bound to.
struct Bound {
    name: String,
    index: u32,
    promiscuous: bool,
    /// While it is away: when it is looked for next.
    away: Option<Instant>,
}

/// A socket that packets come from.
pub struct Tap {
    way: Way,
    bound: Option<Bound>,
}

impl Tap {
    /// Opens what a source says. Nothing comes in before the socket is set up. `notes` takes what a person should know:
    /// that there is no ring.
    ///
    /// # Errors
    /// The missing privilege with the ways to it, an unknown interface, a filter that the kernel does not take, the
    /// system's reason.
    pub fn open(
        access: &Access,
        source: &Source,
        settings: &Settings,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Self>, Failure> {
        let door = access.door(&source.place)?;
        let snap = settings.snap;
        let interface = match &source.listen {
            Listen::Interface(name) => Some(access.interface(&source.place, name)?),
            Listen::Any => None,
            Listen::Ip(protocols) => {
                let tap = |p: &u8| Ok(Self { way: Way::Ip(door.raw_ip(*p)?, Batch::new(snap)), bound: None });
                return protocols.iter().map(tap).collect();
            }
            Listen::Remote(remote) => {
                return Err(Failure::new(format!("{} captures, and not this machine", remote.host)));
            }
        };
        let socket = door.packet()?;
        match settings.filter.as_slice() {
            // Without it the kernel would put whole packets into the ring.
            [] if snap < net::SNAP_LENGTH => socket.attach(&[Instruction::keep(snap)])?,
            [] => {}
            program => socket.attach(program)?,
        }
        let way = with_ring(socket, settings, notes);
        let bound = interface.map(|interface| Bound {
            promiscuous: settings.promiscuous && !interface.loopback,
            index: interface.index,
            name: interface.name,
            away: None,
        });
        let tap = Self { way, bound };
        tap.bind()?;
        Ok(vec![tap])
    }

    /// Begins to receive.
    fn bind(&self) -> Result<(), net::Error> {
        let Some(socket) = self.socket() else { return Ok(()) };
        if let Some(bound) = self.bound.as_ref().filter(|bound| bound.promiscuous) {
            socket.promiscuous(bound.index)?;
        }
        socket.bind(self.bound.as_ref().map(|bound| bound.index))
    }

    fn socket(&self) -> Option<&PacketSocket> {
        match &self.way {
            Way::Ring(ring) => Some(ring.socket()),
            Way::Packet(socket, _) => Some(socket),
            Way::Ip(..) => None,
        }
    }

    pub(super) fn stopper(&self) -> Stopper {
        match &self.way {
            Way::Ring(ring) => ring.stopper(),
            Way::Packet(socket, _) => socket.stopper(),
            Way::Ip(socket, _) => socket.stopper(),
        }
    }

    pub(super) fn receive(&mut self, timeout: Duration) -> Result<usize, net::Error> {
        match &mut self.way {
            Way::Ring(ring) => ring.receive(timeout),
            Way::Packet(socket, batch) => socket.receive(batch, timeout),
            Way::Ip(socket, batch) => socket.receive(batch, timeout),
        }
    }

    /// The packets of the last receive.
    pub(super) fn packets(&self) -> Packets<'_> {
        match &self.way {
            Way::Ring(ring) => ring.packets(),
            Way::Packet(_, batch) | Way::Ip(_, batch) => batch.packets(),
        }
    }

    /// Whether more can be received without waiting, as far as that is known.
    pub(super) fn has_more(&self) -> bool {
        match &self.way {
            Way::Ring(ring) => ring.has_more(),
            Way::Packet(_, batch) | Way::Ip(_, batch) => batch.len() == net::BATCH,
        }
    }

    /// How long a packet may be on its way through the kernel's memory before it can be received.
    pub(super) fn delay(&self) -> Duration {
        match &self.way {
            Way::Ring(_) => RETIRE * 5 / 2,
            Way::Packet(..) | Way::Ip(..) => Duration::ZERO,
        }
    }

    /// Packets that the kernel dropped until now.
    pub(super) fn dropped(&self) -> u64 {
        let statistics = match &self.way {
            Way::Ring(ring) => ring.statistics(),
            Way::Packet(socket, _) => socket.statistics(),
            Way::Ip(socket, _) => socket.statistics(),
        };
        statistics.map(|s| s.dropped).unwrap_or(0)
    }

    /// Packets in the ring that could not be read.
    pub(super) fn unreadable(&self) -> u64 {
        match &self.way {
            Way::Ring(ring) => ring.unreadable(),
            Way::Packet(..) | Way::Ip(..) => 0,
        }
    }

    /// The name that an interface has now.
    pub(super) fn name_of(&self, interface: u32) -> Option<String> {
        self.socket()?.name_of(interface)
    }

    /// Takes an error of a receive: the interface went down, or away, and is waited for. Gives what is to be said of it,
    /// or the error back if it is another one.
    pub(super) fn lose_interface(&mut self, error: net::Error) -> Result<String, net::Error> {
        let away = error.is_interface_away();
        let Some(bound) = self.bound.as_mut().filter(|_| away) else { return Err(error) };
        bound.away = Some(Instant::now());
        let (name, index) = (bound.name.clone(), bound.index);
        Ok(match self.socket().and_then(|socket| socket.link(&name)) {
            Some(link) if link.index == index => {
                format!("{name} is down: the capture goes on when it is up again")
            }
            _ => format!("{name} is gone: the capture goes on when there is one again"),
        })
    }

    /// Looks for an interface that is away, and listens to it when it is there. Gives what is to be said of it.
    ///
    /// # Errors
    /// It is there and cannot be listened to.
    pub(super) fn find_interface(&mut self) -> Result<Option<String>, net::Error> {
        let now = Instant::now();
        let Some(name) = self.bound.as_mut().filter(|b| b.away.is_some_and(|at| at <= now)).map(|bound| {
            bound.away = Some(now + LOOK_EVERY);
            bound.name.clone()
        }) else {
            return Ok(None);
        };
        let Some(link) = self.socket().and_then(|s| s.link(&name)).filter(|link| link.up) else {
            return Ok(None);
        };
        let before = self.bound.as_mut().map(|bound| std::mem::replace(&mut bound.index, link.index));
        match self.bind() {
            Ok(()) => {}
            // It went away again just now.
            Err(error) if error.is_interface_away() => return Ok(None),
            Err(error) => return Err(error),
        }
        if let Some(bound) = &mut self.bound {
            bound.away = None;
        }
        Ok(Some(match Some(link.index) == before {
            true => format!("{name} is up again: the capture goes on"),
            false => format!("there is {name} again: the capture goes on"),
        }))
    }

    /// Whether an interface is waited for.
    pub(super) fn is_away(&self) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.away.is_some())
    }
}

/// Gives a socket its ring, or goes without.
fn with_ring(socket: PacketSocket, settings: &Settings, notes: &mut Vec<String>) -> Way {
    let Some(bytes) = settings.ring else { return Way::Packet(socket, Batch::new(settings.snap)) };
    match Ring::open(socket, bytes, settings.snap) {
        Ok(ring) => Way::Ring(ring),
        Err(none) => {
            notes.push(format!(
                "{}. Packets are received without a ring, which loses some at a high rate; -B gives another size",
                none.reason.to_string().trim_end_matches('.')
            ));
            Way::Packet(none.socket, Batch::new(settings.snap))
        }
    }
}
