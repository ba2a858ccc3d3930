#!/usr/bin/env bash
# Makes a TAP device that a user may attach to, with an IPv4 and an IPv6 address at the kernel's
# end, and brings it up. Needs root, or `unshare --user --map-root-user --net`. May be run again.
#
#   tap-up.sh [NAME [IPV4/LEN [IPV6/LEN]]]     default: tap0 192.0.2.1/24 fd00:db8::1/64
#
# USER_OF_TAP names the user; by default it is the one who called sudo.
# Afterwards: glassnet server --tap tap0 --address 192.0.2.2/24 --address fd00:db8::2/64
set -euo pipefail
name=${1:-tap0} v4=${2:-192.0.2.1/24} v6=${3:-fd00:db8::1/64}
user=${USER_OF_TAP:-${SUDO_USER:-$(id -un)}}

if ! ip link show dev "$name" >/dev/null 2>&1; then
    ip tuntap add dev "$name" mode tap user "$user"
elif ! ip -details link show dev "$name" | grep -q "tun type tap"; then
    echo "tap-up: $name exists and is no TAP device; give another name" >&2
    exit 1
fi
ip address replace "$v4" dev "$name"
# Nobody else is there who could have the address, so there is no need to look for a second.
ip address replace "$v6" dev "$name" nodad
ip link set "$name" up
ip -brief address show dev "$name"
