#!/usr/bin/env bash
# Removes what tap-up.sh made. May be run again.
#
#   tap-down.sh [NAME]     default: tap0
set -euo pipefail
name=${1:-tap0}
if ! ip link show dev "$name" >/dev/null 2>&1; then
    exit 0
fi
if ! ip -details link show dev "$name" | grep -q "tun type tap"; then
    echo "tap-down: $name is no TAP device, and is left as it is" >&2
    exit 1
fi
ip link delete "$name"
