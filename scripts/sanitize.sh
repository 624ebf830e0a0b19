#!/usr/bin/env bash
# The tests under sanitizers: everything but the long runs under address + undefined behaviour, and what
# runs on several threads under the thread sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build test
# long, and nothing in them that others do not run (of the two of the command: engine tests, and test_compare)
statistics='exact_marginals|perturbed_gap|w2_coverage|equal_laws|compare_certificate|train_modes|train_log_z|train_bridge|property/test_identity|paths_exact|law_gap|e2e/test_cuda_on_cpu|compare_resume'
threads='threads|same_bits|estimate_extremes|ode_lost|engine/test_cuda_'
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize -j"$(nproc)"
cmake --preset thread >/dev/null
# of the tests those that will run; `ctest -N` has a line "  Test #7: engine/test_cuda_wide"
targets=$(ctest --preset thread -N -R "$threads" 2>/dev/null | sed -n 's|^ *Test *#[0-9]*: [a-z]*/||p')
# shellcheck disable=SC2086
cmake --build --preset thread -j"$(nproc)" --target $targets
# a refused allocation must be an error of ours, not the sanitizer's abort
export ASAN_OPTIONS=allocator_may_return_null=1
# a browser is no code of ours
export FLOWGAP_NO_BROWSER=1
ctest --preset sanitize -j"$(nproc)" -L 'unit|fuzz|engine|property|e2e' -E "$statistics" "$@"
ctest --preset thread -j"$(nproc)" -R "$threads" "$@"
