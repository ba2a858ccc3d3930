#!/usr/bin/env bash
# Imports go down the layers only, and no files use each other in a circle: reads `use`, and paths in
# the code, of everything in src/ but tests; names file and line of what is wrong. Needs Python 3.
#
#   scripts/check-layers.sh               fails on an arrow up, a circle of files or of rooms beside
#                                         each other, and a room that is in no layer
#   scripts/check-layers.sh --list        prints each arrow, too
#   scripts/check-layers.sh --self-test   holds the check against small trees that are made for it
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec python3 scripts/layers/check.py "$@"
