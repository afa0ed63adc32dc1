//! Real packets between the two namespaces of the lab, made without root.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here")]

#[path = "common/net.rs"]
mod common;

use common::*;
use rawbench::net::{self, Checksum, Direction, Door, PacketSocket};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Long enough for a machine that does much else; what comes sooner is taken at once.
const PATIENCE: Duration = Duration::from_secs(8);

fn lab_interface(door: &Door) -> u32 {
    net::interfaces(door).unwrap().into_iter().find(|i| i.name == net::YOU_INTERFACE).unwrap().index
}

/// A packet socket on the interface of the lab.
fn capture(door: &Door) -> PacketSocket {
    let socket = door.packet().unwrap();
    socket.bind(Some(lab_interface(door))).unwrap();
    socket
}

fn send(door: &Door, packet: &[u8], to: IpAddr) {
    let socket = if to.is_ipv4() { door.raw_send_v4() } else { door.raw_send_v6() }.unwrap();
    socket.send(packet, to, None).unwrap();
}

/// Sends a SYN, and gives it as the capture saw it, and its answer.
fn probe(door: &Door, from: IpAddr, to: IpAddr, ports: (u16, u16), patience: Duration) -> Vec<Seen> {
    let socket = capture(door);
    send(door, &syn(from, to, ports.0, ports.1, 1000), to);
    let ours = |seen: &Seen| seen.tcp().is_some_and(|(a, b, _)| (a, b) == ports || (b, a) == ports);
    let seen = collect(
        |batch, time| socket.receive(batch, time),
        patience,
        |seen| seen.iter().filter(|s| ours(s)).count() >= 2,
    );
    // The kernel's RST to the SYN-ACK, which may be there too, is of no interest.
    seen.into_iter().filter(|s| ours(s)).take(2).collect()
}

fn now_ns() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn an_open_port_answers_a_syn_and_a_closed_one_resets_it() {
    let Some((_child, door)) = lab("an_open_port_answers_a_syn") else { return };
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        for (port, flags) in [(80, 0x12), (7, 0x12), (9, 0x12), (81, 0x14)] {
            let before = now_ns();
            let seen = probe(&door, you, server, (40000 + port, port), PATIENCE);
            assert_eq!(seen.len(), 2, "port {port} of {server}: {seen:?}");
            assert_eq!(seen[0].tcp().unwrap(), (40000 + port, port, 0x02));
            assert_eq!(seen[0].direction, Direction::Outgoing);
            assert_eq!(seen[1].tcp().unwrap(), (port, 40000 + port, flags));
            assert_eq!(seen[1].direction, Direction::Incoming);
            for packet in &seen {
                assert_ne!(packet.checksum, Checksum::NotComputed, "port {port} of {server}");
                assert_eq!(packet.original, packet.bytes.len());
                assert!(
                    packet.time_ns >= before && packet.time_ns <= now_ns(),
                    "the kernel's time is a sane one"
                );
            }
            assert!(seen[1].time_ns > seen[0].time_ns);
        }
    }
}

#[test]
fn the_checksum_of_a_syn_ack_is_whole() {
    let Some((_child, door)) = lab("the_checksum_of_a_syn_ack_is_whole") else { return };
    let seen = probe(&door, YOU, SERVER, (41000, 80), PATIENCE);
    let (_, tcp) = seen[1].transport().unwrap();
    let mut covered = vec![10, 77, 0, 2, 10, 77, 0, 1, 0, 6];
    let length = word(&seen[1].bytes, 14 + 2) - 20;
    covered.extend(length.to_be_bytes());
    covered.extend(&tcp[..usize::from(length)]);
    assert_eq!(checksum(&covered), 0);
}

#[test]
fn the_silent_port_is_silent() {
    let Some((_child, door)) = lab("the_silent_port_is_silent") else { return };
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        let seen = probe(&door, you, server, (42000, net::SILENT_PORT), Duration::from_millis(400));
        assert_eq!(seen.len(), 1, "{server}: {seen:?}");
    }
}

#[test]
fn echo_answers_over_udp_and_icmp() {
    let Some((_child, door)) = lab("echo_answers_over_udp_and_icmp") else { return };
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        let socket = capture(&door);
        send(&door, &udp(you, server, 43000, 7, b"hello"), server);
        send(&door, &udp(you, server, 43001, 81, b"nobody"), server);
        send(&door, &ping(you, server, 0x1234), server);
        let (icmp, reply, unreachable) = if you.is_ipv4() { (1, 0, 3) } else { (58, 129, 1) };
        let echoed = |s: &Seen| {
            s.transport().is_some_and(|(p, b)| {
                p == 17 && word(b, 0) == 7 && word(b, 2) == 43000 && b[8..13] == *b"hello"
            })
        };
        let replied =
            |s: &Seen| s.transport().is_some_and(|(p, b)| p == icmp && b[0] == reply && word(b, 4) == 0x1234);
        let refused = |s: &Seen| s.transport().is_some_and(|(p, b)| p == icmp && b[0] == unreachable);
        let all =
            |seen: &[Seen]| seen.iter().any(echoed) && seen.iter().any(replied) && seen.iter().any(refused);
        let seen = collect(|batch, time| socket.receive(batch, time), PATIENCE, all);
        assert!(all(&seen), "{seen:?}");
        let echo = seen.iter().find(|s| echoed(s)).unwrap();
        assert_ne!(echo.checksum, Checksum::NotComputed);
        let statistics = socket.statistics().unwrap();
        assert_eq!(statistics.dropped, 0);
        assert!(statistics.received >= seen.len() as u64);
    }
}

#[test]
fn the_ip_layer_sees_what_comes_in() {
    let Some((_child, door)) = lab("the_ip_layer_sees_what_comes_in") else { return };
    let socket = door.raw_ip(6).unwrap();
    send(&door, &syn(YOU, SERVER, 44000, 80, 7), SERVER);
    let seen = collect(|batch, time| socket.receive(batch, time), PATIENCE, |seen| !seen.is_empty());
    assert_eq!(seen[0].bytes[0], 0x45);
    assert_eq!(seen[0].tcp().unwrap(), (80, 44000, 0x12));
    assert_eq!(seen[0].interface, lab_interface(&door));
    assert_eq!(
        socket.statistics().unwrap(),
        net::Statistics { received: seen.len() as u64, dropped: 0, freezes: 0 }
    );
}

#[test]
fn loopback_shows_each_packet_once() {
    let Some((_child, door)) = lab("loopback_shows_each_packet_once") else { return };
    let lo = net::interfaces(&door).unwrap().into_iter().find(|i| i.loopback).unwrap();
    let socket = door.packet().unwrap();
    socket.bind(Some(lo.index)).unwrap();
    let here: IpAddr = "127.0.0.1".parse().unwrap();
    for number in 0..5 {
        send(&door, &ping(here, here, number), here);
    }
    let seen = collect(|batch, time| socket.receive(batch, time), Duration::from_millis(300), |_| false);
    assert_eq!(seen.len(), 10, "five requests and five replies: {seen:?}");
    assert!(seen.iter().all(|s| s.direction != Direction::Outgoing));
    assert_eq!(socket.statistics().unwrap(), net::Statistics { received: 10, dropped: 0, freezes: 0 });
}

#[test]
fn a_frame_goes_out_at_the_link_layer() {
    let Some((_child, door)) = lab("a_frame_goes_out_at_the_link_layer") else { return };
    let index = lab_interface(&door);
    let mac = net::interfaces(&door).unwrap().into_iter().find(|i| i.index == index).unwrap().mac.unwrap();
    let begun = Instant::now();
    let server = net::neighbour(&door, index, SERVER).unwrap().expect("the server answers ARP");
    assert_eq!(net::neighbour(&door, index, SERVER6).unwrap(), Some(server));
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(net::neighbour(&door, index, "10.77.0.99".parse().unwrap()).unwrap(), None);
    let socket = capture(&door);
    let mut frame = Vec::from(server);
    frame.extend(mac);
    frame.extend([8, 0]);
    frame.extend(ping(YOU, SERVER, 77));
    socket.send(&frame, index).unwrap();
    let replied = |s: &Seen| s.transport().is_some_and(|(p, b)| p == 1 && b[0] == 0 && word(b, 4) == 77);
    let seen = collect(|batch, time| socket.receive(batch, time), PATIENCE, |seen| seen.iter().any(replied));
    assert!(seen.iter().any(replied), "{seen:?}");
}

#[test]
fn a_vlan_tag_is_where_it_was() {
    let Some((_child, door)) = lab("a_vlan_tag_is_where_it_was") else { return };
    let lo = net::interfaces(&door).unwrap().into_iter().find(|i| i.loopback).unwrap();
    for index in [lo.index, lab_interface(&door)] {
        let socket = door.packet().unwrap();
        socket.bind(Some(index)).unwrap();
        let mut tagged =
            vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x60, 5, 0x08, 0];
        tagged.extend(udp(YOU, SERVER, 1, 2, b"tagged"));
        // The kernel does not show a frame to the socket that sent it.
        door.packet().unwrap().send(&tagged, index).unwrap();
        let is_tagged = |s: &Seen| s.bytes == tagged && s.original == tagged.len();
        let seen =
            collect(|batch, time| socket.receive(batch, time), PATIENCE, |seen| seen.iter().any(is_tagged));
        assert_eq!(seen.iter().filter(|s| is_tagged(s)).count(), 1, "{seen:?}");
    }
}

#[test]
fn routes_and_addresses_are_those_of_the_lab() {
    let Some((_child, door)) = lab("routes_and_addresses_are_those_of_the_lab") else { return };
    let interfaces = net::interfaces(&door).unwrap();
    assert_eq!(interfaces.len(), 2, "{interfaces:?}");
    let lab0 = interfaces.iter().find(|i| i.name == net::YOU_INTERFACE).unwrap();
    assert!(lab0.up && lab0.running && !lab0.loopback && lab0.arphrd == 1 && lab0.mtu == 1500);
    let addresses: Vec<_> = lab0.addresses.iter().map(|a| (a.ip, a.prefix)).collect();
    assert_eq!(addresses, [(YOU, 24), (YOU6, 64)]);
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        let route = net::route(&door, server).unwrap();
        assert_eq!(
            (route.source, route.interface, route.gateway, route.local),
            (you, lab0.index, None, false)
        );
        assert!(net::route(&door, you).unwrap().local);
    }
    let error = net::route(&door, "192.0.2.77".parse().unwrap()).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENETUNREACH));
    assert!(error.to_string().contains("192.0.2.77") && error.to_string().contains("route"), "{error}");
}

#[test]
fn errors_of_a_send_are_explained() {
    let Some((_child, door)) = lab("errors_of_a_send_are_explained") else { return };
    let socket = door.raw_send_v4().unwrap();
    let large = socket.send(&udp(YOU, SERVER, 1, 2, &[0; 2000]), SERVER, None).unwrap_err();
    assert_eq!(large.errno, libc::EMSGSIZE);
    assert!(large.to_string().contains("MTU of lab0, 1500 bytes"), "{large}");
    let nowhere: IpAddr = "192.0.2.77".parse().unwrap();
    assert_eq!(socket.send(&syn(YOU, nowhere, 1, 2, 3), nowhere, None).unwrap_err().errno, libc::ENETUNREACH);
    let mut longer = syn(YOU, SERVER, 1, 2, 3);
    longer[0] = 0x4f;
    let header = socket.send(&longer, SERVER, None).unwrap_err();
    assert_eq!(header.errno, libc::EINVAL, "{header}");
    let frame = door.packet().unwrap().send(&[0; 3000], lab_interface(&door)).unwrap_err();
    assert_eq!(frame.errno, libc::EMSGSIZE, "{frame}");
    let gone = door.packet().unwrap().send(&[0; 60], 9999).unwrap_err();
    assert_eq!(gone.errno, libc::ENXIO, "{gone}");
}

#[test]
fn the_kernel_tells_when_it_sent() {
    let Some((_child, door)) = lab("the_kernel_tells_when_it_sent") else { return };
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        net::neighbour(&door, lab_interface(&door), server).unwrap();
        let socket = if you.is_ipv4() { door.raw_send_v4() } else { door.raw_send_v6() }.unwrap();
        socket.keep_send_times().unwrap();
        let before = now_ns();
        for number in 0..3 {
            socket.send(&udp(you, server, 45000, 9, b"x"), server, None).unwrap();
            let sent = socket.sent_at(PATIENCE).unwrap().expect("a time of sending");
            assert_eq!(sent.number, number);
            assert!(sent.time_ns >= before && sent.time_ns <= now_ns());
        }
        assert_eq!(socket.sent_at(Duration::from_millis(5)).unwrap(), None);
    }
    let socket = door.packet().unwrap();
    socket.keep_send_times().unwrap();
    let before = now_ns();
    socket.send(&[0xff; 60], lab_interface(&door)).unwrap();
    let sent = socket.sent_at(PATIENCE).unwrap().expect("a time of sending");
    assert!(sent.number == 0 && sent.time_ns >= before && sent.time_ns <= now_ns());
}

#[test]
fn a_guard_keeps_the_kernel_from_resetting() {
    let Some((_child, door)) = lab("a_guard_keeps_the_kernel_from_resetting") else { return };
    for (port, you, server) in [(46000, YOU, SERVER), (443, YOU, SERVER), (46002, YOU6, SERVER6)] {
        let _guard = door.tcp_guard(port).unwrap();
        let socket = capture(&door);
        send(&door, &syn(you, server, port, 80, 1), server);
        let seen = collect(|batch, time| socket.receive(batch, time), Duration::from_millis(300), |_| false);
        let flags: Vec<u8> = seen.iter().filter_map(Seen::tcp).map(|(_, _, flags)| flags).collect();
        assert_eq!(flags, [0x02, 0x12], "SYN, SYN-ACK and no RST");
    }
    let socket = capture(&door);
    send(&door, &syn(YOU, SERVER, 46001, 80, 1), SERVER);
    let reset = |s: &Seen| s.tcp() == Some((46001, 80, 0x04));
    let seen = collect(|batch, time| socket.receive(batch, time), PATIENCE, |seen| seen.iter().any(reset));
    assert!(seen.iter().any(reset), "without a guard the kernel resets: {seen:?}");
}

#[test]
fn datagrams_are_echoed_and_never_go_round() {
    let Some((_child, door)) = lab("datagrams_are_echoed_and_never_go_round") else { return };
    let socket = std::net::UdpSocket::from(door.udp(false).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&[7; 1200], (SERVER, 7)).unwrap();
    let mut buffer = [0; 2000];
    assert_eq!(socket.recv_from(&mut buffer).unwrap().0, 1200);
    // A datagram from one service to another does not go round for ever.
    let capture = capture(&door);
    send(&door, &udp(YOU, SERVER, 7, 7, b"round"), SERVER);
    let seen = collect(|batch, time| capture.receive(batch, time), Duration::from_millis(200), |_| false);
    let replies = seen.iter().filter(|s| s.transport().is_some_and(|(p, b)| p == 17 && word(b, 0) == 7));
    assert_eq!(replies.count(), 1, "ours alone: {seen:?}");
}

#[test]
fn a_stopper_ends_a_wait() {
    let Some((_child, door)) = lab("a_stopper_ends_a_wait") else { return };
    let socket = door.packet().unwrap();
    let stopper = socket.stopper();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            stopper.stop();
        });
        let mut batch = net::Batch::new(100);
        assert_eq!(socket.receive(&mut batch, Duration::from_secs(10)).unwrap(), 0);
    });
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn the_snap_length_cuts_and_the_length_is_told() {
    let Some((_child, door)) = lab("the_snap_length_cuts_and_the_length_is_told") else { return };
    let socket = capture(&door);
    net::neighbour(&door, lab_interface(&door), SERVER).unwrap();
    send(&door, &udp(YOU, SERVER, 47000, 9, &[1; 500]), SERVER);
    let mut batch = net::Batch::new(60);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline);
        socket.receive(&mut batch, Duration::from_millis(20)).unwrap();
        if let Some(packet) = batch.packets().find(|packet| packet.original == 14 + 20 + 8 + 500) {
            assert_eq!(packet.bytes.len(), 60);
            return;
        }
    }
}

#[test]
fn a_lab_is_ready_soon_and_gone_when_its_peer_is_killed() {
    let begun = Instant::now();
    let Some((mut child, door)) = lab("a_lab_is_ready_soon") else { return };
    let ready = begun.elapsed();
    assert!(ready < PATIENCE, "{ready:?}");
    drop(door);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the lab outlives its peer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One end of a TCP connection that is made by hand, without options.
struct ByHand<'a> {
    door: &'a Door,
    ends: [IpAddr; 2],
    ports: [u16; 2],
    socket: PacketSocket,
    sequence: u32,
    acknowledgment: u32,
}

impl ByHand<'_> {
    fn send(&self, flags: u8, data: &[u8]) {
        let [you, server] = self.ends;
        let mut tcp: Vec<u8> = self.ports.iter().flat_map(|port| port.to_be_bytes()).collect();
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        tcp.extend(data);
        send(self.door, &ip(you, server, 6, tcp, Some(16)), server);
    }

    /// The next segment of the server: sequence number, acknowledgment, window.
    fn hear(&self, patience: Duration) -> Option<(u32, u32, u16)> {
        let [ours, theirs] = self.ports;
        let its = |s: &Seen| s.tcp().is_some_and(|(from, to, _)| (from, to) == (theirs, ours));
        let enough = |seen: &[Seen]| seen.iter().any(its);
        let seen = collect(|batch, time| self.socket.receive(batch, time), patience, enough);
        // Of several that came at once the last one holds.
        let (_, tcp) = seen.iter().rfind(|s| its(s))?.transport()?;
        assert_eq!(tcp[13] & 0x04, 0, "no reset");
        let number = |at: usize| u32::from(word(tcp, at)) << 16 | u32::from(word(tcp, at + 2));
        Some((number(4), number(8), word(tcp, 14)))
    }
}

/// Processor time of a process in ticks of 10 ms.
fn ticks(process: &std::process::Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A few hundred bytes.
const TINY: u16 = 600;

#[test]
fn the_window_of_the_tiny_port_is_tiny_closes_and_opens_again() {
    let Some((child, door)) = lab("the_window_of_the_tiny_port_is_tiny") else { return };
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        let ports = [48000, net::TINY_WINDOW_PORT];
        // Without the guard the kernel would reset the connection.
        let _guard = door.tcp_guard(ports[0]).unwrap();
        let socket = capture(&door);
        let mut end =
            ByHand { door: &door, ends: [you, server], ports, socket, sequence: 1000, acknowledgment: 0 };
        end.send(0x02, &[]);
        let (first, acknowledged, mut window) = end.hear(PATIENCE).unwrap();
        assert_eq!(acknowledged, 1001);
        // 589 here; how much a kernel makes of the smallest buffer may change a little.
        assert!((1..=TINY).contains(&window), "the SYN-ACK of {server} says {window}");
        (end.sequence, end.acknowledgment) = (acknowledged, first.wrapping_add(1));
        end.send(0x10, &[]);
        let (begun, before) = (Instant::now(), ticks(&child));
        let mut sent = 0;
        while window > 0 {
            assert!(window <= TINY && begun.elapsed() < PATIENCE, "{window} bytes after {sent}");
            let length = usize::from(window).min(200);
            end.send(0x18, &[7; 200][..length]);
            // What finds no room is dropped in silence and sent again.
            if let Some((_, acknowledged, now)) = end.hear(Duration::from_millis(300)) {
                sent += acknowledged.wrapping_sub(end.sequence);
                (end.sequence, window) = (acknowledged, now);
            }
        }
        assert!((300..4000).contains(&sent), "{sent} bytes fill it");
        let (_, acknowledged, window) = end.hear(PATIENCE).expect("an update of the window, unasked");
        assert_eq!(acknowledged, end.sequence);
        assert!((1..=TINY).contains(&window), "{window}");
        let (ticks, time) = (ticks(&child) - before, begun.elapsed().as_millis() as u64 / 10);
        assert!(ticks * 4 < time, "the server waits and does not spin: {ticks} of {time}");
    }
    for (you, server) in [(YOU, SERVER), (YOU6, SERVER6)] {
        let seen = probe(&door, you, server, (48001, 9), PATIENCE);
        let window = word(seen[1].transport().unwrap().1, 14);
        assert!(window > 10_000, "other ports have their usual window: {window}");
    }
}
