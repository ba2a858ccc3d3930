#!/usr/bin/env bash
# Runs every example, those of examples/ecosystem too, in a pipe and on a terminal, and lets tshark
# judge the captures of those that speak a protocol it knows: the requests and answers are dissected,
# TLS is decrypted by what is in the file alone, nothing is malformed, nothing is sent twice. Needs
# tshark, and script (util-linux).
#
#   scripts/check-examples.sh [DIRECTORY]     keeps the captures in DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$#" -gt 0 ]; then
    mkdir -p "$1"
    directory=$(cd "$1" && pwd)
else
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' EXIT
fi
cargo build --quiet --examples
(cd examples/ecosystem && cargo build --quiet --locked --bins)
target_directory() {
    cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
examples=$(target_directory)/debug/examples
others=$(cd examples/ecosystem && target_directory)/debug

fail() { # WHAT
    echo "check-examples: $name: $*" >&2
    exit 1
}

# The lines that tshark prints for a display filter, in one pass and with no keys but the file's.
# Several values in one frame are joined by commas.
see() { # FILTER FIELD...
    local filter=$1 fields=() field
    shift
    for field in "$@"; do fields+=(-e "$field"); done
    tshark -n -r "$capture" -Y "$filter" -T fields "${fields[@]}" 2>/dev/null || fail "tshark cannot read $capture"
}

# What is seen must be exactly this, one word a line (or a value of a line).
expect() { # WHAT EXPECTED SEEN
    local seen
    seen=$(printf '%s\n' "$3" | tr ',\t' '\n\n' | sed '/^$/d' | paste -sd ' ')
    [ "$seen" = "$2" ] || fail "$1: want '$2', tshark sees '$seen'"
}

# What every capture of a clean run must be.
judge() {
    local wrong
    wrong=$(tshark -2 -n -r "$capture" \
        -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
        -T fields -e frame.number -Y '_ws.malformed || _ws.short || ip.checksum.status==0 ||
            tcp.checksum.status==0 || tcp.analysis.flags || _ws.expert.severity==error' \
        2>/dev/null | paste -sd ' ') || fail "tshark cannot read $capture"
    [ -z "$wrong" ] || fail "tshark finds fault with frames $wrong"
}

check_tutorial() {
    judge
    expect "segments with the greeting" "1" \
        "$(see 'tcp.payload contains "Thank you for connecting"' frame.number | wc -l)"
}

check_http() {
    judge
    expect "HTTP/1.1 requests" "GET POST" "$(see http.request http.request.method)"
    expect "HTTP/1.1 answers" "200 200" "$(see http.response http.response.code)"
    expect "HTTP/2 requests" "GET POST GET" "$(see http2 http2.headers.method)"
    expect "HTTP/2 answers" "200 404 200" "$(see http2 http2.headers.status)"
}

check_tls() {
    judge
    expect "requests inside TLS" "/secret" "$(see 'tls && http.request' http.request.uri)"
    expect "answers inside TLS" "200" "$(see 'tls && http.response' http.response.code)"
    expect "frames with the secret" "1" \
        "$(see 'http.file_data contains "in confidence"' frame.number | wc -l)"
    # And the judge can tell: without the secrets there is nothing to see.
    editcap --discard-all-secrets "$capture" "$capture.without" 2>/dev/null ||
        fail "editcap cannot take the secrets out"
    capture=$capture.without
    expect "handshake without the secrets" "1 2" "$(see tls.handshake tls.handshake.type)"
    expect "requests without the secrets" "" "$(see http http.request.uri)"
    rm "$capture"
}

check_axum() {
    judge
    expect "requests" "GET PUT PUT GET GET GET DELETE" "$(see http.request http.request.method)"
    expect "answers" "200 201 201 200 200 404 405" "$(see http.response http.response.code)"
}

check_websocket() {
    judge
    expect "answer to the upgrade" "101" "$(see http.response http.response.code)"
    # Text, ping and pong, binary, close: each there and back. 70,000 octets are more than a window.
    expect "opcodes" "1 1 9 10 2 2 8 8" "$(see websocket websocket.opcode)"
    expect "long lengths" "70000 70000" "$(see websocket.payload_length_ext_64 websocket.payload_length_ext_64)"
}

check_ftp() {
    judge
    local transfers="RETR STOR RETR STOR RETR LIST RETR"
    expect "transfers asked for" "$transfers $transfers" \
        "$(see 'ftp.request.command in {"RETR","STOR","LIST"}' ftp.request.command)"
    expect "ports offered" "PASV PASV PASV PASV PASV PASV PASV PORT PORT PORT PORT PORT PORT PORT" \
        "$(see 'ftp.request.command in {"PASV","PORT"}' ftp.request.command)"
    expect "refusals" "530 550 550" "$(see 'ftp.response.code >= 500' ftp.response.code)"
    expect "data connections in the passive mode" "6" \
        "$(see 'ftp-data.setup-method == "PASV"' tcp.stream | sort -u | wc -l)"
    expect "data connections in the active mode" "6" \
        "$(see 'ftp-data.setup-method == "PORT" && tcp.port == 20' tcp.stream | sort -u | wc -l)"
}

check_iperf3() {
    judge
    # Each test has a control connection and two streams.
    expect "states that the server sends" "09 0a 01 02 0d 0e 09 0a 01 02 0d 0e" \
        "$(see 'tcp.srcport == 5201 && tcp.len == 1' tcp.payload)"
    expect "octets of the forward test, with the cookie" "500037 500037" \
        "$(see 'tcp.dstport == 5201 && tcp.len > 0' tcp.stream tcp.len |
            awk '{sum[$1] += $2} END {for (stream in sum) if (sum[stream] > 1000) print sum[stream]}')"
}

for source in examples/*.rs examples/ecosystem/src/bin/*; do
    name=$(basename "$source" .rs)
    case $source in
    examples/ecosystem/*) program=$others/$name ;;
    *) program=$examples/$name ;;
    esac
    capture=$directory/$name.pcapng
    output=$("$program" "$capture" 2>&1) ||
        fail "it fails: $(printf '%s\n' "$output" | head -1)"
    shown=$(script --quiet --return --command "'$program' '$capture'" /dev/null </dev/null | tr -d '\r') ||
        fail "it fails on a terminal: $(printf '%s\n' "$shown" | head -1)"
    [ "$shown" = "$(printf '%s' "$output" | tr -d '\r')" ] || fail "it says something else on a terminal: $shown"
    if [ "$(type -t "check_$name")" = function ]; then
        [ -s "$capture" ] || fail "it left no capture at the path it was given"
        "check_$name"
        echo "$name: as expected, also by tshark"
    else
        echo "$name: runs"
    fi
done
