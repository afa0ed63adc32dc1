#!/usr/bin/env python3
"""The same work by rawbench and by what one would take instead, in one run: only the ratios mean something.

    sudo benches/compare.py open|filter|window|flood|rows|capture|send|latency ... [--file FILE] [--seconds N] [--rounds N]

Needs root, a release build, and: apt-get install tshark tcpdump hping3 netsniff-ng iproute2 python3; for `window`, `flood`
and `rows` xvfb and xdotool too, and wireshark to compare with. Each is left out with a word where it is missing. flood,
capture, send and latency make two network namespaces joined by a veth pair, and take them away again. `rows` writes a file
of 10 million packets, 760 MB, into the temporary directory and removes it.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RAWBENCH = os.environ.get("RAWBENCH", str(ROOT / "target/release/rawbench"))
TWO_FIELDS = "tcp.flags.syn == 1 && tcp.dstport == 443"
NEAR, FAR = "rawbench-near", "rawbench-far"


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def measured(command, stop_after=None, **more):
    """Wall time, processor time, peak memory in MiB and what it printed."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    said = stop_after(child) if stop_after else child.stdout.read()
    _, _, usage = os.wait4(child.pid, 0)
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said


def line(what, ours, theirs, name, unit="s"):
    ratio = theirs / ours if ours else float("inf")
    print(f"{what:44} rawbench {ours:9.3f} {unit}   {name} {theirs:9.3f} {unit}   {ratio:7.2f} times")


def there(program):
    if shutil.which(program):
        return True
    print(f"{program} is not installed: left out")
    return False


def median(arguments, command):
    """Of whole processes, after one that fills the page cache."""
    measured(command)
    return statistics.median(measured(command)[0] for _ in range(arguments.rounds))


def capture_file(arguments):
    if arguments.file:
        return arguments.file
    path = pathlib.Path(tempfile.gettempdir()) / "rawbench-mixed-1M.pcap"
    if not path.exists():
        print("writing a million packets …")
        run("cargo", "bench", "--bench", "reader", "--", "--write", str(path), cwd=ROOT)
    return str(path)


def open_file(arguments):
    path = capture_file(arguments)
    ours = median(arguments, [RAWBENCH, "read", path, "--count"])
    if there("capinfos"):
        line("open: index of all packets", ours, median(arguments, ["capinfos", "-c", path]), "capinfos")
    rows = measured(["sh", "-c", f"{RAWBENCH} read '{path}' >/dev/null"])[0]
    if there("tshark"):
        theirs = measured(["sh", "-c", f"tshark -n -r '{path}' >/dev/null"])[0]
        line("read: a row for each packet", rows, theirs, "tshark")


def filter_file(arguments):
    path = capture_file(arguments)
    ours = median(arguments, [RAWBENCH, "read", path, "-Y", TWO_FIELDS, "--count"])
    if there("tshark"):
        theirs = measured(["sh", "-c", f"tshark -n -r '{path}' -Y '{TWO_FIELDS}' | wc -l"])[0]
        line("filter on two TCP fields, whole process", ours, theirs, "tshark")
        said = run("cargo", "bench", "--bench", "reader", "--", path, TWO_FIELDS, cwd=ROOT)
        found = re.search(re.escape(TWO_FIELDS) + r"\s+([\d.]+) ms", said)
        line("the same in the window", float(found.group(1)) / 1000, theirs, "tshark")


def rest(child):
    """Seconds until a program uses less than 3 % of a core for two seconds, and its memory in MiB then."""
    tick, begun, end, last, quiet = os.sysconf("SC_CLK_TCK"), time.monotonic(), 0.0, 0, 0
    while quiet < 8:
        time.sleep(0.25)
        fields = pathlib.Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        used = int(fields[11]) + int(fields[12])
        if used - last > tick * 0.25 * 0.03:
            quiet, end = 0, time.monotonic() - begun
        else:
            quiet += 1
        last = used
    memory = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{child.pid}/status").read_text()).group(1)) / 1024
    return end, memory


class Screen:
    """An X server without a screen, and programs on it with a home of their own."""

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory()
        self.server = subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.environment = {**os.environ, "DISPLAY": f":{self.server.stdout.readline().strip()}",
                            "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": self.home.name, "XDG_RUNTIME_DIR": self.home.name}
        for name in ("WAYLAND_DISPLAY", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            self.environment.pop(name, None)
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        self.home.cleanup()

    def start(self, *command):
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, child):
        """Has a window close: what it measured, and what it said."""
        child.send_signal(signal.SIGTERM)
        try:
            said, errors = child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            said, errors = child.communicate()
        return next((json.loads(text) for text in said.splitlines() if text.startswith("{")), None), errors

    def measured(self, *command):
        """Seconds until it rests, its memory in MiB then, and what it measured itself."""
        child = self.start(*command)
        end, memory = rest(child)
        stats, errors = self.end(child)
        if stats is None and command[0] == RAWBENCH:
            sys.exit(f"{' '.join(command)} printed no --stats: {errors.strip()}")
        return end, memory, stats

    def do(self, *actions):
        run("xdotool", *actions, env=self.environment)


def window(arguments):
    if not there("Xvfb"):
        return
    path = capture_file(arguments)
    packets = int(run(RAWBENCH, "read", path, "--count"))
    with Screen() as screen:
        _, empty, _ = screen.measured(RAWBENCH, "--stats")
        end, memory, stats = screen.measured(RAWBENCH, "--stats", path)
        print(f"window: {packets} packets, at rest after {end:.2f} s; since the start of the program first frame "
              f"{stats['first_frame_ms']:.0f} ms, first row {stats['first_row_ms']:.0f} ms: "
              f"{stats['first_row_ms'] - stats['first_frame_ms']:.0f} ms behind it")
        print(f"        {memory:.0f} MiB, empty {empty:.0f} MiB: {(memory - empty) * 1048576 / packets:.0f} bytes a packet")
        if there("wireshark"):
            theirs, used, _ = screen.measured("wireshark", "-r", path)
            print(f"        Wireshark at rest after {theirs:.1f} s, {used:.0f} MiB: {theirs / max(end, 0.25):.0f} times")


def flood(arguments):
    """The window while it captures as much as one core sends."""
    if not there("Xvfb"):
        return
    with Screen() as screen, Hosts() as hosts:
        child = screen.start(RAWBENCH, "--stats", "--netns", FAR, "-i", "vb", "-k")
        rest(child)
        before, begun = hosts.arrived(), time.monotonic()
        run(*hosts.sender("max", arguments.seconds))
        took = time.monotonic() - begun
        sent = hosts.arrived() - before
        time.sleep(2)
        stats, said = screen.end(child)
        ledger = next((text for text in said.splitlines() if text.startswith("received ")), "no ledger")
        if stats is None:
            sys.exit(f"the window printed no --stats: {said.strip()}")
        print(f"flood: {sent} packets in {took:.1f} s; longest lag {stats['longest_lag_ms']:.0f} ms, "
              f"{stats['live_frames'] / took:.1f} frames a second")
        print(f"       {ledger}")


def write_rows(path, packets):
    """A capture file of as many UDP packets of 60 bytes, ten microseconds apart, with ports that go round."""
    def packet(number):
        ports = struct.pack(">HH", 1024 + number * 7919 % 60000, 53)
        ip = bytes.fromhex("4500002e00000000401100000a630001" + "0a630002")
        frame = bytes.fromhex("0200000000020200000000010800") + ip + ports + struct.pack(">HH", 26, 0) + bytes(18)
        return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame

    block = bytearray(b"".join(packet(number) for number in range(100_000)))
    size = len(block) // 100_000
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(100_000):
            struct.pack_into("<I", block, number * size + 4, number * 10)
        for second in range(packets // 100_000):
            for number in range(100_000):
                struct.pack_into("<I", block, number * size, second)
            out.write(block)


def rows(arguments):
    """Our own work in a frame of the window with 10 million rows: the wheel, page keys, both ends, a jump."""
    if not (there("Xvfb") and there("xdotool")):
        return
    with Screen() as screen, tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        write_rows(file.name, 10_000_000)
        child = screen.start(RAWBENCH, "--stats", file.name)
        rest(child)
        window_id = run("xdotool", "search", "--name", "^rawbench$", env=screen.environment).split()[0]
        screen.do("windowsize", window_id, "1280", "800", "windowmove", window_id, "0", "0", "windowfocus", window_id)
        screen.do("mousemove", "900", "250")
        for _ in range(10):
            screen.do("click", "--repeat", "30", "--delay", "20", "5")
            screen.do("key", "--repeat", "20", "--delay", "30", "Next")
            screen.do("key", "End")
            screen.do("click", "--repeat", "30", "--delay", "20", "4")
            screen.do("key", "--repeat", "20", "--delay", "30", "Prior")
            screen.do("key", "Home")
        rest(child)
        stats, said = screen.end(child)
        if stats is None:
            sys.exit(f"the window printed no --stats: {said.strip()}")
        print(f"rows: 10 000 000 packets, {stats['frames']} frames: our own work p50 {stats['processor_p50_ms']:.2f} ms, "
              f"p99 {stats['processor_p99_ms']:.2f} ms, most {stats['processor_max_ms']:.2f} ms of processor time")
        print(f"      by the clock, with what others took of it: p50 {stats['frame_p50_ms']:.2f} ms, "
              f"p99 {stats['frame_p99_ms']:.2f} ms, most {stats['frame_max_ms']:.2f} ms; "
              f"first row {stats['first_row_ms']:.0f} ms after the start")


class Hosts:
    """Two namespaces, va and vb."""

    def __enter__(self):
        self.__exit__()
        for name in (NEAR, FAR):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "va", "netns", NEAR, "type", "veth", "peer", "name", "vb", "netns", FAR)
        for name, interface, host in ((NEAR, "va", 1), (FAR, "vb", 2)):
            run("ip", "-n", name, "addr", "add", f"10.99.0.{host}/24", "dev", interface)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", interface, "up")
        time.sleep(1)
        self.mac = json.loads(run("ip", "-n", FAR, "-j", "link", "show", "vb"))[0]["address"]
        run("ip", "-n", NEAR, "neigh", "replace", "10.99.0.2", "lladdr", self.mac, "dev", "va")
        return self

    def __exit__(self, *_):
        for name in (NEAR, FAR):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)

    def arrived(self):
        return json.loads(run("ip", "-n", FAR, "-s", "-j", "link", "show", "vb"))[0]["stats64"]["rx"]["packets"]

    def syn(self, varied):
        values = "srcport=random(1024..65535), seq=random" if varied else "srcport=40000, seq=1"
        number = "id=random" if varied else "id=7"
        ends = "src=10.99.0.1, dst=10.99.0.2"
        return (f"eth(src=02:00:00:00:00:01, dst={self.mac})/ip({ends}, {number})/"
                f"tcp({values}, dstport=80, flags=S, window=64240)")

    def sender(self, rate, seconds, varied=False):
        return ["ip", "netns", "exec", NEAR, "taskset", "-c", "0", RAWBENCH, "send", "-i", "va", "--rate", str(rate),
                "--duration", str(seconds), "--wait", "0", "--json", self.syn(varied)]


def capture(arguments):
    file = "/dev/shm/rawbench-compare.pcap"
    programs = [("tcpdump", ["tcpdump", "-i", "vb", "-n", "-w", file]), ("dumpcap", ["dumpcap", "-i", "vb", "-q", "-w", file]),
                ("rawbench", [RAWBENCH, "capture", "-i", "vb", "-w", file])]
    with Hosts() as hosts:
        for rate in (100_000, 300_000, "max"):
            costs = {}
            for name, command in programs:
                if name != "rawbench" and not there(name):
                    continue
                counts = {}

                def flood(child):
                    time.sleep(2)
                    before = hosts.arrived()
                    run(*hosts.sender(rate, arguments.seconds))
                    counts["sent"] = hosts.arrived() - before
                    time.sleep(2)
                    child.send_signal(signal.SIGINT)
                    return child.stdout.read()

                command = ["ip", "netns", "exec", FAR, "taskset", "-c", "1", *command]
                _, cpu, memory, _ = measured(command, flood)
                # The other host answers each with a reset, which is captured too.
                kept = int(run(RAWBENCH, "read", file, "--count"))
                syns = int(run(RAWBENCH, "read", file, "--count", "-Y", "tcp.flags.syn == 1"))
                pathlib.Path(file).unlink()
                sent = counts["sent"]
                costs[name] = cpu * 1e6 / max(kept, 1)
                print(f"capture at {rate:>7} pps: {name:9} arrived {sent:8} lost {sent - syns:7}, kept with answers {kept:8}, "
                      f"{costs[name]:.2f} s of processor time per million, {memory:.0f} MiB")
            if "tcpdump" in costs:
                print(f"           rawbench / tcpdump: {costs['rawbench'] / costs['tcpdump']:.2f}")


def send(arguments):
    # A host that answers each SYN with a reset does so at the cost of the sender, in whose time its end of the pair is worked
    # off: that is most of it, and the same for all. What sending costs itself shows where the frames are for nobody.
    for label, deaf in (("each answered", False), ("for nobody", True)):
        with Hosts() as hosts, tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
            if deaf:
                hosts.mac = "02:00:00:00:00:99"
                run("ip", "-n", NEAR, "neigh", "replace", "10.99.0.2", "lladdr", hosts.mac, "dev", "va")
            send_to(hosts, config, arguments, label)


def send_to(hosts, config, arguments, label):
    config.write(f"{{ eth(da={hosts.mac}, sa=02:00:00:00:00:01), ipv4(id=drnd(), ttl=64, sa=10.99.0.1, da=10.99.0.2), "
                 "tcp(sp=drnd(1024,65535), dp=80, syn, seq=drnd(), win=64240) }\n")
    config.flush()
    near = ["ip", "netns", "exec", NEAR, "taskset", "-c", "0"]
    ways = [("rawbench, fixed frame", hosts.sender("max", arguments.seconds)),
            ("rawbench, random port and seq", hosts.sender("max", arguments.seconds, varied=True)),
            ("trafgen, the same", [*near, "trafgen", "-o", "va", "-i", config.name, "-P", "1", "--no-cpu-stats"]),
            ("hping3 --flood, rising port", [*near, "hping3", "-q", "--flood", "-S", "-p", "80", "10.99.0.2"])]
    ways = [way for way in ways if "rawbench" in way[0] or there(way[0].split(",")[0].split()[0])]
    rates = {name: [] for name, _ in ways}
    for _ in range(arguments.rounds):
        for name, command in ways:
            before, begun, used = hosts.arrived(), time.monotonic(), children_time()
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            child = subprocess.Popen(command, start_new_session=True, **quiet)
            time.sleep(arguments.seconds)
            if "rawbench" not in name:
                # As a terminal does it: trafgen waits for its child, which nobody else stops.
                os.killpg(child.pid, signal.SIGINT)
            child.wait()
            took, used = time.monotonic() - begun, children_time() - used
            came = hosts.arrived() - before
            rates[name].append((came / took, came / used))
    for name, all_rates in rates.items():
        by_clock, by_processor = (statistics.median(way) for way in zip(*all_rates))
        print(f"send, {label}: {name:32} {by_clock:9.0f} packets a second, {by_processor:9.0f} a second of processor time")
    for rate in (1_000, 50_000, 250_000):
        before = hosts.arrived()
        said = json.loads(run(*hosts.sender(rate, arguments.seconds, varied=True)).splitlines()[-1])
        came = (hosts.arrived() - before) / said["seconds"]
        print(f"send, {label}: {rate} a second asked, {came:.0f} arrived: {100 * (came / rate - 1):+.2f} %")


def children_time():
    """Processor time of the programs that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def latency(arguments):
    """Round trips of tcping beside the difference of tcpdump's two time stamps for the same packets."""
    if not there("tcpdump"):
        return
    with Hosts() as hosts, tempfile.TemporaryDirectory() as directory:
        file = f"{directory}/near.pcap"
        near = ["ip", "netns", "exec", NEAR]
        listener = subprocess.Popen([*near, "tcpdump", "-i", "va", "--nano", "-w", file, "tcp"], stderr=subprocess.DEVNULL)
        time.sleep(1)
        said = run(*near, RAWBENCH, "tcping", "10.99.0.2:81", "-c", "500", "--interval", "0.01", "--json")
        time.sleep(1)
        listener.send_signal(signal.SIGINT)
        listener.wait()
        answers = [json.loads(text) for text in said.splitlines() if '"answer"' in text]
        fields = [word for name in ("frame.time_epoch", "tcp.flags.syn", "tcp.srcport", "tcp.dstport") for word in ("-e", name)]
        sent, trips = {}, {}
        for row in run(RAWBENCH, "read", file, *fields).splitlines():
            when, syn, source, destination = row.split("\t")
            seconds, _, rest_of_it = when.partition(".")
            nanoseconds = int(seconds) * 10**9 + int(rest_of_it.ljust(9, "0"))
            if syn == "1" and destination == "81":
                sent[source] = nanoseconds
            elif destination in sent:
                trips[destination] = nanoseconds - sent.pop(destination)
        # An answer goes to the port that its SYN came from.
        ports = [str(int.from_bytes(bytes.fromhex(answer["frame"])[22:24], "big")) for answer in answers]
        apart = [answer["rtt_ns"] - trips[port] for answer, port in zip(answers, ports)]
        ours, wire = statistics.median(answer["rtt_ns"] for answer in answers), statistics.median(trips.values())
        print(f"latency: median of {len(answers)}: rawbench {ours / 1000:.1f} us, the wire {wire / 1000:.1f} us, "
              f"difference {(ours - wire) / 1000:+.1f} us; of single packets {min(apart) / 1000:+.1f} to {max(apart) / 1000:+.1f}")


PARTS = {"open": open_file, "filter": filter_file, "window": window, "flood": flood, "rows": rows,
         "capture": capture, "send": send, "latency": latency}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--file", help="a capture file instead of a million packets of the mix")
    parser.add_argument("--seconds", type=int, default=4, help="how long each sender runs")
    parser.add_argument("--rounds", type=int, default=3, help="how often what is compared by medians runs")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for part in arguments.parts:
        PARTS[part](arguments)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
