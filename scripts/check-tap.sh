#!/usr/bin/env bash
# Real peers: the Linux kernel, CPython, curl and ping against glassnet on a TAP device and a
# cable, in a user and network namespace of its own: nothing outside is touched or can be reached.
#
#   check-tap.sh [--soak SECONDS] [--figures] [CHECK…]
#
# What cannot run here is said to be skipped, and why; with GLASSNET_TAP=required that is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "check-tap: SKIPPED: $*"
    if [ "${GLASSNET_TAP:-}" = required ]; then exit 1; fi
    exit 0
}
[ -e /dev/net/tun ] || skip "there is no /dev/net/tun (modprobe tun)"
[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || skip "this user may not open /dev/net/tun"
command -v ip >/dev/null || skip "there is no ip (package iproute2)"
command -v python3 >/dev/null || skip "there is no python3"
unshare --user --map-root-user --net true 2>/dev/null || skip "users may not make namespaces here (unshare -Urn)"
unshare --user --map-root-user --net ip tuntap add dev tap0 mode tap 2>/dev/null ||
    skip "no TAP device can be made in a namespace, though there is /dev/net/tun"

cargo build --quiet --release --bin glassnet
(cd examples/ecosystem && cargo build --quiet --release --locked --bin services --bin iperf3)
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
export GLASSNET="$target/release/glassnet"
others=$(cd examples/ecosystem && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
export SERVICES="$others/release/services" IPERF3="$others/release/iperf3"
if [[ " $* " == *" --figures "* ]]; then
    # Without glassnet's own choice of engine features: smoltcp as its example has it.
    (cd benches/peers && cargo build --quiet --release --locked --no-default-features --features tap --bin smoltcp_tap)
    peers=$(cd benches/peers && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    export SMOLTCP_TAP="$peers/release/smoltcp_tap"
fi
python3=$(python3 -c 'import sys; print(sys.executable)')
# When the first process of the namespace ends, for whatever reason, all of them do.
exec unshare --user --map-root-user --net --pid --mount-proc --fork --kill-child \
    "$python3" tests/tap/check.py "$@"
