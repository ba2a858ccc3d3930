#!/usr/bin/env bash
# Runs packetdrill's scripts below a directory (those of google/packetdrill, or of Linux's
# tools/testing/selftests/net/packetdrill) with glassnet's TCP as Linux has it, and prints a table,
# those that do not pass with the reason, and the share that does. Scripts of Fast Open, of zerocopy
# and of what is no TCP of Linux (BSD, PSP, packetdrill's own tests) are left out.
#
#   scripts/packetdrill.sh DIRECTORY [LIST]    LIST names files that Linux itself passes, one a line,
#                                              below DIRECTORY: only those count
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
directory=$(cd "$1" && pwd)
list=${2:+$(realpath "$2")}
root=$(cd "$(dirname "$0")/.." && pwd)
cargo build --quiet --manifest-path "$root/Cargo.toml" --bin glassnet
glassnet=${CARGO_TARGET_DIR:-$root/target}/debug/glassnet

cd "$directory"
files=$(find . -name '*.pkt' | sed 's|^\./||' | LC_ALL=C sort |
    grep -viE 'fastopen|zerocopy|(^|/)psp/|(^|/)packetdrill/tests/')
[ -z "$list" ] || files=$(grep -Fxf "$list" <<<"$files")
table=$(mktemp)
trap 'rm -f "$table"' EXIT
# shellcheck disable=SC2086
"$glassnet" packetdrill $files >"$table" || true
grep -E '^(PASS|FAIL|SKIP|ERROR) ' "$table" || true
total=$(wc -l <<<"$files")
passed=$(grep -c '^PASS ' "$table" || true)
echo
echo "$passed of $total pass: $((passed * 100 / total)) %"
