#!/usr/bin/env python3
"""Imports go down the layers only, and no files use each other in a circle.

    check.py [--list] [SOURCE_DIRECTORY]     --list prints each arrow, too
    check.py --self-test                     the check against small trees made for it
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rust

# From the top down: DESIGN, section 4. A room may use those in the rows below its own, and those
# beside it as long as no two of a row use each other.
LAYERS = [
    ["main", "cli"],
    ["lib"],
    ["greeting"],
    ["scenario", "sweep"],
    ["check", "peer", "packetdrill", "hyper", "rustls", "tracing_subscriber", "guide"],
    ["seam"],
    ["world"],
    ["net"],
    ["host"],
    ["tcp"],
    ["network"],
    ["inspect"],
    ["capture", "device"],
    ["wire"],
    ["task", "time", "rng", "error"],
]
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}


class Arrow:
    """One file uses what another defines."""

    def __init__(self, source, line, path, target):
        self.source, self.line, self.path, self.target = source, line, path, target

    def __str__(self):
        return f"{self.source}:{self.line}: {self.path} ({self.target})"


def arrows_of(directory):
    """All arrows between files, in order, with the paths of files below `directory`."""
    crates, library = [], os.path.join(directory, "lib.rs")
    others = {}
    if os.path.exists(library):
        crates.append(rust.Crate(library))
        others["glassnet"] = crates[0]
    program = os.path.join(directory, "main.rs")
    if os.path.exists(program):
        crates.append(rust.Crate(program, others))
    arrows, files = {}, set()
    for crate in crates:
        for module in crate.modules:
            files.add(module.file)
            for line, path, target in crate.uses_of(module):
                if target.file != module.file:
                    key = (module.file, line, path, target.file)
                    arrows[key] = Arrow(*key)
    short = {file: os.path.relpath(file, directory) for file in files}
    for arrow in arrows.values():
        arrow.source, arrow.target = short[arrow.source], short[arrow.target]
    ordered = sorted(arrows.values(), key=lambda it: (it.source, it.line, it.path))
    return sorted(short.values()), ordered


def room_of(file):
    return file.split(os.sep)[0].removesuffix(".rs")


def circles_in(targets):
    """The sets of nodes that reach each other, of `{node: nodes}`: Tarjan's algorithm, unrolled."""
    index, low, on_stack, stack, circles = {}, {}, set(), [], []
    for root in sorted(targets):
        if root in index:
            continue
        work = [(root, iter(sorted(targets[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    circle = []
                    while not circle or circle[-1] != node:
                        circle.append(stack.pop())
                        on_stack.discard(circle[-1])
                    if len(circle) > 1:
                        circles.append(sorted(circle))
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(sorted(targets.get(following, ())))))
            elif following in on_stack:
                low[node] = min(low[node], index[following])
    return circles


def shortest_circle(circle, targets):
    """The nodes of a shortest way from a node back to itself."""
    best = None
    for start in circle:
        came_from, queue = {start: None}, [start]
        for node in queue:
            if start in targets[node]:
                way = [node]
                while came_from[way[-1]] is not None:
                    way.append(came_from[way[-1]])
                if best is None or len(way) < len(best):
                    best = way[::-1]
                break
            for following in sorted(targets[node]):
                if following in circle and following not in came_from:
                    came_from[following] = node
                    queue.append(following)
    return best


def targets_of(pairs):
    targets = {}
    for source, target in pairs:
        targets.setdefault(source, set()).add(target)
        targets.setdefault(target, set())
    return targets


def judge(files, arrows):
    """What is wrong, a line each, or several for a circle."""
    wrong = []
    for room in sorted({room_of(file) for file in files} - LAYER_OF.keys()):
        wrong.append(f"{room}: no layer has this room: give it one in {os.path.basename(__file__)}")
    known = [it for it in arrows if {room_of(it.source), room_of(it.target)} <= LAYER_OF.keys()]
    for arrow in known:
        source, target = room_of(arrow.source), room_of(arrow.target)
        if LAYER_OF[target] < LAYER_OF[source]:
            wrong.append(f"{arrow}: {source} may not use {target}, which is above it")
    beside = [
        arrow
        for arrow in known
        if room_of(arrow.source) != room_of(arrow.target)
        and LAYER_OF[room_of(arrow.source)] == LAYER_OF[room_of(arrow.target)]
    ]
    rooms = targets_of((room_of(it.source), room_of(it.target)) for it in beside)
    for circle in circles_in(rooms):
        wrong.append(f"{len(circle)} rooms of a layer use each other: {', '.join(circle)}")
        within = [it for it in beside if {room_of(it.source), room_of(it.target)} <= set(circle)]
        wrong += [f"  {it}" for it in within]
    graph = targets_of((it.source, it.target) for it in arrows)
    for circle in circles_in(graph):
        way = shortest_circle(set(circle), graph)
        wrong.append(f"{len(circle)} files use each other in a circle: {', '.join(circle)}")
        wrong.append(f"  the shortest: {' -> '.join(way + way[:1])}")
        seen = set()
        for arrow in arrows:
            pair = (arrow.source, arrow.target)
            if set(pair) <= set(circle) and pair not in seen:
                seen.add(pair)
                wrong.append(f"  {arrow}")
    return wrong


def main(arguments):
    if arguments == ["--self-test"]:
        import self_test

        return self_test.run()
    is_list = "--list" in arguments
    rest = [argument for argument in arguments if argument != "--list"]
    if len(rest) > 1 or any(argument.startswith("-") for argument in rest):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    directory = rest[0] if rest else "src"
    began = time.monotonic()
    try:
        files, arrows = arrows_of(directory)
    except (rust.Wrong, OSError) as error:
        print(f"check-layers: {error}", file=sys.stderr)
        return 2
    if not files:
        print(f"check-layers: {directory} has neither lib.rs nor main.rs", file=sys.stderr)
        return 2
    if is_list:
        for arrow in arrows:
            print(arrow)
    wrong = judge(files, arrows)
    for line in wrong:
        print(line)
    faults = sum(not line.startswith("  ") for line in wrong)
    pairs = len({(arrow.source, arrow.target) for arrow in arrows})
    print(
        f"check-layers: {len(files)} files, {pairs} arrows between them, {faults} faults"
        f" ({time.monotonic() - began:.1f} s)"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
