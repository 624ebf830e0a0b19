#!/usr/bin/env bash
# Registers, shared memory, stack and spills of every kernel, as ptxas counts them for one architecture, against the table
# cuda_kernels.txt: none may grow. Skipped where there is no nvcc. Arguments: build folder, source folder.
#   tests/structure/test_cuda_kernels.sh BUILD SOURCE --write     writes the table instead
# Logs are kept in the build folder as long as the sources stay the same.
set -eu
build=$1 source_dir=$2 write=${3:-}
table=$source_dir/tests/structure/cuda_kernels.txt
nvcc=$(command -v nvcc || true)
[ -n "$nvcc" ] || { echo "no nvcc on the PATH"; exit 77; }
version=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
logs=$build/cuda-ptxas
mkdir -p "$logs"

# UNIT PRECISION: its log, unless it is there already
unit_log() {
  local name=$1-$2 define='' stamp
  [ "$2" = single ] && define=-DFG_SINGLE=FG_SINGLE
  stamp=$version-$(cat "$source_dir"/kernels/*.h "$source_dir"/kernels/{body,formula,cuda}/* "$source_dir"/include/flowgap/*.h | cksum)
  if [ "$(cat "$logs/$name.stamp" 2>/dev/null)" != "$stamp" ]; then
    "$nvcc" -std=c++17 -O3 -arch=sm_90 -Xptxas -v -Xcompiler=-fPIC,-fvisibility=hidden ${define:+$define} \
      -DFG_VERSION_TEXT='"0"' -I "$source_dir/include" -I "$source_dir/kernels" -cubin -o "$logs/$name.cubin" \
      "$source_dir/kernels/cuda/$1.cu" 2>"$logs/$name.log" || { cat "$logs/$name.log"; exit 1; }
    rm -f "$logs/$name.cubin"
    echo "$stamp" >"$logs/$name.stamp"
  fi
}

# Of a kernel: registers, bytes of shared memory, bytes of stack, bytes that the kernel itself spills (stores and loads),
# and those of the functions that it calls.
rows() { # UNIT PRECISION
  awk -v precision="$2" '
    function put() { if (kernel != "") print kernel, precision, registers, shared, stack, own, called }
    /Compiling entry function/ {
      put()
      match($0, /[0-9]+fg_[a-z0-9_]*_kernel/)
      kernel = substr($0, RSTART, RLENGTH)
      sub(/^[0-9]+/, "", kernel)
      split($0, part, "\047")
      entry = part[2]
      registers = shared = stack = own = called = 0
    }
    /Function properties for/ { name = $NF }
    /bytes spill stores/ {
      spilled = $5 + $9
      if (name == entry) { own = spilled; stack = $1 } else called += spilled
    }
    /: Used [0-9]+ registers/ {
      for (i = 1; i < NF; i++) {
        if ($(i + 1) ~ /^registers/) registers = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^cumulative/) stack = $i
      }
    }
    END { put() }' "$logs/$1-$2.log"
}

found=$logs/found.txt
: >"$found"
for unit in kernels train_kernels ensemble_kernels; do
  for precision in double single; do
    unit_log $unit $precision
    rows $unit $precision >>"$found"
  done
done
unit_log vector double
rows vector double >>"$found"
sort -o "$found" "$found"
[ "$(wc -l <"$found")" -gt 20 ] || { echo "only $(wc -l <"$found") kernels in the logs of ptxas"; exit 1; }

if [ "$write" = --write ]; then
  { sed -n '/^#/p' "$table" | sed "s/^# nvcc .*/# nvcc $version, sm_90/"
    awk '{ printf "%-26s %-7s %9d %7d %6d %10d %13d\n", $1, $2, $3, $4, $5, $6, $7 }' "$found"
  } >"$logs/table" && cp "$logs/table" "$table"
  exit
fi
known=$(sed -n 's/^# nvcc \([0-9.]*\),.*/\1/p' "$table")
[ "$version" = "$known" ] || { cat "$found"; echo "nvcc $version: the table is of $known, so nothing is compared"; exit 77; }
awk '
  /^#/ { next }
  FNR == NR { for (i = 3; i <= 7; i++) known[$1, $2, i] = $i; there[$1, $2] = 1; next }
  !(($1, $2) in there) { print $1, $2 ": not in cuda_kernels.txt"; bad = 1; next }
  {
    what[3] = "registers"; what[4] = "shared memory"; what[5] = "stack"; what[6] = "spills"; what[7] = "spills of what it calls"
    delete there[$1, $2]
    for (i = 3; i <= 7; i++)
      if ($i > known[$1, $2, i]) { print $1, $2 ": " what[i] " grew from", known[$1, $2, i], "to", $i; bad = 1 }
  }
  END { for (k in there) { split(k, p, SUBSEP); print p[1], p[2] ": in cuda_kernels.txt, but not compiled"; bad = 1 }; exit bad }
' "$table" "$found" || { echo "if it must be so: $0 $build $source_dir --write"; exit 1; }
echo "$(wc -l <"$found") kernels, none has grown"
