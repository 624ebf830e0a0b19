#!/usr/bin/env bash
# Every examples/*.yaml does what it is there for, at a small size: those with train settings are trained for two steps,
# the others compared. published-circles.yaml is left out: its weights are not here.
# Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh" "$@"

cp -r "$source/examples" .
good target build examples/banana.c
estimate=(--set compare.exact_points=50 --set compare.replicates=2 --set compare.permutations=0 --quiet)
small=(--set train.steps=2 --set train.batch=64 --set train.evaluate_paths=100)
paths=(--set train.time_steps=5 --set train.evaluate_steps=10) # of samplers
compare=(--set compare.particles=200 --set compare.residual_points=10 --set flow.sde.grid=[] --set flow.sde.steps=20)
trained=0
for example in examples/*.yaml; do
  name=$(basename "$example" .yaml)
  [ "$name" = published-circles ] && continue
  if grep -q '^train:' "$example"; then
    grep -q 'method: dsm' "$example" && own=() || own=("${paths[@]}")
    good train "$example" --out "$name" "${small[@]}" "${own[@]}" "${estimate[@]}"
    trained=$((trained + 1))
  else
    good compare "$example" --out "$name" "${compare[@]}" "${estimate[@]}"
  fi
  cases=$((cases + 1))
  if [ ! -s "$name/results.json" ]; then
    echo "FAILED: $example left no results.json"
    bad=$((bad + 1))
  fi
done
[ "$trained" -gt 0 ] || { echo "FAILED: no example was trained"; bad=$((bad + 1)); }
finish
