"""A SYN flood. Started by scripts/syn-flood.sh, within a namespace of its own."""

import ctypes
import errno
import os
import random
import shutil
import socket
import struct
import sys
import threading
import time

import world

PORT = 12345
GREETING = b"Thank you for connecting"
CLIENTS = 20
# What each client may take, in seconds, and the server may grow by, in bytes.
MAX_TIME = 3
MAX_GROWTH = 20_000_000
# SYNs that are on their way at most: the device drops what it has no room for (1,000 frames), of
# whoever it is, and a client whose last segment of the handshake is lost is never heard of again
# where the server speaks first (RFC 4987 3.6).
IN_FLIGHT = 512
BATCH = 64
FRAME = 58
# Linux's <linux/if_packet.h>.
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20


def frames(count, to_mac, from_mac):
    """SYNs from random addresses and ports with random numbers, one after another."""
    random.seed(7)
    header = to_mac + from_mac + b"\x08\x00"
    ours = socket.inet_aton(world.OURS[socket.AF_INET])
    ours_sum = sum(struct.unpack("!2H", ours))
    # Version, length, DF, TTL and protocol; the pseudo header; ports, length, flags, window and MSS.
    ip_sum = 0x4500 + 44 + 0x4000 + 0x4006 + ours_sum
    tcp_sum = ours_sum + 6 + 24 + PORT + 0x6002 + 0xFFFF + 0x0204 + 1460
    frame = struct.Struct("!14s HHHHHH I 4s HHIIHHHH HH")
    made = bytearray(count * FRAME)
    for at in range(0, count * FRAME, FRAME):
        source = random.getrandbits(32)
        # None of an interface's own, a group's, or everybody's.
        while not 1 <= source >> 24 <= 223 or source >> 24 in (127, 192):
            source = random.getrandbits(32)
        words = random.getrandbits(48)
        port, seq = 1024 + (words >> 32) % 64_000, words & 0xFFFFFFFF
        of_source = (source >> 16) + (source & 0xFFFF)
        ip = ip_sum + of_source
        ip = (ip & 0xFFFF) + (ip >> 16)
        ip = (ip & 0xFFFF) + (ip >> 16)
        tcp = tcp_sum + of_source + port + (seq >> 16) + (seq & 0xFFFF)
        tcp = (tcp & 0xFFFF) + (tcp >> 16)
        tcp = (tcp & 0xFFFF) + (tcp >> 16)
        frame.pack_into(
            made, at, header, 0x4500, 44, 0, 0x4000, 0x4006, ip ^ 0xFFFF, source, ours,
            port, PORT, seq, 0, 0x6002, 0xFFFF, tcp ^ 0xFFFF, 0, 0x0204, 1460,
        )
    return made


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("len", ctypes.c_uint),
    ]


def counters(table):
    """How many frames the kernel has had from the device, and how many the device has dropped."""
    text = os.pread(table, 4096, 0).decode()
    fields = text.split(world.TAP + ":", 1)[1].split("\n", 1)[0].split()
    return int(fields[1]), int(fields[11])


def flood(made, progress):
    """Puts the frames on the device; a byte goes to `progress` with each twentieth of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((world.TAP, 0))
    wire.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    count = len(made) // FRAME
    first = ctypes.addressof(ctypes.c_char.from_buffer(made))
    iovecs = (Iovec * count)(*((first + at * FRAME, FRAME) for at in range(count)))
    headers = (Mmsghdr * count)()
    for at in range(count):
        headers[at].iov = ctypes.addressof(iovecs) + at * ctypes.sizeof(Iovec)
        headers[at].iovlen = 1
    table = os.open("/proc/net/dev", os.O_RDONLY)
    os.write(progress, b".")
    base, lost = counters(table)
    sent, told, waited = 0, 0, time.monotonic()
    while sent < count:
        answered, dropped = counters(table)
        if sent - (answered - base) - (dropped - lost) > IN_FLIGHT:
            # What is dropped elsewhere is never answered.
            if time.monotonic() - waited > 1:
                base = answered - sent
            continue
        waited = time.monotonic()
        at = ctypes.addressof(headers) + sent * ctypes.sizeof(Mmsghdr)
        done = libc.sendmmsg(wire.fileno(), ctypes.c_void_p(at), min(BATCH, count - sent), 0)
        if done < 0:
            # The device has no room: what it did not take is sent again.
            world.expect(ctypes.get_errno() == errno.ENOBUFS, os.strerror(ctypes.get_errno()))
            time.sleep(0.001)
            continue
        sent += done
        while told < CLIENTS and sent * (CLIENTS + 1) >= count * (told + 1):
            told += 1
            os.write(progress, b".")
    print(f"the device dropped {counters(table)[1] - lost} frames", flush=True)


def greet(times):
    began = time.monotonic()
    try:
        with world.call(socket.AF_INET, PORT) as stream:
            greeting = world.read_all(stream)
        times.append(time.monotonic() - began if greeting == GREETING else None)
    except OSError as error:
        print(f"a client: {error}")
        times.append(None)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    world.run("ip", "link", "set", "lo", "up")
    world.tap_up()
    with world.server("--gateway", world.KERNELS[socket.AF_INET]) as server:
        times = []
        greet(times)
        world.expect(None not in times, "there is no greeting without a flood either")
        with open("/proc/net/arp") as table:
            known = [line.split() for line in table]
        to_mac = next(line[3] for line in known if line[0] == world.OURS[socket.AF_INET])
        shown = world.run("ip", "-oneline", "link", "show", "dev", world.TAP).split()
        from_mac = shown[shown.index("link/ether") + 1]
        macs = [bytes.fromhex(mac.replace(":", "")) for mac in (to_mac, from_mac)]
        made = frames(count, *macs)

        ends, progress = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                flood(made, progress)
                os._exit(0)
            except BaseException as error:
                print(f"the flood: {error}", flush=True)
                os._exit(1)
        os.close(progress)
        os.read(ends, 1)
        before, began, cpu, highest = server.memory(), time.monotonic(), server.cpu(), 0
        clients, times = [], []
        while news := os.read(ends, 1):
            for _ in news:
                client = threading.Thread(target=greet, args=(times,))
                client.start()
                clients.append(client)
            highest = max(highest, server.memory())
        seconds = time.monotonic() - began
        world.expect(os.waitpid(child, 0)[1] == 0, "the flood failed")
        for client in clients:
            client.join(world.PATIENCE)
        highest = max(highest, server.memory())
        growth, cpu = highest - before, server.cpu() - cpu
        slowest = max((one for one in times if one is not None), default=None)
        print(
            f"{count} SYNs in {seconds:.1f} s ({count / seconds:,.0f}/s, {cpu:.1f} s of the server's"
            f" processor); the server grew by {growth / 1e6:.1f} MB; "
            f"{len(times) - times.count(None)} of {CLIENTS} clients greeted, the slowest after "
            f"{-1 if slowest is None else slowest:.3f} s"
        )
        world.expect(len(times) == CLIENTS and None not in times, "a client was not greeted")
        world.expect(slowest <= MAX_TIME, f"a client was greeted after {slowest:.3f} s")
        world.expect(growth <= MAX_GROWTH, f"the server grew by {growth} bytes")


try:
    main()
except world.Failed as failure:
    print(f"syn-flood: FAILED: {failure}")
    sys.exit(1)
finally:
    shutil.rmtree(world.directory, ignore_errors=True)
print("syn-flood: passed")
