"""DHCP from dnsmasq, and from nobody."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

from world import GLASSNET, PATIENCE, TAP, Process, directory, expect, read_all, run

GREETING = "Thank you for connecting"


class _Dnsmasq(Process):
    """A DHCP and DNS server on the TAP device, of 192.0.2.100 to 192.0.2.150."""

    def __init__(self, *options):
        self.leases = os.path.join(directory, "leases")
        if os.path.exists(self.leases):
            os.remove(self.leases)
        super().__init__(
            "dnsmasq", "--no-daemon", "--user=root", "--conf-file=/dev/null", "--pid-file=",
            f"--interface={TAP}", "--except-interface=lo", "--bind-interfaces",
            "--dhcp-range=192.0.2.100,192.0.2.150,2m", f"--dhcp-leasefile={self.leases}",
            "--no-resolv", "--no-hosts", "--host-record=some.name,192.0.2.1", "--log-dhcp", *options,
        )
        self.wait_for("sockets bound exclusively")

    def wait_for(self, what):
        end = time.monotonic() + PATIENCE
        while what not in self.said():
            expect(self.child.poll() is None, f"dnsmasq ended: {self.said()}")
            expect(time.monotonic() < end, f"no {what!r}: {self.said()}")
            time.sleep(0.02)

    def lent(self):
        """Ethernet address, address and name of each lease."""
        with open(self.leases) as leases:
            return [line.split()[1:4] for line in leases]


def dnsmasq_lends_an_address_and_gets_it_back():
    path = os.path.join(directory, "dhcp.pcapng")
    # Three seconds are the least T1 that dnsmasq can be told to give.
    with _Dnsmasq("--no-ping", "--dhcp-option=option:T1,3", "--dhcp-option=26,1400") as theirs:
        with Process(GLASSNET, "server", "--tap", TAP, "--pcap", path) as ours:
            ours.listening()
            [(mac, address, name)] = theirs.lent()
            expect(name == "server", name)
            lines = ours.said().splitlines()
            expect(lines == [
                f"glassnet: asking for an address by DHCP on {TAP}",
                f"glassnet: has {address}/24 from 192.0.2.1, for 2min",
                f"glassnet: listening on port 12345 of {address}",
            ], lines)
            with socket.create_connection((address, 12345), PATIENCE) as stream:
                expect(read_all(stream) == GREETING.encode(), "no greeting")
            end = time.monotonic() + PATIENCE
            while theirs.said().count("DHCPACK") < 3:
                expect(time.monotonic() < end, theirs.said())
                time.sleep(0.1)
            # A renewal disturbs nobody.
            with socket.create_connection((address, 12345), PATIENCE) as stream:
                expect(read_all(stream) == GREETING.encode(), "no greeting")
            expect(ours.stop() == 0, ours.said())
        theirs.wait_for("DHCPRELEASE")
        expect(theirs.lent() == [], theirs.lent())
    expect(not _wrong(path), _wrong(path))
    seen = run("tshark", "-r", path, "-Y", "dhcp", "-T", "fields", "-e", "dhcp.option.dhcp", "-e", "ip.dst",
               "-e", "eth.addr")
    messages = [line.split() for line in seen.splitlines()]
    expect(all(mac in message[2] for message in messages), messages)
    broadcast = "255.255.255.255"
    expected = [("1", broadcast), ("2", address), ("3", broadcast), ("5", address)]
    expected += [("3", "192.0.2.1"), ("5", address)] * 2 + [("7", "192.0.2.1")]
    expect([tuple(message[:2]) for message in messages] == expected, messages)
    # The SYN-ACKs have the MSS of the MTU that came by DHCP.
    seen = run("tshark", "-r", path, "-Y", "tcp.flags.syn == 1 && tcp.srcport == 12345", "-T", "fields",
               "-e", "tcp.options.mss_val")
    expect(seen.split() == ["1360", "1360"], seen)


dnsmasq_lends_an_address_and_gets_it_back.needs = ("dnsmasq", "tshark")


def _wrong(path):
    return run(
        "tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
        "-Y", "dhcp && (_ws.malformed || _ws.expert || ip.checksum.status == 0 || udp.checksum.status == 0)",
    )


def a_name_is_asked_of_the_dns_server_that_came_by_dhcp():
    with _Dnsmasq("--no-ping"):
        theirs = subprocess.Popen(
            [sys.executable, "tests/tap/greeting_server.py", "192.0.2.1", "12345"],
            stdout=subprocess.PIPE,
        )
        try:
            expect(theirs.stdout.readline() == b"listening\n", "CPython does not listen")
            said = run(GLASSNET, "client", "some.name", "12345", "--tap", TAP, "--hostname", "asker")
            expect(said == GREETING, said)
        finally:
            theirs.kill()
            theirs.wait()


a_name_is_asked_of_the_dns_server_that_came_by_dhcp.needs = "dnsmasq"


def dnsmasq_may_take_its_time_to_look_whether_an_address_is_free():
    # It pings for three seconds before it offers.
    with _Dnsmasq() as theirs, Process(GLASSNET, "server", "--tap", TAP, "--loss", "10%", "--seed", "1") as ours:
        ours.listening()
        expect(len(theirs.lent()) == 1, theirs.lent())
        expect(ours.stop(signal.SIGINT) == 0, ours.said())


dnsmasq_may_take_its_time_to_look_whether_an_address_is_free.needs = "dnsmasq"


def who_gets_no_address_by_dhcp_is_told_what_to_do():
    done = subprocess.run(
        [GLASSNET, "server", "--tap", TAP], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    expect(done.returncode == 1, f"{done.returncode}: {done.stderr}")
    expect(re.search(rf"no DHCP server answers on {TAP}.*--address", done.stderr), done.stderr)
    expect(f"ip address show dev {TAP}" in done.stderr, done.stderr)
