#!/usr/bin/env bash
# Each public header compiles alone, as C11 and as C++17.
set -eu
source_dir=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for header in "$source_dir"/include/flowgap/*.h; do
  name=flowgap/$(basename "$header")
  echo "#include \"$name\"" >"$scratch/one.c"
  cp "$scratch/one.c" "$scratch/one.cpp"
  ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$source_dir/include" -fsyntax-only "$scratch/one.c"
  ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -I "$source_dir/include" -fsyntax-only "$scratch/one.cpp"
done
