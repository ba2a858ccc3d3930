#!/usr/bin/env bash
# Runs the demo as the README does, in an empty directory, and lets tshark judge the captures:
# complete connections, nothing malformed, no bad checksum. Needs tshark.
#
#   scripts/check-demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet
glassnet=$PWD/target/debug/glassnet
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"

judge() { # FILE
    local wrong complete
    wrong=$(tshark -2 -n -r "$1" \
        -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
        -T fields -e frame.number \
        -Y '_ws.malformed || _ws.short || ip.checksum.status==0 || tcp.checksum.status==0 || _ws.expert.severity==error' 2>/dev/null)
    if [ -n "$wrong" ]; then
        echo "$1: tshark finds fault with frames $wrong" >&2
        return 1
    fi
    # 31: SYN, SYN-ACK, ACK, data and FIN were all seen.
    complete=$(tshark -2 -n -r "$1" -Y tcp -T fields -e tcp.stream -e tcp.completeness 2>/dev/null | sort -u)
    if [ -z "$complete" ] || [ "$(printf '%s\n' "$complete" | cut -f2 | sort -u)" != 31 ]; then
        echo "$1: not every connection is complete (want 31): $complete" >&2
        return 1
    fi
    echo "$1: $(printf '%s\n' "$complete" | wc -l) complete connections, nothing wrong"
}

"$glassnet" demo
judge glassnet-demo.pcapng
"$glassnet" demo --quiet --seed 62 --delay 20ms --loss 20% --pcap loss.pcapng
judge loss.pcapng
"$glassnet" demo --quiet --clients 20 --jitter 1ms --pcap clients.pcapng >/dev/null
judge clients.pcapng
