#!/usr/bin/env bash
# Full-duplex worlds drawn from their seeds, in three lines (as drawn, with an outage, and for one
# seed in ten with a large buffer just full), and echoes over five kinds of link: tests/chaos, in
# release, on all processors. Fails when a byte is wrong, a stream is cut short, or anybody hangs;
# goes on after a failure, and counts all.
#
#   chaos.sh FROM TO     the seeds from FROM up to, but not including, TO
#
# Portions add up: `0 100000` and `100000 200000` are the same worlds as `0 200000`. A process has
# at most 3 GB of address space and, for a thousand seeds of one line, ten minutes of processor
# time: a world that takes either counts as failed.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    echo "usage: scripts/chaos.sh FROM TO  (two numbers of seeds, FROM below TO)" >&2
    exit 2
}
[ "$#" -eq 2 ] || usage
for number in "$@"; do
    [[ $number =~ ^(0|[1-9][0-9]{0,17})$ ]] || usage
done
from=$1 to=$2
[ "$from" -lt "$to" ] || usage
portion=1000

built=$(cargo test --release --test chaos --no-run 2>&1) || { printf '%s\n' "$built" >&2; exit 1; }
test=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$built")
[ -x "$test" ] || { echo "chaos.sh: the test was not built" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CHAOS_AT RUST_BACKTRACE=0

# Runs seeds of one line: worker, test, from, to. A world that ends the process is counted, and
# left out when those beside it are run again.
run() {
    local worker=$1 line=$2 from=$3 to=$4 out="$work/out.$1" status=0 at
    [ "$from" -lt "$to" ] || return 0
    CHAOS_AT="$work/at.$worker"
    (
        ulimit -v 3000000 -t 600
        CHAOS_FROM=$from CHAOS_SEEDS=$((to - from)) exec "$test" --exact "$line" --nocapture
    ) >"$out" 2>"$out.err" || status=$?
    if [ "$status" -eq 0 ] || { [ "$status" -eq 101 ] && grep -q 'chaos: ran' "$out"; }; then
        grep -o 'chaos: .*' "$out" | tee -a "$work/lines.$worker" | grep -v '^chaos: ran' || true
        return 0
    fi
    at=$(cat "$CHAOS_AT" 2>/dev/null || echo "$from")
    echo "chaos: failed line=$line seed=$at kind=died status=$status $(tail -n 1 "$out.err")" |
        tee -a "$work/lines.$worker"
    echo "chaos: ran line=$line worlds=1 failures=1 bytes=0 segments=0 retransmissions=0 peak_kb=0" \
        >>"$work/lines.$worker"
    run "$worker" "$line" "$from" "$at"
    run "$worker" "$line" $((at + 1)) "$to"
}

# Every line has the same seeds; the fixed cases beside them are for `cargo test`.
mapfile -t tests < <(
    "$test" --list 2>/dev/null | sed -n 's/^\(duplex::both_ways_at_once.*\|echo::.*\): test$/\1/p'
)
[ "${#tests[@]}" -gt 0 ] || { echo "chaos.sh: the test has no lines" >&2; exit 1; }
workers=$(nproc)
work_off() {
    local worker=$1 at number=0 line end
    for line in "${tests[@]}"; do
        for ((at = from; at < to; at += portion)); do
            if [ $((number % workers)) -eq "$worker" ]; then
                end=$((at + portion < to ? at + portion : to))
                run "$worker" "$line" "$at" "$end"
            fi
            number=$((number + 1))
        done
    done
}
pids=()
for ((worker = 0; worker < workers; worker++)); do
    work_off "$worker" &
    pids+=("$!")
done
for pid in "${pids[@]}"; do
    wait "$pid"
done

cat "$work"/lines.* | awk -v from="$from" -v to="$to" '
    { for (at = 1; at <= NF; at++) if (split($at, pair, "=") == 2) value[pair[1]] = pair[2] }
    $2 == "failed" { kinds[value["kind"]]++ }
    $2 == "ran" {
        line = value["line"] ~ /^duplex/ ? "full-duplex worlds" : "echoes"
        worlds[line] += value["worlds"]; failures += value["failures"]; bytes += value["bytes"]
        segments += value["segments"]; again += value["retransmissions"]
        if (value["peak_kb"] + 0 > peak) peak = value["peak_kb"] + 0
    }
    END {
        for (kind in kinds) printf "chaos: %d of kind %s\n", kinds[kind], kind
        printf "chaos: seeds %s to %s: %d full-duplex worlds, %d echoes, %d failures, %.0f bytes, " \
            "%.0f segments, %.0f retransmissions, at most %.1f MB of memory\n", from, to, \
            worlds["full-duplex worlds"], worlds["echoes"], failures, bytes, segments, again, peak / 1024
        exit failures > 0
    }'
