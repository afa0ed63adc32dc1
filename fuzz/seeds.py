#!/usr/bin/env python3
"""Makes fuzz/seeds: what each fuzz target begins with, out of tests/oracle/corpus. Needs nothing but Python.

seeds.py [RAWBENCH]    With the path of the program also notations, for the targets that read them.
"""
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "tests", "oracle", "corpus")


def packets(path):
    """Link type and packets of a pcap file of microseconds in little-endian order."""
    with open(path, "rb") as file:
        content = file.read()
    link_type = struct.unpack_from("<I", content, 20)[0]
    at = 24
    while at < len(content):
        length = struct.unpack_from("<I", content, at + 8)[0]
        yield link_type, content[at + 16 : at + 16 + length]
        at += 16 + length


def seed(target, name, content):
    directory = os.path.join(HERE, "seeds", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as out:
        out.write(content)


def classic(order, link_type, some):
    head = struct.pack(order + "IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)
    return head + b"".join(struct.pack(order + "IIII", 5, 6, len(p), len(p) + 1) + p for p in some)


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def next_generation(order, link_type, some):
    option = struct.pack(order + "HH4s", 1, 3, b"why\0") + struct.pack(order + "HHI", 2, 4, 1) + bytes(4)
    resolution = struct.pack(order + "HHB3x", 9, 1, 9) + bytes(4)
    file = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(order, 1, struct.pack(order + "HHI", link_type, 0, 65535) + resolution)
    for packet in some:
        padded = packet + b"\0" * (-len(packet) % 4)
        file += block(order, 6, struct.pack(order + "IIIII", 0, 1, 2, len(packet), len(packet)) + padded + option)
        file += block(order, 3, struct.pack(order + "I", len(packet)) + padded)
    return file + block(order, 5, struct.pack(order + "III", 0, 1, 2))


for name in sorted(os.listdir(CORPUS)):
    if not name.endswith(".pcap"):
        continue
    path = os.path.join(CORPUS, name)
    all_packets = list(packets(path))
    for at, (link_type, packet) in list(enumerate(all_packets))[:: max(1, len(all_packets) // 60)]:
        head = struct.pack("!H", link_type)
        for target in ["dissect", "craft_from_dissect"]:
            seed(target, f"{name}-{at}", head + packet)
        seed("options", f"{name}-{at}", head + b"\3" + bytes([at % 12, 1, 0, at % 256] * 3) + packet)
    some = [packet for _, packet in all_packets[:3]]
    for order in "<>":
        seed("capture_file", name + order.replace("<", "-le").replace(">", "-be"), classic(order, link_type, some))
        seed("capture_file", name + "ng" + order.replace("<", "-le").replace(">", "-be"),
             next_generation(order, link_type, some))
    if len(sys.argv) > 1:
        said = subprocess.run([sys.argv[1], "read", path, "--notation"], capture_output=True, check=True)
        for at, line in list(enumerate(said.stdout.splitlines()))[:: max(1, len(all_packets) // 40)]:
            seed("notation", f"{name}-{at}", line)

SCRIPTS = os.path.join(HERE, "..", "assets", "scripts")
for name in sorted(os.listdir(SCRIPTS)):
    with open(os.path.join(SCRIPTS, name), "rb") as script:
        seed("script", name, script.read())
