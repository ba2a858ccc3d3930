#!/bin/sh
# Echo and half-close over links that lose, duplicate and reorder, for any number of seeds of
# each line of tests/chaos.rs (default 5000). Fails when a byte is wrong or anybody hangs.
#
#   scripts/chaos.sh [SEEDS]
set -eu
cd "$(dirname "$0")/.."
seeds=${1:-5000}
case $seeds in
    '' | *[!0-9]*) echo "usage: scripts/chaos.sh [SEEDS]  (a number, default 5000)" >&2; exit 2 ;;
esac
CHAOS_SEEDS=$seeds exec cargo test --release --test chaos -- --nocapture --test-threads 2
