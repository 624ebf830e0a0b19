#!/usr/bin/env bash
# The shared library exports exactly the names that the public headers declare (its ABI list).
set -eu
library=$1/libflowgap.so
exported=$(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ {print $3}' | sort)
declared=$(cat "$2"/include/flowgap/*.h | tr '\n' ' ' | grep -oE 'FG_API [^;(]*\(' | grep -oE 'fg_[a-z0-9_]+\($' | tr -d '(' | sort -u)
difference=$(diff <(echo "$exported") <(echo "$declared") || true)
[ -z "$difference" ] || {
  echo "exported (<) and declared (>) names differ:"
  echo "$difference"
  exit 1
}
