#!/bin/sh
# Makes the captures in captures/ anew (or in another directory). tests/determinism/captures.rs
# compares them byte for byte; when a change of the library is meant to change them, run this and
# commit.
#
#   scripts/captures.sh [DIRECTORY]
#
# GLASSNET names the binary to run instead of building it.
set -eu
cd "$(dirname "$0")/.."
directory=${1:-captures}
if [ -z "${GLASSNET:-}" ]; then
    cargo build --quiet
    GLASSNET=target/debug/glassnet
fi
mkdir -p "$directory"
# Clean: handshake, data, teardown.
"$GLASSNET" demo --quiet --seed 7 --delay 20ms --pcap "$directory/greeting.pcapng"
# The segment with the greeting, or an ACK, is lost on the way: a retransmission to look at.
"$GLASSNET" demo --quiet --seed 62 --delay 20ms --loss 20% --pcap "$directory/greeting-loss.pcapng"
