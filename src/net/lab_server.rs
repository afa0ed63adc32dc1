//! The services of the lab's server, all in one poll loop: HTTP on 80, echo on 7, discard on 9, and a port that
//! never answers. A fixed number of connections, each with a fixed buffer: nothing grows by what comes in.

use super::guard::{bound, drop_all};
use super::lab::SILENT_PORT;
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
    pub const WATCHED: usize = 3 + 2 + CONNECTIONS;

    /// Opens the ports in the namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (port, service) in [(80, Service::Http), (7, Service::Echo), (9, Service::Discard)] {
            let socket = bound(Type::STREAM, Protocol::TCP, port)?;
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
            let events = if connection.phase == Phase::Writing { libc::POLLOUT } else { libc::POLLIN };
            fds.push(sys::watch(connection.socket.as_fd(), events));
        }
    }

    /// How long nothing has to be done if nothing comes; without connections for ever.
    pub fn patience(&self) -> Option<Duration> {
        (!self.connections.is_empty()).then_some(Duration::from_secs(1))
    }

    /// Does what came up.
    pub fn work(&mut self, fds: &[libc::pollfd]) {
        let (listeners, rest) = fds.split_at(self.listeners.len().min(fds.len()));
        let (datagrams, connections) = rest.split_at(self.datagrams.len().min(rest.len()));
        let now = Instant::now();
        let mut ready = connections.iter();
        // Before new ones are taken, so that the order is that of `watch`.
        self.connections.retain_mut(|connection| {
            if ready.next().is_some_and(|fd| fd.revents != 0) {
                connection.since = now;
                return connection.go_on();
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
        Self { socket, service, phase, buffer: [0; 2048], pending: 0..0, tail: [0; 4], since }
    }

    /// Goes on as far as it can without waiting. Gives whether there is more to come.
    fn go_on(&mut self) -> bool {
        for _ in 0..TURN {
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
        let length = self.socket.read(&mut self.buffer)?;
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
            Service::Http | Service::Discard => {}
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
