#!/usr/bin/env bash
# glassnet's server and the kernel's own tools on one TAP device, without root: everything happens
# in a user and network namespace of its own, which is gone in the end. Nothing outside is touched
# or can be reached.
#
#   tap-demo.sh [CAPTURE]     default: glassnet-tap.pcapng
#
# It builds glassnet, unless GLASSNET names one.
set -euo pipefail
cd "$(dirname "$0")/.."
capture=${1:-glassnet-tap.pcapng}

if [ -z "${GLASSNET_TAP_DEMO:-}" ]; then
    if [ ! -e /dev/net/tun ]; then
        echo "tap-demo: there is no /dev/net/tun; load the driver, as root: modprobe tun" >&2
        exit 1
    fi
    if [ ! -r /dev/net/tun ] || [ ! -w /dev/net/tun ]; then
        echo "tap-demo: this user may not open /dev/net/tun; allow it, as root: chmod 666 /dev/net/tun" >&2
        exit 1
    fi
    if ! unshare --user --map-root-user --net true 2>/dev/null; then
        echo "tap-demo: this system lets no user make namespaces; run it as root, or allow them, as root:" >&2
        echo "  sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0" >&2
        exit 1
    fi
    if [ -z "${GLASSNET:-}" ]; then
        cargo build --quiet
        target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
        GLASSNET="$target/debug/glassnet"
    fi
    export GLASSNET_TAP_DEMO="$GLASSNET"
    # The first process of a namespace of processes: when it ends, for whatever reason, all do.
    exec unshare --user --map-root-user --net --pid --fork --kill-child "$0" "$capture"
fi
glassnet=$GLASSNET_TAP_DEMO

say() { printf '\n$ %s\n' "$*"; "$@"; }

ip link set lo up
say scripts/tap-up.sh tap0
printf '\n$ glassnet server --tap tap0 --address 192.0.2.2/24 --address fd00:db8::2/64 --pcap %s &\n' "$capture"
"$glassnet" server --tap tap0 --address 192.0.2.2/24 --address fd00:db8::2/64 --pcap "$capture" &
server=$!
for _ in $(seq 100); do
    # Until it answers: /dev/tcp is bash's own client.
    if (cat < /dev/tcp/192.0.2.2/12345) >/dev/null 2>&1; then break; fi
    sleep 0.05
done

if command -v ping >/dev/null; then
    say ping -c 2 -i 0.2 192.0.2.2
    say ping -6 -c 2 -i 0.2 fd00:db8::2
fi
for address in 192.0.2.2 fd00:db8::2; do
    printf '\n$ cat < /dev/tcp/%s/12345\n' "$address"
    cat < "/dev/tcp/$address/12345"
    echo
done
if command -v python3 >/dev/null; then
    say python3 -c 'import socket; print(socket.create_connection(("192.0.2.2", 12345)).recv(1024))'
fi
kill -INT "$server"
wait "$server"
echo
echo "capture: $capture"
if command -v tshark >/dev/null; then
    echo
    echo "$ tshark -r $capture tcp.port == 12345"
    # It complains of being root, which it is in here only.
    tshark -r "$capture" "tcp.port == 12345" 2>/dev/null | sed -n 1,10p || echo "tshark failed: try it outside"
fi
