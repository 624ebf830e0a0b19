#!/usr/bin/env bash
# What ptxas says of every kernel on every architecture, and the occupancy that follows from it and from how the kernel is
# launched, against the table cuda_kernels.txt: no spills; stack and shared memory may not grow, registers by no more than
# eight, occupancy may not fall.
# Skipped where there is no nvcc. Arguments: build folder, source folder.
#   tests/structure/test_cuda_kernels.sh BUILD SOURCE --write     writes the table instead
set -eu
# shellcheck source=tests/structure/cuda_plugin.sh disable=SC2154
. "$2/tests/structure/cuda_plugin.sh"
write=${3:-}
table=$source_dir/tests/structure/cuda_kernels.txt
version=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
toolkit=$(dirname "$(dirname "$(realpath "$nvcc")")")
cuda_plugin

# ---- threads and dynamic shared memory of each kernel: the most that the cases of docs/cuda.md launch it with, on a shim whose
# blocks may have as much shared memory as those of the architecture (KiB: CUDA programming guide)
launches=$plugin/launches
rm -f "$launches"
for arch in 80:163 90:227 100:227 120:99; do
  rm -f "$plugin/launch"
  SHIM_SHARED=$((${arch#*:} << 10)) SHIM_LAUNCHES=$plugin/launch \
    "$build/tests/cuda_on_cpu/bench_cuda_on_cpu" cuda 1 100 >"$plugin/bench" || { cat "$plugin/bench"; exit 1; }
  sort -u "$plugin/launch" | sed "s/^/${arch%:*} /" >>"$launches"
done

# ---- kernel, precision, architecture, registers, shared memory, stack, spills of its own and of the functions that it calls
rows() { # LOG PRECISION
  awk -v precision="$2" '
    function put() { if (kernel != "") print kernel, precision, arch, registers, shared, stack, own, called }
    /Compiling entry function/ {
      put()
      kernel = ""
      if (!match($0, /[0-9]+fg_[a-z0-9_]*_kernel/)) next
      kernel = substr($0, RSTART, RLENGTH)
      sub(/^[0-9]+/, "", kernel)
      split($0, part, "\047")
      entry = part[2]
      arch = substr(part[4], 4)
      registers = shared = stack = own = called = 0
    }
    /Function properties for/ { name = $NF }
    /bytes spill stores/ {
      spilled = $5 + $9
      if (name == entry) { own = spilled; if ($1 > stack) stack = $1 } else called += spilled
    }
    /: Used [0-9]+ registers/ {
      for (i = 1; i < NF; i++) {
        if ($(i + 1) ~ /^registers/) registers = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^cumulative/ && $i > stack) stack = $i
      }
    }
    END { put() }' "$1"
}
objects=$plugin/kernels/cuda/CMakeFiles
for log in "$objects"/*/*.ptxas; do
  case $log in *fg_cuda_single*) rows "$log" single ;; *) rows "$log" double ;; esac
done | sort >"$plugin/rows"

# ---- occupancy
gcc -std=gnu11 -isystem "$toolkit/include" -o "$plugin/occupancy" "$source_dir/tests/structure/cuda_occupancy.c"
"$plugin/occupancy" check
awk -v launches="$launches" '
  FILENAME == launches { # the most threads, and of these launches the most shared memory
    key = $2 " " $1
    if ($3 > threads[key]) { threads[key] = $3; dynamic[key] = 0 }
    if ($3 == threads[key] && $4 > dynamic[key]) dynamic[key] = $4
    next
  }
  { key = $1 " " $3 }
  !(key in threads) { print $1 " is compiled, but no case of bench/bench_cuda.c launches it" >"/dev/stderr"; bad = 1 }
  { print $0, threads[key] + 0, dynamic[key] + 0 }
  END { exit bad }' "$launches" "$plugin/rows" >"$plugin/launched"
awk '{ print $3, $4, $5 + $10, $9 }' "$plugin/launched" | "$plugin/occupancy" | paste -d ' ' "$plugin/launched" - >"$plugin/full"

# ---- a line for each kernel and precision: the most of shared memory, stack and spills, and each architecture's own
found=$plugin/found
awk -v archs="$architectures" '
  function most(what, value) { if (value > worst[key, what]) worst[key, what] = value }
  {
    key = $1 " " $2
    if (!(key in seen)) { seen[key] = ++count; names[count] = key }
    most("threads", $9); most("dynamic", $10); most("shared", $5); most("stack", $6); most("own", $7); most("called", $8)
    each[key, $3] = sprintf("%5d %3d %5s", $4, $11, $12)
  }
  END {
    n = split(archs, arch, " ")
    for (k = 1; k <= count; k++) {
      split(names[k], part, " "); key = names[k]
      line = sprintf("%-26s %-6s %4d %7d %7d %6d %7d %7d", part[1], part[2], worst[key, "threads"], worst[key, "dynamic"], worst[key, "shared"],
                     worst[key, "stack"], worst[key, "own"], worst[key, "called"])
      for (a = 1; a <= n; a++) {
        if (!((key, arch[a]) in each)) { print key " is not compiled for sm_" arch[a] >"/dev/stderr"; exit 1 }
        line = line "  " each[key, arch[a]]
      }
      print line
    }
  }' "$plugin/full" >"$found"
[ "$(wc -l <"$found")" -gt 20 ] || { echo "only $(wc -l <"$found") kernels in what ptxas says"; exit 1; }

awk '$7 + $8 > 0 { print $1, $2 ": spills " $7 + $8 " bytes"; bad = 1 } END { exit bad }' "$found"

if [ "$write" = --write ]; then
  { sed -n '/^#/p' "$table" | sed "s/^# nvcc [0-9.]*/# nvcc $version/"; cat "$found"; } >"$plugin/table"
  cp "$plugin/table" "$table"
  exit
fi
known=$(sed -n 's/^# nvcc \([0-9.]*\).*/\1/p' "$table")
[ "$version" = "$known" ] || { cat "$found"; echo "nvcc $version: the table is of $known, so nothing is compared"; exit 77; }
awk -v archs="$architectures" '
  BEGIN {
    split(archs, arch, " ")
    word[5] = "shared memory"; word[6] = "stack"
  }
  /^#/ { next }
  FNR == NR { known[$1, $2] = $0; next }
  !(($1, $2) in known) { print $1, $2 ": not in cuda_kernels.txt"; bad = 1; next }
  {
    split(known[$1, $2], old)
    delete known[$1, $2]
    for (i = 5; i <= 6; i++)
      if ($i > old[i]) { print $1, $2 ": " word[i] " grew from", old[i], "to", $i; bad = 1 }
    for (i = 9; i <= NF; i += 3) # registers are given out by eights
      if ($i > old[i] + 8) { print $1, $2 ": registers on sm_" arch[(i - 6) / 3] " grew from", old[i], "to", $i; bad = 1 }
    for (i = 11; i <= NF; i += 3)
      if ($i < old[i]) { print $1, $2 ": of the warps of sm_" arch[(i - 8) / 3], $i " % instead of", old[i] " %"; bad = 1 }
    for (i = 3; i <= NF; i++) if ($i != old[i]) { changed++; break }
  }
  END {
    for (k in known) { split(k, p, SUBSEP); print p[1], p[2] ": in cuda_kernels.txt, but not compiled"; bad = 1 }
    if (changed && !bad) print changed " lines differ from the table, none for the worse: write it"
    exit bad
  }' "$table" "$found" || { echo "if it must be so: $0 $build $source_dir --write"; exit 1; }
echo "$(wc -l <"$found") lines, none worse than the table"
