#!/usr/bin/env bash
# nvcc takes every formula header alone as C++17, in both precisions, and builds the plugin of the CUDA
# engine, all without a warning; the command opens the plugin, and says why where there is no GPU. Skipped
# where there is no nvcc. Objects are kept in the build folder for the next run.
set -eu
build=$1 source_dir=$2
nvcc=$(command -v nvcc || true)
[ -n "$nvcc" ] || { echo "no nvcc on the PATH"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for header in "$source_dir"/kernels/formula/*.h; do
  for single in "" "#define FG_SINGLE FG_SINGLE"; do
    printf '%s\n#include "formula/%s"\n__global__ void kernel(void)\n{\n}\n' "$single" "$(basename "$header")" \
      >"$scratch/one.cu"
    "$nvcc" -std=c++17 -arch=sm_90 -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror \
      -I "$source_dir/kernels" -c -o "$scratch/one.o" "$scratch/one.cu"
  done
done

if grep -q '^FG_CUDA:BOOL=ON' "$build/CMakeCache.txt"; then
  cmake --build "$build" --target flowgap_cuda >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  cp "$build/libflowgap_cuda.so" "$scratch/"
else # one architecture, linked to the library of this build
  objects=$build/cuda-objects
  { cmake -S "$source_dir" -B "$objects" -DFG_CUDA=ON -DFG_TESTS=OFF -DFG_WERROR=ON \
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES=90-real
    cmake --build "$objects" --target fg_cuda_host fg_cuda_double fg_cuda_single
  } >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  find "$objects" -name '*.cu.o' -exec "$nvcc" -arch=sm_90 -shared -cudart static -o \
    "$scratch/libflowgap_cuda.so" -L"$build" -lflowgap {} +
fi
exported=$(nm -D --defined-only "$scratch/libflowgap_cuda.so" | awk '$2 ~ /[TDBR]/ {print $3}' | tr '\n' ' ')
[ "$exported" = "fg_cuda_engine_open " ] || { echo "libflowgap_cuda.so exports $exported"; exit 1; }

export LD_LIBRARY_PATH=$scratch
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
