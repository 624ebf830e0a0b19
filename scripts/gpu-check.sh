#!/usr/bin/env bash
# Everything that only a GPU can show, into one report file: builds with the plugin, runs every engine test against the
# engine cpu on the device, compute-sanitizer (memcheck, racecheck, synccheck) on the same tests, the whole program on both
# engines, and every slot's time beside the floor that docs/cuda.md has for it.
#   scripts/gpu-check.sh [REPORT]     default: gpu-check-<date>.txt; exit status 0 if all that ran was right
# GPU_CHECK_BUILD=DIR takes a build that is there, GPU_CHECK_DIVIDE=N divides the sizes of what is timed and compared.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
refuse() { echo "gpu-check: $*" >&2; exit 2; }
command -v nvidia-smi >/dev/null || refuse "no nvidia-smi on the PATH: this check needs a machine with an NVIDIA GPU and its driver"
devices=$(nvidia-smi -L 2>&1)
[[ $devices == *"GPU 0"* ]] || refuse "nvidia-smi lists no GPU ($devices): nothing to check"
command -v nvcc >/dev/null || refuse "no nvcc on the PATH: install the CUDA toolkit, 12.x or 13.x"
report=${1:-gpu-check-$(date +%Y-%m-%d).txt}
build=${GPU_CHECK_BUILD:-build/gpu-check}
divide=${GPU_CHECK_DIVIDE:-1}
right=0
wrong=()
exec > >(tee "$report") 2>&1

step() { # NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    echo "-- $name: right ($((SECONDS - start)) s)"
    right=$((right + 1))
  else
    echo "-- $name: FAILED ($((SECONDS - start)) s)"
    wrong+=("$name")
  fi
}
verdict() {
  echo "== $right steps right, ${#wrong[@]} failed${wrong[*]:+: $(printf '%s; ' "${wrong[@]}")}"
  echo "report: $report"
  [ ${#wrong[@]} = 0 ]
}

echo "# $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null)"
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv
nvcc --version | tail -n 2
if [ -z "${GPU_CHECK_BUILD:-}" ]; then
  step configure cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DFG_CUDA=ON -DFG_TESTS=ON -DFG_BENCH=ON -DFG_WERROR=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)"
  step build cmake --build "$build" -j"$(nproc)"
fi
[ -s "$build/libflowgap_cuda.so" ] || { echo "gpu-check: there is no $build/libflowgap_cuda.so"; exit 1; }
LD_LIBRARY_PATH=$(realpath "$build")
export LD_LIBRARY_PATH
flowgap=$build/flowgap
step info "$flowgap" info
"$flowgap" info | grep -q '^device' || { echo "gpu-check: the engine cuda does not open"; exit 1; }

# ---- every engine test, on the device in place of the CPU that stands in for it
tests=$(cat "$build/tests/on_device.txt")
on_device() { FLOWGAP_TEST_DEVICE=1 timeout 1800 "$@"; }
for name in $tests; do step "engine test $name" on_device "$build/tests/$name"; done

# ---- the whole program on both engines
same() { # TOLERANCE WORDS...: numbers of results.json, or of metrics.jsonl of a training
  local most=$1 engine file=results.json
  shift
  [ "$1" = train ] && file=metrics.jsonl
  for engine in cpu cuda; do
    rm -rf "${build:?}/$engine"
    "$flowgap" "$@" --engine $engine --quiet --out "$build/$engine" || return 1
    grep -q "\"engine\": *\"$engine\"" "$build/$engine/results.json" || { echo "not on $engine"; return 1; }
    sed -E 's/"(seconds|wall_seconds|created|threads|command|engine|isa|name)": ?("[^"]*"|[^",}]*)//g' "$build/$engine/$file" |
      tr ' ,:{}[]' '\n' | grep . >"$build/$engine.words"
  done
  paste "$build/cpu.words" "$build/cuda.words" | awk -v most="$most" '
    function size(x) { return x < 0 ? -x : x }
    $1 == $2 { next }
    $1 + 0 != 0 && size($1 - $2) <= most * (1 + size($1)) { next }
    { print "cpu " $1 ", cuda " $2; wrong = 1 }
    END { exit wrong }'
}
particles=$((2000 / divide > 16 ? 2000 / divide : 16))
few=(--set "compare.particles=$particles" --set compare.permutations=20 --set compare.replicates=5 --set flow.ode.tile=64)
# the estimators whose searches end within a tolerance agree to that alone
step compare same 1e-7 compare perturbed:gmm9 --set model.epsilon=1 "${few[@]}" \
  --set 'compare.estimators=[exact, gaussian, sliced, mmd, energy]'
step 'compare, searches' same 1e-5 compare exact:gmm9 "${few[@]}" --set 'compare.estimators=[sinkhorn, entropic, max_sliced]'
step residual same 1e-8 residual perturbed:gmm9 --set "residual.points=$particles"
steps=$((200 / divide > 3 ? 200 / divide : 3))
brief=(--set "train.steps=$steps" --set train.batch=64 --set train.precision=double
       --set train.log_every=1 --set "train.evaluate_every=$steps" --set train.evaluate_paths=256 --set "compare.particles=$particles"
       --set compare.replicates=2 --set compare.permutations=3)
for example in dis-gmm9 bridge-gmm9 dds-gmm9 pis-gmm9; do # rounding grows from step to step of a training
  step "train $example" same 1e-5 train "examples/$example-short.yaml" "${brief[@]}" --set train.time_steps=20
done
step 'train, wide network' same 1e-5 train examples/dis-gmm9-short.yaml "${brief[@]}" --set train.time_steps=20 --set 'train.hidden=[160, 160]'
step 'train dsm-circles' same 1e-5 train examples/dsm-circles-short.yaml "${brief[@]}"

# ---- compute-sanitizer
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck synccheck; do
    for name in $tests; do
      step "$tool $name" on_device compute-sanitizer --tool $tool --error-exitcode 9 "$build/tests/$name"
    done
    step "$tool compare" timeout 1800 compute-sanitizer --tool $tool --error-exitcode 9 "$flowgap" compare perturbed:gmm9 \
      --engine cuda --quiet --out "$build/sanitized" --set compare.particles=$((particles < 256 ? particles : 256)) \
      --set 'compare.estimators=[exact, sliced, energy]' --set compare.permutations=5 --set compare.replicates=2 \
      --set compare.residual_points=30
  done
else
  echo '-- compute-sanitizer: not on the PATH, not run'
  wrong+=(compute-sanitizer)
fi

# ---- measured times beside the floors that were written beforehand
step roofline "$build/bench/bench_cuda" cuda 15 "$divide"
if command -v nsys >/dev/null; then # each kernel alone
  step 'times of kernels' nsys profile --force-overwrite true --stats=true -o "$build/kernels" \
    "$build/bench/bench_cuda" cuda 3 "$divide"
else
  echo '-- nsys: not on the PATH, no times of single kernels'
fi
verdict
