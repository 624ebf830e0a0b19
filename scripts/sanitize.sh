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
# a refused allocation must be an error of ours, not the sanitizer's abort
export ASAN_OPTIONS=allocator_may_return_null=1
# long, and nothing in them that others do not run
statistics='exact_marginals|perturbed_gap|w2_coverage|equal_laws|compare_certificate|train_modes|train_log_z|property/test_identity|paths_exact'
ctest --preset sanitize -j"$(nproc)" -L 'unit|fuzz|engine|property|e2e' -E "$statistics" "$@"
ctest --preset thread -j"$(nproc)" -R 'threads|same_bits|estimate_extremes|ode_lost|engine/test_cuda_' "$@"
