"""Connects, transfers and resets at random; memory and processor time must stay flat."""

import os
import random
import socket
import time

from world import FAMILIES, call, counters, expect, read_all, services


def _echo(family):
    sent = os.urandom(random.randrange(1, 60_000))
    with call(family, 7) as stream:
        stream.sendall(sent)
        stream.shutdown(socket.SHUT_WR)
        expect(read_all(stream) == sent, "it is not what was sent")
    return len(sent)


def _discard(family):
    sent = bytes(random.randrange(1, 2_000_000))
    with call(family, 9) as stream:
        stream.sendall(sent)
        stream.shutdown(socket.SHUT_WR)
        expect(int(read_all(stream)) == len(sent), "some is missing")
    return len(sent)


def _leave_in_the_middle(family):
    with call(family, 19) as stream:
        return len(stream.recv(random.randrange(1, 500_000)))


def _reset(family):
    stream = call(family, 7)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.sendall(bytes(random.randrange(1, 5_000)))
    stream.close()
    return 0


def _be_reset(family):
    with call(family, 1000) as stream:
        stream.sendall(b"!")
        try:
            stream.recv(1)
            expect(False, "no reset")
        except ConnectionResetError:
            return 0


def soak(seconds):
    jobs = [_echo, _echo, _discard, _leave_in_the_middle, _reset, _be_reset]
    before = counters()
    with services() as ours:
        began = time.monotonic()
        end = began + seconds
        # Memory is compared once everything has been used for a while, and TIME-WAIT, which lasts
        # a minute, has as many as it ever will.
        warm = None
        done = octets = 0
        windows = []
        second, cpu, octets_then = began, ours.cpu(), 0
        while time.monotonic() < end:
            octets += random.choice(jobs)(random.choice(FAMILIES))
            done += 1
            now = time.monotonic()
            if now - second >= max(1, seconds / 20):
                used = ours.cpu() - cpu
                windows.append((now - second, used, octets - octets_then, ours.memory()))
                second, cpu, octets_then = now, ours.cpu(), octets
                if warm is None and now - began >= min(90, seconds / 2):
                    warm = ours.memory()
        memory = ours.memory()
        idle = ours.cpu()
        time.sleep(1)
        idle = ours.cpu() - idle
        for took, used, carried, held in windows:
            print(
                f"soak: {used / took:6.1%} of a processor, {carried / took / 1e6:7.1f} MB/s, "
                f"{held / 1e6:5.1f} MB of memory"
            )
        print(
            f"soak: {done} connections, {octets / 1e9:.2f} GB in {seconds} s; memory "
            f"{(warm or memory) / 1e6:.1f} MB, in the end {memory / 1e6:.1f} MB; idle {idle:.2f} s/s"
        )
        expect(memory <= (warm or memory) * 1.15 + (4 << 20), "memory grows")
        half = len(windows) // 2
        cost = [
            sum(window[1] for window in part) / max(1, sum(window[2] for window in part))
            for part in (windows[:half], windows[half:])
        ]
        expect(cost[1] <= cost[0] * 1.5, f"an octet costs more and more: {cost}")
        expect(idle <= 0.05, "it is busy with nothing")
        expect(ours.stop() == 0, ours.said())
    after = counters()
    expect(after["TcpInErrs"] == before["TcpInErrs"], "the kernel counts bad segments")
    return 0
