#!/usr/bin/env bash
# The tests under sanitizers: everything but the long runs under address + undefined behaviour, and what
# runs on several threads under the thread sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build test
for preset in sanitize thread; do
  cmake --preset $preset >/dev/null
  cmake --build --preset $preset -j"$(nproc)"
done
ctest --preset sanitize -j"$(nproc)" -L 'unit|fuzz|engine|property|e2e' -LE long "$@"
ctest --preset thread -j"$(nproc)" -R 'threads|same_bits|estimate' "$@"
