#!/usr/bin/env bash
# Arbitrary segments against a simulated host: scripts/fuzz.sh [SECONDS [SEED [glassnet|smoltcp]]].
# It runs on stable Rust and says which seed fails; with 0 seconds it runs one seed alone.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --quiet --locked --manifest-path fuzz/Cargo.toml \
    --target-dir "${CARGO_TARGET_DIR:-$PWD/target}/fuzz" -- "${1:-60}" "${2:-0}" "${3:-glassnet}"
