#!/usr/bin/env bash
# Makes tests/oracle/corpus/programs.pcap: what the kernel and everyday programs put on the wire, between two network
# namespaces that it makes. Other addresses and numbers in every run: `tests/differential_corpus.rs` needs no particular ones.
#
# Run it only to add programs, as root on Debian: apt-get install iproute2 tcpdump iputils-ping iputils-arping traceroute
# wget curl openssl python3 dnsmasq-base isc-dhcp-client socat nmap. Then
# `RAWBENCH_UPDATE_GOLDEN=1 cargo test --test differential_corpus` stores what tshark reads in it.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" != inside ]; then exec unshare --net --mount --pid --fork --mount-proc bash ${REAL_TRACE:-} "$0" inside; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mount -t tmpfs none /run
mkdir -p /run/netns
ip netns add far
ip link set lo up
ip link add near type veth peer name far netns far
far() { ip netns exec far "$@"; }
far ip link set lo up
ip link set dev near address 02:00:00:00:00:01
far ip link set dev far address 02:00:00:00:00:02
ip addr add 10.77.0.1/24 dev near && ip addr add fd77::1/64 dev near nodad && ip link set near up
far ip addr add 10.77.0.2/24 dev far && far ip addr add fd77::2/64 dev far nodad && far ip link set far up
# Whole checksums and no frames larger than the link.
for device in near far; do
    run=; [ $device = far ] && run=far
    $run ethtool -K $device tx off tso off gso off gro off >/dev/null 2>&1
done
sysctl -qw net.ipv4.tcp_fastopen=3 && far sysctl -qw net.ipv4.tcp_fastopen=3
sysctl -qw net.mptcp.enabled=1 && far sysctl -qw net.mptcp.enabled=1
sleep 1

tcpdump -i near -U -w "$work/all.pcap" 2>/dev/null &
dump=$!
sleep 1

# A host's first words: IGMP and MLD reports, router solicitation.
far ip link set far down && far ip link set far up && far ip addr add fd77::2/64 dev far nodad
python3 - <<'P'
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + socket.inet_aton("10.77.0.1"))
s.setsockopt(socket.IPPROTO_IP, 39, struct.pack("4s4s4s", socket.inet_aton("232.1.2.3"), socket.inet_aton("10.77.0.1"), socket.inet_aton("10.9.8.7")))
t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff0e::1234") + struct.pack("I", socket.if_nametoindex("near")))
time.sleep(2)
P

# DHCP, DNS over UDP and TCP.
far dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --interface=far --dhcp-range=10.77.0.100,10.77.0.110,1h \
    --dhcp-range=fd77::100,fd77::110,64,1h --enable-ra --dhcp-leasefile="$work/leases" --domain=lab.test --dhcp-option=option:ntp-server,10.77.0.2 \
    --address=/web.lab.test/10.77.0.2 --address=/web.lab.test/fd77::2 --mx-host=lab.test,mail.lab.test,10 \
    --txt-record=lab.test,"v=spf1 -all" --srv-host=_http._tcp.lab.test,web.lab.test,80 --cname=www.lab.test,web.lab.test \
    --ptr-record=2.0.77.10.in-addr.arpa,web.lab.test --naptr-record=lab.test,10,20,s,SIP+D2U,,_sip._udp.lab.test >/dev/null 2>&1 &
sleep 2
printf '#!/bin/sh\nexit 0\n' >"$work/script" && chmod +x "$work/script"
timeout 15 dhclient -4 -1 -sf "$work/script" -lf "$work/l4" -pf "$work/p4" near >/dev/null 2>&1
timeout 15 dhclient -6 -1 -sf "$work/script" -lf "$work/l6" -pf "$work/p6" near >/dev/null 2>&1
timeout 5 dhclient -4 -r -sf "$work/script" -lf "$work/l4" -pf "$work/p4" near >/dev/null 2>&1
pkill dhclient
python3 - <<'P'
import socket, struct
def ask(name, kind, tcp=False):
    q = struct.pack("!6H", 0x1234 + kind, 0x0100, 1, 0, 0, 1) + b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack("!2H", kind, 1)
    q += b"\0" + struct.pack("!2HIH", 41, 1232, 0, 0)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    s.settimeout(2)
    try:
        s.connect(("10.77.0.2", 53)); s.send(struct.pack("!H", len(q)) + q if tcp else q); s.recv(2000)
    except OSError as e:
        print("dns", name, kind, e)
for name, kind in (("web.lab.test", 1), ("web.lab.test", 28), ("lab.test", 15), ("lab.test", 16), ("_http._tcp.lab.test", 33), ("www.lab.test", 1), ("2.0.77.10.in-addr.arpa", 12), ("lab.test", 35), ("no.lab.test", 1), ("lab.test", 6)):
    ask(name, kind)
ask("web.lab.test", 1, True)
P

# ICMP in its forms.
ping -c 2 10.77.0.2 >/dev/null; ping -c 1 -R 10.77.0.2 >/dev/null; ping -c 1 -T tsandaddr 10.77.0.2 >/dev/null; ping -c 1 -T tsonly 10.77.0.2 >/dev/null
ping -c 2 fd77::2 >/dev/null; ping -c 1 -s 3000 10.77.0.2 >/dev/null; ping -c 1 -s 3000 fd77::2 >/dev/null
ping -c 1 -W 1 10.77.0.2 -p ff -s 20 >/dev/null; arping -c 1 -I near 10.77.0.2 >/dev/null; ping -c 1 -W 1 10.77.0.99 >/dev/null
traceroute -n -q 1 -m 3 10.77.0.2 >/dev/null 2>&1; traceroute -6 -n -q 1 -m 3 fd77::2 >/dev/null 2>&1; traceroute -n -q 1 -m 2 -T 10.77.0.2 >/dev/null 2>&1

# HTTP and TLS 1.2 and 1.3.
mkdir "$work/www" && echo "<html>It works.</html>" >"$work/www/index.html"
(cd "$work/www" && far python3 -m http.server 80 >/dev/null 2>&1 &)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/key" -out "$work/cert" -subj /CN=web.lab.test -days 2 >/dev/null 2>&1
(far openssl s_server -accept 443 -key "$work/key" -cert "$work/cert" -www -alpn h2,http/1.1 >/dev/null 2>&1 &)
sleep 2
wget -T 4 -t 1 -q -O /dev/null http://10.77.0.2/; curl --max-time 4 -s -o /dev/null 'http://[fd77::2]/none'; curl --max-time 4 -s -o /dev/null -I http://10.77.0.2/
curl --max-time 4 -s -o /dev/null -d a=1 http://10.77.0.2/; curl --max-time 4 -s -o /dev/null --tcp-fastopen http://10.77.0.2/; curl --max-time 4 -s -o /dev/null --tcp-fastopen http://10.77.0.2/
curl --max-time 4 -sk -o /dev/null --resolve web.lab.test:443:10.77.0.2 https://web.lab.test/; curl --max-time 4 -sk -o /dev/null --tls-max 1.2 --resolve web.lab.test:443:10.77.0.2 https://web.lab.test/

# TCP as the kernel can speak it: multipath, ECN, MD5 signatures; closed ports; UDP-Lite; a datagram in fragments.
cat >"$work/talk.py" <<'P'
import socket, struct, sys, time
MPTCP, UDPLITE, MD5SIG = 262, 136, 14
def key(s, address, port):
    s.setsockopt(socket.IPPROTO_TCP, MD5SIG, struct.pack("HH4s120sBBHi80s", 2, socket.htons(port), socket.inet_aton(address), b"", 0, 0, 4, 0, b"gate"))
def listen(port, protocol=0, md5=None):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if md5: key(s, md5, 0)
    s.bind(("", port)); s.listen(5); return s
if sys.argv[1] == "serve":
    import select
    ls = [listen(8001, MPTCP), listen(8002), listen(8003, md5="10.77.0.1")]
    while True:
        for l in select.select(ls, [], [])[0]:
            c, _ = l.accept(); c.recv(100); c.send(b"answer"); c.close()
for port, protocol in ((8001, MPTCP), (8002, 0), (8003, 0), (8004, 0)):
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
        if port == 8003: key(s, "10.77.0.2", 8003)
        s.settimeout(2); s.connect(("10.77.0.2", port)); s.send(b"question"); s.recv(100)
        if port == 8002: s.send(b"!", socket.MSG_OOB)
        s.close()
    except OSError as e: print("port", port, e)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, UDPLITE); u.setsockopt(UDPLITE, 10, 20); u.sendto(b"partly covered by the sum", ("10.77.0.2", 9000))
for size in (10, 4000):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b"x" * size, ("10.77.0.2", 9001))
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.sendto(b"x" * size, ("fd77::2", 9001))
m = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); m.sendto(b"\0" * 4 + struct.pack("!4H", 1, 0, 0, 0) + b"\x04_ssh\x04_tcp\x05local\0" + struct.pack("!2H", 12, 1), ("224.0.0.251", 5353))
n = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); n.sendto(bytes([0x23]) + b"\0" * 39 + struct.pack("!2I", 3900000000, 1), ("10.77.0.2", 123))
time.sleep(0.5)
P
(far python3 "$work/talk.py" serve 2>/dev/null &)
sleep 1
python3 "$work/talk.py" talk
sysctl -qw net.ipv4.tcp_ecn=1 && python3 "$work/talk.py" talk

# The probes of a scanner that guesses the system; VXLAN.
timeout 30 nmap -n -Pn -O -p 80,81 10.77.0.2 >/dev/null 2>&1; timeout 20 nmap -6 -n -Pn -O -p 80,81 fd77::2 >/dev/null 2>&1
timeout 10 nmap -n -Pn -sX -p 80,81 10.77.0.2 >/dev/null 2>&1; timeout 20 nmap -n -Pn -sO -p 1,2,6,17,47,132 10.77.0.2 >/dev/null 2>&1
timeout 10 nmap -n -Pn -sY -p 80 10.77.0.2 >/dev/null 2>&1; timeout 10 nmap -n -Pn -sU -p 53,123,161,500 10.77.0.2 >/dev/null 2>&1
ip link add vx type vxlan id 77 remote 10.77.0.2 dstport 4789 dev near && ip addr add 10.78.0.1/24 dev vx && ip link set vx up
far ip link add vx type vxlan id 77 remote 10.77.0.1 dstport 4789 dev far && far ip addr add 10.78.0.2/24 dev vx && far ip link set vx up
sleep 1; ping -c 2 10.78.0.2 >/dev/null; curl --max-time 4 -s -o /dev/null http://10.78.0.2/

sleep 2; kill -INT $dump; wait $dump
cp "$work/all.pcap" "$here/corpus/programs.pcap"
pkill dnsmasq; pkill openssl; pkill python3
capinfos -c "$here/corpus/programs.pcap" 2>/dev/null || ls -l "$here/corpus/programs.pcap"
