#!/usr/bin/env bash
# What programs ask libc of networks, time, entropy, threads and processes, and the seam does not
# answer, stands on the list `symbols.txt` with its reason. Looks at the test programs of this package
# and of examples/ecosystem as far as they are built, and at libcurl where it is installed.
#
#   scripts/check-symbols.sh              fails on a symbol that is neither answered nor on the list,
#                                         and on one that is on the list and answered
#   scripts/check-symbols.sh FILE…        looks at these programs and libraries, too
#   scripts/check-symbols.sh --all        prints what of that kind is asked, and by whom
set -euo pipefail
cd "$(dirname "$0")/.."
list=scripts/symbols.txt
all=false
if [ "${1-}" = --all ]; then
    all=true
    shift
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names of libc about networks and files that wait, time, entropy, threads, and other processes.
kinds='^_*(accept4?|bind|connect|listen|socket(pair)?|shutdown|sockatmark|get(sock|peer)name|[gs]etsockopt'
kinds+='|send(to|m?msg|file(64)?)?|recv(from|m?msg)?|(read|write)(v)?|p(read|write)(64)?(v2?)?|splice|tee|vmsplice'
kinds+='|p?poll|p?select|epoll_.*|eventfd.*|timerfd_.*|signalfd|inotify_.*|io_(setup|submit|getevents)|aio_.*'
kinds+='|(get|free)(addrinfo.*|ifaddrs)|getnameinfo|gai_.*|get(host|net|serv|proto)(by|ent).*|n?res_.*|if_.*|inet_.*'
kinds+='|get(host|domain)name|sethostname|uname|ioctl|fcntl(64)?|close(_range)?|dup[23]?|pipe2?|open(at)?(64)?'
kinds+='|clock(_.*)?|time(s|_.*)?|(get|set)timeofday|timespec_get.*|timer_.*|[gs]etitimer|u?alarm|(nano|u)?sleep|ftime|pause'
kinds+='|getrandom|getentropy|arc4random.*|s?random(_r)?|s?rand(_r)?|.rand48(_r)?'
kinds+='|pthread_.*|sem_.*|mtx_.*|cnd_.*|thrd_.*|sched_.*|syscall|sysconf|get_n?procs.*|prctl|personality'
kinds+='|v?fork|forkpty|clone.*|f?exec.*|posix_spawn.*|pidfd_.*|system|popen|daemon|wait([34]|pid|id)?|kill(pg)?|raise|tgkill'
kinds+='|sig(action|nal|procmask|suspend|timedwait|wait(info)?|queue|pending|altstack))(_chk)?$'

# Answered: what `hook!` and `no_mangle` define.
grep -rhoE 'fn [A-Za-z0-9_]+' src/seam/hooks | sed 's/^fn //' | sort -u >"$work/functions"
programs=()
newest() { # NAME of a test program, in a target directory
    find "$1/debug/deps" -maxdepth 1 -type f -executable -name "$2-*" -printf '%T@ %p\n' 2>/dev/null |
        sort -n | tail -1 | cut -d' ' -f2-
}
target=${CARGO_TARGET_DIR:-target}
for program in "$(newest "$target" tokio)" "$(newest examples/ecosystem/target tokio)"; do
    [ -z "$program" ] || programs+=("$program")
done
if [ "${#programs[@]}" -eq 0 ]; then
    echo "check-symbols: no test program is built: cargo test --features tokio --test tokio --no-run" >&2
    exit 1
fi
# A function that the program defines for others, and not one of the same name within this crate.
nm --defined-only "${programs[0]}" | awk '$2 == "T" { print $3 }' | sort -u >"$work/defined"
comm -12 "$work/functions" "$work/defined" >"$work/answered"
if [ "$(wc -l <"$work/answered")" -lt 60 ]; then
    echo "check-symbols: ${programs[0]} does not define the symbols of src/seam/hooks" >&2
    exit 1
fi
for library in $(ldconfig -p 2>/dev/null | awk '/libcurl[^ ]*\.so/ { print $NF }'); do
    programs+=("$library")
done
programs+=("$@")
for program in "${programs[@]}"; do
    nm --dynamic --undefined-only "$program" | awk '{ print $2 }' | sed 's/@.*//' |
        grep -E "$kinds" | sed "s|\$| $(basename "$program")|" || true
done | sort -u >"$work/asked"
cut -d' ' -f1 "$work/asked" | sort -u >"$work/names"
# Those that a program defines itself are not undefined in it, but in libraries.
comm -23 "$work/names" "$work/answered" >"$work/open"
sed -E '/^(#|$)/d; s/ .*//' "$list" | sort -u >"$work/listed"
if $all; then
    while read -r name; do
        by=$(awk -v name="$name" '$1 == name { printf " %s", $2 }' "$work/asked")
        grep -qx "$name" "$work/answered" && echo "$name: answered:$by" || echo "$name: on the list:$by"
    done <"$work/names"
fi
faults=0
while read -r name; do
    by=$(awk -v name="$name" '$1 == name { printf " %s", $2 }' "$work/asked")
    echo "$name: neither answered by src/seam/hooks nor on $list:$by"
    faults=$((faults + 1))
done < <(comm -23 "$work/open" "$work/listed")
while read -r name; do
    echo "$name: on $list, and answered by src/seam/hooks"
    faults=$((faults + 1))
done < <(comm -12 "$work/listed" "$work/answered")
while read -r name; do
    echo "$name: on $list without a reason"
    faults=$((faults + 1))
done < <(sed -E '/^(#|$)/d' "$list" | awk 'NF < 2 { print $1 }')
echo "check-symbols: ${#programs[@]} programs and libraries, $(wc -l <"$work/names") symbols, $(wc -l <"$work/open") of them not answered, $faults faults"
[ "$faults" -eq 0 ]
