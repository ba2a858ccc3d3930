"""Real peers against glassnet. Started by scripts/check-tap.sh, within a namespace of its own."""

import argparse
import inspect
import shutil
import sys
import time
import traceback

import dhcp
import faults
import figures
import help_texts
import peers
import soak
import surface
import world


def checks():
    for module in (peers, faults, dhcp, help_texts, surface):
        for name, check in inspect.getmembers(module, inspect.isfunction):
            if check.__module__ == module.__name__ and not name.startswith("_"):
                yield name, check


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--soak", type=int, default=0, metavar="SECONDS")
    arguments.add_argument("--figures", action="store_true")
    arguments.add_argument("checks", nargs="*")
    arguments = arguments.parse_args()

    world.run("ip", "link", "set", "lo", "up")
    if arguments.figures:
        return figures.show()
    if arguments.soak:
        world.tap_up()
        return soak.soak(arguments.soak)
    failed = skipped = passed = 0
    for name, check in checks():
        if arguments.checks and name not in arguments.checks:
            continue
        began = time.monotonic()
        world.tap_up()
        tools = getattr(check, "needs", ())
        tools = (tools,) if isinstance(tools, str) else tools
        missing = [tool for tool in tools if not shutil.which(tool)]
        if missing:
            print(f"skipped  {name}: there is no {' and no '.join(missing)}", flush=True)
            skipped += 1
            continue
        try:
            check()
        except Exception as error:
            failed += 1
            print(f"FAILED   {name}: {error}", flush=True)
            if not isinstance(error, world.Failed):
                traceback.print_exc()
        else:
            passed += 1
            print(f"ok       {name} ({time.monotonic() - began:.1f} s)", flush=True)
        world.tap_down()
    print(f"check-tap: {passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0 or passed + skipped == 0


try:
    code = main()
finally:
    shutil.rmtree(world.directory, ignore_errors=True)
sys.exit(code)
