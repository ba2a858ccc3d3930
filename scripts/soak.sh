#!/usr/bin/env bash
# Connects, transfers and resets at random, from the kernel to glassnet over a TAP device, and
# looks whether memory and processor time stay flat.
#
#   soak.sh [SECONDS]     default: 600
exec "$(dirname "$0")/check-tap.sh" --soak "${1:-600}"
