#!/usr/bin/env bash
# The table of floors in docs/cuda.md is what bench_cuda calculates. Arguments: build folder, source folder.
#   build/ci/tests/cuda_on_cpu/bench_cuda_on_cpu floors     prints it
set -eu
program=$1/tests/cuda_on_cpu/bench_cuda_on_cpu
[ -x "$program" ] || { echo "no $program"; exit 77; }
rows=$("$program" floors)
[ "$(wc -l <<<"$rows")" -gt 15 ]
while IFS= read -r row; do
  grep -qxF -- "$row" "$2/docs/cuda.md" || { echo "docs/cuda.md lacks: $row"; exit 1; }
done <<<"$rows"
[ "$(grep -c '^| `' "$2/docs/cuda.md")" = "$(grep -c '^| `' <<<"$rows")" ] || { echo "docs/cuda.md has other rows too"; exit 1; }
