"""What server and client say about devices of the kernel, and how they are captured."""

import os
import shutil
import signal
import subprocess
import time

from world import GLASSNET, PATIENCE, Process, directory, expect, run

GREETING = "Thank you for connecting"


def _greeted_by(address, port=12345):
    script = f"exec cat < /dev/tcp/{address}/{port}"
    return run("timeout", str(PATIENCE), "bash", "-c", script) == GREETING


def _said_within(process, text, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while text not in process.said():
        expect(time.monotonic() < end, f"it never said {text!r}: {process.said()}")
        expect(process.child.poll() is None, process.said())
        time.sleep(0.02)


def a_server_waits_for_a_device_that_comes_later():
    with Process(GLASSNET, "server", "--tun", "tun9", "--address", "192.0.2.66/26", "--wait") as ours:
        _said_within(ours, "waiting until tun9 is there")
        run("ip", "tuntap", "add", "mode", "tun", "name", "tun9")
        time.sleep(0.5)
        expect(ours.child.poll() is None, ours.said())
        run("ip", "address", "add", "192.0.2.65/26", "dev", "tun9")
        run("ip", "link", "set", "tun9", "up")
        ours.listening()
        expect("glassnet: tun9 is up" in ours.said(), ours.said())
        expect(ours.said().count("waiting") == 1, ours.said())
        expect(_greeted_by("192.0.2.66"), "no greeting")
        # It goes down and comes back while the server runs.
        run("ip", "link", "set", "tun9", "down")
        time.sleep(0.3)
        run("ip", "link", "set", "tun9", "up")
        expect(_greeted_by("192.0.2.66"), "no greeting afterwards")
        ours.stop()
    run("ip", "link", "delete", "tun9")


def who_waits_for_a_device_obeys_signals():
    with Process(GLASSNET, "server", "--tap", "tap6", "--wait") as ours:
        _said_within(ours, "waiting until tap6 is there")
        ours.child.send_signal(signal.SIGINT)
        expect(ours.child.wait(PATIENCE) == -signal.SIGINT, ours.said())


def a_new_device_is_made_with_a_word_of_what_comes_next():
    with Process(GLASSNET, "server", "--tap", "tap6", "--address", "198.51.100.2/24",
                 "--address", "fd00:db8:6::2/64") as ours:
        ours.listening()
        commands = [line.strip() for line in ours.said().splitlines() if line.startswith("  ip ")]
        expect(len(commands) == 2 and "made tap6" in ours.said(), ours.said())
        for command in commands:
            run(*command.split(), *(["nodad"] if ":" in command else []))
        expect(_greeted_by("198.51.100.2") and _greeted_by("fd00:db8:6::2"), "no greeting")
        ours.stop()
    with Process(GLASSNET, "server", "--tap", "tap6") as ours:
        _said_within(ours, "start a DHCP server on tap6, or give --address")


def captures_of_tun_devices_have_no_ethernet():
    for name in ("tun.pcapng", "tun.pcap"):
        path = os.path.join(directory, name)
        with Process(GLASSNET, "server", "--tun", "tun7", "--address", "198.51.100.2/24",
                     "--address", "fd00:db8:7::2/64", "--pcap", path) as ours:
            ours.listening()
            run("ip", "address", "add", "198.51.100.1/24", "dev", "tun7")
            run("ip", "address", "add", "fd00:db8:7::1/64", "dev", "tun7", "nodad")
            expect(_greeted_by("198.51.100.2") and _greeted_by("fd00:db8:7::2"), "no greeting")
            ours.stop()
        tshark = ["tshark", "-2", "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
                  "-r", path]
        said = run("capinfos", "-E", path)
        expect("Raw IP" in said, said)
        wrong = run(*tshark, "-Y", "_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 || eth")
        expect(wrong == "", wrong)
        complete = run(*tshark, "-Y", "tcp", "-T", "fields", "-e", "tcp.stream", "-e", "tcp.completeness")
        expect(sorted(set(complete.split("\n"))) == ["", "0\t31", "1\t31"], complete)
        run("editcap", "-F", "pcap", path, path + ".classic") if name.endswith(".pcap") else None


captures_of_tun_devices_have_no_ethernet.needs = ("tshark", "capinfos", "editcap")


def a_target_may_be_written_as_an_address_and_its_port():
    listener = subprocess.Popen(
        ["python3", "-c", "import socket\n"
         "s = socket.create_server(('fd00:db8::1', 7003), family=socket.AF_INET6)\n"
         "print('ready', flush=True)\n"
         "s.accept()[0].send(b'hello')"],
        stdout=subprocess.PIPE,
    )
    listener.stdout.readline()
    printed = run(GLASSNET, "client", "[fd00:db8::1]:7003", "--tap", "tap0", "--address",
                  "fd00:db8::2/64", "-6", stdin=subprocess.DEVNULL)
    expect(printed == "hello", printed)
    listener.wait(PATIENCE)


def a_shell_may_take_the_capture():
    path = os.path.join(directory, "substituted.pcapng")
    command = f"{GLASSNET} demo -q --pcap >(cat > {path})"
    run("bash", "-c", command, cwd=directory)
    time.sleep(0.3)
    expect(os.path.getsize(path) > 1000, "it is empty")
    run("bash", "-c", f"{GLASSNET} demo -q --pcap /dev/stdout > {path}", cwd=directory)
    if shutil.which("capinfos"):
        run("capinfos", path)
