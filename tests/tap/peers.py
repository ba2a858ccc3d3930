"""The kernel, CPython, curl and ping as peers."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from world import (
    FAMILIES, GLASSNET, KERNELS, OURS, PATIENCE, TAP, Process, call, counters, directory, expect, iperf3,
    read_all, read_exactly, run, server, services,
)

GREETING = "Thank you for connecting"


def _needs(tool):
    def mark(check):
        check.needs = tool
        return check

    return mark


def cpythons_client_is_greeted_by_our_server():
    with server() as ours:
        for family in FAMILIES:
            said = run(sys.executable, "tests/tap/greeting_client.py", OURS[family], "12345")
            expect(said == GREETING + "\n", said)
        expect(ours.stop(signal.SIGINT) == 0, "it did not end well")
        lines = ours.printed().splitlines()
        expect(len(lines) == 2, lines)
        expect(re.fullmatch(r"Got connection from 192\.0\.2\.1:\d+", lines[0]), lines)
        expect(re.fullmatch(r"Got connection from \[fd00:db8::1\]:\d+", lines[1]), lines)


def our_client_is_greeted_by_cpythons_server():
    for family, address in zip(FAMILIES, ("192.0.2.2/24", "fd00:db8::2/64")):
        theirs = subprocess.Popen(
            [sys.executable, "tests/tap/greeting_server.py", KERNELS[family], "12345"],
            stdout=subprocess.PIPE,
        )
        try:
            expect(theirs.stdout.readline() == b"listening\n", "CPython does not listen")
            said = run(
                GLASSNET, "client", KERNELS[family], "12345", "--tap", TAP, "--address", address
            )
            expect(said == GREETING, said)
            expect(b"Got connection from" in theirs.stdout.readline(), "CPython saw nobody")
        finally:
            theirs.kill()
            theirs.wait()


def one_client_is_enough_for_once_and_its_capture_is_whole():
    path = os.path.join(directory, "once.pcapng")
    with Process(
        GLASSNET, "server", "--tap", TAP, "--address", "192.0.2.2/24", "--once", "--pcap", path
    ) as ours:
        ours.listening()
        said = read_all(call(socket.AF_INET, 12345))
        expect(said == GREETING.encode(), said)
        expect(ours.child.wait(PATIENCE) == 0, ours.said())
    with open(path, "rb") as capture:
        expect(capture.read(4) == b"\x0a\x0d\x0d\x0a", "it is no pcapng file")
    seen = run("tshark", "-r", path, "-Y", "tcp.flags.fin == 1", "-T", "fields", "-e", "ip.src")
    expect(sorted(set(seen.split())) == ["192.0.2.1", "192.0.2.2"], seen)
    bad = run(
        "tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
        "-Y", "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0",
    )
    expect(bad == "", bad)


one_client_is_enough_for_once_and_its_capture_is_whole.needs = "tshark"


@_needs("tshark")
def a_capture_can_be_watched_through_a_pipe():
    ours = subprocess.Popen(
        [GLASSNET, "server", "--tap", TAP, "--address", "192.0.2.2/24", "--pcap", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    watched = subprocess.Popen(
        ["tshark", "-l", "-i", "-", "-Y", "tcp.flags.fin == 1"],
        stdin=ours.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    try:
        for _ in range(200):
            try:
                read_all(call(socket.AF_INET, 12345))
                break
            except OSError:
                time.sleep(0.05)
        # While the server runs.
        expect("192.0.2.2" in watched.stdout.readline(), "tshark shows nothing")
        ours.send_signal(signal.SIGTERM)
        expect(ours.wait(PATIENCE) == 0, "it did not end well")
    finally:
        for child in (ours, watched):
            child.kill()
            child.wait()


@_needs("ping")
def ping_is_answered_whole_and_in_fragments():
    with server():
        for family in ("-4", "-6"):
            address = OURS[socket.AF_INET if family == "-4" else socket.AF_INET6]
            for size in ("0", "56", "1400", "8000", "60000"):
                said = run("ping", family, "-c", "3", "-i", "0.01", "-s", size, "-W", "5", address)
                expect(" 0% packet loss" in said, said)


@_needs("curl")
def curl_gets_a_page_from_hyper():
    with services():
        for url in ("http://192.0.2.2/", "http://[fd00:db8::2]/"):
            said = run("curl", "--silent", "--show-error", "--max-time", "20", url, url)
            expect(said == (GREETING + "\n") * 2, said)


def bulk_goes_in_and_out_whole():
    amount = 64 << 20
    piece = bytes(range(256)) * 256
    pattern = bytes(b" "[0] + at % 95 for at in range(1 << 16))
    with services() as ours:
        for family in FAMILIES:
            with call(family, 9) as stream:
                for _ in range(amount // len(piece)):
                    stream.sendall(piece)
                stream.shutdown(socket.SHUT_WR)
                expect(int(read_all(stream)) == amount, "some is missing")
            with call(family, 19) as stream:
                left = amount
                while left:
                    came = read_exactly(stream, min(len(pattern), left))
                    expect(came == pattern[: len(came)] and came, "it is not what was sent")
                    left -= len(came)
        expect(ours.memory() < 64 << 20, f"{ours.memory()} octets of memory")


def _is_echoed(amount, *address):
    sent = os.urandom(amount)
    with socket.create_connection(address, PATIENCE) as stream:
        child = os.fork()
        if child == 0:
            try:
                stream.sendall(sent)
                stream.shutdown(socket.SHUT_WR)
            finally:
                os._exit(0)
        echoed = read_all(stream)
        os.waitpid(child, 0)
        expect(echoed == sent, f"{len(echoed)} of {len(sent)} octets, or others")


def echoed_bulk_is_what_was_sent():
    with services():
        _is_echoed(8 << 20, OURS[socket.AF_INET], 7)


def frames_that_stand_for_several_are_whole_at_every_mtu():
    for mtu in (1280, 1499, 9000, 65521):
        run("ip", "link", "set", TAP, "mtu", str(mtu))
        with services():
            for family in FAMILIES:
                _is_echoed((8 << 20) + 1, OURS[family], 7)
            # They are: 8 MiB and more are not that few segments in either direction.
            said = json.loads(run("ip", "-json", "-statistics", "link", "show", "dev", TAP))
            if mtu < 9000:
                packets = said[0]["stats64"]["rx"]["packets"], said[0]["stats64"]["tx"]["packets"]
                expect(max(packets) < 10_000, packets)
        run("scripts/tap-down.sh", TAP)
        run("scripts/tap-up.sh", TAP)


@_needs("tshark")
def who_watches_sees_frames_as_on_a_wire():
    path = os.path.join(directory, "watched.pcapng")
    # The device has been left by somebody who took larger ones.
    with services() as ours:
        ours.stop(signal.SIGKILL)
    message = "".join(chr(33 + at % 90) for at in range(100_000))
    with server("--pcap", path, "--message", message) as ours:
        for family in FAMILIES:
            said = read_all(call(family, 12345))
            expect(said == message.encode(), f"{len(said)} octets")
        expect(ours.stop() == 0, ours.said())
    wrong = run(
        "tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
        "-Y", "frame.len > 1514 || tcp.checksum.status == 0 || ip.checksum.status == 0",
    )
    expect(wrong == "", wrong)


@_needs("ss")
def the_kernel_sees_what_was_negotiated():
    with services():
        with call(socket.AF_INET, 7) as stream:
            stream.sendall(b"!" * 1000)
            read_exactly(stream, 1000)
            said = run("ss", "-tin", "dst", OURS[socket.AF_INET])
            expect("mss:1460" in said, said)
            # 65,535 octets, shifted by three bits, is the first that holds a buffer of 256 KiB.
            scale = re.search(r"wscale:(\d+),(\d+)", said)
            expect(scale and int(scale[1]) == 3, said)
            expect("retrans" not in said, said)


def one_direction_closes_before_the_other():
    with services():
        for family in FAMILIES:
            with call(family, 7) as stream:
                stream.sendall(b"all of it")
                stream.shutdown(socket.SHUT_WR)
                expect(read_all(stream) == b"all of it", "the rest was lost")


def resets_are_resets_for_the_kernel():
    with services():
        for family in FAMILIES:
            with call(family, 1000) as stream:
                stream.sendall(b"!")
                try:
                    came = stream.recv(1)
                    expect(False, f"{came} instead of a reset")
                except ConnectionResetError:
                    pass
            try:
                call(family, 1001)
                expect(False, "nobody listens there")
            except ConnectionRefusedError:
                pass
            # And ours bears the kernel's: SO_LINGER of no time.
            stream = call(family, 7)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.sendall(b"!")
            stream.close()
            with call(family, 7) as stream:
                stream.sendall(b"!")
                expect(stream.recv(1) == b"!", "the service is gone")


@_needs("ss")
def time_wait_is_where_it_belongs():
    with services():
        # Who closes first waits: the kernel here.
        with call(socket.AF_INET, 7) as stream:
            port = stream.getsockname()[1]
            stream.shutdown(socket.SHUT_WR)
            expect(read_all(stream) == b"", "somebody spoke")
        waits = run("ss", "-Htan", "state", "time-wait", "sport", "=", f":{port}")
        expect("192.0.2.2:7" in waits, waits)
    with server():
        # The server here: nothing of the kernel's stays behind.
        stream = call(socket.AF_INET, 12345)
        port = stream.getsockname()[1]
        read_all(stream)
        stream.close()
        end = time.monotonic() + PATIENCE
        while run("ss", "-Htan", "sport", "=", f":{port}", "dport", "=", ":12345"):
            expect(time.monotonic() < end, "the kernel's end stays open")
            time.sleep(0.05)


def the_kernel_counts_no_bad_packet_of_ours():
    before = counters()
    bulk_goes_in_and_out_whole()
    resets_are_resets_for_the_kernel()
    after = counters()
    for name in ("TcpInErrs", "TcpInCsumErrors", "IpInHdrErrors", "IpInAddrErrors", "IpReasmFails"):
        expect(after[name] == before[name], f"{name}: {after[name] - before[name]}")


def a_thousand_connections_at_once():
    async def one(number):
        reader, writer = await asyncio.open_connection(OURS[socket.AF_INET], 7)
        for turn in range(3):
            word = f"{number} {turn}\n".encode()
            writer.write(word)
            expect(await reader.readline() == word, "it is not what was sent")
        return writer

    async def all_of_them(ours):
        writers = await asyncio.gather(*(one(number) for number in range(1000)))
        # All are open, and nothing happens.
        began = ours.cpu()
        await asyncio.sleep(2)
        used = ours.cpu() - began
        expect(used <= 0.05, f"{used} s of processor time in 2 s of nothing")
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers))

    with services() as ours:
        asyncio.run(asyncio.wait_for(all_of_them(ours), PATIENCE))


@_needs("iperf3")
def iperf3_measures_in_both_directions():
    def measured(family, *options):
        said = run("iperf3", "--client", OURS[family], "--json", "--len", "64K", *options)
        said = json.loads(said)
        expect("error" not in said, f"{said.get('error')}: {options}: {ours.said()}")
        end = said["end"]
        return end["sum_sent"]["bytes"], end["sum_received"]["bytes"], end["streams"]

    with iperf3() as ours:
        for family in FAMILIES:
            for parallel in ("1", "4"):
                for limit in (("--time", "1"), ("--bytes", "16M")):
                    options = ("--parallel", parallel, *limit)
                    sent, received, streams = measured(family, *options)
                    expect(len(streams) == int(parallel), streams)
                    expect(sent >= 16_000_000, f"{sent} octets")
                    # What is under way at the end arrives before it is counted.
                    expect(received == sent, f"{received} of {sent} octets: {options}")
                    sent, received, streams = measured(family, "--reverse", *options)
                    expect(len(streams) == int(parallel), streams)
                    # Here the client stops counting while some is under way: two buffers a stream.
                    expect(16_000_000 <= received <= sent, f"{received} of {sent} octets: {options}")
                    missing = (sent - received) / int(parallel)
                    expect(missing <= 8 << 20, f"{missing} octets are missing: {options}")
        sent, received, streams = measured(socket.AF_INET, "--bidir", "--time", "1", "--omit", "1")
        expect(len(streams) == 2 and sent and received, f"{sent} and {received} octets")

        # One test at a time.
        with call(socket.AF_INET, 5201) as first:
            first.sendall(b"c" * 36 + b"\0")
            expect(first.recv(1) == b"\x09", "it asks for no parameters")
            with call(socket.AF_INET, 5201) as second:
                expect(second.recv(10) == b"\xff", "it is not refused")
        # What it cannot do is an error for the client, which says what it is.
        for options in (("--udp",), ("--set-mss", "1000")):
            done = subprocess.run(
                ["iperf3", "--client", OURS[socket.AF_INET], *options],
                capture_output=True, text=True, timeout=PATIENCE, check=False,
            )
            expect(done.returncode == 1 and "not implemented" in done.stderr, done.stderr)
        # Nonsense ends the test of who sent it, and nothing else.
        for nonsense in (b"", b"\xff\xff\xff\xff", b"\0\0\0\2{]", b"\0\0\0\2[]", b'\0\0\0\x0f{"parallel": 0}',
                         b'\0\0\0\x0d{"time": 1e9}', b'\0\0\0\x0b{"len": -1}'):
            with call(socket.AF_INET, 5201) as stream:
                stream.sendall(os.urandom(37) + nonsense)
                stream.shutdown(socket.SHUT_WR)
                read_all(stream)
        # A client that dies in the middle makes room for the next.
        theirs = subprocess.Popen(
            ["iperf3", "--client", OURS[socket.AF_INET], "--reverse"],
            stdout=subprocess.PIPE, text=True,
        )
        expect("Connecting" in theirs.stdout.readline(), "it does not begin")
        time.sleep(0.5)
        theirs.kill()
        theirs.wait()
        time.sleep(0.1)
        sent, received, _ = measured(socket.AF_INET6, "--bytes", "1M")
        expect(received == sent, f"{received} of {sent} octets")
        expect(ours.stop() == 0, ours.said())
