//! The sockets that a stream goes out by, and the kernel's times of what went out.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::sources::{Access, Failure, Via};
use crate::net::{Outlet, Parcel, Place, SendError, no_way};

/// What a socket sent, in its order.
#[derive(Default)]
struct Names {
    names: VecDeque<u64>,
    /// The kernel's number of the first of them.
    first: u32,
}

struct Exit {
    outlet: Outlet,
    /// The kernel keeps its times; what was sent and is not told yet.
    names: Option<Mutex<Names>>,
}

/// The sockets of a stream.
pub struct Exits(Vec<Exit>);

/// How they are to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// There are IPv4 packets, IPv6 packets: each has a raw IP socket of its own.
    pub versions: [bool; 2],
    /// Past the queue of the interface.
    pub bypass: bool,
    /// The interface of IPv6 destinations that every link has for itself.
    pub scope: Option<u32>,
    /// The kernel keeps the times of sending, where the driver tells them.
    pub times: bool,
}

impl Exits {
    /// Opens them.
    ///
    /// # Errors
    /// The missing privilege with the ways to it; no such interface.
    pub fn open(access: &Access, place: &Place, via: &Via, wanted: Wanted) -> Result<Self, Failure> {
        let door = access.door(place)?;
        let mut outlets = Vec::new();
        match via {
            Via::Link(name) => {
                let interface = access.interface(place, name)?;
                outlets.push(Outlet::link(door.packet()?, interface.index, wanted.bypass)?);
            }
            Via::Ip => {
                let [v4, v6] = wanted.versions;
                if v4 {
                    outlets.push(Outlet::ip(door.raw_send_v4()?, false, None)?);
                }
                if v6 {
                    outlets.push(Outlet::ip(door.raw_send_v6()?, true, wanted.scope)?);
                }
            }
        }
        let exit = |outlet: Outlet| {
            let kept = wanted.times && outlet.keep_send_times().is_ok();
            Exit { names: kept.then(Mutex::default), outlet }
        };
        Ok(Self(outlets.into_iter().map(exit).collect()))
    }

    /// Hands packets to the kernel, as many as one socket takes of the first of them. Gives how many it took. `numbers`:
    /// what each of them is called by [`Self::sent_times`].
    ///
    /// # Errors
    /// As [`Outlet::send`]; `EAFNOSUPPORT` when there is no socket for the first one.
    pub fn send(&self, parcels: &[Parcel<'_>], number: u64) -> io::Result<usize> {
        let first = parcels.first().and_then(|p| p.to);
        let Some(exit) = self.0.iter().find(|e| e.outlet.takes(first)) else {
            return Err(no_way());
        };
        let same = parcels.iter().take_while(|p| exit.outlet.takes(p.to)).count();
        let Some(names) = &exit.names else { return exit.outlet.send(&parcels[..same]) };
        // Named before it is known to anybody that they were sent.
        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = exit.outlet.send(&parcels[..same])?;
        names.names.extend(number..number + sent as u64);
        Ok(sent)
    }

    /// Waits until the socket that takes this packet takes more, or the time is over.
    pub fn wait(&self, parcel: Parcel<'_>, timeout: Duration) {
        if let Some(exit) = self.0.iter().find(|e| e.outlet.takes(parcel.to)) {
            exit.outlet.wait(timeout);
        }
    }

    /// The error of [`Self::send`] for this packet, in words.
    pub fn explain(&self, error: &io::Error, parcel: Parcel<'_>) -> Failure {
        match self.0.iter().find(|e| e.outlet.takes(parcel.to)) {
            Some(exit) => Failure::from(exit.outlet.explain(error, parcel)),
            None => Failure::new(
                "the packet has no IP header, so a raw IP socket cannot send it: choose an interface to send it at the \
                 link layer, or add an IP layer",
            ),
        }
    }

    /// The times of sending that are known by now and were not told yet: number and nanoseconds since 1970.
    pub fn sent_times(&self) -> Vec<(u64, u64)> {
        let mut times = Vec::new();
        for exit in &self.0 {
            let Some(names) = &exit.names else { continue };
            let names = &mut *names.lock().unwrap_or_else(PoisonError::into_inner);
            while let Ok(Some(sent)) = exit.outlet.sent_at(Duration::ZERO) {
                let at = usize::try_from(sent.number.wrapping_sub(names.first)).unwrap_or(usize::MAX);
                let Some(name) = names.names.get(at) else { continue };
                times.push((*name, sent.time_ns));
                // They come in the order of the sends: those before it were lost.
                names.names.drain(..=at);
                names.first = sent.number.wrapping_add(1);
            }
        }
        times
    }
}

/// The short name of a system error, to count by.
pub(super) fn kind_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => SendError::name_of(number).map_or_else(|| format!("errno {number}"), str::to_owned),
        None => error.kind().to_string(),
    }
}
