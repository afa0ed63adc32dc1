#!/usr/bin/python3
"""Makes tests/oracle/corpus/fragments.pcap with scapy: datagrams in fragments, the same in every run.

Run it only to add packets (`tests/oracle/fragments.py`, from any directory); then
`RAWBENCH_UPDATE_GOLDEN=1 cargo test --test differential_fragments --test differential_corpus` stores what tshark makes
of them.
"""
import os
import random

from scapy.all import *

R = random.Random(815)
ETHER = dict(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IDS = iter(range(0x100, 0x10000))


def data(count):
    return Raw(R.randbytes(count))


def ip(**more):
    return IP(**{**dict(src="10.0.0.1", dst="10.0.0.2", id=next(IDS)), **more})


def ip6(**more):
    return IPv6(**{**dict(src="2001:db8::1", dst="2001:db8::2"), **more})


def udp(count=2000):
    return UDP(sport=9999, dport=9998) / data(count)


def built(packet):
    return packet.__class__(bytes(packet))


def cut(packet, at):
    """The fragments of an IPv4 packet, from each of these offsets to each of these ends: (start, end, ...)."""
    whole = bytes(packet)
    head, rest = whole[:(whole[0] & 15) * 4], whole[(whole[0] & 15) * 4:]
    for start, end in at:
        first = IP(head)
        first.len = first.chksum = None
        first.frag = start // 8
        first.flags = 1 if end < len(rest) else 0
        yield first / Raw(rest[start:end])


def cut6(packet, at, ident):
    """The same for IPv6: all behind the first header is fragmented."""
    packet = built(packet)
    next_header, rest = packet.nh, bytes(packet.payload)
    for start, end in at:
        head = IPv6(src=packet.src, dst=packet.dst)
        more = 1 if end < len(rest) else 0
        yield head / IPv6ExtHdrFragment(nh=next_header, offset=start // 8, m=more, id=ident) / Raw(rest[start:end])


def spans(length):
    """A random division of so many bytes."""
    inner = [n for n in range(8, length, 8)]
    at = [0] + sorted(R.sample(inner, min(len(inner), R.randrange(1, 9)))) + [length]
    return list(zip(at, at[1:]))


def on_wire(packet, tags=()):
    frame = Ether(**ETHER)
    for tag in tags:
        frame /= Dot1Q(vlan=tag)
    frame /= packet
    return Ether(bytes(frame).ljust(60, b"\0"))


def interleaved(*lists):
    lists = [list(each) for each in lists]
    while any(lists):
        for each in lists:
            if each:
                yield each.pop(0)


def packets():
    size = 2008
    halves, thirds = [(0, 1480), (1480, size)], [(0, 800), (800, 1600), (1600, size)]
    # In order, backwards, with IP options, several transports, a last fragment that is shorter than a frame.
    for transport in (udp(), TCP(sport=1, dport=2) / data(2988), ICMP() / data(2992), udp(1480)):
        yield from map(on_wire, fragment(ip() / transport, fragsize=1480))
    yield from map(on_wire, reversed(fragment(ip() / udp(5000), fragsize=1000)))
    yield from map(on_wire, cut(ip(options=[IPOption_RR(length=11, routers=["1.2.3.4", "0.0.0.0"])]) / udp(), halves))
    # A wrong checksum in the whole.
    wrong = ip() / udp()
    wrong[UDP].chksum = 0x1234
    yield from map(on_wire, cut(wrong, thirds))
    # Duplicates before and behind the end, overlaps with the same and with other bytes.
    first, middle, last = cut(ip() / udp(), thirds)
    yield from map(on_wire, [first, first, middle, first, last, last, middle])
    yield from map(on_wire, cut(ip() / udp(), [(0, 800), (400, 1200), (1200, size)]))
    yield from map(on_wire, cut(ip() / udp(), [(1200, size), (400, 1400), (0, 800)]))
    one = ip() / udp()
    other = built(one)
    other[Raw].load = R.randbytes(2000)
    (a, _, c), (_, b, _) = cut(one, thirds), cut(other, [(0, 800), (400, 1700), (1600, size)])
    yield from map(on_wire, [a, b, c])
    same = ip() / udp()
    again = built(same)
    again[Raw].load = R.randbytes(2000)
    (a, _, c), (d, e, _) = cut(same, thirds), cut(again, thirds)
    yield from map(on_wire, [a, d, e, c])
    # Two ends, and bytes past the end.
    first, middle, last = cut(ip() / udp(), thirds)
    short = built(last)
    short.len = short.chksum = None
    short[Raw].load = short[Raw].load[:100]
    yield from map(on_wire, [last, short, first, middle])
    first, middle, last = cut(ip() / udp(), thirds)
    short = built(last)
    short.len = short.chksum = None
    short[Raw].load = short[Raw].load[:100]
    yield from map(on_wire, [short, last, first, middle])
    # One is missing, then the identification is used again; two in turn; with one number but other protocols.
    number = next(IDS)
    yield from map(on_wire, list(cut(ip(id=number, src="10.9.9.9") / udp(), thirds))[1:])
    yield from map(on_wire, cut(ip(id=number) / udp(), thirds))
    yield from map(on_wire, interleaved(cut(ip() / udp(), thirds), cut(ip() / udp(), halves)))
    number = next(IDS)
    yield from map(on_wire, interleaved(cut(ip(id=number) / udp(), thirds), cut(ip(id=number) / ICMP() / data(2000), thirds)))
    # Virtual networks with one identification; a tag in a tag.
    number = next(IDS)
    tagged = [[on_wire(p, tags) for p in cut(ip(id=number) / udp(), thirds)] for tags in ([5], [6], [5, 7], [])]
    yield from interleaved(*tagged)
    # In tunnels: the packet inside, the packet outside, both.
    outer = lambda: ip(src="192.0.2.1", dst="192.0.2.2")
    yield from (on_wire(outer() / GRE() / p) for p in cut(ip() / udp(), thirds))
    yield from (on_wire(ip6() / GRE() / p) for p in cut(ip() / udp(), thirds))
    yield from map(on_wire, cut(outer() / GRE() / ip() / udp(), thirds))
    yield from (on_wire(p) for q in cut(ip() / udp(), thirds) for p in cut(outer() / GRE() / q, [(0, 400), (400, len(q) + 4)]))
    # A fragment that is quoted is none that comes by.
    yield on_wire(ip() / ICMP(type=3, code=4) / next(cut(ip() / udp(), thirds)))
    # IPv6: in order, backwards, other headers around, interleaved, twice, in a tunnel, missing.
    ident = 0
    for packet in (ip6() / udp(), ip6() / TCP() / data(3000), ip6() / ICMPv6EchoRequest(data=R.randbytes(2000))):
        ident += 1
        pieces = list(cut6(packet, spans(len(bytes(packet)) - 40), ident))
        yield from map(on_wire, pieces)
        ident += 1
        for piece in pieces:
            piece[IPv6ExtHdrFragment].id = ident
        yield from map(on_wire, reversed(pieces))
    head = ip6() / IPv6ExtHdrHopByHop(options=[RouterAlert()])
    yield from map(on_wire, fragment6(head / IPv6ExtHdrFragment(id=77) / IPv6ExtHdrDestOpt() / udp(), 1280))
    six = lambda ident, at: cut6(ip6() / udp(), at, ident)
    yield from map(on_wire, interleaved(six(80, thirds), six(81, halves)))
    first, middle, last = six(82, thirds)
    yield from map(on_wire, [first, first, last, middle])
    yield from (on_wire(outer() / p) for p in six(83, thirds))
    yield from map(on_wire, cut(outer() / ip6() / udp(), thirds))
    yield from map(on_wire, list(six(84, thirds))[:2])
    # A fragment of itself alone is a datagram, RFC 6946.
    yield on_wire(ip6() / IPv6ExtHdrFragment(id=85) / udp(100))
    # Anything in any order.
    shuffled = []
    for number in range(30):
        packet = R.choice([ip(), ip6()]) / R.choice([udp, lambda n: ICMP() / data(n)])(R.randrange(40, 2500))
        head = 20 if IP in packet else 40
        at = spans(len(bytes(packet)) - head)
        shuffled += cut(packet, at) if IP in packet else cut6(packet, at, 1000 + number)
    R.shuffle(shuffled)
    yield from map(on_wire, shuffled)
    # Where the rules are kept that Wireshark does not keep: an overlap in IPv6.
    yield from map(on_wire, six(90, [(0, 800), (400, 1200), (1200, size)]))


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "fragments.pcap")
    made = list(packets())
    for position, packet in enumerate(made):
        packet.time = 1_700_000_000 + position / 1000
    wrpcap(path, made)
    print(len(made), "packets")
