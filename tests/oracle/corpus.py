#!/usr/bin/python3
"""Makes the capture files of tests/oracle/corpus with scapy: the same files in every run.

Run it only to add packets (`tests/oracle/corpus.py`, from any directory); then
`RAWBENCH_UPDATE_GOLDEN=1 cargo test --test differential_corpus --test differential_flows` stores what tshark reads in them.
"""
import os
import random
import struct

from scapy.all import *
from scapy.contrib.igmp import IGMP
from scapy.contrib.mpls import MPLS

R = random.Random(20241124)
random.seed(7)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
MACS = ["02:00:00:00:00:%02x" % n for n in range(1, 9)]


def n(bits):
    """A number of so many bits, often one of the ends."""
    return R.choice([0, (1 << bits) - 1] + [R.getrandbits(bits) for _ in range(6)])


def data(most=40):
    return Raw(bytes(R.getrandbits(8) for _ in range(R.randrange(most))))


def v4():
    return "%d.%d.%d.%d" % (R.choice([10, 172, 192, 198]), R.getrandbits(8), R.getrandbits(8), R.getrandbits(8))


def v6():
    # No address that is written with an IPv4 address in it.
    return "2001:db8:%x:%x::%x" % (n(16) | 1, n(16) | 1, R.getrandbits(16) | 1)


def mac():
    return ":".join("%02x" % R.getrandbits(8) for _ in range(6))


def eth(**more):
    return Ether(src=R.choice(MACS), dst=R.choice(MACS), **more)


def ip(**more):
    given = dict(src=v4(), dst=v4(), tos=n(8), id=n(16), ttl=n(8), flags=R.choice([0, 2]))
    given.update(more)
    return IP(**given)


def ip6(**more):
    given = dict(src=v6(), dst=v6(), tc=n(8), fl=n(20), hlim=n(8))
    given.update(more)
    return IPv6(**given)


def any_ip():
    return ip() if R.random() < 0.6 else ip6()


PORTS = [1, 7, 22, 80, 443, 4000, 8080, 40000, 65535]


def tcp(**more):
    given = dict(sport=R.choice(PORTS), dport=R.choice(PORTS), seq=n(32), ack=n(32), window=n(16), urgptr=n(16),
                 flags=R.choice(["S", "SA", "A", "PA", "FA", "SEC", "A", "PA", 0x1d8, 0]))
    given.update(more)
    return TCP(**given)


def udp(**more):
    given = dict(sport=R.randrange(20000, 60000), dport=R.choice([9, 7, 40001, 50000]))
    given.update(more)
    return UDP(**given)


def upper():
    return R.choice([lambda: tcp() / data(), lambda: udp() / data(), lambda: tcp(options=options())])()


def options():
    some = [("MSS", n(16)), ("WScale", R.randrange(15)), ("SAckOK", b""), ("NOP", None),
            ("Timestamp", (n(32), n(32))), ("SAck", (n(32), n(32)))]
    R.shuffle(some)
    return some[: R.randrange(1, 6)]


def raw_option(kind, body):
    return bytes([kind, len(body) + 2]) + body


def ethernet():
    for _ in range(60):
        yield eth() / any_ip() / upper()
    for _ in range(30):
        yield eth(type=0x806) / ARP(op=R.choice([1, 2, 3, 8, n(16)]), hwsrc=mac(), hwdst=mac(), psrc=v4(), pdst=v4())
    for _ in range(50):
        tag = Dot1Q(prio=R.randrange(8), id=R.getrandbits(1), vlan=n(12))
        inner = tag if R.random() < 0.6 else Dot1Q(vlan=n(12), prio=R.randrange(8)) / tag
        yield eth() / inner / any_ip() / upper()
    for _ in range(25):
        yield eth() / Dot1AD(vlan=n(12), prio=R.randrange(8)) / Dot1Q(vlan=n(12)) / any_ip() / upper()
    for _ in range(50):
        labels = [MPLS(label=R.randrange(16, 1 << 20), cos=R.randrange(8), ttl=n(8), s=0)
                  for _ in range(R.randrange(3))]
        stack = MPLS(label=R.randrange(16, 1 << 20), s=1, ttl=n(8))
        for label in labels:
            stack = label / stack
        yield eth(type=0x8847) / stack / any_ip() / upper()
    for _ in range(40):
        proto, inner = R.choice([(0x21, ip), (0x57, ip6)])
        yield eth() / PPPoE(sessionid=n(16)) / Raw(struct.pack("!H", proto) + bytes(inner() / upper()))
    for _ in range(25):
        yield Dot3(src=mac(), dst=mac()) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(code=0x800) / ip() / upper()
    for _ in range(15):
        yield Dot3(src=mac(), dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()
    for _ in range(20):
        yield eth(type=R.choice([0x88b5, 0x88b6, 0x9000, 0x6000])) / data(80)
    for _ in range(60):
        packet = eth() / any_ip() / upper()
        yield bytes(packet).ljust(60, b"\0")


def ipv4():
    kinds = [
        raw_option(7, b"\x04" + bytes(8)), raw_option(131, b"\x0c\x0a\x00\x00\x04\x0a\x00\x00\x05"),
        raw_option(137, b"\x0c\x0a\x00\x00\x04\x0a\x00\x00\x05"), raw_option(68, b"\x05\x00" + bytes(8)),
        raw_option(68, b"\x0d\x01\x0a\x00\x00\x04\0\0\0\x05"), raw_option(148, b"\0\0"), raw_option(136, b"\x12\x34"),
        raw_option(130, b"\xf1\x35\0\1\0\2\0\0\3"), b"\1", b"\0",
    ]
    for _ in range(80):
        some = b"".join(R.choice(kinds) for _ in range(R.randrange(1, 3)))
        padding = -len(some) % 4
        if len(some) + padding <= 40:
            yield IP(bytes(ip(ihl=5 + (len(some) + padding) // 4, proto=17, len=20 + len(some) + padding + 9))[:20]
                     + some + b"\1" * padding + bytes(UDP(sport=1, dport=2) / b"x"))
    for _ in range(60):
        yield ip(flags=R.choice([1, 3, 0]), frag=R.choice([1, 185, 8191, R.getrandbits(13)]),
                 proto=R.choice([6, 17, 1])) / data(60)
    for _ in range(20):
        yield ip(flags=1, frag=0) / udp() / data(60)
    for kind in [0, 8]:
        for _ in range(20):
            yield ip() / ICMP(type=kind, code=n(8), id=n(16), seq=n(16)) / data()
    for _ in range(60):
        quoted = bytes(ip() / upper())[: R.choice([28, 36, 60, 200])]
        yield ip() / ICMP(type=3, code=R.randrange(16), nexthopmtu=n(16)) / quoted
    for kind in [4, 5, 11, 12]:
        for _ in range(15):
            quoted = bytes(ip() / udp() / data())
            message = ICMP(type=kind, code=R.randrange(4))
            if kind == 5:
                message.gw = v4()
            if kind == 12:
                message.ptr = n(8)
            yield ip() / message / quoted
    for kind in [9, 10, 13, 14, 15, 16, 17, 18, 30, 40, 41]:
        for _ in range(4):
            yield ip(proto=1) / Raw(bytes([kind, R.randrange(3), 0, 0]) + bytes(R.getrandbits(8) for _ in range(16)))
    for _ in range(40):
        yield ip() / any_ip() / upper()
    for _ in range(60):
        more = dict(chksum_present=R.getrandbits(1), key_present=R.getrandbits(1), seqnum_present=R.getrandbits(1))
        yield ip() / GRE(key=n(32), sequence_number=n(32), **more) / any_ip() / upper()
    for _ in range(20):
        yield ip() / GRE(proto=0x6558) / eth() / any_ip() / upper()
    for _ in range(20):
        yield ip() / AH(spi=n(32), seq=n(32), icv=bytes(12), payloadlen=4, nh=17) / udp() / data()
    for _ in range(20):
        yield ip(proto=50) / ESP(spi=n(32), seq=n(32), data=bytes(data()))
    for _ in range(40):
        yield ip(ttl=1) / IGMP(type=R.choice([0x11, 0x12, 0x16, 0x17]), mrcode=n(8), gaddr="239.1.2.%d" % n(8))
    for _ in range(30):
        yield ip(proto=R.choice([253, 254, 89, 112, 46])) / data(60)
    for _ in range(20):
        yield ip(proto=132) / Raw(bytes(SCTP(sport=n(16), dport=n(16), tag=n(32)) / SCTPChunkData(
            tsn=n(32), stream_id=n(16), stream_seq=n(16), proto_id=n(32), data=b"abcd" * R.randrange(1, 5))))
    for _ in range(20):
        yield ip(proto=136) / Raw(struct.pack("!HHHH", n(16), n(16), R.choice([8, 0, 12]), n(16)) + b"twelve bytes")


def transport():
    hmac = bytes(range(20))
    kinds = [
        raw_option(19, bytes(range(16))), raw_option(29, b"\1\2" + bytes(12)), raw_option(34, bytes(range(8))),
        raw_option(34, b""), raw_option(28, b"\x80\x1e"), raw_option(172, bytes(9)), raw_option(174, bytes(6)),
        raw_option(254, b"\xf9\x89" + bytes(8)), raw_option(253, b"\xe2\xd4\x01\x02"), raw_option(70, b"xyz"),
        raw_option(5, bytes(range(16))), raw_option(8, bytes(range(8))), raw_option(4, b""), raw_option(3, b"\7"),
        raw_option(2, b"\5\xb4"), raw_option(30, b"\x01\x81" + bytes(range(8))), raw_option(30, b"\x11\5" + bytes(8)),
        raw_option(30, b"\x20\1" + bytes(4)), raw_option(30, b"\x30\2\x0a\0\0\1" + bytes(8)), raw_option(30, b"\x40\5"),
        raw_option(30, b"\x50"), raw_option(30, b"\x60\0" + bytes(8)), raw_option(30, b"\x70\0" + bytes(8)),
        raw_option(30, b"\x80\1"), raw_option(30, b"\x10\0" + hmac), b"\1",
    ]
    for port in range(300):
        some = b"".join(R.choice(kinds) for _ in range(R.randrange(1, 4)))
        some += b"\1" * (-len(some) % 4)
        if len(some) > 40:
            continue
        segment = bytearray(bytes(tcp(sport=1000 + port, dport=2, dataofs=5 + len(some) // 4, flags="A"))[:20])
        below = ip(proto=6) if R.random() < 0.6 else ip6(nh=6)
        yield below / Raw(bytes(segment) + some + b"x")
    for _ in range(120):
        yield any_ip() / tcp() / data()
    for _ in range(40):
        yield any_ip() / tcp(flags="R") / (data() if R.random() < 0.3 else Raw(b""))
    for _ in range(80):
        yield any_ip() / udp() / data()
    for _ in range(20):
        yield ip() / udp(chksum=0) / data()
    for _ in range(60):
        yield ip() / udp(dport=4789) / VXLAN(vni=n(24), flags=0x08) / eth() / any_ip() / upper()


def ipv6():
    for _ in range(40):
        yield ip6() / IPv6ExtHdrHopByHop(options=[RouterAlert(value=R.randrange(3))]) / udp() / data()
    for _ in range(40):
        yield ip6() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(R.randrange(8))), HAO(hoa=v6())]) / upper()
    for _ in range(40):
        yield ip6() / IPv6ExtHdrFragment(offset=R.choice([0, 185, 8191]), m=R.getrandbits(1), id=n(32), nh=17) / data(60)
    for _ in range(30):
        yield ip6() / IPv6ExtHdrRouting(addresses=[v6() for _ in range(R.randrange(1, 4))], segleft=0) / upper()
    for _ in range(20):
        yield ip6() / AH(spi=n(32), seq=n(32), icv=bytes(12), payloadlen=4, nh=17) / udp() / data()
    for _ in range(40):
        echo = R.choice([ICMPv6EchoRequest, ICMPv6EchoReply])
        yield ip6() / echo(code=n(8), id=n(16), seq=n(16), data=bytes(data()))
    for error in [ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, ICMPv6ParamProblem]:
        for _ in range(12):
            yield ip6() / error(code=R.randrange(4)) / bytes(ip6() / upper())
    options = [lambda: ICMPv6NDOptSrcLLAddr(lladdr=mac()), lambda: ICMPv6NDOptDstLLAddr(lladdr=mac()),
               lambda: ICMPv6NDOptMTU(mtu=n(32)),
               lambda: ICMPv6NDOptPrefixInfo(prefixlen=R.randrange(129), L=R.getrandbits(1), A=R.getrandbits(1),
                                             validlifetime=n(32), preferredlifetime=n(32), prefix=v6()),
               lambda: ICMPv6NDOptRDNSS(dns=[v6()], lifetime=n(32)),
               lambda: ICMPv6NDOptRouteInfo(plen=64, rtlifetime=n(32), prefix=v6())]
    messages = [lambda: ICMPv6ND_RS(), lambda: ICMPv6ND_RA(chlim=n(8), M=R.getrandbits(1), O=R.getrandbits(1),
                routerlifetime=n(16), reachabletime=n(32), retranstimer=n(32)), lambda: ICMPv6ND_NS(tgt=v6()),
                lambda: ICMPv6ND_NA(tgt=v6(), R=R.getrandbits(1), S=R.getrandbits(1), O=R.getrandbits(1)),
                lambda: ICMPv6ND_Redirect(tgt=v6(), dst=v6())]
    for _ in range(120):
        message = ip6(hlim=255) / R.choice(messages)()
        for _ in range(R.randrange(3)):
            message = message / R.choice(options)()
        yield message
    for _ in range(40):
        hop = IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
        mld = R.choice([ICMPv6MLQuery, ICMPv6MLReport, ICMPv6MLDone])
        yield ip6(hlim=1) / hop / mld(mladdr="ff02::%x" % R.randrange(1, 65535), mrd=n(16))
    for _ in range(30):
        hop = IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
        record = ICMPv6MLDMultAddrRec(rtype=R.randrange(1, 7), dst="ff02::%x" % R.randrange(1, 65535),
                                      sources=[v6() for _ in range(R.randrange(3))])
        yield ip6(hlim=1) / hop / ICMPv6MLReport2(records=[record])
    for _ in range(30):
        yield ip6() / any_ip() / upper()
    for _ in range(30):
        yield ip6() / GRE(key_present=1, key=n(32)) / any_ip() / upper()


def applications():
    names = ["example.com", "a.b.c.example.org", "rawbench.test", "xn--bcher-kva.example"]
    for _ in range(40):
        query = DNS(id=n(16), rd=1, qd=DNSQR(qname=R.choice(names), qtype=R.choice(["A", "AAAA", "MX", "TXT", "PTR"])))
        yield eth() / any_ip() / UDP(sport=R.randrange(20000, 60000), dport=53) / query
    for _ in range(40):
        name = R.choice(names)
        answers = DNSRR(rrname=name, type="A", ttl=n(31), rdata=v4())
        if R.getrandbits(1):
            answers = answers / DNSRR(rrname=name, type="AAAA", ttl=60, rdata=v6())
        yield eth() / any_ip() / UDP(sport=53, dport=R.randrange(20000, 60000)) / DNS(
            id=n(16), qr=1, rd=1, ra=1, rcode=R.choice([0, 0, 3]), qd=DNSQR(qname=name), an=answers)
    for _ in range(20):
        yield eth() / ip(dst="224.0.0.251", ttl=255) / UDP(sport=5353, dport=5353) / DNS(
            qd=DNSQR(qname="_http._tcp.local", qtype="PTR"))
    for kind in ["discover", "offer", "request", "ack", "nak", "release"] * 6:
        yield eth() / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP(
            xid=n(32), chaddr=bytes(6), secs=n(16), flags=R.choice([0, 0x8000])) / DHCP(options=[
                ("message-type", kind), ("requested_addr", v4()), ("lease_time", n(32)), ("hostname", b"bench"),
                ("param_req_list", [1, 3, 6, 15]), "end"])
    for _ in range(20):
        yield eth() / ip6() / UDP(sport=546, dport=547) / DHCP6_Solicit(trid=n(24)) / DHCP6OptElapsedTime(
            elapsedtime=n(16)) / DHCP6OptIA_NA(iaid=n(32))
    for _ in range(30):
        yield eth() / any_ip() / UDP(sport=123, dport=123) / NTP(mode=R.choice([3, 4]), stratum=R.randrange(16),
                                                                poll=R.randrange(4, 12), ref=3.9e9, orig=0, recv=3.9e9,
                                                                sent=3.9e9)
    for line in [b"GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: test\r\n\r\nhello",
                 b"POST /form HTTP/1.0\r\nContent-Length: 3\r\n\r\na=b", b"HTTP/1.0 404 Not Found\r\n\r\n"] * 5:
        yield eth() / any_ip() / tcp(sport=R.randrange(20000, 60000), dport=80, flags="PA", urgptr=0) / line


def cooked():
    for _ in range(60):
        yield CookedLinux(pkttype=R.randrange(5), lladdrlen=6, src=bytes(R.getrandbits(8) for _ in range(8)),
                          proto=0x800) / ip() / upper()
    for _ in range(30):
        yield CookedLinux(pkttype=R.randrange(5), lladdrlen=6, src=bytes(8), proto=0x86dd) / ip6() / upper()


def cooked2():
    for _ in range(80):
        proto, inner = R.choice([(0x800, ip), (0x86dd, ip6)])
        yield Raw(struct.pack("!HHIHBB", proto, 0, R.randrange(100), R.choice([1, 772]), R.randrange(5), 6)
                  + bytes(R.getrandbits(8) for _ in range(8))) / inner() / upper()


def loopback():
    for _ in range(50):
        family, inner = R.choice([(2, ip), (24, ip6), (28, ip6), (30, ip6)])
        yield Raw(struct.pack("<I", family)) / inner() / upper()


def openbsd():
    for _ in range(30):
        family, inner = R.choice([(2, ip), (24, ip6)])
        yield Raw(struct.pack("!I", family)) / inner() / upper()


def ppp():
    for _ in range(40):
        proto, inner = R.choice([(0x21, ip), (0x57, ip6)])
        yield Raw(struct.pack("!H", proto)) / inner() / upper()


def hdlc():
    for _ in range(40):
        proto, inner = R.choice([(0x800, ip), (0x86dd, ip6)])
        yield Raw(struct.pack("!BBH", R.choice([0x0f, 0x8f]), 0, proto)) / inner() / upper()


def wireless():
    for _ in range(40):
        head = bytes([0, 0, 8, 0, 0, 0, 0, 0])
        yield Raw(head) / Dot11(type=2, subtype=0, FCfield=R.choice([1, 2]), addr1=mac(), addr2=mac(), addr3=mac(),
                                SC=n(16) & 0xfff0) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP() / ip() / upper()


def lldp():
    """What devices say of themselves."""
    def tlv(kind, value):
        return struct.pack("!H", kind << 9 | len(value)) + value

    def name():
        return bytes(R.choice(b"abcdefghij-/0123") for _ in range(R.randrange(1, 12)))

    def address():
        return R.choice([b"\x05\x01" + octets(4), b"\x11\x02\x20\x01" + octets(14), b"\x07\x06" + octets(6)])

    for _ in range(40):
        chassis = R.choice([b"\x04" + octets(6), b"\x05\x01" + octets(4), b"\x05\x02\x20\x01" + octets(14), b"\x07" + name()])
        port = R.choice([b"\x03" + octets(6), b"\x04\x01" + octets(4), b"\x05" + name(), b"\x07" + name()])
        vlan = name()
        more = [
            tlv(4, name()), tlv(5, name()), tlv(6, name()), tlv(7, b"\0" + octets(1) + b"\0" + octets(1)),
            tlv(8, address() + b"\2" + octets(4) + b"\0"), tlv(127, b"\0\x80\xc2\1" + octets(2)),
            tlv(127, b"\0\x80\xc2\3" + octets(2) + bytes([len(vlan)]) + vlan),
            tlv(127, b"\0\x12\x0f\1" + octets(5)), tlv(127, b"\0\x12\x0f\4" + octets(2)),
            tlv(127, b"\2\0\0" + octets(6)), tlv(R.randrange(9, 127), octets(4)),
        ]
        R.shuffle(more)
        body = [tlv(1, chassis), tlv(2, port), tlv(3, octets(2)), *more[: R.randrange(len(more))], tlv(0, b"")]
        yield Ether(src=R.choice(MACS), dst="01:80:c2:00:00:0e", type=0x88cc) / Raw(b"".join(body))


def octets(count):
    return bytes(R.getrandbits(8) for _ in range(count))


def extensions():
    """ICMP and ICMPv6 with extensions, and extended echo: each kind of object in each kind of message."""
    def structure(objects):
        body = b"".join(struct.pack("!HBB", 4 + len(d), c, t) + d for c, t, d in objects)
        return struct.pack("!HH", 0x2000, checksum(b"\x20\0\0\0" + body)) + body

    def label(bottom):
        return struct.pack("!I", R.getrandbits(23) << 9 | bottom << 8 | R.getrandbits(8))

    def labels():
        return 1, 1, b"".join(label(0) for _ in range(R.randrange(3))) + label(1)

    def address():
        return R.choice([b"\0\1\0\0" + octets(4), b"\0\2\0\0\x20\1" + octets(14)])

    def information():
        parts = R.getrandbits(3) << 1 | 1
        name = R.choice([b"eth0\0\0\0", b"lan\0\0\0\0", b"enp3s0\0"])
        data = (octets(4) if parts & 8 else b"") + (address() if parts & 4 else b"")
        data += (bytes([1 + len(name)]) + name if parts & 2 else b"") + octets(4)
        return 2, R.getrandbits(2) << 6 | parts, data

    def identification():
        return 3, *R.choice([
            (1, b"eth0"), (1, b"br-lan\0\0"), (2, octets(4)), (3, b"\0\1\4\0" + octets(4)),
            (3, b"\0\2\x10\0\x20\1" + octets(14)), (3, b"\0\6\6\0" + octets(6)),
        ])

    def other():
        return R.randrange(4, 256), n(8), octets(R.randrange(9))

    for _ in range(60):
        make, quoted, kinds = R.choice([(ip, ip, [3, 11, 12]), (ip6, ip6, [1, 3])])
        quoted = bytes(quoted() / UDP(sport=R.randrange(40000, 50000), dport=R.randrange(40000, 50000)) / data(40))
        quoted = quoted[:128] + bytes(128 - len(quoted))
        objects = [R.choice([labels, information, other])() for _ in range(R.randrange(1, 4))]
        words = bytes([0, 32, 0, 0]) if make is ip else bytes([16, 0, 0, 0])
        message = bytes([R.choice(kinds), R.randrange(3)]) + octets(2) + words + quoted + structure(objects)
        yield make(**{"proto" if make is ip else "nh": 1 if make is ip else 58}) / Raw(message)
    for _ in range(40):
        make, kind = R.choice([(ip, 42), (ip6, 160)])
        message = bytes([kind, 0]) + octets(5) + bytes([R.getrandbits(1)]) + structure([identification()])
        if R.random() < 0.3:
            message = bytes([kind + 1, R.randrange(5)]) + octets(6)
        yield make(**{"proto" if make is ip else "nh": 1 if make is ip else 58}) / Raw(message)


def dhcp_lists():
    """DHCP with search lists, classless routes and options in the places of the two names."""
    def option(kind, value):
        return bytes([kind, len(value)]) + value

    def names():
        return R.choice([b"\3foo\3com\0\3bar\xc0\4", b"\4host\7example\0", b"\1a\1b\0\xc0\0\1c\xc0\2"])

    def routes():
        found = b""
        for _ in range(R.randrange(1, 5)):
            width = R.choice([0, 1, 8, 9, 16, 23, 24, 25, 32])
            found += bytes([width]) + octets((width + 7) // 8) + octets(4)
        return found

    def some():
        return b"".join(R.sample([option(12, b"host"), option(15, b"example.com"), option(6, octets(4)),
                                  option(121, routes())], 2)) + b"\xff"

    for _ in range(40):
        options = [option(53, b"\5"), option(119, names()), option(121, routes()), option(3, octets(4))]
        sname, boot = b"server", b"boot/file"
        overload = R.randrange(5)
        if 0 < overload < 4:
            options.append(option(52, bytes([overload])))
            boot = some() if overload & 1 else boot
            sname = some()[:64] if overload & 2 else sname
        R.shuffle(options)
        head = bytes([2, 1, 6, 0]) + octets(4) + bytes(4) + octets(16) + octets(6) + bytes(10)
        body = head + sname.ljust(64, b"\0") + boot.ljust(128, b"\0") + b"\x63\x82\x53\x63" + b"".join(options) + b"\xff"
        yield ip() / UDP(sport=67, dport=68) / Raw(body)


def radiotap():
    """What wireless cards say: every field that has a key, from one to three words of them."""
    shapes = {0: (8, 8), 1: (1, 1), 2: (1, 1), 3: (2, 4), 4: (2, 2), 5: (1, 1), 6: (1, 1), 7: (2, 2), 8: (2, 2), 9: (2, 2),
              10: (1, 1), 11: (1, 1), 12: (1, 1), 13: (1, 1), 14: (2, 2), 15: (2, 2), 16: (1, 1), 17: (1, 1), 18: (4, 8),
              19: (1, 3), 20: (4, 8)}
    for _ in range(80):
        words = [0] * R.choice([1, 1, 1, 2, 3])
        for at in range(len(words)):
            bits = R.sample(sorted(shapes), R.randrange(1, 9)) if at == 0 else R.sample([5, 6, 11], 2)
            more = 0xa0000000 if at + 1 < len(words) else 0
            words[at] = sum(1 << bit for bit in bits) | more
        head, body = 4 + 4 * len(words), b""
        for word in words:
            for bit in (bit for bit in sorted(shapes) if word >> bit & 1):
                align, size = shapes[bit]
                body += bytes(-(head + len(body)) % align)
                # No FCS, no padding; no unequal modulation.
                value = octets(size) if bit != 1 else bytes([n(8) & 0xcf])
                value = octets(2) + bytes([R.randrange(32)]) if bit == 19 else value
                body += value
        said = b"".join(struct.pack("<I", word) for word in words)
        radio = struct.pack("<BBH", 0, 0, head + len(body)) + said + body
        yield Raw(radio) / Dot11(type=2, subtype=0, FCfield=R.choice([1, 2]), addr1=mac(), addr2=mac(), addr3=mac(),
                                 SC=n(16) & 0xfff0) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP() / ip() / upper()


def damaged(source, count):
    """Some of these with a few bytes changed behind the first header, and UDP of wrong lengths."""
    for _ in range(30):
        yield eth() / any_ip() / udp(len=R.choice([0, 7, 8, 9, 4000])) / data()
    some = [bytes(p) for p in source]
    for _ in range(count):
        packet = bytearray(R.choice(some))
        for _ in range(R.randrange(1, 4)):
            packet[R.randrange(1, len(packet))] = R.getrandbits(8)
        yield bytes(packet)


def cut(source, count):
    """Some of these, cut as a snap length does."""
    some = [bytes(p) for p in source]
    for _ in range(count):
        packet = R.choice(some)
        yield packet[: R.randrange(1, len(packet))], len(packet)


def write(name, link_type, packets):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link_type))
        for at, packet in enumerate(packets):
            packet, length = packet if isinstance(packet, tuple) else (bytes(packet), None)
            out.write(struct.pack("<IIII", 1700000000 + at, at, len(packet), length or len(packet)) + packet)


write("ethernet.pcap", 1, ethernet())
write("ipv4.pcap", 228, ipv4())
write("transport.pcap", 101, transport())
write("ipv6.pcap", 229, ipv6())
write("applications.pcap", 1, applications())
write("cooked.pcap", 113, cooked())
write("cooked-v2.pcap", 276, cooked2())
write("null.pcap", 0, loopback())
write("loop.pcap", 108, openbsd())
write("ppp.pcap", 9, ppp())
write("hdlc.pcap", 104, hdlc())
write("wireless.pcap", 127, wireless())
write("damaged.pcap", 1, damaged(ethernet(), 200))
write("cut.pcap", 1, cut(ethernet(), 200))
write("lldp.pcap", 1, lldp())
write("extensions.pcap", 101, extensions())
write("dhcp.pcap", 101, dhcp_lists())
write("radiotap.pcap", 127, radiotap())
