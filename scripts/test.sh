#!/usr/bin/env bash
# Set up, build with warnings as errors, and run the whole test suite.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build test
cmake --preset ci >build-log.txt 2>&1 || { cat build-log.txt >&2; exit 1; }
rm -f build-log.txt
cmake --build --preset ci -j"$(nproc)"
ctest --preset ci -j"$(nproc)" "$@"
