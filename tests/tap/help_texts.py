"""What `--help` shows as an example is done as it stands there."""

import os
import re
import subprocess
import tempfile

from world import GLASSNET, PATIENCE, expect, run

GREETING = "Thank you for connecting"
# What each command's examples print, among other things.
SHOWN = {
    "": GREETING,
    "demo": "greeted 3 of 3 clients",
    "server": GREETING,
    "client": "Directory listing for /",
}


def _scripts(command):
    """The examples of a help text, in pieces that are done one after the other."""
    text = run(GLASSNET, *command.split(), "--help")
    examples = re.search(r"^Examples:\n((?:  .*\n|\n)+)", text, re.MULTILINE)
    expect(examples, f"glassnet {command} --help has no examples")
    for piece in examples.group(1).strip().split("\n\n"):
        # What is explained stands far to the right.
        lines = [re.split(r" {6}", line.strip())[0] for line in piece.splitlines()]
        # A person takes a moment before the next line.
        yield "\n".join(line + "\nsleep 1" if line.endswith("&") else line for line in lines)


def _do_the_examples_of(command):
    with tempfile.TemporaryDirectory() as directory:
        os.symlink(os.path.abspath("scripts"), os.path.join(directory, "scripts"))
        os.symlink(GLASSNET, os.path.join(directory, "glassnet"))
        stand_ins = {
            # Who calls is root in here.
            "sudo": 'exec "$@"',
            "wireshark": 'test -s "$1"',
            "nc": 'exec cat < "/dev/tcp/$1/$2"',
        }
        for name, does in stand_ins.items():
            path = os.path.join(directory, name)
            with open(path, "w") as script:
                script.write(f"#!/bin/bash\n{does}\n")
            os.chmod(path, 0o755)
        environment = dict(
            os.environ,
            PATH=f"{directory}:{os.environ['PATH']}",
            XDG_RUNTIME_DIR=directory,
            PYTHONUNBUFFERED="1",
        )
        printed = ""
        for script in _scripts(command):
            done = subprocess.run(
                ["bash", "-ec", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"],
                cwd=directory, env=environment, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
            )
            expect(done.returncode == 0, f"{done.returncode} of\n{script}\n{done.stdout}")
            printed += done.stdout
        expect(SHOWN[command] in printed, printed)


def examples_of_the_help_do_what_they_say():
    _do_the_examples_of("")


def examples_of_demos_help_do_what_they_say():
    _do_the_examples_of("demo")


def examples_of_servers_help_do_what_they_say():
    _do_the_examples_of("server")


def examples_of_clients_help_do_what_they_say():
    _do_the_examples_of("client")
