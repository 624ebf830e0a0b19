# To be sourced: builds the plugin of the CUDA engine by the preset cuda, for all its architectures and with warnings as
# errors, linked to the library of the build folder $1; sources in $2. It lies in $plugin then, with what ptxas says of each
# object beside the object. Objects are kept for the next run. Ends with 77 where there is no nvcc.
# shellcheck shell=bash disable=SC2034
build=$(realpath "$1") source_dir=$(realpath "$2")
nvcc=$(command -v nvcc || true)
[ -n "$nvcc" ] || { echo "no nvcc on the PATH"; exit 77; }
plugin=$build/cuda
architectures='80 90 100 120'
known=$("$nvcc" --list-gpu-arch)
for arch in $architectures; do
  [[ $known == *compute_$arch* ]] || { echo "this nvcc knows no sm_$arch: 12.8 or later does"; exit 77; }
done

cuda_plugin() {
  mkdir -p "$plugin"
  ( # one test at a time
    flock 9
    { cd "$source_dir" && cmake --preset cuda -B "$plugin" -DFG_WERROR=ON -DFG_CUDA_LIBRARY="$build/libflowgap.so" \
        -DCMAKE_CUDA_COMPILER_LAUNCHER="$source_dir/tests/structure/ptxas_log.sh" &&
      cmake --build "$plugin" --target flowgap_cuda -j"$(nproc)"
    } >"$plugin/log" 2>&1 || { cat "$plugin/log"; exit 1; }
  ) 9>"$plugin/lock"
}
