#!/usr/bin/env bash
# No byte of a world's program reaches the machine's network: strace sees no socket of the Internet in
# the tests of programs that use tokio, but for those that a test makes outside of its world, which
# are left out. Needs strace, and leave to use it; says so and passes otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v strace >/dev/null || { echo "strace is not here: skipped"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! strace -f -e trace=%network -o "$work/can" true 2>/dev/null; then
    echo "strace may not be used here: skipped"
    exit 0
fi
target=${CARGO_TARGET_DIR:-target}
programs=()
for directory in "$target" examples/ecosystem/target; do
    program=$(find "$directory/debug/deps" -maxdepth 1 -type f -executable -name 'tokio-*' -printf '%T@ %p\n' \
        2>/dev/null | sort -n | tail -1 | cut -d' ' -f2- || true)
    [ -z "$program" ] || programs+=("$program")
done
if [ "${#programs[@]}" -eq 0 ]; then
    echo "check-strace: no test program is built: cargo test --features tokio --test tokio --no-run" >&2
    exit 1
fi
# These make sockets outside of their world, to show that nothing is caught there; and a thousand worlds
# take long under strace.
skipped=(--skip a_socket_that_is_asked_for_without_libc --skip threads_outside_of_the_world
    --skip leaks::)
for program in "${programs[@]}"; do
    if ! GLASSNET_WATCHDOG=off strace -f -qq --seccomp-bpf -e trace=%network -e signal=none -o "$work/seen" \
        "$program" "${skipped[@]}" >"$work/output" 2>&1; then
        tail -40 "$work/output"
        echo "check-strace: $program fails"
        exit 1
    fi
    if grep -E 'socket\(AF_(INET|INET6|PACKET|NETLINK)|(connect|bind|sendto|sendmsg)\([0-9]+, .*AF_INET' \
        "$work/seen"; then
        echo "check-strace: a program in a world has reached the machine's network"
        exit 1
    fi
    ran=$(grep -oE '[0-9]+ passed' "$work/output" | tail -1)
    echo "check-strace: $(basename "$program"): $ran, $(wc -l <"$work/seen") calls of sockets, none of the Internet"
done
# And it would have been seen.
if command -v python3 >/dev/null; then
    strace -f -qq -e trace=%network -o "$work/seen" python3 -c 'import socket; socket.socket()'
    grep -q 'socket(AF_INET' "$work/seen" || { echo "check-strace: strace sees nothing"; exit 1; }
fi
