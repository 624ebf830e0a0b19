#!/usr/bin/env bash
# scripts/gpu-check.sh refuses in plain words, with status 2 and no report, where there is no GPU; and with a driver, a
# compute-sanitizer and an nvcc that only pretend, and the shim's plugin as the device, it goes through all its steps and
# counts those that fail. Arguments: build folder, source folder.
set -eu
build=$(realpath "$1") source_dir=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
refused() { # TEXT
  local status=0
  PATH=$scratch:/usr/bin:/bin /bin/bash "$source_dir/scripts/gpu-check.sh" "$scratch/report.txt" >"$scratch/out" 2>&1 || status=$?
  cat "$scratch/out"
  [ $status = 2 ] || { echo "status $status, expected 2"; exit 1; }
  grep -qF -- "$1" "$scratch/out" || { echo "expected: $1"; exit 1; }
  [ ! -e "$scratch/report.txt" ] || { echo "a report of nothing"; exit 1; }
}
printf '#!/bin/sh\necho "NVIDIA-SMI has failed"\nexit 9\n' >"$scratch/nvidia-smi"
chmod +x "$scratch/nvidia-smi"
refused 'nvidia-smi lists no GPU (NVIDIA-SMI has failed): nothing to check'
printf '#!/bin/sh\necho "GPU 0: a stand-in"\n' >"$scratch/nvidia-smi"
if ! PATH=/usr/bin:/bin command -v nvcc >/dev/null; then refused 'no nvcc on the PATH'; fi
rm "$scratch/nvidia-smi"
if ! PATH=/usr/bin:/bin command -v nvidia-smi >/dev/null; then refused 'no nvidia-smi on the PATH'; fi

# ---- the whole of it
plugin=$build/tests/cuda_on_cpu/plugin/libflowgap_cuda.so
[ -s "$plugin" ] || { echo "no $plugin"; exit 77; }
grep -q _on_cuda "$build/tests/on_device.txt" || { echo "a build without the engine tests on the CUDA engine"; exit 77; }
bin=$scratch/bin kit=$scratch/kit
mkdir -p "$bin" "$kit/tests" "$kit/bench"
printf '#!/bin/sh\necho "GPU 0: a stand-in"\n' >"$bin/nvidia-smi"
printf '#!/bin/sh\necho "a stand-in"\n' >"$bin/nvcc"
cat >"$bin/compute-sanitizer" <<'STAND_IN'
#!/bin/sh
# notes what it was asked for; one of the tests it finds wrong
[ "$1" = --tool ] && [ "$3" = --error-exitcode ] || exit 3
echo "$2 $(basename "$5") ${FLOWGAP_TEST_DEVICE:-}" >>"$NOTES"
[ "$2 $(basename "$5")" != 'racecheck test_points_on_cuda' ] || exit 9
STAND_IN
chmod +x "$bin"/*
ln -s "$build/flowgap" "$kit/flowgap"
ln -s "$plugin" "$kit/libflowgap_cuda.so"
ln -s "$build/tests/cuda_on_cpu/bench_cuda_on_cpu" "$kit/bench/bench_cuda"
for name in test_points_on_cuda test_engine_slots_on_cuda; do # those that take least
  ln -s "$build/tests/$name" "$kit/tests/$name"
  echo $name >>"$kit/tests/on_device.txt"
  grep -qx $name "$build/tests/on_device.txt"
done
status=0
NOTES=$scratch/notes GPU_CHECK_BUILD=$kit GPU_CHECK_DIVIDE=100 PATH=$bin:$PATH \
  bash "$source_dir/scripts/gpu-check.sh" "$scratch/report.txt" >"$scratch/out" 2>&1 || status=$?
has() { grep -qF -- "$1" "$scratch/report.txt" || { cat "$scratch/report.txt"; echo "not in the report: $1"; exit 1; }; }
[ $status = 1 ] || { cat "$scratch/out"; echo "status $status, expected 1: a step failed"; exit 1; }
has '== 21 steps right, 1 failed: racecheck test_points_on_cuda; '
for done in info 'engine test test_points_on_cuda' 'engine test test_engine_slots_on_cuda' compare 'compare, searches' residual \
  'train dis-gmm9' 'train bridge-gmm9' 'train dds-gmm9' 'train pis-gmm9' 'train, wide network' 'train dsm-circles' \
  'memcheck test_points_on_cuda' 'synccheck compare' roofline; do
  has "-- $done: right"
done
for slot in simulate evaluate ode map reduce pairs softmin price slices slice_ways ensemble points objective optimise paths; do has "$slot "; done
[ "$(sort -u "$scratch/notes" | wc -l)" = 9 ] || { cat "$scratch/notes"; echo 'expected three tools on three programs'; exit 1; }
[ "$(grep -c 'on_cuda 1$' "$scratch/notes")" = 6 ] || { echo 'tests under compute-sanitizer not on the device'; exit 1; }

# the tests do open the plugin: without one they fail
if FLOWGAP_TEST_DEVICE=1 LD_LIBRARY_PATH='' "$build/tests/test_points_on_cuda" >"$scratch/out" 2>&1; then exit 1; fi
grep -q 'the engine cuda is a plugin that cannot be opened' "$scratch/out"
