"""Figures: bulk beside smoltcp's own loop and the kernel's veth, connections a second, round-trip
times, and what idle connections cost. All take turns, and medians count."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time

from world import OURS, PATIENCE, TAP, Process, call, expect, read_all, run, services, tap_down, tap_up

SECONDS = 1
ROUNDS = 7
# The most that the kernel takes for a TAP device: 65,535 with the Ethernet header
# (drivers/net/tun.c, MAX_TUN_MTU).
MTUS = (1500, 65535 - 14)
PEER = """
import socket, threading
def serve(port, job):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("198.51.100.2", port)); s.listen(64)
    def loop():
        while True:
            c, _ = s.accept()
            threading.Thread(target=job, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
def discard(c):
    b = bytearray(1 << 18); n = 0
    while k := c.recv_into(b): n += k
    c.sendall(b"%d\\n" % n); c.close()
def chargen(c):
    p = bytes(1 << 18)
    try:
        while True: c.sendall(p)
    except OSError: pass
serve(9, discard); serve(19, chargen)
print("ready", flush=True); input()
"""


def _bulk_out_of_the_kernel(connect):
    piece = bytes(1 << 18)
    with connect(9) as stream:
        began = time.monotonic()
        sent = 0
        while time.monotonic() - began < SECONDS:
            stream.sendall(piece)
            sent += len(piece)
        stream.shutdown(socket.SHUT_WR)
        expect(int(read_all(stream)) == sent, "some is missing")
        return sent * 8 / (time.monotonic() - began) / 1e9


def _bulk_into_the_kernel(connect):
    buffer = bytearray(1 << 18)
    with connect(19) as stream:
        began = time.monotonic()
        came = 0
        while time.monotonic() - began < SECONDS:
            came += stream.recv_into(buffer)
        return came * 8 / (time.monotonic() - began) / 1e9


def _connections():
    began = time.monotonic()
    # With all rounds, much less than the kernel has ports: it looks long for the last of them.
    count = 1_500
    for _ in range(count):
        with call(socket.AF_INET, 9) as stream:
            stream.shutdown(socket.SHUT_WR)
            read_all(stream)
    return count / (time.monotonic() - began)


def _round_trips():
    with call(socket.AF_INET, 7) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        word = bytes(64)
        times = []
        for _ in range(10_000):
            began = time.perf_counter()
            stream.sendall(word)
            stream.recv(64, socket.MSG_WAITALL)
            times.append(time.perf_counter() - began)
        times.sort()
        return times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6


@contextlib.contextmanager
def _kernel(mtu):
    """The kernel with itself over a pair of interfaces."""
    peer = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c",
         "import subprocess, time\n"
         "while subprocess.run(['ip', 'link', 'show', 'dev', 'veth1'], capture_output=True).returncode: time.sleep(0.02)\n"
         f"for c in ('address add 198.51.100.2/24 dev veth1', 'link set veth1 mtu {mtu} up'):\n"
         "    subprocess.run(['ip', *c.split()], check=True)\n" + PEER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        time.sleep(0.2)
        run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        run("ip", "link", "set", "veth1", "netns", str(peer.pid))
        run("ip", "address", "add", "198.51.100.1/24", "dev", "veth0")
        run("ip", "link", "set", "veth0", "mtu", str(mtu), "up")
        expect(peer.stdout.readline() == "ready\n", "the other end does not listen")
        time.sleep(0.5)

        def connect(port):
            return socket.create_connection(("198.51.100.2", port), PATIENCE)

        yield connect
    finally:
        peer.kill()
        peer.wait()


@contextlib.contextmanager
def _glassnet(mtu):
    tap_up(mtu)
    with services():
        yield lambda port: call(socket.AF_INET, port)
    tap_down()


@contextlib.contextmanager
def _captured(mtu):
    """With a capture, which goes nowhere: frames are those of a wire, each by itself."""
    tap_up(mtu)
    with services("/dev/null"):
        yield lambda port: call(socket.AF_INET, port)
    tap_down()


@contextlib.contextmanager
def _smoltcp(mtu):
    """smoltcp's own example loop, as it is, on the same device. At the largest MTU a segment is as
    large as its buffer, so that out of it each waits for the kernel's delayed acknowledgment."""
    tap_up(mtu)
    with Process(os.environ["SMOLTCP_TAP"], TAP, OURS[socket.AF_INET]).listening():
        yield lambda port: call(socket.AF_INET, port)
    tap_down()


def _idle(count):
    """Percent of a processor with so many connections open and nothing to do."""
    with services() as ours:
        streams = []
        for number in range(count):
            streams.append(call(socket.AF_INET, 7))
            streams[-1].sendall(b"!")
            expect(streams[-1].recv(1) == b"!", f"connection {number} is dead")
        time.sleep(0.5)
        began, cpu = time.monotonic(), ours.cpu()
        time.sleep(5)
        return (ours.cpu() - cpu) / (time.monotonic() - began) * 100


def _bulk():
    peers = {
        "glassnet on a TAP device": _glassnet,
        "smoltcp's loop, likewise": _smoltcp,
        "glassnet with a capture": _captured,
        "kernel on a veth pair": _kernel,
    }
    print(f"medians of {ROUNDS} rounds of {SECONDS} s\n\n{'':24} {'MTU':>6} {'in, Gbit/s':>12} {'out, Gbit/s':>12}")
    for mtu in MTUS:
        figures = {name: ([], []) for name in peers}
        for _ in range(ROUNDS):
            for name, peer in peers.items():
                with peer(mtu) as connect:
                    figures[name][0].append(_bulk_out_of_the_kernel(connect))
                    figures[name][1].append(_bulk_into_the_kernel(connect))
        medians = {name: [statistics.median(way) for way in ways] for name, ways in figures.items()}
        for name, (into, out) in medians.items():
            print(f"{name:24} {mtu:6} {into:12.2f} {out:12.2f}")
        ours, theirs = list(medians.values())[:2]
        into, out = (our / their for our, their in zip(ours, theirs))
        print(f"{'glassnet / smoltcp':24} {mtu:6} {into:11.2f}x {out:11.2f}x\n", flush=True)


def show():
    _bulk()
    tap_up()
    with services():
        rates = [_connections() for _ in range(ROUNDS)]
        print(f"connections a second, one after the other: {statistics.median(rates):.0f}")
        times = zip(*(_round_trips() for _ in range(ROUNDS)))
        print("round trip of 64 octets: p50 {:.0f} us, p99 {:.0f} us".format(*map(statistics.median, times)))
    tap_down()
    tap_up()
    print(f"1,000 idle connections: {_idle(1000):.1f} % of a processor")
    tap_down()
    return 0
