"""What the checks share: the TAP device, our processes, and looking at them."""

import os
import signal
import socket
import subprocess
import tempfile
import time

GLASSNET = os.environ["GLASSNET"]
SERVICES = os.environ["SERVICES"]
IPERF3 = os.environ["IPERF3"]
TAP = "tap0"
OURS = {socket.AF_INET: "192.0.2.2", socket.AF_INET6: "fd00:db8::2"}
KERNELS = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "fd00:db8::1"}
ADDRESSES = ["192.0.2.2/24", "fd00:db8::2/64"]
FAMILIES = (socket.AF_INET, socket.AF_INET6)
# Nothing takes so long unless it hangs.
PATIENCE = 60

directory = tempfile.mkdtemp(prefix="glassnet-tap-")


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def run(*command, **options):
    """Runs a command to its end and returns what it printed."""
    options = {"stdin": subprocess.DEVNULL, **options}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )
    expect(done.returncode == 0, f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def tap_up(mtu=1500):
    run("scripts/tap-up.sh", TAP)
    run("ip", "link", "set", TAP, "mtu", str(mtu))


def tap_down():
    run("scripts/tap-down.sh", TAP)


class Process:
    """One of our processes, ended with the block."""

    def __init__(self, *command):
        self.output = tempfile.TemporaryFile(mode="w+")
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors
        )
        self.pid = self.child.pid

    def listening(self):
        """Waits until it says that it listens."""
        end = time.monotonic() + PATIENCE
        while "listening" not in self.said():
            expect(self.child.poll() is None, f"it ended: {self.said()}")
            expect(time.monotonic() < end, f"it does not listen: {self.said()}")
            time.sleep(0.02)
        # The kernel answers on a device some milliseconds after somebody attached to it.
        time.sleep(0.05)
        return self

    def stop(self, how=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(how)
        return self.child.wait(PATIENCE)

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def printed(self):
        self.output.seek(0)
        return self.output.read()

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Octets of resident memory."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def server(*options):
    addresses = [word for address in ADDRESSES for word in ("--address", address)]
    return Process(GLASSNET, "server", "--tap", TAP, *addresses, *options).listening()


def services(*capture):
    return Process(SERVICES, "tap", TAP, *ADDRESSES, *capture).listening()


def iperf3():
    return Process(IPERF3, "tap", TAP, *ADDRESSES).listening()


def call(family, port):
    stream = socket.socket(family)
    stream.settimeout(PATIENCE)
    stream.connect((OURS[family], port))
    return stream


def read_all(stream):
    pieces = []
    while piece := stream.recv(1 << 18):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(stream, count):
    pieces = []
    while count:
        piece = stream.recv(min(count, 1 << 18))
        expect(piece, f"the stream ended {count} octets early")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def counters():
    """The kernel's own counters, by name."""
    found = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        with open(path) as lines:
            lines = lines.read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            group, names = names.split(":")
            for name, value in zip(names.split(), values.split(":")[1].split()):
                found[group + name] = int(value)
    return found
