#!/usr/bin/env bash
# Runs other people's tests in worlds: the integration tests that the published crates hold, as they
# are. Each test has a process, and in it a world, of its own.
#
#   scripts/suites.sh [--on-kernel] [SUITE…]      tokio, hyper-util, axum, quinn; all by default
#
# A generated package has the files of a suite as its modules and scripts/suites/world.rs as its
# library, which starts libtest on a host of a world; nothing of the sources is changed. Prints what
# passed, what did not, and why, as examples/ecosystem/README.md says it. Fails when a test fails that
# is not named there, or one passes that is. With --on-kernel the same programs run without a world,
# and the page is not asked.
#
# SUITES_BUILD is where it is built (target/suites by default; CARGO_TARGET_DIR is kept to), SUITES_JOBS how many tests run at once.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
build=${SUITES_BUILD:-$repository/target/suites}
page=examples/ecosystem/README.md
unset SUITES_ON_KERNEL
if [ "${1-}" = --on-kernel ]; then
    export SUITES_ON_KERNEL=1
    shift
fi
[ "$#" -gt 0 ] || set -- tokio hyper-util axum quinn

fail() {
    echo "suites: $*" >&2
    exit 1
}

# The version of a suite, the files of its tests that are in scope, and what these depend on.
describe() { # SUITE
    scope='.*' uses='' dependencies=''
    case $1 in
    tokio)
        version=1.54.1
        # Without what is for other systems or for cfgs that nobody sets.
        scope='(net|sync|task|tcp|time|udp|uds|unix)(_.*)?'
        uses='#[allow(unused_imports)] use tokio::time;'
        features='full test-util fs io-util io-std macros net parking_lot process rt rt-multi-thread signal sync time'
        dependencies='
tokio = { version = "=1.54.1", features = ["full", "test-util"] }
async-stream = "0.3"
futures = "0.3"
futures-concurrency = "7.6"
futures-test = "0.3"
mockall = "0.13"
nix = { version = "0.31", default-features = false, features = ["aio", "fs", "socket"] }
proptest = "1"
rand = "0.9"
socket2 = "0.6"
tempfile = "3"
tokio-stream = "0.1"
tokio-test = "0.4"'
        ;;
    hyper-util)
        version=0.1.21
        features='client client-legacy client-proxy http1 http2 server server-auto server-graceful service tokio'
        dependencies='
hyper-util = { version = "=0.1.21", features = ["full"] }
bytes = "1"
futures-channel = "0.3"
futures-util = "0.3"
http = "1"
http-body-util = "0.1"
hyper = { version = "1", features = ["full"] }
pnet_datalink = "0.35"
pretty_env_logger = "0.5"
tokio-test = "0.4"
tower-service = "0.3"
tower-test = "0.4"'
        ;;
    axum)
        version=0.8.9
        features='tokio http1 http2'
        dependencies='
axum = { version = "=0.8.9", features = ["http2", "macros", "multipart", "ws"] }
futures = "0.3"
tower = "0.5"'
        ;;
    quinn)
        version=0.11.12
        scope=many_connections
        features='rustls-ring runtime-tokio'
        dependencies='
quinn = { version = "=0.11.12", default-features = false, features = ["runtime-tokio", "rustls-ring"] }
crc = "3"
rand = "0.9"
rcgen = { version = "0.14", default-features = false, features = ["crypto", "ring"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std"] }
tracing-subscriber = "0.3"'
        ;;
    *) fail "no suite is called $1" ;;
    esac
}

# Makes the package of a suite.
generate() { # SUITE
    local directory=$build/$1 feature file name sources
    mkdir -p "$directory/tests"
    {
        printf '[package]\nname = "suite-%s"\nversion = "0.0.0"\nedition = "2021"\npublish = false\n\n[workspace]\n\n' "$1"
        printf '[lib]\nname = "world"\npath = "%s/scripts/suites/world.rs"\nedition = "2024"\ntest = false\ndoctest = false\n\n' "$repository"
        printf '[features]\ndefault = ["%s"]\n' "${features// /\", \"}"
        for feature in $features; do printf '%s = []\n' "$feature"; done
        printf '\n[dependencies]\nglassnet = { path = "%s", default-features = false, features = ["tokio"] }\nlibc = "0.2"\n' "$repository"
        [[ $dependencies = *$'\ntokio = '* ]] || printf 'tokio = { version = "1", features = ["full", "test-util"] }\n'
        printf '%s\n\n[profile.dev]\ndebug = false\n' "$dependencies"
    } >"$directory/Cargo.toml"
    sources=$(cd "$directory" && cargo metadata --format-version 1 |
        grep -o "\"manifest_path\":\"[^\"]*/$1-$version/Cargo.toml\"" | tail -n 1 | cut -d'"' -f4)
    [ -n "$sources" ] || fail "$1 $version is not here"
    {
        printf 'extern crate world as _;\n%s\n' "$uses"
        for file in "$(dirname "$sources")"/tests/*.rs; do
            name=$(basename "$file" .rs)
            if [[ $name =~ ^($scope)$ ]]; then printf '#[path = "%s"]\nmod %s;\n' "$file" "$name"; fi
        done
    } >"$directory/tests/suite.rs"
}

# Runs one test. Prints how it ended: its code (0 passed, 101 failed, 102 the world failed, 124 it did
# not end in a minute of real time) and its name.
run_one() { # PROGRAM DIRECTORY TEST
    local code=0
    RUST_BACKTRACE=0 timeout -k 5 60 "$1" --exact "$3" >"$2/$3.txt" 2>&1 </dev/null || code=$?
    ! grep -q "^test $3 .*ignored" "$2/$3.txt" || code=ignored
    echo "$code $3"
}
export -f run_one

# The tests of a suite that the page says do not pass, and why: `TEST<TAB>REASON`.
exceptions() { # SUITE
    sed -n "s/^| $1 | \`\([^\`]*\)\` | \(.*\) |\$/\1\t\2/p" "$page"
}

wrong=0
table=''
for suite in "$@"; do
    describe "$suite"
    generate "$suite"
    program=$(cd "$build/$suite" && cargo test --quiet --no-run --target-dir "${CARGO_TARGET_DIR:-$build/target}" --message-format json |
        grep -o '"executable":"[^"]*"' | tail -1 | cut -d'"' -f4)
    [ -x "$program" ] || fail "$suite is not built"
    output=$build/$suite/output
    rm -rf "$output"
    mkdir -p "$output"
    results=$("$program" --list 2>/dev/null | sed -n 's/: test$//p' |
        xargs -P "${SUITES_JOBS:-$(nproc)}" -I '{}' bash -c 'run_one "$@"' run_one "$program" "$output" '{}' | sort -k 2)
    passed=0 ignored=0 excepted=0 others=0
    while read -r code test; do
        reason=''
        if [ -z "${SUITES_ON_KERNEL-}" ]; then
            while IFS=$'\t' read -r pattern why; do
                # The page has patterns, such as net_unix_pipe::*.
                # shellcheck disable=SC2053
                [[ $test == $pattern ]] && reason=$why
            done < <(exceptions "$suite")
        fi
        case $code:$reason in
        0:) passed=$((passed + 1)) ;;
        0:*)
            passed=$((passed + 1))
            wrong=1
            echo "$suite $test: passes, though $page says: $reason"
            ;;
        ignored:*) ignored=$((ignored + 1)) ;;
        *:)
            others=$((others + 1))
            wrong=1
            echo "$suite $test: fails ($code): $output/$test.txt"
            ;;
        *)
            excepted=$((excepted + 1))
            echo "$suite $test: does not pass: $reason"
            ;;
        esac
    done <<<"$results"
    run=$((passed + excepted + others))
    [ "$run" -gt 0 ] || fail "$suite has no tests"
    table+=$(printf '%-11s %-8s %6d %7d %7d %8d %6d.%d %%' "$suite" "$version" "$run" "$passed" \
        "$((excepted + others))" "$ignored" "$((passed * 100 / run))" "$((passed * 1000 / run % 10))")$'\n'
done
printf '\n%-11s %-8s %6s %7s %7s %8s %10s\n%s' suite version run passed failed ignored passed "$table"
exit "$wrong"
