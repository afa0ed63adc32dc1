//! The ring of a packet socket, on the interface of the lab, without root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

#[path = "common/net.rs"]
mod common;

use common::{SERVER, YOU, lab, udp};
use rawbench::net::{self, Door, Instruction, PacketSocket, Ring};
use std::time::{Duration, Instant};

/// Long enough for a machine that does much else; what comes sooner is taken at once.
const PATIENCE: Duration = Duration::from_secs(8);
/// An Ethernet type for experiments (IEEE 802): nothing else in the lab has it.
const OURS: u16 = 0x88b5;

fn interface(door: &Door) -> u32 {
    net::interfaces(door).unwrap().into_iter().find(|i| i.name == net::YOU_INTERFACE).unwrap().index
}

/// `ldh [12]; jeq #OURS; ret #-1; ret #0`.
fn only_ours() -> [Instruction; 4] {
    [(0x28, 0, 0, 12), (0x15, 0, 1, u32::from(OURS)), (0x06, 0, 0, u32::MAX), (0x06, 0, 0, 0)]
        .map(|(code, jt, jf, k)| Instruction { code, jt, jf, k })
}

/// A ring of two blocks that only sees frames of ours.
fn ring(door: &Door, snap: usize) -> Ring {
    let socket = door.packet().unwrap();
    socket.attach(&only_ours()).unwrap();
    let ring = Ring::open(socket, 2 << 20, snap).unwrap();
    ring.socket().bind(Some(interface(door))).unwrap();
    ring
}

/// A frame of 1400 bytes with a number in it.
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8];
    frame.extend(OURS.to_be_bytes());
    frame.extend(number.to_be_bytes());
    frame.resize(1400, 7);
    frame
}

/// The number of each packet that comes, and how many were dropped before it, until nothing comes any more.
fn rest(ring: &mut Ring) -> Vec<(u32, u64)> {
    let mut seen = Vec::new();
    while ring.receive(Duration::from_millis(200)).unwrap() > 0 {
        seen.extend(ring.packets().map(|packet| (number(packet.bytes), packet.dropped_before)));
    }
    seen
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[14..18].try_into().unwrap())
}

fn send(socket: &PacketSocket, interface: u32, numbers: std::ops::Range<u32>) {
    for number in numbers {
        socket.send(&frame(number), interface).unwrap();
    }
}

#[test]
fn drops_are_told_at_their_place() {
    let Some((_child, door)) = lab("drops_are_told_at_their_place") else { return };
    let (socket, interface) = (door.packet().unwrap(), interface(&door));
    let mut ring = ring(&door, net::SNAP_LENGTH);
    // More than the ring holds, twice, the second time while a block is half read.
    send(&socket, interface, 0..4000);
    let mut seen = Vec::new();
    assert!(ring.receive(PATIENCE).unwrap() > 0);
    seen.extend(ring.packets().map(|packet| (number(packet.bytes), packet.dropped_before)));
    let held = rest(&mut ring);
    seen.extend(held);
    send(&socket, interface, 4000..4700);
    assert!(ring.receive(PATIENCE).unwrap() > 0);
    seen.extend(ring.packets().map(|packet| (number(packet.bytes), packet.dropped_before)));
    send(&socket, interface, 4700..8000);
    seen.extend(rest(&mut ring));
    send(&socket, interface, 8000..8010);
    seen.extend(rest(&mut ring));

    assert_eq!((seen[0], seen.last().unwrap().0), ((0, 0), 8009));
    let mut told = 0;
    for pair in seen.windows(2) {
        let missing = u64::from(pair[1].0 - pair[0].0 - 1);
        assert_eq!(pair[1].1, missing, "between {} and {}", pair[0].0, pair[1].0);
        told += missing;
    }
    let statistics = ring.statistics().unwrap();
    assert_eq!((statistics.received, statistics.dropped), (seen.len() as u64, told));
    assert_eq!((told + seen.len() as u64, ring.dropped_at_end(), ring.unreadable()), (8010, 0, 0));
    assert!(told > 2000 && statistics.freezes >= 2, "{statistics:?}");
}

#[test]
fn a_ring_gives_what_a_receive_without_one_gives() {
    let Some((_child, door)) = lab("a_ring_gives_what_a_receive_without_one_gives") else { return };
    let index = interface(&door);
    net::neighbour(&door, index, SERVER).unwrap();
    let plain = door.packet().unwrap();
    let ring = Ring::open(door.packet().unwrap(), 2 << 20, 100).unwrap();
    plain.bind(Some(index)).unwrap();
    ring.socket().bind(Some(index)).unwrap();
    let mut ring = ring;
    door.raw_send_v4().unwrap().send(&udp(YOU, SERVER, 47001, 7, &[5; 300]), SERVER, None).unwrap();
    let ours = |packet: &net::Packet<'_>| {
        packet.original == 14 + 20 + 8 + 300 && packet.bytes[23] == 17 && packet.bytes[12] == 8
    };
    // Ours, and the answer of the server.
    let mut wanted = Vec::new();
    let mut batch = net::Batch::new(100);
    let deadline = Instant::now() + PATIENCE;
    while wanted.len() < 2 {
        assert!(Instant::now() < deadline);
        plain.receive(&mut batch, Duration::from_millis(20)).unwrap();
        wanted.extend(batch.packets().filter(ours).map(|packet| format!("{packet:?}")));
    }
    let mut found = Vec::new();
    while found.len() < 2 {
        assert!(Instant::now() < deadline);
        ring.receive(Duration::from_millis(20)).unwrap();
        found.extend(ring.packets().filter(ours).map(|packet| format!("{packet:?}")));
    }
    // The kernel reads its clock for each socket, where the packet has no time of its own.
    let timeless = |all: Vec<String>| -> Vec<String> {
        let one = |text: String| {
            let (before, rest) = text.split_once("time_ns: ").unwrap();
            before.to_owned() + rest.split_once(',').unwrap().1
        };
        all.into_iter().map(one).collect()
    };
    assert_eq!(timeless(found), timeless(wanted));
}

#[test]
fn vlan_tags_that_the_kernel_took_out_are_put_back() {
    let Some((_child, door)) = lab("vlan_tags_that_the_kernel_took_out_are_put_back") else { return };
    let index = net::interfaces(&door).unwrap().into_iter().find(|i| i.name == "lo").unwrap().index;
    let mut ring = Ring::open(door.packet().unwrap(), 16 << 20, net::SNAP_LENGTH).unwrap();
    ring.socket().bind(Some(index)).unwrap();
    let plain = door.packet().unwrap();
    plain.bind(Some(index)).unwrap();
    let ends = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8];
    // One tag with a priority, a service tag before another, and an outer tag of priority alone.
    let tags: [&[u16]; 3] = [&[0x8100, 0xa123], &[0x88a8, 0x2064, 0x8100, 0x0007], &[0x8100, 0xe000]];
    let sent = tags.map(|tags| {
        let mut frame = ends.to_vec();
        frame.extend(tags.iter().chain([&OURS, &0xbeef]).flat_map(|word| word.to_be_bytes()));
        frame.resize(100, 3);
        frame
    });
    for frame in &sent {
        door.packet().unwrap().send(frame, index).unwrap();
    }
    // On loopback only what comes in is taken: the kernel has taken out the outermost tag.
    let both = sent.to_vec();
    let (mut from_ring, mut from_plain) = (Vec::new(), Vec::new());
    let (deadline, mut batch) = (Instant::now() + PATIENCE, net::Batch::new(2000));
    while from_ring.len() < 3 || from_plain.len() < 3 {
        assert!(Instant::now() < deadline, "{from_ring:02x?} {from_plain:02x?}");
        ring.receive(Duration::from_millis(20)).unwrap();
        from_ring.extend(ring.packets().map(|packet| packet.bytes.to_vec()));
        plain.receive(&mut batch, Duration::from_millis(20)).unwrap();
        from_plain.extend(batch.packets().map(|packet| packet.bytes.to_vec()));
    }
    assert_eq!((from_ring, from_plain), (both.clone(), both));
}

#[test]
fn a_stopper_ends_a_wait_for_a_ring() {
    let Some((_child, door)) = lab("a_stopper_ends_a_wait_for_a_ring") else { return };
    let mut ring = ring(&door, 100);
    let (stopper, begun) = (ring.stopper(), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            stopper.stop();
        });
        assert_eq!(ring.receive(Duration::from_secs(10)).unwrap(), 0);
    });
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_socket_without_its_ring_still_receives() {
    let Some((_child, door)) = lab("a_socket_without_its_ring_still_receives") else { return };
    let socket = door.packet().unwrap();
    socket.attach(&only_ours()).unwrap();
    // More blocks than the kernel counts.
    let none = Ring::open(socket, usize::MAX >> 1, 100).unwrap_err();
    assert!(none.reason.to_string().starts_with("cannot have a ring of"), "{}", none.reason);
    none.socket.bind(Some(interface(&door))).unwrap();
    send(&door.packet().unwrap(), interface(&door), 0..1);
    let mut batch = net::Batch::new(100);
    assert_eq!(none.socket.receive(&mut batch, PATIENCE).unwrap(), 1);
    assert_eq!(number(batch.packets().next().unwrap().bytes), 0);
}
