#!/usr/bin/env bash
# scripts/gpu-check.sh refuses in plain words, with status 2 and no report, where there is no GPU. Arguments: build folder,
# source folder.
set -eu
source_dir=$(realpath "$2")
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
