//! The services of the lab's server, all in one poll loop: HTTP on 80, echo on 7, discard on 9, a port with a tiny
//! window, and one that never answers. A fixed number of connections, each with a fixed buffer: nothing grows by what
//! comes in.

use super::guard::{bound, drop_all};
use super::lab::{SILENT_PORT, TINY_WINDOW_PORT};
use super::sys;
use socket2::{Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// Packets or connections that one service takes in one turn, so that the others get theirs.
const TURN: usize = 32;

/// What the port with the tiny window takes at a time, and how long it rests after that: 640 bytes a second.
const SIP: usize = 32;
const REST: Duration = Duration::from_millis(50);
/// The largest segment that it takes. The kernel makes no receive buffer of less than 2304 bytes, half of which is
/// window: 1152. But the window of a SYN-ACK is a whole number of segments, and of more than half of 1152 bytes there is
/// one. Timestamps, where the other side has them, take 12 of it.
const TINY_SEGMENT: i32 = 1152 / 2 + 1 + 12;

/// What HTTP says to every request.
const PAGE: &[u8] = b"HTTP/1.0 200 OK\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 19\r\n\
    Connection: close\r\n\
    \r\n\
    This is the server\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Http,
    Echo,
    Discard,
    /// Takes little, slowly.
    Sip,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It takes what comes.
    Reading,
    /// It has bytes to write.
    Writing,
    /// It has said all and waits for the other side to close.
    Draining,
}

struct Connection {
    socket: Socket,
    service: Service,
    phase: Phase,
    buffer: [u8; 2048],
    /// What of the buffer is still to be written.
    pending: std::ops::Range<usize>,
    /// The last four bytes of an HTTP request.
    tail: [u8; 4],
    since: Instant,
    /// Until when it takes nothing.
    rest: Option<Instant>,
}

/// All sockets of the server.
pub struct Server {
    listeners: Vec<(Socket, Service)>,
    datagrams: Vec<(Socket, Service)>,
    /// Held open; nothing is ever read from them.
    _silent: [Socket; 2],
    connections: Vec<Connection>,
}

impl Server {
    /// How many descriptors it watches at most.
    pub const WATCHED: usize = 4 + 2 + CONNECTIONS;

    /// Opens the ports in the namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (port, service) in
            [(80, Service::Http), (7, Service::Echo), (9, Service::Discard), (TINY_WINDOW_PORT, Service::Sip)]
        {
            let socket = bound(Type::STREAM, Protocol::TCP, port)?;
            if service == Service::Sip {
                make_window_tiny(&socket)?;
            }
            socket.listen(128)?;
            socket.set_nonblocking(true)?;
            listeners.push((socket, service));
        }
        let mut datagrams = Vec::new();
        for (port, service) in [(7, Service::Echo), (9, Service::Discard)] {
            let socket = bound(Type::DGRAM, Protocol::UDP, port)?;
            socket.set_nonblocking(true)?;
            datagrams.push((socket, service));
        }
        let tcp = bound(Type::STREAM, Protocol::TCP, SILENT_PORT)?;
        let udp = bound(Type::DGRAM, Protocol::UDP, SILENT_PORT)?;
        drop_all(&tcp)?;
        drop_all(&udp)?;
        tcp.listen(1)?;
        Ok(Self { listeners, datagrams, _silent: [tcp, udp], connections: Vec::with_capacity(CONNECTIONS) })
    }

    /// Adds what is to be watched, in the order in which [`Self::work`] reads it.
    pub fn watch(&self, fds: &mut Vec<libc::pollfd>) {
        let full = self.connections.len() >= CONNECTIONS;
        for (socket, _) in &self.listeners {
            fds.push(sys::watch(socket.as_fd(), if full { 0 } else { libc::POLLIN }));
        }
        for (socket, _) in &self.datagrams {
            fds.push(sys::watch(socket.as_fd(), libc::POLLIN));
        }
        for connection in &self.connections {
            let events = match connection.phase {
                // What waits to be read must not end every wait at once. That it broke is told in any case.
                _ if connection.rest.is_some() => 0,
                Phase::Writing => libc::POLLOUT,
                Phase::Reading | Phase::Draining => libc::POLLIN,
            };
            fds.push(sys::watch(connection.socket.as_fd(), events));
        }
    }

    /// How long nothing has to be done if nothing comes; without connections for ever.
    pub fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        let rests =
            self.connections.iter().filter_map(|c| c.rest).map(|until| until.saturating_duration_since(now));
        let longest = Duration::from_secs(1);
        (!self.connections.is_empty()).then(|| rests.min().map_or(longest, |rest| rest.min(longest)))
    }

    /// Does what came up.
    pub fn work(&mut self, fds: &[libc::pollfd]) {
        let (listeners, rest) = fds.split_at(self.listeners.len().min(fds.len()));
        let (datagrams, connections) = rest.split_at(self.datagrams.len().min(rest.len()));
        let now = Instant::now();
        let mut ready = connections.iter();
        // Before new ones are taken, so that the order is that of `watch`.
        self.connections.retain_mut(|connection| {
            let came = ready.next().is_some_and(|fd| fd.revents != 0);
            if let Some(until) = connection.rest {
                connection.rest = Some(until).filter(|until| *until > now);
                // It was asked for nothing: only the end of the connection is told unasked.
                return !came;
            }
            if came {
                connection.since = now;
                return connection.go_on(now);
            }
            now.duration_since(connection.since) < IDLE
        });
        for ((socket, service), _) in self.datagrams.iter().zip(datagrams).filter(|(_, fd)| fd.revents != 0) {
            answer_datagrams(socket, *service);
        }
        for ((socket, service), _) in self.listeners.iter().zip(listeners).filter(|(_, fd)| fd.revents != 0) {
            for _ in 0..TURN {
                if self.connections.len() >= CONNECTIONS {
                    break;
                }
                match socket.accept() {
                    Ok((socket, _)) if socket.set_nonblocking(true).is_ok() => {
                        self.connections.push(Connection::new(socket, *service, now));
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        // Too many open files, say: it would be ready again at once.
                        std::thread::sleep(Duration::from_millis(10));
                        break;
                    }
                }
            }
        }
    }
}

/// Has a listening socket offer a window as small as the kernel makes one, from its SYN-ACK on.
fn make_window_tiny(socket: &Socket) -> io::Result<()> {
    socket.set_recv_buffer_size(1)?;
    sys::set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP, 1i32)?;
    sys::set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_MAXSEG, TINY_SEGMENT)
}

/// Sends datagrams back, or drops them.
fn answer_datagrams(socket: &Socket, service: Service) {
    let mut buffer = [MaybeUninit::<u8>::zeroed(); 65536];
    for _ in 0..TURN {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
        // A datagram from a service that answers by itself would go round for ever.
        let endless = from.as_socket().is_none_or(|address| address.port() < 20);
        if service == Service::Echo && !endless {
            let _ = socket.send_to(initialised(&buffer[..length]), &from);
        }
    }
}

#[expect(unsafe_code, reason = "a buffer that was zeroed when it was made")]
fn initialised(bytes: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: every byte of the buffer was zeroed before the kernel wrote into it.
    unsafe { &*(std::ptr::from_ref(bytes) as *const [u8]) }
}

impl Connection {
    fn new(socket: Socket, service: Service, since: Instant) -> Self {
        let phase = Phase::Reading;
        Self { socket, service, phase, buffer: [0; 2048], pending: 0..0, tail: [0; 4], since, rest: None }
    }

    /// Goes on as far as it can without waiting. Gives whether there is more to come.
    fn go_on(&mut self, now: Instant) -> bool {
        if self.service == Service::Sip {
            self.rest = Some(now + REST);
        }
        let turns = if self.rest.is_some() { 1 } else { TURN };
        for _ in 0..turns {
            let done = if self.phase == Phase::Writing { self.write() } else { self.read() };
            match done {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn read(&mut self) -> io::Result<bool> {
        let most = if self.service == Service::Sip { SIP } else { self.buffer.len() };
        let length = self.socket.read(&mut self.buffer[..most])?;
        if length == 0 {
            return Ok(false);
        }
        match self.service {
            Service::Echo => (self.phase, self.pending) = (Phase::Writing, 0..length),
            Service::Http if self.phase == Phase::Reading => {
                for byte in self.buffer.iter().take(length) {
                    self.tail.rotate_left(1);
                    self.tail[3] = *byte;
                    if self.tail == *b"\r\n\r\n" || self.tail.ends_with(b"\n\n") {
                        self.buffer[..PAGE.len()].copy_from_slice(PAGE);
                        (self.phase, self.pending) = (Phase::Writing, 0..PAGE.len());
                        break;
                    }
                }
            }
            Service::Http | Service::Discard | Service::Sip => {}
        }
        Ok(true)
    }

    fn write(&mut self) -> io::Result<bool> {
        let sent = self.socket.write(&self.buffer[self.pending.clone()])?;
        self.pending.start += sent;
        if self.pending.is_empty() {
            self.phase = Phase::Reading;
            if self.service == Service::Http {
                self.phase = Phase::Draining;
                self.socket.shutdown(std::net::Shutdown::Write)?;
            }
        }
        Ok(true)
    }
}
