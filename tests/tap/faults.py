"""Faults in real time: cables that are unplugged, processes that die, devices that are not there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

from world import (
    GLASSNET, OURS, PATIENCE, TAP, Process, call, directory, expect, read_all, read_exactly, run, server,
    services,
)


def _fails(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    expect(done.returncode == 2, f"{done.returncode}: {done.stdout}{done.stderr}")
    return done.stderr


def the_interface_goes_down_and_up_in_the_middle_of_a_transfer():
    amount = 32 << 20
    with services() as ours:
        stream = call(socket.AF_INET, 9)
        half = threading.Event()

        def send():
            piece = bytes(1 << 16)
            for number in range(amount // len(piece)):
                stream.sendall(piece)
                if number == amount // len(piece) // 2:
                    half.set()
            stream.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        half.wait(PATIENCE)
        run("ip", "link", "set", TAP, "down")
        time.sleep(0.5)
        run("ip", "link", "set", TAP, "up")
        expect(int(read_all(stream)) == amount, "some is missing")
        sender.join()
        expect(ours.child.poll() is None, ours.said())
        # The same the other way: what we send meets a device that is down.
        with call(socket.AF_INET, 19) as stream:
            read_exactly(stream, 1 << 20)
            run("ip", "link", "set", TAP, "down")
            time.sleep(0.5)
            run("ip", "link", "set", TAP, "up")
            came = read_exactly(stream, 8 << 20)
            expect(len(came) == 8 << 20, f"{len(came)} octets")
            at = (1 << 20) % (1 << 16)
            expect(came[:95] == bytes(b" "[0] + (at + n) % 95 for n in range(95)), "others")


def a_peer_is_killed():
    with services() as ours:
        for port in (9, 19):
            program = (
                "import socket\n"
                f"s = socket.create_connection(('{OURS[socket.AF_INET]}', {port}))\n"
                "print('connected', flush=True)\n"
                + ("while True: s.send(bytes(65536))\n" if port == 9 else "while True: s.recv(65536)\n")
            )
            theirs = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
            theirs.stdout.readline()
            time.sleep(0.1)
            theirs.kill()
            theirs.wait()
        with call(socket.AF_INET, 7) as stream:
            stream.sendall(b"!")
            expect(stream.recv(1) == b"!", "the service is gone")
        # Nothing is left of what the dead left behind.
        end = time.monotonic() + PATIENCE
        while run("ss", "-Htan", "state", "established", "dst", OURS[socket.AF_INET]):
            expect(time.monotonic() < end, "a connection stays")
            time.sleep(0.1)
        expect(ours.child.poll() is None, ours.said())


a_peer_is_killed.needs = "ss"


def our_process_is_killed_and_begins_again_on_the_same_address():
    stream = None
    for _ in range(3):
        with services() as ours:
            if stream is not None:
                # The new one knows nothing of the old one's connections.
                stream.sendall(b"are you there?")
                try:
                    came = stream.recv(1)
                    expect(False, f"{came} instead of a reset")
                except ConnectionResetError:
                    pass
            stream = call(socket.AF_INET, 7)
            stream.sendall(b"!")
            expect(stream.recv(1) == b"!", "no echo")
            ours.stop(signal.SIGKILL)


def what_ends_closes_its_connections():
    with services() as ours:
        idle = [call(socket.AF_INET, 7) for _ in range(10)]
        busy = call(socket.AF_INET, 19)
        busy.recv(1000)
        expect(ours.stop(signal.SIGTERM) == 0, ours.said())
    for stream in idle:
        expect(stream.recv(1) == b"", "it was not closed")


def _client(*options):
    return subprocess.Popen(
        [GLASSNET, "client", "server", "12345", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )


def a_bad_cable_loses_nothing():
    path = os.path.join(directory, "cable")
    message = "".join(chr(33 + at % 90) for at in range(100_000))
    bad = ["--cable", path, "--delay", "1ms", "--loss", "3%", "--duplicate", "3%", "--reorder", "5%"]
    with Process(GLASSNET, "server", *bad, "--message", message) as ours:
        end = time.monotonic() + PATIENCE
        while not os.path.exists(path):
            expect(time.monotonic() < end, ours.said())
            time.sleep(0.02)
        clients = [
            _client(*bad)
            for _ in range(4)
        ]
        for client in clients:
            said, _ = client.communicate(timeout=PATIENCE)
            expect(said.decode() == message, f"{len(said)} octets, or others")
        # One is killed while it is a member; then the process with the switch is.
        client = _client(*bad)
        time.sleep(0.05)
        client.kill()
        client.wait()
        expect(ours.child.poll() is None, ours.said())
        expect(ours.stop(signal.SIGKILL) != 0, "it was not killed")
    with Process(GLASSNET, "server", *bad) as ours:
        ours.listening()
        said = run(GLASSNET, "client", "server", "12345", *bad)
        expect(said == "Thank you for connecting", said)


def what_cannot_work_is_explained():
    address = ("--address", "192.0.2.2/24")
    with server():
        said = _fails(GLASSNET, "server", "--tap", TAP, *address)
        expect("another process is attached" in said, said)
    said = _fails(GLASSNET, "server", "--tun", "tun7")
    expect("no address was given" in said and "ip address show dev tun7" in said, said)
    said = _fails(GLASSNET, "server", "--tap", TAP, "--dhcp", *address)
    expect("--dhcp and --address 192.0.2.2" in said, said)
    said = _fails(GLASSNET, "server", "--tap", TAP, *address, "--mtu", "9000")
    expect(f"ip link set {TAP} mtu 9000" in said, said)
    said = _fails(GLASSNET, "server", "--tun", TAP, *address)
    expect("no tun device" in said, said)
    run("ip", "link", "set", TAP, "down")
    said = _fails(GLASSNET, "server", "--tap", TAP, *address)
    expect(f"ip link set {TAP} up" in said, said)
    run("ip", "link", "set", TAP, "up")
    taken = subprocess.run(
        [GLASSNET, "server", "--tap", TAP, "--address", "192.0.2.1/24"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    expect(taken.returncode == 1 and "in use by a neighbour" in taken.stderr, taken.stderr)


def who_is_not_root_is_told_what_to_do():
    unprivileged = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    said = _fails(*unprivileged, GLASSNET, "server", "--tap", "tap9", "--address", "192.0.2.2/24")
    expect("ip tuntap add dev tap9 mode tap user" in said, said)
    expect("unshare --user --map-root-user --net" in said, said)


who_is_not_root_is_told_what_to_do.needs = "setpriv"


def a_device_that_is_removed_ends_the_run():
    with services() as ours:
        run("ip", "link", "delete", TAP)
        expect(ours.child.wait(PATIENCE) == 1, "it goes on")
        expect("was removed" in ours.said(), ours.said())


def a_device_that_is_not_there_is_made_and_removed():
    with Process(GLASSNET, "server", "--tap", "tap8", "--address", "192.0.2.2/24") as ours:
        ours.listening()
        expect("UP" in run("ip", "-brief", "link", "show", "dev", "tap8"), "it is down")
        ours.stop()
    gone = subprocess.run(["ip", "link", "show", "dev", "tap8"], capture_output=True, check=False)
    expect(gone.returncode != 0, "it is still there")


def packets_without_ethernet():
    with Process(GLASSNET, "server", "--tun", "tun8", "--address", "198.51.100.2/24",
                 "--address", "fd00:db9::2/64") as ours:
        ours.listening()
        run("ip", "address", "add", "198.51.100.1/24", "dev", "tun8")
        run("ip", "address", "add", "fd00:db9::1/64", "dev", "tun8", "nodad")
        for address in ("198.51.100.2", "fd00:db9::2"):
            with socket.create_connection((address, 12345), PATIENCE) as stream:
                expect(read_all(stream) == b"Thank you for connecting", "no greeting")
