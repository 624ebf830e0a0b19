#!/usr/bin/env bash
# Everything that only a GPU can show, into one report file: builds with the plugin, runs the engine tests against the
# engine cpu, compute-sanitizer (memcheck, racecheck, synccheck), the whole program on both engines, and times beside the
# floors of docs/cuda.md.
#   scripts/gpu-check.sh [REPORT]     default: gpu-check-<date>.txt; exit status 0 if all that ran was right
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
refuse() { echo "gpu-check: $*" >&2; exit 2; }
command -v nvidia-smi >/dev/null || refuse "no nvidia-smi on the PATH: this check needs a machine with an NVIDIA GPU and its driver"
devices=$(nvidia-smi -L 2>&1)
[[ $devices == *"GPU 0"* ]] || refuse "nvidia-smi lists no GPU ($devices): nothing to check"
command -v nvcc >/dev/null || refuse "no nvcc on the PATH: install the CUDA toolkit, 12.x or 13.x"
report=${1:-gpu-check-$(date +%Y-%m-%d).txt}
build=build/gpu-check
failed=0
exec > >(tee "$report") 2>&1

step() { # NAME COMMAND...
  local name=$1
  shift
  echo "== $name"
  if "$@"; then echo "-- $name: right"; else echo "-- $name: FAILED"; failed=$((failed + 1)); fi
}

echo "# $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null)"
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv
nvcc --version | tail -n 2
step configure cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DFG_CUDA=ON -DFG_TESTS=ON -DFG_WERROR=ON \
  -DCMAKE_CUDA_ARCHITECTURES="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)"
step build cmake --build $build -j"$(nproc)"
[ -s $build/libflowgap_cuda.so ] || { echo "gpu-check: the plugin was not built"; exit 1; }
export LD_LIBRARY_PATH=$PWD/$build
flowgap=$build/flowgap
step info $flowgap info
$flowgap info | grep -q '^device' || { echo "gpu-check: the engine cuda does not open"; exit 1; }

# ---- the engine against the engine cpu; test_cuda_on_cpu runs its cases on the GPU when it finds the plugin
tests=$build/tests/test_cuda_on_cpu
on_device() { "$@" >$build/device.txt 2>&1; local got=$?; cat $build/device.txt; [ $got = 0 ] && ! grep -q 'not run on a GPU' $build/device.txt; }
step 'engine tests' on_device $tests
same() { # TOLERANCE WORDS...: numbers of results.json on both engines
  local most=$1 engine
  shift
  for engine in cpu cuda; do
    rm -rf "${build:?}/$engine"
    $flowgap "$@" --engine $engine --quiet --out "$build/$engine" || return 1
    sed -E 's/"(seconds|wall_seconds|created|threads|command|engine|isa|name)": ?("[^"]*"|[^",}]*)//g' "$build/$engine/results.json" |
      tr ' ,:{}[]' '\n' | grep . >"$build/$engine.words"
  done
  paste "$build/cpu.words" "$build/cuda.words" | awk -v most="$most" '
    function size(x) { return x < 0 ? -x : x }
    $1 == $2 { next }
    $1 + 0 != 0 && size($1 - $2) <= most * (1 + size($1)) { next }
    { print "cpu " $1 ", cuda " $2; wrong = 1 }
    END { exit wrong }'
}
step compare same 1e-7 compare perturbed:gmm9 --set model.epsilon=1 --set compare.particles=2000
step residual same 1e-8 residual perturbed:gmm9

# ---- compute-sanitizer
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck synccheck; do
    step $tool timeout 1800 compute-sanitizer --tool $tool --error-exitcode 9 $flowgap compare perturbed:gmm9 \
      --engine cuda --quiet --out $build/sanitized --set compare.particles=256 --set 'compare.estimators=[exact, sliced, energy]' \
      --set compare.permutations=5 --set compare.replicates=2 --set compare.residual_points=30
  done
else
  echo '-- compute-sanitizer: not on the PATH, not run'
  failed=$((failed + 1))
fi

# ---- roofline: whole simulations, the time of a short one taken off
echo '== roofline: Euler-Maruyama of the mixture gmm9 in double precision, 400 operations a particle and step (docs/cuda.md)'
seconds() { # COUNT
  local start end
  start=$(date +%s.%N)
  $flowgap sample exact:gmm9 --flow sde --count "$1" --engine cuda --quiet --set 'flow.sde.grid=[]' --set flow.sde.steps=1000 \
    --out $build/sample.h5 || return 1
  end=$(date +%s.%N)
  awk -v a="$start" -v b="$end" 'BEGIN { print b - a }'
}
case $devices in # operations a second in double precision, from the makers' data sheets
  *A100*) peak=9.7e12 ;;
  *H100*|*H200*) peak=33.5e12 ;;
  *) peak=0 ;;
esac
if short=$(seconds 1000) && long=$(seconds 1001000); then
  awk -v t="$short" -v u="$long" -v peak=$peak 'BEGIN {
    rate = 1e9 / (u - t)
    printf "particles x steps  seconds  operations/s  floor s  fraction of peak\n1e9 %.3f %.3g", u - t, 400 * rate
    if (peak) printf " %.3g %.4f\n", 4e11 / peak, 400 * rate / peak; else print " - - (no peak known for this GPU)" }'
else
  echo '-- roofline: FAILED'
  failed=$((failed + 1))
fi
echo "== $failed failed; report: $report"
[ $failed = 0 ]
