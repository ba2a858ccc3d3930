"""Figures: bulk, connections a second and round-trip times over a TAP device."""

import socket
import subprocess
import sys
import time

from world import PATIENCE, TAP, call, expect, read_all, run, services, tap_down, tap_up

SECONDS = 3
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
    done = 0
    while time.monotonic() - began < SECONDS:
        with call(socket.AF_INET, 9) as stream:
            stream.shutdown(socket.SHUT_WR)
            read_all(stream)
        done += 1
    return done / (time.monotonic() - began)


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


def _over_veth(mtu):
    """The kernel with itself over a pair of interfaces, in the same run."""
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

        return _bulk_out_of_the_kernel(connect), _bulk_into_the_kernel(connect)
    finally:
        peer.kill()
        peer.wait()


def show():
    print(f"{'':24} {'MTU':>6} {'in, Gbit/s':>12} {'out, Gbit/s':>12}")
    for mtu in (1500, 65521):
        tap_up(mtu)
        with services():
            ours = lambda port: call(socket.AF_INET, port)
            into, out = _bulk_out_of_the_kernel(ours), _bulk_into_the_kernel(ours)
        tap_down()
        print(f"{'glassnet on a TAP device':24} {mtu:6} {into:12.2f} {out:12.2f}", flush=True)
        into, out = _over_veth(mtu)
        print(f"{'kernel on a veth pair':24} {mtu:6} {into:12.2f} {out:12.2f}", flush=True)
    tap_up()
    with services():
        print(f"connections a second, one after the other: {_connections():.0f}")
        print("round trip of 64 octets: p50 {:.0f} us, p99 {:.0f} us".format(*_round_trips()))
    tap_down()
    return 0
