#!/usr/bin/env bash
# A SYN flood over a TAP device: `glassnet server` beside COUNT SYNs from random addresses, as fast as
# it takes them, must greet each of 20 clients of the kernel's within 3 seconds and grow by no more
# than 20 MB. All in a user and network namespace of its own.
#
#   syn-flood.sh [COUNT]        default: 1000000
#
# What cannot run here is said to be skipped, and why; with GLASSNET_TAP=required that is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "syn-flood: SKIPPED: $*"
    if [ "${GLASSNET_TAP:-}" = required ]; then exit 1; fi
    exit 0
}
[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || skip "this user may not open /dev/net/tun"
command -v ip >/dev/null || skip "there is no ip (package iproute2)"
command -v python3 >/dev/null || skip "there is no python3"
unshare --user --map-root-user --net ip tuntap add dev tap0 mode tap 2>/dev/null ||
    skip "no TAP device can be made in a namespace (unshare -Urn, modprobe tun)"

if [ -z "${GLASSNET:-}" ]; then
    cargo build --quiet --release --bin glassnet
    target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    export GLASSNET="$target/release/glassnet"
fi
# What the checks of check-tap.sh need besides.
export SERVICES= IPERF3=
python3=$(python3 -c 'import sys; print(sys.executable)')
exec unshare --user --map-root-user --net --pid --mount-proc --fork --kill-child \
    "$python3" tests/tap/flood.py "$@"
