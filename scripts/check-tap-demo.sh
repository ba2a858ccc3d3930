#!/usr/bin/env bash
# tap-demo.sh as a user who is not root: what it prints, its capture as tshark sees it, and that
# nothing is left behind. Root becomes nobody for it, with a /dev/net/tun that is everybody's within
# a mount namespace, whatever this machine's is like.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "check-tap-demo: $1" >&2
    sed 's/^/    /' "$directory/output" >&2
    exit 1
}
skip() {
    echo "check-tap-demo: SKIPPED: $*"
    if [ "${GLASSNET_TAP:-}" = required ]; then exit 1; fi
    exit 0
}

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
chmod 755 "$directory"
cargo build --quiet
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
mkdir "$directory/scripts"
cp scripts/tap-demo.sh scripts/tap-up.sh scripts/tap-down.sh "$directory/scripts"
cp "$target/debug/glassnet" "$directory/glassnet"
mkdir -m 777 "$directory/out"
export GLASSNET="$directory/glassnet" HOME="$directory/out"

if [ "$(id -u)" = 0 ]; then
    mknod -m 666 "$directory/tun" c 10 200 || skip "no device can be made here (mknod)"
    unshare --mount mount --bind "$directory/tun" /dev/net/tun || skip "nothing can be mounted here, or there is no /dev/net/tun"
    as_user() {
        # shellcheck disable=SC2016
        unshare --mount bash -c 'mount --bind "$0" /dev/net/tun && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' "$directory/tun" "$@"
    }
else
    { [ -r /dev/net/tun ] && [ -w /dev/net/tun ]; } || skip "this user may not open /dev/net/tun"
    as_user() { "$@"; }
fi
as_user unshare --user --map-root-user --net true 2>/dev/null || skip "users may not make namespaces here (unshare -Urn)"

as_user "$directory/scripts/tap-demo.sh" "$directory/out/demo.pcapng" >"$directory/output" 2>&1 ||
    fail "it failed"
for greeted in 'cat < /dev/tcp/192.0.2.2/12345' 'cat < /dev/tcp/fd00:db8::2/12345'; do
    grep -F -A 2 "$greeted" "$directory/output" | grep -q 'Thank you for connecting' ||
        fail "no greeting after: $greeted"
done
grep -q "b'Thank you for connecting'" "$directory/output" || fail "Python was not greeted"
[ "$(grep -c ' 0% packet loss' "$directory/output")" = 2 ] || fail "ping lost packets"
grep -q 'Got connection from' "$directory/output" || fail "the server printed no connection"
grep -q '\[SYN, ACK\]' "$directory/output" || fail "the capture is not shown"
frames() { tshark -r "$directory/out/demo.pcapng" -Y "$1" 2>/dev/null | wc -l; }
[ "$(frames 'tcp.payload contains "Thank you for connecting"')" -ge 3 ] || fail "greetings are missing in the capture"
[ "$(frames 'icmp || icmpv6.type == 129')" -ge 6 ] || fail "pings are missing in the capture"
[ "$(frames '_ws.malformed')" = 0 ] || fail "tshark finds malformed frames"
[ ! -e /sys/class/net/tap0 ] || fail "tap0 is left behind"

# As on this machine, without the right to open the device.
if [ "$(id -u)" = 0 ] && [ "$(stat -c %a /dev/net/tun)" = 600 ]; then
    if setpriv --reuid 65534 --regid 65534 --clear-groups "$directory/scripts/tap-demo.sh" >"$directory/output" 2>&1; then
        fail "it works without the right to open /dev/net/tun?"
    fi
    grep -q 'chmod 666 /dev/net/tun' "$directory/output" || fail "it does not say what to do"
fi
echo "check-tap-demo: passed"
