#!/usr/bin/env bash
# A program outside the tree finds the installed library, by CMake and by pkg-config, and runs.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
mkdir "$scratch/program"
cp "$2/examples/gap.c" "$scratch/program/"
cat >"$scratch/program/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.22)
project(gap C)
find_package(flowgap REQUIRED)
add_executable(gap gap.c)
target_link_libraries(gap PRIVATE flowgap::flowgap m)
C
cmake -S "$scratch/program" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/build/gap" | grep -q "W2"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name flowgap.pc)")
# shellcheck disable=SC2046
${CC:-cc} -std=c11 "$scratch/program/gap.c" -o "$scratch/gap" $(pkg-config --cflags --libs flowgap) -lm
LD_LIBRARY_PATH=$(pkg-config --variable=libdir flowgap) "$scratch/gap" | grep -q "W2"
LD_LIBRARY_PATH='' "$scratch/prefix/bin/flowgap" --version | grep -q flowgap
"$scratch/prefix/bin/flowgap" target build "$2/examples/banana.c" --out "$scratch/banana.so" | grep -q checked
[ -f "$scratch/prefix/include/flowgap/plugin.h" ]
