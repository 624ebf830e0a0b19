#!/usr/bin/env bash
# nvcc takes every formula header alone as C++17, in both precisions, and builds and links the plugin of the CUDA engine
# for every architecture, all without a warning; the command opens the plugin, and says why where there is no GPU. Skipped
# where there is no nvcc. Objects are kept in the build folder for the next run. Arguments: build folder, source folder.
set -eu
# shellcheck source=tests/structure/cuda_plugin.sh disable=SC2154
. "$2/tests/structure/cuda_plugin.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

stamp=$("$nvcc" --version | cksum)$(cat "$source_dir"/kernels/formula/*.h | cksum)
if [ "$(cat "$build/cuda-formulas" 2>/dev/null)" != "$stamp" ]; then
  for header in "$source_dir"/kernels/formula/*.h; do
    for single in "" "#define FG_SINGLE FG_SINGLE"; do
      printf '%s\n#include "formula/%s"\n__global__ void kernel(void)\n{\n}\n' "$single" "$(basename "$header")" \
        >"$scratch/one.cu"
      "$nvcc" -std=c++17 -arch=sm_90 -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror \
        -I "$source_dir/kernels" -c -o "$scratch/one.o" "$scratch/one.cu"
    done
  done
  echo "$stamp" >"$build/cuda-formulas"
fi

cuda_plugin
exported=$(nm -D --defined-only "$plugin/libflowgap_cuda.so" | awk '$2 ~ /[TDBR]/ {print $3}' | tr '\n' ' ')
[ "$exported" = "fg_cuda_engine_open " ] || { echo "libflowgap_cuda.so exports $exported"; exit 1; }
# code for each architecture, and PTX of the last for later ones
for arch in $architectures; do
  grep -aq -- "-arch sm_$arch " "$plugin/libflowgap_cuda.so" || { echo "no code for sm_$arch in the plugin"; exit 1; }
done
grep -aq "^\.target sm_${architectures##* }" "$plugin/libflowgap_cuda.so" || { echo "no PTX in the plugin"; exit 1; }

export LD_LIBRARY_PATH=$plugin:$build
line=$("$build/flowgap" info | grep -E '^engine +cuda ')
echo "$line"
case $line in
  *sm_*) ;;
  *"no CUDA device: cudaGetDeviceCount returned"*)
    status=0
    "$build/flowgap" compare exact:gmm9 --engine cuda --out "$scratch/run" 2>"$scratch/error" || status=$?
    cat "$scratch/error"
    [ $status = 2 ] || { echo "exit status $status, expected 2"; exit 1; }
    grep -q -- "--engine cpu" "$scratch/error"
    ;;
  *) exit 1 ;;
esac
