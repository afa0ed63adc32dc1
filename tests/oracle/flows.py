#!/usr/bin/python3
"""Makes the captures of tests/oracle/flows: connections in which everything happens that the flow table tells of, the same
in every run. `told.pcap`: one thing after the other, as real stacks do it. `random.pcap`: all of it at random, and what no
stack does.

Run it only to add packets (`tests/oracle/flows.py`, from any directory); then
`RAWBENCH_UPDATE_GOLDEN=1 cargo test --test differential_flows` stores what tshark makes of them.
"""
import os
import random
import struct

R = random.Random(9293)
MS = 1_000_000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def scale(shift):
    return bytes([1, 3, 3, shift])


MSS = b"\x02\x04\x05\xb4"


def sack(*blocks):
    return b"\x01\x01\x05" + bytes([2 + 8 * len(blocks)]) + b"".join(struct.pack(">II", *b) for b in blocks)


def mptcp(subtype):
    return bytes([30, 4, subtype << 4, 0])


def ip(src, dst, proto, rest, more=0):
    if len(src) == 16:
        return struct.pack(">IHBB", 6 << 28, len(rest), proto, 64) + src + dst + rest
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(rest), 1, more << 13, 64, proto, 0) + src + dst + rest


def ether(packet, tags=()):
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    for tag in reversed(tags):
        packet, kind = struct.pack(">HH", tag, kind) + packet, 0x8100
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]) + struct.pack(">H", kind) + packet


def v4(last):
    return bytes([10, 0, 0, last])


def v6(last):
    return bytes.fromhex("20010db8") + bytes(11) + bytes([last])


class Capture:
    def __init__(self, name):
        self.path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flows", name)
        self.now = 1_700_000_000 * 1000 * MS
        self.packets = []

    def add(self, frame, wait=MS, keep=100):
        self.now += wait
        self.packets.append((self.now, frame[:keep], len(frame)))

    def write(self):
        with open(self.path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
            for time, data, length in self.packets:
                out.write(struct.pack("<IIII", time // (1000 * MS), time % (1000 * MS), len(data), length) + data)


class Connection:
    """Both ends; `send(0, …)` is the client."""

    def __init__(self, out, port, isn=(1000, 5000), ends=None, wrap=None, shifts=(7, 7), window=(502, 502)):
        self.out, self.port, self.wrap = out, port, wrap or ether
        self.ends = ends or (v4(1), v4(2))
        self.next, self.shifts, self.window = list(isn), shifts, list(window)
        self.acked = [0, 0]

    def segment(self, end, seq, ack, flags, options=b"", data=b"", window=None):
        options += bytes(-len(options) % 4)
        ports = (self.port, 80) if end == 0 else (80, self.port)
        words = struct.pack(">HHIIHH", *ports, seq % 2**32, ack % 2**32, (5 + len(options) // 4) << 12 | flags,
                            self.window[end] if window is None else window)
        return ip(self.ends[end], self.ends[1 - end], 6, words + bytes(4) + options + data)

    def send(self, end, flags=ACK, data=0, wait=MS, options=b"", window=None, seq=None, ack=None, lost=False):
        """A segment at the present numbers, or at others; a lost one moves them all the same."""
        if window is not None:
            self.window[end] = window
        if ack is None:
            ack = self.acked[end] = self.next[1 - end] if flags & ACK else 0
        at = self.next[end] if seq is None else seq
        packet = self.segment(end, at, ack, flags, options, bytes(data), window)
        if seq is None:
            self.next[end] += data + (1 if flags & (SYN | FIN) else 0)
        if not lost:
            self.out.add(self.wrap(packet), wait)

    def open(self):
        for end, flags in ((0, SYN), (1, SYN | ACK)):
            shift = self.shifts[end]
            self.send(end, flags, options=MSS + (scale(shift) if shift is not None else b""), wait=5 * MS)
        self.send(0)
        return self

    def close(self):
        self.send(0, FIN | ACK)
        self.send(1, FIN | ACK)
        self.send(0)


def losses(out):
    c = Connection(out, 40001).open()
    c.send(0, PSH | ACK, 100)
    c.send(1)
    hole = c.next[0]
    c.send(0, ACK, 100, lost=True)
    for n in range(4):  # duplicate acknowledgments, then a fast retransmission
        c.send(0, ACK, 100)
        c.send(1, ack=hole, options=sack((hole + 100, hole + 200 + 100 * n)))
    c.send(0, ACK, 100, seq=hole)
    c.send(1)
    hole = c.next[0]
    c.send(0, PSH | ACK, 100)
    c.send(0, PSH | ACK, 100, seq=hole, wait=300 * MS)  # after its time
    c.send(1)
    c.send(0, PSH | ACK, 100, seq=hole, wait=10 * MS)  # and for nothing
    c.send(1)
    late = c.next[0]
    c.send(0, ACK, 100, lost=True)
    c.send(0, ACK, 100)
    c.send(0, ACK, 100, seq=late)  # behind a later one
    c.send(1, wait=20 * MS)
    c.send(1, ACK, 200, lost=True)
    c.send(0)  # acknowledges what was not captured
    c.send(1, ACK, 200, lost=True)
    c.send(0)
    c.close()


def windows(out):
    c = Connection(out, 40002, shifts=(2, 3), window=(1000, 25)).open()
    c.send(1)
    c.send(0, PSH | ACK, 100)
    c.send(0, PSH | ACK, 100)  # as much as it takes
    c.send(1, window=0)
    for _ in range(3):
        c.send(0, ACK, 1, seq=c.next[0], wait=200 * MS)  # probes
        c.send(1, ack=c.next[0])
    c.send(1, window=25)
    c.send(0, PSH | ACK, 50)
    c.send(1)
    c.send(1, window=30)
    c.send(1, window=30)
    for data in (0, 1):
        for _ in range(2):
            c.send(0, ACK, data, seq=c.next[0] - 1, wait=1000 * MS)  # still there?
            c.send(1)
    c.close()
    for n, shifts in enumerate([(None, 7), (7, None), (None, None), (14, 15), (0, 0)]):
        c = Connection(out, 40010 + n, shifts=shifts, window=(300, 700)).open()
        c.send(0, PSH | ACK, 10)
        c.send(1)
        c.close()


def many_in_flight(out):
    c = Connection(out, 40003, isn=(2**32 - 250, 2**32 - 10)).open()  # numbers begin again at 0
    for n in range(12):
        c.send(0, (PSH if n % 5 == 4 else 0) | ACK, 50)
    c.send(1, ack=c.next[0] - 320)
    c.send(1, ack=c.next[0] - 100)
    c.send(1, PSH | ACK, 40)
    c.send(0)
    c.send(1)
    c.close()
    c = Connection(out, 40003, isn=(2**31 - 20, 77)).open()
    for _ in range(3):
        c.send(0, PSH | ACK, 30)
        c.send(1)
    c.send(0, RST, 0)
    c = Connection(out, 40003, isn=(5, 6)).open()  # the ports again
    c.send(0, SYN, seq=5, wait=1000 * MS)
    c.send(1, RST | ACK)


def odd(out):
    c = Connection(out, 40004)  # begins in the midst
    c.send(0, PSH | ACK, 10)
    c.send(1, PSH | ACK, 20)
    c.send(0)
    c.send(0, FIN | ACK)
    c.send(0, FIN | ACK, seq=c.next[0] - 1, wait=300 * MS)
    c.send(1, FIN | ACK)
    c = Connection(out, 40005)  # both begin
    c.send(0, SYN, options=scale(3))
    c.send(1, SYN, options=scale(4))
    c.send(0, SYN | ACK, seq=c.next[0] - 1, options=scale(3))
    c.send(1, SYN | ACK, seq=c.next[1] - 1, options=scale(4))
    c.send(0)
    c.send(0, PSH | ACK, 10)
    c.send(1, RST | ACK)
    c = Connection(out, 40006)  # nobody there
    for wait in (0, 1000, 2000):
        c.send(0, SYN, seq=1000, wait=wait * MS)
    c.send(1, RST | ACK, seq=0, ack=1001)
    c = Connection(out, 40007)  # data with the SYN
    c.send(0, SYN, 20)
    c.send(1, SYN | ACK)
    c.send(0)
    c = Connection(out, 80, ends=(v4(3), v4(3)))  # to itself, at the same port
    c.open().send(0, PSH | ACK, 5)
    c.send(1)
    c = Connection(out, 40008)
    c.send(0, SYN, options=mptcp(0))
    c.send(1, SYN | ACK, options=mptcp(0))
    c.send(0, options=mptcp(0))
    c.send(0, PSH | ACK, 10, options=mptcp(2))
    c.send(1, options=mptcp(2))
    c.send(1, options=mptcp(3))
    c.send(1, options=mptcp(3))
    c.send(1, options=mptcp(5))
    c.close()


def carried(out):
    six = (v6(1), v6(2))
    c = Connection(out, 40001, ends=six).open()
    c.send(0, PSH | ACK, 30)
    c.send(1)
    c.close()
    # A tag tells no flows apart.
    c = Connection(out, 40020, wrap=lambda p: ether(p, (5,))).open()
    c.wrap = lambda p: ether(p, (6, 7))
    c.send(0, PSH | ACK, 30)
    c.send(1)
    c.wrap = lambda p: ether(ip(v4(8), v4(9), 4, p))
    c.close()
    c = Connection(out, 40021, wrap=lambda p: ether(datagram(v4(8), v4(9), 4789, 4789, VXLAN + ether(p)))).open()
    c.send(0, PSH | ACK, 30)
    c.close()
    c = Connection(out, 40022).open()
    lost = c.segment(0, c.next[0], c.next[1], ACK, data=bytes(40))
    for length in (28, 36, 40, 80):
        out.add(ether(ip(v4(9), v4(1), 1, b"\x0b\0\0\0" + bytes(4) + lost[:length])))
    c.send(0, PSH | ACK, 40)
    c = Connection(out, 40023, ends=six).open()
    lost = c.segment(0, c.next[0], c.next[1], ACK, data=bytes(40))
    for length in (48, 60, 100):
        out.add(ether(ip(v6(9), v6(1), 58, b"\x03\0\0\0" + bytes(4) + lost[:length])))
    c.send(0, PSH | ACK, 40)
    # A fragment says no length.
    packet = c.segment(0, 1, 1, ACK, data=bytes(16))
    out.add(ether(ip(v4(1), v4(2), 6, packet[40:], more=1)))
    for length in (8, 12, 14, 16, 18, 20, 22, 24):
        packet = ether(Connection(out, 40024).segment(0, 7, 8, SYN, MSS + scale(5), bytes(9)))
        out.add(packet, keep=34 + length)


VXLAN = bytes([8, 0, 0, 0, 0, 0, 7, 0])


def datagram(src, dst, sport, dport, data, proto=17):
    return ip(src, dst, proto, struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data)


def datagrams(out):
    for n in range(4):
        there = datagram(v4(1), v4(2), 4000 + n % 2, 4100, bytes(n))
        back = datagram(v4(2), v4(1), 4100, 4000 + n % 2, bytes(5))
        out.add(ether(there))
        out.add(ether(back), wait=7 * MS)
        out.add(ether(ip(v4(9), v4(1), 1, b"\x03\x03\0\0" + bytes(4) + there)))
        out.add(ether(datagram(v6(1), v6(2), 4000, 4100, bytes(3))))
        out.add(ether(datagram(v4(1), v4(2), 4000, 4100, bytes(3), 136)))


class Chaos:
    """An end does what comes to its mind."""

    def __init__(self, number):
        ends = (v6(1), v6(2)) if number % 3 == 2 else (v4(1), v4(2))
        isn = [R.choice([0, 1, 2**32 - 16, 2**32 - 256, 2**31 - 256, R.getrandbits(32)]) for _ in "ab"]
        self.c = Connection(None, 41000 + number % 2, isn, ends, shifts=[R.choice([None, 0, 2, 7, 14]) for _ in "ab"])
        self.c.window = [R.choice([10, 100, 1000, 65535]) for _ in "ab"]
        self.isn, self.sent, self.begun = isn, [[], []], 0

    def options(self, end):
        shift = self.c.shifts[end]
        return scale(shift) if shift is not None else b""

    def step(self):
        c, end, r = self.c, R.randrange(2), R.random()
        self.begun += 1
        if self.begun <= 3:
            if self.begun == 1:
                c.send(0, SYN, options=self.options(0), ack=R.choice([0, 5]))
            elif self.begun == 2:
                c.send(1, R.choice([SYN | ACK] * 5 + [SYN]), options=self.options(1))
            elif r < 0.9:
                c.send(0)
        elif r < 0.40:
            if R.random() < 0.1:
                c.next[end] += R.choice([1, 100])
            data = R.choice([1, 1, 2, 10, 50, 50, 60])
            self.sent[end].append((c.next[end], data))
            c.send(end, ACK | R.choice([0, PSH, PSH]) | (R.random() < 0.03), data, ack=c.acked[end])
        elif r < 0.62:
            if R.random() < 0.7:
                sent = [q + n for q, n in self.sent[1 - end]][-5:]
                c.acked[end] = R.choice(sent + [c.next[1 - end]] * 5)
            at = c.acked[end] + 100
            blocks = [((at + 90 * n) % 2**32, (at + 90 * n + R.choice([20, 50])) % 2**32) for n in range(R.randrange(1, 5))]
            c.send(end, options=sack(*blocks) if R.random() < 0.2 else b"", ack=c.acked[end])
        elif r < 0.70:
            c.send(end, ack=c.acked[end])
        elif r < 0.80 and self.sent[end]:
            seq, data = R.choice(self.sent[end][-6:])
            c.send(end, PSH | ACK, max(0, data + R.choice([0, 0, 0, 0, -1, 1, 30])), seq=seq, ack=c.acked[end])
        elif r < 0.84:
            c.send(end, ACK, R.randrange(2), seq=c.next[end] - 1, ack=c.acked[end])
        elif r < 0.89:
            c.send(end, window=R.choice([0, 0, 10, 100, 1000, 65535]), ack=c.acked[end])
        elif r < 0.92:
            c.send(end, ACK, 1, seq=c.next[end], ack=c.acked[end])
        elif r < 0.94:
            c.send(end, R.choice([FIN | ACK, FIN | ACK, FIN]), seq=c.next[end], ack=c.acked[end])
            c.next[end] += R.random() < 0.7
        elif r < 0.955:
            seq, ack = R.choice([c.next[end], c.acked[1 - end], 0]), R.choice([0, c.acked[end]])
            c.send(end, R.choice([RST, RST | ACK]), R.choice([0, 0, 5]), seq=seq, ack=ack)
        elif r < 0.965:
            if R.random() < 0.5:
                self.isn = [R.getrandbits(32) for _ in "ab"]
            c.next, self.sent, self.begun = list(self.isn), [[], []], 0
        elif r < 0.975:
            options = R.choice([b"", scale(5)])
            c.send(1, SYN | ACK, seq=self.isn[1] + R.choice([0, 0, 7]), ack=self.isn[0] + 1, options=options)
        elif r < 0.985:
            room = (c.acked[1 - end] + (c.window[1 - end] << (c.shifts[1 - end] or 0)) - c.next[end]) % 2**32
            if 0 < room < 1400:
                self.sent[end].append((c.next[end], room))
                c.send(end, PSH | ACK, room, ack=c.acked[end])
        else:
            c.send(end, R.getrandbits(9), R.randrange(4), seq=R.getrandbits(32), ack=R.getrandbits(32),
                   window=R.getrandbits(16))


def chaos(out):
    for _ in range(4):
        connections = [Chaos(number) for number in range(R.choice([1, 2, 5]))]
        for _ in range(250):
            if R.random() < 0.98:
                out.now += R.choice([0, 1000, MS // 10, MS, 29 * MS // 10, 10 * MS, 30 * MS, 1000 * MS]) - MS
            else:
                out.now -= 3 * MS // 2
            one = R.choice(connections)
            one.c.out = out
            one.step()


if __name__ == "__main__":
    told = Capture("told.pcap")
    for story in (losses, windows, many_in_flight, odd, carried, datagrams):
        story(told)
    told.write()
    made = Capture("random.pcap")
    chaos(made)
    made.write()
